"""What gates do while a recurrent layer reads a sequence."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigrad.errors import describe, shape_text
from minigrad.viz.plots.common import (
    COLOURS,
    INK,
    SOFT,
    as_array,
    checked_model,
    fault,
    figure_of,
    finish,
    heading,
    plain,
    settings,
    start,
    words,
)

__all__ = ["Gates", "gate_values", "gates"]

NAMES = {
    "LSTM": {"input": "input gate  σ(i)", "forget": "forget gate  σ(f)", "cell_input": "candidate  tanh(g)",
             "output": "output gate  σ(o)", "cell": "cell  c", "hidden": "hidden state  h"},
    "GRU": {"reset": "reset gate  σ(r)", "update": "update gate  σ(z)", "candidate": "candidate  n",
            "hidden": "hidden state  h"},
    "RNN": {"hidden": "hidden state  h"},
}  # fmt: skip
MOST_UNITS = 64


class Gates(NamedTuple):
    """What went on in one layer and direction, step by step: arrays (steps, hidden_size).

    kind    "LSTM", "GRU" or "RNN"
    values  of an LSTM: input, forget, cell_input, output (all after their squashing), cell, hidden; of a GRU: reset,
            update, candidate, hidden; of a plain RNN: hidden
    """

    kind: str
    values: dict


def gates(
    layer, x, path=None, *, state=None, labels=None, units=None, number=0, reverse=False, sequence=0, title=None
):  # fmt: skip
    """gates(layer, x, path=None) -> Figure.  The gates of an LSTM or a GRU over time, a row for each unit.

    layer     nn.LSTM, nn.GRU, nn.RNN, or one of their cells
    x         what it reads: (steps, input_size), or a batch of such (steps, N, input_size), with batch_first
              (N, steps, input_size)
    path      where to save it, too (.png, .svg or .pdf)
    state     what it starts from, as for the layer: h_0, of an LSTM (h_0, c_0); zeros if not given
    labels    names of the steps, e.g. the characters read
    units     which hidden units to show, a list; the first 64 if not given
    number    which layer; `reverse`: its backward direction
    sequence  which one of a batch

    The gates are computed from the layer's weights on the side, by the equations of its docstring; nothing is changed.
    Above each: the mean over all units. Raises TypeError for another kind of layer, ValueError for other shapes.
    """
    who = "gates()"
    target = start(path, who)
    found = _values(layer, x, state, number, reverse, sequence, who)
    steps, hidden = found.values["hidden"].shape
    called = None if labels is None else words(labels, steps, who)
    chosen = np.arange(min(hidden, MOST_UNITS)) if units is None else np.atleast_1d(np.asarray(units))
    if chosen.dtype.kind not in "iu" or not chosen.size or chosen.min() < 0 or chosen.max() >= hidden:
        raise ValueError(fault(who, "units", describe(units), f"numbers of units, 0 to {hidden - 1}"))
    names = NAMES[found.kind]
    with settings():
        columns = 2 if len(names) > 1 else 1
        rows = -(-len(names) // columns)
        figure = figure_of(5.4 * columns, 0.6 + rows * (1.5 + min(0.06 * len(chosen), 1.6)))
        grid = figure.add_gridspec(2 * rows, columns, height_ratios=[1, 2.6] * rows)
        for k, (name, text) in enumerate(names.items()):
            row, column = k % rows, k // rows
            _draw(
                figure, grid[2 * row, column], grid[2 * row + 1, column], name, text, found.values[name], chosen, called
            )
        note = f"{hidden} units, {steps} steps" if len(chosen) == hidden else f"{len(chosen)} of {hidden} units"
        heading(figure, title or f"{type(layer).__name__} over time", note)
        return finish(figure, target, who)


def gate_values(layer, x, *, state=None, number=0, reverse=False, sequence=0) -> Gates:
    """gate_values(layer, x) -> Gates.  The numbers that `gates` draws; arguments as there."""
    return _values(layer, x, state, number, reverse, sequence, "gate_values()")


def _values(layer, x, state, number, reverse, sequence, who):
    checked_model(layer, who, "nn.LSTM, nn.GRU, nn.RNN or a cell")
    kind = _kind(layer, who)
    array = as_array(x, who, "x", (2, 3), "(steps, input_size), or a batch of such").astype(float)
    if array.shape[-1] != layer.input_size or not array.size:
        raise ValueError(fault(who, "x", f"shape {shape_text(array.shape)}", f"(steps, {layer.input_size})"))
    batched, first = array.ndim == 3, getattr(layer, "batch_first", False)
    count = 1 if not batched else array.shape[0 if first else 1]
    if not isinstance(sequence, int) or not -count <= sequence < count:
        raise ValueError(fault(who, "sequence", describe(sequence), f"one of the {count} of the batch"))
    if batched:
        array = array[sequence] if first else array[:, sequence]
    states = _states(state, layer, kind, batched, sequence, who)
    if not hasattr(layer, "num_layers"):  # a cell
        weights = [_array(getattr(layer, name)) for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
        return Gates(kind, _run(kind, array, weights, None, [s.reshape(-1) for s in states], layer))
    directions = 2 if layer.bidirectional else 1
    if not isinstance(number, int) or not 0 <= number < layer.num_layers:
        raise ValueError(fault(who, "number", describe(number), f"a layer, 0 to {layer.num_layers - 1}"))
    if reverse and directions == 1:
        raise ValueError(fault(who, "reverse", "True", "False: this layer has one direction"))
    for k in range(number + 1):  # what the layer before gives is what this one reads
        found = []
        for d in range(directions):
            names = [
                f"{part}_l{k}{'_reverse' if d else ''}" for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            ]
            weights = [_array(getattr(layer, name, None)) for name in names]
            projection = _array(getattr(layer, f"weight_hr_l{k}{'_reverse' if d else ''}", None))
            begin = [s[k * directions + d] for s in states]
            ran = _run(kind, array[::-1] if d else array, weights, projection, begin, layer)
            found.append({name: values[::-1] if d else values for name, values in ran.items()})
        if k == number:
            return Gates(kind, found[int(reverse)])
        array = np.concatenate([ran["hidden"] for ran in found], axis=1)
    raise AssertionError("unreachable")


def _kind(layer, who):
    from minigrad import nn

    kinds = {"LSTM": (nn.LSTM, nn.LSTMCell), "GRU": (nn.GRU, nn.GRUCell), "RNN": (nn.RNN, nn.RNNCell)}
    for kind, classes in kinds.items():
        if isinstance(layer, classes):
            return kind
    raise TypeError(fault(who, "layer", describe(layer), "nn.LSTM, nn.GRU, nn.RNN or one of their cells"))


def _array(weight):
    return None if weight is None else np.asarray(weight.detach(), float)


def _states(state, layer, kind, batched, sequence, who):
    """The states to begin with, arrays (layers * directions, size)."""
    rows = getattr(layer, "num_layers", 1) * (2 if getattr(layer, "bidirectional", False) else 1)
    sizes = [getattr(layer, "proj_size", 0) or layer.hidden_size, layer.hidden_size][: 2 if kind == "LSTM" else 1]
    if state is None:
        return [np.zeros((rows, size)) for size in sizes]
    given = list(state) if kind == "LSTM" and isinstance(state, tuple | list) else [state]
    if len(given) != len(sizes):
        raise ValueError(fault(who, "state", f"{len(given)} tensors", "(h_0, c_0)"))
    found = []
    for each, size in zip(given, sizes, strict=True):
        array = as_array(each, who, "state").astype(float)
        if batched and array.ndim > 1:
            array = array[..., sequence, :]
        if array.size != rows * size:
            raise ValueError(fault(who, "state", f"shape {shape_text(array.shape)}", f"({rows}, {size}) a sequence"))
        found.append(array.reshape(rows, size))
    return found


def _sigmoid(x):
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _run(kind, inputs, weights, projection, states, layer):
    """The equations, step by step, in float64: {name: (steps, hidden_size)}."""
    w_ih, w_hh, b_ih, b_hh = weights
    hidden, rows = states[0], []
    cell = states[1] if kind == "LSTM" else None
    squash = np.tanh if getattr(layer, "nonlinearity", "tanh") == "tanh" else lambda x: np.maximum(x, 0.0)
    for x in inputs:
        from_x = w_ih @ x + (0.0 if b_ih is None else b_ih)
        from_h = w_hh @ hidden + (0.0 if b_hh is None else b_hh)
        if kind == "LSTM":
            i, f, g, o = np.split(from_x + from_h, 4)
            i, f, g, o = _sigmoid(i), _sigmoid(f), np.tanh(g), _sigmoid(o)
            cell = f * cell + i * g
            hidden = o * np.tanh(cell)
            hidden = hidden if projection is None else projection @ hidden
            rows.append({"input": i, "forget": f, "cell_input": g, "output": o, "cell": cell, "hidden": hidden})
        elif kind == "GRU":
            (r, z, n), (r2, z2, n2) = np.split(from_x, 3), np.split(from_h, 3)
            r, z = _sigmoid(r + r2), _sigmoid(z + z2)
            n = np.tanh(n + r * n2)
            hidden = (1.0 - z) * n + z * hidden
            rows.append({"reset": r, "update": z, "candidate": n, "hidden": hidden})
        else:
            hidden = squash(from_x + from_h)
            rows.append({"hidden": hidden})
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def _draw(figure, above, below, name, text, values, chosen, labels):
    chosen = chosen[chosen < values.shape[1]]  # a projected state is smaller
    is_gate = name in ("input", "forget", "output", "reset", "update")
    top = max(float(np.abs(values).max()), 1e-9)
    low, high = (0.0, 1.0) if is_gate else (-1.0, 1.0) if top <= 1.0 else (-top, top)
    steps = np.arange(1, len(values) + 1)
    mean = figure.add_subplot(above)
    spread = values.std(axis=1)
    mean.fill_between(
        steps, values.mean(1) - spread, values.mean(1) + spread, color=COLOURS[0], alpha=0.15, linewidth=0
    )
    mean.plot(steps, values.mean(axis=1), color=COLOURS[0], linewidth=1.8)
    mean.set(ylim=(low, high), xlim=(0.5, len(values) + 0.5))
    mean.set_xticks([])
    mean.set_title(text, loc="left", fontsize=10.5, weight="bold", color=INK)
    plain(mean)
    mean.tick_params(labelsize=8)
    axes = figure.add_subplot(below)
    image = axes.imshow(
        values[:, chosen].T, aspect="auto", cmap="viridis" if is_gate else "RdBu_r", vmin=low, vmax=high,
        interpolation="nearest", extent=(0.5, len(values) + 0.5, len(chosen) - 0.5, -0.5),
    )  # fmt: skip
    axes.set_ylabel("unit", fontsize=9)
    if labels is not None and len(labels) <= 60:
        axes.set_xticks(steps, labels, fontsize=9 if len(labels) <= 30 else 7)
    axes.set_yticks(*_few(chosen))
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(
        image, ax=[mean, axes], fraction=0.03, pad=0.015, aspect=30, ticks=[low, (low + high) / 2, high]
    )
    bar.ax.set_yticklabels([f"{v:.3g}" for v in (low, (low + high) / 2, high)])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=8, length=0, labelcolor=SOFT)


def _few(chosen):
    places = np.arange(0, len(chosen), max(1, -(-len(chosen) // 6)))
    return places, [str(chosen[k]) for k in places]
