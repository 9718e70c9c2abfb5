"""What a worker process does, and what it and the main process say to each other.

Before it: `fetch.py`. After it: `workers.py`, the main process's side.

One pipe joins the main process to each worker. Down it go tasks ``(number, indices)``, up it come ``(number, batch)``
in the same order, where the batch may be a `Failure` or a `Mark`. Arrays travel beside the pickle (protocol 5), as
bytes that are not copied once more. A thread of the worker does the sending, so that the next batch is begun meanwhile.

A pipe that ends is the one sign of parting, in both directions: whoever closes it, or dies, is gone for the other.
"""

from __future__ import annotations

import enum
import pickle
import queue
import random as python_random
import signal
import threading
import traceback
import weakref
from dataclasses import dataclass
from typing import Any

import numpy as np

import minigrad
from minigrad.utils.data._utils.fetch import fetcher
from minigrad.utils.data.dataset import IterableDataset

__all__ = ["Failure", "Mark", "WorkerInfo", "get_worker_info"]

MAIN_ENDS: weakref.WeakSet = weakref.WeakSet()  # the main process's ends of all pipes to workers
_info = None


@dataclass(frozen=True)
class WorkerInfo:
    """What `get_worker_info` gives in a worker.

    Attributes:
        id (int): which worker, 0 to ``num_workers - 1``.
        num_workers (int): how many there are.
        seed (int): what its random numbers were seeded with.
        dataset (Dataset): its copy of the data set.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


def get_worker_info() -> WorkerInfo | None:
    """Which worker this is (a `WorkerInfo`); None in the main process. An iterable data set, of which each worker has
    a copy, shares its work out by it. (PyTorch: torch.utils.data.get_worker_info)"""
    return _info


class Mark(enum.Enum):
    """Messages that are no batch."""

    ENDED = "ended"  # up: this worker's copy of an iterable data set has no more
    AGAIN = "again"  # down: the next epoch begins; up: it may


class Failure:
    """An exception on its way from a worker to the main process: its type, and its traceback as text."""

    def __init__(self, exception, where) -> None:
        self.type = type(exception)
        self.text = (
            f"Caught {self.type.__name__} {where}.\nOriginal "
            f"{''.join(traceback.format_exception(self.type, exception, exception.__traceback__))}"
        )
        try:
            pickle.loads(pickle.dumps(self.type))
        except Exception:  # e.g. a class of a function: it cannot be raised elsewhere
            self.type = RuntimeError

    def reraise(self):
        """Raise it again, of its own type if that can be made of a text; RuntimeError if not."""
        text = _Verbatim(self.text) if issubclass(self.type, KeyError) else self.text
        try:
            exception = self.type(text)
        except Exception:
            exception = RuntimeError(text)
        raise exception


class _Verbatim(str):
    """A KeyError prints the repr of its key: this one is the text itself."""

    __slots__ = ()
    __repr__ = str.__str__


def send(connection, parts):
    """Send a message of `packed`: the lengths of its parts, then the parts."""
    connection.send_bytes(np.array([len(part) for part in parts], np.int64).tobytes())
    for part in parts:
        if len(part):
            connection.send_bytes(part)


def packed(message):
    """The message as parts: a pickle, and beside it the memory of the arrays in it."""
    buffers: list[pickle.PickleBuffer] = []
    head = pickle.dumps(message, 5, buffer_callback=buffers.append)
    return [head, *[buffer.raw() for buffer in buffers]]


def receive(connection):
    """The next message. EOFError or OSError: there will be none."""
    lengths = np.frombuffer(connection.recv_bytes(), np.int64)
    head, *buffers = [bytearray(length) for length in lengths.tolist()]
    for buffer in (head, *buffers):
        if buffer:
            connection.recv_bytes_into(buffer)
    return pickle.loads(head, buffers=buffers)


def work(connection, worker_id, num_workers, base_seed, dataset, fetching, init_fn):
    """The life of a worker: the target of its process.

    Args:
        connection (Connection): its end of the pipe.
        worker_id, num_workers (int): see `WorkerInfo`.
        base_seed (int): the same for all workers of an iterator.
        dataset (Dataset): what it reads from.
        fetching (tuple): the further arguments of `fetcher`.
        init_fn (Callable | None): called with the worker's number, before anything is read.
    """
    global _info
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's business; it closes the pipe
    for end in list(MAIN_ENDS):  # inherited by a fork: they would keep the others' pipes open
        end.close()
    if minigrad.get_num_threads() > 1:
        minigrad.set_num_threads(1)
    _seed_all(base_seed, worker_id)
    _info = WorkerInfo(worker_id, num_workers, base_seed + worker_id, dataset)
    where = f"in DataLoader worker process {worker_id}"
    is_iterable = isinstance(dataset, IterableDataset)
    outbox: queue.SimpleQueue = queue.SimpleQueue()
    left = threading.Event()  # nobody reads what is sent
    threading.Thread(target=_send_all, args=(connection, outbox, left), daemon=True).start()

    def start():
        try:
            return fetcher(dataset, *fetching)
        except Exception as error:
            return Failure(error, where)

    try:
        if init_fn is not None:
            init_fn(worker_id)
        fetch = start()
    except Exception as error:
        fetch = Failure(error, where)

    while not left.is_set():
        try:
            number, indices = receive(connection)
        except (EOFError, OSError):
            return
        if number is Mark.AGAIN:
            fetch, answer = start(), None
        elif fetch is Mark.ENDED:
            continue  # asked for before the main process could know
        else:
            answer = _answer(fetch, indices, is_iterable, where)
            fetch = answer if answer is Mark.ENDED else fetch
        try:
            parts = packed((number, answer))
        except Exception as error:  # a batch that cannot be pickled
            parts = packed((number, Failure(error, where)))
        outbox.put(parts)
        del answer, parts


def _answer(fetch, indices, is_iterable, where):
    """The batch of these indices, or what is in its place."""
    if isinstance(fetch, Failure):
        return fetch
    try:
        return fetch(indices)
    except Exception as error:
        return Mark.ENDED if is_iterable and isinstance(error, StopIteration) else Failure(error, where)


def _seed_all(base_seed, worker_id):
    """Seeds of Python, minigrad and NumPy as PyTorch's workers have them."""
    python_random.seed(base_seed + worker_id)
    minigrad.manual_seed(base_seed + worker_id)
    low, high = base_seed & 0xFFFFFFFF, base_seed >> 32
    np.random.seed(np.random.SeedSequence([worker_id, low, high]).generate_state(4))  # noqa: NPY002


def _send_all(connection, outbox, left):
    try:
        while True:
            send(connection, outbox.get())
    except OSError:
        left.set()
