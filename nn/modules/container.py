"""Modules that hold modules (Sequential, ModuleList, ModuleDict) or parameters (ParameterList, ParameterDict)."""

from __future__ import annotations

import operator
import warnings
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping

from minigrad.nn.modules.attributes import typename
from minigrad.nn.modules.module import Module, indent
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["Container", "ModuleDict", "ModuleList", "ParameterDict", "ParameterList", "Sequential"]


def position(index, length):
    """An index counted from the front, as a list counts; IndexError beyond the ends."""
    index = operator.index(index)
    if not -length <= index < length:
        raise IndexError(f"index {index} is out of range")
    return index % length


def check_iterable(value, what):
    """The error of a method that takes several things for what is one."""
    if not isinstance(value, Iterable):
        raise TypeError(f"{what} should be called with an iterable, but got {type(value).__name__}")


def pairs_of(items, what):
    """(key, value) pairs from a dict or an iterable of pairs, for the `update` of a `what`."""
    if not isinstance(items, Iterable):
        raise TypeError(
            f"{what}.update should be called with an iterable of key/value pairs, but got {type(items).__name__}"
        )
    if isinstance(items, Mapping | ModuleDict | ParameterDict):
        return list(items.items())
    pairs = list(items)
    for number, pair in enumerate(pairs):
        if not isinstance(pair, Iterable):
            raise TypeError(f"{what} update sequence element #{number} should be Iterable; is {type(pair).__name__}")
        pairs[number] = pair = tuple(pair)
        if len(pair) != 2:
            raise ValueError(f"{what} update sequence element #{number} has length {len(pair)}; 2 is required")
    return pairs


class _Numbered(Module):
    """Modules under the names "0", "1", ...: what Sequential and ModuleList share."""

    def _children_list(self):
        state = self.__dict__
        return [state[name] for name in self._module_names]

    def _set_children(self, modules):
        """Hold these modules, numbered from 0 (names given by the user are lost, as in PyTorch)."""
        for name in list(self._module_names):
            delattr(self, name)
        for number, module in enumerate(modules):
            self.add_module(str(number), module)

    def __len__(self):
        return len(self._module_names)

    def __iter__(self) -> Iterator[Module]:
        return iter(self._children_list())

    def __getitem__(self, index):
        return self._children_list()[position(index, len(self))]

    def __setitem__(self, index, module):
        setattr(self, list(self._module_names)[position(index, len(self))], module)

    def __delitem__(self, index):
        modules = self._children_list()
        if isinstance(index, slice):
            del modules[index]
        else:
            del modules[position(index, len(self))]
        self._set_children(modules)

    def append(self, module: Module):
        """Put a module at the end. Returns self."""
        self.add_module(str(len(self)), module)
        return self

    def insert(self, index: int, module: Module):
        """Put a module before the one at `index`. Returns self."""
        if not -len(self) <= index <= len(self):
            raise IndexError(f"Index out of range: {index}")
        if not isinstance(module, Module):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        modules = self._children_list()
        modules.insert(index, module)
        self._set_children(modules)
        return self

    def extend(self, modules: Iterable[Module]):
        """Put modules at the end. Returns self."""
        check_iterable(modules, f"{self._get_name()}.extend")
        for module in list(modules):
            self.append(module)
        return self

    def pop(self, index: int = -1) -> Module:
        """Take out the module at `index` and return it."""
        module = self[index]
        del self[index]
        return module

    def __iadd__(self, modules):
        return self.extend(modules)


class Container(Module):
    """PyTorch's deprecated base of networks: its keyword arguments are submodules. Subclass `Module`.

    PyTorch: torch.nn.Container
    """

    def __init__(self, **kwargs) -> None:
        warnings.warn(
            "`nn.Container` is deprecated. All of it's functionality is now implemented in `nn.Module`. Subclass that "
            "instead.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__()
        for name, module in kwargs.items():
            self.add_module(name, module)


class Sequential(_Numbered):
    """Modules in a row: each gets the output of the one before.

    ``Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))``, or with names of your own
    ``Sequential(OrderedDict(hidden=nn.Linear(4, 16), act=nn.ReLU(), out=nn.Linear(16, 3)))``.
    It can be indexed, sliced (a Sequential), added (``a + b``), repeated (``a * 3``, sharing the modules), iterated.

    Input: that of the first module; output: that of the last; without modules the input.

    PyTorch: torch.nn.Sequential
    """

    def __init__(self, *args) -> None:
        super().__init__()
        if len(args) == 1 and isinstance(args[0], OrderedDict):
            for name, module in args[0].items():
                self.add_module(name, module)
        else:
            for number, module in enumerate(args):
                self.add_module(str(number), module)

    def forward(self, input):
        state = self.__dict__
        for name in self._module_names:
            input = state[name](input)
        return input

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)

    def __add__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return Sequential(*self, *other)

    def __iadd__(self, other):
        if not isinstance(other, Sequential):
            raise ValueError(f"add operator supports only objects of Sequential class, but {type(other)} is given.")
        return self.extend(other)

    def __mul__(self, times):
        if not isinstance(times, int):
            raise TypeError(f"unsupported operand type(s) for *: {type(self)} and {type(times)}")
        if times <= 0:
            raise ValueError(f"Non-positive multiplication factor {times} for {type(self)}")
        return Sequential(*(self._children_list() * times))

    __rmul__ = __mul__

    def __imul__(self, times):
        for module in list(self * times)[len(self) :]:
            self.append(module)
        return self


class ModuleList(_Numbered):
    """A list of modules that registers them. Has no `forward`: index or iterate it in yours.

    Args:
        modules (iterable of Module, optional): what is in it at first.

    PyTorch: torch.nn.ModuleList
    """

    def __init__(self, modules: Iterable[Module] | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.extend(modules)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(self._children_list()[index])
        return super().__getitem__(index)

    def __add__(self, other: Iterable[Module]) -> ModuleList:
        return ModuleList([*self, *other])

    def __repr__(self):
        """Equal neighbours are shown once, ``(0-2): 3 x Linear(...)``."""
        runs = []  # [first, last, text]
        for number, text in enumerate(map(repr, self)):
            if runs and runs[-1][2] == text:
                runs[-1][1] = number
            else:
                runs.append([number, number, text])
        if not runs:
            return f"{self._get_name()}()"
        lines = []
        for first, last, text in runs:
            label = f"({first}): {text}" if first == last else f"({first}-{last}): {last - first + 1} x {text}"
            lines.append(indent(label))
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"


class ModuleDict(Module):
    """A dict of modules that registers them, in the order they came. Has no `forward`: use it in yours.

    Args:
        modules (dict of str to Module, or iterable of pairs, optional): what is in it at first. A key may not be
            the name of a method, such as "keys" or "type".

    PyTorch: torch.nn.ModuleDict
    """

    def __init__(self, modules: Mapping[str, Module] | Iterable | None = None) -> None:
        super().__init__()
        if modules is not None:
            self.update(modules)

    def __getitem__(self, key):
        return self._modules[key]

    def __setitem__(self, key, module):
        self.add_module(key, module)

    def __delitem__(self, key):
        del self._modules[key]

    def __len__(self):
        return len(self._module_names)

    def __iter__(self):
        return iter(self._module_names)

    def __contains__(self, key):
        return key in self._module_names

    def clear(self) -> None:
        """Take all modules out."""
        self._modules.clear()

    def pop(self, key: str) -> Module:
        """Take out the module of this name and return it."""
        module = self[key]
        del self[key]
        return module

    def keys(self):
        """The names."""
        return self._modules.keys()

    def items(self):
        """The pairs (name, module)."""
        return self._modules.items()

    def values(self):
        """The modules."""
        return self._modules.values()

    def update(self, modules) -> None:
        """Add or replace modules from a dict or from pairs."""
        for key, module in pairs_of(modules, "ModuleDict"):
            self[key] = module


def as_parameter(value):
    """Plain tensors become parameters; all else stays."""
    return Parameter(value) if isinstance(value, Tensor) and not isinstance(value, Parameter) else value


def describe(value, dtype_text):
    """A line of the `repr` of a list or dict of parameters."""
    if not isinstance(value, Tensor):
        return f"Object of type: {type(value).__name__}"
    kind = "Parameter" if isinstance(value, Parameter) else "Tensor"
    return f"{kind} containing: [{dtype_text(value)} of size {'x'.join(map(str, value.shape))}]"


class ParameterList(Module):
    """A list of parameters that registers them. Tensors become parameters; other objects are held as they are.

    Args:
        values (iterable, optional): what is in it at first.

    PyTorch: torch.nn.ParameterList
    """

    def __init__(self, values: Iterable | None = None) -> None:
        super().__init__()
        self._size = 0
        if values is not None:
            self.extend(values)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return type(self)(list(self)[index])
        return getattr(self, str(position(index, self._size)))

    def __setitem__(self, index, value):
        setattr(self, str(position(index, self._size)), as_parameter(value))

    def __len__(self):
        return self._size

    def __iter__(self):
        return iter([self[number] for number in range(self._size)])

    def append(self, value):
        """Put a value at the end. Returns self."""
        self._size += 1
        self[-1] = value
        return self

    def extend(self, values: Iterable):
        """Put values at the end. Returns self."""
        check_iterable(values, "ParameterList.extend")
        for value in list(values):
            self.append(value)
        return self

    def __iadd__(self, values):
        return self.extend(values)

    def extra_repr(self) -> str:
        return "\n".join(f"  ({i}): {describe(value, lambda t: t.dtype)}" for i, value in enumerate(self))


class ParameterDict(Module):
    """A dict of parameters that registers them. Tensors become parameters; other objects are held as they are.

    Args:
        parameters (dict, or iterable of pairs, optional): what is in it at first.

    PyTorch: torch.nn.ParameterDict
    """

    def __init__(self, parameters: Mapping | Iterable | None = None) -> None:
        super().__init__()
        self._keys: dict[str, None] = {}
        if parameters is not None:
            self.update(parameters)

    def __getitem__(self, key):
        self._check_key(key)
        if key not in self._keys:  # PyTorch's type, for what a dict would call a KeyError
            raise AttributeError(f"'{self._get_name()}' object has no attribute '{key}'")
        return getattr(self, key)

    @staticmethod
    def _check_key(key):
        if not isinstance(key, str):
            raise TypeError(f"Index given to ParameterDict cannot be used as a key as it is not a string ({key!r})")

    def __setitem__(self, key, value):
        self._check_key(key)
        if key not in self._keys and hasattr(type(self), key):
            raise KeyError(f"attribute '{key}' already exists")
        self._keys[key] = None
        setattr(self, key, as_parameter(value))

    def __delitem__(self, key):
        del self._keys[key]
        delattr(self, key)

    def __len__(self):
        return len(self._keys)

    def __iter__(self):
        return iter(self._keys)

    def __contains__(self, key):
        return key in self._keys

    def keys(self):
        """The names."""
        return self._keys.keys()

    def items(self):
        """The pairs (name, value)."""
        return [(key, self[key]) for key in self._keys]

    def values(self):
        """The values."""
        return [self[key] for key in self._keys]

    def get(self, key, default=None):
        """The value of this name, or `default`."""
        return self[key] if key in self._keys else default

    def setdefault(self, key, default=None):
        """The value of this name, after setting it to `default` if there is none."""
        if key not in self._keys:
            self[key] = default
        return self[key]

    def pop(self, key):
        """Take out the value of this name and return it."""
        value = self[key]
        del self[key]
        return value

    def popitem(self) -> tuple:
        """Take out the last (name, value) and return it."""
        if not self._keys:
            raise KeyError("ParameterDict.popitem(): dictionary is empty")
        key = next(reversed(self._keys))
        return key, self.pop(key)

    def copy(self) -> ParameterDict:
        """Another ParameterDict of the same values."""
        return ParameterDict(OrderedDict(self.items()))

    def fromkeys(self, keys: Iterable[str], default=None) -> ParameterDict:
        """A new ParameterDict with these names, all of the value `default`."""
        return ParameterDict((key, default) for key in keys)

    def __reversed__(self):
        return reversed(self._keys)

    def __or__(self, other):
        made = self.copy()
        made.update(other)
        return made

    def __ror__(self, other):
        made = other.copy()
        made.update(self)
        return made

    def __ior__(self, other):
        self.update(other)
        return self

    def clear(self) -> None:
        """Take everything out."""
        for key in list(self._keys):
            del self[key]

    def update(self, parameters) -> None:
        """Add or replace values from a dict or from pairs."""
        pairs = pairs_of(parameters, "ParameterDict")
        if type(parameters) is dict:  # PyTorch sorts these
            pairs.sort(key=lambda pair: pair[0])
        for key, value in pairs:
            self[key] = value

    def extra_repr(self) -> str:
        return "\n".join(f"  ({key}): {describe(value, typename)}" for key, value in self.items())
