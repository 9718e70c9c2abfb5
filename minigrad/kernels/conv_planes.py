"""Convolution plane by plane: for depthwise convolutions, and for the derivative by an input of few channels.

Tiles (`conv_tiles.py`) lay channels along their lanes; here there are too few of them, so the vectors lie along the
image. For that a channel is *staged*: padded, and for a stride s split into its s phases in each dimension, so that
every entry of the window reads neighbouring numbers for neighbouring output pixels, whatever the stride and dilation:

    stride 2, one row, padded      . a b c d e f .        entry 0 of the window reads  . b d f   at its place 0
    phase 0  . b d f                                      entry 1 reads                a c e .   at the place of phase 1
    phase 1  a c e .                                      entry 2 reads                b d f     at place 1

The output, too, is first made with the staged row's length. Then whole planes are added up in one long loop, which the
compiler turns into good vector code; the few numbers between two rows are junk and are left behind.

Before this: `conv_tiles.py`. After it: `conv.py`.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

from minigrad.kernels import tiles
from minigrad.kernels.conv_tiles import SLACK, multiply_pixels
from minigrad.kernels.dispatch import jit
from minigrad.kernels.llvm import address
from minigrad.kernels.panels import copy
from minigrad.kernels.threads import share
from minigrad.kernels.tiles import VECTORS, item_size, lanes

BAND = 2048  # numbers that stay in the first-level cache while the entries of the window are added up
COLUMNS = 1 << 16  # numbers of columns that are made before they are folded


class Plan(NamedTuple):
    """Where everything lies for one volume size, window, stride, padding and dilation."""

    out: tuple[int, int, int]
    size: tuple[int, int, int]  # of a staged phase; its last is the length of a row
    reads: np.ndarray  # (3, F, 4): per dimension and phase its origin, first and end index inside, where the first lies
    counts: tuple[int, int, int]  # of phases, per dimension
    places: np.ndarray  # (KD*KH*KW,): where the window of output pixel (0, 0, 0) finds each entry
    home: np.ndarray  # (KD*KH*KW,): the phase it lies in
    lines: np.ndarray  # (OD*OH,): where the rows of output pixels begin, from a place on

    @property
    def staged(self):
        """Numbers in a staged channel."""
        return math.prod(self.counts) * math.prod(self.size)


@functools.lru_cache(maxsize=256)
def plan_for(image, window, stride, padding, dilation):
    """The `Plan` for volumes of size `image`; all arguments are triples."""
    settings = list(zip(image, window, stride, padding, dilation))
    out = tuple([(i + 2 * p - d * (k - 1) - 1) // s + 1 for i, k, s, p, d in settings])
    size = tuple([o + (k - 1) * d // s for o, (_, k, s, _, d) in zip(out, settings)])
    origins = [sorted({e * d % s for e in range(k)}) for _, k, s, _, d in settings]
    reads = np.zeros((3, max(map(len, origins)), 4), np.int64)
    for axis, (i, _, s, p, _) in enumerate(settings):
        for phase, origin in enumerate(origins[axis]):
            start = max(0, -((origin - p) // s))
            reads[axis, phase] = origin, start, min(size[axis], -((origin - p - i) // s)), start * s + origin - p
    places, home = [], []
    for entry in itertools.product(*map(range, window)):
        at, phase = 0, 0
        for e, axis in zip(entry, range(3)):
            whole, origin = divmod(e * dilation[axis], stride[axis])
            at, phase = at * size[axis] + whole, phase * len(origins[axis]) + origins[axis].index(origin)
        places.append(at + phase * math.prod(size))
        home.append(phase)
    lines = [(a * size[1] + b) * size[2] for a in range(out[0]) for b in range(out[1])]
    numbers = [np.array(found, np.int64) for found in (places, home, lines)]
    return Plan(out, size, reads, tuple(map(len, origins)), *numbers)


@jit
def fill(array, value):
    """`array[:] = value`."""
    for i in range(array.size):
        array[i] = value


@jit
def copy_out(table, rows, source, at, pitch, columns, target, to):
    """Rows from source[at], `pitch` apart, to target[to], next to each other; nothing is written past the last."""
    block = VECTORS * lanes(table)  # `copy` writes whole ones
    size, beyond = item_size(table), -columns % block
    safe = max(0, rows - (beyond + columns - 1) // columns)
    copy(table, safe, columns, address(source) + at * size, pitch * size, address(target) + to * size, columns * size)
    for r in range(safe, rows):
        for i in range(columns):
            target[to + r * columns + i] = source[at + r * pitch + i]


@jit
def stage(table, x, at, image, staged, whole, reads, counts, size, stride, padding):
    """Copy the channel that begins at x[at] into the interior of the zero-padded planes of `staged`.

    With a stride along the row, whole rows are put into `whole` first, which is then dealt out in one long loop.
    """
    pitch, number = size[2] * stride[2], item_size(table)
    columns = min(image[2], pitch - padding[2])
    if columns <= 0:
        return  # only padding is read
    plane = size[0] * size[1] * size[2]
    for i in range(counts[0] * counts[1]):
        deep, down = reads[0, i // counts[1]], reads[1, i % counts[1]]
        target = (address(staged) if stride[2] == 1 else address(whole)) + i * size[0] * size[1] * pitch * number
        for a in range(deep[1], deep[2]):
            row = ((deep[3] + (a - deep[1]) * stride[0]) * image[1] + down[3]) * image[2]
            to = (a * size[1] + down[1]) * pitch + padding[2]
            copy(
                table, down[2] - down[1], columns, address(x) + (at + row) * number, stride[1] * image[2] * number,
                target + to * number, pitch * number,
            )  # fmt: skip
        if stride[2] > 1:
            for f in range(counts[2]):
                begin = (i * counts[2] + f) * plane
                deal(whole[i * plane * stride[2] + reads[2, f, 0] :], stride[2], staged[begin : begin + plane])


@jit
def rooms(x, counts, size, stride):
    """Zeros for a staged channel, and for the whole rows that `stage` deals out."""
    plane = size[0] * size[1] * size[2]
    whole = counts[0] * counts[1] * plane * stride[2] + SLACK if stride[2] > 1 else 0
    return np.zeros(counts[0] * counts[1] * counts[2] * plane + SLACK, x.dtype), np.zeros(whole, x.dtype)


@jit
def deal(source, step, target):
    """target[i] = source[i * step]."""
    if step == 2:  # known to the compiler, which makes vector code of it
        for i in range(target.size):
            target[i] = source[2 * i]
    else:
        for i in range(target.size):
            target[i] = source[step * i]


@jit
def unstage(table, staged, x, at, image, reads, counts, size, stride):
    """The reverse of `stage`: what lies inside the planes goes to the channel."""
    plane = size[0] * size[1] * size[2]
    for i in range(counts[0] * counts[1] * counts[2]):
        deep, down, right = (
            reads[0, i // counts[2] // counts[1]],
            reads[1, i // counts[2] % counts[1]],
            reads[2, i % counts[2]],
        )
        for a in range(deep[1], deep[2]):
            source = i * plane + (a * size[1] + down[1]) * size[2] + right[1]
            to = at + ((deep[3] + (a - deep[1]) * stride[0]) * image[1] + down[3]) * image[2] + right[3]
            if stride[1] == 1 and stride[2] == 1:
                copy_out(table, down[2] - down[1], staged, source, size[2], image[2], x, to)
            else:
                for b in range(down[2] - down[1]):
                    for v in range(right[2] - right[1]):
                        x[to + b * stride[1] * image[2] + v * stride[2]] = staged[source + b * size[2] + v]


@jit(fastmath=("contract",))
def add_up(total, source, at, places, weights):
    """total[i] += the sum over entries of weights[entry] * source[at + places[entry] + i]."""
    count, length = places.size, total.size
    for e in range(0, count - 2, 3):  # three at a time: `total` is read and written less often
        w0, w1, w2 = weights[e], weights[e + 1], weights[e + 2]
        a0, a1, a2 = at + places[e], at + places[e + 1], at + places[e + 2]
        s0, s1, s2 = source[a0 : a0 + length], source[a1 : a1 + length], source[a2 : a2 + length]
        for i in range(length):
            total[i] += w0 * s0[i] + w1 * s1[i] + w2 * s2[i]
    for e in range(count // 3 * 3, count):
        w0, s0 = weights[e], source[at + places[e] : at + places[e] + length]
        for i in range(length):
            total[i] += w0 * s0[i]


@jit
def spread(table, g, at, out, spaced, to, size):
    """Copy a volume of output pixels from g[at] on to where the lines of the plan lie, from spaced[to] on."""
    number = item_size(table)
    for a in range(out[0]):
        copy(
            table, out[1], out[2], address(g) + (at + a * out[1] * out[2]) * number, out[2] * number,
            address(spaced) + (to + a * size[1] * size[2]) * number, size[2] * number,
        )  # fmt: skip


@jit
def depthwise_output(table, x, w, bias, y, first, last, image, plan, stride, padding):
    """y of images first..last: every channel gives as many outputs as it has windows in w (channels, multiple, KK)."""
    out, size, reads, counts, places, _, lines = plan
    channels, multiple = w.shape[:2]
    plane, pixels = image[0] * image[1] * image[2], lines.size * out[2]
    staged, whole = rooms(x, counts, size, stride)
    total = np.empty(max(BAND, out[2]) + SLACK, x.dtype)
    for n in range(first, last):
        for c in range(channels):
            stage(table, x, (n * channels + c) * plane, image, staged, whole, reads, counts, size, stride, padding)
            for m in range(multiple):
                put = ((n * channels + c) * multiple + m) * pixels
                for a in range(out[0]):
                    height = max(1, BAND // size[2])
                    for b in range(0, out[1], height):
                        rows, line = min(height, out[1] - b), a * out[1] + b
                        part = total[: (rows - 1) * size[2] + out[2]]
                        fill(part, bias[c * multiple + m] if bias.size else 0)
                        add_up(part, staged, lines[line], places, w[c, m])
                        copy_out(table, rows, total, 0, size[2], out[2], y, put + line * out[2])


@jit
def depthwise_input(table, g, w, dx, first, last, image, plan, stride):
    """dx of images first..last. Of each phase, all of it is added up from g, going backwards by the window's places."""
    out, size, reads, counts, places, home, lines = plan
    channels, multiple, entries = w.shape
    plane, phase, pixels = image[0] * image[1] * image[2], size[0] * size[1] * size[2], lines.size * out[2]
    margin = 0  # zeros before g: how far back the window goes
    for e in range(entries):
        margin = max(margin, places[e] - home[e] * phase)
    staged, _ = rooms(g, counts, size, stride)
    spaced = np.zeros(margin + phase + SLACK, g.dtype)
    back, weights = np.empty(entries, np.int64), np.empty(entries, w.dtype)
    for n in range(first, last):
        for c in range(channels):
            fill(staged, 0)
            for m in range(multiple):
                spread(table, g, ((n * channels + c) * multiple + m) * pixels, out, spaced, margin, size)
                for f in range(counts[0] * counts[1] * counts[2]):
                    count = 0
                    for e in range(entries):
                        if home[e] == f:
                            back[count], weights[count] = f * phase - places[e], w[c, m, e]
                            count += 1
                    for start in range(0, phase, BAND):
                        part = staged[f * phase + start : f * phase + min(start + BAND, phase)]
                        add_up(part, spaced, margin + start, back[:count], weights)
            unstage(table, staged, dx, (n * channels + c) * plane, image, reads, counts, size, stride)


@jit(fastmath=True)
def add_dots(spaced, staged, places, dots):
    """dots[entry] += the sum over i of spaced[i] * staged[places[entry] + i]."""
    length = spaced.size
    for e in range(0, places.size - 2, 3):
        a0, a1, a2 = places[e], places[e + 1], places[e + 2]
        s0, s1, s2 = staged[a0 : a0 + length], staged[a1 : a1 + length], staged[a2 : a2 + length]
        d0 = d1 = d2 = dots.dtype.type(0)
        for i in range(length):
            d0 += spaced[i] * s0[i]
            d1 += spaced[i] * s1[i]
            d2 += spaced[i] * s2[i]
        dots[e] += d0
        dots[e + 1] += d1
        dots[e + 2] += d2
    for e in range(places.size // 3 * 3, places.size):
        s0 = staged[places[e] : places[e] + length]
        d0 = dots.dtype.type(0)
        for i in range(length):
            d0 += spaced[i] * s0[i]
        dots[e] += d0


@jit
def add_lines(spaced, staged, places, lines, width, dots):
    """`add_dots` without the numbers between the rows, where zero times infinity would be NaN."""
    for e in range(places.size):
        for i in range(lines.size):
            for v in range(lines[i], lines[i] + width):
                dots[e] += spaced[v] * staged[places[e] + v]


@jit
def depthwise_weight(table, g, x, dw, first, last, image, plan, stride, padding):
    """Add what images first..last give to dw (channels, multiple, entries)."""
    out, size, reads, counts, places, _, lines = plan
    channels, multiple, entries = dw.shape
    plane, pixels, length = image[0] * image[1] * image[2], lines.size * out[2], lines[-1] + out[2]
    staged, whole = rooms(x, counts, size, stride)
    spaced = np.zeros(length + SLACK, x.dtype)
    dots = np.empty(entries, dw.dtype)
    for n in range(first, last):
        for c in range(channels):
            stage(table, x, (n * channels + c) * plane, image, staged, whole, reads, counts, size, stride, padding)
            for m in range(multiple):
                spread(table, g, ((n * channels + c) * multiple + m) * pixels, out, spaced, 0, size)
                fill(dots, 0)
                add_dots(spaced[:length], staged, places, dots)
                total = dots[0]
                for e in range(1, entries):
                    total += dots[e]
                if not np.isfinite(total):
                    fill(dots, 0)
                    add_lines(spaced, staged, places, lines, out[2], dots)
                for e in range(entries):
                    dw[c, m, e] += dots[e]


def depthwise_forward(x, w, bias, stride, padding, dilation):
    """`conv2d_forward` of volumes with as many groups as channels; x (N, C, D, H, W) and w contiguous."""
    plan = plan_for(x.shape[2:], w.shape[2:], stride, padding, dilation)
    y = np.empty((len(x), len(w), *plan.out), x.dtype)
    bias = np.empty(0, x.dtype) if bias is None else np.ascontiguousarray(bias)
    arrays = tiles.table(x.dtype), x.reshape(-1), w.reshape(x.shape[1], -1, plan.places.size), bias, y.reshape(-1)
    share(lambda first, last: depthwise_output(*arrays, first, last, x.shape[2:], plan, stride, padding), len(x))
    return y


def depthwise_input_gradient(g, w, input_shape, stride, padding, dilation):
    """`conv2d_input` of volumes with as many groups as channels; g and w contiguous."""
    plan = plan_for(input_shape[2:], w.shape[2:], stride, padding, dilation)
    dx = np.zeros(input_shape, g.dtype)  # no window reads what a long stride jumps over
    arrays = tiles.table(g.dtype), g.reshape(-1), w.reshape(input_shape[1], -1, plan.places.size), dx.reshape(-1)
    share(lambda first, last: depthwise_input(*arrays, first, last, input_shape[2:], plan, stride), len(g))
    return dx


def depthwise_weight_gradient(g, x, weight_shape, stride, padding, dilation):
    """`conv2d_weight` of volumes with as many groups as channels; g and x contiguous."""
    plan = plan_for(x.shape[2:], weight_shape[2:], stride, padding, dilation)
    table, parts = tiles.table(x.dtype), {}

    def work(first, last):
        part = parts[first] = np.zeros((x.shape[1], weight_shape[0] // x.shape[1], plan.places.size), x.dtype)
        depthwise_weight(table, g.reshape(-1), x.reshape(-1), part, first, last, x.shape[2:], plan, stride, padding)

    share(work, len(x))
    return sum(parts[first] for first in sorted(parts)).reshape(weight_shape)


@jit
def fold(columns, depth, length, staged, start, places, volume):
    """Add columns (channels, entries, length), of the pixels from `start` on, where the windows overlap, in staged
    channels of `volume` numbers."""
    for row in range(depth):
        to = row // places.size * volume + places[row % places.size] + start
        source, target = columns[row * length : (row + 1) * length], staged[to : to + length]
        for i in range(length):
            target[i] += source[i]


@jit
def thin_input(table, g, w, dx, first, last, outputs, channels, image, plan, stride):
    """dx of images first..last. g gets zeros between its rows, so that the columns which a product makes of it can be
    folded in long loops."""
    out, size, reads, counts, places, _, lines = plan
    number, depth, pixels = item_size(table), channels * places.size, lines.size * out[2]
    plane, volume = image[0] * image[1] * image[2], counts[0] * counts[1] * counts[2] * size[0] * size[1] * size[2]
    total = lines[-1] + out[2]
    most = min(total, max(SLACK, COLUMNS // depth // SLACK * SLACK))
    staged = np.empty(channels * volume + SLACK, g.dtype)
    spaced = np.zeros(outputs * total + SLACK, g.dtype)
    columns = np.empty(depth * most, g.dtype)
    spare = np.empty(outputs * SLACK, g.dtype)
    for n in range(first, last):
        fill(staged, 0)
        for o in range(outputs):
            spread(table, g, (n * outputs + o) * pixels, out, spaced, o * total, size)
        for start in range(0, total, most):
            length = min(most, total - start)
            multiply_pixels(
                table, address(spaced) + start * number, total * number, outputs, depth, length, address(w), number,
                depth * number, 0, address(columns), length * number, address(spare),
            )  # fmt: skip
            fold(columns, depth, length, staged, start, places, volume)
        for c in range(channels):
            at = (n * channels + c) * plane
            unstage(table, staged[c * volume :], dx, at, image, reads, counts, size, stride)


def thin_input_gradient(g, w, input_shape, stride, padding, dilation):
    """`conv2d_input` of volumes of few channels: a product makes columns, one for each window, which overlap."""
    plan = plan_for(input_shape[2:], w.shape[2:], stride, padding, dilation)
    dx = np.zeros(input_shape, g.dtype)  # no window reads what a long stride jumps over
    arrays, sizes = (g.reshape(-1), w.reshape(-1), dx.reshape(-1)), w.shape[:2]
    table = tiles.table(g.dtype)
    share(lambda first, last: thin_input(table, *arrays, first, last, *sizes, input_shape[2:], plan, stride), len(g))
    return dx
