"""How a module knows its parameters, buffers and submodules: by watching what is assigned to it.

First of the four parts of `Module` (then `hooks.py`, `state.py`, `module.py`).  Every value lives in the instance's
ordinary ``__dict__``, so that reading ``self.weight`` costs no more than reading any attribute.  Beside the values
stand three tables of *names*, in the order of registration, that say what a name is:

    linear.__dict__ = {"weight": Parameter, "bias": Parameter, ...,
                       "_parameter_names": {"weight": True, "bias": True}, "_buffer_names": {}, "_module_names": {}}

The value in a table says whether the name belongs into the `state_dict` (False only for buffers with
``persistent=False``).  PyTorch keeps the values themselves in three dicts, `_parameters`, `_buffers`, `_modules`;
programs that reach for those find a `Members` view of the same names here.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping

from minigrad.autograd.node import Handle
from minigrad.nn.parameter import Buffer, Parameter
from minigrad.tensor import Tensor

__all__ = [
    "Attributes", "Members", "register_module_buffer_registration_hook", "register_module_module_registration_hook",
    "register_module_parameter_registration_hook", "typename",
]  # fmt: skip

MEMBERS = {"_parameter_names": "_parameters", "_buffer_names": "_buffers", "_module_names": "_modules"}
TABLES = tuple(MEMBERS)
REGISTRATION: dict[str, dict[int, Callable]] = {table: {} for table in TABLES}
BEFORE_INIT = "Module.__init__() call; put super().__init__() first in your __init__"


def typename(value) -> str:
    """How PyTorch's messages name a type: ``torch.FloatTensor``, ``float``, ``collections.OrderedDict``."""
    if isinstance(value, Tensor):
        return value.type()
    kind = value if isinstance(value, type) else type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class Members(MutableMapping):
    """The members of one kind as a dict of name to value; writing to it writes to the module."""

    __slots__ = ("_names", "_values")

    def __init__(self, module, table) -> None:
        self._values = module.__dict__
        self._names = self._values[table]

    def __getitem__(self, name):
        if name not in self._names:
            raise KeyError(name)
        return self._values[name]

    def __setitem__(self, name, value):
        self._values[name] = value
        self._names.setdefault(name, True)

    def __delitem__(self, name):
        del self._names[name]
        del self._values[name]

    def __contains__(self, name):
        return name in self._names

    def __iter__(self):
        return iter(self._names)

    def __len__(self):
        return len(self._names)

    def __repr__(self):
        return repr(dict(self))


class Attributes:
    """The attribute side of `Module`."""

    _parameter_names: dict[str, bool]
    _buffer_names: dict[str, bool]
    _module_names: dict[str, bool]

    @property
    def _parameters(self):
        return Members(self, "_parameter_names")

    @property
    def _buffers(self):
        return Members(self, "_buffer_names")

    @property
    def _modules(self):
        return Members(self, "_module_names")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter, which becomes the attribute `name`.

        Args:
            name (str): no dots, not empty, not the name of another attribute.
            param (Parameter or None): None keeps the name (and the place in the order) without a parameter,
                as ``bias=False`` layers do.

        Raises:
            AttributeError: before ``super().__init__()``.
            TypeError, KeyError: for a wrong `param` or `name`.
            ValueError: for the result of an operation; parameters are leaves of the graph.

        PyTorch: torch.nn.Module.register_parameter
        """
        self._check_name("parameter", name)
        if param is not None and not isinstance(param, Parameter):
            raise TypeError(
                f"cannot assign '{typename(param)}' object to parameter '{name}' "
                "(torch.nn.Parameter or None required); wrap a tensor as nn.Parameter(tensor)"
            )
        if param is not None and param.grad_fn is not None:
            raise ValueError(
                f"Cannot assign non-leaf Tensor to parameter '{name}'. Model parameters must be created explicitly. "
                f"To express '{name}' as a function of another Tensor, compute the value in the forward() method."
            )
        self._store("_parameter_names", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a buffer: a tensor that is part of the module's state but is not trained, such as a running mean.

        Args:
            name (str): no dots, not empty, not the name of another attribute.
            tensor (Tensor or None): None keeps the name; a tensor assigned later becomes the buffer.
            persistent (bool): whether `state_dict` contains it.

        PyTorch: torch.nn.Module.register_buffer
        """
        self._check_name("buffer", name)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{typename(tensor)}' object to buffer '{name}' (torch Tensor or None required); "
                "make a tensor of it with minigrad.tensor(...)"
            )
        self._store("_buffer_names", name, tensor, persistent)

    def add_module(self, name: str, module: Attributes | None) -> None:
        """Add a submodule, which becomes the attribute `name`. (PyTorch: torch.nn.Module.add_module)"""
        if module is not None and not isinstance(module, Attributes):
            raise TypeError(f"{typename(module)} is not a Module subclass")
        self._check_name("module", name)
        self._store("_module_names", name, module)

    def register_module(self, name: str, module: Attributes | None) -> None:
        """The same as `add_module`. (PyTorch: torch.nn.Module.register_module)"""
        self.add_module(name, module)

    def _check_name(self, kind, name):
        table = self.__dict__.get(f"_{kind}_names")
        if table is None:
            raise AttributeError(f"cannot assign {kind} before {BEFORE_INIT}")
        if not isinstance(name, str):
            raise TypeError(f"{kind} name should be a string. Got {typename(name)}")
        if name not in table and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")
        if "." in name:
            raise KeyError(f'{kind} name can\'t contain "."' + (f", got: {name}" if kind == "module" else ""))
        if name == "":
            raise KeyError(f'{kind} name can\'t be empty string ""')

    @property
    def _non_persistent_buffers_set(self):
        return {name for name, persistent in self._buffer_names.items() if not persistent}

    def _store(self, table, name, value, persistent=True):
        if value is not None or table != "_parameter_names":
            for hook in REGISTRATION[table].values():
                replaced = hook(self, name, value)
                value = value if replaced is None else replaced
        self.__dict__[name] = value
        self.__dict__[table][name] = persistent

    def _forget(self, name):
        for table in TABLES:
            self.__dict__[table].pop(name, None)

    def __setattr__(self, name, value):
        state = self.__dict__
        if "_parameter_names" not in state:
            if isinstance(value, Parameter):
                raise AttributeError(f"cannot assign parameters before {BEFORE_INIT}")
            if isinstance(value, Attributes):
                raise AttributeError(f"cannot assign module before {BEFORE_INIT}")
            if isinstance(value, Buffer):
                raise AttributeError(f"cannot assign buffer before {BEFORE_INIT}")
        elif isinstance(value, Parameter):
            if name not in state["_parameter_names"]:
                self._forget(name)
                state.pop(name, None)
            self.register_parameter(name, value)
            return
        elif name in state["_parameter_names"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as parameter '{name}' (torch.nn.Parameter or None expected); "
                    f"to change the values write them in place, e.g. module.{name}.data.copy_(...), or assign "
                    "nn.Parameter(...)"
                )
        elif isinstance(value, Attributes):
            if name not in state["_module_names"]:
                self._forget(name)
            self._store("_module_names", name, value)
            return
        elif name in state["_module_names"]:
            if value is not None:
                raise TypeError(
                    f"cannot assign '{typename(value)}' as child module '{name}' (torch.nn.Module or None expected)"
                )
            self._store("_module_names", name, value)
            return
        elif isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
            return
        elif name in state["_buffer_names"]:
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{typename(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            self._store("_buffer_names", name, value, state["_buffer_names"][name])
            return
        object.__setattr__(self, name, value)

    def __getattr__(self, name):
        # Python comes here only when the attribute was not found in the usual places.
        text = f"'{type(self).__name__}' object has no attribute '{name}'"
        if "_parameter_names" not in self.__dict__:
            text += "; Module.__init__() has not run: put super().__init__() first in your __init__"
        raise AttributeError(text, name=name, obj=self)

    def __delattr__(self, name):
        object.__delattr__(self, name)
        self._forget(name)

    def __dir__(self):
        return sorted(name for name in object.__dir__(self) if not name[0].isdigit())

    def __getstate__(self):
        # In PyTorch's layout, so that a pickled module of one library can become one of the other.
        state = self.__dict__.copy()
        persistent = state["_buffer_names"]
        for table, members in MEMBERS.items():
            state[members] = {name: state.pop(name) for name in state.pop(table)}
        state["_non_persistent_buffers_set"] = {name for name, kept in persistent.items() if not kept}
        return state

    def __setstate__(self, state):
        state = dict(state)
        passing = state.pop("_non_persistent_buffers_set", ())
        for table, members in MEMBERS.items():
            values = state.pop(members, {})
            self.__dict__[table] = {name: name not in passing for name in values}
            self.__dict__.update(values)
        self.__dict__.update(state)


def register_module_parameter_registration_hook(hook) -> Handle:
    """Call ``hook(module, name, param)`` whenever a parameter is registered; what it returns, if not None, is put in
    its place. Returns a handle whose ``remove()`` takes the hook away."""
    return Handle(REGISTRATION["_parameter_names"], hook)


def register_module_buffer_registration_hook(hook) -> Handle:
    """Call ``hook(module, name, buffer)`` whenever a buffer is registered or assigned; see
    `register_module_parameter_registration_hook`."""
    return Handle(REGISTRATION["_buffer_names"], hook)


def register_module_module_registration_hook(hook) -> Handle:
    """Call ``hook(module, name, submodule)`` whenever a submodule is registered; see
    `register_module_parameter_registration_hook`."""
    return Handle(REGISTRATION["_module_names"], hook)
