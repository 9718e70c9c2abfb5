"""Products of matrices out of tiles: C = A B + bias, any of A and B transposed, one product or a batch.

A is read number by number and may have any strides. B is cut into panels of two vectors, one after the other; each
stays in the cache while all rows of A pass by:

              B    ┌────┬────┬────┬──┐     a panel is used where it lies, or copied: if it ends within a vector, if B is
                 K │    │▓▓▓▓│    │  │     transposed (then turned on the way), if there are many rows to pass by
         K         └────┴────┴────┴──┘
      ┌─────┐      ┌────┬────┬────┬──┐
    A │▒▒▒▒▒│      │    │░░░░│    │  │ C   `down`: tiles of C below one another, their heights differing by one at most
      │     │      │    │░░░░│    │  │
      └─────┘      └────┴────┴────┴──┘

Where A has few rows and B is transposed (a linear layer, whose weight is kept as (out, in)), turning B would cost as
much as multiplying. There the product is made `across`: Cᵀ = B Aᵀ needs only A and C to be turned, the small ones.

Before this: `tiles.py`. After it: `ops/linalg.py`; the drivers of other families call `multiply`.
"""

import functools

import numpy as np

from minigrad.kernels import tiles
from minigrad.kernels.cache import DiskCache
from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.tiles import (
    ACCUMULATE,
    PACKED,
    PAD,
    RELU,
    STRIDED,
    VECTORS,
    address,
    call,
    copier,
    item_size,
    lanes,
    tile,
    tile_rows,
    transposer,
)

DEPTH = 288  # at most so many steps of k at once: then a panel of B stays in the first-level cache, or near it
ROWS = 768  # at most so many rows at once: then their copy stays in the second-level cache
MANY_ROWS = 256  # from here on copying a panel of B pays
MANY_COLUMNS = 256  # from here on copying A pays
ACROSS = 8  # tiles of Cᵀ that are turned at once


@jit
def transpose(table, rows, columns, source, stride, target, target_stride, bias, flags):
    """target[c, r] = source[r, c] + bias[r]; flags: RELU, PAD (whole vectors of the target are written)."""
    size, count = item_size(table), lanes(table)
    for c in range(0, columns, count):
        width = min(count, columns - c)
        for r in range(0, rows, count):
            start, where = source + r * stride + c * size, target + c * target_stride + r * size
            added = bias + r * size if bias else 0
            height = min(count, rows - r)
            call(transposer(table), height, start, stride, width, where, target_stride, 0, 0, added, flags, 0)


@jit
def copy(table, rows, columns, source, stride, target, target_stride):
    """target[r, c] = source[r, c], filled up with zeros to whole vectors.

    What is filled up may lie on the beginning of the next row, which is therefore written later.
    """
    size, count = item_size(table), lanes(table)
    wide = VECTORS * count
    for c in range((columns - 1) // wide * wide, -1, -wide):
        vectors = min(VECTORS, -(-(columns - c) // count))
        live = min(count, columns - c - (vectors - 1) * count)
        where = target + c * size
        call(copier(table, vectors), rows, source + c * size, stride, 0, where, target_stride, 0, 0, 0, 0, live)


@jit
def down(table, mode, M, columns, K, S, row, step, V, ldv, C, ldc, bias, flags):
    """M rows of at most two vectors of C, in tiles. With step 0, S is what `copy_rows` made."""
    size, count = item_size(table), lanes(table)
    vectors = -(-columns // count)
    live = columns - (vectors - 1) * count
    tiles = -(-M // tile_rows(table))
    rows, more = M // tiles, M % tiles
    for t in range(tiles):
        height = rows + 1 if t < more else rows
        kernel = tile(table, mode, height, vectors)
        call(kernel, K, S, row, step if step else height * size, V, ldv, C, ldc, bias, flags, live)
        S += height * (row if step else K * size)
        C += height * ldc


@jit
def copy_rows(table, M, K, A, row, step, target):
    """M rows of A for `down`: tile by tile, in each the numbers of one k side by side."""
    size = item_size(table)
    tiles = -(-M // tile_rows(table))
    rows, more = M // tiles, M % tiles
    for t in range(tiles):
        height = rows + 1 if t < more else rows
        if row == size:
            copy(table, K, height, A, step, target, height * size)
        else:
            transpose(table, height, K, A, row, target, height * size, 0, 0)
        A += height * row
        target += height * K * size


@jit
def room(table, M, N, K):
    """The bytes of workspace that `multiply` wants."""
    wide = VECTORS * lanes(table)
    return item_size(table) * max((min(M, ROWS) + wide) * min(K, DEPTH), wide * (K + ACROSS * tile_rows(table))) + 64


@jit
def across(table, M, N, K, depth, A, row, B, ldb, C, ldc, bias, flags, workspace):
    """C = A Bᵀ + bias as the transpose of B Aᵀ: columns of C are made as rows, and turned some tiles at a time."""
    size, wide = item_size(table), VECTORS * lanes(table)
    tall, ldv = ACROSS * tile_rows(table), wide * size
    turned = workspace + K * ldv
    for i in range(0, M, wide):
        rows = min(wide, M - i)
        transpose(table, rows, K, A + i * row, row, workspace, ldv, 0, PAD)
        for j in range(0, N, tall):
            columns = min(tall, N - j)
            for k in range(0, K, depth):
                S, V, now = B + j * ldb + k * size, workspace + k * ldv, ACCUMULATE if k else 0
                down(table, STRIDED, columns, rows, min(depth, K - k), S, ldb, size, V, ldv, turned, ldv, 0, now)
            added = bias + j * size if bias else 0
            transpose(table, columns, rows, turned, ldv, C + i * ldc + j * size, ldc, added, flags)


@jit
def _multiply(table, M, N, K, A, row, step, B, ldb, transposed, C, ldc, bias, flags, workspace):
    size, count, wide = item_size(table), lanes(table), VECTORS * lanes(table)
    depth = max(1, -(-K // max(1, -(-K // DEPTH))))
    if transposed and step == size and not flags & ACCUMULATE and M * (N + K) < N * K:
        across(table, M, N, K, depth, A, row, B, ldb, C, ldc, bias, flags, workspace)
        return
    copied = N >= MANY_COLUMNS and tile_rows(table) <= M and (row == size or step == size)
    mode = PACKED if copied or row == size else STRIDED
    for k in range(0, max(K, 1), depth):
        steps = min(depth, K - k)
        flags_now = (flags | ACCUMULATE if k else flags) & (~0 if k + steps == K else ~RELU)
        for i in range(0, M, ROWS):
            rows = min(ROWS, M - i)
            S, panel = A + i * row + k * step, workspace
            if copied:
                copy_rows(table, rows, steps, S, row, step, workspace)
                S, panel = workspace, workspace + rows * steps * size
            for j in range(0, N, wide):
                columns = min(wide, N - j)
                V, ldv = panel, wide * size
                if transposed:
                    transpose(table, columns, steps, B + j * ldb + k * size, ldb, V, ldv, 0, PAD)
                elif rows >= MANY_ROWS or columns % count:
                    copy(table, steps, columns, B + k * ldb + j * size, ldb, V, ldv)
                else:
                    V, ldv = B + k * ldb + j * size, ldb
                down(
                    table, mode, rows, columns, steps, S, size if copied else row, 0 if copied else step, V, ldv,
                    C + i * ldc + j * size, ldc, bias + j * size if bias and not k else 0, flags_now,
                )  # fmt: skip


@functools.cache
def _driver():
    """`_multiply` as a C function, for both dtypes."""
    from numba.core import types
    from numba.core.ccallback import CFunc

    function, kinds = _multiply.dispatcher.py_func, (types.CPointer(types.int64), *[types.int64] * 14)
    compiled = CFunc(function, (kinds, types.void), locals={}, options={"error_model": "numpy"})
    compiled._cache = DiskCache(function, "multiply")
    compiled.compile()
    return compiled


@functools.cache
def table(dtype):
    """`tiles.table`, with the address of `_multiply` behind it: compiled once, not into each driver that calls it."""
    return np.append(tiles.table(dtype), _driver().address)


@jit
def multiply(table, M, N, K, A, row, step, B, ldb, transposed, C, ldc, bias, flags, workspace):
    """C[i, j] (+)= bias[j] + Σ_k A[i, k] B[k, j], A[i, k] being at A + i * row + k * step, in bytes.

    The rows of B are contiguous and `ldb` bytes apart; with `transposed` the columns. The rows of C are contiguous.
    bias: an address, or 0. flags: ACCUMULATE, RELU. workspace: the address of `room(table, M, N, K)` bytes.
    table: that of this module.
    """
    if M and N:
        call(
            table[-1], address(table), M, N, K, A, row, step, B, ldb, transposed, C, ldc, bias, flags, workspace
        )  # fmt: skip


# ------------------------------------------------------------------------------------------------------- for arrays


@jit
def _multiply_arrays(table, a, b, bias, out, workspace):
    """`multiply`; `b` has contiguous rows or columns, an empty `bias` is none."""
    transposed = b.strides[1] != item_size(table)
    multiply(
        table, a.shape[0], b.shape[1], a.shape[1], address(a), a.strides[0], a.strides[1], address(b),
        b.strides[1] if transposed else b.strides[0], transposed, address(out), out.strides[0],
        address(bias) if bias.size else 0, 0, address(workspace),
    )  # fmt: skip


@jit
def _product(table, a, b, bias, out):
    # The workspace is made here, outside of the function that takes its address: see tiles.py.
    workspace = np.empty(room(table, a.shape[0], b.shape[1], a.shape[1]), np.uint8)
    _multiply_arrays(table, a, b, bias, out, workspace)


@functools.cache
def _ready(dtype):
    """(table, the machine code of `_product`, no bias) for a dtype.

    The code takes arrays of any layout and is called without numba's look at their types, which the caller knows.
    """
    from numba.core import types
    from numba.np.numpy_support import from_dtype

    vector, matrix = (types.Array(from_dtype(dtype), ndim, "A") for ndim in (1, 2))
    signature = types.Array(types.int64, 1, "C"), matrix, matrix, vector, matrix
    dispatcher = _product.dispatcher
    dispatcher.compile(signature)
    return table(dtype), dispatcher.overloads[signature].entry_point, np.empty(0, dtype)


def _sample(size):
    side = max(1, round(size ** (1 / 2)))
    numbers = np.random.default_rng(0)
    draw = lambda *shape: numbers.standard_normal(shape, np.float32)  # noqa: E731
    return draw(side, side), draw(side, side), draw(side)


@kernel(samples=_sample)
def product(a, b, bias):
    """``a @ b + bias`` of two matrices of one dtype; bias: a number for each column, or None."""
    out = np.dot(a, b)
    return out if bias is None else np.add(out, bias, out=out)


def _pays(a, b, bias):
    """Floats; 8 rows and 16 columns or more; 2²⁰ to 2²⁹ multiplications, from 2¹⁸ on where b is a transposed matrix."""
    (rows, depth), columns = a.shape, b.shape[1]
    work = rows * depth * columns
    if work < 1 << 18 or rows < 8 or columns < 16 or work > 1 << 29 or a.dtype not in FLOATS:
        return False
    return work >= 1 << 20 or b.strides[0] == b.itemsize


@product.numba(when=_pays, python=True)
def product(a, b, bias):
    dtype = a.dtype
    if dtype not in FLOATS:
        return product.twin(a, b, bias)
    table, run, none = _ready(dtype)
    if dtype.itemsize not in b.strides:
        b = np.ascontiguousarray(b)
    out = np.empty((a.shape[0], b.shape[1]), dtype)
    run(table, a, b, none if bias is None else np.ascontiguousarray(bias), out)
    return out


FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})
