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

Before this: `panels.py`. After it: `ops/linalg.py`.
"""

import functools

import numpy as np

from minigrad.kernels import tiles
from minigrad.kernels.cache import DiskCache
from minigrad.kernels.dispatch import FLOATS, jit, kernel
from minigrad.kernels.llvm import address, call
from minigrad.kernels.panels import BY_TILES, copy, down, transpose
from minigrad.kernels.threads import get_num_threads, share
from minigrad.kernels.tiles import ACCUMULATE, PACKED, PAD, RELU, STRIDED, VECTORS, item_size, lanes, tile_rows

DEPTH = 288  # at most so many steps of k at once: then a panel of B stays in the first-level cache, or near it
ROWS = 768  # at most so many rows at once: then their copy stays in the second-level cache
MANY_ROWS = 256  # from here on copying a panel of B pays,
FAR = 2048  # or where its rows are more bytes apart: then few of them fit into the cache, which sorts by address
MANY_COLUMNS, COLUMNS = 256, 96  # from here on copying A pays, and copying a transposed A
ACROSS = 8  # tiles of Cᵀ that are turned at once


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
    workspace += -workspace % 64
    depth = max(1, -(-K // max(1, -(-K // DEPTH))))
    if transposed and step == size and not flags & ACCUMULATE and M * (N + K) < N * K:
        across(table, M, N, K, depth, A, row, B, ldb, C, ldc, bias, flags, workspace)
        return
    copied = (step == size and (MANY_COLUMNS if row <= FAR else COLUMNS) <= N) or (row == size and N >= COLUMNS)
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
                elif rows >= MANY_ROWS or columns % count or ldb > FAR:
                    copy(table, steps, columns, B + k * ldb + j * size, ldb, V, ldv)
                else:
                    V, ldv = B + k * ldb + j * size, ldb
                down(
                    table, mode, rows, columns, steps, S, size if copied else row, BY_TILES if copied else step, V, ldv,
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
def _each(table, count, M, N, K, A, A_next, row, step, B, B_next, below, right, C, C_next, ldc, bias, workspace):
    """`multiply` for a batch: the next matrices are `.._next` bytes further."""
    transposed = right != item_size(table)
    ldb = right if transposed else below
    for _ in range(count):
        multiply(table, M, N, K, A, row, step, B, ldb, transposed, C, ldc, bias, 0, address(workspace))
        A += A_next
        B += B_next
        C += C_next


@jit
def _product(table, a, b, bias, out):
    """Of arrays; `b` has contiguous rows or columns, an empty `bias` is none."""
    (M, K), N, (row, step), (below, right) = a.shape, b.shape[1], a.strides, b.strides
    # The workspace is made here, outside of the function that takes its address: see llvm.py.
    workspace, added = np.empty(room(table, M, N, K), np.uint8), address(bias) if bias.size else 0
    places = address(a), address(b), address(out)
    _each(
        table, 1, M, N, K, places[0], 0, row, step, places[1], 0, below, right, places[2], 0, out.strides[0], added,
        workspace,
    )  # fmt: skip


@jit
def _products(table, a, b, bias, out):
    """The same of batches, without bias."""
    (count, M, K), N, (A_next, row, step), (B_next, below, right) = a.shape, b.shape[2], a.strides, b.strides
    workspace = np.empty(room(table, M, N, K), np.uint8)
    C_next, ldc, _ = out.strides
    A, B, C = address(a), address(b), address(out)
    _each(table, count, M, N, K, A, A_next, row, step, B, B_next, below, right, C, C_next, ldc, 0, workspace)


@functools.cache
def _ready(dtype, function):
    """(table, the machine code of `_product` or `_products`, no bias) for a dtype.

    The code takes arrays of any layout and is called without numba's look at their types, which the caller knows.
    """
    from numba.core import types
    from numba.np.numpy_support import from_dtype

    ndim = 2 if function is _product else 3
    vector, matrix = (types.Array(from_dtype(dtype), n, "A") for n in (1, ndim))
    signature = types.Array(types.int64, 1, "C"), matrix, matrix, vector, matrix
    dispatcher = function.dispatcher
    dispatcher.compile(signature)
    return table(dtype), dispatcher.overloads[signature].entry_point, np.empty(0, dtype)


FEW = 1 << 18  # with fewer multiplications BLAS is ahead, and the caller need not even ask
A_THREAD = 1 << 20  # multiplications that are worth a thread


def _sample(size):
    side = max(1, round(size ** (1 / 2)))
    numbers = np.random.default_rng(0)
    return [numbers.standard_normal(shape, np.float32) for shape in ((side, side), (side, side), (side,))]


@kernel(samples=_sample)
def product(a, b, bias):
    """``a @ b + bias`` of two matrices of one dtype; bias: a number for each column, or None."""
    out = np.dot(a, b)
    return out if bias is None else np.add(out, bias, out=out)


def _pays(a, b, bias):
    """Floats, wide vectors; 8 rows, 16 columns or more; 2²⁰ to 2²⁹ multiplications, 2¹⁹ if only b is transposed (or 2¹⁸
    and 48 rows and columns); up to 2¹⁸ numbers in a if it is transposed and there are less than 96 columns."""
    (rows, depth), columns = a.shape, b.shape[1]
    work, turned = rows * depth * columns, a.strides[0] == a.itemsize
    if work < FEW or rows < 8 or columns < 16 or work > 1 << 29 or a.dtype not in FLOATS:
        return False
    if turned and columns < COLUMNS and rows * depth > 1 << 18:
        return False
    if work < 1 << 20 and (turned or b.strides[0] != b.itemsize or (work < 1 << 19 and min(rows, columns) < 48)):
        return False
    return _wide()


@functools.cache
def _wide():
    """Vectors of 32 bytes or more. With shorter ones (old processors, ARM) BLAS is ahead, or nobody has measured."""
    return lanes.py_func(tiles.table(np.float32)) >= 8


def _numbers(a, b):
    """Whether these are plain arrays of floats, and not what stands for one (while a model is exported)."""
    return a.dtype in FLOATS and a.__class__ is np.ndarray and b.__class__ is np.ndarray


def _readable(b):
    """b, or a copy where `multiply` could not read it: neither its rows nor its columns are contiguous."""
    return b if b.itemsize in b.strides[-2:] else np.array(b, order="C")


@product.numba(when=_pays, python=True)
def product(a, b, bias):
    if not _numbers(a, b):
        return product.twin(a, b, bias)
    b = _readable(b)
    table, run, none = _ready(a.dtype, _product)
    (rows, depth), columns = a.shape, b.shape[1]
    out = np.empty((rows, columns), a.dtype)
    added = none if bias is None else np.ascontiguousarray(bias)
    if get_num_threads() == 1:
        run(table, a, b, added, out)
    elif rows >= columns:
        least = 1 + A_THREAD // (depth * columns + 1)
        share(lambda i, j: run(table, a[i:j], b, added, out[i:j]), rows, least)
    else:
        least = 1 + A_THREAD // (rows * depth + 1)
        share(lambda i, j: run(table, a, b[:, i:j], added[i:j], out[:, i:j]), columns, least)
    return out


def _samples(size):
    side = max(1, round((size / 8) ** (1 / 2)))
    numbers = np.random.default_rng(0)
    return numbers.standard_normal((8, side, side), np.float32), numbers.standard_normal((8, side, side), np.float32)


@kernel(samples=_samples)
def products(a, b):
    """``a @ b`` of two batches of as many matrices, (n, rows, depth) and (n, depth, columns)."""
    return np.matmul(a, b)


def _pay(a, b):
    """Floats on wide vectors; 8 rows and columns or more; b transposed, or 2²⁰ multiplications in each matrix."""
    _, rows, depth = a.shape
    columns = b.shape[2]
    if rows < 8 or columns < 8 or not (b.strides[1] == b.itemsize or rows * depth * columns >= 1 << 20):
        return False
    return a.dtype in FLOATS and _wide()


@products.numba(when=_pay, python=True)
def products(a, b):
    if not _numbers(a, b):
        return products.twin(a, b)
    b = _readable(b)
    table, run, none = _ready(a.dtype, _products)
    (count, rows, depth), columns = a.shape, b.shape[2]
    out = np.empty((count, rows, columns), a.dtype)
    if get_num_threads() == 1:
        run(table, a, b, none, out)
    else:
        least = 1 + A_THREAD // (rows * depth * columns + 1)
        share(lambda i, j: run(table, a[i:j], b[i:j], none, out[i:j]), count, least)
    return out
