"""Sums of many numbers side by side: against exact ones, at every address, and with nothing read outside."""

import math

import numpy as np
import pytest
from guard import guarded
from kernel_checks import kinds, maker

from minigrad.kernels import sums

SHAPES = [(1, 64), (3, 65), (2, 127), (5, 512), (2, 1000), (1, 2048), (2, 4095), (1, 4096), (2, 5001), (1, 150_001)]
BYTES = 128  # two lines


def added(x):
    """The sums of the rows of a C-contiguous matrix."""
    out = np.full(len(x), np.nan, x.dtype)
    sums.add_many(sums.adder(x.dtype), x, out, *x.shape)
    return out


def placed(x, offset):
    """A copy of x that begins so many bytes after a line does."""
    memory = np.full(x.nbytes + 2 * BYTES, 0xFF, np.uint8)  # NaN before and behind
    start = -memory.ctypes.data % BYTES + offset
    copy = memory[start : start + x.nbytes].view(x.dtype).reshape(x.shape)
    copy[...] = x
    return copy


@kinds
@pytest.mark.parametrize("shape", SHAPES)
def test_against_exact_sums(kind, shape):
    x = maker(kind)(*shape)
    exact = [math.fsum(row) for row in x]
    scale = [math.fsum(abs(row)) for row in x]
    assert np.all(np.abs(added(x) - exact) <= 8 * np.finfo(kind).eps * np.array(scale) / np.sqrt(shape[1]))


@kinds
@pytest.mark.parametrize("shape", SHAPES)
def test_every_address_gives_the_same_bits(kind, shape):
    x = maker(kind)(*shape)
    found = {added(placed(x, offset)).tobytes() for offset in range(0, BYTES, x.itemsize)}
    assert len(found) == 1


@kinds
def test_an_address_inside_of_a_number(kind):
    x = maker(kind)(3, 700)
    assert {added(placed(x, offset)).tobytes() for offset in range(8)} == {added(x).tobytes()}


@kinds
@pytest.mark.parametrize("at", ["start", "end"])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_is_read_outside(kind, shape, at):
    x = maker(kind)(*shape)
    np.testing.assert_array_equal(added(guarded(x, at)), added(x))


@kinds
def test_nan_and_infinities(kind):
    x = np.ones((4, 700), kind)
    x[0, 3], x[1, 699], x[2, 1], x[2, 640] = np.nan, np.inf, np.inf, -np.inf
    np.testing.assert_array_equal(added(x), [np.nan, np.inf, np.nan, 700])
