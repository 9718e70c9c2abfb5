"""`minigrad.backends.mkl`: Intel's MKL is not used. (PyTorch: torch.backends.mkl)"""

from __future__ import annotations

__all__ = ["is_available"]


def is_available() -> bool:
    """False: Intel's MKL is not used."""
    return False
