"""The machine a run was made on, and how many threads everyone got."""

from __future__ import annotations

import ctypes
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
READ_AT_IMPORT = ("numpy", "numba", "torch", "jax")
RE_EXECUTED = "MINIGRAD_BENCH_PINNED"


def pin_threads(count: int, argv: list[str], environ=os.environ, modules=sys.modules, execve=os.execve) -> None:
    """Give every numeric library `count` threads.

    The libraries read these variables when they are loaded.  If one is loaded already and the variables say otherwise
    (a site hook imported it), the process starts itself again with them set.
    """
    wanted = dict.fromkeys(THREAD_VARIABLES, str(count))
    if count > 1:
        wanted["OMP_WAIT_POLICY"] = "passive"  # spinning threads stall for a scheduler slice on a busy machine
    if all(environ.get(name) == value for name, value in wanted.items()):
        return
    environ.update(wanted)
    if any(name in modules for name in READ_AT_IMPORT):
        if environ.get(RE_EXECUTED):
            raise RuntimeError("bench: the thread counts do not stay set: something resets them at start-up")
        environ[RE_EXECUTED] = "1"
        execve(sys.executable, [sys.executable, "-m", "bench", *argv], environ)


def keep_heap(libc=None) -> bool:
    """Let freed memory stay with the process; whether the C library could be told (glibc only).

    By default glibc hands large blocks back to the system and gets them anew, page by page, or does not, depending on
    what else lies on the heap. All sides share that heap: torch's relu of 1e6 numbers was seen to take 0.13 ms, and
    10.8 ms beside a side that had left a block in the wrong place. With the heap kept, all find warm pages always.
    """
    if libc is None and os.name == "posix":
        libc = ctypes.CDLL(None)
    mallopt = getattr(libc, "mallopt", None)
    if mallopt is None:
        return False
    trim_threshold, mmap_threshold = -1, -3  # names of <malloc.h>; the second can be 32 MB at most
    return bool(mallopt(trim_threshold, 2**31 - 1) and mallopt(mmap_threshold, 2**25))


def set_threads(count: int) -> None:
    """Say the same to those that can be told after their import."""
    import minigrad

    minigrad.set_num_threads(count)
    if "torch" in sys.modules:
        import torch

        torch.set_num_threads(count)


def clock_for(threads: int, others_work: bool = False) -> tuple[str, Callable[[], float]]:
    """CPU time of this thread, or of the process where a rival computes in threads of its own (jax); with several
    threads at work only the wall clock sees what a user waits for."""
    if threads > 1:
        return "wall clock", time.perf_counter
    return ("process CPU time", time.process_time) if others_work else ("thread CPU time", time.thread_time)


def cpu_model() -> str:
    """The processor's name; where the system does not tell, its architecture."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def versions(names=("numpy", "numba", "llvmlite", "torch", "jax", "autograd")) -> dict[str, str]:
    """The versions of minigrad (installed or not) and of those that are installed."""
    import minigrad

    found = {name: next(iter(metadata.distributions(name=name)), None) for name in names}
    installed = {name: distribution.version for name, distribution in found.items() if distribution}
    return {"minigrad": minigrad.__version__, **installed}


def blas_libraries() -> list[str]:
    """The BLAS and OpenMP libraries in this process with their thread counts, if threadpoolctl is there to ask."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    return [
        f"{pool['internal_api']} {pool['version'] or ''} ({Path(pool['filepath']).name.partition('.')[0]}): "
        f"{pool['num_threads']} threads"
        for pool in threadpool_info()
    ]


def describe(threads: Sequence[int], clock_name: str, heap_kept: bool = False) -> dict:
    """Everything a reader needs to judge the figures; goes into the header and the JSON file."""
    try:
        load = round(os.getloadavg()[0], 2)
    except OSError:
        load = None
    return {
        "cpu": cpu_model(),
        "cores": os.cpu_count(),
        "date": time.strftime("%Y-%m-%d"),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": versions(),
        "threads": list(threads),
        "clock": clock_name,
        "load_average": load,
        "heap_kept": heap_kept,
        "libraries": blas_libraries(),
    }
