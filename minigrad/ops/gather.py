"""Elements by their places: gather, and scatter in all its forms (write, add, multiply, mean, extremes).

A place is an index along one dimension; the other coordinates are those at which the index stands.  `gather` and
`scatter_add` are each other's gradients.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import indexing as kernels
from minigrad.ops.index import common_shape
from minigrad.registry import (
    IN_PLACE,
    TENSORS,
    Op,
    composite,
    helper,
    np_dtype,
    on_every_path,
)
from minigrad.samples import S, of
from minigrad.shapes import one_dim


def lined(array):
    """The array; a 0-dim one as a vector."""
    return array if array.ndim else array.reshape(1)


def cut_for(input, index, dim, op):
    """The input (a view of it) cut to the index's shape outside `dim`, and the index, checked but for its numbers;
    neither is 0-dim."""
    if index.dtype.kind != "i" or index.dtype.itemsize < 4:
        raise RuntimeError(f"{op}(): Expected dtype int32/int64 for index, but got {index.dtype}")
    input, index = lined(input), lined(index)
    shape, wanted = input.shape, index.shape
    if len(shape) != len(wanted):
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as input tensor: {op}() got index of shape "
            f"{shape_text(wanted)} and input of shape {shape_text(shape)}"
        )
    if shape[:dim] == wanted[:dim] and shape[dim + 1 :] == wanted[dim + 1 :]:
        return input, index
    if any(n > m for d, (n, m) in enumerate(zip(wanted, shape, strict=True)) if d != dim):
        raise RuntimeError(
            f"Size does not match at dimension {dim} expected index {shape_text(wanted)} to be no larger than "
            f"self {shape_text(shape)} apart from dimension {dim}"
        )
    return input[tuple([slice(None) if d == dim else slice(0, n) for d, n in enumerate(wanted)])], index


def checked(input, index, dim, op):
    """The same, with the numbers of the index checked."""
    target, index = cut_for(input, index, dim, op)
    if index.size and (index.min() < 0 or index.max() >= target.shape[dim]):
        raise out_of_bounds(index, dim, target.shape[dim])
    return target, index


def out_of_bounds(index, dim, size):
    wrong = index.min() if index.min() < 0 else index.max()
    return RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")


def gathered(input, index, dim, op, from_end):
    """What `gather` gives."""
    if not index.size:
        return np.empty(index.shape, input.dtype)
    source, places = cut_for(input, index, dim, op)
    try:
        return kernels.gather(source, places, dim, from_end).reshape(index.shape)
    except IndexError:
        raise out_of_bounds(index, dim, source.shape[dim]) from None


def add_places(out, index, source, dim, op):
    """Add to `out` in place what `scatter_add` adds."""
    target, index = cut_for(out, index, dim, op)
    try:
        kernels.scatter_add(target, index, lined(source), dim, False)
    except IndexError:
        raise out_of_bounds(index, dim, target.shape[dim]) from None


class gather(Op):
    """gather(input, dim, index, *, sparse_grad=False) -> Tensor

    ``out[i][j][k] = input[i][index[i][j][k]][k]`` for dim=1. index: int64, no larger than input except in `dim`; the
    output has its shape. (PyTorch: torch.gather)
    """

    fresh = True

    def prepare(input, dim, index, *, sparse_grad=False):
        return input, index, one_dim(dim, input.ndim, "gather")

    def forward(input, index, /, dim):
        return gathered(input, index, dim, "gather", False)

    def grad_input(g, index, input_shape, dim):
        return scatter_back(g, index, input_shape, dim, False)

    samples = of(
        lambda make: S(make(3, 4), 1, make(3, 2, kind="i", low=0, high=4)),
        lambda make: S(make(3, 4), 0, make(2, 3, kind="i", low=0, high=3)),
        lambda make: S(make(), 0, np.array(0)),
    )


class gather_from_end(Op):
    """`gather` that counts negative indices from the end; called by `take_along_dim`."""

    public, fresh, backward_name = (), True, "GatherBackward0"

    def forward(input, index, /, dim):
        return gathered(input, index, dim, "gather", True)

    def grad_input(g, index, input_shape, dim):
        return scatter_back(g, index, input_shape, dim, True)


class scatter_back(Op):
    """Zeros of a given shape with the input added at the places index names: the gradient of `gather`."""

    public, fresh, backward_name = (), True, "ScatterAddBackward0"

    def forward(input, index, /, shape, dim, from_end):
        out = np.zeros(shape, input.dtype)
        if index.size:
            target, places = cut_for(out, index, dim, "gather")
            kernels.scatter_add(target, places, lined(input), dim, from_end)
        return out

    def grad_input(g, index, input_shape, dim, from_end):
        return reshape(gather_from_end(g, index, dim) if from_end else gather(g, dim, index), input_shape)


@helper
def cut_to(src, index, input, op):
    """src cut to the index's shape."""
    if tuple(src.shape) == tuple(index.shape) or not input_size(index):
        return src
    check_source(src, index, input, op)
    return getitem(src, tuple([slice(0, n) for n in index.shape]))


@on_every_path("check_source")
def check_source(src, index, input, op):
    if max(src.ndim, 1) != max(index.ndim, 1):
        raise (IndexError if src.ndim < index.ndim == input.ndim else RuntimeError)(
            f"{op}(): Index tensor must have the same number of dimensions as src tensor: got "
            f"{shape_text(index.shape)} and {shape_text(src.shape)}"
        )
    if any(n < m for n, m in zip(src.shape, index.shape, strict=False)):
        raise RuntimeError(
            f"{op}(): Expected index {shape_text(index.shape)} to be no larger than src {shape_text(src.shape)}"
        )


@on_every_path("same_dtype_to_scatter")
def same_dtype_to_scatter(input, src):
    if np_dtype(input) != np_dtype(src):
        name = TENSORS["type_name"]
        raise RuntimeError(
            f"scatter(): Expected self.dtype to be equal to src.dtype, but got {name(np_dtype(input))} and "
            f"{name(np_dtype(src))}"
        )


class scatter_add(Op):
    """scatter_add(input, dim, index, src) -> Tensor

    The input with src added at the places index names: ``out[i][index[i][j]] += src[i][j]`` for dim=1. src is at least
    as large as index. (PyTorch: torch.scatter_add)
    """

    public = IN_PLACE

    def prepare(input, dim, index, src):
        dim = one_dim(dim, input.ndim, "scatter_add")
        same_dtype_to_scatter(input, src)
        return input, index, cut_to(src, index, input, "scatter_add"), dim

    def forward(input, index, src, /, dim):
        out = np.array(input)
        if index.size:
            add_places(out, index, src, dim, "scatter_add")
        return out

    def grad_input(g):
        return g

    def grad_src(g, index, src_shape, dim):
        return reshape(gather(g, dim, index), src_shape) if input_size(index) else zeros_of(src_shape, np_dtype(g))

    samples = of(
        lambda make: S(make(3, 4), 1, make(3, 2, kind="i", low=0, high=4), make(3, 2)),
        lambda make: S(make(3, 4), 0, make(2, 3, kind="i", low=0, high=3), make(2, 3)),
    )


class scatter_write(Op):
    """The input with src written at the places index names; called by `scatter`."""

    public, backward_name = (), "ScatterBackward0"

    def forward(input, index, src, /, dim):
        out = np.array(input)
        if index.size:
            target, index = checked(out, index, dim, "scatter")
            np.put_along_axis(target, index, lined(src), dim)
        return out

    def grad_input(g, index, dim):
        return scatter(g, dim, index, 0.0)

    def grad_src(g, index, src_shape, dim):
        return reshape(gather(g, dim, index), src_shape) if input_size(index) else zeros_of(src_shape, np_dtype(g))


@composite(
    out=True,
    public=IN_PLACE,
    samples=of(
        lambda make: S(make(3, 4), 1, np.array([[0, 2], [1, 3], [3, 0]]), make(3, 2)),
        lambda make: S(make(3, 4), 0, np.array([[2, 0, 1]]), 1.5),
    ),
)
def scatter(input, dim, index, src=None, *, value=None, reduce=None):
    """scatter(input, dim, index, src, *, reduce=None) -> Tensor;  scatter(input, dim, index, value, *, reduce=None)

    The input with src (or a number) written at the places index names: ``out[i][index[i][j]] = src[i][j]`` for dim=1.
    Where a place is named twice, one of the values is kept. reduce: "add" or "multiply" instead (`scatter_add`,
    `scatter_reduce`). (PyTorch: torch.scatter)
    """
    dim = one_dim(dim, input.ndim, "scatter")
    src = src if value is None else value
    if hasattr(src, "ndim"):
        same_dtype_to_scatter(input, src)
        src = cut_to(src, index, input, "scatter")
    else:
        check_fits(np_dtype(input), as_real(src))
        src = full_of(index.shape, src, np_dtype(input))
    if reduce is None:
        return scatter_write(input, index, src, dim)
    if reduce not in ("add", "multiply"):
        raise RuntimeError("reduce argument must be either add or multiply.")
    return scatter_reduce(input, dim, index, src, "sum" if reduce == "add" else "prod")


@on_every_path("as_real")
def as_real(number):
    """The number, if it is one."""
    if isinstance(number, complex):
        raise RuntimeError("value cannot be converted to a real number without overflow")
    if not isinstance(number, int | float | np.generic) and not hasattr(number, "ndim"):
        raise TypeError(f"a value to be written must be Number or Tensor, not {type(number).__name__}")
    return number


# ---- reductions by place

UFUNCS = {"sum": np.add, "mean": np.add, "prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def identity_of(reduce, dtype):
    """What changes nothing when it is added, multiplied, compared."""
    if reduce in ("sum", "mean"):
        return 0
    if reduce == "prod":
        return 1
    if dtype.kind == "b":
        return reduce == "amin"
    info = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    if dtype.kind == "f":
        return -np.inf if reduce == "amax" else np.inf
    return info.min if reduce == "amax" else info.max


class scatter_reduce(Op):
    """scatter_reduce(input, dim, index, src, reduce, *, include_self=True) -> Tensor

    The elements of src that go to one place, as index names them, reduced together with the input's element there
    (or, with include_self=False, instead of it): reduce is "sum", "prod", "mean", "amax" or "amin". Extremes share
    the gradient evenly among those that are equal. (PyTorch: torch.scatter_reduce)
    """

    public, constant = IN_PLACE, ("index",)

    def prepare(input, dim, index, src, reduce, *, include_self=True):
        dim = one_dim(dim, input.ndim, "scatter_reduce")
        if reduce not in ("sum", "prod", "mean", "amax", "amin"):
            raise RuntimeError(f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}")
        same_dtype_to_scatter(input, src)
        if reduce == "mean" and np_dtype(input).kind == "b":
            raise NotImplementedError("\"scatter_reduce_mean\" not implemented for 'Bool': convert with .to()")
        return input, index, cut_to(src, index, input, "scatter_reduce"), dim, reduce, bool(include_self)

    def forward(input, index, src, /, dim, reduce, include_self):
        out = np.array(input)
        if not index.size:
            return out
        target, index = checked(out, index, dim, "scatter_reduce")
        if not include_self:
            np.put_along_axis(target, index, identity_of(reduce, out.dtype), dim)
        if reduce in ("sum", "mean"):
            kernels.scatter_add(target, index, lined(src), dim, False)
        else:
            UFUNCS[reduce].at(target, along(index, dim), lined(src))
        if reduce == "mean":
            count = np.full(target.shape, int(include_self), np.int64)
            kernels.scatter_add(count, index, np.ones(index.shape, np.int64), dim, False)
            count = np.maximum(count, 1)
            target[...] = target / count if out.dtype.kind == "f" else target // count
        return out

    def vjp(g, input, index, src, output, dim, reduce, include_self):
        if not input_size(index):
            return g, None, zeros_of(src.shape, np_dtype(g))
        if reduce == "sum":
            by_input, by_src = g, gather(g, dim, index)
        elif reduce == "mean":
            count = full_of(input.shape, float(include_self), np_dtype(g))
            count = scatter_add(count, dim, index, full_of(index.shape, 1.0, np_dtype(g)))
            share = g / where(count == 0, 1.0, count)
            by_input, by_src = share, gather(share, dim, index)
        elif reduce == "prod":
            by_input, by_src = scattered_product(g, input, index, src, output, dim, include_self)
        else:
            mine = to_dtype(input == output, np_dtype(g))
            theirs = to_dtype(reshape(src, index.shape) == gather(output, dim, index), np_dtype(g))
            share = g / scatter_add(mine, dim, index, theirs)
            by_input, by_src = mine * share, theirs * gather(share, dim, index)
        if not include_self:
            by_input = scatter(by_input, dim, index, 0.0)
        return by_input, None, reshape(by_src, src.shape)

    samples = of(
        lambda make: S(make(3, 4), 1, np.array([[0, 0], [1, 3], [3, 3]]), make(3, 2), "sum"),
        lambda make: S(make(3, 4), 0, np.array([[2, 0, 1], [2, 2, 2]]), make(2, 3), "mean", include_self=False),
        lambda make: S(make(3, 4), 0, np.array([[2, 0, 1], [2, 2, 2]]), make(2, 3), "prod"),
        lambda make: S(make(3, 4), 0, np.array([[2, 0, 1], [2, 2, 2]]), make(2, 3), "prod", include_self=False),
        lambda make: S(make(3, 4), 1, np.array([[0, 0], [1, 3], [3, 3]]), make(3, 2), "amax"),
        lambda make: S(make(3, 4), 1, np.array([[0, 0], [1, 3], [3, 3]]), make(3, 2), "amin", include_self=False),
    )


def along(index, dim):
    """The index with the other coordinates beside it, as NumPy takes them."""
    places = np.ix_(*(range(n) for n in index.shape))
    return tuple([index if d == dim else places[d] for d in range(index.ndim)])


@helper
def scattered_product(g, input, index, src, output, dim, include_self):
    """The gradients of products by place: the product of the others, also where one of them is zero."""
    safe = where(input == 0, 1.0, input)
    by_input = g * scatter_reduce(safe, dim, index, src, "prod", include_self=include_self) / safe
    zero = src == 0
    zeros = scatter_add(zeros_of(input.shape, np_dtype(g)), dim, index, to_dtype(zero, np_dtype(g)))
    only = zero & (gather(zeros, dim, index) == 1)
    others = scatter_reduce(input, dim, index, where(only, 1.0, src), "prod", include_self=include_self)
    usual = gather(g * output, dim, index) / where(zero, 1.0, src)
    return by_input, where(only, gather(g * others, dim, index), usual)


@composite(out=True, samples=of(
    lambda make: S(make(3, 4), np.array([[1, 0, 2, 1]] * 3), 1),
    lambda make: S(make(3, 4), np.array([[-1, 0, 2]]), 1),
    lambda make: S(make(3, 4), np.array([5, 0])),
))  # fmt: skip
def take_along_dim(input, indices, dim=None):
    """take_along_dim(input, indices, dim=None) -> Tensor

    `gather` with dimensions other than `dim` broadcast and negative indices counted from the end; of the flattened
    tensor without dim. (PyTorch: torch.take_along_dim)
    """
    if np_dtype(indices).kind not in "iu":
        raise RuntimeError(f"gather(): Expected dtype int32/int64 for index, but got {np_dtype(indices)}")
    if dim is None:
        return gather_from_end(reshape(input, (-1,)), reshape(indices, (-1,)), 0)
    if np_dtype(indices) != np.dtype("i8"):
        raise RuntimeError(f"torch.take_along_dim(): dtype of indices should be Long but got {np_dtype(indices)}")
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    dim = one_dim(dim, input.ndim, "take_along_dim")
    rest = [(*t.shape[:dim], *t.shape[dim + 1 :]) for t in (input, indices)]
    if rest[0] == rest[1]:
        return gather_from_end(input, indices, dim)
    common = common_shape("take_along_dim", *rest)
    sized = [(*common[:dim], t.shape[dim], *common[dim:]) for t in (input, indices)]
    return gather_from_end(expand(input, sized[0]), expand(indices, sized[1]), dim)
