"""`autograd.variable`: the old name of tensors. (PyTorch: torch.autograd.variable)"""

from minigrad.autograd.function import Variable

__all__ = ["Variable"]
