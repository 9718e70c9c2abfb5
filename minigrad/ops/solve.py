"""Inverses, determinants and linear systems of (batches of) square matrices."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.kernels import matrix as kernels
from minigrad.ops.decomposition import matrices_of, spaced
from minigrad.ops.index import common_shape
from minigrad.registry import LINALG, TENSORS, Op, composite, helper, named_tuple, np_dtype, on_every_path
from minigrad.samples import S, constant, of

INV_EX = named_tuple("linalg_inv_ex", ("inverse", "info"))
SOLVE_EX = named_tuple("linalg_solve_ex", ("result", "info"))
SLOGDET = named_tuple("slogdet", ("sign", "logabsdet"))
TRIANGULAR = named_tuple("triangular_solve", ("solution", "cloned_coefficient"))
SQUARES = of(lambda make: S(spaced(3, 3)(make)), lambda make: S(spaced(2, 2, 2)(make)))


# ---- inverses


class inverse_matrix(Op):
    """The inverse and its `info`, the place of a zero on the diagonal of U; called by `linalg.inv` and its kind."""

    public, nout, aux, backward_name = (), 2, ("info",), "LinalgInvExBackward0"

    def forward(input, /):
        return kernels.inverse(input)

    def grad_input(g, output):
        return -matmul(turned(output), matmul(g, turned(output)))


@composite(out=True, public=(LINALG,), samples=SQUARES)
def linalg_inv(A):
    """linalg.inv(A) -> Tensor

    The inverse of square matrices (..., n, n); LinAlgError if one is singular. To multiply by an inverse, use
    `linalg.solve`: it is faster and more accurate. (PyTorch: torch.linalg.inv)
    """
    matrices_of("linalg.inv", A, square=True)
    out, info = inverse_matrix(A)
    refuse_matrices("linalg.inv", info, kernels.SINGULAR)
    return out


@composite(out=True, public=(LINALG,), samples=SQUARES)
def linalg_inv_ex(A, *, check_errors=False):
    """linalg.inv_ex(A, *, check_errors=False) -> (inverse, info)

    `linalg.inv` without its error: info (int32) is 0, or the place of the zero on the diagonal that makes the matrix
    singular. (PyTorch: torch.linalg.inv_ex)
    """
    matrices_of("linalg.inv_ex", A, square=True)
    out, info = inverse_matrix(A)
    if check_errors:
        refuse_matrices("linalg.inv_ex", info, kernels.SINGULAR)
    return INV_EX(out, info)


@composite(out=True, samples=SQUARES)
def inverse(input):
    """inverse(input) -> Tensor: `linalg.inv`. (PyTorch: torch.inverse)"""
    return linalg_inv(input)


# ---- determinants


class linalg_det(Op):
    """linalg.det(A) -> Tensor

    The determinants of square matrices (..., n, n). The gradient is right for singular ones too.
    (PyTorch: torch.linalg.det)
    """

    public = (LINALG,)

    def prepare(A):
        return (matrices_of("linalg.det", A, square=True),)

    def forward(A, /):
        return np.linalg.det(A)

    def grad_A(g, A):
        return unsqueeze(unsqueeze(g, -1), -1) * cofactors(A)

    samples = SQUARES


class cofactors(Op):
    """The derivative of the determinant: ``det(A) A⁻ᵀ``, or its limit."""

    public = ()

    def forward(input, /):
        return kernels.cofactors(input)

    def grad_input(g, input):
        return cofactors_turned(g, input)


class cofactors_turned(Op):
    """The second derivative of the determinant in a direction (as it is symmetric, its own gradient in that)."""

    public = ()

    def forward(direction, input, /):
        return kernels.cofactors_turned(direction, input)

    def grad_direction(g, input):
        return cofactors_turned(g, input)

    def grad_input(g, direction, input):
        inverted = inverse_matrix(input)[0]
        first, second = matmul(inverted, direction), matmul(inverted, g)
        both = matmul(first, second)
        turn = (
            (traced(first) * traced(second) - traced(both)) * inverted
            - traced(second) * matmul(first, inverted)
            - traced(first) * matmul(second, inverted)
            + matmul(both + matmul(second, first), inverted)
        )
        return unsqueeze(unsqueeze(linalg_det(input), -1), -1) * turned(turn)


@helper
def traced(matrix):
    """The traces of matrices, to be multiplied with matrices."""
    return unsqueeze(unsqueeze(sum(diagonal(matrix, 0, -2, -1), -1), -1), -1)


@composite(out=True, samples=SQUARES)
def det(input):
    """det(input) -> Tensor: `linalg.det`. (PyTorch: torch.det)"""
    return linalg_det(input)


class linalg_slogdet(Op):
    """linalg.slogdet(A) -> (sign, logabsdet)

    The sign of the determinant and the logarithm of its absolute value, for square matrices (..., n, n); 0 and -inf
    for singular ones. (PyTorch: torch.linalg.slogdet)
    """

    public, pieces, result = (LINALG,), ("sign", "logabsdet"), "linalg_slogdet"

    def prepare(A):
        return (matrices_of("linalg.slogdet", A, square=True),)

    def forward(A, /):
        return tuple(np.linalg.slogdet(A))

    def vjp(g, A):
        if g[1] is None:
            return (zeros_of(A.shape, np_dtype(A)),)
        return (unsqueeze(unsqueeze(g[1], -1), -1) * turned(nearly_inverse(A)),)

    samples = SQUARES


class nearly_inverse(Op):
    """The inverse, where a zero on the diagonal of U counts as the smallest number that makes a difference to 1."""

    public = ()

    def forward(input, /):
        out, info = kernels.inverse(input)
        return kernels.perturbed_inverse(input) if info.any() else out

    def grad_input(g, output):
        return -matmul(turned(output), matmul(g, turned(output)))


@composite(samples=SQUARES)
def slogdet(input):
    """slogdet(input) -> (sign, logabsdet): `linalg.slogdet`. (PyTorch: torch.slogdet)"""
    return SLOGDET(*linalg_slogdet(input))


@composite(samples=SQUARES)
def logdet(input):
    """logdet(input) -> Tensor

    The logarithm of the determinant of square matrices (..., n, n): NaN where that is negative, -inf where it is 0.
    (PyTorch: torch.logdet)
    """
    matrices_of("logdet", input, square=True)
    sign, size = linalg_slogdet(input)
    return where(sign == -1, float("nan"), size)


# ---- systems


class solution(Op):
    """X of ``A @ X = B`` and its `info`; called by `linalg.solve` and its kind."""

    public, nout, aux, broadcasts, backward_name = (), 2, ("info",), True, "LinalgSolveExBackward0"

    def forward(A, B, /):
        return kernels.solution(A, B)

    def grad_A(g, A, output):
        return -matmul(solution(turned(A), g)[0], turned(output))

    def grad_B(g, A):
        return solution(turned(A), g)[0]


@on_every_path("system")
def system(op, A, B, left):
    """(B is a vector, or a batch of vectors) of a system, checked."""
    matrices_of(op, A, square=True)
    if np_dtype(B) != np_dtype(A):
        raise RuntimeError(
            f"{op}: Expected A and B to have the same dtype, but found A of type {TENSORS['type_name'](np_dtype(A))} "
            f"and B of type {TENSORS['type_name'](np_dtype(B))} instead"
        )
    vector = B.ndim == 1 or (A.ndim - 1 == B.ndim and tuple(B.shape) == tuple(A.shape[:-1]))
    if vector and not left:
        raise RuntimeError(f"{op}: Vector broadcasting of the left hand side is not supported for left=False.")
    if not vector:
        matrices_of(op, B, name="B")
        if B.shape[-2 if left else -1] != A.shape[-1]:
            raise incompatible(op, A, B, left)
    elif B.shape[-1] != A.shape[-1]:
        raise incompatible(op, A, np.empty((B.shape[-1], 1)), left)
    return vector


def incompatible(op, A, B, left=True):
    return RuntimeError(
        f"{op}: Incompatible shapes of A and B for the equation {'AX = B' if left else 'XA = B'} ({A.shape[-2]}x"
        f"{A.shape[-1]} and {B.shape[-2]}x{B.shape[-1]})"
    )


@on_every_path("same_batch")
def same_batch(op, A, B):
    """The batch dimensions must broadcast."""
    common_shape(op, A.shape[:-2], B.shape[:-2])


SYSTEMS = of(
    lambda make: S(spaced(3, 3)(make), make(3, 2)),
    lambda make: S(spaced(2, 3, 3)(make), make(3, 2)),
    lambda make: S(spaced(3, 3)(make), make(3)),
    lambda make: S(spaced(2, 3, 3)(make), make(2, 3)),
    lambda make: S(spaced(3, 3)(make), make(2, 3), left=False),
)


@composite(out=True, public=(LINALG,), samples=SYSTEMS)
def linalg_solve_ex(A, B, *, left=True, check_errors=False):
    """linalg.solve_ex(A, B, *, left=True, check_errors=False) -> (result, info)

    `linalg.solve` without its error: info (int32) is 0, or the place of the zero on the diagonal that makes the matrix
    singular. (PyTorch: torch.linalg.solve_ex)
    """
    vector = system("linalg.solve", A, B, left)
    right = unsqueeze(B, -1) if vector else B
    same_batch("linalg.solve", A, right)
    out, info = solution(A, right) if left else solution(turned(A), turned(right))
    if check_errors:
        refuse_matrices("torch.linalg.solve_ex", info, SINGULAR)
    return SOLVE_EX(squeeze(out, -1) if vector else out if left else turned(out), info)


SINGULAR = "The solver failed because the input matrix is singular."


@composite(out=True, public=(LINALG,), samples=SYSTEMS)
def linalg_solve(A, B, *, left=True):
    """linalg.solve(A, B, *, left=True) -> Tensor

    X of ``A @ X = B`` (left=False: of ``X @ A = B``) for square A (..., n, n) and B (..., n, k), a vector (n), or
    vectors (..., n) with A's batch dimensions, which otherwise broadcast. LinAlgError if a matrix is singular.
    (PyTorch: torch.linalg.solve)
    """
    out, info = linalg_solve_ex(A, B, left=left)
    refuse_matrices("torch.linalg.solve", info, SINGULAR)
    return out


class triangular_solution(Op):
    """X of ``A @ X = B`` for triangular A; called by `linalg.solve_triangular` and by the rules of factorisations."""

    public, broadcasts, backward_name = (), True, "LinalgSolveTriangularBackward0"

    def forward(A, B, /, upper, unit):
        return kernels.triangular(A, B, upper, unit)

    def grad_A(g, A, output, upper, unit):
        full = -matmul(triangular_solution(turned(A), g, not upper, unit), turned(output))
        return triu(full, int(unit)) if upper else tril(full, -int(unit))

    def grad_B(g, A, upper, unit):
        return triangular_solution(turned(A), g, not upper, unit)


@composite(
    backward_name="LinalgSolveTriangularBackward0",
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(spaced(3, 3)(make), make(3, 2), upper=True),
        lambda make: S(spaced(2, 3, 3)(make), make(3, 2), upper=False, unitriangular=True),
        lambda make: S(spaced(3, 3)(make), make(2, 3), upper=False, left=False),
    ),
)
def linalg_solve_triangular(A, B, *, upper, left=True, unitriangular=False):
    """linalg.solve_triangular(A, B, *, upper, left=True, unitriangular=False) -> Tensor

    X of ``A @ X = B`` (left=False: of ``X @ A = B``), reading only the upper or lower triangle of A (..., n, n);
    unitriangular: its diagonal is taken to be ones. A zero on the diagonal gives inf and NaN.
    (PyTorch: torch.linalg.solve_triangular)
    """
    op = "linalg.solve_triangular"
    if np_dtype(A).kind != "f":
        raise NotImplementedError(
            f"\"triangular_solve_cpu\" not implemented for '{type_name(np_dtype(A))}': convert A with .float()"
        )
    matrices_of(op, A, square=True)
    B = matrices_of(op, to_dtype(B, np_dtype(A)), name="B")
    if B.shape[-2 if left else -1] != A.shape[-1]:
        raise incompatible(op, A, B, left)
    same_batch(op, A, B)
    if left:
        return triangular_solution(A, B, bool(upper), bool(unitriangular))
    return turned(triangular_solution(turned(A), turned(B), not upper, bool(unitriangular)))


@composite(
    out=True,
    samples=of(
        lambda make: S(make(3, 2), spaced(3, 3)(make)), lambda make: S(make(3, 2), spaced(3, 3)(make), False, True)
    ),
)
def triangular_solve(b, A, upper=True, transpose=False, unitriangular=False):
    """triangular_solve(b, A, upper=True, transpose=False, unitriangular=False) -> (solution, cloned_coefficient)

    X of ``A @ X = b``, or of ``A.mT @ X = b``, for triangular A; and a copy of A. PyTorch advises
    `linalg.solve_triangular`. (PyTorch: torch.triangular_solve)
    """
    triangle = turned(A) if transpose else A
    upper = bool(upper) != bool(transpose)
    return TRIANGULAR(linalg_solve_triangular(triangle, b, upper=upper, unitriangular=unitriangular), clone(A))


class cholesky_solve(Op):
    """cholesky_solve(B, L, upper=False) -> Tensor

    X of ``A @ X = B``, given the Cholesky factor of A: L, or with upper=True its transpose. B (..., n, k). As in
    PyTorch the gradient of L is that of ``A = L @ L.mT``, for a full L. (PyTorch: torch.cholesky_solve)
    """

    broadcasts = True

    def prepare(B, L, upper=False):
        matrices_of("cholesky_solve", L, square=True)
        matrices_of("cholesky_solve", B, name="B")
        if B.shape[-2] != L.shape[-1]:
            raise incompatible("cholesky_solve", L, B)
        same_batch("cholesky_solve", L, B)
        return B, L, bool(upper)

    def forward(B, L, /, upper):
        across = np.swapaxes(L, -1, -2)
        first, last = (across, L) if upper else (L, across)
        return kernels.triangular(last, kernels.triangular(first, B, False, False), True, False)

    def grad_B(g, L, upper):
        return cholesky_solve(g, L, upper)

    def grad_L(g, L, output, upper):
        inner = matmul(cholesky_solve(g, L, upper), turned(output))
        both = inner + turned(inner)
        return -matmul(L, both) if upper else -matmul(both, L)

    samples = of(
        lambda make: S(make(3, 2), constant(spaced(3, 3)(make))),
        lambda make: S(make(2, 3, 2), constant(spaced(2, 3, 3)(make)), True),
    )


@composite(
    out=True,
    samples=of(lambda make: S(constant(spaced(3, 3)(make))), lambda make: S(constant(spaced(2, 3, 3)(make)), True)),
)
def cholesky_inverse(L, upper=False):
    """cholesky_inverse(L, upper=False) -> Tensor: the inverse of A, given its Cholesky factor as `cholesky_solve`
    takes it. (PyTorch: torch.cholesky_inverse)"""
    matrices_of("cholesky_inverse", L, square=True)
    ones = to_dtype(eye_mask(L.shape[-1]), np_dtype(L))
    return cholesky_solve(expand(ones, tuple(L.shape)), L, upper)
