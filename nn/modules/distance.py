"""Distances as layers: CosineSimilarity, PairwiseDistance."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class PairwiseDistance(Module):
    """The p-norm of ``x1 - x2 + eps``, of each vector of x1 and the one at its place in x2.

    Inputs ``(N, D)`` or ``(D,)``; output ``(N,)`` or ``()``, with `keepdim` ``(N, 1)`` or ``(1,)``.

    Args:
        p (float): the order of the norm; it becomes the attribute `norm`.
        eps (float): added to the differences, so that the derivative exists where they are 0.
        keepdim (bool): whether the vectors' dimension stays, with size 1.

    PyTorch: torch.nn.PairwiseDistance
    """

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """The cosine of the angle between vectors: ``x1 · x2 / (max(‖x1‖, eps) · max(‖x2‖, eps))``.

    Inputs ``(*, D, *)`` with D at `dim`, broadcast; output ``(*, *)``.

    Args:
        dim (int): the vectors' dimension.
        eps (float): the least length to divide by.

    PyTorch: torch.nn.CosineSimilarity
    """

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
