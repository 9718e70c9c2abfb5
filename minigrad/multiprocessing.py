"""`minigrad.multiprocessing`: Python's own, and `spawn`. (PyTorch: torch.multiprocessing)

Processes that meet in `init_process_group` are started by MPI: those of `spawn`, and those of `Process`.

Tensors can be sent through its queues and pipes: they are copied, not shared, so a process does not see what another
writes. Where PyTorch would train one model in several processes (Hogwild), send states instead.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import multiprocessing.spawn
from multiprocessing import *  # noqa: F403  (its __all__ is what this module offers too)
from typing import Any

from minigrad.distributed import spawned

__all__ = [
    *multiprocessing.__all__,
    "ProcessRaisedException", "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn",
]  # fmt: skip


class ProcessRaisedException(Exception):
    """A process that `spawn` started ended with an error. (PyTorch: torch.multiprocessing.ProcessRaisedException)"""


class Process(multiprocessing.Process):  # type: ignore[no-redef]  # instead of the one that * brought
    """Python's own, but where `target` calls `init_process_group`, itself or by a function of its module: then MPI
    starts those that were started so far, all together, when the first is joined or asked how it is, or at the end of
    the program. The first to be started is rank 0. (PyTorch: torch.multiprocessing.Process)"""

    def __init__(self, group=None, target=None, name=None, args=(), kwargs=None, *, daemon=None) -> None:
        super().__init__(group, target, name, args, kwargs or {}, daemon=daemon)
        self._call = target, args, kwargs or {}
        self._crew: tuple[spawned.Crew, int] | None = None

    def start(self) -> None:
        """Start, or be one of those that MPI starts."""
        if not spawned.initializes(self._call[0]):
            super().start()
            return
        multiprocessing.spawn._check_not_importing_main()  # type: ignore[attr-defined]  # Python's own check
        if spawned.possible():
            self._crew = spawned.Crew.join(self._call)
        else:
            super().start()  # which says what is missing

    def join(self, timeout=None) -> None:
        """Wait for the end. `timeout` has no meaning for those that MPI starts."""
        if self._crew is None:
            super().join(timeout)
        else:
            self._crew[0].run()

    def is_alive(self) -> bool:
        """Whether it runs; for those that MPI starts, after waiting for them."""
        if self._crew is None:
            return super().is_alive()
        self.join()
        return False

    @property
    def exitcode(self):
        """0: it ended well; None: not yet."""
        if self._crew is None:
            return super().exitcode
        crew, number = self._crew
        return crew.run()[number]


def spawn(fn, args=(), nprocs: int = 1, join: bool = True, daemon: bool = False, start_method: str = "spawn"):
    """Run ``fn(i, *args)`` in `nprocs` processes, i from 0.

    Where the module of `fn` names `minigrad.distributed`, MPI starts the processes, so that they can meet in
    `init_process_group` (with ``join=True`` only).

    Args:
        fn: a function of a module, so that a new process can import it.
        args (tuple): what it gets beside the number.
        nprocs (int): how many processes.
        join (bool): wait for all; False returns the processes.
        daemon (bool): whether they end with this process.
        start_method (str): "spawn", "fork" or "forkserver".

    Raises:
        ProcessRaisedException: if one fails (its traceback is on stderr); the others are ended.

    PyTorch: torch.multiprocessing.spawn
    """
    if join and nprocs > 1 and spawned.meets(fn) and spawned.possible():
        calls: list[tuple] = [(fn, (i, *args), {}) for i in range(nprocs)]
        rank, code = spawned.spawn(calls, spawned.this_program())
        if code:
            raise ProcessRaisedException(f"process {rank} terminated with exit code {code}")
        return None
    context: Any = multiprocessing.get_context(start_method)
    processes = [context.Process(target=fn, args=(i, *args), daemon=daemon) for i in range(nprocs)]
    for process in processes:
        process.start()
    if not join:
        return processes
    waiting = {process.sentinel: i for i, process in enumerate(processes)}
    while waiting:
        for sentinel in multiprocessing.connection.wait(list(waiting)):
            i = waiting.pop(sentinel)
            processes[i].join()
            if processes[i].exitcode != 0:
                for other in processes:
                    other.terminate()
                    other.join()
                raise ProcessRaisedException(f"process {i} terminated with exit code {processes[i].exitcode}")
    return None


def get_all_sharing_strategies() -> set[str]:
    """``{"file_system"}``. (PyTorch: torch.multiprocessing.get_all_sharing_strategies)"""
    return {"file_system"}


def get_sharing_strategy() -> str:
    """ "file_system"; tensors are copied. (PyTorch: torch.multiprocessing.get_sharing_strategy)"""
    return "file_system"


def set_sharing_strategy(new_strategy: str) -> None:
    """Nothing: tensors are copied whatever the strategy. (PyTorch: torch.multiprocessing.set_sharing_strategy)"""
