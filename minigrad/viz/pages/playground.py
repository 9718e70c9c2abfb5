"""`playground`: a page where an expression is typed, its leaves are slid, and values and gradients follow at once.

Comes after `chain/javascript.py` (every pointwise op as JavaScript, made from its block) and `shell.py`.  In the page,
`playground_language.js` reads what is typed into nodes, `playground_tape.js` runs them forward and back,
`playground_plot.js` draws the output against a leaf, and `playground.js` joins them to the controls.  A recorded tensor
is written as a program of that language by `chain/tape.py`.
"""

from __future__ import annotations

import math
import unicodedata

from minigrad.errors import describe
from minigrad.tensor import Tensor
from minigrad.viz.chain.javascript import op_table
from minigrad.viz.chain.tape import tape_of
from minigrad.viz.pages.playground_words import WORDS
from minigrad.viz.pages.shell import GRAPH, Page, page
from minigrad.viz.values import takes_values

__all__ = ["playground"]

SCRIPTS = (*(f"playground_{name}.js" for name in ("math", "language", "tape", "plot")), *GRAPH, "playground.js")
EXAMPLES = [
    "(w*x + b).tanh()",
    "(sigmoid(w*x + b) - y)**2",
    "h = relu(w1*x + b1)\nw2*h + b2",
    "a*x**2 + b*x + c",
    "h = x + tanh(x)\nk = h + tanh(h)\nk + tanh(k)",
    "log(exp(a) + exp(b))",
    "where(x > 0, x, 0.1*x)",
    "sin(x) / x",
]
BEGIN = {"w": 0.8, "x": 1.5, "b": -0.5}

BODY = """
<div class="playground">
<header class="bar">
  <h1 data-t="title"></h1>
  <span class="push"></span>
  <select id="examples" data-t-label="examples"></select>
  <button id="reset" type="button" data-t="reset"></button>
  <span data-switches></span>
</header>
<section class="typing">
  <label for="typed" data-t="typed"></label>
  <div class="row">
    <textarea id="typed" rows="1" spellcheck="false" autocapitalize="off" autocomplete="off"
      aria-describedby="error"></textarea>
    <output id="result" for="typed"></output>
  </div>
  <div id="error" role="alert"></div>
</section>
<main class="stage">
  <section id="graph" data-t-label="region.graph"></section>
  <div class="side">
    <section class="card sliders"><h2 data-t="sliders"></h2><div id="sliders"></div></section>
    <section id="node" class="card" data-t-label="region.node" aria-live="off"></section>
    <section class="card plot">
      <div class="plot-head"><h2 data-t="plot"></h2><select id="against" data-t-label="plot"></select></div>
      <div id="plot"></div>
    </section>
  </div>
</main>
</div>
"""


@takes_values
def playground(expression=None, /, **leaves) -> Page:
    """playground(expression=None, **leaves) -> Page.  A page where the learner types an expression, moves sliders for
    its leaves, and sees values, graph and gradients change at once. The page computes by itself: it needs no Python and
    no network, and speaks English and Korean.

    expression  a str: Python's arithmetic of single numbers with minigrad's functions, ``"(w*x + b).tanh()"``; several
                lines may name results, ``"h = relu(w*x)\\nh * h"``. Or a Tensor of one element whose recorded graph is
                to be played with: its leaves become sliders at their values
    leaves      start values by name: a number, or ``(value, low, high)`` with the ends of the slider. Where a Tensor is
                given, its leaves' names: ``viz.playground(loss, w=w, b=b)``

    A name that is typed and not given starts at 1. Raises TypeError or ValueError for an `expression` or a leaf of
    another kind, and for a Tensor whose graph is not of single numbers and operations on these.

    >>> from minigrad import viz
    >>> viz.playground("w*x + b", w=2.0, x=(0.5, 0, 1))
    <Page: playground: w*x + b>
    """
    if expression is None:
        expression, leaves = EXAMPLES[0], {**BEGIN, **leaves}
    if isinstance(expression, Tensor):
        program, found = tape_of(expression, leaves)
        sliders = [slider(name, value, None, grad) for name, value, grad in found]
    elif isinstance(expression, str):
        program, sliders = expression, [_given(name, value) for name, value in leaves.items()]
    else:
        raise TypeError(f"playground(): argument 'expression' must be a str or a Tensor, not {describe(expression)}")
    data = {"program": program, "leaves": sliders, "examples": EXAMPLES}
    title = f"playground: {program if len(program) <= 60 else program[:59] + '…'}".replace("\n", "; ")
    html = page(
        title, body=BODY, scripts=SCRIPTS, styles=("graph.css", "playground.css"), data=data, words=WORDS,
        program=op_table(),
    )  # fmt: skip
    return Page(html, title, height=760)


def _given(name, value):
    """The slider of a leaf as the user gave it."""
    ends = None
    if isinstance(value, tuple | list) and len(value) == 3:
        value, *ends = [_number(name, each) for each in value]
        if not ends[0] < ends[1]:
            raise ValueError(f"playground(): leaf {name!r}: got low={ends[0]}, high={ends[1]}; expected low < high")
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(
            f"playground(): leaf {name!r} has {value.numel()} elements; the playground is of single numbers"
        )
    return slider(name, _number(name, value), ends, not isinstance(value, Tensor) or value.requires_grad)


def _number(name, value):
    if isinstance(value, Tensor):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TypeError(
            f"playground(): leaf {name!r} must be a finite number or (value, low, high), not {describe(value)}"
        )
    return float(value)


def slider(name, value, ends, grad):
    """A leaf as the page wants it. Without `ends` the slider goes to -3 and 3, or twice as far as the value."""
    reach = 3.0 if abs(value) <= 3 else float(math.ceil(2 * abs(value)))
    low, high = ends or (-reach, reach)
    name = unicodedata.normalize("NFC", name)
    return {"name": name, "value": value, "low": min(low, value), "high": max(high, value), "grad": bool(grad)}
