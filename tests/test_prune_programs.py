"""Pruned models against PyTorch: training, copies, pickles, files; and the tutorial's programs in both libraries."""

import copy
import io
import pickle

import numpy as np
import pytest
from prune_look import LIBRARIES, filled, linear, look, numbers, plain, pruning, same_in_both, two_layers

import minigrad

torch = pytest.importorskip("torch")

# ---- hooks, training, copies, files ----------------------------------------------------------------------------------


def test_remove_leaves_the_same_parameter_and_the_hook_of_another():
    def program(lib):
        p, module, seen = pruning(lib), linear(lib), []
        weight = module.weight
        p.l1_unstructured(module, "weight", 5)
        p.random_unstructured(module, "bias", 0)
        seen += [p.is_pruned(module), p.is_pruned(lib.nn.Sequential(module)), p.is_pruned(lib.nn.ReLU())]
        assert p.remove(module, "weight") is module
        assert module.weight is weight is dict(module.named_parameters())["weight"]
        seen += [look(module), p.is_pruned(module)]
        p.remove(module, "bias")
        return [*seen, look(module), p.is_pruned(module), len(module._forward_pre_hooks), plain(module.weight)]

    same_in_both(program)


def test_what_is_pruned_gets_no_gradient_and_is_not_trained():
    def program(lib):
        p, net = pruning(lib), two_layers(lib)
        p.l1_unstructured(net[0], "weight", 0.5)
        p.ln_structured(net[2], "weight", 1, 2, dim=0)
        start = net[0].weight_orig.detach().clone()
        opt = lib.optim.SGD(net.parameters(), lr=0.1)
        x, y = numbers(lib, 8, 6), numbers(lib, 8, 3, seed=1)
        for _ in range(3):
            opt.zero_grad()
            loss = lib.nn.functional.mse_loss(net(x), y)
            loss.backward()
            opt.step()
        kept = net[0].weight_mask == 1
        assert (net[0].weight_orig.grad[~kept] == 0).all()
        assert (net[0].weight_orig[~kept] == start[~kept]).all()
        assert (net[0].weight_orig[kept] != start[kept]).any()
        net(x)
        return [round(loss.item(), 5), *[np.round(p.detach().numpy(), 5).tolist() for p in net.parameters()]]

    same_in_both(program)


def test_an_lstm_runs_with_its_pruned_weights():
    def program(lib):
        p, net = pruning(lib), filled(lib, lib.nn.LSTM(3, 4))
        p.l1_unstructured(net, "weight_ih_l0", 0.5)
        p.random_structured(net, "weight_hh_l0", 0, 0)
        x = numbers(lib, 5, 2, 3)
        out = net(x)[0]
        out.sum().backward()
        assert (net.weight_ih_l0_orig.grad[net.weight_ih_l0_mask == 0] == 0).all()
        assert net.weight_ih_l0_orig.grad.abs().sum() > 0
        p.remove(net, "weight_ih_l0")
        again = net(x)[0]
        return np.round(out.detach().numpy(), 5).tolist(), np.round(again.detach().numpy(), 5).tolist()

    first, again = same_in_both(program)
    assert first == again


def test_states_go_both_ways():
    nets = [two_layers(lib) for lib in LIBRARIES]
    for lib, net, amount in zip(LIBRARIES, nets, (0.7, 0.2), strict=True):
        pruning(lib).l1_unstructured(net[0], "weight", amount)
        pruning(lib).random_unstructured(net[2], "bias", 1)
    for source, target, lib in ((*nets, torch), (*nets[::-1], minigrad)):
        target.load_state_dict({name: lib.from_numpy(t.numpy().copy()) for name, t in source.state_dict().items()})
        outputs = [net(numbers(lib, 4, 6)).detach().numpy() for lib, net in zip(LIBRARIES, nets, strict=True)]
        np.testing.assert_allclose(*outputs, rtol=1e-5, atol=1e-6)
        assert look(nets[0])["pruned"] == look(nets[1])["pruned"]
        pruning(torch).l1_unstructured(nets[1][0], "weight", 3)  # before the way back


def twice(lib):
    net = two_layers(lib)
    lib.manual_seed(0)
    p = pruning(lib)
    p.random_unstructured(net[0], "weight", 0.4)
    p.ln_structured(net[0], "weight", 1, n=2, dim=0)
    p.custom_from_mask(net[2], "bias", lib.tensor([1, 0, 1]))
    return net


def test_copies():
    def program(lib):
        net = twice(lib)
        with pytest.raises(RuntimeError, match="leaves"):  # the pruned tensor is the result of an operation
            copy.deepcopy(net)
        with lib.no_grad():
            net(lib.ones(1, 6))
        twin = copy.deepcopy(net)
        twin(numbers(lib, 2, 6)).sum().backward()
        assert net[0].weight_orig.grad is None
        pruning(lib).l1_unstructured(twin[0], "weight", 2)
        return look(net), look(twin), [list(p.grad.shape) for p in twin.parameters()]

    same_in_both(program)


def test_pickles():
    def program(lib):
        twin = pickle.loads(pickle.dumps(twice(lib)))
        pruning(lib).l1_unstructured(twin[0], "weight", 2)
        return look(twin)

    same_in_both(program)


@pytest.mark.parametrize(("source", "target"), [(a, b) for a in LIBRARIES for b in LIBRARIES])
def test_whole_modules_in_files_of_either_library(source, target):
    net, file = twice(source), io.BytesIO()
    source.save(net, file)
    file.seek(0)
    twin = target.load(file, weights_only=False)
    assert isinstance(twin, target.nn.Module)
    assert look(twin) == look(net)
    pruning(target).remove(twin[0], "weight")
    assert plain(twin[0].weight) == plain(net[0].weight)


# ---- the tutorial's programs -----------------------------------------------------------------------------------------


def lenet(lib):
    nn, F = lib.nn, lib.nn.functional

    class LeNet(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1 = nn.Conv2d(1, 6, 5)
            self.conv2 = nn.Conv2d(6, 16, 5)
            self.fc1 = nn.Linear(16 * 5 * 5, 120)
            self.fc2 = nn.Linear(120, 84)
            self.fc3 = nn.Linear(84, 10)

        def forward(self, x):
            x = F.max_pool2d(F.relu(self.conv1(x)), (2, 2))
            x = F.max_pool2d(F.relu(self.conv2(x)), 2)
            x = x.view(-1, int(x.nelement() / x.shape[0]))
            return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))

    lib.manual_seed(0)
    return LeNet()


def test_one_module_of_lenet():
    def program(lib):
        p, model = pruning(lib), lenet(lib)
        module, seen = model.conv1, []
        seen += [list(dict(module.named_parameters())), list(module.named_buffers())]
        p.random_unstructured(module, name="weight", amount=0.3)
        seen += [look(module), [type(hook).__name__ for hook in module._forward_pre_hooks.values()]]
        p.l1_unstructured(module, name="bias", amount=3)
        seen += [look(module), repr(type(module._forward_pre_hooks[max(module._forward_pre_hooks)]).__name__)]
        p.ln_structured(module, name="weight", amount=0.5, n=2, dim=0)
        for hook in module._forward_pre_hooks.values():
            if hook._tensor_name == "weight":
                break
        seen += [look(module), [type(method).__name__ for method in hook], list(model.state_dict())]
        p.remove(module, "weight")
        return [
            *seen,
            look(module),
            plain(module.weight),
            [round(v, 4) for v in model(lib.ones(1, 1, 32, 32))[0].tolist()],
        ]

    same_in_both(program)


def test_all_of_lenet():
    def program(lib):
        p, model = pruning(lib), lenet(lib)
        for _, module in model.named_modules():
            if isinstance(module, lib.nn.Conv2d):
                p.l1_unstructured(module, name="weight", amount=0.2)
            elif isinstance(module, lib.nn.Linear):
                p.l1_unstructured(module, name="weight", amount=0.4)
        names = list(dict(model.named_buffers()))

        model = lenet(lib)
        layers = (model.conv1, model.conv2, model.fc1, model.fc2, model.fc3)
        p.global_unstructured([(layer, "weight") for layer in layers], pruning_method=p.L1Unstructured, amount=0.2)
        sparsity = [100.0 * float(lib.sum(layer.weight == 0)) / float(layer.weight.nelement()) for layer in layers]
        whole = sum(int(lib.sum(layer.weight == 0)) for layer in layers)
        return names, sparsity, whole, sum(layer.weight.nelement() for layer in layers)

    _, _, zeros, count = same_in_both(program)
    assert zeros == round(0.2 * count)


def test_a_method_of_ones_own():
    def program(lib):
        p = pruning(lib)

        class EverySecond(p.BasePruningMethod):
            PRUNING_TYPE = "unstructured"

            def compute_mask(self, t, default_mask):
                mask = default_mask.clone()
                mask.view(-1)[::2] = 0
                return mask

        class Threshold(p.BasePruningMethod):
            PRUNING_TYPE = "unstructured"

            def __init__(self, threshold):
                self.threshold = threshold

            def compute_mask(self, tensor, default_mask):
                return lib.abs(tensor) > self.threshold

        model = lenet(lib)
        EverySecond.apply(model.fc3, "bias")
        seen = [plain(model.fc3.bias_mask)]
        for name in ("weight", "bias"):
            Threshold.apply(model.conv1, name, threshold=0.1)
            EverySecond.apply(model.conv1, name)
        places = [(model.conv1, "weight"), (model.conv2, "bias")]
        seen.append(look(model.conv1))
        p.global_unstructured(places, pruning_method=Threshold, threshold=0.12)
        return [*seen, look(model.conv1), look(model.conv2)]

    same_in_both(program)
