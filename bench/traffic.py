"""What a row has to move and to compute at least, derived by looking: the machine's limit follows from it.

bytes   The arrays that the timed call can reach (through closures, partial arguments and lists) are read once, the
        arrays that it returns are written once.  Fusing can do no better; an op that makes temporaries moves more.
        A call that holds anything but functions, numbers and arrays (a network, an optimizer) is not guessed at.
flops   The row is set up once more with a library whose products and convolutions count what they are called with:
        forward when called, backward when the gradient of their output arrives.
"""

from __future__ import annotations

import functools
import math
import types

import numpy as np

from bench.row import Row
from bench.timing import Work

PLAIN = (type(None), bool, int, float, str, bytes, type, types.ModuleType, np.dtype, np.generic, types.SimpleNamespace)
FUNCTIONS = (types.FunctionType, types.MethodType, functools.partial)


class Opaque(LookupError):
    """Something was reached whose memory nobody knows."""


def array_of(value) -> np.ndarray | None:
    """A tensor's or an array's memory; None of anything else."""
    if isinstance(value, np.ndarray):
        return value
    return value.detach().numpy() if hasattr(value, "detach") and hasattr(value, "numpy") else None


def arrays_in(value, found=None, seen=None) -> list[np.ndarray]:
    """Every array that can be reached from a value. Raises Opaque at what is neither function, number nor array."""
    found, seen = ([], set()) if found is None else (found, seen)
    if id(value) in seen:
        return found
    seen.add(id(value))
    array = array_of(value)
    if array is not None:
        found.append(array)
    elif isinstance(value, (list, tuple)):
        for each in value:
            arrays_in(each, found, seen)
    elif isinstance(value, dict):
        arrays_in(list(value.values()), found, seen)
    elif isinstance(value, FUNCTIONS):
        arrays_in(_held(value), found, seen)
    elif not _is_plain(value):
        raise Opaque(type(value).__name__)
    return found


def _is_plain(value) -> bool:
    """Whether nothing is kept here that a call would read: numbers, names, functions. Networks are callable, too."""
    library = hasattr(value, "nn") and hasattr(value, "tensor")
    return isinstance(value, PLAIN) or library or (callable(value) and not hasattr(value, "parameters"))


def _held(function) -> list:
    """What a function holds on to."""
    if isinstance(function, functools.partial):
        return [function.func, function.args, function.keywords]
    if isinstance(function, types.MethodType):
        return [function.__self__, function.__func__]
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return [*cells, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]


def size(array: np.ndarray) -> int:
    """Bytes of memory under an array: an axis that is broadcast takes none."""
    return array.itemsize * math.prod(n for n, stride in zip(array.shape, array.strides, strict=True) if stride != 0)


def least_bytes(work: Work) -> int | None:
    """What one call has to read and to write at least; None if that cannot be told."""
    try:
        read = arrays_in([work.run, work.prepare])
        written = arrays_in(work.outcome())
    except Opaque:
        return None
    distinct = {(a.__array_interface__["data"][0], a.shape, a.strides): size(a) for a in read}
    return sum(distinct.values()) + sum(map(size, written))


def _product(result, *_):
    return 2 * result.numel()


def _attention(query, key, value):
    *batch, rows, wide = query.shape
    return 2 * math.prod(batch) * rows * key.shape[-2] * (wide + value.shape[-1])


# name: forward flops from (arguments, output); each gradient of the first two arguments costs as many again
FLOPS = {
    "linear": lambda args, out: _product(out) * args[0].shape[-1],
    "matmul": lambda args, out: _product(out) * args[0].shape[-1],
    "mm": lambda args, out: _product(out) * args[0].shape[-1],
    "bmm": lambda args, out: _product(out) * args[0].shape[-1],
    **{f"conv{n}d": lambda args, out: _product(out) * args[1][0].numel() for n in (1, 2, 3)},
    **{f"conv_transpose{n}d": lambda args, out: _product(args[0]) * args[1][0].numel() for n in (1, 2, 3)},
    "scaled_dot_product_attention": lambda args, out: _attention(*args[:3]),
}


class Counting:
    """A library whose functions of `FLOPS` count into `counted`, a list of numbers."""

    def __init__(self, lib, counted):
        self._lib, self._counted = lib, counted

    def __getattr__(self, name):
        found = getattr(self._lib, name)
        if name in ("nn", "functional"):
            return Counting(found, self._counted)
        return self._wrapped(found, FLOPS[name]) if name in FLOPS else found

    def _wrapped(self, function, flops):
        def call(*args, **kwargs):
            out = function(*args, **kwargs)
            forward = flops(args, out)
            self._counted.append(forward)
            backward = forward * sum(arg.requires_grad for arg in args[:2])
            if backward and out.requires_grad:
                out.register_hook(lambda gradient: self._counted.append(backward))
            return out

        return call


def flops(row: Row, lib) -> int:
    """Additions and multiplications of one timed call, of the functions in `FLOPS`."""
    counted: list[int] = []
    work = row.work(Counting(lib, counted))
    prepared = [work.prepare()] if work.prepare else []
    counted.clear()  # what setting up has called
    work.run(*prepared)
    return sum(counted)


def of_row(row: Row, work: Work, lib) -> tuple[int, int]:
    """(bytes, flops) of one call of a row's work: as the row declares, or derived; 0 where it is not known."""
    if work.self_timed:
        return row.bytes or 0, row.flops or 0
    moved = least_bytes(work) if row.bytes is None else row.bytes
    return moved or 0, flops(row, lib) if row.flops is None else row.flops
