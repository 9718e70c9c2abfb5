"""The scalar engine: one number at a time, as in micrograd, by the same op definitions as the arrays.

    engine.py   Value, backward, grad            doors.py         operations, made of the op blocks
    nn.py       neurons, layers, perceptrons     interpreter.py   a machine that runs tapes, made of the op blocks
    tape.py     a run, replayed                  recording.py     record: how a tape is made
    bridge.py   to tensors and back

A program for micrograd runs with ``minigrad.scalar`` in place of ``micrograd``.
"""

import importlib

from minigrad.scalar import doors
from minigrad.scalar.engine import Value, grad

_HOMES = {"Tape": "tape", "record": "recording", "stack": "bridge"}
_MODULES = ("engine", "nn")

__all__ = ["Tape", "Value", "grad", "record", "stack", *_MODULES]


def __getattr__(name):
    if name in _HOMES or name in _MODULES:
        module = importlib.import_module(f"minigrad.scalar.{_HOMES.get(name, name)}")
        return getattr(module, name) if name in _HOMES else module
    if name in doors.OPS_OF_VALUES:
        return doors.FUNCTIONS[name]
    raise AttributeError(f"module 'minigrad.scalar' has no attribute {name!r}")


def __dir__():
    return sorted([*__all__, *doors.OPS_OF_VALUES])
