"""Everything of viz that takes a tensor takes Values: numbers, gradients, labels, and the Values only read."""

import pytest

from minigrad import viz
from minigrad.scalar import Value, stack


def lecture():
    """The expression of micrograd's lecture."""
    a, b, c, f = (Value(x, label=name) for x, name in ((2.0, "a"), (-3.0, "b"), (10.0, "c"), (-2.0, "f")))
    e = a * b
    e.label = "e"
    d = e + c
    d.label = "d"
    loss = d * f
    loss.label = "L"
    loss.backward()
    return a, loss


def state(value):
    seen, waiting = {}, [value]
    while waiting:
        v = waiting.pop()
        if v not in seen:
            seen[v] = (v.data, v.grad, v.label, v.op, v.inputs)
            waiting += v.inputs
    return seen


def rows(drawing):
    """{title: its rows} of the boxes that show numbers."""
    return {box.title: dict(box.rows) for box in drawing.graph.boxes.values() if any(n == "data" for n, _ in box.rows)}


def test_a_drawing_shows_values_and_gradients_in_their_boxes():
    _, loss = lecture()
    before = state(loss)
    drawing = viz.draw(loss)
    assert state(loss) == before
    shown = {title: (row["data"], row["grad"]) for title, row in rows(drawing).items()}
    assert shown == {
        "a": ("2.0", "6.0"), "b": ("-3.0", "-4.0"), "c": ("10.0", "-2.0"), "e": ("-6.0", "-2.0"), "d": ("4.0", "-2.0"),
        "f": ("-2.0", "4.0"), "L": ("-8.0", "1.0"),
    }  # fmt: skip
    assert viz.draw([loss]).source == drawing.source == viz.draw(lecture()[1]).source


def test_names_from_variables_and_numbers_as_they_stand():
    w, x = Value(0.5), Value(2.0)
    y = (w * x + 1) ** 2 / 4.0
    drawing = viz.draw(y, {"w": w, "y": y, "x": x, "other": 3})
    assert {"w", "x", "y"} <= set(rows(drawing))
    assert {"1", "2", "4.0"} <= {box.title for box in drawing.graph.boxes.values()}


def test_numbers_are_those_of_the_values_now():
    w = Value(1.0, label="w")
    y = w * 2.0
    w.data = 5.0
    assert rows(viz.draw(y))["w"]["data"] == "5.0"
    assert y.data == 2.0
    (output,) = (box for box in viz.draw(y).graph.boxes.values() if box.kind == "output")
    assert ("data", "2.0") in output.rows


def test_explain_step_and_playground():
    a, loss = lecture()
    explanation = viz.explain(loss, a)
    assert explanation.total == a.grad == 6.0
    assert "L" in str(explanation)
    assert viz.step(loss).html.count("<html") == 1
    assert '"name":"L"' in viz.step((a * a).tanh()).html  # the output, as of tensors
    assert "playground" in viz.playground(loss).html.lower()


def test_operations_of_ones_own_and_elements_of_tensors():
    import minigrad

    t = minigrad.tensor([1.0, 2.0], requires_grad=True)
    a = Value(t[0], label="a")
    cube = Value(a.data**3, (a,), "cube")
    (cube * 2).backward()
    titles = {box.title for box in viz.draw(cube * 2).graph.boxes.values()}
    assert any("cube" in title for title in titles)
    assert viz.draw(stack([a, cube])).graph.boxes


@pytest.mark.parametrize("function", [viz.draw, viz.step])
def test_what_is_neither_is_still_an_error(function):
    with pytest.raises(TypeError):
        function("a")
