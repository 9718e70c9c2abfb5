r"""LaTeX as MathML, for the small part of LaTeX that `printing.py` and `textbook.py` write.

Browsers set MathML by themselves: no script, no font and no network is needed.  What is not known is shown as text.

    \frac{\partial y}{\partial w} = 1 - y^{2}   ──▶   <math><mfrac>…</mfrac><mo>=</mo><mn>1</mn>…</math>
"""

from __future__ import annotations

import html
import re

from minigrad.viz.chain.printing import LETTERS

__all__ = ["mathml"]

TOKEN = re.compile(r"\\[A-Za-z]+|\\.|\d+(?:\.\d+)?(?:e[+-]?\d+)?|[A-Za-z]+|\s+|.", re.S)
NAMES = {name: letter for letter, name in LETTERS.items()} | {
    "Gamma": "Γ", "Phi": "Φ", "partial": "∂", "infty": "∞", "ldots": "…", "cdots": "⋯", "square": "□", "top": "⊤",
    "prime": "′", "varepsilon": "ε", "mid": "|",
}  # fmt: skip
SIGNS = {
    "cdot": "·", "odot": "⊙", "ast": "∗", "le": "≤", "ge": "≥", "ne": "≠", "land": "∧", "lor": "∨", "lnot": "¬",
    "oplus": "⊕", "leftarrow": "←", "mapsto": "↦", "times": "×", "lVert": "‖", "rVert": "‖", "ll": "≪", "gg": "≫",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "sim": "∼", "bmod": "mod", "#": "#", "{": "{", "}": "}",
    "&": "&", "%": "%", "_": "_", "$": "$",
}  # fmt: skip
LARGE = {"sum": "∑", "prod": "∏"}
FUNCTIONS = {
    "tanh", "sin", "cos", "tan", "sinh", "cosh", "log", "ln", "max", "min", "arcsin", "arccos", "arctan", "det", "gcd",
}  # fmt: skip
SPACES = {",": "0.17em", ";": "0.28em", ":": "0.22em", "quad": "1em", " ": "0.25em"}
PLAIN_TEXT = {
    "textbackslash": "\\", "textasciicircum": "^", "textasciitilde": "~", "textless": "<", "textgreater": ">",
}  # fmt: skip

BRACKETS = "border:solid currentColor;border-width:0 1px;border-radius:.4em;padding:0 .2em"  # they grow with any font


def mathml(latex: str) -> str:
    """A ``<math>`` element for a formula in LaTeX; every text in it is escaped."""
    return f'<math xmlns="http://www.w3.org/1998/Math/MathML" displaystyle="true">{_Reader(latex).row()}</math>'


class _Reader:
    def __init__(self, latex):
        self.tokens = TOKEN.findall(latex)
        self.at = 0

    def peek(self):
        self.skip()
        return self.tokens[self.at] if self.at < len(self.tokens) else None

    def skip(self):
        while self.at < len(self.tokens) and self.tokens[self.at].isspace():
            self.at += 1

    def next(self):
        token = self.peek()
        self.at += 1
        return token

    def row(self, *ends):
        """What stands until one of the tokens `ends` (which is taken too), as one element."""
        parts = []
        while (token := self.peek()) is not None and token not in ends:
            parts.append(self.scripted())
        self.at += 1
        return _row(parts)

    def scripted(self):
        """One element with what is written above and below it."""
        base, large = self.element(), self.tokens[self.at - 1].lstrip("\\") in (*LARGE, "max")
        below = above = None
        while self.peek() in ("_", "^"):
            if self.next() == "_":
                below = self.element()
            else:
                above = self.element()
        if below is None and above is None:
            return base
        kind = ("munder", "mover", "munderover") if large else ("msub", "msup", "msubsup")
        tag = kind[2] if below and above else kind[0] if below else kind[1]
        return f"<{tag}>{base}{below or ''}{above or ''}</{tag}>"

    def element(self):
        token = self.next()
        if token is None:
            return "<mrow></mrow>"
        if token == "{":
            return self.row("}")
        if token[0] == "\\":
            return self.command(token[1:])
        if token[0].isdigit():
            return f"<mn>{token}</mn>"
        if token[0].isalpha():
            return "".join(f"<mi>{html.escape(c)}</mi>" for c in token) if len(token) == 1 else f"<mi>{token}</mi>"
        return _sign("−" if token == "-" else token)

    def command(self, name):
        if name == "frac":
            return f"<mfrac>{self.element()}{self.element()}</mfrac>"
        if name == "tfrac":
            return f'<mstyle displaystyle="false"><mfrac>{self.element()}{self.element()}</mfrac></mstyle>'
        if name == "sqrt":
            return f"<msqrt>{self.element()}</msqrt>"
        if name in ("overline", "hat"):
            return f"<mover>{self.element()}{_sign('¯' if name == 'overline' else '^')}</mover>"
        if name == "underbrace":
            return f"<munder>{self.element()}{_sign('⏟')}</munder>"
        if name == "left":
            return self.fenced()
        if name in ("text", "mathrm", "mathbf", "operatorname", "mathbin", "mathord"):
            return self.text(name)
        if name == "begin":
            return self.table(self.text("text", raw=True))
        if name in LARGE:
            return f'<mo largeop="true">{LARGE[name]}</mo>'
        if name in FUNCTIONS:
            return f"<mi>{name}</mi>"
        if name in NAMES:
            return f"<mi>{NAMES[name]}</mi>"
        if name in SPACES:
            return f'<mspace width="{SPACES[name]}"></mspace>'
        return _sign(SIGNS[name]) if name in SIGNS else f"<mtext>{html.escape(name)}</mtext>"

    def fenced(self):
        opened = self.delimiter()
        inner = self.row(r"\right")
        return f"<mrow>{_sign(opened)}{inner}{_sign(self.delimiter())}</mrow>"

    def delimiter(self):
        token = self.next() or ""
        return SIGNS.get(token[1:], token[1:]) if token[:1] == "\\" else token

    def text(self, kind, raw=False):
        r"""The words in braces after ``\text``."""
        self.skip()
        self.at += 1  # the brace
        words, depth = "", 0
        while self.at < len(self.tokens):
            token = self.tokens[self.at]
            self.at += 1
            if token == "}" and not depth:
                break
            if token[1:] in PLAIN_TEXT and token[0] == "\\":
                words, self.at = words + PLAIN_TEXT[token[1:]], self.at + 2  # with the empty braces behind it
                continue
            depth += (token == "{") - (token == "}")
            words += SIGNS.get(token[1:], "") if token[0] == "\\" and len(token) > 1 else token
        if raw:
            return words
        words = html.escape(words)
        if kind == "operatorname" or kind == "mathrm":
            return f'<mi mathvariant="normal">{words}</mi>'
        if kind == "mathbf":
            return f'<mi mathvariant="bold">{words}</mi>'
        return f"<mo>{words}</mo>" if kind in ("mathbin", "mathord") else f"<mtext>{words}</mtext>"

    def table(self, kind):
        """``cases``, ``bmatrix`` or ``aligned``: rows of cells."""
        rows, row = [], []
        while True:
            parts = []
            while (token := self.peek()) not in ("&", r"\\", r"\end", None):
                parts.append(self.scripted())
            row.append(_row(parts))
            self.at += 1
            if token == "&":
                continue
            rows.append(row)
            row = []
            if token != r"\\":
                break
        if token == r"\end":
            self.text("text", raw=True)
        style = f' style="{BRACKETS if kind == "bmatrix" else "text-align:left"}"'
        body = "".join("<mtr>" + "".join(f"<mtd>{cell}</mtd>" for cell in cells) + "</mtr>" for cells in rows)
        return f"<mrow>{_sign('{') if kind == 'cases' else ''}<mtable{style}>{body}</mtable></mrow>"


def _row(parts):
    return parts[0] if len(parts) == 1 else f"<mrow>{''.join(parts)}</mrow>"


def _sign(sign):
    return f"<mo>{html.escape(sign)}</mo>"
