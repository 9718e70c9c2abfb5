"""Attention in one kernel: both twins, cut into parts of every size, against the plain formula; and against PyTorch."""

import itertools

import numpy as np
import pytest
from kernel_checks import both, kinds, maker, near

import minigrad
from minigrad import func, nn
from minigrad.kernels import attention as kernels

F = nn.functional
SHAPES = [  # batch, L, S, E, V
    ((), 3, 5, 4, 2),
    ((4,), 5, 5, 3, 3),
    ((2, 3), 40, 40, 4, 4),
    ((2, 1, 2), 7, 33, 2, 5),
    ((1, 2), 1, 1, 1, 1),
]
MASKS = {
    "none": lambda make, batch, n, m: None,
    "one": lambda make, batch, n, m: make(n, m),
    "for keys": lambda make, batch, n, m: np.where(make(*[1] * len(batch), 1, m) > 0, -np.inf, 0),
    "for each": lambda make, batch, n, m: np.where(make(*batch, n, m) > 0.5, -np.inf, make(*batch, n, m)),
    "shut": lambda make, batch, n, m: np.where(np.arange(n)[:, None] % 2, -np.inf, make(n, m)),
}


def plain(q, k, v, mask, kept, scale, causal):
    scores = q @ np.swapaxes(k, -1, -2) * scale
    if causal:
        scores = np.where(np.tri(*scores.shape[-2:], dtype=bool), scores, -np.inf)
    if mask is not None:
        scores = scores + mask
    top = scores.max(-1, keepdims=True)
    powers = np.exp(scores - np.where(np.isinf(top), 0, top))
    total = powers.sum(-1, keepdims=True)
    weights = powers / np.where(total == 0, 1, total)
    return (weights if kept is None else weights * kept) @ v


@pytest.fixture(params=[(16, 2), (200, 8), (kernels.PART, kernels.ROWS)], ids=["tiny parts", "small parts", "parts"])
def parts(request, monkeypatch):
    """Parts of a few numbers, so that there are many of them."""
    monkeypatch.setattr(kernels, "PART", request.param[0])
    monkeypatch.setattr(kernels, "ROWS", request.param[1])


def calls(kind):
    """The arguments of every case."""
    for (batch, n, m, e, w), mask, causal, drop in itertools.product(SHAPES, MASKS, (False, True), (False, True)):
        if causal and mask != "none":
            continue
        make = maker(kind)
        q, k, v = make(*batch, n, e), make(*batch, m, e), make(*batch, m, w)
        given = MASKS[mask](make, batch, n, m)
        given = given if given is None else given.astype(kind)
        yield q, k, v, given, (make(*batch, n, m) > 0).astype(kind) if drop else None, 0.7, causal


@kinds
@both
def test_attention(who, kind, parts):
    with minigrad.backend(who):
        for args in calls(kind):
            out, _ = kernels.attention(*args, False)
            near(out, plain(*[x if x is None or np.isscalar(x) else x.astype(np.float64) for x in args]), kind)


@kinds
def test_derivatives_are_those_of_the_numpy_twin(kind, parts):
    """Which is the derivative of the formula: gradcheck says so, in test_ops."""
    for args in calls(kind):
        g = maker(kind)(*args[0].shape[:-1], args[2].shape[-1])
        with minigrad.backend("numpy"):
            expected = kernels.attention_backward(g, *args, None)
        with minigrad.backend("numba"):
            known = kernels.attention(*args, True)[1]
            for actual in (kernels.attention_backward(g, *args, known), kernels.attention_backward(g, *args, None)):
                for one, other in zip(actual, expected, strict=True):
                    near(one, other, kind)


@both
def test_more_weights_than_are_kept(who, monkeypatch):
    monkeypatch.setattr(kernels, "FEW", 10)
    make = maker("float64")
    q, k, v = (minigrad.from_numpy(make(2, 6, 3)).requires_grad_() for _ in range(3))
    with minigrad.backend(who):
        _, known = kernels.attention(*[x.detach().numpy() for x in (q, k, v)], None, None, 1.0, True, True)
        assert known is None
        assert minigrad.autograd.gradcheck(lambda *x: F.scaled_dot_product_attention(*x, is_causal=True), (q, k, v))


@both
def test_second_derivatives(who):
    make = maker("float64")
    q, k, v = (minigrad.from_numpy(make(2, 3, 2)).requires_grad_() for _ in range(3))
    mask = minigrad.tensor([[True, False, True], [False, False, False], [True, True, True]])
    with minigrad.backend(who):
        for call in ({"is_causal": True}, {"attn_mask": mask}, {"scale": 0.3}):
            f = lambda *x, call=call: F.scaled_dot_product_attention(*x, **call)  # noqa: E731
            assert minigrad.autograd.gradcheck(f, (q, k, v))
            assert minigrad.autograd.gradgradcheck(f, (q, k, v))


def test_the_gradient_of_the_mask():
    make = maker("float64")
    q, k, v = (minigrad.from_numpy(make(2, 3, 2)) for _ in range(3))
    mask = minigrad.from_numpy(make(3, 3)).requires_grad_()
    assert minigrad.autograd.gradcheck(lambda m: F.scaled_dot_product_attention(q, k, v, m), (mask,))


def test_vmap_is_the_loop():
    make = maker("float64")
    q, k, v = (minigrad.from_numpy(make(4, 2, 3, 5)) for _ in range(3))
    mask = minigrad.from_numpy(make(4, 3, 3))
    for call in (
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v),
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m),
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, is_causal=True),
        lambda q, k, v, m: F.scaled_dot_product_attention(q, k[0], v[0], m > 0),
        func.grad(lambda q, k, v, m: F.scaled_dot_product_attention(q, k, v, m).sin().sum()),
    ):
        expected = minigrad.stack([call(q[i], k[i], v[i], mask[i]) for i in range(4)])
        np.testing.assert_allclose(func.vmap(call)(q, k, v, mask).numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)
        expected = minigrad.stack([call(q[i], k[1], v[1], mask[2]) for i in range(4)])
        actual = func.vmap(call, in_dims=(0, None, None, None))(q, k[1], v[1], mask[2])
        np.testing.assert_allclose(actual.numpy(), expected.numpy(), rtol=1e-12, atol=1e-12)


def test_each_example_of_a_vmap_has_its_own_dropout():
    x = minigrad.ones(6, 8, 8)
    attend = func.vmap(lambda x: F.scaled_dot_product_attention(x, x, x, dropout_p=0.5), randomness="different")
    assert len({tuple(map(tuple, out.tolist())) for out in attend(x)}) == 6


class TestAgainstPyTorch:
    """What the samples of the op do not try."""

    def run(self, T, arrays, turned=False, **call):
        T.manual_seed(3)
        xs = [T.from_numpy(x.copy()).requires_grad_() for x in arrays]
        given = {name: T.from_numpy(x) if isinstance(x, np.ndarray) else x for name, x in call.items()}
        qkv = [x.transpose(1, 2) for x in xs] if turned else xs
        out = T.nn.functional.scaled_dot_product_attention(*qkv, **given)
        (out * T.arange(out.shape[-1]).to(out.dtype)).sin().sum().backward()
        return [out.detach().numpy(), *[x.grad.numpy() for x in xs]], T.rand(1).item()

    @pytest.mark.parametrize("turned", [False, True])
    @pytest.mark.parametrize("dropout_p", [0.0, 0.3])
    @pytest.mark.parametrize("which", ["none", "causal", "bool", "float", "keys", "heads"])
    def test_values_gradients_and_random_numbers(self, which, dropout_p, turned):
        torch = pytest.importorskip("torch")
        make = maker("float32")
        arrays = [make(2, 3, 5, 4) for _ in range(3)]
        n = 3 if turned else 5
        call = {
            "none": {},
            "causal": {"is_causal": True},
            "bool": {"attn_mask": make(n, n) > -1},
            "float": {"attn_mask": make(n, n)},
            "keys": {"attn_mask": make(2, 1, 1, n) > -1},
            "heads": {"attn_mask": make(2, 5 if turned else 3, n, n)},
        }[which]
        actual = self.run(minigrad, arrays, turned, dropout_p=dropout_p, **call)
        expected = self.run(torch, arrays, turned, dropout_p=dropout_p, **call)
        for one, other in zip(actual[0], expected[0], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
        assert actual[1] == expected[1], "another amount of random numbers was drawn"
