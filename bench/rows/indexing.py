"""Rows of a table, elements at named places, masks, and the gradients that go back to them; sorting and the largest."""

from __future__ import annotations

from functools import partial

from bench.row import NUMPY, TORCH, Row
from bench.rows.make import both_ways, classes, normal

SIZES = {"small": (8, 8), "medium": (256, 64), "large": (4096, 256)}  # rows and columns of what is read


def embed(rows, width):
    """As many tokens as the table has rows, in sequences of 8."""
    tokens = classes(rows, rows).reshape(-1, 8)
    return [normal(rows, width)], [tokens], lambda lib, table, i: lib.nn.functional.embedding(i, table)


def columns_of_rows(rows, width):
    """For each row as many columns of it, in any order."""
    return [normal(rows, width)], [classes(width, rows * width).reshape(rows, width)]


def rows_of_columns(rows, width):
    return [normal(rows, width)], [classes(rows, rows * width).reshape(rows, width)]


def gather(rows, width):
    return *columns_of_rows(rows, width), lambda lib, x, i: lib.gather(x, 1, i)


def gather_rows(rows, width):
    return *rows_of_columns(rows, width), lambda lib, x, i: lib.gather(x, 0, i)


def gather_one(rows, width):
    """One element of each row, as a loss of classes does."""
    return [normal(rows, width)], [classes(width, rows).reshape(rows, 1)], lambda lib, x, i: lib.gather(x, 1, i)


def take_along_dim(rows, width):
    return *columns_of_rows(rows, width), lambda lib, x, i: lib.take_along_dim(x, i, 1)


def scatter_add(rows, width):
    (x,), index = rows_of_columns(rows, width)
    return [x, normal(rows, width, seed=1)], index, lambda lib, x, source, i: x.scatter_add(0, i, source)


def index_select(rows, width):
    return [normal(rows, width)], [classes(rows, rows)], lambda lib, x, i: lib.index_select(x, 0, i)


def index_add(rows, width):
    arrays = [normal(rows, width), normal(rows, width, seed=1)]
    return arrays, [classes(rows, rows)], lambda lib, x, source, i: x.index_add(0, i, source)


def masked_fill(rows, width):
    return [normal(rows, width)], [normal(rows, width, seed=1) > 0], lambda lib, x, mask: x.masked_fill(mask, 1.0)


def places(rows, width):
    index = [classes(rows, rows), classes(width, rows, seed=1)]
    return [normal(rows, width)], index, lambda lib, x, i, j: x[i, j]


def some_rows(rows, width):
    return [normal(rows, width)], [classes(rows, rows)], lambda lib, x, i: x[i]


def some_columns(rows, width):
    return [normal(rows, width)], [classes(width, width)], lambda lib, x, i: x[:, i]


def true_places(rows, width):
    return [normal(rows, width)], [normal(rows, width, seed=1) > 0], lambda lib, x, mask: x[mask]


def sort(rows, width):
    return [normal(rows, width)], [], lambda lib, x: lib.sort(x, -1)[0]


def topk(rows, width):
    return [normal(rows, width)], [], lambda lib, x: lib.topk(x, 4)[0]


READ = {
    "embedding": embed, "gather dim 1": gather, "gather dim 0": gather_rows, "gather one of each row": gather_one,
    "scatter_add": scatter_add, "index_select": index_select, "index_add": index_add, "masked_fill": masked_fill,
    "take_along_dim": take_along_dim, "index places i, j": places,
    "index rows i": some_rows, "index columns i": some_columns,
    "index a mask": true_places, "sort": sort, "topk": topk,
}  # fmt: skip


def setup(make, size, backward, lib):
    """make(rows, columns): the arrays that want gradients, the others, and the function of `lib` and all of them."""
    arrays, others, function = make(*size)
    others = [lib.tensor(other) for other in others]
    if backward:
        return both_ways(lib, lambda *leaves: function(lib, *leaves, *others), *arrays)
    return partial(function, lib, *[lib.tensor(array) for array in arrays], *others)


def rows() -> list[Row]:
    return [
        Row(f"indexing/{name} {label} {what}", partial(setup, make, size, backward), (NUMPY, TORCH), {TORCH: 1.0})
        for name, make in READ.items()
        for label, size in SIZES.items()
        for what, backward in (("forward", False), ("forward+backward", True))
    ]
