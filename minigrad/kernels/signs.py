"""One step of Rprop, Lion or averaged SGD on one parameter: steps without a second moment.

As in `adaptive.py`: one pass in place over arrays of one dimension, PyTorch's operations in PyTorch's order.

Before this: `adaptive.py`. After it: `optim/`.
"""

import numpy as np

from minigrad.kernels.adaptive import descent, waves
from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.optimizer import multiply_add


@jit
def sign_of(x, number):
    """1, 0 or -1 of the kind `number`; of NaN 0, as in PyTorch."""
    return number(x > 0) - number(x < 0)


def signs(x):
    """`sign_of` of an array. (np.sign gives NaN for NaN)"""
    return (x > 0).astype(x.dtype) - (x < 0).astype(x.dtype)


# ---- Rprop


@kernel(samples=lambda size: (*waves(4, size), 0.5, 1.2, 1e-6, 50.0, False))
def rprop_step(p, g, last, size, shrink, grow, low, high, maximize):
    """One step of Rprop (Riedmiller, Braun 1993), in place. Only the signs of the gradient count.

        g = -g if maximize
        size = clamp(size * (grow where g * last > 0, shrink where it is < 0, else 1), low, high)
        g = 0 where g * last < 0;  p -= sign(g) * size;  last = g

    Args:
        last (ndarray): the gradient before, as it was used.
        size (ndarray): how far each weight steps.
        shrink, grow, low, high (float): the factors and the bounds of `size`.
    """
    d = -g if maximize else g
    agreed = d * last
    size *= np.where(agreed > 0, grow, np.where(agreed < 0, shrink, 1)).astype(p.dtype)
    np.clip(size, low, high, out=size)
    last[...] = np.where(agreed < 0, 0, d)
    p -= signs(last) * size


@rprop_step.numba
def rprop_step(p, g, last, size, shrink, grow, low, high, maximize):
    number = p.dtype.type
    sign, less, more = number(-1 if maximize else 1), number(shrink), number(grow)
    least, most = number(low), number(high)
    for i in range(p.size):
        d = g[i] * sign
        agreed = d * last[i]
        s = size[i] * (more if agreed > 0 else less if agreed < 0 else number(1))
        s = least if s < least else most if s > most else s
        d = number(0) if agreed < 0 else d
        size[i], last[i] = s, d
        p[i] = p[i] - sign_of(d, number) * s


# ---- Lion


@kernel(samples=lambda size: (*waves(3, size), 1e-3, 0.9, 0.99, 0.1, False))
def lion_step(p, g, m, lr, beta1, beta2, weight_decay, maximize):
    """One step of Lion (Chen et al. 2023), in place.

        g = -g if maximize
        p -= lr * (sign(beta1 * m + (1 - beta1) * g) + weight_decay * p);  m = beta2 * m + (1 - beta2) * g

    Args:
        m (ndarray): the running mean of the gradient.
    """
    d = -g if maximize else g
    p *= 1 - lr * weight_decay
    p -= lr * signs(beta1 * m + (1 - beta1) * d)
    m *= beta2
    m += (1 - beta2) * d


@lion_step.numba
def lion_step(p, g, m, lr, beta1, beta2, weight_decay, maximize):
    number = p.dtype.type
    sign, shrink, rate = number(-1 if maximize else 1), number(1 - lr * weight_decay), number(lr)
    keep1, take1, keep2, take2 = number(beta1), number(1 - beta1), number(beta2), number(1 - beta2)
    for i in range(p.size):
        d, a = g[i] * sign, m[i]
        p[i] = p[i] * shrink - rate * sign_of(keep1 * a + take1 * d, number)
        m[i] = keep2 * a + take2 * d


# ---- averaged SGD


@kernel(samples=lambda size: (*waves(3, size), 1e-4, 0.01, 0.5, 0.1, False))
def asgd_step(p, g, mean, lambd, rate, share, weight_decay, maximize):
    """One step of averaged stochastic gradient descent (Polyak, Juditsky 1992), in place.

        g = -g if maximize;  g += weight_decay * p
        p *= 1 - lambd * rate;  p -= rate * g;  mean += share * (p - mean)

    Args:
        mean (ndarray): the mean of the parameters.
        lambd, rate, share (float): decay, learning rate, and the weight of this step in the mean (1 makes it p).
    """
    d = descent(p, g, weight_decay, maximize)
    p *= 1 - lambd * rate
    p -= rate * d
    mean[...] = p if share == 1 else mean + (p - mean) * share


@asgd_step.numba
def asgd_step(p, g, mean, lambd, rate, share, weight_decay, maximize):
    number = p.dtype.type
    sign, decay, shrink = number(-1 if maximize else 1), number(weight_decay), number(1 - lambd * rate)
    down, part = number(-rate), number(share)
    for i in range(p.size):
        d = g[i] * sign
        if weight_decay != 0:
            d = multiply_add(decay, p[i], d)
        x = multiply_add(down, d, p[i] * shrink)
        p[i] = x
        mean[i] = x if part == 1 else mean[i] + (x - mean[i]) * part
