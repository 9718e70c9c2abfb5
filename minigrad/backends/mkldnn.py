"""`minigrad.backends.mkldnn`: not used; its switches can be set and have no effect. (PyTorch: torch.backends.mkldnn)"""

from __future__ import annotations

import contextlib

__all__ = ["flags", "is_available"]

enabled = True
deterministic = False
allow_tf32: bool | None = None
fp32_precision = "none"


def is_available() -> bool:
    """False: oneDNN is not used."""
    return False


@contextlib.contextmanager
def flags(enabled=False, deterministic=False, allow_tf32=True, fp32_precision="none"):
    """A context without effect."""
    yield
