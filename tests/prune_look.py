"""What the tests of nn.utils.prune look at: all that pruning changes of a module, of both libraries."""

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


def two_layers(lib):
    return filled(lib, lib.nn.Sequential(lib.nn.Linear(6, 4), lib.nn.ReLU(), lib.nn.Linear(4, 3)))
