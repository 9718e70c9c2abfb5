"""Transforms, constraints and their registry beside PyTorch's."""

import copy
import pickle

import numpy as np
import pytest
from distribution_cases import array, assert_same, definite, outcome, real, unit

import minigrad
from minigrad import distributions as D

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # NumPy's, where infinities are meant
VECTORS, MATRICES = unit(2, 4), real(3, 4, 4)


def t64(T, values):
    return T.tensor(values, dtype=T.float64)


TRANSFORMS = {
    "exp": (lambda d, T: d.ExpTransform(), VECTORS),
    "abs": (lambda d, T: d.AbsTransform(), VECTORS),
    "sigmoid": (lambda d, T: d.SigmoidTransform(), VECTORS),
    "tanh": (lambda d, T: d.TanhTransform(), VECTORS),
    "softplus": (lambda d, T: d.SoftplusTransform(), VECTORS),
    "power": (lambda d, T: d.PowerTransform(t64(T, 2.5)), VECTORS),
    "powers": (lambda d, T: d.PowerTransform(t64(T, [1.0, -2.0, 3.0, 0.5])), VECTORS),
    "affine": (lambda d, T: d.AffineTransform(1.0, -2.0), VECTORS),
    "affine of tensors": (lambda d, T: d.AffineTransform(t64(T, [1.0, 2, 3, 4]), t64(T, [[2.0], [-3.0]])), VECTORS),
    "affine of vectors": (lambda d, T: d.AffineTransform(0, 3.0, event_dim=1), VECTORS),
    "softmax": (lambda d, T: d.SoftmaxTransform(), VECTORS),
    "sticks": (lambda d, T: d.StickBreakingTransform(), real(2, 4)),
    "lower": (lambda d, T: d.LowerCholeskyTransform(), MATRICES),
    "definite": (lambda d, T: d.PositiveDefiniteTransform(), MATRICES),
    "correlation": (lambda d, T: d.CorrCholeskyTransform(), real(2, 6)),
    "composed": (lambda d, T: d.ComposeTransform([d.AffineTransform(1.0, 0.5), d.TanhTransform()]), VECTORS),
    "composed vectors": (lambda d, T: d.ComposeTransform([d.ExpTransform(), d.StickBreakingTransform()]), real(2, 4)),
    "nothing": (lambda d, T: d.ComposeTransform([]), VECTORS),
    "identity": (lambda d, T: d.identity_transform, VECTORS),
    "independent": (lambda d, T: d.IndependentTransform(d.ExpTransform(), 1), VECTORS),
    "reshape": (lambda d, T: d.ReshapeTransform((4,), (2, 2)), VECTORS),
    "cat": (lambda d, T: d.CatTransform([d.ExpTransform(), d.AffineTransform(0.0, 2.0)], -1, [1, 3]), VECTORS),
    "stack": (lambda d, T: d.StackTransform([d.ExpTransform(), d.TanhTransform()], 0), VECTORS),
    "cdf": (lambda d, T: d.CumulativeDistributionTransform(d.Normal(t64(T, 0.0), 1.0)), VECTORS),
    "log": (lambda d, T: d.ExpTransform().inv, VECTORS),
    "inverse of composed": (
        lambda d, T: d.ComposeTransform([d.AffineTransform(1.0, 0.5), d.TanhTransform()]).inv, VECTORS),
}  # fmt: skip
transforms = pytest.mark.parametrize("name", TRANSFORMS)


def both(make):
    return make(D, minigrad), make(torch.distributions, torch)


@pytest.mark.parametrize("cache_size", [0, 1])
@transforms
def test_values_inverses_and_derivatives(name, cache_size):
    make, numbers = TRANSFORMS[name]
    results = []
    for T in (minigrad, torch):
        x = t64(T, numbers).requires_grad_()
        t = make(T.distributions, T).with_cache(cache_size)
        y = t(x)
        change = outcome(t.log_abs_det_jacobian, x, y)
        (y**2).sum().backward(retain_graph=True)
        slopes = [x.grad]
        if not isinstance(change, type) and change.requires_grad:
            x.grad = None
            (change**2).sum().backward()
            slopes.append(x.grad)
        results.append((y, t.inv(y), t.inv(y) is x, change, slopes))
    assert_same(*results, name, 1000)


@transforms
def test_attributes(name):
    make, numbers = TRANSFORMS[name]
    ours, theirs = both(make)
    for attribute in ("bijective", "sign", "event_dim", "domain", "codomain"):
        assert_same(outcome(getattr, ours, attribute), outcome(getattr, theirs, attribute), attribute)
    assert (ours.domain.event_dim, ours.codomain.event_dim) == (theirs.domain.event_dim, theirs.codomain.event_dim)
    assert (repr(ours), repr(ours.inv)) == (repr(theirs), repr(theirs.inv))
    shape = theirs.forward_shape(torch.Size(numbers.shape))
    assert tuple(ours.forward_shape(minigrad.Size(numbers.shape))) == tuple(shape)
    assert tuple(ours.inverse_shape(minigrad.Size(shape))) == tuple(theirs.inverse_shape(shape))
    x = t64(minigrad, numbers)
    for again in (copy.deepcopy(ours), pickle.loads(pickle.dumps(ours))):
        np.testing.assert_array_equal(array(again(x)), array(ours(x)))


def test_equality():
    ours, theirs = (
        [make(d, T) for make, _ in TRANSFORMS.values()] for d, T in ((D, minigrad), (torch.distributions, torch))
    )
    for i, one in enumerate(ours):
        for j, other in enumerate(ours):
            pair = outcome(lambda: theirs[i] == theirs[j])  # noqa: B023
            if not isinstance(pair, type):  # PyTorch compares parameters of unequal shapes only where they broadcast
                assert bool(one == other) == bool(pair), (one, other)


def test_transforms_that_do_not_fit():
    with pytest.raises(ValueError, match="cache_size"):
        D.ExpTransform(cache_size=2)
    with pytest.raises(ValueError, match="numbers of elements"):
        D.ReshapeTransform((4,), (3,))
    with pytest.raises(ValueError, match="Too few dimensions"):
        D.IndependentTransform(D.ExpTransform(), 2)(minigrad.ones(2))
    with pytest.raises(ValueError, match="event_dim"):
        _ = D.CorrCholeskyTransform().event_dim
    with pytest.raises(AssertionError, match="must equal"):
        D.StackTransform([D.ExpTransform()], 0)(minigrad.ones(2))
    with pytest.raises(NotImplementedError, match="sign"):
        _ = D.SoftmaxTransform().sign


# ---- constraints

CONSTRAINTS = """
    boolean corr_cholesky dependent lower_cholesky lower_triangular nonnegative nonnegative_integer one_hot positive
    positive_definite positive_integer positive_semidefinite real real_vector simplex square symmetric unit_interval
    interval(-1.,2.) interval(0,1) half_open_interval(0.,1.) greater_than(2.) greater_than_eq(1.) less_than(3.)
    integer_interval(0,3) multinomial(5) independent(constraints.positive,1) independent(constraints.positive,-1)
    cat([constraints.positive,constraints.real],-1,[1,2]) cat([constraints.positive],0,[1,2])
    stack([constraints.positive,constraints.real,constraints.unit_interval],-1)
    MixtureSameFamilyConstraint(constraints.real) _IntegerLessThan(3)
""".split()
VALUES = [
    np.eye(3), np.tril(real(2, 3, 3)), definite(2), real(2, 3), np.array([[0.2, 0.3, 0.5], [1, 0, 0]]),
    np.array([0.0, 1, 2]), np.array(np.nan), np.array([[1.0, 0.0], [0.6, 0.8]]),
]  # fmt: skip


@pytest.mark.parametrize("text", CONSTRAINTS)
def test_constraints(text):
    ours, theirs = (
        outcome(eval, f"constraints.{text}", {"constraints": d.constraints}) for d in (D, torch.distributions)
    )
    assert_same(ours, theirs, text)
    if isinstance(theirs, type):
        return
    for attribute in ("event_dim", "is_discrete"):
        assert_same(outcome(getattr, ours, attribute), outcome(getattr, theirs, attribute), attribute)
    for value in VALUES:
        results = outcome(ours.check, minigrad.tensor(value)), outcome(theirs.check, torch.tensor(value))
        assert isinstance(results[0], type) == isinstance(results[1], type), (text, value)
        if not isinstance(results[1], type):
            assert_same(*results, text)
    numbers = np.linspace(-2, 2, 6).reshape(2, 3)
    for registry in ("biject_to", "transform_to"):
        pair = outcome(getattr(D, registry), ours), outcome(getattr(torch.distributions, registry), theirs)
        assert_same(*pair, registry)
        if not isinstance(pair[1], type):
            assert_same(outcome(pair[0], minigrad.tensor(numbers)), outcome(pair[1], torch.tensor(numbers)), registry)


def test_registering_a_constraint_of_ones_own(monkeypatch):
    class Even(D.constraints.Constraint):
        pass

    with pytest.raises(NotImplementedError, match="Even"):
        D.transform_to(Even())
    monkeypatch.setattr(D.transform_to, "_registry", dict(D.transform_to._registry))
    D.transform_to.register(Even, lambda constraint: D.ExpTransform())
    assert D.transform_to(Even()) == D.ExpTransform()
    with pytest.raises(TypeError, match="Constraint"):
        D.transform_to.register(3, lambda constraint: None)


def test_optimising_a_parameter_without_its_constraint():
    """The way of PyTorch's documentation: an unconstrained tensor, transformed to what the distribution takes."""
    curves = []
    for T in (minigrad, torch):
        d = T.distributions
        raw = T.zeros((), requires_grad=True)
        data, losses = T.tensor([1.0, 2.0, 4.0]), []
        for _ in range(5):
            scale = d.transform_to(d.Normal.arg_constraints["scale"])(raw)
            loss = -d.Normal(0.0, scale).log_prob(data).mean()
            (slope,) = T.autograd.grad(loss, [raw])
            raw = (raw - 0.1 * slope).detach().requires_grad_()
            losses.append(loss.item())
        curves.append(losses)
    np.testing.assert_allclose(*curves, rtol=1e-6)
