"""What comes again and again: the blocks of a deep network, the steps of a recurrent one, drawn once.

Before it: `modules.py` (an operation is an item of its module, a module is an item of the one around it).  After it:
`fold.py` and `walk.py`, which draw the first of each kind and nothing of the others.

    items     embed  Block Block Block … Block  norm         a run of equal signatures: the same operations on the
              └────┘ └───────── ×12 ─────────┘ └────┘        same shapes, in the same order, in modules of one class
    units     each takes the same from itself and from the unit before ──▶ they stand for one another
    carried   what a unit takes from the one before: an edge that loops back

Units that share their parameters are steps of a recurrence, the others are repeated blocks.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from minigrad.viz.graph.modules import Call

__all__ = ["Rolls", "roll"]

LONGEST_UNIT = 64  # items
LEAST_UNITS = 3  # are folded if the user says nothing, and of steps
MOST_STEPS = 4  # more than these are rolled if the user says nothing
LEAST_OPERATIONS = 3  # of a block that is folded if the user says nothing
MOST_TRIED = 20  # runs


@dataclass(slots=True)
class Rolls:
    """order    the nodes that are drawn, oldest first
    stands   for a node that is not drawn: the one drawn in its place
    counts   (the calls around the first unit, as in `Places.of`) -> how many units it stands for
    steps    those of `counts` that are steps of a recurrence
    loops    (node of the second step, position of an operand that comes from the first)
    seconds  node of a first unit -> the same of the second
    skipped  those of `counts` that a step unlike them goes before
    """

    order: list
    stands: dict = field(default_factory=dict)
    counts: dict = field(default_factory=dict)
    steps: set = field(default_factory=set)
    loops: list = field(default_factory=list)
    seconds: dict = field(default_factory=dict)
    skipped: set = field(default_factory=set)

    def drawn(self, node):
        """The node that is drawn for this one."""
        return self.stands.get(node, node)

    def parents(self, node):
        """The drawn nodes that this one's operands come from."""
        stands = self.stands
        if not stands:
            return [parent for parent in node.parents if parent is not None]
        return [stands.get(parent, parent) for parent in node.parents if parent is not None]


def roll(reading, places, recurrent=None, repeats=None) -> Rolls:
    """Find what repeats, and put frames around it into `places`. `recurrent` is "rolled", "unrolled" or None,
    `repeats` "folded", "open" or None; None is what reads best."""
    rolls = Rolls(reading.order)
    finder = _Finder(reading, places, rolls, recurrent, repeats)
    operations = [node for node in reading.order if not (reading.is_leaf(node) or reading.is_pick(node))]
    finder.look((), operations)
    if rolls.stands:
        rolls.stands = {node: finder.resolved(node) for node in rolls.stands}
        finder.merge_followers()
        rolls.order = [node for node in reading.order if node not in rolls.stands]
    return rolls


class _Finder:
    def __init__(self, reading, places, rolls, recurrent, repeats):
        self.reading, self.of, self.rolls = reading, places.of, rolls
        self.recurrent, self.repeats = recurrent, repeats
        self.framed = 0  # frames made so far
        self.numbers = {}  # signature -> a small number
        self.position = {}  # node of a candidate -> (unit, place in it)
        self.users = defaultdict(list)
        self.picks = defaultdict(dict)  # node of several outputs -> {which: its pick}
        for node in reading.order:
            for parent in reading.parents(node):
                self.users[parent].append(node)
            if reading.is_pick(node):
                self.picks[node.parents[0]][reading.index(node)] = node

    def resolved(self, node):
        """What stands for what stands for ... a node: blocks may repeat inside a block that repeats."""
        stands = self.rolls.stands
        while node in stands:
            node = stands[node]
        return node

    # ---- finding

    def look(self, around, nodes):
        """Roll what repeats among the items of one module, and then inside each item that is drawn."""
        items = self.items(around, nodes)
        signatures = np.array([self.signature(around, item) for item in items])
        pending, inside = [(0, len(items))], []
        while pending:
            start, stop = pending.pop()
            found = self.best(around, items, signatures, start, stop)
            if found is None:
                inside += items[start:stop]
                continue
            first, size, count = found
            if items[first][0] in self.rolls.seconds:  # else each unit is drawn
                inside += items[first : first + size]
            pending += [(start, first), (first + size * count, stop)]
        for item in inside:
            if len(item) > 1:
                deeper = [self.of.get(node, ()) for node in item]
                self.look(deeper[0][: _shared(deeper)], item)

    def items(self, around, nodes):
        """Lists of nodes: an operation of this module itself, or all of a call inside it."""
        depth, items, calls = len(around), [], {}
        for node in nodes:
            place = self.of.get(node, ())
            if len(place) <= depth:
                items.append([node])
            else:
                call = place[depth]
                if call not in calls:
                    items.append([])
                    calls[call] = items[-1]
                calls[call].append(node)
        return items

    def signature(self, around, item):
        """The same number for items that look the same: class, operations and shapes, and modules inside."""
        depth, reading, of = len(around), self.reading, self.of
        parts = []
        for node in item:
            inner = of.get(node, ())
            parts.append((node.op.name, reading.shape(node), inner and tuple([call.kind for call in inner[depth:]])))
        return self.numbers.setdefault(tuple(parts), len(self.numbers))

    def best(self, around, items, signatures, start, stop):
        """(first item, items of a unit, units) of the longest run that may be rolled, rolled now; or None."""
        part = signatures[start:stop]
        found = []
        for size in range(1, min(LONGEST_UNIT, len(part) // 2) + 1):
            for first, length in _runs(part[:-size] == part[size:], size):
                count = (length + size) // size
                found.append((-count * size, size, start + first, count))
        for _, size, first, count in sorted(found)[:MOST_TRIED]:
            for skipped in (0, 1):  # a first step may be unlike the others: it has no state to take
                start = first + skipped * size
                if self.try_roll(around, _Units(items, start, size, count - skipped), skipped):
                    return start, size, count - skipped
        return None

    # ---- rolling

    def try_roll(self, around, run, skipped=0):
        """Roll the units of a run if that is wanted and each is wired as the others are; so many went before unlike
        them."""
        if run.count < 2:
            return False
        size, shared = run.size, self.shared(run.unit(0), run.unit(1))
        frames_only = shared and not self.rolls_steps(run.count)
        if not frames_only and not self.wanted(around, run, shared):
            return False
        units = [run.unit(i) for i in range(run.count)]
        self.position = {node: (i, j) for i, unit in enumerate(units) for j, node in enumerate(unit)}
        carried = self.carried(units)
        if carried is None:
            return False
        first, rolls, depth = units[0], self.rolls, len(around)
        is_step = bool(carried) and shared
        if frames_only:
            return is_step and self.frame_steps(around, units, size, skipped)
        for unit in units[1:]:
            rolls.stands.update(zip(unit, first, strict=True))
            self.match_leaves(unit, first)
            for node, model in zip(unit, first, strict=True):
                rolls.stands.update({pick: self.picks[model][k] for k, pick in self.picks[node].items()})
        if is_step:
            rolls.loops += [(units[1][j], k) for j, k in carried]
        rolls.seconds.update(zip(first, units[1], strict=True))
        if size == 1 and len(self.of.get(first[0], ())) > depth:
            frame = self.of[first[0]][: depth + 1]
        else:
            frame = self.frame(around, first, "step" if is_step else "part")
        rolls.counts[frame] = len(units)
        if skipped:
            rolls.skipped.add(frame)
        if is_step:
            rolls.steps.add(frame)
        return True

    def frame(self, around, unit, kind):
        """Put a unit into a frame of its own, and return the frame's place."""
        self.framed += 1
        frame, depth = (*around, Call(str(self.framed), kind, 0, 0)), len(around)
        picks = [pick for node in unit for pick in self.picks[node].values()]
        for node in (*unit, *picks):
            self.of[node] = (*frame, *self.of.get(node, ())[depth:])
        return frame

    def frame_steps(self, around, units, size, skipped):
        """Steps that stay unrolled: each in a frame, where it is not a module's anyway."""
        if len(units) < LEAST_UNITS:
            return False
        if size > 1 or len(self.of.get(units[0][0], ())) == len(around):
            for i, unit in enumerate(units):
                self.frame(around, unit, f"step {i + 1 + skipped} of {len(units) + skipped:,}")
        return True

    def rolls_steps(self, count):
        """Whether so many steps of a recurrence are rolled."""
        return self.recurrent == "rolled" or (self.recurrent is None and count > MOST_STEPS)

    def wanted(self, around, run, shared):
        if shared and self.rolls_steps(run.count):
            return True
        first = run.unit(0)
        if self.repeats is None:
            in_module = any(len(self.of.get(node, ())) > len(around) for node in first)
            return in_module and run.size <= 2 and run.count >= LEAST_UNITS and len(first) >= LEAST_OPERATIONS
        return self.repeats == "folded" and (len(first) > 1 or run.count >= LEAST_UNITS)

    def shared(self, *units):
        """Whether two units use the same parameters."""
        reading = self.reading
        first, second = ({p for n in unit for p in reading.parents(n) if reading.is_leaf(p)} for unit in units)
        return bool(first & second)

    def carried(self, units):
        """The (place in the unit, position) of operands that come from the unit before; None if units differ."""
        kept = [set(self.picks[node]) for node in units[0]]
        if any(not kept[j].issuperset(self.picks[node]) for unit in units for j, node in enumerate(unit)):
            return None
        links = [[self.links(node, i) for node in unit] for i, unit in enumerate(units)]
        if any(later != links[1] for later in links[2:]):
            return None
        carried = []
        for j, (first, later) in enumerate(zip(links[0], links[1], strict=True)):
            if len(first) != len(later):
                return None
            for k, (a, b) in enumerate(zip(first, later, strict=True)):
                if b is not None and b[0] > 0:
                    carried.append((j, k))
                elif a != b:
                    return None
        return carried

    def links(self, node, unit):
        """For each operand (how many units ago it was made, its place there, which output), None if elsewhere."""
        found = []
        for parent in node.parents:
            picked = parent is not None and self.reading.is_pick(parent)
            made = parent.parents[0] if picked else parent
            i, j = self.position.get(made, (None, None))
            found.append(None if i is None else (unit - i, j, self.reading.index(parent) if picked else 0))
        return found

    def match_leaves(self, unit, first):
        """A leaf that only this unit uses stands for nothing but the first unit's leaf in the same place."""
        inside, inside_first = set(unit), set(first)
        for node, model in zip(unit, first, strict=True):
            for leaf, drawn in zip(node.parents, model.parents, strict=True):
                if leaf is None or drawn is None or leaf is drawn or not self.reading.is_leaf(leaf):
                    continue
                alike = self.reading.is_leaf(drawn) and self.reading.shape(leaf) == self.reading.shape(drawn)
                if alike and inside.issuperset(self.users[leaf]) and inside_first.issuperset(self.users[drawn]):
                    self.rolls.stands.setdefault(leaf, drawn)

    # ---- what stands beside

    def merge_followers(self):
        """Nodes that do the same for one unit each, as the picks of a sequence's rows do, are drawn once too."""
        reading, rolls = self.reading, self.rolls
        inside, seen = {*rolls.stands, *rolls.stands.values()}, {}
        for node in reading.order:
            users = self.users[node]
            if node in inside or reading.is_leaf(node) or not users or not inside.issuperset(users):
                continue
            parents, takers = (tuple([rolls.drawn(n) for n in some]) for some in (reading.parents(node), users))
            key = node.op.name, reading.shape(node), parents, takers, self.of.get(node, ())
            if key in seen:
                rolls.stands[node] = seen[key]
            seen.setdefault(key, node)


@dataclass(slots=True)
class _Units:
    """So many units, of so many items each, from the item `start` on; each is put together when it is asked for."""

    items: list
    start: int
    size: int
    count: int

    def unit(self, i):
        """The nodes of the i-th."""
        start = self.start + self.size * i
        return [node for item in self.items[start : start + self.size] for node in item]


def _runs(equal, size):
    """The (start, length) of the longest stretches of True, of at least `size`."""
    bounds = np.diff(np.concatenate(([False], equal, [False])).astype(np.int8))
    starts, stops = np.flatnonzero(bounds == 1), np.flatnonzero(bounds == -1)
    lengths = stops - starts
    longest = [i for i in np.argsort(-lengths, kind="stable")[:5] if lengths[i] >= size]
    return [(int(starts[i]), int(lengths[i])) for i in longest]


def _shared(places):
    """How many calls all the places begin with."""
    shortest = min(places, key=len)
    return next((i for i, call in enumerate(shortest) if any(place[i] != call for place in places)), len(shortest))
