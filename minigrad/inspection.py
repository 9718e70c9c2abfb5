"""Questions about tensors, answered by plain Python values: `is_tensor`, `numel`, `result_type`, `broadcast_shapes`.

Those that are methods too are hung on `Tensor` here.
"""

from __future__ import annotations

from minigrad import dtypes
from minigrad.autograd.general import NUMBER, promote
from minigrad.creation import tensors_only
from minigrad.shapes import index_of
from minigrad.storage import UntypedStorage
from minigrad.tensor import Tensor

__all__ = [
    "broadcast_shapes", "get_default_device", "get_device", "is_complex", "is_conj", "is_floating_point",
    "is_inference", "is_neg", "is_nonzero", "is_same_size", "is_signed", "is_storage", "is_tensor", "numel",
    "result_type", "set_default_device", "typename",
]  # fmt: skip


def is_tensor(obj):
    """is_tensor(obj) -> bool: whether obj is a `Tensor`. (PyTorch: torch.is_tensor)"""
    return isinstance(obj, Tensor)


def is_storage(obj):
    """is_storage(obj) -> bool: whether obj is a storage, as `Tensor.untyped_storage` gives. (PyTorch:
    torch.is_storage)"""
    return isinstance(obj, UntypedStorage)


def _of(input, op):
    tensors_only(op, input=input)
    return input


def numel(input):
    """numel(input) -> int: the number of elements. (PyTorch: torch.numel)"""
    return _of(input, "numel").array.size


def get_device(input):
    """get_device(input) -> int: -1, as PyTorch says for the CPU. (PyTorch: torch.get_device)"""
    return _of(input, "get_device").get_device()


def get_default_device():
    """get_default_device() -> device: the CPU. (PyTorch: torch.get_default_device)"""
    return dtypes.CPU


def set_default_device(device):
    """set_default_device(device): accepts the CPU only. (PyTorch: torch.set_default_device)"""
    if device is not None:
        dtypes.device(device)


def is_complex(input):
    """is_complex(input) -> bool: False; there are no complex dtypes. (PyTorch: torch.is_complex)"""
    return _of(input, "is_complex").is_complex()


def is_floating_point(input):
    """is_floating_point(input) -> bool: whether the dtype is a float. (PyTorch: torch.is_floating_point)"""
    return _of(input, "is_floating_point").is_floating_point()


def is_signed(input):
    """is_signed(input) -> bool: whether the dtype has negative numbers. (PyTorch: torch.is_signed)"""
    return _of(input, "is_signed").is_signed()


def _never(name, what):
    def function(input):
        return not isinstance(_of(input, name), Tensor)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{name}(input) -> bool: False; there are no {what}. (PyTorch: torch.{name})"
    return function


is_conj, is_neg = _never("is_conj", "lazy conjugates"), _never("is_neg", "lazy negatives")
is_inference = _never("is_inference", "tensors apart for inference_mode")


def is_nonzero(input):
    """is_nonzero(input) -> bool: whether the one element of the tensor is not zero. (PyTorch: torch.is_nonzero)"""
    return bool(_of(input, "is_nonzero"))


def is_same_size(input, other):
    """is_same_size(input, other) -> bool: whether the shapes are equal. (PyTorch: torch.is_same_size)"""
    return _of(input, "is_same_size")._shape == _of(other, "is_same_size")._shape


def broadcast_shapes(*shapes):
    """broadcast_shapes(*shapes) -> Size: the shape that tensors of these shapes broadcast to.
    (PyTorch: torch.broadcast_shapes)"""
    given = [(shape,) if hasattr(shape, "__index__") else shape for shape in shapes]
    given = [[index_of(n, "broadcast_shapes", "shapes") for n in shape] for shape in given]
    found = [1] * max([len(shape) for shape in given], default=0)
    for shape in given:
        for back, n in enumerate(reversed(shape), 1):
            if n != 1 and found[-back] not in (1, n):
                raise RuntimeError(
                    "Shape mismatch: objects cannot be broadcast to a single shape: "
                    + " and ".join([str(tuple(each)) for each in given])
                )
            if n < 0:
                raise ValueError(f"Attempting to broadcast a dimension with negative length! ({n})")
            found[-back] = found[-back] if n == 1 else n
    return dtypes.Size(found)


def result_type(tensor1, tensor2):
    """result_type(tensor1, tensor2) -> dtype: the dtype in which two tensors or numbers meet. (torch.result_type)"""
    for name, value in (("tensor1", tensor1), ("tensor2", tensor2)):
        if not isinstance(value, (Tensor, *NUMBER)):
            raise TypeError(f"result_type(): argument '{name}' must be Tensor or Number, not {type(value).__name__}")
    return dtypes.from_numpy_dtype(promote((tensor1, tensor2)))


def typename(obj, /):
    """typename(obj) -> str: the type's full name; of a tensor as `Tensor.type`. (PyTorch: torch.typename)"""
    if isinstance(obj, Tensor):
        return obj.type()
    named = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(named, "__module__", None)
    return named.__qualname__ if module in (None, "builtins") else f"{module}.{named.__qualname__}"


for _method in (is_conj, is_inference, is_neg, is_nonzero, is_same_size):
    setattr(Tensor, _method.__name__, _method)
for _name in ("is_coalesced", "is_distributed", "is_pinned", "is_shared"):
    setattr(Tensor, _name, _never(_name, "such tensors"))
