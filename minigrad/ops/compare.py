"""Comparison, logic and choice: ops whose results are bools, and `where`, which chooses by them."""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTION, INPLACE, METHOD, Op, Pointwise, np_dtype
from minigrad.samples import S, binary, of, tensors, unary


class Comparison(Pointwise):
    """A pointwise op that gives bools; it has no gradient, and NaN compares as in IEEE 754."""

    boolean, fresh, jit_forward = True, False, False
    public = (FUNCTION, METHOD, INPLACE)


class Test(Comparison):
    """A question about one number. PyTorch has no in-place form of these."""

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


class isnan(Test):
    """isnan(input) -> BoolTensor

    Where the input is NaN. (PyTorch: torch.isnan)
    """

    numpy = np.isnan

    def scalar(input):
        return input != input

    samples = unary()


class isinf(Test):
    """isinf(input) -> BoolTensor

    Where the input is plus or minus infinity. (PyTorch: torch.isinf)
    """

    numpy = np.isinf

    def scalar(input):
        return math.isinf(input)

    samples = unary()


class isfinite(Test):
    """isfinite(input) -> BoolTensor

    Where the input is neither NaN nor infinite. (PyTorch: torch.isfinite)
    """

    numpy = np.isfinite

    def scalar(input):
        return math.isfinite(input)

    samples = unary()


class isposinf(Test):
    """isposinf(input) -> BoolTensor

    Where the input is plus infinity. (PyTorch: torch.isposinf)
    """

    def scalar(input):
        return input == math.inf

    samples = unary()


class isneginf(Test):
    """isneginf(input) -> BoolTensor

    Where the input is minus infinity. (PyTorch: torch.isneginf)
    """

    def scalar(input):
        return input == -math.inf

    samples = unary()


class isreal(Test):
    """isreal(input) -> BoolTensor

    True everywhere: there are no complex numbers here. (PyTorch: torch.isreal)
    """

    def numpy(input):
        return np.ones(input.shape, bool)

    def scalar(input):
        return True

    samples = unary()


class signbit(Test):
    """signbit(input) -> BoolTensor

    Where the input is negative, -0.0 included. (PyTorch: torch.signbit)
    """

    def numpy(input):
        return np.signbit(input) if input.dtype.kind == "f" else input < 0

    def scalar(input):
        return math.copysign(1.0, input) < 0

    samples = unary()


class logical_and(Comparison):
    """logical_and(input, other) -> BoolTensor

    Where both are nonzero. (PyTorch: torch.logical_and)
    """

    numpy, symbol, number = np.logical_and, "∧", "none"

    def scalar(input, other):
        return bool(input) and bool(other)

    samples = tensors()


class logical_or(Comparison):
    """logical_or(input, other) -> BoolTensor

    Where either is nonzero. (PyTorch: torch.logical_or)
    """

    numpy, symbol, number = np.logical_or, "∨", "none"

    def scalar(input, other):
        return bool(input) or bool(other)

    samples = tensors()


class logical_xor(Comparison):
    """logical_xor(input, other) -> BoolTensor

    Where exactly one is nonzero. (PyTorch: torch.logical_xor)
    """

    numpy, symbol, number = np.logical_xor, "⊻", "none"

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

    broadcasts = fresh = keeps_layout = True
    symbol, public = "where", (FUNCTION,)  # the method takes its arguments in another order: conversion.where

    def prepare(condition, input, other):
        return (condition, *promoted(input, other))

    def forward(condition, input, other, /):
        if condition.dtype == np.uint8:
            warnings.warn("where(): a uint8 condition is deprecated: make it a bool tensor with .bool()", stacklevel=4)
            condition = condition.astype(bool)
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


class isin(Op):
    """isin(elements, test_elements, *, assume_unique=False, invert=False) -> BoolTensor

    Which elements are among the test elements (one of the two may be a number); invert: which are not.
    (PyTorch: torch.isin)
    """

    public = (FUNCTION,)

    def prepare(elements, test_elements, *, assume_unique=False, invert=False):
        if not hasattr(elements, "array") and not hasattr(test_elements, "array"):
            raise TypeError(f"isin(): argument 'elements' must be Tensor, not {type(elements).__name__}")
        if "b" in (np_dtype(elements).kind, np_dtype(test_elements).kind):
            raise RuntimeError("Unsupported input type encountered for isin(): Bool: convert it with .to()")
        return (*promoted(elements, test_elements), assume_unique, invert)

    def forward(elements, test_elements, /, assume_unique, invert):
        return np.isin(elements, test_elements, assume_unique=assume_unique, invert=invert)

    samples = of(
        lambda make: S(make(3, 4, kind="i"), make(3, kind="i")),
        lambda make: S(make(3, 4, kind="i"), 2, invert=True),
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
