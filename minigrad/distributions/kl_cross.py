"""Divergences of distributions of two families: minus p's entropy, less the mean under p of q's log density."""

from __future__ import annotations

import math

import minigrad
from minigrad.distributions.bernoulli import Bernoulli
from minigrad.distributions.beta import Beta
from minigrad.distributions.binomial import Binomial
from minigrad.distributions.continuous_bernoulli import ContinuousBernoulli
from minigrad.distributions.exponential import Exponential
from minigrad.distributions.gamma import Gamma
from minigrad.distributions.gumbel import Gumbel
from minigrad.distributions.kl import register_kl
from minigrad.distributions.kl_same import infinite_where
from minigrad.distributions.laplace import Laplace
from minigrad.distributions.normal import Normal
from minigrad.distributions.pareto import Pareto
from minigrad.distributions.poisson import Poisson
from minigrad.distributions.uniform import Uniform
from minigrad.distributions.utils import euler_constant

# ---- p has mass where q has none

_INFINITE = {
    Beta: (Pareto,),
    ContinuousBernoulli: (Pareto,),
    Exponential: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gamma: (Beta, ContinuousBernoulli, Pareto, Uniform),
    Gumbel: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Laplace: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Normal: (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform),
    Pareto: (Beta, ContinuousBernoulli, Uniform),
    Poisson: (Bernoulli, Binomial),
}


def _kl_infinity(p, q):
    return minigrad.full_like(p.mean, math.inf)


for _p, _others in _INFINITE.items():
    for _q in _others:
        register_kl(_p, _q)(_kl_infinity)


# ---- from the moments of p, where these are all that q's log density needs


def _normal_log_prob(q, mean, variance):
    """The mean of a normal log density, over a distribution of that mean and variance."""
    square = variance + (mean - q.loc).pow(2)
    return -0.5 * (math.log(2 * math.pi) + square / q.scale.pow(2)) - q.scale.log()


@register_kl(Beta, Normal)
@register_kl(ContinuousBernoulli, Normal)
@register_kl(Exponential, Normal)
@register_kl(Gamma, Normal)
@register_kl(Gumbel, Normal)
@register_kl(Laplace, Normal)
@register_kl(Uniform, Normal)
def _kl_to_normal(p, q):
    return -p.entropy() - _normal_log_prob(q, p.mean, p.variance)


def _pareto_mean(p):
    """The mean, where there is one; where not, a number through which gradients pass."""
    return p.alpha * p.scale / (p.alpha - 1)


@register_kl(Pareto, Normal)
def _kl_pareto_normal(p, q):
    variance = p.alpha * (p.scale / (p.alpha - 1)).pow(2) / (p.alpha - 2)
    return infinite_where(p.alpha <= 2, -p.entropy() - _normal_log_prob(q, _pareto_mean(p), variance))


@register_kl(Beta, Exponential)
@register_kl(ContinuousBernoulli, Exponential)
@register_kl(Gamma, Exponential)
def _kl_to_exponential(p, q):
    return -p.entropy() - q.rate.log() + q.rate * p.mean


@register_kl(Pareto, Exponential)
def _kl_pareto_exponential(p, q):
    return infinite_where(p.alpha <= 1, -p.entropy() - q.rate.log() + q.rate * _pareto_mean(p))


@register_kl(Uniform, Exponential)
def _kl_uniform_exponential(p, q):
    return infinite_where(p.low < 0, _kl_to_exponential(p, q))


def _gamma_log_prob(q, mean, mean_log):
    """The mean of a gamma log density, from the means of x and of log x."""
    c = q.concentration
    return c * q.rate.log() - c.lgamma() + (c - 1) * mean_log - q.rate * mean


@register_kl(Beta, Gamma)
def _kl_beta_gamma(p, q):
    mean_log = p.concentration1.digamma() - (p.concentration1 + p.concentration0).digamma()
    return -p.entropy() - _gamma_log_prob(q, p.mean, mean_log)


@register_kl(Exponential, Gamma)
def _kl_exponential_gamma(p, q):
    return -p.entropy() - _gamma_log_prob(q, p.mean, -euler_constant - p.rate.log())


@register_kl(Pareto, Gamma)
def _kl_pareto_gamma(p, q):
    mean_log = p.scale.log() + p.alpha.reciprocal()
    return infinite_where(p.alpha <= 1, -p.entropy() - _gamma_log_prob(q, _pareto_mean(p), mean_log))


def _mean_log(low, high):
    """The mean of log x, x uniform."""
    return (minigrad.xlogy(high, high) - minigrad.xlogy(low, low)) / (high - low) - 1


@register_kl(Uniform, Gamma)
def _kl_uniform_gamma(p, q):
    result = -p.entropy() - _gamma_log_prob(q, p.mean, _mean_log(p.low, p.high))
    return infinite_where(p.low < 0, result)


# ---- the rest, by p


@register_kl(Bernoulli, Poisson)
def _kl_bernoulli_poisson(p, q):
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Beta, ContinuousBernoulli)
def _kl_beta_continuous_bernoulli(p, q):
    return -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()


@register_kl(Beta, Uniform)
def _kl_beta_uniform(p, q):
    return infinite_where((q.low > 0) | (q.high < 1), -p.entropy() + (q.high - q.low).log())


@register_kl(ContinuousBernoulli, Uniform)
def _kl_continuous_bernoulli_uniform(p, q):
    # PyTorch's condition, though it is infinite also where q reaches beyond the unit interval at one end.
    return infinite_where((q.low >= 0) | (q.high <= 1), -p.entropy() + (q.high - q.low).log())


@register_kl(Exponential, Gumbel)
def _kl_exponential_gumbel(p, q):
    product, ratio = p.rate * q.scale, q.loc / q.scale
    return product.log() - 1 - ratio + ratio.exp() * product / (product + 1) + product.reciprocal()


@register_kl(Gamma, Gumbel)
def _kl_gamma_gumbel(p, q):
    c, product, ratio = p.concentration, p.rate * q.scale, q.loc / q.scale
    of_p = (c - 1) * c.digamma() - c.lgamma() - c
    tail = ratio.exp() * (1 + product.reciprocal()).pow(-c)
    return of_p + product.log() + c / product + tail - ratio


@register_kl(Normal, Gumbel)
def _kl_normal_gumbel(p, q):
    distance, square = (p.loc - q.loc) / q.scale, (p.scale / q.scale).pow(2)
    tail = (-distance + 0.5 * square).exp()
    return -0.5 * square.log() + distance + tail - 0.5 * (1 + math.log(2 * math.pi))


@register_kl(Normal, Laplace)
def _kl_normal_laplace(p, q):
    distance = p.loc - q.loc
    scaled = distance / p.scale
    tail = math.sqrt(2 / math.pi) * p.scale * (-0.5 * scaled.pow(2)).exp()
    mean = (tail + distance * minigrad.erf(math.sqrt(0.5) * scaled)) / q.scale  # of |x - q.loc| / q.scale
    return -(p.scale / q.scale).log() + mean - 0.5 * (1 + math.log(0.5 * math.pi))


@register_kl(Uniform, Beta)
def _kl_uniform_beta(p, q):
    q1, q0 = q.concentration1, q.concentration0
    normalizer = q1.lgamma() + q0.lgamma() - (q1 + q0).lgamma()
    powers = (q1 - 1) * _mean_log(p.low, p.high) + (q0 - 1) * _mean_log(1 - p.high, 1 - p.low)
    return infinite_where((p.high > 1) | (p.low < 0), normalizer - (p.high - p.low).log() - powers)


@register_kl(Uniform, ContinuousBernoulli)
def _kl_uniform_continuous_bernoulli(p, q):
    result = -p.entropy() - p.mean * q.logits - (-q.probs).log1p() - q._cont_bern_log_norm()
    return infinite_where((p.high >= 1) | (p.low <= 0), result)  # PyTorch's condition: the ends count as outside


@register_kl(Uniform, Gumbel)
def _kl_uniform_gumbel(p, q):
    ratio = q.scale / (p.high - p.low)
    high, low = (p.high - q.loc) / q.scale, (p.low - q.loc) / q.scale
    return ratio.log() + 0.5 * (high + low) - ratio * ((-high).exp() - (-low).exp())


@register_kl(Uniform, Pareto)
def _kl_uniform_pareto(p, q):
    density = (q.alpha * q.scale.pow(q.alpha) * (p.high - p.low)).log()
    return infinite_where(p.low < q.scale, _mean_log(p.low, p.high) * (q.alpha + 1) - density)
