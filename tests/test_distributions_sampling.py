"""Samples beside PyTorch's: the same numbers for a seed, the same gradients, the same state of the generator after."""

import math

import numpy as np
import pytest
from distribution_cases import CASES, IDS, array, assert_same, assert_same_gradients, made, outcome

import minigrad
from minigrad import random, random_rejection
from minigrad.kernels.dispatch import KERNELS
from minigrad.kernels.implicit import dirichlet_grad, standard_gamma_grad
from minigrad.random import Generator

# ---- golden values: printed by PyTorch 2.13 as float.hex after torch.manual_seed(42)

GOLDEN = {
    "poisson": ("0x0.0p+0 0x1.cp+4 0x0.0p+0", lambda g: random_rejection.poisson(g, RATES)),
    "gamma": (
        "0x1.59baa64947d4ep+1 0x1.43de25cbae2abp+5 0x1.d4738e2c82b0ep-9",
        lambda g: random_rejection.standard_gamma(g, RATES),
    ),
    "binomial": ("0x0.0p+0 0x1p+5 0x0.0p+0", lambda g: random_rejection.binomial(g, RATES.round(), RATES / 60)),
}
RATES = np.array([2.5, 40.0, 0.5])


@pytest.mark.parametrize("name", GOLDEN)
def test_golden(name):
    expected, draw = GOLDEN[name]
    # The C library's functions are 1 ulp apart on some machines.
    values = draw(Generator().manual_seed(42))
    np.testing.assert_allclose(values, [float.fromhex(x) for x in expected.split()], rtol=1e-14)


# ---- the streams


@pytest.fixture
def torch():
    torch = pytest.importorskip("torch")
    with torch.random.fork_rng(devices=[]), random.fork_rng():
        yield torch


STREAMS = {
    "gamma": (lambda T, x, p: T._standard_gamma(x), lambda g, x, p: random_rejection.standard_gamma(g, x)),
    "dirichlet": (lambda T, x, p: T._sample_dirichlet(x), lambda g, x, p: random_rejection.dirichlet(g, x)),
    "poisson": (lambda T, x, p: T.poisson(x), lambda g, x, p: random_rejection.poisson(g, x)),
    "binomial": (
        lambda T, x, p: T.binomial(x.ceil(), p),
        lambda g, x, p: random_rejection.binomial(g, np.ceil(x), p),
    ),
}


@pytest.mark.parametrize("size", [0, 1, 3, 500, 40_000])
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize("name", STREAMS)
def test_streams_are_pytorchs(torch, name, kind, size):
    numbers = np.random.default_rng(size)
    x = np.concatenate([10.0 ** numbers.uniform(-2, 5, size), [0.0] * (size > 100)]).astype(kind)
    p = np.clip(numbers.uniform(-0.1, 1.1, x.size), 0, 1).astype(kind)
    if size > 1000 and minigrad.get_backend() == "numpy":
        x, p = x[:17_000], p[:17_000]  # more than are drawn at once
    theirs, ours = STREAMS[name]
    torch.manual_seed(size)
    torch.randn(1)  # a second normal waits
    expected = theirs(torch, torch.tensor(x), torch.tensor(p)).numpy()
    source = Generator().manual_seed(size)
    source.normal(1)
    values = ours(source, x, p)
    assert values.dtype == expected.dtype
    if name == "dirichlet" or (name == "gamma" and size > 1000):  # the sum's order of additions
        np.testing.assert_allclose(values, expected, rtol=1e-14 if kind == "float64" else 2e-7)
    else:
        np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(source.get_state(), torch.get_rng_state().numpy())


@pytest.mark.filterwarnings("ignore:An output with one or more elements was resized")  # PyTorch's binomial
def test_public_functions(torch):
    for T in (minigrad, torch):
        T.manual_seed(0)
    rate, count, p = np.array([[1.0, 20.0], [0.0, 3.0]], np.float32), [[5.0], [50.0]], [0.3, 0.9]
    pairs = [
        (lambda T: T.poisson(T.tensor(rate)), "poisson"),
        (lambda T: T.poisson(T.tensor(rate).half()), "poisson of float16"),
        (lambda T: T.poisson(T.tensor(rate).T), "poisson, transposed"),
        (lambda T: T.binomial(T.tensor(count), T.tensor(p)), "binomial"),
        (lambda T: T.binomial(T.tensor(count), T.tensor([math.nan, -1.0])), "binomial of no probability"),
        (lambda T: T.poisson(T.tensor([-1.0])), "negative rate"),
        (lambda T: T.poisson(T.tensor([1])), "integers"),
        (lambda T: T.binomial(T.tensor(count), T.tensor(p).double()), "two dtypes"),
        (lambda T: T.binomial(T.tensor(count).half(), T.tensor(p).half()), "binomial of float16"),
        (lambda T: T.poisson(T.tensor(rate), T.Generator().manual_seed(3)), "poisson with a generator"),
        (lambda T: T.binomial(T.tensor(count), T.tensor(p), generator=T.Generator().manual_seed(3)), "its own source"),
        (lambda T: T.rand(2), "the state"),
    ]
    for call, what in pairs:
        assert_same(outcome(call, minigrad), outcome(call, torch), what)


def test_what_no_number_can_be_drawn_for():
    for bad in (-1.0, math.nan):
        with pytest.raises(RuntimeError, match="concentrations not below 0"):
            random_rejection.standard_gamma(Generator(), np.array([1.0, bad]))
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(RuntimeError, match="rate"):
            random_rejection.poisson(Generator(), np.array([1.0, bad]))


@pytest.mark.parametrize("name", ["gamma_draws", "poisson_draws", "binomial_draws"])
def test_the_compiled_samplers_draw_the_same(name):
    kernel = KERNELS[name]
    arguments = kernel.samples(300)
    ours, theirs = kernel.twin(*arguments), kernel.compiled(*arguments)
    assert ours[1:3] == theirs[1:3]
    np.testing.assert_allclose(ours[0][: ours[1]], theirs[0][: ours[1]], rtol=1e-14)
    # Too few uniforms: as many numbers as these are enough for, and the place of the first not used.
    position = [k for k, x in enumerate(arguments) if isinstance(x, np.ndarray)][-1]
    short = list(arguments)
    short[position] = arguments[position][:101]
    some, others = kernel.twin(*short), kernel.compiled(*short)
    assert some[1:3] == others[1:3]
    assert 0 < some[1] < ours[1]
    np.testing.assert_array_equal(some[0][: some[1]], ours[0][: some[1]])


# ---- implicit gradients


@pytest.mark.parametrize(("low", "high"), [(0.05, 1), (0.5, 5), (5, 30), (100, 1e4)])
def test_implicit_gradients_are_pytorchs(torch, low, high):
    numbers = np.random.default_rng(0)
    alpha, beta = numbers.uniform(low, high, (2, 400))
    torch.manual_seed(0)
    x = torch._standard_gamma(torch.tensor(alpha))
    expected = torch._standard_gamma_grad(torch.tensor(alpha), x).numpy()
    np.testing.assert_allclose(standard_gamma_grad(alpha, x.numpy()), expected, rtol=1e-11)
    share = torch.distributions.Beta(torch.tensor(alpha), torch.tensor(beta)).sample()
    expected = torch._dirichlet_grad(share, torch.tensor(alpha), torch.tensor(alpha + beta)).numpy()
    np.testing.assert_allclose(dirichlet_grad(share.numpy(), alpha, alpha + beta), expected, rtol=1e-9)


def test_implicit_gradients_are_those_of_the_quantiles():
    """Against a difference quotient of the distribution function, within the error of the fits."""
    alpha = np.array([0.3, 1.0, 2.5, 7.0, 12.0, 50.0])
    x = alpha * np.array([0.5, 1.3, 0.9, 1.1, 0.8, 1.02])
    below, h = minigrad.special.gammainc, 1e-5
    t = minigrad.tensor
    slope = array(below(t(alpha + h), t(x)) - below(t(alpha - h), t(x))) / (2 * h)
    density = np.exp((alpha - 1) * np.log(x) - x - [math.lgamma(a) for a in alpha])
    np.testing.assert_allclose(standard_gamma_grad(alpha, x), -slope / density, rtol=1e-3)


# ---- the distributions


@pytest.mark.filterwarnings("ignore:Singular sample detected")  # PyTorch's Wishart always says so
@pytest.mark.parametrize("kind", ["float32", "float64"])
@pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)
def test_samples(torch, name, parameters, kind):
    ours, leaves = made(minigrad, name, parameters, kind)
    theirs, their_leaves = made(torch, name, parameters, kind)
    for seed, shape in enumerate([(), (3,), (2, 3), (300,)]):
        for method in ("sample", "rsample"):
            minigrad.manual_seed(seed), torch.manual_seed(seed)
            values = [outcome(getattr(d, method), shape) for d in (ours, theirs)]
            assert_same(*values, f"{method}({shape})", 50)
            np.testing.assert_array_equal(minigrad.get_rng_state().numpy(), torch.get_rng_state().numpy())
        if name != "Wishart":  # whose gradient PyTorch 2.13 fails to compute
            assert_same_gradients(
                *values, leaves, their_leaves, f"rsample({shape})", 3000 if kind == "float64" else 100
            )


@pytest.mark.parametrize("name", ["Gamma", "Poisson", "Categorical", "Normal", "Beta"])
def test_samples_have_the_moments(name):
    parameters = dict(next(p for n, p in CASES if n == name))
    distribution, _ = made(minigrad, name, parameters, grad=False)
    sample = array(distribution.sample((4000,))).astype(float)
    if name == "Categorical":
        share = np.stack([(sample == k).mean(0) for k in range(4)], -1)
        np.testing.assert_allclose(share, array(distribution.probs), atol=0.04)
    else:
        error = array(distribution.stddev) / math.sqrt(4000)
        assert np.all(np.abs(sample.mean(0) - array(distribution.mean)) < 5 * error)


def test_empty_batches():
    for make in (minigrad.distributions.Normal, minigrad.distributions.Gamma, minigrad.distributions.Beta):
        assert make(minigrad.ones(0), 1.0).sample((2,)).shape == (2, 0)
    assert minigrad.distributions.Categorical(minigrad.ones(0, 3)).sample((2,)).shape == (2, 0)
