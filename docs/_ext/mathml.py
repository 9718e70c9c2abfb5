"""Sphinx: formulas as MathML, which browsers draw themselves: no script and no font is loaded."""

from __future__ import annotations

from docutils import nodes
from latex2mathml.converter import convert


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(translator, node):
    translator.body.append(convert(node.astext()))
    raise nodes.SkipNode


def block(translator, node):
    text = node.astext()
    if "\\\\" in text and "\\begin{" not in text:
        text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
    translator.body.append(f'<div class="math">{convert(text, display="block")}</div>\n')
    raise nodes.SkipNode
