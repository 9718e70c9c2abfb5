"""`minigrad.backends.cpu`: what the CPU can do. (PyTorch: torch.backends.cpu)"""

from __future__ import annotations

__all__ = ["get_cpu_capability"]


def get_cpu_capability() -> str:
    """ "DEFAULT": numba compiles for the CPU at hand, whatever it has."""
    return "DEFAULT"
