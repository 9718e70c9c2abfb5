"""The compiled recurrent layers against their NumPy twins: odd sizes, packed sequences, both directions, threads, and
arrays behind which memory ends."""

import numpy as np
import pytest
from guard import guarded
from kernel_checks import apart, kinds, maker, near

from minigrad.kernels import recurrent, sequence
from minigrad.kernels.threads import get_num_threads, set_num_threads

FORWARD = {"lstm": recurrent.lstm_forward, "gru": recurrent.gru_forward, "rnn": recurrent.rnn_forward}
BACKWARD = {"lstm": recurrent.lstm_backward, "gru": recurrent.gru_backward, "rnn": recurrent.rnn_backward}
GATES = {"lstm": 4, "gru": 3, "rnn": 1}

CELLS = tuple(GATES)
SIZES = [(3, 3, 3), (5, 4, 4, 1), (1,), (40,) * 9, (300, 2), (7,) * 50, (2, 0), (33, 32, 31, 30, 1)]
WIDTHS = [(1, 1), (16, 32), (5, 37), (70, 17), (3, 130)]  # of input and state
cells = pytest.mark.parametrize("cell", CELLS)


def arguments(make, cell, sizes, widths, biases=True, out=None, relu=False):
    """What the forward takes, with the rest in keywords."""
    inputs, width = widths
    rows, out = GATES[cell] * width, (out if cell == "lstm" else None) or width
    scale = np.asarray(1 / (width + 1) ** 0.5, make().dtype)
    found = {"input": make(sum(sizes), inputs), "hidden": make(sizes[0], out)}
    if cell == "lstm":
        found["cell"] = make(sizes[0], width)
    found |= {"weight_ih": make(rows, inputs) * scale, "weight_hh": make(rows, out) * scale}
    found |= {name: make(rows) if biases else None for name in ("bias_ih", "bias_hh")}
    if cell == "lstm":
        found["weight_hr"] = make(out, width) if out != width else None
    if cell == "rnn":
        found["relu"] = relu
    return found


def backward_arguments(make, cell, given, forward, all_gradients=True):
    """What the backward takes, after `forward`'s results."""
    states, last, *kept = forward
    rest = {} if cell != "rnn" else {"relu": given["relu"]}
    if cell == "lstm":
        last_cell, gates, cells = kept
        rest |= {"weight_hr": given["weight_hr"], "gates": gates, "cells": cells}
        rest["d_cell"] = make(*last_cell.shape) if all_gradients else None
    elif cell == "gru":
        rest["gates"] = kept[0]
    names = ("input", "hidden", "cell", "weight_ih", "weight_hh")
    known = {name: given[name] for name in names if name in given} | rest
    grads = {"d_states": make(*states.shape), "d_hidden": make(*last.shape) if all_gradients else None}
    return known | {"states": states} | grads


def agree(cell, given, kind, make, reverse=False, sizes=(), through=True, all_gradients=True, prepare=lambda a: a):
    """Both forms on the same arguments, there and back; the compiled one's results."""
    forward, backward = FORWARD[cell], BACKWARD[cell]
    expected = forward.twin(**given, sizes=sizes, reverse=reverse)
    ready = {name: prepare(a) if isinstance(a, np.ndarray) else a for name, a in given.items()}
    kept = {name: a.copy() for name, a in ready.items() if isinstance(a, np.ndarray)}
    found = forward.compiled(**ready, sizes=sizes, reverse=reverse)
    back = backward_arguments(make, cell, given, expected, all_gradients)
    wanted = backward.twin(**back, sizes=sizes, reverse=reverse, through=through)
    ready |= {name: prepare(a) if isinstance(a, np.ndarray) else a for name, a in back.items()}
    ready = {name: ready[name] for name in back}
    kept |= {name: a.copy() for name, a in ready.items() if isinstance(a, np.ndarray)}
    gradients = backward.compiled(**ready, sizes=sizes, reverse=reverse, through=through)
    for mine, theirs in zip((*found, *gradients), (*expected, *wanted), strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            near(mine, theirs, kind)
    for name, a in ready.items():
        if isinstance(a, np.ndarray):
            assert np.array_equal(a, kept[name], equal_nan=True), f"{name} was written to"
    return (*found, *gradients)


@cells
@kinds
@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "-".join(map(str, sizes[:4])))
@pytest.mark.parametrize("widths", WIDTHS)
def test_twins_agree(cell, kind, sizes, widths):
    make = maker(kind)
    for reverse in (False, True):
        given = arguments(make, cell, sizes, widths, biases=not reverse, relu=reverse)
        agree(cell, given, kind, make, reverse, sizes, through=not reverse, all_gradients=reverse)


@kinds
@pytest.mark.parametrize("sizes", SIZES[:5])
@pytest.mark.parametrize("out", [1, 16, 33])
def test_projected(kind, sizes, out):
    make = maker(kind)
    given = arguments(make, "lstm", sizes, (6, 40), out=out)
    agree("lstm", given, kind, make, out == 16, sizes)


@cells
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("widths", [(16, 32), (5, 37), (33, 7)])
def test_nothing_beside_the_arrays_is_touched(cell, at, widths):
    for kind in ("float32", "float64"):
        make = maker(kind)
        for out in (None, 3) if cell == "lstm" else (None,):
            given = arguments(make, cell, (5, 4, 1), widths, out=out)
            agree(cell, given, kind, make, False, (5, 4, 1), prepare=lambda a: guarded(a, at))


def test_work_arrays_are_not_left_either(monkeypatch):
    """What the drivers allocate for themselves, before forbidden pages too."""
    plain, make = np.empty, maker("float32")
    for cell in CELLS:
        given = arguments(make, cell, (5, 4, 1), (5, 37), out=3)
        back = backward_arguments(make, cell, given, FORWARD[cell].twin(**given, sizes=(5, 4, 1), reverse=False))
        with monkeypatch.context() as patch:
            patch.setattr(np, "empty", lambda *args, **kwargs: guarded(plain(*args, **kwargs)))
            FORWARD[cell].compiled(**given, sizes=(5, 4, 1), reverse=False)
            BACKWARD[cell].compiled(**back, sizes=(5, 4, 1), reverse=False, through=True)


@cells
def test_layouts(cell):
    """Arrays that are not contiguous, not writable, in Fortran's order."""

    def read_only(a):
        a = a.copy()
        a.flags.writeable = False
        return a

    make = maker("float32")
    for prepare in (apart, read_only, np.asfortranarray):
        agree(cell, arguments(make, cell, (4, 3), (6, 9)), "float32", make, False, (4, 3), prepare=prepare)


@cells
def test_nothing_to_do(cell):
    make = maker("float64")
    for sizes, widths in (((0,), (3, 4)), ((2, 1), (0, 4)), ((0, 0), (0, 4))):
        agree(cell, arguments(make, cell, sizes, widths), "float64", make, False, sizes)


@cells
@pytest.mark.parametrize("sizes", [(50,) * 6, (37, 36, 20, 20, 3)])
def test_threads_share_a_batch(cell, sizes, monkeypatch):
    """The same numbers with two threads and three; the same bits each time."""
    monkeypatch.setattr(recurrent, "least", lambda products: 1)
    before, make = get_num_threads(), maker("float64")
    given = arguments(make, cell, sizes, (6, 40), out=11)
    try:
        for threads in (2, 3):
            set_num_threads(threads)
            for reverse in (False, True):
                agree(cell, given, "float64", make, reverse, sizes)
            first = FORWARD[cell].compiled(**given, sizes=sizes, reverse=False)
            again = FORWARD[cell].compiled(**given, sizes=sizes, reverse=False)
            assert all(np.array_equal(x, y) for x, y in zip(first, again, strict=True))
    finally:
        set_num_threads(before)


@cells
def test_not_a_number_stays_in_its_row(cell):
    make = maker("float32")
    given = arguments(make, cell, (3, 3), (4, 20))
    given["input"][1, 2], given["input"][2, 0] = np.nan, np.inf
    with np.errstate(invalid="ignore"):
        agree(cell, given, "float32", make, False, (3, 3))
    states = FORWARD[cell].compiled(**given, sizes=(3, 3), reverse=False)[0]
    assert np.isfinite(states[0]).all()
    assert np.isnan(states[1]).all()
    assert np.isfinite(states[3]).all()


def test_stretches_cover_every_step_once():
    for sizes in (*SIZES, (255, 2), (256, 256, 1), (1000,), (100,) * 7):
        for reverse in (False, True):
            places, found = recurrent.steps(sizes, reverse).tolist(), []
            for begin, end, low, rows in recurrent.stretches(sizes, reverse):
                inside = places[begin:end]
                assert low == min(start for start, _ in inside)
                assert rows == sum(count for _, count in inside)
                assert rows <= sequence.STRETCH or len(inside) == 1
                found = inside + found
            assert found == places
