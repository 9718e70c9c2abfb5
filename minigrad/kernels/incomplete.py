"""The incomplete gamma functions on arrays, in plain NumPy.

With ``front = x^a exp(-x) / Γ(a + 1)``, a series gives the lower function and a continued fraction the upper one, each
where it converges fast; the other is 1 less that. All in float64, rounded once; relative errors to about 1e-13 (kept by
`tests/test_special.py`). Near ``x = a`` the number of terms grows with √a, so from a = 1e8 on an expansion serves.

Sources: Abramowitz & Stegun 6.5.29, 6.5.31; the evaluation of the continued fraction is W. J. Lentz' (1976).
"""

import math

import numpy as np

from minigrad.kernels.special import BERNOULLI, erfc, in_float64, lgamma, polynomial

_STIRLING = [B / (2 * k * (2 * k - 1)) for k, B in enumerate(BERNOULLI, 1)]
_ATANH = [1 / (2 * k + 3) for k in range(18)]


def _gap(m):
    """log(1 + m) - m."""
    s = m / (2 + m)
    near = 2 * s**3 * polynomial(s * s, _ATANH) - m * s
    return np.where(np.abs(m) < 0.5, near, np.log1p(m) - m)


def _front(a, x):
    """x^a exp(-x) / Γ(a + 1); for large a by Stirling's formula, where the large powers have been cancelled."""
    gap = _gap(np.maximum(x / a - 1, -1))
    large = np.maximum(a, 10.0)
    by_stirling = np.exp(a * gap - polynomial(1 / large**2, _STIRLING) / large) / np.sqrt(2 * math.pi * a)
    return np.where(a < 10, np.exp(a * np.log(x) - x - lgamma(a + 1)), by_stirling)


def _series(a, x):
    """The lower function over `front`: Σ x^n / ((a + 1) ... (a + n))."""
    total, term, n = np.ones_like(x), np.ones_like(x), 0
    while term.size and (term > 1e-17 * total).any():
        n += 1
        term = term * (x / (a + n))
        total += term
    return total


def _fraction(a, x):
    """The upper function over `front`: a over the continued fraction of A&S 6.5.31, by Lentz' method."""
    b = x + 1 - a
    c, d = np.full_like(x, 1e300), 1 / b
    value, n, change = d.copy(), 0, np.full_like(x, 2.0)
    while change.size and (np.abs(change - 1) > 1e-15).any() and n < 100_000:
        n += 1
        factor = n * (a - n)
        b = b + 2
        d = factor * d + b
        d = 1 / np.where(d == 0, 1e-300, d)
        c = b + factor / c
        c = np.where(c == 0, 1e-300, c)
        change = c * d
        value *= change
    return a * value


def _uniform(a, x):
    """The upper function of a >= 1e8, by the first two terms of Temme's uniform expansion (DLMF 8.12.4)."""
    m = x / a - 1
    gap = _gap(m)
    eta = np.copysign(np.sqrt(-2 * gap), m)
    bend = np.where(np.abs(m) < 1e-4, m / 12 - 1 / 3, 1 / m - 1 / eta)
    return erfc(eta * np.sqrt(a / 2)) / 2 + np.exp(a * gap) / np.sqrt(2 * math.pi * a) * bend


def _both(a, x):
    """The regularised lower and upper functions of a > 0 and finite x > 0, flat arrays."""
    huge = a >= 1e8
    lower, upper = np.empty_like(x), np.empty_like(x)
    lower[~huge], upper[~huge] = _by_terms(a[~huge], x[~huge])
    upper[huge] = _uniform(a[huge], x[huge])
    lower[huge] = 1 - upper[huge]
    return lower, upper


def _by_terms(a, x):
    """`_both` by the series or the fraction."""
    front = _front(a, x)
    lower = np.empty_like(x)
    upper = np.empty_like(x)
    below = x < a + 1
    lower[below] = front[below] * _series(a[below], x[below])
    upper[below] = 1 - lower[below]
    upper[~below] = front[~below] * _fraction(a[~below], x[~below])
    lower[~below] = 1 - upper[~below]
    return lower, upper


def _regularised(a, x, which):
    a, x = np.broadcast_arrays(a, x)
    ends = np.where((x == np.inf) | (a == 0), 1.0, 0.0)  # of the lower one, at x = 0, x = ∞, a = 0 and a = ∞
    ends = np.where((a == 0) & (x == 0) | (np.isinf(a) & np.isinf(x)), np.nan, ends)
    out = np.where((a < 0) | (x < 0) | np.isnan(a) | np.isnan(x), np.nan, 1 - ends if which else ends)
    inner = (a > 0) & (x > 0) & np.isfinite(a) & np.isfinite(x)
    with np.errstate(all="ignore"):
        out[inner] = _both(a[inner], x[inner])[which]
    return out


@in_float64
def gammainc(a, x):
    """The regularised lower incomplete gamma function, ``1/Γ(a) ∫₀ˣ t^(a-1) exp(-t) dt``; NaN for a or x below 0."""
    return _regularised(a, x, 0)


@in_float64
def gammaincc(a, x):
    """The regularised upper incomplete gamma function, ``1 - gammainc(a, x)``, accurate where that is small."""
    return _regularised(a, x, 1)
