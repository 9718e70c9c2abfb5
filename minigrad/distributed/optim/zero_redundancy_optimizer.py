"""`ZeroRedundancyOptimizer`: each process keeps the optimizer's state of its share of the parameters only.

With N processes that train one model by `DistributedDataParallel`, N equal copies of the optimizer's state would lie in
memory: for Adam twice the size of the model each. Here each parameter has one process that updates it, and then gives
the new values to the others:

    rank 0   Adam of {w1, b3}   ── w1, b3 ──▶ ◀── w2, b1 ──   Adam of {w2, b1}   rank 1

Source: Rajbhandari et al., ZeRO: Memory Optimizations Toward Training Trillion Parameter Models (2020), stage 1.
(PyTorch: torch.distributed.optim.zero_redundancy_optimizer)
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import minigrad.distributed as dist
from minigrad.autograd.node import bump_all
from minigrad.distributed.algorithms.join import Join, Joinable, JoinHook
from minigrad.distributed.coalesced import broadcast_coalesced
from minigrad.optim import LBFGS, Optimizer
from minigrad.tensor import wrap

__all__ = ["ZeroRedundancyOptimizer"]


class ZeroRedundancyOptimizer(Optimizer, Joinable):
    """An optimizer whose state is shared out among the processes, so that each holds about 1/N of it.

    ::

        model = nn.parallel.DistributedDataParallel(Net())
        optimizer = ZeroRedundancyOptimizer(model.parameters(), optimizer_class=optim.Adam, lr=1e-3)

    The steps are those of ``optimizer_class(params, **defaults)``, to the last bit. All processes have to call `step`,
    `add_param_group` and `consolidate_state_dict`, with the same parameters. `param_groups` has all parameters, and may
    be changed between steps, as schedules do; `state` has what this process keeps.

    Args:
        params (iterable): tensors, or dicts of groups; see `optim.Optimizer`.
        optimizer_class (type): the optimizer that does the steps, e.g. `optim.Adam`.
        process_group (optional): the processes among which it is shared out; default: all.
        parameters_as_bucket_view (bool): put the parameters of each process into one flat array, of which they become
            parts: fewer and larger messages, no copies.
        overlap_with_ddp (bool): not supported (NotImplementedError).
        defaults: the arguments of `optimizer_class`.

    Attributes:
        optim (Optimizer): the one of this process.

    Raises:
        ValueError: as `optimizer_class` does; `optim.LBFGS`, whose steps need all gradients in one place.

    PyTorch: torch.distributed.optim.ZeroRedundancyOptimizer
    """

    def __init__(
        self, params, optimizer_class: type[Optimizer], process_group: Any | None = None,
        parameters_as_bucket_view: bool = False, overlap_with_ddp: bool = False, **defaults: Any,
    ) -> None:  # fmt: skip
        if overlap_with_ddp:
            raise NotImplementedError(
                "ZeroRedundancyOptimizer(): overlap_with_ddp=True is not supported; leave it out, and call step() "
                "after backward()"
            )
        if issubclass(optimizer_class, LBFGS):
            raise ValueError(
                "ZeroRedundancyOptimizer(): argument 'optimizer_class': LBFGS looks at all gradients together, so that "
                "its state cannot be shared out; use it as it is"
            )
        self.process_group: Any = dist.group.WORLD if process_group is None else process_group
        self.world_size, self.rank = dist.get_world_size(self.process_group), dist.get_rank(self.process_group)
        self.parameters_as_bucket_view = parameters_as_bucket_view
        self._sizes = [0] * self.world_size  # how many numbers each process looks after
        self._owned: list[list] = [[] for _ in range(self.world_size)]  # the parameters of each
        self._shares: list[list] = []  # for each group, the parameters of it that are this process's
        self._flat: list[list] = []  # for each process, flat tensors of its parameters, if they are views
        self._gathered: dict[int, dict] | None = None
        Joinable.__init__(self)
        Optimizer.__init__(self, params, defaults)
        groups = [{**group, "params": share} for group, share in zip(self.param_groups, self._shares)]
        self.optim = optimizer_class([_without_names(group) for group in groups], **defaults)
        _copy_options(self.optim.param_groups, self.param_groups)
        self.state = self.optim.state
        self._pack()

    # ---- whose each parameter is

    def add_param_group(self, param_group) -> None:
        """Optimize these parameters too; to be called by all processes. See `optim.Optimizer.add_param_group`."""
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        shares: list[list] = [[] for _ in range(self.world_size)]
        for p in sorted(group["params"], key=lambda p: p.numel(), reverse=True):
            rank = self._sizes.index(min(self._sizes))  # the largest that is left, to who has least
            shares[rank].append(p)
            self._sizes[rank] += p.numel()
        for owned, share in zip(self._owned, shares):
            owned.extend(share)
        self._shares.append(shares[self.rank])
        if hasattr(self, "optim"):
            self.optim.add_param_group(_without_names({**group, "params": shares[self.rank]}))
            _copy_options(self.optim.param_groups[-1:], self.param_groups[-1:])
            self._pack()

    def _pack(self):
        """Let the parameters of each process be parts of flat arrays, one for each dtype."""
        if not self.parameters_as_bucket_view:
            return
        self._flat = [[] for _ in range(self.world_size)]
        for flat, owned in zip(self._flat, self._owned):
            for dtype in dict.fromkeys(p.array.dtype for p in owned):
                params = [p for p in owned if p.array.dtype == dtype]
                whole = np.concatenate([p.array.ravel() for p in params])
                ends = np.cumsum([p.numel() for p in params])
                for p, part in zip(params, np.split(whole, ends[:-1])):
                    p.data = wrap(part.reshape(p.shape))
                flat.append(wrap(whole))

    # ---- steps

    def step(self, closure=None, **kwargs: Any) -> Any:
        """Update the parameters of this process, and let all have all new values. Arguments and result: those of
        `optimizer_class`."""
        Join.notify_join_context(self)
        return self._step(closure, kwargs)

    def _step(self, closure, kwargs):
        _copy_options(self.param_groups, self.optim.param_groups)
        loss = self.optim.step(**kwargs) if closure is None else self.optim.step(closure=closure, **kwargs)
        _copy_options(self.optim.param_groups, self.param_groups)
        self._gathered = None
        self._give_all()
        return loss

    def _give_all(self):
        for rank, owned in enumerate(self._owned):
            src = dist.get_global_rank(self.process_group, rank)
            broadcast_coalesced(self._flat[rank] if self._flat else owned, src, self.process_group)
            if rank != self.rank and owned:
                bump_all(owned, "ZeroRedundancyOptimizer.step")

    # ---- saving

    def consolidate_state_dict(self, to: int = 0) -> None:
        """Bring the whole state to one process, where `state_dict` then gives it. To be called by all.

        Args:
            to (int): the rank within the process group.
        """
        index = {p: i for i, p in enumerate(self._in_order())}
        own = {index[p]: state for p, state in self.optim.state.items()}
        parts: list[Any] | None = [None] * self.world_size if self.rank == to else None
        dist.gather_object(own, parts, dist.get_global_rank(self.process_group, to), self.process_group)
        if parts is not None:
            self._gathered = dict(sorted(item for part in parts for item in part.items()))

    def state_dict(self) -> dict[str, Any]:
        """The state of all parameters, as `optimizer_class` would give it: one that is loaded into it, too.

        Raises:
            RuntimeError: `consolidate_state_dict` has not been called since the last step, with this rank.
        """
        if self._gathered is None:
            raise RuntimeError(
                "Optimizer state has not been consolidated on this rank. Please call "
                f"`consolidate_state_dict(to={self.rank})` on all ranks beforehand if you meant to save the global "
                "state."
            )
        return {**super().state_dict(), "state": self._gathered}

    def load_state_dict(self, state_dict) -> None:
        """Go on from a whole state, of this class (with any number of processes) or of `optimizer_class`: each process
        takes what is its own. To be called by all. See `optim.Optimizer.load_state_dict`."""
        mine = {id(p) for p in self._owned[self.rank]}
        own = {i for i, p in enumerate(self._in_order()) if id(p) in mine}
        kept = {key: state for key, state in state_dict["state"].items() if key in own}
        super().load_state_dict({**state_dict, "state": kept})
        self._gathered = None

    def __setstate__(self, state):
        super().__setstate__(state)
        _copy_options(self.param_groups, self.optim.param_groups)
        self.optim.__setstate__({"state": self.state, "param_groups": self.optim.param_groups})

    def _check_state(self):
        self.optim._check_state()

    def _in_order(self):
        return list(itertools.chain.from_iterable(group["params"] for group in self.param_groups))

    # ---- processes with unequal numbers of batches

    def join_hook(self, **kwargs) -> JoinHook:
        """What a `Join` context calls: a process without data still updates its share, so gradients have to be there;
        with `DistributedDataParallel` before it in the list they are."""
        return _Shadow(self)


class _Shadow(JoinHook):
    def __init__(self, optimizer):
        self.optimizer = optimizer

    def main_hook(self):
        self.optimizer._step(None, {})


def _without_names(group):
    """A group for the optimizer of one process: the names of parameters stay with the whole."""
    return {name: value for name, value in group.items() if name != "param_names"}


def _copy_options(sources, targets):
    for source, target in zip(sources, targets, strict=True):
        target.update({name: value for name, value in source.items() if name not in ("params", "param_names")})
