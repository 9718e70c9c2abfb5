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

import math
import threading

import numpy as np

from minigrad.autograd.general import quiet
from minigrad.errors import describe
from minigrad.registry import ARRAYS
from minigrad.scalar.doors import POWER, ScalarOp
from minigrad.scalar.engine import Number, Value, add_gradients
from minigrad.scalar.interpreter import USUAL, machines, not_compiled, uncompilable

__all__ = ["Tape"]


class _Replay(threading.local):
    """A thread's last replay: the numbers and gradients of all nodes, row by row, as the machines take them.

    width    columns: the size of the batch, 1 without one
    batched  whether there was a batch
    """

    values = grads = None
    width, batched = 1, False


class Tape:
    """A recorded run. Made by `record`. Threads may replay one tape at once: each has numbers of its own.

    inputs    Values that stand for the arguments of the recorded function, in order; empty for a ``with`` block
    outputs   the Values that the function returned; of a block, the one made last
    len()     how many operations
    """

    def __init__(self):
        self.inputs: list[Value] = []
        self.outputs: tuple[Value, ...] = ()
        self._made: list[Value] = []
        self._guards: list[tuple] = []  # (a comparison's name, its operands, outcome, (file, line))
        self._shapes: list[tuple[int, ...]] = []  # of the arguments
        self._last = _Replay()
        self._closed = False

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
        exponents = [Value(node.attrs[0]) for node in self._made if node.op is POWER]
        self._leaves = self._find_leaves()
        self._numbers = [v.data for v in exponents]
        self._first = len(self._leaves) + len(exponents)
        self._row = {v: i for i, v in enumerate([*self._leaves, *exponents, *self._made])}
        self._write(iter(exponents))
        self._closed = True

    def _find_leaves(self):
        """The Values that the recorded operations start from: arguments, parameters, numbers, results made before."""
        made = dict.fromkeys(self._made)
        for node in made:
            if not isinstance(node.op, ScalarOp):
                raise RuntimeError(
                    f"record(): {node!r} was made under no_grad(), without its history; record it outside"
                )
        used = [v for node in made for v in node.inputs]
        used += [v for _, operands, *_ in self._guards for v in operands if isinstance(v, Value)]
        leaves = [v for v in dict.fromkeys([*self.inputs, *used, *self.outputs]) if v not in made]
        for leaf in leaves:
            if any(v in made or v in self.inputs for v in leaf.inputs):
                raise RuntimeError(
                    f"record(): {leaf!r} was made of recorded Values by an operation of your own ({leaf._op!r}), which "
                    "cannot be replayed; compute it with Value's operations"
                )
        return leaves

    def _write(self, exponents):
        """The instructions: of node `i` its code, the rows of its operands, and where its constants begin."""
        self._names = tuple(sorted({*USUAL, *(instruction(node) for node in self._made)}))
        number = {name: k for k, name in enumerate(self._names)}
        n = self._first + len(self._made)
        self._code, self._extra = np.full(n, -1, np.int16), np.zeros(n, np.int32)
        self._operands, constants = np.zeros((3, n), np.int32), []
        for i, node in enumerate(self._made, self._first):
            self._code[i] = number[instruction(node)]
            operands = [*node.inputs, next(exponents)] if node.op is POWER else node.inputs
            for k, operand in enumerate(operands):
                self._operands[k, i] = self._row[operand]
            if node.op is not POWER:
                self._extra[i] = len(constants)
                constants += node.attrs
        self._constants = np.array([*constants, 0.0], np.float64)
        used = self._used()
        self._code_backward = self._code.copy()
        self._code_backward[self._first :][[node not in used for node in self._made]] = -1  # no instruction

    def _used(self):
        """What the outputs were made of. The rest gets no gradient: not even 0, which times infinity would be NaN."""
        used = set(self.outputs)
        for node in reversed(self._made):
            if node in used:
                used.update(node.inputs)
        return used

    # ---- replay ----------------------------------------------------------------------------------------------------

    def forward(self, *arguments):
        """Run the record on what the leaves' `data` are now, and on `arguments` in place of those recorded.

        Arguments have the shapes of those that were recorded, or one axis more in front: a batch, run at once.
        Returns the output (a tuple if there are several): a float, or a float64 array (batch,).

        Raises:
            RuntimeError: a comparison comes out otherwise than it was recorded.
            NotImplementedError: an op has no compiled form.
            TypeError, ValueError: the arguments are not those of the recorded function.
        """
        if not self._closed:
            raise RuntimeError("Tape.forward(): the recording has not ended yet, or failed; call it after the block")
        given, batch = self._read(arguments)
        last = self._last
        last.batched, last.width = batch is not None, 1 if batch is None else batch
        size = self._code.size * last.width
        if last.values is None or last.values.size != size:
            last.values, last.grads = np.empty(size), np.empty(size)
        rows = self._rows(last.values)
        rows[: self._first] = np.array([v.data for v in self._leaves] + self._numbers, np.float64)[:, None]
        if given is not None:
            rows[: len(self.inputs)] = given
        self._run(0, last.values)
        self._check(rows)
        results = [rows[self._row[v]] for v in self.outputs]
        if last.batched:
            results = tuple([row.copy() for row in results])
        else:
            results = tuple([float(row[0]) for row in results])
            for value, result in zip(self.outputs, results, strict=True):
                value.data = result
        return results[0] if len(results) == 1 else results

    def backward(self, grad=1.0) -> None:
        """Add the gradients of the output(s) of the thread's last `forward` to the leaves' `grad`, times `grad`: a
        number, or an array (batch,). Of a batch the leaves get the sum; what each input got is in `gradient`.
        A leaf that was itself computed, before the recording, hands its gradient on as in `Value.backward`."""
        last = self._last
        if last.values is None:
            raise RuntimeError("Tape.backward(): nothing has been replayed in this thread; call forward() first")
        factor = floats("Tape.backward(): argument 'grad'", grad)
        if factor.ndim and factor.shape != (last.width,) * last.batched:
            expected = f"a number or an array of shape [{last.width}]" if last.batched else "a number"
            raise ValueError(
                f"Tape.backward(): argument 'grad' has shape {list(factor.shape)}; expected {expected}, as the outputs"
            )
        last.grads[:] = 0.0
        rows = self._rows(last.grads)
        for value in self.outputs:
            rows[self._row[value]] += factor
        self._run(1, last.values, last.grads)
        totals = rows[: len(self._leaves)].sum(1).tolist()
        computed = []
        for leaf, total in zip(self._leaves, totals, strict=True):
            if leaf.inputs:
                computed.append((leaf, total))
            elif leaf.op is not Number:
                leaf.grad += total
        if computed:
            add_gradients(*zip(*computed, strict=True))

    @staticmethod
    def update(parameters, lr) -> None:
        """A step of gradient descent: ``p.data -= lr * p.grad`` for each of the Values, whose gradients are 0 then."""
        for parameter in parameters:
            parameter.data -= lr * parameter.grad
            parameter.grad = 0

    def value(self, value):
        """What a recorded Value was in the last replay: a float, or an array (batch,)."""
        return self._look_up(self._last.values, value)

    def gradient(self, value):
        """The gradient that a recorded Value got in the last `backward`: a float, or an array (batch,)."""
        return self._look_up(self._last.grads, value)

    def _look_up(self, table, value):
        if table is None or value not in self._row:
            raise KeyError(f"{value!r} is not part of this tape, or nothing has been replayed")
        row = self._rows(table)[self._row[value]]
        return row.copy() if self._last.batched else float(row[0])

    def _rows(self, table):
        return table.reshape(self._code.size, self._last.width)

    def _run(self, which, *tables):
        """Let the machine run: the forward one (0) or the backward one (1)."""
        width = self._last.width
        machine, code = machines(self._names, width == 1)[which], (self._code, self._code_backward)[which]
        try:
            machine(code, self._operands, self._extra, self._constants, self._first, width, *tables)
        except Exception as error:
            name = uncompilable(self._names)
            if name is None:
                raise
            raise not_compiled(name) from error

    def _read(self, arguments):
        """(rows for the inputs, the batch's size or None) of `forward`'s arguments."""
        if len(arguments) != len(self._shapes):
            raise TypeError(f"Tape.forward(): got {len(arguments)} arguments; {len(self._shapes)} were recorded")
        arrays = [floats(f"Tape.forward(): argument {k}", argument) for k, argument in enumerate(arguments)]
        sizes = set()
        for k, (array, shape) in enumerate(zip(arrays, self._shapes, strict=True)):
            if array.shape == shape:
                continue
            if array.ndim == 0 or array.shape[1:] != shape:
                raise ValueError(
                    f"Tape.forward(): argument {k} has shape {list(array.shape)}; recorded was {list(shape)}; expected "
                    f"that, or {['batch', *shape]}".replace("'", "")
                )
            sizes.add(len(array))
        if len(sizes) > 1:
            raise ValueError(f"Tape.forward(): batches of different sizes: {sorted(sizes)}")
        if not arrays:
            return None, None
        batch = sizes.pop() if sizes else None
        width = 1 if batch is None else batch
        columns = []
        for array, shape in zip(arrays, self._shapes, strict=True):
            rows, count = 1 if array.shape == shape else batch, math.prod(shape)
            columns.append(np.broadcast_to(array.reshape(rows, count), (width, count)))
        return np.concatenate(columns, axis=1).T, batch

    def _check(self, rows):
        """Raise RuntimeError if a comparison comes out otherwise than in the recording."""
        for name, operands, outcome, (file, line) in self._guards:
            numbers = [rows[self._row[v]] if isinstance(v, Value) else v for v in operands]
            now = np.broadcast_to(quiet.run(ARRAYS[name], *numbers), rows.shape[1])
            differs = np.flatnonzero(now != outcome)
            if differs.size:
                where = f" (row {differs[0]} of the batch)" if self._last.batched else ""
                raise RuntimeError(
                    f"Tape.forward(): the program would take another branch{where}: the comparison '{name}' at {file}:"
                    f"{line} was {outcome} in the recording and is {not outcome} now; record again for such numbers"
                )


def instruction(node):
    """The name of a node's instruction."""
    return "power" if node.op is POWER else node.op.name


def floats(what, given):
    """An argument as a float64 array."""
    try:
        array = np.asarray(given)
        if array.dtype.kind in "biufO" and not (array.dtype.kind == "O" and None in array.ravel().tolist()):
            return array.astype(np.float64)
    except (TypeError, ValueError):  # lists of unlike lengths; objects that are no numbers
        pass
    raise TypeError(f"{what} must be a number, or lists or an array of numbers of one shape, not {describe(given)}")
