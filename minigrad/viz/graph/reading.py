"""How a drawing reads the recorded graph: the only file of `viz` that knows what a Node looks like inside.

Before it: `autograd/node.py`.  After it: `walk.py`, which asks a `Reading` for operands, values and gradients and makes
boxes of the answers.  A graph of another kind is drawn by giving `walk.py` another class with these methods.

Nothing is changed, no hook runs, nothing is recorded.  The engine keeps few values (only what a gradient rule named),
so a value is looked for where it may lie: in the tensors drawn or named by the user, in what operations saved, and
last, for small results of deterministic operations whose operands are all known, by computing it again on the side.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass

import numpy as np

from minigrad.autograd.engine import recorded_backwards
from minigrad.autograd.general import quiet
from minigrad.autograd.node import COPY_SLICES, LEAF, PICK, DeadEnd, Node, node_of
from minigrad.nn.parameter import Parameter
from minigrad.registry import ARRAYS, OPS, arrays
from minigrad.tensor import Tensor
from minigrad.viz.record.recording import note_of, stop_of

__all__ = ["FEW", "Constant", "Operand", "Reading", "repeatable"]

FEW = 6  # values of at most this many elements are shown as numbers
REPLAY_ELEMENTS = 4096  # operands of at most this many elements are computed with again
USUAL = {
    "by_frequency": False, "ceil_mode": False, "correction": 1, "count_include_pad": True, "descending": False,
    "dilation": 1, "divisor_override": None, "eps": 1e-5, "groups": 1, "how": "mean", "ignore_index": -100,
    "keepdim": False, "label_smoothing": 0.0, "largest": True, "padding": 0, "padding_idx": None, "reduction": "mean",
    "relu": False, "reverse": False, "stride": 1,
}  # attributes at PyTorch's defaults, not worth a line  # fmt: skip

UNSAID = ("name", "sizes", "through")  # attributes that are the engine's own business


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
    """One input of an operation: its name in the op's signature, its place among the node's parents, and the node it
    came from, or a constant."""

    slot: str
    position: int
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
        self._named = []  # what the user named of the tensors without history
        self._known = {}  # node -> (its value, the version counter of the memory it lies in)
        self._constants = {}  # (node, position of the operand) -> array
        self._present = present = set(self.order)
        for name, tensor in names:
            node = node_of(tensor)
            if node is None:
                table, key = self._constant_names, id(tensor.array)
                self._named.append(tensor)
            elif node in present:
                table, key = self._names, node
                self._known[node] = tensor.array, tensor.vc
            else:
                continue
            before = table.get(key)
            table[key] = f"{before} = {name}" if before and name and before != name else before or name
        for node, tensor in zip(self.roots, tensors, strict=True):
            if node is not None and node.shape is not None:  # None: it raised, there is no result
                self._known[node] = tensor.array, tensor.vc
        for node in self.order:
            self._note_saved(node)
        self._writes = self._whole_writes([*tensors, *(tensor for _, tensor in names)])
        self._backwards, self._turns = sorted(recorded_backwards), {}
        self._memories = None  # id of the array that owns a memory -> nodes whose values lie in it

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

    def is_write(self, node) -> bool:
        """Whether this is a write into a part of an older tensor."""
        return node.op is COPY_SLICES

    def is_inplace(self, node) -> bool:
        """Whether this wrote into the memory of an older tensor; of one written to as a whole (``x.mul_(2)``) that is
        known as long as the tensor is."""
        return node.op is COPY_SLICES or self._writes.get(node.seq - 1) == f"{node.op.name}_"

    def is_view(self, node) -> bool:
        """Whether the result lies in its input's memory, as far as can be told: reshape copies where it must."""
        if not getattr(node.op, "view", False):
            return False
        value, source = self.value(node), self.value(node.parents[0]) if node.parents[0] is not None else None
        return value is None or source is None or np.may_share_memory(value, source)

    def is_dead_end(self, node) -> bool:
        """Whether this is a view made under no_grad: it counts as a leaf, but its gradient is thrown away."""
        return isinstance(node, DeadEnd)

    def backward_turn(self, node) -> int:
        """Which backward pass recorded this (create_graph=True): 1 is the first that had a part in the graph; 0: none
        did."""
        i = bisect.bisect(self._backwards, (node.seq, math.inf)) - 1
        if i < 0 or node.seq >= self._backwards[i][1]:
            return 0
        return self._turns.setdefault(i, len(self._turns) + 1)

    def is_backward(self, node) -> bool:
        """Whether this was recorded while a backward pass ran."""
        return self.backward_turn(node) > 0

    def is_parameter(self, node) -> bool:
        """Whether a leaf is a module's parameter, or a tensor that is gone but for its use by one."""
        tensor = node.tensor()
        return tensor is None or isinstance(tensor, Parameter)

    def note(self, node):
        """The `record.recording.Note` of a node that was made inside `viz.recording()`, else None."""
        return note_of(node)

    def modules(self, node) -> tuple:
        """The calls of modules that the node was made in, the outermost first, as far as noted."""
        note = note_of(node)
        return () if note is None else note.modules

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
        label = node.op.label
        return label(node) if callable(label) else label

    def full_name(self, node) -> str:
        """The name of the operation in words."""
        label = self.label(node)
        return label if (label.isascii() and label.isidentifier()) or node.op is COPY_SLICES else node.op.name

    def family(self, node) -> tuple[str, str]:
        """(the file of `minigrad/ops` that has the operation, its name)."""
        return node.op.__module__.rpartition(".")[2], node.op.name

    def key_of(self, tensor):
        """What a tensor is known by among the operands: its node if that is in the graph, else its array; or None."""
        node = node_of(tensor)
        if node is None:
            return id(tensor.array)
        return node if node in self._present else None

    def operand_keys(self, node) -> list:
        """The `key_of` of each leaf and known constant that the operation uses."""
        keys = []
        for i, parent in enumerate(node.parents):
            if parent is None:
                array = self._constants.get((node, i))
                if array is not None:
                    keys.append(id(array))
            elif parent.op is LEAF:
                keys.append(parent)
        return keys

    def origin(self, constant):
        """The node whose value a constant is (of ``y.detach()``: the node of y), or None."""
        array = constant.array
        if array is None or not array.size:
            return None
        if self._memories is None:
            self._memories = {}
            for node in self.order:
                value = self.value(node)
                if value is not None:
                    self._memories.setdefault(id(_owner(value)), []).append((node, value))
        found = self._memories.get(id(_owner(array)), ())
        same = [node for node, value in found if _place(value) == _place(array)]
        over = [node for node, value in found if np.may_share_memory(value, array)]
        return (same or over or [None])[0]

    def stop(self, constant):
        """(the op, the nodes that went in) of what no_grad() cut off in a recording; ("", []) of other constants."""
        op, nodes = ("", []) if constant.array is None else stop_of(constant.array)
        return op, [node for node in nodes if node in self._present]

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
        """The (name, value) of each attribute that says something: not the usual ones, not the shape of the output."""
        op, values = node.op, node.attrs
        if op is COPY_SLICES:
            return [pair for link in values[0] for pair in zip(link[0].attrs, link[1], strict=False)]
        if op is PICK or not isinstance(values, tuple):
            return []
        usual = USUAL | getattr(op, "attr_defaults", {})
        unsaid = (*UNSAID, "dim") if node.shape == () else UNSAID
        return [
            (name, value)
            for name, value in zip(op.attrs, values, strict=False)
            if name not in unsaid and not (name in usual and _same(value, usual[name])) and not _same(value, node.shape)
        ]

    def operands(self, node) -> list[Operand]:
        """The inputs in the order of the op's signature, what is not recorded among them where that is known."""
        op, found = node.op, []
        slots = op.inputs or ("",) * len(node.parents)
        if op is COPY_SLICES:
            slots = ("input", *["value"] * (len(node.parents) - 1))
        elif len(slots) != len(node.parents):
            slots = tuple(f"{slots[0]} {i}" for i in range(len(node.parents)))
        for i, parent in enumerate(node.parents):
            if parent is not None:
                found.append(Operand(slots[i], i, parent))
                continue
            constant = self._constant(node, i)
            if constant is not None:
                found.append(Operand(slots[i], i, None, constant))
        return found

    def _constant(self, node, i):
        if isinstance(node.attrs, dict) and i in node.attrs:
            given = node.attrs[i]
            return Constant(given) if np.ndim(given) else Constant(None, given)
        array = self._constants.get((node, i))
        if array is not None:
            return Constant(array, name=self.constant_name(array))
        is_optional = i < len(node.op.inputs) and node.op.inputs[i] in getattr(node.op, "optional", ())
        return Constant(None) if not is_optional or self._was_left_out(node, i) is False else None

    def value(self, node) -> np.ndarray | None:
        """What the node computed, if that can be told."""
        if node.op is LEAF:
            tensor = node.tensor()
            return None if tensor is None else tensor.array
        return self._known.get(node, (None,))[0]

    def gradient(self, node) -> np.ndarray | None:
        """`.grad` of a leaf, or of an intermediate result that `retain_grad()` was called on."""
        grad = node.grad if node.op is LEAF else node.extra and node.extra.grad
        return None if grad is None else grad.array

    def saved(self, node) -> list[tuple[str, np.ndarray]]:
        """The (name, array) of what the node keeps for its gradient rule; nothing once freed."""
        if node.op is COPY_SLICES or node.saved is None or node.shape is None:
            return []
        pairs = zip(node.op.saved, node.saved, strict=False)
        arrays_of = [(name, v.array if isinstance(v, Tensor) else v) for name, v in pairs]
        return [(name, array) for name, array in arrays_of if isinstance(array, np.ndarray)]

    def _whole_writes(self, tensors):
        """{date: name of the method} of what is known to have been written in place."""
        versions = {id(vc): vc for vc in [*(t.vc for t in tensors), *(vc for _, vc in self._known.values())] if vc}
        return {time: writer for vc in versions.values() for time, writer, _ in vc.log}

    def _note_saved(self, node):
        """Take down the values that a node saved: they are its parents', its constants' or its own."""
        op = node.op
        if op is COPY_SLICES or not node.saved:
            return
        for name, saved in zip(op.saved, node.saved, strict=False):
            if name == "output":
                version = node.extra and node.extra.vc
                if isinstance(saved, np.ndarray) and _unwritten(version, node):
                    self._known.setdefault(node, (saved, version))
            elif name in op.inputs and isinstance(saved, Tensor):
                i = op.inputs.index(name)
                parent = node.parents[i]
                if parent is None:
                    self._constants[node, i] = saved.array
                elif _unwritten(saved.vc, node):
                    self._known.setdefault(parent, (saved.array, saved.vc))

    def compute_missing(self, nodes, most=FEW, operands=REPLAY_ELEMENTS):
        """Find values that nothing kept, for results of at most `most` elements of `nodes` (oldest first) whose
        operands are known and have at most `operands` elements each; and constants, by `_recognize`."""
        for node in nodes:
            if self._named and node.op.pointwise and math.prod(node.shape) <= operands:
                self._recognize(node)
            if node in self._known or node.shape is None or self.is_many(node) or math.prod(node.shape) > most:
                continue
            source = _source(node)
            if not repeatable(source.op):
                continue
            inputs = [self.operand_array(source, i) for i in range(len(source.parents))]
            if self.is_write(node):
                inputs[0] = self.operand_array(node, 0)
            if all(self._was_left_out(source, i) if a is None else a.size <= operands for i, a in enumerate(inputs)):
                result = _rewritten(node, inputs) if self.is_write(node) else _compute(source, inputs)
                result = np.asarray(result[node.attrs] if node.op is PICK else result)
                if result.shape == node.shape:
                    self._known[node] = result, None

    def _recognize(self, node):
        """Find the constant of a pointwise operation that needs none for its gradient (t of ``t - y``) among what the
        user named: the only one that gives the very result, if that is known."""
        result, version = self._known.get(node, (None, None))
        inputs = [self.operand_array(node, i) for i in range(len(node.parents))]
        unknown = [i for i, array in enumerate(inputs) if array is None]
        if result is None or not _unwritten(version, node) or len(unknown) != 1 or not repeatable(node.op):
            return
        (i,) = unknown
        if node.parents[i] is not None:
            return
        found = {}
        for tensor in self._named:
            inputs[i] = array = tensor.array
            shapes = [each.shape for each in inputs]
            if _unwritten(tensor.vc, node) and _broadcast(shapes) == result.shape:
                same = np.array_equal(_compute(node, inputs), result, equal_nan=True)
                found |= {id(array): array} if same else {}
        if len(found) == 1:
            (self._constants[node, i],) = found.values()

    def _was_left_out(self, node, i):
        """Whether an operand was None, as far as what the operation saved tells; None if that says nothing."""
        op = node.op
        name = op.inputs[i] if i < len(op.inputs) else ""
        if name not in op.optional:
            return False
        if not node.saved:
            return None
        saved = dict(zip(op.saved, node.saved, strict=True))
        for told in (f"{name}_shape", f"{name}_dtype"):  # noted of every operand that was given
            if told in saved:
                return saved[told] is None
        wanted = {slot for slot, parent in zip(op.inputs, node.parents, strict=True) if parent is not None}
        if name not in saved or not (op.vjp or any(name in op.needs[slot] for slot in wanted)):
            return None
        return saved[name] is None

    def operand_array(self, node, i) -> np.ndarray | None:
        """What the i-th operand of an operation was when it ran, if that can still be told."""
        parent = node.parents[i]
        if parent is None:
            constant = self._constant(node, i)
            if constant is None or constant.number is None:
                return None if constant is None else constant.array
            return np.asarray(constant.number)
        if parent.op is LEAF:
            tensor = parent.tensor()
            array, version = (None, None) if tensor is None else (tensor.array, tensor.vc)
        else:
            array, version = self._known.get(parent, (None, None))
        return array if _unwritten(version, node) else None


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


def _owner(array):
    """The array whose memory this one's numbers lie in."""
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


def _place(array):
    return array.__array_interface__["data"][0], array.shape, array.strides


def _unwritten(version, node):
    """Whether a memory still holds what the node saw: one clock dates nodes and writes."""
    return version is None or version.time <= node.seq


def repeatable(op):
    """Whether the op gives the same result again: it is ours: random numbers are drawn before it, and given to it."""
    return OPS.get(op.name) is op and op.__module__.startswith("minigrad.ops.")


def _broadcast(shapes):
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        return None


def _compute(node, inputs):
    op = node.op
    attrs = node.attrs if isinstance(node.attrs, tuple) else ()
    if op.pointwise:
        numbers = node.attrs if isinstance(node.attrs, dict) else ()  # they take the dtype of the arrays
        dtype = np.result_type(*[a for i, a in enumerate(inputs) if i not in numbers] or inputs)
        return quiet.run(op.twin, *[a.astype(dtype) for a in inputs], *attrs)
    forward = arrays(op.__dict__["forward"])
    result = quiet.run(forward, inputs, *attrs) if op.variadic else quiet.run(forward, *inputs, *attrs)
    return result[0] if op.aux and not op.pieces else result


def _source(node):
    """The operation that made what this node stands for: of one output of several, of a write into a part."""
    if node.op is COPY_SLICES and node.saved:
        return node.saved[0]
    return node.parents[0] if node.op is PICK else node


def _rewritten(node, inputs):
    """The base of a view after the view was written to: ``base[0].mul_(2)``."""
    (inner,), (chain, order) = node.saved, node.attrs
    base = part = ARRAYS["copy_laid_out"](inputs[0], order)
    for op, attrs, *_ in chain:
        part = quiet.run(arrays(op.__dict__["forward"]), part, *attrs)
    quiet.run(np.copyto, part, _compute(inner, [part, *inputs[1:]]), "unsafe")
    return base


def _same(a, b):
    """Whether an attribute is at its default; ``(1, 1)`` is how ``stride=1`` is kept."""
    if isinstance(a, tuple) and a:
        pairs = zip(a, b, strict=False) if isinstance(b, tuple) else [(item, b) for item in a]
        return (not isinstance(b, tuple) or len(a) == len(b)) and all(_same(x, y) for x, y in pairs)
    return type(a) is type(b) and not isinstance(a, np.ndarray) and a == b
