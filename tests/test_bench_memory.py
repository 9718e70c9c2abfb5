"""The bench's peak memory: which rows it runs, and that a process of its own gives a figure."""

import io
import sys

import pytest
from rich.console import Console

from bench import memory

LINUX = sys.platform.startswith("linux")


def test_each_training_step_is_measured_once():
    names = [row.name for row in memory.steps()]
    assert "step/moons 2-16-16-1 B100 Adam" in names
    assert "step/MLP 784-256-128-10 B64 Adam" in names
    assert not [name for name in names if "own process" in name or "torch" in name or not name.startswith("step/")]


@pytest.mark.parametrize(
    ("ours", "theirs", "ratio"),
    [((100, 300, 200), (400, 400, 900), 0.5), ((32, 128, 128), (0, 0, 4), 2), ((60, 60, 60), (0, 0, 0), 1)],
)
def test_peaks_are_medians_as_a_part_of_torchs_and_few_pages_are_alike(monkeypatch, ours, theirs, ratio):
    given = {"minigrad": iter([str(n << 10) for n in ours]), "torch": iter([str(n << 10) for n in theirs])}
    monkeypatch.setattr(memory, "python", lambda code, library, row: next(given[library]))
    monkeypatch.setattr(memory.importlib.util, "find_spec", lambda name: True)
    first = memory.steps()[:1]
    monkeypatch.setattr(memory, "steps", lambda: first)
    (peak,) = memory.peaks()
    assert peak["bytes"] == {"minigrad": sorted(ours)[1] << 10, "torch": sorted(theirs)[1] << 10}
    assert peak["ratio"] == ratio
    assert peak["name"].startswith("memory/")


@pytest.mark.skipif(not LINUX, reason="reads /proc")
def test_a_process_of_its_own_gives_a_figure(monkeypatch):
    monkeypatch.setattr(memory, "PROCESSES", 1)
    monkeypatch.setattr(memory.importlib.util, "find_spec", lambda name: False)
    text = io.StringIO()
    memory.print_peaks(Console(file=text, width=100), ["moons"])
    assert "memory/moons 2-16-16-1 B100 Adam" in text.getvalue()
    assert "MB" in text.getvalue()
