"""`DistributedDataParallel`, with any number of ranks: run by harness.py."""

import contextlib
import gc

import numpy as np
import pytest
from harness import assert_close, digest, mean_over_ranks, same_everywhere

import minigrad
import minigrad.distributed as dist
from minigrad import nn, optim
from minigrad.distributed.algorithms.ddp_comm_hooks import default_hooks
from minigrad.nn import functional as F
from minigrad.nn.parallel import DistributedDataParallel as DDP
from minigrad.utils.checkpoint import checkpoint

BATCH = 4  # of each rank


class GPT(nn.Module):
    """Two blocks of causal attention on letters."""

    def __init__(self, vocabulary=11, width=16, context=6):
        super().__init__()
        self.tokens, self.places = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        layer = nn.TransformerEncoderLayer(width, 2, 32, dropout=0.0, batch_first=True, norm_first=True)
        self.blocks = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.tokens.weight  # tied, as in GPT-2
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(context))

    def forward(self, x):
        h = self.tokens(x) + self.places(minigrad.arange(x.shape[1]))
        return self.head(self.norm(self.blocks(h, mask=self.mask, is_causal=True))).flatten(0, 1)


def mlp():
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 8), nn.ReLU(), nn.Linear(8, 3))


def cnn():
    layers = [nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [nn.Conv2d(4, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(32, 3)]
    return nn.Sequential(*layers)


def vectors(n):
    return minigrad.randn(n, 6), minigrad.randint(0, 3, (n,))


def images(n):
    return minigrad.randn(n, 1, 8, 8), minigrad.randint(0, 3, (n,))


def texts(n):
    letters = minigrad.randint(0, 11, (n, 7))
    return letters[:, :-1], letters[:, 1:]


def share(tensor, rank):
    return tensor[rank * BATCH : (rank + 1) * BATCH]


def trained_alike(rank, size, make, data, options=None, make_optimizer=None, converted=False, steps=4):
    """N ranks with batches of B against one with a batch of N·B, step by step."""
    make_optimizer = make_optimizer or (lambda params: optim.SGD(params, lr=0.1, momentum=0.9))
    minigrad.manual_seed(1)
    alone = make()
    minigrad.manual_seed(1 + 10 * rank)  # what the others have made is overwritten by rank 0's
    wrapped = make()
    wrapped = nn.SyncBatchNorm.convert_sync_batchnorm(wrapped) if converted else wrapped
    ddp = DDP(wrapped, **(options or {}))
    optimizers = make_optimizer(alone.parameters()), make_optimizer(ddp.parameters())
    minigrad.manual_seed(5)
    for _ in range(steps):
        x, y = data(size * BATCH)
        for optimizer in optimizers:
            optimizer.zero_grad()
        whole = F.cross_entropy(alone(x), y.flatten())
        whole.backward()
        part = F.cross_entropy(ddp(share(x, rank)), share(y, rank).flatten())
        part.backward()
        assert_close(mean_over_ranks(part), whole.item())
        for a, b in zip(ddp.module.parameters(), alone.parameters()):
            assert_close(a.grad, b.grad, rtol=2e-4, atol=2e-6)
        for optimizer in optimizers:
            optimizer.step()
        assert same_everywhere(digest(ddp))
        for a, b in zip(ddp.module.parameters(), alone.parameters()):
            assert_close(a.detach(), b.detach(), rtol=1e-3, atol=2e-5)
    return ddp


SMALL = {"bucket_cap_mb": 0.0005}  # 512 bytes: many buckets


def check_mlp(rank, size):
    ddp = trained_alike(rank, size, mlp, vectors)
    assert len(ddp.reducer.buckets) == 1
    assert len(trained_alike(rank, size, mlp, vectors, SMALL).reducer.buckets) > 2


def check_cnn_with_sync_batch_norm(rank, size):
    ddp = trained_alike(rank, size, cnn, images, SMALL, converted=True)
    assert sum(isinstance(m, nn.SyncBatchNorm) for m in ddp.modules()) == 2


def check_gpt(rank, size):
    trained_alike(rank, size, GPT, texts, SMALL, lambda params: optim.SGD(params, lr=0.1))


def check_all_ways_give_the_same(rank, size):
    """Buckets of any size, views or copies, hooks: the same weights to the last bit (a sum over two ranks has one
    order; over more it may depend on where in a message a number stands)."""
    ways = [{}, {"gradient_as_bucket_view": True}, {"static_graph": True}, {"find_unused_parameters": True}]
    ways += [{**SMALL, "gradient_as_bucket_view": True}, SMALL] if size == 2 else []
    found = [digest(trained_alike(rank, size, mlp, vectors, way)) for way in ways]
    assert len(set(found)) == 1


def check_gradients_are_parts_of_buckets(rank, size):
    ddp = DDP(mlp(), gradient_as_bucket_view=True)
    for set_to_none in (True, False, False):
        ddp.zero_grad(set_to_none)
        ddp(minigrad.randn(3, 6)).sum().backward()
        (bucket,) = ddp.reducer.buckets
        for p in ddp.parameters():
            assert np.shares_memory(p.grad.numpy(), bucket.buffer.numpy())
    assert same_everywhere([p.grad.tolist() for p in ddp.parameters()])


def check_reduction_begins_while_backward_runs(rank, size):
    """The bucket of the last layers is on its way before the first layer's gradient is there."""
    ddp, seen = DDP(mlp(), **SMALL), []
    for _ in range(2):  # the buckets are made again after the first
        ddp.zero_grad()
        loss = ddp(minigrad.randn(3, 6)).sum()
        handle = ddp.module[0].weight.register_post_accumulate_grad_hook(lambda p: seen.append(ddp.reducer.next))
        loss.backward()
        handle.remove()
    assert all(0 < started <= len(ddp.reducer.buckets) for started in seen)
    assert all(bucket.work.is_completed() for bucket in ddp.reducer.buckets)


def check_buckets_follow_the_order_of_arrival(rank, size):
    """Layers that are registered in another order than they are used in."""

    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.last, self.first = nn.Linear(8, 3), nn.Linear(6, 8)

        def forward(self, x):
            return self.last(self.first(x))

    ddp = trained_alike(rank, size, Turned, vectors, SMALL)
    order = [ddp.reducer.names[i] for bucket in ddp.reducer.buckets for i in bucket.indices]
    assert {name.split(".")[0] for name in order[:2]} == {"last"}


def check_no_sync_adds_up(rank, size):
    minigrad.manual_seed(1)
    model = mlp()
    alone, ddp = mlp(), DDP(model)
    alone.load_state_dict(model.state_dict())
    parts = [vectors(size * BATCH) for _ in range(3)]
    for x, y in parts:
        (F.cross_entropy(alone(x), y) / 3).backward()
    with ddp.no_sync():
        for x, y in parts[:2]:
            (F.cross_entropy(ddp(share(x, rank)), share(y, rank)) / 3).backward()
        assert not same_everywhere([p.grad.tolist() for p in ddp.parameters()])
    (F.cross_entropy(ddp(share(parts[2][0], rank)), share(parts[2][1], rank)) / 3).backward()
    assert same_everywhere([p.grad.tolist() for p in ddp.parameters()])
    for a, b in zip(model.parameters(), alone.parameters()):
        assert_close(a.grad, b.grad, rtol=1e-4)


class Forked(nn.Module):
    """Uses one of two layers; and has one that is never used."""

    def __init__(self):
        super().__init__()
        self.body, self.left, self.right, self.idle = (nn.Linear(6, 6) for _ in range(4))

    def forward(self, x, left):
        h = self.body(x)
        return {"out": [(self.left if left else self.right)(h)]}


def check_unused_parameters_are_found(rank, size):
    for options in ({}, {"gradient_as_bucket_view": True}, SMALL):
        ddp = DDP(Forked(), find_unused_parameters=True, **options)
        optimizer = optim.SGD(ddp.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
        idle = ddp.module.idle.weight.tolist()
        for step in range(3):
            optimizer.zero_grad()
            left = (rank + step) % 2 == 0
            ddp(minigrad.randn(3, 6) + rank, left)["out"][0].square().sum().backward()
            assert ddp.module.idle.weight.grad is None  # nobody used it
            assert ddp.module.left.weight.grad is not None  # half of the ranks did
            assert same_everywhere([p.grad.tolist() for p in ddp.parameters() if p.grad is not None])
            optimizer.step()
        assert same_everywhere(digest(ddp))
        assert ddp.module.idle.weight.tolist() == idle


def check_unused_parameters_are_named_where_they_are_not_looked_for(rank, size):
    ddp = DDP(Forked())
    ddp(minigrad.randn(3, 6), True)["out"][0].sum().backward()
    with pytest.raises(RuntimeError, match="Expected to have finished reduction in the prior iteration") as caught:
        ddp(minigrad.randn(3, 6), True)
    assert f"for rank {rank}: right.weight, right.bias, idle.weight, idle.bias." in str(caught.value)
    assert f"did not receive grad for rank {rank}: 4 5 6 7" in str(caught.value)


def check_a_forward_without_backward_is_no_fault(rank, size):
    ddp = DDP(mlp())
    ddp(minigrad.randn(3, 6))
    ddp(minigrad.randn(3, 6)).sum().backward()
    with minigrad.no_grad():
        ddp(minigrad.randn(3, 6))
    ddp(minigrad.randn(3, 6)).sum().backward()
    assert same_everywhere([p.grad.tolist() for p in ddp.parameters()])


def check_a_gradient_that_comes_twice_is_a_fault(rank, size):
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.out = nn.Linear(4, 4), nn.Linear(4, 1)

        def forward(self, x):
            for _ in range(2):
                x = checkpoint(self.layer, x, use_reentrant=True)
            return self.out(x)

    x = minigrad.randn(2, 4, requires_grad=True)
    ddp = DDP(Twice())
    with pytest.raises(RuntimeError, match=r"mark a variable ready only once.*with name layer"):
        ddp(x).sum().backward()
    ddp = DDP(Twice(), static_graph=True)
    for _ in range(3):
        ddp.zero_grad()
        ddp(x * (rank + 1)).sum().backward()
        assert same_everywhere([p.grad.tolist() for p in ddp.parameters()])


def check_static_graph_with_unused_parameters(rank, size):
    ddp = DDP(Forked(), static_graph=True)
    for _ in range(3):
        ddp.zero_grad()
        ddp(minigrad.randn(3, 6) + rank, True)["out"][0].sum().backward()
        assert ddp.module.right.weight.grad is None
        assert same_everywhere([p.grad.tolist() for p in ddp.module.left.parameters()])


def check_models_that_differ_are_told_apart(rank, size):
    different = nn.Sequential(nn.Linear(3, 4 if rank == size - 1 else 5))
    with pytest.raises(RuntimeError, match=r"'0.weight' of shape \[5, 3\].* on rank 0 is '0.weight' of shape \[4, 3\]"):
        DDP(different)
    more = nn.Sequential(*[nn.Linear(3, 3) for _ in range(1 + (rank == size - 1))])
    with pytest.raises(
        RuntimeError, match=rf"Rank 0 has 2 params, while rank {size - 1} has inconsistent 4 params.*1.wei"
    ):
        DDP(more)
    typed = nn.Linear(3, 3, dtype=minigrad.float64 if rank == size - 1 else None)
    with pytest.raises(RuntimeError, match=r"float32.* on rank 0 is 'weight' of shape .*float64"):
        DDP(typed)


def check_parameters_of_two_dtypes(rank, size):
    class Mixed(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(6, 6), nn.Linear(6, 3, dtype=minigrad.float64)

        def forward(self, x):
            return self.b(self.a(x).double())

    ddp = trained_alike(rank, size, Mixed, vectors)
    assert sorted(str(bucket.buffer.dtype) for bucket in ddp.reducer.buckets) == ["torch.float32", "torch.float64"]


def check_buffers_are_those_of_rank_0(rank, size):
    for broadcast in (True, False):
        ddp = DDP(nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3)), broadcast_buffers=broadcast)
        for _ in range(2):
            ddp(minigrad.randn(4, 3) + rank).sum().backward()
        assert not same_everywhere(ddp.module[1].running_mean.tolist())
        mean = ddp.module[1].running_mean.clone()
        ddp.eval()
        with minigrad.no_grad():
            ddp(minigrad.randn(4, 3))
        assert same_everywhere(ddp.module[1].running_mean.tolist()) == broadcast
        assert ddp.module[1].running_mean.tolist() == mean.tolist() or (broadcast and rank)


def check_hooks(rank, size):
    def run(hook, options):
        return digest(trained_alike_by(hook, options))

    def trained_alike_by(hook, options):
        minigrad.manual_seed(3)
        ddp = DDP(mlp(), **options)
        if hook is not None:
            ddp.register_comm_hook(None, hook)
        optimizer = optim.SGD(ddp.parameters(), lr=0.1)
        minigrad.manual_seed(7 + rank)
        for _ in range(3):
            optimizer.zero_grad()
            x, y = vectors(BATCH)
            F.cross_entropy(ddp(x), y).backward()
            optimizer.step()
        assert same_everywhere(digest(ddp))
        return ddp

    for options in ({}, SMALL, {"gradient_as_bucket_view": True}):
        assert run(None, options) == run(default_hooks.allreduce_hook, options)
    seen = []

    def noting(state, bucket):
        seen.append((bucket.index(), bucket.is_last(), len(bucket.gradients()) == len(bucket.parameters())))
        return default_hooks.allreduce_hook(state, bucket)

    trained_alike_by(noting, SMALL)
    per_step = len(seen) // 3
    assert [index for index, *_ in seen[-per_step:]] == list(range(per_step))
    assert [last for _, last, _ in seen[-per_step:]] == [False] * (per_step - 1) + [True]
    halves, whole = trained_alike_by(default_hooks.fp16_compress_hook, {}), trained_alike_by(None, {})
    for a, b in zip(halves.parameters(), whole.parameters()):
        assert_close(a.detach(), b.detach(), rtol=1e-2, atol=1e-3)
    assert digest(halves) != digest(whole)
    with pytest.raises(RuntimeError, match="can only be called once"):
        halves.register_comm_hook(None, default_hooks.allreduce_hook)
    with pytest.raises(TypeError, match="must be callable"):
        whole.register_comm_hook(None, "allreduce")


def check_join(rank, size):
    """Ranks with 2, 3, ... batches; sums over the rest are divided by the number of all, or of those left."""
    for by_all in (True, False):
        minigrad.manual_seed(2)
        ddp = DDP(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), **SMALL)
        alone = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
        alone.load_state_dict(ddp.module.state_dict())
        optimizer, same = optim.SGD(ddp.parameters(), lr=0.1), optim.SGD(alone.parameters(), lr=0.1)
        data = minigrad.randn(size, size + 1, 4, 3)  # of each rank, each batch
        for step in range(size + 1):  # what it should come to, in one process
            left = [r for r in range(size) if step < r + 2]
            same.zero_grad()
            for r in left:
                (alone(data[r, step]).tanh() - 0.5).square().mean().div(size if by_all else len(left)).backward()
            same.step()
        with ddp.join(divide_by_initial_world_size=by_all):
            for step in range(rank + 2):
                optimizer.zero_grad()
                (ddp(data[rank, step]).tanh() - 0.5).square().mean().backward()
                optimizer.step()
        assert same_everywhere(digest(ddp))
        for a, b in zip(ddp.module.parameters(), alone.parameters()):
            assert_close(a.detach(), b.detach(), rtol=1e-4)
    ddp = DDP(mlp())
    message = "exhausted all inputs" if rank == 0 else "Detected at least one rank that exhausted inputs"

    def uneven():
        with ddp.join(throw_on_early_termination=True):
            for _ in range(1 + rank):
                ddp(minigrad.randn(2, 6)).sum().backward()

    with pytest.raises(RuntimeError, match=message):
        uneven()
    dist.barrier()


def check_join_of_a_rank_without_any_data(rank, size):
    for options in ({}, {"find_unused_parameters": True}):
        ddp = DDP(mlp(), **options, **SMALL)
        optimizer = optim.SGD(ddp.parameters(), lr=0.1)
        with ddp.join():
            for _ in range(0 if rank == 0 else 3):
                optimizer.zero_grad()
                ddp(minigrad.randn(2, 6)).sum().backward()
                optimizer.step()
        assert same_everywhere(digest(ddp))


def check_groups(rank, size):
    """Each half of the ranks by itself."""
    halves = [list(range(size // 2)), list(range(size // 2, size))]
    groups = [dist.new_group(half) for half in halves]
    group = groups[rank >= size // 2]
    ddp = DDP(mlp(), process_group=group)
    ddp(minigrad.randn(2, 6) + rank).pow(2).sum().backward()
    mine, theirs = digest_of_gradients(ddp), [None] * size
    dist.all_gather_object(theirs, mine)
    assert len(set(theirs)) == 2
    assert len({theirs[r] for r in halves[rank >= size // 2]}) == 1


def digest_of_gradients(model):
    return b"".join(p.grad.numpy().tobytes() for p in model.parameters())


def check_a_models_group_is_left_with_it(rank, size):
    gc.collect()  # what other checks left
    dist.destroy_process_group(dist.new_group())
    before = dist.get_pg_count()
    for _ in range(5):
        ddp = DDP(mlp())
        ddp(minigrad.randn(2, 6) + rank).pow(2).sum().backward()
    assert dist.get_pg_count() <= before + 2  # the last one's, and of the one that made way for it
    del ddp
    dist.destroy_process_group(dist.new_group())
    assert dist.get_pg_count() == before


def check_state_and_copies(rank, size):
    import copy
    import pickle

    ddp = DDP(mlp())
    assert list(ddp.state_dict()) == [f"module.{name}" for name in ddp.module.state_dict()]
    for other in (copy.deepcopy(ddp), pickle.loads(pickle.dumps(ddp))):
        other(minigrad.randn(2, 6) + rank).pow(2).sum().backward()
        assert same_everywhere(digest_of_gradients(other))
        assert all(p.grad is None for p in ddp.parameters())
    hooks = [p.leaf.extra.after for p in ddp.module.parameters()]
    module = ddp.module
    del ddp

    gc.collect()
    assert all(not hook for hook in hooks)  # a wrapper that is gone does not look at gradients
    module(minigrad.randn(2, 6)).sum().backward()


def check_errors(rank, size):
    frozen = mlp().requires_grad_(False)
    with pytest.raises(RuntimeError, match="doesn't have any parameters that require a gradient"):
        DDP(frozen)
    with pytest.raises(RuntimeError, match="Run a dummy forward pass"):
        DDP(nn.LazyLinear(3))
    with pytest.raises(ValueError, match="device_ids can only be None or contain a single element"):
        DDP(mlp(), device_ids=[0, 1])
    with pytest.raises(ValueError, match="'bucket_cap_mb': got 0; expected more than 0"):
        DDP(mlp(), bucket_cap_mb=0)
    with contextlib.suppress(NotImplementedError):
        DDP(mlp(), device_ids=[rank])
