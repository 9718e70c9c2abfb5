"""Every kernel against its NumPy twin on awkward inputs: `python -m bench --layouts`.

    contiguous    as the kernel's sample gives it
    transposed    the last two axes lie the other way round in memory
    sliced        every second number of a row of memory
    broadcast     the first axis has stride 0
    tiny, empty   samples of 4 and of 0

A kernel is not given what it does not take: an array that it writes into stays as it is, and a layout that the NumPy
twin refuses (an index into nothing) is left out.
"""

from __future__ import annotations

import copy
from functools import partial

import numpy as np

from bench.row import NUMPY, NoTwinError, Row
from bench.rows.kernels import load_all
from bench.timing import Work

SIZE, TINY = 10_000, 4


def contiguous(array):
    return array


def transposed(array):
    if array.ndim < 2:
        raise NoTwinError("nothing to transpose")
    return np.ascontiguousarray(array.swapaxes(-1, -2)).swapaxes(-1, -2)


def sliced(array):
    if array.ndim < 1:
        raise NoTwinError("nothing to slice")
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def broadcast(array):
    if array.ndim < 2:
        raise NoTwinError("nothing to broadcast")
    return np.broadcast_to(array[:1], array.shape)


# name: (the sample's size, what is done to its arrays)
LAYOUTS = {
    "contiguous": (SIZE, contiguous),
    "transposed": (SIZE, transposed),
    "sliced": (SIZE, sliced),
    "broadcast": (SIZE, broadcast),
    "tiny": (TINY, contiguous),
    "empty": (0, contiguous),
}


def written(kernel, arguments) -> set[int]:
    """The places of the arguments that the twin writes into."""
    given = copy.deepcopy(arguments)
    kernel.twin(*given)
    return {
        k
        for k, (before, after) in enumerate(zip(arguments, given, strict=True))
        if isinstance(before, np.ndarray) and not np.array_equal(before, after, equal_nan=before.dtype.kind == "f")
    }


def call(kernel, layout, lib) -> Work:
    """The kernel on its sample in one layout. Raises NoTwinError where there is no such input."""
    size, arrange = LAYOUTS[layout]
    try:
        arguments = copy.deepcopy(kernel.samples(size))
        kept = written(kernel, arguments)
        laid = [
            arrange(each) if isinstance(each, np.ndarray) and k not in kept and each.size else each
            for k, each in enumerate(arguments)
        ]
        kernel.twin(*copy.deepcopy(laid))
    except Exception as error:  # whatever the twin does not take, is no input of the kernel's
        raise NoTwinError(f"{kernel.name}: {layout}: {error}") from None
    return Work(lambda: kernel(*laid), result=lambda returned: [returned, laid])


def rows() -> list[Row]:
    """A row for each kernel that has a compiled form and a sample, and each layout that its twin takes."""
    found = []
    for name, kernel in sorted(load_all().items()):
        if kernel.compiled is None or kernel.samples is None:
            continue
        for layout in LAYOUTS:
            try:
                call(kernel, layout, None)
            except NoTwinError:
                continue
            found.append(Row(f"layout/{name} {layout}", partial(call, kernel, layout), (NUMPY,)))
    return found
