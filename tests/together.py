"""Programs in several processes: ``mpiexec -n N``, and what of it is there."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

from minigrad.distributed.launch import find_mpiexec

ROOT = Path(__file__).resolve().parents[1]
LAUNCH = [sys.executable, "-m", "minigrad", "launch"]
RANKS = ROOT / "tests" / "ranks"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def missing():
    """What is not there of what it takes, or None."""
    if importlib.util.find_spec("mpi4py") is None:
        return "mpi4py is not installed (pip install mpi4py mpich)"
    return None if find_mpiexec(None) else "there is no mpiexec (pip install mpich)"


def environment(**variables):
    """That of a process that is to find this minigrad."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, **ONE_THREAD, "PYTHONPATH": path, **variables}


def run(ranks, arguments, folder, timeout=300, **variables):
    """Run ``python ARGUMENTS`` in so many processes, in a folder; gives the `subprocess.CompletedProcess`."""
    command = [find_mpiexec(None), "-n", str(ranks), sys.executable, "-W", "error", *map(str, arguments)]
    options = {"capture_output": True, "text": True, "timeout": timeout}
    return subprocess.run(command, env=environment(**variables), cwd=folder, **options)


def checks(module):
    """The names of the checks in a module of tests/ranks."""
    lines = (RANKS / f"{module}.py").read_text(encoding="utf-8").splitlines()
    return [line[4 : line.index("(")] for line in lines if line.startswith("def check_")]
