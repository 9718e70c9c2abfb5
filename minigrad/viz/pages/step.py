"""`step`: forward and backward pass of a graph, one number at a time, as a page that works offline.

Comes after `chain/story.py` (every number and formula of the run) and `shell.py` (the page).  In the page,
`step_player.js` makes single steps of the story, `step_graph.js` shows them in the graph, `step_panels.js` in words and
numbers, `step_quiz.js` asks for them, and `step.js` joins all to the buttons and keys.
"""

from __future__ import annotations

from minigrad.errors import describe
from minigrad.tensor import Tensor
from minigrad.viz.chain.story import story
from minigrad.viz.graph.names import names_of
from minigrad.viz.graph.reading import Reading
from minigrad.viz.pages.frames import add_frames, closed_at
from minigrad.viz.pages.shell import GRAPH, Page, page
from minigrad.viz.pages.step_words import WORDS
from minigrad.viz.values import takes_values

__all__ = ["step"]

DIRECTIONS = ("LR", "TB")
HEIGHT = 680  # of the frame in a notebook, in CSS pixels
MOST_NODES = 2000  # a browser lays so many out in a few seconds
SCRIPTS = (*GRAPH, *(f"step{name}.js" for name in ("_player", "_values", "_graph", "_panels", "_quiz", "")))
STYLES = ("graph.css", "step.css")

BODY = """
<div class="step-page">
<header class="bar">
  <h1 data-t="title"></h1>
  <span class="push"></span>
  <button id="quiz" type="button" aria-pressed="false" data-t="quiz"></button>
  <button id="help" type="button" data-t-label="help" data-t-title="help">?</button>
  <span data-switches></span>
</header>
<p id="note" class="note" hidden></p>
<main class="stage">
  <section id="graph" data-t-label="region.graph"></section>
  <div class="side">
    <section id="quiz-card" class="card" hidden data-t-label="quiz"></section>
    <section id="now" class="card" data-t-label="region.now"></section>
    <section id="node" class="card" data-t-label="region.node"></section>
  </div>
</main>
<footer class="transport" role="group" data-t-label="region.transport">
  <span class="joined">
    <button id="start" type="button" data-t-label="start" data-t-title="start"></button>
    <button id="back" type="button" data-t-label="back" data-t-title="back"></button>
    <button id="play" type="button" class="main"></button>
    <button id="next" type="button" data-t-label="next" data-t-title="next"></button>
    <button id="end" type="button" data-t-label="end" data-t-title="end"></button>
  </span>
  <input id="scrubber" type="range" min="0" max="1" value="0" step="1" data-t-label="scrubber">
  <span id="position"></span>
  <select id="speed" data-t-label="speed" data-t-title="speed"></select>
</footer>
<dialog id="help-window" aria-labelledby="help-title">
  <h2 id="help-title" data-t="help.title"></h2>
  <p data-t="help.read"></p>
  <dl>
    <dt><kbd data-t="key.space"></kbd></dt><dd data-t="help.space"></dd>
    <dt><kbd>→</kbd> <kbd>←</kbd></dt><dd data-t="help.arrows"></dd>
    <dt><kbd>⇧ →</kbd> <kbd>⇧ ←</kbd></dt><dd data-t="help.shift"></dd>
    <dt><kbd>Home</kbd> <kbd>End</kbd></dt><dd data-t="help.ends"></dd>
    <dt><kbd>[</kbd> <kbd>]</kbd></dt><dd data-t="help.speed"></dd>
    <dt><kbd>Q</kbd></dt><dd data-t="help.quiz"></dd>
    <dt><kbd>Esc</kbd></dt><dd data-t="help.escape"></dd>
  </dl>
  <p data-t="help.graph"></p>
  <button id="help-close" type="button" class="main" data-t="close"></button>
</dialog>
</div>
"""


@takes_values
def step(x, params=None, *, direction="LR", depth=None, limit=64, max_nodes=MOST_NODES) -> Page:
    """step(x, params=None) -> Page.  The forward and the backward pass that led to `x`, to be played step by step.

    The page shows the graph. Going forward, values appear operation by operation with the formula in names and in
    numbers. Going back, each step is one edge: the upstream gradient, the local derivative as formula and as number,
    their product, and where paths meet the sum of old and new. A click on a node shows its history, its source line and
    the paths through it; a quiz hides the next number and asks for it. The page is one file that needs no network and
    no Python; it speaks English and Korean.

    The backward pass starts with ones for the gradient of `x`, as ``x.backward()`` of a scalar does. It is worked out
    on the side: no ``.grad`` is written, nothing is freed, and a graph that ``backward()`` has freed is stepped through
    where its values can be computed again.

    x          a Tensor
    params     names, in the forms that `draw` takes: a Module, a dict (``locals()`` will do), or (name, Tensor) pairs
    direction  ``"LR"`` from left to right, ``"TB"`` from top to bottom
    depth      how many levels of modules are open at first (a click opens and closes them); None: as many as fit
    limit      arrays of at most this many elements are shown number by number, larger ones by shape and norm
    max_nodes  the most nodes a page is made for: operations, leaves and constants

    Graphs made inside ``with viz.recording():`` know their source lines.

    Raises TypeError for an `x` or `params` of another kind, ValueError for another `direction`, a negative `depth`,
    a `limit` below 1, or a graph of more than `max_nodes` nodes.

    >>> import minigrad
    >>> from minigrad import viz
    >>> w, x = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(0.5)
    >>> viz.step((w * x).tanh(), {"w": w, "x": x})
    <Page: step: 2 operations, 1 leaf>
    """
    if not isinstance(x, Tensor):
        raise TypeError(f"step(): argument 'x' must be a Tensor, not {describe(x)}")
    if direction not in DIRECTIONS:
        raise ValueError(f"step(): argument 'direction': got {direction!r}; expected 'LR' or 'TB'")
    for name, value, least in (("depth", depth, 0), ("limit", limit, 1), ("max_nodes", max_nodes, 1)):
        if value is None and name == "depth":
            continue
        if isinstance(value, bool) or not isinstance(value, int):
            raise TypeError(f"step(): argument {name!r} must be int, not {type(value).__name__}")
        if value < least:
            raise ValueError(f"step(): argument {name!r}: got {value}; expected {least} or more")
    names = names_of(params)
    if not any(name and tensor is x for name, tensor in names.pairs):  # Values come with empty names
        names.pairs.append(("L", x))
    reading = Reading([x], names.pairs)
    if len(reading.order) > max_nodes:
        raise ValueError(_too_large(len(reading.order), max_nodes))
    told = story(x, names.pairs, limit=limit).data
    _prepare(told)
    frames = add_frames(told, reading, names)
    title = _title(told)
    data = {
        "title": title,
        "story": told,
        "direction": direction,
        "groups": frames,
        "closed": closed_at(told, frames, depth),
        "notes": _notes(told),
    }
    html = page(title, body=BODY, scripts=SCRIPTS, styles=STYLES, data=data, words=WORDS)
    return Page(html, title, HEIGHT)


def _too_large(count, most):
    return (
        f"step(): the graph has {count:,} nodes, and a page is made for at most max_nodes={most:,}. Step through a "
        "smaller one: fewer samples, a shorter sequence, or a part of it that ends at an earlier tensor. Or pass "
        f"max_nodes={count} (the browser may take minutes to lay it out); viz.draw(x) folds a graph of any size"
    )


def _prepare(told):
    """Give the nodes without a name the one that their formulas call them by; LaTeX is left out, no page shows it."""
    parts = [part for entry in told["backward"] for part in entry["parts"]]
    for each in [*told["nodes"], *parts]:
        if each["formula"] is not None:
            del each["formula"]["latex"]
    for node in told["nodes"]:
        if not node["name"]:
            node["name"] = str(node["value"]) if node["op"] == "number" else f"v{node['id']}"


def _notes(told):
    """The keys of what is to be said of the whole page."""
    if not any(node["kind"] == "op" for node in told["nodes"]):
        return ["note.lone"]
    return ["note.freed"] if told["freed"] and any(entry["problem"] for entry in told["backward"]) else []


def _title(told):
    kinds = [node["kind"] for node in told["nodes"]]
    operations, leaves = kinds.count("op"), kinds.count("leaf")
    return f"step: {operations:,} operation{'s' * (operations != 1)}, {leaves:,} {'leaf' if leaves == 1 else 'leaves'}"
