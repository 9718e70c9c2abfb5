"""Test cases made from the op registry: every sample of every public block, on minigrad and on PyTorch.

A case is (name, number of the sample).  `call` runs it on one library: arrays become that library's tensors, floats in
the dtype asked for and requiring grad if asked to.
"""

import numpy as np

import minigrad
from minigrad.autograd.link import FUNCTIONALS, FUNCTIONS, PLACES
from minigrad.registry import COMPOSITES, LINALG, OPS, SPECIAL
from minigrad.samples import Constant, Symmetric


class Maker:
    """Makes a sample's arrays; floats keep a distance from one another and from zero, so that none sits on a kink."""

    def __init__(self, seed=0):
        self.draw = np.random.default_rng(seed)

    def __call__(self, *shape, low=-3.0, high=3.0, kind="f"):
        if kind == "i":
            return self.draw.integers(low, high, shape)
        if kind == "b":
            return np.asarray(self.draw.random(shape) < 0.5)
        count = int(np.prod(shape))
        values = low + (high - low) * (np.arange(count) + 0.5 + self.draw.uniform(-0.2, 0.2, count)) / max(count, 1)
        return self.draw.permutation(values).reshape(shape)


BLOCKS = {name: block for name, block in {**OPS, **COMPOSITES}.items() if block.public and block.samples}


def samples(name):
    return list(BLOCKS[name].samples(Maker()))


CASES = [(name, k) for name in sorted(BLOCKS) for k in range(len(samples(name)))]


def case_id(case):
    return f"{case[0]}-{case[1]}"


def function_of(name):
    """minigrad's function: in minigrad, else in nn.functional, linalg, special, else the Tensor method."""
    for place in (LINALG, SPECIAL):
        if place in BLOCKS[name].public:
            return PLACES[place][name.removeprefix(place + "_")]
    return FUNCTIONS.get(name) or FUNCTIONALS.get(name) or getattr(minigrad.Tensor, name, None) or OPS[name].function


def torch_function_of(torch, name):
    """PyTorch's function of the same name, or None where PyTorch has none (`torch=""` in the block)."""
    known = BLOCKS[name].torch
    if known == "":
        return None
    known = known or name
    if known == "getitem":
        return lambda x, index: x[index]
    for place in (LINALG, SPECIAL):
        if place in BLOCKS[name].public:
            return getattr(getattr(torch, place), known.removeprefix(place + "_"))
    homes = (torch, torch.nn.functional, torch.Tensor)
    for home in homes if "function" in BLOCKS[name].public else homes[1:]:
        if hasattr(home, known):
            return getattr(home, known)
    raise LookupError(f"the block {name!r} names no function of PyTorch: set torch= in the block")


def convert(value, make, dtype, grad, made):
    """A sample's value for one library. `make(array, grad)` makes a tensor; those that want gradients go to `made`."""
    if isinstance(value, np.ndarray):
        is_float = value.dtype.kind == "f"
        wanted = is_float and not isinstance(value, Constant)
        one_triangle = isinstance(value, Symmetric)
        value = np.asarray(value)
        tensor = make(value.astype(dtype) if is_float else value, grad and wanted)
        if grad and wanted:
            made.append(tensor)
        return (tensor + tensor.mT) / 2 if one_triangle else tensor
    if isinstance(value, list) and any(isinstance(v, np.ndarray) for v in value):
        return [convert(v, make, dtype, grad, made) for v in value]
    if isinstance(value, tuple) and any(isinstance(v, np.ndarray) for v in value):
        return tuple(convert(v, make, dtype, grad, made) for v in value)
    return value


def inputs_of(sample, make, dtype="float64", grad=False, dtypes=None):
    """(args, kwargs, tensors that want gradients) of a sample for one library."""
    made = []
    args = tuple(convert(a, make, dtype, grad, made) for a in sample.args)
    kwargs = {k: convert(v, make, dtype, grad, made) for k, v in sample.kwargs.items()}
    if isinstance(kwargs.get("dtype"), str) and dtypes is not None:
        kwargs["dtype"] = getattr(dtypes, kwargs["dtype"])
    return args, kwargs, made


def minigrad_tensor(array, grad=False):
    return minigrad.tensor(array, requires_grad=grad)


def outputs_of(result):
    """The tensors of a result, as a list."""
    return list(result) if isinstance(result, tuple | list) else [result]


def is_differentiable(name, sample):
    """Whether the sample's first output is recorded."""
    args, kwargs, made = inputs_of(sample, minigrad_tensor, grad=True, dtypes=minigrad)
    result = outputs_of(function_of(name)(*args, **kwargs))
    return bool(made) and any(r.requires_grad for r in result)
