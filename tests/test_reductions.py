"""Reductions, scans, order and products at their edges: each line gives in minigrad what it gives in PyTorch.

Ties, kinks, NaN and inf, nothing to reduce, overflow, dtypes, named tuples, errors. `both.py` says what a line can use.
"""

import numpy as np
import pytest
from both import check, lines
from kernel_checks import kernels_of

import minigrad
from minigrad.kernels import scan, select
from minigrad.kernels.dispatch import backend

torch = pytest.importorskip("torch")

# Gradients where a function has a kink: the line that makes the tensor, and the lines that differentiate at it.
AT_TIES = """
T.autograd.grad(T.max(t), t)
T.autograd.grad(T.amax(t, (0, 1)), t)
T.autograd.grad(T.max(t, 1).values.sum(), t)
T.autograd.grad(T.median(t), t)
T.autograd.grad(T.median(t, 1).values.sum(), t)
T.autograd.grad(T.nanmedian(t), t)
T.autograd.grad(T.aminmax(t, dim=1).max.sum(), t)
T.autograd.grad(T.kthvalue(t, 2, 1).values.sum(), t)
T.autograd.grad(T.mode(t, 1).values.sum(), t)
T.autograd.grad(T.cummax(t, 1).values.sum(), t)
T.autograd.grad(T.topk(t, 2).values.sum(), t)
"""
AT_ZERO_FACTORS = """
T.autograd.grad(T.prod(z, 1).sum(), z)
T.autograd.grad(T.cumprod(z, 1).sum(), z)
T.autograd.grad(T.autograd.grad(T.prod(z, 1).sum(), z, create_graph=True)[0].sum(), z)
T.autograd.grad(T.autograd.grad(T.cumprod(z, 1).sum(), z, create_graph=True)[0].sum(), z)
T.autograd.grad(T.prod(z[0, 0]), z)
"""
AT_A_ZERO_FACTOR = """
T.autograd.grad(T.prod(z2), z2)
"""
AT_ZERO = """
T.autograd.grad(T.norm(zero, 1, dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, 2, dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, 3, dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, 1.5, dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, 0.5, dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, float("inf"), dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, float("-inf"), dim=1).sum(), zero)
T.autograd.grad(T.norm(zero, -1, dim=1).sum(), zero)
T.autograd.grad(T.norm(zero), zero)
T.autograd.grad(T.dist(zero, zero.detach(), 2), zero)
T.autograd.grad(T.cdist(zero, zero.detach()).sum(), zero)
T.autograd.grad(T.cdist(zero, zero.detach(), 1.5).sum(), zero)
T.autograd.grad(T.cdist(zero, zero.detach(), 0.5).sum(), zero)
T.autograd.grad(T.cdist(zero, zero.detach(), 1).sum(), zero)
T.autograd.grad(T.cdist(zero, zero.detach(), float("inf")).sum(), zero)
T.autograd.grad(T.cdist(zero, zero.detach(), 0).sum(), zero)
"""
AT_MINUS_INFINITY = """
T.autograd.grad(T.logsumexp(ninf, 0), ninf)
T.autograd.grad(T.logsumexp(ninf, 1).sum(), ninf)
"""
OF_ONE_ELEMENT = """
T.autograd.grad(T.std(T.ones(3, requires_grad=True) * o), o)
T.autograd.grad(T.var(o), o)
T.autograd.grad(T.std(o), o)
"""
OF_ONE_LARGE_ELEMENT = """
T.norm(large), large.norm(3), T.linalg.vector_norm(large, 2.5), T.norm(large, -2), T.norm(large, 0).detach()
T.linalg.vector_norm(large[:, None].expand(1, 3)), T.linalg.vector_norm(large.double() ** 15, 3)
T.autograd.grad(T.norm(large), large)
T.autograd.grad(large.expand(3).reshape(3, 1).norm(dim=1, keepdim=True).sum(), large)
T.norm(1 / large), T.norm((1 / large).expand(2, 1), 2, 1), T.linalg.norm(large.reshape(1, 1)), T.norm(T.tensor(1e20))
F.normalize(large.reshape(1, 1)), T.nn.utils.get_total_norm([large]), T.nn.utils.get_total_norm([1 / large], 3)
T.nn.utils.get_total_norm([large, 1 / large]), T.nn.utils.get_total_norm([T.ones(1), -T.ones(())], 1.5)
"""
OF_EQUAL_ELEMENTS = """
T.autograd.grad(T.std(o3), o3)
T.autograd.grad(T.std(o3, correction=0), o3)
"""
REDUCTIONS = """
T.max(T.tensor([1., 3., 3.]), 0)
T.max(T.tensor([1., float("nan"), 3.]), 0)
T.min(T.tensor([1., float("nan"), 3.]))
T.argmax(T.tensor([[1, 3, 3], [5, 5, 0]]), 1)
T.sum(e), T.prod(e), T.mean(e), T.logsumexp(e, 0), T.nansum(e), T.median(e), T.norm(e), T.all(e), T.any(e)
T.var(e), T.std(e3, 1), T.var(s), T.std(T.ones(1)), T.var_mean(T.ones(1))
T.sum(e3, 1), T.prod(e3, 1), T.mean(e3, 1), T.logsumexp(e3, 1), T.cumsum(e3, 1), T.cumprod(e3, 1)
T.sort(e3, 1), T.topk(e3, 0, 1)
T.max(e)
T.max(e3, 1)
T.amax(e3, 1)
T.amax(e3, 2)
T.argmax(e3, 2)
T.argmin(e)
T.kthvalue(e3, 1, 1)
T.mode(e3, 1)
T.median(e3, 1)
T.cummax(e3, 1)
T.aminmax(e)
T.logsumexp(T.tensor([-float("inf"), -float("inf")]), 0)
T.logsumexp(T.tensor([float("inf"), 1.0, float("inf")]), 0)
T.logsumexp(T.tensor([float("inf"), -float("inf")]), 0)
T.logsumexp(T.tensor([float("nan"), 1.0]), 0)
T.std(T.tensor([float("nan"), 1.0]))
T.nanmean(T.full((3,), float("nan"))), T.nansum(T.full((3,), float("nan")))
T.nanmedian(T.full((3,), float("nan"))), T.nanquantile(T.full((3,), float("nan")), 0.5)
T.sum(T.tensor([2**62, 2**62])), T.sum(T.tensor([2**31 - 1, 1], dtype=T.int32))
T.sum(T.tensor([2**31 - 1, 1], dtype=T.int32), dtype=T.int32)
T.prod(T.tensor([200, 2], dtype=T.uint8)), T.cumsum(T.tensor([200, 100], dtype=T.uint8), 0)
T.sum(T.tensor([True, True]))
T.sum(T.full((5000,), 1.0, dtype=T.float16)), T.mean(T.full((5000,), 30.0, dtype=T.float16))
T.sum(T.full((100, 3000), 1.0, dtype=T.float16), 1)
T.prod(T.full((3,), 2.0, dtype=T.float16)), T.cumsum(T.full((3,), 2.0, dtype=T.float16), 0)
T.max(T.full((3,), 2.0, dtype=T.float16))
T.cumsum(T.ones(3000, dtype=T.float16), 0)[-1]
T.mean(i, dtype=T.float32), T.mean(a, dtype=T.float64), T.sum(a, dtype=T.int64), T.prod(b, dtype=T.bool)
T.all(a, dim=(0, 1)), T.any(u8, 0), T.all(u8), a.all(dim=())
T.sum(a, dim=[]), T.sum(a, dim=[0, -1], keepdim=True), a.sum(0, True), a.mean((0,)), a.var((0, 1))
a.std(1, keepdim=True)
T.count_nonzero(b), T.count_nonzero(i, (0, 1)), T.count_nonzero(e)
T.cumsum(s, 0), T.cumprod(s, -1), T.sort(s), T.topk(s, 1), T.median(s, 0), T.kthvalue(s, 1), T.mode(s)
T.cummax(s, 0), T.logcumsumexp(s, 0)
T.sort(T.tensor([float("nan"), 1.0, -float("inf"), 2.0]), descending=True)
T.sort(T.tensor([0.0, -0.0, 0.0]), stable=True)
T.topk(T.tensor([float("nan"), 1.0, 3.0]), 2), T.topk(T.tensor([float("nan"), 1.0, 3.0]), 2, largest=False)
T.sort(b), T.argsort(u8), T.msort(a), a.msort(), a.argsort(0, True)
T.cumprod(u8, 0), T.cumsum(b, 1), a.clone().cumsum_(1), a.clone().cumprod_(0), u8.clone().cumsum_(0)
b.clone().cumsum_(0)
T.unique(T.tensor([3.0, float("nan"), float("nan"), 3.0]), return_counts=True, return_inverse=True)
T.unique(T.tensor([[1, 2], [0, 3], [1, 2]]), dim=0, return_inverse=True, return_counts=True), T.unique(b)
T.unique(i, dim=1)
T.unique(e3, dim=1), T.unique(e), T.unique(e, return_counts=True, return_inverse=True), T.unique(s)
T.unique(e3, dim=0)
T.unique(s, dim=0)
T.unique_consecutive(T.tensor([1, 1, 2, 1]), True, True), T.unique_consecutive(e), T.unique_consecutive(b, dim=0)
T.bincount(T.tensor([1, 3]), minlength=6), T.bincount(T.tensor([1, 3]), v[:2])
T.bincount(T.tensor([1, 3]), T.tensor([1, 2]))
T.bincount(v)
T.bincount(T.tensor([-1]))
T.searchsorted(v, 2), T.searchsorted(v, 2.5, right=True), T.searchsorted(T.tensor([1, 2, 3]), 1.5)
T.bucketize(2.0, v, out_int32=True), T.bucketize(i, v)
T.searchsorted(v, v, side="middle")
T.searchsorted(v, v, side="left", right=True)
T.histc(a, 4, -2, 2), T.histc(v, 3), T.histc(e, 2), T.histogram(v, 2), T.histogram(v, v, density=True)
T.histc(i, 3)
T.histc(v, 0)
T.quantile(a, 0.3), T.quantile(a, T.tensor([0.0, 0.5, 1.0]), 1, True), a.quantile(0.5, 0, interpolation="lower")
q = T.tensor([0.1, 0.5, 1 / 6, 5 / 6]); [T.quantile(v, q, interpolation=k) for k in ("linear", "lower", "higher")]
q = T.tensor([0.1, 0.5, 1 / 6, 5 / 6]); [T.quantile(T.arange(4.0), q, interpolation=k) for k in ("midpoint", "nearest")]
T.quantile(i, 0.5)
T.quantile(a, 1.5)
T.quantile(T.tensor([1.0, float("nan")]), 0.2), T.nanquantile(T.tensor([1.0, float("nan"), 3.0]), 0.5)
T.norm(a, "nuc"), T.norm(a, "fro", (0, 1)), T.norm(a, float("inf"), 0), T.norm(a, 0)
T.norm(a, dtype=T.float64), a.norm(1, 1, True), a.norm()
T.norm(i)
T.norm(e, float("inf"))
T.norm(e3, -1, 1)
T.norm(a, "wrong")
T.renorm(a, 2, 0, 1.0), a.clone().renorm_(1, 1, 2.0)
T.renorm(v, 2, 0, 1.0)
T.cov(a), T.corrcoef(a), T.cov(v), T.cov(a, fweights=T.tensor([1, 2, 3]), correction=0), T.corrcoef(v)
T.cov(x4)
T.diff(a), T.diff(a, 2, 1), T.diff(b), T.diff(v, prepend=T.zeros(1), append=T.zeros(2)), T.diff(v, 5)
T.diff(s)
T.trapezoid(a), T.trapezoid(a, v), T.cumulative_trapezoid(a, dx=0.5, dim=0), T.trapz(v), T.trapezoid(i)
T.trapezoid(e)
T.std_mean(a, 0), T.var_mean(a, (0, 1), correction=0, keepdim=True), T.std_mean(a, unbiased=False)
T.var_mean(a, False)
T.std_mean(i)
T.aminmax(a), T.aminmax(a, dim=1, keepdim=True).min, T.median(a), T.median(a, 1), T.kthvalue(a, 2), T.mode(i)
T.cummin(a, 0)
T.sum(a, axis=1), T.mean(a, axis=0, keepdims=True), T.argmax(a, axis=1), T.cumsum(a, axis=0)
T.sort(a, axis=0), T.amax(a, axis=(0, 1))
max(v), min(v), sum(v)
T.max(2, v)
T.max(a, 5)
T.topk(a, 9)
T.topk(b, 1)
T.trace(b)
T.trace(v)
T.sum(a, 7)
T.sum(a, (0, 0))
T.mean(i)
T.std(i)
T.prod(a, (0, 1))
T.cumsum(a)
T.sort(a, "x")
T.argmax(a, (0, 1))
T.argmax(b)
"""
PRODUCTS = """
T.einsum("ij,jk", a, a.T), T.einsum("ij->", a), T.einsum("ii->i", a @ a.T), T.einsum("...j->...", x4)
T.einsum("bij,bjk->bik", x4, x4.mT)
T.einsum("Ab,bC->CA", a, a.T), T.einsum(a, [0, 1], a, [0, 1])
T.einsum(x4, [..., 0], v.new_ones(4), [0], [...]), T.einsum("i,j", v, v), T.einsum(" i j , j -> i ", a, v)
T.einsum("ij,kj->ikj", T.ones(2, 1), a), T.einsum("...ij,...jk->...ik", x4, T.ones(4, 2))
T.einsum("b...,b...->...", x4, x4), T.einsum("ij,jk,kl->il", a, a.T, a)
T.einsum("ij", a), T.einsum("ji", a), T.einsum("ij,ij", a, a), T.einsum("iJ", a)
T.einsum("iji->j", x4.reshape(2, 3, 4)[:, :, :2])
T.einsum("ij,jk->ik", a, a)
T.einsum("ij->ik", a)
T.einsum("ij->ii", a)
T.einsum("i->i", a)
T.einsum("i1->i", a)
T.einsum("ij,jk->ik", a)
T.einsum("ii->i", a)
T.einsum("i.j->ij", a)
T.tensordot(x4, x4, 3), T.tensordot(a, a, ([0, 1], [0, 1])), T.tensordot(a, a.T, 1), T.tensordot(v, v, 0)
T.tensordot(a, T.ones(1, 3), ([0], [0]))
T.tensordot(a, a, 1)
T.inner(a, v), T.inner(s, a), T.inner(a, a), T.kron(a, v), T.kron(s, a), T.kron(i, T.eye(2))
T.cross(a, a + 1), T.linalg.cross(x4[:, :, :3], v.expand(1, 1, 3))
T.cross(T.ones(2), T.ones(2))
T.linalg.cross(a, v)
T.linalg.multi_dot([v, a.T, a]), T.linalg.multi_dot([a, a.T]), T.chain_matmul(a, a.T, a)
T.linalg.multi_dot([v, a.T, a, v])
T.linalg.multi_dot([a])
T.linalg.multi_dot([a, v, a])
T.linalg.matrix_power(a @ a.T, 3), T.matrix_power(a @ a.T, 0), (a @ a.T).matrix_power(-2)
T.linalg.matrix_power(T.tensor([[1, 2], [3, 4]]), 5)
T.linalg.matrix_power(a, 2)
T.addmm(v, a.T, a, beta=2, alpha=3), T.addmm(T.full((3,), float("nan")), a.T, a, beta=0)
T.addmv(v, a.T, v[:2], alpha=2), T.addr(a, v[:2], v)
T.baddbmm(T.ones(3, 4, 3), x4.new_ones(3, 4, 2), x4.new_ones(3, 2, 3))
T.addbmm(T.ones(4, 3), T.ones(3, 4, 2), T.ones(3, 2, 3), beta=0.5)
T.addmm(i, i, T.ones(3, 3, dtype=T.int64), beta=0.5, alpha=2)
T.addmm(T.ones(4), a, a.T)
T.addmm(i, a, a.T)
T.mv(a, v[:2])
T.mv(v, v)
T.outer(a, v)
T.dot(v, i[0])
T.bmm(a, a)
T.matmul(s, a)
T.ones(2, 3).addmm_(T.ones(2, 2), a), T.ones(2).addmv_(a, v), T.ones(2, 3).addr_(v[:2], v)
T.ones(1, 2, 3).baddbmm_(T.ones(1, 2, 2), a[None])
T.ones(3).addmm_(T.ones(2, 2), a)
T.special.logsumexp(a, 1), T.linalg.vecdot(a, a), T.vdot(v, v), T.ger(v, v)
"""
KINKS = {
    "t = T.tensor([[1.0, 3.0, 3.0], [2.0, 3.0, 2.0]], requires_grad=True)": AT_TIES,
    "z = T.tensor([[1.5, 0, 2, -1], [0, 3, 0, 3], [1, 2, 3, 4]], requires_grad=True)": AT_ZERO_FACTORS,
    "z2 = T.tensor([[2.0, 0.0], [3.0, 4.0]], requires_grad=True)": AT_A_ZERO_FACTOR,
    "zero = T.zeros(2, 3, requires_grad=True)": AT_ZERO,
    'ninf = T.tensor([[-float("inf"), -float("inf")], [1.0, -float("inf")]], requires_grad=True)': AT_MINUS_INFINITY,
    "o = T.ones(1, requires_grad=True)": OF_ONE_ELEMENT,
    "large = T.tensor([-1e20], requires_grad=True)": OF_ONE_LARGE_ELEMENT,
    "o3 = T.ones(3, requires_grad=True)": OF_EQUAL_ELEMENTS,
}


@pytest.mark.parametrize("code", lines(REDUCTIONS + PRODUCTS))
def test_line_gives_what_pytorch_gives(code):
    check(code, torch)


@pytest.mark.parametrize("code", [f"{made}; {line}" for made, block in KINKS.items() for line in lines(block)])
def test_gradient_at_a_kink_is_pytorchs(code):
    check(code, torch)


ORDERS = {
    "sort": lambda T, x, k: T.sort(x, dim=-1),
    "sort, descending": lambda T, x, k: T.sort(x, dim=-1, descending=True),
    "sort, stable": lambda T, x, k: T.sort(x, dim=-1, stable=True),
    "topk": lambda T, x, k: T.topk(x, k),
    "topk, smallest": lambda T, x, k: T.topk(x, k, largest=False),
    "topk, in any order": lambda T, x, k: T.topk(x, k, sorted=False),
    "kthvalue": lambda T, x, k: T.kthvalue(x, k),
    "median": lambda T, x, k: T.median(x, -1),
    "nanmedian": lambda T, x, k: T.nanmedian(x, -1),
    "mode": lambda T, x, k: T.mode(x),
    "max": lambda T, x, k: T.max(x, -1),
    "min": lambda T, x, k: T.min(x, -1),
    "cummax": lambda T, x, k: T.cummax(x, -1),
    "cummin": lambda T, x, k: T.cummin(x, -1),
}


class Adversary:
    """A value that is not settled until it is compared: makes a row that parts badly. (McIlroy, A killer adversary
    for quicksort, 1999)"""

    def __init__(self, game):
        self.game, self.value = game, None

    def __lt__(self, other):
        if self.value is None and other.value is None:
            (self if self is self.game["pivot"] else other).value = self.game["next"]
            self.game["next"] += 1
        self.game["pivot"] = self if self.value is None else other if other.value is None else self.game["pivot"]
        return (self.value is not None) and (other.value is None or self.value < other.value)


def killer(size):
    """A row on which introsort gives up parting and takes a heap."""
    game = {"next": 0, "pivot": None}
    values = [Adversary(game) for _ in range(size)]
    select.sort_all(np.arange(size), values, 0, size)
    return [game["next"] if each.value is None else each.value for each in values]


@pytest.mark.parametrize("who", ["numpy", "numba"])
@pytest.mark.parametrize("name", ORDERS)
def test_ties_are_in_pytorchs_order(name, who):
    draw = np.random.default_rng(1)
    rows = [draw.integers(0, top, (2, size)) for size in (1, 3, 16, 17, 65, 130) for top in (1, 3, 50)]
    rows += [np.sort(rows[-1]), np.sort(rows[-1])[:, ::-1], np.array([killer(120)]) // 2]
    if name != "mode":  # PyTorch's sorts by a comparison that NaN is no part of
        rows += [np.where(row == 1, np.nan, row).astype("f4") for row in rows if row.shape[1] > 3]
    for row in rows:
        for k in {1, row.shape[1] // 65 or 1, (row.shape[1] + 1) // 2, row.shape[1]}:
            with backend(who):
                ours = ORDERS[name](minigrad, minigrad.tensor(row), k)
            theirs = ORDERS[name](torch, torch.tensor(np.ascontiguousarray(row)), k)
            np.testing.assert_array_equal(ours.values.numpy(), theirs.values.numpy())
            np.testing.assert_array_equal(ours.indices.numpy(), theirs.indices.numpy(), err_msg=f"{row}, k={k}")


@pytest.mark.parametrize("size", [1, 100, 5000])
@pytest.mark.parametrize("kernel", [*kernels_of(scan), *kernels_of(select)], ids=lambda kernel: kernel.name)
def test_twins_agree_on_the_samples(kernel, size):
    outcomes = []
    for who in ("numpy", "numba"):
        with backend(who):
            outcomes.append(kernel(*kernel.samples(size)))
    np.testing.assert_allclose(*outcomes, rtol=1e-5, atol=1e-5)
