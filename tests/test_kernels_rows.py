"""Loops over rows and blocks: odd sizes, layouts, special values in one block only, and any number of threads."""

import itertools
import math

import numpy as np
import pytest

import minigrad
from minigrad.kernels import extreme, loss, pool, reduce, rownorm, softmax, threads
from minigrad.kernels.pointwise import BLOCK, compile_ufunc, has_own_loop
from minigrad.ops.pointwise import exp, log

DTYPES = (np.float32, np.float64)
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, -1.0, 1e-39, 1e-310, 88.0, 89.0, -87.5, -104.0, 709.5, -745.0]
OWN = {"exp": (exp, np.exp), "log": (log, np.log)}


def draw(*shape, dtype=np.float32, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def own_loop(name, dtype):
    scalar = OWN[name][0].__dict__["scalar"]
    assert has_own_loop(scalar)
    return compile_ufunc(scalar, 1, dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", sorted(OWN))
@pytest.mark.parametrize("size", [0, 1, 7, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_a_block_with_special_numbers_is_computed_with_care_and_its_neighbours_are_right(name, dtype, size):
    function, numpy = own_loop(name, dtype), OWN[name][1]
    usual = np.abs(draw(size, dtype=dtype)) + dtype(0.1)
    with np.errstate(all="ignore"):
        for special in SPECIAL:
            x = usual.copy()
            x[size // 2 : size // 2 + 1] = special
            np.testing.assert_allclose(function(x), numpy(x), rtol=4 * np.finfo(dtype).eps, atol=2e-45)
        np.testing.assert_allclose(function(x[::-3]), numpy(x[::-3]), rtol=4 * np.finfo(dtype).eps, atol=2e-45)
        expected = numpy(x)
        np.testing.assert_allclose(function(x, out=x), expected, rtol=4 * np.finfo(dtype).eps, atol=2e-45)


ROWS = (0, 1, 3, 4, 5, 64, 67, 130)
WIDTHS = (1, 2, 7, 16, 33, 1000, 1025, 2600)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("centred", [True, False])
def test_row_norms_of_all_sizes_are_those_of_numpy(dtype, centred):
    tolerance = {"rtol": 1e-3, "atol": 2e-4} if dtype == np.float32 else {"rtol": 1e-9, "atol": 1e-11}
    forward, backward = (rownorm.layer_norm, rownorm.layer_norm_backward) if centred else (
        rownorm.rms_norm, rownorm.rms_norm_backward
    )  # fmt: skip
    for (rows, width), weighted in itertools.product(itertools.product(ROWS, WIDTHS), (True, False)):
        x, g = draw(rows, width, dtype=dtype) + dtype(3), draw(rows, width, dtype=dtype, seed=1)
        weight = draw(width, dtype=dtype, seed=2) if weighted else None
        given = (x, weight, draw(width, dtype=dtype, seed=3), 1, 1e-2) if centred else (x, weight, 1, 1e-2)
        np.testing.assert_allclose(forward.compiled(*given), forward.twin(*given), **tolerance)
        ours, theirs = (each(g, x, weight, 1, 1e-2) for each in (backward.compiled, backward.twin))
        assert len(ours) == len(theirs) == (3 if centred else 2)
        for a, b in zip(ours, theirs, strict=True):
            assert (a is None) == (b is None)
            if a is not None:
                assert a.shape == b.shape
                scale = max(1.0, np.abs(b).max(initial=0))
                np.testing.assert_allclose(a / scale, b / scale, **tolerance)


def shared_works(x, g, target):
    weight = x[0].copy()
    yield "layer_norm", lambda: [rownorm.layer_norm(x, weight, weight, 1, 1e-5)]
    yield "layer_norm_backward", lambda: rownorm.layer_norm_backward(g, x, weight, 1, 1e-5)
    yield "rms_norm_backward", lambda: rownorm.rms_norm_backward(g, x, weight, 1, 1e-5)
    for axis in (0, 1):
        yield f"softmax {axis}", lambda axis=axis: [softmax.softmax(x, axis)]
        yield f"log_softmax_backward {axis}", lambda axis=axis: [softmax.log_softmax_backward(g, x, axis)]
    yield "softmax of places", lambda: [softmax.softmax(x.reshape(len(x), -1, 50), 1)]
    yield "cross_entropy", lambda: loss.cross_entropy_forward(x, target, None, -100, 0.1, "mean")


@pytest.mark.parametrize("columns", [500, 1000])
def test_several_threads_compute_the_same_bits(columns):
    x, g = draw(601, columns), draw(601, columns, seed=1)
    x -= np.abs(x) + 3  # logarithms, as log_softmax_backward wants them
    target = np.arange(len(x)) % columns
    former, found = threads.get_num_threads(), {}
    try:
        for count in (1, 2, 3):
            threads.set_num_threads(count)
            for name, work in shared_works(x, g, target):
                found.setdefault(name, []).append(work())
    finally:
        threads.set_num_threads(former)
    for name, (first, *others) in found.items():
        for other in others:
            for a, b in zip(first, other, strict=True):
                assert np.array_equal(a, b), name


@pytest.mark.parametrize("dtype", DTYPES)
def test_maxima_of_pairs_for_every_width(dtype):
    for width, height, count in itertools.product([*range(2, 36), 63, 64, 65], (2, 5), (1, 3)):
        x = np.round(draw(count, height, width, dtype=dtype) * 2)  # with equal numbers
        x[0, 0, :: max(1, width // 2)] = np.nan
        settings = (2, 2), (2, 2), (0, 0), (1, 1), False
        for a, b in zip(pool.max_pool2d.compiled(x, *settings), pool.max_pool2d.twin(x, *settings), strict=True):
            np.testing.assert_array_equal(a, b)


LAYOUTS = {
    "as it is": lambda x: x,
    "transposed": lambda x: x.swapaxes(0, -1),
    "every second": lambda x: x[..., ::2],
    "backwards": lambda x: x[..., ::-1],
    "broadcast": lambda x: np.broadcast_to(x[..., :1], x.shape),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sums_and_variances_of_all_layouts(layout):
    for shape in ((1, 1), (7, 1), (64, 10), (100, 33), (1000, 3), (3, 5000), (2, 9000), (8, 8, 8, 8), (3, 70, 90)):
        x = LAYOUTS[layout](draw(*shape))
        for axes in (None, (0,), (x.ndim - 1,), tuple(range(x.ndim)), (0, x.ndim - 1)):
            for keepdims in (False, True):
                exact = x.astype(np.float64).sum(axes, keepdims=keepdims)
                np.testing.assert_allclose(reduce.sum(x, axes, keepdims), exact, rtol=1e-5, atol=1e-3)
                var, mean = reduce.var_mean(x, axes, 0, keepdims)
                np.testing.assert_allclose(var, x.astype(np.float64).var(axes, keepdims=keepdims), rtol=1e-4, atol=1e-5)
                np.testing.assert_allclose(mean, x.astype(np.float64).mean(axes, keepdims=keepdims), atol=1e-5)


def test_a_long_sum_is_as_accurate_as_one_by_halves():
    x = np.full(3_000_001, 0.1, np.float32)
    assert abs(reduce.sum(x, None, False) / (0.1 * x.size) - 1) < 3e-6  # SSE2 has the fewest lanes


def test_large_pointwise_work_is_shared_and_comes_out_the_same():
    former, found = threads.get_num_threads(), []
    try:
        for count in (1, 2):
            threads.set_num_threads(count)
            x = minigrad.tensor(draw(600, 1001), requires_grad=True)
            y = minigrad.tensor(draw(600, 1001, seed=1), requires_grad=True)
            out = minigrad.sigmoid(x + y) * x + (x > y) + x[:, ::2].sum() + minigrad.exp(x.t()).t()
            out.backward(minigrad.ones_like(out))
            found.append([out.detach().numpy(), x.grad.numpy(), y.grad.numpy()])
    finally:
        threads.set_num_threads(former)
    for a, b in zip(*found, strict=True):
        assert a.dtype == b.dtype
        assert np.array_equal(a, b)


SMALL = [(0, 4), (3, 0), (1, 1), (7, 1), (1, 9), (64, 10), (256, 16), (257, 3), (3, 257), (3, 4, 5)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SMALL, ids=str)
def test_sums_of_small_arrays_along_one_axis_are_numpys_in_every_layout(shape, dtype):
    x = draw(*shape, dtype=dtype)
    for given, axis, keepdims in itertools.product((x, x.T, x[::-1]), range(x.ndim), (True, False)):
        expected = np.add.reduce(given, axis, keepdims=keepdims)
        found = reduce.sum(given, (axis,), keepdims)
        assert (found.shape, found.dtype) == (expected.shape, dtype)
        np.testing.assert_allclose(found, expected, rtol=0, atol=200 * np.finfo(dtype).eps)


def test_sums_of_small_arrays_keep_nan_and_infinities_in_their_place():
    x = draw(4, 5)
    x[0, 0], x[1, 1], x[2, 2], x[3, 2] = math.nan, math.inf, math.inf, -math.inf
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(reduce.sum(x, (0,), False), np.add.reduce(x, 0), rtol=1e-6)
        np.testing.assert_allclose(reduce.sum(x, (1,), False), np.add.reduce(x, 1), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", [511, 512, 1000, 2048, 2049, 9001])
def test_sums_wherever_the_numbers_lie(dtype, count):
    memory = draw(3 * count + 17, dtype=dtype)
    for start in range(17):
        x = memory[start : start + 3 * count].reshape(3, count)
        exact = x.astype(np.longdouble).sum(1)
        np.testing.assert_allclose(reduce.sum.compiled(x, (1,), False), exact, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(reduce.sum.compiled(x, (0, 1), False), exact.sum(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "u1", "?"])
def test_the_extreme_of_all(dtype, sign):
    for shape in ((), (1,), (7, 9), (80, 50)):
        x = np.asarray(100 * draw(*shape, dtype=np.float64)).astype(dtype)
        for given in (x, x.T):
            assert extreme.extreme_of_all(given, sign) == (given.max() if sign > 0 else given.min())
        if x.dtype.kind == "f":
            x.flat[-1] = math.nan
            assert math.isnan(extreme.extreme_of_all(x, sign))


@pytest.mark.parametrize("dtype", ["f4", "f8", "i4", "i8", "u1"])
@pytest.mark.parametrize("shape", [(5,), (7, 1), (64, 10), (3, 4, 5), (2, 1, 3, 7)], ids=str)
@pytest.mark.parametrize("sign", [1, -1])
def test_extremes_and_their_places_are_the_first_ones_and_nan_is_both(shape, dtype, sign):
    x = np.random.default_rng(0).integers(0, 4, shape).astype(dtype)
    if x.dtype.kind == "f":
        x.flat[x.size // 2] = x.flat[-1] = math.nan
    for axis in range(x.ndim):
        for expected, found in zip(extreme.extreme.twin(x, axis, sign), extreme.extreme.compiled(x, axis, sign)):
            np.testing.assert_array_equal(found, expected)
            assert found.dtype == expected.dtype
