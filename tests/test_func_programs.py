"""`minigrad.func` on random programs and on every op: the transforms agree with one another, and with PyTorch."""

import math
import warnings

import numpy as np
import pytest
from both import array_of
from hypothesis import given, settings
from hypothesis import strategies as st
from op_cases import case_id
from test_ops import DIFFERENTIABLE, checkable

import minigrad
from minigrad import func
from minigrad.registry import OPS


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


# Small programs: a chain of steps on a vector of three, each of which keeps its size.
STEPS = [
    lambda T, x: x * x,
    lambda T, x: x + x.flip(0),
    lambda T, x: x.sin(),
    lambda T, x: T.sigmoid(x),
    lambda T, x: x * x.sum(),
    lambda T, x: x - x.mean(),
    lambda T, x: x / (1 + x.abs()),
    lambda T, x: T.cumsum(x, 0),
    lambda T, x: T.outer(x, x).sum(1) / 3,
    lambda T, x: T.softmax(x, 0),
    lambda T, x: T.where(x > 0.1, x, x.exp()),
    lambda T, x: T.cat([x[1:], x[:1]]),
    lambda T, x: T.stack([x[0], x[2] * x[1], x.amax()]),
    lambda T, x: (x.unsqueeze(0) @ T.ones(3, 3, dtype=x.dtype)).squeeze(0) / 3,
    lambda T, x: x.clone().mul_(x).add_(1),
    lambda T, x: x.reshape(3, 1).expand(3, 2).t()[1],
    lambda T, x: x.clamp(-1, 1),
]
programs = st.lists(st.sampled_from(STEPS), min_size=1, max_size=5)
vectors = st.lists(st.floats(-2, 2).map(lambda v: round(v, 3)), min_size=3, max_size=3)


def chain(steps, T=minigrad):
    def program(x):
        for step in steps:
            x = step(T, x)
        return x

    return program


def doubles(values, T=minigrad):
    return T.tensor(values, dtype=T.float64)


@settings(max_examples=40)
@given(programs, st.lists(vectors, min_size=1, max_size=4))
def test_vmap_is_stacking(steps, rows):
    f, x = chain(steps), doubles(rows)
    np.testing.assert_allclose(func.vmap(f)(x).numpy(), minigrad.stack([f(row) for row in x]).numpy(), rtol=1e-12)
    total = lambda a: f(a).sum()  # noqa: E731
    one_by_one = minigrad.stack([func.grad(total)(row) for row in x]).numpy()
    np.testing.assert_allclose(func.vmap(func.grad(total))(x).numpy(), one_by_one, rtol=1e-10, atol=1e-12)
    through = func.grad(lambda a: func.vmap(total)(a).sum())(x).numpy()
    np.testing.assert_allclose(through, one_by_one, rtol=1e-10, atol=1e-12)


@settings(max_examples=40)
@given(programs, vectors, vectors, vectors)
def test_forward_and_reverse_agree(steps, x, t, u):
    f, x, t, u = chain(steps), doubles(x), doubles(t), doubles(u)
    value, pushed = func.jvp(f, (x,), (t,))
    also, pull = func.vjp(f, x)
    (pulled,) = pull(u)
    assert value.tolist() == also.tolist() == f(x).tolist()
    forward, reverse = (u * pushed).sum().item(), (pulled * t).sum().item()
    assert math.isclose(forward, reverse, rel_tol=1e-8, abs_tol=1e-8 * (1 + pulled.abs().max().item()))
    by_rows, by_columns = func.jacrev(f)(x), func.jacfwd(f)(x)
    np.testing.assert_allclose(by_rows.numpy(), by_columns.numpy(), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose((by_rows @ t).numpy(), pushed.numpy(), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("case", [case for case in DIFFERENTIABLE if case[0] in OPS], ids=case_id)
def test_the_forward_derivative_of_every_op_is_the_transpose_of_its_backward(case):
    """Which also says that the op's rules are linear in the gradient they are given."""
    function, inputs = checkable(case)
    draw = np.random.default_rng(0)

    def run(*tensors):
        minigrad.manual_seed(0)
        return function(*tensors)

    def like(tensors):
        return tuple([minigrad.tensor(draw.uniform(0.5, 1.5, t.shape)) for t in tensors])

    tangents = like(inputs)
    outputs, pushed = func.jvp(run, tuple(inputs), tangents)
    cotangents = like(outputs)
    pulled = func.vjp(run, *inputs)[1](cotangents)
    forward = sum((u * p).sum().item() for u, p in zip(cotangents, pushed, strict=True))
    reverse = sum((p * t).sum().item() for p, t in zip(pulled, tangents, strict=True))
    assert math.isclose(forward, reverse, rel_tol=1e-8, abs_tol=1e-9), (forward, reverse)


TRANSFORMS = {
    "vmap of grad": lambda t, f, g, x, v: t.vmap(t.grad(g))(x),
    "grad of vmap": lambda t, f, g, x, v: t.grad(lambda a: t.vmap(g)(a).sum())(x),
    "vmap of jacrev": lambda t, f, g, x, v: t.vmap(t.jacrev(f))(x),
    "hessian": lambda t, f, g, x, v: t.hessian(g)(x[0]),
    "jacfwd of grad": lambda t, f, g, x, v: t.jacfwd(t.grad(g))(x[0]),
    "grad of grad": lambda t, f, g, x, v: t.grad(lambda a: (t.grad(g)(a) * v).sum())(x[0]),
    "jvp of grad": lambda t, f, g, x, v: t.jvp(t.grad(g), (x[0],), (v,))[1],
    "vjp of jvp": lambda t, f, g, x, v: t.vjp(lambda a: t.jvp(f, (a,), (v,))[1], x[0])[1](v)[0],
}


@pytest.mark.parametrize("name", TRANSFORMS)
@settings(max_examples=8)
@given(steps=programs, rows=st.lists(vectors, min_size=2, max_size=3), v=vectors)
def test_random_programs_as_in_pytorch(name, steps, rows, v, torch):
    found = []
    for T, transforms in ((minigrad, func), (torch, torch.func)):
        f = chain(steps, T)
        g = lambda a, f=f: f(a).sum()  # noqa: E731
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = TRANSFORMS[name](transforms, f, g, doubles(rows, T), doubles(v, T))
        found.append(array_of(result))
    np.testing.assert_allclose(*found, rtol=1e-8, atol=1e-9 * (1 + abs(found[1]).max()))
