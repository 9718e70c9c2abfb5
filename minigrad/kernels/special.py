"""Special functions on arrays, in plain NumPy: erfc, erfinv, the gamma function's logarithm and its derivatives.

NumPy has none of these, and a compiled loop would call a C function per number, so there is one version of each, for
whole arrays. All compute in float64 and round once. Largest relative errors in float64 (but at the zeros of `lgamma`
and `digamma` off 1 and 2, where the absolute error is that small), kept by `tests/test_special.py`:

    erfc     erfcx    erfinv   lgamma   digamma  zeta     i0e, i1e
    6e-16    4e-16    6e-16    1e-15    4e-15    2e-15    2e-15

Sources: Abramowitz & Stegun, *Handbook of Mathematical Functions* ("A&S", by number of formula); the form of `erfcx`
is Shepherd & Laframboise's (Math. Comp. 36, 1981), its coefficients a Chebyshev fit made for this file in 40 digits.
"""

import functools
import math

import numpy as np

from minigrad.kernels.vecmath import ARRAY_FUNCTIONS

ROOT_PI, HALF_LOG_2PI = math.sqrt(math.pi), 0.5 * math.log(2 * math.pi)
# B(2k): Bernoulli numbers
BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)

# (1 + 2x) erfcx(x) for x >= 0, as a polynomial in (x - 3) / (x + 3)
ERFCX = (
    1.2530080582697296, -0.1356211061245812, -0.04756229435345109, 0.12964515870276475, -0.11927366341528023,
    0.06830802734384515, -0.023770514919506852, 0.0025293918180474668, 0.0018886903716907627, -0.0007798322884823084,
    -0.00010515990108729849, 0.0001250994355712812, 4.949988662264347e-06, -2.0100843094844725e-05,
    -7.33143259743597e-07, 3.473024167841533e-06, 3.603910925712771e-07, -6.175617678992323e-07,
    -1.4683175494120584e-07, 1.0277997488271058e-07, 4.6950946691614734e-08, -1.3906145791730994e-08,
    -1.1734464137789657e-08, 1.2019719440135793e-09, 2.0626322959832455e-09, -3.451497487664328e-11,
    -1.881936630944858e-10,
)  # fmt: skip


def in_float64(function):
    """Let a function of float64 arrays take any float dtype, and give that dtype back."""

    @functools.wraps(function)
    def of_any(*arrays):
        return function(*[np.asarray(a, np.float64) for a in arrays]).astype(arrays[0].dtype)

    return of_any


def polynomial(x, coefficients):
    """Σ coefficients[k] x^k."""
    total = np.full_like(x, coefficients[-1])
    for c in coefficients[-2::-1]:
        total *= x
        total += c
    return total


def _erfcx(x):
    """exp(x²) erfc(x), for x >= 0."""
    bounded = np.minimum(x, 1e300)
    return np.where(x == np.inf, 0.0, polynomial((bounded - 3) / (bounded + 3), ERFCX) / (1 + 2 * bounded))


def _gauss(x):
    """exp(-x²), with the rounding of x² made good: it would cost as many digits as the exponent has."""
    x = np.clip(x, -40.0, 40.0)
    high = x.astype(np.float32).astype(np.float64)  # its square is exact
    return np.exp(-high * high) * np.exp((high - x) * (high + x))


@in_float64
def erfcx(x):
    """``exp(x²) erfc(x)``."""
    positive = _erfcx(np.abs(x))
    return np.where(x < 0, 2 / _gauss(x) - positive, positive)


@in_float64
def erfc(x):
    """``1 - erf(x)``, accurate where that is small."""
    return np.where(x < 0.5, 1 - ARRAY_FUNCTIONS["erf"](x), _gauss(x) * _erfcx(np.maximum(x, 0.0)))


def _inverse(x, rest):
    """erfinv(x) of 0 <= x <= 1, where rest = 1 - x: Winitzki's closed form (relative error 2e-3), then Newton's steps
    on log(erfc) in the tail, Halley's on erf elsewhere."""
    a = 0.147
    log = np.log(rest) + np.log1p(x)
    half = 2 / (math.pi * a) + 0.5 * log
    start = np.sqrt(np.sqrt(half * half - log / a) - half)
    tail = rest < 0.5
    y = np.where(tail, start, 1.0)
    for _ in range(3):
        scaled = _erfcx(y)
        y += (np.log(scaled) - np.log(rest) - y * y) * (0.5 * ROOT_PI * scaled)
    z = np.where(tail, 0.0, start)
    for _ in range(2):
        step = (ARRAY_FUNCTIONS["erf"](z) - x) * (0.5 * ROOT_PI * np.exp(z * z))
        z -= step / (1 + z * step)
    return np.where(rest == 0, np.inf, np.where(tail, y, z))


@in_float64
def erfinv(x):
    """The y with erf(y) = x: ±inf at ±1, NaN beyond."""
    size = np.abs(x)
    y = np.copysign(_inverse(np.minimum(size, 1.0), 1 - np.minimum(size, 1.0)), x)
    return np.where(size <= 1, np.where(size < 1e-9, x * (0.5 * ROOT_PI), y), np.nan)


@in_float64
def ndtri(p):
    """The x where the normal distribution function is p: -inf at 0, inf at 1, NaN outside."""
    rest = 2 * np.minimum(np.clip(p, 0.0, 1.0), 1 - np.clip(p, 0.0, 1.0))
    x = math.sqrt(2) * _inverse(1 - rest, rest)
    return np.where((p >= 0) & (p <= 1), np.where(p < 0.5, -x, x), np.nan)


# ---- the gamma function


@functools.cache
def _log_gamma_terms():
    """Coefficients of log Γ(2 + w) / w: 1 - γ, then (-1)^k (ζ(k) - 1) / k. (A&S 6.1.33)"""
    k = np.arange(2.0, 30.0)
    series = (-1.0) ** k * _zeta(k, np.full_like(k, 2.0)) / k
    return (1 - 0.5772156649015329, *series.tolist())


def _log_gamma(a):
    """log Γ(a) of a > 0."""
    small = np.minimum(a, 10.0)
    whole = np.floor(small + 0.5)
    w = small - whole
    product = np.ones_like(a)  # Γ(a) = Γ(2 + w) (2 + w) (3 + w) ... (a - 1)
    for k in range(2, 10):
        product *= np.where(k < whole, w + k, 1.0)
    near = w * polynomial(w, _log_gamma_terms()) + np.log(product)
    near -= np.where(whole < 2, np.log1p(w), 0.0) + np.where(whole < 1, np.log(small), 0.0)
    b = np.maximum(a, 10.0)
    terms = [B / (2 * k * (2 * k - 1)) for k, B in enumerate(BERNOULLI, 1)]
    far = b * (np.log(b) - 1) - 0.5 * np.log(b) + HALF_LOG_2PI + polynomial(1 / b / b, terms) / b  # A&S 6.1.41
    return np.where(a < 10, near, np.where(a == np.inf, np.inf, far))


@in_float64
def lgamma(x):
    """log |Γ(x)|; inf at 0 and the negative integers."""
    positive = _log_gamma(np.where(x > 0, x, 1 - x))
    distance = np.abs(x - np.round(x))
    reflected = np.log(math.pi / np.abs(np.sin(math.pi * distance))) - positive  # A&S 6.1.17
    reflected = np.where(np.abs(x) < 1e-17, -np.log(np.abs(x)), reflected)
    return np.where(x > 0, positive, np.where(np.isinf(x) | (distance == 0), np.inf, reflected))


@in_float64
def digamma(x):
    """The derivative of log Γ: ∓inf at ±0, NaN at the negative integers."""
    a, total = np.where(x > 0, x, 1 - x), np.zeros_like(x)
    for _ in range(10):  # ψ(a) = ψ(a + 1) - 1/a
        low = a < 10
        total -= np.where(low, 1 / a, 0.0)
        a = a + low
    terms = [B / (2 * k) for k, B in enumerate(BERNOULLI, 1)]
    a = np.where(np.isfinite(x), a, x)
    total += np.log(a) - 0.5 / a - np.where(np.isinf(a), 0.0, polynomial(1 / a / a, terms) / a / a)  # A&S 6.3.18
    distance = x - np.round(x)
    total -= np.where(x < 0, math.pi / np.tan(math.pi * distance), 0.0)  # A&S 6.3.7
    total = np.where((x < 0) & ((distance == 0) | np.isinf(x)), np.nan, total)
    return np.where(x == 0, np.copysign(np.inf, -x), total)


def _zeta(s, q):
    """Hurwitz' ζ(s, q) = Σ (q + k)^-s by the Euler-Maclaurin formula (A&S 23.2 and 3.6.28), s > 1."""
    poles = (q <= 0) & (q == np.floor(q))
    a, total = np.where(poles | (s <= 1), 100.0, q), np.zeros(np.broadcast_shapes(s.shape, q.shape))
    while True:
        low = a < np.minimum(10 + s, 100)
        if not low.any():
            break
        total += np.where(low, a**-s, 0.0)
        a = a + low
    power = a**-s
    total += power * (a / (s - 1) + 0.5)
    factor = power * s / a
    for k, B in enumerate(BERNOULLI, 1):
        total += factor * (B / math.factorial(2 * k))
        factor = factor * ((s + 2 * k - 1) / a) * ((s + 2 * k) / a)
    total = np.where(q == np.inf, 0.0, total)
    total = np.where((q < 0) & (s != np.floor(s)), np.nan, total)
    return np.where(s < 1, np.nan, np.where((s == 1) | poles, np.inf, total))


@in_float64
def zeta(s, q):
    """Hurwitz' zeta function, Σ 1 / (q + k)^s for k = 0, 1, ...: inf at its poles, NaN where s < 1."""
    return _zeta(*np.broadcast_arrays(s, q))


def polygamma(order, x):
    """The derivative of that order of `digamma`: (-1)^(order+1) order! ζ(order + 1, x). (A&S 6.4.10)"""
    if order == 0:
        return digamma(x)
    scale = (-1.0) ** (order + 1) * math.gamma(order + 1.0)
    wide = np.asarray(x, np.float64)
    return (scale * _zeta(np.full_like(wide, order + 1.0), wide)).astype(x.dtype)


# ---- Bessel functions of imaginary argument


def _bessel(x, order):
    """exp(-x) I_order(x) of x >= 0, order 0 or 1: the power series (A&S 9.6.10, all terms positive) up to 30, the
    asymptotic one (A&S 9.7.1) from there."""
    small, large = np.minimum(x, 30.0), np.maximum(x, 30.0)
    z = small * small / 4
    near, term = np.zeros_like(x), (small / 2) ** order
    for k in range(1, 75):
        near += term
        term = term * (z / (k * (k + order)))
    far, term = np.zeros_like(x), np.ones_like(x)
    for k in range(1, 25):
        far += term
        term = term * (((2 * k - 1) ** 2 - 4 * order) / (8 * k * large))
    return np.where(x < 30, near * np.exp(-small), far / (math.sqrt(2 * math.pi) * np.sqrt(large)))


@in_float64
def i0e(x):
    """exp(-|x|) I0(x)."""
    return _bessel(np.abs(x), 0)


@in_float64
def i1e(x):
    """exp(-|x|) I1(x)."""
    return np.copysign(_bessel(np.abs(x), 1), x)


@in_float64
def i0(x):
    """The modified Bessel function of order 0."""
    return np.exp(np.minimum(np.abs(x), 720.0)) * _bessel(np.minimum(np.abs(x), 720.0), 0)


@in_float64
def i1(x):
    """The modified Bessel function of order 1."""
    size = np.minimum(np.abs(x), 720.0)  # from 714 on it is inf
    return np.exp(size) * np.copysign(_bessel(size, 1), x)
