"""The main process's side of loading with workers: who gets which indices, whose batch is next, and parting from them.

Before it: `_utils/worker.py`, what a worker does and how the two talk. After it: `dataloader.py`.

Workers are processes, started in the way that Python starts processes on the machine (or as ``multiprocessing_context``
says): transforms are Python, and threads would take turns at that. A batch comes through a pipe: a copy, at 0.5 to 1 GB
a second, which was no slower than shared memory and needs neither names nor room in ``/dev/shm``.
"""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import os
import time
import warnings
import weakref
from multiprocessing import connection as connections

from minigrad.utils.data._utils.worker import MAIN_ENDS, Failure, Mark, packed, receive, send, work

__all__ = ["Workers"]

_PATIENCE = 5.0  # seconds that a worker has for the batch it is at, when nobody wants it any more


class Workers:
    """The workers of one iterator, and what each of them owes.

    Tasks are dealt out in turn and each worker answers in order; so the next batch in order is the next message in the
    pipe of the worker that owes it, and no two batches ever wait for each other here.

    Args:
        loader (DataLoader): says how many, and how they are started.
        base_seed (int): worker `i` is seeded with ``base_seed + i``.
    """

    def __init__(self, loader, base_seed) -> None:
        if loader.prefetch_factor < 1:
            raise AssertionError(f"prefetch_factor must be greater than 0, but got {loader.prefetch_factor}")
        self._count = loader.num_workers
        self._in_order = loader.in_order
        self._timeout = loader.timeout
        self._most = loader.prefetch_factor * self._count
        self._pipes: list = []
        self._processes: list = []
        # Called when this is dropped and, if it has not been by then, when the program ends.
        self.close = weakref.finalize(self, _close, self._pipes, self._processes, os.getpid())
        context = loader.multiprocessing_context or multiprocessing.get_context()
        fetching = loader.batch_sampler is not None, loader.collate_fn, loader.drop_last
        try:
            for i in range(self._count):
                ours, theirs = context.Pipe()
                MAIN_ENDS.add(ours)
                self._pipes.append(ours)
                arguments = theirs, i, self._count, base_seed, loader.dataset, fetching, loader.worker_init_fn
                process = context.Process(target=work, args=arguments, daemon=True)
                with theirs, warnings.catch_warnings():
                    # Python 3.12 warns of forks beside threads, also of those of BLAS, which know how to be forked.
                    warnings.filterwarnings("ignore", ".*multi-threaded, use of fork", DeprecationWarning)
                    process.start()
                self._processes.append(process)
        except BaseException:
            self.close()
            raise

    def begin(self, indices, again=False):
        """Start an epoch: deal out the first tasks. `again`: the workers have done one before."""
        if again:
            for worker in range(self._count):
                self._send(worker, Mark.AGAIN, None)
            for worker in range(self._count):
                while self._receive(worker)[0] is not Mark.AGAIN:
                    pass  # what is left of the former epoch
        self._indices = indices
        self._sent = self._due = 0  # tasks are numbered; the next to deal out, the next to give
        self._owes: dict[int, int] = {}  # which worker has a task
        self._load = [0] * self._count
        self._active = [True] * self._count  # has not come to the end of its iterable data set
        self._turn = itertools.cycle(range(self._count))
        for _ in range(self._most):
            self._deal()

    def next(self):
        """The next batch; StopIteration when all have been given."""
        while self._owes:
            worker = self._owes.get(self._due) if self._in_order else self._first_to_answer()
            if worker is None:
                self._due += 1  # given before its turn, or of a worker that ended before it
                continue
            number, answer = self._receive(worker)
            if answer is Mark.ENDED:
                self._active[worker] = False
                self._owes = {task: owner for task, owner in self._owes.items() if owner != worker}
                self._deal()
                continue
            del self._owes[number]
            self._load[worker] -= 1
            self._deal()
            if isinstance(answer, Failure):
                answer.reraise()
            return answer
        raise StopIteration

    def _deal(self):
        try:
            indices = next(self._indices)
        except StopIteration:
            return
        for _ in range(self._count):
            worker = next(self._turn)
            if self._active[worker] and (self._in_order or self._load[worker] < self._most // sum(self._active)):
                break
        else:
            return
        self._owes[self._sent] = worker
        self._load[worker] += 1
        self._send(worker, self._sent, indices)
        self._sent += 1

    def _first_to_answer(self):
        pipes = {self._pipes[worker]: worker for worker in set(self._owes.values())}
        ready = connections.wait(list(pipes), self._timeout or None)
        if not ready:
            self._late()
        return pipes[ready[0]]

    def _late(self):
        raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds: no worker had a batch ready")

    def _send(self, worker, number, indices):
        try:
            send(self._pipes[worker], packed((number, indices)))
        except OSError:
            self._has_died(worker)

    def _receive(self, worker):
        pipe = self._pipes[worker]
        try:
            if self._timeout and not pipe.poll(self._timeout):
                self._late()
            return receive(pipe)
        except (EOFError, OSError):
            self._has_died(worker)
        except (KeyboardInterrupt, SystemExit):
            self.close()  # within a message: what is left of it could not be told from the next
            raise

    def _has_died(self, worker):
        process = self._processes[worker]
        process.join(1)
        pid, exit_code = process.pid, process.exitcode
        self.close()
        raise RuntimeError(
            f"DataLoader worker (pid(s) {pid}) exited unexpectedly, with exit code {exit_code} (a negative one is the "
            "signal that killed it). With num_workers=0 the same code runs in this process and can be debugged"
        ) from None


def _close(pipes, processes, owner):
    """Part from the workers: each ends when it finds its pipe closed, or is ended."""
    if os.getpid() != owner:
        return  # in a worker that inherited them
    for pipe in pipes:
        pipe.close()
    deadline = time.monotonic() + _PATIENCE
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    for process in processes:
        if process.is_alive():
            process.terminate()
            process.join(1)
        if process.is_alive():
            process.kill()
            process.join()
        with contextlib.suppress(ValueError):
            process.close()
