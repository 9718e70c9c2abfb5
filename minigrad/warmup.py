"""`minigrad warmup`: compile ahead what programs would otherwise wait for, once for each machine and version.

Compiling is running: every kernel on its samples, every op on those of its block, forward and backward, in float32 and
float64, and a step of the demo's networks. Several processes share the work; what they compile meets in the cache, and
programs that run meanwhile are not disturbed.
"""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import numpy as np

import minigrad
from minigrad.demo.tasks import TASKS
from minigrad.demo.training import Training
from minigrad.kernels import notice, tiles
from minigrad.kernels.cache import cache_root
from minigrad.kernels.dispatch import KERNELS, backend
from minigrad.registry import OPS
from minigrad.samples import Constant
from minigrad.train import Callback

SIZE = 64  # of the kernels' samples; what is compiled does not depend on it
DTYPES = ("float32", "float64")
MOST_JOBS = 8  # each takes up to half a gigabyte


def warm_up(jobs: int | None = None) -> int:
    """Compile everything in `jobs` processes (by default one for each core). Returns 0, or 1 if nothing can be kept."""
    folder = cache_root()
    if folder is None:
        print("minigrad warmup: error: no folder can be written; set NUMBA_CACHE_DIR to one that can", file=sys.stderr)
        return 1
    started, before = time.perf_counter(), entries(folder)
    units = all_units()
    jobs = min(len(units), jobs or min(os.cpu_count() or 1, MOST_JOBS))
    print(
        f"compiling in {jobs} process{'es' if jobs > 1 else ''}, which takes some minutes; kept in {folder}", flush=True
    )
    failed = []
    with progress(len(units)) as advance:
        for unit, error in done(units, jobs):
            advance(" ".join(unit))
            if error:
                failed.append(f"could not be compiled: {' '.join(unit)}: {error}")
    after = entries(folder)
    fresh = [size for name, size in after.items() if name not in before]
    print(f"ready after {time.perf_counter() - started:.0f} s: {len(fresh)} compiled, {len(after)} in all, ", end="")
    print(f"{sum(after.values()) / 1e6:.1f} MB in {folder}")
    print("\n".join(failed), end="\n" if failed else "")
    return 0


def entries(folder) -> dict[str, int]:
    """{name: size} of the compiled functions in the cache."""
    found = {}
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):  # replaced or removed by another process meanwhile
            if entry.name.endswith(".nbc"):
                found[entry.name] = entry.stat().st_size
    return found


def all_units() -> list[tuple[str, str]]:
    """What there is to do, as (kind, name): what takes longest first, so that all processes end at about one time."""
    kernels = [name for name, kernel in sorted(KERNELS.items()) if kernel.compiled and kernel.samples]
    ops = [name for name, op in sorted(OPS.items()) if op.samples]
    kinds = {"tiles": DTYPES, "demo": tuple(TASKS), "kernel": kernels, "op": ops}
    return [(kind, name) for kind, names in kinds.items() for name in names]


def done(units, jobs) -> Iterator[tuple[tuple[str, str], str | None]]:
    """Each unit, when it is done, and what went wrong."""
    if jobs == 1:
        for unit in units:
            yield unit, run(unit)
        return
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        waiting = {pool.submit(run, unit): unit for unit in units}
        try:
            for future in as_completed(waiting):
                yield waiting[future], future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextlib.contextmanager
def progress(total):
    """A bar on a terminal, elsewhere a line for every twentieth; gives the function to be called with what is done."""
    if sys.stdout.isatty():
        from rich.progress import Progress

        with Progress(transient=True) as bar:
            task = bar.add_task("", total=total)
            yield lambda what: bar.update(task, advance=1, description=what)
        return
    count = 0

    def advance(what):
        nonlocal count
        count += 1
        if count * 20 // total > (count - 1) * 20 // total:
            print(f"{count:5} of {total}: {what}", flush=True)

    yield advance


def run(unit: tuple[str, str]) -> str | None:
    """Do one unit. Returns the error, if there was one: the others are worth having all the same."""
    kind, name = unit
    ways: dict[str, Callable] = {"tiles": tiles.table, "demo": run_demo, "kernel": run_kernel, "op": run_op}
    notice.expect()
    try:
        with backend("auto"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ways[kind](name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def run_kernel(name: str) -> None:
    """A kernel on its samples, and in both dtypes where it has both."""
    kernel = KERNELS[name]
    kernel.compiled(*kernel.samples(SIZE))
    for dtype in DTYPES:
        with contextlib.suppress(Exception):  # the sampler of binomials computes in float64 only
            kernel.compiled(*[in_dtype(value, dtype) for value in kernel.samples(SIZE)])


def in_dtype(value, dtype):
    """The floats of an argument in another dtype."""
    if isinstance(value, tuple | list):
        return type(value)(in_dtype(item, dtype) for item in value)
    if isinstance(value, np.ndarray | np.floating) and value.dtype.kind == "f":
        return value.astype(dtype)
    return value


def numbers(*shape, low=-3.0, high=3.0, kind="f"):
    """The arrays of an op's samples (`minigrad/samples.py`)."""
    draw = np.random.default_rng(0)
    if kind == "i":
        return draw.integers(low, high, shape)
    return draw.random(shape) < 0.5 if kind == "b" else draw.uniform(low, high, shape)


def run_op(name: str) -> None:
    """An op on its block's samples, forward and backward, in both dtypes."""
    op: Any = OPS[name]
    for dtype in DTYPES:
        for sample in op.samples(numbers):
            convert = functools.partial(as_tensors, dtype=getattr(minigrad, dtype))
            kwargs = {key: convert(value) for key, value in sample.kwargs.items()}
            if isinstance(kwargs.get("dtype"), str):
                kwargs["dtype"] = getattr(minigrad, kwargs["dtype"])
            result = op.function(*[convert(value) for value in sample.args], **kwargs)
            outputs = result if isinstance(result, tuple | list) else [result]
            wanted = [out.sum() for out in outputs if isinstance(out, minigrad.Tensor) and out.requires_grad]
            if wanted:
                sum(wanted[1:], wanted[0]).backward()


def as_tensors(value, dtype):
    """Arrays as tensors, those of floats in `dtype` and requiring gradients."""
    if isinstance(value, tuple | list):
        return type(value)(as_tensors(item, dtype) for item in value)
    if not isinstance(value, np.ndarray):
        return value
    is_float = value.dtype.kind == "f"
    wanted = is_float and not isinstance(value, Constant)
    return minigrad.tensor(np.asarray(value), dtype=dtype if is_float else None, requires_grad=wanted)


class Stop(Callback):
    """Ends training after its first step."""

    def on_batch_end(self, trainer, logs):
        trainer.stop_training = True


def run_demo(name: str) -> None:
    """A step of one of the demo's networks: forward, backward, the optimizer, and forward again as in testing."""
    training = Training(TASKS[name](0), 1, seed=0)
    training.run(Stop(), verbose=0)
    training.evaluate(training.task.test)
