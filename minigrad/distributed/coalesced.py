"""`broadcast_coalesced`: many tensors in few messages, as each message costs time, however small it is."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from minigrad.distributed import broadcast
from minigrad.tensor import Tensor, wrap

__all__ = ["broadcast_coalesced"]

AT_ONCE = 1 << 20  # bytes: what is larger goes by itself, without being copied


def broadcast_coalesced(tensors: Sequence[Tensor], src: int, group=None) -> None:
    """Let tensors be, on all ranks of a group, what they are on rank `src`. Autograd does not notice.

    Args:
        tensors: the same shapes and dtypes in the same order on all ranks.
        src (int): the rank in the default group.
        group (optional): default: all ranks.
    """
    small: dict[np.dtype, list[np.ndarray]] = {}
    for tensor in tensors:
        array = tensor.array
        if array.nbytes > AT_ONCE and array.flags.c_contiguous:
            broadcast(wrap(array), src, group)
        else:
            small.setdefault(array.dtype, []).append(array)
    for arrays in small.values():
        flat = np.concatenate([array.ravel() for array in arrays])
        broadcast(wrap(flat), src, group)
        ends = np.cumsum([array.size for array in arrays])
        for array, part in zip(arrays, np.split(flat, ends[:-1])):
            array[...] = part.reshape(array.shape)
