"""Recurrent layers: LSTM, GRU and the plain RNN, over a whole sequence, forward and backward.

The rows of all time steps lie in one array, those of a step together; ``sizes[t]`` says how many sequences still go on
at step t, the longest ones first (PyTorch's packed sequences; a batch of equal lengths has equal sizes). A state has a
row for each sequence. A step changes the first `sizes[t]` rows and leaves the others, so that in the end each row holds
the last state of its sequence, in either direction:

    sizes = 3 2 1      step 0     step 1   step 2            reverse: the steps from the last to the first
    rows:              a b c      a b      a

The products of all inputs with their weights are one matrix product, those of the states are one for each step; the
rest of a step is one pass over memory (`cell.py`). In the backward the steps run the other way, and the gradients of
the weights are again products over many steps.

Before this: `cell.py`. After it: `ops/recurrent.py`.
"""

import itertools
from typing import NamedTuple

import numpy as np

from minigrad.kernels.cell import gru_step, gru_step_backward, lstm_step, lstm_step_backward, rnn_step

STRETCH = 256  # rows of the backward at once
UNPACKED = 10**6  # products of numbers in a matrix product that OpenBLAS (0.3.17 and later, AVX-512) does not pack


class Step(NamedTuple):
    """Where the rows of a step lie, how many they are, and where those of the step before it lie (None at first)."""

    here: slice
    size: int
    earlier: slice | None


def steps(sizes, reverse):
    """The steps in their order."""
    ends = list(itertools.accumulate(sizes))
    places = [slice(end - size, end) for end, size in zip(ends, sizes)]
    if reverse:
        places.reverse()
    return [Step(here, here.stop - here.start, earlier) for earlier, here in zip([None, *places], places)]


def stretches(sizes, reverse, rows=STRETCH):
    """The steps from the last to the first, in groups of about so many rows: (all their rows, [(step, its place among
    these)]). What is computed of a group is still at hand in the processor's cache when the weights' gradients need it.
    """
    group, total = [], 0
    backwards = steps(sizes, reverse)[::-1]
    for k, step in enumerate(backwards):
        group.append(step)
        total += step.size
        if total >= rows or k + 1 == len(backwards):
            first = min(step.here.start for step in group)
            places = [slice(step.here.start - first, step.here.stop - first) for step in group]
            yield slice(first, first + total), list(zip(group, places))
            group, total = [], 0


def former(start, states, step):
    """The state that a step began with: what the step before left in its rows of `states`; `start`'s where none did."""
    if step.earlier is None:
        return start[: step.size]
    known = states[step.earlier][: step.size]
    return known if len(known) == step.size else np.concatenate((known, start[len(known) : step.size]))


class Gradients:
    """The gradients of a layer's weights and biases, and of its input if it wants one, added up by stretches."""

    def __init__(self, input, weight_ih, weight_hh, through):
        self.input, self.weight_ih = input, weight_ih
        self.d_input = np.empty(input.shape, input.dtype) if through else None
        self.d_ih, self.d_hh = np.zeros(weight_ih.shape, input.dtype), np.zeros(weight_hh.shape, input.dtype)
        self.d_bias_ih, self.d_bias_hh = np.zeros((2, len(weight_ih)), input.dtype)

    def add(self, rows, d_gates, d_product, former):
        """The rows of a stretch: gradients of the input's product and of the state's, and the states before."""
        if self.d_input is not None:
            np.dot(d_gates, self.weight_ih, out=self.d_input[rows])
        self.d_ih += np.dot(d_gates.T, self.input[rows])
        self.d_hh += np.dot(d_product.T, former)
        total = d_gates.sum(0)
        self.d_bias_ih += total
        self.d_bias_hh += total if d_product is d_gates else d_product.sum(0)

    def results(self):
        """The gradients of weight_ih, weight_hh, bias_ih and bias_hh."""
        return self.d_ih, self.d_hh, self.d_bias_ih.copy(), self.d_bias_hh.copy()


def panels(weight, count):
    """The transpose of a weight in panels of columns (parts, H, width): OpenBLAS multiplies matrices as small as these
    by `count` rows without packing them first."""
    rows, size = weight.shape
    width = rows
    if count * rows * size > UNPACKED:
        width = next((w for w in (64, 32) if rows % w == 0 and count * w * size <= UNPACKED), rows)
    return np.ascontiguousarray(weight.reshape(-1, width, size).transpose(0, 2, 1))


def product(states, turned):
    """``states @ weight.T`` by the panels: (parts, N, width)."""
    return np.dot(states, turned[0])[None] if len(turned) == 1 else np.matmul(states, turned)


def or_zeros(gradient, like):
    """The gradient of a state, to be written to; zeros where it is None."""
    return np.zeros(like.shape, like.dtype) if gradient is None else np.array(gradient, order="C")


def summed(first, second, size, dtype):
    """The sum of two biases, of which any may be None."""
    total = np.zeros(size, dtype)
    for bias in (first, second):
        if bias is not None:
            total += bias
    return total


def lstm_forward(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse):
    """One direction of an LSTM layer.

    Returns:
        tuple: states (rows, P) of all steps, the last hidden (N, P) and cell (N, H); and for the backward: gates
        (rows, 4H), the cells (rows, H).
    """
    gates, turned = np.dot(input, weight_ih.T), panels(weight_hh, len(hidden))
    bias = summed(bias_ih, bias_hh, gates.shape[1], gates.dtype)
    hidden, cell = hidden.copy(), cell.copy()
    cells = np.empty((len(input), cell.shape[1]), gates.dtype)
    outputs = np.empty_like(cells)
    states = outputs if weight_hr is None else np.empty((len(input), len(weight_hr)), gates.dtype)
    for here, count, _ in steps(sizes, reverse):
        lstm_step(gates[here], product(hidden[:count], turned), bias, cell[:count], cells[here], outputs[here])
        if weight_hr is not None:
            np.dot(outputs[here], weight_hr.T, out=states[here])
        hidden[:count] = states[here]
    return states, hidden, cell, gates, cells


def lstm_backward(grads, input, hidden, cell, weights, states, gates, cells, sizes, reverse, through):
    """The gradients of `lstm_forward`'s inputs.

    Args:
        grads (list): the gradients of states, last hidden and last cell, or None.
        weights (tuple): weight_ih, weight_hh, weight_hr.
        through (bool): whether the input wants a gradient; otherwise its place is None.
    """
    weight_ih, weight_hh, weight_hr = weights
    d_states, d_hidden, d_cell = grads[0], or_zeros(grads[1], hidden), or_zeros(grads[2], cell)
    hidden, cell = np.ascontiguousarray(hidden), np.ascontiguousarray(cell)
    sums, d_hr = Gradients(input, weight_ih, weight_hh, through), None
    d_shown = None if weight_hr is None else np.empty(states.shape, states.dtype)
    for rows, group in stretches(sizes, reverse):
        d_gates = np.empty((rows.stop - rows.start, gates.shape[1]), gates.dtype)
        began = np.empty((len(d_gates), states.shape[1]), gates.dtype)
        for step, place in group:
            here, count, _ = step
            grad = d_hidden[:count]
            if d_states is not None:
                grad += d_states[here]
            if weight_hr is not None:
                d_shown[here] = grad
                grad = np.dot(grad, weight_hr)
            began[place] = former(hidden, states, step)
            lstm_step_backward(
                grad, gates[here], cells[here], former(cell, cells, step), d_cell[:count], d_gates[place]
            )
            np.dot(d_gates[place], weight_hh, out=d_hidden[:count])
        sums.add(rows, d_gates, d_gates, began)
    if weight_hr is not None:
        d_hr = np.dot(d_shown.T, gates[:, 3 * cell.shape[1] :] * np.tanh(cells))
    return sums.d_input, d_hidden, d_cell, *sums.results(), d_hr


def gru_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse):
    """One direction of a GRU layer: states (rows, H), the last one (N, H); for the backward, gates (rows, 3H) and inner
    (rows, H)."""
    gates, turned, hidden = np.dot(input, weight_ih.T), panels(weight_hh, len(hidden)), hidden.copy()
    size = hidden.shape[1]
    by_input, by_state = summed(bias_ih, None, 3 * size, gates.dtype), summed(None, bias_hh, 3 * size, gates.dtype)
    by_input[: 2 * size] += by_state[: 2 * size]
    bias = np.concatenate((by_input, by_state[2 * size :]))
    states = np.empty((len(input), size), gates.dtype)
    inner = np.empty_like(states)
    for here, count, _ in steps(sizes, reverse):
        gru_step(gates[here], product(hidden[:count], turned), bias, hidden[:count], states[here], inner[here])
    return states, hidden, gates, inner


def gru_backward(grads, input, hidden, weights, states, gates, inner, sizes, reverse, through):
    """The gradients of `gru_forward`'s inputs, from those of states and last state (or None)."""
    weight_ih, weight_hh = weights
    d_states, d_hidden, hidden = grads[0], or_zeros(grads[1], hidden), np.ascontiguousarray(hidden)
    sums = Gradients(input, weight_ih, weight_hh, through)
    for rows, group in stretches(sizes, reverse):
        d_gates, d_product = np.empty((2, rows.stop - rows.start, gates.shape[1]), gates.dtype)
        began = np.empty((len(d_gates), states.shape[1]), gates.dtype)
        for step, place in group:
            here, count, _ = step
            grad = d_hidden[:count]
            if d_states is not None:
                grad += d_states[here]
            began[place] = former(hidden, states, step)
            gru_step_backward(grad, gates[here], inner[here], began[place], d_gates[place], d_product[place])
            grad += np.dot(d_product[place], weight_hh)
        sums.add(rows, d_gates, d_product, began)
    return sums.d_input, d_hidden, *sums.results()


def rnn_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse):
    """One direction of a plain RNN layer: states (rows, H), the last one (N, H)."""
    states, turned, hidden = np.dot(input, weight_ih.T), panels(weight_hh, len(hidden)), hidden.copy()
    bias = summed(bias_ih, bias_hh, states.shape[1], states.dtype)
    for here, count, _ in steps(sizes, reverse):
        rnn_step(states[here], product(hidden[:count], turned), bias, relu)
        hidden[:count] = states[here]
    return states, hidden


def rnn_backward(grads, input, hidden, weights, states, relu, sizes, reverse, through):
    """The gradients of `rnn_forward`'s inputs, from those of states and last state (or None)."""
    weight_ih, weight_hh = weights
    d_states, d_hidden, hidden = grads[0], or_zeros(grads[1], hidden), np.ascontiguousarray(hidden)
    sums = Gradients(input, weight_ih, weight_hh, through)
    for rows, group in stretches(sizes, reverse):
        slope = (~(states[rows] <= 0)).astype(states.dtype) if relu else 1 - states[rows] * states[rows]
        began = np.empty_like(slope)
        for step, place in group:
            grad = d_hidden[: step.size]
            if d_states is not None:
                grad += d_states[step.here]
            began[place] = former(hidden, states, step)
            slope[place] *= grad
            np.dot(slope[place], weight_hh, out=grad)
        sums.add(rows, slope, slope, began)
    return sums.d_input, d_hidden, *sums.results()
