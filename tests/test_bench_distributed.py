"""`bench.distributed`: what it computes from what was measured; and the program of docs/distributed.md."""

import re

import pytest
import together

from bench import distributed
from bench.links import LINKS, Here, Link, forecast, halving, ring

PLAIN = Link("plain", 1e-5, 1e9)
NOTHING = Here(0.0, 0.0, float("inf"))


def test_ring_and_halving():
    assert ring(1e9, 2, PLAIN) == pytest.approx(2e-5 + 1.0)
    assert ring(1e9, 1000, PLAIN) == pytest.approx(2 * 999e-5 + 2 * 0.999)
    assert halving(1e9, 1000, PLAIN) == pytest.approx(20e-5 + 2 * 0.999)
    assert ring(0, 2, PLAIN) == halving(0, 2, PLAIN)


def test_software_and_link_add_up():
    path = Here(0.0, 2e-5, 1e9).over(PLAIN)
    assert path.latency == pytest.approx(3e-5)
    assert path.bandwidth == pytest.approx(0.5e9)


def test_a_sum_is_hidden_while_the_backward_runs():
    """Two buckets of a second each over two ranks: the first is sent beside half a second of backward."""
    link = Link("slow", 0.0, 1e6)
    found = forecast([[1.0, 1e6], [1.5, 1e6]], 2.0, 2, link, NOTHING)
    assert found.sums == pytest.approx(2.0)
    assert found.seconds == pytest.approx(2.0 + 1.5)
    assert found.hidden == pytest.approx(0.25)
    assert found.efficiency == pytest.approx(2 / 3.5)
    early = forecast([[0.1, 1e6], [1.5, 0]], 2.0, 2, link, NOTHING)
    assert (early.hidden, early.efficiency) == (1.0, 1.0)


def test_more_ranks_and_slower_links_are_not_better():
    here = Here(2e-5, 5e-6, 2e9)
    for link in LINKS:
        found = [forecast([[0.05, 4e6], [0.07, 3e6]], 0.08, ranks, link, here).efficiency for ranks in (2, 8, 64, 512)]
        assert found == sorted(found, reverse=True)
    slow, fast = (forecast([[0.05, 4e6]], 0.08, 8, link, here).efficiency for link in LINKS)
    assert slow < fast < 1


def test_tables_stand_between_their_marks():
    page = distributed.PAGE.read_text(encoding="utf-8")
    changed = distributed.into_page("| new \\1 |", page)
    assert "| new \\1 |" in changed
    assert distributed.into_page("x", changed) == distributed.into_page("x", page)
    with pytest.raises(SystemExit, match="has not the marks"):
        distributed.into_page("x", "a page")


@pytest.mark.skipif(together.missing() is not None, reason=str(together.missing()))
def test_the_program_of_the_page(tmp_path):
    page = distributed.PAGE.read_text(encoding="utf-8")
    program = re.search(r"```python\n(.*?)```", page, re.DOTALL)[1]
    (tmp_path / "train.py").write_text(program, encoding="utf-8")
    done = together.run(2, ["train.py"], tmp_path)
    assert done.returncode == 0, done.stderr
    losses = [float(line.split()[1]) for line in done.stdout.splitlines()]
    assert len(losses) == 5
    assert losses[-1] < 0.4 < losses[0]
