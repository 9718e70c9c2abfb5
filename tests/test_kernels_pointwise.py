"""pointwise: formulas compiled into ufuncs give NumPy's results for every layout, dtype and kind of operand."""

import math
import threading

import numpy as np
import pytest

from minigrad.kernels import pointwise
from minigrad.kernels.pointwise import BLOCK, compile_ufunc, lazy, scalar_calls
from minigrad.kernels.vecmath import ARRAY_FUNCTIONS

# The names in formulas are the op language: bound by compile_ufunc, not by this module.
# ruff: noqa: F821

F32, F64 = np.float32, np.float64
dtypes = pytest.mark.parametrize("dtype", [F32, F64])
THIRD = 1 / 3


def tolerance(dtype):
    return {"rtol": 1e-6, "atol": 1e-6} if dtype == F32 else {"rtol": 1e-14, "atol": 1e-14}


def numbers(dtype, *shape):
    return np.random.default_rng(3).normal(0, 2, shape).astype(dtype)


def gelu(x):
    return 0.5 * x * (1 + tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


def gelu_erf(x):
    return 0.5 * x * (1 + math.erf(x * math.sqrt(0.5)))


def elu(x, alpha):
    return where(x > 0, x, alpha * (exp(x) - 1))


def silu_gradient(g, x):
    s = sigmoid(x)
    return g * s * (1 + x * (1 - s))


def leaky(x, slope):
    return x if x > 0 else slope * x


def powers(x):
    return x**3 - 2 * x**2 + 1 / (1 + x**2) ** 2


def clipped(x):
    return minimum(maximum(x, -1), 1) + floor(x) * float(x > 2) + abs(x) * THIRD


def softplus(x):
    return log1p(exp(-abs(x))) + maximum(x, 0)


def log_difference(x, y):
    return log(abs(x) + 1) - expm1(-abs(y)) * sqrt(abs(x))


ARRAYS = {
    gelu: lambda x: 0.5 * x * (1 + np.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x))),
    gelu_erf: lambda x: 0.5 * x * (1 + ARRAY_FUNCTIONS["erf"](x * math.sqrt(0.5))),
    elu: lambda x, alpha: np.where(x > 0, x, alpha * (np.exp(x) - 1)),
    silu_gradient: lambda g, x: g * ARRAY_FUNCTIONS["sigmoid"](x) * (1 + x * ARRAY_FUNCTIONS["sigmoid"](-x)),
    leaky: lambda x, slope: np.where(x > 0, x, slope * x),
    powers: lambda x: x**3 - 2 * x**2 + 1 / (1 + x**2) ** 2,
    clipped: lambda x: np.clip(x, -1, 1) + np.floor(x) * (x > 2) + np.abs(x) / 3,
    softplus: lambda x: np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0),
    log_difference: lambda x, y: np.log(np.abs(x) + 1) - np.expm1(-np.abs(y)) * np.sqrt(np.abs(x)),
}


@dtypes
@pytest.mark.parametrize("formula", ARRAYS, ids=lambda formula: formula.__name__)
def test_equals_the_formula_on_arrays(formula, dtype):
    nin = formula.__code__.co_argcount
    ufunc = compile_ufunc(formula, nin, dtype)
    assert isinstance(ufunc, np.ufunc)
    operands = numbers(dtype, nin, 3001)
    got = ufunc(*operands)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, ARRAYS[formula](*operands.astype(F64)), **tolerance(dtype))


@dtypes
@pytest.mark.parametrize("size", [0, 1, 3, 17, BLOCK - 1, BLOCK, BLOCK + 1, 5 * BLOCK + 7])
def test_every_layout(dtype, size):
    ufunc = compile_ufunc(leaky, 2, dtype)
    x, slope = numbers(dtype, size), np.abs(numbers(dtype, size))
    expected = np.where(x > 0, x, slope * x)
    np.testing.assert_array_equal(ufunc(x, slope), expected)
    np.testing.assert_array_equal(ufunc(np.repeat(x, 3)[::3], slope), expected)
    np.testing.assert_array_equal(ufunc(x, np.repeat(slope, 2)[::2]), expected)
    np.testing.assert_array_equal(ufunc(x[::-1], slope[::-1]), expected[::-1])
    out = np.full(2 * size, 7, dtype)
    ufunc(x, slope, out=out[::2])
    np.testing.assert_array_equal(out[::2], expected)
    np.testing.assert_array_equal(out[1::2], np.full(size, 7))  # what lies between is not touched
    same = x.copy()
    assert ufunc(same, slope, out=same) is same
    np.testing.assert_array_equal(same, expected)
    same = slope.copy()
    ufunc(x, same, same)
    np.testing.assert_array_equal(same, expected)
    wide = np.repeat(x, 2)
    ufunc(wide[::2], slope, wide[::2])
    np.testing.assert_array_equal(wide[::2], expected)
    np.testing.assert_array_equal(wide[1::2], x)


@dtypes
def test_broadcasting(dtype):
    ufunc = compile_ufunc(leaky, 2, dtype)
    x = numbers(dtype, 40, 700)
    for slope in (dtype(0.5), np.asarray(0.25, dtype), 0.5, 1, numbers(dtype, 700), numbers(dtype, 40, 1)):
        expected = np.where(x > 0, x, np.asarray(slope, dtype) * x)
        np.testing.assert_array_equal(ufunc(x, slope), expected)
        np.testing.assert_array_equal(ufunc(np.asfortranarray(x), slope), expected)
        np.testing.assert_array_equal(ufunc(x.T.copy().T, slope), expected)
    assert ufunc(dtype(-2), dtype(0.5)) == -1
    assert ufunc(numbers(dtype, 3, 0), dtype(1)).shape == (3, 0)


@dtypes
def test_overlapping_operands_that_are_not_the_same(dtype):
    ufunc = compile_ufunc(leaky, 2, dtype)
    x = numbers(dtype, 3000)
    expected = np.where(x[:-1] > 0, x[:-1], dtype(0.5) * x[:-1])
    ufunc(x[:-1], 0.5, out=x[1:])
    np.testing.assert_array_equal(x[1:], expected)


@dtypes
def test_comparisons_give_bools(dtype):
    ufunc = compile_ufunc(lambda x, y: x > y, 2, dtype, nout_dtype=np.bool_)
    x, y = numbers(dtype, 2, 2000)
    x[5] = math.nan
    with np.errstate(invalid="ignore"):
        np.testing.assert_array_equal(ufunc(x, y), x > y)
        np.testing.assert_array_equal(ufunc(x[::2], dtype(0)), x[::2] > 0)
    assert ufunc(x[:5], y[:5]).dtype == np.bool_


@dtypes
def test_a_comparison_may_also_give_numbers(dtype):
    got = compile_ufunc(lambda x: x > 0, 1, dtype)(np.array([-1, 2], dtype))
    np.testing.assert_array_equal(got, np.array([0, 1], dtype), strict=True)


@dtypes
def test_masks_and_integers_beside_floats(dtype):
    mask, x, k = np.arange(1500) % 3 == 0, numbers(dtype, 1500), np.arange(1500)
    kept = compile_ufunc(lambda mask, g: where(mask, 0, g), 2, (np.bool_, dtype))
    np.testing.assert_array_equal(kept(mask, x), np.where(mask, dtype(0), x), strict=True)
    np.testing.assert_array_equal(kept(mask[::-1], x), np.where(mask[::-1], dtype(0), x))
    scaled = compile_ufunc(lambda k, g: 0.5 * g if k > 700 else g, 2, (np.int64, dtype))
    np.testing.assert_array_equal(scaled(k, x), np.where(k > 700, x * dtype(0.5), x))


@dtypes
def test_nan_and_infinities_pass(dtype):
    x = np.array([math.nan, math.inf, -math.inf], dtype)
    with np.errstate(all="ignore"):
        np.testing.assert_array_equal(compile_ufunc(softplus, 1, dtype)(x), np.array([math.nan, math.inf, 0], dtype))
        np.testing.assert_array_equal(compile_ufunc(lambda x: x - x, 1, dtype)(x), np.full(3, math.nan, dtype))
        np.testing.assert_array_equal(compile_ufunc(lambda x: 1 / x, 1, dtype)(np.zeros(1, dtype)), [math.inf])


def test_names_of_other_formulas():
    def scaled_tanh(x, by=2.0):
        return by * tanh(x)

    def formula(x):
        return scaled_tanh(x) + other(x, 0.5)

    ufunc = compile_ufunc(formula, 1, F32, {"scaled_tanh": scaled_tanh, "other": lambda x, k: k * scaled_tanh(x, k)})
    x = numbers(F32, 500)
    got = ufunc(x)
    assert got.dtype == F32
    np.testing.assert_allclose(got, 2.25 * np.tanh(x.astype(F64)), **tolerance(F32))


def test_attribute_names_do_not_call_the_op_of_that_name():
    def sin(x):
        return math.sin(x)

    x = numbers(F64, 50)
    np.testing.assert_allclose(compile_ufunc(sin, 1, F64, {"sin": sin})(x), np.sin(x), rtol=1e-14)


def test_float32_formulas_run_in_float32():
    """A literal left a float64 would carry more digits through."""
    x = np.array([1e-8, 3.3], F32)
    np.testing.assert_array_equal(compile_ufunc(lambda x: (x + 1) - 1, 1, F32)(x), (x + F32(1)) - F32(1))
    np.testing.assert_array_equal(compile_ufunc(lambda x: x * 0.1, 1, F32)(x), x * F32(0.1))


def test_the_same_formula_is_compiled_once():
    first = compile_ufunc(gelu, 1, F32)
    assert compile_ufunc(gelu, 1, F32, {"unrelated": gelu_erf}) is first
    assert compile_ufunc(gelu, 1, F64) is not first
    shadowed = compile_ufunc(lambda x: twice(x), 1, F32, {"twice": lambda x: 2 * x})
    assert shadowed(F32(1.5)) == 3


def test_names_decide_what_is_compiled():
    def formula(x):
        return change(x)

    x = numbers(F32, 5)
    np.testing.assert_array_equal(compile_ufunc(formula, 1, F32, {"change": lambda x: x + 1})(x), x + 1)
    np.testing.assert_array_equal(compile_ufunc(formula, 1, F32, {"change": lambda x: x + 2})(x), x + 2)


def test_lazy_compiles_at_the_first_call_and_hands_over():
    ready = []
    compiled = len(pointwise._made)
    stub = lazy(lambda x: x * 7, 1, F32, on_ready=ready.append)
    assert len(pointwise._made) == compiled
    assert ready == []
    x = numbers(F32, 10)
    np.testing.assert_array_equal(stub(x), x * F32(7))
    assert isinstance(ready[0], np.ufunc)
    out = np.empty_like(x)
    assert stub(x, out=out) is out
    np.testing.assert_array_equal(out, x * F32(7))
    assert len(ready) == 1


def test_lazy_from_several_threads_is_ready_once():
    ready, results = [], []
    stub = lazy(lambda x: x * 11, 1, F64, on_ready=ready.append)
    start = threading.Barrier(4)

    def work():
        start.wait()
        results.append(stub(2.0))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [22.0] * 4
    assert len(ready) == 1


def test_dtypes_without_a_float_are_refused():
    with pytest.raises(TypeError, match=r"expected 1 dtypes, at least one of them float32 or float64.*int64"):
        compile_ufunc(gelu, 1, np.int64)
    with pytest.raises(TypeError, match="expected 2 dtypes"):
        compile_ufunc(leaky, 2, (F32,))


def test_a_formula_numba_cannot_compile_says_so():
    from numba.core.errors import TypingError

    with pytest.raises(TypingError):
        compile_ufunc(lambda x: unknown_function(x), 1, F32)


def test_scalar_calls():
    def sine(x):
        return math.sin(x)

    assert scalar_calls(gelu) == set()
    assert scalar_calls(powers) == set()
    assert scalar_calls(sine) == {"sin"}
    assert scalar_calls(lambda g, x: g * helper(x), {"helper": sine}) == {"sin"}
    assert scalar_calls(lambda x, y: x**y) == {"pow"}
    assert scalar_calls(lambda x, y: x % y) == {"fmod"}
    assert scalar_calls(lambda x, y: x // y) == {"fmod"}


def test_numpy_is_left_as_it_was():
    before = np.geterr(), np.geterrcall()
    compile_ufunc(lambda x: x * 13, 1, F32)(numbers(F32, 4))
    assert (np.geterr(), np.geterrcall()) == before
