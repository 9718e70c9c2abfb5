"""Loss surfaces as pictures, flat and in space, with the paths of optimizers on them."""

from __future__ import annotations

import numpy as np

from minigrad.errors import describe
from minigrad.viz.plots.common import (
    GRID,
    INK,
    LINES,
    SOFT,
    as_array,
    colour,
    fault,
    figure_of,
    finish,
    heading,
    legend,
    mixed,
    settings,
    start,
    view_of,
)
from minigrad.viz.plots.surfaces import Plane, Surface, function_of, network_of, vector_of

__all__ = ["loss_surface"]

KINDS = ("contour", "3d", "both")
LEVELS = 16
FUNCTION_POINTS, MODEL_POINTS, FINE = 121, 33, 80  # along each side; below the last, they are drawn with some between
STEEP = 12.0  # largest height over the middle one, beyond which heights are drawn by their logarithm
ELEVATION, AZIMUTH, BOX = 38, -60, (4, 4, 3)  # where a hilly picture is looked at from, in degrees; its proportions
LOW, HIGH, STAR = "#fafbf7", "#66809f", "#ffd23f"


def loss_surface(
    fn, loss=None, path=None, *, paths=None, through=None, kind="both", bounds=None, resolution=None, log=None, seed=0,
    title=None,
):  # fmt: skip
    """loss_surface(fn, path=None) or loss_surface(model, loss, path=None) -> Figure.  A loss as a landscape.

    fn       a function of two variables, ``f(x, y)`` of Tensors; or the name of a test function: "bowl", "ravine",
             "saddle", "two valleys", "rosenbrock", "beale", "himmelblau", "rastrigin"; or a Module, with
    loss     a function of the model: ``lambda model: F.mse_loss(model(x), y)``
    path     where to save it, too (.png, .svg or .pdf)
    paths    ways over the surface, ``{"Adam": points}``: points (N, 2); of a model its weights from step to step
             (Modules, state_dicts or vectors), seen in the plane in which they vary most
    through  of a model: three weights (Modules, state_dicts or vectors), for the plane through them. Without it and
             without paths the plane goes through the model's weights in two random directions, normalised filter by
             filter (Li et al. 2018, arXiv:1712.09913), drawn from `seed`
    kind     "contour", "3d" or "both"
    bounds   ((left, right), (bottom, top))
    log      draw heights by their logarithm; by default where a few are much higher than the others

    A model is copied and run in evaluation mode; it is left as it was. Raises TypeError for what is no function,
    model or loss, ValueError for unknown names and other shapes.
    """
    who = "loss_surface()"
    target = start(path, who)
    check_kind(kind, who)
    paths = {} if paths is None else paths
    if not isinstance(paths, dict):
        raise TypeError(fault(who, "paths", describe(paths), "a dict: {name: points}"))
    marks = {}
    if hasattr(fn, "named_parameters"):
        model = network_of(fn, loss, who)
        ways = {str(k): np.array([vector_of(w, model, who, "paths") for w in way]) for k, way in paths.items()}
        plane, marks = _plane(model, ways, through, seed, who)
        ways = {name: plane.places(way) for name, way in ways.items()}
        seen = np.concatenate([*ways.values(), *marks.values()])
        aim = 1.0 if through is None and not ways else 0.0  # as far again as the weights themselves
        view = view_of(np.concatenate([seen - aim, seen + aim]), bounds, who, around=0.0 if aim else 0.25)
        surface = Surface.of_model(model, loss, plane, view, resolution or MODEL_POINTS, who)
        title = title or f"Loss of {type(fn).__name__}"
    else:
        function = function_of(fn, who, bounds)
        ways = {str(name): as_array(way, who, "paths", 2, "points (N, 2)").astype(float) for name, way in paths.items()}
        surface = Surface.of_function(function, resolution or FUNCTION_POINTS, who)
        title = title or titled(function)
    with settings():
        figure, _ = drawn(surface, ways, kind, log, title, marks=marks)
        return finish(figure, target, who)


def in_space(axes):
    """Whether axes are of three dimensions."""
    return hasattr(axes, "get_zlim")


def check_kind(kind, who):
    """Refuse an unknown kind."""
    if kind not in KINDS:
        raise ValueError(fault(who, "kind", repr(kind), "'contour', '3d' or 'both'"))


def titled(function):
    """A test function's name and formula."""
    name = function.name[:1].upper() + function.name[1:]
    return f"{name}  {function.formula}" if function.formula else name


def _plane(model, ways, through, seed, who):
    here = vector_of(model, model, who, "model")
    if through is not None:
        if len(through) != 3:
            raise ValueError(fault(who, "through", f"{len(through)} weights", "three"))
        three = [vector_of(weights, model, who, "through") for weights in through]
        plane = Plane.through(*three, who)
        return plane, {str(k + 1): plane.places([vector]) for k, vector in enumerate(three)}
    if ways:
        return Plane.along(list(ways.values()), here), {}
    return Plane.random(model, seed), {"here": np.zeros((1, 2))}


# ---- drawing


class Scale:
    """How heights become colours and places in space: as they are, or by their logarithm above the lowest."""

    def __init__(self, heights, log):
        known = heights[np.isfinite(heights)]
        self.least, self.most = (float(known.min()), float(known.max())) if known.size else (0.0, 1.0)
        middle = float(np.median(known)) - self.least if known.size else 1.0
        self.log = (self.most - self.least > STEEP * middle) if log is None else bool(log)
        self.unit = max(float(np.quantile(known - self.least, 0.02)) if known.size else 1.0, 1e-30)
        self.unit = min(self.unit, (self.most - self.least) / 100 or 1.0)

    def __call__(self, heights):
        raised = np.clip(heights - self.least, 0.0, None)
        return np.log10(1.0 + raised / self.unit) if self.log else raised + self.least

    def ticks(self):
        """(places, texts) for an axis of heights by their logarithm: powers of ten."""
        powers = range(int(np.ceil(np.log10(self.unit))), int(np.floor(np.log10(self.most - self.least))) + 1)
        powers = list(powers)[:: max(1, len(powers) // 4)]
        return [float(self(self.least + 10.0**p)) for p in powers], [f"{10.0**p:g}" for p in powers]


def drawn(surface, ways, kind, log, title, marks=None, note="", of_ways=None, moving=False):
    """The figure of a surface with ways over it, and {axes: [(line, the points of its way)]}. `moving`: the ends of the
    ways are left out."""
    surface = surface.finer(3) if len(surface.up) < FINE else surface
    scale, lines = Scale(surface.heights, log), {}
    figure = figure_of(10.4 if kind == "both" else 6.4 if ways else 5.4, 4.7)
    if kind in ("contour", "both"):
        axes = figure.add_subplot(1, 2 if kind == "both" else 1, 1)
        _contours(axes, surface, scale)
        lines[axes] = _ways_on_map(axes, surface, ways, marks or {}, not moving)
    if kind in ("3d", "both"):
        axes = figure.add_subplot(1, 2 if kind == "both" else 1, 2 if kind == "both" else 1, projection="3d")
        axes.computed_zorder = False  # ways lie on the surface, and are to be seen
        _hills(axes, surface, scale)
        lines[axes] = _ways_on_hills(axes, surface, scale, ways, marks or {}, not moving)
    if ways:
        first = next(iter(lines))
        legend(first, loc="upper left" if kind == "3d" else "best", title=of_ways)
    heading(figure, title, note)
    return figure, lines


def _colours():
    from matplotlib.colors import ListedColormap

    return ListedColormap(mixed(LOW, HIGH, np.linspace(0, 1, 256)), name="heights")


def _contours(axes, surface, scale):
    z = np.ma.masked_invalid(scale(surface.heights))
    levels = np.linspace(z.min(), z.max() if z.max() > z.min() else z.min() + 1, LEVELS + 1)
    axes.contourf(surface.across, surface.up, z, levels, cmap=_colours())
    axes.contour(surface.across, surface.up, z, levels[1:-1], colors=HIGH, linewidths=0.5, linestyles="-", alpha=0.6)
    axes.set(xlabel=surface.axes[0], ylabel=surface.axes[1], xlim=_ends(surface.across), ylim=_ends(surface.up))
    for k, place in enumerate(surface.minima):  # above the ends of ways, which show between a star's rays
        axes.plot(*place, marker="*", markersize=13, color=STAR, markeredgecolor=INK, linestyle="none", zorder=7.5,
                  label="minimum" if k == 0 else None)  # fmt: skip


def _hills(axes, surface, scale):
    from matplotlib.colors import LightSource

    z = scale(surface.heights)
    x, y = np.meshgrid(surface.across, surface.up)
    low, high = np.nanmin(z), np.nanmax(z)
    shares = (np.nan_to_num(z, nan=high) - low) / (high - low or 1.0)
    lit = LightSource(azdeg=315, altdeg=50).shade_rgb(
        mixed(LOW, HIGH, shares), shares * len(x) / 2.5, blend_mode="soft", fraction=0.7
    )
    axes.plot_surface(
        x, y, z, facecolors=lit, rstride=1, cstride=1, linewidth=0, antialiased=False, shade=False, zorder=1,
        rasterized=True,
    )  # fmt: skip
    _contours_on_hills(axes, surface, z, np.linspace(low, high, LEVELS + 1)[1:-1])
    axes.set_xlabel(surface.axes[0], labelpad=7)
    axes.set_ylabel(surface.axes[1], labelpad=7)
    axes.set(xlim=_ends(surface.across), ylim=_ends(surface.up))
    if scale.log:
        axes.set_zticks(*scale.ticks())
    axes.set_zlabel(
        f"{surface.name if surface.name == 'loss' else 'f'}{' (logarithmic)' if scale.log else ''}", rotation=90
    )
    axes.zaxis.set_rotate_label(False)
    axes.view_init(elev=ELEVATION, azim=AZIMUTH)
    axes.set_proj_type("ortho")
    axes.set_box_aspect(BOX, zoom=0.95)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set_facecolor("white")
        axis.pane.set_edgecolor(GRID)
        axis._axinfo["grid"].update(color=GRID, linewidth=0.6)
        axis.set_tick_params(labelsize=8, labelcolor=SOFT)


def _contours_on_hills(axes, surface, z, levels):
    """Contours where no hill stands before them."""
    from contourpy import contour_generator
    from matplotlib.collections import LineCollection

    lines = contour_generator(surface.across, surface.up, np.ma.masked_invalid(z))
    seen = []
    for level in levels:
        for line in lines.lines(level):
            points = np.column_stack([line, np.full(len(line), level)])
            visible = _is_visible(surface, z, points)
            breaks = np.flatnonzero(np.diff(visible)) + 1
            parts = zip(np.split(line, breaks), np.split(visible, breaks), strict=True)
            seen += [(part, level) for part, shown in parts if shown[0] and len(part) > 1]
    if seen:
        lines = LineCollection([part for part, _ in seen], colors=INK, linewidths=0.4, alpha=0.45, zorder=2)
        axes.add_collection3d(lines, zs=[level for _, level in seen], autolim=False)


def _is_visible(surface, z, points):
    """Which points of the surface nothing stands before: go from each towards the eye, in steps, and look down."""
    low, high = np.nanmin(z), np.nanmax(z)
    size = np.array([np.ptp(surface.across), np.ptp(surface.up), high - low or 1.0]) / BOX
    up, around = np.radians(ELEVATION), np.radians(AZIMUTH)
    towards = size * (np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up))
    steps = np.linspace(0.03, BOX[2] / np.sin(up), 100)[:, None, None]
    at = (points + steps * towards).reshape(-1, 3)
    ground = raised(surface, lambda _: z, at[:, :2])[:, 2]
    above = ~(ground > at[:, 2] + 0.004 * (high - low))
    return above.reshape(len(steps), -1).all(axis=0)


def _ends(values):
    return float(values[0]), float(values[-1])


def _look(k, name):
    from matplotlib import patheffects

    return {
        "color": colour(k), "linestyle": LINES[k // 6 % len(LINES)], "linewidth": 1.8, "label": name,
        "path_effects": [patheffects.withStroke(linewidth=3.4, foreground="white")],
    }  # fmt: skip


def _ways_on_map(axes, surface, ways, marks, ends):
    lines = []
    for k, (name, way) in enumerate(ways.items()):
        few = {"marker": "o", "markersize": 3} if len(way) <= 60 and ends else {}
        lines.append((axes.plot(*way.T, **_look(k, name), **few, zorder=4)[0], way))
    for k, way in enumerate(ways.values() if ends else ()):
        axes.plot(*way[-1:].T, marker="o", markersize=8, color=colour(k), markeredgecolor="white", zorder=7)
    begins = {tuple(way[0]) for way in ways.values() if len(way)}
    for place in sorted(begins):
        axes.plot(*place, marker="o", markersize=7, color="white", markeredgecolor=INK, markeredgewidth=1.6, zorder=8)
    for name, place in marks.items():
        axes.plot(*place.T, marker="X", markersize=9, color=INK, markeredgecolor="white", zorder=6)
        axes.annotate(name, place[0], xytext=(7, 6), textcoords="offset points", color=INK, weight="bold", zorder=7)
    return lines


def _ways_on_hills(axes, surface, scale, ways, marks, ends):
    lines = []
    for k, (name, way) in enumerate(ways.items()):
        points = raised(surface, scale, way)
        lines.append((axes.plot(*points.T, **_look(k, name), zorder=5)[0], points))
        if ends:
            axes.plot(*points[-1:].T, marker="o", markersize=6.5, color=colour(k), markeredgecolor="white", zorder=6)
    if len(surface.minima):
        axes.plot(*raised(surface, scale, np.array(surface.minima, float)).T, marker="*", markersize=11, color=STAR,
                  markeredgecolor=INK, linestyle="none", zorder=6.5)  # fmt: skip
    for place in marks.values():
        axes.plot(*raised(surface, scale, place).T, marker="X", markersize=8, color=INK, markeredgecolor="white",
                  zorder=6)  # fmt: skip
    return lines


def raised(surface, scale, way) -> np.ndarray:
    """Points of a way, (N, 2), with the height of the surface there, (N, 3); nothing beyond its edges."""
    z, (i, j) = (
        scale(surface.heights),
        [_fraction(g, c) for g, c in ((surface.up, way[:, 1]), (surface.across, way[:, 0]))],
    )
    rows, columns = np.clip(i.astype(int), 0, len(z) - 2), np.clip(j.astype(int), 0, z.shape[1] - 2)
    a, b = i - rows, j - columns
    height = (1 - a) * ((1 - b) * z[rows, columns] + b * z[rows, columns + 1])
    height += a * ((1 - b) * z[rows + 1, columns] + b * z[rows + 1, columns + 1])
    beyond = (a < -1e-9) | (a > 1 + 1e-9) | (b < -1e-9) | (b > 1 + 1e-9)
    return np.column_stack([np.where(beyond[:, None], np.nan, way), np.where(beyond, np.nan, height)])


def _fraction(grid, values):
    return np.nan_to_num((values - grid[0]) / (grid[1] - grid[0]), nan=-9.0)
