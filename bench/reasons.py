"""Why a row of the issue's table misses its bound: found by a profile, not guessed. Kept by hand, read by `page.py`.

{row: reason}.  A reason for a row that keeps its bound is an error: it would outlive what it explains.
"""

REASONS: dict[str, str] = {}
