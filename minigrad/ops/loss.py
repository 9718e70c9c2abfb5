"""Losses that compare two tensors number by number: how wrong an output is, as one number.

A loss is a pointwise block, which says what one number of each costs, and a composite of the public name, which checks
and reduces. Those against probabilities are in `likelihood.py`, against class numbers in `classes.py`, with margins in
`margin.py`.

reduction: "mean" (default), "sum", or "none" for one loss per element or sample.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTIONAL, Op, Pointwise, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, constant, of

F = (FUNCTIONAL,)


@on_every_path("reduction_of")
def reduction_of(reduction, size_average=None, reduce=None):
    """The reduction that is meant, also by PyTorch's two older arguments."""
    if size_average is not None or reduce is not None:
        averaged, reduced_ = size_average in (None, True), reduce in (None, True)
        reduction = "none" if not reduced_ else "mean" if averaged else "sum"
        warnings.warn(
            f"size_average and reduce args will be deprecated, please use reduction='{reduction}' instead.",
            stacklevel=4,
        )
    elif reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=4)
        reduction = "mean"
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: expected 'none', 'mean' or 'sum'")
    return reduction


class reduced_loss(Op):
    """The mean or the sum of losses, recorded under the loss's name; called by `reduced`."""

    public, fresh = (), True

    def backward_name(node):
        return node.attrs[1]

    def forward(losses, /, how, name):
        return mean(losses) if how == "mean" else sum(losses)

    def grad_losses(g, losses_shape, how):
        return expand(g / shape_size(losses_shape) if how == "mean" else g, losses_shape) * 1.0


on_every_path("shape_size")(lambda shape: math.prod(shape) or math.nan)


@helper
def reduced(losses, reduction, name=None):
    """Losses by their reduction; `name` is what PyTorch prints as grad_fn, if not that of the mean or the sum."""
    if reduction == "none":
        return losses
    if name is not None:
        return reduced_loss(losses, reduction, name)
    return mean(losses) if reduction == "mean" else sum(losses)


@on_every_path("float_only")
def float_only(op, input):
    """Refuse integers and bools."""
    if np_dtype(input).kind != "f":
        raise NotImplementedError(f'"{op}_cpu" not implemented for {input.dtype}: convert the input with .float()')


@on_every_path("check_constant")
def check_constant(op, argument, value):
    """Refuse a tensor that requires grad where the op has no gradient for it."""
    if getattr(value, "requires_grad", False) and (value * 1.0).requires_grad:  # the second: not under no_grad()
        raise RuntimeError(
            f"The function '{op}' is not differentiable with respect to argument '{argument}'. This input cannot have "
            "requires_grad True: detach() it."
        )


@on_every_path("same_size")
def same_size(op, input, target):
    """PyTorch's warning where input and target would be broadcast, which is seldom meant."""
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"Using a target size ({target.shape!r}) that is different to the input size ({input.shape!r}) in {op}. "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=4,
        )


@helper
def weighted(losses, input, weight, reduction):
    """Losses times a weight for each element; their mean is that of the weights."""
    if tuple(weight.shape) != tuple(input.shape):
        raise ValueError("Weights and input must have the same size.")
    losses = losses * weight
    return sum(losses) / sum(weight) if reduction == "mean" else reduced(losses, reduction)


class PairLoss(Pointwise):
    """The loss of one number against another. Two integers have none."""

    public, floats, kinds = (), True, "f"


LOSS_SAMPLES = of(
    lambda make: S(make(3, 4), make(3, 4)),
    lambda make: S(make(3, 4), make(3, 4), reduction="sum"),
    lambda make: S(make(5), make(5), reduction="none"),
)


class mse(Op):
    """The mean (or sum) of squared differences of two tensors of one shape; called by `mse_loss`."""

    public, fresh, backward_name, symbol = (), True, "MseLossBackward0", "mse_loss"

    def forward(input, target, /, scale):
        difference = (input - target).reshape(-1)
        return np.asarray(np.dot(difference, difference) * difference.dtype.type(scale))

    def grad_input(g, input, target, scale):
        return (g * (2.0 * scale)) * (input - target)

    def grad_target(g, input, target, scale):
        return (g * (2.0 * scale)) * (target - input)


class squared_error(PairLoss):
    """``(input - target)²``; called by `mse_loss`."""

    backward_name = "MseLossBackward0"

    def scalar(input, target):
        return (input - target) * (input - target)

    def grad_input(g, input, target):
        return g * (2.0 * (input - target))

    def grad_target(g, input, target):
        return g * (2.0 * (target - input))


@composite(public=F, samples=LOSS_SAMPLES)
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """mse_loss(input, target, reduction='mean', weight=None) -> Tensor: ``(input - target)²``. (PyTorch: F.mse_loss)"""
    same_size("mse_loss", input, target)
    reduction = reduction_of(reduction, size_average, reduce)
    if weight is not None:
        return weighted(squared_error(input, target), input, weight, reduction)
    if reduction != "none" and tuple(input.shape) == tuple(target.shape) and same_float(input, target):
        size = input_size(input)
        scale = 1.0 if reduction == "sum" else 1.0 / size if size else math.nan
        return mse(input, target, scale)
    return reduced(squared_error(input, target), reduction, "MseLossBackward0")


@on_every_path("same_float")
def same_float(input, target):
    a, b = np_dtype(input), np_dtype(target)
    return a == b and a.kind == "f"


@composite(public=F, samples=LOSS_SAMPLES)
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean", weight=None):
    """l1_loss(input, target, reduction='mean', weight=None) -> Tensor: ``|input - target|``. (PyTorch: F.l1_loss)"""
    same_size("l1_loss", input, target)
    reduction = reduction_of(reduction, size_average, reduce)
    losses = abs(input - target)
    return reduced(losses, reduction) if weight is None else weighted(losses, input, weight, reduction)


class smooth_l1(PairLoss):
    """Called by `smooth_l1_loss`."""

    backward_name = "SmoothL1LossBackward0"

    def scalar(input, target, /, beta):
        d = abs(input - target)
        return where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta)

    def grad_input(g, input, target, beta):
        d = input - target
        return g * where(d <= -beta, -1.0, where(d >= beta, 1.0, d / beta))

    def grad_target(g, input, target, beta):
        d = target - input
        return g * where(d <= -beta, -1.0, where(d >= beta, 1.0, d / beta))


@composite(public=F, samples=LOSS_SAMPLES)
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """smooth_l1_loss(input, target, reduction='mean', beta=1.0) -> Tensor

    ``0.5 d² / beta`` where ``d = |input - target| < beta``, ``d - 0.5 beta`` elsewhere.
    (Girshick 2015; PyTorch: F.smooth_l1_loss)
    """
    same_size("smooth_l1_loss", input, target)
    reduction = reduction_of(reduction, size_average, reduce)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, but got {beta}")
    if beta == 0:
        return reduced(abs(input - target), reduction)
    return reduced(smooth_l1(input, target, beta), reduction, "SmoothL1LossBackward0")


class huber(PairLoss):
    """Called by `huber_loss`."""

    backward_name = "HuberLossBackward0"

    def scalar(input, target, /, delta):
        d = abs(input - target)
        return where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta))

    def grad_input(g, input, target, delta):
        d = input - target
        return g * where(d < -delta, -delta, where(d > delta, delta, d))

    def grad_target(g, input, target, delta):
        d = target - input
        return g * where(d < -delta, -delta, where(d > delta, delta, d))


@helper
def in_dtype_of(op, losses, tensor):
    """Losses in the dtype of one of the inputs, where PyTorch writes them into a tensor of that dtype."""
    if np_dtype(tensor).kind != "f":
        raise RuntimeError(
            f"{op}(): result type {losses.dtype} can't be cast to the desired output type {tensor.dtype}"
        )
    return losses if np_dtype(losses) == np_dtype(tensor) else to_dtype(losses, np_dtype(tensor))


@composite(public=F, samples=LOSS_SAMPLES)
def huber_loss(input, target, reduction="mean", delta=1.0, weight=None):
    """huber_loss(input, target, reduction='mean', delta=1.0, weight=None) -> Tensor

    ``0.5 d²`` where ``d = |input - target| <= delta``, ``delta (d - 0.5 delta)`` elsewhere. (Huber 1964; F.huber_loss)
    """
    same_size("huber_loss", input, target)
    reduction = reduction_of(reduction)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, but got {delta}")
    losses = in_dtype_of("huber_loss", huber(input, target, delta), input)
    if weight is None:
        return reduced(losses, reduction, "HuberLossBackward0")
    if tuple(weight.shape) != tuple(input.shape):
        raise ValueError("Weights and input must have the same size.")
    return reduced(losses * weight, reduction)


class soft_margin(PairLoss):
    """``log(1 + exp(-target * input))``; called by `soft_margin_loss`."""

    backward_name = "SoftMarginLossBackward0"

    def scalar(input, target):
        return log1p(exp(-target * input))

    def grad_input(g, input, target):
        return -g * (target * sigmoid(-target * input))


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), constant([1.0, -1, -1, 1])),
        lambda make: S(make(3, 4), constant([[1.0], [-1], [0.5]]), reduction="sum"),
        lambda make: S(make(3), constant([1.0, -1, -1]), reduction="none"),
    ),
)
def soft_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """soft_margin_loss(input, target, reduction='mean') -> Tensor

    ``log(1 + exp(-target * input))``, target being 1 or -1. (PyTorch: F.soft_margin_loss)
    """
    tensors_only("soft_margin_loss", input=input, target=target)
    check_constant("soft_margin_loss", "target", target)
    reduction = reduction_of(reduction, size_average, reduce)
    if np_dtype(input).kind != "f":
        raise RuntimeError(
            f"soft_margin_loss(): result type Float can't be cast to the desired output type {input.dtype}"
        )
    losses = in_dtype_of("soft_margin_loss", soft_margin(input, target), input)
    if losses.shape != input.shape:
        raise RuntimeError(
            f"soft_margin_loss(): output with shape {shape_text(input.shape)} doesn't match the broadcast shape "
            f"{shape_text(losses.shape)}"
        )
    return reduced(losses, reduction, "SoftMarginLossBackward0")
