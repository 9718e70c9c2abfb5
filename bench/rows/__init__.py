"""The rows, by family. A family is a module here whose `rows()` gives a list of `Row`s, in the order they are shown.

A new module is found by itself. One whose rows come in sizes keeps them in `SIZES`, a dict {label: int}, and puts the
label into its rows' names: `--sizes` and `--scaling` give it others.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
from collections.abc import Mapping
from dataclasses import replace
from types import ModuleType

from bench.row import Row
from bench.targets import issue_bounds

ASKED_FOR = ("ops",)  # families that are shown only when asked for
LAST = ("kernels",)  # and one that is long


def families() -> dict[str, ModuleType]:
    """The modules of this folder that have rows, by name."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if module.name not in ASKED_FOR]
    names.sort(key=lambda name: (name in LAST, name))
    modules = {name: importlib.import_module(f"{__name__}.{name}") for name in names}
    return {name: module for name, module in modules.items() if hasattr(module, "rows")}


def all_rows(most: float = math.inf) -> list[Row]:
    """Every row, those of one family together, those that the issue's table names with its bounds; of the modules that
    come in sizes, sizes to `most`."""
    found = []
    for family in families().values():
        sizes = {label: size for label, size in sizes_of(family).items() if size <= most}
        found += rows_at(family, sizes) if sizes else family.rows()
    order = list(dict.fromkeys(row.family for row in found))
    return [promised(row) for row in sorted(found, key=lambda row: order.index(row.family))]


def sized_rows(sizes: Mapping[str, int]) -> list[Row]:
    """The rows of the families that come in sizes, at these sizes: {label: size}; without those that have no size."""
    found = [row for family in families().values() if sizes_of(family) for row in rows_at(family, sizes)]
    return [promised(row) for row in found if any(f" {label}" in row.name for label in sizes)]


def sizes_of(family: ModuleType) -> dict[str, int]:
    """The sizes that a family comes in, by label; empty if it does not."""
    sizes = getattr(family, "SIZES", {})
    return sizes if all(isinstance(size, int) for size in sizes.values()) else {}


def rows_at(family: ModuleType, sizes: Mapping[str, int]) -> list[Row]:
    """A family's rows with other sizes than its own."""
    own = family.SIZES
    family.SIZES = dict(sizes)
    try:
        return family.rows()
    finally:
        family.SIZES = own


def promised(row: Row) -> Row:
    """The row with the bounds of the issue's table, which count for more than what the family says."""
    bounds = issue_bounds(row.name)
    return replace(row, targets={**row.targets, **bounds}) if bounds else row
