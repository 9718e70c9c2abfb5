"""Attention, softmax(q kᵀ scale + mask) v, and its derivative, block by block.

Never are all weights there at once: of one head, a block of rows meets one block of columns after the other, with the
softmax corrected as larger scores come (Dao et al. 2022, arXiv:2205.14135; Milakov and Gimelshein 2018).

                        columns: k, v
                     ┌───────┬───────┬───
              rows:  │scores │scores │        scores = q kᵀ, ROWS x COLUMNS numbers, stay in the cache
                q    │       │       │ ...    out = (out * shrink + e^(scores - top) v) ... / total
                     ├───────┼───────┤        causal: blocks beyond the diagonal are left out, and so are, in a row
                     │       │       │        of a block on it, the exponentials beyond the row's own column

What is kept for the derivative are two numbers of each row, its top and 1 / total; the weights are computed again.

The products are made of the tiles of `tiles.py`, rows by the kernels of `lanes.py`: all arguments are addresses and
strides, so q, k, v may be views of one projection, with their heads side by side, and nothing is copied but what the
tiles want in another order.

Arrays are (..., L, E), (..., S, E) and (..., S, V) with the same dimensions in front. `mask` is added to the scores and
broadcasts to (..., L, S); `kept`, of that shape, multiplies the weights (dropout). Rows that the mask shuts give zeros.

Before this: `softmax.py`, `panels.py`, `lanes.py`. After it: `ops/attention.py`.
"""

import math

import numpy as np

from minigrad.kernels import lanes, tiles
from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.lanes import (
    ADD_TO_ROWS,
    ALONG_ROWS,
    DOT_ROWS,
    EXP_ROWS,
    KNOWN_ROWS,
    MULTIPLY_ROWS,
    SCALE_ROWS,
    SHARE_ROWS,
)
from minigrad.kernels.llvm import address_of, call
from minigrad.kernels.panels import by_panels, copy, pack_transposed
from minigrad.kernels.softmax import softmax, softmax_backward
from minigrad.kernels.threads import share
from minigrad.kernels.tiles import ACCUMULATE, PACKED, STRIDED, VECTORS, item_size
from minigrad.kernels.tiles import lanes as lanes_of

ROWS, COLUMNS = 64, 512  # of a block; under a causal mask half as many rows, for more blocks to be left out
WORTH = 1 << 23  # so many multiplications are worth a thread
Q, K, V, OUT, STATS, MASK, KEPT, G, DQ, DK, DV = range(1, 12)  # operands in a layout, after the shape of the batch


def added(mask, dtype):
    """The mask as numbers to add: of bools, 0 where True and -inf where False."""
    if mask is None or mask.dtype.kind != "b":
        return mask
    return np.where(mask, dtype.type(0), dtype.type(-np.inf))


def weights_of(q, k, mask, scale, causal):
    """All weights at once: what the NumPy twins work with."""
    scores = np.matmul(q, np.swapaxes(k, -1, -2)) * scale
    if causal:
        scores += np.triu(np.full(scores.shape[-2:], -np.inf, scores.dtype), 1)
    if mask is None:
        return softmax.twin(scores, scores.ndim - 1)
    scores = scores + mask
    shut = (scores == -np.inf).all(-1, keepdims=True)
    scores = np.where(shut, scores.dtype.type(0), scores)
    return np.where(shut, scores.dtype.type(0), softmax.twin(scores, scores.ndim - 1))


# --------------------------------------------------------------------------------------------------------------------
# Products of one block


@jit
def whole(table, rows, columns, source, stride, target):
    """(address, stride) of rows (rows, columns) that may be read in whole vectors: they themselves, or a copy."""
    lanes, item = lanes_of(table), item_size(table)
    if columns % lanes == 0:
        return source, stride
    step = (columns + lanes - 1) // lanes * lanes * item
    copy(table, rows, columns, source, stride, target, step)
    return target, step


# --------------------------------------------------------------------------------------------------------------------
# Drivers: the heads first to last - 1, one after the other


@jit
def place(layout, operand, head):
    """The address of an operand's part for a head; 0 if there is no such operand."""
    address = layout[operand, -1]
    if address:
        for d in range(layout.shape[1] - 3, -1, -1):
            address += head % layout[0, d] * layout[operand, d]
            head //= layout[0, d]
    return address


@jit
def score(table, kernels, rows, columns, width, q, q_stride, keys, scores, stride, mask, mask_stride, scale):
    """The scores of a block, without their factor, which is returned; with a mask there is none left."""
    item = item_size(table)
    step = VECTORS * lanes_of(table) * item
    by_panels(table, STRIDED, rows, columns, width, q, q_stride, item, keys, step, width * step, scores, stride, 0, 0)
    if mask == 0:
        return scale
    call(kernels[ADD_TO_ROWS], columns, columns, rows, scores, stride, mask, mask_stride, 0, 0, 0, scale)
    return 1.0


@jit
def drop(kernels, rows, columns, weights, stride, kept, kept_stride):
    """Multiply the weights of a block by `kept`, if there is such a thing."""
    if kept:
        call(kernels[MULTIPLY_ROWS], columns, columns, rows, weights, stride, kept, kept_stride, 0, 0, 0, 0.0)


@jit
def attend(table, kernels, layout, first, last, sizes, scale, causal, work):
    """The forward pass. work: as many numbers as `attention` takes."""
    length, size, width, out_width = sizes
    item, step = item_size(table), VECTORS * lanes_of(table) * item_size(table)
    q_stride, o_stride, mask_stride, kept_stride = layout[Q, -2], layout[OUT, -2], layout[MASK, -2], layout[KEPT, -2]
    stride = (min(size, COLUMNS) + lanes_of(table)) * item
    height = ROWS // 2 if causal else ROWS
    shrinks, scores = work, work + ROWS * item
    keys = scores + ROWS * stride
    values = keys + (size * item + step - 1) // step * step * width
    turned = 0
    for head in range(first, last):
        k, mask, kept = place(layout, K, head), place(layout, MASK, head), place(layout, KEPT, head)
        if k != turned:  # heads may share their keys
            pack_transposed(table, size, width, k, layout[K, -2], keys)
            turned = k
        v, v_stride = whole(table, size, out_width, place(layout, V, head), layout[V, -2], values)
        q, out, top = place(layout, Q, head), place(layout, OUT, head), place(layout, STATS, head)
        for i in range(0, length, height):
            rows, end = min(height, length - i), min(size, i + height) if causal else size
            total = top + length * item
            for j in range(0, end, COLUMNS):
                columns = min(COLUMNS, end - j)
                live = i + 1 - j if causal else columns
                factor = score(
                    table, kernels, rows, columns, width, q, q_stride, keys + j * width * item,
                    scores, stride, mask + j * item if mask else 0, mask_stride, scale,
                )  # fmt: skip
                call(kernels[EXP_ROWS], columns, live, rows, scores, stride, 0, 0, top, total, shrinks, factor)
                drop(kernels, rows, columns, scores, stride, kept + j * item if kept else 0, kept_stride)
                if j:
                    call(kernels[SCALE_ROWS], out_width, out_width, rows, out, o_stride, 0, 0, 0, 0, shrinks, 0.0)
                by_panels(
                    table, STRIDED, rows, out_width, columns, scores, stride, item, v + j * v_stride, v_stride, step,
                    out, o_stride, 0, ACCUMULATE if j else 0,
                )  # fmt: skip
            call(kernels[SHARE_ROWS], out_width, out_width, rows, out, o_stride, 0, 0, top, total, 0, 0.0)
            q, out, top = q + rows * q_stride, out + rows * o_stride, top + rows * item
            mask, kept = mask + rows * mask_stride, kept + rows * kept_stride


@jit
def attend_backward(table, kernels, layout, first, last, sizes, scale, causal, work):
    """The derivatives by q, k and v. work: as many numbers as `attention_backward` takes."""
    length, size, width, out_width = sizes
    item, step = item_size(table), VECTORS * lanes_of(table) * item_size(table)
    q_stride, g_stride, mask_stride, kept_stride = layout[Q, -2], layout[G, -2], layout[MASK, -2], layout[KEPT, -2]
    dq_stride, dk_stride, dv_stride = layout[DQ, -2], layout[DK, -2], layout[DV, -2]
    stride = (min(size, COLUMNS) + lanes_of(table)) * item
    height = ROWS // 2 if causal else ROWS
    panels = (size * item + step - 1) // step * step
    means = work
    weights = means + length * item
    along = weights + ROWS * stride
    keys = along + ROWS * stride
    values = keys + panels * width
    key_copy = values + panels * out_width
    query_copy = key_copy + size * (width * item + step)
    grad_copy = query_copy + length * (width * item + step)
    for head in range(first, last):
        q, k, v, g = place(layout, Q, head), place(layout, K, head), place(layout, V, head), place(layout, G, head)
        dq, dk, dv = place(layout, DQ, head), place(layout, DK, head), place(layout, DV, head)
        mask, kept, out = place(layout, MASK, head), place(layout, KEPT, head), place(layout, OUT, head)
        pack_transposed(table, size, width, k, layout[K, -2], keys)
        pack_transposed(table, size, out_width, v, layout[V, -2], values)
        k, k_stride = whole(table, size, width, k, layout[K, -2], key_copy)
        qs, qs_stride = whole(table, length, width, q, q_stride, query_copy)
        gs, gs_stride = whole(table, length, out_width, g, g_stride, grad_copy)
        call(kernels[DOT_ROWS], out_width, out_width, length, out, layout[OUT, -2], g, g_stride, means, 0, 0, 0.0)
        top, mean = place(layout, STATS, head), means
        for i in range(0, length, height):
            rows, end = min(height, length - i), min(size, i + height) if causal else size
            share = top + length * item
            for j in range(0, end, COLUMNS):
                columns = min(COLUMNS, end - j)
                live = i + 1 - j if causal else columns
                kept_part = kept + j * item if kept else 0
                factor = score(
                    table, kernels, rows, columns, width, q, q_stride, keys + j * width * item,
                    weights, stride, mask + j * item if mask else 0, mask_stride, scale,
                )  # fmt: skip
                call(kernels[KNOWN_ROWS], columns, live, rows, weights, stride, 0, 0, top, share, 0, factor)
                by_panels(
                    table, STRIDED, rows, columns, out_width, g, g_stride, item,
                    values + j * out_width * item, step, out_width * step, along, stride, 0, 0,
                )  # fmt: skip
                drop(kernels, rows, columns, along, stride, kept_part, kept_stride)
                call(kernels[ALONG_ROWS], columns, live, rows, along, stride, weights, stride, mean, 0, 0, scale)
                drop(kernels, rows, columns, weights, stride, kept_part, kept_stride)
                more = ACCUMULATE if i or causal else 0
                by_panels(
                    table, PACKED, columns, out_width, rows, weights, item, stride, gs, gs_stride, step,
                    dv + j * dv_stride, dv_stride, 0, more,
                )  # fmt: skip
                by_panels(
                    table, PACKED, columns, width, rows, along, item, stride, qs, qs_stride, step,
                    dk + j * dk_stride, dk_stride, 0, more,
                )  # fmt: skip
                by_panels(
                    table, STRIDED, rows, width, columns, along, stride, item, k + j * k_stride, k_stride, step,
                    dq, dq_stride, 0, ACCUMULATE if j else 0,
                )  # fmt: skip
            q, g, qs, gs = q + rows * q_stride, g + rows * g_stride, qs + rows * qs_stride, gs + rows * gs_stride
            mask, kept = mask + rows * mask_stride, kept + rows * kept_stride
            dq, top, mean = dq + rows * dq_stride, top + rows * item, mean + rows * item


# --------------------------------------------------------------------------------------------------------------------
# Kernels


def readable(array):
    """The array, or a copy if the numbers of its rows do not lie side by side."""
    return array if array.strides[-1] == array.itemsize or array.shape[-1] == 1 else np.ascontiguousarray(array)


def like(array, columns, make=np.empty):
    """An array of so many columns, otherwise shaped as `array` and with its dimensions in that order in memory."""
    if array.flags.c_contiguous:
        return make((*array.shape[:-1], columns), array.dtype)
    order = sorted(range(array.ndim - 1), key=lambda d: -abs(array.strides[d]))
    shape = [array.shape[d] for d in order]
    return make((*shape, columns), array.dtype).transpose(*[order.index(d) for d in range(array.ndim - 1)], -1)


def layout_of(batch, operands):
    """The table that `place` reads: the batch's shape, then strides and address of each operand (None: address 0)."""
    width = len(batch) + 2
    numbers = [*batch, 0, 0]
    for operand in operands:
        numbers += (0,) * width if operand is None else (*operand.strides[:-1], address_of(operand))
    return np.array(numbers, np.int64).reshape(-1, width)


def share_heads(driver, operands, sizes, scale, causal, numbers):
    """Call a driver for all heads, on several threads if they are many; each part has its own work space."""
    batch, dtype = operands[0].shape[:-2], operands[0].dtype
    layout = layout_of(batch, operands)

    def work(first, last):
        room = np.empty(numbers, dtype)
        driver(tiles.table(dtype), lanes.table(dtype), layout, first, last, sizes, scale, causal, address_of(room))

    length, size, width, out_width = sizes
    share(work, math.prod(batch), 1 + WORTH // (length * size * (width + out_width)))


def samples(size):
    """Query, key and value of some heads with 32 places."""
    heads = max(1, size // (32 * 16))
    x = np.sin(np.arange(heads * 32 * 16, dtype=np.float32)).reshape(heads, 32, 16)
    return x, x[:, ::-1].copy(), x[:, :, ::-1].copy(), None, None, 0.25, False


def backward_samples(size):
    """A gradient, and the same."""
    q, k, v, *rest = samples(size)
    return q, q, k, v, *rest, *attention(q, k, v, *rest)


@kernel(samples=samples)
def attention(q, k, v, mask, kept, scale, causal):
    """softmax(q kᵀ scale + mask) v.

    Args:
        q, k, v (ndarray): float32 or float64, (..., L, E), (..., S, E) and (..., S, V), of which none is empty.
        mask (ndarray | None): of their dtype, broadcasts to (..., L, S).
        kept (ndarray | None): (..., L, S), multiplies the weights.
        scale (float): multiplies the scores.
        causal (bool): whether row i sees the columns up to i alone.

    Returns:
        tuple: (..., L, V), and what `attention_backward` takes as `known`.
    """
    weights = weights_of(q, k, mask, scale, causal)
    return np.matmul(weights if kept is None else weights * kept, v), None


@attention.numba(python=True)
def attention(q, k, v, mask, kept, scale, causal):
    q, k, v = readable(q), readable(k), readable(v)
    batch, (length, width), (size, out_width) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    out = like(q, out_width)
    stats = np.zeros((*batch, 2, length), q.dtype)
    stats[..., 0, :] = -np.inf
    if mask is not None:
        mask = readable(np.broadcast_to(mask, (*batch, length, size)))
    kept = None if kept is None else readable(kept)
    pair = 128 // q.itemsize  # the widest two vectors
    numbers = ROWS * (min(size, COLUMNS) + pair) + (size + pair) * width + size * (out_width + pair)
    operands = q, k, v, out, stats, mask, kept
    share_heads(attend, operands, (length, size, width, out_width), scale, causal, numbers)
    return out, stats


@kernel(samples=backward_samples)
def attention_backward(g, q, k, v, mask, kept, scale, causal, out, known):
    """The derivatives of `attention` by q, k and v, applied to g (..., L, V); out and known are what it returned."""
    weights = weights_of(q, k, mask, scale, causal)
    along = np.matmul(g, np.swapaxes(v, -1, -2))
    if kept is not None:
        along *= kept
    along = softmax_backward.twin(along, weights, weights.ndim - 1) * scale
    dv = np.matmul(np.swapaxes(weights if kept is None else weights * kept, -1, -2), g)
    return np.matmul(along, k), np.matmul(np.swapaxes(along, -1, -2), q), dv


@attention_backward.numba(python=True)
def attention_backward(g, q, k, v, mask, kept, scale, causal, out, known):
    if known is None:
        return attention_backward.twin(g, q, k, v, mask, kept, scale, causal, out, known)
    g, q, k, v = readable(g), readable(q), readable(k), readable(v)
    batch, (length, width), (size, out_width) = q.shape[:-2], q.shape[-2:], v.shape[-2:]
    make = np.zeros if causal else np.empty
    dq, dk, dv = like(q, width), like(k, width, make), like(v, out_width, make)
    if mask is not None:
        mask = readable(np.broadcast_to(mask, (*batch, length, size)))
    kept = None if kept is None else readable(kept)
    pair = 128 // q.itemsize
    numbers = length + 2 * ROWS * (min(size, COLUMNS) + pair) + (size + pair) * (width + out_width)
    numbers += (length + size) * (width + pair) + length * (out_width + pair)
    operands = q, k, v, out, known, mask, kept, g, dq, dk, dv
    share_heads(attend_backward, operands, (length, size, width, out_width), scale, causal, numbers)
    return dq, dk, dv
