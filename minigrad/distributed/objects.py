"""Any Python object between ranks: pickled, so only among processes that trust each other, and not for large arrays.

What is pickled is sent as a tensor of bytes, by the collectives for tensors. (PyTorch: torch.distributed)
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np

from minigrad.distributed.collectives import all_gather, broadcast, gather, scatter
from minigrad.distributed.groups import ProcessGroup, of_group, root_of
from minigrad.distributed.points import recv, send
from minigrad.tensor import Tensor, wrap

__all__ = [
    "all_gather_object", "broadcast_object_list", "gather_object", "recv_object_list", "scatter_object_list",
    "send_object_list",
]  # fmt: skip


def packed(value: Any) -> np.ndarray:
    """An object as bytes."""
    return np.frombuffer(pickle.dumps(value), np.uint8)


def unpacked(data: np.ndarray) -> Any:
    """The object that bytes are."""
    return pickle.loads(data.tobytes())


def sizes_of(parts) -> Tensor:
    """How many bytes each of some arrays has, as a tensor."""
    return wrap(np.array([len(part) for part in parts], np.int64))


def joined(parts) -> Tensor:
    """Arrays of bytes as one tensor."""
    return wrap(np.concatenate([*parts, np.empty(0, np.uint8)]))


def split(data: Tensor, sizes) -> list[Any]:
    """The objects in a tensor of bytes."""
    ends = np.cumsum(sizes)
    return [unpacked(data.array[end - size : end]) for end, size in zip(ends, sizes)]


def padded(part: np.ndarray, size: int) -> Tensor:
    """Bytes as a tensor of `size` of them."""
    room = np.zeros(size, np.uint8)
    room[: len(part)] = part
    return wrap(room)


def all_gather_object(object_list: list[Any], obj: Any, group: ProcessGroup | None = None) -> None:
    """``object_list[i]`` becomes the `obj` of rank i."""
    if (group := of_group(group, "all_gather_object")) is None:
        return
    check_room("all_gather_object", "object_list", object_list, group)
    part = packed(obj)
    sizes = gathered_sizes(part, group)
    rooms = [wrap(np.empty(max(sizes), np.uint8)) for _ in sizes]
    all_gather(rooms, padded(part, max(sizes)), group)
    object_list[:] = [unpacked(room.array[:size]) for room, size in zip(rooms, sizes)]


def check_room(function: str, name: str, objects, group: ProcessGroup) -> None:
    """Check that a list has a place for each rank."""
    if not isinstance(objects, list) or len(objects) != group.size():
        got = f"{len(objects)} places" if isinstance(objects, list) else type(objects).__name__
        raise ValueError(
            f"{function}(): argument '{name}': got {got}; expected a list of {group.size()}, one place for each rank"
        )


def gathered_sizes(part: np.ndarray, group: ProcessGroup) -> list[int]:
    """How many bytes each rank has."""
    rooms = [wrap(np.empty(1, np.int64)) for _ in range(group.size())]
    all_gather(rooms, sizes_of([part]), group)
    return [int(room.array[0]) for room in rooms]


def gather_object(
    obj: Any,
    object_gather_list: list[Any] | None = None,
    dst: int | None = None,
    group: ProcessGroup | None = None,
    group_dst: int | None = None,
) -> None:
    """On rank `dst` (default 0) ``object_gather_list[i]`` becomes the `obj` of rank i; the others give no list."""
    if (group := of_group(group, "gather_object")) is None:
        return
    root = root_of("gather_object", group, 0 if dst is None and group_dst is None else dst, group_dst, "dst")
    here = root == group.rank()
    if here:
        check_room("gather_object", "object_gather_list", object_gather_list, group)
    elif object_gather_list:
        raise ValueError("Argument ``object_gather_list`` must NOT be specified on non-destination ranks.")
    part = packed(obj)
    sizes = gathered_sizes(part, group)
    rooms = [wrap(np.empty(max(sizes), np.uint8)) for _ in sizes] if here else None
    gather(padded(part, max(sizes)), rooms, None, group, group_dst=root)
    if rooms is not None and object_gather_list is not None:
        object_gather_list[:] = [unpacked(room.array[:size]) for room, size in zip(rooms, sizes)]


def broadcast_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: ProcessGroup | None = None,
    device: Any = None,
    group_src: int | None = None,
) -> None:
    """The objects of `object_list` become those of rank `src` (default 0), on all ranks; the lists are equally long."""
    if (group := of_group(group, "broadcast_object_list")) is None:
        return
    root = root_of("broadcast_object_list", group, 0 if src is None and group_src is None else src, group_src, "src")
    here = root == group.rank()
    parts = [packed(each) for each in object_list] if here else []
    sizes = sizes_of(parts) if here else wrap(np.empty(len(object_list), np.int64))
    broadcast(sizes, None, group, group_src=root)
    data = joined(parts) if here else wrap(np.empty(int(sizes.array.sum()), np.uint8))
    broadcast(data, None, group, group_src=root)
    if not here:
        object_list[:] = split(data, sizes.array)


def scatter_object_list(
    scatter_object_output_list: list[Any],
    scatter_object_input_list: list[Any] | None = None,
    src: int | None = None,
    group: ProcessGroup | None = None,
    group_src: int | None = None,
) -> None:
    """On rank i ``scatter_object_output_list[0]`` becomes ``scatter_object_input_list[i]`` of rank `src`, or 0."""
    if (group := of_group(group, "scatter_object_list")) is None:
        return
    root = root_of("scatter_object_list", group, 0 if src is None and group_src is None else src, group_src, "src")
    if not isinstance(scatter_object_output_list, list) or not scatter_object_output_list:
        raise ValueError("Expected argument scatter_object_output_list to be a list of size at least 1.")
    here = root == group.rank()
    if here:
        check_room("scatter_object_list", "scatter_object_input_list", scatter_object_input_list, group)
    parts = [packed(each) for each in scatter_object_input_list or []] if here else []
    size = wrap(np.empty(1, np.int64))
    longest = wrap(np.array([max(map(len, parts), default=0)], np.int64))
    scatter(size, [wrap(np.array([len(part)])) for part in parts], None, group, group_src=root)
    broadcast(longest, None, group, group_src=root)
    width = int(longest.array[0])
    room = wrap(np.empty(width, np.uint8))
    scatter(room, [padded(part, width) for part in parts], None, group, group_src=root)
    scatter_object_output_list[0] = unpacked(room.array[: int(size.array[0])])


def send_object_list(
    object_list: list[Any],
    dst: int | None = None,
    group: ProcessGroup | None = None,
    device: Any = None,
    group_dst: int | None = None,
    use_batch: bool = False,
) -> None:
    """Send the objects of a list to rank `dst`, who calls `recv_object_list` with a list as long."""
    parts = [packed(each) for each in object_list]
    send(sizes_of(parts), dst, group, group_dst=group_dst)
    send(joined(parts), dst, group, group_dst=group_dst)


def recv_object_list(
    object_list: list[Any],
    src: int | None = None,
    group: ProcessGroup | None = None,
    device: Any = None,
    group_src: int | None = None,
    use_batch: bool = False,
) -> int:
    """Receive objects from rank `src` (None: any) into the places of a list. Returns that rank."""
    sizes = wrap(np.empty(len(object_list), np.int64))
    source = recv(sizes, src, group, group_src=group_src)
    if source < 0:
        return source
    data = wrap(np.empty(int(sizes.array.sum()), np.uint8))
    recv(data, source, group)
    object_list[:] = split(data, sizes.array)
    return source
