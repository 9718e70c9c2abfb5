"""Sums of many numbers that lie side by side: at full speed from any address, and with the same bits from each.

Vectors of 64 bytes are read twice as fast where none lies in two cache lines, but NumPy's arrays begin anywhere. Were
the numbers before the first whole line added apart, an array's address would choose what is added to what: the last
digit of a program would change from run to run. So number i belongs to sum i mod n wherever it lies, n being the lanes
of all VECTORS (in the picture 8: lines have 4 lanes, 2 vectors hold the sums):

    lines       │ ·  ·  0  1 │ 2  3  4  5 │ 6  7  8  9 │10  ·  ·  · │     · lies outside of the array: masked, 0
    vectors     ╰── first ───╯╰─ second ──╯╰── first ──╯╰─ second ──╯
                  6     7     0,8   1,9  │ 2,10  3     4     5            the sums are complete, but turned by the two
    twice         6 7[0 1 2 3 4 5 6 7]0 1 2 3 4 5                         places before the array: they are written
                                                                          twice, and read from the third place on

Then they are added to one another, always in one order. Vectors are 64 bytes long; where the processor's are shorter,
LLVM takes several.

Before this: `llvm.py`. After it: `reduce.py`.
"""

import functools

import numpy as np

from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import ITEMS, Code, address, call, compiled

LINE = 64  # bytes of a vector, and of a line
VECTORS = 4  # to add to in turn: an addition takes several cycles
LEAST = VECTORS * LINE // 4  # numbers, below which there are sums without any
BLOCK = 2048  # numbers added before the sums of blocks are: what keeps rounding errors small
ARGUMENTS = "i64 %count, i64 %rows, ptr %a, i64 %step, ptr %out"


class Sums(Code):
    """out[r] = the sum of `count` numbers, LEAST or more, from a + r * step on (bytes)."""

    def __init__(self, item):
        super().__init__(f"sums_{item[1]}", ARGUMENTS, item, LINE // item[2])
        self.spare = self.let(f"alloca [{2 * VECTORS * self.lanes} x {self.item}], align {LINE}")
        self.loop("%rows", ["ptr", "ptr"], ["%a", "%out"], self.row)

    def row(self, a, out):
        before = self.let(f"and i64 {self.let(f'ptrtoint ptr {a} to i64')}, {LINE - self.size}")
        place = self.at(a, self.let(f"sub i64 0, {before}"))  # (of an array that begins inside of a number: near it)
        skipped = self.let(f"lshr i64 {before}, {self.size.bit_length() - 1}")  # the same, in numbers
        begun = self.beyond(skipped)
        sums = [self.load(line, begun if line == place else None) for line in self.rows(place, LINE, VECTORS)]
        numbers = self.let(f"add i64 %count, {skipped}")
        left = self.let(f"sub i64 {numbers}, {VECTORS * self.lanes}")

        def turn(place, *sums):
            return [self.at(place, VECTORS * LINE), *self.added(sums, place, [None] * VECTORS)]

        turns = self.let(f"lshr i64 {left}, {(VECTORS * self.lanes).bit_length() - 1}")
        place, *sums = self.loop(
            turns, ["ptr", *[self.vector] * VECTORS], [self.at(place, VECTORS * LINE), *sums], turn
        )
        rest = self.let(f"and i64 {left}, {VECTORS * self.lanes - 1}")
        masks = [self.first(self.let(f"sub i64 {rest}, {k * self.lanes}")) for k in range(VECTORS)]
        sums = self.added(sums, place, masks)

        for line, value in zip(self.rows(self.spare, LINE, 2 * VECTORS), [*sums, *sums]):
            self.store(value, line)
        sums = [self.load(line) for line in self.rows(self.at(self.spare, before), LINE, VECTORS)]
        while len(sums) > 1:
            sums = [self.op("fadd", *pair) for pair in zip(sums[::2], sums[1::2])]
        self.do(f"store {self.item} {self.total(sums[0])}, ptr {out}, align {self.size}")
        return [self.at(a, "%step"), self.at(out, self.size)]

    def added(self, sums, place, masks):
        """Each of the sums and the vector of its line, from `place` on."""
        lines = self.rows(place, LINE, VECTORS)
        return [self.op("fadd", value, self.load(*line)) for value, *line in zip(sums, lines, masks)]


@functools.cache
def adder(dtype):
    """The address of the kernel for float32 or float64; compiled at the first call."""
    item = ITEMS[dtype]
    return compiled(f"sums-{item[1]}", _codes, (item,), [f"sums_{item[1]}"])[0]


def _codes(item):
    return [Sums(item)]


@jit
def add_many(kernel, x, out, outer, count):
    """out[o] = sum over i of x[o, i], LEAST numbers or more each; the arrays may have any shapes of these sizes."""
    size, row, target = x.itemsize, address(x), address(out)
    if count < 2 * BLOCK:
        call(kernel, count, outer, row, count * size, target)
        return
    parts = np.empty(max(LEAST, count // BLOCK), x.dtype)
    for _ in range(outer):
        place, left, part = row, count, address(parts)
        while left >= 2 * BLOCK:  # sums of blocks, of blocks of those, ...: each is written where all has been read
            last = left // BLOCK - 1
            call(kernel, BLOCK, last, place, BLOCK * size, part)
            call(kernel, left - last * BLOCK, 1, place + last * BLOCK * size, 0, part + last * size)
            place, left = part, last + 1
        parts[left:LEAST] = 0
        call(kernel, max(left, LEAST), 1, place, 0, target)
        row, target = row + count * size, target + size
