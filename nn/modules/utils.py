"""Small tools under the names by which programs import them from torch.nn.modules.utils."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n, name="parse"):
    """A function that makes n of one value, and a tuple of several."""

    def parse(x):
        return tuple(x) if isinstance(x, Iterable) else tuple(repeat(x, n))

    parse.__name__ = name
    return parse


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def _reverse_repeat_tuple(t, n):
    """Each element n times, from the last to the first: paddings of layers as `F.pad` takes them."""
    return tuple(x for x in reversed(t) for _ in range(n))


def consume_prefix_in_state_dict_if_present(state_dict: dict, prefix: str) -> None:
    """Take a prefix, such as "module.", off the names of a `state_dict` that have it, in place.

    PyTorch: torch.nn.modules.utils.consume_prefix_in_state_dict_if_present
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key[len(prefix) :]] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    for key in list(metadata or ()):
        if key in (prefix, prefix.rstrip(".")):  # the wrapped module itself
            metadata.setdefault("", metadata.pop(key))
        elif key.startswith(prefix):
            metadata[key[len(prefix) :]] = metadata.pop(key)
