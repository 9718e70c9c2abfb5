"""Special functions: the error function and its kin, the gamma function and its kin. Most run `kernels/special.py`."""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.kernels import incomplete
from minigrad.kernels import special as kernels
from minigrad.kernels.vecmath import ARRAY_FUNCTIONS
from minigrad.registry import FUNCTION, INPLACE, METHOD, SPECIAL, Plain, Pointwise, composite, np_dtype, on_every_path
from minigrad.samples import S, binary, constant, of, unary


def number_of(function, *numbers):
    """A function of arrays, of numbers."""
    return float(function(*[np.asarray(number, np.float64) for number in numbers]))


class erf(Pointwise):
    """erf(input) -> Tensor

    The error function, ``2/√π ∫₀ˣ exp(-t²) dt``. (PyTorch: torch.erf)
    """

    floats, array, alias = True, ARRAY_FUNCTIONS["erf"], ("special.erf",)

    def scalar(input):
        return math.erf(input)

    def grad_input(g, input):
        return g * (1.1283791670955126 * exp(-input * input))

    samples = unary()


class erfc(Plain):
    """erfc(input) -> Tensor

    ``1 - erf(input)``, accurate where that is small. (PyTorch: torch.erfc)
    """

    numpy, floats, alias = kernels.erfc, True, ("special.erfc",)

    def scalar(input):
        return math.erfc(input)

    def grad_input(g, input):
        return g * (-1.1283791670955126 * exp(-input * input))

    samples = unary()


class erfinv(Plain):
    """erfinv(input) -> Tensor

    The inverse of `erf`: ±inf at ±1, NaN beyond. (PyTorch: torch.erfinv)
    """

    numpy, floats, alias = kernels.erfinv, True, ("special.erfinv",)

    def scalar(input):
        return number_of(kernels.erfinv, input)

    def grad_input(g, output):
        return g * (0.886226925452758 * exp(output * output))

    samples = unary(-0.9, 0.9)


class special_erfcx(Plain):
    """special.erfcx(input) -> Tensor

    The scaled complementary error function, ``exp(input²) erfc(input)``. (PyTorch: torch.special.erfcx)
    """

    numpy, floats, public = kernels.erfcx, True, (SPECIAL,)

    def scalar(input):
        return number_of(kernels.erfcx, input)

    def grad_input(g, input, output):
        return g * (2.0 * input * output - 1.1283791670955126)

    samples = unary()


@composite(public=(SPECIAL,), samples=unary(), out=True)
def special_ndtr(input):
    """special.ndtr(input) -> Tensor

    The normal distribution function, ``erfc(-input / √2) / 2``. (PyTorch: torch.special.ndtr)
    """
    return 0.5 * erfc(input * -0.7071067811865476)


class special_ndtri(Plain):
    """special.ndtri(input) -> Tensor

    The inverse of `special.ndtr`: -inf at 0, inf at 1, NaN outside. (PyTorch: torch.special.ndtri)
    """

    numpy, floats, public = kernels.ndtri, True, (SPECIAL,)

    def scalar(input):
        return number_of(kernels.ndtri, input)

    def grad_input(g, output):
        return g * (2.5066282746310002 * exp(0.5 * output * output))

    samples = unary(0.05, 0.95)


def log_ndtr(x):
    """log(ndtr(x)) of an array: by erfcx where ndtr itself would be lost."""
    left = np.log(0.5 * kernels.erfcx(np.maximum(-x, 1) * x.dtype.type(math.sqrt(0.5)))) - 0.5 * x * x
    return np.where(x < -1, left, np.log1p(-0.5 * kernels.erfc(x * x.dtype.type(math.sqrt(0.5)))))


class special_log_ndtr(Plain):
    """special.log_ndtr(input) -> Tensor

    The logarithm of `special.ndtr`, accurate far out on the left. (PyTorch: torch.special.log_ndtr)
    """

    numpy, floats, public = log_ndtr, True, (SPECIAL,)

    def scalar(input):
        return number_of(log_ndtr, input)

    def grad_input(g, input):
        return g * (0.7978845608028654 / special_erfcx(input * -0.7071067811865476))

    samples = unary()


class special_entr(Plain):
    """special.entr(input) -> Tensor

    ``-input * log(input)``: 0 at 0, -inf below. (PyTorch: torch.special.entr)
    """

    floats, public = True, (SPECIAL,)

    def numpy(input):
        value = np.where(input == 0, input.dtype.type(0), -input * np.log(input))
        return np.where(input < 0, -input.dtype.type(np.inf), value)

    def scalar(input):
        return -input * math.log(input) if input > 0 else 0.0 if input == 0 else -math.inf if input < 0 else math.nan

    def grad_input(g, input):
        return g * (-log(input) - 1.0)

    samples = unary(0.2, 3.0)


class xlogy(Plain):
    """xlogy(input, other) -> Tensor

    ``input * log(other)``, 0 where input is 0 (unless other is NaN), elementwise with broadcasting.
    (PyTorch: torch.xlogy)
    """

    floats, number, alias = True, "one", ("special.xlogy",)

    def scalar(input, other):
        return where((input == 0) & (other == other), 0.0, input * log(other))

    def grad_input(g, input, other):
        return where((input == 0) & (other <= 0), 0.0, g * log(other))

    def grad_other(g, input, other):
        return g * (input / other)

    samples = binary(0.5, 3.0)


class special_xlog1py(Plain):
    """special.xlog1py(input, other) -> Tensor

    ``input * log1p(other)``, 0 where input is 0 (unless other is NaN), elementwise with broadcasting.
    (PyTorch: torch.special.xlog1py)
    """

    floats, number, public = True, "one", (SPECIAL,)

    def scalar(input, other):
        return where((input == 0) & (other == other), 0.0, input * log1p(other))

    def grad_input(g, input, other):
        return where((input == 0) & (other <= -1), 0.0, g * log1p(other))

    def grad_other(g, input, other):
        return g * (input / (other + 1.0))

    samples = binary(0.5, 3.0)


@composite(
    public=(FUNCTION, METHOD, INPLACE),
    alias=("special.logit",),
    out=True,
    samples=of(lambda make: S(make(3, 4, low=0.1, high=0.9)), lambda make: S(make(3, 4, low=0.05, high=0.95), 0.2)),
)
def logit(input, eps=None):
    """logit(input, eps=None) -> Tensor

    ``log(input / (1 - input))``, the inverse of `sigmoid`; eps: the input is first limited to [eps, 1 - eps].
    (PyTorch: torch.logit)
    """
    return log_odds(input, -1.0 if eps is None else eps)


class log_odds(Plain):
    """The logarithm of the odds; eps below 0: no limits. Called by `logit`."""

    floats, public, backward_name = True, (), "LogitBackward0"

    def scalar(input, /, eps):
        within = input if eps < 0 else minimum(maximum(input, eps), 1.0 - eps)
        return log(within / (1.0 - within))

    def grad_input(g, input, eps):
        low = eps if eps > 0 else 0.0
        outside = (input < low) | (input > 1.0 - low)
        return where(outside, math.nan if eps < 0 else 0.0, g / (input * (1.0 - input)))


# ---- the gamma function


class lgamma(Plain):
    """lgamma(input) -> Tensor

    ``log |Γ(input)|``; inf at 0 and the negative integers. (PyTorch: torch.lgamma)
    """

    numpy, floats, alias = kernels.lgamma, True, ("special.gammaln",)

    def scalar(input):
        return number_of(kernels.lgamma, input)

    def grad_input(g, input):
        return g * digamma(input)

    samples = unary(0.3, 5.0)


class digamma(Plain):
    """digamma(input) -> Tensor

    The derivative of `lgamma`; ∓inf at ±0, NaN at the negative integers. (PyTorch: torch.digamma)
    """

    numpy, floats, alias = kernels.digamma, True, ("special.digamma", "special.psi")

    def scalar(input):
        return number_of(kernels.digamma, input)

    def grad_input(g, input):
        return g * polygamma_of(input, 1)

    samples = unary(0.5, 5.0)


class polygamma_of(Plain):
    """The derivative of an order of `digamma`; called by `polygamma`."""

    floats, public, backward_name = True, (), "PolygammaBackward0"

    def numpy(input, order):
        return kernels.polygamma(order, input)

    def scalar(input, /, order):
        return float(kernels.polygamma(order, np.asarray(input, np.float64)))

    def grad_input(g, input, order):
        return g * polygamma_of(input, order + 1)


@composite(
    public=(FUNCTION,),
    alias=("special.polygamma",),
    out=True,
    samples=of(lambda make: S(1, make(3, 4, low=0.5, high=4.0)), lambda make: S(2, make(5, low=0.5, high=4.0))),
)
def polygamma(n, input):
    """polygamma(n, input) -> Tensor

    The n-th derivative of `digamma`. (PyTorch: torch.polygamma)
    """
    if whole_number("polygamma", "n", n) < 0:
        raise RuntimeError(f"polygamma(n, x) does not support negative n, but got n={n}")
    return digamma(input) if n == 0 else polygamma_of(input, n)


@composite(
    public=(FUNCTION, METHOD, INPLACE),
    alias=("special.multigammaln",),
    out=True,
    samples=of(lambda make: S(make(3, 4, low=1.5, high=4.0), 2)),
)
def mvlgamma(input, p):
    """mvlgamma(input, p) -> Tensor

    The logarithm of the p-dimensional gamma function: ``p (p - 1) / 4 log π + Σ lgamma(input - j / 2)``, j from 0 to
    p - 1. (PyTorch: torch.mvlgamma)
    """
    if np_dtype(input).kind == "b":
        raise RuntimeError("mvlgamma(): The input tensor may not be a boolean tensor: convert it with .to()")
    if whole_number("mvlgamma", "p", p) < 1:
        raise RuntimeError(f"mvlgamma: p has to be greater than or equal to 1, but got {p}")
    total = lgamma(input) + p * (p - 1) / 4 * math.log(math.pi)
    for j in range(1, p):
        total = total + lgamma(input - 0.5 * j)
    return total


class special_zeta(Plain):
    """special.zeta(input, other) -> Tensor

    Hurwitz' zeta function, ``Σ 1 / (other + k)^input`` over k = 0, 1, ...; differentiable by `other` only, as in
    PyTorch. (PyTorch: torch.special.zeta)
    """

    numpy, floats, number, public = kernels.zeta, True, "one", (SPECIAL,)

    def scalar(input, other):
        return number_of(kernels.zeta, input, other)

    def grad_other(g, input, other):
        return g * -input * special_zeta(input + 1.0, other)

    samples = of(
        lambda make: S(constant([[1.5], [2.0], [7.0]]), make(3, 4, low=0.5, high=4.0)),
        lambda make: S(2.5, make(5, low=0.5, high=4.0)),
    )


@on_every_path("no_derivative")
def no_derivative(op, argument):
    """The error for a derivative that nobody has."""
    raise NotImplementedError(f"{op}(): the derivative for '{op}: {argument}' is not implemented: detach() it")


class igamma(Plain):
    """igamma(input, other) -> Tensor

    The regularised lower incomplete gamma function, ``1/Γ(input) ∫ t^(input-1) exp(-t) dt`` over t from 0 to other;
    differentiable by `other` only, as in PyTorch. (PyTorch: torch.igamma)
    """

    numpy, kinds, number, alias = incomplete.gammainc, "f", "none", ("special.gammainc",)

    def scalar(input, other):
        return number_of(incomplete.gammainc, input, other)

    def grad_input(g, input):
        return no_derivative("igamma", "input")

    def grad_other(g, input, other):
        return g * exp((input - 1.0) * log(other) - other - lgamma(input))

    samples = of(
        lambda make: S(constant([[1.5, 2.0, 7.0]] * 2), make(3, low=0.5, high=9.0)),
        lambda make: S(constant([1.0, 2.5]), make(low=0.5, high=4.0)),
    )


class igammac(Plain):
    """igammac(input, other) -> Tensor

    The regularised upper incomplete gamma function, ``1 - igamma(input, other)``; differentiable by `other` only, as in
    PyTorch. (PyTorch: torch.igammac)
    """

    numpy, kinds, number, alias = incomplete.gammaincc, "f", "none", ("special.gammaincc",)

    def scalar(input, other):
        return number_of(incomplete.gammaincc, input, other)

    def grad_input(g, input):
        return no_derivative("igammac", "input")

    def grad_other(g, input, other):
        return g * -exp((input - 1.0) * log(other) - other - lgamma(input))

    samples = of(
        lambda make: S(constant([[1.5, 2.0, 7.0]] * 2), make(3, low=0.5, high=9.0)),
        lambda make: S(constant([1.0, 2.5]), make(low=0.5, high=4.0)),
    )


# ---- Bessel functions


class i0(Plain):
    """i0(input) -> Tensor

    The modified Bessel function of the first kind, of order 0. (PyTorch: torch.i0)
    """

    numpy, floats, alias = kernels.i0, True, ("special.i0",)

    def scalar(input):
        return number_of(kernels.i0, input)

    def grad_input(g, input):
        return g * special_i1(input)

    samples = unary()


class special_i0e(Plain):
    """special.i0e(input) -> Tensor

    ``exp(-|input|) i0(input)``. (PyTorch: torch.special.i0e)
    """

    numpy, floats, public = kernels.i0e, True, (SPECIAL,)

    def scalar(input):
        return number_of(kernels.i0e, input)

    def grad_input(g, input, output):
        return g * (special_i1e(input) - sign(input) * output)

    samples = unary()


class special_i1(Plain):
    """special.i1(input) -> Tensor

    The modified Bessel function of the first kind, of order 1. (PyTorch: torch.special.i1)
    """

    numpy, floats, public = kernels.i1, True, (SPECIAL,)

    def scalar(input):
        return number_of(kernels.i1, input)

    def grad_input(g, input, output):
        return g * where(input == 0, 0.5, i0(input) - output / where(input == 0, 1.0, input))

    samples = unary()


class special_i1e(Plain):
    """special.i1e(input) -> Tensor

    ``exp(-|input|) special.i1(input)``. (PyTorch: torch.special.i1e)
    """

    numpy, floats, public = kernels.i1e, True, (SPECIAL,)

    def scalar(input):
        return number_of(kernels.i1e, input)

    def grad_input(g, input, output):
        return g * where(
            input == 0, 0.5, special_i0e(input) - output * (sign(input) + 1.0 / where(input == 0, 1.0, input))
        )

    samples = unary()
