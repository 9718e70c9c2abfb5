"""Running means of weights: PyTorch's numbers, states and prints."""

import copy
import pickle

import numpy as np
import pytest

import minigrad
from minigrad.optim import swa_utils


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def function(name, *given):
    return lambda lib: getattr(lib.optim.swa_utils, name)(*given)


WAYS = {
    "mean": {},
    "mean and buffers": {"use_buffers": True},
    "mean, said": {"avg_fn": function("get_swa_avg_fn"), "use_buffers": True},
    "mean of lists": {"multi_avg_fn": function("get_swa_multi_avg_fn")},
    "moving": {"avg_fn": function("get_ema_avg_fn", 0.9)},
    "moving, by default": {"avg_fn": function("get_ema_avg_fn"), "use_buffers": True},
    "moving lists": {"multi_avg_fn": function("get_ema_multi_avg_fn", 0.9), "use_buffers": True},
    "one's own": {"avg_fn": lambda lib: lambda averaged, current, n: averaged + (current - averaged) / (n + 2)},
    "device": {"device": lambda lib: "cpu"},
}


def train(lib, options, dtype="float32"):
    """Five steps of a network with BatchNorm; the averaged network, an output of it, data for `update_bn`."""
    lib.manual_seed(0)
    dtype = getattr(lib, dtype)
    net = lib.nn.Sequential(lib.nn.Linear(3, 4), lib.nn.BatchNorm1d(4), lib.nn.Linear(4, 2)).to(dtype)
    options = {name: value(lib) if callable(value) else value for name, value in options.items()}
    averaged = lib.optim.swa_utils.AveragedModel(net, **options)
    optimizer = lib.optim.SGD(net.parameters(), lr=0.1)
    random = np.random.default_rng(0)
    for _ in range(5):
        x = lib.tensor(random.normal(size=(8, 3)).tolist(), dtype=dtype)
        optimizer.zero_grad()
        (net(x) ** 2).mean().backward()
        optimizer.step()
        averaged.update_parameters(net)
    data = [lib.tensor(random.normal(size=(8, 3)).tolist(), dtype=dtype) for _ in range(4)]
    return averaged, averaged(x), data, net


def arrays(module):
    return {name: part.detach().numpy().copy() for name, part in module.state_dict().items()}


def near(ours, theirs, dtype):
    rtol = {"float32": 2e-6, "float64": 1e-14}[dtype]
    assert [*ours] == [*theirs]
    for name, value in theirs.items():
        np.testing.assert_allclose(ours[name], value, rtol=rtol, atol=10 * rtol, err_msg=name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS)
def test_means_are_pytorchs(torch, way, dtype):
    (ours, out, data, net), (theirs, wanted, other_data, _) = (
        train(lib, WAYS[way], dtype) for lib in (minigrad, torch)
    )
    near(arrays(ours), arrays(theirs), dtype)
    near({"out": out.detach().numpy()}, {"out": wanted.detach().numpy()}, dtype)
    assert repr(ours) == repr(theirs)
    assert ours.n_averaged.item() == 5
    assert ours.module is not net
    swa_utils.update_bn([(x, 0) for x in data], ours, device="cpu")
    torch.optim.swa_utils.update_bn(other_data, theirs)
    near(arrays(ours), arrays(theirs), dtype)
    assert ours.training
    assert [m.momentum for m in ours.modules() if isinstance(m, minigrad.nn.BatchNorm1d)] == [0.1]


def test_states_move(torch):
    ours, theirs = train(minigrad, {})[0], train(torch, {})[0]
    fresh = swa_utils.AveragedModel(minigrad.nn.Sequential(*copy.deepcopy([*ours.module])))
    fresh.load_state_dict({name: minigrad.tensor(part.tolist()) for name, part in theirs.state_dict().items()})
    near(arrays(fresh), arrays(theirs), "float32")
    assert fresh.n_averaged.dtype is minigrad.int64


def test_copies():
    averaged, *_ = train(minigrad, {})
    for twin in (copy.deepcopy(averaged), pickle.loads(pickle.dumps(averaged))):
        near(arrays(twin), arrays(averaged), "float32")


def test_integers_are_averaged_too(torch):
    def run(lib):
        a, b = [lib.tensor([2, 40])], [lib.tensor([12, 0])]
        lib.optim.swa_utils.get_ema_multi_avg_fn(0.5)(a, b, None)
        return a[0].tolist()

    assert run(minigrad) == run(torch) == [7, 20]
    whole = [minigrad.tensor([2, 40])]
    swa_utils.get_swa_multi_avg_fn()(whole, [minigrad.tensor([12, 0])], minigrad.tensor(1))
    assert whole[0].tolist() == [7, 20]


def test_without_batch_norm_nothing_is_run():
    swa_utils.update_bn(iter(lambda: 1 / 0, None), minigrad.nn.Linear(2, 2))


def test_an_evaluated_network_stays_so():
    net = minigrad.nn.BatchNorm1d(2).eval()
    swa_utils.update_bn([minigrad.ones(4, 2)], net)
    assert not net.training
    assert net.running_mean.tolist() == [1, 1]


def test_errors_are_pytorchs(torch):
    for lib in (minigrad, torch):
        utils = lib.optim.swa_utils
        for make in (utils.get_ema_avg_fn, utils.get_ema_multi_avg_fn):
            with pytest.raises(ValueError, match=r"Invalid decay value 1\.5"):
                make(1.5)
        with pytest.raises(AssertionError, match="Only one of avg_fn and multi_avg_fn"):
            utils.AveragedModel(lib.nn.Linear(1, 1), avg_fn=max, multi_avg_fn=max)
        optimizer = lib.optim.SGD([lib.ones(1, requires_grad=True)], lr=0.1)
        with pytest.raises(ValueError, match="anneal_strategy must be one of"):
            utils.SWALR(optimizer, 0.1, anneal_strategy="no")
        with pytest.raises(ValueError, match="anneal_epochs must be equal or greater than 0, got -1"):
            utils.SWALR(optimizer, 0.1, anneal_epochs=-1)
        with pytest.raises(ValueError, match="swa_lr must have the same length"):
            utils.SWALR(optimizer, [0.1, 0.2])
