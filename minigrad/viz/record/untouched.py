"""Running a model as if it had not run: what `draw_module`, `summary` and `health` do to find out what it does."""

from __future__ import annotations

import contextlib
import copy
import random

import numpy as np

from minigrad.errors import describe
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import is_lazy
from minigrad.random import fork_rng
from minigrad.tensor import Tensor, wrap
from minigrad.trees import tree_map

__all__ = ["checked_module", "fresh", "same_randomness", "untouched"]


def checked_module(model, who) -> Module:
    """The model; TypeError, naming the function `who`, if it is none."""
    if isinstance(model, Module):
        return model
    hint = f"; make one first: {model.__name__}(...)" if isinstance(model, type) else ""
    raise TypeError(f"{who}(): argument 'model' must be a Module, not {describe(model)}{hint}")


@contextlib.contextmanager
def untouched(model):
    """``with untouched(model) as model:`` run it; afterwards it is as it was before the block.

    Restored are buffers (running statistics), the attributes of every module, the weights of embeddings with
    `max_norm` (whose forward writes to them), and the random streams of minigrad, Python and NumPy. What a `forward` of
    the user's does elsewhere (a list it appends to, a file it writes) stays done.  A model with lazy layers is copied.
    """
    with same_randomness():
        if any(is_lazy(tensor) for tensor in (*model.parameters(), *model.buffers())):
            yield copy.deepcopy(model)
            return
        modules = list(model.modules())
        attributes = [(module, dict(module.__dict__)) for module in modules]
        weights = [w for m in modules if getattr(m, "max_norm", None) is not None for w in m._parameters.values()]
        kept = [(weight, weight.array.copy(), _version(weight)) for weight in weights if weight is not None]
        try:
            _copy_buffers(modules)
            yield model
        finally:
            for module, before in attributes:
                module.__dict__.clear()
                module.__dict__.update(before)
            for weight, array, version in kept:
                if weight.vc is not None:
                    np.copyto(weight.array, array)
                    weight.vc.count, weight.vc.time, weight.vc.log = version


def _copy_buffers(modules):
    copies: dict = {}
    for module in modules:
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module.__dict__[name] = copies.setdefault(id(buffer), wrap(buffer.array.copy()))


def _version(tensor):
    return (0, 0, ()) if tensor.vc is None else (tensor.vc.count, tensor.vc.time, tensor.vc.log)


@contextlib.contextmanager
def same_randomness():
    """The random streams of minigrad, NumPy and Python go on afterwards as if nothing had been drawn."""
    # NumPy's old global stream is the one that a model may draw from without being given a generator
    python, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    try:
        with fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpys)  # noqa: NPY002


def fresh(values):
    """A tree of arguments with copies of its tensors, without history: `forward` may write to them."""

    def copied(value):
        if not isinstance(value, Tensor):
            return value
        made = wrap(value.array.copy())
        return made.requires_grad_() if value.requires_grad else made

    return tree_map(copied, values)
