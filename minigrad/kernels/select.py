"""Which of several equal elements comes first: PyTorch's order of ties in sort, topk and kthvalue.

Without ties there is one answer, and NumPy finds it.  With ties PyTorch's answer is that of the C++ library's sort
(introsort), partial_sort (a heap) and nth_element (introselect), and of quickselect for kthvalue.  Those are written
out here, step by step, on ranks: a row of ranks (equal elements have equal ones) gives the order of its elements.

The same lines are run by Python (the NumPy twin) and compiled.  Sources: D. Musser, Introspective sorting and selection
algorithms (1997); R. Sedgewick's quickselect with the median of three as in Numerical Recipes, 8.5.

Before this: `dispatch.py`. After it: `ops/order.py`.
"""

import numpy as np

from minigrad.kernels.dispatch import Jit, kernel

SORT, PARTIAL, NTH, NTH_SORTED, KTH = range(5)  # what `settle` does with a row
INSERTION = 16  # what is no longer is sorted by insertion, which keeps the order of equal elements
COMPILED = {}


def both(function):
    """Keep the function as Python runs it, and compiled, calling its like."""

    def look_up(name, owner):
        return COMPILED[name] if name in COMPILED else owner.__globals__[name]

    COMPILED[function.__name__] = Jit(function, look_up=look_up)
    return function


@both
def log2(count):
    """The whole part of the binary logarithm."""
    power = 0
    while count > 1:
        count //= 2
        power += 1
    return power


@both
def swap(order, i, j):
    """Exchange two places."""
    kept = order[i]
    order[i] = order[j]
    order[j] = kept


@both
def median_to(order, rank, to, a, b, c):
    """Exchange place `to` with that of the three that holds the median."""
    first, second, third = rank[order[a]], rank[order[b]], rank[order[c]]
    if first < second:
        swap(order, to, b if second < third else (c if first < third else a))
    else:
        swap(order, to, a if first < third else (c if second < third else b))


@both
def partition(order, rank, first, last):
    """Part [first, last) around the median of three; where the second part begins."""
    median_to(order, rank, first, first + 1, first + (last - first) // 2, last - 1)
    pivot, i, j = rank[order[first]], first + 1, last
    while True:
        while rank[order[i]] < pivot:
            i += 1
        j -= 1
        while pivot < rank[order[j]]:
            j -= 1
        if i >= j:
            return i
        swap(order, i, j)
        i += 1


@both
def insert_sorted(order, rank, first, last):
    """Sort [first, last) by insertion."""
    for i in range(first + 1, last):
        moved, j = order[i], i
        while j > first and rank[moved] < rank[order[j - 1]]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = moved


@both
def sift(order, rank, first, hole, count, moved):
    """Put `moved` into a heap of `count` from `first` on: down to the leaves, and up again."""
    top, child = hole, hole
    while child < (count - 1) // 2:
        child = 2 * (child + 1)
        if rank[order[first + child]] < rank[order[first + child - 1]]:
            child -= 1
        order[first + hole] = order[first + child]
        hole = child
    if count % 2 == 0 and child == (count - 2) // 2:
        child = 2 * (child + 1)
        order[first + hole] = order[first + child - 1]
        hole = child - 1
    parent = (hole - 1) // 2
    while hole > top and rank[order[first + parent]] < rank[moved]:
        order[first + hole] = order[first + parent]
        hole = parent
        parent = (hole - 1) // 2
    order[first + hole] = moved


@both
def heap_select(order, rank, first, middle, last):
    """Bring the least of [first, last) into [first, middle), as a heap."""
    count = middle - first
    if count > 1:
        for parent in range((count - 2) // 2, -1, -1):
            sift(order, rank, first, parent, count, order[first + parent])
    for i in range(middle, last):
        if count and rank[order[i]] < rank[order[first]]:
            moved = order[i]
            order[i] = order[first]
            sift(order, rank, first, 0, count, moved)


@both
def heap_sorted(order, rank, first, last):
    """Sort the heap in [first, last)."""
    while last - first > 1:
        last -= 1
        moved = order[last]
        order[last] = order[first]
        sift(order, rank, first, 0, last - first, moved)


@both
def sort_all(order, rank, first, last):
    """Sort [first, last): part it until the parts are short, by a heap where that takes too many steps."""
    waiting = np.empty((2 * log2(last - first) + 2, 3), np.int64)  # parts to come back to
    waiting[0, 0], waiting[0, 1], waiting[0, 2] = first, last, 2 * log2(last - first)
    count = 1
    while count > 0:
        count -= 1
        left, right, depth = waiting[count, 0], waiting[count, 1], waiting[count, 2]
        while right - left > INSERTION:
            if depth == 0:
                heap_select(order, rank, left, right, right)
                heap_sorted(order, rank, left, right)
                break
            depth -= 1
            cut = partition(order, rank, left, right)
            waiting[count, 0], waiting[count, 1], waiting[count, 2] = cut, right, depth
            count += 1
            right = cut
    insert_sorted(order, rank, first, last)


@both
def nth_element(order, rank, nth, last):
    """Bring to place `nth` of [0, last) what belongs there, and what is less before it."""
    first, depth = 0, 2 * log2(last)
    while last - first > 3:
        if depth == 0:
            heap_select(order, rank, first, nth + 1, last)
            swap(order, first, nth)
            return
        depth -= 1
        cut = partition(order, rank, first, last)
        if cut <= nth:
            first = cut
        else:
            last = cut
    insert_sorted(order, rank, first, last)


@both
def quickselect(order, rank, nth):
    """The same as `nth_element` by another way of parting, which kthvalue has."""
    left, right = 0, order.size - 1
    while right > left + 1:
        swap(order, left + (right - left) // 2, left + 1)
        if rank[order[left + 1]] > rank[order[right]]:
            swap(order, left + 1, right)
        if rank[order[left]] > rank[order[right]]:
            swap(order, left, right)
        if rank[order[left + 1]] > rank[order[left]]:
            swap(order, left + 1, left)
        pivot, i, j = rank[order[left]], left + 1, right
        while True:
            i += 1
            while pivot > rank[order[i]]:
                i += 1
            j -= 1
            while rank[order[j]] > pivot:
                j -= 1
            if j < i:
                break
            swap(order, i, j)
        swap(order, left, j)
        if j <= nth:
            left = i
        if j >= nth:
            right = j - 1
    if right == left + 1 and rank[order[left]] > rank[order[right]]:
        swap(order, left, right)


@both
def settle_rows(rank, count, how, out):
    """`settle`, row by row, into `out`."""
    size = rank.shape[1]
    order = np.empty(size, np.int64)
    for row in range(rank.shape[0]):
        for i in range(size):
            order[i] = i
        if how == SORT:
            sort_all(order, rank[row], 0, size)
        elif how == PARTIAL:
            heap_select(order, rank[row], 0, count, size)
            heap_sorted(order, rank[row], 0, count)
        elif how == KTH:
            quickselect(order, rank[row], count - 1)
        else:
            nth_element(order, rank[row], count - 1, size)
            if how == NTH_SORTED:
                sort_all(order, rank[row], 0, count - 1)
        for i in range(count):
            out[row, i] = order[i]


def settle_samples(size):
    """Rows of 100 ranks with ties, to be sorted."""
    return np.arange(max(1, size // 100) * 100).reshape(-1, 100) * 7919 % 31, 100, SORT


@kernel(samples=settle_samples)
def settle(rank, count, how):
    """The first `count` of the order that PyTorch gives the elements of each row.

    Args:
        rank (ndarray): int64, (rows, size): less is first, and equal elements have equal ranks.
        count (int): how many are asked for; for KTH and NTH the last of them is in its place.
        how (int): SORT (std::sort), PARTIAL (partial_sort), NTH (nth_element), NTH_SORTED (and those before it
            sorted) or KTH (quickselect).

    Returns:
        ndarray: int64, (rows, count): the places of the elements.
    """
    out = np.empty((rank.shape[0], count), np.int64)
    settle_rows(rank, count, how, out)
    return out


@settle.numba(python=True)
def settle(rank, count, how):
    out = np.empty((rank.shape[0], count), np.int64)
    COMPILED["settle_rows"](np.ascontiguousarray(rank), count, how, out)
    return out


def ascending(x):
    """(values, order) along the last axis, equal elements as they were; NaN is last."""
    order = np.argsort(x, axis=-1, kind="stable")
    return np.take_along_axis(x, order, -1), order


def descending(x):
    """The same from the largest to the smallest; NaN is first."""
    order = x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]
    return np.take_along_axis(x, order, -1), order


def neighbours(values):
    """Whether each element of sorted rows equals the next."""
    a, b = values[..., 1:], values[..., :-1]
    return (a == b) | ((a != a) & (b != b)) if values.dtype.kind == "f" else a == b


def ranks(values, order):
    """The ranks of the elements, in the order in which they were before they were sorted."""
    steps = np.zeros(values.shape, np.int64)
    np.cumsum(~neighbours(values), axis=-1, out=steps[..., 1:])
    out = np.empty_like(steps)
    np.put_along_axis(out, order, steps, -1)
    return out


def resettle(values, order, tied, count, how):
    """The first `count` of the order of sorted rows, as PyTorch has it where `tied` says that ties matter. (The ranks
    go up along a sorted row, be it ascending or descending.)"""
    if not tied.any():
        return order[..., :count]
    rows, size = tied.reshape(-1), values.shape[-1]
    out = np.array(order[..., :count]).reshape(-1, count)
    out[rows] = settle(ranks(values.reshape(-1, size)[rows], order.reshape(-1, size)[rows]), count, how)
    return out.reshape(*values.shape[:-1], count)
