"""The optimizers besides SGD and Adam: PyTorch's trajectories, states, prints and errors."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from optim_run import (
    RTOL,
    Run,
    assert_same,
    case_id,
    check_copy,
    check_layout,
    check_state_moves,
    check_trajectory,
    to_torch,
)

import minigrad
from minigrad import optim


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def tensor_rate(lib):
    return lib.tensor(0.1)


ALL = {
    "Adagrad": [
        {},
        {"lr": 0.1, "lr_decay": 0.1},
        {"lr": 0.1, "weight_decay": 0.1, "initial_accumulator_value": 0.5, "maximize": True},
        {"lr": tensor_rate, "eps": 0.1, "foreach": True},
        {"fused": True},
    ],
    "Adadelta": [
        {},
        {"lr": 0.1, "rho": 0.5},
        {"eps": 1e-3, "weight_decay": 0.1, "maximize": True},
        {"lr": tensor_rate, "rho": 0.0},
    ],
    "RMSprop": [
        {},
        {"lr": 0.1, "alpha": 0.5},
        {"momentum": 0.9},
        {"centered": True},
        {"centered": True, "momentum": 0.9, "weight_decay": 0.1, "maximize": True, "eps": 1e-3},
        {"lr": tensor_rate, "foreach": True},
    ],
    "Adamax": [
        {},
        {"lr": 0.1, "betas": (0.5, 0.8)},
        {"weight_decay": 0.1, "maximize": True, "eps": 0.1},
        {"lr": tensor_rate, "betas": (0.3, 0.3)},
    ],
    "NAdam": [
        {},
        {"lr": 0.1, "betas": (0.5, 0.8), "momentum_decay": 0.1},
        {"weight_decay": 0.1, "maximize": True, "eps": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": tensor_rate},
    ],
    "RAdam": [
        {},
        {"lr": 0.1, "betas": (0.5, 0.8)},
        {"weight_decay": 0.1, "maximize": True, "eps": 0.1},
        {"weight_decay": 0.1, "decoupled_weight_decay": True},
        {"lr": tensor_rate},
    ],
    "ASGD": [
        {},
        {"lr": 0.1, "t0": 3, "lambd": 0.1, "alpha": 0.5},
        {"weight_decay": 0.1, "maximize": True},
        {"lr": tensor_rate},
    ],
    "Rprop": [
        {},
        {"lr": 0.1, "etas": (0.3, 1.5), "step_sizes": (1e-3, 0.2)},
        {"maximize": True},
        {"lr": tensor_rate},
    ],
    "Adafactor": [
        {},
        {"lr": 0.1, "beta2_decay": -0.5},
        {"eps": (1e-3, 1e-2), "d": 2.0, "weight_decay": 0.1, "maximize": True},
        {"lr": tensor_rate, "foreach": False},
    ],
    "Muon": [
        {},
        {"lr": 0.1, "nesterov": False, "adjust_lr_fn": "match_rms_adamw"},
        {"momentum": 0.3, "weight_decay": 0.01, "ns_steps": 3, "ns_coefficients": (2.0, -1.5, 0.5), "eps": 0.1},
        {"lr": tensor_rate, "adjust_lr_fn": "original"},
    ],
}  # fmt: skip
CASES = [(name, options) for name, cases in ALL.items() for options in cases]
cases = pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
names = pytest.mark.parametrize("name", ALL)


@pytest.fixture(autouse=True)
def shapes(request, monkeypatch):
    """PyTorch's Adafactor divides by the number of elements, so it stumbles over none."""
    if "name" in request.fixturenames and request.getfixturevalue("name") == "Adafactor":
        monkeypatch.setattr("optim_run.SHAPES", [(3, 4), (5,), (), (2, 3, 2), (1, 9), (257,)])


@cases
@pytest.mark.parametrize("dtype", RTOL)
def test_trajectories_are_pytorchs(torch, name, options, dtype):
    check_trajectory(torch, name, options, dtype)


@cases
def test_state_moves_across_libraries(torch, name, options):
    check_state_moves(torch, name, options)


@cases
def test_state_dict_is_laid_out_as_pytorchs(torch, name, options):
    check_layout(torch, name, options)


@names
def test_groups_have_their_own_options(torch, name):
    def run(lib):
        random = np.random.default_rng(0)
        params = [lib.tensor(random.normal(size=(3, 4)).tolist(), requires_grad=True) for _ in range(2)]
        second = {"params": params[1:], "lr": 0.5}
        if name != "Rprop":
            second["maximize" if name in ("ASGD", "Adafactor") else "weight_decay"] = 0.3
        optimizer = getattr(lib.optim, name)([{"params": params[:1]}, second], lr=0.01)
        for _ in range(5):
            for p in params:
                p.grad = lib.tensor(random.normal(size=(3, 4)).tolist())
            optimizer.step()
        return [p.detach().numpy() for p in params], repr(optimizer)

    (ours, our_text), (theirs, their_text) = run(minigrad), run(torch)
    assert our_text == their_text
    np.testing.assert_allclose(ours, theirs, rtol=RTOL["float32"], atol=RTOL["float32"])


@pytest.mark.parametrize("name", [*ALL, "LBFGS", "SparseAdam"])
def test_signatures_are_pytorchs(torch, name):
    def parameters(lib):
        found = inspect.signature(getattr(lib.optim, name)).parameters.values()
        return [(p.name, p.kind, p.default) for p in found]

    assert parameters(minigrad) == parameters(torch)


@pytest.mark.parametrize(
    "path",
    """sgd.SGD adam.Adam adamw.AdamW adagrad.Adagrad adadelta.Adadelta rmsprop.RMSprop adamax.Adamax nadam.NAdam
    radam.RAdam asgd.ASGD rprop.Rprop lbfgs.LBFGS sparse_adam.SparseAdam _adafactor.Adafactor _muon.Muon
    optimizer.Optimizer lr_scheduler.LRScheduler swa_utils.AveragedModel""".split(),
)
def test_import_paths_are_pytorchs(torch, path):
    module, name = path.split(".")
    found = [getattr(__import__(f"{lib.__name__}.optim.{module}", fromlist=[name]), name) for lib in (minigrad, torch)]
    assert [each.__name__ for each in found] == [name, name]


@names
def test_what_overflows_is_silent(torch, name):
    def run(lib):
        p = lib.ones(2, 3, requires_grad=True)
        p.grad = lib.tensor([[float("inf"), float("nan"), 1e30], [-1e30, 0.0, 1.0]])
        optimizer = getattr(lib.optim, name)([p], lr=1e30)
        optimizer.step()
        optimizer.step()
        return np.isfinite(p.detach().numpy())

    np.testing.assert_array_equal(run(minigrad), run(torch))


@names
def test_half_precision_is_computed_in_single_and_rounded(name):
    options = {"lr": 0.1}
    if "eps" in inspect.signature(getattr(optim, name)).parameters and name not in ("Adafactor", "Muon"):
        options["eps"] = 1e-3
    half, single = (Run(minigrad, name, options, dtype).steps(1) for dtype in ("float16", "float32"))
    for a, b in zip(half.seen[0], single.seen[0], strict=True):
        assert a.dtype == np.float16
        # one rounding of the gradient to half precision, and one of the result; Muon rounds to bfloat16 as well
        np.testing.assert_allclose(a, b, rtol=5e-3, atol=5e-3 if name != "Muon" else 5e-2)
    half.steps(4)
    assert all(np.isfinite(p.detach().numpy()).all() for p in half.params)
    for state in half.optimizer.state.values():
        wide = {key: part.dtype for key, part in state.items() if part.ndim == 0 and key != "prev"}
        assert wide.get("step", minigrad.float32) is minigrad.float32


@names
def test_parameters_and_gradients_that_are_not_contiguous(name):
    values, grads = np.arange(6.0, dtype=np.float32).reshape(2, 3), np.float32([[1, -2, 3], [4, 5, -6]])

    def run(turned):
        if turned:
            p = minigrad.tensor(values.T.copy()).t().detach().requires_grad_()
            gradient = minigrad.tensor(grads.T.copy()).t()
        else:
            p, gradient = minigrad.tensor(values.copy()).requires_grad_(), minigrad.tensor(grads.copy())
        optimizer = getattr(optim, name)([p])
        for _ in range(3):
            p.grad = gradient
            optimizer.step()
        assert gradient.tolist() == grads.tolist()
        return p.tolist(), p._version

    assert run(True) == run(False)


@names
def test_replaced_parameters_of_another_shape(name):
    p = minigrad.ones(2, 3, requires_grad=True)
    p.grad = minigrad.ones(2, 3)
    optimizer = getattr(optim, name)([p])
    optimizer.step()
    p.data, p.grad = minigrad.ones(20, 3), minigrad.ones(20, 3)
    with pytest.raises(RuntimeError, match=r"shape \[20, 3\], but its .* has shape .*new optimizer"):
        optimizer.step()


@names
@pytest.mark.parametrize("way", [copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_copies_go_on_alike(name, way):
    check_copy(name, way)


@names
def test_the_counts_are_double_where_that_is_the_default(torch, name):
    kinds = []
    for lib in (minigrad, torch):
        before = lib.get_default_dtype()
        lib.set_default_dtype(lib.float64)
        try:
            run = Run(lib, name, {}).steps(2)
        finally:
            lib.set_default_dtype(before)
        kinds.append([{key: str(v.dtype) for key, v in state.items()} for state in run.optimizer.state.values()])
    assert [{k: v.split(".")[-1] for k, v in kind.items()} for kind in kinds[0]] == [
        {k: v.split(".")[-1] for k, v in kind.items()} for kind in kinds[1]
    ]


@pytest.mark.parametrize("name", ["Adagrad", "Adadelta", "RMSprop", "Adamax", "NAdam", "RAdam", "ASGD", "Rprop"])
def test_counts_that_were_numbers_once(torch, name):
    """States saved before PyTorch 1.12, and optimizers pickled with them."""
    run = Run(torch, name, {}).steps(2)
    state = run.optimizer.state_dict()
    for kept in state["state"].values():
        for key in ("step", "mu_product", "eta", "mu"):
            if key in kept:
                kept[key] = kept[key].item()
    whole = Run(torch, name, {}).steps(5)
    here = Run(minigrad, name, {})
    for p, value in zip(here.params, run.seen[-1], strict=True):
        p.data = here.tensor(value)
    here.optimizer.load_state_dict(state)
    for kept in here.optimizer.state.values():
        assert all(isinstance(value, minigrad.Tensor) for value in kept.values())
    here.random, here.seen = run.random, run.seen
    assert_same(here.steps(3).seen, whole.seen, RTOL["float32"])
    empty = getattr(optim, name)([minigrad.ones(2, requires_grad=True)])
    group = dict(empty.param_groups[0])
    for option in ("maximize", "foreach", "capturable", "differentiable", "centered", "decoupled_weight_decay"):
        group.pop(option, None)
    empty.__setstate__({"state": empty.state, "param_groups": [group]})
    assert empty.param_groups[0]["maximize"] is False


# ---- errors

ERRORS = [
    *[(name, {"lr": -1}, "-1") for name in ALL],
    *[(name, {"lr": lambda lib: lib.ones(2)}, "Tensor lr must be 1-element") for name in ALL],
    *[(name, {"weight_decay": -1}, "-1") for name in ALL if name != "Rprop"],
    *[(name, {"eps": -1}, "Invalid epsilon value: -1") for name in ("Adagrad", "Adadelta", "RMSprop", "Adamax")],
    *[(name, {"betas": (0.5, 1.0)}, "beta parameter at index 1: 1.0") for name in ("Adamax", "NAdam", "RAdam")],
    ("Adagrad", {"lr_decay": -1}, "Invalid lr_decay value: -1"),
    ("Adagrad", {"initial_accumulator_value": -1}, "Invalid initial_accumulator_value value: -1"),
    ("Adadelta", {"rho": 1.5}, "Invalid rho value: 1.5"),
    ("RMSprop", {"alpha": -1}, "Invalid alpha value: -1"),
    ("RMSprop", {"momentum": -1}, "Invalid momentum value: -1"),
    ("NAdam", {"momentum_decay": -1}, "Invalid momentum_decay value: -1"),
    ("Rprop", {"etas": (1.5, 2)}, "Invalid eta values: 1.5, 2"),
    ("Adafactor", {"beta2_decay": 0.5}, "beta2_decay should be <= 0 but is: 0.5"),
    ("Adafactor", {"eps": (-1, 1)}, "epsilon1 should be >= 0 but is: -1"),
    ("Adafactor", {"eps": (None, -1)}, "epsilon2 should be >= 0 but is: -1"),
    ("Adafactor", {"d": 0.5}, "Clipping threshold d should be >= 1 but is: 0.5"),
    ("Muon", {"momentum": -1}, "momentum should be >= 0 but is: -1"),
    ("Muon", {"weight_decay": -1}, "weight decay should be >= 0 but is: -1"),
    ("Muon", {"adjust_lr_fn": "no"}, "function no is not supported"),
    ("SparseAdam", {"lr": 0.0}, "Invalid learning rate: 0.0"),
    ("SparseAdam", {"eps": 0.0}, "Invalid epsilon value: 0.0"),
]


@pytest.mark.parametrize(("name", "options", "says"), ERRORS, ids=case_id)
def test_errors_about_options_are_pytorchs(torch, name, options, says):
    for lib in (minigrad, torch):
        given = {key: make(lib) if callable(make) else make for key, make in options.items()}
        with pytest.raises(ValueError, match=says):
            getattr(lib.optim, name)([lib.ones(2, 2, requires_grad=True)], **given)


@pytest.mark.parametrize("name", [name for name in ALL if name not in ("Adafactor", "Muon")])
def test_differentiable_is_refused(name):
    with pytest.raises(NotImplementedError, match="create_graph=True"):
        getattr(optim, name)([minigrad.ones(1, requires_grad=True)], differentiable=True)


def test_ways_that_exclude_one_another(torch):
    for lib in (minigrad, torch):
        for options in ({"fused": True, "foreach": True}, {"fused": True, "differentiable": True}):
            with pytest.raises((RuntimeError, NotImplementedError), match=r"`fused`|differentiable"):
                lib.optim.Adagrad([lib.ones(1, requires_grad=True)], **options)


# ---- what only some have


def test_adagrad_has_state_from_the_beginning(torch):
    states = []
    for lib in (minigrad, torch):
        optimizer = lib.optim.Adagrad([lib.ones(2, requires_grad=True)], initial_accumulator_value=0.25)
        optimizer.add_param_group({"params": [lib.ones(1, requires_grad=True)], "initial_accumulator_value": 7.0})
        optimizer.share_memory() if lib is minigrad else None
        states.append({i: state["sum"].tolist() for i, state in optimizer.state_dict()["state"].items()})
        for p in [p for group in optimizer.param_groups for p in group["params"]]:
            p.grad = lib.zeros_like(p)
        optimizer.step()
        states.append([state["sum"].tolist() for state in optimizer.state.values()])
    assert states[:2] == states[2:] == [{0: [0.25, 0.25]}, [[0.25, 0.25], [0.25]]]


def test_muon_wants_matrices(torch):
    for lib in (minigrad, torch):
        with pytest.raises(ValueError, match="only supports 2D parameters"):
            lib.optim.Muon([lib.ones(3, requires_grad=True)])
        p = lib.ones(2, 2, requires_grad=True)
        p.grad = lib.ones(2, 2)
        for options, says in (({"ns_steps": 100}, "less than 100"), ({"ns_coefficients": (1.0, 2.0)}, "exactly 3")):
            with pytest.raises(ValueError, match=says):
                lib.optim.Muon([p], **options).step()


def test_muon_on_large_matrices(torch):
    """Where products of bfloat16 are summed in another order, a few last bits differ (1 in 256) and spread."""
    random = np.random.default_rng(0)
    values, grad = random.normal(size=(2, 96, 160)).astype("f4")
    found = []
    for lib in (minigrad, torch):
        p = lib.tensor(values.tolist(), requires_grad=True)
        p.grad = lib.tensor(grad.tolist())
        lib.optim.Muon([p], lr=1.0, weight_decay=0.0).step()
        found.append(p.detach().numpy() - values)
    assert np.abs(found[0] - found[1]).max() < 0.03 * np.abs(found[1]).max()
    assert np.abs(found[0] - found[1]).mean() < 2e-3 * np.abs(found[1]).max()
    singular = np.linalg.svd(found[0], compute_uv=False)
    assert 0.6 < singular.min() < singular.max() < 1.3


def test_adafactor_without_elements_does_nothing():
    p, q = minigrad.zeros(0, 3, requires_grad=True), minigrad.zeros(0, requires_grad=True)
    p.grad, q.grad = minigrad.zeros(0, 3), minigrad.zeros(0)
    optimizer = optim.Adafactor([p, q])
    optimizer.step()
    assert optimizer.state[p]["row_var"].shape == (0, 1)


def test_sparse_adam_is_pytorchs_on_rows(torch):
    """An Embedding with sparse gradients there; dense ones with zero rows here. State moves mid-way."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(7, 3)).astype("f4")
    batches = [random.integers(0, 7, size=4) for _ in range(8)]

    def steps(lib, batches, values, state=None):
        p = lib.nn.Parameter(lib.tensor(values.tolist()))
        optimizer = lib.optim.SparseAdam([p], lr=0.1, maximize=True)
        if state is not None:
            optimizer.load_state_dict(state)
        for batch in batches:
            optimizer.zero_grad()
            sparse = {"sparse": True} if lib is torch else {}
            rows = lib.nn.functional.embedding(lib.tensor(batch.tolist()), p, **sparse)
            (rows**3).sum().backward()
            optimizer.step()
        return p.detach().numpy(), optimizer.state_dict()

    whole, _ = steps(torch, batches, weight)
    np.testing.assert_allclose(steps(minigrad, batches, weight)[0], whole, rtol=1e-5)
    values, state = steps(torch, batches[:4], weight)
    np.testing.assert_allclose(steps(minigrad, batches[4:], values, state)[0], whole, rtol=1e-5)
    values, state = steps(minigrad, batches[:4], weight)
    assert state["state"][0]["step"] == 4
    np.testing.assert_allclose(steps(torch, batches[4:], values, to_torch(torch, state))[0], whole, rtol=1e-5)


def test_sparse_adam_without_any_row():
    p, s = minigrad.ones(3, 2, requires_grad=True), minigrad.ones((), requires_grad=True)
    p.grad, s.grad = minigrad.zeros(3, 2), minigrad.ones(())
    optimizer = optim.SparseAdam([p, s], lr=0.5)
    optimizer.step()
    assert p.tolist() == [[1, 1]] * 3
    assert s.item() == pytest.approx(0.5)
    assert optimizer.state[p]["step"] == 1


def test_lion_by_its_formula():
    p = minigrad.tensor([1.0, -2.0, 3.0], requires_grad=True)
    optimizer = optim.Lion([p], lr=0.5, betas=(0.5, 0.75), weight_decay=0.1)
    x, m = p.detach().numpy().astype("f8"), np.zeros(3)
    for g in ([1.0, -1.0, 0.0], [-5.0, 1.0, 0.0], [0.0, 0.0, 2.0]):
        p.grad = minigrad.tensor(g)
        optimizer.step()
        x = x - 0.5 * (np.sign(0.5 * m + 0.5 * np.array(g)) + 0.1 * x)
        m = 0.75 * m + 0.25 * np.array(g)
        np.testing.assert_allclose(p.detach().numpy(), x, rtol=1e-6)
        np.testing.assert_allclose(optimizer.state[p]["exp_avg"].numpy(), m, rtol=1e-6)
    up = minigrad.tensor([1.0], requires_grad=True)
    up.grad = minigrad.ones(1)
    optim.Lion([up], lr=0.5, maximize=True).step()
    assert up.item() == 1.5
