"""What tests/opinfo.py is made of: PyTorch's samples turned into ours, calls, and comparison of outcomes."""

from __future__ import annotations

import functools
import operator
import types
import warnings

import numpy as np
import torch

import minigrad
import minigrad.autograd
import minigrad.nn.functional


class OutOfScope(Exception):
    """The sample asks for what minigrad does not have by decision."""


# ---- from PyTorch's objects to ours


def own(array):
    """A copy, laid out as the array is."""
    return np.copy(array, order="K")


def ours(value, made=None, memory=own, known=None):
    """The same value for minigrad; tensors that require grad are noted in `made`. `memory` makes a tensor's array of
    PyTorch's; `known`: one tensor that comes twice there comes twice here."""
    if known is not None and id(value) in known:
        return known[id(value)]
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.layout is not torch.strided or value.dtype in (torch.float16, torch.bfloat16):
            raise OutOfScope(str(value.dtype))
        if value.ndim > 64:
            raise OutOfScope("NumPy has at most 64 dimensions")
        tensor = minigrad.from_numpy(memory(value.detach().numpy()))
        if known is not None:
            known[id(value)] = tensor
        if value.requires_grad:
            tensor.requires_grad_()
            if made is not None:
                made.append(tensor)
        return tensor
    if isinstance(value, torch.dtype):
        if not hasattr(minigrad, str(value)[6:]) or value.is_complex:
            raise OutOfScope(str(value))
        return getattr(minigrad, str(value)[6:])
    if isinstance(value, torch.device):
        return minigrad.device(str(value))
    if isinstance(value, torch.layout):
        if value is not torch.strided:
            raise OutOfScope(str(value))
        return minigrad.strided
    if isinstance(value, torch.memory_format):
        raise OutOfScope(str(value))
    if isinstance(value, complex):
        raise OutOfScope("complex")
    if isinstance(value, torch.Size):
        return minigrad.Size(value)
    if isinstance(value, tuple | list):
        return type(value)(ours(each, made, memory, known) for each in value)
    if isinstance(value, dict):
        return {ours(k, made, memory, known): ours(each, made, memory, known) for k, each in value.items()}
    if isinstance(value, slice):
        return slice(*[ours(n, made, memory, known) for n in (value.start, value.stop, value.step)])
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | functools.partial):
        return swapped(value)
    return value


def wrapper_set_seed(function, *args, **kwargs):
    minigrad.manual_seed(42)
    return function(*args, **kwargs)


def swapped(function):
    """PyTorch's function as ours: by its name, or, where it is a few lines of Python in the database, those lines with
    `torch` meaning minigrad."""
    if isinstance(function, functools.partial):
        return functools.partial(swapped(function.func), *function.args, **function.keywords)
    if getattr(function, "__module__", "").startswith("torch.testing"):
        names = {**function.__globals__, "torch": minigrad, "wrapper_set_seed": wrapper_set_seed}
        cells = tuple(types.CellType(ours_or_same(cell.cell_contents)) for cell in function.__closure__ or ())
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
        copy.__kwdefaults__ = function.__kwdefaults__
        return copy
    if getattr(function, "__module__", None) in ("_operator", "builtins"):
        return function
    for home, mine in HOMES:
        name = function.__name__
        if getattr(home, name, None) is function or getattr(home, name.lstrip("_"), None) is function:
            return getattr(mine(), name.lstrip("_") if not name.startswith("__") else name)
    for home, mine in HOMES:
        for name, value in vars(home).items():
            if value is function:
                return getattr(mine(), name)
    raise AttributeError(f"minigrad has nothing for {function!r}")


def ours_or_same(value):
    return swapped(value) if callable(value) and not isinstance(value, type) else value


HOMES = (
    (torch, lambda: minigrad),
    (torch.nn.functional, lambda: minigrad.nn.functional),
    (torch.linalg, lambda: minigrad.linalg),
    (torch.special, lambda: minigrad.special),
    (torch.Tensor, lambda: minigrad.Tensor),
)


def our_function(info):
    """minigrad's counterpart of the operator under test."""
    name = info.name
    if isinstance(info.op, types.FunctionType) and info.op.__module__.startswith("torch.testing"):
        return swapped(info.op)
    if name.startswith("__") or not hasattr(torch, name.split(".")[0]):
        return getattr(minigrad.Tensor, name)
    return operator.attrgetter(name)(minigrad)


def our_form(info, form, alias=None):
    """minigrad's counterpart of another way to call the operator."""
    if form == "out":
        return our_function(info)
    if form == "method":
        return swapped_method(info.method_variant)
    if form == "inplace":
        return swapped_method(info.inplace_variant)
    if form == "alias":
        return operator.attrgetter(alias)(minigrad)
    return getattr(info, form)  # operator.add and the like serve both


def swapped_method(function):
    if isinstance(function, types.FunctionType | functools.partial):
        return swapped(function)
    return getattr(minigrad.Tensor, function.__name__)


# ---- one call


def call(function, sample, convert):
    """(outcome, leaves, result): what the call gives, as plain values, or the kind of error."""
    made = []
    args, kwargs = convert(((sample.input, *sample.args), sample.kwargs), made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(*args, **kwargs)
        except Exception as error:
            return ("raises", error), made, None
    return ("gives", result), made, result


def tensors_in(result):
    """The tensors of a result, flat."""
    if isinstance(result, tuple | list):
        return [t for each in result for t in tensors_in(each)]
    return [result] if isinstance(result, torch.Tensor | minigrad.Tensor) else []


def same(a, b, tolerance):
    """None, or how two results differ."""
    if isinstance(b, torch.Tensor):
        if not isinstance(a, minigrad.Tensor):
            return f"a {type(a).__name__} for a tensor"
        if tuple(a.shape) != tuple(b.shape):
            return f"shape {tuple(a.shape)}, PyTorch {tuple(b.shape)}"
        if repr(a.dtype) != repr(b.dtype):
            return f"dtype {a.dtype!r}, PyTorch {b.dtype!r}"
        if a.requires_grad != b.requires_grad:
            return f"requires_grad {a.requires_grad}, PyTorch {b.requires_grad}"
        return same_array(a.detach().numpy(), b.detach().numpy(force=True), tolerance.get(b.dtype, (0, 0)))
    if isinstance(b, tuple | list):
        if not isinstance(a, tuple | list) or len(a) != len(b):
            return f"{type(a).__name__} for {type(b).__name__} of {len(b)}"
        if getattr(type(a), "_fields", None) and list(a._fields) != [f for f in dir(b) if f in a._fields]:
            fields = [f for f in a._fields if not hasattr(b, f)]
            if fields:
                return f"fields {fields} that PyTorch's result has not"
        if hasattr(b, "n_fields") and not hasattr(a, "_fields"):
            return "a plain tuple for a named one"
        return next((d for x, y in zip(a, b, strict=True) if (d := same(x, y, tolerance))), None)
    if isinstance(b, torch.dtype | torch.Size | torch.device):
        return None if repr(a) == repr(b) else f"{a!r}, PyTorch {b!r}"
    if type(a) is not type(b):
        return f"{type(a).__name__} {a!r}, PyTorch {type(b).__name__} {b!r}"
    if isinstance(b, float):
        return same_array(np.array(a), np.array(b), (1.3e-6, 1e-5))
    return None if a == b else f"{a!r}, PyTorch {b!r}"


def same_array(a, b, tolerance):
    rtol, atol = tolerance
    with np.errstate(all="ignore"):
        if a.dtype.kind == "f":
            good = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        else:
            good = a == b
        if np.all(good):
            return None
        worst = np.nanmax(np.abs(a.astype(float) - b.astype(float))) if a.size else 0
    at = np.unravel_index(np.argmin(good), good.shape) if good.ndim else ()
    first = f"at {tuple(map(int, at))}: {a[at]!r}, PyTorch {b[at]!r}"
    return f"{np.sum(~np.asarray(good))} of {a.size} values, by up to {worst:.2g}; {first}"


def differ(mine, other, tolerance):
    """None, or how two outcomes differ."""
    (kind, value), (their_kind, their_value) = mine, other
    if kind != their_kind:
        shown = f"{type(value).__name__}: {value}" if kind == "raises" else "a result"
        theirs = f"{type(their_value).__name__}: {their_value}" if their_kind == "raises" else "a result"
        return f"{shown[:300]} | PyTorch: {theirs[:200]}"
    if kind == "raises":
        name = type(their_value).__name__.lstrip("_")  # of torch.linalg.LinAlgError
        if isinstance(value, type(their_value)) or type(value).__name__.lstrip("_") == name:
            return None
        one, other = (f"{type(e).__name__}: {str(e)[:200]}" for e in (value, their_value))
        return f"{one} | PyTorch: {other}"
    return same(value, their_value, tolerance)


def shared(value, made):
    """The same value for minigrad, in PyTorch's memory, so that what overlaps there overlaps here."""
    return ours(value, made, lambda array: array, {})


def their_error(case):
    """An error of the type that PyTorch's test expects, with its text."""
    kinds = case.error_type if isinstance(case.error_type, tuple) else (case.error_type,)
    return kinds[0](case.error_regex)
