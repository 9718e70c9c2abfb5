"""Checkpoints free what they promise to free. (That they compute the same: test_saved_torch.py.)"""

import gc
import weakref

import pytest
from leaves import leaf

import minigrad
from minigrad import autograd, nn
from minigrad.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential


@pytest.fixture
def no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def chain(x, seen):
    """exp of tanh of sin, with weak references to the arrays in between."""
    for function in (minigrad.sin, minigrad.tanh, minigrad.exp, minigrad.square):
        x = function(x)
        seen.append(weakref.ref(x.array))
    return x


def alive(seen):
    return sum(watch() is not None for watch in seen)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_what_lies_between_is_not_kept(use_reentrant, no_collector):
    x, plain, checked = leaf(0.5, 0.6), [], []
    y = chain(x * 1, plain)
    z = checkpoint(chain, x * 1, checked, use_reentrant=use_reentrant)
    assert alive(plain) == 3  # nobody saved what sin gave
    assert alive(checked) == 1  # the result
    assert autograd.backward([y, z], [y.detach() * 0, z.detach() * 0 + 1]) is None
    assert alive(checked) == 1
    del z
    assert alive(checked) == 0
    x2 = leaf(0.5, 0.6)
    chain(x2, []).sum().backward()
    assert x.grad.tolist() == pytest.approx(x2.grad.tolist())


def test_a_checkpoint_in_a_checkpoint_keeps_nothing_alive(no_collector):
    seen = []

    def outer(x):
        y = chain(x, seen)
        return checkpoint(chain, y, seen, use_reentrant=False)

    x = leaf(0.01, 0.02)
    y = checkpoint(outer, x, use_reentrant=False)
    assert alive(seen) == 1
    y.sum().backward()
    x2 = leaf(0.01, 0.02)
    chain(chain(x2, []), []).sum().backward()
    assert x.grad.tolist() == pytest.approx(x2.grad.tolist())


def test_backward_frees_the_second_run(no_collector):
    seen = []
    y = checkpoint(chain, leaf(0.5, 0.6), seen, use_reentrant=False)
    y.sum().backward()
    assert alive(seen) == 1  # y itself
    watch = weakref.ref(y.grad_fn)
    del y
    assert watch() is None


def test_a_dropped_checkpoint_leaves_no_cycle(no_collector):
    y = checkpoint(chain, leaf(0.5, 0.6), [], use_reentrant=False)
    watch = weakref.ref(y.grad_fn)
    del y
    assert watch() is None


def test_a_second_run_happens_once_and_stops_early():
    ran = []

    def part(x):
        ran.append("start")
        y = x.exp().sin()
        ran.append("end")
        return y + 1

    y = checkpoint(part, leaf(0.5), use_reentrant=False)
    y.backward()
    assert ran == ["start", "end", "start"]


@pytest.mark.parametrize(
    ("second", "message"),
    [(lambda x: x.reshape(1, 1).exp(), "different metadata"), (lambda x: x.exp().sin(), "different number")],
)
def test_another_second_run_is_an_error(second, message):
    runs = []

    def part(x):
        runs.append(1)
        return x.exp() if len(runs) == 1 else second(x)

    with pytest.raises(CheckpointError, match=message):
        checkpoint(part, leaf(0.5), use_reentrant=False, early_stop=False).sum().backward()


def test_dropout_draws_the_same_mask_twice():
    model = nn.Sequential(nn.Linear(4, 64), nn.Dropout(0.5), nn.Linear(64, 1))
    x = minigrad.ones(1, 4)
    state = minigrad.default_generator.get_state()
    model(x).backward()
    expected = [p.grad.clone() for p in model.parameters()]
    for run in (
        lambda: checkpoint(model, x.requires_grad_(), use_reentrant=True),
        lambda: checkpoint(model, x, use_reentrant=False),
        lambda: checkpoint_sequential(model, 2, x, use_reentrant=False),
    ):
        minigrad.default_generator.set_state(state)
        model.zero_grad()
        run().backward()
        for p, g in zip(model.parameters(), expected, strict=True):
            assert p.grad.tolist() == g.tolist()


def test_nothing_is_watched_afterwards():
    from minigrad.autograd.node import Node

    checkpoint(chain, leaf(0.5), [], use_reentrant=False).backward()
    assert type((leaf(1.0) * 2).grad_fn) is Node
