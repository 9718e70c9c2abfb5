"""Recurrent layers over a sequence, compiled: the steps of `cell.py` with the matrix products between them.

A weight serves every step, so it is laid out once in *panels* (`panels.py`).

All functions serve the sequences first..last, so that several threads can share a batch: a step's rows are
``start + first``, ... of the arrays that have a row for each step and sequence, as `recurrent.py` explains.

Before this: `panels.py`, `cell.py`. After it: `recurrent.py`.
"""

from minigrad.kernels.cell import (
    gru_step,
    gru_step_backward,
    lstm_step,
    lstm_step_backward,
    rnn_step,
    rnn_step_backward,
)
from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import address
from minigrad.kernels.panels import by_panels
from minigrad.kernels.tiles import ACCUMULATE, PACKED, STRIDED, VECTORS, lanes

AHEAD = 32  # rows of the input's product at a time: the state's part is added while they are in the nearest cache
STRETCH = 256  # rows at once: what is computed of so many is still in the processor's cache when it is used again


@jit
def at(array, row, column):
    """The address of an element of a C-ordered matrix."""
    return address(array) + (row * array.shape[1] + column) * array.itemsize


@jit
def times(table, count, left, i, p, depth, panels, out, k, q, columns, bias, flags):
    """``out[k : k + count, q : q + columns] (+)= left[i : i + count, p : p + depth] @ panels + bias``"""
    size = left.itemsize
    width = VECTORS * lanes(table) * size
    by_panels(
        table, STRIDED, count, columns, depth, at(left, i, p), left.shape[1] * size, size, address(panels), width,
        depth * width, at(out, k, q), out.shape[1] * size, bias, flags,
    )  # fmt: skip


@jit
def copy_rows(target, i, source, k, count):
    """target[i : i + count] = source[k : k + count]"""
    for n in range(count):
        for j in range(target.shape[1]):
            target[i + n, j] = source[k + n, j]


@jit
def add_rows(target, i, source, k, count):
    """target[i : i + count] += source[k : k + count]"""
    for n in range(count):
        for j in range(target.shape[1]):
            target[i + n, j] += source[k + n, j]


# ---- forward


@jit
def input_products(table, first, last, steps, s, input, panels, columns, bias, gates):
    """The input's part of the gates from step s on. A thread that has all sequences computes some steps at a time, for
    which their rows lie together; one that has some of them computes its rows of one step."""
    whole = first == 0 and last == max(steps[0, 1], steps[-1, 1])
    many = max(1, AHEAD // last) if whole else 1
    if s % many == 0:
        end = min(s + many, len(steps)) - 1
        start = min(steps[s, 0], steps[end, 0]) + first
        stop = max(steps[s, 0] + min(steps[s, 1], last), steps[end, 0] + min(steps[end, 1], last))
        times(table, stop - start, input, start, 0, input.shape[1], panels, gates, start, 0, columns, address(bias), 0)


@jit
def run_lstm(table, first, last, steps, input, by_input, by_state, by_output, bias, hidden, cell, outputs, states,
             gates, cells):  # fmt: skip
    """`recurrent.lstm_forward` for the sequences first..last. `hidden` and `cell` become the last states. `outputs` is
    scratch (N, H) where the state is a projection of it, else it is `hidden`."""
    width, out = cell.shape[1], hidden.shape[1]
    for s in range(len(steps)):
        input_products(table, first, last, steps, s, input, by_input, 4 * width, bias, gates)
        start, end = steps[s, 0] + first, min(last, steps[s, 1])
        count = end - first
        if count > 0:
            times(table, count, hidden, first, 0, out, by_state, gates, start, 0, 4 * width, 0, ACCUMULATE)
            lstm_step(gates[start : start + count], cell[first:end], outputs[first:end])
            if by_output.size:
                times(table, count, outputs, first, 0, width, by_output, hidden, first, 0, out, 0, 0)
            copy_rows(states, start, hidden, first, count)
            copy_rows(cells, start, cell, first, count)


@jit
def run_gru(table, first, last, steps, input, by_input, by_early, by_late, bias, hidden, states, gates):
    """`recurrent.gru_forward` for the sequences first..last. The state's weight comes in two pieces, for the gates that
    are sums and the one that is not; `hidden` becomes the last state."""
    width = hidden.shape[1]
    late = address(bias) + 3 * width * hidden.itemsize
    for s in range(len(steps)):
        input_products(table, first, last, steps, s, input, by_input, 3 * width, bias, gates)
        start, end = steps[s, 0] + first, min(last, steps[s, 1])
        count = end - first
        if count > 0:
            times(table, count, hidden, first, 0, width, by_early, gates, start, 0, 2 * width, 0, ACCUMULATE)
            times(table, count, hidden, first, 0, width, by_late, gates, start, 3 * width, width, late, 0)
            gru_step(gates[start : start + count], hidden[first:end])
            copy_rows(states, start, hidden, first, count)


@jit
def run_rnn(table, first, last, steps, input, by_input, by_state, bias, relu, hidden, states):
    """`recurrent.rnn_forward` for the sequences first..last; `hidden` becomes the last state."""
    width = hidden.shape[1]
    for s in range(len(steps)):
        input_products(table, first, last, steps, s, input, by_input, width, bias, states)
        start, count = steps[s, 0] + first, min(last, steps[s, 1]) - first
        if count > 0:
            times(table, count, hidden, first, 0, width, by_state, states, start, 0, width, 0, ACCUMULATE)
            rnn_step(states[start : start + count], relu)
            copy_rows(hidden, first, states, start, count)


# ---- backward: of one stretch, the steps begin..finish from the last to the first


@jit
def known_rows(steps, s, first, end):
    """(start, count) of the sequences first..end in the step before step s; the others begin with step s."""
    if s == 0:
        return 0, 0
    return steps[s - 1, 0] + first, max(0, min(steps[s - 1, 1], end) - first)


@jit
def copy_former(began, place, steps, s, first, end, states, hidden):
    """The states that step s began with, into the rows of `began` from `place` on."""
    start, known = known_rows(steps, s, first, end)
    copy_rows(began, place, states, start, known)
    copy_rows(began, place + known, hidden, first + known, end - first - known)


@jit
def run_lstm_backward(table, first, last, begin, finish, steps, low, hidden, cell, by_state, by_output, states, gates,
                      cells, d_states, d_hidden, d_cell, d_outputs, d_shown, d_gates, began):  # fmt: skip
    """A stretch of `recurrent.lstm_backward` for the sequences first..last: fills the rows of d_gates and began, which
    start at row `low` of all, and of d_shown. `d_outputs` is scratch (N, H) where there is a projection, else it is
    `d_hidden`."""
    width, out = cell.shape[1], hidden.shape[1]
    for s in range(finish - 1, begin - 1, -1):
        start, end = steps[s, 0] + first, min(last, steps[s, 1])
        count, place = end - first, start - low
        if count > 0:
            if d_states.size:
                add_rows(d_hidden, first, d_states, start, count)
            if by_output.size:
                copy_rows(d_shown, start, d_hidden, first, count)
                times(table, count, d_hidden, first, 0, out, by_output, d_outputs, first, 0, width, 0, 0)
            copy_former(began, place, steps, s, first, end, states, hidden)
            before, known = known_rows(steps, s, first, end)
            lstm_step_backward(
                d_outputs[first : first + known], gates[start : start + known], cells[start : start + known],
                cells[before : before + known], d_cell[first : first + known], d_gates[place : place + known],
            )  # fmt: skip
            lstm_step_backward(
                d_outputs[first + known : end], gates[start + known : start + count],
                cells[start + known : start + count], cell[first + known : end], d_cell[first + known : end],
                d_gates[place + known : place + count],
            )  # fmt: skip
            times(table, count, d_gates, place, 0, 4 * width, by_state, d_hidden, first, 0, out, 0, 0)


@jit
def run_gru_backward(table, first, last, begin, finish, steps, low, hidden, by_early, by_late, states, gates, d_states,
                     d_hidden, d_gates, began):  # fmt: skip
    """As `run_lstm_backward`."""
    width = hidden.shape[1]
    for s in range(finish - 1, begin - 1, -1):
        start, end = steps[s, 0] + first, min(last, steps[s, 1])
        count, place = end - first, start - low
        if count > 0:
            if d_states.size:
                add_rows(d_hidden, first, d_states, start, count)
            copy_former(began, place, steps, s, first, end, states, hidden)
            gru_step_backward(
                d_hidden[first:end], gates[start : start + count], began[place : place + count],
                d_gates[place : place + count],
            )  # fmt: skip
            times(table, count, d_gates, place, 0, 2 * width, by_early, d_hidden, first, 0, width, 0, ACCUMULATE)
            times(table, count, d_gates, place, 3 * width, width, by_late, d_hidden, first, 0, width, 0, ACCUMULATE)


@jit
def run_rnn_backward(table, first, last, begin, finish, steps, low, hidden, by_state, relu, states, d_states, d_hidden,
                     d_gates, began):  # fmt: skip
    """As `run_lstm_backward`."""
    width = hidden.shape[1]
    for s in range(finish - 1, begin - 1, -1):
        start, end = steps[s, 0] + first, min(last, steps[s, 1])
        count, place = end - first, start - low
        if count > 0:
            if d_states.size:
                add_rows(d_hidden, first, d_states, start, count)
            copy_former(began, place, steps, s, first, end, states, hidden)
            rnn_step_backward(d_hidden[first:end], states[start : start + count], relu, d_gates[place : place + count])
            times(table, count, d_gates, place, 0, width, by_state, d_hidden, first, 0, width, 0, 0)


@jit
def back_to_weights(table, first, last, rows, d_gates, hole, input, began, d_ih, d_hh, flags):
    """The weights' gradients from a stretch of so many rows, for the rows first..last of the weights; the stretch's
    input and the states it began with come in panels.

    Column j of d_gates belongs to row j of both weights; but those of the state's weight from `hole` on lie as many
    columns further right as there are columns of states (a GRU's).
    """
    size = d_gates.itemsize
    step, width, out = d_gates.shape[1] * size, d_ih.shape[1], d_hh.shape[1]
    panel_row = VECTORS * lanes(table) * size
    by_panels(
        table, PACKED, last - first, width, rows, at(d_gates, 0, first), size, step, address(input), panel_row,
        rows * panel_row, at(d_ih, first, 0), width * size, 0, flags,
    )  # fmt: skip
    for begin, end, shift in ((first, min(last, hole), 0), (max(first, hole), last, out)):
        by_panels(
            table, PACKED, end - begin, out, rows, at(d_gates, 0, begin + shift), size, step, address(began),
            panel_row, rows * panel_row, at(d_hh, begin, 0), out * size, 0, flags,
        )  # fmt: skip


@jit
def add_to_biases(rows, d_gates, total):
    """Add up the columns of a stretch."""
    for i in range(rows):
        line = d_gates[i]
        for j in range(total.size):
            total[j] += line[j]
