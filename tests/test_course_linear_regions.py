"""Chapter 9 of the course: how many flat pieces a ReLU network has, and what repeating a layer does."""

import pytest

import minigrad
from notebooks.scripts.linear_regions import (
    counts,
    linear_regions,
    most,
    network,
    petals,
    pieces,
    repeated,
    share_right,
    tents,
    train,
)

SEEDS = range(5)


def test_a_line_more_crosses_all_before_it():
    assert [most(n) for n in range(5)] == [1, 2, 4, 7, 11]
    assert all(most(n) - most(n - 1) == n for n in range(1, 50))


@pytest.mark.parametrize("width", [4, 8, 16])
def test_one_layer_comes_near_its_bound_and_never_beyond(width):
    found = counts(width, 1, SEEDS)
    assert max(found) <= most(width)
    assert min(found) >= 0.7 * most(width)


def test_two_random_layers_of_8_often_have_fewer_regions_than_one_of_16():
    one, two = counts(16, 1, range(10)), counts(8, 2, range(10))
    fewer = sum(a > b for a, b in zip(one, two))
    assert 5 <= fewer < 10


def test_on_a_region_the_network_is_one_affine_map():
    minigrad.manual_seed(0)
    model = network(6, 2).double()
    found = linear_regions(model)
    assert found.exact
    checked = 0
    for polygon in found.polygons:
        middle = minigrad.tensor(polygon.mean(0), requires_grad=True)
        y = model(middle)
        (slope,) = minigrad.autograd.grad(y, middle)
        for corner in minigrad.tensor(polygon):
            assert (y + slope @ (corner - middle)).item() == pytest.approx(model(corner).item(), abs=1e-6)
            checked += 1
    assert checked > 100


@pytest.mark.parametrize("times", [1, 2, 3, 5, 10])
def test_folding_doubles_the_pieces(times):
    assert pieces(tents(times)) == 2**times


@pytest.mark.parametrize("seed", SEEDS)
def test_training_on_petals(seed):
    data, held_out = petals(seed)
    minigrad.manual_seed(seed)
    model = network(16, 2, outputs=3)
    before = linear_regions(model).count
    train(model, *data)
    assert linear_regions(model).count < before
    assert round(30 * share_right(model, *held_out)) >= 27


@pytest.mark.parametrize("seed", SEEDS)
def test_repeated_relu_grows_where_the_matrix_stretches_and_tanh_stays(seed):
    states, _ = repeated("relu", 2.0, seed)
    assert states[-1] > 1e6
    assert states[99] > 1e2 * states[49] > 1e4 * states[9]
    assert max(repeated("tanh", 2.0, seed)[0]) <= 1.0
    assert repeated("tanh", 1.0, seed)[0][-1] > 0.1
    assert repeated("relu", 1.0, seed)[0][-1] < 1e-6  # half of the units are cut each time
    assert repeated("tanh", 0.5, seed)[0][-1] < 1e-6


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gradient_is_not_held_by_tanh(seed):
    """It vanishes where the matrix shrinks, gets through at a gain of 1, and grows beyond, if less than ReLU's."""
    slopes = {gain: repeated("tanh", gain, seed)[1] for gain in (0.5, 1.0, 2.0)}
    assert slopes[0.5] < 1e-20
    assert 0.03 < slopes[1.0] < 3
    assert 1e3 < slopes[2.0] < 1e-4 * repeated("relu", 2.0, seed)[1]
    assert repeated("relu", 1.0, seed)[1] < 1e-6
