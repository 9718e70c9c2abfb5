"""Functions of one number as curves: activations with their derivatives, and what models make of one input."""

from __future__ import annotations

import copy
import warnings

import numpy as np

import minigrad
from minigrad.errors import describe, shape_text
from minigrad.viz.plots.common import (
    COLOURS,
    GRID,
    INK,
    LINES,
    SOFT,
    as_array,
    checked_model,
    colour,
    fault,
    figure_of,
    finish,
    heading,
    legend,
    outputs_of,
    plain,
    rows_and_columns,
    settings,
    start,
    undisturbed,
)

__all__ = ["activation_curve", "activations", "fits"]

USUAL = (
    "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "softplus", "gelu", "silu", "mish", "hardswish",
    "hardtanh",
)  # fmt: skip
POINTS = 1201  # an odd number: 0 is one of them
SATURATED = 0.05  # of the steepest slope


def activations(names=None, path=None, *, span=(-6.0, 6.0), title="Activations and their derivatives"):
    """activations(names=None, path=None) -> Figure.  Functions of one number, each with its derivative by the engine.

    names  names of pointwise operations ("sigmoid", "gelu", "sin", ...), Modules, or functions of a Tensor, in a list
           or alone; or ``{"name": function}``. The usual twelve if not given
    path   where to save it, too (.png, .svg or .pdf)
    span   the least and the greatest input

    Shaded is where the function saturates: where its slope is below 5 % of its steepest here, so that hardly any
    gradient passes. Raises ValueError for an unknown name, and for what is not pointwise (softmax: each output depends
    on all inputs), TypeError for what is no function.
    """
    who = "activations()"
    target = start(path, who)
    named = _named(names, who)
    ends = as_array(span, who, "span", 1, "two numbers").astype(float)
    if ends.shape != (2,) or not ends[0] < ends[1]:
        raise ValueError(fault(who, "span", str(span), "the least and the greatest input"))
    curves = {name: _curve(name, function, np.linspace(*ends, POINTS), who) for name, function in named.items()}
    rows, columns = rows_and_columns(len(curves))
    with settings():
        figure = figure_of(max(3.1 * columns, 4.4), 2.5 * rows + 0.5)
        for k, (name, (x, value, slope)) in enumerate(curves.items()):
            axes = figure.add_subplot(rows, columns, k + 1)
            _draw(axes, name, x, value, slope)
        shown = [pair for axes in figure.axes for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
        keys = {label: handle for handle, label in sorted(shown, key=lambda pair: pair[1] == "saturated")}
        figure.legend(keys.values(), keys.keys(), loc="outside lower left", ncols=3, frameon=False, fontsize=9)
        heading(figure, title)
        return finish(figure, target, who)


def activation_curve(function, x=None):
    """activation_curve(function, x=None) -> (x, value, derivative).  The numbers that `activations` draws: float64
    arrays of one shape. `function` as there, x the inputs, (N,)."""
    who = "activation_curve()"
    ((name, function),) = _named([function], who).items()
    return _curve(name, function, x, who)


def _curve(name, function, x, who):
    inputs = np.linspace(-6.0, 6.0, POINTS) if x is None else as_array(x, who, "x", 1, "inputs (N,)").astype(float)
    module = hasattr(function, "named_parameters")
    call = copy.deepcopy(function).double() if module else function
    checked_model(call, who)
    with undisturbed(call), minigrad.enable_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tensor = minigrad.tensor(inputs, requires_grad=True)
        try:
            value = call(tensor)
        except (RuntimeError, TypeError, IndexError) as error:
            raise ValueError(f"{who}: {name} does not take a row of numbers alone: {error}") from error
        if not isinstance(value, minigrad.Tensor) or value.shape != inputs.shape:
            got = shape_text(value.shape) if isinstance(value, minigrad.Tensor) else describe(value)
            raise ValueError(f"{who}: {name} gave {got} for {len(inputs)} inputs; expected one number for each")
        alone = call(tensor[1:2].detach())
        if not np.allclose(alone.detach().numpy(), value.detach().numpy()[1:2], equal_nan=True):
            raise ValueError(f"{who}: {name} is not pointwise: its output at one place depends on inputs at others")
        slope = np.zeros_like(inputs)
        if value.requires_grad:
            slope = minigrad.autograd.grad(value.sum(), tensor)[0].numpy().astype(float)
    return inputs, value.detach().numpy().astype(float), slope


def fits(models, x, y, path=None, *, span=None, title="What the models have learned", names=("x", "y")):
    """fits(models, x, y, path=None) -> Figure.  Models of one input as curves over the data they were fitted to.

    models  a Module or function from inputs (N, 1), or (N,), to outputs of that shape; or ``{"3 units": model, ...}``
    x, y    the data, (N,) or (N, 1)
    path    where to save it, too (.png, .svg or .pdf)
    span    the least and the greatest input; that of the data, and a little more, if not given
    names   of the axes

    For universal approximation against width, the pieces of maxout, what overfitting looks like. Models are run in
    evaluation mode, without recording. Raises ValueError for other shapes.
    """
    who = "fits()"
    target = start(path, who)
    xs, ys = (as_array(v, who, n, (1, 2), "(N,) or (N, 1)").astype(float) for v, n in ((x, "x"), (y, "y")))
    if xs.size != ys.size or xs.size != len(xs) or ys.size != len(ys):
        text = f"shapes {shape_text(xs.shape)} and {shape_text(ys.shape)}"
        raise ValueError(fault(who, "x, y", text, "one number of each for every point"))
    models = {str(k): m for k, m in models.items()} if isinstance(models, dict) else {"model": models}
    around = 0.06 * (np.ptp(xs) or 1.0)
    inputs = np.linspace(*(span or (xs.min() - around, xs.max() + around)), 600)
    with settings():
        figure = figure_of(6.2, 4.0)
        axes = figure.add_subplot()
        axes.scatter(
            xs, ys, s=float(np.clip(3000 / xs.size, 6, 40)), color=SOFT, alpha=0.55, linewidths=0, label="data"
        )
        for k, (name, model) in enumerate(models.items()):
            checked_model(model, who)
            shape = (-1, 1) if xs.ndim == 2 or hasattr(model, "named_parameters") else (-1,)
            with undisturbed(model):
                outputs = outputs_of(model, inputs.reshape(shape), who)
            if outputs.size != inputs.size:
                text = f"{who}: {name} gave shape {shape_text(outputs.shape)} for {inputs.size} inputs"
                raise ValueError(f"{text}; expected one number for each")
            axes.plot(
                inputs, outputs.reshape(-1), color=colour(k), linewidth=2, linestyle=LINES[k // 6 % 4], label=name
            )
        axes.set(xlabel=names[0], ylabel=names[1])
        low, high = ys.min(), ys.max()
        axes.set_ylim(low - 0.35 * (high - low or 1.0), high + 0.35 * (high - low or 1.0))
        plain(axes)
        legend(axes)
        heading(figure, title)
        return finish(figure, target, who)


def _named(names, who):
    """{name: function} of what was given."""
    if names is None:
        names = USUAL
    if isinstance(names, dict):
        found = {str(name): function for name, function in names.items()}
        wrong = [f for f in found.values() if not callable(f)]
    else:
        listed = list(names) if isinstance(names, list | tuple) else [names]
        found, wrong = {}, []
        for item in listed:
            function = _function(item, who) if isinstance(item, str) else item
            wrong += [] if callable(function) and not isinstance(function, type) else [function]
            name = item if isinstance(item, str) else _name_of(item)
            alike = [other for other in found if other == name or other.startswith(f"{name} #")]
            found[f"{name} #{len(alike) + 1}" if alike else name] = function
    if wrong:
        hint = "an instance, e.g. nn.ReLU()" if isinstance(wrong[0], type) else ""
        raise TypeError(fault(who, "names", describe(wrong[0]), "names, Modules or functions", hint))
    if not found:
        raise ValueError(fault(who, "names", "none", "at least one"))
    return found


def _name_of(function):
    if hasattr(function, "named_parameters"):
        return repr(function) if len(repr(function)) <= 40 else type(function).__name__
    name = getattr(function, "__name__", type(function).__name__)
    return "f" if name == "<lambda>" else name


def _function(name, who):
    """A public operation by its name, or a layer's."""
    from minigrad import nn
    from minigrad.nn import functional

    found = getattr(functional, name, None) or getattr(minigrad, name, None) or getattr(minigrad.special, name, None)
    if found is None and hasattr(nn, name):
        found = getattr(nn, name)()
    if found is None:
        raise ValueError(fault(who, "names", repr(name), "the name of an operation of minigrad", "e.g. 'gelu', 'tanh'"))
    return found


def _draw(axes, name, x, value, slope):
    flat = _saturated(slope)
    axes.fill_between(
        x, 0, 1, where=flat, transform=axes.get_xaxis_transform(), color=GRID, linewidth=0,
        label="saturated" if flat.any() else None,
    )  # fmt: skip
    axes.axhline(0, color=SOFT, linewidth=0.6)
    axes.axvline(0, color=SOFT, linewidth=0.6)
    axes.plot(x, _broken(x, value), color=COLOURS[0], linewidth=2.2, label="f(x)")
    axes.plot(x, _broken(x, slope), color=COLOURS[1], linewidth=1.8, linestyle="--", label="f ′(x)")
    shown = np.concatenate([value[np.isfinite(value)], slope[np.isfinite(slope)]])
    low, high = (shown.min(), shown.max()) if shown.size else (0.0, 1.0)
    low, high = max(low, -4.0), min(high, 4.0)
    axes.set_ylim(low - 0.07 * (high - low or 1.0), high + 0.07 * (high - low or 1.0))
    axes.set_xlim(x[0], x[-1])
    axes.set_title(name, loc="left", fontsize=10.5, color=INK, weight="bold")
    plain(axes, grid=False)


def _saturated(slope):
    """Where the slope is small towards an end of the picture, or zero over a stretch. (A hill's top has a small slope
    as well, but there nothing saturates.)"""
    steepest = np.nanmax(np.abs(slope)) if np.isfinite(slope).any() else 0.0
    flat = np.abs(slope) < SATURATED * steepest if steepest else np.ones(len(slope), bool)
    edges = np.flatnonzero(np.diff(np.r_[False, flat, False].astype(int)))
    kept = np.zeros_like(flat)
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        kept[begin:end] = end - begin > 1 and (begin == 0 or end == len(flat) or not slope[begin:end].any())
    return kept


def _broken(x, y):
    """The curve with a gap where it jumps, so that no line stands upright there."""
    jump = np.abs(np.diff(y)) > 40.0 * np.median(np.abs(np.diff(y))) + 0.02 * (np.nanmax(y) - np.nanmin(y) + 1e-12)
    broken = y.copy()
    broken[1:][jump] = np.nan
    return broken
