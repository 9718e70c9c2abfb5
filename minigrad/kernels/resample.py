"""Resampling along one axis: every output is a weighted sum of a few inputs.

Interpolation, and padding with a tensor's own elements, differ only in the table of places and weights (`Taps`), and
are done one axis after the other. The transpose of such a table is such a table, so this one function is its own
derivative, too.

Before this: nothing. After it: `ops/resample.py` and `ops/pad.py`.
"""

import functools

import numpy as np


class Taps:
    """Where the outputs of an axis come from.

    places   (outputs, taps) int64, into the `size` inputs
    weights  the same shape, or None for one tap of weight 1
    """

    def __init__(self, size, places, weights=None):
        self.size, self.places, self.weights = size, places, weights

    def __repr__(self):
        return f"{self.size}→{len(self.places)}"

    @functools.cached_property
    def idle(self):
        """The outputs that no input feeds; they are 0 whatever stands at their places."""
        return None if self.weights is None else np.flatnonzero(~self.weights.any(1))

    @functools.cached_property
    def transposed(self):
        """The table of the derivative: the inputs from the outputs they went to."""
        weights = np.ones(self.places.shape) if self.weights is None else self.weights
        outputs = np.broadcast_to(np.arange(len(self.places))[:, None], self.places.shape)
        used = weights != 0
        order = np.argsort(self.places[used], kind="stable")
        rows, counts = self.places[used][order], np.bincount(self.places[used], minlength=self.size)
        taps = np.arange(len(rows)) - (np.cumsum(counts) - counts)[rows]
        places = np.zeros((self.size, max(counts.max(initial=0), 1)), np.int64)
        turned = np.zeros(places.shape, weights.dtype)
        places[rows, taps], turned[rows, taps] = outputs[used][order], weights[used][order]
        vacant = np.arange(places.shape[1]) >= counts[:, None]
        return Taps(len(self.places), np.where(vacant, places[:, :1], places), turned)


def resample(x, axis, taps):
    """y[..., j, ...] = sum over t of weights[j, t] * x[..., places[j, t], ...] along one axis."""
    if taps.weights is None:
        return x.take(taps.places[:, 0], axis)
    weights = taps.weights.astype(x.dtype).reshape(*taps.weights.shape, *[1] * (x.ndim - axis - 1))
    y = x.take(taps.places[:, 0], axis)
    y *= weights[:, 0]
    for t in range(1, taps.places.shape[1]):
        part = x.take(taps.places[:, t], axis)
        part *= weights[:, t]
        y += part
    if len(taps.idle):
        idle = (*(slice(None),) * axis, taps.idle)
        y[idle] = 0
    return y


@functools.lru_cache(maxsize=512)
def padding_taps(size, before, after, mode):
    """The table of a border made of the axis's own elements: "reflect", "replicate" or "circular"."""
    places = np.arange(-before, size + after)
    if mode == "reflect":
        places = np.abs((places + size - 1) % (2 * (size - 1)) - (size - 1)) if size > 1 else places * 0
    elif mode == "replicate":
        places = np.clip(places, 0, size - 1)
    else:  # what negative widths cut off does not come around again
        first, last = max(-before, 0), size - max(-after, 0)
        places = first + (places - first) % max(last - first, 1)
    return Taps(size, places[:, None])


@functools.lru_cache(maxsize=512)
def interpolation_taps(mode, size, out, scale, align_corners, dtype):
    """The table of an interpolation: "nearest", "nearest-exact", "linear" or "cubic".

    Output j lies at ``s * (j + 0.5) - 0.5``, s being size / out, or 1 / scale where a scale is given; with
    align_corners, at ``j * (size - 1) / (out - 1)``. "nearest" takes ``floor(s * j)``. Cubic is the convolution of
    Keys 1981 with a = -0.75. Computed in the tensor's dtype, as PyTorch does.
    """
    real = np.dtype(dtype).type
    j = np.arange(out, dtype=dtype)
    step = ratio(size, out, scale, align_corners, real)
    if mode == "nearest":
        places = np.floor((step * j).astype(np.float32))
        return Taps(size, np.minimum(places, size - 1).astype(np.int64)[:, None])
    at = step * j if align_corners else step * (j + real(0.5)) - real(0.5)
    if mode == "nearest-exact":
        places = np.floor((np.maximum(at, 0) + real(0.5)).astype(np.float32))
        return Taps(size, np.minimum(places, size - 1).astype(np.int64)[:, None])
    if mode == "linear" and size == out:
        return Taps(size, np.arange(size)[:, None])
    if mode == "linear":
        at = np.maximum(at, 0)
    first = np.minimum(np.floor(at).astype(np.int64), size - 1)
    t = np.clip(at - first.astype(dtype), 0, 1)
    if mode == "linear":
        return Taps(size, np.stack([first, np.minimum(first + 1, size - 1)], 1), np.stack([1 - t, t], 1))
    distances = np.stack([t + 1, t, 1 - t, 2 - t], 1)
    places = np.clip(first[:, None] + np.arange(-1, 3), 0, size - 1)
    return Taps(size, places, keys(distances, -0.75).astype(dtype))


@functools.lru_cache(maxsize=512)
def antialiased_taps(mode, size, out, scale, align_corners, dtype):
    """The table of a "linear" or "cubic" interpolation whose window grows with the reduction, as in Pillow; its cubic
    has a = -0.5."""
    real = np.dtype(dtype).type
    step = ratio(size, out, scale, align_corners, real)
    reach = (1 if mode == "linear" else 2) * max(step, real(1))
    middle = step * (np.arange(out, dtype=dtype) + real(0.5))
    start = np.maximum((middle - reach + real(0.5)).astype(np.int64), 0)
    stop = np.minimum((middle + reach + real(0.5)).astype(np.int64), size)
    places = start[:, None] + np.arange(max((stop - start).max(initial=1), 1))
    distances = np.abs((places.astype(dtype) - middle[:, None] + real(0.5)) / max(step, real(1)))
    weights = np.maximum(1 - distances, 0) if mode == "linear" else keys(distances, -0.5)
    weights = np.where(places < stop[:, None], weights, 0)
    return Taps(size, np.minimum(places, size - 1), (weights / weights.sum(1, keepdims=True)).astype(dtype))


def ratio(size, out, scale, align_corners, real):
    """The distance of two outputs, in inputs."""
    if align_corners:
        return real(size - 1) / real(out - 1) if out > 1 else real(0)
    return real(1.0 / scale) if scale is not None and scale > 0 else real(size) / real(out)


def keys(x, a):
    """Keys's cubic convolution kernel at distances x >= 0."""
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x - 4
    return np.where(x <= 1, near, np.where(x < 2, a * far, 0))
