"""`minigrad.distributed` in several processes, which mpiexec starts, and alone."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import together

from minigrad.distributed.launch import find_mpiexec

PROGRAMS = Path(__file__).parent / "mpi_programs"
MPIEXEC = find_mpiexec(None)
needs_mpi = pytest.mark.skipif(together.missing() is not None, reason=str(together.missing()))


def run(words, timeout=60, **variables):
    """(exit code, stdout, stderr, seconds) of a command."""
    start = time.monotonic()
    done = subprocess.run(
        [str(word) for word in words],
        capture_output=True,
        text=True,
        timeout=timeout,
        env=together.environment(PYTHONWARNINGS="error", **variables),
    )
    return done.returncode, done.stdout, done.stderr, time.monotonic() - start


@needs_mpi
@pytest.mark.parametrize("size", [2, 4])
def test_collectives_messages_objects_and_groups(size):
    code, out, err, _ = run([MPIEXEC, "-n", size, sys.executable, PROGRAMS / "collectives.py"])
    assert code == 0, err
    assert sorted(re.findall(r"rank \d of \d: all as it should be", out)) == [
        f"rank {i} of {size}: all as it should be" for i in range(size)
    ]


LINES = (PROGRAMS / "failing.py").read_text().splitlines()


def at(text, further=0):
    """``failing.py:12``: where that program has a line."""
    return f"failing.py:{LINES.index(text) + 1 + further}"


STEP = at("            dist.all_reduce(x)")
HERE = f"all_reduce SUM of (64,) float32 ({STEP})"


def doing(how):
    return at(f'    if how == "{how}":', 1)


# {what a rank does: (exit code, what is said)}
FAILURES = {
    "raise": (1, "rank 1 of 3 (", ") failed: ValueError: bad batch\n"),
    "everywhere": (1, ") failed: ValueError: the same on all (as did rank "),
    "exit": (3, "rank 1 of 3 (", ") failed: sys.exit(3)\n"),
    "kill": (137, "rank 1 (process", "was ended by signal 9 (Killed); the others were stopped\n"),
    "hang": (
        1,
        f"{HERE.replace('(fail', '(number 6 of the default group, fail')} did not end in 2 s: ",
        f"rank 1 has not arrived: it was last at number 5, {HERE}, and is now at {doing('hang')}: time.sleep(100)",
    ),
    "shape": (
        1,
        "the ranks do not call the same: as number 6 of the default group, rank ",
        f"rank 1 called all_reduce SUM of (32,) float32 ({doing('shape')})",
        f" called {HERE}",
    ),
    "missing": (1, f"rank 1 called barrier ({at('    dist.barrier()')})", f" called {HERE}"),
}
MORE_FAILURES = {
    "thread": (1, "rank 1 of 3 (", ") failed: ZeroDivisionError: division by zero\n"),
    "interrupt": (1, "rank 1 of 3 (", ") was interrupted\n"),
    "leave": (
        1,
        "rank 1 (",
        "has left the default group without coming to all_reduce SUM of (64,) float32 (number 6 of",
    ),
    "stop": (1, "did not end in 2 s: rank 1 (", ") does not answer: stopped, killed, or cut off"),
    "dtype": (1, f"rank 1 called all_reduce SUM of (64,) float64 ({doing('dtype')})", f" called {HERE}"),
    "op": (1, f"rank 1 called all_reduce MAX of (64,) float32 ({doing('op')})", f" called {HERE}"),
    "function": (1, f"rank 1 called broadcast from 0 of (64,) float32 ({doing('function')})", f" called {HERE}"),
    "recv": (1, "did not end in 2 s: rank "),
    "group": (1, "did not end in 2 s: rank "),
    "early": (1, "rank 1 of 3 (", ") failed: ValueError: before it began\n"),
    "late": (1, f"init_process_group ({at('dist.init_process_group()')}) did not end in 2 s: rank 1 is at failing.py:"),
}


def check_failure(how, code, *said):
    got, out, err, seconds = run([*together.LAUNCH, "-n", 3, "--timeout", 2, PROGRAMS / "failing.py", how])
    assert [part for part in said if part not in err] == [], err
    assert got == code
    assert len(re.findall("^minigrad", err, re.MULTILINE)) == 1, "it is said once"
    assert err.count("Traceback") == (how in ("raise", "everywhere", "thread", "early")), err
    assert "BAD TERMINATION" not in out + err
    assert "is through" not in out
    assert seconds < 30
    return out


@needs_mpi
@pytest.mark.parametrize("how", FAILURES)
def test_what_one_rank_does_wrong_is_said_once_and_stops_all(how):
    out = check_failure(how, *FAILURES[how])
    if how in ("raise", "exit"):  # the others end as after an error of their own
        assert out.count("cleans up") == 3


@needs_mpi
@pytest.mark.long
@pytest.mark.parametrize("how", MORE_FAILURES)
def test_more_that_one_rank_does_wrong(how):
    check_failure(how, *MORE_FAILURES[how])


@needs_mpi
def test_a_failure_under_plain_mpiexec():
    words = [MPIEXEC, "-n", 2, sys.executable, PROGRAMS / "failing.py", "raise"]
    code, out, err, seconds = run(words, MINIGRAD_DISTRIBUTED_TIMEOUT="2")
    assert (code != 0, err.count("Traceback"), out.count("cleans up")) == (True, 1, 2)
    assert re.search(r"minigrad.distributed: rank 1 of 2 \(.*\) failed: ValueError: bad batch", err)
    assert seconds < 30


RESTARTED = """
import os, sys
import minigrad.distributed as dist

dist.init_process_group("nccl")
assert dist.get_rank() == int(os.environ["RANK"]) and dist.get_world_size() == int(os.environ["WORLD_SIZE"]) == 2
assert dist.get_node_local_rank() == int(os.environ["LOCAL_RANK"]) == dist.get_rank()
assert sys.argv[1:] == ["--epochs", "3"]
print("attempt", os.environ["MINIGRAD_RESTART"])
if os.environ["MINIGRAD_RESTART"] == "0" and dist.get_rank() == 1:
    raise OSError("disk")
dist.barrier()
"""


@needs_mpi
def test_launch_starts_again(tmp_path):
    program = tmp_path / "train.py"
    program.write_text(RESTARTED)
    code, out, err, _ = run([*together.LAUNCH, "--nproc-per-node", 2, "--restarts", 2, program, "--epochs", 3])
    assert code == 0, err
    assert out.split() == ["attempt", "0"] * 2 + ["attempt", "1"] * 2
    assert re.findall("^minigrad.*", err, re.MULTILINE)[1] == "minigrad launch: starting again (1 of 2)"


STARTED = """
import minigrad.distributed as dist
import minigrad.multiprocessing as mp

def setup(rank, size):
    dist.init_process_group("gloo", rank=rank, world_size=size)

def run(rank, size):
    setup(rank, size)
    if rank == 1:
        raise ValueError("oh")
    dist.barrier()

if __name__ == "__main__":
    {start}
"""
BY_SPAWN = "mp.spawn(run, args=(2,), nprocs=2)"
BY_PROCESS = "processes = [mp.Process(target=run, args=(rank, 2)) for rank in range(2)]; [p.start() for p in processes]"
ASKED = "; [p.join() for p in processes]; print([p.exitcode for p in processes])"


@needs_mpi
@pytest.mark.parametrize(
    ("start", "code", "out", "last"),
    [
        (BY_SPAWN, 1, "", "ProcessRaisedException: process 1 terminated with exit code 1\n"),
        (BY_PROCESS + ASKED, 0, "[-15, 1]", "failed: ValueError: oh\n"),
        (BY_PROCESS, 0, "", "failed: ValueError: oh\n"),  # nobody waits
    ],
)
def test_processes_that_a_program_starts_itself(tmp_path, start, code, out, last):
    program = tmp_path / "train.py"
    program.write_text(STARTED.format(start=start))
    got, said, err, _ = run([sys.executable, program])
    assert (got, said.strip()) == (code, out), err
    assert re.search(r"rank 1 of 2 \(.*\) failed: ValueError: oh\n", err)
    assert err.endswith(last)


@needs_mpi
@pytest.mark.parametrize("code", [7, 0])
def test_a_rank_that_ends_without_a_word_is_named(tmp_path, code):
    program = tmp_path / "train.py"
    program.write_text(
        "import os, minigrad.distributed as dist\n"
        "dist.init_process_group()\n"
        f"if dist.get_rank() == 1: os._exit({code})\n"
        "dist.barrier()\n"
    )
    got, _, err, _ = run([*together.LAUNCH, "-n", 2, program])
    assert got == code if code else got != 0
    assert re.fullmatch(
        rf"minigrad launch: rank 1 \(process \d+ on .*\) ended with exit code {code} and said nothing; the others were "
        r"stopped\n",
        err,
    )


def test_launch_says_what_is_missing(tmp_path):
    code, _, err, _ = run([*together.LAUNCH, "-n", 2, tmp_path / "none.py"])
    assert (code, err) == (2, f"minigrad launch: error: there is no file {tmp_path / 'none.py'}\n")
    code, _, err, _ = run([*together.LAUNCH, "--mpiexec", tmp_path / "mpiexec", __file__])
    assert (code, 'pip install "minigrad[mpi]" mpich' in err) == (1, True)
