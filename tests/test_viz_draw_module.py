"""The keyword arguments of viz.draw_module: options of draw on one side, arguments of the module on the other."""

import pytest

import minigrad
from minigrad import nn, viz
from minigrad.viz.graph.model import FAILED, LEAF, MODULE


def model():
    return nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))


def rows(drawing):
    return {word for box in drawing.graph.boxes.values() for word, _ in box.rows}


class Scaled(nn.Module):
    def forward(self, x, values=1.0):
        return x * values


class Passing(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = Scaled()

    def forward(self, *args, **kwargs):
        return self.inner(*args, **kwargs)


def test_options_of_draw_are_not_given_to_the_module():
    x = minigrad.ones(1, 2)
    assert "data" in rows(viz.draw_module(model(), x))
    plain = viz.draw_module(model(), x, values=False)
    assert "data" not in rows(plain)
    assert plain.source == viz.draw_module(model(), x, options={"values": False}).source
    closed = viz.draw_module(model(), x, depth=0, direction="TB")
    assert closed.shown.direction == "TB"
    assert closed.shown.count(MODULE) == 1


@pytest.mark.parametrize("kind", [Scaled, Passing])
def test_what_forward_has_under_that_name_is_the_modules(kind):
    x = minigrad.ones(2, requires_grad=True)
    drawing = viz.draw_module(kind(), x, values=3.0)
    (output,) = [box for box in drawing.graph.boxes.values() if box.title == "output"]
    assert ("data", "[3.0, 3.0]") in output.rows
    assert "data" not in rows(viz.draw_module(kind(), x, values=3.0, options={"values": False}))


def test_a_module_that_fails_is_drawn_with_the_options():
    drawing = viz.draw_module(nn.Sequential(nn.Linear(2, 2), nn.Linear(3, 3)), minigrad.ones(1, 2), values=False)
    assert drawing.graph.count(FAILED) == 1
    assert drawing.graph.count(LEAF) == 4
    assert "data" not in rows(drawing)


def test_notes_name_the_function_that_takes_the_option():
    deep = nn.Sequential(*[nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)) for _ in range(20)])
    drawing = viz.draw_module(deep, minigrad.ones(1, 2), repeats="open", max_nodes=12)
    assert "draw_module(..., depth=" in drawing.note


def test_misuse_is_told():
    x = minigrad.ones(1, 2)
    with pytest.raises(TypeError, match="'valuse' is no option of draw; expected some of values, shapes"):
        viz.draw_module(model(), x, options={"valuse": False})
    with pytest.raises(TypeError, match="'values' is given both by name and in 'options'; give it once"):
        viz.draw_module(model(), x, values=True, options={"values": False})
    with pytest.raises(ValueError, match=r"draw_module\(\): argument 'direction': got 'UP'; expected 'LR' or 'TB'"):
        viz.draw_module(model(), x, direction="UP")
