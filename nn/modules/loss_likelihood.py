"""Losses that are negative log-likelihoods or divergences, of classes, bits, counts, sequences. Part of `loss.py`."""

from __future__ import annotations

import math
import warnings

from minigrad.nn import functional as F
from minigrad.nn.modules.linear import Linear
from minigrad.nn.modules.loss_base import _Loss, _WeightedLoss
from minigrad.tensor import Tensor

__all__ = [
    "BCELoss", "BCEWithLogitsLoss", "CTCLoss", "CrossEntropyLoss", "GaussianNLLLoss", "KLDivLoss",
    "LinearCrossEntropyLoss", "NLLLoss", "NLLLoss2d", "PoissonNLLLoss",
]  # fmt: skip


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


class NLLLoss2d(NLLLoss):
    """The deprecated name of `NLLLoss` for images, whose arguments it takes. PyTorch: torch.nn.NLLLoss2d"""

    def __init__(self, *args, **kwargs) -> None:
        warnings.warn(
            "`NLLLoss2d` has been deprecated. Please use `NLLLoss` instead as a drop-in replacement.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(*args, **kwargs)


class LinearCrossEntropyLoss(_WeightedLoss):
    """A `Linear` layer and the `CrossEntropyLoss` of its outputs.

    Input ``(N, in_features)`` or ``(in_features,)``; target class numbers ``(N, *out_features)`` or ``()`` (int64), or
    probabilities ``(N, C, *out_features)`` or ``(C,)``, C being `num_classes`. Output a scalar; with reduction "none"
    of the shape of class-number targets.

    Args:
        in_features (int): size of an input vector.
        num_classes (int): how many classes.
        out_features (tuple of ints): the dimensions of several losses for an input.
        bias (bool): whether the layer has a bias.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the layer.
        reduction (str): "mean", "sum" or "none".
        weight (Tensor, optional): ``(C,)``, a weight per class.
        ignore_index (int, optional): targets of this number do not count.
        label_smoothing (float): 0 to 1; so much of the target's probability is spread evenly over all classes.
        options: PyTorch's settings of computing in chunks; must be None.

    Attributes:
        linear: the layer, ``in_features`` to ``num_classes * prod(out_features)``.

    PyTorch: torch.nn.LinearCrossEntropyLoss
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device=None,
        dtype=None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options=None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}")
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(f"expected label_smoothing to be in range [0, 1], got {label_smoothing}")
        super().__init__(weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(in_features, num_classes * math.prod(out_features), bias, device, dtype)
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        linear, shape = self.linear, (self.num_classes, *self.out_features)
        return F.linear_cross_entropy(
            input,
            linear.weight.reshape(*shape, linear.in_features),
            target,
            linear_bias=None if linear.bias is None else linear.bias.reshape(shape),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, out_features={self.out_features}, "
            f"bias={self.linear.bias is not None}, reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )


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


class BCEWithLogitsLoss(_Loss):
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
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
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


class PoissonNLLLoss(_Loss):
    """``eˣ - y · x``: the negative log-likelihood of counts y under a Poisson distribution of rate eˣ.

    With ``log_input=False``, x is the rate itself: ``x - y · log(x + eps)``.
    Input and target of one shape ``(*)``; output a scalar, or ``(*)`` with reduction "none".

    Args:
        log_input (bool): whether the input is the logarithm of the rate.
        full (bool): whether to add Stirling's approximation of ``log(y!)`` where y > 1.
        eps (float): keeps the logarithm finite.
        reduction (str): "mean", "sum" or "none".

    PyTorch: torch.nn.PoissonNLLLoss
    """

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average=None,
        eps: float = 1e-8,
        reduce=None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        return F.poisson_nll_loss(
            log_input, target, log_input=self.log_input, full=self.full, eps=self.eps, reduction=self.reduction
        )


class GaussianNLLLoss(_Loss):
    """``(log v + (x - y)² / v) / 2``: the negative log-likelihood of y under a normal distribution.

    Input (its mean x) and target ``(*)``; var (its variance v) a number, of the input's shape, or with its last
    dimension 1 or missing. Output a scalar, or ``(*)`` with reduction "none".

    Args:
        full (bool): whether to add ``log(2π) / 2``.
        eps (float): the least variance.
        reduction (str): "mean", "sum" or "none".

    Source: Nix and Weigend, Estimating the mean and variance of the target probability distribution (1994).
    PyTorch: torch.nn.GaussianNLLLoss
    """

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(reduction=reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Tensor | float) -> Tensor:
        return F.gaussian_nll_loss(input, target, var, full=self.full, eps=self.eps, reduction=self.reduction)


class CTCLoss(_Loss):
    """Connectionist temporal classification: the negative log-likelihood of label sequences over all their alignments.

    Input ``(T, N, C)`` or ``(T, C)``, log-probabilities of C labels at T time steps; targets ``(N, S)`` or all in a row
    ``(sum(target_lengths),)``, labels without blanks; both lengths ``(N,)`` or ``()``, tensors or tuples of ints.
    Output a scalar, or ``(N,)`` or ``()`` with reduction "none".

    Args:
        blank (int): the label that means no label.
        reduction (str): "mean" (of the losses divided by the target lengths), "sum" or "none".
        zero_infinity (bool): whether targets too long for their input count nothing, instead of infinitely much.

    Source: Graves et al., Connectionist Temporal Classification (2006). PyTorch: torch.nn.CTCLoss
    """

    def __init__(self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(self, log_probs: Tensor, targets: Tensor, input_lengths, target_lengths) -> Tensor:
        return F.ctc_loss(
            log_probs, targets, input_lengths, target_lengths, self.blank, self.reduction, self.zero_infinity
        )
