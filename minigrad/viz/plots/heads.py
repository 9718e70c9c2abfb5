"""Who looks at whom: attention weights as maps."""

from __future__ import annotations

import numpy as np

from minigrad.errors import shape_text
from minigrad.viz.plots.common import (
    INK,
    as_array,
    fault,
    figure_of,
    finish,
    heading,
    rows_and_columns,
    settings,
    start,
    words,
)

__all__ = ["attention"]

MOST_WRITTEN, MOST_NAMED = 12, 48  # tokens beyond which no numbers, no names are written


def attention(weights, tokens=None, keys=None, path=None, *, heads=None, title="Attention"):
    """attention(weights, tokens=None, keys=None, path=None) -> Figure.  How much each position looks at each other one.

    weights  (queries, keys), or several heads (heads, queries, keys), or (1, heads, queries, keys): what
             ``nn.MultiheadAttention(...)(q, k, v, average_attn_weights=False)[1]`` gives, or a softmax of your own
    tokens   names of the queries (rows), and of the keys (columns), unless `keys` are given, too
    path     where to save it, too (.png, .svg or .pdf)
    heads    names of the heads

    The darker, the more; all heads have one scale. White is what may not be looked at (0). Raises ValueError for other
    shapes, negative weights, and names that do not fit.
    """
    who = "attention()"
    target = start(path, who)
    like = "weights (queries, keys) or (heads, queries, keys)"
    array = as_array(weights, who, "weights", (2, 3, 4), like).astype(float)
    array = array[0] if array.ndim == 4 and len(array) == 1 else array
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3 or not array.size:
        hint = "of a batch, give one: weights[0]"
        raise ValueError(fault(who, "weights", f"shape {shape_text(array.shape)}", like, hint))
    if not (array >= 0).all():
        raise ValueError(fault(who, "weights", "negative numbers or NaN", "weights of at least 0, after the softmax"))
    count, queries, width = array.shape
    rows_named = None if tokens is None else words(tokens, queries, who, "tokens")
    columns_named = None if keys is None else words(keys, width, who, "keys")
    if keys is None and rows_named is not None and width == queries:
        columns_named = rows_named
    names = words(heads, count, who, "heads") if heads is not None else [f"head {k}" for k in range(count)]
    rows, columns = rows_and_columns(count)
    longest = max(map(len, (rows_named or [""]) + (columns_named or [""])))
    with settings():
        side = float(np.clip(0.3 * max(queries, width), 2.0, 4.6 if count == 1 else 3.4)) + 0.06 * min(longest, 14)
        figure = figure_of(columns * side + 0.8, rows * (side * min(queries / width, 1.0) + 0.55) + 0.4, "compressed")
        top = float(array.max()) or 1.0
        for k in range(count):
            axes = figure.add_subplot(rows, columns, k + 1)
            image = axes.imshow(array[k], cmap="Blues", vmin=0.0, vmax=top, interpolation="nearest")
            _label(axes, rows_named, columns_named, first=k % columns == 0, queries=queries, width=width)
            if count > 1 or heads is not None:
                axes.set_title(names[k], loc="left", fontsize=9.5, color=INK)
            if max(queries, width) <= MOST_WRITTEN and count <= 4:
                _write(axes, array[k], top)
        bar = figure.colorbar(image, ax=figure.axes, fraction=0.03, pad=0.02, aspect=30)
        bar.outline.set_visible(False)
        heading(figure, title, f"{count} heads" if count > 1 else "")
        return finish(figure, target, who)


def _label(axes, rows, columns, first, queries, width):
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    if columns is not None and width <= MOST_NAMED:
        turned = max(map(len, columns)) > 2
        axes.set_xticks(range(width), columns, rotation=90 if turned else 0, fontsize=8 if width > 16 else 9)
    if rows is not None and queries <= MOST_NAMED:
        axes.set_yticks(range(queries), rows if first else [""] * queries, fontsize=8 if queries > 16 else 9)
    if first:
        axes.set_ylabel("looks (query)", fontsize=9)
    axes.set_xlabel("at (key)", fontsize=9)


def _write(axes, values, top):
    for (row, column), value in np.ndenumerate(values):
        if value >= 0.005:
            ink = "white" if value > 0.55 * top else INK
            text = f"{value:.2f}".lstrip("0")
            axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=7)
