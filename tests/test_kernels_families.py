"""The kernel families: NumPy twin and numba twin against each other, against PyTorch, and against exact sums."""

import contextlib
import math

import numpy as np
import pytest

from minigrad.kernels import conv, indexing, loss, norm, optimizer, pool, reduce, softmax
from minigrad.kernels.dispatch import KERNELS, Kernel, backend

FAMILIES = (conv, indexing, loss, norm, optimizer, pool, reduce, softmax)
KINDS = ("float32", "float64")
CLOSE = {"float32": {"rtol": 2e-5, "atol": 2e-5}, "float64": {"rtol": 1e-11, "atol": 1e-11}}

both = pytest.mark.parametrize("who", ["numpy", "numba"])
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(autouse=True)
def chosen_backend(request):
    """Run the test on the backend it names."""
    who = request.node.callspec.params.get("who") if hasattr(request.node, "callspec") else None
    with backend(who) if who else contextlib.nullcontext():
        yield


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture
def make(kind):
    """Random arrays of the test's dtype."""
    numbers = np.random.default_rng(7)
    return lambda *shape: numbers.standard_normal(shape).astype(kind)


def near(actual, expected, kind):
    """Equal up to rounding, relative to the largest number; of one shape, NaN where NaN is expected."""
    expected = expected.detach().numpy() if hasattr(expected, "detach") else np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == np.dtype(kind)
    finite = np.abs(expected[np.isfinite(expected)])
    scale = max(1.0, finite.max()) if finite.size else 1.0
    np.testing.assert_allclose(actual / scale, expected / scale, **CLOSE[kind])


def apart(x):
    """The same numbers, not next to each other in memory."""
    wide = np.repeat(x, 2, axis=-1) if x.ndim else x
    return wide[..., ::2] if x.ndim else x


def kernels_of(module):
    return [k for k in vars(module).values() if isinstance(k, Kernel) and k.__module__ == module.__name__]


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


# ------------------------------------------------------------------------------------------------------ convolution

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
]


@both
@kinds
@pytest.mark.parametrize("cache_bytes", [conv.CACHE_BYTES, 3000])
@pytest.mark.parametrize("case", CONVOLUTIONS)
def test_convolution_and_its_derivatives(torch, make, monkeypatch, who, kind, cache_bytes, case):
    monkeypatch.setattr(conv, "CACHE_BYTES", cache_bytes)  # a small one cuts an image's rows into pieces
    x_shape, w_shape, *settings = case
    x, w, bias = make(*x_shape), make(*w_shape), make(w_shape[0])
    tx, tw, tb = (torch.from_numpy(a).requires_grad_() for a in (x, w, bias))
    expected = torch.nn.functional.conv2d(tx, tw, tb, *settings)
    g = make(*expected.shape)
    near(conv.conv2d_forward(apart(x), apart(w), bias, *settings), expected, kind)
    near(conv.conv2d_forward(x, w, None, *settings), expected - tb[:, None, None], kind)
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
def test_max_pool(torch, make, who, kind, values, case):
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
def test_max_pool_backward_is_the_transpose_of_gathering(make, who, kind, case):
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
def test_average_pool(torch, make, who, kind, divisor, count_include_pad, case):
    shape, window, stride, padding, _, ceil_mode = case
    settings = (window, stride, padding, ceil_mode, count_include_pad, divisor)
    x = make(*shape)
    tx = torch.from_numpy(x).requires_grad_()
    expected = torch.nn.functional.avg_pool2d(tx, *settings)
    near(pool.avg_pool2d(apart(x), *settings), expected, kind)
    g = make(*expected.shape)
    expected.backward(torch.from_numpy(g))
    near(pool.avg_pool2d_backward(apart(g), shape, *settings), tx.grad, kind)


@both
@kinds
@pytest.mark.parametrize("size", [(1, 1), (3, 2), (5, 9), (7, 12)])
def test_adaptive_pools(torch, make, who, kind, size):
    x = make(2, 3, 7, 9)
    x[0, 1, 2, 3:6] = np.nan
    tx = torch.from_numpy(x).requires_grad_()
    y, indices = pool.adaptive_max_pool2d(apart(x), size)
    expected, places = torch.nn.functional.adaptive_max_pool2d(tx, size, return_indices=True)
    np.testing.assert_array_equal(y, expected.detach().numpy())
    np.testing.assert_array_equal(indices, places.numpy())
    expected = torch.nn.functional.adaptive_avg_pool2d(tx, size)
    near(pool.adaptive_avg_pool2d(apart(x), size), expected, kind)
    g = make(*expected.shape)
    expected.backward(torch.from_numpy(g))
    near(pool.adaptive_avg_pool2d_backward(apart(g), x.shape), tx.grad, kind)


# ---------------------------------------------------------------------------------------------------------- softmax

AXES = [((), 0), ((5,), 0), ((4, 3), 1), ((3, 31), 1), ((3, 33), 1), ((2, 9000), 1), ((700, 3), 0), ((130, 40), 0),
        ((2, 5, 600), 1), ((3, 4, 5), 1), ((2, 3, 4, 20), 2), ((0, 4), 1), ((2, 0), 1), ((4, 1), 1)]  # fmt: skip
EXTREMES = np.array(
    [[np.inf, 1], [-np.inf, -np.inf], [np.nan, 1], [np.inf, np.inf], [-np.inf, 1], [-np.nan, 1], [-np.inf, np.nan],
     [1, np.inf], [np.inf, -np.nan], [1e30, -1e30], [-0.0, 0.0], [100, 99]])  # fmt: skip


@both
@kinds
@pytest.mark.parametrize(("shape", "axis"), AXES)
def test_softmaxes(torch, make, who, kind, shape, axis):
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
def test_softmaxes_of_nan_and_inf(torch, who, kind, width, columns):
    x, axis = np.tile(EXTREMES.astype(kind), (1, width)), 1
    if columns:
        x = np.repeat(x[:, :, None], columns, 2)
    for name in ("softmax", "log_softmax", "logsumexp"):
        near(getattr(softmax, name)(x, axis), getattr(torch, name)(torch.from_numpy(x), axis), kind)


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
def test_losses_of_classes(torch, make, who, kind, reduction, settings, shape):
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


# ---------------------------------------------------------------------------------------------------- normalisation


@both
@kinds
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (70, 5), (3, 4, 7), (140, 2, 3), (3, 4, 9, 10), (2, 3, 40, 41)])
def test_batch_norm(torch, make, who, kind, affine, shape):
    functional, channels, eps = torch.nn.functional, shape[1], 1e-5
    x, mean, var = make(*shape) * 2 + 3, make(channels), np.abs(make(channels)) + np.ones(1, kind)
    weight, bias = (make(channels), make(channels)) if affine else (None, None)
    for training in (True, False):
        tx = torch.from_numpy(x).requires_grad_()
        tw, tb = (None if a is None else torch.from_numpy(a).requires_grad_() for a in (weight, bias))
        statistics = (None, None) if training else (torch.from_numpy(mean), torch.from_numpy(var))
        expected = functional.batch_norm(tx, *statistics, tw, tb, training, eps=eps)
        g = make(*shape)
        expected.backward(torch.from_numpy(g))
        if training:
            y, m, invstd = norm.batch_norm_train(apart(x), weight, bias, eps)
            axes = (0, *range(2, len(shape)))
            near(m, x.mean(axes, dtype="f8"), kind)
            near(invstd, 1 / np.sqrt(x.var(axes, dtype="f8") + eps), kind)
            gradients = norm.batch_norm_backward(apart(g), apart(x), weight, eps, m, invstd)
            for given, again in zip(gradients, norm.batch_norm_backward(g, x, weight, eps), strict=True):
                assert (given is None) == (again is None)
                assert given is None or np.array_equal(given, again)
        else:
            y = norm.batch_norm_eval(apart(x), mean, var, weight, bias, eps)
            gradients = norm.batch_norm_eval_backward(apart(g), apart(x), mean, var, weight, eps)
        near(y, expected, kind)
        near(gradients[0], tx.grad, kind)
        assert (gradients[1] is None) == (not affine)
        if affine:
            near(gradients[1], tw.grad, kind)
            near(gradients[2], tb.grad, kind)


@both
@kinds
@pytest.mark.parametrize("affine", ["both", "weight", "neither"])
@pytest.mark.parametrize(("shape", "dims"), [((4, 3), 1), ((70, 40), 1), ((2, 3, 5, 7), 2), ((3, 3000), 1), ((6,), 1), ((0, 3), 1)])  # fmt: skip
def test_layer_norm(torch, make, who, kind, affine, shape, dims):
    size = shape[len(shape) - dims :]
    x, g = make(*shape) * 2 + 3, make(*shape)
    weight, bias = make(*size) if affine != "neither" else None, make(*size) if affine == "both" else None
    tx = torch.from_numpy(x).requires_grad_()
    tw, tb = (None if a is None else torch.from_numpy(a).requires_grad_() for a in (weight, bias))
    expected = torch.nn.functional.layer_norm(tx, size, tw, tb)
    expected.backward(torch.from_numpy(g))
    near(norm.layer_norm(apart(x), weight, bias, dims, 1e-5), expected, kind)
    dx, dweight, dbias = norm.layer_norm_backward(apart(g), apart(x), weight, dims, 1e-5)
    near(dx, tx.grad, kind)
    near(dbias, g.reshape(-1, *size).sum(0), kind)
    assert (dweight is None) == (weight is None)
    if weight is not None:
        near(dweight, tw.grad, kind)


@both
def test_a_large_mean_costs_no_accuracy(who):
    x = (np.random.default_rng(0).standard_normal((4000, 2)) + 10_000).astype(np.float32)
    exact = (x - x.mean(0, dtype="f8")) / x.std(0, dtype="f8")
    np.testing.assert_allclose(norm.batch_norm_train(x, None, None, 0.0)[0], exact, atol=1e-3)
    rows = np.ascontiguousarray(x.T)
    np.testing.assert_allclose(norm.layer_norm(rows, None, None, 1, 0.0), exact.T, atol=1e-3)


# -------------------------------------------------------------------------------------------------------- optimizers

SGD = [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
       {"momentum": 0.5, "dampening": 0.3, "maximize": True}, {"weight_decay": 0.1}]  # fmt: skip
ADAM = [{}, {"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True, "weight_decay": 0.01}, {"betas": (0.3, 0.9)}]


def follow(torch, optimizer_class, options, make, step):
    """The largest distance, in last places, between a PyTorch optimizer and `step(p, g, number)` over fifty steps."""
    p = make(7, 43)
    if options.get("apart"):
        p = apart(p)
    parameter = torch.nn.Parameter(torch.from_numpy(p.copy()))
    theirs = optimizer_class([parameter], lr=0.01, foreach=False, **options)
    for number in range(1, 51):
        g = make(7, 43)
        parameter.grad = torch.from_numpy(g.copy())
        theirs.step()
        step(p, g, number)
    expected = parameter.detach().numpy()
    return (np.abs(p - expected) / np.spacing(np.abs(expected).max())).max()


@both
@kinds
@pytest.mark.parametrize("options", SGD)
def test_sgd_follows_pytorch(torch, make, who, kind, options):
    buffer = np.zeros((7, 43), kind) if "momentum" in options else None
    names = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False} | options

    def step(p, g, number):
        assert optimizer.sgd_step(p, g, buffer, 0.01, *names.values(), number == 1) is None

    assert follow(torch, torch.optim.SGD, options, make, step) <= 4


@both
@kinds
@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("options", ADAM)
def test_adam_follows_pytorch(torch, make, who, kind, decoupled, options):
    options = {"weight_decay": 0.0} | options
    m, v, top = np.zeros((3, 7, 43), kind)
    top = top if options.get("amsgrad") else None
    betas, decay, maximize = options.get("betas", (0.9, 0.999)), options["weight_decay"], options.get("maximize", False)

    def step(p, g, number):
        optimizer.adam_step(p, g, m, v, top, 0.01, *betas, 1e-8, decay, decoupled, maximize, number)

    assert follow(torch, torch.optim.AdamW if decoupled else torch.optim.Adam, options, make, step) <= 4


@both
@kinds
def test_steps_on_memory_with_gaps(make, who, kind):
    for run in (
        lambda p, g, *state: optimizer.sgd_step(p, g, state[0], 0.1, 0.9, 0.0, 0.1, True, False, False),
        lambda p, g, *state: optimizer.adam_step(p, g, *state, 0.1, 0.9, 0.99, 1e-8, 0.1, False, False, 3),
    ):
        arrays = [np.abs(make(4, 6)) for _ in range(5)]
        gapped = [np.asfortranarray(a) for a in arrays]
        run(*arrays)
        run(*gapped)
        for one, other in zip(arrays, gapped, strict=True):
            near(other, one, kind)


# -------------------------------------------------------------------------------------------------------- reductions

REDUCTIONS = [((), None), ((7,), None), ((5, 9), (0,)), ((3000, 2), (0,)), ((70, 90), (0,)), ((9, 4000), (1,)),
              ((600, 7), (1,)), ((4, 30, 70), (1,)), ((6, 5, 20, 9), (0, 2, 3)), ((6, 5, 20, 9), (1, 3)), ((2, 50_000), None),
              ((0, 3), (0,)), ((3, 0), (0,)), ((40, 40), ()), ((3, 5, 800), (1,))]  # fmt: skip


@both
@kinds
@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize(("shape", "axes"), REDUCTIONS)
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value", "ignore:Degrees of freedom")
def test_reductions_of_any_axes(make, who, kind, keepdims, shape, axes):
    x = np.asarray(make(*shape) + 1, kind)
    for given in (x, apart(x)):
        wide = x.astype("f8") if kind == "float32" else x.astype(np.longdouble)
        near(reduce.sum(given, axes, keepdims), wide.sum(axes, keepdims=keepdims), kind)
        near(reduce.mean(given, axes, keepdims), wide.mean(axes, keepdims=keepdims), kind)
        for correction in (0, 1):
            var, mean = reduce.var_mean(given, axes, correction, keepdims)
            near(var, wide.var(axes, ddof=correction, keepdims=keepdims), kind)
            near(mean, wide.mean(axes, keepdims=keepdims), kind)
            np.testing.assert_array_equal(var, reduce.var(given, axes, correction, keepdims))


@both
@pytest.mark.parametrize("shape", [(3_000_000,), (1_000_000, 3), (3, 1_000_000)])
def test_long_sums_are_as_accurate_as_pairwise_ones(who, shape):
    x = np.random.default_rng(5).random(shape).astype(np.float32)
    total = reduce.sum(x, None, False)
    assert abs(float(total) - math.fsum(x.ravel().tolist())) <= 4 * np.spacing(total)


@both
def test_sums_pass_on_nan_and_inf_and_count_integers(who):
    x = np.ones((40, 80), np.float32)
    x[3, 70], x[5, 2], x[7, 1], x[7, 4] = np.nan, np.inf, np.inf, -np.inf
    sums = reduce.sum(x, (1,), False)
    np.testing.assert_array_equal(sums[[0, 3, 5, 7]], [80, np.nan, np.inf, np.nan])
    total = reduce.sum(np.full((50, 50), 100, np.int8), None, False)
    assert total == 250_000
    assert total.dtype == np.int64


@both
@pytest.mark.parametrize(("shape", "target"), [((3, 4), (3, 4)), ((60, 70), (70,)), ((60, 70), (60, 1)), ((5, 60, 70), (60, 1)),
                                               ((5, 6), ()), ((4, 5, 6), (1, 5, 1)), ((0, 3), (1, 3))])  # fmt: skip
def test_undoing_a_broadcast(who, shape, target):
    x = np.random.default_rng(2).standard_normal(shape)
    axes = tuple(i for i, n in enumerate((1,) * (len(shape) - len(target)) + target) if n == 1)
    expected = x.sum(axes, keepdims=True).reshape(target) if shape != target else x
    near(reduce.sum_to(x, target), expected, "float64")


# ---------------------------------------------------------------------------------------------------------- indexing


@both
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int32"])
@pytest.mark.parametrize(("shape", "count", "dim"), [((5, 4), 3, 0), ((9,), 300, 0), ((6, 40), 200, 0), ((3, 8, 20), 50, 1), ((20, 7), 99, 1)])  # fmt: skip
def test_adding_slices(who, kind, shape, count, dim):
    numbers = np.random.default_rng(4)
    index = numbers.integers(-shape[dim], shape[dim], count)
    source = numbers.integers(-9, 9, (*shape[:dim], count, *shape[dim + 1 :])).astype(kind)
    expected = np.zeros(shape, kind)
    for k, i in enumerate(index):
        expected[(slice(None),) * dim + (i,)] += source[(slice(None),) * dim + (k,)]
    for out in (np.zeros(shape, kind), np.zeros(shape[::-1], kind).T):
        indexing.index_add(out, apart(index), apart(source), dim)
        np.testing.assert_array_equal(out, expected)
    out = np.zeros(shape, kind)
    indexing.scatter_add_rows(np.moveaxis(out, dim, 0), index, np.moveaxis(source, dim, 0))
    np.testing.assert_array_equal(out, expected)


@both
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int32"])
@pytest.mark.parametrize(("shape", "places", "dim"), [((5, 4), (5, 1), 1), ((9,), (30,), 0), ((6, 40), (70, 40), 0), ((3, 8, 20), (3, 50, 20), 1),
                                                      ((), (), 0), ((4, 0), (4, 0), 1)])  # fmt: skip
def test_gather_and_its_transpose(who, kind, shape, places, dim):
    numbers = np.random.default_rng(4)
    index = np.asarray(numbers.integers(0, max(1, shape[dim] if shape else 1), places))
    x, g = (np.asarray(numbers.integers(-9, 9, s)).astype(kind) for s in (shape, places))
    y = indexing.gather(apart(x), apart(index), dim)
    assert y.shape == places
    for at in np.ndindex(*places):
        assert y[at] == x[(*at[:dim], index[at], *at[dim + 1 :]) if at else ()]
    for out in (np.zeros(shape, kind), np.zeros(shape[::-1], kind).T):
        indexing.scatter_add(out, index, apart(g), dim)
        assert (out * x).sum() == (g * y).sum()


@both
@pytest.mark.parametrize("wrong", [5, -6])
def test_an_index_out_of_bounds_changes_nothing(who, wrong):
    x, index = np.zeros((5, 300)), np.zeros((4, 300), np.int64)
    index[2, 1] = wrong
    for call in (
        lambda: indexing.gather(x, index, 0),
        lambda: indexing.scatter_add(x, index, np.ones((4, 300)), 0),
        lambda: indexing.index_add(x, index[:, 1], np.ones((4, 300)), 0),
        lambda: indexing.scatter_add_rows(x, index[:, 1], np.ones((4, 300))),
    ):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for"):
            call()
    if who == "numba":
        assert not x.any()
