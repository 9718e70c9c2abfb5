"""Factorisations of (batches of) matrices: Cholesky, QR, eigenvalues of symmetric matrices, singular values.

NumPy's LAPACK computes; what stands here is the derivatives. They hold where the factors are differentiable at all:
distinct eigenvalues and singular values, positive-definite and full-rank matrices. (Giles 2008, "An extended collection
of matrix derivative results"; Walter and Lehmann 2010 and Roberts 2020 for QR; Townsend 2016 for the SVD.)
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import LinAlgError
from minigrad.kernels import matrix as kernels
from minigrad.registry import LINALG, TENSORS, Op, composite, helper, named_tuple, np_dtype, on_every_path
from minigrad.samples import S, of, symmetric

CHOLESKY_EX = named_tuple("linalg_cholesky_ex", ("L", "info"))
QR = named_tuple("qr", ("Q", "R"))
SVD = named_tuple("svd", ("U", "S", "V"))


@on_every_path("matrices_of")
def matrices_of(op, input, square=False, name="A"):
    """The input, if it is a batch of (square) matrices of floats."""
    kind = np_dtype(input)
    if input.ndim < 2:
        raise RuntimeError(f"{op}: The input tensor {name} must have at least 2 dimensions.")
    if square and input.shape[-1] != input.shape[-2]:
        raise RuntimeError(
            f"{op}: {name} must be batches of square matrices, but they are {input.shape[-2]} by {input.shape[-1]} "
            "matrices"
        )
    if kind.kind != "f":
        raise RuntimeError(
            f"{op}: Expected a floating point or complex tensor as input. Got {TENSORS['type_name'](kind)}: "
            "convert it with .float()"
        )
    return input


@helper
def turned(matrix):
    """The transpose of each matrix of a batch."""
    return transpose(matrix, -1, -2)


@helper
def diagonal_matrix(values):
    """Square matrices with the given diagonals, of which there may be a batch."""
    count = values.shape[-1]
    return put_diagonal(values, (*values.shape, count), 0, values.ndim - 1, values.ndim)


@helper
def with_half_diagonal(matrix):
    """The lower triangle, its diagonal halved."""
    return tril(matrix, -1) + 0.5 * (tril(matrix) - tril(matrix, -1))


def definite(*shape):
    """A symmetric positive-definite matrix for samples."""

    def sample(make):
        part = make(*shape, low=-1.0, high=1.0)
        return symmetric(part @ np.swapaxes(part, -1, -2) + np.eye(shape[-1]))

    return sample


def spaced(*shape):
    """A matrix for samples whose singular values (and eigenvalues, if it is symmetric) lie well apart."""

    def sample(make):
        rows, columns = shape[-2:]
        return make(*shape, low=-0.3, high=0.3) + np.arange(1, rows + 1)[:, None] * np.eye(rows, columns)

    return sample


# ---- Cholesky


class cholesky_lower(Op):
    """The lower Cholesky factor and its `info`; called by `linalg.cholesky` and its kind."""

    public, nout, aux, backward_name = (), 2, ("info",), "LinalgCholeskyExBackward0"

    def forward(input, /):
        return kernels.cholesky(input)

    def grad_input(g, output):
        inner = with_half_diagonal(matmul(turned(output), g))
        half = triangular_solution(turned(output), inner + turned(inner), True, False)
        return 0.5 * triangular_solution(turned(output), turned(half), True, False)


CHOLESKY = of(
    lambda make: S(definite(3, 3)(make)),
    lambda make: S(definite(2, 3, 3)(make), upper=True),
)


@composite(backward_name="LinalgCholeskyExBackward0", out=True, public=(LINALG,), samples=CHOLESKY)
def linalg_cholesky(A, *, upper=False):
    """linalg.cholesky(A, *, upper=False) -> Tensor

    The lower triangular L with ``L @ L.mT = A`` for symmetric positive-definite A, (..., n, n), of which the lower
    triangle is read; upper: the transpose of it, from the upper triangle. LinAlgError if A is not positive-definite.
    (PyTorch: torch.linalg.cholesky)
    """
    matrices_of("linalg.cholesky", A, square=True)
    factor, info = cholesky_lower(turned(A) if upper else A)
    refuse_matrices("linalg.cholesky", info, kernels.INDEFINITE)
    return turned(factor) if upper else factor


@composite(out=True, public=(LINALG,), samples=CHOLESKY)
def linalg_cholesky_ex(A, *, upper=False, check_errors=False):
    """linalg.cholesky_ex(A, *, upper=False, check_errors=False) -> (L, info)

    `linalg.cholesky` without its error: info (int32) is 0, or the order of the first leading minor that is not
    positive. (PyTorch: torch.linalg.cholesky_ex)
    """
    matrices_of("linalg.cholesky_ex", A, square=True)
    factor, info = cholesky_lower(turned(A) if upper else A)
    if check_errors:
        refuse_matrices("linalg.cholesky_ex", info, kernels.INDEFINITE)
    return CHOLESKY_EX(turned(factor) if upper else factor, info)


@composite(
    out=True,
    samples=of(lambda make: S(definite(3, 3)(make)), lambda make: S(definite(2, 3, 3)(make), True)),
)
def cholesky(input, upper=False):
    """cholesky(input, upper=False) -> Tensor: `linalg.cholesky`, PyTorch's older name. (PyTorch: torch.cholesky)"""
    matrices_of("cholesky", input, square=True)
    factor, info = cholesky_lower(turned(input) if upper else input)
    refuse_matrices("cholesky", info, kernels.INDEFINITE)
    return turned(factor) if upper else factor


@on_every_path("refuse_matrices")
def refuse_matrices(op, info, what):
    kernels.refuse(op, getattr(info, "array", info), what)


# ---- QR


class linalg_qr(Op):
    """linalg.qr(A, mode='reduced') -> (Q, R)

    ``A = Q @ R`` for A (..., m, n), with orthonormal columns in Q and R upper triangular. mode: "reduced", Q is
    (m, k) and R (k, n) with k = min(m, n); "complete", (m, m) and (m, n); "r", R of the reduced form and an empty Q.
    (PyTorch: torch.linalg.qr)
    """

    public, pieces, result = (LINALG,), ("Q", "R"), "linalg_qr"

    def prepare(A, mode="reduced"):
        matrices_of("linalg.qr", A)
        if mode not in ("reduced", "complete", "r"):
            raise RuntimeError(
                f"qr received unrecognized mode '{mode}' but expected one of 'reduced' (default), 'r', or 'complete'"
            )
        return A, mode

    def forward(A, /, mode):
        if mode == "r":
            return np.zeros(0, A.dtype), np.linalg.qr(A, "r")
        return tuple(np.linalg.qr(A, mode))

    def vjp(g, A_shape, Q, R, mode):
        rows, columns = A_shape[-2:]
        if mode == "r":
            raise RuntimeError(
                "The derivative of linalg.qr depends on Q, which is not computed when mode='r'. Please use "
                "linalg.qr(A, mode='reduced') if you are going to require gradients."
            )
        if mode == "complete" and rows > columns:
            raise RuntimeError(
                "The QR decomposition is not differentiable when mode='complete' and nrows > ncols: use mode='reduced'"
            )
        gQ = zeros_of(Q.shape, np_dtype(Q)) if g[0] is None else g[0]
        gR = zeros_of(R.shape, np_dtype(R)) if g[1] is None else g[1]
        if rows >= columns:
            return (qr_square(gQ, gR, Q, R),)
        R_left, R_right = narrow(R, -1, 0, rows), narrow(R, -1, rows, columns - rows)
        gR_left, gR_right = narrow(gR, -1, 0, rows), narrow(gR, -1, rows, columns - rows)
        gQ = gQ + matmul(matmul(Q, R_right), turned(gR_right))
        return (cat([qr_square(gQ, gR_left, Q, R_left), matmul(Q, gR_right)], -1),)

    samples = of(
        lambda make: S(spaced(4, 3)(make)),
        lambda make: S(spaced(2, 3, 4)(make)),
        lambda make: S(spaced(3, 3)(make), "complete"),
    )


@helper
def qr_square(gQ, gR, Q, R):
    """The gradient of QR where R is square."""
    inner = matmul(R, turned(gR)) - matmul(turned(gQ), Q)
    copied = tril(inner) + turned(tril(inner, -1))
    return turned(triangular_solution(R, turned(gQ + matmul(Q, copied)), True, False))


@composite(out=True, samples=of(lambda make: S(spaced(4, 3)(make))))
def qr(input, some=True):
    """qr(input, some=True) -> (Q, R): `linalg.qr` of mode "reduced" or, with some=False, "complete".
    (PyTorch: torch.qr)"""
    matrices_of("qr", input)
    return QR(*linalg_qr(input, "reduced" if some else "complete"))


# ---- eigenvalues of symmetric matrices


@on_every_path("one_triangle")
def one_triangle(op, A, UPLO):
    """The arguments of `eigh`: symmetric matrices, and which triangle is read."""
    if np_dtype(A).kind != "f" and A.ndim > 1:
        name = TENSORS["type_name"](np_dtype(A))
        raise NotImplementedError(f"\"linalg_eigh_cpu\" not implemented for '{name}' in {op}(): convert with .float()")
    matrices_of(op, A, square=True)
    if UPLO not in ("L", "U", "l", "u"):
        raise RuntimeError(f"Expected UPLO argument to be 'L' or 'U', but got {UPLO}")
    return A, UPLO.upper()


def converged(op, function, *args, **kwargs):
    """NumPy's answer for matrices of finite numbers."""
    if not np.isfinite(args[0]).all():
        raise LinAlgError(
            f"{op}: The algorithm failed to converge because the input matrix contained non-finite values."
        )
    return function(*args, **kwargs)


class linalg_eigh(Op):
    """linalg.eigh(A, UPLO='L') -> (eigenvalues, eigenvectors)

    ``A = V @ diag(L) @ V.mT`` for symmetric A, (..., n, n), of which the lower ("U": the upper) triangle is read:
    the eigenvalues L in ascending order and orthonormal eigenvectors, the columns of V. Their gradient takes
    eigenvalues to be distinct. (PyTorch: torch.linalg.eigh)
    """

    public, pieces, result = (LINALG,), ("eigenvalues", "eigenvectors"), "linalg_eigh"
    torch = ""  # the signs of eigenvectors are LAPACK's: compared in tests/test_linalg.py

    def prepare(A, UPLO="L"):
        return one_triangle("linalg.eigh", A, UPLO)

    def forward(A, /, UPLO):
        return tuple(converged("linalg.eigh", np.linalg.eigh, A, UPLO))

    def vjp(g, eigenvalues, eigenvectors):
        inner = None
        if g[1] is not None:
            gaps = unsqueeze(eigenvalues, -2) - unsqueeze(eigenvalues, -1)
            same = eye_mask(eigenvalues.shape[-1])
            inner = 0.5 * skewed(matmul(turned(eigenvectors), g[1])) / where(same, 1.0, gaps)
        if g[0] is not None:
            inner = diagonal_matrix(g[0]) if inner is None else inner + diagonal_matrix(g[0])
        return (matmul(matmul(eigenvectors, inner), turned(eigenvectors)),)

    samples = of(
        lambda make: S(symmetric(spaced(3, 3)(make))),
        lambda make: S(symmetric(spaced(2, 3, 3)(make)), "U"),
    )


class linalg_eigvalsh(Op):
    """linalg.eigvalsh(A, UPLO='L') -> Tensor

    The eigenvalues of symmetric matrices (..., n, n) in ascending order. (PyTorch: torch.linalg.eigvalsh)
    """

    public, backward_name = (LINALG,), "LinalgEighBackward0"

    def prepare(A, UPLO="L"):
        return one_triangle("linalg.eigvalsh", A, UPLO)

    def forward(A, /, UPLO):
        return converged("linalg.eigvalsh", np.linalg.eigvalsh, A, UPLO)

    def grad_A(g, A, UPLO):
        vectors = linalg_eigh(A, UPLO)[1]
        return matmul(vectors * unsqueeze(g, -2), turned(vectors))

    samples = of(
        lambda make: S(symmetric(spaced(3, 3)(make))),
        lambda make: S(symmetric(spaced(2, 3, 3)(make)), "U"),
    )


# ---- singular values


class linalg_svd(Op):
    """linalg.svd(A, full_matrices=True, *, driver=None) -> (U, S, Vh)

    ``A = U @ diag(S) @ Vh`` for A (..., m, n): the singular values S (..., k) in descending order, k = min(m, n), and
    orthogonal U and Vh, (m, m) and (n, n), or (m, k) and (k, n) without full_matrices. The gradient of U and Vh takes
    singular values to be distinct, and with full_matrices is that of their first k columns and rows.
    (PyTorch: torch.linalg.svd)
    """

    public, pieces, result = (LINALG,), ("U", "S", "Vh"), "linalg_svd"
    torch = ""  # the signs of singular vectors are LAPACK's: compared in tests/test_linalg.py

    def prepare(A, full_matrices=True, *, driver=None):
        return matrices_of("linalg.svd", no_driver("linalg.svd", A, driver)), full_matrices

    def forward(A, /, full_matrices):
        return tuple(converged("linalg.svd", np.linalg.svd, A, full_matrices))

    def vjp(g, A_shape, U, S, Vh, full_matrices):
        gU, gS, gVh = g
        if full_matrices:
            k = S.shape[-1]
            U, Vh = narrow(U, -1, 0, k), narrow(Vh, -2, 0, k)
            gU = None if gU is None else narrow(gU, -1, 0, k)
            gVh = None if gVh is None else narrow(gVh, -2, 0, k)
        return (svd_gradient(gU, gS, gVh, U, S, Vh, A_shape),)

    samples = of(
        lambda make: S(spaced(3, 3)(make)),
        lambda make: S(spaced(2, 4, 3)(make), full_matrices=False),
        lambda make: S(spaced(2, 3)(make), False),
    )


@on_every_path("no_driver")
def no_driver(op, A, driver):
    if driver is not None:
        raise RuntimeError(f"{op}: keyword argument `driver=` is only supported on CUDA inputs with cuSOLVER backend.")
    return A


@helper
def skewed(matrix):
    return matrix - turned(matrix)


@helper
def svd_gradient(gU, gS, gVh, U, S, Vh, A_shape):
    """With E[i, j] = S[j]² - S[i]²:  U [(skew(Uᵀ gU) S + S skew(Vᵀ gV)) / E + diag(gS)] Vᵀ, and what gU and gV have
    outside the space that U and V span."""
    if gU is None and gVh is None:
        return matmul(U * unsqueeze(gS, -2), Vh)
    k = S.shape[-1]
    column, row = unsqueeze(S, -1), unsqueeze(S, -2)
    same = eye_mask(k)
    gaps = where(same, 1.0, row * row - column * column)
    inner = 0.0
    if gU is not None:
        inner = inner + skewed(matmul(turned(U), gU)) * row
    if gVh is not None:
        inner = inner + column * skewed(matmul(Vh, turned(gVh)))
    inner = inner / gaps
    if gS is not None:
        inner = inner + diagonal_matrix(gS)
    left = matmul(U, inner)
    if gU is not None and A_shape[-2] > k:
        outside = gU / row
        left = left + outside - matmul(U, matmul(turned(U), outside))
    total = matmul(left, Vh)
    if gVh is not None and A_shape[-1] > k:
        outside = gVh / column
        total = total + matmul(U, outside - matmul(matmul(outside, turned(Vh)), Vh))
    return total


class linalg_svdvals(Op):
    """linalg.svdvals(A, *, driver=None) -> Tensor

    The singular values of matrices (..., m, n) in descending order. (PyTorch: torch.linalg.svdvals)
    """

    public, backward_name = (LINALG,), "LinalgSvdBackward0"

    def prepare(A, *, driver=None):
        return (matrices_of("linalg.svdvals", no_driver("linalg.svdvals", A, driver)),)

    def forward(A, /):
        return converged("linalg.svdvals", np.linalg.svd, A, compute_uv=False)

    def grad_A(g, A):
        U, _, Vh = linalg_svd(A, False)
        return matmul(U * unsqueeze(g, -2), Vh)

    samples = of(lambda make: S(spaced(3, 4)(make)), lambda make: S(spaced(2, 3, 2)(make)))


@composite(out=True, samples=of(lambda make: S(spaced(4, 3)(make))), torch="")
def svd(input, some=True, compute_uv=True):
    """svd(input, some=True, compute_uv=True) -> (U, S, V)

    As `linalg.svd`, with V for its transpose; some: without the columns beyond min(m, n). (PyTorch: torch.svd)
    """
    matrices_of("linalg.svd", input)
    if not compute_uv:
        rows, columns = input.shape[-2:]
        lead = tuple(input.shape[:-2])
        kind = np_dtype(input)
        return SVD(
            zeros_of((*lead, rows, rows), kind), linalg_svdvals(input), zeros_of((*lead, columns, columns), kind)
        )
    U, S, Vh = linalg_svd(input, not some)
    return SVD(U, S, turned(Vh))
