"""Losses that ask for a margin, between classes or between distances. Part of `loss.py`."""

from __future__ import annotations

from collections.abc import Callable

import minigrad
from minigrad.nn import functional as F
from minigrad.nn.modules.distance import PairwiseDistance
from minigrad.nn.modules.loss_base import _Loss, _WeightedLoss, check_shapes
from minigrad.tensor import Tensor

__all__ = [
    "CosineEmbeddingLoss", "HingeEmbeddingLoss", "HingeLoss", "MarginRankingLoss", "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss", "MultiMarginLoss", "SoftMarginLoss", "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]  # fmt: skip


class _MarginLoss(_Loss):
    """A loss whose only setting is its margin."""

    def __init__(self, margin: float = 0.0, size_average=None, reduce=None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin


class HingeLoss(_MarginLoss):
    """``max(0, margin - y · x)`` of scores x for targets y, -1 or 1: the loss of support vector machines.

    Not in PyTorch; scikit-learn's hinge_loss.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        margin (float): how far on the right side a score costs nothing.
        reduction (str): "mean", "sum" or "none".

    Raises:
        ValueError: if the shapes differ, or a target is not -1 or 1.
    """

    def __init__(self, margin: float = 1.0, reduction: str = "mean") -> None:
        super().__init__(margin, reduction=reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        check_shapes(self, input, target)
        if not bool((target.abs() == 1).all()):
            raise ValueError("HingeLoss: expected targets -1 and 1, got others; make them of 0 and 1 by 2 * target - 1")
        # As `margin_ranking_loss`, of the score and 0.
        return F.margin_ranking_loss(
            input, minigrad.zeros_like(input), target, margin=self.margin, reduction=self.reduction
        )


class HingeEmbeddingLoss(_MarginLoss):
    """``x`` where the target is 1, ``max(0, margin - x)`` where it is -1: of distances x of pairs alike or not.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        margin (float): the distance that is far enough.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.HingeEmbeddingLoss
    """

    def __init__(self, margin: float = 1.0, size_average=None, reduce=None, reduction: str = "mean") -> None:
        super().__init__(margin, size_average, reduce, reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class CosineEmbeddingLoss(_MarginLoss):
    """``1 - cos(x1, x2)`` where the target is 1, ``max(0, cos(x1, x2) - margin)`` where it is -1.

    Inputs ``(N, D)`` or ``(D,)``, target ``(N,)`` or ``()``; output a scalar, or the target's shape with reduction
    "none".

    Args:
        margin (float): -1 to 1; the cosine that is far enough.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.CosineEmbeddingLoss
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class MarginRankingLoss(_MarginLoss):
    """``max(0, -y · (x1 - x2) + margin)``: x1 is to be above x2 where the target y is 1, below where it is -1.

    Inputs and target of one shape ``(N,)`` or ``()``; output a scalar, or that shape with reduction "none".

    Args:
        margin (float): by how much.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.MarginRankingLoss
    """

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(input1, input2, target, margin=self.margin, reduction=self.reduction)


class SoftMarginLoss(_Loss):
    """``log(1 + exp(-y · x))`` of scores x for targets y, -1 or 1.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.SoftMarginLoss
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class MultiMarginLoss(_WeightedLoss):
    """``Σ_i max(0, margin - x[y] + x[i])^p / C`` over the classes i other than the right one, y.

    Input ``(N, C)`` or ``(C,)``, target class numbers ``(N,)`` or ``()`` (int64); output a scalar, or the target's
    shape with reduction "none".

    Args:
        p (int): 1 or 2.
        margin (float): by how much the right class is to be above the others.
        weight (Tensor, optional): ``(C,)``, a weight per class.
        reduction (str): "mean", "sum" or "none".

    Raises:
        ValueError: for another p, or a weight that is not 1-dimensional.

    PyTorch: torch.nn.MultiMarginLoss
    """

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average=None,
        reduce=None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError(f"MultiMarginLoss: only p == 1 and p == 2 supported, got {p}")
        if weight is not None and weight.dim() != 1:
            raise ValueError(f"MultiMarginLoss: expected weight to be None or 1D tensor, got {weight.dim()}D instead")
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(
            input, target, p=self.p, margin=self.margin, weight=self.weight, reduction=self.reduction
        )


class MultiLabelMarginLoss(_Loss):
    """``Σ max(0, 1 - (x[y] - x[i])) / C`` over the right classes y and all others i.

    Input ``(N, C)`` or ``(C,)``; target of the same shape: class numbers (int64) up to the first -1. Output a scalar,
    or ``(N,)`` or ``()`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.MultiLabelMarginLoss
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """`BCEWithLogitsLoss` of each of C classes, averaged over the classes.

    Input and target (0 or 1) ``(N, C)``; output a scalar, or ``(N,)`` with reduction "none".

    Args:
        weight (Tensor, optional): ``(C,)``, a weight per class.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.MultiLabelSoftMarginLoss
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(input, target, weight=self.weight, reduction=self.reduction)


def check_margin(loss, margin):
    """PyTorch's condition on the margin of triplet losses."""
    if margin <= 0:
        raise ValueError(f"{loss._get_name()}: expected margin to be greater than 0, got {margin} instead")


class TripletMarginLoss(_Loss):
    """``max(0, d(a, p) - d(a, n) + margin)``: the anchor a is to be nearer to the positive p than to the negative n.

    d is the p-norm of the difference. Inputs ``(N, D)`` or ``(D,)``; output a scalar, or ``(N,)`` or ``()`` with
    reduction "none".

    Args:
        margin (float): by how much, above 0.
        p (float): the order of the norm.
        eps (float): added to the differences.
        swap (bool): whether the negative's distance is that from the anchor or the positive, whichever is nearer.
        reduction (str): "mean", "sum" or "none".

    Source: Balntas et al., Learning local feature descriptors with triplets (2016). PyTorch: torch.nn.TripletMarginLoss
    """

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average=None,
        reduce=None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        check_margin(self, margin)
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """`TripletMarginLoss` with a distance of your own.

    Inputs ``(N, *)``, whatever the distance takes; output a scalar, or the shape of the distances with reduction
    "none".

    Args:
        distance_function (callable, optional): of two tensors; by default `PairwiseDistance`.
        margin (float): by how much, above 0.
        swap (bool): whether the negative's distance is that from the anchor or the positive, whichever is nearer.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.TripletMarginWithDistanceLoss
    """

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(reduction=reduction)
        check_margin(self, margin)
        self.distance_function = PairwiseDistance() if distance_function is None else distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )
