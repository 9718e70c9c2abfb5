"""`draw` and what it returns: a `Drawing`, which shows itself in notebooks and saves itself in several forms."""

from __future__ import annotations

import functools
import os
import re
import tempfile
import webbrowser
from collections.abc import Mapping
from pathlib import Path

from minigrad.errors import describe
from minigrad.tensor import Tensor
from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.graph.dot import dot_source
from minigrad.viz.graph.layout import place
from minigrad.viz.graph.model import FAILED, FOLD, LEAF, OP, Graph
from minigrad.viz.graph.raster import painted
from minigrad.viz.graph.scene import make_scene
from minigrad.viz.graph.style import box_size, readable_direction
from minigrad.viz.graph.svg import svg_text
from minigrad.viz.graph.walk import Options, build

__all__ = ["Drawing", "draw"]

DIRECTIONS = ("LR", "TB")
LEAST_NODES = 12
NOTEBOOK_RESULT = re.compile(r"_+\d*")  # `_`, `__`, `_12`: IPython's names for what a cell gave


def draw(
    x, params=None, *, values=True, shapes=True, grads=True, saved=False, direction=None, max_nodes=None
) -> Drawing:
    """draw(x, params=None) -> Drawing.  The recorded graph that led to `x`, as a picture.

    Operations are dark, the tensors they take and give are light: blue where gradients are collected, grey and dashed
    where none is, orange for `x` itself.  Everything is written as of now; the graph is only read, never changed, and
    a graph freed by ``backward()`` is drawn too.

    x          a Tensor, or a list, tuple or dict (name to Tensor) of them, all drawn in one picture
    params     names: a Module (its parameters and buffers), a dict of names to Tensors and Modules (``locals()`` will
               do: other things in it are passed over), or an iterable of (name, Tensor) pairs such as
               ``model.named_parameters()``. Intermediate results and inputs may be named as well
    values     write the numbers of tensors of at most 6 elements. Those of intermediate results are found in what
               operations saved, or computed again on the side if they are small; what can't be known is left out
    shapes     write shapes, and dtypes of leaves
    grads      write `.grad` of leaves, and of results on which ``retain_grad()`` was called; of large ones the norm
    saved      write into each operation what it keeps for its gradient
    direction  ``"LR"`` from left to right, ``"TB"`` from top to bottom; None: from left to right unless that gets wide
    max_nodes  how many operations and leaves are drawn one by one. A larger graph is folded: its first and last
               operations stay, the rest becomes one box that counts them, and `Drawing.note` says so. None: all up to
               300, and of larger graphs about 32

    Raises TypeError for an `x` or `params` of another kind, ValueError for another `direction` or `max_nodes` below 12.

    >>> import minigrad
    >>> from minigrad import viz
    >>> a, b = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(-3.0, requires_grad=True)
    >>> viz.draw(a * b, {"a": a, "b": b})
    <Drawing: 1 operation, 2 leaves>
    """
    if direction is not None and direction not in DIRECTIONS:
        raise ValueError(f"draw(): argument 'direction': got {direction!r}; expected 'LR' or 'TB'")
    checked_limit(max_nodes, "draw")
    tensors, given = _drawn(x)
    names = given + _named(params)
    graph = build(tensors, names, Options(bool(values), bool(shapes), bool(grads), bool(saved), max_nodes))
    graph.direction = direction or readable_direction(graph)
    return Drawing(graph)


def checked_limit(max_nodes, who):
    """`max_nodes`, if it is an int that is large enough, or None. `who` is the function named in the message."""
    if max_nodes is not None and (isinstance(max_nodes, bool) or not isinstance(max_nodes, int)):
        raise TypeError(f"{who}(): argument 'max_nodes' must be int or None, not {type(max_nodes).__name__}")
    if max_nodes is not None and max_nodes < LEAST_NODES:
        raise ValueError(f"{who}(): argument 'max_nodes': got {max_nodes}; expected at least {LEAST_NODES}")
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


def _named(params):
    """The (name, tensor) pairs in any of the forms that `draw` takes."""
    if params is None:
        return []
    if _is_module(params):
        return [*params.named_parameters(), *params.named_buffers()]
    if isinstance(params, Mapping):
        pairs = []
        for name, value in params.items():
            if isinstance(value, Tensor) and not NOTEBOOK_RESULT.fullmatch(str(name)):
                pairs.append((str(name), value))
            elif _is_module(value):
                pairs += [(f"{name}.{inner}", tensor) for inner, tensor in _named(value)]
        if params and not pairs:
            raise TypeError("draw(): argument 'params': the dict holds no Tensor; expected name to Tensor")
        return pairs
    expected = "a Module, a dict of names to Tensors, or an iterable of (name, Tensor) pairs"
    if isinstance(params, str | Tensor) or not hasattr(params, "__iter__"):
        raise TypeError(f"draw(): argument 'params' must be {expected}, not {describe(params)}")
    pairs = list(params)
    for pair in pairs:
        if not (isinstance(pair, tuple | list) and len(pair) == 2 and isinstance(pair[1], Tensor)):
            hint = "; pass model.named_parameters()" if isinstance(pair, Tensor) else ""
            raise TypeError(f"draw(): argument 'params' must be {expected}; it holds {describe(pair)}{hint}")
    return [(str(name), tensor) for name, tensor in pairs]


def _is_module(value):
    return hasattr(value, "named_parameters") and hasattr(value, "named_buffers") and not isinstance(value, type)


class Drawing:
    """A drawn graph. In Jupyter, VS Code and marimo it shows itself; `save` writes a file.

    graph    the boxes and edges as data (`minigrad.viz.graph.model.Graph`)
    source   the drawing in DOT, Graphviz' language (str)
    svg      the drawing as SVG text (str)
    note     one line about what is not drawn as it is (a folded graph, no history), or ``""``

    It holds texts and numbers only, no tensor: keeping a drawing keeps no graph alive.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.note = graph.note

    @functools.cached_property
    def source(self) -> str:
        """The drawing in DOT."""
        return dot_source(self.graph)

    @functools.cached_property
    def _scene(self):
        sizes = {key: box_size(box) for key, box in self.graph.boxes.items()}
        return make_scene(self.graph, sizes, place(self.graph, sizes, self.source))

    @functools.cached_property
    def svg(self) -> str:
        """The drawing as one self-contained SVG element."""
        return svg_text(self._scene, f"Computation graph: {self._summary()}. {self.note}".strip())

    def save(self, path) -> Path:
        """Write the drawing to a file and return its path. The ending says the form: .svg, .png, .pdf, .dot or .gv.

        The file appears whole or not at all; one that exists is replaced.  PNG and PDF are painted with matplotlib.
        Raises ValueError for another ending, ModuleNotFoundError (png, pdf) where matplotlib is not installed, and
        OSError (FileNotFoundError, IsADirectoryError, PermissionError ...) where the file can't be written.
        """
        path = checked_path(path, FORMS, "Drawing.save()")
        form = path.suffix.lower().lstrip(".")
        write_whole(path, FORMS[form](self, form), "Drawing.save()")
        return path

    def show(self) -> None:
        """Show the drawing: in the notebook if this is one, else in the web browser."""
        try:
            from IPython import get_ipython
            from IPython.display import display
        except ImportError:
            shell = None
        else:
            shell = get_ipython()
        if hasattr(shell, "kernel"):
            display(self)
            return
        handle, name = tempfile.mkstemp(prefix="minigrad-", suffix=".svg")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.svg)
        if not webbrowser.open(Path(name).as_uri()):
            print(f"No browser here: the drawing is in {name}")

    def _summary(self):
        graph = self.graph
        counts = [
            (graph.count(OP), "operation"),
            (graph.count(FAILED), "failed operation"),
            (graph.count(LEAF), "leaf"),
            (graph.count(FOLD), "folded box"),
        ]
        counts = [(n, what) for n, what in counts if n] or [(len(graph.boxes), "box")]
        return ", ".join(f"{n} {what if n == 1 else PLURALS[what]}" for n, what in counts)

    def __repr__(self):
        return f"<Drawing: {self._summary()}{'; ' * bool(self.note)}{self.note}>"

    def _repr_svg_(self):
        return self.svg

    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"image/svg+xml": self.svg, "text/plain": repr(self)}


PLURALS = {
    "operation": "operations",
    "leaf": "leaves",
    "folded box": "folded boxes",
    "box": "boxes",
    "failed operation": "failed operations",
}

FORMS = {
    "svg": lambda drawing, form: ('<?xml version="1.0" encoding="UTF-8"?>\n' + drawing.svg).encode(),
    "png": lambda drawing, form: painted(drawing._scene, form),
    "pdf": lambda drawing, form: painted(drawing._scene, form),
    "dot": lambda drawing, form: drawing.source.encode(),
    "gv": lambda drawing, form: drawing.source.encode(),
}
