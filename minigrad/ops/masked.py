"""Elements by a mask, and parts of a copy written to: masked_select, masked_scatter, select_scatter, slice_scatter."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.ops.index import common_shape
from minigrad.registry import FUNCTION, INPLACE, METHOD, TENSORS, Op, composite, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim


@composite(
    backward_name="MaskedSelectBackward0",
    out=True,
    samples=of(lambda make: S(make(3, 4), make(3, 4, kind="b")), lambda make: S(make(4), make(3, 1, kind="b"))),
)
def masked_select(input, mask):
    """masked_select(input, mask) -> Tensor

    The elements where the bool mask is true, as a vector; the two broadcast. (PyTorch: torch.masked_select)
    """
    if np_dtype(mask).kind != "b":
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, but got {np_dtype(mask)}")
    shape = common_shape("masked_select", input.shape, mask.shape)
    return getitem(expand(input, shape), (expand(mask, shape),))


class masked_scatter(Op):
    """masked_scatter(input, mask, source) -> Tensor

    The input with the first elements of source, in memory order, written where the bool mask is true; input and mask
    broadcast. (PyTorch: torch.masked_scatter)
    """

    public = (FUNCTION, METHOD, INPLACE)

    def prepare(input, mask, source):
        check_mask(input, mask, source)
        shape = common_shape("masked_scatter", input.shape, mask.shape)
        whole = input if tuple(input.shape) == shape else expand(input, shape)
        return whole, mask if tuple(mask.shape) == shape else expand(mask, shape), source

    def forward(input, mask, source, /):
        count = np.count_nonzero(mask)
        if source.size < count:
            raise RuntimeError(
                f"masked_scatter: Number of elements of source < number of ones in mask: got {source.size} for {count}"
            )
        out = np.array(input)
        out[mask] = source.reshape(-1)[:count]
        return out

    def grad_input(g, mask):
        return where(mask, 0.0, g)

    def grad_source(g, mask, source_shape):
        return first_elements(getitem(g, (mask,)), source_shape)

    samples = of(
        lambda make: S(make(3, 4), make(3, 4, kind="b"), make(13)),
        lambda make: S(make(3, 4), make(4, kind="b"), make(4, 3)),
        lambda make: S(make(4), np.array([[True], [False]]), make(5)),
    )


@on_every_path("check_mask")
def check_mask(input, mask, source):
    name = TENSORS["type_name"]
    if np_dtype(input) != np_dtype(source):
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got "
            f"{name(np_dtype(input))} and {name(np_dtype(source))}"
        )
    if np_dtype(mask).kind != "b":
        raise RuntimeError(
            f"masked_scatter_ only supports boolean masks, but got mask with dtype {name(np_dtype(mask))}"
        )


class first_elements(Op):
    """Zeros of a given shape with the input, a vector, as its first elements in memory order."""

    public = ()

    def forward(input, /, shape):
        out = np.zeros(shape, input.dtype)
        out.reshape(-1)[: input.size] = input
        return out

    def grad_input(g, input_shape):
        return narrow(reshape(g, (-1,)), 0, 0, input_shape[0])


class argwhere(Op):
    """argwhere(input) -> LongTensor: the indices of the elements that are not zero, (count, ndim).
    (PyTorch: torch.argwhere)"""

    def forward(input, /):
        return np.argwhere(input).astype(np.int64, copy=False)

    samples = of(lambda make: S(make(3, 4, kind="b")), lambda make: S(make(3, kind="i", low=-1, high=2)))


@composite(public=(FUNCTION,), samples=of(lambda make: S(np.array([[5, 0], [3, 11]]), (3, 4))))
def unravel_index(indices, shape):
    """unravel_index(indices, shape) -> tuple of Tensors

    The coordinates, one tensor for each dimension, of elements of a tensor of this shape that are named by their number
    in memory order. (PyTorch: torch.unravel_index)
    """
    if np_dtype(indices).kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {np_dtype(indices)}")
    sizes = sizes_of(shape)
    steps = [math.prod(sizes[d + 1 :]) for d in range(len(sizes))]
    return tuple([indices // step % size for step, size in zip(steps, sizes, strict=True)])


@on_every_path("sizes_of")
def sizes_of(shape):
    """A shape given as an int or ints, none negative."""
    if isinstance(shape, int):
        shape = (shape,)
    if not isinstance(shape, tuple | list):
        raise TypeError(f"expected 'shape' to be int or sequence of ints, but got {type(shape)}")
    for n in shape:
        if not isinstance(n, int):
            raise TypeError(f"expected 'shape' sequence to only contain ints, but got {type(n)}")
        if n < 0:
            raise ValueError(f"'shape' cannot have negative values, but got {tuple(shape)}")
    return tuple(shape)


# ---- copies with a part written to


class write_slice(Op):
    """A copy of the input with src written to a slice; called by `slice_scatter` and `select_scatter`."""

    public = ()

    def forward(input, src, /, index):
        out = np.array(input)
        if out[index].shape != src.shape:
            raise RuntimeError(
                "expected src to have a size equal to the slice of self. src size = "
                f"{shape_text(src.shape)}, slice size = {shape_text(out[index].shape)}"
            )
        out[index] = src
        return out

    def grad_input(g, src_shape, index):
        return write_slice(g, zeros_of(src_shape, np_dtype(g)), index)

    def grad_src(g, index):
        return getitem(g, index)


@composite(samples=of(lambda make: S(make(3, 4), make(4), 0, 1), lambda make: S(make(3, 4), make(3), -1, -1)))
def select_scatter(input, src, dim, index):
    """select_scatter(input, src, dim, index) -> Tensor: a copy of input with src written to its `select`.
    (PyTorch: torch.select_scatter)"""
    select(input, dim, index)  # has the messages of what is out of range
    dim = one_dim(dim, input.ndim, "select_scatter")
    return write_slice(input, src, (*[slice(None)] * dim, index_of(index, "select_scatter", "index"), Ellipsis))


@composite(
    out=True,
    samples=of(
        lambda make: S(make(3, 4), make(2, 4), 0, 1),
        lambda make: S(make(3, 4), make(3, 2), 1, 0, -1, 2),
    ),
)
def slice_scatter(input, src, dim=0, start=None, end=None, step=1):
    """slice_scatter(input, src, dim=0, start=None, end=None, step=1) -> Tensor

    A copy of input with src written to ``start:end:step`` of dimension `dim`. (PyTorch: torch.slice_scatter)
    """
    if step <= 0:
        raise RuntimeError(f"slice step must be positive: slice_scatter() got {step}")
    dim = one_dim(dim, input.ndim, "slice_scatter")
    return write_slice(input, src, (*[slice(None)] * dim, slice(start, end, step), Ellipsis))
