"""Learning rate schedules: PyTorch's numbers to the last bit, its warnings, its state."""

import copy
import math
import re
import warnings

import pytest

import minigrad
from minigrad import optim
from minigrad.optim import lr_scheduler
from minigrad.serialization import load, save


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


class Halving:
    """A function with a memory, as state_dict keeps it."""

    def __init__(self):
        self.calls = 0

    def __call__(self, epoch):
        self.calls += 1
        return 0.5**epoch


SCHEDULES = {
    "StepLR": [{"step_size": 3}, {"step_size": 1, "gamma": 0.7}],
    "MultiStepLR": [{"milestones": [2, 5, 5, 9]}, {"milestones": range(3, 7), "gamma": 0.5}],
    "ConstantLR": [{}, {"factor": 0.3, "total_iters": 4}],
    "LinearLR": [{}, {"start_factor": 0.1, "end_factor": 0.7, "total_iters": 9}],
    "ExponentialLR": [{"gamma": 0.9}],
    "PolynomialLR": [{}, {"total_iters": 12, "power": 2.5}],
    "CosineAnnealingLR": [{"T_max": 6}, {"T_max": 10, "eta_min": 0.01}],
    "LambdaLR": [{"lr_lambda": lambda e: 1 / (1 + e)}, {"lr_lambda": [lambda e: 0.5, lambda e: 0.9**e]}],
    "MultiplicativeLR": [{"lr_lambda": lambda e: 0.95}, {"lr_lambda": [lambda e: 2, lambda e: 1 / e]}],
}
CASES = [(name, options) for name, cases in SCHEDULES.items() for options in cases]


def optimizer_of(lib, lr=0.1):
    """SGD with two groups of different rates."""
    groups = [{"params": [lib.ones(1, requires_grad=True)]}, {"params": [lib.ones(1, requires_grad=True)], "lr": 0.03}]
    return lib.optim.SGD(groups, lr=lr)


def rates(optimizer):
    return [float(group["lr"]) for group in optimizer.param_groups]


def case_id(value):
    """A name that is the same in every process (functions print their address)."""
    return re.sub(r" at 0x\w+", "", str(value))


@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_rates_are_pytorchs_to_the_last_bit(torch, name, options):
    def history(lib):
        optimizer = optimizer_of(lib)
        scheduler = getattr(lib.optim.lr_scheduler, name)(optimizer, **options)
        seen = [rates(optimizer)]
        for _ in range(50):
            optimizer.step()
            scheduler.step()
            seen.append(rates(optimizer))
            assert scheduler.get_last_lr() == seen[-1]
        return seen, scheduler.base_lrs, scheduler.last_epoch

    assert history(minigrad) == history(torch)


@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_jumping_to_an_epoch_is_pytorchs(torch, name, options):
    def history(lib):
        optimizer = optimizer_of(lib)
        scheduler = getattr(lib.optim.lr_scheduler, name)(optimizer, **options)
        optimizer.step()
        seen = []
        for epoch in (1, 2, 7, 4, 30):
            with pytest.warns(UserWarning, match="epoch parameter"):
                scheduler.step(epoch)
            seen.append(rates(optimizer))
        return seen

    assert history(minigrad) == history(torch)


@pytest.mark.parametrize(("name", "options"), CASES, ids=case_id)
def test_state_moves_to_pytorch_and_back(torch, name, options):
    def begin(lib, epochs):
        optimizer = optimizer_of(lib)
        scheduler = getattr(lib.optim.lr_scheduler, name)(optimizer, **options)
        return go_on(optimizer, scheduler, epochs)

    def go_on(optimizer, scheduler, epochs):
        for _ in range(epochs):
            optimizer.step()
            scheduler.step()
        return optimizer, scheduler

    _, whole = begin(torch, 12)
    for first, second in ((minigrad, torch), (torch, minigrad), (minigrad, minigrad)):
        optimizer, scheduler = begin(first, 7)
        other, resumed = begin(second, 0)
        assert set(scheduler.state_dict()) == set(whole.state_dict())
        resumed.load_state_dict(scheduler.state_dict())
        other.load_state_dict(optimizer.state_dict())
        go_on(other, resumed, 5)
        assert resumed.get_last_lr() == whole.get_last_lr()
        assert resumed.last_epoch == 12


def test_state_goes_through_a_file(tmp_path):
    optimizer = optimizer_of(minigrad)
    scheduler = lr_scheduler.MultiStepLR(optimizer, [1, 1, 3])
    optimizer.step()
    scheduler.step()
    save(scheduler.state_dict(), tmp_path / "s")
    resumed = lr_scheduler.MultiStepLR(optimizer_of(minigrad), [50])
    resumed.load_state_dict(load(tmp_path / "s"))
    assert resumed.state_dict() == scheduler.state_dict()


def test_callable_objects_keep_their_memory():
    optimizer = optimizer_of(minigrad)
    scheduler = lr_scheduler.LambdaLR(optimizer, [Halving(), math.exp])
    optimizer.step()
    scheduler.step()
    state = scheduler.state_dict()
    assert state["lr_lambdas"] == [{"calls": 2}, None]
    resumed = lr_scheduler.LambdaLR(optimizer_of(minigrad), [Halving(), lambda epoch: 1])
    resumed.load_state_dict(state)
    assert resumed.lr_lambdas[0].calls == 2
    assert "lr_lambdas" in state


PLATEAUS = [
    {"patience": 2},
    {"patience": 0, "factor": 0.5, "cooldown": 2},
    {"mode": "max", "patience": 1, "threshold": 0.01},
    {"threshold_mode": "abs", "threshold": 0.05, "patience": 1},
    {"mode": "max", "threshold_mode": "abs", "threshold": 0.05, "patience": 1},
    {"patience": 1, "min_lr": [0.02, 0.001]},
    {"patience": 0, "factor": 0.9, "eps": 0.005, "min_lr": 0.0001},
]
METRICS = [1, 0.9, 0.91, 0.92, 0.9, 0.5, 0.51, 0.49999, 0.5, 0.6, 0.7, 0.4, 0.8, 0.8, 0.8, 0.8, math.nan, 0.1, 0.1, 0.1]


@pytest.mark.parametrize("options", PLATEAUS, ids=str)
def test_plateaus_are_pytorchs(torch, options):
    def history(lib):
        optimizer = optimizer_of(lib)
        scheduler = lib.optim.lr_scheduler.ReduceLROnPlateau(optimizer, **options)
        seen = []
        for i, metric in enumerate(METRICS):
            scheduler.step(lib.tensor(metric) if i % 2 else metric)
            seen.append((scheduler.get_last_lr(), rates(optimizer), scheduler.in_cooldown))
        return seen, scheduler.state_dict()

    ours, theirs = history(minigrad), history(torch)
    assert ours == theirs
    resumed = lr_scheduler.ReduceLROnPlateau(optimizer_of(minigrad))
    resumed.load_state_dict(theirs[1])
    assert resumed.state_dict() == theirs[1]


def test_plateau_and_a_new_group():
    optimizer = optimizer_of(minigrad)
    listed = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=[0.0, 0.0])
    single = lr_scheduler.ReduceLROnPlateau(optimizer, patience=0, min_lr=0.05)
    optimizer.add_param_group({"params": [minigrad.ones(1, requires_grad=True)], "lr": 0.2})
    for scheduler in (listed, single):
        scheduler.step(1.0)
    with pytest.raises(RuntimeError, match=r"\(3\) differs from .*\(2\)"):
        listed.step(2.0)
    single.step(2.0)
    assert rates(optimizer) == [0.05, 0.03, 0.05]


def test_plateau_with_an_epoch_warns():
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer_of(minigrad))
    with pytest.warns(UserWarning, match="epoch parameter"):
        scheduler.step(1.0, epoch=4)
    assert scheduler.last_epoch == 4


def test_two_schedulers_work_together(torch):
    def history(lib):
        optimizer = optimizer_of(lib)
        both = [
            lib.optim.lr_scheduler.LinearLR(optimizer, total_iters=3),
            lib.optim.lr_scheduler.StepLR(optimizer, 2, gamma=0.5),
        ]
        seen = []
        for _ in range(6):
            optimizer.step()
            for scheduler in both:
                scheduler.step()
            seen.append(rates(optimizer))
        return seen

    assert history(minigrad) == history(torch)


def test_a_tensor_rate_is_changed_in_place():
    rate = minigrad.tensor(0.5)
    optimizer = optim.SGD([minigrad.ones(1, requires_grad=True)], lr=rate)
    scheduler = lr_scheduler.ExponentialLR(optimizer, 0.5)
    first = scheduler.get_last_lr()[0]
    optimizer.step()
    scheduler.step()
    assert optimizer.param_groups[0]["lr"] is rate
    assert rate.item() == 0.25
    assert first.item() == 0.5
    assert scheduler.base_lrs[0].item() == 0.5


def test_resuming_at_an_epoch(torch):
    def history(lib):
        optimizer = optimizer_of(lib)
        with pytest.raises(KeyError, match="initial_lr"):
            lib.optim.lr_scheduler.StepLR(optimizer, 3, last_epoch=4)
        for group in optimizer.param_groups:
            group["initial_lr"] = 0.4
        scheduler = lib.optim.lr_scheduler.CosineAnnealingLR(optimizer, 8, last_epoch=4)
        first = rates(optimizer), scheduler.last_epoch, scheduler.base_lrs
        optimizer.step()
        scheduler.step()
        return first, rates(optimizer)

    assert history(minigrad) == history(torch)


def test_a_scheduler_of_ones_own(torch):
    def history(lib):
        class Warmup(lib.optim.lr_scheduler.LRScheduler):
            def __init__(self, optimizer, steps):
                self.steps = steps
                super().__init__(optimizer)

            def get_lr(self):
                return [base * min(1, (self.last_epoch + 1) / self.steps) for base in self.base_lrs]

        optimizer = optimizer_of(lib)
        scheduler = Warmup(optimizer, 4)
        seen = [rates(optimizer)]
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            seen.append(rates(optimizer))
        return seen

    assert history(minigrad) == history(torch)
    with pytest.raises(NotImplementedError, match="get_lr"):
        lr_scheduler.LRScheduler(optimizer_of(minigrad))


# ---- warnings and errors


def test_the_wrong_order_is_told_once():
    optimizer = optimizer_of(minigrad)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()
    scheduler.step()


def test_steps_before_the_scheduler_do_not_count():
    optimizer = optimizer_of(minigrad)
    optimizer.step()
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        scheduler.step()


def test_a_second_scheduler_does_not_forget_the_steps():
    optimizer = optimizer_of(minigrad)
    first = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    second = lr_scheduler.StepLR(optimizer, 3)
    first.step()
    second.step()


def test_a_replaced_step_is_told():
    optimizer = optimizer_of(minigrad)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step = lambda: None
    with pytest.warns(UserWarning, match="overridden"):
        scheduler.step()


def test_get_lr_outside_a_step_is_told():
    scheduler = lr_scheduler.StepLR(optimizer_of(minigrad), 2)
    with pytest.warns(UserWarning, match="get_last_lr"):
        scheduler.get_lr()
    cosine = lr_scheduler.CosineAnnealingLR(optimizer_of(minigrad), 2)
    with pytest.warns(UserWarning, match="get_last_lr"):
        cosine.get_lr()


def test_the_right_order_is_silent():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer = optimizer_of(minigrad)
        scheduler = lr_scheduler.StepLR(optimizer, 2)
        for _ in range(3):
            optimizer.step()
            scheduler.step()


ERRORS = [
    ("ConstantLR", {"factor": 1.5}, "between 0 and 1"),
    ("LinearLR", {"start_factor": 0}, "greater than 0"),
    ("LinearLR", {"end_factor": -1}, "between 0 and 1"),
    ("LambdaLR", {"lr_lambda": [abs]}, "Expected 2 lr_lambdas, but got 1"),
    ("ReduceLROnPlateau", {"factor": 1.0}, "< 1.0"),
    ("ReduceLROnPlateau", {"mode": "least"}, "mode least is unknown!"),
    ("ReduceLROnPlateau", {"threshold_mode": "no"}, "threshold mode no is unknown!"),
    ("ReduceLROnPlateau", {"min_lr": [0]}, "expected 2 min_lrs, got 1"),
]


@pytest.mark.parametrize(("name", "options", "says"), ERRORS)
def test_errors_are_pytorchs(torch, name, options, says):
    for lib in (minigrad, torch):
        with pytest.raises(ValueError, match=says):
            getattr(lib.optim.lr_scheduler, name)(optimizer_of(lib), **options)


def test_only_optimizers_have_schedules():
    for make in (lr_scheduler.StepLR, lr_scheduler.ReduceLROnPlateau, lr_scheduler.LambdaLR):
        with pytest.raises(TypeError, match="list is not an Optimizer"):
            make([], lambda epoch: 1) if make is lr_scheduler.LambdaLR else make([], 0.5)
    with pytest.raises(TypeError, match="should be a function, but got float"):
        lr_scheduler.LambdaLR(optimizer_of(minigrad), 0.5)


def test_a_scheduler_does_not_stop_copying():
    optimizer = optimizer_of(minigrad)
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    twin, other = copy.deepcopy(scheduler), copy.deepcopy(scheduler)
    assert twin.optimizer is not optimizer
    twin.optimizer.step()
    twin.step()
    assert (scheduler.last_epoch, twin.last_epoch) == (0, 1)
    with pytest.warns(UserWarning, match="before `optimizer.step"):
        other.step()


def test_the_former_name_of_the_base_class():
    assert lr_scheduler._LRScheduler is lr_scheduler.LRScheduler
