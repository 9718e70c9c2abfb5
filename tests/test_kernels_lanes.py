"""Vector kernels over rows, each against one line of NumPy."""

import numpy as np
import pytest
from guard import guarded
from kernel_checks import kinds, maker

from minigrad.kernels import lanes
from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import call

SHAPES = [  # rows, columns, live columns of the first row
    (1, 1, 1), (3, 5, 5), (7, 64, 64), (9, 65, 1), (4, 128, 3), (5, 31, -2), (4, 16, 16), (3, 33, 40), (0, 4, 4),
]  # fmt: skip


@jit
def run(kernel, columns, live, rows, a, a_step, m, m_step, x, y, z, number):
    call(kernel, columns, live, rows, a, a_step, m, m_step, x, y, z, number)


def softmax_part(a, m, x, y, z, s, n):
    top = np.maximum(x, (a * s).max(1, initial=-np.inf, where=n))
    base = np.where(np.isinf(top), 0, top)[:, None]
    powers = np.where(n, np.exp(a * s - base), 0)
    shrink = np.exp(x - base[:, 0])
    return powers, top, y * shrink + powers.sum(1), shrink


def share(a, m, x, y, z, s, n):
    return np.where(n, a / y[:, None], a), x, 1 / y, z


MEANING = {  # a, m, x, y, z, number, live -> a, x, y, z
    lanes.EXP_ROWS: softmax_part,
    lanes.SHARE_ROWS: share,
    lanes.KNOWN_ROWS: lambda a, m, x, y, z, s, n: (np.where(n, np.exp(a * s - x[:, None]) * y[:, None], 0), x, y, z),
    lanes.SCALE_ROWS: lambda a, m, x, y, z, s, n: (np.where(n, a * z[:, None], a), x, y, z),
    lanes.ADD_TO_ROWS: lambda a, m, x, y, z, s, n: (np.where(n, a * s + m, a), x, y, z),
    lanes.MULTIPLY_ROWS: lambda a, m, x, y, z, s, n: (np.where(n, a * m, a), x, y, z),
    lanes.ALONG_ROWS: lambda a, m, x, y, z, s, n: (np.where(n, m * (a - x[:, None]) * s, 0), x, y, z),
    lanes.DOT_ROWS: lambda a, m, x, y, z, s, n: (a, (a * m).sum(1, where=n), y, z),
}


def computed(which, kind, rows, columns, live, a, m, x, y, z):
    """What the kernel leaves in a, x, y and z."""
    run(
        lanes.table(np.dtype(kind))[which], columns, live, rows, a.ctypes.data, a.strides[0], m.ctypes.data,
        m.strides[0], x.ctypes.data, y.ctypes.data, z.ctypes.data, 0.7,
    )  # fmt: skip
    return a, x, y, z


@kinds
@pytest.mark.parametrize("which", range(len(lanes.KERNELS)), ids=[k.__name__ for k in lanes.KERNELS])
@pytest.mark.parametrize("shape", SHAPES)
def test_against_numpy(kind, which, shape):
    rows, columns, live = shape
    make = maker(kind)
    given = make(rows, columns) * 4, make(rows, columns), make(rows), np.abs(make(rows)) + 1, make(rows)
    if which == lanes.EXP_ROWS:
        given[2][::2] = -np.inf  # nothing has been seen in these rows
    open_ = np.arange(columns) < live + np.arange(rows)[:, None]
    expected = MEANING[which](*[x.astype("f8") for x in given], 0.7, open_)
    actual = computed(which, kind, *shape, *[guarded(x) for x in given])
    rounding = 2e-6 if kind == "float32" else 1e-14
    cancels = which in (lanes.ADD_TO_ROWS, lanes.DOT_ROWS)
    for one, other in zip(actual, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=rounding, atol=10 * rounding if cancels else 1e-35)


@kinds
@pytest.mark.parametrize("columns", [1, 5, 16, 21, 40])
def test_nan_and_infinities(kind, columns):
    rows = np.array([[np.nan], [np.inf], [-np.inf], [1e30], [-1e30], [-103.0]], kind)
    a = np.concatenate([np.zeros((len(rows), columns - 1), kind), rows], 1)
    x, y, z = np.full(len(a), -np.inf, kind), np.zeros(len(a), kind), np.zeros(len(a), kind)
    a, x, y, z = computed(lanes.EXP_ROWS, kind, len(a), columns, columns, a, a, x, y, z)
    assert np.isnan(y).tolist() == [True, True, False, False, False, False]
    assert y[2] == columns - 1
    assert a[2, -1] == 0
    assert y[3] == 1
    assert y[4] == max(columns - 1, 1)
    assert x[2] == (0 if columns > 1 else -np.inf)
    computed(lanes.SHARE_ROWS, kind, len(a), columns, columns, a, a, x, y, z)
    assert y[2] == (1 / (columns - 1) if columns > 1 else 0)
    assert np.isfinite(x[2])
