"""How the time of a call grows with its size, and where the curve bends.

Shown is the time per element: it falls while a call's fixed cost is spread over more elements, is level where the work
counts, and rises where the data no longer fit into a cache.  The bends are found, not drawn by eye: log(time per
element) over log(size) is fitted with straight pieces that meet at some of the measured sizes, and a piece more is
taken only if it pays for itself (the Bayesian information criterion).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, pairwise

import numpy as np

from bench.limits import Limits
from bench.report import duration, volume
from bench.row import MINIGRAD
from bench.run import Outcome

PER_DECADE, SMALLEST, LARGEST = 4, 10, 10**7
MOST_BENDS = 3
LEVEL = 0.12  # of a slope: between minus and plus this, a piece is level
LEAST_TURN = 0.2  # of a slope, from one piece to the next: less is not a bend
WIDTH = 40  # of the bars


@dataclass(frozen=True)
class Bend:
    """A size at which the curve turns: the slopes before and after, and how the curve goes on."""

    size: float
    before: float
    after: float
    kind: str


@dataclass
class Curve:
    """One thing at all sizes: {side: seconds per call, in the order of `sizes`}, `bytes` that a call moves at least."""

    name: str
    sizes: list[int]
    seconds: dict[str, list[float]]
    bytes: list[int]
    bends: dict[str, list[Bend]] = field(default_factory=dict)

    def per_element(self, side: str) -> list[float]:
        return [seconds / size for seconds, size in zip(self.seconds[side], self.sizes, strict=True)]


def default_sizes() -> list[int]:
    """Four to a decade, from ten to ten millions."""
    count = round(math.log10(LARGEST / SMALLEST) * PER_DECADE)
    return [round(10 ** (math.log10(SMALLEST) + k / PER_DECADE)) for k in range(count + 1)]


def labels(sizes: Sequence[int]) -> dict[str, int]:
    """{label: size}: labels that no row's name has by chance."""
    return {f"[{size:,}]": size for size in sizes}


def curves(outcomes: Sequence[Outcome], sizes: Sequence[int]) -> list[Curve]:
    """Rows that differ in nothing but their size's label, put together; those with two sizes at least."""
    together: dict[str, list[tuple[int, Outcome]]] = {}
    for outcome in outcomes:
        for label, size in labels(sizes).items():
            if f" {label}" in outcome.row.name and outcome.samples.seconds:
                together.setdefault(outcome.row.name.replace(f" {label}", ""), []).append((size, outcome))
    found = []
    for name, measured in together.items():
        measured.sort(key=lambda pair: pair[0])
        sides = [side for side in measured[0][1].samples.seconds if all(side in o.samples.seconds for _, o in measured)]
        seconds = {side: [o.samples.spread(side).median for _, o in measured] for side in sides}
        curve = Curve(name, [size for size, _ in measured], seconds, [o.bytes for _, o in measured])
        if len(measured) > 1:
            curve.bends = {side: bends(curve.sizes, curve.per_element(side)) for side in sides}
            found.append(curve)
    return found


def fit(x: np.ndarray, y: np.ndarray, knots: Sequence[float]) -> tuple[np.ndarray, float]:
    """Straight pieces that meet at `knots`: (slopes, sum of squared distances), by least squares on hinges."""
    hinges = [np.maximum(x - knot, 0) for knot in knots]
    columns = np.stack([np.ones_like(x), x, *hinges], 1)
    weights = np.linalg.lstsq(columns, y, rcond=None)[0]
    return np.cumsum(weights[1:]), float(((columns @ weights - y) ** 2).sum())


def bends(sizes: Sequence[int], per_element: Sequence[float]) -> list[Bend]:
    """Where log(time per element) over log(size) turns."""
    x, y = np.log10(np.asarray(sizes, float)), np.log10(np.asarray(per_element, float))
    best, chosen = math.inf, ((), np.zeros(1))
    for count in range(min(MOST_BENDS, max(len(x) - 4, 0)) + 1):
        for knots in combinations(range(2, len(x) - 2), count):
            if any(b - a < 2 for a, b in pairwise(knots)):
                continue  # three sizes on a piece at least, the ones at its ends included
            knots = x[list(knots)]
            slopes, squares = fit(x, y, knots)
            # A place and a slope a knot, and a third as the place is the best of many. A rest below one per cent per
            # point is noise, not something to be explained.
            score = len(x) * math.log(squares / len(x) + 1e-4) + 3 * count * math.log(len(x))
            if score < best and np.all(np.abs(np.diff(slopes)) >= LEAST_TURN):
                best, chosen = score, (knots, slopes)
    knots, slopes = chosen
    return [
        Bend(float(10**knot), float(before), float(after), kind(before, after))
        for knot, before, after in zip(knots, slopes, slopes[1:], strict=False)
    ]


def kind(before: float, after: float) -> str:
    """A bend in words."""
    if after > LEVEL:
        return "rises from here" if before <= LEVEL else "rises faster" if after > before else "rises more slowly"
    if after < -LEVEL:
        return "falls from here" if before >= -LEVEL else "falls more slowly" if after > before else "falls faster"
    return "the fixed cost is spread: level from here" if before < -LEVEL else "level again"


def beside_cache(curve: Curve, size: float, limits: Limits) -> str:
    """The cache that a size's data fill within a factor of two, in words; "" if there is none."""
    moved = float(np.interp(math.log(size), np.log(curve.sizes), curve.bytes))
    near = [name for name, held in limits.caches.items() if 0.5 <= moved / held <= 2]
    return f", about the {' and the '.join(near)} cache ({volume(moved)})" if near else ""


def cache_sizes(curve: Curve, limits: Limits) -> dict[str, float]:
    """{cache: the size whose data just fill it}, of those between the smallest and the largest size."""
    if not all(curve.bytes) or curve.bytes[0] == curve.bytes[-1]:
        return {}
    return {
        name: float(np.exp(np.interp(math.log(held), np.log(curve.bytes), np.log(curve.sizes))))
        for name, held in limits.caches.items()
        if curve.bytes[0] < held < curve.bytes[-1]
    }


def text(curve: Curve, limits: Limits) -> str:
    """The curve as lines: size, time, time per element with a bar (logarithmic), rivals; caches and bends beside."""
    ours = curve.per_element(MINIGRAD)
    low, high = math.log(min(ours)), math.log(max(ours))
    marks: dict[int, list[str]] = {}
    for name, size in cache_sizes(curve, limits).items():
        marks.setdefault(_nearest(curve.sizes, size), []).append(f"{name} full")
    for bend in curve.bends.get(MINIGRAD, []):
        marks.setdefault(_nearest(curve.sizes, bend.size), []).append(f"bends: {bend.kind}")
    rivals = [side for side in curve.seconds if side != MINIGRAD]
    wide = [max(9, len(rival)) for rival in rivals]
    lines = [curve.name, f"{'size':>12}{'time':>10}  {'per element':<12}{'':{WIDTH}} " + _row(rivals, wide)]
    for k, size in enumerate(curve.sizes):
        long = round((math.log(ours[k]) - low) / ((high - low) or 1) * (WIDTH - 1)) + 1
        ratios = [f"{curve.seconds[MINIGRAD][k] / curve.seconds[rival][k]:.2f}" for rival in rivals]
        each = f"{ours[k] * 1e9:.3g} ns"
        lines.append(
            f"{size:>12,}{duration(curve.seconds[MINIGRAD][k]):>10}  {each:<12}{'█' * long:{WIDTH}} "
            f"{_row(ratios, wide)}  {'; '.join(marks.get(k, []))}".rstrip()
        )
    for side in curve.bends:
        lines += [
            f"  {side} bends at {bend.size:,.0f} ({bend.kind}{beside_cache(curve, bend.size, limits)}): "
            f"slope {bend.before:+.2f} before, {bend.after:+.2f} after"
            for bend in curve.bends[side]
        ]
    return "\n".join(lines)


def _row(cells, wide):
    return "".join(f"{cell:>{width}}" for cell, width in zip(cells, wide, strict=True))


def _nearest(sizes, size):
    return min(range(len(sizes)), key=lambda k: abs(math.log(sizes[k] / size)))


def as_json(curve: Curve) -> dict:
    return asdict(curve)


def from_json(data: dict) -> Curve:
    found = {side: [Bend(**bend) for bend in bends] for side, bends in data["bends"].items()}
    return Curve(data["name"], data["sizes"], data["seconds"], data["bytes"], found)
