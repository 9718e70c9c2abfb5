"""Formulas read from the op blocks: they say what the rules compute, in text, LaTeX and numbers."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minigrad.autograd.general import quiet
from minigrad.registry import ARRAYS, OPS, arrays
from minigrad.viz.chain import formula, printing
from minigrad.viz.chain.language import Expr, Unreadable, call, constant, name, parse, simplify, substitute
from minigrad.viz.chain.textbook import TEXTBOOK

POINTWISE = sorted(name for name, op in OPS.items() if op.pointwise and op.__module__.startswith("minigrad."))
WHOLE = {"bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "bitwise_left_shift", "bitwise_right_shift", "gcd",
         "lcm"}  # fmt: skip
NO_FORMULA = {("igamma", "input"), ("igammac", "input")}  # no derivative is known
ATTRIBUTES = {
    "alpha": 0.7, "beta": 1.5, "threshold": 0.4, "delta": 0.8, "nan": 0.5, "posinf": 9.0, "neginf": -9.0, "value": 2.5,
    "negative_slope": 0.1, "min_val": -0.5, "max_val": 0.6, "lambd": 0.5, "eps": 0.1, "order": 1, "decimals": 1,
    "width": 1.5,
}  # fmt: skip


def numbers_for(op, seed=0):
    """Operands, in a range where every op is defined, and others where it is on its edges."""
    rng = np.random.default_rng(seed)
    if op.name in WHOLE:
        return [rng.integers(1, 9, 40) for _ in op.inputs]
    near = rng.uniform(0.05, 0.95, (len(op.inputs), 40))
    far = rng.uniform(-4, 4, (len(op.inputs), 40))
    edges = np.array([0.0, 1.0, -1.0, 0.5, 3.0, -3.0, 6.0])
    edges = np.stack([np.roll(np.tile(edges, 7), i * 3) for i in range(len(op.inputs))])
    return list(np.concatenate([near, far, edges], 1))


def evaluated(expr, values):
    """The number that an expression says, by the engine's own kernels."""
    if expr.head == "name":
        return values[expr.args[0]]
    if expr.number is not None:
        return expr.number
    parts = [np.asarray(evaluated(arg, values)) for arg in expr.args]
    if expr.head == "polygamma_of":
        return quiet.run(ARRAYS["polygamma_of"], parts[0], int(parts[1]))
    return quiet.run(ARRAYS[expr.head], *parts)


def by_name(op, seed=0):
    attributes = {key: ATTRIBUTES[key] for key in op.attrs}
    operands = numbers_for(op, seed)
    output = np.asarray(quiet.run(ARRAYS[op.name], *operands, *attributes.values()))
    return {**dict(zip(op.inputs, operands, strict=True)), **attributes, "output": output}


def same(ours, theirs):
    ours, theirs = np.broadcast_arrays(np.asarray(ours, float), np.asarray(theirs, float))
    ok = np.isfinite(theirs)
    np.testing.assert_allclose(ours[ok], theirs[ok], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("op", POINTWISE)
def test_the_forward_formula_says_what_the_op_computes(op):
    op = OPS[op]
    expr = formula.forward(op)
    assert printing.text(expr)
    assert printing.latex(expr)
    values = by_name(op)
    same(evaluated(expr, values), values["output"])


@pytest.mark.parametrize(("op", "slot"), [(op, slot) for op in POINTWISE for slot in OPS[op].rules])
def test_the_derivative_formula_says_what_the_rule_computes(op, slot):
    expr = formula.derivative(OPS[op], slot)
    if (op, slot) in NO_FORMULA:
        assert expr is None
        return
    assert printing.text(expr)
    assert printing.latex(expr)
    assert "g" not in formula.used_names(expr)
    values = by_name(OPS[op])
    rule = OPS[op].rules[slot]
    wanted = quiet.run(arrays(rule), np.ones_like(values["output"]), *[values[need] for need in OPS[op].needs[slot]])
    same(evaluated(expr, values), wanted)


@pytest.mark.parametrize(
    ("op", "slot", "text", "latex"),
    [
        ("tanh", "input", "1 − output²", r"1 - \text{output}^{2}"),
        ("sigmoid", "input", "output · (1 − output)", r"\text{output} \cdot \left(1 - \text{output}\right)"),
        ("mul", "input", "other", r"\text{other}"),
        ("sub", "other", "−1", "-1"),
        ("div", "other", "−input / other²", r"-\frac{\text{input}}{\text{other}^{2}}"),
        ("square", "input", "2 · input", r"2 \cdot \text{input}"),
        ("sqrt", "input", "1 / (2 · output)", r"\frac{1}{2 \cdot \text{output}}"),
        ("relu", "input", "0 if output ≤ 0, else 1", None),
        ("exp", "input", "output", None),
        ("log2", "input", "1 / (ln 2 · input)", None),
        ("erf", "input", "2/√π · exp(−input²)", None),
        ("floor", "input", "0", "0"),
        ("abs", "input", "sign(input)", None),
        ("pow", "input", "exponent · input^(exponent − 1)", None),
        ("silu", "input", "σ(input) · (1 + input · (1 − σ(input)))", None),
    ],
)
def test_textbook_forms(op, slot, text, latex):
    expr = formula.derivative(OPS[op], slot)
    assert printing.text(expr) == text
    assert latex is None or printing.latex(expr) == latex


def test_forward_forms():
    wanted = {
        "relu": "max(0, input)", "add": "input + other", "sigmoid": "σ(input)", "reciprocal": "1 / input",
        "abs": "|input|", "sqrt": "√input", "silu": "input · σ(input)",
        "addcmul": "input + value · tensor1 · tensor2",
    }  # fmt: skip
    assert {op: printing.text(formula.forward(OPS[op])) for op in wanted} == wanted


LEAVES = st.sampled_from([name("a"), name("b"), constant(2), constant(0), constant(1), constant(-1), constant(3.5)])
EXPRESSIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(call, st.sampled_from(["add", "sub", "mul", "maximum"]), inner, inner),
        st.builds(call, st.sampled_from(["neg", "tanh", "square", "abs"]), inner),
        st.builds(lambda a, b, c, d: call("where", call("lt", a, b), c, d), inner, inner, inner, inner),
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
def test_simplifying_changes_no_number(expr):
    values = {"a": 0.7, "b": -1.3}
    np.testing.assert_allclose(evaluated(simplify(expr), values), evaluated(expr, values), rtol=1e-9, atol=1e-9)


@given(EXPRESSIONS)
def test_parentheses_keep_the_meaning(expr):
    """Read back by Python, the text says the same number."""
    text = printing.text(expr)
    if " if " in text or "|" in text:
        return
    for sign, python in (("−", "-"), ("·", "*"), ("²", "**2"), ("max", "maximum")):
        text = text.replace(sign, python)
    names = {"a": 0.7, "b": -1.3, "tanh": np.tanh, "maximum": max}
    np.testing.assert_allclose(eval(text, names), evaluated(expr, names), rtol=1e-9, atol=1e-9)


def test_names_are_text_never_markup():
    for given_name, latex in {
        "w": "w", "w1": "w_{1}", "alpha": r"\alpha", "θ": r"\theta", "가중치": r"\text{가중치}",
        "a_b": r"\text{a\_b}", r"\input{x}": r"\text{\textbackslash{}input\{x\}}", "$x$": r"\text{\$x\$}",
        "<script>": r"\text{\textless{}script\textgreater{}}", "a\nb": r"\text{a b}", "": r"\square",
        "encoder.0.weight": r"\text{encoder.0.weight}", "50%": r"\text{50\%}", "beta_2": r"\beta_{2}",
    }.items():  # fmt: skip
        assert printing.latex_name(given_name) == latex


def test_latex_braces_balance_for_every_op():
    for op in POINTWISE:
        for expr in (formula.forward(OPS[op]), *[formula.derivative(OPS[op], slot) for slot in OPS[op].rules]):
            if expr is not None:
                text = printing.latex(expr)
                assert text.count("{") == text.count("}")
                assert text.count(r"\left") == text.count(r"\right")


def test_the_textbook_names_only_what_the_ops_have():
    for key, entry in TEXTBOOK.items():
        op = OPS.get(key.partition("(")[0])
        for slot, (text, latex) in entry.items():
            assert text
            assert latex.count("{") == latex.count("}"), latex
            if op is not None:
                assert slot == "forward" or slot in op.rules, (key, slot)
                known = {*op.inputs, *op.attrs, "output"}
                assert {*formula.FIELD.findall(text), *formula.FIELD.findall(latex)} <= known, (key, slot)


def test_a_textbook_gradient_with_and_without_bias():
    given_operands = {"input": name("x"), "weight": name("W")}
    assert formula.operation_text(OPS["linear"], given_operands, {})["text"] == "x @ Wᵀ"
    given_operands["bias"] = name("b")
    assert formula.operation_text(OPS["linear"], given_operands, {}) == {
        "text": "x @ Wᵀ + b", "latex": r"x\, {W}^{\top} + b"
    }  # fmt: skip
    told = formula.gradient_text(OPS["linear"], "weight", given_operands, {}, name("y"), name("W"))
    assert told["text"] == "∂L/∂W = Gᵀ @ x"


def test_what_is_no_expression_is_unreadable():
    def loops(input):
        while input > 1:
            input = input / 2
        return input

    def calls(input):
        return open(input)

    for function in (loops, calls, lambda x: x, len):
        with pytest.raises(Unreadable):
            parse(function)


def test_parts_are_put_in_place():
    def rule(g, input):
        t = tanh(input)  # noqa: F821
        s = t * t
        return g * (1 - s)

    found = simplify(substitute(parse(rule), {"g": constant(1)}))
    assert printing.text(found) == "1 − tanh(input)²"
    assert isinstance(hash(found), int)
    assert found == Expr("sub", (constant(1), call("pow", call("tanh", name("input")), constant(2))))
