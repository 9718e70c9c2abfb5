"""Comparisons and random inputs for tests: `assert_close`, `make_tensor` (and `assert_allclose`, of old programs).

from minigrad.testing import assert_close

assert_close(layer(x), expected)                    # values, shape and dtype
assert_close({"w": w, "b": [b]}, other, rtol=0, atol=0)
"""

from __future__ import annotations

import cmath
import math
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

import minigrad
from minigrad import dtypes
from minigrad.shapes import shape_args
from minigrad.tensor import Tensor

__all__ = ["assert_allclose", "assert_close", "make_tensor"]

TOLERANCES = {  # of each dtype: rtol, atol; others are compared exactly
    dtypes.float16: (1e-3, 1e-5), dtypes.float32: (1.3e-6, 1e-5), dtypes.float64: (1e-7, 1e-7),
}  # fmt: skip
OLD_TOLERANCES = {dtypes.float16: (1e-3, 1e-3), dtypes.float32: (1e-4, 1e-5), dtypes.float64: (1e-5, 1e-8)}
NUMBERS = {int: dtypes.int64, float: dtypes.float64, complex: None}
BOOLS = (bool, np.bool_)


def assert_close(
    actual: Any, expected: Any, *, allow_subclasses: bool = True, rtol: float | None = None, atol: float | None = None,
    equal_nan: bool = False, check_device: bool = True, check_dtype: bool = True, check_layout: bool = True,
    check_stride: bool = False, msg: str | Callable[[str], str] | None = None,
) -> None:  # fmt: skip
    """Raises AssertionError unless |actual - expected| <= atol + rtol·|expected| everywhere, infinities are equal, and
    shapes and dtypes are too. Sequences and mappings are compared element by element.

    Args:
        actual: A tensor, a number, an array, or (nested) sequences and mappings of these.
        expected: The same kind of thing.
        allow_subclasses: False: the two must be of one type.
        rtol: The relative tolerance; together with `atol`, or neither. By default that of the dtype: 1.3e-6 for
            float32, 1e-7 for float64, 1e-3 for float16, 0 for integers.
        atol: The absolute tolerance; by default 1e-5, for float64 1e-7, for integers 0.
        equal_nan: NaN equals NaN.
        check_device: Nothing to check: all tensors are on the CPU.
        check_dtype: The dtypes must be the same.
        check_layout: Nothing to check: all tensors are strided.
        check_stride: The strides must be the same.
        msg: What to say instead, or a function from what would be said to what is said.

    Raises:
        AssertionError: They are not close, or their structures differ.
        TypeError: Two things that cannot be compared with each other.
        ValueError: Only one of `rtol` and `atol`.

    PyTorch: torch.testing.assert_close
    """
    __tracebackhide__ = True
    options = (rtol, atol, equal_nan, check_dtype, check_stride)
    leaves = list(_leaves(actual, expected, allow_subclasses, ()))
    for one, other, path in leaves:
        _tolerances(one, other, rtol, atol, path)
    for one, other, path in leaves:
        problem = _difference(one, other, *options)
        if problem is not None:
            problem += _place(path)
            raise AssertionError(msg(problem) if callable(msg) else problem if msg is None else msg)


def assert_allclose(
    actual: Any, expected: Any, rtol: float | None = None, atol: float | None = None, equal_nan: bool = True,
    msg: str = "",
) -> None:  # fmt: skip
    """`assert_close` of the past: looser, NaN equals NaN, dtypes may differ. PyTorch: torch.testing.assert_allclose"""
    warnings.warn(
        "testing.assert_allclose() is deprecated: use testing.assert_close() instead.", FutureWarning, stacklevel=2
    )
    actual = actual if isinstance(actual, Tensor) else minigrad.tensor(actual)
    expected = expected if isinstance(expected, Tensor) else minigrad.tensor(expected, dtype=actual.dtype)
    if rtol is None and atol is None:
        both = [OLD_TOLERANCES.get(one.dtype, (0.0, 0.0)) for one in (actual, expected)]
        rtol, atol = (max(pair) for pair in zip(*both, strict=True))
    assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan, check_dtype=False, msg=msg or None)


def _place(path) -> str:
    keys = "".join(f"[{key!r}]" for key in path)
    return f"\n\nThe failure occurred for item {keys}" if path else ""


def _leaves(actual, expected, allow_subclasses, path) -> Iterator[tuple[Any, Any, tuple]]:
    """The pairs to compare, each with its keys; the structures must be the same."""

    def kinds(cls):
        return all(isinstance(one, cls) and not isinstance(one, str) for one in (actual, expected))

    keys: Any
    if kinds(Sequence):
        if len(actual) != len(expected):
            raise AssertionError(
                f"The length of the sequences mismatch: {len(actual)} != {len(expected)}" + _place(path)
            )
        keys = range(len(actual))
    elif kinds(Mapping):
        if actual.keys() != expected.keys():
            raise AssertionError(
                "The keys of the mappings do not match:\n"
                f"Missing keys in the actual mapping: {sorted(expected.keys() - actual.keys())}\n"
                f"Additional keys in the actual mapping: {sorted(actual.keys() - expected.keys())}" + _place(path)
            )
        keys = sorted(actual, key=str)
    else:
        yield *_comparable(actual, expected, allow_subclasses, path), path
        return
    for key in keys:
        yield from _leaves(actual[key], expected[key], allow_subclasses, (*path, key))


def _comparable(actual, expected, allow_subclasses, path):
    """None, bools and numbers as Python's, everything else as tensors."""
    both = (actual, expected)
    if actual is None or expected is None:
        return both
    for kinds in (BOOLS, (*NUMBERS, np.number)):
        if all(isinstance(one, kinds) for one in both):
            return tuple(one.item() if isinstance(one, np.generic) else one for one in both)
    related = isinstance(actual, type(expected)) or isinstance(expected, type(actual))
    if not related or (not allow_subclasses and type(actual) is not type(expected)):
        _incomparable(actual, expected, path)
    try:
        return tuple(one if isinstance(one, Tensor) else minigrad.as_tensor(one) for one in both)
    except (TypeError, ValueError, RuntimeError):
        _incomparable(actual, expected, path)


def _incomparable(actual, expected, path) -> NoReturn:
    raise TypeError(
        f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}." + _place(path)
    )


def _tolerances(actual, expected, rtol, atol, path=()) -> tuple[float, float]:
    if (rtol is None) != (atol is None):
        raise ValueError(
            "Both 'rtol' and 'atol' must be either specified or omitted, "
            f"but got no {'rtol' if rtol is None else 'atol'}." + _place(path)
        )
    if rtol is not None:
        return rtol, atol
    found: list[Any] = [getattr(one, "dtype", NUMBERS.get(type(one))) for one in (actual, expected)]
    rtols, atols = zip(*[TOLERANCES.get(dtype, (0.0, 0.0)) for dtype in found], strict=True)
    return max(rtols), max(atols)


def _difference(actual, expected, rtol, atol, equal_nan, check_dtype, check_stride) -> str | None:
    """What is different, in words; None when they are close."""
    rtol, atol = _tolerances(actual, expected, rtol, atol)
    if actual is None or expected is None:
        return None if actual is expected else f"None mismatch: {actual} is not {expected}"
    if isinstance(actual, bool) and isinstance(expected, bool):
        return None if actual is expected else f"Booleans mismatch: {actual} is not {expected}"
    if not isinstance(actual, Tensor):
        return _difference_of_numbers(actual, expected, rtol, atol, equal_nan, check_dtype)
    attributes: list[tuple[str, Any, Any]] = [("shape", actual.shape, expected.shape)]
    if check_stride:
        attributes.append(("stride()", actual.stride(), expected.stride()))
    if check_dtype:
        attributes.append(("dtype", actual.dtype, expected.dtype))
    for name, one, other in attributes:
        if one != other:
            return f"The values for attribute '{name}' do not match: {one} != {other}."
    common = dtypes.promote_types(actual.dtype, expected.dtype)
    actual, expected = actual.detach().to(common), expected.detach().to(common)
    matches = minigrad.isclose(actual, expected, rtol=rtol, atol=atol, equal_nan=equal_nan)
    if matches.all():
        return None
    if not actual.shape:
        return _scalars(actual.item(), expected.item(), rtol, atol)
    return _tensors(actual, expected, matches, rtol, atol)


def _difference_of_numbers(actual, expected, rtol, atol, equal_nan, check_dtype):
    if check_dtype and type(actual) is not type(expected):
        return f"The (d)types do not match: {type(actual)} != {type(expected)}."
    if actual == expected or (equal_nan and cmath.isnan(actual) and cmath.isnan(expected)):
        return None
    apart = abs(actual - expected)
    if cmath.isfinite(apart) and apart <= atol + rtol * abs(expected):
        return None
    return _scalars(actual, expected, rtol, atol)


def _scalars(actual, expected, rtol, atol):
    apart = abs(actual - expected)
    relative = apart / abs(expected) if expected else math.inf
    equality = rtol == 0 and atol == 0
    limits = ["" if equality else f" (up to {limit} allowed)" for limit in (atol, rtol)]
    return (
        f"Scalars are not {'equal' if equality else 'close'}!\n\nExpected {expected} but got {actual}.\n"
        f"Absolute difference: {apart}{limits[0]}\nRelative difference: {relative}{limits[1]}"
    )


def _tensors(actual, expected, matches, rtol, atol):
    if not actual.is_floating_point():
        actual, expected = actual.long(), expected.long()
    apart = (actual - expected).abs().masked_fill(matches, 0)
    relative = (apart / expected.abs()).masked_fill(matches, 0)
    equality = rtol == 0 and atol == 0
    lines = []
    for name, values, limit in (("absolute", apart, atol), ("relative", relative, rtol)):
        index = tuple(int(i) for i in np.unravel_index(int(values.argmax()), values.shape))
        allowed = "" if equality else f" (up to {limit} allowed)"
        lines.append(f"Greatest {name} difference: {values[index].item()} at index {index}{allowed}")
    count = matches.numel()
    wrong = count - int(matches.sum())
    return (
        f"Tensor-likes are not {'equal' if equality else 'close'}!\n\n"
        f"Mismatched elements: {wrong} / {count} ({wrong / count:.1%})\n" + "\n".join(lines)
    )


def make_tensor(
    *shape: Any, dtype: dtypes.dtype, device: Any = "cpu", low: float | None = None, high: float | None = None,
    requires_grad: bool = False, noncontiguous: bool = False, exclude_zero: bool = False, memory_format: Any = None,
) -> Tensor:  # fmt: skip
    """A tensor of uniform random values in [low, high), of PyTorch's random stream.

    Args:
        shape: Sizes, or one sequence of them.
        dtype: Any dtype; of bool by default 0 or 1, of integers -9 … 9 (unsigned 0 … 9), of floats -9 … 9.
        device: The CPU.
        low: The lowest value.
        high: The end of the range, not in it.
        requires_grad: Make it a leaf whose gradient is recorded.
        noncontiguous: Every second column of a tensor twice as wide.
        exclude_zero: 1 (of floats the smallest normal number) in the place of zeros.
        memory_format: Accepted; not together with `noncontiguous`.

    Raises:
        ValueError: An empty or impossible range, `requires_grad` of an integer dtype.

    PyTorch: torch.testing.make_tensor
    """
    sizes = shape_args(shape)
    whole = not dtype.is_floating_point
    if noncontiguous and memory_format is not None:
        raise ValueError("make_tensor(): noncontiguous and memory_format are mutually exclusive: leave one out")
    if requires_grad and whole:
        raise ValueError(f"make_tensor(): requires_grad=True needs a floating dtype, not {dtype}")
    strided = noncontiguous and math.prod(sizes) > 1
    if strided:
        sizes = (*sizes[:-1], 2 * sizes[-1])
    low, high = _range(dtype, low, high)
    if whole:
        out = minigrad.randint(math.ceil(low), math.ceil(high), sizes, dtype=dtype, device=device)
    else:
        out = minigrad.empty(sizes, dtype=dtype, device=device)
        if high - low >= dtypes.finfo(dtype).max:  # the width itself would overflow
            out.uniform_(low / 2, high / 2).mul_(2)
        else:
            out.uniform_(low, high)
    out = out[..., 1::2] if strided else out
    if exclude_zero:
        out[out == 0] = 1 if whole else dtypes.finfo(dtype).tiny
    return out.requires_grad_(requires_grad)


def _range(dtype, low, high):
    """[low, high), by default that of the dtype, cut to what it can hold."""
    if dtype == minigrad.bool:
        lowest, highest, default_low, default_high = 0, 2, 0, 2
    elif dtype.is_floating_point:
        info = dtypes.finfo(dtype)
        lowest, highest, default_low, default_high = info.min, info.max, -9, 9
    else:
        limits = dtypes.iinfo(dtype)
        highest = limits.max + (dtype != dtypes.int64)  # an end of 2**63 is out of int64's own range
        lowest, default_low, default_high = limits.min, -9, 10
    low, high = default_low if low is None else low, default_high if high is None else high
    if math.isnan(low) or math.isnan(high):
        raise ValueError(f"make_tensor(): low and high cannot be NaN, but got low={low} and high={high}")
    if low == high and dtype.is_floating_point:
        warnings.warn("make_tensor(): low == high is deprecated: use full(...)", FutureWarning, stacklevel=3)
    elif low >= high:
        raise ValueError(f"make_tensor(): low must be less than high, but got {low} >= {high}")
    elif high < lowest or low >= highest:
        raise ValueError(f"make_tensor(): [{low}, {high}) is out of the range [{lowest}, {highest}) of {dtype}")
    return (min(max(value, lowest), highest) for value in (low, high))
