"""Chapter 5 of the course: what it says of learning rates, saddles and batches."""

import numpy as np
import pytest

import minigrad
from minigrad import func
from minigrad.datasets import load_iris
from notebooks.scripts import gradient_descent as program

SEEDS = range(5)


@pytest.mark.parametrize("lr", [0.01, 0.1, 0.9, 1.05])
def test_a_step_on_a_square_is_a_factor(lr):
    way = program.descend(lambda x, y: x**2 + y**2, (2.0, -1.0), lr, steps=8)
    factors = (1 - 2 * lr) ** np.arange(9)
    np.testing.assert_allclose(way, np.outer(factors, [2.0, -1.0]), rtol=1e-9)
    assert (abs(way[-1, 0]) > 2) == (lr > 1)


def test_the_limit_of_the_learning_rate_is_two_over_the_curvature():
    def ravine(x, y):
        return x**2 / 20 + y**2

    curvatures = np.linalg.eigvalsh(func.hessian(lambda p: ravine(p[0], p[1]))(minigrad.tensor([1.0, 1.0])).numpy())
    np.testing.assert_allclose(curvatures, [0.1, 2.0], rtol=1e-6)
    for lr, explodes in ((0.99, False), (1.01, True)):
        assert (abs(program.descend(ravine, (-8.5, 2.5), lr, steps=300)[-1, 1]) > 2.5) == explodes


def test_the_start_decides_about_the_valley():
    def valleys(x, y):
        return (x**2 - 1) ** 2 + 0.3 * x + y**2

    def end(start, **how):
        return program.descend(valleys, start, lr=0.05, steps=100, **how)[-1, 0]

    assert end((1.5, 1.0)) == pytest.approx(0.960, abs=1e-3)
    assert end((0.5, -1.0)) == pytest.approx(0.960, abs=1e-3)
    assert end((-0.2, -0.9)) == pytest.approx(-1.036, abs=1e-3)
    assert end((1.5, 1.0), momentum=0.9) == pytest.approx(-1.036, abs=1e-2)
    assert end((0.5, -1.0), momentum=0.9) == pytest.approx(0.960, abs=1e-1)


def test_the_saddle_holds_plain_descent_and_momentum_but_not_noise():
    curvatures = func.hessian(lambda p: program.saddle(p[0], p[1]))(minigrad.tensor([0.0, 0.0])).numpy()
    np.testing.assert_allclose(curvatures, [[2, 0], [0, -4]])
    assert program.steps_to_leave((1.5, 0.0), steps=300) is None
    assert program.steps_to_leave((1.5, 0.0), steps=300, momentum=0.9) is None
    assert program.steps_to_leave((1.5, 1e-6)) == 73
    assert program.steps_to_leave((1.5, 1e-6), momentum=0.9) < 50
    for seed in SEEDS:
        minigrad.manual_seed(seed)
        assert program.steps_to_leave((1.5, 0.0), steps=100, noise=0.1) < 100


def test_a_network_of_zeros_stays_and_one_beside_it_learns():
    for seed in range(3):
        assert program.from_zeros(seed, 0.0, epochs=3) < 0.2
        assert program.from_zeros(seed, 1e-3, epochs=8) > 0.5


def test_all_three_ways_reach_the_line_of_least_squares():
    x, y = program.petals()
    best = np.polyfit(x.numpy(), y.numpy(), 1)
    for seed in range(3):
        for batch, epochs, near in ((150, 60, 1e-3), (16, 10, 0.05), (1, 2, 0.3)):
            minigrad.manual_seed(seed)
            way = program.walk(x, y, (-1.5, 0.0), batch, lr=0.1, epochs=epochs)
            assert len(way) - 1 == -(-150 // batch) * epochs
            np.testing.assert_allclose(way[-1], best, atol=near, err_msg=f"batches of {batch}")


def test_the_noise_falls_with_the_root_of_the_batch_size():
    x, y = program.petals()
    slopes = -2 * y * x  # of each example, with respect to w, at w = b = 0
    for seed in range(3):
        minigrad.manual_seed(seed)
        spread = {size: slopes[minigrad.randint(0, 150, (4000, size))].mean(1).std().item() for size in (1, 4, 16, 64)}
        for size, deviation in spread.items():
            assert deviation == pytest.approx(spread[1] / size**0.5, rel=0.08)


def test_many_small_steps_beat_few_exact_ones():
    for seed in range(3):
        few, many = (program.in_batches(batch, seed, 1.0, epochs=5)[1] for batch in (1077, 64))
        assert many > few + 0.05


def test_a_rate_can_be_too_small_and_too_large():
    for seed in range(3):
        small, good, large = (program.in_batches(64, seed, lr, epochs=4)[0] for lr in (0.003, 0.3, 3.0))
        assert good < 0.8 < 2.0 < small
        assert large > 2.0


def test_the_best_rate_is_just_below_the_cliff():
    for seed in SEEDS:
        losses = [program.in_batches(64, seed, lr, epochs=5)[0] for lr in (0.1, 0.3, 1.0, 3.0)]
        assert losses[0] > losses[1] > losses[2]
        assert losses[3] > 20 * losses[2]


def test_features_that_are_not_scaled_make_a_ravine():
    raw = load_iris().data[:, 2].numpy().astype(float)
    scaled = (raw - raw.mean()) / raw.std()
    curvatures = [
        np.linalg.eigvalsh(2 * np.array([[np.mean(x**2), np.mean(x)], [np.mean(x), 1]])) for x in (raw, scaled)
    ]
    np.testing.assert_allclose(curvatures, [[0.343, 36.093], [2, 2]], atol=1e-3)


def test_rates_are_those_that_were_best_on_the_validation_part():
    for batch in (1077, 64):
        for seed in range(3):
            losses = {lr: program.in_batches(batch, seed, lr, 10)[0] for lr in program.RATES}
            assert min(losses, key=losses.get) == 1.0, (batch, seed)


@pytest.mark.long
def test_the_rate_for_batches_of_one_is_among_the_best():
    losses = {lr: program.in_batches(1, 0, lr, 10)[0] for lr in program.RATES}
    assert losses[0.1] < 1.05 * min(losses.values())


@pytest.mark.long
def test_batches_as_the_chapter_runs_them():
    means = {
        batch: np.mean([program.in_batches(batch, seed, lr, 10)[1] for seed in SEEDS])
        for batch, lr in ((1077, 1.0), (64, 1.0), (1, 0.1))
    }
    assert means[1077] < 0.87
    assert means[64] > 0.93
    assert means[1] > 0.93
