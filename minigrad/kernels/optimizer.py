"""One step of SGD or Adam on one parameter: a single pass over memory, in place.

The operations and their order are PyTorch's (`torch/optim/sgd.py` and `adam.py`, the single-tensor path), rounded where
PyTorch rounds: in its `add(alpha=)`, `lerp` and `addcmul` a product and the sum that follows are one fused operation,
so they are here. A training run so follows PyTorch's to the last bits.

With one exception: what is kept of a gradient that has become zero, as that of a unit that died, halves every few steps
until it is a denormal number, after some 800 steps, and then processors need ten times as long for it. Such numbers are
kept as zero here (`flushed`); no parameter changes by what they would have added.

p is the parameter, g its gradient (not changed); the other arrays are state, of p's shape and dtype.

Many parameters take their step in one call (`sgd_table`, `adam_table`): each is a row of a table of addresses.

    size | gradient  parameter  state ...          addresses of arrays in C order, of `size` numbers each

Before this: `dispatch.py`. After it: `adaptive.py`, `moments.py`, `signs.py`; `optim/`.
"""

import math

import numpy as np

from minigrad.kernels.dispatch import intrinsic, jit, kernel

NOTHING = {"f": np.empty(0, np.float32), "d": np.empty(0, np.float64)}


@intrinsic
def array_at(typing, place, size, kind):
    """The array of `size` numbers, of the dtype of the array `kind`, at an address. Nothing is checked."""
    from numba.core import types
    from numba.np.arrayobj import make_array, populate_array

    array = types.Array(kind.dtype, 1, "C")

    def generate(context, builder, signature, values):
        made = make_array(array)(context, builder)
        step = context.get_constant(types.intp, kind.dtype.bitwidth // 8)
        data = builder.inttoptr(values[0], made.data.type)
        populate_array(made, data=data, shape=[values[1]], strides=[step], itemsize=step, meminfo=None)
        return made._getvalue()

    return array(types.int64, types.int64, kind), generate


@jit(fastmath=("contract",))
def multiply_add(a, b, c):
    """a * b + c, rounded once where the processor can."""
    return a * b + c


@jit(inline=True)
def flushed(x, least):
    """x, but 0 for numbers below `least`. NaN stays."""
    return least - least if abs(x) < least else x


@jit(inline=True)
def least_normal(itemsize):
    """The smallest number that is not denormal."""
    return 1.1754943508222875e-38 if itemsize == 4 else 2.2250738585072014e-308


@jit
def sgd_loop(p, g, buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
    """`sgd_step`; buf is p itself if there is no momentum."""
    p, g, buf = p.reshape(-1), g.reshape(-1), buf.reshape(-1)
    number = p.dtype.type
    sign, decay, rate = number(-1 if maximize else 1), number(weight_decay), number(-lr)
    keep, take, least = number(momentum), number(1 - dampening), number(least_normal(p.itemsize))
    for i in range(p.size):
        d = g[i] * sign
        if weight_decay != 0:
            d = multiply_add(decay, p[i], d)
        if momentum != 0:
            b = d if first else flushed(multiply_add(take, d, buf[i] * keep), least)
            buf[i] = b
            d = multiply_add(keep, b, d) if nesterov else b
        p[i] = multiply_add(rate, d, p[i])


@jit
def adam_moments(x, d, a, b, share, rest, keep, take, sign, decay, shrink, weight_decay, decoupled, low):
    """Parameter x after decoupled weight decay, and the moments a and b after gradient d."""
    d = d * sign
    if weight_decay != 0:
        if decoupled:
            x = x * shrink
        else:
            d = multiply_add(decay, x, d)
    # PyTorch's lerp starts from the nearer end.
    a = multiply_add(share, d - a, a) if share < 0.5 else multiply_add(rest, d - a, d)
    return x, flushed(a, low), flushed(multiply_add(take * d, d, b * keep), low)


@jit
def adam_loop(p, g, m, v, top, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, step, root):
    """`adam_step`; an empty `top` is no vmax; step: the step size; root: of the second bias correction."""
    p, g, m, v, top = p.reshape(-1), g.reshape(-1), m.reshape(-1), v.reshape(-1), top.reshape(-1)
    number = p.dtype.type
    sign, decay, shrink = number(-1 if maximize else 1), number(weight_decay), number(1 - lr * weight_decay)
    share, keep, take = number(1 - beta1), number(beta2), number(1 - beta2)
    rest, rate, divisor, least = share - number(1), number(-step), number(root), number(eps)
    low = number(least_normal(p.itemsize) if eps > 0 else 0.0)  # without eps, v is divided by
    if top.size:
        for i in range(p.size):
            x, a, b = adam_moments(
                p[i], g[i], m[i], v[i], share, rest, keep, take, sign, decay, shrink, weight_decay, decoupled, low
            )
            m[i], v[i] = a, b
            b = b if (b > top[i]) | (b != b) else top[i]
            top[i] = b
            p[i] = x + rate * a / (math.sqrt(b) / divisor + least)
    else:
        for i in range(p.size):
            x, a, b = adam_moments(
                p[i], g[i], m[i], v[i], share, rest, keep, take, sign, decay, shrink, weight_decay, decoupled, low
            )
            m[i], v[i] = a, b
            p[i] = x + rate * a / (math.sqrt(b) / divisor + least)


@jit
def sgd_table(table, kind, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """`sgd_step` of the parameters of a table (state: the momentum buffer, if there is momentum), not the first."""
    for row in table:
        size, g, p, buf = row[0], row[1], row[2], row[-1]
        sgd_loop(
            array_at(p, size, kind), array_at(g, size, kind), array_at(buf, size, kind),
            lr, momentum, dampening, weight_decay, nesterov, maximize, False,
        )  # fmt: skip


@jit
def adam_table(table, kind, counter, lr, beta1, beta2, eps, weight_decay, decoupled, maximize):
    """`adam_step` of the parameters of a table (state: number of the step, m, v, and vmax if there is one). counter: an
    array of the dtype in which the steps are counted."""
    for row in table:
        size, g, p = row[0], row[1], row[2]
        count, m, v = array_at(row[3], 1, counter), array_at(row[4], size, kind), array_at(row[5], size, kind)
        count[0] += 1
        step = float(count[0])
        rate, root = lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
        top = array_at(row[6], size, kind) if row.size > 6 else array_at(p, 0, kind)
        adam_loop(
            array_at(p, size, kind), array_at(g, size, kind), m, v, top,
            lr, beta1, beta2, eps, weight_decay, decoupled, maximize, rate, root,
        )  # fmt: skip


def flush(a):
    """`flushed` of an array, in place."""
    a[np.abs(a) < least_normal.py_func(a.itemsize)] = 0


def samples(size):
    """Parameter, gradient and buffer of `size` numbers, and settings with momentum."""
    p, g, buf = np.sin(np.arange(3 * size, dtype=np.float32)).reshape(3, size)
    return p, g, buf, 0.01, 0.9, 0.0, 0.0, False, False, False


def adam_samples(size):
    """Parameter, gradient and two moments of `size` numbers, and settings."""
    p, g, m, v = np.sin(np.arange(4 * size, dtype=np.float32)).reshape(4, size)
    return p, g, m, v * v, None, 0.001, 0.9, 0.999, 1e-8, 0.0, False, False, 10


@kernel(samples=samples)
def sgd_step(p, g, buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
    """One step of stochastic gradient descent, in place.

        g = -g if maximize;  g += weight_decay * p
        buf = g if first else momentum * buf + (1 - dampening) * g
        p -= lr * (g + momentum * buf if nesterov else buf)

    Args:
        p, g (ndarray): parameter and gradient, float32 or float64.
        buf (ndarray | None): the momentum buffer; without momentum None, and p -= lr * g.
        lr, momentum, dampening, weight_decay (float): PyTorch's hyperparameters.
        nesterov, maximize (bool): as in PyTorch.
        first (bool): the buffer holds nothing yet and becomes g.
    """
    d = -g if maximize else g
    if weight_decay != 0:
        d = d + weight_decay * p
    if momentum != 0:
        if first:
            buf[...] = d
        else:
            buf *= momentum
            buf += (1 - dampening) * d
            flush(buf)
        d = d + momentum * buf if nesterov else buf
    p -= lr * d


@sgd_step.numba(python=True)
def sgd_step(p, g, buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first):
    if not (p.flags.c_contiguous and g.flags.c_contiguous):
        return sgd_step.twin(p, g, buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first)
    return sgd_loop(p, g, p if buf is None else buf, lr, momentum, dampening, weight_decay, nesterov, maximize, first)


@kernel(samples=adam_samples)
def adam_step(p, g, m, v, vmax, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, step):
    """One step of Adam (Kingma & Ba 2015) or AdamW (Loshchilov & Hutter 2019), in place.

        g = -g if maximize;  p *= 1 - lr * weight_decay if decoupled, else g += weight_decay * p
        m += (1 - beta1) * (g - m);  v = beta2 * v + (1 - beta2) * g * g;  vmax = max(vmax, v)
        p -= lr / (1 - beta1**step) * m / (sqrt(vmax or v) / sqrt(1 - beta2**step) + eps)

    Args:
        p, g (ndarray): parameter and gradient, float32 or float64.
        m, v (ndarray): first and second moment.
        vmax (ndarray | None): the largest second moment so far (amsgrad, Reddi et al. 2018); None uses v.
        lr, beta1, beta2, eps, weight_decay (float): PyTorch's hyperparameters.
        decoupled (bool): AdamW's weight decay.
        maximize (bool): climb.
        step (int): the number of this step, the first being 1.
    """
    d = -g if maximize else g
    if weight_decay != 0:
        if decoupled:
            p *= 1 - lr * weight_decay
        else:
            d = d + weight_decay * p
    if beta1 > 0.5:  # PyTorch's lerp starts from the nearer end
        m += (1 - beta1) * (d - m)
    else:
        m[...] = d - beta1 * (d - m)
    v *= beta2
    v += (1 - beta2) * d * d
    if eps > 0:
        flush(m)
        flush(v)
    if vmax is not None:
        np.maximum(vmax, v, out=vmax)
    root = np.sqrt(v if vmax is None else vmax)
    root /= (1 - beta2**step) ** 0.5
    root += eps
    p += -(lr / (1 - beta1**step)) * m / root


@adam_step.numba(python=True)
def adam_step(p, g, m, v, vmax, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, step):
    if not (p.flags.c_contiguous and g.flags.c_contiguous):
        return adam_step.twin(p, g, m, v, vmax, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, step)
    top = NOTHING[p.dtype.char] if vmax is None else vmax
    size, root = lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
    return adam_loop(p, g, m, v, top, lr, beta1, beta2, eps, weight_decay, decoupled, maximize, size, root)
