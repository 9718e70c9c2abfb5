"""The same numbers give the same bits, wherever in memory they lie: a program run twice prints the same digits.

Kernels are run on their samples, and public functions on arrays as programs have them, copied to several addresses;
what a call allocates moves as well. (NumPy's BLAS keeps this too, but for float64 dot products on processors without
AVX: OpenBLAS's kernels for SSE3 take numbers before a boundary apart.)
"""

import copy

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad.kernels import reduce
from minigrad.kernels.dispatch import KERNELS

LINES = 128  # bytes: two lines
PLACES = 16


def placed(value, offset):
    """C-contiguous arrays of an argument at an address so many bytes after a multiple of LINES."""
    if isinstance(value, (tuple, list)):
        return type(value)(placed(each, offset) for each in value)
    if not isinstance(value, np.ndarray) or not value.flags.c_contiguous:
        return value
    memory = np.zeros(value.nbytes + 2 * LINES, np.uint8)
    start = -memory.ctypes.data % LINES + offset
    moved = memory[start : start + value.nbytes].view(value.dtype).reshape(value.shape)
    moved[...] = value
    return moved


def bits(value):
    """What tells results apart to the last bit."""
    if isinstance(value, (tuple, list)):
        return tuple(map(bits, value))
    if isinstance(value, minigrad.Tensor):
        value = value.detach().numpy()
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    return repr(value) if isinstance(value, (bool, int, float)) else None


def outcomes(call, arguments):
    """The bits that a call returns, and leaves in its arguments, with these at several addresses."""
    draw, found = np.random.default_rng(0), set()
    for _ in range(PLACES):
        kept = [np.empty(draw.integers(10, 4000), np.uint8) for _ in range(4)]  # what is allocated then lies elsewhere
        moved = [placed(each, int(draw.integers(LINES // 8)) * 8) for each in copy.deepcopy(arguments)]
        found.add((bits(call(*moved)), bits(moved)))
        del kept
    return found


@pytest.mark.parametrize("size", [100, 10_000])
@pytest.mark.parametrize("name", sorted(name for name, kernel in KERNELS.items() if kernel.samples))
def test_kernels(name, size):
    assert len(outcomes(KERNELS[name], KERNELS[name].samples(size))) == 1


@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(40, 600), (3, 5000), (1, 200_000), (9, 5, 512), (2, 700, 40)])
@pytest.mark.parametrize("name", ["sum", "mean", "var_mean"])
def test_long_sums(name, shape, kind):
    x = np.random.default_rng(1).standard_normal(shape).astype(kind)
    more = (1,) if name == "var_mean" else ()
    for axes in ((x.ndim - 1,), tuple(range(x.ndim)), (0,), (0, x.ndim - 1)):
        assert len(outcomes(lambda x, axes=axes: getattr(reduce, name)(x, axes, *more, False), [x])) == 1


def both_ways(function):
    """`function` of tensors: its value, and its gradients for every argument."""

    def call(*arrays):
        leaves = [minigrad.from_numpy(array).requires_grad_() for array in arrays]
        out = function(*leaves)
        (out * minigrad.cos(out.detach())).sum().backward()
        return [out, *[leaf.grad for leaf in leaves]]

    return call


PUBLIC = {
    "matmul": (minigrad.matmul, [(33, 70), (70, 129)]),
    "matmul large": (minigrad.matmul, [(256, 784), (784, 130)]),
    "matmul vector": (minigrad.matmul, [(200, 700), (700,)]),
    "dot": (minigrad.dot, [(5000,), (5000,)]),
    "bmm": (minigrad.bmm, [(4, 20, 33), (4, 33, 17)]),
    "linear": (F.linear, [(64, 300), (70, 300), (70,)]),
    "conv1d": (F.conv1d, [(3, 5, 70), (6, 5, 3), (6,)]),
    "conv2d": (lambda *given: F.conv2d(*given, padding=1), [(4, 16, 14, 14), (20, 16, 3, 3), (20,)]),
    "conv2d strided": (lambda *given: F.conv2d(*given, stride=2), [(4, 3, 33, 29), (20, 3, 4, 4), (20,)]),
    "conv2d depthwise": (lambda *given: F.conv2d(*given, groups=8), [(3, 8, 14, 14), (8, 1, 3, 3), (8,)]),
    "conv_transpose2d": (
        lambda *given: F.conv_transpose2d(*given, stride=2, padding=1), [(4, 16, 7, 7), (16, 8, 4, 4), (8,)],
    ),
    "batch_norm": (
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), [(8, 6, 13, 13), (6,), (6,)],
    ),
    "layer_norm": (lambda x, w, b: F.layer_norm(x, (700,), w, b), [(30, 700), (700,), (700,)]),
    "group_norm": (lambda x, w, b: F.group_norm(x, 4, w, b), [(6, 8, 12, 12), (8,), (8,)]),
    "attention": (
        lambda q, k, v: F.scaled_dot_product_attention(q, k, v, is_causal=True), [(2, 4, 70, 24)] * 3,
    ),
    "softmax": (lambda x: minigrad.softmax(x, -1), [(20, 900)]),
    "log_softmax": (lambda x: minigrad.log_softmax(x, -1), [(20, 900)]),
    "mse_loss": (F.mse_loss, [(70, 900), (70, 900)]),
    "norm": (minigrad.linalg.vector_norm, [(70, 900)]),
    "std": (minigrad.std, [(70, 900)]),
    "logsumexp": (lambda x: minigrad.logsumexp(x, 1), [(20, 900)]),
    "cumsum": (lambda x: minigrad.cumsum(x, 1), [(20, 900)]),
    "einsum": (lambda a, b: minigrad.einsum("bij,bjk->ik", a, b), [(5, 30, 40), (5, 40, 33)]),
}  # fmt: skip


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", PUBLIC)
def test_public_functions(name, threads):
    function, shapes = PUBLIC[name]
    draw, former = np.random.default_rng(2), minigrad.get_num_threads()
    arrays = [draw.standard_normal(shape).astype("float32") for shape in shapes]
    minigrad.set_num_threads(threads)
    try:
        assert len(outcomes(both_ways(function), arrays)) == 1
    finally:
        minigrad.set_num_threads(former)
