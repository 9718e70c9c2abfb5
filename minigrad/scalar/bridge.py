"""From tensors to Values and back, with the gradient crossing.

    Tensor ──t[i]──▶ Value(t[i]) ──▶ operations of Values ──▶ stack([v, ...]) ──▶ Tensor

`Value(t)` of a one-element tensor that requires grad is a Value that hands its gradient on to `t`; `stack` makes a
tensor whose backward is a backward of the Values. Each crossing is one pass of what arrived there, and passes add up,
so a program may cross in as many places as it likes. Crossings one behind the other are passes within passes: after a
hundred or two Python's recursion limit is reached (RecursionError).
"""

from __future__ import annotations

import contextvars

import numpy as np

import minigrad
from minigrad.autograd import Function
from minigrad.errors import describe
from minigrad.scalar.doors import operand
from minigrad.scalar.engine import Number, Value, add_gradients, plain

__all__ = ["enter", "stack"]

_waiting: contextvars.ContextVar = contextvars.ContextVar("minigrad_scalar_waiting", default=None)


class FromTensor:
    """The op of a Value that was an element of a tensor: its one input is an anchor, `attrs` holds the tensor."""

    name = label = "from_tensor"
    sign, crosses = "tensor", True

    @staticmethod
    def run(node):
        _waiting.get().append((node.attrs[0], node.grad))

    @staticmethod
    def parts(node, g):
        return [None]

    recorded = parts


def enter(value, tensor):
    """Make a new Value one that stands for a one-element tensor."""
    value.data = plain(tensor.item())
    if tensor.requires_grad and minigrad.is_grad_enabled():
        value.op, value.inputs, value.attrs = FromTensor, (Value(0),), (tensor,)


def crossing(walk):
    """Run `walk()`, then hand what arrived at tensors on to them: all at once, so that a shared graph is walked once.
    It is kept, as the pass that this one may be a part of could need it."""
    token = _waiting.set([])
    try:
        walk()
        arrived = _waiting.get()
    finally:
        _waiting.reset(token)
    if arrived:
        tensors = [tensor for tensor, _ in arrived]
        grads = [tensor.new_full(tensor.shape, g) for tensor, g in arrived]
        minigrad.autograd.backward(tensors, grads, retain_graph=True)


class _Stack(Function):
    @staticmethod
    def forward(ctx, anchor, values, array):
        ctx.values = values
        return minigrad.from_numpy(array)

    @staticmethod
    def backward(ctx, grad):
        add_gradients(ctx.values, grad.reshape(-1).tolist())
        return None, None, None


def stack(values, dtype=None):
    """stack(values, dtype=None) -> Tensor.  A tensor of Values: of a list [n], of lists of lists [n, m], of one [].

    Its gradient goes back to the Values. dtype: of the tensor; the default float type if None. Numbers may stand
    among them. Raises TypeError for anything else, ValueError for lists of unlike lengths.
    """
    nested = np.array(values, dtype=object)
    flat = [v if isinstance(v, Value) else _number(v) for v in nested.ravel().tolist()]
    dtype = minigrad.get_default_dtype() if dtype is None else dtype
    array = np.array([float(v) for v in flat], np.float64).reshape(nested.shape)
    plain = minigrad.from_numpy(array).to(dtype)
    anchor = minigrad.zeros((), dtype=dtype, requires_grad=any(v.op is not Number for v in flat))
    return _Stack.apply(anchor, flat, plain.array)


def _number(v):
    if isinstance(v, list | tuple | np.ndarray):
        raise ValueError("stack(): argument 'values': the lists are of unlike lengths")
    value = operand(v)
    if value is None:
        raise TypeError(f"stack(): argument 'values' must hold Values and numbers, not {describe(v)}")
    return value
