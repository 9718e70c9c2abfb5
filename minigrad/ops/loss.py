"""Losses that compare two tensors number by number: how wrong an output is, as one number.

A loss is a pointwise block, which says what one number of each costs, and a composite of the public name, which checks
and reduces. Those against class numbers are in `classes.py`, those with margins in `margin.py`.

reduction: "mean" (default), "sum", or "none" for one loss per element or sample.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import warnings

import numpy as np

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
            stacklevel=3,
        )
    elif reduction == "elementwise_mean":
        warnings.warn("reduction='elementwise_mean' is deprecated. Please use reduction='mean' instead.", stacklevel=3)
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


@on_every_path("is_tensor")
def is_tensor(op, argument, value):
    """Refuse what is no tensor."""
    if not hasattr(value, "ndim"):
        raise TypeError(f"{op}(): argument '{argument}' must be Tensor, not {type(value).__name__}")


@on_every_path("is_float")
def is_float(op, input):
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


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4, low=0.1, high=0.9), make(3, 4, low=0.1, high=0.9)),
        lambda make: S(make(5, low=0.1, high=0.9), make(5, low=0.1, high=0.9), reduction="sum"),
        lambda make: S(make(5, low=0.1, high=0.9), make(5, low=0.1, high=0.9), constant([1.0, 2, 3, 1, 0.5])),
    ),
)
def binary_cross_entropy(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """binary_cross_entropy(input, target, weight=None, reduction='mean') -> Tensor

    ``-(target log(input) + (1 - target) log(1 - input))`` of probabilities; logarithms are kept above -100.
    (PyTorch: F.binary_cross_entropy)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"Using a target size ({target.shape!r}) that is different to the input size ({input.shape!r}) is "
            "deprecated. Please ensure they have the same size."
        )
    if np_dtype(input) != np_dtype(target):
        raise RuntimeError(f"binary_cross_entropy(): Found dtype {target.dtype} but expected {input.dtype}")
    is_float("binary_cross_entropy", input)
    check_constant("binary_cross_entropy", "weight", weight)
    check_probabilities("input", input)
    check_probabilities("target", target)
    losses = bce(input, target)
    return reduced(losses if weight is None else losses * weight, reduction, "BinaryCrossEntropyBackward0")


@on_every_path("check_probabilities")
def check_probabilities(argument, values):
    """Refuse numbers outside [0, 1]."""
    array = getattr(values, "array", values)
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        hint = ": apply sigmoid first" if argument == "input" else ""
        raise RuntimeError(f"all elements of {argument} should be between 0 and 1 in binary_cross_entropy(){hint}")


class bce(Op):
    """Binary cross-entropy of each element; called by `binary_cross_entropy`."""

    public, fresh, backward_name, symbol = (), True, "BinaryCrossEntropyBackward0", "bce"

    def forward(input, target, /):
        low = input.dtype.type(-100)
        return (target - 1) * np.maximum(np.log1p(-input), low) - target * np.maximum(np.log(input), low)

    def grad_input(g, input, target):
        return g * ((input - target) / clamp((1.0 - input) * input, 1e-12))

    def grad_target(g, input):
        return g * (clamp(log1p(-input), -100.0) - clamp(log(input), -100.0))


class bce_of_logits(PairLoss):
    """Called by `binary_cross_entropy_with_logits`."""

    backward_name = "BinaryCrossEntropyWithLogitsBackward0"

    def scalar(input, target):
        return (1.0 - target) * input + (log1p(exp(-abs(input))) + where(input < 0, -input, 0.0))

    def grad_input(g, input, target):
        return g * (sigmoid(input) - target)

    def grad_target(g, input):
        return -g * input


class bce_of_logits_weighted(PairLoss):
    """Called by `binary_cross_entropy_with_logits` where the positive term has a weight."""

    backward_name = "BinaryCrossEntropyWithLogitsBackward0"

    def scalar(input, target, pos_weight):
        high = log1p(exp(-abs(input))) + where(input < 0, -input, 0.0)
        return (1.0 - target) * input + ((pos_weight - 1.0) * target + 1.0) * high

    def grad_input(g, input, target, pos_weight):
        return g * ((1.0 - target) - ((pos_weight - 1.0) * target + 1.0) * sigmoid(-input))

    def grad_target(g, input, pos_weight):
        return g * ((pos_weight - 1.0) * (log1p(exp(-abs(input))) + where(input < 0, -input, 0.0)) - input)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4, low=0.1, high=0.9)),
        lambda make: S(
            make(3, 4), make(3, 4, low=0.1, high=0.9), reduction="sum", pos_weight=constant([1.0, 2.0, 0.5, 3.0])
        ),
    ),
)
def binary_cross_entropy_with_logits(
    input, target, weight=None, size_average=None, reduce=None, reduction="mean", pos_weight=None
):
    """binary_cross_entropy_with_logits(input, target, weight=None, reduction='mean', pos_weight=None) -> Tensor

    ``binary_cross_entropy(sigmoid(input), target)`` without overflow; pos_weight scales the positive term.
    (PyTorch: F.binary_cross_entropy_with_logits)
    """
    op = "binary_cross_entropy_with_logits"
    reduction = reduction_of(reduction, size_average, reduce)
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(f"Target size ({target.shape!r}) must be the same as input size ({input.shape!r})")
    is_float(op, input)
    check_constant(op, "weight", weight)
    check_constant(op, "pos_weight", pos_weight)
    losses = bce_of_logits(input, target) if pos_weight is None else bce_of_logits_weighted(input, target, pos_weight)
    losses = in_dtype_of(op, losses, target)
    name = "BinaryCrossEntropyWithLogitsBackward0"
    return reduced(losses if weight is None else losses * weight, reduction, name)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4, low=0.1, high=0.9), reduction="batchmean"),
        lambda make: S(make(3, 4), make(3, 4), reduction="sum", log_target=True),
    ),
)
def kl_div(input, target, size_average=None, reduce=None, reduction="mean", log_target=False):
    """kl_div(input, target, reduction='mean', log_target=False) -> Tensor

    ``target (log target - input)``, input being log-probabilities; reduction may be "batchmean". (PyTorch: F.kl_div)
    """
    is_tensor("kl_div", "input", input)
    is_tensor("kl_div", "target", target)
    by_batch = reduction == "batchmean" and size_average is None and reduce is None
    if reduction == "mean" and size_average is None and reduce is None:
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. "
            "'batchmean' divides only by the batch size, and aligns with the KL math definition.",
            stacklevel=3,
        )
    reduction = reduction_of("sum" if by_batch else reduction, size_average, reduce)
    if np_dtype(input).kind != "f" or np_dtype(target).kind != "f":
        raise RuntimeError("kl_div: Integral inputs not supported.")
    if log_target:
        losses = exp(target) * (target - input)
    else:
        losses = target * log(where(target == 0, 1.0, target)) - target * input
    total = reduced(losses, reduction)
    return total / input.shape[0] if by_batch and input.ndim else total


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4, low=0.1, high=4.0)),
        lambda make: S(make(5, low=0.2, high=2.0), make(5, low=0.1, high=4.0), log_input=False, full=True),
        lambda make: S(make(3, 4), make(4, low=0.1, high=4.0), reduction="none", full=True),
    ),
)
def poisson_nll_loss(
    input, target, log_input=True, full=False, size_average=None, eps=1e-08, reduce=None, reduction="mean"
):
    """poisson_nll_loss(input, target, log_input=True, full=False, eps=1e-8, reduction='mean') -> Tensor

    ``exp(input) - target * input``, the negative log-likelihood of counts under a Poisson distribution whose logarithm
    of the rate is the input; ``input - target * log(input + eps)`` with log_input=False. full adds Stirling's
    approximation of ``log(target!)`` where target > 1. (PyTorch: F.poisson_nll_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    losses = exp(input) - target * input if log_input else input - target * log(input + eps)
    if full:
        stirling = target * log(target) - target + 0.5 * log(2 * math.pi * target)
        losses = losses + masked_fill(stirling, target <= 1, 0.0)
    return reduced(losses, reduction)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4), make(3, 4, low=0.2, high=2.0)),
        lambda make: S(make(3, 4), make(3, 4), make(3, low=0.2, high=2.0), full=True, reduction="sum"),
        lambda make: S(make(3, 4), make(3, 4), 0.5, reduction="none"),
    ),
)
def gaussian_nll_loss(input, target, var, full=False, eps=1e-06, reduction="mean"):
    """gaussian_nll_loss(input, target, var, full=False, eps=1e-6, reduction='mean') -> Tensor

    ``0.5 (log var + (input - target)² / var)``, the negative log-likelihood of a normal distribution with mean input
    and variance var (a number, of input's shape, or with its last dimension 1 or missing; kept above eps). full adds
    ``0.5 log 2π``. (Nix & Weigend 1994; F.gaussian_nll_loss)
    """
    is_tensor("gaussian_nll_loss", "input", input)
    if isinstance(var, float):
        if var < 0:
            raise ValueError("var has negative entry/entries")
        var = var * (zeros_of(input.shape, np_dtype(input)) + 1)
    elif some(var < 0):
        raise ValueError("var has negative entry/entries")
    shape, given = tuple(input.shape), tuple(var.shape)
    if given != shape:
        if given == shape[:-1]:
            var = unsqueeze(var, -1)
        elif len(given) != len(shape) or lengths_that_differ(shape, given) != [1]:
            raise ValueError(f"var is of incorrect size: got {given} for an input of {shape}")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not valid: expected 'none', 'mean' or 'sum'")
    if np_dtype(var).kind in "iu":
        raise RuntimeError(
            f"gaussian_nll_loss(): result type Float can't be cast to the desired output type {var.dtype} of var: use "
            "var.float()"
        )
    var = at_least(var, eps)
    losses = 0.5 * (log(var) + (input - target) ** 2 / var)
    return reduced(losses + 0.5 * math.log(2 * math.pi) if full else losses, reduction)


@on_every_path("lengths_that_differ")
def lengths_that_differ(shape, given):
    """The lengths in `given` of the dimensions in which two shapes of one rank differ."""
    return [b for a, b in zip(shape, given, strict=True) if a != b]


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
    is_tensor("soft_margin_loss", "input", input)
    is_tensor("soft_margin_loss", "target", target)
    check_constant("soft_margin_loss", "target", target)
    reduction = reduction_of(reduction, size_average, reduce)
    if np_dtype(input).kind != "f":
        raise RuntimeError(
            f"soft_margin_loss(): result type Float can't be cast to the desired output type {input.dtype}"
        )
    losses = in_dtype_of("soft_margin_loss", soft_margin(input, target), input)
    return reduced(losses, reduction, "SoftMarginLossBackward0")
