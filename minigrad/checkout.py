"""Lets `import minigrad.nn` work in a checkout that is not installed.

`nn/` and `optim/` stand at the top of the repository. Installing maps them to `minigrad.nn` and `minigrad.optim`;
without an install Python looks for them inside `minigrad/` and finds nothing. `minigrad/__init__.py` calls
`find_beside` first.
"""

from __future__ import annotations

import os
import sys
from importlib.machinery import PathFinder

BESIDE = ("minigrad.nn", "minigrad.optim")


class Beside:
    """An import finder for the two packages, in the folder that holds `minigrad/`; Python asks it last."""

    def __init__(self, folder: str):
        self.folder = folder

    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, [self.folder]) if name in BESIDE else None


def find_beside(package_folder: str) -> None:
    """Make `minigrad.nn` and `minigrad.optim` importable where `package_folder` (`minigrad/`) is part of a checkout.

    Does nothing in an installed package, which holds them itself.
    """
    folder = os.path.dirname(package_folder)
    is_installed = os.path.isdir(os.path.join(package_folder, "nn"))
    if not is_installed and os.path.isfile(os.path.join(folder, "nn", "__init__.py")):
        sys.meta_path.append(Beside(folder))
