"""`draw` and what it returns: a `Drawing`, which shows itself in notebooks and saves itself in several forms."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from minigrad.errors import describe
from minigrad.tensor import Tensor
from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.graph.close import close
from minigrad.viz.graph.dot import dot_source
from minigrad.viz.graph.layout import place
from minigrad.viz.graph.model import FAILED, FOLD, LEAF, MODULE, OP, Graph
from minigrad.viz.graph.names import names_of
from minigrad.viz.graph.raster import painted
from minigrad.viz.graph.scene import make_scene
from minigrad.viz.graph.style import box_size, readable_direction
from minigrad.viz.graph.svg import svg_text
from minigrad.viz.graph.walk import Options, build
from minigrad.viz.values import takes_values

__all__ = ["Drawing", "draw"]

LEAST_NODES = 12
CHOICES = {"direction": ("LR", "TB"), "recurrent": ("rolled", "unrolled"), "repeats": ("folded", "open")}
SWITCHES = ("values", "shapes", "grads", "saved", "flow", "modules")
OPTIONS = (*SWITCHES, "depth", *CHOICES, "max_nodes")


@takes_values
def draw(
    x, params=None, *, values=True, shapes=True, grads=True, saved=False, flow=False, modules=True, depth=None,
    recurrent=None, repeats=None, direction=None, max_nodes=None,
) -> Drawing:  # fmt: skip
    """draw(x, params=None) -> Drawing.  The recorded graph that led to `x`, as a picture.

    Operations are dark, the tensors they take and give are light: blue where gradients are collected, grey and dashed
    where none is, orange for `x` itself.  Operations that only view their input are hollow, those that write in place
    purple, those recorded by a backward pass (create_graph=True) violet; a detached tensor is dashed red.

    Everything is written as of now; the graph is only read, never changed, and a graph freed by ``backward()`` is drawn
    too.

    x          a Tensor, or a list, tuple or dict (name to Tensor) of them, all drawn in one picture
    params     names: a Module (its parameters and buffers), a dict of names to Tensors and Modules (``locals()`` will
               do: other things in it are passed over), or an iterable of (name, Tensor) pairs such as
               ``model.named_parameters()``. Intermediate results and inputs may be named as well
    values     write the numbers of tensors of at most 6 elements. Those of intermediate results are found in what
               operations saved, or computed again on the side if they are small; what can't be known is left out
    shapes     write shapes, and dtypes of leaves
    grads      write `.grad` of leaves, and of results on which ``retain_grad()`` was called; of large ones the norm
    saved      write into each operation what it keeps for its gradient
    flow       colour the edges by the norm of the gradient that flows back along them, on a logarithmic scale: where it
               vanishes is seen. The backward pass is done once more on the side, from ones at `x`; nothing is changed
    modules    frame the operations of each module of `params`, as parameters tell which module an operation is in.
               What was computed inside ``viz.recording()`` knows it for certain
    depth      how many modules are open inside one another; those deeper are closed, one box each: 0 closes all. None:
               all are open if they can be read
    recurrent  steps of a loop over the same parameters: ``"rolled"`` into one step with an edge that goes back,
               ``"unrolled"``, or None: rolled if they are more than 4 (with `flow`: unrolled)
    repeats    modules alike in a row, or other parts that repeat: ``"folded"`` into the first and ``×12``, ``"open"``,
               or None: 3 or more modules of 3 or more operations are folded (with `flow`: open)
    direction  ``"LR"`` from left to right, ``"TB"`` from top to bottom; None: from left to right unless that gets wide
    max_nodes  how many operations and leaves are drawn one by one. Of a larger graph modules are closed, the innermost
               first; without modules its first and last operations stay, and the rest becomes one box that counts
               them. `Drawing.note` says so, and how to open it. None: all up to 300, and of larger graphs without
               modules about 32

    Raises TypeError for an argument of another kind, ValueError for another `direction`, `recurrent` or `repeats`, a
    negative `depth`, or `max_nodes` below 12.

    >>> import minigrad
    >>> from minigrad import viz
    >>> a, b = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(-3.0, requires_grad=True)
    >>> viz.draw(a * b, {"a": a, "b": b})
    <Drawing: 1 operation, 2 leaves>
    """
    options = checked_options(
        values=values, shapes=shapes, grads=grads, saved=saved, flow=flow, modules=modules, depth=depth,
        recurrent=recurrent, repeats=repeats, direction=direction, max_nodes=max_nodes,
    )  # fmt: skip
    tensors, given = _drawn(x)
    names = names_of(params)
    names.pairs[:0] = given
    return directed(build(tensors, names, options), options)


def checked_options(who="draw", **given) -> Options:
    """The keyword arguments of `draw`, looked at; `who` is the function named in the message."""
    for name, choices in CHOICES.items():
        value = given.get(name)
        if value is not None and value not in choices:
            raise ValueError(f"{who}(): argument {name!r}: got {value!r}; expected {choices[0]!r} or {choices[1]!r}")
    _at_least(who, "depth", given.get("depth"), 0)
    checked_limit(given.get("max_nodes"), who)
    for name in given.keys() & set(SWITCHES):
        given[name] = bool(given[name])
    return Options(**given)


def directed(graph, options) -> Drawing:
    """The drawing of a graph, in the direction wanted, else in the one that can be read."""
    graph.direction = options.direction or readable_direction(close(graph))
    return Drawing(graph)


def _at_least(who, name, value, least):
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{who}(): argument {name!r} must be int or None, not {type(value).__name__}")
    if value < least:
        raise ValueError(f"{who}(): argument {name!r}: got {value}; expected at least {least}")


def checked_limit(max_nodes, who):
    """`max_nodes`, if it is an int that is large enough, or None. `who` is the function named in the message."""
    _at_least(who, "max_nodes", max_nodes, LEAST_NODES)
    return max_nodes


def _drawn(x):
    """(tensors, their names) of what is to be drawn."""
    if isinstance(x, Tensor):
        return [x], []
    pairs = list(x.items()) if isinstance(x, Mapping) else [("", t) for t in x] if isinstance(x, list | tuple) else []
    if not pairs or not all(isinstance(t, Tensor) for _, t in pairs):
        other = next((t for _, t in pairs if not isinstance(t, Tensor)), None)
        came = f"a {type(x).__name__} holding {describe(other)}" if pairs else describe(x)
        raise TypeError(f"draw(): argument 'x' must be a Tensor, or a list, tuple or dict of Tensors, not {came}")
    return [t for _, t in pairs], [(name, t) for name, t in pairs if name]


class Drawing:
    """A drawn graph. In Jupyter, VS Code and marimo it shows itself; `save` writes a file.

    graph    the boxes, edges and frames as data (`minigrad.viz.graph.model.Graph`), all frames open
    source   the drawing in DOT, Graphviz' language (str)
    svg      the drawing as SVG text (str)
    page     the interactive drawing (`Page`); `html` is its text
    note     one line about what is not drawn as it is (a folded graph, no history), or ``""``

    It holds texts and numbers only, no tensor: keeping a drawing keeps no graph alive.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.note = graph.note

    @functools.cached_property
    def shown(self) -> Graph:
        """The graph with its closed frames closed: what is laid out."""
        return close(self.graph)

    @functools.cached_property
    def source(self) -> str:
        """The drawing in DOT."""
        return dot_source(self.shown)

    @functools.cached_property
    def _scene(self):
        sizes = {key: box_size(box) for key, box in self.shown.boxes.items()}
        return make_scene(self.shown, sizes, place(self.shown, sizes))

    @functools.cached_property
    def svg(self) -> str:
        """The drawing as one self-contained SVG element."""
        return svg_text(self._scene, f"Computation graph: {self._summary()}. {self.note}".strip())

    @functools.cached_property
    def page(self):
        """The interactive drawing, a `Page`: pan, zoom, search, open and close modules, facts of what is clicked."""
        from minigrad.viz.pages.drawing_page import drawing_page

        return drawing_page(self.graph, f"Computation graph: {self._summary()}")

    @property
    def html(self) -> str:
        """The interactive drawing as one HTML file that needs no network."""
        return self.page.html

    def save(self, path) -> Path:
        """Write the drawing to a file and return its path. The ending says the form: .svg, .png, .pdf, .html, .dot
        or .gv.

        The file appears whole or not at all; one that exists is replaced.  PNG and PDF are painted with matplotlib.
        Raises ValueError for another ending, ModuleNotFoundError (png, pdf) where matplotlib is not installed, and
        OSError (FileNotFoundError, IsADirectoryError, PermissionError ...) where the file can't be written.
        """
        path = checked_path(path, FORMS, "Drawing.save()")
        form = path.suffix.lower().lstrip(".")
        write_whole(path, FORMS[form](self, form), "Drawing.save()")
        return path

    def show(self) -> None:
        """Show the interactive drawing: in the notebook if this is one, else in the web browser."""
        self.page.show()

    def _summary(self):
        graph = self.shown
        kinds = {OP: "operation", FAILED: "failed operation", LEAF: "leaf", MODULE: "closed module", FOLD: "folded box"}
        counts = [(graph.count(kind), what) for kind, what in kinds.items()]
        counts = [(n, what) for n, what in counts if n] or [(len(graph.boxes), "box")]
        return ", ".join(f"{n} {what if n == 1 else PLURALS[what]}" for n, what in counts)

    def __repr__(self):
        return f"<Drawing: {self._summary()}{'; ' * bool(self.note)}{self.note}>"

    def _repr_svg_(self):
        return self.svg

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


PLURALS = {
    "operation": "operations", "leaf": "leaves", "closed module": "closed modules", "folded box": "folded boxes",
    "box": "boxes", "failed operation": "failed operations",
}  # fmt: skip

FORMS = {
    "svg": lambda drawing, form: ('<?xml version="1.0" encoding="UTF-8"?>\n' + drawing.svg).encode(),
    "png": lambda drawing, form: painted(drawing._scene, form),
    "pdf": lambda drawing, form: painted(drawing._scene, form),
    "html": lambda drawing, form: drawing.html.encode(),
    "dot": lambda drawing, form: drawing.source.encode(),
    "gv": lambda drawing, form: drawing.source.encode(),
}
