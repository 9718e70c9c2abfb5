"""Sphinx: formulas as MathML, which browsers draw themselves: no script and no font is loaded."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

from docutils import nodes
from latex2mathml.converter import convert

NAMESPACE = "http://www.w3.org/1998/Math/MathML"
ElementTree.register_namespace("", NAMESPACE)


def setup(app):
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def inline(translator, node):
    translator.body.append(spaced(convert(node.astext())))
    raise nodes.SkipNode


def block(translator, node):
    text = node.astext()
    if "\\\\" in text and "\\begin{" not in text:
        text = f"\\begin{{aligned}}{text}\\end{{aligned}}"
    translator.body.append(f'<div class="math">{spaced(convert(text, display="block"))}</div>\n')
    raise nodes.SkipNode


def spaced(markup):
    """The formula with TeX's thin space before and after the name of a function: p log q, not plogq."""
    root = ElementTree.fromstring(markup)
    for row in list(root.iter(tag("mrow"))):
        for before, after in itertools.pairwise(list(row)):
            beside = is_function(before) + is_function(after)
            if beside == 2 or (beside and not {before.tag, after.tag} & {tag("mo"), tag("mspace")}):
                row.insert(list(row).index(after), ElementTree.Element(tag("mspace"), width="0.167em"))
    return ElementTree.tostring(root, encoding="unicode")


def is_function(element):
    """Whether it is ``log``, or ``log`` with an index or an exponent."""
    if element.tag in (tag("msub"), tag("msup"), tag("msubsup")):
        element = element[0]
    return element.tag == tag("mi") and len(element.text or "") > 1


def tag(name):
    return f"{{{NAMESPACE}}}{name}"
