"""`minigrad.cpu`: the device that is here. (PyTorch: torch.cpu)"""

from __future__ import annotations

import contextlib

__all__ = ["current_device", "device_count", "is_available", "is_initialized", "set_device", "stream", "synchronize"]


def is_available() -> bool:
    """True. (PyTorch: torch.cpu.is_available)"""
    return True


def is_initialized() -> bool:
    """True. (PyTorch: torch.cpu.is_initialized)"""
    return True


def device_count() -> int:
    """1. (PyTorch: torch.cpu.device_count)"""
    return 1


def current_device() -> str:
    """ "cpu". (PyTorch: torch.cpu.current_device)"""
    return "cpu"


def set_device(device) -> None:
    """Nothing: there is nothing to choose from. (PyTorch: torch.cpu.set_device)"""


def synchronize(device=None) -> None:
    """Nothing to wait for: every operation is done when its call returns. (PyTorch: torch.cpu.synchronize)"""


@contextlib.contextmanager
def stream(stream):
    """A context without effect. (PyTorch: torch.cpu.stream)"""
    yield
