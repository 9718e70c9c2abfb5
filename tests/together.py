"""Programs in several processes: ``mpiexec -n N``, and what of it is there."""

import functools
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RANKS = ROOT / "tests" / "ranks"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


def missing():
    """What is not there of what it takes, or None."""
    if importlib.util.find_spec("mpi4py") is None:
        return "mpi4py is not installed (pip install mpi4py mpich)"
    return None if mpiexec() else "there is no mpiexec (pip install mpich)"


@functools.cache
def mpiexec():
    beside = Path(sys.executable).parent / "mpiexec"
    return str(beside) if beside.exists() else shutil.which("mpiexec")


def run(ranks, arguments, folder, timeout=120, **variables):
    """Run ``python ARGUMENTS`` in so many processes, in a folder; gives the `subprocess.CompletedProcess`."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    env = {**os.environ, **ONE_THREAD, "PYTHONPATH": path, **variables}
    command = [mpiexec(), "-n", str(ranks), sys.executable, "-W", "error", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=env, cwd=folder)


def checks(module):
    """The names of the checks in a module of tests/ranks."""
    lines = (RANKS / f"{module}.py").read_text(encoding="utf-8").splitlines()
    return [line[4 : line.index("(")] for line in lines if line.startswith("def check_")]
