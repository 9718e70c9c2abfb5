"""`minigrad.distributed`: says that it is not available; everything else is refused.

A program that asks `is_available() and is_initialized()` first runs in its one process. (PyTorch: torch.distributed)
"""

from __future__ import annotations

import enum

from minigrad.harmless import refusing

__all__ = [
    "ReduceOp", "is_available", "is_gloo_available", "is_initialized", "is_mpi_available", "is_nccl_available",
    "is_torchelastic_launched",
]  # fmt: skip

__getattr__ = refusing(
    __name__,
    "Backend DeviceMesh FileStore P2POp ProcessGroup TCPStore Work all_gather all_gather_into_tensor all_gather_object "
    "all_reduce all_to_all all_to_all_single barrier batch_isend_irecv broadcast broadcast_object_list "
    "destroy_process_group gather gather_object get_backend get_default_backend_for_device get_global_rank get_rank "
    "get_world_size init_device_mesh init_process_group irecv isend monitored_barrier new_group recv recv_object_list "
    "reduce reduce_scatter reduce_scatter_tensor scatter scatter_object_list send send_object_list",
    NotImplementedError,
    "minigrad runs in one process; leave the distributed part out (rank 0, world size 1), or start independent "
    "processes with multiprocessing; guard calls with distributed.is_available(), which is False",
)


class ReduceOp(enum.Enum):
    """How PyTorch's collective operations combine numbers; by name only. (PyTorch: torch.distributed.ReduceOp)"""

    SUM = 0
    AVG = 1
    PRODUCT = 2
    MIN = 3
    MAX = 4
    BAND = 5
    BOR = 6
    BXOR = 7


def is_available() -> bool:
    """False. (PyTorch: torch.distributed.is_available)"""
    return False


def is_initialized() -> bool:
    """False. (PyTorch: torch.distributed.is_initialized)"""
    return False


def is_nccl_available() -> bool:
    """False. (PyTorch: torch.distributed.is_nccl_available)"""
    return False


def is_gloo_available() -> bool:
    """False. (PyTorch: torch.distributed.is_gloo_available)"""
    return False


def is_mpi_available() -> bool:
    """False. (PyTorch: torch.distributed.is_mpi_available)"""
    return False


def is_torchelastic_launched() -> bool:
    """False. (PyTorch: torch.distributed.is_torchelastic_launched)"""
    return False
