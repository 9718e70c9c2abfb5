"""A run as a picture: one bar a row, from 1 towards its ratio, on a log scale."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from itertools import groupby

from bench.report import factor
from bench.run import Outcome

FASTER, TIE, SLOWER = "#2a9d5c", "#9aa0a6", "#d1495b"
ROW_HEIGHT, HEAD = 0.17, 0.55  # inches
ROWS_PER_COLUMN = 75
SHORTEST = 8  # rows, of a panel that goes on in the next column
TITLE = 3  # rows that a panel's title and scale take up


def available() -> bool:
    """Whether there is a matplotlib to draw with."""
    return importlib.util.find_spec("matplotlib") is not None


def colour(ratio: float) -> str:
    if ratio <= 0.95:
        return FASTER
    return TIE if ratio <= 1.05 else SLOWER


def panels(outcomes: Iterable[Outcome]) -> list[tuple[str, str, list[tuple[str, object]]]]:
    """(family, rival, [(name, ratio)]) for each family and rival that have figures."""
    found = []
    for family, group in groupby(outcomes, key=lambda outcome: outcome.row.family):
        group = [outcome for outcome in group if outcome.samples.seconds]
        for rival in dict.fromkeys(rival for outcome in group for rival in outcome.rivals):
            rows = [
                (outcome.row.name.partition("/")[2], outcome.ratio(rival))
                for outcome in group
                if rival in outcome.rivals
            ]
            found.append((family, rival, rows))
    return found


def columns(found, limit=None) -> list[list]:
    """The panels dealt into columns of at most `limit` rows, by default five columns; long panels go on in the next."""
    if limit is None:  # a fifth of all, and a little for the panels that did not fit
        limit = max(ROWS_PER_COLUMN, int(0.21 * sum(len(rows) + TITLE for _, _, rows in found)))
    dealt, filled = [[]], 0
    for family, rival, rows in found:
        start = 0
        while start < len(rows):
            room = limit - filled - TITLE
            if len(rows) - start > room < SHORTEST:
                dealt.append([])
                filled, room = 0, limit - TITLE
            part = rows[start : start + room]
            dealt[-1].append((family, rival + (", continued" if start else ""), part))
            start += len(part)
            filled += len(part) + TITLE
    return dealt


def draw(outcomes: Iterable[Outcome], environment: dict, path: str) -> bool:
    """Write the picture, if there are ratios to draw; the ending of `path` says the format (png, svg, pdf)."""
    found = panels(outcomes)
    if found:
        bars(found, environment, path)
    return bool(found)


def bars(found: list[tuple], environment: dict, path: str, bounds: Mapping[str, float] | None = None) -> None:
    """Draw the panels (family, rival, [(name, ratio)]), with a mark at each row's bound: {"family/name": bound}."""
    from matplotlib.figure import Figure

    bounds = bounds or {}
    dealt = columns(found)
    tallest = max(sum(len(rows) * ROW_HEIGHT + HEAD for _, _, rows in column) for column in dealt)
    width, margin = 5.6, 0.7
    figure = Figure(figsize=(width * len(dealt), tallest + margin), dpi=110, facecolor="white")
    top = tallest + margin
    ratios = [ratio for _, _, rows in found for _, ratio in rows]
    low = min(0.45, min(ratio.low for ratio in ratios))
    high = max(2.2, max(ratio.high for ratio in ratios))
    for k, column in enumerate(dealt):
        y = top - margin
        for family, rival, rows in column:
            tall = len(rows) * ROW_HEIGHT
            y -= HEAD * 0.6
            box = ((k + 0.47) / len(dealt), (y - tall) / top, 0.46 / len(dealt), tall / top)
            axes = figure.add_axes(box)
            _panel(axes, family, rival, rows, (low / 1.1, high * 1.1))
            marks = [
                (bounds[f"{family}/{name}"], k) for k, (name, _) in enumerate(rows) if f"{family}/{name}" in bounds
            ]
            if marks:
                axes.plot(*zip(*marks, strict=True), "|", color="#202124", markersize=7, markeredgewidth=1.6)
            y -= tall + HEAD * 0.4
    versions = " ".join(f"{name} {version}" for name, version in environment["versions"].items())
    lines = (
        "minigrad's time / rival's: left of 1, minigrad is faster (lines: quartiles)"
        + ("; black mark: the bound" if bounds else ""),
        f"{environment['cpu']}, {' and '.join(map(str, environment['threads']))} thread(s), {environment['clock']}",
        versions,
    )
    figure.text(0.05 / len(dealt), 1 - 0.1 / top, "\n".join(lines), va="top", fontsize=8)
    figure.savefig(path)


def _panel(axes, family, rival, rows, limits):
    places = range(len(rows))
    medians = [ratio.median for _, ratio in rows]
    axes.barh(places, [m - 1 for m in medians], left=1, height=0.72, color=[colour(m) for m in medians])
    axes.hlines(places, [r.low for _, r in rows], [r.high for _, r in rows], color="#202124", linewidth=0.8)
    axes.axvline(1, color="#202124", linewidth=0.8)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50) if limits[0] <= tick <= limits[1]]
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=6)
    axes.minorticks_off()
    axes.set_yticks(places, [name for name, _ in rows], fontsize=6.5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(length=2, pad=2)
    axes.grid(axis="x", color="#dadce0", linewidth=0.5)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.set_title(f"{family} / {rival}", fontsize=8, fontweight="bold", loc="left", pad=3)
    for place, median in zip(places, medians, strict=True):
        beside = axes.get_yaxis_transform()
        axes.text(1.01, place, factor(median), transform=beside, va="center", fontsize=6.5, color="#3c4043")
