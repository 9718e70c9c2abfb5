"""A laid-out drawing as shapes: rounded rectangles, lines and texts, in points, y growing downwards.

`svg.py` writes these shapes as SVG text, `raster.py` paints them as PNG or PDF, so all three look the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from minigrad.viz.graph import style as s
from minigrad.viz.graph.layered import Placement
from minigrad.viz.graph.model import FAILED, MORE, OP, Graph

__all__ = ["Line", "Part", "Rect", "Scene", "Text", "make_scene"]

MARGIN = 12.0
LEGEND_STEPS = 24
LETTERS = 0.36  # from the middle of a line of text down to its baseline, in font sizes


@dataclass(slots=True)
class Rect:
    """A rounded rectangle; a circle if the radius is half of its sides."""

    x: float
    y: float
    width: float
    height: float
    radius: float
    fill: str
    stroke: str
    line: float
    dashed: bool = False


@dataclass(slots=True)
class Text:
    """One line of text: its middle is at `x`, or its left end if not `centred`; `room` is the width it has."""

    x: float
    y: float
    text: str
    size: float
    ink: str
    room: float
    bold: bool = False
    centred: bool = True


@dataclass(slots=True)
class Line:
    """A curve (a start, then three points for each Bézier curve) with an arrow head, a triangle."""

    points: list[tuple[float, float]]
    head: list[tuple[float, float]]
    stroke: str
    line: float
    dashed: bool = False


@dataclass(slots=True)
class Part:
    """The shapes of one box or edge: what a tip belongs to. `key` and `kind` name it in the SVG."""

    key: str
    kind: str
    tip: str
    shapes: list = field(default_factory=list)


@dataclass(slots=True)
class Scene:
    """All shapes, edges first so that boxes lie over them."""

    width: float
    height: float
    parts: list[Part]


def make_scene(graph: Graph, sizes, placement: Placement) -> Scene:
    """The shapes of a `Graph` that has been laid out."""
    parts, titles = [], []
    for key, group in graph.groups.items():
        style = s.frame_style(len(graph.around(key)), group)
        frame, title = _frame_shapes(group, style, *placement.frames[key])
        parts.append(Part(key, "group", group.tip, frame))
        titles.append(Part(f"{key}-title", "group-title", group.tip, title))
    edges = sorted(enumerate(graph.edges), key=lambda pair: not pair[1].faint)  # the faint ones lie beneath
    for i, edge in edges:
        kind = "edge loop" if edge.loop else "edge"
        parts.append(Part(f"e{i}", kind, edge.tip, _edge_shapes(edge, graph.flow, placement.routes[i])))
    parts += titles  # edges run beneath them
    for key, box in graph.boxes.items():
        (x, y), (wide, high) = placement.centres[key], sizes[key]
        kind = " ".join([box.kind, *["inplace"] * box.inplace, *box.marks])
        parts.append(Part(key, kind, box.tip, _box_shapes(box, x - wide / 2, y - high / 2, wide, high)))
    left, top, right, bottom = _bounds(parts)
    if graph.flow:
        parts.append(_legend(graph.flow, left, bottom + MARGIN))
        left, top, right, bottom = _bounds(parts)
    if graph.note:
        parts.append(_note(graph.note, left, bottom + MARGIN, max(right - left, 320.0)))
        left, top, right, bottom = _bounds(parts)
    for part in parts:
        for shape in part.shapes:
            _move(shape, MARGIN - left, MARGIN - top)
    return Scene(math.ceil(right - left + 2 * MARGIN), math.ceil(bottom - top + 2 * MARGIN), parts)


def _frame_shapes(group, style, left, top, right, bottom):
    spread = s.spread(group)
    wide, high, shapes = right - left - spread, bottom - top - spread, []
    if spread:
        behind = (2 * s.STACK, s.STACK)
        shapes += [Rect(left + d, top + d, wide, high, 9, style.fill, style.border, 0.8) for d in behind]
    shapes.append(Rect(left, top, wide, high, 9, style.fill, style.border, 1.0))
    room = min(s.width(group.title, s.FRAME, True), wide - 12)
    title = Text(left + 9, top + 16, group.title, s.FRAME, style.ink, room, True, centred=False)
    return shapes, [Rect(left + 7, top + 5, 0.93 * room + 2, 14, 4, style.fill, style.fill, 0.0), title]


def _box_shapes(box, x, y, wide, high):
    style = s.style_of(box)
    shapes = []
    if s.is_stacked(box):
        wide, high = wide - s.STACK, high - s.STACK
        behind = (Rect(x + d, y + d, wide, high, 7, style.fill, style.border, 0.8) for d in (s.STACK, s.STACK / 2))
        shapes.extend(behind)
    radius = high / 2 if s.is_round(box) else min(high / 2, 14.0) if box.kind == OP else 7.0
    shapes.append(Rect(x, y, wide, high, radius, style.fill, style.border, style.line, style.dashed))
    return shapes + _texts(box, style, x, y, wide, high)


def _texts(box, style, x, y, wide, high):
    sign = box.kind == OP
    middle, room = x + wide / 2, wide - s.PAD_X
    size = s.title_size(box)
    if not box.rows:
        return [Text(middle, y + high / 2 + LETTERS * size, box.title, size, style.ink, wide - 4, True)]
    texts = []
    at = y + s.PAD_Y - (2 if sign else 0)
    if box.title:
        line = s.SIGN_LINE if sign else s.TITLE_LINE
        texts.append(Text(middle, at + line / 2 + LETTERS * size, box.title, size, style.ink, room, True))
        at += line
    column = s.label_width(box)
    block = max((s.row_width(box, label, text) for label, text in box.rows if label), default=0.0)
    start, grad = middle - block / 2, False
    for label, text in box.rows:
        base = at + s.ROW_LINE / 2 + LETTERS * s.ROW
        if not label:
            texts.append(Text(middle, base, text, s.OP_ROW if sign else s.ROW, style.soft, room))
        else:
            if label != MORE:
                grad = label.endswith(("grad", "‖"))
                texts.append(Text(start, base, label, s.ROW, style.soft, column, centred=False))
            ink = s.GRAD if grad and not sign and box.kind != FAILED else style.ink
            left = column + s.GAP
            texts.append(Text(start + left, base, text, s.ROW, ink, block - left, grad, centred=False))
        at += s.ROW_LINE
    return texts


def _edge_shapes(edge, flow, route):
    if not route:
        return []
    *points, (x1, y1) = route
    x0, y0 = points[-1]
    length = math.hypot(x1 - x0, y1 - y0) or 1.0
    ux, uy = (x1 - x0) / length, (y1 - y0) / length
    style = s.edge_style(edge, flow)
    side = s.ARROW * 0.42 + max(0.0, style.line - 2.0) * 0.5
    base_x, base_y = x1 - ux * s.ARROW, y1 - uy * s.ARROW
    head = [(x1, y1), (base_x - uy * side, base_y + ux * side), (base_x + uy * side, base_y - ux * side)]
    points[-1] = base_x, base_y  # the line ends where the head begins, however long Graphviz' own would be
    shapes = [Line(points, head, style.ink, style.line, style.dashed)]
    if edge.count > 1:
        text = f"×{edge.count:,}"
        x, y = points[len(points) // 2]
        wide = s.width(text, s.ROW) + 8
        shapes.append(Rect(x - wide / 2, y - 8, wide, 16, 8, "#ffffff", s.EDGE, 0.8))
        shapes.append(Text(x, y + LETTERS * s.ROW, text, s.ROW, s.LABEL, wide))
    return shapes


def _legend(flow, left, top):
    """The scale of the edges' colours, a power of ten at each end and a few between."""
    least, greatest = flow
    title = "‖gradient‖"
    start, length = left + s.PAD_X + s.width(title, s.ROW, True) + 24, 240.0
    middle, shapes = top + 15, [Rect(left, top, start - left + length + 34, 46, 7, "#ffffff", s.EDGE, 0.8)]
    shapes.append(Text(left + s.PAD_X, middle + LETTERS * s.ROW, title, s.ROW, s.GRAD, 90, True, centred=False))
    for i in range(LEGEND_STEPS):
        part = (i + 0.5) / LEGEND_STEPS
        high = s.FLOW_LINES[0] + part * (s.FLOW_LINES[1] - s.FLOW_LINES[0])
        x = start + i * length / LEGEND_STEPS
        colour = s.blended(part)
        shapes.append(Rect(x, middle - high, length / LEGEND_STEPS, 2 * high, 0, colour, colour, 0.3))
    powers = greatest - least
    step = max(1, math.ceil(powers / 4))
    for power in range(greatest, least - 1, -step):
        x = start + (power - least) / max(powers, 1) * length
        shapes.append(Text(x, top + 38, f"1e{power:+03d}", s.OP_ROW, s.LABEL, 50))
    return Part("legend", "legend", s.flow_text(flow), shapes)


def _note(text, left, top, room):
    """The note in a box of its own, broken into lines that fit."""
    lines, words = [""], text.split()
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and s.width(longer, s.ROW) > room - 2 * s.PAD_X:
            lines.append(word)
        else:
            lines[-1] = longer
    wide = max(s.width(line, s.ROW) for line in lines) + 2 * s.PAD_X
    high = s.ROW_LINE * len(lines) + 2 * s.PAD_Y
    style = s.NOTE
    shapes = [Rect(left, top, wide, high, 7, style.fill, style.border, style.line)]
    for i, line in enumerate(lines):
        base = top + s.PAD_Y + s.ROW_LINE * (i + 0.5) + LETTERS * s.ROW
        shapes.append(Text(left + s.PAD_X, base, line, s.ROW, style.ink, wide, centred=False))
    return Part("note", "note", "", shapes)


def _bounds(parts):
    """(left, top, right, bottom) of all shapes; texts lie inside their boxes."""
    xs, ys = [], []
    for part in parts:
        for shape in part.shapes:
            if isinstance(shape, Rect):
                xs += (shape.x, shape.x + shape.width)
                ys += (shape.y, shape.y + shape.height)
            elif isinstance(shape, Line):
                xs += [x for x, _ in shape.points]
                ys += [y for _, y in shape.points]
    return min(xs, default=0.0), min(ys, default=0.0), max(xs, default=0.0), max(ys, default=0.0)


def _move(shape, dx, dy):
    if isinstance(shape, Line):
        shape.points = [(x + dx, y + dy) for x, y in shape.points]
        shape.head = [(x + dx, y + dy) for x, y in shape.head]
    else:
        shape.x += dx
        shape.y += dy
