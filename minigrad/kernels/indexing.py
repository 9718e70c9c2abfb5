"""Reading and adding at places that an array of indices names.

NumPy reads such places well, but adding to them (`np.add.at`, for an index may come twice) takes it tens of times
longer than a loop. These are the derivatives of indexing and of embedding tables, and PyTorch's gather, scatter_add
and index_add.

An axis of an array is seen as the middle one of (outer, count, inner). Negative indices count from the end, as in
NumPy.

Before this: `dispatch.py`. After it: `ops/index.py`, `ops/gather.py`.
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel

NUMBERS = "fdlq"  # the dtypes the loops are for: float32, float64 and int64 under its two names
FEW = 128  # fewer numbers than this are added by NumPy before a loop has begun
SHORT = 32  # a row of fewer is not worth being cut out
AT_ONCE = 4096  # so many indices are looked through before they are used


@jit(inline=True)
def inside(index, first, last, lowest, highest):
    """Whether indices number first to last - 1 are from `lowest` to `highest`: no difference has its sign bit set."""
    signs = np.int64(0)
    for k in range(first, last):
        signs |= (index[k] - lowest) | (highest - index[k])
    return signs >= 0


@jit
def add_slices(out, index, source):
    """out[:, index[k]] += source[:, k] for arrays (outer, count, inner), or False if an index is out of bounds."""
    count, inner = out.shape[1:]
    if not inside(index, 0, index.size, -count, count - 1):
        return False
    for o in range(out.shape[0]):
        if inner == 1:
            target, row = out[o].reshape(-1), source[o].reshape(-1)
            for k in range(index.size):
                i = index[k]
                target[i + count if i < 0 else i] += row[k]
        else:
            for k in range(index.size):
                i = index[k]
                target, row = out[o, i + count if i < 0 else i], source[o, k]
                for j in range(inner):
                    target[j] += row[j]
    return True


@jit
def take_slices(x, index, out, outer, count, inner, lowest):
    """out[o, k] = x[o, index[k]], all in one row of numbers, or False if an index is out of bounds."""
    places = index.size
    if not inside(index, 0, places, lowest, count - 1):
        return False
    for o in range(outer):
        if inner == 1:
            take_row(x[o * count : (o + 1) * count], index, out[o * places : (o + 1) * places], lowest)
            continue
        for k in range(places):
            i, at = index[k], (o * places + k) * inner
            begin = (o * count + (i + count if i < 0 else i)) * inner
            source, target = x[begin : begin + inner], out[at : at + inner]
            for j in range(inner):
                target[j] = source[j]
    return True


@jit(inline=True)
def take_row(x, index, out, lowest):
    """out[k] = x[index[k]]"""
    if lowest < 0:
        for k in range(index.size):
            i = index[k]
            out[k] = x[i + x.size if i < 0 else i]
    else:
        for k in range(index.size):
            out[k] = x[np.uint64(index[k])]  # so it becomes vector code: nothing to count from the end


@jit
def take_places(x, index, out, outer, count, inner, lowest):
    """out[o, k, j] = x[o, index[o, k, j], j], all in one row of numbers, or False if an index is out of bounds."""
    row = index.size // max(outer, 1)
    at_once = max(1, AT_ONCE // max(row, 1))  # rows that are looked through, then still in the cache when taken
    for top in range(0, outer, at_once):
        bottom = min(top + at_once, outer)
        if not inside(index, top * row, bottom * row, lowest, count - 1):
            return False
        if inner == 1 and row == 1:
            for o in range(top, bottom):
                i = index[o]
                out[o] = x[np.uint64(o * count + i + (count & (i >> 63)))]
            continue
        for o in range(top, bottom):
            first, last = o * row, (o + 1) * row
            if inner == 1 and row < SHORT:
                for at in range(first, last):
                    i = index[at]
                    out[at] = x[np.uint64(o * count + i + (count & (i >> 63)))]
                continue
            source, names, target = x[o * count * inner : (o + 1) * count * inner], index[first:last], out[first:last]
            if inner == 1:
                take_row(source, names, target, lowest)
                continue
            for at in range(0, row, inner):
                for j in range(inner):
                    i = names[at + j]
                    target[at + j] = source[np.uint64((i + count if i < 0 else i) * inner + j)]
    return True


@jit
def add_places(out, index, source, outer, count, inner, lowest):
    """out[o, index[o, k, j], j] += source[o, k, j], all in one row of numbers, or False if one is out of bounds."""
    if not inside(index, 0, index.size, lowest, count - 1):
        return False
    row = index.size // max(outer, 1)
    for o in range(outer):
        begin = o * count * inner
        if inner == 1:
            for at in range(o * row, (o + 1) * row):
                i = index[at]
                out[begin + i + (count & (i >> 63))] += source[at]
        else:
            for at in range(o * row, (o + 1) * row, inner):
                for j in range(inner):
                    i = index[at + j]
                    out[begin + (i + (count & (i >> 63))) * inner + j] += source[at + j]
    return True


@functools.lru_cache(maxsize=4096)
def layered(shape, dim):
    """`shape` as (outer, count, inner) around axis `dim`."""
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def layers(x, dim):
    """x as contiguous (outer, count, inner) around its axis `dim`; the same memory if x is contiguous."""
    return np.ascontiguousarray(x).reshape(layered(x.shape, dim))


def out_of_bounds(index, dim, size, lowest=None):
    """NumPy's error for the first index that is out of bounds."""
    wrong = index[(index < (-size if lowest is None else lowest)) | (index >= size)]
    return IndexError(f"index {wrong[0]} is out of bounds for dimension {dim} with size {size}")


def refuse_negative(index, dim, size):
    """For the NumPy twins: NumPy itself counts negative indices from the end."""
    if index.size and index.min() < 0:
        raise out_of_bounds(index, dim, size, 0)


def add_in_place(loop, out, index, source, dim):
    """Call `loop` on contiguous memory for `out`: its own, or a copy that is written back."""
    memory = layers(out, dim)
    if not loop(memory, index, layers(source, dim)):
        raise out_of_bounds(index, dim, out.shape[dim])
    if not out.flags.c_contiguous:
        out[...] = memory.reshape(out.shape)


def row_samples(size):
    """A table of 64 rows, indices and as many rows, of `size` numbers in all."""
    width = 16 if size >= 64 else 1
    rows = max(1, size // width)
    source = np.ones((rows, width), np.float32)
    return np.zeros((64, width), np.float32), np.arange(rows) * 7 % 64, source


def slice_samples(size):
    """The same, and the axis."""
    return *row_samples(size), 0


def take_samples(size):
    """A table of 64 rows, rows to read, the axis."""
    table, index, _ = row_samples(size)
    return table, index, 0, False


def gather_samples(size):
    """A matrix, one index per row, the axis of the columns."""
    rows = max(1, size // 8)
    return np.ones((rows, 8), np.float32), np.arange(rows).reshape(-1, 1) % 8, 1, False


def scatter_samples(size):
    """A matrix, one index and one number per row, the axis of the columns."""
    x, index, dim, _ = gather_samples(size)
    return x, index, x[:, :1].copy(), dim, False


@kernel(samples=row_samples)
def scatter_add_rows(out, index, source):
    """out[index[k]] += source[k], in place: the derivative of reading rows, as an embedding does.

    Args:
        out (ndarray): (R, ...), any numbers.
        index (ndarray): integers (K,), from -R to R - 1; one may come several times.
        source (ndarray): (K, ...), of out's dtype.

    Raises:
        IndexError: an index is out of bounds; nothing has been added then.
    """
    np.add.at(out, index, source)


@scatter_add_rows.numba(python=True)
def scatter_add_rows(out, index, source):
    if source.size < FEW or out.dtype.char not in NUMBERS:
        return scatter_add_rows.twin(out, index, source)
    return add_in_place(add_slices, out, np.ascontiguousarray(index, np.int64), source, 0)


@kernel(samples=slice_samples)
def index_add(out, index, source, dim):
    """`scatter_add_rows` along axis `dim`: out[:, index[k]] += source[:, k] for dim = 1.

    Args:
        out (ndarray): any numbers; changed in place.
        index (ndarray): integers (K,).
        source (ndarray): of out's shape, but K along `dim`.
        dim (int): not negative.

    Raises:
        IndexError: an index is out of bounds; nothing has been added then.
    """
    np.add.at(np.moveaxis(out, dim, 0), index, np.moveaxis(source, dim, 0))


@index_add.numba(python=True)
def index_add(out, index, source, dim):
    if out.dtype.char not in NUMBERS:
        return index_add.twin(out, index, source, dim)
    return add_in_place(add_slices, out, np.ascontiguousarray(index, np.int64), source, dim)


@kernel(samples=take_samples)
def take(x, index, dim, from_end):
    """x[:, index] for dim = 1.

    Args:
        x (ndarray): any numbers, not 0-dim.
        index (ndarray): integers, of any shape.
        dim (int): not negative.
        from_end (bool): whether negative indices count from the end; otherwise they are out of bounds.

    Returns:
        ndarray: of x's shape with index's in place of axis `dim`.

    Raises:
        IndexError: an index is out of bounds.
    """
    if not from_end:
        refuse_negative(index, dim, x.shape[dim])
    return np.take(x, index, dim)


@take.numba(python=True)
def take(x, index, dim, from_end):
    if not x.flags.c_contiguous or x.dtype.char not in NUMBERS:
        return take.twin(x, index, dim, from_end)
    outer, count, inner = layered(x.shape, dim)
    out = np.empty((*x.shape[:dim], *index.shape, *x.shape[dim + 1 :]), x.dtype)
    names, lowest = np.ascontiguousarray(index, np.int64).reshape(-1), -count if from_end else 0
    if not take_slices(x.reshape(-1), names, out.reshape(-1), outer, count, inner, lowest):
        raise out_of_bounds(names, dim, count, lowest)
    return out


@kernel(samples=gather_samples)
def gather(x, index, dim, from_end):
    """out[i][j][k] = x[i][index[i][j][k]][k] for dim = 1.

    Args:
        x (ndarray): any numbers, not 0-dim.
        index (ndarray): integers, of x's shape but for axis `dim`.
        dim (int): not negative.
        from_end (bool): whether negative indices count from the end; otherwise they are out of bounds.

    Returns:
        ndarray: of index's shape and x's dtype.

    Raises:
        IndexError: an index is out of bounds.
    """
    if not from_end:
        refuse_negative(index, dim, x.shape[dim])
    return np.take_along_axis(x, index, dim)


@gather.numba(python=True)
def gather(x, index, dim, from_end):
    if x.dtype.char not in NUMBERS or (not x.flags.c_contiguous and x.size > 4 * index.size):
        return gather.twin(x, index, dim, from_end)
    outer, count, inner = layered(x.shape, dim)
    out = np.empty(index.shape, x.dtype)
    names, lowest = np.ascontiguousarray(index, np.int64).reshape(-1), -count if from_end else 0
    x = np.ascontiguousarray(x).reshape(-1)
    if not take_places(x, names, out.reshape(-1), outer, count, inner, lowest):
        raise out_of_bounds(names, dim, count, lowest)
    return out


@kernel(samples=scatter_samples)
def scatter_add(out, index, source, dim, from_end):
    """out[i][index[i][j][k]][k] += source[i][j][k] for dim = 1, in place: the derivative of `gather`.

    Args:
        out (ndarray): any numbers, not 0-dim.
        index (ndarray): integers, of out's shape but for axis `dim`; one may come several times.
        source (ndarray): of index's shape.
        dim (int): not negative.
        from_end (bool): whether negative indices count from the end; otherwise they are out of bounds.

    Raises:
        IndexError: an index is out of bounds; nothing has been added then.
    """
    if not from_end:
        refuse_negative(index, dim, out.shape[dim])
    places = np.ix_(*(range(n) for n in index.shape))
    np.add.at(out, tuple(index if d == dim else places[d] for d in range(out.ndim)), source)


@scatter_add.numba(python=True)
def scatter_add(out, index, source, dim, from_end):
    if out.dtype.char not in NUMBERS:
        scatter_add.twin(out, index, source, dim, from_end)
        return
    outer, count, inner = layered(out.shape, dim)
    names, lowest = np.ascontiguousarray(index, np.int64).reshape(-1), -count if from_end else 0
    memory, source = np.ascontiguousarray(out), np.ascontiguousarray(source).reshape(-1)
    if not add_places(memory.reshape(-1), names, source, outer, count, inner, lowest):
        raise out_of_bounds(names, dim, count, lowest)
    if memory is not out:
        out[...] = memory
