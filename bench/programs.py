"""The programs of tests/programs, run in either library by swapping the import: compared, and timed.

    python -m bench.programs              a table in Markdown: values compared, largest difference, time against torch
    python -m bench.programs gpt vae      of these programs only

Every program is a plain script that imports torch, keeps its losses in `losses` and states its TOLERANCE.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import os
import re
import statistics
import subprocess
import sys
import time
import types
import warnings
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "programs"
LIBRARIES = ("minigrad", "torch")
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclasses.dataclass
class Outcome:
    """What a program left: its losses, what it printed, the tolerance it states, and its seconds of processor time."""

    losses: list[float]
    printed: str
    tolerance: float
    seconds: float


def names() -> list[str]:
    """All programs, by name."""
    return sorted(path.stem for path in FOLDER.glob("*.py"))


def source(name: str, library: str) -> str:
    """A program's text; for minigrad with its import lines changed, and nothing else."""
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    return text if library == "torch" else swapped(text)


def swapped(text: str) -> str:
    """A program written for torch with its import lines changed to minigrad."""
    text = re.sub(r"(?m)^import torch$", "import minigrad as torch", text)
    return re.sub(r"(?m)^(import|from) torch\b", r"\1 minigrad", text)


def run(name: str, library: str) -> Outcome:
    """Run a program in this process, as a module of its own, so that its classes can be pickled."""
    module = types.ModuleType(f"{name}_with_{library}")
    sys.modules[module.__name__] = module
    code = compile(source(name, library), str(FOLDER / f"{name}.py"), "exec")
    began = time.process_time()
    try:
        with contextlib.redirect_stdout(io.StringIO()) as printed, warnings.catch_warnings():
            if library == "torch":
                warnings.simplefilter("ignore")  # of its prototypes
            exec(code, module.__dict__)
    finally:
        del sys.modules[module.__name__]
    seconds = time.process_time() - began
    return Outcome(module.losses, printed.getvalue(), module.TOLERANCE, seconds)


def difference(ours: list[float], theirs: list[float]) -> float:
    """The largest relative difference of two curves.

    Relative to the value itself, but to no less than a tenth of the curve's median size: some losses pass zero.
    """
    if len(ours) != len(theirs):
        raise ValueError(f"the curves have {len(ours)} and {len(theirs)} values")
    least = statistics.median(map(abs, theirs)) / 10
    return max(abs(a - b) / max(abs(b), least) for a, b in zip(ours, theirs, strict=True))


def timed(name: str, library: str) -> dict:
    """The second run of a program in a process of its own, so that nothing is compiled or imported in it."""
    command = [sys.executable, "-m", "bench.programs", "--one", library, name]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | ONE_THREAD, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def table(chosen: list[str], rounds: int) -> str:
    """The rows of the chosen programs, in Markdown."""
    lines = ["| program | values compared | largest relative difference | time | / PyTorch |", "|---|---|---|---|---|"]
    for name in chosen:
        outcomes = [{library: timed(name, library) for library in LIBRARIES} for _ in range(rounds)]
        ours, theirs = (outcomes[0][library]["losses"] for library in LIBRARIES)
        seconds = {library: [outcome[library]["seconds"] for outcome in outcomes] for library in LIBRARIES}
        ratio = statistics.median(a / b for a, b in zip(*seconds.values(), strict=True))
        first = source(name, "torch").splitlines()[0].strip('"')
        lines.append(
            f"| `{name}` {first.split(':')[0].rstrip('.')} | {len(ours)} | {difference(ours, theirs):.1e} | "
            f"{statistics.median(seconds['minigrad']):.2f} s | {ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m bench.programs", description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", choices=[*names(), []], help="default: all programs")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each side, interleaved (default: 3)")
    parser.add_argument("--one", choices=LIBRARIES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one is None:
        print(table(given.names or names(), given.rounds))
        return
    if given.one == "torch":
        import torch

        torch.set_num_threads(1)
    run(given.names[0], given.one)
    print(json.dumps(dataclasses.asdict(run(given.names[0], given.one))))


if __name__ == "__main__":
    main()
