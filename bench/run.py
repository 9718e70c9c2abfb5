"""The loop over the rows: set up every side, check that they do the same, time them."""

from __future__ import annotations

import math
import random
import time
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from bench import environment, textbook, traffic
from bench.row import AUTOGRAD, FUNCTIONAL, JAX, MINIGRAD, NUMPY, TEXTBOOK, TORCH, TWIN_BOUND, NoTwinError, Row
from bench.timing import Side, sampler
from minigrad.utils.benchmark.rounds import MIN_ROUNDS, Samples, Spread, calibrate, measure

STEADY = 0.03  # of a ratio: the standard error of its median that is good enough
FAR = 1 / 3  # a ratio to a twin that need not be known better
MET, UNCLEAR, MISSED = "met", "within noise", "not met"


@dataclass(frozen=True)
class Effort:
    """How long rows may be timed.

    rounds      samples of each side in one pass
    passes      how often a row is set up anew and timed
    more        how many passes more for a row that is unsteady or misses its bound
    minutes     after which only the first pass is still gone through
    """

    rounds: int = 5
    passes: int = 3
    more: int = 4
    minutes: float = 7.0


FULL, QUICK = Effort(), Effort(rounds=3, passes=1, more=0)


def sides(against: Iterable[str], threads: Sequence[int] = (1,)) -> dict[str, Side]:
    """minigrad and the rivals asked for, each with each number of threads: "minigrad", "torch", "minigrad@2", ...

    Raises ImportError if a rival is asked for that is not there.
    """
    import minigrad
    from minigrad.kernels.dispatch import backend

    libraries = {MINIGRAD: (minigrad, lambda: backend("auto"))}
    for rival in against:
        if rival == NUMPY:
            libraries[NUMPY] = (minigrad, lambda: backend("numpy"))
        elif rival == TORCH:
            import torch

            libraries[TORCH] = (torch, nullcontext)
        elif rival == TEXTBOOK:
            libraries[TEXTBOOK] = (textbook, nullcontext)
        elif rival in (JAX, AUTOGRAD):
            from bench import rivals

            libraries[rival] = (rivals.load(rival), nullcontext)
    return {
        at(name, count, threads): Side(name, lib, partial(_scope, scope, count) if len(threads) > 1 else scope)
        for count in threads
        for name, (lib, scope) in libraries.items()
    }


def at(name: str, count: int, threads: Sequence[int]) -> str:
    """A side's name with so many threads; the first number asked for goes without saying."""
    return name if count == threads[0] else f"{name}@{count}"


@contextmanager
def _scope(scope, count):
    environment.set_threads(count)
    with scope():
        yield


@dataclass
class Outcome:
    """A row and what came of it: samples, or the error that a side raised; what it moves and computes at least.

    `loops` are the calls of a sample, once they are known; `done` rows are not timed further.
    """

    row: Row
    samples: Samples = field(default_factory=Samples)
    error: str | None = None
    bytes: int = 0
    flops: int = 0
    loops: dict[str, int] = field(default_factory=dict)
    done: bool = False

    @property
    def known(self) -> set[str]:
        """Twins of which is known that minigrad is thrice as fast: often the slowest side, and not timed further."""
        return {side for side in self.rivals if side.startswith(NUMPY) and self.ratio(side).high < FAR}

    @property
    def rivals(self) -> list[str]:
        return [side for side in self.samples.seconds if side.partition("@")[0] != MINIGRAD]

    def ratio(self, rival) -> Spread:
        """minigrad's time over a rival's with as many threads."""
        return self.samples.ratio(MINIGRAD + "".join(rival.partition("@")[1:]), rival)

    def bounds(self) -> dict[str, float]:
        """The row's own targets, and the one that all rows share: not slower than the NumPy twins."""
        return {NUMPY: TWIN_BOUND, **self.row.targets} if NUMPY in self.rivals else dict(self.row.targets)

    def verdict(self, against) -> str | None:
        """Whether the bound against a rival (or on "seconds") holds; None if there is none or nothing was measured."""
        bound = self.bounds().get(against)
        if bound is None or not self.samples.seconds or (against != "seconds" and against not in self.rivals):
            return None
        return judged(self.samples.spread(MINIGRAD) if against == "seconds" else self.ratio(against), bound)


def judged(spread, bound: float) -> str:
    """Whether a median keeps to its bound; one that does not, but whose lower quartile does, is within noise."""
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
    """{side: its work} of minigrad and of the rivals that this row knows and that have a twin of it.

    With `luck`, the sides are set up in a drawn order, some bytes apart: see `time_row`.  A library that runs with
    several numbers of threads is set up once.
    """
    known = (MINIGRAD, *row.rivals, *(FUNCTIONAL if row.rivals else ()))
    firsts = {side.name: side for side in reversed(contestants.values()) if side.name in known}
    works, names = {}, list(firsts)
    for name in luck.sample(names, len(names)) if luck else names:
        side = firsts[name]
        with side.scope(), nullcontext() if name == MINIGRAD else suppress(NoTwinError):
            apart = bytearray(luck.randrange(1 << 16)) if luck else b""
            works[name] = row.work(side.lib)
            del apart  # its place was taken while the arrays were made
    return {key: works[side.name] for key, side in contestants.items() if side.name in works}


def check(row: Row, contestants: dict[str, Side]) -> Outcome:
    """Run a row once on every side and compare the results; nothing is timed."""
    outcome = Outcome(row)
    try:
        results = {}
        for name, work in set_up(row, contestants).items():
            with contestants[name].scope():
                results[name] = to_arrays(work.outcome())
        for rival, theirs in results.items():
            differs = disagreement(results[MINIGRAD], theirs) if row.alike and rival != MINIGRAD else None
            if differs:
                outcome.error = f"minigrad and {rival} disagree: {differs}"
    except Exception:  # a row that fails is reported with its traceback; the others still run
        outcome.error = traceback.format_exc()
    return outcome


def time_rows(
    rows: Sequence[Row],
    contestants: dict[str, Side],
    effort: Effort,
    clock: Callable[[], float],
    show: Callable[[Iterable[Outcome], str], Iterable[Outcome]] = lambda outcomes, what: outcomes,
) -> tuple[list[Outcome], bool]:
    """Time rows in several passes over all of them; (the outcomes, whether Ctrl-C ended it before the first was done).

    Each pass sets everything up anew.  Where arrays happen to lie (on which pages, at which offsets) can make a large
    sum 1.4 times as slow as its neighbour's, the same in every round: more rounds would only repeat the accident.
    And a neighbour of the machine who is busy now, is not in all passes.

    Rows that are unsteady or miss a bound get more passes.  All samples are kept and pooled: a row gets more of them,
    never a second chance.
    """
    outcomes, end = [Outcome(row) for row in rows], time.monotonic() + 60 * effort.minutes
    try:
        for number in range(effort.passes + effort.more):
            open_rows = [outcome for outcome in outcomes if number < effort.passes or not settled(outcome)]
            for outcome in show([each for each in open_rows if not each.done], f"pass {number + 1}"):
                if number and time.monotonic() > end:
                    break
                time_once(outcome, contestants, effort.rounds, clock, random.Random(number))
    except KeyboardInterrupt:
        return [outcome for outcome in outcomes if outcome.samples.seconds or outcome.error], True
    return [outcome for outcome in outcomes if outcome.samples.seconds or outcome.error], False


def time_once(outcome: Outcome, contestants: dict[str, Side], rounds: int, clock, luck: random.Random) -> None:
    """One pass over one row: its samples are added. An error closes the row; so do rivals none of whom has a twin."""
    row = outcome.row
    try:
        first = not outcome.samples.seconds
        asked = {name: side for name, side in contestants.items() if first or name not in outcome.known}
        works = set_up(row, asked, luck)
        if len(works) == 1 and row.rivals and first:
            outcome.done = True
            return
        samplers = {name: sampler(work, contestants[name].scope, clock) for name, work in works.items()}
        if works[MINIGRAD].self_timed:  # a process of its own each time: nothing is set up here, nothing repeated
            outcome.done, rounds, outcome.loops = True, MIN_ROUNDS, dict.fromkeys(samplers, 1)
        if outcome.loops:
            for sample in samplers.values():
                sample(1)  # warms up what was set up anew, leaves what it compiled on the disk
        else:
            outcome.loops = {name: calibrate(sample) for name, sample in samplers.items()}
        look = min(2, rounds) if first else 0  # at which twins are far slower
        if look:
            outcome.samples.extend(measure(samplers, look, loops=outcome.loops))
        rest = {name: sample for name, sample in samplers.items() if name not in outcome.known}
        if rounds > look:
            outcome.samples.extend(measure(rest, rounds - look, loops=outcome.loops))
        if first:
            with contestants[MINIGRAD].scope():
                outcome.bytes, outcome.flops = traffic.of_row(row, works[MINIGRAD], contestants[MINIGRAD].lib)
    except Exception:
        outcome.done, outcome.error = True, traceback.format_exc()


def settled(outcome: Outcome) -> bool:
    """Whether all ratios are known well enough, and none misses its bound."""
    missed = any(outcome.verdict(against) in (UNCLEAR, MISSED) for against in outcome.bounds())
    return not missed and all(outcome.ratio(rival).error() <= STEADY for rival in outcome.rivals)


def geometric_mean(ratios: Iterable[float]) -> float:
    logs = [math.log(ratio) for ratio in ratios]
    return math.exp(sum(logs) / len(logs)) if logs else math.nan
