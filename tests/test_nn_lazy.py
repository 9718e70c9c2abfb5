"""Lazy modules against torch: before, at and after the first call; states, copies, optimizers; and what is refused."""

import copy
import pickle
from collections import OrderedDict

import numpy as np
import pytest
from layer_run import check_error_type, close, close_states, library

import minigrad
from minigrad import nn
from minigrad.nn.modules.lazy import LazyModuleMixin
from minigrad.nn.parameter import is_lazy

torch = pytest.importorskip("torch")

CASES = {
    "LazyLinear": (lambda lib: lib.LazyLinear(3), (2, 4)),
    "LazyLinear without bias": (lambda lib: lib.LazyLinear(3, bias=False), (4,)),
    "LazyConv1d": (lambda lib: lib.LazyConv1d(4, 3, padding=1, groups=2), (2, 6, 5)),
    "LazyConv2d": (lambda lib: lib.LazyConv2d(4, 3, 2, padding_mode="circular", padding=1), (3, 5, 5)),
    "LazyConv3d": (lambda lib: lib.LazyConv3d(2, 2, bias=False), (1, 3, 3, 4, 3)),
    "LazyConvTranspose1d": (lambda lib: lib.LazyConvTranspose1d(4, 3, 2, 1, 1, 2), (2, 6, 5)),
    "LazyConvTranspose2d": (lambda lib: lib.LazyConvTranspose2d(4, 3, dilation=2, bias=False), (3, 5, 5)),
    "LazyConvTranspose3d": (lambda lib: lib.LazyConvTranspose3d(2, 2), (3, 3, 2, 3)),
    "LazyBatchNorm1d": (lambda lib: lib.LazyBatchNorm1d(), (4, 3)),
    "LazyBatchNorm2d": (lambda lib: lib.LazyBatchNorm2d(1e-3, None, bias=False), (2, 3, 4, 5)),
    "LazyBatchNorm3d": (lambda lib: lib.LazyBatchNorm3d(affine=False), (2, 3, 2, 3, 2)),
    "LazyInstanceNorm1d": (lambda lib: lib.LazyInstanceNorm1d(), (2, 3, 5)),
    "LazyInstanceNorm2d": (lambda lib: lib.LazyInstanceNorm2d(track_running_stats=False), (2, 3, 4, 5)),
    "LazyInstanceNorm3d": (lambda lib: lib.LazyInstanceNorm3d(momentum=0.5), (2, 3, 2, 3, 4)),
    "network": (
        lambda lib: lib.Sequential(lib.LazyConv2d(4, 3), lib.ReLU(), lib.Flatten(), lib.LazyLinear(5)),
        (2, 3, 6, 6),
    ),
}
every_case = pytest.mark.parametrize(("make", "shape"), CASES.values(), ids=CASES)


def both(make):
    return make(torch.nn), make(nn)


def run(module, x, seed=0):
    lib = torch if isinstance(module, torch.nn.Module) else minigrad
    lib.manual_seed(seed)
    return module(lib.from_numpy(x))


def arrays(shape, dtype=np.float32):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


@every_case
def test_from_the_first_call_on_it_is_an_ordinary_layer(make, shape):
    theirs, mine = both(make)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert [is_lazy(p) for p in mine.parameters()] == [True] * len(list(theirs.parameters()))
    x = arrays(shape)
    close(run(mine, x), run(theirs, x), "output")
    assert repr(mine) == repr(theirs)
    assert [type(m).__name__ for m in mine.modules()] == [type(m).__name__ for m in theirs.modules()]
    assert all(type(p) is nn.Parameter for p in mine.parameters())
    close_states(mine, theirs, "state")
    assert not any(module._hooks for module in mine.modules()), "the first call's hook is still there"


@every_case
def test_copies_and_pickles_are_lazy_too(make, shape):
    mine, x = make(nn), arrays(shape)
    others = copy.deepcopy(mine), pickle.loads(pickle.dumps(mine))
    expected = run(mine, x).tolist()
    for other in others:
        assert all(is_lazy(p) for p in other.parameters())
        assert run(other, x).tolist() == expected
        assert repr(other) == repr(mine)
        assert not any(module._hooks for module in other.modules()), "the first call's hook is still there"
        assert run(pickle.loads(pickle.dumps(other)), x).tolist() == expected


@every_case
def test_states_between_lazy_and_not(make, shape):
    (theirs, mine), (full, x) = both(make), (make(nn), arrays(shape))
    empty = make(nn).state_dict()
    run(full, x)
    given = OrderedDict((name, torch.from_numpy(value.numpy())) for name, value in full.state_dict().items())
    assert repr(mine.load_state_dict(full.state_dict())) == "<All keys matched successfully>"
    theirs.load_state_dict(given)
    assert not any(is_lazy(p) for p in mine.parameters())
    assert repr(mine) == repr(theirs)
    if "InstanceNorm" in repr(mine):  # num_features is not loaded, and this layer looks at it
        for module in (theirs, mine):
            with pytest.raises(ValueError, match=r"to match num_features \(0\)"):
                run(module, x)
    else:
        close(run(mine, x, 9), run(theirs, x, 9), "the loaded weights are used, not drawn anew")
    assert repr(mine) == repr(theirs)
    with pytest.raises(RuntimeError, match="Can't access the shape of an uninitialized parameter"):
        full.load_state_dict(empty)
    again = make(nn)
    assert repr(again.load_state_dict(make(nn).state_dict())) == "<All keys matched successfully>"
    assert all(is_lazy(p) for p in again.parameters())


def test_assigning_a_lazy_state():
    one, other = nn.LazyLinear(2), nn.LazyLinear(2, dtype=minigrad.float64)
    one.load_state_dict(other.state_dict(), assign=True)
    assert one.weight is other.weight
    one.load_state_dict(nn.Linear(3, 2).state_dict(), assign=True)
    assert one.weight.dtype == minigrad.float32
    assert one.weight.shape == (2, 3)


@pytest.mark.parametrize("name", ["LazyLinear", "LazyBatchNorm1d"])
@pytest.mark.parametrize("convert", [lambda m: m.double(), lambda m: m.half(), lambda m: m.to("cpu")])
def test_the_dtype_asked_for_before_is_that_of_the_weights(name, convert):
    theirs, mine = (convert(getattr(lib, name)(*[3] * (name == "LazyLinear"))) for lib in (torch.nn, nn))
    x = arrays((2, 4), str(mine.weight.dtype).removeprefix("torch."))
    assert str(mine.weight.dtype) == str(theirs.weight.dtype)
    run(theirs, x)
    run(mine, x)
    assert [(key, str(t.dtype)) for key, t in mine.state_dict().items()] == [
        (key, str(t.dtype)) for key, t in theirs.state_dict().items()
    ]
    for one, other in zip(mine.state_dict().values(), theirs.state_dict().values(), strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-3)  # float16 has 11 bits


def test_an_optimizer_made_before_trains_the_weights():
    losses = []
    for lib, T in ((torch.nn, torch), (nn, minigrad)):
        T.manual_seed(0)
        model = lib.Sequential(lib.LazyLinear(3), lib.Tanh(), lib.LazyLinear(1))
        optimizer = T.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        x = T.from_numpy(arrays((5, 4)))
        curve = []
        for _ in range(4):
            loss = (model(x) - 1).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            curve.append(loss.item())
        losses.append(curve)
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


def test_frozen_before_the_first_call():
    layer = nn.LazyLinear(2)
    layer.weight.requires_grad = False
    layer(minigrad.ones(1, 3))
    assert [p.requires_grad for p in layer.parameters()] == [False, True]


def scale(lib, mixin, uninitialized):
    class LazyScale(mixin, lib.Module):
        def __init__(self):
            super().__init__()
            self.scale = uninitialized()
            self.register_buffer("mean", None)

        def initialize_parameters(self, input, offset=0):
            self.scale.materialize(input.shape[-1:])
            lib.init.ones_(self.scale)

        def forward(self, input, offset=0):
            return input * self.scale + offset

    return LazyScale()


def test_a_module_of_ones_own():
    outputs = []
    for lib, T in ((torch.nn, torch), (nn, minigrad)):
        module = scale(lib, lib.modules.lazy.LazyModuleMixin, lib.UninitializedParameter)
        assert module.has_uninitialized_params()
        outputs.append(module(T.arange(3.0), offset=1).tolist())
        assert not module.has_uninitialized_params()
        assert type(module).__name__ == "LazyScale"
        assert not hasattr(module, "_initialize_hook")
        outputs.append(module(T.arange(3.0)).tolist())
    assert outputs[:2] == outputs[2:] == [[1, 2, 3], [0, 1, 2]]


def test_what_has_to_be_defined():
    class Unfinished(LazyModuleMixin, nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="initialize_parameters is not implemented for Unfinished"):
        Unfinished()(1)

    class Forgetful(Unfinished):
        def __init__(self):
            super().__init__()
            self.weight = nn.UninitializedParameter()

        def initialize_parameters(self, input):
            pass

    with pytest.raises(RuntimeError, match="Forgetful has not been fully initialized"):
        Forgetful()(1)


REFUSED = [
    lambda T, p: p + 1,
    lambda T, p: 2 * p,
    lambda T, p: T.nn.functional.linear(T.ones(2, 2), p),
    lambda T, p: p.sum(),
    lambda T, p: T.exp(p),
    lambda T, p: p.numel(),
    lambda T, p: p.detach(),
    lambda T, p: p.clone(),
    lambda T, p: p[0],
    lambda T, p: p.zero_(),
    lambda T, p: p.shape,
    lambda T, p: T.nn.init.ones_(p),
    lambda T, p: p.no_such_thing,
    lambda T, p: p.tolist(),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_nothing_can_be_computed_with_it(number):
    check_error_type(
        lambda: REFUSED[number](minigrad, nn.UninitializedParameter()),
        lambda: REFUSED[number](torch, torch.nn.UninitializedParameter()),
    )


def test_uninitialized_tensors():
    for lib in (torch.nn, nn):
        T = library(lib)
        p = lib.UninitializedParameter(requires_grad=False, dtype=T.float64)
        b = lib.UninitializedBuffer(dtype=T.int64)
        assert (repr(p), repr(b)) == ("<UninitializedParameter>", "<UninitializedBuffer>")
        assert (p.requires_grad, p.dtype, b.dtype) == (False, T.float64, T.int64)
        assert copy.deepcopy(p).dtype == T.float64
        module = lib.Module()
        module.count = b
        assert list(dict(module.named_buffers())) == ["count"]
        b.materialize((2, 3))
        p.materialize((4,), dtype=T.float32)
        c = lib.UninitializedParameter()
        c.materialize(3)  # one size is a shape too
        assert c.shape == (3,)
        assert type(b) is T.Tensor
        assert type(p) is lib.Parameter
        assert (tuple(b.shape), b.dtype, tuple(p.shape), p.dtype) == ((2, 3), T.int64, (4,), T.float32)
        assert dict(module.named_buffers())["count"] is b
