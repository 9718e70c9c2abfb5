"""Chapter 10, softmax regression: the numbers of its cells, and what it claims of the irises."""

import math

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.datasets import load_iris
from minigrad.nn import functional as F
from notebooks.scripts.softmax_regression import Standardize, accuracy, fit, held_out_probabilities


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def test_the_notes_numbers():
    """Note 000: the truth 1.0 and the guess 0.70 differ by cross-entropy, not by 1 - 0.7; probabilities sum to 1."""
    guess = minigrad.tensor([[0.2, 0.7, 0.1]])
    truth = F.one_hot(minigrad.tensor([1]), 3)
    assert truth.tolist() == [[0, 1, 0]]
    by_hand = -(truth * guess.log()).sum().item()
    assert by_hand == pytest.approx(-math.log(0.7))
    assert by_hand == pytest.approx(0.3567, abs=5e-5)
    assert F.cross_entropy(guess.log(), minigrad.tensor([1])).item() == pytest.approx(by_hand)
    assert softmax(np.array([1.0, 2, 3, 4])).round(4).tolist() == [0.0321, 0.0871, 0.2369, 0.6439]
    assert minigrad.tensor([101.0, 102, 103, 104]).softmax(0).tolist() == pytest.approx(softmax(np.arange(4.0)))


def test_the_gradient_is_prediction_minus_truth():
    x, y = load_iris()
    minigrad.manual_seed(0)
    model = nn.Linear(4, 3).double()
    scores = model(x.double())
    scores.retain_grad()
    F.cross_entropy(scores, y).backward()
    error = (softmax(scores.detach().numpy()) - np.eye(3)[y.numpy()]) / len(x)
    np.testing.assert_allclose(scores.grad.numpy(), error, atol=1e-14)
    np.testing.assert_allclose(model.weight.grad.numpy().T, x.double().numpy().T @ error, atol=1e-12)
    np.testing.assert_allclose(model.bias.grad.numpy(), error.sum(0), atol=1e-14)


def test_a_model_that_knows_nothing_loses_log_3():
    assert F.cross_entropy(minigrad.zeros(150, 3), load_iris().target).item() == pytest.approx(math.log(3))


def test_boundaries_are_straight_and_stay_at_any_temperature():
    x, y = load_iris()
    petals = x[:, 2:]
    model = fit(petals, y)
    with minigrad.no_grad():
        ends = petals[[0, 149]]
        middle = model(ends.mean(0, keepdim=True))
        np.testing.assert_allclose(middle.numpy()[0], model(ends).numpy().mean(0), atol=1e-4)  # scores are affine
        sure, unsure = (model(petals) / 0.5).softmax(1), (model(petals) / 5).softmax(1)
    assert (sure.argmax(1) == unsure.argmax(1)).all()
    assert (sure.max(1).values >= unsure.max(1).values).all()


def test_the_held_out_part_has_no_say_in_the_scale():
    model = fit(minigrad.tensor([[0.0], [2.0], [4.0]]), minigrad.tensor([0, 1, 1]), steps=1)
    assert isinstance(model[0], Standardize)
    assert (model[0].mean.item(), model[0].std.item()) == (2.0, 2.0)


def test_irises_held_out():
    """≥ 95 % of the irises by 5-fold cross-validation, the mean of five seeds; and the surer, the more often right."""
    x, y = load_iris()
    found = [held_out_probabilities(x, y, seed) for seed in range(5)]
    for probabilities in found:
        np.testing.assert_allclose(probabilities.sum(1).numpy(), 1, atol=1e-6)
    accuracies = [accuracy(probabilities, y) for probabilities in found]
    assert np.mean(accuracies) >= 0.95, accuracies
    assert min(accuracies) >= 0.94, accuracies
    p = np.concatenate([probabilities.numpy() for probabilities in found])
    right = p.argmax(1) == np.tile(y.numpy(), 5)
    groups = [right[(p.max(1) >= low) & (p.max(1) < high)].mean() for low, high in ((0.3, 0.7), (0.7, 0.9), (0.9, 1.1))]
    assert groups == sorted(groups)
    assert np.array_equal(found[0].numpy(), held_out_probabilities(x, y, 0).numpy())
