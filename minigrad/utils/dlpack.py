"""DLPack capsules under PyTorch's names (torch.utils.dlpack); `minigrad.from_dlpack` is the same function."""

from minigrad.exchange import from_dlpack
from minigrad.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor):
    """to_dlpack(tensor): the tensor's memory as a DLPack capsule, which one other library may take over.
    (PyTorch: torch.utils.dlpack.to_dlpack)"""
    if not isinstance(tensor, Tensor):
        raise TypeError(f"to_dlpack(): argument 'tensor' must be Tensor, not {type(tensor).__name__}")
    return tensor.__dlpack__()
