"""The loop over the rows: set up every side, check that they do the same, time them."""

from __future__ import annotations

import math
import random
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field

import numpy as np

from bench.row import MINIGRAD, NUMPY, TORCH, TWIN_BOUND, NoTwinError, Row
from bench.timing import Samples, Side, Spread, measure

STEADY = 0.02  # of a ratio: the standard error of its median that is good enough
SETUPS, EXTENSIONS = 3, 6
PATIENCE = 30  # seconds after which a row is not extended
MET, UNCLEAR, MISSED = "met", "within noise", "not met"


def sides(against: Iterable[str]) -> dict[str, Side]:
    """minigrad and the rivals asked for. Raises ImportError if torch is asked for and not there."""
    import minigrad
    from minigrad.kernels.dispatch import backend

    found = {MINIGRAD: Side(MINIGRAD, minigrad, lambda: backend("auto"))}
    for rival in against:
        if rival == NUMPY:
            found[NUMPY] = Side(NUMPY, minigrad, lambda: backend("numpy"))
        else:
            import torch

            found[TORCH] = Side(TORCH, torch, nullcontext)
    return found


@dataclass
class Outcome:
    """A row and what came of it: samples, or the error that a side raised."""

    row: Row
    samples: Samples = field(default_factory=Samples)
    error: str | None = None

    @property
    def rivals(self) -> list[str]:
        return [side for side in self.samples.seconds if side != MINIGRAD]

    def ratio(self, rival) -> Spread:
        return self.samples.ratio(MINIGRAD, rival)

    def bounds(self) -> dict[str, float]:
        """The row's own targets, and the one that all rows share: not slower than the NumPy twins."""
        return {NUMPY: TWIN_BOUND, **self.row.targets} if NUMPY in self.rivals else dict(self.row.targets)

    def verdict(self, against) -> str | None:
        """Whether the bound against a rival (or on "seconds") holds; None if there is none or nothing was measured."""
        bound = self.bounds().get(against)
        if bound is None or not self.samples.seconds or (against != "seconds" and against not in self.rivals):
            return None
        spread = self.samples.spread(MINIGRAD) if against == "seconds" else self.ratio(against)
        if spread.median <= bound:
            return MET
        return UNCLEAR if spread.low <= bound else MISSED


def to_arrays(value) -> list[np.ndarray]:
    """All arrays in what a row returned, in order; tensors of any library, arrays, numbers, nested sequences."""
    if value is None:
        return []
    if isinstance(value, (tuple, list)):
        return [array for each in value for array in to_arrays(each)]
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    return [np.array(value)]


def disagreement(ours, theirs, tolerance=2e-3) -> str | None:
    """What differs between two sides' results, or None. It asks whether they did the same work, not how exactly."""
    if len(ours) != len(theirs):
        return f"{len(ours)} results against {len(theirs)}"
    for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        if a.shape != b.shape:
            return f"result {k}: shape {a.shape} against {b.shape}"
        scale = float(np.abs(b[np.isfinite(b)]).max(initial=0)) if b.size and b.dtype.kind == "f" else 0
        if not np.allclose(a, b, rtol=tolerance, atol=tolerance * scale + 1e-6, equal_nan=True):
            most = np.nanmax(np.abs(a.astype(float) - b))
            return f"result {k}: values differ by up to {most:.3g} where the largest is {scale:.3g}"
    return None


def set_up(row: Row, contestants: dict[str, Side], luck: random.Random | None = None):
    """(work, scope) of minigrad and of the rivals that this row knows and that have a twin of it.

    With `luck`, the sides are set up in a drawn order, some bytes apart: see `time_row`.
    """
    works = {}
    names = [name for name in contestants if name == MINIGRAD or name in row.rivals]
    for name in luck.sample(names, len(names)) if luck else names:
        side = contestants[name]
        with side.scope(), nullcontext() if name == MINIGRAD else suppress(NoTwinError):
            apart = bytearray(luck.randrange(1 << 16)) if luck else b""
            works[name] = (row.work(side.lib), side.scope)
            del apart  # its place was taken while the arrays were made
    return works


def check(row: Row, contestants: dict[str, Side]) -> Outcome:
    """Run a row once on every side and compare the results; nothing is timed."""
    outcome = Outcome(row)
    try:
        results = {}
        for name, (work, scope) in set_up(row, contestants).items():
            with scope():
                results[name] = to_arrays(work.outcome())
        for rival, theirs in results.items():
            differs = disagreement(results[MINIGRAD], theirs) if row.alike and rival != MINIGRAD else None
            if differs:
                outcome.error = f"minigrad and {rival} disagree: {differs}"
    except Exception:  # a row that fails is reported with its traceback; the others still run
        outcome.error = traceback.format_exc()
    return outcome


def time_row(row: Row, contestants: dict[str, Side], rounds: int, clock: Callable[[], float]) -> Outcome:
    """Time a row in `SETUPS` parts; while a ratio is unsteady or misses its bound, in up to `EXTENSIONS` more.

    Each part sets everything up anew.  Where arrays happen to lie (on which pages, at which offsets) can make a large
    sum 1.4 times as slow as its neighbour's, the same in every round: more rounds would only repeat the accident.

    All samples are kept and pooled: a row gets more of them, never a second chance.
    """
    outcome, luck, end = Outcome(row), random.Random(0), time.monotonic() + PATIENCE
    try:
        for part in range(SETUPS + EXTENSIONS):
            if part >= SETUPS and (settled(outcome) or time.monotonic() > end):
                break
            outcome.samples.extend(measure(set_up(row, contestants, luck), -(-rounds // SETUPS), clock))
    except Exception:
        outcome.error = traceback.format_exc()
    return outcome


def settled(outcome: Outcome) -> bool:
    """Whether all ratios are known well enough, and none misses its bound."""
    missed = any(outcome.verdict(against) in (UNCLEAR, MISSED) for against in outcome.bounds())
    return not missed and all(outcome.ratio(rival).error() <= STEADY for rival in outcome.rivals)


def clock_for(threads: int) -> tuple[str, Callable[[], float]]:
    """CPU time of this thread; with several threads at work only the wall clock sees them all."""
    return ("thread CPU time", time.thread_time) if threads == 1 else ("wall clock", time.perf_counter)


def geometric_mean(ratios: Iterable[float]) -> float:
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
