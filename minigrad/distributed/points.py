"""From one rank to one other: `send`, `recv` and their non-blocking kinds. (PyTorch: torch.distributed)"""

from __future__ import annotations

from collections.abc import Callable

from minigrad.distributed.buffers import as_bytes, check_tensor, line_up, put_back, room_for
from minigrad.distributed.groups import ProcessGroup, get_global_rank, of_group, root_of
from minigrad.distributed.work import Work

__all__ = ["P2POp", "batch_isend_irecv", "irecv", "isend", "recv", "send"]


class Arrival(Work):
    """The `Work` of a message to come: knows afterwards who sent it."""

    _source: int | None = None

    def source_rank(self) -> int:
        """The rank, in the default group, that the message is from; -1 before it came."""
        return -1 if self._source is None else self._source


def isend(
    tensor, dst: int | None = None, group: ProcessGroup | None = None, tag: int = 0, group_dst: int | None = None
) -> Work | None:
    """Begin to send `tensor` to rank `dst`, who calls `recv` or `irecv` with a tensor of that shape and dtype and the
    same `tag`. The tensor must not be written to before the `Work` is done.

    Raises ValueError: `dst` is this rank, or none of the group.
    """
    if (group := of_group(group, "isend")) is None:
        return None
    check_tensor("isend", "tensor", tensor)
    to = other_rank("isend", group, dst, group_dst, "dst", "destination")
    array = line_up(tensor)
    request = group._comm.Isend(as_bytes(array), to, tag)
    words = f"send to rank {group._ranks[to]} of {tuple(tensor._shape)} {array.dtype.name}, tag {tag}"
    guard = group._watch.message(group._ranks[to], words)
    return Work(request.Test, guard, group._timeout, lambda: array is None)  # the array is kept until then


def irecv(
    tensor, src: int | None = None, group: ProcessGroup | None = None, tag: int = 0, group_src: int | None = None
) -> Work | None:
    """Begin to receive into `tensor` what rank `src` (None: any rank) sends with that `tag`.

    The `Work` ends with a RuntimeError if what comes has another size.
    """
    if (group := of_group(group, "irecv")) is None:
        return None
    check_tensor("irecv", "tensor", tensor)
    anyone = src is None and group_src is None
    if anyone and group.size() == 1:
        raise ValueError("irecv(): there is no other rank to receive from: the group has one")
    other = None if anyone else other_rank("irecv", group, src, group_src, "src", "source")
    from mpi4py import MPI

    array, status = room_for(tensor), MPI.Status()
    request = group._comm.Irecv(as_bytes(array), MPI.ANY_SOURCE if other is None else other, tag)
    peer = None if other is None else group._ranks[other]
    who = "any rank" if peer is None else f"rank {peer}"
    words = f"recv from {who} of {tuple(tensor._shape)} {array.dtype.name}, tag {tag}"

    def test():
        try:
            return request.Test(status)
        except MPI.Exception as error:
            if error.Get_error_class() == MPI.ERR_TRUNCATE:
                raise other_size(f"more than {array.nbytes}") from None
            raise

    def other_size(size) -> RuntimeError:
        return RuntimeError(
            f"{words}: {size} bytes came, the tensor has {array.nbytes}: send and recv have to be given tensors of the "
            "same shape and dtype"
        )

    def finish():
        work._source = group._ranks[status.source]
        if status.count != array.nbytes:
            raise other_size(status.count)
        put_back("recv", [tensor], [array])

    work = Arrival(test, group._watch.message(peer, words), group._timeout, finish, [tensor])
    return work


def other_rank(function: str, group: ProcessGroup, given, in_group, name: str, role: str) -> int:
    """The number in the group of the rank at the other end."""
    rank = root_of(function, group, given, in_group, name)
    if rank == group.rank():
        raise ValueError(
            f"{function}(): Invalid {role} rank: {role} rank should not be the same as the rank of the current process."
        )
    return rank


def send(
    tensor, dst: int | None = None, group: ProcessGroup | None = None, tag: int = 0, group_dst: int | None = None
) -> None:
    """`isend`, waited for: on return `tensor` may be written to again."""
    work = isend(tensor, dst, group, tag, group_dst)
    if work is not None:
        work.wait()


def recv(
    tensor, src: int | None = None, group: ProcessGroup | None = None, tag: int = 0, group_src: int | None = None
) -> int:
    """`irecv`, waited for. Returns the rank, in the default group, that sent; -1 where this process is no member."""
    work = irecv(tensor, src, group, tag, group_src)
    if work is None:
        return -1
    work.wait()
    return work.source_rank()


class P2POp:
    """One message for `batch_isend_irecv`: ``P2POp(isend, tensor, peer)`` or ``P2POp(irecv, tensor, peer)``.
    (PyTorch: torch.distributed.P2POp)"""

    def __init__(
        self,
        op: Callable,
        tensor,
        peer: int | None = None,
        group: ProcessGroup | None = None,
        tag: int = 0,
        group_peer: int | None = None,
    ) -> None:
        if op not in (isend, irecv):
            raise ValueError(
                "Invalid ``op``. Expected ``op`` to be of type ``minigrad.distributed.isend`` or "
                "``minigrad.distributed.irecv``."
            )
        self.op, self.tensor, self.tag = op, check_tensor("P2POp", "tensor", tensor), tag
        found = of_group(group, "P2POp")
        if found is None:
            raise ValueError("P2POp(): argument 'group': this process is no member")
        self.group = found
        self.group_peer = root_of("P2POp", found, peer, group_peer, "peer")
        self.peer = get_global_rank(found, self.group_peer)

    def __repr__(self) -> str:
        return f"P2POp({self.op.__name__} peer={self.peer}, {self.tensor.shape}, {self.tensor.dtype})"


def batch_isend_irecv(p2p_op_list: list[P2POp]) -> list[Work]:
    """Begin several messages at once; returns the `Work` of each, in their order."""
    if not isinstance(p2p_op_list, list) or not all(isinstance(each, P2POp) for each in p2p_op_list):
        raise ValueError(
            "Invalid ``p2p_op_list``. Each op is expected to to be of type ``minigrad.distributed.P2POp``."
        )
    if len({id(each.group) for each in p2p_op_list}) > 1:
        raise ValueError("All ops need to use the same group.")
    return [each.op(each.tensor, None, each.group, each.tag, each.group_peer) for each in p2p_op_list]
