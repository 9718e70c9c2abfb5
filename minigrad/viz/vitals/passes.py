"""One forward pass of a model and the backward through it, measured: what every layer gave, and the gradient it got.

Before it: `measure.py`, `origin.py`.  After it: `check.py` and `watch.py`, which open a `Pass` before the model is
called and close it when the gradients have arrived.

    model(x) ──▶ forward hook of each layer ──▶ `Call`: Stats of its output, saturation, which units are alive
        │                                          ▲
        └─▶ finish(output): activations that are   │ a hook on the output's node: Stats of the gradient
            no layers (F.relu), found in the graph ┘

Hooks are on the layers only between `open` and `finish`, on nodes until `close`.  Arrays are measured at once, since an
in-place operation may write over them; nothing keeps a tensor.
"""

from __future__ import annotations

import dataclasses
import functools
import threading
import time

import numpy as np

from minigrad.autograd.modes import size_now
from minigrad.autograd.node import LEAF, Handle, extra_of, tick
from minigrad.autograd.watch import WatchedNode
from minigrad.tensor import Tensor
from minigrad.viz.vitals.measure import SATURATING, Stats, alive_units, saturated_share, stats_of, unit_axis
from minigrad.viz.vitals.origin import Origin, forward_origin, watch_backward

__all__ = ["Call", "Pass", "first_tensor", "layers_of", "tensors_in"]

RECTIFIERS = ("relu", "relu6")
BY_CLASS = {"ReLU": "relu", "ReLU6": "relu6", "Sigmoid": "sigmoid", "Tanh": "tanh"}  # where nothing is recorded
TOLD_APART = 8  # calls of a layer without parameters; where there are more, they are one row


class Call:
    """One call of a layer. `op` is the activation that its output comes from, if it is one."""

    __slots__ = ("alive", "finished", "grad", "kind", "number", "op", "out", "path", "samples", "saturated")

    def __init__(self, path, kind, number):
        self.path, self.kind, self.number = path, kind, number
        self.op, self.samples, self.finished = "", 0, 0
        self.out: Stats | None = None
        self.grad: Stats | None = None
        self.saturated: float | None = None
        self.alive: np.ndarray | None = None


class Look:
    """A hook that does nothing for other modules, so that a copy of the model does not report here, and that is left
    behind when the model is copied or saved."""

    def __init__(self, module, then):
        self.module, self.then = module, then

    def __call__(self, module, *args):
        if module is self.module:
            self.then(*args)

    def __deepcopy__(self, memo):
        return _nothing

    def __reduce__(self):
        return _silence, ()


def _nothing(*args):
    """What a copied `Look` does."""


def _silence():
    return _nothing


def layers_of(model):
    """(path, module) of the layers: modules without modules inside, and those with parameters of their own."""
    found, inside = [], ()
    for path, module in model.named_modules():
        if inside and path.startswith(inside):  # what makes a parametrized weight is no layer
            continue
        children = {name for name, _ in module.named_children()}
        if "parametrizations" in children:
            inside = (*inside, f"{path}.parametrizations".lstrip("."))
        if children <= {"parametrizations"} or any(True for _ in module.parameters(recurse=False)):
            found.append((path, module))
    return found


def tensors_in(value):
    """The float tensors in a result, however nested: ``(output, (h, c))``, a dict, a dataclass."""
    if isinstance(value, Tensor):
        if value.array.dtype.kind == "f":
            yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from tensors_in(part)
    elif isinstance(value, dict):
        for part in value.values():
            yield from tensors_in(part)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from tensors_in(getattr(value, field.name))


def first_tensor(value):
    """The first float tensor in a result, which for an LSTM is its output; None if there is none."""
    return next(tensors_in(value), None)


class Pass:
    """The calls of one forward pass, in the order in which they end.

    spent     seconds that measuring took so far
    origin    where the first number that is not finite came from, or None
    thorough  look at the backward of every operation, not only of those whose derivative may be infinite
    """

    def __init__(self, model, thorough=False):
        self.model, self.thorough = model, thorough
        self.calls: list[Call] = []
        self.origin: Origin | None = None
        self.spent, self.backwards, self.finished = 0.0, 0, False
        self.on_backward = None  # called without arguments when a gradient first comes to the model's output
        self._thread = threading.get_ident()
        self._start = self._end = 0
        self._root_is_layer = False
        self._hooks: list[Handle] = []
        self._node_hooks: list[Handle] = []
        self._of_node, self._outputs, self._numbers = {}, [], {}

    def open(self):
        """Put a hook on each layer. The next call of the model is measured."""
        started = time.perf_counter()
        self._start = tick()
        for path, module in layers_of(self.model):
            if module is self.model:  # hooks put on a module that is being called are called the next time only:
                self._root_is_layer = True  # `finish` looks at this one
                continue
            look = Look(module, functools.partial(self._seen, path, type(module).__name__))
            self._hooks.append(module.register_forward_hook(look))
        self.spent += time.perf_counter() - started
        return self

    def finish(self, inputs, output):
        """The model has returned `output`, or raised (None): take the hooks off the layers, and look into the graph."""
        if self._root_is_layer and output is not None:
            self._seen("", type(self.model).__name__, (), output)
        started = time.perf_counter()
        self._unhook()
        self.finished, self._end = True, tick()
        last = first_tensor(output)
        if last is not None and size_now() is None:
            self._look_into_graph(output)
            if any(not np.isfinite(t.array).all() for t in tensors_in(output)):
                self.origin = forward_origin(self.model, inputs, output, self._outputs, self.calls)
            node = last.node
            if node is not None and node.op is not LEAF:
                self._listen(node, [])
        self._of_node, self._outputs = {}, []
        self.spent += time.perf_counter() - started

    def also_look_at(self, loss):
        """Look at the backward of what was computed from the output, up to the loss, too."""
        order = [node for node in nodes_since([loss.node], self._end) if node.extra is None or not node.extra.behind]
        self._node_hooks += watch_backward(order, self._backward_origin, (), self.thorough)

    def is_mine(self) -> bool:
        """Whether this is the thread that opened it."""
        return threading.get_ident() == self._thread

    def close(self):
        """Take all hooks away."""
        self._unhook()
        for handle in self._node_hooks:
            handle.remove()
        self._node_hooks = []
        self._of_node, self._outputs, self.on_backward = {}, [], None

    def _unhook(self):
        for handle in self._hooks:
            handle.remove()
        self._hooks = []

    def _seen(self, path, kind, args, output):
        if not self.is_mine() or size_now() is not None:
            return
        started = time.perf_counter()
        tensor = first_tensor(output)
        if tensor is not None:
            number = self._numbers[path] = self._numbers.get(path, 0) + 1
            call = Call(path, kind, number)
            self._measure(call, tensor.array, tensor.node)
            self._outputs.append((path, tensor))
            self.calls.append(call)
        self.spent += time.perf_counter() - started

    def _measure(self, call, array, node):
        call.out = stats_of(array)
        call.finished = tick()
        if node in self._of_node:  # it gave on what it got, as Dropout does in evaluation
            self._of_node[node].append(call)
            return
        op = BY_CLASS.get(call.kind, "") if node is None else node.op.name
        if op in SATURATING:
            call.op, call.saturated = op, saturated_share(array, op)
        elif op in RECTIFIERS:
            call.op, call.alive = op, alive_units(array, unit_axis(node and node.parents[0], array.ndim))
            call.samples = array.size // max(call.alive.size, 1)
        if node is not None and node.op is not LEAF:
            self._of_node[node] = [call]
            self._listen(node, self._of_node[node])

    def _listen(self, node, calls):
        """Measure the gradient that comes to the node of these calls; without any, of the model's output."""

        def arrived(g):
            started = time.perf_counter()
            if not calls:
                self.backwards += 1
                if self.on_backward is not None:
                    self.on_backward()
                if self.origin is None and not np.isfinite(g.array).all():
                    self.origin = Origin("loss", "backward", shape=tuple(g.shape))
            else:
                stats = stats_of(g.array)
                for call in calls:  # of several backwards the one that matters most
                    if call.grad is None or not stats.norm <= call.grad.norm:
                        call.grad = stats
            self.spent += time.perf_counter() - started

        self._node_hooks.append(Handle(extra_of(node).hooks, arrived))

    def _look_into_graph(self, output):
        """Activations called as functions, and operations whose derivative may be infinite."""
        order = nodes_since([t.node for t in tensors_in(output)], self._start)
        for node in order:
            if node.op.name in (*SATURATING, "relu") and node not in self._of_node:
                array = _own_output(node)
                if array is not None:
                    call = Call(self._place(node), node.op.name, 0)
                    self._measure(call, array, node)
                    call.finished = node.seq
                    self.calls.append(call)
        self._number_functions()
        self.calls.sort(key=lambda call: call.finished)
        self._node_hooks += watch_backward(order, self._backward_origin, self.calls, self.thorough)

    def _backward_origin(self, origin):
        if self.origin is None:
            self.origin = origin

    def _place(self, node):
        """Which layer's output a function was called with: ``"hidden → relu"``."""
        seen, front = set(), [node]
        for _ in range(TOLD_APART):
            front = [p for n in front for p in n.parents if p is not None and p not in seen]
            seen.update(front)
            known = [n for n in front if n in self._of_node]
            if known:
                nearest = self._of_node[max(known, key=lambda n: n.seq)][0]
                return f"{nearest.path or '(model)'} → {node.op.name}"
        return node.op.name

    def _number_functions(self):
        counts: dict[str, int] = {}
        for call in self.calls:
            if not call.number:
                call.number = counts[call.path] = counts.get(call.path, 0) + 1


def nodes_since(roots, start):
    """The nodes made since a tick that the roots come from, oldest first; leaves are left out."""
    order = list(dict.fromkeys(n for n in roots if n is not None and n.seq > start))
    seen = set(order)
    for node in order:
        for parent in node.parents:
            if parent is not None and parent.seq > start and parent not in seen:
                seen.add(parent)
                order.append(parent)
    order.sort(key=lambda node: node.seq)
    return order


def _own_output(node):
    """The output that an operation keeps for its gradient rule, unless it was written over or packed away."""
    if not node.op.saves_output or node.saved is None or (isinstance(node, WatchedNode) and node.packed):
        return None
    version = node.extra and node.extra.vc
    if version is not None and version.time > node.seq:
        return None
    array = node.saved[node.op.saved.index("output")]
    return array if isinstance(array, np.ndarray) else None
