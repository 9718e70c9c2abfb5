"""Chapter 13, overfitting: the cures by hand, and that each of them lowers the loss on digits that were held out."""

import functools

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, train
from minigrad.nn import functional as F
from notebooks.scripts.overfitting import CURES, Shaken, deal, moved, network, run, shake

SEEDS = range(5)


@functools.cache
def runs(name, epochs=80):
    """Trained once for each seed: [(trainer, figures on the 600 digits)]."""
    return [run(seed, epochs, **CURES[name]) for seed in SEEDS]


def judged(name, epochs=80):
    """(5,): the loss on the 600 digits, seed by seed."""
    return np.array([figures["cross_entropy"] for _, figures in runs(name, epochs)])


def watched(name, epochs=80):
    """(5,): the validation loss, without penalties, of the weights that a run ends with (early stopping: the best)."""
    ends = min if "patience" in CURES[name] else lambda history: history[-1]
    return np.array([ends(trainer.history["val_cross_entropy"]) for trainer, _ in runs(name, epochs)])


@pytest.mark.parametrize("name", [name for name in CURES if name != "none"])
def test_each_cure_lowers_the_loss(name):
    """On the 200 validation digits and on 600 that nothing looked at, the mean of five seeds, and in most of them; with
    fewer passes than the chapter has."""
    plain, cured = judged("none"), judged(name)
    assert cured.mean() < 0.93 * plain.mean(), (cured, plain)
    assert (cured < plain).sum() >= 4, (cured, plain)
    assert watched(name).mean() < 0.95 * watched("none").mean(), (watched(name), watched("none"))


@pytest.mark.long
@pytest.mark.parametrize("name", [name for name in CURES if name != "none"])
def test_each_cure_lowers_the_loss_of_the_chapter(name):
    """The numbers that the chapter and the program show."""
    plain, cured = judged("none", 120), judged(name, 120)
    assert cured.mean() < 0.9 * plain.mean(), (cured, plain)
    assert (cured < plain).sum() >= 4, (cured, plain)


def test_batch_norm_helps_without_the_noise_of_batches():
    """All 100 digits in one batch: their mean and deviation are the same in each step."""
    plain, normed = (
        np.mean([run(seed, 80, batch_norm=on, batch_size=100)[1]["cross_entropy"] for seed in SEEDS[:3]])
        for on in (False, True)
    )
    assert normed < 1.1 * judged("batch norm")[:3].mean()
    assert normed < 0.9 * plain


def test_augmentation_leaves_some_digits_as_they_are():
    """Half of them, and not none: the real ones are centred."""
    always = [run(seed, 80, augment=moved)[1]["cross_entropy"] for seed in SEEDS[:3]]
    assert np.mean(always) > 1.1 * judged("augmentation")[:3].mean()


def test_a_batch_at_once_is_what_its_digits_are_one_by_one():
    shaken = Shaken(*deal(0)[0], shake, copies=3)
    minigrad.manual_seed(0)
    at_once = shaken.__getitems__([5, 2, 90])
    minigrad.manual_seed(0)
    for (x, y), index in zip(at_once, [5, 2, 90]):
        assert minigrad.equal(x, shaken[index][0])
        assert y == shaken.y[index]


def test_without_a_cure_it_is_learned_by_heart():
    """Training loss goes to zero, validation loss turns and rises."""
    histories = [trainer.history for trainer, _ in runs("none")]
    assert all(history["loss"][-1] < 0.005 for history in histories)
    rises = [history["val_loss"][-1] - min(history["val_loss"]) for history in histories]
    assert np.mean(rises) > 0.01, rises
    assert all(np.argmin(history["val_loss"]) < 60 for history in histories)


def test_nonsense_is_remembered_and_not_understood():
    for seed in range(2):
        (x, _), _, judge = deal(seed)
        minigrad.manual_seed(seed)
        trainer = train.Trainer(network(), "Adam", "cross_entropy", ["accuracy"], lr=0.003)
        labels = minigrad.randint(0, 10, (100,))
        trainer.fit(x, labels, epochs=120, batch_size=50, verbose=0)
        assert trainer.evaluate(x, labels)["accuracy"] >= 0.99
        assert trainer.evaluate(*judge)["accuracy"] < 0.2


def test_the_parts_share_no_digit():
    learn, look, judge = deal(0, labelled=400)
    rows = np.concatenate([part[0].flatten(1).numpy() for part in (learn, look, judge)])
    assert len(np.unique(rows, axis=0)) == len(rows) == 1200
    assert np.array_equal(deal(0)[0][0].numpy(), learn[0][:100].numpy())
    assert not np.array_equal(deal(1)[0][0].numpy(), learn[0][:100].numpy())


def test_batch_norm_is_the_two_formulas_of_note_002():
    minigrad.manual_seed(0)
    x = (3 * minigrad.randn(6, 4) + 5).double()
    norm = nn.BatchNorm1d(4).double()
    with minigrad.no_grad():
        norm.weight.copy_(minigrad.tensor([1.0, 2.0, 0.5, 1.0]))
        norm.bias.copy_(minigrad.tensor([0.0, 1.0, 0.0, -1.0]))
    mu, var = x.mean(0), ((x - x.mean(0)) ** 2).mean(0)
    x_hat = (x - mu) / (var + norm.eps).sqrt()
    np.testing.assert_allclose(x_hat.mean(0).numpy(), 0, atol=1e-12)
    np.testing.assert_allclose((x_hat**2).mean(0).numpy(), 1, rtol=1e-4)
    z = norm.weight * x_hat + norm.bias
    np.testing.assert_allclose(z.detach().numpy(), norm(x).detach().numpy(), atol=1e-12)
    np.testing.assert_allclose(norm.running_mean.numpy(), 0.1 * mu.numpy())
    np.testing.assert_allclose(norm.running_var.numpy(), 0.9 + 0.1 * x.var(0).numpy())


def test_dropout_by_hand():
    h, p = minigrad.ones(40, 50), 0.5
    minigrad.manual_seed(0)
    by_hand = h * minigrad.empty(h.shape).bernoulli_(1 - p) / (1 - p)
    minigrad.manual_seed(0)
    dropout = nn.Dropout(p)
    assert minigrad.equal(dropout(h), by_hand)
    assert by_hand.mean().item() == pytest.approx(1, abs=0.07)
    assert minigrad.equal(dropout.eval()(h), h)


def test_penalties_by_hand():
    w = minigrad.tensor([2.0, -0.5, 0.1], requires_grad=True)
    (0.1 * w.square().sum()).backward()
    assert w.grad.tolist() == pytest.approx([0.4, -0.1, 0.02])
    w.grad = None
    (0.1 * w.abs().sum()).backward()
    assert w.grad.tolist() == pytest.approx([0.1, -0.1, 0.1])


def test_l2_is_weight_decay_for_sgd():
    minigrad.manual_seed(0)
    a, b = nn.Linear(3, 1, bias=False), nn.Linear(3, 1, bias=False)
    b.load_state_dict(a.state_dict())
    inputs, targets = minigrad.ones(2, 3), minigrad.zeros(2, 1)
    sgd = optim.SGD(a.parameters(), lr=0.1, weight_decay=0.02)
    F.mse_loss(a(inputs), targets).backward()
    sgd.step()
    trainer = train.Trainer(b, optim.SGD(b.parameters(), lr=0.1), "mse_loss", l2=0.01)
    trainer.fit(inputs, targets, verbose=0)
    np.testing.assert_allclose(a.weight.detach().numpy(), b.weight.detach().numpy(), rtol=1e-6)


def test_l1_leaves_more_weights_near_zero():
    for seed in SEEDS:
        near = []
        for name in ("none", "L2 penalty", "L1 penalty"):
            trainer, _ = runs(name)[seed]
            weights = np.concatenate([p.detach().numpy().ravel() for p in trainer.model.parameters() if p.ndim > 1])
            near.append((np.abs(weights) < 0.001).mean())
        assert near == sorted(near)
        assert near[2] > 5 * near[0]
