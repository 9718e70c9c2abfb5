"""Helpers that are no part of the engine. `data`: data sets, samplers and loaders. (PyTorch: torch.utils)"""

from minigrad.utils import data

__all__ = ["data"]
