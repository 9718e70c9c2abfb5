"""`nn.parallel`: one model on several devices or processes. (PyTorch: torch.nn.parallel)

data_parallel.py   `DataParallel`, which only wraps: there is one device
reducer.py         gradients in buckets, averaged over processes while the backward runs
distributed.py     `DistributedDataParallel`, which puts that around a model
"""

from minigrad.nn.parallel.data_parallel import DataParallel, data_parallel
from minigrad.nn.parallel.distributed import DistributedDataParallel

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]
