"""Which of several equal elements comes first: PyTorch's order of ties in sort, topk and kthvalue.

Without ties there is one answer, and NumPy finds it.  With ties PyTorch's answer is that of the C++ library's sort
(introsort), partial_sort (a heap) and nth_element (introselect), and of quickselect for kthvalue.  Those are written
out here, step by step: a row of keys, of which the least is to be first, gives the order of its elements.

The same lines are run by Python (in the NumPy twin, for the rows that have ties) and compiled: for rows with ties where
much is sorted or a few are wanted, else for all, as selecting takes fewer steps than a sort.  Sources: D. Musser,
Introspective sorting and selection algorithms (1997); quickselect with the median of three as in Numerical Recipes.

Before this: `dispatch.py`. After it: `ops/order.py`.
"""

import numpy as np

from minigrad.kernels.dispatch import Jit, jit, kernel

SORT, PARTIAL, NTH, NTH_SORTED, KTH = range(5)  # what `first_places` does with a row
INSERTION = 16  # what is no longer is sorted by insertion
MUCH = 512  # from so many numbers on NumPy sorts them faster
A_FEW = 16  # so many are found by keeping a list of the best
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
def median_to(order, keys, to, a, b, c):
    """Exchange place `to` with that of the three that holds the median."""
    first, second, third = keys[order[a]], keys[order[b]], keys[order[c]]
    if first < second:
        swap(order, to, b if second < third else (c if first < third else a))
    else:
        swap(order, to, a if first < third else (c if second < third else b))


@both
def partition(order, keys, first, last):
    """Part [first, last) around the median of three; where the second part begins."""
    median_to(order, keys, first, first + 1, first + (last - first) // 2, last - 1)
    pivot, i, j = keys[order[first]], first + 1, last
    while True:
        while keys[order[i]] < pivot:
            i += 1
        j -= 1
        while pivot < keys[order[j]]:
            j -= 1
        if i >= j:
            return i
        swap(order, i, j)
        i += 1


@both
def insert_sorted(order, keys, first, last):
    """Sort [first, last) by insertion."""
    for i in range(first + 1, last):
        moved, j = order[i], i
        while j > first and keys[moved] < keys[order[j - 1]]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = moved


@both
def sift(order, keys, first, hole, count, moved):
    """Put `moved` into a heap of `count` from `first` on: down to the leaves, and up again."""
    top, child = hole, hole
    while child < (count - 1) // 2:
        child = 2 * (child + 1)
        if keys[order[first + child]] < keys[order[first + child - 1]]:
            child -= 1
        order[first + hole] = order[first + child]
        hole = child
    if count % 2 == 0 and child == (count - 2) // 2:
        child = 2 * (child + 1)
        order[first + hole] = order[first + child - 1]
        hole = child - 1
    parent = (hole - 1) // 2
    while hole > top and keys[order[first + parent]] < keys[moved]:
        order[first + hole] = order[first + parent]
        hole = parent
        parent = (hole - 1) // 2
    order[first + hole] = moved


@both
def heap_select(order, keys, first, middle, last):
    """Bring the least of [first, last) into [first, middle), as a heap."""
    count = middle - first
    if count > 1:
        for parent in range((count - 2) // 2, -1, -1):
            sift(order, keys, first, parent, count, order[first + parent])
    for i in range(middle, last):
        if count and keys[order[i]] < keys[order[first]]:
            moved = order[i]
            order[i] = order[first]
            sift(order, keys, first, 0, count, moved)


@both
def heap_sorted(order, keys, first, last):
    """Sort the heap in [first, last)."""
    while last - first > 1:
        last -= 1
        moved = order[last]
        order[last] = order[first]
        sift(order, keys, first, 0, last - first, moved)


@both
def sort_all(order, keys, first, last):
    """Sort [first, last): part it until the parts are short, by a heap where that takes too many steps."""
    waiting = np.empty((2 * log2(last - first) + 2, 3), np.int64)  # parts to come back to
    waiting[0, 0], waiting[0, 1], waiting[0, 2] = first, last, 2 * log2(last - first)
    count = 1
    while count > 0:
        count -= 1
        left, right, depth = waiting[count, 0], waiting[count, 1], waiting[count, 2]
        while right - left > INSERTION:
            if depth == 0:
                heap_select(order, keys, left, right, right)
                heap_sorted(order, keys, left, right)
                break
            depth -= 1
            cut = partition(order, keys, left, right)
            waiting[count, 0], waiting[count, 1], waiting[count, 2] = cut, right, depth
            count += 1
            right = cut
    insert_sorted(order, keys, first, last)


@both
def nth_element(order, keys, nth, last):
    """Bring to place `nth` of [0, last) what belongs there, and what is less before it."""
    first, depth = 0, 2 * log2(last)
    while last - first > 3:
        if depth == 0:
            heap_select(order, keys, first, nth + 1, last)
            swap(order, first, nth)
            return
        depth -= 1
        cut = partition(order, keys, first, last)
        if cut <= nth:
            first = cut
        else:
            last = cut
    insert_sorted(order, keys, first, last)


@both
def quickselect(order, keys, nth):
    """The same as `nth_element` by another way of parting, which kthvalue has."""
    left, right = 0, order.size - 1
    while right > left + 1:
        swap(order, left + (right - left) // 2, left + 1)
        if keys[order[left + 1]] > keys[order[right]]:
            swap(order, left + 1, right)
        if keys[order[left]] > keys[order[right]]:
            swap(order, left, right)
        if keys[order[left + 1]] > keys[order[left]]:
            swap(order, left + 1, left)
        pivot, i, j = keys[order[left]], left + 1, right
        while True:
            i += 1
            while pivot > keys[order[i]]:
                i += 1
            j -= 1
            while keys[order[j]] > pivot:
                j -= 1
            if j < i:
                break
            swap(order, i, j)
        swap(order, left, j)
        if j <= nth:
            left = i
        if j >= nth:
            right = j - 1
    if right == left + 1 and keys[order[left]] > keys[order[right]]:
        swap(order, left, right)


@both
def settle_rows(keys, count, how, out):
    """The first `count` of the order of each row of keys."""
    size = keys.shape[1]
    order = np.empty(size, np.int64)
    for row in range(keys.shape[0]):
        for i in range(size):
            order[i] = i
        if how == SORT:
            sort_all(order, keys[row], 0, size)
        elif how == PARTIAL:
            heap_select(order, keys[row], 0, count, size)
            heap_sorted(order, keys[row], 0, count)
        elif how == KTH:
            quickselect(order, keys[row], count - 1)
        else:
            nth_element(order, keys[row], count - 1, size)
            if how == NTH_SORTED:
                sort_all(order, keys[row], 0, count - 1)
        for i in range(count):
            out[row, i] = order[i]


def first_samples(size):
    """Rows of 100 numbers with ties, to be sorted."""
    return (np.arange(max(1, size // 100) * 100).reshape(-1, 100) * 7919 % 31).astype(np.float32), 100, SORT, False


@kernel(samples=first_samples)
def first_places(x, count, how, largest):
    """The places of the first `count` elements of each row, in order.

    Args:
        x (ndarray): rows along the last axis. NaN is larger than all.
        count (int): how many are asked for; for KTH and NTH the last of them is in its place, the others before it.
        how (int): SORT (std::sort), PARTIAL (partial_sort), NTH (nth_element), NTH_SORTED (and those before it
            sorted) or KTH (quickselect): where there are ties, the order is the one this way leads to.
        largest (bool): from the largest to the smallest.

    Returns:
        ndarray: int64, x's shape but for the last axis, which is `count` long.
    """
    values, order = descending(x) if largest else ascending(x)
    near = slice(max(0, count - 2), count + 1) if how == KTH else slice(0, count + 1)
    tied = neighbours(values[..., near]).any(-1) | (how == NTH)
    if not count or not tied.any():
        return order[..., :count]
    rows, size = tied.reshape(-1), x.shape[-1]
    out = np.array(order[..., :count]).reshape(-1, count)
    settled = np.empty((int(rows.sum()), count), np.int64)
    settle_rows(ranks(values, order).reshape(-1, size)[rows], count, how, settled)
    out[rows] = settled
    return out.reshape(*x.shape[:-1], count)


@first_places.numba(python=True)
def first_places(x, count, how, largest):
    out = np.empty((*x.shape[:-1], count), np.int64)
    if not out.size:
        return out
    keys, places = sort_keys(x, largest).reshape(-1, x.shape[-1]), out.reshape(-1, count)
    if how == SORT and keys.size >= MUCH:
        places[...] = np.argsort(keys, -1)  # vector code in NumPy; which of equal ones is first is left open
        tied = np.empty(len(keys), np.bool_)
        some = tied_rows(keys, places, tied)
    elif count <= A_FEW and how in (PARTIAL, NTH_SORTED):
        tied = np.empty(len(keys), np.bool_)
        some = least(keys, count, places, tied)
    else:
        COMPILED["settle_rows"](keys, count, how, places)
        return out
    if some:
        settled = np.empty((np.count_nonzero(tied), count), np.int64)
        COMPILED["settle_rows"](keys[tied], count, how, settled)
        places[tied] = settled
    return out


@jit
def tied_rows(keys, order, tied):
    """Note which rows, of which the order is known, have equal keys; whether any has."""
    some = False
    for r in range(keys.shape[0]):
        row, places = keys[r], order[r]
        equal = False
        for i in range(1, places.size):
            equal |= row[places[i]] == row[places[i - 1]]
        tied[r] = equal
        some |= equal
    return some


@jit
def least(keys, count, out, tied):
    """The places of the `count` least keys of each row, and which rows have equal ones among these and the next;
    whether any has."""
    size, some = keys.shape[1], False
    wanted = min(count + 1, size)
    best, places = np.empty(wanted, keys.dtype), np.empty(wanted, np.int64)
    for r in range(keys.shape[0]):
        row, found = keys[r], 0
        for i in range(size):
            key = row[i]
            if found < wanted or key < best[wanted - 1]:
                j = found if found < wanted else wanted - 1
                found = j + 1
                while j > 0 and key < best[j - 1]:
                    best[j], places[j] = best[j - 1], places[j - 1]
                    j -= 1
                best[j], places[j] = key, i
        equal = False
        for j in range(1, wanted):
            equal |= best[j] == best[j - 1]
        tied[r] = equal
        some |= equal
        out[r] = places[:count]
    return some


def sort_keys(x, largest):
    """Numbers to be compared in place of the elements: float64 or int64, less is first, and none is NaN."""
    if x.dtype.kind != "f":
        keys = x.astype(np.int64)
        return ~keys if largest else keys
    if x.dtype == np.float16:
        x = x.astype(np.float32)
    keys = np.empty(x.shape, np.float64)
    if turned_keys(np.ascontiguousarray(x).reshape(-1), keys.reshape(-1), largest):
        return ranks(*(descending(x) if largest else ascending(x)))
    return keys


@jit
def turned_keys(x, keys, largest):
    """keys = x, or -x for the largest to be first; whether there is a NaN."""
    nan = False
    for i in range(x.size):
        key = np.float64(x[i])
        keys[i] = -key if largest else key
        nan |= key != key
    return nan


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
    """The ranks of the elements of sorted rows, in the order in which they were before: equal ones have equal ranks."""
    steps = np.zeros(values.shape, np.int64)
    np.cumsum(~neighbours(values), axis=-1, out=steps[..., 1:])
    out = np.empty_like(steps)
    np.put_along_axis(out, order, steps, -1)
    return out
