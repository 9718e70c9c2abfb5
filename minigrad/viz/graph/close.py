"""Closed groups: a module's boxes become one box.

Before it: `walk.py`, whose graphs have all groups open.  After it: `dot.py`, `layout.py` and `scene.py`.  The page of a
drawing (`pages/assets/graphview.js`) does the same when a frame is clicked.
"""

from __future__ import annotations

from dataclasses import replace

from minigrad.viz.graph.model import LEAF, MODULE, OP, STACKED, STEP, Box, Graph

__all__ = ["close", "module_box"]


def close(graph: Graph, closed=None) -> Graph:
    """A graph in which each group whose key is in `closed` (None: `graph.closed`) is one box of kind MODULE.

    The box has the group's key. Edges between two closed groups become one, which has the greatest of their strengths;
    edges inside vanish. Nothing is changed in the graph given.
    """
    closed = graph.closed if closed is None else closed
    outermost = {key: _outermost(graph, key, closed) for key in graph.groups}
    if not any(outermost.values()):
        return graph
    result = Graph(graph.direction, note=graph.note, flow=graph.flow)
    result.groups = {key: group for key, group in graph.groups.items() if not outermost[key]}
    inside: dict[str, list[Box]] = {}
    for box in graph.boxes.values():
        key = box.group and outermost[box.group]
        if key:
            inside.setdefault(key, []).append(box)
    for key, box in graph.boxes.items():
        group = box.group and outermost[box.group]
        if not group:
            result.boxes[key] = box
        elif group not in result.boxes:
            result.boxes[group] = module_box(graph, group, inside[group])
    merged = {}
    for edge in graph.edges:
        tail, head = (_end(graph, outermost, key) for key in (edge.tail, edge.head))
        if tail == head and not edge.loop and tail in graph.groups:
            continue
        if (tail, head) == (edge.tail, edge.head):
            result.edges.append(edge)
            continue
        known = merged.get((tail, head, edge.loop))
        if known is None:
            known = merged[tail, head, edge.loop] = replace(edge, tail=tail, head=head, tip="")
            result.edges.append(known)
            continue
        known.faint &= edge.faint
        strengths = [s for s in (known.strength, edge.strength) if s is not None]
        known.strength = max(strengths, default=None)
    return result


def _outermost(graph, group, closed):
    """The closed group that a group is drawn in, or ""."""
    return next((key for key in reversed(graph.around(group)) if key in closed), "")


def _end(graph, outermost, key):
    group = graph.boxes[key].group
    return (group and outermost[group]) or key


def module_box(graph, key, boxes):
    """The box of a closed group: its name, how much is inside, and the shape of what comes out last."""
    group = graph.groups[key]
    operations = sum(_times(graph, key, box) for box in boxes if box.kind == OP)
    rows = [("", f"{operations:,} operation{'s' * (operations != 1)}")]
    parameters = sum(box.size * _times(graph, key, box) for box in boxes if box.kind == LEAF)
    if parameters:
        rows.append(("", f"{parameters:,} parameters"))
    shapes = [text for box in boxes if box.kind == OP for label, text in box.facts if label == "shape"]
    if shapes:
        rows.append(("", f"→ {shapes[-1]}"))
    facts = [("module", group.path)] if group.path else []
    tip = group.tip or group.title
    marks = (STACKED,) if group.count > 1 else ()
    return Box(key, MODULE, group.title, rows, tip, group=group.parent, facts=facts, marks=marks)


def _times(graph, key, box):
    """How many there are of a box inside one group of this key: blocks are drawn once, and steps share parameters."""
    times = 1
    for inner in graph.around(box.group):
        if inner == key:
            break
        group = graph.groups[inner]
        times *= 1 if group.kind == STEP and box.kind == LEAF else group.count
    return times
