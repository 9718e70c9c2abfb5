"""Where a classifier of points in the plane changes its mind."""

from __future__ import annotations

import numpy as np

from minigrad.errors import describe, shape_text
from minigrad.viz.plots.common import (
    INK,
    MARKS,
    as_array,
    checked_model,
    colour,
    fault,
    figure_of,
    finish,
    heading,
    legend,
    mixed,
    outputs_of,
    percent,
    points_of,
    settings,
    start,
    undisturbed,
    view_of,
    words,
)

__all__ = ["decision_boundary"]

WHO = "decision_boundary()"
MOST_STEPS = 100  # different values of a model that is taken to be made of steps
DEEPEST = 0.44  # how strongly a colour fills where the model is sure


def decision_boundary(
    model, X, y=None, path=None, *, labels=None, margin=1.0, bounds=None, resolution=240, names=("x₁", "x₂"),
    title="Decision boundary",
):  # fmt: skip
    """decision_boundary(model, X, y=None, path=None) -> Figure.  The regions of the classes, and the points in them.

    model   a Module or a function: of points (N, 2) it gives scores or probabilities of classes (N, classes), or one
            logit (boundary at 0) or probability (boundary at 0.5; all outputs are in [0, 1]) a point, (N,) or (N, 1)
    X       points (N, 2): a Tensor, an array or lists
    y       their classes, (N,): 0, 1, ...; of two classes also False and True, or -1 and 1; or one-hot (N, classes).
            What the model takes for another class is ringed, and the share that is right stands above
    path    where to save it, too (.png, .svg or .pdf)
    labels  names of the classes
    margin  dashed lines where the best class leads the next by this logit (for two: the logit is ±margin, as the margin
            of a support vector machine; with 1.0 a probability of 0.73); None for none
    bounds  ((left, right), (bottom, top)); around the points if not given
    resolution  points of the grid along each side
    names   of the two features

    The surer the model, the deeper the colour. The model is run in evaluation mode, without recording, and is left as
    it was. Raises ValueError for other shapes or classes, TypeError for what is no model or no numbers.
    """
    target = start(path, WHO)
    checked_model(model, WHO)
    points = points_of(X, WHO)
    view = view_of(points, bounds, WHO, around=0.12 if len(points) > 12 else 0.3)
    across, up = np.linspace(*view[0], resolution), np.linspace(*view[1], resolution)
    grid = np.stack(np.meshgrid(across, up), axis=-1).reshape(-1, 2)
    with undisturbed(model):
        scores = _scores(outputs_of(model, np.concatenate([grid, points]), WHO), len(grid) + len(points))
    classes = scores.shape[1]
    truth = None if y is None else _classes_of(y, len(points), classes)
    called = words(labels, classes, WHO)
    taken = scores[len(grid) :].argmax(axis=1)
    scores = scores[: len(grid)].reshape(resolution, resolution, classes)
    with settings():
        figure = figure_of(5.4 if truth is None else 6.2, 4.8)
        axes = figure.add_subplot()
        _fill(axes, view, scores)
        _lines(axes, across, up, scores, margin)
        _points(axes, points, truth, taken, called)
        axes.set(xlim=view[0], ylim=view[1], xlabel=names[0], ylabel=names[1])
        heading(figure, title, "" if truth is None else f"{percent((taken == truth).mean())} right")
        return finish(figure, target, WHO)


def _scores(outputs, count):
    """Log-odds of the classes, (count, classes), whatever the model gives: their differences are logits."""
    if outputs.dtype.kind not in "iufb" or outputs.shape[:1] != (count,) or outputs.ndim > 2 or not outputs.size:
        text = f"{WHO}: the model gave shape {shape_text(outputs.shape)} for {count} points"
        raise ValueError(f"{text}; expected ({count},), ({count}, 1) or ({count}, classes)")
    values = outputs.reshape(count, -1).astype(float)
    if not np.isfinite(values).all():
        raise ValueError(f"{WHO}: the model gave NaN or infinite numbers; look at its parameters")
    are_shares = values.min() >= 0.0 and values.max() <= 1.0
    if values.shape[1] == 1:
        values = np.log(np.clip(values, 1e-12, 1)) - np.log(np.clip(1 - values, 1e-12, 1)) if are_shares else values
        return np.concatenate([-values / 2, values / 2], axis=1)
    if are_shares and np.allclose(values.sum(axis=1), 1.0, atol=1e-4):
        return np.log(np.clip(values, 1e-12, 1))
    return values


def _classes_of(y, count, classes):
    """The true classes as numbers from 0."""
    given = as_array(y, WHO, "y", like="classes")
    if given.ndim == 2 and given.shape == (count, classes) and classes > 1:
        return given.argmax(axis=1)
    if given.size != count:
        raise ValueError(fault(WHO, "y", f"shape {shape_text(given.shape)}", f"a class for each of {count} points"))
    given = given.reshape(count)
    if classes == 2 and set(np.unique(given)) <= {-1, 1} and (given == -1).any():
        return (given > 0).astype(int)
    numbers = given.astype(int)
    if (numbers != given).any() or (numbers < 0).any() or (numbers >= classes).any():
        text = f"values such as {describe(given[(numbers != given) | (numbers < 0) | (numbers >= classes)][0].item())}"
        raise ValueError(fault(WHO, "y", text, f"classes 0 to {classes - 1}, as many as the model has outputs"))
    return numbers


def _fill(axes, view, scores):
    shares = np.exp(scores - scores.max(axis=2, keepdims=True))
    shares /= shares.sum(axis=2, keepdims=True)
    sure = (shares.max(axis=2) * scores.shape[2] - 1.0) / (scores.shape[2] - 1.0)
    best, picture = scores.argmax(axis=2), np.ones((*sure.shape, 3))
    for k in range(scores.shape[2]):
        here = best == k
        picture[here] = mixed("white", colour(k), DEEPEST * (0.15 + 0.85 * sure[here]))
    axes.imshow(picture, origin="lower", extent=view.ravel(), aspect="auto", interpolation="bilinear")


def _lines(axes, across, up, scores, margin):
    for k in range(scores.shape[2] - (scores.shape[2] == 2)):
        lead = scores[..., k] - np.delete(scores, k, axis=2).max(axis=2)
        if lead.min() < 0 < lead.max():
            axes.contour(across, up, _even(lead), [0.0], colors=INK, linewidths=1.8)
        if margin is None or len(np.unique(lead)) <= 2:  # a step has no margin
            continue
        levels = [level for level in sorted({-margin, margin}) if lead.min() < level < lead.max()]
        levels = levels if scores.shape[2] == 2 else [level for level in levels if level > 0]
        if levels:
            axes.contour(across, up, lead, levels, colors=INK, linewidths=0.9, linestyles="--", alpha=0.7)


def _even(lead):
    """Where a model gives few different values, as steps do, the mean sign around each point of the grid: a line
    through it is straight where one through the values goes in stairs."""
    if len(np.unique(lead)) > MOST_STEPS:
        return lead
    signs = np.pad(np.sign(lead), 2, "edge")
    return np.lib.stride_tricks.sliding_window_view(signs, (5, 5)).mean(axis=(2, 3))


def _points(axes, points, truth, taken, called):
    size = float(np.clip(4000 / len(points), 9, 64))
    if truth is None:
        axes.scatter(*points.T, s=size, c=INK, edgecolors="white", linewidths=0.6)
        return
    for k in np.unique(truth):
        chosen = points[truth == k]
        axes.scatter(
            *chosen.T, s=size, c=colour(k), marker=MARKS[k % len(MARKS)], edgecolors="white", linewidths=0.7,
            label=called[k], zorder=3,
        )  # fmt: skip
    wrong = points[taken != truth]
    if len(wrong):
        axes.scatter(*wrong.T, s=4 * size, facecolors="none", edgecolors=INK, linewidths=1.3, label="wrong", zorder=4)
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0), title="class")
