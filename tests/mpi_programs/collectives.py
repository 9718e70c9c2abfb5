"""Every collective and every message, on all dtypes, against NumPy; run by mpiexec with any number of processes."""

import numpy as np

import minigrad
import minigrad.distributed as dist
from minigrad.distributed import ReduceOp

REDUCE = {
    ReduceOp.SUM: np.add.reduce,
    ReduceOp.AVG: lambda a: np.add.reduce(a) / len(a),
    ReduceOp.PRODUCT: np.multiply.reduce,
    ReduceOp.MIN: np.minimum.reduce,
    ReduceOp.MAX: np.maximum.reduce,
    ReduceOp.BAND: np.bitwise_and.reduce,
    ReduceOp.BOR: np.bitwise_or.reduce,
    ReduceOp.BXOR: np.bitwise_xor.reduce,
}
FLOATS = (minigrad.float16, minigrad.float32, minigrad.float64)
DTYPES = (minigrad.bool, minigrad.uint8, minigrad.int8, minigrad.int16, minigrad.int32, minigrad.int64, *FLOATS)


def part(rank, dtype=minigrad.float32, shape=(3, 4)):
    """What a rank brings: other numbers on each."""
    count = int(np.prod(shape))
    return ((minigrad.arange(count) * 7 + 3 * rank) % 5).to(dtype).reshape(shape)


def parts(dtype=minigrad.float32, shape=(3, 4)):
    return np.stack([part(i, dtype, shape).numpy() for i in range(size)])


def same(tensor, array):
    np.testing.assert_array_equal(tensor.numpy(), array)


def reductions():
    for dtype in DTYPES:
        for op, truth in REDUCE.items():
            if (op is ReduceOp.AVG and dtype not in FLOATS) or (op.name[0] == "B" and dtype in FLOATS):
                continue
            expected = truth(parts(dtype)).astype(dtype.numpy)
            x = part(rank, dtype)
            before = x._version
            assert dist.all_reduce(x, op) is None
            same(x, expected)
            assert x._version == before + 1, "a collective that writes counts as a write"

            x = part(rank, dtype)
            dist.reduce(x, size - 1, op)
            same(x, expected if rank == size - 1 else part(rank, dtype).numpy())

            rows = (size, 2)
            x = minigrad.zeros(2, dtype=dtype)
            dist.reduce_scatter_tensor(x, part(rank, dtype, rows), op)
            same(x, truth(parts(dtype, rows)).astype(dtype.numpy)[rank])
            y = minigrad.zeros(2, dtype=dtype)
            dist.reduce_scatter(y, list(part(rank, dtype, rows)), op)
            same(y, x.numpy())
    several = [part(rank), part(rank, shape=(5,))]
    dist.all_reduce_coalesced(several)
    same(several[0], parts().sum(0))
    same(several[1], parts(shape=(5,)).sum(0))
    x = minigrad.full((3,), 2.0**-11, dtype=minigrad.float16)
    dist.all_reduce(x)  # every step is rounded to float16
    same(x, np.full(3, size * 2.0**-11, np.float16))


def copies():
    for dtype in DTYPES:
        x = part(rank, dtype)
        dist.broadcast(x, size - 1)
        same(x, part(size - 1, dtype).numpy())

        rooms = [minigrad.zeros(3, 4, dtype=dtype) for _ in range(size)]
        dist.all_gather(rooms, part(rank, dtype))
        same(minigrad.stack(rooms), parts(dtype))
        for shape in ((size * 3, 4), (size, 3, 4)):
            room = minigrad.zeros(shape, dtype=dtype)
            dist.all_gather_into_tensor(room, part(rank, dtype))
            same(room, parts(dtype).reshape(shape))

        rooms = [minigrad.zeros(3, 4, dtype=dtype) for _ in range(size)] if rank == 0 else None
        dist.gather(part(rank, dtype), rooms)
        if rooms is not None:
            same(minigrad.stack(rooms), parts(dtype))
        room = minigrad.zeros(3, 4, dtype=dtype)
        dist.scatter(room, [part(10 + i, dtype) for i in range(size)] if rank == size - 1 else None, src=size - 1)
        same(room, part(10 + rank, dtype).numpy())

    rooms = [minigrad.zeros(i + 1) for i in range(size)]
    dist.all_to_all(rooms, [minigrad.full((rank + 1,), 10.0 * rank + i) for i in range(size)])
    for i, room in enumerate(rooms):
        same(room, np.full(i + 1, 10.0 * i + rank))
    room = minigrad.zeros(2 * size, 3)
    dist.all_to_all_single(room, minigrad.arange(6.0 * size).reshape(2 * size, 3) + 1000 * rank)
    pieces = [np.arange(6.0 * size).reshape(size, 2, 3)[rank] + 1000 * i for i in range(size)]
    same(room, np.concatenate(pieces))
    mine = [i + 1 for i in range(size)]
    room = minigrad.zeros(size * (rank + 1))
    dist.all_to_all_single(room, minigrad.full((sum(mine),), float(rank)), [rank + 1] * size, mine)
    same(room, np.repeat(np.arange(size), rank + 1))


def memory():
    x = part(rank, shape=(6, 4)).t()[:, ::2]  # does not lie in one piece
    dist.all_reduce(x)
    same(x, parts(shape=(6, 4)).sum(0).T[:, ::2])
    x = minigrad.zeros(4, 3).t()
    dist.broadcast(x if rank else part(0).reshape(4, 3).t(), 0)
    if rank:
        same(x, part(0).reshape(4, 3).numpy().T)
    x = minigrad.zeros(4, 3).t()
    dist.reduce_scatter(x, [part(rank).reshape(4, 3).t() + i for i in range(size)])
    same(x, parts().sum(0).reshape(4, 3).T + size * rank)
    x = minigrad.zeros(4, 3).t()
    dist.scatter(x, [part(i).reshape(4, 3).t() for i in range(size)] if rank == 0 else None)
    same(x, part(rank).reshape(4, 3).numpy().T)
    dist.all_reduce(minigrad.zeros(0))  # nothing at all
    x = minigrad.tensor(float(rank))  # no dimension
    dist.all_reduce(x)
    assert x.item() == size * (size - 1) / 2
    leaf = minigrad.ones(3, requires_grad=True)  # PyTorch takes parameters, too
    dist.all_reduce(leaf)
    assert leaf.is_leaf and leaf.tolist() == [size] * 3
    x = minigrad.ones(3, requires_grad=True) * 1
    loss = x.square().sum()
    dist.all_reduce(x)
    try:
        loss.backward()
        raise AssertionError("the backward did not notice that what it saved was written to")
    except RuntimeError as error:
        assert "all_reduce" in str(error), error
    whole = minigrad.zeros(size, 2)
    whole[rank] = rank + 1.0
    dist.all_gather_into_tensor(whole, whole[rank])  # the input is a part of the output
    same(whole, np.repeat(np.arange(1.0, size + 1)[:, None], 2, 1))


def handles():
    many = [part(rank, shape=(20, 30)) for _ in range(5)]
    works = [dist.all_reduce(x, async_op=True) for x in many]
    for work in reversed(works):  # in any order
        assert work.wait() and work.wait() and work.is_completed() and work.is_success() and work.exception() is None
    for x, work in zip(many, works):
        same(x, parts(shape=(20, 30)).sum(0))
        assert work.result()[0] is x
    work = dist.barrier(async_op=True)
    while not work.is_completed():
        pass


def messages():
    after, before = (rank + 1) % size, (rank - 1) % size
    x, y = part(rank).t(), minigrad.zeros(4, 3)
    works = dist.batch_isend_irecv([dist.P2POp(dist.isend, x, after), dist.P2POp(dist.irecv, y, before)])
    for work in works:
        work.wait()
    same(y, part(before).numpy().T)
    assert works[1].source_rank() == before and y._version == 1
    if rank == 0:
        dist.send(minigrad.ones(300_000), 1, tag=5)
        dist.send(minigrad.zeros(3), 1)
        dist.send(minigrad.zeros(5), 1)
        dist.send_object_list([1, "a", {2: 3}], 1)
    if rank == 1:
        room = minigrad.zeros(300_000)
        assert dist.recv(room, tag=5) == 0
        assert room.sum() == 300_000
        for said in ("12 bytes came, the tensor has 16", "more than 16 bytes came"):
            try:
                dist.recv(minigrad.zeros(4), 0)
                raise AssertionError(said)
            except RuntimeError as error:
                assert said in str(error), error
        objects = [None] * 3
        assert dist.recv_object_list(objects, 0) == 0 and objects == [1, "a", {2: 3}]


def objects():
    room = [None] * size
    dist.all_gather_object(room, {"rank": rank, "text": "x" * rank})
    assert room == [{"rank": i, "text": "x" * i} for i in range(size)]
    room = [None] * size if rank == 0 else None
    dist.gather_object("y" * rank, room)
    assert room is None or room == ["y" * i for i in range(size)]
    values = [1, {2}, "abc"] if rank == size - 1 else [None] * 3
    dist.broadcast_object_list(values, size - 1)
    assert values == [1, {2}, "abc"]
    room = [None]
    dist.scatter_object_list(room, ["z" * i for i in range(size)] if rank == 0 else None)
    assert room == ["z" * rank]


def groups():
    ends = dist.new_group([size - 1, 0])
    if rank in (0, size - 1):
        assert dist.get_process_group_ranks(ends) == [0, size - 1] and dist.get_world_size(ends) == 2
        place = dist.get_rank(ends)
        assert dist.get_global_rank(ends, place) == rank and dist.get_group_rank(ends, rank) == place
        x = part(rank)
        dist.all_reduce(x, group=ends)
        same(x, part(0).numpy() + part(size - 1).numpy())
        x = part(rank)
        dist.broadcast(x, size - 1, group=ends)  # by its number among all
        same(x, part(size - 1).numpy())
        x = part(rank)
        dist.broadcast(x, group=ends, group_src=0)
        same(x, part(0).numpy())
    else:
        assert ends == dist.GroupMember.NON_GROUP_MEMBER and dist.get_rank(ends) == -1
    own = dist.new_group([rank], use_local_synchronization=True)
    x = part(rank)
    dist.all_reduce(x, group=own)
    same(x, part(rank).numpy())
    again = dist.new_group([0, size - 1], group_desc="again")
    if rank in (0, size - 1):
        dist.barrier(again)
        dist.destroy_process_group(again)
        try:
            dist.barrier(again)
            raise AssertionError("a destroyed group")
        except ValueError as error:
            assert "not registered" in str(error)
    for _ in range(2100 if size == 2 else 10):  # MPICH has 2048 communicators
        one_more = dist.new_group(range(size))
        dist.destroy_process_group(one_more)
    if size % 2:
        return
    pair, all_of_them = dist.new_subgroups(2)
    x = minigrad.tensor([float(rank)])
    dist.all_reduce(x, group=pair)
    assert x.item() == 4 * (rank // 2) + 1 and len(all_of_them) == size // 2


dist.init_process_group("gloo")
rank, size = dist.get_rank(), dist.get_world_size()
assert dist.get_backend() == "gloo" and dist.is_initialized() and dist.group.WORLD.size() == size
reductions()
copies()
memory()
handles()
messages()
objects()
groups()
dist.destroy_process_group()
assert not dist.is_initialized()
dist.init_process_group()  # once more
x = part(rank)
dist.all_reduce(x)
same(x, parts().sum(0))
print(f"rank {rank} of {size}: all as it should be")
