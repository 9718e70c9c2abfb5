"""The order of an image's dimensions in memory: accepted, and without effect. PyTorch: torch.nn.utils.memory_format"""

from __future__ import annotations

from minigrad.nn.modules.module import Module

__all__ = ["convert_conv2d_weight_memory_format", "convert_conv3d_weight_memory_format"]


def convert_conv2d_weight_memory_format(module: Module, memory_format) -> Module:
    """The module itself: there is one order in memory here, and the results are the same in any.

    PyTorch: torch.nn.utils.convert_conv2d_weight_memory_format
    """
    return module


def convert_conv3d_weight_memory_format(module: Module, memory_format) -> Module:
    """The module itself, as `convert_conv2d_weight_memory_format`.

    PyTorch: torch.nn.utils.convert_conv3d_weight_memory_format
    """
    return module
