"""Which public names there are, and on which page of the reference each stands: read off the modules.

`pages()` gives them all; `undocumented()` names those that say nothing of themselves, which stops the build of the site
and fails tests/test_docs_site.py. Needs minigrad only, not Sphinx.
"""

from __future__ import annotations

import dataclasses
import functools
import importlib
import inspect
import re
import sys
import types

from places import ELSEWHERE, FAMILIES, HARMLESS, MODULES, SECTIONS, TOLD

import minigrad
import minigrad.nn.functional
from minigrad.autograd.link import FUNCTIONALS, SPECIALS
from minigrad.registry import COMPOSITES, OPS

FEWEST = 9  # a docstring of fewer characters says nothing


@dataclasses.dataclass
class Name:
    """A public name: its path ("minigrad.nn.Linear"), the thing, and, if another path is the usual one, that."""

    path: str
    thing: object
    usual: str = ""

    @property
    def short(self):
        return self.path.rpartition(".")[2]

    @property
    def kind(self):
        """ "module", "class", "function" or "data"."""
        if inspect.ismodule(self.thing):
            return "module"
        if inspect.isclass(self.thing):
            return "class"
        return "function" if callable(self.thing) and hasattr(self.thing, "__name__") else "data"

    @property
    def own(self):
        """Whether it is minigrad's, not only passed on."""
        return self.kind == "data" or str(getattr(self.thing, "__module__", "minigrad")).startswith("minigrad")

    @property
    def text(self):
        """Its docstring; of a number or an object "", as theirs is that of their class."""
        told = TOLD.get(self.path)
        if told is not None or self.kind == "data":
            return told or ""
        return inspect.cleandoc(self.thing.__doc__ or "")


@dataclasses.dataclass
class Section:
    """Names under one heading; module: whose they are; refused: functions that only say what to do instead."""

    title: str
    module: str
    names: list
    refused: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Page:
    """A page of the reference."""

    slug: str
    title: str
    sections: list
    table: bool = False  # one line for each name


def module_named(name):
    """A module of minigrad, or None where this version has none of that name."""
    try:
        return importlib.import_module(f"minigrad.{name}")
    except ModuleNotFoundError as error:
        if error.name == f"minigrad.{name}":
            return None
        raise


def public_names(module):
    """The public names of a module, in order: its `__all__`, what its blocks offer, or what it defines."""
    if module is sys.modules["minigrad.nn.functional"]:
        return sorted(FUNCTIONALS)
    if module.__name__ == "minigrad.special":
        return sorted(SPECIALS)
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(dict.fromkeys(listed))
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


def origin(name, thing):
    """The file of `minigrad` that a name comes from, "ops.trig" or the like."""
    base = name.removesuffix("_")
    if base in ("batch_norm", "layer_norm"):  # they stand beside softmax, whose kernels they share
        return "ops.normalization"
    for key in (name, base, getattr(thing, "__name__", "").removesuffix("_")):
        block = OPS.get(key) or COMPOSITES.get(key)
        if block is not None and getattr(thing, "__module__", "minigrad").startswith("minigrad"):
            return block.__module__.removeprefix("minigrad.")
    home = getattr(thing, "__module__", None)
    if not isinstance(home, str) or home in ("minigrad", "builtins"):
        home = TYPED_HOMES.get(name) or type(thing).__module__
    return home.removeprefix("minigrad.")


TYPED_HOMES = {
    **dict.fromkeys(["is_grad_enabled", "is_inference_mode_enabled"], "autograd.modes"),
    **dict.fromkeys(["e", "inf", "nan", "pi"], "ops.pointwise"),
    **dict.fromkeys([name for name in minigrad.__all__ if name.endswith("Tensor") and name != "Tensor"], "typed"),
}


def name_of(module, short):
    """A name in a module; where the thing is called otherwise, the usual path is noted."""
    thing = getattr(module, short)
    path, usual = f"{module.__name__}.{short}", ""
    own = getattr(thing, "__name__", short)
    if callable(thing) and own != short and getattr(module, own, None) is thing and own in public_names(module):
        usual = f"{module.__name__}.{own}"
    return Name(path, thing, usual)


def family_pages():
    """The pages of the names of `minigrad` itself, and the names that no family took."""
    left = {}
    for short in public_names(minigrad):
        if short != "Tensor" and not inspect.ismodule(getattr(minigrad, short)):
            left[short] = origin(short, getattr(minigrad, short))
    made = []
    for slug, title, sections in FAMILIES:
        page = Page(slug, title, [])
        for heading, files in sections:
            files = files.split()
            taken = sorted((name for name, home in left.items() if home in files), key=str.lower)
            for name in taken:
                del left[name]
            names = [name_of(minigrad, name) for name in taken]
            if slug == "layers":
                for name in names:
                    if hasattr(minigrad.nn.functional, name.short):
                        name.usual = f"minigrad.nn.functional.{name.short}"
            page.sections.append(Section(heading, "minigrad", names))
        made.append(page)
    return made, left


def module_pages():
    """The pages of the other modules; what MODULES does not know yet comes last."""
    known = {place for _, _, places in MODULES for place in places.split()}.union(HARMLESS.split())
    more = [name.removeprefix("minigrad.") for name in public_modules()]
    more = [place for place in more if not any(other == place or other.startswith(place + ".") for other in known)]
    for slug, title, places in [*MODULES, ("more", "More", " ".join(more))]:
        found = [(place, module_named(place)) for place in places.split()]
        sections = [part for place, module in found if module is not None for part in module_sections(place, module)]
        if sections:
            yield Page(slug, title, sections)


def module_sections(place, module):
    """The names of a module, all together or by SECTIONS."""
    whole = module_section(place, module)
    if place not in SECTIONS:
        return [whole]
    left, parts = {name.path: name for name in whole.names}, []
    for heading, files in SECTIONS[place]:
        taken = [name for name in left.values() if origin(name.short, name.thing) in files.split()]
        parts.append(Section(heading, whole.module, taken))
        for name in taken:
            del left[name.path]
    return [*parts, Section("Others", whole.module, list(left.values()))]


def module_section(place, module):
    """The names of a module, without its submodules, which have sections of their own."""
    names = [name_of(module, short) for short in sorted(public_names(module), key=str.lower)]
    names = [name for name in names if name.kind != "module"]
    refused = [name_of(module, short) for short in getattr(vars(module).get("__getattr__"), "refused", ())]
    return Section(f"minigrad.{place}", f"minigrad.{place}", names, refused)


@functools.cache
def pages():
    """All pages of the reference, in order."""
    tensor = Page("tensor", "Tensor", [Section("", "minigrad", [Name("minigrad.Tensor", minigrad.Tensor)])])
    made, left = family_pages()
    if left:
        raise LookupError(f"docs/_ext/catalogue.py: FAMILIES has no place for {left}")
    harmless = [(place, module_named(place)) for place in HARMLESS.split()]
    harmless = [module_section(place, module) for place, module in harmless if module is not None]
    title = "Names of hardware, compilers and services"
    every = [tensor, *made, *module_pages(), Page("harmless", title, harmless, table=True)]
    note_classes_again(every)
    return every


def note_classes_again(every):
    """Note the usual path of each class that has several: the first, on the page of its kind."""
    first = {}
    for page in every:
        for section in page.sections:
            for name in section.names:
                if name.kind == "class" and name.own:
                    usual = first.setdefault(name.thing, name)
                    if usual is not name and not page.table:
                        name.usual = usual.path


@functools.cache
def every_path():
    """{path: Name} of all names on the pages."""
    return {name.path: name for page in pages() for section in page.sections for name in section.names}


def members(cls, path):
    """[(Name, kind)] of what a class offers: its own public methods and properties, and those of bases that have no
    place of their own; kind is "method", "classmethod", "staticmethod" or "property"."""
    listed = {name.thing for name in every_path().values() if name.kind == "class"}
    found = {}
    for base in cls.__mro__:
        if base is not cls and base in listed:
            break  # what it offers stands there
        if not base.__module__.startswith("minigrad"):
            continue
        for short, thing in vars(base).items():
            home = getattr(thing, "__module__", None) or "minigrad"
            if short[0] != "_" and short not in found and home.partition(".")[0] in ("minigrad", "builtins"):
                found[short] = thing
    kinds = {
        classmethod: "classmethod", staticmethod: "staticmethod", property: "property",
        functools.cached_property: "property", types.MemberDescriptorType: "property",
        types.GetSetDescriptorType: "property",
    }  # fmt: skip
    for short in sorted(found, key=str.lower):
        thing = found[short]
        kind = kinds.get(type(thing)) or ("method" if inspect.isroutine(thing) else "")
        if kind == "method" and not callable(thing):
            kind = "property"  # one of our own making, as lazy_property
        if kind:
            thing = thing.__func__ if isinstance(thing, (classmethod, staticmethod)) else thing
            yield Name(f"{path}.{short}", thing), kind


def same_function(owner, member):
    """The path of the function of `minigrad` that a method of `Tensor` is, or ""."""
    thing = getattr(minigrad, member.short, None)
    return f"minigrad.{member.short}" if owner.path == "minigrad.Tensor" and thing is member.thing else ""


def inherited(cls, short):
    """Whether a class from which `cls` inherits documents its member of that name."""
    return any(getattr(vars(base).get(short), "__doc__", None) for base in cls.__mro__[1:])


def told_by_class(name, member):
    """Whether a slot, which is no function and can have no docstring, stands in the docstring of its class."""
    slot = isinstance(member.thing, (types.MemberDescriptorType, types.GetSetDescriptorType))
    return slot and re.search(rf"\b{member.short}\b", name.text) is not None


def said(text):
    """Whether a docstring says something."""
    return len((text or "").strip()) >= FEWEST


def undocumented():
    """The paths of public names, and of methods of public classes, that have no docstring (of their own, or of what
    they override), and of public modules that no page has."""
    without = []
    for path, name in every_path().items():
        if name.kind == "data" or not name.own:
            continue
        own = name.thing.__dict__.get("__doc__") if name.kind == "class" else name.text
        if not said(own):
            without.append(path)
        if name.kind == "class":
            for member, _ in members(name.thing, path):
                told = said(member.thing.__doc__) or inherited(name.thing, member.short)
                if not told and not told_by_class(name, member):
                    without.append(member.path)
    silent = [name for name in public_modules() if not said(sys.modules[name].__doc__)]
    return without + silent


def public_modules():
    """The paths of the modules that `minigrad`, or a package of it, names in its `__all__`."""
    waiting, seen = [minigrad], set(ELSEWHERE)
    while waiting:
        module = waiting.pop()
        for short in getattr(module, "__all__", ()):
            thing = getattr(module, short)
            path = getattr(thing, "__name__", "")
            if inspect.ismodule(thing) and path.startswith("minigrad") and path not in seen and short[0] != "_":
                seen.add(path)
                waiting.append(thing)
    return sorted(seen - set(ELSEWHERE))
