"""What an operation computes and what its derivative is: as text, as LaTeX, and as an expression to calculate with.

Comes after `language.py` (which reads the rules of a block) and `printing.py` (which writes expressions).  Nothing is
written twice: the formula of a pointwise op *is* its block's `scalar` and `grad_<input>`; only for array operations,
whose rules are programs, `textbook.py` says what textbooks write.  What has neither is named: ``linalg_svd(v3)``.

    forward(tanh)               tanh(input)
    derivative(tanh, "input")   1 − output²              the rule with the upstream gradient g divided out
"""

from __future__ import annotations

import functools
import re

from minigrad.viz.chain import language, printing
from minigrad.viz.chain.language import ONE, Expr, Unreadable, call, expand, name, parse, simplify, substitute
from minigrad.viz.chain.textbook import FORWARD, TEXTBOOK
from minigrad.viz.graph.text import compact

__all__ = [
    "derivative",
    "forward",
    "gradient_text",
    "is_pointwise",
    "local_text",
    "numbers_text",
    "operation_text",
    "printed",
    "product_text",
    "raw_derivative",
    "raw_forward",
    "renamed",
]


def is_pointwise(op) -> bool:
    """Whether the op is a pointwise block, whose rules are formulas of numbers."""
    return isinstance(op, type) and getattr(op, "pointwise", False)


@functools.cache
def raw_forward(op) -> Expr:
    """`scalar` of a pointwise op as it stands; where it is no expression, the op called by its name."""
    try:
        return expand(parse(op.scalar))
    except Unreadable:
        return call(op.name, *map(name, (*op.inputs, *op.attrs)))


@functools.cache
def raw_derivative(op, slot) -> Expr | None:
    """The rule `grad_<slot>` of a pointwise op for the upstream gradient 1: the local derivative, unsimplified. None if
    there is no derivative, or its rule is no expression."""
    rule = op.rules.get(slot)
    if rule is None:
        return None
    try:
        return substitute(expand(parse(rule)), {"g": ONE})
    except Unreadable:
        return None


@functools.cache
def forward(op) -> Expr:
    """What one element of a pointwise op's output is, in the names of its inputs and attributes."""
    primitive = call(op.name, *map(name, (*op.inputs, *op.attrs)))
    if op.name in KEPT_WHOLE:
        return primitive
    return simplify(raw_forward(op))


@functools.cache
def derivative(op, slot) -> Expr | None:
    """The local derivative ∂output/∂slot of a pointwise op, in the names of what its rule uses (``output`` among them).
    None if there is none, or its rule is no expression."""
    found = raw_derivative(op, slot)
    return None if found is None else simplify(found)


# Functions that are known by a name or a sign of their own: printed so, not as what their `scalar` computes.
KEPT_WHOLE = frozenset(
    "angle copysign exp2 finite fmax fmin hypot isnan logaddexp logaddexp2 logsigmoid maximum minimum reciprocal rsqrt "
    "sgn sigmoid sign signbit sinc special_entr square".split()
)


def printed(expr) -> dict:
    """{"text": ..., "latex": ...} of an expression."""
    return {"text": printing.text(expr), "latex": printing.latex(expr)}


def operation_text(op, operands, attributes) -> dict:
    """The forward formula of an operation as {"text", "latex"}.

    op          the block, `SpecialOp` or Function's op of a node
    operands    {slot: Expr or list of Exprs}, names or numbers, for each operand that was given
    attributes  {name: value} of the op's attributes
    """
    if is_pointwise(op):
        return printed(_filled(forward(op), operands, attributes))
    entry = _entry(op, attributes).get(FORWARD)
    if entry is not None:
        return _textbook(entry, operands, attributes)
    return printed(call(op.name, *_flat(operands)))


def gradient_text(op, slot, operands, attributes, output, target, upstream="L") -> dict:
    """The formula of a gradient as an equation, as {"text", "latex"}: of a pointwise op the local derivative
    ``∂v5/∂w = 1 − v5²``, of an array operation the product ``∂L/∂A = G · Bᵀ`` (G is the upstream gradient).

    slot, target  the operand's name in the op's signature, and as it is shown (Expr)
    output        the output as it is shown (Expr)
    """
    left, latex_left = printing.text(target), printing.latex(target)
    local = local_text(op, slot, {**operands, "output": output}, attributes)
    if local is not None:
        return {
            "text": f"∂{printing.text(output)}/∂{left} = {local['text']}",
            "latex": rf"\frac{{\partial {printing.latex(output)}}}{{\partial {latex_left}}} = {local['latex']}",
        }
    right = product_text(op, slot, {**operands, "output": output}, attributes)
    return {
        "text": f"∂{upstream}/∂{left} = {right['text']}",
        "latex": rf"\frac{{\partial {upstream}}}{{\partial {latex_left}}} = {right['latex']}",
    }


def local_text(op, slot, operands, attributes) -> dict | None:
    """The local derivative of a pointwise op as {"text", "latex"}: ``1 − y²``; None where it has no formula.

    operands  those of the op and ``output``, as they are shown
    """
    found = derivative(op, slot) if is_pointwise(op) else None
    return None if found is None else printed(_filled(found, operands, attributes))


def product_text(op, slot, operands, attributes) -> dict:
    """The gradient of an operand of an array operation as {"text", "latex"}: ``G @ Bᵀ``, G the upstream gradient."""
    entry = _entry(op, attributes).get(slot)
    if entry is None:
        entry = UNTOLD if isinstance(op, type) else OF_FUNCTION
    return _textbook(entry, {**operands, "op": name(op.name)}, attributes)


UNTOLD = ("⟨op⟩′(G): no formula of one line", r"⟨op⟩^{\prime}(G)")
OF_FUNCTION = ("⟨op⟩.backward(G): your own Function, no formula known", r"⟨op⟩\text{.backward}(G)")


def numbers_text(op, slot, values, attributes) -> str:
    """The local derivative of a pointwise op with numbers for its operands, ``1 − 0.7616²``; "" where it has none.

    values  {slot: Expr of head "value" or "number"} of the operands and ``output``, where known
    """
    found = derivative(op, slot)
    if found is None or not used_names(found) <= {*values, *attributes}:
        return ""
    filled = _filled(found, values, attributes)
    return "" if filled.number is not None and found.number is not None else printing.text(filled)


def used_names(expr) -> set:
    """The operands that an expression uses."""
    if expr.head == "name":
        return {expr.args[0]}
    return set() if expr.number is not None else {used for arg in expr.args for used in used_names(arg)}


def renamed(expr, rename) -> Expr:
    """The expression with every operand replaced by ``rename(its name)``."""
    return substitute(expr, {used: rename(used) for used in used_names(expr)})


def _filled(expr, operands, attributes):
    numbers = {key: language.constant(v) for key, v in attributes.items() if isinstance(v, bool | int | float)}
    return simplify(substitute(expr, {**numbers, **operands}))


def _flat(operands):
    return [each for value in operands.values() for each in (value if isinstance(value, list) else [value])]


OPTIONAL, FIELD, INDEXED = re.compile("⟦(.*?)⟧"), re.compile(r"⟨(\w+)⟩"), re.compile(r"(⟨\w+⟩)(?=[_^])")


def _entry(op, attributes):
    """The op's lines in the textbook: those for its attributes, if there are such."""
    for key, value in attributes.items():
        found = TEXTBOOK.get(f"{op.name}({key}={value:g})" if isinstance(value, float) else f"{op.name}({key}={value})")
        if found is not None:
            return found
    return TEXTBOOK.get(op.name, {})


def _textbook(entry, operands, attributes):
    return {
        "text": _told(entry[0], operands, attributes, printing.text),
        "latex": _told(entry[1], operands, attributes, printing.latex),
    }


def _told(template, operands, attributes, write):
    given = {key: compact(value) for key, value in attributes.items()}
    for slot, value in operands.items():
        given[slot] = ", ".join(map(write, value)) if isinstance(value, list) else write(value)
    template = OPTIONAL.sub(lambda part: part[1] if set(FIELD.findall(part[1])) <= given.keys() else "", template)
    if write is printing.latex:
        template = INDEXED.sub(r"{\1}", template)  # v_{3} with one more index needs braces around it
    return FIELD.sub(lambda field: given.get(field[1], "…"), template)
