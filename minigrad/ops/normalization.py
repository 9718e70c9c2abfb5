"""Normalisation over groups of channels, single samples, vectors and neighbours.

`batch_norm` and `layer_norm`, which have kernels of their own, are in `softmax.py`.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import rownorm as kernels
from minigrad.registry import FLOAT, FUNCTION, FUNCTIONAL, HALF, Op, composite, on_every_path
from minigrad.samples import S, constant, of
from minigrad.shapes import SEQUENCE, index_of

BOTH = (FUNCTION, FUNCTIONAL)
# Of each dtype; half is computed in float32.
EPSILON = {np.dtype(t): np.finfo(np.promote_types(t, np.float32)).eps.item() for t in ("f2", "f4", "f8")}


@on_every_path("check_affine")
def check_affine(op, channels, **given):
    """Weight and bias must have a number for each channel."""
    for name, parameter in given.items():
        if parameter is not None and tuple(parameter.shape) != (channels,):
            raise RuntimeError(
                f"{op}(): Expected {name} to be a vector of size equal to the number of channels in input, but got "
                f"{name} of shape {shape_text(parameter.shape)} and {channels} channels"
            )


class group_normalized(Op):
    """(input - mean) / sqrt(var + eps) of each of the groups of channels; called by `group_norm`."""

    public, fresh, optional = (), True, ("weight", "bias")
    wide_half = True
    symbol, backward_name = "group_norm", "NativeGroupNormBackward0"

    def forward(input, weight, bias, /, groups, eps):
        rows = input.reshape(input.shape[0] * groups, group_size(input.shape, groups))
        normal = kernels.layer_norm(rows, None, None, 1, eps).reshape(input.shape)
        shape = (-1, *[1] * (input.ndim - 2))
        if weight is not None:
            normal = normal * weight.reshape(shape)
        return normal if bias is None else normal + bias.reshape(shape)

    def vjp(g, input, weight, bias_dtype, groups, eps):
        shape = (-1, *[1] * (input.ndim - 2))
        dims = tuple([d for d in range(input.ndim) if d != 1])
        rows = reshape(input, (input.shape[0] * groups, group_size(input.shape, groups)))
        scaled = reshape(g if weight is None else g * reshape(weight, shape), rows.shape)
        centred = rows - mean(rows, 1, True)
        scale = rsqrt(mean(centred * centred, 1, True) + eps)
        normal = centred * scale
        inner = (scaled - mean(scaled, 1, True) - normal * mean(scaled * normal, 1, True)) * scale
        grad_weight = None if weight is None else sum(g * reshape(normal, input.shape), dims)
        return reshape(inner, input.shape), grad_weight, None if bias_dtype is None else sum(g, dims)

    def fused(g, input, weight, bias_dtype, groups, eps):
        rows = input.reshape(input.shape[0] * groups, group_size(input.shape, groups))
        dims = tuple([d for d in range(input.ndim) if d != 1])
        scaled = g if weight is None else g * weight.reshape(-1, *[1] * (input.ndim - 2))
        inner, *_ = kernels.layer_norm_backward(scaled.reshape(rows.shape), rows, None, 1, eps)
        grad_weight = None
        if weight is not None:
            grad_weight = np.sum(g * kernels.layer_norm(rows, None, None, 1, eps).reshape(g.shape), dims)
        return inner.reshape(input.shape), grad_weight, None if bias_dtype is None else np.sum(g, dims)


@on_every_path("group_size")
def group_size(shape, groups):
    """How many numbers of a sample are in one group."""
    return math.prod(shape[1:]) // groups


@composite(
    public=BOTH,
    samples=of(
        lambda make: S(make(2, 6, 3), 3, make(6), make(6)),
        lambda make: S(make(2, 4), 2),
        lambda make: S(make(2, 4, 2, 3), 1, make(4), None, 1e-3),
    ),
)
def group_norm(input, num_groups, weight=None, bias=None, eps=1e-05):
    """group_norm(input, num_groups, weight=None, bias=None, eps=1e-5) -> Tensor

    The channels (dimension 1) of each sample in num_groups groups, each made mean 0 and variance 1, then scaled and
    shifted by a number for each channel. (Wu & He 2018, arXiv:1803.08494; F.group_norm)
    """
    tensors_only("group_norm", input=input)
    if input.ndim < 2:
        raise RuntimeError(f"Expected at least 2 dimensions for input tensor but received {input.ndim}")
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    channels = input.shape[1]
    if input.shape[0] * channels // num_groups * group_size((1, *input.shape[2:]), 1) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {list(input.shape)}")
    if channels % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of shape "
            f"{shape_text(input.shape)} and num_groups={num_groups}"
        )
    check_affine("group_norm", channels, weight=weight, bias=bias)
    if is_half_among_floats(input, weight, bias):
        return to_dtype(group_norm(to_dtype(input, FLOAT), num_groups, weight, bias, eps), HALF)
    refuse_mixed("group_norm", input, weight=weight, bias=bias)
    float_only("group_norm", input)
    return group_normalized(input, weight, bias, num_groups, eps)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(2, 3, 4), weight=make(3), bias=make(3)),
        lambda make: S(make(2, 3, 2, 2)),
        lambda make: S(
            make(2, 3, 4), constant([0.1, 0, -1]), constant([1, 2, 0.5]), make(3), make(3), use_input_stats=False
        ),
    ),
)
def instance_norm(
    input,
    running_mean=None,
    running_var=None,
    weight=None,
    bias=None,
    use_input_stats=True,
    momentum=0.1,
    eps=1e-05,
):
    """instance_norm(input, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
    momentum=0.1, eps=1e-5) -> Tensor

    Each channel of each sample of (N, C, ...) made mean 0 and variance 1, then scaled and shifted. The running
    statistics, if given, are updated with the mean of the samples', or used, with use_input_stats=False.
    (Ulyanov et al. 2016, arXiv:1607.08022; F.instance_norm)
    """
    tensors_only("instance_norm", input=input)
    float_only("instance_norm", input)
    if use_input_stats and group_size((1, *input.shape[2:]), 1) == 1:
        raise ValueError(f"Expected more than 1 spatial element when training, got input size {list(input.shape)}")
    if not use_input_stats and (running_mean is None or running_var is None):
        raise RuntimeError("Expected running_mean and running_var to be defined when use_input_stats is false")
    batch, channels = input.shape[:2]
    # A channel of a sample is a channel of one batch of one: the work is batch_norm's.
    rows = reshape(input, (1, batch * channels, *input.shape[2:]))
    tiled = [None if given is None else repeat(given, batch) for given in (running_mean, running_var, weight, bias)]
    tiled[:2] = [None if given is None else given.detach().clone() for given in tiled[:2]]  # to be written to
    out = batch_norm(rows, *tiled, use_input_stats, momentum, eps)
    if use_input_stats:
        for given, updated in ((running_mean, tiled[0]), (running_var, tiled[1])):
            if given is not None:
                given.array[...] = updated.array.reshape(batch, channels).mean(0)
    return reshape(out, input.shape)


class rms_normalized(Op):
    """input / sqrt(mean(input²) + eps) * weight over the last dimensions; called by `rms_norm`."""

    public, fresh, optional = (), True, ("weight",)
    wide_half = True
    symbol, backward_name = "rms_norm", "MulBackward0"

    def forward(input, weight, /, dims, eps):
        return kernels.rms_norm(input, weight, dims, eps)

    def vjp(g, input, weight, dims, eps):
        last = tuple(range(input.ndim - dims, input.ndim))
        lead = tuple(range(input.ndim - dims))
        scale = rsqrt(mean(input * input, last, True) + eps)
        normal = input * scale
        scaled = g if weight is None else g * weight
        inner = scale * (scaled - normal * mean(scaled * normal, last, True))
        if weight is None:
            return inner, None
        return inner, sum(g * normal, lead) if lead else g * normal

    def fused(g, input, weight, dims, eps):
        return kernels.rms_norm_backward(g, input, weight, dims, eps)


@composite(
    public=BOTH,
    samples=of(
        lambda make: S(make(3, 4), (4,), make(4)),
        lambda make: S(make(2, 3, 4), (3, 4)),
        lambda make: S(make(2, 3, 4), (4,), None, 1e-3),
    ),
)
def rms_norm(input, normalized_shape, weight=None, eps=None):
    """rms_norm(input, normalized_shape, weight=None, eps=None) -> Tensor

    The last dimensions (normalized_shape) divided by their root mean square: ``x / sqrt(mean(x²) + eps) * weight``;
    eps defaults to the machine epsilon of the dtype (of float32 for float16).
    (Zhang & Sennrich 2019, arXiv:1910.07467; F.rms_norm)
    """
    tensors_only("rms_norm", input=input)
    if not isinstance(normalized_shape, SEQUENCE):
        kind = type(normalized_shape).__name__
        raise TypeError(f"rms_norm(): argument 'normalized_shape' must be tuple of ints, not {kind}")
    shape = tuple([n if n.__class__ is int else index_of(n, "rms_norm", "normalized_shape") for n in normalized_shape])
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least one element"
        )
    if input.ndim < len(shape):
        raise ValueError(f"Input tensor must have at least {len(shape)} dimensions, but got {input.ndim}")
    if weight is not None and weight.shape != shape:
        raise RuntimeError(
            f"Expected weight to be of same shape as normalized_shape, but got weight of shape "
            f"{shape_text(weight.shape)} and normalized_shape = {list(shape)}"
        )
    if tuple(input.shape[input.ndim - len(shape) :]) != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but "
            f"got input of size{shape_text(input.shape)}"
        )
    float_only("rms_norm", input)
    if eps is None:
        eps = EPSILON[np_dtype(input)]
    if weight is None or np_dtype(weight) == np_dtype(input):
        return rms_normalized(input, weight, len(shape), eps)
    return to_dtype(rms_normalized(input, None, len(shape), eps) * weight, np_dtype(input))


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(3, 4)), lambda make: S(make(3, 4), p=1.0, dim=0), lambda make: S(make(2, 3, 4), dim=(0, 2))
    ),
)
def normalize(input, p=2.0, dim=1, eps=1e-12):
    """normalize(input, p=2.0, dim=1, eps=1e-12) -> Tensor: ``input / max(‖input‖_p, eps)`` along `dim`.
    (PyTorch: F.normalize)"""
    if np_dtype(input).kind != "f":
        raise RuntimeError(f"normalize(): Expected a floating point tensor as input. Got {input.dtype}: use .float()")
    return input / clamp(norm(input, p, dim, True), eps)


@composite(
    public=(FUNCTIONAL,),
    samples=of(lambda make: S(make(2, 5, 3), 3), lambda make: S(make(2, 4, 2, 2), 2, alpha=0.5, beta=0.5, k=2.0)),
)
def local_response_norm(input, size, alpha=0.0001, beta=0.75, k=1.0):
    """local_response_norm(input, size, alpha=1e-4, beta=0.75, k=1.0) -> Tensor

    ``input / (k + alpha * mean of input² over the `size` neighbouring channels) ** beta``, with zeros beyond the first
    and the last channel. Input (N, C, L, ...). (Krizhevsky et al. 2012; F.local_response_norm)
    """
    if input.ndim < 3:
        raise ValueError(f"Expected 3D or higher dimensionality input (got {input.ndim} dimensions)")
    if input_size(input) == 0:
        return input
    if np_dtype(input).kind != "f" and np_dtype(input) != np.int64:
        raise NotImplementedError(f"local_response_norm(): not implemented for {input.dtype}: convert it with .float()")
    if size < 1:
        raise RuntimeError(f"local_response_norm(): expected a size greater than zero, but got {size}")
    before = size // 2
    channels, edges = input.shape[1], [0, 0] * (input.ndim - 2)
    squares = pad(input * input, (*edges, before, size - 1 - before))
    total = narrow(squares, 1, 0, channels)
    for shift in range(1, size):
        total = total + narrow(squares, 1, shift, channels)
    average = total / size if np_dtype(input).kind == "f" else floor_divide(total, size)
    return input / pow(average * alpha + k, beta)
