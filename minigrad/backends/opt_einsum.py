"""`minigrad.backends.opt_einsum`: not used, `einsum` goes from left to right. (PyTorch: torch.backends.opt_einsum)"""

from __future__ import annotations

__all__ = ["get_opt_einsum", "is_available"]

enabled = False
strategy: str | None = None


def is_available() -> bool:
    """False: the package opt_einsum is not used."""
    return False


def get_opt_einsum() -> None:
    """None: the package opt_einsum is not used."""
