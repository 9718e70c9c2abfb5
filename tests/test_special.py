"""The special functions of `kernels/special.py`: accurate to the last digits, right at the ends of their domains."""

import math

import numpy as np
import pytest

import minigrad
from minigrad.kernels import incomplete, special

DRAW = np.random.default_rng(0)
POSITIVE = np.concatenate([DRAW.uniform(0, 3, 200), DRAW.uniform(0, 30, 200), 10.0 ** DRAW.uniform(-300, 300, 100)])


def assert_relative(values, expected, tolerance):
    np.testing.assert_allclose(values, expected, rtol=tolerance, atol=0)


def quiet(function, *arrays):
    with np.errstate(all="ignore"):
        return function(*arrays)


def test_erfc_has_all_digits_also_where_it_is_tiny():
    x = np.concatenate([DRAW.uniform(-6, 6, 300), DRAW.uniform(0, 26, 300), [0.0, 0.5, -0.0]])
    assert_relative(quiet(special.erfc, x), [math.erfc(v) for v in x], 2e-15)  # the C library's own are no better


def test_erfcx_is_erfc_scaled():
    x = DRAW.uniform(-5, 20, 300)
    scaled = [math.exp(v * v) * math.erfc(v) for v in x]  # loses digits with the size of x²
    assert_relative(quiet(special.erfcx, x), scaled, 1e-13)
    far = np.array([1e3, 1e8, 1e200])
    assert_relative(quiet(special.erfcx, far), 1 / (far * math.sqrt(math.pi)), 1e-6)


def test_erfinv_is_the_inverse_of_erf():
    y = np.concatenate([DRAW.uniform(-2, 2, 300), 10.0 ** DRAW.uniform(-300, 0, 100)])
    x = np.array([math.erf(v) for v in y])
    slope = np.exp(-y * y) * 2 / math.sqrt(math.pi)  # rounding x moves y by this much
    error = np.abs(quiet(special.erfinv, x) - y)
    assert np.all(error <= 6e-16 * np.abs(y) + 1.2e-16 * np.abs(x) / slope)
    np.testing.assert_array_equal(quiet(special.erfinv, np.array([0.0, 1, -1, 1.5])), [0, np.inf, -np.inf, np.nan])


def test_ndtri_is_the_inverse_of_ndtr_far_into_the_tail():
    x = np.linspace(-37, 5, 200)
    p = 0.5 * quiet(special.erfc, -x * math.sqrt(0.5))
    np.testing.assert_allclose(quiet(special.ndtri, p), x, rtol=1e-11, atol=1e-11)


def test_lgamma_has_all_digits_also_near_its_zeros():
    expected = [math.lgamma(v) for v in POSITIVE]  # itself not right to the last digit near 1 and 2
    np.testing.assert_allclose(quiet(special.lgamma, POSITIVE), expected, rtol=2e-15, atol=1e-15)
    near_one = 10.0 ** -np.arange(3.0, 16)
    gamma = 0.5772156649015329
    assert_relative(quiet(special.lgamma, 1 + near_one), -gamma * ((1 + near_one) - 1), 3e-3)
    assert_relative(quiet(special.lgamma, 2 + near_one), (1 - gamma) * ((2 + near_one) - 2), 3e-3)
    negative = DRAW.uniform(-30, 0, 300)
    np.testing.assert_allclose(
        quiet(special.lgamma, negative), [math.lgamma(v) for v in negative], rtol=1e-13, atol=1e-13
    )


def test_digamma_and_polygamma_obey_their_recurrences():
    x = np.concatenate([DRAW.uniform(0.01, 40, 300), DRAW.uniform(-5, -0.05, 100)])
    steps = quiet(special.digamma, x + 1) - quiet(special.digamma, x)
    np.testing.assert_allclose(steps, 1 / x, rtol=1e-11, atol=1e-13)
    for order in (1, 2, 5):
        steps = quiet(special.polygamma, order, x + 1) - quiet(special.polygamma, order, x)
        expected = (-1) ** order * math.factorial(order) / x ** (order + 1)
        scale = np.abs(quiet(special.polygamma, order, x))
        assert np.all(np.abs(steps - expected) <= 1e-12 * np.maximum(scale, np.abs(expected)))


@pytest.mark.parametrize(
    ("function", "arguments", "value"),
    [
        (special.digamma, (1.0,), -0.5772156649015329),
        (special.digamma, (0.5,), -1.9635100260214235),
        (special.digamma, (10.0,), 2.2517525890667211),
        (special.zeta, (2.0, 1.0), math.pi**2 / 6),
        (special.zeta, (4.0, 1.0), math.pi**4 / 90),
        (special.zeta, (3.0, 1.0), 1.2020569031595943),
        (special.zeta, (2.0, 0.5), math.pi**2 / 2),
        (special.i0, (1.0,), 1.2660658777520084),
        (special.i1, (1.0,), 0.5651591039924851),
        (special.i0e, (100.0,), 0.03994437929909668),
        (special.i1e, (100.0,), 0.03974415302513025),
    ],
)
def test_values_from_the_tables(function, arguments, value):
    assert_relative(quiet(function, *[np.array(a) for a in arguments]), value, 3e-15)


@pytest.mark.parametrize("name", "erfc erfinv lgamma digamma i0".split())
def test_float32_is_float64_rounded(name):
    x = DRAW.uniform(-0.99, 0.99, 500).astype(np.float32)
    function = getattr(special, name)
    single = quiet(function, x)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, quiet(function, x.astype(np.float64)).astype(np.float32))


ENDS = np.array([0.0, -0.0, 1, -1, 2, -2.5, 30, -30, 1e-320, 1e308, -1e308, np.inf, -np.inf, np.nan])
UNARY = """erfc erfinv lgamma digamma i0 special.erfcx special.ndtr special.ndtri special.log_ndtr special.entr
special.i1 special.i0e special.i1e""".split()


@pytest.mark.parametrize("name", UNARY)
def test_the_ends_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    ends = ENDS[np.isfinite(ENDS)] if name in ("i0", "special.i1") else ENDS  # PyTorch's are NaN at infinity

    def run(lib):
        function = lib
        for part in name.split("."):
            function = getattr(function, part)
        return function(lib.tensor(ends)).numpy()

    # PyTorch's ndtr(-30) is 0, for it is computed from erf.
    np.testing.assert_allclose(run(minigrad), run(torch), rtol=1e-12, atol=1e-190)


def test_incomplete_gamma_functions_of_large_arguments():
    """The two ways meet where one takes over from the other; near the edge of float64 there is an answer, at once."""
    spread = np.linspace(-6, 6, 25)
    for a in (0.99e8, 1e8):
        x = a + spread * np.sqrt(a)
        _, upper = quiet(incomplete._by_terms, np.full_like(x, a), x)
        np.testing.assert_allclose(quiet(incomplete._uniform, np.full_like(x, a), x), upper, rtol=1e-7)
    huge = quiet(incomplete.gammainc, np.array([1e38, 1e300]), np.array([1e38, 2e300]))
    np.testing.assert_array_equal(huge, [0.5, 1.0])
