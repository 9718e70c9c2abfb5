"""One step of Adamax, NAdam or RAdam on one parameter: the relatives of Adam, with running means m and v of their own.

As in `adaptive.py`: one pass in place over arrays of one dimension, PyTorch's operations in PyTorch's order.

Before this: `adaptive.py`. After it: `optim/`.
"""

import math

import numpy as np

from minigrad.kernels.adaptive import descent, lerp_, mean_after, waves
from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.optimizer import multiply_add

# ---- Adamax


@kernel(samples=lambda size: (*waves(4, size), 0.01, 0.9, 0.999, 1e-8, 0.1, False))
def adamax_step(p, g, m, u, rate, beta1, beta2, eps, weight_decay, maximize):
    """One step of Adamax (Kingma, Ba 2015), in place.

        g = -g if maximize;  g += weight_decay * p
        m += (1 - beta1) * (g - m);  u = max(beta2 * u, |g| + eps);  p -= rate * m / u

    Args:
        m, u (ndarray): the running mean of the gradient, and the decaying largest size it had.
        rate (float): ``lr / (1 - beta1**step)``.
    """
    d = descent(p, g, weight_decay, maximize)
    lerp_(m, d, 1 - beta1)
    u *= beta2
    np.maximum(u, np.abs(d) + eps, out=u)
    p -= rate * m / u


@adamax_step.numba
def adamax_step(p, g, m, u, rate, beta1, beta2, eps, weight_decay, maximize):
    number = p.dtype.type
    sign, decay, least, down = number(-1 if maximize else 1), number(weight_decay), number(eps), number(-rate)
    share, keep = number(1 - beta1), number(beta2)
    rest = share - number(1)
    for i in range(p.size):
        d = g[i] * sign
        if weight_decay != 0:
            d = multiply_add(decay, p[i], d)
        a, before, now = mean_after(m[i], d, share, rest), u[i] * keep, abs(d) + least
        largest = before if (before > now) | (before != before) else now
        m[i], u[i] = a, largest
        p[i] = p[i] + down * a / largest


# ---- NAdam and RAdam: the decay of both is Adam's, of the gradient or of p itself ("decoupled")


@jit
def moments_after(x, d, a, b, share, rest, keep, take, decay, shrink, weight_decay, decoupled):
    """Parameter x after decoupled weight decay, the gradient d after the other kind, the moments a and b after d."""
    if weight_decay != 0:
        if decoupled:
            x = x * shrink
        else:
            d = multiply_add(decay, x, d)
    return x, d, mean_after(a, d, share, rest), multiply_add(take * d, d, b * keep)


def decay_and_average(p, g, m, v, lr, beta1, beta2, weight_decay, decoupled, maximize):
    """`moments_after` for NumPy twins, in place; returns the gradient."""
    if decoupled:
        p *= 1 - lr * weight_decay
    d = descent(p, g, 0.0 if decoupled else weight_decay, maximize)
    lerp_(m, d, 1 - beta1)
    v *= beta2
    v += (1 - beta2) * d * d
    return d


@kernel(samples=lambda size: (*waves(4, size), 0.01, 0.9, 0.999, 1e-8, 0.1, True, False, 0.002, 0.01, 0.01))
def nadam_step(p, g, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, rate_g, rate_m, correction):
    """One step of NAdam (Dozat 2016), in place.

        g = -g if maximize;  p *= 1 - lr * weight_decay if decoupled, else g += weight_decay * p
        m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g * g
        p -= (rate_g * g + rate_m * m) / (sqrt(v / correction) + eps)

    Args:
        m, v (ndarray): first and second moment.
        decoupled (bool): AdamW's weight decay.
        rate_g, rate_m (float): the learning rate of this step along g and along m.
        correction (float): ``1 - beta2**step``.
    """
    d = decay_and_average(p, g, m, v, lr, beta1, beta2, weight_decay, decoupled, maximize)
    root = np.sqrt(v / correction)
    root += eps
    p -= rate_g * d / root
    p -= rate_m * m / root


@nadam_step.numba
def nadam_step(p, g, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, rate_g, rate_m, correction):
    number = p.dtype.type
    sign, decay, shrink = number(-1 if maximize else 1), number(weight_decay), number(1 - lr * weight_decay)
    share, keep, take = number(1 - beta1), number(beta2), number(1 - beta2)
    rest = share - number(1)
    along_g, along_m, divisor, least = number(-rate_g), number(-rate_m), number(correction), number(eps)
    for i in range(p.size):
        x, d, a, b = moments_after(
            p[i], g[i] * sign, m[i], v[i], share, rest, keep, take, decay, shrink, weight_decay, decoupled
        )
        m[i], v[i] = a, b
        root = math.sqrt(b / divisor) + least
        x = x + along_g * d / root
        p[i] = x + along_m * a / root


@kernel(samples=lambda size: (*waves(4, size), 0.01, 0.9, 0.999, 1e-8, 0.1, True, False, 0.65, 0.1, 0.3))
def radam_step(p, g, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, correction, root2, rectifier):
    """One step of RAdam (Liu et al. 2020), in place.

        g = -g if maximize;  p *= 1 - lr * weight_decay if decoupled, else g += weight_decay * p
        m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g * g
        p -= lr * m / correction * (rectifier * root2 / (sqrt(v) + eps) if rectifier > 0, else 1)

    Args:
        m, v (ndarray): first and second moment.
        decoupled (bool): AdamW's weight decay.
        correction, root2 (float): ``1 - beta1**step`` and ``sqrt(1 - beta2**step)``.
        rectifier (float): how far v is to be trusted; 0 is not at all.
    """
    decay_and_average(p, g, m, v, lr, beta1, beta2, weight_decay, decoupled, maximize)
    step = m / correction
    step *= lr
    if rectifier > 0:
        step *= root2 / (np.sqrt(v) + eps)
        step *= rectifier
    p -= step


@radam_step.numba
def radam_step(p, g, m, v, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, correction, root2, rectifier):
    number = p.dtype.type
    sign, decay, shrink = number(-1 if maximize else 1), number(weight_decay), number(1 - lr * weight_decay)
    share, keep, take = number(1 - beta1), number(beta2), number(1 - beta2)
    rest = share - number(1)
    rate, divisor, least, root, trust = number(lr), number(correction), number(eps), number(root2), number(rectifier)
    for i in range(p.size):
        x, _, a, b = moments_after(
            p[i], g[i] * sign, m[i], v[i], share, rest, keep, take, decay, shrink, weight_decay, decoupled
        )
        m[i], v[i] = a, b
        step = a / divisor * rate
        if rectifier > 0:
            step = step * (root / (math.sqrt(b) + least)) * trust
        p[i] = x - step
