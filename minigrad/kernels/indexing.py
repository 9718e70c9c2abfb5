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


@jit
def within(index, count):
    """Whether all indices are from -count to count - 1."""
    lowest, highest = np.int64(0), np.int64(-1)
    for i in index:
        lowest = i if i < lowest else lowest
        highest = i if i > highest else highest
    return lowest >= -count and highest < count


@jit
def add_slices(out, index, source):
    """out[:, index[k]] += source[:, k] for arrays (outer, count, inner), or False if an index is out of bounds."""
    count, inner = out.shape[1:]
    if not within(index, count):
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
def take_places(x, index, out):
    """out[o, k, j] = x[o, index[o, k, j], j], or False if an index is out of bounds."""
    count = x.shape[1]
    outer, places, inner = index.shape
    if not within(index.reshape(-1), count):
        return False
    flat, names, target = x.reshape(-1), index.reshape(-1), out.reshape(-1)
    for o in range(outer):
        if inner == 1:
            for at in range(o * places, (o + 1) * places):
                i = names[at]
                target[at] = flat[o * count + (i + count if i < 0 else i)]
        else:
            for k in range(places):
                for j in range(inner):
                    i = index[o, k, j]
                    out[o, k, j] = x[o, i + count if i < 0 else i, j]
    return True


@jit
def add_places(out, index, source):
    """out[o, index[o, k, j], j] += source[o, k, j], or False if an index is out of bounds."""
    count = out.shape[1]
    outer, places, inner = index.shape
    if not within(index.reshape(-1), count):
        return False
    target, names, flat = out.reshape(-1), index.reshape(-1), source.reshape(-1)
    for o in range(outer):
        if inner == 1:
            for at in range(o * places, (o + 1) * places):
                i = names[at]
                target[o * count + (i + count if i < 0 else i)] += flat[at]
        else:
            for k in range(places):
                for j in range(inner):
                    i = index[o, k, j]
                    out[o, i + count if i < 0 else i, j] += source[o, k, j]
    return True


@functools.lru_cache(maxsize=4096)
def layered(shape, dim):
    """`shape` as (outer, count, inner) around axis `dim`."""
    return math.prod(shape[:dim]), shape[dim], math.prod(shape[dim + 1 :])


def layers(x, dim):
    """x as contiguous (outer, count, inner) around its axis `dim`; the same memory if x is contiguous."""
    return np.ascontiguousarray(x).reshape(layered(x.shape, dim))


def out_of_bounds(index, dim, size):
    """NumPy's error for the first index that is out of bounds."""
    wrong = index[(index < -size) | (index >= size)]
    return IndexError(f"index {wrong[0]} is out of bounds for dimension {dim} with size {size}")


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


def gather_samples(size):
    """A matrix, one index per row, the axis of the columns."""
    rows = max(1, size // 8)
    return np.ones((rows, 8), np.float32), np.arange(rows).reshape(-1, 1) % 8, 1


def scatter_samples(size):
    """A matrix, one index and one number per row, the axis of the columns."""
    x, index, dim = gather_samples(size)
    return x, index, x[:, :1].copy(), dim


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


@kernel(samples=gather_samples)
def gather(x, index, dim):
    """out[i][j][k] = x[i][index[i][j][k]][k] for dim = 1.

    Args:
        x (ndarray): any numbers.
        index (ndarray): integers, of x's shape but for axis `dim`.
        dim (int): not negative.

    Returns:
        ndarray: of index's shape and x's dtype.

    Raises:
        IndexError: an index is out of bounds.
    """
    if not x.ndim:
        return x.reshape(1)[index]
    return np.take_along_axis(x, index, dim)


@gather.numba(python=True)
def gather(x, index, dim):
    if not (x.ndim and x.flags.c_contiguous) or x.dtype.char not in NUMBERS:
        return gather.twin(x, index, dim)
    out = np.empty(index.shape, x.dtype)
    index = np.ascontiguousarray(index, np.int64).reshape(layered(index.shape, dim))
    if not take_places(x.reshape(layered(x.shape, dim)), index, out.reshape(index.shape)):
        raise out_of_bounds(index, dim, x.shape[dim])
    return out


@kernel(samples=scatter_samples)
def scatter_add(out, index, source, dim):
    """out[i][index[i][j][k]][k] += source[i][j][k] for dim = 1, in place: the derivative of `gather`.

    Args:
        out (ndarray): any numbers.
        index (ndarray): integers, of out's shape but for axis `dim`; one may come several times.
        source (ndarray): of index's shape.
        dim (int): not negative.

    Raises:
        IndexError: an index is out of bounds; nothing has been added then.
    """
    if not out.ndim:
        out, index, source, dim = out.reshape(1), index.reshape(-1), source.reshape(-1), 0
    places = np.ix_(*(range(n) for n in index.shape))
    np.add.at(out, tuple(index if d == dim else places[d] for d in range(out.ndim)), source)


@scatter_add.numba(python=True)
def scatter_add(out, index, source, dim):
    if not out.ndim or out.dtype.char not in NUMBERS:
        return scatter_add.twin(out, index, source, dim)
    return add_in_place(add_places, out, layers(index, dim).astype(np.int64, copy=False), source, dim)
