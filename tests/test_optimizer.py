"""What the base class of optimizers does for all: groups, options, hooks, loading, copies, optimizers of one's own."""

import copy
import pickle

import numpy as np
import pytest
from optim_run import Run, case_id, check_copy

import minigrad
from minigrad import optim
from minigrad.optim import SGD, Adam, AdamW, Optimizer
from minigrad.optim.optimizer import required


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


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
    p.grad = minigrad.ones(2, requires_grad=True) * 2
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


def test_hooks_of_all_optimizers(torch):
    def run(lib):
        log = []
        module = lib.optim.optimizer if lib is minigrad else __import__("torch.optim.optimizer", fromlist=["x"])
        handles = [
            module.register_optimizer_step_pre_hook(lambda opt, args, kwargs: log.append("before all")),
            module.register_optimizer_step_post_hook(lambda opt, args, kwargs: log.append("after all")),
        ]
        optimizers = [lib.optim.SGD([leaf(lib)]), lib.optim.Adam([leaf(lib)])]
        optimizers[0].register_step_pre_hook(lambda *given: log.append("before"))
        optimizers[0].register_step_post_hook(lambda *given: log.append("after"))
        for optimizer in optimizers:
            optimizer.step()
        for handle in handles:
            handle.remove()
        optimizers[0].step()
        return log, type(optimizers[0]).step.hooked, callable(lib.optim.Optimizer.profile_hook_step)

    assert run(minigrad) == run(torch)


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
    ours, copied = check_copy("Adam", way)
    assert copied["step"].item() == ours["step"].item() == 4


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


def test_numbers_in_the_state_of_ones_own_stay_numbers(torch):
    """PyTorch makes tensors of old counts in its own classes only."""
    for lib in (minigrad, torch):
        optimizer = lib.optim.SparseAdam([leaf(lib)])
        optimizer.state[optimizer.param_groups[0]["params"][0]].update(
            step=3, exp_avg=lib.zeros(1), exp_avg_sq=lib.zeros(1), notes={"best": [1.5, lib.ones(1)]}, name=None
        )
        fresh = lib.optim.SparseAdam([leaf(lib)])
        fresh.load_state_dict(optimizer.state_dict())
        state = fresh.state[fresh.param_groups[0]["params"][0]]
        assert (state["step"], state["notes"]["best"][0], state["name"]) == (3, 1.5, None)
        assert isinstance(state["notes"]["best"][1], lib.Tensor)


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
