"""The rows, by family. A family module gives `rows()`: a list of `Row`s, in the order they are shown."""

from __future__ import annotations

from bench.row import Row


def all_rows() -> list[Row]:
    """Every row written out in this folder, then those derived from the kernels themselves."""
    from bench.rows import (
        conv,
        elementwise,
        indexing,
        kernels,
        losses,
        norms,
        optimizers,
        overhead,
        reductions,
        sequence_gpt,
        startup,
        training,
    )

    families = (
        overhead,
        elementwise,
        indexing,
        reductions,
        losses,
        norms,
        conv,
        optimizers,
        sequence_gpt,
        training,
        startup,
        kernels,
    )
    return [row for family in families for row in family.rows()]
