"""Distributions beside PyTorch's: shapes, moments, densities and their gradients, representations, errors."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from distribution_cases import CASES, IDS, array, assert_same, assert_same_gradients, made, outcome

import minigrad
from minigrad import distributions as D

torch = pytest.importorskip("torch")
pytestmark = [
    pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning"),  # NumPy's, where infinities are meant
    pytest.mark.filterwarnings("ignore:Singular sample detected"),  # PyTorch's Wishart always says so
]
cases = pytest.mark.parametrize(("name", "parameters"), CASES, ids=IDS)

# PyTorch 2.13 takes the constant of this entropy from float32.
LOOSE = {"Multinomial": 1e4}

# Whose cdf is an incomplete gamma function, which nobody differentiates by its first argument.
WITHOUT_SLOPE = ("Gamma", "Chi2", "InverseGamma")


def pair(name, parameters, kind="float64"):
    return made(minigrad, name, parameters, kind), made(torch, name, parameters, kind)


@cases
def test_shapes_and_moments(name, parameters):
    (ours, leaves), (theirs, their_leaves) = pair(name, parameters)
    for attribute in ("batch_shape", "event_shape", "has_rsample", "has_enumerate_support"):
        assert str(getattr(ours, attribute)) == str(getattr(theirs, attribute)), attribute
    assert repr(ours) == repr(theirs)
    for attribute in ("mean", "mode", "variance", "stddev"):
        values = [outcome(getattr, d, attribute) for d in (ours, theirs)]
        assert_same(*values, attribute, 5)
        assert_same_gradients(*values, leaves, their_leaves, attribute, 50)
    for method in ("entropy", "perplexity"):
        values = [outcome(getattr(d, method)) for d in (ours, theirs)]
        assert_same(*values, method, LOOSE.get(name, 5))
        assert_same_gradients(*values, leaves, their_leaves, method, LOOSE.get(name, 50))
    for expand in (True, False):
        values = [outcome(d.enumerate_support, expand) for d in (ours, theirs)]
        assert_same(*values, "enumerate_support")


@cases
def test_supports(name, parameters):
    (ours, _), (theirs, _) = pair(name, parameters)
    assert type(ours.support).__name__ == type(theirs.support).__name__
    assert (ours.support.event_dim, ours.support.is_discrete) == (theirs.support.event_dim, theirs.support.is_discrete)
    assert ours.arg_constraints.keys() == theirs.arg_constraints.keys()


@cases
def test_densities_and_their_gradients(name, parameters):
    (ours, leaves), (theirs, their_leaves) = pair(name, parameters)
    torch.manual_seed(3)
    value = theirs.sample((4,))
    mine = minigrad.tensor(value.numpy())
    if value.is_floating_point() and not theirs.support.is_discrete:
        leaves, their_leaves = [*leaves, ("value", mine)], [*their_leaves, ("value", value)]
        mine.requires_grad_(), value.requires_grad_()
    for method in ("log_prob", "cdf"):
        values = [outcome(getattr(d, method), v) for d, v in ((ours, mine), (theirs, value))]
        assert_same(*values, method, 10)
        if method == "log_prob" or name not in WITHOUT_SLOPE:
            assert_same_gradients(*values, leaves, their_leaves, method, 200)
    units = np.linspace(0.02, 0.98, value.numel()).reshape(value.shape)
    values = [outcome(d.icdf, T.tensor(units)) for d, T in ((ours, minigrad), (theirs, torch))]
    assert_same(*values, "icdf", 50)
    assert_same_gradients(*values, leaves, their_leaves, "icdf", 200)


@cases
def test_float32(name, parameters):
    (ours, _), (theirs, _) = pair(name, parameters, "float32")
    torch.manual_seed(4)
    value = theirs.sample((3,))
    assert_same(ours.log_prob(minigrad.tensor(value.numpy())), theirs.log_prob(value), "log_prob", 20)
    for attribute in ("mean", "mode", "variance"):
        values = [outcome(getattr, d, attribute) for d in (ours, theirs)]
        assert_same(*values, attribute, 5)
    assert_same(outcome(ours.entropy), outcome(theirs.entropy), "entropy", 5)


@cases
def test_expand(name, parameters):
    (ours, _), (theirs, _) = pair(name, parameters)
    shape = (5, *theirs.batch_shape)
    wide, their_wide = ours.expand(shape), theirs.expand(shape)
    assert repr(wide) == repr(their_wide)
    assert (wide.batch_shape, wide.event_shape) == (their_wide.batch_shape, their_wide.event_shape)
    minigrad.manual_seed(1), torch.manual_seed(1)
    value = their_wide.sample()
    assert_same(wide.sample(), value, "sample", 100)
    assert_same(wide.log_prob(minigrad.tensor(value.numpy())), their_wide.log_prob(value), "log_prob", 10)
    assert wide._validate_args == ours._validate_args


@cases
def test_copies_and_pickles(name, parameters):
    ours, _ = made(minigrad, name, parameters, grad=False)
    value = ours.sample()
    expected = array(ours.log_prob(value))
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        assert repr(again) == repr(ours)
        np.testing.assert_array_equal(array(again.log_prob(value)), expected)


@cases
def test_parameters_and_values_that_are_wrong(name, parameters):
    (ours, _), (theirs, _) = pair(name, parameters)
    sample = theirs.sample()
    shape, kind = tuple(sample.shape), sample.numpy().dtype if sample.is_floating_point() else np.float64
    for value in (np.full(shape, np.nan), np.full(shape, -7.5), np.zeros((2, 9, 11))):
        values = [outcome(d.log_prob, T.tensor(value.astype(kind))) for d, T in ((ours, minigrad), (theirs, torch))]
        assert_same(*[v.detach() if hasattr(v, "detach") else v for v in values], f"log_prob of {value.flat[0]}", 10)
    for key, given in parameters.items():
        for bad in (-1.0, np.nan):
            if isinstance(given, np.ndarray) and name != "LowRankMultivariateNormal":
                wrong = {**parameters, key: np.full_like(given, bad)}
                values = [outcome(made, T, name, wrong) for T in (minigrad, torch)]
                assert isinstance(values[0], type) == isinstance(values[1], type), (key, bad)
                if isinstance(values[0], type):
                    assert issubclass(values[0], values[1].__mro__[1] if values[1].__name__[0] == "_" else values[1])


@pytest.mark.parametrize(
    ("make", "error", "text"),
    [
        (lambda: D.Normal("a", 1.0), ValueError, "Number or Tensor"),
        (lambda: D.Normal(0.0, -1.0), ValueError, "scale .*GreaterThan"),
        (lambda: D.Normal(0.0, 1.0).log_prob(1.0), ValueError, "must be a Tensor"),
        (lambda: D.Normal(minigrad.zeros(2), 1.0).log_prob(minigrad.zeros(3)), ValueError, "not broadcastable"),
        (lambda: D.Dirichlet(minigrad.ones(2)).log_prob(minigrad.ones(3) / 3), ValueError, "event_shape"),
        (lambda: D.Categorical(), ValueError, "Either `probs` or `logits`"),
        (lambda: D.Categorical(minigrad.tensor(0.5)), ValueError, "one-dimensional"),
        (lambda: D.Categorical(minigrad.ones(2)).log_prob(minigrad.tensor(2)), ValueError, "IntegerInterval"),
        (lambda: D.Categorical(minigrad.ones(2)).rsample(), NotImplementedError, "sample"),
        (lambda: D.Uniform(1.0, 0.0), ValueError, "LessThan"),
        (lambda: D.MultivariateNormal(minigrad.zeros(2)), ValueError, "Exactly one"),
        (lambda: D.Independent(D.Normal(0.0, 1.0), 1), ValueError, "reinterpreted_batch_ndims"),
        (lambda: D.Binomial(minigrad.tensor([3, 5]), minigrad.ones(2) / 2).entropy(), NotImplementedError, "Inhomog"),
        (lambda: D.Poisson(3.0).entropy(), NotImplementedError, "Poisson"),
        (lambda: D.LKJCholesky(1), ValueError, "dim=1"),
        (lambda: D.Wishart(0.5, minigrad.eye(2)), ValueError, "df"),
        (lambda: D.Geometric(minigrad.zeros(1)), ValueError, "positive"),
        (lambda: D.Distribution.set_default_validate_args(3), ValueError, "True or False"),
    ],
)
def test_errors_say_what_is_wrong(make, error, text):
    with pytest.raises(error, match=text):
        make()


def test_an_incomplete_gamma_function_is_not_differentiated_by_its_first_argument():
    concentration = minigrad.tensor([2.0], requires_grad=True)
    below = D.Gamma(concentration, 1.0).cdf(minigrad.tensor([1.5]))
    with pytest.raises(NotImplementedError, match="derivative"):
        below.backward()


def test_validation_can_be_turned_off():
    assert D.Normal(0.0, 1.0, validate_args=False).log_prob(minigrad.tensor(float("nan"))).isnan()
    D.Distribution.set_default_validate_args(False)
    try:
        D.Normal(0.0, -1.0)
        with pytest.raises(ValueError, match="scale"):
            D.Normal(0.0, -1.0, validate_args=True)
    finally:
        D.Distribution.set_default_validate_args(True)


def test_a_parameter_that_needs_no_broadcasting_is_kept():
    loc, scale = minigrad.zeros(3), minigrad.ones(3)
    normal = D.Normal(loc, scale)
    assert normal.loc is loc
    assert normal.scale is scale


def test_counts_of_integers_do_not_cut_the_probability_down():
    assert D.Binomial(minigrad.tensor([4, 8]), 0.25).mean.tolist() == [1.0, 2.0]


def test_subclasses():
    class Centred(D.Normal):
        def __init__(self, scale):
            super().__init__(0.0, scale)

    class Plain(D.Normal):
        pass

    assert Plain(0.0, 1.0).expand((2,)).sample().shape == (2,)
    with pytest.raises(NotImplementedError, match=r"custom .expand\(\) method"):
        Centred(1.0).expand((2,))


def test_a_distribution_of_ones_own_is_warned_of_what_it_lacks():
    class Mine(D.Distribution):
        def log_prob(self, value):
            self._validate_sample(value)
            return value

    with pytest.warns(UserWarning, match="arg_constraints"):
        mine = Mine()
    with pytest.warns(UserWarning, match="support"):
        mine.log_prob(minigrad.zeros(()))
    with pytest.warns(FutureWarning, match="sample_n"):
        D.Normal(0.0, 1.0).sample_n(2)
    with pytest.warns(UserWarning, match="Low df"):
        D.Wishart(1.5, minigrad.eye(2))


MADE_OF_OTHERS = {
    "mixture": lambda T: T.distributions.MixtureSameFamily(
        T.distributions.Categorical(T.tensor([0.2, 0.3, 0.5])),
        T.distributions.Normal(T.tensor([0.0, 1, 2]), T.tensor([1.0, 0.5, 2])),
    ),
    "mixture of vectors": lambda T: T.distributions.MixtureSameFamily(
        T.distributions.Categorical(T.tensor([[0.2, 0.3, 0.5]] * 2)),
        T.distributions.Independent(T.distributions.Normal(T.arange(12.0).reshape(2, 3, 2), T.ones(2, 3, 2)), 1),
    ),
    "mixture of counts": lambda T: T.distributions.MixtureSameFamily(
        T.distributions.Categorical(logits=T.tensor([0.2, 0.8])), T.distributions.Poisson(T.tensor([3.0, 9.0]))
    ),
    "independent": lambda T: T.distributions.Independent(T.distributions.Normal(T.zeros(2, 3), 1.0), 1),
    "independent counts": lambda T: T.distributions.Independent(T.distributions.Bernoulli(T.ones(2, 3) / 3), 0),
    "transformed": lambda T: T.distributions.TransformedDistribution(
        T.distributions.Normal(T.tensor([0.0, 1.0]), 1.0),
        [T.distributions.AffineTransform(1.0, T.tensor([[2.0], [-1.0]])), T.distributions.ExpTransform()],
    ),
    "logistic": lambda T: T.distributions.TransformedDistribution(
        T.distributions.Uniform(T.zeros(1), T.ones(1)),
        [T.distributions.SigmoidTransform().inv, T.distributions.AffineTransform(2.0, -3.0)],
    ),
    "sticks": lambda T: T.distributions.TransformedDistribution(
        T.distributions.Normal(T.zeros(2, 3), 1.0), T.distributions.StickBreakingTransform()
    ),
    "reshaped": lambda T: T.distributions.TransformedDistribution(
        T.distributions.Normal(T.zeros(6), 1.0), [T.distributions.ReshapeTransform((6,), (2, 3))]
    ),
    "untransformed": lambda T: T.distributions.TransformedDistribution(T.distributions.Normal(T.zeros(2), 1.0), []),
    "too narrow": lambda T: T.distributions.TransformedDistribution(
        T.distributions.Normal(0.0, 1.0), T.distributions.StickBreakingTransform()
    ),
    "five of four": lambda T: T.distributions.MixtureSameFamily(
        T.distributions.Categorical(T.ones(4)), T.distributions.Poisson(T.ones(5))
    ),
}


@pytest.mark.parametrize("name", MADE_OF_OTHERS)
def test_distributions_made_of_others(name):
    make = MADE_OF_OTHERS[name]
    if isinstance(outcome(make, torch), type):
        with pytest.raises(ValueError, match=r"needs|equal"):
            make(minigrad)
        return
    ours, theirs = make(minigrad), make(torch)
    assert repr(ours) == repr(theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for attribute in ("batch_shape", "event_shape", "has_rsample", "mean", "variance", "support"):
            values = [outcome(getattr, d, attribute) for d in (ours, theirs)]
            assert_same(*values, attribute)
    for shape in ((), (3,)):
        minigrad.manual_seed(2), torch.manual_seed(2)
        value, expected = ours.sample(shape), theirs.sample(shape)
        assert_same(value, expected, "sample")
        assert_same(ours.log_prob(value), theirs.log_prob(expected), "log_prob")
        for method in ("cdf", "rsample"):
            arguments = (value, expected) if method == "cdf" else (shape, shape)
            values = [outcome(getattr(d, method), a) for d, a in zip((ours, theirs), arguments)]
            assert_same(*values, method, 5)
    wide = (4, *theirs.batch_shape)
    assert ours.expand(wide).sample().shape == theirs.expand(wide).sample().shape
    assert_same(outcome(ours.entropy), outcome(theirs.entropy), "entropy")


def test_the_generalized_pareto():  # whose densities PyTorch 2.13 computes for float32 only
    parameters = [np.array(x, np.float32) for x in ([0.0, 1.0, -2.0, 0.5], 1.5, [-0.3, 0.0, 0.2, 1.2])]
    pair = [T.distributions.GeneralizedPareto(*map(T.tensor, parameters)) for T in (minigrad, torch)]
    minigrad.manual_seed(0), torch.manual_seed(0)
    values = [d.rsample((5,)) for d in pair]
    assert_same(*values, "rsample")
    for method in ("log_prob", "cdf", "log_survival_function"):
        assert_same(*[getattr(d, method)(v) for d, v in zip(pair, values)], method, 5)
    for attribute in ("mean", "variance", "mode"):
        assert_same(*[getattr(d, attribute) for d in pair], attribute)
    assert_same(*[d.entropy() for d in pair], "entropy")


def test_reinforce():
    """Both libraries draw the same actions and find the same gradient."""
    gradients = []
    for T in (minigrad, torch):
        T.manual_seed(0)
        logits = T.linspace(-1, 1, 12).reshape(4, 3).requires_grad_()
        policy = T.distributions.Categorical(logits=logits)
        action = policy.sample()
        loss = -(policy.log_prob(action) * T.arange(4.0)).mean() - 0.01 * policy.entropy().mean()
        loss.backward()
        gradients.append((action, logits.grad))
    assert_same(*gradients, "actions and gradient")


def test_importing_minigrad_does_not_import_distributions():
    import subprocess
    import sys

    code = "import sys, minigrad; assert not [m for m in sys.modules if 'distributions' in m]; minigrad.distributions"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
