"""nn.utils.prune against PyTorch: masks, names, hooks, gradients, files, errors; the tutorial's programs in both."""

import copy
import io
import math
import pickle

import numpy as np
import pytest

import minigrad
from minigrad.nn.utils import prune

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.nn.utils.prune")
LIBRARIES = (minigrad, torch)


def pruning(lib):
    return prune if lib is minigrad else theirs


def plain(value):
    """A tensor as (dtype, shape, list), the same of both libraries."""
    return str(value.dtype).split(".")[-1], tuple(value.shape), value.detach().tolist()


def look(module):
    """All that pruning changes of a module and what is in it."""
    return {
        "parameters": [(name, plain(p)) for name, p in module.named_parameters()],
        "buffers": [(name, plain(b)) for name, b in module.named_buffers()],
        "state": list(module.state_dict()),
        "hooks": [
            (
                path,
                type(hook).__name__,
                hook._tensor_name,
                [type(h).__name__ for h in getattr(hook, "_pruning_methods", ())],
            )
            for path, each in module.named_modules()
            for hook in each._forward_pre_hooks.values()
        ],
        "pruned": [
            (f"{path}.{hook._tensor_name}", plain(getattr(each, hook._tensor_name)))
            for path, each in module.named_modules()
            for hook in each._forward_pre_hooks.values()
        ],
    }


def same_in_both(program, *args):
    ours, theirs = (program(lib, *args) for lib in LIBRARIES)
    assert ours == theirs
    return ours


def filled(lib, module, seed=0):
    """The module with the same parameters in both libraries."""
    rng = np.random.default_rng(seed)
    for p in module.parameters():
        p.data = lib.from_numpy(rng.standard_normal(tuple(p.shape)).astype("float32"))
    return module


def linear(lib):
    return filled(lib, lib.nn.Linear(6, 5))


def conv(lib):
    return filled(lib, lib.nn.Conv2d(4, 6, (3, 2)))


def numbers(lib, *shape, seed=7):
    return lib.from_numpy(np.random.default_rng(seed).standard_normal(shape).astype("float32"))


# ---- one method ------------------------------------------------------------------------------------------------------

AMOUNTS = [0, 1, 3, 0.0, 0.3, 0.5, 0.75, 1.0]
NORMS = [1, 2, 3, 0, 0.5, math.inf, -math.inf, "fro"]


@pytest.mark.parametrize("name", ["weight", "bias"])
@pytest.mark.parametrize("make", [linear, conv])
@pytest.mark.parametrize("amount", [*AMOUNTS, 5])
@pytest.mark.parametrize("kind", ["random", "l1"])
def test_unstructured(kind, amount, make, name):
    def program(lib, seed):
        module = make(lib)
        lib.manual_seed(seed)
        returned = getattr(pruning(lib), f"{kind}_unstructured")(module, name, amount)
        assert returned is module
        return look(module), lib.rand(2).tolist()  # and the stream stands at the same place afterwards

    for seed in range(3):
        seen, _ = same_in_both(program, seed)
    mask = np.array(dict(seen["buffers"])[f"{name}_mask"][2])
    assert (mask == 0).sum() == (amount if isinstance(amount, int) else round(amount * mask.size))


@pytest.mark.parametrize("dim", [0, 1, -1, -2])
@pytest.mark.parametrize("make", [linear, conv])
@pytest.mark.parametrize("amount", AMOUNTS)
def test_random_structured(amount, make, dim):
    def program(lib, seed):
        module = make(lib)
        lib.manual_seed(seed)
        pruning(lib).random_structured(module, "weight", amount, dim)
        return look(module), lib.rand(2).tolist()

    if make is conv and dim == -1 and amount == 3:  # there are two
        with pytest.raises(ValueError, match="the 2 that are left"):
            program(minigrad, 0)
        return
    for seed in range(3):
        same_in_both(program, seed)


@pytest.mark.parametrize("dim", [0, 1, -1])
@pytest.mark.parametrize("n", NORMS)
@pytest.mark.parametrize("amount", [0, 1, 2, 0.3, 1.0])
def test_ln_structured(amount, n, dim):
    def program(lib, make):
        module = make(lib)
        pruning(lib).ln_structured(module, "weight", amount, n=n, dim=dim)
        return look(module)

    same_in_both(program, linear)
    if n != "fro":  # of two dimensions at most
        same_in_both(program, conv)


def test_the_nuclear_norm_is_of_the_two_other_dimensions():
    def program(lib):
        module = filled(lib, lib.nn.Conv1d(4, 6, 3))
        pruning(lib).ln_structured(module, "weight", 2, n="nuc", dim=0)
        return look(module)

    same_in_both(program)


@pytest.mark.parametrize("values", [[0.0] * 8, [1.0, -1, 1, 0, 0, -1, 1, 1], [3.0, 2, 2, 2, -2, -2, 1, 2]])
@pytest.mark.parametrize("amount", range(9))
def test_of_numbers_of_one_size_the_same_are_pruned(amount, values):
    def program(lib):
        module = lib.nn.Linear(8, 1)
        module.weight.data = lib.tensor([values])
        pruning(lib).l1_unstructured(module, "weight", amount)
        return plain(module.weight_mask)

    same_in_both(program)


def test_identity_and_masks():
    def program(lib):
        seen = []
        for mask in (lib.tensor([0, 1, 1, 0, 1]), lib.tensor([True, False, True, True, True]), lib.zeros(5)):
            module = pruning(lib).custom_from_mask(linear(lib), "bias", mask)
            seen.append(look(module))
            seen.append(look(pruning(lib).identity(module, "weight")))
        return seen

    same_in_both(program)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_other_dtypes(dtype):
    def program(lib):
        module = linear(lib).to(getattr(lib, dtype))
        lib.manual_seed(3)
        p = pruning(lib)
        p.l1_unstructured(p.random_unstructured(p.ln_structured(module, "weight", 1, 2, 0), "weight", 4), "bias", 2)
        return look(p.random_structured(module, "weight", 2, 1))

    same_in_both(program)


def test_importance_scores():
    def program(lib):
        p, module = pruning(lib), linear(lib)
        p.l1_unstructured(module, "weight", 7, importance_scores=numbers(lib, 5, 6))
        p.l1_unstructured(module, "weight", 0.25, importance_scores=numbers(lib, 5, 6, seed=8))
        p.ln_structured(module, "weight", 1, 2, dim=0, importance_scores=numbers(lib, 5, 6, seed=9))
        p.L1Unstructured.apply(module, "bias", 2, importance_scores=-numbers(lib, 5))
        return look(module)

    same_in_both(program)


def test_prune_without_a_module():
    def program(lib):
        p, t = pruning(lib), numbers(lib, 4, 5)
        earlier = (numbers(lib, 4, 5, seed=1) > 0).float()
        lib.manual_seed(1)
        return [
            plain(method.prune(t, **given))
            for method in (
                p.Identity(), p.L1Unstructured(0.4), p.RandomUnstructured(3), p.RandomStructured(2, 0),
                p.LnStructured(1, 1, 1), p.CustomFromMask(earlier),
            )
            for given in ({}, {"default_mask": earlier}, {"importance_scores": numbers(lib, 4, 5, seed=2)})
        ]  # fmt: skip

    same_in_both(program)


# ---- several, one after the other ------------------------------------------------------------------------------------

STEPS = {
    "random": lambda p, m, lib: p.random_unstructured(m, "weight", 0.3),
    "l1": lambda p, m, lib: p.l1_unstructured(m, "weight", 2),
    "channels": lambda p, m, lib: p.random_structured(m, "weight", 1, 1),
    "rows": lambda p, m, lib: p.ln_structured(m, "weight", 0.3, 2, 0),
    "mask": lambda p, m, lib: p.custom_from_mask(m, "weight", (numbers(lib, *m.weight.shape) > -0.5).float()),
    "identity": lambda p, m, lib: p.identity(m, "weight"),
}


@pytest.mark.parametrize("make", [linear, conv])
@pytest.mark.parametrize("first", STEPS)
@pytest.mark.parametrize("second", STEPS)
def test_iterative_pruning(first, second, make):
    def program(lib):
        module, p, seen = make(lib), pruning(lib), []
        lib.manual_seed(11)
        for step in (first, second, first, "l1"):
            STEPS[step](p, module, lib)
            seen.append(look(module))
        (container,) = module._forward_pre_hooks.values()
        methods = [type(method).__name__ for method in container]
        assert (len(container), type(container[-1]).__name__, methods[-1]) == (4, "L1Unstructured", "L1Unstructured")
        return seen, methods

    same_in_both(program)


def test_a_container_by_hand():
    def program(lib):
        p = pruning(lib)
        container = p.PruningContainer()
        container._tensor_name = "weight"
        for method in (p.L1Unstructured(2), p.RandomStructured(1, dim=0)):
            method._tensor_name = "weight"
            container.add_pruning_method(method)
        lib.manual_seed(0)
        mask = lib.ones(3, 4)
        mask[1] = 0
        return plain(container.compute_mask(numbers(lib, 3, 4), default_mask=mask)), len(container)

    same_in_both(program)


def test_a_containers_methods_have_one_name():
    one, two = prune.L1Unstructured(1), prune.L1Unstructured(2)
    one._tensor_name, two._tensor_name = "weight", "bias"
    container = prune.PruningContainer(one)
    for lib in LIBRARIES:
        p = pruning(lib)
        methods = p.L1Unstructured(1), p.L1Unstructured(2)
        for method, name in zip(methods, ("weight", "bias"), strict=True):
            method._tensor_name = name
        container = p.PruningContainer(methods[0])
        with pytest.raises(ValueError, match="bias"):
            container.add_pruning_method(methods[1])
        with pytest.raises(TypeError):
            container.add_pruning_method(10)
        with pytest.raises(AttributeError):
            p.PruningContainer(p.L1Unstructured(1))
        assert list(container) == [methods[0]]


# ---- global ----------------------------------------------------------------------------------------------------------


def two_layers(lib):
    return filled(lib, lib.nn.Sequential(lib.nn.Linear(6, 4), lib.nn.ReLU(), lib.nn.Linear(4, 3)))


@pytest.mark.parametrize("amount", [0, 10, 0.2, 0.8])
@pytest.mark.parametrize("kind", ["L1Unstructured", "RandomUnstructured"])
def test_global_unstructured(kind, amount):
    def program(lib):
        p, net = pruning(lib), two_layers(lib)
        places = [(net[0], "weight"), (net[2], "weight"), (net[2], "bias")]
        lib.manual_seed(5)
        seen = []
        for given in ({}, {"importance_scores": {(net[2], "weight"): numbers(lib, 3, 4)}}):
            p.global_unstructured(places, pruning_method=getattr(p, kind), amount=amount, **given)
            seen.append(look(net))
        return seen

    if amount == 0 and kind == "L1Unstructured":
        assert same_in_both(program)[0]["buffers"]
    else:
        zeros = [
            value for _, (_, _, values) in same_in_both(program)[0]["buffers"] for value in np.ravel(values).tolist()
        ]
        assert zeros.count(0.0) == (amount if isinstance(amount, int) else round(amount * 39))


def test_global_unstructured_takes_a_generator():
    net, twin = two_layers(minigrad), two_layers(minigrad)
    prune.global_unstructured(((net[i], "weight") for i in (0, 2)), prune.L1Unstructured, amount=9)
    prune.global_unstructured([(twin[i], "weight") for i in (0, 2)], prune.L1Unstructured, amount=9)
    assert look(net) == look(twin)


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


# ---- errors ----------------------------------------------------------------------------------------------------------


def with_type(lib, kind):
    def compute_mask(self, t, default_mask):
        return default_mask

    return type("Own", (pruning(lib).BasePruningMethod,), {"PRUNING_TYPE": kind, "compute_mask": compute_mask})


def again(lib, kind):
    return with_type(lib, kind).apply(pruning(lib).identity(linear(lib), "weight"), "weight")


ERRORS = {
    "abstract": lambda lib, p: p.BasePruningMethod(),
    "amount of text": lambda lib, p: p.l1_unstructured(linear(lib), "weight", "all"),
    "amount of None": lambda lib, p: p.RandomUnstructured(None),
    "amount -1": lambda lib, p: p.RandomUnstructured(-1),
    "amount -0.1": lambda lib, p: p.LnStructured(-0.1, 2),
    "amount 1.1": lambda lib, p: p.RandomStructured(1.1),
    "amount nan": lambda lib, p: p.l1_unstructured(linear(lib), "weight", math.nan),
    "too many numbers": lambda lib, p: p.l1_unstructured(linear(lib), "weight", 31),
    "too many of the random": lambda lib, p: p.random_unstructured(linear(lib), "weight", 31),
    "too many channels": lambda lib, p: p.ln_structured(linear(lib), "weight", 6, 2, 0),
    "too many random channels": lambda lib, p: p.random_structured(linear(lib), "weight", 6, 0),
    "too many the second time": lambda lib, p: p.l1_unstructured(
        p.l1_unstructured(linear(lib), "weight", 16), "weight", 16
    ),
    "channels of a vector": lambda lib, p: p.ln_structured(linear(lib), "bias", 1, 2, 0),
    "random channels of a vector": lambda lib, p: p.random_structured(linear(lib), "bias", 1, 0),
    "dim 2": lambda lib, p: p.ln_structured(linear(lib), "weight", 1, 2, 2),
    "dim -3": lambda lib, p: p.random_structured(linear(lib), "weight", 1, -3),
    "dim 2 the second time": lambda lib, p: p.ln_structured(p.identity(linear(lib), "weight"), "weight", 1, 2, 2),
    "dim -3 the second time": lambda lib, p: p.ln_structured(p.identity(linear(lib), "weight"), "weight", 1, 2, -3),
    "the Frobenius norm of three dimensions": lambda lib, p: p.ln_structured(conv(lib), "weight", 1, "fro", 0),
    "no such parameter": lambda lib, p: p.l1_unstructured(linear(lib), "wieght", 1),
    "a parameter that is None": lambda lib, p: p.identity(lib.nn.Linear(2, 2, bias=False), "bias"),
    "a buffer": lambda lib, p: p.identity(lib.nn.BatchNorm1d(2), "running_mean"),
    "scores of another shape": lambda lib, p: p.l1_unstructured(linear(lib), "weight", 1, lib.ones(6, 5)),
    "scores of prune": lambda lib, p: p.L1Unstructured(1).prune(lib.ones(3), importance_scores=lib.ones(4)),
    "mask of another shape": lambda lib, p: p.custom_from_mask(linear(lib), "weight", lib.ones(5)),
    "remove what is not pruned": lambda lib, p: p.remove(linear(lib), "weight"),
    "remove of a method that did nothing": lambda lib, p: p.Identity().remove(linear(lib)),
    "a type that is none": lambda lib, p: again(lib, "some"),
    "structured without dim": lambda lib, p: again(lib, "structured"),
    "global of a number": lambda lib, p: p.global_unstructured(3, p.L1Unstructured, amount=1),
    "global of nothing": lambda lib, p: p.global_unstructured([], p.L1Unstructured, amount=1),
    "global scores in a list": lambda lib, p: p.global_unstructured(
        [(linear(lib), "weight")], p.L1Unstructured, [lib.ones(5, 6)], amount=1
    ),
    "global channels": lambda lib, p: p.global_unstructured(
        [(linear(lib), "weight")], p.LnStructured, amount=1, n=2
    ),
    "global without amount": lambda lib, p: p.global_unstructured([(linear(lib), "weight")], p.L1Unstructured),
}  # fmt: skip


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_are_of_pytorchs_kind(wrong):
    with pytest.raises(Exception) as expected:  # noqa: PT011
        ERRORS[wrong](torch, theirs)
    with pytest.raises(expected.type) as ours:
        ERRORS[wrong](minigrad, prune)
    assert ours.type is expected.type
    assert len(str(ours.value)) > 20


class Wrong(prune.BasePruningMethod):
    PRUNING_TYPE = "unstructured"

    def __init__(self, mask):
        self.mask = mask

    def compute_mask(self, t, default_mask):
        return self.mask


@pytest.mark.parametrize(
    ("mask", "error"), [(None, TypeError), (minigrad.ones(4, 6), RuntimeError), (minigrad.ones(2, 5, 6), RuntimeError)]
)
def test_a_method_of_ones_own_is_told_what_is_wrong_with_its_mask(mask, error):
    with pytest.raises(error, match=r"Wrong\.compute_mask returned"):
        Wrong.apply(linear(minigrad), "weight", mask)


def test_what_fails_changes_nothing():
    module = linear(minigrad)
    before = look(module)
    for wrong in (
        lambda: prune.l1_unstructured(module, "weight", 31),
        lambda: prune.ln_structured(module, "weight", 1, "no", 0),
    ):
        with pytest.raises((ValueError, RuntimeError)):
            wrong()
        assert look(module) == before
    prune.l1_unstructured(module, "weight", 16)
    before = look(module)
    for amount in (16, 1.5, -1):
        with pytest.raises(ValueError, match="amount"):
            prune.l1_unstructured(module, "weight", amount)
        assert look(module) == before
    assert prune.is_pruned(module)


def test_two_hooks_for_one_parameter_are_refused():
    for lib in LIBRARIES:
        module = pruning(lib).identity(linear(lib), "weight")
        (hook,) = module._forward_pre_hooks.values()
        module.register_forward_pre_hook(hook)
        with pytest.raises(AssertionError, match="PruningContainer"):
            pruning(lib).identity(module, "weight")


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
