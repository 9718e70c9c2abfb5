"""Sphinx: beside each name of the reference a link to its source, and pages that show the sources with line numbers.

What an op block makes has no source of its own: its link leads to the block. (sphinx.ext.viewcode would know neither
that nor what is generated.)
"""

from __future__ import annotations

import ast
import functools
import inspect
import os
import re
import sys
from pathlib import Path

import catalogue
from docutils import nodes
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import PythonLexer
from sphinx import addnodes

from minigrad.registry import COMPOSITES, OPS

ROOT = Path(catalogue.__file__).resolve().parents[2]
READING = ("minigrad/", "nn/", "optim/", "notebooks/scripts/")  # the folders whose files have pages


def setup(app):
    app.connect("doctree-read", add_links)
    app.connect("html-collect-pages", source_pages)
    app.connect("env-purge-doc", lambda app, env, docname: wanted(env).pop(docname, None))
    app.connect("env-merge-info", lambda app, env, docnames, other: wanted(env).update(wanted(other)))
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}


def wanted(env):
    """{page: the files that it links to}."""
    if not hasattr(env, "minigrad_sources"):
        env.minigrad_sources = {}
    return env.minigrad_sources


def add_links(app, doctree):
    """Put the links into the signatures, and into running text that names a file of the sources."""
    docname = app.env.docname
    files = wanted(app.env).setdefault(docname, set())
    for signature in doctree.findall(addnodes.desc_signature):
        place = place_of(signature.get("module"), signature.get("fullname"))
        if place:
            files.add(place[0])
            signature += addnodes.only(
                "", link_to(app, docname, *place, nodes.inline("", "[source]", classes=["viewcode-link"])), expr="html"
            )
    for literal in list(doctree.findall(nodes.literal)):
        text = literal.astext()
        if re.fullmatch(r"[\w/]+\.py", text) and not isinstance(literal.parent, nodes.reference):
            path = next(
                (
                    p
                    for p in (text, f"minigrad/{text}", f"notebooks/{text}")
                    if p.startswith(READING) and (ROOT / p).is_file()
                ),
                None,
            )
            if path:
                files.add(path)
                literal.replace_self(link_to(app, docname, path, 0, literal.deepcopy()))


def link_to(app, docname, path, line, child):
    uri = app.builder.get_relative_uri(docname, page_name(path)) + (f"#line-{line}" if line else "")
    return nodes.reference("", "", child, internal=True, refuri=uri)


def page_name(path):
    return "source/" + path.removesuffix(".py")


def place_of(module, fullname):
    """(file, line) of a name of the reference, or None."""
    short = (fullname or "").rpartition(".")[2]
    thing = sys.modules.get(module)
    for part in (fullname or "").split("."):
        thing = inspect.getattr_static(thing, part, None) if inspect.isclass(thing) else getattr(thing, part, None)
    if isinstance(thing, (classmethod, staticmethod)):
        thing = thing.__func__
    if isinstance(thing, property):
        thing = thing.fget
    if isinstance(thing, functools.cached_property):
        thing = thing.func
    if inspect.isclass(thing):
        return class_place(thing)
    code = getattr(inspect.unwrap(thing) if callable(thing) else None, "__code__", None)
    found = code and (relative(code.co_filename), code.co_firstlineno)
    if found and found[0]:
        return found
    for name in (
        short,
        short.removesuffix("_"),
        getattr(thing, "__name__", ""),
        f"{module.rpartition('.')[2]}_{short}",
    ):
        block = OPS.get(name) or COMPOSITES.get(name)
        if block is not None and not inspect.isclass(block):
            block = getattr(block, "function", block)
        if inspect.isclass(block):
            return class_place(block)
        if block is not None and hasattr(block, "__code__"):
            return relative(block.__code__.co_filename), block.__code__.co_firstlineno
    return None


def class_place(cls):
    path = relative(getattr(sys.modules.get(cls.__module__), "__file__", None) or "")
    line = path and classes_of(path).get(cls.__qualname__)
    return (path, line) if line else None


def relative(filename):
    """A file of the sources from the root of the repository, or ""."""
    path = Path(os.path.abspath(filename))
    try:
        inside = path.relative_to(ROOT).as_posix()
    except ValueError:
        return ""
    return inside if inside.startswith(READING) and path.is_file() else ""


@functools.cache
def classes_of(path):
    """{qualified name: line} of the classes of a file."""
    found, waiting = {}, [("", ast.parse((ROOT / path).read_text(encoding="utf-8")))]
    while waiting:
        prefix, node = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.ClassDef):
                found[prefix + child.name] = child.lineno
                waiting.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, (ast.If, ast.Try)):
                waiting.append((prefix, child))
    return found


def source_pages(app):
    """The pages of the files that are linked to."""
    formatter = HtmlFormatter(linenos=False, lineanchors="line", anchorlinenos=False, wrapcode=True)
    for path in sorted(set().union(*wanted(app.env).values())):
        code = highlight((ROOT / path).read_text(encoding="utf-8"), PythonLexer(), formatter)
        body = f'<h1>{path}</h1><div class="source">{code}</div>'
        yield page_name(path), {"title": path, "body": body}, "page.html"
