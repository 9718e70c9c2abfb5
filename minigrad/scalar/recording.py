"""Making a tape: `record`, and what goes on while it listens.

After `tape.py`.  A recording is heard, not written by the program: while one is open, what makes the result of an
operation notes it (`doors.maker`), comparisons tell their outcome (`doors.recorders`), and `data` is a property, by
which a number that leaves the record is noticed. Without a recording none of it is there, and nothing is paid.
"""

from __future__ import annotations

import sys
import threading
import warnings

import numpy as np

from minigrad.autograd.node import OURS, user_line
from minigrad.errors import describe
from minigrad.scalar import doors
from minigrad.scalar.engine import Number, Value
from minigrad.scalar.tape import Tape, floats

__all__ = ["record"]

_data = Value.__dict__["data"]  # the slot, which a property covers while a recording goes on


class record:
    """record(fn, *examples) -> Tape, or ``with record() as tape:``.  Record a run of Values, to run it again.

    fn        a function; it is called once, with Values in place of the numbers in `examples`
    examples  its arguments: numbers, or lists, tuples or arrays of numbers (given to `fn` as nested lists)

    Comparisons of Values (`isnan`, `isfinite` ... too), and of the numbers read from their `data`, become guards. Other
    use of a number that was read is a constant in the replay, which a UserWarning says, except where C code reads it
    (``math.exp(v.data)``) and for `grad`; assigning `data` inside is a RuntimeError. A Value that was computed before
    the recording counts with the number it has, and hands its gradient on.

    >>> w = Value(3.0)
    >>> tape = record(lambda x: (w * x).tanh(), 0.5)
    >>> tape.forward(0.0)
    0.0
    """

    def __new__(cls, fn=None, *examples):
        recording = super().__new__(cls)
        if fn is None:
            return recording
        if not callable(fn):
            raise TypeError(f"record(): argument 'fn' must be a function, not {describe(fn)}")
        arrays = [floats(f"record(): example {k}", example) for k, example in enumerate(examples)]
        with recording as tape:
            tape._shapes = [array.shape for array in arrays]
            given = []
            for array in arrays:
                leaves = [Value(number) for number in array.ravel().tolist()]
                tape.inputs += leaves
                shaped = np.empty(array.shape, object)
                shaped.ravel()[:] = leaves
                given.append(shaped.tolist() if array.ndim else leaves[0])
            result = fn(*given)
            outputs = result if isinstance(result, list | tuple) else (result,)
            if not outputs or not all(isinstance(v, Value) for v in outputs):
                raise TypeError(f"record(): the function must return a Value or a list of them, not {describe(result)}")
            tape.outputs = tuple(outputs)
        return tape

    def __enter__(self) -> Tape:
        self._tape = Tape()
        start(self._tape)
        return self._tape

    def __exit__(self, kind, *_):
        stop(self._tape)
        if kind is None:
            self._tape._close()


# ---- while a recording goes on -------------------------------------------------------------------------------------

_lock = threading.RLock()
_open: list[tuple[int, Tape]] = []  # (thread, tape)


def start(tape):
    """Let the tape see what its thread makes."""
    with _lock:
        _open.append((threading.get_ident(), tape))
        if len(_open) == 1:
            _watch(_make, property(_read_data, _write_data))
            doors.recorders.append(_compared)


def stop(tape):
    """End of `start`."""
    with _lock:
        _open[:] = [entry for entry in _open if entry[1] is not tape]
        if not _open:
            _watch(object.__new__, _data)
            doors.recorders.remove(_compared)


def _watch(new, data):
    for names in doors.spaces:
        names["new"] = new
    Value.data = data


def _tapes():
    """The tapes that record this thread."""
    return [tape for thread, tape in list(_open) if thread == threading.get_ident()]


def _make(kind):
    made = object.__new__(kind)
    for tape in _tapes():
        tape._made.append(made)
    return made


def _compared(name, operands, outcome):
    line = user_line()
    for tape in _tapes():
        tape._guards.append((name, operands, outcome, line))


def _read_data(value):
    number, asked_by = _data.__get__(value), sys._getframe(1).f_code
    reader = READERS.get(asked_by)
    if (asked_by.co_filename.startswith(OURS) and not reader) or value.op is Number or not _tapes():
        return number
    if reader and reader != "v.item()":
        tell_of_reading(reader)
        return number
    seen = Seen(number)
    seen.value = value
    return seen


def _write_data(value, number):
    asked_by = sys._getframe(1).f_code.co_filename
    if _tapes() and not asked_by.startswith(OURS):
        raise RuntimeError(
            "record(): v.data was assigned inside the recording, which a replay would not do; do it after"
        )
    _data.__set__(value, float(number) if number.__class__ is Seen else number)


# The functions of minigrad's by which a program takes a number out of a Value.
READERS = {
    Value.item.__code__: "v.item()",
    Value.detach.__code__: "v.detach()",
    Value.__float__.__code__: "float(v) or stack([v])",
    Value.__int__.__code__: "int(v)",
    Value.__round__.__code__: "round(v)",
}


def tell_of_reading(what):
    """Warn that a number has left the record."""
    file, line = user_line()
    warnings.warn_explicit(
        f"record(): {file}:{line} computes with a number read from {what}; what comes of it is a constant in the "
        "replay. Compute with the Value itself",
        UserWarning,
        file,
        line,
    )


class Seen(float):
    """The number of a Value, read while a recording goes on: comparing it is a guard of the tape."""

    value: Value
    __hash__ = float.__hash__

    def __bool__(self):
        return self != 0


def _guarded(name):
    plain = getattr(float, f"__{name}__")

    def compare(self, other):
        outcome = plain(self, other)
        if outcome is not NotImplemented:
            right = other.value if other.__class__ is Seen else other
            doors.told(name, self.value, right, outcome)
        return outcome

    return compare


def _noticed(name):
    plain = getattr(float, f"__{name}__")

    def compute(self, *others):
        tell_of_reading("v.data")
        return plain(self, *others)

    return compute


for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Seen, f"__{_name}__", _guarded(_name))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "divmod", "pow"):
    setattr(Seen, f"__{_name}__", _noticed(_name))
    setattr(Seen, f"__r{_name}__", _noticed(f"r{_name}"))
for _name in ("neg", "pos", "abs", "round", "trunc", "floor", "ceil", "int", "float"):
    setattr(Seen, f"__{_name}__", _noticed(_name))
