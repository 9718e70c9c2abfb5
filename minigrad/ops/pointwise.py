"""Arithmetic, and the functions everything is made of: one block per op.

The first file of the reading path: a block says what one number becomes (`scalar`) and what its gradient is
(`grad_<input>`, given the gradient `g` of the output).  `registry.py` says what is made of it.  The other
elementary functions stand in `elementary.py`, activations in `activation.py`.  Formulas are the textbook ones;
semantics at the edges (ties, NaN, zero) are PyTorch's.
"""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.registry import FUNCTION, INPLACE, METHOD, TENSORS, Pointwise, np_dtype, on_every_path
from minigrad.samples import binary, tensors, unary

F16 = np.dtype(np.float16)


class add(Pointwise):
    """add(input, other, *, alpha=1) -> Tensor

    Adds ``alpha * other`` to input, elementwise with broadcasting: ``input + alpha * other``.
    (PyTorch: torch.add)
    """

    numpy, symbol, dunder, number = np.add, "+", ("__add__", "__radd__"), "any"

    def scalar(input, other):
        return input + other

    def grad_input(g):
        return g

    def grad_other(g):
        return g

    def keywords(input, other, *, alpha=1):
        return add(input, other * fitting_alpha("add", alpha, input, other))

    samples = binary()


class sub(Pointwise):
    """sub(input, other, *, alpha=1) -> Tensor

    Subtracts ``alpha * other`` from input, elementwise with broadcasting: ``input - alpha * other``.
    (PyTorch: torch.sub)
    """

    numpy, symbol, dunder, alias, number = np.subtract, "−", ("__sub__",), ("subtract",), "any"
    no_bools = (
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the "
        "`~` or `logical_not()` operator instead."
    )

    def backward_name(node):
        return "RsubBackward1" if node.attrs and 0 in node.attrs else "SubBackward0"  # PyTorch has an op for 1 - x

    def scalar(input, other):
        return input - other

    def grad_input(g):
        return g

    def grad_other(g):
        return -g

    def keywords(input, other, *, alpha=1):
        return sub(input, other * fitting_alpha("sub", alpha, input, other))

    samples = binary()


@on_every_path("fitting_alpha")
def fitting_alpha(op, alpha, *operands):
    """`alpha`, which must be an integer where all operands are, and a bool only where they are bools."""
    if hasattr(alpha, "item"):
        alpha = alpha.item()
    found = [np_dtype(operand) for operand in operands]
    kinds = {dtype.kind for dtype in found}
    if isinstance(alpha, float) and "f" not in kinds:
        raise RuntimeError(
            f"For integral input tensors, argument alpha must not be a floating point number, but {op}() got {alpha}"
        )
    if isinstance(alpha, bool) and kinds != {"b"}:
        raise RuntimeError(f"Boolean alpha only supported for Boolean results, but {op}() got {alpha}")
    if F16 in found or not -65504.0 <= alpha <= 65504.0:
        widest = np.result_type(*[np_dtype(operand) for operand in operands if hasattr(operand, "ndim")])
        TENSORS["check_fits"](widest, alpha)
        if widest == F16:
            return float(np.float16(alpha))  # PyTorch has alpha in half before it multiplies
    return bool(alpha) if kinds == {"b"} else alpha


class mul(Pointwise):
    """mul(input, other) -> Tensor

    The product, elementwise with broadcasting. (PyTorch: torch.mul)
    """

    numpy, symbol, dunder, alias, number = np.multiply, "×", ("__mul__", "__rmul__"), ("multiply",), "any"
    wide_last = "scalar"

    def scalar(input, other):
        return input * other

    def grad_input(g, other):
        return g * other

    def grad_other(g, input):
        return g * input

    samples = binary()


class div(Pointwise):
    """div(input, other, *, rounding_mode=None) -> Tensor

    The quotient, elementwise with broadcasting. rounding_mode: None (true division; integers become floats),
    "trunc" (towards zero) or "floor" (towards minus infinity), which keep the integer dtype. Division by zero gives inf
    or NaN. (PyTorch: torch.div)
    """

    numpy, symbol, dunder, alias = np.true_divide, "÷", ("__truediv__",), ("divide", "true_divide")
    floats, number, wide_last = True, "any", "scalar"

    def scalar(input, other):
        return input / other

    def grad_input(g, other):
        return g / other

    def grad_other(g, input, other):
        return -g * ((input / other) / other)

    def keywords(input, other, *, rounding_mode=None):
        if rounding_mode == "floor":
            return div_floor(input, other)
        if rounding_mode != "trunc":
            raise RuntimeError(
                f"div expected rounding_mode to be one of None, 'trunc', or 'floor' but found '{rounding_mode}'"
            )
        return div_trunc(input, other)

    samples = binary(0.5, 3.0)


class pow(Pointwise):
    """pow(input, exponent) -> Tensor

    ``input ** exponent``, elementwise with broadcasting; integers with a negative exponent raise RuntimeError.
    The gradient of the exponent where input is 0 is 0, as in PyTorch. (PyTorch: torch.pow)
    """

    symbol, dunder = "**", ("__pow__",)

    def backward_name(node):
        return "PowBackward1" if not node.attrs else "PowBackward0" if 1 in node.attrs else "PowBackward2"

    jit_forward = jit_rules = False
    number = "one"

    def check(args):
        refuse_powers(*args)

    def numpy(input, exponent):
        return power(input, exponent)

    def scalar(input, exponent):
        return input**exponent

    def one(input, exponent):
        power = input**exponent
        return power if power.__class__ is not complex else math.nan

    def grad_input(g, input, exponent):
        return g * (exponent * pow(input, one_less(exponent)))

    def grad_exponent(g, input, exponent, output):
        return where((input == 0) & (exponent >= 0), 0.0, g * (output * log(input)))

    samples = binary(0.5, 2.0, -2.0, 2.0)


@on_every_path("one_less")
def one_less(exponent):
    """The exponent of the derivative; 0 stays 0, for a negative power would be NaN in the derivatives of 0 ** 0."""
    if hasattr(exponent, "array"):
        return TENSORS["where"](exponent == 0, 0.0, exponent - 1)
    return exponent - (exponent != 0)


def power(input, exponent):
    """NumPy's power; squares and cubes by multiplication, as small constant exponents are the common ones."""
    if exponent.ndim == 0 and input.dtype == exponent.dtype and input.dtype.kind == "f":
        if exponent == 2:
            return np.square(input)
        if exponent == 3:
            return input * input * input
        if exponent == 0.5:
            return np.sqrt(input)
        if exponent == -1:
            return np.reciprocal(input)
    if input.dtype.kind == "i" and exponent.size and exponent.min() < 0:
        fraction = np.where(exponent % 2 == 0, np.abs(input), input) * (np.abs(input) == 1)  # 0 but for 1 and -1
        return np.where(exponent < 0, fraction, np.power(input, np.maximum(exponent, 0)))
    if input.dtype.kind == "b":
        return input | ~exponent
    return np.power(input, exponent)


def refuse_powers(base, exponent):
    """What PyTorch refuses: an integer tensor to a negative whole number, bool tensors to bool tensors."""
    is_number = isinstance(exponent, int | np.integer) and not isinstance(exponent, bool)
    if is_number and exponent < 0 and np_dtype(base).kind in "biu":
        raise RuntimeError("Integers to negative integer powers are not allowed: convert the base with .float()")
    if np_dtype(base) == F16:
        TENSORS["check_fits"](np_dtype(base), exponent)
    if np_dtype(base).kind == np_dtype(exponent).kind == "b" and not isinstance(exponent, bool | np.bool_):
        raise NotImplementedError("\"pow\" not implemented for 'Bool': convert the input with .to()")


class neg(Pointwise):
    """neg(input) -> Tensor

    ``-input``. (PyTorch: torch.neg)
    """

    numpy, symbol, dunder, alias = np.negative, "−", ("__neg__",), ("negative",)
    no_bools = (
        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to invert "
        "a mask, use the `~` "
        "or `logical_not()` operator instead."
    )

    def scalar(input):
        return -input

    def grad_input(g):
        return -g

    samples = unary()


class sqrt(Pointwise):
    """sqrt(input) -> Tensor

    The square root; NaN for negative numbers. (PyTorch: torch.sqrt)
    """

    numpy, floats, symbol = np.sqrt, True, "√"

    def scalar(input):
        return math.sqrt(input)

    def grad_input(g, output):
        return g / (2.0 * output)

    samples = unary(0.3, 4.0)


class exp(Pointwise):
    """exp(input) -> Tensor

    The exponential, ``e ** input``. (PyTorch: torch.exp)
    """

    numpy, floats = np.exp, True

    def scalar(input):
        return math.exp(input)

    def grad_input(g, output):
        return g * output

    samples = unary()


class log(Pointwise):
    """log(input) -> Tensor

    The natural logarithm; -inf at 0, NaN below. (PyTorch: torch.log)
    """

    numpy, floats = np.log, True

    def scalar(input):
        return math.log(input)

    def grad_input(g, input):
        return g / input

    samples = unary(0.2, 5.0)


class tanh(Pointwise):
    """tanh(input) -> Tensor

    The hyperbolic tangent, ``(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)``. (PyTorch: torch.tanh)
    """

    numpy, floats = np.tanh, True
    public = (FUNCTION, METHOD, INPLACE, "functional")

    def scalar(input):
        return math.tanh(input)

    def grad_input(g, output):
        return g * (1.0 - output * output)

    samples = unary()


class maximum(Pointwise):
    """maximum(input, other) -> Tensor

    The larger of each pair; NaN wins. Where they are equal each gets half the gradient, where one is NaN each gets all
    of it. (PyTorch: torch.maximum)
    """

    numpy, number = np.maximum, "none"

    def scalar(input, other):
        return where((input > other) | (input != input), input, other)

    def grad_input(g, input, other):
        return where(input == other, 0.5 * g, where(input < other, 0.0, g))

    def grad_other(g, input, other):
        return where(input == other, 0.5 * g, where(input > other, 0.0, g))

    public = (FUNCTION, METHOD)
    samples = tensors()
