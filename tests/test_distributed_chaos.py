"""A rank is killed at a random moment, again and again: each time the end is clear, the last checkpoint whole, and the
run goes on as if nothing had happened."""

import os
import random
import re
import signal
import subprocess
import time

import pytest
import test_distributed
import together

import minigrad

PROGRAM = test_distributed.PROGRAMS / "training.py"


def curve(folder):
    """{step: the weights after it}; a step that was done twice has to have given the same twice."""
    weights = {}
    for line in (folder / "curve.txt").read_text().splitlines():
        step, digest = line.split()
        assert weights.setdefault(int(step), digest) == digest, f"step {step} went another way"
    return weights


def numbers_of_processes(folder, launcher):
    """Waits until all ranks train, and gives their processes."""
    files = [folder / f"process-{rank}" for rank in range(2)]
    while not all(file.exists() and file.read_text() for file in files):
        assert launcher.poll() is None, launcher.communicate()
        time.sleep(0.01)
    numbers = [int(file.read_text()) for file in files]
    for file in files:
        file.unlink()
    return numbers


@test_distributed.needs_mpi
@pytest.mark.parametrize("rounds", [3, pytest.param(20, marks=pytest.mark.long)])
def test_ranks_killed_at_random_moments(tmp_path, rounds):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    whole.mkdir()
    killed.mkdir()
    epochs = 6 * rounds  # 60 steps, about half a second, for each round
    code, _, err, _ = test_distributed.run([*together.LAUNCH, "-n", 2, PROGRAM, whole, epochs], timeout=300)
    assert code == 0, err

    launcher = subprocess.Popen(
        [*together.LAUNCH, "-n", "2", "--restarts", str(rounds), str(PROGRAM), str(killed), str(epochs)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(together.ROOT)},
    )
    victims = []
    for _ in range(rounds):
        processes = numbers_of_processes(killed, launcher)
        time.sleep(random.uniform(0, 0.5))
        rank = random.randrange(2)
        os.kill(processes[rank], signal.SIGKILL)
        victims.append((rank, processes[rank]))
        if (killed / "run.pt").exists():
            assert minigrad.load(killed / "run.pt")["step"] > 0  # whole
    err = launcher.communicate(timeout=120)[1]
    assert launcher.returncode == 0, err
    said = re.findall(r"^minigrad launch: rank (\d) \(process (\d+) on .*\) was ended by signal 9", err, re.MULTILINE)
    assert [(int(rank), int(process)) for rank, process in said] == victims, err
    assert err.count("starting again") == rounds
    assert curve(killed) == curve(whole)
    assert len(curve(whole)) == 10 * epochs
