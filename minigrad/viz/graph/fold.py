"""Which nodes of a large graph are drawn one by one, and which are folded into a box.

Where modules are known they are closed, the innermost first, until what is left can be read.  Else it goes by time.
The oldest and the newest operations stay: the way in and the way out.  What lies between them in time is folded, each
connected part into one box.  A stretch of time is convex (nothing leaves it and comes back), so folding makes no cycle.

        leaves ──▶ first operations ──▶ [ … 19,952 operations … ] ──▶ last operations ──▶ output
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

__all__ = ["Fold", "Plan", "counted", "make_plan", "modules_in", "pattern", "period"]

MOST_OPEN = 2000  # nodes beyond which closed modules can't be opened on a page: each is one box from the start
WHOLE = 300  # nodes drawn one by one if the user says nothing
READABLE = 32  # nodes kept of a graph larger than that: a folded drawing should fit on a page
FEW_LEAVES = 12  # leaves kept of such a graph
MOST_GROUPS = 4
LONGEST_PATTERN = 6


@dataclass(slots=True)
class Fold:
    """Nodes drawn as one box: of the module that `around` ends with, or if that is empty of a stretch of time."""

    nodes: list
    around: tuple = ()


@dataclass(slots=True)
class Plan:
    """folds   operations drawn as one box
    leaves   the leaves folded together; the rest stays
    depth    how many modules are open inside one another; None: all
    forced   whether `depth` was chosen here, because there are too many nodes
    """

    folds: list[Fold] = field(default_factory=list)
    leaves: list = field(default_factory=list)
    depth: int | None = None
    forced: bool = False

    @property
    def folded(self) -> int:
        """How many nodes are not drawn one by one."""
        return sum(len(fold.nodes) for fold in self.folds) + len(self.leaves)

    def notes(self, total):
        """What to say of a graph of `total` nodes that is not drawn as it is."""
        if self.forced:
            opens = f"draw(..., depth={self.depth + 1}) opens the next, max_nodes={total} all."
            return [f"{total:,} nodes are too many to read: modules are closed below depth {self.depth}.", opens]
        by_time = sum(len(fold.nodes) for fold in self.folds if not fold.around) + len(self.leaves)
        if not by_time:
            return []
        return [
            f"{total:,} nodes are too many to read: {by_time:,} of them are folded.",
            f"draw(..., max_nodes={total}) shows them all.",
        ]


def make_plan(reading, rolls, places, max_nodes=None, depth=None, kept=()) -> Plan:
    """What is drawn of the nodes of a `Reading` in at most `max_nodes` boxes (None: as is readable).

    If they are too many, modules are closed, the innermost first, unless a `depth` is given; if that is not enough,
    operations are folded by time, but for those `kept`.
    """
    limit = WHOLE if max_nodes is None else max_nodes
    deepest = max((modules_in(places.of.get(node, ())) for node in rolls.order), default=0)
    depths = range(deepest, -1, -1) if depth is None else [depth]
    for trial in depths:
        drawn = _drawn_at(rolls, places, trial)
        if drawn <= limit or (depth is not None and max_nodes is None and drawn <= MOST_OPEN):
            forced = depth is None and trial < deepest
            plan = Plan(depth=trial if forced else depth, forced=forced)
            if len(rolls.order) > MOST_OPEN and plan.depth is not None:
                plan.folds = _closed(rolls, places, plan.depth)
            return plan
    plan = _by_time(reading, rolls, max_nodes, kept)
    plan.depth = depth
    return plan


def _closing(place, depth):
    """The outermost module around a place that is closed at a depth, as the place of what is in it; () if none is."""
    seen = 0
    for i, call in enumerate(place):
        seen += bool(call.root)
        if seen > depth:
            return place[: i + 1]
    return ()


def _drawn_at(rolls, places, depth):
    """How many boxes are drawn if modules are open to a depth."""
    closed, count = set(), 0
    for node in rolls.order:
        module = _closing(places.of.get(node, ()), depth)
        closed.add(module)
        count += not module
    return count + len(closed - {()})


def _closed(rolls, places, depth):
    folds = {}
    for node in rolls.order:
        module = _closing(places.of.get(node, ()), depth)
        if module:
            folds.setdefault(module, Fold([], module)).nodes.append(node)
    return list(folds.values())


def _by_time(reading, rolls, max_nodes, kept):
    order, parents = rolls.order, rolls.parents
    readable = max_nodes is None
    limit = READABLE if readable else max_nodes
    operations = [node for node in order if not reading.is_leaf(node)]
    used = [parent for node in operations for parent in parents(node) if reading.is_leaf(parent)]
    leaves = list(dict.fromkeys([*used, *(node for node in order if reading.is_leaf(node))]))  # in order of use
    room = limit - MOST_GROUPS - 1
    for_leaves = min(len(leaves), room // 2)
    for_operations = room - for_leaves
    if len(operations) <= for_operations + MOST_GROUPS:
        shown, folds = operations, []
        for_leaves = limit - 1 - len(operations)
    else:
        shown, middle = _ends(operations, reading, for_operations, kept, shrink=readable)
        folds = [Fold(nodes) for nodes in _connected(middle, parents)]
    for_leaves = min(for_leaves, FEW_LEAVES) if readable else for_leaves
    return Plan(folds, _leaves_to_fold(leaves, shown, reading, parents, for_leaves, shrink=readable))


def _ends(operations, reading, room, kept, shrink):
    """(the first and last operations, those between). The roots stay wherever they are, unless they are very many, and
    so do those `kept`.

    If what lies between is one sequence again and again, more of the same at the ends is folded too (`shrink`).
    """
    stay = {node for node in reading.roots[: room // 2] if node is not None}.union(kept)
    start, stop = room // 2, len(operations) - (room + 1) // 2
    labels = [reading.label(node) for node in operations]
    step = period(labels[start:stop])
    if shrink and step:
        while start > step and labels[start - 1] == labels[start - 1 + step]:
            start -= 1
        while stop < len(labels) - step and labels[stop] == labels[stop - step]:
            stop += 1
    middle = [node for node in operations[start:stop] if node not in stay]
    inside = set(middle)
    return [node for node in operations if node not in inside], middle


def _connected(nodes, parents):
    """The connected parts of `nodes`, in order of age; one list of all of them if there are too many."""
    part = {node: node for node in nodes}

    def find(node):
        while part[node] is not node:
            part[node] = node = part[part[node]]
        return node

    for node in nodes:
        for parent in parents(node):
            if parent in part:
                part[find(node)] = find(parent)
    groups = {}
    for node in nodes:
        groups.setdefault(find(node), []).append(node)
    return list(groups.values()) if len(groups) <= MOST_GROUPS else [nodes]


def _leaves_to_fold(leaves, kept, reading, parents, room, shrink):
    """All leaves but the first `room`, those of the kept operations and the named ones first.

    If not all have room, those that only folded operations use are all folded (`shrink`).
    """
    if len(leaves) <= room:
        return []
    shown = {parent for node in kept for parent in parents(node)}
    ranked = sorted(leaves, key=lambda leaf: (leaf not in shown, not reading.name(leaf)))
    chosen = {leaf for leaf in ranked[: max(0, room)] if leaf in shown or not shrink}
    rest = [leaf for leaf in leaves if leaf not in chosen]
    return rest if len(rest) > 1 else []


def modules_in(place) -> int:
    """How many modules a place lies in; the frames of loops and of backward passes are none."""
    return sum(bool(call.root) for call in place)


def counted(labels) -> str:
    """``mul ×8,000, add ×7,000, …``: the most frequent first."""
    common = Counter(labels).most_common()
    text = ", ".join(f"{label} ×{count:,}" if count > 1 else label for label, count in common[:4])
    return text + (", …" if len(common) > 4 else "")


def pattern(labels) -> str:
    """``6,650 × (mul → add → tanh)`` if the labels are one short sequence again and again, else nothing."""
    step = period(labels)
    return f"{len(labels) // step:,} × ({' → '.join(labels[:step])})" if step else ""


def period(labels) -> int:
    """The length of the short sequence that the labels repeat at least three times, 0 if there is none.

    The smallest period is the length less the longest border (Knuth, Morris and Pratt's failure function).
    """
    border = [0] * len(labels)
    for i in range(1, len(labels)):
        k = border[i - 1]
        while k and labels[k] != labels[i]:
            k = border[k - 1]
        border[i] = k + (labels[k] == labels[i])
    step = len(labels) - border[-1] if labels else 0
    return step if step <= min(LONGEST_PATTERN, len(labels) // 3) else 0
