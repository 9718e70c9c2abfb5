"""`minigrad.multiprocessing`: Python's own, and `spawn`. (PyTorch: torch.multiprocessing)

Tensors can be sent through its queues and pipes: they are copied, not shared, so a process does not see what another
writes. Where PyTorch would train one model in several processes (Hogwild), send states instead.
"""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
from multiprocessing import *  # noqa: F403  (its __all__ is what this module offers too)
from typing import Any

from minigrad.distributed import spawned

__all__ = [
    *multiprocessing.__all__,
    "ProcessRaisedException", "get_all_sharing_strategies", "get_sharing_strategy", "set_sharing_strategy", "spawn",
]  # fmt: skip


class ProcessRaisedException(Exception):
    """A process that `spawn` started ended with an error. (PyTorch: torch.multiprocessing.ProcessRaisedException)"""


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
    if join and nprocs > 1 and spawned.meets(fn):
        rank, code = spawned.spawn(fn, args, nprocs)
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
