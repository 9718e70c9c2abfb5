"""Numbers in a row: `arange`, `linspace`, `logspace`, and where triangles are; bit for bit PyTorch's.

PyTorch computes a range in blocks as wide as its vector registers: the first number of a block is computed from the
start, rounded, and the others from that one.  So the last digit of ``arange(0, 1, 0.01)[9]`` depends on the width, and
to give the same one the same is done here, with the widths of AVX2 (which PyTorch uses on all newer x86 machines too)
and with multiply-adds that round once.  (Source of the formulas: aten/src/ATen/native/cpu/RangeFactoriesKernel.cpp and
RangeFactories.cpp of PyTorch 2.)
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import dtypes
from minigrad.autograd.outputs import into
from minigrad.creation import as_scalar, dtype_for, made
from minigrad.errors import describe, message
from minigrad.registry import TENSORS
from minigrad.shapes import index_of
from minigrad.tensor import Tensor

__all__ = ["arange", "linspace", "logspace", "tril_indices", "triu_indices"]


def _numbers(op, **given):
    """The arguments as Python numbers; 0-dim tensors are taken."""
    for name, value in given.items():
        if isinstance(value, Tensor):
            if value._shape:
                raise RuntimeError(
                    f"{op} only supports 0-dimensional start and end tensors, but got {name} with {value.ndim} "
                    "dimension(s)."
                )
            value = value.item()
        if isinstance(value, np.generic):
            value = value.item()
        if not isinstance(value, bool | int | float):
            raise TypeError(f"{op}(): argument '{name}' must be Number, not {type(value).__name__}")
        yield value


def _dtype_for(op, dtype, count=2):
    wanted = dtypes.as_numpy(dtype, op)
    if wanted.kind == "b" and count > 1:
        raise NotImplementedError(f"\"{op}_cpu\" not implemented for 'Bool': ask for another dtype")
    return wanted


def _multiply_add(a, b, c):
    """``a * b + c`` rounded once, for a number a and whole numbers b below 2**26: the exact errors of the product and
    of the sum are added last. (Dekker 1971)"""
    product = a * b
    high = a * 134217729.0  # 2**27 + 1: `high` becomes the upper half of the digits of a
    high = high - (high - a)
    product_error = (a - high) * b - (product - high * b)
    total = product + c
    back = total - product
    error = ((product - (total - back)) + (c - back)) + product_error
    return np.where(np.abs(error) > 0, total + error, total)  # a sum with 0 would lose the sign of -0.0


def arange(
    *args,
    start=0,
    end=None,
    step=1,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    out=None,
):
    """arange(start=0, end, step=1, *, dtype=None) -> Tensor

    ``start, start + step, ...`` up to but not including end: ``ceil((end - start) / step)`` values, int64 if all three
    are ints, else the default float dtype. (PyTorch: torch.arange)
    """
    if len(args) > 3 or (not args and end is None):
        raise TypeError(f"arange(): expected (end), (start, end) or (start, end, step), but got {len(args)} arguments")
    if len(args) == 1 and end is None:
        end = args[0]
    else:
        named = (start, end, step)
        start, end, step = args + named[len(args) :]
    if out is not None:
        return into(out, arange, start, end, step, dtype=dtype_for(out, dtype))
    start, end, step = _numbers("arange", start=start, end=end, step=step)
    if dtype is None:
        floats = any(isinstance(value, float) for value in (start, end, step))
        kind = dtypes.get_default_dtype().numpy if floats else np.dtype(np.int64)
    else:
        kind = _dtype_for("arange", dtype)
    if not step:
        raise RuntimeError(f"step must be nonzero, but it is {step}")
    if not math.isfinite(end - start):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if kind == np.int64 and not int(step):
        raise ValueError(f"step must be nonzero, but {step} is truncated to 0: ask for a float dtype")
    if kind == np.int64:
        start, end, step = int(start), int(end), int(step)
        count = max(0, -((start - end) // step))
    else:
        count = math.ceil((end - start) / step)
    if kind.kind == "f":
        return made(_float_range(float(start), float(step), count, kind), requires_grad, device)
    values = int(start) + np.arange(count, dtype=np.int64) * int(step)
    return made(values.astype(kind), requires_grad, device)


def _float_range(start, step, count, kind):
    grain = max(start.as_integer_ratio()[1], step.as_integer_ratio()[1])
    if (abs(start) + abs(step) * count) * grain <= 2.0 ** np.finfo(kind).nmant:
        return (start + step * np.arange(count)).astype(kind)  # nothing is rounded
    wide = np.float32 if kind.itemsize == 2 else np.float64  # what PyTorch computes in
    start, step = float(wide(start)), np.float64(wide(step))
    width = {2: 16, 4: 8, 8: 4}[kind.itemsize]
    whole = count // (2 * width) * (2 * width)  # what is left after pairs of blocks is computed one by one
    values = np.empty(count, kind)
    with np.errstate(all="ignore"):
        first = _multiply_add(step, np.arange(0.0, whole, width), start).astype(wide).astype(kind).astype(np.float64)
        blocks = _multiply_add(step, np.arange(float(width)), first[:, None]).astype(wide)
        values[:whole] = blocks.ravel()
        values[whole:] = _multiply_add(step, np.arange(float(whole), count), start).astype(wide)
    return values


def linspace(
    start, end, steps, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False, out=None
):
    """linspace(start, end, steps) -> Tensor

    `steps` values evenly spaced from start to end, both included: counted from the nearer end, as PyTorch does.
    (PyTorch: torch.linspace)
    """
    if out is not None:
        return into(out, linspace, start, end, steps, dtype=dtype_for(out, dtype))
    start, end = _numbers("linspace", start=start, end=end)
    count = _count_of(steps, "linspace")
    kind = _dtype_for("linspace", dtype, count)
    start = as_scalar(start, kind) if count else 0
    end = as_scalar(end, kind) if count > 1 else 0
    with np.errstate(all="ignore"):
        return made(_spaced(start, end, count, kind), requires_grad, device)


def _count_of(steps, op):
    count = index_of(steps, op, "steps")
    if count < 0:
        raise RuntimeError(f"number of steps must be non-negative, but got {count}")
    return count


def _spaced(start, end, count, kind):
    if count < 2:
        return np.full(count, start, kind)
    half, real = count // 2, kind if kind.kind == "f" else np.dtype(np.float64)
    early, late = np.arange(half), np.arange(count - half)[::-1]  # from the nearer end
    if real.itemsize == 2:  # every step in half precision
        step = (end - start) / kind.type(count - 1)
        return np.concatenate([start + step * early.astype(kind), end - step * late.astype(kind)])
    step = np.float64((real.type(end) - real.type(start)) / real.type(count - 1))
    ends = (_multiply_add(step, early, np.float64(start)), _multiply_add(-step, late, np.float64(end)))
    values = np.concatenate(ends)
    return values.astype(np.int64).astype(kind) if kind.kind in "iu" else values.astype(kind)


def logspace(
    start,
    end,
    steps,
    base=10.0,
    *,
    dtype=None,
    layout=None,
    device=None,
    pin_memory=False,
    requires_grad=False,
    out=None,
):
    """logspace(start, end, steps, base=10.0) -> Tensor

    ``base ** x`` for x from `start` to `end` in `steps` even steps; integer dtypes have integer exponents.
    (PyTorch: torch.logspace)
    """
    if out is not None:
        return into(out, logspace, start, end, steps, base, dtype=dtype_for(out, dtype))
    start, end, base = _numbers("logspace", start=start, end=end, base=base)
    count = _count_of(steps, "logspace")
    kind = _dtype_for("logspace", dtype, count)
    if count < 2:
        values = [as_scalar(_power(base, float(start)), kind) for _ in range(count)]
        return made(np.array(values, kind), requires_grad, device)
    start, end = as_scalar(start, kind), as_scalar(end, kind)
    with np.errstate(all="ignore"):
        difference = end - start if kind.kind == "f" else int(end) - int(start)
        k, step = np.arange(count), float(difference) / (count - 1)
        exponents = np.where(k < count // 2, float(start) + step * k, float(end) - step * (count - 1 - k))
        values = np.array([_power(base, x) for x in exponents.tolist()])
        if kind.itemsize < 4:  # C converts by way of the machine's own types
            values = values.astype(np.float32 if kind.kind == "f" else np.int32)
        return made(values.astype(kind), requires_grad, device)


def _power(base, exponent):
    try:
        return math.pow(base, exponent)
    except OverflowError:
        return math.inf
    except ValueError:
        return math.inf if base == 0 else math.nan


def _triangle(name, of_numpy, words):
    def indices(row, col, offset=0, *, dtype=dtypes.int64, device=None, layout=None):
        row, col, offset = (index_of(n, name, a) for n, a in ((row, "row"), (col, "col"), (offset, "offset")))
        for argument, value in (("row", row), ("col", col)):
            if value < 0:
                raise RuntimeError(message(name, argument, describe(value), "a number >= 0"))
        kind = dtypes.as_numpy(dtype, name)
        if kind not in (np.int64, np.int32):
            raise NotImplementedError(f"\"{name}\" not implemented for '{TENSORS['type_name'](kind)}': use int64")
        return made(np.array(of_numpy(row, offset, col), kind).reshape(2, -1), False, device)

    indices.__name__ = indices.__qualname__ = name
    indices.__doc__ = f"""{name}(row, col, offset=0) -> LongTensor

    Where the {words} triangle of a (row, col) matrix is, as (2, n) indices. (PyTorch: torch.{name})
    """
    return indices


tril_indices, triu_indices = (
    _triangle("tril_indices", np.tril_indices, "lower"),
    _triangle("triu_indices", np.triu_indices, "upper"),
)
