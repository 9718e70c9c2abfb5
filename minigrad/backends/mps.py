"""`minigrad.backends.mps`: Apple's GPUs are not used. (PyTorch: torch.backends.mps)"""

from __future__ import annotations

__all__ = ["is_available", "is_built", "is_macos_or_newer"]


def is_available() -> bool:
    """False: Apple's GPUs are not used."""
    return False


def is_built() -> bool:
    """False: Apple's GPUs are not used."""
    return False


def is_macos_or_newer(major: int, minor: int) -> bool:
    """False: Apple's GPUs are not used."""
    return False
