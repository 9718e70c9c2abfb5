"""The plain layout of a graph with frames: each frame is laid out for itself, then stands as one box in the one around.

    inside      what stands in a frame, boxes and frames, by `layered.py`; the frame is as large as that needs
    outside     an edge from frame to frame is laid where both stand in the same one, and led on to the boxes inside

Frames never overlap; an edge led on inside a frame may cross what stands there, which Graphviz would avoid.
"""

from __future__ import annotations

from minigrad.viz.graph.layered import Placement, place_in_layers
from minigrad.viz.graph.model import Edge, Graph
from minigrad.viz.graph.style import ARROW, FRAME, spread, width

__all__ = ["place_with_frames"]

INSET, HEAD = 12.0, 26.0  # of what stands in a frame from its sides, and from its top
DROP = 26.0  # how far an edge that goes back runs below (or beside) the boxes


def place_with_frames(graph, sizes) -> Placement:
    """Lay out a `Graph` whose boxes have these `sizes`; see `layout.place`."""
    return _Nested(graph, sizes).placement()


class _Nested:
    def __init__(self, graph, sizes):
        self.graph, self.sizes = graph, dict(sizes)
        self.members = {key: {} for key in ("", *graph.groups)}  # in the order of their first boxes
        self.ways = {}  # key of a box -> the keys of the groups it is in, outermost first, and its own
        for key, box in graph.boxes.items():
            self.ways[key] = [*reversed(graph.around(box.group)), key]
            for parent, child in zip(["", *self.ways[key]], self.ways[key], strict=False):
                self.members[parent][child] = None
        self.edges = {key: [] for key in self.members}  # group -> (number of an edge, its ends in there)
        for i, edge in enumerate(graph.edges):
            if not edge.loop:
                self.add_edge(i, edge)
        self.inner = {}  # group -> the placement of what is in it, from (0, 0)

    def add_edge(self, i, edge):
        tails, heads = self.ways[edge.tail], self.ways[edge.head]
        level = next((n for n, (a, b) in enumerate(zip(tails, heads, strict=False)) if a != b), 0)
        group = tails[level - 1] if level else ""
        self.edges[group].append((i, tails[level], heads[level]))

    def placement(self):
        """All of it."""
        for key in [*reversed(self.graph.groups), ""]:
            self.lay_out(key)
        centres, frames = {}, {}
        corners = {"": (0.0, 0.0)}
        routes = [[] for _ in self.graph.edges]
        for key in ("", *self.graph.groups):
            x0, y0 = corners[key]
            inner = self.inner[key]
            for child, (x, y) in inner.centres.items():
                wide, high = self.sizes[child]
                if child in self.graph.groups:
                    left, top = x0 + x - wide / 2, y0 + y - high / 2
                    frames[child] = left, top, left + wide, top + high
                    corners[child] = left, top
                else:
                    centres[child] = x0 + x, y0 + y
            for (i, *_), route in zip(self.edges[key], inner.routes, strict=True):
                routes[i] = [(x0 + x, y0 + y) for x, y in route]
        for i, edge in enumerate(self.graph.edges):
            routes[i] = self.back(edge, centres) if edge.loop else self.led_on(edge, routes[i], centres)
        return Placement(centres, routes, frames)

    def lay_out(self, key):
        """Place what stands in a group, and find out how large its frame is."""
        edges = [Edge(tail, head) for _, tail, head in self.edges[key]]
        order = _givers_first(self.members[key], edges)
        part = Graph(self.graph.direction, dict.fromkeys(order), {}, edges)
        sizes = {child: self.sizes[child] for child in self.members[key]}
        inner = place_in_layers(part, sizes)
        boxes = [(*inner.centres[child], *sizes[child]) for child in sizes]
        left = min((x - wide / 2 for x, _, wide, _ in boxes), default=0.0)
        top = min((y - high / 2 for _, y, _, high in boxes), default=0.0)
        right = max((x + wide / 2 for x, _, wide, _ in boxes), default=0.0)
        bottom = max((y + high / 2 for _, y, _, high in boxes), default=0.0)
        dx, dy = (INSET - left, HEAD - top) if key else (0.0, 0.0)
        centres = {child: (x + dx, y + dy) for child, (x, y) in inner.centres.items()}
        routes = [[(x + dx, y + dy) for x, y in route] for route in inner.routes]
        self.inner[key] = Placement(centres, routes)
        if key:
            title = width(self.graph.groups[key].title, FRAME, True) + 2 * INSET
            spare = spread(self.graph.groups[key]) + DROP * any(edge.loop for edge in self.graph.edges)
            self.sizes[key] = max(right - left + 2 * INSET, title) + spare, bottom - top + INSET + HEAD + spare

    def led_on(self, edge, route, centres):
        """A route from frame to frame, made to begin and end at boxes."""
        turned = self.graph.direction == "TB"
        start, stop = self.end(edge.tail, 1, centres), self.end(edge.head, -1, centres)
        base = (stop[0], stop[1] - ARROW) if turned else (stop[0] - ARROW, stop[1])
        first, last = route[0], route[-1]
        if self.graph.boxes[edge.tail].group and first != start:
            route = [start, *_bend(start, first, turned), *route]
        if self.graph.boxes[edge.head].group and last != stop:
            before = route[-2]
            return [*route[:-1], *_bend(before, base, turned), base, stop]
        return route

    def end(self, key, side, centres):
        """Where edges leave (1) or enter (-1) a box."""
        (x, y), (wide, high) = centres[key], self.sizes[key]
        return (x, y + side * high / 2) if self.graph.direction == "TB" else (x + side * wide / 2, y)

    def back(self, edge, centres):
        """The route of an edge that goes back: below the boxes, or to the right of them."""
        turned = self.graph.direction == "TB"
        ends = []
        for key in (edge.tail, edge.head):
            (x, y), (wide, high) = centres[key], self.sizes[key]
            ends.append((x + wide / 2, y) if turned else (x, y + high / 2))
        (x0, y0), (x1, y1) = ends
        if turned:
            out = max(x0, x1) + DROP
            return [(x0, y0), (out, y0), (out, y1), (x1 + ARROW, y1), (x1, y1)]
        out = max(y0, y1) + DROP
        return [(x0, y0), (x0, out), (x1, out), (x1, y1 + ARROW), (x1, y1)]


def _givers_first(keys, edges):
    """The keys so that what gives comes before what takes; of a circle the first one comes first."""
    missing, takers = {key: set() for key in keys}, {key: [] for key in keys}
    for edge in edges:
        missing[edge.head].add(edge.tail)
        takers[edge.tail].append(edge.head)
    place, left, order = {key: i for i, key in enumerate(keys)}, dict.fromkeys(keys), []
    free = [key for key in keys if not missing[key]]
    while left:
        free = free or [next(iter(left))]
        order += free
        for key in free:
            del left[key]
        ready = set()
        for key in free:
            for taker in takers[key]:
                missing[taker].discard(key)
                if not missing[taker] and taker in left:
                    ready.add(taker)
        free = sorted(ready, key=place.__getitem__)
    return order


def _bend(start, stop, turned):
    """The two inner points of an S-shaped Bézier curve."""
    (x0, y0), (x1, y1) = start, stop
    if turned:
        half = (y0 + y1) / 2
        return (x0, half), (x1, half)
    half = (x0 + x1) / 2
    return (half, y0), (half, y1)
