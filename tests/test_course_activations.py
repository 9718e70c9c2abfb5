"""Chapter 3 of the course: what it says of activations holds, over several seeds."""

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, viz
from minigrad.nn import functional as F
from minigrad.scalar import Value
from notebooks.scripts import activations as program

SEEDS = range(5)


def test_slopes_by_hand_are_the_engines():
    at = np.linspace(-5, 5, 41)
    sigmoid = 1 / (1 + np.exp(-at))
    slopes = {
        "sigmoid": sigmoid * (1 - sigmoid),
        "tanh": 1 - np.tanh(at) ** 2,
        "relu": (at > 0) * 1.0,
        "leaky_relu": np.where(at > 0, 1, 0.01),
        "elu": np.where(at > 0, 1, np.exp(at)),
    }
    for name, slope in slopes.items():
        x = minigrad.tensor(at, requires_grad=True)
        getattr(F, name)(x).sum().backward()
        np.testing.assert_allclose(x.grad.numpy(), slope, atol=1e-12)
    assert slopes["sigmoid"].max() == 0.25


def test_softmax_is_a_share_of_powers():
    shares = F.softmax(minigrad.tensor([1.0, 2.0, 3.0, 4.0], dtype=minigrad.float64), dim=0).numpy()
    np.testing.assert_allclose(shares, np.exp([1, 2, 3, 4]) / np.exp([1, 2, 3, 4]).sum(), rtol=1e-12)
    assert shares.sum() == pytest.approx(1)


def test_twenty_scalars_in_a_row():
    grads = {}
    for name in ("sigmoid", "tanh", "relu"):
        value = start = Value(1.0)
        for _ in range(20):
            value = getattr(value, name)()
        value.backward()
        grads[name] = start.grad
    assert 0 < grads["sigmoid"] < 0.25**20
    assert 0.01 < grads["tanh"] < 0.02
    assert grads["relu"] == 1


def test_the_gradient_vanishes_in_sigmoids_only():
    for seed in SEEDS:
        inputs, labels, _, _ = program.digits(seed)
        for activation, least, most in ((nn.Sigmoid, 0, 1e-10), (nn.Tanh, 0.05, 20), (nn.ReLU, 0.05, 20)):
            minigrad.manual_seed(seed)
            norms = program.gradient_by_layer(program.deep(activation), inputs[:128], labels[:128])
            assert len(norms) == 21
            assert least < norms[0] / norms[-1] < most, (activation, seed)


def test_a_sigmoid_takes_about_three_quarters_of_the_gradient():
    for seed in SEEDS:
        inputs, labels, _, _ = program.digits(seed)
        minigrad.manual_seed(seed)
        norms = program.gradient_by_layer(program.deep(nn.Sigmoid), inputs[:128], labels[:128])
        assert 3.5 < (norms[-1] / norms[0]) ** (1 / 20) < 5


def test_health_says_that_the_gradient_vanishes_in_sigmoids_only():
    for seed in SEEDS:
        inputs, labels, _, _ = program.digits(seed)
        for activation in (nn.Sigmoid, nn.ReLU):
            minigrad.manual_seed(seed)
            found = viz.health(program.deep(activation), inputs[:128], labels[:128], "cross_entropy")
            rules = [verdict.rule for verdict in found.verdicts]
            assert ("vanishing-gradient" in rules) == (activation is nn.Sigmoid), seed


def test_who_gets_out_of_where_relu_is_off():
    """The lone unit of section 5: at −3 ReLU has no slope, GELU one that leads away."""
    ends = {}
    for activation in (nn.ReLU(), nn.LeakyReLU(), nn.ELU(), nn.GELU()):
        bias = minigrad.tensor(-5.0, requires_grad=True)
        optimizer = optim.Adam([bias], lr=0.05)
        for _ in range(300):
            optimizer.zero_grad()
            ((activation(2.0 + bias) - 1) ** 2).backward()
            optimizer.step()
        ends[type(activation).__name__] = bias.item()
    assert ends["ReLU"] == -5
    assert ends["LeakyReLU"] == pytest.approx(-1, abs=1e-3)
    assert ends["ELU"] == pytest.approx(-1, abs=1e-3)
    assert ends["GELU"] < -6


def test_twenty_layers_of_sigmoids_stay_at_chance_and_relus_learn():
    for seed in range(3):
        assert program.trained(program.deep, nn.Sigmoid, seed, epochs=5, lr=1e-3) < 0.2
        assert program.trained(program.deep, nn.ReLU, seed, epochs=5, lr=1e-3) > 0.35


@pytest.mark.long
def test_twenty_layers_as_the_chapter_trains_them():
    for seed in SEEDS:
        assert program.trained(program.deep, nn.Sigmoid, seed, epochs=30, lr=1e-3) < 0.2
        for activation in (nn.Tanh, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.ELU):
            assert program.trained(program.deep, activation, seed, epochs=30, lr=1e-3) > 0.8, (activation, seed)


def test_relus_that_are_off_stay_off_and_the_cures_learn():
    inputs, _, _, _ = program.digits(0)
    assert program.dead(program.asleep(nn.ReLU), inputs) == 1
    for seed in range(3):
        assert program.trained(program.asleep, nn.ReLU, seed, epochs=10, lr=1e-2) < 0.2
        for activation in (nn.LeakyReLU, nn.PReLU, nn.ELU):
            assert program.trained(program.asleep, activation, seed, epochs=10, lr=1e-2) > 0.85, (activation, seed)


def test_a_large_rate_kills_units_for_good():
    for seed in range(3):
        minigrad.manual_seed(seed)
        inputs, labels, _, _ = program.digits(seed)
        model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
        program.train(model, minigrad.optim.SGD(model.parameters(), lr=2.0), inputs, labels, epochs=1)
        killed = program.dead(model, inputs)
        program.train(model, minigrad.optim.SGD(model.parameters(), lr=0.1), inputs, labels, epochs=3)
        assert killed >= 0.3
        assert program.dead(model, inputs) >= killed


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0, -1.0])
def test_prelu_learns_the_slope_it_is_shown(slope):
    assert program.learned_slope(lambda x: F.leaky_relu(x, slope)) == pytest.approx(slope, abs=1e-3)


def test_more_pieces_of_maxout_fit_better():
    """None beats the bound (201 points: within their rounding), and the best of eight starts is near it."""
    errors = {pieces: sorted(program.maxout(pieces, seed)[1] for seed in range(8)) for pieces in (2, 3, 5)}
    for pieces, allowed in ((2, 1.1), (3, 1.1), (5, 2.0)):
        bound = (2 / pieces) ** 4 / 180
        assert 0.9 * bound < errors[pieces][0] < allowed * bound, pieces
    for rank in (0, 3, 4):  # the best and the middle ones
        assert errors[2][rank] > errors[3][rank] > errors[5][rank]
