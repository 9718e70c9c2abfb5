"""The linear regions of a piecewise linear network of two inputs: pieces of the plane on which it is one affine map.

How they are found. Start with one polygon, the view. A unit's input before its kink is affine on each polygon found so
far (all kinks before it have been cut along), so the values at the corners say where it crosses the kink: cut there.
One layer after the other; nothing is sampled, so nothing is missed. Corners are shared between polygons and are known
by their number, so the pieces fit together edge to edge whatever the rounding.

Pieces that lie side by side and have the same affine map (units that are switched off later on) are one region.
(Montúfar et al., On the Number of Linear Regions of Deep Neural Networks, 2014)
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import minigrad
from minigrad.errors import describe
from minigrad.tensor import Tensor
from minigrad.viz.graph.reading import Reading
from minigrad.viz.plots.common import (
    COLOURS,
    INK,
    MARKS,
    SOFT,
    as_array,
    checked_model,
    colour,
    dtype_of,
    fault,
    figure_of,
    finish,
    heading,
    legend,
    mixed,
    points_of,
    settings,
    start,
    undisturbed,
    view_of,
)

__all__ = ["Regions", "linear_regions", "relu_regions"]

MOST = 20_000  # pieces
CELLS = 160  # along each side, where kinks are not found in modules and the plane is looked at cell by cell
NEAR = 1e-9  # of a unit's largest value: a corner this near to a kink is on it
NEARLY_EQUAL = 1e-4, 1e-8  # slopes in float32, in float64, relative to the largest
SMOOTH = 0.1  # pieces for each cell, beyond which a function is not piecewise linear


class Regions:
    """The linear regions of a model in a part of the plane.

    polygons  the pieces, arrays (corners, 2)
    region    for each piece the number of its region
    count     how many regions there are
    exact     whether they were cut along the kinks themselves (False: found on a grid of cells)
    """

    def __init__(self, mesh, region, exact):
        self.polygons = [mesh.points[corners] for corners in mesh.pieces]
        self.region, self.count, self.exact, self.mesh = region, int(region.max()) + 1, exact, mesh

    def __repr__(self):
        return f"Regions({'' if self.exact else 'about '}{self.count} linear regions, {len(self.polygons)} pieces)"


def relu_regions(
    model, X=None, y=None, path=None, *, bounds=None, names=("x₁", "x₂"), title="Linear regions",
):  # fmt: skip
    """relu_regions(model, X=None, y=None, path=None) -> Figure.  The plane as a network of ReLUs folds it.

    model   a Module or a function of points (N, 2), piecewise linear: Linear layers and ReLU, LeakyReLU, PReLU, ReLU6,
            Hardtanh, abs, maxima ... are cut exactly; kinks of another kind (pooling, sorting) are found
            on a grid of cells, and the count is then an estimate
    X, y    points (N, 2) and their classes (N,) to draw, too
    path    where to save it, too (.png, .svg or .pdf)
    bounds  ((left, right), (bottom, top)); around the points if there are any, else ±3
    names   of the two inputs

    On each region the network is one affine map; no two regions side by side have one colour. The lines are the kinks
    of the units, by layer: those of later layers bend where they cross those of earlier ones. Raises ValueError for a
    model that is not piecewise linear, for more than 20,000 pieces, and for another number of inputs.
    """
    who = "relu_regions()"
    target = start(path, who)
    points = None if X is None else points_of(X, who)
    classes = None if y is None or X is None else as_array(y, who, "y", like="classes").reshape(-1)
    if classes is not None and len(classes) != len(points):
        raise ValueError(fault(who, "y", f"{len(classes)} classes", f"one for each of {len(points)} points"))
    found = _found(model, _view(points, bounds, who), who)
    with settings():
        figure = figure_of(5.9, 4.8)
        axes = figure.add_subplot()
        _draw(axes, found)
        if points is not None:
            _points(axes, points, classes)
        axes.set(xlabel=names[0], ylabel=names[1])
        if axes.get_legend_handles_labels()[1]:
            legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        heading(figure, title, f"{'' if found.exact else 'about '}{found.count}")
        return finish(figure, target, who)


def linear_regions(model, bounds=None) -> Regions:
    """linear_regions(model, bounds=((-3, 3), (-3, 3))) -> Regions.  What `relu_regions` draws, as numbers: `count`,
    `polygons`, `region` of each polygon, `exact`. For the count against width and depth, say. Model, bounds and errors
    as there."""
    return _found(model, _view(None, bounds, "linear_regions()"), "linear_regions()")


def _view(points, bounds, who):
    if points is None:
        return view_of(np.array([[-3.0, -3.0], [3.0, 3.0]]), bounds, who, around=0.0)
    return view_of(points, bounds, who)


def _found(model, view, who):
    checked_model(model, who)
    with undisturbed(model):
        precise = _precise(model, view)
        mesh = _cut(precise, view, who)
        exact = mesh is not None and _is_affine_on(mesh, precise)
        mesh = mesh if exact else _cells(view)
        region = _merged(mesh, *_affine_maps(precise, mesh, who))
    if not exact and region.max() > SMOOTH * CELLS**2:
        raise ValueError(
            f"{who}: this model is not piecewise linear, it bends everywhere; expected ReLU and the like, not tanh or "
            "sigmoid"
        )
    return Regions(mesh, region, exact)


class _Precise(NamedTuple):
    """A model, the dtype in which it is asked (float64: no kink is lost in rounding), and that of its answers."""

    call: Callable
    dtype: minigrad.dtype
    answers: minigrad.dtype


def _precise(model, view):
    """The model in float64, a copy; itself where that can't be had."""
    try:
        copied = _copied(model) if hasattr(model, "named_parameters") else model
        precise = _Precise(copied, minigrad.float64, minigrad.float64)
        return precise._replace(answers=_recorded(precise, view.T, "")[0].dtype)
    except (TypeError, RuntimeError, ValueError):
        return _Precise(model, dtype_of(model), minigrad.float32)


def _copied(model):
    """A copy in float64 whose graph tells all: no parameter is frozen, and no layer is without a bias, because a graph
    does not say whether a missing operand was none or was not kept."""
    from minigrad import nn

    copied = copy.deepcopy(model).double().requires_grad_(True)
    for module in copied.modules():
        if isinstance(module, nn.Linear) and module.bias is None:
            module.bias = nn.Parameter(minigrad.zeros(module.out_features, dtype=minigrad.float64))
    return copied


# ---- polygons


class _Mesh:
    """Polygons over shared corners. `layer` says for an edge (i, j), i < j, whose kink it is; 0 is the frame."""

    def __init__(self, points, pieces):
        self.points, self.pieces = np.asarray(points, float), pieces
        self.layer = {_edge(i, j): 0 for piece in pieces for i, j in _edges(piece)}


def _edges(piece):
    return zip(piece, (*piece[1:], piece[0]), strict=True)


def _edge(i, j):
    return (i, j) if i < j else (j, i)


def _frame(view):
    (left, right), (bottom, top) = view
    return _Mesh([(left, bottom), (right, bottom), (right, top), (left, top)], [[0, 1, 2, 3]])


def _cells(view):
    across, up = np.linspace(*view[0], CELLS + 1), np.linspace(*view[1], CELLS + 1)
    corners = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    low = (np.arange(CELLS)[:, None] * (CELLS + 1) + np.arange(CELLS)).reshape(-1)
    return _Mesh(corners, np.stack([low, low + 1, low + CELLS + 2, low + CELLS + 1], axis=1).tolist())


def _cut(model, view, who):
    """The view, cut along all kinks, in the order in which the functions are called; None if they can't be found."""
    mesh, depth = _frame(view), 0
    while True:
        before = _before_kinks(model, mesh.points, who)
        if before is None:
            return None
        if depth >= len(before):
            return mesh
        depth += 1
        _cut_layer(mesh, before[depth - 1], depth, who)


def _before_kinks(model, points, who):
    """What goes into each function with kinks, (points, units), so that the kinks are at 0; in the order of the calls.

    It is read off the recorded graph, and computed again on the side where the graph did not keep it. None if neither
    can be done.
    """
    output, _ = _recorded(model, points, who)
    reading = Reading([output], [])
    reading.compute_missing(reading.order, most=math.inf, operands=math.inf)
    found = []
    for node in reading.order:
        if node.op.name not in KINKS:
            continue
        operands = [reading.value(parent) if parent is not None else None for parent in node.parents]
        if operands[0] is None or len(operands[0]) != len(points):
            return None
        values = KINKS[node.op.name](*operands, *(node.attrs if isinstance(node.attrs, tuple) else ()))
        if values is None:
            return None
        found.append(np.concatenate([part.reshape(len(points), -1) for part in values], axis=1))
    return found


def _at(*kinks):
    return lambda values, *_: [values - kink for kink in kinks]


def _differences(values, dim=None, *_):
    """Of the numbers that the largest is taken of: it changes where two of them are equal."""
    dims = dim if isinstance(dim, tuple) else (dim,)
    if len(dims) != 1 or not isinstance(dims[0], int) or dims[0] % values.ndim == 0:
        return None
    pieces = np.moveaxis(values, dims[0], 0)
    return [pieces[i] - pieces[j] for i in range(len(pieces)) for j in range(i)] or [pieces[0] * 0.0]


def _two(first, second, *_):
    return None if second is None else [first - second]


KINKS = {
    "relu": _at(0.0), "leaky_relu": _at(0.0), "prelu_kernel": _at(0.0), "abs": _at(0.0), "relu6": _at(0.0, 6.0),
    "hardsigmoid": _at(-3.0, 3.0), "hardtanh": lambda values, low, high: [values - low, values - high],
    "softshrink": lambda values, lambd: [values - lambd, values + lambd],
    "maximum": _two, "minimum": _two, "amax": _differences, "amin": _differences, "max": _differences,
    "min": _differences,
}  # fmt: skip


def _cut_layer(mesh, values, depth, who):
    """Cut each piece where a unit's value, affine on it, is zero. `values` (corners, units)."""
    values = list(values)
    largest = np.abs(values).max(axis=0)
    signs = [np.where(np.abs(row) <= NEAR * largest, 0, np.sign(row)).astype(int) for row in values]
    points, born, done = list(mesh.points), {}, []

    def between(i, j, unit):
        """The corner on the edge from i to j where the unit is zero; the same for both pieces that meet there."""
        key = (*_edge(i, j), unit)
        if key not in born:
            i, j = _edge(i, j)
            share = values[i][unit] / (values[i][unit] - values[j][unit])
            row = (1.0 - share) * values[i] + share * values[j]
            sign = np.where(np.abs(row) <= NEAR * largest, 0, np.sign(row)).astype(int)
            sign[unit] = 0
            born[key] = new = len(points)
            points.append((1.0 - share) * points[i] + share * points[j])
            values.append(row)
            signs.append(sign)
            mesh.layer[_edge(i, new)] = mesh.layer[_edge(j, new)] = mesh.layer[_edge(i, j)]
        return born[key]

    waiting = [(piece, 0) for piece in reversed(mesh.pieces)]
    while waiting:
        piece, unit = waiting.pop()
        around = np.array([signs[i][unit:] for i in piece])
        crossed = np.flatnonzero((around.min(axis=0) < 0) & (around.max(axis=0) > 0))
        if not len(crossed):
            done.append(piece)
            continue
        unit += int(crossed[0])
        parts = {-1: [], 1: []}
        for i, j in _edges(piece):
            for side in (-1, 1):
                if signs[i][unit] in (0, side):
                    parts[side].append(i)
            if signs[i][unit] * signs[j][unit] < 0:
                middle = between(i, j, unit)
                parts[-1].append(middle)
                parts[1].append(middle)
        ends = [i for i in parts[1] if signs[i][unit] == 0]
        mesh.layer.setdefault(_edge(ends[0], ends[-1]), depth)
        waiting += [(part, unit + 1) for part in parts.values() if len(part) > 2]
        if len(waiting) + len(done) > MOST:
            raise ValueError(f"{who}: more than {MOST:,} pieces; look at a smaller part of the plane (bounds=)")
    mesh.points, mesh.pieces = np.array(points), done


# ---- the affine maps


def _recorded(model, points, who):
    """The recorded output, (points, outputs), and its input."""
    call, dtype, _ = model
    with minigrad.enable_grad():
        x = minigrad.tensor(points, dtype=dtype, requires_grad=True)
        try:
            output = call(x)
        except RuntimeError as error:
            raise ValueError(f"{who}: the model does not take points of shape [{len(points)}, 2]: {error}") from error
        output = output[0] if isinstance(output, tuple) else output
        if not isinstance(output, Tensor) or output.shape[:1] != (len(points),):
            raise ValueError(f"{who}: expected a model that gives a row for each point, got {describe(output)}")
        if not np.isfinite(output.detach().array).all():
            raise ValueError(f"{who}: the model gave NaN or infinite numbers; look at its parameters")
        return output.reshape(len(points), -1), x


def _evaluate(model, points, who):
    return _recorded(model, points, who)[0].detach().array.astype(float)


def _centres(mesh):
    return np.array([mesh.points[piece].mean(axis=0) for piece in mesh.pieces])


def _is_affine_on(mesh, model):
    """Whether the model is affine on every piece: at a mean of corners, and beside it, it has the mean of values."""
    shares = [np.arange(1.0, len(piece) + 1) / np.arange(1.0, len(piece) + 1).sum() for piece in mesh.pieces]
    means = _evaluate(model, mesh.points, "")
    for weights in ([np.full_like(share, 1 / len(share)) for share in shares], shares):
        inside = np.array([w @ mesh.points[piece] for w, piece in zip(weights, mesh.pieces, strict=True)])
        expected = np.array([w @ means[piece] for w, piece in zip(weights, mesh.pieces, strict=True)])
        size = np.abs(means).max() + 1e-30
        tolerance = 1e-8 if model.answers == minigrad.float64 else 1e-4
        if not np.allclose(_evaluate(model, inside, ""), expected, rtol=0.0, atol=tolerance * size):
            return False
    return True


def _affine_maps(model, mesh, who):
    """Slope and intercept on each piece, (pieces, 3), of a mixture of the outputs: two maps differ if it differs. And
    how far apart they may be and still be the same."""
    centres = _centres(mesh)
    output, x = _recorded(model, centres, who)
    with minigrad.enable_grad():
        mixture = (output * np.cos(1.0 + np.arange(output.shape[1])).astype(output.array.dtype)).sum(1)
        slope = np.zeros_like(centres)
        if mixture.requires_grad:
            slope = minigrad.autograd.grad(mixture.sum(), x, allow_unused=True)[0]
            slope = np.zeros_like(centres) if slope is None else slope.array.astype(float)
    value = mixture.detach().array.astype(float)
    steep, size = np.abs(slope).max() + 1e-30, np.abs(centres).max()
    near = NEARLY_EQUAL[model.answers == minigrad.float64] * np.array(
        [steep, steep, np.abs(value).max() + steep * size]
    )
    return np.column_stack([slope, value - (slope * centres).sum(axis=1)]), near


def _merged(mesh, maps, near):
    """The region of each piece: neighbours with the same affine map are one."""
    parent = list(range(len(mesh.pieces)))

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for _, i, j in _shared(mesh):
        if (np.abs(maps[i] - maps[j]) <= near).all():
            parent[root(i)] = root(j)
    return np.unique([root(i) for i in range(len(parent))], return_inverse=True)[1]


def _shared(mesh):
    """(edge, piece, piece) of each edge that two pieces share."""
    seen = {}
    for k, piece in enumerate(mesh.pieces):
        for i, j in _edges(piece):
            edge = _edge(i, j)
            if edge in seen:
                yield edge, seen[edge], k
            seen[edge] = k


# ---- the picture


def _draw(axes, found):
    from matplotlib.collections import LineCollection, PolyCollection

    neighbours = [set() for _ in range(found.count)]
    kinks = {}
    for edge, i, j in _shared(found.mesh):
        a, b = found.region[i], found.region[j]
        if a != b:
            neighbours[a].add(b)
            neighbours[b].add(a)
            kinks.setdefault(found.mesh.layer[edge], []).append(found.mesh.points[list(edge)])
    chosen = np.array(_colours(neighbours))[found.region]
    fills = [tuple(mixed("white", COLOURS[k], 0.32)) for k in chosen]
    axes.add_collection(PolyCollection(found.polygons, facecolors=fills, edgecolors=fills, linewidths=0.4))
    width = 1.6 if found.count < 100 else 0.8 if found.count < 1000 else 0.4
    for layer, lines in sorted(kinks.items()) if found.exact else ():
        look = {"colors": INK if layer < 2 else colour(layer - 2), "linewidths": width, "capstyle": "round"}
        axes.add_collection(LineCollection(lines, **look, label=f"kinks of layer {layer}" if layer else None))
    axes.set(xlim=_ends(found.mesh.points[:, 0]), ylim=_ends(found.mesh.points[:, 1]))
    axes.spines[:].set_color(SOFT)


def _ends(values):
    return float(values.min()), float(values.max())


def _colours(neighbours):
    """A number below 6 for each region, another one than its neighbours have.

    Taken off the map one by one, the region with the fewest neighbours first, each has at most five left when it goes
    (Euler's formula for planar maps); put back in the reverse order, each finds a colour free.
    """
    left = [set(near) for near in neighbours]
    by_degree = [set() for _ in range(max(map(len, left), default=0) + 1)]
    for k, near in enumerate(left):
        by_degree[len(near)].add(k)
    order = []
    for _ in neighbours:
        degree = next(d for d, regions in enumerate(by_degree) if regions)
        k = min(by_degree[degree])
        by_degree[degree].remove(k)
        order.append(k)
        for other in left[k]:
            by_degree[len(left[other])].remove(other)
            left[other].remove(k)
            by_degree[len(left[other])].add(other)
    colours, used = {}, [0] * len(COLOURS)
    for k in reversed(order):
        taken = {colours[other] for other in neighbours[k] if other in colours}
        colours[k] = min((c for c in range(len(COLOURS)) if c not in taken), key=lambda c: (used[c], c))
        used[colours[k]] += 1
    return [colours[k] for k in range(len(neighbours))]


def _points(axes, points, classes):
    size = float(np.clip(4000 / len(points), 9, 64))
    groups = [None] if classes is None else np.unique(classes)
    for k, group in enumerate(groups):
        chosen = points if group is None else points[classes == group]
        look = {"c": INK if group is None else colour(k), "marker": MARKS[k % len(MARKS)], "edgecolors": "white"}
        label = None if group is None else f"class {group:g}"
        axes.scatter(*chosen.T, s=size, linewidths=0.8, zorder=3, label=label, **look)
