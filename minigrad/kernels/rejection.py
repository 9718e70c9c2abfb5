"""Samplers that try again until a number fits: gamma, Poisson, binomial. How many uniforms that takes, nobody knows.

So each kernel gets the uniforms drawn so far and stops in front of the number they do not suffice for. It returns

    values   as many as were asked for, of which the first `done` are there
    done     how many that are
    used     how many uniforms these have taken
    spare    the second normal of a pair (NaN: none), which waits for whoever draws next; only for gamma

`minigrad/random_rejection.py` goes on from there with more of them. NumPy has nothing to offer for loops of this kind:
the numba twin is the same Python code, compiled.

Sources: G. Marsaglia and W. W. Tsang, A simple method for generating gamma variables (2000); W. Hörmann, The
transformed rejection method for generating Poisson random variables (1993) and The generation of binomial random
variables (1993); L. Devroye, Non-Uniform Random Variate Generation (1986), X.4.1: waiting times. With the constants
and the order of the draws of PyTorch.
"""

import math
import sys

import numpy as np

from minigrad.kernels.dispatch import kernel

_SQUEEZE = float(np.float32(0.0331))
# log(k!) less Stirling's formula, of k = 0 .. 9; from there on its series is short.
_TAIL = np.array([
    0.0810614667953272, 0.0413406959554092, 0.0276779256849983, 0.02079067210376509, 0.0166446911898211,
    0.0138761288230707, 0.0118967099458917, 0.0104112652619720, 0.00925546218271273, 0.00833056343336287,
])  # fmt: skip


def _many(count):
    """A rule for `when`, given how many numbers a call draws."""

    def pays(*arguments):
        """256 draws or more; before numba is loaded, which takes 0.3 s, 4096"""
        return count(*arguments) >= (1 << 8 if "numba" in sys.modules else 1 << 12)

    return pays


def _gamma_sample(size):
    numbers = np.random.default_rng(0)
    return numbers.uniform(0.7, 20, size), numbers.uniform(0, 3, size).round(), numbers.random(8 * size), math.nan


@kernel(samples=_gamma_sample)
def gamma_draws(d, power, units, spare):
    """Standard gamma numbers of concentration ``d + 1/3``, times ``u ** power`` of another uniform where power > 0.

    Args:
        d, power (ndarray): float64 of shape (n,). Where `power` is infinite the number is 0, and nothing is drawn.
        units (ndarray): float64 uniforms of [0, 1).
        spare (float): a normal number that is used first; NaN if there is none.
    """
    values, used = np.empty(d.size), 0
    for i in range(d.size):
        start, kept, scale = used, spare, 1.0
        if power[i] == np.inf:
            values[i] = 0.0
            continue
        if power[i] > 0:
            if used == units.size:
                return values, i, start, kept
            scale = math.pow(1 - units[used], power[i])
            used += 1
        c = 1 / math.sqrt(9 * d[i])
        while True:
            y = 0.0
            while y <= 0:
                if spare == spare:
                    x, spare = spare, math.nan
                else:
                    if used + 2 > units.size:
                        return values, i, start, kept
                    radius = math.sqrt(-2 * math.log1p(-units[used + 1]))
                    angle = 2 * math.pi * units[used]
                    used += 2
                    x, spare = radius * math.cos(angle), radius * math.sin(angle)
                y = 1 + c * x
            if used == units.size:
                return values, i, start, kept
            u = 1 - units[used]
            used += 1
            v, xx = y * y * y, x * x
            if u < 1 - _SQUEEZE * xx * xx or math.log(u) < 0.5 * xx + d[i] * (1 - v + math.log(v)):
                values[i] = scale * d[i] * v
                break
    return values, d.size, used, spare


gamma_draws.numba(gamma_draws.twin, when=_many(lambda d, power, units, spare: d.size))


def _poisson_sample(size):
    numbers = np.random.default_rng(0)
    return numbers.uniform(0, 20, size), numbers.random(25 * size)


@kernel(samples=_poisson_sample)
def poisson_draws(rate, units):
    """Poisson numbers: below a rate of 10 by multiplying uniforms up, else by Hörmann's transformed rejection (PTRS).

    Args:
        rate (ndarray): float64 of shape (n,), not negative.
        units (ndarray): float64 uniforms of [0, 1).
    """
    values, used = np.empty(rate.size), 0
    for i in range(rate.size):
        start, mean = used, rate[i]
        if mean < 10:
            k, product, bound = -1, 1.0, math.exp(-mean)
            while mean > 0:
                if used == units.size:
                    return values, i, start
                product *= units[used]
                used += 1
                k += 1
                if product <= bound:
                    break
            values[i] = max(k, 0)
            continue
        root, log_mean = math.sqrt(mean), math.log(mean)
        b = 0.931 + 2.53 * root
        a = -0.059 + 0.02483 * b
        height = 1.1239 + 1.1328 / (b - 3.4)
        sure = 0.9277 - 3.6224 / (b - 2)
        while True:
            if used + 2 > units.size:
                return values, i, start
            u, v = units[used] - 0.5, units[used + 1]
            used += 2
            us = 0.5 - abs(u)
            if us == 0:
                continue
            number = math.floor((2 * a / us + b) * u + mean + 0.43)
            if us >= 0.07 and v <= sure:
                break
            if number < 0 or (us < 0.013 and v > us):
                continue
            left = math.log(max(v, 1e-300)) + math.log(height) - math.log(a / (us * us) + b)
            if left <= -mean + number * log_mean - math.lgamma(number + 1.0):
                break
        values[i] = number
    return values, rate.size, used


poisson_draws.numba(poisson_draws.twin, when=_many(lambda rate, units: rate.size))


def _binomial_sample(size):
    numbers = np.random.default_rng(0)
    count, p = numbers.integers(0, 100, size).astype(float), numbers.uniform(0.01, 0.5, size)
    columns = (count, count * p, np.sqrt(count * p * (1 - p)), p, p / (1 - p), np.floor((count + 1) * p), np.log1p(-p))
    return np.stack(columns, 1), numbers.random(25 * size)


@kernel(samples=_binomial_sample)
def binomial_draws(table, units):
    """Binomial numbers: below a mean of 10 by counting the waiting times between successes, else by Hörmann's
    transformed rejection (BTRS).

    Args:
        table (ndarray): float64 of shape (n, 7), in a row: the count, the mean, the standard deviation, the probability
            (not above 1/2), the odds, the mode, and the logarithm of the probability of failure.
        units (ndarray): float64 uniforms of [0, 1).
    """
    values, used = np.empty(len(table)), 0
    for i in range(len(table)):
        start = used
        count, mean, deviation, p, odds, mode, log_failure = table[i]
        if mean < 10:
            k, trials = -1.0, 0.0
            while count > 0 and p > 0 and trials <= count:
                if used == units.size:
                    return values, i, start
                u = units[used]
                used += 1
                trials += math.ceil(math.log(u) / log_failure) if u > 0 else math.inf
                k += 1
            values[i] = max(k, 0.0)
            continue
        b = 1.15 + 2.53 * deviation
        a = -0.0873 + 0.0248 * b + 0.01 * p
        c = mean + 0.5
        sure = 0.92 - 4.2 / b
        alpha = (2.83 + 5.1 / b) * deviation
        while True:
            if used + 2 > units.size:
                return values, i, start
            u, v = units[used] - 0.5, units[used + 1]
            used += 2
            us = 0.5 - abs(u)
            if us == 0:
                continue
            k = float(math.floor((2 * a / us + b) * u + c))
            if k < 0 or k > count:
                continue
            if us >= 0.07 and v <= sure:
                break
            rest = count - mode + 1
            bound = (mode + 0.5) * math.log((mode + 1) / (odds * rest))
            bound += (count + 1) * math.log(rest / (count - k + 1))
            bound += (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            for x, sign in ((mode, 1.0), (count - mode, 1.0), (k, -1.0), (count - k, -1.0)):
                if x <= 9:
                    bound += sign * _TAIL[int(x)]
                else:
                    square = (x + 1) * (x + 1)
                    bound += sign * ((1 / 12 - (1 / 360 - 1 / 1260 / square) / square) / (x + 1))
            if math.log(max(v, 1e-300) * alpha / (a / (us * us) + b)) <= bound:
                break
        values[i] = k
    return values, len(table), used


binomial_draws.numba(binomial_draws.twin, when=_many(lambda table, units: len(table)))
