"""Indexing: `x[...]` of every kind, and elements by a mask. Tables are in `embedding.py`.

An index is done in two steps, as PyTorch does it.  Ints, slices, None and ... come first and give a view; lists, masks
and tensors then pick from that view and give a copy, whose gradient is added up at the places it came from:

    x[0, :, [1, 2]]   is   x[0][:, [1, 2]]

Each step is an index that NumPy understands, so an int never meets an array (where NumPy's rule differs).
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.

import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels import indexing as kernels
from minigrad.registry import FUNCTION, INPLACE, METHOD, TENSORS, Op, np_dtype, on_every_path
from minigrad.samples import S, of

ALL = slice(None)
I64 = np.dtype("i8")
WRONG_DTYPE = "tensors used as indices must be long, int, byte or bool tensors"


@on_every_path("index_steps")
def index_steps(index, ndim):
    """PyTorch's index of a tensor of `ndim` dimensions as two of NumPy's: (view, pick), None for a step with nothing
    to do. `pick` holds arrays of integers and masks, with full slices between them."""
    if index.__class__ is int and ndim:  # the common case, x[i]
        return (index, Ellipsis), None
    quick = plain_key(index, ndim)
    if quick is not None:
        return quick, None
    array = getattr(index, "array", None)  # next most common, one tensor: x[places], x[mask]
    if array is not None and array.ndim and ndim and (array.dtype == I64 or is_fitting_mask(array, ndim)):
        return None, (array.copy(), Ellipsis)
    if index.__class__ is tuple and is_whole_and_places(index, ndim):  # x[:, places], x[places, others]
        return None, (*[ALL if item.__class__ is slice else item.array.copy() for item in index], Ellipsis)
    given = index if isinstance(index, tuple) else as_items(index)
    taken = sum([dims_taken(item.array) if hasattr(item, "array") else counts(item) for item in given])
    if taken > ndim:
        raise too_many(given, ndim)
    items = [parsed(item) for item in given]
    view, pick, place, open_ended, past = [], {}, 0, True, False
    for item in items:
        if item is Ellipsis:
            past = not open_ended and ndim > taken  # a second one stands beyond the last dimension
            count = ndim - taken if open_ended else 0
            open_ended = False
            view += [ALL] * count
            place += count
        elif past and dims_taken(item):
            raise IndexError(f"index {item} is out of bounds: it comes after two ellipses")
        elif isinstance(item, np.ndarray):
            view += [ALL] * dims_taken(item)
            pick[place] = item
            place += dims_taken(item)
        elif isinstance(item, bool):
            view.append(None)
            pick[place] = np.zeros(int(item), np.int64)
            place += 1
        else:
            view.append(item)
            place += not isinstance(item, int)
    wanted = any([item is not ALL for item in view]) or not pick
    return (*view, Ellipsis) if wanted else None, pick_key(pick) if pick else None


def is_whole_and_places(items, ndim):
    """Whether an index consists of full slices and tensors of int64, of which there are some."""
    some = False
    for item in items:
        if item.__class__ is not slice:
            array = getattr(item, "array", None)
            if array is None or not array.ndim or array.dtype != I64:
                return False
            some = True
        elif item.start is not None or item.stop is not None or item.step is not None:
            return False
    return some and len(items) <= ndim


def is_fitting_mask(array, ndim):
    return array.dtype == np.bool_ and array.ndim <= ndim


def plain_key(index, ndim):
    """The index for NumPy if all in it is plain ints, slices, None and one ellipsis, else None: half the time."""
    items = index if index.__class__ is tuple else (index,)
    taken, open_ended = 0, True
    for item in items:
        kind = item.__class__
        if kind is int:
            taken += 1
        elif kind is slice:
            taken += 1
            start, stop, step = item.start, item.stop, item.step
            if not (step is None or (step.__class__ is int and step > 0)):
                return None
            if not ((start is None or start.__class__ is int) and (stop is None or stop.__class__ is int)):
                return None
        elif item is Ellipsis and open_ended:
            open_ended = False
        elif item is not None:
            return None
    if taken > ndim:
        return None
    return (*items, Ellipsis) if open_ended else items


def too_many(given, ndim):
    if not ndim and len(given) == 1 and isinstance(given[0], int):
        return IndexError("invalid index of a 0-dim tensor. Use `tensor.item()` to convert it to a number")
    return IndexError(f"too many indices for tensor of dimension {ndim}")


def counts(item):
    """Whether an item that is no tensor speaks of a dimension. (A mask that is a list or a NumPy array may speak of
    several, but PyTorch counts it as one: it cannot follow an ellipsis.)"""
    return item is not None and item is not Ellipsis and not isinstance(item, bool)


def dims_taken(item):
    """How many dimensions of the tensor an item, as it was parsed, speaks of."""
    if isinstance(item, np.ndarray):
        return item.ndim if item.dtype == np.bool_ or item.dtype == np.uint8 else 1
    return int(counts(item))


def pick_key(pick):
    """{place: array} as a NumPy index; a mask takes as many places as it has dimensions."""
    key, place = [], 0
    for at, array in pick.items():
        key += [ALL] * (at - place) + [array]
        place = at + dims_taken(array)
    return (*key, Ellipsis)


def as_items(index):
    """PyTorch still reads a list that holds sequences, tensors, slices, None or ... as a tuple (and warns of it)."""
    parts = (list, tuple, range, slice, type(None), type(Ellipsis), np.ndarray)
    if isinstance(index, list) and len(index) < 32 and any(isinstance(i, parts) or hasattr(i, "array") for i in index):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated: x[[[0, 1]]] is "
            "read as x[[0, 1],]. "
            "Use x[tuple(index)] for this meaning, or x[minigrad.tensor(index)] to index with an array.",
            stacklevel=5,
        )
        return tuple(index)
    return (index,)


def parsed(item):
    """An item as None, Ellipsis, bool, int, slice, an array of int64 or a mask (neither of them 0-dim)."""
    if item is None or item is Ellipsis or isinstance(item, bool):
        return item
    if isinstance(item, slice):
        return parsed_slice(item)
    if isinstance(item, str | bytes):
        raise TypeError(f"new(): invalid data type '{type(item).__name__}': it cannot be an index")
    array = getattr(item, "array", None)
    if array is None:
        if not isinstance(item, list | tuple | range | np.ndarray):
            return parsed_int(item)
        array = np.asarray([getattr(n, "array", n) for n in item] if isinstance(item, list | tuple) else item)
        if array.dtype.kind not in "fiub":
            raise TypeError(f"an index must hold integers or bools, not {array.dtype}")
        if array.dtype.kind != "b" and array.dtype != np.uint8:
            array = array.astype(np.int64)  # even floats, as PyTorch's constructor of LongTensors does
    elif array.dtype.kind == "f" or (array.ndim and array.dtype not in INDICES):
        raise IndexError(WRONG_DTYPE)
    if array.dtype == np.uint8:  # PyTorch reads byte tensors as masks
        if array.ndim:
            warnings.warn(
                "indexing with dtype torch.uint8 is now deprecated, please use a dtype torch.bool instead.",
                stacklevel=5,
            )
        array = array != 0
    if not array.ndim:
        return array.item()
    return array.copy() if array.dtype.kind == "b" else array.astype(np.int64)  # the caller may write to his


INDICES = [np.dtype(kind) for kind in ("i8", "i4", "u1", "?")]


def parsed_slice(item):
    try:
        bounds = [None if n is None else n.__index__() for n in (item.start, item.stop, item.step)]
    except AttributeError:
        raise TypeError("slice indices must be integers or None or have an __index__ method") from None
    if bounds[2] is not None and bounds[2] <= 0:
        raise ValueError("step must be greater than zero: use flip() for the reverse order")
    return ALL if bounds in ([None, None, None], [None, None, 1]) else slice(*bounds)


def parsed_int(item):
    if not hasattr(item, "__index__") or isinstance(item, np.bool_):
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are valid indices (got "
            f"{type(item).__name__})"
        )
    return item.__index__()


@on_every_path("common_shape")
def common_shape(op, *shapes):
    """The shape that all broadcast to."""
    try:
        return np.broadcast_shapes(*[tuple(shape) for shape in shapes])
    except ValueError:
        texts = " and ".join([shape_text(shape) for shape in shapes])
        raise RuntimeError(f"{op}(): the shapes {texts} do not broadcast: each size must match or be 1") from None


def is_basic(key):
    """Whether a NumPy index gives a view."""
    return not any([isinstance(item, np.ndarray) for item in key])


def only_array(key):
    """The dimension of the only array of an index of integers, or None."""
    places = [place for place, item in enumerate(key) if isinstance(item, np.ndarray)]
    return places[0] if len(places) == 1 and key[places[0]].dtype.kind == "i" else None


def picked(input, key):
    """input[key] for a NumPy index, with PyTorch's errors."""
    if not input.size:
        check_masks(input, key)  # NumPy lets an empty mask pass
    try:
        return input[key]
    except IndexError as error:
        if is_basic(key):
            text = str(error)
            if text.startswith(("cannot fit", "only integers")):
                raise ValueError("Overflow when unpacking long long: the index is too large") from None
            raise IndexError(text.replace("axis", "dimension")) from None
        if input.size == 0 and "out of bounds" in str(error):
            return input[unchecked(input, key, error)]
        raise pick_error(input, key, error) from None


def unchecked(input, key, error):
    """PyTorch looks at no index where there is no element, unless the very dimension that is indexed is empty."""
    key = tuple([np.zeros_like(item) if is_array(item) and item.dtype.kind == "i" else item for item in key])
    try:
        input[key]
    except IndexError:
        raise pick_error(input, key, error) from None
    return key


def check_masks(input, key):
    """A mask has the sizes of the dimensions it stands for."""
    place = 0
    for item in key[:-1]:
        if is_array(item) and item.dtype.kind == "b":
            for d, n in enumerate(item.shape):
                if n != input.shape[place + d]:
                    raise IndexError(
                        f"The shape of the mask {shape_text(item.shape)} at index {d} does not match the shape of the "
                        f"indexed tensor {shape_text(input.shape)} at index {place + d}"
                    )
            place += item.ndim
        else:
            place += 1


def pick_error(input, key, error):
    """PyTorch's words for an index that does not fit."""
    check_masks(input, key)
    if "broadcast" in str(error):
        shapes = [item.nonzero()[0].shape if item.dtype.kind == "b" else item.shape for item in key if is_array(item)]
        texts = ", ".join([shape_text(shape) for shape in shapes])
        return IndexError(f"shape mismatch: indexing tensors could not be broadcast together with shapes {texts}")
    return IndexError(str(error).replace("axis", "dimension"))


def is_array(item):
    return isinstance(item, np.ndarray)


def index_name(key):
    """What PyTorch's graph calls an index: by its last part."""
    if not is_basic(key):
        return "IndexBackward0"
    parts = [item for item in key if item is not Ellipsis and item != ALL]
    last = parts[-1] if parts else ALL
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
        view, pick = index_steps(index, input.ndim)
        if pick is None:
            return input, view
        return input if view is None else getitem(input, view), pick

    def forward(input, /, index):
        if is_basic(index):
            return picked(input, index)
        if index[0].__class__ is slice and input.size:
            place = only_array(index)
            if place is not None:
                try:
                    return kernels.take(input, index[place], place, True)
                except IndexError as error:
                    raise pick_error(input, index, error) from None
        return np.asarray(picked(input, index), order="C")

    def grad_input(g, input_shape, index):
        return put_back(g, input_shape, index)

    samples = of(
        lambda make: S(make(3, 4), 1),
        lambda make: S(make(3, 4), (slice(None), slice(0, 4, 2))),
        lambda make: S(make(3, 4), ([0, 2, 0],)),
        lambda make: S(make(3, 4), (slice(None), np.array([1, 1, 3]))),
        lambda make: S(make(3, 4), np.array([True, False, True])),
        lambda make: S(make(2, 3, 4), (..., None, -1)),
        lambda make: S(make(2, 3, 4), (1, slice(None), [3, 0])),
        lambda make: S(make(2, 3, 4), ([0, 1, 1], slice(1, 3), [3, 3, 0])),
    )


class put_back(Op):
    """Zeros of a given shape with the input added at `index`: the gradient of indexing."""

    public = ()

    def forward(input, /, shape, index):
        out = np.zeros(shape, input.dtype)
        if not names_once(index):
            add_at(out, index, input)
        elif input.size:
            out[index] = input
        return out

    def grad_input(g, index):
        return getitem(g, index)


def add_at(out, key, source):
    """out[key] += source, where every naming of a place counts."""
    place = only_array(key)
    if place is not None and source.size:
        rows = key[place].reshape(-1)
        shape = (*out.shape[:place], rows.size, *out.shape[place + 1 :])
        source = np.broadcast_to(source, (*out.shape[:place], *key[place].shape, *out.shape[place + 1 :]))
        kernels.index_add(out, rows, source.reshape(shape), place)
    elif names_once(key):
        out[key] += source
    else:
        np.add.at(out, key, source)


def names_once(key):
    """Whether an index names each place once, as slices and masks do."""
    return not any([is_array(item) and item.dtype.kind == "i" for item in key])


class index_put(Op):
    """index_put(input, indices, values, accumulate=False) -> Tensor

    The input with values written (accumulate: added) at the places that the index tensors name together, as
    ``x[indices] = values`` does. (PyTorch: torch.index_put)
    """

    public, broadcasts = (FUNCTION, METHOD, INPLACE), True

    def prepare(input, indices, values, accumulate=False):
        return input, put_values(input, indices, values), index_steps(tuple(indices), input.ndim)[1], accumulate

    def forward(input, other, /, index, accumulate):
        out = np.array(input)
        if other.ndim > 1 and other.shape[0] == 1 and other.ndim > picked(input, index).ndim:  # NumPy would take it
            raise RuntimeError(
                f"shape mismatch: value tensor of shape {shape_text(other.shape)} cannot be broadcast to indexing "
                f"result of shape {shape_text(picked(input, index).shape)}"
            )
        write_at(out, index, other, accumulate)
        return out

    def grad_input(g, index, accumulate):
        return g if accumulate else put_zero(g, index)

    def grad_other(g, index):
        return getitem(g, index)

    samples = of(
        lambda make: S(make(3, 4), (np.array([2, 0]),), make(2, 4)),
        lambda make: S(make(3, 4), (np.array([2, 0, 2]), np.array([1, 1, 1])), make(), accumulate=True),
        lambda make: S(make(3, 4), (np.array([True, False, True]),), make(4)),
    )


@on_every_path("put_values")
def put_values(input, indices, values):
    """The values of `index_put`, checked."""
    if not hasattr(values, "ndim"):
        raise TypeError(f"index_put(): argument 'values' (position 2) must be Tensor, not {type(values).__name__}")
    for place, item in enumerate(indices):
        if not hasattr(item, "ndim"):
            raise TypeError(f"expected Tensor as element {place} in argument 0, but got {type(item).__name__}")
    if not indices:
        raise RuntimeError("index_put(): expected at least one index tensor")
    if np_dtype(values) != np_dtype(input):
        raise other_dtype(input, values)
    return values


def same_dtype_to_put(input, key, values):
    """PyTorch converts the values of an assignment, but not those it puts at places; one number at a mask it does."""
    if np_dtype(values) != np_dtype(input):
        arrays = [item for item in key if is_array(item)]
        if values.numel() == 1 and len(arrays) == 1 and arrays[0].dtype.kind == "b":
            return
        raise other_dtype(input, values)


def other_dtype(input, values):
    name = TENSORS["type_name"]
    return RuntimeError(
        f"Index put requires the source and destination dtypes match, got {name(np_dtype(input))} for the destination "
        f"and {name(np_dtype(values))} for the source."
    )


def write_at(out, key, values, accumulate=False):
    """out[key] = values (or += with every naming of a place counted), with PyTorch's errors."""
    if not out.size:
        check_masks(out, key)
    try:
        if accumulate:
            add_at(out, key, values)
        else:
            out[key] = values
    except IndexError as error:
        if out.size or "out of bounds" not in str(error):
            raise pick_error(out, key, error) from None
        write_at(out, unchecked(out, key, error), values, accumulate)
    except ValueError:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {shape_text(values.shape)} cannot be broadcast to indexing "
            f"result of shape {shape_text(picked(out, key).shape)}"
        ) from None


class put_zero(Op):
    """The input with zeros at `index`: what a write leaves of the gradient of the old values."""

    public, fresh = (), True

    def forward(input, /, index):
        out = np.array(input)
        write_at(out, index, np.zeros((), input.dtype))
        return out

    def grad_input(g, index):
        return put_zero(g, index)
