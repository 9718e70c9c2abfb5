"""SGD, Adam, AdamW: PyTorch's trajectories, states and prints; written in place and noticed by autograd."""

import copy
import gc
import inspect
import weakref

import numpy as np
import pytest
from optim_run import RTOL, Run, assert_same, case_id, check_layout, check_state_moves, check_trajectory

import minigrad
from minigrad.optim import SGD, Adam, AdamW
from minigrad.serialization import load, save


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


CASES = [
    ("SGD", {}),
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.1, "dampening": 0.5, "maximize": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.5, "weight_decay": 0.1, "nesterov": True, "maximize": True}),
    ("SGD", {"lr": 0.1, "maximize": True}),
    ("SGD", {"lr": lambda lib: lib.tensor(0.1), "momentum": 0.9}),
    ("SGD", {"lr": 1, "momentum": 0.9, "foreach": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "fused": True}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.8)}),
    ("Adam", {"lr": 0.1, "betas": (0.0, 0.0)}),
    ("Adam", {"lr": 0.1, "eps": 0.1}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("Adam", {"lr": 0.1, "maximize": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "amsgrad": True, "maximize": True}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.1, "decoupled_weight_decay": True}),
    ("Adam", {"lr": lambda lib: lib.tensor(0.1)}),
    ("Adam", {"lr": 0.1, "betas": lambda lib: (lib.tensor(0.75), lib.tensor(0.5))}),
    ("Adam", {"lr": 0.1, "foreach": True}),
    ("Adam", {"lr": 0.1, "fused": True}),
    ("AdamW", {}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0, "amsgrad": True}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3, "amsgrad": True, "maximize": True, "betas": (0.8, 0.9)}),
]


cases = pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)


@cases
@pytest.mark.parametrize("dtype", RTOL)
def test_trajectories_are_pytorchs(torch, name, options, dtype):
    check_trajectory(torch, name, options, dtype)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_groups_have_their_own_options(torch, name):
    options = {"lr": 0.1} | ({"momentum": 0.9} if name == "SGD" else {})
    ours, theirs = (Run(lib, name, options, groups=True).steps(10).seen for lib in (minigrad, torch))
    assert_same(ours, theirs, RTOL["float32"])


@cases
def test_state_moves_across_libraries(torch, name, options):
    check_state_moves(torch, name, options)


@cases
def test_state_dict_is_laid_out_as_pytorchs(torch, name, options):
    check_layout(torch, name, options)


def test_state_goes_through_a_file(tmp_path):
    run = Run(minigrad, "AdamW", {"lr": 0.1, "amsgrad": True}).steps(3)
    save(run.optimizer.state_dict(), tmp_path / "o")
    state = load(tmp_path / "o")
    fresh = Run(minigrad, "AdamW", {"lr": 0.1, "amsgrad": True})
    fresh.optimizer.load_state_dict(state)
    assert state["state"].keys() == {0, 1, 2, 3, 4, 5}
    assert state["state"][2]["step"].dtype == minigrad.float32
    assert state["param_groups"][0]["betas"] == (0.9, 0.999)
    for p, q in zip(run.params, fresh.params, strict=True):
        q.data = p.detach().clone()
    fresh.random = copy.deepcopy(run.random)
    fresh.seen = [*run.seen]
    assert_same(run.steps(3).seen, fresh.steps(3).seen, 0)


@pytest.mark.parametrize("options", [{}, {"momentum": 0.9}])
def test_sgd_has_state_only_with_momentum(options):
    run = Run(minigrad, "SGD", options)
    assert run.optimizer.state_dict()["state"] == {}
    run.steps(2)
    assert bool(run.optimizer.state) == bool(options)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
@pytest.mark.parametrize("groups", [False, True])
def test_repr_is_pytorchs(torch, name, groups):
    ours, theirs = (repr(Run(lib, name, {}, groups=groups).optimizer) for lib in (minigrad, torch))
    assert ours == theirs


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_signatures_are_pytorchs(torch, name):
    def parameters(lib):
        found = inspect.signature(getattr(lib.optim, name)).parameters.values()
        return [(p.name, p.kind, p.default) for p in found]

    assert parameters(minigrad) == parameters(torch)


def test_a_rate_tensor_is_read_anew_each_step():
    p = minigrad.zeros(1, requires_grad=True)
    rate = minigrad.tensor(0.5)
    optimizer = SGD([p], lr=rate)
    p.grad = minigrad.ones(1)
    optimizer.step()
    rate.fill_(0.25)
    optimizer.step()
    assert p.item() == -0.75


HALVES = [("SGD", {"lr": 0.1, "momentum": 0.9}), ("SGD", {"lr": 0.1}), ("Adam", {"lr": 0.1, "eps": 1e-3})]


@pytest.mark.parametrize(("name", "options"), HALVES, ids=case_id)
def test_half_precision_is_computed_in_single_and_rounded(name, options):
    half, single = (Run(minigrad, name, options, dtype).steps(1) for dtype in ("float16", "float32"))
    for a, b in zip(half.seen[0], single.seen[0], strict=True):
        assert a.dtype == np.float16
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-3)
    half.steps(5)
    assert all(np.isfinite(p.detach().numpy()).all() for p in half.params)
    for state in half.optimizer.state.values():
        assert {part.dtype for key, part in state.items() if key != "step"} == {minigrad.float16}
        assert "step" not in state or state["step"].dtype == minigrad.float32


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_what_overflows_is_silent(torch, name):
    def run(lib):
        p = lib.ones(3, requires_grad=True)
        p.grad = lib.tensor([float("inf"), float("nan"), 1e30])
        optimizer = getattr(lib.optim, name)([p], lr=1e30)
        optimizer.step()
        optimizer.step()
        return p.detach().numpy()

    np.testing.assert_array_equal(run(minigrad), run(torch))


# ---- memory, versions, graph


def test_steps_write_in_place_and_are_noticed():
    p = minigrad.ones(3, requires_grad=True)
    memory, version = p.detach(), p._version
    loss = (p * p).sum()
    p.grad = minigrad.ones(3)
    Adam([p], lr=0.5).step()
    assert p.is_leaf
    assert p.grad_fn is None
    assert memory.tolist() == p.tolist() != [1, 1, 1]
    assert p._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, momentum=0.9), lambda p: Adam(p, 0.1, amsgrad=True)])
def test_parameters_and_gradients_that_are_not_contiguous(make):
    values, grads = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.float32([[1, -2, 3], [4, 5, -6]])

    def run(turned):
        if turned:
            p = minigrad.tensor(values.T.copy()).t().detach().requires_grad_()
            gradient = minigrad.tensor(grads.T.copy()).t()
            assert not p.is_contiguous()
            assert not gradient.is_contiguous()
        else:
            p, gradient = minigrad.tensor(values.copy()).requires_grad_(), minigrad.tensor(grads.copy())
        optimizer = make([p])
        for _ in range(3):
            p.grad = gradient
            optimizer.step()
        return p.tolist()

    assert run(True) == run(False)


@pytest.mark.parametrize("make", [lambda p: SGD(p, 0.1, momentum=0.9), lambda p: Adam(p, 0.1, amsgrad=True)])
def test_replaced_parameters_of_another_shape(make):
    p = minigrad.ones(2, 3, requires_grad=True)
    p.grad = minigrad.ones(2, 3)
    optimizer = make([p])
    optimizer.step()
    p.data = minigrad.ones(200, 3)
    with pytest.raises(RuntimeError, match=r"shape \[200, 3\], but its gradient has shape \[2, 3\]"):
        optimizer.step()
    p.grad = minigrad.ones(200, 3)
    with pytest.raises(RuntimeError, match=r"shape \[200, 3\], but its .* has shape \[2, 3\].*new optimizer"):
        optimizer.step()


def test_gradients_are_not_touched():
    p = minigrad.ones(3, requires_grad=True)
    for optimizer in (SGD([p], 0.1, 0.9, weight_decay=0.5, maximize=True), AdamW([p], weight_decay=0.5, maximize=True)):
        p.grad = minigrad.tensor([1.0, 2.0, 3.0])
        optimizer.step()
        optimizer.step()
        assert p.grad.tolist() == [1, 2, 3]


def test_the_first_momentum_is_a_copy_of_the_gradient():
    p = minigrad.ones(2, requires_grad=True)
    p.grad = minigrad.ones(2)
    optimizer = SGD([p], 0.1, 0.9)
    optimizer.step()
    p.grad.fill_(7)
    assert optimizer.state[p]["momentum_buffer"].tolist() == [1, 1]


def test_an_optimizer_is_freed_without_the_garbage_collector():
    gc.disable()
    try:
        p = minigrad.ones(2, requires_grad=True)
        optimizer = Adam([p])
        p.grad = minigrad.ones(2)
        optimizer.step()
        optimizer.state_dict()
        dead = weakref.ref(optimizer)
        del optimizer
        assert dead() is None
    finally:
        gc.enable()


def test_training_with_a_real_graph(torch):
    def losses(lib):
        x = lib.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        y = lib.tensor([[0.0], [1.0], [1.0], [0.0]])
        w1 = lib.tensor([[0.5, -0.4, 0.3], [-0.2, 0.6, 0.8]], requires_grad=True)
        w2 = lib.tensor([[0.3], [-0.7], [0.9]], requires_grad=True)
        optimizer = lib.optim.Adam([w1, w2], lr=0.05)
        seen = []
        for _ in range(30):
            optimizer.zero_grad()
            loss = (((x @ w1).tanh() @ w2 - y) ** 2).mean()
            loss.backward()
            optimizer.step()
            seen.append(loss.item())
        return seen

    np.testing.assert_allclose(losses(minigrad), losses(torch), rtol=1e-5)
