"""Vector kernels over rows: what numba's loops do not become by themselves.

A maximum of floats, an exponential whose sum is wanted, a row whose length is no multiple of the vector: LLVM leaves
such loops, or their ends, one number at a time. Here they are written as vector code (`llvm.py`), once for float32 and
float64:

    for each row r of a matrix a                     n = min(columns, live + r)     (live = columns: all of each row)
        a[r, :n]          whole vectors, then one that is masked
        a[r, n:columns]   zeros, where the kernel says so: under a causal mask, row r sees r + 1 columns

      columns ───────────────────
      │ v e c t o r │ v e c ░░░░│   masked: the rest of the last vector is neither read nor written
      │ v e c t o r │ v 0 0 0 0 │   0: not live

`KERNELS` lists them; `table(dtype)` holds their addresses in that order, so a driver that takes the table as an
argument serves both dtypes. All have the arguments of `call`: sizes, then addresses and byte strides of two matrices
and addresses of three vectors with a number per row, and one number. Vectors are 64 bytes long; where the processor's
are shorter, LLVM takes several.

Before this: `llvm.py`. After it: `attention.py`.
"""

import functools
import math
import struct
import types

import numpy as np

from minigrad.kernels.llvm import ITEMS, Code, compiled

BYTES = 64  # of a vector
ARGUMENTS = (
    "i64 %columns, i64 %live, i64 %rows, ptr %a, i64 %a_step, ptr %m, i64 %m_step, ptr %x, ptr %y, ptr %z, "
    "double %number"
)
ZEROS = "zeroinitializer"


class Rows(Code):
    """A kernel: `body(self)` writes what is done with a row. a and m are where the row begins, x, y, z where its number
    in the three vectors is; n live columns; number: in all lanes."""

    def __init__(self, body, item):
        super().__init__(body.__name__, ARGUMENTS, item, BYTES // item[2])
        self.integer = f"<{self.lanes} x i{8 * self.size}>"
        number = "%number" if self.item == "double" else self.let(f"fptrunc double %number to {self.item}")
        self.number = self.spread(number)

        def row(live, *places):
            self.a, self.m, self.x, self.y, self.z = places
            self.n = self.whole("smin", "%columns", self.whole("smax", live, 0))
            body(self)
            steps = "%a_step", "%m_step", self.size, self.size, self.size
            return [self.let(f"add i64 {live}, 1"), *[self.at(*pair) for pair in zip(places, steps)]]

        self.loop("%rows", ["i64", *["ptr"] * 5], ["%live", "%a", "%m", "%x", "%y", "%z"], row)

    def whole(self, name, a, b):
        """smin or smax of two integers."""
        return self.let(f"call i64 @llvm.{name}.i64(i64 {a}, i64 {b})")

    def full(self, number):
        """A vector of one number."""
        one = struct.pack(">d", number if self.size == 8 else np.float32(number)).hex().upper()
        return f"<{', '.join([f'{self.item} 0x{one}'] * self.lanes)}>"

    def maximum(self, x):
        """The largest lane."""
        function = f"@llvm.vector.reduce.fmax.v{self.lanes}{self.tag}"
        return self.let(f"call nnan {self.item} {function}({self.vector} {x})")

    def compare(self, how, x, y):
        return self.let(f"fcmp {how} {self.vector} {x}, {y}")

    def larger(self, x, y):
        """x where it is larger, else y: NaN in x is passed over."""
        return self.select(self.compare("ogt", x, y), x, y)

    def get(self, place):
        """This row's number out of a vector with one per row, in all lanes."""
        return self.spread(self.let(f"load {self.item}, ptr {place}, align {self.size}"))

    def put(self, place, value):
        """Store a number; of a vector its first lane."""
        number = self.let(f"extractelement {self.vector} {value}, i32 0")
        self.do(f"store {self.item} {number}, ptr {place}, align {self.size}")

    def each(self, first, last, step, *values):
        """`values = step(offset, mask, *values)` for the vectors of columns first to last - 1; the last values."""
        count, start = self.let(f"sub i64 {last}, {first}"), self.let(f"mul i64 {first}, {self.size}")

        def further(offset, *values):
            values = step(offset, None, *values)
            return [self.let(f"add i64 {offset}, {BYTES}"), *values]

        vectors = self.let(f"lshr i64 {count}, {self.lanes.bit_length() - 1}")
        offset, *values = self.loop(vectors, ["i64", *[self.vector] * len(values)], [start, *values], further)
        rest = self.let(f"and i64 {count}, {self.lanes - 1}")
        some = self.let(f"icmp ne i64 {rest}, 0")
        return self.where(some, values, lambda values: step(offset, self.first(rest), *values))

    def sum(self, function):
        """The sum of `function(offset, mask, total so far)` over the live columns, in all lanes."""
        [total] = self.each(0, self.n, lambda *given: [function(*given)], self.full(0))
        return self.spread(self.total(total))

    def map(self, function):
        """a = function(a, offset, mask) for the vectors of the live columns."""

        def step(offset, mask):
            place = self.at(self.a, offset)
            self.store(function(self.load(place, mask), offset, mask), place, mask)
            return []

        self.each(0, self.n, step)

    def of_m(self, offset, mask):
        return self.load(self.at(self.m, offset), mask)

    def clear_rest(self):
        """Zeros into the columns that are not live."""

        def step(offset, mask):
            self.store(ZEROS, self.at(self.a, offset), mask)
            return []

        self.each(self.n, "%columns", step)

    def exp(self, x):
        """e^x for x up to 88 (float64: 709): as in `vecmath.py`, but what is below the normal range is 0."""
        known = EXP[self.size]
        nothing = self.compare("olt", x, self.full(known.lowest))
        x = self.select(nothing, ZEROS, x)
        shifted = self.multiply_add(x, self.full(1.4426950408889634), self.full(known.shift))
        n = self.op("fsub", shifted, self.full(known.shift))
        r = self.multiply_add(n, self.full(-known.ln2[0]), x)
        r = self.multiply_add(n, self.full(-known.ln2[1]), r)
        p = self.full(known.fit[-1])
        for coefficient in known.fit[-2::-1]:
            p = self.multiply_add(p, r, self.full(coefficient))
        p = self.op("fadd", self.multiply_add(self.op("fmul", r, r), p, r), self.full(1))
        bits = self.let(f"bitcast {self.vector} {shifted} to {self.integer}")
        bits = self.let(f"add {self.integer} {bits}, {self.integers(known.bias)}")
        bits = self.let(f"shl {self.integer} {bits}, {self.integers(known.digits)}")
        power = self.let(f"bitcast {self.integer} {bits} to {self.vector}")
        return self.select(nothing, ZEROS, self.op("fmul", p, power))

    def integers(self, value):
        return f"<{', '.join([f'i{8 * self.size} {value}'] * self.lanes)}>"


# The constants of `vecmath.py`: e^r = 1 + r + r² fit(r), and 2^n by n's bits in place of the exponent.
EXP = {
    4: types.SimpleNamespace(
        lowest=-87.3, shift=12582912.0, bias=127, digits=23, ln2=(0.693145751953125, 1.4286068202862268e-06),
        fit=(0.4999999343219118, 0.16666520399283805, 0.04166839076545108, 0.008368745085972821, 0.0013814541274852449),
    ),
    8: types.SimpleNamespace(
        lowest=-708.3, shift=6755399441055744.0, bias=1023, digits=52, ln2=(0.6931471803691238, 1.9082149292705877e-10),
        fit=(
            0.5, 0.16666666666666408, 0.04166666666652997, 0.008333333333496696, 0.0013888888943714185,
            0.00019841269502349776, 2.4801492984466368e-05, 2.755758958626677e-06, 2.7630297132783286e-07,
            2.4999218508808666e-08,
        ),
    ),
}  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------
# The kernels. `a` is changed in place, where it is not only read.


def exp_rows(k):
    """Softmax as far as it goes without knowing all columns: a = exp(a * number - top), where x, the top so far, is
    made the larger of it and this row's maximum; y, the sum so far, becomes y * z + this row's sum with
    z = exp(old top - new). Rows of -inf give zeros."""
    low, former = k.full(-math.inf), k.get(k.x)

    def larger(offset, mask, top):
        return [k.larger(k.op("fmul", k.load(k.at(k.a, offset), mask, k.full(math.nan)), k.number), top)]

    def powers(offset, mask, total):
        # Rounded as in the maximum, which must give exp(0).
        place = k.at(k.a, offset)
        power = k.exp(k.op("fsub", k.op("fmul", k.load(place, mask), k.number), base))
        k.store(power, place, mask)
        return k.op("fadd", total, power if mask is None else k.select(mask, power, ZEROS))

    [top] = k.each(0, k.n, larger, low)
    top = k.spread(k.maximum(k.larger(top, former)))
    base = k.select(k.compare("oeq", top, low), ZEROS, top)
    total = k.sum(powers)
    shrink = k.exp(k.op("fsub", former, base))
    k.put(k.x, top)
    k.put(k.y, k.op("fadd", k.op("fmul", k.get(k.y), shrink), total))
    k.put(k.z, shrink)
    k.clear_rest()


def share_rows(k):
    """The end of it: a = a / y, y = 1 / y; of rows without anything in them zeros."""
    total, top = k.get(k.y), k.get(k.x)
    share = k.select(k.compare("oeq", total, ZEROS), ZEROS, k.op("fdiv", k.full(1), total))
    k.put(k.y, share)
    k.put(k.x, k.select(k.compare("oeq", top, k.full(-math.inf)), ZEROS, top))
    k.map(lambda x, offset, mask: k.op("fmul", x, share))


def known_rows(k):
    """a = exp(a * number - x) * y: the weights again, from what `share_rows` left."""
    base, share = k.get(k.x), k.get(k.y)
    k.map(lambda x, offset, mask: k.op("fmul", k.exp(k.op("fsub", k.op("fmul", x, k.number), base)), share))
    k.clear_rest()


def scale_rows(k):
    """a = a * z"""
    factor = k.get(k.z)
    k.map(lambda x, offset, mask: k.op("fmul", x, factor))


def add_to_rows(k):
    """a = a * number + m"""
    k.map(lambda x, offset, mask: k.multiply_add(x, k.number, k.of_m(offset, mask)))


def multiply_rows(k):
    """a = a * m"""
    k.map(lambda x, offset, mask: k.op("fmul", x, k.of_m(offset, mask)))


def along_rows(k):
    """a = m * (a - x) * number: the derivative of softmax, x being the sum of m * a over the row."""
    mean = k.get(k.x)
    k.map(lambda x, *at: k.op("fmul", k.op("fmul", k.of_m(*at), k.number), k.op("fsub", x, mean)))
    k.clear_rest()


def dot_rows(k):
    """x = sum of a * m over the row"""
    k.put(
        k.x,
        k.sum(lambda offset, mask, total: k.multiply_add(k.load(k.at(k.a, offset), mask), k.of_m(offset, mask), total)),
    )


KERNELS = (exp_rows, share_rows, known_rows, scale_rows, add_to_rows, multiply_rows, along_rows, dot_rows)
EXP_ROWS, SHARE_ROWS, KNOWN_ROWS, SCALE_ROWS, ADD_TO_ROWS, MULTIPLY_ROWS, ALONG_ROWS, DOT_ROWS = range(len(KERNELS))


def _codes(item):
    """All kernels of a dtype."""
    return [Rows(body, item) for body in KERNELS]


@functools.cache
def table(dtype):
    """The addresses of the kernels for float32 or float64, by their numbers; compiled at the first call."""
    item = ITEMS[np.dtype(dtype)]
    return np.array(compiled(f"lanes-{item[1]}", _codes, (item,), [body.__name__ for body in KERNELS]), np.int64)
