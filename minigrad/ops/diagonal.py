"""Triangles and diagonals of matrices: taken out, put in, written to."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTION, IN_PLACE, LINALG, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim


def matrices(op, input):
    if input.ndim < 2:
        raise RuntimeError(f"{op}: input tensor must have at least 2 dimensions, but has {input.ndim}")
    return input


class tril(Op):
    """tril(input, diagonal=0) -> Tensor

    The lower triangle of (batches of) matrices, zeros above the given diagonal. (PyTorch: torch.tril)
    """

    fresh, public = True, IN_PLACE

    def prepare(input, diagonal=0):
        return input, index_of(diagonal, "tril", "diagonal")

    def forward(input, /, diagonal):
        return np.tril(matrices("tril", input), diagonal)

    def grad_input(g, diagonal):
        return tril(g, diagonal)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(2, 4, 4), -1))


class triu(Op):
    """triu(input, diagonal=0) -> Tensor

    The upper triangle of (batches of) matrices, zeros below the given diagonal. (PyTorch: torch.triu)
    """

    fresh, public = True, IN_PLACE

    def prepare(input, diagonal=0):
        return input, index_of(diagonal, "triu", "diagonal")

    def forward(input, /, diagonal):
        return np.triu(matrices("triu", input), diagonal)

    def grad_input(g, diagonal):
        return triu(g, diagonal)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(2, 4, 4), 1))


class diagonal(Op):
    """diagonal(input, offset=0, dim1=0, dim2=1) -> Tensor

    A view of the diagonal over two dimensions, which becomes the last dimension. (PyTorch: torch.diagonal)
    """

    view = True

    def prepare(input, offset=0, dim1=0, dim2=1):
        return input, index_of(offset, "diagonal", "offset"), *two_dims(dim1, dim2, input.ndim, "diagonal")

    def forward(input, /, offset, dim1, dim2):
        out = input.diagonal(offset, dim1, dim2)
        out.flags.writeable = input.flags.writeable
        return out

    def grad_input(g, input_shape, offset, dim1, dim2):
        return put_diagonal(g, input_shape, offset, dim1, dim2)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(2, 3, 4), 1, 1, 2))


class put_diagonal(Op):
    """Zeros of a given shape with the input on a diagonal: the gradient of `diagonal`."""

    public = ()

    def forward(input, /, shape, offset, dim1, dim2):
        out = np.zeros(shape, input.dtype)
        place = out.diagonal(offset, dim1, dim2)
        place.flags.writeable = True
        place[...] = input
        return out

    def grad_input(g, offset, dim1, dim2):
        return diagonal(g, offset, dim1, dim2)


@composite(out=True, samples=of(lambda make: S(make(3)), lambda make: S(make(3, 4), 1), lambda make: S(make(3), -1)))
def diag(input, diagonal=0):
    """diag(input, diagonal=0) -> Tensor

    The diagonal of a matrix, or the matrix with the given vector on its diagonal. (PyTorch: torch.diag)
    """
    if input.ndim == 1:
        return diag_embed(input, diagonal)
    if input.ndim != 2:
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {input.ndim}D")
    return diagonal_copy(input, diagonal)


@composite(out=True, public=(FUNCTION,), samples=of(lambda make: S(make(3, 4)), lambda make: S(make(2, 3, 4), 1, 1, 2)))
def diagonal_copy(input, offset=0, dim1=0, dim2=1):
    """diagonal_copy(input, offset=0, dim1=0, dim2=1) -> Tensor: a copy of `diagonal`. (PyTorch: torch.diagonal_copy)"""
    return clone(diagonal(input, offset, dim1, dim2))


@composite(public=(LINALG,), samples=of(lambda make: S(make(3, 4)), lambda make: S(make(2, 3, 4), offset=-1)))
def linalg_diagonal(A, *, offset=0, dim1=-2, dim2=-1):
    """linalg.diagonal(A, *, offset=0, dim1=-2, dim2=-1) -> Tensor: `diagonal`, of matrices unless told otherwise.
    (PyTorch: torch.linalg.diagonal)"""
    return diagonal(A, offset, dim1, dim2)


@composite(samples=of(lambda make: S(make(2, 3)), lambda make: S(make(2, 3), 1, 0, 2), lambda make: S(make(3), -2)))
def diag_embed(input, offset=0, dim1=-2, dim2=-1):
    """diag_embed(input, offset=0, dim1=-2, dim2=-1) -> Tensor

    Matrices, in the dimensions dim1 and dim2 of the output, with the last dimension of the input on the given diagonal.
    (PyTorch: torch.diag_embed)
    """
    dims = two_dims(dim1, dim2, input.ndim + 1, "diag_embed")
    if not input.ndim:
        raise IndexError("Dimension out of range: diag_embed() needs at least one dimension")
    sizes = list(input.shape[:-1])
    for d in sorted(dims):
        sizes.insert(d, input.shape[-1] + builtin_abs(offset))
    return put_diagonal(input, tuple(sizes), offset, *dims)


@on_every_path("two_dims")
def two_dims(dim1, dim2, ndim, op):
    """Two different dimensions, counted from the front."""
    first, second = one_dim(dim1, ndim, op), one_dim(dim2, ndim, op)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2} in {op}()")
    return first, second


@composite(samples=of(lambda make: S(make(2, 3)), lambda make: S(make(3), -1), lambda make: S(make(), 1)))
def diagflat(input, offset=0):
    """diagflat(input, offset=0) -> Tensor: the matrix with the flattened input on the given diagonal.
    (PyTorch: torch.diagflat)"""
    return diag_embed(reshape(input, (-1,)), offset)


@composite(
    samples=of(
        lambda make: S(make(3, 4), make(3)),
        lambda make: S(make(2, 3, 4), make(4, 2), -1, 1, 0),
    )
)
def diagonal_scatter(input, src, offset=0, dim1=0, dim2=1):
    """diagonal_scatter(input, src, offset=0, dim1=0, dim2=1) -> Tensor: a copy of input with src written to `diagonal`.
    (PyTorch: torch.diagonal_scatter)"""
    dims = two_dims(dim1, dim2, input.ndim, "diagonal_scatter")
    place = diagonal(input, offset, *dims)
    fits_slice("diagonal_scatter", src, place)
    put = put_diagonal(src, tuple(input.shape), offset, *dims)
    mask = put_diagonal(full_of(tuple(place.shape), True, np.dtype(bool)), tuple(input.shape), offset, *dims)
    return where(mask, put, input)


@on_every_path("fits_slice")
def fits_slice(op, src, place):
    if tuple(src.shape) != tuple(place.shape):
        raise RuntimeError(
            f"{op}(): expected src to have a size equal to the slice of self. src size = {shape_text(src.shape)}, "
            f"slice size = {shape_text(place.shape)}"
        )


@composite(backward_name="TraceBackward0", samples=of(lambda make: S(make(3, 3))))
def trace(input):
    """trace(input) -> Tensor: the sum of a matrix's diagonal. (PyTorch: torch.trace)"""
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    if np_dtype(input).kind == "b":
        raise NotImplementedError("\"trace\" not implemented for 'Bool': convert the input, e.g. with .int()")
    return sum(diagonal(input))
