"""Views and rearrangements: ops that move elements and compute nothing.

Where NumPy gives a view, so does the op: the result shares the memory of its input, and writes show in both (`view`).
Shapes and dimensions may be given as PyTorch takes them, as ints or as one sequence.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad import dtypes
from minigrad.memory import broadcast
from minigrad.registry import FUNCTION, INPLACE, METHOD, TENSORS, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import dims_of, infer_size, one_dim, shape_args

view_only, with_inplace = (METHOD,), (FUNCTION, METHOD, INPLACE)


class reshape(Op):
    """reshape(input, shape) -> Tensor

    The same elements in another shape; one -1 is inferred. A view where the memory allows it, else a copy.
    (PyTorch: torch.reshape)
    """

    view, backward_name = True, "ViewBackward0"

    def prepare(input, *args, shape=None):
        args = args if shape is None else (shape,)
        if not args:
            raise TypeError(
                "reshape() missing 1 required positional arguments: 'shape': give ints, or () for no dimension"
            )
        return input, infer_size(shape_args(args, "reshape"), input_size(input), "reshape")

    def forward(input, /, shape):
        return input.reshape(shape)

    def grad_input(g, input_shape):
        return reshape(g, input_shape)

    samples = of(lambda make: S(make(3, 4), (2, 6)), lambda make: S(make(3, 4), (-1,)), lambda make: S(make(), (1, 1)))


@on_every_path("input_size")
def input_size(input):
    """The number of elements of a tensor or an array."""
    return getattr(input, "array", input).size


class view(Op):
    """view(*shape) -> Tensor;  view(dtype) -> Tensor

    The same memory in another shape; RuntimeError where that needs a copy (use reshape). With a dtype the same bytes
    read as another type, without gradient; where its elements are larger or smaller, the last dimension shrinks or
    grows. (PyTorch: torch.Tensor.view)
    """

    view, public = True, view_only

    def prepare(input, *shape, size=None, dtype=None):
        if dtype is not None or (len(shape) == 1 and isinstance(shape[0], dtypes.dtype)):
            wanted = dtypes.as_numpy(shape[0] if dtype is None else dtype)
            return untracked(input), reinterpreted(input.shape, input.stride(), np_dtype(input), wanted)
        shape = shape if size is None else (size,)
        if not shape:
            raise TypeError(
                "view() missing 1 required positional arguments: 'size': give ints, or () for a 0-dim tensor"
            )
        return input, infer_size(shape_args(shape, "view"), input_size(input), "view")

    def forward(input, /, shape):
        if shape.__class__ is not tuple:
            return input.view(shape)
        out = input.reshape(shape)
        if input.size and not np.may_share_memory(out, input):
            raise RuntimeError(
                "view size is not compatible with input tensor's size and stride (at least one dimension spans across "
                "two contiguous subspaces). Use .reshape(...) instead."
            )
        return out

    def grad_input(g, input_shape):
        return reshape(g, input_shape)

    samples = of(lambda make: S(make(3, 4), 2, 6), lambda make: S(make(3, 4), -1))


def reinterpreted(shape, stride, was, wanted):
    """The dtype to read memory as, where PyTorch allows that."""
    name_of = TENSORS["type_name"]
    names = f"view {name_of(was)} as {name_of(wanted)} (different element sizes)"
    if was.itemsize == wanted.itemsize:
        return wanted
    if not shape:
        raise RuntimeError(f"self.dim() cannot be 0 to {names}")
    if stride[-1] != 1:
        raise RuntimeError(f"self.stride(-1) must be 1 to {names}, but got {stride[-1]}")
    times = wanted.itemsize // was.itemsize
    if times and shape[-1] % times:
        raise RuntimeError(f"self.size(-1) must be divisible by {times} to {names}, but got {shape[-1]}")
    uneven = [d for d in range(len(shape) - 1) if times and stride[d] % times]
    if uneven:
        raise RuntimeError(f"self.stride({uneven[0]}) must be divisible by {times} to {names}, but got {stride}")
    return wanted


@composite(public=(METHOD,), samples=of(lambda make: S(make(3, 4), make(2, 6))))
def view_as(input, other):
    """view_as(other) -> Tensor: ``self.view(other.shape)``. (PyTorch: torch.Tensor.view_as)"""
    return view(input, other.shape)


@composite(public=(METHOD,), samples=of(lambda make: S(make(3, 4), make(2, 6))))
def reshape_as(input, other):
    """reshape_as(other) -> Tensor: ``self.reshape(other.shape)``. (PyTorch: torch.Tensor.reshape_as)"""
    return reshape(input, other.shape)


@composite(samples=of(lambda make: S(make(2, 3, 4)), lambda make: S(make(2, 3, 4), 1), lambda make: S(make())))
def flatten(input, start_dim=0, end_dim=-1):
    """flatten(input, start_dim=0, end_dim=-1) -> Tensor

    The dimensions from start_dim to end_dim made one. (PyTorch: torch.flatten)
    """
    shape = tuple(input.shape)
    if not shape:
        return reshape(input, (1,))
    start, end = one_dim(start_dim, len(shape), "flatten"), one_dim(end_dim, len(shape), "flatten")
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    together = 1
    for n in shape[start : end + 1]:
        together *= n
    return reshape(input, (*shape[:start], together, *shape[end + 1 :]))


@composite(samples=of(lambda make: S(make(2, 3)), lambda make: S(make())))
def ravel(input):
    """ravel(input) -> Tensor: all elements in one dimension; a view where the memory allows it.
    (PyTorch: torch.ravel)"""
    return reshape(input, (-1,))


@composite(samples=of(lambda make: S(make(2, 12), 1, (3, 4)), lambda make: S(make(2, 12), 1, (-1, 4))))
def unflatten(input, dim, sizes):
    """unflatten(input, dim, sizes) -> Tensor

    One dimension split into several, whose product is its size; one -1 is inferred. (PyTorch: torch.unflatten)
    """
    if not input.ndim:
        raise RuntimeError("unflatten: Dimension specified as 0 but tensor has no dimensions")
    dim, sizes = one_dim(dim, input.ndim, "unflatten"), tuple(sizes)
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    shape = tuple(input.shape)
    try:
        parts = infer_size(shape_args((sizes,), "unflatten"), shape[dim], "unflatten")
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} ({shape[dim]}) in the "
            "input tensor"
        ) from None
    return reshape(input, (*shape[:dim], *parts, *shape[dim + 1 :]))


class permute(Op):
    """permute(input, dims) -> Tensor

    A view with the dimensions in another order. (PyTorch: torch.permute)
    """

    view = True

    def prepare(input, *args, dims=None):
        if not args and dims is None:
            raise TypeError("permute() missing 1 required positional arguments: 'dims': give one int per dimension")
        given = shape_args(args if dims is None else (dims,), "permute")
        if len(given) != input.ndim:
            raise RuntimeError(
                "permute(sparse_coo): number of dimensions in the tensor input does not match the length of the "
                f"desired ordering of dimensions i.e. input.dim() = {input.ndim} is not equal to len(dims) = "
                f"{len(given)}"
            )
        return input, dims_of(given, input.ndim, "permute")

    def forward(input, /, dims):
        return input.transpose(dims)

    def grad_input(g, dims):
        return permute(g, inverse_order(dims))

    samples = of(lambda make: S(make(2, 3, 4), (2, 0, 1)), lambda make: S(make(3, 4), (-1, 0)))


@on_every_path("inverse_order")
def inverse_order(dims):
    return tuple([dims.index(d) for d in range(len(dims))])


class transpose(Op):
    """transpose(input, dim0, dim1) -> Tensor

    A view with two dimensions exchanged. (PyTorch: torch.transpose)
    """

    view, public, alias = True, with_inplace, ("swapdims",)

    def prepare(input, dim0, dim1):
        return input, one_dim(dim0, input.ndim, "transpose"), one_dim(dim1, input.ndim, "transpose")

    def forward(input, /, dim0, dim1):
        return input.swapaxes(dim0, dim1) if input.ndim else input[...]

    def grad_input(g, dim0, dim1):
        return transpose(g, dim0, dim1)

    samples = of(lambda make: S(make(3, 4), 0, 1), lambda make: S(make(2, 3, 4), -1, 0))


@composite(samples=of(lambda make: S(make(2, 3, 4), 0, 2)))
def swapaxes(input, axis0, axis1):
    """swapaxes(input, axis0, axis1) -> Tensor: `transpose` by NumPy's name. (PyTorch: torch.swapaxes)"""
    return transpose(input, axis0, axis1)


@composite(samples=of(lambda make: S(make(2, 3, 4))))
def adjoint(input):
    """adjoint(input) -> Tensor: the transpose of (each of a batch of) matrices, as there are no complex numbers.
    (PyTorch: torch.adjoint)"""
    if input.ndim < 2:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got {input.ndim}-D tensor."
        )
    return transpose(input, -2, -1)


class t(Op):
    """t(input) -> Tensor

    The transpose of a matrix; vectors and numbers as they are. (PyTorch: torch.t)
    """

    view, public = True, with_inplace

    def forward(input, /):
        if input.ndim > 2:
            raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
        return input.T if input.ndim == 2 else input[...]

    def grad_input(g):
        return t(g)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(3)))


@composite(
    alias=("moveaxis",),
    samples=of(lambda make: S(make(2, 3, 4), 0, 2), lambda make: S(make(2, 3, 4), (0, 1), (1, 2))),
)
def movedim(input, source, destination):
    """movedim(input, source, destination) -> Tensor

    A view with the dimensions `source` moved to the places `destination`. (PyTorch: torch.movedim)
    """
    if isinstance(source, tuple | list) != isinstance(destination, tuple | list):
        raise TypeError(f"movedim(): source and destination must be two ints or two tuples: {source}, {destination}")
    source, destination = dims_of(source, input.ndim, "movedim"), dims_of(destination, input.ndim, "movedim")
    if len(source) != len(destination):
        raise RuntimeError(
            f"movedim: Invalid source or destination dims: source ({list(source)} dims) should "
            "contain the same number of "
            f"dims as destination ({list(destination)} dims)"
        )
    rest = [d for d in range(input.ndim) if d not in source]
    order = [None] * input.ndim
    for s, d in zip(source, destination, strict=True):
        order[d] = s
    return permute(input, tuple([rest.pop(0) if d is None else d for d in order]))


class squeeze(Op):
    """squeeze(input) -> Tensor;  squeeze(input, dim) -> Tensor

    A view without the dimensions of size 1: all of them, or those of `dim` (int or tuple) that have size 1.
    (PyTorch: torch.squeeze)
    """

    view, public = True, with_inplace

    def backward_name(node):
        return f"SqueezeBackward{int(node.attrs[0] is not ...)}"

    def prepare(input, dim=...):
        if dim is ...:
            return input, dim
        dims = dims_of(dim, input.ndim, "squeeze")
        return input, tuple([d for d in dims if input.ndim and input.shape[d] == 1])

    def forward(input, /, dim):
        return input.squeeze() if dim is ... else input.squeeze(dim)

    def grad_input(g, input_shape):
        return reshape(g, input_shape)

    samples = of(lambda make: S(make(3, 1, 4, 1)), lambda make: S(make(3, 1, 4, 1), 1), lambda make: S(make(3, 4), 0))


class unsqueeze(Op):
    """unsqueeze(input, dim) -> Tensor

    A view with a dimension of size 1 put in at `dim`. (PyTorch: torch.unsqueeze)
    """

    view, public = True, with_inplace

    def prepare(input, dim):
        return input, one_dim(dim, input.ndim + 1, "unsqueeze")

    def forward(input, /, dim):
        return input[(*(slice(None),) * dim, None)]

    def grad_input(g, input_shape):
        return reshape(g, input_shape)

    samples = of(lambda make: S(make(3, 4), 0), lambda make: S(make(3, 4), -1), lambda make: S(make(), 0))


class expand(Op):
    """expand(*sizes) -> Tensor

    A view in which dimensions of size 1 are repeated without copying (-1: as it is). Its memory may not be written to.
    (PyTorch: torch.Tensor.expand)
    """

    view, public = True, view_only

    def prepare(input, *shape, size=None, implicit=False):
        shape = shape if size is None else (size,)
        return input, expanded_shape(input.shape, shape_args(shape, "expand"))

    def forward(input, /, size):
        if math.prod(size) == input.size:
            return input.reshape(size)  # nothing is repeated: it may be written to
        return broadcast(input, size)

    def grad_input(g, input_shape):
        return sum_to_size(g, input_shape)

    samples = of(lambda make: S(make(3, 1), 3, 4), lambda make: S(make(4), (2, -1)))


@on_every_path("expanded_shape")
def expanded_shape(shape, size):
    lead = len(size) - len(shape)
    if lead < 0:
        raise RuntimeError(
            f"expand: the number of sizes provided ({len(size)}) must be greater or equal to the number of dimensions "
            f"in the tensor ({len(shape)})"
        )
    result = []
    for d, n in enumerate(size):
        old = shape[d - lead] if d >= lead else None
        if n == -1:
            if old is None:
                raise RuntimeError(f"expand: -1 is not allowed in a leading, non-existing dimension {d}")
            n = old
        elif n < 0:
            raise RuntimeError(f"expand: sizes must be at least 0, or -1 for the old size, but got {list(size)}")
        elif old is not None and old != n and old != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({n}) must match the existing size ({old}) at non-singleton "
                f"dimension {d}.  Target sizes: {list(size)}.  Tensor sizes: {list(shape)}"
            )
        result.append(n)
    return tuple(result)


@composite(public=(METHOD,), samples=of(lambda make: S(make(3, 1), make(3, 4))))
def expand_as(input, other):
    """expand_as(other) -> Tensor: ``self.expand(other.shape)``. (PyTorch: torch.Tensor.expand_as)"""
    return expand(input, other.shape)


@composite(samples=of(lambda make: S(make(3, 1), (3, 4))))
def broadcast_to(input, *args, size=None):
    """broadcast_to(input, size) -> Tensor: ``input.expand(size)``. (PyTorch: torch.broadcast_to)"""
    if not args and size is None:
        raise TypeError("broadcast_to() missing 1 required positional arguments: 'size'")
    return expand(input, *args, size=size)


class clone(Op):
    """clone(input, *, memory_format=preserve_format) -> Tensor

    A copy with memory of its own, its dimensions in the same order in memory (contiguous_format: in C order); gradients
    flow through. (PyTorch: torch.clone)
    """

    keeps_layout = True

    def prepare(input, *, memory_format=None):
        return input, memory_order(memory_format, "clone")

    def forward(input, /, order):
        return np.array(input, order="C" if 0 in input.strides else order)

    def grad_input(g):
        return g

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make()))


@on_every_path("memory_order")
def memory_order(memory_format, op):
    """NumPy's word for a memory format: as it is, or C order."""
    if memory_format is None:
        return "K"
    dtypes.only_plain_format(memory_format, op)
    return "C" if memory_format is dtypes.contiguous_format else "K"


class contiguous_copy(Op):
    """A copy whose elements lie in memory in order; called by `Tensor.contiguous`."""

    public, backward_name = (), "CloneBackward0"

    def forward(input, /):
        return np.array(input, order="C")

    def grad_input(g):
        return g


class copy_laid_out(Op):
    """A copy whose axes follow one another in memory in the given order; called by the backward of writes to views."""

    public, keeps_layout = (), True

    def forward(input, /, order):
        out = np.empty([input.shape[d] for d in order], input.dtype).transpose(inverse_order(order))
        out[...] = input
        return out

    def grad_input(g):
        return g


class to_dtype(Op):
    """The input in another dtype, recorded; called by `to`, `float` and promotion."""

    public, backward_name, keeps_layout = (), "ToCopyBackward0", True

    def prepare(input, dtype):
        return input if dtype.kind == "f" else untracked(input), dtype  # integers have no gradient

    def forward(input, /, dtype):
        return input.astype(dtype)

    def grad_input(g, input_dtype):
        return to_dtype(g, input_dtype)


class copy(Op):
    """The other tensor's values in the input's shape and dtype: what `copy_` and assignment to a slice write."""

    public, broadcasts = (), True

    def backward_name(node):
        if not node.attrs:
            return "torch::autograd::CopyBackwards"
        return "ZeroBackward0" if node.attrs[1].__class__ is int and not node.attrs[1] else "FillBackward2"  # a number

    def forward(input, other, /):
        try:
            return np.broadcast_to(other, input.shape)
        except ValueError:
            raise RuntimeError(
                f"The expanded size of the tensor {list(input.shape)} must match the existing size "
                f"{list(other.shape)}: the values do not broadcast to what they are written to"
            ) from None

    def grad_input(g):
        return zeros_of(g.shape, np_dtype(g))

    def grad_other(g):
        return g
