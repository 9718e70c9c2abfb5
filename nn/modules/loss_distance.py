"""Losses that measure how far numbers are from their targets: L1Loss, MSELoss and their kind. Part of `loss.py`."""

from __future__ import annotations

import math

import minigrad
from minigrad.nn import functional as F
from minigrad.nn.modules.loss_base import _Loss, check_shapes
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["HuberLoss", "L1Loss", "MAPELoss", "MSELoss", "MSLELoss", "RMSELoss", "SmoothL1Loss"]


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


class RMSELoss(Module):
    """The root of the mean squared error, ``√(mean((x - y)²))``, in the units of the target.

    Not in PyTorch. Its gradient is 0 where input and target are equal.

    Input and target of one shape ``(*)``; output a scalar.

    Raises:
        ValueError: if the shapes differ.
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        check_shapes(self, input, target)
        return minigrad.norm(input - target) / math.sqrt(input.numel())


class MAPELoss(_Loss):
    """The relative error ``|x - y| / max(|y|, eps)``, by default its mean (MAPE, as a fraction: 0.1 is 10 %).

    Not in PyTorch; scikit-learn's mean_absolute_percentage_error. For targets that are not near 0.

    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".
        eps (float): the least size of a target to divide by.

    Raises:
        ValueError: if the shapes differ.
    """

    def __init__(self, reduction: str = "mean", eps: float = 1e-6) -> None:
        super().__init__(reduction=reduction)
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        check_shapes(self, input, target)
        size = target.abs().clamp(min=self.eps)
        return F.l1_loss(input / size, target / size, reduction=self.reduction)


class MSLELoss(_Loss):
    """The squared error of logarithms, ``(log(1 + x) - log(1 + y))²``, by default its mean.

    Not in PyTorch; scikit-learn's mean_squared_log_error. For counts and sums of money, where ratios matter.

    Input and target, above -1, of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        reduction (str): "mean", "sum" or "none".

    Raises:
        ValueError: if the shapes differ.
    """

    def __init__(self, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        check_shapes(self, input, target)
        return F.mse_loss(input.log1p(), target.log1p(), reduction=self.reduction)
