"""Products out of tiles, against NumPy: every layout, odd sizes, the ends of pages, several threads."""

import itertools
import threading

import numpy as np
import pytest
from guard import guarded
from kernel_checks import both, kinds, maker, near

from minigrad.kernels import gemm
from minigrad.kernels.dispatch import backend, jit
from minigrad.kernels.gemm import multiply, product, room
from minigrad.kernels.llvm import address
from minigrad.kernels.threads import set_num_threads
from minigrad.kernels.tiles import ACCUMULATE, RELU

LAYOUTS = {
    "rows": lambda x: x,
    "columns": lambda x: np.asfortranarray(x),
    "neither": lambda x: np.repeat(np.repeat(x, 2, 0), 2, 1)[::2, ::2],
    "reversed": lambda x: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "one number": lambda x: np.broadcast_to(x[:1, :1], x.shape),
    "one row": lambda x: np.broadcast_to(x[:1], x.shape),
    "one column": lambda x: np.broadcast_to(x[:, :1], x.shape),
    "read-only": lambda x: np.frombuffer(x.tobytes(), x.dtype).reshape(x.shape),
}


@pytest.fixture(autouse=True)
def numba_computes():
    with backend("numba"):
        yield


@jit
def run(table, a, b, transposed, c, bias, flags, workspace):
    ldb = b.strides[1] if transposed else b.strides[0]
    added = address(bias) if bias.size else 0
    multiply(
        table, a.shape[0], b.shape[1], a.shape[1], address(a), a.strides[0], a.strides[1], address(b), ldb, transposed,
        address(c), c.strides[0], added, flags, address(workspace),
    )  # fmt: skip


SIZES = [  # rows, depth, columns: around the tiles' edges; `across`; copies of A; several blocks of k, and of rows
    (1, 1, 1), (3, 5, 2), (14, 7, 32), (15, 3, 33), (13, 40, 31), (29, 8, 65), (6, 9, 17), (64, 10, 10),
    (33, 70, 130), (40, 30, 300), (5, 300, 7), (20, 600, 40), (70, 290, 270), (257, 3, 20), (800, 5, 9), (10, 0, 20),
]  # fmt: skip


@kinds
@pytest.mark.parametrize("size", SIZES)
def test_multiply_at_the_ends_of_pages(kind, size):
    M, K, N = size
    make, table = maker(kind), gemm.table(np.dtype(kind))
    a, b, c, bias = make(M, K), make(K, N), make(M, N), make(N)
    exact = a.astype("f8") @ b.astype("f8")
    for turned_a, turned_b, flags, added in itertools.product((0, 1), (0, 1), (0, ACCUMULATE, RELU), (bias, bias[:0])):
        A = guarded(a.T).T if turned_a else guarded(a)
        B = guarded(b.T).T if turned_b else guarded(b)
        C, workspace = guarded(c), guarded(np.zeros(room(table, M, N, K), np.uint8))
        run(table, A, B, bool(turned_b), C, guarded(added), flags, workspace)
        expected = exact + (c if flags == ACCUMULATE else 0) + (added if added.size else 0)
        near(C, np.maximum(expected, 0) if flags == RELU else expected, kind)


@both
@kinds
@pytest.mark.parametrize(
    "size", [(1, 1, 1), (9, 20, 17), (64, 100, 48), (70, 300, 33), (0, 3, 4), (3, 0, 4), (3, 4, 0)]
)
def test_products_of_arrays_in_every_layout(who, kind, size):
    M, K, N = size
    make = maker(kind)
    a, b, bias = make(M, K), make(K, N), make(N)
    with backend(who):
        for one, other in itertools.product(LAYOUTS, LAYOUTS):
            x, y = LAYOUTS[one](a), LAYOUTS[other](b)
            expected = x.astype("f8") @ y.astype("f8")
            near(product(x, y, None), expected, kind)
            near(product(x, y, np.repeat(bias, 3)[::3]), expected + bias, kind)


@both
@kinds
@pytest.mark.parametrize(
    "size", [(3, 9, 20, 17), (1, 1, 1, 1), (4, 30, 8, 33), (0, 3, 4, 5), (2, 3, 0, 5), (2, 0, 4, 5)]
)
def test_batches_in_every_layout(who, kind, size):
    n, M, K, N = size
    make = maker(kind)
    a, b = make(n, M, K), make(n, K, N)

    def layouts(x):
        orders = ((0, 1, 2), (0, 2, 1), (1, 0, 2), (2, 1, 0))  # each its own inverse
        turned = [x.transpose(order).copy().transpose(order) for order in orders]
        alike = [np.broadcast_to(part, x.shape) for part in (x[:1], x[:, :1], x[..., :1], x[:1, :1, :1])]
        return [*turned, *alike, np.repeat(x, 2, 2)[..., ::2]]

    with backend(who):
        for one, other in itertools.product(layouts(a), layouts(b)):
            near(gemm.products(one, other), one.astype("f8") @ other.astype("f8"), kind)


@kinds
def test_shared_out_among_threads(kind):
    make = maker(kind)
    cases = [(400, 100, 90, 1), (64, 300, 500, 1), (100, 90, 80, 6)]
    for M, K, N, n in cases:
        a, b, bias = make(n, M, K), make(n, K, N), make(N)
        set_num_threads(3)
        try:
            near(product(a[0], b[0], bias), a[0].astype("f8") @ b[0] + bias, kind)
            near(product(a[0], np.asfortranarray(b[0]), None), a[0].astype("f8") @ b[0], kind)
            near(gemm.products(a, b), a.astype("f8") @ b, kind)
        finally:
            set_num_threads(1)


@pytest.mark.parametrize("dtype", ["f2", "i4", "i8", "u1"])
def test_other_dtypes_are_numpys(dtype):
    a = (np.arange(600).reshape(20, 30) % 5).astype(dtype)
    b = (np.arange(600).reshape(30, 20) % 3).astype(dtype)
    found = product(a, b, None)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, np.dot(a, b))


@kinds
def test_the_choice_never_changes_the_result(kind):
    make = maker(kind)
    for M, K, N in [(8, 2000, 16), (100, 150, 90), (7, 4000, 100), (300, 250, 10), (64, 784, 256)]:
        a, b, bias = make(M, K), make(K, N), make(N)
        with backend("auto"):
            near(product(a, b, bias), a.astype("f8") @ b + bias, kind)
            near(product(a, np.asfortranarray(b), None), a.astype("f8") @ b, kind)


def test_not_a_number_spreads_as_in_numpy():
    a, b = np.ones((40, 50), np.float32), np.ones((50, 60), np.float32)
    a[3, 7], b[9, 11] = np.nan, np.inf
    np.testing.assert_array_equal(product(a, b, None), np.dot(a, b))
    np.testing.assert_array_equal(product(a, np.asfortranarray(b), None), np.dot(a, b))


def test_several_threads_at_once_and_twice_the_same():
    make = maker("float32")
    a, b = make(60, 500), make(500, 90)
    layouts = [b, np.asfortranarray(b)]
    wanted, wrong = [product(a, each, None) for each in layouts], []

    def work():
        for _ in range(50):
            wrong.extend(k for k, each in enumerate(layouts) if not np.array_equal(product(a, each, None), wanted[k]))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
