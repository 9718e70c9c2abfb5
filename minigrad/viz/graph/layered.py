"""A plain layered layout, after Sugiyama, Tagawa and Toda (1981): for graphs that Graphviz cannot do.

    ranks       each box one layer after the last that gives to it; sources move up to what uses them
    bends       an edge over several layers passes a slot in each
    order       within a layer, by the mean place of the neighbours, a few times to and fro
    places      as near to the neighbours as the order allows: isotonic regression, by pooling neighbours that collide

Boxes come in the order of the walk, so an edge leads from an earlier box to a later one; the few that do not (a folded
graph whose folded part holds an output) are drawn backwards.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from minigrad.viz.graph.style import ARROW

__all__ = ["Placement", "place_in_layers", "slots"]

LAYER_GAP, SLOT_GAP, BEND = 34.0, 16.0, 6.0
MOST_BENDS = 20_000
SWEEPS = 6


@dataclass(slots=True)
class Placement:
    """`centres` of the boxes by key, and for each edge its route: a start point, then three points for each Bézier
    curve, then the tip of the arrow. Points are (x, y), y growing downwards. `frames` are the groups' (left, top,
    right, bottom)."""

    centres: dict[str, tuple[float, float]]
    routes: list[list[tuple[float, float]]]
    frames: dict[str, tuple[float, float, float, float]] = field(default_factory=dict)


def slots(graph) -> int:
    """How many places a layered layout has to find: one for each box, and one for each layer that an edge passes."""
    pairs = _forward(graph)
    rank = _ranks(graph.boxes, pairs)
    return len(rank) + sum(max(0, rank[last] - rank[first] - 1) for first, last in pairs)


def place_in_layers(graph, sizes) -> Placement:
    """Lay out a `Graph` whose boxes have these `sizes`; see `layout.place`."""
    turned = graph.direction == "TB"
    along = {key: size[turned] for key, size in sizes.items()}
    across = {key: size[not turned] for key, size in sizes.items()}
    pairs = _forward(graph)
    rank = _ranks(graph.boxes, pairs)
    chains = _bends(pairs, rank, across)
    layers = _layers(rank)
    _order(layers, chains, rank)
    place = _places(layers, chains, across, rank)
    starts, ends = _bands(layers, along)
    middle = {key: (starts[rank[key]] + ends[rank[key]]) / 2 for key in graph.boxes}
    routes = []
    for edge, (first, last), chain in zip(graph.edges, pairs, chains, strict=True):
        route = [(middle[first] + along[first] / 2, place[first])]
        for bend in chain[1:-1]:
            route += [(starts[rank[bend]], place[bend]), (ends[rank[bend]], place[bend])]
        route.append((middle[last] - along[last] / 2, place[last]))
        routes.append(_curve(route[::-1] if edge.tail != first else route))
    centres = {key: (middle[key], place[key]) for key in graph.boxes}
    if turned:
        centres = {key: (y, x) for key, (x, y) in centres.items()}
        routes = [[(y, x) for x, y in route] for route in routes]
    return Placement(centres, routes)


def _forward(graph):
    """The ends of each edge, the earlier box first."""
    number = {key: i for i, key in enumerate(graph.boxes)}
    return [sorted((edge.tail, edge.head), key=number.__getitem__) for edge in graph.edges]


def _ranks(keys, pairs):
    givers, users = {}, {}
    for first, last in pairs:
        givers.setdefault(last, []).append(first)
        users.setdefault(first, []).append(last)
    rank = {}
    for key in keys:
        rank[key] = 1 + max((rank[k] for k in givers.get(key, ()) if k != key), default=-1)
    for key in keys:
        if key not in givers and key in users:
            rank[key] = max(0, min(rank[k] for k in users[key]) - 1)
    return rank


def _bends(pairs, rank, across):
    """For each edge the boxes and bends it passes; bends are tuples, and get a rank and a size as boxes have."""
    chains, left = [], MOST_BENDS
    for i, (first, last) in enumerate(pairs):
        between = range(rank[first] + 1, rank[last])
        left -= len(between)
        bends = [(i, r) for r in between] if left > 0 else []
        rank.update(zip(bends, between, strict=False))
        across.update(dict.fromkeys(bends, BEND))
        chains.append([first, *bends, last])
    return chains


def _layers(rank):
    layers = [[] for _ in range(max(rank.values(), default=-1) + 1)]
    for item, r in rank.items():
        layers[r].append(item)
    return layers


def _neighbours(chains, rank):
    """For each box or bend, those in the layer before and those in the layer after."""
    before, after = {}, {}
    for chain in chains:
        for a, b in itertools.pairwise(chain):
            if rank[b] > rank[a]:
                before.setdefault(b, []).append(a)
                after.setdefault(a, []).append(b)
    return before, after


def _order(layers, chains, rank):
    before, after = _neighbours(chains, rank)
    position = {item: i for layer in layers for i, item in enumerate(layer)}
    for sweep in range(SWEEPS):
        near = after if sweep % 2 else before
        for layer in reversed(layers) if sweep % 2 else layers:
            mean = {k: _mean([position[n] for n in near.get(k, ())], position[k]) for k in layer}
            layer.sort(key=mean.__getitem__)
            position.update((item, i) for i, item in enumerate(layer))


def _mean(values, otherwise):
    return sum(values) / len(values) if values else otherwise


def _places(layers, chains, across, rank):
    before, after = _neighbours(chains, rank)
    place = {}
    for layer in layers:
        at = 0.0
        for item in layer:
            place[item] = at + across[item] / 2
            at += across[item] + SLOT_GAP
    for sweep in range(SWEEPS):
        near = (before, after)[sweep % 2]
        for layer in reversed(layers) if sweep % 2 else layers:
            wanted = [_mean([place[n] for n in near.get(k, ())], place[k]) for k in layer]
            place.update(zip(layer, _spread(wanted, [across[k] for k in layer]), strict=True))
    return place


def _spread(wanted, thick):
    """The places nearest to `wanted` (least squares) at which things of these thicknesses do not overlap."""
    offsets, at = [], 0.0
    for i, t in enumerate(thick):
        at += (thick[i - 1] + t) / 2 + SLOT_GAP if i else 0.0
        offsets.append(at)
    pools = []  # [sum, count] of wanted places less offsets; their means must not fall
    for w, offset in zip(wanted, offsets, strict=True):
        pools.append([w - offset, 1])
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            total, count = pools.pop()
            pools[-1][0] += total
            pools[-1][1] += count
    means = [total / count for total, count in pools for _ in range(count)]
    return [mean + offset for mean, offset in zip(means, offsets, strict=True)]


def _bands(layers, along):
    """Where each layer begins and ends."""
    starts, ends, at = [], [], 0.0
    for layer in layers:
        starts.append(at)
        at += max((along.get(item, 0.0) for item in layer), default=0.0)
        ends.append(at)
        at += LAYER_GAP
    return starts, ends


def _curve(points):
    """Bézier curves through points, leaving and arriving along the layers' direction; the arrow's tip comes last."""
    (x, y), tip = points[-1], points[-1]
    back = -1 if points[-2][0] > x else 1
    points = [*points[:-1], (x - back * ARROW, y)]
    route = [points[0]]
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        half = (x0 + x1) / 2
        route += [(half, y0), (half, y1), (x1, y1)]
    return [*route, tip]
