"""One number at a time: `Value`, the scalar engine.

It is the array engine with the arrays taken away. What an operation is, is written once, in `minigrad/ops`: `Value`
uses the same blocks, bound to Python's numbers (`registry.py`, the fourth binding). A graph is made of the Values
themselves: each remembers the operation that made it and the Values it was made of, and nothing points back.

    a ──┐                      inputs ◀── made of ── result
        ├─▶ mul ──▶ c          c.op is the block `mul`, c.inputs is (a, b)
    b ──┘

Reading order: this file (what a Value is, and the walk backwards), `doors.py` (how operations come to be), `nn.py`,
`tape.py` (a run replayed), `recording.py` (how a tape is made), `bridge.py` (to tensors and back).
"""

from __future__ import annotations

import numbers

import numpy as np

from minigrad.errors import describe
from minigrad.tensor import Tensor

__all__ = ["Value", "grad"]


class Leaf:
    """The op of a Value that no operation made."""

    name, label, sign = "leaf", "leaf", ""


class Number(Leaf):
    """The op of a Value that was made of a number in an expression."""


class Given:
    """The op of a Value that the user made with `_children`, and of its own `_backward`."""

    name = label = "given"
    crosses = False  # whether gradients leave the Values here, for a tensor

    def __init__(self, sign):
        self.sign = sign

    @staticmethod
    def run(node):
        if node.attrs:
            node.attrs[0]()

    @staticmethod
    def parts(node, g):
        """What the user's `_backward` adds to each input for the gradient `g`; the `grad`s stay as they were."""
        before = [(value, value.grad) for value in {node, *node.inputs}]
        try:
            for operand in node.inputs:
                operand.grad = 0
            node.grad = g
            Given.run(node)
            found = {operand: operand.grad for operand in node.inputs}
        finally:
            for value, grad in before:
                value.grad = grad
        return [found.pop(operand, None) for operand in node.inputs]  # of an input used twice it is the sum, once

    @staticmethod
    def recorded(node, g):
        raise RuntimeError(
            f"grad(create_graph=True): {node!r} has a _backward of its own, which cannot be differentiated again; make "
            "it of Value's operations"
        )


class Value:
    """Value(data, label="") -> Value.  A number that remembers how it was made, so that `backward` finds derivatives.

    data    the number: int or float (numbers of NumPy become Python's), or a one-element tensor, which then gets the
            gradient that arrives here
    grad    what `backward` calls have added up so far: d(result)/d(this), 0 before
    label   a name, for drawings
    op      the operation's block; `inputs` the Values it was given, `attrs` its further numbers

    All pointwise operations of minigrad are methods (``v.tanh()``, ``v.maximum(0)``) and operators. Numbers may stand
    on either side. `_prev`, `_op` and `_backward` are micrograd's (https://github.com/karpathy/micrograd), whose
    programs run here.

    >>> a, b = Value(2.0), Value(-3.0)
    >>> c = (a * b + 10).tanh()
    >>> c.backward()
    >>> a.grad == -3.0 * (1 - c.data**2)
    True
    """

    __slots__ = ("__weakref__", "attrs", "data", "grad", "inputs", "label", "op")
    __array_ufunc__ = None  # a number of NumPy's leaves `np.float64(2) * v` to Value

    def __init__(self, data, _children=(), _op="", label=""):
        self.grad = 0
        self.label = label
        self.attrs = ()
        self.inputs = tuple(_children)
        self.op = Given(_op) if _children or _op else Leaf
        if isinstance(data, Tensor) and data.numel() == 1:
            from minigrad.scalar.bridge import enter

            enter(self, data)
        else:
            self.data = plain(data)

    # ---- what micrograd's programs read ---------------------------------------------------------------------------

    @property
    def _prev(self):
        """The Values it was made of, as a set; a power's exponent, if a number, is no part of it."""
        if self.attrs and self.op.name == "pow":
            return {self.inputs[0]}
        return set(self.inputs)

    @property
    def _op(self) -> str:
        """The operation in a word: ``"+"``, ``"*"``, ``"**2"``, ``"ReLU"``, ``"tanh"``; ``""`` of a leaf."""
        if self.attrs and self.op.name == "pow":
            return f"**{self.attrs[0]}"
        return self.op.sign

    @property
    def _backward(self):
        """A function that adds this Value's `grad`, times the local derivatives, to its inputs' `grad`s."""
        return lambda: self.inputs and self.op.run(self)

    @_backward.setter
    def _backward(self, function):
        if self.op is Leaf or self.op is Number:
            raise AttributeError("_backward: this Value was made of no others; name them: Value(data, _children)")
        if not isinstance(self.op, Given):
            raise AttributeError(f"_backward of a result of {self.op.name!r} is minigrad's own; make a new Value")
        self.attrs = (function,)

    # ---- backwards --------------------------------------------------------------------------------------------------

    def backward(self) -> None:
        """Add d(self)/d(v) to `v.grad` of every Value `v` that self was made of, and 1 to its own.

        The chain rule, from the result back: each operation is met after all that used its result. A loop, so depth is
        no limit. Called again, it adds again, as PyTorch's does (``torch.Tensor.backward``) for leaves.
        """
        add_gradients((self,), (1,))

    # ---- a number ---------------------------------------------------------------------------------------------------

    def __repr__(self):
        return f"Value(data={self.data}, grad={self.grad})"

    def item(self):
        """The number. (PyTorch: torch.Tensor.item)"""
        return self.data

    def detach(self) -> Value:
        """The same number without a history. (PyTorch: torch.Tensor.detach)"""
        return Value(self.data, label=self.label)

    def __float__(self):
        return float(self.data)

    def __int__(self):
        return int(self.data)

    def __bool__(self):
        return self != 0

    def __round__(self, digits=None):
        return round(self.data, digits)

    def __format__(self, spec):
        return format(self.data, spec) if spec else repr(self)

    def __reduce__(self):
        if self.inputs:
            raise TypeError("a Value that was computed cannot be pickled or copied, only leaves; take v.detach()")
        return _leaf_again, (type(self), self.data, self.grad, self.label), getattr(self, "__dict__", None)

    __hash__ = object.__hash__  # by identity, though == compares numbers: as a Tensor's

    def __pos__(self):
        return self


def _leaf_again(kind, data, grad, label):
    """A copied or unpickled leaf; a subclass's `__init__`, which may want other arguments, is not called."""
    value = object.__new__(kind)
    Value.__init__(value, data, label=label)
    value.grad = grad
    return value


def plain(data):
    """A Python number from any kind of real number."""
    if data.__class__ is float or data.__class__ is int:
        return data
    if isinstance(data, Value):
        raise TypeError("Value(): argument 'data' is a Value already; take it as it is, or its .detach()")
    if isinstance(data, np.generic | np.ndarray) and data.size == 1 and data.dtype.kind in "biuf":
        return data.item()
    if isinstance(data, numbers.Real):
        return data + 0 if isinstance(data, int) else float(data)
    raise TypeError(f"Value(): argument 'data' must be a real number, not {describe(data)}")


def made_of(*results):
    """All Values with inputs that the results were made of, each after its inputs; the results come last."""
    order, seen = [], set()
    stack = list(results)
    push, pop, enter = stack.append, stack.pop, seen.add
    while stack:
        node = pop()
        if node is None:  # what comes next has all its inputs in the order
            order.append(pop())
        elif node.inputs and node not in seen:
            enter(node)
            push(node)
            push(None)
            stack.extend(node.inputs)
    return order


def add_gradients(results, grads):
    """One backward pass: from the gradients of several results to all they were made of."""
    order = made_of(*results)
    earlier = [(node, node.grad) for node in order if node.grad]  # a pass hands on its own gradients only
    for node, _ in earlier:
        node.grad = 0
    for result, g in zip(results, grads, strict=True):
        result.grad = result.grad + g if result.grad else g
    try:
        if any([node.op.crosses for node in order if node.attrs]):
            from minigrad.scalar.bridge import crossing

            crossing(lambda: walk(order))
        else:
            walk(order)
    finally:
        for node, grad in earlier:
            node.grad += grad


def walk(order):
    """From the last Value to the first: each hands its gradient on."""
    for node in reversed(order):
        node.op.run(node)


def grad(output, inputs, grad_output=1, *, create_graph=False, allow_unused=False):
    """grad(output, inputs, grad_output=1, *, create_graph=False, allow_unused=False) -> tuple

    d(output)/d(input) of each of `inputs` (a Value, or a sequence of them), times `grad_output`; no `.grad` is changed.
    With create_graph=True the derivatives are Values with a history of their own, so that they can be differentiated
    again; else numbers. An input that output was not made of is a RuntimeError, or None with allow_unused=True.
    (PyTorch: torch.autograd.grad)
    """
    if not isinstance(inputs, Value | list | tuple):
        raise TypeError(f"grad(): argument 'inputs' must be a Value or a sequence of Values, not {describe(inputs)}")
    wanted = (inputs,) if isinstance(inputs, Value) else tuple(inputs)
    for value in (output, *wanted):
        if not isinstance(value, Value):
            raise TypeError(f"grad(): expected Values, got {describe(value)}")
    if not isinstance(grad_output, Value):
        grad_output = Value(plain(grad_output)) if create_graph else plain(grad_output)
    elif not create_graph:
        grad_output = grad_output.data
    order = made_of(output)
    reached = {node for known in order for node in (known, *known.inputs)} | {output}
    for position, value in enumerate(wanted):
        if value not in reached and not allow_unused:
            raise RuntimeError(
                f"grad(): input {position}, {value!r}, was not used to make the output; set allow_unused=True for None"
            )
    found = {output: grad_output}
    for node in reversed(order):
        g = found.get(node)
        if g is None:
            continue
        parts = node.op.recorded(node, g) if create_graph else node.op.parts(node, g)
        for operand, part in zip(node.inputs, parts, strict=True):
            if part is not None:
                part = Value(part) if create_graph and not isinstance(part, Value) else part
                found[operand] = found[operand] + part if operand in found else part
    nothing = Value(0) if create_graph else 0
    return tuple([found.get(value, nothing if value in reached else None) for value in wanted])
