"""Counting: distinct elements, places in sorted sequences, histograms, quantiles."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.registry import FUNCTION, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, constant, of
from minigrad.shapes import index_of, one_dim

DISTINCT = of(
    lambda make: S(make(12, low=0, high=5, kind="i")),
    lambda make: S(make(3, 4, low=0, high=3, kind="i"), return_inverse=True, return_counts=True),
    lambda make: S(make(6, 2, low=0, high=2, kind="i"), return_inverse=True, dim=0),
)


class distinct_elements(Op):
    """The distinct elements (or slices along `dim`), where each went, and how many there are of each; called by
    `unique` and `unique_consecutive`."""

    public, nout, aux = (), 3, ("inverse", "counts")

    def forward(input, /, dim, in_order):
        rows = input.reshape(-1, 1) if dim is None else along(input, dim, "unique")
        order = np.lexsort(rows.T[::-1]) if in_order and rows.size else np.arange(len(rows))
        sorted_rows = rows[order]
        starts = np.ones(len(rows), bool)
        starts[1:] = (sorted_rows[1:] != sorted_rows[:-1]).any(1)  # a NaN is like no other
        inverse = np.empty(len(rows), np.int64)
        inverse[order] = np.cumsum(starts) - 1
        counts = np.diff(np.append(np.flatnonzero(starts), len(rows)))
        if dim is None:
            return sorted_rows[starts, 0], inverse.reshape(input.shape), counts
        return np.take(input, order[starts], dim), inverse, counts


def along(input, dim, op):
    """The slices along a dimension, each as a row."""
    if not input.ndim:
        raise IndexError(f"Dimension specified as {dim} but tensor has no dimensions in {op}()")
    if 0 in input.shape and (input.shape[dim] or input.shape.count(0) > 1):
        raise RuntimeError(
            f"There are 0 sized dimensions, and they aren't selected, so {op} cannot be applied: the shape is "
            f"{shape_text(input.shape)}"
        )
    slices = np.moveaxis(input, dim, 0)
    return slices.reshape(len(slices), input.size // len(slices) if len(slices) else 0)


@helper
def asked_for(found, return_inverse, return_counts):
    """The distinct elements, alone or in a tuple with what else was asked for."""
    values, inverse, counts = found
    if not (return_inverse or return_counts):
        return values
    return (values, *((inverse,) if return_inverse else ()), *((counts,) if return_counts else ()))


@composite(samples=DISTINCT)
def unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None):
    """unique(input, sorted=True, return_inverse=False, return_counts=False, dim=None) -> Tensor or tuple

    The distinct elements in order, or the distinct slices along `dim`; then, if asked for, where each element went, and
    how often each occurs. (PyTorch: torch.unique)
    """
    dim = dim if dim is None else one_dim(dim, input.ndim, "unique")
    return asked_for(distinct_elements(input, dim, True), return_inverse, return_counts)


@composite(samples=DISTINCT)
def unique_consecutive(input, return_inverse=False, return_counts=False, dim=None):
    """unique_consecutive(input, return_inverse=False, return_counts=False, dim=None) -> Tensor or tuple

    `unique`, where only neighbours are compared: each run of equal elements (or slices along `dim`) gives one.
    (PyTorch: torch.unique_consecutive)
    """
    dim = dim if dim is None else one_dim(dim, input.ndim, "unique_consecutive")
    return asked_for(distinct_elements(input, dim, False), return_inverse, return_counts)


class bincount(Op):
    """bincount(input, weights=None, minlength=0) -> Tensor

    How often each integer from 0 up occurs in a vector; with weights, the sum of theirs. At least minlength of them.
    (PyTorch: torch.bincount)
    """

    optional = ("weights",)

    def prepare(input, weights=None, minlength=0):
        least = index_of(minlength, "bincount", "minlength")
        if np_dtype(input).kind in "fb":
            kind = type_name(np_dtype(input))
            raise NotImplementedError(f"\"bincount_cpu\" not implemented for '{kind}': expected integers")
        if least < 0:
            raise RuntimeError(f"minlength should be >= 0 in bincount(), but got {least}")
        return input, weights, least

    def forward(input, weights, /, minlength):
        if input.ndim != 1 or (input.size and input.min() < 0):
            raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
        if weights is None:
            return np.bincount(input, None, minlength)
        if weights.shape != input.shape:
            raise RuntimeError(
                "bincount(): weights should be 1-d and have the same length as input: got shapes "
                f"{shape_text(weights.shape)} and {shape_text(input.shape)}"
            )
        if not input.size and not minlength:
            return np.zeros(0, np.int64)
        return np.bincount(input, weights, minlength).astype(np.float32 if weights.dtype == np.float32 else np.float64)

    samples = of(
        lambda make: S(make(12, low=0, high=5, kind="i")),
        lambda make: S(make(6, low=0, high=5, kind="i"), constant([0.5, 1.0, 2.0, 0.25, 1.5, 3.0]), minlength=8),
    )


@on_every_path("search_side")
def search_side(right, side, op):
    """Whether to search from the right, by `right` and by `side`."""
    if side not in (None, "left", "right"):
        raise RuntimeError(f"{op}(): side can only be 'left' or 'right' but got {side}")
    if side == "left" and right:
        raise RuntimeError(f"{op}(): side and right can't be set to opposites, got side of left while right was True")
    return right or side == "right"


class search_rows(Op):
    """Where each value belongs in its row of a sorted sequence; called by `searchsorted` and `bucketize`."""

    public = ()

    def forward(sorted_sequence, input, /, right, out_int32):
        side, kind = "right" if right else "left", np.int32 if out_int32 else np.int64
        if sorted_sequence.dtype.kind == "b" and input.size:
            raise NotImplementedError("\"searchsorted_out_cpu\" not implemented for 'Bool': convert with .int()")
        if sorted_sequence.ndim == 1:
            return np.asarray(np.searchsorted(sorted_sequence, input, side), kind)
        out = np.empty(input.shape, kind)
        for place in np.ndindex(input.shape[:-1]):
            out[place] = np.searchsorted(sorted_sequence[place], input[place], side)
        return out


@composite(
    out=True,
    public=(FUNCTION,),
    samples=of(
        lambda make: S(constant([1.0, 2.0, 2.0, 4.0]), constant([[0.0, 2.0], [3.0, 5.0]])),
        lambda make: S(constant([[1.0, 2.0], [3.0, 4.0]]), constant([[2.0], [3.0]]), right=True, out_int32=True),
        lambda make: S(constant([4.0, 1.0, 2.0]), constant([1.5, 2.0]), side="right", sorter=np.array([1, 2, 0])),
    ),
)
def searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None):
    """searchsorted(sorted_sequence, input, *, out_int32=False, right=False, side=None, sorter=None) -> LongTensor

    Where in a sorted vector (or in the row of the same place, (..., n)) each value of input, (..., m) or a number,
    would be put to keep it sorted: before equal ones, or with ``right=True`` after them. sorter: indices that sort the
    sequence. (PyTorch: torch.searchsorted)
    """
    right = search_side(right, side, "torch.searchsorted")
    number = not hasattr(input, "shape")
    if sorted_sequence.ndim != 1 and (number or not input.ndim):
        raise RuntimeError(
            "torch.searchsorted(): input value can be a scalar only when boundaries tensor dimension is 1, but we got "
            f"boundaries tensor dim({sorted_sequence.ndim})"
        )
    if not number and sorted_sequence.ndim != 1 and sorted_sequence.shape[:-1] != input.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 dimensions of boundaries "
            f"tensor and input value tensor must match, but we got boundaries {shape_text(sorted_sequence.shape)} and "
            f"values {shape_text(input.shape)}"
        )
    if sorter is not None:
        if sorter.shape != sorted_sequence.shape:
            raise RuntimeError(
                "torch.searchsorted(): boundary and sorter must have the same size, but got boundary tensor "
                f"{shape_text(sorted_sequence.shape)} and got sorter tensor {shape_text(sorter.shape)}"
            )
        if np_dtype(sorter) != np.dtype("i8"):
            raise RuntimeError(
                f"torch.searchsorted(): sorter must be a tensor of long dtype but got dtype {sorter.dtype}"
            )
        check_sorter(sorter, sorted_sequence.shape[-1])
        sorted_sequence = gather(sorted_sequence, -1, sorter)
    sorted_sequence, input = promoted(sorted_sequence, input)
    return search_rows(sorted_sequence, input, right, out_int32)


@on_every_path("check_sorter")
def check_sorter(sorter, size):
    """The indices of a sorter are indices."""
    array = getattr(sorter, "array", sorter)
    if array.size and (array.min() < 0 or array.max() >= size):
        raise RuntimeError(f"torch.searchsorted(): sorter index out of range: expected 0 to {size - 1}")


@composite(
    out=True,
    public=(FUNCTION,),
    samples=of(
        lambda make: S(constant([[0.5, 2.0], [3.0, 5.0]]), constant([1.0, 2.0, 4.0])),
        lambda make: S(constant([0.5, 2.0]), constant([1.0, 2.0, 4.0]), right=True, out_int32=True),
    ),
)
def bucketize(input, boundaries, *, out_int32=False, right=False):
    """bucketize(input, boundaries, *, out_int32=False, right=False) -> LongTensor

    The number of the bucket of each value (or of a number) between sorted boundaries: `searchsorted` with the
    arguments exchanged. (PyTorch: torch.bucketize)
    """
    if boundaries.ndim != 1:
        raise RuntimeError(f"boundaries tensor must be 1 dimension, but got dim({boundaries.ndim}) in bucketize()")
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


def bounds(array, low, high, op):
    """The range of a histogram: the one given, or that of the data; widened where it is a single number."""
    if low is None or (op == "histc" and low == high and array.size):
        low, high = (array.min().item(), array.max().item()) if array.size else (0.0, 1.0)
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"torch.{op}: range of [{low}, {high}] is not finite")
    if low > high:
        wrong = "max must be larger than min" if op == "histc" else "min should not exceed max"
        raise RuntimeError(f"torch.{op}: {wrong}, but got min {low} max {high}")
    if low == high:
        widen = 1 if op == "histc" else 0.5
        return low - widen, high + widen
    return low, high


def edges_between(low, high, bins, dtype):
    """The edges of bins of one width, counted from the nearer end, as PyTorch's linspace does."""
    low, high = dtype.type(low), dtype.type(high)
    step, number = (high - low) / dtype.type(bins), np.arange(bins + 1).astype(dtype)
    return np.where(number < (bins + 1) // 2, low + step * number, high - step * (dtype.type(bins) - number))


@on_every_path("check_bins")
def check_bins(bins, op):
    """The number of bins, which must be positive."""
    bins = index_of(bins, op, "bins")
    if bins <= 0:
        raise RuntimeError(f"torch.histogram(): bins must be > 0, but got {bins} for dimension 0")
    return bins


@on_every_path("histogram_floats")
def histogram_floats(input, op):
    """The input of a histogram, which must hold floats."""
    if np_dtype(input).kind != "f":
        raise NotImplementedError(f'"{op}" not implemented for {input.dtype!r}: convert the input with .float()')
    return input


class histc(Op):
    """histc(input, bins=100, min=0, max=0) -> Tensor

    How many elements lie in each of `bins` bins of one width between min and max; by default between the smallest and
    the largest element. What lies outside is not counted. (PyTorch: torch.histc)
    """

    def prepare(input, bins=100, min=0, max=0):
        return histogram_floats(input, "histogram_cpu"), check_bins(bins, "histc"), min, max

    def forward(input, /, bins, min, max):
        low, high = bounds(input, min, max, "histc")
        low, high = input.dtype.type(low), input.dtype.type(high)
        inside = input[(input >= low) & (input <= high)]
        number = ((inside - low) * input.dtype.type(bins) / (high - low)).astype(np.int64)
        return np.bincount(np.minimum(number, bins - 1), None, bins).astype(input.dtype)

    samples = of(lambda make: S(make(12), 4), lambda make: S(make(12), 5, -1, 2))


class histogram_counts(Op):
    """How much each bin has, and the edges of the bins; called by `histogram`."""

    public, nout, aux, optional = (), 2, ("bin_edges",), ("edges", "weight")

    def forward(input, edges, weight, /, bins, low, high, density):
        if weight is not None and weight.shape != input.shape:
            raise RuntimeError(
                "torch.histogramdd: if weight tensor is provided it should have the same shape as the input tensor: "
                f"got {shape_text(weight.shape)} and {shape_text(input.shape)}"
            )
        if edges is None:
            edges = edges_between(*bounds(input, low, high, "histogramdd"), bins, input.dtype)
        elif edges.ndim != 1 or edges.size < 2:
            raise RuntimeError(
                f"torch.histogram(): bins should have one dimension and two edges: got {shape_text(edges.shape)}"
            )
        count = edges.size - 1
        inside = (input >= edges[0]) & (input <= edges[-1])
        number = np.minimum(np.searchsorted(edges, input[inside], "right") - 1, count - 1)
        if weight is None:
            found = np.bincount(number, None, count).astype(input.dtype)
        else:
            found = np.zeros(count, input.dtype)
            np.add.at(found, number, weight[inside])
        if density:
            found = found / (found.sum() * np.diff(edges))
        return found, edges


@composite(
    out=True,
    samples=of(
        lambda make: S(make(12), 4),
        lambda make: S(make(6), 3, range=(-1.0, 2.0), weight=constant([0.5, 1.0, 2.0, 0.25, 1.5, 3.0]), density=True),
        lambda make: S(make(12), constant([-2.0, 0.0, 0.5, 2.5])),
    ),
)
def histogram(input, bins=100, *, range=None, weight=None, density=False):
    """histogram(input, bins=100, *, range=None, weight=None, density=False) -> (hist, bin_edges)

    How many elements, or how much of their weight, each bin has. bins: how many of one width, between the two ends of
    range (by default of the data), or a tensor of their edges. density: divided by the total and by the widths.
    (PyTorch: torch.histogram)
    """
    edges = bins if hasattr(bins, "shape") else None
    if range is not None and edges is not None:
        raise TypeError("histogram(): range is for a number of bins, but bins are edges: leave one out")
    if range is not None and len(range) != 2:
        raise RuntimeError(f"torch.histogram(): range should have 2 elements, but got {len(range)}")
    histogram_floats(input, "histogramdd")
    for name, given in (("bins", edges), ("weight", weight)):
        if given is not None and np_dtype(given) != np_dtype(input):
            raise RuntimeError(
                f"torch.histogramdd: input tensor and {name} tensor should have the same dtype, but got {input.dtype} "
                f"and {given.dtype}"
            )
    low, high = (None, None) if range is None else range
    bins = check_bins(bins, "histogram") if edges is None else None
    found = histogram_counts(input, edges, weight, bins, low, high, density)
    return named_tuple("histogram", ("hist", "bin_edges"))(*found)


QUANTILES = of(
    lambda make: S(make(3, 4), 0.4),
    lambda make: S(make(3, 5), constant([0.1, 0.75]), dim=1),
    lambda make: S(make(3, 4), 0.3, 0, True, interpolation="nearest"),
    lambda make: S(make(2, 4), 0.6, 1, interpolation="midpoint"),
)
INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


@on_every_path("check_quantile")
def check_quantile(input, q, interpolation, op):
    """What `quantile` takes."""
    if np_dtype(input) not in (np.dtype("f4"), np.dtype("f8")):
        raise RuntimeError(f"{op}() input tensor must be either float or double dtype, but got {input.dtype}")
    if 0 in input.shape:
        raise RuntimeError(f"{op}() input tensor must be non-empty, but its shape is {shape_text(input.shape)}")
    if interpolation not in INTERPOLATIONS:
        raise RuntimeError(
            f"{op}() interpolation must be one of linear, lower, higher, midpoint or nearest, but got {interpolation}"
        )
    if isinstance(q, int | float):
        if not 0 <= q <= 1:
            raise RuntimeError(f"{op}() q must be in the range [0, 1] but got {q}")
        return
    if not hasattr(q, "shape"):
        raise TypeError(f"{op}(): argument 'q' must be a float or a Tensor, not {type(q).__name__}")
    if q.ndim > 1:
        raise RuntimeError(f"{op}() q must be a scalar or 1D tensor, but it is {q.ndim}-D")
    if np_dtype(q) != np_dtype(input):
        raise RuntimeError(f"{op}() q tensor must be same dtype as the input tensor: got {q.dtype}, {input.dtype}")
    values = getattr(q, "array", q)
    if not ((values >= 0) & (values <= 1)).all():
        raise RuntimeError(f"{op}() q values must be in the range [0, 1]")


@helper
def quantiles(input, q, dim, keepdim, interpolation, without_nan, op):
    """`quantile` and `nanquantile`: between the elements on either side of the place ``q * (size - 1)`` in order."""
    check_quantile(input, q, interpolation, op)
    shape = tuple(input.shape)
    if dim is None:
        rows, reduced = reshape(input, (-1,)), (1,) * len(shape) if keepdim else ()
    else:
        dim = one_dim(dim, input.ndim, op)
        rows = movedim(input, dim, -1) if shape else reshape(input, (-1,))
        ones = tuple([1 if d == dim else size for d, size in enumerate(shape)])
        reduced = ones if keepdim else tuple([size for d, size in enumerate(shape) if d != dim])
    rows = sort(rows, -1)[0]
    whole = zeros_of((), np_dtype(rows)) + q
    several = whole.ndim == 1
    whole = reshape(whole, (-1,))
    size = rows.shape[-1]
    present = sum(rows == rows, -1, True)  # NaN is sorted to the end
    if without_nan:
        place = whole * to_dtype(where(present == 0, 1, present) - 1, np_dtype(rows))
    else:
        place = where(present == size, whole * (size - 1.0), size - 1.0)
    before = to_dtype(place, np.dtype("i8"))
    weight = place - before
    below, above = gather(rows, -1, before), gather(rows, -1, before + (place > before))
    if interpolation == "nearest":
        out = where((weight > 0.5) | ((weight == 0.5) & (before % 2 == 1)), above, below)
    elif interpolation in ("lower", "higher"):
        out = below if interpolation == "lower" else above
    else:
        weight = weight if interpolation == "linear" else zeros_of((), np_dtype(rows)) + 0.5
        out = where(weight < 0.5, below + weight * (above - below), above - (above - below) * (1.0 - weight))
    out = movedim(out, -1, 0)
    return reshape(out, (*whole.shape, *reduced) if several else reduced)


@composite(out=True, samples=QUANTILES)
def quantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """quantile(input, q, dim=None, keepdim=False, *, interpolation="linear") -> Tensor

    The q-th quantiles of all elements or along `dim`, for q (a number, or a vector) from 0 to 1: a vector gives the
    result a first dimension. interpolation: "linear", "lower", "higher", "midpoint" or "nearest", where a quantile lies
    between two elements. NaN where there is a NaN. (PyTorch: torch.quantile)
    """
    return quantiles(input, q, dim, keepdim, interpolation, False, "quantile")


@composite(out=True, samples=QUANTILES)
def nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear"):
    """nanquantile(input, q, dim=None, keepdim=False, *, interpolation="linear") -> Tensor

    `quantile` of what is not NaN. (PyTorch: torch.nanquantile)
    """
    return quantiles(input, q, dim, keepdim, interpolation, True, "nanquantile")
