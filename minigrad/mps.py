"""`minigrad.mps`: Apple's GPUs are not used, so programs that ask first run on the CPU. (PyTorch: torch.mps)"""

from __future__ import annotations

from minigrad.errors import NoDeviceError
from minigrad.harmless import refusing

__all__ = [
    "device_count", "empty_cache", "is_available", "manual_seed", "set_per_process_memory_fraction", "synchronize",
]  # fmt: skip

__getattr__ = refusing(
    __name__,
    "current_allocated_memory driver_allocated_memory get_rng_state recommended_max_memory seed set_rng_state",
    NoDeviceError,
    "minigrad runs on the CPU; guard the call with mps.is_available(), which is False",
)


def is_available() -> bool:
    """False: minigrad runs on the CPU. (PyTorch: torch.mps.is_available)"""
    return False


def device_count() -> int:
    """0. (PyTorch: torch.mps.device_count)"""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing to seed. (PyTorch: torch.mps.manual_seed)"""


def synchronize(device=None) -> None:
    """Nothing to wait for. (PyTorch: torch.mps.synchronize)"""


def empty_cache() -> None:
    """Nothing to free. (PyTorch: torch.mps.empty_cache)"""


def set_per_process_memory_fraction(fraction: float) -> None:
    """Nothing to limit. (PyTorch: torch.mps.set_per_process_memory_fraction)"""
