"""Distributions for the tests, by name: parameters as arrays, the same for minigrad and PyTorch."""

import numpy as np

import minigrad
import minigrad.distributions

TOLERANCE = {"float32": 2e-5, "float64": 1e-10}
numbers = np.random.default_rng(0)


def positive(*shape, low=0.4, high=3.0):
    return numbers.uniform(low, high, shape)


def real(*shape):
    return numbers.normal(size=shape)


def unit(*shape):
    return numbers.uniform(0.05, 0.95, shape)


def definite(*shape):
    """Positive definite matrices of size 3."""
    factor = numbers.normal(size=(*shape, 3, 3))
    return factor @ np.swapaxes(factor, -1, -2) + 3 * np.eye(3)


def case(name, **parameters):
    return name, parameters


CASES = [
    case("Normal", loc=real(2, 1), scale=positive(3)),
    case("Normal", loc=0.5, scale=2.0),
    case("LogNormal", loc=real(3), scale=positive(2, 3)),
    case("Laplace", loc=real(2, 3), scale=positive(3)),
    case("Cauchy", loc=real(3), scale=1.5),
    case("Gumbel", loc=real(3), scale=positive(2, 1)),
    case("Gumbel", loc=0.5, scale=2.0),
    case("Uniform", low=-positive(2, 1), high=positive(3)),
    case("HalfNormal", scale=positive(3)),
    case("HalfCauchy", scale=positive(2, 3)),
    case("Exponential", rate=positive(2, 3)),
    case("Gamma", concentration=positive(2, 3, low=0.2, high=12.0), rate=positive(3)),
    case("InverseGamma", concentration=positive(3, low=0.5, high=5.0), rate=positive(2, 1)),
    case("Chi2", df=positive(3, low=0.5, high=9.0)),
    case("StudentT", df=np.array([0.7, 1.5, 4.0]), loc=real(2, 1), scale=1.5),
    case("FisherSnedecor", df1=np.array([1.5, 3.0, 8.0]), df2=np.array([1.5, 3.0, 8.0])),
    case("Beta", concentration1=positive(2, 3), concentration0=positive(3, low=0.3, high=20.0)),
    case("Beta", concentration1=2.0, concentration0=3.0),
    case("Kumaraswamy", concentration1=positive(2, 1), concentration0=positive(3)),
    case("Dirichlet", concentration=positive(2, 4)),
    case("Dirichlet", concentration=np.array([0.5, 0.9])),
    case("Bernoulli", probs=unit(2, 3)),
    case("Bernoulli", logits=real(3)),
    case("Bernoulli", probs=0.5),
    case("ContinuousBernoulli", probs=np.array([0.1, 0.5, 0.8])),
    case("ContinuousBernoulli", logits=real(2, 3)),
    case("Geometric", probs=unit(2, 3)),
    case("Geometric", logits=real(3)),
    case("Binomial", total_count=7, probs=unit(2, 3)),
    case("Binomial", total_count=60, logits=real(3)),
    case("NegativeBinomial", total_count=positive(3, high=20.0), probs=unit(2, 1)),
    case("NegativeBinomial", total_count=positive(3, high=20.0), logits=real(2, 3)),
    case("Poisson", rate=np.array([0.3, 4.0, 30.0])),
    case("Categorical", probs=unit(2, 3, 4)),
    case("Categorical", logits=real(4)),
    case("OneHotCategorical", probs=unit(2, 4)),
    case("OneHotCategorical", logits=real(4)),
    case("OneHotCategoricalStraightThrough", logits=real(2, 4)),
    case("Multinomial", total_count=5, probs=unit(2, 4)),
    case("Multinomial", total_count=1, logits=real(4)),
    case("RelaxedBernoulli", temperature=np.array(0.7), probs=unit(2, 3)),
    case("RelaxedBernoulli", temperature=np.array(1.5), logits=real(3)),
    case("RelaxedOneHotCategorical", temperature=np.array(0.7), probs=unit(2, 4)),
    case("MultivariateNormal", loc=real(2, 3), covariance_matrix=definite()),
    case("MultivariateNormal", loc=real(3), precision_matrix=definite(2)),
    case("MultivariateNormal", loc=real(2, 3), scale_tril=np.linalg.cholesky(definite(2))),
    case("LowRankMultivariateNormal", loc=real(2, 3), cov_factor=real(3, 2), cov_diag=positive(3)),
    case("Pareto", scale=positive(2, 1), alpha=positive(3, low=1.1, high=4.0)),
    case("Weibull", scale=positive(2, 1), concentration=positive(3, low=1.1)),
    case("VonMises", loc=real(2, 1), concentration=positive(3, low=0.1, high=9.0)),
    case("LogisticNormal", loc=real(2, 3), scale=positive(3)),
    case("LKJCholesky", dim=3, concentration=positive(2)),
    case("Wishart", df=positive(2, low=3.5, high=9.0), covariance_matrix=definite()),
]  # fmt: skip
IDS = [f"{name}-{'-'.join(parameters)}" for name, parameters in CASES]


def made(T, name, parameters, kind="float64", grad=True):
    """(distribution, [(name, parameter)]): numbers stay numbers, arrays become tensors that require grad."""
    leaves = {
        key: T.tensor(value, dtype=getattr(T, kind)).requires_grad_(grad)
        for key, value in parameters.items()
        if isinstance(value, np.ndarray)
    }
    return getattr(T.distributions, name)(**{**parameters, **leaves}), list(leaves.items())


def outcome(function, *arguments):
    """What it gives, or the class of its error. An error of ours may be a subclass of PyTorch's."""
    try:
        return function(*arguments)
    except (ValueError, RuntimeError, AttributeError, TypeError) as error:
        return type(error)


def array(tensor):
    return np.array(tensor.detach().numpy())


def assert_same(ours, theirs, what, loose=1):
    """Tensors of one dtype, shape and value, that both or neither require grad; sequences of such; equal otherwise."""
    if isinstance(theirs, type):
        assert isinstance(ours, type), f"{what}: got {ours}, PyTorch raises {theirs}"
        assert issubclass(ours, theirs), what
    elif isinstance(theirs, (tuple, list)) and not hasattr(theirs, "numel"):
        assert len(ours) == len(theirs), what
        for k, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same(one, other, f"{what}[{k}]", loose)
    elif hasattr(theirs, "detach"):
        assert isinstance(ours, minigrad.Tensor), f"{what}: {ours}"
        one, other = array(ours), array(theirs)
        assert (one.dtype, one.shape) == (other.dtype, other.shape), what
        assert ours.requires_grad == theirs.requires_grad, what
        tolerance = TOLERANCE.get(str(one.dtype), 0) * loose
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance, err_msg=what)
    else:
        assert str(ours).replace("minigrad", "torch") == str(theirs).replace("minigrad", "torch"), what


def assert_same_gradients(ours, theirs, leaves, their_leaves, what, loose=1):
    """The gradients of the weighted sum of both by each parameter; None and zeros are the same."""
    if isinstance(theirs, type) or not theirs.requires_grad or not theirs.is_floating_point():
        return
    weights = np.linspace(0.5, 1.5, ours.numel()).reshape(tuple(ours.shape))
    for value, parameters in ((ours, leaves), (theirs, their_leaves)):
        for _, parameter in parameters:
            parameter.grad = None
        T = minigrad if value is ours else _library_of(value)
        (value * T.tensor(weights, dtype=value.dtype)).sum().backward(retain_graph=True)
    for (name, parameter), (_, other) in zip(leaves, their_leaves, strict=True):
        expected = np.zeros(parameter.shape) if other.grad is None else array(other.grad)
        got = np.zeros(parameter.shape) if parameter.grad is None else array(parameter.grad)
        tolerance = TOLERANCE[str(array(parameter).dtype)] * loose * max(1.0, np.abs(expected).max(initial=0))
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=tolerance, err_msg=f"{what}, by {name}")


def _library_of(tensor):
    import torch

    assert isinstance(tensor, torch.Tensor)
    return torch
