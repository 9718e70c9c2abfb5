"""The kernels that choose: numba or NumPy, by a rule of the arguments (`when`), and the bench rows that show it.

The rule in words is the first line of the docstring of the `when` function.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable
from dataclasses import dataclass

from bench.rows.kernels import load_all


@dataclass(frozen=True)
class Choice:
    """A kernel, the module it stands in, when its numba form answers, and its rows."""

    kernel: str
    module: str
    rule: str
    rows: tuple[str, ...]


def rule(when) -> str:
    """A `when` function's rule in words; what a lambda computes, as code."""
    said = inspect.getdoc(when)
    if said:
        return said.partition("\n")[0].rstrip(".")
    tree = ast.parse(inspect.getsource(when).strip().lstrip("@").partition("\ndef ")[0])
    return next(f"`{ast.unparse(node.body)}`" for node in ast.walk(tree) if isinstance(node, ast.Lambda))


def choices(known: Iterable[str]) -> list[Choice]:
    """Every kernel that has a `when`; `known` are the names of the bench's rows."""
    known = list(known)
    return [
        Choice(
            name,
            kernel.__module__.removeprefix("minigrad."),
            rule(kernel.when),
            tuple(row for row in known if row.startswith(f"kernel/{name} ")),
        )
        for name, kernel in sorted(load_all().items())
        if kernel.when is not None
    ]
