"""Running a program on tensors that write down what is done with them.

A `Symbol` has a value (the example's) and a name in the graph. Its `.array` shows dtype and shape only, so every op
comes to `Shown.apply` by the way that `vmap` has made for such tensors (`minigrad/batched.py`): there the op is
computed on the values, and the function of its name in `table.py` writes it down as nodes of ONNX. What has no symbol
among its inputs is an ordinary tensor, and becomes a constant where a symbol meets it.
"""

from __future__ import annotations

import numpy as np

from minigrad.autograd.door import direct
from minigrad.autograd.general import Unseen
from minigrad.batched import Hidden
from minigrad.tensor import Tensor

__all__ = ["Graph", "Node", "Symbol", "behind"]


class Node:
    """One operation of the graph: its kind, names of inputs and outputs, attributes."""

    def __init__(self, kind, inputs, outputs, attrs, layer):
        self.kind, self.inputs, self.outputs, self.attrs, self.layer = kind, inputs, outputs, attrs, layer


class Graph:
    """What has been written down. names: {id of an array: name} of parameters and buffers."""

    def __init__(self, table, names):
        self.table, self.names = table, dict(names)
        self.nodes, self.constants, self.shapes = [], {}, set()
        self.layers = [""]  # the names of the modules that are running
        self.alive = []  # arrays that have a name, so that no id is given twice

    # ---- what table.py writes with

    def add(self, kind, inputs, outputs=1, **attrs):
        """A node; the name of its output, or a tuple of names. inputs: symbols, tensors, names, None."""
        names = [f"{kind}_{len(self.nodes)}" + (f"_{k}" if k else "") for k in range(outputs)]
        self.nodes.append(Node(kind, [self.name(x) for x in inputs], names, attrs, self.layers[-1]))
        return names[0] if outputs == 1 else tuple(names)

    def name(self, value):
        if value is None:
            return ""
        if isinstance(value, str):
            return value
        if isinstance(value, Symbol):
            if value.name is None:
                raise self.missing(value.why)
            return value.name
        if isinstance(value, Tensor):
            if id(value.array) not in self.names:
                self.names[id(value.array)] = f"constant_{len(self.constants)}"
            name = self.names[id(value.array)]
            self.alive.append(value.array)
            self.constants[name] = value.array
            return name
        return self.constant(value)

    def constant(self, value, dtype=None):
        """Numbers as a constant of the graph."""
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value, dtype)
        return name

    def ints(self, *values):
        return self.constant(values, np.int64)

    def shape(self, values):
        """A constant that says a shape: sizes in it may turn out to depend on a dynamic axis (`Graph.merged`)."""
        name = self.ints(*values)
        self.shapes.add(name)
        return name

    def missing(self, what):
        where = f" (in the layer {self.layers[-1]!r})" if self.layers[-1] else ""
        return NotImplementedError(f"onnx.export(): {what} has no counterpart in ONNX here{where}")

    # ---- symbols

    def symbol(self, plain, name, why=""):
        made = object.__new__(Symbol)
        made.plain, made.name, made.graph, made.why = plain, name, self, why
        made.hidden, made._shape, made.views = Shown(made), plain._shape, False
        return made

    def run(self, op, inputs, attrs):
        """The op on the values, and written down. Its outputs as symbols."""
        write = self.table.get(op.name)
        if write is None:
            raise self.missing(f"the op {op.name}()")
        inputs = [behind(x) for x in inputs]
        outs = direct(op)(*[_plain(x) for x in inputs], *attrs)
        with_names = write(self, outs, *inputs, **dict(zip(op.attrs, attrs, strict=True)))
        if not isinstance(outs, tuple):
            return self.made(op, inputs, outs, with_names)
        names = with_names if isinstance(with_names, tuple) else (with_names,)
        names += (None,) * (len(outs) - len(names))
        symbols = [self.made(op, inputs, out, name) for out, name in zip(outs, names, strict=True)]
        return type(outs)(*symbols) if hasattr(outs, "_fields") else tuple(symbols)

    def made(self, op, inputs, out, name):
        made = self.symbol(out, name, f"the second output of the op {op.name}()")
        if op.view and isinstance(inputs[0], Symbol):
            made.views = inputs[0].views = True
        return made

    def merged(self, other):
        """Make the sizes free in which this graph and `other`, of inputs of another size, differ.

        Raises:
            NotImplementedError: they differ in more than a graph can say.
        """
        for mine, theirs in zip(self.nodes, other.nodes, strict=False):
            if (mine.kind, mine.inputs, mine.attrs) != (theirs.kind, theirs.inputs, theirs.attrs):
                raise self.depends(mine)
            for name in mine.inputs:
                self.merge_constant(name, other.constants.get(name), mine)
        if len(self.nodes) != len(other.nodes):
            raise self.depends(self.nodes[-1])

    def merge_constant(self, name, other, node):
        mine = self.constants.get(name)
        if mine is None or (
            mine.shape == other.shape and np.array_equal(mine, other, equal_nan=mine.dtype.kind == "f")
        ):
            return
        if name not in self.shapes or mine.shape != other.shape or (mine != other).sum() != 1:
            raise self.depends(node)
        self.constants[name] = np.where(mine == other, mine, -1)

    @staticmethod
    def depends(node):
        where = f" of the layer {node.layer!r}" if node.layer else ""
        return NotImplementedError(
            f"onnx.export(): the node {node.kind}{where} depends on the size of a dynamic axis: leave that axis out of "
            "dynamic_axes"
        )


class Shown(Hidden):
    """The `.array` of a symbol."""

    __slots__ = ("symbol",)

    def __init__(self, symbol):
        self.symbol = symbol
        self.dtype, self.shape = np.dtype(symbol.plain.array.dtype, copy=True), symbol.plain._shape

    def apply(self, op, inputs, attrs):
        return self.symbol.graph.run(op, inputs, attrs)

    def write(self, tensor, function, args):
        if tensor.views:
            raise self.symbol.graph.missing("writing in place to a tensor that shares memory with another")
        made = function(tensor, *args)
        if made._shape != tensor._shape or made.hidden.dtype != tensor.hidden.dtype:
            raise RuntimeError("onnx.export(): a write in place may change neither shape nor dtype")
        tensor.plain, tensor.name = made.plain, made.name
        return tensor


class Symbol(Tensor):
    """A tensor of the program that is written down: `plain` is its value, `name` what the graph calls it."""

    __slots__ = ("graph", "hidden", "name", "plain", "views", "why")
    array = property(lambda self: self.hidden)
    data = property(lambda self: self)
    node = vc = leaf = _view = None
    requires_grad = False

    def detach(self):
        return self

    def contiguous(self, *args, **kwargs):
        return self.graph.symbol(self.plain.contiguous(*args, **kwargs), self.name, self.why)

    def is_contiguous(self, *args, **kwargs):
        return self.plain.is_contiguous(*args, **kwargs)

    def numpy(self, *, force=False):
        raise Unseen(None)

    item = tolist = __bool__ = __float__ = __int__ = __index__ = numpy


def behind(value):
    """The symbol of a tensor that was made of a symbol's `.array` (`detach` is one way); else the value itself."""
    if isinstance(value, list | tuple):
        return [behind(each) for each in value]
    return value.array.symbol if isinstance(value, Tensor) and isinstance(value.array, Shown) else value


def _plain(value):
    if isinstance(value, Symbol):
        return value.plain
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value
