"""Micro-kernels: the innermost loop of matrix products, convolutions, recurrent layers and attention.

LLVM does not keep the sums of a loop nest in registers; written as vector code they run fifteen to thirty times as
fast. So this file writes LLVM's text itself. All of it is one shape, a *tile* of C:

                     V     one vector of `lanes` numbers, twice        C[i, j] (+)= bias[j] + Σ_k S[i, k] * V[k, j]
             k ↓  ┌───────────────┬───────────────┐
                  │               │               │                    Once for each k:
                  └───────┬───────┴───────┬───────┘                      load the row of V: two vectors
      S    → k            │               │                              for each row i:
    ┌───────┐     ┌───────▼───────┬───────▼───────┐                        load the number S[i, k], spread it over
    │   s ──┼─────►  C[i, 0..l-1] │ C[i, l..2l-1] │ ▲                      a vector, and multiply and add it
    │       │     ├───────────────┼───────────────┤ rows                   into the row's two vectors of C
    │       │     │               │               │ ▼
    └───────┘     └───────────────┴───────────────┘                    C stays in registers: 14 x 2 of the 32 of
                                                                       AVX-512, 12 x 2 of NEON's 32, 6 x 2 of 16.

S is read one number at a time, so it may lie anywhere; V is read in vectors, so its rows have to be contiguous. What a
product, a convolution or a gradient is, is only a matter of where S and V lie. There are four ways to find S[i, k]:

                    rows of S lie ...              and from k to k + 1 it is ...
    STRIDED         `row` bytes apart              `step` bytes           A in A @ B
    PACKED          one number apart               `step` bytes           A in A.T @ B; copies made for the purpose
    PACKED_TABLE    one number apart               looked up in a table   neighbouring pixels of an image: k goes over
    STRIDED_TABLE   `row` bytes apart              looked up in a table   channels and window; strided convolutions

A driver is `jit` code, written once for both dtypes and all processors. It gets `table(dtype)`, an array of int64 with
the sizes and the addresses of the kernels, and computes in addresses and byte strides:

    kernel = tile(table, STRIDED, rows, vectors)
    call(kernel, K, S, row, step or address of offsets, V, ldv, C, ldc, bias or 0, flags, live)

flags: ACCUMULATE adds to what is in C, RELU then cuts below zero. Of the last vector only `live` lanes are written and
of the bias only these are read. There are no other checks. V is always read in whole vectors; where its rows end
earlier a driver passes a copy made by `copier`, which fills up with zeros.

    call(copier(table, vectors), K, source, stride, 0, target, target_stride, 0, 0, 0, 0, live)
        K rows of (vectors - 1) * lanes + live numbers, as rows of whole vectors, zeros at the end
    call(transposer(table), rows, source, stride, columns, target, target_stride, 0, 0, bias or 0, flags, 0)
        target[c, r] = source[r, c] + bias[r], at most lanes x lanes; flags: RELU; PAD writes whole vectors into the
        target (beyond `rows` the last row again)

Whoever takes an `address` has to keep the array: numba frees an array made inside a function after its last mention.

(The tile is that of Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication", and of BLIS.)
Before this: `dispatch.py`, `cache.py`. After it: `panels.py`, and the drivers of the families.
"""

import functools
import itertools

import numpy as np

from minigrad.kernels.cache import fingerprint, stored
from minigrad.kernels.dispatch import intrinsic, jit

STRIDED, PACKED, PACKED_TABLE, STRIDED_TABLE = range(4)
ACCUMULATE, RELU, PAD = 1, 2, 4  # flags
VECTORS = 2  # of a tile, side by side

_ITEMS = {np.dtype(np.float32): ("float", "f32", 4), np.dtype(np.float64): ("double", "f64", 8)}
_LANES, _ROWS, _SIZE, _TRANSPOSER, _COPIER, _TILES = 0, 1, 2, 3, 4, 4 + VECTORS  # places in a table


@functools.cache
def table(dtype):
    """The table of a dtype, float32 or float64: sizes and addresses of kernels, compiled at the first call.

    Raises:
        KeyError: there are no kernels of this dtype.
    """
    item = _ITEMS[np.dtype(dtype)]
    machine = _machine()
    bits, rows, tuning = _registers(*machine)
    lanes = bits // 8 // item[2]
    settings = item, lanes, rows, tuning
    key = repr((fingerprint(_source), settings, machine))
    # No optimisation is asked for: there is nothing to find.
    code = stored(f"tiles-{item[1]}", key, lambda: _target(*machine).emit_object(_parsed(_source(*settings))))
    return np.array([lanes, rows, item[2], *_loaded(code, machine, _names(rows))], np.int64)


@jit(inline=True)
def lanes(table):
    """The numbers in a vector: 16 float32 with AVX-512, 8 with AVX, 4 otherwise; half as many float64."""
    return table[_LANES]


@jit(inline=True)
def tile_rows(table):
    """The rows of the tallest tile."""
    return table[_ROWS]


@jit(inline=True)
def item_size(table):
    """The bytes of a number."""
    return table[_SIZE]


@jit(inline=True)
def tile(table, mode, rows, vectors):
    """The address of the tile kernel of 1 to `tile_rows` rows and one or two vectors."""
    return table[_TILES + (mode * table[_ROWS] + rows - 1) * VECTORS + vectors - 1]


@jit(inline=True)
def copier(table, vectors):
    """The address of the kernel that copies rows of one or two vectors."""
    return table[_COPIER + vectors - 1]


@jit(inline=True)
def transposer(table):
    """The address of the kernel that turns a square of numbers."""
    return table[_TRANSPOSER]


@intrinsic
def call(typing, kernel, *arguments):
    """Run the kernel at an address; all arguments are int64."""
    from llvmlite import ir
    from numba.core import types

    def generate(context, builder, signature, values):
        count = len(signature.args[1])
        kind = ir.FunctionType(ir.VoidType(), [ir.IntType(64)] * count)
        function = builder.inttoptr(values[0], kind.as_pointer())
        builder.call(function, [builder.extract_value(values[1], k) for k in range(count)])
        return context.get_dummy_value()

    return types.none(types.int64, types.StarArgUniTuple(types.int64, len(arguments))), generate


@intrinsic
def address(typing, array):
    """Where an array begins, as int64."""
    from llvmlite import ir
    from numba.core import types

    def generate(context, builder, signature, values):
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.ptrtoint(data, ir.IntType(64))

    return types.int64(array), generate


@jit
def address_of(array):
    """`address`, for Python: a fifth of the time of `array.ctypes.data`."""
    return address(array)


class Code:
    """The LLVM text of one kernel as it is written. Values are names ("%x7"); a method returns the name it gave."""

    ARGUMENTS = (
        "i64 %K, ptr %S, i64 %row, i64 %step, ptr %V, i64 %ldv, ptr %C, i64 %ldc, ptr %bias, i64 %flags, i64 %live"
    )

    def __init__(self, name, item, lanes):
        self.item, self.tag, self.size = item
        self.name, self.lanes = name, lanes
        self.vector, self.mask, self.ints = f"<{lanes} x {self.item}>", f"<{lanes} x i1>", f"<{lanes} x i32>"
        self.lines, self.count = [], 0
        self.block("entry")

    def text(self, tuning):
        lines = "\n".join([*self.lines, "  ret void"])
        return f'define void @{self.name}({self.ARGUMENTS}) nounwind "tune-cpu"="{tuning}" {{\n{lines}\n}}\n'

    def declarations(self):
        vector, kind = self.vector, f"v{self.lanes}{self.tag}"
        return (
            f"declare {vector} @llvm.fmuladd.{kind}({vector}, {vector}, {vector})\n"
            f"declare {vector} @llvm.masked.load.{kind}.p0(ptr, i32, {self.mask}, {vector})\n"
            f"declare void @llvm.masked.store.{kind}.p0({vector}, ptr, i32, {self.mask})\n"
            "declare void @llvm.prefetch.p0(ptr, i32, i32, i32)\ndeclare i64 @llvm.smin.i64(i64, i64)\n"
        )

    def do(self, line):
        self.lines.append("  " + line)

    def let(self, expression):
        self.count += 1
        self.do(f"%x{self.count} = {expression}")
        return f"%x{self.count}"

    def block(self, label):
        self.lines.append(f"{label}:")
        self.here = label

    def label(self):
        self.count += 1
        return f"block{self.count}"

    def at(self, base, offset):
        """The address `offset` bytes (a name or an int) behind `base`."""
        return self.let(f"getelementptr i8, ptr {base}, i64 {offset}")

    def rows(self, base, stride, count):
        """The addresses of `count` rows."""
        return list(itertools.accumulate([stride] * (count - 1), self.at, initial=base))

    def load(self, place, mask=None):
        """A vector; of a masked one the lanes that are off are not touched in memory, and zero."""
        if mask is None:
            return self.let(f"load {self.vector}, ptr {place}, align {self.size}")
        function = f"@llvm.masked.load.v{self.lanes}{self.tag}.p0"
        others = f"{self.mask} {mask}, {self.vector} zeroinitializer"
        return self.let(f"call {self.vector} {function}(ptr {place}, i32 {self.size}, {others})")

    def store(self, value, place, mask=None):
        if mask is None:
            self.do(f"store {self.vector} {value}, ptr {place}, align {self.size}")
        else:
            function = f"@llvm.masked.store.v{self.lanes}{self.tag}.p0"
            self.do(f"call void {function}({self.vector} {value}, ptr {place}, i32 {self.size}, {self.mask} {mask})")

    def spread(self, number, item=None, vector=None):
        """A vector that holds one number in all lanes."""
        vector = vector or self.vector
        first = self.let(f"insertelement {vector} poison, {item or self.item} {number}, i32 0")
        return self.let(f"shufflevector {vector} {first}, {vector} poison, {self.ints} zeroinitializer")

    def first(self, count):
        """The mask of the first `count` lanes."""
        limit = self.spread(self.let(f"trunc i64 {count} to i32"), "i32", self.ints)
        numbers = ", ".join(f"i32 {lane}" for lane in range(self.lanes))
        return self.let(f"icmp slt {self.ints} <{numbers}>, {limit}")

    def multiply_add(self, a, b, c):
        v = self.vector
        return self.let(f"call {v} @llvm.fmuladd.v{self.lanes}{self.tag}({v} {a}, {v} {b}, {v} {c})")

    def shuffle(self, a, b, lanes):
        chosen = ", ".join(f"i32 {lane}" for lane in lanes)
        return self.let(f"shufflevector {self.vector} {a}, {self.vector} {b}, {self.ints} <{chosen}>")

    def flag(self, bit):
        return self.let(f"icmp ne i64 {self.let(f'and i64 %flags, {bit}')}, 0")

    def where(self, condition, values, change):
        """Vectors: `change(values)` where the condition holds, `values` otherwise."""
        before, then, after = self.here, self.label(), self.label()
        self.do(f"br i1 {condition}, label %{then}, label %{after}")
        self.block(then)
        changed = change(values)
        self.do(f"br label %{after}")
        self.block(after)
        return [
            self.let(f"phi {self.vector} [{old}, %{before}], [{new}, %{then}]") for old, new in zip(values, changed)
        ]

    def positive(self, values):
        """Where the flag RELU is set, zero in place of what is less; NaN stays."""

        def cut(value):
            less = self.let(f"fcmp olt {self.vector} {value}, zeroinitializer")
            return self.let(f"select {self.mask} {less}, {self.vector} zeroinitializer, {self.vector} {value}")

        return self.where(self.flag(RELU), values, lambda values: [cut(value) for value in values])

    def branch(self, condition, act):
        """`act(True)` or `act(False)`, then on."""
        labels = [self.label(), self.label(), self.label()]
        self.do(f"br i1 {condition}, label %{labels[0]}, label %{labels[1]}")
        for label, value in zip(labels, (True, False)):
            self.block(label)
            act(value)
            self.do(f"br label %{labels[2]}")
        self.block(labels[2])

    def loop(self, count, kinds, starts, body):
        """`body(*values)` gives the values of the next round; `count` rounds, none if it is not positive. The last."""
        before, label, after = self.here, self.label(), self.label()
        enough = self.let(f"icmp sgt i64 {count}, 0")
        self.do(f"br i1 {enough}, label %{label}, label %{after}")
        self.block(label)
        head = len(self.lines)
        names = [f"%{label}.{k}" for k in range(len(kinds) + 1)]
        values = body(*names[1:])
        left = self.let(f"add i64 {names[0]}, -1")
        kinds, starts, values = ["i64", *kinds], [count, *starts], [left, *values]
        self.lines[head:head] = [
            f"  {name} = phi {kind} [{start}, %{before}], [{value}, %{label}]"
            for name, kind, start, value in zip(names, kinds, starts, values)
        ]
        more = self.let(f"icmp sgt i64 {left}, 0")
        self.do(f"br i1 {more}, label %{label}, label %{after}")
        self.block(after)
        return [
            self.let(f"phi {kind} [{start}, %{before}], [{value}, %{label}]")
            for kind, start, value in zip(kinds[1:], starts[1:], values[1:])
        ]


def _tile(name, item, lanes, mode, rows, vectors):
    """The tile of the drawing above. Sums are added to C at the end: shorter chains of additions, less rounding."""
    code = Code(name, item, lanes)
    wide = lanes * code.size
    live = code.first("%live")
    masks = [None] * (vectors - 1) + [live]
    targets = code.rows("%C", "%ldc", rows)
    for target in targets:  # the tile is on its way while the sums are made
        for offset in range(0, vectors * wide, 64):
            code.do(f"call void @llvm.prefetch.p0(ptr {code.at(target, offset)}, i32 1, i32 3, i32 1)")
    strided, looked_up = mode in (STRIDED, STRIDED_TABLE), mode in (PACKED_TABLE, STRIDED_TABLE)
    twice, thrice = code.let("shl i64 %row, 1"), code.let("mul i64 %row, 3")

    def numbers(place):
        """S[i, k] for each row i; three strided rows are reached from one address, to spare registers."""
        for i in range(rows):
            if not strided:
                here = code.at(place, i * code.size)
            elif i % 3 == 0:
                here = place = place if i == 0 else code.at(place, thrice)
            else:
                here = code.at(place, "%row" if i % 3 == 1 else twice)
            yield code.spread(code.let(f"load {code.item}, ptr {here}, align {code.size}"))

    def step(s, v, *sums):
        place = code.at("%S", code.let(f"load i64, ptr {s}, align 8")) if looked_up else s
        row_of_v = [code.load(code.at(v, j * wide)) for j in range(vectors)]
        pairs = [(number, vector) for number in numbers(place) for vector in row_of_v]
        sums = [code.multiply_add(*pair, so_far) for pair, so_far in zip(pairs, sums)]
        return [code.at(s, 8 if looked_up else "%step"), code.at(v, "%ldv"), *sums]

    def bias(_):
        return [code.load(code.at("%bias", j * wide), masks[j]) for j in range(vectors)]

    start = code.where(code.let("icmp ne ptr %bias, null"), ["zeroinitializer"] * vectors, bias)
    offsets = code.let("inttoptr i64 %step to ptr") if looked_up else "%S"
    kinds = ["ptr", "ptr", *[code.vector] * (rows * vectors)]
    _, _, *sums = code.loop("%K", kinds, [offsets, "%V", *start * rows], step)

    def finish(whole):
        last = None if whole else live
        places = [
            (code.at(target, j * wide), last if j == vectors - 1 else None)
            for target in targets
            for j in range(vectors)
        ]

        def accumulate(values):
            return [code.let(f"fadd {code.vector} {code.load(*at)}, {value}") for at, value in zip(places, values)]

        values = code.positive(code.where(code.flag(ACCUMULATE), sums, accumulate))
        for value, at in zip(values, places):
            code.store(value, *at)

    if wide == 64:  # AVX-512: a mask costs nothing
        finish(False)
    else:
        code.branch(code.let(f"icmp sge i64 %live, {lanes}"), finish)
    return code


def _copier(name, item, lanes, vectors):
    """Rows of V, made whole vectors with zeros at the end."""
    code = Code(name, item, lanes)
    places = [j * lanes * code.size for j in range(vectors)]
    live = code.first("%live")

    def copy(whole):
        masks = [None] * (vectors - 1) + [None if whole else live]

        def row(source, target):
            values = [code.load(code.at(source, place), mask) for place, mask in zip(places, masks)]
            for value, place in zip(values, places):
                code.store(value, code.at(target, place))
            return [code.at(source, "%row"), code.at(target, "%ldv")]

        code.loop("%K", ["ptr", "ptr"], ["%S", "%V"], row)

    code.branch(code.let(f"icmp sge i64 %live, {lanes}"), copy)
    return code


def _transposer(name, item, lanes):
    """A square of `lanes` x `lanes` numbers turned in registers.

    In round d (1, 2, 4, ...) the rows i and i + d, i without bit d, exchange their squares of d x d off the diagonal:

        a a | b b         a a | c c
        a a | b b   -->   a a | c c
        c c | d d         b b | d d
        c c | d d         b b | d d
    """
    code = Code(name, item, lanes)
    numbers = range(lanes)

    def turned(rows):
        distance = 1
        while distance < lanes:
            low = [lane if not lane & distance else lanes + lane - distance for lane in numbers]
            high = [lane + distance if not lane & distance else lanes + lane for lane in numbers]
            for i in numbers:
                if not i & distance:
                    pair = rows[i], rows[i + distance]
                    rows[i], rows[i + distance] = code.shuffle(*pair, low), code.shuffle(*pair, high)
            distance *= 2
        return rows

    def finished(rows, mask):
        def add(rows):
            bias = code.load("%bias", mask)
            return [code.let(f"fadd {code.vector} {row}, {bias}") for row in rows]

        return code.positive(code.where(code.let("icmp ne ptr %bias, null"), rows, add))

    def whole_square():
        rows = turned([code.load(place) for place in code.rows("%S", "%row", lanes)])
        for row, place in zip(finished(rows, None), code.rows("%V", "%ldv", lanes)):
            code.store(row, place)

    def part():
        columns, rows, last = code.first("%step"), code.first("%K"), code.let("add i64 %K, -1")
        indices = [code.let(f"call i64 @llvm.smin.i64(i64 {i}, i64 {last})") for i in numbers]
        found = [code.load(code.at("%S", code.let(f"mul i64 {index}, %row")), columns) for index in indices]
        padded = ", ".join(["i1 true"] * lanes)
        written = code.let(f"select i1 {code.flag(PAD)}, {code.mask} <{padded}>, {code.mask} {rows}")
        for j, (row, place) in enumerate(zip(finished(turned(found), rows), code.rows("%V", "%ldv", lanes))):
            wanted = code.let(f"icmp sgt i64 %step, {j}")
            code.store(row, place, code.let(f"select i1 {wanted}, {code.mask} {written}, {code.mask} zeroinitializer"))

    full = code.let(f"and i1 {code.let(f'icmp eq i64 %K, {lanes}')}, {code.let(f'icmp eq i64 %step, {lanes}')}")
    code.branch(full, lambda full: whole_square() if full else part())
    return code


def _names(rows):
    """{name: (maker, its last arguments)} of all kernels, in the order of a table."""
    sides = range(1, VECTORS + 1)
    copiers = {f"copy_{vectors}": (_copier, vectors) for vectors in sides}
    shapes = [(mode, height, vectors) for mode in range(4) for height in range(1, rows + 1) for vectors in sides]
    return {"transpose": (_transposer,), **copiers, **{"tile_{}_{}_{}".format(*s): (_tile, *s) for s in shapes}}


def _source(item, lanes, rows, tuning):
    """LLVM's text of all kernels of a dtype."""
    codes = [make(name, item, lanes, *more) for name, (make, *more) in _names(rows).items()]
    return codes[0].declarations() + "\n".join(code.text(tuning) for code in codes)


def _machine():
    """(triple, processor, features) that numba compiles for, which NUMBA_CPU_NAME and NUMBA_CPU_FEATURES change."""
    from numba.core.registry import cpu_target

    return cpu_target.target_context.codegen().magic_tuple()


def _target(triple, processor, features):
    from llvmlite import binding

    options = {"cpu": processor, "features": features, "opt": 2, "codemodel": "jitdefault", "jit": True}
    reloc = "static" if triple.startswith("x86") else "default"
    return binding.Target.from_triple(triple).create_target_machine(reloc=reloc, **options)


def _registers(triple, processor, features):
    """(bits of a vector, rows of the tallest tile, the processor to tune for).

    LLVM is asked what it makes of a vector of 512 bits. It orders instructions by its tables of latencies, and in doing
    so runs out of registers with the tables of some processors, not with those named here (the tests look).
    """
    if triple.startswith(("aarch64", "arm64")):
        return 128, 12, "generic"
    wide = "define void @f(ptr %p) {\n %x = load <16 x float>, ptr %p, align 64\n %y = fadd <16 x float> %x, %x\n"
    module = _parsed(wide + " store <16 x float> %y, ptr %p, align 64\n ret void\n}")
    assembly = _target(triple, processor, features).emit_assembly(module)
    tuning = "sapphirerapids" if triple.startswith("x86") else "generic"
    return (512, 14, tuning) if "zmm" in assembly else (256 if "ymm" in assembly else 128, 6, tuning)


def _parsed(source):
    from llvmlite import binding

    return binding.parse_assembly(source)


_engines = []  # code stays in memory as long as its engine


def _loaded(code, machine, names):
    """The addresses of functions of an object file."""
    from llvmlite import binding

    engine = binding.create_mcjit_compiler(_parsed(""), _target(*machine))
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _engines.append(engine)
    return [engine.get_function_address(name) for name in names]
