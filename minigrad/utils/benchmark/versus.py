"""`compare`: several functions on the same inputs, checked against one another and timed interleaved."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from minigrad.utils.benchmark.rounds import Samples, measure
from minigrad.utils.benchmark.timer import select_unit


@dataclass
class Comparison:
    """What `compare` found: {size: Samples}; `print()` shows it, `ratio(side, rival, size)` is a `Spread`."""

    first: str
    samples: dict[Any, Samples] = field(default_factory=dict)

    def ratio(self, side: str, rival: str, size=None):
        """`side`'s time over `rival`'s at one size, round by round."""
        return self.samples[size].ratio(side, rival)

    def __str__(self) -> str:
        lines = []
        for size, samples in self.samples.items():
            if size is not None:
                lines.append(f"size {size:,}")
            wide = max(map(len, samples.seconds))
            for side in samples.seconds:
                spread, line = samples.spread(side), ""
                unit, scale = select_unit(spread.median)
                if side != self.first:
                    ratio = samples.ratio(self.first, side)
                    line = f"   {self.first} / {side}: {ratio.median:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
                lines.append(f"  {side:{wide}} {spread.median / scale:8.2f} {unit}{line}")
        return "\n".join(lines)

    def print(self) -> None:
        """Print the table: medians, and the first function's time over each of the others' with quartiles."""
        print(self)


def compare(
    functions: Mapping[str, Callable],
    inputs: Callable[..., tuple] | None = None,
    sizes: Iterable[int] | None = None,
    *,
    rounds: int = 15,
    check: Callable[[Any, Any], None] | None = None,
    timer: Callable[[], float] = time.thread_time,
) -> Comparison:
    """compare(functions, inputs=None, sizes=None, *, rounds=15, check=None, timer=time.thread_time) -> Comparison

    Time functions against one another, in interleaved rounds: what the machine does meanwhile hits all of them.

    Args:
        functions (dict[str, Callable]): by name; the others are compared with the first.
        inputs (Callable): gives the tuple of arguments: `inputs(size)` with `sizes`, `inputs()` without; by default
            the functions take none. Every function gets a tuple of its own.
        sizes (Iterable[int]): sizes to time, one after the other.
        rounds (int): samples of each function and size.
        check (Callable): `check(first, other)` raises where two results differ; by default they must be close
            (`rtol` 1e-3, `atol` 1e-5), `lambda a, b: None` lets everything pass.
        timer (Callable): the clock; processor time of this thread, unless given.

    Raises:
        ValueError: there is nothing to compare.
        AssertionError: results differ: the functions would not be doing the same work.

    Example::

        compare({"mine": my_tanh, "numpy": np.tanh}, lambda n: (np.random.rand(n),), sizes=(100, 10_000)).print()
    """
    if not functions:
        raise ValueError("compare(): expected at least one function, but got none")
    found = Comparison(next(iter(functions)))
    for size in [None] if sizes is None else sizes:
        given = () if size is None else (size,)
        samplers, results = {}, {}
        for name, function in functions.items():
            arguments = inputs(*given) if inputs is not None else ()
            results[name] = function(*arguments)
            samplers[name] = _sampler(function, arguments, timer)
        for name, result in results.items():
            if name != found.first:
                (check or _close)(results[found.first], result)
        found.samples[size] = measure(samplers, rounds)
    return found


def _sampler(function, arguments, timer):
    def sample(loops):
        start = timer()
        for _ in repeat(None, loops):
            function(*arguments)
        return (timer() - start) / loops

    return sample


def _close(first, other):
    for a, b in zip(_arrays(first), _arrays(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)


def _arrays(value):
    """All arrays in a result, as NumPy's; tensors of any library."""
    if isinstance(value, (tuple, list)):
        return [array for each in value for array in _arrays(each)]
    return [] if value is None else [np.asarray(value.detach() if hasattr(value, "detach") else value)]
