"""The playground in a real browser: its numbers are the engine's, for every op and for whatever is typed."""

import math
import re

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import programs, run
from test_viz_formula import ATTRIBUTES, numbers_for

import minigrad
import minigrad.nn.functional as F
from minigrad import viz
from minigrad.autograd.general import quiet
from minigrad.registry import ARRAYS, OPS, TENSORS, arrays
from minigrad.viz.chain.javascript import op_table
from minigrad.viz.chain.tape import tape_of
from minigrad.viz.graph.text import number

WITHOUT = {"nextafter", "flat_in"}  # of which a learner has no use
LEAVES = {"w": 0.7, "x": -1.3, "b": 0.4, "α": 1.9, "가중치": 2.5}
PROGRAMS = [
    "(w*x + b).tanh()",
    "tanh(w*x+b)",
    "-x**2",
    "(-x)**2 - -b",
    "2**-w",
    "α**w**0.5",
    "a = w*x\na*a + a; a.sin()*b",
    "1/(1 + exp(-(w*x+b)))",
    "where(x > 0, x, 0.1*x) + where(w > 0, w*w, b)",
    "leaky_relu(x, negative_slope=0.3) * elu(x, 0.5)",
    "가중치 * α − b · 2 ÷ w",
    "F.silu(x) + torch.exp(w) - minigrad.sqrt(α)",
    "maximum(w, b) * min(x, b) + abs(x)",
    "w % 0.3 + x // 0.4",
    "x.sigmoid().log().neg() + gelu(x) + softplus(x)",
    "h = x + x.tanh()\nk = h + h.tanh()\nk * k",
    "+w - +x + 1.5e-1*.5",
    "((((w))))",
    "w*0 + 3",
    "(x <= w) * b + (x == x) * w",
    "# a remark\nw * x  # and another",
    "x.pow(3) / 3",
    "lerp(w, x, b) + hypot(w, b) + atan2(w, x)",
]


@pytest.fixture
def tab(browser_page):
    return browser_page(viz.playground("w*x", **LEAVES))


def engine(program, leaves):
    """Value and gradients of a program, by minigrad in float64."""
    tensors = {
        name: minigrad.tensor(value, dtype=minigrad.float64, requires_grad=True) for name, value in leaves.items()
    }
    names = {**TENSORS, **tensors, "min": TENSORS["minimum"], "max": TENSORS["maximum"], "torch": minigrad,
             "minigrad": minigrad, "F": F}  # fmt: skip
    for python, sign in (("-", "−"), ("*", "·"), ("/", "÷")):
        program = program.replace(sign, python)
    *lines, last = [line for line in program.replace(";", "\n").split("\n") if line.partition("#")[0].strip()]
    exec("\n".join(lines), names)
    result = eval(last.strip(), names)
    result = result if isinstance(result, minigrad.Tensor) else minigrad.tensor(float(result))
    if result.requires_grad:
        result.backward()
    return result.item(), {name: 0.0 if t.grad is None else t.grad.item() for name, t in tensors.items()}


RUN = """([program, leaves]) => {
  const tape = new mg.Tape(mg.readProgram(program));
  tape.run(new Map(Object.entries(leaves)));
  return [tape.value[tape.output], Object.fromEntries(tape.leaves.map((id) => [tape.nodes[id].name, tape.grad[id]]))];
}"""


def test_typed_programs_have_the_engines_numbers(tab):
    for program in PROGRAMS:
        value, grads = tab.evaluate(RUN, [program, LEAVES])
        wanted, wanted_grads = engine(program, LEAVES)
        assert value == pytest.approx(wanted, rel=1e-7), program
        for name, grad in grads.items():
            assert grad == pytest.approx(wanted_grads[name], rel=1e-6, abs=1e-9), (program, name)


def test_every_op_and_derivative(tab):
    calls, wanted = [], []
    for name in sorted(OPS):
        op = OPS[name]
        if not op.pointwise or not op.__module__.startswith("minigrad.") or name in WITHOUT:
            continue
        attributes = [ATTRIBUTES[key] for key in op.attrs]
        operands = numbers_for(op)
        output = np.asarray(quiet.run(ARRAYS[name], *operands, *attributes))
        values = dict(zip((*op.inputs, *op.attrs), [*operands, *attributes], strict=True)) | {"output": output}
        slopes = {}
        for slot, rule in op.rules.items():
            needs = [values[need] for need in op.needs[slot]]
            try:
                slopes[slot] = np.broadcast_to(quiet.run(arrays(rule), np.ones_like(output), *needs), output.shape)
            except NotImplementedError:
                continue
        calls.append([name, [list(map(float, row)) for row in zip(*operands, strict=True)], attributes])
        wanted.append((name, output, slopes))
    text = """(calls) => calls.map(([op, rows, attributes]) => rows.map((row) => {
      const {forward, derivatives} = mg.ops[op];
      const value = forward(...row, ...attributes);
      const say = (v) => Number.isFinite(v) ? Number(v) : String(v);
      return [say(value), Object.fromEntries(Object.entries(derivatives).map(
        ([slot, rule]) => [slot, say(rule(...row, ...attributes, value))]))];
    }))"""
    found = tab.evaluate(text, calls)
    for (name, output, slopes), rows in zip(wanted, found, strict=True):
        ok = np.isfinite(output.astype(float))
        values = np.array([float(value) for value, _ in rows])
        np.testing.assert_allclose(values[ok], output.astype(float)[ok], rtol=1e-9, atol=1e-11, err_msg=name)
        assert rows[0][1].keys() == slopes.keys(), name
        for slot, slope in slopes.items():
            ours = np.array([float(row[1][slot]) for row in rows])
            fine = ok & np.isfinite(slope)
            np.testing.assert_allclose(ours[fine], slope[fine], rtol=1e-8, atol=1e-10, err_msg=f"{name} {slot}")


def test_the_table_has_all_pointwise_ops_but_a_known_few():
    table = op_table()
    missing = {
        n
        for n, op in OPS.items()
        if op.pointwise and f'mg.ops["{n}"]' not in table and op.__module__.startswith("minigrad.")
    }
    assert missing == WITHOUT
    assert "<" not in "".join(line.split("forward:")[0] for line in table.splitlines())


def test_sliders_numbers_and_keyboard(browser_page):
    tab = browser_page(viz.playground("(w*x + b).tanh()", w=0.8, x=1.5, b=-0.5))
    rows = tab.locator(".slider")
    assert rows.locator(".name").all_inner_texts() == ["w", "x", "b"]

    def check(**leaves):
        value, grads = engine("(w*x + b).tanh()", leaves)
        tab.wait_for_function(
            "(v) => document.getElementById('result').textContent.endsWith(v)", arg=f" {shown(value)}"
        )
        for i, name in enumerate("wxb"):
            assert rows.nth(i).locator(".grad").inner_text() == f"grad {shown(grads[name])}"

    check(w=0.8, x=1.5, b=-0.5)
    entry = rows.nth(0).locator("input[type=number]")
    entry.fill("-2.25")
    check(w=-2.25, x=1.5, b=-0.5)
    entry.fill("40")  # the slider's end moves with it
    check(w=40.0, x=1.5, b=-0.5)
    assert float(rows.nth(0).locator("input[type=range]").get_attribute("max")) >= 40
    entry.fill("0.25")
    track = rows.nth(1).locator("input[type=range]")
    track.focus()
    for _ in range(5):
        tab.keyboard.press("ArrowRight")
    moved = float(track.input_value())
    assert moved > 1.5
    check(w=0.25, x=moved, b=-0.5)
    box = rows.nth(2).locator("input[type=range]").bounding_box()
    tab.mouse.click(box["x"] + box["width"] * 0.75, box["y"] + box["height"] / 2)
    check(w=0.25, x=moved, b=float(rows.nth(2).locator("input[type=range]").input_value()))
    tab.click("#reset")
    check(w=0.8, x=1.5, b=-0.5)


def shown(value):
    return number(float(value))


def test_graph_node_and_plot(browser_page):
    tab = browser_page(viz.playground("h = tanh(w*x)\nh*h + w", w=0.5, x=2.0))
    boxes = tab.locator("svg.graph g.boxes > *")
    assert boxes.count() == 6
    texts = [" ".join(text.split()) for text in boxes.all_text_contents()]
    assert any("h = tanh(v2)" in text and "0.7616" in text for text in texts)
    tab.locator("svg.graph g.boxes > *", has_text="h = tanh(v2)").first.click()
    node = " ".join(tab.inner_text("#node").split())
    assert "∂h/∂v2 = 1 − h² = 1 − 0.7616² = 0.42" in node
    assert "∂v5/∂h = ∂v5/∂v4 · ∂v4/∂h + ∂v5/∂v4 · ∂v4/∂h = 1.0 · 0.7616 + 1.0 · 0.7616 = 1.523" in node
    assert tab.locator("#plot path.curve").get_attribute("d").count("L") > 100
    assert tab.locator("#plot line.tangent").count() == 1
    tab.select_option("#against", "x")
    assert "against x" in tab.locator("#plot svg[role=img]").get_attribute("aria-label")
    slope = engine("h = tanh(w*x)\nh*h + w", {"w": 0.5, "x": 2.0})[1]["x"]
    assert f"gradient = {shown(slope)}" in tab.inner_text("#plot")


MISTAKES = [
    ("w +", "Line 1, column 4: the expression ends here"),
    ("w + * x", "column 5: expected a number, a name or “(”, but found “*”"),
    ("w x", "column 3: expected an operator such as + or *, but found “x”"),
    ("w ^ 2", "“^” is no power here"),
    ("w @ x", "the sign “@” has no meaning here"),
    ("tahn(x)", "there is no function “tahn”. Did you mean “tanh”?"),
    ("tanh()", "tanh takes 1: input"),
    ("tanh(x, w)", "tanh takes no more than 1"),
    ("(w", "expected"),
    ("w)", "but found “)”"),
    ("", "type an expression"),
    ("\n w*\nx", "Line 2"),
    ("a = 1\na = w", "“a” is set already"),
    ("a = a + 1", "“a” is used before it is set"),
    ("elu(x, w)", "a plain number is expected here"),
    ("elu(x, beta=2)", "elu has no argument “beta”"),
    ("(" * 5000, "too many parentheses"),
    ("-" * 5000 + "x", "too many parentheses"),
    ("x.__class__", "expected"),
    ("constructor(x)", "there is no function “constructor”"),
    ("__proto__(x)", "there is no function"),
    ("<img src=x onerror=alert(1)>", "found “<”"),
    ('"</script>"', 'the sign “"” has no meaning here'),
    ("x.\U0001f600()", "the sign “\U0001f600” has no meaning"),
]


def test_mistakes_are_told_where_they_are(browser_page):
    tab = browser_page(viz.playground())
    for typed, says in MISTAKES:
        tab.fill("#typed", typed)
        assert says in tab.inner_text("#error"), typed
        assert tab.get_attribute("#typed", "aria-invalid") == "true"
        tab.fill("#typed", "w*2")
        assert tab.inner_text("#error") == ""
        assert tab.get_attribute("#typed", "aria-invalid") == "false"
    assert tab.locator("img").count() == 0


def test_graphs_that_were_typed_over_are_let_go(tab):
    tab.evaluate("""() => {
      const { relabel } = mg.GraphView.prototype;
      window.relabelled = 0;
      mg.GraphView.prototype.relabel = function () { window.relabelled++; return relabel.call(this); };
    }""")
    tab.locator("#typed").press_sequentially(" + x*x*b")
    tab.click("#language")
    assert tab.evaluate("relabelled") <= 1
    assert tab.locator("#graph svg.graph").count() == 1


def test_a_mistake_and_the_graph_before_it_change_their_language(tab):
    tab.fill("#typed", "w *")
    tab.click("#language")
    assert re.search("[가-힣]", tab.inner_text("#error"))
    assert "값" in tab.text_content("#graph")
    assert "value" not in tab.text_content("#graph")


def test_negative_numbers_have_one_pair_of_parentheses(tab):
    tab.fill("#typed", "tanh(x) * b")
    tab.locator("svg.graph .box", has_text="= tanh(x)").click()
    assert "= tanh(−1.3) = " in tab.inner_text("#node")


def test_in_korean(browser_page):
    tab = browser_page(viz.playground("tahn(x)"), language="ko")
    assert tab.inner_text("h1") == "놀이터"
    assert "1행 1열: “tahn” 함수는 없습니다. 혹시 “tanh” 인가요?" in tab.inner_text("#error")
    tab.fill("#typed", "tanh(x)")
    tab.click("#language")
    assert tab.inner_text("h1") == "Playground"
    assert tab.inner_text(".slider .grad").startswith("grad")


def test_a_recorded_tensor_goes_on_from_its_tape(browser_page):
    w, x, b = (minigrad.tensor(v, requires_grad=g) for v, g in ((2.0, True), (0.3, False), (-0.5, True)))
    h = (w * x + b).tanh()
    loss = (h - 1.0) ** 2 + w * w + F.leaky_relu(h, 0.2).sum()
    program, leaves = tape_of(loss, {"w": w, "x": x, "b": b})
    assert program == "h = tanh(w * x + b)\n(h - 1.0) ** 2 + w * w + leaky_relu(h, 0.2)"
    assert [name for name, _, _ in leaves] == ["w", "x", "b"]
    tab = browser_page(viz.playground(loss, w=w, x=x, b=b))
    loss.backward()
    grads = tab.locator(".slider .grad").all_inner_texts()
    assert grads == [f"grad {shown(w.grad.item())}", "constant", f"grad {shown(b.grad.item())}"]
    assert tab.inner_text("#result").endswith(shown(loss.item()))


NAMES = ["가중치", "encoder.0.weight", "x y", "tanh", "<script>alert(1)</script>", "1a", "", "\U0001f600"]


def test_names_of_a_recorded_tensor(browser_page):
    leaves = [minigrad.tensor(float(i), requires_grad=True) for i in range(len(NAMES))]
    tab = browser_page(viz.playground(sum(leaf * leaf for leaf in leaves), **dict(zip(NAMES, leaves, strict=True))))
    assert tab.inner_text("#error") == ""
    assert tab.inner_text("#result").endswith("140.0")
    names = tab.locator(".slider .name").all_inner_texts()
    assert names[:3] == ["가중치", "encoder_0_weight", "x_y"]
    assert len({*names}) == len(NAMES)


def test_a_recorded_program_computes_the_same():
    """The program of a tape, read as Python, gives the tape's numbers."""

    @settings(max_examples=40)
    @given(programs())
    def check(drawn):
        leaves, y = run(drawn)
        program, found = tape_of(y, {f"p{i}": leaf for i, leaf in enumerate(leaves)})
        value, grads = engine(program, {name: value for name, value, _ in found})
        assert value == pytest.approx(y.item(), rel=1e-4, abs=1e-5)
        y.backward()
        for i, leaf in enumerate(leaves):
            if leaf.grad is not None and math.isfinite(leaf.grad.item()):
                assert grads[f"p{i}"] == pytest.approx(leaf.grad.item(), rel=1e-3, abs=1e-4)

    check()


def test_what_python_refuses():
    x = minigrad.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match=r"the shape \[3\], but the playground is of single numbers: use viz.step"):
        viz.playground((x * 2).sum())
    with pytest.raises(ValueError, match="the graph uses softmax, which is no operation on single numbers"):
        viz.playground((one := minigrad.ones(1, requires_grad=True)).softmax(0), one=one)
    with pytest.raises(TypeError, match="argument 'expression' must be a str or a Tensor, not"):
        viz.playground(3)
    with pytest.raises(TypeError, match=r"leaf 'w' must be a finite number or \(value, low, high\)"):
        viz.playground("w", w="2")
    with pytest.raises(TypeError, match="finite"):
        viz.playground("w", w=math.nan)
    with pytest.raises(ValueError, match="expected low < high"):
        viz.playground("w", w=(0, 1, 1))
    with pytest.raises(TypeError, match="must be a Tensor, not"):
        viz.playground(minigrad.tensor(1.0, requires_grad=True) * 2, w=3.0)


def test_phone_width_has_no_sideways_scroll(browser_page):
    tab = browser_page(viz.playground("h = tanh(가중치*x + b)\n(h - 1)**2"), width=380, dark=True, language="ko")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380
    tab.fill("#typed", "x" * 300 + " + w")
    assert tab.evaluate("document.documentElement.scrollWidth") <= 380


def test_the_same_bytes_again():
    assert viz.playground("w*x", w=1.0).html == viz.playground("w*x", w=1.0).html
    hostile = viz.playground("</script><script>alert(1)</script>", x=1.0).html
    assert "<script>alert(1)" not in hostile.split("</title>")[1]
