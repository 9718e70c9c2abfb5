"""Times minigrad against its own NumPy twins and against torch: `python -m bench --help` from the repository's root.

Reading order: `timing.py` (how a number is got), `row.py` (what a row is), `rows/` (the rows, by family),
`run.py` (the loop over them), `report.py` and `plot.py` (how they are shown), `environment.py` (the machine).
"""
