"""Reductions: sums, products, means, logsumexp, extremes.

`dim` may be an int, a sequence or None (all dimensions); `prepare` turns it into a tuple counted from the front, so
that the rules see one form.  Sums of integers and bools are int64, as in PyTorch.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad import dtypes
from minigrad.kernels import extreme as extreme_kernels
from minigrad.kernels import reduce as kernels
from minigrad.kernels import softmax as softmax_kernels
from minigrad.registry import FUNCTION, METHOD, NOT_GIVEN, Op, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import count, dims_or_all, kept, one_dim, sum_shape


def overload(name):
    """PyTorch's name of a reduction in the graph: <Name>Backward0 over all dimensions, <Name>Backward1 over some."""
    return lambda node: f"{name}Backward{int(len(node.attrs[0]) < len(node.parents[0].shape))}"


def reductions(*extra):
    """Samples every reduction shares: all dimensions, one, a negative one kept, several."""
    return of(
        lambda make: S(make(3, 4)),
        lambda make: S(make(3, 4), 0),
        lambda make: S(make(2, 3, 4), -1, keepdim=True),
        lambda make: S(make(2, 3, 4), (0, 2)),
        lambda make: S(make()),
        *extra,
    )


@helper
def cast_sum(input, dtype):
    """The input in the dtype a sum is computed in: the one asked for, or int64 for integers and bools."""
    if dtype is not None:
        return to_dtype(input, dtypes.as_numpy(dtype))
    return input if np_dtype(input).kind == "f" else to_dtype(input, np.dtype("i8"))


@helper
def cast_float(input, dtype, op):
    """The input in the dtype asked for; a mean of integers needs one."""
    wanted = np_dtype(input) if dtype is None else dtypes.as_numpy(dtype)
    if wanted.kind != "f":
        what = "Input dtype" if dtype is None else "Optional dtype"
        raise RuntimeError(
            f"{op}(): could not infer output dtype. {what} must be either a floating point or complex dtype. "
            f"Got: {dtypes.from_numpy_dtype(wanted)!r} (convert with .float(), or pass a float dtype=)"
        )
    return input if dtype is None else to_dtype(input, wanted)


@helper
def spread(g, input_shape, dims):
    """A reduced gradient (or value) as a view of the input's shape."""
    return expand(reshape(g, kept(input_shape, dims)), input_shape)


class sum(Op):
    """sum(input, dim=None, keepdim=False, *, dtype=None) -> Tensor

    The sum over the dimensions `dim` (int, tuple, or None for all). keepdim: leave them as 1. Integers and bools are
    summed as int64 unless dtype says otherwise. (PyTorch: torch.sum)
    """

    symbol, backward_name = "Σ", overload("Sum")

    def prepare(input, dim=None, keepdim=False, *, dtype=None):
        return cast_sum(input, dtype), dims_or_all(dim, input.ndim, "sum"), keepdim

    def forward(input, /, dim, keepdim):
        total = kernels.sum(input, dim, keepdim)
        return total if total.dtype is input.dtype else total.astype(input.dtype, copy=False)

    def grad_input(g, input_shape, dim):
        return spread(g, input_shape, dim)

    samples = reductions(lambda make: S(make(2, 3, kind="i"), 1), lambda make: S(make(2, 3), dtype="float64"))


class sum_to_size(Op):
    """sum_to_size(input, *size) -> Tensor

    The input summed over the dimensions along which a tensor of shape `size` would be broadcast to it.
    (PyTorch: torch.Tensor.sum_to_size)
    """

    public = (METHOD,)

    def prepare(input, *size):
        if not size:
            raise TypeError("sum_to_size() missing 1 required positional argument: 'size'")
        size = sum_shape(input.shape, size)
        return input if size else cast_sum(input, None), size

    def forward(input, /, size):
        return kernels.sum_to(input, size)

    def grad_input(g, input_shape):
        return expand(g, input_shape)

    samples = of(lambda make: S(make(3, 4), 1, 4), lambda make: S(make(2, 3, 4), (3, 1)))


class mean(Op):
    """mean(input, dim=None, keepdim=False, *, dtype=None) -> Tensor

    The mean over the dimensions `dim` (int, tuple, or None for all); NaN over no elements. Integers need dtype=.
    (PyTorch: torch.mean)
    """

    backward_name = overload("Mean")

    def prepare(input, dim=None, keepdim=False, *, dtype=None):
        return cast_float(input, dtype, "mean"), dims_or_all(dim, input.ndim, "mean"), keepdim

    def forward(input, /, dim, keepdim):
        return kernels.mean(input, dim, keepdim)

    def grad_input(g, input_shape, dim):
        return spread(g / count(input_shape, dim), input_shape, dim)

    samples = reductions(lambda make: S(make(2, 3, kind="i"), 1, dtype="float32"))


@on_every_path("over_all")
def over_all(op, dim, keepdim):
    """Whether a reduction that takes one dimension was given none. PyTorch wants None and a lone keepdim left out."""
    if dim is NOT_GIVEN and keepdim:
        raise TypeError(f"{op}() missing 1 required positional argument: 'dim' (keepdim is for one dimension)")
    return dim is NOT_GIVEN


class prod(Op):
    """prod(input) -> Tensor;  prod(input, dim, keepdim=False, *, dtype=None) -> Tensor

    The product over one dimension, or over all. Integers and bools are multiplied as int64. The gradient is right where
    factors are zero. (PyTorch: torch.prod)
    """

    symbol, backward_name = "Π", overload("Prod")

    def prepare(input, dim=NOT_GIVEN, keepdim=False, *, dtype=None):
        if over_all("prod", dim, keepdim):
            return cast_sum(input, dtype), dims_or_all(None, input.ndim), False
        one_dim(dim, input.ndim, "prod")
        return cast_sum(input, dtype), dims_or_all(dim, input.ndim), keepdim

    def forward(input, /, dim, keepdim):
        return input.prod(axis=dim, keepdims=keepdim, dtype=input.dtype)

    def grad_input(g, input, input_shape, dim):
        return spread(g, input_shape, dim) * prod_of_others(input, dim)

    samples = of(
        lambda make: S(make(3, 4)),
        lambda make: S(make(3, 4), 0),
        lambda make: S(make(2, 3), -1, keepdim=True),
        lambda make: S(np.array([[1.5, 0.0, 2.0], [0.0, 0.0, 3.0]]), 1),
    )


@helper
def prod_of_others(input, dim):
    """For each element the product of the others along `dim`: no division, so zeros are no trouble."""
    if not dim:
        return input * 0.0 + 1.0
    shape = tuple(input.shape)
    rest = tuple([d for d in range(len(shape)) if d not in dim])
    rows = reshape(permute(input, (*rest, *dim)), (count(shape, rest), count(shape, dim)))
    others = product_before(rows, 1) * flip(product_before(flip(rows, (1,)), 1), (1,)) if 0 not in shape else rows
    moved = reshape(others, tuple([shape[d] for d in (*rest, *dim)]))
    order = (*rest, *dim)
    return permute(moved, tuple([order.index(d) for d in range(len(shape))]))


class logsumexp(Op):
    """logsumexp(input, dim, keepdim=False) -> Tensor

    ``log(Σ exp(input))`` over `dim`, without overflow. (PyTorch: torch.logsumexp)
    """

    fresh, alias = True, ("special.logsumexp",)

    def prepare(input, dim, keepdim=False):
        if dim is None:
            raise TypeError("logsumexp(): argument 'dim' must be tuple of ints, not NoneType: () is all dimensions")
        return to_float(input), dims_or_all(dim, input.ndim, "logsumexp"), keepdim

    def forward(input, /, dim, keepdim):
        out = np.array(input)
        for d in np.sort(dim)[::-1].tolist():  # from the last on, so that the others keep their places
            out = softmax_kernels.logsumexp(out, d)
        return out.reshape(kept(input.shape, dim)) if keepdim else out

    def grad_input(g, input, output, input_shape, dim):
        return spread(g, input_shape, dim) * exp(input - spread(output, input_shape, dim))

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), (0, 2), True))


class amax(Op):
    """amax(input, dim=(), keepdim=False) -> Tensor

    The largest value over the dimensions `dim`; equal maxima share the gradient evenly. (PyTorch: torch.amax)
    """

    fresh = True

    def prepare(input, dim=(), keepdim=False):
        dims = dims_or_all(dim, input.ndim, "amax")
        return nonempty(input, "amax", dims, dim not in (None, (), [])), dims, keepdim

    def forward(input, /, dim, keepdim):
        return input.max(axis=dim, keepdims=keepdim)

    def grad_input(g, input, output, input_shape, dim):
        return share(g, input, output, input_shape, dim)

    samples = reductions()


class amin(Op):
    """amin(input, dim=(), keepdim=False) -> Tensor

    The smallest value over the dimensions `dim`; equal minima share the gradient evenly. (PyTorch: torch.amin)
    """

    fresh = True

    def prepare(input, dim=(), keepdim=False):
        dims = dims_or_all(dim, input.ndim, "amin")
        return nonempty(input, "amin", dims, dim not in (None, (), [])), dims, keepdim

    def forward(input, /, dim, keepdim):
        return input.min(axis=dim, keepdims=keepdim)

    def grad_input(g, input, output, input_shape, dim):
        return share(g, input, output, input_shape, dim)

    samples = reductions()


class max_all(amax):
    """The largest of all elements; called by `max`."""

    public, backward_name, samples = (), "MaxBackward1", None

    def prepare(input):
        dims = dims_or_all(None, input.ndim)
        return nonempty(input, "max", dims, False), dims, False

    def forward(input, /, dim, keepdim):
        return extreme_kernels.extreme_of_all(input, 1)

    def grad_input(g, input, output, input_shape, dim):
        return share(g, input, output, input_shape, dim)


class min_all(amin):
    """The smallest of all elements; called by `min`."""

    public, backward_name, samples = (), "MinBackward1", None

    def prepare(input):
        dims = dims_or_all(None, input.ndim)
        return nonempty(input, "min", dims, False), dims, False

    def forward(input, /, dim, keepdim):
        return extreme_kernels.extreme_of_all(input, -1)

    def grad_input(g, input, output, input_shape, dim):
        return share(g, input, output, input_shape, dim)


@composite(
    backward_name="AminmaxBackward0",
    out=True,
    samples=of(
        lambda make: S(make(3, 4)), lambda make: S(make(3, 4), dim=1), lambda make: S(make(2, 3), dim=0, keepdim=True)
    ),
)
def aminmax(input, *, dim=None, keepdim=False):
    """aminmax(input, *, dim=None, keepdim=False) -> (min, max)

    The smallest and the largest value, of all or along one dimension; equal ones share the gradient evenly.
    (PyTorch: torch.aminmax)
    """
    dims = dims_or_all(None, input.ndim) if dim is None else (one_dim(dim, input.ndim, "aminmax"),)
    if dim is None and 0 in input.shape:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no identity: the input has "
            f"shape {list(input.shape)}"
        )
    nonempty(input, "aminmax", dims, True)
    return named_tuple("aminmax", ("min", "max"))(amin(input, dims, keepdim), amax(input, dims, keepdim))


@on_every_path("nonempty")
def nonempty(input, op, dims, named, error=RuntimeError):
    """The input, which must have elements along the dimensions that are reduced; named: the user said which."""
    shape = input.shape
    if 0 not in shape:
        return input
    empty = [d for d in dims if not shape[d]]
    if empty and named:
        raise IndexError(f"{op}(): Expected reduction dim {empty[0]} to have non-zero size.")
    if empty:
        raise error(f"{op}(): Expected reduction dim to be specified for input.numel() == 0. Specify the dim argument.")
    return input


@helper
def share(g, input, output, input_shape, dim):
    """An extreme's gradient, divided evenly among the elements that equal it."""
    extreme = spread(output, input_shape, dim)
    ties = to_dtype((input == extreme) | ((input != input) & (extreme != extreme)), np_dtype(g))
    return ties * spread(g / reshape(sum(ties, dim), output.shape), input_shape, dim)


class all(Op):
    """all(input, dim=None, keepdim=False) -> BoolTensor

    Whether all elements (along `dim`; of each by itself for an empty one) are nonzero. (PyTorch: torch.all)
    """

    def prepare(input, dim=None, keepdim=False):
        return input, () if dim in ((), []) else dims_or_all(dim, input.ndim, "all"), keepdim

    def forward(input, /, dim, keepdim):
        found = input.astype(bool, copy=False).all(axis=dim, keepdims=keepdim)
        # PyTorch keeps this from before it had bools.
        return found.astype(np.uint8) if input.dtype == np.uint8 else found

    samples = of(lambda make: S(make(3, 4, kind="b")), lambda make: S(make(3, 4, kind="b"), 1, True))


class any(Op):
    """any(input, dim=None, keepdim=False) -> BoolTensor

    Whether any element (along `dim`; of each by itself for an empty one) is nonzero. (PyTorch: torch.any)
    """

    def prepare(input, dim=None, keepdim=False):
        return input, () if dim in ((), []) else dims_or_all(dim, input.ndim, "any"), keepdim

    def forward(input, /, dim, keepdim):
        found = input.astype(bool, copy=False).any(axis=dim, keepdims=keepdim)
        return found.astype(np.uint8) if input.dtype == np.uint8 else found

    samples = of(lambda make: S(make(3, 4, kind="b")), lambda make: S(make(3, 4, kind="b"), 1, True))


@composite(public=(METHOD, FUNCTION), samples=of(lambda make: S(make(3, 4, kind="b")), lambda make: S(make(3, 4), 1)))
def count_nonzero(input, dim=None):
    """count_nonzero(input, dim=None) -> LongTensor

    How many elements are not zero, in all or along `dim`. (PyTorch: torch.count_nonzero)
    """
    return sum(input != 0, dim)
