"""A run of Values, recorded and run again: the same operations on other numbers, a hundred times faster.

    with record() as tape:              every operation is noted, in order
        loss = ...                      (an ordinary run: loss is an ordinary Value)

    for _ in range(100):
        tape.forward()                  the same operations, on what the leaves' `data` are now
        tape.backward()                 adds to the leaves' `grad`, as loss.backward() would
        tape.update(parameters, lr=0.1)

The Values stay the truth: a replay reads the leaves' numbers and writes their gradients. Comparisons are part of the
record, as guards: a replay in which one would come out otherwise would have gone another way, and says so.
"""

from __future__ import annotations

import operator
import sys
import threading
import warnings

import numpy as np

from minigrad.autograd.node import OURS, user_line
from minigrad.errors import describe
from minigrad.scalar import doors
from minigrad.scalar.doors import POWER, ScalarOp
from minigrad.scalar.engine import Number, Value
from minigrad.scalar.interpreter import USUAL, machines

__all__ = ["Tape", "record"]

COMPARE = {
    "eq": operator.eq,
    "ne": operator.ne,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
}
_data = Value.__dict__["data"]  # the slot, which a property covers while a recording goes on


class Tape:
    """A recorded run. Made by `record`.

    inputs    Values that stand for the arguments of the recorded function, in order; empty for a ``with`` block
    outputs   the Values that the function returned; of a block, the one made last
    len()     how many operations
    """

    def __init__(self):
        self.inputs: list[Value] = []
        self.outputs: tuple[Value, ...] = ()
        self._made: list[Value] = []
        self._guards: list[tuple] = []
        self._shapes: list[tuple[int, ...]] = []  # of the arguments
        self._values = self._grads = None

    def __len__(self):
        return len(self._made)

    def __repr__(self):
        return f"<Tape: {len(self._made):,} operations, {len(self.inputs)} inputs, {len(self._guards)} guards>"

    # ---- from the record to flat arrays ----------------------------------------------------------------------------

    def _close(self):
        """Number the nodes, leaves first, and write the instructions."""
        if not self._made:
            raise RuntimeError("record(): no operation of Values was made; there is nothing to replay")
        self.outputs = self.outputs or (self._made[-1],)
        known = dict.fromkeys(self._made)
        for node in self._made:
            if not isinstance(node.op, ScalarOp):
                raise RuntimeError(
                    f"record(): {node!r} was made under no_grad(), without its history; record it outside"
                )
        compared = [v for guard in self._guards for v in guard[1:3] if isinstance(v, Value)]
        used = [v for node in self._made for v in node.inputs] + compared + list(self.outputs)
        self._leaves = [v for v in dict.fromkeys([*self.inputs, *used]) if v not in known]
        exponents = [Value(node.attrs[0]) for node in self._made if node.op is POWER]
        self._numbers = [v.data for v in exponents]
        first = self._first = len(self._leaves) + len(exponents)
        self._row = {v: i for i, v in enumerate([*self._leaves, *exponents, *self._made])}
        names = tuple(sorted({*USUAL, *(instruction(node) for node in self._made)}))
        number = {name: k for k, name in enumerate(names)}
        n = first + len(self._made)
        self._code, self._extra = np.full(n, -1, np.int16), np.zeros(n, np.int32)
        self._operands, constants = np.zeros((3, n), np.int32), []
        exponents = iter(exponents)
        for i, node in enumerate(self._made, first):
            self._code[i] = number[instruction(node)]
            operands = [*node.inputs, next(exponents)] if node.op is POWER else node.inputs
            for k, operand in enumerate(operands):
                self._operands[k, i] = self._row[operand]
            if node.op is not POWER:
                self._extra[i] = len(constants)
                constants += node.attrs
        self._constants = np.array([*constants, 0.0], np.float64)
        self._names = names

    # ---- replay ----------------------------------------------------------------------------------------------------

    def forward(self, *arguments):
        """Run the record on what the leaves' `data` are now, and on `arguments` in place of those recorded.

        Arguments have the shapes of those that were recorded, or one axis more in front: a batch, run at once.
        Returns the output (a tuple if there are several): a float, or a float64 array (batch,).
        Raises RuntimeError if a comparison comes out otherwise than it was recorded.
        """
        given, batch = self._read(arguments)
        width = batch or 1
        size = self._code.size * width
        if self._values is None or self._values.size != size:
            self._values, self._grads = np.empty(size), np.empty(size)
        rows = self._values.reshape(-1, width)
        rows[: self._first] = np.array([v.data for v in self._leaves] + self._numbers, np.float64)[:, None]
        if given is not None:
            rows[: len(self.inputs)] = given
        self._batch = batch
        forward, self._backward = machines(self._names, width == 1)
        forward(*self._program(width), self._values)
        self._check(rows)
        results = tuple([rows[self._row[v]].copy() if batch else float(rows[self._row[v], 0]) for v in self.outputs])
        if not batch:
            for value, result in zip(self.outputs, results, strict=True):
                value.data = result
        return results[0] if len(results) == 1 else results

    def backward(self, grad=1.0) -> None:
        """Add the gradients of the output(s) of the last `forward` to the leaves' `grad`, times `grad`: a number, or
        an array (batch,). Of a batch the leaves get the sum; what each input got is in `gradient`."""
        if self._values is None:
            raise RuntimeError("Tape.backward(): nothing has been replayed; call forward() first")
        width = self._values.size // self._code.size
        self._grads[:] = 0.0
        rows = self._grads.reshape(-1, width)
        for value in self.outputs:
            rows[self._row[value]] += grad
        self._backward(*self._program(width), self._values, self._grads)
        for leaf, total in zip(self._leaves, rows[: len(self._leaves)].sum(1).tolist(), strict=True):
            if leaf.op is not Number:
                leaf.grad += total

    @staticmethod
    def update(parameters, lr) -> None:
        """A step of gradient descent: ``p.data -= lr * p.grad`` for each of the Values, whose gradients are 0 then."""
        for parameter in parameters:
            parameter.data -= lr * parameter.grad
            parameter.grad = 0

    def value(self, value):
        """What a recorded Value was in the last replay: a float, or an array (batch,)."""
        return self._look_up(self._values, value)

    def gradient(self, value):
        """The gradient that a recorded Value got in the last `backward`: a float, or an array (batch,)."""
        return self._look_up(self._grads, value)

    def _look_up(self, table, value):
        if table is None or value not in self._row:
            raise KeyError(f"{value!r} is not part of this tape, or nothing has been replayed")
        row = table.reshape(self._code.size, -1)[self._row[value]]
        return row.copy() if self._batch else float(row[0])

    def _program(self, width):
        return self._code, self._operands, self._extra, self._constants, self._first, width

    def _read(self, arguments):
        """(rows for the inputs, the batch's size or 0) of `forward`'s arguments."""
        if not arguments and not self.inputs:
            return None, 0
        if len(arguments) != len(self._shapes):
            raise TypeError(f"Tape.forward(): got {len(arguments)} arguments; {len(self._shapes)} were recorded")
        arrays = [np.asarray(argument, np.float64) for argument in arguments]
        batches = set()
        for k, (array, shape) in enumerate(zip(arrays, self._shapes, strict=True)):
            if array.shape != shape and array.shape[1:] != shape:
                raise ValueError(
                    f"Tape.forward(): argument {k} has shape {list(array.shape)}; recorded was {list(shape)}; expected "
                    f"that, or [batch, *{list(shape)}]"
                )
            batches.add(len(array) if array.shape != shape else 0)
        sizes = batches - {0}
        if len(sizes) > 1:
            raise ValueError(f"Tape.forward(): batches of different sizes: {sorted(sizes)}")
        batch = sizes.pop() if sizes else 0
        rows = []
        for array, shape in zip(arrays, self._shapes, strict=True):
            rows.append(array.reshape(1, -1) if array.shape == shape else array.reshape(len(array), -1))
        width = max(batch, 1)
        return np.concatenate([np.broadcast_to(r, (width, r.shape[1])) for r in rows], axis=1).T, batch

    def _check(self, rows):
        for name, left, right, outcome, (file, line) in self._guards:
            a, b = (rows[self._row[v]] if isinstance(v, Value) else v for v in (left, right))
            differs = np.flatnonzero(np.broadcast_to(COMPARE[name](a, b), rows.shape[1]) != outcome)
            if differs.size:
                where = f" (row {differs[0]} of the batch)" if self._batch else ""
                raise RuntimeError(
                    f"Tape.forward(): the program would take another branch{where}: the comparison '{name}' at {file}:"
                    f"{line} was {outcome} in the recording and is {not outcome} now; record again for such numbers"
                )


def instruction(node):
    """The name of a node's instruction."""
    return "power" if node.op is POWER else node.op.name


class record:
    """record(fn, *examples) -> Tape, or ``with record() as tape:``.  Record a run of Values, to run it again.

    fn        a function; it is called once, with Values in place of the numbers in `examples`
    examples  its arguments: numbers, or lists, tuples or arrays of numbers (given to `fn` as nested lists)

    Comparisons of Values, and of the numbers read from their `data`, become guards. Other use of a number that was
    read is a constant in the replay, which a UserWarning says; assigning `data` inside is a RuntimeError.

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
        with recording as tape:
            arrays = [np.asarray(example, np.float64) for example in examples]
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
    if name in COMPARE:
        line = user_line()
        for tape in _tapes():
            tape._guards.append((name, *operands, outcome, line))


def _read_data(value):
    number, asked_by = _data.__get__(value), sys._getframe(1).f_code
    ours = asked_by.co_filename.startswith(OURS) and asked_by not in READERS
    if ours or value.op is Number or not _tapes():
        return number
    if asked_by is not Value.item.__code__ and asked_by in READERS:
        tell_of_reading("float(v) or int(v)")
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


READERS = {Value.item.__code__, Value.__float__.__code__, Value.__int__.__code__}  # where a program reads a number


def tell_of_reading(what):
    """Warn that a number has left the record."""
    file, line = user_line()
    warnings.warn(
        f"record(): {file}:{line} computes with a number read from {what}; what comes of it is a constant in the "
        "replay. Compute with the Value itself",
        stacklevel=3,
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


for _name in COMPARE:
    setattr(Seen, f"__{_name}__", _guarded(_name))
for _name in ("add", "radd", "sub", "rsub", "mul", "rmul", "truediv", "rtruediv", "pow", "rpow", "neg", "abs"):
    setattr(Seen, f"__{_name}__", _noticed(_name))
