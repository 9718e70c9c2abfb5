"""Helpers that are no part of the engine. `data`: data sets, samplers and loaders; `checkpoint`: memory for time.
(PyTorch: torch.utils)"""

from minigrad.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
