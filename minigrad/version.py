"""`minigrad.version`: the version, and which hardware it was built for: none but the CPU. (PyTorch: torch.version)"""

from __future__ import annotations

from minigrad import __version__

__all__ = ["__version__", "cuda", "debug", "git_version", "hip", "xpu"]

cuda: str | None = None
hip: str | None = None
xpu: str | None = None
debug = False
git_version = "unknown"
