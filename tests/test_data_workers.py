"""Loading with worker processes: PyTorch's batches and random numbers, exceptions, and parting without a trace."""

import gc
import multiprocessing
import os
import pickle
import random
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest
from data_plain import plain

import minigrad
from minigrad.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset, get_worker_info

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # a machine with one core


@pytest.fixture(autouse=True)
def no_worker_is_left():
    yield
    if multiprocessing.active_children():
        gc.collect()  # of an iterator that a traceback keeps
    left = multiprocessing.active_children()
    for process in left:
        process.kill()
    assert not left


class Numbers(Dataset):
    """Everything that a worker draws and knows."""

    def __init__(self, lib=minigrad, n=11):
        self.lib, self.n = lib, n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        info = self.lib.utils.data.get_worker_info()
        drawn = self.lib.rand(2), random.random(), float(np.random.rand())  # noqa: NPY002
        return i, *drawn, info.id, info.num_workers, info.seed % 1000, info.dataset is self


class Squares(Dataset):
    def __len__(self):
        return 9

    def __getitem__(self, i):
        return i * i


class Faulty(Squares):
    def __init__(self, fault):
        self.fault = fault

    def __getitem__(self, i):
        if i == 4:
            self.fault()
        return i


def epochs(lib, dataset, generator=None, **options):
    lib.manual_seed(5)
    generator = generator and lib.Generator().manual_seed(generator)
    loader = lib.utils.data.DataLoader(dataset, num_workers=2, generator=generator, **options)
    seen = []
    for _ in range(2):
        seen.append([plain(batch) for batch in loader])
        seen.append(lib.rand(2).tolist())
    return seen


LOADERS = {
    "shuffled": {"batch_size": 2, "shuffle": True, "generator": 7},
    "persistent": {"batch_size": 3, "shuffle": True, "persistent_workers": True},
    "far ahead": {"batch_size": 1, "shuffle": True, "prefetch_factor": 9},
    "whole batches": {"batch_size": 4, "shuffle": True, "drop_last": True, "prefetch_factor": 1},
    "batch sampler": {"batch_sampler": [[3, 1], [2], [0, 4, 5]]},
}


@pytest.mark.parametrize("name", LOADERS)
def test_batches_and_random_numbers_are_pytorchs(name):
    torch = pytest.importorskip("torch")
    options = LOADERS[name]
    assert epochs(minigrad, Numbers(minigrad), **options) == epochs(torch, Numbers(torch), **options)


def test_a_sampler_that_draws_when_it_starts(request):
    torch = pytest.importorskip("torch")

    def order(lib):
        class Eager(lib.utils.data.Sampler):
            def __iter__(self):
                return iter(lib.randperm(9).tolist())

        lib.manual_seed(1)
        loader = lib.utils.data.DataLoader(Squares(), None, sampler=Eager(), num_workers=1)
        return list(loader), list(loader), lib.rand(1).item()

    assert order(minigrad) == order(torch)


def test_batches_are_those_without_workers():
    data = TensorDataset(minigrad.arange(20).reshape(10, 2), minigrad.rand(10))
    minigrad.manual_seed(0)
    alone = [plain(batch) for batch in DataLoader(data, 3, True)]
    minigrad.manual_seed(0)
    assert [plain(batch) for batch in DataLoader(data, 3, True, num_workers=2)] == alone


def test_any_order():
    loader = DataLoader(Squares(), 2, num_workers=2, in_order=False)
    for _ in range(2):
        assert sorted(n for batch in loader for n in batch.tolist()) == [i * i for i in range(9)]


def stream(lib, sizes, length=None):
    """Worker `i` gives ``sizes[i]`` numbers."""

    class Stream(lib.utils.data.IterableDataset):
        def __iter__(self):
            worker = lib.utils.data.get_worker_info().id
            return iter(range(100 * worker, 100 * worker + sizes[worker]))

        def __len__(self):
            return length

    return Stream()


STREAMS = [
    ((6, 6), {"batch_size": 4, "drop_last": True}),
    ((1, 7), {"batch_size": 2}),
    ((0, 5), {"batch_size": None}),
]


@pytest.mark.parametrize(("sizes", "options"), STREAMS)
def test_streams_are_pytorchs(sizes, options):
    torch = pytest.importorskip("torch")
    ours, theirs = (epochs(lib, stream(lib, sizes), **options) for lib in (minigrad, torch))
    assert ours == theirs


def test_streams_with_persistent_workers():
    loader = DataLoader(stream(minigrad, (1, 5)), None, num_workers=2, persistent_workers=True)
    assert list(loader) == list(loader) == [0, 100, 101, 102, 103, 104]


def test_a_stream_longer_than_it_says():
    loader = DataLoader(stream(minigrad, (2, 2), length=3), None, num_workers=2)
    assert len(loader) == 3
    with pytest.warns(UserWarning, match="reported to be 3 .* get_worker_info"):
        assert len(list(loader)) == 4


# ---- what a batch may be


def test_what_arrives_is_ones_own():
    def parts(batch):
        table = np.asfortranarray(np.arange(6.0).reshape(2, 3))
        return {"x": minigrad.ones(300, 300), "empty": np.zeros((0, 3)), "t": table, "s": ("a", batch), "n": None}

    loader = DataLoader(Squares(), 2, num_workers=1, collate_fn=parts)
    batch = next(iter(loader))
    batch["x"].mul_(2).requires_grad_()
    batch["x"].sum().backward()
    batch["t"][0, 0] = 7
    assert batch["x"].sum() == 180_000
    assert batch["x"].grad.sum() == 90_000
    assert batch["t"].tolist() == [[7, 1, 2], [3, 4, 5]]
    assert batch["empty"].shape == (0, 3)
    assert (batch["s"], batch["n"]) == (("a", [0, 1]), None)


def test_a_batch_that_cannot_travel():
    loader = DataLoader(Squares(), 2, num_workers=1, collate_fn=lambda batch: lambda: batch)
    with pytest.raises((AttributeError, pickle.PicklingError), match=r"in DataLoader worker process 0(?s:.*)lambda"):
        next(iter(loader))


def test_worker_init_fn_and_get_worker_info():
    def start(worker_id):
        assert get_worker_info().id == worker_id
        get_worker_info().dataset.n = 100 + worker_id

    def told(batch):
        info = get_worker_info()
        return info.id, info.num_workers, info.dataset.n, info.seed

    assert get_worker_info() is None
    batches = list(DataLoader(Numbers(), 4, num_workers=2, worker_init_fn=start, collate_fn=told))
    assert [batch[:3] for batch in batches] == [(0, 2, 100), (1, 2, 101), (0, 2, 100)]
    assert batches[1][3] - batches[0][3] == 1


# ---- exceptions


class Odd(Exception):
    """Cannot be made of one text."""

    def __init__(self, code, text):
        super().__init__(code, text)


def fail_with(error):
    raise error


FAULTS = {
    "ValueError": (lambda: fail_with(ValueError("no picture")), ValueError),
    "KeyError": (lambda: {}["missing"], KeyError),
    "ZeroDivisionError": (lambda: 1 / 0, ZeroDivisionError),
    "odd": (lambda: fail_with(Odd(3, "what?")), RuntimeError),
}


@pytest.mark.parametrize("name", FAULTS)
def test_exceptions_are_raised_again(name):
    torch = pytest.importorskip("torch")
    fault, kind = FAULTS[name]

    def caught(lib):
        loader = lib.utils.data.DataLoader(Faulty(fault), 2, num_workers=2)
        batches = iter(loader)
        seen = [next(batches).tolist() for _ in range(2)]
        with pytest.raises(Exception, match="Caught") as raised:
            next(batches)
        text = str(raised.value)
        assert "in DataLoader worker process 0.\nOriginal Traceback" in text
        assert "in __getitem__\n    self.fault()" in text
        return raised.type, seen, [batch.tolist() for batch in batches]  # the others come all the same

    assert caught(minigrad) == caught(torch) == (kind, [[0, 1], [2, 3]], [[6, 7], [8]])


def test_an_exception_of_a_class_that_cannot_travel():
    class Local(Exception):
        pass

    with pytest.raises(RuntimeError, match=r"Caught Local in DataLoader worker process 0(?s:.*)far from home"):
        list(DataLoader(Faulty(lambda: fail_with(Local("far from home"))), num_workers=1))


def test_a_failing_start():
    loader = DataLoader(Squares(), num_workers=1, worker_init_fn=lambda i: 1 / i)
    with pytest.raises(ZeroDivisionError, match="Caught ZeroDivisionError in DataLoader worker process 0"):
        next(iter(loader))


@pytest.mark.parametrize("in_order", [True, False])
def test_a_worker_that_dies(in_order):
    loader = DataLoader(Faulty(lambda: os._exit(7)), 2, num_workers=2, in_order=in_order)
    with pytest.raises(RuntimeError, match=r"worker \(pid\(s\) \d+\) exited unexpectedly, with exit code 7"):
        list(loader)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_worker_that_is_late(in_order):
    loader = DataLoader(Faulty(lambda: time.sleep(0.3)), 9, num_workers=1, timeout=0.1, in_order=in_order)
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.1 seconds"):
        next(iter(loader))


OPTIONS = [
    ({"multiprocessing_context": "thread"}, ValueError, "valid start method"),
    ({"multiprocessing_context": 3}, TypeError, "valid context"),
    ({"num_workers": 0, "timeout": 1}, AssertionError, "timeout"),
]


@pytest.mark.parametrize(("options", "error", "says"), OPTIONS)
def test_errors_are_pytorchs(options, error, says):
    torch = pytest.importorskip("torch")
    options = {"num_workers": 1, **options}
    for lib in (minigrad, torch):
        with pytest.raises(error, match=says):
            iter(lib.utils.data.DataLoader(Squares(), **options))


def test_nothing_ahead():
    with pytest.raises(AssertionError, match="prefetch_factor must be greater than 0"):  # as in PyTorch
        iter(DataLoader(Squares(), num_workers=1, prefetch_factor=0))


def test_too_many_workers():
    with pytest.warns(UserWarning, match="will create 500 worker processes"):
        DataLoader(Squares(), num_workers=500)


# ---- how they begin and end


def pids(loader):
    return {batch.item() for batch in loader}


class Pids(Squares):
    def __getitem__(self, i):
        return os.getpid()


def test_persistent_workers_stay():
    loader = DataLoader(Pids(), num_workers=2, persistent_workers=True)
    first = pids(loader)
    assert len(first) == 2
    next(iter(loader))  # left early
    assert pids(loader) == first
    assert pids(DataLoader(Pids(), num_workers=2)).isdisjoint(first)
    assert len(multiprocessing.active_children()) == 2
    copied = pickle.loads(pickle.dumps(loader))
    assert pids(copied).isdisjoint(first)


def test_persistent_workers_end_with_their_loader():
    gc.disable()
    try:
        loader = DataLoader(Pids(), num_workers=2, persistent_workers=True)
        pids(loader)
        del loader
        assert not multiprocessing.active_children()
    finally:
        gc.enable()


def test_an_iterator_that_is_dropped():
    large = DataLoader(Squares(), 1, num_workers=2, collate_fn=lambda batch: np.zeros(1 << 20))
    batches = iter(large)
    next(batches)
    assert len(multiprocessing.active_children()) == 2
    began = time.monotonic()
    del batches  # the workers are writing what nobody reads
    assert not multiprocessing.active_children()
    assert time.monotonic() - began < 4.5


def test_loaders_at_once_do_not_keep_each_other():
    first, second = (iter(DataLoader(Squares(), num_workers=1)) for _ in range(2))
    next(first), next(second)
    began = time.monotonic()
    del first
    assert time.monotonic() - began < 4.5  # its worker has seen the end, although the second worker was forked later
    assert len(list(second)) == 8


def test_iterators_have_a_length_and_end():
    batches = iter(DataLoader(Squares(), 2, num_workers=1))
    assert len(batches) == 5
    assert iter(batches) is batches
    assert len(list(batches)) == 5
    assert list(batches) == []
    with pytest.raises(NotImplementedError, match="cannot be pickled"):
        pickle.dumps(batches)


def test_spawned_workers():
    loader = DataLoader(Squares(), 4, num_workers=1, multiprocessing_context="spawn")
    assert loader.multiprocessing_context.get_start_method() == "spawn"
    assert [batch.tolist() for batch in loader] == [[0, 1, 4, 9], [16, 25, 36, 49], [64]]


def program(body, *, wait=True):
    """A program of its own, whose data set is slow."""
    code = f"""
        import os, signal, sys, time
        import minigrad
        from minigrad.utils.data import DataLoader, Dataset

        class Slow(Dataset):
            def __len__(self):
                return 100
            def __getitem__(self, i):
                time.sleep(0.01)
                return os.getpid()

        loader = DataLoader(Slow(), num_workers=2, persistent_workers=True)
        {textwrap.indent(textwrap.dedent(body), " " * 8).strip()}
    """
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    process = subprocess.Popen([sys.executable, "-W", "error", "-c", textwrap.dedent(code)], **options)
    return (*process.communicate(timeout=30), process.returncode) if wait else process


def test_a_program_may_end_with_workers_at_work():
    out, err, code = program("batches = iter(loader)\nprint(next(batches).item())")
    assert (err, code) == ("", 0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(out), 0)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c():
    body = """
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where a shell started it with &
        try:
            for i, batch in enumerate(loader):
                if i == 3:
                    os.kill(0, signal.SIGINT)   # as a terminal does: to the whole group
        except KeyboardInterrupt:
            print("interrupted")
        print(len(list(loader)))
    """
    out, err, code = program(f"os.setpgrp()\n{textwrap.dedent(body)}")
    assert (out, err, code) == ("interrupted\n100\n", "", 0)


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_workers_do_not_outlive_a_killed_program():
    process = program("for pid in loader: print(pid.item(), flush=True)", wait=False)
    workers = {int(process.stdout.readline()) for _ in range(6)}
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 5
    while any(map(is_running, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(is_running, workers))


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"  # whoever adopts it, reaps it
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_iterable_data_sets_know_nothing_of_each_other():
    class Count(IterableDataset):
        def __iter__(self):
            return iter(range(2))

    assert list(DataLoader(Count(), None, num_workers=2)) == [0, 0, 1, 1]
