"""The drawing of an error: the graph up to the operation that failed, and that operation in red.

Comes after `blame.py`, which reads the traceback.  The failed operation is drawn as if it were recorded: a node of its
own, with the operands as its parents and no result, is given to `graph/walk.py` together with the rows of its red box.

        x ──▶ (linear) ──▶ (relu) ──▶ ┌ ✗ linear ───────────────────────┐
                                      │   input  float32 [32, 64]       │
        weight ─────────────────────▶ │  weight  float32 [10, 128]      │
                                      │ RuntimeError: mat1 and mat2 …   │
                                      └─────────────────────────────────┘
"""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import tempfile
import textwrap
import warnings
from pathlib import Path

import numpy as np

from minigrad.autograd.modes import enable_grad
from minigrad.autograd.node import SpecialOp, node_of, record
from minigrad.autograd.watch import WatchedNode
from minigrad.errors import describe, shape_text
from minigrad.tensor import Tensor, wrap
from minigrad.trees import flatten
from minigrad.viz.files import checked_path
from minigrad.viz.graph.drawing import FORMS, OPTIONS, Drawing, checked_limit, checked_options, directed
from minigrad.viz.graph.model import FAILED, Graph, clean
from minigrad.viz.graph.names import Names
from minigrad.viz.graph.walk import Options, build
from minigrad.viz.notebook import line_name, shown_in_notebook
from minigrad.viz.record.blame import failure_of
from minigrad.viz.record.recording import noted_at, recording
from minigrad.viz.record.untouched import checked_module, fresh, untouched

__all__ = ["draw_module", "on_error"]

MESSAGE_WIDTH, MESSAGE_LINES = 52, 9
MOST_ROOTS = 4
NO_OPTIONS = Options()
OF_ON_ERROR, OF_DRAW_MODULE = ("draw(..., max", "on_error(max"), ("draw(", "draw_module(")


class on_error(contextlib.ContextDecorator):
    """on_error(path=None, *, max_nodes=None).  ``with viz.on_error():`` draws the graph up to the operation that fails
    inside the block.

    The failed operation is red and says which shapes it got and what the error is.  The error itself goes on as if the
    block were not there.  In Jupyter and VS Code the drawing appears under the cell; elsewhere it is saved, and a line
    at the end of the traceback says where.  Nothing is observed before an error comes, so the block costs nothing;
    inside ``with viz.recording():`` the modules are exact.  Errors of `backward` are drawn too: then red is the
    operation whose gradient could not be computed.  If no operation failed (a KeyError of the program's own), the
    tensors that the failing line had in hand are drawn.  An interrupt (Ctrl-C) is no error.

    path       where to save the drawing: a name that ends in .svg, .png, .pdf, .dot or .gv.  None: a new file in the
               system's folder of temporary files, unless it is shown under the cell
    max_nodes  as `draw` has it: how many operations and leaves are drawn one by one
    drawing    (attribute) the `Drawing`, None as long as nothing has failed
    saved      (attribute) the Path it was saved to, or None

    Works as a decorator too: ``@viz.on_error()``.  Raises ValueError or OSError for a `path` that can't be written.

    >>> import minigrad
    >>> from minigrad import viz
    >>> a, b = minigrad.ones(3, 4), minigrad.ones(5, 6)
    >>> try:
    ...     with viz.on_error("failure.svg") as failure:       # doctest: +SKIP
    ...         a @ b
    ... except RuntimeError:
    ...     failure.drawing
    <Drawing: 1 failed operation>
    """

    def __init__(self, path=None, *, max_nodes=None):
        if callable(path):
            raise TypeError("on_error(): write @viz.on_error() with brackets to decorate a function")
        self._max_nodes = checked_limit(max_nodes, "on_error")
        self._path = None if path is None else checked_path(path, FORMS, "on_error()")
        self.drawing: Drawing | None = None
        self.saved: Path | None = None

    def __enter__(self):
        self.drawing = self.saved = None
        return self

    def __exit__(self, kind, error, traceback):
        if isinstance(error, Exception):
            try:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    said = self._draw(error, traceback)
            except Exception as other:  # the user's error is the one to be seen
                said = f"viz.on_error: could not draw it: {type(other).__name__}: {other}"
            _add_note(error, said)
        return False

    def _draw(self, error, traceback):
        self.drawing = drawing_of(error, traceback, options=Options(max_nodes=self._max_nodes))
        shown = shown_in_notebook(self.drawing)
        if shown and self._path is None:
            return "viz.on_error: the graph up to here is drawn in the cell's output"
        path = self._path
        if path is None:
            handle, path = tempfile.mkstemp(prefix="minigrad-failure-", suffix=".svg")
            os.close(handle)
        self.saved = self.drawing.save(path)
        return f"viz.on_error: the graph up to here is drawn in {self.saved}"


def _add_note(error, text):
    """A line at the end of the traceback; Python 3.10 has no notes: there it is written now."""
    if hasattr(error, "add_note"):
        error.add_note(text)
    else:
        print(text, file=sys.stderr)


def draw_module(model, *inputs, options=None, **kwargs) -> Drawing:
    """draw_module(model, *inputs, options=None, **kwargs) -> Drawing.  Run ``model(*inputs, **kwargs)`` and draw what
    it did: the graph of its output, its modules as nested boxes. ``draw_module(model, x, values=False)`` draws as
    `draw` does with that option.

    Nothing is changed by it: the model runs in the mode it is in (``model.eval()`` first for evaluation), on copies of
    the inputs and of its buffers, with the random streams put back afterwards (see `untouched.py`); no gradient is
    computed, and ``no_grad()`` around the call makes no difference.

    If the forward raises, the drawing returned shows the graph up to the operation that failed, in red with the shapes
    it got and the message; `Drawing.note` has the error and the line. It is not raised: call the model for that.

    model    a Module
    inputs   what `forward` is given
    kwargs   options of `draw` (``values=False``, ``max_nodes=500``); any other is given to `forward`, and so is what
             `forward` itself has under that name or takes as its ``**kwargs``
    options  options of `draw` as a dict, for such a `forward`: ``{"values": False, "max_nodes": 500}``

    Raises TypeError if `model` is no Module, its output holds no tensor, or an option is none of `draw` or given twice;
    ValueError for an option's value that `draw` does not take.

    >>> import minigrad
    >>> from minigrad import nn, viz
    >>> viz.draw_module(nn.Sequential(nn.Linear(4, 8), nn.ReLU()), minigrad.ones(1, 4))
    <Drawing: 2 operations, 2 leaves>
    """
    checked_module(model, "draw_module")
    chosen, kwargs = _told_apart(model, options or {}, kwargs)
    chosen = checked_options("draw_module", **chosen)
    with untouched(model) as model, enable_grad(), recording(model):
        args, named = fresh(inputs), fresh(kwargs)
        given = list(_given(model, args, named))
        names = names_in(model, given)
        try:
            output = model(*args, **named)
        except Exception as error:
            raised = error.__traceback__
            return drawing_of(error, raised and raised.tb_next, given, chosen, OF_DRAW_MODULE)
    outputs = [value for value in flatten(output)[0] if isinstance(value, Tensor)]
    if not outputs:
        raise TypeError(
            f"draw_module(): {type(model).__name__} returned {describe(output)}; expected a Tensor, or tensors in "
            "tuples, lists or dicts"
        )
    graph = build(outputs, names, chosen)
    graph.note = graph.note.replace(*OF_DRAW_MODULE)
    return directed(graph, chosen)


def _told_apart(model, options, kwargs):
    """(the options of `draw`, the arguments of `forward`) among keyword arguments."""
    try:
        takes = inspect.signature(model.forward).parameters.values()
    except (TypeError, ValueError):  # a function that does not tell
        takes = ()
    own = {parameter.name for parameter in takes}
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in takes)
    further = {name: value for name, value in kwargs.items() if name in OPTIONS and name not in own and not takes_any}
    if unknown := next((name for name in options if name not in OPTIONS), None):
        raise TypeError(
            f"draw_module(): argument 'options': {unknown!r} is no option of draw; expected some of "
            f"{', '.join(OPTIONS)}"
        )
    if twice := next((name for name in further if name in options), None):
        raise TypeError(f"draw_module(): {twice!r} is given both by name and in 'options'; give it once")
    return options | further, {name: value for name, value in kwargs.items() if name not in further}


def _given(model, args, kwargs):
    """(name, Tensor) of the arguments of a forward."""
    try:
        bound = inspect.signature(model.forward).bind(*args, **kwargs).arguments
    except (TypeError, ValueError):
        bound = {f"input {i}" if i else "input": value for i, value in enumerate(args)} | kwargs
    for name, value in bound.items():
        tensors = [item for item in flatten(value)[0] if isinstance(item, Tensor)]
        for i, tensor in enumerate(tensors):
            yield (name if len(tensors) == 1 else f"{name}[{i}]"), tensor


# ---- from a failure to a drawing


class FailedOp(SpecialOp):
    """The op of an operation that has no result. `inputs` are the names of its operands."""

    def __init__(self, name, inputs, attrs):
        super().__init__(name, name, False)
        self.inputs = self.saved = inputs
        self.attrs = attrs


def drawing_of(error, traceback, names=(), options=NO_OPTIONS, calls=OF_ON_ERROR) -> Drawing:
    """The drawing of an exception; `names` are (name, Tensor) pairs known beforehand, `calls` (how notes call
    draw, what to write instead)."""
    failure = _first_failure(error, traceback)
    error = failure.error
    names = names_in(failure.model, [*names, *failure.names])
    if failure.node is not None:
        rows = [*_inside(failure), *_message(error)]
        graph = build(failure.roots, names, options, {failure.node: (f"✗ {failure.op}", rows)})
    elif failure.op:
        node = _failed_node(failure)
        root = wrap(np.empty(0))
        root.node = node
        rows = [(name, _told(tensor)) for name, tensor in failure.tensors] + _inside(failure) + _message(error)
        graph = build([root], names, options, {node: (f"✗ {failure.op}", rows)})
    else:
        roots = failure.roots[:MOST_ROOTS]
        graph = build(roots, names, options) if roots else Graph()
        box = graph.add(FAILED, f"✗ {_kind(error)}", _where(failure) + _message(error)[1:], str(error))
        box.facts.append(("message", clean(error)))
    graph.note = f"{_sentence(failure)} {graph.note.replace(*calls)}".strip()
    return directed(graph, options)


def _first_failure(error, traceback):
    """What failed: of an error that a program raised because of another, the operation that raised the other."""
    failure, seen = failure_of(error, traceback), set()
    while not failure.op:
        seen.add(id(error))
        cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if cause is None or cause.__traceback__ is None or id(cause) in seen:  # causes may go round in a circle
            break
        error, first = cause, failure_of(cause, cause.__traceback__)
        if first.op:
            return first
    return failure


def names_in(model, pairs) -> Names:
    """What is known of a model (or None) and of (name, Tensor) pairs; a tensor's first name counts."""
    names = Names()
    if model is not None:
        names.add_tensors_of(model)
        names.add_modules({"": model})
    taken = {id(tensor) for _, tensor in names.pairs}
    for name, tensor in pairs:
        if id(tensor) not in taken:
            taken.add(id(tensor))
            names.add(name, tensor)
    return names


def _failed_node(failure):
    """A node for an operation that left none."""
    slots = tuple(name for name, _ in failure.tensors)
    tensors = tuple(tensor for _, tensor in failure.tensors)
    op = FailedOp(failure.op, slots, tuple(name for name, _ in failure.others))
    parents = tuple(_node_of(tensor) for tensor in tensors)
    node = record(op, parents, tensors, None, tuple(value for _, value in failure.others), make=WatchedNode)
    node._note = noted_at(failure.error, failure.line)
    return node


def _node_of(tensor):
    try:
        return node_of(tensor)
    except RuntimeError:  # a view whose base was written to in a way that is refused: the very error, perhaps
        return tensor.node


def _told(tensor):
    return f"{tensor.array.dtype.name} {shape_text(tensor.array.shape)}"


def _inside(failure):
    return [("", f"in its {failure.inside}")] if failure.inside else []


def _message(error):
    """The rows that say what the error is."""
    text = clean(error) or "no message"
    lines = textwrap.wrap(text, MESSAGE_WIDTH, max_lines=MESSAGE_LINES, placeholder=" …") or [text]
    return [("", f"{_kind(error)}:"), *(("", line) for line in lines)]


def _kind(error):
    return type(error).__name__.lstrip("_")


def _where(failure):
    return [("", failure.line[2])] if failure.line and failure.line[2] else []


def _sentence(failure):
    """One line about the error, for under the drawing."""
    where = ""
    if failure.line:
        file, line, code, _ = failure.line
        where = f" at {line_name(file, line)}" + (f" ({code})" if code else "")
    kind = _kind(failure.error)
    if failure.op:
        return clean(f"{failure.op} raised {kind}{where}.")
    drawn = " Drawn is what the line had in hand." if failure.roots else ""
    return clean(f"No operation failed, but there was a {kind}{where}.{drawn}")
