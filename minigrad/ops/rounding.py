"""Rounding, division that rounds, and its remainders. Integers have no infinity: dividing them by zero is an error."""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.registry import SPECIAL, Plain, Pointwise, composite, on_every_path
from minigrad.samples import S, binary, of, unary


def nonzero_divisor(op, other):
    """The divisor; RuntimeError if it is an integer zero."""
    if other.dtype.kind in "iu" and not other.all():
        raise RuntimeError(f"ZeroDivisionError: {op}() of integers by zero")
    return other


class floor_divide(Pointwise):
    """floor_divide(input, other) -> Tensor

    ``floor(input / other)``, elementwise with broadcasting; integers stay integers. Not differentiable: use
    ``div(rounding_mode="floor")``, whose gradient is zero. (PyTorch: torch.floor_divide)
    """

    symbol, dunder, kinds, number, wide_last = "//", ("__floordiv__",), "iuf", "any", "scalar"

    def numpy(input, other):
        return np.floor_divide(input, nonzero_divisor("floor_divide", other))

    def scalar(input, other):
        return input // other

    samples = binary(0.5, 3.0)


class div_floor(Plain):
    """The quotient rounded down; called by `div`."""

    public, symbol, kinds, number, backward_name = (), "÷", "iuf", "any", "DivBackward3"
    wide_last = "scalar"

    def numpy(input, other):
        return np.floor_divide(input, nonzero_divisor("div", other))

    def scalar(input, other):
        return input // other

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    def grad_other(g):
        return where(g == 0, 0.0 * g, 0.0)


class div_trunc(Plain):
    """The quotient rounded towards zero; called by `div`."""

    public, symbol, kinds, number, backward_name = (), "÷", "iuf", "any", "DivBackward3"
    wide_last = "scalar"

    def numpy(input, other):
        if input.dtype.kind == "f":
            return np.trunc(np.true_divide(input, other))
        below = np.floor_divide(input, nonzero_divisor("div", other))  # one too low where inexact and negative
        return below + ((below < 0) & (below * other != input)).astype(below.dtype)

    def scalar(input, other):
        return math.trunc(input / other)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    def grad_other(g):
        return where(g == 0, 0.0 * g, 0.0)


class remainder(Pointwise):
    """remainder(input, other) -> Tensor

    The remainder with the sign of the divisor, as Python's ``%``. (PyTorch: torch.remainder)
    """

    symbol, dunder, kinds, number = "%", ("__mod__",), "iuf", "one"
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
        return -g * div_floor(input, other)

    samples = binary(0.5, 3.0)


class fmod(Plain):
    """fmod(input, other) -> Tensor

    The remainder with the sign of the input, as C's ``fmod``. (PyTorch: torch.fmod)
    """

    kinds = "iuf"

    def numpy(input, other):
        return np.fmod(input, nonzero_divisor("fmod", other))

    def scalar(input, other):
        return math.fmod(input, other)

    def grad_input(g):
        return g

    def grad_other(g, input, other):
        return -g * div_trunc(input, other)

    samples = binary(0.5, 3.0)


class floor(Pointwise):
    """floor(input) -> Tensor

    The largest integer not above the input; the gradient is zero. (PyTorch: torch.floor)
    """

    numpy, symbol, kinds = np.floor, "⌊x⌋", "iuf"

    def scalar(input):
        return math.floor(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)  # zero even where g is inf or NaN

    samples = unary()


class ceil(Pointwise):
    """ceil(input) -> Tensor

    The smallest integer not below the input; the gradient is zero. (PyTorch: torch.ceil)
    """

    numpy, symbol, kinds = np.ceil, "⌈x⌉", "iuf"

    def scalar(input):
        return math.ceil(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    samples = unary()


class trunc(Plain):
    """trunc(input) -> Tensor

    The integer next to the input on the way to zero; the gradient is zero. (PyTorch: torch.trunc)
    """

    numpy, kinds, alias = np.trunc, "iuf", ("fix",)

    def scalar(input):
        return math.trunc(input)

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    samples = unary()


class frac(Plain):
    """frac(input) -> Tensor

    What `trunc` leaves of the input: ``input - trunc(input)``. (PyTorch: torch.frac)
    """

    kinds = "f"

    def scalar(input):
        return input - trunc(input)

    def grad_input(g):
        return g

    samples = unary()


class round_(Plain):
    """round(input, *, decimals=0) -> Tensor

    The nearest integer, the even one of two; with decimals, the nearest multiple of ``10**-decimals`` (floats only).
    The gradient is zero. (PyTorch: torch.round)
    """

    kinds = "iuf"

    def numpy(input):
        return np.rint(input) if input.dtype.kind == "f" else input.copy()

    def scalar(input):
        return float(round_half_even(input))

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)

    def keywords(input, *, decimals=0):
        return round_decimals(input, whole_number("round", "decimals", decimals))

    samples = unary()


@on_every_path("whole_number")
def whole_number(op, argument, value):
    """An argument that must be an int."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool):
        raise TypeError(f"{op}(): argument '{argument}' must be int, not {type(value).__name__}")
    return value


class round_decimals(Plain):
    """The nearest multiple of 10**-decimals; called by `round`."""

    public, kinds, backward_name = (), "f", "RoundBackward1"

    def numpy(input, decimals):
        scale = input.dtype.type(10.0 ** np.abs(decimals))
        return np.rint(input / scale) * scale if decimals < 0 else np.rint(input * scale) / scale

    def scalar(input, /, decimals):
        return round_half_even(input * 10.0**decimals) / 10.0**decimals

    def grad_input(g):
        return where(g == 0, 0.0 * g, 0.0)


@composite(public=(SPECIAL,), samples=of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), decimals=1)), out=True)
def special_round(input, *, decimals=0):
    """special.round(input, *, decimals=0) -> Tensor

    `round`, of floats only. (PyTorch: torch.special.round)
    """
    return round_decimals(input, whole_number("special.round", "decimals", decimals))


round_half_even = round  # Python's: in the op language the name means the op
