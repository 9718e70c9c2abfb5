"""Points made by a formula, for pictures of what a small network learns."""

from __future__ import annotations

import numpy as np

__all__ = ["make_moons"]


def make_moons(n_samples=100, *, shuffle=True, noise=None, random_state=None):
    """make_moons(n_samples=100, *, shuffle=True, noise=None, random_state=None) -> (x, y)

    Two half circles that reach into one another: x float64 (n_samples, 2), y int64 (n_samples,) of 0 (the upper) and 1.

    noise         standard deviation of the normal noise added to x; None: none
    random_state  a seed, or None: NumPy's global stream (``np.random.seed``)

    Numbers are scikit-learn's for the same seed (sklearn.datasets.make_moons).
    """
    if not isinstance(n_samples, int) or n_samples < 1:
        raise ValueError(f"make_moons(): argument 'n_samples': got {n_samples!r}; expected an int of at least 1")
    luck = np.random.mtrand._rand if random_state is None else np.random.RandomState(random_state)
    upper = n_samples // 2
    here, there = np.linspace(0, np.pi, upper), np.linspace(0, np.pi, n_samples - upper)
    x = np.vstack(
        [
            np.append(np.cos(here), 1 - np.cos(there)),
            np.append(np.sin(here), 1 - np.sin(there) - 0.5),
        ]
    ).T
    y = np.repeat(np.array([0, 1]), [upper, n_samples - upper])
    if shuffle:
        order = np.arange(n_samples)
        luck.shuffle(order)
        x, y = x[order], y[order]
    if noise is not None:
        x = x + luck.normal(scale=noise, size=x.shape)
    return x, y
