"""How the processes of a program find each other at the start, within a set time."""

from __future__ import annotations

import sys
import time

from mpi4py import MPI

from minigrad.distributed.watch import Watch, own_name

__all__: list[str] = []

HELLO = 4711  # MPI's tag on the communicator that all programs share


def meet(seconds: float) -> Watch:
    """Wait for all processes that MPI started, and return the `Watch` over them.

    Names who is missing, and ends all, when the time is over.
    """
    comm = MPI.COMM_WORLD
    if comm.rank:
        hello = comm.isend(own_name(), 0, HELLO)
        waited = until(seconds + 1, lambda: comm.Iprobe(0, HELLO))  # a second for rank 0 to say who is missing
        if not waited:
            give_up(f"rank 0 has not arrived in {seconds:g} s")
        hello.wait()
        names = comm.recv(None, 0, HELLO)
    else:
        names = {0: own_name()}

        def all_here():
            status = MPI.Status()
            while comm.Iprobe(MPI.ANY_SOURCE, HELLO, status):
                names[status.source] = comm.recv(None, status.source, HELLO)
            return len(names) == comm.size

        if not until(seconds, all_here):
            missing = ", ".join(str(rank) for rank in range(comm.size) if rank not in names)
            give_up(f"of {comm.size} processes, rank {missing} has not arrived in {seconds:g} s")
        for rank in range(1, comm.size):
            comm.send(names, rank, HELLO)
    return Watch(comm.Dup(), [names[rank] for rank in range(comm.size)])


def give_up(text: str) -> None:
    """End all processes. (To raise would not: at its end MPI waits for the others.)"""
    sys.stderr.write(f"minigrad.distributed: init_process_group(): {text}\n")
    sys.stderr.flush()
    MPI.COMM_WORLD.Abort(1)


def until(seconds: float, ready) -> bool:
    """Whether `ready()` became true in time."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(0.001)
    return True
