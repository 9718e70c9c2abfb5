"""Frames around boxes: a module's, one step's of a loop, a recorded backward pass's.

Before it: `modules.py` (the calls around each node), `repeats.py`.  Used by `walk.py`, which says which node a box is
of; when all boxes are there, the frames are made that have something to hold.
"""

from __future__ import annotations

from collections import Counter, defaultdict

from minigrad.viz.graph.fold import modules_in
from minigrad.viz.graph.model import BACKWARD, MODULE, OUTPUT, PART, STEP, VALUE
from minigrad.viz.graph.modules import BACKWARD_PASS, common, gives_input

__all__ = ["Frames"]


class Frames:
    """The groups of a `Graph`. A place is a tuple of `modules.Call`s, the outermost first."""

    def __init__(self, graph, places, rolls):
        self.graph, self.places, self.rolls = graph, places, rolls
        self.place_of = {}  # key of a box -> its place
        self.groups = {}  # place -> group
        self.calls = defaultdict(set)  # (root, path) -> the numbers of its calls that are drawn
        for node in rolls.order:
            for call in places.of.get(node, ()):
                self.calls[call.root, call.path].add(call.number)

    def put(self, box, node):
        """A box stands where its node was made."""
        self.place_of[box.key] = self.places.of.get(node, ())

    def put_fold(self, box, fold):
        """A box that stands for many nodes: beside its module, or where all of the nodes are."""
        around = fold.around[:-1] if fold.around else common([self.places.of.get(node, ()) for node in fold.nodes])
        self.place_of[box.key] = around or ()

    def place_constants(self, takers, own, reading):
        """Constants stand with what takes them; data that is given to a module stands outside. `takers` are the nodes
        by the key of the constant's box, `own` the keys of numbers, buffers and frozen parameters."""
        for key, nodes in takers.items():
            if key in own or not any(gives_input(reading, node) for node in nodes):
                self.place_of[key] = common([self.places.of.get(node, ()) for node in nodes])

    def finish(self):
        """Make the groups, and tell every box its own. One operation alone gets no frame: it would say nothing."""
        held = Counter()
        for key, box in self.graph.boxes.items():
            place = self.place_of.get(key, ())
            if box.kind not in (VALUE, OUTPUT):
                held.update(place[: i + 1] for i in range(len(place)))
        for key, box in self.graph.boxes.items():
            place = self.place_of.get(key, ())
            for i in range(1, len(place) + 1):
                self.make(place[:i], held)
            box.group = self.key(place)

    def make(self, place, held):
        count = self.rolls.counts.get(place, 1)
        if place in self.groups or (held[place] < 2 and count == 1):
            return
        call, title = place[-1], self.title(place)
        tip = f"{call.path or 'the whole model'}: {call.kind}" if call.root else title
        if call.number > 1 and call.root:
            tip += f", call {call.number}"
        if count > 1:
            tip += f"; {count:,} alike, the first is drawn"
        if self.places.inferred and call.root:
            tip += "; inferred from the parameters (viz.recording() knows for sure)"
        parent = self.key(place[:-1])
        steps = place in self.rolls.steps or call.kind.startswith("step")
        other = BACKWARD if call.kind == BACKWARD_PASS else PART
        kind = STEP if steps else MODULE if call.root else other
        self.groups[place] = self.graph.frame(title, parent, call.path if call.root else "", tip, count, kind)

    def key(self, place):
        """The key of the innermost group of a place, or ""."""
        return next((self.groups[place[:i]].key for i in range(len(place), 0, -1) if place[:i] in self.groups), "")

    def title(self, place):
        """What stands on a frame: ``fc1: Linear``, ``Block ×12``, ``cell: LSTMCell, step 1 of 5``."""
        call, count = place[-1], self.rolls.counts.get(place, 1)
        if count > 1:
            if place in self.rolls.steps:
                name = self.places.title(call) if call.root else ""
                first = 1 + (place in self.rolls.skipped)
                return f"{name}, step {first} of {count + first - 1:,}".removeprefix(", ")
            return f"{call.kind if call.root else 'repeated'} ×{count:,}"
        if not call.root:
            several = call.kind == BACKWARD_PASS and len(self.calls[call.root, call.path]) > 1
            return f"{call.kind} {call.number}" if several else call.kind
        turn = f", call {call.number}" if len(self.calls[call.root, call.path]) > 1 else ""
        return self.places.title(call) + turn

    def closed(self, depth):
        """The keys of the groups that are closed if this many modules may be open inside one another."""
        if depth is None:
            return set()
        return {group.key for place, group in self.groups.items() if place[-1].root and modules_in(place) > depth}
