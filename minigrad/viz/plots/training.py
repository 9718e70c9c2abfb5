"""Pictures of training: the loss curve and the confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from minigrad.errors import describe
from minigrad.viz.plots.common import (
    COLOURS,
    INK,
    MARKS,
    SOFT,
    figure_of,
    finish,
    heading,
    legend,
    plain,
    settings,
    start,
)

__all__ = ["confusion_matrix", "loss_curve"]

MOST_MARKED = 40  # points beyond which a curve is drawn without marks
MOST_WRITTEN = 20  # classes beyond which a matrix is drawn without numbers


def loss_curve(history, path=None, *, title="Training", xlabel="epoch", every=1):
    """loss_curve(history, path=None) -> Figure.  How loss, and accuracy if it is there, went from epoch to epoch.

    history  what `Trainer.fit` returned, or the `Trainer`; a list of dicts, one for each epoch, as ``[{"loss": 0.9,
             "test_loss": 1.0, "accuracy": 0.7}, ...]``; a dict of lists of one length; or a list of numbers, the loss.
             What has ``acc`` in its name is drawn on an axis of its own, in percent; what starts with ``test`` or
             ``val`` is dashed. Several runs to compare: ``{"plain": history, "dropout": history, ...}``
    path     where to save it, too (.png, .svg or .pdf); the file appears whole or not at all
    title    what stands above
    xlabel   what is counted below, if it is not epochs: ``"step"``
    every    how many of them lie between two points (int): ``xlabel="step", every=5`` puts the points at 5, 10, 15 ...

    Raises ValueError for an empty history, `every` below 1, lists of different lengths or another ending, TypeError for
    what is no number (`every`: no int), ModuleNotFoundError without matplotlib, OSError where the file can't be
    written.
    """
    target = start(path, "loss_curve()")
    if isinstance(every, bool) or not isinstance(every, int):
        raise TypeError(f"loss_curve(): argument 'every' must be int, not {type(every).__name__}")
    if every < 1:
        raise ValueError(f"loss_curve(): argument 'every': got {every}; expected at least 1")
    runs = {"": _curves(history)} if not _is_several(history) else {str(k): _curves(run) for k, run in history.items()}
    sorts = [("loss", lambda name: "acc" not in name.lower()), ("accuracy", lambda name: "acc" in name.lower())]
    groups = [(what, [c for c in _drawn(runs) if belongs(c[0])]) for what, belongs in sorts]
    groups = [(what, curves) for what, curves in groups if curves]
    with settings():
        figure = figure_of(5.2 * len(groups), 3.8)
        for k, (what, curves) in enumerate(groups):
            _plot_curves(figure.add_subplot(1, len(groups), k + 1), what, curves, xlabel, every)
        heading(figure, title)
        return finish(figure, target, "loss_curve()")


def confusion_matrix(matrix, labels=None, path=None, *, title="Confusion matrix"):
    """confusion_matrix(matrix, labels=None, path=None) -> Figure.  Which class was taken for which.

    matrix  (classes, classes) of counts, an array or a Tensor: row the true class, column the predicted one
    labels  names of the classes; their numbers if not given
    path    where to save it, too (.png, .svg or .pdf); the file appears whole or not at all
    title   what stands above

    A cell is the darker the larger its share of its row; the numbers are counts. Raises ValueError for a matrix that is
    not square or holds negative numbers, for labels of another count or another ending, ModuleNotFoundError without
    matplotlib, OSError where the file can't be written.
    """
    target = start(path, "confusion_matrix()")
    counts = np.asarray(getattr(matrix, "array", matrix))
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ValueError(f"confusion_matrix(): expected a square matrix of counts, got shape {list(counts.shape)}")
    if counts.dtype.kind not in "iufb" or not np.all(counts >= 0):
        raise ValueError("confusion_matrix(): expected counts, numbers of at least 0")
    names = [str(name) for name in (range(len(counts)) if labels is None else labels)]
    if len(names) != len(counts):
        raise ValueError(f"confusion_matrix(): got {len(names)} labels for {len(counts)} classes; give one for each")
    with settings():
        side = min(2.6 + 0.42 * len(names), 12.0)
        figure = figure_of(side + 0.7, side, "compressed")
        _plot_matrix(figure, figure.add_subplot(), counts, names, title)
        return finish(figure, target, "confusion_matrix()")


def _is_several(history):
    return isinstance(history, Mapping) and any(
        isinstance(run, Mapping) or hasattr(run, "history") for run in history.values()
    )


def _drawn(runs):
    """[(name, label, values, colour)]: alone each curve has a colour, beside others each run."""
    return [
        (
            name,
            ": ".join(filter(None, (run, name.replace("_", " ")))),
            values,
            COLOURS[(k if run else j) % len(COLOURS)],
        )
        for k, (run, curves) in enumerate(runs.items())
        for j, (name, values) in enumerate(curves.items())
    ]


def _curves(history):
    """{name: its values}, from any of the forms that `loss_curve` takes of one run."""
    history = getattr(history, "history", history)
    if isinstance(history, Mapping):
        curves = {str(name): list(values) for name, values in history.items()}
    elif isinstance(history, Sequence) and history and all(isinstance(row, Mapping) for row in history):
        names = dict.fromkeys(name for row in history for name in row)
        curves = {str(name): [row.get(name, np.nan) for row in history] for name in names}
        curves.pop("epoch", None)
    else:
        curves = {"loss": list(history)}
    lengths = {len(values) for values in curves.values()}
    if len(lengths) != 1 or 0 in lengths:
        raise ValueError(
            f"loss_curve(): argument 'history': got curves of {sorted(lengths)} points; expected one length, at least 1"
        )
    return {name: [_number(value, name) for value in values] for name, values in curves.items()}


def _number(value, name):
    try:
        return float(value)
    except (TypeError, ValueError):
        text = f"loss_curve(): argument 'history': {name!r} holds {describe(value)}; expected numbers"
        raise TypeError(text) from None


def _plot_curves(axes, what, curves, xlabel, every):
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for k, (name, label, values, colour) in enumerate(curves):
        second = name.lower().startswith(("test", "val"))
        axes.plot(
            every * np.arange(1, len(values) + 1), values, color=colour, linewidth=2, marker=MARKS[k % len(MARKS)],
            markersize=4.5 if len(values) <= MOST_MARKED else 0, linestyle="--" if second else "-", label=label,
        )  # fmt: skip
    axes.set_xlabel(xlabel)
    axes.set_title(what, loc="left", fontsize=11, color=SOFT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if what == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    plain(axes)
    if [label for _, label, *_ in curves] != [what]:
        legend(axes)


def _plot_matrix(figure, axes, counts, names, title):
    from matplotlib.ticker import PercentFormatter

    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    image = axes.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    turned = max(map(len, names)) > 3
    axes.set_xticks(range(len(names)), names, rotation=40 if turned else 0, ha="right" if turned else "center")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(0.5, len(names) - 1), minor=True)
    axes.set_yticks(np.arange(0.5, len(names) - 1), minor=True)
    axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="minor", length=0)
    if len(names) <= MOST_WRITTEN:
        for (row, column), count in np.ndenumerate(counts):
            if count:
                ink = "white" if shares[row, column] > 0.55 else INK
                axes.text(column, row, f"{count:g}", ha="center", va="center", color=ink, fontsize=9)
    right = f": {np.trace(counts) / counts.sum():.1%} right" if counts.sum() else ""
    axes.set_title(f"{title}{right}", loc="left", weight="bold", color=INK, fontsize=11)
    bar = figure.colorbar(image, ax=axes, fraction=0.046, pad=0.03, format=PercentFormatter(1.0))
    bar.set_label("share of the true class", color=SOFT)
    bar.outline.set_visible(False)
