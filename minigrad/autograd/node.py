"""The graph as data: what a recorded operation leaves behind.

Comes after `registry.py` (which says what an op is) and before `door.py` (which makes nodes) and `engine.py`
(which walks them).  Nothing here computes; the drawer, the stepper and the engine all read these few classes.

    Tensor ──node──▶ Node(op=mul) ──parents──▶ Node(op=add) ──▶ Leaf   (arrows run from results to inputs only)

A node points at the *nodes* of its inputs, never at its output, so there are no reference cycles and a dropped
result frees its whole graph by reference counting.  Arrays stay alive only where a rule named them (`saved`).

One clock (`tick`) dates nodes and writes alike: a saved tensor is stale exactly when it was written to after the
node that saved it was made (`tensor.vc.time > node.seq`), so no version number needs to be stored with a save.

    clock   5 ──────────────── 6 ──────────────── 7 ──────────────▶
            y = x * x          x.mul_(3)          z = x * x
            node saves x       x.vc.time = 6      node saves x
            seq = 5                               seq = 7

    z.backward(): 6 > 7 is false, x is as it was      y.backward(): 6 > 5, x was written to: an error that names mul_
"""

from __future__ import annotations

import itertools
import os
import sys
import sysconfig
import weakref
from typing import Any

from minigrad.autograd.modes import is_grad_enabled
from minigrad.registry import TENSORS

__all__ = ["COPY_SLICES", "LEAF", "PICK", "Extra", "Leaf", "Node", "SpecialOp", "Version", "View"]

tick = itertools.count(1).__next__

_package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_beside = [os.path.join(os.path.dirname(_package), name) for name in ("nn", "optim")]  # where a checkout keeps them
OURS = ("<minigrad", *(folder + os.sep for folder in (_package, *_beside)))  # files whose lines are minigrad's own
LIBRARIES = tuple({sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib", "purelib", "platlib")})
SKIPPED = OURS + LIBRARIES  # files whose lines are not the program's

HISTORY_KEPT = 8  # how many of the last writes a version remembers, for the error message

AMBIGUOUS = (
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your code by moving both "
    "the view and the inplace either both inside the no_grad block (if you don't want the inplace to be tracked) or "
    "both outside (if you want the inplace to be tracked)."
)
FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after they have already "
    "been freed). Saved intermediate values of the graph are freed when you call .backward() or autograd.grad(). "
    "Specify retain_graph=True if you need to backward through the graph a second time or if you need to access "
    "saved tensors after calling backward."
)


class Version:
    """How often a memory was written to (`count`), when last (`time`) and by what (`log`). Shared by a base and its
    views; made only when first needed."""

    __slots__ = ("count", "log", "time")

    def __init__(self):
        self.count = self.time = 0
        self.log = ()


class View:
    """How a view is derived from its base: `chain` is a tuple of (op, attrs, saved) to repeat on the base's node.

    `time` is the date of the last derivation: after a write to the base the view's history is derived anew, lazily
    (`node_of`). `mode` is None, "no_grad", "multi" or "function" (see `inplace.check_writable`).
    """

    __slots__ = ("base", "chain", "mode", "time")


class Extra:
    """The rare things hung on a node: hooks, a kept gradient, the version of an output that was saved.

    hooks  of the tensor: called with its gradient        before  of the node: called with all its outputs' gradients
    after  of a leaf: called when `.grad` was added to    behind  of the node: called when its rule has run
    """

    __slots__ = ("after", "before", "behind", "grad", "hooks", "metadata", "retain", "vc")

    def __init__(self):
        self.hooks, self.after, self.before, self.behind, self.metadata = {}, {}, {}, {}, {}
        self.retain = False
        self.vc = self.grad = None


class Node:
    """One recorded operation.

    op       the op block (or a `SpecialOp`)
    parents  for each tensor input its Node, or None where no gradient is wanted
    saved    what the rules named, in the order of `op.saved`; None once freed
    attrs    the attributes, in the order of `op.attrs`; a pointwise op without attributes notes
             {position: number} for operands that were Python numbers
    meta     the shapes of the inputs if broadcasting has to be undone, else None
    shape    shape of the output (a tuple of shapes for ops with many outputs)
    seq      when it was made
    extra    what few nodes have: hooks, notes, the version of the output's memory; or None
    """

    __slots__ = ("__weakref__", "attrs", "extra", "meta", "op", "parents", "saved", "seq", "shape")
    op: Any
    parents: tuple[Node | None, ...]
    saved: tuple | None
    attrs: Any
    meta: tuple | None
    shape: tuple
    extra: Extra | None
    seq: int

    def name(self) -> str:
        """The name PyTorch programs see, e.g. ``'MulBackward0'``."""
        label = self.op.label_backward
        return label if isinstance(label, str) else label(self)

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """((node, which of its outputs), …) for each input, as in PyTorch's graph traversal recipes."""
        order = getattr(self.op, "next_order", None)
        parents = self.parents if order is None else [self.parents[k] for k in order(self)]
        return tuple([(None, 0) if parent is None else edge_of(parent) for parent in parents])

    @property
    def metadata(self) -> dict:
        """A dict for the user's own remarks; `detect_anomaly` puts the forward traceback here."""
        return extra_of(self).metadata

    def register_hook(self, hook) -> Handle:
        """Call ``hook(grad_inputs, grad_outputs)`` (two tuples) after this node has run; what it returns, if not None,
        replaces grad_inputs, the gradients passed on. (PyTorch: torch.autograd.graph.Node.register_hook)"""
        return Handle(extra_of(self).behind, hook)

    def register_prehook(self, hook) -> Handle:
        """Call ``hook(grad_outputs)`` (a tuple) before this node runs; what it returns, if not None, replaces them.
        (PyTorch: torch.autograd.graph.Node.register_prehook)"""
        return Handle(extra_of(self).before, hook)

    def __repr__(self):
        return f"<{self.name()} object at {hex(id(self))}>"


_TORCHS = {"input": "self", "output": "result", "input_shape": "self_sym_sizes"}  # ours: PyTorch's


def show_saved(name):
    """Let every node that has an attribute or a save of this name show it as PyTorch's nodes do: ``_saved_self``,
    ``_saved_other``, ``_saved_result``, ``_saved_dim``. (Properties: a `__getattr__` would slow all of a Node's slots.)
    """
    shown = "_saved_" + _TORCHS.get(name, name)

    def saved(self):
        op = self.op
        if name in op.attrs and isinstance(self.attrs, tuple):
            return self.attrs[op.attrs.index(name)]
        if name not in op.saved:
            raise AttributeError(
                f"{self.name()!r} object has no attribute {shown!r}: it saved {[*op.saved, *op.attrs]}"
            )
        items = self.saved
        if items is None:
            raise RuntimeError(FREED)
        value = items[op.saved.index(name)]
        if not hasattr(value, "__array_interface__"):
            return value
        value = TENSORS["wrap"](value)
        if name == "output":
            value.node, value.vc = self, extra_of(self).vc
        return value

    if not hasattr(Node, shown):
        setattr(Node, shown, property(saved))


def edge_of(node):
    """(node, which output of it), as PyTorch shows it: without the `PICK`s of a node with several, and dead ends."""
    if isinstance(node, DeadEnd):
        return None, 0
    return (node.parents[0], node.attrs) if node.op is PICK else (node, 0)


made = Node  # what is made of a recorded operation: while someone looks on, `watch.WatchedNode`


class Leaf(Node):
    """The node of a tensor that the user made: where gradients end, in `.grad`."""

    __slots__ = ("grad", "tensor")

    @property
    def variable(self):
        """The tensor, as PyTorch's AccumulateGrad has it (None if it is gone)."""
        return self.tensor()

    def wants_grad(self):
        """Whether the tensor requires grad still: it may have been detached or frozen since."""
        tensor = self.tensor()
        return tensor is None or tensor.node is self


class DeadEnd(Leaf):
    """The node of a view that was made under no_grad of a tensor that requires grad: its gradient is thrown away."""

    __slots__ = ()
    grad = property(lambda self: None, lambda self, value: None)


class SpecialOp:
    """An op that no block declares: leaves, the k-th output of a node, a write through a view."""

    attrs: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    run: Any
    rule: Any
    saves_output = pointwise = fresh = multi = holds = False

    def __init__(self, name, label_backward, rare):
        self.name = self.label = name
        self.rare = rare  # the walk treats it apart
        self.label_backward = label_backward


LEAF = SpecialOp("leaf", "torch::autograd::AccumulateGrad", True)
PICK = SpecialOp("pick", lambda node: node.parents[0].name(), True)  # attrs = k: the k-th output of the one parent
COPY_SLICES = SpecialOp("copy_slices", "torch::autograd::CopySlices", False)  # run and rule are set in inplace.py


class Handle:
    """What registering a hook returns; `remove()` or leaving a ``with`` block takes the hook away."""

    def __init__(self, hooks, hook, prepend=False):
        self._hooks = hooks
        self.id = tick()
        earlier = list(hooks) if prepend else ()
        hooks[self.id] = hook
        for key in earlier:  # move what was there behind the new one
            hooks[key] = hooks.pop(key)

    def remove(self) -> None:
        """Take the hook away; a second call does nothing."""
        self._hooks.pop(self.id, None)

    def hooks_dict_ref(self):
        """The dict that the hook is (or was) in, by `id`. (PyTorch: torch.utils.hooks.RemovableHandle)"""
        return self._hooks

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.remove()


def record(op, parents, saved, shape, attrs=None, meta=None, make=None):
    """Make a node (the general way; the generated doors do the same with the steps written out)."""
    node = (make or made)()
    node.op, node.parents, node.saved, node.shape = op, parents, saved, shape
    node.attrs, node.meta, node.extra, node.seq = attrs, meta, None, tick()
    return node


def make_leaf(tensor):
    """Give a tensor the node at which its gradient arrives."""
    leaf = tensor.leaf = _new_leaf(Leaf(), tensor)
    return leaf


def _new_leaf(leaf, tensor):
    leaf.op, leaf.parents, leaf.saved, leaf.seq = LEAF, (), (), 0
    leaf.shape, leaf.attrs, leaf.meta, leaf.extra, leaf.grad = tensor._shape, None, None, None, None
    leaf.tensor = weakref.ref(tensor)
    return leaf


def extra_of(node):
    """The node's `Extra`, made when first asked for."""
    if node.extra is None:
        node.extra = Extra()
    return node.extra


def move_retained(old, new):
    """Hand on the gradient that a tensor kept (`retain_grad`) when it gets another node."""
    if old is not None and old.extra is not None and old.op is not LEAF:
        extra = old.extra
        if extra.retain or extra.grad is not None:
            extra_of(new).retain, new.extra.grad = extra.retain, extra.grad
            extra.retain, extra.grad = False, None


def new_version(tensor):
    """Give a tensor its counter. A node that saved this tensor as its output holds only the array, so it is told."""
    version = tensor.vc = Version()
    node = tensor.node
    if node is not None and node.op.saves_output:
        extra_of(node).vc = version
    return version


def bump(tensor, writer):
    """Note that `writer` wrote into the tensor's memory."""
    version = tensor.vc or new_version(tensor)
    version.count += 1
    version.time = tick()
    version.log = (*version.log[1 - HISTORY_KEPT :], (version.time, writer, user_line()))
    return version


def bump_all(tensors, writer):
    """`bump` of several tensors that one call wrote to: one date and one line for all."""
    entry = (tick(), writer, user_line())
    for tensor in tensors:
        version = tensor.vc or new_version(tensor)
        version.count += 1
        version.time = entry[0]
        version.log = (*version.log[1 - HISTORY_KEPT :], entry)


def user_line():
    """The file and line of the program that is being run: who is to be told about a write. That of a library, which may
    stand between (a decorator of NumPy's), only where there is no other."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    library = frame
    while frame is not None and frame.f_code.co_filename.startswith(SKIPPED):
        frame = frame.f_back
    frame = frame or library
    return frame.f_code.co_filename, frame.f_lineno


def node_of(tensor):
    """The tensor's node now. A view derives its history anew if its base was written to since (as PyTorch does)."""
    view = tensor._view
    if view is None:
        return tensor.node
    if view.mode == "no_grad":
        return _node_of_unrecorded(tensor, view)
    if tensor.vc.time <= view.time:
        return tensor.node
    base_node = base_of(view).node
    if view.mode in ("multi", "function") and base_node is not None:
        raise RuntimeError(multi_view_text(view, "its base or another view of its base has been modified inplace"))
    if base_node is None:  # it may be told to require grad yet
        return tensor.node
    node = base_node
    for op, attrs, saved, shape in view.chain:
        node = record(op, (node,), saved, shape, attrs)
    move_retained(tensor.node, node)
    tensor.node, view.time = node, tick()
    return node


def base_of(view):
    """The tensor whose history is a view's. A base that was turned in place since (`t_`) is a view of what it was."""
    while view.base._view is not None:
        view.base = view.base._view.base
    return view.base


def _node_of_unrecorded(tensor, view):
    """The node of a view made under no_grad: if its base requires grad it does too, but no gradient gets anywhere."""
    if base_of(view).node is None or not is_grad_enabled():
        return tensor.node
    if tensor.vc.time > view.time:
        raise RuntimeError(
            "A view was created in no_grad mode and its base or another view of its base has been modified inplace. "
            + AMBIGUOUS
        )
    if tensor.node is None:
        tensor.node = _new_leaf(DeadEnd(), tensor)
    return tensor.node


def multi_view_text(view, what):
    """PyTorch's message for writes around the outputs of `split`, `unbind` and their kind."""
    if view.mode == "function":
        return (
            f"Output of a custom Function is a view and {what}. This view was created inside a custom Function (or "
            "because an input was returned as-is) and the autograd logic to handle view+inplace would override the "
            "custom backward. Return a clone() from forward to avoid this."
        )
    name = view.chain[-1][0].name
    return (
        f"Output of {name} is a view and {what}. This view is the output of a function that returns multiple views. "
        "Such functions do not allow the output views to be modified inplace. You should replace the inplace "
        "operation by an out-of-place one."
    )


def as_view(op, source, out, attrs, saved, mode=None):
    """Note that `out` shares the memory of `source`, and how to get from one to the other."""
    out.vc = source.vc or new_version(source)
    view = out._view = View()
    link = (op, attrs, saved, out._shape)
    above = source._view
    if above is None:
        view.base, view.chain = source, (link,)
        inherited = None
    else:
        view.base, view.chain = base_of(above), (*above.chain, link)
        inherited = above.mode
    view.mode = inherited or mode if is_grad_enabled() else "no_grad"
    view.time = tick()
