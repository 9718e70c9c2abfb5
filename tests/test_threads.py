"""`kernels/threads.py`: `share` and the number of threads, for kernels and BLAS."""

import contextlib
import gc
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import warnings
import weakref

import numpy as np
import pytest
from threadpoolctl import threadpool_info

import minigrad
from minigrad.kernels import threads
from minigrad.kernels.threads import get_num_threads, set_num_threads, share

HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


@pytest.fixture(autouse=True)
def _restored():
    former = get_num_threads()
    yield
    set_num_threads(former)


def parts_of(count, least=1):
    """The parts that `share` makes of `range(count)`, in order, and the threads they ran on."""
    seen = []
    share(lambda first, last: seen.append((first, last, threading.current_thread().name)), count, least)
    return sorted(part[:2] for part in seen), {part[2] for part in seen}


def together(count):
    """A work whose `count` parts end only when all have begun: nobody can do two of them."""
    barrier = threading.Barrier(count)
    names = []

    def work(first, last):
        barrier.wait(timeout=30)
        names.append(threading.current_thread().name)

    return work, names


def blas_threads():
    return {
        pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    }


def python(code, **environment):
    """A new interpreter's standard output."""
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")} | environment
    done = subprocess.run([sys.executable, "-c", code], env=environ, cwd=HERE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


# --------------------------------------------------------------------------------------------------------------------
# How many


def test_names():
    assert minigrad.get_num_threads is get_num_threads
    assert minigrad.set_num_threads is set_num_threads
    assert minigrad.get_num_interop_threads() == 1


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, 1),
        ({"OMP_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "3,2"}, 3),
        ({"OMP_NUM_THREADS": "many"}, 1),
        ({"OMP_NUM_THREADS": "0"}, 1),
        ({"OMP_NUM_THREADS": "4", "MINIGRAD_NUM_THREADS": "2"}, 2),
        ({"OMP_NUM_THREADS": "4", "MINIGRAD_NUM_THREADS": ""}, 4),
    ],
    ids=str,
)
def test_what_the_environment_says(environment, expected):
    assert threads._threads_at_start(environment) == expected


@pytest.mark.parametrize("text", ["0", "two", "-1", "1.5"])
def test_a_wrong_variable_is_refused(text):
    with pytest.raises(ValueError, match="MINIGRAD_NUM_THREADS: expected a whole number"):
        threads._threads_at_start({"MINIGRAD_NUM_THREADS": text})


BLAS_AND_WE = """
import minigrad, threadpoolctl
blas = [pool["num_threads"] for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
print(minigrad.get_num_threads(), *(min(n, 2) for n in blas[:1]))
"""


def test_the_default_is_one_for_blas_too():
    assert set(python(BLAS_AND_WE)) == {"1"}
    if (os.cpu_count() or 1) > 1:
        assert set(python(BLAS_AND_WE, MINIGRAD_NUM_THREADS="2", OMP_NUM_THREADS="1")) == {"2"}


def test_blas_follows():
    most = os.cpu_count() or 1  # OpenBLAS takes no more
    for count in (min(2, most), 1):
        set_num_threads(count)
        assert get_num_threads() == count
        assert blas_threads() <= {count}  # empty with a BLAS that threadpoolctl does not know


@pytest.mark.parametrize(("bad", "error"), [(0, ValueError), (-2, ValueError), (1.5, TypeError), (True, TypeError)])
def test_wrong_counts(bad, error):
    with pytest.raises(error, match="expected count to be"):
        set_num_threads(bad)


# --------------------------------------------------------------------------------------------------------------------
# Parts


@pytest.mark.parametrize("allowed", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 7, 100])
@pytest.mark.parametrize("least", [1, 2, 40])
def test_parts_cover_the_range_once(allowed, count, least):
    set_num_threads(allowed)
    parts, _ = parts_of(count, least)
    assert [i for first, last in parts for i in range(first, last)] == list(range(count))
    sizes = [last - first for first, last in parts]
    assert len(parts) == min(count, max(1, min(allowed, count // least)))
    assert not sizes or max(sizes) - min(sizes) <= 1
    assert parts_of(count, least)[0] == parts


def test_one_thread_calls_straight():
    set_num_threads(1)
    assert parts_of(10) == ([(0, 10)], {threading.current_thread().name})


def test_parts_run_at_the_same_time():
    set_num_threads(3)
    work, names = together(3)
    share(work, 3)
    assert len(set(names)) == 3
    assert threading.current_thread().name in names


def test_results_are_the_same():
    x = np.random.default_rng(0).standard_normal((33, 40))
    expected = x @ x.T

    def work(first, last):
        np.matmul(x[first:last], x.T, out=out[first:last])

    for allowed in (1, 2, 4):
        set_num_threads(allowed)
        out = np.empty((33, 33))
        share(work, 33, least=5)
        np.testing.assert_allclose(out, expected, rtol=1e-12)


def test_inside_a_part_nothing_is_divided():
    set_num_threads(2)
    inner = []

    def work(first, last):
        share(lambda a, b: inner.append((a, b)), 10)

    share(work, 2)
    assert inner == [(0, 10), (0, 10)]
    assert len(parts_of(2)[0]) == 2  # outside again


def test_blas_keeps_to_one_thread_inside_a_part():
    set_num_threads(2)
    seen = []
    share(lambda first, last: seen.append(blas_threads()), 2)
    assert all(found <= {1} for found in seen)
    assert len(seen) == 2
    assert blas_threads() <= {min(2, os.cpu_count() or 1)}


def test_set_inside_a_part_holds_afterwards():
    set_num_threads(2)
    share(lambda first, last: set_num_threads(3), 2)
    assert get_num_threads() == 3
    set_num_threads(1)
    assert blas_threads() <= {1}


def test_many_callers_at_once():
    set_num_threads(3)
    sums = np.zeros((8, 50))

    def caller(k):
        for _ in range(20):

            def work(first, last):
                sums[k, first:last] += 1

            share(work, 50)

    callers = [threading.Thread(target=caller, args=(k,)) for k in range(8)]
    for thread in callers:
        thread.start()
    for thread in callers:
        thread.join(timeout=60)
    assert (sums == 20).all()


def test_a_caller_whose_helpers_are_busy_does_it_all():
    set_num_threads(2)
    share(*together(2)[:1], 2)  # the helper exists
    release, begun = threading.Event(), threading.Event()

    def block(first, last):
        if first:  # the part of the helper, or of the first to come
            begun.set()
            release.wait(timeout=30)

    blocker = threading.Thread(target=share, args=(block, 2))
    blocker.start()
    begun.wait(timeout=30)
    try:
        parts, _ = parts_of(4)
        assert parts == [(0, 2), (2, 4)]
    finally:
        release.set()
        blocker.join()


# --------------------------------------------------------------------------------------------------------------------
# Errors, warnings, context


def test_the_first_parts_error_is_raised_when_all_are_done():
    set_num_threads(3)
    barrier, done = threading.Barrier(3), []

    def work(first, last):
        barrier.wait(timeout=30)
        if first == 0:
            time.sleep(0.02)
        done.append(first)
        if first != 2:
            raise LookupError(f"part {first}")

    with pytest.raises(LookupError, match="part 0"):
        share(work, 3)
    assert sorted(done) == [0, 1, 2]
    assert len(parts_of(3)[0]) == 3  # the pool is sound


def test_an_error_with_one_thread():
    set_num_threads(1)
    with pytest.raises(ZeroDivisionError):
        share(lambda first, last: 1 // 0, 3)


def test_helpers_have_the_callers_context():
    set_num_threads(2)
    barrier = threading.Barrier(2)

    def work(first, last):
        barrier.wait(timeout=30)
        np.ones(1) / np.zeros(1)

    with np.errstate(divide="ignore"):
        share(work, 2)
    with np.errstate(divide="raise"), pytest.raises(FloatingPointError):
        share(work, 2)


def test_nothing_is_kept():
    set_num_threads(2)
    array = np.ones(10)
    gone = weakref.ref(array)

    def run(array, fail):
        def work(first, last):
            array[first:last] += 1
            if fail:
                raise ValueError

        with contextlib.suppress(ValueError):
            share(work, 10)

    gc.disable()
    try:
        for fail in (False, True):
            run(array, fail)
        del array
        deadline = time.monotonic() + 10
        while gone() is not None and time.monotonic() < deadline:  # a helper may still be letting go
            time.sleep(0.01)
        assert gone() is None
    finally:
        gc.enable()


# --------------------------------------------------------------------------------------------------------------------
# Processes


def _in_child(connection):
    connection.send((get_num_threads(), parts_of(4)[0], blas_threads(), len(threads._helpers)))


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system does not fork")
def test_after_a_fork():
    set_num_threads(2)
    share(*together(2)[:1], 2)
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("fork").Process(target=_in_child, args=(theirs,))
    with warnings.catch_warnings():  # Python 3.12 and later warn of other libraries' threads
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        process.start()
    assert ours.poll(60)
    count, parts, blas, helpers = ours.recv()
    process.join(60)
    assert (count, parts) == (2, [(0, 2), (2, 4)])
    assert helpers == 1
    assert blas <= {min(2, os.cpu_count() or 1)}
    share(*together(2)[:1], 2)  # and here it goes on


def test_a_fork_finds_no_helpers():
    set_num_threads(2)
    share(*together(2)[:1], 2)
    assert any(thread.name.startswith("minigrad-") for thread in threading.enumerate())
    threads._stop_helpers()
    assert not any(thread.name.startswith("minigrad-") for thread in threading.enumerate())
    share(*together(2)[:1], 2)


END = """
import threading, sys, os
from minigrad.kernels.threads import set_num_threads, share
set_num_threads(3)
barrier = threading.Barrier(3)
share(lambda first, last: barrier.wait(30), 3)
print("done", flush=True)
"""


def test_the_process_ends():
    assert python(END) == ["done"]


INTERRUPTED = """
import signal, threading, time, os
from minigrad.kernels.threads import set_num_threads, share
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell starts in the background
set_num_threads(2)
begun, ended = threading.Barrier(2), []
def work(first, last):
    begun.wait(30)
    if first:
        time.sleep(0.3)
    elif threading.current_thread() is threading.main_thread():
        os.kill(os.getpid(), signal.SIGINT)
    ended.append(first)
try:
    for _ in range(50):  # until the main thread has part 0
        share(work, 2)
except KeyboardInterrupt:
    print(sorted(ended)[-1])
"""


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_waits_for_the_parts():
    assert python(INTERRUPTED) == ["1"]
