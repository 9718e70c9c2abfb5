"""Vector kernels over rows: what numba's loops do not become by themselves.

A maximum of floats, an exponential whose sum is wanted, a row whose length is no multiple of the vector: LLVM leaves
such loops, or their ends, one number at a time. Here they are written as vector code, once for float32 and float64:

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

Before this: `dispatch.py`. After it: `attention.py`.
"""

import functools
import math
import types

import numpy as np

from minigrad.kernels.dispatch import intrinsic, jit

BYTES = 64  # of a vector
ARGUMENTS = "columns live rows a a_step m m_step x y z".split()


# --------------------------------------------------------------------------------------------------------------------
# The builder: the code of one kernel, instruction by instruction.


class Rows:
    """A kernel being built: its arguments by name, the current row's pointers, and operations on vectors."""

    def __init__(self, module, name, scalar):
        from llvmlite import ir

        self.ir, self.module, self.scalar = ir, module, scalar
        self.bytes = 4 if isinstance(scalar, ir.FloatType) else 8
        self.lanes = BYTES // self.bytes
        self.word, self.integer = ir.IntType(64), ir.IntType(8 * self.bytes)
        self.vector, self.truths = ir.VectorType(scalar, self.lanes), ir.VectorType(ir.IntType(1), self.lanes)
        self.function = ir.Function(module, function_type(ir), f"{name}_f{8 * self.bytes}")
        self.function.linkage = "internal"
        self.function.attributes.add("noinline")
        self.suffix = f"v{self.lanes}f{8 * self.bytes}"
        for argument, value in zip((*ARGUMENTS, "number"), self.function.args, strict=True):
            setattr(self, argument, value)

    def build(self, body):
        """The loop over rows around `body(self)`; returns the function."""
        ir = self.ir
        entry, loop, end = (self.function.append_basic_block() for _ in range(3))
        self.code = b = ir.IRBuilder(entry)
        if self.bytes == 4:
            self.number = b.fptrunc(self.number, self.scalar)
        b.cbranch(b.icmp_signed(">", self.rows, self.whole(0)), loop, end)
        b.position_at_end(loop)
        self.row = b.phi(self.word)
        live = b.add(self.live, self.row)
        live = b.select(b.icmp_signed("<", live, self.columns), live, self.columns)
        self.n = b.select(b.icmp_signed(">", live, self.whole(0)), live, self.whole(0))
        body(self)
        following = b.add(self.row, self.whole(1))
        self.row.add_incoming(self.whole(0), entry)
        self.row.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.rows), loop, end)
        b.position_at_end(end)
        b.ret_void()
        return self.function

    def whole(self, value):
        return self.ir.Constant(self.word, value)

    def full(self, value):
        """A vector of one number."""
        return self.ir.Constant(self.vector, [float(value)] * self.lanes)

    def splat(self, value):
        """A vector of a scalar."""
        ir, kind = self.ir, self.ir.VectorType(value.type, self.lanes)
        nothing = ir.Constant(kind, ir.Undefined)
        one = self.code.insert_element(nothing, value, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.lanes), [0] * self.lanes)
        return self.code.shuffle_vector(one, nothing, zeros)

    def external(self, name, result, arguments):
        """One of LLVM's own functions."""
        known = self.module.globals.get(name)
        return known or self.ir.Function(self.module, self.ir.FunctionType(result, arguments), name)

    def fma(self, x, y, z):
        function = self.external(f"llvm.fmuladd.{self.suffix}", self.vector, [self.vector] * 3)
        return self.code.call(function, [x, y, z])

    def maximum(self, x):
        """The largest lane."""
        function = self.external(f"llvm.vector.reduce.fmax.{self.suffix}", self.scalar, [self.vector])
        return self.code.call(function, [x], fastmath=("nnan",))

    def total(self, x):
        """The sum of the lanes."""
        function = self.external(f"llvm.vector.reduce.fadd.{self.suffix}", self.scalar, [self.scalar, self.vector])
        return self.code.call(function, [self.ir.Constant(self.scalar, 0.0), x], fastmath=("reassoc",))

    def larger(self, x, y):
        """x where it is larger, else y: NaN in x is passed over."""
        return self.code.select(self.code.fcmp_ordered(">", x, y), x, y)

    def pointer(self, address):
        return self.code.inttoptr(address, self.ir.PointerType())

    def line(self, address, step):
        """The address of the current row of a matrix."""
        return self.code.add(address, self.code.mul(self.row, step))

    def place(self, address, column):
        return self.pointer(self.code.add(address, self.code.mul(column, self.whole(self.bytes))))

    def get(self, vector):
        """This row's number out of a vector with one per row."""
        found = self.code.load(self.place(vector, self.row), typ=self.scalar)
        found.align = self.bytes
        return found

    def put(self, vector, value):
        self.code.store(value, self.place(vector, self.row)).align = self.bytes

    def load(self, place, mask, fill=0.0):
        if mask is None:
            found = self.code.load(place, typ=self.vector)
            found.align = self.bytes
            return found
        ir = self.ir
        kinds = [ir.PointerType(), ir.IntType(32), self.truths, self.vector]
        function = self.external(f"llvm.masked.load.{self.suffix}.p0", self.vector, kinds)
        return self.code.call(function, [place, ir.Constant(ir.IntType(32), self.bytes), mask, self.full(fill)])

    def store(self, value, place, mask):
        if mask is None:
            self.code.store(value, place).align = self.bytes
            return
        ir = self.ir
        kinds = [self.vector, ir.PointerType(), ir.IntType(32), self.truths]
        function = self.external(f"llvm.masked.store.{self.suffix}.p0", ir.VoidType(), kinds)
        self.code.call(function, [value, place, ir.Constant(ir.IntType(32), self.bytes), mask])

    def mask(self, count):
        """Which lanes are below `count`."""
        ir, kind = self.ir, self.ir.VectorType(self.ir.IntType(32), self.lanes)
        lanes = ir.Constant(kind, list(range(self.lanes)))
        return self.code.icmp_signed("<", lanes, self.splat(self.code.trunc(count, ir.IntType(32))))

    def each(self, first, last, step, value=None):
        """`value = step(column, mask, value)` for the vectors of columns first to last - 1; the last value."""
        b, start, source = self.code, first, self.code.block
        loop, after, tail, end = (self.function.append_basic_block() for _ in range(4))
        whole = b.add(first, b.and_(b.sub(last, first), self.whole(-self.lanes)))
        b.cbranch(b.icmp_signed("<", first, whole), loop, after)
        b.position_at_end(loop)
        column = b.phi(self.word)
        carried = value and b.phi(value.type)
        result = step(column, None, carried)
        following = b.add(column, self.whole(self.lanes))
        column.add_incoming(start, source)
        column.add_incoming(following, b.block)
        if value:
            carried.add_incoming(value, source)
            carried.add_incoming(result, b.block)
        looped = b.block
        b.cbranch(b.icmp_signed("<", following, whole), loop, after)
        b.position_at_end(after)
        value = value and self.joined((value, source), (result, looped))
        rest = b.sub(last, whole)
        b.cbranch(b.icmp_signed(">", rest, self.whole(0)), tail, end)
        b.position_at_end(tail)
        result = step(whole, self.mask(rest), value)
        tailed = b.block
        b.branch(end)
        b.position_at_end(end)
        return value and self.joined((value, after), (result, tailed))

    def joined(self, *ways):
        """The value that the way taken brings: (value, block) each."""
        phi = self.code.phi(ways[0][0].type)
        for value, block in ways:
            phi.add_incoming(value, block)
        return phi

    def first(self, vector):
        """Its first lane."""
        return self.code.extract_element(vector, self.ir.Constant(self.ir.IntType(32), 0))

    def map(self, address, function):
        """a = function(a, column, mask) for the vectors of the live columns of a row."""

        def step(j, mask, _):
            place = self.place(address, j)
            self.store(function(self.load(place, mask), j, mask), place, mask)

        self.each(self.whole(0), self.n, step)

    def clear_rest(self, address):
        """Zeros into the columns that are not live."""
        zero = self.full(0.0)
        self.each(self.n, self.columns, lambda j, mask, _: self.store(zero, self.place(address, j), mask))

    def exp(self, x):
        """e^x for x up to 88 (float64: 709): as in `vecmath.py`, but what is below the normal range is 0."""
        ir, b = self.ir, self.code
        number = EXP[8 * self.bytes]
        nothing = b.fcmp_ordered("<", x, self.full(number.lowest))
        x = b.select(nothing, self.full(0.0), x)
        shifted = self.fma(x, self.full(1.4426950408889634), self.full(number.shift))
        n = b.fsub(shifted, self.full(number.shift))
        r = self.fma(n, self.full(-number.ln2[0]), x)
        r = self.fma(n, self.full(-number.ln2[1]), r)
        p = self.full(number.fit[-1])
        for coefficient in number.fit[-2::-1]:
            p = self.fma(p, r, self.full(coefficient))
        p = b.fadd(self.fma(b.fmul(r, r), p, r), self.full(1.0))
        integers = ir.VectorType(self.integer, self.lanes)
        constant = lambda value: ir.Constant(integers, [value] * self.lanes)  # noqa: E731
        bits = b.add(b.bitcast(shifted, integers), constant(number.bias))
        power = b.bitcast(b.shl(bits, constant(number.digits)), self.vector)
        return b.select(nothing, self.full(0.0), b.fmul(p, power))


# The constants of `vecmath.py`: e^r = 1 + r + r² fit(r), and 2^n by n's bits in place of the exponent.
EXP = {
    32: types.SimpleNamespace(
        lowest=-87.3, shift=12582912.0, bias=127, digits=23, ln2=(0.693145751953125, 1.4286068202862268e-06),
        fit=(0.4999999343219118, 0.16666520399283805, 0.04166839076545108, 0.008368745085972821, 0.0013814541274852449),
    ),
    64: types.SimpleNamespace(
        lowest=-708.3, shift=6755399441055744.0, bias=1023, digits=52, ln2=(0.6931471803691238, 1.9082149292705877e-10),
        fit=(
            0.5, 0.16666666666666408, 0.04166666666652997, 0.008333333333496696, 0.0013888888943714185,
            0.00019841269502349776, 2.4801492984466368e-05, 2.755758958626677e-06, 2.7630297132783286e-07,
            2.4999218508808666e-08,
        ),
    ),
}  # fmt: skip


# --------------------------------------------------------------------------------------------------------------------
# The kernels. k: the builder; `a` is changed in place, where it is not only read.


def exp_rows(k):
    """Softmax as far as it goes without knowing all columns: a = exp(a * number - top), where x, the top so far, is
    made the larger of it and this row's maximum; y, the sum so far, becomes y * z + this row's sum with
    z = exp(old top - new). Rows of -inf give zeros."""
    code, a, number = k.code, k.line(k.a, k.a_step), k.splat(k.number)
    low = k.full(-math.inf)

    def larger(j, mask, top):
        return k.larger(code.fmul(k.load(k.place(a, j), mask, math.nan), number), top)

    def powers(j, mask, total):
        # Rounded as in the maximum, which must give exp(0).
        power = k.exp(code.fsub(code.fmul(k.load(k.place(a, j), mask), number), base))
        k.store(power, k.place(a, j), mask)
        return code.fadd(total, power if mask is None else code.select(mask, power, k.full(0.0)))

    former = k.get(k.x)
    top = k.splat(k.maximum(k.larger(k.each(k.whole(0), k.n, larger, low), k.splat(former))))
    base = code.select(code.fcmp_ordered("==", top, low), k.full(0.0), top)
    total = k.total(k.each(k.whole(0), k.n, powers, k.full(0.0)))
    shrink = k.first(k.exp(code.fsub(k.splat(former), base)))
    k.put(k.x, k.first(top))
    k.put(k.y, code.fadd(code.fmul(k.get(k.y), shrink), total))
    k.put(k.z, shrink)
    k.clear_rest(a)


def share_rows(k):
    """The end of it: a = a / y, y = 1 / y; of rows without anything in them zeros."""
    code, a = k.code, k.line(k.a, k.a_step)
    total, top = k.splat(k.get(k.y)), k.splat(k.get(k.x))
    share = code.fdiv(k.full(1.0), total)
    share = code.select(code.fcmp_ordered("==", total, k.full(0.0)), k.full(0.0), share)
    k.put(k.y, k.first(share))
    k.put(k.x, k.first(code.select(code.fcmp_ordered("==", top, k.full(-math.inf)), k.full(0.0), top)))
    k.map(a, lambda x, j, mask: code.fmul(x, share))


def known_rows(k):
    """a = exp(a * number - x) * y: the weights again, from what `share_rows` left."""
    code, a, number = k.code, k.line(k.a, k.a_step), k.splat(k.number)
    base, share = k.splat(k.get(k.x)), k.splat(k.get(k.y))
    k.map(a, lambda x, j, mask: code.fmul(k.exp(code.fsub(code.fmul(x, number), base)), share))
    k.clear_rest(a)


def scale_rows(k):
    """a = a * z"""
    factor = k.splat(k.get(k.z))
    k.map(k.line(k.a, k.a_step), lambda x, j, mask: k.code.fmul(x, factor))


def add_to_rows(k):
    """a = a * number + m"""
    number, m = k.splat(k.number), k.line(k.m, k.m_step)
    k.map(k.line(k.a, k.a_step), lambda x, j, mask: k.fma(x, number, k.load(k.place(m, j), mask)))


def multiply_rows(k):
    """a = a * m"""
    m = k.line(k.m, k.m_step)
    k.map(k.line(k.a, k.a_step), lambda x, j, mask: k.code.fmul(x, k.load(k.place(m, j), mask)))


def along_rows(k):
    """a = m * (a - x) * number: the derivative of softmax, x being the sum of m * a over the row."""
    code, a, m = k.code, k.line(k.a, k.a_step), k.line(k.m, k.m_step)
    mean, number = k.splat(k.get(k.x)), k.splat(k.number)

    def along(x, j, mask):
        return code.fmul(code.fmul(k.load(k.place(m, j), mask), number), code.fsub(x, mean))

    k.map(a, along)
    k.clear_rest(a)


def dot_rows(k):
    """x = sum of a * m over the row"""
    a, m = k.line(k.a, k.a_step), k.line(k.m, k.m_step)

    def add(j, mask, total):
        return k.fma(k.load(k.place(a, j), mask), k.load(k.place(m, j), mask), total)

    k.put(k.x, k.total(k.each(k.whole(0), k.n, add, k.full(0.0))))


KERNELS = (exp_rows, share_rows, known_rows, scale_rows, add_to_rows, multiply_rows, along_rows, dot_rows)
EXP_ROWS, SHARE_ROWS, KNOWN_ROWS, SCALE_ROWS, ADD_TO_ROWS, MULTIPLY_ROWS, ALONG_ROWS, DOT_ROWS = range(len(KERNELS))


# --------------------------------------------------------------------------------------------------------------------
# Their addresses, and how they are called


def function_type(ir):
    """What all kernels are: of `ARGUMENTS` and a number."""
    return ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * len(ARGUMENTS) + [ir.DoubleType()])


def emit(kind):
    """An intrinsic that defines all kernels for one kind of number and writes their addresses to a place."""

    def emit(typing, place):
        from llvmlite import ir
        from numba import types

        def generate(context, code, signature, arguments):
            word, pointer = ir.IntType(64), code.inttoptr(arguments[0], ir.PointerType())
            scalar = ir.DoubleType() if kind == "d" else ir.FloatType()
            for index, body in enumerate(KERNELS):
                kernel = Rows(code.module, body.__name__, scalar).build(body)
                code.store(
                    code.ptrtoint(kernel, word), code.gep(pointer, [ir.Constant(word, index)], source_etype=word)
                )
            return context.get_dummy_value()

        return types.none(place), generate

    return intrinsic(emit)


emit_single, emit_double = emit("f"), emit("d")


@jit
def fill_single(place):
    """Write the addresses of the kernels for float32."""
    emit_single(place)


@jit
def fill_double(place):
    """The same for float64."""
    emit_double(place)


@functools.cache
def table(dtype):
    """The addresses of the kernels for float32 or float64, by their numbers."""
    addresses = np.zeros(len(KERNELS), np.int64)
    (fill_double if dtype == np.float64 else fill_single)(addresses.ctypes.data)
    return addresses


@intrinsic
def call(typing, kernel, columns, live, rows, a, a_step, m, m_step, x, y, z, number):
    """Call the kernel at an address."""
    from llvmlite import ir
    from numba import types

    kind = function_type(ir).as_pointer()

    def generate(context, code, signature, arguments):
        code.call(code.inttoptr(arguments[0], kind), arguments[1:])
        return context.get_dummy_value()

    return types.none(*[types.int64] * 11, types.float64), generate
