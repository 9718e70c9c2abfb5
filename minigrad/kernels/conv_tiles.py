"""Convolution and its two derivatives straight on the tiles, without laying the image out in columns.

A tile (`tiles.py`) adds up  C[i, j] = sum over k of S[i, k] * V[k, j]  for some rows i and one or two vectors of lanes
j, and finds S[., k] through a table of offsets. That table is all it takes to convolve. In the padded image, entry k of
the window (a channel and a place in it) lies at the same distance from *every* output pixel:

    padded image, one channel            output row            rows i    neighbouring output pixels
    . . . . . . . .                                            lanes j   output channels: V is the weight, [k][channel]
    . a b c d e f .    offset of the     . . . . . .           step k    channel and place in the window, by the table
    . g[h i j]k l .    window's centre   . p q r s t
    . m n o p q r .    = 1 row + 1       . . . . . .           stride: the distance between neighbouring rows i

The tiles' results, [pixel][channel], are turned into planes by transposing vectors in registers.

The input's derivative is a convolution of g with several such tables (`conv_walks.py`). The weight's derivative takes
g, transposed, as V and adds up over pixels; the table then says where pixels lie, and the rows i are input channels.

A signal or an image is a volume of depth 1 here. All is in bytes and addresses, so that each loop below is compiled
once for float32 and float64.

Before this: `panels.py`, `conv_walks.py`. After it: `conv_planes.py`, `conv.py`.
"""

import math

import numpy as np

from minigrad.kernels import tiles
from minigrad.kernels.conv_walks import LONGEST, forward_walk, input_walk
from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import address
from minigrad.kernels.panels import copy, down, pack, pack_transposed, transpose
from minigrad.kernels.threads import share
from minigrad.kernels.tiles import ACCUMULATE, PACKED, PACKED_TABLE, STRIDED, STRIDED_TABLE, VECTORS, item_size, lanes

CHUNK = 112  # pixels whose results wait in the first-level cache to be transposed
ADDED = 256  # pixels that the weight's derivative adds up at a time
CACHE_BYTES = 1 << 20  # what the padded images that are at work together may take
WIDE = 64  # pixels that fill the lanes
SLACK = 64  # numbers: copies and tiles work in whole vectors


@jit
def pad(table, source, channels, image, target, padded, margin):
    """Copy a volume (channels, *image) into the middle of one of (channels, *padded), whose margins are zeros."""
    size = item_size(table)
    row, padded_row = image[2] * size, padded[2] * size
    for c in range(channels):
        for d in range(image[0]):
            to = target + ((c * padded[0] + d + margin[0]) * padded[1] + margin[1]) * padded_row + margin[2] * size
            copy(table, image[1], image[2], source + (c * image[0] + d) * image[1] * row, row, to, padded_row)


@jit
def pack_input(table, w, outputs, channels, phases, order, packed, scratch):
    """The weight (outputs, channels, entries) as panels of input channels: [panel][phase, output, place][lane]."""
    size, entries = item_size(table), order.size
    panel = VECTORS * lanes(table)
    row = panel * size
    if entries == 1:
        pack(table, outputs, channels, w, channels * size, packed)
        return
    for j in range(0, channels, panel):
        count = min(panel, channels - j)
        for o in range(outputs):
            source = w + (o * channels + j) * entries * size
            transpose(table, count, entries, source, entries * size, scratch, row, 0, 0)
            for line in range(phases.shape[0]):
                for right in range(phases.shape[1]):
                    first, places = phases[line, right, 0], phases[line, right, 1]
                    to = packed + (j * outputs * entries) * size + (first * outputs + o * places) * row
                    for i in range(places):
                        copy(table, 1, panel, scratch + order[first + i] * row, row, to + i * row, row)


@jit
def set_offsets(table, channels, plane, phases, places, offsets):
    """The tables of all phases: for every channel and place, its distance in bytes from the number read."""
    size = item_size(table)
    for line in range(phases.shape[0]):
        for right in range(phases.shape[1]):
            first, count = phases[line, right, 0], phases[line, right, 1]
            at = first * channels
            for c in range(channels):
                for i in range(count):
                    offsets[at] = (c * plane + places[first + i]) * size
                    at += 1


@jit
def planes(table, source, channels, segments, first, last, phases, jump, offsets, V, bias, target, plane,
           outputs, scratch):  # fmt: skip
    """Segments first..last of one image for up to a panel of output channels."""
    size, step = item_size(table), phases.shape[1]
    row = VECTORS * lanes(table) * size
    mode = PACKED_TABLE if jump == 1 else STRIDED_TABLE
    pixels = 0
    for s in range(first, last):
        length = segments[s, 2]
        for right in range(step):
            start, places = phases[segments[s, 1], right, 0], phases[segments[s, 1], right, 1]
            count = (length - right + step - 1) // step
            down(
                table, mode, count, outputs, channels * places, source + segments[s, 0] * size, jump * size,
                offsets + start * channels * 8, V + start * channels * row, row, scratch + (pixels + right) * row,
                step * row, bias, 0,
            )  # fmt: skip
        pixels += length
        if s + 1 == last or pixels + segments[s + 1, 2] > CHUNK:
            transpose(table, pixels, outputs, scratch, row, target, plane, 0, 0)
            target += pixels * size
            pixels = 0


@jit
def convolve(table, source, first, last, groups, channels, outputs, image, padded, margin, staged, together, band,
             segments, phases, places, jump, packed, bias, target, pixels, offsets, scratch):  # fmt: skip
    """Images first..last. `staged` (or 0: read in place) has room for `together` padded images; the source's padded
    rows and the weight's panels that meet are to fit the second-level cache: `band` segments at a time."""
    size, panel = item_size(table), VECTORS * lanes(table)
    plane, entries = padded[0] * padded[1] * padded[2], places.size
    image_bytes = groups * channels * image[0] * image[1] * image[2] * size
    padded_bytes = groups * channels * plane * size
    depth = channels * entries
    panels = (outputs + panel - 1) // panel
    set_offsets(table, channels, plane, phases, places, offsets)
    for n in range(first, last, together):
        count, at = min(together, last - n), source + n * image_bytes
        if staged:
            at = staged
            for i in range(count):
                pad(
                    table,
                    source + (n + i) * image_bytes,
                    groups * channels,
                    image,
                    at + i * padded_bytes,
                    padded,
                    margin,
                )
        for s in range(0, segments.shape[0], band):
            before = 0
            for i in range(s):
                before += segments[i, 2]
            for p in range(groups * panels):
                group, j = p // panels, p % panels * panel
                output = group * outputs + j
                for i in range(count):
                    planes(
                        table, at + i * padded_bytes + group * channels * plane * size, channels, segments, s,
                        min(s + band, segments.shape[0]), phases, jump, address(offsets),
                        packed + p * panel * depth * size, bias + output * size if bias else 0,
                        target + (((n + i) * groups * outputs + output) * pixels + before) * size, pixels * size,
                        min(panel, outputs - j), scratch,
                    )  # fmt: skip


@jit
def multiply_pixels(table, source, source_row, channels, outputs, pixels, w, w_row, w_step, bias, target, target_row,
                    spare):  # fmt: skip
    """target[output, pixel] = bias[output] + the sum over channels of w[output, channel] * source[channel, pixel].

    Pixels lie along the lanes; `spare` has room for the last of them, where rows end within a vector, and then ones.
    """
    size, panel = item_size(table), VECTORS * lanes(table)
    mode = PACKED if w_row == size else STRIDED
    for j in range(0, pixels, panel):
        count = min(panel, pixels - j)
        V, ldv, C = source + j * size, source_row, target + j * size
        if count % lanes(table):
            copy(table, channels, count, V, ldv, spare, panel * size)
            V, ldv = spare, panel * size
        if bias:
            ones = spare + channels * panel * size
            down(table, PACKED, outputs, count, 1, bias, size, size, ones, 0, C, target_row, 0, 0)
        flags = ACCUMULATE if bias else 0
        down(table, mode, outputs, count, channels, w, w_row, w_step, V, ldv, C, target_row, 0, flags)


@jit
def multiply_images(table, source, first, last, groups, channels, outputs, pixels, w, w_row, w_step, bias, target,
                    spare):  # fmt: skip
    """Windows of one pixel: a matrix product for every image and group."""
    size = item_size(table)
    row = pixels * size
    for n in range(first * groups, last * groups):
        group = n % groups
        multiply_pixels(
            table, source + n * channels * row, row, channels, outputs, pixels,
            w + group * channels * outputs * size, w_row, w_step, bias + group * outputs * size if bias else 0,
            target + n * outputs * row, row, spare,
        )  # fmt: skip


@jit
def weight_panel(table, g, outputs, pixels, g_image, source, image_numbers, channels, plane, together, segments, places,
                 window, jump, offsets, turned, added):  # fmt: skip
    """Add to added[channel, entry][lane] what `together` images give for up to a panel of output channels."""
    size, entries = item_size(table), places.size
    row, whole = VECTORS * lanes(table) * size, -(-outputs // lanes(table)) * lanes(table)  # sums of whole vectors
    merged = max(1, ADDED // max(pixels, 1))  # small images share a sum
    for n in range(0, together, merged):
        images = min(merged, together - n)
        here, s, done = source + n * image_numbers * size, 0, 0
        while s < segments.shape[0]:
            stop, count, at = s, 0, 0
            while stop < segments.shape[0] and (stop == s or count + segments[stop, 2] <= ADDED):
                count += segments[stop, 2]
                stop += 1
            for i in range(images):
                for t in range(s, stop):
                    for x in range(segments[t, 2]):
                        offsets[at] = (i * image_numbers + segments[t, 0] + x * jump) * size
                        at += 1
                g_part = g + ((n + i) * g_image + done) * size
                transpose(table, outputs, count, g_part, pixels * size, turned + i * count * row, row, 0, 0)
            if channels < window[2]:  # the rows of a tile are neighbours in the window
                across = places[1] - places[0]
                mode = PACKED_TABLE if across == 1 else STRIDED_TABLE
                for i in range(0, channels * entries, window[2]):
                    at_row = here + (i // entries * plane + places[i % entries]) * size
                    down(
                        table, mode, window[2], whole, at, at_row, across * size, address(offsets), turned, row,
                        added + i * row, row, 0, ACCUMULATE,
                    )  # fmt: skip
            else:  # they are channels
                for e in range(entries):
                    down(
                        table, STRIDED_TABLE, channels, whole, at, here + places[e] * size, plane * size,
                        address(offsets), turned, row, added + e * row, entries * row, 0, ACCUMULATE,
                    )  # fmt: skip
            s = stop
            done += count


@jit
def convolve_weight(table, g, source, first, last, groups, channels, outputs, image, padded, margin, staged, together,
                    segments, places, window, jump, pixels, offsets, turned, added, target):  # fmt: skip
    """The weight's derivative by images first..last: target (groups * outputs, channels * entries)."""
    size, panel = item_size(table), VECTORS * lanes(table)
    row = panel * size
    plane, entries = padded[0] * padded[1] * padded[2], places.size
    channel_bytes = image[0] * image[1] * image[2] * size
    depth = channels * entries
    for group in range(groups):
        for j in range(0, outputs, panel):
            count, output = min(panel, outputs - j), group * outputs + j
            clear(added)
            for n in range(first, last, together):
                images = min(together, last - n)
                at, image_numbers = source + (n * groups + group) * channels * channel_bytes, groups * channels * plane
                if staged:
                    for i in range(images):
                        pad(
                            table, at + i * groups * channels * channel_bytes, channels, image,
                            staged + i * channels * plane * size, padded, margin,
                        )  # fmt: skip
                    at, image_numbers = staged, channels * plane
                weight_panel(
                    table, g + (n * groups * outputs + output) * pixels * size, count, pixels,
                    groups * outputs * pixels, at, image_numbers, channels, plane, images, segments, places, window,
                    jump, offsets, turned, address(added),
                )  # fmt: skip
            transpose(table, depth, count, address(added), row, target + output * depth * size, depth * size, 0, 0)


@jit
def clear(array):
    """Zeros."""
    for i in range(array.size):
        array[i] = 0


def staging(walk, x, channels, together):
    """Room for `together` padded images of so many channels, or None if x needs no padding."""
    if walk.size == x.shape[2:]:
        return None
    return np.zeros(together * channels * walk.plane + SLACK, x.dtype)


def through(walk, x, packed, bias, groups, channels, outputs, target):
    """Convolve images x (N, groups * channels, ...) into `target` (N, groups * outputs, ...)."""
    table = tiles.table(x.dtype)
    image_bytes = groups * channels * walk.plane * x.itemsize
    segments = len(walk.segments)
    # Panels of a large weight are worth loading for several images at once.
    together = max(1, min(len(x), CACHE_BYTES // max(image_bytes, 1))) if packed.nbytes > CACHE_BYTES // 2 else 1
    band = segments if image_bytes <= CACHE_BYTES else max(1, segments * CACHE_BYTES // image_bytes)

    def work(first, last):
        staged = staging(walk, x, groups * channels, together)
        offsets = np.empty(channels * walk.places.size, np.int64)
        scratch = np.empty((CHUNK + LONGEST) * SLACK, x.dtype)
        convolve(
            table, x.ctypes.data, first, last, groups, channels, outputs, x.shape[2:], walk.size, walk.margin,
            0 if staged is None else staged.ctypes.data, together, band, walk.segments, walk.phases, walk.places,
            walk.jump, packed.ctypes.data, 0 if bias is None else bias.ctypes.data, target.ctypes.data, walk.pixels,
            offsets, scratch.ctypes.data,
        )  # fmt: skip

    share(work, len(x))


def panels(table, groups, count, depth, dtype):
    """Room for the panels of `groups` weights of `count` channels; zeros where lanes are left over: tiles use all."""
    panel = VECTORS * int(tiles.lanes.py_func(table))
    make = np.zeros if count % panel else np.empty
    return make((groups, -(-count // panel) * panel * depth), dtype)


def is_pointwise(image, window, stride, padding):
    """Whether every pixel is its own window, and there are enough of them for the lanes."""
    return math.prod(window) == max(stride) == 1 and not any(padding) and math.prod(image) >= WIDE


def pointwise(x, w, bias, groups, channels, outputs, forwards):
    """The convolution by windows of one pixel (its input's derivative if not `forwards`)."""
    pixels, size = math.prod(x.shape[2:]), x.itemsize
    table = tiles.table(x.dtype)
    y = np.empty((len(x), groups * outputs, *x.shape[2:]), x.dtype)
    strides = (channels * size, size) if forwards else (size, outputs * size)

    def work(first, last):
        spare = np.ones((channels + 1) * SLACK, x.dtype)
        multiply_images(
            table, x.ctypes.data, first, last, groups, channels, outputs, pixels, w.ctypes.data, *strides,
            0 if bias is None else bias.ctypes.data, y.ctypes.data, spare.ctypes.data,
        )  # fmt: skip

    share(work, len(x))
    return y


def forward(x, w, bias, stride, padding, dilation, groups):
    """`conv2d_forward` of volumes by tiles; x (N, C, D, H, W) and w contiguous."""
    table = tiles.table(x.dtype)
    if is_pointwise(x.shape[2:], w.shape[2:], stride, padding):
        return pointwise(x, w, bias, groups, w.shape[1], len(w) // groups, True)
    walk = forward_walk(x.shape[2:], w.shape[2:], stride, padding, dilation)
    outputs, depth = len(w) // groups, w[0].size
    packed = panels(table, groups, outputs, depth, x.dtype)
    for group in range(groups):
        source = w.ctypes.data + group * outputs * depth * w.itemsize
        pack_transposed(table, outputs, depth, source, depth * w.itemsize, packed[group].ctypes.data)
    out = [
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, k, s, p, d in zip(x.shape[2:], w.shape[2:], stride, padding, dilation)
    ]
    y = np.empty((len(x), len(w), *out), x.dtype)
    through(walk, x, packed, bias, groups, w.shape[1], outputs, y)
    return y


def input_gradient(g, w, input_shape, stride, padding, dilation, groups):
    """`conv2d_input` of volumes by tiles; g and w contiguous."""
    table = tiles.table(g.dtype)
    if is_pointwise(g.shape[2:], w.shape[2:], stride, padding):
        return pointwise(g, w, None, groups, len(w) // groups, w.shape[1], False)
    walk = input_walk(input_shape[2:], g.shape[2:], w.shape[2:], stride, padding, dilation)
    outputs, channels = len(w) // groups, w.shape[1]
    entries = walk.places.size
    packed = panels(table, groups, channels, outputs * entries, g.dtype)
    scratch = np.zeros((entries + 1) * SLACK, g.dtype)
    for group in range(groups):
        pack_input(
            table, w.ctypes.data + group * outputs * channels * entries * w.itemsize, outputs, channels, walk.phases,
            walk.order, packed[group].ctypes.data, scratch.ctypes.data,
        )  # fmt: skip
    dx = np.empty(input_shape, g.dtype)
    through(walk, g, packed, None, groups, outputs, channels, dx)
    return dx


def weight_gradient(g, x, weight_shape, stride, padding, dilation, groups):
    """`conv2d_weight` of volumes by tiles; g and x contiguous."""
    table = tiles.table(x.dtype)
    walk = forward_walk(x.shape[2:], weight_shape[2:], stride, padding, dilation)
    outputs, channels = weight_shape[0] // groups, weight_shape[1]
    panel = VECTORS * int(tiles.lanes.py_func(table))
    depth = channels * walk.places.size
    merged = max(1, ADDED // max(walk.pixels, 1))
    parts = {}

    def work(first, last):
        part = np.empty(weight_shape, x.dtype)
        staged = staging(walk, x, channels, merged)
        most = merged * walk.pixels if merged > 1 else max(ADDED, LONGEST)
        offsets = np.empty(most, np.int64)
        turned = np.zeros(most * panel, x.dtype)
        added = np.empty(depth * panel, x.dtype)
        convolve_weight(
            table, g.ctypes.data, x.ctypes.data, first, last, groups, channels, outputs, x.shape[2:], walk.size,
            walk.margin, 0 if staged is None else staged.ctypes.data, merged, walk.segments, walk.places,
            weight_shape[2:], walk.jump, walk.pixels, offsets, turned.ctypes.data, added, part.ctypes.data,
        )  # fmt: skip
        parts[first] = part

    share(work, len(x))
    return sum_in_order(parts)


def sum_in_order(parts):
    """The sum of the threads' parts, in the order of their images."""
    total = None
    for first in sorted(parts):
        total = parts[first] if total is None else np.add(total, parts[first], out=total)
    return total
