"""`explain`: the chain rule for one graph, every path from `y` to `x` with its product of local derivatives.

Comes after `backward.py` and `telling.py`; `explanation.py` writes down what is found here.

    y = (a + b) · a          y ← v1 ← a        ∂y/∂v1 · ∂v1/∂a = a · 1
                             y ← a             ∂y/∂a           = v1         and the sum over both is a.grad

There may be more paths than atoms in the universe (each ``x + f(x)`` doubles them), so they are not walked one by one:
their number is the sum of the parents' numbers, node by node; their sum is what the backward pass computes anyway; and
the most important ones are found as shortest paths are, by keeping the few best of each node.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from minigrad.autograd.node import PICK, node_of
from minigrad.errors import describe, shape_text
from minigrad.tensor import Tensor
from minigrad.viz.chain.backward import pull, walk_back
from minigrad.viz.chain.explanation import Explanation, Factor, Path
from minigrad.viz.chain.telling import Telling
from minigrad.viz.graph.names import names_of
from minigrad.viz.values import takes_values

__all__ = ["explain"]

CELLS = 4096  # a Jacobian of more numbers is not worked out: neither that of y by x nor that of a factor
MATRIX = 64  # and one of more numbers is not shown


@takes_values
def explain(y, x, params=None, *, max_paths=6) -> Explanation:
    """explain(y, x, params=None) -> Explanation.  The chain rule for this very graph: every path from `y` back to `x`
    with its product of local derivatives, in symbols and numbers. Together they are what ``y.backward()`` adds to
    `x.grad`.

    y          the Tensor that is differentiated. One with more than one element is explained by its Jacobian
    x          the Tensor it is differentiated by: a leaf, or a result on the way that requires grad
    params     names, as `draw` takes them: a Module, a dict (``locals()`` will do), or (name, Tensor) pairs.
               Results without a name are called v3, v4 ..., but `x` is x, and `y` is y, or output where
               another tensor is called y
    max_paths  how many paths are written out. If there are more, the most important ones are, and what the others sum
               to is said

    Nothing is changed: no `.grad` is written, nothing is freed. Call it before ``backward()``, or keep the graph with
    ``retain_graph=True``.

    Raises TypeError if `y` or `x` is no Tensor; ValueError if `x` is not in the graph of `y`, if the Jacobian would
    have more than 4096 numbers (explain a sum or one element of `y`), or for `max_paths` below 1; RuntimeError if a
    backward pass has freed what is needed.

    >>> import minigrad
    >>> from minigrad import viz
    >>> w, x = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(3.0)
    >>> print(viz.explain((w * x) ** 2, w, {"w": w, "x": x}))
    ∂y/∂w = 36.0
    <BLANKLINE>
    y ← v2 ← w
      ∂y/∂v2 · ∂v2/∂w
    = (2 · v2) · x
    = 12.0 · 3.0
    = 36.0
    <BLANKLINE>
    where
      v2 = w · x = 6.0
      y = v2² = 36.0
    """
    for argument, value in (("y", y), ("x", x)):
        if not isinstance(value, Tensor):
            raise TypeError(f"explain(): argument '{argument}' must be a Tensor, not {describe(value)}")
    if isinstance(max_paths, bool) or not isinstance(max_paths, int):
        raise TypeError(f"explain(): argument 'max_paths' must be int, not {type(max_paths).__name__}")
    if max_paths < 1:
        raise ValueError(f"explain(): argument 'max_paths': got {max_paths}; expected at least 1")
    return _Explainer(y, x, names_of(params, "explain()").pairs, max_paths).explanation


class _Way(NamedTuple):
    """A path from a node down to x: the edge it takes first and the `_Way` from there; `gain` is the logarithm of how
    much gradient it lets through, by the norms met in the backward pass."""

    gain: float
    node: object
    position: int
    rest: _Way | None


class _Explainer:
    def __init__(self, y, x, names, max_paths):
        self.y = y
        self.target = node_of(x)
        self.telling = Telling(y, _with_both(names, y, x), MATRIX)
        self.reading, self.root = self.telling.reading, self.telling.root
        self.check(x)
        self.between = self.nodes_between()
        self.edges = {
            node: [(i, parent) for i, parent in enumerate(node.parents) if parent in self.between]
            for node in self.between
            if node is not self.target
        }
        self.gains = {}
        self.is_scalar = y.array.size == 1  # then ∂y/∂x has x's shape
        total = self.total(x)
        count = self.count()
        ways = self.best(max_paths)
        paths = [self.path(way) for way in ways]
        if self.is_scalar:
            paths.sort(key=lambda path: -_norm(path.value))
        rest = np.zeros_like(total)
        if len(paths) < count:
            with np.errstate(all="ignore"):
                rest = total - sum(path.value for path in paths)
        self.explanation = Explanation(
            y=self.telling.shown(self.root),
            x=self.telling.shown(self.target),
            y_shape=y.array.shape,
            x_shape=x.array.shape,
            paths=paths,
            count=count,
            total=total,
            rest=rest,
            where=self.where(ways),
        )

    def check(self, x):
        """ValueError where there is nothing to explain."""
        if self.target is None:
            raise ValueError(
                "explain(): x does not require grad, so y's graph does not lead to it: make it with requires_grad=True "
                "before y is computed"
            )
        if self.target not in self.telling.ids:
            raise ValueError(
                f"explain(): x {shape_text(x.array.shape)} is not in the graph of y: y was computed without it, from a "
                "detach()ed copy, under no_grad(), or from what x was before it was written to in place"
            )
        cells = self.y.array.size * x.array.size
        if self.y.array.size != 1 and cells > CELLS:
            raise ValueError(
                f"explain(): the Jacobian of y {shape_text(self.y.array.shape)} by x {shape_text(x.array.shape)} has "
                f"{cells:,} numbers, more than {CELLS:,}: explain y.sum() or one element of y"
            )

    def nodes_between(self):
        """The nodes on the paths, oldest first (a dict, for its order)."""
        found = {self.target: None}
        for node in self.reading.order:
            if node is not self.target and any(parent in found for parent in node.parents):
                found[node] = None
        return found

    def count(self):
        """How many paths there are, exactly."""
        counts = {self.target: 1}
        for node, edges in self.edges.items():
            counts[node] = sum(counts[parent] for _, parent in edges)
        return counts[self.root]

    # ---- numbers

    def total(self, x):
        """∂y/∂x by the backward pass: of x's shape if y is one number, else of y's shape and x's."""
        rows, before = [], self.between.keys() - {self.target}
        for seed in _units(self.y.array):
            found = seed if self.root is self.target else None
            for step in walk_back(self.reading, {self.root: seed}, local=True, only=before):
                if step.problem:
                    raise self.unknown(step)
                for part in step.parts:
                    self.note_gain(step, part)
                    if part.node is self.target:
                        found = part.total
            rows.append(np.zeros(x.array.shape, x.array.dtype) if found is None else np.asarray(found))
        shape = x.array.shape if self.is_scalar else (*self.y.array.shape, *x.array.shape)
        return np.array(rows, x.array.dtype).reshape(shape)

    def note_gain(self, step, part):
        """How much gradient an edge lets through: of single numbers the local derivative, else by how much the norm
        grows; for several rows of a Jacobian the most."""
        key = step.node, part.position
        if step.node.op is PICK:
            gain = 1.0
        elif part.local is not None and part.local.size == 1:
            gain = _norm(part.local)
        else:
            gain = _norm(part.product) / max(_norm(step.upstream), 1e-300)
        self.gains[key] = max(self.gains.get(key, 0.0), 0.0 if math.isnan(gain) else gain)

    def unknown(self, step):
        shown = self.telling.shown(step.node).args[0]
        why = (
            "a backward pass has freed what its derivative needs: call explain before backward(), or backward("
            "retain_graph=True)"
            if self.reading.freed(step.node)
            else "what its derivative needs was written to in place since"
        )
        return RuntimeError(f"explain(): {shown} ({self.reading.full_name(step.node)}) can't be differentiated: {why}")

    # ---- paths

    def best(self, most):
        """The `most` ways from y to x that let most gradient through, the best first."""
        ways = {self.target: [_Way(0.0, self.target, -1, None)]}
        for node, edges in self.edges.items():
            found = [
                _Way(_log(self.gains.get((node, i), 0.0)) + way.gain, node, i, way)
                for i, parent in edges
                for way in ways[parent]
            ]
            found.sort(key=lambda way: -way.gain)
            ways[node] = found[:most]
        return ways[self.root]

    def path(self, way):
        """The path's factors and its product."""
        factors, nodes, slots, gradients = [], [self.root], [], list(_units(self.y.array))
        output = self.root
        while way.rest is not None:
            node, position, way = way.node, way.position, way.rest
            gradients = [_pulled(self.reading, node, g, position) for g in gradients]
            if node.op is not PICK:  # with the operation that made the picked output, one factor
                factors.append(self.factor(output, node, position))
            if way.node.op is PICK or not self.reading.is_many(way.node):
                output = way.node
                nodes.append(output)
                slots.append(self.slot(node, position))
        shape = self.reading.shape(self.target)
        value = np.array([np.zeros(shape) if g is None else g for g in gradients])
        value = value.reshape(shape if self.is_scalar else (*self.y.array.shape, *shape))
        return Path([self.telling.shown(node) for node in nodes], slots, factors, value)

    def slot(self, node, position):
        """The operand's name in the op's signature, where the same tensor is given for several."""
        if node.parents.count(node.parents[position]) == 1:
            return ""
        entry = self.telling.nodes[self.telling.ids[node]]
        return entry["inputs"][self.telling.place(node, position)]["slot"]

    def factor(self, output, node, position):
        telling, reading = self.telling, self.reading
        parent = node.parents[position]
        rows, columns = math.prod(reading.shape(output)), math.prod(reading.shape(parent))
        local = telling.local_text(node, position)
        return Factor(
            output=telling.shown(output),
            input=telling.shown(parent),
            rows=rows,
            columns=columns,
            local=local,
            product=telling.product_text(node, position) if local is None else None,
            numbers=telling.numbers_text(node, position),
            diagonal=local is not None and rows > 1 and reading.shape(output) == reading.shape(parent),
            jacobian=self.jacobian(output, node, position) if rows * columns <= MATRIX else None,
        )

    def jacobian(self, output, node, position):
        """The [rows, columns] matrix of all partial derivatives of one factor."""
        columns = math.prod(self.reading.shape(node.parents[position]))
        found = []
        for unit in _units(np.empty(self.reading.shape(output), self.y.array.dtype)):
            gradient = unit
            if output is not node:
                gradient = [unit if k == output.attrs else None for k in range(len(node.shape))]
            row = pull(self.reading, node, gradient)[position]
            found.append(np.zeros(columns) if row is None else np.ravel(row))
        return np.array(found).reshape(len(found), columns)

    def where(self, ways):
        """The entries of all results on the paths that are shown, oldest first."""
        on_paths = set()
        for way in ways:
            while way is not None:
                on_paths.add(way.node)
                way = way.rest
        nodes = self.telling.nodes
        return [
            nodes[self.telling.ids[node]]
            for node in self.between
            if node in on_paths and not self.reading.is_many(node) and nodes[self.telling.ids[node]]["formula"]
        ]


def _with_both(names, y, x):
    """The names, and for what has none "y", or "output" if there is a y, and "x"; if these are taken it has a number
    like all others."""
    pairs = list(names)
    for labels, tensor in ((("y", "output"), y), (("x",), x)):
        node = node_of(tensor)
        if not any(name and node_of(other) is node for name, other in pairs):
            taken = {name for name, _ in pairs}
            pairs += [(label, tensor) for label in labels if label not in taken][:1]
    return pairs


def _pulled(reading, node, gradient, position):
    return None if gradient is None else pull(reading, node, gradient)[position]


def _units(array):
    """Arrays of this shape and dtype with a single 1, one for each place."""
    for i in range(array.size):
        unit = np.zeros(array.size, array.dtype)
        unit[i] = 1
        yield unit.reshape(array.shape)


def _norm(value):
    if isinstance(value, list):
        return math.sqrt(sum(_norm(each) ** 2 for each in value if each is not None))
    return float(np.sqrt(np.square(np.asarray(value, np.float64)).sum()))


def _log(gain):
    return math.log(gain) if gain > 0 else -1e9
