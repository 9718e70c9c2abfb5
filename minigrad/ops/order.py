"""Order: the largest and the smallest and where they are, sorting, the k-th, the median, the most frequent.

All say where their values came from, and the gradient goes back there.  Of equal elements they name the one that
PyTorch names (`kernels/select.py`).
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.kernels import extreme as extreme_kernels
from minigrad.kernels import indexing
from minigrad.kernels import select as kernels
from minigrad.ops.reduce import nonempty
from minigrad.registry import FUNCTION, METHOD, NOT_GIVEN, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim

LONGEST = 1 << 15  # the most elements whose ties `sort` puts in PyTorch's order (which, too, changes its way there)


class max_dim(Op):
    """max(input, dim, keepdim=False) -> (values, indices): the largest along one dimension, and where (the first)."""

    public, nout, aux, result, backward_name = (), 2, ("indices",), "max", "MaxBackward0"

    def prepare(input, dim, keepdim=False):
        return input, one_dim(dim, input.ndim, "max"), keepdim

    def forward(input, /, dim, keepdim):
        return extreme(nonempty(input, "max", (dim,), True), dim, keepdim, 1)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), 0, True), lambda make: S(make(), 0))


class min_dim(Op):
    """min(input, dim, keepdim=False) -> (values, indices): the smallest along one dimension, and where (the first)."""

    public, nout, aux, result, backward_name = (), 2, ("indices",), "min", "MinBackward0"

    def prepare(input, dim, keepdim=False):
        return input, one_dim(dim, input.ndim, "min"), keepdim

    def forward(input, /, dim, keepdim):
        return extreme(nonempty(input, "min", (dim,), True), dim, keepdim, -1)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), 0, True), lambda make: S(make(), 0))


def extreme(input, dim, keepdim, sign):
    """The largest (sign 1) or smallest (-1) along a dimension, and its places."""
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    values, places = extreme_kernels.extreme(input, dim, sign)
    return (np.expand_dims(values, dim), np.expand_dims(places, dim)) if keepdim else (values, places)


@helper
def put_along(g, indices, input_shape, dim, keepdim):
    """Zeros of the input's shape with each gradient at its place."""
    if not input_shape:
        return g
    if not keepdim:
        g, indices = unsqueeze(g, dim), unsqueeze(indices, dim)
    return scatter_back(g, indices, input_shape, dim, False)


OVERLOADS = of(
    lambda make: S(make(3, 4)),
    lambda make: S(make(3, 4), make(3, 4)),
    lambda make: S(make(3, 4), 1),
    lambda make: S(make(3, 4), dim=0, keepdim=True),
)


@composite(out="pointwise", samples=OVERLOADS)
def max(input, dim=NOT_GIVEN, keepdim=False, *, other=NOT_GIVEN):
    """max(input) -> Tensor;  max(input, dim, keepdim=False) -> (values, indices);  max(input, other) -> Tensor

    The largest of all elements (equal ones share the gradient); or along one dimension, with its index; or of two
    tensors elementwise (`maximum`). (PyTorch: torch.max)
    """
    if not hasattr(input, "shape"):
        raise TypeError(f"max() received an invalid combination of arguments: expected a Tensor, got {input!r} first")
    if other is not NOT_GIVEN or hasattr(dim, "shape"):
        return maximum(input, dim if other is NOT_GIVEN else other)
    return max_all(input) if over_all("max", dim, keepdim) else max_dim(input, dim, keepdim)


@composite(out="pointwise", samples=OVERLOADS)
def min(input, dim=NOT_GIVEN, keepdim=False, *, other=NOT_GIVEN):
    """min(input) -> Tensor;  min(input, dim, keepdim=False) -> (values, indices);  min(input, other) -> Tensor

    The smallest of all elements (equal ones share the gradient); or along one dimension, with its index; or of two
    tensors elementwise (`minimum`). (PyTorch: torch.min)
    """
    if not hasattr(input, "shape"):
        raise TypeError(f"min() received an invalid combination of arguments: expected a Tensor, got {input!r} first")
    if other is not NOT_GIVEN or hasattr(dim, "shape"):
        return minimum(input, dim if other is NOT_GIVEN else other)
    return min_all(input) if over_all("min", dim, keepdim) else min_dim(input, dim, keepdim)


class argmax(Op):
    """argmax(input, dim=None, keepdim=False) -> LongTensor

    The index of the largest element (the first of equal ones), of the flattened tensor or along `dim`.
    (PyTorch: torch.argmax)
    """

    def prepare(input, dim=None, keepdim=False):
        return input, None if dim is None else one_dim(dim, input.ndim, "argmax"), keepdim

    def forward(input, /, dim, keepdim):
        return place("argmax", input, dim, keepdim)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 1), lambda make: S(make(3, 4), 0, True))


class argmin(Op):
    """argmin(input, dim=None, keepdim=False) -> LongTensor

    The index of the smallest element (the first of equal ones), of the flattened tensor or along `dim`.
    (PyTorch: torch.argmin)
    """

    def prepare(input, dim=None, keepdim=False):
        return input, None if dim is None else one_dim(dim, input.ndim, "argmin"), keepdim

    def forward(input, /, dim, keepdim):
        return place("argmin", input, dim, keepdim)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 1), lambda make: S(make(3, 4), 0, True))


def place(op, input, dim, keepdim):
    if input.dtype.kind == "b":
        raise RuntimeError(f"{op}(): does not support bool input: convert it, e.g. with .int()")
    if not input.ndim:
        return np.zeros((), np.int64)
    nonempty(input, op, range(input.ndim) if dim is None else (dim,), dim is not None, IndexError)
    if dim is None or input.size < extreme_kernels.FEW or not extreme_kernels.by_rows(input, dim):
        return np.asarray(getattr(input, op)(axis=dim, keepdims=keepdim), np.int64)
    found = extreme_kernels.extreme(input, dim, 1 if op == "argmax" else -1)[1]
    return np.expand_dims(found, dim) if keepdim else found


def last(input, dim):
    """The array with the dimension moved to the end; a 0-dim one as one element."""
    if dim == input.ndim - 1:
        return input
    return np.moveaxis(input, dim, -1) if input.ndim else input.reshape(1)


def back(values, order, input, dim):
    """Values and places along the last axis, as the input's shape has it."""
    if not input.ndim:
        return values.reshape(()), order.reshape(())
    if dim == input.ndim - 1:
        return values, order
    return np.moveaxis(values, -1, dim), np.moveaxis(order, -1, dim)


def taken(rows, order):
    """The elements of rows at some places of each."""
    return indexing.gather(rows, order, rows.ndim - 1, False)


def picked(input, order, dim, keepdim):
    """(values, places) of one place per row, (...,)."""
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    places = np.expand_dims(order, dim)
    values = np.take_along_axis(input, places, dim)
    return (values, places) if keepdim else (values.squeeze(dim), order)


class sort(Op):
    """sort(input, dim=-1, descending=False, *, stable=False) -> (values, indices)

    The elements in order along `dim`, and where they came from; NaN is larger than all. stable: equal elements keep
    their order; otherwise it is PyTorch's, up to 32768 elements. (PyTorch: torch.sort)
    """

    keeps_layout = True
    nout, aux, result = 2, ("indices",), "sort"
    public = (FUNCTION, METHOD)

    def prepare(input, dim=-1, descending=False, stable=False):
        return input, one_dim(dim, input.ndim, "sort"), descending, stable

    def forward(input, /, dim, descending, stable):
        rows = last(input, dim)
        if stable or rows.shape[-1] > LONGEST:
            return back(*(kernels.descending(rows) if descending else kernels.ascending(rows)), input, dim)
        order = kernels.first_places(rows, rows.shape[-1], kernels.SORT, descending)
        return back(taken(rows, order), order, input, dim)

    def grad_input(g, indices, input_shape, dim):
        return put_along(g, indices, input_shape, dim, True)

    samples = of(
        lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 0, True), lambda make: S(make(3, 4), stable=True, dim=1)
    )


@composite(samples=of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 0, True)))
def argsort(input, dim=-1, descending=False, stable=False):
    """argsort(input, dim=-1, descending=False, stable=False) -> LongTensor

    The indices that `sort` the input along `dim`. (PyTorch: torch.argsort)
    """
    return sort(input, dim, descending, stable)[1]


@composite(out=True, samples=of(lambda make: S(make(3, 4))))
def msort(input):
    """msort(input) -> Tensor: the elements in order along the first dimension. (PyTorch: torch.msort)"""
    return sort(input, 0)[0]


class topk(Op):
    """topk(input, k, dim=-1, largest=True, sorted=True) -> (values, indices)

    The k largest (or smallest) elements along `dim`, in order unless sorted=False; NaN is larger than all.
    (PyTorch: torch.topk)
    """

    nout, aux, result = 2, ("indices",), "topk"
    public = (FUNCTION, METHOD)

    def prepare(input, k, dim=-1, largest=True, sorted=True):
        dim, k = one_dim(dim, input.ndim, "topk"), index_of(k, "topk", "k")
        size = input.shape[dim] if input.ndim else 1
        if not 0 <= k <= size:
            raise RuntimeError(f"selected index k out of range: topk() got k={k}, dimension {dim} has size {size}")
        if np_dtype(input).kind == "b":
            raise RuntimeError("topk does not support bool dtypes on CPU: convert the input, e.g. with .int()")
        return input, k, dim, largest, sorted

    def forward(input, /, k, dim, largest, sorted):
        rows = last(input, dim)
        few = k * 64 <= rows.shape[-1]
        how = kernels.PARTIAL if few else kernels.NTH_SORTED if sorted else kernels.NTH
        order = kernels.first_places(rows, k, how, largest)
        return back(taken(rows, order), order, input, dim)

    def grad_input(g, indices, input_shape, dim):
        return put_along(g, indices, input_shape, dim, True)

    samples = of(lambda make: S(make(3, 4), 2), lambda make: S(make(5, 3), 3, 0, False))


class kthvalue(Op):
    """kthvalue(input, k, dim=-1, keepdim=False) -> (values, indices)

    The k-th smallest element along `dim` (k from 1), and where it is; NaN is larger than all.
    (PyTorch: torch.kthvalue)
    """

    nout, aux, result = 2, ("indices",), "kthvalue"

    def prepare(input, k, dim=-1, keepdim=False):
        dim, k = one_dim(dim, input.ndim, "kthvalue"), index_of(k, "kthvalue", "k")
        nonempty(input, "kthvalue", (dim,), True)
        if not 1 <= k <= (input.shape[dim] if input.ndim else 1):
            raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}: got {k}")
        return numeric(input, "kthvalue") if input.ndim else input, k, dim, keepdim

    def forward(input, /, k, dim, keepdim):
        order = kernels.first_places(last(input, dim), k, kernels.KTH, False)
        return picked(input, order[..., k - 1], dim, keepdim)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)

    samples = of(lambda make: S(make(3, 4), 2), lambda make: S(make(3, 4), 3, 0, True), lambda make: S(make(), 1))


@on_every_path("numeric")
def numeric(input, op):
    """The input, which must not hold bools."""
    if np_dtype(input).kind == "b":
        raise NotImplementedError(f"\"{op}_cpu\" not implemented for 'Bool': convert the input, e.g. with .int()")
    return input


class median_dim(Op):
    """The lower of the middle elements along a dimension, and where it is; called by `median` and `nanmedian`."""

    public, nout, aux = (), 2, ("indices",)

    def backward_name(node):
        return "NanmedianBackward1" if node.attrs[2] else "MedianBackward1"

    def forward(input, /, dim, keepdim, without_nan):
        rows = last(input, dim)
        if without_nan:
            order = np.argsort(rows, axis=-1, kind="stable")
            middle = np.maximum((rows == rows).sum(-1, keepdims=True) - 1, 0) // 2  # NaN is sorted to the end
            return picked(input, np.take_along_axis(order, middle, -1)[..., 0], dim, keepdim)
        middle = (rows.shape[-1] - 1) // 2
        value = np.partition(rows, middle, -1)[..., middle, None]
        ahead = middle - (rows < value).sum(-1, keepdims=True)  # how many equal ones come first
        order = (np.cumsum(rows == value, -1) > ahead).argmax(-1)
        if rows.dtype.kind == "f":
            order = np.where(np.isnan(rows).any(-1), np.isnan(rows).argmax(-1), order)
        return picked(input, order, dim, keepdim)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)


class median_all(Op):
    """The lower of the middle elements of all; called by `median` and `nanmedian`. Equal ones share the gradient."""

    public, fresh = (), True

    def backward_name(node):
        return "NanmedianBackward0" if node.attrs[0] else "MedianBackward0"

    def forward(input, /, without_nan):
        if not input.size:
            return np.asarray(np.nan if input.dtype.kind == "f" else np.iinfo(input.dtype).min, input.dtype)
        flat = input.reshape(-1)
        count = np.count_nonzero(flat == flat)
        if count < flat.size and (not without_nan or not count):
            return np.asarray(np.nan, input.dtype)
        return np.partition(flat, (count - 1) // 2)[(count - 1) // 2]

    def grad_input(g, input, output, input_shape):
        return share(g, input, output, input_shape, tuple(range(len(input_shape))))


@helper
def middle_of(input, dim, keepdim, without_nan, name):
    """`median` and `nanmedian`."""
    input = numeric(input, "median")
    if dim is None:
        return median_all(input, without_nan)
    dim = one_dim(dim, input.ndim, name)
    found = median_dim(nonempty(input, name, (dim,), True), dim, keepdim, without_nan)
    return named_tuple(name, ("values", "indices"))(*found)


MIDDLES = of(lambda make: S(make(3, 4)), lambda make: S(make(3, 5), 1), lambda make: S(make(3, 4), 0, True))


@composite(out=True, samples=MIDDLES)
def median(input, dim=None, keepdim=False):
    """median(input) -> Tensor;  median(input, dim, keepdim=False) -> (values, indices)

    The middle element in order, the lower of two; NaN where there is a NaN. Of all, equal ones share the gradient.
    (PyTorch: torch.median)
    """
    return middle_of(input, dim, keepdim, False, "median")


@composite(out=True, samples=MIDDLES)
def nanmedian(input, dim=None, keepdim=False):
    """nanmedian(input) -> Tensor;  nanmedian(input, dim, keepdim=False) -> (values, indices)

    `median` of what is not NaN. (PyTorch: torch.nanmedian)
    """
    return middle_of(input, dim, keepdim, True, "nanmedian")


class mode(Op):
    """mode(input, dim=-1, keepdim=False) -> (values, indices)

    The most frequent element along `dim` (the smallest of equally frequent ones), and where one of them is.
    (PyTorch: torch.mode)
    """

    nout, aux, result = 2, ("indices",), "mode"

    def prepare(input, dim=-1, keepdim=False):
        dim = one_dim(dim, input.ndim, "mode")
        return nonempty(input, "mode", (dim,), True), dim, keepdim

    def forward(input, /, dim, keepdim):
        rows = last(input, dim)
        order = kernels.first_places(rows, rows.shape[-1], kernels.SORT, False)
        values = taken(rows, order)
        same = values[..., 1:] == values[..., :-1]  # a NaN is like no other
        number = np.arange(rows.shape[-1])
        starts = np.zeros(values.shape, np.int64)
        starts[..., 1:] = np.where(same, 0, number[1:])
        run = number - np.maximum.accumulate(starts, axis=-1)  # how many like it come before each element
        where = np.expand_dims(run.argmax(-1), -1)
        return picked(input, np.take_along_axis(order, where, -1)[..., 0], dim, keepdim)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)

    samples = of(
        lambda make: S(make(3, 4)),
        lambda make: S(make(3, 4), 0, True),
        lambda make: S(make(2, 9, kind="i")),
    )
