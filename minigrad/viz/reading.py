"""How a drawing reads the recorded graph: the only file of `viz` that knows what a Node looks like inside.

Before it: `autograd/node.py`.  After it: `walk.py`, which asks a `Reading` for operands, values and gradients and makes
boxes of the answers.  A graph of another kind is drawn by giving `walk.py` another class with these methods.

Nothing is changed, no hook runs, nothing is recorded.  The engine keeps few values (only what a gradient rule named),
so a value is looked for where it may lie: in the tensors drawn or named by the user, in what operations saved, and
last, for small results of deterministic operations whose operands are all known, by computing it again on the side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minigrad.autograd.general import quiet
from minigrad.autograd.node import COPY_SLICES, LEAF, PICK, Leaf, Node, node_of
from minigrad.registry import OPS, arrays
from minigrad.tensor import Tensor

__all__ = ["FEW", "Constant", "Operand", "Reading"]

FEW = 6  # values of at most this many elements are shown as numbers
REPLAY_ELEMENTS = 4096  # operands of at most this many elements are computed with again


@dataclass(slots=True)
class Constant:
    """An operand that gets no gradient. `array` is None where the graph did not keep it."""

    array: np.ndarray | None
    number: object = None
    name: str = ""

    @property
    def key(self):
        """The same array is the same constant, wherever it is used; numbers and unknown operands stand alone."""
        return id(self if self.array is None else self.array)


@dataclass(slots=True)
class Operand:
    """One input of an operation: its name in the op's signature, and the node it came from, or a constant."""

    slot: str
    node: Node | None = None
    constant: Constant | None = None


class Reading:
    """The graph of some tensors, oldest node first.

    roots   the node of each tensor, None for a tensor without history
    order   every node that can be reached from the roots, each after its parents
    """

    def __init__(self, tensors, names):
        self.roots = [node_of(t) for t in tensors]
        self.order = _collect(self.roots)
        self._names, self._constant_names = {}, {}
        self._known: dict[Node, np.ndarray] = {}
        self._constants: dict[tuple[Node, int], np.ndarray] = {}
        present = set(self.order)
        for name, tensor in names:
            node = node_of(tensor)
            if node is None:
                table, key = self._constant_names, id(tensor.array)
            elif node in present:
                table, key = self._names, node
                self._known[node] = tensor.array
            else:
                continue
            table[key] = f"{table[key]} = {name}" if key in table and table[key] != name else name
        for node, tensor in zip(self.roots, tensors, strict=True):
            if node is not None:
                self._known[node] = tensor.array
        for node in self.order:
            self._note_saved(node)

    def is_leaf(self, node) -> bool:
        """Whether gradients end here."""
        return node.op is LEAF

    def is_pick(self, node) -> bool:
        """Whether this is one of several outputs of its only parent."""
        return node.op is PICK

    def is_many(self, node) -> bool:
        """Whether this operation has several outputs, each picked by a node of its own."""
        return bool(node.shape) and not isinstance(node.shape[0], int)

    def index(self, node) -> int:
        """Which of the several outputs a pick is."""
        return node.attrs

    def is_inplace(self, node) -> bool:
        """Whether this is a write into a part of an older tensor."""
        return node.op is COPY_SLICES

    def freed(self, node) -> bool:
        """Whether a backward pass has freed what this operation saved."""
        return node.saved is None

    def parents(self, node):
        """The nodes that gradients go on to."""
        return [parent for parent in node.parents if parent is not None]

    def label(self, node) -> str:
        """The sign or name of the operation."""
        if node.op is COPY_SLICES:
            inner = node.saved[0].op.label if node.saved else "write"
            return "write" if inner == "copy" else inner
        return node.op.label

    def full_name(self, node) -> str:
        """The name of the operation in words."""
        return self.label(node) if node.op is COPY_SLICES else node.op.name

    def name(self, node) -> str:
        """The name the user gave, or nothing."""
        return self._names.get(node, "")

    def constant_name(self, array) -> str:
        """The name the user gave to a tensor without history."""
        return self._constant_names.get(id(array), "")

    def shape(self, node) -> tuple:
        """Shape of the output (of an operation with several outputs: a tuple of shapes)."""
        return node.shape

    def attributes(self, node) -> list[tuple[str, object]]:
        """The (name, value) of each attribute that is not at its default."""
        op, values = node.op, node.attrs
        if op is COPY_SLICES:
            return [("into", _view_text(values[0]))]
        if op is PICK or not isinstance(values, tuple):
            return []
        defaults = getattr(op, "attr_defaults", {})
        pairs = zip(op.attrs, values, strict=False)
        return [(name, v) for name, v in pairs if name not in defaults or not _same(v, defaults[name])]

    def operands(self, node) -> list[Operand]:
        """The inputs in the order of the op's signature, what is not recorded among them where that is known."""
        op, found = node.op, []
        slots = op.inputs or ("",) * len(node.parents)
        if len(slots) != len(node.parents):
            slots = tuple(f"{slots[0] if slots else 'input'} {i}" for i in range(len(node.parents)))
        for i, parent in enumerate(node.parents):
            if parent is not None:
                found.append(Operand(slots[i], parent))
                continue
            constant = self._constant(node, i)
            if constant is not None:
                found.append(Operand(slots[i], None, constant))
        return found

    def _constant(self, node, i):
        if isinstance(node.attrs, dict) and i in node.attrs:
            return Constant(None, node.attrs[i])
        array = self._constants.get((node, i))
        if array is not None:
            return Constant(array, name=self.constant_name(array))
        op = node.op
        if i < len(op.inputs) and op.inputs[i] in getattr(op, "optional", ()):
            return None
        return Constant(None)

    def value(self, node) -> np.ndarray | None:
        """What the node computed, if that can be told."""
        if node.op is LEAF:
            tensor = node.tensor()
            return None if tensor is None else tensor.array
        return self._known.get(node)

    def gradient(self, node) -> np.ndarray | None:
        """`.grad` of a leaf, or of an intermediate result that `retain_grad()` was called on."""
        grad = node.grad if isinstance(node, Leaf) else node.extra and node.extra.grad
        return None if grad is None else grad.array

    def saved(self, node) -> list[tuple[str, object]]:
        """The (name, value) of what the node keeps for its gradient rule; nothing once freed."""
        if node.op is COPY_SLICES or node.saved is None:
            return []
        pairs = zip(node.op.saved, node.saved, strict=False)
        return [(name, v.array if isinstance(v, Tensor) else v) for name, v in pairs if v is not None]

    def _note_saved(self, node):
        """Take down the values that a node saved: they are its parents', its constants' or its own."""
        op = node.op
        if op is COPY_SLICES or not node.saved:
            return
        for name, saved in zip(op.saved, node.saved, strict=False):
            if name == "output":
                version = node.extra and node.extra.vc
                if isinstance(saved, np.ndarray) and not (version and version.time > node.seq):
                    self._known.setdefault(node, saved)
            elif name in op.inputs and isinstance(saved, Tensor):
                i = op.inputs.index(name)
                parent = node.parents[i]
                if parent is None:
                    self._constants[node, i] = saved.array
                elif _unwritten(saved, node):
                    self._known.setdefault(parent, saved.array)

    def compute_missing(self, nodes):
        """Find values that nothing kept, for small results of `nodes` (oldest first) whose operands are known."""
        for node in nodes:
            if node in self._known or node.op is LEAF or not _repeatable(node.op) or _elements(node.shape) > FEW:
                continue
            inputs = [self._operand_array(node, i) for i in range(len(node.parents))]
            if all(a is not None and a.size <= REPLAY_ELEMENTS for a in inputs):
                result = np.asarray(_compute(node, inputs))
                if result.shape == node.shape:
                    self._known[node] = result

    def _operand_array(self, node, i):
        parent = node.parents[i]
        if parent is None:
            constant = self._constant(node, i)
            if constant is None or constant.number is None:
                return None if constant is None else constant.array
            return np.asarray(constant.number)
        if parent.op is LEAF:
            tensor = parent.tensor()
            return tensor.array if tensor is not None and _unwritten(tensor, node) else None
        return self._known.get(parent)


def _collect(roots):
    order = list(dict.fromkeys(node for node in roots if node is not None))
    seen = set(order)
    for node in order:
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                order.append(parent)
    order.sort(key=lambda node: node.seq)
    return order


def _unwritten(tensor, node):
    """Whether the tensor still is what the node saw: one clock dates nodes and writes."""
    return tensor.vc is None or tensor.vc.time <= node.seq


def _elements(shape):
    return int(np.prod(shape)) if all(isinstance(n, int) for n in shape) else FEW + 1


def _repeatable(op):
    """Ops that give the same result again, on arrays as they are; a random one would not."""
    return OPS.get(op.name) is op and (op.pointwise or op.view or op.__module__ in REPEATABLE)


REPEATABLE = ("minigrad.ops.reduce", "minigrad.ops.linalg", "minigrad.ops.loss")


def _compute(node, inputs):
    op = node.op
    attrs = node.attrs if isinstance(node.attrs, tuple) else ()
    if op.pointwise:
        dtype = np.result_type(*[a for a in inputs if a.ndim] or inputs)
        return quiet.run(op.twin, *[a.astype(dtype) for a in inputs], *attrs)
    return quiet.run(arrays(op.__dict__["forward"]), *inputs, *attrs)


def _same(a, b):
    """Whether an attribute is at its default; ``(1, 1)`` is how ``stride=1`` is kept."""
    if isinstance(a, tuple) and a and not isinstance(b, tuple):
        return all(_same(item, b) for item in a)
    return type(a) is type(b) and not isinstance(a, np.ndarray) and a == b


def _view_text(chain):
    return " → ".join(op.label for op, *_ in chain)
