"""Batch normalisation over several processes, forward and backward: the arithmetic of `SyncBatchNorm`.

Before it: the kernels of batch normalisation, and `minigrad.distributed`. After it: `batchnorm.py`.

Each process has n numbers of a channel, their mean m and variance v. What all have together is

    N = Σ n        M = Σ n m / N        V = Σ n (v + (m - M)²) / N

(Chan, Golub, LeVeque: Algorithms for Computing the Sample Variance, 1983): distances from means, and no difference of
two large sums, which sums of squares would need. With x̂ = (x - M) / √(V + eps), sums over all processes, and the rest
as in one process, the derivative is

    dx = (g - Σ g / N - x̂ · Σ g x̂ / N) · weight / √(V + eps)

The gradients of weight and bias stay each process's own: `DistributedDataParallel` averages them with all others.
"""

from __future__ import annotations

import numpy as np

import minigrad.distributed as dist
from minigrad.autograd import Function
from minigrad.autograd.function import once_differentiable
from minigrad.kernels.norm import batch_norm_eval, batch_norm_eval_backward, batch_norm_train
from minigrad.tensor import wrap

__all__ = ["SyncBatchNorm"]


def joined_moments(x, eps, group):
    """(mean, biased variance, count) of the channels of x (N, C, ...) over all processes, in float64; the same to the
    last bit in all of them, as each computes them from the same parts."""
    channels = x.shape[1]
    own = np.zeros(2 * channels + 1)
    if x.size:
        _, mean, invstd = batch_norm_train(x, None, None, eps)
        own[:channels], own[channels:-1] = mean, np.maximum(1 / np.square(invstd, dtype=np.float64) - eps, 0)
        own[-1] = x.size // channels
    parts = [wrap(np.empty_like(own)) for _ in range(dist.get_world_size(group))]
    dist.all_gather(parts, wrap(own), group)
    table = np.stack([part.array for part in parts])
    means, variances, counts = table[:, :channels], table[:, channels:-1], table[:, -1:]
    total = counts.sum()
    if total <= 1:
        raise ValueError(
            f"Expected more than 1 value per channel when training, got {int(total)} in all processes together (here "
            f"input size {tuple(x.shape)})"
        )
    mean = (counts * means).sum(0) / total
    return mean, (counts * (variances + np.square(means - mean))).sum(0) / total, total


class SyncBatchNorm(Function):
    """``(input - mean) / √(var + eps) · weight + bias`` by the statistics of the batches of all processes.
    (PyTorch: torch.nn.modules._functions.SyncBatchNorm)"""

    @staticmethod
    def forward(ctx, input, weight, bias, running_mean, running_var, eps, momentum, process_group):
        x = np.ascontiguousarray(input.array)
        mean, var, total = joined_moments(x, eps, process_group)
        if running_mean is not None:
            running_mean.array[...] += momentum * (mean - running_mean.array)
            running_var.array[...] += momentum * (var * (total / (total - 1)) - running_var.array)
        mean, var = mean.astype(x.dtype), var.astype(x.dtype)
        ctx.save_for_backward(input, weight)
        ctx.statistics = mean, var, total, eps, process_group
        ctx.has_bias = bias is not None
        if not x.size:
            return wrap(x.copy())
        arrays = [None if p is None else p.array for p in (weight, bias)]
        return wrap(batch_norm_eval(x, mean, var, *arrays, eps))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        input, weight = ctx.saved_tensors
        mean, var, total, eps, process_group = ctx.statistics
        x, g = np.ascontiguousarray(input.array), np.ascontiguousarray(grad_output.array)
        factor = np.ones_like(mean) if weight is None else weight.array
        dx, dweight, dbias = x.copy(), np.zeros_like(mean), np.zeros_like(mean)
        if x.size:
            dx, dweight, dbias = batch_norm_eval_backward(g, x, mean, var, factor, eps)
        sums = wrap(np.stack([dweight, dbias]).astype(np.float64))
        dist.all_reduce(sums, group=process_group)
        if x.size:
            invstd = 1 / np.sqrt(var + x.dtype.type(eps))
            slope, offset = ((sums.array / total) * (factor * invstd)).astype(x.dtype)
            dx -= batch_norm_eval(x, mean, np.ones_like(var), slope * invstd, offset, 0.0)
        return (
            wrap(dx),
            None if weight is None else wrap(dweight),
            wrap(dbias) if ctx.has_bias else None,
            *[None] * 5,
        )
