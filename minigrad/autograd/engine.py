"""The backward walk: gradients from the results back to the leaves.

Comes after `node.py` (what is walked).  The walk is iterative: collect the nodes that can be reached, sort them by the
time they were made, and take them from the youngest to the oldest; when a node's turn comes, all that depends on it has
been visited, so its gradient is complete.

        collect ──▶ sort by seq ──▶ pop the youngest ──▶ op.run(node, g) ──▶ add to the parents' pending gradients
                                        ▲                                                  │
                                        └──────────────────────────────────────────────────┘

There are two loops.  `_walk_arrays` is the plain backward: rules run on arrays and no tensor is built.  `_walk_tensors`
runs the same rules on tensors, so that the backward is itself recorded (create_graph) and can be differentiated again.

A gradient may be accumulated in place only where the engine owns the array (`owned`): it was made by an addition here,
or its op declares its gradients `fresh`.  Two leaves never share one `.grad`.
"""

from __future__ import annotations

import operator
import threading
from typing import Any

import numpy as np

from minigrad.autograd.modes import _recording
from minigrad.autograd.node import LEAF, PICK, bump, extra_of, node_of
from minigrad.errors import shape_text
from minigrad.kernels.reduce import sum_to
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap

__all__ = ["backward", "grad"]

by_seq = operator.attrgetter("seq")
_depositing = threading.Lock()  # threads may run backward into one leaf, as in PyTorch
IN_PLACE_ABOVE = 1000  # elements: below, a fresh array is cheaper than adding into an old one (measured)


def fit(grads, node, program):
    """Sum the gradients of broadcast inputs back to the inputs' shapes: the only place where broadcasting is undone."""
    if node.meta is None:
        return grads
    add_up = sum_to if program == "run" else TENSORS["sum_to_size"]
    return [g if g is None or g.shape == s else add_up(g, s) for g, s in zip(grads, node.meta, strict=True)]


def _collect(pending):
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
    return order


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
    own = owned.add
    while order:
        node = order.pop()
        g = take(node, None)
        if g is None:
            continue
        op = node.op
        if node.extra is not None:
            g = _fire(node, g, wrap, _array)
            if node.extra.hooks:  # a hook may have kept what it was given, or returned what it keeps
                owned.discard(node)
        if wanted is not None and node in wanted:
            wanted[node] = wrap(np.asarray(g) if node in owned and node in ends else np.array(g))
            if node in ends:
                continue
        if op.rare:
            if op is LEAF:
                _deposit(node, g, node in owned)
                continue
            if op is PICK:
                _put(pending, node, g)
                continue
            g = _materialized(node, g, np.zeros)
        grads = op.run(node, g)
        if node.meta is not None:
            grads = fit(grads, node, "run")
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
        op = node.op
        if node.extra is not None:
            g = _fire(node, g, _same, _same)
        if wanted is not None and node in wanted:
            wanted[node] = g
            if node in ends:
                continue
        if op is LEAF:
            node.grad = TENSORS["clone"](g) if node.grad is None else add(node.grad, g)
            _after(node)
            continue
        if op is PICK:
            _put(pending, node, g)
            continue
        if op.multi:
            g = _materialized(node, g, TENSORS["zeros_of"])
        for parent, new in zip(node.parents, fit(op.rule(node, g), node, "rule"), strict=True):
            if parent is not None and new is not None:
                old = pending.get(parent)
                pending[parent] = new if old is None else add(old, new)
        if not retain and op.holds:
            node.saved = None


def _put(pending, node, g):
    """Put the gradient of one output of several into its place in the node's list."""
    (parent,) = node.parents
    grads = pending.setdefault(parent, [None] * len(parent.shape))
    grads[node.attrs] = g if grads[node.attrs] is None else grads[node.attrs] + g


def _materialized(node, grads, zeros):
    """Zeros for the outputs of a node that were not used, unless its rule or its Function asked for None."""
    if getattr(node.op, "pieces", ()) or not getattr(node.saved and node.saved[0], "_materialize", True):
        return grads
    given = next(g for g in grads if g is not None)
    dtype = given.array.dtype if isinstance(given, Tensor) else given.dtype
    return [zeros(shape, dtype) if g is None else g for g, shape in zip(grads, node.shape, strict=True)]


def _same(x):
    return x


def _array(tensor):
    return tensor.array


def _fire(node, g, enter, leave):
    """Run the hooks of a node, and keep its gradient if that was asked for."""
    extra = node.extra
    if isinstance(g, list):
        return g
    if extra.hooks:
        g = enter(np.asarray(g) if enter is wrap else g)
        for hook in tuple(extra.hooks.values()):
            new = hook(g)
            if new is None:
                continue
            if not isinstance(new, Tensor):
                raise TypeError(f"hook {hook!r} should return None or a Tensor, but returned {type(new).__name__}")
            if new.array.dtype != g.array.dtype:
                raise RuntimeError(f"hook {hook!r} has changed the type of value (was {g.dtype!r} got {new.dtype!r})")
            if new._shape != g._shape:
                raise RuntimeError(
                    f"hook {hook!r} has changed the size of value: the gradient had shape {shape_text(g._shape)}, "
                    f"the hook returned {shape_text(new._shape)}"
                )
            g = new
        g = leave(g)
    if extra.retain:
        kept = wrap(np.array(g)) if leave is _array else g
        extra.grad = kept if extra.grad is None else TENSORS["add"](extra.grad, kept)
    return g


def _deposit(leaf, g, owned):
    """Add to a leaf's `.grad`: never an array that anyone else holds."""
    with _depositing:
        held = leaf.grad
        if held is None:
            leaf.grad = wrap(np.asarray(g) if owned and g.flags.c_contiguous else np.array(g, order="C"))
        elif held.node is not None:
            leaf.grad = wrap(np.asarray(held.array + g))
        else:
            np.add(held.array, g, held.array)
            bump(held, "backward")
    _after(leaf)


def _after(leaf):
    if leaf.extra is not None and leaf.extra.after:
        tensor = leaf.tensor()
        for hook in tuple(leaf.extra.after.values()):
            hook(tensor)


def _start(tensors, gradients, create_graph):
    """The roots' gradients, as pending work."""
    pending = {}
    for k, (tensor, g) in enumerate(zip(tensors, gradients, strict=True)):
        node = node_of(tensor)
        if node is None:
            raise RuntimeError(f"element {k} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if tensor.array.size != 1:
                raise RuntimeError(
                    "grad can be implicitly created only for scalar outputs, but this output has shape "
                    f"{shape_text(tensor._shape)}: reduce it (.sum(), .mean()), or pass gradient= of its shape"
                )
            g = wrap(np.ones(tensor._shape, tensor.array.dtype))
        elif not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
        elif g._shape != tensor._shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{k}] has a shape of {g.shape!r} and output[{k}] has a shape of "
                f"{tensor.shape!r}."
            )
        elif g.array.dtype != tensor.array.dtype:
            g = TENSORS["to_dtype"](g, tensor.array.dtype)
        if not create_graph:
            g = g.array
        pending[node] = g if node not in pending else pending[node] + g
    return pending


def _run(tensors, gradients, retain_graph, create_graph, wanted=None):
    pending = _start(tensors, gradients, create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    order, ends = _collect(pending), ()
    if wanted is not None:
        order, ends = _leading_to(order, wanted)
    token = _recording.set(create_graph)
    try:
        if create_graph:
            _walk_tensors(order, pending, retain, wanted, ends)
        else:
            with np.errstate(all="ignore"):
                _walk_arrays(order, pending, retain, wanted, ends)
    finally:
        _recording.reset(token)


def _listed(value):
    return [value] if isinstance(value, Tensor) else list(value)


def _gradients(value, count, name):
    if value is None:
        return [None] * count
    given = [value] if isinstance(value, Tensor) else list(value)
    if len(given) != count:
        raise RuntimeError(f"got {count} tensors and {len(given)} gradients in {name}: give one for each tensor")
    return given


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None) -> None:
    """Compute the gradients of `tensors` and add them to the `.grad` of the leaves they depend on.

    tensors: a tensor or a sequence of them. grad_tensors: the gradient of each (same shape), None for one-element
    tensors. retain_graph: keep what was saved, so that backward can run again (default: `create_graph`).
    create_graph: record the backward too, for derivatives of derivatives. inputs: only these tensors get gradients.
    Raises RuntimeError as PyTorch does. (PyTorch: torch.autograd.backward)
    """
    roots = _listed(tensors)
    wanted = None
    if inputs is not None:
        wanted = dict.fromkeys(_node_wanted(t, k) for k, t in enumerate(_listed(inputs)))
        if not wanted:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    _run(roots, _gradients(grad_tensors, len(roots), "backward"), retain_graph, create_graph, wanted)
    for node, g in (wanted or {}).items():
        if g is not None:
            _accumulate(node, g)


def _node_wanted(tensor, k):
    node = node_of(tensor)
    if node is None:
        raise RuntimeError(
            "One of the differentiated Tensors does not require grad: "
            f"inputs[{k}], of shape {shape_text(tensor._shape)}"
        )
    return node


def _accumulate(node, g):
    """Add a gradient that was asked for by name to its tensor's `.grad`."""
    if node.op is not LEAF:
        extra = extra_of(node)
        extra.grad = g if extra.grad is None else TENSORS["add"](extra.grad, g)
    elif g.node is None:
        _deposit(node, g.array, True)
    else:
        node.grad = g if node.grad is None else TENSORS["add"](node.grad, g)
        _after(node)


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
) -> tuple[Tensor, ...]:
    """The gradients of `outputs` with respect to `inputs`, as a tuple; nobody's `.grad` changes.

    allow_unused: give None for inputs that the outputs do not depend on, instead of raising RuntimeError;
    materialize_grads: give zeros for them. (PyTorch: torch.autograd.grad)
    """
    if is_grads_batched:
        raise NotImplementedError("autograd.grad(is_grads_batched=True) is not supported: loop over the gradients")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    roots, chosen = _listed(outputs), _listed(inputs)
    nodes = [_node_wanted(t, k) for k, t in enumerate(chosen)]
    wanted = dict.fromkeys(nodes)
    _run(roots, _gradients(grad_outputs, len(roots), "grad"), retain_graph, create_graph, wanted)
    found: list[Any] = [wanted[node] for node in nodes]
    for k, (g, tensor) in enumerate(zip(found, chosen, strict=True)):
        if g is None and materialize_grads:
            found[k] = wrap(np.zeros(tensor._shape, tensor.array.dtype))
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"One of the differentiated Tensors appears to not have been used in the graph: inputs[{k}], of shape "
                f"{shape_text(tensor._shape)}. Set allow_unused=True if this is the desired behavior."
            )
    return tuple(found)
