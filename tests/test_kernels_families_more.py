"""The kernel families, second half: normalisation, optimizers, reductions, indexing."""

import contextlib
import math

import numpy as np
import pytest
from kernel_checks import apart, both, kinds, maker, near

from minigrad.kernels import indexing, norm, optimizer, reduce, rownorm
from minigrad.kernels.dispatch import backend


@pytest.fixture(autouse=True)
def chosen_backend(request):
    """Run the test on the backend it names."""
    who = getattr(request.node, "callspec", None) and request.node.callspec.params.get("who")
    with backend(who) if who else contextlib.nullcontext():
        yield


# ---------------------------------------------------------------------------------------------------- normalisation


@both
@kinds
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("shape", [(4, 3), (70, 5), (3, 4, 7), (140, 2, 3), (3, 4, 9, 10), (2, 3, 40, 41)])
def test_batch_norm(who, kind, affine, shape):
    torch = pytest.importorskip("torch")
    make = maker(kind)
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
@pytest.mark.parametrize(
    ("shape", "dims"), [((4, 3), 1), ((70, 40), 1), ((2, 3, 5, 7), 2), ((3, 3000), 1), ((6,), 1), ((0, 3), 1)]
)
def test_layer_norm(who, kind, affine, shape, dims):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    size = shape[len(shape) - dims :]
    x, g = make(*shape) * 2 + 3, make(*shape)
    weight, bias = make(*size) if affine != "neither" else None, make(*size) if affine == "both" else None
    tx = torch.from_numpy(x).requires_grad_()
    tw, tb = (None if a is None else torch.from_numpy(a).requires_grad_() for a in (weight, bias))
    expected = torch.nn.functional.layer_norm(tx, size, tw, tb)
    expected.backward(torch.from_numpy(g))
    near(rownorm.layer_norm(apart(x), weight, bias, dims, 1e-5), expected, kind)
    dx, dweight, dbias = rownorm.layer_norm_backward(apart(g), apart(x), weight, dims, 1e-5)
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
    np.testing.assert_allclose(rownorm.layer_norm(rows, None, None, 1, 0.0), exact.T, atol=1e-3)


# -------------------------------------------------------------------------------------------------------- optimizers

SGD = [{}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
       {"momentum": 0.5, "dampening": 0.3, "maximize": True}, {"weight_decay": 0.1}]  # fmt: skip
ADAM = [{}, {"weight_decay": 0.1}, {"amsgrad": True}, {"maximize": True, "weight_decay": 0.01}, {"betas": (0.3, 0.9)}]


def follow(torch, optimizer_class, options, make, step):
    """The largest distance, in last places, between a PyTorch optimizer and `step(p, g, number)` over fifty steps."""
    p = make(7, 43)
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
def test_sgd_follows_pytorch(who, kind, options):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    buffer = np.zeros((7, 43), kind) if "momentum" in options else None
    names = {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0, "nesterov": False, "maximize": False} | options

    def step(p, g, number):
        assert optimizer.sgd_step(p, g, buffer, 0.01, *names.values(), number == 1) is None

    assert follow(torch, torch.optim.SGD, options, make, step) <= 4


@both
@kinds
@pytest.mark.parametrize("decoupled", [True, False])
@pytest.mark.parametrize("options", ADAM)
def test_adam_follows_pytorch(who, kind, decoupled, options):
    torch = pytest.importorskip("torch")
    make = maker(kind)
    options = {"weight_decay": 0.0} | options
    m, v, top = np.zeros((3, 7, 43), kind)
    top = top if options.get("amsgrad") else None
    betas, decay, maximize = options.get("betas", (0.9, 0.999)), options["weight_decay"], options.get("maximize", False)

    def step(p, g, number):
        optimizer.adam_step(p, g, m, v, top, 0.01, *betas, 1e-8, decay, decoupled, maximize, number)

    assert follow(torch, torch.optim.AdamW if decoupled else torch.optim.Adam, options, make, step) <= 4


@both
@kinds
def test_steps_on_memory_with_gaps(who, kind):
    make = maker(kind)
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
              ((600, 7), (1,)), ((4, 30, 70), (1,)), ((6, 5, 20, 9), (0, 2, 3)), ((6, 5, 20, 9), (1, 3)),
              ((2, 50_000), None), ((0, 3), (0,)), ((3, 0), (0,)), ((40, 40), ()), ((3, 5, 800), (1,))]  # fmt: skip


@both
@kinds
@pytest.mark.parametrize("keepdims", [True, False])
@pytest.mark.parametrize(("shape", "axes"), REDUCTIONS)
@pytest.mark.filterwarnings("ignore:Mean of empty slice", "ignore:invalid value", "ignore:Degrees of freedom")
def test_reductions_of_any_axes(who, kind, keepdims, shape, axes):
    make = maker(kind)
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


@pytest.mark.parametrize("shape", [(3_000_000,), (1_000_000, 3), (3, 1_000_000)])
def test_long_sums_are_as_accurate_as_pairwise_ones(shape):
    x = np.random.default_rng(5).random(shape).astype(np.float32)
    with backend("numba"):  # how accurate the twin is, is NumPy's affair, and differs between its versions
        total = reduce.sum(x, None, False)
    assert abs(float(total) - math.fsum(x.ravel().tolist())) <= 4 * np.spacing(total)


@both
@pytest.mark.filterwarnings("ignore:invalid value")
def test_sums_pass_on_nan_and_inf_and_count_integers(who):
    x = np.ones((40, 80), np.float32)
    x[3, 70], x[5, 2], x[7, 1], x[7, 4] = np.nan, np.inf, np.inf, -np.inf
    sums = reduce.sum(x, (1,), False)
    np.testing.assert_array_equal(sums[[0, 3, 5, 7]], [80, np.nan, np.inf, np.nan])
    total = reduce.sum(np.full((50, 50), 100, np.int8), None, False)
    assert total == 250_000
    assert total.dtype == np.int64


@both
@pytest.mark.parametrize(
    ("shape", "target"),
    [((3, 4), (3, 4)), ((60, 70), (70,)), ((60, 70), (60, 1)), ((5, 60, 70), (60, 1)), ((5, 6), ()),
     ((4, 5, 6), (1, 5, 1)), ((0, 3), (1, 3))],
)  # fmt: skip
def test_undoing_a_broadcast(who, shape, target):
    x = np.random.default_rng(2).standard_normal(shape)
    axes = tuple(i for i, n in enumerate((1,) * (len(shape) - len(target)) + target) if n == 1)
    expected = x.sum(axes, keepdims=True).reshape(target) if shape != target else x
    near(reduce.sum_to(x, target), expected, "float64")


# ---------------------------------------------------------------------------------------------------------- indexing


@both
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "int32"])
@pytest.mark.parametrize(
    ("shape", "count", "dim"), [((5, 4), 3, 0), ((9,), 300, 0), ((6, 40), 200, 0), ((3, 8, 20), 50, 1), ((20, 7), 9, 1)]
)
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
@pytest.mark.parametrize(
    ("shape", "places", "dim"),
    [((5, 4), (5, 1), 1), ((9,), (30,), 0), ((6, 40), (70, 40), 0), ((3, 8, 20), (3, 50, 20), 1), ((1,), (1,), 0),
     ((4, 0), (4, 0), 1), ((0, 3), (0, 2), 1), ((70, 90), (70, 80), 1)],
)  # fmt: skip
def test_gather_and_its_transpose(who, kind, shape, places, dim):
    numbers = np.random.default_rng(4)
    index = np.asarray(numbers.integers(0, max(1, shape[dim] if shape else 1), places))
    x, g = (np.asarray(numbers.integers(-9, 9, s)).astype(kind) for s in (shape, places))
    y = indexing.gather(apart(x), apart(index), dim, False)
    assert y.shape == places
    np.testing.assert_array_equal(indexing.gather(x, index - x.shape[dim], dim, True), y)
    for at in np.ndindex(*places):
        assert y[at] == x[(*at[:dim], index[at], *at[dim + 1 :]) if at else ()]
    for out in (np.zeros(shape, kind), np.zeros(shape[::-1], kind).T):
        indexing.scatter_add(out, index, apart(g), dim, False)
        assert (out * x).sum() == (g * y).sum()


@both
@pytest.mark.parametrize("kind", ["float32", "float64", "int64", "bool"])
@pytest.mark.parametrize(
    ("shape", "dim"), [((5, 4), 0), ((5, 4), 1), ((9,), 0), ((3, 8, 20), 1), ((2, 3, 1), 1), ((0, 3), 1)]
)
def test_taking_slices(who, kind, shape, dim):
    x = np.arange(math.prod(shape)).reshape(shape).astype(kind)
    for index in (np.array([2, 0, 2]), np.array([[1], [-1]]), np.empty(0, np.int64), np.array([1], np.int32)):
        expected = np.take(x, index, dim)
        for given in (x, apart(x)):
            y = indexing.take(given, apart(index), dim, True)
            np.testing.assert_array_equal(y, expected)
            assert y.dtype == x.dtype
    if x.size:
        with pytest.raises(IndexError, match="index -1 is out of bounds"):
            indexing.take(x, np.array([0, -1]), dim, False)


@both
@pytest.mark.parametrize("wrong", [5, -6, 2**63 - 1, -(2**63)])
def test_an_index_out_of_bounds_changes_nothing(who, wrong):
    x, index = np.zeros((5, 300)), np.zeros((4, 300), np.int64)
    index[2, 1] = wrong
    for call in (
        lambda: indexing.gather(x, index, 0, True),
        lambda: indexing.take(x, index, 0, True),
        lambda: indexing.scatter_add(x, index, np.ones((4, 300)), 0, True),
        lambda: indexing.index_add(x, index[:, 1], np.ones((4, 300)), 0),
        lambda: indexing.scatter_add_rows(x, index[:, 1], np.ones((4, 300))),
    ):
        with pytest.raises(IndexError, match=f"index {wrong} is out of bounds for"):
            call()
    if who == "numba":
        assert not x.any()
