"""The machine's limits, measured in the same run: how fast memory streams, how fast numbers are multiplied.

A row that moves `bytes` and computes `flops` cannot take less than the longer of the two times (the roofline of
Williams, Waterman and Patterson, 2009).  What part of its time that is, is its "% of limit".
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import thread_time

import numpy as np

from bench.timing import Work, sampler
from minigrad.kernels.dispatch import jit
from minigrad.utils.benchmark.rounds import measure

KB, MB = 1 << 10, 1 << 20
WORKING_SETS = (24 * KB, 96 * KB, 384 * KB, 1536 * KB, 6 * MB, 24 * MB, 96 * MB, 384 * MB)
ROUNDS, SIDE = 7, 1024


@dataclass(frozen=True)
class Limits:
    """`bandwidth`: (bytes of the working set, bytes a second), rising in size; `flops`: multiply-adds, two each, a
    second, in float32 and float64; `caches`: {"L1d": bytes, ...} of one core, as the system tells."""

    bandwidth: tuple[tuple[int, float], ...]
    flops: dict[str, float]
    caches: dict[str, int]

    def bytes_per_second(self, working_set: float) -> float:
        """The measured bandwidth at a size, between two measured ones on the logarithm of the size."""
        sizes, speeds = zip(*self.bandwidth, strict=True)
        return float(np.interp(math.log(max(working_set, 1)), np.log(sizes), speeds))

    def seconds(self, moved: int, computed: int) -> float:
        """The least that moving and computing this takes, in float32; 0 where neither is known."""
        return max(moved / self.bytes_per_second(moved), computed / self.flops["float32"])


def triad(out, a, b, factor, times):
    """STREAM's: two arrays read, one written; `times` times, so that a small one's call does not count."""
    for _ in range(times):
        for i in range(out.size):
            out[i] = a[i] + factor * b[i]


def measure_bandwidth(working_sets=WORKING_SETS) -> tuple[tuple[int, float], ...]:
    """Bytes per second of the triad over arrays that together take so many bytes; the faster quartile."""
    loop, found = jit(triad), []
    for size in working_sets:
        count, times = size // 12, max(1, 3 * MB // size)
        arrays = [np.ones(count, np.float32) for _ in range(3)]
        work = Work(partial(loop, *arrays, np.float32(0.5), times))
        samples = measure({"triad": sampler(work, nullcontext, thread_time)}, ROUNDS)
        found.append((size, 12 * count * times / samples.spread("triad").low))
    return tuple(found)


def measure_flops(libraries) -> dict[str, float]:
    """The most flops a second that any of the libraries reaches in a product of two squares; the faster quartile."""
    found = {}
    for dtype in ("float32", "float64"):
        square = np.random.default_rng(0).standard_normal((SIDE, SIDE)).astype(dtype)
        works = {"numpy": Work(lambda square=square: square @ square)}
        for lib in libraries:
            works[lib.__name__] = Work(partial(lib.matmul, *[lib.tensor(square)] * 2))
        samples = measure({n: sampler(work, nullcontext, thread_time) for n, work in works.items()}, ROUNDS)
        found[dtype] = 2 * SIDE**3 / min(samples.spread(name).low for name in works)
    return found


def caches(folder="/sys/devices/system/cpu/cpu0/cache") -> dict[str, int]:
    """The data caches of the first core, smallest first; empty where the system does not tell."""
    found = {}
    for index in sorted(Path(folder).glob("index*")):
        try:
            kind, level, size = ((index / name).read_text().strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction":
            name = f"L{level}" + ("d" if kind == "Data" else "")
            found[name] = int(size.rstrip("KM")) * (MB if size.endswith("M") else KB)
    return found


def measure_limits(libraries=()) -> Limits:
    """Everything above, in a few seconds."""
    return Limits(measure_bandwidth(), measure_flops(libraries), caches())
