"""The backward that is running: what hooks may ask of it, and leave to be done at its end.

After it: `engine.py`, which says what is running.
"""

from __future__ import annotations

import contextvars
from typing import Any

# (the nodes that take part, those that `grad` or `inputs` asked for, the calls queued for the end), or None
running: contextvars.ContextVar[Any] = contextvars.ContextVar("minigrad_walk", default=None)


def queue_callback(callback):
    """Call ``callback()`` when the backward that is running has walked to its end (the outermost, if they are nested);
    not if it fails. For hooks. (PyTorch: torch.autograd.Variable._execution_engine.queue_callback)"""
    walk = running.get()
    if walk is None:
        raise RuntimeError("Final callbacks can only be installed during backward pass.")
    walk[2].append(callback)


def will_run(nodes):
    """(an object of the backward that is running, for each node whether it takes part)."""
    walk = running.get()
    if walk is None:
        raise RuntimeError("this can only be asked while a backward is running")
    return walk, [node in walk[0] for node in nodes]


def asked_for_some():
    """Whether the backward that is running is `grad`, or was given `inputs`."""
    walk = running.get()
    return walk is not None and walk[1] is not None
