"""`minigrad.accelerator`: there is none, so programs that ask first run on the CPU. (torch.accelerator)"""

from __future__ import annotations

import contextlib

from minigrad.errors import NoDeviceError
from minigrad.harmless import refusing

__all__ = ["current_accelerator", "device_count", "device_index", "is_available", "set_device_idx", "set_device_index"]

__getattr__ = refusing(
    __name__,
    "current_device_idx current_device_index current_stream empty_cache get_memory_info max_memory_allocated "
    "max_memory_reserved memory_allocated memory_reserved memory_stats reset_accumulated_memory_stats "
    "reset_peak_memory_stats set_stream synchronize",
    NoDeviceError,
    "Cannot access accelerator device when none is available: minigrad runs on the CPU; guard the call with "
    "accelerator.is_available(), which is False",
)


def is_available() -> bool:
    """False: minigrad runs on the CPU. (PyTorch: torch.accelerator.is_available)"""
    return False


def device_count() -> int:
    """0. (PyTorch: torch.accelerator.device_count)"""
    return 0


def current_accelerator(check_available: bool = False) -> None:
    """None. (PyTorch: torch.accelerator.current_accelerator)"""


def set_device_index(device) -> None:
    """Nothing: there is nothing to choose from. (PyTorch: torch.accelerator.set_device_index)"""


def set_device_idx(device) -> None:
    """`set_device_index` by its old name. (PyTorch: torch.accelerator.set_device_idx)"""


@contextlib.contextmanager
def device_index(device):
    """A context without effect. (PyTorch: torch.accelerator.device_index)"""
    yield
