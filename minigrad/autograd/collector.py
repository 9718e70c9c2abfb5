"""Python's cyclic garbage collector, kept from scanning living graphs over and over.

Graphs have no cycles (`node.py`): a dropped one is freed by reference counting, and the collector never finds anything
in them. But it looks. A *full* collection visits every object of the program, and one is due whenever their number has
grown by a quarter: a graph of 65,000 nodes took twice its time with the collector on, a scalar one up to eight times.

So full collections are paced: after one that took t seconds the next waits for at least 19 t. They then take at most a
twentieth of the time, however large the graph.

    time ──▶  ┌full: 50 ms┐┄┄┄┄┄┄ young collections as ever, full ones wait: 950 ms ┄┄┄┄┄┄┤ full ones may run again

The collections of young objects, which find most garbage, go on as they are; so does a `gc.collect()` of the program.
What is old and in cycles goes at most that much later. While full collections wait, `gc.get_threshold()` ends in
`WAITING`; thresholds that the program sets are left as they are.

Way out: `unpace()`, or the environment variable ``MINIGRAD_GC=python``. From Python 3.14 on the collector works in
small increments, and is left alone.
"""

from __future__ import annotations

import gc
import sys
import time

__all__ = ["pace", "unpace"]

SHARE = 1 / 20  # of the time, for full collections at most
WAITING = 2**31 - 1  # the third threshold while they wait: never reached


class _Pace:
    """What `gc.callbacks` is given. clock: gives seconds."""

    def __init__(self, clock=time.perf_counter):
        self.clock = clock
        self.begun = self.until = 0.0
        self.usual = 10  # the third threshold while nothing waits

    def __call__(self, phase, info):
        """Called by Python before ("start") and after ("stop") each collection."""
        if info["generation"] < 2:
            if self.clock() >= self.until:
                self.resume()
        elif phase == "start":
            self.begun = self.clock()
        else:
            now = self.clock()
            self.until = now + (now - self.begun) * (1 / SHARE - 1)
            first, second, third = gc.get_threshold()
            if third != WAITING:
                self.usual = third
                gc.set_threshold(first, second, WAITING)

    def resume(self):
        """Let full collections run when they are due."""
        first, second, third = gc.get_threshold()
        if third == WAITING:
            gc.set_threshold(first, second, self.usual)


_pace = _Pace()


def pace() -> None:
    """Pace full collections from now on, in the whole process. `import minigrad` does it."""
    if sys.version_info < (3, 14) and _pace not in gc.callbacks:
        gc.callbacks.append(_pace)


def unpace() -> None:
    """Leave the collector to Python again."""
    if _pace in gc.callbacks:
        gc.callbacks.remove(_pace)
    _pace.resume()
