"""Where a convolution by tiles finds its numbers: tables, made once for every size and setting.

A convolution goes through a padded *source* and, line by line, through a *target*. Going forward the source is x:

    target pixel y reads the source at   y * stride + place[k]          place[k] = k * dilation

The input's derivative is a convolution of g: dx[y] adds up w[k] * g[(y + padding - k * dilation) / stride] over those k
that divide. Which do depends on y modulo the stride. So there are `stride` *phases*, each with places of its own:

    stride 2, window of 3, padding 1      y    0   1   2   3   4   5
    phase 0: y = 0, 2, 4                  g    0       1       2         entry 1
    phase 1: y = 1, 3, 5                  g       0,1     1,2     2,3    entries 2 and 0

Before this: nothing. After it: `conv_tiles.py`.
"""

import functools
import itertools
import math
from typing import NamedTuple

import numpy as np

LONGEST = 224  # pixels of a segment; longer lines are cut


class Walk(NamedTuple):
    """How a convolution goes through its padded source and its target, both volumes; counted in numbers."""

    size: tuple[int, int, int]  # of a padded channel
    margin: tuple[int, int, int]  # zeros before it
    segments: np.ndarray  # (S, 3): first number read, row of `phases`, pixels; in the order the target lies in memory
    phases: (
        np.ndarray
    )  # (R, step, 2): first place, places; of the pixels 0, step, ... of a segment, then 1, step + 1, ...
    places: np.ndarray  # (KD*KH*KW,): what each entry of the window adds to the number read
    order: np.ndarray  # (KD*KH*KW,): which entry that is
    jump: int  # from a phase's pixel to its next, in the source
    pixels: int  # of the target

    @property
    def plane(self):
        """Numbers in a padded channel."""
        return math.prod(self.size)


def cut(starts, length, jump, phase):
    """Lines of `length` pixels that start at these numbers, as segments no longer than LONGEST."""
    parts = -(-length // LONGEST)
    size = -(-length // max(parts, 1))
    found = [
        (s + x * jump, f, min(size, length - x)) for s, f in zip(starts, phase) for x in range(0, length, size or 1)
    ]
    return np.array(found, np.int64).reshape(-1, 3)


@functools.lru_cache(maxsize=256)
def forward_walk(image, window, stride, padding, dilation):
    """The `Walk` of the convolution itself: one phase, pixels `stride` apart."""
    size = tuple([n + 2 * p for n, p in zip(image, padding)])
    out = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(size, window, stride, dilation)]
    lines = [(a * stride[0] * size[1] + b * stride[1]) * size[2] for a in range(out[0]) for b in range(out[1])]
    places = [
        (a * dilation[0] * size[1] + b * dilation[1]) * size[2] + c * dilation[2]
        for a, b, c in itertools.product(*map(range, window))
    ]
    segments = cut(lines, out[2], stride[2], [0] * len(lines))
    phases = np.array([[[0, len(places)]]], np.int64)
    order = np.arange(len(places))
    return Walk(size, padding, segments, phases, np.array(places, np.int64), order, stride[2], math.prod(out))


def residues(n, out, k, s, p, d):
    """One dimension of the input's derivative: for y = 0 .. s-1 modulo s the (entry, distance) of what meets there,
    and the zeros needed before and after g."""
    meet = [[(e, (y + p - e * d) // s) for e in range(k) if (y + p - e * d) % s == 0] for y in range(s)]
    before = max([0, *[-at for found in meet for _, at in found]])
    after = max([0, *[at + (n - 1 - y) // s - out + 1 for y, found in enumerate(meet) for _, at in found]])
    return [[(e, at + before) for e, at in found] for found in meet], before, after


@functools.lru_cache(maxsize=256)
def input_walk(image, out, window, stride, padding, dilation):
    """The `Walk` of the input's derivative: through g (out) into dx (image)."""
    every = [residues(*numbers) for numbers in zip(image, out, window, stride, padding, dilation)]
    size = tuple([n + before + after for n, (_, before, after) in zip(out, every)])
    places, order, phases = [], [], []
    for down in itertools.product(every[0][0], every[1][0]):
        for right in every[2][0]:
            met = list(itertools.product(*down, right))
            phases.append((len(places), len(met)))
            places += [(a * size[1] + b) * size[2] + c for (_, a), (_, b), (_, c) in met]
            order += [(a * window[1] + b) * window[2] + c for (a, _), (b, _), (c, _) in met]
    at = list(itertools.product(range(image[0]), range(image[1])))
    lines = [(a // stride[0] * size[1] + b // stride[1]) * size[2] for a, b in at]
    phase = [a % stride[0] * stride[1] + b % stride[1] for a, b in at]
    longest = max(LONGEST // stride[2], 1) * stride[2]
    segments = [
        (s + x // stride[2], f, min(longest, image[2] - x))
        for s, f in zip(lines, phase)
        for x in range(0, image[2], longest)
    ]
    return Walk(
        size,
        tuple([before for _, before, _ in every]),
        np.array(segments, np.int64).reshape(-1, 3),
        np.array(phases, np.int64).reshape(-1, stride[2], 2),
        np.array(places, np.int64),
        np.array(order, np.int64),
        1,
        math.prod(image),
    )
