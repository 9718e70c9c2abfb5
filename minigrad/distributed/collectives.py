"""The collectives: what all ranks of a group call together, in the same order, with the same shapes and dtypes.

Each is one call of MPI's non-blocking kind on the tensors' own memory; with ``async_op=True`` the `Work` is returned at
once, else it is waited for. Tensors that do not lie in one piece go through one copy. Results are written in place,
which counts as a write for autograd, though nothing is recorded: gradients do not flow through a collective.

(PyTorch: torch.distributed)
"""

from __future__ import annotations

import datetime
import functools
import math

import numpy as np

from minigrad.distributed.buffers import (
    as_bytes,
    check_alike,
    check_one_dtype,
    check_tensor,
    check_tensors,
    check_writable,
    line_up,
    put_back,
    room_for,
    stacked,
)
from minigrad.distributed.errors import DistBackendError
from minigrad.distributed.groups import ProcessGroup, of_group, root_of
from minigrad.distributed.reduction import ReduceOp, check_op, mpi_op
from minigrad.distributed.work import Work, as_seconds, done

__all__ = [
    "all_gather", "all_gather_into_tensor", "all_gather_single", "all_reduce", "all_reduce_coalesced", "all_to_all",
    "all_to_all_single", "barrier", "broadcast", "gather", "monitored_barrier", "reduce", "reduce_scatter",
    "reduce_scatter_single", "reduce_scatter_tensor", "scatter",
]  # fmt: skip


def collective(group, words: str, begin, sent, received, finish, tensors, async_op: bool, timeout=None) -> Work | None:
    """One collective of a group: its `Work`, or None after waiting for it.

    words: the call, as it has to be on all ranks. begin: ``begin(comm)`` gives the test of MPI's request. sent,
    received: the arrays, which in a group of one are copied, without MPI. finish: what is to be done with what arrived.
    """
    if group.size() == 1:
        if received is not None and received is not sent:
            received.reshape(-1)[...] = sent.reshape(-1)
        work = Work(done, None, 0.0, finish, tensors)
    else:
        guard = group._watch.begin(group._log, words)
        work = Work(begin(group._comm), guard, timeout or group._timeout, finish, tensors)
    if async_op:
        return work
    work.wait()
    return None


def in_words(function: str, tensor, *more) -> str:
    """A call in words: what has to be the same on all ranks."""
    return " ".join([function, *more, "of", str(tuple(tensor._shape)), name_of(tensor.array.dtype)])


@functools.cache
def name_of(dtype: np.dtype) -> str:
    """``float32``. (NumPy takes a microsecond to say it.)"""
    return dtype.name


def average(op: ReduceOp, array: np.ndarray, group: ProcessGroup) -> None:
    """Make the mean of the sum, where that was asked for."""
    if op is ReduceOp.AVG and group.size() > 1:
        np.divide(array, group.size(), out=array)


def in_place():
    """MPI's word for a buffer that is both sent and received."""
    from mpi4py import MPI

    return MPI.IN_PLACE


def all_reduce(tensor, op=ReduceOp.SUM, group=None, async_op: bool = False) -> Work | None:
    """Combine `tensor` over all ranks, in place: afterwards all have the same, to the last bit.

    Raises TypeError (no tensor, no ReduceOp), RuntimeError (AVG of integers, BAND, BOR, BXOR of floats).
    """
    if (group := of_group(group, "all_reduce")) is None:
        return None
    check_op("all_reduce", op, check_tensor("all_reduce", "tensor", tensor).array.dtype)
    check_writable(tensor)
    array = line_up(tensor)

    def begin(comm):
        operation, datatype = mpi_op(op, array.dtype)
        return comm.Iallreduce(in_place(), [array, array.size, datatype], operation).Test

    def finish():
        average(op, array, group)
        put_back("all_reduce", [tensor], [array])

    return collective(group, in_words("all_reduce", tensor, op.name), begin, array, array, finish, [tensor], async_op)


def all_reduce_coalesced(tensors, op=ReduceOp.SUM, group=None, async_op: bool = False) -> Work | None:
    """`all_reduce` of several tensors of one dtype, as one message."""
    if (group := of_group(group, "all_reduce_coalesced")) is None:
        return None
    tensors = check_tensors("all_reduce_coalesced", "tensors", tensors)
    dtype = check_one_dtype("all_reduce_coalesced", tensors)
    check_op("all_reduce_coalesced", op, dtype)
    check_writable(*tensors)
    flat = np.concatenate([t.array.reshape(-1) for t in tensors])

    def begin(comm):
        operation, datatype = mpi_op(op, dtype)
        return comm.Iallreduce(in_place(), [flat, flat.size, datatype], operation).Test

    def finish():
        average(op, flat, group)
        put_back("all_reduce_coalesced", tensors, apart(flat, tensors))

    words = f"all_reduce_coalesced {op.name} of {len(tensors)} tensors, {flat.size} {dtype.name}"
    return collective(group, words, begin, flat, flat, finish, tensors, async_op)


def apart(flat: np.ndarray, tensors) -> list[np.ndarray]:
    """Pieces of a flat array, of the tensors' shapes."""
    ends = np.cumsum([t.array.size for t in tensors])[:-1]
    return [part.reshape(t._shape) for part, t in zip(np.split(flat, ends), tensors)]


def reduce(
    tensor,
    dst: int | None = None,
    op=ReduceOp.SUM,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """Combine `tensor` over all ranks; the result is written on rank `dst` only, the others keep theirs."""
    if (group := of_group(group, "reduce")) is None:
        return None
    check_op("reduce", op, check_tensor("reduce", "tensor", tensor).array.dtype)
    root = root_of("reduce", group, dst, group_dst, "dst")
    here, array = root == group.rank(), line_up(tensor)
    if here:
        check_writable(tensor)

    def begin(comm):
        operation, datatype = mpi_op(op, array.dtype)
        buffer = [array, array.size, datatype]
        return comm.Ireduce(in_place() if here else buffer, buffer if here else None, operation, root).Test

    def finish():
        if here:
            average(op, array, group)
            put_back("reduce", [tensor], [array])

    words = in_words("reduce", tensor, op.name, f"to {root}")
    return collective(group, words, begin, array, array, finish, [tensor], async_op)


def broadcast(
    tensor,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """Copy `tensor` of rank `src` to all others, in place."""
    if (group := of_group(group, "broadcast")) is None:
        return None
    check_tensor("broadcast", "tensor", tensor)
    root = root_of("broadcast", group, src, group_src, "src")
    here = root == group.rank()
    array = line_up(tensor) if here else room_for(tensor)

    def finish():
        if not here:
            put_back("broadcast", [tensor], [array])

    words = in_words("broadcast", tensor, f"from {root}")
    return collective(
        group, words, lambda comm: comm.Ibcast(as_bytes(array), root).Test, array, array, finish, [tensor], async_op
    )


def all_gather(tensor_list, tensor, group=None, async_op: bool = False) -> Work | None:
    """``tensor_list[i]`` becomes the `tensor` of rank i, on all ranks; all have one shape and dtype."""
    if (group := of_group(group, "all_gather")) is None:
        return None
    outputs = check_tensors("all_gather", "tensor_list", tensor_list)
    check_tensor("all_gather", "tensor", tensor)
    check_alike("all_gather", "tensor_list", outputs, group.size(), tensor)
    check_writable(*outputs)
    sent, received = line_up(tensor), np.empty((group.size(), *tensor._shape), tensor.array.dtype)

    def begin(comm):
        return comm.Iallgather(as_bytes(sent), as_bytes(received)).Test

    def finish():
        put_back("all_gather", outputs, received)

    return collective(group, in_words("all_gather", tensor), begin, sent, received, finish, outputs, async_op)


def all_gather_into_tensor(output_tensor, input_tensor, group=None, async_op: bool = False) -> Work | None:
    """`output_tensor` becomes the `input_tensor` of all ranks, one after the other: concatenated or stacked along the
    first dimension, as its shape says."""
    if (group := of_group(group, "all_gather_into_tensor")) is None:
        return None
    check_tensor("all_gather_into_tensor", "output_tensor", output_tensor)
    check_tensor("all_gather_into_tensor", "input_tensor", input_tensor)
    check_together("all_gather_into_tensor", "output_tensor", output_tensor, "input_tensor", input_tensor, group)
    sent, received = line_up(input_tensor), room_for(output_tensor)
    if np.may_share_memory(sent, received):  # FSDP's way: the input is this rank's part of the output
        sent = sent.copy()

    def begin(comm):
        return comm.Iallgather(as_bytes(sent), as_bytes(received)).Test

    def finish():
        put_back("all_gather_into_tensor", [output_tensor], [received])

    words = in_words("all_gather_into_tensor", input_tensor)
    return collective(group, words, begin, sent, received, finish, [output_tensor], async_op)


all_gather_single = all_gather_into_tensor  # its later name


def check_together(function: str, large_name: str, large, small_name: str, small, group: ProcessGroup) -> None:
    """Check that one tensor has room for a smaller one of each rank."""
    check_one_dtype(function, [large, small])
    if large.array.size != small.array.size * group.size():
        raise RuntimeError(
            f"{function}(): argument '{large_name}': got {large.array.size} elements; expected {group.size()} (the "
            f"size of the group) times the {small.array.size} of '{small_name}'"
        )


def gather(
    tensor,
    gather_list=None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_dst: int | None = None,
) -> Work | None:
    """On rank `dst` (default 0) ``gather_list[i]`` becomes the `tensor` of rank i; the others give no list."""
    if (group := of_group(group, "gather")) is None:
        return None
    check_tensor("gather", "tensor", tensor)
    root = root_of("gather", group, 0 if dst is None and group_dst is None else dst, group_dst, "dst")
    outputs = check_list_at("gather", "gather_list", gather_list, root, group, tensor)
    check_writable(*outputs or ())
    sent = line_up(tensor)
    received = None if outputs is None else np.empty((group.size(), *tensor._shape), sent.dtype)

    def begin(comm):
        return comm.Igather(as_bytes(sent), None if received is None else as_bytes(received), root).Test

    def finish():
        if outputs is not None:
            put_back("gather", outputs, received)

    words = in_words("gather", tensor, f"to {root}")
    return collective(group, words, begin, sent, received, finish, outputs or [], async_op)


def check_list_at(function: str, name: str, tensors, root: int, group: ProcessGroup, like):
    """The list that only rank `root` gives; None on the others."""
    if root != group.rank():
        if tensors:
            raise ValueError(
                f"{function}(): Argument `{name}` must NOT be specified on ranks other than rank {group._ranks[root]}"
            )
        return None
    if not tensors:
        raise ValueError(f"{function}(): Argument `{name}` must be specified on rank {group._ranks[root]}")
    tensors = check_tensors(function, name, tensors)
    check_alike(function, name, tensors, group.size(), like)
    return tensors


def scatter(
    tensor,
    scatter_list=None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    async_op: bool = False,
    group_src: int | None = None,
) -> Work | None:
    """`tensor` becomes ``scatter_list[i]`` of rank `src` (default 0) on rank i; the others give no list."""
    if (group := of_group(group, "scatter")) is None:
        return None
    check_tensor("scatter", "tensor", tensor)
    root = root_of("scatter", group, 0 if src is None and group_src is None else src, group_src, "src")
    inputs = check_list_at("scatter", "scatter_list", scatter_list, root, group, tensor)
    sent = None if inputs is None else stacked(inputs)
    received = room_for(tensor)

    def begin(comm):
        return comm.Iscatter(None if sent is None else as_bytes(sent), as_bytes(received), root).Test

    def finish():
        put_back("scatter", [tensor], [received])

    words = in_words("scatter", tensor, f"from {root}")
    return collective(group, words, begin, sent, received, finish, [tensor], async_op)


def reduce_scatter(output, input_list, op=ReduceOp.SUM, group=None, async_op: bool = False) -> Work | None:
    """`output` becomes ``input_list[rank]``, combined over all ranks."""
    if (group := of_group(group, "reduce_scatter")) is None:
        return None
    check_tensor("reduce_scatter", "output", output)
    inputs = check_tensors("reduce_scatter", "input_list", input_list)
    check_alike("reduce_scatter", "input_list", inputs, group.size(), output)
    return share_of_sum("reduce_scatter", output, stacked(inputs), op, group, async_op)


def reduce_scatter_tensor(output, input, op=ReduceOp.SUM, group=None, async_op: bool = False) -> Work | None:
    """`output` becomes this rank's part of `input`, combined over all ranks; the parts lie one after the other along
    the first dimension."""
    if (group := of_group(group, "reduce_scatter_tensor")) is None:
        return None
    check_tensor("reduce_scatter_tensor", "output", output)
    check_tensor("reduce_scatter_tensor", "input", input)
    check_together("reduce_scatter_tensor", "input", input, "output", output, group)
    sent = line_up(input)
    if np.may_share_memory(sent, output.array):
        sent = sent.copy()
    return share_of_sum("reduce_scatter_tensor", output, sent, op, group, async_op)


reduce_scatter_single = reduce_scatter_tensor  # its later name


def share_of_sum(function: str, output, sent: np.ndarray, op: ReduceOp, group, async_op: bool) -> Work | None:
    """`output` becomes this rank's part of the array `sent`, combined over all ranks."""
    check_op(function, op, output.array.dtype)
    received = room_for(output)

    def begin(comm):
        operation, datatype = mpi_op(op, sent.dtype)
        count = received.size  # of one part, for both
        return comm.Ireduce_scatter_block([sent, count, datatype], [received, count, datatype], operation).Test

    def finish():
        average(op, received, group)
        put_back(function, [output], [received])

    words = in_words(function, output, op.name)
    return collective(group, words, begin, sent, received, finish, [output], async_op)


def all_to_all(output_tensor_list, input_tensor_list, group=None, async_op: bool = False) -> Work | None:
    """``output_tensor_list[i]`` becomes what rank i has for this one, ``input_tensor_list[rank]`` there. The shapes may
    differ; all are of one dtype."""
    if (group := of_group(group, "all_to_all")) is None:
        return None
    outputs = check_tensors("all_to_all", "output_tensor_list", output_tensor_list)
    inputs = check_tensors("all_to_all", "input_tensor_list", input_tensor_list)
    check_alike("all_to_all", "output_tensor_list", outputs, group.size())
    check_writable(*outputs)
    check_alike("all_to_all", "input_tensor_list", inputs, group.size())
    dtype = check_one_dtype("all_to_all", [*outputs, *inputs])
    sent = np.concatenate([t.array.reshape(-1) for t in inputs])
    received = np.empty(sum(t.array.size for t in outputs), dtype)
    sizes = [t.array.size for t in inputs], [t.array.size for t in outputs]

    def finish():
        put_back("all_to_all", outputs, apart(received, outputs))

    return exchange(group, f"all_to_all of {dtype.name}", sent, received, sizes, finish, outputs, async_op)


def exchange(group, words: str, sent, received, sizes, finish, tensors, async_op: bool) -> Work | None:
    """Pieces of `sent` to all ranks, pieces of theirs into `received`; sizes: (of what is sent, of what comes).

    The sizes are exchanged first, and waited for: MPI would say nothing of what does not fit, or crash.
    """
    mine, theirs = np.array(sizes[0], np.int64), np.empty(group.size(), np.int64)

    def begin_sizes(comm):
        return comm.Ialltoall(mine, theirs).Test

    collective(group, words, begin_sizes, mine, theirs, None, [], False)
    for rank, comes, room in zip(group._ranks, theirs.tolist(), sizes[1]):
        if comes != room:
            raise DistBackendError(
                f"{words}: rank {rank} sends {comes} elements to rank {group._ranks[group.rank()]}, which has room for "
                f"{room}"
            )
    counts = [[size * sent.itemsize for size in each] for each in sizes]

    def begin(comm):
        return comm.Ialltoallv([as_bytes(sent), counts[0]], [as_bytes(received), counts[1]]).Test

    return collective(group, words, begin, sent, received, finish, tensors, async_op)


def all_to_all_single(
    output, input, output_split_sizes=None, input_split_sizes=None, group=None, async_op: bool = False
) -> Work | None:
    """Part i of `input` goes to rank i, and what comes from rank i becomes part i of `output`. The parts are along the
    first dimension, of the sizes given, or equal."""
    if (group := of_group(group, "all_to_all_single")) is None:
        return None
    check_tensor("all_to_all_single", "output", output)
    check_tensor("all_to_all_single", "input", input)
    dtype = check_one_dtype("all_to_all_single", [output, input])
    sizes = (
        split_sizes("input", input, input_split_sizes, group),
        split_sizes("output", output, output_split_sizes, group),
    )
    sent, received = line_up(input), room_for(output)

    def finish():
        put_back("all_to_all_single", [output], [received])

    return exchange(group, f"all_to_all_single of {dtype.name}", sent, received, sizes, finish, [output], async_op)


def split_sizes(name: str, tensor, given, group: ProcessGroup) -> list[int]:
    """How many elements each rank's part of `tensor` has."""
    rows = tensor._shape[0] if tensor._shape else 1
    if given:
        if len(given) != group.size() or sum(given) != rows:
            raise RuntimeError(
                f"all_to_all_single(): argument '{name}_split_sizes': got {list(given)}; expected {group.size()} "
                f"sizes, one for each rank, that sum to the {rows} rows of '{name}'"
            )
        parts = list(given)
    elif rows % group.size():
        raise RuntimeError(
            f"all_to_all_single(): argument '{name}': Tensor's dim 0 ({rows}) does not divide equally across the group "
            f"size ({group.size()}); give {name}_split_sizes"
        )
    else:
        parts = [rows // group.size()] * group.size()
    return [part * math.prod(tensor._shape[1:]) for part in parts]


def barrier(
    group: ProcessGroup | None = None,
    async_op: bool = False,
    device_ids=None,
    timeout: datetime.timedelta | None = None,
) -> Work | None:
    """Wait until all ranks of the group are here."""
    if (group := of_group(group, "barrier")) is None:
        return None
    return collective(
        group, "barrier", lambda comm: comm.Ibarrier().Test, None, None, None, [], async_op, as_seconds(timeout)
    )


def monitored_barrier(group: ProcessGroup | None = None, timeout=None, wait_all_ranks: bool = False) -> None:
    """`barrier`, whose error names all ranks that are missing in any case. timeout: a timedelta, or seconds."""
    barrier(group, timeout=timeout)
