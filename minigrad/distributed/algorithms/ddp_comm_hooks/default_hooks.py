"""Communication hooks for `DistributedDataParallel.register_comm_hook`.

(PyTorch: torch.distributed.algorithms.ddp_comm_hooks.default_hooks)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import minigrad
import minigrad.distributed as dist
from minigrad.distributed.algorithms.ddp_comm_hooks.bucket import GradBucket
from minigrad.futures import Future
from minigrad.harmless import refusing
from minigrad.tensor import Tensor

__all__ = ["allreduce_hook", "fp16_compress_hook", "fp16_compress_wrapper"]

__getattr__ = refusing(
    __name__,
    "bf16_compress_hook bf16_compress_wrapper",
    NotImplementedError,
    "there are no bfloat16 tensors here: use fp16_compress_hook, which sends half the bytes, too",
)


def allreduce_hook(process_group, bucket: GradBucket) -> Future:
    """The average over the processes: what is done without a hook. process_group: None for all."""
    buffer = bucket.buffer()
    buffer.mul_(1 / dist.get_world_size(process_group))
    return _summed(buffer, process_group)


def fp16_compress_hook(process_group, bucket: GradBucket) -> Future:
    """The average of gradients that are sent as float16: half the bytes. Gradients above 65504, or below 6e-8, are not
    in that dtype; scale the loss, if it comes to that. process_group: None for all."""
    return fp16_compress_wrapper(allreduce_hook)(process_group, bucket)


def fp16_compress_wrapper(hook: Callable[..., Future]) -> Callable[..., Future]:
    """Another hook, given gradients of dtype float16; what it returns is taken back to the parameters' dtype."""

    def compressed(state, bucket: GradBucket) -> Future:
        buffer = bucket.buffer()
        sent = buffer.to(minigrad.float16)
        parts = sent.split([gradient.numel() for gradient in bucket.gradients()])
        gradients = [part.view(gradient.shape) for part, gradient in zip(parts, bucket.gradients())]
        half = GradBucket(bucket.index(), sent, gradients, bucket.parameters(), bucket.is_last())
        return hook(state, half).then(lambda future: buffer.copy_(_first(future.value())))

    return compressed


def _summed(buffer, process_group) -> Future:
    work: Any = dist.all_reduce(buffer, group=process_group, async_op=True)
    return work.get_future().then(lambda future: _first(future.value()))


def _first(value) -> Tensor:
    """What a future of a collective holds: a tensor, or a list of one."""
    return value[0] if isinstance(value, list | tuple) else value
