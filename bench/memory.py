"""Peak memory of training steps: how far a step goes above what stays.

Each library runs each training step (the rows "step/...") in a process of its own, with the C library's memory handling
as it comes:

    model and data, WARM_UP steps │ malloc_trim │ resident now │ peak set back │ STEPS steps │ peak
                                                 └───────────── the figure: peak - resident ─────┘

So what counts is what a step takes for its activations, gradients and passing buffers.  Parameters, the optimizer's
state and the gradients of the step before are there already, in both libraries, and so is what importing and compiling
took; Python itself takes pages in the first calls of a function, when it makes its bytecode faster.  Pages are counted,
and what differs by a few of them is the interpreter's: what is less than LEAST counts as LEAST in a ratio.  Linux only:
the peak is VmHWM of /proc/self/status, set back by writing 5 to /proc/self/clear_refs.

    python -m bench.memory [TEXT]           # only the steps whose name holds TEXT
"""

from __future__ import annotations

import ctypes
import gc
import importlib.util
import math
import statistics
import sys
from pathlib import Path

from bench.row import MINIGRAD, TORCH, Row
from bench.rows import all_rows
from bench.rows.startup import python

WARM_UP, STEPS, PROCESSES = 10, 3, 3
LEAST = 64 << 10  # bytes
BOUND = 1.0  # of torch's peak
CHILD = "import sys; from bench.memory import measure_here; measure_here(*sys.argv[1:])"


def steps() -> list[Row]:
    """The rows that are training steps, each once: not torch's other optimizer paths, nor those timed elsewhere."""
    return [row for row in all_rows() if row.family == "step" and not row.name.endswith((")", "process"))]


def status(field) -> int:
    """A field of /proc/self/status, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def measure_here(library: str, name: str) -> None:
    """Print the bytes that row `name` takes above what stays; run in a process of its own."""
    lib = importlib.import_module(library)
    if library == TORCH:
        lib.set_num_threads(1)
    (row,) = [row for row in steps() if row.name == name]
    run = row.work(lib).run
    for _ in range(WARM_UP):
        run()
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    resident = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    for _ in range(STEPS):
        run()
    print(status("VmHWM") - resident)


def peaks(words=()) -> list[dict]:
    """One entry per training step whose name holds all words: ``{"name": "memory/...", "bytes": {library: median},
    "ratio": minigrad's as a part of torch's, "bound": 1.0}``. Without torch, minigrad's bytes alone."""
    libraries = [MINIGRAD, *([TORCH] if importlib.util.find_spec(TORCH) else [])]
    found = []
    for row in steps():
        if all(word.lower() in row.name.lower() for word in words):
            taken: dict[str, list[int]] = {library: [] for library in libraries}
            for _ in range(PROCESSES):
                for library in libraries:
                    taken[library].append(int(python(CHILD, library, row.name)))
            medians = {library: statistics.median(each) for library, each in taken.items()}
            ratio = max(medians[MINIGRAD], LEAST) / max(medians[TORCH], LEAST) if TORCH in medians else math.nan
            found.append(
                {"name": "memory/" + row.name.partition("/")[2], "bytes": medians, "ratio": ratio, "bound": BOUND}
            )
    return found


def print_peaks(console, words=()) -> None:
    """The peaks as a table."""
    from rich.table import Table

    table = Table(title="peak memory of a training step above what stays")
    for heading in ("", MINIGRAD, TORCH, "ratio"):
        table.add_column(heading, justify="left" if not heading else "right")
    for peak in peaks(words):
        sizes = [f"{peak['bytes'][lib] / 2**20:.1f} MB" if lib in peak["bytes"] else "" for lib in (MINIGRAD, TORCH)]
        table.add_row(peak["name"], *sizes, f"{peak['ratio']:.2f}")
    console.print(table)


if __name__ == "__main__":
    from bench.report import console

    print_peaks(console(), sys.argv[1:])
