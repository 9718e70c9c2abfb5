"""The other elementary functions, a block each: signs, powers, exponentials and logarithms.

Continues `pointwise.py`, which says how a block is read.
"""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.registry import FUNCTION, INPLACE, METHOD, Op, Plain, Pointwise, composite, np_dtype
from minigrad.samples import S, binary, of, tensors, unary


class abs(Pointwise):
    """abs(input) -> Tensor

    The absolute value; the gradient at 0 is 0. (PyTorch: torch.abs)
    """

    numpy, symbol, dunder, alias, kinds = np.abs, "|x|", ("__abs__",), ("absolute",), "iuf"

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
        if input.dtype.kind == "f":
            return np.where(input != input, input.dtype.type(0), np.sign(input))
        return input.copy() if input.dtype.kind == "b" else np.sign(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)  # zero even where g is inf or NaN, and linear in g

    samples = unary()


class sgn(Plain):
    """sgn(input) -> Tensor

    `sign`, under the name PyTorch has for complex numbers too. (PyTorch: torch.sgn)
    """

    def scalar(input):
        return sign(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    samples = unary()


class copysign(Plain):
    """copysign(input, other) -> Tensor

    The size of input with the sign of other, elementwise with broadcasting; integers become floats. The gradient is 0
    where input is 0. (PyTorch: torch.copysign)
    """

    numpy, floats = np.copysign, True

    def scalar(input, other):
        return math.copysign(input, other)

    def grad_input(g, input, output):
        return g * where(input == 0, 0.0, output / input)

    def grad_other(g):
        return where(g == 0, 0.0 * g, 0.0)

    samples = binary()


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

    numpy, symbol, backward_name, counts_bools = np.square, "x²", "PowBackward0", True

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


class exp2(Plain):
    """exp2(input) -> Tensor

    ``2 ** input``. (PyTorch: torch.exp2)
    """

    numpy, floats, alias = np.exp2, True, ("special.exp2",)

    def scalar(input):
        return 2.0**input

    def grad_input(g, output):
        return g * (output * 0.6931471805599453)

    samples = unary()


class expm1(Pointwise):
    """expm1(input) -> Tensor

    ``exp(input) - 1``, accurate near 0. (PyTorch: torch.expm1)
    """

    numpy, floats, alias = np.expm1, True, ("special.expm1",)

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

    numpy, floats, backward_name, alias = np.log1p, True, "Log1PBackward0", ("special.log1p",)

    def scalar(input):
        return math.log1p(input)

    def grad_input(g, input):
        return g / (input + 1.0)

    samples = unary(-0.8, 4.0)


class logaddexp(Plain):
    """logaddexp(input, other) -> Tensor

    ``log(exp(input) + exp(other))`` without overflow, elementwise with broadcasting; floats only.
    (PyTorch: torch.logaddexp)
    """

    numpy, kinds, number, public = np.logaddexp, "f", "none", (FUNCTION, METHOD)

    def scalar(input, other):
        return maximum(input, other) + math.log1p(math.exp(-math.fabs(input - other)))

    def grad_input(g, input, other):
        return g / (1.0 + exp(other - input))

    def grad_other(g, input, other):
        return g / (1.0 + exp(input - other))

    samples = tensors()


class logaddexp2(Plain):
    """logaddexp2(input, other) -> Tensor

    ``log2(2 ** input + 2 ** other)`` without overflow, elementwise with broadcasting; floats only.
    (PyTorch: torch.logaddexp2)
    """

    numpy, kinds, number, public = np.logaddexp2, "f", "none", (FUNCTION, METHOD)

    def scalar(input, other):
        return maximum(input, other) + math.log2(1 + 2.0 ** -math.fabs(input - other))

    def grad_input(g, input, other):
        return g / (1.0 + exp2(other - input))

    def grad_other(g, input, other):
        return g / (1.0 + exp2(input - other))

    samples = tensors()


@composite(
    public=(FUNCTION,), samples=of(lambda make: S(make(3, 4), make(4)), lambda make: S(make(2, 3), 2.0, alpha=3))
)
def rsub(input, other, *, alpha=1):
    """rsub(input, other, *, alpha=1) -> Tensor

    ``other - alpha * input``: `sub` with the operands exchanged. (PyTorch: torch.rsub)
    """
    tensors_only("rsub", input=input)
    return sub(other, input, alpha=alpha)


@composite(samples=of(lambda make: S(make(3, 4)), lambda make: S(make(2, kind="i"))))
def positive(input):
    """positive(input) -> Tensor

    The input itself; RuntimeError for bools. (PyTorch: torch.positive)
    """
    return +input


@composite(
    public=(FUNCTION, METHOD, INPLACE),
    out=True,
    samples=of(lambda make: S(make(3, 4), make(4, kind="i", low=0, high=4)), lambda make: S(make(2, 3), make(3))),
)
def ldexp(input, other):
    """ldexp(input, other) -> Tensor

    ``input * 2 ** other``, elementwise with broadcasting. (PyTorch: torch.ldexp)
    """
    tensors_only("ldexp", input=input, other=other)
    if np_dtype(input).kind == "f" and np_dtype(other).kind != "f":
        return ldexp_whole(input, other)
    return input * pow(2.0, other)


class ldexp_whole(Op):
    """``input * 2 ** other`` of whole exponents, which cannot overflow on the way; called by `ldexp`."""

    public, broadcasts, fresh, backward_name = (), True, True, "LdexpBackward0"

    def forward(input, other, /):
        if other.dtype.kind == "b":
            raise NotImplementedError("\"ldexp_cpu_exp\" not implemented for 'Bool': convert the exponent with .to()")
        return np.ldexp(input, np.clip(other.astype(np.int64), -9999, 9999).astype(np.int32))

    def grad_input(g, other):
        return ldexp(g, other)


class frexp(Op):
    """frexp(input) -> (mantissa, exponent)

    ``input = mantissa * 2 ** exponent`` with the mantissa's size in [0.5, 1) and an int32 exponent; floats only.
    (PyTorch: torch.frexp)
    """

    nout, aux, result, first, fresh = 2, ("exponent",), "frexp", "mantissa", True

    def forward(input, /):
        if input.dtype.kind != "f":
            raise RuntimeError(f"torch.frexp() only supports floating-point dtypes, but got a tensor of {input.dtype}")
        mantissa, exponent = np.frexp(input)
        return mantissa, np.asarray(exponent)

    def grad_input(g, exponent):
        return ldexp_whole(g, 0 - exponent)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(5, low=-100.0, high=100.0)))


@composite(
    out=True,
    samples=of(
        lambda make: S(make(3, 4, kind="i", low=1, high=5), make(4, kind="i")),
        lambda make: S(make(2, kind="i", low=1, high=5), -2.5),
        lambda make: S(2.0, make(2, 3, kind="i")),
    ),
)
def float_power(input, exponent):
    """float_power(input, exponent) -> Tensor

    ``input ** exponent`` computed in float64, integers and float32 as well. (PyTorch: torch.float_power)
    """
    return pow(as_double(input), as_double(exponent))


class angle(Plain):
    """angle(input) -> Tensor

    The angle of a real number in the complex plane: π below 0, 0 from 0 up, NaN for NaN. The gradient is zero.
    (PyTorch: torch.angle)
    """

    floats, public = True, (FUNCTION, METHOD)

    def scalar(input):
        return where(input != input, input, where(input < 0, math.pi, 0.0))

    def numpy(input):
        return np.where(input < 0, input.dtype.type(np.pi), np.where(input == input, input.dtype.type(0), input))

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    samples = unary()
