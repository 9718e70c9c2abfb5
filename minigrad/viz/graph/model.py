"""What a drawing is made of: boxes and edges, plain data without a reference to a tensor or a node.

`walk.py` makes a `Graph`; `dot.py`, `layout.py` and `scene.py` only read it.  Boxes are numbered in the order of the
walk (``n0``, ``n1`` ...), never by address, so the same graph gives the same bytes.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

__all__ = [
    "BACKWARD",
    "CONSTANT",
    "FAILED",
    "FOLD",
    "LEAF",
    "MODULE",
    "MORE",
    "OP",
    "OUTPUT",
    "PART",
    "STACKED",
    "STEP",
    "STOPPED",
    "VALUE",
    "VIEW",
    "Box",
    "Edge",
    "Graph",
    "Group",
    "clean",
    "clip",
]

LEAF = "leaf"  # a tensor the user made that collects a gradient
CONSTANT = "constant"  # an operand without gradient: data, a target, a number
VALUE = "value"  # the result of an operation that something else uses
OUTPUT = "output"  # what was asked to be drawn
OP = "op"
FAILED = "failed"  # an operation that raised: its rows say what it got, and the error
FOLD = "fold"  # many operations, or many leaves, in one box
MODULE = "module"  # a group that is closed: a module's operations in one box

STEP = "step"  # a group that is one step of a loop over the same parameters
PART = "part"  # a group that is one of several parts alike, though no module

VIEW = "view"  # the operation computes nothing: its result shares the memory of its input
BACKWARD = "backward"  # recorded while a backward pass ran (create_graph=True)
STACKED = "stacked"  # it stands for several alike
STOPPED = "stopped"  # gradients end here although something stands before it: detach(), no_grad()

MORE = " "  # the label of a row that goes on from the one above

TITLE_LENGTH = 36


@dataclass(slots=True)
class Box:
    """One box. `rows` are (label, text) pairs under the title: ``("data", "2.0")``, ``("", "float32 [3, 4]")``.

    tip      the text shown when the mouse rests on the box
    inplace  a write into a part of an older tensor
    group    the key of the innermost `Group` it stands in, or ""
    facts    further (label, text) pairs, which a page shows on request
    marks    what else is particular about it: any of VIEW, BACKWARD, STOPPED, STACKED
    size     how many numbers a leaf holds
    """

    key: str
    kind: str
    title: str
    rows: list[tuple[str, str]] = field(default_factory=list)
    tip: str = ""
    inplace: bool = False
    group: str = ""
    facts: list[tuple[str, str]] = field(default_factory=list)
    marks: tuple[str, ...] = ()
    size: int = 0


@dataclass(slots=True)
class Group:
    """A frame around boxes and other groups: a module's, one step of a loop, a recorded backward pass. `parent` is the
    key of the group it stands in, or ""; `count` is how many alike it stands for (``Block ×12``); `kind` is MODULE,
    STEP, PART or BACKWARD."""

    key: str
    title: str
    parent: str = ""
    path: str = ""
    tip: str = ""
    count: int = 1
    kind: str = "module"


@dataclass(slots=True)
class Edge:
    """From the box that gives to the box that takes; `count` uses of the same value are one edge if folded.

    strength  the norm of the gradient that went back along it, if known
    loop      it goes back: from the end of one step to the beginning of the next
    """

    tail: str
    head: str
    tip: str = ""
    faint: bool = False
    count: int = 1
    strength: float | None = None
    loop: bool = False


@dataclass(slots=True)
class Graph:
    """`boxes` and `groups` by key in drawing order (a group after the one it stands in), `edges` in operand order, and
    `note`, one line said under the drawing.

    closed  the keys of the groups that are shown closed, until someone opens them
    flow    the (least, greatest) power of ten that the edges' colours span, if they show the norms of gradients
    """

    direction: str = "LR"
    boxes: dict[str, Box] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    edges: list[Edge] = field(default_factory=list)
    note: str = ""
    closed: set[str] = field(default_factory=set)
    flow: tuple[int, int] | None = None

    def add(self, kind, title, rows=(), tip="", inplace=False, group="") -> Box:
        key = f"n{len(self.boxes)}"
        tip = clean(tip) or clean(title)
        box = self.boxes[key] = Box(key, kind, clip(clean(title)), list(rows), tip, inplace, group)
        return box

    def frame(self, title, parent="", path="", tip="", count=1, kind=MODULE) -> Group:
        key = f"g{len(self.groups)}"
        group = self.groups[key] = Group(key, clip(clean(title)), parent, clean(path), clean(tip), count, kind)
        return group

    def connect(self, tail: Box, head: Box, tip="", faint=False, count=1) -> Edge:
        edge = Edge(tail.key, head.key, clean(tip), faint, count)
        self.edges.append(edge)
        return edge

    def count(self, kind) -> int:
        return sum(box.kind == kind for box in self.boxes.values())

    def around(self, group: str) -> list[str]:
        """The keys of a group and of all that it stands in, innermost first."""
        keys = []
        while group:
            keys.append(group)
            group = self.groups[group].parent
        return keys


def clean(text) -> str:
    """One line of printable text: a user's name may hold newlines, control characters or half of a surrogate pair."""
    text = " ".join(str(text).split())
    return "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs", "Cn", "Co") else c for c in text)


def clip(text: str, length: int = TITLE_LENGTH) -> str:
    """The text, cut in the middle if too long: the end of ``encoder.layers.11.attention.weight`` says what it is."""
    if len(text) <= length:
        return text
    head = (length - 1) // 2
    return text[:head] + "…" + text[head + 1 - length :]
