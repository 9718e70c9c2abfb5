"""Nodes that someone looks on at: anomaly detection, hooks on what is saved, and notes.

Comes after `node.py` and `door.py`.  All cost nothing while they are off: what the doors make is called `Node` in
their namespaces, and only while someone looks on does that name mean `WatchedNode`, which differs in three things:

    trace   where in the user's program it was made (anomaly detection)
    saved   goes through the hooks in force: packed when set, unpacked when read, once per use
    note    whatever the function in `noting` has to say of it (`viz.recording`)
"""

from __future__ import annotations

import contextvars
import sys
import threading
import traceback
import warnings
from typing import Any

import numpy as np

from minigrad.autograd import door, general
from minigrad.autograd import node as nodes
from minigrad.autograd.modes import is_grad_enabled, no_grad
from minigrad.autograd.node import OURS, Node
from minigrad.registry import OPS
from minigrad.tensor import Tensor, wrap

_held = Node.__dict__["saved"]  # the slot itself, below the property
_counting = threading.Lock()
_watchers = 0

# Of this thread, the innermost last: pairs (pack, unpack), and the messages of blocks that forbid hooks.
hooks_in_force: contextvars.ContextVar[tuple] = contextvars.ContextVar("minigrad_saved_hooks", default=())
# Called with the frame of the door that made a result of this thread's which no_grad cut off from its inputs.
stopping: contextvars.ContextVar[Any] = contextvars.ContextVar("minigrad_stopping", default=None)
# Called without arguments for each node that this thread makes; what it returns is the node's `note`.
noting: contextvars.ContextVar[Any] = contextvars.ContextVar("minigrad_noting", default=None)
_running: contextvars.ContextVar[Node | None] = contextvars.ContextVar("minigrad_running_node", default=None)
anomaly = {"on": False, "check_nan": True}  # of the whole process, as in PyTorch


class Packed:
    """What a pack hook made of a saved tensor, and the hook that brings the tensor back."""

    __slots__ = ("form", "unpack", "value")

    def __init__(self, value, unpack):
        self.value, self.unpack, self.form = value, unpack, wrap  # form: what the rules want to have of the array

    def tensor(self):
        """The tensor again, from the unpack hook."""
        found = self.unpack(self.value)
        if not isinstance(found, Tensor):
            raise TypeError(
                "Output of saved tensor unpack_hook expected to be a Tensor but got result of type "
                f"{type(found).__name__}"
            )
        return found


def pack(tensor) -> Any:
    """A tensor as the hooks in force want it kept: `Packed`, or itself where there are none."""
    hooks = hooks_in_force.get()
    if not hooks or isinstance(hooks[-1], str):
        return tensor
    pack_hook, unpack_hook = hooks[-1]
    before = tensor._version
    with no_grad():
        packed = Packed(pack_hook(tensor), unpack_hook)
    if tensor._version != before:
        raise RuntimeError(
            "A saved tensor pack hook is modifying its input in place. Tensors provided as input to pack hook can not "
            "be modified by in-place operations as this can lead to unexpected side-effects: clone() it first."
        )
    return packed


class WatchedNode(Node):
    """A node made while someone looks on."""

    __slots__ = ("_note", "maker", "packed", "trace")  # the note has a name that attributes of a ctx do not take

    def __init__(self):
        self.packed = False
        note = noting.get()
        self._note = None if note is None else note()
        self.trace = _user_frames() if anomaly["on"] else None
        self.maker = _running.get() if anomaly["on"] else None

    @property
    def saved(self):
        items = _held.__get__(self)
        if items is None or not self.packed:
            return items
        return tuple([_unpacked(item) for item in items])

    @saved.setter
    def saved(self, items):
        hooks = hooks_in_force.get() if items else ()
        self.packed = bool(hooks) and not isinstance(hooks[-1], str)
        _held.__set__(self, tuple([_packed(item) for item in items]) if self.packed else items)


def _packed(item):
    if isinstance(item, Tensor):
        return pack(item)
    if isinstance(item, np.ndarray):  # an output, without history: the hook may keep it, and the node keeps the hook's
        item, form = pack(wrap(item)), np.asarray
    elif isinstance(item, door.Piece):
        item, form = pack(wrap(item.array)), lambda array: door.Piece(wrap(array))
    else:
        return item
    item.form = form
    return item


def _unpacked(item):
    return item.form(item.tensor().array) if isinstance(item, Packed) else item


def _user_frames():
    """The stack of the caller as text, without minigrad's own frames at its end."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(OURS):
        frame = frame.f_back
    return traceback.format_stack(frame)


def _asked_by_a_door():
    """`is_grad_enabled()` as doors call it while someone looks on."""
    enabled = is_grad_enabled()
    if not enabled and (told := stopping.get()) is not None:
        told(sys._getframe(1))
    return enabled


def watch(change):
    """Count who looks on (+1: one more, -1: one less); the first and the last change what doors make."""
    global _watchers
    with _counting:
        before, _watchers = _watchers, _watchers + change
        if bool(before) == bool(_watchers):
            return
        nodes.made = WatchedNode if _watchers else Node
        meant = {"Node": nodes.made, "is_grad_enabled": _asked_by_a_door if _watchers else is_grad_enabled}
        door.NAMES |= meant
        general.is_grad_enabled = meant["is_grad_enabled"]
        for op in OPS.values():
            if hasattr(op, "namespace"):
                op.namespace |= meant


def run(node, g, program):
    """`op.run(node, g)` (or `op.rule`), telling of errors and NaN where the node was made."""
    token = _running.set(node)
    try:
        return getattr(node.op, program)(node, g)
    except Exception:
        tell(node)
        raise
    finally:
        _running.reset(token)


def check_for_nan(node, grads):
    """RuntimeError if a gradient that the node gives has a NaN."""
    if not anomaly["check_nan"]:
        return
    for k, (parent, g) in enumerate(zip(node.parents, grads, strict=True)):
        if parent is not None and g is not None and np.isnan(g.array if isinstance(g, Tensor) else g).any():
            tell(node)
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {k}th output.")


def tell(node):
    """Warn with the traceback of the forward call that made the node."""
    trace = getattr(node, "trace", None)
    if trace is None:
        text = (
            f"Error detected in {node.name()}. No forward pass information available. Enable detect anomaly during "
            "forward pass for more information."
        )
    else:
        text = f"Error detected in {node.name()}. Traceback of forward call that caused the error:\n{''.join(trace)}"
        maker = node.maker
        while maker is not None:
            text += (
                f"\n\nPrevious calculation was induced by {maker.name()}. Traceback of forward call that induced the "
                f"previous calculation:\n{''.join(getattr(maker, 'trace', None) or ['(not known)'])}"
            )
            maker = getattr(maker, "maker", None)
    warnings.warn(text, stacklevel=6)
