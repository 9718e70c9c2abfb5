"""Stories: the backward pass by hand is the engine's, number by number, and says what it does not know."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import programs, run

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, viz
from minigrad.viz.chain.backward import walk_back
from minigrad.viz.chain.story import story
from minigrad.viz.graph.reading import Reading


def leaf(*values):
    return minigrad.tensor(values[0] if len(values) == 1 else list(values), requires_grad=True)


def told(x, names=(), **options):
    """The story's data, which is JSON, and whose own numbers agree with one another."""
    data = story(x, names, **options).data
    json.dumps(data, allow_nan=False)
    assert [node["id"] for node in data["nodes"]] == list(range(len(data["nodes"])))
    for node in data["nodes"]:
        assert all(each["node"] < node["id"] for each in node["inputs"])
    seen = set()
    for step in data["backward"]:
        for part in step["parts"]:
            node = data["nodes"][step["node"]]
            assert node["inputs"][part["input"]]["node"] == part["node"]
            assert part["formula"]["text"]
            assert part["formula"]["latex"]
            if node["op"] != "pick":  # several outputs of one node each have a first
                assert part["first"] is (part["node"] not in seen)
            seen.add(part["node"])
    return data


def by_name(data):
    return {node["name"]: node for node in data["nodes"] if node["name"]}


def grads_agree(x, named):
    data = told(x, named, limit=10**6)
    found = minigrad.autograd.grad(x.sum(), [t for _, t in named], retain_graph=True, allow_unused=True)
    nodes = by_name(data)
    for (name, tensor), wanted in zip(named, found, strict=True):
        if wanted is None:
            assert name not in nodes or str(nodes[name]["id"]) not in data["grads"]
        else:
            ours = np.array(data["grads"][str(nodes[name]["id"])], float)
            np.testing.assert_allclose(ours, wanted.numpy(), rtol=1e-5, atol=1e-7)
            assert ours.shape == tensor.shape
    return data


@settings(max_examples=50)
@given(programs(arrays=True))
def test_gradients_are_the_engines_on_random_graphs(program):
    leaves, y = run(program, arrays=True)
    grads_agree(y, [(f"p{i}", x) for i, x in enumerate(leaves)])


NETWORKS = {
    "mlp": lambda: (nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.BatchNorm1d(5), nn.Linear(5, 3)), (3, 4)),
    "cnn": lambda: (
        nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.MaxPool2d(2), nn.GELU(), nn.Flatten(), nn.Linear(8, 2)),
        (2, 1, 4, 4),
    ),
    "attention": lambda: (nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True), (1, 3, 4)),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    model, shape = NETWORKS[name]()
    out = model(minigrad.randn(*shape)).flatten(1)
    loss = F.cross_entropy(out, minigrad.zeros(len(out), dtype=minigrad.int64))
    data = grads_agree(loss, list(model.named_parameters()))
    assert all(node["value"] is not None for node in data["nodes"] if node["kind"] == "leaf")


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers_have_several_outputs(kind):
    layer = kind(2, 3)
    out, last = layer(minigrad.randn(4, 1, 2))
    last = last[1] if isinstance(last, tuple) else last
    data = grads_agree(out.pow(2).sum() + last.sum(), list(layer.named_parameters()))
    assert [node["label"] for node in data["nodes"]].count("pick") == 2
    many = next(node for node in data["nodes"] if node["op"].endswith("_layer"))
    assert isinstance(many["shape"][0], list)


def test_a_small_graph_in_full():
    w, b, x = leaf(2.0), leaf(-0.5), minigrad.tensor(0.3)
    y = (w * x + b).tanh()
    data = told(y * y + w, [("w", w), ("b", b), ("x", x), ("y", y)])
    nodes = by_name(data)
    assert [(n["kind"], n["op"]) for n in data["nodes"]] == [
        ("leaf", "leaf"), ("constant", "constant"), ("op", "mul"), ("leaf", "leaf"), ("op", "add"), ("op", "tanh"),
        ("op", "mul"), ("op", "add"),
    ]  # fmt: skip
    assert nodes["y"]["formula"] == {"text": "tanh(v4)", "latex": r"\tanh\left(v_{4}\right)"}
    assert nodes["x"]["requires_grad"] is False
    assert nodes["x"]["value"] == 0.3
    step = next(step for step in data["backward"] if step["node"] == nodes["y"]["id"])
    (part,) = step["parts"]
    assert part["formula"]["text"] == "∂y/∂v4 = 1 − y²"
    assert part["numbers"] == "1 − 0.09967²"
    assert part["local"] == pytest.approx(1 - np.tanh(0.1) ** 2, rel=1e-6)
    assert part["product"] == pytest.approx(step["upstream"] * part["local"], rel=1e-6)
    square = data["backward"][1]
    assert [(part["node"], part["first"]) for part in square["parts"]] == [(5, True), (5, False)]
    assert square["parts"][1]["total"] == pytest.approx(2 * square["parts"][0]["total"])
    assert data["output"] == 7
    assert data["seed"] == 1.0


def test_amounts():
    x = leaf(float("nan"), float("inf"), -float("inf"), 0.1)
    assert told(x * 1.0, [("x", x)])["nodes"][0]["value"] == ["nan", "inf", "-inf", 0.1]
    large = minigrad.arange(100.0).requires_grad_()
    value = told(large.sum(), [("large", large)])["nodes"][0]["value"]
    assert value == {"shape": [100], "norm": pytest.approx(573.018), "mean": 49.5, "min": 0.0, "max": 99.0}
    assert len(told(large.sum(), [("large", large)], limit=100)["nodes"][0]["value"]) == 100
    empty = minigrad.zeros(0, 3, requires_grad=True)
    assert told(empty.sum(), [("e", empty)])["nodes"][0]["value"] == []


def test_writes_in_place_and_views():
    a = leaf(1.0, 2.0, 3.0)
    b = a * 1.0
    b[0] = a[1] * 2
    b.mul_(3.0)
    view = b.reshape(3, 1)
    data = grads_agree((view * view).sum(), [("a", a)])
    assert "copy_slices" in [node["op"] for node in data["nodes"]]
    write = next(node for node in data["nodes"] if node["op"] == "copy_slices")
    assert write["label"] == "write"
    assert write["value"] == [4.0, 2.0, 3.0]


def test_values_that_nothing_kept_are_computed_again():
    x = leaf(1.0, 2.0, 3.0)
    a = x + 1.0
    a[1:] *= 10.0
    data = told((a + 1.0).sum() + nn.LSTM(3, 2)(x.reshape(1, 1, 3))[0].sum(), [("x", x)])
    assert [node["op"] for node in data["nodes"] if node["kind"] == "op" and node["value"] is None] == ["lstm_layer"]
    assert next(n["value"] for n in data["nodes"] if n["op"] == "copy_slices") == [2.0, 30.0, 40.0]


def test_a_function_of_ones_own():
    class Double(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x * 2, y * 3

        @staticmethod
        def backward(ctx, g, h):
            return g * 2, h * 3

    x, y = leaf(1.0, 2.0), leaf(3.0, 4.0)
    one, other = Double.apply(x, y)
    data = grads_agree((one * other).sum(), [("x", x), ("y", y)])
    texts = [part["formula"]["text"] for step in data["backward"] for part in step["parts"]]
    assert any("Double.backward(G): your own Function, no formula known" in text for text in texts)


def test_a_function_whose_backward_fails_says_so():
    class Bad(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            raise ValueError("no")

    x = leaf(1.0)
    data = told(Bad.apply(x * 3.0), [("x", x)])
    assert [step["problem"] for step in data["backward"]] == ["refused", "incomplete"]
    assert data["grads"]["0"] is None


def test_freed_graphs_are_computed_again_where_they_can_be():
    w = leaf(2.0)
    y = ((w * 3.0).tanh() * 5.0 - w) ** 2
    y.backward()
    data = told(y, [("w", w)])
    assert data["freed"]
    assert [step["problem"] for step in data["backward"]] == [""] * 5
    assert data["grads"]["0"] == pytest.approx(w.grad.item(), rel=1e-5)
    lost = w * minigrad.tensor(3.0)  # the graph kept the constant, and backward freed it
    lost = lost.exp()
    lost.backward()
    data = told(lost, [("w", w)])
    assert "freed" in [step["problem"] for step in data["backward"]]
    assert data["grads"]["0"] is None


def test_a_freed_network_is_computed_again():
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1))
    x = minigrad.randn(2, 2, requires_grad=True)
    loss = model(x).pow(2).mean()
    loss.backward()
    data = told(loss, [*model.named_parameters(), ("x", x)])
    np.testing.assert_allclose(data["grads"][str(by_name(data)["x"]["id"])], x.grad.numpy(), rtol=1e-5)


def test_what_was_written_to_since_is_not_guessed():
    w = leaf(2.0)
    y = w * w
    with minigrad.no_grad():
        w.mul_(10.0)
    data = told(y, [("w", w)])
    assert data["backward"][0]["problem"] == "refused"
    assert data["grads"]["0"] is None


def test_no_history_and_detached():
    x = leaf(1.0, 2.0)
    data = told((x * 2).detach(), [("x", x)])
    assert [node["kind"] for node in data["nodes"]] == ["constant"]
    assert data["backward"] == []
    assert told(x, [("x", x)])["grads"] == {"0": [1.0, 1.0]}


def test_the_gradient_of_a_gradient():
    x = leaf(2.0)
    (g,) = minigrad.autograd.grad(x**3, x, create_graph=True)
    grads_agree(g, [("x", x)])


def test_lines_and_modules_of_a_recording():
    model = nn.Sequential(nn.Linear(2, 2), nn.Tanh())
    with viz.recording():
        y = model(minigrad.ones(1, 2)).sum()
    nodes = {node["op"]: node for node in told(y, model.named_parameters())["nodes"]}
    assert nodes["tanh"]["group"] == "1"
    assert nodes["sum"]["line"]["code"] == "y = model(minigrad.ones(1, 2)).sum()"
    assert nodes["sum"]["line"]["file"].endswith("test_viz_story.py")


def test_nothing_is_changed_and_no_hook_runs():
    model = nn.Linear(3, 2)
    x = minigrad.randn(4, 3, requires_grad=True)
    h = model(x)
    called = []
    h.register_hook(called.append)
    x.register_hook(called.append)
    h.grad_fn.register_hook(lambda *_: called.append(1))
    h.retain_grad()
    loss = h.pow(2).mean()
    before = [p._version for p in (x, h, loss, *model.parameters())], minigrad.get_rng_state().tolist()
    told(loss, model.named_parameters())
    assert called == []
    assert x.grad is h.grad is model.weight.grad is None
    assert ([p._version for p in (x, h, loss, *model.parameters())], minigrad.get_rng_state().tolist()) == before
    loss.backward()
    assert len(called) == 3


def test_hostile_names():
    x = leaf(2.0)
    for name in ("<script>", 'a"b', "줄\n바꿈", "\U0001f600", "{input}", "⟨input⟩", "\\frac", "v1", "", "x" * 500):
        data = told((x * x).reshape(1) @ x.reshape(1), [(name, x)])
        assert by_name(data) == {} or " ".join(name.split()) in by_name(data)


def test_the_same_story_again():
    x = leaf(1.0, 2.0)
    y = (x * 3).tanh().sum()
    assert json.dumps(story(y, [("x", x)]).data) == json.dumps(story(y, [("x", x)]).data)


def test_a_long_chain_costs_little():
    x = leaf(1.0)
    y = x
    for _ in range(20_000):
        y = y * 0.9999
    reading = Reading([y], [])
    steps = list(walk_back(reading, {reading.roots[0]: np.ones((), np.float32)}))
    assert len(steps) == 20_001
    y.backward()
    assert float(steps[-1].upstream) == pytest.approx(x.grad.item(), rel=1e-6)


def test_an_array_of_numpy_is_a_constant_and_no_number():
    x = minigrad.ones(2, requires_grad=True)
    (x / np.array([2.0, 4.0], np.float32)).sum().backward(retain_graph=True)
    told = story((x / np.array([2.0, 4.0], np.float32)).sum(), [("x", x)]).data
    assert [(node["kind"], node["value"]) for node in told["nodes"][:2]] == [
        ("leaf", [1.0, 1.0]),
        ("constant", [2.0, 4.0]),
    ]
    bag = nn.EmbeddingBag(5, 3, mode="mean")
    assert story(bag(minigrad.tensor([[0, 1], [2, 4]])).sum(), []).data["nodes"]
