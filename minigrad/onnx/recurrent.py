"""RNN, LSTM and GRU in the words of ONNX, which has a node for each direction of a layer. Comes after `table.py`.

A cell's op gets rows (N, I); ONNX's nodes work on (T, N, I) and states (1, N, H), with the gates in another order.
"""

from __future__ import annotations

import numpy as np

from minigrad.onnx.table import TABLE, op
from minigrad.onnx.trace import Symbol

__all__ = ["TABLE"]


def _layer(g, kind, order, x, states, weights, sizes, reverse, **attrs):
    """The names of the outputs: all states, then the last ones. order: ONNX's gates by PyTorch's number."""
    if len(set(sizes)) != 1:
        raise g.missing("a packed sequence of different lengths")
    if any([isinstance(weight, Symbol) for weight in weights]):
        raise g.missing("a recurrent layer whose weights are computed")
    hidden = weights[1]._shape[1]

    def gates(weight):
        rows = np.zeros(len(order) * hidden, np.float32) if weight is None else weight.array
        return np.concatenate([rows[i * hidden : (i + 1) * hidden] for i in order])

    w, r, b_ih, b_hh = map(gates, weights)
    bias = np.concatenate([b_ih, b_hh]).astype(w.dtype)[None]
    single = len(x._shape) == 2  # rows, of one step or of several
    steps = g.add("Reshape", [x, g.ints(len(sizes), -1, x._shape[1])]) if single else x
    first = [
        None if _is_zero(state) else state if len(state._shape) == 3 else g.add("Unsqueeze", [state, g.ints(0)])
        for state in states
    ]
    inputs = [steps, g.constant(w[None]), g.constant(r[None]), g.constant(bias), None, *first]
    direction = "reverse" if reverse else "forward"
    rows, *last = g.add(kind, inputs, 1 + len(states), hidden_size=hidden, direction=direction, **attrs)
    shape = (-1, hidden) if single else (len(sizes), -1, hidden)
    last = [
        each if len(state._shape) == 3 else g.add("Squeeze", [each, g.ints(0)])
        for each, state in zip(last, states, strict=True)
    ]
    return g.add("Reshape", [rows, g.ints(*shape)]), *last


def _is_zero(state):
    """Whether it is what a layer starts from if it is given nothing."""
    return not isinstance(state, Symbol) and not state.array.any()


@op
def lstm_layer(g, out, x, hidden, cell, w, r, b_ih, b_hh, weight_hr, sizes, reverse, through):
    if weight_hr is not None:
        raise g.missing("an LSTM with proj_size")
    return _layer(g, "LSTM", (0, 3, 1, 2), x, (hidden, cell), (w, r, b_ih, b_hh), sizes, reverse)


@op
def gru_layer(g, out, x, hidden, w, r, b_ih, b_hh, sizes, reverse, through):
    return _layer(g, "GRU", (1, 0, 2), x, (hidden,), (w, r, b_ih, b_hh), sizes, reverse, linear_before_reset=1)


@op
def rnn_layer(g, out, x, hidden, w, r, b_ih, b_hh, relu, sizes, reverse, through):
    activation = ["Relu" if relu else "Tanh"]
    return _layer(g, "RNN", (0,), x, (hidden,), (w, r, b_ih, b_hh), sizes, reverse, activations=activation)
