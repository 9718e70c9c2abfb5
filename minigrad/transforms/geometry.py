"""Where pixels go: cropping, padding, resizing, turning, on planes (..., channels, height, width).

Before it: `image.py`. After it: `functional.py`, which makes functions of images of these.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minigrad.transforms.image import as_float, like

_PAD_MODES = {"edge": "edge", "reflect": "reflect", "symmetric": "symmetric"}


def crop(planes, top, left, height, width):
    """A window; where it is outside of the image it is black."""
    h, w = planes.shape[-2:]
    inside = planes[..., max(top, 0) : max(top + height, 0), max(left, 0) : max(left + width, 0)]
    if top >= 0 and left >= 0 and top + height <= h and left + width <= w:
        return inside
    out = np.zeros((*planes.shape[:-2], height, width), planes.dtype)
    y, x = max(-top, 0), max(-left, 0)
    out[..., y : y + inside.shape[-2], x : x + inside.shape[-1]] = inside
    return out


def pad(planes, left, top, right, bottom, fill, mode):
    """Borders around; negative ones cut off."""
    h, w = planes.shape[-2:]
    if min(left, top, right, bottom) < 0:
        planes = planes[..., max(-top, 0) : h - max(-bottom, 0), max(-left, 0) : w - max(-right, 0)]
        left, top, right, bottom = (max(side, 0) for side in (left, top, right, bottom))
        h, w = planes.shape[-2:]
    if mode != "constant":
        return np.pad(planes, [(0, 0)] * (planes.ndim - 2) + [(top, bottom), (left, right)], _PAD_MODES[mode])
    out = np.empty((*planes.shape[:-2], h + top + bottom, w + left + right), planes.dtype)
    out[...] = np.asarray(fill).reshape(-1, 1, 1)
    out[..., top : top + h, left : left + w] = planes
    return out


# ---- resizing: each side is a product with a matrix whose rows say which pixels a new one is made of


def resize(planes, height, width, mode, antialias):
    """Another size."""
    h, w = planes.shape[-2:]
    if mode.startswith("nearest"):
        shift = 0.5 if mode == "nearest-exact" else 0.0
        rows, columns = (
            np.minimum(((np.arange(new, dtype=np.float32) + shift) * np.float32(old / new)).astype(np.int64), old - 1)
            for old, new in ((h, height), (w, width))
        )
        return planes[..., rows[:, None], columns]
    values = as_float(planes)
    kind = np.float64 if values.dtype == np.float64 else np.float32
    down, across = (_weights(old, new, mode, antialias, kind) for old, new in ((h, height), (w, width)))
    values = down @ (values.astype(kind, copy=False) @ across.T)
    if planes.dtype == np.uint8:
        values = values.clip(0, 255)
    return like(values, planes)


@functools.lru_cache(64)
def _weights(old, new, mode, antialias, kind):
    """(new, old): the share that each pixel of a line has in each pixel of the resized line."""
    scale = kind(old / new)
    stretch = max(scale, kind(1)) if antialias else kind(1)  # a wider filter, so that no pixel is left out
    reach, kernel = (1, _triangle) if mode == "bilinear" else (2, _cubic(-0.5 if antialias else -0.75))
    half, pixels = kind(0.5), np.arange(old, dtype=kind)
    centres = scale * (np.arange(new, dtype=kind)[:, None] + half)
    if antialias:
        first, last = (np.trunc(centres + side * reach * stretch + half) for side in (-1, 1))
        distance = np.abs(pixels - centres + half) * (1 / stretch)
        shares = np.where((pixels >= first) & (pixels < last), kernel(distance), kind(0))
        return shares / shares.sum(1, keepdims=True)
    shares = np.zeros((new, old), kind)
    begin = np.floor(centres - half)
    for step in range(1 - reach, 1 + reach):
        taken = np.clip(begin + step, 0, old - 1).astype(np.int64)  # the border counts for what is beyond it
        np.add.at(shares, (np.arange(new)[:, None], taken), kernel(np.abs(centres - half - begin - step)))
    return shares


def _triangle(x):
    return np.maximum(1 - x, 0)


def _cubic(a):
    """Keys's cubic convolution kernel. (R. Keys 1981, doi:10.1109/TASSP.1981.1163711)"""

    def kernel(x):
        near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((x - 5) * x + 8) * x * a - 4 * a
        return np.where(x < 1, near, np.where(x < 2, far, 0.0))

    return kernel


# ---- turning


def inverse_affine(centre, angle, translate, scale, shear):
    """The two rows of the matrix that leads from a place in the result back to one in the image; angles in degrees."""
    turn, shear_x, shear_y = math.radians(angle), math.radians(shear[0]), math.radians(shear[1])
    a = math.cos(turn - shear_y) / math.cos(shear_y)
    b = -math.cos(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) - math.sin(turn)
    c = math.sin(turn - shear_y) / math.cos(shear_y)
    d = -math.sin(turn - shear_y) * math.tan(shear_x) / math.cos(shear_y) + math.cos(turn)
    rows = [[d / scale, -b / scale], [-c / scale, a / scale]]
    x, y = -centre[0] - translate[0], -centre[1] - translate[1]
    return [[p, q, p * x + q * y + middle] for (p, q), middle in zip(rows, centre)]


def turned_size(matrix, height, width):
    """The height and width that hold all of a turned image."""
    half = 0.5 * width, 0.5 * height
    corners = np.array([[x, y, 1.0] for x in (-half[0], half[0]) for y in (-half[1], half[1])], np.float32)
    places = corners @ np.array(matrix, np.float32).T + np.float32(half)
    tolerance = np.float32(1e-4)  # a millionth of a pixel is none
    low = np.floor(np.trunc(places.min(0) / tolerance) * tolerance)
    high = np.ceil(np.trunc(places.max(0) / tolerance) * tolerance)
    new_width, new_height = (high - low).astype(int).tolist()
    return new_height, new_width


def affine_places(matrix, height, width, new_height, new_width, dtype):
    """For each pixel of the result, where in the image it is from: x and y, in pixels from the first one's middle."""
    xs = np.arange(new_width, dtype=dtype) - dtype.type((new_width - 1) * 0.5)
    ys = np.arange(new_height, dtype=dtype) - dtype.type((new_height - 1) * 0.5)
    places = []
    for (a, b, c), size in zip(matrix, (width, height)):
        half = dtype.type(0.5 * size)
        a, b, c = (dtype.type(value) / half for value in (a, b, c))
        relative = xs * a + (ys * b)[:, None] + c  # from -1 to 1, as PyTorch's grids are
        places.append(((relative + 1) * dtype.type(size) - 1) / 2)
    return places


def sample(planes, xs, ys, mode, fill):
    """The image's values at places; beyond its border it is `fill` (a number, or one for each channel).

    A bilinear value at the border is a mean of pixels and black, mixed with `fill` once more, as in torchvision;
    None leaves it as it is.
    """
    height, width = planes.shape[-2:]
    values = as_float(planes)
    colour = np.asarray(0 if fill is None else fill, values.dtype).reshape(-1, 1, 1)

    def at(rows, columns):
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        rows, columns = np.where(inside, rows, 0).astype(np.int64), np.where(inside, columns, 0).astype(np.int64)
        return values[..., rows, columns], inside

    if mode == "nearest":
        found, inside = at(np.rint(ys), np.rint(xs))
        return like(np.where(inside, found, colour), planes)
    left, top = np.floor(xs), np.floor(ys)
    total, covered = 0, 0
    for dy in (0, 1):
        for dx in (0, 1):
            found, inside = at(top + dy, left + dx)
            share = (1 - np.abs(xs - (left + dx))) * (1 - np.abs(ys - (top + dy))) * inside
            total, covered = total + found * share, covered + share
    return like(total if fill is None else total * covered + (1 - covered) * colour, planes)
