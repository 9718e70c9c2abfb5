"""Views that step through memory in their own way: overlapping windows, and any strides at all."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.

import numpy as np

from minigrad.errors import shape_text
from minigrad.memory import distances, offset_in_storage, storage_of, strided_view, strides_of
from minigrad.registry import FUNCTION, INPLACE, METHOD, Op, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, one_dim


class windows(Op):
    """unfold(dimension, size, step) -> Tensor

    A view of all windows of `size` elements of a dimension, their starts `step` apart; the elements of a window become
    the last dimension. Where windows overlap it may not be written to. (PyTorch: torch.Tensor.unfold)
    """

    # Called by `Tensor.unfold`: nn.functional.unfold is another function of the name.
    view, public, backward_name = "always", (), "UnfoldBackward0"

    def prepare(input, dimension, size, step):
        dim = one_dim(dimension, input.ndim, "unfold")
        size, step = index_of(size, "unfold", "size"), index_of(step, "unfold", "step")
        extent = input.shape[dim] if input.ndim else 1
        if size < 0:
            raise RuntimeError(f"size is {size} but must be >= 0")
        if size > extent:
            raise RuntimeError(f"maximum size for tensor at dimension {dim} is {extent} but size is {size}")
        if step <= 0:
            raise RuntimeError(f"step is {step} but must be > 0")
        return input, dim, size, step

    def forward(input, /, dimension, size, step):
        if not input.ndim:
            return input.reshape(1)[:size]
        extent, stride = input.shape[dimension], input.strides[dimension]
        shape, strides = [*input.shape, size], [*input.strides, stride]
        shape[dimension], strides[dimension] = (extent - size) // step + 1, stride * step
        return strided_view(input, 0, shape, strides, step >= size and input.flags.writeable)

    def grad_input(g, input_shape, dimension, size, step):
        return fold_windows(g, input_shape, dimension, size, step)


class fold_windows(Op):
    """The sum of windows, each in its place: the gradient of `windows`."""

    public, fresh, backward_name = (), True, "UnfoldBackwardBackward0"

    def forward(input, /, shape, dimension, size, step):
        result = np.zeros(shape, input.dtype)
        if not shape:
            return result + input.sum()
        count = input.shape[dimension]
        for k in range(size):
            place = slice(k, k + step * (count - 1) + 1, step)
            result[(*(slice(None),) * dimension, place)] += input[..., k]
        return result

    def grad_input(g, dimension, size, step):
        return windows(g, dimension, size, step)


class as_strided(Op):
    """as_strided(input, size, stride, storage_offset=None) -> Tensor

    A view of the memory under the input with any shape, any strides and any first element (counted from where that
    memory begins; None: the input's own). Where elements overlap it may not be written to. Elements of the memory that
    are not the input's have no gradient. (PyTorch: torch.as_strided)
    """

    view, public = "always", (FUNCTION, METHOD, INPLACE)

    def prepare(input, size, stride, storage_offset=None):
        return input, *strided_geometry(input, size, stride, storage_offset)

    def forward(input, /, size, stride, storage_offset):
        """storage_offset: (from the input's first element on, the input's strides)."""
        offset, strides = storage_offset
        if strides_of(input) != strides:
            raise RuntimeError("as_strided(): the memory of the base is not dense: clone() it before taking views")
        far = distances(size, stride)
        start = offset_in_storage(input) + offset
        length = storage_of(input).nbytes // input.itemsize
        if far.size and (start < 0 or start + far.max() >= length):
            raise RuntimeError(
                f"setStorage: sizes {shape_text(size)}, strides {shape_text(stride)}, storage offset {start}, and "
                f"itemsize {input.itemsize} requiring a storage size of {(start + far.max() + 1) * input.itemsize} are "
                f"out of bounds for storage of size {length * input.itemsize}"
            )
        apart = np.unique(far).size == far.size
        steps = [s * input.itemsize for s in stride]
        return strided_view(input, offset * input.itemsize, size, steps, apart and input.flags.writeable)

    def grad_input(g, input_shape, size, stride, storage_offset):
        here, there = (size, stride, storage_offset[0]), (input_shape, storage_offset[1], 0)
        return moved_in_memory(g, here, there, there)

    # Only samples that do not depend on how the input lies in memory; tests/test_strided.py has the others.
    samples = of(lambda make: S(make(3, 4), (1, 1), (4, 1)), lambda make: S(make(6), (2, 3), (0, 0)))


@on_every_path("strided_geometry")
def strided_geometry(input, size, stride, storage_offset):
    """The arguments of as_strided, checked. An offset that is a pair is one already made here (a view derived anew)."""
    size = tuple([index_of(n, "as_strided", "size") for n in size])
    stride = tuple([index_of(n, "as_strided", "stride") for n in stride])
    if len(size) != len(stride):
        raise RuntimeError(f"mismatch in length of strides and shape: {shape_text(stride)}, {shape_text(size)}")
    if any(n < 0 for n in size):
        raise RuntimeError(f"Storage size calculation overflowed with sizes={shape_text(size)}: they must be >= 0")
    if any(n < 0 for n in stride):
        raise RuntimeError(f"as_strided: Negative strides are not supported at the moment, got strides: {stride}")
    if isinstance(storage_offset, tuple):
        return size, stride, storage_offset
    array = getattr(input, "array", input)
    if storage_offset is None:
        return size, stride, (0, strides_of(array))
    offset = index_of(storage_offset, "as_strided", "storage_offset")
    if offset < 0:
        raise RuntimeError(f"Tensor: invalid storage offset {offset}: it must be >= 0")
    return size, stride, (offset - offset_in_storage(array), strides_of(array))


class moved_in_memory(Op):
    """What lies in memory at one geometry (shape, strides, offset), added up there and read at another: the gradient of
    `as_strided`. An element of the view's input that stands for several (`whole`: its geometry) gets its share."""

    public, fresh, backward_name = (), True, "AsStridedBackwardBackward0"

    def forward(input, /, was, wanted, whole):
        put, get = [distances(shape, strides) + offset for shape, strides, offset in (was, wanted)]
        reach = np.concatenate([[0], put.ravel(), get.ravel()])
        low = int(reach.min())
        memory = np.zeros(int(reach.max()) - low + 1, input.dtype)
        np.add.at(memory, put - low, input)
        counts = np.bincount((distances(*whole[:2]) + whole[2] - low).ravel(), minlength=memory.size)
        return (memory / np.maximum(counts, 1).astype(input.dtype))[get - low]

    def grad_input(g, was, wanted, whole):
        return moved_in_memory(g, wanted, was, whole)
