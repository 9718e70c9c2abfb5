"""How boxes look, and how large they are: colours, fonts, sizes.

The colours are Okabe and Ito's set for colour-blind readers (jfly.uni-koeln.de/color), thinned for the fills.  Every
box brings its own background and edges are a middle grey, so a drawing reads on white and on black; kinds differ by
form and line as well as by colour.

A browser's font is not known here, so widths are estimates on the wide side: of DejaVu Sans, the widest usual one.
"""

from __future__ import annotations

import math
import unicodedata
from dataclasses import dataclass

from minigrad.viz.graph.model import (
    BACKWARD,
    CONSTANT,
    FAILED,
    FOLD,
    LEAF,
    MODULE,
    OP,
    OUTPUT,
    STACKED,
    STOPPED,
    VALUE,
    VIEW,
)  # fmt: skip

__all__ = [
    "STYLES", "Stroke", "Style", "blended", "box_size", "edge_style", "flow_text", "frame_style", "is_round",
    "is_stacked", "label_width", "readable_direction", "row_width", "spread", "style_of", "title_size", "width",
]  # fmt: skip

FONTS = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, 'Noto Sans', 'Noto Sans KR', sans-serif"
EDGE, FAINT = "#7b8696", "#9aa4b1"
GRAD, LABEL = "#a33c00", "#59636f"
LOOP, BROKEN = "#b0578a", "#d00000"
FLOW_COLOURS = ((90, 20, 160), (177, 42, 144), (225, 100, 98), (252, 166, 54))  # of matplotlib's plasma (Smith, van der
FLOW_LINES = 0.8, 4.4  # Walt 2015): even in lightness, safe for colour-blind readers
ARROW = 7.0


@dataclass(frozen=True, slots=True)
class Style:
    """The look of one kind of box."""

    fill: str
    border: str
    ink: str = "#1d242e"
    soft: str = LABEL  # the ink of lines without label
    line: float = 1.2
    dashed: bool = False


@dataclass(frozen=True, slots=True)
class Stroke:
    """The look of an edge."""

    ink: str
    line: float = 1.2
    dashed: bool = False


STYLES = {
    LEAF: Style("#dceefb", "#0072b2", line=1.6),
    CONSTANT: Style("#eff1f3", "#87909c", "#39424e", dashed=True),
    VALUE: Style("#ffffff", "#87909c"),
    OUTPUT: Style("#ffebd8", "#d55e00", line=2.0),
    OP: Style("#3c495b", "#95a3b7", "#ffffff", "#d6dee8"),
    FAILED: Style("#b00020", "#ff6b7d", "#ffffff", "#ffd5da", line=3.0),
    MODULE: Style("#e3f3ec", "#009e73", line=1.6),
    FOLD: Style("#f8eaf2", "#b0578a", dashed=True),
}
INPLACE = Style("#7d3763", "#dda3c5", "#ffffff", "#f3dcea")
VIEWING = Style("#e6eaf0", "#3c495b", "#2b3644", "#4a5666")  # computes nothing: hollow
GONE_BACK = Style("#5a3d8a", "#b79ee0", "#ffffff", "#e4d9f6")  # recorded by a backward pass
CUT = Style("#f4e9e6", "#a33c00", "#39424e", dashed=True)  # gradients end here
FRAMES = (Style("#f7f9fb", "#b6c1ce", "#39424e"), Style("#eef2f6", "#a9b6c5", "#39424e"))  # in turn, from outside
BACKWARD_FRAME = Style("#f5f1fb", "#b79ee0", "#5a3d8a")
MANY_FRAME = Style("#fdf7fa", "#b0578a", "#7d3763")  # one of several alike
NOTE = Style("#fff8db", "#b99400")

TITLE, ROW, SIGN, OP_ROW, FRAME = 13.0, 11.5, 17.0, 10.5, 11.5
TITLE_LINE, ROW_LINE, SIGN_LINE = 17.0, 15.0, 20.0
PAD_X, PAD_Y, GAP = 11.0, 7.0, 7.0
ROUND = 34.0  # the diameter of an operation that is only a sign
RANK_GAP, PAGE = 30.0, 1300.0
STACK = 5.0  # how far the sheets behind a folded box stand out

_WIDTHS = {
    "ijlI|'": 0.3, " .,:;!()[]{}/\\ft-rJ\"": 0.4, "_skxyvzc": 0.56, "mwMW@%…": 0.95, "→×+=−<>~QOGDNH": 0.82,
    "ABCEFKLPRSTUVXYZ": 0.68,
}  # fmt: skip
_WIDTH_OF = {char: w for chars, w in _WIDTHS.items() for char in chars}


def width(text: str, size: float, bold: bool = False) -> float:
    """About how wide a text is, in points."""
    ems = 0.0
    for char in text:
        if char in _WIDTH_OF:
            ems += _WIDTH_OF[char]
        elif unicodedata.combining(char) == 0:
            ems += 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.63
    return ems * size * (1.08 if bold else 1.0)


def style_of(box) -> Style:
    """The style of a box."""
    if box.inplace:
        return INPLACE
    if box.kind == CONSTANT and STOPPED in box.marks:
        return CUT
    if box.kind == OP and BACKWARD in box.marks:
        return GONE_BACK
    if box.kind == OP and VIEW in box.marks:
        return VIEWING
    return STYLES[box.kind]


def frame_style(level, group) -> Style:
    """The style of a frame that is the `level`-th from outside."""
    if group.kind == BACKWARD:
        return BACKWARD_FRAME
    return MANY_FRAME if group.count > 1 else FRAMES[(level - 1) % len(FRAMES)]


def edge_style(edge, flow=None) -> Stroke:
    """The stroke of an edge; `flow` is `Graph.flow`, which its strength is a place in."""
    if edge.strength is not None and flow is not None:
        return flow_stroke(edge.strength, flow, edge.faint)
    return Stroke(FAINT if edge.faint else LOOP if edge.loop else EDGE, 1.6 if edge.loop else 1.2, edge.faint)


def flow_stroke(strength, flow, dashed=False) -> Stroke:
    """Thin and violet where the gradient is least, thick and orange where it is greatest, by its logarithm; dashed
    where it is exactly zero, red where it is no number."""
    if not math.isfinite(strength):
        return Stroke(BROKEN, FLOW_LINES[1])
    if strength <= 0:
        return Stroke(FAINT, 1.0, True)
    least, greatest = flow
    part = (math.log10(strength) - least) / max(greatest - least, 1)
    part = min(max(part, 0.0), 1.0)
    return Stroke(blended(part), FLOW_LINES[0] + part * (FLOW_LINES[1] - FLOW_LINES[0]), dashed)


def blended(part: float) -> str:
    """The colour at a place from 0 to 1 of the scale."""
    at = part * (len(FLOW_COLOURS) - 1)
    i = min(int(at), len(FLOW_COLOURS) - 2)
    pairs = zip(FLOW_COLOURS[i], FLOW_COLOURS[i + 1], strict=True)
    return "#" + "".join(f"{round(a + (b - a) * (at - i)):02x}" for a, b in pairs)


def flow_text(flow) -> str:
    """What the edges' colours mean, in words; nothing if they mean nothing."""
    if flow is None:
        return ""
    return f"Edges: norm of the gradient, from 1e{flow[0]:+03d} (thin, violet) to 1e{flow[1]:+03d} (thick, orange)."


def readable_direction(graph) -> str:
    """``"LR"``, or ``"TB"`` if the longest way from left to right is wider than a page can show."""
    reach: dict[str, float] = {}
    arriving: dict[str, list[str]] = {}
    for edge in graph.edges:
        arriving.setdefault(edge.head, []).append(edge.tail)
    for key, box in graph.boxes.items():
        reach[key] = box_size(box)[0] + RANK_GAP + max((reach.get(k, 0.0) for k in arriving.get(key, ())), default=0.0)
    return "LR" if max(reach.values(), default=0.0) <= PAGE else "TB"


def title_size(box) -> float:
    """The font size of a box's first line: a sign such as × is set larger."""
    return SIGN if box.kind == OP and len(box.title) == 1 else TITLE


def is_round(box) -> bool:
    """Whether an operation is drawn as a circle: only a short sign, nothing else to say."""
    return box.kind == OP and not box.rows and width(box.title, title_size(box), True) < ROUND - 8


def is_stacked(box) -> bool:
    """Whether a box is drawn as several sheets."""
    return box.kind == FOLD or STACKED in box.marks


def spread(group) -> float:
    """How far the sheets behind a frame stand out, to the right and below."""
    return 2 * STACK if group.count > 1 else 0.0


def label_width(box) -> float:
    """The width of the column of ``data`` and ``grad``."""
    return max((width(label, ROW) for label, _ in box.rows if label.strip()), default=0.0)


def row_width(box, label, text) -> float:
    """The width of one line under the title."""
    if not label:
        return width(text, OP_ROW if box.kind == OP else ROW)
    return label_width(box) + GAP + width(text, ROW, bold=True)  # gradients are written bold


def box_size(box) -> tuple[float, float]:
    """(width, height) of a box in points."""
    if is_round(box):
        return ROUND, ROUND
    sign = box.kind == OP
    wide = width(box.title, title_size(box), True)
    wide = max([wide, *(row_width(box, label, text) for label, text in box.rows)])
    high = (SIGN_LINE if sign else TITLE_LINE if box.title else 0) + ROW_LINE * len(box.rows)
    extra = STACK if is_stacked(box) else 0.0
    return float(round(wide + 2 * PAD_X + extra)), float(round(high + 2 * PAD_Y + extra - (4 if sign else 0)))
