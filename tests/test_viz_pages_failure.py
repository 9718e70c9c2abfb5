"""The page of a failure begins at the operation that failed."""

import pytest

import minigrad
from minigrad import nn, viz


@pytest.mark.parametrize("width", [1280, 380])
def test_the_failed_operation_is_in_sight(browser_page, tmp_path, width):
    layers = [layer for _ in range(20) for layer in (nn.Linear(4, 4), nn.Tanh())]
    drawing = viz.draw_module(nn.Sequential(*layers, nn.Linear(3, 3)), minigrad.ones(2, 4))
    page = browser_page(drawing.save(tmp_path / "failure.html"), width=width)
    place = page.locator("g.kind-failed").bounding_box()
    assert 0 <= place["x"] < width
    assert 0 <= place["y"] < 800
