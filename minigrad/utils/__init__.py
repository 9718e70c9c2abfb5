"""Helpers that are no part of the engine. `data`: data sets, samplers and loaders; `checkpoint`: memory for time;
`dlpack`: memory shared with other array libraries; `tensorboard`, imported by name: what is to be shown there.
(PyTorch: torch.utils)"""

from minigrad.utils import _pytree, checkpoint, data, dlpack, hooks, model_zoo

__all__ = ["_pytree", "checkpoint", "data", "dlpack", "hooks", "model_zoo"]
