"""Angles: the trigonometric and hyperbolic functions and their inverses. NumPy's vector code is the fastest."""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.registry import Plain, Pointwise, helper
from minigrad.samples import tensors, unary


class sin(Pointwise):
    """sin(input) -> Tensor

    The sine of an angle in radians. (PyTorch: torch.sin)
    """

    numpy, floats = np.sin, True

    def scalar(input):
        return math.sin(input)

    def grad_input(g, input):
        return g * cos(input)

    samples = unary()


class cos(Pointwise):
    """cos(input) -> Tensor

    The cosine of an angle in radians. (PyTorch: torch.cos)
    """

    numpy, floats = np.cos, True

    def scalar(input):
        return math.cos(input)

    def grad_input(g, input):
        return -g * sin(input)

    samples = unary()


class tan(Pointwise):
    """tan(input) -> Tensor

    The tangent of an angle in radians. (PyTorch: torch.tan)
    """

    numpy, floats = np.tan, True

    def scalar(input):
        return math.tan(input)

    def grad_input(g, output):
        return g * (1.0 + output * output)

    samples = unary(-1.2, 1.2)


class asin(Plain):
    """asin(input) -> Tensor

    The angle in [-π/2, π/2] whose sine is the input; NaN beyond ±1. (PyTorch: torch.asin)
    """

    numpy, floats, alias = np.arcsin, True, ("arcsin",)

    def scalar(input):
        return math.asin(input)

    def grad_input(g, input):
        return g * rsqrt(1.0 - input * input)

    samples = unary(-0.9, 0.9)


class acos(Plain):
    """acos(input) -> Tensor

    The angle in [0, π] whose cosine is the input; NaN beyond ±1. (PyTorch: torch.acos)
    """

    numpy, floats, alias = np.arccos, True, ("arccos",)

    def scalar(input):
        return math.acos(input)

    def grad_input(g, input):
        return -g * rsqrt(1.0 - input * input)

    samples = unary(-0.9, 0.9)


class atan(Plain):
    """atan(input) -> Tensor

    The angle in (-π/2, π/2) whose tangent is the input. (PyTorch: torch.atan)
    """

    numpy, floats, alias = np.arctan, True, ("arctan",)

    def scalar(input):
        return math.atan(input)

    def grad_input(g, input):
        return g / (input * input + 1.0)

    samples = unary()


class atan2(Plain):
    """atan2(input, other) -> Tensor

    The angle in [-π, π] of the point with ordinate input and abscissa other; elementwise with broadcasting.
    (PyTorch: torch.atan2)
    """

    numpy, floats, number, alias = np.arctan2, True, "none", ("arctan2",)

    def scalar(input, other):
        return math.atan2(input, other)

    def grad_input(g, input, other):
        return g * other * inverse_square(input, other)

    def grad_other(g, input, other):
        return g * -input * inverse_square(input, other)

    samples = tensors()


@helper
def inverse_square(input, other):
    """One over the square of a point's distance from the origin; 0 there."""
    square = input * input + other * other
    return where(square == 0, 0.0, reciprocal(square))


class sinh(Plain):
    """sinh(input) -> Tensor

    The hyperbolic sine, ``(eˣ - e⁻ˣ) / 2``. (PyTorch: torch.sinh)
    """

    numpy, floats = np.sinh, True

    def scalar(input):
        return math.sinh(input)

    def grad_input(g, input):
        return g * cosh(input)

    samples = unary()


class cosh(Plain):
    """cosh(input) -> Tensor

    The hyperbolic cosine, ``(eˣ + e⁻ˣ) / 2``. (PyTorch: torch.cosh)
    """

    numpy, floats = np.cosh, True

    def scalar(input):
        return math.cosh(input)

    def grad_input(g, input):
        return g * sinh(input)

    samples = unary()


class asinh(Plain):
    """asinh(input) -> Tensor

    The number whose hyperbolic sine is the input. (PyTorch: torch.asinh)
    """

    numpy, floats, alias = np.arcsinh, True, ("arcsinh",)

    def scalar(input):
        return math.asinh(input)

    def grad_input(g, input):
        return g * rsqrt(input * input + 1.0)

    samples = unary()


class acosh(Plain):
    """acosh(input) -> Tensor

    The number from 0 up whose hyperbolic cosine is the input; NaN below 1. (PyTorch: torch.acosh)
    """

    numpy, floats, alias = np.arccosh, True, ("arccosh",)

    def scalar(input):
        return math.acosh(input)

    def grad_input(g, input):
        return g * rsqrt(input * input - 1.0)

    samples = unary(1.2, 4.0)


class atanh(Plain):
    """atanh(input) -> Tensor

    The number whose hyperbolic tangent is the input; ±inf at ±1, NaN beyond. (PyTorch: torch.atanh)
    """

    numpy, floats, alias = np.arctanh, True, ("arctanh",)

    def scalar(input):
        return math.atanh(input)

    def grad_input(g, input):
        return g / (1.0 - input * input)

    samples = unary(-0.9, 0.9)


class hypot(Plain):
    """hypot(input, other) -> Tensor

    ``sqrt(input² + other²)`` without overflow on the way, elementwise with broadcasting; floats only.
    (PyTorch: torch.hypot)
    """

    numpy, kinds, number = np.hypot, "f", "none"

    def scalar(input, other):
        return math.hypot(input, other)

    def grad_input(g, input, output):
        return g * (input / output)

    def grad_other(g, other, output):
        return g * (other / output)

    samples = tensors(0.5, 3.0)


class sinc(Plain):
    """sinc(input) -> Tensor

    ``sin(πx) / (πx)``, 1 at 0. Its derivatives near 0 are taken from the power series. (PyTorch: torch.sinc)
    """

    floats, alias = True, ("special.sinc",)

    def numpy(input):
        return np.sinc(input)

    def scalar(input):
        return math.sin(math.pi * input) / (math.pi * input) if input else 1.0

    def grad_input(g, input):
        angle = math.pi * input
        small = abs(input) < 0.05
        far = where(small, 1.0, angle)
        square = angle * angle
        near = -angle * (1 / 3 - square * (1 / 30 - square * (1 / 840 - square * (1 / 45360 - square / 3991680))))
        return g * (math.pi * where(small, near, (far * cos(far) - sin(far)) / (far * far)))

    samples = unary()


class deg2rad(Plain):
    """deg2rad(input) -> Tensor

    Degrees as radians: ``input * π / 180``. (PyTorch: torch.deg2rad)
    """

    floats = True

    def scalar(input):
        return input * (math.pi / 180)

    def grad_input(g):
        return g * (math.pi / 180)

    samples = unary(-180.0, 180.0)


class rad2deg(Plain):
    """rad2deg(input) -> Tensor

    Radians as degrees: ``input * 180 / π``. (PyTorch: torch.rad2deg)
    """

    floats = True

    def scalar(input):
        return input * (180 / math.pi)

    def grad_input(g):
        return g * (180 / math.pi)

    samples = unary()
