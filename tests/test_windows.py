"""Windows of signals, as PyTorch makes them; and what takes the place of Fourier transforms."""

import numpy as np
import pytest
from both import check, lines

import minigrad

NAMES = ["hann", "hamming", "blackman", "bartlett", "kaiser"]
CLOSE = {"float32": 1e-6, "float64": 3e-15, "float16": 4e-3}  # PyTorch computes float16 windows in float16

LINES = """
T.hann_window(0), T.hann_window(1), T.hann_window(1, False), T.hann_window(2), T.hann_window(2, False)
T.hann_window(T.tensor(3)), T.hamming_window(8, dtype=T.float64), T.bartlett_window(7, False), T.bartlett_window(8)
T.blackman_window(5, requires_grad=True), T.kaiser_window(6), T.kaiser_window(5, True, 3)
T.hamming_window(5, True, 0.5), T.hamming_window(5, True, 0.5, 0.25), T.hamming_window(6, False, alpha=0.6)
T.hann_window(4, layout=T.strided, device="cpu", pin_memory=False)
T.hann_window(-1)
T.kaiser_window(-3)
T.hann_window(4, dtype=T.int64)
T.bartlett_window(4, dtype=T.bool)
T.blackman_window(4.5)
T.hann_window(True)
T.hann_window("4")
T.hann_window(4, 2)
T.kaiser_window(4, "yes")
T.hann_window()
"""


@pytest.mark.parametrize("code", lines(LINES))
def test_line_gives_what_pytorch_gives(code):
    check(code, pytest.importorskip("torch"))


@pytest.mark.parametrize("dtype", CLOSE)
@pytest.mark.parametrize("name", NAMES)
def test_numbers_are_pytorchs(name, dtype):
    torch = pytest.importorskip("torch")
    for count in (*range(20), 100, 400, 1023):
        for periodic in (True, False):
            mine, theirs = (
                getattr(lib, name + "_window")(count, periodic, dtype=getattr(lib, dtype)) for lib in (minigrad, torch)
            )
            assert mine.numpy().dtype == theirs.numpy().dtype
            np.testing.assert_allclose(mine.numpy(), theirs.numpy(), rtol=0, atol=CLOSE[dtype])


@pytest.mark.parametrize("name", NAMES)
def test_periodic_and_symmetrical(name):
    window = getattr(minigrad, name + "_window")
    periodic, symmetrical = window(8, dtype=minigrad.float64).numpy(), window(9, False, dtype=minigrad.float64).numpy()
    np.testing.assert_array_equal(periodic, symmetrical[:-1])
    np.testing.assert_allclose(symmetrical, symmetrical[::-1], rtol=0, atol=1e-15)
    assert symmetrical[4] == symmetrical.max() == pytest.approx(1)


def test_the_default_dtype_counts():
    minigrad.set_default_dtype(minigrad.float64)
    try:
        assert minigrad.hann_window(4).dtype is minigrad.float64
    finally:
        minigrad.set_default_dtype(minigrad.float32)


@pytest.mark.parametrize("name", ["fft", "stft", "istft"])
def test_what_is_not_here_says_what_is(name):
    assert not hasattr(minigrad, name)
    with pytest.raises(AttributeError, match=f"no attribute '{name}': there are no complex tensors here; numpy.fft"):
        getattr(minigrad, name)
