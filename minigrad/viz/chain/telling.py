"""How the nodes of a graph are spoken of: each one's number, name, value and formula.

Comes after `formula.py`; `story.py` and `explain.py` tell of one graph with the same names.  A node's number is its
position in forward order: leaves and constants stand before the operation that first uses them.  Inside formulas a
node is called by the user's name, a number by itself, all others ``v3``.
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.autograd.node import COPY_SLICES, LEAF, PICK
from minigrad.viz.chain import formula
from minigrad.viz.chain.language import Expr, constant, name
from minigrad.viz.graph.model import clean
from minigrad.viz.graph.reading import Reading
from minigrad.viz.graph.text import attribute

__all__ = ["Telling"]


class Telling:
    """The graph of one tensor.

    reading  the `Reading`, with all values that can be found or computed again
    root     the tensor's node, None if it has no history
    nodes    an entry for each node (see `story.Story`), without what the backward pass gives
    ids      {node: its number}
    """

    def __init__(self, x, names, limit):
        self.limit = limit
        self.reading = reading = Reading([x], list(names))
        (self.root,) = reading.roots
        reading.compute_missing(reading.order, most=math.inf, operands=math.inf)
        self.nodes, self.ids = [], {}
        self._constants, self._kept = {}, []  # a constant's key is an address: what it belongs to must live meanwhile
        self._operands, self._places = {}, {}  # of an operation: its operands by slot, and which parents they are
        if self.root is None:
            array = x.array
            self._add("constant", "constant", reading.constant_name(array) or "output", array, array.shape, False)
            return
        for node in reading.order:
            if node.op is not LEAF:
                self._operation(node)
        if self.root.op is LEAF:
            self._leaf(self.root)

    def _add(self, kind, op, label, array, shape, requires_grad, **more):
        entry = {
            "id": len(self.nodes), "kind": kind, "op": op, "label": clean(label), "name": "",
            "shape": _listed(shape), "dtype": "" if array is None else array.dtype.name,
            "requires_grad": requires_grad, "inputs": [], "value": self.amount(array), "formula": None, "numbers": "",
            "line": None, "group": "", "attributes": [],
        } | more  # fmt: skip
        self.nodes.append(entry)
        return entry["id"]

    def _leaf(self, node):
        if node not in self.ids:
            reading, label = self.reading, clean(self.reading.name(node))
            self.ids[node] = self._add(
                "leaf", "leaf", label, reading.value(node), reading.shape(node), True, name=label
            )
        return self.ids[node]

    def _constant(self, operand):
        found = operand.constant
        if found.key not in self._constants:
            is_number, label = found.number is not None, clean(found.name)
            array = np.asarray(found.number) if is_number else found.array
            shape = () if array is None else array.shape
            kind = "number" if is_number else "constant"
            self._constants[found.key] = self._add("constant", kind, label, array, shape, False, name=label)
            self._kept.append(found)
        return self._constants[found.key]

    def _operation(self, node):
        reading, inputs, operands, places = self.reading, [], {}, []
        for operand in reading.operands(node):
            if operand.node is None:
                at = self._constant(operand)
            else:
                at = self.ids[operand.node] if operand.node in self.ids else self._leaf(operand.node)
            slot = operand.slot or "input"
            places.append(operand.position)
            inputs.append({"node": at, "slot": slot})
            operands.setdefault(_base(slot), []).append(self.expression(at))
        self._places[node] = places
        given = self._operands[node] = {
            slot: found[0] if len(found) == 1 else found for slot, found in operands.items()
        }
        self.ids[node] = self._add(
            "op", node.op.name, reading.label(node), None if reading.is_many(node) else reading.value(node),
            reading.shape(node), True, name=clean(reading.name(node)), inputs=inputs,
            formula=formula.operation_text(node.op, given, self.attributes(node)), numbers=self._computed(node, inputs),
            attributes=[_pair(attribute(key, each)) for key, each in reading.attributes(node)], **self._made_at(node),
        )  # fmt: skip

    def _computed(self, node, inputs):
        """The formula of a pointwise operation of single numbers, with the numbers: ``2.0 · 0.5 + 1.0``, or ""."""
        values = self._values(node, inputs)
        return (
            formula.operation_text(node.op, values, self.attributes(node))["text"] if len(values) == len(inputs) else ""
        )

    def _values(self, node, inputs):
        """{slot: number as an expression} of a pointwise operation of single numbers, as far as they are known."""
        if not formula.is_pointwise(node.op) or math.prod(self.reading.shape(node)) != 1:
            return {}
        found = {}
        for each in inputs:
            source = self.nodes[each["node"]]
            kind, value = "number" if source["op"] == "number" else "value", source["value"]
            if value is not None:
                found[each["slot"]] = Expr(kind, (_single(value),))
        return found

    def _made_at(self, node):
        note = self.reading.note(node)
        if note is None:
            return {}
        line = {"file": clean(note.file), "line": note.line, "code": clean(note.code)}
        return {"line": line, "group": note.modules[-1].path if note.modules else ""}

    # ---- what is asked for

    def attributes(self, node) -> dict:
        """{name: value} of all attributes of an operation."""
        if node.op is PICK:
            return {"index": node.attrs}
        if isinstance(node.attrs, tuple) and node.op is not COPY_SLICES:
            return dict(zip(node.op.attrs, node.attrs, strict=False))
        return {}

    def expression(self, at) -> Expr:
        """How the node with this number is shown inside a formula."""
        entry = self.nodes[at]
        if entry["op"] == "number" and not isinstance(entry["value"], str):
            return constant(entry["value"])
        return name(entry["name"] or f"v{at}")

    def shown(self, node) -> Expr:
        """How a node of the graph is shown inside a formula."""
        return self.expression(self.ids[node])

    def place(self, node, position) -> int:
        """Which of an operation's inputs the parent at this position is."""
        return self._places[node].index(position)

    def gradient_text(self, node, position, upstream) -> dict:
        """The formula of what an operand gets, as an equation; `upstream` is what is differentiated."""
        slot = self.nodes[self.ids[node]]["inputs"][self.place(node, position)]
        return formula.gradient_text(
            node.op, _base(slot["slot"]), self._operands[node], self.attributes(node), self.shown(node),
            self.expression(slot["node"]), upstream,
        )  # fmt: skip

    def local_text(self, node, position) -> dict | None:
        """The local derivative of an operand of a pointwise operation, None of other operations."""
        return formula.local_text(node.op, *self._about(node, position))

    def product_text(self, node, position) -> dict:
        """The gradient of an operand of an array operation, G the upstream gradient."""
        return formula.product_text(node.op, *self._about(node, position))

    def _about(self, node, position):
        slot = self.nodes[self.ids[node]]["inputs"][self.place(node, position)]["slot"]
        return _base(slot), {**self._operands[node], "output": self.shown(node)}, self.attributes(node)

    def numbers_text(self, node, position) -> str:
        """The local derivative of a pointwise operation of single numbers, with the numbers: ``1 − 0.7616²``, or ""."""
        entry = self.nodes[self.ids[node]]
        values = self._values(node, entry["inputs"])
        if not values:
            return ""
        if entry["value"] is not None:
            values["output"] = Expr("value", (_single(entry["value"]),))
        slot = entry["inputs"][self.place(node, position)]["slot"]
        return formula.numbers_text(node.op, slot, values, self.attributes(node))

    def amount(self, array):
        """An array as JSON can say it (see `story.Story`)."""
        if array is None:
            return None
        if isinstance(array, list):
            return [self.amount(each) for each in array]
        if array.size <= self.limit:
            return _numbers(array)
        with np.errstate(all="ignore"):
            wide = array.astype(np.float64)
            found = {"norm": np.sqrt(np.square(wide).sum()), "mean": wide.mean(), "min": wide.min(), "max": wide.max()}
        return {"shape": list(array.shape)} | {key: _number(float(value)) for key, value in found.items()}


def _single(value):
    while isinstance(value, list):
        (value,) = value
    return float(value) if isinstance(value, str) else value


def _numbers(array):
    """Nested lists of Python numbers; of float32 the shortest decimals that are the same float32."""
    if array.ndim:
        return [_numbers(each) for each in array]
    value = array[()]
    if array.dtype.kind in "iub":
        return int(value)
    return _number(float(str(value)))


def _number(value):
    return value if math.isfinite(value) else "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _listed(shape):
    return [_listed(each) if isinstance(each, tuple) else each for each in shape]


def _base(slot):
    """``tensors`` of the operand ``tensors 2``."""
    stem, space, number = slot.rpartition(" ")
    return stem if space and number.isdigit() else slot


def _pair(text):
    key, sign, value = text.partition("=")
    return [key, value] if sign else ["", text]
