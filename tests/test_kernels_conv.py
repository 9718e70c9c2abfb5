"""Convolution: the three kernels against their NumPy twins, one another and PyTorch."""

import contextlib

import numpy as np
import pytest
from guard import guarded
from kernel_checks import apart, both, kinds, maker, near

from minigrad.kernels import conv, conv_planes, conv_tiles
from minigrad.kernels.dispatch import backend
from minigrad.kernels.threads import set_num_threads


@pytest.fixture(autouse=True)
def chosen_backend(request):
    """Run the test on the backend it names."""
    who = getattr(request.node, "callspec", None) and request.node.callspec.params.get("who")
    with backend(who) if who else contextlib.nullcontext():
        yield


CONVOLUTIONS = [  # x, w, stride, padding, dilation, groups
    ((2, 3, 9, 8), (4, 3, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 1, 20, 19), (5, 1, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((3, 4, 11, 7), (6, 2, 3, 2), (2, 1), (1, 2), (1, 2), 2),
    ((2, 4, 10, 13), (8, 1, 3, 3), (1, 2), (2, 1), (2, 1), 4),
    ((5, 3, 7, 7), (4, 3, 5, 5), (3, 3), (2, 2), (1, 1), 1),
    ((2, 6, 17, 16), (3, 6, 1, 1), (1, 1), (0, 0), (1, 1), 1),
    ((2, 2, 9, 9), (7, 2, 1, 1), (2, 2), (0, 0), (1, 1), 1),
    ((1, 2, 1, 300), (3, 2, 1, 7), (1, 1), (0, 3), (1, 1), 1),
    ((2, 2, 3, 3), (2, 2, 3, 3), (1, 1), (2, 2), (1, 1), 1),
    ((0, 2, 5, 5), (3, 2, 3, 3), (1, 1), (1, 1), (1, 1), 1),
    ((2, 4, 6, 6), (4, 1, 3, 3), (2, 2), (1, 1), (2, 2), 4),
    ((3, 35, 7, 9), (50, 35, 3, 3), (1, 1), (1, 1), (1, 1), 1),  # several panels, and lanes left over
    ((2, 17, 9, 9), (33, 17, 1, 1), (1, 1), (0, 0), (1, 1), 1),  # products with pixels along the lanes
    ((2, 8, 1, 500), (9, 8, 1, 5), (1, 2), (0, 2), (1, 1), 1),  # lines that are cut
    ((2, 6, 5, 9), (12, 1, 2, 3), (3, 2), (1, 0), (1, 2), 6),
    ((2, 9, 4, 5, 6), (7, 9, 2, 3, 3), (1, 2, 1), (1, 0, 2), (2, 1, 1), 1),  # volumes
    ((2, 3, 4, 5, 6), (6, 1, 2, 3, 2), (2, 1, 2), (0, 1, 1), (1, 1, 2), 3),
    ((5, 6, 3, 4), (7, 6, 3, 4), (1, 2), (0, 0), (1, 1), 1),  # the window is the image
    ((1, 2, 90, 300), (3, 2, 5, 5), (1, 1), (2, 2), (1, 1), 1),  # the input's derivative in parts
    ((1, 2, 5, 4, 4), (3, 2, 2, 2, 2), (2, 2, 2), (1, 1, 1), (1, 1, 1), 1),
]


@both
@kinds
@pytest.mark.parametrize("cache_bytes", [1 << 20, 3000])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_and_its_derivatives(monkeypatch, who, kind, cache_bytes, case):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    monkeypatch.setattr(conv_tiles, "CACHE_BYTES", cache_bytes)  # a small one cuts an image into bands
    x_shape, w_shape, *settings = case
    x, w, bias = make(*x_shape), make(*w_shape), make(w_shape[0])
    tx, tw, tb = (torch.from_numpy(a).requires_grad_() for a in (x, w, bias))
    convolve = getattr(torch.nn.functional, f"conv{x.ndim - 2}d")
    expected = convolve(tx, tw, tb, *settings)
    g = make(*expected.shape)
    near(conv.conv2d_forward(apart(x), apart(w), bias, *settings), expected, kind)
    near(conv.conv2d_forward(x, w, None, *settings), expected - tb.reshape(-1, *[1] * (x.ndim - 2)), kind)
    expected.backward(torch.from_numpy(g))
    near(conv.conv2d_input(apart(g), apart(w), x_shape, *settings), tx.grad, kind)
    near(conv.conv2d_weight(apart(g), apart(x), w_shape, *settings), tw.grad, kind)


@both
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_of_integers_is_exact(who, case):
    x_shape, w_shape, *settings = case
    numbers = np.random.default_rng(1)
    x, w = (numbers.integers(-9, 9, shape) for shape in (x_shape, w_shape))
    exact = conv.conv2d_forward.twin(x, w, None, *settings)  # in int64
    np.testing.assert_array_equal(conv.conv2d_forward(x.astype("f4"), w.astype("f4"), None, *settings), exact)
    g = numbers.integers(-9, 9, exact.shape)
    dx = conv.conv2d_input(g.astype("f4"), w.astype("f4"), x_shape, *settings)
    np.testing.assert_array_equal(dx, conv.conv2d_input.twin(g, w, x_shape, *settings))
    dw = conv.conv2d_weight(g.astype("f4"), x.astype("f4"), w_shape, *settings)
    np.testing.assert_array_equal(dw, conv.conv2d_weight.twin(g, x, w_shape, *settings))
    # The three are one trilinear form, <g, conv(x, w)>.
    assert (g * exact).sum() == (dx * x).sum() == (dw * w).sum()


@both
def test_nan_reaches_the_windows_that_see_it_and_no_others(who):
    x = np.zeros((1, 1, 20, 20), np.float32)
    x[0, 0, 7, 19] = np.nan
    w = np.ones((1, 1, 3, 3), np.float32)
    y = conv.conv2d_forward(x, w, None, (1, 1), (0, 0), (1, 1), 1)
    assert set(zip(*np.nonzero(np.isnan(y[0, 0])))) == {(5, 17), (6, 17), (7, 17)}
    dw = conv.conv2d_weight(np.ones_like(y), x, w.shape, (1, 1), (0, 0), (1, 1), 1)
    np.testing.assert_array_equal(np.isnan(dw[0, 0]), [[False, False, True]] * 3)


def test_convolution_without_channels_is_its_bias():
    x, w, bias = np.ones((2, 0, 4, 4)), np.ones((3, 0, 3, 3)), np.arange(3.0)
    with backend("numba"):
        y = conv.conv2d_forward(x, w, bias, (1, 1), (0, 0), (1, 1), 1)
    np.testing.assert_array_equal(y, np.broadcast_to(np.arange(3.0).reshape(3, 1, 1), (2, 3, 2, 2)))


@pytest.fixture
def poisoned(monkeypatch):
    """What conv makes room for holds NaN, and ends where memory may not be touched."""

    class Guarded:
        def __getattr__(self, name):
            return getattr(np, name)

        def empty(self, shape, dtype):
            return guarded(np.full(shape, -1 if np.dtype(dtype).kind == "i" else np.nan, dtype))

        def zeros(self, shape, dtype):
            return guarded(np.zeros(shape, dtype))

        def ones(self, shape, dtype):
            return guarded(np.ones(shape, dtype))

    def switch_on():
        for module in (conv_planes, conv_tiles):
            monkeypatch.setattr(module, "np", Guarded())

    return switch_on


def three(x, w, bias, g, settings):
    return (
        conv.conv2d_forward(x, w, bias, *settings),
        conv.conv2d_input(g, w, x.shape, *settings),
        conv.conv2d_weight(g, x, w.shape, *settings),
    )


@kinds
@pytest.mark.parametrize("case", [case for case in CONVOLUTIONS if case[0][0]])
@pytest.mark.parametrize("end", ["start", "end"])
def test_nothing_outside_of_an_array_is_touched_nor_read_before_it_is_written(poisoned, kind, case, end):
    make = maker(kind)
    x_shape, w_shape, *settings = case
    x, w, bias = make(*x_shape), make(*w_shape), make(w_shape[0])
    g = make(*conv.conv2d_forward.twin(x, w, bias, *settings).shape)
    with backend("numba"):
        expected = three(x, w, bias, g, settings)  # compiles, with NumPy as it is
        poisoned()
        for one, other in zip(three(*[guarded(a, end) for a in (x, w, bias, g)], settings), expected):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("case", [CONVOLUTIONS[k] for k in (0, 1, 3, 4, 5, 11)])
def test_two_threads_compute_the_same(case):
    make = maker("float64")
    x_shape, w_shape, *settings = case
    x, w, bias = make(*x_shape), make(*w_shape), make(w_shape[0])
    g = make(*conv.conv2d_forward.twin(x, w, bias, *settings).shape)
    with backend("numba"):
        alone = three(x, w, bias, g, settings)
        set_num_threads(2)
        try:
            for _ in range(3):
                for one, other in zip(three(x, w, bias, g, settings), alone):
                    near(one, other, "float64")
        finally:
            set_num_threads(1)


@pytest.mark.parametrize("groups", [1, 3])
def test_infinite_numbers_of_an_image_reach_the_entries_that_see_them_and_no_others(groups):
    x = np.ones((1, 3, 5, 5))
    x[0, :, 0, 4] = np.inf  # seen by the right column of a window only, and by its top row
    with backend("numba"):
        dw = conv.conv2d_weight(np.ones((1, 3, 3, 3)), x, (3, 3 // groups, 3, 3), (1, 1), (0, 0), (1, 1), groups)
    seen = np.zeros((3, 3), bool)
    seen[0, 2] = True
    assert (np.isinf(dw) == seen).all()
    assert not np.isnan(dw).any()


@pytest.mark.parametrize("dtype", ["float16", "int32"])
def test_other_dtypes_are_left_to_numpy(dtype):
    x, w = np.ones((2, 3, 5, 5), dtype), np.ones((4, 3, 3, 3), dtype)
    with backend("numba"):
        y = conv.conv2d_forward(x, w, None, (1, 1), (0, 0), (1, 1), 1)
    assert y.dtype == dtype
    assert (y == 27).all()
