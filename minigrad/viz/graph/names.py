"""What the user's `params` say: names of tensors, and the modules they belong to.

Comes before `reading.py`, which finds the nodes of these tensors, and `modules.py`, which finds the operations of these
modules.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from minigrad.errors import describe
from minigrad.tensor import Tensor

__all__ = ["Names", "names_of"]

NOTEBOOK_RESULT = re.compile(r"_+\d*")  # `_`, `__`, `_12`: IPython's names for what a cell gave
KINDS = "a Module, a dict of names to Tensors and Modules, or an iterable of (name, Tensor) pairs"


@dataclass(slots=True)
class Names:
    """`pairs` are (name, tensor), `homes` (path of a module, a parameter or buffer of its own), `kinds` the class names
    of modules by path; ``""`` is the path of the module that all others are parts of, if there is one."""

    pairs: list[tuple[str, Tensor]] = field(default_factory=list)
    homes: list[tuple[str, Tensor]] = field(default_factory=list)
    kinds: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, pairs):
        """Of (name, tensor) pairs."""
        names = cls()
        for name, tensor in pairs:
            names.add(name, tensor)
        return names

    def add(self, name, tensor):
        """A tensor by its name; the dots of ``fc1.weight`` are those of a path."""
        self.pairs.append((name, tensor))
        path, dot, _ = name.rpartition(".")
        if dot:
            self.homes.append((path, tensor))

    def add_tensors_of(self, module, prefix=""):
        """The parameters and buffers of a module and all below it."""
        dotted = prefix and prefix + "."
        self.pairs += [(dotted + name, tensor) for name, tensor in module.named_parameters()]
        self.pairs += [(dotted + name, tensor) for name, tensor in module.named_buffers()]

    def add_modules(self, modules):
        """Modules by name, and all below them. What is a part of another of them is that one's; a shared tensor has a
        home in each module that has it."""
        seen: set = set()
        for prefix, module in sorted(modules.items(), key=lambda pair: -len(list(pair[1].modules()))):
            for path, inner in module.named_modules(seen, prefix):
                self.kinds[path] = type(inner).__name__
                own = [*inner.named_parameters(recurse=False), *inner.named_buffers(recurse=False)]
                self.homes += [(path, tensor) for _, tensor in own]


def names_of(params, who="draw()") -> Names:
    """The `Names` in any of the forms that `draw` takes. Raises TypeError for another form; `who` is the function named
    in the message."""
    if isinstance(params, Names):
        return params
    names = Names()
    if params is None:
        return names
    if is_module(params):
        names.add_tensors_of(params)
        names.add_modules({"": params})
    elif isinstance(params, Mapping):
        for name, value in params.items():
            if isinstance(value, Tensor) and not NOTEBOOK_RESULT.fullmatch(str(name)):
                names.add(str(name), value)
            elif is_module(value):
                names.add_tensors_of(value, str(name))
        names.add_modules({str(name): value for name, value in params.items() if is_module(value)})
        if params and not names.pairs:
            raise TypeError(f"{who}: argument 'params': the dict holds no Tensor; expected name to Tensor")
    elif isinstance(params, str | Tensor) or not hasattr(params, "__iter__"):
        raise TypeError(f"{who}: argument 'params' must be {KINDS}, not {describe(params)}")
    else:
        for pair in list(params):
            if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[1], Tensor)):
                hint = "; pass model.named_parameters()" if isinstance(pair, Tensor) else ""
                raise TypeError(f"{who}: argument 'params' must be {KINDS}; it holds {describe(pair)}{hint}")
            names.add(str(pair[0]), pair[1])
    return names


def is_module(value) -> bool:
    """Whether this has parameters and buffers as a Module has them."""
    return hasattr(value, "named_parameters") and hasattr(value, "named_buffers") and not isinstance(value, type)
