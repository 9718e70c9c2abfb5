"""viz.on_error and viz.draw_module: the failed operation in red, with what it got; the error goes on as it was."""

import copy
import gc
import random
import sys
import traceback
import weakref

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, viz
from minigrad.autograd import Function
from minigrad.autograd import node as nodes
from minigrad.nn.modules.hooks import EVERYWHERE
from minigrad.viz.graph.model import CONSTANT, FAILED, LEAF, OP
from minigrad.viz.record.recording import noted_at

x = minigrad.ones(3, 4, requires_grad=True)
w = minigrad.ones(5, 6, requires_grad=True)


def failed(function, tmp_path, **options):
    """The drawing of the error that the function raises."""
    path = tmp_path / "failure.dot"
    with pytest.raises(Exception), viz.on_error(path, **options) as failure:  # noqa: B017, PT011
        function()
    assert failure.saved == path
    return failure.drawing


def red(drawing):
    boxes = [box for box in drawing.graph.boxes.values() if box.kind == FAILED]
    assert len(boxes) == 1
    return boxes[0]


def titles(drawing, *kinds):
    return sorted(box.title for box in drawing.graph.boxes.values() if box.kind in kinds)


def into(drawing):
    """{slot: title} of what goes into the red box."""
    key, boxes = red(drawing).key, drawing.graph.boxes
    return {edge.tip: boxes[edge.tail].title for edge in drawing.graph.edges if edge.head == key}


def text(drawing):
    return " ".join(part for _, part in red(drawing).rows)


class Net(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.up, self.down = nn.Linear(4, 8), nn.Linear(width, 2)

    def forward(self, x):
        h = F.gelu(self.up(x))
        return self.down(h)


# ---- which operation, and what it got


@pytest.mark.parametrize(
    ("function", "title", "rows"),
    [
        (lambda: x @ w, "matmul", [("input", "float32 [3, 4]"), ("other", "float32 [5, 6]")]),
        (lambda: x + w, "add", [("input", "float32 [3, 4]"), ("other", "float32 [5, 6]")]),
        (lambda: x.clone().mul_(w), "mul_", [("input", "float32 [3, 4]"), ("other", "float32 [5, 6]")]),
        (lambda: minigrad.cat([x, w.double()]), "cat", [("tensors[1]", "float64 [5, 6]")]),
        (lambda: F.cross_entropy(x, minigrad.tensor([1, 2])), "cross_entropy", [("target", "int64 [2]")]),
        (lambda: x.view(7), "view", [("", "shape=7"), ("input", "float32 [3, 4]")]),
        (lambda: x[7], "getitem", [("", "[7]"), ("input", "float32 [3, 4]")]),
        (lambda: x.max(dim=5), "max", [("", "dim=5"), ("input", "float32 [3, 4]")]),
        (lambda: F.relu(3), "relu", [("", "input=3")]),
        (lambda: minigrad.where(x > 0, x, w), "where", [("condition", "bool [3, 4]"), ("other", "float32 [5, 6]")]),
        (lambda: minigrad.einsum("ij,kl->", x), "einsum", [("args[1]", "float32 [3, 4]")]),
        (lambda: minigrad.linalg.inv(minigrad.zeros(3, 3)), "linalg.inv", [("A", "float32 [3, 3]")]),
        (lambda: nn.Conv2d(3, 4, 3)(x), "conv2d", [("input", "float32 [3, 4]"), ("weight", "float32 [4, 3, 3, 3]")]),
        (lambda: nn.LSTM(3, 4)(x.detach()), "LSTM", [("", "RuntimeError:")]),
        (lambda: nn.MultiheadAttention(5, 2), "MultiheadAttention", [("", "num_heads=2")]),
        (lambda: Net()(x, 3), "Net", [("args[0]", "float32 [3, 4]")]),
        (lambda: (x * 2).backward(), "backward", [("self", "float32 [3, 4]")]),
        (lambda: minigrad.tensor("a"), "tensor", [("", "data=a")]),
        (lambda: x.clone().__setitem__((5, 5), 1), "setitem", [("", "[5, 5]")]),
        (lambda: bool(x > 0), "bool", [("self", "bool [3, 4]")]),
        (lambda: nn.Linear(2, 3).load_state_dict({"weight": w}), "Linear.load_state_dict", [("", "strict=True")]),
        (lambda: minigrad.vmap(lambda row: row @ w)(x), "matmul", [("other", "float32 [5, 6]")]),
        (lambda: minigrad.ones(2).half() + minigrad.ones(3), "add", [("input", "float16 [2]")]),
    ],
)  # fmt: skip
def test_the_failed_operation_and_its_operands(tmp_path, function, title, rows):
    drawing = failed(function, tmp_path)
    assert red(drawing).title == f"✗ {title}"
    assert set(rows) <= set(red(drawing).rows)
    assert title in drawing.note
    assert "test_viz_failure.py" in drawing.note


def test_the_graph_before_it_is_drawn_with_the_names_of_the_program(tmp_path):
    model = Net()

    def step():
        data = minigrad.ones(3, 4)
        return model(data).sum()

    drawing = failed(step, tmp_path)
    assert titles(drawing, OP) == ["gelu", "linear"]
    assert titles(drawing, LEAF) == ["down.bias", "down.weight", "up.bias", "up.weight"]
    assert titles(drawing, CONSTANT) == ["x"]
    assert into(drawing) == {"input": "h", "weight": "down.weight", "bias": "down.bias"}
    assert drawing.note.endswith("(return self.down(h)).")
    assert "cannot be multiplied" in text(drawing)
    assert not {"shape", "value", "saves"} & {label for label, _ in red(drawing).facts}


def test_operands_without_history_and_under_no_grad(tmp_path):
    a, b = minigrad.ones(2), minigrad.ones(3)

    def add():
        first, second = a, b
        with minigrad.no_grad():
            return first + second

    drawing = failed(add, tmp_path)
    assert into(drawing) == {"input": "first", "other": "second"}
    assert titles(drawing, OP, LEAF) == []


def test_in_place_on_a_leaf(tmp_path):
    drawing = failed(lambda: x.mul_(2), tmp_path)
    assert into(drawing) == {"input": "x"}
    assert red(drawing).rows[0] == ("", "other=2")
    assert "in-place operation" in text(drawing)


def test_a_step_inside_a_composite_is_named(tmp_path):
    assert ("", "in its step max_dim") in red(failed(lambda: x.max(dim=5), tmp_path)).rows


# ---- backward


def test_a_second_backward(tmp_path):
    def twice():
        y = (x * x).sum()
        y.backward()
        y.backward()

    x.grad = None
    drawing = failed(twice, tmp_path)
    x.grad = None
    assert red(drawing).title == "✗ backward of ×"
    assert "a second time" in text(drawing)
    assert titles(drawing, OP) == ["Σ"]


def test_a_saved_tensor_that_was_written_to(tmp_path):
    def written():
        y = x.exp()
        z = y.sin().sum()
        y.mul_(2)
        z.backward()

    drawing = failed(written, tmp_path)
    assert red(drawing).title == "✗ backward of sin"
    assert titles(drawing, OP) == ["exp", "Σ"]


def test_a_function_of_the_users_own(tmp_path):
    class Bad(Function):
        @staticmethod
        def forward(ctx, t):
            ctx.save_for_backward(t)
            return t * 2

        @staticmethod
        def backward(ctx, g):
            (t,) = ctx.saved_tensors
            return g @ t

    def long_way():
        h = Bad.apply(w)
        for _ in range(400):
            h = h * 1.01
        h.sum().backward()

    drawing = failed(long_way, tmp_path)
    assert red(drawing).title == "✗ backward of Bad"
    assert ("", "in its step matmul") in red(drawing).rows
    assert drawing.note.endswith("on_error(max_nodes=403) shows them all.")
    assert list(into(drawing).values()) == ["t"]
    assert len(failed(long_way, tmp_path, max_nodes=500).graph.boxes) > 400


def test_a_hook(tmp_path):
    def hooked():
        y = x * 2
        y.register_hook(lambda g: 1 / 0)
        y.sum().backward()

    drawing = failed(hooked, tmp_path)
    assert red(drawing).rows[0] == ("", "in its hook <lambda>")
    assert red(drawing).title == "✗ backward of ×"


def test_gradients_asked_for_by_grad_and_recorded(tmp_path):
    def graded():
        y = x.exp()
        z = y.sum()
        y.mul_(2)
        minigrad.autograd.grad([z], [x], create_graph=True)

    assert red(failed(graded, tmp_path)).title == "✗ backward of exp"


# ---- errors that are no operation's


def test_an_error_of_the_programs_own(tmp_path):
    def lookup():
        hidden = (x * 2).tanh()
        between = hidden * 1  # noqa: F841
        return {}["b"]

    drawing = failed(lookup, tmp_path)
    assert red(drawing).title == "✗ KeyError"
    assert into(drawing) == {}
    assert "tanh" in titles(drawing, OP)
    assert drawing.note.startswith("No operation failed, but there was a KeyError")


def test_an_error_with_nothing_in_hand(tmp_path):
    assert titles(failed(lambda: int("x"), tmp_path), FAILED, OP, LEAF, CONSTANT) == ["✗ ValueError"]


def test_an_error_raised_because_of_another(tmp_path):
    def wrapped():
        try:
            x @ w
        except RuntimeError as error:
            raise ValueError("the batch is wrong") from error

    def hidden():
        try:
            x @ w
        except RuntimeError:
            raise ValueError("the batch is wrong") from None

    assert red(failed(wrapped, tmp_path)).title == "✗ matmul"
    assert red(failed(hidden, tmp_path)).title == "✗ ValueError"


@pytest.mark.parametrize("message", ["", "<script>alert('x')</script>", '"\\n\n\t한글 🙂 ' * 60, "\ud800 half"])
def test_messages_and_names_of_any_kind(tmp_path, message):
    kind = type("<b>Bad\n</b>", (nn.Module,), {"forward": lambda self, t: raise_(ValueError(message))})
    model = nn.Sequential(nn.Linear(4, 4))
    model.add_module('"층"<i>', kind())
    model[0].register_parameter("<script>", nn.Parameter(minigrad.ones(1)))
    drawing = failed(lambda: model(x), tmp_path)
    assert "<script>" not in drawing.svg
    assert red(drawing).rows
    assert len(red(drawing).rows) <= 12


def raise_(error):
    raise error


# ---- the error goes on


def test_the_error_and_its_traceback_are_unchanged(tmp_path):
    def without():
        x @ w

    def within():
        with viz.on_error(tmp_path / "a.svg"):
            x @ w

    with pytest.raises(RuntimeError) as plain:
        without()
    with pytest.raises(RuntimeError) as drawn:
        within()
    names = [[frame.name for frame in traceback.extract_tb(e.value.__traceback__)][2:] for e in (plain, drawn)]
    assert names[0] == names[1]
    assert str(plain.value) == str(drawn.value)
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_where_the_drawing_is_said(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RuntimeError) as caught, viz.on_error() as failure:
        x @ w
    assert failure.saved.parent == tmp_path
    assert failure.saved.suffix == ".svg"
    said = f"viz.on_error: the graph up to here is drawn in {failure.saved}"
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == [said]
    else:
        assert capsys.readouterr().err == said + "\n"


def test_nothing_fails_nothing_is_drawn(tmp_path):
    with viz.on_error(tmp_path / "a.svg") as failure:
        x @ x.T
    assert failure.drawing is failure.saved is None
    assert not list(tmp_path.iterdir())


def test_an_interrupt_is_no_error(tmp_path):
    with pytest.raises(KeyboardInterrupt), viz.on_error(tmp_path / "a.svg") as failure:
        raise KeyboardInterrupt
    assert failure.drawing is None


def test_a_drawing_that_fails_does_not_hide_the_error(tmp_path, monkeypatch):
    def broken(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr("minigrad.viz.record.failure.build", broken)
    with pytest.raises(RuntimeError, match="mat1") as caught, viz.on_error(tmp_path / "a.svg"):
        x @ w
    if sys.version_info >= (3, 11):
        assert caught.value.__notes__ == ["viz.on_error: could not draw it: OSError: disk full"]


def test_in_a_notebook_it_is_displayed(monkeypatch, tmp_path):
    display = pytest.importorskip("IPython.display")
    shown = []
    monkeypatch.setattr("IPython.get_ipython", lambda: type("Shell", (), {"kernel": None})())
    monkeypatch.setattr(display, "display", shown.append)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(RuntimeError), viz.on_error() as failure:
        x @ w
    assert shown == [failure.drawing]
    assert failure.saved is None
    assert not list(tmp_path.iterdir())


def test_as_a_decorator_and_again(tmp_path):
    @viz.on_error(tmp_path / "a.dot")
    def compute(a, b):
        return a @ b

    assert compute(x, x.T).shape == (3, 3)
    for _ in range(2):
        with pytest.raises(RuntimeError):
            compute(x, w)
    assert (tmp_path / "a.dot").exists()


def test_arguments_that_make_no_sense(tmp_path):
    with pytest.raises(ValueError, match=r"on_error\(\): can't tell the form"):
        viz.on_error("failure.jpeg")
    with pytest.raises(FileNotFoundError):
        viz.on_error(tmp_path / "missing" / "a.svg")
    with pytest.raises(TypeError, match="with brackets"):
        viz.on_error(lambda: None)
    with pytest.raises(ValueError, match=r"on_error\(\): argument 'max_nodes': got 3"):
        viz.on_error(max_nodes=3)


def test_no_tensor_is_kept_alive(tmp_path):
    big = minigrad.ones(10, requires_grad=True)
    gone = weakref.ref(big)
    drawing = failed(lambda big=big: big @ w, tmp_path)
    del big
    gc.collect()
    assert gone() is None
    assert red(drawing)


# ---- draw_module


def test_a_module_that_works():
    drawing = viz.draw_module(Net(8), minigrad.ones(3, 4))
    assert titles(drawing, FAILED) == []
    assert titles(drawing, OP) == ["gelu", "linear", "linear"]
    with minigrad.no_grad():
        assert titles(viz.draw_module(Net(8), minigrad.ones(3, 4)), OP) == ["gelu", "linear", "linear"]


def test_a_module_that_fails():
    drawing = viz.draw_module(Net(), minigrad.ones(3, 4))
    assert red(drawing).title == "✗ linear"
    assert into(drawing) == {"input": "h", "weight": "down.weight", "bias": "down.bias"}
    sequence = viz.draw_module(nn.Sequential(nn.Linear(4, 4), nn.Linear(3, 3)), x)
    assert into(sequence)["weight"] == "1.weight"
    assert sequence.note == "linear raised RuntimeError."


def test_a_module_without_tensors_and_no_module():
    class Nothing(nn.Module):
        def forward(self):
            return 3

    with pytest.raises(TypeError, match="Nothing returned int 3"):
        viz.draw_module(Nothing())
    with pytest.raises(TypeError, match="must be a Module, not the type Linear; make one first"):
        viz.draw_module(nn.Linear, x)
    with pytest.raises(ValueError, match="max_nodes"):
        viz.draw_module(Net(8), x, options={"max_nodes": 1})


class Restless(nn.Module):
    """Writes wherever a module can."""

    def __init__(self):
        super().__init__()
        self.norm, self.drop = nn.BatchNorm1d(4), nn.Dropout(0.5)
        self.embed = nn.Embedding(4, 4, max_norm=0.01)
        self.calls = 0
        self.register_buffer("seen", minigrad.zeros(2))
        self.last = None

    def forward(self, x, fail=False):
        self.calls += 1
        self.seen.add_(1)
        self.last = x.add_(1) if not x.requires_grad else x
        random.random()
        np.random.random()  # noqa: NPY002
        y = self.drop(self.norm(x)) + self.embed(minigrad.tensor([1] * len(x)))
        return y @ y if fail else y


def numpys_state():
    return np.random.get_state()[1].copy()  # noqa: NPY002


@pytest.mark.parametrize("fail", [False, True])
def test_the_model_is_as_before(fail):
    model, given = Restless(), minigrad.ones(3, 4)
    before = copy.deepcopy(model.state_dict())
    versions = {name: tensor._version for name, tensor in model.state_dict(keep_vars=True).items()}
    same = dict(model.named_buffers())
    states = minigrad.get_rng_state(), random.getstate(), numpys_state()
    viz.draw_module(model, given, fail=fail)
    for name, tensor in model.state_dict(keep_vars=True).items():
        assert minigrad.equal(tensor, before[name])
        assert tensor._version == versions[name]
    assert all(tensor is same[name] for name, tensor in model.named_buffers())
    assert (model.calls, model.last, model.training) == (0, None, True)
    assert (given.numpy() == 1).all()
    assert minigrad.equal(minigrad.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert (numpys_state() == states[2]).all()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert EVERYWHERE == {}
    assert nodes.made is nodes.Node


def test_a_lazy_model_stays_lazy():
    model = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    assert titles(viz.draw_module(model, minigrad.ones(2, 4)), OP) == ["linear", "relu"]
    assert isinstance(model[0], nn.LazyLinear)
    assert model[0].has_uninitialized_params()


def test_the_step_in_which_it_failed():
    cell = nn.RNNCell(3, 4)
    with viz.recording():
        with pytest.raises(RuntimeError) as caught:
            nn.Sequential(cell)(cell(minigrad.ones(2, 4), cell(minigrad.ones(2, 3))))
        assert [(call.kind, call.number) for call in noted_at(caught.value).modules] == [("RNNCell", 2)]
        assert noted_at(ValueError()) is None
    assert noted_at(caught.value) is None


def test_same_failure_same_bytes(tmp_path):
    def fail():
        x @ w

    assert failed(fail, tmp_path).source == failed(fail, tmp_path).source
