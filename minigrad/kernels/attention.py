"""Attention, softmax(q kᵀ scale + mask) v, and its derivative.

The numba twins take so many rows of so many heads at a time that the weights of these stay in the cache: scores by one
matrix product, mask and softmax, then the product with v. Weights that are few are kept for the derivative, part by
part; many are computed again there, so that they never fill the memory. With a causal mask, what lies beyond the last
row of a part is left out. (Dao et al. 2022, arXiv:2205.14135, in larger parts)

Arrays are (..., L, E), (..., S, E) and (..., S, V) with the same dimensions in front. `mask` is added to the scores and
broadcasts to (..., L, S); `kept`, of that shape, multiplies the weights (dropout). Rows that the mask shuts give zeros.

Before this: `softmax.py`. After it: `ops/attention.py`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.softmax import softmax, softmax_backward, softmax_backward_rows, softmax_rows

PART = 1 << 16  # so many weights are computed at a time
FEW = 1 << 22  # so many are kept for the derivative
ROWS = 64  # under a causal mask, rows of a part


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
    shut = (mask == -np.inf).all(-1, keepdims=True)
    scores = np.where(shut, scores.dtype.type(0), scores + mask)
    return np.where(shut, scores.dtype.type(0), softmax.twin(scores, scores.ndim - 1))


# --------------------------------------------------------------------------------------------------------------------
# Parts


@jit
def add_masks(scores, masks, which, first, shut):
    """scores (heads, rows, columns) += each head's mask; notes which rows that shuts, and returns how many."""
    count = 0
    for m in range(scores.shape[0]):
        mask = masks[which[m]]
        for r in range(scores.shape[1]):
            line, row = mask[first + r if mask.shape[0] > 1 else 0], scores[m, r]
            open_ = 0
            for j in range(row.size):
                row[j] += line[j]
                open_ += line[j] != -np.inf
            shut[m, r] = open_ == 0
            if open_ == 0:
                row[:] = 0
                count += 1
    return count


@jit
def clear(weights, shut):
    """Zeros into the rows that are shut."""
    for m in range(weights.shape[0]):
        for r in range(weights.shape[1]):
            if shut[m, r]:
                weights[m, r] = 0


@jit
def hide_future(scores, first):
    """-inf for the columns beyond each row's number, the first one being number `first`."""
    for m in range(scores.shape[0]):
        for r in range(scores.shape[1]):
            scores[m, r, first + r + 1 :] = -np.inf


def in_four(array):
    """An array (outer, heads, rows, numbers), with rows that BLAS can read."""
    array = array[(None,) * max(0, 4 - array.ndim)]
    array = array.reshape(-1, *array.shape[-3:])
    row, step = array.shape[-1] * array.itemsize, array.strides[-2]
    if array.strides[-1] != array.itemsize or step < row or step % array.itemsize:
        return np.ascontiguousarray(array)
    return array


class Weights:
    """The weights of one call, part by part."""

    def __init__(self, q, k, mask, kept, scale, causal, keep=False):
        self.q, self.k, self.scale, self.causal, self.keep = in_four(q), in_four(k), scale, causal, keep
        self.kept = None if kept is None else in_four(kept)
        self.outer, self.heads, self.length, _ = self.q.shape
        self.size, self.dtype = self.k.shape[2], q.dtype
        if mask is None:
            self.masks = None
        else:
            mask = np.broadcast_to(mask, (*mask.shape[:-1], self.size))
            self.masks = np.ascontiguousarray(mask.reshape(-1, *mask.shape[-2:]) if mask.ndim > 2 else mask[None])
            numbers = np.arange(len(self.masks)).reshape(mask.shape[:-2])
            self.which = np.broadcast_to(numbers, q.shape[:-2]).reshape(self.outer, self.heads)
        rows = min(self.length, max(1, PART // self.size))
        self.rows = min(rows, ROWS) if causal and rows >= 2 * ROWS else rows

    def heads_at_once(self):
        """Slices (outer, heads) of which a part is made."""
        many = max(1, PART // (self.rows * self.size))
        outer, heads = max(1, many // self.heads), min(many, self.heads)
        for o in range(0, self.outer, outer):
            for h in range(0, self.heads, heads):
                yield slice(o, o + outer), slice(h, h + heads)

    def __iter__(self):
        """Part by part: slices of heads, rows and columns, and the weights; these are good until the next part, unless
        told to keep them."""
        for heads in self.heads_at_once():
            for part in self.of(heads):
                yield heads, *part

    def parts(self, known):
        """The same, with the weights that were kept, or computed anew if none were."""
        if known is None:
            yield from self
            return
        known = iter(known)
        for heads in self.heads_at_once():
            for rows, columns in self.spans():
                yield heads, rows, columns, next(known)

    def spans(self):
        """Slices of rows, and of the columns that they may see."""
        for first in range(0, self.length, self.rows):
            last = min(first + self.rows, self.length)
            yield slice(first, last), slice(0, min(self.size, last) if self.causal else self.size)

    def of(self, heads):
        """The parts of some heads."""
        keys = np.array(self.k[heads].swapaxes(-1, -2), order="C")
        keys *= self.scale
        q = self.q[heads]
        work = np.empty((2, keys.shape[0] * keys.shape[1] * self.rows * self.size), self.dtype)
        for rows, columns in self.spans():
            shape = (*keys.shape[:2], rows.stop - rows.start, columns.stop)
            scores, weights = work[:, : math.prod(shape)].reshape(2, *shape)
            weights = np.empty_like(weights) if self.keep else weights
            np.matmul(q[:, :, rows], keys[..., columns], out=scores)
            self.normalize(scores.reshape(-1, *shape[2:]), weights.reshape(-1, *shape[2:]), heads, rows.start)
            yield rows, columns, weights

    def normalize(self, scores, weights, heads, first):
        """Mask and softmax. (Loops that write where they read are no vector code: hence two arrays.)"""
        closed = 0
        if self.causal:
            hide_future(scores, first)
        if self.masks is not None:
            shut = np.empty(scores.shape[:2], np.bool_)
            closed = add_masks(scores, self.masks, self.which[heads].reshape(-1), first, shut)
        columns = scores.shape[-1]
        softmax_rows[scores.dtype.char](scores.reshape(-1, columns), weights.reshape(-1, columns))
        if closed:
            clear(weights, shut)


# --------------------------------------------------------------------------------------------------------------------
# Kernels


def samples(size):
    """Query, key and value of some heads with 32 places."""
    heads = max(1, size // (32 * 16))
    x = np.sin(np.arange(heads * 32 * 16, dtype=np.float32)).reshape(heads, 32, 16)
    return x, x[:, ::-1].copy(), x[:, :, ::-1].copy(), None, None, 0.25, False, False


def backward_samples(size):
    """A gradient, and the same."""
    q, *rest, _ = samples(size)
    return q, q, *rest, None


@kernel(samples=samples)
def attention(q, k, v, mask, kept, scale, causal, keep):
    """softmax(q kᵀ scale + mask) v.

    Args:
        q, k, v (ndarray): float32 or float64, (..., L, E), (..., S, E) and (..., S, V), of which none is empty.
        mask (ndarray | None): of their dtype, broadcasts to (..., L, S).
        kept (ndarray | None): (..., L, S), multiplies the weights.
        scale (float): multiplies the scores.
        causal (bool): whether row i sees the columns up to i alone.
        keep (bool): whether there will be a derivative.

    Returns:
        tuple: (..., L, V), and what `attention_backward` takes as `known`.
    """
    weights = weights_of(q, k, mask, scale, causal)
    return np.matmul(weights if kept is None else weights * kept, v), None


@attention.numba(python=True)
def attention(q, k, v, mask, kept, scale, causal, keep):
    keep = keep and math.prod(q.shape[:-1]) * k.shape[-2] <= FEW
    all_weights, v = Weights(q, k, mask, kept, scale, causal, keep), in_four(v)
    out = np.empty((*all_weights.q.shape[:3], v.shape[-1]), q.dtype)
    known = [] if keep else None
    for heads, rows, columns, weights in all_weights:
        if keep:
            known.append(weights)
        if kept is not None:
            weights = weights * all_weights.kept[heads][:, :, rows, columns]
        np.matmul(weights, v[heads][:, :, columns], out=out[heads][:, :, rows])
    return out.reshape(*q.shape[:-1], v.shape[-1]), known


@kernel(samples=backward_samples)
def attention_backward(g, q, k, v, mask, kept, scale, causal, known):
    """The derivatives of `attention` by q, k and v, applied to g (..., L, V)."""
    weights = weights_of(q, k, mask, scale, causal)
    along = np.matmul(g, np.swapaxes(v, -1, -2))
    if kept is not None:
        along *= kept
    along = softmax_backward.twin(along, weights, weights.ndim - 1) * scale
    dv = np.matmul(np.swapaxes(weights if kept is None else weights * kept, -1, -2), g)
    return np.matmul(along, k), np.matmul(np.swapaxes(along, -1, -2), q), dv


@attention_backward.numba(python=True)
def attention_backward(g, q, k, v, mask, kept, scale, causal, known):
    w = Weights(q, k, mask, kept, scale, causal)
    g, v = in_four(g), in_four(v)
    dq = np.empty(w.q.shape, q.dtype)
    dk, dv = np.zeros(w.k.shape, q.dtype), np.zeros(v.shape, q.dtype)
    for heads, rows, columns, weights in w.parts(known):
        key, query, grad = w.k[heads][:, :, columns], w.q[heads][:, :, rows], g[heads][:, :, rows]
        values = np.array(v[heads][:, :, columns].swapaxes(-1, -2), order="C")
        grad_weights = np.matmul(grad, values)
        used = weights
        if kept is not None:
            share = w.kept[heads][:, :, rows, columns]
            grad_weights *= share
            used = weights * share
        dv[heads][:, :, columns] += np.matmul(used.swapaxes(-1, -2), grad)
        along = np.empty_like(weights)
        flat = (-1, weights.shape[-1])
        softmax_backward_rows(grad_weights.reshape(flat), weights.reshape(flat), along.reshape(flat))
        np.matmul(along, key, out=dq[heads][:, :, rows])
        dk[heads][:, :, columns] += np.matmul(along.swapaxes(-1, -2), query)
    dq *= scale
    dk *= scale
    return dq.reshape(q.shape), dk.reshape(k.shape), dv.reshape(*k.shape[:-1], v.shape[-1])
