"""`minigrad.testing` against torch.testing: what passes, what fails, with which words."""

import warnings

import pytest

import minigrad

torch = pytest.importorskip("torch")

COMPARISONS = """
close(T.tensor([1.0, 2.0]), T.tensor([1.0, 2.0 + 1e-6]))
close(T.tensor([1.0, 2.0, 3.0]), T.tensor([1.0, 4.0, 3.5]))
close(T.tensor([1.0, 2.0, 3.0]), T.tensor([1.0, 4.0, 3.5]), rtol=0, atol=0)
close(T.tensor([[1, 2], [7, 5]]), T.tensor([[1, 2], [3, 4]]))
close(T.tensor(1.5), T.tensor(2.0))
close(T.tensor([1.0]), T.tensor([1.0], dtype=T.float64))
close(T.tensor([1.0]), T.tensor([1.0], dtype=T.float64), check_dtype=False)
close(T.tensor([1, 2]), T.tensor([1.0, 2.0]), check_dtype=False)
close(T.zeros(2), T.zeros(3))
close(T.zeros(2, 3).T, T.zeros(3, 2))
close(T.zeros(2, 3).T, T.zeros(3, 2), check_stride=True)
close(T.tensor([float("nan")]), T.tensor([float("nan")]))
close(T.tensor([float("nan"), 1.0]), T.tensor([float("nan"), 1.0]), equal_nan=True)
close(T.tensor([float("inf"), 1.0]), T.tensor([1.0, float("inf")]))
close(T.tensor([True, False]), T.tensor([True, False]))
close(T.tensor([1.0], dtype=T.float16), T.tensor([1.0005], dtype=T.float16))
close(1.0, 1.0 + 1e-8)
close(1.0, 2.0)
close(3, 4)
close(1, 1.0)
close(1, 1.0, check_dtype=False)
close(float("nan"), float("nan"))
close(float("nan"), float("nan"), equal_nan=True)
close(True, False)
close(None, None)
close(None, 1)
close(1.0, 1.5, rtol=0.5, atol=0.0)
close(1.0, 1.5, rtol=0.5)
close([T.zeros(2), 1.0], [T.zeros(2), 2.0])
close([1, 2], [1, 2, 3])
close([[1], [2, 3]], [[1], [2]])
close({"a": [1, T.ones(2)]}, {"a": [1, T.zeros(2)]})
close({"a": 1, "b": 2}, {"a": 1, "c": 2})
close((1, 2), [1, 2])
close(np.ones(2), np.ones(2))
close(np.ones(2), np.zeros(2))
close(np.float32(1.0), 1.0)
close(T.ones(2), np.ones(2, np.float32))
close("a", "b")
close(T.ones(1), T.zeros(1), msg="mine")
close(T.ones(1), T.zeros(1), msg=lambda text: "before: " + text)
close(T.ones(2), T.nn.Parameter(T.ones(2)))
close(T.ones(2), T.nn.Parameter(T.ones(2)), allow_subclasses=False)
close(T.zeros(0, 3), T.zeros(0, 3))
T.testing.assert_allclose(T.tensor([1.0, 2.0]), [1.0, 2.0001])
T.testing.assert_allclose(T.tensor([1.0, 2.0]), [1.0, 3.0])
T.testing.assert_allclose(float("nan"), float("nan"))
"""


def outcome(line, T):
    import numpy as np

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        try:
            eval(line, {"T": T, "np": np, "close": T.testing.assert_close})
        except Exception as error:
            return type(error).__name__, str(error).replace("minigrad.tensor", "torch").replace(
                "minigrad.nn", "torch.nn"
            )
    return "passes"


@pytest.mark.parametrize("line", COMPARISONS.strip().splitlines())
def test_comparison(line):
    assert outcome(line, minigrad) == outcome(line, torch)


MADE = """
(3, 4), dtype=T.float32
3, 4, dtype=T.float64
(), dtype=T.float32
(20,), dtype=T.int64
(20,), dtype=T.uint8
(20,), dtype=T.bool
(20,), dtype=T.int8, low=-1000, high=1000
(20,), dtype=T.int32, low=0.5, high=3.5
(2, 20), dtype=T.float32, low=-1, high=1, requires_grad=True
(3, 4), dtype=T.float32, noncontiguous=True
(50,), dtype=T.int64, low=0, high=2, exclude_zero=True
(5,), dtype=T.float16
(5,), dtype=T.float32, low=float("-inf"), high=float("inf")
(2, 0), dtype=T.float32
(2,), dtype=T.float32, low=3, high=1
(2,), dtype=T.float32, low=float("nan")
(2,), dtype=T.uint8, low=300, high=400
(2,), dtype=T.int64, requires_grad=True
(2,), dtype=T.float32, noncontiguous=True, memory_format=T.contiguous_format
"""


def made(arguments, T):
    T.manual_seed(3)
    try:
        out = eval(f"make({arguments}, device='cpu')", {"T": T, "make": T.testing.make_tensor})
    except Exception as error:
        return type(error).__name__
    return out.tolist(), str(out.dtype).split(".")[-1], tuple(out.stride()), out.requires_grad, out.is_leaf


@pytest.mark.parametrize("arguments", MADE.strip().splitlines())
def test_make_tensor(arguments):
    assert made(arguments, minigrad) == made(arguments, torch)


def test_deprecated():
    with pytest.warns(FutureWarning, match="assert_close"):
        minigrad.testing.assert_allclose(minigrad.ones(1), [1.0])
    with pytest.warns(FutureWarning, match="low == high"):
        minigrad.testing.make_tensor((2,), dtype=minigrad.float32, low=1, high=1)
