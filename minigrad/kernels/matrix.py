"""Matrices in batches, (..., m, n): what NumPy's `linalg` lacks, and PyTorch's words where a matrix will not do.

NumPy calls LAPACK for inverses, determinants, Cholesky, QR, SVD and eigenvalues. LU factors, triangular systems and
the exponential of a matrix are written here; each loop runs over columns, for all matrices of a batch at once.

After this: `ops/solve.py`, `ops/decomposition.py`.
"""

import math

import numpy as np

from minigrad.errors import LinAlgError

BLOCK = 16  # triangles smaller than this are solved row by row, larger ones by halves


def attempt(function, *args, **kwargs):
    """NumPy's answer, or None where it raises LinAlgError: the caller finds out what is wrong and says so."""
    try:
        return function(*args, **kwargs)
    except np.linalg.LinAlgError:
        return None


def first_bad(bad):
    """ "(Batch element 3): " for the first bad matrix of a batch, nothing for a single matrix; and its index."""
    if not bad.ndim:
        return "", ()
    number = int(np.flatnonzero(bad.reshape(-1))[0])
    return f"(Batch element {number}): ", np.unravel_index(number, bad.shape)


def lu(matrix):
    """(factors, pivots): rows exchanged so that the largest number of each column comes up (partial pivoting).

    Returns:
        tuple: L without its ones below the diagonal and U above, in one array of the matrix's shape; int32 pivots
        (..., min(m, n)): row k was exchanged with row pivots[k] - 1.
    """
    *batch, rows, columns = matrix.shape
    work = np.array(matrix, order="C").reshape(math.prod(batch), rows, columns)
    which = np.arange(len(work))
    pivots = np.zeros((len(work), min(rows, columns)), np.int32)
    for k in range(min(rows, columns)):
        chosen = k + np.abs(work[:, k:, k]).argmax(1) if len(work) else which
        pivots[:, k] = chosen + 1
        upper = work[which, chosen]
        work[which, chosen] = work[:, k]
        work[:, k] = upper
        pivot = work[:, k, k, None]
        work[:, k + 1 :, k] /= np.where(pivot == 0, 1, pivot)
        work[:, k + 1 :, k + 1 :] -= work[:, k + 1 :, k, None] * work[:, k, None, k + 1 :]
    return work.reshape(matrix.shape), pivots.reshape(*batch, -1) if batch else pivots.reshape(-1)


def permutation(pivots, rows):
    """The order in which the exchanges leave the rows: integers (..., rows)."""
    order = np.broadcast_to(np.arange(rows), (*pivots.shape[:-1], rows)).copy()
    for k in range(pivots.shape[-1]):
        other = pivots[..., k, None].astype(np.int64) - 1
        moved = np.take_along_axis(order, other, -1)
        np.put_along_axis(order, other, order[..., k, None], -1)
        order[..., k] = moved[..., 0]
    return order


def zero_pivot(factors):
    """For each matrix the place, from 1, of the first zero on U's diagonal; 0 where there is none. int32."""
    zero = np.diagonal(factors, 0, -2, -1) == 0
    if not zero.shape[-1]:
        return np.zeros(zero.shape[:-1], np.int32)
    return np.where(zero.any(-1), zero.argmax(-1) + 1, 0).astype(np.int32)


def inverse(matrix):
    """The inverses; those of singular matrices are left NaN. With them the `zero_pivot` of each."""
    out = attempt(np.linalg.inv, matrix)
    if out is not None:
        return out, np.zeros(matrix.shape[:-2], np.int32)
    return _where_regular(matrix, np.linalg.inv, matrix)


def solution(matrix, right):
    """X of ``matrix @ X = right``, NaN for singular matrices. With it the `zero_pivot` of each."""
    batch = np.broadcast_shapes(matrix.shape[:-2], right.shape[:-2])
    out = attempt(np.linalg.solve, matrix, right)
    if out is not None:
        return out, np.zeros(matrix.shape[:-2], np.int32)
    matrix = np.broadcast_to(matrix, (*batch, *matrix.shape[-2:]))
    right = np.broadcast_to(right, (*batch, *right.shape[-2:]))
    return _where_regular(matrix, np.linalg.solve, matrix, right)


def _where_regular(matrix, function, *args):
    places = np.asarray(zero_pivot(lu(matrix)[0]))
    good = places == 0
    out = np.full(args[-1].shape, np.nan, matrix.dtype)
    for index in zip(*good.nonzero(), strict=True) if good.ndim else ((),) if good else ():
        result = attempt(function, *[a[index] for a in args])
        if result is None:  # rounding hid the zero from us, but not from LAPACK
            places[index] = matrix.shape[-1]
        else:
            out[index] = result
    return out, places


def cholesky(matrix):
    """(L, info): the lower factors, and for each matrix the order of its first minor that is not positive, or 0."""
    out = attempt(np.linalg.cholesky, matrix)
    if out is not None:
        return out, np.zeros(matrix.shape[:-2], np.int32)
    out, info = np.zeros(matrix.shape, matrix.dtype), np.zeros(matrix.shape[:-2], np.int32)
    for index in np.ndindex(matrix.shape[:-2]):
        factor = attempt(np.linalg.cholesky, matrix[index])
        if factor is None:
            info[index] = next(
                k for k in range(1, matrix.shape[-1] + 1) if attempt(np.linalg.cholesky, matrix[index][:k, :k]) is None
            )
            factor = np.tril(matrix[index])
        out[index] = factor
    return out, info


def triangular(matrix, right, upper, unit):
    """X of ``matrix @ X = right``, where only the upper (or lower) triangle of the matrix is read.

    unit: the diagonal is taken to be ones. A zero on the diagonal gives inf and NaN, as division does.
    """
    batch = np.broadcast_shapes(matrix.shape[:-2], right.shape[:-2])
    out = np.array(np.broadcast_to(right, (*batch, *right.shape[-2:])))
    if upper:  # the same system, read backwards, is a lower one
        matrix, reverse = matrix[..., ::-1, ::-1], out[..., ::-1, :]
    else:
        reverse = out
    _forward(matrix, reverse, unit)
    return out


def _forward(matrix, out, unit):
    """Solve a lower triangle in place."""
    n = matrix.shape[-1]
    if n > BLOCK:
        half = n // 2
        _forward(matrix[..., :half, :half], out[..., :half, :], unit)
        out[..., half:, :] -= matrix[..., half:, :half] @ out[..., :half, :]
        _forward(matrix[..., half:, half:], out[..., half:, :], unit)
        return
    for k in range(n):
        if k:
            out[..., k, :] -= (matrix[..., k, None, :k] @ out[..., :k, :])[..., 0, :]
        if not unit:
            out[..., k, :] /= matrix[..., k, k, None]


# Orders of the Padé approximants of exp and the 1-norms up to which they are exact to rounding; Higham 2005, "The
# scaling and squaring method for the matrix exponential revisited", table 2.3.
PADE = (
    (3, 1.495585217958292e-2), (5, 2.539398330063230e-1), (7, 9.504178996162932e-1), (9, 2.097847961257068),
    (13, 5.371920351148152),
)  # fmt: skip


def exponential(matrix):
    """exp of each matrix, by scaling and squaring of a Padé approximant, in float64. (Higham 2005)"""
    out = np.empty(matrix.shape, matrix.dtype)
    for index in np.ndindex(matrix.shape[:-2]):
        out[index] = _exponential(matrix[index].astype(np.float64))
    return out


def _exponential(matrix):
    size = np.abs(matrix).sum(0).max(initial=0)
    if not np.isfinite(size):
        return np.full(matrix.shape, np.nan)
    order, reach = next((known for known in PADE if size <= known[1]), PADE[-1])
    squarings = max(0, math.ceil(math.log2(size / reach))) if size else 0
    matrix = matrix / 2.0**squarings
    top, bottom = _pade(matrix, order)
    result = np.linalg.solve(bottom, top)
    for _ in range(squarings):
        result = result @ result
    return result


def _pade(matrix, order):
    """Numerator and denominator of the [order/order] Padé approximant of exp."""
    terms = [1.0]
    for j in range(1, order + 1):
        terms.append(terms[-1] * (order - j + 1) / ((2 * order - j + 1) * j))
    square, power = matrix @ matrix, np.eye(len(matrix))
    even, odd = np.zeros_like(matrix), np.zeros_like(matrix)
    for j in range(0, order + 1, 2):
        even += terms[j] * power
        if j < order:
            odd += terms[j + 1] * power
        power = power @ square
    odd = matrix @ odd
    return even + odd, even - odd


def cofactors(matrix):
    """The derivative of the determinant: ``det(A) A⁻ᵀ``, and its limit where A is singular."""
    inverted = attempt(np.linalg.inv, matrix)
    if inverted is not None:
        return np.linalg.det(matrix)[..., None, None] * np.swapaxes(inverted, -1, -2)
    left, size, right = np.linalg.svd(matrix)
    sign = np.linalg.det(left) * np.linalg.det(right)
    others = np.where(np.eye(matrix.shape[-1], dtype=bool), 1, size[..., None, :]).prod(-1)
    return (sign[..., None, None] * left * others[..., None, :]) @ right


def cofactors_turned(direction, matrix):
    """The derivative of `cofactors` in a direction D. In the basis of the singular vectors, with p[i, j] the product of
    all singular values but i and j: -p[i, j] D[j, i] off the diagonal, Σ p[i, j] D[j, j] over j ≠ i on it."""
    left, size, right = np.linalg.svd(matrix)
    sign = np.linalg.det(left) * np.linalg.det(right)
    turned = np.swapaxes(left, -1, -2) @ direction @ np.swapaxes(right, -1, -2)
    same = np.eye(matrix.shape[-1], dtype=bool)
    zero = size == 0
    safe = np.where(zero, 1, size)
    left_out = zero.sum(-1)[..., None, None] - zero[..., :, None] - zero[..., None, :]
    p = safe.prod(-1)[..., None, None] / (safe[..., :, None] * safe[..., None, :])
    p = np.where(same | (left_out > 0), 0, p)
    on = (p * np.diagonal(turned, 0, -2, -1)[..., None, :]).sum(-1)
    inner = np.where(same, on[..., :, None], -p * np.swapaxes(turned, -1, -2))
    return (sign[..., None, None] * left) @ inner.astype(matrix.dtype) @ right


def refuse(op, info, what):
    """LinAlgError for the first matrix whose `info` is not zero."""
    if info.any():
        where, index = first_bad(info != 0)
        raise LinAlgError(f"{op}: {where}{what.format(int(info[index]))}")


SINGULAR = "The diagonal element {} is zero, the inversion could not be completed because the input matrix is singular."
INDEFINITE = (
    "The factorization could not be completed because the input is not positive-definite (the leading minor of order "
    "{} is not positive-definite)."
)


def perturbed_inverse(matrix):
    """The inverses, zeros on the diagonal of U replaced by the float's epsilon, as PyTorch does for gradients."""
    factors, pivots = lu(matrix)
    on = np.einsum("...ii->...i", factors)
    on[on == 0] = np.finfo(matrix.dtype).eps
    identity = np.eye(matrix.shape[-1], dtype=matrix.dtype)[permutation(pivots, matrix.shape[-1])]
    return triangular(factors, triangular(factors, identity, False, True), True, False)
