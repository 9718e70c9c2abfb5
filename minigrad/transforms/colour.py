"""What pixels are: brightness, contrast, colour, sharpness, on planes (..., channels, height, width).

Before it: `image.py`. After it: `functional.py`, which makes functions of images of these.
"""

from __future__ import annotations

import numpy as np

from minigrad import dtypes
from minigrad.transforms.image import as_float, greatest, like


def blend(planes, other, share):
    """``share * planes + (1 - share) * other``, not beyond black and white."""
    values = as_float(planes)
    kind = values.dtype.type
    mixed = kind(share) * values + kind(1.0 - share) * as_float(other)
    return mixed.clip(0, greatest(planes.dtype)).astype(planes.dtype)


def grey(planes):
    """One channel: 0.2989 red + 0.587 green + 0.114 blue."""
    if planes.shape[-3] == 1:
        return planes
    values = as_float(planes)
    kind = values.dtype.type
    red, green, blue = (values[..., i : i + 1, :, :] for i in range(3))
    return (kind(0.2989) * red + kind(0.587) * green + kind(0.114) * blue).astype(planes.dtype)


def convert(planes, dtype):
    """Another dtype (a NumPy one), black and white staying black and white."""
    if planes.dtype == dtype:
        return planes
    if planes.dtype.kind == "f":
        if dtype.kind == "f":
            return planes.astype(dtype)
        if (planes.dtype.itemsize, dtype.itemsize) in ((4, 4), (4, 8)) or (
            planes.dtype.itemsize == 8 and dtype.itemsize == 8
        ):
            raise RuntimeError(f"The cast from {planes.dtype} to {dtype} cannot be performed safely")
        nearly_one_more = greatest(dtype) + 1.0 - 1e-3
        return (planes * planes.dtype.type(nearly_one_more)).astype(dtype)
    most = greatest(planes.dtype)
    if dtype.kind == "f":
        return planes.astype(dtype) / dtype.type(most)
    new_most = greatest(dtype)
    if most > new_most:
        return (planes // ((most + 1) // (new_most + 1))).astype(dtype)
    return planes.astype(dtype) * dtype.type((new_most + 1) // (most + 1))


def shift_hue(planes, share):
    """The hue turned by `share` of the colour circle."""
    values = convert(planes, np.dtype(np.float32)) if planes.dtype.kind != "f" else planes
    red, green, blue = (values[..., i, :, :] for i in range(3))
    most, least = values.max(-3), values.min(-3)
    grey_ones = most == least
    span = np.where(grey_ones, 1, most - least).astype(values.dtype)
    saturation = (most - least) / np.where(grey_ones, 1, most)
    from_red, from_green, from_blue = ((most - colour) / span for colour in (red, green, blue))
    hue = np.where(
        most == red,
        from_blue - from_green,
        np.where(most == green, 2 + from_red - from_blue, 4 + from_green - from_red),
    )
    hue = np.fmod(hue / 6 + 1, 1)
    return convert(_of_hsv((hue + values.dtype.type(share)) % 1, saturation, most).astype(values.dtype), planes.dtype)


def _of_hsv(hue, saturation, value):
    sector = np.floor(hue * 6)
    along = hue * 6 - sector
    p = (value * (1 - saturation)).clip(0, 1)
    q = (value * (1 - saturation * along)).clip(0, 1)
    t = (value * (1 - saturation * (1 - along))).clip(0, 1)
    sector = sector.astype(np.int64) % 6
    channels = (value, q, p, p, t, value), (t, value, value, q, p, p), (p, p, t, value, value, q)
    return np.stack([np.choose(sector, choices) for choices in channels], -3)


def gaussian_kernel(size, sigma, dtype):
    """(size,) weights of a Gaussian, which sum to 1."""
    x = np.linspace(-(size - 1) / 2, (size - 1) / 2, size, dtype=dtype)
    weights = np.exp(dtype.type(-0.5) * (x / dtype.type(sigma)) ** 2)
    return weights / weights.sum()


def blur(planes, across, down):
    """Convolved with two kernels, one for each direction; the image is mirrored at its border."""
    values = as_float(planes)
    space = [(0, 0)] * (planes.ndim - 2)
    values = np.pad(values, [*space, (len(down) // 2,) * 2, (len(across) // 2,) * 2], "reflect")
    values = np.lib.stride_tricks.sliding_window_view(values, len(across), -1) @ across
    return like(np.lib.stride_tricks.sliding_window_view(values, len(down), -2) @ down, planes)


def smooth(planes):
    """Each inner pixel mixed with its eight neighbours; what `adjust_sharpness` moves away from, or towards."""
    values = as_float(planes)
    kernel = np.full((3, 3), values.dtype.type(1 / 13))
    kernel[1, 1] = values.dtype.type(5 / 13)
    windows = np.lib.stride_tricks.sliding_window_view(values, (3, 3), (-2, -1))
    out = planes.copy()
    out[..., 1:-1, 1:-1] = like(np.einsum("...ij,ij->...", windows, kernel), planes)
    return out


def stretch_contrast(planes):
    """Each channel from black to white."""
    most, values = greatest(planes.dtype), as_float(planes)
    low, high = values.min((-2, -1), keepdims=True), values.max((-2, -1), keepdims=True)
    flat = low == high
    scale = np.where(flat, 1, 1 / np.where(flat, 1, high - low).astype(values.dtype) * values.dtype.type(most))
    return ((values - np.where(flat, 0, low)) * scale).clip(0, most).astype(planes.dtype)


def equalized(channel):
    """One channel, uint8, with its brightnesses equally frequent."""
    counts = np.bincount(channel.ravel(), minlength=256)
    step = counts[counts != 0][:-1].sum() // 255
    if step == 0:
        return channel
    table = (np.cumsum(counts) + step // 2) // step
    return np.concatenate([[0], table[:-1]]).clip(0, 255).astype(np.uint8)[channel]


def numpy_dtype(dtype):
    """The NumPy dtype of one of minigrad's."""
    return np.dtype(dtypes.as_numpy(dtype))
