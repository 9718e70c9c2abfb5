"""Pictures of training: the loss curve and the confusion matrix, with matplotlib (extra `plots`).

Each function gives a matplotlib `Figure`, which shows itself in a notebook, and saves it if a path is given.  `pyplot`
is not used: no window opens, and the user's own figures and settings stay as they are.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np

from minigrad.errors import describe
from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.graph.raster import FAMILIES, require_matplotlib

__all__ = ["confusion_matrix", "loss_curve"]

ENDINGS = ("png", "svg", "pdf")
INK, SOFT, GRID = "#1d242e", "#59636f", "#e3e7ec"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")  # Okabe and Ito, blue and vermilion first
MARKS = ("o", "s", "^", "D", "v", "P")
MOST_MARKED = 40  # points beyond which a curve is drawn without marks
MOST_WRITTEN = 20  # classes beyond which a matrix is drawn without numbers


def loss_curve(history, path=None, *, title="Training"):
    """loss_curve(history, path=None) -> Figure.  How loss, and accuracy if it is there, went from epoch to epoch.

    history  a list of dicts, one for each epoch, as ``[{"loss": 0.9, "test_loss": 1.0, "accuracy": 0.7}, ...]``; or a
             dict of lists of one length; or a list of numbers, the loss. What has ``acc`` in its name is drawn on an
             axis of its own, in percent; what starts with ``test`` or ``val`` is dashed
    path     where to save it, too (.png, .svg or .pdf); the file appears whole or not at all
    title    what stands above

    Raises ValueError for an empty history, lists of different lengths or another ending, TypeError for what is no
    number, ModuleNotFoundError without matplotlib, OSError where the file can't be written.
    """
    require_matplotlib("loss_curve()")
    curves = _curves(history)
    target = None if path is None else checked_path(path, ENDINGS, "loss_curve()")
    losses = {name: ys for name, ys in curves.items() if "acc" not in name.lower()}
    accuracies = {name: ys for name, ys in curves.items() if "acc" in name.lower()}
    groups = [(what, group) for what, group in (("loss", losses), ("accuracy", accuracies)) if group]
    with _settings():
        figure = _figure(5.2 * len(groups), 3.8, "constrained")
        for k, (what, group) in enumerate(groups):
            _plot_curves(figure.add_subplot(1, len(groups), k + 1), what, group)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", color=INK)
        return _finish(figure, target, "loss_curve()")


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
    require_matplotlib("confusion_matrix()")
    counts = np.asarray(getattr(matrix, "array", matrix))
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.size:
        raise ValueError(f"confusion_matrix(): expected a square matrix of counts, got shape {list(counts.shape)}")
    if counts.dtype.kind not in "iufb" or not np.all(counts >= 0):
        raise ValueError("confusion_matrix(): expected counts, numbers of at least 0")
    names = [str(name) for name in (range(len(counts)) if labels is None else labels)]
    if len(names) != len(counts):
        raise ValueError(f"confusion_matrix(): got {len(names)} labels for {len(counts)} classes; give one for each")
    target = None if path is None else checked_path(path, ENDINGS, "confusion_matrix()")
    with _settings():
        side = min(2.6 + 0.42 * len(names), 12.0)
        figure = _figure(side + 0.7, side, "compressed")
        _plot_matrix(figure, figure.add_subplot(), counts, names, title)
        return _finish(figure, target, "confusion_matrix()")


def _curves(history):
    """{name: its values}, from any of the forms that `loss_curve` takes."""
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


def _plot_curves(axes, what, curves):
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    for k, (name, values) in enumerate(curves.items()):
        second = name.lower().startswith(("test", "val"))
        mark = MARKS[k % len(MARKS)] if len(values) <= MOST_MARKED else None
        axes.plot(
            range(1, len(values) + 1), values, color=COLOURS[k % len(COLOURS)], linewidth=2, marker=mark,
            markersize=4.5, linestyle="--" if second else "-", label=name.replace("_", " "),
        )  # fmt: skip
    axes.set_xlabel("epoch")
    axes.set_title(what, loc="left", fontsize=11, color=SOFT)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    if what == "accuracy":
        axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(color=GRID)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    if len(curves) > 1 or what not in curves:
        axes.legend(frameon=False)


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


def _settings():
    """Our look, for these figures only."""
    import matplotlib
    from matplotlib import font_manager

    present = set(font_manager.get_font_names())
    return matplotlib.rc_context(
        {
            "font.family": [name for name in FAMILIES if name in present], "font.size": 10, "text.color": INK,
            "axes.labelcolor": SOFT, "xtick.color": SOFT, "ytick.color": SOFT, "axes.edgecolor": SOFT,
            "pdf.fonttype": 42, "svg.fonttype": "path", "svg.hashsalt": "minigrad",
        }
    )  # fmt: skip


def _figure(wide, high, layout):
    from matplotlib.figure import Figure

    return Figure(figsize=(wide, high), layout=layout, facecolor="white")


def _finish(figure, path, who):
    """Save the figure if asked to. No date is written, so the same numbers give the same bytes."""
    if path is not None:
        form = path.suffix.lower().lstrip(".")
        out = io.BytesIO()
        dates = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(form)
        figure.savefig(out, format=form, dpi=160, metadata=dates)
        write_whole(path, out.getvalue(), who)
    return figure
