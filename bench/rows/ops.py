"""A row for every op, made from its block alone: the block's first sample, run in both libraries.

Samples are as small as tests like them, so these rows show overhead.  Pointwise ops, whose samples may be widened
without changing their meaning, are shown at a size where the arithmetic counts, too.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.row import TORCH, NoTwinError, Row
from bench.rows.make import both_ways, leaf
from bench.timing import Work

WIDER = 25_000  # times the last axis: (3, 4) becomes (3, 100000)
MANY = {"f": np.float32, "i": np.int64, "b": np.bool_}


class Maker:
    """What a block's `samples` asks for its arrays: see minigrad/samples.py."""

    def __init__(self, wider=1):
        self.wider = wider
        self.draws = np.random.default_rng(0)

    def __call__(self, *shape, low=-3.0, high=3.0, kind="f"):
        if shape and shape[-1] > 1:  # an axis of one is there to be broadcast
            shape = (*shape[:-1], shape[-1] * self.wider)
        if kind == "f":
            return self.draws.uniform(low, high, shape).astype(np.float32)
        low, high = (0, 2) if kind == "b" else (int(low), int(high))
        return np.asarray(self.draws.integers(low, high, shape)).astype(MANY[kind])


def public(lib, block, name):
    """The block's function in a library: where the block says it is known, under PyTorch's name."""
    if lib.__name__ == TORCH:
        name = (block.torch or name).removeprefix("torch.")
    homes = {"function": lib, "functional": lib.nn.functional, "method": lib.Tensor}
    for where in block.public:
        place = where in ("linalg", "special")  # blocks are called linalg_X, special_X there
        found = getattr(lib, where) if place else homes.get(where)
        for part in (name.removeprefix(where + "_") if place else name).split("."):
            found = getattr(found, part, None)
        if found is not None:
            return found
    raise NoTwinError(f"{lib.__name__} has no {name}, which its block says is one of {block.public}")


def first_sample(block, wider):
    """The block's first sample, the arrays that it gives itself in float32 too."""
    sample = next(iter(block.samples(Maker(wider))))
    return sample._replace(args=single(sample.args), kwargs={k: single(v) for k, v in sample.kwargs.items()})


def single(value):
    if isinstance(value, np.ndarray) and value.dtype.kind == "f":
        return np.asanyarray(value, np.float32)
    return type(value)(map(single, value)) if type(value) in (list, tuple) else value


def wants_gradient(value):
    """Whether an argument is an array of floats, and not one that the sample calls `constant`."""
    return type(value) is np.ndarray and value.dtype.kind == "f"


def to_tensors(lib, value):
    """`value` with every array in it made a tensor."""
    if isinstance(value, np.ndarray):
        return lib.tensor(value)
    if isinstance(value, (list, tuple)):
        return type(value)(to_tensors(lib, each) for each in value)
    return value


def forward(block, name, wider, lib):
    """The op on tensors without history. Random ops start from the same seed on every side."""
    function, sample = public(lib, block, name), first_sample(block, wider)
    args = [to_tensors(lib, arg) for arg in sample.args]
    kwargs = {key: to_tensors(lib, value) for key, value in sample.kwargs.items()}
    lib.manual_seed(0)
    return lambda: function(*args, **kwargs)


def backward(block, name, wider, lib) -> Work:
    """Forward and backward to every floating argument that stands by itself."""
    function, sample = public(lib, block, name), first_sample(block, wider)
    floats = [k for k, arg in enumerate(sample.args) if wants_gradient(arg)]
    args = [to_tensors(lib, arg) for arg in sample.args]
    kwargs = {key: to_tensors(lib, value) for key, value in sample.kwargs.items()}

    def differentiable(*leaves):
        for place, each in zip(floats, leaves, strict=True):
            args[place] = each
        out = function(*args, **kwargs)
        return out[0] if isinstance(out, (tuple, list)) else out

    lib.manual_seed(0)
    return both_ways(lib, differentiable, *(sample.args[k] for k in floats))


def has_gradient(block, name, lib):
    """Whether the op's first output, on its first sample, has a gradient to send back."""
    sample = first_sample(block, 1)
    if not any(map(wants_gradient, sample.args)):
        return False
    if hasattr(block, "rules"):
        return bool(block.rules)
    args = [leaf(lib, arg) if wants_gradient(arg) else arg for arg in sample.args]
    kwargs = {key: to_tensors(lib, value) for key, value in sample.kwargs.items()}
    out = public(lib, block, name)(*to_tensors(lib, args), **kwargs)  # a composite: that of its parts
    return getattr(out[0] if isinstance(out, (tuple, list)) else out, "requires_grad", False)


def rows() -> list[Row]:
    import minigrad
    from minigrad.registry import COMPOSITES, OPS

    found = []
    for name, block in sorted({**OPS, **COMPOSITES}.items()):
        if block.samples is None or not block.public:
            continue
        passes = [("forward", forward)] + (
            [("forward+backward", backward)] if has_gradient(block, name, minigrad) else []
        )
        for wider in (1, WIDER) if getattr(block, "pointwise", False) else (1,):
            size = "large" if wider > 1 else "small"
            found += [Row(f"op/{name} {size} {label}", partial(make, block, name, wider)) for label, make in passes]
    return found
