"""From the recorded graph to boxes and edges.

Before it: `reading.py` (what is known of a node), `fold.py` (which nodes get a box of their own).  After it: `dot.py`
and `scene.py`, which show the boxes.  The walk is a loop over nodes in the order of their making, so depth is no limit.

    leaf ──▶ (op) ──▶ value ──▶ (op) ──▶ output        a value box only where there is something to tell:
                                                       a small value, a kept gradient, a name; else its shape
                                                       stands in the op's own box
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from minigrad.errors import shape_text
from minigrad.viz.graph.fold import counted, make_plan, pattern
from minigrad.viz.graph.model import CONSTANT, FAILED, FOLD, LEAF, MORE, OP, OUTPUT, VALUE, Graph
from minigrad.viz.graph.reading import FEW, Reading
from minigrad.viz.graph.text import attribute, compact, lines_of, number

__all__ = ["Options", "build"]


@dataclass(frozen=True, slots=True)
class Options:
    """What is shown; see `draw`."""

    values: bool = True
    shapes: bool = True
    grads: bool = True
    saved: bool = False
    max_nodes: int | None = None


def build(tensors, names, options, failed=None) -> Graph:
    """The drawing's data: `tensors` is a list, `names` are (name, tensor) pairs, and what is written is as of now.
    `failed` is {a node that raised: the rows of its box}; its shape is None if it raised when it was to be computed."""
    return _Builder(tensors, names, options, failed or {}).graph


class _Builder:
    def __init__(self, tensors, names, options, failed):
        self.options, self.failed = options, failed
        self.reading = Reading(tensors, names)
        self.graph = Graph()
        self.outputs = dict.fromkeys(node for node in self.reading.roots if node is not None)
        self.sources = {}  # node -> the box that shows its result
        self.constants = {}  # Constant.key -> box
        self.kept_constants = []  # a key is an address: what it belongs to must live until the drawing is done
        self.plan = make_plan(self.reading, options.max_nodes)
        self.group_of = {node: k for k, group in enumerate(self.plan.groups) for node in group}
        self.in_leaf_fold = set(self.plan.leaves)
        if options.values and not self.plan.folded:
            self.reading.compute_missing(self.reading.order)
        self.add_all()
        self.add_lone(tensors)
        self.graph.note = self.note()

    def add_all(self):
        reading = self.reading
        last = {group[-1] for group in self.plan.groups}
        for node in reading.order:
            if node in self.group_of:
                if node in last:
                    self.add_group(self.group_of[node])
            elif not reading.is_leaf(node):
                self.add_operation(node)
        for node in self.outputs:  # leaves that are drawn themselves
            if node not in self.sources and reading.is_leaf(node):
                self.leaf(node)

    def add_lone(self, tensors):
        for tensor, node in zip(tensors, self.reading.roots, strict=True):
            if node is None:
                name = self.reading.constant_name(tensor.array) or "output"
                rows = self.data_rows(tensor.array, None, None, True)
                self.graph.add(OUTPUT, name, rows, f"{name}: no history (made without requires_grad, or detached)")

    def note(self):
        lone, drawn = self.reading.roots.count(None), len(self.reading.roots)
        folded, total = self.plan.folded, len(self.reading.order)
        notes = []
        if lone:
            which = "No history" if lone == drawn else f"No history of {lone} of the {drawn} tensors"
            notes.append(f"{which}: nothing that led there requires grad, or it was computed under no_grad().")
        if folded:
            notes.append(f"{total:,} nodes are too many to read: {folded:,} of them are folded.")
            notes.append(f"draw(..., max_nodes={total}) shows them all.")
        return " ".join(notes)

    # ---- operations

    def add_operation(self, node):
        reading, options = self.reading, self.options
        if reading.is_pick(node):
            (parent,) = reading.parents(node)
            box = self.result_box(node, f"output {reading.index(node)}")
            self.graph.connect(self.source(parent), box)
            self.sources[node] = box
            return
        missing = "freed by backward" if reading.freed(node) else "not kept"
        taken = [(operand, self.operand_box(operand, missing)) for operand in reading.operands(node)]
        label = reading.label(node)
        inplace = reading.is_inplace(node)
        into = "into " if inplace else ""
        rows = [("", into + attribute(name, value)) for name, value in reading.attributes(node)]
        rows += self.failed.get(node, ())
        kind = FAILED if node in self.failed else OP
        box = self.graph.add(kind, label, rows, self.operation_tip(node), inplace and kind == OP)
        for operand, source in taken:
            self.graph.connect(source, box, operand.slot, source.kind == CONSTANT)
        self.sources[node] = box
        if reading.shape(node) is None:  # there is no result
            return
        many = reading.is_many(node)
        if not many and self.tells_something(node):
            data = self.result_box(node, "output" if node in self.outputs else "")
            self.graph.connect(box, data)
            self.sources[node] = data
        elif not many and options.shapes:
            box.rows.append(("", shape_text(reading.shape(node))))
        if options.saved:
            box.rows += labelled("saves", [self.saved_text(name, value) for name, value in reading.saved(node)])

    def tells_something(self, node):
        reading, options = self.reading, self.options
        if node in self.outputs or reading.name(node):
            return True
        if options.grads and reading.gradient(node) is not None:
            return True
        value = reading.value(node)
        return options.values and not self.plan.folded and value is not None and value.size <= FEW

    def result_box(self, node, title):
        reading = self.reading
        name = reading.name(node) or title
        kind = OUTPUT if node in self.outputs else VALUE
        rows = self.data_rows(reading.value(node), reading.gradient(node), reading.shape(node), kind == OUTPUT)
        return self.graph.add(kind, name, rows, f"{name or 'value'} {shape_text(reading.shape(node))}")

    def operation_tip(self, node):
        reading = self.reading
        text = f"{reading.full_name(node)}: {', '.join(o.slot for o in reading.operands(node))}"
        saved = ", ".join(self.saved_text(name, value) for name, value in reading.saved(node))
        if reading.is_inplace(node):
            text += "; written in place"
        if reading.freed(node):
            return text + "; what it saved was freed by backward"
        return f"{text}; saved {saved}" if saved else text

    def saved_text(self, name, value):
        return f"{name} {number(value.item()) if value.ndim == 0 else shape_text(value.shape)}"

    # ---- what operations take

    def operand_box(self, operand, missing):
        return self.constant(operand, missing) if operand.node is None else self.source(operand.node)

    def source(self, node):
        """The box an edge from this node starts at."""
        if node not in self.sources:
            if node in self.group_of:
                self.group_box(self.group_of[node])
            elif node in self.in_leaf_fold:
                self.leaf_fold()
            else:
                self.leaf(node)
        return self.sources[node]

    def leaf(self, node):
        reading = self.reading
        name = reading.name(node) or "leaf"
        shape, value = reading.shape(node), reading.value(node)
        rows = self.data_rows(value, reading.gradient(node), shape, True)
        box = self.graph.add(LEAF, name, rows, f"{name} {shape_text(shape)}, requires grad")
        self.sources[node] = box
        return box

    def constant(self, operand, missing):
        """The box of a constant operand; `missing` is what to say of one whose value is gone."""
        constant = operand.constant
        if constant.key in self.constants:
            return self.constants[constant.key]
        array = constant.array
        if constant.number is not None:
            box = self.graph.add(CONSTANT, compact(constant.number), (), f"the number {constant.number}")
        else:
            name = constant.name or operand.slot or "constant"
            known = array is not None
            rows = self.data_rows(array, None, None, True) if known else [("", missing)]
            shape = f" {shape_text(array.shape)}" if known else ""
            box = self.graph.add(CONSTANT, name, rows, f"{name}{shape}, does not require grad")
        self.constants[constant.key] = box
        self.kept_constants.append(constant)
        return box

    def data_rows(self, value, grad, shape, with_dtype):
        """The lines of a data box: shape and dtype, the value if small, the gradient or how large it is."""
        options, rows = self.options, []
        shape = value.shape if shape is None else shape
        dtype = value.dtype.name if value is not None and with_dtype else ""
        written = options.values and value is not None and value.size <= FEW
        if options.shapes and (dtype not in ("", "float32") or (shape and (with_dtype or not written))):
            rows.append(("", f"{dtype} {shape_text(shape)}".strip()))
        if written:
            rows += labelled("data", lines_of(value))
        if options.grads and grad is not None:
            few = grad.size <= FEW
            rows += labelled("grad" if few else "‖grad‖", lines_of(grad) if few else [number(norm(grad))])
        return rows

    # ---- what is folded

    def add_group(self, k):
        """The box of a group, with an edge from each box that gives to it."""
        group = self.plan.groups[k]
        inside, uses, leaves = set(group), {}, set()
        for node in group:
            for parent in self.reading.parents(node):
                if parent in self.in_leaf_fold:
                    leaves.add(parent)
                elif parent not in inside:
                    key = self.source(parent).key
                    uses[key] = uses.get(key, 0) + 1
        if leaves:
            uses[self.leaf_fold().key] = len(leaves)
        box = self.group_box(k)
        for key, count in uses.items():
            self.graph.connect(self.graph.boxes[key], box, f"used {count:,} times", count=count)

    def group_box(self, k):
        group = self.plan.groups[k]
        if group[0] not in self.sources:
            labels = [self.reading.full_name(node) for node in group if not self.reading.is_pick(node)]
            rows = [("", pattern(labels) or counted(labels))]
            tip = f"{len(labels):,} operations: {counted(labels)}"
            box = self.graph.add(FOLD, f"… {len(labels):,} operations", rows, tip)
            self.sources.update(dict.fromkeys(group, box))
        return self.sources[group[0]]

    def leaf_fold(self):
        """The one box of all folded leaves."""
        leaves = self.plan.leaves
        if leaves[0] not in self.sources:
            reading = self.reading
            total = sum(math.prod(reading.shape(leaf)) for leaf in leaves)
            rows = [("", f"{total:,} numbers")]
            names = [name for leaf in leaves if (name := reading.name(leaf))]
            if names:
                rows.append(("", compact(names[0]) + (f" … {compact(names[-1])}" if len(names) > 1 else "")))
            box = self.graph.add(FOLD, f"… {len(leaves):,} leaves", rows, f"{len(leaves):,} leaves")
            self.sources.update(dict.fromkeys(leaves, box))
        return self.sources[leaves[0]]


def labelled(label, lines):
    return [(label if i == 0 else MORE, line) for i, line in enumerate(lines)]


def norm(array) -> float:
    """The Euclidean length, without overflow in half precision."""
    return float(np.sqrt(np.square(array.astype(np.float64)).sum()))
