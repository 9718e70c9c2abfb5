"""Elements by their places: gather and scatter, and the same for whole rows (index_select, index_add).

Each of a pair is the gradient of the other.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import indexing as kernels
from minigrad.registry import Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import one_dim


class gather(Op):
    """gather(input, dim, index) -> Tensor

    ``out[i][j][k] = input[i][index[i][j][k]][k]`` for dim=1. index: int64, no larger than input except in `dim`; the
    output has its shape. (PyTorch: torch.gather)
    """

    fresh = True

    def prepare(input, dim, index, *, sparse_grad=False):
        return input, index, one_dim(dim, input.ndim, "gather")

    def forward(input, index, /, dim):
        return kernels.gather(*checked(input, index, dim, "gather"), dim)

    def grad_input(g, index, input_shape, dim):
        return scatter_add(zeros_of(input_shape, np_dtype(g)), dim, index, g)

    samples = of(
        lambda make: S(make(3, 4), 1, make(3, 2, kind="i", low=0, high=4)),
        lambda make: S(make(3, 4), 0, make(2, 3, kind="i", low=0, high=3)),
    )


@on_every_path("checked")
def checked(input, index, dim, op):
    """The input cut to the index's shape outside `dim`, and the index, checked."""
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"{op}(): Expected dtype int32/int64 for index, but got {index.dtype}")
    if index.ndim != input.ndim and index.size:
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as input tensor: {op}() got index of shape "
            f"{shape_text(index.shape)} and input of shape {shape_text(input.shape)}"
        )
    if any(n > m for d, (n, m) in enumerate(zip(index.shape, input.shape, strict=False)) if d != dim):
        raise RuntimeError(
            f"Size does not match at dimension {dim} expected index {shape_text(index.shape)} to be no larger than "
            f"self {shape_text(input.shape)} apart from dimension {dim}"
        )
    size = input.shape[dim] if input.ndim else 1
    if index.size and (index.min() < 0 or index.max() >= size):
        wrong = index.min() if index.min() < 0 else index.max()
        raise RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")
    cut = tuple([slice(None) if d == dim else slice(0, n) for d, n in enumerate(index.shape)])
    return input[cut], index


class scatter_add(Op):
    """scatter_add(input, dim, index, src) -> Tensor

    The input with src added at the places index names: ``out[i][index[i][j]] += src[i][j]`` for dim=1. src is at least
    as large as index. (PyTorch: torch.scatter_add)
    """

    def prepare(input, dim, index, src):
        return input, index, src, one_dim(dim, input.ndim, "scatter_add")

    def forward(input, index, src, /, dim):
        out = np.array(input)
        target, index = checked(out, index, dim, "scatter_add")
        kernels.scatter_add(target, index, fitted(src, index, "scatter_add"), dim)
        return out

    def grad_input(g):
        return g

    def grad_src(g, index, src_shape, dim):
        return pad_end(gather(g, dim, index), src_shape)

    samples = of(
        lambda make: S(make(3, 4), 1, make(3, 2, kind="i", low=0, high=4), make(3, 2)),
        lambda make: S(make(3, 4), 0, make(2, 3, kind="i", low=0, high=3), make(2, 3)),
    )


@on_every_path("fitted")
def fitted(src, index, op):
    """src cut to the index's shape."""
    if src.ndim != index.ndim or any(n < m for n, m in zip(src.shape, index.shape, strict=True)):
        raise RuntimeError(
            f"{op}(): Expected index {shape_text(index.shape)} to be no larger than src {shape_text(src.shape)}"
        )
    return src[tuple([slice(0, n) for n in index.shape])]


class pad_end(Op):
    """The input grown to a shape with zeros at the ends."""

    public = ()

    def forward(input, /, shape):
        if input.shape == tuple(shape):
            return input
        out = np.zeros(shape, input.dtype)
        out[tuple([slice(0, n) for n in input.shape])] = input
        return out

    def grad_input(g, input_shape):
        return getitem(g, tuple([slice(0, n) for n in input_shape]))


class scatter(Op):
    """scatter(input, dim, index, src) -> Tensor;  scatter(input, dim, index, value)

    The input with src (or a number) written at the places index names: ``out[i][index[i][j]] = src[i][j]`` for dim=1.
    Where a place is named twice, one of the values is kept. (PyTorch: torch.scatter)
    """

    def prepare(input, dim, index, src=None, *, value=None):
        src = src if value is None else value
        if not hasattr(src, "ndim"):
            src = full_of(index.shape, src, np_dtype(input))
        return input, index, src, one_dim(dim, input.ndim, "scatter")

    def forward(input, index, src, /, dim):
        out = np.array(input)
        target, index = checked(out, index, dim, "scatter")
        if index.size:
            np.put_along_axis(target, index, fitted(src, index, "scatter"), dim)
        return out

    def grad_input(g, index, dim):
        return scatter(g, dim, index, 0.0)

    def grad_src(g, index, src_shape, dim):
        return pad_end(gather(g, dim, index), src_shape)

    samples = of(
        lambda make: S(make(3, 4), 1, np.array([[0, 2], [1, 3], [3, 0]]), make(3, 2)),
        lambda make: S(make(3, 4), 0, np.array([[2, 0, 1]]), 1.5),
    )


class index_select(Op):
    """index_select(input, dim, index) -> Tensor

    The entries of dimension `dim` that the 1-D int64 tensor index names, in its order. (PyTorch: torch.index_select)
    """

    fresh = True

    def prepare(input, dim, index):
        return input, index, one_dim(dim, input.ndim, "index_select")

    def forward(input, index, /, dim):
        if index.ndim > 1:
            raise IndexError("index_select(): Index is supposed to be a vector")
        if index.dtype.kind not in "iu":
            raise RuntimeError(f"index_select(): Expected dtype int32 or int64 for index, but got {index.dtype}")
        if index.size and (index.min() < 0 or index.max() >= input.shape[dim]):
            raise IndexError(
                f"index out of range in self: index_select() on dimension {dim} of size {input.shape[dim]}"
            )
        return np.take(input, np.atleast_1d(index), dim)

    def grad_input(g, index, input_shape, dim):
        return index_add(zeros_of(input_shape, np_dtype(g)), dim, index, g)

    samples = of(
        lambda make: S(make(3, 4), 0, np.array([2, 0, 2])),
        lambda make: S(make(3, 4), -1, np.array([1, 3])),
    )


class index_add(Op):
    """index_add(input, dim, index, source) -> Tensor

    The input with the entries of source added to those of dimension `dim` that index names. (PyTorch: torch.index_add)
    """

    def prepare(input, dim, index, source, *, alpha=1):
        return input, index, source if alpha == 1 else source * alpha, one_dim(dim, input.ndim, "index_add")

    def forward(input, index, source, /, dim):
        out, index = np.array(input), np.atleast_1d(index)
        rest = [n for d, n in enumerate(input.shape) if d != dim]
        if source.ndim != input.ndim or [n for d, n in enumerate(source.shape) if d != dim] != rest:
            raise RuntimeError(
                "index_add(): source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                f"self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
            )
        if index.size != source.shape[dim]:
            raise RuntimeError(
                f"index_add(): Number of indices ({index.size}) should be equal to source.size(dim) "
                f"({source.shape[dim]})"
            )
        if index.size and (index.min() < 0 or index.max() >= input.shape[dim]):
            wrong = index.min() if index.min() < 0 else index.max()
            raise RuntimeError(
                f"index_add(): index {wrong} is out of bounds for dimension {dim} with size {input.shape[dim]}"
            )
        kernels.index_add(out, index, source, dim)
        return out

    def grad_input(g):
        return g

    def grad_source(g, index, dim):
        return index_select(g, dim, index)

    samples = of(lambda make: S(make(3, 4), 0, np.array([2, 0, 2]), make(3, 4)))


@composite(out=True, samples=of(lambda make: S(make(3, 4), np.array([[1, 0, 2, 1]] * 3), 1)))
def take_along_dim(input, indices, dim=None):
    """take_along_dim(input, indices, dim=None) -> Tensor: `gather`, of the flattened tensor without dim.
    (PyTorch: torch.take_along_dim)"""
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    dim = one_dim(dim, input.ndim, "take_along_dim")
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    rest = [tuple([n for d, n in enumerate(t.shape) if d != dim]) for t in (input, indices)]
    common = common_shape("take_along_dim", *rest)
    sized = [(*common[:dim], t.shape[dim], *common[dim:]) for t in (input, indices)]
    return gather(expand(input, sized[0]), dim, expand(indices, sized[1]))
