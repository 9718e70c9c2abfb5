"""Random numbers that are drawn by rejection, with PyTorch's CPU streams: gamma, Dirichlet, Poisson, binomial.

Ground floor: a `Generator` and ndarrays in, ndarrays out. The numbers, and the state the generator is left in, are
PyTorch's. Nobody knows beforehand how many uniforms a number takes, so the kernels get what will probably do, and more
when that was not enough; at the end the generator is set back to the start and moved on by what was used.
"""

import math

import numpy as np

from minigrad.errors import describe, message
from minigrad.kernels.rejection import binomial_draws, gamma_draws, poisson_draws

_CHUNK = 1 << 14  # numbers drawn at once

_HALF_TOO, _FULL = (np.float16, np.float32, np.float64), (np.float32, np.float64)


@np.errstate(all="ignore")
def standard_gamma(generator, alpha):
    """Gamma numbers of rate 1 and of concentration `alpha`, a float32 or float64 array; in its shape and dtype.

    RuntimeError if a concentration is negative or NaN.
    """
    _check("_standard_gamma", "alpha", alpha, _FULL)
    values = _gamma(generator, alpha).astype(alpha.dtype)
    return np.maximum(values, np.finfo(alpha.dtype).tiny)


@np.errstate(all="ignore")
def dirichlet(generator, alpha):
    """Points of the simplex: gamma numbers of the concentrations `alpha`, divided by the sum of the last dimension."""
    _check("_sample_dirichlet", "alpha", alpha, _FULL)
    values = np.maximum(_gamma(generator, alpha.astype(np.float64)), np.finfo(np.float64).tiny)
    values /= values.sum(-1, keepdims=True)
    one = alpha.dtype.type(1)
    return np.clip(values.astype(alpha.dtype), np.finfo(alpha.dtype).tiny, np.nextafter(one, one - one))


def _gamma(generator, alpha):
    """Gamma numbers as float64. The concentration is prepared in its own dtype, as PyTorch does."""
    if alpha.size and not alpha.min() >= 0:
        raise RuntimeError(message("_standard_gamma", "alpha", f"{alpha.min():g}", "concentrations not below 0"))
    low, one = alpha < 1, alpha.dtype.type(1)
    power = np.where(low, one / alpha, 0)  # for Γ(alpha) is Γ(alpha + 1) times u ** (1 / alpha)
    d = np.where(low, alpha + one, alpha) - alpha.dtype.type(np.float32(1) / np.float32(3))

    def draw(part, units):
        spare = math.nan if generator._waiting is None else generator._waiting
        values, done, used, spare = gamma_draws(d[part], power[part], units, spare)
        generator._waiting = None if math.isnan(spare) else spare
        return values, done, used

    d, power = (np.ascontiguousarray(x, np.float64).reshape(-1) for x in (d, power))
    return _drawn(generator, d.size, 5, draw).reshape(alpha.shape)


def poisson(generator, rate):
    """Poisson numbers of the given rates, a floating point array; in its shape and dtype.

    RuntimeError if a rate is negative, infinite or NaN.
    """
    _check("poisson", "input", rate, _HALF_TOO)
    if rate.size and not (rate.min() >= 0 and rate.max() < np.inf):
        found = f"values in [{rate.min():g}, {rate.max():g}]"
        raise RuntimeError(f"poisson(): invalid Poisson rate, expected rate to be non-negative, but got {found}")
    flat = np.ascontiguousarray(rate, np.float64).reshape(-1)
    most = min(flat.max(initial=0), 10)
    values = _drawn(generator, flat.size, 2 + most / 2, lambda part, units: poisson_draws(flat[part], units))
    with np.errstate(over="ignore"):
        return values.astype(rate.dtype).reshape(rate.shape)


def binomial(generator, count, prob):
    """How many of `count` trials succeed, each with probability `prob`: arrays of one dtype, float32 or float64.

    0 where the count or the probability is negative, the count where the probability is above 1, NaN where it is NaN.
    """
    _check("binomial", "count", count, _FULL)
    count, prob = np.broadcast_arrays(count, prob)
    inside, often = (count > 0) & (prob > 0) & (prob < 1), prob > 0.5
    with np.errstate(all="ignore"):  # in the dtype given, as PyTorch does
        p = np.where(inside, np.where(often, 1 - prob, prob), 0).astype(count.dtype)
        n = np.where(inside, count, 0).astype(count.dtype)
        columns = (n, n * p, np.sqrt(n * p * (1 - p)), p, p / (1 - p), np.floor((n + 1) * p), np.log1p(-p))
    table = np.stack(columns, -1).astype(np.float64).reshape(-1, len(columns))
    values = _drawn(generator, len(table), 6, lambda part, units: binomial_draws(table[part], units))
    values = values.reshape(count.shape).astype(count.dtype)
    values = np.where(often, count - values, values)
    outside = np.where((count <= 0) | (prob <= 0), 0, np.where(prob >= 1, count, np.nan))
    return np.where(inside, values, outside).astype(count.dtype)


def _drawn(generator, count, each, draw):
    """`count` numbers; ``draw(part, units)`` makes those of a slice, `each` is how many uniforms one may take."""
    out = np.empty(count)
    for start in range(0, count, _CHUNK):
        stop, before = min(start + _CHUNK, count), generator._engine.state
        units, total = np.empty(0), 0
        while start < stop:
            more = generator._units64(int(each * (stop - start)) + 8)
            units = np.concatenate((units, more))
            values, done, used = draw(slice(start, stop), units)
            out[start : start + done] = values[:done]
            start, units, total = start + done, units[used:], total + used
        generator._engine.state = before
        generator._engine.random_raw(2 * total, output=False)
    return out


def _check(op, argument, array, kinds):
    if array.dtype not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise NotImplementedError(message(op, argument, describe(array), f"a tensor of dtype {names}"))
