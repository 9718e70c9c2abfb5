"""The order of equal elements: both twins, and the shortcuts for rows without ties, against the steps of PyTorch."""

import numpy as np
import pytest

from minigrad.kernels import select

HOW = {"sort": select.SORT, "partial": select.PARTIAL, "nth, sorted": select.NTH_SORTED, "kth": select.KTH}


def rows_of(kind, size, ties):
    """Rows of numbers, some of them NaN or infinite in each second row; with few different values or many."""
    numbers = np.random.default_rng(size)
    x = numbers.standard_normal((6, size)) * (2 if ties else 1e4)
    x = (np.round(x) if ties else x).astype(kind)
    if kind.startswith("f"):
        x[1::2][numbers.random(x[1::2].shape) < 0.1] = np.nan
        x[2::3][numbers.random(x[2::3].shape) < 0.1] = -np.inf
    return x


@pytest.mark.parametrize("kind", ["float32", "float64", "float16", "int64", "uint8"])
@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("largest", [False, True])
def test_first_places(kind, how, ties, largest):
    for size in (1, 2, 5, 40, 200):
        x = rows_of(kind, size, ties)
        for count in {size} if how == "sort" else {1, min(3, size), min(20, size), size}:
            keys, expected = select.sort_keys(x, largest), np.empty((len(x), count), np.int64)
            select.settle_rows(keys, count, HOW[how], expected)
            places = slice(count - 1, count) if how == "kth" else slice(None)  # before the k-th there is no order
            for twin in (select.first_places.twin, select.first_places.compiled):
                actual = twin(x, count, HOW[how], largest)
                np.testing.assert_array_equal(actual[:, places], expected[:, places])
