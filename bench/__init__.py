"""Times minigrad against its own NumPy twins and against other libraries: `python -m bench --help` from the
repository's root. What users time their own functions with is `minigrad.utils.benchmark`, which this stands on.

Reading order: `timing.py` and `row.py` (what a row is), `rows/` (the rows, by family), `run.py` (the loop over them),
`report.py` and `plot.py` (how they are shown), `modes.py` (what each option does).

Beside them: `environment.py` (the machine), `limits.py` and `traffic.py` (its limits, and what a row asks of it),
`scaling.py` (time over size), `layouts.py` (awkward inputs), `choices.py` (numba or NumPy), `memory.py` (peaks),
`rivals.py` (jax and autograd), `regress.py` (two runs compared), `targets.py`, `reasons.py` and `page.py` (the issue's
table, and docs/benchmarks.md), `programs.py` (whole programs).
"""
