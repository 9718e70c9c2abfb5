"""From the recorded graph to boxes and edges.

Before it: `reading.py` (what is known of a node), `modules.py` (which module it is in), `repeats.py` and `fold.py`
(which nodes get a box of their own), `contents.py` (what a box says).  After it: `dot.py` and `scene.py`, which show
the boxes.  The walk is a loop over nodes in the order of their making, so depth is no limit.

    leaf ──▶ (op) ──▶ value ──▶ (op) ──▶ output        a value box only where there is something to tell:
                                                       a small value, a kept gradient, a name; else its shape
                                                       stands in the op's own box
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from minigrad.errors import shape_text
from minigrad.viz.graph.contents import Contents, labelled
from minigrad.viz.graph.flow import Flow, measure, span
from minigrad.viz.graph.fold import counted, make_plan, pattern
from minigrad.viz.graph.frames import Frames
from minigrad.viz.graph.model import (
    BACKWARD,
    CONSTANT,
    FAILED,
    FOLD,
    LEAF,
    MODULE,
    OP,
    OUTPUT,
    STOPPED,
    VALUE,
    VIEW,
    Graph,
)  # fmt: skip
from minigrad.viz.graph.modules import Places, place_leaves, place_nodes
from minigrad.viz.graph.names import Names
from minigrad.viz.graph.reading import FEW, Constant, Reading
from minigrad.viz.graph.repeats import roll
from minigrad.viz.graph.text import compact, number

__all__ = ["Options", "build"]


@dataclass(frozen=True, slots=True)
class Options:
    """What is shown; see `draw`."""

    values: bool = True
    shapes: bool = True
    grads: bool = True
    saved: bool = False
    flow: bool = False
    modules: bool = True
    depth: int | None = None
    recurrent: str | None = None
    repeats: str | None = None
    direction: str | None = None
    max_nodes: int | None = None


def build(tensors, names, options, failed=None) -> Graph:
    """The drawing's data, all groups open, `Graph.closed` those to be shown closed; what is written is as of now.

    tensors  a list
    names    a `names.Names`, or (name, tensor) pairs
    failed   {a node that raised: (the title, the rows of its box)}; its shape is None if it raised when it was to be
             computed
    """
    if not isinstance(names, Names):
        names = Names.of(names)
    return _Builder(tensors, names, options, failed or {}).graph


class _Builder:
    def __init__(self, tensors, names, options, failed):
        self.options, self.failed = options, failed
        self.reading = reading = Reading(tensors, names.pairs)
        self.flow = measure(reading) if options.flow else Flow()
        self.places = place_nodes(reading, names) if options.modules else Places({})
        recurrent, repeats = ("unrolled", "open") if options.flow else (None, None)
        self.rolls = roll(reading, self.places, options.recurrent or recurrent, options.repeats or repeats)
        place_leaves(reading, self.rolls, self.places)
        self.plan = make_plan(reading, self.rolls, self.places, options.max_nodes, options.depth, self.failed)
        self.graph = Graph()
        self.frames = Frames(self.graph, self.places, self.rolls)
        self.texts = Contents(reading, options, self.places, self.flow)
        self.outputs = dict.fromkeys(node for node in reading.roots if node is not None)
        self.sources = {}  # node -> the box that shows its result
        self.operations = {}  # node -> the box of the operation itself
        self.constants = {}  # Constant.key -> box
        self.takers = {}  # key of a constant's box -> the operations that take it
        self.own = set()  # keys of constants that belong to what takes them
        self.kept_constants = []  # a key is an address: what it belongs to must live until the drawing is done
        self.fold_of = {node: k for k, fold in enumerate(self.plan.folds) for node in fold.nodes}
        self.in_leaf_fold = set(self.plan.leaves)
        if not self.plan.folded:  # without values too: they tell which constant was taken
            reading.compute_missing(self.rolls.order)
        self.add_all()
        self.add_loops()
        self.add_lone(tensors)
        self.frames.place_constants(self.takers, self.own, reading)
        self.frames.finish()
        self.graph.closed = self.frames.closed(self.plan.depth)
        if options.flow:
            self.graph.flow = span([edge.strength for edge in self.graph.edges])
        self.graph.note = self.note()

    def add_all(self):
        reading = self.reading
        last = {fold.nodes[-1] for fold in self.plan.folds}
        for node in self.rolls.order:
            if node in self.fold_of:
                if node in last:
                    self.add_fold(self.fold_of[node])
            elif not reading.is_leaf(node):
                self.add_operation(node)
        for node in self.outputs:
            if node in self.sources:
                continue
            if reading.is_leaf(node):  # a leaf that is drawn itself
                self.leaf(node)
            else:  # the result of a later step or block, drawn as the first
                box = self.result_box(node, "output")
                self.graph.connect(self.source(node), box).strength = self.flow.at(node)

    def add_loops(self):
        """What the next step takes of this one."""
        drawn = set()
        for node, position in self.rolls.loops:
            tail = self.source(node.parents[position])
            taker = self.rolls.drawn(node)
            head = self.operations.get(taker) or self.sources.get(taker)
            if head is None or tail is head or (tail.key, head.key) in drawn:
                continue
            drawn.add((tail.key, head.key))
            edge = self.graph.connect(tail, head, "to the next one")
            edge.loop, edge.strength = True, self.flow.along(node, position)

    def add_lone(self, tensors):
        for tensor, node in zip(tensors, self.reading.roots, strict=True):
            if node is None:
                name = self.reading.constant_name(tensor.array) or "output"
                rows = self.texts.data_rows(tensor.array, None, None, True)
                tip = f"{name}: no history (made without requires_grad, or detached)"
                box = self.graph.add(OUTPUT, name, rows, tip)
                box.facts = self.texts.data_facts(tensor.array, None)

    def note(self):
        lone, drawn = self.reading.roots.count(None), len(self.reading.roots)
        notes = []
        if lone:
            which = "No history" if lone == drawn else f"No history of {lone} of the {drawn} tensors"
            notes.append(f"{which}: nothing that led there requires grad, or it was computed under no_grad().")
        notes += self.plan.notes(len(self.rolls.order))
        if self.options.recurrent == "unrolled" and any(self.texts.steps(node) for node in self.rolls.order):
            notes.append(
                "nn.LSTM, nn.GRU and nn.RNN do all steps in one operation: a loop over a cell can be unrolled."
            )
        return " ".join([*notes, self.flow.note]).strip()

    # ---- operations

    def add_operation(self, node):
        reading, options, graph = self.reading, self.options, self.graph
        if reading.is_pick(node):
            (parent,) = reading.parents(node)
            box = self.result_box(node, self.picked(node))
            graph.connect(self.source(parent), box).strength = self.flow.at(node)
            self.sources[node] = box
            return
        missing = "freed by backward" if reading.freed(node) else "not kept"
        taken = [(operand, self.operand_box(operand, missing, node)) for operand in reading.operands(node)]
        rows, tip = self.texts.operation_rows(node), self.texts.operation_tip(node)
        if node in self.failed:
            label, said = self.failed[node]
            box = graph.add(FAILED, label, [*rows, *said], tip)
        else:
            box = graph.add(OP, reading.label(node), rows, tip, reading.is_inplace(node))
        box.facts = self.texts.operation_facts(node)
        box.marks = tuple(
            [mark for mark, has in ((VIEW, reading.is_view), (BACKWARD, reading.is_backward)) if has(node)]
        )
        self.frames.put(box, node)
        self.operations[node] = box
        self.connect_operands(node, box, taken)
        self.sources[node] = box
        if reading.shape(node) is None:  # there is no result
            return
        many = reading.is_many(node)
        if not many and self.tells_something(node):
            data = self.result_box(node, "output" if node in self.outputs else "")
            graph.connect(box, data).strength = self.flow.at(node)
            self.sources[node] = data
        elif not many and options.shapes and box.kind == OP:
            box.rows.append(("", shape_text(reading.shape(node))))
        if options.saved:
            box.rows += labelled("saves", self.texts.saved_rows(node))

    def picked(self, node):
        """What one of several outputs is called; of those that are drawn once for all, the first."""
        return f"output {self.reading.index(node)}"

    def connect_operands(self, node, box, taken):
        """An edge for each operand; results of steps or blocks that are drawn as the first are one edge, counted."""
        once = {}
        for operand, source in taken:
            strength = self.flow.along(node, operand.position)
            stands = operand.node in self.rolls.stands
            if stands and source.key in once:
                edge = once[source.key]
                edge.count += 1
                edge.strength = max((s for s in (edge.strength, strength) if s is not None), default=None)
                continue
            edge = self.graph.connect(source, box, operand.slot, source.kind == CONSTANT)
            edge.strength = strength
            if strength is not None:
                edge.tip = f"{edge.tip}, ‖gradient‖ {number(strength)}".lstrip(", ")
            if operand.node is not None:
                once.setdefault(source.key, edge)
            if source.kind == CONSTANT:
                self.takers.setdefault(source.key, []).append(node)

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
        shape = reading.shape(node)
        rows = self.texts.data_rows(reading.value(node), reading.gradient(node), shape, kind == OUTPUT)
        box = self.graph.add(kind, name, rows, f"{name or 'value'} {shape_text(shape)}")
        box.facts = self.texts.result_facts(node) + self.texts.origin_facts(node)
        if kind != OUTPUT:
            self.frames.put(box, node)
        return box

    # ---- what operations take

    def operand_box(self, operand, missing, node):
        return self.constant(operand, missing, node) if operand.node is None else self.source(operand.node)

    def source(self, node):
        """The box an edge from this node starts at."""
        node = self.rolls.drawn(node)
        if node not in self.sources:
            if node in self.fold_of:
                self.fold_box(self.fold_of[node])
            elif node in self.in_leaf_fold:
                self.leaf_fold()
            elif self.reading.is_dead_end(node):
                self.dead_end(node)
            else:
                self.leaf(node)
        return self.sources[node]

    def leaf(self, node):
        reading = self.reading
        name = reading.name(node) or "leaf"
        shape, value = reading.shape(node), reading.value(node)
        rows = self.texts.data_rows(value, reading.gradient(node), shape, True)
        box = self.graph.add(LEAF, name, rows, f"{name} {shape_text(shape)}, requires grad")
        box.facts, box.size = self.texts.result_facts(node), math.prod(shape)
        self.frames.put(box, node)
        self.sources[node] = box

    def dead_end(self, node):
        """A view made under no_grad of a tensor that requires grad: nothing flows back through it."""
        value = self.reading.value(node)
        name = self.reading.name(node) or "no_grad view"
        rows = self.texts.data_rows(value, None, self.reading.shape(node), True)
        box = self.graph.add(CONSTANT, name, rows, f"{name}: a view made under no_grad(), no gradient flows back")
        box.marks, box.facts = (STOPPED,), self.texts.data_facts(value, None)
        self.sources[node] = box
        self.connect_origin(Constant(value), box)

    def constant(self, operand, missing, node):
        """The box of a constant operand; `missing` is what to say of one whose value is gone."""
        constant = operand.constant
        if constant.key in self.constants:
            return self.constants[constant.key]
        array, origin = constant.array, self.reading.origin(constant)
        stopped, went_in = self.reading.stop(constant)
        if constant.number is not None:
            box = self.graph.add(CONSTANT, compact(constant.number), (), f"the number {constant.number}")
        else:
            cut = "detached" if origin else f"{stopped} under no_grad" if stopped else ""
            name = constant.name or cut or operand.slot or "constant"
            name += self.step_of(operand, node)
            known = array is not None
            rows = self.texts.data_rows(array, None, None, True) if known else [("", missing)]
            shape = f" {shape_text(array.shape)}" if known else ""
            box = self.graph.add(CONSTANT, name, rows, f"{name}{shape}, does not require grad")
            box.facts = self.texts.data_facts(array, None)
        self.constants[constant.key] = box
        if constant.number is not None or constant.key in self.places.homes:
            self.own.add(box.key)
        self.kept_constants.append(constant)
        if origin is not None:
            box.marks = (STOPPED,)
            box.tip += ": detached, no gradient flows back"
            self.connect_origin(constant, box)
        elif stopped:
            box.marks = (STOPPED,)
            box.tip += f": computed by {stopped} under no_grad(), no gradient flows back"
            for source in went_in:
                self.connect_stopped(source, box, "no_grad: no gradient flows back")
        return box

    def step_of(self, operand, node):
        """What to say of data if the next step or block takes other data in its place."""
        second = self.rolls.seconds.get(node)
        if second is None:
            return ""
        same = [other for other in self.reading.operands(second) if other.position == operand.position]
        taken = same[0].constant if same else None
        return "" if taken is None or taken.key == operand.constant.key else ", this step"

    def connect_origin(self, constant, box):
        """An edge from what a detached tensor shares its memory with."""
        origin = self.reading.origin(constant)
        if origin is not None:
            self.connect_stopped(origin, box, "detached: no gradient flows back")

    def connect_stopped(self, origin, box, tip):
        """A faint edge along which values go forward and no gradient comes back."""
        origin = self.rolls.drawn(origin)
        drawn = origin is not None and (origin in self.sources or self.reading.is_leaf(origin))
        if drawn and self.source(origin) is not box:
            self.graph.connect(self.source(origin), box, tip, faint=True)

    # ---- what is folded

    def add_fold(self, k):
        """The box of a fold, with an edge from each box that gives to it."""
        nodes = self.plan.folds[k].nodes
        inside, uses, leaves = set(nodes), {}, set()
        for node in nodes:
            for i, parent in enumerate(node.parents):
                parent = self.rolls.drawn(parent)
                if parent is None or parent in inside:
                    continue
                if parent in self.in_leaf_fold:
                    leaves.add(parent)
                    continue
                count, strongest = uses.get(self.source(parent).key, (0, None))
                known = [s for s in (strongest, self.flow.along(node, i)) if s is not None]
                uses[self.source(parent).key] = count + 1, max(known, default=None)
        if leaves:
            uses[self.leaf_fold().key] = len(leaves), None
        box = self.fold_box(k)
        for key, (count, strength) in uses.items():
            edge = self.graph.connect(self.graph.boxes[key], box, f"used {count:,} times", count=count)
            edge.strength = strength
            edge.count = 1 if box.kind == MODULE else count

    def fold_box(self, k):
        fold = self.plan.folds[k]
        first = fold.nodes[0]
        if first not in self.sources:
            reading = self.reading
            operations = [node for node in fold.nodes if not reading.is_leaf(node) and not reading.is_pick(node)]
            labels = [reading.full_name(node) for node in operations]
            tip = f"{len(labels):,} operations: {counted(labels)}"
            if fold.around:
                rows = [("", f"{len(labels):,} operations")]
                total = sum(math.prod(reading.shape(node)) for node in fold.nodes if reading.is_leaf(node))
                rows += [("", f"{total:,} parameters")] if total else []
                box = self.graph.add(MODULE, self.frames.title(fold.around), rows, tip)
            else:
                rows = [("", pattern(labels) or counted(labels))]
                box = self.graph.add(FOLD, f"… {len(labels):,} operations", rows, tip)
            self.frames.put_fold(box, fold)
            self.sources.update(dict.fromkeys(fold.nodes, box))
        return self.sources[first]

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
