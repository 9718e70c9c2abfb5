"""What is written into a box, said when the mouse rests on it, and told on request.

Before it: `reading.py`.  Used by `walk.py`, which decides what becomes a box.
"""

from __future__ import annotations

import os

import numpy as np

from minigrad.errors import shape_text
from minigrad.viz.graph.model import MORE, clean
from minigrad.viz.graph.reading import FEW
from minigrad.viz.graph.text import attribute, lines_of, number

__all__ = ["Contents", "norm"]

SEQUENCES = ("lstm_layer", "gru_layer", "rnn_layer")  # one operation for all steps of a layer


class Contents:
    """The texts of one drawing. `options` are `walk.Options`."""

    def __init__(self, reading, options, places, flow):
        self.reading, self.options, self.places, self.flow = reading, options, places, flow

    def data_rows(self, value, grad, shape, with_dtype):
        """The lines of a data box: shape and dtype, the value if small, the gradient or how large it is."""
        options, rows = self.options, []
        shape = value.shape if shape is None else shape
        dtype = value.dtype.name if value is not None and with_dtype else ""
        written = options.values and value is not None and value.size <= FEW
        if options.shapes and (dtype not in ("", "float32") or (shape and (with_dtype or not written))):
            rows.append(("", f"{dtype} {shape_text(shape)}".strip()))
        if written:
            rows += labelled("data", lines_of(value))
        if options.grads and grad is not None:
            few = grad.size <= FEW
            rows += labelled("grad" if few else "‖grad‖", lines_of(grad) if few else [number(norm(grad))])
        return rows

    def operation_rows(self, node):
        """The lines of an operation: its attributes, and for a recurrent layer how many steps it does at once."""
        into = "into " if self.reading.is_write(node) else ""
        rows = [("", into + attribute(name, value)) for name, value in self.reading.attributes(node)]
        if self.reading.is_inplace(node) and not into:
            rows.insert(0, ("", "in place"))
        steps = self.steps(node)
        return [("", f"{steps:,} steps at once"), *rows] if steps > 1 else rows

    def steps(self, node):
        """How many time steps an operation does at once; 0 if it is no recurrent layer."""
        if self.reading.family(node)[1] not in SEQUENCES:
            return 0
        return len(node.attrs[node.op.attrs.index("sizes")])

    def operation_tip(self, node):
        """Its name in words, its operands, what it saved."""
        reading = self.reading
        text = f"{reading.full_name(node)}: {', '.join(o.slot for o in reading.operands(node))}"
        if reading.is_inplace(node):
            text += "; written in place"
        if reading.is_view(node):
            text += "; a view: the result lies in its input's memory"
        if reading.is_backward(node):
            text += "; recorded by a backward pass (create_graph=True)"
        saved = ", ".join(self.saved_rows(node))
        if reading.freed(node):
            return text + "; what it saved was freed by backward"
        return f"{text}; saved {saved}" if saved else text

    def saved_rows(self, node):
        """What the operation keeps for its gradient, one text each."""
        return [
            f"{name} {number(value.item()) if value.ndim == 0 else shape_text(value.shape)}"
            for name, value in self.reading.saved(node)
        ]

    # ---- facts: all that is known, for a page to show on request

    def operation_facts(self, node):
        """The (label, text) pairs of an operation."""
        reading = self.reading
        facts = [("operation", reading.full_name(node))]
        facts += [("attribute", attribute(name, value)) for name, value in reading.attributes(node)]
        facts += self.result_facts(node)
        saved = self.saved_rows(node)
        if saved:
            facts.append(("saves", ", ".join(saved)))
        return facts + self.origin_facts(node)

    def result_facts(self, node):
        """Of what an operation gives, or of a leaf."""
        if self.reading.is_many(node):
            return [("shape", ", ".join(map(shape_text, self.reading.shape(node))))]
        return self.data_facts(
            self.reading.value(node), self.reading.gradient(node), self.reading.shape(node), self.flow.at(node)
        )

    def data_facts(self, value, grad, shape=None, flow=None):
        """Shape, dtype, value and gradient."""
        shape = value.shape if shape is None and value is not None else shape
        facts = [] if shape is None else [("shape", shape_text(shape))]
        if value is not None:
            facts.append(("dtype", value.dtype.name))
            facts.append(("value", summarised(value)))
        if grad is not None:
            facts.append(("grad", summarised(grad)))
        if flow is not None:
            facts.append(("‖gradient‖", number(flow)))
        return facts

    def origin_facts(self, node):
        """The module it was made in, and where a recording noted it the line of the program."""
        calls = [call for call in self.places.of.get(node, ()) if call.root]
        facts = []
        if calls:
            last = calls[-1]
            turn = f", call {last.number}" if last.number > 1 else ""
            facts.append(("module", clean(f"{last.path or last.kind} ({last.kind}{turn})" if last.kind else last.path)))
        note = self.reading.note(node)
        if note is not None:
            facts.append(("line", clean(f"{os.path.basename(note.file)}:{note.line} in {note.function}")))
            if note.code:
                facts.append(("code", clean(note.code)))
        return facts


def labelled(label, lines):
    """Rows of which only the first has the label."""
    return [(label if i == 0 else MORE, line) for i, line in enumerate(lines)]


def summarised(array) -> str:
    """A small array as it is, a large one by its norm and range."""
    if array.size <= FEW:
        return " ".join(lines_of(array))
    if not np.issubdtype(array.dtype, np.number):
        return f"{array.size:,} {array.dtype.name}"
    with np.errstate(all="ignore"):
        mean = array.mean(dtype=np.float64)
    low, high = number(array.min()), number(array.max())
    return f"norm {number(norm(array))}, mean {number(mean)}, from {low} to {high}"


def norm(array) -> float:
    """The Euclidean length, without overflow in half precision."""
    with np.errstate(all="ignore"):
        return float(np.sqrt(np.square(array.astype(np.float64)).sum()))
