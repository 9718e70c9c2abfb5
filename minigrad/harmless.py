"""How the modules are made that stand for hardware and services which are not here (`cuda`, `distributed`, ...).

Programs written for PyTorch name them, mostly to ask whether they are there. What can be answered or passed over on a
CPU is; the rest is there by name, so that imports work, and raises PyTorch's kind of error, which says what to do.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["refusing"]


def refusing(module: str, names: str, error: type[Exception], text: str) -> Callable[[str], Any]:
    """The `__getattr__` of a module: the `names` (words of one string) are functions that raise ``error(text)``. It has
    them as its `refused`, for the documentation."""
    known = frozenset(names.split())

    def __getattr__(name: str) -> Any:
        if name not in known:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")

        def refused(*args, **kwargs):
            raise error(f"{module.removeprefix('minigrad.')}.{name}(): {text}")

        refused.__name__ = refused.__qualname__ = name
        refused.__module__ = module
        refused.__doc__ = f"{name}(...) raises {error.__name__}: {text}."
        return refused

    __getattr__.refused = sorted(known)  # type: ignore[attr-defined]  # of a function
    return __getattr__
