"""`minigrad.functional`: functions of `minigrad`, and `F`, which is `nn.functional`. (PyTorch: torch.functional)"""

from __future__ import annotations

import minigrad
from minigrad.nn import functional as F

__all__ = ["F"]

_NAMES = frozenset(
    "atleast_1d atleast_2d atleast_3d block_diag broadcast_shapes broadcast_tensors cartesian_prod cdist "
    "chain_matmul einsum lu meshgrid norm pca_lowrank split stft svd_lowrank tensordot unique unique_consecutive "
    "unravel_index".split()
)


def __getattr__(name):
    if name in _NAMES:
        return getattr(minigrad, name)
    raise AttributeError(f"module 'minigrad.functional' has no attribute {name!r}")
