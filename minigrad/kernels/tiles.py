"""Micro-kernels: the innermost loop of matrix products, convolutions, recurrent layers and attention.

LLVM does not keep the sums of a loop nest in registers; written as vector code they run fifteen to thirty times as
fast. So this file writes LLVM's text itself (`llvm.py`). All of it is one shape, a *tile* of C:

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

(The tile is that of Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication", and of BLIS.)
Before this: `llvm.py`. After it: `panels.py`, and the drivers of the families.
"""

import functools

import numpy as np

from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import ITEMS, Code, compiled, machine, parsed, target_machine

STRIDED, PACKED, PACKED_TABLE, STRIDED_TABLE = range(4)
ACCUMULATE, RELU, PAD = 1, 2, 4  # flags
VECTORS = 2  # of a tile, side by side

_LANES, _ROWS, _SIZE, _TRANSPOSER, _COPIER, _TILES = 0, 1, 2, 3, 4, 4 + VECTORS  # places in a table


@functools.cache
def table(dtype):
    """The table of a dtype, float32 or float64: sizes and addresses of kernels, compiled at the first call.

    Raises:
        KeyError: there are no kernels of this dtype.
    """
    item = ITEMS[np.dtype(dtype)]
    bits, rows = _registers(*machine())
    lanes = bits // 8 // item[2]
    addresses = compiled(f"tiles-{item[1]}", _codes, (item, lanes, rows), _names(rows))
    return np.array([lanes, rows, item[2], *addresses], np.int64)


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


ARGUMENTS = "i64 %K, ptr %S, i64 %row, i64 %step, ptr %V, i64 %ldv, ptr %C, i64 %ldc, ptr %bias, i64 %flags, i64 %live"


def _flag(code, bit):
    return code.let(f"icmp ne i64 {code.let(f'and i64 %flags, {bit}')}, 0")


def _positive(code, values):
    """Where the flag RELU is set, zero in place of what is less; NaN stays."""

    def cut(value):
        less = code.let(f"fcmp olt {code.vector} {value}, zeroinitializer")
        return code.select(less, "zeroinitializer", value)

    return code.where(_flag(code, RELU), values, lambda values: [cut(value) for value in values])


def _tile(name, item, lanes, mode, rows, vectors):
    """The tile of the drawing above. Sums are added to C at the end: shorter chains of additions, less rounding."""
    code = Code(name, ARGUMENTS, item, lanes)
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
            return [code.op("fadd", code.load(*at), value) for at, value in zip(places, values)]

        values = _positive(code, code.where(_flag(code, ACCUMULATE), sums, accumulate))
        for value, at in zip(values, places):
            code.store(value, *at)

    if wide == 64:  # AVX-512: a mask costs nothing
        finish(False)
    else:
        code.branch(code.let(f"icmp sge i64 %live, {lanes}"), finish)
    return code


def _copier(name, item, lanes, vectors):
    """Rows of V, made whole vectors with zeros at the end."""
    code = Code(name, ARGUMENTS, item, lanes)
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
    code = Code(name, ARGUMENTS, item, lanes)
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
            return [code.op("fadd", row, bias) for row in rows]

        return _positive(code, code.where(code.let("icmp ne ptr %bias, null"), rows, add))

    def whole_square():
        rows = turned([code.load(place) for place in code.rows("%S", "%row", lanes)])
        for row, place in zip(finished(rows, None), code.rows("%V", "%ldv", lanes)):
            code.store(row, place)

    def part():
        columns, rows, last = code.first("%step"), code.first("%K"), code.let("add i64 %K, -1")
        indices = [code.let(f"call i64 @llvm.smin.i64(i64 {i}, i64 {last})") for i in numbers]
        found = [code.load(code.at("%S", code.let(f"mul i64 {index}, %row")), columns) for index in indices]
        padded = ", ".join(["i1 true"] * lanes)
        written = code.let(f"select i1 {_flag(code, PAD)}, {code.mask} <{padded}>, {code.mask} {rows}")
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


def _codes(item, lanes, rows):
    """All kernels of a dtype."""
    return [make(name, item, lanes, *more) for name, (make, *more) in _names(rows).items()]


def _registers(triple, processor, features):
    """(bits of a vector, rows of the tallest tile). LLVM is asked what it makes of a vector of 512 bits."""
    if triple.startswith(("aarch64", "arm64")):
        return 128, 12
    wide = "define void @f(ptr %p) {\n %x = load <16 x float>, ptr %p, align 64\n %y = fadd <16 x float> %x, %x\n"
    module = parsed(wide + " store <16 x float> %y, ptr %p, align 64\n ret void\n}")
    assembly = target_machine(triple, processor, features).emit_assembly(module)
    return (512, 14) if "zmm" in assembly else (256 if "ymm" in assembly else 128, 6)
