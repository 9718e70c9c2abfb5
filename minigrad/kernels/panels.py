"""Matrices in the order in which the tiles want them, and products out of tiles: what the drivers of families share.

    weight (K, N)           panels: `pack`            states (n, K)       panel (K, two vectors)
    ┌────┬────┬──┐          ┌────┐┌────┐┌────┐        ┌─────────┐         ┌────┐
    │ 0  │ 1  │2 │   ──▶    │ 0  ││ 1  ││2 0 │        │ a tile  │         │    │     a tile of
    │    │    │  │          │    ││    ││  0 │        ├─────────┤    ×    │    │  =  ────────── `down`
    └────┴────┴──┘          └────┘└────┘└────┘        │ a tile  │         │    │     the result
                                                      └─────────┘         └────┘
All arguments are addresses and sizes in bytes, as in `tiles.py`, whose terms these are.

Before this: `tiles.py`. After it: `gemm.py`, and the drivers of the families.
"""

from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import call
from minigrad.kernels.tiles import ACCUMULATE, PAD, VECTORS, copier, item_size, lanes, tile, tile_rows, transposer

DEPTH = 256  # rows of a panel at a time: they stay in the nearest cache while the tiles below one another use them

BY_TILES = 1  # in place of a step: `down` says what it means. No two numbers are one byte apart


@jit(constants=False)
def transpose(table, rows, columns, source, stride, target, target_stride, bias, flags):
    """target[c, r] = source[r, c] + bias[r]; flags: RELU, PAD (whole vectors of the target are written)."""
    size, count = item_size(table), lanes(table)
    for r in range(0, rows, count):
        height, added = min(count, rows - r), bias + r * size if bias else 0
        for c in range(0, columns, count):
            start, where = source + r * stride + c * size, target + c * target_stride + r * size
            width = min(count, columns - c)
            call(transposer(table), height, start, stride, width, where, target_stride, 0, 0, added, flags, 0)


@jit(constants=False)
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
def pack(table, rows, columns, source, stride, target):
    """The panels of a matrix (rows, columns), one behind the other."""
    size, wide = item_size(table), VECTORS * lanes(table)
    for c in range(0, columns, wide):
        copy(table, rows, min(wide, columns - c), source + c * size, stride, target + c * rows * size, wide * size)


@jit
def pack_transposed(table, rows, columns, source, stride, target):
    """The panels of the transpose of a matrix (rows, columns): each has `columns` rows."""
    size, wide = item_size(table), VECTORS * lanes(table)
    for r in range(0, rows, wide):
        where = target + r * columns * size
        transpose(table, min(wide, rows - r), columns, source + r * stride, stride, where, wide * size, 0, PAD)


@jit(inline=True)
def down(table, mode, M, columns, K, S, row, step, V, ldv, C, ldc, bias, flags):
    """M rows of at most two vectors of C, in tiles whose heights differ by one at most. With the step BY_TILES, S lies
    tile by tile, in each the numbers of one k side by side."""
    size, count = item_size(table), lanes(table)
    vectors = 1 if columns <= count else VECTORS
    live = columns - (vectors - 1) * count
    tiles = -(-M // tile_rows(table))
    rows = M // tiles
    more = M - rows * tiles  # so many tiles have a row more
    for t in range(tiles):
        height = rows + 1 if t < more else rows
        kernel = tile(table, mode, height, vectors)
        call(kernel, K, S, row, height * size if step == BY_TILES else step, V, ldv, C, ldc, bias, flags, live)
        S += height * (K * size if step == BY_TILES else row)
        C += height * ldc


@jit
def by_panels(table, mode, rows, columns, depth, left, row, step, right, right_row, panel, out, out_row, bias, flags):
    """out (+)= left @ right + bias: (rows, columns) from (rows, depth) and panels whose rows are `right_row` bytes
    apart, and which themselves are `panel` bytes apart."""
    size, wide = item_size(table), VECTORS * lanes(table)
    for j in range(0, columns, wide):
        for k in range(0, depth, DEPTH):
            down(
                table, mode, rows, min(wide, columns - j), min(DEPTH, depth - k), left + k * step, row, step,
                right + k * right_row, right_row, out + j * size, out_row, bias + j * size if bias and k == 0 else 0,
                flags if k == 0 else ACCUMULATE,
            )  # fmt: skip
        right += panel
