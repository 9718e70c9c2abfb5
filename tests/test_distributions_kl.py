"""Kullback-Leibler divergences beside PyTorch's: every pair of families, values and gradients; the registry."""

import math

import numpy as np
import pytest
from distribution_cases import array, assert_same, assert_same_gradients, definite, made, outcome, positive, real, unit

import minigrad
from minigrad import distributions as D

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # NumPy's, where infinities are meant


def two(make):
    return make(), make()


# Two of each; their batches broadcast against those of all others.
FAMILIES = {
    "Bernoulli": two(lambda: {"probs": unit(2, 3)}),
    "Beta": two(lambda: {"concentration1": positive(2, 3), "concentration0": positive(3)}),
    "Binomial": two(lambda: {"total_count": 7, "probs": unit(2, 3)}),
    "Categorical": two(lambda: {"logits": real(2, 3, 4)}),
    "Cauchy": two(lambda: {"loc": real(3), "scale": positive(2, 3)}),
    "Chi2": two(lambda: {"df": positive(2, 3)}),
    "ContinuousBernoulli": two(lambda: {"probs": unit(2, 3)}),
    "Dirichlet": two(lambda: {"concentration": positive(3, 4)}),
    "Exponential": two(lambda: {"rate": positive(2, 3)}),
    "Gamma": two(lambda: {"concentration": positive(2, 3), "rate": positive(3)}),
    "Geometric": two(lambda: {"probs": unit(2, 3)}),
    "Gumbel": two(lambda: {"loc": real(3), "scale": positive(2, 3)}),
    "HalfNormal": two(lambda: {"scale": positive(2, 3)}),
    "Laplace": two(lambda: {"loc": real(3), "scale": positive(2, 3)}),
    "LogNormal": two(lambda: {"loc": real(3), "scale": positive(2, 3)}),
    "LowRankMultivariateNormal": two(lambda: {"loc": real(2, 3), "cov_factor": real(3, 2), "cov_diag": positive(3)}),
    "MultivariateNormal": two(lambda: {"loc": real(2, 3), "covariance_matrix": definite()}),
    "Normal": two(lambda: {"loc": real(3), "scale": positive(2, 3)}),
    "OneHotCategorical": two(lambda: {"logits": real(2, 3, 4)}),
    "Pareto": two(lambda: {"scale": positive(2, 3), "alpha": positive(2, 3, low=2.2, high=5.0)}),
    "Poisson": two(lambda: {"rate": positive(2, 3)}),
    "StudentT": two(lambda: {"df": positive(2, 3)}),
    "Uniform": (
        {"low": unit(2, 3) * 0.3, "high": 0.5 + unit(2, 3) * 0.4},
        {"low": -unit(2, 3), "high": 1 + unit(2, 3)},
    ),
    "Wishart": two(lambda: {"df": positive(1, low=4.0, high=9.0)[0], "covariance_matrix": definite()}),
}


@pytest.mark.parametrize("first", FAMILIES)
def test_every_pair(first):
    tried = 0
    for second in FAMILIES:
        parameters = (first, FAMILIES[first][0]), (second, FAMILIES[second][1])
        (p, leaves), (q, more) = (made(minigrad, *each) for each in parameters)
        (their_p, their_leaves), (their_q, their_more) = (made(torch, *each) for each in parameters)
        ours, theirs = outcome(D.kl_divergence, p, q), outcome(torch.distributions.kl_divergence, their_p, their_q)
        what = f"KL({first} || {second})"
        assert_same(ours, theirs, what, 200)
        assert_same_gradients(ours, theirs, leaves + more, their_leaves + their_more, what, 5000)
        tried += not isinstance(theirs, type)
    assert tried or first in ("StudentT",)


ENDS = [
    lambda d, t: (d.Bernoulli(t([0.0, 1.0, 0.0])), d.Bernoulli(t([0.0, 1.0, 0.5]))),
    lambda d, t: (d.Bernoulli(t([0.5, 0.5])), d.Bernoulli(t([0.0, 1.0]))),
    lambda d, t: (d.Categorical(t([0.0, 0.5, 0.5])), d.Categorical(t([0.5, 0.5, 0.0]))),
    lambda d, t: (d.Categorical(t([0.0, 0.5, 0.5])), d.Categorical(t([0.0, 0.2, 0.8]))),
    lambda d, t: (d.Uniform(t([0.0, 1.0]), t([2.0, 3.0])), d.Uniform(t([0.5, 0.5]), t([3.0, 3.0]))),
    lambda d, t: (d.Pareto(t([1.0, 2.0]), t([3.0, 3.0])), d.Pareto(t([1.5, 1.5]), t([2.0, 2.0]))),
    lambda d, t: (d.Pareto(t([1.0, 2.0]), t([0.5, 3.0])), d.Exponential(t([1.5, 1.5]))),
    lambda d, t: (d.Uniform(t([-1.0, 1.0]), t([2.0, 3.0])), d.Gamma(t([1.5, 1.5]), t([1.0, 1.0]))),
    lambda d, t: (d.Beta(t([2.0, 2.0]), t([3.0, 3.0])), d.Uniform(t([0.1, -1.0]), t([2.0, 2.0]))),
    lambda d, t: (d.Binomial(9, t([0.5, 0.1])), d.Binomial(7, t([0.5, 0.1]))),
    lambda d, t: (d.Binomial(5, t([0.5, 0.1])), d.Binomial(7, t([0.5, 0.1]))),
    lambda d, t: (d.Independent(d.Normal(t([0.0, 1.0]), 1.0), 1), d.Independent(d.Normal(t([2.0, 1.0]), 2.0), 1)),
    lambda d, t: (d.Independent(d.Normal(t([0.0, 1.0]), 1.0), 1), d.Independent(d.Normal(t([2.0, 1.0]), 2.0), 0)),
    lambda d, t: (d.LogNormal(0.0, 1.0), d.TransformedDistribution(d.Normal(0.0, 1.0), d.SigmoidTransform())),
    lambda d, t: (d.MultivariateNormal(t([0.0]), t([[1.0]])), d.MultivariateNormal(t([0.0, 1.0]), t(np.eye(2)))),
]


@pytest.mark.parametrize("number", range(len(ENDS)))
def test_where_it_is_infinite_or_not_defined(number):
    ours, theirs = (
        outcome(T.distributions.kl_divergence, *ENDS[number](T.distributions, T.tensor)) for T in (minigrad, torch)
    )
    assert_same(ours, theirs, f"pair {number}", 10)


def test_a_divergence_is_the_mean_of_the_difference_of_log_densities():
    p, q = D.Gamma(2.5, 1.5), D.Gamma(1.5, 0.5)
    minigrad.manual_seed(0)
    x = p.sample((20_000,))
    estimate = array(p.log_prob(x) - q.log_prob(x))
    assert abs(estimate.mean() - D.kl_divergence(p, q).item()) < 5 * estimate.std() / math.sqrt(len(estimate))


def test_exponential_families_have_a_divergence_of_their_own():
    class Halved(D.Normal):
        _batched = D.Normal._batched

    class Other(D.Normal):
        pass

    assert D.kl_divergence(Halved(0.0, 1.0), Other(1.0, 2.0)).item() == pytest.approx(
        D.kl_divergence(D.Normal(0.0, 1.0), D.Normal(1.0, 2.0)).item()
    )
    from minigrad.distributions.kl_same import _kl_expfamily_expfamily

    for first, second in [
        (D.Normal(0.3, 1.0), D.Normal(1.0, 2.0)),
        (D.Gamma(2.0, 1.0), D.Gamma(3.0, 0.5)),
        (D.Exponential(2.0), D.Exponential(0.5)),
        (D.Bernoulli(0.2), D.Bernoulli(0.7)),
        (D.Poisson(2.0), D.Poisson(3.0)),
        (D.Dirichlet(minigrad.tensor([1.0, 2.0])), D.Dirichlet(minigrad.tensor([3.0, 0.5]))),
        (D.Beta(1.5, 2.0), D.Beta(2.5, 0.7)),
    ]:
        assert _kl_expfamily_expfamily(first, second).item() == pytest.approx(
            D.kl_divergence(first, second).item(), rel=1e-4
        )
    # PyTorch 2.13 adds the numbers of a batch of Wishart distributions up.
    df, factor = minigrad.tensor([4.0, 5.0]), minigrad.eye(3)
    batch = D.kl_divergence(D.Wishart(df, scale_tril=factor), D.Wishart(df + 1, scale_tril=factor))
    single = [
        D.kl_divergence(D.Wishart(d, scale_tril=factor), D.Wishart(d + 1, scale_tril=factor)).item() for d in (4.0, 5.0)
    ]
    np.testing.assert_allclose(array(batch), single, rtol=1e-5)
    with pytest.raises(NotImplementedError, match="Bregman"):
        D.kl_divergence(D.Bernoulli(0.5), D.Normal(0.0, 1.0))
    entropy = D.ExponentialFamily.entropy(D.Normal(0.0, 2.0)).item()
    assert entropy == pytest.approx(D.Normal(0.0, 2.0).entropy().item(), rel=1e-5)


def test_the_registry(monkeypatch):
    from minigrad.distributions import kl

    monkeypatch.setattr(kl, "_KL_REGISTRY", dict(kl._KL_REGISTRY))
    monkeypatch.setattr(kl, "_KL_MEMOIZE", {})

    class A(D.Normal):
        pass

    class B(D.Normal):
        pass

    D.register_kl(A, D.Normal)(lambda p, q: "left")
    D.register_kl(D.Normal, B)(lambda p, q: "right")
    a, b = A(0.0, 1.0), B(0.0, 1.0)
    assert (D.kl_divergence(a, a), D.kl_divergence(b, b)) == ("left", "right")
    assert D.kl_divergence(b, a).item() == 0
    with pytest.warns(RuntimeWarning, match="Ambiguous"):
        assert D.kl_divergence(a, b) == "left"
    with pytest.raises(TypeError, match="type_p"):
        D.register_kl(int, D.Normal)
    with pytest.raises(NotImplementedError, match="Normal and q type StudentT"):
        D.kl_divergence(D.Normal(0.0, 1.0), D.StudentT(1.0))
