"""Whole numbers: their bits, shifts, common divisors and multiples. None of these has a gradient."""

import math

import numpy as np

from minigrad.registry import Plain
from minigrad.samples import S, of


class Bitwise(Plain):
    """A pointwise op on the bits of integers, or on bools."""

    fresh, kinds, number = False, "biu", "one"


class bitwise_and(Bitwise):
    """bitwise_and(input, other) -> Tensor

    ``input & other`` of integers or bools. (PyTorch: torch.bitwise_and)
    """

    numpy, symbol, dunder = np.bitwise_and, "&", ("__and__", "__rand__")

    def scalar(input, other):
        return input & other

    samples = of(lambda make: S(make(3, 4, kind="i", low=0, high=9), make(4, kind="i", low=0, high=9)))


class bitwise_or(Bitwise):
    """bitwise_or(input, other) -> Tensor

    ``input | other`` of integers or bools. (PyTorch: torch.bitwise_or)
    """

    numpy, symbol, dunder = np.bitwise_or, "|", ("__or__", "__ror__")

    def scalar(input, other):
        return input | other

    samples = of(lambda make: S(make(3, 4, kind="i", low=0, high=9), make(4, kind="i", low=0, high=9)))


class bitwise_xor(Bitwise):
    """bitwise_xor(input, other) -> Tensor

    ``input ^ other`` of integers or bools. (PyTorch: torch.bitwise_xor)
    """

    numpy, symbol, dunder = np.bitwise_xor, "^", ("__xor__", "__rxor__")

    def scalar(input, other):
        return input ^ other

    samples = of(lambda make: S(make(3, 4, kind="i", low=0, high=9), make(4, kind="i", low=0, high=9)))


class bitwise_not(Bitwise):
    """bitwise_not(input) -> Tensor

    ``~input`` of integers or bools. (PyTorch: torch.bitwise_not)
    """

    numpy, symbol, dunder, number = np.bitwise_not, "~", ("__invert__",), "last"

    def scalar(input):
        return ~input

    samples = of(lambda make: S(make(3, 4, kind="i", low=0, high=9)), lambda make: S(make(3, 4, kind="b")))


class bitwise_left_shift(Bitwise):
    """bitwise_left_shift(input, other) -> Tensor

    ``input << other`` of integers; 0 where other is negative or too large. (PyTorch: torch.bitwise_left_shift)
    """

    numpy, symbol, dunder, kinds = np.left_shift, "<<", ("__lshift__",), "iu"

    def scalar(input, other):
        return input << other

    samples = of(lambda make: S(make(3, 4, kind="i", low=0, high=9), make(4, kind="i", low=0, high=9)))


class bitwise_right_shift(Bitwise):
    """bitwise_right_shift(input, other) -> Tensor

    ``input >> other`` of integers, with the sign kept; where other is negative or too large only the sign is left.
    (PyTorch: torch.bitwise_right_shift)
    """

    numpy, symbol, dunder, kinds = np.right_shift, ">>", ("__rshift__",), "iu"

    def scalar(input, other):
        return input >> other

    samples = of(lambda make: S(make(3, 4, kind="i", low=-90, high=90), make(4, kind="i", low=0, high=9)))


class gcd(Bitwise):
    """gcd(input, other) -> Tensor

    The greatest common divisor of integers. (PyTorch: torch.gcd)
    """

    numpy, kinds, number = np.gcd, "iu", "none"

    def scalar(input, other):
        return math.gcd(input, other)

    samples = of(lambda make: S(make(3, 4, kind="i", low=-30, high=30), make(4, kind="i", low=1, high=30)))


class lcm(Bitwise):
    """lcm(input, other) -> Tensor

    The least common multiple of integers. (PyTorch: torch.lcm)
    """

    numpy, kinds, number = np.lcm, "iu", "none"

    def scalar(input, other):
        return math.lcm(input, other)

    samples = of(lambda make: S(make(3, 4, kind="i", low=-30, high=30), make(4, kind="i", low=1, high=30)))
