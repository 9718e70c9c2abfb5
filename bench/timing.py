"""How a number is got: interleaved rounds, CPU time of the calling thread, medians.

Two libraries timed one after the other are compared across whatever the machine did in between: a clock that
changed, a neighbour that woke.  So all sides of a row are timed in *rounds*: each round takes one sample of every
side, in shuffled order, and a side's ratio is taken inside each round.  What is reported is the median of those
ratios with their quartiles.  Time is the CPU time of this thread (another process on the core does not count),
unless more threads than one are at work: then only the wall clock sees them all.

A sample repeats the work until it lasts at least `AT_LEAST` seconds, so that the clock's own cost (0.1 to 0.6 us)
vanishes.  The cyclic garbage collector is off meanwhile, on every side.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

AT_LEAST = 300e-6  # seconds that one sample lasts
BUDGET = 1.5  # seconds for the rounds of one `measure`; slow rows get fewer of them
MIN_ROUNDS = 3
MAX_LOOPS = 1 << 20


@dataclass(frozen=True)
class Work:
    """What one side does for one row.

    run         the timed call: `run()`, or `run(prepared)` if there is `prepare`
    prepare     makes the input of one call, untimed (a graph to go backward through, which one call uses up)
    result      what a call computed, from what `run` returned (or from what was prepared), for comparing the sides;
                None: what `run` returned
    self_timed  `run` returns its own seconds (work done in another process)
    """

    run: Callable[..., Any]
    prepare: Callable[[], Any] | None = None
    result: Callable[[Any], Any] | None = None
    self_timed: bool = False

    def outcome(self):
        """Do the work once; return what it computed."""
        if self.prepare is None:
            returned = self.run()
            return returned if self.result is None else self.result(returned)
        prepared = self.prepare()
        returned = self.run(prepared)
        return returned if self.result is None else self.result(prepared)


@dataclass(frozen=True)
class Side:
    """A contestant: the module whose names the rows use, and the context its work runs in."""

    name: str
    lib: Any
    scope: Callable[[], AbstractContextManager] = nullcontext


@dataclass
class Spread:
    """Median and quartiles of some samples."""

    median: float
    low: float
    high: float
    count: int = 1

    @classmethod
    def of(cls, values):
        values = list(values)
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(statistics.median(values), low, high, len(values))

    def error(self) -> float:
        """Standard error of the median, relative to it: 1.2533 s / sqrt(n), with s = (high - low) / 1.349 (both as for
        normal samples, which is only roughly so here)."""
        return 0.93 * (self.high - self.low) / self.median / self.count**0.5


@dataclass
class Samples:
    """Seconds per call, one list per side; the k-th entries of all lists come from the same round."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def spread(self, side) -> Spread:
        return Spread.of(self.seconds[side])

    def ratio(self, side, rival) -> Spread:
        """`side`'s time over `rival`'s, round by round: below 1, `side` is faster."""
        return Spread.of(a / b for a, b in zip(self.seconds[side], self.seconds[rival], strict=True))

    def extend(self, more: Samples):
        for side, seconds in more.seconds.items():
            self.seconds.setdefault(side, []).extend(seconds)


@contextmanager
def collector_off():
    """Collect once, then keep the cyclic collector away, and leave it as it was."""
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def sample(work: Work, loops: int, clock: Callable[[], float]) -> float:
    """Seconds that one call of `work` takes, averaged over `loops` calls."""
    run = work.run
    if work.self_timed:
        return run()
    if work.prepare is None:
        start = clock()
        for _ in repeat(None, loops):
            run()
        return (clock() - start) / loops
    inputs = [work.prepare() for _ in range(loops)]
    start = clock()
    for prepared in inputs:
        run(prepared)
    return (clock() - start) / loops


def rouse(work: Work) -> None:
    """Do the work once, untimed: after a change of context caches are cold and kernels choose their function anew."""
    if not work.self_timed:
        work.run() if work.prepare is None else work.run(work.prepare())


def calibrate(work: Work, clock: Callable[[], float], at_least: float = AT_LEAST) -> int:
    """Warm the work up and say how many calls make a sample of `at_least` seconds."""
    sample(work, 1, clock)  # compiles what is compiled at first call
    if work.self_timed:
        return 1
    loops = 1
    while loops < MAX_LOOPS:
        lasted = sample(work, loops, clock) * loops
        if lasted >= at_least:
            break
        # Aim a little past the mark, and never jump further than tenfold: the first samples are cold and slow.
        wanted = 1.2 * at_least / lasted * loops if lasted > 0 else 10 * loops
        loops = max(loops + 1, min(int(wanted) + 1, 10 * loops))
    return loops


def measure(
    sides: Mapping[str, tuple[Work, Callable[[], AbstractContextManager]]],
    rounds: int,
    clock: Callable[[], float] = time.thread_time,
    at_least: float = AT_LEAST,
    budget: float = BUDGET,
) -> Samples:
    """Time all sides of one row, interleaved.

    `sides` maps a name to its work and the context to run it in.  Made are `rounds` rounds, or what `budget` seconds
    hold, but not fewer than `MIN_ROUNDS` (unless `rounds` is fewer).
    """
    with collector_off():
        loops = {}
        for name, (work, scope) in sides.items():
            with scope():
                loops[name] = calibrate(work, clock, at_least)
        seconds: dict[str, list[float]] = {name: [] for name in sides}
        order, turns = list(sides), random.Random(0)
        spent = 0.0
        for done in range(rounds):
            if done >= MIN_ROUNDS and spent >= budget:
                break
            turns.shuffle(order)  # no side always comes after the same one, whose leavings are in the cache
            for name in order:
                work, scope = sides[name]
                with scope():
                    rouse(work)
                    one = sample(work, loops[name], clock)
                seconds[name].append(one)
                spent += one * loops[name]
    return Samples(seconds)
