"""What losses share: their reduction, perhaps a weight, a check of shapes. First of the files of `loss.py`."""

from __future__ import annotations

import warnings

from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor


class _Loss(Module):
    """A loss with a reduction. PyTorch's older arguments `size_average` and `reduce` are turned into one."""

    def __init__(self, size_average=None, reduce=None, reduction: str = "mean") -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            averaged, reduced = size_average in (None, True), reduce in (None, True)
            reduction = "none" if not reduced else "mean" if averaged else "sum"
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


def check_shapes(loss: Module, input: Tensor, target: Tensor) -> None:
    """The losses that are ours do not broadcast: (N, 1) against (N,) is a mistake."""
    if input.shape != target.shape:
        raise ValueError(
            f"{loss._get_name()}: expected input and target of one shape, got {tuple(input.shape)} and "
            f"{tuple(target.shape)}; reshape one of them, e.g. with squeeze(-1)"
        )
