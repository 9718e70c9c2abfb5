"""`minigrad.cuda`: says that there is no GPU, so that programs that ask first run on the CPU. (PyTorch: torch.cuda)

What asks or tidies up is answered with no, zero or nothing; what needs the GPU itself raises, as it does in a PyTorch
that was built without CUDA.
"""

from __future__ import annotations

import contextlib

from minigrad.cuda import amp
from minigrad.errors import NoDeviceError
from minigrad.harmless import refusing
from minigrad.tensor import Tensor

__all__ = [
    "OutOfMemoryError", "amp", "device", "device_count", "device_of", "empty_cache", "get_arch_list",
    "get_rng_state_all", "is_available", "is_bf16_supported", "is_initialized", "is_tf32_supported", "manual_seed",
    "manual_seed_all", "max_memory_allocated", "max_memory_reserved", "memory_allocated", "memory_reserved",
    "memory_stats", "reset_max_memory_allocated", "reset_peak_memory_stats", "seed", "seed_all", "set_device",
    "set_rng_state", "set_rng_state_all", "stream", "synchronize",
]  # fmt: skip

__getattr__ = refusing(
    __name__,
    "CUDAGraph Event Stream can_device_access_peer current_device current_stream default_stream get_device_capability "
    "get_device_name get_device_properties get_rng_state init initial_seed ipc_collect mem_get_info memory_summary "
    "set_per_process_memory_fraction set_stream utilization",
    NoDeviceError,
    "there is no GPU here, minigrad runs on the CPU; guard the call with cuda.is_available(), which is False",
)


class OutOfMemoryError(RuntimeError):
    """For ``except`` clauses; nothing raises it. (PyTorch: torch.cuda.OutOfMemoryError)"""


def is_available() -> bool:
    """False: minigrad runs on the CPU. (PyTorch: torch.cuda.is_available)"""
    return False


def is_initialized() -> bool:
    """False. (PyTorch: torch.cuda.is_initialized)"""
    return False


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """False. (PyTorch: torch.cuda.is_bf16_supported)"""
    return False


def is_tf32_supported() -> bool:
    """False. (PyTorch: torch.cuda.is_tf32_supported)"""
    return False


def device_count() -> int:
    """0. (PyTorch: torch.cuda.device_count)"""
    return 0


def get_arch_list() -> list[str]:
    """An empty list. (PyTorch: torch.cuda.get_arch_list)"""
    return []


def set_device(device) -> None:
    """Nothing: there is nothing to choose from. (PyTorch: torch.cuda.set_device)"""


@contextlib.contextmanager
def device(device):
    """A context without effect. (PyTorch: torch.cuda.device)"""
    yield


@contextlib.contextmanager
def device_of(obj):
    """A context without effect. (PyTorch: torch.cuda.device_of)"""
    yield


@contextlib.contextmanager
def stream(stream):
    """A context without effect. (PyTorch: torch.cuda.stream)"""
    yield


def manual_seed(seed: int) -> None:
    """Nothing to seed, as in PyTorch without a GPU. (PyTorch: torch.cuda.manual_seed)"""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed, as in PyTorch without a GPU. (PyTorch: torch.cuda.manual_seed_all)"""


def seed() -> None:
    """Nothing to seed. (PyTorch: torch.cuda.seed)"""


def seed_all() -> None:
    """Nothing to seed. (PyTorch: torch.cuda.seed_all)"""


def get_rng_state_all() -> list[Tensor]:
    """An empty list: no generators. (PyTorch: torch.cuda.get_rng_state_all)"""
    return []


def set_rng_state(new_state, device="cuda") -> None:
    """Nothing to set. (PyTorch: torch.cuda.set_rng_state)"""


def set_rng_state_all(new_states) -> None:
    """Nothing to set. (PyTorch: torch.cuda.set_rng_state_all)"""


def synchronize(device=None) -> None:
    """Nothing to wait for. (PyTorch: torch.cuda.synchronize)"""


def empty_cache() -> None:
    """Nothing to free. (PyTorch: torch.cuda.empty_cache)"""


def memory_allocated(device=None) -> int:
    """0 bytes. (PyTorch: torch.cuda.memory_allocated)"""
    return 0


def max_memory_allocated(device=None) -> int:
    """0 bytes. (PyTorch: torch.cuda.max_memory_allocated)"""
    return 0


def memory_reserved(device=None) -> int:
    """0 bytes. (PyTorch: torch.cuda.memory_reserved)"""
    return 0


def max_memory_reserved(device=None) -> int:
    """0 bytes. (PyTorch: torch.cuda.max_memory_reserved)"""
    return 0


def memory_stats(device=None) -> dict[str, int]:
    """An empty dict. (PyTorch: torch.cuda.memory_stats)"""
    return {}


def reset_peak_memory_stats(device=None) -> None:
    """Nothing to reset. (PyTorch: torch.cuda.reset_peak_memory_stats)"""


def reset_max_memory_allocated(device=None) -> None:
    """Nothing to reset. (PyTorch: torch.cuda.reset_max_memory_allocated)"""
