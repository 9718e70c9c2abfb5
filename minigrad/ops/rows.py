"""Whole slices of one dimension by number (index_select and its kind), and elements by their number in memory order
(take, put)."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import indexing as kernels
from minigrad.ops.gather import lined
from minigrad.registry import IN_PLACE, TENSORS, Op, composite, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import one_dim


def kind_of(values):
    """PyTorch's name of a dtype."""
    return TENSORS["type_name"](np_dtype(values))


def index_vector(op, index, dtypes=("i4", "i8")):
    """The index as a vector, its dtype checked."""
    if index.dtype not in [np.dtype(kind) for kind in dtypes]:
        wanted = "int32/int64" if len(dtypes) > 1 else "int64 (a long tensor)"
        raise RuntimeError(f"{op}(): Expected dtype {wanted} for index but got: {kind_of(index)}")
    if index.ndim > 1:
        raise IndexError(f"{op}(): Index is supposed to be a vector, but got dim: {index.ndim}")
    return lined(index)


def rows_of(op, index, size, dim, dtypes=("i4", "i8"), error=RuntimeError, negative=False):
    """The index as a vector of numbers of slices, checked."""
    index = index_vector(op, index, dtypes)
    if index.size and (index.min() < (-size if negative else 0) or index.max() >= size):
        wrong = index.min() if index.min() < 0 else index.max()
        raise error(f"{op}(): index {wrong} is out of bounds for dimension {dim} with size {size}")
    return index


class index_select(Op):
    """index_select(input, dim, index) -> Tensor

    The slices of dimension `dim` that the 1-D int64 tensor index names, in its order. (PyTorch: torch.index_select)
    """

    fresh = True

    def prepare(input, dim, index):
        return input, index, one_dim(dim, input.ndim, "index_select")

    def forward(input, index, /, dim):
        if not input.ndim and index.size != 1:
            raise RuntimeError(f"index_select(): Index to scalar can have only 1 value, got {index.size} value(s)")
        whole = lined(input)
        try:
            out = kernels.take(whole, index_vector("index_select", index), dim, False)
        except IndexError:
            rows_of("index_select", index, whole.shape[dim], dim, error=IndexError)
            raise
        return out if input.ndim else out.reshape(())

    def grad_input(g, index, input_shape, dim):
        return index_add(zeros_of(input_shape, np_dtype(g)), dim, index, g)

    samples = of(
        lambda make: S(make(3, 4), 0, np.array([2, 0, 2])),
        lambda make: S(make(3, 4), -1, np.array([1, 3])),
        lambda make: S(make(), 0, np.array([0])),
    )


def check_slices(op, input, index, source, dim):
    """index_add: the source has the input's shape but in `dim`, where it has one slice for each index."""
    a, b = lined(input), lined(source)
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"{op}_(): self ({kind_of(a)}) and source ({kind_of(b)}) must have the same scalar type: convert one with "
            ".to()"
        )
    if input.ndim != source.ndim or any(
        n != m for d, (n, m) in enumerate(zip(a.shape, b.shape, strict=True)) if d != dim
    ):
        raise RuntimeError(
            f"{op}(): source tensor shape must match self tensor shape, excluding the specified dimension. Got "
            f"self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
        )
    if index.size != b.shape[dim]:
        raise RuntimeError(
            f"{op}_(): Number of indices ({index.size}) should be equal to source.size(dim): ({b.shape[dim]}), for "
            f"dim: {dim}"
        )


class index_add(Op):
    """index_add(input, dim, index, source, *, alpha=1) -> Tensor

    The input with alpha times the slices of source added to those of dimension `dim` that index names.
    (PyTorch: torch.index_add)
    """

    public = IN_PLACE

    def prepare(input, dim, index, source, *, alpha=1):
        return input, index, scaled(source, alpha), one_dim(dim, input.ndim, "index_add")

    def forward(input, index, source, /, dim):
        out = np.array(input)
        error = RuntimeError if input.ndim > 1 else IndexError
        rows = rows_of("index_add", index, lined(out).shape[dim], dim, error=error)
        check_slices("index_add", input, rows, source, dim)
        kernels.index_add(lined(out), rows, lined(source), dim)
        return out

    def grad_input(g):
        return g

    def grad_source(g, index, source_shape, dim):
        return reshape(index_select(g, dim, index), source_shape)

    samples = of(
        lambda make: S(make(3, 4), 0, np.array([2, 0, 2]), make(3, 4)),
        lambda make: S(make(3, 4), 1, np.array([2, 0]), make(3, 2), alpha=2),
    )


@on_every_path("scaled")
def scaled(source, alpha):
    """alpha times the source, in the source's dtype."""
    if alpha == 1:
        return source
    kind = np_dtype(source).kind
    TENSORS["check_fits"](np_dtype(source), alpha)
    return source & bool(alpha) if kind == "b" else source * (int(alpha) if kind in "iu" else alpha)


class index_copy(Op):
    """index_copy(input, dim, index, source) -> Tensor

    The input with the slices of source written to those of dimension `dim` that index names.
    (PyTorch: torch.index_copy)
    """

    public = IN_PLACE

    def prepare(input, dim, index, source):
        return input, index, source, one_dim(dim, input.ndim, "index_copy")

    def forward(input, index, source, /, dim):
        out = np.array(input)
        whole, new = lined(out), lined(source)
        if source.dtype != input.dtype:
            raise RuntimeError(
                f"index_copy_(): self and source expected to have the same dtype, but got (self) {kind_of(input)} and "
                f"(source) {kind_of(source)}"
            )
        if input.ndim and source.ndim and input.ndim != source.ndim:
            raise IndexError(
                "index_copy_(): When source and destination are not scalars, their dimensionality must match. Source "
                f"dimensionality ({source.ndim}), destination dimensionality ({input.ndim})"
            )
        rest = [[n for d, n in enumerate(a.shape) if d != dim] for a in (whole, new)]
        if rest[0] != rest[1] and source.ndim:
            raise RuntimeError(
                "index_copy_(): Source/destination tensor must have same slice shapes. Destination slice shape: "
                f"{rest[0]} at dimension {dim} and source slice shape: {rest[1]} at dimension {dim}."
            )
        rows = rows_of("index_copy", index, whole.shape[dim], dim, ("i8",), IndexError)
        if rows.size != new.shape[dim if source.ndim else 0]:
            raise IndexError(
                f"index_copy_(): Number of indices ({rows.size}) should be equal to source.size(dim) "
                f"({new.shape[dim if source.ndim else 0]})"
            )
        if source.ndim or whole.ndim == 1:
            whole[(*(slice(None),) * dim, rows)] = new
        else:
            raise RuntimeError(
                "index_copy_(): Source/destination tensor must have same slice shapes: the source is 0-dim, the "
                f"destination {shape_text(input.shape)}"
            )
        return out

    def grad_input(g, index, dim):
        return index_fill(g, dim, index, 0.0)

    def grad_source(g, index, source_shape, dim):
        return reshape(index_select(g, dim, index), source_shape)

    samples = of(
        lambda make: S(make(3, 4), 0, np.array([2, 0]), make(2, 4)),
        lambda make: S(make(3, 4), -1, np.array([3]), make(3, 1)),
    )


class index_fill(Op):
    """index_fill(input, dim, index, value) -> Tensor

    The input with a number (or 0-dim tensor) in the slices of dimension `dim` that index names.
    (PyTorch: torch.index_fill)
    """

    public, keeps_layout = IN_PLACE, True

    def prepare(input, dim, index, value):
        if getattr(value, "ndim", 0):
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value.ndim} dimension(s)."
            )
        return input, index, filler(input, as_real(value)), one_dim(dim, input.ndim, "index_fill")

    def forward(input, index, value, /, dim):
        if index.dtype != np.dtype("i8"):
            raise IndexError(f"index_fill_(): Expected dtype int64 for index, but got {kind_of(index)}")
        if index.ndim > 1:
            raise RuntimeError(f"index_fill(): Index has to be a vector/scalar, but got dim: {index.ndim}")
        out = np.array(input)
        whole = lined(out)
        rows = rows_of("index_fill", index, whole.shape[dim], dim, error=IndexError, negative=True)
        whole[(*(slice(None),) * dim, rows)] = value
        return out

    def grad_input(g, index, dim):
        return index_fill(g, dim, index, 0.0)

    def grad_value(g, index, dim):
        return sum(index_select(g, dim, distinct_rows(index, g.shape[dim] if g.ndim else 1)))

    samples = of(
        lambda make: S(make(3, 4), 0, np.array([2, 0, 2]), 1.5),
        lambda make: S(make(3, 4), 1, np.array([3]), make()),
    )


@on_every_path("distinct_rows")
def distinct_rows(index, size):
    """Each index once, counted from the front."""
    found = np.unique(getattr(index, "array", index) % max(size, 1))
    return TENSORS["wrap"](found) if hasattr(index, "array") else found


REDUCTIONS = ("prod", "mean", "amax", "amin")


@composite(
    out=True,
    public=IN_PLACE,
    samples=of(
        lambda make: S(make(3, 4), 0, np.array([2, 0, 2]), make(3, 4), "prod"),
        lambda make: S(make(3, 4), 1, np.array([3, 3]), make(3, 2), "amax", include_self=False),
    ),
)
def index_reduce(input, dim, index, source, reduce, *, include_self=True):
    """index_reduce(input, dim, index, source, reduce, *, include_self=True) -> Tensor

    The slices of source that go to one slice of dimension `dim`, as index names it, reduced as `scatter_reduce` does:
    reduce is "prod", "mean", "amax" or "amin". (PyTorch: torch.index_reduce)
    """
    if reduce not in REDUCTIONS:
        raise RuntimeError(f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got {reduce}.")
    dim = one_dim(dim, input.ndim, "index_reduce")
    slices_fit("index_reduce", input, index, source, dim)
    if np_dtype(input).kind == "b" and (reduce == "mean" or not include_self or input.ndim < 2):
        raise NotImplementedError("\"index_reduce\" not implemented for 'Bool': convert the input with .to()")
    if not source.ndim:
        return scatter_reduce(input, dim, reshape(index, ()), source, reduce, include_self=include_self)
    spread_index = expand(reshape(index, [-1 if d == dim else 1 for d in range(source.ndim)]), tuple(source.shape))
    spread_index = to_dtype(spread_index, np.dtype("i8"))
    return scatter_reduce(input, dim, spread_index, source, reduce, include_self=include_self)


@on_every_path("slices_fit")
def slices_fit(op, input, index, source, dim):
    given = [getattr(t, "array", t) for t in (input, index, source)]
    size = lined(given[0]).shape[dim]
    check_slices(op, given[0], rows_of(op, given[1], size, dim), given[2], dim)


# ---- by number in memory order


def numbers_of(op, index, size):
    """The index, checked: elements may be counted from the end."""
    if index.dtype != np.dtype("i8"):
        raise RuntimeError(f"{op}(): Expected a long tensor for index, but got {kind_of(index)}")
    if index.size and not size:
        raise IndexError(f"{op}(): tried to {op} from an empty tensor")
    if index.size and (index.min() < -size or index.max() >= size):
        wrong = index.min() if index.min() < -size else index.max()
        raise IndexError(f"out of range: tried to access index {wrong} on a tensor of {size} elements.")
    return index


class take(Op):
    """take(input, index) -> Tensor

    The elements of the flattened input that index (int64, any shape) names; the output has its shape.
    (PyTorch: torch.take)
    """

    def forward(input, index, /):
        return input.reshape(-1)[numbers_of("take", index, input.size)]

    def grad_input(g, index, input_shape):
        return put(zeros_of(input_shape, np_dtype(g)), index, g, True)

    samples = of(
        lambda make: S(make(3, 4), np.array([[5, 0], [-1, 5]])),
        lambda make: S(make(3), np.array(2)),
    )


class put(Op):
    """put(input, index, source, accumulate=False) -> Tensor

    The input with the elements of source written (accumulate: added) at the numbers that index names, as `take` counts
    them. (PyTorch: torch.put)
    """

    public = IN_PLACE

    def prepare(input, index, source, accumulate=False):
        return input, index, source, bool(accumulate)

    def forward(input, index, source, /, accumulate):
        numbers = numbers_of("put_", index, input.size).reshape(-1)
        if source.dtype != input.dtype:
            raise RuntimeError(
                "put_(): self and source expected to have the same dtype, but got self.dtype = "
                f"{kind_of(input)} and source.dtype = {kind_of(source)}"
            )
        if source.size != index.size:
            raise IndexError(
                "put_(): Expected source and index to have the same number of elements, but got source.numel() = "
                f"{source.size}, index.numel() = {index.size}"
            )
        out = np.array(input, order="C")
        if accumulate:
            kernels.scatter_add_rows(out.reshape(-1), numbers, source.reshape(-1))
        else:
            out.reshape(-1)[numbers] = source.reshape(-1)
        return out

    def grad_input(g, index, accumulate):
        return g if accumulate else put(g, index, zeros_of(index.shape, np_dtype(g)))

    def grad_source(g, index, source_shape):
        return reshape(take(g, index), source_shape)

    samples = of(
        lambda make: S(make(3, 4), np.array([5, 0]), make(2)),
        lambda make: S(make(3, 4), np.array([[5, 5]]), make(1, 2), True),
    )
