"""Optimizers racing down a surface: what each really does, step by step, in one picture."""

from __future__ import annotations

import copy
import functools

import numpy as np

import minigrad
from minigrad.errors import describe
from minigrad.viz.plots.common import fault, finish, settings, start, view_of
from minigrad.viz.plots.landscape import FUNCTION_POINTS, MODEL_POINTS, check_kind, drawn, titled
from minigrad.viz.plots.surfaces import Plane, Surface, flat, function_of, loss_value, network_of

__all__ = ["Race", "descent", "race"]

DEFAULT = ("SGD", "Momentum", "AdaGrad", "RMSProp", "Adam")
STEPS = 100
MODEL_RATE, MODEL_STRIDE = 0.1, 0.02  # learning rates for a network: of gradient descent, of Adam
FAR = 5  # views away from the middle, where a run that diverges is ended


class Race:
    """What optimizers did from one start.

    paths   {name: points (steps + 1, 2)} of a function, {name: weights (steps + 1, parameters)} of a model; a run that
            left for infinity is shorter
    losses  {name: the loss at each of them}
    steps   how many steps each was to make
    """

    def __init__(self, steps):
        self.paths, self.losses, self.steps = {}, {}, steps

    def __repr__(self):
        runs = ", ".join(f"{name}: {losses[-1]:.4g} after {len(losses) - 1}" for name, losses in self.losses.items())
        return f"Race({runs})"


def descent(
    fn, optimizers=None, loss=None, path=None, *, start_at=None, steps=None, kind="both", bounds=None, resolution=None,
    log=None, title=None,
):  # fmt: skip
    """descent(fn, optimizers=None, path=None) or descent(model, optimizers, loss) -> Figure.  The ways that optimizers
    take, on one surface.

    fn          a function of two variables, ``f(x, y)`` of Tensors, or the name of a test function, as for
                `loss_surface`; or a Module, with
    loss        a function of the model, ``lambda model: F.mse_loss(model(x), y)``: what each optimizer minimises
    optimizers  ``{"Adam": lambda params: optim.Adam(params, lr=0.1), ...}``; or a list of names ("SGD", "Momentum",
                "NAG", "AdaGrad", "RMSProp", "Adam", or any of `minigrad.optim`), with learning rates that suit the
                surface. Five if not given
    path        where to save it, too (.png, .svg or .pdf)
    start_at    where they begin: (x, y); a test function has a place of its own, a model begins with its weights
    steps       how many steps each makes; test functions have a number of their own, else 100
    kind, bounds, resolution, log   as for `loss_surface`

    A model is copied for each optimizer and trained in its own mode, all with the same random numbers; the picture is
    the plane in which the paths vary most (Li et al. 2018, arXiv:1712.09913, section 7.2). The model itself, its
    gradients and the random numbers are left as they were. `race` gives the paths as numbers.
    """
    who = "descent()"
    target = start(path, who)
    check_kind(kind, who)
    with settings():
        made = figure_of_race(fn, optimizers, loss, start_at, steps, kind, bounds, resolution, log, title, who)
        return finish(made[0], target, who)


def race(fn, optimizers=None, loss=None, *, start_at=None, steps=None) -> Race:
    """race(fn, optimizers=None) or race(model, optimizers, loss) -> Race.  What `descent` draws, as numbers: `paths`
    and `losses` of each optimizer. Arguments as there."""
    return _run(fn, optimizers, loss, start_at, steps, None, "race()")[0]


def figure_of_race(
    fn, optimizers, loss, start_at, steps, kind, bounds, resolution, log, title, who, moving=False
):  # fmt: skip
    """(figure, {axes: [(line, points)]}, the race, title); `moving`: for a movie, which draws the ways itself."""
    found, setting = _run(fn, optimizers, loss, start_at, steps, bounds, who)
    if hasattr(fn, "named_parameters"):
        model = setting
        plane = Plane.along(list(found.paths.values()), next(iter(found.paths.values()))[0])
        ways = {name: plane.places(way) for name, way in found.paths.items()}
        view = view_of(np.concatenate(list(ways.values())), bounds, who, around=0.2)
        surface = Surface.of_model(model, loss, plane, view, resolution or MODEL_POINTS, who)
        title = title or f"Training {type(fn).__name__}"
    else:
        ways, title = found.paths, title or titled(setting)
        surface = Surface.of_function(setting, resolution or FUNCTION_POINTS, who)
    if moving:
        return *drawn(surface, ways, kind, log, title, moving=True), found, title
    called = {f"{name}  {_outcome(found.losses[name], found.steps)}": way for name, way in ways.items()}
    return (
        *drawn(surface, called, kind, log, title, note=f"{found.steps} steps", of_ways="value at the end"),
        found,
        title,
    )


def _outcome(losses, steps):
    return f"{losses[-1]:.3g}" if len(losses) > steps else f"left after {len(losses)}"


def _run(fn, optimizers, loss, start_at, steps, bounds, who):
    """The race, and what it was run on: the function, or a copy of the model."""
    if steps is not None and (not isinstance(steps, int) or steps < 1):
        raise ValueError(fault(who, "steps", describe(steps), "a whole number of at least 1"))
    random = minigrad.get_rng_state()
    if hasattr(fn, "named_parameters"):
        if start_at is not None:
            raise ValueError(fault(who, "start_at", describe(start_at), "none: a model begins with its weights"))
        ground = network_of(fn, loss, who)
        makers = _makers(optimizers, MODEL_STRIDE, lambda: MODEL_RATE, who)
        contestants = functools.partial(_with_model, fn, loss)
        far, steps = np.inf, steps or STEPS
    else:
        ground = function_of(fn, who, bounds, start_at)
        size = max(high - low for low, high in ground.view)
        rate = functools.cache(lambda: 0.5 / _curvature(ground))
        makers = _makers(optimizers, 0.02 * size, rate, who)
        contestants = functools.partial(_with_function, ground)
        far, steps = FAR * size, steps or ground.steps or STEPS
    found = Race(steps)
    try:
        for name, make in makers.items():
            minigrad.set_rng_state(random)
            found.paths[name], found.losses[name] = _walk(name, make, *contestants(), steps, far, who)
    finally:
        minigrad.set_rng_state(random)
    return found, ground


def _with_function(function):
    """(what is optimized, what is minimized, where that is)."""
    p = minigrad.tensor(function.start, dtype=minigrad.float64, requires_grad=True)
    return [p], lambda: function.call(p[0], p[1]), lambda: p.detach().numpy().copy()


def _with_model(model, loss):
    copied = copy.deepcopy(model)
    copied.zero_grad()
    weights = list(copied.parameters())
    return [w for w in weights if w.requires_grad], lambda: loss(copied), lambda: flat(weights)


def _walk(name, make, params, call, place, steps, far, who):
    """Let an optimizer make its steps; where it was at the beginning and after each, and the loss there."""
    optimizer = make(params)
    if not hasattr(optimizer, "step"):
        raise TypeError(fault(who, "optimizers", f"{describe(optimizer)} from {name!r}", "an optimizer"))
    places, losses, seen = [place()], [], []

    def closure():
        optimizer.zero_grad()
        with minigrad.enable_grad():
            value = call()
            if getattr(value, "requires_grad", False):
                value.backward()
        seen.append(loss_value(None, lambda _: value, who))
        return value

    for _ in range(steps):
        seen.clear()
        optimizer.step(closure)
        if all(p.grad is None for p in params):
            raise ValueError(fault(who, "fn or loss", "one that does not depend on its argument", "one that does"))
        losses.append(seen[0])  # L-BFGS looks at several points; the first is where it stands
        places.append(place())
        if not np.isfinite(places[-1]).all() or np.abs(places[-1]).max() > far:
            return np.array(places[:-1]), losses
    with minigrad.no_grad():
        losses.append(loss_value(None, lambda _: call(), who))
    return np.array(places), losses


def _curvature(function):
    """The largest curvature at the start: the largest size of an eigenvalue of the Hessian, by the engine."""
    rows = np.zeros((2, 2))
    with minigrad.enable_grad():
        p = minigrad.tensor(function.start, dtype=minigrad.float64, requires_grad=True)
        value = function.call(p[0], p[1])
        if not getattr(value, "requires_grad", False):
            return 1.0
        (slope,) = minigrad.autograd.grad(value, p, create_graph=True)
        for k in range(2 if slope.requires_grad else 0):
            row = minigrad.autograd.grad(slope[k], p, retain_graph=True, allow_unused=True)[0]
            rows[k] = 0.0 if row is None else row.numpy()
    return max(float(np.abs(np.linalg.eigvalsh(rows)).max()), 1e-3)


def _makers(optimizers, stride, rate, who):
    """{name: a function from parameters to an optimizer}. `stride`: how far Adam and its like may go in a step;
    `rate()`: a learning rate for plain gradient descent."""
    from minigrad import optim

    known = {
        "sgd": lambda p: optim.SGD(p, lr=rate()),
        "momentum": lambda p: optim.SGD(p, lr=rate() / 2, momentum=0.9),
        "nag": lambda p: optim.SGD(p, lr=rate() / 2, momentum=0.9, nesterov=True),
        "adagrad": lambda p: optim.Adagrad(p, lr=2.5 * stride),
        "adadelta": lambda p: optim.Adadelta(p, lr=50 * stride),
        "rmsprop": lambda p: optim.RMSprop(p, lr=stride / 4),
        "adam": lambda p: optim.Adam(p, lr=stride),
        "adamw": lambda p: optim.AdamW(p, lr=stride),
        "adamax": lambda p: optim.Adamax(p, lr=stride),
        "nadam": lambda p: optim.NAdam(p, lr=stride),
        "radam": lambda p: optim.RAdam(p, lr=stride),
        "lion": lambda p: optim.Lion(p, lr=stride / 2),
    }
    given = DEFAULT if optimizers is None else [optimizers] if isinstance(optimizers, str) else optimizers
    if isinstance(given, dict):
        makers = {str(name): make for name, make in given.items()}
    elif isinstance(given, list | tuple):
        makers = {}
        for name in given:
            makers[str(name)] = known.get(str(name).lower(), getattr(optim, str(name), None))
            if makers[str(name)] is None:
                names = "SGD, Momentum, NAG, AdaGrad, RMSProp, Adam, or another of minigrad.optim"
                raise ValueError(fault(who, "optimizers", describe(name), names, "or a dict {name: function}"))
    else:
        raise TypeError(fault(who, "optimizers", describe(given), "names, or {name: lambda params: an optimizer}"))
    wrong = next((name for name, make in makers.items() if not callable(make)), None)
    if wrong is not None or not makers:
        text = "none" if not makers else f"{describe(makers[wrong])} for {wrong!r}"
        raise TypeError(fault(who, "optimizers", text, "functions from parameters to an optimizer"))
    return makers
