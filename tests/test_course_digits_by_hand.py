"""Chapter 7: note 003's network trains by hand, is minigrad's to twelve digits, and fails with equal weights."""

import numpy as np
import pytest

import minigrad
from minigrad import nn
from notebooks.scripts.digits_by_hand import forward, initial, load, make_model, step_by_hand, train_by_engine
from notebooks.scripts.digits_by_hand import train_by_hand as train


def test_inputs_targets_and_weights_are_those_of_the_note():
    (x, labels, targets), (_, held_out, _) = load(0)
    assert (len(x), len(held_out)) == (1437, 360)
    assert (x.min(), x.max()) == pytest.approx((0.01, 1.0))
    assert set(np.unique(targets).round(6)) == {0.01, 0.99}
    assert (targets.argmax(axis=1) == labels).all()
    first, second = initial(0, (64, 400, 10))
    assert (first.shape, second.shape) == ((400, 64), (10, 400))
    assert first.std() == pytest.approx(1 / 8, rel=0.05)
    assert second.std() == pytest.approx(1 / 20, rel=0.05)
    assert initial(0)[0].tolist() != initial(1)[0].tolist()


def test_numpy_and_minigrad_give_the_same_numbers():
    (x, _, targets), _ = load(0)
    weights, model = initial(0), make_model(initial(0))
    for inputs, wanted in zip(x[:100], targets[:100]):
        step_by_hand(weights, inputs[:, None], wanted[:, None], 0.2)
    train_by_engine(model, x[:100], targets[:100], 0.2)
    for layer, w in zip(model[::2], weights):
        np.testing.assert_allclose(layer.weight.detach(), w, rtol=1e-12, atol=1e-14)
    assert np.abs(weights[0] - initial(0)[0]).max() > 1e-3


def test_the_shared_error_is_another_direction():
    """Both change the last layer alike (it has the error itself); below, only the chain rule's is the gradient."""
    (x, _, targets), _ = load(0)
    exact, shared = initial(0), initial(0)
    for weights, how in ((exact, True), (shared, False)):
        step_by_hand(weights, x[:1].T, targets[:1].T, 0.2, exact=how)
    np.testing.assert_array_equal(exact[1], shared[1])
    assert not np.allclose(exact[0], shared[0])
    w = minigrad.from_numpy(initial(0)[0]).requires_grad_()
    out = nn.functional.linear((w @ minigrad.from_numpy(x[0])).sigmoid(), minigrad.from_numpy(initial(0)[1])).sigmoid()
    (0.5 * (out - minigrad.from_numpy(targets[0])).square().sum()).backward()
    np.testing.assert_allclose(exact[0], initial(0)[0] - 0.2 * w.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_real_digits_are_learnt(seed):
    assert train(seed, epochs=4)[1][-1] > 0.88
    assert train(seed, epochs=4, exact=False)[1][-1] > 0.88


@pytest.mark.parametrize("seed", range(3))
def test_equal_weights_stay_equal_and_learn_nothing(seed):
    weights, curve = train(seed, epochs=3, same=True)
    np.testing.assert_allclose(weights[0], weights[0][:1].repeat(100, axis=0), rtol=1e-9)  # a hundred times one neuron
    assert not np.allclose(weights[0][0], weights[0][0][0])  # which has moved
    assert curve[-1] < 0.3
    assert forward(weights, load(seed)[1][0].T)[1].std(axis=0).max() < 1e-9


@pytest.mark.parametrize("seed", range(5))
def test_large_first_weights_learn_slowly_or_not_at_all(seed):
    """Spread 1 saturates the sigmoids, spread 3 more so."""
    good, large, huge = (train(seed, epochs=4, spread=spread)[1][-1] for spread in (None, 1.0, 3.0))
    assert large < good - 0.15
    assert huge < 0.35


@pytest.mark.parametrize("seed", range(5))
def test_the_margin_of_inputs_and_targets_is_a_precaution(seed):
    """Inputs from 0 and targets 0 and 1 do as well on these digits in a few passes, as the chapter says."""
    (x, _, targets), _ = load(seed, margin=0.0)
    assert (x.min(), x.max(), targets.min(), targets.max()) == (0, 1, 0, 1)
    assert train(seed, epochs=4, margin=0.0)[1][-1] == pytest.approx(train(seed, epochs=4)[1][-1], abs=0.03)


@pytest.mark.long
def test_twenty_epochs():
    assert min(train(seed)[1][-1] for seed in range(5)) > 0.92
