"""Ops of many tensors: joining several into one, and taking one apart."""

# The names in prepare, forward's callers and vjp are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings
from builtins import sum as builtin_sum
from itertools import accumulate

import numpy as np

from minigrad.registry import FUNCTION, OPS, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim


class cat(Op):
    """cat(tensors, dim=0) -> Tensor

    The tensors one after another along `dim`; other dimensions must agree, dtypes are promoted, and 1-D tensors without
    elements are passed over. (PyTorch: torch.cat)
    """

    public, variadic, alias, torch = (FUNCTION,), True, ("concat", "concatenate"), "cat"

    def prepare(tensors, dim=0):
        listed = tensor_list(tensors, "cat")
        shapes = [t.shape for t in listed]
        if (0,) in shapes:
            listed = [t for t in listed if t.shape != (0,)] or listed[:1]
            shapes = [t.shape for t in listed]
        if not shapes[0]:
            raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated: use stack")
        dim = one_dim(dim, len(shapes[0]), "cat")
        if shapes.count(shapes[0]) < len(shapes):
            for position, shape in enumerate(shapes):
                same_except(shapes[0], shape, dim, position)
        return promoted(*listed), dim

    def forward(tensors, /, dim):
        return np.ascontiguousarray(np.concatenate(tensors, dim))  # NumPy's may be in Fortran's order

    def vjp(g, tensors_shape, dim):
        return split(g, [shape[dim] for shape in tensors_shape], dim)

    samples = of(lambda make: S([make(2, 3), make(4, 3)]), lambda make: S([make(2, 3), make(2, 1), make(2, 2)], -1))


@on_every_path("same_except")
def same_except(first, other, dim, position):
    if len(first) != len(other):
        raise RuntimeError(f"Tensors must have same number of dimensions: got {len(first)} and {len(other)}")
    for d, (n, m) in enumerate(zip(first, other, strict=True)):
        if n != m and d != dim:
            raise RuntimeError(
                f"Sizes of tensors must match except in dimension {dim}. Expected size {n} but got size {m} for tensor "
                f"number {position} in the list."
            )


@on_every_path("tensor_list")
def tensor_list(tensors, op):
    """The argument `tensors`, checked to be a sequence of at least one."""
    if hasattr(tensors, "ndim"):
        raise TypeError(
            f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    if not isinstance(tensors, list | tuple):
        raise TypeError(
            f"{op}(): argument 'tensors' (position 1) must be tuple of Tensors, not {type(tensors).__name__}"
        )
    listed = list(tensors)
    each_a_tensor(listed)
    if not listed:
        raise (ValueError if op == "cat" else RuntimeError)(f"{op}(): expected a non-empty list of Tensors")
    return listed


@on_every_path("each_a_tensor")
def each_a_tensor(tensors):
    """TypeError for what is no tensor among several."""
    for position, t in enumerate(tensors):
        if not hasattr(t, "ndim"):
            raise TypeError(f"expected Tensor as element {position} in argument 0, but got {type(t).__name__}")


class stack(Op):
    """stack(tensors, dim=0) -> Tensor

    Tensors of one shape side by side along a new dimension. (PyTorch: torch.stack)
    """

    public, variadic = (FUNCTION,), True

    def prepare(tensors, dim=0):
        listed = tensor_list(tensors, "stack")
        shapes = [t.shape for t in listed]
        if shapes.count(shapes[0]) < len(shapes):
            position, other = next((k, shape) for k, shape in enumerate(shapes) if shape != shapes[0])
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(shapes[0])} at entry 0 and {list(other)} "
                f"at entry {position}"
            )
        return promoted(*listed), one_dim(dim, len(shapes[0]) + 1, "stack")

    def forward(tensors, /, dim):
        new = (*(slice(None),) * dim, None)
        return np.ascontiguousarray(np.concatenate([tensor[new] for tensor in tensors], dim))

    def vjp(g, dim):
        return unbind(g, dim)

    samples = of(lambda make: S([make(2, 3), make(2, 3)]), lambda make: S([make(3), make(3), make(3)], -1))


@composite(public=(FUNCTION,), samples=of(lambda make: S(make()), lambda make: S(make(2, 3))))
def atleast_1d(*tensors):
    """atleast_1d(*tensors) -> Tensor or tuple of Tensors

    Numbers as vectors of one element, all else as it is; a tuple for several tensors or a sequence of them.
    (PyTorch: torch.atleast_1d)
    """
    return each_of(tensors, lambda t: t if t.ndim else reshape(t, (1,)), "atleast_1d")


@composite(public=(FUNCTION,), samples=of(lambda make: S(make()), lambda make: S(make(3))))
def atleast_2d(*tensors):
    """atleast_2d(*tensors) -> Tensor or tuple of Tensors

    Numbers as (1, 1) matrices, vectors as rows, all else as it is; as `atleast_1d`. (PyTorch: torch.atleast_2d)
    """
    rows = (lambda t: reshape(t, (1, 1)), lambda t: unsqueeze(t, 0))
    return each_of(tensors, lambda t: t if t.ndim > 1 else rows[t.ndim](t), "atleast_2d")


@composite(public=(FUNCTION,), samples=of(lambda make: S(make()), lambda make: S(make(3)), lambda make: S(make(2, 3))))
def atleast_3d(*tensors):
    """atleast_3d(*tensors) -> Tensor or tuple of Tensors

    Numbers become (1, 1, 1), vectors (1, n, 1), matrices (n, m, 1); as `atleast_1d`. (PyTorch: torch.atleast_3d)
    """
    blocks = (lambda t: reshape(t, (1, 1, 1)), lambda t: unsqueeze(unsqueeze(t, 0), -1), lambda t: unsqueeze(t, -1))
    return each_of(tensors, lambda t: t if t.ndim > 2 else blocks[t.ndim](t), "atleast_3d")


@on_every_path("each_of")
def each_of(tensors, function, op):
    """The function of the one tensor, or of each of several as a tuple."""
    alone = len(tensors) == 1
    if alone and isinstance(tensors[0], list | tuple):
        tensors, alone = tensors[0], False
    for t in tensors:
        if not hasattr(t, "ndim"):
            raise TypeError(f"{op}(): argument 'tensors' must be Tensors, not {type(t).__name__}")
    return function(tensors[0]) if alone else tuple([function(t) for t in tensors])


@composite(
    out=True,
    public=(FUNCTION,),
    alias=("row_stack",),
    samples=of(lambda make: S([make(2, 3), make(1, 3)]), lambda make: S([make(3), make(3)])),
)
def vstack(tensors):
    """vstack(tensors) -> Tensor: the tensors below one another; vectors become rows. (PyTorch: torch.vstack)"""
    return cat(list(atleast_2d(tensor_list(tensors, "vstack"))), 0)


@composite(
    out=True,
    public=(FUNCTION,),
    samples=of(lambda make: S([make(3), make(3)]), lambda make: S([make(2, 1), make(2, 1)])),
)
def dstack(tensors):
    """dstack(tensors) -> Tensor: the tensors joined along dimension 2, made 3-d by `atleast_3d` first.
    (PyTorch: torch.dstack)"""
    return cat(list(atleast_3d(tensor_list(tensors, "dstack"))), 2)


@composite(
    out=True, public=(FUNCTION,), samples=of(lambda make: S([make(3), make(3, 2)]), lambda make: S([make(), make()]))
)
def column_stack(tensors):
    """column_stack(tensors) -> Tensor: the tensors beside one another; vectors and numbers become columns.
    (PyTorch: torch.column_stack)"""
    listed = tensor_list(tensors, "column_stack")
    return cat([reshape(t, (input_size(t), 1)) if t.ndim < 2 else t for t in listed], 1)


@composite(
    out=True,
    public=(FUNCTION,),
    samples=of(lambda make: S([make(2, 3), make(2, 1)]), lambda make: S([make(3), make(3)])),
)
def hstack(tensors):
    """hstack(tensors) -> Tensor: the tensors beside one another; vectors are joined. (PyTorch: torch.hstack)"""
    listed = list(atleast_1d(tensor_list(tensors, "hstack")))
    return cat(listed, 0 if listed[0].ndim == 1 else 1)


class split(Op):
    """split(tensor, split_size_or_sections, dim=0) -> tuple of Tensors

    Views of consecutive pieces along `dim`: of one size each (the last may be smaller), or of the sizes listed.
    (PyTorch: torch.split)
    """

    multi = view = True
    alias = ("unsafe_split",)

    def backward_name(node):
        return "SplitWithSizesBackward0" if isinstance(node.attrs[0], list) else "SplitBackward0"

    def prepare(tensor, split_size_or_sections=None, dim=0, *, split_size=None):
        given = split_size_or_sections if split_size is None else split_size
        if given is None:
            raise TypeError("split() missing 1 required positional arguments: 'split_size_or_sections'")
        if not tensor.ndim:
            raise RuntimeError("split expects at least a 1-dimensional tensor")
        dim = one_dim(dim, tensor.ndim, "split")
        return tensor, sections(tensor.shape[dim], given), dim

    def forward(tensor, /, split_size_or_sections, dim):
        before, ends = (slice(None),) * dim, accumulate(split_size_or_sections)
        return [tensor[(*before, slice(end - n, end))] for n, end in zip(split_size_or_sections, ends, strict=True)]

    def vjp(g, dim):
        return (cat(g, dim),)

    def nth(shape, k, split_size_or_sections, dim):
        """The k-th output as a view of its own: (op, attributes)."""
        sizes = split_size_or_sections
        return OPS["narrow"], (dim, builtin_sum(sizes[:k]), sizes[k])

    samples = of(lambda make: S(make(5, 3), 2), lambda make: S(make(3, 6), [1, 2, 3], -1))


@on_every_path("sections")
def sections(size, given):
    """The sizes of the pieces."""
    if isinstance(given, tuple | list):
        given = [index_of(n, "split", "split_sizes") for n in given]
        total = builtin_sum(given)
        if any(n < 0 for n in given):
            raise RuntimeError(
                f"split_with_sizes expects split_sizes have only non-negative entries, but got split_sizes={given}"
            )
        if total != size:
            raise RuntimeError(
                f"split_with_sizes expects split_sizes to sum exactly to {size} (input tensor's size at dimension "
                f"-1), but got split_sizes={given}"
            )
        return given
    given = index_of(given, "split", "split_size_or_sections")
    if given < 0 or (given == 0 and size):
        raise RuntimeError(f"split expects split_size be non-negative and not zero, but got split_size={given}")
    if not size:
        return (0,)
    return (*[given] * (size // given), *([size % given] if size % given else []))


@composite(alias=("unsafe_chunk",), samples=of(lambda make: S(make(5, 3), 2), lambda make: S(make(3, 6), 3, -1)))
def chunk(input, chunks, dim=0):
    """chunk(input, chunks, dim=0) -> tuple of Tensors

    `split` into at most so many pieces of one size (the last may be smaller). (PyTorch: torch.chunk)
    """
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not input.ndim:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    size = input.shape[one_dim(dim, input.ndim, "chunk")]
    return split(input, -(-size // chunks) if size else [0] * chunks, dim)


class unbind(Op):
    """unbind(input, dim=0) -> tuple of Tensors

    Views of each index of a dimension, which goes away. (PyTorch: torch.unbind)
    """

    multi = view = True

    def prepare(input, dim=0):
        if not input.ndim:
            raise IndexError("Dimension specified as 0 but tensor has no dimensions")
        return input, one_dim(dim, input.ndim, "unbind")

    def forward(input, /, dim):
        return [input[(*(slice(None),) * dim, k, ...)] for k in range(input.shape[dim])]

    def vjp(g, dim):
        return (stack(g, dim),)

    def nth(shape, k, dim):
        """The k-th output as a view of its own: (op, attributes)."""
        return OPS["select"], (dim, k)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), -1))


@composite(public=(FUNCTION,), samples=of(lambda make: S(make(3, 1), make(4))))
def broadcast_tensors(*tensors):
    """broadcast_tensors(*tensors) -> tuple of Tensors: each expanded to their common shape.
    (PyTorch: torch.broadcast_tensors)"""
    each_a_tensor(tensors)
    try:
        shape = np.broadcast_shapes(*[tuple(t.shape) for t in tensors])
    except ValueError:
        raise RuntimeError(
            f"broadcast_tensors: shapes {' and '.join([str(list(t.shape)) for t in tensors])} do not broadcast: they "
            "must match in each dimension, counted from the last, or be 1"
        ) from None
    return tuple([expand(t, shape) for t in tensors])


@composite(
    public=(FUNCTION,),
    samples=of(lambda make: S(make(3), make(4), indexing="ij"), lambda make: S(make(3), make(2), indexing="xy")),
)
def meshgrid(*tensors, indexing=None):
    """meshgrid(*tensors, indexing) -> tuple of Tensors

    Coordinate grids from vectors: "ij" in the order given, "xy" with the first two exchanged. (PyTorch: torch.meshgrid)
    """
    if len(tensors) == 1 and isinstance(tensors[0], tuple | list):
        tensors = tuple(tensors[0])
    each_a_tensor(tensors)
    if indexing is None:
        indexing = "ij"
        warnings.warn(
            "torch.meshgrid: in an upcoming release, it will be required to pass the indexing argument.", stacklevel=3
        )
    if not tensors:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    for t in tensors:
        if np_dtype(t) != np_dtype(tensors[0]):
            raise RuntimeError("meshgrid expects all tensors to have the same dtype: convert them with .to()")
        if t.ndim > 1:
            raise RuntimeError(f"torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: {t.ndim}D")
    if indexing not in ("ij", "xy"):
        raise RuntimeError(f'torch.meshgrid: indexing must be one of "xy" or "ij", but received: {indexing}')
    exchange = indexing == "xy" and len(tensors) > 1
    if exchange:
        tensors = (tensors[1], tensors[0], *tensors[2:])
    grids = []
    for k, t in enumerate(tensors):
        shape = [1] * len(tensors)
        shape[k] = -1
        grids.append(reshape(t, tuple(shape)))
    shape = tuple([input_size(t) for t in tensors])
    grids = [expand(grid, shape) for grid in grids]
    if exchange:
        grids = [grids[1], grids[0], *grids[2:]]
    return tuple(grids)
