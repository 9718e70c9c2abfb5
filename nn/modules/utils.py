"""Small helpers that programs import from here: sizes as tuples, and prefixes of a `state_dict` taken away."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["consume_prefix_in_state_dict_if_present"]


def _ntuple(n):
    """A function that makes a tuple of n equal parts of a number, and a tuple of anything that can be iterated."""

    def parse(value):
        return tuple(value) if isinstance(value, Iterable) else (value,) * n

    parse.__name__ = f"_ntuple_{n}"
    return parse


_single, _pair, _triple, _quadruple = (_ntuple(n) for n in (1, 2, 3, 4))


def consume_prefix_in_state_dict_if_present(state_dict: dict, prefix: str) -> None:
    """Take a prefix off the names of a `state_dict`, in place: ``"module.fc.weight"`` becomes ``"fc.weight"``.

    What `DataParallel` and `DistributedDataParallel` save has the prefix ``"module."``.

    PyTorch: torch.nn.modules.utils.consume_prefix_in_state_dict_if_present
    """
    for key in list(state_dict):
        if key.startswith(prefix):
            state_dict[key.removeprefix(prefix)] = state_dict.pop(key)
    metadata = getattr(state_dict, "_metadata", None)
    if metadata is not None:
        for key in list(metadata):
            # The entry of the module itself is the prefix without its dot; that of the wrapper, "", gives way to it.
            if key and (key == prefix.removesuffix(".") or key.startswith(prefix)):
                metadata[key[len(prefix) :]] = metadata.pop(key)
