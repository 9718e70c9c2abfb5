"""`minigrad.multiprocessing` for programs whose processes meet in `init_process_group`: MPI has to start them.

``python -m minigrad.distributed.spawned FILE`` is one of the processes; FILE holds what each of them calls.
"""

from __future__ import annotations

import atexit
import importlib.util
import multiprocessing.process
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

__all__ = ["Crew", "initializes", "main", "meets", "possible", "spawn", "this_program"]

NAME = "minigrad.distributed.spawned"


def possible() -> bool:
    """Whether MPI is there to start processes, and has not started this one as one of several."""
    there = importlib.util.find_spec("mpi4py") is not None and find_mpiexec(None) is not None
    return there and place()[1] == 1


def meets(fn: Callable) -> bool:
    """Whether `fn` may call `init_process_group`: whether its module names something of `minigrad.distributed`."""
    return any(module_of(value).startswith("minigrad.distributed") for value in getattr(fn, "__globals__", {}).values())


def initializes(fn: Any) -> bool:
    """Whether the text of `fn`, or of a function of its module that it names, has `init_process_group`."""
    found, left = set(), [fn]
    while left:
        each = left.pop()
        if isinstance(each, types.FunctionType) and each not in found:
            found.add(each)
            left += (each.__globals__.get(name) for name in each.__code__.co_names)
    return any("init_process_group" in each.__code__.co_names for each in found)


def module_of(value: Any) -> str:
    """The name of the module that something is, or is of."""
    return str(value.__name__ if isinstance(value, types.ModuleType) else getattr(value, "__module__", ""))


def this_program() -> dict[str, Any]:
    """What a new process has to know to be one of this program."""
    known = multiprocessing.spawn.get_preparation_data(NAME)
    del known["authkey"]  # it may not be written to a file
    return known


def spawn(calls: list[tuple[Callable, tuple, dict]], program: dict[str, Any]) -> tuple[int, int]:
    """Run ``fn(*args, **kwargs)``, one for each rank, in processes that mpiexec starts. Returns (rank that failed, exit
    code: 0 if none). program: `this_program`."""
    with tempfile.NamedTemporaryFile(suffix=".pickle") as file:
        file.write(pickle.dumps(program) + pickle.dumps(calls))
        file.flush()
        job = Job([str(find_mpiexec(None)), "-n", str(len(calls)), *rank_command("-m", NAME, file.name)], 0, None)
        code = job.wait()
    return job.culprit(), code


class Crew:
    """Processes that are started one by one, and have to be started together: when the first is waited for."""

    gathering: Crew | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[Callable, tuple, dict]] = []
        self.codes: list[int] | None = None  # what each ended with
        self.program = this_program()  # which can no longer be told at the end
        atexit.register(self.run)  # where nobody waits

    @classmethod
    def join(cls, call: tuple[Callable, tuple, dict]) -> tuple[Crew, int]:
        """Be one of those that are to be started. Returns the crew and the number in it."""
        if cls.gathering is None:
            cls.gathering = cls()
        cls.gathering.calls.append(call)
        return cls.gathering, len(cls.gathering.calls) - 1

    def run(self) -> list[int]:
        """Start all, wait for their end, and give their exit codes."""
        if self.codes is None:
            Crew.gathering = None
            atexit.unregister(self.run)
            rank, code = spawn(self.calls, self.program)
            stopped = -15 if code else 0  # what those have that another's failure ended
            self.codes = [code if i == rank or rank < 0 else stopped for i in range(len(self.calls))]
        return self.codes


def main(path: str) -> Any:
    """One of the processes."""
    with open(path, "rb") as file:
        own: Any = multiprocessing.process.current_process()
        own._inheriting = True  # a program without `if __name__ == "__main__"` would start processes here
        try:
            multiprocessing.spawn.prepare(pickle.load(file))  # the program's own module, which the function is of
            calls = pickle.load(file)
        finally:
            del own._inheriting
    fn, args, kwargs = calls[int(os.environ["RANK"])]
    fn(*args, **kwargs)


if __name__ == "__main__":
    main(sys.argv[1])
