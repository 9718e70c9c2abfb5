"""Small tools under the names by which programs import them from torch.nn.modules.utils."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import repeat

__all__ = ["consume_prefix_in_state_dict_if_present", "factory_kwargs"]


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
        if key and (key == prefix.replace(".", "") or key.startswith(prefix)):  # "module" itself becomes ""
            metadata[key[len(prefix) :]] = metadata.pop(key)


def factory_kwargs(kwargs: dict | None) -> dict:
    """Of a layer's keyword arguments those that `minigrad.empty` and its kind take: device, dtype, memory_format.

    They may also come in a dict of their own, ``factory_kwargs={...}``. For layers that pass `**kwargs` on.

    Raises:
        TypeError: for other names, and for one that is given twice.

    PyTorch: torch.nn.factory_kwargs
    """
    given = dict(kwargs or {})
    made = dict(given.pop("factory_kwargs", {}))
    for name, value in given.items():
        if name not in ("device", "dtype", "memory_format"):
            raise TypeError(f"factory_kwargs(): got unexpected kwargs {name!r}; expected device, dtype, memory_format")
        if name in made:
            raise TypeError(f"factory_kwargs(): {name} specified twice, in **kwargs and in factory_kwargs")
        made[name] = value
    return made
