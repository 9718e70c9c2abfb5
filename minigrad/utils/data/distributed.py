"""`DistributedSampler`: each of several programs takes its share. (PyTorch: torch.utils.data.distributed)"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

from minigrad import random
from minigrad.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every ``num_replicas``-th index, from index `rank` on, of an order that all replicas agree on.

    Args:
        dataset (Sized): what the indices are of.
        num_replicas (int): how many programs share the data; has to be given, as there is no process group to ask.
        rank (int): which of them this is, 0 to ``num_replicas - 1``; has to be given, too.
        shuffle (bool): a random order, the same for all, by `seed` and the epoch of `set_epoch`.
        seed (int): the same in all programs.
        drop_last (bool): make the shares equal by leaving out the last indices; False: by repeating the first.

    Raises:
        RuntimeError: `num_replicas` or `rank` is missing. ValueError: `rank` is out of range.
    """

    def __init__(self, dataset, num_replicas=None, rank=None, shuffle=True, seed=0, drop_last=False) -> None:
        if num_replicas is None or rank is None:
            raise RuntimeError(
                "DistributedSampler: num_replicas and rank have to be given; minigrad has no process group to ask"
            )
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

    def __iter__(self) -> Iterator[int]:
        order = range(len(self.dataset))
        if self.shuffle:
            order = random.Generator().manual_seed(self.seed + self.epoch).randperm(len(order)).tolist()
        return itertools.islice(itertools.cycle(order), self.rank, self.total_size, self.num_replicas)

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of an epoch: to be called before each, with the same number in all programs."""
        self.epoch = epoch
