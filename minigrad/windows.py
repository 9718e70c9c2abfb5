"""Windows: by what a stretch of a signal is multiplied before its spectrum is taken; they fall to its ends.

With x from 0 to 1 over the N numbers of a symmetrical window:

    hann, hamming   alpha - beta cos(2πx)                       1/2 and 1/2, or 0.54 and 0.46
    blackman        0.42 - 0.5 cos(2πx) + 0.08 cos(4πx)
    bartlett        1 - |2x - 1|
    kaiser          I₀(beta √(1 - (2x - 1)²)) / I₀(beta)        I₀: the modified Bessel function

A periodic one, which is the default, is the symmetrical one of N + 1 numbers without the last: repeated, it goes on
without a kink. The order of operations is PyTorch's, and so are most last digits. (Source: F. J. Harris, "On the Use of
Windows for Harmonic Analysis with the Discrete Fourier Transform", 1978; J. F. Kaiser, R. W. Schafer, "On the Use of
the I0-Sinh Window for Spectrum Analysis", 1980)
"""

from __future__ import annotations

import math

import numpy as np

from minigrad import dtypes
from minigrad.creation import made
from minigrad.shapes import index_of
from minigrad.tensor import Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _window(op, shape, window_length, periodic, dtype, requires_grad, device) -> Tensor:
    """What ``shape(numbers, last)`` makes of 0, ..., last; float16 numbers are rounded at the end."""
    count, kind = index_of(window_length, op, "window_length"), dtypes.as_numpy(dtype, op)
    if not isinstance(periodic, bool):
        raise TypeError(f"{op}(): argument 'periodic' must be bool, not {type(periodic).__name__}")
    if kind.kind != "f":
        raise RuntimeError(f"{op} expects floating point dtypes, got: {dtypes.from_numpy_dtype(kind)}")
    if count < 0:
        raise RuntimeError(f"{op} requires non-negative window_length, got window_length={count}")
    if count < 2:
        return made(np.ones(count, kind), requires_grad, device)
    last = count if periodic else count - 1
    numbers = np.arange(last + 1, dtype=np.result_type(kind, np.float32))
    return made(shape(numbers, last)[:count].astype(kind), requires_grad, device)


def hann_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """hann_window(window_length, periodic=True, *, dtype=None) -> Tensor

    ``1/2 - 1/2 cos(2πi / N)`` for i from 0 to window_length - 1, where N is window_length, or one less if not
    `periodic`. Floats of the default dtype, unless `dtype` names another; RuntimeError for a length below 0 and for
    integer dtypes. (PyTorch: torch.hann_window)
    """
    return _window("hann_window", _raised_cosine(0.5, 0.5), window_length, periodic, dtype, requires_grad, device)


def hamming_window(
    window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False,
):  # fmt: skip
    """hamming_window(window_length, periodic=True, alpha=0.54, beta=0.46, *, dtype=None) -> Tensor

    ``alpha - beta cos(2πi / N)``; N and the rest as for `hann_window`. (PyTorch: torch.hamming_window)
    """
    shape = _raised_cosine(alpha, beta)
    return _window("hamming_window", shape, window_length, periodic, dtype, requires_grad, device)


def _raised_cosine(alpha, beta):
    def shape(numbers, last):
        return np.cos(numbers * (math.pi * 2 / last)) * -beta + alpha

    return shape


def blackman_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """blackman_window(window_length, periodic=True, *, dtype=None) -> Tensor

    ``0.42 - 0.5 cos(2πi / N) + 0.08 cos(4πi / N)``; N and the rest as for `hann_window`.
    (PyTorch: torch.blackman_window)
    """

    def shape(numbers, last):
        half = numbers * (math.pi / last)
        return np.cos(half * 4) * 0.08 - np.cos(half * 2) * 0.5 + 0.42

    return _window("blackman_window", shape, window_length, periodic, dtype, requires_grad, device)


def bartlett_window(
    window_length, periodic=True, *, dtype=None, layout=None, device=None, pin_memory=False, requires_grad=False
):
    """bartlett_window(window_length, periodic=True, *, dtype=None) -> Tensor

    ``1 - |2i / N - 1|``, a triangle; N and the rest as for `hann_window`. (PyTorch: torch.bartlett_window)
    """

    def shape(numbers, last):
        rising = numbers * (2 / last)
        return np.where(numbers > last // 2, 2 - rising, rising)

    return _window("bartlett_window", shape, window_length, periodic, dtype, requires_grad, device)


def kaiser_window(
    window_length, periodic=True, beta=12.0, *, dtype=None, layout=None, device=None, pin_memory=False,
    requires_grad=False,
):  # fmt: skip
    """kaiser_window(window_length, periodic=True, beta=12.0, *, dtype=None) -> Tensor

    ``I₀(beta √(1 - (2i / N - 1)²)) / I₀(beta)``, I₀ being the modified Bessel function; the larger beta, the narrower.
    N and the rest as for `hann_window`. (PyTorch: torch.kaiser_window)
    """

    def shape(numbers, last):
        middle = numbers.dtype.type(last / 2)
        inside = beta * np.sqrt(1 - ((numbers - middle) / middle) ** 2)
        return np.i0(inside) / np.i0(beta)

    return _window("kaiser_window", shape, window_length, periodic, dtype, requires_grad, device)
