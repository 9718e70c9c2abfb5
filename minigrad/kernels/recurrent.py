"""Recurrent layers: LSTM, GRU and the plain RNN, over a whole sequence, forward and backward.

The rows of all time steps lie in one array, those of a step together; ``sizes[t]`` says how many sequences still go on
at step t, the longest ones first (PyTorch's packed sequences; a batch of equal lengths has equal sizes). A state has a
row for each sequence. A step changes the first `sizes[t]` rows and leaves the others, so that in the end each row holds
the last state of its sequence, in either direction:

    sizes = 3 2 1      step 0     step 1   step 2            reverse: the steps from the last to the first
    rows:              a b c      a b      a

The products of all inputs with their weights are one matrix product, those of the states are one for each step; the
rest of a step is one pass over memory (`cell.py`). In the backward the steps run the other way, and the gradients of
the weights are again products over many steps. Compiled, all steps are one call (`sequence.py`).

Before this: `cell.py`, `sequence.py`. After it: `ops/recurrent.py`.
"""

import functools
import itertools
import math

import numpy as np

from minigrad.kernels import sequence, tiles
from minigrad.kernels.cell import (
    gru_step,
    gru_step_backward,
    lstm_step,
    lstm_step_backward,
    rnn_step,
    rnn_step_backward,
)
from minigrad.kernels.dispatch import kernel
from minigrad.kernels.llvm import address_of
from minigrad.kernels.panels import pack, pack_transposed
from minigrad.kernels.sequence import STRETCH
from minigrad.kernels.threads import share

# ---- the steps


@functools.lru_cache(maxsize=256)
def steps(sizes, reverse):
    """(first row, how many) of each step, in their order: int64 (steps, 2)."""
    found = np.array([(end - size, size) for end, size in zip(itertools.accumulate(sizes), sizes)]).reshape(-1, 2)
    found = np.ascontiguousarray(found[::-1] if reverse else found, np.int64)
    found.flags.writeable = False
    return found


@functools.lru_cache(maxsize=256)
def stretches(sizes, reverse):
    """The steps from the last to the first, in groups of about STRETCH rows: [(begin, end, first row, rows)]."""
    places, found, end = steps(sizes, reverse).tolist(), [], len(sizes)
    while end:
        begin, rows = end, 0
        while begin and (not rows or rows + places[begin - 1][1] <= STRETCH):
            begin -= 1
            rows += places[begin][1]
        found.append((begin, end, min(places[begin][0], places[end - 1][0]), rows))
        end = begin
    return found


def parts(sizes, reverse):
    """The steps as slices: (rows, count, rows of the step before or None)."""
    places = [(slice(start, start + count), count) for start, count in steps(sizes, reverse).tolist()]
    return [(*place, earlier) for place, earlier in zip(places, [None, *[here for here, _ in places]])]


def former(start, states, count, earlier):
    """The state that a step began with: what the step before left in its rows of `states`; `start`'s where none did."""
    if earlier is None:
        return start[:count]
    known = states[earlier][:count]
    return known if len(known) == count else np.concatenate((known, start[len(known) : count]))


# ---- what the layers share


def plain(array):
    """The array in C order and writable: for others numba would compile everything once more."""
    array = np.ascontiguousarray(array)
    return array if array.flags.writeable else array.copy()


def or_zeros(gradient, like):
    """The gradient of a state, to be written to; zeros where it is None."""
    return np.zeros(like.shape, like.dtype) if gradient is None else np.array(gradient, order="C")


def summed(first, second, size, dtype):
    """The sum of two biases, of which any may be None: an array of its own."""
    if first is None:
        return np.zeros(size, dtype) if second is None else second.copy()
    return first.copy() if second is None else first + second


def gru_bias(bias_ih, bias_hh, size, dtype):
    """The biases of a GRU's four gates: for r, z, the input's and the state's part of n."""
    by_input, by_state = summed(bias_ih, None, 3 * size, dtype), summed(None, bias_hh, 3 * size, dtype)
    by_input[: 2 * size] += by_state[: 2 * size]
    return np.concatenate((by_input, by_state[2 * size :]))


def of_layer(input, d_gates, d_product, began, weight_ih, through):
    """The gradients of input, weight_ih, weight_hh, bias_ih and bias_hh, from those of the products' rows."""
    d_input = np.dot(d_gates, weight_ih) if through else None
    d_weights = np.dot(d_gates.T, input), np.dot(d_product.T, began)
    return d_input, *d_weights, d_gates.sum(0), d_product.sum(0)


def panels(matrix, transposed=False):
    """A matrix, or its transpose, in panels of columns for the micro-kernels."""
    matrix, table = plain(matrix), tiles.table(matrix.dtype)
    columns, depth = matrix.shape if transposed else matrix.shape[::-1]
    width = tiles.VECTORS * tiles.lanes(table)
    found = np.empty((-(-columns // width), depth, width), matrix.dtype)
    places = address_of(matrix), matrix.strides[0], address_of(found)
    (pack_transposed if transposed else pack)(table, *matrix.shape, *places)
    return found


def least(products):
    """How many pieces of work are worth a thread, if each is so many multiplications (75 of them take a nanosecond)."""
    return max(8, 3_000_000 // max(products, 1))


def forward_pays(input, hidden, *rest):
    """From 4 sequences on, of one step from 512 numbers of state on; for fewer up to 16 columns of state over 2 steps,
    128 over 4, 256 over 8 or more: packing a weight that serves few rows costs more than it saves."""
    steps, (sequences, columns) = len(rest[-2]), hidden.shape
    if sequences >= 4:
        return steps > 1 or sequences * columns >= 512
    return columns <= (256 if steps >= 8 else 128 if steps >= 4 else 16 if steps >= 2 else 0)


def plain_forward_pays(input, hidden, *rest):
    """As for an LSTM of 4 steps or more; of fewer from 8 sequences on, of one step from 2048 numbers of state on."""
    steps, (sequences, columns) = len(rest[-2]), hidden.shape
    if steps >= 4:
        return forward_pays(input, hidden, *rest)
    return sequences >= 8 and (steps > 1 or sequences * columns >= 2048)


def backward_pays(input, hidden, *rest, least=4096):
    """Up to 400 columns of state (BLAS is the faster with larger weights), over 8 steps or more; over 4 or of 32
    sequences from 4096 numbers of state in all on."""
    steps, (sequences, columns) = len(rest[-3]), hidden.shape
    if columns > 400 or steps >= 8:
        return columns <= 400
    return (steps >= 4 or sequences >= 32) and steps * sequences * columns >= least


def plain_backward_pays(input, hidden, *rest):
    """As for an LSTM, but 8192 numbers of state in place of 4096."""
    return backward_pays(input, hidden, *rest, least=8192)


def sample(gates, biases, states, size):
    """What the forward of a layer takes first: 8 sequences of as many steps as make about `size` numbers of state."""
    steps = max(1, size // 128)
    shapes = [(8 * steps, 24), *[(8, 16)] * states, (16 * gates, 24), (16 * gates, 16), *[(16 * gates,)] * biases]
    arrays = [np.sin(np.arange(math.prod(shape), dtype=np.float32)).reshape(shape) / 2 for shape in shapes]
    return arrays, ((8,) * steps, False)


def lstm_sample(size):
    arrays, which = sample(4, 2, 2, size)
    return *arrays, None, *which


def lstm_backward_sample(size):
    (*arrays, bias), which = sample(4, 1, 2, size)
    states, _, _, gates, cells = lstm_forward.twin(*arrays, bias, None, None, *which)
    return *arrays, None, states, gates, cells, np.cos(states), None, None, *which, True


def gru_sample(size):
    arrays, which = sample(3, 2, 1, size)
    return *arrays, *which


def gru_backward_sample(size):
    (*arrays, bias), which = sample(3, 1, 1, size)
    states, _, gates = gru_forward.twin(*arrays, bias, None, *which)
    return *arrays, states, gates, np.cos(states), None, *which, True


def rnn_sample(size):
    arrays, which = sample(1, 2, 1, size)
    return *arrays, False, *which


def rnn_backward_sample(size):
    (*arrays, bias), which = sample(1, 1, 1, size)
    states, _ = rnn_forward.twin(*arrays, bias, None, False, *which)
    return *arrays, states, np.cos(states), None, False, *which, True


class Backward:
    """What the backward of a layer has in common: it goes stretch by stretch, and `run` does what comes after each."""

    def __init__(self, input, weight_ih, weight_hh, columns, hole, sizes, reverse, through):
        dtype, self.steps, self.stretches = input.dtype, steps(sizes, reverse), stretches(sizes, reverse)
        rows = max([rows for *_, rows in self.stretches])
        self.input, self.table, self.hole = plain(input), tiles.table(dtype), hole
        self.d_gates, self.began = np.empty((rows, columns), dtype), np.empty((rows, weight_hh.shape[1]), dtype)
        self.d_ih, self.d_hh = np.empty(weight_ih.shape, dtype), np.empty(weight_hh.shape, dtype)
        self.d_bias, self.d_input, self.by_gates = np.zeros(columns, dtype), None, None
        if through:
            self.d_input, self.by_gates = np.empty(input.shape, dtype), panels(weight_ih)

    def run(self, work, count):
        """`work(begin, end, low, first, last)` fills the rows of d_gates and began for the steps begin..end, whose rows
        start at row `low`, and the sequences first..last of so many."""
        for begin, end, low, rows in self.stretches:
            share(functools.partial(work, begin, end, low), count, least(rows * self.d_hh.size // count))
            every = rows * (2 * self.d_ih.size + self.d_hh.size) // len(self.d_ih)
            share(self._products(low, rows, begin), len(self.d_ih), least(every))
            sequence.add_to_biases(rows, self.d_gates, self.d_bias)

    def _products(self, low, rows, begin):
        input, began = panels(self.input[low : low + rows]), panels(self.began[:rows])
        flags = 0 if self.stretches[0][0] == begin else tiles.ACCUMULATE
        total = len(self.d_ih)

        def products(first, last):
            if self.d_input is not None:
                start, stop = rows * first // total, rows * last // total
                sequence.times(
                    self.table, stop - start, self.d_gates, start, 0, total, self.by_gates, self.d_input, low + start,
                    0, self.d_input.shape[1], 0, 0,
                )  # fmt: skip
            sequence.back_to_weights(
                self.table, first, last, rows, self.d_gates, self.hole, input, began, self.d_ih, self.d_hh, flags
            )

        return products


# ---- LSTM


@kernel(samples=lstm_sample)
def lstm_forward(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse):
    """One direction of an LSTM layer.

    Returns:
        tuple: states (rows, P) of all steps, the last hidden (N, P) and cell (N, H); and for the backward: gates
        (rows, 4H), the cells (rows, H).
    """
    gates, hidden, cell = np.dot(input, weight_ih.T), hidden.copy(), cell.copy()
    gates += summed(bias_ih, bias_hh, gates.shape[1], gates.dtype)
    states, cells = [np.empty((len(input), each.shape[1]), gates.dtype) for each in (hidden, cell)]
    outputs = hidden if weight_hr is None else np.empty_like(cell)
    for here, count, _ in parts(sizes, reverse):
        gates[here] += np.dot(hidden[:count], weight_hh.T)
        lstm_step(gates[here], cell[:count], outputs[:count])
        if weight_hr is not None:
            np.dot(outputs[:count], weight_hr.T, out=hidden[:count])
        states[here], cells[here] = hidden[:count], cell[:count]
    return states, hidden, cell, gates, cells


@lstm_forward.numba(python=True, when=forward_pays)
def lstm_forward(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse):
    if not (input.size and hidden.size):
        return lstm_forward.twin(input, hidden, cell, weight_ih, weight_hh, bias_ih, bias_hh, weight_hr, sizes, reverse)
    rows, width, dtype = len(input), cell.shape[1], input.dtype
    input, hidden, cell = plain(input), np.array(hidden, order="C"), np.array(cell, order="C")
    bias, gates = summed(bias_ih, bias_hh, 4 * width, dtype), np.empty((rows, 4 * width), dtype)
    states, cells = np.empty((rows, hidden.shape[1]), dtype), np.empty((rows, width), dtype)
    outputs, by_output = hidden, np.empty((0, 0, 0), dtype)
    if weight_hr is not None:
        outputs, by_output = np.empty_like(cell), panels(weight_hr, True)
    table, places = tiles.table(dtype), steps(sizes, reverse)
    by_input, by_state = panels(weight_ih, True), panels(weight_hh, True)

    def work(first, last):
        sequence.run_lstm(
            table, first, last, places, input, by_input, by_state, by_output, bias, hidden, cell, outputs, states,
            gates, cells,
        )  # fmt: skip

    share(work, len(hidden), least(len(sizes) * (weight_ih.size + weight_hh.size)))
    return states, hidden, cell, gates, cells


@kernel(samples=lstm_backward_sample)
def lstm_backward(input, hidden, cell, weight_ih, weight_hh, weight_hr, states, gates, cells, d_states, d_hidden,
                  d_cell, sizes, reverse, through):  # fmt: skip
    """The gradients of `lstm_forward`'s inputs.

    Args:
        d_states, d_hidden, d_cell (ndarray | None): the gradients of states, last hidden and last cell.
        through (bool): whether the input wants a gradient; otherwise its place is None.
    """
    d_hidden, d_cell = or_zeros(d_hidden, hidden), or_zeros(d_cell, cell)
    d_gates, began, d_shown = np.empty_like(gates), np.empty_like(states), np.empty_like(states)
    for here, count, earlier in reversed(parts(sizes, reverse)):
        grad = d_hidden[:count]
        if d_states is not None:
            grad += d_states[here]
        if weight_hr is not None:
            d_shown[here] = grad
            grad = np.dot(grad, weight_hr)
        began[here] = former(hidden, states, count, earlier)
        lstm_step_backward(
            grad, gates[here], cells[here], former(cell, cells, count, earlier), d_cell[:count], d_gates[here]
        )
        np.dot(d_gates[here], weight_hh, out=d_hidden[:count])
    d_input, *d_weights = of_layer(input, d_gates, d_gates, began, weight_ih, through)
    return d_input, d_hidden, d_cell, *d_weights, of_projection(weight_hr, d_shown, gates, cells)


def of_projection(weight_hr, d_shown, gates, cells):
    """The gradient of the projection's weight, from those of the states; None without one."""
    if weight_hr is None:
        return None
    return np.dot(d_shown.T, gates[:, 3 * cells.shape[1] :] * np.tanh(cells))


@lstm_backward.numba(python=True, when=backward_pays)
def lstm_backward(input, hidden, cell, weight_ih, weight_hh, weight_hr, states, gates, cells, d_states, d_hidden,
                  d_cell, sizes, reverse, through):  # fmt: skip
    if not (input.size and hidden.size):
        return lstm_backward.twin(
            input, hidden, cell, weight_ih, weight_hh, weight_hr, states, gates, cells, d_states, d_hidden, d_cell,
            sizes, reverse, through,
        )  # fmt: skip
    width, dtype = cell.shape[1], input.dtype
    d_hidden, d_cell = or_zeros(d_hidden, hidden), or_zeros(d_cell, cell)
    d_states = np.empty((0, 0), dtype) if d_states is None else plain(d_states)
    hidden, cell, states, gates, cells = map(plain, (hidden, cell, states, gates, cells))
    d_outputs, d_shown, by_output = d_hidden, np.empty((0, 0), dtype), np.empty((0, 0, 0), dtype)
    if weight_hr is not None:
        d_outputs, d_shown, by_output = np.empty_like(cell), np.empty_like(states), panels(weight_hr)
    layer = Backward(input, weight_ih, weight_hh, 4 * width, 4 * width, sizes, reverse, through)
    by_state = panels(weight_hh)

    def work(begin, end, low, first, last):
        sequence.run_lstm_backward(
            layer.table, first, last, begin, end, layer.steps, low, hidden, cell, by_state, by_output, states, gates,
            cells, d_states, d_hidden, d_cell, d_outputs, d_shown, layer.d_gates, layer.began,
        )  # fmt: skip

    layer.run(work, len(hidden))
    d_weights = layer.d_ih, layer.d_hh, layer.d_bias, layer.d_bias.copy()
    return layer.d_input, d_hidden, d_cell, *d_weights, of_projection(weight_hr, d_shown, gates, cells)


# ---- GRU


@kernel(samples=gru_sample)
def gru_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse):
    """One direction of a GRU layer: states (rows, H), the last one (N, H); for the backward, gates (rows, 4H)."""
    size, hidden = hidden.shape[1], hidden.copy()
    bias = gru_bias(bias_ih, bias_hh, size, input.dtype)
    gates, states = np.empty((len(input), 4 * size), input.dtype), np.empty((len(input), size), input.dtype)
    gates[:, : 3 * size] = np.dot(input, weight_ih.T) + bias[: 3 * size]
    for here, count, _ in parts(sizes, reverse):
        product = np.dot(hidden[:count], weight_hh.T)
        gates[here, : 2 * size] += product[:, : 2 * size]
        gates[here, 3 * size :] = product[:, 2 * size :] + bias[3 * size :]
        gru_step(gates[here], hidden[:count])
        states[here] = hidden[:count]
    return states, hidden, gates


@gru_forward.numba(python=True, when=forward_pays)
def gru_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse):
    rows, size, dtype = len(input), hidden.shape[1], input.dtype
    if not input.size * hidden.size:
        return gru_forward.twin(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, sizes, reverse)
    input, hidden = plain(input), np.array(hidden, order="C")
    bias = gru_bias(bias_ih, bias_hh, size, dtype)
    gates, states = np.empty((rows, 4 * size), dtype), np.empty((rows, size), dtype)
    table, places, by_input = tiles.table(dtype), steps(sizes, reverse), panels(weight_ih, True)
    by_early, by_late = panels(weight_hh[: 2 * size], True), panels(weight_hh[2 * size :], True)

    def work(first, last):
        sequence.run_gru(table, first, last, places, input, by_input, by_early, by_late, bias, hidden, states, gates)

    share(work, len(hidden), least(len(sizes) * (weight_ih.size + weight_hh.size)))
    return states, hidden, gates


@kernel(samples=gru_backward_sample)
def gru_backward(input, hidden, weight_ih, weight_hh, states, gates, d_states, d_hidden, sizes, reverse, through):
    """The gradients of `gru_forward`'s inputs, from those of states and last state (or None)."""
    size, d_hidden = hidden.shape[1], or_zeros(d_hidden, hidden)
    d_gates, began = np.empty_like(gates), np.empty_like(states)
    for here, count, earlier in reversed(parts(sizes, reverse)):
        grad = d_hidden[:count]
        if d_states is not None:
            grad += d_states[here]
        began[here] = former(hidden, states, count, earlier)
        gru_step_backward(grad, gates[here], began[here], d_gates[here])
        grad += np.dot(d_gates[here, : 2 * size], weight_hh[: 2 * size])
        grad += np.dot(d_gates[here, 3 * size :], weight_hh[2 * size :])
    d_product = np.concatenate((d_gates[:, : 2 * size], d_gates[:, 3 * size :]), 1)
    d_input, *d_weights = of_layer(input, d_gates[:, : 3 * size], d_product, began, weight_ih, through)
    return d_input, d_hidden, *d_weights


@gru_backward.numba(python=True, when=backward_pays)
def gru_backward(input, hidden, weight_ih, weight_hh, states, gates, d_states, d_hidden, sizes, reverse, through):
    size, dtype = hidden.shape[1], input.dtype
    if not input.size * hidden.size:
        return gru_backward.twin(
            input, hidden, weight_ih, weight_hh, states, gates, d_states, d_hidden, sizes, reverse, through
        )
    d_hidden, hidden, states, gates = or_zeros(d_hidden, hidden), plain(hidden), plain(states), plain(gates)
    d_states = np.empty((0, 0), dtype) if d_states is None else plain(d_states)
    layer = Backward(input, weight_ih, weight_hh, 4 * size, 2 * size, sizes, reverse, through)
    by_early, by_late = panels(weight_hh[: 2 * size]), panels(weight_hh[2 * size :])

    def work(begin, end, low, first, last):
        sequence.run_gru_backward(
            layer.table, first, last, begin, end, layer.steps, low, hidden, by_early, by_late, states, gates, d_states,
            d_hidden, layer.d_gates, layer.began,
        )  # fmt: skip

    layer.run(work, len(hidden))
    d_bias_hh = np.concatenate((layer.d_bias[: 2 * size], layer.d_bias[3 * size :]))
    return layer.d_input, d_hidden, layer.d_ih, layer.d_hh, layer.d_bias[: 3 * size].copy(), d_bias_hh


# ---- the plain RNN


@kernel(samples=rnn_sample)
def rnn_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse):
    """One direction of a plain RNN layer: states (rows, H), the last one (N, H)."""
    states, hidden = np.dot(input, weight_ih.T), hidden.copy()
    states += summed(bias_ih, bias_hh, states.shape[1], states.dtype)
    for here, count, _ in parts(sizes, reverse):
        states[here] += np.dot(hidden[:count], weight_hh.T)
        rnn_step(states[here], relu)
        hidden[:count] = states[here]
    return states, hidden


@rnn_forward.numba(python=True, when=plain_forward_pays)
def rnn_forward(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse):
    if not input.size * hidden.size:
        return rnn_forward.twin(input, hidden, weight_ih, weight_hh, bias_ih, bias_hh, relu, sizes, reverse)
    input, hidden, dtype = plain(input), np.array(hidden, order="C"), input.dtype
    bias, states = summed(bias_ih, bias_hh, hidden.shape[1], dtype), np.empty((len(input), hidden.shape[1]), dtype)
    table, places = tiles.table(dtype), steps(sizes, reverse)
    by_input, by_state = panels(weight_ih, True), panels(weight_hh, True)

    def work(first, last):
        sequence.run_rnn(table, first, last, places, input, by_input, by_state, bias, relu, hidden, states)

    share(work, len(hidden), least(len(sizes) * (weight_ih.size + weight_hh.size)))
    return states, hidden


@kernel(samples=rnn_backward_sample)
def rnn_backward(input, hidden, weight_ih, weight_hh, states, d_states, d_hidden, relu, sizes, reverse, through):
    """The gradients of `rnn_forward`'s inputs, from those of states and last state (or None)."""
    d_hidden = or_zeros(d_hidden, hidden)
    d_gates, began = np.empty_like(states), np.empty_like(states)
    for here, count, earlier in reversed(parts(sizes, reverse)):
        grad = d_hidden[:count]
        if d_states is not None:
            grad += d_states[here]
        began[here] = former(hidden, states, count, earlier)
        rnn_step_backward(grad, states[here], relu, d_gates[here])
        np.dot(d_gates[here], weight_hh, out=grad)
    d_input, *d_weights = of_layer(input, d_gates, d_gates, began, weight_ih, through)
    return d_input, d_hidden, *d_weights


@rnn_backward.numba(python=True, when=plain_backward_pays)
def rnn_backward(input, hidden, weight_ih, weight_hh, states, d_states, d_hidden, relu, sizes, reverse, through):
    size, dtype = hidden.shape[1], input.dtype
    if not input.size * hidden.size:
        return rnn_backward.twin(
            input, hidden, weight_ih, weight_hh, states, d_states, d_hidden, relu, sizes, reverse, through
        )
    d_hidden, hidden, states = or_zeros(d_hidden, hidden), plain(hidden), plain(states)
    d_states = np.empty((0, 0), dtype) if d_states is None else plain(d_states)
    layer, by_state = Backward(input, weight_ih, weight_hh, size, size, sizes, reverse, through), panels(weight_hh)

    def work(begin, end, low, first, last):
        sequence.run_rnn_backward(
            layer.table, first, last, begin, end, layer.steps, low, hidden, by_state, relu, states, d_states, d_hidden,
            layer.d_gates, layer.began,
        )  # fmt: skip

    layer.run(work, len(hidden))
    return layer.d_input, d_hidden, layer.d_ih, layer.d_hh, layer.d_bias, layer.d_bias.copy()
