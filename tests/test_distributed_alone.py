"""`minigrad.distributed` in one process, which needs neither mpi4py nor MPI; and PyTorch's names and signatures."""

import datetime
import inspect
import subprocess
import sys
import types

import pytest
import together

import minigrad
import minigrad.distributed as dist
from minigrad.distributed.algorithms.ddp_comm_hooks import default_hooks


@pytest.fixture
def alone(monkeypatch):
    """A world of one, without mpi4py."""
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    dist.init_process_group("gloo")
    yield
    if dist.is_initialized():
        dist.destroy_process_group()


def test_before_init():
    said = "Default process group has not been initialized, please make sure to call init_process_group."
    for call in (dist.get_rank, dist.get_world_size, dist.barrier, dist.get_backend, lambda: dist.new_group([0])):
        with pytest.raises(ValueError, match=said):
            call()
    with pytest.raises(ValueError, match=said):
        dist.all_reduce(minigrad.ones(1))
    with pytest.raises(AssertionError, match="Process group cannot be None"):
        dist.destroy_process_group()
    assert dist.is_available()
    assert not dist.is_initialized()
    assert dist.group.WORLD is None


def test_a_world_of_one(alone):
    assert (dist.get_rank(), dist.get_world_size(), dist.get_backend()) == (0, 1, "gloo")
    assert not dist.is_mpi_available()
    x = minigrad.tensor([1.0, 2.0])
    assert dist.all_reduce(x, dist.ReduceOp.AVG) is None
    work = dist.all_reduce(x, async_op=True)
    assert work.is_completed()
    assert work.wait()
    assert work.get_future().wait() == [x]
    for call in (dist.broadcast, dist.reduce):
        call(x, 0)
    rooms = [minigrad.zeros(2)]
    dist.all_gather(rooms, x)
    room = minigrad.zeros(1, 2)
    dist.all_gather_into_tensor(room, x)
    out = minigrad.zeros(2)
    dist.reduce_scatter(out, [x])
    assert [rooms[0].tolist(), room.tolist(), out.tolist(), x.tolist()] == [[1, 2], [[1, 2]], [1, 2], [1, 2]]
    for call in (
        lambda: dist.reduce_scatter_tensor(out.zero_(), x),
        lambda: dist.gather(x, [out.zero_()]),
        lambda: dist.scatter(out.zero_(), [x]),
        lambda: dist.all_to_all([out.zero_()], [x]),
        lambda: dist.all_to_all_single(out.zero_(), x),
    ):
        call()
        assert out.tolist() == [1, 2]
    dist.barrier()
    dist.monitored_barrier()
    objects = [None]
    dist.all_gather_object(objects, {"a": 1})
    dist.broadcast_object_list(objects)
    assert objects == [{"a": 1}]
    dist.gather_object(3, objects)
    assert objects == [3]
    dist.scatter_object_list(objects, [4])
    assert objects == [4]
    group = dist.new_group([0], timeout=datetime.timedelta(seconds=3))
    dist.all_reduce(x, group=group)
    assert dist.new_group() is not group
    assert dist.get_pg_count() == 3
    dist.destroy_process_group()
    dist.init_process_group()
    assert dist.get_backend() == "mpi"


def test_mistakes(alone):
    x, whole = minigrad.ones(3), minigrad.ones(3, dtype=minigrad.int32)
    for error, said, call in (
        (TypeError, "Expected parameter `tensor` of type minigrad.Tensor", lambda: dist.all_reduce([x])),
        (TypeError, "must be a ReduceOp", lambda: dist.all_reduce(x, "sum")),
        (RuntimeError, "result type Float can't be cast", lambda: dist.all_reduce(whole, dist.ReduceOp.AVG)),
        (RuntimeError, "Cannot use ReduceOp.BAND with non-integral", lambda: dist.all_reduce(x, dist.ReduceOp.BAND)),
        (ValueError, "Must specify src or group_src", lambda: dist.broadcast(x)),
        (ValueError, r"got rank 4; expected one of \[0\]", lambda: dist.broadcast(x, 4)),
        (RuntimeError, "got 2 tensors; expected 1", lambda: dist.all_gather([x, x], x)),
        (ValueError, "tensors with different dtypes", lambda: dist.all_gather([whole], x)),
        (RuntimeError, r"expected \(3,\), got \(2,\)", lambda: dist.all_gather([x[:2]], x)),
        (TypeError, r"of type List\[minigrad.Tensor\]", lambda: dist.all_gather(x, x)),
        (RuntimeError, "got 2 elements; expected 1", lambda: dist.all_gather_into_tensor(x[:2], x)),
        (ValueError, "must be specified on rank 0", lambda: dist.scatter(x)),
        (ValueError, "should not be the same as the rank of the current process", lambda: dist.send(x, 0)),
        (ValueError, "no other rank to receive from", lambda: dist.recv(x)),
        (ValueError, "rank should be within the world_size", lambda: dist.new_group([1])),
        (ValueError, "expected each rank once", lambda: dist.new_group([0, 0])),
        (ValueError, "twice", lambda: dist.init_process_group()),
        (TypeError, "argument 'group' must be a ProcessGroup", lambda: dist.barrier("world")),
        (ValueError, "expected a list of 1", lambda: dist.all_gather_object([], 1)),
        (NotImplementedError, "use fp16_compress_hook", lambda: default_hooks.bf16_compress_hook(None, None)),
        (RuntimeError, "PREMUL_SUM with MPI: multiply", lambda: dist.all_reduce(x, dist.ReduceOp.PREMUL_SUM)),
        (RuntimeError, "expanded view", lambda: dist.all_reduce(x[:1].expand(4))),
        (RuntimeError, "expanded view", lambda: dist.all_gather([x[:1].expand(3)], x)),
        (
            ValueError,
            "this process is no member",
            lambda: dist.get_process_group_ranks(dist.GroupMember.NON_GROUP_MEMBER),
        ),
        (RuntimeError, "does not divide equally|sum to the 3 rows", lambda: dist.all_to_all_single(x, x, [2], [3])),
    ):
        with pytest.raises(error, match=said):
            call()
    with pytest.warns(UserWarning, match="does not belong to the given group"):
        assert dist.all_reduce(x, group=dist.GroupMember.NON_GROUP_MEMBER) is None


@pytest.mark.parametrize(
    ("environment", "arguments", "error", "said"),
    [
        ({}, {"backend": "smoke"}, ValueError, "expected 'mpi', 'gloo' or 'nccl'"),
        ({}, {"timeout": 3}, TypeError, "datetime.timedelta"),
        ({}, {"init_method": "x"}, ValueError, "expected 'env://'"),
        ({}, {"rank": 1}, ValueError, "MPI says that this is rank 0"),
        ({"WORLD_SIZE": "4"}, {}, ModuleNotFoundError, r'4 processes needs MPI: pip install "minigrad\[mpi\]" mpich'),
        ({"PMI_SIZE": "2"}, {}, ModuleNotFoundError, "MPI started 2 processes, but this Python has no mpi4py"),
        ({}, {"world_size": 2, "rank": 0}, ModuleNotFoundError, "minigrad launch -n 2"),
    ],
)
def test_what_cannot_begin(monkeypatch, environment, arguments, error, said):
    monkeypatch.setitem(sys.modules, "mpi4py", None)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(error, match=said):
        dist.init_process_group(**arguments)
    assert not dist.is_initialized()


def test_importing_does_not_start_mpi():
    code = "import minigrad, sys, minigrad.distributed, minigrad.cli; sys.exit('mpi4py' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=together.ROOT)
    assert done.returncode == 0


# PyTorch's names that are not here, or not with its signature.
ABSENT = {
    "AllToAllOptions", "AllreduceCoalescedOptions", "AllreduceOptions", "BackendConfig", "BarrierOptions",
    "BroadcastOptions", "DebugLevel", "GatherOptions", "GroupName", "PrefixStore", "ProcessGroupGloo", "ReduceOptions",
    "ReduceScatterOptions", "ScatterOptions", "Store", "all_gather_coalesced", "get_debug_level", "record_comm",
    "shrink_group", "split_group", "supports_complex",
}  # fmt: skip


def test_names_and_signatures_are_pytorchs():
    torch_distributed = pytest.importorskip("torch.distributed")
    names = set(torch_distributed.distributed_c10d.__all__) & set(dir(torch_distributed))
    assert {name for name in names if name not in dist.__all__} == ABSENT & names
    for name in sorted(names - ABSENT):
        theirs, ours = getattr(torch_distributed, name), getattr(dist, name)
        if type(theirs) is types.FunctionType:  # isinstance asks an old name of its class, and is warned
            parameters = [
                [(p.name, p.kind) for p in inspect.signature(each).parameters.values()] for each in (theirs, ours)
            ]
            assert parameters[0] == parameters[1], name
