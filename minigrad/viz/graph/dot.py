"""The drawing as DOT text, Graphviz' language: what `Drawing.source` is, and its skeleton, which is laid out.

Box sizes are given, so that every Graphviz places the boxes the same way whatever fonts it knows.
"""

from __future__ import annotations

import math

from minigrad.viz.graph.model import OP
from minigrad.viz.graph.style import (
    EDGE,
    FRAME,
    RANK_GAP,
    TITLE,
    box_size,
    edge_style,
    flow_text,
    frame_style,
    is_round,
    spread,
    style_of,
    width,
)  # fmt: skip

__all__ = ["dot_source", "skeleton"]

POINTS = 72.0  # per inch, Graphviz' unit of size
MARGIN = 10.0  # around what stands in a frame


def dot_source(graph) -> str:
    """DOT text of a `Graph`. Boxes are ``n0 n1 …``, groups ``cluster_g0 …`` and edges ``e0 e1 …`` in the order of the
    walk; a closed module has its group's key."""
    import graphviz

    dot = graphviz.Digraph("minigrad")
    dot.attr("graph", rankdir=graph.direction, nodesep="0.25", ranksep=f"{RANK_GAP / POINTS:.4f}")
    dot.attr("graph", bgcolor="transparent", fontname="Helvetica")
    dot.attr("node", shape="box", style="rounded,filled", fixedsize="true", fontname="Helvetica", fontsize="11")
    tail, head = ("s", "n") if graph.direction == "TB" else ("e", "w")
    dot.attr("edge", color=EDGE, arrowsize="0.7", tailport=tail, headport=head)
    said = [graph.note, flow_text(graph.flow)]
    if any(said):
        dot.attr("graph", label=_quoted(said), labelloc="b", fontsize="11")
    _fill(dot, graph, "", _members(graph))
    fed = {edge.head for edge in graph.edges}
    for i, edge in enumerate(graph.edges):
        style = edge_style(edge, graph.flow)
        look = {"color": style.ink, "penwidth": f"{style.line:.2f}"}
        if style.dashed:
            look["style"] = "dashed"
        if edge.loop:
            look["constraint"] = "false"
            look["tailport"] = look["headport"] = "e" if graph.direction == "TB" else "s"
        elif edge.tail in fed:
            look["weight"] = "3"  # the way through the operations is drawn straighter than what is fed in
        if edge.count > 1:
            look["label"] = f"×{edge.count:,}"
        if edge.tip:
            look["tooltip"] = _quoted([edge.tip])
        dot.edge(edge.tail, edge.head, id=f"e{i}", **look)
    return dot.source


def skeleton(graph, sizes) -> str:
    """DOT text of what the layout needs to know and no more: keys, sizes, frames with room for their titles, edges."""
    turned = graph.direction == "TB"
    tail, head, beside = ("s", "n", "e") if turned else ("e", "w", "s")
    lines = [
        "digraph {",
        f"rankdir={graph.direction} nodesep=0.25 ranksep={RANK_GAP / POINTS:.4f} fontname=Helvetica labeljust=l",
        'node [shape=box fixedsize=true label=""]',
        f"edge [tailport={tail} headport={head} fontname=Helvetica]",
    ]
    _outline(lines, graph, "", _members(graph), sizes)
    fed = {edge.head for edge in graph.edges}
    for i, edge in enumerate(graph.edges):
        looks = [f"id=e{i}"]
        if edge.loop:
            looks.append(f"constraint=false tailport={beside} headport={beside}")
        elif edge.tail in fed:
            looks.append("weight=3")
        if edge.count > 1:
            looks.append(f'label="×{edge.count:,}"')
        lines.append(f"{edge.tail} -> {edge.head} [{' '.join(looks)}]")
    lines += [f"{tail} -> {head} [style=invis]" for tail, head in _helpers(graph)]
    return "\n".join([*lines, "}"])


def _outline(lines, graph, key, members, sizes):
    boxes, groups = members[key]
    for box in boxes:
        wide, high = sizes[box.key]
        lines.append(f"{box.key} [width={wide / POINTS:.4f} height={high / POINTS:.4f}]")
    for group in groups:
        room = "m" * math.ceil(width(group.title, FRAME, True) / (0.8 * FRAME))  # the letter is as wide in every font
        margin = MARGIN + spread(group)
        lines.append(f"subgraph cluster_{group.key} {{ margin={margin:g} fontsize={FRAME:g} label={room}")
        _outline(lines, graph, group.key, members, sizes)
        lines.append("}")


def _helpers(graph):
    """From what comes into a frame to the parameters in it: so that each frame begins where the one before has ended,
    and they can stand in one line."""
    arriving: dict[str, list[str]] = {}
    for edge in graph.edges:
        if not edge.loop:
            arriving.setdefault(edge.head, []).append(edge.tail)
    for head, tails in arriving.items():
        group = graph.boxes[head].group
        inner = [key for key in tails if graph.boxes[key].group == group and key not in arriving]
        for tail in dict.fromkeys(tails):
            if group and group not in graph.around(graph.boxes[tail].group):
                yield from [(tail, key) for key in dict.fromkeys(inner)]


def _members(graph):
    """{key of a group, "" for none: (its boxes, the groups in it)}."""
    members = {key: ([], []) for key in ("", *graph.groups)}
    for box in graph.boxes.values():
        members[box.group][0].append(box)
    for group in graph.groups.values():
        members[group.parent][1].append(group)
    return members


def _fill(dot, graph, key, members):
    """Write the boxes and the groups that stand in a group."""
    boxes, groups = members[key]
    for box in boxes:
        _add(dot, box)
    for group in groups:
        style = frame_style(len(graph.around(group.key)), group)
        with dot.subgraph(name=f"cluster_{group.key}") as inner:
            inner.attr(
                label=_quoted([group.title]), labeljust="l", labelloc="t", fontsize=f"{FRAME:g}", margin=f"{MARGIN:g}",
                style="rounded,filled", fillcolor=style.fill, color=style.border, fontcolor=style.ink,
                tooltip=_quoted([group.tip]),
            )  # fmt: skip
            _fill(inner, graph, group.key, members)


def _add(dot, box):
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


def _quoted(lines):
    """Text that means itself: no line of it is HTML or an escape of DOT's."""
    import graphviz

    return graphviz.nohtml("\\n".join(graphviz.escape(line) for line in lines if line))
