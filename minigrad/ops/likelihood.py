"""Losses that are negative log-likelihoods or divergences: of bits, distributions, counts, normal numbers."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import warnings

import numpy as np

from minigrad.ops.loss import PairLoss
from minigrad.registry import FUNCTIONAL, Op, composite, np_dtype, on_every_path
from minigrad.samples import S, constant, of

F = (FUNCTIONAL,)


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
    float_only("binary_cross_entropy", input)
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
    float_only(op, input)
    check_constant(op, "weight", weight)
    check_constant(op, "pos_weight", pos_weight)
    losses = bce_of_logits(input, target)
    if pos_weight is not None:
        losses = losses - (pos_weight - 1.0) * target * logsigmoid(input)
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
    tensors_only("kl_div", input=input, target=target)
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
    tensors_only("gaussian_nll_loss", input=input)
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
    if np_dtype(var).kind != "f":
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
