"""`utils.model_zoo`: models from the network are not fetched; see `minigrad.hub`. (PyTorch: torch.utils.model_zoo)"""

from __future__ import annotations

from minigrad import hub

__all__: list[str] = []


def __getattr__(name):
    if name == "load_url":
        return hub.load_state_dict_from_url
    raise AttributeError(f"module 'minigrad.utils.model_zoo' has no attribute {name!r}")
