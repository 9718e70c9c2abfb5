"""Expressions of the op language as Unicode text and as LaTeX.

Comes after `language.py`.  Two writers share how tightly each sign binds; each says how a sign, a function and a name
look.  Both are total: a name may be any text a user chose, and comes out as text, never as markup.
"""

from __future__ import annotations

import math
import re

from minigrad.viz.chain.language import Expr
from minigrad.viz.graph.model import clean
from minigrad.viz.graph.text import number as short_number

__all__ = ["latex", "latex_name", "text"]

# How tightly a sign binds; what binds less than its surroundings asks for is put in parentheses.
CASES, OR, AND, COMPARED, BITS, SUM, PRODUCT, POWER, ATOM = range(9)
SIGNS = {
    "logical_or": (OR, "or", r"\lor"), "logical_and": (AND, "and", r"\land"), "logical_xor": (OR, "xor", r"\oplus"),
    "eq": (COMPARED, "=", "="), "ne": (COMPARED, "≠", r"\ne"), "lt": (COMPARED, "<", "<"),
    "le": (COMPARED, "≤", r"\le"), "gt": (COMPARED, ">", ">"), "ge": (COMPARED, "≥", r"\ge"),
    "bitwise_or": (BITS, "|", r"\mathbin{|}"), "bitwise_xor": (BITS, "^", r"\mathbin{\hat{}}"),
    "bitwise_and": (BITS, "&", r"\mathbin{\&}"), "bitwise_left_shift": (BITS, "<<", r"\ll"),
    "bitwise_right_shift": (BITS, ">>", r"\gg"), "add": (SUM, "+", "+"), "sub": (SUM, "−", "-"),
    "mul": (PRODUCT, "·", r"\cdot"), "div": (PRODUCT, "/", "/"), "floor_divide": (PRODUCT, "//", r"\mathbin{//}"),
    "remainder": (PRODUCT, "mod", r"\bmod"),
}  # fmt: skip
NOT_ASSOCIATIVE = {"sub", "div", "floor_divide", "remainder", "bitwise_left_shift", "bitwise_right_shift"}

# Constants that stand in rules as decimals, and what they are.
KNOWN = [
    (math.pi, "π", r"\pi"), (math.log(2), "ln 2", r"\ln 2"), (math.log(10), "ln 10", r"\ln 10"),
    (math.sqrt(0.5), "1/√2", r"\tfrac{1}{\sqrt{2}}"), (2 / math.sqrt(math.pi), "2/√π", r"\tfrac{2}{\sqrt{\pi}}"),
    (math.sqrt(math.pi) / 2, "√π/2", r"\tfrac{\sqrt{\pi}}{2}"), (math.sqrt(2 * math.pi), "√(2π)", r"\sqrt{2\pi}"),
    (math.sqrt(2 / math.pi), "√(2/π)", r"\sqrt{\tfrac{2}{\pi}}"), (math.pi / 180, "π/180", r"\tfrac{\pi}{180}"),
    (1 / math.sqrt(2 * math.pi), "1/√(2π)", r"\tfrac{1}{\sqrt{2\pi}}"),
]  # fmt: skip

FUNCTIONS = {  # head: (text, LaTeX), where that is not the op's name
    "sigmoid": ("σ", r"\sigma"), "lgamma": ("lnΓ", r"\ln\Gamma"), "digamma": ("ψ", r"\psi"),
    "asin": ("arcsin", r"\arcsin"), "acos": ("arccos", r"\arccos"), "atan": ("arctan", r"\arctan"),
    "asinh": ("arsinh", r"\operatorname{arsinh}"), "acosh": ("arcosh", r"\operatorname{arcosh}"),
    "atanh": ("artanh", r"\operatorname{artanh}"), "log2": ("log₂", r"\log_2"), "log10": ("log₁₀", r"\log_{10}"),
    "maximum": ("max", r"\max"), "minimum": ("min", r"\min"), "log": ("log", r"\log"), "tanh": ("tanh", r"\tanh"),
    "sin": ("sin", r"\sin"), "cos": ("cos", r"\cos"), "tan": ("tan", r"\tan"), "sinh": ("sinh", r"\sinh"),
    "cosh": ("cosh", r"\cosh"), "special_zeta": ("ζ", r"\zeta"), "special_i1": ("I₁", "I_1"), "i0": ("I₀", "I_0"),
    "prelu_kernel": ("prelu", r"\operatorname{prelu}"), "special_i0e": ("I₀ₑ", "I_{0e}"),
    "special_i1e": ("I₁ₑ", "I_{1e}"), "special_erfcx": ("erfcx", r"\operatorname{erfcx}"),
    "special_ndtri": ("Φ⁻¹", r"\Phi^{-1}"), "special_log_ndtr": ("log Φ", r"\log\Phi"),
    "finite": ("nan_to_num", r"\operatorname{nan\_to\_num}"), "igamma": ("P", "P"), "igammac": ("Q", "Q"),
    "gcd": ("gcd", r"\gcd"),
}  # fmt: skip

SUPERSCRIPT = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
GREEK = tuple(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi pi rho sigma tau upsilon phi chi psi "
    "omega".split()
)
LETTERS = dict(zip("αβγδεζηθικλμνξπρστυφχψω", GREEK, strict=True))
ESCAPED = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
}  # fmt: skip
NUMBERED = re.compile(r"([A-Za-zα-ωΑ-Ω]|[a-z]+)_?(\d+)")


def text(expr: Expr) -> str:
    """The expression in one line: ``1 − y²``."""
    return _Text().write(expr, CASES)


def latex(expr: Expr) -> str:
    """The expression as LaTeX (math mode, without the dollars): ``1 - y^{2}``."""
    return _Latex().write(expr, CASES)


class _Writer:
    """What both have in common. `write(expr, least)` puts parentheses around what binds less than `least`."""

    place: int  # of this language in the tables above

    def write(self, expr, least):
        head, args = expr.head, expr.args
        binding, written = self.leaf(expr) if head in ("name", "number", "value", "shown") else self.call(head, args)
        return written if binding >= least else self.parentheses(written)

    def leaf(self, expr):
        value = expr.args[0]
        if expr.head in ("name", "shown"):
            return ATOM, self.name(value)
        written = self.value(value) if expr.head == "value" else self.constant(value)
        binding = ATOM if "/" not in written or self.place == 2 else PRODUCT
        return SUM + 1 if written.startswith(self.minus) else binding, written

    def constant(self, value):
        if isinstance(value, bool):
            return self.word("true" if value else "false")
        if not math.isfinite(value):
            return self.infinite(value)
        for row in KNOWN:
            for sign in (1, -1):
                if math.isclose(value, sign * row[0], rel_tol=1e-12):
                    return ("" if sign == 1 else self.minus) + row[self.place]
        whole = float(value).is_integer() and abs(value) < 1e6
        return self.signed(str(int(value)) if whole else f"{value:.6g}")

    def value(self, value):
        if isinstance(value, float) and not math.isfinite(value):
            return self.infinite(value)
        return self.signed(short_number(value))

    def infinite(self, value):
        return self.word("nan") if math.isnan(value) else ("" if value > 0 else self.minus) + self.infinity

    def call(self, head, args):
        if head in SIGNS:
            binding, sign = SIGNS[head][0], SIGNS[head][self.place]
            left, right = args
            written = self.write(left, binding if binding != COMPARED else binding + 1)
            tight = binding + (head in NOT_ASSOCIATIVE or binding == COMPARED)
            if binding in (SUM, PRODUCT) and _starts_with_minus(right):
                tight = POWER  # 1 + (−0.3)
            return binding, f"{written} {sign} {self.write(right, tight)}"
        special = getattr(self, "write_" + head, None)
        return special(*args) if special else self.function(head, args)

    def function(self, head, args):
        called = FUNCTIONS[head][self.place - 1] if head in FUNCTIONS else self.operator(head)
        return ATOM, called + self.parentheses(", ".join(self.write(arg, CASES) for arg in args))

    def write_neg(self, a):
        return SUM, self.minus + self.write(a, PRODUCT)

    def write_flat_in(self, gradient, _):
        return CASES, self.write(gradient, CASES)

    def write_one_less(self, a):
        return self.call("sub", (a, Expr("number", (1,))))

    def branches(self, condition, a, b):
        """[(branch, condition)], and what holds otherwise: a `where` in the else of a `where` is one more branch."""
        found = [(a, condition)]
        while b.head == "where":
            condition, a, b = b.args
            found.append((a, condition))
        return found, b


def _starts_with_minus(expr):
    return expr.head == "neg" or (expr.number is not None and not isinstance(expr.number, bool) and expr.number < 0)


class _Text(_Writer):
    place, minus, infinity = 1, "−", "∞"

    def parentheses(self, written):
        return f"({written})"

    def name(self, value):
        return clean(value)

    def word(self, word):
        return word

    def signed(self, digits):
        return digits.replace("-", "−")

    def operator(self, head):
        return head.removeprefix("special_")

    def write_pow(self, a, b):
        base = self.write(a, ATOM)
        if (
            b.head == "number"
            and not isinstance(b.number, bool)
            and float(b.number).is_integer()
            and abs(b.number) < 100
        ):
            return POWER, base + str(int(b.number)).translate(SUPERSCRIPT)
        return POWER, f"{base}^{self.write(b, ATOM)}"

    def write_sqrt(self, a):
        return POWER, "√" + self.write(a, ATOM)

    def write_rsqrt(self, a):
        return PRODUCT, "1 / √" + self.write(a, ATOM)

    def write_reciprocal(self, a):
        return PRODUCT, "1 / " + self.write(a, POWER)

    def write_square(self, a):
        return POWER, self.write(a, ATOM) + "²"

    def write_abs(self, a):
        return ATOM, f"|{self.write(a, CASES)}|"

    def write_floor(self, a):
        return ATOM, f"⌊{self.write(a, CASES)}⌋"

    def write_ceil(self, a):
        return ATOM, f"⌈{self.write(a, CASES)}⌉"

    def write_logical_not(self, a):
        return COMPARED, "not " + self.write(a, BITS)

    def write_bitwise_not(self, a):
        return POWER, "~" + self.write(a, ATOM)

    def write_polygamma_of(self, a, order):
        return ATOM, f"ψ⁽{text(order).translate(SUPERSCRIPT)}⁾({self.write(a, CASES)})"

    def write_where(self, condition, a, b):
        found, otherwise = self.branches(condition, a, b)
        parts = [f"{self.write(branch, OR)} if {self.write(test, OR)}" for branch, test in found]
        return CASES, ", ".join([*parts, f"else {self.write(otherwise, OR)}"])


class _Latex(_Writer):
    place, minus, infinity = 2, "-", r"\infty"

    def parentheses(self, written):
        return rf"\left({written}\right)"

    def name(self, value):
        return latex_name(value)

    def word(self, word):
        return rf"\text{{{word}}}"

    def signed(self, digits):
        mantissa, e, exponent = digits.partition("e")
        return rf"{mantissa} \cdot 10^{{{int(exponent)}}}" if e else digits

    def operator(self, head):
        return rf"\operatorname{{{_escaped(head.removeprefix('special_'))}}}"

    def write_div(self, a, b):
        return PRODUCT, rf"\frac{{{self.write(a, CASES)}}}{{{self.write(b, CASES)}}}"

    def call(self, head, args):
        return self.write_div(*args) if head == "div" else super().call(head, args)

    def write_pow(self, a, b):
        return POWER, f"{self.write(a, ATOM)}^{{{self.write(b, CASES)}}}"

    def write_exp(self, a):
        return POWER, f"e^{{{self.write(a, CASES)}}}"

    def write_exp2(self, a):
        return POWER, f"2^{{{self.write(a, CASES)}}}"

    def write_sqrt(self, a):
        return ATOM, rf"\sqrt{{{self.write(a, CASES)}}}"

    def write_rsqrt(self, a):
        return PRODUCT, rf"\frac{{1}}{{\sqrt{{{self.write(a, CASES)}}}}}"

    def write_reciprocal(self, a):
        return PRODUCT, rf"\frac{{1}}{{{self.write(a, CASES)}}}"

    def write_square(self, a):
        return POWER, f"{self.write(a, ATOM)}^{{2}}"

    def write_abs(self, a):
        return ATOM, rf"\left|{self.write(a, CASES)}\right|"

    def write_floor(self, a):
        return ATOM, rf"\left\lfloor {self.write(a, CASES)} \right\rfloor"

    def write_ceil(self, a):
        return ATOM, rf"\left\lceil {self.write(a, CASES)} \right\rceil"

    def write_logical_not(self, a):
        return COMPARED, r"\lnot " + self.write(a, BITS)

    def write_bitwise_not(self, a):
        return POWER, r"\mathord{\sim}" + self.write(a, ATOM)

    def write_polygamma_of(self, a, order):
        return ATOM, rf"\psi^{{({latex(order)})}}\left({self.write(a, CASES)}\right)"

    def write_where(self, condition, a, b):
        found, otherwise = self.branches(condition, a, b)
        rows = [rf"{self.write(branch, CASES)} & \text{{if }} {self.write(test, CASES)}" for branch, test in found]
        rows.append(rf"{self.write(otherwise, CASES)} & \text{{otherwise}}")
        return ATOM, r"\begin{cases} " + r" \\ ".join(rows) + r" \end{cases}"


def latex_name(value) -> str:
    """A user's name in math mode: ``w`` as it is, ``w1`` with an index, ``alpha`` the letter, others upright."""
    value = clean(value)
    if len(value) == 1 and value.isascii() and value.isalpha():
        return value
    if value in GREEK:
        return "\\" + value
    if value in LETTERS:
        return "\\" + LETTERS[value]
    numbered = NUMBERED.fullmatch(value)
    if numbered and (len(numbered[1]) == 1 or numbered[1] in GREEK):
        return f"{latex_name(numbered[1])}_{{{numbered[2]}}}"
    return rf"\text{{{_escaped(value)}}}" if value else r"\square"


def _escaped(value):
    return "".join(ESCAPED.get(c, c) for c in value)
