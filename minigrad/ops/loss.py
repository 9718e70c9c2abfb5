"""Losses: how wrong an output is, as one number.

reduction: "mean" (default), "sum", or "none" for one loss per element or sample.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import loss as kernels
from minigrad.registry import FUNCTIONAL, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, constant, of

F = (FUNCTIONAL,)


@helper
def reduced(losses, reduction):
    """Losses by their reduction."""
    if reduction == "mean":
        return mean(losses)
    if reduction == "sum":
        return sum(losses)
    if reduction == "none":
        return losses
    raise ValueError(f"{reduction} is not a valid value for reduction: expected 'none', 'mean' or 'sum'")


@on_every_path("same_size")
def same_size(op, input, target):
    """PyTorch's warning where input and target would be broadcast, which is seldom meant."""
    if tuple(input.shape) != tuple(target.shape):
        warnings.warn(
            f"Using a target size ({target.shape!r}) that is different to the input size ({input.shape!r}) in {op}. "
            "This will likely lead to incorrect results due to broadcasting. Please ensure they have the same size.",
            stacklevel=4,
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


LOSS_SAMPLES = of(
    lambda make: S(make(3, 4), make(3, 4)),
    lambda make: S(make(3, 4), make(3, 4), reduction="sum"),
    lambda make: S(make(5), make(5), reduction="none"),
)


@composite(public=F, samples=LOSS_SAMPLES)
def mse_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """mse_loss(input, target, reduction='mean') -> Tensor: ``(input - target)²``. (PyTorch: F.mse_loss)"""
    same_size("mse_loss", input, target)
    if reduction in ("mean", "sum") and tuple(input.shape) == tuple(target.shape) and same_float(input, target):
        size = input_size(input)
        scale = 1.0 if reduction == "sum" else 1.0 / size if size else float("nan")
        return mse(input, target, scale)
    return reduced(square(input - target), reduction)


@on_every_path("same_float")
def same_float(input, target):
    a, b = (getattr(x, "array", x).dtype for x in (input, target))
    return a == b and a.kind == "f"


@composite(public=F, samples=LOSS_SAMPLES)
def l1_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """l1_loss(input, target, reduction='mean') -> Tensor: ``|input - target|``. (PyTorch: F.l1_loss)"""
    same_size("l1_loss", input, target)
    return reduced(abs(input - target), reduction)


@composite(public=F, samples=LOSS_SAMPLES)
def smooth_l1_loss(input, target, size_average=None, reduce=None, reduction="mean", beta=1.0):
    """smooth_l1_loss(input, target, reduction='mean', beta=1.0) -> Tensor

    ``0.5 d² / beta`` where ``d = |input - target| < beta``, ``d - 0.5 beta`` elsewhere.
    (Girshick 2015; PyTorch: F.smooth_l1_loss)
    """
    same_size("smooth_l1_loss", input, target)
    if beta < 0:
        raise RuntimeError(f"smooth_l1_loss does not support negative values for beta, but got {beta}")
    d = abs(input - target)
    return reduced(d if beta == 0 else where(d < beta, 0.5 * d * d / beta, d - 0.5 * beta), reduction)


@composite(public=F, samples=LOSS_SAMPLES)
def huber_loss(input, target, reduction="mean", delta=1.0):
    """huber_loss(input, target, reduction='mean', delta=1.0) -> Tensor

    ``0.5 d²`` where ``d = |input - target| <= delta``, ``delta (d - 0.5 delta)`` elsewhere. (Huber 1964; F.huber_loss)
    """
    same_size("huber_loss", input, target)
    if delta <= 0:
        raise RuntimeError(f"huber_loss does not support non-positive values for delta, but got {delta}")
    d = abs(input - target)
    return reduced(where(d <= delta, 0.5 * d * d, delta * (d - 0.5 * delta)), reduction)


class cross_entropy_of_classes(Op):
    """Cross-entropy of logits with class numbers, reduced; called by `cross_entropy`."""

    public, fresh, optional, aux = (), True, ("weight",), ("scale",)
    constant, symbol, backward_name = ("target", "weight"), "cross_entropy", "NllLossBackward0"

    def forward(input, target, weight, /, ignore_index, reduction, label_smoothing):
        return kernels.cross_entropy_forward(input, target, weight, ignore_index, label_smoothing, reduction)

    def vjp(g, input, target, weight, scale, ignore_index, label_smoothing):
        dim = 1 if input.ndim > 1 else 0
        classes = input.shape[dim]
        p = softmax(input, dim)
        kept = target != ignore_index
        chosen = class_mask(target, classes, dim, np_dtype(g))
        rows = unsqueeze(where(kept, g * scale, 0.0), dim)
        if weight is None:
            return (rows * (p - ((1.0 - label_smoothing) * chosen + label_smoothing / classes)), None, None)
        weight = reshape(weight, tuple([classes if d == dim else 1 for d in range(input.ndim)]))
        own = sum(chosen * weight, dim, True)
        hard = own * (p - chosen)
        smooth = p * sum(weight) - weight
        return (rows * ((1.0 - label_smoothing) * hard + (label_smoothing / classes) * smooth), None, None)

    def fused(g, input, target, weight, scale, ignore_index, label_smoothing):
        grad = kernels.cross_entropy_backward(g * scale, input, target, weight, ignore_index, label_smoothing)
        return (grad, None, None)


@helper
def class_mask(target, classes, dim, dtype):
    """1 at each target's class along a new dimension `dim`, 0 elsewhere (nothing for targets out of range)."""
    shape = tuple([classes if d == dim else 1 for d in range(target.ndim + 1)])
    return to_dtype(unsqueeze(target, dim) == class_numbers(shape), dtype)


def cross_entropy_samples(make):
    """Class numbers in several shapes with each keyword, then class probabilities."""
    yield S(make(5, 4), make(5, kind="i", low=0, high=4))
    yield S(make(4), np.array(2))
    yield S(make(2, 4, 3), make(2, 3, kind="i", low=0, high=4), reduction="none")
    yield S(make(5, 4), np.array([0, 3, 1, 3, 2]), constant([0.5, 1.0, 2.0, 1.5]), ignore_index=3)
    yield S(make(5, 4), make(5, kind="i", low=0, high=4), reduction="sum", label_smoothing=0.1)
    yield S(make(3, 4), np.array([[0.1, 0.2, 0.3, 0.4]] * 3))


@composite(public=F, samples=cross_entropy_samples)
def cross_entropy(
    input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean", label_smoothing=0.0
):
    """cross_entropy(input, target, weight=None, ignore_index=-100, reduction='mean', label_smoothing=0.0) -> Tensor

    ``-log softmax(input)[target]``: input are logits (N, C), (C) or (N, C, d1, ...), target class numbers (N), () or
    (N, d1, ...), or probabilities of input's shape. weight (C) scales the classes (the mean divides by the weights'
    sum); targets equal to ignore_index count nothing. (PyTorch: F.cross_entropy)
    """
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: expected 'none', 'mean' or 'sum'")
    is_tensor("cross_entropy", "target", target)
    is_float("cross_entropy", input)
    if np_dtype(target).kind == "f":
        if ignore_index >= 0:
            raise RuntimeError("cross_entropy(): ignore_index is not supported for floating point target")
        return cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)
    check_classes("cross_entropy", input, target, weight)
    return cross_entropy_of_classes(input, target, weight, ignore_index, reduction, label_smoothing)


@helper
def cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing):
    if tuple(input.shape) != tuple(target.shape):
        raise RuntimeError(
            f"cross_entropy(): expected target probabilities of input's shape {shape_text(input.shape)}, but got "
            f"{shape_text(target.shape)}"
        )
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if label_smoothing:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    terms = log_softmax(input, dim) * target
    if weight is not None:
        terms = terms * reshape(weight, tuple([classes if d == dim else 1 for d in range(input.ndim)]))
    losses = -sum(terms, dim)
    return sum(losses) / (input_size(losses) or 1) if reduction == "mean" else reduced(losses, reduction)


@on_every_path("is_tensor")
def is_tensor(op, argument, value):
    if not hasattr(value, "ndim"):
        raise TypeError(f"{op}(): argument '{argument}' must be Tensor, not {type(value).__name__}")


@on_every_path("is_float")
def is_float(op, input):
    if np_dtype(input).kind != "f":
        raise NotImplementedError(f"{op}(): not implemented for {input.dtype}: convert the input with .float()")


@on_every_path("check_classes")
def check_classes(op, input, target, weight):
    """The shapes and dtypes of logits and class numbers."""
    is_tensor(op, "target", target)
    is_float(op, input)
    if not input.ndim:
        raise RuntimeError(f"{op}(): Expected input of at least one dimension, the classes, but got 0 dimensions")
    if np_dtype(target).itemsize in (2, 4):
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype} in {op}(): use target.long()"
        )
    if np.dtype(getattr(target, "array", target).dtype).kind not in "iu":
        raise RuntimeError(
            f"expected scalar type Long but found {target.dtype} for target of {op}(): use target.long()"
        )
    expected = () if input.ndim == 1 else (input.shape[0], *input.shape[2:])
    if tuple(target.shape) != expected:
        batch = target.shape[0] if target.ndim else 0
        if input.ndim > 1 and input.shape[0] != batch:
            raise ValueError(f"Expected input batch_size ({input.shape[0]}) to match target batch_size ({batch}).")
        raise RuntimeError(
            f"{op}(): for input of shape {shape_text(input.shape)} expected class numbers of shape "
            f"{shape_text(expected)}, but got {shape_text(target.shape)}"
        )
    classes = input.shape[1 if input.ndim > 1 else 0]
    if weight is not None and tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {shape_text(weight.shape)}"
        )


class nll_of_classes(Op):
    """The negative of the log-probability at each class number, reduced; called by `nll_loss`."""

    public, fresh, optional, aux = (), True, ("weight",), ("scale",)
    constant, symbol, backward_name = ("target", "weight"), "nll_loss", "NllLossBackward0"

    def forward(input, target, weight, /, ignore_index, reduction):
        return kernels.nll_forward(input, target, weight, ignore_index, reduction)

    def vjp(g, input_shape, target, weight, scale, ignore_index):
        dim = 1 if len(input_shape) > 1 else 0
        chosen = class_mask(target, input_shape[dim], dim, np_dtype(g))
        if weight is not None:
            shape = tuple([n if d == dim else 1 for d, n in enumerate(input_shape)])
            chosen = chosen * reshape(weight, shape)
        return (-chosen * unsqueeze(where(target != ignore_index, g * scale, 0.0), dim), None, None)

    def fused(g, input_shape, target, weight, scale, ignore_index):
        return (kernels.nll_backward(g * scale, target, weight, ignore_index, input_shape), None, None)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(5, 4), make(5, kind="i", low=0, high=4)),
        lambda make: S(make(2, 4, 3), make(2, 3, kind="i", low=0, high=4), reduction="none"),
        lambda make: S(make(3, 4), np.array([0, 3, 1]), constant([0.5, 1.0, 2.0, 1.5]), ignore_index=3),
    ),
)
def nll_loss(input, target, weight=None, size_average=None, ignore_index=-100, reduce=None, reduction="mean"):
    """nll_loss(input, target, weight=None, ignore_index=-100, reduction='mean') -> Tensor

    ``-input[target]``: input are log-probabilities, shapes and keywords as `cross_entropy`. (PyTorch: F.nll_loss)
    """
    check_classes("nll_loss", input, target, weight)
    if reduction not in ("mean", "sum", "none"):
        raise ValueError(f"{reduction} is not a valid value for reduction: expected 'none', 'mean' or 'sum'")
    return nll_of_classes(input, target, weight, ignore_index, reduction)


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
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(
            f"Using a target size ({target.shape!r}) that is different to the input size ({input.shape!r}) is "
            "deprecated. Please ensure they have the same size."
        )
    check_probabilities("input", input)
    check_probabilities("target", target)
    if np_dtype(input) != np_dtype(target):
        raise RuntimeError(f"binary_cross_entropy(): Found dtype {target.dtype} but expected {input.dtype}")
    losses = bce(input, target)
    return reduced(losses if weight is None else losses * weight, reduction)


@on_every_path("check_probabilities")
def check_probabilities(argument, values):
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
    if tuple(input.shape) != tuple(target.shape):
        raise ValueError(f"Target size ({target.shape!r}) must be the same as input size ({input.shape!r})")
    is_float("binary_cross_entropy_with_logits", input)
    is_float("binary_cross_entropy_with_logits", target)
    if pos_weight is None:
        losses = (1.0 - target) * input - logsigmoid(input)
    else:
        losses = (1.0 - target) * input - ((pos_weight - 1.0) * target + 1.0) * logsigmoid(input)
    return reduced(losses if weight is None else losses * weight, reduction)


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
    if reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size. "
            "'batchmean' divides only "
            "by the batch size, and aligns with the KL math definition.",
            stacklevel=3,
        )
    if log_target:
        losses = exp(target) * (target - input)
    else:
        losses = where(target > 0, target * log(where(target > 0, target, 1.0)), 0.0) - target * input
    return sum(losses) / input.shape[0] if reduction == "batchmean" else reduced(losses, reduction)
