"""Each op in the words of ONNX: a kind of node, or a function that writes several.

A function here is called ``function(graph, out, *inputs, **attributes)``: `out` is the op's result as an ordinary
tensor (its shape and dtype), inputs and attributes are the op's, as its `forward` has them. It returns the name of the
output.
"""

from __future__ import annotations

import math

from minigrad.dtypes import from_numpy_dtype

__all__ = ["ELEMENTS", "TABLE", "element_type", "number", "op"]

ELEMENTS = {"float32": 1, "uint8": 2, "int8": 3, "int16": 5, "int32": 6, "int64": 7, "bool": 9, "float16": 10,
            "float64": 11}  # fmt: skip
SAME = {  # one node of the same inputs, without attributes
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "add": "Add", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
    "atanh": "Atanh", "ceil": "Ceil", "clamp_max": "Min", "clamp_min": "Max",
    "contiguous_copy": "Identity", "cos": "Cos", "cosh": "Cosh", "div": "Div",
    "eq": "Equal", "erf": "Erf", "exp": "Exp", "floor": "Floor", "ge": "GreaterOrEqual", "gt": "Greater",
    "isinf": "IsInf", "isnan": "IsNaN", "le": "LessOrEqual", "log": "Log", "logical_and": "And", "logical_not": "Not",
    "logical_or": "Or", "logical_xor": "Xor", "lt": "Less", "matmul": "MatMul", "maximum": "Max", "minimum": "Min",
    "mul": "Mul", "neg": "Neg", "pow": "Pow", "prelu_kernel": "PRelu", "reciprocal": "Reciprocal", "relu": "Relu",
    "round": "Round", "sigmoid": "Sigmoid", "sign": "Sign", "sin": "Sin", "sinh": "Sinh", "softsign": "Softsign",
    "sqrt": "Sqrt", "sub": "Sub", "tan": "Tan", "tanh": "Tanh", "where": "Where", "hardswish": "HardSwish",
    "mish": "Mish",
}  # fmt: skip
TABLE = {name: lambda g, out, *inputs, kind=kind: g.add(kind, inputs) for name, kind in SAME.items()}


def op(function):
    """Put the function into the table, under its name."""
    TABLE[function.__name__.rstrip("_")] = function
    return function


def element_type(array) -> int:
    """ONNX's number for the array's dtype."""
    return ELEMENTS[from_numpy_dtype(array.dtype)._name]


def number(g, value, like):
    """A number in the dtype of a tensor."""
    return g.constant(value, like.array.dtype)


# ---- pointwise


@op
def clone(g, out, x, order):
    return g.add("Identity", [x])


TABLE["copy_laid_out"] = clone


@op
def silu(g, out, x):
    return g.add("Mul", [x, g.add("Sigmoid", [x])])


@op
def gated(g, out, x, gate):
    return g.add("Mul", [x, g.add("Sigmoid", [gate])])


@op
def gelu(g, out, x):
    half = g.add("Mul", [x, number(g, 0.5, out)])
    erf = g.add("Erf", [g.add("Mul", [x, number(g, math.sqrt(0.5), out)])])
    return g.add("Mul", [half, g.add("Add", [erf, number(g, 1, out)])])


@op
def gelu_tanh(g, out, x):
    cube = g.add("Mul", [g.add("Mul", [g.add("Mul", [x, x]), x]), number(g, 0.044715, out)])
    inner = g.add("Mul", [g.add("Add", [x, cube]), number(g, math.sqrt(2 / math.pi), out)])
    return g.add(
        "Mul", [g.add("Mul", [x, number(g, 0.5, out)]), g.add("Add", [g.add("Tanh", [inner]), number(g, 1, out)])]
    )


@op
def softplus(g, out, x, beta, threshold):
    scaled = x if beta == 1 else g.add("Mul", [x, number(g, beta, out)])
    soft = g.add("Softplus", [scaled])
    return soft if beta == 1 else g.add("Div", [soft, number(g, beta, out)])


@op
def logsigmoid(g, out, x):
    return g.add("Neg", [g.add("Softplus", [g.add("Neg", [x])])])


@op
def tanhshrink(g, out, x):
    return g.add("Sub", [x, g.add("Tanh", [x])])


@op
def leaky_relu(g, out, x, negative_slope):
    return g.add("LeakyRelu", [x], alpha=float(negative_slope))


@op
def elu(g, out, x, alpha):
    return g.add("Elu", [x], alpha=float(alpha))


@op
def celu(g, out, x, alpha):
    return g.add("Celu", [x], alpha=float(alpha))


@op
def selu(g, out, x):
    return g.add("Selu", [x])


@op
def hardsigmoid(g, out, x):
    return g.add("HardSigmoid", [x], alpha=1 / 6, beta=0.5)


@op
def hardtanh(g, out, x, min_val, max_val):
    return clamp_numbers(g, out, x, min_val, max_val)


@op
def relu6(g, out, x):
    return clamp_numbers(g, out, x, 0, 6)


@op
def clamp_numbers(g, out, x, min, max):
    return g.add("Clip", [x, *[None if bound is None else number(g, bound, out) for bound in (min, max)]])


@op
def threshold(g, out, x, threshold, value):
    return g.add("Where", [g.add("Greater", [x, number(g, threshold, out)]), x, number(g, value, out)])


@op
def hardshrink(g, out, x, lambd):
    return g.add("Shrink", [x], lambd=float(lambd), bias=0.0)


@op
def softshrink(g, out, x, lambd):
    return g.add("Shrink", [x], lambd=float(lambd), bias=float(lambd))


@op
def square(g, out, x):
    return g.add("Mul", [x, x])


@op
def rsqrt(g, out, x):
    return g.add("Reciprocal", [g.add("Sqrt", [x])])


@op
def ne(g, out, x, other):
    return g.add("Not", [g.add("Equal", [x, other])])


@op
def masked_fill(g, out, x, mask, value):
    return g.add("Where", [mask, value, x])


@op
def to_dtype(g, out, x, dtype):
    return g.add("Cast", [x], to=element_type(out.array))


@op
def floor_divide(g, out, x, other):
    if out.array.dtype.kind != "f":
        raise g.missing("the op floor_divide() of integers")
    return g.add("Floor", [g.add("Div", [x, other])])


@op
def remainder(g, out, x, other):
    if out.array.dtype.kind != "f":
        return g.add("Mod", [x, other])
    return g.add("Sub", [x, g.add("Mul", [g.add("Floor", [g.add("Div", [x, other])]), other])])
