"""`minigrad.xpu`: Intel's GPUs are not used, so programs that ask first run on the CPU. (PyTorch: torch.xpu)"""

from __future__ import annotations

from minigrad.errors import NoDeviceError
from minigrad.harmless import refusing

__all__ = [
    "device_count", "empty_cache", "is_available", "is_bf16_supported", "is_initialized", "manual_seed",
    "manual_seed_all", "memory_allocated", "set_device", "synchronize",
]  # fmt: skip

__getattr__ = refusing(
    __name__,
    "Event Stream current_device current_stream get_device_capability get_device_name "
    "get_device_properties get_rng_state init initial_seed mem_get_info",
    NoDeviceError,
    "minigrad runs on the CPU; guard the call with xpu.is_available(), which is False",
)


def is_available() -> bool:
    """False: minigrad runs on the CPU. (PyTorch: torch.xpu.is_available)"""
    return False


def device_count() -> int:
    """0. (PyTorch: torch.xpu.device_count)"""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing to seed. (PyTorch: torch.xpu.manual_seed)"""


def synchronize(device=None) -> None:
    """Nothing to wait for. (PyTorch: torch.xpu.synchronize)"""


def empty_cache() -> None:
    """Nothing to free. (PyTorch: torch.xpu.empty_cache)"""


def is_initialized() -> bool:
    """False. (PyTorch: torch.xpu.is_initialized)"""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False. (PyTorch: torch.xpu.is_bf16_supported)"""
    return False


def manual_seed_all(seed: int) -> None:
    """Nothing to seed. (PyTorch: torch.xpu.manual_seed_all)"""


def set_device(device) -> None:
    """Nothing: there is nothing to choose from. (PyTorch: torch.xpu.set_device)"""


def memory_allocated(device=None) -> int:
    """0 bytes. (PyTorch: torch.xpu.memory_allocated)"""
    return 0
