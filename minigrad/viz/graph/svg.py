"""A scene as SVG text: no script, no outside font or file, every text escaped."""

from __future__ import annotations

import re

from minigrad.viz.graph.scene import Line, Rect, Scene, Text
from minigrad.viz.graph.style import FONTS

__all__ = ["svg_text"]

DASH = "4 3"
_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;"}


def svg_text(scene: Scene, title: str) -> str:
    """The drawing as one self-contained SVG element; `title` is what a screen reader says first."""
    wide, high = _n(scene.width), _n(scene.height)
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        f'role="img" font-family="{FONTS}" style="max-width:100%;height:auto">'
    )
    lines = [head, f"<title>{_escaped(title)}</title>"]
    for part in scene.parts:
        tip = f"<title>{_escaped(part.tip)}</title>" if part.tip else ""
        shapes = "".join(_SHAPES[type(shape)](shape) for shape in part.shapes)
        lines.append(f'<g id="{part.key}" class="{_class(part)}">{tip}{shapes}</g>')
    return "\n".join([*lines, "</svg>", ""])


def _class(part):
    """Names of our own: notebooks have styles for words like "output"."""
    return " ".join(f"minigrad-{word}" for word in part.kind.split())


def _escaped(text):
    return re.sub("[&<>\"']", lambda match: _ESCAPES[match[0]], text)


def _n(value):
    """A coordinate, to a hundredth of a point."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _rect(rect):
    dash = f' stroke-dasharray="{DASH}"' if rect.dashed else ""
    return (
        f'<rect x="{_n(rect.x)}" y="{_n(rect.y)}" width="{_n(rect.width)}" height="{_n(rect.height)}" '
        f'rx="{_n(rect.radius)}" fill="{rect.fill}" stroke="{rect.stroke}" stroke-width="{_n(rect.line)}"{dash}/>'
    )


def _text(text):
    anchor = ' text-anchor="middle"' if text.centred else ""
    bold = ' font-weight="600"' if text.bold else ""
    return (
        f'<text x="{_n(text.x)}" y="{_n(text.y)}" font-size="{_n(text.size)}" fill="{text.ink}"{anchor}{bold} '
        f'xml:space="preserve">{_escaped(text.text)}</text>'
    )


def _line(line):
    (x, y), *rest = line.points
    path = f"M{_n(x)},{_n(y)}C" + " ".join(f"{_n(x)},{_n(y)}" for x, y in rest)
    dash = f' stroke-dasharray="{DASH}"' if line.dashed else ""
    head = " ".join(f"{_n(x)},{_n(y)}" for x, y in line.head)
    return (
        f'<path d="{path}" fill="none" stroke="{line.stroke}" stroke-width="{_n(line.line)}"{dash}/>'
        f'<polygon points="{head}" fill="{line.stroke}"/>'
    )


_SHAPES = {Rect: _rect, Text: _text, Line: _line}
