"""Full garbage collections are paced, and everything else about the collector is Python's."""

import gc
import sys

import pytest

import minigrad as mg
from minigrad.autograd import collector
from minigrad.autograd.collector import WAITING, _Pace, pace, unpace

pytestmark = pytest.mark.skipif(sys.version_info >= (3, 14), reason="the collector works in increments from 3.14 on")


@pytest.fixture
def clock(monkeypatch):
    """A clock set by hand for a `_Pace` that is alone at work."""
    unpace()
    before = gc.get_threshold()
    now = [100.0]
    made = _Pace(lambda: now[0])
    monkeypatch.setattr(collector, "_pace", made)
    pace()
    yield now
    unpace()
    monkeypatch.undo()
    gc.set_threshold(*before)
    pace()


def full(clock, seconds):
    collector._pace("start", {"generation": 2})
    clock[0] += seconds
    collector._pace("stop", {"generation": 2})


def young(clock):
    collector._pace("start", {"generation": 0})


def test_after_a_full_collection_the_next_waits_for_nineteen_times_as_long(clock):
    gc.set_threshold(701, 11, 12)
    full(clock, 2.0)
    assert gc.get_threshold() == (701, 11, WAITING)
    clock[0] += 37.9
    young(clock)
    assert gc.get_threshold() == (701, 11, WAITING)
    clock[0] += 0.2
    young(clock)
    assert gc.get_threshold() == (701, 11, 12)


def test_thresholds_that_the_program_sets_stay(clock):
    full(clock, 2.0)
    gc.set_threshold(5000, 20, 30)
    young(clock)
    assert gc.get_threshold() == (5000, 20, 30)
    clock[0] += 1000
    young(clock)
    assert gc.get_threshold() == (5000, 20, 30)


def test_thresholds_read_while_waiting_and_set_back_later_do_not_wait_for_ever(clock):
    gc.set_threshold(700, 10, 10)
    full(clock, 2.0)
    read = gc.get_threshold()
    clock[0] += 1000
    young(clock)
    gc.set_threshold(*read)
    young(clock)
    assert gc.get_threshold() == (700, 10, 10)


def test_a_collection_that_is_asked_for_runs_while_full_ones_wait(clock):
    class Knot:
        pass

    full(clock, 1000.0)
    knot = Knot()
    knot.self, found = knot, []
    gc.callbacks.append(note := lambda phase, info: found.append(info["collected"]) if phase == "stop" else None)
    del knot
    gc.collect()
    gc.callbacks.remove(note)
    assert found[-1] >= 1


def test_unpace_leaves_the_collector_as_python_has_it(clock):
    gc.set_threshold(700, 10, 10)
    full(clock, 1000.0)
    unpace()
    assert gc.get_threshold() == (700, 10, 10)
    assert collector._pace not in gc.callbacks
    unpace()  # twice is as once
    pace()
    pace()
    assert gc.callbacks.count(collector._pace) == 1


def test_full_collections_wait_while_a_large_graph_is_built():
    """With Python's own pace there are several; the graph is freed by reference counting alone."""
    x = mg.ones(1, requires_grad=True)
    w = mg.ones(1, requires_grad=True)
    ran = []
    gc.callbacks.append(note := lambda phase, info: ran.append(info["generation"]) if phase == "stop" else None)
    try:
        gc.collect()
        collector._pace.until = sys.float_info.max  # as after a long one
        del ran[:]
        y = x
        for _ in range(60_000):
            y = y * w
        assert ran.count(2) == 0
        assert ran.count(0) > 100
        y.backward()
        del y
    finally:
        gc.callbacks.remove(note)
        collector._pace.until = 0.0
        collector._pace.resume()
    assert x.grad.item() == 1
