"""Norms of vectors and of matrices, as `minigrad.linalg` has them, and `norm`, the older way to ask for them."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math
import numbers

import numpy as np

from minigrad import dtypes
from minigrad.errors import shape_text
from minigrad.ops.decomposition import spaced
from minigrad.registry import LINALG, TENSORS, Op, composite, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import dims_or_all, kept, one_dim


@on_every_path("norm_dtype")
def norm_dtype(op, input, dtype):
    """The dtype asked for, checked: a float no narrower than the input."""
    kind = np_dtype(input)
    if kind.kind != "f":
        raise RuntimeError(
            f"{op}: Expected a floating point or complex tensor as input. Got {TENSORS['type_name'](kind)}: convert it "
            "with .float()"
        )
    if dtype is None:
        return kind
    wanted = dtypes.as_numpy(dtype)
    if wanted.kind != "f":
        raise RuntimeError(f"{op}: dtype should be floating point or complex, but got {TENSORS['type_name'](wanted)}")
    if wanted.itemsize < kind.itemsize:
        raise RuntimeError(
            f"{op}: the dtype of the input ({TENSORS['type_name'](kind)}) should be convertible without narrowing to "
            f"the specified dtype ({TENSORS['type_name'](wanted)})"
        )
    return wanted


class linalg_vector_norm(Op):
    """linalg.vector_norm(x, ord=2, dim=None, keepdim=False, *, dtype=None) -> Tensor

    ``(Σ |x|^ord)^(1/ord)`` over `dim` (int, tuple, or None for all); ord inf and -inf: the largest and smallest
    absolute value; 0: how many are not zero. Its gradient where the norm is zero is zero.
    (PyTorch: torch.linalg.vector_norm)
    """

    public, fresh, wide_half, backward_name = (LINALG,), True, True, "LinalgVectorNormBackward0"

    def prepare(x, ord=2, dim=None, keepdim=False, *, dtype=None):
        op = "linalg.vector_norm"
        wanted = norm_dtype(op, x, dtype)
        if not isinstance(ord, numbers.Number):
            raise TypeError(
                f"linalg_vector_norm(): argument 'ord' (position 2) must be Number, not {type(ord).__name__}"
            )
        dims = dims_or_all(dim, x.ndim, op)
        if ord < 0 or ord == math.inf:
            without_identity(op, x, ord, dims, dim)
        return to_dtype(x, wanted) if np_dtype(x) != wanted else x, float(ord), dims, bool(keepdim)

    def forward(input, /, ord, dim, keepdim):
        if ord == 0:
            return (input != 0).astype(input.dtype).sum(axis=dim, keepdims=keepdim)
        single = math.prod([input.shape[d] for d in dim]) == 1  # its power may overflow, where it does not
        if ord == 2 and not single:
            return np.sqrt(np.square(input).sum(axis=dim, keepdims=keepdim))
        size = np.abs(input)
        if ord == 1:
            return size.sum(axis=dim, keepdims=keepdim)
        if ord == np.inf or single:
            return size.max(axis=dim, keepdims=keepdim)
        if ord == -np.inf:
            return size.min(axis=dim, keepdims=keepdim)
        total = np.power(size, input.dtype.type(ord)).sum(axis=dim, keepdims=keepdim)
        return np.power(total, input.dtype.type(1 / ord))

    def grad_input(g, input, output, input_shape, ord, dim):
        if ord == 0:
            return zeros_of(input_shape, np_dtype(g))
        along = spread(g, input_shape, dim)
        if ord == 1:
            return along * sign(input)
        length = spread(output, input_shape, dim)
        if ord == 2:
            return along * where(length == 0, 0.0, input / length)
        if ord in (math.inf, -math.inf):
            return share(g, abs(input), output, input_shape, dim) * sign(input)
        if ord < 1:
            steep = where(input == 0, 0.0, abs(input) ** (ord - 1.0))
            return along * sign(input) * steep * length ** (1.0 - ord)
        steep = sign(input) * abs(input) ** (ord - 1.0) if ord < 2 else input * abs(input) ** (ord - 2.0)
        return steep * spread(where(output == 0, 0.0, g / output ** (ord - 1.0)), input_shape, dim)

    samples = of(
        lambda make: S(make(3, 4)),
        lambda make: S(make(3, 4), 3, 1, True),
        lambda make: S(make(3, 4), 1, (0, 1)),
        lambda make: S(make(2, 3, 4), math.inf, -1),
        lambda make: S(make(3, 4), -math.inf),
        lambda make: S(make(3, 4), -1.5, 0),
        lambda make: S(make(3, 4), 0.5, dtype="float64"),
        lambda make: S(make(), 2),
    )


def without_identity(op, input, ord, dims, dim):
    """An extreme of nothing is refused."""
    if input.ndim and 0 in [input.shape[d] for d in dims]:
        raise RuntimeError(
            f"{op} cannot compute the {ord} norm on an empty "
            f"{'tensor' if dim is None else 'dimension'} because the operation does not have an identity"
        )


@on_every_path("matrix_dims")
def matrix_dims(op, dim, ndim):
    """Two different dimensions."""
    if not isinstance(dim, tuple | list) or not all(hasattr(d, "__index__") for d in dim):
        raise TypeError(f"{op}(): argument 'dim' must be tuple of ints, not {dim!r}")
    if len(dim) != 2:
        raise RuntimeError(f"linalg.matrix_norm: dim must be a 2-tuple. Got {', '.join(map(str, dim))}")
    first, second = one_dim(dim[0], ndim, op), one_dim(dim[1], ndim, op)
    if first == second:
        raise RuntimeError(f"linalg.matrix_norm: dims must be different. Got ({dim[0]}, {dim[1]})")
    return first, second


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(spaced(3, 4)(make)),
        lambda make: S(spaced(2, 3, 3)(make), "nuc"),
        lambda make: S(spaced(2, 4, 3)(make), 2, keepdim=True),
        lambda make: S(spaced(3, 3)(make), -2, (1, 0)),
        lambda make: S(spaced(3, 4)(make), 1),
        lambda make: S(spaced(2, 3, 4)(make), -math.inf, (0, 2), dtype="float64"),
    ),
)
def linalg_matrix_norm(A, ord="fro", dim=(-2, -1), keepdim=False, *, dtype=None):
    """linalg.matrix_norm(A, ord='fro', dim=(-2, -1), keepdim=False, *, dtype=None) -> Tensor

    Of the matrices along two dimensions. ord: "fro", the root of the sum of squares; "nuc", the sum of the singular
    values; 2 and -2, the largest and smallest singular value; 1 and -1, the largest and smallest column sum of absolute
    values; inf and -inf, row sum. (PyTorch: torch.linalg.matrix_norm)
    """
    op = "linalg.matrix_norm"
    known = ord in ("fro", "nuc") if isinstance(ord, str) else builtin_abs(ord) in (1, 2, math.inf)
    if not known:
        raise RuntimeError(f"{op}: Order {ord} not supported.")
    if A.ndim < 2:
        raise RuntimeError(f"{op}: The input tensor A must have at least 2 dimensions.")
    wanted = norm_dtype(op, A, dtype)
    A = A if np_dtype(A) == wanted else to_dtype(A, wanted)
    first, second = matrix_dims("linalg_matrix_norm", dim, A.ndim)
    if ord == "fro":
        return linalg_vector_norm(A, 2, (first, second), keepdim)
    if ord in ("nuc", 2, -2):
        rest = [d for d in range(A.ndim) if d not in (first, second)]
        sizes = linalg_svdvals(permute(A, (*rest, first, second)))
        out = sum(sizes, -1) if ord == "nuc" else amax(sizes, -1) if ord == 2 else amin(sizes, -1)
        return reshape(out, kept(A.shape, (first, second))) if keepdim else out
    along, across = (first, second) if ord in (1, -1) else (second, first)
    sums = linalg_vector_norm(A, 1, along, True)
    extreme = amax if ord > 0 else amin
    out = extreme(sums, across, True)
    return out if keepdim else squeeze(out, (first, second))


@composite(
    out=True,
    public=(LINALG,),
    samples=of(
        lambda make: S(make(2, 3, 4)),
        lambda make: S(spaced(3, 4)(make), "nuc"),
        lambda make: S(spaced(3, 4)(make), 2),
        lambda make: S(make(3, 4), 3, 1),
        lambda make: S(make(3, 4), math.inf, (0, 1), True),
    ),
)
def linalg_norm(A, ord=None, dim=None, keepdim=False, *, dtype=None):
    """linalg.norm(A, ord=None, dim=None, keepdim=False, *, dtype=None) -> Tensor

    `linalg.matrix_norm` for two dimensions, and `linalg.vector_norm` for one; without ord the 2-norm of all numbers
    along `dim`. (PyTorch: torch.linalg.norm)
    """
    if dim is not None:
        dim = tuple(dim) if isinstance(dim, tuple | list) else (dim,)
        if len(dim) not in (1, 2):
            raise RuntimeError(f"linalg.norm: If dim is specified, it must be of length 1 or 2. Got {shape_text(dim)}")
    elif ord is not None and A.ndim not in (1, 2):
        raise RuntimeError(
            f"linalg.norm: If dim is not specified but ord is, the input must be 1D or 2D. Got {A.ndim}D."
        )
    if ord is None:
        return linalg_vector_norm(A, 2, dim, keepdim, dtype=dtype)
    if isinstance(ord, str) or (A.ndim == 2 if dim is None else len(dim) == 2):
        return linalg_matrix_norm(A, ord, (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return linalg_vector_norm(A, ord, dim, keepdim, dtype=dtype)


@composite(
    out=True,
    samples=of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 1, 1), lambda make: S(make(3, 4), 2, 0, True)),
)
def norm(input, p="fro", dim=None, keepdim=False, dtype=None):
    """norm(input, p="fro", dim=None, keepdim=False, dtype=None) -> Tensor

    ``(Σ |input|^p)^(1/p)`` over `dim` (all dimensions by default); p may be 0 (how many are not zero), inf, -inf,
    "fro" (2), or "nuc": the sum of the singular values of matrices. (PyTorch: torch.norm)
    """
    if isinstance(p, str) and p not in ("fro", "nuc"):
        raise RuntimeError(f"norm(): order {p!r} not supported: expected a number, inf, -inf, 'fro' or 'nuc'")
    if p == "nuc":
        return linalg_matrix_norm(input, "nuc", (-2, -1) if dim is None else dim, keepdim, dtype=dtype)
    return linalg_vector_norm(input, 2.0 if p in ("fro", None) else p, dim, keepdim, dtype=dtype)
