"""The kernel families, first half: NumPy twin and numba twin against each other and against PyTorch."""

import contextlib
import math

import numpy as np
import pytest
from kernel_checks import apart, both, kernels_of, kinds, maker, near

from minigrad.kernels import (
    adaptive,
    average,
    cell,
    conv,
    factored,
    indexing,
    loss,
    moments,
    norm,
    optimizer,
    pool,
    recurrent,
    reduce,
    rownorm,
    signs,
    softmax,
)
from minigrad.kernels.dispatch import KERNELS, backend

FAMILIES = (
    adaptive, average, cell, conv, factored, indexing, loss, moments, norm, optimizer,
    pool, recurrent, reduce, rownorm, signs, softmax,
)  # fmt: skip


@pytest.fixture(autouse=True)
def chosen_backend(request):
    """Run the test on the backend it names."""
    who = getattr(request.node, "callspec", None) and request.node.callspec.params.get("who")
    with backend(who) if who else contextlib.nullcontext():
        yield


# ------------------------------------------------------------------------------------------------------------- all


@pytest.mark.parametrize("size", [1, 100, 5000, 120_000])
@pytest.mark.parametrize("name", [k.name for module in FAMILIES for k in kernels_of(module)])
def test_twins_agree_on_the_samples(name, size):
    kernel = KERNELS[name]
    outcomes = []
    for who in ("numpy", "numba"):
        arguments = [a.astype("f8") if getattr(a, "dtype", None) == "f4" else a for a in kernel.samples(size)]
        with backend(who):
            result = kernel(*arguments)
        # Kernels that work in place return nothing, and change their arguments.
        outcomes.append([*(result if isinstance(result, tuple) else (result,)), *arguments])
    for one, other in zip(*outcomes, strict=True):
        if isinstance(one, np.ndarray):
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10 * max(1.0, np.abs(one).max(initial=0)))
        else:
            assert one == other


@pytest.mark.parametrize("module", FAMILIES)
def test_every_kernel_has_samples_and_both_twins(module):
    assert kernels_of(module)
    for kernel in kernels_of(module):
        assert kernel.samples
        assert kernel.compiled or kernel is reduce.sum_to  # which only calls another kernel


# ---------------------------------------------------------------------------------------------------------- pooling

POOLINGS = [  # x, window, stride, padding, dilation, ceil_mode
    ((2, 3, 8, 10), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 3, 9, 11), (2, 2), (2, 2), (0, 0), (1, 1), False),
    ((2, 3, 9, 70), (2, 2), (2, 2), (0, 0), (1, 1), True),
    ((1, 2, 13, 12), (3, 3), (2, 2), (1, 1), (1, 1), False),
    ((1, 2, 12, 13), (3, 3), (2, 2), (1, 1), (1, 1), True),
    ((2, 2, 9, 17), (3, 2), (1, 1), (1, 1), (1, 1), False),
    ((2, 2, 15, 14), (3, 2), (3, 4), (1, 0), (2, 3), False),
    ((5, 7), (5, 7), (1, 1), (0, 0), (1, 1), False),
    ((0, 3, 4, 4), (2, 2), (2, 2), (0, 0), (1, 1), False),
]


@both
@kinds
@pytest.mark.parametrize("values", ["random", "ties", "nan", "-inf"])
@pytest.mark.parametrize("case", POOLINGS)
def test_max_pool(who, kind, values, case):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    shape, *settings = case
    x = make(*shape)
    if values == "ties":
        x = np.round(x)
    elif values == "nan":
        x[x > 0.5] = np.nan
    elif values == "-inf":
        x[...] = -np.inf
    y, indices = pool.max_pool2d(apart(x), *settings)
    tx = torch.from_numpy(x.reshape(-1, 1, *shape[-2:]))
    expected, places = torch.nn.functional.max_pool2d(tx, *settings, return_indices=True)
    np.testing.assert_array_equal(y, expected.numpy().reshape(y.shape))
    np.testing.assert_array_equal(indices, places.numpy().reshape(y.shape))
    assert indices.dtype == np.int64
    np.testing.assert_array_equal(pool.gather_pool(apart(x), apart(indices)), y)


@both
@kinds
@pytest.mark.parametrize("case", POOLINGS)
def test_max_pool_backward_is_the_transpose_of_gathering(who, kind, case):
    make = maker(kind)
    shape, *settings = case
    _, indices = pool.max_pool2d(make(*shape), *settings)
    x, g = np.round(make(*shape) * 4), np.round(make(*indices.shape) * 4)
    dx = pool.max_pool2d_backward(apart(g), apart(indices), shape)
    assert dx.shape == shape
    assert dx.dtype == np.dtype(kind)
    assert (dx * x).sum() == (g * pool.gather_pool(x, indices)).sum()


@both
@kinds
@pytest.mark.parametrize("divisor", [None, 3])
@pytest.mark.parametrize("count_include_pad", [True, False])
@pytest.mark.parametrize("case", [case for case in POOLINGS if case[4] == (1, 1) and case[0] != (5, 7)])
def test_average_pool(who, kind, divisor, count_include_pad, case):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    shape, window, stride, padding, _, ceil_mode = case
    settings = (window, stride, padding, ceil_mode, count_include_pad, divisor)
    x = make(*shape)
    tx = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.avg_pool2d(tx, *settings)
    near(average.avg_pool2d(apart(x), *settings), expected, kind)
    g = make(*expected.shape)
    expected.backward(torch.from_numpy(g))
    near(average.avg_pool2d_backward(apart(g), shape, *settings), tx.grad, kind)


@both
@kinds
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (7, 12)])
def test_adaptive_pools(who, kind, size):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    x = make(2, 3, 7, 9)
    x[0, 1, 2, 3:6] = np.nan
    tx = torch.from_numpy(x).requires_grad_()
    y, indices = pool.adaptive_max_pool2d(apart(x), size)
    expected, places = torch.nn.functional.adaptive_max_pool2d(tx, size, return_indices=True)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(indices, places.numpy())
    expected = torch.nn.functional.adaptive_avg_pool2d(tx, size)
    near(average.adaptive_avg_pool2d(apart(x), size), expected, kind)
    g = make(*expected.shape)
    expected.backward(torch.from_numpy(g))
    near(average.adaptive_avg_pool2d_backward(apart(g), x.shape, size), tx.grad, kind)


# ---------------------------------------------------------------------------------------------------------- softmax

AXES = [((), 0), ((5,), 0), ((4, 3), 1), ((3, 31), 1), ((3, 33), 1), ((2, 9000), 1), ((700, 3), 0), ((130, 40), 0),
        ((2, 5, 600), 1), ((3, 4, 5), 1), ((2, 3, 4, 20), 2), ((0, 4), 1), ((2, 0), 1), ((4, 1), 1)]  # fmt: skip
EXTREMES = np.array(
    [[np.inf, 1], [-np.inf, -np.inf], [np.nan, 1], [np.inf, np.inf], [-np.inf, 1], [-np.nan, 1], [-np.inf, np.nan],
     [1, np.inf], [np.inf, -np.nan], [1e30, -1e30], [-0.0, 0.0], [100, 99]])  # fmt: skip


@both
@kinds
@pytest.mark.parametrize(("shape", "axis"), AXES)
def test_softmaxes(who, kind, shape, axis):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    x, g = np.asarray(make(*shape) * 4), np.asarray(make(*shape))
    for name in ("softmax", "log_softmax"):
        tx = torch.from_numpy(x).double().requires_grad_()
        expected = getattr(torch, name)(tx, axis)
        y = getattr(softmax, name)(apart(x), axis)
        near(y, expected, kind)
        expected.backward(torch.from_numpy(g).double())
        dx = getattr(softmax, f"{name}_backward")(apart(g), y, axis)
        np.testing.assert_allclose(dx, tx.grad.numpy(), rtol=1e-4, atol=1e-4 if kind == "float32" else 1e-11)
    if x.size:
        near(softmax.logsumexp(apart(x), axis), torch.logsumexp(torch.from_numpy(x).double(), axis), kind)


@both
@kinds
@pytest.mark.parametrize("width", [1, 20, 3000])
@pytest.mark.parametrize("columns", [0, 3, 20])
def test_softmaxes_of_nan_and_inf(who, kind, width, columns):
    torch = pytest.importorskip("torch")
    x, axis = np.tile(EXTREMES.astype(kind), (1, width)), 1
    if columns:
        x = np.repeat(x[:, :, None], columns, 2)
    for name in ("softmax", "log_softmax", "logsumexp"):
        near(getattr(softmax, name)(x, axis), getattr(torch, name)(torch.from_numpy(x), axis), kind)


@both
@kinds
@pytest.mark.parametrize("shift", [-3000, 3000])
@pytest.mark.parametrize(("shape", "axis"), [((4, 3), 1), ((4, 50), 1), ((2, 4, 30), 1)])
def test_softmaxes_far_from_zero(who, kind, shift, shape, axis):
    x = np.round(maker(kind)(*shape) * 4)
    for name in ("softmax", "log_softmax"):
        near(getattr(softmax, name)(x + x.dtype.type(shift), axis), getattr(softmax, name).twin(x, axis), kind)
    near(softmax.logsumexp(x + x.dtype.type(shift), axis), softmax.logsumexp.twin(x, axis) + x.dtype.type(shift), kind)


@both
def test_logsumexp_of_nothing(who):
    np.testing.assert_array_equal(softmax.logsumexp(np.ones((2, 0), np.float32), 1), [-np.inf, -np.inf])


# ----------------------------------------------------------------------------------------------------------- losses

LOGITS = [(64, 10), (5, 3), (7, 40), (4,), (2, 5, 3), (2, 6, 5, 4), (3, 5, 600), (0, 4)]


@both
@kinds
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("settings", [(0, -100, 0.0), (1, 1, 0.1), (1, -100, 0.0), (0, 2, 0.3)])
@pytest.mark.parametrize("shape", LOGITS)
def test_losses_of_classes(who, kind, reduction, settings, shape):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    functional, (weighted, ignored, smoothing) = torch.nn.functional, settings
    classes = shape[min(1, len(shape) - 1)]
    x, weight = make(*shape) * 3, np.abs(make(classes)) if weighted else None
    target = np.asarray(np.random.default_rng(3).integers(0, classes, (shape[0], *shape[2:]) if len(shape) > 1 else ()))
    tw = None if weight is None else torch.from_numpy(weight)
    for name in ("cross_entropy", "nll"):
        tx = torch.from_numpy(x).requires_grad_()
        if name == "nll":
            settings = (ignored,)
            expected = functional.nll_loss(tx, torch.from_numpy(target), tw, ignore_index=ignored, reduction=reduction)
        else:
            settings = (ignored, smoothing)
            expected = functional.cross_entropy(
                tx, torch.from_numpy(target), tw, ignore_index=ignored, reduction=reduction, label_smoothing=smoothing
            )
        value, scale = getattr(loss, f"{name}_forward")(apart(x), apart(target), weight, *settings, reduction)
        near(value, expected, kind)
        assert scale.shape == ()
        g = np.asarray(make(*expected.shape))
        expected.backward(torch.from_numpy(g))
        if name == "nll":
            dx = loss.nll_backward(np.asarray(g * scale), target, weight, ignored, shape)
        else:
            dx = loss.cross_entropy_backward(np.asarray(g * scale), apart(x), target, weight, *settings)
        near(dx, tx.grad, kind)


@both
def test_losses_and_weights_of_the_samples(who):
    x, weight = np.zeros((3, 4), np.float32), np.array([1, 2, 3, 4], np.float32)
    for losses, weights in (
        loss.cross_entropy_forward(x, np.array([3, 0, 1]), weight, 0, 0.0),
        loss.nll_forward(x - np.float32(math.log(4)), np.array([3, 0, 1]), weight, 0),
    ):
        np.testing.assert_allclose(losses, np.array([4, 0, 2]) * math.log(4), rtol=1e-6)
        np.testing.assert_array_equal(weights, [4, 0, 2])


@both
@pytest.mark.parametrize("wrong", [10, -1])
@pytest.mark.parametrize("shape", [(4, 10), (4, 10, 2), (4, 10, 30)])
def test_a_class_that_does_not_exist(who, wrong, shape):
    target = np.zeros((shape[0], *shape[2:]), np.int64)
    target[2] = wrong
    with pytest.raises(IndexError, match=f"^Target {wrong} is out of bounds.$"):
        loss.cross_entropy_forward(np.ones(shape), target, None, -100, 0.0, "mean")
    with pytest.raises(IndexError, match=f"^Target {wrong} is out of bounds.$"):
        loss.nll_forward(np.ones(shape), target, None, -100)


@both
def test_the_mean_over_ignored_samples_only(who):
    value, scale = loss.cross_entropy_forward(np.ones((2, 3)), np.array([1, 1]), None, 1, 0.0, "mean")
    assert np.isnan(value)
    dx = loss.cross_entropy_backward(scale, np.ones((2, 3)), np.array([1, 1]), None, 1, 0.0)
    np.testing.assert_array_equal(dx, np.zeros((2, 3)))


# ------------------------------------------------------------------------------------------------------- optimizers


@both
@kinds
@pytest.mark.parametrize("size", [99, 100])
def test_adafactor_takes_a_gradient_of_any_strides(who, kind, size):
    stepped = []
    for arrange in (np.ascontiguousarray, apart, lambda g: np.asfortranarray(g)):
        p, g, *rest = [a.astype(kind) if isinstance(a, np.ndarray) else a for a in factored.adafactor_samples(size)]
        factored.adafactor_step(p, arrange(g), *rest)
        stepped.append((p, *rest[:2]))
    for other in stepped[1:]:
        for one, two in zip(stepped[0], other, strict=True):
            near(two, one, kind)
