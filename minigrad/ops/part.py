"""Parts of a tensor: slices and single indices; and copies turned, shifted and repeated."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import describe
from minigrad.registry import METHOD, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import dims_of, index_of, one_dim, shape_args


class narrow(Op):
    """narrow(input, dim, start, length) -> Tensor

    A view of `length` elements of dimension `dim` from `start` on. (PyTorch: torch.narrow)
    """

    view, backward_name = True, "SliceBackward0"

    def prepare(input, dim, start, length):
        if not input.ndim:
            raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
        if hasattr(start, "ndim") and (start.ndim or np_dtype(start).kind not in "iu"):
            raise RuntimeError("start must be an 0-dim integral Tensor, but it is " + describe(start))
        dim, start = one_dim(dim, input.ndim, "narrow"), index_of(start, "narrow", "start")
        size, length = input.shape[dim], index_of(length, "narrow", "length")
        if not -size <= start <= size:
            raise IndexError(
                f"start out of range (expected to be in range of [-{size}, {size}], but got {start}) in narrow()"
            )
        start = start + size if start < 0 else start
        if length < 0 or start + length > size:
            raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({size}).")
        return input, dim, start, length

    def forward(input, /, dim, start, length):
        return input[(*(slice(None),) * dim, slice(start, start + length))]

    def grad_input(g, input_shape, dim, start):
        return pad_zeros(g, input_shape, dim, start)

    samples = of(lambda make: S(make(5, 4), 0, 1, 3), lambda make: S(make(3, 4), -1, -2, 2))


@composite(out=True, samples=of(lambda make: S(make(5, 4), 0, 1, 3)))
def narrow_copy(input, dim, start, length):
    """narrow_copy(input, dim, start, length) -> Tensor: `narrow` as a copy. (PyTorch: torch.narrow_copy)"""
    if index_of(dim, "narrow_copy", "dim") >= input.ndim:
        raise RuntimeError(f"narrow_copy(): Expected dim < {input.ndim}, the dimensions of the tensor, but got {dim}")
    return clone(narrow(input, dim, start, length))


class pad_zeros(Op):
    """Zeros of a given shape with the input put in along one dimension: the gradient of `narrow`."""

    public = ()

    def forward(input, /, shape, dim, start):
        out = np.zeros(shape, input.dtype)
        out[(*(slice(None),) * dim, slice(start, start + input.shape[dim]))] = input
        return out

    def grad_input(g, input_shape, dim, start):
        return narrow(g, dim, start, input_shape[dim])


class select(Op):
    """select(input, dim, index) -> Tensor

    A view of one index of a dimension, which goes away. (PyTorch: torch.select)
    """

    view = True

    def prepare(input, dim, index):
        dim, index = one_dim(dim, input.ndim, "select"), index_of(index, "select", "index")
        if not input.ndim:
            raise IndexError("select() cannot be applied to a 0-dim tensor.")
        size = input.shape[dim]
        if not -size <= index < size:
            raise IndexError(
                f"select(): index {index} out of range for tensor of size {list(input.shape)} at dimension {dim}"
            )
        return input, dim, index % size

    def forward(input, /, dim, index):
        return input[(*(slice(None),) * dim, index, ...)]

    def grad_input(g, input_shape, dim, index):
        return pad_zeros(unsqueeze(g, dim), input_shape, dim, index)

    samples = of(lambda make: S(make(5, 4), 0, 2), lambda make: S(make(3, 4), -1, -1))


class flip(Op):
    """flip(input, dims) -> Tensor

    A copy with the order of the elements reversed along `dims`. (PyTorch: torch.flip)
    """

    def prepare(input, *args, dims=None):
        given = args if dims is None else (dims,)
        if args and dims is not None:
            raise TypeError(f"flip() got multiple values for argument 'dims': {args} and {dims}")
        if not given:
            raise TypeError("flip() missing 1 required positional arguments: 'dims'")
        return input, dims_of(shape_args(given, "flip"), input.ndim, "flip")

    def forward(input, /, dims):
        return np.flip(input, dims if input.ndim else ()).copy()

    def grad_input(g, dims):
        return flip(g, dims)

    samples = of(lambda make: S(make(3, 4), (0, 1)), lambda make: S(make(3, 4), (-1,)))


class rot90(Op):
    """rot90(input, k=1, dims=(0, 1)) -> Tensor

    A copy turned k times by 90 degrees in the plane of two dimensions, from the first towards the second.
    (PyTorch: torch.rot90)
    """

    def prepare(input, k=1, dims=(0, 1)):
        dims = [index_of(d, "rot90", "dims") for d in dims]
        if len(dims) != 2:
            raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
        if input.ndim < 2:
            raise RuntimeError(f"expected total dims >= 2, but got total dims = {input.ndim}")
        first, second = one_dim(dims[0], input.ndim, "rot90"), one_dim(dims[1], input.ndim, "rot90")
        if first == second:
            raise RuntimeError(f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}")
        return input, index_of(k, "rot90", "k"), (first, second)

    def forward(input, /, k, dims):
        return np.rot90(input, k, dims).copy()

    def grad_input(g, k, dims):
        return rot90(g, -k, dims)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(2, 3, 4), 3, (-1, 0)), lambda m: S(m(2, 3), 2))


class roll(Op):
    """roll(input, shifts, dims=None) -> Tensor

    The elements shifted along `dims`, those pushed out coming in on the other side; without dims, of the flattened
    tensor. (PyTorch: torch.roll)
    """

    def prepare(input, shifts, dims=None):
        shifts = tuple(shifts) if isinstance(shifts, tuple | list) else (shifts,)
        shifts = tuple([index_of(n, "roll", "shifts") for n in shifts])
        if not input_size(input):
            given = dims if isinstance(dims, tuple | list) else () if dims is None else (dims,)
            return input, shifts, tuple([index_of(d, "roll", "dims") for d in given])
        if dims is None:
            if len(shifts) != 1:
                raise RuntimeError(f"roll(): expected one shift where dims is not given, but got {len(shifts)}")
            return input, shifts[0], None
        if not input.ndim:
            raise IndexError("roll(): Dimension specified as 0 but tensor has no dimensions")
        dims = dims_of(dims, input.ndim, "roll")
        if len(dims) != len(shifts):
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}")
        return input, shifts, dims

    def forward(input, /, shifts, dims):
        return np.asarray(np.roll(input, shifts, dims), order="C") if input.size else input.copy()

    def grad_input(g, shifts, dims):
        return roll(g, opposite(shifts), dims)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(3, 4), (1, -2), (0, 1)))


@on_every_path("opposite")
def opposite(shifts):
    return tuple([-s for s in shifts]) if isinstance(shifts, tuple) else -shifts


class repeat(Op):
    """repeat(*repeats) -> Tensor

    The tensor tiled, so many times along each dimension. (PyTorch: torch.Tensor.repeat)
    """

    public = (METHOD,)

    def prepare(input, *args, repeats=None):
        given = args if repeats is None else (repeats,)
        if not given:
            raise TypeError("repeat() missing 1 required positional arguments: 'repeats'")
        counts = shape_args(given, "repeat")
        if [n for n in counts if n < 0]:
            raise RuntimeError(f"repeat(): Trying to create tensor with negative dimension: repeats are {list(counts)}")
        if len(counts) < input.ndim:
            raise RuntimeError(
                "Number of dimensions of repeat dims can not be smaller than number of dimensions of tensor: "
                f"{list(counts)} for {input.ndim} dimensions"
            )
        return input, counts

    def forward(input, /, repeats):
        return np.tile(input, repeats)

    def grad_input(g, input_shape, repeats):
        shape = (1,) * (len(repeats) - len(input_shape)) + tuple(input_shape)
        paired = tuple([n for pair in zip(repeats, shape, strict=True) for n in pair])
        return reshape(sum(reshape(g, paired), tuple(range(0, len(paired), 2))) if repeats else g, input_shape)

    samples = of(lambda make: S(make(3, 4), 2, 1, 3), lambda make: S(make(3), (2, 2)))


@composite(samples=of(lambda make: S(make(3, 4), (2, 1)), lambda make: S(make(3, 4), (2,))))
def tile(input, *args, dims=None):
    """tile(input, dims) -> Tensor: as `repeat`, with missing leading counts taken as 1. (PyTorch: torch.tile)"""
    if not args and dims is None:
        raise TypeError("tile() missing 1 required positional arguments: 'dims'")
    counts = shape_args(args if dims is None else (dims,), "tile")
    return repeat(input, (*[1] * (input.ndim - len(counts)), *counts))
