"""The pointwise ops as JavaScript: each block's `scalar` and rules as functions of numbers, for pages without Python.

Comes after `formula.py`, whose expressions these are, unsimplified: the same numbers come out, NaN included.  The table
is written when a page is made:

    F.tanh = (input) => Math.tanh(input);
    mg.ops.tanh = {inputs: ["input"], attributes: [], forward: F.tanh,
                   derivatives: {input: (input, output) => (1 - (output * output))}, formulas: {...}, label: "tanh"};

What the op language takes as given (``math.tanh``) is `Math.tanh`; functions that JavaScript lacks (erf, lgamma ...)
are in ``assets/playground_math.js``.  An op that needs others is left out of the table.
"""

from __future__ import annotations

import functools
import json
import math

from minigrad.registry import OPS
from minigrad.viz.chain import formula, printing
from minigrad.viz.chain.language import Expr, name

__all__ = ["javascript", "op_table"]

OPERATORS = {
    "add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "===", "ne": "!==", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=", "logical_and": "&&", "logical_or": "||", "bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^",
    "bitwise_left_shift": "<<", "bitwise_right_shift": ">>",
}  # fmt: skip
OF_MATH = {
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "exp", "expm1", "floor", "ceil",
    "hypot", "log", "log10", "log1p", "log2", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "pow",
}  # fmt: skip
OF_OURS = {
    "copysign", "digamma", "erf", "erfc", "floor_divide", "fmod", "gcd", "isfinite", "isinf", "lcm", "lgamma",
    "one_less", "polygamma_of", "remainder", "round", "special_erfcx", "special_zeta", "erfinv", "i0", "special_i0e",
    "special_i1", "special_i1e", "igamma", "igammac", "special_ndtri", "special_log_ndtr",
}  # functions of playground_math.js  # fmt: skip


class Unwritable(Exception):
    """An expression that needs a function JavaScript does not have."""


def javascript(expr: Expr, known=frozenset()) -> str:
    """An expression as JavaScript. Functions are Math's, those of ``playground_math.js`` (``M.erf``), or for the ops of
    the set `known` those of the table (``F.sigmoid``). Raises `Unwritable`."""
    head, args = expr.head, expr.args
    if head == "name":
        return args[0]
    if head in ("number", "value"):
        return _number(args[0])
    written = [javascript(arg, known) for arg in args]
    if head in OPERATORS:
        return f"({written[0]} {OPERATORS[head]} {written[1]})"
    if head == "where":
        return f"({written[0]} ? {written[1]} : {written[2]})"
    if head in ("neg", "bitwise_not", "logical_not"):
        return f"({ {'neg': '-', 'bitwise_not': '~', 'logical_not': '!'}[head] }{written[0]})".replace(" ", "")
    if head in OF_MATH:
        return f"Math.{head}({', '.join(written)})"
    if head in OF_OURS:
        return f"M.{head}({', '.join(written)})"
    if head in known:
        return f"F.{head}({', '.join(written)})"
    raise Unwritable(head)


def _number(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if math.isfinite(value):
        return f"({value!r})" if value < 0 else repr(value)
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "(-Infinity)"


@functools.cache
def op_table() -> str:
    """The script that makes ``mg.ops``, from all op blocks of numbers that can be written."""
    written: dict = {}
    known: set = set()
    names = [
        op for op in OPS.values() if op.pointwise and op.__module__.startswith("minigrad.") and op.name != "flat_in"
    ]
    while True:  # an op may use another that stands further down
        fresh = {op.name: entry for op in names if op.name not in written and (entry := _entry(op, frozenset(known)))}
        if not fresh:
            break
        written |= fresh
        known |= fresh.keys()
    entries = "\n".join(f"  mg.ops[{json.dumps(key)}] = {entry};" for key, entry in written.items())
    return f'"use strict";\nmg.math = {{}};\nmg.ops = {{}};\n{{\n  const M = mg.math, F = {{}};\n{entries}\n}}\n'


def _entry(op, known):
    inputs, attributes = list(op.inputs), list(op.attrs)
    try:
        forward = javascript(formula.raw_forward(op), known)
        derivatives, formulas = {}, {}
        for slot in op.rules:
            expr = formula.raw_derivative(op, slot)
            if expr is not None:
                derivatives[slot] = javascript(expr, known)
                formulas[slot] = _template(formula.derivative(op, slot))
    except Unwritable:
        return None
    if op.boolean:
        forward = f"Number({forward})"
    parameters = ", ".join(inputs + attributes)
    functions = ", ".join(
        f"{slot}: ({parameters}{', ' if parameters else ''}output) => {body}" for slot, body in derivatives.items()
    )
    about = {
        "inputs": inputs,
        "attributes": [[key, op.attr_defaults.get(key)] for key in attributes],
        "label": op.label if isinstance(op.label, str) else op.name,
        "formula": _template(formula.forward(op)),
        "formulas": formulas,
    }
    told = json.dumps(about, ensure_ascii=False)[1:-1].replace("<", "\\u003c")
    return f"{{{told}, forward: (F.{op.name} = ({parameters}) => {forward}), derivatives: {{{functions}}}}}"


def _template(expr):
    """The formula as text, each operand as ⟨its name⟩: the page puts in what it is called there."""
    return printing.text(formula.renamed(expr, lambda operand: name(f"⟨{operand}⟩")))
