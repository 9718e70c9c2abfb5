"""`Reducer`: the gradients of a model, averaged over all processes while the backward is still running.

Before it: the engine, which tells of each parameter whose gradient is complete, and `minigrad.distributed`, which adds
up. After it: `distributed.py`.

    forward ▷  layer 1 ── layer 2 ── layer 3 ── loss
    backward           ◁ layer 1 ◁── layer 2 ◁── layer 3 ◁── loss
                          │           │           │
    buckets               │           └─ full ─┐  └─ full ─▶ all_reduce ▒▒▒▒▒▒▒▒▒▒▒▒       bucket 0
                          └─ full ─┐           └─▶ all_reduce ┄┄┄┄┄┄┄┄▒▒▒▒▒▒▒▒▒▒▒▒▒▒       bucket 1
                                   └─▶ all_reduce ┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄▒▒▒▒       bucket 2
    end of the backward: wait for all of them

Parameters are put into buckets from the last to the first, as their gradients come in about that order; after the
first backward it is known in which, and the buckets are made again. A bucket is one flat array: a message of megabytes
uses a network better than hundreds of small ones. All processes start their buckets in the same order, whatever the
order in which these get full, since the n-th collective of one process meets the n-th of every other.

MPI moves non-blocking messages only while one of its functions is called, so each later hook asks how far they are.

Source: Li et al., PyTorch Distributed: Experiences on Accelerating Data Parallel Training (VLDB 2020)
"""

from __future__ import annotations

import collections
import weakref

import numpy as np

import minigrad.distributed as dist
from minigrad.autograd.engine import collect
from minigrad.autograd.node import node_of
from minigrad.autograd.running import queue_callback
from minigrad.distributed.algorithms.ddp_comm_hooks.bucket import GradBucket
from minigrad.distributed.groups import abandon
from minigrad.futures import Future
from minigrad.tensor import Tensor, wrap

FIRST_BUCKET = 1 << 20  # bytes: a small first one, so that sending begins early

UNFINISHED = (
    "Expected to have finished reduction in the prior iteration before starting a new one. This error indicates that "
    "your module has parameters that were not used in producing loss. You can enable unused parameter detection by "
    "passing the keyword argument `find_unused_parameters=True` to `torch.nn.parallel.DistributedDataParallel`, and by "
    "making sure all `forward` function outputs participate in calculating loss. "
)
LOST = (
    "If you already have done the above, then the distributed data parallel module wasn't able to locate the output "
    "tensors in the return value of your module's `forward` function: it looks into tuples, lists, dicts and "
    "dataclasses. "
)
TWICE = (
    "Expected to mark a variable ready only once. This error is caused by one of the following reasons: 1) Use of a "
    "module parameter outside the `forward` function. 2) Reused parameters in multiple reentrant backward passes, e.g. "
    "several `checkpoint` functions around the same part of the model. If the module graph does not change during the "
    "training loop, static_graph=True is a way around. Parameter at index {} with name {} has been marked as ready "
    "twice."
)


class Bucket:
    """Some parameters of one dtype, and a flat array with a place for the gradient of each."""

    def __init__(self, params, indices):
        self.indices = indices
        chosen = [params[i] for i in indices]
        ends = np.cumsum([p.numel() for p in chosen]).tolist()
        self.buffer = wrap(np.empty(ends[-1], chosen[0].array.dtype))
        spans = zip([0, *ends], ends, chosen)
        self.views = [wrap(self.buffer.array[start:end].reshape(p.shape)) for start, end, p in spans]
        self.missing = len(indices)  # gradients still to come
        self.work = None  # the all-reduce under way, or the future that a hook returned


def grouped(params, order, first_cap, cap):
    """Lists of indices of `order`, cut where a bucket would exceed its limit (the first of each dtype `first_cap`, else
    `cap`, in bytes); each of one dtype, in the order in which they will be full."""
    done, open_ones = [], {}
    for i in order:
        kind, size = params[i].array.dtype, params[i].nbytes
        indices, filled, limit = open_ones.get(kind, ([], 0, first_cap))
        if indices and filled + size > limit:
            done.append(indices)
            indices, filled, limit = [], 0, cap
        open_ones[kind] = ([*indices, i], filled + size, limit)
    return done + [indices for indices, _, _ in open_ones.values()]


class Reducer:
    """Averages the gradients of parameters over the processes of a group.

    Args:
        names (list[str]), params (list[Tensor]): those that require grad, the same on all ranks.
        group: the processes. It serves nothing else, and is left when the reducer is gone: with a communicator of their
            own, buckets cannot meet collectives that the model itself calls in its backward.
        first_cap (int), cap (int): the sizes of the first and of the other buckets, in bytes.
        find_unused (bool): look for parameters that the loss cannot reach, which are not waited for.
        as_views (bool): let ``.grad`` be a part of its bucket.
        static (bool): the first backward shows which parameters are used, and how often; so it stays.
    """

    def __init__(self, names, params, group, first_cap, cap, find_unused, as_views, static):
        self.names, self.params, self.group = names, params, group
        self.caps, self.find_unused, self.as_views, self.static = (first_cap, cap), find_unused, as_views, static
        self.rank, self.divisor = dist.get_rank(group), dist.get_world_size(group)
        self.hook = self.state = None
        self.expecting = self.begun = False  # a backward that is to be averaged; one of its gradients has come
        self.used = np.zeros(len(params), np.int32)  # by this process, since the last averaging
        self.uses = np.zeros(len(params), np.int64) if static else None  # gradients in one backward of a static graph
        self.counted = False  # whether `uses` is known
        self.arrived: list[int] | None = None if find_unused or static else []  # the order of the first backward
        self.build(range(len(params) - 1, -1, -1))
        itself = weakref.ref(self)  # a parameter must not keep the reducer, which keeps the parameters
        handles = [p.register_post_accumulate_grad_hook(_told(itself, i)) for i, p in enumerate(params)]
        weakref.finalize(self, _remove, handles, group).atexit = False

    def build(self, order):
        """Make the buckets. order: indices of the parameters, as their gradients are expected to come."""
        self.buckets = [Bucket(self.params, indices) for indices in grouped(self.params, order, *self.caps)]
        self.place = {i: (b, k) for b in self.buckets for k, i in enumerate(b.indices)}
        self.next = len(self.buckets)  # the bucket to be started next: none

    def rebuild(self):
        """Once, before the second forward: buckets by the order in which gradients came on rank 0."""
        if self.arrived is not None and len(self.arrived) == len(self.params):
            order = wrap(np.array(self.arrived, np.int64))
            dist.broadcast(order, dist.get_global_rank(self.group, 0), self.group)
            self.arrived = None
            if order.tolist() != [i for bucket in self.buckets for i in bucket.indices]:
                self.build(order.tolist())

    # ---- one backward

    def prepare(self, outputs):
        """Expect a backward from these tensors (they matter if unused parameters are to be found)."""
        self.check_finished()
        for bucket in self.buckets:
            bucket.missing, bucket.work = len(bucket.indices), None
        self.next, self.expecting = 0, True
        self.ready = np.zeros(len(self.params), bool)
        self.left = None if self.uses is None else self.uses.copy()
        self.running = collections.deque()
        if self.static:
            self.unused = np.flatnonzero(self.uses == 0).tolist() if self.counted else []
        else:
            self.unused = self.not_reached_from(outputs) if self.find_unused else []

    def not_reached_from(self, outputs):
        nodes = {node_of(output) for output in outputs} - {None}
        reached = collect(list(nodes))[1] if nodes else ()
        return [i for i, p in enumerate(self.params) if p.node not in reached]

    def check_finished(self):
        """RuntimeError if gradients of the backward before are still missing."""
        if not self.begun:
            return
        missing = np.flatnonzero(~self.ready).tolist()
        self.begun = self.expecting = False
        named = ", ".join(self.names[i] for i in missing)
        raise RuntimeError(
            f"{UNFINISHED}{LOST if self.find_unused else ''}Parameters which did not receive grad for rank "
            f"{self.rank}: {named}. Parameter indices which did not receive grad for rank {self.rank}: "
            f"{' '.join(map(str, missing))}"
        )

    def told(self, i):
        """The gradient of parameter `i` is complete, for this backward."""
        self.used[i] = 1
        if not self.expecting:
            return
        first, self.begun = not self.begun, True
        if self.static and not self.counted:
            if first:
                queue_callback(self.reduce_all)
            self.uses[i] += 1
            return
        if first:
            for unused in self.unused:
                self.mark(unused)
        if self.static:
            self.left[i] -= 1
            if self.left[i]:
                return
        if self.arrived is not None:
            self.arrived.append(i)
        self.mark(i)
        if self.next == len(self.buckets):
            queue_callback(self.finish)
        while self.running and self.running[0]():  # MPI works while it is asked
            self.running.popleft()

    def reduce_all(self):
        """The end of the first backward of a static graph: now it is known who takes part."""
        self.counted = True
        for i in range(len(self.params)):
            self.mark(i)
        self.finish()

    def mark(self, i):
        """Put a gradient into its bucket, and start what is full."""
        if self.ready[i]:
            raise RuntimeError(TWICE.format(i, self.names[i]))
        self.ready[i] = True
        bucket, k = self.place[i]
        view, grad = bucket.views[k], self.params[i].grad
        if grad is None:
            view.array.fill(0)
        else:
            share = 1 / self.divisor if self.hook is None else 1  # a hook divides by itself
            np.multiply(grad.array, view.array.dtype.type(share), out=view.array)
            if self.as_views:
                self.params[i].grad = view
        bucket.missing -= 1
        while self.next < len(self.buckets) and not self.buckets[self.next].missing:
            self.start(self.next)
            self.next += 1
            if self.next == len(self.buckets):
                self.tell_used()

    def tell_used(self):
        """Begin to count by how many processes each parameter was used."""
        if self.find_unused and not self.static:
            self.used_by = wrap(self.used.copy())
            self.map_work = dist.all_reduce(self.used_by, group=self.group, async_op=True)

    def start(self, number):
        """Begin to add up a bucket."""
        bucket = self.buckets[number]
        if self.hook is None:
            bucket.work = dist.all_reduce(bucket.buffer, group=self.group, async_op=True)
            self.running.append(bucket.work.is_completed)
        else:
            last = number == len(self.buckets) - 1
            params = [self.params[i] for i in bucket.indices]
            bucket.work = self.hook(self.state, GradBucket(number, bucket.buffer, bucket.views, params, last))
            if not isinstance(bucket.work, Future):
                raise TypeError(
                    f"the communication hook has to return a Future, as Work.get_future() gives, but it returned "
                    f"{type(bucket.work).__name__}"
                )
            self.running.append(bucket.work.done)

    def finish(self):
        """Wait for all buckets, and give the averages to the parameters."""
        for bucket in self.buckets:
            result = bucket.work.wait()
            if self.hook is not None:
                put(result, bucket.buffer)
        if self.find_unused and not self.static:
            self.map_work.wait()
        for bucket in self.buckets:
            for i, view in zip(bucket.indices, bucket.views):
                known = self.uses if self.static else self.used_by.array if self.find_unused else None
                if known is None or known[i]:
                    self.give(self.params[i], view)
        self.used.fill(0)
        self.begun = self.expecting = False

    def give(self, param, view):
        """Let a gradient be what is in the bucket."""
        grad = param.grad
        if self.as_views:
            if grad is not view:
                param.grad = view
        elif grad is None:
            param.grad = wrap(view.array.copy())
        else:
            np.copyto(grad.array, view.array)

    # ---- for a process that has no more data

    def shadow(self):
        """Take part in the collectives of a backward of the others, with gradients of zero."""
        self.prepare(())
        if self.arrived == []:  # without any data: the order of others will do
            self.arrived = [i for bucket in self.buckets for i in bucket.indices]
        for number, bucket in enumerate(self.buckets):
            bucket.buffer.array.fill(0)
            self.start(number)
        self.tell_used()
        self.finish()


def put(result, buffer):
    """Write what the future of a hook holds, a tensor or a list of one, into the bucket."""
    result = result[0] if isinstance(result, list | tuple) else result
    if not isinstance(result, Tensor):
        raise TypeError(
            "the communication hook's future has to hold a tensor of the shape of bucket.buffer(), but it holds "
            f"{type(result).__name__}"
        )
    if result is not buffer:
        np.copyto(buffer.array, result.array.reshape(buffer.shape))


def _told(reducer, i):
    """The hook of a parameter."""

    def told(param):
        alive = reducer()
        if alive is not None:
            alive.told(i)

    return told


def _remove(handles, group):
    for handle in handles:
        handle.remove()
    abandon(group)
