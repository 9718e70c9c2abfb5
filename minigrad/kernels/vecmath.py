"""exp, log, tanh, sigmoid, erf, ...: written so that a loop over them becomes vector code.

A numba loop over `math.tanh` calls the C library once per number, up to fifty times slower than NumPy's vector code.
The functions here are straight lines of multiplications, additions and selections: LLVM turns a loop over them into
8 or 16 numbers at a time. So there are no branches on the value, and the special cases (NaN, infinities, signed zeros,
numbers below the normal range) are either a matter of course or a selection at the end.

`JIT[np.float32]` and `JIT[np.float64]` map names to the functions for that dtype; formulas of ops (`pointwise.py`) and
numba kernels call them by these names. Largest relative errors, kept by `tests/test_kernels_vecmath.py`:

               exp     expm1   sigmoid tanh    log     log1p   erf
    float32    0.9e-7  1.3e-7  1.9e-7  1.7e-7  0.9e-7  0.9e-7  2.5e-7
    float64    4e-16   7e-16   5e-16   8e-16   2e-16   2e-16   5e-16

The polynomials are minimax fits made for this file (Remez exchange in 50 digits) to the functions their comments name.
Reductions are the classical ones (Muller, *Elementary Functions*, 3rd ed., chapters 3 and 11): exp(x) = 2^n e^r with
r = x - n ln 2, log(2^e m) = e ln 2 + log m, tanh(x) = (e^2x - 1) / (e^2x + 1). Before this: `formula.py`. After it:
`pointwise.py`, and the fused kernels (softmax, losses, optimizers).
"""

import functools
import math

import numpy as np

from minigrad.kernels.dispatch import jit
from minigrad.kernels.formula import BLOCKS as BLOCKS
from minigrad.kernels.formula import JIT as JIT
from minigrad.kernels.formula import ByType, define, define_usual, typed
from minigrad.kernels.formula import by_dtype as by_dtype

_single = functools.partial(typed, dtype=np.float32)
_double = functools.partial(typed, dtype=np.float64)


# --------------------------------------------------------------------------------------------------------------------
# Exponents. Adding 1.5 * 2^23 (2^52 for float64) to a number below 2^22 rounds it to an integer n and leaves n in the
# low bits, without a conversion instruction (none is vectorised for float64 before AVX-512; NaN gives no undefined n).


@jit(inline=True)
def _raised_single(x, shifted, more):
    """x * 2^(n + more), for a normal result: the integer is added to the bits of the exponent."""
    # The upper bits of `shifted` are pushed out on the left.
    n = np.int32(np.int32(np.float32(shifted).view(np.int32) + np.int32(more)) << np.int32(23))
    return np.int32(np.float32(x).view(np.int32) + n).view(np.float32)


@jit(inline=True)
def _raised_double(x, shifted, more):
    n = np.int64(np.float64(shifted).view(np.int64) + np.int64(more)) << 52
    return np.int64(np.float64(x).view(np.int64) + n).view(np.float64)


@jit(inline=True)
def _power_of_two_single(shifted):
    """2^n for -127 < n < 128: n's bits in place of the exponent."""
    return np.int32((np.float32(shifted).view(np.int32) + np.int32(127)) << np.int32(23)).view(np.float32)


@jit(inline=True)
def _power_of_two_double(shifted):
    return np.int64((np.float64(shifted).view(np.int64) + 1023) << 52).view(np.float64)


@jit(inline=True)
def _split_single(x):
    """(e, m) with x = 2^e m and sqrt(1/2) <= m < sqrt(2), for a positive normal x."""
    i = np.int32(np.float32(x).view(np.int32) - np.int32(0x3F3504F3))
    m = np.int32((i & np.int32(0x7FFFFF)) + np.int32(0x3F3504F3))
    return np.float32(np.int32(i >> np.int32(23))), np.int32(m).view(np.float32)


@jit(inline=True)
def _split_double(x):
    i = np.float64(x).view(np.int64) - np.int64(0x3FE6A09E667F3BCD) + (np.int64(1023) << 52)
    m = np.int64((i & np.int64(0xFFFFFFFFFFFFF)) + np.int64(0x3FE6A09E667F3BCD))
    e = np.int64((i >> 52) + np.int64(0x4338000000000000) - 1023)
    return np.int64(e).view(np.float64) - 6755399441055744.0, np.int64(m).view(np.float64)


# --------------------------------------------------------------------------------------------------------------------
# exp and its relatives. _exp_fit(r) = (e^r - 1 - r) / r^2 for |r| <= ln(2) / 2.


@_single
def _exp_fit_single(r):
    p = 0.008368745085972821 + r * 0.0013814541274852449
    return 0.4999999343219118 + r * (0.16666520399283805 + r * (0.04166839076545108 + r * p))


@_double
def _exp_fit_double(r):
    p = 2.4801492984466368e-05 + r * (2.755758958626677e-06 + r * (2.7630297132783286e-07 + r * 2.4999218508808666e-08))
    p = 0.008333333333496696 + r * (0.0013888888943714185 + r * (0.00019841269502349776 + r * p))
    return 0.5 + r * (0.16666666666666408 + r * (0.04166666666652997 + r * p))


@jit(inline=True)
def _size_single(x):
    """Grows with |x|; inf and NaN are the largest."""
    return np.uint32(np.float32(x).view(np.uint32) & np.uint32(0x7FFFFFFF))


@jit(inline=True)
def _size_double(x):
    return np.float64(x).view(np.uint64) & np.uint64(0x7FFFFFFFFFFFFFFF)


@_single
def _exp_parts_single(x):
    """(p, shifted) with e^x = p 2^n and 0.7 < p < 1.42, for |x| < 120."""
    shifted = x * 1.4426950408889634 + 12582912.0
    n = shifted - 12582912.0
    r = x - n * 0.693145751953125 - n * 1.4286068202862268e-06
    return 1 + r * (1 + r * _exp_fit_single(r)), shifted


@_double
def _exp_parts_double(x):
    shifted = x * 1.4426950408889634 + 6755399441055744.0
    n = shifted - 6755399441055744.0
    r = x - n * 0.6931471803691238 - n * 1.9082149292705877e-10
    return 1 + (r + r * r * _exp_fit_double(r)), shifted


@define("exp_falling", np.float32)
def _exp_falling_single(x):
    """e^x for x <= 0 (or NaN)."""
    # Below the normal range: 2^64 times the result first, then that is rounded, once, on its way down. What comes to
    # nothing is multiplied by 0, for a product that underflows takes the processor 100 cycles.
    p, shifted = _exp_parts_single(x if x > -104 else -104)
    low = x < -87
    power = _raised_single(p, shifted, 64 if low else 0)
    power *= 0 if x < -103.98 else 5.421010862427522e-20 if low else 1
    return power if x == x else x


@define("exp", np.float32)
def _exp_single(x):
    return math.exp_falling(x) if x <= 88.72283 else x * math.inf


@define("exp_falling", np.float64)
def _exp_falling_double(x):
    p, shifted = _exp_parts_double(x if x > -746 else -746)
    low = x < -708
    power = _raised_double(p, shifted, 64 if low else 0)
    power *= 0 if x < -745.14 else 5.421010862427522e-20 if low else 1
    return power if x == x else x


@define("exp", np.float64)
def _exp_double(x):
    return math.exp_falling(x) if x <= 709.782712893384 else x * math.inf


@define_usual("exp", np.float32, _size_single, 0x42AE0000)  # the bits of 87
def _exp_usual_single(x):
    p, shifted = _exp_parts_single(x)
    return _raised_single(p, shifted, 0)


@define_usual("exp", np.float64, _size_double, 0x4086200000000000)  # the bits of 708
def _exp_usual_double(x):
    p, shifted = _exp_parts_double(x)
    return _raised_double(p, shifted, 0)


@define("expm1", np.float32)
def _expm1_single(x):
    y = 88.8 if x > 88.8 else x
    y = -20 if y < -20 else y
    n = y * 1.4426950408889634 + 12582912.0 - 12582912.0
    r = y - n * 0.693145751953125 - n * 1.4286068202862268e-06
    # 2^(n-1), for 2^n may be just out of range; twice (s q + s - 1/2) is 2^n (q + 1) - 1.
    s = _power_of_two_single(n - 1 + 12582912.0)
    return math.copysign(2 * (s * (r + r * r * _exp_fit_single(r)) + (s - 0.5)), x)


@define("expm1", np.float64)
def _expm1_double(x):
    y = 709.9 if x > 709.9 else x
    y = -50 if y < -50 else y
    n = y * 1.4426950408889634 + 6755399441055744.0 - 6755399441055744.0
    r = y - n * 0.6931471803691238 - n * 1.9082149292705877e-10
    s = _power_of_two_double(n - 1 + 6755399441055744.0)
    return math.copysign(2 * (s * (r + r * r * _exp_fit_double(r)) + (s - 0.5)), x)


@define("sigmoid", np.float32)
def _sigmoid_single(x):
    e = math.exp_falling(-math.fabs(x))  # never overflows, and keeps the small results of the negative side exact
    # 1 / (1 + e) by a fit (to 1/d for 1 <= d <= 2) and a step of Halley's: a division takes as long as all the rest.
    d = 1 + e
    y = 2.828422877 + d * (-2.939341421 + d * (1.33102253 - d * 0.221837088))
    rest = 1 - d * y
    return (1 if x >= 0 else e) * (y + y * (rest + rest * rest))


@define("sigmoid", np.float64)
def _sigmoid_double(x):
    e = math.exp_falling(-math.fabs(x))
    return (1 if x >= 0 else e) / (1 + e)


@define("tanh", np.float32, np.float64)
def _tanh(x):
    a = math.fabs(x)
    a = math.expm1(2 * (20 if a > 20 else a))  # from 20 on tanh is 1 in either dtype
    return math.copysign(a / (a + 2), x)


# --------------------------------------------------------------------------------------------------------------------
# log and log1p. _log_fit(f) is log(1 + f) - f + f^2 / 2 for sqrt(1/2) <= 1 + f < sqrt(2).


@_single
def _log_fit_single(f):
    p = -0.1662455712490529 + f * (0.14181164815 + f * (-0.13128705593 + f * (0.1288179809 - f * 0.07859900823)))
    return f * f * f * (0.33333316706433774 + f * (-0.25000810323619865 + f * (0.20002287721643475 + f * p)))


@_double
def _log_fit_double(f):
    # With s = f / (2 + f): log(1 + f) = 2 atanh(s) = f - f^2/2 + s (f^2/2 + R(s^2)).
    s = f / (2 + f)
    z = s * s
    p = 0.18183563260928026 + z * (0.15314073871948825 + z * 0.1479575312609747)
    p = 0.39999999999415936 + z * (0.285714287421305 + z * (0.2222219859671185 + z * p))
    return s * (0.5 * f * f + z * (0.6666666666666734 + z * p))


@_single
def _log_scaled_single(x, e, c):
    """log(2^e x) + c, for a positive normal x and a small c."""
    n, m = _split_single(x)
    n, f = n + e, m - 1
    return n * 0.693145751953125 + (f - (0.5 * f * f - (_log_fit_single(f) + (n * 1.4286068202862268e-06 + c))))


@_double
def _log_scaled_double(x, e, c):
    n, m = _split_double(x)
    n, f = n + e, m - 1
    return n * 0.6931471803691238 + (f - (0.5 * f * f - (_log_fit_double(f) + (n * 1.9082149292705877e-10 + c))))


def _log_ends(x, y):
    """`y`, the logarithm of x, where x is a positive number; else what the logarithm is there."""
    y = y if x < math.inf else x  # inf and NaN give themselves
    y = -math.inf if x == 0 else y
    return math.nan if x < 0 else y


@define("log", np.float32)
def _log_single(x):
    tiny = x < 1.1754943508222875e-38
    return _log_ends(x, _log_scaled_single(x * 8388608 if tiny else x, -23 if tiny else 0, 0))


@define("log", np.float64)
def _log_double(x):
    tiny = x < 2.2250738585072014e-308
    return _log_ends(x, _log_scaled_double(x * 4503599627370496 if tiny else x, -52 if tiny else 0, 0))


@jit(inline=True)
def _above_least_single(x):
    """Grows with x from the least normal number on; everything else but positive normal numbers is larger."""
    return np.uint32(np.float32(x).view(np.uint32) - np.uint32(0x00800000))


@jit(inline=True)
def _above_least_double(x):
    return np.uint64(np.float64(x).view(np.uint64) - np.uint64(0x0010000000000000))


@define_usual("log", np.float32, _above_least_single, 0x7F000000)
def _log_usual_single(x):
    return _log_scaled_single(x, 0, 0)


@define_usual("log", np.float64, _above_least_double, 0x7FE0000000000000)
def _log_usual_double(x):
    return _log_scaled_double(x, 0, 0)


def _lost(x):
    """What rounding takes from 1 + x: log1p(x) = log(u + lost) = log(u) + lost / u, with u = 1 + x rounded."""
    u = 1 + x
    return x - (u - 1) if x < 1 else 1 - (u - x)


@define("log1p", np.float32)
def _log1p_single(x):
    y = _log_ends(1 + x, _log_scaled_single(1 + x, 0, _lost(x) / (1 + x)))
    return x if x == 0 else y  # zero keeps its sign


@define("log1p", np.float64)
def _log1p_double(x):
    y = _log_ends(1 + x, _log_scaled_double(1 + x, 0, _lost(x) / (1 + x)))
    return x if x == 0 else y


# --------------------------------------------------------------------------------------------------------------------
# erf. Powers of polynomials: erfc falls like e^(-x^2), which a polynomial follows badly, but a root of it well enough.
# The fits are plain arithmetic, so the NumPy twin below uses the same lines.


def _erf_near_single(x):
    """erf(x) for |x| <= 0.9, as x P(x^2)."""
    z = x * x
    p = -0.026778915696614107 + z * (0.00501196648500208 - z * 0.0006090356101317414)
    p = 1.1283791538142707 + z * (-0.37612523338560633 + z * (0.11282141176441154 + z * p))
    return x * p


def _erf_far_single(x):
    """erf(x) for 0.9 <= x <= 3.93, as 1 - P(x - 2.4)^4."""
    t = x - 2.4
    p = -0.00021453393690120672 + t * (2.1325645603346326e-05 + t * 1.1550838957894471e-05)
    p = -0.007794935022356388 + t * (0.002613248237003338 + t * (0.00012057652244781215 + t * p))
    p = -0.20913405866473733 + t * (0.09691420441025254 + t * (-0.009401602992210906 + t * p))
    p = 0.16198625905948244 + t * p
    p = p * p
    return 1 - p * p


def _erf_near_double(x):
    """erf(x) for |x| <= 1, as x P(x^2)."""
    z = x * x
    p = -1.6206318752969208e-07 + z * (1.3710988704190523e-08 - z * 7.779462971761597e-10)
    p = 0.0001205529358693695 + z * (-1.4924712439534814e-05 + z * (1.6447132699786621e-06 + z * p))
    p = -0.026866170643113415 + z * (0.005223977606130842 + z * (-0.0008548325929766244 + z * p))
    p = 1.1283791670955126 + z * (-0.3761263890318352 + z * (0.112837916709442 + z * p))
    return x * p


def _erf_far_double(x):
    """erf(x) for 1 <= x <= 5.95, as 1 - P(x - 3.5)^8."""
    t = x - 3.5
    p = 8.90025317976297e-12 + t * (1.266372391863263e-12 + t * 8.211142694282039e-14)
    p = -3.102579051949578e-11 + t * (2.955110130561237e-11 + t * (3.3998766448893287e-11 + t * p))
    p = -7.71080425867716e-08 + t * (-3.528577801304566e-09 + t * (1.6500973076013298e-09 + t * p))
    p = -2.1361233736698898e-05 + t * (1.712129436734461e-06 + t * (4.0842146097918433e-07 + t * p))
    p = -0.0023106674444762017 + t * (0.0005140360039835336 + t * (2.2694668466246915e-05 + t * p))
    p = -0.15562958082507866 + t * (0.04996976838170158 + t * (-0.0027025332276830434 + t * p))
    p = 0.17134869010167283 + t * p
    p = p * p
    p = p * p
    return 1 - p * p


@define("erf", np.float32)
def _erf_single(x):
    a = math.fabs(x)
    # Both are computed before one is chosen: a branch would end the vector code. From 3.93 on float32 erf is 1.
    near, far = _erf_near_single(x), _erf_far_single(3.93 if a > 3.93 else a)
    return near if a < 0.9 else math.copysign(far, x)


@define("erf", np.float64)
def _erf_double(x):
    a = math.fabs(x)
    near, far = _erf_near_double(x), _erf_far_double(5.95 if a > 5.95 else a)
    return near if a < 1 else math.copysign(far, x)


# --------------------------------------------------------------------------------------------------------------------
# One instruction each. NaN wins in maximum and minimum, as in NumPy (Python's max and min may drop it).


@define("maximum", np.float32, np.float64)
def _maximum(a, b):
    return a if (a >= b) | (a != a) else b


@define("minimum", np.float32, np.float64)
def _minimum(a, b):
    return a if (a <= b) | (a != a) else b


@define("where", np.float32, np.float64)
def _where(condition, a, b):
    return a if condition else b


# --------------------------------------------------------------------------------------------------------------------
# For numba kernels: `from minigrad.kernels.vecmath import exp`, and exp(x) is the one for the type of x.
exp, expm1, sigmoid, tanh, log, log1p, erf = map(ByType, ("exp", "expm1", "sigmoid", "tanh", "log", "log1p", "erf"))


# --------------------------------------------------------------------------------------------------------------------
# NumPy twins of what NumPy lacks.


def array_erf(x):
    """The error function of an ndarray, elementwise, in plain NumPy.

    Args:
        x (ndarray): float16, float32 or float64; integers are converted to the float dtype NumPy gives them.

    Returns:
        ndarray: of x's shape; relative error at most 1e-7 (float32) or 5e-16 (float64).
    """
    if np.asarray(x).dtype == np.float16:
        return array_erf(np.asarray(x, np.float32)).astype(np.float16)
    x = np.asarray(x, dtype=np.result_type(x, np.float32))
    if x.dtype == np.float32:  # in float64, or rounding would cost more than the fit
        near, far, middle, end = _erf_near_single, _erf_far_single, 0.9, 3.93
    else:
        near, far, middle, end = _erf_near_double, _erf_far_double, 1, 5.95
    y = np.clip(x, -end, end, dtype=np.float64)
    a = np.abs(y)
    return np.where(a < middle, near(y), np.copysign(far(a), x)).astype(x.dtype)


def array_sigmoid(x):
    """1 / (1 + e^(-x)) of an ndarray, elementwise, in plain NumPy and without overflow.

    Args:
        x (ndarray): float32 or float64.

    Returns:
        ndarray: of x's shape and dtype; relative error at most 3e-7 (float32) or 6e-16 (float64).
    """
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


ARRAY_FUNCTIONS = {"erf": array_erf, "sigmoid": array_sigmoid}
