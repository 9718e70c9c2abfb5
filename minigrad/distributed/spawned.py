"""`minigrad.multiprocessing.spawn` for programs whose processes meet in `init_process_group`: MPI has to start them.

``python -m minigrad.distributed.spawned FILE`` is one of the processes; FILE holds the function and its arguments.
"""

from __future__ import annotations

import importlib.util
import multiprocessing.spawn
import os
import pickle
import sys
import tempfile
import types
from collections.abc import Callable
from typing import Any

from minigrad.distributed.launch import Job, find_mpiexec, rank_command
from minigrad.distributed.place import place

__all__ = ["main", "meets", "spawn"]


def meets(fn: Callable) -> bool:
    """Whether `fn` may call `init_process_group`, as its module names `minigrad.distributed`, and MPI is there."""
    used = any(module_of(value).startswith("minigrad.distributed") for value in getattr(fn, "__globals__", {}).values())
    there = importlib.util.find_spec("mpi4py") is not None and find_mpiexec(None) is not None
    return used and there and place()[1] == 1


def module_of(value: Any) -> str:
    """The name of the module that something is, or is of."""
    return str(value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", ""))


def spawn(fn: Callable, args: tuple, nprocs: int) -> tuple[int, int]:
    """Run ``fn(rank, *args)`` in processes that mpiexec starts. Returns (rank that failed, exit code: 0 if none)."""
    name = "minigrad.distributed.spawned"
    program = multiprocessing.spawn.get_preparation_data(name)
    del program["authkey"]  # it may not be written to a file
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        file.write(pickle.dumps(program) + pickle.dumps((fn, args)))
        file.flush()
        job = Job([str(find_mpiexec(None)), "-n", str(nprocs), *rank_command("-m", name, file.name)], 0, None)
        code = job.wait()
    return job.culprit(), code


def main(path: str) -> Any:
    """One of the processes."""
    with open(path, "rb") as file:
        multiprocessing.spawn.prepare(pickle.load(file))  # the program's own module, which the function is of
        fn, args = pickle.load(file)
    fn(int(os.environ["RANK"]), *args)


if __name__ == "__main__":
    main(sys.argv[1])
