"""Type stubs, derived from the op blocks: ``python -m minigrad.stubs`` writes the `.pyi` files beside the sources.

Functions and methods that blocks make do not stand in any source file, so editors and type checkers read these stubs:
`minigrad/__init__.pyi`, `minigrad/tensor.pyi`, `nn/functional.pyi`.  A test compares them with what this writes.
"""

from __future__ import annotations

import inspect
import pathlib
import re

import minigrad
from minigrad import dtypes
from minigrad.autograd.link import FUNCTIONALS
from minigrad.tensor import Tensor

HEAD = '"""Derived from the op blocks by `python -m minigrad.stubs`; do not edit."""\n\n'
RESULTS = {
    "Tensor": "Tensor",
    "BoolTensor": "Tensor",
    "LongTensor": "Tensor",
    "bool": "bool",
    "int": "int",
    "dtype": "dtype",
}
BUILTIN = {"bool", "int", "float"}  # dtypes of minigrad bear these names: the stubs reach the types by `builtins`
SLOTS = "    array: np.ndarray\n    _shape: tuple\n    node: Any\n    vc: Any\n    _view: Any\n    leaf: Any\n"
PROPERTIES = {
    "shape": "dtypes.Size", "dtype": "dtypes.dtype", "ndim": "builtins.int", "device": "dtypes.device",
    "itemsize": "builtins.int", "nbytes": "builtins.int", "requires_grad": "builtins.bool", "is_leaf": "builtins.bool",
    "grad": "Tensor | None", "data": "Tensor", "T": "Tensor", "mT": "Tensor", "retains_grad": "builtins.bool",
}  # fmt: skip
SETTABLE = {"requires_grad", "grad", "data"}


def result_of(function):
    """The type of a function's result, read off the first lines of its docstring."""
    found = re.search(r"->\s*(\w+|\()", inspect.getdoc(function) or "")
    word = found.group(1) if found else ""
    if word == "tuple":
        return "tuple[Tensor, ...]"
    if word == "(":
        return "Any"
    name = RESULTS.get(word, "Any")
    return f"builtins.{name}" if name in BUILTIN else name


def parameters(function, method):
    """The parameters as stub source: untyped ones are Any, defaults are `...`."""
    parts, star = [], False
    for k, p in enumerate(inspect.signature(function).parameters.values()):
        if method and k == 0:
            parts.append("self")
            continue
        if p.kind is p.KEYWORD_ONLY and not star:
            parts.append("*")
            star = True
        prefix = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        star = star or p.kind is p.VAR_POSITIONAL
        parts.append(f"{prefix}{p.name}: Any" + ("" if p.default is p.empty else " = ..."))
    return ", ".join(parts)


def function_stub(name, function, indent="", method=False):
    return f"{indent}def {name}({parameters(function, method)}) -> {result_of(function)}: ...\n"


def tensor_stub():
    text = (
        HEAD
        + "import builtins\nfrom typing import Any\n\nimport numpy as np\n\nfrom minigrad import dtypes\n\nclass Tensor:\n"
    )
    text += SLOTS + "    def __new__(cls, *args: Any, dtype: Any = ..., device: Any = ...) -> Tensor: ...\n"
    for name, member in sorted(vars(Tensor).items()):
        if isinstance(member, property):
            kind = PROPERTIES.get(name, "Any")
            text += f"    @property\n    def {name}(self) -> {kind}: ...\n"
            if name in SETTABLE:
                text += f"    @{name}.setter\n    def {name}(self, value: Any) -> None: ...\n"
        elif inspect.isfunction(member) and name not in (
            "__new__",
            "__eq__",
            "__ne__",
            "__dir__",
            "__format__",
            "__hash__",
        ):
            text += function_stub(name, member, "    ", method=True)
    text += "    def __eq__(self, other: Any) -> Tensor: ...  # type: ignore[override]\n"
    text += "    def __ne__(self, other: Any) -> Tensor: ...  # type: ignore[override]\n"
    text += "    def __hash__(self) -> builtins.int: ...\n\n"
    return text + "def wrap(array: Any) -> Tensor: ...\ndef legacy(cls: Any, args: Any, dtype: Any) -> Tensor: ...\n"


def package_stub():
    reexported = {"Tensor": "minigrad.tensor"}
    text, bodies = "", ""
    for name in sorted(set(minigrad.__all__)):
        value = getattr(minigrad, name)
        if name in dtypes.PUBLIC:
            bodies += f"{name}: dtype\n"
        elif isinstance(value, float):
            bodies += f"{name}: builtins.float\n"
        elif inspect.ismodule(value):
            reexported[name] = "minigrad"
        elif inspect.isclass(value):
            home = value.__module__ if value.__module__ != "minigrad" else "minigrad.typed"
            reexported[name] = home
        elif inspect.isfunction(value):
            bodies += function_stub(name, value)
        else:
            bodies += f"{name}: Any\n"
    text = HEAD + "import builtins\nfrom typing import Any\n\n"
    for name, home in sorted(reexported.items(), key=lambda item: (item[1], item[0])):
        text += f"from {home} import {name} as {name}\n"
    return text + "\n__version__: str\n" + bodies


def functional_stub():
    text = HEAD + "from typing import Any\n\nfrom minigrad.tensor import Tensor\n\n"
    return text + "".join(function_stub(name, FUNCTIONALS[name]) for name in sorted(FUNCTIONALS))


def stubs():
    """{path of the stub: its text}."""
    package = pathlib.Path(minigrad.__file__).parent
    functional = pathlib.Path(minigrad.nn.functional.__file__).with_suffix(".pyi")
    return {
        package / "__init__.pyi": package_stub(),
        package / "tensor.pyi": tensor_stub(),
        functional: functional_stub(),
    }


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text)
        print(f"wrote {path}")
