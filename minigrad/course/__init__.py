"""`minigrad.course`: what the notebooks and programs of the course (``notebooks/``) share. Not in PyTorch.

exercise.py  `check`, by which an exercise corrects itself
program.py   options, progress and the result line of the programs in ``notebooks/scripts``

from minigrad.course import check
check(lambda: square(3), 9)                 # ✓ right · 맞습니다
"""

from minigrad.course.exercise import check
from minigrad.course.program import options, progress, result

__all__ = ["check", "options", "progress", "result"]
