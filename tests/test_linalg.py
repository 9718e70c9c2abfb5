"""Linear algebra at the edges, in minigrad and in PyTorch; and what is true of factors whatever their signs."""

import numpy as np
import pytest
from both import check, lines

import minigrad as T
from minigrad.autograd import gradcheck, gradgradcheck
from minigrad.registry import OPS

LINES = """
T.linalg.inv(T.zeros(2,2))
T.linalg.inv(T.zeros(3,2,2))
T.linalg.inv(i)
T.linalg.inv(a)
T.linalg.inv(v)
T.linalg.inv(T.zeros(0,0))
T.linalg.inv(T.zeros(0,2,2))
T.linalg.inv_ex(T.eye(2))
T.linalg.inv_ex(T.zeros(2,2)).info
T.linalg.inv_ex(T.zeros(2,2),check_errors=True)
T.inverse(T.eye(2)*4), T.eye(2).inverse()
T.linalg.det(T.zeros(0,0))
T.linalg.det(i[:,:2])
T.linalg.det(v)
T.det(T.eye(2)*3), T.eye(2).det()
m=T.zeros(3,3,requires_grad=True); T.det(m).backward(); m.grad
T.slogdet(T.tensor([[0.,1.],[1.,0.]]))
T.linalg.slogdet(T.zeros(2,2))
T.linalg.slogdet(T.zeros(0,0))
T.logdet(-T.eye(3)), T.logdet(T.zeros(2,2)), T.eye(2).logdet()
T.linalg.solve(T.zeros(2,2),T.ones(2))
T.linalg.solve(T.eye(2),T.ones(3))
T.linalg.solve(T.eye(2),T.ones(3,3))
T.linalg.solve(T.eye(2),T.ones(2).double())
T.linalg.solve(T.eye(2),T.ones(2),left=False)
T.linalg.solve(T.eye(2)*2,T.ones(3,2),left=False)
T.linalg.solve(T.eye(2).expand(3,2,2),T.ones(3,2)).shape
T.linalg.solve(T.zeros(0,0),T.zeros(0,3)).shape
T.linalg.solve_ex(T.eye(2),T.ones(2))
T.linalg.solve_triangular(T.eye(2),T.ones(2),upper=True)
T.linalg.solve_triangular(T.eye(2),T.ones(2,2))
T.linalg.solve_triangular(T.zeros(2,2),T.ones(2,2),upper=True)
T.linalg.solve_triangular(T.eye(2).long(),T.ones(2,2).long(),upper=True)
T.triangular_solve(T.ones(2,1),T.eye(2)*2)
T.linalg.cholesky(-T.eye(3))
T.linalg.cholesky(T.eye(3).repeat(2,1,1)*T.tensor([1.,-1.]).reshape(2,1,1))
T.linalg.cholesky(T.tensor([[4.,9.],[2.,5.]])), T.linalg.cholesky(T.tensor([[4.,2.],[9.,5.]]),upper=True)
T.linalg.cholesky(i[:,:2])
T.linalg.cholesky(T.zeros(0,0))
T.linalg.cholesky_ex(-T.eye(2)).info
T.cholesky(T.eye(2)*4), T.eye(2).cholesky()
T.cholesky_solve(T.ones(2,1),T.eye(2)*2), T.cholesky_inverse(T.eye(2)*2).abs()
T.linalg.qr(v)
T.linalg.qr(a,mode='x')
T.linalg.qr(a,mode='r').R.shape
T.linalg.qr(T.zeros(0,3)), T.linalg.qr(T.zeros(3,0),'complete').Q
T.linalg.qr(g.T,'r').R.sum().backward()
T.linalg.qr(g.T,'complete').R.sum().backward()
T.linalg.svd(v)
T.linalg.svd(i)
T.linalg.svd(T.full((3,3),float('nan')))
[x.shape for x in T.linalg.svd(x4,full_matrices=False)]
[x.shape for x in T.svd(x4,some=False)]
[x.shape for x in T.linalg.svd(T.zeros(0,3))]
T.linalg.svdvals(a), T.linalg.svdvals(T.zeros(2,0,3))
T.linalg.eigh(a)
T.linalg.eigh(T.eye(2),UPLO='x')
T.linalg.eigh(T.tensor([[2.,9.],[0.,1.]])).eigenvalues, T.linalg.eigvalsh(T.tensor([[2.,9.],[0.,1.]]),'U')
T.linalg.eigvalsh(T.zeros(0,0))
T.linalg.lu(T.tensor([[1.,2.],[3.,4.],[5.,6.]]))
T.linalg.lu(T.tensor([[1.,2.],[3.,4.]]),pivot=False)
T.linalg.lu_factor(T.tensor([[1.,2.],[3.,4.]]))
T.linalg.lu_factor(T.ones(2,2))
T.linalg.lu_factor_ex(T.ones(2,2))
T.linalg.lu_solve(*T.linalg.lu_factor(T.eye(2)*2),T.ones(2,1))
T.lu_unpack(*T.linalg.lu_factor(T.tensor([[1.,2.],[3.,4.]])))
T.linalg.matrix_norm(a,'x')
T.linalg.matrix_norm(a,3)
T.linalg.matrix_norm(v)
T.linalg.matrix_norm(a,dim=0)
T.linalg.matrix_norm(a,dim=(0,0))
T.linalg.matrix_norm(x4,'nuc',(0,2),True), T.linalg.matrix_norm(x4,-1), T.linalg.matrix_norm(x4,float('inf'))
T.linalg.vector_norm(a,'x')
T.linalg.vector_norm(i)
T.linalg.vector_norm(e,float('inf'))
T.linalg.vector_norm(e,-1)
T.linalg.vector_norm(e,0), T.linalg.vector_norm(e,2), T.linalg.vector_norm(e,0.5)
T.linalg.vector_norm(v,dtype=T.float64), T.linalg.vector_norm(a,0.5,1), T.linalg.vector_norm(a,-2,0,True)
T.linalg.vector_norm(v.double(),dtype=T.float32)
T.linalg.vector_norm(v,dtype=T.int64)
T.linalg.norm(x4,'nuc')
T.linalg.norm(x4,2)
T.linalg.norm(v,'fro')
T.linalg.norm(a,'nuc',dim=0)
T.linalg.norm(a,dim=(0,1,2))
T.linalg.norm(x4,2,(0,1)), T.linalg.norm(x4), T.linalg.norm(a,2), T.linalg.norm(v,1), T.linalg.norm(a,float('-inf'))
T.linalg.pinv(a), T.pinverse(T.zeros(0,3)), T.linalg.pinv(T.zeros(2,3))
T.linalg.pinv(T.eye(3),hermitian=True), T.linalg.pinv(a,rtol=0.9), T.linalg.pinv(a,atol=3.0)
T.linalg.matrix_rank(T.eye(3)), T.linalg.matrix_rank(T.zeros(2,3)), T.linalg.matrix_rank(x4,tol=9.0)
T.linalg.matrix_rank(v)
T.linalg.cond(T.zeros(2,2)), T.linalg.cond(T.zeros(2,2),1), T.linalg.cond(T.eye(2),'nuc'), T.linalg.cond(T.zeros(0,0))
T.linalg.cond(T.eye(2),'x')
[x.shape for x in T.linalg.lstsq(T.ones(3,2),v.reshape(3,1))]
[T.floor(x.double()*10+0.5) for d in ('gels','gelsd','gelss','gelsy') for x in T.linalg.lstsq(a.T,v,driver=d)]
[T.floor(x.double()*10+0.5) for d in ('gels','gelsd','gelss','gelsy') for x in T.linalg.lstsq(a,v[:2],driver=d)]
T.linalg.lstsq(a,v)
T.linalg.lstsq(a.T,v,driver='x')
T.linalg.matrix_exp(a[:,:2].double()), T.matrix_exp(T.zeros(3,3)), T.linalg.matrix_exp(T.zeros(0,0))
T.linalg.tensorinv(T.eye(4).reshape(2,2,4))
T.linalg.tensorinv(a,ind=0)
T.linalg.tensorinv(a,ind=1)
T.linalg.tensorsolve(T.eye(4).reshape(2,2,4),T.ones(2,2))
T.linalg.vander(v), T.linalg.vander(i,N=2), T.vander(T.arange(3),increasing=True), T.vander(T.arange(3.),N=2)
T.linalg.vander(b)
issubclass(T.linalg.LinAlgError,RuntimeError)
"""


@pytest.mark.parametrize("code", lines(LINES))
def test_linalg_equals_pytorch(code):
    check(code, pytest.importorskip("torch"))


@pytest.mark.parametrize("shape", [(3, 3), (2, 4, 3), (3, 5), (2, 2, 3), (0, 3), (2, 3, 0)])
@pytest.mark.parametrize("full", [True, False])
def test_svd_gives_factors(shape, full):
    given = T.tensor(np.random.default_rng(0).normal(size=shape))
    U, S, Vh = T.linalg.svd(given, full)
    k = min(shape[-2:])
    np.testing.assert_allclose((U[..., :k] * S[..., None, :] @ Vh[..., :k, :]).numpy(), given.numpy(), atol=1e-12)
    np.testing.assert_allclose(
        (U.mT @ U).numpy(), np.broadcast_to(np.eye(U.shape[-1]), U.mT.shape[:-2] + (U.shape[-1],) * 2), atol=1e-12
    )
    assert bool((S[..., :-1] >= S[..., 1:]).all())


@pytest.mark.parametrize("uplo", ["L", "U"])
def test_eigh_reads_one_triangle(uplo):
    given = np.random.default_rng(0).normal(size=(2, 4, 4))
    values, vectors = T.linalg.eigh(T.tensor(given), uplo)
    triangle = np.tril(given) if uplo == "L" else np.triu(given)
    whole = triangle + np.swapaxes(triangle, -1, -2) * (1 - np.eye(4))
    np.testing.assert_allclose((T.tensor(whole) @ vectors).numpy(), (vectors * values[:, None]).numpy(), atol=1e-12)


def both_gradients(function, given, torch):
    """First and second gradients of a scalar function of one matrix, in both libraries."""
    for lib in (T, torch):
        leaf = lib.tensor(given, requires_grad=True)
        (first,) = lib.autograd.grad(function(lib, leaf), leaf, create_graph=True)
        weights = lib.tensor(np.linspace(-1, 1, first.numel()).reshape(tuple(first.shape)))
        (second,) = lib.autograd.grad((first * weights).sum(), leaf)
        yield first.detach().numpy(), second.detach().numpy()


OF_FACTORS = {  # functions of the factors that do not depend on their signs
    "svd, U": lambda L, x: (L.linalg.svd(x, False)[0] ** 2 * 1.5).cumsum(-1).pow(2).sum(),
    "svd, Vh": lambda L, x: (L.linalg.svd(x, False)[2].abs() * L.linalg.svd(x, False)[1][:, None]).sum(),
    "svd, all": lambda L, x: (lambda U, S, Vh: (U.abs().sum() + S.pow(3).sum()) * Vh.pow(4).sum())(*L.svd(x)),
    "svd, full": lambda L, x: (lambda U, S, Vh: (U[:, :2].abs().sum() * S.sum()))(*L.linalg.svd(x)),
    "eigh": lambda L, x: (lambda w, V: (V.abs() * w).pow(2).cumsum(0).sum())(*L.linalg.eigh(x @ x.mT)),
    "det of a product": lambda L, x: L.linalg.det(x @ x.mT),
    "least squares": lambda L, x: (L.linalg.lstsq(x.mT, x.mT[:, :1] ** 2, driver="gelsd").solution ** 2).sum(),
}  # fmt: skip


@pytest.mark.parametrize("name", OF_FACTORS)
@pytest.mark.parametrize("shape", [(3, 3), (2, 4), (3, 5)])
def test_gradients_of_factors_equal_pytorch(name, shape):
    torch = pytest.importorskip("torch")
    given = np.random.default_rng(3).normal(size=shape)
    (first, second), (their_first, their_second) = both_gradients(OF_FACTORS[name], given, torch)
    np.testing.assert_allclose(first, their_first, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(second, their_second, rtol=1e-6, atol=1e-6)


SINGULAR = [
    np.outer([1.0, 2.0, -1.0], [2.0, 0.5, 1.0]),
    np.diag([1.0, 2.0, 0.0]),
    np.zeros((2, 2)),
    np.zeros((2, 3, 3)),
]


@pytest.mark.parametrize("given", SINGULAR)
def test_det_has_both_derivatives_where_the_matrix_is_singular(given):
    leaf = T.tensor(given, requires_grad=True)
    assert gradcheck(T.linalg.det, (leaf,))
    assert gradgradcheck(T.linalg.det, (leaf,))


def test_the_third_derivative_of_det():
    draw = np.random.default_rng(0)
    inputs = [T.tensor(draw.normal(size=(3, 3)), requires_grad=True) for _ in range(2)]
    assert gradgradcheck(OPS["cofactors_turned"].function, inputs)


def test_the_gradient_of_a_triangle_that_is_given_whole():
    factor = T.tensor(np.random.default_rng(0).normal(size=(3, 3)) + 3 * np.eye(3), requires_grad=True)
    right = T.ones(3, 2, dtype=T.float64)
    for upper in (False, True):
        part = T.triu if upper else T.tril
        assert gradgradcheck(lambda x, part=part, upper=upper: T.cholesky_solve(right, part(x), upper), (factor,))
        assert gradcheck(lambda x, part=part, upper=upper: T.cholesky_inverse(part(x), upper), (factor,))


def test_a_saved_factor_must_not_be_written_to():
    matrix = T.tensor([[2.0, 1.0], [1.0, 3.0]], requires_grad=True)
    values, vectors = T.linalg.eigh(matrix)
    loss = (vectors * values).sum()
    vectors.mul_(2.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_eigenvalues_of_any_matrix_name_the_alternative():
    with pytest.raises(NotImplementedError, match="eigh"):
        T.linalg.eig(T.eye(2))
    with pytest.raises(NotImplementedError, match="eigvalsh"):
        T.linalg.eigvals(T.eye(2))


def test_results_have_pytorchs_fields():
    assert T.linalg.svd(T.eye(2))._fields == ("U", "S", "Vh")
    assert T.linalg.qr(T.eye(2))._fields == ("Q", "R")
    assert T.linalg.eigh(T.eye(2))._fields == ("eigenvalues", "eigenvectors")
    assert T.linalg.slogdet(T.eye(2))._fields == ("sign", "logabsdet")
    assert repr(T.linalg.slogdet(T.eye(1))).startswith("torch.return_types.linalg_slogdet(\nsign=")


def test_a_singular_matrix_is_named_in_its_batch():
    matrices = T.stack([T.eye(3)] * 4)
    matrices[2, 1, 1] = 0.0
    with pytest.raises(T.linalg.LinAlgError, match=r"Batch element 2\): The diagonal element 2 is zero"):
        T.linalg.inv(matrices)
    assert T.linalg.inv_ex(matrices).info.tolist() == [0, 0, 2, 0]
