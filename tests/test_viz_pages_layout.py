"""Where mg.GraphView puts things: random graphs with random frames, and large ones."""

import random

import pytest

import minigrad
from minigrad import viz
from minigrad.viz.graph.drawing import Drawing
from minigrad.viz.graph.model import CONSTANT, LEAF, OP, OUTPUT, VALUE, Graph
from minigrad.viz.pages.shell import GRAPH, page


def random_graph(chance):
    """A graph of random boxes in random frames, as mg.GraphView takes it."""
    groups = []
    for i in range(chance.randrange(7)):
        groups.append({"key": f"g{i}", "title": f"module {i}" * chance.randrange(1, 3)})
        if i and chance.random() < 0.6:
            groups[-1]["parent"] = f"g{chance.randrange(i)}"
    boxes = []
    for i in range(chance.randrange(1, 26)):
        rows = [["data", "1.0" * chance.randrange(1, 9)]] * chance.randrange(3)
        kind = chance.choice([LEAF, CONSTANT, VALUE, OP, OP, OP, OUTPUT])
        boxes.append(
            {"key": f"n{i}", "kind": kind, "title": chance.choice(["×", "+", "linear", "한글 name"]), "rows": rows}
        )
        if groups and chance.random() < 0.8:
            boxes[-1]["group"] = chance.choice(groups)["key"]
    pairs = [(chance.randrange(len(boxes)), chance.randrange(len(boxes))) for _ in range(2 * len(boxes))]
    edges = [
        {"tail": f"n{min(p)}", "head": f"n{max(p)}", "loop": chance.random() < 0.05} for p in pairs if p[0] != p[1]
    ]
    return {"direction": chance.choice(["LR", "TB"]), "boxes": boxes, "groups": groups, "edges": edges}


WRONG = """(graph) => {
    const holder = document.getElementById("g");
    holder.replaceChildren();
    const view = new mg.GraphView(holder, graph);
    const wrong = [];
    const check = () => {
        const side = ({x, y, width: w, height: h}) => ({l: x - w / 2, t: y - h / 2, r: x + w / 2, b: y + h / 2});
        const apart = (a, b) => a.r <= b.l + 0.1 || b.r <= a.l + 0.1 || a.b <= b.t + 0.1 || b.b <= a.t + 0.1;
        const inside = (a, b) => a.l >= b.l - 0.1 && a.r <= b.r + 0.1 && a.t >= b.t - 0.1 && a.b <= b.b + 0.1;
        const things = [...view.places.boxes, ...view.places.groups].map(([key, place]) => [key, side(place)]);
        const around = (key) => view.tree.above(view.tree.around(key));
        for (const [a, A] of things) for (const [b, B] of things) {
            const isNested = around(a).includes(b) || around(b).includes(a);
            if (a < b && !isNested && !apart(A, B)) wrong.push(["overlap", a, b]);
            if (around(a).includes(b) && !inside(A, B)) wrong.push(["outside", a, b]);
        }
        for (const edge of view.seen.edges) {
            const { points } = view.places.edges.get(edge.key);
            if (!points.every(({x, y}) => Number.isFinite(x) && Number.isFinite(y))) wrong.push(["nan", edge.key]);
            for (const [key, p] of [[edge.tail, points[0]], [edge.head, points.at(-1)]]) {
                const s = side(view.places.boxes.get(key));
                const isNear = p.x >= s.l - 3 && p.x <= s.r + 3 && p.y >= s.t - 3 && p.y <= s.b + 3;
                if (!isNear) wrong.push(["end", edge.key, key]);
            }
            for (const twin of view.seen.edges) { // beside each other, at both ends
                if (twin.key <= edge.key || twin.tail !== edge.tail || twin.head !== edge.head) continue;
                const others = view.places.edges.get(twin.key).points;
                const between = (i) => Math.hypot(others.at(i).x - points.at(i).x, others.at(i).y - points.at(i).y);
                if (Math.min(between(0), between(-1)) < 2) wrong.push(["on one line", edge.key, twin.key]);
            }
        }
    };
    check();
    for (const group of view.graph.groups) {
        view.toggle(group.key);
        check();
        if (group.key !== "g0") view.toggle(group.key);
    }
    return wrong;
}"""


def test_random_graphs_are_laid_out_without_overlap(browser_page):
    tab = browser_page(page("t", body='<div id="g" style="height:600px"></div>', scripts=GRAPH, styles=("graph.css",)))
    chance = random.Random(7)
    for _ in range(40):
        graph = random_graph(chance)
        assert tab.evaluate(WRONG, graph) == [], graph


def test_two_thousand_boxes(browser_page):
    graph = Graph()
    before = graph.add(LEAF, "x")
    for i in range(1000):
        op = graph.add(OP, "×+"[i % 2])
        graph.connect(before, op)
        graph.connect(graph.add(LEAF, f"w{i}"), op)
        before = op
    tab = browser_page(Drawing(graph))
    assert tab.locator(".box").count() == 2001
    tab.fill("#query", "w999")
    tab.press("#query", "Enter")
    assert tab.evaluate("mg.view.graph.boxes.find((box) => box.key === mg.view.selected).title") == "w999"


@pytest.mark.parametrize("page", [viz.step, viz.draw])
@pytest.mark.parametrize("direction", ["LR", "TB"])
def test_edges_between_the_same_two_boxes_end_at_these_beside_each_other(browser_page, page, direction):
    x = minigrad.tensor(2.0, requires_grad=True)
    y = (x * x + x).tanh() * x + minigrad.stack([x, x, x]).sum()
    tab = browser_page(page(y, {"x": x}, direction=direction))
    heads, boxes = tab.evaluate("""() => {
      const rect = ({x, y, width, height}) => [x, y, width, height];
      const all = (which) => [...document.querySelectorAll(which)].map((one) => rect(one.getBoundingClientRect()));
      return [all('#graph .edge .head'), all('#graph .box .shape')];
    }""")
    for i, (x, y, width, height) in enumerate(heads):
        across = (y + height / 2) if direction == "LR" else (x + width / 2)
        end = x + width if direction == "LR" else y + height
        starts = [(b[0], b[1], b[3]) if direction == "LR" else (b[1], b[0], b[2]) for b in boxes]
        assert any(abs(end - at) < 6 and low < across < low + size for at, low, size in starts), (
            i,
            end,
            across,
            starts,
        )
        for other_x, other_y, _, _ in heads[:i]:
            assert abs(other_x - x) + abs(other_y - y) >= 4


def test_what_was_asked_for_stays_when_the_window_changes(browser_page):
    x = y = minigrad.tensor(0.5, requires_grad=True)
    for _ in range(60):
        y = y.tanh()
    tab = browser_page(viz.draw(y, {"x": x}))
    tab.get_by_role("button", name="Show all").click()
    for width in (1200, 700):
        tab.set_viewport_size({"width": width, "height": 700})
        tab.wait_for_function("() => mg.view.camera.room?.width === mg.view.svg.clientWidth")
        assert tab.evaluate("mg.view.camera.k === mg.view.camera.limited(mg.view.wholeScale())")
