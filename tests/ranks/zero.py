"""`ZeroRedundancyOptimizer`: run by harness.py."""

import copy

import numpy as np
import pytest
from harness import digest, same_everywhere

import minigrad
import minigrad.distributed as dist
from minigrad import nn, optim
from minigrad.distributed.algorithms.join import Join
from minigrad.distributed.optim import ZeroRedundancyOptimizer
from minigrad.nn.parallel import DistributedDataParallel as DDP


def net():
    return nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 3))


def pair(kind, groups=False, view=False, **options):
    """A model with the plain optimizer and the same with a shared out one."""
    minigrad.manual_seed(3)
    plain = net()
    shared = copy.deepcopy(plain)

    def params(model):
        return (
            [{"params": model[0].parameters()}, {"params": model[2:].parameters(), "lr": 0.02}]
            if groups
            else model.parameters()
        )

    theirs = ZeroRedundancyOptimizer(params(shared), kind, parameters_as_bucket_view=view, **options)
    return plain, kind(params(plain), **options), shared, theirs


def step(*pairs):
    x = minigrad.randn(5, 6)
    for model, optimizer in pairs:
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()


KINDS = [
    (optim.SGD, {"lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}), (optim.Adam, {"lr": 0.01, "amsgrad": True}),
    (optim.AdamW, {"lr": 0.01}), (optim.RMSprop, {"lr": 0.01}), (optim.Adagrad, {"lr": 0.01}),
]  # fmt: skip


def check_same_to_the_last_bit(rank, size):
    for kind, options in KINDS:
        for view in (False, True):
            for groups in (False, True):
                plain, optimizer, shared, theirs = pair(kind, groups, view, **options)
                for _ in range(3):
                    step((plain, optimizer), (shared, theirs))
                assert digest(plain) == digest(shared), (kind, view, groups)


def nbytes(state):
    return sum(value.nbytes for each in state.values() for value in each.values() if isinstance(value, minigrad.Tensor))


def check_state_is_shared_out(rank, size):
    layers = [nn.Linear(64, 64) for _ in range(12)]
    model = nn.Sequential(*layers)
    plain = optim.Adam(copy.deepcopy(model).parameters())
    theirs = ZeroRedundancyOptimizer(model.parameters(), optim.Adam)
    for group in plain.param_groups:
        for p in group["params"]:
            p.grad = minigrad.ones_like(p)
    plain.step()
    model(minigrad.randn(2, 64)).sum().backward()
    theirs.step()
    own, whole = nbytes(theirs.state), nbytes(plain.state)
    everyone = [None] * size
    dist.all_gather_object(everyone, own)
    assert sum(everyone) == whole
    assert max(everyone) <= 1.05 * whole / size
    assert theirs.state is theirs.optim.state


def check_partition_is_pytorchs(rank, size):
    """The largest first, to the rank that has least."""
    sizes = [5, 7, 7, 1, 9, 2]
    params = [nn.Parameter(minigrad.zeros(n)) for n in sizes]
    optimizer = ZeroRedundancyOptimizer(params, optim.SGD, lr=0.1)
    loads, expected = [0] * size, [[] for _ in range(size)]
    for n in sorted(sizes, reverse=True):
        least = loads.index(min(loads))
        expected[least].append(n)
        loads[least] += n
    assert [p.numel() for p in optimizer.optim.param_groups[0]["params"]] == expected[rank]


def check_more_ranks_than_parameters(rank, size):
    model = nn.Linear(3, 3, bias=False)
    plain = copy.deepcopy(model)
    theirs, optimizer = ZeroRedundancyOptimizer(model.parameters(), optim.Adam), optim.Adam(plain.parameters())
    for _ in range(2):
        x = minigrad.randn(2, 3)
        for each, opt in ((model, theirs), (plain, optimizer)):
            opt.zero_grad()
            each(x).square().sum().backward()
            opt.step()
    assert digest(model) == digest(plain)


def check_whole_state(rank, size):
    """What is brought together is the plain optimizer's state; it goes back into either."""
    plain, optimizer, shared, theirs = pair(optim.Adam, True, lr=0.01)
    for _ in range(2):
        step((plain, optimizer), (shared, theirs))
    with pytest.raises(RuntimeError, match=rf"has not been consolidated on this rank.*to={rank}"):
        theirs.state_dict()
    to = size - 1
    theirs.consolidate_state_dict(to=to)
    if rank == to:
        ours, whole = optimizer.state_dict(), theirs.state_dict()
        assert ours["param_groups"] == whole["param_groups"]
        assert list(ours["state"]) == list(whole["state"])
        for key, state in ours["state"].items():
            assert {n: v.tolist() for n, v in state.items()} == {n: v.tolist() for n, v in whole["state"][key].items()}
    kept = [copy.deepcopy(theirs.state_dict()) if rank == to else None]
    dist.broadcast_object_list(kept, src=to)
    again, opt, more, other = pair(optim.Adam, True, lr=0.5)
    again.load_state_dict(plain.state_dict())
    more.load_state_dict(plain.state_dict())
    opt.load_state_dict(kept[0])
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == other.optim.param_groups[0]["lr"] == 0.01
    step((plain, optimizer), (shared, theirs), (again, opt), (more, other))
    assert digest(plain) == digest(shared) == digest(again) == digest(more)
    broken = optimizer.state_dict()
    broken["state"] = {key: {**state, "exp_avg": minigrad.zeros(1)} for key, state in broken["state"].items()}
    with pytest.raises(ValueError, match=r"'exp_avg' of parameter .* has shape"):
        other.load_state_dict(broken)


def check_schedules_and_new_groups(rank, size):
    for view in (False, True):
        plain, optimizer, shared, theirs = pair(optim.SGD, view=view, lr=0.01, momentum=0.9)
        schedules = [optim.lr_scheduler.StepLR(o, 1, 0.5) for o in (optimizer, theirs)]
        for _ in range(2):
            step((plain, optimizer), (shared, theirs))
            for schedule in schedules:
                schedule.step()
        minigrad.manual_seed(4)
        heads = nn.Linear(3, 2), nn.Linear(3, 2)
        heads[1].load_state_dict(heads[0].state_dict())
        optimizer.add_param_group({"params": heads[0].parameters(), "lr": 0.3})
        theirs.add_param_group({"params": heads[1].parameters(), "lr": 0.3})
        step((nn.Sequential(plain, heads[0]), optimizer), (nn.Sequential(shared, heads[1]), theirs))
        assert digest(plain, heads[0]) == digest(shared, heads[1])


def check_with_ddp_and_join(rank, size):
    minigrad.manual_seed(1)
    ddp = DDP(net())
    optimizer = ZeroRedundancyOptimizer(ddp.parameters(), optim.Adam, lr=0.01)
    minigrad.manual_seed(rank)
    with Join([ddp, optimizer]):
        for _ in range(2 + rank):
            optimizer.zero_grad()
            ddp(minigrad.randn(3, 6)).square().mean().backward()
            optimizer.step()
            weights = ddp.module[0].weight
    assert np.isfinite(weights.detach().numpy()).all()
    assert same_everywhere(digest(ddp))


def check_writes_are_noticed(rank, size):
    """A graph that needs a weight as it was before a step says so, whoever made the step."""
    model = net()
    optimizer = ZeroRedundancyOptimizer(model.parameters(), optim.SGD, lr=0.1)
    loss = model(minigrad.randn(2, 6)).sum()
    loss.backward(retain_graph=True)
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def check_errors(rank, size):
    with pytest.raises(NotImplementedError, match="overlap_with_ddp=True"):
        ZeroRedundancyOptimizer(net().parameters(), optim.SGD, overlap_with_ddp=True, lr=0.1)
    with pytest.raises(ValueError, match="LBFGS looks at all gradients together"):
        ZeroRedundancyOptimizer(net().parameters(), optim.LBFGS)
    with pytest.raises(ValueError, match="Invalid learning rate"):
        ZeroRedundancyOptimizer(net().parameters(), optim.Adam, lr=-1)
    with pytest.raises(ValueError, match="empty parameter list"):
        ZeroRedundancyOptimizer([], optim.Adam)
