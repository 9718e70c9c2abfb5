"""The other elementary functions, a block each: rounding, signs, powers, logarithms, angles, the error function.

Continues `pointwise.py`, which says how a block is read.
"""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.kernels.vecmath import ARRAY_FUNCTIONS
from minigrad.registry import FUNCTION, METHOD, Pointwise
from minigrad.samples import binary, tensors, unary


class floor_divide(Pointwise):
    """floor_divide(input, other) -> Tensor

    ``floor(input / other)``, elementwise with broadcasting; integers stay integers. Not differentiable (gradient zero
    almost everywhere). (PyTorch: torch.floor_divide)
    """

    symbol, dunder = "//", ("__floordiv__",)

    def numpy(input, other):
        return np.floor_divide(input, nonzero_divisor("floor_divide", other))

    def scalar(input, other):
        return input // other

    samples = binary(0.5, 3.0)


class trunc_divide(Pointwise):
    """The quotient rounded towards zero; called by `div`."""

    public, symbol, jit_forward = (), "÷", False

    def numpy(input, other):
        quotient = np.true_divide if input.dtype.kind == "f" else np.floor_divide
        if input.dtype.kind == "f":
            return np.trunc(quotient(input, other))
        below = quotient(input, nonzero_divisor("div", other))  # rounded down: one too low where inexact and negative
        return below + ((below < 0) & (below * other != input))

    def scalar(input, other):
        return math.trunc(input / other)


def nonzero_divisor(op, other):
    """Integers have no infinity: dividing them by zero is an error."""
    if other.dtype.kind in "iu" and not other.all():
        raise RuntimeError(f"ZeroDivisionError: {op}() of integers by zero")
    return other


class remainder(Pointwise):
    """remainder(input, other) -> Tensor

    The remainder with the sign of the divisor, as Python's ``%``. (PyTorch: torch.remainder)
    """

    symbol, dunder = "%", ("__mod__",)
    jit_forward = False  # of a zero the compiled `%` makes the divisor's sign, PyTorch the input's

    def numpy(input, other):
        if input.dtype.kind != "f":
            return np.remainder(input, nonzero_divisor("remainder", other))
        rest = np.fmod(input, other)  # has the sign of the input, zero included
        return np.where((rest != 0) & ((rest < 0) != (other < 0)), rest + other, rest)

    def scalar(input, other):
        return input % other

    def grad_input(g):
        return g

    def grad_other(g, input, other):
        return -g * floor(input / other)

    samples = binary(0.5, 3.0)


class abs(Pointwise):
    """abs(input) -> Tensor

    The absolute value; the gradient at 0 is 0. (PyTorch: torch.abs)
    """

    numpy, symbol, dunder, alias = np.abs, "|x|", ("__abs__",), ("absolute",)

    def scalar(input):
        return math.fabs(input)

    def grad_input(g, input):
        return g * sign(input)

    samples = unary()


class sign(Pointwise):
    """sign(input) -> Tensor

    -1, 0 or 1 by the sign of the input; NaN gives 0 as in PyTorch. The gradient is zero. (PyTorch: torch.sign)
    """

    def scalar(input):
        return where(input > 0, 1, where(input < 0, -1, 0))

    def numpy(input):
        return (
            np.where(input != input, input.dtype.type(0), np.sign(input)) if input.dtype.kind == "f" else np.sign(input)
        )

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)  # zero even where g is inf or NaN, and linear in g

    samples = unary()


class reciprocal(Pointwise):
    """reciprocal(input) -> Tensor

    ``1 / input``. (PyTorch: torch.reciprocal)
    """

    floats, symbol = True, "1/x"

    def scalar(input):
        return 1.0 / input

    def grad_input(g, output):
        return -g * (output * output)

    samples = unary(0.5, 3.0)


class square(Pointwise):
    """square(input) -> Tensor

    ``input * input``. (PyTorch: torch.square)
    """

    numpy, symbol, backward_name = np.square, "x²", "PowBackward0"

    def scalar(input):
        return input * input

    def grad_input(g, input):
        return g * (2.0 * input)

    samples = unary()


class rsqrt(Pointwise):
    """rsqrt(input) -> Tensor

    ``1 / sqrt(input)``. (PyTorch: torch.rsqrt)
    """

    floats, symbol = True, "1/√"

    def scalar(input):
        return 1.0 / sqrt(input)

    def grad_input(g, output):
        return -0.5 * g * (output * output * output)

    samples = unary(0.3, 4.0)


class expm1(Pointwise):
    """expm1(input) -> Tensor

    ``exp(input) - 1``, accurate near 0. (PyTorch: torch.expm1)
    """

    numpy, floats = np.expm1, True

    def scalar(input):
        return math.expm1(input)

    def grad_input(g, output):
        return g * (output + 1.0)

    samples = unary()


class log2(Pointwise):
    """log2(input) -> Tensor

    The logarithm to base 2. (PyTorch: torch.log2)
    """

    numpy, floats = np.log2, True

    def scalar(input):
        return math.log2(input)

    def grad_input(g, input):
        return g / (input * 0.6931471805599453)

    samples = unary(0.2, 5.0)


class log10(Pointwise):
    """log10(input) -> Tensor

    The logarithm to base 10. (PyTorch: torch.log10)
    """

    numpy, floats = np.log10, True

    def scalar(input):
        return math.log10(input)

    def grad_input(g, input):
        return g / (input * 2.302585092994046)

    samples = unary(0.2, 5.0)


class log1p(Pointwise):
    """log1p(input) -> Tensor

    ``log(1 + input)``, accurate near 0. (PyTorch: torch.log1p)
    """

    numpy, floats, backward_name = np.log1p, True, "Log1PBackward0"

    def scalar(input):
        return math.log1p(input)

    def grad_input(g, input):
        return g / (input + 1.0)

    samples = unary(-0.8, 4.0)


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


class erf(Pointwise):
    """erf(input) -> Tensor

    The error function, ``2/√π ∫₀ˣ exp(-t²) dt``. (PyTorch: torch.erf)
    """

    floats, array = True, ARRAY_FUNCTIONS["erf"]

    def scalar(input):
        return math.erf(input)

    def grad_input(g, input):
        return g * (1.1283791670955126 * exp(-input * input))

    samples = unary()


class floor(Pointwise):
    """floor(input) -> Tensor

    The largest integer not above the input; the gradient is zero. (PyTorch: torch.floor)
    """

    numpy, symbol = np.floor, "⌊x⌋"

    def scalar(input):
        return math.floor(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)  # zero even where g is inf or NaN, and linear in g

    samples = unary()


class ceil(Pointwise):
    """ceil(input) -> Tensor

    The smallest integer not below the input; the gradient is zero. (PyTorch: torch.ceil)
    """

    numpy, symbol = np.ceil, "⌈x⌉"

    def scalar(input):
        return math.ceil(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)  # zero even where g is inf or NaN, and linear in g

    samples = unary()


class minimum(Pointwise):
    """minimum(input, other) -> Tensor

    The smaller of each pair; NaN wins. Where they are equal each gets half the gradient. (PyTorch: torch.minimum)
    """

    numpy = np.minimum

    def scalar(input, other):
        return where((input < other) | (input != input), input, other)

    def grad_input(g, input, other):
        return where(input == other, 0.5 * g, where(input < other, g, 0.0))

    def grad_other(g, input, other):
        return where(input == other, 0.5 * g, where(input < other, 0.0, g))

    public = (FUNCTION, METHOD)
    samples = tensors()
