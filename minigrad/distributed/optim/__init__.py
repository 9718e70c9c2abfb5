"""Optimizers for several processes. (PyTorch: torch.distributed.optim)"""

from minigrad.distributed.optim.zero_redundancy_optimizer import ZeroRedundancyOptimizer

__all__ = ["ZeroRedundancyOptimizer"]
