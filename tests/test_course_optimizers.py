"""Chapter 6 of the course: the update rules by hand, bias correction, schedules, and which optimizer wins when."""

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, viz
from minigrad.nn import functional as F
from minigrad.viz.plots.rates import effective_rates
from notebooks.scripts import optimizers as program
from notebooks.scripts.gradient_descent import petals

SEEDS = range(5)


def momentum(g, memory):
    memory["b"] = 0.9 * memory.get("b", 0) + g
    return 0.3 * memory["b"]


def nag(g, memory):
    memory["b"] = 0.9 * memory.get("b", 0) + g
    return 0.3 * (g + 0.9 * memory["b"])


def adagrad(g, memory):
    memory["sum"] = memory.get("sum", 0) + g**2
    return 3 * g / (np.sqrt(memory["sum"]) + 1e-10)


def rmsprop(g, memory):
    memory["v"] = 0.99 * memory.get("v", 0) + 0.01 * g**2
    return 0.3 * g / (np.sqrt(memory["v"]) + 1e-8)


def adadelta(g, memory):
    memory["v"] = 0.9 * memory.get("v", 0) + 0.1 * g**2
    step = np.sqrt(memory.get("u", 0) + 1e-6) / np.sqrt(memory["v"] + 1e-6) * g
    memory["u"] = 0.9 * memory.get("u", 0) + 0.1 * step**2
    return 100 * step


def adam(g, memory):
    t = memory["t"] = memory.get("t", 0) + 1
    memory["m"] = 0.9 * memory.get("m", 0) + 0.1 * g
    memory["v"] = 0.999 * memory.get("v", 0) + 0.001 * g**2
    return memory["m"] / (1 - 0.9**t) / (np.sqrt(memory["v"] / (1 - 0.999**t)) + 1e-8)


def lion(g, memory):
    m = memory.get("m", 0)
    memory["m"] = 0.99 * m + 0.01 * g
    return 0.3 * np.sign(0.9 * m + 0.1 * g)


@pytest.mark.parametrize(
    ("rule", "make"),
    [
        (lambda g, memory: 0.3 * g, lambda p: optim.SGD(p, lr=0.3)),
        (momentum, lambda p: optim.SGD(p, lr=0.3, momentum=0.9)),
        (nag, lambda p: optim.SGD(p, lr=0.3, momentum=0.9, nesterov=True)),
        (adagrad, lambda p: optim.Adagrad(p, lr=3.0)),
        (rmsprop, lambda p: optim.RMSprop(p, lr=0.3)),
        (adadelta, lambda p: optim.Adadelta(p, lr=100.0)),
        (adam, lambda p: optim.Adam(p, lr=1.0)),
        (lion, lambda p: optim.Lion(p, lr=0.3, weight_decay=0.0)),
    ],
    ids=["sgd", "momentum", "nag", "adagrad", "rmsprop", "adadelta", "adam", "lion"],
)
def test_the_rules_by_hand_are_the_librarys(rule, make):
    p, memory = np.array([-8.5, 2.5]), {}
    q = minigrad.tensor(p, requires_grad=True)
    optimizer = make([q])
    for _ in range(30):
        p = p - rule(np.array([p[0] / 10, 2 * p[1]]), memory)
        optimizer.zero_grad()
        (q[0] ** 2 / 20 + q[1] ** 2).backward()
        optimizer.step()
        np.testing.assert_allclose(q.detach().numpy(), p, rtol=0, atol=1e-9)


RACE = {
    "SGD": lambda p: optim.SGD(p, lr=0.3),
    "momentum": lambda p: optim.SGD(p, lr=0.3, momentum=0.9),
    "NAG": lambda p: optim.SGD(p, lr=0.3, momentum=0.9, nesterov=True),
    "AdaGrad": lambda p: optim.Adagrad(p, lr=3.0),
    "RMSProp": lambda p: optim.RMSprop(p, lr=0.3),
    "AdaDelta": lambda p: optim.Adadelta(p, lr=100.0),
    "Adam": lambda p: optim.Adam(p, lr=1.0),
    "LBFGS": lambda p: optim.LBFGS(p, max_iter=1, line_search_fn="strong_wolfe"),
}


def test_what_is_to_be_seen_in_the_ravine():
    race = viz.plots.race("ravine", RACE, steps=40)
    first = {name: np.abs(way[1] - way[0]) for name, way in race.paths.items()}
    for name in ("AdaGrad", "RMSProp", "AdaDelta", "Adam"):  # along the diagonal
        assert first[name][0] == pytest.approx(first[name][1], rel=1e-3), name
    assert first["SGD"][1] > 5 * first["SGD"][0]
    assert np.abs(race.paths["SGD"][10:, 1]).max() < 0.01  # on the floor, along which it crawls
    assert race.paths["SGD"][-1, 0] < -2
    overshoot = {name: race.paths[name][:, 0].max() for name in ("momentum", "NAG")}
    assert overshoot["momentum"] > overshoot["NAG"] > 0
    assert race.losses["LBFGS"][8] < 1e-6  # a few steps


def test_momentum_helps_until_it_is_too_much():
    values = {}
    for momentum in (0.0, 0.6, 0.9, 0.99):
        ball = {"it": lambda p, momentum=momentum: optim.SGD(p, lr=0.3, momentum=momentum)}
        values[momentum] = viz.plots.race("ravine", ball, steps=40).losses["it"][-1]
    assert values[0.6] < values[0.9] < values[0.0] < values[0.99]


def test_adagrads_rate_only_falls_and_rmsprops_rises_again():
    rates = effective_rates("ravine", {name: RACE[name] for name in ("SGD", "AdaGrad", "RMSProp")}, steps=40)
    np.testing.assert_allclose(rates["SGD"], 0.3, rtol=1e-6)
    assert (np.diff(rates["AdaGrad"], axis=0) <= 1e-9).all()
    assert (rates["AdaGrad"][:, 0] > rates["AdaGrad"][:, 1]).all()
    for rate in rates["RMSProp"].T:
        assert rate[-1] > 1.1 * rate.min()


def test_bias_correction_makes_a_constant_gradient_a_step_of_one_rate():
    w = minigrad.tensor(0.0, dtype=minigrad.float64, requires_grad=True)
    optimizer = optim.Adam([w], lr=1.0)
    m = v = 0.0
    for t in range(1, 6):
        m, v, before = 0.9 * m + 0.1 * 0.1, 0.999 * v + 0.001 * 0.1**2, w.item()
        w.grad = minigrad.tensor(0.1, dtype=minigrad.float64)
        optimizer.step()
        assert before - w.item() == pytest.approx(1.0, rel=1e-6)
        assert m / v**0.5 > 3.1
        if t == 1:
            assert (m, v) == pytest.approx((0.01, 0.00001))
            assert m / v**0.5 == pytest.approx(3.1623, abs=1e-4)


def test_adagrad_keeps_the_rates_of_rare_features_large():
    for seed in range(3):
        minigrad.manual_seed(seed)
        (inputs, labels), _, _ = program.digits(seed)
        model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        optimizer = optim.Adagrad(model.parameters(), lr=0.1)
        for part in minigrad.randperm(len(labels)).split(32):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[part]), labels[part]).backward()
            optimizer.step()
        sums = optimizer.state[model[0].weight]["sum"].median(0)[0].reshape(8, 8)
        assert sums[4, 3:5].min() > 100 * sums[4, 7]  # the middle against the border


def test_a_rate_that_falls_lets_the_noise_die_down():
    x, y = petals()
    best = np.polyfit(x.numpy(), y.numpy(), 1)
    for seed in SEEDS:
        ends = []
        for scheduled in (False, True):
            minigrad.manual_seed(seed)
            p = minigrad.zeros(2, requires_grad=True)
            optimizer = optim.SGD([p], lr=0.1)
            scheduler = optim.lr_scheduler.CosineAnnealingLR(optimizer, 10 * 150)
            for k in minigrad.cat([minigrad.randperm(150) for _ in range(10)]).tolist():
                optimizer.zero_grad()
                (p[0] * x[k] + p[1] - y[k]).square().backward()
                optimizer.step()
                if scheduled:
                    scheduler.step()
            ends.append(np.linalg.norm(p.detach().numpy() - best))
        assert ends[1] < 0.5 * ends[0]
        assert ends[1] < 0.02


def test_adaptive_optimizers_leave_the_saddle_first_but_none_leaves_its_ridge():
    for beside in (1e-6, -1e-6, 1e-4, 1e-8):
        steps = {name: program.steps_to_leave(name, beside) for name in ("SGD", "momentum", "NAG", "AdaGrad", "Adam")}
        assert steps["Adam"] < steps["AdaGrad"] < steps["NAG"] < steps["momentum"] < steps["SGD"]
        assert program.steps_to_leave("RMSProp", beside) < 5
    for name in ("SGD", "momentum", "NAG", "AdaGrad", "RMSProp", "Adam"):
        assert program.steps_to_leave(name, 0.0, steps=100) is None


def test_adam_escapes_the_saddle_from_anywhere_beside_it():
    for seed in SEEDS:
        minigrad.manual_seed(seed)
        beside = 1e-6 * minigrad.randn(1, dtype=minigrad.float64).item()
        assert program.steps_to_leave("Adam", beside) < 20
        assert program.steps_to_leave("SGD", beside) > 50


def test_units_that_differ_hurt_sgd_not_adam():
    rates = {"SGD": (10.0, 0.1), "momentum": (10.0, 0.1), "Adam": (3.0, 1.0), "RMSProp": (0.3, 1.0)}
    for seed in SEEDS:
        for name, (alike, mixed) in rates.items():
            assert program.on_iris(name, alike, seed)[0] < 0.1
            loss = program.on_iris(name, mixed, seed, program.MIXED)[0]
            assert (loss < 0.1) == (name in ("Adam", "RMSProp")), (name, seed)


def test_lbfgs_is_first_where_all_data_are_one_batch():
    for seed in SEEDS:
        first = program.on_iris("LBFGS", 1.0, seed)[0]
        for name, rate in (("SGD", 10.0), ("momentum", 10.0), ("AdaGrad", 10.0), ("RMSProp", 0.3), ("Adam", 3.0)):
            assert first < program.on_iris(name, rate, seed)[0], (name, seed)


def test_the_rate_matters_more_than_the_optimizer():
    """With its own rate each learns the digits; with that of another it may not."""
    for seed in range(2):
        for name, rate in (("SGD", 1.0), ("AdaDelta", 10.0), ("Adam", 0.03), ("Lion", 0.003), ("Muon", 0.03)):
            assert program.on_digits(name, rate, seed, epochs=10)[1] > 0.85, (name, seed)
        assert program.on_digits("Adam", 10.0, seed, epochs=10)[1] < 0.5
        assert program.on_digits("SGD", 0.003, seed, epochs=10)[1] < 0.5


@pytest.mark.long
def test_best_rates_are_those_the_chapter_names():
    named = {
        "SGD": 1.0, "momentum": 0.1, "NAG": 0.1, "AdaGrad": 0.1, "AdaDelta": 10.0, "RMSProp": 0.01, "Adam": 0.03,
        "AdamW": 0.03, "Adamax": 0.1, "NAdam": 0.03, "RAdam": 0.03, "Lion": 0.003, "Muon": 0.03, "ASGD": 1.0,
    }  # fmt: skip
    assert list(named) == program.OF_BATCHES
    for name, rate in named.items():
        chosen = program.best_rate(program.on_digits, name, program.RATES, 0, 10)
        assert rate / 3.5 < chosen < 3.5 * rate, name  # a neighbour of the grid may win elsewhere by a hair
        assert np.mean([program.on_digits(name, rate, seed, 10)[1] for seed in SEEDS]) > 0.92, name
