"""When to measure: the hook that waits on a watched model, and what a measured step costs in truth.

Before it: `passes.py`, for the hook.  After it: `watch.py`.
"""

from __future__ import annotations

import statistics
import time
from collections import deque

from minigrad.autograd.modes import is_grad_enabled
from minigrad.viz.vitals.passes import Look

__all__ = ["Gate", "Pace"]

LEAST, MOST = 1.0, 4.0  # what the cost of a step that was counted may be multiplied by
SETTLING = 2  # calls of the model until a measured step has passed: its caches are cold yet in the step after it


class Gate(Look):
    """The only hook on a model between two measured steps: counts its calls with gradients on, and asks the clock."""

    def __init__(self, module, then):
        super().__init__(module, then)
        self.steps, self.due, self.clock = 0, 0.0, time.perf_counter

    def __call__(self, module, args):
        if module is self.module and is_grad_enabled():
            self.steps += 1
            now = self.clock()
            if now >= self.due:
                self.then(now)


class Pace:
    """How long steps take where nothing is measured, and so how much slower a measured one is.

    Hooks can't time all that they cost (with hooks on nodes the engine takes longer ways, caches are cold afterwards):
    `factor` is by how much the cost is larger than what is counted.
    """

    def __init__(self):
        self.factor = 1.5
        self._usual: deque = deque(maxlen=5)  # seconds from call to call
        self._began = self._settled = self._counted = 0.0
        self._at = self._left = 0
        self._alone = False

    def begin(self, now):
        """A step is to be measured."""
        self._began, self._left = now, SETTLING

    def end(self, counted, alone):
        """It was: for so many seconds, as far as they were counted; alone: without another call in between."""
        self._counted, self._alone = counted, alone

    def settling(self, now, steps) -> bool:
        """At each call after a measured step: whether its cost still shows."""
        if self._left:
            self._left -= 1
            self._settled, self._at = now, steps
        return self._left > 0

    def learn(self, now, steps):
        """At the call at which the next step becomes due: look back at how long they took."""
        if steps <= self._at or not self._counted or not self._alone:
            return
        self._usual.append((now - self._settled) / (steps - self._at))
        extra = self._settled - self._began - SETTLING * statistics.median(self._usual)
        self.factor += 0.2 * (min(max(extra / self._counted, LEAST), MOST) - self.factor)
