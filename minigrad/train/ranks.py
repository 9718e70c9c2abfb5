"""What a run does differently when several processes train one model: `Ranks`; `Alone` is the same for one process.

Before it: `minigrad.distributed`, `DistributedDataParallel` and `DistributedSampler`. After it: `trainer.py`.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import minigrad
import minigrad.distributed as dist
from minigrad import nn
from minigrad.utils.data import DataLoader, DistributedSampler, RandomSampler, SequentialSampler

__all__ = ["Alone", "Ranks"]


class Alone:
    """One process: data and figures stay as they are."""

    rank, size = 0, 1

    def __init__(self, model: nn.Module) -> None:
        self.model = model

    def training_data(self, batches):
        """The part of the training data that is for this process."""
        return batches

    def validation_data(self, batches):
        """The part of the data to measure on that is for this process; all parts together are all data, once."""
        return batches

    def rest_of_epoch(self, batches, epoch: int, done: int):
        """The batches that are left of an epoch of which `done` were done. These are drawn again: they move the sampler
        on."""
        batches = iter(batches)
        drawn = sum(1 for _ in itertools.islice(batches, done))
        if drawn < done:
            raise ValueError(
                f"fit(): the checkpoint was made after batch {done} of an epoch, but the data gave only {drawn} "
                "batches: give the same data, in batches of the same size"
            )
        return batches

    def begin_epoch(self, batches, epoch: int) -> None:
        """Choose the order of an epoch."""

    def count(self, examples: int) -> None:
        """Note that a training step with so many examples is done."""

    def end_epoch(self) -> None:
        """Before the model is measured and saved."""

    def mean(self, loss):
        """The loss that the optimizer is told."""
        return loss

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        return flag

    def sums(self, figures) -> list:
        """The sums of the figures, over all processes."""
        return figures.sums()

    def read(self, path) -> dict[str, Any]:
        """A checkpoint."""
        return minigrad.load(path)

    def write(self, state: dict[str, Any], path) -> None:
        """Save a checkpoint. The file appears whole or not at all."""
        minigrad.save(state, path)

    def optimizer_state(self, optimizer) -> dict[str, Any] | None:
        """The whole state of an optimizer."""
        return optimizer.state_dict()

    def state(self, random_states) -> dict[str, Any] | None:
        """What a checkpoint has to hold beside that of one process."""
        return None

    def load_state(self, kept: dict[str, Any] | None, batch: int) -> dict[str, Any] | None:
        """Be where `state` was taken; returns the random states for this process, if there are any but the first's."""
        if kept is not None and batch:
            raise ValueError(
                "fit(): the checkpoint was made in the middle of an epoch by several processes, which share the data "
                "out in another order; give Trainer(..., distributed=True), which does it with one process, too"
            )
        return None


class Ranks(Alone):
    """Several processes: each has a share of the data, and all have the same model and the same figures."""

    def __init__(self, model: nn.Module, options: dict[str, Any]) -> None:
        if not dist.is_initialized():
            dist.init_process_group("mpi")
        ready = isinstance(model, nn.parallel.DistributedDataParallel)
        self.model = model if ready else nn.parallel.DistributedDataParallel(model, **options)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.seed = self._from_first(minigrad.initial_seed)
        self.examples = 0  # of the epoch under way, done by all processes together

    def _from_first(self, make):
        """What `make()` gives on rank 0, on all ranks; an error of it is raised on all."""
        told: list[Any] = [None, None]
        if self.rank == 0:
            try:
                told[0] = make()
            except Exception as error:
                told[1] = error
        dist.broadcast_object_list(told, src=0)
        if told[1] is not None:
            raise told[1]
        return told[0]

    def training_data(self, batches):
        if takes_all_once(batches):
            sampler = batches.sampler
            if isinstance(sampler, DistributedSampler):
                share = Share(batches.dataset, self, sampler.shuffle, sampler.seed, sampler.drop_last)
            else:
                own = getattr(sampler, "generator", None)
                seed = self.seed if own is None else own.initial_seed()
                share = Share(batches.dataset, self, isinstance(sampler, RandomSampler), seed)
            return with_sampler(batches, share)
        raise TypeError(
            f"fit(): {self.size} processes cannot share out what {type(batches).__name__} gives: expected tensors, "
            "arrays, a Dataset, or a DataLoader with batch_size and shuffle, or with sampler=DistributedSampler(...)"
        )

    def validation_data(self, batches):
        if takes_all_once(batches) and not batches.drop_last:
            return with_sampler(batches, range(self.rank, len(batches.dataset), self.size))
        return batches  # measured by each process: the figures are the same

    def rest_of_epoch(self, batches, epoch, done):
        batches.sampler.set_epoch(epoch)
        batches.sampler.start = self.examples
        return iter(batches)

    def begin_epoch(self, batches, epoch):
        batches.sampler.set_epoch(epoch)
        batches.sampler.start = self.examples = 0

    def count(self, examples):
        self.examples += examples * self.size

    def end_epoch(self):
        self.model.sync_buffers()

    def mean(self, loss):
        loss = loss.detach().clone()
        dist.all_reduce(loss)
        return loss / self.size

    def any(self, flag):
        flags = minigrad.tensor([int(flag)])
        dist.all_reduce(flags, op=dist.ReduceOp.MAX)
        return bool(flags.item())

    def sums(self, figures):
        parts: list[Any] = [None] * self.size
        dist.all_gather_object(parts, figures.sums())
        return figures.joined(parts)

    def read(self, path):
        return self._from_first(lambda: minigrad.load(path))

    def write(self, state, path):
        if self.rank == 0:
            minigrad.save(state, path)
        dist.barrier()  # whoever goes on from here finds the file

    def optimizer_state(self, optimizer):
        if hasattr(optimizer, "consolidate_state_dict"):
            optimizer.consolidate_state_dict(to=0)
            if self.rank:
                return None
        return optimizer.state_dict()

    def state(self, random_states):
        parts: list[Any] | None = [None] * self.size if self.rank == 0 else None
        dist.gather_object(random_states, parts)
        return {"examples": self.examples, "seed": self.seed, "random": parts}

    def load_state(self, kept, batch):
        if kept is None:
            if batch:
                raise ValueError(
                    "fit(): the checkpoint was made in the middle of an epoch by one process without distributed=True, "
                    "whose order of the data several cannot go on with; take one from the end of an epoch"
                )
            return None
        self.examples, self.seed = kept["examples"], kept["seed"]
        return kept["random"][self.rank % len(kept["random"])]


class Share(DistributedSampler):
    """The part of a rank, from example `start` of the epoch's order on: a run may go on with other numbers of ranks.

    After k batches of B, N ranks that take turns have done the first k·B·N of the order, whatever N is.
    """

    def __init__(self, dataset, ranks, shuffle, seed, drop_last=False) -> None:
        super().__init__(dataset, ranks.size, ranks.rank, shuffle, seed, drop_last)
        self.start = 0

    def __iter__(self):
        stop = self.start + len(self) * self.num_replicas
        return itertools.islice(itertools.cycle(self.order()), self.start + self.rank, stop, self.num_replicas)

    def __len__(self):
        left = max(0, len(self.dataset) - self.start) / self.num_replicas
        return math.floor(left) if self.drop_last else math.ceil(left)


def takes_all_once(batches) -> bool:
    """Whether something is a loader that takes each example of a data set once, in order, shuffled or as a share."""
    if not isinstance(batches, DataLoader) or batches.batch_size is None:
        return False
    sampler = batches.sampler
    if type(sampler) is RandomSampler:
        return not sampler.replacement and sampler.num_samples == len(batches.dataset)
    return isinstance(sampler, SequentialSampler | DistributedSampler)


def with_sampler(loader: DataLoader, sampler) -> DataLoader:
    """The same loader with another sampler."""
    names = (
        "batch_size", "num_workers", "collate_fn", "drop_last", "timeout", "worker_init_fn", "generator",
        "multiprocessing_context", "prefetch_factor", "persistent_workers", "in_order",
    )  # fmt: skip
    return DataLoader(loader.dataset, sampler=sampler, **{name: getattr(loader, name) for name in names})
