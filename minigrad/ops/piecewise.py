"""Activations made of straight pieces: ReLU and its kin, and those that cut, clip or shrink.

At a kink the gradient is that of one of the two pieces, the one PyTorch takes.
"""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.registry import (
    FUNCTION,
    FUNCTIONAL,
    INPLACE,
    METHOD,
    TENSORS,
    Activation,
    Pointwise,
    composite,
    on_every_path,
)
from minigrad.samples import S, constant, of, unary

EVERYWHERE = (FUNCTION, METHOD, INPLACE, FUNCTIONAL)


class flat_in(Pointwise):
    """`gradient`, whose derivative with respect to `input` is zero, and recorded as such: without it the second
    derivative of a piecewise linear function would not be zero but "does not require grad"."""

    public, jit_rules = (), False

    def array(gradient, input):
        return gradient

    def scalar(gradient, input):
        return gradient

    def grad_gradient(g):
        return g

    def grad_input(g):
        return zero_like(g)


@on_every_path("zero_like")
def zero_like(g):
    """Nothing, where the gradient is a tensor, an array or a number."""
    if hasattr(g, "array"):
        return TENSORS["zeros_of"](g.shape, g.array.dtype)
    return np.zeros_like(g) if isinstance(g, np.ndarray) else 0.0


class relu(Activation):
    """relu(input) -> Tensor

    ``max(0, input)``; the gradient at 0 is 0. nn.functional.relu takes inplace=. (Nair & Hinton 2010; torch.relu)
    """

    public, floats, kinds, inplace_keyword = EVERYWHERE, False, "biuf", True
    no_bools = "Boolean inputs not supported for relu"

    def scalar(input):
        return where(input < 0, 0, input)

    def grad_input(g, output):
        return flat_in(where(output <= 0, 0, g), output)  # so that the gradient passes where the output is NaN

    samples = unary()


class leaky_relu(Activation):
    """leaky_relu(input, negative_slope=0.01) -> Tensor

    ``input`` where positive, ``negative_slope * input`` elsewhere. (Maas et al. 2013; F.leaky_relu)
    """

    inplace_keyword, public = True, (FUNCTIONAL, INPLACE)

    def scalar(input, /, negative_slope=0.01):
        return where(input > 0, input, negative_slope * input)

    def grad_input(g, input, negative_slope):
        return flat_in(where(input > 0, g, negative_slope * g), input)

    samples = unary(negative_slope=0.2)


class prelu_kernel(Activation):
    """`input` where positive, ``weight * input`` elsewhere; called by `prelu`."""

    public = ()

    def scalar(input, weight):
        return where(input > 0, input, weight * input)

    def grad_input(g, input, weight):
        return flat_in(where(input > 0, g, weight * g), input)

    def grad_weight(g, input):
        return where(input > 0, 0, g * input)


@composite(
    public=(FUNCTION, METHOD, FUNCTIONAL),
    samples=of(
        lambda make: S(make(3, 4), make(4)), lambda make: S(make(2, 3, 4), make(1)), lambda make: S(make(), make(1))
    ),
)
def prelu(input, weight):
    """prelu(input, weight) -> Tensor

    ``input`` where positive, ``weight * input`` elsewhere; weight is learned: one number, or one for each channel
    (dimension 1). (He et al. 2015; F.prelu)
    """
    tensors_only("prelu", weight=weight)
    if np_dtype(input) != np_dtype(weight):
        raise RuntimeError(f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}")
    if weight.ndim > 1:
        raise RuntimeError(f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}")
    count = input_size(weight)
    if count == 1:
        return prelu_kernel(input, reshape(weight, ()))
    channels = input.shape[1] if input.ndim > 1 else 1
    if channels != count:
        raise RuntimeError(
            f"Mismatch of parameter numbers and input channel size. Found parameter numbers = {count} and channel "
            f"size = {channels}."
        )
    return prelu_kernel(input, reshape(weight, (count, *[1] * (input.ndim - 2))))


class rrelu_with_noise(Activation):
    """``input * noise``, noise being 1 where the input is positive and a slope elsewhere; called by `rrelu`."""

    public, symbol = (), "rrelu"

    def scalar(input, noise):
        return input * noise

    def grad_input(g, noise):
        return g * noise

    def grad_noise(g, input):
        return g * input


@composite(public=(FUNCTION, FUNCTIONAL))
def rrelu(input, lower=1.0 / 8, upper=1.0 / 3, training=False, inplace=False):
    """rrelu(input, lower=1/8, upper=1/3, training=False, inplace=False) -> Tensor

    A leaky ReLU whose slope is drawn for each number between lower and upper while training, and their mean otherwise.
    The slopes are those PyTorch draws from the same seed. (Xu et al. 2015, arXiv:1505.00853; F.rrelu)
    """
    if lower > upper:
        raise RuntimeError(f"Lower bound should be less than or equal to the upper bound, got {lower} and {upper}")
    float_only("rrelu", input)
    noise = rrelu_noise(input, lower, upper, training)
    return input.mul_(noise) if inplace else rrelu_with_noise(input, noise)


@composite(public=(), alias=("function.rrelu_", "functional.rrelu_"))
def rrelu_in_place(input, lower=1.0 / 8, upper=1.0 / 3, training=False):
    """rrelu_(input, lower=1/8, upper=1/3, training=False) -> Tensor: the in-place form of `rrelu`."""
    return rrelu(input, lower, upper, training, True)


class step(Activation):
    """step(input, width=inf) -> Tensor

    1 where ``input > 0``, 0 elsewhere: the perceptron's activation. Its derivative is 0 wherever there is one, so that
    nothing could be learned through it; the backward passes the gradient straight through instead, as if the step were
    ``input`` itself, where ``|input| <= width``, and 0 beyond. It is an estimate, not the derivative: `gradcheck` says
    so. width: inf passes all (Bengio et al. 2013, arXiv:1308.3432), 1 is binarized networks' (Hubara et al. 2016,
    arXiv:1602.02830). Not in PyTorch.
    """

    torch = ""

    def check_attributes(width):
        if not width > 0:
            raise ValueError(f"step(): argument 'width': got {width}; expected a positive number, or inf to pass all")

    def scalar(input, /, width=math.inf):
        return where(input > 0, 1.0, where(input == input, 0.0, input))

    def grad_input(g, input, width):
        return flat_in(where((input <= width) & (input >= -width), g, 0), input)

    samples = of(  # constants: differences would not give its gradient
        lambda make: S(constant(make(3, 4))), lambda make: S(constant(make())), lambda make: S(constant(make(5)), 1.0)
    )


class threshold(Activation):
    """threshold(input, threshold, value) -> Tensor

    ``input`` where above the threshold, ``value`` elsewhere. (PyTorch: F.threshold)
    """

    inplace_keyword, public, floats, kinds = True, (FUNCTION, FUNCTIONAL, INPLACE), False, "iuf"
    numbers_fit = True

    def scalar(input, /, threshold, value):
        return where(input <= threshold, value, input)

    def array(input, threshold, value):
        return np.where(input <= input.dtype.type(threshold), input.dtype.type(value), input)

    def grad_input(g, input, threshold):
        return flat_in(where(input <= threshold, 0, g), input)

    samples = of(lambda make: S(make(3, 4), 0.3, -7.0), lambda make: S(make(), -0.2, 1.5))


class hardtanh(Activation):
    """hardtanh(input, min_val=-1.0, max_val=1.0) -> Tensor

    The input limited to [min_val, max_val]; the gradient is 0 at the limits. (PyTorch: F.hardtanh)
    """

    inplace_keyword, public, floats, kinds = True, (FUNCTIONAL, INPLACE), False, "biuf"
    no_bools, numbers_fit = "Bool inputs not supported for hardtanh", True

    def check_attributes(min_val, max_val):
        if min_val > max_val:
            raise ValueError(f"hardtanh(): min_val cannot be greater than max_val, but got {min_val} and {max_val}")

    def scalar(input, /, min_val=-1.0, max_val=1.0):
        return where(input < min_val, min_val, where(input > max_val, max_val, input))

    def array(input, min_val=-1.0, max_val=1.0):
        return np.clip(input, input.dtype.type(min_val), input.dtype.type(max_val))

    def grad_input(g, input, min_val, max_val):
        return flat_in(where((input > min_val) & (input < max_val), g, 0), input)

    samples = unary(min_val=-0.7, max_val=1.4)


class relu6(Activation):
    """relu6(input) -> Tensor

    ``min(max(0, input), 6)``. (Krizhevsky 2010; F.relu6)
    """

    inplace_keyword, backward_name, floats, kinds = True, "HardtanhBackward0", False, "biuf"
    no_bools = "Bool inputs not supported for hardtanh"

    def scalar(input):
        return where(input < 0, 0, where(input > 6, 6, input))

    def grad_input(g, input):
        return flat_in(where((input > 0) & (input < 6), g, 0), input)

    samples = unary(-4, 9)


class hardsigmoid(Activation):
    """hardsigmoid(input) -> Tensor

    ``relu6(input + 3) / 6``. (Howard et al. 2019; F.hardsigmoid)
    """

    inplace_keyword = True

    def scalar(input):
        return where(input <= -3, 0, where(input >= 3, 1, (input + 3) / 6))

    def grad_input(g, input):
        return flat_in(where((input > -3) & (input < 3), g / 6, 0), input)

    samples = unary(-5, 5)


class hardswish(Activation):
    """hardswish(input) -> Tensor

    ``input * relu6(input + 3) / 6``. (Howard et al. 2019; F.hardswish)
    """

    inplace_keyword = True

    def scalar(input):
        return where(input <= -3, 0 * input, where(input >= 3, input, input * (input + 3) / 6))

    def grad_input(g, input):
        return where(input <= -3, 0, where(input < 3, g * (input / 3 + 0.5), g))

    samples = unary(-5, 5)


class hardshrink(Activation):
    """hardshrink(input, lambd=0.5) -> Tensor

    ``input`` outside [-lambd, lambd], 0 inside. (PyTorch: F.hardshrink)
    """

    public, numbers_fit = (FUNCTION, METHOD, FUNCTIONAL), True

    def scalar(input, /, lambd=0.5):
        return where((input >= -lambd) & (input <= lambd), 0, input)

    def grad_input(g, input, lambd):
        return flat_in(where((input >= -lambd) & (input <= lambd), 0, g), input)

    samples = unary(lambd=0.8)


class softshrink(Activation):
    """softshrink(input, lambd=0.5) -> Tensor

    ``input - lambd`` above lambd, ``input + lambd`` below -lambd, 0 between (lambd >= 0). (PyTorch: F.softshrink)
    """

    numbers_fit = True

    def check_attributes(lambd):
        if not lambd >= 0:
            raise RuntimeError(f"lambda must be in range [0, inf) for softshrink(), but found {lambd}")

    def scalar(input, /, lambd=0.5):
        return where(input > lambd, input - lambd, where(input < -lambd, input + lambd, 0 * input))

    def grad_input(g, input, lambd):
        return flat_in(where((input > lambd) | (input < -lambd), g, 0), input)

    samples = unary(lambd=0.8)
