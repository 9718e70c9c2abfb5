"""viz.trace: what ran, in order, with shapes, lines, modules and times; nothing is changed by looking on."""

import cProfile
import json
import re
import sys
import threading
import time

import numpy as np
import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, optim, viz
from minigrad.autograd import Function
from minigrad.autograd import node as nodes
from minigrad.viz.table import Column, Row, Table, bytes_text, seconds_text

FORWARD, BACKWARD, OPTIMIZER, MODULE = "forward", "backward", "optimizer", "module"


def ops(trace, phase=FORWARD):
    return [step.op for step in trace.steps if step.phase == phase]


def only(trace, op, phase=FORWARD):
    (step,) = [step for step in trace.steps if step.op == op and step.phase == phase]
    return step


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh())
        self.head = nn.Linear(8, 3)

    def forward(self, x):
        return self.head(self.body(x))


def a_step():
    model = Net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    x, y = minigrad.ones(5, 4), minigrad.tensor([0, 1, 2, 0, 1])

    def step():
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def test_a_training_step():
    trace = viz.trace(a_step())
    assert isinstance(trace.result, minigrad.Tensor)
    assert [op for op in ops(trace) if "cross" not in op] == ["linear", "tanh", "linear"]
    assert ops(trace, OPTIMIZER) == ["SGD.zero_grad", "SGD.step"]
    assert ops(trace, MODULE) == ["Net", "Sequential", "Linear", "Tanh", "Linear"]
    assert ops(trace, BACKWARD)[0] == "backward"
    assert ops(trace, BACKWARD)[-3:] == ["linear", "tanh", "linear"]
    first = next(step for step in trace.steps if step.op == "linear")
    assert first.inputs == [("input", (5, 4), "float32"), ("weight", (8, 4), "float32"), ("bias", (8,), "float32")]
    assert first.outputs == [((5, 8), "float32")]
    assert first.bytes == 5 * 8 * 4
    assert [(call.path, call.kind) for call in first.modules] == [
        ("", "Net"), ("body", "Sequential"), ("body.0", "Linear"),
    ]  # fmt: skip
    assert first.line[0] == __file__
    assert first.line[2] == "return self.head(self.body(x))"


def test_a_gradient_rule_has_the_line_and_the_module_of_its_operation():
    trace = viz.trace(a_step())
    rule = only(trace, "tanh", BACKWARD)
    assert rule.modules == only(trace, "tanh").modules
    assert rule.line == only(trace, "tanh").line
    assert rule.inputs == [("g", (5, 8), "float32")]
    assert rule.outputs == [((5, 8), "float32")]
    assert trace.steps[rule.parent].op == "backward"
    assert trace.steps[rule.parent].line[2] == "loss.backward()"


def test_arguments_and_result():
    x = minigrad.ones(2)

    def compute(a, b=1, *, c):
        return a * b, c

    trace = viz.trace(compute, x, b=3, c="c")
    assert trace.result[0].tolist() == [3, 3]
    assert trace.result[1] == "c"
    assert trace.name == "compute"
    assert viz.trace(lambda: None).result is None
    assert viz.trace(Net(), minigrad.ones(1, 4)).name == "Net"


def test_without_gradients_too():
    x = minigrad.ones(2, 2, requires_grad=True)

    def compute():
        with minigrad.no_grad():
            return (x @ x + 1).exp().sum()

    assert ops(viz.trace(compute)) == ["matmul", "add", "exp", "sum"]


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: x.clone().mul_(2), ["clone", "mul_"]),
        (lambda x: x[0], ["getitem"]),
        (lambda x: 2 - x, ["sub"]),
        (lambda x: x.half() + x, ["to_dtype", "add", "to_dtype"]),
        (lambda x: F.relu(x), ["relu"]),
        (lambda x: minigrad.cat([x, x]), ["cat"]),
        (lambda x: x.split(1), ["split"]),
        (lambda x: minigrad.zeros(3) + minigrad.randn(3), ["zeros", "randn", "add"]),
        (lambda x: x.svd(), None),
        (lambda x: minigrad.vmap(lambda row: row * 2)(x), None),
        (lambda x: minigrad.tensor([1, 2]) == 1, ["tensor", "eq"]),
    ],
)
def test_every_kind_of_operation(function, expected):
    trace = viz.trace(function, minigrad.ones(2, 2))
    if expected is not None:
        assert [step.op for step in trace.steps if step.depth == 0 or step.op == "to_dtype"] == expected
    assert all(step.line[0] == __file__ for step in trace.steps)
    assert str(trace)


def test_composites_have_their_steps_inside():
    trace = viz.trace(lambda: F.softmax(minigrad.ones(2, 3), dim=1).std())
    outer = [step for step in trace.steps if step.depth == 0]
    assert [step.op for step in outer] == ["ones", "softmax", "std"]
    for step in trace.steps:
        parent = trace.steps[step.parent] if step.parent >= 0 else None
        if parent is not None:
            assert parent.start <= step.start
            assert step.start + step.seconds <= parent.start + parent.seconds + 1e-9
            assert parent.inside >= step.seconds - 1e-9


def test_bytes_are_counted_once():
    x = minigrad.ones(10, 10)

    def compute():
        return F.dropout(x).view(100), x.t(), x.detach().add_(1), F.conv2d(x[None, None], minigrad.ones(1, 1, 3, 3))

    trace = viz.trace(compute)
    by_op = {d["op"]: d["bytes"] for d in trace.by_op().data}
    assert by_op["view"] == by_op["t"] == by_op["add_"] == by_op["getitem"] == 0
    assert by_op["ones"] == 36
    assert sum(size for op, size in by_op.items() if "conv" in op) == 8 * 8 * 4


def test_functions_of_the_users_own_and_gradients_of_gradients():
    class Twice(Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            return g * 2

    x = minigrad.ones(3, requires_grad=True)

    def compute():
        y = Twice.apply(x)
        (g,) = minigrad.autograd.grad((y**3).sum(), x, create_graph=True)
        g.sum().backward()

    trace = viz.trace(compute)
    assert "Twice" in ops(trace)
    assert ops(trace, BACKWARD).count("Twice") >= 1
    assert ops(trace, BACKWARD).count("backward") == 2


def test_times_add_up():
    trace = viz.trace(a_step())
    alone = sum(step.alone for step in trace.steps)
    assert 0 < alone <= trace.seconds + 1e-6
    assert trace.overhead > 0
    data = trace.by_op().data
    assert sum(d["calls"] for d in data) == sum(step.phase != MODULE for step in trace.steps)
    assert sum(d["seconds"] for d in data) == pytest.approx(
        sum(step.alone for step in trace.steps if step.phase != MODULE)
    )
    assert [d["seconds"] for d in data] == sorted([d["seconds"] for d in data], reverse=True)


def test_looking_on_is_taken_off():
    def wait():
        time.sleep(0.02)
        return minigrad.ones(2).add(1)

    trace = viz.trace(wait)
    assert 0.018 <= trace.seconds < 0.5
    assert only(trace, "add").seconds < 0.02


def test_sums_by_module():
    trace = viz.trace(a_step())
    data = {d["module"] or d["kind"]: d for d in trace.by_module().data}
    assert list(data) == ["Net", "body", "body.0", "body.1", "head", "outside modules", "optimizer"]
    assert data["Net"]["forward"] >= data["body"]["forward"] >= data["body.0"]["forward"] > 0
    assert data["Net"]["backward"] >= data["head"]["backward"] > 0
    assert data["body"]["calls"] == 1
    assert data["optimizer"]["optimizer"] > 0
    assert "  body: Sequential" in str(trace.by_module())


def test_a_module_called_several_times_and_inside_itself():
    class Tree(nn.Module):
        def forward(self, x, depth):
            return x if depth == 0 else self(x * 2, depth - 1)

    entry = viz.trace(Tree(), minigrad.ones(2), 3).by_module().data[0]
    assert entry["calls"] == 4
    assert entry["forward"] <= viz.trace(Tree(), minigrad.ones(2), 3).seconds * 50


# ---- nothing is changed


def test_an_earlier_profile_function_is_put_back():
    seen = []

    def mine(frame, event, arg):
        seen.append(event)

    sys.setprofile(mine)
    try:
        viz.trace(lambda: minigrad.ones(2))
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(None)
    viz.trace(lambda: None)
    assert sys.getprofile() is None


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="cProfile uses sys.monitoring since 3.12")
def test_under_cprofile_it_says_so():
    with cProfile.Profile(), pytest.raises(RuntimeError, match="another profiler is running"):
        viz.trace(lambda: None)


def test_an_error_goes_on_and_nothing_stays():
    x = minigrad.ones(2, 3)

    def fail():
        return nn.Sequential(nn.Linear(4, 2))(x)

    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        viz.trace(fail)
    assert sys.getprofile() is None
    assert ops(viz.trace(lambda: x + 1)) == ["add"]


def test_errors_inside_are_steps_without_results():
    x = minigrad.ones(2, 3)

    def recover():
        try:
            nn.Linear(4, 2)(x)
        except RuntimeError:
            return x + 1

    trace = viz.trace(recover)
    assert only(trace, "linear").outputs == []
    assert only(trace, "add").modules == ()
    assert only(trace, "add").depth == 0


def test_nothing_is_changed():
    x = minigrad.ones(3, requires_grad=True)
    state = minigrad.get_rng_state()
    before = x._version, x.grad, nodes.made
    trace = viz.trace(lambda: (x * 2).sum())
    assert (x._version, x.grad, nodes.made) == before
    assert minigrad.equal(minigrad.get_rng_state(), state)
    assert type(trace.result.grad_fn) is nodes.Node
    trace.result.backward()
    assert x.grad.tolist() == [2, 2, 2]


def test_graphs_are_not_kept():
    class Big:
        pass

    x = minigrad.ones(1000, requires_grad=True)
    trace = viz.trace(lambda: [x * i for i in range(3)] and None)
    import gc

    gc.collect()
    kept = [o for o in gc.get_referrers(x.node) if isinstance(o, tuple)]
    assert not kept
    assert len(trace.steps) == 3


def test_only_this_thread_is_seen():
    def compute():
        thread = threading.Thread(target=lambda: minigrad.ones(2).exp())
        thread.start()
        thread.join()
        return minigrad.ones(2).sin()

    assert ops(viz.trace(compute)) == ["ones", "sin"]


# ---- tables


def test_the_table_as_text():
    text = viz.trace(a_step()).table().text(120)
    assert re.search(r"^linear +\[5,4\] \[8,4\] \[8\] → \[5,8\] +float32", text, re.M)
    assert re.search(r"^  ∂ tanh ", text, re.M)
    assert re.search(r"^SGD\.step +4 parameters", text, re.M)
    assert "test_viz_trace.py" in text
    assert max(map(len, text.splitlines())) <= 120


@pytest.mark.parametrize("width", [40, 80, 100, 160])
def test_tables_fit(width):
    trace = viz.trace(a_step())
    for table in (trace.table(), trace.by_op(), trace.by_module()):
        assert max(map(len, table.text(width).splitlines())) <= max(width, 76)
    assert max(map(len, trace.table().text(80).splitlines())) <= 80


def test_many_steps_are_cut():
    trace = viz.trace(lambda: [minigrad.ones(1) for _ in range(200)])
    text = str(trace)
    assert "… 140 more" in text
    assert len(trace.table(limit=None).rows) == 200
    assert len(trace.table(limit=10).rows) == 11


def test_names_of_any_kind(tmp_path):
    kind = type('<script>alert("1")</script>[red]', (nn.Tanh,), {})
    model = nn.Sequential()
    model.add_module("층 🙂\n<b>[/bold]", kind())
    trace = viz.trace(model, minigrad.ones(2))
    page = trace._repr_html_() + trace.by_module().html()
    assert "<script>" not in page
    assert "<b>" not in page
    assert "층 🙂 &lt;b&gt;[/bold]" in page
    from rich.console import Console

    console = Console(width=120, height=40, record=True, file=open(tmp_path / "out", "w", encoding="utf-8"))  # noqa: SIM115
    console.print(trace)
    console.file.close()
    assert "층 🙂 <b>[/bold]" in console.export_text()
    trace.save(tmp_path / "trace.json")


def test_in_a_notebook():
    bundle = viz.trace(a_step())._repr_mimebundle_()
    assert "<table>" in bundle["text/html"]
    assert "linear" in bundle["text/plain"]


def test_chrome_trace(tmp_path):
    trace = viz.trace(a_step())
    path = trace.save(tmp_path / "trace.json")
    events = json.loads(path.read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    assert len(spans) == len(trace.steps)
    assert {event["cat"] for event in spans} == {FORWARD, BACKWARD, OPTIMIZER, MODULE}
    assert spans[0]["args"]["line"].startswith("test_viz_trace.py")
    assert any(event["name"] == "body: Sequential" for event in spans)
    stack = []
    for event in spans:  # bars are inside each other or apart
        while stack and event["ts"] >= stack[-1]["ts"] + stack[-1]["dur"] - 1e-3:
            stack.pop()
        if stack:
            assert event["ts"] + event["dur"] <= stack[-1]["ts"] + stack[-1]["dur"] + 2e-3
        stack.append(event)
    with pytest.raises(ValueError, match=r"Trace\.save\(\): can't tell the form"):
        trace.save(tmp_path / "trace.txt")


def test_arguments_that_make_no_sense():
    with pytest.raises(TypeError, match="argument 'fn' must be callable, not int 3"):
        viz.trace(3)


def test_a_table_without_rows_and_texts_of_numbers():
    table = Table([Column("a"), Column("b", right=True)], [])
    assert table.text(80).splitlines()[0].split() == ["a", "b"]
    assert Table([Column("a")], [Row(("",))]).html()
    assert [seconds_text(s) for s in (0.0, 3e-9, 9.994e-4, 61.0)] == ["0 µs", "0.00 µs", "999.4 µs", "61.0 s"]
    assert [bytes_text(n) for n in (0, 999, 1000, 999_999, 10**13)] == ["0 B", "999 B", "1.00 KB", "1000 KB", "10.0 TB"]
    assert np.dtype("float32").name == "float32"
