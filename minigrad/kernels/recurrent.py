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

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.vecmath import array_sigmoid, sigmoid, tanh


def steps(sizes, reverse):
    """Where the rows of each step lie, and how many they are: (slice, count), in the order of the steps."""
    ends = list(itertools.accumulate(sizes))
    places = [(slice(end - size, end), size) for end, size in zip(ends, sizes, strict=True)]
    return places[::-1] if reverse else places


def before(start, states, sizes, reverse):
    """For each row the state that its step began with: the one of the step before, at first `start`'s."""
    last, out = start.copy(), np.empty_like(states)
    for here, count in steps(sizes, reverse):
        out[here] = last[:count]
        last[:count] = states[here]
    return out


def totals(gradient, *products):
    """``gradientᵀ x`` for each x, and the sum of the gradient's rows: the gradients of weights and of their bias."""
    return (*[np.dot(gradient.T, x) for x in products], gradient.sum(0))


def or_zeros(gradient, like):
    """The gradient of a state, to be written to; zeros where it is None."""
    return np.zeros(like.shape, like.dtype) if gradient is None else np.array(gradient, order="C")


# --------------------------------------------------------------------------------------------------------------------
# Loops


@jit
def lstm_rows(gates, product, bias, cell, cells, outputs):
    """`lstm_step`."""
    size = cell.shape[1]
    for i in range(cell.shape[0]):
        g, p, c, kept, out = gates[i], product[i], cell[i], cells[i], outputs[i]
        for j in range(2 * size):
            g[j] = sigmoid(g[j] + p[j] + bias[j])
        for j in range(2 * size, 3 * size):
            g[j] = tanh(g[j] + p[j] + bias[j])
        for j in range(3 * size, 4 * size):
            g[j] = sigmoid(g[j] + p[j] + bias[j])
        enter, forget, new, show = g[:size], g[size : 2 * size], g[2 * size : 3 * size], g[3 * size :]
        for j in range(size):
            c[j] = forget[j] * c[j] + enter[j] * new[j]
        for j in range(size):
            kept[j] = c[j]
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
    for i in range(hidden.shape[0]):
        g, p, h, out, kept = gates[i], product[i], hidden[i], states[i], inner[i]
        for j in range(2 * size):
            g[j] = sigmoid(g[j] + p[j] + bias[j])
        reset, update, new = g[:size], g[size : 2 * size], g[2 * size :]
        inside, level, start = p[2 * size :], bias[2 * size : 3 * size], bias[3 * size :]
        for j in range(size):
            kept[j] = inside[j] + start[j]
        for j in range(size):
            new[j] = tanh(new[j] + level[j] + reset[j] * kept[j])
        for j in range(size):
            h[j] = (one - update[j]) * new[j] + update[j] * h[j]
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
    zero = gates.dtype.type(0)
    for i in range(gates.shape[0]):
        g, p, out = gates[i], product[i], states[i]
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


def lstm_samples(size):
    gates, product, cell, cells, outputs = arrays_of(size, 4, 4, 1, 1, 1)
    return gates, product, gates[0].copy(), cell, cells, outputs


def gru_samples(size):
    gates, product, hidden, states, inner, bias = arrays_of(size, 3, 3, 1, 1, 1, 4)
    return gates, product, bias[0], hidden, states, inner


def rnn_samples(size):
    gates, product, states = arrays_of(size, 1, 1, 1)
    return gates, product, gates[0].copy(), False, states


@kernel(samples=lstm_samples)
def lstm_step(gates, product, bias, cell, cells, outputs):
    """A step of an LSTM, from the products of input and state with their weights.

        i, f, g, o = gates + product + bias        in gates afterwards: σ(i), σ(f), tanh(g), σ(o)
        cell = σ(f) cell + σ(i) tanh(g)            in place; a copy goes to cells
        outputs = σ(o) tanh(cell)

    Args:
        gates, product (ndarray): (N, 4H); the first is overwritten.
        bias (ndarray): (4H,).
        cell, cells, outputs (ndarray): (N, H); the last two are filled.
    """
    size = cell.shape[1]
    gates += product
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
        gates, product (ndarray): (N, 3H); the first is overwritten.
        bias (ndarray): (4H,): for r, z, the input's and the state's part of n.
        hidden, states, inner (ndarray): (N, H); the last two are filled.
    """
    size = hidden.shape[1]
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
    """A step of a plain RNN: ``states = tanh(gates + product + bias)``, or relu of it; all (N, H), bias (H,)."""
    total = gates + product + bias
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


def beginning(input, weight_ih, weight_hh, hidden):
    """Buffers to start with: the products of all inputs, the state's weights turned, its product, the state."""
    gates = np.dot(input, weight_ih.T)
    return gates, np.ascontiguousarray(weight_hh.T), np.empty((len(hidden), gates.shape[1]), gates.dtype), hidden.copy()


def lstm_forward(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse):
    """One direction of an LSTM layer.

    Returns:
        tuple: states (rows, P) of all steps, the last hidden (N, P) and cell (N, H); and for the backward: gates
        (rows, 4H), the cells (rows, H).
    """
    gates, turned, product, hidden = beginning(input, weight_ih, weight_hh, hidden)
    bias = summed(bias_ih, bias_hh, gates.shape[1], gates.dtype)
    cell, cells = cell.copy(), np.empty((len(input), cell.shape[1]), gates.dtype)
    outputs = np.empty_like(cells)
    states = outputs if weight_hr is None else np.empty((len(input), len(weight_hr)), gates.dtype)
    for here, count in steps(sizes, reverse):
        np.dot(hidden[:count], turned, out=product[:count])
        lstm_step(gates[here], product[:count], bias, cell[:count], cells[here], outputs[here])
        if weight_hr is not None:
            np.dot(outputs[here], weight_hr.T, out=states[here])
        hidden[:count] = states[here]
    return states, hidden, cell, gates, cells


def lstm_backward(grads, input, hidden, cell, weights, states, gates, cells, sizes, reverse):
    """The gradients of `lstm_forward`'s inputs.

    Args:
        grads (list): the gradients of states, last hidden and last cell, or None.
        weights (tuple): weight_ih, weight_hh, weight_hr.
    """
    weight_ih, weight_hh, weight_hr = weights
    d_states, d_hidden, d_cell = grads[0], or_zeros(grads[1], hidden), or_zeros(grads[2], cell)
    d_gates, former = np.empty_like(gates), before(cell, cells, sizes, reverse)
    d_shown = None if weight_hr is None else np.empty_like(states)
    for here, count in reversed(steps(sizes, reverse)):
        grad = d_hidden[:count]
        if d_states is not None:
            grad += d_states[here]
        if weight_hr is not None:
            d_shown[here] = grad
            grad = np.dot(grad, weight_hr)
        lstm_step_backward(grad, gates[here], cells[here], former[here], d_cell[:count], d_gates[here])
        np.dot(d_gates[here], weight_hh, out=d_hidden[:count])
    d_ih, d_hh, d_bias = totals(d_gates, input, before(hidden, states, sizes, reverse))
    d_hr = None
    if weight_hr is not None:
        d_hr = np.dot(d_shown.T, gates[:, 3 * cell.shape[1] :] * np.tanh(cells))
    return np.dot(d_gates, weight_ih), d_hidden, d_cell, d_ih, d_hh, d_bias, d_bias.copy(), d_hr


def gru_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse):
    """One direction of a GRU layer: states (rows, H), the last one (N, H); for the backward, gates (rows, 3H) and inner
    (rows, H)."""
    gates, turned, product, hidden = beginning(input, weight_ih, weight_hh, hidden)
    size = hidden.shape[1]
    by_input, by_state = summed(bias_ih, None, 3 * size, gates.dtype), summed(None, bias_hh, 3 * size, gates.dtype)
    by_input[: 2 * size] += by_state[: 2 * size]
    bias = np.concatenate((by_input, by_state[2 * size :]))
    states = np.empty((len(input), size), gates.dtype)
    inner = np.empty_like(states)
    for here, count in steps(sizes, reverse):
        np.dot(hidden[:count], turned, out=product[:count])
        gru_step(gates[here], product[:count], bias, hidden[:count], states[here], inner[here])
    return states, hidden, gates, inner


def gru_backward(grads, input, hidden, weights, states, gates, inner, sizes, reverse):
    """The gradients of `gru_forward`'s inputs, from those of states and last state (or None)."""
    weight_ih, weight_hh = weights
    d_states, d_hidden = grads[0], or_zeros(grads[1], hidden)
    d_gates, d_product, former = np.empty_like(gates), np.empty_like(gates), before(hidden, states, sizes, reverse)
    for here, count in reversed(steps(sizes, reverse)):
        grad = d_hidden[:count]
        if d_states is not None:
            grad += d_states[here]
        gru_step_backward(grad, gates[here], inner[here], former[here], d_gates[here], d_product[here])
        grad += np.dot(d_product[here], weight_hh)
    return np.dot(d_gates, weight_ih), d_hidden, *interleaved(totals(d_gates, input), totals(d_product, former))


def interleaved(first, second):
    """Gradients of input's and state's (weight, bias) in the order of the parameters."""
    return first[0], second[0], first[1], second[1]


def rnn_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse):
    """One direction of a plain RNN layer: states (rows, H), the last one (N, H)."""
    gates, turned, product, hidden = beginning(input, weight_ih, weight_hh, hidden)
    bias = summed(bias_ih, bias_hh, gates.shape[1], gates.dtype)
    for here, count in steps(sizes, reverse):
        np.dot(hidden[:count], turned, out=product[:count])
        rnn_step(gates[here], product[:count], bias, relu, gates[here])
        hidden[:count] = gates[here]
    return gates, hidden


def rnn_backward(grads, input, hidden, weights, states, relu, sizes, reverse):
    """The gradients of `rnn_forward`'s inputs, from those of states and last state (or None)."""
    weight_ih, weight_hh = weights
    d_states, d_hidden = grads[0], or_zeros(grads[1], hidden)
    slope = (states > 0).astype(states.dtype) if relu else 1 - states * states
    for here, count in reversed(steps(sizes, reverse)):
        grad = d_hidden[:count]
        if d_states is not None:
            grad += d_states[here]
        slope[here] *= grad
        np.dot(slope[here], weight_hh, out=grad)
    d_ih, d_hh, d_bias = totals(slope, input, before(hidden, states, sizes, reverse))
    return np.dot(slope, weight_ih), d_hidden, d_ih, d_hh, d_bias, d_bias.copy()
