"""What `explain` found, and how it is written: as text, as LaTeX, and as HTML for notebooks.

Comes after `printing.py` (formulas of single operations); `mathml.py` sets the HTML's formulas.  An `Explanation` holds
numbers and expressions only, no tensor: keeping it keeps no graph alive.
"""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field

import numpy as np

from minigrad.errors import shape_text
from minigrad.viz.chain.language import Expr
from minigrad.viz.chain.mathml import mathml
from minigrad.viz.chain.printing import latex, text
from minigrad.viz.graph.text import lines_of, number

__all__ = ["Explanation", "Factor", "Path"]

FEW = 12  # arrays of more numbers are told by shape and norm
ENDS = 5  # a chain of more than twice as many factors is told by so many at each end


@dataclass(slots=True)
class Factor:
    """One local derivative ∂output/∂input: a matrix of `rows` (elements of the output) by `columns` (of the input).

    local     its formula as {"text", "latex"} if it is one by elements (a pointwise operation), else None
    product   else the formula of the gradient it makes of G, the gradient that comes to it: ``G @ Wᵀ``
    numbers   the formula with numbers in it, ``1 − 0.7616²``, or ""
    diagonal  whether the matrix is zero but for its diagonal
    jacobian  the matrix as an array, None if it is large
    """

    output: Expr
    input: Expr
    rows: int
    columns: int
    local: dict | None
    product: dict | None
    numbers: str
    diagonal: bool
    jacobian: np.ndarray | None


@dataclass(slots=True)
class Path:
    """One path from y (first) to x (last).

    nodes    as they are shown, one more than there are steps
    slots    for each step the operand's name, ``other``, where an operation takes the same tensor twice; else ""
    factors  a `Factor` for each step
    value    their product, an array of ∂y/∂x's shape
    """

    nodes: list[Expr]
    slots: list[str]
    factors: list[Factor]
    value: np.ndarray

    def __str__(self):
        steps = [f"{text(node)}{f' ({slot})' if slot else ''}" for node, slot in zip(self.nodes[1:], self.slots)]
        return " ← ".join(_clipped([text(self.nodes[0]), *steps]))


@dataclass(slots=True)
class Explanation:
    """The chain rule of one graph. `str()` gives it as text, `latex` as LaTeX; notebooks show it by themselves.

    paths     the most important `Path`s from y to x, by the size of their product
    count     how many paths there are, exactly (int)
    left_out  how many of them are not in `paths`
    total     ∂y/∂x, the sum over all paths (NumPy array): of x's shape if y has one element, which is what
              ``y.backward()`` adds to ``x.grad``; else of y's shape and then x's
    rest      what the paths that are left out sum to
    y, x      how the two are called
    y_shape, x_shape    their shapes (tuples)
    where     what shorter names in the formulas stand for, one dict each
    """

    y: Expr
    x: Expr
    y_shape: tuple
    x_shape: tuple
    paths: list[Path]
    count: int
    total: np.ndarray
    rest: np.ndarray
    where: list[dict] = field(default_factory=list)

    @property
    def left_out(self) -> int:
        """How many paths are not written out."""
        return self.count - len(self.paths)

    @property
    def scalar(self) -> bool:
        """Whether all that is on the paths are single numbers."""
        return all(f.rows == f.columns == 1 for path in self.paths for f in path.factors)

    # ---- text

    def __str__(self):
        blocks = [f"∂{text(self.y)}/∂{text(self.x)} = {_value(self.total)}{self._how_many()}"]
        blocks += [self._path_text(path) for path in self.paths]
        if self.count > 1:
            blocks.append(self._sum_text())
        if self.where:
            blocks.append("\n".join(["where", *[f"  {_definition(entry)}" for entry in self.where]]))
        return "\n\n".join(blocks)

    def _how_many(self):
        if self.count == 1:
            return ""
        if not self.left_out:
            return f", the sum over {self.count} paths"
        return f", the sum over {_count(self.count)} paths, of which the {len(self.paths)} most important are"

    def _path_text(self, path):
        lines = [str(path)]
        if not path.factors:
            return f"{lines[0]}\n  = {_value(path.value)}"
        lines.append("  " + " · ".join(_clipped([_ratio(factor) for factor in path.factors])))
        if self.scalar:
            lines.append(
                "= " + " · ".join(_clipped([_bound(factor.local or factor.product) for factor in path.factors]))
            )
            lines.append("= " + " · ".join(_clipped([_inner(_number(_single(factor))) for factor in path.factors])))
        else:
            shapes = " · ".join(_clipped([f"[{factor.rows}, {factor.columns}]" for factor in path.factors]))
            lines.append(f"  {shapes} = [{path.factors[0].rows}, {path.factors[-1].columns}]")
            lines += _clipped([_factor_text(factor) for factor in path.factors])
        lines.append(f"= {_value(path.value)}")
        return "\n".join(lines)

    def _sum_text(self):
        terms = [_value(path.value) for path in self.paths]
        if self.left_out:
            terms.append(f"({_count(self.left_out)} more paths: {_value(self.rest)})")
        joint = " + " if all(len(term) < 40 for term in terms) else "\n  + "
        written = joint.join([terms[0], *[_inner(term) for term in terms[1:]]])
        return f"sum = {written}\n    = {_value(self.total)}"

    def __repr__(self):
        plural = "path" if self.count == 1 else "paths"
        return f"<Explanation: ∂{text(self.y)}/∂{text(self.x)}, {_count(self.count)} {plural}>"

    # ---- LaTeX

    @property
    def latex(self) -> str:
        """The chain rule as LaTeX, an ``aligned`` block for math mode."""
        ratio = _ratio_latex(self.y, self.x)
        rows = [f"{ratio} &= {' + '.join(self._terms_latex())}"]
        rows += [
            f"{_chain_latex(path)} &= {self._symbols_latex(path)} = {_value_latex(path.value)}"
            for path in self.paths
            if path.factors
        ]
        rows.append(f"{ratio} &= {_value_latex(self.total)}")
        return "\\begin{aligned}\n" + " \\\\\n".join(rows) + "\n\\end{aligned}"

    def _terms_latex(self):
        terms = [_chain_latex(path) if path.factors else "1" for path in self.paths]
        return [*terms, rf"\underbrace{{\cdots}}_{{{_count_latex(self.left_out)}}}"] if self.left_out else terms

    def _symbols_latex(self, path):
        if not self.scalar:
            return r" \cdot ".join(_clipped([f"[{f.rows} \\times {f.columns}]" for f in path.factors], r"\cdots"))
        return r" \cdot ".join(_clipped([_bound_latex(f.local or f.product) for f in path.factors], r"\cdots"))

    # ---- HTML

    def _repr_html_(self):
        head = mathml(f"{_ratio_latex(self.y, self.x)} = {_value_latex(self.total)}")
        blocks = [f"<p>{head}{_escaped(self._how_many())}</p>"]
        blocks += [self._path_html(i, path) for i, path in enumerate(self.paths, 1)]
        if self.count > 1:
            blocks.append(f"<pre>{_escaped(self._sum_text())}</pre>")
        if self.where:
            blocks.append(f"<table>{''.join(map(_definition_html, self.where))}</table>")
        return f'<div class="minigrad-explanation">{STYLE}{"".join(blocks)}</div>'

    def _path_html(self, i, path):
        head = f"<summary>{_escaped(str(path))} <b>{_escaped(_value(path.value))}</b></summary>"
        if not path.factors:
            return f"<details open>{head}</details>"
        rows = _clipped([_factor_html(factor, self.scalar) for factor in path.factors], "<tr><td>⋮</td></tr>")
        return f"<details{' open' if i <= 3 else ''}>{head}<table>{''.join(rows)}</table></details>"

    def _repr_latex_(self):
        return f"$\\displaystyle {self.latex}$"

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/html": self._repr_html_(), "text/latex": self._repr_latex_(), "text/plain": str(self)}


STYLE = """<style>
.minigrad-explanation { line-height: 1.5; overflow-x: auto; }
.minigrad-explanation table { border-collapse: collapse; margin: .2em 0 .7em 1.2em; }
.minigrad-explanation td { padding: .2em 1.2em .2em 0; text-align: left; vertical-align: middle; }
.minigrad-explanation summary { cursor: pointer; }
.minigrad-explanation details { margin: .3em 0; }
.minigrad-explanation pre { font-family: inherit; white-space: pre-wrap; }
</style>"""


def _clipped(items, dots="…"):
    """The items, or those at both ends and how many there are between."""
    if len(items) <= 2 * ENDS:
        return items
    between = f"({len(items) - 2 * ENDS:,} more)" if dots == "…" else ""
    return [*items[:ENDS], f"{dots} {between}".strip() + (" …" if between else ""), *items[-ENDS:]]


def _count(n):
    return f"{n:,}" if n < 10**15 else f"{n:.3e}" if n < 10**300 else f"about 10^{len(str(n)) - 1}"


def _count_latex(n):
    return _count(n).replace(",", r"{,}") + r"\text{ more}"


def _value(array):
    if array.size <= FEW:
        return " ".join(lines_of(array)).replace("-", "−")
    norm = float(np.sqrt(np.square(array.astype(np.float64)).sum()))
    return f"{shape_text(array.shape)} of norm {_number(norm)}"


def _value_latex(array):
    if array.size == 1:
        return latex(Expr("value", (array.item(),)))
    if array.size > FEW or array.ndim > 2 or not array.size:
        return r"\text{" + _value(array) + "}"
    rows = [" & ".join(latex(Expr("value", (v,))) for v in row) for row in np.atleast_2d(array).tolist()]
    return r"\begin{bmatrix} " + r" \\ ".join(rows) + r" \end{bmatrix}"


def _ratio(factor):
    return f"∂{text(factor.output)}/∂{text(factor.input)}"


def _ratio_latex(output, x):
    return rf"\frac{{\partial {latex(output)}}}{{\partial {latex(x)}}}"


def _chain_latex(path):
    return r" \cdot ".join(_clipped([_ratio_latex(f.output, f.input) for f in path.factors], r"\cdots"))


def _bound(told):
    """A formula as a factor of a product: in parentheses if it is more than one sign."""
    return f"({told['text']})" if " " in told["text"] or told["text"].startswith("−") else told["text"]


def _bound_latex(told):
    if told["latex"].startswith(r"\begin") or _bound(told) == told["text"]:
        return told["latex"]
    return rf"\left({told['latex']}\right)"


def _inner(written):
    return f"({written})" if written.startswith("−") else written


def _single(factor):
    return float(factor.jacobian[0, 0])


def _factor_text(factor):
    if factor.local is not None:
        written = f"diag({factor.local['text']})" if factor.diagonal else factor.local["text"]
    else:
        written = f"G → {factor.product['text']}"
    matrix = ""
    if factor.jacobian is not None and factor.jacobian.size <= FEW:
        matrix = f" = {_value(factor.jacobian)}"
    return f"    {_ratio(factor)} [{factor.rows}, {factor.columns}]: {written}{matrix}"


def _factor_html(factor, scalar):
    ratio = _ratio_latex(factor.output, factor.input)
    told = factor.local or factor.product
    sign = " = " if factor.local is not None else r" :\; G \mapsto "
    inner = rf"\operatorname{{diag}}\left({told['latex']}\right)" if factor.diagonal else told["latex"]
    cells = [mathml(ratio + sign + inner)]
    if scalar:
        shown = _number(_single(factor))
        cells.append(_escaped(f"{factor.numbers} = {shown}" if factor.numbers not in ("", shown) else shown))
    else:
        small = factor.jacobian is not None and factor.jacobian.size <= FEW
        cells.append(f"[{factor.rows}, {factor.columns}]")
        cells.append(mathml(_value_latex(factor.jacobian)) if small else "")
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _shown(entry):
    return Expr("name", (entry["name"] or f"v{entry['id']}",))


def _entry_value(entry):
    value = entry["value"]
    if isinstance(value, dict):
        return f"{shape_text(value['shape'])} of norm {_stored(value['norm'])}"
    if value is None:
        return f"{shape_text(entry['shape'])}, not known"
    if math.prod(entry["shape"]) > FEW:
        return shape_text(entry["shape"])
    return _nested(value)


def _nested(value):
    return f"[{', '.join(map(_nested, value))}]" if isinstance(value, list) else _stored(value)


def _stored(value):
    return value.replace("-", "−") if isinstance(value, str) else _number(value)


def _definition(entry):
    return f"{text(_shown(entry))} = {entry['formula']['text']} = {_entry_value(entry)}"


def _definition_html(entry):
    told = mathml(f"{latex(_shown(entry))} = {entry['formula']['latex']}")
    return f"<tr><td>{told}</td><td>{_escaped(_entry_value(entry))}</td></tr>"


def _number(value):
    return number(value).replace("-", "−")


def _escaped(written):
    return html.escape(written)
