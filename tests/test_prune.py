"""nn.utils.prune against PyTorch: the masks of all methods, one after another, of several parameters; errors."""

import math

import numpy as np
import pytest
from prune_look import LIBRARIES, conv, filled, linear, look, numbers, plain, pruning, same_in_both, two_layers

import minigrad
from minigrad.nn.utils import prune

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("torch.nn.utils.prune")

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
    "a parameter of a layer within": lambda lib, p: p.l1_unstructured(two_layers(lib), "0.weight", 1),
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
    "global of modules": lambda lib, p: p.global_unstructured([linear(lib)], p.L1Unstructured, amount=1),
    "global of a wrong name": lambda lib, p: p.global_unstructured([(linear(lib), "w")], p.L1Unstructured, amount=1),
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
    with pytest.raises(Exception) as expected:  # noqa: PT011  (the type is what is asked)
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


def test_a_vector_has_no_channels_the_second_time_either():
    module = prune.l1_unstructured(linear(minigrad), "bias", 1)
    before = look(module)
    for again in (prune.random_structured, lambda *args: prune.ln_structured(*args[:3], n=2, dim=0)):
        with pytest.raises(ValueError, match="no channels"):  # PyTorch prunes all of it, or none
            again(module, "bias", 1, 0)
        assert look(module) == before


def test_two_hooks_for_one_parameter_are_refused():
    for lib in LIBRARIES:
        module = pruning(lib).identity(linear(lib), "weight")
        (hook,) = module._forward_pre_hooks.values()
        module.register_forward_pre_hook(hook)
        with pytest.raises(AssertionError, match="PruningContainer"):
            pruning(lib).identity(module, "weight")
