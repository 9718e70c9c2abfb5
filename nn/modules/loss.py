"""Losses as layers: each calls the function of `minigrad.nn.functional` that computes it.

`reduction` says what becomes of the single losses: "mean" (default) their mean, "sum" their sum, "none" all of them.
PyTorch's older `size_average` and `reduce` are accepted with a warning and turned into a reduction.
"""

from __future__ import annotations

import warnings

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CrossEntropyLoss", "HuberLoss", "KLDivLoss", "L1Loss", "MSELoss", "NLLLoss",
    "SmoothL1Loss",
]  # fmt: skip


class _Loss(Module):
    def __init__(self, size_average=None, reduce=None, reduction: str = "mean") -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = "none" if reduce is False else "sum" if size_average is False else "mean"
            warnings.warn(
                f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
                stacklevel=3,
            )
        self.reduction = reduction


class _WeightedLoss(_Loss):
    """A loss with a weight per class or element, kept as a buffer."""

    def __init__(self, weight: Tensor | None = None, size_average=None, reduce=None, reduction: str = "mean") -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class MSELoss(_Loss):
    """The squared error ``(x - y)²``, by default its mean.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.MSELoss
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class L1Loss(_Loss):
    """The absolute error ``|x - y|``, by default its mean (MAE).

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.L1Loss
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """``(x - y)² / (2 · beta)`` where ``|x - y| < beta``, else ``|x - y| - beta / 2``.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".
        beta (float): where the square ends; 0 gives `L1Loss`.

    Source: Girshick, Fast R-CNN (2015). PyTorch: torch.nn.SmoothL1Loss
    """

    def __init__(self, size_average=None, reduce=None, reduction: str = "mean", beta: float = 1.0) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """``(x - y)² / 2`` where ``|x - y| <= delta``, else ``delta · (|x - y| - delta / 2)``.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".
        delta (float): where the square ends, above 0.

    Source: Huber, Robust Estimation of a Location Parameter (1964). PyTorch: torch.nn.HuberLoss
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        super().__init__(reduction=reduction)
        if not isinstance(delta, float | int):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class CrossEntropyLoss(_WeightedLoss):
    """``-log softmax(x)[y]``: of scores (logits) for classes against the right class; log-softmax is included.

    Input ``(C,)``, ``(N, C)`` or ``(N, C, *)``; target class numbers ``()``, ``(N,)`` or ``(N, *)`` (int64), or
    probabilities of the input's shape. Output a scalar; with reduction "none" of the shape of class-number targets.

    Args:
        weight (Tensor, optional): ``(C,)``, a weight per class; "mean" divides by the sum of the weights used.
        ignore_index (int): targets of this number do not count.
        reduction (str): "mean", "sum" or "none".
        label_smoothing (float): 0 to 1; so much of the target's probability is spread evenly over all classes.

    PyTorch: torch.nn.CrossEntropyLoss
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average=None,
        ignore_index: int = -100,
        reduce=None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class NLLLoss(_WeightedLoss):
    """``-x[y]`` for log-probabilities x: cross-entropy after a `LogSoftmax` layer.

    Input ``(C,)``, ``(N, C)`` or ``(N, C, *)``; target class numbers ``()``, ``(N,)`` or ``(N, *)`` (int64).
    Output a scalar, or the target's shape with reduction "none".

    Args:
        weight (Tensor, optional): ``(C,)``, a weight per class; "mean" divides by the sum of the weights used.
        ignore_index (int): targets of this number do not count.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.NLLLoss
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average=None,
        ignore_index: int = -100,
        reduce=None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(input, target, weight=self.weight, ignore_index=self.ignore_index, reduction=self.reduction)


class BCELoss(_WeightedLoss):
    """``-(y · log x + (1 - y) · log(1 - x))`` for probabilities x; the logs are kept above -100.

    Input (0 to 1) and target (0 to 1) of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        weight (Tensor, optional): a weight per element, broadcast.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.BCELoss
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_WeightedLoss):
    """`BCELoss` of ``sigmoid(x)``, computed together, without overflow.

    Input (any number) and target (0 to 1) of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        weight (Tensor, optional): a weight per element, broadcast.
        reduction (str): "mean", "sum" or "none".
        pos_weight (Tensor, optional): a weight of the positive part ``y · log sigmoid(x)``, broadcast.

    PyTorch: torch.nn.BCEWithLogitsLoss
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average=None,
        reduce=None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input, target, self.weight, pos_weight=self.pos_weight, reduction=self.reduction
        )


class KLDivLoss(_Loss):
    """``y · (log y - x)``: the Kullback-Leibler divergence of log-probabilities x from probabilities y.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean" (over all elements), "batchmean" (the sum divided by the batch size, which is the
            divergence's definition), "sum" or "none".
        log_target (bool): whether the target too holds log-probabilities.

    PyTorch: torch.nn.KLDivLoss
    """

    def __init__(self, size_average=None, reduce=None, reduction: str = "mean", log_target: bool = False) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)
