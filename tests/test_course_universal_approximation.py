"""Chapter 8: one hidden layer built by hand meets any curve; training does better when narrow, worse when wide."""

import numpy as np
import pytest

import minigrad
from minigrad import nn
from notebooks.scripts.universal_approximation import CURVES, largest_error, make_model, points, ramps, rms_error, train


@pytest.mark.parametrize("curve", CURVES)
def test_a_layer_built_by_hand_meets_the_curve(curve):
    knots = np.linspace(-2, 2, 17)
    heights = ramps(curve, 16)(minigrad.tensor(knots).float()[:, None]).detach().numpy()[:, 0]
    np.testing.assert_allclose(heights, CURVES[curve](knots), atol=1e-4)


def test_twice_as_wide_is_four_times_as_near():
    errors = [largest_error(ramps("waves", width), "waves") for width in (32, 64, 128)]
    assert errors[0] / errors[1] == pytest.approx(4, abs=0.3)
    assert errors[1] / errors[2] == pytest.approx(4, abs=0.3)


def test_the_bound_of_the_exercise():
    """|f″| ≤ 33.5, so 82 neurons are within 0.01 of the curve."""
    x = np.linspace(-2, 2, 20_001)
    assert np.abs(np.gradient(np.gradient(CURVES["waves"](x), x), x)).max() < 33.5
    assert largest_error(ramps("waves", 82), "waves") < 0.01


def test_without_a_nonlinearity_it_is_a_line():
    minigrad.manual_seed(0)
    model = make_model(50, nn.Identity)
    x, _ = points("waves")
    y = model(x).detach().numpy()[:, 0]
    assert np.abs(np.diff(y, n=2)).max() < 1e-5


@pytest.mark.parametrize("seed", range(3))
def test_wider_fits_better(seed):
    """Trained, with tanh: 1, 4, 32 neurons, each less than two thirds of the error before."""
    one, four, many = (rms_error(train(seed, width, steps=800), "waves") for width in (1, 4, 32))
    assert four < one * 2 / 3
    assert many < four * 2 / 3


@pytest.mark.parametrize("seed", range(3))
def test_existence_is_not_learnability(seed):
    """64 ReLUs: the best weights known are ten times nearer than those that training finds; tanh is better trained."""
    trained = rms_error(train(seed, 64, activation=nn.ReLU), "waves")
    assert trained > 10 * rms_error(ramps("waves", 64), "waves")
    assert trained > 2 * rms_error(train(seed, 64), "waves")


@pytest.mark.long
def test_narrow_layers_are_better_trained():
    for width in (1, 2, 4, 8):
        for seed in range(3):
            assert rms_error(train(seed, width), "waves") < rms_error(ramps("waves", width), "waves")
