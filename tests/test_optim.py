"""SGD, Adam, AdamW: PyTorch's trajectories, states, prints and errors; and what the base class does for all."""

import copy
import gc
import inspect
import pickle
import weakref

import numpy as np
import pytest

import minigrad
from minigrad import optim
from minigrad.optim import SGD, Adam, AdamW, Optimizer
from minigrad.optim.optimizer import required
from minigrad.serialization import load, save


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


SHAPES = [(3, 4), (5,), (), (2, 3, 2), (0, 3), (257,)]


class Run:
    """An optimizer of either library over the same parameters, with the same gradients drawn for each step."""

    def __init__(self, lib, name, options, dtype="float32", groups=False):
        self.lib, self.dtype = lib, getattr(lib, dtype)
        self.random = np.random.default_rng(1)
        self.params = [self.tensor(self.random.normal(size=shape)).requires_grad_() for shape in SHAPES]
        options = {key: make(lib) if callable(make) else make for key, make in options.items()}
        params = self.params
        if groups:
            params = [{"params": params[:2], "lr": 0.003}, {"params": params[2:], "weight_decay": 0.2}]
        self.optimizer = getattr(lib.optim, name)(params, **options)
        self.seen = []

    def tensor(self, array):
        return self.lib.tensor(np.asarray(array).tolist(), dtype=self.dtype).reshape(np.shape(array))

    def steps(self, count):
        for _ in range(count):
            for i, p in enumerate(self.params):
                grad = self.random.normal(size=p.shape) * 10.0 ** self.random.integers(-4, 2)
                skipped = i == 1 and len(self.seen) % 3 == 1  # a parameter that sometimes gets no gradient
                p.grad = None if skipped else self.tensor(grad)
            self.optimizer.step()
            self.seen.append([p.detach().numpy().copy() for p in self.params])
        return self


def assert_same(ours, theirs, rtol):
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True)):
        for x, y in zip(a, b, strict=True):
            np.testing.assert_allclose(x, y, rtol=rtol, atol=rtol, err_msg=f"step {step}")


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
# Sums of a dozen float32 roundings, in another order where PyTorch's compiler fuses or splits them.
RTOL = {"float32": 3e-6, "float64": 1e-13}


def case_id(value):
    if isinstance(value, str):
        return value
    return ",".join(f"{name}={'tensor' if callable(option) else option}" for name, option in value.items())


cases = pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)


@cases
@pytest.mark.parametrize("dtype", RTOL)
def test_trajectories_are_pytorchs(torch, name, options, dtype):
    ours, theirs = (Run(lib, name, options, dtype).steps(15).seen for lib in (minigrad, torch))
    has_float32_option = any(callable(value) for value in options.values())
    assert_same(ours, theirs, RTOL["float32" if has_float32_option else dtype])


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_groups_have_their_own_options(torch, name):
    options = {"lr": 0.1} | ({"momentum": 0.9} if name == "SGD" else {})
    ours, theirs = (Run(lib, name, options, groups=True).steps(10).seen for lib in (minigrad, torch))
    assert_same(ours, theirs, RTOL["float32"])


def to_torch(torch, state):
    """A minigrad state_dict with torch's tensors."""
    if isinstance(state, minigrad.Tensor):
        return torch.from_numpy(np.array(state.numpy()))
    if isinstance(state, dict):
        return {key: to_torch(torch, value) for key, value in state.items()}
    return [to_torch(torch, value) for value in state] if isinstance(state, list) else state


@cases
def test_state_moves_across_libraries(torch, name, options):
    """Five steps here, five there, against ten in PyTorch; both ways."""
    whole = Run(torch, name, options).steps(10)

    def begin_in(lib):
        return Run(lib, name, options).steps(5)

    def go_on(first, lib, state):
        second = Run(lib, name, options)
        for ours, theirs in zip(second.params, first.seen[-1], strict=True):
            ours.data = second.tensor(theirs)
        second.random, second.seen = first.random, list(first.seen)
        second.optimizer.load_state_dict(state)
        return second.steps(5)

    there = begin_in(torch)
    assert_same(go_on(there, minigrad, there.optimizer.state_dict()).seen, whole.seen, RTOL["float32"])
    here = begin_in(minigrad)
    assert_same(go_on(here, torch, to_torch(torch, here.optimizer.state_dict())).seen, whole.seen, RTOL["float32"])
    here = begin_in(minigrad)
    assert_same(go_on(here, minigrad, here.optimizer.state_dict()).seen, whole.seen, RTOL["float32"])


def layout(state):
    """A state_dict without its numbers: keys in order, dtypes, shapes, types."""
    if hasattr(state, "shape"):
        return str(state.dtype), tuple(state.shape)
    if isinstance(state, dict):
        return {key: layout(value) for key, value in state.items()}
    if isinstance(state, list):
        return [layout(value) for value in state]
    return type(state).__name__, state


@cases
def test_state_dict_is_laid_out_as_pytorchs(torch, name, options):
    states = [Run(lib, name, options).steps(1).optimizer.state_dict() for lib in (minigrad, torch)]
    for state in states:
        for group in state["param_groups"]:
            group["lr"] = float(group["lr"])
            group["betas"] = [float(beta) for beta in group.get("betas", ())]
    assert layout(states[0]) == layout(states[1])
    assert [*states[0]["param_groups"][0]] == [*states[1]["param_groups"][0]]


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


# ---- zero_grad, closures, hooks


def test_zero_grad():
    p, frozen = minigrad.ones(2, requires_grad=True), minigrad.ones(2)
    optimizer = SGD([p, frozen])
    p.grad = held = minigrad.ones(2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad is held
    assert held.tolist() == [0, 0]
    p.grad, frozen.grad = minigrad.ones(2), minigrad.ones(2)
    optimizer.zero_grad()
    assert p.grad is None
    assert frozen.grad is None
    p.grad = (minigrad.ones(2, requires_grad=True) * 2)
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.grad_fn is None
    assert not p.grad.requires_grad


def test_closures_record_and_their_loss_is_returned():
    p = minigrad.tensor([2.0], requires_grad=True)
    optimizer = SGD([p], lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = (p * p).sum()
        loss.backward()
        return loss

    with minigrad.no_grad():
        loss = optimizer.step(closure)
    assert loss.item() == 4
    assert p.item() == 1
    assert optimizer.step() is None


def test_step_hooks():
    p = minigrad.tensor([1.0], requires_grad=True)
    p.grad = minigrad.ones(1)
    optimizer = SGD([p], lr=0.5)
    log = []
    before = optimizer.register_step_pre_hook(lambda *given: log.append(("before", p.item(), *given)))
    after = optimizer.register_step_post_hook(lambda *given: log.append(("after", p.item(), *given)))
    optimizer.step()
    assert log == [("before", 1.0, optimizer, (optimizer,), {}), ("after", 0.5, optimizer, (optimizer,), {})]
    before.remove()
    after.remove()
    optimizer.step()
    assert len(log) == 2


def test_pre_hooks_may_change_the_arguments():
    optimizer = SGD([minigrad.ones(1, requires_grad=True)])
    handle = optimizer.register_step_pre_hook(lambda opt, args, kwargs: ((opt,), {"closure": lambda: 5}))
    assert optimizer.step() == 5
    handle.remove()
    optimizer.register_step_pre_hook(lambda opt, args, kwargs: 3)
    with pytest.raises(RuntimeError, match="tuple of \\(new_args, new_kwargs\\)"):
        optimizer.step()


def test_hooks_run_once_where_step_calls_its_parents():
    class Twice(SGD):
        def step(self, closure=None):
            super().step()
            return super().step(closure)

    p = minigrad.tensor([1.0], requires_grad=True)
    p.grad = minigrad.ones(1)
    optimizer = Twice([p], lr=0.25)
    log = []
    optimizer.register_step_post_hook(lambda *given: log.append(p.item()))
    optimizer.step()
    assert log == [0.5]


def test_hooks_around_saving_and_loading():
    optimizer = SGD([minigrad.ones(1, requires_grad=True)], lr=0.5)
    log = []
    optimizer.register_state_dict_pre_hook(lambda opt: log.append("save"))
    optimizer.register_state_dict_pre_hook(lambda opt: log.append("save first"), prepend=True)
    optimizer.register_state_dict_post_hook(lambda opt, state: {**state, "extra": 1})
    state = optimizer.state_dict()
    assert log == ["save first", "save"]
    assert state["extra"] == 1

    def faster(opt, state):
        return {**state, "param_groups": [{**state["param_groups"][0], "lr": 2.0}]}

    optimizer.register_load_state_dict_pre_hook(faster)
    optimizer.register_load_state_dict_post_hook(lambda opt: log.append(opt.param_groups[0]["lr"]))
    optimizer.load_state_dict(state)
    assert log[-1] == 2.0
    assert state["param_groups"][0]["lr"] == 0.5


# ---- groups


def test_groups_and_names():
    a, b, c = (minigrad.ones(1, requires_grad=True) for _ in range(3))
    optimizer = SGD([("a", a), ("b", b)], lr=0.1)
    assert optimizer.param_groups[0]["param_names"] == ["a", "b"]
    optimizer.add_param_group({"params": [("c", c)], "lr": 0.2})
    state = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0, 1], [2]]
    assert [group["param_names"] for group in state["param_groups"]] == [["a", "b"], ["c"]]
    for group in state["param_groups"]:
        del group["param_names"]
    optimizer.load_state_dict(state)
    assert optimizer.param_groups[1]["param_names"] == ["c"]


def test_one_tensor_or_a_generator_in_a_group():
    a, b = minigrad.ones(1, requires_grad=True), minigrad.ones(1, requires_grad=True)
    optimizer = SGD([{"params": a}, {"params": (p for p in [b])}])
    assert [group["params"] for group in optimizer.param_groups] == [[a], [b]]
    assert SGD(p for p in [a, b]).param_groups[0]["params"] == [a, b]


def leaf(lib):
    return lib.ones(1, requires_grad=True)


GROUP_ERRORS = [
    (lambda lib: lib.optim.SGD([]), ValueError, "optimizer got an empty parameter list"),
    (lambda lib: lib.optim.SGD(iter(())), ValueError, "optimizer got an empty parameter list"),
    (lambda lib: lib.optim.SGD(leaf(lib)), TypeError, "params argument given to the optimizer should be"),
    (lambda lib: lib.optim.SGD([1]), TypeError, "optimizer can only optimize Tensors, but one of the params is"),
    (lambda lib: lib.optim.SGD([{"params": {leaf(lib)}}]), TypeError, "ordered collections"),
    (lambda lib: lib.optim.SGD([leaf(lib) * 2]), ValueError, "can't optimize a non-leaf Tensor"),
    (lambda lib: lib.optim.SGD([leaf(lib)]).add_param_group([]), TypeError, "param_group must be a dict"),
    (lambda lib: lib.optim.SGD([("a", leaf(lib)), leaf(lib)]), ValueError, "Some param names are missing"),
    (
        lambda lib: lib.optim.SGD([("a", leaf(lib))]).add_param_group({"params": leaf(lib)}),
        ValueError,
        "cannot add param group without names",
    ),
    (
        lambda lib: (p := leaf(lib)) is not None and lib.optim.SGD([{"params": p}, {"params": [p]}]),
        ValueError,
        "some parameters appear in more than one parameter group",
    ),
]


@pytest.mark.parametrize(("make", "kind", "says"), GROUP_ERRORS, ids=[says for *_, says in GROUP_ERRORS])
def test_errors_about_groups_are_pytorchs(torch, make, kind, says):
    for lib in (minigrad, torch):
        with pytest.raises(kind, match=says):
            make(lib)


def test_a_refused_group_leaves_no_trace():
    p = minigrad.ones(1, requires_grad=True)
    optimizer = SGD([p])
    for bad in ({"params": [p]}, {"params": [p * 2]}, {"params": [minigrad.ones(1)], "differentiable": True}):
        with pytest.raises((ValueError, NotImplementedError)):
            optimizer.add_param_group(bad)
    assert len(optimizer.param_groups) == 1


def test_duplicates_warn():
    p = minigrad.ones(1, requires_grad=True)
    with pytest.warns(UserWarning, match="duplicate parameters"):
        SGD([p, p])


def test_retained_intermediates_may_be_optimized():
    inner = minigrad.ones(1, requires_grad=True) * 2
    inner.retain_grad()
    optimizer = SGD([inner], lr=0.5)
    (inner * 3).sum().backward()
    assert inner.grad.tolist() == [3]
    optimizer.zero_grad()
    assert inner.grad is None


# ---- options

OPTION_ERRORS = [
    ("SGD", {"lr": -1}, "Invalid learning rate: -1"),
    ("SGD", {"momentum": -0.5}, "Invalid momentum value: -0.5"),
    ("SGD", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
    ("SGD", {"nesterov": True}, "Nesterov momentum requires a momentum and zero dampening"),
    ("SGD", {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "Nesterov momentum requires"),
    ("SGD", {"lr": lambda lib: lib.ones(2)}, "Tensor lr must be 1-element"),
    ("Adam", {"lr": -1}, "Invalid learning rate: -1"),
    ("Adam", {"eps": -1}, "Invalid epsilon value: -1"),
    ("Adam", {"betas": (1.0, 0.5)}, "Invalid beta parameter at index 0: 1.0"),
    ("Adam", {"betas": (0.5, -0.5)}, "Invalid beta parameter at index 1: -0.5"),
    ("Adam", {"betas": (0, 0.5)}, "betas must be either both floats or both Tensors"),
    ("Adam", {"weight_decay": -1}, "Invalid weight_decay value: -1"),
    ("Adam", {"lr": lambda lib: lib.ones(2)}, "Tensor lr must be 1-element"),
    ("Adam", {"lr": lambda lib: lib.ones(1), "foreach": True}, "lr as a Tensor is not supported"),
    ("AdamW", {"lr": float("nan")}, "Invalid learning rate: nan"),
    ("AdamW", {"weight_decay": -0.1}, "Invalid weight_decay value: -0.1"),
]


@pytest.mark.parametrize(("name", "options", "says"), OPTION_ERRORS, ids=case_id)
def test_errors_about_options_are_pytorchs(torch, name, options, says):
    for lib in (minigrad, torch):
        given = {key: make(lib) if callable(make) else make for key, make in options.items()}
        with pytest.raises(ValueError, match=says):
            getattr(lib.optim, name)([leaf(lib)], **given)


@pytest.mark.parametrize("name", ["SGD", "Adam", "AdamW"])
def test_ways_to_run(torch, name):
    for lib in (minigrad, torch):
        for options in ({"fused": True, "foreach": True}, {"fused": True, "differentiable": True}):
            with pytest.raises(RuntimeError, match="`fused`"):
                getattr(lib.optim, name)([leaf(lib)], **options)
    make = getattr(optim, name)
    with pytest.raises(NotImplementedError, match=r"differentiable=True.*create_graph=True"):
        make([leaf(minigrad)], differentiable=True)
    with pytest.raises(NotImplementedError, match="differentiable"):
        make([{"params": [leaf(minigrad)], "differentiable": True}])


# ---- loading


def test_loading_copies():
    run = Run(minigrad, "Adam", {"lr": 0.1}).steps(2)
    state = run.optimizer.state_dict()
    fresh = Run(minigrad, "Adam", {"lr": 0.1})
    fresh.optimizer.load_state_dict(state)
    before = state["state"][0]["exp_avg"].tolist()
    fresh.steps(1)
    fresh.optimizer.param_groups[0]["lr"] = 5
    assert state["state"][0]["exp_avg"].tolist() == before
    assert state["state"][0]["step"].item() == 2
    assert state["param_groups"][0]["lr"] == 0.1


def test_loading_casts_to_the_parameter_but_not_the_step():
    state = Run(minigrad, "Adam", {}, "float64").steps(1).optimizer.state_dict()
    fresh = Run(minigrad, "Adam", {})
    fresh.optimizer.load_state_dict(state)
    loaded = fresh.optimizer.state[fresh.params[0]]
    assert loaded["exp_avg"].dtype == minigrad.float32
    assert loaded["step"].dtype == minigrad.float32
    assert all(part.array.flags.c_contiguous for part in loaded.values())


def test_loading_old_and_partial_states():
    p = leaf(minigrad)
    optimizer = AdamW([p], lr=0.1)
    old = {"step": 7, "exp_avg": np.ones(1), "exp_avg_sq": np.ones(1)}
    optimizer.load_state_dict({"state": {0: old, "mine": 3}, "param_groups": [{"params": [0], "lr": 0.5}]})
    assert optimizer.state[p]["step"].item() == 7
    assert optimizer.state["mine"] == 3
    group = optimizer.param_groups[0]
    assert (group["lr"], group["betas"], group["decoupled_weight_decay"]) == (0.5, (0.9, 0.999), True)
    p.grad = minigrad.ones(1)
    optimizer.step()
    assert optimizer.state[p]["step"].item() == 8


def test_adamw_stays_decoupled_when_it_loads_a_state_of_adam():
    optimizer = AdamW([leaf(minigrad)])
    optimizer.load_state_dict(Adam([leaf(minigrad)]).state_dict())
    assert optimizer.param_groups[0]["decoupled_weight_decay"] is True


def state_of_adam(**changes):
    state = {"step": minigrad.tensor(1.0), "exp_avg": minigrad.ones(2), "exp_avg_sq": minigrad.ones(2)} | changes
    return {"state": {0: state}, "param_groups": Adam([minigrad.ones(2)]).state_dict()["param_groups"]}


@pytest.mark.parametrize(
    ("state", "says"),
    [
        ({"state": {}, "param_groups": []}, "different number of parameter groups: 0, and the optimizer has 1"),
        ({"state": {}, "param_groups": [{"params": [0, 1]}]}, r"doesn't match the size.*\[2\] parameters.*\[1\]"),
        (state_of_adam(exp_avg=minigrad.ones(3)), r"'exp_avg' of parameter 0 has shape \[3\], expected \[2\]"),
        (state_of_adam(exp_avg=None), "'exp_avg' of parameter 0 is NoneType"),
        (state_of_adam(step=minigrad.ones(1)), r"'step' of parameter 0 has shape \[1\], expected \[\]"),
        (
            {**state_of_adam(), "state": {0: {"momentum_buffer": minigrad.ones(2)}}},
            r"no 'step' for parameter 0, only \['momentum_buffer'\]: it was not saved by Adam",
        ),
    ],
)
def test_states_that_do_not_fit_are_refused_and_change_nothing(state, says):
    p = minigrad.ones(2, requires_grad=True)
    optimizer = Adam([p], lr=0.25)
    p.grad = minigrad.ones(2)
    optimizer.step()
    before = optimizer.state[p]
    with pytest.raises(ValueError, match=says):
        optimizer.load_state_dict(state)
    assert optimizer.state[p] is before
    assert optimizer.param_groups[0]["lr"] == 0.25


def test_a_momentum_that_does_not_fit():
    optimizer = SGD([minigrad.ones(2, requires_grad=True)], momentum=0.9)
    state = optimizer.state_dict() | {"state": {0: {"momentum_buffer": minigrad.ones(5)}}}
    with pytest.raises(ValueError, match=r"'momentum_buffer' of parameter 0 has shape \[5\]"):
        optimizer.load_state_dict(state)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_go_on_alike(way):
    run = Run(minigrad, "Adam", {"lr": 0.1}).steps(3)
    twin = way(run.optimizer)
    p, q = run.params[0], twin.param_groups[0]["params"][0]
    assert q is not p
    for optimizer, parameter in ((run.optimizer, p), (twin, q)):
        parameter.grad = minigrad.ones(3, 4)
        optimizer.step()
    assert p.tolist() == q.tolist()
    assert twin.state[q]["step"].item() == run.optimizer.state[p]["step"].item() == 4


# ---- optimizers of one's own


def test_an_optimizer_in_two_methods():
    class Sign(Optimizer):
        def __init__(self, params, lr=required):
            super().__init__(params, {"lr": lr})

        def init_param(self, p, group):
            return {"count": minigrad.zeros(())}

        def update(self, p, g, state, group):
            state["count"].array[()] += 1
            p -= group["lr"] * np.sign(g)

    p = minigrad.tensor([1.0, -1.0], requires_grad=True)
    with pytest.raises(ValueError, match="required optimization parameter lr"):
        Sign([p])
    assert repr(required) == "<required parameter>"
    optimizer = Sign([p], lr=0.25)
    (p * p).sum().backward()
    optimizer.step()
    assert p.tolist() == [0.75, -0.75]
    assert optimizer.state[p]["count"].item() == 1
    optimizer.load_state_dict(optimizer.state_dict())


def test_an_optimizer_written_for_pytorch(torch):
    def run(lib):
        class Plain(lib.optim.Optimizer):
            def __init__(self, params, lr):
                super().__init__(params, {"lr": lr})

            @lib.no_grad()
            def step(self, closure=None):
                for group in self.param_groups:
                    for p in group["params"]:
                        state = self.state[p]
                        state["n"] = state.get("n", 0) + 1
                        p.add_(p.grad, alpha=-group["lr"] / state["n"])

        p = lib.tensor([1.0, 2.0], requires_grad=True)
        optimizer = Plain([p], 0.5)
        log = []
        optimizer.register_step_post_hook(lambda *given: log.append(1))
        for _ in range(3):
            optimizer.zero_grad()
            (p * p).sum().backward()
            optimizer.step()
        optimizer.load_state_dict(optimizer.state_dict())
        return p.tolist(), log, optimizer.state[p]["n"]

    assert run(minigrad) == run(torch)


def test_an_optimizer_without_methods_says_so():
    p = minigrad.ones(1, requires_grad=True)
    p.grad = minigrad.ones(1)
    with pytest.raises(NotImplementedError, match="init_param"):
        Optimizer([p], {}).step()
    with pytest.raises(NotImplementedError, match="update"):
        type("Half", (Optimizer,), {"init_param": lambda self, p, group: {}})([p], {}).step()


def test_only_through_minigrad():
    assert optim.__name__ == "minigrad.optim"
    assert Optimizer.__module__ == "minigrad.optim.optimizer"
