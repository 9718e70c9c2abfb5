"""Kernels of the random streams: Box-Muller, the shuffle, and arithmetic that rounds as PyTorch's does.

`minigrad/random.py` draws the raw numbers; what is here turns them into values where plain NumPy would be slow, or off
in the last bit.  `box_muller` and `shuffle` have numba twins; both twins give the same bits, on every machine.

PyTorch's float32 `randn` (16 elements or more, x86 with AVX2) does not call the C library: it evaluates the Cephes
polynomials for log, sin and cos with fused multiply-adds.  The same steps are taken here in the same order, so that the
normals are PyTorch's bit for bit.  A fused multiply-add rounds once; NumPy has none, but the product of two float32 is
exact in float64, so `float32(float64(a) * b + c)` is one (but for a double rounding in 2**-29 of the cases).

Source of the constants: S. L. Moshier, Cephes Mathematical Library, single precision `logf`, `sinf`, `cosf` (1992).
"""

import math
import sys

import numpy as np

from minigrad.kernels.dispatch import jit, kernel

_F = np.float32
_D = np.float64
SQRT_HALF = _F(0.707106781186547524)
LOG_POLY = tuple(
    _F(c)
    for c in (
        7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
        -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
    )
)  # fmt: skip
LN2_LOW, LN2_HIGH = _F(-2.12194440e-4), _F(0.693359375)  # log(2) in two parts; the second has few bits
FOUR_OVER_PI = _F(1.27323954473516)
PI4_A, PI4_B, PI4_C = _F(-0.78515625), _F(-2.4187564849853515625e-4), _F(-3.77489497744594108e-8)  # -pi/4 in three
COS_0, COS_1, COS_2 = _F(2.443315711809948e-5), _F(-1.388731625493765e-3), _F(4.166664568298827e-2)
SIN_0, SIN_1, SIN_2 = _F(-1.9515295891e-4), _F(8.3321608736e-3), _F(-1.6666654611e-1)
TWO_PI = _F(2 * np.pi)
ONE, TWO, HALF = _F(1), _F(2), _F(0.5)
_BLOCK = 1 << 14  # pairs per block of the NumPy twin: its temporaries stay in the cache


def _worth_it(count):
    """A rule for `when`, given how many numbers a call draws."""

    def pays(*arguments):
        """Always; but before numba is loaded, which takes 0.3 s, for 32768 numbers or more"""
        return "numba" in sys.modules or count(*arguments) >= 1 << 15

    return pays


def _fma(a, b, c):
    """a * b + c of float32 operands, rounded once."""
    return (a.astype(_D) * b + c).astype(_F)


def _log(x):
    bits = x.view(np.int32)
    m = ((bits & 0x007FFFFF) | 0x3F000000).view(_F)  # x = m * 2**e, m in [0.5, 1)
    small = m < SQRT_HALF
    e = ((bits >> 23) - 126 - small).astype(_F)
    x = m - ONE + np.where(small, m, _F(0))
    z = x * x
    y = _fma(x, LOG_POLY[0], LOG_POLY[1])
    for c in LOG_POLY[2:]:
        y = _fma(y, x, c)
    y = _fma(y * x, z, e * LN2_LOW)
    y = y - z * HALF
    return _fma(e, LN2_HIGH, x + y)


def _sin_cos(x):
    octant = ((x * FOUR_OVER_PI).astype(np.int32) + 1) & ~1  # rounded to even
    y = octant.astype(_F)
    for part in (PI4_A, PI4_B, PI4_C):
        x = _fma(y, part, x)
    z = x * x
    c = _fma(_fma(z, COS_0, COS_1), z, COS_2)
    c = _fma(c * z, z, z * -HALF) + ONE
    s = _fma(_fma(z, SIN_0, SIN_1), z, SIN_2)
    s = _fma(s * z, x, x)
    swap = (octant & 2) != 0
    sin, cos = np.where(swap, c, s), np.where(swap, s, c)
    return np.where(octant & 4, -sin, sin), np.where((octant - 2) & 4, cos, -cos)


def _uniforms(size):
    return np.random.default_rng(0).integers(0, 1 << 24, (max(size // 16, 1), 16)).astype(_F) * _F(2**-24), 0.5, 2.0


@kernel(samples=_uniforms)
def box_muller(uniforms, mean, std):
    """Normal variates from uniform ones: sqrt(-2 log(1 - u1)) times cos and sin of 2 pi u2 (Box and Muller, 1958).

    Args:
        uniforms (ndarray): float32 of shape (n, 16), multiples of 2**-24 in [0, 1). In a row the first eight are the u1
            and the last eight the u2; in the result they give way to the cosines and the sines.
        mean, std (float): rounded to float32.

    Returns:
        ndarray: float32 of shape (n, 16).
    """
    out = np.empty_like(uniforms)
    mean, std = _F(mean), _F(std)
    for start in range(0, len(uniforms), _BLOCK // 8):
        block = uniforms[start : start + _BLOCK // 8]
        radius = np.sqrt(-TWO * _log(ONE - block[:, :8]))
        sin, cos = _sin_cos(TWO_PI * block[:, 8:])
        out[start : start + _BLOCK // 8, :8] = _fma(radius * cos, std, mean)
        out[start : start + _BLOCK // 8, 8:] = _fma(radius * sin, std, mean)
    return out


@jit
def _fma_scalar(a, b, c):
    return np.float32(np.float64(a) * np.float64(b) + np.float64(c))


@box_muller.numba(when=_worth_it(lambda uniforms, mean, std: uniforms.size))
def box_muller(uniforms, mean, std):
    out = np.empty_like(uniforms)
    zero, mean, std = np.float32(0), np.float32(mean), np.float32(std)
    half = uniforms.shape[1] // 2  # a constant 8 would be unrolled, not made a vector
    for row in range(uniforms.shape[0]):
        for i in range(half):
            bits = np.float32(ONE - uniforms[row, i]).view(np.int32)
            m = np.int32(np.int32(bits & np.int32(0x007FFFFF)) | np.int32(0x3F000000)).view(np.float32)
            e = np.float32(np.int32(np.int32(bits >> np.int32(23)) - np.int32(126)))
            small = m < SQRT_HALF
            e = e - (ONE if small else zero)
            x = m - ONE + (m if small else zero)
            z = x * x
            y = _fma_scalar(x, LOG_POLY[0], LOG_POLY[1])
            y = _fma_scalar(y, x, LOG_POLY[2])
            y = _fma_scalar(y, x, LOG_POLY[3])
            y = _fma_scalar(y, x, LOG_POLY[4])
            y = _fma_scalar(y, x, LOG_POLY[5])
            y = _fma_scalar(y, x, LOG_POLY[6])
            y = _fma_scalar(y, x, LOG_POLY[7])
            y = _fma_scalar(y, x, LOG_POLY[8])
            y = _fma_scalar(y * x, z, e * LN2_LOW)
            y = y - z * HALF
            radius = np.sqrt(-TWO * _fma_scalar(e, LN2_HIGH, x + y))

            x = TWO_PI * uniforms[row, half + i]
            octant = np.int32(np.int32(np.int32(x * FOUR_OVER_PI) + np.int32(1)) & np.int32(-2))
            y = np.float32(octant)
            x = _fma_scalar(y, PI4_A, x)
            x = _fma_scalar(y, PI4_B, x)
            x = _fma_scalar(y, PI4_C, x)
            z = x * x
            c = _fma_scalar(_fma_scalar(z, COS_0, COS_1), z, COS_2)
            c = _fma_scalar(c * z, z, z * -HALF) + ONE
            s = _fma_scalar(_fma_scalar(z, SIN_0, SIN_1), z, SIN_2)
            s = _fma_scalar(s * z, x, x)
            swap = np.int32(octant & np.int32(2)) != np.int32(0)
            sin, cos = (c if swap else s), (s if swap else c)
            sin = -sin if np.int32(octant & np.int32(4)) != np.int32(0) else sin
            cos = cos if np.int32(np.int32(octant - np.int32(2)) & np.int32(4)) != np.int32(0) else -cos
            out[row, i] = _fma_scalar(radius * cos, std, mean)
            out[row, half + i] = _fma_scalar(radius * sin, std, mean)
    return out


def _swaps(size):
    n = max(size, 1)
    return np.random.default_rng(0).integers(0, np.arange(n, 1, -1)) + np.arange(n - 1), n


@kernel(samples=_swaps)
def shuffle(partners, n):
    """The permutation that Fisher and Yates' swaps make of 0 .. n-1: element i with ``partners[i]``, in order.

    Args:
        partners (ndarray): int64 of shape (n - 1,), ``i <= partners[i] < n`` (the last element has no choice left).
        n (int): length of the permutation.

    Returns:
        ndarray: int64 of shape (n,).
    """
    order = list(range(n))  # lists: item access is three times faster than an array's
    for i, j in enumerate(partners.tolist()):
        order[i], order[j] = order[j], order[i]
    return np.array(order, np.int64)


@shuffle.numba(when=_worth_it(lambda partners, n: n))
def shuffle(partners, n):
    order = np.empty(n, np.int64)  # `arange` takes 0.2 s to compile
    for i in range(n):
        order[i] = i
    for i in range(partners.size):
        j = partners[i]
        order[i], order[j] = order[j], order[i]
    return order


def look_up(weights, units):
    """For each uniform number the first category whose cumulative probability reaches it."""
    cumulative = np.cumsum(weights, dtype=np.result_type(weights, np.float32))
    cumulative /= cumulative[-1]
    return np.searchsorted(cumulative.astype(np.float64), units)


def box_muller64(uniforms, mean, std):
    """`box_muller` in float64, through the C library as in PyTorch."""
    radius = np.sqrt(-2.0 * libm(math.log, 1.0 - uniforms[:, :8]))
    angle = 2.0 * math.pi * uniforms[:, 8:]
    values = np.concatenate((radius * np.cos(angle), radius * np.sin(angle)), axis=1)
    return values if (mean, std) == (0.0, 1.0) else fused(values, std, mean)


def libm(function, x):
    """A function of `math` for each element: the C library's value, where NumPy may have its own (1 ulp away)."""
    return np.fromiter(map(function, x.ravel().tolist()), np.float64, x.size).reshape(x.shape)


def exp(x):
    """The C library's exp, infinite where it overflows (`math.exp` would raise)."""
    with np.errstate(over="ignore"):
        return np.where(x > 709, np.exp(x), libm(math.exp, np.minimum(x, 709)))


def fused(x, factor, summand):
    """x * factor + summand rounded once, as a fused multiply-add does, for float64 `x` and two Python floats.

    The rounding error of the product is found exactly by splitting both factors in halves (Dekker, 1971), that of the
    sum by Knuth's two-sum (1969); both are then added to the rounded result.
    """
    factor, summand = float(factor), float(summand)
    x_high, x_low = _halves(x)
    f_high, f_low = _halves(factor)
    product = x * factor
    lost = ((x_high * f_high - product) + x_high * f_low + x_low * f_high) + x_low * f_low
    total = product + summand
    part = total - product
    lost += (product - (total - part)) + (summand - part)
    return total + lost


def _halves(x):
    shifted = x * 134217729.0  # 2**27 + 1
    high = shifted - (shifted - x)
    return high, x - high
