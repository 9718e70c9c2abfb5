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
from minigrad.tensor import Tensor


def into(out, function, *args, **kwargs):
    """function(*args, **kwargs), written into `out`: a tensor, or one for each of several results. Returns `out`."""
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
    for target, value in zip(given, found, strict=True):
        _fill(name, target, value)
    return type(result)(*given) if hasattr(result, "_fields") else given if several else out


def _fill(name, target, value):
    if not dtypes.can_cast(value.dtype, target.dtype):
        raise RuntimeError(
            f"{name}(): the result has dtype {value.dtype!r}, which can't be cast to that of out, {target.dtype!r}"
        )
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
