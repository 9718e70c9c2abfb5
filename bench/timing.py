"""What a row does (`Work`), who does it (`Side`), and one sample of it (`sampler`).

How samples become figures is `minigrad.utils.benchmark.rounds`, which users have, too.  Time is the CPU time of this
thread (another process on the core does not count), unless more threads than one are at work: then only the wall clock
sees them all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import repeat
from typing import Any

SLOW = 20e-3  # seconds from which a call is not roused: cold caches no longer show


@dataclass(frozen=True)
class Work:
    """What one side does for one row.

    run         the timed call: `run()`, or `run(prepared)` if there is `prepare`
    prepare     makes the input of one call, untimed (a graph to go backward through, which one call uses up)
    result      what a call computed, from what `run` returned (or from what was prepared), for comparing the sides;
                None: what `run` returned
    self_timed  `run` returns its own seconds (work done in another process)
    trial       something like `run` that takes less time, for seeing whether it works
    """

    run: Callable[..., Any]
    prepare: Callable[[], Any] | None = None
    result: Callable[[Any], Any] | None = None
    self_timed: bool = False
    trial: Callable[[], Any] | None = None

    def outcome(self):
        """Do the work once; return what it computed."""
        if self.prepare is None:
            returned = (self.trial or self.run)()
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


def sampler(work: Work, scope: Callable[[], AbstractContextManager], clock: Callable[[], float]):
    """`sample(loops)`: seconds that one call of `work` takes, averaged over `loops` calls, in its scope."""
    last = SLOW  # the first sample warms up

    def sample(loops: int) -> float:
        nonlocal last
        with scope():
            if last < SLOW and not work.self_timed:
                # Once untimed: after a change of context caches are cold and kernels choose their function anew.
                work.run() if work.prepare is None else work.run(work.prepare())
            last = seconds(work, loops, clock)
        return last

    return sample


def seconds(work: Work, loops: int, clock: Callable[[], float]) -> float:
    """Seconds of one call, averaged over `loops`; what is prepared is not timed."""
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
