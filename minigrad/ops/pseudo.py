"""Pseudo-inverses and least squares, the rank and condition of a matrix, its exponential, and matrices of tensors."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad.kernels import matrix as kernels
from minigrad.ops.decomposition import matrices_of, spaced
from minigrad.registry import FUNCTION, LINALG, Op, composite, helper, named_tuple, np_dtype, on_every_path
from minigrad.samples import S, constant, of, symmetric

LSTSQ = named_tuple("linalg_lstsq", ("solution", "residuals", "rank", "singular_values"))
DRIVERS = ("gels", "gelsy", "gelsd", "gelss")


# ---- pseudo-inverses


class pseudo_inverse(Op):
    """The pseudo-inverse of matrices, singular values up to max(atol, rtol * the largest) counting as zeros; called by
    `linalg.pinv`. (Golub and Pereyra 1973, "The differentiation of pseudo-inverses")"""

    public, backward_name = (), "LinalgPinvBackward0"

    def forward(input, atol, rtol, /, hermitian):
        if not input.size:
            return np.zeros((*input.shape[:-2], input.shape[-1], input.shape[-2]), input.dtype)
        if hermitian:
            values, left = np.linalg.eigh(input)
            size, right = np.abs(values), np.swapaxes(left, -1, -2)
        else:
            left, values, right = np.linalg.svd(input, full_matrices=False)
            size = values
        limit = np.maximum(atol[..., None], rtol[..., None] * size.max(-1, keepdims=True))
        inverted = np.where(size > limit, 1 / np.where(size > limit, values, 1), 0).astype(input.dtype)
        return np.swapaxes(right, -1, -2) @ (inverted[..., None] * np.swapaxes(left, -1, -2))

    def grad_input(g, input, output):
        return pseudo_inverse_gradient(g, input, output)


@helper
def pseudo_inverse_gradient(g, A, inverted):
    """With P the pseudo-inverse of A:  -Pᵀ g Pᵀ + (I - A P) gᵀ P Pᵀ + Pᵀ P gᵀ (I - P A)."""
    across, back = turned(inverted), turned(g)
    left = matmul(matmul(back, inverted), across)
    right = matmul(across, matmul(inverted, back))
    inner = matmul(across, matmul(g, across))
    return left - matmul(A, matmul(inverted, left)) + right - matmul(matmul(right, inverted), A) - inner


@on_every_path("limits")
def limits(A, atol, rtol):
    """(atol, rtol), of which the second is eps times the larger side of the matrices where neither is given."""
    given = getattr(atol, "array", atol)
    if rtol is None:
        rtol = 0.0 if given is not None and np.any(given > 0) else epsilon(A)
    return 0.0 if atol is None else atol, rtol


def epsilon(A):
    return float(np.finfo(np_dtype(A)).eps) * max(A.shape[-2:])


@helper
def as_limit(A, limit):
    return to_dtype(limit, np_dtype(A)) if hasattr(limit, "ndim") else full_of((), limit, np_dtype(A))


@on_every_path("detached")
def detached(function, input):
    """The function's value, without history."""
    return function(input.detach() if hasattr(input, "detach") else input)


PINV = of(
    lambda make: S(spaced(4, 3)(make)),
    lambda make: S(spaced(2, 3, 4)(make), rtol=1e-3),
    lambda make: S(symmetric(spaced(3, 3)(make)), hermitian=True),
)


@composite(out=True, public=(LINALG,), samples=PINV)
def linalg_pinv(A, rcond=None, hermitian=False, *, atol=None, rtol=None):
    """linalg.pinv(A, *, atol=None, rtol=None, hermitian=False) -> Tensor

    The pseudo-inverse (..., n, m) of matrices (..., m, n). Singular values up to max(atol, rtol * the largest) count as
    zeros; rtol is ``eps * max(m, n)`` where no atol is given, else 0. hermitian: A is symmetric, and eigenvalues are
    used. rcond: PyTorch's older name of rtol. (PyTorch: torch.linalg.pinv)
    """
    matrices_of("linalg.pinv", A, square=hermitian)
    atol, rtol = limits(A, atol, rcond if rtol is None else rtol)
    return pseudo_inverse(A, as_limit(A, atol), as_limit(A, rtol), bool(hermitian))


@composite(samples=of(lambda make: S(spaced(4, 3)(make)), lambda make: S(spaced(2, 3, 4)(make), 1e-3)))
def pinverse(input, rcond=1e-15):
    """pinverse(input, rcond=1e-15) -> Tensor: `linalg.pinv` with rtol=rcond. (PyTorch: torch.pinverse)"""
    return linalg_pinv(input, rcond)


# ---- least squares


class least_squares(Op):
    """The X of least norm among those for which |A X - B| is least, and the squared norms of the columns of A X - B
    if they are `wanted`, else nothing; called by `linalg.lstsq`."""

    public, pieces, result = (), ("solution", "residuals"), "least_squares"
    backward_name = "LinalgLstsqBackward0"

    def forward(A, B, /, limit, wanted):
        out = np.zeros((*A.shape[:-2], A.shape[-1], B.shape[-1]), A.dtype)
        for index in np.ndindex(A.shape[:-2]):
            out[index] = np.linalg.lstsq(A[index], B[index], limit)[0]
        return out, np.square(A @ out - B).sum(-2) if wanted else np.zeros(0, A.dtype)

    def vjp(g, A, B, solution, wanted):
        by_A, by_B = zeros_of(A.shape, np_dtype(A)), zeros_of(B.shape, np_dtype(B))
        if g[0] is not None:
            inverted = linalg_pinv(A)
            by_A = pseudo_inverse_gradient(matmul(g[0], turned(B)), A, inverted)
            by_B = matmul(turned(inverted), g[0])
        if g[1] is not None and wanted:  # moving the solution does not change what is least
            by_rest = 2.0 * (matmul(A, solution) - B) * unsqueeze(g[1], -2)
            by_A, by_B = by_A + matmul(by_rest, turned(solution)), by_B - by_rest
        return by_A, by_B


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(spaced(4, 3)(make), make(4, 2)),
        lambda make: S(spaced(2, 3, 3)(make), make(2, 3, 1), driver="gelsd"),
        lambda make: S(spaced(2, 4)(make), make(2)),
    ),
)
def linalg_lstsq(A, B, rcond=None, *, driver=None):
    """linalg.lstsq(A, B, rcond=None, *, driver=None) -> (solution, residuals, rank, singular_values)

    X for which ``|A @ X - B|`` is least, of A (..., m, n) and B (..., m, k) or (..., m). residuals: the squared norms
    of the columns of ``A @ X - B``, where m > n and A has full rank, else empty; rank: empty for the driver "gels";
    singular_values: for "gelsd" and "gelss", else empty. Singular values up to rcond times the largest count as zeros.
    (PyTorch: torch.linalg.lstsq)
    """
    driver = lstsq_driver(A, B, driver)
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1]))
    right = unsqueeze(B, -1) if vector else B
    if right.shape[-2] != A.shape[-2]:
        raise RuntimeError("torch.linalg.lstsq: input.size(-2) should match other.size(-2)")
    batch = common_shape("torch.linalg.lstsq", A.shape[:-2], right.shape[:-2])
    A, right = expand(A, (*batch, *A.shape[-2:])), expand(right, (*batch, *right.shape[-2:]))
    limit = epsilon(A) if rcond is None else rcond
    sizes = detached(linalg_svdvals, A)
    rank = sum(sizes > limit * amax(sizes, -1, True), -1) if sizes.shape[-1] else zeros_of(batch, np.dtype("i8"))
    wanted = A.shape[-2] > A.shape[-1] and driver != "gelsy" and bool(all(rank == A.shape[-1]))
    out, residuals = least_squares(A, right, limit, wanted)
    ranks = zeros_of((0,), np.dtype("i8")) if driver == "gels" else rank
    shown = sizes if driver in ("gelsd", "gelss") else zeros_of((0,), np_dtype(A))
    return LSTSQ(squeeze(out, -1) if vector else out, residuals, ranks, shown)


@on_every_path("lstsq_driver")
def lstsq_driver(A, B, driver):
    """The driver's name; A and B are checked."""
    op = "torch.linalg.lstsq"
    if A.ndim < 2:
        raise RuntimeError(f"{op}: input must have at least 2 dimensions.")
    if B.ndim < 1:
        raise RuntimeError(f"{op}: other must have at least 1 dimension.")
    if not 0 <= A.ndim - B.ndim <= 1:
        raise RuntimeError(
            f"{op}: input.dim() must be greater or equal to other.dim() and (input.dim() - other.dim()) <= 1: got "
            f"{A.ndim} and {B.ndim}"
        )
    if np_dtype(A) != np_dtype(B):
        raise RuntimeError(f"{op}: input and other should have the same dtype: got {np_dtype(A)} and {np_dtype(B)}")
    matrices_of(op, A)
    if driver not in (None, *DRIVERS):
        raise RuntimeError(f"{op}: parameter `driver` should be one of (gels, gelsy, gelsd, gelss): got {driver!r}")
    return driver or "gelsy"


# ---- rank and condition


@composite(
    out=True,
    public=(LINALG,),
    samples=of(lambda make: S(spaced(4, 3)(make)), lambda make: S(spaced(2, 3, 3)(make), tol=1.0)),
)
def linalg_matrix_rank(A, tol=None, hermitian=False, *, atol=None, rtol=None):
    """linalg.matrix_rank(A, *, atol=None, rtol=None, hermitian=False) -> LongTensor

    How many singular values of matrices (..., m, n) are larger than max(atol, rtol * the largest); the limits are those
    of `linalg.pinv`. tol: PyTorch's older name of atol. (PyTorch: torch.linalg.matrix_rank)
    """
    matrices_of("torch.linalg.matrix_rank", A, square=hermitian, name="input")
    if tol is not None:
        atol, rtol = tol, 0.0
    sizes = abs(detached(linalg_eigvalsh, A)) if hermitian else detached(linalg_svdvals, A)
    atol, rtol = limits(A, atol, rtol)
    if not sizes.shape[-1]:
        return zeros_of(tuple(A.shape[:-2]), np.dtype("i8"))
    relative = amax(sizes, -1, True) * last_axis(rtol)
    return sum(sizes > maximum(relative, zeros_like_of(relative) + last_axis(atol)), -1)


@helper
def last_axis(limit):
    return unsqueeze(limit, -1) if hasattr(limit, "ndim") else limit


@helper
def zeros_like_of(values):
    return zeros_of(tuple(values.shape), np_dtype(values))


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(spaced(4, 3)(make)),
        lambda make: S(spaced(2, 3, 3)(make), -2),
        lambda make: S(constant(spaced(3, 3)(make)), 1),
        lambda make: S(constant(spaced(3, 3)(make)), "fro"),
    ),
)
def linalg_cond(A, p=None):
    """linalg.cond(A, p=None) -> Tensor

    The condition number of matrices in the norm p (2): ``|A| |A⁻¹|``, inf for singular ones. p: None, 2, -2 (these for
    any matrices), 1, -1, inf, -inf, "fro", "nuc". (PyTorch: torch.linalg.cond)
    """
    if p not in (None, 2, -2, 1, -1, math.inf, -math.inf, "fro", "nuc"):
        raise RuntimeError(f"linalg.cond got an invalid norm type: {p}")
    matrices_of("linalg.cond", A, square=p not in (None, 2, -2))
    if not A.shape[-1] or not A.shape[-2]:
        return zeros_of(tuple(A.shape[:-2]), np_dtype(A))
    if p in (None, 2, -2):
        sizes = linalg_svdvals(A)
        largest, smallest = select(sizes, -1, 0), select(sizes, -1, -1)
        return smallest / largest if p == -2 else largest / smallest
    inverted, info = linalg_inv_ex(A)
    return where(info == 0, linalg_matrix_norm(A, p) * linalg_matrix_norm(inverted, p), math.inf)


# ---- the exponential


class linalg_matrix_exp(Op):
    """linalg.matrix_exp(A) -> Tensor

    ``exp(A) = I + A + A²/2! + A³/3! + ...`` for square matrices (..., n, n). (PyTorch: torch.linalg.matrix_exp)
    """

    public = (LINALG,)

    def prepare(A):
        return (matrices_of("linalg.matrix_exp", A, square=True),)

    def forward(A, /):
        return kernels.exponential(A)

    def grad_A(g, A):
        """The upper right block of the exponential of [[Aᵀ, g], [0, Aᵀ]] is the derivative at Aᵀ in direction g."""
        count, across = A.shape[-1], turned(A)
        above, below = cat([across, g], -1), cat([zeros_of(tuple(A.shape), np_dtype(A)), across], -1)
        whole = linalg_matrix_exp(cat([above, below], -2))
        return narrow(narrow(whole, -2, 0, count), -1, count, count)

    samples = of(lambda make: S(make(3, 3, low=-1.0, high=1.0)), lambda make: S(make(2, 2, 2)))


@composite(samples=of(lambda make: S(make(2, 2))))
def matrix_exp(input):
    """matrix_exp(input) -> Tensor: `linalg.matrix_exp`. (PyTorch: torch.matrix_exp)"""
    return linalg_matrix_exp(input)


# ---- tensors as matrices


@composite(out=True, public=(LINALG,), samples=of(lambda make: S(make(2, 2, 4)), lambda make: S(make(4, 2, 2), ind=1)))
def linalg_tensorinv(A, ind=2):
    """linalg.tensorinv(A, ind=2) -> Tensor

    The inverse of the matrix that A is, when its first `ind` dimensions are the rows and the others the columns; the
    result has them the other way round. (PyTorch: torch.linalg.tensorinv)
    """
    if ind <= 0:
        raise RuntimeError(f"Expected a strictly positive integer for 'ind': linalg.tensorinv() got {ind}")
    rows, columns = tuple(A.shape[:ind]), tuple(A.shape[ind:])
    if math.prod(rows) != math.prod(columns):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[ind:]) == prod(self.shape[:ind]), but got "
            f"{math.prod(columns)} != {math.prod(rows)}"
        )
    return reshape(linalg_inv(reshape(A, (math.prod(rows), math.prod(columns)))), (*columns, *rows))


@composite(
    out=True,
    public=(LINALG,),
    samples=of(lambda make: S(make(2, 3, 6), make(2, 3)), lambda make: S(make(6, 2, 3), make(2, 3), (0,))),
)
def linalg_tensorsolve(A, B, dims=None):
    """linalg.tensorsolve(A, B, dims=None) -> Tensor

    X of ``tensordot(A, X, X.ndim) = B``. dims: dimensions of A to be moved to the end first.
    (PyTorch: torch.linalg.tensorsolve)
    """
    if dims is not None:
        A = movedim(A, tuple(dims), tuple(range(A.ndim - len(dims), A.ndim)))
    columns = tuple(A.shape[B.ndim :])
    if math.prod(columns) != math.prod(B.shape):
        raise RuntimeError(
            "Expected self to satisfy the requirement prod(self.shape[other.ndim:]) == prod(self.shape[:other.ndim]), "
            f"but got {math.prod(columns)} != {math.prod(B.shape)}"
        )
    matrix = reshape(A, (math.prod(columns), math.prod(columns)))
    return reshape(linalg_solve(matrix, reshape(B, (-1,))), columns)


@composite(public=(LINALG,), samples=of(lambda make: S(make(4)), lambda make: S(make(2, 3), N=2)))
def linalg_vander(x, *, N=None):
    """linalg.vander(x, *, N=None) -> Tensor

    The powers x⁰ to x^(N-1) of the numbers of a vector (..., n), in rows: (..., n, N); N is n.
    (PyTorch: torch.linalg.vander)
    """
    if N is not None and N <= 1:
        raise RuntimeError(f"N must be greater than 1. Got N={N} in linalg.vander().")
    if np_dtype(x).kind == "b":
        raise RuntimeError("linalg.vander supports floating point, complex, and integer tensors, but got Bool")
    base = to_dtype(x, np.dtype("i8")) if np_dtype(x).kind in "iu" else x
    base = base if x.ndim else reshape(base, (1,))
    return unsqueeze(base, -1) ** class_numbers((base.shape[-1] if N is None else N,))


@composite(public=(FUNCTION,), samples=of(lambda make: S(np.arange(1, 5)), lambda make: S(np.arange(3), 2, True)))
def vander(x, N=None, increasing=False):
    """vander(x, N=None, increasing=False) -> Tensor

    The powers x^(N-1) to x⁰ of the numbers of a vector (n), in rows: (n, N), from x⁰ on if increasing; N is n.
    (PyTorch: torch.vander)
    """
    if x.ndim != 1:
        raise RuntimeError("x must be a one-dimensional tensor.")
    count = x.shape[0] if N is None else N
    if count < 0:
        raise RuntimeError(f"N must be non-negative: vander() got {count}")
    base = to_dtype(x, np.dtype("i8")) if np_dtype(x).kind in "iub" else x
    powers = unsqueeze(base, -1) ** class_numbers((count,))
    return powers if increasing else flip(powers, (1,))
