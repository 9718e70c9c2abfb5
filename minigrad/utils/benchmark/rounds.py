"""How a number is got: interleaved rounds, medians and quartiles.

Two functions timed one after the other are compared across whatever the machine did in between: a clock that changed,
a neighbour that woke.  So all sides are timed in *rounds*: each round takes one sample of every side, in shuffled
order, and a side's ratio is taken inside each round.  What is reported is the median of those ratios, with their
quartiles.

        round 1        round 2        round 3
        b  a  c        a  c  b        c  b  a      one sample of each, the order drawn anew
           └──┴─ a/c      └─ a/c ...               ratios within a round: the machine's mood cancels

A *sampler* takes one sample: `sampler(loops)` does the work `loops` times and returns the seconds that one call took.
A sample lasts at least `AT_LEAST` seconds, so that the clock's own cost (0.1 to 0.6 us) vanishes.  The cyclic garbage
collector is off meanwhile.
"""

from __future__ import annotations

import gc
import random
import statistics
from collections.abc import Callable, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

Sampler = Callable[[int], float]

AT_LEAST = 300e-6  # seconds that one sample lasts
BUDGET = 1.0  # seconds for the rounds of one `measure`; slow work gets fewer of them
MIN_ROUNDS = 3
MAX_LOOPS = 1 << 20


@dataclass
class Spread:
    """Median and quartiles of some samples."""

    median: float
    low: float
    high: float
    count: int = 1

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of `values`, of which there must be one at least."""
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
    """Seconds per call, one list per side; the k-th entries of all lists come from the same round. A side that was
    not measured further has a shorter list."""

    seconds: dict[str, list[float]] = field(default_factory=dict)

    def spread(self, side: str) -> Spread:
        """Median and quartiles of one side's seconds."""
        return Spread.of(self.seconds[side])

    def ratio(self, side: str, rival: str) -> Spread:
        """`side`'s time over `rival`'s, round by round: below 1, `side` is faster."""
        return Spread.of(a / b for a, b in zip(self.seconds[side], self.seconds[rival]))

    def extend(self, more: Samples) -> None:
        """Add the rounds of `more`."""
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


def calibrate(sampler: Sampler, at_least: float = AT_LEAST) -> int:
    """Warm the work up and say how many calls make a sample of `at_least` seconds."""
    sampler(1)  # compiles what is compiled at first call
    loops = 1
    while loops < MAX_LOOPS:
        lasted = sampler(loops) * loops
        if lasted >= at_least:
            break
        # Aim a little past the mark, and never jump further than tenfold: the first samples are cold and slow.
        wanted = 1.2 * at_least / lasted * loops if lasted > 0 else 10 * loops
        loops = max(loops + 1, min(int(wanted) + 1, 10 * loops))
    return loops


def measure(
    samplers: Mapping[str, Sampler],
    rounds: int,
    at_least: float = AT_LEAST,
    budget: float = BUDGET,
    loops: Mapping[str, int] | None = None,
) -> Samples:
    """Time all sides, interleaved: `rounds` rounds, or what `budget` seconds hold, but not fewer than `MIN_ROUNDS`
    (unless `rounds` is fewer). `loops` says how many calls make a sample; by default that is found out."""
    with collector_off():
        if loops is None:
            loops = {name: calibrate(sampler, at_least) for name, sampler in samplers.items()}
        seconds: dict[str, list[float]] = {name: [] for name in samplers}
        order, turns = list(samplers), random.Random(0)
        spent = 0.0
        for done in range(rounds):
            if done >= MIN_ROUNDS and spent >= budget:
                break
            turns.shuffle(order)  # no side always comes after the same one, whose leavings are in the cache
            for name in order:
                one = samplers[name](loops[name])
                seconds[name].append(one)
                spent += one * loops[name]
    return Samples(seconds)
