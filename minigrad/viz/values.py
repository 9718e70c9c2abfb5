"""Values in the pictures: everything of `viz` takes the scalar engine's Values as it takes tensors.

A graph of Values is played on 0-dimensional float64 tensors, operation by operation through the same op blocks, and
these are drawn: with the numbers and gradients the Values have now, and their labels as names. The Values themselves
are only read.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Mapping

import minigrad
from minigrad.autograd import Function
from minigrad.autograd.node import extra_of

__all__ = ["takes_values"]


def takes_values(function):
    """Let a function of tensors (and of lists, tuples and dicts of them) take Values in their place."""
    named = "params" in inspect.signature(function).parameters

    @functools.wraps(function)
    def taking(*args, **kwargs):
        engine = sys.modules.get("minigrad.scalar.engine")
        if engine is None:  # then there are no Values
            return function(*args, **kwargs)
        found = [v for given in (*args, *kwargs.values()) for v in _values_in(given, engine.Value)]
        if not found:
            return function(*args, **kwargs)
        stage = _Stage(found)
        args = [stage.replaced(given) for given in args]
        kwargs = {name: stage.replaced(given) for name, given in kwargs.items()}
        if named:
            bound = inspect.signature(function).bind(*args, **kwargs)
            bound.arguments["params"] = stage.pairs(bound.arguments.get("params"))
            return function(*bound.args, **bound.kwargs)
        return function(*args, **kwargs)

    return taking


def _values_in(given, kind):
    if isinstance(given, kind):
        return [given]
    inner = given.values() if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else ()
    return [v for item in inner for v in _values_in(item, kind)]


class _Stage:
    """The tensors that stand for Values: `tensors` is {Value: Tensor}."""

    def __init__(self, values):
        from minigrad.scalar.engine import Number, Value, made_of

        self.kind, self.tensors = Value, {}
        order = made_of(*values)
        leaves = dict.fromkeys(v for node in order for v in node.inputs if not v.inputs)
        leaves |= dict.fromkeys(v for v in values if not v.inputs)
        with minigrad.enable_grad():
            for value in leaves:
                self.tensors[value] = _leaf(value)
            for value in order:
                operands = [
                    v.data if v.op is Number and len(value.inputs) > 1 else self.tensors[v] for v in value.inputs
                ]
                if not any(isinstance(operand, minigrad.Tensor) for operand in operands):
                    operands[0] = self.tensors[value.inputs[0]]
                tensor = self.tensors[value] = _played(value, operands)
                tensor.array[...] = value.data
                if value.grad and tensor.node is not None:
                    extra = extra_of(tensor.node)
                    extra.retain, extra.grad = True, _number(value.grad)

    def replaced(self, given):
        """`given` with its Values replaced."""
        if isinstance(given, self.kind):
            return self.tensors[given]
        if isinstance(given, Mapping):
            return {name: self.replaced(item) for name, item in given.items()}
        if isinstance(given, list | tuple):
            return type(given)([self.replaced(item) for item in given])
        return given

    def pairs(self, params):
        """What is known of the tensors by name: what the user gave, then labels; and of the others the numbers."""
        given = list(params.items()) if isinstance(params, Mapping) else list(params or ())
        given = [pair for pair in given if isinstance(pair[1], minigrad.Tensor)]
        named = {id(tensor) for _, tensor in given}
        return given + [(str(v.label or ""), t) for v, t in self.tensors.items() if id(t) not in named]


def _leaf(value):
    from minigrad.scalar.engine import Number

    tensor = _number(value.data).requires_grad_(value.op is not Number)
    if value.grad and tensor.requires_grad:
        tensor.grad = _number(value.grad)
    return tensor


def _number(number):
    return minigrad.tensor(float(number), dtype=minigrad.float64)


def _played(value, operands):
    """The operation of a Value on tensors."""
    from minigrad.scalar.doors import ScalarOp

    if not isinstance(value.op, ScalarOp):
        return _foreign(value).apply(*operands)
    return value.op.block.function(*operands, *value.attrs)


def _foreign(value):
    """A custom Function for an operation that has no block: one of the user's own, or an element of a tensor."""
    return type(
        str(value.op.sign) or "given",
        (Function,),
        {
            "forward": staticmethod(lambda ctx, *operands: _number(value.data)),
            "backward": staticmethod(lambda ctx, g: tuple(_gradient(p) for p in value.op.parts(value, g.item()))),
        },
    )


def _gradient(part):
    return None if part is None else _number(part)
