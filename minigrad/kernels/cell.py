"""One step of an LSTM, a GRU and a plain RNN for a batch of sequences, forward and backward: all that comes after the
matrix products, as one pass over memory.

Before this: `dispatch.py`, `vecmath.py`. After it: `recurrent.py`.
"""

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.vecmath import array_sigmoid, exp, tanh

# LLVM makes vector code of loops that run from 0 over few arrays, so the parts of a row are cut out first.


@jit
def all_sigmoid(x):
    """x = σ(x), in fewer steps than `vecmath.sigmoid`: below -88 it is 0, not a number too small to count."""
    one = x.dtype.type(1)
    for j in range(x.size):
        x[j] = one / (one + exp(-x[j]))


@jit
def all_tanh(x):
    """x = tanh(x)."""
    for j in range(x.size):
        x[j] = tanh(x[j])


def arrays_of(size, *widths):
    """Arrays of 8 columns times each of the widths, about `size` numbers in each unit; values in (-1, 1)."""
    count = max(1, size // 64)
    return [np.sin(np.arange(count * 8 * width, dtype=np.float32) + width).reshape(count, -1) for width in widths]


@kernel(samples=lambda size: tuple(arrays_of(size, 4, 1, 1)))
def lstm_step(gates, cell, outputs):
    """A step of an LSTM.

        i, f, g, o = gates                         σ(i), σ(f), tanh(g), σ(o) afterwards
        cell = σ(f) cell + σ(i) tanh(g)            in place
        outputs = σ(o) tanh(cell)

    Args:
        gates (ndarray): (N, 4H), the sums of input and state; overwritten.
        cell, outputs (ndarray): (N, H); outputs are filled.
    """
    size = cell.shape[1]
    new = np.tanh(gates[:, 2 * size : 3 * size])
    gates[...] = array_sigmoid(gates)
    gates[:, 2 * size : 3 * size] = new
    cell *= gates[:, size : 2 * size]
    cell += gates[:, :size] * new
    outputs[...] = gates[:, 3 * size :] * np.tanh(cell)


@lstm_step.numba
def lstm_step(gates, cell, outputs):
    size = cell.shape[1]
    for i in range(cell.shape[0]):
        g, c, out = gates[i], cell[i], outputs[i]
        enter, forget, new, show = g[:size], g[size : 2 * size], g[2 * size : 3 * size], g[3 * size :]
        all_sigmoid(g[: 2 * size])
        all_tanh(new)
        all_sigmoid(show)
        for j in range(size):
            c[j] = forget[j] * c[j] + enter[j] * new[j]
        for j in range(size):
            out[j] = show[j] * tanh(c[j])


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


@lstm_step_backward.numba
def lstm_step_backward(grad, gates, cells, former, d_cell, d_gates):
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


@kernel(samples=lambda size: tuple(arrays_of(size, 4, 1)))
def gru_step(gates, hidden):
    """A step of a GRU.

        r, z, n, m = gates                         σ(r), σ(z), tanh(n + σ(r) m), m afterwards
        hidden = (1 - σ(z)) tanh(n + σ(r) m) + σ(z) hidden        in place

    Args:
        gates (ndarray): (N, 4H); r and z are sums of input and state, n is the input's part, m the state's.
        hidden (ndarray): (N, H).
    """
    reset, update, new, inner = np.split(gates, 4, 1)
    reset[...], update[...] = array_sigmoid(reset), array_sigmoid(update)
    np.tanh(new + reset * inner, out=new)
    hidden[...] = (1 - update) * new + update * hidden


@gru_step.numba
def gru_step(gates, hidden):
    size, one = hidden.shape[1], hidden.dtype.type(1)
    for i in range(hidden.shape[0]):
        g, h = gates[i], hidden[i]
        reset, update, new, inner = g[:size], g[size : 2 * size], g[2 * size : 3 * size], g[3 * size :]
        all_sigmoid(g[: 2 * size])
        for j in range(size):
            new[j] = tanh(new[j] + reset[j] * inner[j])
        for j in range(size):
            h[j] = (one - update[j]) * new[j] + update[j] * h[j]


@kernel(samples=lambda size: tuple(arrays_of(size, 1, 4, 1, 4)))
def gru_step_backward(d_hidden, gates, former, d_gates):
    """The derivative of `gru_step`, applied to the gradient d_hidden of the new state.

    Args:
        d_hidden, former (ndarray): (N, H); the state before the step. d_hidden becomes the part of that state's
            gradient which does not go through the products.
        gates, d_gates (ndarray): (N, 4H); what `gru_step` left there; the gradient of r, z, n, m is written.
    """
    reset, update, new, inner = np.split(gates, 4, 1)
    d_new = d_hidden * (1 - update) * (1 - new * new)
    d_update = d_hidden * (former - new) * update * (1 - update)
    d_gates[...] = np.concatenate((d_new * inner * reset * (1 - reset), d_update, d_new, d_new * reset), 1)
    d_hidden *= update


@gru_step_backward.numba
def gru_step_backward(d_hidden, gates, former, d_gates):
    size, one = former.shape[1], former.dtype.type(1)
    for i in range(former.shape[0]):
        g, d, dh, h = gates[i], d_gates[i], d_hidden[i], former[i]
        reset, update, new, inner = g[:size], g[size : 2 * size], g[2 * size : 3 * size], g[3 * size :]
        d_reset, d_update, d_new, d_inner = d[:size], d[size : 2 * size], d[2 * size : 3 * size], d[3 * size :]
        for j in range(size):
            d_update[j] = dh[j] * (h[j] - new[j]) * update[j] * (one - update[j])
            d_new[j] = dh[j] * (one - update[j]) * (one - new[j] * new[j])
        for j in range(size):
            d_reset[j] = d_new[j] * inner[j] * reset[j] * (one - reset[j])
            d_inner[j] = d_new[j] * reset[j]
        for j in range(size):
            dh[j] *= update[j]


@kernel(samples=lambda size: (*arrays_of(size, 1), False))
def rnn_step(states, relu):
    """A step of a plain RNN, in place: ``states = tanh(states)`` of the sums of input and state (N, H), or relu."""
    if relu:
        np.maximum(states, 0, out=states)
    else:
        np.tanh(states, out=states)


def is_relu(states, relu):
    """Only relu: of tanh alone NumPy's vector code is ahead. (Compiled code has either without asking.)"""
    return relu


@rnn_step.numba(when=is_relu)
def rnn_step(states, relu):
    zero = states.dtype.type(0)
    for i in range(states.shape[0]):
        x = states[i]
        if relu:
            for j in range(x.size):
                x[j] = zero if x[j] < zero else x[j]
        else:
            all_tanh(x)


@kernel(samples=lambda size: (*arrays_of(size, 1, 1), False, *arrays_of(size, 1)))
def rnn_step_backward(grad, states, relu, d_gates):
    """The derivative of `rnn_step`, applied to the gradient of the new states, into d_gates; all (N, H)."""
    d_gates[...] = np.where(states <= 0, 0, grad) if relu else grad * (1 - states * states)


@rnn_step_backward.numba
def rnn_step_backward(grad, states, relu, d_gates):
    zero, one = states.dtype.type(0), states.dtype.type(1)
    for i in range(states.shape[0]):
        d, g, h = d_gates[i], grad[i], states[i]
        if relu:
            for j in range(h.size):
                d[j] = zero if h[j] <= zero else g[j]
        else:
            for j in range(h.size):
                d[j] = g[j] * (one - h[j] * h[j])
