"""Attention in one kernel: both twins, cut into parts of every size, against the plain formula; and against PyTorch."""

import itertools

import numpy as np
import pytest
from guard import guarded
from kernel_checks import both, kinds, maker, near

import minigrad
from minigrad import func, nn
from minigrad.kernels import attention as kernels
from minigrad.kernels.dispatch import jit

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


@pytest.fixture(params=[(8, 32), (kernels.ROWS, kernels.COLUMNS)], ids=["small blocks", "blocks"])
def blocks(request, monkeypatch):
    """Blocks of a few rows and columns, so that there are many of them; the drivers are compiled for that."""
    monkeypatch.setattr(kernels, "ROWS", request.param[0])
    monkeypatch.setattr(kernels, "COLUMNS", request.param[1])
    for name in ("attend", "attend_backward"):
        monkeypatch.setattr(kernels, name, jit(getattr(kernels, name).py_func))


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
def test_attention(who, kind, blocks):
    with minigrad.backend(who):
        for args in calls(kind):
            out, _ = kernels.attention(*args)
            near(out, plain(*[x if x is None or np.isscalar(x) else x.astype(np.float64) for x in args]), kind)


@kinds
def test_derivatives_are_those_of_the_numpy_twin(kind, blocks):
    """Which is the derivative of the formula: gradcheck says so, in test_ops."""
    for args in calls(kind):
        g = maker(kind)(*args[0].shape[:-1], args[2].shape[-1])
        with minigrad.backend("numpy"):
            expected = kernels.attention_backward(g, *args, *kernels.attention(*args))
        with minigrad.backend("numba"):
            for known in (kernels.attention(*args), (None, None)):
                for one, other in zip(kernels.attention_backward(g, *args, *known), expected, strict=True):
                    near(one, other, kind)


@kinds
@pytest.mark.parametrize("at", ["start", "end"])
def test_nothing_beyond_the_arrays_is_touched(kind, at):
    for args in calls(kind):
        args = [guarded(x, at) if isinstance(x, np.ndarray) else x for x in args]
        with minigrad.backend("numba"):
            out, known = kernels.attention(*args)
            kernels.attention_backward(guarded(out, at), *args, guarded(out, at), guarded(known, at))


@kinds
def test_views_are_read_where_they_are(kind, blocks):
    make = maker(kind)
    projected = make(2, 9, 3, 4, 16)  # batch, places, which, heads, width
    q, k, v = projected.transpose(2, 0, 3, 1, 4)
    one = np.broadcast_to(make(1, 1, 9, 16), q.shape)
    turned = np.swapaxes(make(2, 4, 16, 9), -1, -2)
    for arrays in ((q, k, v), (q, one, one), (q[..., ::-1, :], turned, v), (q, k, v[..., ::2])):
        g = make(*q.shape[:-1], arrays[2].shape[-1])
        results = []
        for who in ("numpy", "numba"):
            with minigrad.backend(who):
                found = kernels.attention(*arrays, None, None, 0.3, True)
                results.append([found[0], *kernels.attention_backward(g, *arrays, None, None, 0.3, True, *found)])
        for expected, actual in zip(*results, strict=True):
            near(actual, expected, kind)
    out, known = kernels.attention.compiled(q, k, v, None, None, 1.0, False)
    assert out.transpose(0, 2, 1, 3).flags.c_contiguous, "the heads lie side by side again: no copy to join them"
    assert known.shape == (2, 4, 2, 9), "of the weights nothing is kept but two numbers of each row"


@both
def test_heads_in_parts_on_threads(who):
    make = maker("float32")
    q, k, v = (make(3, 2, 40, 8) for _ in range(3))
    with minigrad.backend(who):
        expected = kernels.attention(q, k, v, None, None, 0.5, True)[0]
        former, kernels.WORTH = kernels.WORTH, 0
        minigrad.set_num_threads(3)
        try:
            actual = kernels.attention(q, k, v, None, None, 0.5, True)[0]
        finally:
            minigrad.set_num_threads(1)
            kernels.WORTH = former
    np.testing.assert_array_equal(actual, expected)


@both
@pytest.mark.parametrize("heads", [1, 2, 4])
@pytest.mark.parametrize("mask", [None, (3, 5), (4, 3, 5), (2, 1, 3, 5)])
def test_groups_of_heads(who, heads, mask):
    make = maker("float64")
    q, k, v = (minigrad.from_numpy(make(2, n, m, 3)).requires_grad_() for n, m in ((4, 3), (heads, 5), (heads, 5)))
    mask = mask and minigrad.from_numpy(make(*mask))
    with minigrad.backend(who):
        out = F.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True)
        found = minigrad.autograd.grad(out.sin().sum(), (q, k, v))
        each = [x.repeat_interleave(4 // heads, 1) for x in (k, v)]
        expected = F.scaled_dot_product_attention(q, *each, mask)
        wanted = minigrad.autograd.grad(expected.sin().sum(), (q, k, v))
    near(out.detach().numpy(), expected.detach().numpy(), "float64")
    for one, other in zip(found, wanted, strict=True):
        near(one.numpy(), other.numpy(), "float64")


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
