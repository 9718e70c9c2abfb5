"""Losses that ask for a margin: between scores, distances, or the right class and the others."""

# The names in composites are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTIONAL, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, constant, of

F = (FUNCTIONAL,)
SIGNS = np.array([1, -1, 1])


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3), make(3), SIGNS),
        lambda make: S(make(3), make(3), SIGNS, margin=0.5, reduction="sum"),
        lambda make: S(make(2, 3), make(2, 1), make(1, 3), reduction="none"),
    ),
)
def margin_ranking_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """margin_ranking_loss(input1, input2, target, margin=0, reduction='mean') -> Tensor

    ``max(0, -target * (input1 - input2) + margin)``: target 1 says that input1 should be the larger, -1 the smaller.
    (PyTorch: F.margin_ranking_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if input1.ndim != input2.ndim or input1.ndim != target.ndim:
        raise RuntimeError(
            "margin_ranking_loss : All input tensors should have same dimension but got sizes: input1: "
            f"{input1.shape!r}, input2: {input2.shape!r}, target: {target.shape!r}"
        )
    return reduced(clamp(-target * (input1 - input2) + margin, 0), reduction)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3), SIGNS),
        lambda make: S(make(2, 3), SIGNS, margin=2.0, reduction="sum"),
        lambda make: S(make(3), SIGNS, reduction="none"),
    ),
)
def hinge_embedding_loss(input, target, margin=1.0, size_average=None, reduce=None, reduction="mean"):
    """hinge_embedding_loss(input, target, margin=1.0, reduction='mean') -> Tensor

    ``input`` where target is 1, ``max(0, margin - input)`` where it is -1. (PyTorch: F.hinge_embedding_loss)
    """
    tensors_only("hinge_embedding_loss", input=input, target=target)
    reduction = reduction_of(reduction, size_average, reduce)
    if np_dtype(input).kind in "iu":
        margin = int(margin)
    apart, near = clamp(margin - input, 0), 0 * input
    return reduced(where(target != 1, apart, near) + where(target != -1, input, near), reduction)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4), SIGNS),
        lambda make: S(make(3, 4), make(3, 4), SIGNS, margin=-0.5, reduction="none"),
        lambda make: S(make(4), make(4), np.array(-1)),
    ),
)
def cosine_embedding_loss(input1, input2, target, margin=0, size_average=None, reduce=None, reduction="mean"):
    """cosine_embedding_loss(input1, input2, target, margin=0, reduction='mean') -> Tensor

    ``1 - cos`` where target is 1, ``max(0, cos - margin)`` where it is -1, cos being that of the angle between input1
    and input2. Inputs (N, D) with targets (N), or (D) with a target (). (PyTorch: F.cosine_embedding_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if target.ndim > 1:
        raise RuntimeError(
            f"0D or 1D target tensor expected, multi-target not supported: got a target of {shape_text(target.shape)}"
        )
    if input1.ndim != target.ndim + 1 or input2.ndim != target.ndim + 1:
        raise RuntimeError(
            f"{target.ndim}D target tensor expects {target.ndim + 1}D input tensors, but found inputs with sizes "
            f"{shape_text(input1.shape)} and {shape_text(input2.shape)}."
        )
    one, other = sum(input1 * input1, -1) + 1e-12, sum(input2 * input2, -1) + 1e-12
    cosine = sum(input1 * input2, -1) / sqrt(one * other)
    none = 0 * cosine
    return reduced(
        where(target == 1, 1 - cosine, none) + where(target == -1, clamp(cosine - margin, 0), none), reduction
    )


@helper
def triplet_reduced(anchor, positive, negative, distance, margin, swap, reduction):
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)``, reduced."""
    if anchor.ndim != positive.ndim or anchor.ndim != negative.ndim:
        raise RuntimeError(
            "The anchor, positive, and negative tensors are expected to have the same number of dimensions, but got: "
            f"anchor {anchor.ndim}D, positive {positive.ndim}D, and negative {negative.ndim}D inputs"
        )
    near, far = distance(anchor, positive), distance(anchor, negative)
    if swap:
        far = minimum(far, distance(positive, negative))
    return reduced(clamp(margin + near - far, 0), reduction)


@on_every_path("check_margin")
def check_margin(margin):
    """Margins of triplets are positive."""
    if margin <= 0:
        raise ValueError(f"margin must be greater than 0, got {margin}")


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4), make(3, 4)),
        lambda make: S(make(3, 4), make(3, 4), make(3, 4), margin=5.0, swap=True, p=1.0, reduction="sum"),
        lambda make: S(make(4), make(4), make(4), reduction="none"),
    ),
)
def triplet_margin_loss(
    anchor,
    positive,
    negative,
    margin=1.0,
    p=2,
    eps=1e-06,
    swap=False,
    size_average=None,
    reduce=None,
    reduction="mean",
):
    """triplet_margin_loss(anchor, positive, negative, margin=1.0, p=2, eps=1e-6, swap=False, reduction='mean')
    -> Tensor

    ``max(0, d(anchor, positive) - d(anchor, negative) + margin)``, d being `pairwise_distance`. swap: the negative's
    distance is the smaller of those to anchor and positive. (Balntas et al. 2016; F.triplet_margin_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    check_margin(margin)
    return triplet_reduced(
        anchor, positive, negative, lambda x, y: pairwise_distance(x, y, p, eps), margin, swap, reduction
    )


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4), make(3, 4)),
        lambda make: S(make(3, 4), make(3, 4), make(3, 4), margin=5.0, swap=True, reduction="none"),
    ),
)
def triplet_margin_with_distance_loss(
    anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False, reduction="mean"
):
    """triplet_margin_with_distance_loss(anchor, positive, negative, *, distance_function=None, margin=1.0, swap=False,
    reduction='mean') -> Tensor

    `triplet_margin_loss` with any distance: a function of two tensors, by default `pairwise_distance`.
    (PyTorch: F.triplet_margin_with_distance_loss)
    """
    reduction = reduction_of(reduction)
    check_margin(margin)
    return triplet_reduced(anchor, positive, negative, distance_function or pairwise_distance, margin, swap, reduction)


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), np.array([0, 3, 1])),
        lambda make: S(make(3, 4), np.array([0, 3, 1]), p=2, margin=0.5, weight=constant([1, 2, 0.5, 3])),
        lambda make: S(make(4), np.array(2), reduction="none"),
    ),
)
def multi_margin_loss(input, target, p=1, margin=1.0, weight=None, size_average=None, reduce=None, reduction="mean"):
    """multi_margin_loss(input, target, p=1, margin=1.0, weight=None, reduction='mean') -> Tensor

    ``Σ max(0, margin - input[y] + input[i])^p / C`` over the classes i other than the target's y (p 1 or 2); weight (C)
    scales by the target's class. Input (N, C) with targets (N), or (C) with (). (PyTorch: F.multi_margin_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.ndim != 1:
        raise ValueError("weight must be one-dimensional")
    rows, batch = class_scores("multi_margin_loss", input)
    if target.ndim > 1 or input_size(target) != batch:
        raise RuntimeError(
            f"inconsistent target size, expected {batch} but got {shape_text(target.shape)} in multi_margin_loss()"
        )
    count = rows.shape[1]
    if weight is not None and input_size(weight) != count:
        raise RuntimeError(f"inconsistent weight size, expected {count} but got {shape_text(weight.shape)}")
    float_only("multi_margin_loss", input)
    is_long("multi_margin_loss", target)
    check_constant("multi_margin_loss", "weight", weight)
    if not input_size(rows):
        return reduced(sum(rows, 1), reduction)
    number = reshape(target, (batch, 1))
    if some(number < 0) or some(number >= count):
        raise RuntimeError(f"multi_margin_loss(): target out of range: expected classes from 0 to {count - 1}")
    over = relu(margin - gather(rows, 1, number) + rows)
    over = over * (1.0 - class_mask(reshape(number, (batch,)), count, 1, np_dtype(rows)))
    if p == 2:
        over = over * over
    if weight is not None:
        over = over * getitem(weight, number)
    losses = sum(over, 1) / count
    if reduction == "none" and not target.ndim:
        return reshape(losses, ())
    return reduced(losses, reduction, "MultiMarginLossBackward0")


@on_every_path("is_long")
def is_long(op, target):
    """Refuse class numbers of another dtype than int64."""
    if np_dtype(target) != np.int64:
        raise RuntimeError(f"{op}(): expected scalar type Long but found {target.dtype} for target: use target.long()")


@helper
def class_scores(op, input):
    """Scores as rows (N, C), from (N, C), (C) or (); and N."""
    tensors_only(op, input=input)
    if input.ndim > 2 or (input.ndim == 2 and not input.shape[1]) or (input.ndim == 1 and not input.shape[0]):
        raise RuntimeError(
            f"Expected non-empty vector or matrix with optional 0-dim batch size, but got: {shape_text(input.shape)}"
        )
    rows = input if input.ndim == 2 else reshape(input, (1, input_size(input)))
    return rows, rows.shape[0]


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), np.array([[3, 0, -1, 1], [-1, 0, 0, 0], [0, 1, 2, 3]])),
        lambda make: S(make(4), np.array([2, 0, -1, 1]), reduction="none"),
    ),
)
def multilabel_margin_loss(input, target, size_average=None, reduce=None, reduction="mean"):
    """multilabel_margin_loss(input, target, reduction='mean') -> Tensor

    ``Σ max(0, 1 - (input[y] - input[i])) / C`` over the classes y of the target and all others i. Input and target
    (N, C) or (C); a sample's classes are those before the first -1. (PyTorch: F.multilabel_margin_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    rows, _ = class_scores("multilabel_margin_loss", input)
    tensors_only("multilabel_margin_loss", target=target)
    one_sample = input.ndim < 2 and target.ndim < 2 and input_size(input) == input_size(target)
    if tuple(target.shape) != tuple(input.shape) and not one_sample:
        raise RuntimeError(
            f"inconsistent target size: {shape_text(target.shape)} for input of size: {shape_text(input.shape)}"
        )
    is_long("multilabel_margin_loss", target)
    count = rows.shape[1]
    if some(target < -1) or some(target >= count):
        raise RuntimeError(f"multilabel_margin_loss(): target out of range: expected classes from -1 to {count - 1}")
    float_only("multilabel_margin_loss", input)
    target = reshape(target, rows.shape)
    listed = cumsum(target == -1, 1) == 0
    target = where(listed, target, 0)
    named = any((unsqueeze(target, 2) == class_numbers((1, 1, count))) & unsqueeze(listed, 2), 1)
    over = relu(1.0 - unsqueeze(gather(rows, 1, target), 2) + unsqueeze(rows, 1))
    losses = sum(where(unsqueeze(listed, 2) & unsqueeze(logical_not(named), 1), over, 0.0), (1, 2)) / count
    if reduction == "none" and input.ndim < 2:
        return reshape(losses, ())
    return reduced(losses, reduction, "MultilabelMarginLossBackward0")


@composite(
    public=F,
    samples=of(
        lambda make: S(make(3, 4), make(3, 4, low=0.1, high=0.9)),
        lambda make: S(make(3, 4), make(3, 4, low=0.1, high=0.9), constant([1, 2, 0.5, 3]), reduction="none"),
    ),
)
def multilabel_soft_margin_loss(input, target, weight=None, size_average=None, reduce=None, reduction="mean"):
    """multilabel_soft_margin_loss(input, target, weight=None, reduction='mean') -> Tensor

    The mean over the classes (last dimension) of ``-(target log σ(input) + (1 - target) log σ(-input))``, each times
    its weight. (PyTorch: F.multilabel_soft_margin_loss)
    """
    reduction = reduction_of(reduction, size_average, reduce)
    losses = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        losses = losses * weight
    dim = input.ndim - 1
    return reduced(sum(losses, dim) / input.shape[dim], reduction)
