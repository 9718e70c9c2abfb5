"""Vectors of many numbers as points in the plane."""

from __future__ import annotations

import importlib

import numpy as np
from threadpoolctl import threadpool_limits

from minigrad.errors import describe, shape_text
from minigrad.viz.plots.common import (
    INK,
    MARKS,
    SOFT,
    as_array,
    colour,
    fault,
    figure_of,
    finish,
    heading,
    legend,
    plain,
    settings,
    start,
    words,
)

__all__ = ["embedding", "pca"]

MOST_LABELS = 250
SIDES = ((1, 0.6), (-1, 0.6), (1, -0.6), (-1, -0.6), (0, 1.3), (0, -1.3), (1.2, 0), (-1.2, 0))  # of a point, for labels
LETTER, WIDE_LETTER, LINE = 0.58, 1.0, 1.25  # of the font's size: width of a letter, of a Hangul syllable; height


def embedding(
    vectors, labels=None, groups=None, path=None, *, method="pca", seed=0, perplexity=None, title="Embedding"
):  # fmt: skip
    """embedding(vectors, labels=None, groups=None, path=None) -> Figure.  Vectors as points, the alike together.

    vectors     (N, D): a Tensor, an array or lists; or nn.Embedding, whose rows they are
    labels      a text for each vector, e.g. words; written where there is room
    groups      a class for each vector: a colour and a mark
    path        where to save it, too (.png, .svg or .pdf)
    method      "pca": the two directions in which the vectors vary most (the axes say how much of the variance each
                holds); "tsne": neighbours stay neighbours, distances mean little (van der Maaten & Hinton 2008),
                through scikit-learn
    seed        t-SNE's random numbers are drawn from it
    perplexity  of t-SNE, about how many neighbours each has: 30, less for few vectors

    Raises ValueError for other shapes and methods, ModuleNotFoundError for t-SNE without scikit-learn.
    """
    who = "embedding()"
    target = start(path, who)
    rows = vectors.weight if hasattr(vectors, "named_parameters") and hasattr(vectors, "weight") else vectors
    array = as_array(rows, who, "vectors", 2, "vectors (N, D)").astype(float)
    if len(array) < 2 or not array.shape[1] or not np.isfinite(array).all():
        text = f"shape {shape_text(array.shape)}" if np.isfinite(array).all() else "NaN or infinite numbers"
        raise ValueError(fault(who, "vectors", text, "at least two vectors of finite numbers"))
    called = None if labels is None else words(labels, len(array), who)
    sorts = None if groups is None else words(np.asarray(groups).reshape(-1).tolist(), len(array), who, "groups")
    if method == "pca":
        points, shares = pca(array)
        names = [f"component {k + 1}  ({share:.0%} of the variance)" for k, share in enumerate(shares)]
    elif method == "tsne":
        points, names = _tsne(array, seed, perplexity, who), ["", ""]
    else:
        raise ValueError(fault(who, "method", describe(method), "'pca' or 'tsne'"))
    with settings():
        figure = figure_of(6.6, 5.4)
        axes = figure.add_subplot()
        _scatter(axes, points, sorts)
        axes.set(xlabel=names[0], ylabel=names[1])
        axes.margins(0.1)
        axes.set_aspect("equal", adjustable="datalim")
        plain(axes)
        if method == "tsne":
            axes.set_xticks([])
            axes.set_yticks([])
        heading(figure, title, "t-SNE" if method == "tsne" else "PCA")
        if called:
            _write(figure, axes, points, called)
        return finish(figure, target, who)


def pca(vectors, components=2):
    """pca(vectors, components=2) -> (points, shares).  Principal components by a singular value decomposition.

    vectors     (N, D)
    components  how many directions

    points (N, components): the vectors, their mean taken off, seen along the directions in which they vary most;
    shares (components,): of the variance. The sign of a direction is such that its largest number is positive.
    (Pearson 1901; scikit-learn: sklearn.decomposition.PCA)
    """
    array = as_array(vectors, "pca()", "vectors", 2, "vectors (N, D)").astype(float)
    if not isinstance(components, int) or components < 1 or not array.size:
        raise ValueError(fault("pca()", "components", describe(components), "a whole number of at least 1"))
    left, sizes, axes = np.linalg.svd(array - array.mean(axis=0), full_matrices=False)
    count = min(components, len(sizes))
    signs = np.sign(axes[np.arange(count), np.abs(axes[:count]).argmax(axis=1)])
    points, shares = np.zeros((len(array), components)), np.zeros(components)
    points[:, :count] = left[:, :count] * sizes[:count] * np.where(signs == 0, 1.0, signs)
    shares[:count] = sizes[:count] ** 2 / max(float((sizes**2).sum()), 1e-300)
    return points, shares


def _tsne(array, seed, perplexity, who):
    try:
        manifold = importlib.import_module("sklearn.manifold")
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"{who}: method='tsne' needs scikit-learn, which is not installed: pip install scikit-learn; or "
            "method='pca'",
            name="sklearn",
        ) from None
    most = (len(array) - 1) / 3
    perplexity = min(30.0, max(most, 1.0)) if perplexity is None else perplexity
    if not 0 < perplexity < len(array):
        raise ValueError(fault(who, "perplexity", describe(perplexity), f"less than the {len(array)} vectors"))
    wide = min(array.shape[1], len(array)) > 1
    made = manifold.TSNE(2, perplexity=perplexity, random_state=seed, init="pca" if wide else "random")
    with threadpool_limits(1):  # the same sums in the same order each time; and few vectors are not worth more
        return made.fit_transform(array.astype(np.float32)).astype(float)


def _scatter(axes, points, sorts):
    size = float(np.clip(5000 / len(points), 8, 55))
    if sorts is None:
        axes.scatter(*points.T, s=size, color=colour(0), alpha=0.85, linewidths=0.5, edgecolors="white")
        return
    for k, sort in enumerate(dict.fromkeys(sorts)):
        here = points[[s == sort for s in sorts]]
        axes.scatter(
            *here.T,
            s=size,
            color=colour(k),
            marker=MARKS[k % len(MARKS)],
            linewidths=0.5,
            edgecolors="white",
            label=sort,
        )
    legend(axes, loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _write(figure, axes, points, labels):
    """Write labels beside their points, where they cover neither another label nor a point; those that find no room are
    left out. Points far from others come first."""
    size = 9.0 if len(labels) <= 60 else 7.5
    figure.canvas.draw()  # so that the layout is settled, and places are known in pixels
    scale = figure.dpi / 72
    places = axes.transData.transform(points) / scale
    frame = axes.get_window_extent().extents / scale
    figure.set_layout_engine("none")
    gaps = np.sort(np.linalg.norm(places[:, None] - places[None], axis=2), axis=1)[:, 1] if len(points) < 3000 else None
    order = range(len(points)) if gaps is None else np.argsort(-gaps, kind="stable")
    taken = np.empty((0, 4))
    dots = np.column_stack([places - 2.5, places + 2.5])
    written = 0
    for k in order:
        wide = size * sum(WIDE_LETTER if ord(c) > 0x1100 else LETTER for c in labels[k])
        for across, up in SIDES:
            x = places[k, 0] + across * 5.0 - (0 if across > 0 else wide if across < 0 else wide / 2)
            y = places[k, 1] + up * 7.0 - size * LINE / 2
            box = np.array([x, y, x + wide, y + size * LINE])
            inside = box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]
            if inside and not _meets(box, taken) and not _meets(box, np.delete(dots, k, axis=0)):
                axes.annotate(
                    labels[k], points[k], xytext=(x - places[k, 0], y + size * LINE / 2 - places[k, 1]),
                    textcoords="offset points", fontsize=size, color=INK if size == 9.0 else SOFT, va="center",
                )  # fmt: skip
                taken = np.vstack([taken, box])
                written += 1
                break
        if written >= MOST_LABELS:
            return


def _meets(box, boxes):
    overlap = (boxes[:, 0] < box[2]) & (boxes[:, 2] > box[0]) & (boxes[:, 1] < box[3]) & (boxes[:, 3] > box[1])
    return bool(overlap.any())
