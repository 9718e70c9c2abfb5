"""`DistributedSampler`: each of several processes takes its share. (PyTorch: torch.utils.data.distributed)"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

import minigrad.distributed as dist
from minigrad import random
from minigrad.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index, from index `rank` on, of an order that all replicas agree on.

    Args:
        dataset (Sized): what the indices are of.
        num_replicas (int, optional): how many processes share the data; default: those of the process group.
        rank (int, optional): which of them this is, 0 to ``num_replicas - 1``; default: its rank in the process group.
        shuffle (bool): a random order, the same for all, by `seed` and the epoch of `set_epoch`.
        seed (int): the same in all programs.
        drop_last (bool): make the shares equal by leaving out the last indices; False: by repeating the first.

    ::

        sampler = DistributedSampler(data)
        loader = DataLoader(data, batch_size=32, sampler=sampler)
        for epoch in range(10):
            sampler.set_epoch(epoch)         # without it, every epoch has the same order
            for x, y in loader:
                ...

    Raises:
        ValueError: `num_replicas` or `rank` is missing, and there is no process group; `rank` is out of range.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False) -> None:
        num_replicas = dist.get_world_size() if num_replicas is None else num_replicas
        rank = dist.get_rank() if rank is None else rank
        if not 0 <= rank < num_replicas:
            raise ValueError(f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]")
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        share = len(dataset) / num_replicas
        self.num_samples = math.floor(share) if drop_last else math.ceil(share)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def order(self) -> Sequence[int]:
        """The indices of all examples, in the order of this epoch; the same for all replicas."""
        if not self.shuffle:
            return range(len(self.dataset))
        return random.Generator().manual_seed(self.seed + self.epoch).randperm(len(self.dataset)).tolist()

    def __iter__(self) -> Iterator[int]:
        return itertools.islice(itertools.cycle(self.order()), self.rank, self.total_size, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch: to be called before each, with the same number in all programs."""
        self.epoch = epoch
