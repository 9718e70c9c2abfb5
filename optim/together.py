"""Many parameters in one call of a kernel: a table of where their arrays lie.

Before it: `minigrad.kernels.optimizer`, whose drawing shows the table. After it: `optimizer.py`.

A network has many parameters, most of them small, and calling a kernel for each costs more than what it computes.  The
arrays of parameters and state stay where they are from step to step, so their addresses are looked up once; gradients
are new each time, so small ones are copied, one after the other, into a buffer whose address is known.
"""

from __future__ import annotations

from operator import is_

import numpy as np

from minigrad.kernels.llvm import address_of

COPIED = 4096  # numbers: gradients up to this size are copied rather than looked up (measured)
GRADIENT, PARAMETER = 1, 2  # columns of the table; before them the size, after them the state


class Table:
    """The addresses of some parameters and of their state. `arrays`: all parameters, then all first parts of state, and
    so on; they are held, so an address stays good."""

    def __init__(self, arrays, count):
        self.arrays, params = arrays, arrays[:count]
        self.counter = np.empty(0, arrays[min(count, len(arrays) - 1)].dtype)  # of the first part of the state
        self.shapes = [p.shape for p in params]
        self.kind = np.empty(0, params[0].dtype)
        self.table = np.empty((count, PARAMETER + len(arrays) // count), np.int64)
        self.table[:, 0] = [p.size for p in params]
        self.table[:, PARAMETER:] = np.reshape([address_of(a.reshape(-1)) for a in arrays], (-1, count)).T
        self.copied = [k for k, p in enumerate(params) if p.size <= COPIED]
        self.looked_up = [k for k, p in enumerate(params) if p.size > COPIED]
        sizes = [params[k].size for k in self.copied]
        self.buffer = np.empty(sum(sizes), self.kind.dtype)
        starts = np.cumsum([0, *sizes[:-1]]) if sizes else 0
        self.table[self.copied, GRADIENT] = address_of(self.buffer) + self.kind.itemsize * starts

    def is_of(self, arrays):
        """Whether these are the arrays it was made for."""
        return len(arrays) == len(self.arrays) and all(map(is_, arrays, self.arrays))

    def take(self, grads):
        """Note where the gradients (arrays) lie, for one step. False if they are not what the kernels take."""
        if [g.shape for g in grads] != self.shapes:
            return False
        for k in self.looked_up:
            g = grads[k]
            if not g.flags.c_contiguous or g.dtype != self.kind.dtype:
                return False
            self.table[k, GRADIENT] = address_of(g.reshape(-1))
        if self.copied:
            try:
                np.concatenate([grads[k] for k in self.copied], axis=None, out=self.buffer, casting="no")
            except TypeError:
                return False
        return True


def table_of(arrays, count, counted):
    """A `Table`, or None where the kernels do not take the arrays: all must be in C order, writable, and of one dtype,
    float32 or float64. counted: the first part of the state is a number per parameter, which may be of either dtype."""
    params, rest = arrays[:count], arrays[count:]
    numbers, rest = (rest[:count], rest[count:]) if counted else ([], rest)
    dtype = params[0].dtype
    good = dtype.char in "fd" and all([a.flags.c_contiguous and a.flags.writeable for a in arrays])
    good = good and all([a.dtype == dtype for a in (*params, *rest)])
    good = good and all([a.size == params[k % count].size for k, a in enumerate(rest)])
    if numbers:
        good = good and numbers[0].dtype.char in "fd" and all([a.dtype == numbers[0].dtype for a in numbers])
        good = good and all([a.size == 1 for a in numbers])
    return Table(arrays, count) if good else None
