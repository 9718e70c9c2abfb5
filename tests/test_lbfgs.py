"""L-BFGS against PyTorch's: the same steps, the same number of looks at the loss, states that move."""

import copy

import numpy as np
import pytest
from optim_run import to_torch

import minigrad
from minigrad.optim import LBFGS
from minigrad.optim.line_search import cubic_minimum


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


START = (-1.2, 1.0, 0.5, -0.7)


def rosenbrock(lib, dtype):
    """The parameters and the loss of Rosenbrock's valley, in four dimensions."""
    x = lib.tensor(list(START), dtype=getattr(lib, dtype), requires_grad=True)
    return [x], lambda: (100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2).sum()


def network(lib, dtype):
    """Those of a small network; the second layer has no bias, a third parameter is not used and has no gradient."""
    lib.manual_seed(0)
    nn, dtype = lib.nn, getattr(lib, dtype)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1, bias=False)).to(dtype)
    x = lib.tensor(np.random.default_rng(0).normal(size=(64, 3)).tolist(), dtype=dtype)
    y = x[:, :1] * x[:, 1:2] + x[:, 2:]
    unused = lib.ones(3, dtype=dtype, requires_grad=True)
    return [*net.parameters(), unused], lambda: ((net(x) - y) ** 2).mean()


def run(lib, objective, options, count=20, dtype="float64", state=None, values=None):
    """What `step` returned and how often it looked, for each step; the values after; the optimizer."""
    params, loss_of = objective(lib, dtype)
    optimizer = lib.optim.LBFGS(params, **options)
    if values is not None:
        for p, value in zip(params, values, strict=True):
            p.data = lib.tensor(value.tolist(), dtype=p.dtype)
        optimizer.load_state_dict(state)

    def closure():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        return loss

    seen = []
    for _ in range(count):
        loss = optimizer.step(closure).item()
        kept = optimizer.state[params[0]]
        seen.append((loss, kept["func_evals"], kept["n_iter"]))
    return seen, [p.detach().numpy().copy() for p in params], optimizer


WOLFE = {"line_search_fn": "strong_wolfe"}
CASES = [
    (rosenbrock, {}),
    (rosenbrock, {"lr": 0.1}),
    (rosenbrock, {"lr": 1e-3, "max_iter": 4}),
    (rosenbrock, {"lr": lambda lib: lib.tensor(0.5)}),
    (rosenbrock, WOLFE),
    (rosenbrock, {**WOLFE, "lr": 0.5, "max_iter": 3, "history_size": 2}),
    (rosenbrock, {**WOLFE, "max_eval": 7, "tolerance_grad": 1e-3, "tolerance_change": 1e-4}),
    (rosenbrock, {**WOLFE, "lr": 30.0, "max_iter": 2}),
    (rosenbrock, {**WOLFE, "max_iter": 1}),
    (network, {"lr": 0.1, "max_iter": 5}),
    (network, {"max_iter": 5, "history_size": 3}),
    (network, {**WOLFE, "max_iter": 5}),
    (network, {**WOLFE, "lr": 0.5, "max_iter": 3, "history_size": 2}),
    (network, {**WOLFE, "max_eval": 7, "tolerance_grad": 1e-3, "tolerance_change": 1e-4}),
]


def given(lib, options):
    return {name: value(lib) if callable(value) else value for name, value in options.items()}


def case_id(value):
    return getattr(value, "__name__", None) or ",".join(value)


@pytest.mark.parametrize(("objective", "options"), CASES, ids=case_id)
def test_it_goes_pytorchs_way(torch, objective, options):
    (ours, p, one), (theirs, q, other) = (run(lib, objective, given(lib, options)) for lib in (minigrad, torch))
    # Up to a hundred steps, each of which may make a difference a little larger.
    np.testing.assert_allclose([loss for loss, *_ in ours], [loss for loss, *_ in theirs], rtol=1e-4, atol=1e-14)
    np.testing.assert_allclose([loss for loss, *_ in ours[:5]], [loss for loss, *_ in theirs[:5]], rtol=1e-9)
    for a, b in zip(p, q, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5)
    assert [looks for _, *looks in ours] == [looks for _, *looks in theirs]
    states = [optimizer.state[optimizer.param_groups[0]["params"][0]] for optimizer in (one, other)]
    assert [*states[0]] == [*states[1]]
    for name, value in states[0].items():
        if name != "t":  # a float, or what `lr` was
            assert type(value).__name__ == type(states[1][name]).__name__


@pytest.mark.parametrize(("objective", "options"), CASES, ids=case_id)
def test_single_precision_gets_there(torch, objective, options):
    """The way may part for a rounding; the first steps agree, and the end is as good."""
    (ours, *_), (theirs, *_) = (run(lib, objective, given(lib, options), dtype="float32") for lib in (minigrad, torch))
    np.testing.assert_allclose([loss for loss, *_ in ours[:2]], [loss for loss, *_ in theirs[:2]], rtol=1e-3)
    assert ours[-1][0] <= 1.2 * theirs[-1][0] + 1e-4


@pytest.mark.parametrize("options", [{"lr": 0.1, "max_iter": 4}, {**WOLFE, "max_iter": 3, "history_size": 4}], ids=str)
def test_state_moves_across_libraries(torch, options):
    whole, end, _ = run(torch, network, options, 8)
    for first, second in ((torch, minigrad), (minigrad, torch), (minigrad, minigrad)):
        _, values, optimizer = run(first, network, options, 4)
        state = optimizer.state_dict()
        if second is torch:
            state = to_torch(torch, state)
        seen, values, _ = run(second, network, options, 4, state=state, values=values)
        np.testing.assert_allclose([loss for loss, *_ in seen], [loss for loss, *_ in whole[4:]], rtol=1e-7)
        assert [looks for _, *looks in seen] == [looks for _, *looks in whole[4:]]
        for a, b in zip(values, end, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


def test_copies_go_on_alike():
    _, _, optimizer = run(minigrad, rosenbrock, {"lr": 0.01, "max_iter": 3}, 2)
    twin = copy.deepcopy(optimizer)

    def go_on(optimizer):
        x = optimizer.param_groups[0]["params"][0]

        def closure():
            optimizer.zero_grad()
            loss = ((x - 1) ** 4).sum()
            loss.backward()
            return loss

        optimizer.step(closure)
        return x.tolist()

    assert go_on(optimizer) == go_on(twin)


def test_it_stops_where_it_starts(torch):
    for lib in (minigrad, torch):
        x = lib.zeros(2, requires_grad=True)
        optimizer = lib.optim.LBFGS([x])

        def closure(x=x, optimizer=optimizer):
            optimizer.zero_grad()
            loss = (x * x).sum()
            loss.backward()
            return loss

        assert optimizer.step(closure).item() == 0
        assert dict(optimizer.state[x]) == {"func_evals": 1, "n_iter": 0}


def test_closures_record_also_under_no_grad():
    x = minigrad.tensor([3.0], requires_grad=True)
    optimizer = LBFGS([x])

    def closure():
        assert minigrad.is_grad_enabled()
        optimizer.zero_grad()
        loss = ((x - 1) ** 2).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        optimizer.step(closure)
    assert x.item() == pytest.approx(1, abs=1e-5)


def test_errors_are_pytorchs(torch):
    for lib in (minigrad, torch):
        a, b = lib.ones(1, requires_grad=True), lib.ones(1, requires_grad=True)
        with pytest.raises(ValueError, match="doesn't support per-parameter options"):
            lib.optim.LBFGS([{"params": [a]}, {"params": [b]}])
        with pytest.raises(ValueError, match="Invalid learning rate: -1"):
            lib.optim.LBFGS([a], lr=-1)
        with pytest.raises(TypeError, match="closure"):
            lib.optim.LBFGS([a]).step()

        def closure(a=a):
            a.grad = None
            loss = (a * a).sum()
            loss.backward()
            return loss

        optimizer = lib.optim.LBFGS([a], line_search_fn="armijo")
        with pytest.raises(RuntimeError, match="only 'strong_wolfe' is supported"):
            optimizer.step(closure)


def test_a_cubic_has_its_minimum():
    """x³ - 3x has it at 1; where there is none, the middle is taken."""
    value, slope = lambda x: x**3 - 3 * x, lambda x: 3 * x**2 - 3
    for a, b in ((0.0, 3.0), (3.0, 0.0)):
        found = cubic_minimum(a, value(a), slope(a), b, value(b), slope(b))
        assert found == pytest.approx(1.0)
    assert cubic_minimum(0.0, 0.0, 1.0, 2.0, 4 / 3, 1.0) == 1.0
    assert cubic_minimum(0.0, 0.0, -3.0, 3.0, 18.0, 24.0, (2.0, 4.0)) == 2.0
