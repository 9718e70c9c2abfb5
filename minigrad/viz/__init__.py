"""Seeing backpropagation: graphs that draw, step and explain themselves. Everything here reads; nothing is changed.

    import minigrad
    from minigrad import viz

    w = minigrad.tensor(2.0, requires_grad=True)
    loss = (w * 3.0).tanh()
    loss.backward()
    viz.draw(loss, {"w": w}).save("graph.svg")

Where it stands:

    graph/    draw: the picture of a graph            pages/    step, playground: pages that work offline
    chain/    explain: the chain rule written out     record/   recording, on_error, draw_module, trace, summary
    vitals/   health, watch: how training does        plots/    pictures of training, models and data

Nothing here runs unless it is called, and what it needs (graphviz, wasmtime, matplotlib) is imported where it is used.
"""

from __future__ import annotations

import importlib
import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from minigrad.viz.chain.explain import explain
    from minigrad.viz.chain.explanation import Explanation
    from minigrad.viz.graph.drawing import Drawing, draw
    from minigrad.viz.pages.playground import playground
    from minigrad.viz.pages.step import step
    from minigrad.viz.record.failure import draw_module, on_error
    from minigrad.viz.record.recording import ModuleCall, Note, note_of, recording
    from minigrad.viz.record.summary import Summary, summary
    from minigrad.viz.record.trace import Trace, trace
    from minigrad.viz.vitals.check import health
    from minigrad.viz.vitals.monitor import HealthMonitor
    from minigrad.viz.vitals.report import Health
    from minigrad.viz.vitals.rules import Verdict
    from minigrad.viz.vitals.watch import Watch, watch

_HOMES = {
    "Drawing": "graph.drawing",
    "Explanation": "chain.explanation",
    "Health": "vitals.report",
    "HealthMonitor": "vitals.monitor",
    "ModuleCall": "record.recording",
    "Note": "record.recording",
    "Summary": "record.summary",
    "Trace": "record.trace",
    "Verdict": "vitals.rules",
    "Watch": "vitals.watch",
    "draw": "graph.drawing",
    "draw_module": "record.failure",
    "explain": "chain.explain",
    "health": "vitals.check",
    "note_of": "record.recording",
    "on_error": "record.failure",
    "playground": "pages.playground",
    "recording": "record.recording",
    "step": "pages.step",
    "summary": "record.summary",
    "trace": "record.trace",
    "watch": "vitals.watch",
}

__all__ = [
    "Drawing",
    "Explanation",
    "Health",
    "HealthMonitor",
    "ModuleCall",
    "Note",
    "Summary",
    "Trace",
    "Verdict",
    "Watch",
    "draw",
    "draw_module",
    "explain",
    "health",
    "note_of",
    "on_error",
    "playground",
    "plots",
    "recording",
    "step",
    "summary",
    "trace",
    "watch",
]


def __getattr__(name):
    if name in _HOMES:
        state = random.getstate()  # rich draws a number when it is imported
        try:
            return getattr(importlib.import_module(f"minigrad.viz.{_HOMES[name]}"), name)
        finally:
            random.setstate(state)
    if name == "plots":
        return importlib.import_module("minigrad.viz.plots")
    raise AttributeError(f"module 'minigrad.viz' has no attribute {name!r}")


def __dir__():
    return sorted(__all__)
