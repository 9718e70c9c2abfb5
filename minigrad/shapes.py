"""Arithmetic of shapes and dimensions: plain functions of ints and tuples, used by ops and kernels alike.

Ground floor: no arrays, no tensors.  A dimension error is PyTorch's IndexError, word for word.
"""

from __future__ import annotations

import functools
import math
import operator

__all__ = [
    "count",
    "dims_of",
    "dims_or_all",
    "index_of",
    "infer_size",
    "kept",
    "not_negative",
    "one_dim",
    "pair",
    "shape_args",
    "sum_shape",
]


SEQUENCE = (tuple, list)


def index_of(value, op, argument):
    """An int from anything that is one (ints, NumPy ints, 0-dim integer tensors; bools are none)."""
    try:
        if value.__class__ is not bool:
            return operator.index(value)
    except TypeError:
        pass
    raise TypeError(f"{op}(): argument '{argument}' must be int, not {type(value).__name__}")


def one_dim(dim, ndim, op="dim"):
    """A dimension counted from the front. A 0-dim tensor accepts 0 and -1, as PyTorch does."""
    if dim.__class__ is not int:
        dim = index_of(dim, op, "dim")
    elif 0 <= dim < ndim:  # nearly always
        return dim
    n = ndim or 1
    if not -n <= dim < n:
        raise IndexError(f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})")
    return dim % n


def dims_of(dim, ndim, op="dim"):
    """The dimensions named by `dim` (int or sequence) as a tuple counted from the front; an int gives one."""
    if not isinstance(dim, SEQUENCE):
        return (one_dim(dim, ndim, op),)
    dims = tuple([one_dim(d, ndim, op) for d in dim])
    if len(set(dims)) != len(dims):
        twice = next(d for d in dims if dims.count(d) > 1)
        raise RuntimeError(f"dim {twice} appears multiple times in the list of dims")
    return dims


EVERY = tuple([tuple(range(ndim)) for ndim in range(65)])  # all dimensions of arrays with as many; NumPy's most is 64


def dims_or_all(dim, ndim, op="dim"):
    """As `dims_of`, where None and an empty sequence name all dimensions; a 0-dim tensor has none to name."""
    if dim is None or (isinstance(dim, SEQUENCE) and not dim):
        return EVERY[ndim]
    if dim.__class__ is int and -ndim <= dim < ndim:
        return (dim % ndim,)
    dims = dims_of(dim, ndim, op)
    return dims if ndim else ()


def kept(shape, dims):
    """The shape with the reduced dimensions as ones, as keepdim=True leaves it."""
    return tuple([1 if d in dims else n for d, n in enumerate(shape)])


def count(shape, dims):
    """How many elements are reduced into one."""
    return math.prod([shape[d] for d in dims])


def shape_args(args, op="reshape"):
    """A shape given as ints or as one sequence: ``f(2, 3)`` or ``f((2, 3))``."""
    if len(args) == 1:
        (first,) = args
        if first.__class__ is not int and (isinstance(first, SEQUENCE) or not hasattr(first, "__index__")):
            args = first
    try:
        return tuple(map(operator.index, args))
    except TypeError:
        raise TypeError(f"{op}(): argument 'shape' must be a tuple of ints, not {args!r}") from None


def not_negative(shape, op):
    """The shape of a tensor to be made, checked."""
    if min(shape, default=0) < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {min(shape)}: {list(shape)} in {op}()")
    return shape


@functools.lru_cache(maxsize=4096)
def infer_size(shape, numel, op="reshape"):
    """The shape, a tuple of ints, with its one -1 filled in."""
    known, least = math.prod(shape), min(shape) if shape else 0
    if known == numel and least >= 0:
        return shape
    if least < -1:
        raise RuntimeError(f"invalid shape dimension {least} in {op} to {list(shape)}: use -1 for one to be inferred")
    if shape.count(-1) > 1:
        raise RuntimeError("only one dimension can be inferred")
    if -1 in shape:
        known = -known  # the product of the others
        if known == 0:
            raise RuntimeError(
                f"cannot reshape tensor of {numel} elements into shape {list(shape)} because the unspecified dimension "
                "size -1 can be any value and is ambiguous"
            )
        if numel % known == 0:
            return tuple([numel // known if n == -1 else n for n in shape])
    raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")


def sum_shape(shape, size):
    """The `size` argument of sum_to_size, checked: a shape that broadcasts to `shape`."""
    size = tuple(size[0]) if len(size) == 1 and isinstance(size[0], SEQUENCE) else tuple(size)
    lead = len(shape) - len(size)
    if lead >= 0 and shape[lead:] == size:
        return size
    if lead < 0 or any(s not in (1, n) for s, n in zip(size, shape[lead:], strict=True)):
        wrong = [s for s in size if not isinstance(s, int)]
        if wrong:
            raise TypeError(f"sum_to_size(): argument 'size' must be tuple of ints, but found {wrong[0]!r}")
        raise RuntimeError(f"size {list(size)} is not expandable to size {list(shape)}.")
    return size


def pair(value, op, argument, n=2):
    """An int or a sequence of n ints as a tuple of n ints, for kernel sizes, strides and the like."""
    if isinstance(value, tuple | list):
        if len(value) == 1:
            value = tuple(value) * n
        if len(value) != n:
            raise RuntimeError(f"{op}(): argument '{argument}' must be one int or {n} ints, but got {list(value)}")
        return tuple([index_of(v, op, argument) for v in value])
    return (index_of(value, op, argument),) * n
