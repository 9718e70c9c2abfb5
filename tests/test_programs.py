"""The programs of tests/programs: run in both libraries by swapping the import, nothing else, they do the same.

The same losses, within the tolerance that each program states and explains, and the same prints: text to the
character, numbers within that tolerance and their last digit.
"""

import re

import pytest

from bench import programs

torch = pytest.importorskip("torch")

NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]\d+)?")


@pytest.mark.parametrize("name", programs.names())
def test_programs_do_the_same(name):
    ours, theirs = (programs.run(name, library) for library in programs.LIBRARIES)
    assert len(ours.losses) >= 20
    assert programs.difference(ours.losses, theirs.losses) <= theirs.tolerance
    assert NUMBER.split(ours.printed) == NUMBER.split(theirs.printed)
    for a, b in zip(NUMBER.findall(ours.printed), NUMBER.findall(theirs.printed), strict=True):
        decimals = len(b.partition("e")[0].partition(".")[2])
        last_digit = 1.01 * 10.0**-decimals if decimals else 0
        assert float(a) == pytest.approx(float(b), rel=theirs.tolerance, abs=last_digit)


def test_there_are_enough_programs_and_they_change_nothing_but_the_import():
    assert len(programs.names()) >= 15
    for name in programs.names():
        before, after = (programs.source(name, library).splitlines() for library in ("torch", "minigrad"))
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        assert changed
        assert all(a.split()[0] in ("import", "from") and a.split()[1].startswith("torch") for a, _ in changed)


def test_difference_sees_what_differs():
    assert programs.difference([1.0, 2.0], [1.0, 2.0]) == 0
    assert programs.difference([1.0, 2.2], [1.0, 2.0]) == pytest.approx(0.1)
    assert programs.difference([0.1, 1.0, 1.0], [0.0, 1.0, 1.0]) == pytest.approx(1.0)  # a tenth of the median, 0.1
    with pytest.raises(ValueError, match="2 and 1 values"):
        programs.difference([1.0, 2.0], [1.0])
