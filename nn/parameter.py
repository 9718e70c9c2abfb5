"""`Parameter` and `Buffer`: the tensors that modules register when they are assigned; and both without a shape, as lazy
modules have them until they see their first input (`modules/lazy.py`).

First file of `minigrad.nn`; next is `modules/attributes.py`, which does the registering.
"""

from __future__ import annotations

import copy

import numpy as np

from minigrad import dtypes
from minigrad.autograd.node import new_version
from minigrad.dtypes import get_default_dtype
from minigrad.shapes import shape_args
from minigrad.tensor import Tensor, wrap

__all__ = [
    "Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "UninitializedTensorMixin", "is_lazy"
]  # fmt: skip


def share(cls, data):
    """A tensor of class `cls` on the memory of `data`, without its history; writes to either are seen by both."""
    if data is None:
        data = wrap(np.empty(0, get_default_dtype().numpy))
    if not isinstance(data, Tensor):
        raise TypeError(
            f"{cls.__name__}(): argument 'data' must be Tensor, not {type(data).__name__}; "
            "make one with minigrad.tensor(data)"
        )
    self = object.__new__(cls)
    self.array, self._shape, self.vc = data.array, data._shape, data.vc or new_version(data)
    self.node = self._view = self.leaf = None
    return self


class Parameter(Tensor):
    """A tensor that a module trains: assigned as an attribute, it appears in `Module.parameters()`.

    Args:
        data (Tensor, optional): its values; the memory is shared, not copied. Default: an empty tensor.
        requires_grad (bool): whether it is trained. `no_grad` has no influence on it.

    Raises:
        TypeError: if `data` is no tensor.
        RuntimeError: if `requires_grad` and `data` is of integers.

    PyTorch: torch.nn.Parameter
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True):
        return share(cls, data).requires_grad_(requires_grad)

    def __repr__(self):
        return "Parameter containing:\n" + super().__repr__()

    def __deepcopy__(self, memo):
        """A parameter of copied values. The gradient is not copied, as in PyTorch."""
        if id(self) not in memo:
            made = memo[id(self)] = type(self)(wrap(self.array.copy()), self.requires_grad)
            made.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return memo[id(self)]


class Buffer(Tensor):
    """A tensor of a module's state that is not trained: assigned as an attribute, it appears in `buffers()`.

    Args:
        data (Tensor, optional): its values; the memory is shared, not copied. Default: an empty tensor.
        persistent (bool): whether `state_dict` contains it.

    PyTorch: torch.nn.Buffer
    """

    __slots__ = ()

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True):
        self = share(cls, data)
        self.persistent = persistent
        return self


class UninitializedTensorMixin:
    """What a parameter and a buffer without a shape share: a dtype, no elements, and errors instead of anything else.

    The slot `array` is empty, so whatever asks for the elements ends in `__getattr__` below.
    """

    __slots__ = ()
    cls_to_become: type[Tensor]

    def materialize(self, shape, device=None, dtype=None) -> None:
        """Become an ordinary tensor of this shape, of zeros. (device: the CPU, if given; dtype: by
        default that of this tensor.)"""
        if device is not None:
            dtypes.device(device)
        made = np.zeros(
            shape_args((shape,), "materialize"), self.dtype.numpy if dtype is None else dtypes.as_numpy(dtype)
        )
        del self.__dict__["dtype_to_be"]
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        self.data = wrap(made)

    @property
    def dtype(self):
        """The dtype that the tensor will have."""
        return self.dtype_to_be

    @property
    def data(self):
        """An empty tensor of the dtype; the dtype of what is assigned is taken over. `Module.to` uses both."""
        return wrap(np.empty(0, self.dtype.numpy))

    @data.setter
    def data(self, other):
        self.dtype_to_be = other.dtype

    @property
    def shape(self):
        """Raises RuntimeError."""
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually happens in "
            "`load_state_dict` when trying to load an uninitialized parameter into an initialized one. Call `forward` "
            "to initialize the parameters before accessing their attributes."
        )

    def is_floating_point(self) -> bool:
        """Whether the dtype is a float."""
        return self.dtype.is_floating_point

    def __getattr__(self, name):
        if name != "array":
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")
        raise ValueError(
            f"Attempted to use an {type(self).__name__} in an operation. When using lazy modules call `forward` with a "
            "dummy batch to initialize the parameters before; else call its `materialize(shape)`"
        )

    def __repr__(self):
        return f"<{type(self).__name__}>"

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            make, args = self.__reduce_ex__(4)
            memo[id(self)] = make(*args)
        return memo[id(self)]


class UninitializedParameter(UninitializedTensorMixin, Parameter):
    """A parameter whose shape is not known yet. It has a dtype and `requires_grad`; all else raises.

    Args:
        requires_grad (bool): whether it is trained.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): that it will have.

    PyTorch: torch.nn.parameter.UninitializedParameter
    """

    __slots__ = ()
    cls_to_become = Parameter

    def __new__(cls, requires_grad: bool = True, device=None, dtype=None):
        return without_elements(Parameter.__new__(cls, None, requires_grad), device, dtype)

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad, None, self.dtype)


class UninitializedBuffer(UninitializedTensorMixin, Buffer):
    """A buffer whose shape is not known yet. It has a dtype; all else raises.

    Args:
        requires_grad (bool): whether gradients are wanted for it.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): that it will have.
        persistent (bool): whether `state_dict` contains it.

    PyTorch: torch.nn.parameter.UninitializedBuffer
    """

    __slots__ = ()
    cls_to_become = Tensor

    def __new__(cls, requires_grad: bool = False, device=None, dtype=None, persistent: bool = True):
        made = Buffer.__new__(cls, None, persistent=persistent).requires_grad_(requires_grad)
        return without_elements(made, device, dtype)

    def __reduce_ex__(self, protocol):
        return type(self), (self.requires_grad, None, self.dtype, self.persistent)


def without_elements(tensor, device, dtype):
    """The tensor with its array taken away and a dtype in its place."""
    if device is not None:
        dtypes.device(device)
    tensor.dtype_to_be = get_default_dtype() if dtype is None else dtypes.from_numpy_dtype(dtypes.as_numpy(dtype))
    del tensor.array
    return tensor


def is_lazy(param) -> bool:
    """Whether it is a parameter or a buffer without a shape. (PyTorch: torch.nn.parameter.is_lazy)"""
    return isinstance(param, UninitializedTensorMixin)
