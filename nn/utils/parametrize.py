"""Parameters computed from others: ``module.weight`` becomes a function of a tensor that is trained in its place.

`register_parametrization` moves the tensor to ``module.parametrizations.weight.original`` and gives the module a class
of its own, ``ParametrizedLinear`` say, in which `weight` is a property that computes it. See also `parametrizations`.

PyTorch: torch.nn.utils.parametrize
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Sequence

from minigrad.autograd import no_grad
from minigrad.nn.modules.container import ModuleDict, ModuleList
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]

_cache: dict[tuple[int, str], Tensor] = {}
_caching = 0  # how many `cached` blocks we are in


@contextlib.contextmanager
def cached():
    """Inside the ``with`` block each parametrized tensor is computed once, at its first use, and kept until the end.

    PyTorch: torch.nn.utils.parametrize.cached
    """
    global _caching
    _caching += 1
    try:
        yield
    finally:
        _caching -= 1
        if not _caching:
            _cache.clear()


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, in the order of their application, and the tensors they begin with.

    Made by `register_parametrization`; calling it computes the tensor.

    Args:
        modules (sequence of Module): at least one.
        original (Tensor): the tensor that is parametrized; it is changed in place, so that optimizers know it still.
        unsafe (bool): whether the shape and dtype may change; nothing is checked then.

    Attributes:
        original: what is trained; if the first parametrization takes several tensors, `original0`, `original1`, ...
        is_tensor (bool): whether it is one.
        ntensors (int): how many there are.

    PyTorch: torch.nn.utils.parametrize.ParametrizationList
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        shape, dtype = original.shape, original.dtype
        new = original
        with no_grad():
            for module in reversed(list(self)):
                new = _inverse(module, new)
        if not isinstance(new, Tensor | Sequence):
            raise ValueError(
                "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                f"Got {type(new).__name__}"
            )
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            _check_dtype(new, dtype, "right_inverse(original), when it is one tensor,")
            with no_grad():
                original.data = new
            _register(self, "original", original)
        else:
            for i, part in enumerate(new):
                if not isinstance(part, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). "
                        f"Got element {i} of the sequence with type {type(part).__name__}."
                    )
                part = Parameter(part) if isinstance(original, Parameter) else part
                _register(self, f"original{i}", part.requires_grad_(original.requires_grad))
        if not unsafe:
            _check_same(self(), shape, dtype, "the parametrization")

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the tensor becomes `value`, which needs a `right_inverse` of each parametrization.

        Raises:
            RuntimeError: if one has none.
            ValueError: if the result does not fit the originals.
        """
        with no_grad():
            for module in reversed(list(self)):
                if not hasattr(module, "right_inverse"):
                    raise RuntimeError(
                        f"parametrization {type(module).__name__} does not implement right_inverse, so the tensor "
                        "cannot be assigned to"
                    )
                value = module.right_inverse(value)
            if self.is_tensor:
                values, names = [value], ["original"]
            else:
                if not isinstance(value, Sequence):
                    raise ValueError(
                        f"'right_inverse' must return a sequence of tensors. Got {type(value).__name__}."
                    )  # fmt: skip
                if len(value) != self.ntensors:
                    raise ValueError(
                        f"'right_inverse' must return a sequence of tensors of length {self.ntensors}. "
                        f"Got a sequence of length {len(value)}."
                    )
                values, names = value, [f"original{i}" for i in range(self.ntensors)]
            for each, name in zip(values, names, strict=True):
                original = getattr(self, name)
                if not isinstance(each, Tensor):
                    raise ValueError(f"`right_inverse` should return a tensor for {name}. Got {type(each).__name__}")
                _check_dtype(each, original.dtype, f"what `right_inverse` returns for {name}")
                original.data = each

    def forward(self) -> Tensor:
        first, *rest = self
        if self.is_tensor:
            x = first(self.original)
        else:
            x = first(*[getattr(self, f"original{i}") for i in range(self.ntensors)])
        for module in rest:
            x = module(x)
        return x


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """From now on ``module.tensor_name`` is ``parametrization(original)``, computed anew at each use.

    A tensor may have several; each takes what the one before gives. Assigning to the tensor sets its originals by
    ``parametrization.right_inverse(value)``, if there is such a method; it is called now, too, to find the originals
    (no such method: the tensor itself). The first one may return several tensors, which `forward` then takes.

    Args:
        module (Module): its class is replaced by one of its own, whose name begins with Parametrized.
        tensor_name (str): a parameter or buffer of it.
        parametrization (Module): gives a tensor of the same shape and dtype.
        unsafe (bool): allow another shape and dtype, and check nothing.

    Returns:
        the module.

    Raises:
        ValueError: if there is no such tensor, or shape or dtype would change.

    PyTorch: torch.nn.utils.parametrize.register_parametrization
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            now = getattr(module, tensor_name)
            new = parametrization(now)
            _check_same(new, now.shape, now.dtype, "the parametrization")
            _check_same(_inverse(parametrization, new), now.shape, now.dtype, "parametrization.right_inverse")
        module.parametrizations[tensor_name].append(parametrization)
        module.parametrizations[tensor_name].unsafe |= unsafe
    elif tensor_name in module._buffer_names or tensor_name in module._parameter_names:
        made = ParametrizationList([parametrization], getattr(module, tensor_name), unsafe=unsafe)
        delattr(module, tensor_name)
        base = type_before_parametrizations(module)
        if not is_parametrized(module):
            module.parametrizations = ModuleDict()
        module.parametrizations[tensor_name] = made
        _set_class(module, base)
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element with name "
            f"'{tensor_name}'"
        )
    return module


def remove_parametrizations(module: Module, tensor_name: str, leave_parametrized: bool = True) -> Module:
    """Make ``module.tensor_name`` an ordinary parameter or buffer again.

    Args:
        module (Module): what has it; when its last one goes, it gets its class back.
        tensor_name (str): the parametrized tensor.
        leave_parametrized (bool): whether it keeps its value; otherwise it gets that of the original.

    Returns:
        the module.

    Raises:
        ValueError: if the tensor is not parametrized, or should become its original of which there are several.

    PyTorch: torch.nn.utils.parametrize.remove_parametrizations
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    held = module.parametrizations[tensor_name]
    if not leave_parametrized and not held.is_tensor:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is parametrized in terms of a "
            "sequence of tensors."
        )
    if held.is_tensor:
        tensor = held.original
        if leave_parametrized:
            with no_grad():
                tensor.data = getattr(module, tensor_name)  # the parameter stays the one that optimizers know
    else:
        tensor = getattr(module, tensor_name)
        tensor = Parameter(tensor.detach()) if tensor.requires_grad else tensor
    base = type_before_parametrizations(module)
    del module.parametrizations[tensor_name]
    if not len(module.parametrizations):
        delattr(module, "parametrizations")
    _set_class(module, base)
    _register(module, tensor_name, tensor)
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Whether a tensor of the module, or without a name any, is parametrized.

    PyTorch: torch.nn.utils.parametrize.is_parametrized
    """
    held = getattr(module, "parametrizations", None)
    if not isinstance(held, ModuleDict):
        return False
    return len(held) > 0 if tensor_name is None else tensor_name in held


def type_before_parametrizations(module: Module) -> type:
    """The module's class, or the one that it had before it was parametrized.

    PyTorch: torch.nn.utils.parametrize.type_before_parametrizations
    """
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give `to_module` the parametrizations of `from_module`, of one tensor or of all, and their originals.

    Returns:
        `to_module`; it shares both with `from_module`.

    PyTorch: torch.nn.utils.parametrize.transfer_parametrizations_and_params
    """
    if not is_parametrized(from_module):
        return to_module
    for name in list(from_module.parametrizations) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        source = from_module.parametrizations[name]
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        for own in list(source._parameter_names) + list(source._buffer_names):
            setattr(to_module.parametrizations[name], own, getattr(source, own))
    return to_module


class _Parametrized:
    """What a parametrized module has besides the class it came with and the properties."""

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            made = memo[id(self)] = object.__new__(type(self))
            made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return memo[id(self)]

    def __getstate__(self):
        raise RuntimeError(
            "Serialization of parametrized modules is only supported through state_dict(): save that, and load it into "
            "a module made and parametrized in the same way"
        )


def _set_class(module, base):
    """Make the module one of a class of its own, with a property for each tensor that is parametrized; or of `base`.

    The class is made anew each time, since copies of the module may share the one before."""
    if not is_parametrized(module):
        module.__class__ = base
        return
    body = {"__getstate__": _Parametrized.__getstate__, "__module__": base.__module__}
    if not hasattr(base, "__deepcopy__"):
        body["__deepcopy__"] = _Parametrized.__deepcopy__
    body |= {name: _property(name) for name in module.parametrizations}
    module.__class__ = type(f"Parametrized{base.__name__}", (base,), body)


def _property(name):
    def get(self):
        if not _caching:
            return self.parametrizations[name]()
        key = id(self), name
        if key not in _cache:
            _cache[key] = self.parametrizations[name]()
        return _cache[key]

    def set_original(self, value):
        self.parametrizations[name].right_inverse(value)

    return property(get, set_original)


def _inverse(module, value):
    """What the parametrization would have to be given; without `right_inverse`, or if that is not implemented, this."""
    try:
        return module.right_inverse(value) if hasattr(module, "right_inverse") else value
    except NotImplementedError:
        return value


def _register(module, name, tensor):
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check_dtype(tensor, dtype, what):
    if tensor.dtype != dtype:
        raise ValueError(f"{what} may not change the dtype: it is {tensor.dtype}, the tensor's is {dtype}")


def _check_same(tensor, shape, dtype, what):
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(tensor).__name__}.")
    if (tensor.shape, tensor.dtype) != (shape, dtype):
        raise ValueError(
            f"{what} may not change the shape or dtype of the tensor, unless the `unsafe` flag is enabled: it gives "
            f"{tuple(tensor.shape)} of {tensor.dtype} for {tuple(shape)} of {dtype}"
        )
