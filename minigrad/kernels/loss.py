"""Losses against class indices: cross-entropy, from logits in one pass, and negative log-likelihood.

With p = softmax(x), t a sample's class, w the class weights, e the label smoothing and C the number of classes:

    loss_i = (1 - e) * w[t] * -log p[t]  +  e/C * sum over c of w[c] * -log p[c]
    dloss_i/dx[c] = (1 - e) * w[t] * (p[c] - (c == t))  +  e/C * (p[c] * sum(w) - w[c])

A sample whose class is `ignore_index` counts for nothing. A mean divides the sum of the losses by that of the w[t].

Before this: `softmax.py`. After it: `ops/loss.py`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.softmax import BLOCK, SHORT, by_dtype, exp_all, exp_block, greatest, minus_greatest, row_sums

SEVERAL, SUM, MEAN = 0, 1, 2
REDUCTIONS = {None: SEVERAL, "none": SEVERAL, "sum": SUM, "mean": MEAN}
NO_WEIGHT = {"f": np.empty(0, np.float32), "d": np.empty(0, np.float64)}

log = math.log  # `vecmath`'s stands in its place in the loops below


@jit
def collect(i, value, w, reduction, losses, weights):
    """Put a sample's loss and weight where they belong: in their place, or on top of the others."""
    if reduction == SEVERAL:
        losses[i], weights[i] = value, w
    else:
        losses[0] += value
        weights[0] += w


@jit
def conclude(reduction, losses, weights):
    """Turn the sums of losses and weights into the reduced loss and what each sample's gradient is multiplied by."""
    if reduction != SEVERAL:
        one = losses.dtype.type(1)
        weights[0] = one / weights[0] if reduction == MEAN else one
        losses[0] *= weights[0]


@by_dtype
def cross_entropy_rows(x, target, weight, ignore_index, smoothing, reduction, losses, weights):
    """Cross-entropy of the rows of x. Returns the number of the first sample whose class does not exist, or -1."""
    rows, count = x.shape
    tops, rests = np.empty(rows, x.dtype), np.empty(rows, x.dtype)
    row_sums(x, tops, rests)
    rate = x.dtype.type(smoothing / max(1, count))
    sure, one, none = x.dtype.type(1 - smoothing), x.dtype.type(1), x.dtype.type(0)
    whole = weight.sum() if weight.size else x.dtype.type(count)
    for i in range(rows):
        t = target[i]
        if t == ignore_index:
            collect(i, none, none, reduction, losses, weights)
            continue
        if t < 0 or t >= count:
            return i
        w, top, rest = weight[t] if weight.size else one, tops[i], log(rests[i])
        value = sure * w * (rest - (x[i, t] - top))
        if smoothing > 0:
            total = none
            for c in range(count):
                total += (x[i, c] - top) * (weight[c] if weight.size else one)
            value += rate * (whole * rest - total)
        collect(i, value, w, reduction, losses, weights)
    conclude(reduction, losses, weights)
    return -1
