"""Failures: causes that go round in a circle, and the frame of a layer that fails."""

import pytest

import minigrad
from minigrad import nn, viz
from minigrad.viz.graph.model import FAILED


def red(drawing):
    (box,) = [box for box in drawing.graph.boxes.values() if box.kind == FAILED]
    return box


def test_errors_that_are_each_others_cause(tmp_path):
    def around():
        first, second = ValueError("first"), KeyError("second")
        second.__cause__ = first
        try:
            raise second
        except KeyError:
            raise first from second

    with pytest.raises(ValueError, match="first"), viz.on_error(tmp_path / "failure.dot") as failure:
        around()
    assert red(failure.drawing).title == "✗ ValueError"


def test_a_layer_that_fails_stands_in_its_own_frame():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 2))
    drawing = viz.draw_module(model, minigrad.ones(1, 4))
    box, groups = red(drawing), drawing.graph.groups
    assert [groups[key].title for key in drawing.graph.around(box.group)] == ["2: Linear", "Sequential"]
    facts = dict(box.facts)
    assert facts["module"] == "2 (Linear)"
    assert facts["code"].startswith("drawing = viz.draw_module(")
    assert not {"shape", "dtype", "value"} & facts.keys()  # there is no result
