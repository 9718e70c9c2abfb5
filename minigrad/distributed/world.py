"""The processes of a program: `init_process_group`, ranks, and the `World` that the groups share.

MPI starts the processes (`mpiexec -n 4 python train.py`, `minigrad launch -n 4 train.py`) and knows who is who; a
program that was started alone is a world of one, which needs no MPI.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import subprocess
import sys
from typing import Any

from minigrad.distributed.errors import INSTALL
from minigrad.distributed.groups import ProcessGroup, default_group, is_outside, state, the_group
from minigrad.distributed.place import place
from minigrad.distributed.work import as_seconds

__all__ = [
    "Backend", "default_pg_timeout", "destroy_process_group", "get_backend", "get_backend_config",
    "get_default_backend_for_device", "get_node_local_rank", "get_pg_count", "get_rank", "get_world_size",
    "init_process_group", "is_available", "is_backend_available", "is_gloo_available", "is_initialized",
    "is_mpi_available", "is_nccl_available", "is_torchelastic_launched", "is_ucc_available", "is_xccl_available",
]  # fmt: skip

default_pg_timeout = datetime.timedelta(minutes=30)


class Backend(str):
    """The name of a backend, in lower case. All stand for the one engine, MPI. (PyTorch: torch.distributed.Backend)"""

    UNDEFINED, GLOO, NCCL, UCC, MPI, XCCL = "undefined", "gloo", "nccl", "ucc", "mpi", "xccl"
    backend_list = ("undefined", "gloo", "nccl", "mpi")

    def __new__(cls, name: str):
        if not isinstance(name, str):
            raise ValueError("Backend constructor parameter must be string-ish")
        return super().__new__(cls, name.lower())


class World:
    """What all groups of a process share."""

    def __init__(self, backend: Backend, guard) -> None:
        self.backend, self.guard = backend, guard  # guard: None in a world of one
        self.watch = None if guard is None else guard.watch


def load_mpi(seconds: float = 0.0):
    """mpi4py's MPI, or None where it is not installed.

    The first import starts MPI, which waits for all its processes; if `seconds` are given, for so long.
    """
    try:
        with in_time(seconds if place()[1] > 1 and "mpi4py.MPI" not in sys.modules else 0.0):
            from mpi4py import MPI
    except ModuleNotFoundError:
        return None
    except (ImportError, RuntimeError) as error:  # mpi4py without an MPI library
        raise ImportError(
            f"mpi4py is installed, but finds no MPI library: {INSTALL} (or load your cluster's module)"
        ) from error
    return MPI


def init_process_group(
    backend: str | None = None,
    init_method: str | None = None,
    timeout: datetime.timedelta | None = None,
    world_size: int = -1,
    rank: int = -1,
    store: Any = None,
    group_name: str = "",
    pg_options: Any = None,
    device_id: Any = None,
    _ranks: list[int] | None = None,
) -> None:
    """Join the other processes of this program; to be called once by each, before anything else here.

    ``mpiexec -n 4 python train.py`` or ``minigrad launch -n 4 train.py`` starts them. Started alone, the program is a
    world of one: every collective leaves its tensor as it is, and mpi4py is not needed.

    Args:
        backend: "mpi" or None. "gloo" and "nccl" are taken too, and mean the same engine.
        init_method: "env://" or None; MPI knows where the others are.
        timeout: how long a collective or a message may take until it is an error that says who is missing. None:
            ``MINIGRAD_DISTRIBUTED_TIMEOUT`` (seconds), else 30 minutes.
        world_size, rank: what MPI says, or -1.
        store, group_name, pg_options, device_id: accepted, without effect.

    Raises:
        ValueError: called twice; `world_size` or `rank` are not what MPI says; an unknown backend.
        ModuleNotFoundError: there are to be several processes, and mpi4py is not installed.
        (PyTorch: torch.distributed.init_process_group)
    """
    if state.default is not None:
        raise ValueError("trying to initialize the default process group twice!")
    chosen = _backend(backend)
    if init_method is not None and not str(init_method).startswith(("env://", "tcp://", "file://")):
        raise ValueError(
            f"init_process_group(): argument 'init_method': got {init_method!r}; expected 'env://' or None"
        )
    if timeout is not None and not isinstance(timeout, datetime.timedelta):
        raise TypeError(f"Expected timeout argument to be of type datetime.timedelta, got {timeout}")
    seconds = as_seconds(timeout) or default_seconds()
    mpi = load_mpi(seconds)
    own, size = (0, 1) if mpi is None else (mpi.COMM_WORLD.rank, mpi.COMM_WORLD.size)
    _check_claims(world_size, rank, own, size, mpi)
    world, name = World(chosen, join(mpi, seconds) if size > 1 else None), state.unique("the default group")
    state.begin(ProcessGroup(world, list(range(size)), own, seconds, name, name, lambda: mpi.COMM_WORLD.Dup()))


# MPI waits for the other processes in C and holds Python's lock, so that only another process can end that.
_WATCH = """
import os, select, sys
if not select.select([0], [], [], float(sys.argv[1]))[0]:
    os.write(2, sys.argv[2].encode())
    os.kill(int(sys.argv[3]), 9)
"""


@contextlib.contextmanager
def in_time(seconds: float):
    """End this process if what is done here takes longer than `seconds` (0: do not)."""
    if not seconds:
        yield
        return
    rank, size = place()[:2]
    text = (
        f"minigrad.distributed: rank {rank} of {size} gave up: MPI waited {seconds:g} s at its start for all "
        "processes; one has ended or hangs before init_process_group()\n"
    )
    words = [sys.executable, "-S", "-E", "-c", _WATCH, str(seconds + rank / 5), text, str(os.getpid())]
    with subprocess.Popen(words, stdin=subprocess.PIPE):  # closing its stdin ends it
        yield


def default_seconds() -> float:
    """How long a collective may take, where the program does not say."""
    return float(os.environ.get("MINIGRAD_DISTRIBUTED_TIMEOUT") or default_pg_timeout.total_seconds())


def join(mpi, seconds: float):
    """The guard of this process, from when on the ranks know of each other."""
    from minigrad.distributed.failure import Guard
    from minigrad.distributed.meeting import meet

    if mpi.Query_thread() < mpi.THREAD_MULTIPLE:
        raise RuntimeError(
            "init_process_group(): MPI was started without MPI_THREAD_MULTIPLE, which the watch over the ranks needs: "
            "leave mpi4py.rc.thread_level at 'multiple'"
        )
    return Guard.current or Guard(meet(seconds))


def _backend(given) -> Backend:
    name = Backend("mpi" if given is None else given)
    if not set(name.replace("cpu:", "").replace("cuda:", "").split(",")) <= {"mpi", "gloo", "nccl"}:
        raise ValueError(f"init_process_group(): argument 'backend': got {given!r}; expected 'mpi', 'gloo' or 'nccl'")
    return name


def _check_claims(world_size: int, rank: int, own: int, size: int, mpi) -> None:
    """Compare what the call and the environment say about the processes with what MPI says."""
    started = place()[1]
    if mpi is None and started > 1:
        raise ModuleNotFoundError(
            f"init_process_group(): MPI started {started} processes, but this Python has no mpi4py to join them: "
            f"{INSTALL}"
        )
    claimed = world_size if world_size > 0 else int(os.environ.get("WORLD_SIZE") or size)
    if claimed != size:
        if mpi is None:
            raise ModuleNotFoundError(
                f"init_process_group(): a world of {claimed} processes needs MPI: {INSTALL}, and start the program "
                f"with mpiexec -n {claimed} python ... or minigrad launch -n {claimed} ..."
            )
        raise ValueError(
            f"init_process_group(): world_size is {claimed}, but MPI started {size} "
            f"process{'' if size == 1 else 'es'}: start the program with mpiexec -n {claimed} python ... or "
            f"minigrad launch -n {claimed} ... (processes of multiprocessing or torchrun cannot meet over MPI)"
        )
    if rank >= 0 and rank != own:
        raise ValueError(f"init_process_group(): argument 'rank': got {rank}, but MPI says that this is rank {own}")


def destroy_process_group(group: ProcessGroup | None = None) -> None:
    """Leave a group; None or the default one: leave all. (PyTorch: torch.distributed.destroy_process_group)"""
    if is_outside(group):
        return
    if state.default is None and group is None:
        raise AssertionError("Process group cannot be None")
    leaving = the_group(group, "destroy_process_group")
    if leaving is state.default:
        if leaving._world.guard is not None:
            leaving._world.guard.dismiss()
        state.end()
    else:
        state.remove(leaving)


def is_available() -> bool:
    """True: a program can always call `init_process_group`; several processes need mpi4py, see `is_mpi_available`."""
    return True


def is_mpi_available() -> bool:
    """Whether mpi4py and an MPI library are here, so that there can be several processes."""
    try:
        return load_mpi() is not None
    except ImportError:
        return False


def is_gloo_available() -> bool:
    """False: the name "gloo" is taken, and means MPI."""
    return False


def is_nccl_available() -> bool:
    """False: the name "nccl" is taken, and means MPI."""
    return False


def is_ucc_available() -> bool:
    """False: what moves the bytes is MPI."""
    return False


def is_xccl_available() -> bool:
    """False: what moves the bytes is MPI."""
    return False


def is_backend_available(backend: str) -> bool:
    """Whether `backend` is "mpi" and can be used."""
    return backend.lower() == "mpi" and is_mpi_available()


def is_torchelastic_launched() -> bool:
    """Whether torchrun started this process, by its environment variable."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def is_initialized() -> bool:
    """Whether `init_process_group` was called."""
    return state.default is not None


def get_rank(group: ProcessGroup | None = None) -> int:
    """This process's number in a group (None: among all), from 0; -1 if it is no member."""
    if is_outside(group):
        default_group()
        return -1
    return the_group(group, "get_rank").rank()


def get_world_size(group: ProcessGroup | None = None) -> int:
    """How many ranks a group has (None: all); -1 if this process is no member."""
    if is_outside(group):
        default_group()
        return -1
    return the_group(group, "get_world_size").size()


def get_backend(group: ProcessGroup | None = None) -> Backend:
    """The name that `init_process_group` was given, or "mpi"."""
    return the_group(group, "get_backend")._world.backend


def get_backend_config(group: ProcessGroup | None = None) -> str:
    """``"cpu:mpi"``, with the name that `init_process_group` was given."""
    return f"cpu:{get_backend(group)}"


def get_default_backend_for_device(device) -> str:
    """ "mpi", whatever the device: there is one engine."""
    return "mpi"


def get_pg_count() -> int:
    """How many groups this process is in."""
    return len(state.groups)


def get_node_local_rank(fallback_rank: int | None = None) -> int:
    """This process's number on its machine: ``LOCAL_RANK``, which `minigrad launch` sets.

    Raises RuntimeError if that is not set and there is no `fallback_rank`.
    """
    if "LOCAL_RANK" in os.environ:
        return int(os.environ["LOCAL_RANK"])
    if fallback_rank is not None:
        return int(fallback_rank)
    raise RuntimeError(
        "LOCAL_RANK is not in the environment. Consider passing fallback_rank to allow `get_node_local_rank` to work, "
        "assuming you are not running in a multi-device context and want the code to run locally instead."
    )
