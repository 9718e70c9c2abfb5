"""Sphinx: formulas as MathML, which browsers draw themselves: no script and no font is loaded."""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import latex2mathml, pick_math_environment


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def mathml(text, displayed):
    return latex2mathml.tex2mathml(text, as_block=displayed)


def inline(translator, node):
    translator.body.append(mathml(node.astext(), False))
    raise nodes.SkipNode


def block(translator, node):
    text = node.astext()
    if "\\\\" in text or "&" in text:
        environment = pick_math_environment(text)
        text = f"\\begin{{{environment}}}{text}\\end{{{environment}}}"
    translator.body.append(f'<div class="math">{mathml(text, True)}</div>\n')
    raise nodes.SkipNode
