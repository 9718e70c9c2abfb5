"""Losses against classes: cross-entropy, from logits, and negative log-likelihood, from log-probabilities."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import loss as kernels
from minigrad.ops.loss import check_constant, float_only
from minigrad.registry import FUNCTIONAL, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, constant, of
from minigrad.shapes import index_of

F = (FUNCTIONAL,)
CLASS_NUMBERS = np.dtype(np.int64), np.dtype(np.uint8)


class cross_entropy_of_classes(Op):
    """Cross-entropy of logits with class numbers, reduced; called by `cross_entropy`."""

    public, fresh, optional, aux = (), True, ("weight",), ("scale",)
    constant, symbol = ("target", "weight"), "cross_entropy"

    def backward_name(node):
        return "AddBackward0" if node.attrs[2] else "NllLossBackward0"  # PyTorch adds the two parts

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
    reduction = reduction_of(reduction, size_average, reduce)
    tensors_only("cross_entropy", target=target)
    if input.shape == target.shape:
        if np_dtype(target).kind != "f":
            raise RuntimeError(
                f"cross_entropy(): Expected floating point type for target with class probabilities, got {target.dtype}"
            )
        if ignore_index >= 0:
            raise RuntimeError("cross_entropy(): ignore_index is not supported for floating point target")
        float_only("cross_entropy", input)
        return cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing)
    if not input.ndim:
        raise RuntimeError(
            "cross_entropy(): Expected input of at least one dimension, the classes, but got 0 dimensions"
        )
    check_classes("cross_entropy", input, target, weight, ignore_index)
    if input.ndim == 1:
        target = reshape(target, ())
    return cross_entropy_of_classes(input, target, weight, ignore_index, reduction, label_smoothing)


@helper
def cross_entropy_of_probabilities(input, target, weight, reduction, label_smoothing):
    dim = 1 if input.ndim > 1 else 0
    classes = input.shape[dim]
    if label_smoothing and classes:
        target = target * (1.0 - label_smoothing) + label_smoothing / classes
    terms = log_softmax(input, dim) * target
    if weight is not None:
        terms = terms * reshape(weight, tuple([classes if d == dim else 1 for d in range(input.ndim)]))
    if reduction == "none":
        return -sum(terms, dim)
    count = input_size(input) // classes if classes else 0
    return -sum(terms) / (count or math.nan) if reduction == "mean" else -sum(terms)


@on_every_path("check_classes")
def check_classes(op, input, target, weight, ignore_index):
    """The shapes and dtypes of logits and class numbers."""
    float_only(op, input)
    if ignore_index.__class__ is not int:
        index_of(ignore_index, op, "ignore_index")
    shape, given, dtype = tuple(input.shape), target.shape, np_dtype(target)
    alone = len(shape) == 1  # there is no batch
    if weight is None and not alone and given == shape[:1] + shape[2:] and dtype in CLASS_NUMBERS:
        return  # as it should be, nearly always
    if not alone and shape[:1] != given[:1]:
        batch = given[0] if given else 0
        raise ValueError(f"Expected input batch_size ({shape[0]}) to match target batch_size ({batch}).")
    if alone and len(given) == 1 and given[0] != 1:
        raise ValueError(f"For 1D input, 1D target must have size 1, but got target size: {given[0]}")
    if dtype not in CLASS_NUMBERS:
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but got {target.dtype} in {op}(): use target.long()"
        )
    expected = () if alone else (shape[0], *shape[2:])
    if given != expected and not (alone and given == (1,)):
        raise RuntimeError(
            f"{op}(): for input of shape {shape_text(shape)} expected class numbers of shape "
            f"{shape_text(expected)}, but got {shape_text(given)}"
        )
    if weight is None:
        return
    check_constant(op, "weight", weight)
    classes = shape[0 if alone else 1]
    if tuple(weight.shape) != (classes,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {classes} classes or no classes but got weight tensor of "
            f"shape: {shape_text(weight.shape)}"
        )
    if np_dtype(weight) != np_dtype(input):
        raise RuntimeError(
            f"{op}(): expected weight of input's dtype {input.dtype}, but got {weight.dtype}: convert it with .to()"
        )


class nll_of_classes(Op):
    """The negative of the log-probability at each class number, reduced; called by `nll_loss`."""

    public, fresh, optional, aux = (), True, ("weight",), ("scale",)
    constant, symbol, backward_name = ("target", "weight"), "nll_loss", "NllLossBackward0"

    def forward(input, target, weight, /, ignore_index, reduction):
        return kernels.nll_forward(input, target, weight, ignore_index, reduction)

    def vjp(g, input, target, weight, scale, ignore_index):
        dim = 1 if input.ndim > 1 else 0
        chosen = class_mask(target, input.shape[dim], dim, np_dtype(g))
        if weight is not None:
            shape = tuple([n if d == dim else 1 for d, n in enumerate(input.shape)])
            chosen = chosen * reshape(weight, shape)
        grad = -chosen * unsqueeze(where(target != ignore_index, g * scale, 0.0), dim)
        return (flat_in(grad, input), None, None)

    def fused(g, input, target, weight, scale, ignore_index):
        return (kernels.nll_backward(g * scale, target, weight, ignore_index, input.shape), None, None)


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
    tensors_only("nll_loss", target=target)
    if not input.ndim:
        raise ValueError("nll_loss(): Expected input of at least one dimension, the classes, but got 0 dimensions")
    check_classes("nll_loss", input, target, weight, ignore_index)
    reduction = reduction_of(reduction, size_average, reduce)
    if input.ndim == 1:
        target = reshape(target, ())
    return nll_of_classes(input, target, weight, ignore_index, reduction)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(5, 3), make(4, 3), make(5, kind="i", low=0, high=4)),
        lambda make: S(
            make(5, 3), make(4, 2, 3), make(5, 2, kind="i", low=0, high=4), linear_bias=make(4, 2), reduction="sum"
        ),
        lambda make: S(make(3), make(4, 3), np.array(2), label_smoothing=0.1),
    ),
)
def linear_cross_entropy(
    input,
    linear_weight,
    target,
    *,
    linear_bias=None,
    weight=None,
    reduction="mean",
    ignore_index=None,
    label_smoothing=0.0,
    options=None,
):
    """linear_cross_entropy(input, linear_weight, target, *, linear_bias=None, weight=None, reduction='mean',
    ignore_index=None, label_smoothing=0.0) -> Tensor

    `cross_entropy` of the logits ``input linear_weightᵀ + linear_bias``: input (N, in) or (in), linear_weight
    (C, d1, ..., in), linear_bias (C, d1, ...). (PyTorch: F.linear_cross_entropy)
    """
    if options is not None:
        raise NotImplementedError(
            "linear_cross_entropy(): options (computing in chunks) are not supported: leave them out"
        )
    if input.ndim not in (1, 2):
        raise RuntimeError(f"linear_cross_entropy(): expected input with dimensionality 1 or 2, got {input.ndim}")
    outputs = tuple(linear_weight.shape[:-1])
    if input.ndim == 1 and len(outputs) > 1:
        raise RuntimeError(
            f"linear_cross_entropy(): K-dimensional loss defined by linear_weight of shape "
            f"{shape_text(linear_weight.shape)} requires batched input, got unbatched input of shape "
            f"{shape_text(input.shape)}"
        )
    rows = reshape(linear_weight, (math.prod(outputs), linear_weight.shape[-1]))
    bias = None if linear_bias is None else reshape(linear_bias, (math.prod(outputs),))
    logits = reshape(linear(input, rows, bias), (*input.shape[:-1], *outputs))
    ignored = -100 if ignore_index is None else ignore_index
    return cross_entropy(
        logits, target, weight, ignore_index=ignored, reduction=reduction, label_smoothing=label_smoothing
    )
