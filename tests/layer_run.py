"""Layers compared with torch, each from one seed in both: what the tests of nn share.

A `Case` is a layer and its inputs; `CHECKS` are what is asked of each::

    test_layers = check_layers(CASES)
"""

import copy
import dataclasses
import inspect
import pickle
from collections.abc import Callable

import numpy as np
import pytest

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


@dataclasses.dataclass
class Case:
    """`make(nn)` builds the layer in either library, `inputs(rng)` gives its arguments as arrays."""

    name: str
    make: Callable
    inputs: Callable
    differentiable: int = 1  # how many of the inputs get gradients
    double: float = 1e-10  # how near the numbers of float64 are to PyTorch's

    def __str__(self):
        return self.name


def ours(name, *args, **kwargs):
    return lambda lib: getattr(lib, name)(*args, **kwargs)


def case(name, *args, inputs, differentiable=1, double=1e-10, **kwargs):
    shown = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())])
    return Case(f"{name}({shown})", ours(name, *args, **kwargs), inputs, differentiable, double)


def both(case, seed=0):
    """The layer in torch and here, built from the same seed."""
    torch.manual_seed(seed)
    theirs = case.make(torch.nn)
    minigrad.manual_seed(seed)
    return theirs, case.make(nn)


def close(actual, expected, what, double=1e-10):
    assert tuple(actual.shape) == tuple(expected.shape), what
    assert str(actual.dtype).rpartition(".")[2] == str(expected.dtype).rpartition(".")[2], what
    a, e = actual.detach().numpy(), expected.detach().numpy()
    rounding = double if e.dtype == np.float64 else 1e-5
    largest = np.abs(e).max(initial=0.0, where=np.isfinite(e))  # sums of terms of that size may cancel
    np.testing.assert_allclose(a, e, rtol=rounding, atol=rounding * max(1.0, largest / 10), err_msg=what)


def close_states(mine, theirs, what):
    mine, theirs = mine.state_dict(), theirs.state_dict()
    assert list(mine) == list(theirs), what
    for name, expected in theirs.items():
        close(mine[name], expected, f"{what}: {name}")


def same_start(case):
    torch.manual_seed(0)
    theirs, expected = case.make(torch.nn), torch.rand(4)
    minigrad.manual_seed(0)
    mine, actual = case.make(nn), minigrad.rand(4)
    close_states(mine, theirs, "initial state")
    assert actual.tolist() == expected.tolist(), "another amount of random numbers was drawn"


def same_description(case):
    """repr, the signature of `__init__`, and the public attributes."""
    theirs, mine = both(case)
    assert repr(mine) == repr(theirs)
    parameters = [
        [(p.name, p.kind, p.default) for p in inspect.signature(type(layer)).parameters.values()]
        for layer in (mine, theirs)
    ]
    assert parameters[0] == parameters[1]
    for name in vars(theirs).keys() - {"transposed", "output_padding"}:
        assert name.startswith("_") or hasattr(mine, name), f"no attribute {name}"


def same_names(case):
    theirs, mine = both(case)
    for listing in ("named_parameters", "named_buffers", "named_modules", "named_children"):
        assert [n for n, _ in getattr(mine, listing)()] == [n for n, _ in getattr(theirs, listing)()]
    assert [p.requires_grad for p in mine.parameters()] == [p.requires_grad for p in theirs.parameters()]


def three_steps_in_training(case):
    theirs, mine = both(case)
    steps(case, theirs, mine)


def three_steps_in_evaluation(case):
    theirs, mine = both(case)
    steps(case, theirs.eval(), mine.eval())


def three_steps_in_double(case):
    theirs, mine = both(case)
    steps(case, theirs.double(), mine.double(), np.float64)


def a_step_after_copying(case):
    """What `deepcopy` and `pickle` make computes the same as the original."""
    theirs, mine = both(case)
    steps(case, theirs, pickle.loads(pickle.dumps(copy.deepcopy(mine))), count=1)


def steps(case, theirs, mine, dtype=np.float32, count=3):
    rng = np.random.default_rng(1)
    for step in range(count):
        one_step(case, theirs, mine, rng, step, dtype)


def one_step(case, theirs, mine, rng, step, dtype=np.float32):
    """Forward and backward in both; compares outputs, gradients of inputs and parameters, buffers."""
    arrays, what = case.inputs(rng), f"step {step}"
    arrays = [np.asarray(array, dtype if array.dtype == np.float32 else None) for array in arrays]
    xs = [torch.from_numpy(a.copy()) for a in arrays]
    ys = [minigrad.from_numpy(a.copy()) for a in arrays]
    for x, y in list(zip(xs, ys, strict=True))[: case.differentiable]:
        x.requires_grad_()
        y.requires_grad_()
    torch.manual_seed(step)
    expected = theirs(*xs)
    minigrad.manual_seed(step)
    actual = mine(*ys)
    close(actual, expected, f"{what}: output")
    if expected.requires_grad:
        direction = np.asarray(rng.standard_normal(tuple(expected.shape)), dtype)
        expected.backward(torch.from_numpy(direction.copy()))
        actual.backward(minigrad.from_numpy(direction))
    assert actual.requires_grad == expected.requires_grad
    for i, (x, y) in enumerate(zip(xs, ys, strict=True)):
        assert (x.grad is None) == (y.grad is None), f"{what}: gradient of input {i}"
        if x.grad is not None:
            close(y.grad, x.grad, f"{what}: gradient of input {i}", case.double)
    for (name, p), (_, q) in zip(theirs.named_parameters(), mine.named_parameters(), strict=True):
        assert (p.grad is None) == (q.grad is None), f"{what}: gradient of {name}"
        if p.grad is not None:
            close(q.grad, p.grad, f"{what}: gradient of {name}")
    close_states(mine, theirs, what)


def state_crosses_both_ways(case):
    theirs, mine = both(case)
    other_theirs, other_mine = both(case, seed=7)
    other_mine.load_state_dict({k: minigrad.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    other_theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in mine.state_dict().items()})
    close_states(other_mine, theirs, "torch to minigrad")
    close_states(mine, other_theirs, "minigrad to torch")
    assert mine.state_dict()._metadata == theirs.state_dict()._metadata


CHECKS = [
    same_start,
    same_description,
    same_names,
    three_steps_in_training,
    three_steps_in_evaluation,
    three_steps_in_double,
    a_step_after_copying,
    state_crosses_both_ways,
]


def check_layers(cases):
    """A test that asks `CHECKS` of each of the cases."""

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    @pytest.mark.parametrize("case", cases, ids=str)
    def test(case, check):
        check(case)

    return test


def library(lib):
    """The library of a `nn`."""
    return torch if lib is torch.nn else minigrad


def check_error(wrong, text):
    """`wrong(nn)` raises the same kind of error in both, and `text` is in both messages."""
    with pytest.raises(Exception) as theirs:  # noqa: PT011  (the type is what is asked)
        wrong(torch.nn)
    assert text in str(theirs.value)
    with pytest.raises(theirs.type) as ours:
        wrong(nn)
    assert text in str(ours.value)


def check_error_type(mine, theirs):
    """Two calls, of ours and of PyTorch's, raise the same kind of error; ours has a text."""
    with pytest.raises(Exception) as expected:  # noqa: PT011  (the type is what is asked)
        theirs()
    with pytest.raises(expected.type, match=r"\w"):
        mine()


# ---- inputs ----------------------------------------------------------------------------------------------------------


def normal(*shape):
    return lambda rng: [rng.standard_normal(shape).astype(np.float32)]


def images(n=2, c=3, h=7, w=6):
    return normal(n, c, h, w)


def pair_of(*shape):
    return lambda rng: [rng.standard_normal(shape).astype(np.float32), rng.standard_normal(shape).astype(np.float32)]


def tokens(*shape, high):
    return lambda rng: [rng.integers(0, high, shape)]


def weights(n, lib):
    """A fixed weight per class, in the library that `nn` belongs to."""
    return library(lib).tensor([0.5 + 0.25 * i for i in range(n)])
