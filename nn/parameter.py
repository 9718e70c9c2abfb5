"""`Parameter` and `Buffer`: the tensors that modules register when they are assigned.

First file of `minigrad.nn`; next is `modules/attributes.py`, which does the registering.
"""

from __future__ import annotations

import copy

import numpy as np

from minigrad.autograd.node import new_version
from minigrad.dtypes import get_default_dtype
from minigrad.tensor import Tensor, wrap

__all__ = ["Buffer", "Parameter"]


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
