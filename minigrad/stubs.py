"""Type stubs, derived from the op blocks: ``python -m minigrad.stubs`` writes the `.pyi` files beside the sources.

Functions and methods that blocks make do not stand in any source file, so editors and type checkers read these stubs:
`minigrad/__init__.pyi`, `tensor.pyi`, `linalg.pyi`, `special.pyi` and `nn/functional.pyi`.  tests/test_stubs.py
compares them with what this writes.  What a function returns is read off its annotation, else off the first paragraph
of its docstring:

    tanh(input) -> Tensor                                       one signature: the function's own
    max(input) -> Tensor;  max(input, dim) -> (values, indices) several results: one overload each, as they stand here

A name that ends in `_` writes into its tensor and returns it, as everywhere in PyTorch.
"""

from __future__ import annotations

import inspect
import pathlib
import re

import minigrad
from minigrad import dtypes
from minigrad.autograd.link import FUNCTIONALS, IN_PLACE_OPERATORS, LINALGS, REFLECTED, SPECIALS
from minigrad.registry import COMPOSITES, OPS
from minigrad.tensor import Tensor, wrap

HEAD = '"""Derived from the op blocks by `python -m minigrad.stubs`; do not edit."""\n\n'
RESULTS = {
    "Tensor": "Tensor", "BoolTensor": "Tensor", "LongTensor": "Tensor", "tuple of Tensors": "tuple[Tensor, ...]",
    "(values, indices)": "ValuesAndIndices", "Tensor or tuple": "Any", "bool": "bool", "int": "int", "str": "str",
    "tuple of ints": "tuple[int, ...]", "Size": "dtypes.Size", "dtype": "dtypes.dtype",
}  # fmt: skip
ARROW = re.compile(r"(\w+)\(([^;]*?)\)\s*->\s*(" + "|".join(map(re.escape, sorted(RESULTS, key=len)[::-1])) + ")")
IN_OVERLOADS = {"dim": "int", "other": "Tensor"}  # parameters that tell one overload from another
# Where these stand alone they would be read as the dtype minigrad.bool, the method Tensor.int, ...
BUILTIN = re.compile(r"(?<![\w.])(bool|complex|float|int|list|str|tuple)\b")
OPERATORS = {*REFLECTED, *IN_PLACE_OPERATORS, "__eq__", "__ne__", "__pos__"}.union(
    *(block.dunder for blocks in (OPS, COMPOSITES) for block in blocks.values())
)
SLOTS = {"array": "np.ndarray", "_shape": "tuple[int, ...]"}
OBJECTS = {  # public names that are neither functions nor classes, and where they are defined
    "default_generator": "minigrad.random", "is_grad_enabled": "minigrad.autograd.modes",
    "is_inference_mode_enabled": "minigrad.autograd.modes",
}  # fmt: skip


def type_text(text):
    """A type as it is written in a stub: builtins by their full name."""
    return BUILTIN.sub(r"builtins.\1", text)


NAMED = re.compile(r"->\s*\(\w+(?:, \w+(?: or None)?)+\)")  # several tensors, by their names


def results_of(name, function):
    """[(parameters or None, type)]: one pair, or one for each overload."""
    annotation = function.__annotations__.get("return")
    if annotation is not None:
        return [(None, annotation if isinstance(annotation, str) else inspect.formatannotation(annotation))]
    if name.endswith("_") and not name.endswith("__"):
        return [(None, "Tensor")]
    found = ARROW.findall((inspect.getdoc(function) or "").split("\n\n")[0])
    if len({result for _, _, result in found}) > 1:
        return [(given.split(", ") if given else [], RESULTS[result]) for _, given, result in found]
    several = NAMED.search((inspect.getdoc(function) or "").split("\n\n")[0])
    return [(None, RESULTS[found[0][2]] if found else "NamedTensors" if several else "Any")]


def kind_of(parameter):
    """The type of a parameter as far as it shows: its annotation, or a default that is a bool or a str."""
    if parameter.annotation is not parameter.empty:
        kind = parameter.annotation
        return type_text(kind if isinstance(kind, str) else inspect.formatannotation(kind))
    return f"builtins.{type(parameter.default).__name__}" if isinstance(parameter.default, bool | str) else "Any"


def default_of(parameter):
    if parameter.default is parameter.empty:
        return ""
    plain = parameter.default is None or isinstance(parameter.default, bool | int | float | str)
    return f" = {parameter.default!r}" if plain and repr(parameter.default) not in ("inf", "nan", "-inf") else " = ..."


def parameters(function, method):
    """The parameters as stub source."""
    parts, star = [], False
    for k, p in enumerate(inspect.signature(function).parameters.values()):
        if method and k == 0:
            parts.append("self")
            continue
        if method and p.name == "out":
            continue  # methods share the function; PyTorch's have no out=
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
        star = star or p.kind in (p.VAR_POSITIONAL, p.KEYWORD_ONLY)
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        parts.append(f"{prefix}{p.name}: {kind_of(p)}{default_of(p)}")
    return ", ".join(parts)


def documented(given, method):
    """The parameters of an overload, which stand in the docstring only."""
    names = given[1:] if method and given[:1] == ["input"] else given
    parts = []
    for text in names:
        name, _, default = text.partition("=")
        kind = type_text(IN_OVERLOADS.get(name, "bool" if default in ("True", "False") else "Any"))
        parts.append(f"{name}: {kind}" + (f" = {default}" if default else ""))
    return ", ".join(["self", *parts] if method else parts)


def function_stub(name, function, indent="", method=False):
    results = results_of(name, function)
    if name in OPERATORS:
        operands = [p for p in inspect.signature(function).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        given = "self" if len(operands) == 1 else "self, other: Any"
        note = "  # type: ignore[override]" if name in ("__eq__", "__ne__") else ""
        return f"{indent}def {name}({given}) -> Tensor: ...{note}\n"
    text = ""
    for given, result in results:
        head = f"{indent}@overload\n" if len(results) > 1 else ""
        arguments = parameters(function, method) if given is None else documented(given, method)
        text += f"{head}{indent}def {name}({arguments}) -> {type_text(result)}: ...\n"
    return text


def property_stub(name, member):
    kind = type_text(member.fget.__annotations__["return"])
    text = f"    @property\n    def {name}(self) -> {kind}: ...\n"
    if member.fset is not None:
        text += f"    @{name}.setter\n    def {name}(self, value: {kind}) -> None: ...\n"
    if member.fdel is not None:
        text += f"    @{name}.deleter\n    def {name}(self) -> None: ...\n"
    return text


def tensor_stub():
    lines = [
        "import builtins", "from collections.abc import Callable, Iterator",
        "from typing import Any, NamedTuple, overload", "", "import numpy as np", "", "from minigrad import dtypes",
        "from minigrad.autograd.node import Handle, Node", "from minigrad.storage import UntypedStorage", "",
        "class ValuesAndIndices(NamedTuple):",
        "    values: Tensor", "    indices: Tensor", "", "class NamedTensors(tuple[Tensor, ...]):",
        "    def __getattr__(self, name: str) -> Tensor: ...", "", "class Tensor:",
    ]  # fmt: skip
    text = HEAD + "\n".join(lines) + "\n"
    for name in Tensor.__slots__:
        if not name.startswith("__"):
            text += f"    {name}: {type_text(SLOTS.get(name, 'Any'))}\n"
    text += "    def __new__(cls, *args: Any, dtype: Any = None, device: Any = None) -> Tensor: ...\n"
    members = {name: member for cls in reversed(Tensor.__mro__[:-1]) for name, member in vars(cls).items()}
    for name, member in sorted(members.items()):
        if isinstance(member, property):
            text += property_stub(name, member)
        elif isinstance(member, bool):
            text += f"    {name}: builtins.bool\n"
        elif inspect.isfunction(member) and name != "__new__":
            text += function_stub(name, member, "    ", method=True)
    return text + "\n" + function_stub("wrap", wrap)


def package_stub():
    reexported, bodies = (
        {"Tensor": "minigrad.tensor", "ValuesAndIndices": "minigrad.tensor", "NamedTensors": "minigrad.tensor"},
        "",
    )
    for name in sorted(set(minigrad.__all__)):
        value = getattr(minigrad, name)
        if name in dtypes.PUBLIC:
            bodies += f"{name}: dtype\n"
        elif name in dtypes.LAYOUTS:
            bodies += f"{name}: dtypes.{type(value).__name__}\n"
        elif isinstance(value, float):
            bodies += f"{name}: builtins.float\n"
        elif inspect.ismodule(value):
            reexported[name] = "minigrad"
        elif inspect.isclass(value):
            reexported[name] = value.__module__ if value.__module__ != "minigrad" else "minigrad.typed"
        elif name in OBJECTS:
            reexported[name] = OBJECTS[name]
        elif value.__module__ != "minigrad" and "return" in value.__annotations__:
            reexported[name] = value.__module__  # it stands in a source file, with its types
        else:
            bodies += function_stub(name, value)
    text = HEAD + "import builtins\nfrom typing import Any, overload\n\nfrom minigrad import dtypes\n"
    for name, home in sorted(reexported.items(), key=lambda item: (item[1], item[0])):
        text += f"from {home} import {name} as {name}\n"
    return text + "\n__version__: str\n" + bodies


def place_stub(functions):
    text = HEAD + "import builtins\nfrom typing import Any\n\nfrom minigrad.tensor import NamedTensors, Tensor\n\n"
    return text + "".join(function_stub(name, functions[name]) for name in sorted(functions))


def stubs():
    """{path of the stub: its text}."""
    package = pathlib.Path(minigrad.__file__).parent
    functional = pathlib.Path(minigrad.nn.functional.__file__).with_suffix(".pyi")
    return {
        package / "__init__.pyi": package_stub(),
        package / "tensor.pyi": tensor_stub(),
        package / "linalg.pyi": place_stub(LINALGS),
        package / "special.pyi": place_stub(SPECIALS),
        functional: place_stub(FUNCTIONALS),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
