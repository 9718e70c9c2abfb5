"""`out=`: results written into tensors that the caller gives, as ``minigrad.add(a, b, out=c)``.

The doors send such calls here (`door.opening`).  The result is computed as ever and then copied: `out=` saves no time
here, it is for programs that use it.
"""

from __future__ import annotations

import warnings

import numpy as np

from minigrad import dtypes
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import bump
from minigrad.errors import shape_text
from minigrad.memory import check_overlap, overlapping
from minigrad.registry import COMPOSITES
from minigrad.tensor import Tensor


def into(out, block, *args, **kwargs):
    """What the block gives for these arguments, written into `out`: a tensor, or one for each of several results.
    Returns `out`."""
    function = getattr(block, "function", block)  # an op, or a composite
    name = function.__name__
    result = function(*args, **kwargs)
    several = isinstance(result, tuple)
    given = tuple(out) if several and isinstance(out, tuple | list) else (out,)
    found = result if several else (result,)
    if len(given) != len(found) or not all(isinstance(o, Tensor) for o in given):
        expected = f"a tuple of {len(found)} Tensors" if several else "Tensor"
        raise TypeError(f"{name}(): argument 'out' must be {expected}, not {type(out).__name__}")
    if is_grad_enabled() and any(t.requires_grad for t in (*given, *found)):
        raise RuntimeError(
            f"{name}(): functions with out=... arguments don't support automatic differentiation, but one of the "
            "arguments requires grad. Call it without out=, or under no_grad()."
        )
    declared = COMPOSITES.get(name, block)  # `block` of a composite is a copy of its code alone
    is_pointwise = getattr(block, "pointwise", False) or (getattr(declared, "out", None) == "pointwise" and not several)
    for target, value in zip(given, found, strict=True):
        _check_dtype(name, target, value, getattr(block, "out_casts", False))
        _check_memory(name, target, (*args, *kwargs.values()), is_pointwise)
        _fill(name, target, value)
    return type(result)(*given) if hasattr(result, "_fields") else given if several else out


def _check_dtype(name, target, value, casts):
    """The dtypes must be the same; casts: or the result's can be cast to that of `out`."""
    good = dtypes.can_cast(value.dtype, target.dtype) if casts else value.dtype is target.dtype
    if not good:
        verb = "can't be cast to" if casts else "is not"
        raise RuntimeError(
            f"{name}(): the result has dtype {value.dtype!r}, which {verb} that of out, {target.dtype!r}"
        )


def _check_memory(name, target, args, in_place):
    """PyTorch refuses an `out` whose elements share memory with one another, or with an input (in_place: in part)."""
    written = target.array
    if written.size and any(n > 1 and step == 0 for n, step in zip(written.shape, written.strides)):
        raise RuntimeError(
            f"{name}(): unsupported operation: more than one element of the written-to tensor refers to a single "
            "memory location. Please clone() the tensor before performing the operation."
        )
    for arg in args:
        for each in arg if isinstance(arg, tuple | list) else (arg,):
            if not isinstance(each, Tensor):
                continue
            if in_place:
                check_overlap(written, each.array, name)
            elif each is target or np.may_share_memory(written, each.array):
                raise overlapping(name)


def _fill(name, target, value):
    if target._shape != value._shape:
        if target.numel():
            warnings.warn(
                f"An output with one or more elements was resized since it had shape {shape_text(target._shape)}, "
                f"which does not match the required output shape {shape_text(value._shape)}. Give {name}() an out of "
                "that shape, or an empty one.",
                stacklevel=4,
            )
        target.array, target._shape = np.empty(value._shape, target.array.dtype), value._shape
    np.copyto(target.array, value.array, casting="unsafe")
    bump(target, f"{name}(out=)")
