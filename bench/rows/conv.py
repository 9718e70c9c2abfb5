"""Convolutions; products are in a file of their own, and pooling is with the norms."""

from __future__ import annotations

import math
from functools import partial

from bench.row import Row
from bench.rows.make import both_ways, normal

# (batch, channels, height = width), channels out
CONVS = (((64, 1, 28), 32), ((64, 32, 14), 64), ((16, 64, 56), 64))

# label: function, input, weight, settings
SHAPES = {
    "1x1 16x64x28x28 to 128": ("conv2d", (16, 64, 28, 28), (128, 64, 1, 1), {}),
    "5x5 16x32x28x28 to 32": ("conv2d", (16, 32, 28, 28), (32, 32, 5, 5), {"padding": 2}),
    "3x3 stride 2 16x64x28x28 to 128": ("conv2d", (16, 64, 28, 28), (128, 64, 3, 3), {"padding": 1, "stride": 2}),
    "3x3 16x128x7x7 to 128": ("conv2d", (16, 128, 7, 7), (128, 128, 3, 3), {"padding": 1}),
    "3x3 16x256x14x14 to 256": ("conv2d", (16, 256, 14, 14), (256, 256, 3, 3), {"padding": 1}),
    "depthwise 3x3 16x64x28x28": ("conv2d", (16, 64, 28, 28), (64, 1, 3, 3), {"padding": 1, "groups": 64}),
    "depthwise 3x3 16x256x14x14": ("conv2d", (16, 256, 14, 14), (256, 1, 3, 3), {"padding": 1, "groups": 256}),
    "grouped 3x3 16x64x28x28 to 64 by 4": ("conv2d", (16, 64, 28, 28), (64, 16, 3, 3), {"padding": 1, "groups": 4}),
    "dilated 3x3 16x32x28x28 to 32": ("conv2d", (16, 32, 28, 28), (32, 32, 3, 3), {"padding": 2, "dilation": 2}),
    "conv1d 5 32x32x256 to 64": ("conv1d", (32, 32, 256), (64, 32, 5), {"padding": 2}),
    "conv3d 3x3x3 4x16x8x16x16 to 32": ("conv3d", (4, 16, 8, 16, 16), (32, 16, 3, 3, 3), {"padding": 1}),
    "conv_transpose2d 4x4 stride 2 16x64x14x14 to 32": (
        "conv_transpose2d", (16, 64, 14, 14), (64, 32, 4, 4), {"padding": 1, "stride": 2},
    ),
    "conv_transpose3d 4x4x4 stride 2 4x16x4x8x8 to 8": (
        "conv_transpose3d", (4, 16, 4, 8, 8), (16, 8, 4, 4, 4), {"padding": 1, "stride": 2},
    ),
}  # fmt: skip


def conv_arrays(shape, out):
    batch, channels, size = shape
    weight = normal(out, channels, 3, 3, seed=1) / (9 * channels) ** 0.5
    return normal(batch, channels, size, size), weight, normal(out, seed=2)


def conv_forward(shape, out, lib):
    x, weight, bias = (lib.tensor(array) for array in conv_arrays(shape, out))
    conv2d = lib.nn.functional.conv2d
    return lambda: conv2d(x, weight, bias, padding=1)


def conv_both(shape, out, lib):
    conv2d = lib.nn.functional.conv2d
    return both_ways(lib, lambda x, weight, bias: conv2d(x, weight, bias, padding=1), *conv_arrays(shape, out))


def shaped_both(function, shape, weight_shape, settings, lib):
    convolve = getattr(lib.nn.functional, function)
    outputs = weight_shape[1] if "transpose" in function else weight_shape[0]
    weight = normal(*weight_shape, seed=1) / math.prod(weight_shape[1:]) ** 0.5
    return both_ways(lib, partial(convolve, **settings), normal(*shape), weight, normal(outputs, seed=2))


def rows() -> list[Row]:
    found = []
    for shape, out in CONVS:
        label = f"{_by(shape)} to {out}"
        found += [
            Row(f"conv/3x3 {label} forward", partial(conv_forward, shape, out)),
            Row(f"conv/3x3 {label} forward+backward", partial(conv_both, shape, out)),
        ]
    found += [
        Row(f"conv/{label} forward+backward", partial(shaped_both, *settings)) for label, settings in SHAPES.items()
    ]
    return found


def _by(shape):
    return "x".join(map(str, (*shape, shape[-1])))
