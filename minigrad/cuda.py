"""`minigrad.cuda`: says that there is no GPU, so that programs that ask first run on the CPU."""

__all__ = ["device_count", "empty_cache", "is_available", "manual_seed", "manual_seed_all", "synchronize"]


def is_available() -> bool:
    """False: minigrad runs on the CPU. (PyTorch: torch.cuda.is_available)"""
    return False


def device_count() -> int:
    """0. (PyTorch: torch.cuda.device_count)"""
    return 0


def manual_seed(seed: int) -> None:
    """Nothing to seed, as in PyTorch without a GPU. (PyTorch: torch.cuda.manual_seed)"""


def manual_seed_all(seed: int) -> None:
    """Nothing to seed, as in PyTorch without a GPU. (PyTorch: torch.cuda.manual_seed_all)"""


def synchronize(device=None) -> None:
    """Nothing to wait for. (PyTorch: torch.cuda.synchronize)"""


def empty_cache() -> None:
    """Nothing to free. (PyTorch: torch.cuda.empty_cache)"""
