"""Helpers that are no part of the engine. `data`: data sets, samplers and loaders; `dlpack`: memory shared with other
array libraries. (PyTorch: torch.utils)"""

from minigrad.utils import data, dlpack

__all__ = ["data", "dlpack"]
