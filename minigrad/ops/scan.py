"""Scans: running sums, products, extremes and logsumexps, differences, and the trapezoidal rule.

The derivative of a running product is a recurrence ``r[i] = input[i] + factor[i] * r[i - 1]``; as an op of its own, it
divides by nothing (zeros are no trouble) and its derivatives are recurrences again.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.kernels import scan as kernels
from minigrad.registry import FUNCTION, Op, composite, helper, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim

SCANS = of(lambda make: S(make(3, 4), 0), lambda make: S(make(2, 3, 4), -2), lambda make: S(make(), 0))


@helper
def cast_scan(input, dtype, op):
    """The input in the dtype a running sum or product is computed in; there is none of bools."""
    input = cast_sum(input, dtype)
    if np_dtype(input).kind == "b" and input.ndim and 0 not in input.shape:
        raise NotImplementedError(f"\"{op}_out_cpu\" not implemented for 'Bool': pass an integer dtype")
    return input


def run(scan, input, dim):
    """NumPy's running sum or product in the input's dtype; half precision is added up in single."""
    if not input.ndim:
        return input.copy()
    wide = np.float32 if input.dtype == np.float16 else input.dtype
    return scan(input, axis=dim, dtype=wide).astype(input.dtype, copy=False)


class cumsum(Op):
    """cumsum(input, dim, *, dtype=None) -> Tensor

    The running sum along `dim`. Integers and bools are summed as int64 unless dtype says otherwise.
    (PyTorch: torch.cumsum)
    """

    fresh = True

    def prepare(input, dim, *, dtype=None):
        return cast_scan(input, dtype, "cumsum"), one_dim(dim, input.ndim, "cumsum")

    def forward(input, /, dim):
        return run(np.cumsum, input, dim)

    def grad_input(g, dim):
        return flip(cumsum(flip(g, (dim,)), dim), (dim,)) if g.ndim else clone(g)

    samples = SCANS


class cumprod(Op):
    """cumprod(input, dim, *, dtype=None) -> Tensor

    The running product along `dim`; its gradient is right where factors are zero. Integers and bools are multiplied as
    int64 unless dtype says otherwise. (PyTorch: torch.cumprod)
    """

    fresh = True

    def prepare(input, dim, *, dtype=None):
        return cast_scan(input, dtype, "cumprod"), one_dim(dim, input.ndim, "cumprod")

    def forward(input, /, dim):
        return run(np.cumprod, input, dim)

    def grad_input(g, input, dim):
        if not input.ndim or not input.shape[dim]:
            return clone(g)
        after = narrow(input, dim, 1, input.shape[dim] - 1)
        later = flip(recurrence(flip(g, (dim,)), flip(shifted(after, dim, False), (dim,)), dim), (dim,))
        return later * product_before(input, dim)

    samples = of(
        lambda make: S(make(3, 4), 0),
        lambda make: S(make(2, 3, 4), -2),
        lambda make: S(make(), 0),
        lambda make: S(np.array([[1.5, 0.0, 2.0, -1.0], [0.0, 3.0, 0.0, 3.0]]), 1),
    )


@helper
def shifted(input, dim, front):
    """The input with a one put before it or after it along `dim`."""
    shape = tuple([1 if d == dim else n for d, n in enumerate(input.shape)])
    one = zeros_of(shape, np_dtype(input)) + 1
    return cat([one, input] if front else [input, one], dim)


@helper
def product_before(input, dim):
    """For each element the product of those before it along `dim`."""
    return shifted(cumprod(narrow(input, dim, 0, input.shape[dim] - 1), dim), dim, True)


class recurrence(Op):
    """``r[i] = input[i] + factor[i] * r[i - 1]`` along `dim`: what the gradients of cumprod and logcumsumexp sum up."""

    public, fresh = (), True

    def forward(input, factor, /, dim):
        return kernels.recurrence(input, factor, dim)

    def grad_input(g, factor, dim):
        return recurrence_back(g, factor, dim)

    def grad_factor(g, factor, output, dim):
        before = narrow(output, dim, 0, output.shape[dim] - 1)
        return recurrence_back(g, factor, dim) * pad_zeros(before, tuple(output.shape), dim, 1)


@helper
def recurrence_back(g, factor, dim):
    """The same recurrence from the other end: what reaches each element from all that came after it."""
    after = narrow(factor, dim, 1, factor.shape[dim] - 1)
    following = pad_zeros(after, tuple(factor.shape), dim, 0)
    return flip(recurrence(flip(g, (dim,)), flip(following, (dim,)), dim), (dim,))


class logcumsumexp(Op):
    """logcumsumexp(input, dim) -> Tensor

    ``log(Σ exp(input))`` of each element and those before it along `dim`, without overflow.
    (PyTorch: torch.logcumsumexp)
    """

    fresh = True

    def prepare(input, dim):
        if np_dtype(input).kind != "f":
            kind = type_name(np_dtype(input))
            raise NotImplementedError(f"\"logcumsumexp_out_cpu\" not implemented for '{kind}': convert with .float()")
        return input, one_dim(dim, input.ndim, "logcumsumexp")

    def forward(input, /, dim):
        return np.logaddexp.accumulate(input, axis=dim) if input.ndim else input.copy()

    def grad_input(g, input, output, dim):
        if not input.ndim or not input.shape[dim]:
            return clone(g)
        size = input.shape[dim]
        step = decay(narrow(output, dim, 0, size - 1), narrow(output, dim, 1, size - 1))
        later = flip(recurrence(flip(g, (dim,)), flip(shifted(step, dim, False), (dim,)), dim), (dim,))
        return later * decay(input, output)

    samples = SCANS


@helper
def decay(input, other):
    """``exp(input - other)`` for input <= other; 0 where both are -inf."""
    nothing = other == -float("inf")
    return where(nothing, 0.0, exp(input - where(nothing, 0.0, other)))


class cummax(Op):
    """cummax(input, dim) -> (values, indices)

    The largest so far along `dim`, and where (the last of equal ones); NaN is larger than all. (PyTorch: torch.cummax)
    """

    nout, aux, result = 2, ("indices",), "cummax"

    def prepare(input, dim):
        return input, one_dim(dim, input.ndim, "cummax")

    def forward(input, /, dim):
        return running_extreme(np.maximum, input, dim)

    def grad_input(g, indices, input_shape, dim):
        return put_along(g, indices, input_shape, dim, True)

    samples = SCANS


class cummin(Op):
    """cummin(input, dim) -> (values, indices)

    The smallest so far along `dim`, and where (the last of equal ones); NaN is smaller than all.
    (PyTorch: torch.cummin)
    """

    nout, aux, result = 2, ("indices",), "cummin"

    def prepare(input, dim):
        return input, one_dim(dim, input.ndim, "cummin")

    def forward(input, /, dim):
        return running_extreme(np.minimum, input, dim)

    def grad_input(g, indices, input_shape, dim):
        return put_along(g, indices, input_shape, dim, True)

    samples = SCANS


def running_extreme(extreme, input, dim):
    """The running extreme, and where it was last met: at each element that equals it, or is NaN as it is."""
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    values = extreme.accumulate(input, axis=dim)
    number = np.arange(input.shape[dim]).reshape([-1 if d == dim else 1 for d in range(input.ndim)])
    met = np.where((input == values) | (input != input), number, 0)
    return values, np.maximum.accumulate(met, axis=dim)


@composite(
    out=True,
    samples=of(
        lambda make: S(make(3, 4)),
        lambda make: S(make(3, 4), 2, 0),
        lambda make: S(make(3, 4), 1, -1, make(3, 2), make(3, 1)),
        lambda make: S(make(5, kind="b")),
    ),
)
def diff(input, n=1, dim=-1, prepend=None, append=None):
    """diff(input, n=1, dim=-1, prepend=None, append=None) -> Tensor

    The differences of neighbours along `dim`, taken n times; of bools, whether they differ. prepend, append: put before
    and after the input first. (PyTorch: torch.diff)
    """
    if not input.ndim:
        raise RuntimeError("diff expects input to be at least one-dimensional: got a 0-dim tensor")
    times = index_of(n, "diff", "n")
    if times < 0:
        raise RuntimeError(f"order must be non-negative but got {times} in diff()")
    parts = [part for part in (prepend, input, append) if part is not None]
    dim = index_of(dim, "diff", "dim")
    dim = one_dim(dim, input.ndim) if times or len(parts) > 1 else 0
    for part in parts:
        check_neighbour(part.shape, input.shape, dim)
    if not times:
        return clone(input)
    out = input if len(parts) == 1 else cat(parts, dim)
    if times >= out.shape[dim]:
        return clone(narrow(out, dim, 0, 0))
    for _ in range(times):
        size = out.shape[dim] - 1
        later, earlier = narrow(out, dim, 1, size), narrow(out, dim, 0, size)
        out = logical_xor(later, earlier) if np_dtype(out).kind == "b" else later - earlier
    return out


@on_every_path("check_neighbour")
def check_neighbour(shape, wanted, dim):
    """A prepend or append of `diff` has the input's shape, except along `dim`."""
    if len(shape) != len(wanted):
        raise RuntimeError(
            f"diff expects prepend or append to be the same dimension as input: got {len(shape)}-D and {len(wanted)}-D"
        )
    for d, (m, size) in enumerate(zip(shape, wanted, strict=True)):
        if d != dim and m != size:
            raise RuntimeError(
                f"diff expects the shape of tensor to prepend or append to match that of input except along the "
                f"differencing dimension; input.size({d}) = {size}, but got tensor.size({d}) = {m}"
            )


TRAPEZOIDS = of(
    lambda make: S(make(3, 4)),
    lambda make: S(make(3, 4), make(4)),
    lambda make: S(make(3, 4), dx=0.5, dim=0),
    lambda make: S(make(3, 4), make(3, 4), dim=0),
)


@helper
def trapezoids(values, places, dx, dim, op):
    """The areas between neighbours along `dim`, and the dimension counted from the front."""
    if np_dtype(values).kind == "b":
        raise RuntimeError(f"{op}: received a bool input for `y`, but bool is not supported")
    if places is not None and np_dtype(places).kind == "b":
        raise RuntimeError(f"{op}: received a bool input for `x`, but bool is not supported")
    if not values.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions in {op}()")
    dim = one_dim(dim, values.ndim, op)
    size = values.shape[dim]
    if not size:
        return zeros_of(tuple(values.shape), np_dtype(values)), dim
    both = narrow(values, dim, 0, size - 1) + narrow(values, dim, 1, size - 1)
    if places is None:
        return both * (dx / 2.0), dim
    if places.ndim == 1:
        if places.shape[0] != size:
            raise RuntimeError(
                f"{op}: There must be one `x` value for each sample point: got {places.shape[0]} for {size} points"
            )
        places = reshape(places, tuple([size if d == dim else 1 for d in range(values.ndim)]))
    elif places.ndim < values.ndim:
        places = reshape(places, (*(1,) * (values.ndim - places.ndim), *places.shape))
    count = places.shape[dim] - 1
    widths = narrow(places, dim, 1, count) - narrow(places, dim, 0, count)
    return both * widths / 2.0, dim


@composite(public=(FUNCTION,), alias=("trapz",), samples=TRAPEZOIDS)
def trapezoid(y, x=None, *, dx=1, dim=-1):
    """trapezoid(y, x=None, *, dx=1, dim=-1) -> Tensor

    The integral of y along `dim` by the trapezoidal rule, at the places x or with the spacing dx.
    (PyTorch: torch.trapezoid)
    """
    areas, dim = trapezoids(y, x, dx, dim, "trapezoid")
    return sum(areas, dim, dtype=areas.dtype)


@composite(public=(FUNCTION,), samples=TRAPEZOIDS)
def cumulative_trapezoid(y, x=None, *, dx=1, dim=-1):
    """cumulative_trapezoid(y, x=None, *, dx=1, dim=-1) -> Tensor

    The running integral of y along `dim` by the trapezoidal rule, one shorter than y.
    (PyTorch: torch.cumulative_trapezoid)
    """
    areas, dim = trapezoids(y, x, dx, dim, "cumulative_trapezoid")
    return cumsum(to_float(areas), dim)
