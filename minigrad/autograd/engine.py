"""The backward walk: gradients from the results back to the leaves.

Comes after `node.py` (what is walked).  The walk is iterative: collect the nodes that can be reached, sort them by the
time they were made, and take them from the youngest to the oldest; when a node's turn comes, all that depends on it has
been visited, so its gradient is complete.

        collect ──▶ sort by seq ──▶ pop the youngest ──▶ op.run(node, g) ──▶ add to the parents' pending gradients
                                        ▲                                                  │
                                        └──────────────────────────────────────────────────┘

A leaf's turn comes last, or where a hook may look at it, as soon as its gradient is complete.  `derivatives.py` has
`backward` and `grad`, which start the walk.

There are two loops.  `_walk_arrays` is the plain backward: rules run on arrays and no tensor is built.  `_walk_tensors`
runs the same rules on tensors, so that the backward is itself recorded (create_graph) and can be differentiated again.

A gradient may be accumulated in place only where the engine owns the array (`owned`): it was made by an addition here,
or its op declares its gradients `fresh`.  Two leaves never share one `.grad`.
"""

from __future__ import annotations

import collections
import operator
import threading
from typing import Any

import numpy as np

from minigrad.autograd import hooks, watch
from minigrad.autograd.general import SILENT, WARNINGS
from minigrad.autograd.modes import _recording
from minigrad.autograd.node import LEAF, PICK, bump, tick
from minigrad.autograd.running import running
from minigrad.kernels.reduce import sum_to
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap

by_seq = operator.attrgetter("seq")
_depositing = threading.Lock()  # threads may run backward into one leaf, as in PyTorch
recorded_backwards: collections.deque = collections.deque(maxlen=1000)  # (first, last date) of the latest, for drawings
IN_PLACE_ABOVE = 1000  # elements: below, a fresh array is cheaper than adding into an old one (measured)


def fit(grads, node, program):
    """Sum the gradients of broadcast inputs back to the inputs' shapes: the only place where broadcasting is undone."""
    if node.meta is None:
        return grads
    add_up = sum_to if program == "run" else TENSORS["sum_to_size"]
    return [g if g is None or g.shape == s else add_up(g, s) for g, s in zip(grads, node.meta, strict=True)]


def collect(pending):
    """Every node that can be reached, oldest first."""
    order = list(pending)
    seen = set(order)
    add, push = seen.add, order.append
    for node in order:
        for parent in node.parents:
            if parent is not None and parent not in seen:
                add(parent)
                push(parent)
    order.sort(key=by_seq)
    for node in order:
        if node.seq:
            break
        if node.extra is not None:  # a hook may look at what has been done so far
            return _leaves_in_turn(order), seen
    return order, seen


def _leaves_in_turn(order):
    """Leaves taken when their gradient is complete, after the oldest node that used them, rather than at the end."""
    placed, turns = set(), []
    for node in order:
        if node.op is LEAF:
            continue
        for parent in node.parents:
            if parent is not None and parent.op is LEAF and parent not in placed:
                placed.add(parent)
                turns.append(parent)
        turns.append(node)
    return [node for node in order if node.op is LEAF and node not in placed] + turns


def _leading_to(order, wanted):
    """Of nodes oldest first, those from which a wanted one can be reached; and of these, those where the walk ends."""
    keep, through = set(wanted), set()
    for node in order:
        if any([parent in keep for parent in node.parents]):
            keep.add(node)
            through.add(node)
    return [node for node in order if node in keep], keep - through


def _walk_arrays(order, pending, retain, wanted, ends):
    get, take, owned = pending.get, pending.pop, set()
    own, anomaly = owned.add, watch.anomaly["on"]
    while order:
        node = order.pop()
        g = take(node, None)
        if g is None:
            continue
        op, extra = node.op, node.extra
        if extra is not None:
            g = hooks.fire(node, g, wrap, hooks.array)
            if extra.hooks or extra.before:  # a hook may have kept what it was given, or returned what it keeps
                owned.discard(node)
        if wanted is not None and node in wanted:
            wanted[node] = wrap(np.asarray(g) if node in owned and node in ends else np.array(g))
            if node in ends:
                continue
        if extra is not None and extra.before:
            g = hooks.before(node, g, wrap, hooks.array)
        if op.rare:
            if op is LEAF:
                _deposit(node, g, node in owned)
                if extra is not None and extra.behind:
                    hooks.behind(node, (), g, wrap, hooks.array)
                continue
            if op is PICK:
                _put(pending, node, g)
                continue
            given, g = g, materialized(node, g, np.zeros)
        if extra is None and not anomaly:
            grads = op.run(node, g)
            if node.meta is not None:
                grads = fit(grads, node, "run")
        else:
            grads = _carefully(node, g, given if op.rare else g, "run", wrap, hooks.array)
        fresh = op.fresh
        for parent, new in zip(node.parents, grads):
            if parent is not None and new is not None:
                old = get(parent)
                if old is None:
                    pending[parent] = new
                    if fresh and new.base is None and new is not g:
                        own(parent)
                elif new.size > IN_PLACE_ABOVE and parent in owned:
                    np.add(old, new, old)
                else:
                    pending[parent] = old + new
                    own(parent)
        if not retain and op.holds:
            node.saved = None


def _walk_tensors(order, pending, retain, wanted, ends):
    add = TENSORS["add"]
    while order:
        node = order.pop()
        g = pending.pop(node, None)
        if g is None:
            continue
        op, extra = node.op, node.extra
        if extra is not None:
            g = hooks.fire(node, g, hooks.same, hooks.same)
        if wanted is not None and node in wanted:
            wanted[node] = g
            if node in ends:
                continue
        if extra is not None and extra.before:
            g = hooks.before(node, g, hooks.same, hooks.same)
        if op is LEAF:
            if node.wants_grad():
                node.grad = TENSORS["clone"](g) if node.grad is None else add(node.grad, g)
                hooks.after(node)
            if extra is not None and extra.behind:
                hooks.behind(node, (), g, hooks.same, hooks.same)
            continue
        if op is PICK:
            _put(pending, node, g)
            continue
        full = materialized(node, g, TENSORS["zeros_of"]) if op.multi else g
        grads = _carefully(node, full, g, "rule", hooks.same, hooks.same)
        for parent, new in zip(node.parents, grads, strict=True):
            if parent is not None and new is not None:
                old = pending.get(parent)
                pending[parent] = new if old is None else add(old, new)
        if not retain and op.holds:
            node.saved = None


def _carefully(node, g, given, program, enter, leave):
    """Run a node's rule, and what looks on: anomaly detection, and hooks behind the node. (given: `g` before zeros were
    filled in for outputs not used.)"""
    anomaly = watch.anomaly["on"]
    grads = watch.run(node, g, program) if anomaly else getattr(node.op, program)(node, g)
    grads = fit(grads, node, program)
    if node.extra is not None and node.extra.behind:
        grads = hooks.behind(node, grads, given, enter, leave)
    if anomaly:
        watch.check_for_nan(node, grads)
    return grads


def _put(pending, node, g):
    """Put the gradient of one output of several into its place in the node's list."""
    (parent,) = node.parents
    grads = pending.setdefault(parent, [None] * len(parent.shape))
    grads[node.attrs] = g if grads[node.attrs] is None else grads[node.attrs] + g


def materialized(node, grads, zeros):
    """Zeros for the outputs of a node that were not used, unless its rule or its Function asked for None."""
    if getattr(node.op, "pieces", ()) or not getattr(node.saved and node.saved[0], "_materialize", True):
        return grads
    given = next(g for g in grads if g is not None)
    dtype = given.array.dtype if isinstance(given, Tensor) else given.dtype
    return [zeros(shape, dtype) if g is None else g for g, shape in zip(grads, node.shape, strict=True)]


def _deposit(leaf, g, owned):
    """Add to a leaf's `.grad`: never an array that anyone else holds."""
    if not leaf.wants_grad():
        return
    with _depositing:
        held = leaf.grad
        if held is None:
            leaf.grad = wrap(np.asarray(g) if owned and g.flags.c_contiguous else np.array(g, order="C"))
        elif held.node is not None:
            leaf.grad = wrap(np.asarray(held.array + g))
        else:
            np.add(held.array, g, held.array)
            bump(held, "backward")
    hooks.after(leaf)


def walk_back(pending, retain_graph, create_graph, wanted=None, only=None):
    """Walk from the roots. pending: {root's node: its gradient}, tensors if create_graph, else arrays; wanted: {node:
    None}, to be filled with gradients; only: nodes beyond which nobody gets one."""
    retain = create_graph if retain_graph is None else retain_graph
    (order, reached), ends = collect(pending), ()
    chosen = only if wanted is None else wanted
    if chosen is not None:
        order, ends = _leading_to(order, chosen)
        reached = set(order)
    outer = running.get()
    afterwards: list[Any] = [] if outer is None else outer[2]
    walk = running.set((reached, chosen, afterwards))
    token, warnings = _recording.set(create_graph), WARNINGS.set(SILENT)
    begun = tick()
    try:
        (_walk_tensors if create_graph else _walk_arrays)(order, pending, retain, wanted, ends)
        for call in afterwards if outer is None else ():  # one may queue another
            call()
    finally:
        if create_graph:
            recorded_backwards.append((begun, tick()))
        _recording.reset(token)
        running.reset(walk)
        WARNINGS.reset(warnings)
