"""The rows, by family. A family is a module here whose `rows()` gives a list of `Row`s, in the order they are shown.

A new module is found by itself. One whose rows come in sizes keeps them in `SIZES`, a dict {label: int}, and puts the
label into its rows' names: `--sizes` and `--scaling` give it others.
"""

from __future__ import annotations

import importlib
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


def all_rows() -> list[Row]:
    """Every row of every family; those that the issue's table names, with its bounds."""
    return [promised(row) for family in families().values() for row in family.rows()]


def sized_rows(sizes: Mapping[str, int]) -> list[Row]:
    """The rows of the families that come in sizes, at these sizes: {label: size}."""
    found = []
    for family in families().values():
        if all(isinstance(size, int) for size in getattr(family, "SIZES", {None: None}).values()):
            own = family.SIZES
            family.SIZES = dict(sizes)
            try:
                found += [row for row in family.rows() if any(f" {label}" in row.name for label in sizes)]
            finally:
                family.SIZES = own
    return found


def promised(row: Row) -> Row:
    """The row with the bounds of the issue's table, which count for more than what the family says."""
    bounds = issue_bounds(row.name)
    return replace(row, targets={**row.targets, **bounds}) if bounds else row
