"""The page of a drawing in headless Chromium: what it shows, and every way to move about in it."""

import random

import pytest

import minigrad
from minigrad import nn, viz
from minigrad.viz.graph.close import close
from minigrad.viz.graph.drawing import Drawing
from minigrad.viz.graph.model import FAILED, LEAF

SEEN = """() => ({
    boxes: [...document.querySelectorAll(".box")].map((e) => e.dataset.key).sort(),
    frames: [...document.querySelectorAll(".frame")].map((e) => e.dataset.frame).sort(),
    edges: mg.view.seen.edges.map((e) => [e.tail, e.head, e.faint ?? false, e.strength ?? null]).sort(),
    drawn: document.querySelectorAll(".edge").length,
})"""


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.body = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 4))

    def forward(self, x):
        return x + self.body(self.norm(x))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = Block(), Block()
        self.head = nn.Linear(4, 1)

    def forward(self, x):
        return self.head(self.second(self.first(x)))


@pytest.fixture(scope="module")
def net():
    minigrad.manual_seed(0)
    model = Net()
    with viz.recording():
        loss = model(minigrad.randn(2, 4)).square().mean()
    return viz.draw(loss, model, flow=True)


@pytest.fixture
def neuron():
    w, b = minigrad.tensor(2.0, requires_grad=True), minigrad.tensor(1.0, requires_grad=True)
    y = (w * 3.0 + b).tanh()
    y.backward()
    return viz.draw(y, {"w": w, "b": b})


def key_of(graph, title):
    (key,) = (key for key, item in [*graph.boxes.items(), *graph.groups.items()] if item.title == title)
    return key


def at_rest(tab, locator):
    """The rectangle of an element on the page."""
    return tab.locator(locator).first.bounding_box()


def chosen(tab):
    return tab.evaluate("mg.view.selected")


# ---- what is shown


def test_closing_is_that_of_drawings(net, browser_page):
    graph = net.graph
    tab = browser_page(net)
    keys = list(graph.groups)
    assert len(keys) >= 8
    chance = random.Random(3)
    sets = [set(), set(keys), *({k for k in keys if chance.random() < share} for share in (0.2, 0.5, 0.8) * 4)]
    for closed in sets:
        tab.evaluate("(closed) => mg.view.setClosed(closed)", list(closed))
        seen, wanted = tab.evaluate(SEEN), close(graph, closed)
        assert seen["boxes"] == sorted(wanted.boxes)
        held = {key for box in wanted.boxes.values() for key in wanted.around(box.group)}
        assert seen["frames"] == sorted(held)
        assert seen["drawn"] == len(wanted.edges)
        assert seen["edges"] == sorted([e.tail, e.head, e.faint, e.strength] for e in wanted.edges)
        shown = tab.evaluate("Object.fromEntries(mg.view.seen.boxes.map((b) => [b.key, b.rows ?? []]))")
        assert shown == {key: [list(row) for row in box.rows] for key, box in wanted.boxes.items()}


def test_what_a_drawing_closes_is_closed_at_first(browser_page):
    model = Net()
    drawing = viz.draw(model(minigrad.randn(2, 4)).sum(), model, depth=1)
    seen = browser_page(drawing).evaluate(SEEN)
    assert seen["boxes"] == sorted(drawing.shown.boxes)
    assert seen["drawn"] == len(drawing.shown.edges)


def test_the_same_drawing_gives_the_same_bytes(neuron):
    again = Drawing(neuron.graph)
    assert again.html == neuron.html
    assert " at 0x" not in neuron.html


def test_facts_of_what_is_clicked(net, browser_page):
    tab = browser_page(net)
    (key,) = (k for k, box in net.graph.boxes.items() if box.title == "tanh" and "first" in dict(box.facts)["module"])
    tab.click(f'.box[data-key="{key}"]')
    panel = tab.inner_text("#panel")
    facts = dict(net.graph.boxes[key].facts)
    for text in ("tanh", facts["shape"], facts["module"], facts["line"], facts["code"], "first: Block"):
        assert text in panel
    assert "test_viz_pages_drawing.py" in panel
    tab.mouse.move(5, 5)
    tab.hover(f'.box[data-key="{key}"]')
    card = tab.locator(".hovercard")
    card.wait_for(state="visible")
    assert facts["shape"] in card.inner_text()
    tab.locator("#panel .link .name", has_text="linear").first.click()
    assert chosen(tab) != key
    tab.click("#panel .back")
    assert chosen(tab) is None
    assert "What is here" in tab.inner_text("#panel")


def test_values_and_gradients_are_told(neuron, browser_page):
    tab = browser_page(neuron)
    tab.click(f'.box[data-key="{key_of(neuron.graph, "w")}"]')
    panel = tab.inner_text("#panel")
    assert "2.0" in panel
    assert "grad" in panel
    box = tab.text_content(f'.box[data-key="{key_of(neuron.graph, "w")}"]')
    assert "data" in box
    assert "2.0" in box


def test_what_failed_tells_the_error(browser_page):
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(9, 2))
    drawing = viz.draw_module(model, minigrad.randn(3, 4))
    tab = browser_page(drawing)
    (key,) = (key for key, box in drawing.graph.boxes.items() if box.kind == FAILED)
    assert chosen(tab) == key  # from the start: it is what is looked for
    tab.click("#panel .back")
    tab.locator(f'.box[data-key="{key}"]').focus()
    tab.keyboard.press("Enter")
    panel = tab.inner_text("#panel")
    assert "failed operation" in panel
    assert "mat1 and mat2 shapes cannot be multiplied (3x8 and 9x2)" in panel
    assert "float32 [3, 8]" in panel
    assert "dtype" not in panel  # it has no result


def test_ancestors_and_descendants_are_lit(neuron, browser_page):
    graph = neuron.graph
    tab = browser_page(neuron)
    w, product = key_of(graph, "w"), key_of(graph, "×")

    def reach(start, step):
        found = {start}
        while more := {b for e in graph.edges for a, b in [step(e)] if a in found} - found:
            found |= more
        return found

    for key in (w, product):
        tab.click(f'.box[data-key="{key}"]')
        wanted = reach(key, lambda e: (e.tail, e.head)) | reach(key, lambda e: (e.head, e.tail))
        assert set(tab.evaluate('[...document.querySelectorAll(".box.lit")].map((e) => e.dataset.key)')) == wanted
        assert tab.get_attribute(f'.box[data-key="{key}"]', "aria-pressed") == "true"
    tab.click(f'.box[data-key="{product}"]')  # the same again lets it go
    assert tab.locator(".lit").count() == 0


# ---- modules


def test_a_click_opens_and_closes_a_module_where_it_is(net, browser_page):
    tab = browser_page(net)
    tab.click("#depths button:first-child")
    assert tab.locator(".frame").count() == 0
    root = key_of(net.graph, "Net")
    tab.click(f'.box[data-key="{root}"]')
    assert tab.locator(".frame").count() == 1
    first = key_of(net.graph, "first: Block")
    before = at_rest(tab, f'.box[data-key="{first}"] .shape')
    tab.click(f'.box[data-key="{first}"]')
    after = at_rest(tab, f'[data-frame="{first}"] .frame-shape')
    assert abs(before["x"] - after["x"]) < 2
    assert abs(before["y"] - after["y"]) < 2
    tab.click(f'.handle[data-key="{first}"]', position={"x": 12, "y": 11})
    again = at_rest(tab, f'.box[data-key="{first}"] .shape')
    assert abs(before["x"] - again["x"]) < 2
    assert abs(before["y"] - again["y"]) < 2
    assert tab.get_attribute(f'.box[data-key="{first}"]', "aria-expanded") == "false"


def test_buttons_of_depth(net, browser_page):
    tab = browser_page(net)
    depths = {key: len(net.graph.around(key)) for key in net.graph.groups}
    buttons = tab.locator("#depths button")
    assert buttons.count() == max(depths.values()) + 1
    for n in range(buttons.count()):
        buttons.nth(n).click()
        closed = {key for key, depth in depths.items() if depth > n}
        assert set(tab.evaluate("[...mg.view.closed]")) == closed
        assert buttons.nth(n).get_attribute("aria-pressed") == "true"
        assert tab.locator(".frame").count() == sum(depth <= n for depth in depths.values())


# ---- search


def test_search(net, browser_page):
    graph = net.graph
    tab = browser_page(net)
    tab.click("#depths button:first-child")
    tab.keyboard.press("/")
    tab.keyboard.type("layer_norm")
    hits = [key for key, box in graph.boxes.items() if box.title == "layer_norm"]
    tab.wait_for_function("() => document.querySelector('#hits').textContent.includes('2')")
    assert tab.locator(".box.hit").count() == 1  # both lie in the one closed module
    for n in (0, 1, 0):
        tab.keyboard.press("Enter")
        assert chosen(tab) == hits[n]
        assert tab.inner_text("#hits") == f"{n + 1} of 2"
        assert tab.evaluate("(key) => mg.view.shown(key)", hits[n]) == hits[n]  # what hid it has been opened
    tab.keyboard.press("Shift+Enter")
    assert chosen(tab) == hits[1]
    tab.click("#next")
    assert chosen(tab) == hits[0]
    tab.click("#previous")
    assert chosen(tab) == hits[1]
    tab.fill("#query", "no such thing")
    assert tab.inner_text("#hits") == "nothing found"
    assert tab.locator(".hit").count() == 0
    tab.press("#query", "Escape")
    assert tab.input_value("#query") == ""


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("[8, 4]", lambda box: box.kind == LEAF and any("[8, 4]" in text for _, text in box.rows)),
        ("8x4", lambda box: box.kind == LEAF and any("[8, 4]" in text for _, text in box.rows)),
        ("TANH", lambda box: box.title == "tanh"),
        ("second bias", lambda box: "second" in box.title and "bias" in box.title),
    ],
)
def test_search_by_shape_op_and_name(net, browser_page, query, wanted):
    tab = browser_page(net)
    tab.fill("#query", query)
    found = set(tab.evaluate('[...document.querySelectorAll(".box.hit")].map((e) => e.dataset.key)'))
    expected = {key for key, box in net.graph.boxes.items() if wanted(box)}
    assert expected
    assert expected <= found
    assert len(found) < len(net.graph.boxes) / 2


# ---- moving about


def camera(tab):
    return tab.evaluate("(({x, y, k}) => ({x, y, k}))(mg.view.camera)")


def test_buttons_wheel_and_drag(neuron, browser_page):
    tab = browser_page(neuron)
    begun = camera(tab)
    tab.get_by_role("button", name="Closer").click()
    assert camera(tab)["k"] == pytest.approx(begun["k"] * 1.4, rel=1e-3)
    tab.get_by_role("button", name="Further away").click()
    assert camera(tab)["k"] == pytest.approx(begun["k"], rel=1e-3)
    tab.mouse.move(300, 600)
    tab.mouse.wheel(0, -200)
    tab.wait_for_function(f"() => mg.view.camera.k > {begun['k']} * 1.1")
    before = camera(tab)
    tab.mouse.down()
    tab.mouse.move(360, 640, steps=4)
    tab.mouse.up()
    after = camera(tab)
    assert (after["x"] - before["x"], after["y"] - before["y"]) == pytest.approx((60, 40), abs=1)
    assert chosen(tab) is None  # a drag is no click
    tab.get_by_role("button", name="Show all").click()
    assert camera(tab)["k"] == pytest.approx(begun["k"], rel=1e-3)
    tab.click("#turn")
    assert tab.evaluate("mg.view.direction") == "TB"
    tab.click("#turn")
    assert tab.evaluate("mg.view.direction") == "LR"


def test_keyboard(net, browser_page):
    tab = browser_page(net)
    tab.evaluate("mg.view.keys.moveTo(mg.view.seen.boxes[0].key, true)")
    focus = "document.activeElement.dataset.key"
    tab.keyboard.press("Home")
    seen = {tab.evaluate(focus)}
    way = "ArrowRight" if net.graph.direction == "LR" else "ArrowDown"
    for _ in range(60):
        tab.keyboard.press(way)
        seen.add(tab.evaluate(focus))
    output = key_of(net.graph, "output")
    assert output in seen  # along the edges to the end
    assert len(seen) > 8
    tab.keyboard.press("End")
    tab.keyboard.press("Enter")
    assert chosen(tab) == tab.evaluate(focus)
    tab.keyboard.press("Escape")
    assert chosen(tab) is None
    k = camera(tab)["k"]
    tab.keyboard.press("+")
    assert camera(tab)["k"] > k
    tab.keyboard.press("-")
    tab.keyboard.press("-")
    assert camera(tab)["k"] < k
    tab.keyboard.press("0")
    assert tab.locator('.graph [tabindex="0"]').count() == 1  # one stop for Tab
    first = key_of(net.graph, "first: Block")
    tab.evaluate("(key) => mg.view.keys.moveTo(key, true)", first)
    tab.keyboard.press("Enter")
    assert first in tab.evaluate("[...mg.view.closed]")
    assert tab.evaluate(focus) == first  # the keyboard stays where it was
    tab.keyboard.press(" ")
    assert first not in tab.evaluate("[...mg.view.closed]")
    assert tab.evaluate(focus) == first


def test_pinch_and_tap(net, browser_page):
    tab = browser_page(net, width=380, height=780, has_touch=True)
    k = camera(tab)["k"]
    remote = tab.context.new_cdp_session(tab)

    def touch(kind, *points):
        remote.send(
            "Input.dispatchTouchEvent", {"type": kind, "touchPoints": [{"x": x, "y": y, "id": i} for i, x, y in points]}
        )

    touch("touchStart", (0, 180, 400), (1, 200, 400))
    for d in range(10, 80, 10):
        touch("touchMove", (0, 180 - d, 400), (1, 200 + d, 400))
    touch("touchEnd")
    tab.wait_for_function(f"() => mg.view.camera.k > {k} * 2")
    tab.evaluate("mg.view.focus('n0')")
    spot = at_rest(tab, '.box[data-key="n0"]')
    tab.touchscreen.tap(spot["x"] + spot["width"] / 2, spot["y"] + spot["height"] / 2)
    tab.wait_for_selector("#panel h2")
    assert chosen(tab) == "n0"


# ---- looks


def test_gradients_colour_edges(net, browser_page):
    tab = browser_page(net)
    coloured = '.edge[class*="level-"]'
    known = sum(edge.strength is not None for edge in net.graph.edges)
    assert known > 10
    assert tab.locator(coloured).count() == known
    assert "weak" in tab.inner_text("#panel .strength")
    tab.click("#colours")
    assert tab.locator(coloured).count() == 0
    tab.click("#colours")
    assert tab.locator(coloured).count() == known


@pytest.mark.parametrize("width", [1280, 380])
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_it_fits_every_window(net, browser_page, width, dark, language):
    tab = browser_page(net, width=width, height=780, dark=dark, language=language)
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    ground = tab.evaluate("getComputedStyle(document.querySelector('.graph-holder')).backgroundColor")
    assert (sum(map(int, ground[4:-1].split(","))) < 200) == dark
    assert tab.inner_text("#side") == {"en": "Facts", "ko": "정보"}[language]
    keys = "[...document.querySelectorAll('button, input')].every((e) => e.textContent.trim() || e.ariaLabel)"
    assert tab.evaluate(keys)
    assert tab.locator("#panel").is_visible() == (width > 760)
    tab.click("#side")
    assert tab.locator("#panel").is_visible() == (width < 760)


HOSTILE = [
    "</script><script>hacked=1</script>",
    "<!--",
    '"><img src=x onerror=hacked=1>',
    "a'b\n&amp;",
    "한글 🙂",
    "__proto__",
]


def test_names_never_become_markup(browser_page):
    leaves = {name: minigrad.tensor(float(i), requires_grad=True) for i, name in enumerate(HOSTILE)}
    total = sum(leaves.values())
    drawing = viz.draw(total, leaves)
    drawing.graph.frame(HOSTILE[0], path=HOSTILE[2], tip=HOSTILE[1])
    for box in list(drawing.graph.boxes.values())[:5]:
        box.group, box.facts = "g0", [(name, name) for name in HOSTILE]
    tab = browser_page(Drawing(drawing.graph))
    for key, box in drawing.graph.boxes.items():
        tab.evaluate("(key) => { mg.view.select(key); mg.view.tell('hover', null); mg.view.tell('hover', key); }", key)
        if box.title:
            assert box.title in tab.inner_text("#panel h2").replace("\xa0", " ")
    tab.evaluate("mg.view.toggle('g0'); mg.view.select('g0')")
    tab.fill("#query", "<script>")
    assert tab.evaluate("window.hacked") is None
    assert tab.locator("img").count() == 0
    assert tab.locator(".hit").count() > 0
