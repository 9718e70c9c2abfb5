"""One step of Adagrad, Adadelta or RMSprop on one parameter: each weight has a rate of its own, from its past squares.

As in `optimizer.py`: a single pass, in place, PyTorch's operations in PyTorch's order (the single-tensor path of
`torch/optim/adagrad.py` and so on), rounded where PyTorch rounds.

p is the parameter, g its gradient (not changed); the other arrays are state. All have one dimension and one dtype,
float32 or float64; the numbers are floats, `maximize` is a bool.

Before this: `optimizer.py`. After it: `moments.py`, `signs.py`, `factored.py`; `optim/`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import jit, kernel
from minigrad.kernels.optimizer import multiply_add


@jit
def mean_after(mean, d, share, rest):
    """The running mean after one more number, of which it takes `share`: PyTorch's lerp, from the nearer end. `rest` is
    ``share - 1``, given so that float32 stays float32."""
    return multiply_add(share, d - mean, mean) if share < 0.5 else multiply_add(rest, d - mean, d)


def lerp_(mean, d, share):
    """`mean_after` for arrays of NumPy, in place."""
    mean[...] = mean + share * (d - mean) if share < 0.5 else d - (1 - share) * (d - mean)


def descent(p, g, weight_decay, maximize):
    """What NumPy twins go down along: g, turned round to climb, with weight decay."""
    d = -g if maximize else g
    return d + weight_decay * p if weight_decay != 0 else d


def waves(count, size):
    """`count` arrays of `size` numbers for samples: p and g of either sign, the others positive."""
    p, g, *state = np.sin(np.arange(count * size, dtype=np.float32)).reshape(count, size)
    return [p, g, *(array * array for array in state)]


# ---- Adagrad


@kernel(samples=lambda size: (*waves(3, size), 0.01, 1e-10, 0.1, False))
def adagrad_step(p, g, total, rate, eps, weight_decay, maximize):
    """One step of Adagrad (Duchi, Hazan, Singer 2011), in place.

        g = -g if maximize;  g += weight_decay * p
        total += g * g;  p -= rate * g / (sqrt(total) + eps)

    Args:
        total (ndarray): the sum of the squares.
        rate (float): the learning rate of this step, ``lr / (1 + (step - 1) * lr_decay)``.
    """
    d = descent(p, g, weight_decay, maximize)
    total += d * d
    p -= rate * d / (np.sqrt(total) + eps)


@adagrad_step.numba
def adagrad_step(p, g, total, rate, eps, weight_decay, maximize):
    number = p.dtype.type
    sign, decay, least, down = number(-1 if maximize else 1), number(weight_decay), number(eps), number(-rate)
    for i in range(p.size):
        d = g[i] * sign
        if weight_decay != 0:
            d = multiply_add(decay, p[i], d)
        t = multiply_add(d, d, total[i])
        total[i] = t
        p[i] = p[i] + down * d / (math.sqrt(t) + least)


# ---- Adadelta


@kernel(samples=lambda size: (*waves(4, size), 1.0, 0.9, 1e-6, 0.1, False))
def adadelta_step(p, g, square, change, lr, rho, eps, weight_decay, maximize):
    """One step of Adadelta (Zeiler 2012), in place.

        g = -g if maximize;  g += weight_decay * p
        square = rho * square + (1 - rho) * g * g
        step = sqrt(change + eps) / sqrt(square + eps) * g;  p -= lr * step
        change = rho * change + (1 - rho) * step * step

    Args:
        square, change (ndarray): running means of the squares of gradients and of steps.
    """
    d = descent(p, g, weight_decay, maximize)
    square *= rho
    square += (1 - rho) * d * d
    step = np.sqrt(change + eps)
    step /= np.sqrt(square + eps)
    step *= d
    change *= rho
    change += (1 - rho) * step * step
    p -= lr * step


@adadelta_step.numba
def adadelta_step(p, g, square, change, lr, rho, eps, weight_decay, maximize):
    number = p.dtype.type
    sign, decay, least, down = number(-1 if maximize else 1), number(weight_decay), number(eps), number(-lr)
    keep, take = number(rho), number(1 - rho)
    for i in range(p.size):
        d = g[i] * sign
        if weight_decay != 0:
            d = multiply_add(decay, p[i], d)
        s, c = multiply_add(take * d, d, square[i] * keep), change[i]
        step = math.sqrt(c + least) / math.sqrt(s + least) * d
        square[i], change[i] = s, multiply_add(take * step, step, c * keep)
        p[i] = multiply_add(down, step, p[i])


# ---- RMSprop


def rmsprop_samples(size):
    """Centered, with momentum; `mean` so small that the variance stays positive."""
    p, g, square, mean, buffer = waves(5, size)
    return p, g, square + 1, 0.1 * mean, buffer, 0.01, 0.99, 1e-8, 0.1, 0.9, False


@kernel(samples=rmsprop_samples)
def rmsprop_step(p, g, square, mean, buffer, lr, alpha, eps, weight_decay, momentum, maximize):
    """One step of RMSprop (Tieleman, Hinton 2012), centered (Graves 2013) or not, in place.

        g = -g if maximize;  g += weight_decay * p
        square = alpha * square + (1 - alpha) * g * g;  mean += (1 - alpha) * (g - mean)
        step = g / (sqrt(square - mean * mean) + eps)
        buffer = momentum * buffer + step;  p -= lr * buffer

    Args:
        square (ndarray): the running mean of the squares.
        mean (ndarray | None): that of the gradients; None is not centered, ``square`` alone under the root.
        buffer (ndarray | None): the momentum buffer; None is no momentum, ``p -= lr * step``.
    """
    d = descent(p, g, weight_decay, maximize)
    square *= alpha
    square += (1 - alpha) * d * d
    if mean is None:
        root = np.sqrt(square)
    else:
        lerp_(mean, d, 1 - alpha)
        root = np.sqrt(square - mean * mean)
    root += eps
    if buffer is None:
        p -= lr * d / root
    else:
        buffer *= momentum
        buffer += d / root
        p -= lr * buffer


@rmsprop_step.numba
def rmsprop_step(p, g, square, mean, buffer, lr, alpha, eps, weight_decay, momentum, maximize):
    number = p.dtype.type
    sign, decay, least, down = number(-1 if maximize else 1), number(weight_decay), number(eps), number(-lr)
    keep, take, heavy = number(alpha), number(1 - alpha), number(momentum)
    rest = take - number(1)
    for i in range(p.size):
        d = g[i] * sign
        if weight_decay != 0:
            d = multiply_add(decay, p[i], d)
        s = multiply_add(take * d, d, square[i] * keep)
        square[i] = s
        if mean is not None:
            m = mean_after(mean[i], d, take, rest)
            mean[i] = m
            s = multiply_add(-m, m, s)
        root = math.sqrt(s) + least
        if buffer is None:
            p[i] = p[i] + down * d / root
        else:
            b = buffer[i] * heavy + d / root
            buffer[i] = b
            p[i] = multiply_add(down, b, p[i])
