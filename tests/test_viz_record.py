"""viz.recording: the user's line and the modules of every node; nothing left behind, nothing in the way of others."""

import contextlib
import functools
import inspect
import subprocess
import sys
import sysconfig
import threading
import warnings

import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, viz
from minigrad.autograd import Function, detect_anomaly, watch
from minigrad.autograd import node as nodes
from minigrad.autograd.graph import saved_tensors_hooks
from minigrad.nn.modules.hooks import EVERYWHERE
from minigrad.registry import OPS
from minigrad.viz.graph.model import STOPPED
from minigrad.viz.record import recording as record


def here():
    return inspect.currentframe().f_back.f_lineno


def note(tensor):
    return viz.note_of(tensor.node)


def calls(tensor):
    return [(call.path, call.kind, call.number) for call in note(tensor).modules]


def leaf(*shape):
    return minigrad.ones(*shape, requires_grad=True)


def history(tensor):
    """All nodes that lead to a tensor, in the order they were made."""
    found, todo = set(), [tensor.node]
    while todo:
        node = todo.pop()
        if node is not None and node not in found:
            found.add(node)
            todo += node.parents
    return sorted((node for node in found if node.parents), key=lambda node: node.seq)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.rest = nn.Sequential(nn.Linear(3, 3), nn.Tanh())

    def forward(self, x):
        return self.rest(self.first(x))


def test_line_and_function_of_an_operation():
    x = leaf(3)
    with viz.recording():
        y, line = x * 2, here()
    assert note(y) == viz.Note(__file__, line, "y, line = x * 2, here()", "test_line_and_function_of_an_operation", ())


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: x @ x.T,
        lambda x: F.gelu(x),
        lambda x: x.svd()[0],
        lambda x: minigrad.cat([x, x]),
        lambda x: x.split(1)[0],
        lambda x: x.clone().mul_(2),
        lambda x: x.half() * 3,
        lambda x: minigrad.where(x > 0, x, 2.0),
        lambda x: x.std(),
        lambda x: x[0, :1],
        lambda x: 2 - x,
    ],
)
def test_every_node_is_noted_with_the_users_line(compute):
    x = leaf(2, 2)
    with viz.recording():
        y = compute(x)
    for node in history(y):
        assert viz.note_of(node).file == __file__
        assert viz.note_of(node).function == "<lambda>"
        assert viz.note_of(node).code.startswith("lambda x:")


def test_libraries_are_passed_over():
    x = leaf(3)
    with viz.recording():
        y = functools.reduce(lambda a, b: a * b, [x, x])
    assert note(y).function == "<lambda>"
    space = {"x": x}
    with viz.recording():
        exec(compile("y = x * 2", sysconfig.get_path("purelib") + "/made_up.py", "exec"), space)
    assert note(space["y"]).function == "test_libraries_are_passed_over"


def test_outside_nothing_is_noted_and_doors_are_as_they_were():
    x = leaf(2)
    before = {name: op.function.__code__ for name, op in OPS.items()}
    with viz.recording():
        inside = x * x
        assert OPS["mul"].namespace["Node"] is watch.WatchedNode
    outside = x * x
    assert type(outside.grad_fn) is nodes.Node
    assert viz.note_of(outside.grad_fn) is None
    assert viz.note_of(x.node) is None
    assert viz.note_of(None) is None
    assert viz.note_of(inside.grad_fn) is not None
    assert before == {name: op.function.__code__ for name, op in OPS.items()}
    assert OPS["mul"].namespace["Node"] is nodes.made is nodes.Node
    assert EVERYWHERE == {}


def test_generated_doors_do_not_name_the_recorder():
    assert "note" not in inspect.getsource(minigrad.mul)


def test_modules_by_path_kind_and_number():
    model = Net()
    with viz.recording():
        y, line = model(minigrad.ones(1, 2)), here()
        again = model(minigrad.ones(1, 2))
    assert calls(y) == [("", "Net", 1), ("rest", "Sequential", 1), ("rest.1", "Tanh", 1)]
    assert calls(again) == [("", "Net", 2), ("rest", "Sequential", 2), ("rest.1", "Tanh", 2)]
    assert (note(y).line, note(y).function) != (line, "forward")
    assert note(y).code == "return self.rest(self.first(x))"


def test_a_line_outside_all_modules_of_the_users_is_the_callers():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    with viz.recording():
        y, line = model(minigrad.ones(1, 2)), here()
    assert {viz.note_of(node).line for node in history(y)} == {line}


def test_a_module_called_several_times_is_several_steps():
    cell = nn.RNNCell(2, 2)
    h = None
    with viz.recording():
        for _ in range(4):
            h = cell(minigrad.ones(1, 2), h)
    assert [viz.note_of(node).modules[0].number for node in history(h)] == sorted([1, 2, 3, 4] * (len(history(h)) // 4))
    assert calls(h) == [("", "RNNCell", 4)]


def test_two_outermost_modules_are_told_apart():
    encoder, decoder = nn.Linear(2, 2), nn.Linear(2, 2)
    with viz.recording():
        h = encoder(minigrad.ones(1, 2))
        y = decoder(h)
        z = encoder(y)
    assert [note(t).modules[0].root for t in (h, y, z)] == [1, 2, 1]
    assert calls(z) == [("", "Linear", 2)]


def test_parts_called_one_by_one_have_the_paths_of_the_model_given():
    model, other = Net(), nn.Tanh()
    with viz.recording(model):
        h = model.first(minigrad.ones(1, 2))
        y = model.rest(h)
        z = other(y)
    assert calls(h) == [("first", "Linear", 1)]
    assert calls(y) == [("rest", "Sequential", 1), ("rest.1", "Tanh", 1)]
    assert [note(t).modules[0].root for t in (h, y, z)] == [1, 1, 2]


def test_shared_modules_have_the_path_they_are_called_by():
    act, inner = nn.Tanh(), nn.Linear(2, 2)
    model = nn.Sequential(nn.Linear(2, 2), act, inner, act, nn.Sequential(inner, act))
    with viz.recording():
        y = model(minigrad.ones(1, 2))
    paths = [viz.note_of(node).modules[-1].path for node in history(y)]
    assert paths == ["0", "1", "2", "3", "4.0", "4.1"]


def test_modules_that_are_nobodys_attribute_are_told_apart():
    class Lost(nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = [nn.Linear(2, 2), nn.Linear(2, 2)]

        def forward(self, x):
            for layer in self.layers * 2:
                x = layer(x)
            return nn.ReLU()(x)

    with viz.recording():
        y = Lost()(minigrad.ones(1, 2))
    got = [(m.path, m.number) for node in history(y) for m in viz.note_of(node).modules[1:]]
    assert got == [("Linear", 1), ("Linear2", 1), ("Linear", 2), ("Linear2", 2), ("ReLU", 1)]


def test_an_exception_leaves_no_module_behind():
    class Bad(nn.Module):
        def __init__(self, error):
            super().__init__()
            self.inner, self.error = nn.Linear(2, 2), error

        def forward(self, x):
            self.inner(x)
            raise self.error

    x = leaf(2)
    with viz.recording():
        for error in (ValueError, KeyboardInterrupt):
            with pytest.raises(error):
                nn.Sequential(nn.Sequential(Bad(error)))(minigrad.ones(1, 2))
            if error is ValueError:  # hooks are not told of a KeyboardInterrupt ...
                assert note(x * 2).modules == ()
    with pytest.raises(ValueError, match="mine"), viz.recording():
        raise ValueError("mine")
    assert EVERYWHERE == {}
    assert nodes.made is nodes.Node
    with viz.recording():  # ... but they are forgotten with the block
        assert note(x * 2).modules == ()


def test_blocks_may_be_nested():
    model, x = nn.Tanh(), leaf(2)
    with viz.recording():
        model(x)
        with viz.recording():
            inner = model(x)
        outer = model(x)
    assert calls(inner) == [("", "Tanh", 1)]
    assert calls(outer) == [("", "Tanh", 3)]
    assert nodes.made is nodes.Node


def test_as_a_decorator():
    @viz.recording()
    def compute(x):
        return x * 2

    assert note(compute(leaf(2))).function == "compute"


def test_together_with_anomaly_detection_and_saved_tensor_hooks():
    x, seen = leaf(2), []

    def pack(t):
        seen.append(t.shape)
        return t

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with viz.recording(), detect_anomaly(), saved_tensors_hooks(pack, lambda t: t):
            y = (x * x).sqrt()
    assert note(y).function == "test_together_with_anomaly_detection_and_saved_tensor_hooks"
    assert y.node.trace is not None
    assert seen
    y.sum().backward()
    assert x.grad is not None
    with saved_tensors_hooks(pack, lambda t: t):
        with viz.recording():
            inside = x * x
        after = x * x
    assert note(inside) is not None
    assert note(after) is None
    assert after.node.packed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with detect_anomaly():
            with viz.recording():
                pass
            assert (x * x).node.trace is not None
    assert nodes.made is nodes.Node


def test_threads_note_for_themselves():
    model, go, stop = nn.Linear(2, 2), threading.Event(), threading.Event()
    got = {}

    def other():
        with viz.recording():
            model(minigrad.ones(1, 2))
            got["inside"] = calls(model(minigrad.ones(1, 2)))
        go.set()
        stop.wait(10)
        got["outside"] = model(minigrad.ones(1, 2))

    with viz.recording():
        thread = threading.Thread(target=other)
        thread.start()
        go.wait(10)
        mine = model(minigrad.ones(1, 2))
        stop.set()
        thread.join()
    assert got["inside"] == [("", "Linear", 2)]
    assert calls(mine) == [("", "Linear", 1)]
    assert viz.note_of(got["outside"].node) is None
    assert EVERYWHERE == {}


def test_many_threads_leave_no_hooks():
    def work():
        for _ in range(30):
            with viz.recording():
                note(nn.Tanh()(leaf(2)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert EVERYWHERE == {}
    assert nodes.made is nodes.Node


def test_functions_of_the_users_own_and_double_backward():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = leaf(2)
    with viz.recording():
        y = Twice.apply(x)
        (g,) = minigrad.autograd.grad((x**3).sum(), x, create_graph=True)
    assert note(y).code == "y = Twice.apply(x)"
    assert note(g).code == "(g,) = minigrad.autograd.grad((x**3).sum(), x, create_graph=True)"
    assert note(Twice.apply(x)) is None
    assert Twice.apply(x).grad_fn.needs_input_grad == (True,)


def test_names_of_any_kind():
    kind = type('<script>alert("1")</script>', (nn.Tanh,), {})
    model = nn.Module()
    model.add_module("층 🙂\n<b>", kind())
    with viz.recording(model):
        y = model._modules["층 🙂\n<b>"](leaf(2))
    assert calls(y) == [("층 🙂\n<b>", '<script>alert("1")</script>', 1)]


def test_code_without_a_source_file():
    space = {"x": leaf(2)}
    with viz.recording():
        exec(compile("y = x * 2\n", "<made up>", "exec"), space)
    assert note(space["y"]) == viz.Note("<made up>", 1, "", "<module>", ())


def test_a_model_that_is_none_of_ours():
    with pytest.raises(TypeError, match=r"recording\(\): argument 'model' must be a Module or None"), viz.recording(3):
        pass


def test_importing_viz_does_not_import_the_recorder():
    code = "import sys, minigrad.viz; sys.exit('minigrad.viz.record.recording' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class TestWhereNoGradCutsOff:
    def drawn(self, inside=True):
        w = minigrad.tensor([1.0, 2.0], requires_grad=True)
        with viz.recording() if inside else contextlib.nullcontext():
            h = w * minigrad.tensor([3.0, 4.0])
            with minigrad.no_grad():
                target, slope = h * 0.9, h.tanh()
            loss = F.mse_loss(h, target) + (h * slope).sum()
        return viz.draw(loss, {"w": w}), loss

    def test_results_are_tied_to_what_they_were_made_of(self):
        drawing, _ = self.drawn()
        boxes = {box.title: box for box in drawing.graph.boxes.values()}
        assert {"mul under no_grad", "tanh under no_grad"} <= set(boxes)
        for title in ("mul under no_grad", "tanh under no_grad"):
            assert STOPPED in boxes[title].marks
            (edge,) = (edge for edge in drawing.graph.edges if edge.head == boxes[title].key)
            assert edge.faint
            assert "no gradient" in edge.tip
            assert drawing.graph.boxes[edge.tail].rows == [("data", "[3.0, 8.0]")]

    def test_outside_they_are_constants(self):
        drawing, _ = self.drawn(inside=False)
        assert not any("no_grad" in box.title for box in drawing.graph.boxes.values())

    def test_nothing_is_kept(self):
        before = len(record._stops)
        drawing, loss = self.drawn()
        assert len(record._stops) == before + 2
        del loss
        assert len(record._stops) == before
        assert drawing.svg
        assert "is_grad_enabled" in OPS["mul"].namespace
        assert OPS["mul"].namespace["is_grad_enabled"] is minigrad.is_grad_enabled
