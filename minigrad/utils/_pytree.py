"""`utils._pytree`: trees of values, which libraries for PyTorch take from here. (PyTorch: torch.utils._pytree)"""

from __future__ import annotations

from minigrad.trees import Spec as TreeSpec
from minigrad.trees import flatten as tree_flatten
from minigrad.trees import tree_map
from minigrad.trees import unflatten as tree_unflatten

__all__ = ["TreeSpec", "tree_flatten", "tree_leaves", "tree_map", "tree_unflatten"]


def tree_leaves(tree) -> list:
    """The leaves of a tree, in order."""
    return tree_flatten(tree)[0]
