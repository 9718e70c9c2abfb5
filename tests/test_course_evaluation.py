"""Chapter 12, evaluation: what it says of leaks, baselines, K-fold and choosing, over several seeds."""

import numpy as np
import pytest

import minigrad
from minigrad.datasets import load_digits, load_iris, load_sunspots
from minigrad.utils.data import GroupKFold, KFold, train_test_split
from notebooks.scripts.evaluation import (
    at_random,
    copied_digits,
    forecast_error,
    in_order,
    of_copies,
    of_dates,
    of_windows,
)
from notebooks.scripts.softmax_regression import accuracy, fit, held_out_probabilities

SEEDS = range(5)


def as_last_year():
    _, numbers = load_sunspots()
    _, test = in_order(len(numbers))
    return (numbers[test] - numbers[test - 1]).abs().mean().item()


def test_the_two_ways_to_split_are_of_one_size():
    for train, test in (in_order(309), at_random(309, 0)):
        assert (len(train), len(test)) == (248, 61)
        assert np.array_equal(np.sort(np.concatenate([train, test])), np.arange(309))
    years, _ = load_sunspots()
    train, test = in_order(309)
    assert years[train].max().item() < years[test].min().item() == 1948
    windows, following = of_windows()
    numbers = load_sunspots().target / 100
    assert windows.shape == (298, 11)
    assert windows[5].tolist() == numbers[5:16].tolist()
    assert following[5].item() == numbers[16].item()


def test_the_leak_of_time():
    """From the date alone: far better than the naive forecast if dealt at random, far worse in order of time."""
    dates, numbers = of_dates()
    leaks = [forecast_error(dates, numbers, *at_random(309, seed), seed) for seed in SEEDS]
    honest = [forecast_error(dates, numbers, *in_order(309), seed) for seed in SEEDS]
    assert max(leaks) < 0.8 * as_last_year(), leaks
    assert min(honest) > 2 * as_last_year(), honest


def test_an_honest_model_beats_the_naive_forecast():
    errors = [forecast_error(*of_windows(), *in_order(298), seed) for seed in SEEDS]
    assert max(errors) < 0.8 * as_last_year(), errors


def test_the_leak_of_copies():
    gaps = [of_copies(seed, honest=False) - of_copies(seed, honest=True) for seed in SEEDS]
    assert min(gaps) > 0.02, gaps
    assert np.mean(gaps) > 0.05, gaps


def test_who_keeps_copies_together():
    x, _, which = copied_digits(0)
    assert len(x) == 1000
    for train, test in GroupKFold(5).split(x, groups=which):
        assert not set(which[train].tolist()) & set(which[test].tolist())
    train, test = next(iter(KFold(5, shuffle=True, random_state=0).split(x)))
    assert set(which[train].tolist()) & set(which[test].tolist())


def test_folds_vary_less_than_single_cuts():
    """Of softmax regression on the irises: one cut of 30 is a lottery."""
    x, y = load_iris()

    def one_cut(seed):
        learn, test, learn_y, test_y = train_test_split(x, y, test_size=30, random_state=seed, stratify=y)
        minigrad.manual_seed(seed)
        return accuracy(fit(learn, learn_y)(test), test_y)

    single = [one_cut(seed) for seed in range(20)]
    folded = [accuracy(held_out_probabilities(x, y, seed), y) for seed in range(5)]
    assert np.std(single) > 2 * np.std(folded), (single, folded)


def test_the_best_of_many_is_not_what_validation_says():
    _, digits = load_digits()
    for seed in SEEDS:
        minigrad.manual_seed(seed)
        right = (minigrad.randint(0, 10, (200, len(digits))) == digits).float()
        best = right[:, :50].mean(1).argmax()
        assert right[best, :50].mean().item() >= 0.18
        assert right[best, 50:].mean().item() < 0.13


def test_baselines():
    digits = load_digits().target
    assert (digits != 3).float().mean().item() == pytest.approx(0.9, abs=0.003)
    _, numbers = load_sunspots()
    _, test = in_order(len(numbers))
    errors = {lag: (numbers[test] - numbers[test - lag]).abs().mean().item() for lag in (1, 5, 10, 11, 12)}
    assert min(errors, key=errors.get) == 1
    assert max(errors, key=errors.get) == 5


def test_one_iris_is_there_twice():
    x, _ = load_iris()
    same = np.argwhere(np.triu((x.unsqueeze(1) == x.unsqueeze(0)).all(2).numpy(), 1))
    assert same.tolist() == [[101, 142]]
