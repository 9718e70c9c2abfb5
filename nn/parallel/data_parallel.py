"""`DataParallel`: a model on several devices. There is one, so it only wraps. (PyTorch: torch.nn.parallel)"""

from __future__ import annotations

from minigrad.nn.modules.module import Module

__all__ = ["DataParallel", "data_parallel"]


class DataParallel(Module):
    """The module, wrapped: without GPUs, PyTorch's does no more. Its parameters are named ``module.…``.

    Input and output: those of the module.

    Args:
        module (Module): what is called.
        device_ids, output_device, dim: accepted.

    Attributes:
        module: the module.

    PyTorch: torch.nn.DataParallel
    """

    def __init__(self, module: Module, device_ids=None, output_device=None, dim: int = 0) -> None:
        super().__init__()
        self.module = module
        self.device_ids: list[int] = []

    def forward(self, *inputs, **kwargs):
        return self.module(*inputs, **kwargs)


def data_parallel(module: Module, inputs, device_ids=None, output_device=None, dim: int = 0, module_kwargs=None):
    """``module(*inputs, **module_kwargs)``; a single input need not be in a tuple. The devices are accepted.

    PyTorch: torch.nn.parallel.data_parallel
    """
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*inputs, **(module_kwargs or {}))
