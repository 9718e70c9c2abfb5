"""`Module`, the base class of every layer and network.

It is built in four steps, each a class on top of the one before: `attributes.py` (what is assigned is registered),
`hooks.py`, `state.py` (`state_dict`), and this file: calling, walking the tree of modules, converting, printing.
After it come the layers, `linear.py` first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import minigrad
from minigrad.autograd import no_grad
from minigrad.errors import NoDeviceError
from minigrad.nn.modules.attributes import (
    register_module_buffer_registration_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from minigrad.nn.modules.hooks import (
    EVERYWHERE,
    call_with_hooks,
    register_module_backward_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
)
from minigrad.nn.modules.state import IncompatibleKeys, Stateful
from minigrad.nn.parameter import Parameter, is_lazy
from minigrad.tensor import Tensor

__all__ = [
    "Module", "register_module_backward_hook", "register_module_buffer_registration_hook",
    "register_module_forward_hook", "register_module_forward_pre_hook", "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook", "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]  # fmt: skip

_IncompatibleKeys = IncompatibleKeys  # the name by which programs import it from here


def _other_device(name):
    """The method that would move a module to a device that is not here."""

    def move(self, device=None):
        raise NoDeviceError(f"{name}(): minigrad runs on the CPU only; guard the call with {name}.is_available()")

    move.__name__ = name
    move.__doc__ = (
        "Raises NoDeviceError (a RuntimeError and, as PyTorch's, an AssertionError): there is no such device here."
    )
    return move


class Module(Stateful):
    """Base class of all layers and networks. Subclass it, create the parts in `__init__`, use them in `forward`.

    ::

        class Net(nn.Module):
            def __init__(self):
                super().__init__()
                self.hidden = nn.Linear(4, 16)
                self.out = nn.Linear(16, 3)

            def forward(self, x):
                return self.out(F.relu(self.hidden(x)))

    Modules, parameters (`nn.Parameter`) and buffers (`register_buffer`) that are assigned as attributes are registered:
    `parameters()`, `state_dict()`, `to()`, `train()` and the rest reach all of them. Modules in plain lists and dicts
    are not seen; use `nn.ModuleList` and `nn.ModuleDict`.

    Attributes:
        training (bool): whether the module is in training mode (`train`, `eval`).

    PyTorch: torch.nn.Module
    """

    training: bool
    call_super_init: bool = False  # True in a subclass: arguments go on to the next class of a multiple inheritance

    def __init__(self, *args, **kwargs) -> None:
        if not self.call_super_init:
            if kwargs:
                raise TypeError(
                    f"{self._get_name()}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
                )
            if args:
                raise TypeError(
                    f"{self._get_name()}.__init__() takes 1 positional argument but {len(args) + 1} were given"
                )
        self.__dict__.update(training=True, _parameter_names={}, _buffer_names={}, _module_names={}, _hooks={})
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    def forward(self, *args, **kwargs):
        """What the module computes. Every subclass defines it; call the module itself, so that hooks run."""
        raise NotImplementedError(f'Module [{type(self).__name__}] is missing the required "forward" function')

    def __call__(self, *args, **kwargs):
        if self._hooks or EVERYWHERE:
            return call_with_hooks(self, args, kwargs)
        return self.forward(*args, **kwargs)

    # ---- walking the tree ----------------------------------------------------------------------------------------

    def children(self) -> Iterator[Module]:
        """The direct submodules, each once."""
        for _, module in self.named_children():
            yield module

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """The direct submodules as (name, module), each once."""
        seen = set()
        for name in self._module_names:
            module = self.__dict__[name]
            if module is not None and id(module) not in seen:
                seen.add(id(module))
                yield name, module

    def modules(self, remove_duplicate: bool = True) -> Iterator[Module]:
        """This module and all below it, each once (or, with ``remove_duplicate=False``, in each of its places)."""
        for _, module in self.named_modules(remove_duplicate=remove_duplicate):
            yield module

    def named_modules(
        self, memo: set | None = None, prefix: str = "", remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Module]]:
        """This module and all below it as (path, module), parents first.

        Args:
            memo (set, optional): modules to leave out; those found are added.
            prefix (str): put before the paths.
            remove_duplicate (bool): whether a module in two places appears once.
        """
        memo = set() if memo is None else memo
        if self in memo:
            return
        if remove_duplicate:
            memo.add(self)
        yield prefix, self
        for name in self._module_names:
            module = self.__dict__[name]
            if module is not None:
                yield from module.named_modules(memo, f"{prefix}.{name}" if prefix else name, remove_duplicate)

    def parameters(self, recurse: bool = True) -> Iterator[Parameter]:
        """The parameters of this module and (with `recurse`) all below it, each once: what an optimizer is given."""
        for _, param in self.named_parameters(recurse=recurse):
            yield param

    def named_parameters(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Parameter]]:
        """As `parameters`, with their paths. A parameter shared by two modules has the path at which it is met first;
        ``remove_duplicate=False`` gives all its paths."""
        return self._named_members("_parameter_names", prefix, recurse, remove_duplicate)

    def buffers(self, recurse: bool = True) -> Iterator[Tensor]:
        """The buffers of this module and (with `recurse`) all below it, each once."""
        for _, buffer in self.named_buffers(recurse=recurse):
            yield buffer

    def named_buffers(
        self, prefix: str = "", recurse: bool = True, remove_duplicate: bool = True
    ) -> Iterator[tuple[str, Tensor]]:
        """As `buffers`, with their paths."""
        return self._named_members("_buffer_names", prefix, recurse, remove_duplicate)

    def _named_members(self, table, prefix, recurse, remove_duplicate):
        seen = set()
        modules = self.named_modules(None, prefix, remove_duplicate) if recurse else [(prefix, self)]
        for path, module in modules:
            for name in getattr(module, table):
                member = module.__dict__[name]
                if member is None or id(member) in seen:
                    continue
                if remove_duplicate:
                    seen.add(id(member))
                yield f"{path}.{name}" if path else name, member

    def get_submodule(self, target: str) -> Module:
        """The submodule at a path such as ``"features.0"``; AttributeError if there is none. ``""`` is the module."""
        module = self
        for name in target.split(".") if target else ():
            if not hasattr(module, name):
                raise AttributeError(f"{module._get_name()} has no attribute `{name}`")
            module = getattr(module, name)
            if not isinstance(module, Module):
                raise AttributeError(f"`{name}` is not an nn.Module")
        return module

    def set_submodule(self, target: str, module: Module, strict: bool = False) -> None:
        """Put `module` at a path such as ``"features.0"``; with `strict`, only where a submodule already is."""
        path, _, name = target.rpartition(".")
        if not target:
            raise ValueError("Cannot set the submodule without a target name!")
        if not isinstance(module, Module):
            raise ValueError(f"`module` is not an nn.Module, found {type(module)}")
        parent = self.get_submodule(path)
        if strict and not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        if hasattr(parent, name) and not isinstance(getattr(parent, name), Module):
            raise AttributeError(f"`{name}` is not an nn.Module")
        setattr(parent, name, module)

    def get_parameter(self, target: str) -> Parameter:
        """The parameter at a path such as ``"features.0.weight"``; AttributeError if there is none."""
        parent, name = self._parent_of(target)
        if not isinstance(getattr(parent, name), Parameter):
            raise AttributeError(f"`{name}` is not an nn.Parameter")
        return getattr(parent, name)

    def get_buffer(self, target: str) -> Tensor:
        """The buffer at a path such as ``"norm.running_mean"``; AttributeError if there is none."""
        parent, name = self._parent_of(target)
        if name not in parent._buffer_names:
            raise AttributeError(f"`{name}` is not a buffer")
        return getattr(parent, name)

    def _parent_of(self, target):
        path, _, name = target.rpartition(".")
        parent = self.get_submodule(path)
        if not hasattr(parent, name):
            raise AttributeError(f"{parent._get_name()} has no attribute `{name}`")
        return parent, name

    def apply(self, fn: Callable[[Module], object]):
        """Call ``fn(module)`` for every submodule, children first, then for this module. Returns self."""
        for module in self.children():
            module.apply(fn)
        fn(self)
        return self

    # ---- modes and gradients -------------------------------------------------------------------------------------

    def train(self, mode: bool = True):
        """Set training mode here and below: Dropout drops, BatchNorm uses and tracks the batch. Returns self."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self):
        """``train(False)``."""
        return self.train(False)

    def requires_grad_(self, requires_grad: bool = True):
        """Set `requires_grad` of all parameters; False freezes the module. Returns self."""
        for param in self.parameters():
            param.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters (or, with ``set_to_none=False``, fill them with zeros)."""
        for param in self.parameters():
            grad = param.grad
            if grad is None:
                continue
            if set_to_none:
                param.grad = None
            else:
                if grad.requires_grad:
                    grad.detach_()
                grad.zero_()

    # ---- conversion ----------------------------------------------------------------------------------------------

    def _apply(self, fn, recurse=True):
        """Replace the data of every parameter, gradient and buffer by ``fn`` of it. Parameters keep their identity."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        state = self.__dict__
        with no_grad():
            for name in self._parameter_names:
                param = state[name]
                if param is not None:
                    data, grad = fn(param.data), param.grad
                    if data.dtype != param.dtype:
                        param.grad = None  # until it has the new dtype too
                    param.data = data
                    param.grad = grad if grad is None else fn(grad)
            for name in self._buffer_names:
                if is_lazy(state[name]):
                    state[name].data = fn(state[name].data)  # only the dtype that it will have
                elif state[name] is not None:
                    state[name] = fn(state[name])
        return self

    def to(self, *args, **kwargs):
        """Convert floating-point parameters and buffers to a dtype, in place. Returns self.

        ``to(dtype)``, ``to(device, dtype)``, ``to(tensor)`` (its dtype). There is one device, the CPU: naming it
        changes nothing, another one is an error.

        Raises:
            TypeError: if the dtype is not a floating one.

        PyTorch: torch.nn.Module.to
        """
        wanted = (
            minigrad.empty(0).to(*args, **kwargs).dtype
        )  # the arguments are checked even if there are no parameters
        if not wanted.is_floating_point:
            raise TypeError(
                f"nn.Module.to only accepts floating point or complex dtypes, but got desired dtype={wanted}"
            )
        return self._apply(lambda t: t.to(*args, **kwargs) if t.is_floating_point() else t)

    def type(self, dst_type):
        """Convert all parameters and buffers, integer ones too, to a dtype. Returns self."""
        return self._apply(lambda t: t.type(dst_type))

    def float(self):
        """``to(float32)``."""
        return self.to(minigrad.float32)

    def double(self):
        """``to(float64)``."""
        return self.to(minigrad.float64)

    def half(self):
        """``to(float16)``."""
        return self.to(minigrad.float16)

    def cpu(self):
        """Itself: everything is on the CPU."""
        return self

    cuda, xpu, ipu, mtia = map(_other_device, ("cuda", "xpu", "ipu", "mtia"))

    def bfloat16(self):
        """Raises NotImplementedError: use `half`, or stay in float32."""
        minigrad.empty(0).bfloat16()  # raises

    def to_empty(self, *, device, recurse: bool = True):
        """Replace parameters and buffers by uninitialised ones of the same shapes and dtypes. Returns self."""
        return self._apply(lambda t: minigrad.empty_like(t, device=device), recurse)

    def share_memory(self):
        """Itself; accepted so that programs written for PyTorch run."""
        return self

    def compile(self, *args, **kwargs) -> None:
        """Nothing; accepted so that programs written for PyTorch run."""

    # ---- printing ------------------------------------------------------------------------------------------------

    def _get_name(self):
        return type(self).__name__

    def extra_repr(self) -> str:
        """What `repr` shows between the brackets. Override it to show the settings of a layer."""
        return ""

    def __repr__(self):
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indent(repr(self.__dict__[name]))}" for name in self._module_names]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


def indent(text, by=2):
    """The text with all lines but the first moved right."""
    return text.replace("\n", "\n" + " " * by)
