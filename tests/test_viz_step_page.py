"""The step page as a file: what `viz.step` takes and refuses, languages, light and dark, phones, odd graphs."""

import importlib
import inspect
import re
from importlib.resources import files

import pytest
from test_viz_step import WALK, press, scalar, tensor

import minigrad
from minigrad import nn, viz
from minigrad.nn import functional as F
from minigrad.viz.pages.step_words import WORDS

HOSTILE = ["<script>hacked()</script>", "a\"b'c&d\\", "line\nbreak", "가중치", "🔥", "</script><b>", "{name}", " = "]


# ---- what is taken and what is refused


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda y: viz.step([y]), TypeError, r"step\(\): argument 'x' must be a Tensor, not"),
        (lambda y: viz.step(3.0), TypeError, r"step\(\): argument 'x' must be a Tensor, not"),
        (lambda y: viz.step(y, 5), TypeError, "argument 'params' must be"),
        (lambda y: viz.step(y, direction="up"), ValueError, r"got 'up'; expected 'LR' or 'TB'"),
        (lambda y: viz.step(y, limit=0), ValueError, r"'limit': got 0; expected 1 or more"),
        (lambda y: viz.step(y, depth=1.5), TypeError, r"'depth' must be int, not float"),
        (lambda y: viz.step(y, max_nodes=True), TypeError, r"'max_nodes' must be int, not bool"),
        (lambda y: viz.step(y, max_nodes=2), ValueError, r"the graph has 5 nodes.*max_nodes=2.*max_nodes=5"),
    ],
)
def test_bad_arguments_say_what_to_do(call, error, text):
    y, _ = scalar()
    with pytest.raises(error, match=text):
        call(y)


def test_a_graph_too_large_says_so_at_once():
    x = tensor(1.0)
    y = x
    for _ in range(100_000):
        y = y + 1.0
    with pytest.raises(ValueError, match=r"100,001 nodes.*at most max_nodes=2,000.*viz\.draw"):
        viz.step(y)


def test_nothing_is_changed_and_the_page_is_the_same_each_time():
    y, names = scalar()
    state = minigrad.get_rng_state()
    first = viz.step(y, names)
    assert viz.step(y, names).html == first.html
    assert names["w"].grad is None
    assert names["w"]._version == 0
    assert bool((minigrad.get_rng_state() == state).all())
    y.backward(retain_graph=True)
    assert viz.step(y, names).html == first.html
    assert repr(first) == "<Page: step: 3 operations, 2 leaves>"


def test_the_output_is_called_L_if_it_has_no_name():
    w = tensor(1.0)
    assert '"name":"L"' in viz.step(w.exp(), {"w": w}).html
    assert '"name":"L"' not in viz.step(w, {"w": w}).html


# ---- words


def test_both_languages_have_the_same_words_and_all_that_are_used():
    assert set(WORDS["en"]) == set(WORDS["ko"])
    for key, text in WORDS["en"].items():
        assert set(re.findall(r"\{(\w+)\}", text)) == set(re.findall(r"\{(\w+)\}", WORDS["ko"][key])), key
    folder = files("minigrad.viz.pages") / "assets"
    scripts = "".join(path.read_text("utf-8") for path in folder.iterdir() if path.name.startswith("step"))
    used = set(re.findall(r'\bt\("([\w.]+)"', scripts))
    assert used <= set(WORDS["en"]), used - set(WORDS["en"])
    written = scripts + inspect.getsource(importlib.import_module("minigrad.viz.pages.step"))
    for key in WORDS["en"]:
        assert f'"{key}"' in written or f"`{key.partition('.')[0]}.${{" in written, key


def test_korean_and_back(browser_page):
    y, names = scalar()
    tab = browser_page(viz.step(y, names), language="ko")
    tab.evaluate("mg.step.page.goTo(5)")
    text = tab.inner_text("body")
    for word in ("한 단계씩 보는 역전파", "역전파", "상류 기울기", "국소 미분", "연쇄 법칙", "8단계 중 5단계", "퀴즈"):
        assert word in text
    assert tab.get_attribute("html", "lang") == "ko"
    assert tab.locator("#graph .box[data-key=n0] .label").first.text_content() == "값"
    assert tab.get_attribute("#next", "aria-label") == "한 단계 앞으로"
    tab.click("#language")
    text = tab.inner_text("body")
    for word in ("Backpropagation, step by step", "upstream gradient", "local derivative", "chain rule", "step 5 of 8"):
        assert word in text
    assert not re.search("[가-힣]", text.replace("한국어", ""))
    tab.click("#help")
    assert "play, pause" in tab.inner_text("#help-window")
    tab.click("#help-close")


def test_light_and_dark_can_be_read(browser_page):
    """Contrast of text with what lies behind it, by WCAG 2: at least 4.5 to 1, in all cells of a heat map too."""
    minigrad.manual_seed(0)
    m, x = tensor([[5.0, -5.0, 0.1], [-2.0, 3.0, 0.0]]), tensor([[1.0, -1.0, 1.0], [1.0, 1.0, 2.0]])
    page = viz.step((m * x).sum(), {"m": m, "x": x})
    for dark in (False, True):
        tab = browser_page(page, dark=dark)
        assert tab.get_attribute("html", "data-theme") == ("dark" if dark else "light")
        tab.evaluate("mg.step.page.goTo(4)")
        tab.locator("#graph .box[data-key=n0]").click()
        worst = tab.evaluate(CONTRAST)
        assert worst[0] >= 4.5, worst
        tab.click("#theme")
        assert tab.get_attribute("html", "data-theme") == ("light" if dark else "dark")


CONTRAST = """() => {
  const pen = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour, under) => {
    pen.fillStyle = `rgb(${under.join(' ')})`; pen.fillRect(0, 0, 1, 1);
    pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1);
    return [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const linear = (v) => v <= 10 ? v / 3295 : ((v / 255 + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
  const behind = (e) => e ? rgb(getComputedStyle(e).backgroundColor, behind(e.parentElement)) : [255, 255, 255];
  let worst = [99, ''];
  for (const e of document.querySelectorAll('body *:not(svg *)')) {
    const text = [...e.childNodes].filter((n) => n.nodeType === 3).map((n) => n.data.trim()).join('');
    if (!text || !e.checkVisibility() || e.matches('script, option, :disabled')) continue;
    const back = behind(e);
    const [a, b] = [light(rgb(getComputedStyle(e).color, back)), light(back)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < worst[0]) worst = [ratio, `${e.className} ${text}`.slice(0, 80)];
  }
  return worst;
}"""


@pytest.mark.parametrize("make_width", [380, 320])
def test_on_a_phone_nothing_sticks_out(browser_page, make_width):
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 8))
    loss = F.mse_loss(model(minigrad.randn(6, 3)), minigrad.zeros(6, 8))
    tab = browser_page(viz.step(loss, model), width=make_width, height=760, language="ko", has_touch=True)
    for k in range(0, tab.evaluate("mg.step.page.plan.total") + 1, 3):
        tab.evaluate(f"mg.step.page.goTo({k})")
        assert tab.evaluate("document.documentElement.scrollWidth") == make_width
    tab.tap("#next") if not tab.is_disabled("#next") else tab.tap("#back")
    tab.tap("#quiz")
    tab.tap("#start")
    tab.tap("#next")
    assert tab.locator("#answer").is_visible()
    assert tab.evaluate("document.documentElement.scrollWidth") == make_width
    for name in ("start", "back", "play", "next", "end"):
        box = tab.locator(f"#{name}").bounding_box()
        assert box["height"] >= 36
        assert box["width"] >= 32
        assert 0 <= box["x"] <= make_width - box["width"]
        assert box["y"] + box["height"] <= 760  # in reach without scrolling


def test_a_table_wider_than_its_card_fades_where_it_goes_on(browser_page):
    wide, small = tensor([[0.123] * 16]), tensor([[1.0] * 6])
    tab = browser_page(viz.step((wide.exp().sum() * small).sum(), {"wide": wide, "small": small}), width=380)
    for k, name, fades in ((1, "wide", True), (3, "small", False)):
        tab.evaluate(f"mg.step.page.goTo({k})")
        table = tab.locator("#now .arrays").last
        tab.wait_for_function(
            "(wide) => [...document.querySelectorAll('#now .arrays')].at(-1).classList.contains('more-after') === wide",
            arg=fades,
        )
        assert (table.get_attribute("tabindex") == "0") == fades, name
        if fades:
            table.evaluate("(element) => { element.scrollLeft = 9999; }")
            tab.wait_for_selector("#now .arrays.more-before:not(.more-after)")


def test_names_are_text(browser_page):
    leaves = {name: tensor(0.5) for name in HOSTILE}
    y = minigrad.tensor(1.0)
    for leaf in leaves.values():
        y = (y * leaf).tanh()
    tab = browser_page(viz.step(y, leaves | {HOSTILE[0] + "y": y}), height=2000)
    states = tab.evaluate(WALK)
    for name in HOSTILE:
        shown = " ".join(name.split())
        node = next(n["id"] for n in tab.evaluate("mg.step.page.plan.nodes") if n["name"] == shown)
        assert any(state["title"].endswith(f"to {shown}") for state in states)
        tab.evaluate(f"mg.step.page.select({node})")
        assert tab.text_content("#node h2") == shown
        assert tab.text_content("#node .routes button").startswith(shown + " → ")
        assert f"{shown}.grad" in tab.text_content("#now")
        assert shown in tab.get_attribute(f"#graph .box[data-key=n{node}]", "aria-label")
    assert tab.locator(":is(#now, #node, #graph) :is(b, script)").count() == 0
    press(tab, "Home", "q")
    tab.evaluate(SKIP_ALL)
    assert "skipped" in tab.inner_text("#quiz-card")


SKIP_ALL = """() => {
  const button = (id) => document.getElementById(id);
  while (!button('next').disabled) (button('skip') ?? button('next')).click();
}"""


def test_in_the_frame_of_a_notebook(browser_page):
    y, names = scalar()
    outside = browser_page(viz.step(y, names)._repr_mimebundle_()["text/html"])
    inside = outside.frame_locator("iframe")
    inside.locator("#next").click()
    outside.keyboard.press("ArrowRight")
    assert inside.locator("#position").inner_text() == "2 / 8"
    inside.locator("#help").click()
    assert inside.locator("#help-window").is_visible()
    inside.locator("#help-close").click()
    inside.locator("#theme").click()
    inside.locator("#language").click()
    assert inside.locator("h1").inner_text() == "한 단계씩 보는 역전파"


# ---- modules


def test_modules_are_frames_and_a_closed_one_is_one_stride(browser_page):
    minigrad.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    block = nn.Sequential(*[nn.Sequential(nn.Linear(1, 1), nn.Tanh()) for _ in range(3)])
    with viz.recording():
        y = block(model(minigrad.ones(1, 2))).sum()
    tab = browser_page(viz.step(y, {"model": model, "block": block}))
    frames = tab.evaluate("mg.data.groups")
    assert [f["title"] for f in frames if f["parent"] == ""] == ["model: Sequential", "block: Sequential"]
    key = next(f["key"] for f in frames if f["title"] == "block: Sequential")
    steps = tab.evaluate("mg.step.page.plan.forward")
    tab.get_by_role("button", name="Show all").click()
    tab.locator(f"#graph .handle[data-key={key}]").click()
    press(tab, "Home", "ArrowRight", "ArrowRight", "ArrowRight")
    k = press(tab, "ArrowRight")  # into and through the closed block
    assert k == steps - 1
    assert press(tab, "ArrowLeft") == 3
    tab.get_by_role("button", name="Show all").click()
    tab.locator(f"#graph .box[data-key={key}]").click()  # open again: step by step
    press(tab, "Escape")
    assert press(tab, "ArrowRight") == 4
    assert press(tab, "ArrowRight") == 5


def test_a_deep_model_is_closed_at_first_and_depth_opens_it(browser_page):
    minigrad.manual_seed(0)
    layers = [nn.Sequential(nn.Linear(2, 2), nn.Tanh()) for _ in range(30)]
    model = nn.Sequential(*layers)
    y = model(minigrad.ones(1, 2)).sum()
    page = viz.step(y, model)
    tab = browser_page(page)
    assert tab.locator("#graph .box.kind-module").count() == 30
    assert browser_page(viz.step(y, model, depth=0)).locator("#graph .box.kind-module").count() == 1
    assert browser_page(viz.step(y, model, depth=9)).locator("#graph .box.kind-module").count() == 0


# ---- odd graphs


def odd_graphs():
    w = tensor([1.0, 2.0, 3.0, 4.0])
    a, b = w.split(2)
    yield "several outputs", (a * b).sum(), {"w": w}
    w = tensor([1.0, 2.0])
    yield "an unused output", w.max(0)[0] * 2, {"w": w}
    yield "no history", minigrad.tensor([1.0, 2.0]), None
    yield "a leaf alone", tensor(3.0), None
    yield "empty", tensor([[]]).sum(), None
    yield "nan and inf", (tensor([0.0, -1.0]).log() * tensor([2.0, 1.0])).sum(), None
    yield "not a scalar", tensor([1.0, 2.0]) * 3, None
    yield "large", (tensor([[0.5] * 20] * 20) @ minigrad.ones(20, 30)).sum(), None
    x = tensor([1.0, 2.0, 3.0])
    z = x * 1.0
    z[0] = 5.0
    yield "in place", (z * z).sum(), {"x": x}
    yield "integers and bools", tensor([1.0, 2.0])[minigrad.tensor([True, False])].sum(), None
    x = tensor(2.0)
    (g,) = minigrad.autograd.grad(x**3, x, create_graph=True)
    yield "double backward", g, {"x": x}
    with minigrad.no_grad():
        c = x * 2
    yield "no_grad inside", x * c + x.detach(), {"x": x, "c": c}
    yield "half", (minigrad.tensor([1.0, 2.0], dtype=minigrad.float16, requires_grad=True) * 2).sum(), None
    yield "three dimensions", tensor([[[1.0, 2.0], [3.0, 4.0]]]).exp().sum(), None


@pytest.mark.parametrize("case", list(odd_graphs()), ids=lambda case: case[0].replace(" ", "_"))
def test_odd_graphs_can_be_stepped_through(browser_page, case):
    _, y, names = case
    tab = browser_page(viz.step(y, names))
    states = tab.evaluate(WALK)
    assert len(states) == tab.evaluate("mg.step.page.plan.total") + 1
    for text in tab.evaluate(EVERY_CARD):
        assert not re.search(r"undefined|\[object|\bNaN\b|null", text), text


EVERY_CARD = """() => [0, mg.step.page.plan.total].flatMap((k) => {
  mg.step.page.goTo(k);
  return mg.step.page.plan.nodes.map((node) => {
    mg.step.page.select(node.id);
    return document.getElementById('node').innerText + document.getElementById('now').innerText;
  });
})"""


def test_a_freed_graph_says_what_is_missing(browser_page):
    class Mine(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return g * 2 + 0 * x

    w = tensor(2.0)
    y = Mine.apply(w.exp()).tanh()
    y.backward()
    tab = browser_page(viz.step(y, {"w": w}))
    assert "backward() has freed this graph" in tab.inner_text("#note")
    states = tab.evaluate(WALK)
    assert any("No gradients from" in state["title"] for state in states)


# ---- size and speed


def test_a_scalar_network_of_a_thousand_nodes_steps_without_delay(browser_page):
    names, x = {}, [minigrad.tensor(0.5), minigrad.tensor(-1.0)]
    for layer, width in enumerate((16, 16, 1)):
        out = []
        for j in range(width):
            total = names[f"b{layer}_{j}"] = tensor(0.1)
            for i, one in enumerate(x):
                w = names[f"w{layer}_{j}_{i}"] = tensor(0.1 * ((i * 7 + j * 5) % 9 - 4))
                total = total + w * one
            out.append(total.tanh())
        x = out
    tab = browser_page(viz.step((x[0] - 1.0) ** 2, names))
    touched, laid_out, took = tab.evaluate("""async () => {
      const [touched, took] = [[], []];
      const watch = new MutationObserver((records) => touched.push(records.length));
      watch.observe(document.getElementById('graph'), {subtree: true, childList: true, attributes: true});
      for (const start of [1, mg.step.page.plan.forward + 30]) {
        mg.step.page.goTo(start);
        await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        touched.pop();
        for (let i = 0; i < 15; i++) {
          const began = performance.now();
          document.getElementById('next').click();
          took.push(performance.now() - began);
          await new Promise((done) => requestAnimationFrame(() => setTimeout(done)));
        }
      }
      const boxes = [...document.querySelectorAll('#graph .box .shape')];
      const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];
      return [median(touched), boxes.filter((box) => box.getClientRects().length).length, median(took)];
    }""")
    assert touched < 600  # changes in the graph: what comes into sight and leaves it, not all 2,246 boxes and edges
    assert laid_out < 200  # boxes near what is in sight, of 980
    assert took < 200  # ms, on a machine that does other things too; 2 on a quiet one
