"""One step of an LSTM, a GRU and a plain RNN for a batch of sequences, forward and backward.

All that comes after the matrix products, as one pass over memory. The product of the states comes in panels of columns
(parts, N, width), as `recurrent.panels` explains.

Before this: `dispatch.py`, `vecmath.py`. After it: `recurrent.py`.
"""

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.vecmath import array_sigmoid, sigmoid, tanh

# LLVM makes vector code of loops that run from 0 over few arrays, so the parts of a row are cut out first.


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
def add_relu(x, y, bias):
    """x = max(x + y + bias, 0), NaN where that is NaN."""
    zero = x.dtype.type(0)
    for j in range(x.size):
        total = x[j] + y[j] + bias[j]
        x[j] = zero if total < zero else total


@jit
def joined(product, i, line):
    """Row i of a product in panels."""
    parts, _, width = product.shape
    for k in range(parts):
        part, place = product[k, i], line[k * width : (k + 1) * width]
        for j in range(width):
            place[j] = part[j]


def arrays_of(size, *widths):
    """Arrays of 8 columns times each of the widths, about `size` numbers in each unit; values in (-1, 1)."""
    count = max(1, size // 64)
    return [np.sin(np.arange(count * 8 * width, dtype=np.float32) + width).reshape(count, -1) for width in widths]


def in_panels(array):
    """Rows as two panels."""
    return np.ascontiguousarray(array.reshape(len(array), 2, -1).swapaxes(0, 1))


def in_rows(product):
    """Panels (parts, N, width) as rows."""
    parts, rows, width = product.shape
    return product.swapaxes(0, 1).reshape(rows, parts * width)


def lstm_samples(size):
    gates, product, cell, cells, outputs = arrays_of(size, 4, 4, 1, 1, 1)
    return gates, in_panels(product), gates[0].copy(), cell, cells, outputs


def gru_samples(size):
    gates, product, hidden, states, inner, bias = arrays_of(size, 3, 3, 1, 1, 1, 4)
    return gates, in_panels(product), bias[0], hidden, states, inner


def rnn_samples(size):
    gates, product = arrays_of(size, 1, 1)
    return gates, in_panels(product), gates[0].copy(), False


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


@lstm_step.numba
def lstm_step(gates, product, bias, cell, cells, outputs):
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


@gru_step.numba
def gru_step(gates, product, bias, hidden, states, inner):
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


@gru_step_backward.numba
def gru_step_backward(d_hidden, gates, inner, former, d_gates, d_product):
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


@kernel(samples=rnn_samples)
def rnn_step(gates, product, bias, relu):
    """A step of a plain RNN, in place: ``gates = tanh(gates + product + bias)``, or relu of it. Gates are (N, H), the
    product in panels (parts, N, H / parts), bias (H,)."""
    gates += in_rows(product)
    gates += bias
    if relu:
        np.maximum(gates, 0, out=gates)
    else:
        np.tanh(gates, out=gates)


@rnn_step.numba
def rnn_step(gates, product, bias, relu):
    p = np.empty(gates.shape[1], gates.dtype)
    for i in range(gates.shape[0]):
        joined(product, i, p)
        if relu:
            add_relu(gates[i], p, bias)
        else:
            add_tanh(gates[i], p, bias)
