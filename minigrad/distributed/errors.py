"""PyTorch's errors of `distributed`, and the sentences that several functions say."""

from __future__ import annotations

__all__ = ["DistBackendError", "DistError", "DistNetworkError", "DistStoreError"]

NOT_INITIALIZED = "Default process group has not been initialized, please make sure to call init_process_group."
INSTALL = 'pip install "minigrad[mpi]" mpich'


class DistError(RuntimeError):
    """Something between the ranks went wrong. (PyTorch: torch.distributed.DistError)"""


class DistBackendError(DistError):
    """A collective cannot end: a rank failed, is missing, or called something else.
    (PyTorch: torch.distributed.DistBackendError)"""


class PeerFailure(DistBackendError):
    """Another rank failed, which has said so itself: this one only stops."""


class DistNetworkError(DistError):
    """Never raised here: the network is MPI's. (PyTorch: torch.distributed.DistNetworkError)"""


class DistStoreError(DistError):
    """Never raised here: there is no store. (PyTorch: torch.distributed.DistStoreError)"""


for _error in (DistError, DistBackendError, PeerFailure, DistNetworkError, DistStoreError):
    _error.__module__ = "minigrad.distributed"  # as tracebacks name them
