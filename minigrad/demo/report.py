"""What the demo leaves behind when training is over: the pictures, and index.html that shows them all."""

from __future__ import annotations

import importlib.util
import platform
from pathlib import Path

import numpy as np

import minigrad
from minigrad import viz
from minigrad.demo import page
from minigrad.demo.training import Training
from minigrad.nn.functional import cross_entropy
from minigrad.utils.data import DataLoader
from minigrad.viz.files import write_whole

LOSS, CONFUSION, GRAPH, INDEX = "loss.svg", "confusion.svg", "graph.svg", "index.html"
WRONG_SHOWN = 24


def write(training: Training, folder: Path, seconds: float, pictures: bool) -> list[tuple[str, str]]:
    """Write all that `folder` does not have yet; [(file, what it is)]."""
    predicted = training.predict(training.task.test).argmax(dim=1).numpy()
    expected = training.task.test.tensors[1].numpy()
    drawn = draw(training, confusion_counts(expected, predicted, len(training.task.labels)), folder) if pictures else []
    text = page.render(
        training.task,
        training.rows,
        pictures=drawn,
        wrong=mistakes(training, expected, predicted),
        facts=facts(training, seconds),
    )
    write_whole(folder / INDEX, text.encode(), who="minigrad demo")
    return [(INDEX, "everything on one page"), *drawn]


def draw(training: Training, counts: np.ndarray, folder: Path) -> list[tuple[str, str]]:
    """The pictures, as [(file, what it shows)]; the two that need matplotlib only where it is installed."""
    drawn = []
    if can_plot():
        from minigrad.viz import plots

        curves = {name: values for name, values in training.history.items() if name != "lr"}
        plots.loss_curve(curves, folder / LOSS)
        plots.confusion_matrix(counts, training.task.labels, folder / CONFUSION)
        drawn += [
            (LOSS, "loss and accuracy over the epochs"),
            (CONFUSION, "what was taken for what, on the test set"),
        ]
    viz.draw(loss_of_one_batch(training), params=dict(training.task.model.named_parameters())).save(folder / GRAPH)
    return [*drawn, (GRAPH, "the recorded graph of one batch, with its gradients")]


def can_plot() -> bool:
    return importlib.util.find_spec("matplotlib") is not None


def loss_of_one_batch(training: Training):
    """A loss whose graph still stands after its backward pass."""
    training.task.model.train()
    training.optimizer.zero_grad()
    x, y = next(iter(DataLoader(training.task.train, batch_size=training.task.batch_size)))
    loss = cross_entropy(training.task.model(x), y)
    loss.backward(retain_graph=True)
    return loss


def confusion_counts(expected: np.ndarray, predicted: np.ndarray, classes: int) -> np.ndarray:
    """counts[i, j]: how many examples of class i were taken for class j."""
    return np.bincount(expected * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def mistakes(training: Training, expected: np.ndarray, predicted: np.ndarray) -> list[tuple[np.ndarray, str, str]]:
    """The first test examples it got wrong: (values, what it is, what it was taken for)."""
    labels, values = training.task.labels, training.task.test.tensors[0].numpy()
    wrong = np.flatnonzero(expected != predicted)[:WRONG_SHOWN]
    return [(values[i], labels[expected[i]], labels[predicted[i]]) for i in wrong]


def facts(training: Training, seconds: float) -> list[tuple[str, str]]:
    task, parameters = training.task, sum(p.numel() for p in training.task.model.parameters())
    return [
        ("data", f"{len(task.train):,} {task.subject} to learn from, {len(task.test):,} others to test on"),
        ("source", task.source),
        ("network", f"{task.architecture} of {parameters:,} parameters"),
        ("training", f"{training.wanted} epochs of {len(training.loader)} batches of {task.batch_size}, AdamW"),
        ("seed", str(training.seed)),
        ("time", f"{seconds:.1f} s"),
        ("made with", f"minigrad {minigrad.__version__}, Python {platform.python_version()}, NumPy {np.__version__}"),
    ]
