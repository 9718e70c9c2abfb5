"""What a user waits for before anything happens: the import, and the demo's first training step.

Each sample is a fresh process; its first, untimed run fills the caches of bytecode and compiled kernels, so what is
timed is every start but the first. Only "first ever" finds an empty cache of kernels, as after an installation.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from bench.row import TORCH, Row
from bench.timing import Work

ROOT = Path(__file__).resolve().parents[2]

IMPORT = """
import time
start = time.process_time()
import {name}
print(time.process_time() - start)
"""

# Whatever optimizer the demo trains with, its first step ends the process. The clock is the system's monotonic one,
# shared by all processes, so the parent's reading is the start.
FIRST_STEP = """
import os, sys, time
import minigrad.optim as optim

def ends_here(step):
    def first(self, *args, **kwargs):
        step(self, *args, **kwargs)
        print("first step", time.monotonic(), time.process_time(), file=sys.__stdout__, flush=True)
        os._exit(0)
    return first

for kind in vars(optim).values():
    if isinstance(kind, type) and "step" in vars(kind):
        kind.step = ends_here(kind.step)

from minigrad.cli import main
main(["demo", "--epochs", "1", "--no-plots", "--out", sys.argv[1]])
"""

# The demo's network, data and first batch in PyTorch, without what the demo draws and writes before it trains.
TORCHS_FIRST_STEP = """
import time
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.set_num_threads(1)
digits = np.load("minigrad/datasets/data/digits.npz")
images = torch.from_numpy(digits["data"].astype(np.float32)).unsqueeze(1) / 16
data = TensorDataset(images, torch.from_numpy(digits["target"].astype(np.int64)))
model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.25), nn.Linear(32 * 2 * 2, 10),
)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
x, y = next(iter(DataLoader(data, batch_size=32, shuffle=True)))
nn.functional.cross_entropy(model(x), y).backward()
optimizer.step()
print("first step", time.monotonic(), time.process_time(), flush=True)
"""


def python(code, *arguments, **variables) -> str:
    """Run `code` in a fresh interpreter that may write its bytecode cache, as a user's does; its standard output."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"} | variables
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"bench: a row's process failed ({done.returncode}):\n{done.stderr.strip()}")
    return done.stdout


def importing(lib) -> Work:
    """CPU seconds of `import lib` in a new process; the interpreter's own start is not counted."""
    return Work(lambda: float(python(IMPORT.format(name=lib.__name__))), self_timed=True)


def first_step(clock, lib, first_ever=False) -> Work:
    """Seconds from starting `minigrad demo` to the end of its first optimizer step: on the wall, or of the CPU (which
    is what the wall shows where nothing else runs)."""

    def run():
        with tempfile.TemporaryDirectory() as folder:
            variables = {"NUMBA_CACHE_DIR": folder, "MINIGRAD_QUIET": "1"} if first_ever else {}
            start = time.monotonic()
            code = TORCHS_FIRST_STEP if lib.__name__ == TORCH else FIRST_STEP
            lines = python(code, os.path.join(folder, "out"), **variables).splitlines()
        wall, cpu = map(float, next(line.split()[2:] for line in lines if line.startswith("first step")))
        return wall - start if clock == "wall" else cpu

    return Work(run, self_timed=True)


def rows() -> list[Row]:
    return [
        Row("startup/import", importing, (TORCH,), targets={TORCH: 0.35}, alike=False),
        Row("startup/demo to its first step, wall", partial(first_step, "wall"), (), {"seconds": 1.5}, alike=False),
        Row("startup/demo to its first step, CPU", partial(first_step, "cpu"), (TORCH,), alike=False),
        Row(
            "startup/demo, first ever, wall", partial(first_step, "wall", first_ever=True), (), {"seconds": 12.0}, False
        ),
        Row("startup/demo, first ever, CPU", partial(first_step, "cpu", first_ever=True), (), alike=False),
    ]
