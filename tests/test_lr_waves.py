"""Schedules that rise again, and schedules made of schedules: PyTorch's numbers to the last bit, its state."""

import warnings

import pytest
from test_lr_scheduler import CASES as SIMPLE
from test_lr_scheduler import Halving, case_id, rates

import minigrad
from minigrad.optim import lr_scheduler


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def optimizer_of(lib, kind="SGD", lr=0.1, tensors=False):
    """Two groups of different rates, with momentum."""
    first, second = (lib.tensor(lr), lib.tensor(0.03)) if tensors else (lr, 0.03)
    groups = [
        {"params": [lib.ones(1, requires_grad=True)], "lr": first},
        {"params": [lib.ones(1, requires_grad=True)], "lr": second},
    ]
    return getattr(lib.optim, kind)(groups, **({"momentum": 0.9} if kind == "SGD" else {}))


def settings(optimizer):
    """What schedulers change: rates, momenta, and the options that they leave in the groups."""
    return [
        {
            name: float(value) if name == "lr" else value
            for name, value in group.items()
            if name not in ("params", "initial_lr")
        }
        for group in optimizer.param_groups
    ]


def of(lib):
    return lib.optim.lr_scheduler


def warm_cosine(lib, o):
    make = of(lib)
    parts = [make.LinearLR(o, 0.1, total_iters=5), make.CosineAnnealingLR(o, T_max=20), make.StepLR(o, 3)]
    return make.SequentialLR(o, parts, milestones=[5, 25])


def restarts_within(lib, o):
    make = of(lib)
    parts = [make.ConstantLR(o, 0.1), make.CosineAnnealingWarmRestarts(o, 4, 2), make.ExponentialLR(o, 0.9)]
    return make.SequentialLR(o, parts, milestones=[3, 25])


def nested(lib, o):
    make = of(lib)
    return make.SequentialLR(o, [warm_cosine(lib, o), make.ExponentialLR(o, 0.9)], milestones=[30])


def chain_from_the_start(lib, o):
    make = of(lib)
    chain = make.ChainedScheduler([make.ExponentialLR(o, 0.9), make.LinearLR(o)])
    return make.SequentialLR(o, [make.PolynomialLR(o, 10), chain], milestones=[0])


def chained(lib, o):
    make = of(lib)
    parts = [make.LinearLR(o, 0.2, total_iters=6), make.ExponentialLR(o, 0.95), make.MultiStepLR(o, [4, 9])]
    return make.ChainedScheduler(parts, optimizer=o)


def one_cycle_late(lib, o):
    make = of(lib)
    parts = [make.LinearLR(o, 0.2, total_iters=6), make.OneCycleLR(o, 0.1, total_steps=60)]
    return make.SequentialLR(o, parts, milestones=[6])


def made(name, **options):
    def make(lib, o):
        place = lib.optim.swa_utils if name == "SWALR" else of(lib)
        return getattr(place, name)(o, **options)

    make.__name__ = f"{name}-" + ",".join(f"{k}={getattr(v, '__name__', v)}" for k, v in options.items())
    return make


def fading(x):
    return 0.5 ** (x / 10)


MAKERS = [
    made("CosineAnnealingWarmRestarts", T_0=5),
    made("CosineAnnealingWarmRestarts", T_0=3, T_mult=2),
    made("CosineAnnealingWarmRestarts", T_0=7, T_mult=3, eta_min=0.01),
    made("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=7),
    made("CyclicLR", base_lr=0.01, max_lr=[0.1, 0.2], step_size_up=4, step_size_down=9, mode="triangular2"),
    made("CyclicLR", base_lr=[0.01, 0.02], max_lr=0.1, step_size_up=5, mode="exp_range", gamma=0.97, base_momentum=0.5,
         max_momentum=[0.8, 0.95]),
    made("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=7, scale_fn=fading, scale_mode="iterations",
         cycle_momentum=False),
    made("CyclicLR", base_lr=0.01, max_lr=0.1, step_size_up=7, mode="of one's own", scale_fn=fading),
    made("OneCycleLR", max_lr=0.1, total_steps=60),
    made("OneCycleLR", max_lr=[0.1, 0.3], epochs=7, steps_per_epoch=8, anneal_strategy="linear"),
    made("OneCycleLR", max_lr=0.1, total_steps=51, three_phase=True, pct_start=0.25, div_factor=5, final_div_factor=10),
    made("OneCycleLR", max_lr=0.1, total_steps=60, cycle_momentum=False),
    made("OneCycleLR", max_lr=0.1, total_steps=60, base_momentum=[0.1, 0.2], max_momentum=0.5),
    made("SWALR", swa_lr=[0.5, 0.2], anneal_epochs=6, anneal_strategy="linear"),
    made("SWALR", swa_lr=0.5),
    made("SWALR", swa_lr=0.5, anneal_epochs=0),
    warm_cosine, restarts_within, nested, chain_from_the_start, chained, one_cycle_late,
]  # fmt: skip
makers = pytest.mark.parametrize("make", MAKERS, ids=lambda make: make.__name__)


def comparable(state):
    """A state without functions."""
    if isinstance(state, dict):
        return {key: comparable(value) for key, value in state.items() if not callable(value)}
    return [comparable(each) for each in state] if isinstance(state, list) else state


@makers
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_rates_and_momenta_are_pytorchs_to_the_last_bit(torch, make, kind):
    def history(lib):
        optimizer = optimizer_of(lib, kind)
        with warnings.catch_warnings(record=True) as caught:  # of schedulers within schedulers, some step at once
            warnings.simplefilter("always")
            scheduler = make(lib, optimizer)
        seen = [settings(optimizer)]
        for _ in range(50):
            optimizer.step()
            scheduler.step()
            seen.append((settings(optimizer), scheduler.get_last_lr(), getattr(scheduler, "last_epoch", None)))
            assert scheduler.get_last_lr() == rates(optimizer)
        return seen, comparable(scheduler.state_dict()), [warning.category for warning in caught]

    assert history(minigrad) == history(torch)


@makers
@pytest.mark.filterwarnings("ignore:Detected call")
def test_state_moves_to_pytorch_and_back(torch, make):
    def begin(lib, epochs):
        optimizer = optimizer_of(lib)
        return go_on(optimizer, make(lib, optimizer), epochs)

    def go_on(optimizer, scheduler, epochs):
        for _ in range(epochs):
            optimizer.step()
            scheduler.step()
        return optimizer, scheduler

    whole, _ = begin(torch, 28)
    for first, second in ((minigrad, torch), (torch, minigrad), (minigrad, minigrad)):
        optimizer, scheduler = begin(first, 8)
        other, resumed = begin(second, 0)
        state = scheduler.state_dict()
        keys = [*state]
        resumed.load_state_dict(state)
        if second is minigrad:
            assert [*state] == keys
        other.load_state_dict(optimizer.state_dict())
        go_on(other, resumed, 20)
        assert settings(other) == settings(whole)


@pytest.mark.parametrize("make", [*MAKERS, *(made(name, **options) for name, options in SIMPLE)],
                         ids=lambda make: case_id(make.__name__))  # fmt: skip
@pytest.mark.filterwarnings("ignore:Detected call")
def test_rates_that_are_tensors(torch, make):
    """They are changed in place; float32 steps of a schedule round once more than float64 ones."""

    def history(lib):
        optimizer = optimizer_of(lib, tensors=True)
        held = [group["lr"] for group in optimizer.param_groups]
        scheduler = make(lib, optimizer)
        seen = [rates(optimizer)]
        for _ in range(20):
            optimizer.step()
            scheduler.step()
            seen.append(rates(optimizer))
            assert all(isinstance(rate, lib.Tensor) for rate in scheduler.get_last_lr())
        assert all(group["lr"] is rate for group, rate in zip(optimizer.param_groups, held, strict=True))
        return seen

    for ours, theirs in zip(history(minigrad), history(torch), strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("make", [make for make in MAKERS if "-" in make.__name__], ids=lambda make: make.__name__)
def test_resuming_at_an_epoch(torch, make):
    """With the options that the first scheduler left in the groups, as an optimizer's state has them."""

    def history(lib):
        name = make.__name__.split("-")[0]
        optimizer = optimizer_of(lib)
        make(lib, optimizer)
        options = dict(zip(make.__code__.co_freevars, (cell.cell_contents for cell in make.__closure__), strict=True))
        place = lib.optim.swa_utils if name == "SWALR" else of(lib)
        scheduler = getattr(place, name)(optimizer, **options["options"], last_epoch=9)
        seen = [settings(optimizer), scheduler.last_epoch]
        for _ in range(5):
            optimizer.step()
            scheduler.step()
            seen.append(settings(optimizer))
        return seen

    assert history(minigrad) == history(torch)


@pytest.mark.parametrize("options", [{"T_0": 5}, {"T_0": 3, "T_mult": 2}, {"T_0": 4, "eta_min": 0.01}], ids=str)
def test_restarts_at_fractions_of_an_epoch(torch, options):
    def history(lib):
        optimizer = optimizer_of(lib)
        scheduler = of(lib).CosineAnnealingWarmRestarts(optimizer, **options)
        seen = []
        for epoch in (0, 0.5, 1.25, 3, 7.5, 2, 20, 11.1, None, None):
            scheduler.step(epoch)
            seen.append((settings(optimizer), scheduler.T_cur, scheduler.T_i, scheduler.last_epoch))
        with pytest.raises(ValueError, match="Expected non-negative epoch, but got -1"):
            scheduler.step(-1)
        return seen

    assert history(minigrad) == history(torch)


def test_a_callable_object_keeps_its_memory(torch):
    for lib in (minigrad, torch):
        optimizer = optimizer_of(lib)
        scheduler = of(lib).CyclicLR(optimizer, 0.01, 0.1, scale_fn=Halving())
        optimizer.step()
        scheduler.step()
        state = scheduler.state_dict()
        assert state["_scale_fn_custom"]["calls"] > 0
        resumed = of(lib).CyclicLR(optimizer_of(lib), 0.01, 0.1, scale_fn=Halving())
        resumed.load_state_dict(dict(state))
        assert resumed._scale_fn_custom.calls == state["_scale_fn_custom"]["calls"]


def plain(lib):
    return lib.optim.Rprop([lib.ones(1, requires_grad=True)])


ERRORS = [
    (lambda lib, o: of(lib).CosineAnnealingWarmRestarts(o, 0), "Expected positive integer T_0, but got 0"),
    (lambda lib, o: of(lib).CosineAnnealingWarmRestarts(o, 1.5), "Expected positive integer T_0, but got 1.5"),
    (lambda lib, o: of(lib).CosineAnnealingWarmRestarts(o, 1, 0), "Expected integer T_mult >= 1, but got 0"),
    (lambda lib, o: of(lib).CosineAnnealingWarmRestarts(o, 1, eta_min="0"), "Expected float or int eta_min"),
    (lambda lib, o: of(lib).CyclicLR(o, 0.1, 0.2, mode="no"), "mode is invalid and scale_fn is None"),
    (lambda lib, o: of(lib).CyclicLR(o, [0.1], 0.2), "base_lr must have the same length as optimizer.param_groups"),
    (lambda lib, o: of(lib).CyclicLR(plain(lib), 0.1, 0.2), "optimizer must support momentum or beta1"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1), "You must define either total_steps OR"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1, epochs=3), "You must define either total_steps OR"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1, total_steps=-1), "Expected positive integer total_steps, but got -1"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1, epochs=0, steps_per_epoch=1), "Expected positive integer epochs"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1, epochs=1, steps_per_epoch=1.5), "positive integer steps_per_epoch"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1, 9, pct_start=1), "Expected float between 0 and 1 pct_start, but got 1"),
    (lambda lib, o: of(lib).OneCycleLR(o, 0.1, 9, anneal_strategy="x"), "must be one of .*, instead got x"),
    (lambda lib, o: of(lib).OneCycleLR(plain(lib), 0.1, 9), "optimizer must support momentum or beta1"),
    (lambda lib, o: of(lib).SequentialLR(o, [], []), "expects at least one scheduler, but got no scheduler"),
    (lambda lib, o: of(lib).SequentialLR(o, [of(lib).StepLR(o, 1)], [3]), "number of schedulers 1 and .* equal to 1"),
    (lambda lib, o: of(lib).SequentialLR(o, [of(lib).ReduceLROnPlateau(o)], []), "does not support `Reduce"),
    (lambda lib, o: of(lib).SequentialLR(o, [of(lib).StepLR(plain(lib), 1)], []), "belong to the same optimizer"),
    (lambda lib, o: of(lib).ChainedScheduler([]), "at least one scheduler to be chained, but got no scheduler"),
    (lambda lib, o: of(lib).ChainedScheduler([of(lib).ReduceLROnPlateau(o)]), "does not support `ReduceLROnPlateau`"),
    (lambda lib, o: of(lib).ChainedScheduler([of(lib).StepLR(plain(lib), 1)], o), "belong to the same optimizer"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "says"), ERRORS, ids=[says for _, says in ERRORS])
def test_errors_are_pytorchs(torch, make, says):
    for lib in (minigrad, torch):
        with pytest.raises(ValueError, match=says):
            make(lib, optimizer_of(lib))


def test_what_is_no_scheduler_or_no_optimizer(torch):
    for lib in (minigrad, torch):
        o = optimizer_of(lib)
        with pytest.raises(TypeError, match="should have `optimizer` as its attribute"):
            of(lib).SequentialLR(o, [3], [])
        with pytest.raises(TypeError, match="should have `optimizer` as its attribute"):
            of(lib).ChainedScheduler([3], o)
        for name, given in (("CyclicLR", (0.1, 0.2)), ("OneCycleLR", (0.1, 9)), ("CosineAnnealingWarmRestarts", (3,))):
            with pytest.raises(TypeError, match="list is not an Optimizer"):
                getattr(of(lib), name)([], *given)


def test_one_cycle_ends(torch):
    for lib in (minigrad, torch):
        optimizer = optimizer_of(lib)
        scheduler = of(lib).OneCycleLR(optimizer, 0.1, total_steps=3)
        optimizer.step()
        for _ in range(3):
            scheduler.step()
        with pytest.raises(ValueError, match="Tried to step 4 times"):
            scheduler.step()


def test_a_group_that_came_later(torch):
    """A schedule that has a value for each group says so; one that scales the rates takes the new one along."""
    for lib in (minigrad, torch):
        optimizer = optimizer_of(lib)
        listed, scaling = of(lib).LambdaLR(optimizer, lambda epoch: 0.5), of(lib).StepLR(optimizer, 1, 0.5)
        optimizer.add_param_group({"params": [lib.ones(1, requires_grad=True)], "lr": 0.2})
        optimizer.step()
        scaling.step()
        assert rates(optimizer)[2] == 0.1
        with pytest.raises(ValueError, match="argument 2 is shorter"):
            listed.step()


def test_a_step_that_was_replaced_before_the_scheduler_is_no_surprise():
    optimizer = optimizer_of(minigrad)
    optimizer.step = optimizer.step
    scheduler = lr_scheduler.StepLR(optimizer, 2)
    optimizer.step()
    scheduler.step()


@pytest.mark.parametrize(("pct_start", "calls"), [(0.1, 0), (1.0, 9)])
@pytest.mark.filterwarnings("ignore:Detected call of `lr_scheduler.step")  # no optimizer steps here
def test_a_phase_without_length_is_named(pct_start, calls, torch):
    """One cycle whose first call is to be the lowest and the highest, or whose last phase begins when all is over."""

    def run(lib):
        schedule = of(lib).OneCycleLR(optimizer_of(lib), 0.1, total_steps=10, pct_start=pct_start)
        for _ in range(10):
            schedule.step()
            done[lib] += 1

    done = {torch: 0, minigrad: 0}
    for lib, says in ((torch, "division by zero"), (minigrad, "Choose another pct_start: above 1 / total_steps")):
        with pytest.raises(ZeroDivisionError, match=says):
            run(lib)
    assert list(done.values()) == [calls, calls]
