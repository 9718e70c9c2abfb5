"""Curves of scaling as a picture: time per element over size, each side a line, bends and caches marked."""

from __future__ import annotations

from collections.abc import Sequence

from bench.limits import Limits
from bench.row import AUTOGRAD, JAX, MINIGRAD, NUMPY, TORCH
from bench.scaling import Curve, cache_sizes

COLOURS = {MINIGRAD: "#1a73e8", NUMPY: "#9aa0a6", TORCH: "#e8710a", JAX: "#9334e6", AUTOGRAD: "#5f6368"}
INK, FAINT = "#202124", "#dadce0"
ACROSS = 2  # panels in a row


def draw(curves: Sequence[Curve], limits: Limits, environment: dict, path: str) -> None:
    """Write the picture; the ending of `path` says the format (png, svg, pdf)."""
    from matplotlib.figure import Figure

    down = -(-len(curves) // ACROSS)
    across = min(ACROSS, len(curves))
    figure = Figure(figsize=(5.6 * across, 3.7 * down + 0.6), dpi=110, facecolor="white", layout="constrained")
    panels = figure.subplots(down, across, squeeze=False).flat
    for panel, curve in zip(panels, curves, strict=False):
        _panel(panel, curve, limits)
    for panel in list(figure.axes)[len(curves) :]:
        panel.set_visible(False)
    versions = " ".join(f"{name} {version}" for name, version in environment["versions"].items())
    figure.suptitle(f"{environment['cpu']}, one thread; {versions}", fontsize=8, color=INK)
    figure.savefig(path, facecolor="white")


def _panel(axes, curve: Curve, limits: Limits) -> None:
    for side in reversed(list(curve.seconds)):
        colour = COLOURS.get(side.partition("@")[0], INK)
        strong = side == MINIGRAD
        nanoseconds = [1e9 * each for each in curve.per_element(side)]
        axes.plot(
            curve.sizes, nanoseconds, color=colour, label=side, linewidth=2 if strong else 1.2,
            marker="o", markersize=3 if strong else 2, zorder=3 if strong else 2,
        )  # fmt: skip
        for bend in curve.bends.get(side, []) if strong else []:
            k = min(range(len(curve.sizes)), key=lambda k, bend=bend: abs(curve.sizes[k] - bend.size))
            axes.annotate(
                f"bends at\n{bend.size:,.0f}", (curve.sizes[k], nanoseconds[k]), (0, -34), textcoords="offset points",
                ha="center", fontsize=7, color=colour, arrowprops={"arrowstyle": "->", "color": colour, "lw": 0.9},
            )  # fmt: skip
    axes.set_xscale("log")
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 4, high * 1.2)  # room for the bends below the curve
    for name, size in cache_sizes(curve, limits).items():
        axes.axvline(size, color=INK, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        above = axes.get_xaxis_transform()
        axes.text(size, 1.0, f"{name} full", transform=above, fontsize=7, color=INK, ha="center", va="bottom")
    axes.set_title(curve.name, fontsize=9, fontweight="bold", loc="left", color=INK, pad=14)
    axes.set_xlabel("elements", fontsize=8)
    axes.set_ylabel("ns per element", fontsize=8)
    axes.tick_params(labelsize=7)
    axes.grid(color=FAINT, linewidth=0.5)
    axes.set_axisbelow(True)
    axes.legend(fontsize=7, frameon=False)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
