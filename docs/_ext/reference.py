"""Sphinx: the pages of the reference, written before each build from the docstrings (`catalogue`, `docstrings`)."""

from __future__ import annotations

import importlib
import inspect
import re

import catalogue
import docstrings
from docutils import nodes
from sphinx import addnodes
from sphinx.errors import ExtensionError
from sphinx.util.inspect import stringify_signature

FOLDER = "reference"
INTRODUCTION = """\
Every public name, in the words of its docstring: what `help` prints, too. Names, arguments, defaults and errors are
PyTorch's where PyTorch has them.
"""


def setup(app):
    app.connect("builder-inited", write)
    app.connect("doctree-read", name_classes)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def write(app):
    """Write all pages of the reference into docs/reference; those that are as before keep their time."""
    without = catalogue.undocumented()
    if without:
        raise ExtensionError(f"public names without a docstring: {', '.join(without)}")
    folder = app.srcdir / FOLDER
    folder.mkdir(exist_ok=True)
    pages = {f"{page.slug}.rst": "\n".join(page_lines(page)) + "\n" for page in catalogue.pages()}
    pages["index.rst"] = "\n".join(index_lines()) + "\n"
    for name, text in pages.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.glob("*.rst"):
        if path.name not in pages:
            path.unlink()


def name_classes(app, doctree):
    """In signatures classes stand without their module: `Tensor`, `nn.Module`."""
    for node in list(doctree.findall(addnodes.pending_xref)):
        path = SHORT.get(node.get("reftarget", "").rpartition(".")[2])
        if node.get("reftarget") in BUILTINS and node["reftype"] == "class":
            node.replace_self(nodes.Text(node["reftarget"]))  # Python's bool, not the dtype minigrad.bool
        elif path and node["refdomain"] == "py" and not node["reftarget"].startswith("minigrad."):
            node["reftarget"] = path
            node["refspecific"] = False


MANY = 60  # members of a class, from which on they are listed first
IN_PLACE = "In-place forms of the functions without ``_``: each writes its result into the tensor, and returns it."
BUILTINS = ("bool", "complex", "float", "int")
SHORT = {
    "Tensor": "minigrad.Tensor", "Module": "minigrad.nn.Module", "Parameter": "minigrad.nn.Parameter",
    "Optimizer": "minigrad.optim.Optimizer", "Generator": "minigrad.Generator", "Size": "minigrad.Size",
    "dtype": "minigrad.dtype", "Distribution": "minigrad.distributions.Distribution", "Dataset":
    "minigrad.utils.data.Dataset", "Value": "minigrad.scalar.Value", "Drawing": "minigrad.viz.Drawing",
}  # fmt: skip


def heading(text, sign):
    return [text, sign * max(len(text), 4) * 2, ""]


def index_lines():
    pages = catalogue.pages()
    yield from [*heading("Reference", "="), *docstrings.to_rst(INTRODUCTION), ""]
    yield from ["In alphabetical order: :ref:`genindex`. By subject:", ""]
    for page in pages:
        names = [name for section in page.sections for name in section.names]
        some = ", ".join(f"``{name.short}``" for name in names[:: max(1, len(names) // 7)][:8])
        count, some = (len(names), f"{some} …") if len(names) > 1 else ("1", "its attributes and methods")
        yield from [f":doc:`{page.slug}` ({count})", f"   {some}", ""]
    yield from [".. toctree::", "   :hidden:", "", *(f"   {page.slug}" for page in pages), ""]


def page_lines(page):
    yield from heading(page.title, "=")
    told = {"minigrad"}
    for section in page.sections:
        if not section.names and not page.table:
            continue
        yield from [f".. py:currentmodule:: {section.module}", ""]
        if section.title != section.module:
            yield from module_lines(section, told)
        if section.title and len(page.sections) > 1:
            yield from heading(section.title, "-")
        yield from module_lines(section, told)
        if section.refused:
            yield from refused_lines(section)
        if page.table:
            yield from table_lines(section)
            continue
        in_place = [name for name in section.names if name.text.startswith("In-place form of")]
        names = [name for name in section.names if name not in in_place]
        if len(names) > 5:
            yield from [" · ".join(f":py:obj:`{name.short} <{name.path}>`" for name in names), ""]
        for name in names:
            yield from name_lines(name)
        if in_place:
            yield from in_place_lines("function", [name.short + call_of(name) for name in in_place])


def module_lines(section, told):
    """What a module says of itself, once."""
    if section.module not in told:
        told.add(section.module)
        module = importlib.import_module(section.module)
        yield from [*docstrings.to_rst(inspect.cleandoc(module.__doc__ or ""), linker(section.module)), ""]


def in_place_lines(directive, calls):
    """All in-place forms together."""
    start = f".. py:{directive}:: "
    calls = [call.replace(", *, out=None", "") for call in calls]
    yield from [start + calls[0], *(" " * len(start) + call for call in calls[1:]), ""]
    yield from [f"   {IN_PLACE}", ""]


def refused_lines(section):
    """What is there by name only, and why."""
    why = section.refused[0].text.partition(" raises ")[2]
    names = ", ".join(f"``{name.short}``" for name in section.refused)
    yield from [f"By name only; calling one raises {docstrings.inline(why)}", "", f"{names}", ""]


def table_lines(section):
    """One line for each name."""
    if not section.names:
        return
    yield from [".. list-table::", "   :widths: 30 70", ""]
    for name in section.names:
        text = docstrings.first_sentence(name.text, name.short) if name.text else repr(name.thing)
        words = docstrings.inline(text, linker(section.module)) if name.text else docstrings.literal(text)
        if not name.own:
            words = "Python's own."
        yield from [f"   * - ``{name.short}``", f"     - {words}"]
    yield ""


def name_lines(name):
    """The directive of one name."""
    if name.usual:
        first = docstrings.first_sentence(name.text, name.usual.rpartition(".")[2])
        said = f"The same as :py:obj:`{name.usual}`: {docstrings.inline(first)}"
        option = ["   :no-index:"] if name.kind == "class" else []  # annotations would not know which of the two
        call = f"class:: {name.short}" if option else f"function:: {name.short}{call_of(name)}"
        yield from [f".. py:{call}", *option, "", f"   {said}", ""]
    elif not name.own and name.kind != "data":
        first = docstrings.inline(docstrings.first_sentence(name.text))
        yield from [f".. py:{name.kind}:: {name.short}", "", f"   {first} (Made by {name.thing.__module__}.)", ""]
    elif name.kind == "class":
        yield from class_lines(name)
    elif name.kind == "function":
        yield from described("function", name, name.short)
    else:
        yield from [f".. py:data:: {name.short}", f"   :value: {value_of(name.thing)}", ""]
        if name.text:
            yield from indent(docstrings.to_rst(name.text))


def value_of(thing):
    text = " ".join(repr(thing).split())
    text = re.sub(r"<(.*?) (object )?at 0x[0-9a-f]+>", r"<\1>", text)
    return text if len(text) < 80 else text[:76] + " ..."


def class_lines(name):
    yield from described("class", name, name.short)
    members, in_place = list(catalogue.members(name.thing, name.path)), []
    if len(members) > MANY:
        shown = [member for member, _ in members if not member.short.endswith("_")]
        yield from indent([" · ".join(f":py:obj:`{member.short} <{member.path}>`" for member in shown), ""])
    for member, kind in members:
        if (member.thing.__doc__ or "").startswith("In-place form of"):
            in_place.append(member.short + call_of(member, method=True))
        else:
            yield from indent(member_lines(name, member, kind))
    if in_place:
        yield from indent(in_place_lines("method", in_place))


def member_lines(owner, member, kind):
    text = inspect.cleandoc(getattr(member.thing, "__doc__", None) or "")
    if not catalogue.said(text):
        return  # it says no more than what it overrides, or than its class says of it
    if kind == "property":
        yield from [f".. py:property:: {member.short}", "", *indent(docstrings.to_rst(text, linker(owner.path))), ""]
        return
    function = catalogue.same_function(owner, member)
    if function:
        first = docstrings.first_sentence(text, member.short)
        call = call_of(member, method=True)
        yield from [f".. py:method:: {member.short}{call}", "",
                    f"   :py:obj:`{function}` of this tensor: {docstrings.inline(first)}", ""]  # fmt: skip
        return
    option = [f"   :{kind}:"] if kind in ("classmethod", "staticmethod") else []
    yield from described("method", member, member.short, option, owner.path, method=kind != "staticmethod")


def described(directive, name, shown, options=(), scope="", method=False):
    """A directive with its signatures and the docstring."""
    given, rest = docstrings.head(name.text, name.short)
    if directive != "class" and given and by_docstring(name, given):
        calls = [
            f"({without_input(arguments, method)})" + (f" -> {result}" if result else "") for arguments, result in given
        ]
    else:
        calls, rest = [call_of(name, method)], rest if given else name.text
    start = f".. py:{directive}:: "
    yield from [start + shown + calls[0], *(" " * len(start) + shown + call for call in calls[1:]), *options, ""]
    yield from indent(docstrings.to_rst(rest, linker(scope or name.path)))
    yield ""


def without_input(arguments, method):
    return re.sub(r"^(self|input)(, |$)", "", arguments) if method else arguments


def call_of(name, method=False):
    """The signature as Python knows it."""
    given, _ = docstrings.head(name.text, (name.usual or name.path).rpartition(".")[2])
    if given and name.kind != "class" and by_docstring(name, given):
        arguments, result = given[0]
        return f"({without_input(arguments, method)})" + (f" -> {result}" if result else "")
    try:
        signature = inspect.signature(name.thing)
    except (TypeError, ValueError):
        return "()" if name.kind != "class" else ""
    parameters = list(signature.parameters.values())
    if method and parameters:
        parameters = parameters[1:]
    if name.kind == "class":
        signature = signature.replace(return_annotation=signature.empty)
    elif signature.return_annotation is signature.empty and given and given[0][1]:
        signature = signature.replace(return_annotation=Written(given[0][1]))
    signature = signature.replace(parameters=[plain(parameter) for parameter in parameters])
    return stringify_signature(signature, unqualified_typehints=True)


def by_docstring(name, given):
    """Whether the docstring's signatures say more than Python's: those of the op blocks do, and where Python knows of
    ``*args`` only."""
    if len(given) > 1 or getattr(name.thing, "__module__", None) in ("minigrad", "minigrad.nn.functional"):
        return True
    return "*args" in str(inspect.signature(name.thing))


class Written:
    """A default as it is to be read."""

    def __init__(self, text):
        self.text = text

    def __repr__(self):
        return self.text


def plain(parameter):
    """A parameter whose default can be read: functions and classes by their names."""
    default = parameter.default
    if callable(default) and hasattr(default, "__name__") and default is not parameter.empty:
        return parameter.replace(default=Written(default.__name__))
    if repr(default).startswith("<") and default is not parameter.empty:
        return parameter.replace(default=Written("..."))
    return parameter


def linker(scope):
    """The function that makes links of the `names` in a docstring of that path."""
    known = catalogue.every_path()
    places = [scope, scope.rpartition(".")[0], "minigrad", "minigrad.nn", "minigrad.nn.functional", "minigrad.viz"]

    def link(words):
        bare = words.removesuffix("()")
        if not re.fullmatch(r"[A-Za-z_][\w.]*", bare):
            return None
        for place in places:
            path = f"{place}.{bare}"
            if path in known and path != scope:
                return f":py:obj:`{words} <{path}>`"
        if bare in known:
            return f":py:obj:`{words} <{bare}>`"
        return None

    return link


def indent(lines):
    return [f"   {line}" if line else "" for line in lines]
