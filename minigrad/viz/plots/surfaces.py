"""Loss surfaces as numbers: heights over a grid, of a function of two variables or of a network's loss on a plane
through its weights. `landscape.py` draws them.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
from minigrad.errors import describe
from minigrad.viz.plots.common import as_array, checked_model, fault, undisturbed

__all__ = ["FUNCTIONS", "Function", "Plane", "Surface"]


@dataclass(frozen=True)
class Function:
    """A function of two variables, where to look at it, where to begin, and where its least values are."""

    call: Callable
    name: str = "f"
    view: tuple = ((-2.0, 2.0), (-2.0, 2.0))
    start: tuple = (-1.5, 1.5)
    minima: tuple = ()
    formula: str = ""
    steps: int = 0


def _rastrigin(x, y):
    return 20 + x**2 + y**2 - 10 * (minigrad.cos(2 * math.pi * x) + minigrad.cos(2 * math.pi * y))


def _beale(x, y):
    return (1.5 - x + x * y) ** 2 + (2.25 - x + x * y**2) ** 2 + (2.625 - x + x * y**3) ** 2


FUNCTIONS = {
    "bowl": Function(
        lambda x, y: x**2 + y**2, "bowl", ((-2, 2), (-2, 2)), (-1.6, 1.4), ((0, 0),), "x² + y²", 50
    ),
    "ravine": Function(
        lambda x, y: x**2 / 20 + y**2, "ravine", ((-10, 10), (-4, 4)), (-8.5, 2.5), ((0, 0),), "x²/20 + y²"
    ),
    "saddle": Function(
        lambda x, y: x**2 - y**2, "saddle", ((-1.5, 1.5), (-1.5, 1.5)), (-1.3, 1e-5), (), "x² − y²", 22
    ),
    "two valleys": Function(
        lambda x, y: (x**2 - 1) ** 2 + 0.3 * x + y**2, "two valleys", ((-1.8, 1.8), (-1.3, 1.3)), (1.5, 1.0),
        ((-1.03558, 0),), "(x² − 1)² + 0.3 x + y²",
    ),
    "rosenbrock": Function(
        lambda x, y: (1 - x) ** 2 + 100 * (y - x**2) ** 2, "Rosenbrock's function", ((-2, 2), (-1, 3)), (-0.6, 2.6),
        ((1, 1),), "(1 − x)² + 100 (y − x²)²", 300,
    ),
    "beale": Function(_beale, "Beale's function", ((-4.5, 4.5), (-4.5, 4.5)), (1.0, 1.5), ((3, 0.5),), "", 150),
    "himmelblau": Function(
        lambda x, y: (x**2 + y - 11) ** 2 + (x + y**2 - 7) ** 2, "Himmelblau's function", ((-5.5, 5.5), (-5.5, 5.5)),
        (-0.5, -1.0), ((3, 2), (-2.805118, 3.131312), (-3.779310, -3.283186), (3.584428, -1.848126)),
        "(x² + y − 11)² + (x + y² − 7)²",
    ),
    "rastrigin": Function(
        _rastrigin, "Rastrigin's function", ((-3.2, 3.2), (-3.2, 3.2)), (2.4, 2.2), ((0, 0),),
        "20 + x² + y² − 10 (cos 2πx + cos 2πy)",
    ),
}  # fmt: skip


def function_of(given, who, bounds=None, start=None) -> Function:
    """A test function by its name, or a function of the user's."""
    if isinstance(given, Function):
        found = given
    elif isinstance(given, str):
        key = given.lower().replace("_", " ")
        if key not in FUNCTIONS:
            raise ValueError(fault(who, "fn", repr(given), f"a function or one of {', '.join(FUNCTIONS)}"))
        found = FUNCTIONS[key]
    elif callable(given) and not isinstance(given, type):
        name = getattr(given, "__name__", type(given).__name__)
        found = Function(given, "f(x, y)" if name == "<lambda>" else name)
    else:
        raise TypeError(fault(who, "fn", describe(given), "a function f(x, y), its name, or a Module with loss="))
    changed = {}
    if bounds is not None:
        view = as_array(bounds, who, "bounds", 2, "((left, right), (bottom, top))").astype(float)
        if view.shape != (2, 2) or not np.isfinite(view).all() or not (view[:, 0] < view[:, 1]).all():
            raise ValueError(fault(who, "bounds", str(bounds), "((left, right), (bottom, top))"))
        changed["view"] = tuple(map(tuple, view.tolist()))
    if start is not None:
        point = as_array(start, who, "start", 1, "a point (x, y)").astype(float)
        if point.shape != (2,) or not np.isfinite(point).all():
            raise ValueError(fault(who, "start", str(start), "a point (x, y)"))
        changed["start"] = tuple(point.tolist())
    return Function(**{**found.__dict__, **changed})


@dataclass
class Surface:
    """Heights (up, across) of a function over a grid."""

    across: np.ndarray
    up: np.ndarray
    heights: np.ndarray
    axes: tuple = ("x", "y")
    minima: Any = ()
    name: str = "f"

    def __post_init__(self):
        self.heights = np.where(np.isfinite(self.heights), self.heights, np.nan)

    def finer(self, times):
        """The same surface on a finer grid, smooth between its points (cubic: Keys 1981), which it goes through."""
        fine = [np.linspace(g[0], g[-1], (len(g) - 1) * times + 1) for g in (self.across, self.up)]
        heights = _between(_between(self.heights, times).T, times).T
        return Surface(*fine, heights, self.axes, self.minima, self.name)

    @classmethod
    def of_function(cls, function, resolution, who):
        """The function's values, from one call with the whole grid if it can be called so, else point by point."""
        across, up = [np.linspace(*ends, resolution) for ends in function.view]
        x, y = np.meshgrid(across, up)
        with minigrad.no_grad():
            try:
                heights = _value(function.call, x, y)
                alone = _value(function.call, x[1, 2], y[1, 2])
                whole = heights.shape == x.shape and np.allclose(heights[1, 2], alone, rtol=1e-4, equal_nan=True)
            except (TypeError, ValueError, RuntimeError, IndexError):
                whole = False
            if not whole:
                heights = np.array([_value(function.call, *point) for point in zip(x.flat, y.flat, strict=True)])
                if heights.size != x.size:
                    raise ValueError(f"{who}: expected a function that gives one number for each (x, y)")
        return cls(across, up, heights.reshape(x.shape), ("x", "y"), function.minima, function.name)

    @classmethod
    def of_model(cls, model, loss, plane, view, resolution, who):
        """The loss of a network, at weights on a plane. `model` is a copy that may be written to."""
        across, up = [np.linspace(*ends, resolution) for ends in view]
        weights, heights = list(model.parameters()), np.empty((resolution, resolution))
        before = flat(weights)
        with undisturbed(model):
            random = minigrad.get_rng_state()
            for i, y in enumerate(up):
                for j, x in enumerate(across):
                    put(weights, plane.at(x, y))
                    minigrad.set_rng_state(random)
                    heights[i, j] = loss_value(model, loss, who)
        put(weights, before)
        return cls(across, up, heights, plane.names, name="loss")


def _between(rows, times):
    """Rows, and between two of them `times` - 1 more."""
    ends = 2 * rows[:1] - rows[1:2], 2 * rows[-1:] - rows[-2:-1]
    rows, place = np.concatenate([ends[0], rows, ends[1]]), np.arange((len(rows) - 1) * times + 1) / times
    i = np.minimum(place.astype(int), len(rows) - 4)
    a, b, c, d = rows[i], rows[i + 1], rows[i + 2], rows[i + 3]
    t = (place - i)[:, None]
    return b + 0.5 * t * (c - a + t * (2 * a - 5 * b + 4 * c - d + t * (3 * (b - c) + d - a)))


def _value(call, x, y):
    result = call(minigrad.tensor(x, dtype=minigrad.float64), minigrad.tensor(y, dtype=minigrad.float64))
    return np.asarray(result.detach() if hasattr(result, "detach") else result, float)


# ---- networks: planes in the space of all weights


def flat(weights) -> np.ndarray:
    """All numbers of some tensors in one vector."""
    return np.concatenate([np.asarray(w.detach(), float).reshape(-1) for w in weights])


def put(weights, vector) -> None:
    """The numbers of a vector into some tensors."""
    begin = 0
    with minigrad.no_grad():
        for w in weights:
            w.copy_(minigrad.tensor(vector[begin : begin + w.numel()].reshape(w.shape), dtype=w.dtype))
            begin += w.numel()


def loss_value(model, loss, who) -> float:
    """``loss(model)`` as a number."""
    value = loss(model)
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(fault(who, "loss", f"a function that gave {describe(value)}", "one number")) from None


def network_of(model, loss, who):
    """A copy of the model, which plots may write to. Checks both arguments."""
    checked_model(model, who)
    if not callable(loss):
        hint = "e.g. loss=lambda model: F.mse_loss(model(x), y)"
        raise TypeError(fault(who, "loss", describe(loss), "a function of the model that gives its loss", hint))
    copied = copy.deepcopy(model)
    if not list(copied.parameters()):
        raise ValueError(f"{who}: the model has no parameters, so its loss is the same everywhere")
    return copied


def vector_of(weights, model, who, argument) -> np.ndarray:
    """Weights given as a Module, a `state_dict`, or one vector, as a vector in the order of the model's parameters."""
    if hasattr(weights, "named_parameters"):
        weights = dict(weights.named_parameters())
    if isinstance(weights, dict):
        missing = [name for name, _ in model.named_parameters() if name not in weights]
        if missing:
            raise ValueError(fault(who, argument, f"weights without {missing[0]!r}", "all parameters of the model"))
        return flat([weights[name] for name, _ in model.named_parameters()])
    vector = as_array(weights, who, argument, 1, "a Module, a state_dict or a vector of all parameters").astype(float)
    count = sum(p.numel() for p in model.parameters())
    if vector.size != count:
        raise ValueError(fault(who, argument, f"{vector.size} numbers", f"{count}, the model's parameters"))
    return vector


@dataclass
class Plane:
    """A plane in the space of weights: ``origin + x * axes[0] + y * axes[1]``."""

    origin: np.ndarray
    axes: np.ndarray
    names: tuple = ("direction 1", "direction 2")

    def at(self, x, y) -> np.ndarray:
        """The weights at a point of the plane."""
        return self.origin + x * self.axes[0] + y * self.axes[1]

    def places(self, vectors) -> np.ndarray:
        """The nearest point of the plane for each vector of weights, (N, 2)."""
        return np.linalg.lstsq(self.axes.T, (np.asarray(vectors) - self.origin).T, rcond=None)[0].T

    @classmethod
    def random(cls, model, seed):
        """Through the model's weights, along two random directions, normalised filter by filter: each filter (row) of a
        direction is as long as that of the weights; biases and gains stay. So the picture does not change when a layer
        is scaled up and the next one down, which changes nothing else either.
        (Li et al., Visualizing the Loss Landscape of Neural Nets, 2018, arXiv:1712.09913)"""
        draw, axes = np.random.default_rng(seed), []
        for _ in range(2):
            parts = []
            for weight in model.parameters():
                w = np.asarray(weight.detach(), float)
                d = draw.standard_normal(w.shape)
                if w.ndim < 2:
                    parts.append(np.zeros(w.size))
                    continue
                rows, lengths = d.reshape(len(d), -1), np.linalg.norm(w.reshape(len(w), -1), axis=1)
                rows *= (lengths / (np.linalg.norm(rows, axis=1) + 1e-12))[:, None]
                parts.append(rows.reshape(-1))
            axes.append(np.concatenate(parts))
        return cls(flat(model.parameters()), np.array(axes), ("random direction 1", "random direction 2"))

    @classmethod
    def through(cls, first, second, third, who):
        """The plane through three vectors of weights: the first is its origin, the second lies at (distance, 0).
        (Garipov et al., Loss Surfaces, Mode Connectivity, and Fast Ensembling of DNNs, 2018, arXiv:1802.10026)"""
        u = second - first
        u = u / max(np.linalg.norm(u), 1e-30)
        v = third - first - ((third - first) @ u) * u
        if np.linalg.norm(second - first) < 1e-12 or np.linalg.norm(v) < 1e-9 * np.linalg.norm(third - first) + 1e-12:
            raise ValueError(fault(who, "through", "three points on one line", "three that span a plane"))
        return cls(first, np.array([u, v / np.linalg.norm(v)]), ("distance in the plane", "distance in the plane"))

    @classmethod
    def along(cls, paths, end):
        """The plane in which paths of weights vary most: their first two principal components, from `end`.
        (Li et al. 2018, section 7.2)"""
        moved = np.concatenate(paths) - end
        axes = np.linalg.svd(moved, full_matrices=False)[2][:2]
        if len(axes) < 2:
            axes = np.vstack([axes, np.zeros_like(axes)])[:2]
        for axis in axes:  # of the two signs, that in which the largest number is positive
            axis *= np.sign(axis[np.abs(axis).argmax()]) or 1.0
        if np.linalg.norm(axes[1]) < 0.5:
            axes[1] = np.roll(axes[0], 1)
        share = (moved @ axes.T).var(axis=0) / max(moved.var(axis=0).sum(), 1e-30)
        names = tuple(f"component {k + 1} ({part:.0%} of variance)" for k, part in enumerate(share))
        return cls(end, axes, names)
