"""Indexing: `x[...]` of every kind, and elements by a mask. Tables are in `embedding.py`.

An index is turned into NumPy's form once (`index_key`).  A basic one (ints, slices, None, ...) gives a view; one with
lists, ranges or tensors gives a copy, whose gradient is added up at the places it came from.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import indexing as kernels
from minigrad.registry import METHOD, Op, composite, on_every_path
from minigrad.samples import S, of


@on_every_path("index_key")
def index_key(index, ndim):
    """PyTorch's index as NumPy's: a tuple with an Ellipsis, tensors as arrays, ranges as lists."""
    if index.__class__ is int and ndim:  # the common case, x[i]
        return index, Ellipsis
    items = index if isinstance(index, tuple) else as_items(index)
    key = tuple([_index_item(item) for item in items])
    taken = 0
    for item in key:
        if isinstance(item, np.ndarray) and item.dtype.kind == "b":
            taken += item.ndim
        elif item is not None and item is not Ellipsis and not isinstance(item, bool):
            taken += 1
    if taken > ndim:
        raise IndexError(f"too many indices for tensor of dimension {ndim}")
    return key if any(item is Ellipsis for item in key) else (*key, Ellipsis)


def as_items(index):
    """PyTorch still reads a list that holds sequences, tensors, slices, None or ... as a tuple (and warns of it)."""
    parts = (list, tuple, range, slice, type(None), type(Ellipsis))
    if isinstance(index, list) and len(index) < 32 and any(isinstance(i, parts) or hasattr(i, "array") for i in index):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated: x[[[0, 1]]] is "
            "read as x[[0, 1],]. "
            "Use x[tuple(index)] for this meaning, or x[minigrad.tensor(index)] to index with an array.",
            stacklevel=4,
        )
        return tuple(index)
    return (index,)


def _index_item(item):
    if item is None or item is Ellipsis or isinstance(item, bool):
        return item
    if isinstance(item, slice):
        if item.step is not None and item.step <= 0:
            raise ValueError("step must be greater than zero: use flip() for the reverse order")
        return slice(*[None if n is None else n.__index__() for n in (item.start, item.stop, item.step)])
    array = getattr(item, "array", item)
    if isinstance(array, list | tuple | range):
        array = np.asarray([getattr(n, "array", n) for n in array])
        if not array.size:
            array = array.astype(np.int64)
    if isinstance(array, np.ndarray):
        if array.dtype.kind not in "iub" or (array.dtype.itemsize == 2 or array.dtype == np.int8):
            raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
        if array.dtype == np.uint8:
            array = array.astype(bool)  # PyTorch reads byte tensors as masks
        return int(array) if array.ndim == 0 and array.dtype.kind == "i" else array.copy()
    try:
        return item.__index__()
    except AttributeError:
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
            f"{type(item).__name__})"
        ) from None


@on_every_path("common_shape")
def common_shape(op, *shapes):
    """The shape that all broadcast to."""
    try:
        return np.broadcast_shapes(*[tuple(shape) for shape in shapes])
    except ValueError:
        texts = " and ".join([shape_text(shape) for shape in shapes])
        raise RuntimeError(f"{op}(): the shapes {texts} do not broadcast: each size must match or be 1") from None


@on_every_path("is_basic")
def is_basic(key):
    """Whether a NumPy index gives a view."""
    return not any(isinstance(item, np.ndarray | bool) for item in key)


def names_places(key):
    """Whether a NumPy index has integer arrays, which may name a place more than once (masks cannot)."""
    return any(isinstance(item, np.ndarray) and item.dtype.kind == "i" for item in key)


def index_error(error):
    return IndexError(str(error).replace("axis", "dimension").replace("boolean index did not match indexed array along",
        "The shape of the mask does not match the shape of the indexed tensor along"))  # fmt: skip


def index_name(key):
    """What PyTorch's graph calls an index: by its last part."""
    if not is_basic(key):
        return "IndexBackward0"
    parts = [item for item in key if item is not Ellipsis and item != slice(None)]
    last = parts[-1] if parts else slice(None)
    return "UnsqueezeBackward0" if last is None else "SliceBackward0" if isinstance(last, slice) else "SelectBackward0"


class getitem(Op):
    """input[index] -> Tensor

    Ints, slices (step > 0), None, ..., lists, ranges, integer tensors and bool masks, as in PyTorch and NumPy.
    (PyTorch: tensor indexing)
    """

    view, public, symbol = True, (), "[ ]"

    def backward_name(node):
        return index_name(node.attrs[0])

    def prepare(input, index):
        return input, index_key(index, input.ndim)

    def forward(input, /, index):
        try:
            return input[index]
        except IndexError as error:
            raise index_error(error) from None

    def grad_input(g, input_shape, index):
        return put_back(g, input_shape, index)

    samples = of(
        lambda make: S(make(3, 4), 1),
        lambda make: S(make(3, 4), (slice(None), slice(0, 4, 2))),
        lambda make: S(make(3, 4), ([0, 2, 0],)),
        lambda make: S(make(3, 4), (slice(None), np.array([1, 1, 3]))),
        lambda make: S(make(3, 4), np.array([True, False, True])),
        lambda make: S(make(2, 3, 4), (..., None, -1)),
    )


class put_back(Op):
    """Zeros of a given shape with the input added at `index`: the gradient of indexing."""

    public = ()

    def forward(input, /, shape, index):
        out = np.zeros(shape, input.dtype)
        if is_basic(index):
            out[index] = input
        elif len(index) == 2 and index[1] is Ellipsis and index[0].dtype.kind == "i":
            rows = index[0].reshape(-1)
            kernels.scatter_add_rows(out, rows, input.reshape(rows.size, *shape[1:]))
        elif names_places(index):
            np.add.at(out, index, input)
        else:  # masks name each place once
            out[index] = input
        return out

    def grad_input(g, index):
        return getitem(g, index)


class index_put(Op):
    """The input with `other` written at `index` (masks and lists): what ``x[mask] = y`` computes."""

    public, broadcasts = (), True

    def forward(input, other, /, index):
        out = np.array(input)
        try:
            out[index] = other
        except IndexError as error:
            raise index_error(error) from None
        except ValueError:
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {shape_text(other.shape)} cannot be broadcast to indexing "
                f"result of shape {shape_text(input[index].shape)}"
            ) from None
        return out

    def grad_input(g, index):
        return put_zero(g, index)

    def grad_other(g, index):
        return getitem(g, index)


class put_zero(Op):
    """The input with zeros at `index`: what a write leaves of the gradient of the old values."""

    public, fresh = (), True

    def forward(input, /, index):
        out = np.array(input)
        out[index] = 0
        return out

    def grad_input(g, index):
        return put_zero(g, index)


@composite(public=(METHOD,), samples=of(lambda make: S(make(3, 4), make(3, 4, kind="b"))))
def masked_select(input, mask):
    """masked_select(input, mask) -> Tensor

    The elements where the bool mask is true, as a vector; the two broadcast. (PyTorch: torch.masked_select)
    """
    if np_dtype(mask).kind != "b":
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, but got {np_dtype(mask)}")
    shape = common_shape("masked_select", input.shape, mask.shape)
    return getitem(expand(input, shape), (expand(mask, shape),))
