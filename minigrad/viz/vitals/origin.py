"""Where the first NaN or infinity came from: the operation whose result is not finite while its operands are.

Before it: `graph/reading.py`, which finds the values of recorded operations.  After it: `passes.py`.

In the forward the graph is walked from the bad result down: as long as an operand is bad too, to the oldest such
operand. (Not just "the first bad value in time": the -inf of an attention mask is meant, and ends at a softmax.)  In
the backward each operation that may have an infinite derivative is looked at as the gradient passes it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from minigrad.autograd.node import LEAF, Handle, extra_of
from minigrad.registry import OPS
from minigrad.viz.graph.reading import Reading
from minigrad.viz.graph.text import number
from minigrad.viz.record.recording import note_of

__all__ = ["Origin", "forward_origin", "graph_origin", "is_bad", "watch_backward"]

COMPUTED_AGAIN = 1 << 22  # elements: values that nothing kept are computed up to this size
SINGULAR = frozenset(
    """acos acosh addcdiv asin atan2 atanh cosh cumprod digamma div exp exp2 expm1 float_power lgamma linalg_vector_norm
    log log10 log1p log2 log_odds logsumexp pow prod reciprocal rsqrt sinh sqrt std tan var xlogy""".split()
)  # operations with derivatives that can be infinite, or overflow


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the first number that is not finite was made.

    what     "op", "layer" (nothing was recorded: only the layer is known), "input", "parameter", or "loss" (after the
             model's output)
    when     "forward" or "backward"
    name     of the operation, the layer, the input or the parameter
    layer    the path of the layer in which it happened, or if not `exact`, on the way to whose output; "" is the model
    detail   the numbers: ``"log(-0.3) = nan"``; "" if not known
    line     (file, line, code) of the user's program, or None
    certain  False: an operand's value is not known, it may have been bad already
    """

    what: str
    when: str
    name: str = ""
    layer: str | None = None
    detail: str = ""
    line: tuple[str, int, str] | None = None
    certain: bool = True
    exact: bool = False
    shape: tuple = ()


def is_bad(array) -> bool:
    """Whether an array holds NaN or infinity."""
    return array.dtype.kind in "fc" and not np.isfinite(array).all()


def forward_origin(model, inputs, output, outputs, calls) -> Origin:
    """Why a model's output is not finite.

    inputs   name to Tensor: what the model was given
    output   the tensors it gave
    outputs  (path, tensor) of its layers, in time; calls: the `Call`s of a pass
    """
    for name, tensor in inputs.items():
        if is_bad(tensor.array):
            return Origin("input", "forward", name, shape=tuple(tensor.shape))
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_bad(tensor.array):
            return Origin("parameter", "forward", name, shape=tuple(tensor.shape))
    found = graph_origin(output, outputs, calls)
    if found is not None:
        return found
    for path, tensor in outputs:
        if is_bad(tensor.array):
            return Origin("layer", "forward", path, path, shape=tuple(tensor.shape))
    return Origin("layer", "forward", "", "")


def graph_origin(tensors, known=(), calls=()) -> Origin | None:
    """The operation in the recorded graph of some tensors that made the first bad number; None if there is none, or
    nothing was recorded.

    known  (name, tensor) of intermediate results, for values that operations did not keep
    """
    bad = [t for t in tensors if t.node is not None and t.node.op is not LEAF and is_bad(t.array)]
    if not bad:
        return None
    reading = Reading(bad, list(known))
    reading.compute_missing(reading.order, COMPUTED_AGAIN, COMPUTED_AGAIN)
    node, certain = reading.roots[0], True
    while True:
        worse, certain = _bad_operand(reading, node)
        if worse is None:
            break
        node = worse
    if reading.is_leaf(node):
        return Origin("parameter", "forward", reading.name(node), shape=node.shape)
    node = node.parents[0] if reading.is_pick(node) else node
    shape = () if reading.is_many(node) else node.shape
    layer, exact = _layer_of(note_of(node), node.seq, calls)
    return Origin(
        "op", "forward", reading.full_name(node), layer, _equation(reading, node), _line(node), certain, exact, shape
    )


def _bad_operand(reading, node):
    """(the oldest result that is bad among those an operation was computed from, or None; whether all were known)."""
    front, seen, found, certain = [node], {node}, [], True
    while front:
        for parent in reading.parents(front.pop()):
            if parent in seen:
                continue
            seen.add(parent)
            value = reading.value(parent)
            if value is None:  # look through it
                certain = certain and reading.is_many(parent)
                front.append(parent)
            elif is_bad(value):
                found.append(parent)
    return (min(found, key=lambda n: n.seq), True) if found else (None, certain)


def watch_backward(order, report, calls, thorough=False) -> list[Handle]:
    """Have `report(Origin)` called when an operation of `order` gives a gradient that is not finite for one that is.

    thorough  look at all operations, not only at those in `SINGULAR`
    """
    return [
        Handle(extra_of(node).behind, _Behind(node, report, calls))
        for node in order
        if node.op is not LEAF and (thorough or node.op.name in SINGULAR)
    ]


class _Behind:
    """A hook behind one operation."""

    def __init__(self, node, report, calls):
        self.name, self.line, self.report = _name(node), _line(node), report
        self.layer = functools.partial(_layer_of, note_of(node), node.seq, calls)  # `calls` may yet grow
        op = node.op
        self.keeps = op.saved.index("output") if op.saves_output and node.saved else None
        self.output = node.saved[self.keeps] if self.keeps is not None else None

    def __call__(self, grad_inputs, grad_outputs):
        if any(g is not None and is_bad(g.array) for g in grad_outputs):
            return
        for g in grad_inputs:
            if g is not None and is_bad(g.array):
                layer, exact = self.layer()
                where, shape = self._where(g.array), tuple(g.shape)
                self.report(Origin("op", "backward", self.name, layer, where, self.line, True, exact, shape))
                return

    def _where(self, g):
        place = np.unravel_index(int(np.argmin(np.isfinite(g))), g.shape)
        if isinstance(self.output, np.ndarray) and self.output.shape == g.shape:
            return f"d {self.name} = {number(g[place])} where {self.name} = {number(self.output[place])}"
        return f"d {self.name} = {number(g[place])}"


def _name(node):
    return node.op.name if OPS.get(node.op.name) is node.op else node.name()


def _line(node):
    note = note_of(node)
    return None if note is None else (note.file, note.line, note.code)


def _layer_of(note, seq, calls):
    """(path of the layer in which a node was made, True), or without a note (that whose output came next, False)."""
    if note is not None and note.modules:
        return note.modules[-1].path, True
    later = [call for call in calls if call.finished >= seq]
    return (min(later, key=lambda call: call.finished).path if later else None), False


def _equation(reading, node):
    """``"log(-0.3) = nan"``: the first bad number of a pointwise operation, and what it was computed from."""
    value, op = reading.value(node), node.op
    if value is None or not getattr(op, "pointwise", False) or not is_bad(value):
        return ""
    place = np.unravel_index(int(np.argmin(np.isfinite(value))), value.shape)
    numbers = []
    for operand in reading.operands(node):
        array = reading.value(operand.node) if operand.node is not None else operand.constant.array
        if operand.constant is not None and operand.constant.number is not None:
            array = np.asarray(operand.constant.number)
        if array is None:
            return ""
        numbers.append(number(np.broadcast_to(array, value.shape)[place]))
    label, result = reading.label(node), number(value[place])
    if len(numbers) == 2 and len(label) == 1:
        return f"{numbers[0]} {label} {numbers[1]} = {result}"
    return f"{reading.full_name(node)}({', '.join(numbers)}) = {result}"
