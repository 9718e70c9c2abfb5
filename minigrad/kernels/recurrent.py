"""Recurrent layers: LSTM, GRU and the plain RNN, over a whole sequence, forward and backward.

The rows of all time steps lie in one array, those of a step together; ``sizes[t]`` says how many sequences still go on
at step t, the longest ones first (PyTorch's packed sequences; a batch of equal lengths has equal sizes). A state has a
row for each sequence. A step changes the first `sizes[t]` rows and leaves the others, so that in the end each row holds
the last state of its sequence, in either direction:

    sizes = 3 2 1      step 0     step 1   step 2            reverse: the steps from the last to the first
    rows:              a b c      a b      a

The products of all inputs with their weights are one matrix product, those of the states are one for each step; the
rest of a step is one pass over memory, a kernel here. In the backward the steps run the other way, and the gradients of
the weights are again single products over all rows.

Before this: `dispatch.py`, `vecmath.py`. After it: `ops/recurrent.py`.
"""

import itertools
from typing import NamedTuple

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.vecmath import array_sigmoid, sigmoid, tanh

STRETCH = 256  # rows of the backward at once
UNPACKED = 10**6  # products of numbers in a matrix product that OpenBLAS (0.3.17 and later, AVX-512) does not pack


class Step(NamedTuple):
    """Where the rows of a step lie, how many they are, and where those of the step before it lie (None at first)."""

    here: slice
    count: int
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
        total += step.count
        if total >= rows or k + 1 == len(backwards):
            first = min(step.here.start for step in group)
            places = [slice(step.here.start - first, step.here.stop - first) for step in group]
            yield slice(first, first + total), list(zip(group, places))
            group, total = [], 0


def former(start, states, step):
    """The state that a step began with: what the step before left in its rows of `states`; `start`'s where none did."""
    if step.earlier is None:
        return start[: step.count]
    known = states[step.earlier][: step.count]
    return known if len(known) == step.count else np.concatenate((known, start[len(known) : step.count]))


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


# --------------------------------------------------------------------------------------------------------------------
# Loops. LLVM makes vector code of those that run from 0 over few arrays, so the parts of a row are cut out first.


@jit
def add_sigmoid(x, y, bias):
    """x = σ(x + y + bias)."""
    for j in range(x.size):
        x[j] = sigmoid(x[j] + y[j] + bias[j])


@jit
def add_tanh(x, y, bias):
    """x = tanh(x + y + bias)."""
    for j in range(x.size):
        x[j] = tanh(x[j] + y[j] + bias[j])


@jit
def joined(product, i, line):
    """Row i of a product in panels."""
    parts, _, width = product.shape
    for k in range(parts):
        part, place = product[k, i], line[k * width : (k + 1) * width]
        for j in range(width):
            place[j] = part[j]


@jit
def lstm_rows(gates, product, bias, cell, cells, outputs):
    """`lstm_step`."""
    size = cell.shape[1]
    early, middle = slice(0, 2 * size), slice(2 * size, 3 * size)
    late, p = slice(3 * size, 4 * size), np.empty(4 * size, gates.dtype)
    for i in range(cell.shape[0]):
        joined(product, i, p)
        g, c, kept, out = gates[i], cell[i], cells[i], outputs[i]
        add_sigmoid(g[early], p[early], bias[early])
        add_tanh(g[middle], p[middle], bias[middle])
        add_sigmoid(g[late], p[late], bias[late])
        enter, forget, new, show = g[:size], g[size : 2 * size], g[middle], g[late]
        for j in range(size):
            c[j] = forget[j] * c[j] + enter[j] * new[j]
        for j in range(size):
            kept[j] = c[j]
        for j in range(size):
            out[j] = show[j] * tanh(c[j])


@jit
def lstm_backward_rows(grad, gates, cells, former, d_cell, d_gates):
    """`lstm_step_backward`."""
    size, one = cells.shape[1], cells.dtype.type(1)
    for i in range(cells.shape[0]):
        g, d, dh, dc, c, c0 = gates[i], d_gates[i], grad[i], d_cell[i], cells[i], former[i]
        enter, forget, new, show = g[:size], g[size : 2 * size], g[2 * size : 3 * size], g[3 * size :]
        d_enter, d_forget, d_new, d_show = d[:size], d[size : 2 * size], d[2 * size : 3 * size], d[3 * size :]
        for j in range(size):
            t = tanh(c[j])
            d_show[j] = dh[j] * t * show[j] * (one - show[j])
            dc[j] += dh[j] * show[j] * (one - t * t)
        for j in range(size):
            d_enter[j] = dc[j] * new[j] * enter[j] * (one - enter[j])
            d_new[j] = dc[j] * enter[j] * (one - new[j] * new[j])
        for j in range(size):
            d_forget[j] = dc[j] * c0[j] * forget[j] * (one - forget[j])
            dc[j] *= forget[j]


@jit
def gru_rows(gates, product, bias, hidden, states, inner):
    """`gru_step`."""
    size, one = hidden.shape[1], hidden.dtype.type(1)
    early, late = slice(0, 2 * size), slice(2 * size, 3 * size)
    level, start, p = bias[late], bias[3 * size :], np.empty(3 * size, gates.dtype)
    for i in range(hidden.shape[0]):
        joined(product, i, p)
        g, h, out, kept = gates[i], hidden[i], states[i], inner[i]
        add_sigmoid(g[early], p[early], bias[early])
        reset, update, new, inside = g[:size], g[size : 2 * size], g[late], p[late]
        for j in range(size):
            kept[j] = inside[j] + start[j]
        for j in range(size):
            inside[j] = reset[j] * kept[j]
        add_tanh(new, inside, level)
        for j in range(size):
            h[j] = (one - update[j]) * new[j] + update[j] * h[j]
        for j in range(size):
            out[j] = h[j]


@jit
def gru_backward_rows(d_hidden, gates, inner, former, d_gates, d_product):
    """`gru_step_backward`."""
    size, one = former.shape[1], former.dtype.type(1)
    for i in range(former.shape[0]):
        g, d, e, dh, kept, h = gates[i], d_gates[i], d_product[i], d_hidden[i], inner[i], former[i]
        reset, update, new = g[:size], g[size : 2 * size], g[2 * size :]
        d_reset, d_update, d_new = d[:size], d[size : 2 * size], d[2 * size :]
        for j in range(size):
            d_update[j] = dh[j] * (h[j] - new[j]) * update[j] * (one - update[j])
            d_new[j] = dh[j] * (one - update[j]) * (one - new[j] * new[j])
        for j in range(size):
            d_reset[j] = d_new[j] * kept[j] * reset[j] * (one - reset[j])
            dh[j] *= update[j]
        for j in range(2 * size):
            e[j] = d[j]
        inside = e[2 * size :]
        for j in range(size):
            inside[j] = d_new[j] * reset[j]


@jit
def rnn_rows(gates, product, bias, relu, states):
    """`rnn_step`."""
    zero, p = gates.dtype.type(0), np.empty(gates.shape[1], gates.dtype)
    for i in range(gates.shape[0]):
        joined(product, i, p)
        g, out = gates[i], states[i]
        if relu:
            for j in range(out.size):
                x = g[j] + p[j] + bias[j]
                out[j] = x if (x > 0) | (x != x) else zero
        else:
            for j in range(out.size):
                out[j] = tanh(g[j] + p[j] + bias[j])


# --------------------------------------------------------------------------------------------------------------------
# Kernels: one step. Arrays have a row for each sequence that goes on.


def arrays_of(size, *widths):
    """Arrays of 8 columns times each of the widths, about `size` numbers in each unit; values in (-1, 1)."""
    count = max(1, size // 64)
    return [np.sin(np.arange(count * 8 * width, dtype=np.float32) + width).reshape(count, -1) for width in widths]


def in_panels(array):
    """Rows as two panels."""
    return np.ascontiguousarray(array.reshape(len(array), 2, -1).swapaxes(0, 1))


def in_rows(product):
    """Panels (parts, N, width) as rows."""
    return product.swapaxes(0, 1).reshape(product.shape[1], -1)


def lstm_samples(size):
    gates, product, cell, cells, outputs = arrays_of(size, 4, 4, 1, 1, 1)
    return gates, in_panels(product), gates[0].copy(), cell, cells, outputs


def gru_samples(size):
    gates, product, hidden, states, inner, bias = arrays_of(size, 3, 3, 1, 1, 1, 4)
    return gates, in_panels(product), bias[0], hidden, states, inner


def rnn_samples(size):
    gates, product, states = arrays_of(size, 1, 1, 1)
    return gates, in_panels(product), gates[0].copy(), False, states


@kernel(samples=lstm_samples)
def lstm_step(gates, product, bias, cell, cells, outputs):
    """A step of an LSTM, from the products of input and state with their weights.

        i, f, g, o = gates + product + bias        in gates afterwards: σ(i), σ(f), tanh(g), σ(o)
        cell = σ(f) cell + σ(i) tanh(g)            in place; a copy goes to cells
        outputs = σ(o) tanh(cell)

    Args:
        gates (ndarray): (N, 4H), overwritten.
        product (ndarray): the same in panels (parts, N, 4H / parts).
        bias (ndarray): (4H,).
        cell, cells, outputs (ndarray): (N, H); the last two are filled.
    """
    size = cell.shape[1]
    gates += in_rows(product)
    gates += bias
    new = np.tanh(gates[:, 2 * size : 3 * size])
    gates[...] = array_sigmoid(gates)
    gates[:, 2 * size : 3 * size] = new
    cell *= gates[:, size : 2 * size]
    cell += gates[:, :size] * new
    cells[...] = cell
    outputs[...] = gates[:, 3 * size :] * np.tanh(cell)


@lstm_step.numba(python=True)
def lstm_step(gates, product, bias, cell, cells, outputs):
    lstm_rows(gates, product, bias, cell, cells, outputs)


@kernel(samples=lambda size: tuple(arrays_of(size, 1, 4, 1, 1, 1, 4)))
def lstm_step_backward(grad, gates, cells, former, d_cell, d_gates):
    """The derivative of `lstm_step`, applied to the gradients `grad` of the outputs and `d_cell` of the new cell.

    Args:
        grad, cells, former, d_cell (ndarray): (N, H); cells after and before the step. d_cell becomes the gradient of
            the cell before the step.
        gates, d_gates (ndarray): (N, 4H); what `lstm_step` left there; the gradient of i, f, g, o is written.
    """
    enter, forget, new, show = np.split(gates, 4, 1)
    shown = np.tanh(cells)
    d_cell += grad * show * (1 - shown * shown)
    d_gates[...] = np.concatenate(
        (
            d_cell * new * enter * (1 - enter),
            d_cell * former * forget * (1 - forget),
            d_cell * enter * (1 - new * new),
            grad * shown * show * (1 - show),
        ),
        1,
    )
    d_cell *= forget


@lstm_step_backward.numba(python=True)
def lstm_step_backward(grad, gates, cells, former, d_cell, d_gates):
    lstm_backward_rows(grad, gates, cells, former, d_cell, d_gates)


@kernel(samples=gru_samples)
def gru_step(gates, product, bias, hidden, states, inner):
    """A step of a GRU, from the products of input and state with their weights.

        r, z = gates + product + bias              in gates afterwards: σ(r), σ(z), n
        inner = product + bias                     of the last part
        n = tanh(gates + bias + σ(r) inner)
        hidden = (1 - σ(z)) n + σ(z) hidden        in place; a copy goes to states

    Args:
        gates (ndarray): (N, 3H), overwritten.
        product (ndarray): the same in panels (parts, N, 3H / parts).
        bias (ndarray): (4H,): for r, z, the input's and the state's part of n.
        hidden, states, inner (ndarray): (N, H); the last two are filled.
    """
    size, product = hidden.shape[1], in_rows(product)
    rest = slice(2 * size, None)
    gates[:, : 2 * size] = array_sigmoid(gates[:, : 2 * size] + product[:, : 2 * size] + bias[: 2 * size])
    reset, update, _ = np.split(gates, 3, 1)
    inner[...] = product[:, rest] + bias[3 * size :]
    new = gates[:, rest] = np.tanh(gates[:, rest] + bias[2 * size : 3 * size] + reset * inner)
    hidden[...] = (1 - update) * new + update * hidden
    states[...] = hidden


@gru_step.numba(python=True)
def gru_step(gates, product, bias, hidden, states, inner):
    gru_rows(gates, product, bias, hidden, states, inner)


@kernel(samples=lambda size: tuple(arrays_of(size, 1, 3, 1, 1, 3, 3)))
def gru_step_backward(d_hidden, gates, inner, former, d_gates, d_product):
    """The derivative of `gru_step`, applied to the gradient d_hidden of the new state.

    Args:
        d_hidden, inner, former (ndarray): (N, H); the state before the step. d_hidden becomes the part of that state's
            gradient which does not go through the product.
        gates, d_gates, d_product (ndarray): (N, 3H); what `gru_step` left there; the gradients of what was in gates and
            in product are written.
    """
    reset, update, new = np.split(gates, 3, 1)
    d_update = d_hidden * (former - new) * update * (1 - update)
    d_new = d_hidden * (1 - update) * (1 - new * new)
    d_reset = d_new * inner * reset * (1 - reset)
    d_gates[...] = np.concatenate((d_reset, d_update, d_new), 1)
    d_product[...] = np.concatenate((d_reset, d_update, d_new * reset), 1)
    d_hidden *= update


@gru_step_backward.numba(python=True)
def gru_step_backward(d_hidden, gates, inner, former, d_gates, d_product):
    gru_backward_rows(d_hidden, gates, inner, former, d_gates, d_product)


@kernel(samples=rnn_samples)
def rnn_step(gates, product, bias, relu, states):
    """A step of a plain RNN: ``states = tanh(gates + product + bias)``, or relu of it. All are (N, H), the product in
    panels (parts, N, H / parts), bias (H,)."""
    total = gates + in_rows(product) + bias
    states[...] = np.maximum(total, 0) if relu else np.tanh(total)


@rnn_step.numba(python=True)
def rnn_step(gates, product, bias, relu, states):
    rnn_rows(gates, product, bias, relu, states)


# --------------------------------------------------------------------------------------------------------------------
# Whole sequences


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
        rnn_step(states[here], product(hidden[:count], turned), bias, relu, states[here])
        hidden[:count] = states[here]
    return states, hidden


def rnn_backward(grads, input, hidden, weights, states, relu, sizes, reverse, through):
    """The gradients of `rnn_forward`'s inputs, from those of states and last state (or None)."""
    weight_ih, weight_hh = weights
    d_states, d_hidden, hidden = grads[0], or_zeros(grads[1], hidden), np.ascontiguousarray(hidden)
    sums = Gradients(input, weight_ih, weight_hh, through)
    for rows, group in stretches(sizes, reverse):
        slope = (states[rows] > 0).astype(states.dtype) if relu else 1 - states[rows] * states[rows]
        began = np.empty_like(slope)
        for step, place in group:
            grad = d_hidden[: step.count]
            if d_states is not None:
                grad += d_states[step.here]
            began[place] = former(hidden, states, step)
            slope[place] *= grad
            np.dot(slope[place], weight_hh, out=grad)
        sums.add(rows, slope, slope, began)
    return sums.d_input, d_hidden, *sums.results()
