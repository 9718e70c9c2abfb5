"""`minigrad.backends.openmp`: OpenMP is not used. (PyTorch: torch.backends.openmp)"""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False: OpenMP is not used."""
    return False
