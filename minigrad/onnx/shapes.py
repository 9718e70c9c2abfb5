"""Reductions, and ops of shapes and places, in the words of ONNX. Comes after `table.py`."""

from __future__ import annotations

import math

import numpy as np

from minigrad.onnx.table import ELEMENTS, TABLE, element_type, number, op

__all__ = ["TABLE"]

# ---- reductions


def _reduction(name, kind):
    def write(g, out, x, dim, keepdim):
        dims = tuple(range(x.ndim)) if dim is None or dim == () else dim if isinstance(dim, tuple) else (dim,)
        return g.add(kind, [x, g.ints(*dims)], keepdims=int(keepdim))

    TABLE[name] = write


for _name, _kind in {
    "sum": "ReduceSum", "mean": "ReduceMean", "prod": "ReduceProd", "amax": "ReduceMax", "amin": "ReduceMin",
    "max_all": "ReduceMax", "min_all": "ReduceMin", "logsumexp": "ReduceLogSumExp",
}.items():  # fmt: skip
    _reduction(_name, _kind)


def _of_bools(name, kind):
    def write(g, out, x, dim, keepdim):
        number = g.add("Cast", [g.add("Cast", [x], to=ELEMENTS["bool"])], to=ELEMENTS["int32"])
        dims = g.ints(*(range(x.ndim) if dim is None else dim if isinstance(dim, tuple) else (dim,)))
        return g.add("Cast", [g.add(kind, [number, dims], keepdims=int(keepdim))], to=element_type(out.array))

    TABLE[name] = write


_of_bools("any", "ReduceMax")
_of_bools("all", "ReduceMin")


def _arg(g, kind, x, dim, keepdim):
    if dim is None:
        x, dim = g.add("Reshape", [x, g.ints(-1)]), 0
    return g.add(kind, [x], axis=dim, keepdims=int(keepdim))


@op
def argmax(g, out, x, dim, keepdim):
    return _arg(g, "ArgMax", x, dim, keepdim)


@op
def argmin(g, out, x, dim, keepdim):
    return _arg(g, "ArgMin", x, dim, keepdim)


@op
def max_dim(g, out, x, dim, keepdim):
    return TABLE["amax"](g, out, x, dim, keepdim), _arg(g, "ArgMax", x, dim, keepdim)


@op
def min_dim(g, out, x, dim, keepdim):
    return TABLE["amin"](g, out, x, dim, keepdim), _arg(g, "ArgMin", x, dim, keepdim)


@op
def var(g, out, x, dim, correction, keepdim):
    away = g.add("Sub", [x, g.add("ReduceMean", [x, g.ints(*dim)], keepdims=1)])
    count = math.prod([x._shape[d] for d in dim]) - correction
    total = g.add("ReduceSum", [g.add("Mul", [away, away]), g.ints(*dim)], keepdims=int(keepdim))
    return g.add("Div", [total, number(g, count, out)])


@op
def std(g, out, x, dim, correction, keepdim):
    return g.add("Sqrt", [var(g, out, x, dim, correction, keepdim)])


@op
def linalg_vector_norm(g, out, x, ord, dim, keepdim):
    kind = {1: "ReduceL1", 2: "ReduceL2"}.get(ord)
    if kind is None:
        raise g.missing(f"a norm of order {ord}")
    return g.add(kind, [x, g.ints(*(range(x.ndim) if dim is None else dim))], keepdims=int(keepdim))


@op
def topk(g, out, x, k, dim, largest, sorted):
    return g.add("TopK", [x, g.ints(k)], 2, axis=dim, largest=int(largest), sorted=int(sorted))


@op
def sort(g, out, x, dim, descending, stable):
    return g.add("TopK", [x, g.ints(x._shape[dim])], 2, axis=dim, largest=int(descending), sorted=1)


@op
def cumsum(g, out, x, dim):
    return g.add("CumSum", [x, g.constant(dim, np.int64)])


# ---- shapes


@op
def reshape(g, out, x, shape):
    return g.add("Reshape", [x, g.shape(out._shape)])


TABLE["view"] = reshape


@op
def permute(g, out, x, dims):
    return g.add("Transpose", [x], perm=list(dims))


@op
def transpose(g, out, x, dim0, dim1):
    dims = list(range(x.ndim))
    dims[dim0], dims[dim1] = dims[dim1], dims[dim0]
    return g.add("Transpose", [x], perm=dims)


@op
def t(g, out, x):
    return g.add("Transpose", [x], perm=list(range(x.ndim))[::-1])


@op
def squeeze(g, out, x, dim):
    dims = [d for d, n in enumerate(x._shape) if n == 1 and (dim is ... or d in dim)]
    return g.add("Squeeze", [x, g.ints(*dims)]) if dims else g.add("Identity", [x])


@op
def unsqueeze(g, out, x, dim):
    return g.add("Unsqueeze", [x, g.ints(dim)])


@op
def expand(g, out, x, size):
    before = (1,) * (out.ndim - x.ndim) + tuple(x._shape)
    return g.add("Expand", [x, g.ints(*[1 if n == was else n for n, was in zip(out._shape, before, strict=True)])])


@op
def repeat(g, out, x, repeats):
    more = len(repeats) - x.ndim
    return g.add("Tile", [g.add("Unsqueeze", [x, g.ints(*range(more))]) if more else x, g.ints(*repeats)])


@op
def cat(g, out, tensors, dim):
    return g.add("Concat", tensors, axis=dim)


@op
def stack(g, out, tensors, dim):
    return g.add("Concat", [g.add("Unsqueeze", [x, g.ints(dim)]) for x in tensors], axis=dim)


@op
def split(g, outs, x, split_size_or_sections, dim):
    names = g.add("Split", [x, g.ints(*[out._shape[dim] for out in outs])], len(outs), axis=dim)
    return names if len(outs) > 1 else (names,)


@op
def unbind(g, outs, x, dim):
    return tuple([g.add("Gather", [x, g.constant(i, np.int64)], axis=dim) for i in range(len(outs))])


@op
def select(g, out, x, dim, index):
    return g.add("Gather", [x, g.constant(index, np.int64)], axis=dim)


@op
def narrow(g, out, x, dim, start, length):
    return _slice(g, x, dim, start, start + length, 1)


def _slice(g, x, dim, start, stop, step):
    return g.add("Slice", [x, g.ints(start), g.ints(stop), g.ints(dim), g.ints(step)])


@op
def flip(g, out, x, dims):
    name = g.name(x)
    for dim in dims:
        name = _slice(g, name, dim, -1, np.iinfo(np.int64).min, -1)
    return name


@op
def getitem(g, out, x, index):
    index = index if isinstance(index, tuple) else (index,)
    taken = sum([item is not None and item is not ... for item in index])
    if ... not in [item for item in index if not isinstance(item, np.ndarray)]:
        index = (*index, ...)
    name, dim = g.name(x), 0
    for item in index:
        if item is ...:
            dim += x.ndim - taken
        elif item is None:
            name, dim = g.add("Unsqueeze", [name, g.ints(dim)]), dim + 1
        elif isinstance(item, slice):
            if item != slice(None):
                step = 1 if item.step is None else item.step
                stop = np.iinfo(np.int64).max if item.stop is None else item.stop
                name = _slice(g, name, dim, 0 if item.start is None else item.start, stop, step)
            dim += 1
        elif isinstance(item, int | np.integer) and not isinstance(item, bool):
            name = g.add("Gather", [name, g.constant(item, np.int64)], axis=dim)
        elif isinstance(item, np.ndarray) and item.dtype.kind in "iu" and _only_array(index):
            name, dim = g.add("Gather", [name, g.constant(item, np.int64)], axis=dim), dim + item.ndim
        else:
            raise g.missing("indexing by masks, or by several tensors,")
    return name


def _only_array(index):
    """Whether one index is an array, and no other takes a dimension away."""
    return sum([isinstance(item, np.ndarray | int) for item in index]) == 1


@op
def index_select(g, out, x, index, dim):
    return g.add("Gather", [x, index], axis=dim)


@op
def gather(g, out, x, index, dim):
    return g.add("GatherElements", [x, index], axis=dim)


@op
def pad_constant(g, out, x, width, value):
    pads = g.ints(*[before for before, _ in width], *[after for _, after in width])
    return g.add("Pad", [x, pads, number(g, value, out)], mode="constant")


@op
def tril(g, out, x, diagonal):
    return g.add("Trilu", [x, g.constant(diagonal, np.int64)], upper=0)


@op
def triu(g, out, x, diagonal):
    return g.add("Trilu", [x, g.constant(diagonal, np.int64)], upper=1)
