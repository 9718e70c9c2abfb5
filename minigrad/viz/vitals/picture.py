"""A `Health` as a figure: outputs and gradients of the layers as distributions over depth, and steps over time.

Used by `report.py`. After Glorot & Bengio (2010), figures 2 to 7: one shape for each layer, in the order of the pass.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.viz.plots import common
from minigrad.viz.vitals.report import SIGNS, signs_of
from minigrad.viz.vitals.words import WORDS

__all__ = ["picture"]

BINS = 40
MOST_LAYERS = 40  # shapes in a picture; of more, so many spread evenly
MOST_CURVES = 12
BLUE, GREEN, VERMILION, AMBER = "#0072b2", "#009e73", "#d55e00", "#e69f00"  # Okabe and Ito
SIGN_COLOURS = {"error": VERMILION, "warning": "#a86f00", "note": BLUE, "": common.INK}
LONGEST, NAMED = 18, 24
SMOOTH = np.array([1, 4, 6, 4, 1]) / 16
UNEVEN = 8.0  # times the usual spread


def picture(health, path=None):
    """`Health.plot`."""
    target = common.start(path, "Health.plot()")
    words = WORDS[health.language]
    layers, signs = _shown(health)
    curves = [p for p in health.findings.parameters if len(p.shape) > 1 and p.history.values]
    timed = any(len(p.history.values) > 1 for p in curves)
    with common.settings():
        wide = 3.6 + 0.34 * max(len(layers), 6)
        figure = common.figure_of(min(max(wide, 7.5), 17.0), 8.4 if curves else 5.8)
        common.heading(figure, words["title"], health.heading())
        panels = figure.subplots(3 if curves else 2, 1)
        _shapes(panels[0], layers, signs, words["outputs-picture"], "out", words)
        _shapes(panels[1], layers, signs, words["grads-picture"], "grad", words)
        if curves:
            (_curves if timed else _points)(panels[2], curves, words)
        return common.finish(figure, target, "Health.plot()")


def _shown(health):
    """The layers that have something to show, and the severity of what is said of each."""
    pairs = zip(health.findings.layers, signs_of(health.rows, health.verdicts), strict=True)
    found = [(layer, sign) for layer, sign in pairs if layer.out is not None and layer.out.size]
    if len(found) > MOST_LAYERS:
        chosen = np.linspace(0, len(found) - 1, MOST_LAYERS).round().astype(int)
        found = [found[i] for i in chosen]
    return [layer for layer, _ in found], [sign for _, sign in found]


def _shapes(axes, layers, signs, title, which, words):
    """One distribution for each layer, side by side."""
    axes.set_title(title, loc="left", fontsize=11, color=common.SOFT)
    common.plain(axes)
    axes.grid(axis="x", visible=False)
    samples = [_values(getattr(layer, which), which) for layer in layers]
    known = [values for values, _ in samples if values.size]
    if not known:
        axes.text(0.5, 0.5, words["nothing"], ha="center", va="center", transform=axes.transAxes, color=common.SOFT)
        axes.set_xticks([])
        axes.set_yticks([])
        return
    edges = _edges(axes, known, which)
    for i, (values, zeros) in enumerate(samples):
        colour = SIGN_COLOURS[signs[i]] if signs[i] in ("error", "warning") else (BLUE if which == "out" else GREEN)
        if values.size:
            _shape(axes, i, values, edges, colour)
        if zeros > 0.005:
            axes.annotate(
                f"{100 * zeros:.0f}%", (i, 1.0), xycoords=("data", "axes fraction"), ha="center", va="bottom",
                fontsize=7, color=common.SOFT,
            )  # fmt: skip
    if any(zeros > 0.005 for _, zeros in samples):
        axes.set_title(title, loc="left", fontsize=11, color=common.SOFT, pad=15)
        axes.set_title(words["zero"], loc="right", fontsize=8, color=common.SOFT, pad=15)
    axes.set_xlim(-0.7, len(layers) - 0.3)
    axes.set_ylim(edges[0], edges[-1])
    _names(axes, [_label(layer, len(layers)) for layer in layers], signs)


def _shape(axes, i, values, edges, colour):
    """One distribution: as wide at a value as values there are many, and a line at the median."""
    counts = np.histogram(values, edges)[0].astype(float)
    counts = np.convolve(np.pad(counts, 2, mode="edge"), SMOOTH, mode="valid")
    half = 0.46 * counts / max(counts.max(), 1e-9)
    middles = (edges[1:] + edges[:-1]) / 2
    axes.fill_betweenx(middles, i - half, i + half, where=half > 0.004, color=colour, alpha=0.8, linewidth=0)
    axes.hlines(np.median(values), i - 0.3, i + 0.3, color="white", linewidth=2.2)
    axes.hlines(np.median(values), i - 0.3, i + 0.3, color=common.INK, linewidth=1.0)


def _values(stats, which):
    """(what is drawn of a sample, the share of zeros). Gradients are drawn by their order of magnitude."""
    if stats is None or not stats.sample.size:
        return np.empty(0), 0.0
    sample = stats.sample[np.isfinite(stats.sample)]
    if which == "out":
        return sample, stats.zeros
    sample = np.abs(sample)
    return np.log10(sample[sample > 0]), stats.zeros


def _edges(axes, samples, which):
    """The edges of the bins. Where some layers' outputs are far larger than others', large values are drawn closer."""
    together = np.concatenate(samples)
    if which == "grad":
        return np.linspace(math.floor(together.min() - 0.2), math.ceil(together.max() + 0.2), BINS + 1)
    low, high = (float(v) for v in np.quantile(together, (0.002, 0.998)))
    margin = 0.05 * (high - low) or 0.5
    spreads = [float(values.std()) for values in samples if values.std() > 0] or [1.0]
    usual = float(np.median(spreads))
    if max(spreads) < UNEVEN * usual:
        return np.linspace(low - margin, high + margin, BINS + 1)
    axes.set_yscale("asinh", linear_width=usual)
    return usual * np.sinh(
        np.linspace(math.asinh((low - margin) / usual), math.asinh((high + margin) / usual), BINS + 1)
    )


def _label(layer, count):
    return f"{layer.title} {layer.kind}" if count <= NAMED and layer.title.replace(".", "").isdigit() else layer.title


def _names(axes, names, signs):
    shown = [name if len(name) <= LONGEST else "…" + name[1 - LONGEST :] for name in names]
    shown = [f"{SIGNS[sign]} {name}" if sign in ("error", "warning") else name for name, sign in zip(shown, signs)]
    turned = max(map(len, shown)) * len(shown) > 70
    axes.set_xticks(
        range(len(shown)), shown, rotation=45 if turned else 0, ha="right" if turned else "center", fontsize=8,
        rotation_mode="anchor",
    )  # fmt: skip
    for label, sign in zip(axes.get_xticklabels(), signs):
        label.set_color(SIGN_COLOURS[sign])


def _curves(axes, parameters, words):
    """‖Δw‖/‖w‖ of each weight over the steps."""
    if len(parameters) > MOST_CURVES:
        chosen = np.linspace(0, len(parameters) - 1, MOST_CURVES).round().astype(int)
        parameters = [parameters[i] for i in chosen]
    floor = _usual(axes, [value for p in parameters for value in p.history.values], words)
    colours = (*common.COLOURS, *common.MORE_COLOURS)
    for i, parameter in enumerate(parameters):
        series = parameter.history
        axes.plot(
            series.steps, np.maximum(series.values, floor), color=colours[i % len(colours)], linewidth=1.5,
            linestyle=common.LINES[i // len(common.COLOURS) % len(common.LINES)], label=parameter.name,
        )  # fmt: skip
    axes.set_xlabel(words["step"])
    common.legend(axes, loc="center left", bbox_to_anchor=(1.0, 0.5))


def _points(axes, parameters, words):
    """‖Δw‖/‖w‖ of each weight, of one step."""
    parameters = parameters[:MOST_LAYERS]
    values = [p.history.values[-1] for p in parameters]
    floor = _usual(axes, values, words)
    axes.plot(range(len(values)), np.maximum(values, floor), "o", color=BLUE, markersize=7)
    axes.set_xlim(-0.7, len(values) - 0.3)
    _names(axes, [p.name for p in parameters], [""] * len(parameters))


def _usual(axes, values, words):
    """Axes for ratios, with what is usual marked; the height at which 0 is drawn."""
    axes.set_title(words["ratios-picture"], loc="left", fontsize=11, color=common.SOFT)
    axes.set_title(words["usual"], loc="right", fontsize=8, color="#00694d")
    common.plain(axes)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:.0e}".replace("e-0", "e-").replace("e+0", "e"))
    axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.axhspan(1e-4, 1e-2, color=GREEN, alpha=0.10, linewidth=0)
    axes.axhline(1e-3, color=GREEN, linewidth=1, linestyle="--")
    positive = [value for value in values if value > 0 and math.isfinite(value)]
    return max(min(positive, default=1e-4) / 10, 1e-30)
