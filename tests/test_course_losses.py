"""Chapter 4 of the course: the numbers of the study notes, the two ways to each loss, and what it says of losses."""

import numpy as np
import pytest

import minigrad
from minigrad import distributions, nn
from minigrad.nn import functional as F
from notebooks.scripts import losses as program

SEEDS = range(5)
X, Y = np.array([2.5, 0.5, 2.0, 8.0]), np.array([3.0, 0.4, 2.0, 7.0])


def test_the_notes_cross_entropy_is_of_base_ten():
    q = minigrad.tensor([0.70, 0.20, 0.04], dtype=minigrad.float64)
    one_hot = F.one_hot(minigrad.tensor(0), 3)
    assert round(-(one_hot * q.log10()).sum().item(), 4) == 0.1549
    assert round(-(one_hot * q.log()).sum().item(), 4) == 0.3567


def test_the_notes_mean_of_three_is_of_base_e():
    rows = minigrad.tensor([[0.6, 0.3, 0.1], [0.2, 0.6, 0.2], [0.5, 0.2, 0.3]], dtype=minigrad.float64)
    labels = minigrad.tensor([0, 1, 2])
    each = nn.NLLLoss(reduction="none")(rows.log(), labels)
    assert each.numpy().round(2).tolist() == [0.51, 0.51, 1.20]
    assert round((0.51 + 0.51 + 1.20) / 3, 2) == 0.74
    for loss in (nn.NLLLoss(), nn.CrossEntropyLoss()):
        assert round(loss(rows.log(), labels).item(), 2) == 0.74


def test_the_gradient_of_cross_entropy_is_probability_minus_one_hot():
    logits = minigrad.tensor([0.70, 0.20, 0.10], dtype=minigrad.float64).log().requires_grad_()
    F.cross_entropy(logits, minigrad.tensor(0)).backward()
    np.testing.assert_allclose(logits.grad.numpy(), [-0.3, 0.2, 0.1], atol=1e-12)


@pytest.mark.parametrize(
    ("loss", "by_hand"),
    [
        (nn.MSELoss(), np.mean((X - Y) ** 2)),
        (nn.RMSELoss(), np.sqrt(np.mean((X - Y) ** 2))),
        (nn.L1Loss(), np.mean(abs(X - Y))),
        (nn.MAPELoss(), np.mean(abs(X - Y) / Y)),
        (nn.MSLELoss(), np.mean((np.log(1 + X) - np.log(1 + Y)) ** 2)),
        (nn.HuberLoss(delta=0.5), np.mean([0.125, 0.005, 0, 0.5 * (1 - 0.25)])),
        (nn.CosineSimilarity(dim=0), X @ Y / (np.linalg.norm(X) * np.linalg.norm(Y))),
    ],
    ids=lambda value: type(value).__name__,
)
def test_distances_by_hand(loss, by_hand):
    assert loss(minigrad.tensor(X), minigrad.tensor(Y)).item() == pytest.approx(by_hand, rel=1e-9)


def test_hinge_by_hand():
    scores, sides = minigrad.tensor([2.0, 0.3, -0.5, 0.8]), minigrad.tensor([1.0, 1.0, -1.0, -1.0])
    np.testing.assert_allclose(nn.HingeLoss(reduction="none")(scores, sides).numpy(), [0, 0.7, 0.5, 1.8], rtol=1e-6)


def test_losses_are_minus_log_p():
    x, y = minigrad.tensor(X), minigrad.tensor(Y)
    p, yes = minigrad.tensor([0.9, 0.2, 0.6]), minigrad.tensor([1.0, 0.0, 0.0])
    logits, labels = minigrad.tensor([[1.0, 2.0, 0.5], [0.1, -3.0, 2.0]]), minigrad.tensor([1, 2])
    counts = minigrad.tensor([0.0, 2.0, 1.0, 5.0], dtype=minigrad.float64)
    for distribution, target, loss in (
        (distributions.Normal(x, 1.0), y, F.mse_loss(x, y) / 2 + np.log(2 * np.pi) / 2),
        (distributions.Normal(x, 3.0), y, F.gaussian_nll_loss(x, y, x * 0 + 9.0, full=True)),
        (distributions.Laplace(x, 1.0), y, F.l1_loss(x, y) + np.log(2)),
        (distributions.Bernoulli(p), yes, F.binary_cross_entropy(p, yes)),
        (distributions.Categorical(logits=logits), labels, F.cross_entropy(logits, labels)),
        (distributions.Poisson(x), counts,
         F.poisson_nll_loss(x.log(), counts) + minigrad.lgamma(counts + 1).mean()),
    ):  # fmt: skip
        assert -distribution.log_prob(target).mean().item() == pytest.approx(loss.item(), rel=1e-6), distribution


def test_squared_error_alone_is_pulled_away_by_typing_errors():
    for seed in range(3):
        errors = {name: program.error_after_typos(loss(), seed) for name, loss in program.DISTANCES.items()}
        clean = {name: program.error_after_typos(loss(), seed, share=0.0) for name, loss in program.DISTANCES.items()}
        assert errors["MSE"] > 0.8
        assert errors["MAE"] < 0.3
        assert errors["Huber"] < 0.3
        assert max(clean.values()) < 1.2 * min(clean.values())


def test_squared_error_of_probabilities_is_stuck_where_it_is_sure_and_wrong():
    cross_entropy, squared = program.CLASSIFIERS.values()
    for seed in SEEDS:
        assert program.digits_after(cross_entropy, seed, epochs=5) > 0.85
        assert program.digits_after(squared, seed, epochs=5) < 0.3
    for seed in range(3):
        for loss in (cross_entropy, squared):
            assert program.digits_after(loss, seed, epochs=10, sure=0.0) > 0.9
        assert program.digits_after(squared, seed, epochs=40) > 0.9  # in the end it gets out


def test_the_best_constant_is_the_mean_for_mse_and_the_median_for_mae():
    y = minigrad.tensor([0.0, 1.0, 2.0, 3.0, 44.0])
    grid = minigrad.linspace(0, 20, 2001)[:, None]
    best = {}
    for name, loss in (("mean", F.mse_loss), ("median", F.l1_loss)):
        best[name] = grid[loss(grid.expand(-1, 5), y.expand(2001, -1), reduction="none").mean(1).argmin()].item()
    assert best == pytest.approx({"mean": 10.0, "median": 2.0}, abs=1e-3)
