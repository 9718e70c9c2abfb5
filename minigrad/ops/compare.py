"""Comparison, logic and choice: ops whose results are bools, and `where`, which chooses by them."""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTION, INPLACE, METHOD, Op, Pointwise, composite, on_every_path
from minigrad.samples import S, binary, of, tensors, unary


class Comparison(Pointwise):
    """A pointwise op that gives bools; it has no gradient, and NaN compares as in IEEE 754."""

    boolean, fresh, jit_forward = True, False, False
    public = (FUNCTION, METHOD)


class eq(Comparison):
    """eq(input, other) -> BoolTensor

    ``input == other``, elementwise with broadcasting. (PyTorch: torch.eq)
    """

    numpy, symbol = np.equal, "="

    def scalar(input, other):
        return input == other

    samples = binary()


class ne(Comparison):
    """ne(input, other) -> BoolTensor

    ``input != other``, elementwise with broadcasting. (PyTorch: torch.ne)
    """

    numpy, symbol, alias = np.not_equal, "≠", ("not_equal",)

    def scalar(input, other):
        return input != other

    samples = binary()


class lt(Comparison):
    """lt(input, other) -> BoolTensor

    ``input < other``, elementwise with broadcasting. (PyTorch: torch.lt)
    """

    numpy, symbol, alias, dunder = np.less, "<", ("less",), ("__lt__",)

    def scalar(input, other):
        return input < other

    samples = binary()


class le(Comparison):
    """le(input, other) -> BoolTensor

    ``input <= other``, elementwise with broadcasting. (PyTorch: torch.le)
    """

    numpy, symbol, alias, dunder = np.less_equal, "≤", ("less_equal",), ("__le__",)

    def scalar(input, other):
        return input <= other

    samples = binary()


class gt(Comparison):
    """gt(input, other) -> BoolTensor

    ``input > other``, elementwise with broadcasting. (PyTorch: torch.gt)
    """

    numpy, symbol, alias, dunder = np.greater, ">", ("greater",), ("__gt__",)

    def scalar(input, other):
        return input > other

    samples = binary()


class ge(Comparison):
    """ge(input, other) -> BoolTensor

    ``input >= other``, elementwise with broadcasting. (PyTorch: torch.ge)
    """

    numpy, symbol, alias, dunder = np.greater_equal, "≥", ("greater_equal",), ("__ge__",)

    def scalar(input, other):
        return input >= other

    samples = binary()


class isnan(Comparison):
    """isnan(input) -> BoolTensor

    Where the input is NaN. (PyTorch: torch.isnan)
    """

    numpy = np.isnan

    def scalar(input):
        return input != input

    samples = unary()


class isinf(Comparison):
    """isinf(input) -> BoolTensor

    Where the input is plus or minus infinity. (PyTorch: torch.isinf)
    """

    numpy = np.isinf

    def scalar(input):
        return math.isinf(input)

    samples = unary()


class isfinite(Comparison):
    """isfinite(input) -> BoolTensor

    Where the input is neither NaN nor infinite. (PyTorch: torch.isfinite)
    """

    numpy = np.isfinite

    def scalar(input):
        return math.isfinite(input)

    samples = unary()


class logical_and(Comparison):
    """logical_and(input, other) -> BoolTensor

    Where both are nonzero. (PyTorch: torch.logical_and)
    """

    numpy, symbol = np.logical_and, "∧"

    def scalar(input, other):
        return bool(input) and bool(other)

    samples = tensors()


class logical_or(Comparison):
    """logical_or(input, other) -> BoolTensor

    Where either is nonzero. (PyTorch: torch.logical_or)
    """

    numpy, symbol = np.logical_or, "∨"

    def scalar(input, other):
        return bool(input) or bool(other)

    samples = tensors()


class logical_xor(Comparison):
    """logical_xor(input, other) -> BoolTensor

    Where exactly one is nonzero. (PyTorch: torch.logical_xor)
    """

    numpy, symbol = np.logical_xor, "⊻"

    def scalar(input, other):
        return bool(input) != bool(other)

    samples = tensors()


class logical_not(Comparison):
    """logical_not(input) -> BoolTensor

    Where the input is zero. (PyTorch: torch.logical_not)
    """

    numpy, symbol = np.logical_not, "¬"

    def scalar(input):
        return not input

    samples = unary()


class Bitwise(Pointwise):
    """A pointwise op on the bits of integers, or on bools."""

    fresh = jit_forward = False


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

    numpy, symbol, dunder = np.bitwise_not, "~", ("__invert__",)

    def scalar(input):
        return ~input

    samples = of(lambda make: S(make(3, 4, kind="i", low=0, high=9)), lambda make: S(make(3, 4, kind="b")))


def chosen(op, condition, input, other):
    try:
        return np.where(condition, input, other)
    except ValueError:
        shapes = ", ".join([shape_text(a.shape) for a in (condition, input, other)])
        raise RuntimeError(f"{op}(): the shapes {shapes} do not broadcast: each size must match or be 1") from None


class where(Op):
    """where(condition, input, other) -> Tensor

    input where condition is true, other elsewhere; the three broadcast, and input and other are promoted.
    ``where(condition)`` alone gives the indices of the true elements, as ``nonzero(as_tuple=True)``.
    Shapes: any that broadcast; condition is bool. (PyTorch: torch.where)
    """

    broadcasts = fresh = True
    symbol, public = "where", (FUNCTION,)  # the method takes its arguments in another order: conversion.where

    def prepare(condition, input, other):
        return (condition, *promoted(input, other))

    def forward(condition, input, other, /):
        if condition.dtype.kind != "b":
            raise RuntimeError(
                f"where(): expected condition to be a boolean tensor, but got a tensor of {condition.dtype}"
            )
        return chosen("where", condition, input, other)

    def grad_input(g, condition):
        return where(condition, g, 0.0)

    def grad_other(g, condition):
        return where(condition, 0.0, g)

    samples = of(
        lambda make: S(make(3, 4, kind="b"), make(3, 4), make(3, 4)),
        lambda make: S(make(3, 1, kind="b"), make(4), make(3, 4)),
        lambda make: S(make(3, 4, kind="b"), make(3, 4), 0.5),
    )


class masked_fill(Op):
    """masked_fill(input, mask, value) -> Tensor

    input with `value` (a number or a 0-dim tensor) where mask is true; mask broadcasts to input.
    (PyTorch: torch.Tensor.masked_fill)
    """

    fresh = True
    broadcasts = True
    public = (FUNCTION, METHOD, INPLACE)

    def prepare(input, mask, value):
        return input, mask, filler(input, value)

    def forward(input, mask, value, /):
        if mask.dtype.kind != "b":
            raise RuntimeError(f"masked_fill(): mask is expected to be BoolTensor, but got a tensor of {mask.dtype}")
        if value.ndim:
            raise RuntimeError(
                f"masked_fill(): value is expected to be a 0-dim tensor, but got {value.ndim} dimensions"
            )
        return chosen("masked_fill", mask, value, input)

    def grad_input(g, mask):
        return where(mask, 0.0, g)

    def grad_value(g, mask):
        return where(mask, g, 0.0)

    samples = of(
        lambda make: S(make(3, 4), make(3, 4, kind="b"), 0.5),
        lambda make: S(make(3, 4), make(4, kind="b"), -1.0),
    )


@composite(
    alias=("clip",),
    samples=of(
        lambda make: S(make(3, 4), -0.9, 1.1),
        lambda make: S(make(3, 4), min=0.3),
        lambda make: S(make(5), max=0.3),
        lambda make: S(make(3, 4), make(4), make(3, 1)),
    ),
)
def clamp(input, min=None, max=None):
    """clamp(input, min=None, max=None) -> Tensor

    The input limited to [min, max] (numbers, or tensors that broadcast; None: no limit on that side). The gradient is 1
    within the limits, ends included, and 0 outside; integers with a float limit become floats. (PyTorch: torch.clamp)
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if not hasattr(min, "ndim") and not hasattr(max, "ndim"):
        if isinstance(min, float) or isinstance(max, float):
            input = to_float(input)
        return clamp_numbers(input, min, max)
    return clamp_tensors(input, min, max)


class clamp_numbers(Op):
    """The input limited to [min, max], numbers; called by `clamp`."""

    fresh, public, symbol, backward_name = True, (), "clamp", "ClampBackward1"

    def forward(input, /, min, max):
        return np.clip(input, min, max).astype(input.dtype, copy=False)

    def grad_input(g, input, min, max):
        return where(in_range(input, min, max), g, 0.0)


class clamp_tensors(Op):
    """The input limited to [min, max], tensors; called by `clamp`. Where a limit holds, the gradient is the limit's."""

    fresh, broadcasts, public, optional = True, True, (), ("min", "max")
    symbol, backward_name = "clamp", "ClampBackward0"

    def prepare(input, min, max):
        input, *limits = promoted(input, *[limit for limit in (min, max) if limit is not None])
        return input, limits[0] if min is not None else None, limits[-1] if max is not None else None

    def forward(input, min, max, /):
        out = input if min is None else np.maximum(input, min)
        return np.array(out) if max is None else np.minimum(out, max)

    def grad_input(g, input, min, max):
        return where(in_range(input, min, max), g, 0.0)

    def grad_min(g, input, min, max):
        below = input < min
        return where(below if max is None else below & (min < max), g, 0.0)

    def grad_max(g, input, min, max):
        above = max < input
        return where(above if min is None else above | (max < min), g, 0.0)


@on_every_path("in_range")
def in_range(input, low, high):
    """A bool array (or tensor): where the input is within the limits."""
    if low is None:
        return input <= high
    return input >= low if high is None else (input >= low) & (input <= high)
