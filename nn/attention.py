"""`nn.attention`: choices of a kernel, all accepted: there is one. (PyTorch: torch.nn.attention)"""

from __future__ import annotations

import contextlib
import enum
from collections.abc import Iterator

__all__ = ["SDPBackend", "sdpa_kernel"]


class SDPBackend(enum.IntEnum):
    """The kernels that PyTorch chooses among. (PyTorch: torch.nn.attention.SDPBackend)"""

    ERROR = -1
    MATH = 0
    FLASH_ATTENTION = 1
    EFFICIENT_ATTENTION = 2
    CUDNN_ATTENTION = 3
    OVERRIDEABLE = 4


@contextlib.contextmanager
def sdpa_kernel(backends: list[SDPBackend] | SDPBackend, set_priority: bool = False) -> Iterator[None]:
    """A ``with`` block in which `backends` may be used: the one kernel there is gives the numbers of any of them.

    Raises:
        TypeError: `backends` is neither an SDPBackend nor a list of them.

    (PyTorch: torch.nn.attention.sdpa_kernel)
    """
    chosen = [backends] if isinstance(backends, SDPBackend) else backends
    if not isinstance(chosen, list) or not all(isinstance(backend, SDPBackend) for backend in chosen):
        raise TypeError(f"sdpa_kernel(): backends must be an SDPBackend or a list of them, not {backends!r}")
    yield
