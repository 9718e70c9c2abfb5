"""How large a step each optimizer takes in each direction: the learning rate that is left of the one it was given."""

from __future__ import annotations

import numpy as np

import minigrad
from minigrad.viz.plots.common import LINES, colour, fault, figure_of, finish, heading, legend, plain, settings, start
from minigrad.viz.plots.contest import race
from minigrad.viz.plots.surfaces import function_of

__all__ = ["effective_rates", "step_sizes"]


def step_sizes(fn, optimizers=("SGD", "AdaGrad", "RMSProp"), path=None, *, start_at=None, steps=None, title=None):
    """step_sizes(fn, optimizers=("SGD", "AdaGrad", "RMSProp"), path=None) -> Figure.  Steps per gradient, in x and y.

    fn, optimizers, path, start_at, steps   as for `descent`, of a function of two variables

    Drawn is ``-Δx / (∂f/∂x)`` at each step, and the same for y: of plain gradient descent the learning rate, of AdaGrad
    ``lr / √(Σ g²)``, for each parameter its own, and ever smaller. A step with momentum may go uphill; where it does,
    there is a gap.
    """
    who = "step_sizes()"
    target = start(path, who)
    found = effective_rates(fn, optimizers, start_at=start_at, steps=steps)
    from matplotlib.ticker import LogLocator, NullLocator

    with settings():
        figure = figure_of(6.4, 4.0)
        axes = figure.add_subplot()
        for k, (name, rates) in enumerate(found.items()):
            for j, which in enumerate("xy"):
                shown = np.where(rates[:, j] > 0, rates[:, j], np.nan)
                axes.plot(np.arange(1, len(shown) + 1), shown, color=colour(k), linestyle=LINES[j], linewidth=1.9,
                          label=f"{name}, {which}")  # fmt: skip
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        axes.set(xlabel="step", ylabel="step / gradient")
        plain(axes)
        legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        heading(figure, title or "Step sizes", function_of(fn, who).name)
        return finish(figure, target, who)


def effective_rates(fn, optimizers=("SGD", "AdaGrad", "RMSProp"), *, start_at=None, steps=None):
    """effective_rates(fn, optimizers=...) -> {name: (steps, 2)}.  The numbers that `step_sizes` draws; NaN where the
    gradient is zero."""
    who = "effective_rates()"
    if hasattr(fn, "named_parameters"):
        raise TypeError(fault(who, "fn", type(fn).__name__, "a function of two variables"))
    function, rates = function_of(fn, who), {}
    for name, way in race(fn, optimizers, start_at=start_at, steps=steps).paths.items():
        slopes = np.array([_slope(function, place) for place in way[:-1]])
        rates[name] = -np.diff(way, axis=0) / np.where(slopes == 0, np.nan, slopes)
    return rates


def _slope(function, place):
    with minigrad.enable_grad():
        p = minigrad.tensor(place, dtype=minigrad.float64, requires_grad=True)
        return minigrad.autograd.grad(function.call(p[0], p[1]), p)[0].numpy()
