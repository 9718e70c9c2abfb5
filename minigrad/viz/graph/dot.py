"""The drawing as DOT text, Graphviz' language: what `Drawing.source` is, and what is laid out.

Box sizes are given, so that every Graphviz places the boxes the same way whatever fonts it knows.
"""

from __future__ import annotations

from minigrad.viz.graph.model import OP
from minigrad.viz.graph.style import EDGE, FAINT, RANK_GAP, TITLE, box_size, is_round, style_of

__all__ = ["dot_source"]

POINTS = 72.0  # per inch, Graphviz' unit of size


def dot_source(graph) -> str:
    """DOT text of a `Graph`. Boxes are ``n0 n1 …`` and edges ``e0 e1 …`` in the order of the walk."""
    import graphviz

    dot = graphviz.Digraph("minigrad")
    dot.attr("graph", rankdir=graph.direction, nodesep="0.25", ranksep=f"{RANK_GAP / POINTS:.4f}")
    dot.attr("graph", bgcolor="transparent", fontname="Helvetica")
    dot.attr("node", shape="box", style="rounded,filled", fixedsize="true", fontname="Helvetica", fontsize="11")
    tail, head = ("s", "n") if graph.direction == "TB" else ("e", "w")
    dot.attr("edge", color=EDGE, arrowsize="0.7", tailport=tail, headport=head)
    if graph.note:
        dot.attr("graph", label=_quoted([graph.note]), labelloc="b", fontsize="11")
    for box in graph.boxes.values():
        style, (wide, high) = style_of(box), box_size(box)
        look = {"shape": "circle"} if is_round(box) else {}
        if style.dashed:
            look["style"] = "rounded,filled,dashed"
        if box.kind == OP:
            look["fontsize"] = str(int(TITLE))
        dot.node(
            box.key,
            _quoted([box.title, *(f"{label} {text}".strip() for label, text in box.rows)]),
            tooltip=_quoted([box.tip]),
            width=f"{wide / POINTS:.4f}",
            height=f"{high / POINTS:.4f}",
            fillcolor=style.fill,
            color=style.border,
            fontcolor=style.ink,
            penwidth=f"{style.line:g}",
            **look,
        )
    fed = {edge.head for edge in graph.edges}
    for i, edge in enumerate(graph.edges):
        look = {"color": FAINT, "style": "dashed"} if edge.faint else {}
        if edge.tail in fed:
            look["weight"] = "3"  # the way through the operations is drawn straighter than what is fed in
        if edge.count > 1:
            look["label"] = f"×{edge.count:,}"
        if edge.tip:
            look["tooltip"] = _quoted([edge.tip])
        dot.edge(edge.tail, edge.head, id=f"e{i}", **look)
    return dot.source


def _quoted(lines):
    """Text that means itself: no line of it is HTML or an escape of DOT's."""
    import graphviz

    return graphviz.nohtml("\\n".join(graphviz.escape(line) for line in lines if line))
