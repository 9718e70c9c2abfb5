"""The norm layers against torch."""

import warnings

import numpy as np
import pytest
from layer_run import (
    Case,
    both,
    case,
    check_error,
    check_layers,
    close,
    close_states,
    images,
    library,
    normal,
    same_description,
)

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


def volumes(n=2, c=4):
    return normal(n, c, 3, 4, 2)


BATCH = [
    case("BatchNorm3d", 4, inputs=volumes()),
    case("BatchNorm3d", 4, momentum=None, affine=False, inputs=volumes()),
    case("BatchNorm3d", 4, bias=False, track_running_stats=False, inputs=volumes()),
]
INSTANCE = [
    case("InstanceNorm1d", 4, inputs=normal(3, 4, 5)),
    case("InstanceNorm1d", 4, inputs=normal(4, 5)),
    case("InstanceNorm1d", 4, eps=1e-2, momentum=0.3, affine=True, track_running_stats=True, inputs=normal(3, 4, 5)),
    case("InstanceNorm2d", 3, inputs=images()),
    case("InstanceNorm2d", 3, affine=True, inputs=images()),
    case("InstanceNorm2d", 3, affine=True, bias=False, inputs=images()),
    case("InstanceNorm2d", 3, affine=True, track_running_stats=True, inputs=normal(3, 5, 4)),
    case("InstanceNorm2d", 3, momentum=None, track_running_stats=True, inputs=images()),
    case("InstanceNorm3d", 4, affine=True, track_running_stats=True, inputs=volumes()),
    case("InstanceNorm3d", 4, inputs=normal(4, 3, 2, 5)),
]
OTHERS = [
    case("GroupNorm", 2, 4, inputs=normal(3, 4, 5)),
    case("GroupNorm", 1, 4, inputs=normal(3, 4)),
    case("GroupNorm", 4, 4, eps=1e-2, affine=False, inputs=images(c=4)),
    case("GroupNorm", 2, 4, bias=False, inputs=volumes()),
    case("RMSNorm", 4, inputs=normal(2, 3, 4)),
    case("RMSNorm", (3, 4), eps=1e-2, inputs=normal(2, 3, 4)),
    case("RMSNorm", [4], elementwise_affine=False, inputs=normal(2, 3, 4)),
    case("LocalResponseNorm", 2, inputs=images(c=6)),
    case("LocalResponseNorm", 3, alpha=0.5, beta=0.5, k=2.0, inputs=normal(2, 5, 3)),
]
test_layers = check_layers(BATCH + INSTANCE + OTHERS)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 8])
def test_cross_map_keeps_the_first_channel_as_pytorch_does(size):
    """Its outputs; PyTorch's gradient is not that of its outputs."""
    layer = case("CrossMapLRN2d", size, 0.5, 0.6, 2, inputs=None)
    same_description(layer)
    theirs, mine = both(layer)
    x = np.random.default_rng(0).standard_normal((2, 9, 3, 4)).astype(np.float32)
    close(mine(minigrad.from_numpy(x)), theirs(torch.from_numpy(x)), "output")


@pytest.mark.parametrize("version", [None, 1, 2])
def test_batch_norms_read_states_of_older_versions(version):
    """Before version 2 there was no num_batches_tracked."""
    outcomes = []
    for lib in (torch.nn, nn):
        layer = lib.BatchNorm2d(3)
        layer.num_batches_tracked.fill_(5)
        state = layer.state_dict()
        del state["num_batches_tracked"]
        state._metadata[""]["version"] = version
        outcomes.append(tuple(layer.load_state_dict(state, strict=False)[0]))
        assert layer.num_batches_tracked.item() == 5
    assert outcomes[0] == outcomes[1]


def test_instance_norms_say_what_is_wrong_with_states_before_versions():
    for lib in (torch.nn, nn):
        state = dict(lib.InstanceNorm2d(3, track_running_stats=True).state_dict())
        del state["num_batches_tracked"]
        text = r'running stats buffer\(s\) "running_mean" and "running_var" for InstanceNorm2d'
        with pytest.raises(RuntimeError, match=text):
            lib.InstanceNorm2d(3).load_state_dict(state)


def test_instance_norm_warns_of_a_size_that_is_not_used():
    for lib in (torch.nn, nn):
        with pytest.warns(UserWarning, match="size at dim=1 does not match num_features"):
            lib.InstanceNorm1d(3)(library(lib).ones(2, 4, 5))


def test_a_subclass_may_check_the_dimensions_itself():
    def build(lib, base):
        class AnyDim(base):
            def _check_input_dim(self, input):
                assert input.dim() > 1

        return AnyDim(4)

    x = np.random.default_rng(0).standard_normal((3, 4, 2, 2)).astype(np.float32)
    theirs = build(torch.nn, torch.nn.modules.batchnorm._BatchNorm)
    mine = build(nn, nn.modules.batchnorm._BatchNorm)
    close(mine(minigrad.from_numpy(x)), theirs(torch.from_numpy(x)), "output")
    close_states(mine, theirs, "state")


def test_switching_statistics_off_and_on():
    x = np.random.default_rng(0).standard_normal((6, 4)).astype(np.float32)
    theirs, mine = both(case("BatchNorm1d", 4, inputs=None))
    for layer, lib in ((theirs, torch), (mine, minigrad)):
        layer.track_running_stats = False  # the buffers stay, are not updated, and are used in evaluation
        layer(lib.from_numpy(x))
    close_states(mine, theirs, "not tracked")
    close(mine.eval()(minigrad.from_numpy(x)), theirs.eval()(torch.from_numpy(x)), "evaluation")
    for layer in (theirs, mine):
        layer.track_running_stats = True
        layer.train()
    mine(minigrad.from_numpy(x)), theirs(torch.from_numpy(x))
    close_states(mine, theirs, "tracked again")
    mine.reset_running_stats(), theirs.reset_running_stats()
    close_states(mine, theirs, "reset")


@pytest.mark.parametrize("name", ["GroupNorm", "RMSNorm", "InstanceNorm1d", "LayerNorm", "BatchNorm1d"])
def test_half_precision(name):
    """Computed in float32 and rounded once, as in torch: one unit of float16 apart at most."""
    args = (2, 4) if name == "GroupNorm" else (6,) if name in ("RMSNorm", "LayerNorm") else (4,)
    theirs, mine = both(Case(name, lambda lib: getattr(lib, name)(*args), None))
    x = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float16)
    expected, actual = theirs.half()(torch.from_numpy(x)), mine.half()(minigrad.from_numpy(x))
    assert str(actual.dtype).rpartition(".")[2] == "float16"
    np.testing.assert_allclose(actual.detach().numpy(), expected.detach().numpy(), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("name", ["BatchNorm1d", "InstanceNorm1d", "GroupNorm", "RMSNorm"])
def test_empty_batches(name):
    args = (2, 4) if name == "GroupNorm" else (5,) if name == "RMSNorm" else (4,)
    theirs, mine = both(Case(name, lambda lib: getattr(lib, name)(*args), None))
    x = np.zeros((0, 4, 5), np.float32)

    def outcome(layer, lib):
        try:
            return tuple(layer(lib.from_numpy(x)).shape)
        except Exception as error:
            return type(error)

    assert outcome(mine, minigrad) == outcome(theirs, torch)
    close_states(mine, theirs, "state")


ERRORS = [
    (lambda lib: lib.BatchNorm3d(3)(library(lib).zeros(3, 3)), "expected 5D input (got 2D input)"),
    (lambda lib: lib.InstanceNorm1d(3)(library(lib).zeros(3)), "expected 2D or 3D input (got 1D input)"),
    (lambda lib: lib.InstanceNorm2d(3)(library(lib).zeros(3, 3)), "expected 3D or 4D input (got 2D input)"),
    (lambda lib: lib.InstanceNorm3d(3)(library(lib).zeros(3, 3)), "expected 4D or 5D input (got 2D input)"),
    (lambda lib: lib.InstanceNorm1d(3, affine=True)(library(lib).zeros(2, 4, 5)), "to match num_features (3)"),
    (lambda lib: lib.InstanceNorm1d(3)(library(lib).zeros(2, 3, 1)), "Expected more than 1 spatial element"),
    (lambda lib: lib.GroupNorm(2, 3), "num_channels (3) must be divisible by num_groups (2)"),
    (lambda lib: lib.GroupNorm(2, 4)(library(lib).zeros(2, 6, 5)), "6"),
    (lambda lib: lib.RMSNorm(3)(library(lib).zeros(2, 4)), "Given normalized_shape=[3]"),
    (lambda lib: lib.GroupNorm(2, 4)(library(lib).zeros(2, 4, 5).double()), "mixed dtype"),
    (lambda lib: lib.GroupNorm(2, 4).half()(library(lib).zeros(2, 4, 5)), "mixed dtype"),
    (lambda lib: lib.LayerNorm(4)(library(lib).zeros(2, 4).double()), "mixed dtype"),
    (lambda lib: lib.BatchNorm1d(4)(library(lib).zeros(2, 4).double()), "mixed dtype"),
    (lambda lib: lib.LayerNorm(1.5), "float"),
    (lambda lib: lib.LocalResponseNorm(2)(library(lib).zeros(2, 4)), "Expected 3D or higher dimensionality"),
    (lambda lib: lib.CrossMapLRN2d(2)(library(lib).zeros(2, 4)), "Expected input to be 4D, got 2D"),
]  # fmt: skip


@pytest.mark.parametrize(("wrong", "text"), ERRORS, ids=[text for _, text in ERRORS])
def test_errors(wrong, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check_error(wrong, text)


def test_sync_batch_norm_alone_is_batch_norm():
    """Across processes: tests/ranks/syncbn.py."""
    for options in ({}, {"affine": False}, {"momentum": None, "bias": False}, {"track_running_stats": False}):
        alone, sync = nn.BatchNorm2d(3, **options), nn.SyncBatchNorm(3, **options)
        for _ in range(2):
            x = minigrad.randn(4, 3, 5, 2)
            assert sync(x).tolist() == alone(x).tolist()
        for a, b in zip(sync.buffers(), alone.buffers(), strict=True):
            assert a.tolist() == b.tolist()
        assert sync.eval()(x).tolist() == alone.eval()(x).tolist()
        assert repr(sync).split("(")[1] == repr(alone).split("(")[1]
    assert nn.SyncBatchNorm(3)(minigrad.randn(2, 3)).shape == (2, 3)
    for wrong, text in ((minigrad.randn(3), "expected at least 2D"), (minigrad.randn(3, 0), "should be non-zero")):
        with pytest.raises(ValueError, match=text):
            nn.SyncBatchNorm(3)(wrong)


@pytest.mark.parametrize("name", ["BatchNorm1d", "InstanceNorm1d", "RMSNorm", "LayerNorm", "GroupNorm"])
@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # PyTorch's, of rms_norm
def test_half_inputs_of_float_norms(name):
    """Norms often stay in float32 where the rest is half: the output is half, the gradients of parameters are not."""
    x = np.random.default_rng(0).standard_normal((3, 4, 6)).astype(np.float16)
    args = (2, 4) if name == "GroupNorm" else (6,) if name in ("RMSNorm", "LayerNorm") else (4,)
    results = []
    for lib in (torch, minigrad):
        layer = getattr(lib.nn, name)(*args, **({"affine": True} if name == "InstanceNorm1d" else {}))
        out = layer(lib.from_numpy(x))
        (out * out).sum().backward()
        results.append((out.detach().numpy(), layer.weight.grad.numpy()))
    for theirs, mine in zip(*results, strict=True):
        assert mine.dtype == theirs.dtype
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 3, 0), (0, 3)])
@pytest.mark.parametrize("training", [True, False])
def test_parameters_have_gradients_of_empty_batches(shape, training):
    for lib in (torch, minigrad):
        layer = lib.nn.BatchNorm1d(3).train(training)
        layer(lib.ones(shape)).sum().backward()
        assert layer.weight.grad.tolist() == layer.bias.grad.tolist() == [0.0, 0.0, 0.0]
