"""Order: the largest and the smallest and where they are, sorting, and running sums.

`max_dim`, `sort` and `topk` say where their values came from, and the gradient goes back there.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.ops.reduce import nonempty
from minigrad.registry import FUNCTION, METHOD, Op, composite, helper
from minigrad.samples import S, of
from minigrad.shapes import one_dim


class max_dim(Op):
    """max(input, dim, keepdim=False) -> (values, indices): the largest along one dimension, and where (the first)."""

    public, nout, aux, result, backward_name = (), 2, ("indices",), "max", "MaxBackward0"

    def prepare(input, dim, keepdim=False):
        return input, one_dim(dim, input.ndim, "max"), keepdim

    def forward(input, /, dim, keepdim):
        return extreme(input, nonempty(input, "max", (dim,), True).argmax(axis=dim) if input.ndim else 0, dim, keepdim)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), 0, True), lambda make: S(make(), 0))


class min_dim(Op):
    """min(input, dim, keepdim=False) -> (values, indices): the smallest along one dimension, and where (the first)."""

    public, nout, aux, result, backward_name = (), 2, ("indices",), "min", "MinBackward0"

    def prepare(input, dim, keepdim=False):
        return input, one_dim(dim, input.ndim, "min"), keepdim

    def forward(input, /, dim, keepdim):
        return extreme(input, nonempty(input, "min", (dim,), True).argmin(axis=dim) if input.ndim else 0, dim, keepdim)

    def grad_input(g, indices, input_shape, dim, keepdim):
        return put_along(g, indices, input_shape, dim, keepdim)

    samples = of(lambda make: S(make(3, 4), 1), lambda make: S(make(2, 3, 4), 0, True), lambda make: S(make(), 0))


def extreme(input, where, dim, keepdim):
    """The values at the found places, and the places as int64."""
    if not input.ndim:
        return input.copy(), np.zeros((), np.int64)
    places = np.expand_dims(where, dim)
    values = np.take_along_axis(input, places, dim)
    return (values, places) if keepdim else (values.squeeze(dim), np.asarray(where))


@helper
def put_along(g, indices, input_shape, dim, keepdim):
    """Zeros of the input's shape with each gradient at its place."""
    if not input_shape:
        return g
    if not keepdim:
        g, indices = unsqueeze(g, dim), unsqueeze(indices, dim)
    return scatter_add(zeros_of(input_shape, np_dtype(g)), dim, indices, g)


OVERLOADS = of(
    lambda make: S(make(3, 4)),
    lambda make: S(make(3, 4), make(3, 4)),
    lambda make: S(make(3, 4), 1),
    lambda make: S(make(3, 4), dim=0, keepdim=True),
)


@composite(samples=OVERLOADS)
def max(input, dim=None, keepdim=False, *, other=None):
    """max(input) -> Tensor;  max(input, dim, keepdim=False) -> (values, indices);  max(input, other) -> Tensor

    The largest of all elements (equal ones share the gradient); or along one dimension, with its index; or of two
    tensors elementwise (`maximum`). (PyTorch: torch.max)
    """
    if other is not None or hasattr(dim, "shape"):
        return maximum(input, dim if other is None else other)
    return max_all(input) if dim is None else max_dim(input, dim, keepdim)


@composite(samples=OVERLOADS)
def min(input, dim=None, keepdim=False, *, other=None):
    """min(input) -> Tensor;  min(input, dim, keepdim=False) -> (values, indices);  min(input, other) -> Tensor

    The smallest of all elements (equal ones share the gradient); or along one dimension, with its index; or of two
    tensors elementwise (`minimum`). (PyTorch: torch.min)
    """
    if other is not None or hasattr(dim, "shape"):
        return minimum(input, dim if other is None else other)
    return min_all(input) if dim is None else min_dim(input, dim, keepdim)


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
    found = getattr(input, op)(axis=dim, keepdims=keepdim)
    return np.asarray(found, np.int64)


class sort(Op):
    """sort(input, dim=-1, descending=False, stable=False) -> (values, indices)

    The elements in order along `dim`, and where they came from. The order of equal elements is kept (always stable).
    (PyTorch: torch.sort)
    """

    nout, aux, result = 2, ("indices",), "sort"
    public = (FUNCTION, METHOD)

    def prepare(input, dim=-1, descending=False, stable=False):
        return input, one_dim(dim, input.ndim, "sort"), descending

    def forward(input, /, dim, descending):
        if not input.ndim:
            return input.copy(), np.zeros((), np.int64)
        if descending:  # stable: sort the mirror image, so that equal elements keep their order
            mirror = np.flip(input, dim)
            order = input.shape[dim] - 1 - np.flip(np.argsort(mirror, axis=dim, kind="stable"), dim)
        else:
            order = np.argsort(input, axis=dim, kind="stable")
        return np.take_along_axis(input, order, dim), order

    def grad_input(g, indices, input_shape, dim):
        return put_along(g, indices, input_shape, dim, True)

    samples = of(lambda make: S(make(3, 4)), lambda make: S(make(3, 4), 0, True))


@composite(samples=of(lambda make: S(make(3, 4))))
def argsort(input, dim=-1, descending=False, stable=False):
    """argsort(input, dim=-1, descending=False, stable=False) -> LongTensor

    The indices that sort the input along `dim`. (PyTorch: torch.argsort)
    """
    return sort(input, dim, descending, stable)[1]


class topk(Op):
    """topk(input, k, dim=-1, largest=True, sorted=True) -> (values, indices)

    The k largest (or smallest) elements along `dim`, in order. (PyTorch: torch.topk)
    """

    nout, aux, result = 2, ("indices",), "topk"
    public = (FUNCTION, METHOD)

    def prepare(input, k, dim=-1, largest=True, sorted=True):
        dim = one_dim(dim, input.ndim, "topk")
        if not 0 <= k <= (input.shape[dim] if input.ndim else 1):
            raise RuntimeError(f"selected index k out of range: k is {k}, dimension {dim} has size {input.shape[dim]}")
        return input, int(k), dim, largest

    def forward(input, /, k, dim, largest):
        values = np.atleast_1d(input)
        if largest and values.dtype.kind == "f":
            order = np.argsort(np.where(values != values, -np.inf, -values), axis=dim, kind="stable")  # NaN is largest
        else:
            order = np.argsort(values, axis=dim, kind="stable")
            order = np.flip(order, dim) if largest else order
        order = np.take(order, range(k), dim)
        found = np.take_along_axis(values, order, dim)
        return (found, order) if input.ndim else (found.reshape(()), order.reshape(()))

    def grad_input(g, indices, input_shape, dim):
        return put_along(g, indices, input_shape, dim, True)

    samples = of(lambda make: S(make(3, 4), 2), lambda make: S(make(5, 3), 3, 0, False))
