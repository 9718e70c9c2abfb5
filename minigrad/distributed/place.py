"""What the launcher told this process by its environment, and what the process tells `minigrad launch`."""

from __future__ import annotations

import json
import os
import sys

__all__: list[str] = []

MARK = "\x1eminigrad "  # begins a line of stderr that is for the launcher, which does not show it
# How the launchers of MPI name the number of processes, and which of them this is.
SIZE = ("PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "PMIX_SIZE", "MV2_COMM_WORLD_SIZE")
RANK = ("PMI_RANK", "OMPI_COMM_WORLD_RANK", "PMIX_RANK", "MV2_COMM_WORLD_RANK")
LOCAL_SIZE = ("MPI_LOCALNRANKS", "OMPI_COMM_WORLD_LOCAL_SIZE", "MV2_COMM_WORLD_LOCAL_SIZE")
LOCAL_RANK = ("MPI_LOCALRANKID", "OMPI_COMM_WORLD_LOCAL_RANK", "MV2_COMM_WORLD_LOCAL_RANK")


def place() -> tuple[int, int, int, int]:
    """(rank, number of ranks, rank on this host, number of ranks on this host), as the launcher of MPI says."""
    size, rank = _told(SIZE, 1), _told(RANK, 0)
    return rank, size, _told(LOCAL_RANK, rank), _told(LOCAL_SIZE, size)


def _told(names: tuple[str, ...], default: int) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdigit()), default)


def tell_launcher(**news) -> None:
    """Write a line for `minigrad launch`, if that started this process."""
    if "MINIGRAD_RESTART" in os.environ:
        sys.stderr.write(MARK + json.dumps(news) + "\n")
        sys.stderr.flush()
