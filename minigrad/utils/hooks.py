"""`utils.hooks`: what registering a hook returns. (PyTorch: torch.utils.hooks)"""

from minigrad.autograd.node import Handle as RemovableHandle

__all__ = ["RemovableHandle"]
