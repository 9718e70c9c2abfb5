"""How a random number moves with the parameters of its distribution: implicit reparametrisation of gamma and beta.

A sample x of a distribution function F(x; a) that stays at its quantile while a changes has ``dx/da = -(dF/da) / f``,
f the density (M. Figurnov et al., Implicit reparameterization gradients, 2018). There is no closed form for gamma and
beta: series near the ends, S. O. Rice's saddle point expansion for large parameters, and a rational fit between, as M.
Jankowiak and F. Obermeyer describe (Pathwise derivatives beyond the reparameterization trick, 2018). The pieces and
the fitted coefficients are PyTorch's, and so is the relative error: up to about 1e-3.
"""

import numpy as np

from minigrad.kernels.special import digamma

# exp(P / Q): P and Q are polynomials in v = log(alpha) whose coefficients are polynomials in u = log(x / alpha).
_GAMMA_FIT = np.array([
    [0.16009398, -0.094634809, 0.025146376, -0.0030648343, 1, 0.32668115, 0.10406089, 0.0014179084],
    [0.53487893, 0.1298071, 0.065735949, -0.0015649758, 0.16639465, 0.020070113, -0.0035938915, -0.00058392623],
    [0.040121004, -0.0065914022, -0.0026286047, -0.0013441777, 0.017050642, -0.0021309326, 0.00085092367,
     -1.5247877e-07],
])  # fmt: skip

# P / Q, both Σ c[i, j, k] u^i a^j b^k, with u = log(x), a = log(alpha / x), b = log(total) - a.
_BETA_FIT = np.array([
    [[[1.003668233, -0.01061107488, -0.0657888334, 0.01201642863],
      [0.6336835991, -0.3557432599, 0.05486251648, -0.001465281033],
      [-0.03276231906, 0.004474107445, 0.002429354597, -0.0001557569013]],
     [[0.221950385, -0.3187676331, 0.01799915743, 0.01074823814],
      [-0.2951249643, 0.06219954479, 0.01535556598, 0.001550077057],
      [0.02155310298, 0.004170831599, 0.001292462449, 6.976601077e-05]],
     [[-0.05980841433, 0.008441916499, 0.01085618172, 0.002319392565],
      [0.02911413504, 0.01400243777, -0.002721828457, 0.000751041181],
      [0.005900514878, -0.001936558688, -9.495446725e-06, 5.385558597e-05]]],
    [[[1, -0.02924021934, -0.04438342661, 0.007285809825],
      [0.6357567472, -0.3473456711, 0.05454656494, -0.002407477521],
      [-0.03301322327, 0.004845219414, 0.00231480583, -0.0002307248149]],
     [[0.5925320577, -0.1757678135, 0.01505928619, 0.000564515273],
      [0.1014815858, -0.06589186703, 0.01272886114, -0.0007316646956],
      [-0.007258481865, 0.001096195486, 0.0003934994223, -4.12701925e-05]],
     [[0.06469649321, -0.0236701437, 0.002902096474, -5.896963079e-05],
      [0.001925008108, -0.002869809258, 0.0008000589141, -6.063713228e-05],
      [-0.0003477407336, 6.959756487e-05, 1.097287507e-05, -1.650964693e-06]]],
])  # fmt: skip


def standard_gamma_grad(alpha, x):
    """``dx/dalpha`` of standard gamma numbers `x` of concentration `alpha`: arrays of one shape and dtype."""
    small = x < 0.8
    near = (alpha > 8) & (x >= 0.9 * alpha) & (x <= 1.1 * alpha)
    pieces = ((small, _gamma_series), (near, _gamma_centre), (alpha > 8, _gamma_saddle), (True, _gamma_fit))
    return _piecewise(pieces, alpha, x)


def dirichlet_grad(x, alpha, total):
    """``dx/dalpha / (1 - x)`` of beta numbers `x` of concentrations `alpha` and `total - alpha`."""
    beta = total - alpha
    boundary = total * x * (1 - x)
    pieces = (
        ((x <= 0.5) & (boundary < 2.5), _beta_at_zero),
        ((x >= 0.5) & (boundary < 0.75), _beta_at_one),
        ((alpha > 6) & (beta > 6) & _is_central(x, alpha, beta), _beta_centre),
        ((alpha > 6) & (beta > 6), _beta_saddle),
        (True, _beta_fit),
    )
    return _piecewise(pieces, x, alpha, beta)


def _piecewise(pieces, *arrays):
    """The first piece whose condition holds, place by place, in float64."""
    shape, kind = arrays[0].shape, arrays[0].dtype
    flat = [np.asarray(a, np.float64).reshape(-1) for a in arrays]
    out, left = np.zeros(flat[0].size), np.ones(flat[0].size, bool)
    with np.errstate(all="ignore"):
        for condition, formula in pieces:
            here = np.broadcast_to(condition, shape).reshape(-1) & left
            left &= ~here
            out[here] = formula(*[a[here] for a in flat])
        return out.reshape(shape).astype(kind)


def _gamma_series(alpha, x):
    numerator, series, squares = np.ones_like(x), 1 / alpha, 1 / alpha**2
    for i in range(1, 6):
        numerator = numerator * (-x / i)
        series = series + numerator / (alpha + i)
        squares = squares + numerator / (alpha + i) ** 2
    value = x * np.exp(x) * (squares - (np.log(x) - digamma(alpha)) * series)
    return np.where(np.isnan(value), 0.0, value)


def _gamma_centre(alpha, x):
    square = alpha * alpha
    first = 1 + 24 * alpha * (1 + 12 * alpha)
    second = 1440 * square + 6 * x * (53 - 120 * x) - 65 * x * x / alpha + alpha * (107 + 3600 * x)
    return first * second / (1244160 * square * square)


def _gamma_saddle(alpha, x):
    log = np.log(x / alpha)
    root = np.sqrt(8 * alpha)
    power = (x - alpha - alpha * log) ** -1.5
    slope = root / (alpha - x) + np.where(x < alpha, -power, power)
    term = log * slope - np.sqrt(2 / alpha) * (alpha + x) / (alpha - x) ** 2
    return -(1 + 1 / (12 * alpha) * (1 + 1 / (24 * alpha))) * x * term / root


def _gamma_fit(alpha, x):
    u, v = np.log(x / alpha), np.log(alpha)
    c = _GAMMA_FIT[0, :, None] + u * (_GAMMA_FIT[1, :, None] + u * _GAMMA_FIT[2, :, None])
    return np.exp(_cubic(c[:4], v) / _cubic(c[4:], v))


def _cubic(c, x):
    return c[0] + x * (c[1] + x * (c[2] + x * c[3]))


def _beta_at_zero(x, alpha, beta):
    factor = digamma(alpha) - digamma(alpha + beta) - np.log(x)
    numerator, series = np.ones_like(x), (factor + 1 / alpha) / alpha
    for i in range(1, 11):
        numerator = numerator * ((i - beta) * x / i)
        series = series + numerator / (alpha + i) * (factor + 1 / (alpha + i))
    value = x * (1 - x) ** -beta * series
    return np.where(np.isnan(value), 0.0, value)


def _beta_at_one(x, alpha, beta):
    """By symmetry: how ``1 - x``, beta distributed with the two exchanged, moves with its second parameter."""
    x, alpha, beta = 1 - x, beta, alpha
    factor = digamma(alpha + beta) - digamma(beta)
    numerator, product, slope, series = np.ones_like(x), np.ones_like(x), np.zeros_like(x), factor / alpha
    for i in range(1, 9):
        numerator = numerator * (-x / i)
        slope = slope * (beta - i) + product  # the derivative of the product by beta
        product = product * (beta - i)
        series = series + numerator / (alpha + i) * (slope + factor * product)
    value = (1 - x) ** (1 - beta) * series
    return np.where(np.isnan(value), 0.0, value)


def _is_central(x, alpha, beta):
    total = alpha + beta
    return np.abs(x - alpha / total) <= 0.1 * np.sqrt(alpha * beta / (total + 1)) / total


def _beta_centre(x, alpha, beta):
    total = alpha + beta
    by_alpha = (
        47 * x * beta**4,
        (43 + 20 * (16 + 27 * beta) * x) * beta**3,
        3 * (59 + 180 * beta - 90 * x) * beta**2,
        (453 + 1620 * beta * (1 - x) - 455 * x) * beta + alpha * 8 * (1 - x) * (135 * beta - 11),
    )
    above = (1 + 12 * alpha) * (1 + 12 * beta) * _cubic(by_alpha, alpha)
    return above / (total**2 * (1 - x) * 12960 * alpha**3 * beta**2 * (1 + 12 * total))


def _beta_saddle(x, alpha, beta):
    total = alpha + beta
    stirling = _stirling(alpha) * _stirling(beta) / _stirling(total)
    distance = beta * x + alpha * (x - 1)
    first = 2 * alpha**2 * (x - 1) + alpha * beta * (x - 1) - x * beta**2
    first = first / (np.sqrt(2 * alpha / beta) * total**1.5 * distance**2)
    power = (beta * np.log(beta / (total * (1 - x))) + alpha * np.log(alpha / (total * x))) ** -1.5
    slope = np.sqrt(8 * alpha * beta / total) / distance + np.where(x < alpha / total, power, -power)
    return stirling * -x / np.sqrt(2 * alpha * beta / total) * (first + 0.5 * np.log(alpha / (total * x)) * slope)


def _stirling(x):
    return 1 + 1 / (12 * x) + 1 / (288 * x * x)


def _beta_fit(x, alpha, beta):
    total = alpha + beta
    u = np.log(x)
    a = np.log(alpha) - u
    b = np.log(total) - a
    powers = [np.stack([np.ones_like(x), y, y * y]) for y in (u, a)]
    p, q = np.einsum("wijk,in,jn,kn->wn", _BETA_FIT, *powers, np.stack([np.ones_like(b), b, b * b, b**3]))
    return p / q * x * (digamma(total) - digamma(alpha)) / beta
