"""Chapter 1 of the course: backpropagation by hand, by the engine, and by the book's redistribution."""

import numpy as np
import pytest

from minigrad.scalar import Value
from notebooks.scripts.backpropagation import backward, bce, by_engine, forward, largest_difference, losses, train

INPUTS = np.array([[0.9], [0.1], [0.8]])
WEIGHTS = [
    np.array([[0.9, 0.3, 0.4], [0.2, 0.8, 0.2], [0.1, 0.5, 0.6]]),
    np.array([[0.3, 0.7, 0.5], [0.6, 0.5, 0.2], [0.8, 0.1, 0.9]]),
]
TARGETS = np.array([[0.01], [0.99], [0.01]])


def test_the_books_forward_pass():
    _, hidden, outputs = forward(WEIGHTS, INPUTS)
    np.testing.assert_allclose(hidden[:, 0], [0.761, 0.603, 0.650], atol=6e-4)
    np.testing.assert_allclose(outputs[:, 0], [0.726, 0.708, 0.778], atol=6e-4)


@pytest.mark.parametrize("seed", range(5))
def test_hand_and_engine_agree(seed):
    assert largest_difference(seed) < 1e-14
    assert largest_difference(seed, sizes=(3, 7, 5, 2)) < 1e-14


@pytest.mark.parametrize("seed", range(5))
def test_the_books_redistribution_is_another_losss_gradient(seed):
    """Exact in the last layer, not in the hidden one; there it is the gradient of the cross-entropy."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(8, 4)), rng.normal(size=(3, 8))]
    inputs, targets = rng.uniform(size=(4, 5)), rng.uniform(0.01, 0.99, size=(3, 5))
    gradient, book = backward(weights, inputs, targets), backward(weights, inputs, targets, book=True)
    np.testing.assert_array_equal(book[1], gradient[1])
    assert np.linalg.norm(book[0] - gradient[0]) > 0.5 * np.linalg.norm(gradient[0])
    np.testing.assert_allclose(book[0], by_engine(weights, inputs, targets, bce)[0], rtol=1e-9, atol=1e-12)


def test_deeper_it_is_no_gradient_of_the_two():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(6, 4)), rng.normal(size=(5, 6)), rng.normal(size=(3, 5))]
    inputs, targets = rng.uniform(size=(4, 5)), rng.uniform(0.01, 0.99, size=(3, 5))
    book = backward(weights, inputs, targets, book=True)
    for other in (backward(weights, inputs, targets), by_engine(weights, inputs, targets, bce)):
        assert np.linalg.norm(book[0] - other[0]) > 0.5 * np.linalg.norm(other[0])


def test_node_by_node():
    """The walk of section 3: paths that meet are added."""
    a, b = Value(2.0), Value(-3.0)
    s = a + b
    result = s * a
    result.grad = 1.0
    result._backward()
    assert (s.grad, a.grad, b.grad) == (2.0, -1.0, 0)
    s._backward()
    assert (s.grad, a.grad, b.grad) == (2.0, 1.0, 2.0)


def test_on_iris_the_larger_rate_hurts_the_book_not_the_gradient():
    """Right of 30 held-out irises, means of five seeds: close at a small rate, far apart at a larger one."""
    means = {
        (lr, book): np.mean([train(seed, 60, lr, book=book) for seed in range(5)])
        for lr in (0.1, 0.3)
        for book in (False, True)
    }
    assert min(means[0.1, False], means[0.1, True], means[0.3, False]) > 0.9
    assert abs(means[0.1, False] - means[0.1, True]) < 0.04
    assert means[0.3, False] - means[0.3, True] > 0.05


@pytest.mark.parametrize("seed", range(5))
def test_a_rate_can_be_too_small_and_too_large(seed):
    small, good, large = (losses(rate, seed) for rate in (0.3, 10.0, 100.0))
    assert good[-1] < 0.6 * small[-1]
    assert max(small[1:]) < small[0]
    assert max(good[1:]) < good[0]
    assert max(large[1:]) > large[0]
