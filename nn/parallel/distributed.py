"""`DistributedDataParallel`: the same model in every process, each with its own share of a batch.

Before it: `reducer.py`, which averages the gradients. (PyTorch: torch.nn.parallel.DistributedDataParallel)
"""

from __future__ import annotations

import contextlib
import dataclasses
import itertools

import minigrad
import minigrad.distributed as dist
from minigrad.autograd import is_grad_enabled
from minigrad.distributed.algorithms.join import Join, Joinable, JoinHook
from minigrad.distributed.coalesced import broadcast_coalesced
from minigrad.nn.modules.module import Module
from minigrad.nn.parallel.reducer import FIRST_BUCKET, Reducer
from minigrad.nn.parameter import is_lazy
from minigrad.tensor import Tensor

__all__ = ["DistributedDataParallel"]

MB = 1 << 20


class DistributedDataParallel(Module, Joinable):
    """The module, wrapped: each process calls it with a batch of its own, and after ``backward()`` all processes have
    the same gradients, the average of theirs. Equal steps of equal optimizers then keep the models equal.

    ::

        dist.init_process_group("mpi")                    # mpiexec -n 4 python program.py
        model = DistributedDataParallel(Net())
        optimizer = optim.SGD(model.parameters(), lr=0.1)
        for x, y in loader:                               # with a DistributedSampler
            loss = loss_fn(model(x), y)                   # the mean over this process's batch
            optimizer.zero_grad()
            loss.backward()                               # averaged while it runs
            optimizer.step()

    N processes with batches of B compute what one does with batches of N·B, where the loss is a mean over the batch.
    Parameters and buffers of rank 0 are given to all at the start, buffers again before each forward. Input and output:
    those of the module. Parameters are named ``module.…``.

    Args:
        module (Module): the same in all processes.
        device_ids, output_device, dim, check_reduction: accepted; there is one device.
        broadcast_buffers (bool): give the buffers of rank 0 to all before each forward.
        init_sync (bool): compare the models of all processes, and give parameters and buffers of rank 0 to all, at the
            start. False: they are known to be equal.
        process_group (optional): the processes that work together; default: all.
        bucket_cap_mb (float, optional): how many megabytes of gradients are sent at once. Default: 1 at first, then 25.
        find_unused_parameters (bool): do not wait for gradients of parameters that the outputs do not depend on. Those
            that no process used keep the ``.grad`` they have. Costs a walk through the graph at each forward.
        gradient_as_bucket_view (bool): let ``.grad`` be a part of the array that is sent: less memory, one copy less.
            Then `Tensor.detach_` of a gradient is not possible.
        static_graph (bool): promise that the graph is the same in each step. Parameters may be unused, or used in
            several `checkpoint` parts; the first backward shows it, and sends at its end.

    Raises:
        RuntimeError: models that are not the same in all processes, with the name of what differs; no parameter
            requires grad; lazy parameters that have no shape yet. At the next forward, parameters whose gradient never
            came, with their names.
        ValueError: there is no process group; several device_ids.

    Attributes:
        module: the module. Save ``ddp.module.state_dict()`` on rank 0, and any program can load it.

    (Li et al., PyTorch Distributed, VLDB 2020. PyTorch: torch.nn.parallel.DistributedDataParallel)
    """

    def __init__(
        self, module: Module, device_ids=None, output_device=None, dim: int = 0, broadcast_buffers: bool = True,
        init_sync: bool = True, process_group=None, bucket_cap_mb: float | None = None,
        find_unused_parameters: bool = False, check_reduction: bool = False, gradient_as_bucket_view: bool = False,
        static_graph: bool = False,
    ) -> None:  # fmt: skip
        Module.__init__(self)
        Joinable.__init__(self)
        if device_ids is not None and len(device_ids) > 1:
            raise ValueError("device_ids can only be None or contain a single element.")
        if bucket_cap_mb is not None and not bucket_cap_mb > 0:
            raise ValueError(
                f"DistributedDataParallel(): argument 'bucket_cap_mb': got {bucket_cap_mb}; expected more than 0"
            )
        if any(map(is_lazy, itertools.chain(module.parameters(), module.buffers()))):
            raise RuntimeError(
                "Modules with uninitialized parameters can't be used with `DistributedDataParallel`. Run a dummy "
                "forward pass to correctly initialize the modules"
            )
        if not any(p.requires_grad for p in module.parameters()):
            raise RuntimeError(
                "DistributedDataParallel is not needed when a module doesn't have any parameters that require a "
                "gradient."
            )
        self.module = module
        self.process_group = dist.group.WORLD if process_group is None else process_group
        self.broadcast_buffers = broadcast_buffers
        self.find_unused_parameters = find_unused_parameters
        self.gradient_as_bucket_view, self.static_graph = gradient_as_bucket_view, static_graph
        self.bucket_cap_mb = bucket_cap_mb
        self.require_backward_grad_sync = self.require_forward_param_sync = True
        if init_sync:
            self._check_models()
            self._give_all(0)
        self._make_reducer()

    def _make_reducer(self):
        cap = round((25 if self.bucket_cap_mb is None else self.bucket_cap_mb) * MB)
        first = FIRST_BUCKET if self.bucket_cap_mb is None else cap
        named = [(name, p) for name, p in self.module.named_parameters() if p.requires_grad]
        ways = self.find_unused_parameters, self.gradient_as_bucket_view, self.static_graph
        names, params = zip(*named)
        self.reducer = Reducer(list(names), list(params), _own_group(self.process_group), first, cap, *ways)

    # ---- what all processes have alike

    def _check_models(self):
        """RuntimeError if a parameter or buffer of another rank differs from this one's in more than its values."""
        mine = [
            (name, tuple(t.shape), str(t.dtype), t.requires_grad)
            for name, t in (*self.module.named_parameters(), *self.module.named_buffers())
        ]
        models = [None] * dist.get_world_size(self.process_group)
        dist.all_gather_object(models, mine, self.process_group)
        for rank, theirs in enumerate(models):
            if len(theirs) != len(models[0]):
                more, fewer = (rank, 0) if len(theirs) > len(models[0]) else (0, rank)
                known = {each[0] for each in models[fewer]}
                extra = [each[0] for each in models[more] if each[0] not in known]
                raise RuntimeError(
                    f"DDP expects same model across all ranks, but Rank 0 has {len(models[0])} params, while rank "
                    f"{rank} has inconsistent {len(theirs)} params (buffers included): rank {more} alone has {extra}."
                )
            for a, b in zip(models[0], theirs):
                if a != b:
                    raise RuntimeError(
                        f"DDP expects same model across all ranks, but {_told(a)} on rank 0 is {_told(b)} on rank "
                        f"{rank}: build the model with the same arguments in every process."
                    )

    def _give_all(self, rank):
        """Let parameters and buffers of all be those of a rank (of the group)."""
        tensors = [*self.module.parameters(), *self.module.buffers()]
        broadcast_coalesced(tensors, dist.get_global_rank(self.process_group, rank), self.process_group)

    def sync_buffers(self) -> None:
        """Give the buffers of rank 0 to all, as each forward of a training step does. To be called by all ranks."""
        self._sync_buffers_of(0)

    def _sync_buffers_of(self, rank):
        buffers = list(self.module.buffers())
        broadcast_coalesced(buffers, dist.get_global_rank(self.process_group, rank), self.process_group)

    def _sync_buffers_if_wanted(self, has_data=True):
        if self.require_forward_param_sync and self.broadcast_buffers and next(self.module.buffers(), None) is not None:
            self._sync_buffers_of(self._common_rank(has_data) if self._join_config.enable else 0)

    # ---- forward and backward

    def forward(self, *inputs, **kwargs):
        averaging = is_grad_enabled() and self.require_backward_grad_sync
        present = Join.notify_join_context(self)
        if is_grad_enabled():
            self.reducer.rebuild()
        self._sync_buffers_if_wanted()
        if self._join_config.enable:
            self._anyone_averages(averaging)
            if present is not None and not self._divide_by_initial_world_size:
                self.reducer.divisor = present
        output = self.module(*inputs, **kwargs)
        self.require_forward_param_sync = averaging
        if averaging:
            self.reducer.prepare(_tensors(output) if self.find_unused_parameters else ())
        return output

    @contextlib.contextmanager
    def no_sync(self):
        """Within the block, gradients add up in this process alone; the first backward after it averages the sum.
        The forward has to be within the block, too.

        ::

            with ddp.no_sync():
                for x, y in first_parts_of_a_large_batch:
                    loss_fn(ddp(x), y).backward()
            loss_fn(ddp(last_x), last_y).backward()         # averages
        """
        before, self.require_backward_grad_sync = self.require_backward_grad_sync, False
        try:
            yield
        finally:
            self.require_backward_grad_sync = before

    def register_comm_hook(self, state, hook) -> None:
        """Let ``hook(state, bucket)`` bring gradients together, instead of the average by `all_reduce`.

        Args:
            state: given to each call; the process group in the hooks of
                `distributed.algorithms.ddp_comm_hooks.default_hooks`.
            hook (Callable): gets a `distributed.GradBucket`, of gradients not yet divided by the number of processes,
                and returns a `futures.Future` of a tensor like ``bucket.buffer()``.

        Raises:
            TypeError: `hook` cannot be called. RuntimeError: there is a hook already.
        """
        if not callable(hook):
            raise TypeError("Communication hook must be callable.")
        if self.reducer.hook is not None:
            raise RuntimeError(
                "register_comm_hook or register_builtin_comm_hook can only be called once. Make another "
                "DistributedDataParallel for another hook."
            )
        self.reducer.hook, self.reducer.state = hook, state

    # ---- processes with unequal numbers of batches

    def join(
        self, divide_by_initial_world_size: bool = True, enable: bool = True, throw_on_early_termination: bool = False
    ) -> Join:
        """A context for a loop whose number of batches is not the same in all processes: one that is through takes part
        in the others' collectives, with gradients of zero, until all are; then it gets the weights of the last.

        Args:
            divide_by_initial_world_size (bool): averages divide by the number of all processes; False: by the number
                of those that still have data.
            enable (bool): False: the context does nothing.
            throw_on_early_termination (bool): raise RuntimeError on all ranks as soon as one is through.
        """
        return Join(
            [self], enable, throw_on_early_termination, divide_by_initial_world_size=divide_by_initial_world_size
        )

    def join_hook(self, **kwargs) -> JoinHook:
        """What a `Join` context calls; see `join`."""
        return _Shadow(self, kwargs.get("divide_by_initial_world_size", True))

    def _anyone_averages(self, averaging):
        """Whether this step averages gradients: in a `Join` those that have data tell those that have none."""
        flag = minigrad.tensor([int(averaging)])
        dist.all_reduce(flag, group=self.process_group)
        return bool(flag.item())

    def _common_rank(self, candidate):
        """The highest rank that is a candidate."""
        rank = minigrad.tensor([dist.get_rank(self.process_group) if candidate else -1])
        dist.all_reduce(rank, op=dist.ReduceOp.MAX, group=self.process_group)
        return rank.item()

    # ---- copies

    def __getstate__(self):
        """All but the processes: what is read back works with all of them."""
        return {name: value for name, value in vars(self).items() if name not in ("process_group", "reducer")}

    def __setstate__(self, state):
        super().__setstate__(state)
        self.process_group = dist.group.WORLD
        self._make_reducer()


class _Shadow(JoinHook):
    """What a process without data does while others have some."""

    def __init__(self, ddp, divide_by_initial_world_size):
        self.ddp = ddp
        ddp._divide_by_initial_world_size = divide_by_initial_world_size

    def main_hook(self):
        ddp = self.ddp
        ddp.reducer.rebuild()
        ddp._sync_buffers_if_wanted(has_data=False)
        ddp.require_forward_param_sync = ddp._anyone_averages(False)
        if ddp.require_forward_param_sync:
            ddp.reducer.shadow()

    def post_hook(self, is_last_joiner):
        self.ddp.reducer.divisor = dist.get_world_size(self.ddp.process_group)
        self.ddp._give_all(self.ddp._common_rank(is_last_joiner))


def _own_group(group):
    """The same processes with a communicator of their own."""
    ranks = dist.get_process_group_ranks(group)
    return dist.new_group(ranks, use_local_synchronization=True, group_desc="gradients", sort_ranks=False)


def _told(entry):
    """A parameter or buffer in words."""
    name, shape, dtype, requires_grad = entry
    return f"{name!r} of shape {list(shape)}, {dtype}{', which requires grad' if requires_grad else ''}"


def _tensors(value):
    """The tensors in the output of a model."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = [getattr(value, field.name) for field in dataclasses.fields(value)]
    elif not isinstance(value, list | tuple):
        return []
    return [tensor for part in value for tensor in _tensors(part)]
