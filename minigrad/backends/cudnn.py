"""`minigrad.backends.cudnn`: not used; its switches can be set and have no effect. (PyTorch: torch.backends.cudnn)"""

from __future__ import annotations

import contextlib

__all__ = ["flags", "is_acceptable", "is_available", "version"]

enabled = True
benchmark = False
benchmark_limit: int | None = None
deterministic = False
allow_tf32 = True
fp32_precision = "none"


def is_available() -> bool:
    """False: cuDNN is not used."""
    return False


def version() -> int | None:
    """None: cuDNN is not used, so that it has no version."""
    return None


def is_acceptable(tensor) -> bool:
    """False: cuDNN is not used."""
    return False


@contextlib.contextmanager
def flags(
    enabled=False, benchmark=False, benchmark_limit=10, deterministic=False, allow_tf32=True, fp32_precision="none"
):
    """A context without effect."""
    yield
