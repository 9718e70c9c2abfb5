"""The course's chapter on GANs: its numbers, its judge, and mode collapse, over several seeds."""

import math

import numpy as np
import pytest

import minigrad
from minigrad.nn import functional as F
from minigrad.nn.utils.parametrizations import spectral_norm
from notebooks.scripts.gan import (
    NOISE,
    ConvDiscriminator,
    Judge,
    alone,
    conv_generator,
    discriminator,
    draw,
    generator,
    read,
    train,
)


@pytest.fixture(scope="module")
def digits():
    return read()


@pytest.fixture(scope="module")
def judge(digits):
    minigrad.manual_seed(0)
    return Judge(*digits, epochs=5)


def test_the_losses_by_hand():
    real, drawn = minigrad.tensor(2.0), minigrad.tensor(-1.0)
    sure, fooled = 1 / (1 + math.exp(-2)), 1 / (1 + math.exp(1))
    police = F.softplus(-real) + F.softplus(drawn)
    assert police.item() == pytest.approx(-math.log(sure) - math.log(1 - fooled), rel=1e-6)
    assert F.softplus(-drawn).item() == pytest.approx(-math.log(fooled), rel=1e-6)


def test_the_judge(digits, judge):
    """Real digits pass, noise and untrained drawings do not, and one good digit again and again gets a tenth."""
    _, (real, classes) = digits
    assert judge.accuracy > 0.93
    marks = judge(real)
    assert marks["good"] > 0.75
    assert marks["copies"] < 0.03
    assert marks["digits"] > 9
    minigrad.manual_seed(0)
    assert judge(2 * minigrad.rand(300, 1, 8, 8) - 1)["good"] < 0.02
    assert judge(draw(generator(), minigrad.randn(300, NOISE)))["good"] < 0.05
    zeros = real[(classes == 0).nonzero()[:, 0]]
    assert judge(zeros)["good"] <= 0.11
    assert judge(judge.real[:100])["copies"] == 1


@pytest.mark.parametrize("seed", range(2))
def test_it_learns_to_draw_and_a_hasty_forger_collapses(digits, judge, seed):
    (pictures, _), _ = digits
    minigrad.manual_seed(seed)
    noise = minigrad.randn(300, NOISE)
    forger, hasty = generator(), generator(batch_norm=False)
    train(forger, discriminator(), pictures, 24)
    train(hasty, discriminator(), pictures, 3, lr=5e-4, steps=5)
    drawn, same = draw(forger, noise), draw(hasty, noise)
    assert judge(drawn)["good"] > 0.1
    assert judge(drawn)["digits"] > 6
    assert judge(same)["digits"] < 3
    assert judge(same)["good"] < 0.11
    assert same.std(0).mean() < 0.5 * drawn.std(0).mean()


def test_the_convolutional_pair_learns(digits, judge):
    (pictures, _), _ = digits
    minigrad.manual_seed(0)
    forger, police = conv_generator(), ConvDiscriminator()
    before = draw(forger, minigrad.randn(100, NOISE))
    history = train(forger, police, pictures, 2)
    after = draw(forger, minigrad.randn(100, NOISE))
    assert after.shape == (100, 1, 8, 8)
    assert np.isfinite(history).all()
    assert judge.distances(after).mean() < judge.distances(before).mean()
    for layer in (police.layers[0], police.layers[2], police.layers[5]):
        assert minigrad.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("seed", range(2))
def test_spectral_normalisation_bounds_the_slope(digits, seed):
    (pictures, _), _ = digits
    minigrad.manual_seed(seed)
    drawn = draw(generator(), minigrad.randn(len(pictures), NOISE))
    calm, wild = (ConvDiscriminator(norm=norm, scale=1.0) for norm in (spectral_norm, lambda layer: layer))
    slopes = [alone(police, pictures, drawn, 2)[-1] for police in (calm, wild)]
    assert slopes[0] < 1.5
    assert slopes[1] > 1.5 * slopes[0]


@pytest.mark.long
@pytest.mark.parametrize("seed", range(3))
def test_the_whole_game(digits, judge, seed):
    (pictures, _), _ = digits
    minigrad.manual_seed(seed)
    noise = minigrad.randn(1000, NOISE)
    forger, conv_forger = generator(), conv_generator()
    train(forger, discriminator(), pictures, 100)
    train(conv_forger, ConvDiscriminator(), pictures, 30)
    assert judge(draw(forger, noise))["good"] > 0.4
    assert judge(draw(forger, noise))["good"] > judge(draw(conv_forger, noise))["good"] > 0.2
    for drawn in (draw(forger, noise), draw(conv_forger, noise)):
        assert judge(drawn)["digits"] > 8
        assert judge(drawn)["copies"] < 0.03
