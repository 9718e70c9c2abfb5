"""A rank is killed in the middle of a training: a clear end, a whole checkpoint, and the same curve after it."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import together

import minigrad

pytestmark = pytest.mark.skipif(together.missing() is not None, reason=str(together.missing()))
PROGRAM = together.RANKS / "killed.py"


class Killer(threading.Thread):
    """Kills a rank of each of the first `times` starts, at some moment after its training began; `broken` are the
    checkpoints found that could not be read."""

    def __init__(self, folder, times):
        super().__init__(daemon=True)
        self.folder, self.left, self.broken = folder, times, []
        self.over = threading.Event()

    def run(self):
        files = [self.folder / f"process-{rank}" for rank in (0, 1)]
        while self.left and not self.over.wait(0.01):
            if all(file.exists() and file.read_text() for file in files):
                time.sleep(random.uniform(0.0, 0.6))
                os.kill(int(random.choice(files).read_text()), signal.SIGKILL)
                self.left -= 1
                for file in files:
                    file.unlink()
                try:
                    if (self.folder / "run.pt").exists():
                        minigrad.load(self.folder / "run.pt")
                except Exception as error:
                    self.broken.append(error)


@pytest.mark.parametrize("times", [1, pytest.param(20, marks=pytest.mark.long)])
def test_killed_at_random_moments(tmp_path, times):
    whole, often = tmp_path / "whole", tmp_path / "often"
    for folder in (whole, often):
        folder.mkdir()
    assert together.run(2, [PROGRAM, whole], tmp_path).returncode == 0
    killer = Killer(often, times)
    killer.start()
    command = [sys.executable, "-m", "minigrad", "launch", "-n", "2", "--restarts", str(times), PROGRAM, often]
    done = subprocess.run(
        [*map(str, command)], env=together.environment(), capture_output=True, text=True, timeout=60 + 60 * times
    )
    killer.over.set()
    killer.join()
    assert (done.returncode, killer.left, killer.broken) == (0, 0, []), done.stderr[-3000:]
    ends = [line for line in done.stderr.splitlines() if "minigrad launch: rank" in line or "failed" in line]
    assert len(ends) == times, done.stderr[-3000:]
    assert done.stderr.count("starting again") == times
    assert json.loads((often / "end.json").read_text()) == json.loads((whole / "end.json").read_text())
