"""Softmax, its logarithm, and normalisation over features or batches."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import warnings

import numpy as np

from minigrad import dtypes
from minigrad.errors import shape_text
from minigrad.kernels import norm as norm_kernels
from minigrad.kernels import rownorm as row_kernels
from minigrad.kernels import softmax as kernels
from minigrad.ops.window import refuse_dtype
from minigrad.registry import (
    FLOAT,
    FUNCTION,
    FUNCTIONAL,
    HALF,
    METHOD,
    Op,
    composite,
    helper,
    np_dtype,
    on_every_path,
)
from minigrad.samples import S, constant, of
from minigrad.shapes import SEQUENCE, index_of, one_dim

BOTH = (FUNCTION, METHOD)


@helper
def softmax_input(op, input, dtype):
    """The input, in the dtype asked for. Of integers there is only the empty softmax."""
    tensors_only(op, input=input)
    if dtype is not None:
        input = to_dtype(input, dtypes.as_numpy(dtype))
    if np_dtype(input).kind != "f" and input_size(input):
        float_only(op, input)
    return input


@on_every_path("implicit_dim")
def implicit_dim(op, dim, ndim):
    """The dimension of a softmax of nn.functional; None picks 0 for 0-, 1- and 3-D inputs, else 1, as PyTorch does."""
    if dim is None:
        warnings.warn(
            f"Implicit dimension choice for {op} has been deprecated. Change the call to include dim=X as an argument.",
            stacklevel=4,
        )
        dim = 0 if ndim in (0, 1, 3) else 1
    return dim


class softmax(Op):
    """softmax(input, dim, *, dtype=None) -> Tensor

    ``exp(input) / Σ exp(input)`` along `dim`: positive, summing to 1. (PyTorch: torch.softmax)
    """

    public, alias, fresh = BOTH, ("special.softmax",), True

    def prepare(input, dim, dtype=None):
        return softmax_input("softmax", input, dtype), one_dim(dim, input.ndim, "softmax")

    def forward(input, /, dim):
        return kernels.softmax(input, dim) if input.size else input.copy()

    def grad_input(g, output, dim):
        return softmax_backward(g, output, dim)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), 0), lambda make: S(make(), 0))


class softmax_backward(Op):
    """``output * (grad - Σ grad * output)`` along `dim`: the gradient of `softmax`, in one kernel."""

    public, fresh, wide_half = (), True, True

    def forward(grad, output_, /, dim):
        return kernels.softmax_backward(grad, output_, dim)

    def grad_grad(g, output_, dim):
        return output_ * (g - sum(g * output_, dim, True))

    def grad_output_(g, grad, output_, dim):
        along = sum(g * output_, dim, True)
        return g * (grad - sum(grad * output_, dim, True)) - along * grad


class log_softmax(Op):
    """log_softmax(input, dim, *, dtype=None) -> Tensor

    ``input - log Σ exp(input)`` along `dim`, without overflow. (PyTorch: torch.log_softmax)
    """

    public, alias, fresh = BOTH, ("special.log_softmax",), True

    def prepare(input, dim, dtype=None):
        return softmax_input("log_softmax", input, dtype), one_dim(dim, input.ndim, "log_softmax")

    def forward(input, /, dim):
        return kernels.log_softmax(input, dim) if input.size else input.copy()

    def grad_input(g, output, dim):
        return log_softmax_backward(g, output, dim)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), 0), lambda make: S(make(), 0))


class log_softmax_backward(Op):
    """``grad - exp(output) Σ grad`` along `dim`: the gradient of `log_softmax`, in one kernel."""

    public, fresh, wide_half = (), True, True

    def forward(grad, output_, /, dim):
        return kernels.log_softmax_backward(grad, output_, dim)

    def grad_grad(g, output_, dim):
        return g - sum(g * exp(output_), dim, True)

    def grad_output_(g, grad, output_, dim):
        return -g * (exp(output_) * sum(grad, dim, True))


@composite(public=(), alias=("functional.softmax",))
def functional_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """softmax(input, dim=None, *, dtype=None) -> Tensor

    ``exp(input) / Σ exp(input)`` along `dim`: positive, summing to 1. Without a dim there is a warning, and 1 is taken,
    or 0 for 0-, 1- and 3-D inputs. (PyTorch: F.softmax)
    """
    tensors_only("softmax", input=input)
    return softmax(input, implicit_dim("softmax", dim, input.ndim), dtype)


@composite(public=(), alias=("functional.log_softmax",))
def functional_log_softmax(input, dim=None, _stacklevel=3, dtype=None):
    """log_softmax(input, dim=None, *, dtype=None) -> Tensor

    ``input - log Σ exp(input)`` along `dim`, without overflow. Without a dim there is a warning, and 1 is taken, or 0
    for 0-, 1- and 3-D inputs. (PyTorch: F.log_softmax)
    """
    tensors_only("log_softmax", input=input)
    return log_softmax(input, implicit_dim("log_softmax", dim, input.ndim), dtype)


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(3, 4), 1)))
def softmin(input, dim=None, _stacklevel=3, dtype=None):
    """softmin(input, dim, *, dtype=None) -> Tensor: ``softmax(-input, dim)``. (PyTorch: F.softmin)"""
    return softmax(-input, implicit_dim("softmin", dim, input.ndim), dtype=dtype)


@composite(public=(FUNCTIONAL,))
def gumbel_softmax(logits, tau=1, hard=False, eps=1e-10, dim=-1):
    """gumbel_softmax(logits, tau=1, hard=False, dim=-1) -> Tensor

    A sample of a softmax that gradients pass through: ``softmax((logits + G) / tau)`` along `dim`, G being Gumbel noise
    (the one PyTorch draws from the same seed). hard=True gives the one-hot vector of the largest, with the gradient of
    the soft sample. (Jang et al. 2017, arXiv:1611.01144; F.gumbel_softmax)
    """
    if eps != 1e-10:
        warnings.warn("`eps` parameter is deprecated and has no effect.", stacklevel=3)
    soft = softmax((logits - log(exponential_draws(logits.shape, np_dtype(logits)))) / tau, dim)
    if not hard:
        return soft
    index = argmax(soft, dim, True)
    one_hot = scatter(zeros_of(soft.shape, np_dtype(soft)), dim, index, 1.0)
    return one_hot - soft.detach() + soft


class batch_normalized(Op):
    """(input - mean) / sqrt(var + eps) * weight + bias by the statistics of the batch; called by `batch_norm`."""

    public, fresh, optional, nout = (), True, ("weight", "bias"), 3
    aux, symbol, backward_name = ("batch_mean", "invstd"), "batch_norm", "NativeBatchNormBackward0"

    def forward(input, weight, bias, /, eps):
        return norm_kernels.batch_norm_train(input, weight, bias, eps)

    def vjp(g, input, weight, bias_dtype, batch_mean, invstd, eps):
        # The saved statistics are for `fused` alone: here they must be computed anew, since they depend on the input.
        dims = tuple([d for d in range(input.ndim) if d != 1])
        shape = (1, -1, *[1] * (input.ndim - 2))
        centred = input - mean(input, dims, True)
        scale = rsqrt(mean(centred * centred, dims, True) + eps)
        normal = centred * scale
        scaled = g if weight is None else g * reshape(weight, shape)
        inner = scaled - mean(scaled, dims, True) - normal * mean(scaled * normal, dims, True)
        grad_weight = None if weight is None else sum(g * normal, dims)
        return inner * scale, grad_weight, None if bias_dtype is None else sum(g, dims)

    def fused(g, input, weight, bias_dtype, batch_mean, invstd, eps):
        return norm_kernels.batch_norm_backward(g, input, weight, eps, batch_mean, invstd)


class batch_standardized(Op):
    """(input - running_mean) / sqrt(running_var + eps) * weight + bias; called by `batch_norm` outside training."""

    public, fresh, optional = (), True, ("weight", "bias")
    constant, symbol, backward_name = ("running_mean", "running_var"), "batch_norm", "NativeBatchNormBackward0"

    def forward(input, running_mean, running_var, weight, bias, /, eps):
        return norm_kernels.batch_norm_eval(input, running_mean, running_var, weight, bias, eps)

    def vjp(g, input, running_mean, running_var, weight, bias_dtype, eps):
        dims = tuple([d for d in range(input.ndim) if d != 1])
        shape = (1, -1, *[1] * (input.ndim - 2))
        scale = rsqrt(reshape(running_var, shape) + eps)
        grad_input = g * scale if weight is None else g * (scale * reshape(weight, shape))
        grad_weight = None if weight is None else sum(g * ((input - reshape(running_mean, shape)) * scale), dims)
        return grad_input, None, None, grad_weight, None if bias_dtype is None else sum(g, dims)

    def fused(g, input, running_mean, running_var, weight, bias_dtype, eps):
        grads = norm_kernels.batch_norm_eval_backward(g, input, running_mean, running_var, weight, eps)
        return grads[0], None, None, *grads[1:]


@on_every_path("is_half_among_floats")
def is_half_among_floats(input, *parameters):
    """Whether the input of a norm is float16 and its parameters are float32, as when all but norms is half."""
    given = [each for each in parameters if each is not None]
    return np_dtype(input) == HALF and bool(given) and all([np_dtype(each) == FLOAT for each in given])


@on_every_path("of_one_dtype")
def of_one_dtype(input, *parameters):
    """Whether the parameters, if there are any, have the input's dtype."""
    kind = np_dtype(input)
    return all([each is None or np_dtype(each) == kind for each in parameters])


@on_every_path("refuse_mixed")
def refuse_mixed(op, input, **parameters):
    """The error of a norm whose parameters are of another dtype than its input."""
    for name, given in parameters.items():
        if given is not None and given.dtype != input.dtype:
            raise RuntimeError(
                f"{op}(): mixed dtype: expected {name} to have the input's dtype {input.dtype}, but found "
                f"{given.dtype}; convert one of them with .to()"
            )


class layer_normalized(Op):
    """(input - mean) / sqrt(var + eps) * weight + bias over the last dimensions; called by `layer_norm`."""

    public, fresh, optional = (), True, ("weight", "bias")
    symbol, backward_name = "layer_norm", "NativeLayerNormBackward0"
    wide_half = True

    def forward(input, weight, bias, /, dims, eps):
        return row_kernels.layer_norm(input, weight, bias, dims, eps)

    def vjp(g, input, weight, bias_dtype, dims, eps):
        last = tuple(range(input.ndim - dims, input.ndim))
        lead = tuple(range(input.ndim - dims))
        centred = input - mean(input, last, True)
        scale = rsqrt(mean(centred * centred, last, True) + eps)
        normal = centred * scale
        scaled = g if weight is None else g * weight
        inner = scaled - mean(scaled, last, True) - normal * mean(scaled * normal, last, True)
        grad_weight = None if weight is None else sum(g * normal, lead) if lead else g * normal
        grad_bias = None if bias_dtype is None else sum(g, lead) if lead else g
        return inner * scale, grad_weight, grad_bias

    def fused(g, input, weight, bias_dtype, dims, eps):
        return row_kernels.layer_norm_backward(g, input, weight, dims, eps)


@composite(
    public=(FUNCTION, FUNCTIONAL),
    samples=of(
        lambda make: S(make(3, 4), (4,), make(4), make(4)),
        lambda make: S(make(2, 3, 4), (3, 4)),
        lambda make: S(make(2, 3, 4), (4,), make(4), None, 1e-3),
    ),
)
def layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-05):
    """layer_norm(input, normalized_shape, weight=None, bias=None, eps=1e-5) -> Tensor

    Each sample's last dimensions (normalized_shape) made mean 0 and variance 1, then scaled and shifted:
    ``(x - E[x]) / sqrt(Var[x] + eps) * weight + bias``. (Ba et al. 2016; F.layer_norm)
    """
    shape = normalized_shape if isinstance(normalized_shape, SEQUENCE) else (normalized_shape,)
    shape = tuple([n if n.__class__ is int else index_of(n, "layer_norm", "normalized_shape") for n in shape])
    if not shape or tuple(input.shape)[-len(shape) :] != shape:
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [*, {', '.join(map(str, shape))}], but "
            f"got input of size{shape_text(input.shape)}"
        )
    for name, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter.shape != shape:
            raise RuntimeError(
                f"Expected {name} to be of same shape as normalized_shape, but got {name} of shape "
                f"{shape_text(parameter.shape)} and normalized_shape = {list(shape)}"
            )
    if not of_one_dtype(input, weight, bias):
        if is_half_among_floats(input, weight, bias):
            return to_dtype(layer_norm(to_dtype(input, FLOAT), shape, weight, bias, eps), HALF)
        refuse_mixed("layer_norm", input, weight=weight, bias=bias)
    refuse_dtype("layer_norm", input, "biu")
    return layer_normalized(input, weight, bias, len(shape), eps)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(4, 3), None, None, make(3), make(3), training=True),
        lambda make: S(make(2, 3, 4), None, None, training=True),
        lambda make: S(make(4, 3, 2, 2), constant([0.1, 0, -1]), constant([1, 2, 0.5]), make(3), make(3)),
    ),
)
def batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-05):
    """batch_norm(input, running_mean, running_var, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5)
    -> Tensor

    Each channel (dimension 1) made mean 0 and variance 1 over the batch, then scaled and shifted:
    ``(x - E[x]) / sqrt(Var[x] + eps) * weight + bias``. While training the statistics are the batch's, and the running
    ones are updated in place (the variance with Bessel's correction); else the running ones are used.
    (Ioffe & Szegedy 2015; F.batch_norm)
    """
    check_batch(input, running_mean, running_var, training, eps)
    alike = of_one_dtype(input, running_mean, running_var, weight, bias)
    if not alike and is_half_among_floats(input, running_mean, running_var, weight, bias):
        wide = to_dtype(input, FLOAT)
        return to_dtype(batch_norm(wide, running_mean, running_var, weight, bias, training, momentum, eps), HALF)
    channels = input.shape[1] if input.ndim > 1 else 0
    parameters = {"running_mean": running_mean, "running_var": running_var, "weight": weight, "bias": bias}
    for name, given in parameters.items():
        if given is not None and (input_size(given) != channels or (given.ndim != 1 and name.startswith("running"))):
            raise RuntimeError(f"batch_norm(): {name} should contain {channels} elements not {input_size(given)}")
    if not alike:
        refuse_mixed("batch_norm", input, **parameters)
    weight = reshape(weight, (channels,)) if weight is not None and weight.ndim != 1 else weight
    bias = reshape(bias, (channels,)) if bias is not None and bias.ndim != 1 else bias
    if not training and (running_mean is None or running_var is None):
        raise RuntimeError("batch_norm(): Expected running_mean and running_var to be defined when training=False")
    count = input_size(input)
    if not count:  # nothing to do but to let weight and bias have their gradients, which are zero
        out, shape = clone(input), (channels, *[1] * (input.ndim - 2))
        out = out if weight is None else out * reshape(weight, shape)
        return out if bias is None else out + reshape(bias, shape)
    if not training:
        return batch_standardized(input, running_mean, running_var, weight, bias, eps)
    count = count // channels
    out, batch_mean, invstd = batch_normalized(input, weight, bias, eps)
    update_running(running_mean, running_var, batch_mean, invstd, momentum, eps, count)
    return out


@on_every_path("check_batch")
def check_batch(input, running_mean, running_var, training, eps):
    """PyTorch's conditions on the input and settings of `batch_norm`."""
    shape = tuple(input.shape)
    if len(shape) < 2 and shape != (0,):
        raise RuntimeError(f"batch_norm(): expected input (N, C, ...), but got {shape_text(shape)}")
    if training and math.prod(shape[:1] + shape[2:]) == 1:
        raise ValueError(f"Expected more than 1 value per channel when training, got input size {input.shape!r}")
    if eps < 0 or (training and eps == 0):
        raise ValueError(f"batch_norm eps must be positive during training, and never negative, but got {eps}")
    if training and (running_mean is None) != (running_var is None):
        raise ValueError("batch_norm(): running_mean and running_var must either both be None or neither be None")
    if shape[0]:
        refuse_dtype("batch_norm", input, "biu")


@on_every_path("update_running")
def update_running(running_mean, running_var, mean, invstd, momentum, eps, count):
    """Move the running statistics towards the batch's; nothing of it is recorded."""
    if running_mean is not None:
        running_mean.array[...] += momentum * (mean.array - running_mean.array)
    if running_var is not None:
        variance = (1.0 / np.square(invstd.array) - eps) * (count / (count - 1))
        running_var.array[...] += momentum * (variance - running_var.array)
