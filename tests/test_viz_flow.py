"""Gradient norms on the edges of a drawing; what stops gradients, what lies in another's memory."""

import numpy as np
import pytest
import viz_zoo as zoo
from hypothesis import given
from hypothesis import strategies as st

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, viz
from minigrad.viz.graph.model import CONSTANT, LEAF, OP, STOPPED, VIEW
from minigrad.viz.graph.style import FLOW_LINES, blended, edge_style


def leaf_strengths(drawing):
    """{name of a leaf: the norms along the edges that leave it}."""
    boxes = drawing.graph.boxes
    found = {}
    for edge in drawing.graph.edges:
        if boxes[edge.tail].kind == LEAF:
            found.setdefault(boxes[edge.tail].title, []).append(edge.strength)
    return found


def box(drawing, title):
    (found,) = [b for b in drawing.graph.boxes.values() if b.title == title]
    return found


@pytest.mark.parametrize("network", ["mlp", "lenet", "resnet", "lstm_layer", "lstm_loop", "gpt", "double_backward"])
def test_norms_are_those_of_the_engine(network):
    x, params = zoo.NETWORKS[network]()
    x = next(iter(x.values())) if isinstance(x, dict) else x
    drawing = viz.draw(x, params, flow=True, max_nodes=1000)
    named = params.items() if isinstance(params, dict) else params.named_parameters()
    named = [(name, p) for name, p in named if p.is_leaf]
    grads = minigrad.autograd.grad(x, [p for _, p in named])
    strengths = leaf_strengths(drawing)
    for (name, _), grad in zip(named, grads, strict=True):
        if len(strengths[name]) == 1:  # else the parts of a sum
            assert strengths[name][0] == pytest.approx(float(grad.norm()), rel=1e-4, abs=1e-7)


@given(st.lists(st.floats(-3, 3, width=32), min_size=2, max_size=5))
def test_parts_of_a_sum_are_told_apart(numbers):
    x = minigrad.tensor(numbers, requires_grad=True)
    drawing = viz.draw((x * 2.0 + x.sin()).sum(), {"x": x}, flow=True)
    expected = [2 * np.sqrt(len(numbers)), np.linalg.norm(np.cos(numbers))]
    np.testing.assert_allclose(leaf_strengths(drawing)["x"], expected, rtol=1e-4)


def test_a_vanishing_gradient_is_seen():
    vanishing = viz.draw(*zoo.deep(minigrad.sigmoid), flow=True)
    flowing = viz.draw(*zoo.deep(minigrad.relu, gain=2**0.5), flow=True)

    def looks(drawing, name):
        (edge,) = [e for e in drawing.graph.edges if drawing.graph.boxes[e.tail].title == name]
        return edge_style(edge, drawing.graph.flow)

    first, last = looks(vanishing, "w0"), looks(vanishing, "w19")
    assert first.line < FLOW_LINES[0] + 0.3
    assert last.line > first.line + 2
    assert first.ink != last.ink
    assert looks(flowing, "w0").line > first.line + 2
    assert first.ink in vanishing.svg
    assert first.ink in vanishing.source
    for drawing in (vanishing, flowing):
        least, greatest = drawing.graph.flow
        assert greatest - least == 8  # the same span in every drawing, to be compared


def test_the_scale_gets_lighter_and_has_a_legend():
    def light(colour):
        return sum(int(colour[i : i + 2], 16) * w for i, w in ((1, 0.299), (3, 0.587), (5, 0.114)))

    shades = [light(blended(i / 20)) for i in range(21)]
    assert shades == sorted(shades)
    x = minigrad.tensor(2.0, requires_grad=True)
    drawing = viz.draw(x * x, {"x": x}, flow=True)
    assert 'class="minigrad-legend"' in drawing.svg
    assert "norm of the gradient" in drawing.source
    assert "minigrad-legend" not in viz.draw(x * x, {"x": x}).svg


def test_flow_is_asked_for_only():
    x, params = zoo.mlp()
    assert all(edge.strength is None for edge in viz.draw(x, params).graph.edges)
    seen = []

    class Watched(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1.0

        @staticmethod
        def backward(ctx, g):
            seen.append(1)
            return g

    w = minigrad.ones(3, requires_grad=True)
    y = Watched.apply(w).sum()
    viz.draw(y)
    assert not seen
    viz.draw(y, flow=True)
    assert seen


def test_flow_changes_nothing():
    x, model = zoo.lenet()
    hooked = []
    for p in model.parameters():
        p.register_hook(lambda g: hooked.append(1))
    state = minigrad.get_rng_state().tolist()
    viz.draw(x, model, flow=True)
    assert not hooked
    assert all(p.grad is None for p in model.parameters())
    assert minigrad.get_rng_state().tolist() == state
    x.backward()
    assert hooked


def test_a_freed_graph_says_what_can_not_be_told():
    x, model = zoo.lenet()
    x.backward()
    drawing = viz.draw(x, model, flow=True)
    assert "Draw before backward()" in drawing.note
    assert "minigrad-edge" in drawing.svg


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_gradients_that_are_no_size(value):
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    drawing = viz.draw((x * value).sum() + x.sum(), {"x": x}, flow=True)
    strength = leaf_strengths(drawing)["x"][0]
    assert strength == value or np.isnan(strength)
    edge = next(e for e in drawing.graph.edges if e.strength == strength or np.isnan(value))
    assert edge_style(edge, drawing.graph.flow).ink in drawing.svg
    assert 'stroke-width="nan"' not in drawing.svg


# ---- boundaries


def test_a_detached_tensor_is_tied_to_what_it_was():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    y = x * 3
    drawing = viz.draw((y.relu() * y.detach()).sum(), {"x": x, "y": y})
    cut = box(drawing, "detached")
    assert (cut.kind, cut.marks) == (CONSTANT, (STOPPED,))
    (edge,) = [e for e in drawing.graph.edges if e.head == cut.key]
    assert drawing.graph.boxes[edge.tail].title == "y"
    assert edge.faint
    assert "no gradient flows back" in cut.tip
    assert "minigrad-stopped" in drawing.svg


def test_a_named_detached_tensor_keeps_its_name():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    target = (x * 1.0).detach()[:]
    source = x.detach()
    drawing = viz.draw((x * source + target).sum(), {"x": x, "source": source})
    cut = box(drawing, "source")
    assert cut.marks == (STOPPED,)
    assert [drawing.graph.boxes[e.tail].title for e in drawing.graph.edges if e.head == cut.key] == ["x"]


def test_a_view_made_without_recording_ends_the_gradient():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    with minigrad.no_grad():
        view = x.view(2, 1)
    x.requires_grad_()
    drawing = viz.draw((view * 2.0).sum() + x.sum(), {"x": x, "view": view})
    stopped = [b for b in drawing.graph.boxes.values() if STOPPED in b.marks]
    if view.requires_grad:
        assert [b.title for b in stopped] == ["view"]
        assert stopped[0].kind == CONSTANT


def test_data_of_its_own_is_no_boundary():
    x, data = minigrad.ones(3, requires_grad=True), minigrad.ones(3)
    drawing = viz.draw((x * data).sum(), {"x": x, "data": data})
    assert box(drawing, "data").marks == ()


def test_frozen_layers_are_grey_and_stand_in_their_module():
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 1))
    model[2].requires_grad_(False)
    drawing = viz.draw(model(minigrad.ones(2, 3)).sum(), model)
    frozen = box(drawing, "2.weight")
    assert frozen.kind == CONSTANT
    assert drawing.graph.groups[frozen.group].title == "2: Linear"
    assert all(e.faint for e in drawing.graph.edges if e.tail == frozen.key)


def test_views_and_writes_are_marked():
    x = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    y = x * 2
    y.mul_(3)
    y[0] = 5.0
    v = y.view(4)
    drawing = viz.draw((v.clone() * v).sum(), {"x": x, "y": y, "v": v})
    marks = [(b.title, b.inplace, b.marks) for b in drawing.graph.boxes.values() if b.kind == OP]
    assert marks == [
        ("×", False, ()), ("×", True, ()), ("write", True, ()), ("view", False, (VIEW,)), ("clone", False, ()),
        ("×", False, ()), ("Σ", False, ()),
    ]  # fmt: skip
    written = [b for b in drawing.graph.boxes.values() if b.inplace]
    assert ("", "in place") in written[0].rows
    assert "written in place" in written[0].tip
    assert "minigrad-view" in drawing.svg


def test_a_reshape_that_copies_is_no_view():
    x = minigrad.randn(3, 4).requires_grad_()
    y = (x * 1.0).t()
    z = y.reshape(12)
    drawing = viz.draw((z * z).sum(), {"x": x, "y": y, "z": z})
    assert {b.title: VIEW in b.marks for b in drawing.graph.boxes.values() if b.kind == OP}["reshape"] is False


# ---- odd graphs


@pytest.mark.parametrize("options", [{}, {"flow": True}, {"repeats": "folded", "recurrent": "rolled"}, {"depth": 0}])
@pytest.mark.parametrize("dtype", [minigrad.float16, minigrad.float64])
def test_dtypes_and_shapes(dtype, options):
    for shape in ((), (0,), (2, 0, 3), (1, 7)):
        x = minigrad.ones(shape, dtype=dtype).requires_grad_()
        y = x
        for _ in range(6):
            y = (y * x).cos()
        drawing = viz.draw([y.sum(), x], {"x": x}, **options)
        assert drawing.svg
        assert drawing.source


@pytest.mark.parametrize(
    ("given_", "error", "said"),
    [
        ({"depth": -1}, ValueError, "'depth': got -1; expected at least 0"),
        ({"depth": True}, TypeError, "'depth' must be int or None, not bool"),
        ({"recurrent": "yes"}, ValueError, "'recurrent': got 'yes'; expected 'rolled' or 'unrolled'"),
        ({"repeats": "rolled"}, ValueError, "'repeats': got 'rolled'; expected 'folded' or 'open'"),
    ],
)
def test_errors(given_, error, said):
    x = minigrad.ones(2, requires_grad=True)
    with pytest.raises(error, match=said):
        viz.draw(F.relu(x), **given_)
