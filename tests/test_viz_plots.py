"""The pictures of training: what is in the figure, what is in the file, and what is refused."""

import numpy as np
import pytest

import minigrad
from minigrad.viz import plots

pytest.importorskip("matplotlib", reason="plots need matplotlib (extra 'plots')", exc_type=ModuleNotFoundError)

HISTORY = [
    {"loss": 2.0, "accuracy": 0.3, "test_loss": 2.1, "test_accuracy": 0.25},
    {"loss": 1.0, "accuracy": 0.6, "test_loss": 1.2, "test_accuracy": 0.55},
    {"loss": 0.5, "accuracy": 0.9, "test_loss": 0.8, "test_accuracy": 0.85},
]


def lines(axes):
    return {line.get_label(): list(line.get_ydata()) for line in axes.get_lines()}


def test_loss_and_accuracy_have_axes_of_their_own():
    loss, accuracy = plots.loss_curve(HISTORY).axes
    assert lines(loss) == {"loss": [2.0, 1.0, 0.5], "test loss": [2.1, 1.2, 0.8]}
    assert lines(accuracy) == {"accuracy": [0.3, 0.6, 0.9], "test accuracy": [0.25, 0.55, 0.85]}
    assert list(loss.get_lines()[0].get_xdata()) == [1, 2, 3]


def test_what_is_counted_below():
    (axes,) = plots.loss_curve([2.0, 1.0, 0.5], xlabel="step", every=5).axes
    assert axes.get_xlabel() == "step"
    assert list(axes.get_lines()[0].get_xdata()) == [5, 10, 15]
    assert plots.loss_curve([2.0, 1.0]).axes[0].get_xlabel() == "epoch"
    with pytest.raises(ValueError, match="'every': got 0; expected at least 1"):
        plots.loss_curve([2.0], every=0)
    with pytest.raises(TypeError, match="'every' must be int, not float"):
        plots.loss_curve([2.0], every=2.5)


FORMS = ([3.0, 2.0, 1.0], (3, 2, 1), np.array([3.0, 2.0, 1.0]), {"loss": [3.0, 2.0, 1.0]}, minigrad.tensor([3, 2, 1]))


@pytest.mark.parametrize("history", FORMS)
def test_the_forms_of_a_history(history):
    (axes,) = plots.loss_curve(history).axes
    assert lines(axes) == {"loss": [3.0, 2.0, 1.0]}


def test_a_missing_value_is_a_gap():
    (axes,) = plots.loss_curve([{"epoch": 1, "loss": 3.0}, {"epoch": 2, "loss": 2.0, "val_loss": 2.5}]).axes
    first, second = lines(axes)["val loss"]
    assert np.isnan(first)
    assert second == 2.5


@pytest.mark.parametrize(
    ("history", "error", "text"),
    [
        ([], ValueError, "expected one length, at least 1"),
        ({}, ValueError, "expected one length, at least 1"),
        ({"loss": [1, 2], "accuracy": [1]}, ValueError, r"curves of \[1, 2\] points"),
        (["a"], TypeError, "'loss' holds str 'a'; expected numbers"),
    ],
)
def test_histories_that_are_refused(history, error, text):
    with pytest.raises(error, match=text):
        plots.loss_curve(history)


def test_confusion_matrix_writes_counts_and_shades_shares():
    figure = plots.confusion_matrix([[8, 2], [0, 40]], ["cat", "dog"])
    axes = figure.axes[0]
    assert sorted(text.get_text() for text in axes.texts) == ["2", "40", "8"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[0.8, 0.2], [0.0, 1.0]])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["cat", "dog"]
    assert axes.get_title(loc="left") == "Confusion matrix: 96.0% right"


def test_a_class_that_never_occurs_and_many_classes():
    np.testing.assert_allclose(plots.confusion_matrix(minigrad.zeros(2, 2)).axes[0].images[0].get_array(), 0.0)
    assert not plots.confusion_matrix(np.eye(30, dtype=int)).axes[0].texts


@pytest.mark.parametrize(
    ("matrix", "labels", "text"),
    [
        ([[1, 2, 3]], None, r"expected a square matrix of counts, got shape \[1, 3\]"),
        ([1, 2], None, "expected a square matrix"),
        ([[1, -1], [0, 1]], None, "numbers of at least 0"),
        ([["a"]], None, "expected counts"),
        ([[1, 0], [0, 1]], ["only one"], "got 1 labels for 2 classes"),
    ],
)
def test_matrices_that_are_refused(matrix, labels, text):
    with pytest.raises(ValueError, match=text):
        plots.confusion_matrix(matrix, labels)


def test_runs_side_by_side_have_a_colour_each():
    runs = {"plain": {"loss": [3.0, 2.0], "val_loss": [3.0, 2.5]}, "dropout": [{"loss": 3.0, "val_loss": 2.9}]}
    (axes,) = plots.loss_curve(runs).axes
    drawn = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in axes.get_lines()}
    assert list(drawn) == ["plain: loss", "plain: val loss", "dropout: loss", "dropout: val loss"]
    assert drawn["plain: loss"][0] == drawn["plain: val loss"][0] != drawn["dropout: loss"][0]
    assert [style for _, style in drawn.values()] == ["-", "--", "-", "--"]


def test_a_trainer_and_what_fit_returns():
    from minigrad import nn, train

    minigrad.manual_seed(0)
    x = minigrad.randn(16, 2)
    trainer = train.Trainer(nn.Linear(2, 1), "SGD", "mse_loss", lr=0.1)
    history = trainer.fit(x, x.sum(1, keepdim=True), epochs=3, verbose=0)
    (of_trainer,), (of_history,) = plots.loss_curve(trainer).axes, plots.loss_curve(history).axes
    assert lines(of_trainer) == lines(of_history) == {"loss": history["loss"]}
