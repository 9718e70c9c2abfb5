"""`check`: an exercise of the course corrects itself, and never stops the notebook."""

from __future__ import annotations

import os

import numpy as np

from minigrad.tensor import Tensor

__all__ = ["check"]

STRICT = "MINIGRAD_COURSE_STRICT"  # set where the solutions are tested: then whatever is not right raises


def check(answer, expected, hint="", *, tolerance=1e-4):
    """Says whether an answer is right, in one line of English and Korean; it never raises for a wrong answer.

    Args:
        answer: what was asked for, or a function without arguments that computes it (so that a mistake inside is
            shown, not raised). ``...`` and None mean: not done yet.
        expected: a number, a bool, a string, an array or Tensor (with the same shape), a list or tuple of these; or a
            function that takes the answer and says whether it is right.
        hint (str): what to think about; shown beside a wrong answer.
        tolerance (float): how far a number may be off, relative to the expected one and absolute. Default: 1e-4

    Raises:
        AssertionError: if the environment variable MINIGRAD_COURSE_STRICT is set and the answer is not right.
        TypeError: if `hint` is not a string (a second expected value has slipped in).
    """
    if not isinstance(hint, str):
        raise TypeError(f"check(): hint must be a str, but got {type(hint).__name__}; compare several values as a list")
    mark, words = _judge(answer, expected, tolerance)
    if mark == "✗" and hint:
        words += f"\n  hint · 힌트: {hint}"
    if mark != "✓" and os.environ.get(STRICT):
        raise AssertionError(words)
    print(mark, words)


def _judge(answer, expected, tolerance):
    try:
        if callable(answer) and not isinstance(answer, Tensor):
            answer = answer()
    except Exception as error:
        return "✗", f"it raised {type(error).__name__} · 오류가 났습니다: {error}"
    if _missing(answer):
        return "○", "not done yet · 아직입니다"
    judges = callable(expected) and not isinstance(expected, Tensor)
    try:
        right = expected(answer) if judges else _same(answer, expected, tolerance)
        why = "" if right or judges else _shapes(answer, expected)
    except Exception as error:  # the answer is of a kind that cannot be compared
        right, why = False, f"\n  {type(error).__name__}: {error}"
    return ("✓", "right · 맞습니다") if right else ("✗", f"not right · 다릅니다: {_shown(answer)}{why}")


def _missing(answer):
    return answer is None or answer is ... or (isinstance(answer, (list, tuple)) and any(map(_missing, answer)))


def _same(answer, expected, tolerance):
    if isinstance(expected, (str, bool)):
        answer = _plain(answer)
        return type(answer) is type(expected) and answer == expected
    if isinstance(expected, (list, tuple)) and not _numbers(expected):
        return _as_many(answer, expected) and all(_same(a, e, tolerance) for a, e in zip(answer, expected))
    answer, expected = _array(answer), _array(expected)
    return answer.shape == expected.shape and np.allclose(answer, expected, rtol=tolerance, atol=tolerance)


def _numbers(values):
    """Whether lists of numbers make an array; those of several lengths, or numbers beside lists, do not."""
    plain = all(isinstance(v, (int, float)) or (isinstance(v, (list, tuple)) and _numbers(v)) for v in values)
    return plain and len({np.shape(v) for v in values}) <= 1


def _array(value):
    if hasattr(value, "detach"):
        value = value.detach().numpy()
    elif hasattr(value, "data") and isinstance(value.data, (int, float)):  # a Value
        value = value.data
    return np.asarray(value, np.float64)


def _as_many(answer, expected):
    return hasattr(answer, "__len__") and not isinstance(answer, str) and len(answer) == len(expected)


def _shapes(answer, expected):
    """What to say of an answer whose shape is another one."""
    if isinstance(expected, (str, bool)):
        return ""
    if isinstance(expected, (list, tuple)) and not _numbers(expected):
        count = len(expected)
        several = f"\n  a list or tuple of {count} is expected · 값 {count}개의 리스트나 튜플이어야 합니다"
        return "" if _as_many(answer, expected) else several
    ours, theirs = _array(answer).shape, _array(expected).shape
    return (
        "" if ours == theirs else f"\n  its shape is {ours}, not {theirs} · 모양이 {theirs}이어야 하는데 {ours}입니다"
    )


def _plain(answer):
    """One number, truth or text of NumPy's or of a Tensor as Python's own."""
    one = isinstance(answer, np.generic) or (isinstance(answer, (Tensor, np.ndarray)) and answer.ndim == 0)
    return answer.item() if one else answer


def _shown(answer):
    if type(answer) in (list, tuple):
        answer = type(answer)(map(_plain, answer))
    text = " ".join(repr(_plain(answer)).split())
    return text if len(text) <= 120 else text[:117] + "..."
