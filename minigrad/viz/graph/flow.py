"""How large the gradients are that flow back along the edges: where they vanish, where they explode.

The engine keeps gradients of leaves only, so the backward pass is done once more on the side (`chain/backward.py`), of
which nothing but the norms is kept.  Used by `walk.py`; the colours are in `style.py`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from minigrad.viz.chain import backward
from minigrad.viz.graph.contents import norm

__all__ = ["Flow", "measure", "span"]

FREED = (
    "The gradients of some edges can't be told: a backward pass has freed what they are computed from. Draw before "
    "backward(), or call backward(retain_graph=True)."
)
POWERS = 8  # of ten, that the colours span: what is smaller has vanished
UNKNOWN = "The gradients of some edges can't be told: a rule could not be run again."


@dataclass(slots=True)
class Flow:
    """`edges` has the norm by (node, position of its operand), `nodes` that of a node's own, complete gradient."""

    edges: dict = field(default_factory=dict)
    nodes: dict = field(default_factory=dict)
    note: str = ""

    def at(self, node):
        """The norm of the gradient of a node's result, or None."""
        return self.nodes.get(node)

    def along(self, node, position):
        """The norm of the gradient that an operation gives to an operand, or None."""
        return self.edges.get((node, position))


def measure(reading) -> Flow:
    """Do the backward pass by hand, from ones at the roots, and take the norms."""
    flow, problems = Flow(), set()
    roots = [root for root in reading.roots if root is not None]
    seeds = {root: np.ones(reading.shape(root), _dtype(reading, root)) for root in roots}
    for step in backward.walk_back(reading, seeds):
        problems.add(step.problem)
        if step.problem:
            continue
        if not isinstance(step.upstream, list):
            flow.nodes[step.node] = norm(step.upstream)
        for part in step.parts:
            flow.edges[step.node, part.position] = norm(part.product)
    if backward.FREED in problems:
        flow.note = FREED
    elif problems - {""}:
        flow.note = UNKNOWN
    return flow


def _dtype(reading, root):
    """The dtype of what is drawn: the gradient has the same."""
    value = reading.value(root)
    return np.float32 if value is None else value.dtype


def span(strengths):
    """The (least, greatest) power of ten of the scale, which ends above the greatest norm and always spans as many, so
    that drawings can be compared; None if no norm is a number above 0."""
    known = [s for s in strengths if s is not None and s > 0 and math.isfinite(s)]
    if not known:
        return None
    greatest = math.ceil(math.log10(max(known)))
    return greatest - POWERS, greatest
