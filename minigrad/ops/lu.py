"""LU factors of (batches of) matrices, and systems solved with them."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.kernels import matrix as kernels
from minigrad.ops.decomposition import matrices_of, spaced
from minigrad.ops.solve import incompatible
from minigrad.registry import (
    FUNCTION,
    LINALG,
    METHOD,
    TENSORS,
    Op,
    composite,
    helper,
    named_tuple,
    np_dtype,
    on_every_path,
)
from minigrad.samples import S, of

LU = named_tuple("linalg_lu", ("P", "L", "U"))
LU_FACTOR = named_tuple("linalg_lu_factor", ("LU", "pivots"))
LU_FACTOR_EX = named_tuple("linalg_lu_factor_ex", ("LU", "pivots", "info"))
UNPACKED = named_tuple("lu_unpack", ("P", "L", "U"))
MATRICES = of(
    lambda make: S(spaced(3, 3)(make)),
    lambda make: S(spaced(2, 4, 3)(make)),
    lambda make: S(spaced(3, 5)(make)),
)


class lu_factors(Op):
    """L without its ones and U in one array, the pivots (int32) and `info`, the place of a zero on U's diagonal; called
    by `linalg.lu` and its kind."""

    public, nout, aux, backward_name = (), 3, ("pivots", "info"), "LinalgLuFactorExBackward0"

    def forward(A, /, pivot):
        if not pivot:
            raise RuntimeError("linalg.lu_factor: LU without pivoting is not implemented on the CPU: leave pivot=True")
        factors, pivots = kernels.lu(A)
        return factors, pivots, kernels.zero_pivot(factors)

    def grad_A(g, output, pivots):
        rows, columns = output.shape[-2:]
        k = rows if rows < columns else columns
        square, g_square = narrow(narrow(output, -2, 0, k), -1, 0, k), narrow(narrow(g, -2, 0, k), -1, 0, k)
        L, U = tril(square, -1), triu(square)
        by_L, by_U = matmul(turned(L), tril(g_square, -1)) + tril(g_square, -1), matmul(triu(g_square), turned(U))
        if rows > columns:
            below, g_below = narrow(output, -2, k, rows - k), narrow(g, -2, k, rows - k)
            by_U = by_U - matmul(turned(below), g_below)
        if columns > rows:
            beside, g_beside = narrow(output, -1, k, columns - k), narrow(g, -1, k, columns - k)
            by_L = by_L - matmul(g_beside, turned(beside))
        inner = tril(by_L, -1) + triu(by_U)
        inner = turned(triangular_solution(U, turned(inner), True, False))
        if rows > columns:
            inner = cat([inner, turned(triangular_solution(U, turned(g_below), True, False))], -2)
        if columns > rows:
            inner = cat([inner, g_beside], -1)
        top = triangular_solution(turned(L), narrow(inner, -2, 0, k), True, True)
        whole = cat([top, narrow(inner, -2, k, rows - k)], -2) if rows > columns else top
        return matmul(permutation_matrix(pivots, rows, np_dtype(g)), whole)


@on_every_path("permutation_matrix")
def permutation_matrix(pivots, rows, dtype):
    """The matrix P of the exchanges: ``P @ (L @ U) = A``."""
    given = getattr(pivots, "array", pivots)
    out = np.swapaxes(np.eye(rows, dtype=dtype)[kernels.permutation(given, rows)], -1, -2)
    return out if given is pivots else TENSORS["wrap"](out)


@helper
def lower_of(LU):
    rows, columns = LU.shape[-2:]
    k = rows if rows < columns else columns
    L = tril(narrow(LU, -1, 0, k), -1)
    return L + where(reshape(class_numbers((rows,)), (rows, 1)) == class_numbers((k,)), 1.0, zeros_of((), np_dtype(LU)))


@helper
def upper_of(LU):
    rows, columns = LU.shape[-2:]
    return triu(narrow(LU, -2, 0, rows if rows < columns else columns))


@composite(out=True, public=(LINALG,), samples=MATRICES)
def linalg_lu_factor_ex(A, *, pivot=True, check_errors=False):
    """linalg.lu_factor_ex(A, *, pivot=True, check_errors=False) -> (LU, pivots, info)

    `linalg.lu_factor`; info (int32) is 0, or the place of the first zero on U's diagonal.
    (PyTorch: torch.linalg.lu_factor_ex)
    """
    matrices_of("torch.linalg.lu_factor_ex", A)
    factors, pivots, info = lu_factors(A, pivot)
    if check_errors:
        no_zero("torch.linalg.lu_factor_ex", info)
    return LU_FACTOR_EX(factors, pivots, info)


@on_every_path("no_zero")
def no_zero(op, info):
    """RuntimeError for the first matrix with a zero on U's diagonal."""
    found = getattr(info, "array", info)
    if found.any():
        where, index = kernels.first_bad(found != 0)
        at = int(found[index])
        raise RuntimeError(
            f"{op}: {where}U[{at},{at}] is zero and using it on lu_solve would result in a division by zero. If you "
            "still want to perform the factorization, consider calling linalg.lu(A, pivot) or "
            "linalg.lu_factor_ex(A, pivot)"
        )


@composite(out=True, public=(LINALG,), samples=MATRICES)
def linalg_lu_factor(A, *, pivot=True):
    """linalg.lu_factor(A, *, pivot=True) -> (LU, pivots)

    L (below the diagonal, without its ones) and U of ``A = P @ L @ U`` in one array, for matrices (..., m, n), and
    pivots, int32 (..., min(m, n)): row k was exchanged with row ``pivots[k] - 1``. RuntimeError where U has a zero on
    the diagonal. (PyTorch: torch.linalg.lu_factor)
    """
    matrices_of("torch.linalg.lu_factor", A)
    factors, pivots, info = lu_factors(A, pivot)
    no_zero("torch.linalg.lu_factor", info)
    return LU_FACTOR(factors, pivots)


@composite(out=True, public=(LINALG,), samples=MATRICES)
def linalg_lu(A, *, pivot=True):
    """linalg.lu(A, *, pivot=True) -> (P, L, U)

    ``A = P @ L @ U`` for matrices (..., m, n): P a permutation (m, m), L lower triangular with ones on the diagonal
    (m, k), U upper triangular (k, n), k = min(m, n). (PyTorch: torch.linalg.lu)
    """
    matrices_of("linalg.lu", A)
    factors, pivots, _ = lu_factors(A, pivot)
    return LU(permutation_matrix(pivots, A.shape[-2], np_dtype(A)), lower_of(factors), upper_of(factors))


@composite(out=True, public=(FUNCTION, METHOD), samples=MATRICES, torch="")
def lu(A, pivot=True, get_infos=False):
    """lu(A, pivot=True, get_infos=False) -> (LU, pivots): `linalg.lu_factor`, and `info` if asked for.
    (PyTorch: torch.lu)"""
    factors = linalg_lu_factor_ex(A, pivot=pivot)
    return factors if get_infos else tuple(factors)[:2]


@composite(out=True, public=(FUNCTION,), samples=of(lambda make: S(spaced(3, 4)(make), np.array([2, 2, 3], np.int32))))
def lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True):
    """lu_unpack(LU_data, LU_pivots, unpack_data=True, unpack_pivots=True) -> (P, L, U)

    What `linalg.lu_factor` gave, as three matrices; empty ones for what is not asked for. (PyTorch: torch.lu_unpack)
    """
    kind = np_dtype(LU_data)
    if unpack_pivots and np_dtype(LU_pivots) != np.dtype("i4"):
        raise RuntimeError(
            "torch.lu_unpack: LU_pivots is expected to be a contiguous tensor of torch.int32 dtype: convert it with "
            ".int()"
        )
    none = zeros_of((0,), kind)
    P = permutation_matrix(LU_pivots, LU_data.shape[-2], kind) if unpack_pivots else none
    return UNPACKED(P, lower_of(LU_data), upper_of(LU_data)) if unpack_data else UNPACKED(P, none, none)


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(spaced(3, 3)(make), np.array([2, 2, 3], np.int32), make(3, 2)),
        lambda make: S(spaced(3, 3)(make), np.array([3, 2, 3], np.int32), make(2, 3), left=False, adjoint=True),
    ),
)
def linalg_lu_solve(LU, pivots, B, *, left=True, adjoint=False):
    """linalg.lu_solve(LU, pivots, B, *, left=True, adjoint=False) -> Tensor

    X of ``A @ X = B`` (left=False: of ``X @ A = B``) for the A that `linalg.lu_factor` took apart; adjoint: for its
    transpose. (PyTorch: torch.linalg.lu_solve)
    """
    op = "linalg.lu_solve"
    matrices_of(op, LU, square=True, name="LU")
    matrices_of(op, B, name="B")
    if np_dtype(pivots) != np.dtype("i4"):
        raise RuntimeError(f"{op}: pivots should be a Tensor of scalar type torch.int32. Got {np_dtype(pivots)}")
    if B.shape[-2 if left else -1] != LU.shape[-1]:
        raise incompatible(op, LU, B, left)
    P = permutation_matrix(pivots, LU.shape[-1], np_dtype(LU))
    right = B if left else turned(B)
    if bool(adjoint) == bool(left):  # the system of the transpose
        inner = triangular_solution(turned(LU), right, False, False)
        out = matmul(P, triangular_solution(turned(LU), inner, True, True))
    else:
        inner = triangular_solution(LU, matmul(turned(P), right), False, True)
        out = triangular_solution(LU, inner, True, False)
    return out if left else turned(out)


@composite(
    out=True,
    samples=of(lambda make: S(make(3, 2), spaced(3, 3)(make), np.array([2, 2, 3], np.int32))),
)
def lu_solve(b, LU_data, LU_pivots):
    """lu_solve(b, LU_data, LU_pivots) -> Tensor: `linalg.lu_solve`. (PyTorch: torch.lu_solve)"""
    return linalg_lu_solve(LU_data, LU_pivots, b)
