"""What `viz.draw` puts into a drawing, read off the graph model and the DOT text."""

import gc
import weakref
from xml.etree import ElementTree

import numpy as np
import pytest

import minigrad
from minigrad import nn, viz
from minigrad.viz.graph.layout import place
from minigrad.viz.graph.model import CONSTANT, LEAF, OP, OUTPUT, VALUE
from minigrad.viz.graph.style import box_size


def scalar(value):
    return minigrad.tensor(value, requires_grad=True)


def box(drawing, title, kind=None):
    """The one box of this title."""
    (found,) = [b for b in drawing.graph.boxes.values() if b.title == title and kind in (None, b.kind)]
    return found


def titles(drawing, kind):
    return [b.title for b in drawing.graph.boxes.values() if b.kind == kind]


def arrows(drawing):
    """Every edge as (title, title), a box without title as its kind."""
    boxes = drawing.graph.boxes
    return [tuple(boxes[key].title or boxes[key].kind for key in (e.tail, e.head)) for e in drawing.graph.edges]


def expression():
    """L = (a * b + c) * f, the expression of the first lecture on backpropagation."""
    a, b, c, f = scalar(2.0), scalar(-3.0), scalar(10.0), scalar(-2.0)
    return a, b, c, f, (a * b + c) * f


# ---- operations, leaves, values


def test_scalar_expression():
    a, b, c, f, loss = expression()
    drawing = viz.draw({"L": loss}, {"a": a, "b": b, "c": c, "f": f})
    assert titles(drawing, OP) == ["×", "+", "×"]
    assert titles(drawing, LEAF) == ["a", "b", "c", "f"]
    assert box(drawing, "a").rows == [("data", "2.0")]
    assert box(drawing, "L", OUTPUT).rows == [("data", "-8.0")]
    assert [b.rows for b in drawing.graph.boxes.values() if b.kind == VALUE] == [[("data", "-6.0")], [("data", "4.0")]]
    assert arrows(drawing) == [
        ("a", "×"), ("b", "×"), ("×", "value"), ("value", "+"), ("c", "+"), ("+", "value"), ("value", "×"), ("f", "×"),
        ("×", "L"),
    ]  # fmt: skip


def test_gradients_after_backward():
    a, b, c, f, loss = expression()
    loss.backward()
    drawing = viz.draw(loss, {"a": a, "b": b, "c": c, "f": f})
    grads = {name: dict(box(drawing, name).rows)["grad"] for name in "abcf"}
    assert grads == {"a": "6.0", "b": "-4.0", "c": "-2.0", "f": "4.0"}
    assert "grad 6.0" in drawing.source


def test_a_freed_graph_is_drawn_with_its_values():
    *_, loss = expression()
    before = viz.draw(loss)
    loss.backward()
    assert loss.grad_fn.saved is None
    after = viz.draw(loss, grads=False)
    values = [b.rows for b in before.graph.boxes.values()]
    assert values == [b.rows for b in after.graph.boxes.values()]
    assert "freed by backward" in after.svg


def test_retained_gradient_of_a_result():
    x = scalar(3.0)
    y = x * x
    y.retain_grad()
    y.exp().log().backward()
    assert ("grad", "1.0") in box(viz.draw(y.exp(), {"y": y}), "y").rows


def test_the_same_input_twice_is_two_edges():
    x = scalar(3.0)
    assert arrows(viz.draw(x * x, {"x": x})).count(("x", "×")) == 2


def test_numbers_and_constants():
    x, c = minigrad.tensor([1.0, 2.0], requires_grad=True), minigrad.tensor([3.0, 4.0])
    drawing = viz.draw((x * c - 1.5).sum(), {"c": c})
    assert titles(drawing, CONSTANT) == ["c", "1.5"]
    assert box(drawing, "c").rows == [("", "float32 [2]"), ("data", "[3.0, 4.0]")]
    assert all(edge.faint == (drawing.graph.boxes[edge.tail].kind == CONSTANT) for edge in drawing.graph.edges)


def test_a_constant_used_twice_is_one_box():
    x, c = minigrad.ones(8, requires_grad=True), minigrad.ones(8)
    assert titles(viz.draw(((x * c) * c).sum(), {"c": c}), CONSTANT) == ["c"]


def test_a_constant_that_was_not_kept_is_said():
    x, c = minigrad.ones(8, requires_grad=True), minigrad.ones(8)
    assert box(viz.draw((x + c).sum()), "other", CONSTANT).rows == [("", "not kept")]


def test_a_named_constant_is_recognized_by_the_result():
    x, t, other = scalar(2.0), minigrad.tensor(5.0), minigrad.tensor(7.0)
    y = x * 3
    names = {"x": x, "t": t, "other": other, "shape": minigrad.ones(2, 2)}
    assert box(viz.draw(t - y, names), "t", CONSTANT).rows == [("data", "5.0")]
    assert box(viz.draw((t - y) ** 2, names), "t", CONSTANT).rows == [("data", "5.0")]  # the square keeps t - y
    assert titles(viz.draw(t - y, names, values=False), CONSTANT) == ["3", "t"]
    assert len(viz.draw((t - y) * (y + t), names).graph.boxes) == len(viz.draw((t - y) * (y - t), names).graph.boxes)


def test_a_constant_is_not_guessed():
    x, t, twin = scalar(2.0), minigrad.tensor(5.0), minigrad.tensor(5.0)
    assert titles(viz.draw(t - x, {"t": t, "twin": twin}), CONSTANT) == ["input"]  # either may be it
    assert titles(viz.draw(t - x, {"u": minigrad.tensor(6.0)}), CONSTANT) == ["input"]
    y = t - x
    t.add_(1.0)
    assert titles(viz.draw(y, {"t": t}), CONSTANT) == ["input"]
    lost = (t - x).sum()  # keeps nothing that tells what t - x was
    assert titles(viz.draw(lost, {"twin": twin}), CONSTANT) == ["input"]


def test_large_tensors_show_shape_and_gradient_norm_not_numbers():
    x = minigrad.full((3, 4), 2.0, requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    drawing = viz.draw(loss, {"x": x})
    assert box(drawing, "x").rows == [("", "float32 [3, 4]"), ("‖grad‖", f"{np.sqrt(12 * 16):.4g}")]
    assert ("", "[3, 4]") in box(drawing, "×").rows


def test_small_matrices_are_written_row_by_row():
    x = minigrad.tensor([[1.0, 2.5], [-3.0, 1e-7]], requires_grad=True)
    rows = box(viz.draw(x.sum(), {"x": x}), "x").rows
    assert rows[1:] == [("data", "[[1.0, 2.5],"), (" ", " [-3.0, 1e-07]]")]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0, 1e30])
def test_unusual_numbers(value):
    drawing = viz.draw(scalar(value) * 1.0)
    assert {"nan": "nan", "inf": "inf", "-inf": "-inf", "0.0": "0.0", "1e+30": "1e+30"}[str(value)] in drawing.svg


def test_options_leave_things_out():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    loss = (x * x).sum()
    loss.backward()
    assert "data" not in viz.draw(loss, values=False).source
    assert "grad" in dict(box(viz.draw(loss, {"x": x}), "x").rows)
    assert "grad" not in dict(box(viz.draw(loss, {"x": x}, grads=False), "x").rows)
    bare = viz.draw(loss, {"x": x}, shapes=False, values=False, grads=False)
    assert not any(b.rows for b in bare.graph.boxes.values())
    assert ("", "[2]") in box(viz.draw(loss, values=False), "×").rows


def test_saved_tensors_are_listed_if_asked_for():
    x, w = minigrad.ones(3, 4, requires_grad=True), minigrad.ones(4, 5, requires_grad=True)
    loss = (x @ w).sum()
    shape, *saved = box(viz.draw(loss, saved=True), "@").rows
    assert shape == ("", "[3, 5]")
    assert [label for label, _ in saved] == ["saves", " "]
    assert {text for _, text in saved} == {"input [3, 4]", "other [4, 5]"}
    assert "saves" not in viz.draw(loss).source
    loss.backward()
    assert "saves" not in viz.draw(loss, saved=True).source


def test_attributes_that_say_something():
    x = minigrad.ones(2, 3, 4, requires_grad=True)
    drawing = viz.draw(x.sum(dim=1, keepdim=True)[0, :, 1:3].sum())
    first, last = [b for b in drawing.graph.boxes.values() if b.title == "Σ"]
    assert first.rows == [("", "dim=1"), ("", "keepdim=True"), ("", "[2, 1, 4]")]
    assert last.rows == []
    assert ("", "[0, :, 1:3]") in box(drawing, "[ ]").rows


def test_attributes_at_their_defaults_are_left_out():
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(8, 2))
    drawing = viz.draw(nn.functional.cross_entropy(net(minigrad.rand(5, 1, 6, 6)), minigrad.zeros(5).long()), net)
    shapes = {"conv2d": "[5, 2, 4, 4]", "linear": "[5, 2]", "batch_norm": "[5, 2, 4, 4]"}
    assert {title: box(drawing, title).rows for title in shapes} == {t: [("", s)] for t, s in shapes.items()}
    assert box(drawing, "cross_entropy").rows == []
    assert ("", "window=2") in box(drawing, "max_pool2d").rows


def test_a_constant_that_backward_freed_is_said():
    x, c = minigrad.ones(8, requires_grad=True), minigrad.ones(8)
    loss = (x * c).sum()
    assert box(viz.draw(loss), "other", CONSTANT).rows == [("", "float32 [8]")]
    loss.backward()
    assert box(viz.draw(loss), "other", CONSTANT).rows == [("", "freed by backward")]


def test_several_outputs_are_boxes_of_their_own():
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    first, second = x.split(1)
    drawing = viz.draw(first.sum() * second.sum())
    assert titles(drawing, OP).count("split") == 1
    assert [edge for edge in arrows(drawing) if edge[0] == "split"] == [("split", "output 0"), ("split", "output 1")]
    assert ("data", "[[3.0, 4.0]]") in box(drawing, "output 1").rows


def test_a_write_through_a_view_is_marked():
    x = minigrad.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x.clone()
    y[0] = 5.0
    y[1:].mul_(x[0])
    drawing = viz.draw(y.sum())
    written = [b for b in drawing.graph.boxes.values() if b.inplace]
    assert [(b.title, b.rows[0]) for b in written] == [("write", ("", "into [0]")), ("×", ("", "into [1:]"))]
    assert "minigrad-inplace" in drawing.svg
    assert "written in place" in drawing.svg


def test_a_function_of_the_users_own_is_drawn():
    class Cube(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x, factor):
            ctx.save_for_backward(x)
            return x**3 * factor, x + 1.0

        @staticmethod
        def backward(ctx, g, h):
            (x,) = ctx.saved_tensors
            return g * 3 * x**2 + h, None

    x = scalar(2.0)
    first, second = Cube.apply(x, minigrad.tensor(1.0))
    drawing = viz.draw(first * second, {"x": x}, saved=True)
    assert titles(drawing, OP) == ["Cube", "×"]
    assert titles(drawing, CONSTANT) == ["constant"]
    assert ("Cube", "output 1") in arrows(drawing)


def test_a_second_derivative_is_drawn():
    x = scalar(2.0)
    (first,) = minigrad.autograd.grad((x**3), x, create_graph=True)
    drawing = viz.draw(first, {"x": x})
    assert dict(box(drawing, "output").rows)["data"] == "12.0"
    assert titles(drawing, LEAF) == ["x"]


# ---- values are as of now, and never wrong


def test_a_value_is_not_computed_from_an_input_that_changed_since():
    x = scalar(2.0)
    y = x * 3.0
    z = y + 1.0
    with minigrad.no_grad():
        x.fill_(100.0)
    drawing = viz.draw(z, {"x": x})
    assert dict(box(drawing, "x").rows)["data"] == "100.0"
    assert "300.0" not in drawing.source
    assert dict(box(drawing, "output").rows)["data"] == "7.0"


def test_random_operations_are_not_run_again():
    minigrad.manual_seed(0)
    x = minigrad.ones(4, requires_grad=True)
    y = nn.functional.dropout(x, 0.5) * 1.0
    minigrad.manual_seed(1)
    assert viz.draw(y.sum(), {"x": x}, saved=True).svg
    drawn_after = minigrad.rand(3)
    minigrad.manual_seed(1)
    assert minigrad.equal(drawn_after, minigrad.rand(3))


def test_a_logarithm_of_a_negative_number_gives_no_warning():
    assert "nan" in viz.draw((scalar(-1.0).log() + 1.0) * 2.0).source


def test_drawing_changes_nothing():
    calls = []
    x = scalar(2.0)
    y = x.exp()
    y.register_hook(lambda g: calls.append(g))
    x.register_hook(lambda g: calls.append(g))
    z = y * y
    versions, node = (x._version, y._version, z._version), z.grad_fn
    assert viz.draw(z, {"x": x, "y": y}, saved=True).svg
    assert not calls
    assert x.grad is None
    assert (x._version, y._version, z._version) == versions
    assert z.grad_fn is node
    z.backward()
    assert len(calls) == 2
    assert x.grad.item() == pytest.approx(2 * np.exp(4.0))


def test_a_drawing_keeps_no_graph_alive():
    x = scalar(2.0)
    y = x * 3.0
    drawing, node, tensor = viz.draw(y, {"x": x}), weakref.ref(y.grad_fn), weakref.ref(x)
    gc.disable()
    try:
        del x, y
        assert node() is None
        assert tensor() is None
    finally:
        gc.enable()
    assert ("data", "6.0") in box(drawing, "output").rows


# ---- names


def test_names_of_a_module():
    net = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))
    drawing = viz.draw(net(minigrad.ones(5, 3)).sum(), net)
    assert titles(drawing, LEAF) == ["0.weight", "0.bias", "2.weight", "2.bias"]
    assert titles(viz.draw(net(minigrad.ones(5, 3)).sum(), net.named_parameters()), LEAF)[0] == "0.weight"


def test_names_from_locals():
    w, x = scalar(2.0), minigrad.tensor(3.0)
    y = w * x
    z = y.tanh()
    drawing = viz.draw(z, locals())
    assert [b.title for b in drawing.graph.boxes.values()] == ["w", "x", "×", "y", "tanh", "z"]


def test_names_of_modules_in_locals():
    net, _1 = nn.Linear(3, 2), minigrad.ones(3)
    kind = nn.Linear
    loss = net(_1).sum()
    drawing = viz.draw(loss, locals())
    assert kind is type(net)
    assert titles(drawing, LEAF) == ["net.weight", "net.bias"]
    assert titles(drawing, CONSTANT) == ["input"]
    assert titles(drawing, OUTPUT) == ["loss"]


def test_a_tensor_of_two_names():
    w = scalar(2.0)
    assert titles(viz.draw(w * 2.0, {"encoder": w, "decoder": w}), LEAF) == ["encoder = decoder"]


NASTY = [
    '<script>alert("x")</script>', "<b>bold</b>", 'quo"te\\back', "two\nlines\ttab", "한글", "🙂",
    "\x00\x1b\ud800", "a&b",
]  # fmt: skip


@pytest.mark.parametrize("name", NASTY)
def test_a_name_never_becomes_markup(name):
    w = scalar(2.0)
    drawing = viz.draw(w * 2.0, {name: w})
    tree = ElementTree.fromstring(drawing.svg)
    tags = {element.tag.split("}")[1] for element in tree.iter()}
    assert tags <= {"svg", "g", "rect", "path", "polygon", "text", "title"}
    expected = " ".join(name.split()).translate({0: "\ufffd", 0x1B: "\ufffd", 0xD800: "\ufffd"})
    assert expected in [element.text for element in tree.iter() if element.tag.endswith("text")]
    sizes = {key: box_size(b) for key, b in drawing.graph.boxes.items()}
    assert len(place(drawing.graph, sizes).centres) == len(drawing.graph.boxes)


def test_a_long_name_keeps_its_end():
    w = scalar(2.0)
    title = titles(viz.draw(w * 2.0, {"encoder." * 20 + "weight": w}), LEAF)[0]
    assert len(title) == 36
    assert title.startswith("encoder.")
    assert title.endswith("weight")


# ---- what may be drawn


def test_several_tensors_share_one_drawing():
    x = scalar(2.0)
    a, b = x * 2.0, x + 1.0
    assert titles(viz.draw([a, b]), OUTPUT) == ["output", "output"]
    assert titles(viz.draw({"twice": a, "next": b}), OUTPUT) == ["twice", "next"]
    assert viz.draw((a, b)).graph.count(LEAF) == 1


def test_a_tensor_without_history_says_so():
    drawing = viz.draw(minigrad.ones(2, 3))
    assert drawing.note.startswith("No history")
    assert drawing.note in repr(drawing)
    assert "No history" in drawing.svg


def test_a_leaf_alone():
    drawing = viz.draw(scalar(2.0))
    assert titles(drawing, LEAF) == ["leaf"]
    assert not drawing.graph.edges


@pytest.mark.parametrize(
    ("arguments", "keywords", "error", "text"),
    [
        ((3,), {}, TypeError, "'x' must be a Tensor, or a list, tuple or dict of Tensors, not int 3"),
        (([],), {}, TypeError, "'x' must be a Tensor"),
        (([1.0],), {}, TypeError, "a list holding float 1.0"),
        (("x",), {"params": 3}, TypeError, "'params' must be a Module, a dict"),
        (("x",), {"params": "w"}, TypeError, "'params' must be a Module, a dict"),
        (("x",), {"params": {"w": 1}}, TypeError, "the dict holds no Tensor"),
        (("x",), {"params": ["x"]}, TypeError, "pass model.named_parameters()"),
        (("x",), {"direction": "RL"}, ValueError, "'direction': got 'RL'; expected 'LR' or 'TB'"),
        (("x",), {"max_nodes": 3}, ValueError, "'max_nodes': got 3; expected at least 12"),
        (("x",), {"max_nodes": 30.0}, TypeError, "'max_nodes' must be int or None, not float"),
    ],
)
def test_errors_name_the_argument(arguments, keywords, error, text):
    x = scalar(2.0)
    stand_in = {"x": x}
    arguments = [stand_in.get(a, a) if isinstance(a, str) else a for a in arguments]
    if keywords.get("params") == ["x"]:
        keywords = {"params": [x]}
    with pytest.raises(error) as caught:
        viz.draw(*arguments, **keywords)
    assert text in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_operand_that_was_left_out_is_told_from_one_that_was_not_kept():
    x, w = minigrad.ones(2, 3), minigrad.ones(1, 3, requires_grad=True)
    without = viz.draw(nn.functional.linear(x, w).exp().sum())
    assert ("data", "[[3.0],") in [row for b in without.graph.boxes.values() for row in b.rows]
    frozen = viz.draw(nn.functional.linear(x, w, minigrad.ones(1)).exp().sum())
    assert box(frozen, "bias", CONSTANT).rows == [("", "not kept")]
    assert ("data", "[[3.0],") not in [row for b in frozen.graph.boxes.values() for row in b.rows]


def test_a_number_of_the_program_stands_as_it_is_written():
    x = scalar(3.0)
    drawing = viz.draw(x * 1.0001 + 0.123456789)
    assert titles(drawing, CONSTANT) == ["1.0001", "0.1235"]
    assert ("data", "3.0") in box(drawing, "leaf").rows
    assert ("data", "3.124") in box(drawing, "output").rows


def test_defaults_are_not_written():
    drawing = viz.draw(nn.RNN(3, 4)(minigrad.ones(2, 1, 3))[0].sum())
    assert [b.rows for b in drawing.graph.boxes.values() if b.title == "rnn_layer"] == [[("", "2 steps at once")]]
