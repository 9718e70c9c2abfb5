"""Losses against class indices: cross-entropy, from logits in one pass, and negative log-likelihood.

With p = softmax(x), t a sample's class, w the class weights, e the label smoothing and C the number of classes:

    loss_i = (1 - e) * w[t] * -log p[t]  +  e/C * sum over c of w[c] * -log p[c]
    dloss_i/dx[c] = (1 - e) * w[t] * (p[c] - (c == t))  +  e/C * (p[c] * sum(w) - w[c])

A sample whose class is `ignore_index` counts for nothing. A mean divides the sum of the losses by that of the w[t].

Before this: `softmax.py`. After it: `ops/loss.py`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel, widest
from minigrad.kernels.reduce import add_pairwise, greatest
from minigrad.kernels.softmax import (
    BLOCK,
    FEW,
    SHORT,
    TILE,
    column_sums,
    exp_all,
    exp_block,
    log_softmax,
    long_row_sums,
    minus_greatest,
    row_sums,
    short_row_sums,
    softmax,
)
from minigrad.kernels.vecmath import by_dtype

SEVERAL, SUM, MEAN = 0, 1, 2
REDUCTIONS = {None: SEVERAL, "none": SEVERAL, "sum": SUM, "mean": MEAN}
NO_WEIGHT = {"f": np.empty(0, np.float32), "d": np.empty(0, np.float64)}

exp_falling, log = math.exp, math.log  # `vecmath`'s stand in their place in the loops below
are_short = True  # and in those of rows, what is known of their length, and the `row_sums` for it


@jit
def conclude(reduction, total, divisor, losses, weights):
    """Store the reduced loss, and what each sample's gradient is multiplied by, if there is a reduction."""
    if reduction == MEAN:
        losses[0], weights[0] = total / divisor, 1 / divisor
    elif reduction == SUM:
        losses[0], weights[0] = total, 1


def by_length(function):
    """Decorator: the `by_dtype` loops over rows, for short ones and for others, by whether they are short."""
    short = by_dtype(function, are_short=True, row_sums=short_row_sums)
    return {True: short, False: by_dtype(function, are_short=False, row_sums=long_row_sums)}


@by_length
def cross_entropy_rows(x, target, weight, ignore_index, smoothing, reduction, losses, weights):
    """Cross-entropy of the rows of x. Returns the number of the first sample whose class does not exist, or -1."""
    widest()
    rows, count = x.shape
    tops, rests = np.empty(rows, x.dtype), np.empty(rows, x.dtype)
    row_sums(x, tops, rests)
    sure, rate = x.dtype.type(1 - smoothing), x.dtype.type(smoothing / max(1, count))
    one, none = x.dtype.type(1), x.dtype.type(0)
    whole = add_pairwise(weight) if weight.size else x.dtype.type(count)
    total = divisor = 0.0
    for i in range(rows):
        t, w, loss = target[i], none, none
        if t != ignore_index:
            if t < 0 or t >= count:
                return i
            w, top, rest = weight[t] if weight.size else one, tops[i], log(rests[i])
            loss = sure * w * (rest - (x[i, t] - top))
            if smoothing > 0:
                far = none
                for c in range(count):
                    far += (x[i, c] - top) * (weight[c] if weight.size else one)
                loss += rate * (whole * rest - far)
        if reduction == SEVERAL:
            losses[i], weights[i] = loss, w
        total += loss
        divisor += w
    conclude(reduction, total, divisor, losses, weights)
    return -1


@by_length
def cross_entropy_rows_backward(g, x, target, weight, ignore_index, smoothing, dx):
    """dx = the gradient of the losses of `cross_entropy_rows` times g (one number, or one per sample)."""
    widest()
    rows, count = x.shape
    sure, rate = x.dtype.type(1 - smoothing), x.dtype.type(smoothing / max(1, count))
    one, none = x.dtype.type(1), x.dtype.type(0)
    whole = add_pairwise(weight) if weight.size else x.dtype.type(count)
    step = 0 if g.size == 1 else 1
    # As in `softmax_rows`, the exponentials of several short rows are taken at once.
    group = BLOCK // count if are_short else 1
    tops = np.empty(group, x.dtype)
    for first in range(0, rows, group):
        part = dx[first : first + group]
        total = 0.0
        if are_short:
            minus_greatest(x[first : first + group], part, tops)
            exp_all(part.reshape(-1))
        else:
            row, top = x[first], greatest(x[first])
            for left in range(0, count, BLOCK):
                total += exp_block(row[left : left + BLOCK], top, part[0, left : left + BLOCK])
        for i in range(part.shape[0]):
            t, out = target[first + i], part[i]
            along, pull = none, none
            if t != ignore_index and 0 <= t < count:
                along = g[(first + i) * step]
                pull = sure * along * (weight[t] if weight.size else one)
            if are_short:
                total = 0.0
                for c in range(count):
                    total += out[c]
            share = x.dtype.type((pull + along * rate * whole) / total)
            for c in range(count):
                out[c] *= share
            if smoothing > 0:
                for c in range(count):
                    out[c] -= along * rate * (weight[c] if weight.size else one)
            if pull != 0:
                out[t] -= pull


@by_dtype
def cross_entropy_places(x, target, weight, ignore_index, smoothing, reduction, losses, weights):
    """`cross_entropy_rows` for x (samples, classes, places): the samples of TILE places at once."""
    widest()
    count, places = x.shape[1:]
    sure, rate = x.dtype.type(1 - smoothing), x.dtype.type(smoothing / count)
    one, none = x.dtype.type(1), x.dtype.type(0)
    whole = add_pairwise(weight) if weight.size else x.dtype.type(count)
    work = np.empty((3, min(TILE, places)), x.dtype)
    total = divisor = 0.0
    for n in range(x.shape[0]):
        for left in range(0, places, TILE):
            size = min(TILE, places - left)
            tops, rests, far = work[0, :size], work[1, :size], work[2, :size]
            column_sums(x[n], left, tops, rests, far)
            far[:] = 0
            if smoothing > 0:
                for c in range(count):
                    row, w = x[n, c, left : left + size], weight[c] if weight.size else one
                    for j in range(size):
                        far[j] += (row[j] - tops[j]) * w
            for j in range(size):
                at = n * places + left + j
                t, w, loss = target[at], none, none
                if t != ignore_index:
                    if t < 0 or t >= count:
                        return at
                    w, rest = weight[t] if weight.size else one, log(rests[j])
                    loss = sure * w * (rest - (x[n, t, left + j] - tops[j]))
                    if smoothing > 0:
                        loss += rate * (whole * rest - far[j])
                if reduction == SEVERAL:
                    losses[at], weights[at] = loss, w
                total += loss
                divisor += w
    conclude(reduction, total, divisor, losses, weights)
    return -1


@by_dtype
def cross_entropy_places_backward(g, x, target, weight, ignore_index, smoothing, dx):
    """`cross_entropy_rows_backward` for x (samples, classes, places)."""
    widest()
    count, places = x.shape[1:]
    sure, rate = x.dtype.type(1 - smoothing), x.dtype.type(smoothing / count)
    one, none = x.dtype.type(1), x.dtype.type(0)
    whole = add_pairwise(weight) if weight.size else x.dtype.type(count)
    step = 0 if g.size == 1 else 1
    work = np.empty((3, min(TILE, places)), x.dtype)
    for n in range(x.shape[0]):
        for left in range(0, places, TILE):
            size = min(TILE, places - left)
            tops, shares, rates = work[0, :size], work[1, :size], work[2, :size]
            column_sums(x[n], left, tops, shares, rates)
            for j in range(size):
                at = n * places + left + j
                t, along, pull = target[at], none, none
                if t != ignore_index and 0 <= t < count:
                    along = g[at * step]
                    pull = sure * along * (weight[t] if weight.size else one)
                rates[j] = along * rate
                shares[j] = (pull + rates[j] * whole) / shares[j]
            for c in range(count):
                row, out = x[n, c, left : left + size], dx[n, c, left : left + size]
                w = weight[c] if weight.size else one
                if smoothing > 0:
                    for j in range(size):
                        out[j] = exp_falling(row[j] - tops[j]) * shares[j] - rates[j] * w
                else:
                    for j in range(size):
                        out[j] = exp_falling(row[j] - tops[j]) * shares[j]
            for j in range(size):
                at = n * places + left + j
                t = target[at]
                if t != ignore_index and 0 <= t < count:
                    dx[n, t, left + j] -= sure * g[at * step] * (weight[t] if weight.size else one)


@jit
def nll_places(x, target, weight, ignore_index, reduction, losses, weights):
    """Negative of the entry of x (samples, classes, places) at each class. Returns as `cross_entropy_rows` does."""
    one, none = x.dtype.type(1), x.dtype.type(0)
    total = divisor = 0.0
    for i in range(x.shape[0]):
        for j in range(x.shape[2]):
            at = i * x.shape[2] + j
            t, w, loss = target[at], none, none
            if t != ignore_index:
                if t < 0 or t >= x.shape[1]:
                    return at
                w = weight[t] if weight.size else one
                loss = -x[i, t, j] * w
            if reduction == SEVERAL:
                losses[at], weights[at] = loss, w
            total += loss
            divisor += w
    conclude(reduction, total, divisor, losses, weights)
    return -1


@jit
def nll_places_backward(g, target, weight, ignore_index, dx):
    """The gradient of the losses of `nll_places` times g, put into the zeros of dx (samples, classes, places)."""
    one = dx.dtype.type(1)
    step = 0 if g.size == 1 else 1
    for i in range(dx.shape[0]):
        for j in range(dx.shape[2]):
            t = target[i * dx.shape[2] + j]
            if t != ignore_index and 0 <= t < dx.shape[1]:
                dx[i, t, j] = -g[(i * dx.shape[2] + j) * step] * (weight[t] if weight.size else one)


def class_rows(x):
    """x (C,), (N, C) or (N, C, ...) with the classes last, as contiguous rows (samples, C)."""
    if x.ndim == 2:
        return np.ascontiguousarray(x)
    x = np.moveaxis(x, min(1, x.ndim - 1), -1)
    return np.ascontiguousarray(x).reshape(math.prod(x.shape[:-1]), x.shape[-1])


def many_places(shape):
    """Whether a sample's logits are so far apart, and so many samples lie between, that those are done together."""
    return len(shape) > 2 and math.prod(shape[2:]) >= FEW


def class_places(x):
    """x (C,), (N, C) or (N, C, ...) as contiguous (N, C, places)."""
    shape = x.shape if x.ndim > 1 else (1, *x.shape)
    return np.ascontiguousarray(x).reshape(shape[0], shape[1], math.prod(shape[2:]))


def rows_back(dx, shape):
    """The reverse of `class_rows`: back to `shape`."""
    if len(shape) < 3:
        return dx.reshape(shape)
    return np.ascontiguousarray(np.moveaxis(dx.reshape(shape[0], *shape[2:], shape[1]), -1, 1))


def places(target):
    """The class indices one after the other, as the loops read them."""
    return np.ascontiguousarray(target, np.int64).reshape(-1)


def out_of_bounds(target):
    """PyTorch's error for a class index that is neither of a class nor `ignore_index`."""
    return IndexError(f"Target {target} is out of bounds.")


def weighing(target, weight, ignore_index, classes, dtype):
    """The NumPy twins' view of the targets: whether each counts, its class (0 if not), its weight (0 if not), and the
    weights of the classes."""
    counts = target != ignore_index
    bad = target[counts & ((target < 0) | (target >= classes))]
    if bad.size:
        raise out_of_bounds(bad[0])
    weight = np.ones(classes, dtype) if weight is None else weight
    index = np.where(counts, target, 0)
    return counts, index, np.where(counts, weight[index], dtype.type(0)) if classes else counts.astype(dtype), weight


def numpy_reduced(losses, weights, reduction):
    """What the NumPy twins return, from the losses and weights of the samples."""
    if reduction is None:
        return losses, weights
    with np.errstate(invalid="ignore", divide="ignore"):
        scale = np.asarray(1 / weights.sum() if reduction == "mean" else 1, losses.dtype)
        return (losses if reduction == "none" else np.asarray(losses.sum() * scale)), scale


def run(loop, x, target, weight, settings, reduction):
    """Call a loop over samples on new arrays for losses and weights; returns them as the kernels do."""
    several = REDUCTIONS[reduction] == SEVERAL
    count, target_places = target.size if several else 1, places(target)
    losses, weights = np.empty(count, x.dtype), np.empty(count, x.dtype)
    weight = NO_WEIGHT[x.dtype.char] if weight is None else np.ascontiguousarray(weight)
    bad = loop(x, target_places, weight, *settings, REDUCTIONS[reduction], losses, weights)
    if bad >= 0:
        raise out_of_bounds(target_places[bad])
    if not several:
        return losses.reshape(()), weights.reshape(())
    return losses.reshape(target.shape), np.ones((), x.dtype) if reduction else weights.reshape(target.shape)


def samples(size):
    """Logits (N, C) of about `size` numbers in ten classes or more, and settings."""
    classes = 10 if size < 100_000 else 1000
    x = np.sin(np.arange(max(1, size // classes) * classes, dtype=np.float32)).reshape(-1, classes)
    return x, np.arange(len(x)) % classes, None, -100, 0.0


def backward_samples(size):
    """A gradient for each sample of those, the logits and settings."""
    x, *settings = samples(size)
    return np.ones(len(x), np.float32), x, *settings


def nll_samples(size):
    """The same without smoothing."""
    return samples(size)[:4]


def nll_backward_samples(size):
    """A gradient for each sample, the classes and settings, the logits' shape."""
    x, *settings = nll_samples(size)
    return np.ones(len(x), np.float32), *settings, x.shape


@kernel(samples=samples)
def cross_entropy_forward(x, target, weight, ignore_index, label_smoothing, reduction=None):
    """Cross-entropy of logits with class indices: the formula at the head of this file.

    Args:
        x (ndarray): logits (C,), (N, C) or (N, C, ...), float32 or float64.
        target (ndarray): integers of x's shape without C.
        weight (ndarray | None): (C,), of x's dtype; None is ones.
        ignore_index (int): the class of samples that do not count.
        label_smoothing (float): from 0 to 1.
        reduction (str | None): "none", "sum" or "mean", or None.

    Returns:
        tuple[ndarray, ndarray]: if `reduction` is None, losses and weights of the samples, of target's shape. Otherwise
        the reduced loss, and a 0-d scale: what a gradient with respect to that is to be multiplied by before it is
        handed to `cross_entropy_backward` (1 over the sum of the weights for a mean, else 1).

    Raises:
        IndexError: a target is neither one of the C classes nor `ignore_index`.
    """
    rows, flat = class_rows(x), target.reshape(-1)
    counts, index, own, weight = weighing(flat, weight, ignore_index, rows.shape[1], x.dtype)
    if not rows.size:
        return numpy_reduced(np.zeros(target.shape, x.dtype), own.reshape(target.shape), reduction)
    logs = log_softmax.twin(rows, 1)
    losses = own * -np.take_along_axis(logs, index[:, None], 1)[:, 0] * x.dtype.type(1 - label_smoothing)
    if label_smoothing > 0:
        losses -= x.dtype.type(label_smoothing / len(weight)) * (logs * weight).sum(1)
    losses = np.where(counts, losses, x.dtype.type(0)).reshape(target.shape)
    return numpy_reduced(losses, own.reshape(target.shape), reduction)


@cross_entropy_forward.numba(python=True)
def cross_entropy_forward(x, target, weight, ignore_index, label_smoothing, reduction=None):
    if not x.size:
        return cross_entropy_forward.twin(x, target, weight, ignore_index, label_smoothing, reduction)
    settings = (ignore_index, float(label_smoothing))
    if many_places(x.shape):
        return run(cross_entropy_places[x.dtype.char], class_places(x), target, weight, settings, reduction)
    rows = class_rows(x)
    loop = cross_entropy_rows[rows.shape[1] < SHORT][x.dtype.char]
    return run(loop, rows, target, weight, settings, reduction)


@kernel(samples=backward_samples)
def cross_entropy_backward(g, x, target, weight, ignore_index, label_smoothing):
    """Derivative of the losses of `cross_entropy_forward` with respect to x, applied to g.

    Args:
        g (ndarray): of target's shape, or a single number for all samples, of x's dtype.
        x, target, weight, ignore_index, label_smoothing: those of the forward pass.

    Returns:
        ndarray: of x's shape.
    """
    rows, flat = class_rows(x), target.reshape(-1)
    counts, index, own, weight = weighing(flat, weight, ignore_index, rows.shape[1], x.dtype)
    if not rows.size:
        return np.zeros(x.shape, x.dtype)
    along = np.where(counts, g.reshape(-1), x.dtype.type(0))[:, None]
    pull = along * own[:, None] * x.dtype.type(1 - label_smoothing)
    rate = along * x.dtype.type(label_smoothing / len(weight))
    dx = softmax.twin(rows, 1) * (pull + rate * weight.sum())
    if label_smoothing > 0:
        dx -= rate * weight
    dx[np.arange(len(rows)), index] -= pull[:, 0]
    return rows_back(dx, x.shape)


@cross_entropy_backward.numba(python=True)
def cross_entropy_backward(g, x, target, weight, ignore_index, label_smoothing):
    if not x.size:
        return np.zeros(x.shape, x.dtype)
    weight = NO_WEIGHT[x.dtype.char] if weight is None else np.ascontiguousarray(weight)
    settings = (places(target), weight, ignore_index, float(label_smoothing))
    g = np.ascontiguousarray(g).reshape(-1)
    if many_places(x.shape):
        dx = np.empty(x.shape, x.dtype)
        cross_entropy_places_backward[x.dtype.char](g, class_places(x), *settings, class_places(dx))
        return dx
    rows = class_rows(x)
    dx = np.empty(rows.shape, x.dtype)
    cross_entropy_rows_backward[rows.shape[1] < SHORT][x.dtype.char](g, rows, *settings, dx)
    return dx if x.ndim == 2 else rows_back(dx, x.shape)


@kernel(samples=nll_samples)
def nll_forward(x, target, weight, ignore_index, reduction=None):
    """Negative log-likelihood: -w[t] * x[t] of each sample, x being log-probabilities.

    Args, returns and raises as `cross_entropy_forward`, without smoothing.
    """
    flat = target.reshape(-1)
    x = class_rows(x)
    _, index, own, _ = weighing(flat, weight, ignore_index, x.shape[1], x.dtype)
    chosen = np.take_along_axis(x, index[:, None], 1)[:, 0] if x.size else own
    losses = np.where(own != 0, -chosen * own, x.dtype.type(0))
    return numpy_reduced(losses.reshape(target.shape), own.reshape(target.shape), reduction)


@nll_forward.numba(python=True)
def nll_forward(x, target, weight, ignore_index, reduction=None):
    return run(nll_places, class_places(x), target, weight, (ignore_index,), reduction)


@kernel(samples=nll_backward_samples)
def nll_backward(g, target, weight, ignore_index, input_shape):
    """Derivative of the losses of `nll_forward` with respect to x, applied to g: zeros but for -w[t] * g at [t].

    Args:
        g (ndarray): of target's shape, or a single number for all samples.
        target, weight, ignore_index: those of the forward pass.
        input_shape (tuple[int, ...]): x's shape.

    Returns:
        ndarray: of `input_shape`.
    """
    classes = input_shape[min(1, len(input_shape) - 1)]
    _, index, own, _ = weighing(target.reshape(-1), weight, ignore_index, classes, g.dtype)
    dx = np.zeros((len(index), classes), g.dtype)
    if dx.size:
        np.put_along_axis(dx, index[:, None], (np.where(own != 0, -g.reshape(-1) * own, g.dtype.type(0)))[:, None], 1)
    return rows_back(dx, input_shape)


@nll_backward.numba(python=True)
def nll_backward(g, target, weight, ignore_index, input_shape):
    dx = np.zeros(input_shape, g.dtype)
    weight = NO_WEIGHT[g.dtype.char] if weight is None else np.ascontiguousarray(weight)
    nll_places_backward(np.ascontiguousarray(g).reshape(-1), places(target), weight, ignore_index, class_places(dx))
    return dx
