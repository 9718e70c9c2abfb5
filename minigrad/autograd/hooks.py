"""Calling the hooks that hang on nodes, in PyTorch's order.

Used by `engine.py` alone.  For each node: the hooks of the tensor (which may change its gradient; the gradient asked
for by `retain_grad` is taken after them), the hooks before the node, its rule, the hooks behind it.  `enter` makes a
tensor of what the walk holds and `leave` undoes that: the plain walk holds arrays, the recorded one tensors.
"""

from __future__ import annotations

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap


def same(x):
    return x


def array(tensor):
    return tensor.array


def fire(node, g, enter, leave):
    """Run the hooks of a node, and keep its gradient if that was asked for."""
    extra = node.extra
    if isinstance(g, list):
        return g
    if extra.hooks:
        g = enter(np.asarray(g) if enter is wrap else g)
        for hook in tuple(extra.hooks.values()):
            new = hook(g)
            if new is None:
                continue
            if not isinstance(new, Tensor):
                raise TypeError(f"hook {hook!r} should return None or a Tensor, but returned {type(new).__name__}")
            if new.array.dtype != g.array.dtype:
                raise RuntimeError(f"hook {hook!r} has changed the type of value (was {g.dtype!r} got {new.dtype!r})")
            if new._shape != g._shape:
                raise RuntimeError(
                    f"hook {hook!r} has changed the size of value: the gradient had shape {shape_text(g._shape)}, "
                    f"the hook returned {shape_text(new._shape)}"
                )
            g = new
        g = leave(g)
    if extra.retain:
        kept = wrap(np.array(g)) if leave is array else g
        extra.grad = kept if extra.grad is None else TENSORS["add"](extra.grad, kept)
    return g


def before(node, g, enter, leave):
    """Run the hooks that want the gradients of all the node's outputs; they may replace them."""
    several = isinstance(g, list)
    grads = _entered(g if several else [g], enter)
    for hook in tuple(node.extra.before.values()):
        grads = _replaced(hook, hook(grads), grads)
    left = [None if each is None else leave(each) for each in grads]
    return left if several else left[0]


def behind(node, grads, g, enter, leave):
    """Run the hooks that come after the node; they may replace the gradients that it passes on."""
    outer = _entered(g if isinstance(g, list) else [g], enter) + (None,) * (getattr(node.op, "nout", 1) - 1)
    inner = _entered([None if p is None else x for p, x in zip(node.parents, grads, strict=True)], enter)
    for hook in tuple(node.extra.behind.values()):
        inner = _replaced(hook, hook(inner, outer), inner)
    if leave is array:  # copies: a hook may have kept what it was given, or returned what it keeps
        return [None if each is None else np.array(each.array) for each in inner]
    return inner


def _entered(grads, enter):
    """Gradients as the tensors that hooks are given."""
    if enter is wrap:
        return tuple([None if g is None else wrap(np.asarray(g)) for g in grads])
    return tuple(grads)


def _replaced(hook, new, old):
    """What a hook of a node returned, checked, or what it was given if it returned nothing."""
    if new is None:
        return old
    new = new if isinstance(new, tuple) else (new,)
    if len(new) != len(old):
        raise RuntimeError(
            f"hook {hook!r} returned an incorrect number of values (got {len(new)}, expected {len(old)})"
        )
    for a, b in zip(new, old, strict=True):
        if not (a is None or isinstance(a, Tensor)):
            raise TypeError(f"hook {hook!r} should return Tensors or None, but returned {type(a).__name__}")
        if a is not None and b is not None and (a._shape != b._shape or a.array.dtype != b.array.dtype):
            raise RuntimeError(
                f"hook {hook!r} has changed the size or type of value: it was given {shape_text(b._shape)} of "
                f"{b.dtype!r}, and returned {shape_text(a._shape)} of {a.dtype!r}"
            )
    return new


def after(leaf):
    if leaf.extra is not None and leaf.extra.after:
        tensor = leaf.tensor()
        for hook in tuple(leaf.extra.after.values()):
            hook(tensor)
