"""The backward pass by hand: what the engine would do, one node at a time, and every number of it kept to be shown.

Before it: `autograd/engine.py`, whose order and arithmetic this follows, and `graph/reading.py`, which finds values.
After it: `story.py`, which writes the steps down as data; `draw` takes the gradients' norms from the same walk.

    upstream ∂L/∂v5 ──▶ rule of the node ──▶ for each operand   local ∂v5/∂v3   product = upstream · local
                                                                total: the products that have met so far

Nothing is changed: no hook runs, nothing is freed, `.grad` and the versions stay, and a graph that a backward pass has
freed is walked too where its operands can be found or computed again (then the operation is recorded once more, on the
side).  Where that is not possible the step says so in `problem` and the walk goes on without its gradients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from minigrad.autograd import door
from minigrad.autograd.engine import fit, materialized
from minigrad.autograd.modes import enable_grad, no_grad
from minigrad.autograd.node import COPY_SLICES, LEAF, PICK, Node
from minigrad.registry import OPS
from minigrad.tensor import Tensor, wrap
from minigrad.viz.graph.reading import repeatable

__all__ = ["FREED", "INCOMPLETE", "REFUSED", "Part", "Step", "pull", "walk_back"]

FREED = "freed"  # what the rule needs was freed by a backward pass, and can't be computed again
REFUSED = "refused"  # the rule raised: what it saved was written to since, or a Function's backward failed
INCOMPLETE = "incomplete"  # a part of the gradient would have come from a step with one of these problems


@dataclass(slots=True)
class Part:
    """What one operand of a node gets. `position` is its place among the node's parents, `node` the parent.

    local    the local derivative by elements: of a pointwise operation an array of the output's shape, of any other
             with an output of one element an array of the operand's shape; None where the Jacobian is no such array
    product  the gradient that goes to the operand: upstream times Jacobian, summed back to the operand's shape
    total    the sum of all products that have reached the operand so far, this one included
    first    whether this is the first to reach it
    """

    position: int
    node: Node
    local: np.ndarray | None
    product: np.ndarray
    total: np.ndarray
    first: bool


@dataclass(slots=True)
class Step:
    """One node's turn. `upstream` is its gradient, complete (of a node with several outputs: a list, None for those
    that were not used); `problem` is "" or why there are no parts. With the problem INCOMPLETE `upstream` is None."""

    node: Node
    upstream: object
    parts: list[Part] = field(default_factory=list)
    problem: str = ""


def walk_back(reading, seeds, local=False, only=None):
    """Yield a `Step` for each node that a gradient reaches, in the engine's order: the youngest first, leaves last.

    reading  a `Reading` of the graph
    seeds    {root's node: its gradient as an array}
    local    work out the local derivatives too (`Part.local`); without, a step costs what it costs the engine
    only     nodes: no other takes its turn. None: all do
    """
    pending, incomplete = dict(seeds), set()
    for node in reversed(reading.order):
        upstream = pending.pop(node, None)
        if only is not None and node not in only:
            continue
        if node in incomplete:
            step = Step(node, None, problem=INCOMPLETE)
        elif upstream is None:
            continue
        else:
            step = Step(node, upstream)
            if node.op is PICK:
                _put(pending, step)
            elif node.op is not LEAF:
                _run(reading, step, pending, local)
        if step.problem:
            incomplete.update(parent for parent in node.parents if parent is not None)
        yield step


def _put(pending, step):
    """One output of several gives its gradient to the node that made them all."""
    (parent,) = step.node.parents
    grads = pending.setdefault(parent, [None] * len(parent.shape))
    k, product = step.node.attrs, step.upstream
    first = grads[k] is None
    grads[k] = product if first else grads[k] + product
    step.parts.append(Part(0, parent, None, product, grads[k], first))


def _run(reading, step, pending, local):
    node = step.node
    try:
        source, products = _products(reading, node, step.upstream)
    except Exception as error:  # a rule that refuses stale operands, or whatever a user's own backward raises
        step.problem = FREED if isinstance(error, _Freed) else REFUSED
        return
    locals_ = _locals(source, step.upstream) if local else None
    for i, (parent, product) in enumerate(zip(node.parents, products, strict=True)):
        if parent is None or product is None:
            continue
        product = np.asarray(product)
        old = pending.get(parent)
        total = pending[parent] = product if old is None else old + product
        step.parts.append(Part(i, parent, locals_ and locals_[i], product, total, old is None))


def pull(reading, node, gradient) -> list:
    """What each parent of the node gets if the node gets this gradient (a list, if it has several outputs): upstream
    times Jacobian, None where nothing goes. Raises what the rule raises, RuntimeError if what it needs was freed."""
    if node.op is PICK:
        (parent,) = node.parents
        return [[gradient if k == node.attrs else None for k in range(len(parent.shape))]]
    return list(_products(reading, node, gradient)[1])


def _products(reading, node, gradient):
    full = materialized(node, gradient, np.zeros) if isinstance(gradient, list) else gradient
    with no_grad(), np.errstate(all="ignore"):
        source = _able(reading, node)
        return source, fit(source.op.run(source, full), node, "run")


def _locals(node, upstream):
    """The local derivative of each operand: what the rule gives for the gradient 1."""
    op = node.op
    if isinstance(upstream, list) or not (op.pointwise or upstream.size == 1) or op is COPY_SLICES:
        return None
    if not isinstance(op, type):  # a Function's backward need not be linear in its gradient, nor be run twice
        return None
    with no_grad(), np.errstate(all="ignore"):
        ones = op.run(node, np.ones_like(upstream))
    return [None if one is None else np.asarray(one) for one in ones]


class _Freed(RuntimeError):
    """What a rule needs is gone."""


def _able(reading, node):
    """The node, or if what it saved is gone, one of the same operation recorded again."""
    if node.saved is not None:
        return node
    op = node.op
    if not isinstance(op, type) or not repeatable(OPS.get(op.name)):
        raise _Freed(FREED)
    inputs = [_operand(reading, node, i) for i in range(len(node.parents))]
    attrs = node.attrs if isinstance(node.attrs, tuple) else ()
    with enable_grad():
        made = door.direct(op)(inputs, *attrs) if op.variadic else door.direct(op)(*inputs, *attrs)
    made = made if isinstance(made, Tensor) else next(t for t in made if t.node is not None)
    return made.node.parents[0] if made.node.op is PICK else made.node


def _operand(reading, node, i):
    """The i-th operand as it was: a tensor, or the number or None that was given."""
    op, parent = node.op, node.parents[i]
    if isinstance(node.attrs, dict) and i in node.attrs:
        return node.attrs[i]
    array = reading.operand_array(node, i)
    if array is None:
        if parent is None and i < len(op.inputs) and op.inputs[i] in op.optional:
            return None
        raise _Freed(FREED)
    tensor = wrap(array)
    return tensor if parent is None else tensor.requires_grad_()
