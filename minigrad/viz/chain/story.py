"""The run of a graph as data: the forward pass value by value, then the backward pass step by step.

Comes after `backward.py` (the numbers) and `formula.py` (the words).  The pages `step` and `playground` show a `Story`;
it holds numbers and text only, no tensor, and is made of what JSON can say.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minigrad.autograd.node import COPY_SLICES, LEAF, PICK
from minigrad.viz.chain import formula
from minigrad.viz.chain.backward import walk_back
from minigrad.viz.chain.language import Expr, constant, name
from minigrad.viz.graph.model import clean
from minigrad.viz.graph.reading import Reading
from minigrad.viz.graph.text import attribute
from minigrad.viz.record.recording import note_of

__all__ = ["Story", "story"]


@dataclass(slots=True)
class Story:
    """`data` is the run:

    output    the id of the tensor that was asked for; `seed`: the gradient the walk starts with (ones)
    nodes     leaves, constants and operations in forward order, ``id`` is the position. Each: kind ("leaf", "constant",
              "op"), op, label, name, shape, dtype, requires_grad, inputs ([{"node", "slot"}]), value, formula
              ({"text", "latex"}; None of leaves and constants), numbers (the formula of a pointwise operation of
              numbers with these for its operands, else ""), line, group, attributes ([[name, text]])
    backward  operations in the engine's order. Each: node, upstream, problem ("" or why nothing is known), and parts:
              input (position in the node's inputs), node, local, formula, numbers, product, total, first (of the parts
              to reach that operand)
    grads     {id: gradient} of all nodes that a gradient reached, complete
    freed     whether a backward pass has freed some of it

    A value is a number, nested lists of at most `limit` numbers (NaN and infinities as "nan", "inf", "-inf"), of larger
    arrays {"shape", "norm", "mean", "min", "max"}, or None where it can't be told. An operation with several outputs
    has the value None, a list of shapes, and in `backward` as upstream the list of its outputs' gradients.
    """

    data: dict


def story(x, names=(), *, limit=64) -> Story:
    """The run that led to the tensor `x`, and its backward pass with ones for the gradient of `x`.

    names  (name, Tensor) pairs; limit  arrays of at most this many elements are given in full.
    Nothing is changed and no `.grad` is written: see `backward.walk_back`.
    """
    return Story(_Teller(x, names, limit).data)


class _Teller:
    def __init__(self, x, names, limit):
        self.limit = limit
        self.reading = reading = Reading([x], list(names))
        reading.compute_missing(reading.order, most=math.inf, operands=math.inf)
        self.nodes, self.ids, self.constants = [], {}, {}
        self.shown, self.places = {}, {}  # of each operation: its operands by slot, and which of its inputs they are
        self.kept = []  # constants are told apart by the address of their array: they must live until this is done
        (root,) = reading.roots
        if root is None:
            self.add("constant", "constant", reading.constant_name(x.array) or "output", x.array, x.array.shape, False)
            self.data = {"output": 0, "seed": None, "nodes": self.nodes, "backward": [], "grads": {}, "freed": False}
            return
        for node in reading.order:
            if node.op is not LEAF:
                self.operation(node)
        if root.op is LEAF:
            self.leaf(root)
        seed = np.ones(x.array.shape, x.array.dtype)
        backward, grads = [], {}
        for step in walk_back(reading, {root: seed}, local=True):
            told = self.amount(step.upstream)
            if not reading.is_many(step.node):
                grads[str(self.ids[step.node])] = told
            if step.node.op is not LEAF:
                backward.append({
                    "node": self.ids[step.node], "upstream": told, "problem": step.problem,
                    "parts": [self.part(step, part) for part in step.parts],
                })  # fmt: skip
        self.data = {
            "output": self.ids[root], "seed": self.amount(seed), "nodes": self.nodes, "backward": backward,
            "grads": grads, "freed": any(reading.freed(node) for node in reading.order),
        }  # fmt: skip

    # ---- forward

    def add(self, kind, op, label, array, shape, requires_grad, **more):
        """A node's entry; the display name of one without a name is ``v`` and its position."""
        entry = {
            "id": len(self.nodes), "kind": kind, "op": op, "label": clean(label), "name": "",
            "shape": _listed(shape), "dtype": "" if array is None else array.dtype.name,
            "requires_grad": requires_grad, "inputs": [], "value": self.amount(array), "formula": None, "numbers": "",
            "line": None, "group": "", "attributes": [],
        } | more  # fmt: skip
        self.nodes.append(entry)
        return entry["id"]

    def leaf(self, node):
        if node not in self.ids:
            reading, label = self.reading, clean(self.reading.name(node))
            self.ids[node] = self.add("leaf", "leaf", label, reading.value(node), reading.shape(node), True, name=label)
        return self.ids[node]

    def constant(self, operand):
        found = operand.constant
        if found.key not in self.constants:
            array = np.asarray(found.number) if found.number is not None else found.array
            label = clean(found.name)
            shape = () if array is None else array.shape
            self.constants[found.key] = self.add(
                "constant", "number" if found.number is not None else "constant", label, array, shape, False, name=label
            )
            self.kept.append(found)
        return self.constants[found.key]

    def operation(self, node):
        reading, inputs, operands, places = self.reading, [], {}, []
        for operand in reading.operands(node):
            places.append(operand.position)
            source = operand.node
            at = self.constant(operand) if source is None else self.leaf(source)
            slot = operand.slot or "input"
            inputs.append({"node": at, "slot": slot})
            operands.setdefault(slot, []).append(self.expression(at))
        given = {slot: found[0] if len(found) == 1 else found for slot, found in operands.items()}
        given = _joined(given)
        label = clean(reading.name(node))
        value = None if reading.is_many(node) else reading.value(node)
        numbers = ""
        if formula.is_pointwise(node.op) and reading.shape(node) == ():
            found = self.operand_numbers(inputs)
            if len(found) == len(inputs):
                numbers = formula.operation_text(node.op, found, self.attributes(node))["text"]
        self.shown[node], self.places[node] = given, places
        self.ids[node] = self.add(
            "op", node.op.name, reading.label(node), value, reading.shape(node), True, name=label, inputs=inputs,
            formula=formula.operation_text(node.op, given, self.attributes(node)), numbers=numbers,
            attributes=[_pair(attribute(key, each)) for key, each in reading.attributes(node)],
            **_made_at(node),
        )  # fmt: skip

    def attributes(self, node):
        if node.op is PICK:
            return {"index": node.attrs}
        if isinstance(node.attrs, tuple) and node.op is not COPY_SLICES:
            return dict(zip(node.op.attrs, node.attrs, strict=False))
        return {}

    def expression(self, at) -> Expr:
        """How a node is shown inside a formula: by the user's name, a number as itself, others as ``v3``."""
        entry = self.nodes[at]
        if entry["op"] == "number":
            return constant(entry["value"]) if not isinstance(entry["value"], str) else name(entry["value"])
        return name(entry["name"] or f"v{at}")

    # ---- backward

    def part(self, step, part):
        node, reading = step.node, self.reading
        entry = self.nodes[self.ids[node]]
        place = self.places[node].index(part.position)
        slot = entry["inputs"][place]["slot"]
        output, target = self.expression(self.ids[node]), self.expression(entry["inputs"][place]["node"])
        attributes = self.attributes(node)
        base = slot.rstrip("0123456789 ") if len(node.op.inputs) == 1 else slot
        numbers = ""
        if formula.is_pointwise(node.op) and reading.shape(node) == ():
            numbers = formula.numbers_text(node.op, slot, self.numbers(entry), attributes)
        return {
            "input": place,
            "node": entry["inputs"][place]["node"],
            "local": self.amount(part.local),
            "formula": formula.gradient_text(
                node.op, base, self.shown[node], attributes, output, target, self.output_name
            ),
            "numbers": numbers,
            "product": self.amount(part.product),
            "total": self.amount(part.total),
            "first": part.first,
        }

    @property
    def output_name(self):
        (root,) = self.reading.roots
        return self.nodes[self.ids[root]]["name"] or "L"

    def numbers(self, entry):
        """The numbers of an operation's operands and output, as expressions."""
        found = self.operand_numbers(entry["inputs"])
        if entry["value"] is not None:
            found["output"] = Expr("value", (_float(entry["value"]),))
        return found

    def operand_numbers(self, inputs):
        """{slot: expression} of the operands that are known: what was a number in the program counts as part of the
        formula."""
        found = {}
        for each in inputs:
            source = self.nodes[each["node"]]
            if source["value"] is not None:
                found[each["slot"]] = Expr("number" if source["op"] == "number" else "value", (_float(source["value"]),))
        return found

    def amount(self, array):
        """An array as JSON can say it."""
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


def _made_at(node):
    """The user's line and the module, if the node was made inside `recording`."""
    note = note_of(node)
    if note is None:
        return {}
    line = {"file": clean(note.file), "line": note.line, "code": clean(note.code)}
    return {"line": line, "group": note.modules[-1].path if note.modules else ""}


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


def _float(told):
    """The number again that `_number` told."""
    return float(told) if isinstance(told, str) else told


def _listed(shape):
    return [_listed(each) if isinstance(each, tuple) else each for each in shape]


def _joined(operands):
    """``{"tensors 0": a, "tensors 1": b}`` as ``{"tensors": [a, b]}``."""
    found = {}
    for slot, value in operands.items():
        stem, space, number = slot.rpartition(" ")
        if space and number.isdigit():
            found.setdefault(stem, []).append(value)
        else:
            found[slot] = value
    return found


def _pair(text):
    key, sign, value = text.partition("=")
    return [key, value] if sign else ["", text]
