"""float16 against PyTorch: what is computed in float32 and rounded once, where numbers are rounded first, and where
they must fit."""

import numpy as np
import pytest
from both import array_of, check, lines, value_of

import minigrad

torch = pytest.importorskip("torch")

# h: numbers of all sizes; r: a few with a history
HALF = (
    "h = T.tensor([0.0, 6e-8, 1e-4, 0.1, -0.7, 3.3, 1000.0, -60000.0, float('inf')], dtype=T.float16); "
    "r = T.tensor([0.1, 0.7, 3.3, 1000.0], dtype=T.float16, requires_grad=True); "
)


@pytest.mark.parametrize(
    "code",
    lines("""
        h * 65536
        65536 * h
        h * 1e5
        h * T.tensor(1e5)
        T.tensor(1e5) * h
        h * T.tensor(100000)
        h / 1e6
        h / T.tensor(1e6, dtype=T.float64)
        T.tensor(1e6) / h
        1e5 / h
        0.1 / h
        h // 0.3
        h // 1e-7
        T.div(h, 0.3, rounding_mode="floor")
        T.div(h, 0.3, rounding_mode="trunc")
        h + 0.1
        h - 1e5
        1e5 - h
        T.rsub(h, 0.1)
        h ** 3
        h.abs() ** 0.3
        0.3 ** h
        h % 0.3
        h % 1e5
        T.fmod(h, 0.3)
        T.remainder(0.3, h)
        T.add(h, h, alpha=0.3)
        T.sub(h, h, alpha=0.3)
        T.rsub(h, h, alpha=0.3)
        T.lerp(h[:-1], h[:-1] * 0.5, 0.3)
        T.lerp(h[:-1], h[:-1] * 0.5, T.tensor(0.3))
        T.lerp(h[:-1], h[:-1] * 0.5, 1e5)
        T.addcmul(h, h, h, value=0.3)
        T.addcdiv(h, h, T.full_like(h, 3.0), value=0.3)
        T.where(h > 0, h, 0.1)
        T.where(h > 0, h, 1e6)
        T.maximum(h, T.tensor(1e6))
        h.clamp(0.1, 100.3)
        h.clamp(max=T.tensor(1e6))
        h == 0.1
        h < 0.1
        h >= 0.1
        h.mul_(1e5)
        h.div_(1e6)
        h.mul_(T.tensor(1e5))
        h.floor_divide_(0.3)
        h.add_(0.1)
        h.add_(h.clone(), alpha=0.3)
        h.remainder_(0.3)
        h[:-1].lerp_(h[:-1] * 0.5, 0.3)
        h[3].clone() * 1e5
        h[3].clone() * T.tensor(100000)
        h.reshape(3, 3).T * 1e5
        T.zeros(0, dtype=T.float16) * 1e5
        T.vmap(lambda row: row * 1e5)(h.reshape(3, 3))
        T.nextafter(h, h * 2)
        T.nextafter(h, T.tensor(1e4, dtype=T.float16))
        h.nextafter_(-h)
        F.embedding_bag(T.tensor([[0, 1]]), h.reshape(3, 3))
        F.rms_norm(h[:4] * 1e-3, (4,))
        F.leaky_relu(h, 0.3)
        F.threshold(h, 0.1, 0.3)
    """),
)
def test_values(code):
    check(HALF + code, torch)


@pytest.mark.parametrize(
    "code",
    lines("""
        (r / 1e6)
        (r * 1e5)
        (r * T.tensor(1e5))
        (1e5 / r)
        (r * 1e-7)
        T.add(r, r, alpha=0.3)
        T.sub(r, r, alpha=0.3)
        T.lerp(r, r * 2, 0.3)
        F.elu(-r, 1e4)
        F.hardtanh(r, -0.1, 0.1)
        F.softplus(r, 0.1)
        T.addcmul(r, r, r, value=10.0)
        T.nextafter(r, T.full_like(r, 3.3))
    """),
)
def test_gradients(code):
    check(f"{HALF}y = {code}; y.backward(T.ones_like(y)); r.grad", torch)


@pytest.mark.parametrize("code", ["(r / 1e6)", "(r * 1e5)", "r * T.tensor(1e5)", "T.add(r * r, r, alpha=0.3)"])
def test_recorded_gradients(code):
    check(f"{HALF}y = {code}; T.autograd.grad(y, r, T.ones_like(y), create_graph=True)[0].detach()", torch)


@pytest.mark.parametrize("code", ["x * w", "x / w", "(x * w) * (x / w)"])
def test_the_gradient_of_a_0_dim_operand_has_its_dtype(code):
    check(
        "x = T.tensor([0.1, 0.5], dtype=T.float16, requires_grad=True); w = T.tensor(20.0, requires_grad=True); "
        f"y = {code}; y.sum().backward(); [w.grad, x.grad]",
        torch,
    )


@pytest.mark.parametrize(
    "code",
    lines("""
        h.clamp(max=1e6)
        h.clamp(-1e6, 1e6)
        h.clamp(min=65505)
        h.clamp(max=float("inf"))
        h.clip_(max=1e6)
        h.clamp_max(1e6)
        h.clamp_min(-10 ** 6)
        h.masked_fill(h > 0, 1e6)
        h.masked_fill(h > 0, 10 ** 6)
        h.masked_fill(h > 0, float("inf"))
        h.masked_fill_(h > 0, T.tensor(1e6))
        T.add(h, h, alpha=1e5)
        T.add(h, 1, alpha=1e5)
        T.sub(h, h, alpha=1e5)
        T.rsub(h, h, alpha=1e5)
        h.add_(h, alpha=1e5)
        h ** 1e5
        h ** 100000
        h.fill_(1e6)
        h.index_fill(0, T.tensor([0]), 1e6)
        h.index_add(0, T.tensor([0]), h[:1], alpha=1e5)
        h.scatter(0, T.tensor([0]), 1e6)
        F.pad(h, (1, 1), value=1e6)
        F.threshold(h, 0.1, 1e6)
        F.hardtanh(h, -1e6, 1e6)
        F.hardshrink(h, 1e6)
        F.softshrink(h, 1e6)
        v.clamp(max=1e39)
        v.clamp(-1e39, 1.0)
        v.masked_fill(v > 1, 1e39)
        v.masked_fill(v > 1, T.tensor(1e39, dtype=T.float64))
        T.add(v, v, alpha=1e39)
        v.index_fill(0, T.tensor([0]), 1e39)
        v.scatter(0, T.tensor([0]), 1e39)
        F.pad(v, (1, 1), value=1e39)
    """),
)
def test_numbers_that_do_not_fit(code):
    check(HALF + code, torch)


def test_the_message_names_the_type():
    with pytest.raises(RuntimeError, match="value cannot be converted to type c10::Half without overflow"):
        minigrad.zeros(2, dtype=minigrad.float16).clamp(max=1e6)


# What is made of many numbers is computed in float32 and rounded once; sums in another order differ in the last bit.
ROWS = "x = T.tensor(2 * np.sin(np.arange(24)).reshape(4, 6)).to(T.float16).requires_grad_(); z = x * T.tensor(SCALE); "
MADE_OF_MANY = """
    F.layer_norm(z, (6,))
    F.group_norm(z, 2)
    F.rms_norm(z, (6,))
    F.softmax(z, -1)
    F.log_softmax(z, -1)
    F.normalize(z)
    F.cosine_similarity(z, x + 1)
    F.pairwise_distance(z, x)
    z.norm()
    z.std(-1)
    (z / 4).var(-1)
    T.linalg.vector_norm(z, 1, -1)
"""


@pytest.mark.parametrize("scale", [1e-2, 300.0])
@pytest.mark.parametrize("code", lines(MADE_OF_MANY))
def test_made_of_many(code, scale):
    weights = "T.tensor(np.cos(2 * np.arange(y.numel())).reshape(y.shape)).to(T.float16)"
    code = f"{ROWS.replace('SCALE', str(scale))}y = {code}; y.backward({weights}); [y, x.grad]"
    for ours, theirs in zip(value_of(code, minigrad), value_of(code, torch), strict=True):
        ours, theirs = array_of(ours).astype(float), array_of(theirs).astype(float)
        np.testing.assert_allclose(ours, theirs, rtol=4e-3, atol=4e-3 * max(np.abs(theirs).max(), 1e-3))
