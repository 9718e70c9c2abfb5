"""Frames of modules in drawings: which boxes stand in which, what repeats is drawn once, what is closed is one box."""

import contextlib
import re
from xml.etree import ElementTree

import pytest
import viz_zoo as zoo

import minigrad
from minigrad import nn, viz
from minigrad.viz.graph import layout
from minigrad.viz.graph.close import close
from minigrad.viz.graph.model import BACKWARD, LEAF, MODULE, OP, OUTPUT, PART, STEP
from minigrad.viz.graph.style import box_size

SVG = "{http://www.w3.org/2000/svg}"


def frames(drawing):
    """{title of a frame: the title of the one around it}, open ones only."""
    groups = drawing.shown.groups
    return {g.title: groups[g.parent].title if g.parent else "" for g in groups.values()}


def inside(drawing, title):
    """The titles of the operations in a frame, those of frames in it included."""
    graph = drawing.graph
    (key,) = [g.key for g in graph.groups.values() if g.title == title]
    return [b.title for b in graph.boxes.values() if b.kind == OP and key in graph.around(b.group)]


def outside(drawing):
    return [b.title for b in drawing.graph.boxes.values() if not b.group]


def titles(graph, kind):
    return [b.title for b in graph.boxes.values() if b.kind == kind]


# ---- every network: DOT, SVG and the graph say the same, with Graphviz and without


@pytest.mark.parametrize("recorded", [False, True], ids=["inferred", "recorded"])
@pytest.mark.parametrize("plainly", [False, True], ids=["graphviz", "plain"])
@pytest.mark.parametrize("network", zoo.NETWORKS)
def test_structure(network, plainly, recorded, monkeypatch):
    monkeypatch.setenv("PATH", "")
    if plainly:
        monkeypatch.setattr(layout, "_in_process", lambda source: None)
    with viz.recording() if recorded else contextlib.nullcontext():
        x, params = zoo.NETWORKS[network]()
    drawing = viz.draw(x, params)
    graph, source = drawing.shown, drawing.source
    assert set(re.findall(r"subgraph cluster_(\w+) ", source)) == set(graph.groups)
    assert set(re.findall(r"^\t+([ng]\d+) \[", source, re.MULTILINE)) == set(graph.boxes)
    assert re.findall(r"(\w+) -> (\w+)", source) == [(e.tail, e.head) for e in graph.edges]
    root = ElementTree.fromstring(drawing.svg)
    kinds = {g.get("id"): g.get("class").split()[0] for g in root.iter(f"{SVG}g")}
    assert {k for k, kind in kinds.items() if kind == "minigrad-group"} == set(graph.groups)
    assert {k for k in kinds if k in graph.boxes} == set(graph.boxes)
    assert sum(kind == "minigrad-edge" for kind in kinds.values()) == len(graph.edges)
    assert_boxes_lie_in_their_frames(drawing, root)


def assert_boxes_lie_in_their_frames(drawing, root):
    """The last rectangle of a frame or the first of a box is its own; others are sheets behind it."""
    area = {}
    for g in root.iter(f"{SVG}g"):
        rects = [r for r in g if r.tag == f"{SVG}rect"]
        if rects and not g.get("id").endswith("title"):
            x, y, wide, high = (float(rects[-1].get(name)) for name in ("x", "y", "width", "height"))
            area[g.get("id")] = x, y, x + wide, y + high
    graph = drawing.shown
    for key, box in graph.boxes.items():
        for group in graph.groups:
            a, b = area[key], area[group]
            if group in graph.around(box.group):
                held = b[0] <= a[0] and b[1] <= a[1] and a[2] <= b[2] and a[3] <= b[3]
                assert held, f"{box.title} leaves its frame"
            else:
                assert a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1], f"{box.title} is in a frame"


@pytest.mark.parametrize("network", [*zoo.NETWORKS])
def test_a_drawing_can_be_drawn_again(network):
    """The same graph gives the same bytes; the graph and the model stay as they were."""
    x, params = zoo.NETWORKS[network]()
    tensors = x.values() if isinstance(x, dict) else [x]
    before = [(t._version, t.grad) for t in tensors]
    first, second = viz.draw(x, params, flow=True), viz.draw(x, params, flow=True)
    assert (first.source, first.svg) == (second.source, second.svg)
    assert before == [(t._version, t.grad) for t in tensors]
    sum(tensors).backward()


# ---- which module an operation is in


def test_modules_are_inferred_from_parameters():
    drawing = viz.draw(*zoo.lenet())
    assert frames(drawing) == {
        "LeNet": "", "features: Sequential": "LeNet", "0: Conv2d": "features: Sequential",
        "3: Conv2d": "features: Sequential", "classifier: Sequential": "LeNet", "0: Linear": "classifier: Sequential",
        "2: Linear": "classifier: Sequential",
    }  # fmt: skip
    assert inside(drawing, "features: Sequential") == ["conv2d", "relu", "max_pool2d"] * 2
    assert inside(drawing, "classifier: Sequential") == ["linear", "relu", "linear"]
    assert inside(drawing, "LeNet")[6] == "reshape"
    assert outside(drawing) == ["input", "target", "cross_entropy", "output"]


def test_a_recording_knows_the_modules_for_certain():
    with viz.recording():
        x, model = zoo.resnet()
    drawing = viz.draw(x, model)
    assert inside(drawing, "1: Residual")[-2:] == ["+", "relu"]
    assert not any("inferred" in g.tip for g in drawing.graph.groups.values())
    box = next(b for b in drawing.graph.boxes.values() if b.title == "+")
    assert dict(box.facts)["module"] == "1 (Residual)"
    assert dict(box.facts)["line"].startswith("viz_zoo.py:")
    assert "self.bn2" in dict(box.facts)["code"]


def test_residual_sums_are_in_their_block():
    drawing = viz.draw(*zoo.gpt(2))
    assert inside(drawing, "0: Block").count("+") == 2
    assert inside(drawing, "GPT").count("+") == 5


def test_modules_of_variables_have_the_variables_names():
    for recorded in (False, True):
        with viz.recording() if recorded else contextlib.nullcontext():
            x, params = zoo.gan()
        drawing = viz.draw(x, params)
        assert {"G: Sequential", "D: Sequential, call 1", "D: Sequential, call 2"} <= set(frames(drawing))
        assert inside(drawing, "D: Sequential, call 2") == ["linear", "leaky_relu", "linear"]
        shared = [b for b in drawing.graph.boxes.values() if b.title.startswith("D.")]
        assert len(shared) == 4
        assert not any(b.group for b in shared)


def test_names_with_dots_are_paths_too():
    x, model = zoo.mlp()
    drawing = viz.draw(x, dict(model.named_parameters()))
    assert frames(drawing) == {"0": "", "2": "", "4": ""}


def test_a_shared_weight_is_first_one_modules_then_the_others():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.head = nn.Embedding(5, 3), nn.Linear(3, 5, bias=False)
            self.head.weight = self.embedding.weight

        def forward(self, ids):
            return self.head(self.embedding(ids).tanh())

    model = Tied()
    drawing = viz.draw(model(minigrad.tensor([1, 2])).sum(), model)
    places = {b.title: dict(b.facts)["module"] for b in drawing.graph.boxes.values() if b.kind == OP and b.group}
    assert places["embedding"] == "embedding (Embedding)"
    assert places["linear"] == "head (Linear)"


def test_modules_off():
    drawing = viz.draw(*zoo.mlp(), modules=False)
    assert not drawing.graph.groups
    assert "cluster" not in drawing.source


def test_hostile_names_stay_text():
    class Evil(nn.Module):
        def forward(self, x):
            return (x * self.w).tanh()

    Evil.__name__ = '<script>alert("x")</script>'
    evil = Evil()
    evil.w = nn.Parameter(minigrad.ones(3))
    drawing = viz.draw(evil(minigrad.ones(3)).sum(), {'역전파 <b>"\n': evil})
    assert "<script" not in drawing.svg
    assert "<b>" not in drawing.svg
    (group,) = drawing.graph.groups.values()
    assert group.title.startswith('역전파 <b>"')
    assert group.title in [t.text for t in ElementTree.fromstring(drawing.svg).iter(f"{SVG}text")]


# ---- what repeats


def test_blocks_alike_are_drawn_once():
    x, model = zoo.gpt(12)
    drawing = viz.draw(x, model)
    assert "Block ×12" in frames(drawing)
    assert inside(drawing, "Block ×12").count("linear") == 4
    assert "blocks.0.qkv.weight" in titles(drawing.graph, LEAF)
    assert not [t for t in titles(drawing.graph, LEAF) if t.startswith("blocks.1.")]
    opened = viz.draw(x, model, repeats="open", max_nodes=1000)
    assert sum(": Block" in title for title in frames(opened)) == 12
    assert opened.graph.count(LEAF) == len(list(model.parameters()))


def test_blocks_that_differ_stay_apart():
    sizes = [8, 8, 8, 6]
    model = nn.Sequential(*[nn.Sequential(nn.Linear(8, 8), nn.Tanh(), nn.Linear(8, n), nn.Tanh()) for n in sizes])
    drawing = viz.draw(model(minigrad.ones(1, 8)).sum(), model)
    assert "Sequential ×3" in frames(drawing)
    assert "3: Sequential" in frames(drawing)


def test_layers_in_turn_fold_if_asked():
    model = nn.Sequential(*[layer for _ in range(5) for layer in (nn.Linear(3, 3), nn.Tanh())])
    x = model(minigrad.ones(1, 3)).sum()
    assert viz.draw(x, model).graph.count(LEAF) == 10
    folded = viz.draw(x, model, repeats="folded")
    assert folded.graph.count(LEAF) == 2
    (group,) = [g for g in folded.graph.groups.values() if g.count > 1]
    assert (group.title, group.kind) == ("repeated ×5", PART)


@pytest.mark.parametrize("network", [zoo.lstm_loop, zoo.rnn_by_hand])
def test_steps_are_rolled(network):
    x, params = network(6)
    drawing = viz.draw(x, params)
    (group,) = [g for g in drawing.graph.groups.values() if g.count > 1]
    assert (group.count, group.kind) == (6, STEP)
    assert group.title.endswith("step 1 of 6")
    loops = [e for e in drawing.graph.edges if e.loop]
    boxes = drawing.graph.boxes
    assert len(loops) == (2 if network is zoo.lstm_loop else 1)  # hidden state and cell
    assert all(group.key in drawing.graph.around(boxes[e.head].group) for e in loops)
    assert any(title.endswith(", this step") for title in titles(drawing.graph, "constant"))
    whole = viz.draw(x, params, recurrent="unrolled")
    assert whole.graph.count(OP) > 5 * len(inside(drawing, group.title))
    assert not any(e.loop for e in whole.graph.edges)


def test_few_steps_stay_unrolled_each_in_a_frame():
    drawing = viz.draw(*zoo.rnn_by_hand(3))
    assert list(frames(drawing)) == ["step 1 of 3", "step 2 of 3", "step 3 of 3"]
    assert frames(viz.draw(*zoo.rnn_by_hand(3), recurrent="rolled")) == {"step 1 of 3": ""}


def test_steps_side_by_side_are_joined_the_right_way_round():
    """Graphviz puts the first two cells into one column here, and draws the edge between them from its head."""
    cell, h = nn.RNNCell(1, 8), minigrad.zeros(1, 8)
    for x in minigrad.randn(6):
        h = cell(x.reshape(1, 1), h)
    graph = viz.draw(h.sum(), cell, recurrent="unrolled", direction="LR", values=False, depth=1).shown
    sizes = {key: box_size(box) for key, box in graph.boxes.items()}
    placement = layout.place(graph, sizes)
    for edge, route in zip(graph.edges, placement.routes, strict=True):
        for key, (x, y), side in ((edge.tail, route[0], 1), (edge.head, route[-1], -1)):
            centre = placement.centres[key]
            assert x == pytest.approx(centre[0] + side * sizes[key][0] / 2, abs=3.0)
            assert y == pytest.approx(centre[1], abs=3.0)


def test_a_first_step_unlike_the_others_stays_apart():
    w, total = minigrad.randn(3, 3).requires_grad_(), 0
    h = minigrad.zeros(2, 3)
    for _ in range(7):
        h = (h @ w).tanh()
        total = total + (h * h).sum()  # first: a number plus a tensor
    assert list(frames(viz.draw(total, {"w": w}))) == ["step 2 of 7"]
    assert list(frames(viz.draw(total, {"w": w}, recurrent="unrolled")))[-1] == "step 7 of 7"


def test_a_loop_inside_a_module_is_one_call_of_it():
    class Looped(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = nn.RNNCell(3, 4), nn.Linear(4, 3)

        def forward(self, x):
            for _ in range(6):
                x = self.out(self.cell(x))
            return x

    model = Looped()
    assert "Looped" in frames(viz.draw(model(minigrad.randn(2, 3)).sum(), model))


def test_a_thousand_steps_are_one():
    drawing = viz.draw(*zoo.rnn_by_hand(1000))
    assert drawing.graph.count(OP) == 5
    assert not drawing.note


def test_rows_picked_for_each_step_are_drawn_once():
    x, w = minigrad.randn(6, 2, 3).requires_grad_(), minigrad.randn(3, 3).requires_grad_()
    h = minigrad.zeros(2, 3)
    states = []
    for row in x.unbind(0):
        h = (row + h @ w).tanh()
        states.append(h)
    drawing = viz.draw(minigrad.stack(states).sum(), {"x": x, "w": w})
    assert titles(drawing.graph, OP) == ["unbind", "@", "+", "tanh", "stack", "Σ"]
    stacked = [e for e in drawing.graph.edges if drawing.graph.boxes[e.head].title == "stack"]
    assert [e.count for e in stacked] == [6]


def test_the_layer_says_how_many_steps_it_does():
    x, model = zoo.lstm_layer(5)
    drawing = viz.draw(x, model)
    layer = next(b for b in drawing.graph.boxes.values() if b.title == "lstm_layer")
    assert ("", "5 steps at once") in layer.rows
    assert "a loop over a cell can be unrolled" in viz.draw(x, model, recurrent="unrolled").note


# ---- what is closed


def test_depth_closes_modules():
    x, model = zoo.gpt(12)
    total = sum(p.numel() for p in model.parameters())
    whole = viz.draw(x, model, depth=0)
    (box,) = [b for b in whole.shown.boxes.values() if b.kind == MODULE]
    assert (box.title, box.rows[1]) == ("GPT", ("", f"{total:,} parameters"))
    first = viz.draw(x, model, depth=1)
    assert titles(first.shown, MODULE) == [
        "wte: Embedding", "wpe: Embedding", "Block ×12", "norm: LayerNorm", "head: Linear",
    ]  # fmt: skip
    assert frames(first) == {"GPT": ""}
    assert titles(first.graph, MODULE) == []  # the graph itself has all open
    assert first.graph.closed
    assert titles(viz.draw(x, model, depth=9).shown, MODULE) == []


def test_closing_keeps_what_flows_between():
    graph = viz.draw(*zoo.mlp()).graph
    layers = [g.key for g in graph.groups.values() if g.title.endswith("Linear")]
    closed = close(graph, set(layers))
    ends = [tuple(closed.boxes[k].title for k in (e.tail, e.head)) for e in closed.edges]
    assert ("0: Linear", "relu") in ends
    assert ("relu", "2: Linear") in ends
    assert not any(a == b for a, b in ends)
    assert close(graph, set()) is graph


def test_a_large_model_is_closed_until_it_can_be_read():
    x, model = zoo.gpt(20)
    drawing = viz.draw(x, model, repeats="open")
    assert "modules are closed below depth" in drawing.note
    assert drawing.shown.count(OP) + drawing.shown.count(LEAF) + drawing.shown.count(MODULE) <= 300
    depth, everything = re.search(r"depth=(\d+).*max_nodes=(\d+)", drawing.note).groups()
    assert viz.draw(x, model, repeats="open", max_nodes=int(everything)).graph.count(OP) == drawing.graph.count(OP)
    assert viz.draw(x, model, repeats="open", depth=int(depth)).shown.count(OP) > drawing.shown.count(OP)


def test_a_huge_model_is_drawn_closed_at_once():
    model = nn.Sequential(*[nn.Sequential(*[nn.Linear(2, 2) for _ in range(12)]) for i in range(100)])
    drawing = viz.draw(model(minigrad.ones(1, 2)).sum(), model, repeats="open")
    assert len(drawing.graph.boxes) < 400
    assert "nodes are too many to read" in drawing.note


# ---- the graph of a backward pass


def test_a_recorded_backward_pass_stands_in_a_frame_of_its_own():
    drawing = viz.draw(*zoo.double_backward())
    graph = drawing.graph
    (group,) = graph.groups.values()
    assert (group.title, group.kind) == ("backward pass", BACKWARD)
    marked = [b for b in graph.boxes.values() if BACKWARD in b.marks]
    assert marked == [b for b in graph.boxes.values() if b.kind == OP and b.group]
    assert [b.title for b in graph.boxes.values() if b.kind == OP and not b.group] == ["×", "tanh", "−", "**"]
    assert titles(graph, OUTPUT) == ["penalty"]
    assert 'class="minigrad-op minigrad-backward"' in drawing.svg
