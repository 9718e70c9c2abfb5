"""The op language as expressions: what stands in `scalar` and `grad_<input>` of a block, read from its source.

Before it: `registry.py`, which says what the op language is.  After it: `printing.py`, which writes an expression as
text and LaTeX, `javascript.py`, which writes it as a program, and `formula.py`, which asks for those of a node.

    def grad_input(g, output): return g * (1.0 - output * output)
                    │ parse
    mul(g, sub(1, mul(output, output)))          heads are names of ops: `ARRAYS[head]` computes what an `Expr` says
                    │ substitute g = 1, simplify
    sub(1, pow(output, 2))                       the local derivative: 1 − output²

A function that is no single expression is read too where it only names parts first (``t = tanh(x)``), asks `where` or
calls other functions of the op language.  Anything else is `Unreadable`, and the op is named instead.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from minigrad.registry import HELPERS, OPS, positional

__all__ = ["ONE", "ZERO", "Expr", "Unreadable", "call", "constant", "expand", "name", "parse", "simplify", "substitute"]


class Unreadable(Exception):
    """A function of the op language that is more than an expression."""


@dataclass(frozen=True, slots=True)
class Expr:
    """``Expr("mul", (a, b))`` is the op `mul` of two expressions. Four heads are no ops: ``name`` (of an operand),
    ``number`` (a constant of the formula), ``value`` (the number that an operand has) and ``shown`` (an operand whose
    numbers are too many: its name)."""

    head: str
    args: tuple

    @property
    def number(self):
        """The number that a constant or a value is, else None."""
        return self.args[0] if self.head in ("number", "value") else None


def constant(number) -> Expr:
    """A number that stands in the formula."""
    return Expr("number", (number,))


def name(text) -> Expr:
    """An operand."""
    return Expr("name", (text,))


def call(head, *args) -> Expr:
    """An op of expressions."""
    return Expr(head, args)


ZERO, ONE = constant(0), constant(1)

BINARY = {
    ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div", ast.Pow: "pow", ast.FloorDiv: "floor_divide",
    ast.Mod: "remainder", ast.BitAnd: "bitwise_and", ast.BitOr: "bitwise_or", ast.BitXor: "bitwise_xor",
    ast.LShift: "bitwise_left_shift", ast.RShift: "bitwise_right_shift",
}  # fmt: skip
COMPARE = {ast.Eq: "eq", ast.NotEq: "ne", ast.Lt: "lt", ast.LtE: "le", ast.Gt: "gt", ast.GtE: "ge"}
LOGIC = {"bitwise_and": "logical_and", "bitwise_or": "logical_or", "bitwise_not": "logical_not"}
TRUTH = {*COMPARE.values(), *LOGIC.values(), "logical_xor", "isnan", "isinf", "isfinite"}
RENAMED = {"fabs": "abs", "round_half_even": "round"}  # what the op language calls an op that has another name
CONSTANTS = {"pi": math.pi, "inf": math.inf, "nan": math.nan}
KEPT = {"one_less", "where"}  # functions of the op language that are kept by name, besides the pointwise ops


@functools.cache
def parse(function) -> Expr:
    """What a function of the op language returns, in its parameters' names. Raises `Unreadable`."""
    try:
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    except (OSError, TypeError, SyntaxError, ValueError):
        raise Unreadable(f"the source of {function.__qualname__} is not at hand") from None
    if not isinstance(definition, ast.FunctionDef):
        raise Unreadable(f"{function.__qualname__} is no function with a body")
    return _Reader().body(definition.body)


class _Reader:
    """Reads one function; `names` are the parts it named so far."""

    def __init__(self):
        self.names = {}

    def body(self, statements):
        for statement in statements:
            match statement:
                case ast.Expr(value=ast.Constant()):  # a docstring
                    continue
                case ast.Assign(targets=[ast.Name(id=target)], value=value):
                    self.names[target] = self.read(value)
                case ast.Return(value=value) if value is not None:
                    return self.read(value)
                case _:
                    raise Unreadable(type(statement).__name__)
        raise Unreadable("nothing is returned")

    def read(self, node) -> Expr:
        match node:
            case ast.Constant(value=bool() | int() | float() as number):
                return constant(number)
            case ast.Name(id=text):
                return self.names.get(text) or name(text)
            case ast.Attribute(value=ast.Name(id="math"), attr=attribute) if attribute in CONSTANTS:
                return constant(CONSTANTS[attribute])
            case ast.UnaryOp(op=op, operand=operand):
                return self.unary(op, self.read(operand))
            case ast.BinOp(left=left, op=op, right=right):
                return self.binary(BINARY.get(type(op)), self.read(left), self.read(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARE:
                return call(COMPARE[type(op)], self.read(left), self.read(right))
            case ast.BoolOp(op=op, values=values):
                head = "logical_and" if isinstance(op, ast.And) else "logical_or"
                return functools.reduce(lambda a, b: call(head, a, b), map(self.read, values))
            case ast.IfExp(test=test, body=body, orelse=other):
                return call("where", self.read(test), self.read(body), self.read(other))
            case ast.Call(func=function, args=args, keywords=[]):
                return self.call(function, args)
        raise Unreadable(ast.unparse(node))

    def unary(self, op, operand):
        match op:
            case ast.USub():
                return constant(-operand.number) if operand.head == "number" else call("neg", operand)
            case ast.Not():
                return call("logical_not", operand) if operand.head in TRUTH else call("eq", operand, ZERO)
            case ast.Invert():
                return call("bitwise_not", operand)
        return operand

    def binary(self, head, left, right):
        if head is None:
            raise Unreadable("an operator that no op has")
        if left.head in TRUTH and right.head in TRUTH and head in LOGIC:
            return call(LOGIC[head], left, right)
        if head == "mul" and right.head in TRUTH:  # g * (x == x): a bool counts as 1 or 0
            right = call("where", right, ONE, ZERO)
        return call(head, left, right)

    def call(self, function, args):
        match function:
            case ast.Name(id=text):
                pass
            case ast.Attribute(value=ast.Name(id="math"), attr=text):
                pass
            case _:
                raise Unreadable(ast.unparse(function))
        if text in ("zeros_of", "zero_like"):
            return ZERO
        text = RENAMED.get(text, text)
        arguments = [self.read(arg) for arg in args]
        if text == "float":
            (only,) = arguments
            return call("where", only, ONE, ZERO) if only.head in TRUTH else only
        if text == "bool":
            (only,) = arguments
            return only if only.head in TRUTH else call("ne", only, ZERO)
        if text in HELPERS:
            return _applied(HELPERS[text], arguments)
        if text in KEPT or (text in OPS and OPS[text].pointwise):
            return call(text, *arguments)
        raise Unreadable(f"{text}()")


def _applied(function, arguments):
    names = [*positional(function)[0], *positional(function)[1]]
    return substitute(parse(function), dict(zip(names, arguments, strict=True)))


def substitute(expr, by) -> Expr:
    """The expression with operands replaced: `by` is {name: Expr}."""
    if expr.head == "name":
        return by.get(expr.args[0], expr)
    if expr.head in ("number", "value", "shown"):
        return expr
    return Expr(expr.head, tuple([substitute(arg, by) for arg in expr.args]))


def expand(expr) -> Expr:
    """The expression without ops that only hand on an operand (`flat_in`, which says what a second derivative is)."""
    if expr.head in ("name", "number", "value", "shown"):
        return expr
    args = tuple([expand(arg) for arg in expr.args])
    op: Any = OPS.get(expr.head)
    if op is not None and op.pointwise:
        try:
            scalar = parse(op.scalar)
        except Unreadable:
            return Expr(expr.head, args)
        if scalar.head == "name":
            return substitute(scalar, dict(zip((*op.inputs, *op.attrs), args, strict=False)))
    return Expr(expr.head, args)


# ---- simplifying: only what a reader would do without thinking

FOLDED: dict[str, Callable] = {
    "eq": lambda a, b: a == b, "ne": lambda a, b: a != b, "lt": lambda a, b: a < b, "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b, "ge": lambda a, b: a >= b, "logical_and": lambda a, b: bool(a and b),
    "logical_or": lambda a, b: bool(a or b), "logical_not": lambda a: not a,
}  # fmt: skip


def simplify(expr) -> Expr:
    """The same in fewer signs: ``1·x`` is x, ``x·x`` is x², ``0 + x`` is x, `where` of a known condition its branch."""
    if expr.head in ("name", "number", "value", "shown"):
        return expr
    args = tuple([simplify(arg) for arg in expr.args])
    rule = _RULES.get(expr.head)
    found = rule(*args) if rule else None
    if found is None and expr.head in ("eq", "ne") and args[0] == args[1]:  # asks for NaN, which formulas leave out
        found = constant(expr.head == "eq")
    if found is None and expr.head in FOLDED and all(arg.number is not None for arg in args):
        found = constant(FOLDED[expr.head](*[arg.number for arg in args]))
    return Expr(expr.head, args) if found is None else found


def _is(expr, number):
    return expr.head == "number" and expr.number == number


def _power_of(expr):
    """(base, exponent) where the exponent is a whole constant."""
    if expr.head == "pow" and expr.args[1].head == "number" and float(expr.args[1].number).is_integer():
        return expr.args[0], int(expr.args[1].number)
    return expr, 1


def _add(a, b):
    if _is(a, 0):
        return b
    if _is(b, 0):
        return a
    if b.head == "neg":
        return _sub(a, b.args[0]) or call("sub", a, b.args[0])
    return None


def _sub(a, b):
    if _is(b, 0):
        return a
    if _is(a, 0):
        return _neg(b) or call("neg", b)
    if b.head == "neg":
        return _add(a, b.args[0]) or call("add", a, b.args[0])
    return None


def _neg(a):
    if a.head == "neg":
        return a.args[0]
    if a.head == "number":
        return constant(0 if a.number == 0 else -a.number)
    return None


def _mul(a, b):
    if _is(a, 0) or _is(b, 0):
        return ZERO
    for one, other in ((a, b), (b, a)):
        if _is(one, 1):
            return other
        if _is(one, -1):
            return _neg(other) or call("neg", other)
        if one.head == "neg":
            product = _mul(one.args[0], other) if one is a else _mul(other, one.args[0])
            product = product or (call("mul", one.args[0], other) if one is a else call("mul", other, one.args[0]))
            return _neg(product) or call("neg", product)
    if a.head == "number" and b.head == "number":
        product = a.number * b.number
        return constant(product) if len(f"{product:g}") <= 6 and float(f"{product:g}") == product else None
    (base, n), (other, m) = _power_of(a), _power_of(b)
    if base == other and base.head != "number" and n > 0 and m > 0:
        return call("pow", base, constant(n + m))
    if a.head == "mul":  # (k · x) · x
        (other, m) = _power_of(b)
        (base, n) = _power_of(a.args[1])
        if base == other and base.head not in ("number", "value") and n > 0 and m > 0:
            return call("mul", a.args[0], call("pow", base, constant(n + m)))
    if b.head == "number" and a.head != "number":  # constants stand first
        return call("mul", b, a)
    return None


def _div(a, b):
    if _is(b, 1):
        return a
    inside = _sigmoid_below(b)
    if inside is not None:
        return simplify(call("mul", a, call("sigmoid", inside)))
    if _is(a, 0) and b.number is None:
        return ZERO
    if a.head == "neg":
        return call("neg", _div(a.args[0], b) or call("div", a.args[0], b))
    if a.head == "div":  # (x / y) / y
        top, bottom = a.args
        return _div(top, simplify(call("mul", bottom, b))) or call("div", top, simplify(call("mul", bottom, b)))
    return None


def _sigmoid_below(expr):
    """x where the expression is 1 + exp(−x): what stands above it is multiplied by σ(x)."""
    if expr.head == "add" and _is(expr.args[0], 1) and expr.args[1].head == "exp":
        (power,) = expr.args[1].args
        return power.args[0] if power.head == "neg" else None
    return None


def _pow(a, b):
    return a if _is(b, 1) else ONE if _is(b, 0) and a.number is None else None


def _constants_first(expr):
    return expr.head != "number"


def _one_less(a):
    return constant(a.number - 1 if a.number else 0) if a.head == "number" else None


def _and(a, b):
    for one, other in ((a, b), (b, a)):
        if one.head == "number":
            return other if one.number else one
    return None


def _or(a, b):
    for one, other in ((a, b), (b, a)):
        if one.head == "number":
            return one if one.number else other
    return None


def _where(condition, a, b):
    if condition.head == "number":
        return a if condition.number else b
    less, more = condition.head in ("lt", "le"), condition.head in ("gt", "ge")
    if (less or more) and {a, b} == {*condition.args}:  # the other where it is less: the larger of both
        return call(
            "maximum" if more == ((a, b) == condition.args) else "minimum", *sorted((a, b), key=_constants_first)
        )
    return a if a == b else None


_RULES: dict[str, Callable] = {
    "add": _add, "sub": _sub, "neg": _neg, "mul": _mul, "div": _div, "pow": _pow, "one_less": _one_less,
    "where": _where, "logical_and": _and, "logical_or": _or,
}  # fmt: skip
