"""What stands on the collectives. (PyTorch: torch.distributed.algorithms)

`join.py` lets processes have unequal numbers of batches; `ddp_comm_hooks/` has ways in which `DistributedDataParallel`
may bring gradients together.
"""

from minigrad.distributed.algorithms.join import Join, Joinable, JoinHook

__all__ = ["Join", "JoinHook", "Joinable"]
