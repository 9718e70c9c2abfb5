"""`SyncBatchNorm` against `BatchNorm` on the joined batch: run by harness.py."""

import numpy as np
import pytest
from harness import assert_close, digest, same_everywhere

import minigrad
import minigrad.distributed as dist
from minigrad import nn

SHAPES = {nn.BatchNorm1d: (5,), nn.BatchNorm2d: (5, 4, 3), nn.BatchNorm3d: (5, 2, 3, 2)}


def compared(rank, size, kind, counts, dtype=None, shift=0.0, **options):
    """Forward, backward and statistics of batches of `counts` examples, and of all in one; two steps and evaluation."""
    whole = kind(5, dtype=dtype, **options)
    sync = nn.SyncBatchNorm(5, dtype=dtype, **options)
    ends = np.cumsum([0, *counts])
    own = slice(ends[rank], ends[rank + 1])
    tolerance = {"rtol": 1e-9, "atol": 1e-10} if dtype else {"rtol": 2e-4, "atol": 2e-5}
    for _ in range(2):
        x = minigrad.randn(ends[-1], *SHAPES[kind], dtype=dtype) * 2 + shift
        g = minigrad.randn(ends[-1], *SHAPES[kind], dtype=dtype)
        a, b = x.clone().requires_grad_(), x[own].clone().requires_grad_()
        for p in (*whole.parameters(), *sync.parameters()):
            p.grad = None
        expected, got = whole(a), sync(b)
        expected.backward(g)
        got.backward(g[own])
        assert_close(got.detach(), expected.detach()[own], **tolerance)
        assert_close(b.grad, a.grad[own], **tolerance)
        for p, q in zip(sync.parameters(), whole.parameters()):
            total = p.grad.clone()
            dist.all_reduce(total)
            assert_close(total, q.grad, **tolerance)
        for p, q in zip(sync.buffers(), whole.buffers()):
            assert_close(p, q, **tolerance)
    assert same_everywhere(b"".join(buffer.numpy().tobytes() for buffer in sync.buffers()))
    if whole.track_running_stats:  # without, evaluation is by the batch, each process's own
        assert_close(sync.eval()(x[own]), whole.eval()(x)[own], **tolerance)


def check_equals_batch_norm_on_the_joined_batch(rank, size):
    for kind in SHAPES:
        compared(rank, size, kind, [3] * size)
        compared(rank, size, kind, [3] * size, dtype=minigrad.float64)


def check_unequal_and_empty_batches(rank, size):
    compared(rank, size, nn.BatchNorm2d, [2 + r for r in range(size)], dtype=minigrad.float64)
    compared(rank, size, nn.BatchNorm2d, [0, *[3] * (size - 1)])
    compared(rank, size, nn.BatchNorm1d, [1] * size)  # one value of a channel in each process


def check_options(rank, size):
    for options in (
        {"affine": False}, {"bias": False}, {"momentum": None}, {"momentum": 0.7}, {"track_running_stats": False},
        {"eps": 1e-2},
    ):  # fmt: skip
        compared(rank, size, nn.BatchNorm1d, [4] * size, dtype=minigrad.float64, **options)


def check_numbers_far_from_zero(rank, size):
    """Sums of squares would lose the variance here."""
    x = minigrad.randn(8 * size, 2) + 10_000
    sync = nn.SyncBatchNorm(2)
    sync(x[8 * rank : 8 * rank + 8])
    exact = x.double().var(0)
    assert_close((sync.running_var.double() - 0.9) / 0.1, exact, rtol=1e-3)


def check_half(rank, size):
    x = minigrad.randn(4 * size, 3)
    out = nn.SyncBatchNorm(3)(x[4 * rank : 4 * rank + 4].half())
    assert out.dtype == minigrad.float16
    assert_close(out.float().detach(), nn.BatchNorm1d(3)(x).detach()[4 * rank : 4 * rank + 4], rtol=1e-2, atol=5e-3)


def check_groups(rank, size):
    groups = [dist.new_group([r]) for r in range(size)]
    x = minigrad.randn(4, 3) + rank
    sync, alone = nn.SyncBatchNorm(3, process_group=groups[rank]), nn.BatchNorm1d(3)
    assert sync(x).tolist() == alone(x).tolist()


def check_conversion(rank, size):
    model = nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3, momentum=0.3), nn.Sequential(nn.BatchNorm1d(4, affine=False))
    )
    before = digest(model)
    converted = nn.SyncBatchNorm.convert_sync_batchnorm(model)
    assert converted is model
    assert digest(model) == before
    assert type(model[1]) is type(model[2][0]) is nn.SyncBatchNorm
    assert (model[1].momentum, model[2][0].affine) == (0.3, False)
    norm = nn.BatchNorm1d(2).eval()
    new = nn.SyncBatchNorm.convert_sync_batchnorm(norm, dist.group.WORLD)
    assert new.weight is norm.weight
    assert (new.training, new.process_group) == (False, dist.group.WORLD)


def check_errors(rank, size):
    with pytest.raises(ValueError, match="expected at least 2D input"):
        nn.SyncBatchNorm(3)(minigrad.randn(3))
    with pytest.raises(ValueError, match="more than 1 value per channel when training, got 1 in all processes"):
        nn.SyncBatchNorm(3)(minigrad.randn(1 if rank == 0 else 0, 3))
    x = minigrad.randn(2, 3, requires_grad=True)
    y = nn.SyncBatchNorm(3)(x)
    (g,) = minigrad.autograd.grad(y.pow(2).sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        g.sum().backward()
