"""Timing: `Timer` and `Compare` as in torch.utils.benchmark, and `compare`, which times several functions interleaved.

    from minigrad.utils.benchmark import compare
    compare({"mine": mine, "numpy": np.tanh}, lambda n: (np.random.rand(n),), sizes=(10, 1000, 100_000)).print()

Reading order: `rounds.py` (how a number is got; the repository's bench stands on it, too), `versus.py` (`compare`),
`timer.py` and `table.py` (PyTorch's names). Imported by name only: `import minigrad` does not load it.
"""

from minigrad.utils.benchmark.rounds import Samples, Spread, calibrate, measure
from minigrad.utils.benchmark.table import Compare
from minigrad.utils.benchmark.timer import Measurement, TaskSpec, Timer, select_unit, unit_to_english
from minigrad.utils.benchmark.versus import Comparison, compare

__all__ = [
    "Compare", "Comparison", "Measurement", "Samples", "Spread", "TaskSpec", "Timer",
    "calibrate", "compare", "measure", "select_unit", "unit_to_english",
]  # fmt: skip
