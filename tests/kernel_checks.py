"""What the tests of the kernel families share."""

import numpy as np
import pytest

from minigrad.kernels.dispatch import Kernel

CLOSE = {"float32": {"rtol": 2e-5, "atol": 2e-5}, "float64": {"rtol": 1e-11, "atol": 1e-11}}

both = pytest.mark.parametrize("who", ["numpy", "numba"])
kinds = pytest.mark.parametrize("kind", CLOSE)


def maker(kind):
    """A function that makes random arrays of one dtype, the same ones each time."""
    numbers = np.random.default_rng(7)
    return lambda *shape: np.asarray(numbers.standard_normal(shape), kind)


def near(actual, expected, kind):
    """Equal up to rounding, relative to the largest number; of one shape, NaN where NaN is expected."""
    expected = expected.detach().numpy() if hasattr(expected, "detach") else np.asarray(expected)
    assert actual.shape == expected.shape
    assert actual.dtype == np.dtype(kind)
    finite = np.abs(expected[np.isfinite(expected)])
    scale = max(1.0, finite.max()) if finite.size else 1.0
    np.testing.assert_allclose(actual / scale, expected / scale, **CLOSE[kind])


def apart(x):
    """The same numbers, not next to each other in memory."""
    return np.repeat(x, 2, axis=-1)[..., ::2] if x.ndim else x


def kernels_of(module):
    """The kernels that a module defines."""
    return [k for k in vars(module).values() if isinstance(k, Kernel) and k.__module__ == module.__name__]
