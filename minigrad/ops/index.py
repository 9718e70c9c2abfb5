"""Indexing: `x[...]` of every kind, gather and scatter, rows by number, the places of what is not zero.

An index is turned into NumPy's form once (`index_key`).  A basic one (ints, slices, None, ...) gives a view; one with
lists, ranges or tensors gives a copy, whose gradient is added up at the places it came from.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import indexing as kernels
from minigrad.registry import FUNCTIONAL, METHOD, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import one_dim


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
            "Using a non-tuple sequence for multidimensional indexing is deprecated: x[[[0, 1]]] is read as x[[0, 1],]. "
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

    public, fresh = (), True

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


class gather(Op):
    """gather(input, dim, index) -> Tensor

    ``out[i][j][k] = input[i][index[i][j][k]][k]`` for dim=1. index: int64, no larger than input except in `dim`; the
    output has its shape. (PyTorch: torch.gather)
    """

    fresh = True

    def prepare(input, dim, index, *, sparse_grad=False):
        return input, index, one_dim(dim, input.ndim, "gather")

    def forward(input, index, /, dim):
        return kernels.gather(*checked(input, index, dim, "gather"), dim)

    def grad_input(g, index, input_shape, dim):
        return scatter_add(zeros_of(input_shape, np_dtype(g)), dim, index, g)

    samples = of(
        lambda make: S(make(3, 4), 1, make(3, 2, kind="i", low=0, high=4)),
        lambda make: S(make(3, 4), 0, make(2, 3, kind="i", low=0, high=3)),
    )


@on_every_path("checked")
def checked(input, index, dim, op):
    """The input cut to the index's shape outside `dim`, and the index, checked."""
    if index.dtype.kind not in "iu":
        raise RuntimeError(f"{op}(): Expected dtype int32/int64 for index, but got {index.dtype}")
    if index.ndim != input.ndim and index.size:
        raise RuntimeError(
            f"Index tensor must have the same number of dimensions as input tensor: {op}() got index of shape "
            f"{shape_text(index.shape)} and input of shape {shape_text(input.shape)}"
        )
    if any(n > m for d, (n, m) in enumerate(zip(index.shape, input.shape, strict=False)) if d != dim):
        raise RuntimeError(
            f"Size does not match at dimension {dim} expected index {shape_text(index.shape)} to be no larger than "
            f"self {shape_text(input.shape)} apart from dimension {dim}"
        )
    size = input.shape[dim] if input.ndim else 1
    if index.size and (index.min() < 0 or index.max() >= size):
        wrong = index.min() if index.min() < 0 else index.max()
        raise RuntimeError(f"index {wrong} is out of bounds for dimension {dim} with size {size}")
    cut = tuple([slice(None) if d == dim else slice(0, n) for d, n in enumerate(index.shape)])
    return input[cut], index


class scatter_add(Op):
    """scatter_add(input, dim, index, src) -> Tensor

    The input with src added at the places index names: ``out[i][index[i][j]] += src[i][j]`` for dim=1. src is at least
    as large as index. (PyTorch: torch.scatter_add)
    """

    def prepare(input, dim, index, src):
        return input, index, src, one_dim(dim, input.ndim, "scatter_add")

    def forward(input, index, src, /, dim):
        out = np.array(input)
        target, index = checked(out, index, dim, "scatter_add")
        kernels.scatter_add(target, index, fitted(src, index, "scatter_add"), dim)
        return out

    def grad_input(g):
        return g

    def grad_src(g, index, src_shape, dim):
        return pad_end(gather(g, dim, index), src_shape)

    samples = of(
        lambda make: S(make(3, 4), 1, make(3, 2, kind="i", low=0, high=4), make(3, 2)),
        lambda make: S(make(3, 4), 0, make(2, 3, kind="i", low=0, high=3), make(2, 3)),
    )


@on_every_path("fitted")
def fitted(src, index, op):
    """src cut to the index's shape."""
    if src.ndim != index.ndim or any(n < m for n, m in zip(src.shape, index.shape, strict=True)):
        raise RuntimeError(
            f"{op}(): Expected index {shape_text(index.shape)} to be no larger than src {shape_text(src.shape)}"
        )
    return src[tuple([slice(0, n) for n in index.shape])]


class pad_end(Op):
    """The input grown to a shape with zeros at the ends."""

    public = ()

    def forward(input, /, shape):
        if input.shape == tuple(shape):
            return input
        out = np.zeros(shape, input.dtype)
        out[tuple([slice(0, n) for n in input.shape])] = input
        return out

    def grad_input(g, input_shape):
        return getitem(g, tuple([slice(0, n) for n in input_shape]))


class scatter(Op):
    """scatter(input, dim, index, src) -> Tensor;  scatter(input, dim, index, value)

    The input with src (or a number) written at the places index names: ``out[i][index[i][j]] = src[i][j]`` for dim=1.
    Where a place is named twice, one of the values is kept. (PyTorch: torch.scatter)
    """

    def prepare(input, dim, index, src=None, *, value=None):
        src = src if value is None else value
        if not hasattr(src, "ndim"):
            src = full_of(index.shape, src, np_dtype(input))
        return input, index, src, one_dim(dim, input.ndim, "scatter")

    def forward(input, index, src, /, dim):
        out = np.array(input)
        target, index = checked(out, index, dim, "scatter")
        if index.size:
            np.put_along_axis(target, index, fitted(src, index, "scatter"), dim)
        return out

    def grad_input(g, index, dim):
        return scatter(g, dim, index, 0.0)

    def grad_src(g, index, src_shape, dim):
        return pad_end(gather(g, dim, index), src_shape)

    samples = of(
        lambda make: S(make(3, 4), 1, np.array([[0, 2], [1, 3], [3, 0]]), make(3, 2)),
        lambda make: S(make(3, 4), 0, np.array([[2, 0, 1]]), 1.5),
    )


class index_select(Op):
    """index_select(input, dim, index) -> Tensor

    The entries of dimension `dim` that the 1-D int64 tensor index names, in its order. (PyTorch: torch.index_select)
    """

    fresh = True

    def prepare(input, dim, index):
        return input, index, one_dim(dim, input.ndim, "index_select")

    def forward(input, index, /, dim):
        if index.ndim > 1:
            raise IndexError("index_select(): Index is supposed to be a vector")
        if index.dtype.kind not in "iu":
            raise RuntimeError(f"index_select(): Expected dtype int32 or int64 for index, but got {index.dtype}")
        if index.size and (index.min() < 0 or index.max() >= input.shape[dim]):
            raise IndexError(
                f"index out of range in self: index_select() on dimension {dim} of size {input.shape[dim]}"
            )
        return np.take(input, np.atleast_1d(index), dim)

    def grad_input(g, index, input_shape, dim):
        return index_add(zeros_of(input_shape, np_dtype(g)), dim, index, g)

    samples = of(
        lambda make: S(make(3, 4), 0, np.array([2, 0, 2])),
        lambda make: S(make(3, 4), -1, np.array([1, 3])),
    )


class index_add(Op):
    """index_add(input, dim, index, source) -> Tensor

    The input with the entries of source added to those of dimension `dim` that index names. (PyTorch: torch.index_add)
    """

    def prepare(input, dim, index, source, *, alpha=1):
        return input, index, source if alpha == 1 else source * alpha, one_dim(dim, input.ndim, "index_add")

    def forward(input, index, source, /, dim):
        out, index = np.array(input), np.atleast_1d(index)
        rest = [n for d, n in enumerate(input.shape) if d != dim]
        if source.ndim != input.ndim or [n for d, n in enumerate(source.shape) if d != dim] != rest:
            raise RuntimeError(
                "index_add(): source tensor shape must match self tensor shape, excluding the specified dimension. Got "
                f"self.shape = {list(input.shape)} source.shape = {list(source.shape)}"
            )
        if index.size != source.shape[dim]:
            raise RuntimeError(
                f"index_add(): Number of indices ({index.size}) should be equal to source.size(dim) ({source.shape[dim]})"
            )
        if index.size and (index.min() < 0 or index.max() >= input.shape[dim]):
            wrong = index.min() if index.min() < 0 else index.max()
            raise RuntimeError(
                f"index_add(): index {wrong} is out of bounds for dimension {dim} with size {input.shape[dim]}"
            )
        kernels.scatter_add_rows(np.moveaxis(out, dim, 0), index, np.moveaxis(source, dim, 0))
        return out

    def grad_input(g):
        return g

    def grad_source(g, index, dim):
        return index_select(g, dim, index)

    samples = of(lambda make: S(make(3, 4), 0, np.array([2, 0, 2]), make(3, 4)))


class embedding(Op):
    """embedding(input, weight, padding_idx=None) -> Tensor

    Rows of weight (N, D) by the integers in input (any shape S): output (S, D). The row padding_idx gets no gradient.
    (PyTorch: F.embedding)
    """

    public, fresh = (FUNCTIONAL,), True

    def prepare(input, weight, padding_idx=None, max_norm=None, norm_type=2.0, scale_grad_by_freq=False, sparse=False):
        if max_norm is not None or scale_grad_by_freq:
            raise NotImplementedError(
                "embedding(): max_norm and scale_grad_by_freq are not supported: renormalise weight yourself"
            )
        if weight.ndim != 2:
            raise RuntimeError(f"'weight' must be 2-D: embedding() got {weight.ndim}-D")
        if padding_idx is not None:
            if not -weight.shape[0] <= padding_idx < weight.shape[0]:
                raise AssertionError(
                    f"Padding_idx must be within num_embeddings: embedding() got {padding_idx} for {weight.shape[0]} rows"
                )
            padding_idx %= weight.shape[0]
        return input, weight, padding_idx

    def forward(input, weight, /, padding_idx):
        if input.dtype.kind not in "iu":
            raise RuntimeError(
                "embedding(): Expected tensor for argument #1 'indices' to have scalar type Long or Int; but got "
                f"{input.dtype}"
            )
        if input.size and (input.min() < 0 or input.max() >= weight.shape[0]):
            raise IndexError(
                f"index out of range in self: embedding() got {input.max() if input.min() >= 0 else input.min()} for a "
                f"table of {weight.shape[0]} rows"
            )
        return weight[input]

    def grad_weight(g, input, weight_shape, padding_idx):
        return embedding_weight(g, input, weight_shape, padding_idx)

    samples = of(
        lambda make: S(make(2, 3, kind="i", low=0, high=5), make(5, 4)),
        lambda make: S(np.array([4, 0, 0, 2]), make(5, 4), 1),
    )


class embedding_weight(Op):
    """The gradient of an embedding's table: each row the sum of the gradients of its uses."""

    public, fresh = (), True

    def forward(g, input, /, shape, padding_idx):
        out = np.zeros(shape, g.dtype)
        kernels.scatter_add_rows(out, input.reshape(-1), g.reshape(-1, shape[1]))
        if padding_idx is not None:
            out[padding_idx] = 0
        return out

    def grad_g(g, input, padding_idx):
        return mask_rows(embedding(input, g), input, padding_idx)


@composite(public=())
def mask_rows(rows, input, padding_idx):
    """Zero where the row is the padding's."""
    return rows if padding_idx is None else where(unsqueeze(input == padding_idx, -1), 0.0, rows)


@composite(public=(METHOD,), samples=of(lambda make: S(make(3, 4), make(3, 4, kind="b"))))
def masked_select(input, mask):
    """masked_select(input, mask) -> Tensor

    The elements where the bool mask is true, as a vector; the two broadcast. (PyTorch: torch.masked_select)
    """
    if np_dtype(mask).kind != "b":
        raise RuntimeError(f"masked_select: expected BoolTensor for mask, but got {np_dtype(mask)}")
    shape = common_shape("masked_select", input.shape, mask.shape)
    return getitem(expand(input, shape), (expand(mask, shape),))


@composite(samples=of(lambda make: S(make(3, 4), np.array([[1, 0, 2, 1]] * 3), 1)))
def take_along_dim(input, indices, dim=None):
    """take_along_dim(input, indices, dim=None) -> Tensor: `gather`, of the flattened tensor without dim.
    (PyTorch: torch.take_along_dim)"""
    if dim is None:
        return gather(reshape(input, (-1,)), 0, reshape(indices, (-1,)))
    dim = one_dim(dim, input.ndim, "take_along_dim")
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, but got "
            f"{input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    rest = [tuple([n for d, n in enumerate(t.shape) if d != dim]) for t in (input, indices)]
    common = common_shape("take_along_dim", *rest)
    sized = [(*common[:dim], t.shape[dim], *common[dim:]) for t in (input, indices)]
    return gather(expand(input, sized[0]), dim, expand(indices, sized[1]))


class one_hot(Op):
    """one_hot(tensor, num_classes=-1) -> LongTensor

    A 1 at each integer's place in a new last dimension of num_classes (-1: the largest integer + 1).
    (PyTorch: F.one_hot)
    """

    public = (FUNCTIONAL,)

    def forward(tensor, /, num_classes=-1):
        if tensor.dtype.kind not in "iu":
            raise RuntimeError(f"one_hot is only applicable to index tensor of type LongTensor, but got {tensor.dtype}")
        if tensor.size and tensor.min() < 0:
            raise RuntimeError("Class values must be non-negative.")
        if num_classes == -1:
            if not tensor.size:
                raise RuntimeError("Can not infer total number of classes from empty tensor.")
            num_classes = int(tensor.max()) + 1
        if tensor.size and tensor.max() >= num_classes:
            raise RuntimeError(
                f"Class values must be smaller than num_classes: got {tensor.max()} for {num_classes} classes"
            )
        return (tensor[..., None] == np.arange(num_classes)).astype(np.int64)

    samples = of(
        lambda make: S(make(2, 3, kind="i", low=0, high=4)), lambda make: S(make(3, kind="i", low=0, high=4), 6)
    )
