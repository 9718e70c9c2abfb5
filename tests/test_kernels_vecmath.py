"""vecmath: how large the errors are, what becomes of the special values, and whether a loop really is vector code."""

import functools
import math

import numba
import numpy as np
import pytest

from minigrad.kernels import vecmath
from minigrad.kernels.dispatch import jit
from minigrad.kernels.formula import typed, typed_code
from minigrad.kernels.vecmath import ARRAY_FUNCTIONS, JIT

F32, F64 = np.float32, np.float64
NAN, INF = math.nan, math.inf

# The next larger float type is the reference; where it is no larger, its own error is a tenth of the bounds.
REFERENCE = {
    "exp": np.exp,
    "expm1": np.expm1,
    "sigmoid": lambda x: np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x))),
    "tanh": np.tanh,
    "log": np.log,
    "log1p": np.log1p,
    "erf": np.frompyfunc(lambda x: math.erf(x), 1, 1),
}
LARGEST_ERROR = {  # relative; the table in vecmath.py says the same
    "exp": (1.0e-7, 4e-16),
    "expm1": (1.3e-7, 7e-16),
    "sigmoid": (2.5e-7, 5e-16),
    "tanh": (1.7e-7, 8e-16),
    "log": (0.9e-7, 2e-16),
    "log1p": (0.9e-7, 2e-16),
    "erf": (2.5e-7, 5e-16),
}
RANGE = {"erf": (-7, 7), "tanh": (-25, 25), "log": (1e-30, 50), "log1p": (-1 + 1e-7, 50)}
NUMBERS = [NAN, INF, -INF, 0.0, -0.0, 1.0, -1.0]
SPECIAL = {
    "exp": [NAN, INF, 0, 1, 1, math.e, 1 / math.e],
    "expm1": [NAN, INF, -1, 0.0, -0.0, math.e - 1, 1 / math.e - 1],
    "sigmoid": [NAN, 1, 0, 0.5, 0.5, 1 / (1 + 1 / math.e), 1 / (1 + math.e)],
    "tanh": [NAN, 1, -1, 0.0, -0.0, math.tanh(1), -math.tanh(1)],
    "log": [NAN, INF, NAN, -INF, -INF, 0.0, NAN],
    "log1p": [NAN, INF, NAN, 0.0, -0.0, math.log(2), -INF],
    "erf": [NAN, 1, -1, 0.0, -0.0, math.erf(1), -math.erf(1)],
}

functions = pytest.mark.parametrize("name", sorted(REFERENCE))
dtypes = pytest.mark.parametrize("dtype", [F32, F64])


@functools.cache
def loop(name, dtype):
    """The function over an array, compiled here and now (not from disk, so that its code can be read)."""
    function = JIT[dtype][name].dispatcher

    @numba.njit(error_model="numpy")
    def run(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    run(np.ones(3, dtype), np.ones(3, dtype))
    return run


def apply(name, x):
    y = np.empty_like(x)
    loop(name, x.dtype.type)(x, y)
    return y


def grid(name, dtype):
    """Numbers over the whole range, dense around 0 and around 1, of both signs where both are allowed."""
    low, high = RANGE.get(name, (-103 if dtype == F32 else -744, 88.7 if dtype == F32 else 709.7))
    small = np.logspace(-37 if dtype == F32 else -300, 0.3, 20001)
    x = np.concatenate([np.linspace(low, high, 200001), small, -small, 1 + small[-9000:], 1 - small[-9000:] / 4])
    x = x.astype(dtype)
    if name == "log":
        x = np.concatenate([x, np.logspace(-37, 38, 20001).astype(dtype)])
    return x[(x >= low) & (x <= high)] if name in RANGE else x


def relative_errors(got, expected):
    normal = np.abs(expected) >= np.finfo(got.dtype).tiny
    assert np.isfinite(got[normal]).all()
    return np.abs((got[normal].astype(expected.dtype) - expected[normal]) / expected[normal])


def reference(name, x):
    wide = np.float64 if x.dtype == F32 else np.longdouble
    return REFERENCE[name](x.astype(wide)).astype(wide)


@dtypes
@functions
def test_largest_relative_error(name, dtype):
    x = grid(name, dtype)
    assert relative_errors(apply(name, x), reference(name, x)).max() <= LARGEST_ERROR[name][dtype == F64]


@dtypes
@functions
def test_random_arguments(name, dtype):
    x = np.random.default_rng(7).normal(0, 5, 100000).astype(dtype)
    x = np.abs(x) if name.startswith("log") else x
    assert relative_errors(apply(name, x), reference(name, x)).max() <= LARGEST_ERROR[name][dtype == F64]


@dtypes
@functions
def test_special_values(name, dtype):
    got = apply(name, np.array(NUMBERS, dtype))
    np.testing.assert_allclose(got, np.array(SPECIAL[name], dtype), rtol=3 * np.finfo(dtype).eps)
    zeros = got == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(np.array(SPECIAL[name])[zeros]))


@dtypes
@functions
def test_largest_numbers(name, dtype):
    largest = np.finfo(dtype).max
    high = {"log": np.log(largest), "log1p": np.log(largest), "exp": INF, "expm1": INF}.get(name, 1)
    low = {"log": NAN, "log1p": NAN, "exp": 0, "expm1": -1, "sigmoid": 0}.get(name, -1)
    np.testing.assert_allclose(apply(name, np.array([largest, -largest])), [high, low], rtol=2 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("name", ["expm1", "tanh", "log1p", "erf"])
def test_numbers_below_the_normal_range_go_through(name, dtype):
    x = np.array([np.finfo(dtype).smallest_subnormal * k for k in (1, -1, 3, 1000, -(2**20))], dtype)
    slope = 2 / math.sqrt(math.pi) if name == "erf" else 1
    np.testing.assert_allclose(apply(name, x), x * dtype(slope), atol=np.finfo(dtype).smallest_subnormal, rtol=0)


@dtypes
def test_exp_gives_numbers_below_the_normal_range_and_then_zero(dtype):
    low, end = (-87.3, -103.9) if dtype == F32 else (-708.3, -745.1)
    x = np.linspace(end, low, 10001).astype(dtype)
    exact = reference("exp", x)
    step = np.finfo(dtype).smallest_subnormal  # of which rounding may cost a half
    error = np.abs(apply("exp", x) - exact) - LARGEST_ERROR["exp"][dtype == F64] * exact
    assert error.max() <= 0.501 * step.astype(exact.dtype)
    assert (apply("exp", x) > 0).all()
    assert apply("exp", np.array([end - 1], dtype))[0] == 0
    assert (apply("sigmoid", x) > 0).all()


@dtypes
def test_exp_overflows_where_it_should(dtype):
    largest = np.log(np.finfo(dtype).max)
    x = np.array([np.nextafter(largest, dtype(0)), np.nextafter(largest, dtype(INF)) * dtype(1.0001)], dtype)
    below, above = apply("exp", x)
    assert np.isfinite(below)
    assert above == INF
    assert apply("expm1", x)[1] == INF


@dtypes
def test_log_of_numbers_below_the_normal_range(dtype):
    x = np.finfo(dtype).smallest_subnormal * np.array([1, 2, 3, 1000, 2**20], dtype)
    np.testing.assert_allclose(apply("log", x), reference("log", x).astype(dtype), rtol=2 * np.finfo(dtype).eps)


@dtypes
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_never_beyond_one(name, dtype):
    x = np.linspace(0, 30, 300001).astype(dtype)
    assert np.abs(apply(name, np.concatenate([x, -x]))).max() == 1


@dtypes
@functions
def test_a_loop_becomes_vector_code(name, dtype):
    run = loop(name, dtype)
    code = run.inspect_llvm(run.signatures[0])
    assert f"x {'float' if dtype == F32 else 'double'}> " in code


@dtypes
@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_maximum_and_minimum_keep_nan(name, dtype):
    a = np.array([1, NAN, 2, NAN, -INF, 3], dtype)
    b = np.array([2, 1, NAN, NAN, INF, 3], dtype)
    function = JIT[dtype][name].dispatcher
    np.testing.assert_array_equal([function(x, y) for x, y in zip(a, b)], getattr(np, name)(a, b))


@dtypes
@pytest.mark.parametrize("name", ["exp", "log", "tanh", "sigmoid", "erf", "expm1", "log1p"])
def test_kernels_get_the_function_of_their_dtype(name, dtype):
    function = getattr(vecmath, name)

    @jit
    def row(x, y):
        for i in range(x.size):
            y[i] = function(x[i])

    x = np.array([0.1, 0.5, 2.5], dtype)
    y = np.empty(3, dtype)
    row(x, y)
    np.testing.assert_array_equal(y, apply(name, x))


@dtypes
def test_array_erf(dtype):
    x = grid("erf", dtype)
    got = ARRAY_FUNCTIONS["erf"](x)
    assert got.dtype == dtype
    assert relative_errors(got, reference("erf", x)).max() <= (1e-7 if dtype == F32 else 5e-16)
    got = ARRAY_FUNCTIONS["erf"](np.array(NUMBERS, dtype))
    np.testing.assert_allclose(got, np.array(SPECIAL["erf"], dtype), rtol=3 * np.finfo(dtype).eps)
    assert np.signbit(got[4])


@dtypes
def test_array_sigmoid(dtype):
    x = grid("sigmoid", dtype)
    got = ARRAY_FUNCTIONS["sigmoid"](x)
    assert got.dtype == dtype
    assert relative_errors(got, reference("sigmoid", x)).max() <= (3e-7 if dtype == F32 else 6e-16)
    ends = ARRAY_FUNCTIONS["sigmoid"](np.array([-INF, INF, -1e30, 1e30, NAN], dtype))  # and no warning
    np.testing.assert_array_equal(ends, np.array([0, 1, 0, 1, NAN], dtype))


def test_array_functions_take_any_shape():
    for function in ARRAY_FUNCTIONS.values():
        assert function(np.ones((2, 0, 3), F32)).shape == (2, 0, 3)
        assert np.asarray(function(np.asarray(0.5))).shape == ()
    assert ARRAY_FUNCTIONS["erf"](np.ones(2, np.int64)).dtype == F64


def test_literals_take_the_dtype_but_whole_exponents_stay_ints():
    code = typed_code((lambda x: 2 * x**2 + 0.5 * x**3.0 + x**0.5).__code__, F32)
    kinds = sorted((type(c).__name__, float(c)) for c in code.co_consts if c is not None)
    assert kinds == [("float32", 0.5), ("float32", 2.0), ("float32", 3.0), ("int", 2.0), ("int", 3.0)]


FACTOR = 3


def half(x, by=0.5):
    return by * x


def formula(x):
    return half(x) + FACTOR * math.pi - 1 + twice(x) if x > 0 else -2  # noqa: F821


@dtypes
def test_a_formula_stays_in_its_dtype(dtype):
    dispatcher = typed(formula, dtype, {"twice": lambda x: 2 * x}).dispatcher
    assert dispatcher(dtype(2)) == pytest.approx(1 + 3 * math.pi - 1 + 4, rel=1e-6)
    assert dispatcher(dtype(-2)) == -2
    number = numba.from_dtype(np.dtype(dtype))
    assert dispatcher.overloads[(number,)].signature.return_type == number


def test_a_formula_of_too_many_constants_is_refused():
    source = "lambda x: " + " + ".join(f"{k}.5 * x" for k in range(300)) + " + x ** 2"
    with pytest.raises(ValueError, match="more than 255 constants"):
        typed_code(eval(source).__code__, F32)
