"""Seeing backpropagation: graphs that draw, step and explain themselves. Everything here reads; nothing is changed.

    import minigrad
    from minigrad import viz

    w = minigrad.tensor(2.0, requires_grad=True)
    loss = (w * 3.0).tanh()
    loss.backward()
    viz.draw(loss, {"w": w}).save("graph.svg")

    graph/    draw: the picture of a graph            pages/    step, playground: pages that work offline
    chain/    explain: the chain rule written out     record/   recording, on_error, draw_module, trace, summary
    health/   health, watch: how training does        plots/    pictures of training, models and data

Nothing here runs unless it is called, and what it needs (graphviz, wasmtime, matplotlib) is imported where it is used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigrad.viz.graph.drawing import Drawing, draw
    from minigrad.viz.record.failure import draw_module, on_error
    from minigrad.viz.record.recording import ModuleCall, Note, note_of, recording
    from minigrad.viz.record.trace import Trace, trace

_HOMES = {
    "Drawing": "graph.drawing",
    "draw": "graph.drawing",
    "draw_module": "record.failure",
    "on_error": "record.failure",
    "Trace": "record.trace",
    "trace": "record.trace",
    "ModuleCall": "record.recording",
    "Note": "record.recording",
    "note_of": "record.recording",
    "recording": "record.recording",
}

__all__ = [
    "Drawing",
    "ModuleCall",
    "Note",
    "Trace",
    "draw",
    "draw_module",
    "note_of",
    "on_error",
    "plots",
    "recording",
    "trace",
]


def __getattr__(name):
    if name in _HOMES:
        return getattr(importlib.import_module(f"minigrad.viz.{_HOMES[name]}"), name)
    if name == "plots":
        return importlib.import_module("minigrad.viz.plots")
    raise AttributeError(f"module 'minigrad.viz' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
