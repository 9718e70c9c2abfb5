"""Every kernel against its NumPy twin, at three sizes: derived from the kernels themselves.

What is timed is the kernel as it is called by default ("auto": numba where its author found that faster) against the
same call with the NumPy twin in its place.  A kernel whose `when` chooses the twin shows a tie, not its numba form.
"""

from __future__ import annotations

import copy
import importlib
import pkgutil
from functools import partial

from bench.row import NUMPY, Row
from bench.timing import Work

UNLIKE = ("attention", "attention_backward")  # what the compiled one keeps for the backward, the twin does without
SIZES = {"1e2": 100, "1e4": 10_000, "1e6": 1_000_000}


def load_all() -> dict:
    """All kernels by name; the modules that declare them are found by looking into the folder."""
    import minigrad.kernels
    from minigrad.kernels.dispatch import KERNELS

    for module in pkgutil.walk_packages(minigrad.kernels.__path__, "minigrad.kernels."):
        importlib.import_module(module.name)
    return KERNELS


def call(kernel, size, lib) -> Work:
    """The kernel on its own sample. Kernels may write into their arguments, so those belong to the result."""
    arguments = copy.deepcopy(kernel.samples(size))
    return Work(lambda: kernel(*arguments), result=lambda returned: [returned, arguments])


def rows() -> list[Row]:
    return [
        Row(f"kernel/{name} {label}", partial(call, kernel, size), (NUMPY,), alike=name not in UNLIKE)
        for name, kernel in sorted(load_all().items())
        if kernel.compiled is not None and kernel.samples is not None
        for label, size in SIZES.items()
    ]
