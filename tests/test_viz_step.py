"""The step page in Chromium: what it shows at every step are the engine's numbers; buttons, keys, panel, quiz."""

import re

import numpy as np
import pytest

import minigrad
from minigrad import nn, viz
from minigrad.nn import functional as F
from minigrad.viz.graph.text import number

READ = """() => ({
  k: mg.step.page.k,
  phase: document.querySelector('#now .chip').className.split(' ')[1],
  title: document.querySelector('#now h2').textContent,
  boxes: Object.fromEntries([...document.querySelectorAll('#graph .box')].map((box) =>
    [box.dataset.key, [...box.querySelectorAll('text.value')].map((text) => text.textContent)])),
  marks: Object.fromEntries(['now', 'source', 'graded', 'partly', 'waiting'].map((mark) =>
    [mark, [...document.querySelectorAll('#graph .box.' + mark)].map((box) => box.dataset.key)])),
  edges: [...document.querySelectorAll('#graph .edge:is(.back, .feeding)')].map((edge) => edge.dataset.edge).sort(),
  shown: [...document.querySelectorAll('#now .quantity')].map((one) =>
    [one.classList[1], [...one.querySelectorAll('.number, td')].map((cell) => cell.textContent)]),
  spoken: document.querySelector('.spoken').textContent,
})"""
WALK = f"""() => {{
  const read = {READ};
  const states = [read()];
  while (!document.getElementById('next').disabled) {{
    document.getElementById('next').click();
    states.push(read());
  }}
  return states;
}}"""


def tensor(value):
    return minigrad.tensor(value, requires_grad=True)


def scalar():
    w, x, b = tensor(2.0), minigrad.tensor(0.5), tensor(-0.3)
    z = w * x + b
    y = z.tanh()
    return y, {"w": w, "x": x, "b": b, "z": z, "y": y}


def shared_leaf():
    w = tensor(0.7)
    a = w * w
    b = a * w
    y = a.exp() + b - w
    return y, {"w": w, "a": a, "b": b, "y": y}


def mlp():
    minigrad.manual_seed(1)
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    x, target = minigrad.randn(4, 2), minigrad.randn(4, 1)
    h = model[1](model[0](x))
    out = model[2](h)
    y = F.mse_loss(out, target)
    return y, {"model": model, "x": x, "h": h, "out": out, "target": target, "y": y}


def softmax_cross_entropy():
    logits = tensor([[1.0, -0.5, 2.0], [0.1, 0.2, -3.0]])
    p = logits.softmax(1)
    y = -(p.log() * minigrad.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])).sum()
    return y, {"logits": logits, "p": p, "y": y}


def broadcasting():
    m, row, s = tensor([[1.0, -2.0, 3.0], [0.5, 0.0, -1.0]]), tensor([2.0, 0.1, -0.5]), tensor(3.0)
    q = m * row + s
    y = (q * q).mean()
    return y, {"m": m, "row": row, "s": s, "q": q, "y": y}


GRAPHS = [scalar, shared_leaf, mlp, softmax_cross_entropy, broadcasting]


def written(array):
    """The numbers of an array as the page writes them."""
    return [re.sub("^-", "−", number(float(v))) for v in np.asarray(array).reshape(-1)]


@pytest.mark.parametrize("make", GRAPHS, ids=lambda make: make.__name__)
def test_every_number_shown_is_the_engines(browser_page, make):
    y, names = make()
    page = viz.step(y, names)
    named = {name: t for name, t in names.items() if isinstance(t, minigrad.Tensor)}
    named |= dict(names["model"].named_parameters("model")) if "model" in names else {}
    for t in named.values():
        if t.requires_grad:
            t.retain_grad()
    y.backward()
    tab = browser_page(page)
    states = tab.evaluate(WALK)
    plan = tab.evaluate("mg.step.page.plan")
    nodes, steps = plan["nodes"], plan["steps"]
    assert len(states) == len(steps) + 1
    assert states[0]["phase"] == "start"
    known = {node["id"]: named[node["name"]] for node in nodes if node["name"] in named}
    assert len(known) == len(named)
    sums = {}
    for k, state in enumerate(states):
        for node, t in known.items():
            rows = state["boxes"][f"n{node}"]
            computed = plan["shownAt"][node] <= k
            assert (f"n{node}" in state["marks"]["waiting"]) is not computed
            if t.ndim == 0:
                assert rows[0] == (written(t.detach().numpy())[0] if computed else "·")
        if k == 0:
            continue
        step, shown = steps[k - 1], dict(state["shown"])
        assert state["phase"] == (step["phase"] if k < len(steps) else "end")
        target = step["part"]["node"] if step["kind"] == "edge" else step["node"]
        assert state["marks"]["now"] == [f"n{target}"]
        assert state["spoken"]
        if step["kind"] == "value":
            assert state["edges"] == [f"{target}:{i}" for i in range(len(nodes[target]["inputs"]))]
            if target in known:
                assert shown["result"] == written(known[target].detach().numpy())
        elif step["kind"] == "edge":
            part = step["part"]
            assert state["edges"] == [f"{step['node']}:{part['input']}"]
            assert state["marks"]["source"] == [f"n{step['node']}"]
            if step["node"] in known:
                assert shown["upstream"] == written(known[step["node"]].grad.numpy())
            product = np.array(part["product"])
            assert shown.get("product", shown.get("contribution")) == written(product)
            before = sums.get(target)
            sums[target] = product if before is None else before + product
            assert ("total" in shown) is (before is not None)
            if before is not None:
                assert shown["old"] == written(np.array(step["old"]))
                np.testing.assert_allclose(np.array(step["old"]), before, rtol=1e-6)
                assert shown["new"] == written(product)
                assert shown["total"] == written(np.array(part["total"]))
    last = states[-1]
    for node, t in known.items():
        if not t.requires_grad:
            assert len(last["boxes"][f"n{node}"]) == 1
            continue
        assert f"n{node}" in last["marks"]["graded"]
        if t.ndim == 0:
            assert last["boxes"][f"n{node}"][1] == written(t.grad.numpy())[0]
        if t is not y:
            np.testing.assert_allclose(sums[node], t.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_scalars_multiply_as_shown(browser_page):
    y, names = scalar()
    states = browser_page(viz.step(y, names)).evaluate(WALK)
    to_z = next(dict(s["shown"]) for s in states if s["title"] == "Back from y to z")
    assert to_z == {"upstream": ["1.0"], "local": ["0.6347"], "product": ["0.6347"]}
    to_w = dict(states[-2]["shown"]) if "w" in states[-2]["title"] else dict(states[-1]["shown"])
    assert to_w == {"upstream": ["0.6347"], "local": ["0.5"], "product": ["0.3174"]}


def test_formulas_in_names_and_in_numbers(browser_page):
    y, names = scalar()
    tab = browser_page(viz.step(y, names))
    tab.evaluate("mg.step.page.goTo(3)")
    assert tab.locator("#now .formulas .math").all_inner_texts() == ["y = tanh(z)", "y = tanh(0.7)"]
    tab.evaluate("mg.step.page.goTo(5)")
    assert " ".join(tab.locator("#now .formulas .math").inner_text().split()) == "∂y ∂z = 1 − y² = 1 − 0.6044² = 0.6347"


def test_the_formula_says_which_derivative_it_is(browser_page):
    x = tensor([1.0, 2.0])
    s = x.sum()
    y = s.exp()
    tab = browser_page(viz.step(y, {"x": x, "s": s, "y": y}))
    tab.evaluate("mg.step.page.goTo(4)")  # a local derivative
    assert "".join(tab.text_content("#now .formulas .math").split()).startswith("∂y∂s=y=")
    tab.evaluate("mg.step.page.goTo(5)")  # of the whole, from the upstream gradient G
    assert "".join(tab.text_content("#now .formulas .math").split()).startswith("∂y∂x=G·1")
    assert "G is the upstream gradient, the gradient of s." in tab.inner_text("#now")


def test_accumulation_is_told(browser_page):
    y, names = shared_leaf()
    tab = browser_page(viz.step(y, names))
    tab.locator("#graph .box[data-key=n0]").click()
    tab.click("#end")
    assert "w.grad is finished" in tab.inner_text("#now")
    assert "All gradients are there" in tab.inner_text("#now")
    assert len(tab.locator("#node .history li").all()) == 5  # the value and four contributions
    assert tab.locator("#node .routes li").count() == 6  # one more by a in b, and a is w * w
    y.backward()
    grad = number(names["w"].grad.item())
    assert f"= {grad}" in tab.inner_text("#node .paths")


def press(tab, *keys):
    for key in keys:
        tab.keyboard.press(key)
    return tab.evaluate("mg.step.page.k")


def test_keys(browser_page):
    y, names = scalar()
    tab = browser_page(viz.step(y, names))
    assert press(tab, "ArrowRight", "ArrowRight", "ArrowLeft", "ArrowRight") == 2
    assert press(tab, "End") == 8
    assert press(tab, "ArrowRight") == 8
    assert press(tab, "Home") == 0
    assert press(tab, "ArrowLeft") == 0
    assert press(tab, "End", "ArrowLeft", "Shift+ArrowLeft") == 5  # both edges out of v2 + b
    assert press(tab, "]", "]") == 5
    assert tab.input_value("#speed") == "4"
    assert press(tab, "[") == 5
    assert tab.input_value("#speed") == "2"
    press(tab, "?")
    assert tab.locator("#help-window").is_visible()
    assert press(tab, "ArrowLeft") == 5  # the window takes the keys
    press(tab, "Escape")
    assert not tab.locator("#help-window").is_visible()
    tab.locator("#graph .box[data-key=n2]").click()
    assert press(tab, "ArrowLeft") == 4  # a click leaves the keys with the player
    assert tab.inner_text("#node h2") == "v2"
    press(tab, "Escape")
    assert tab.locator("#node h2").count() == 0


def test_playing_by_button_and_space(browser_page):
    y, names = scalar()
    tab = browser_page(viz.step(y, names))
    tab.select_option("#speed", "8")
    tab.click("#play")
    assert tab.get_attribute("#play", "aria-label") == "Pause"
    tab.wait_for_selector("#now[data-step='2']")
    tab.locator("body").press("Space")
    k = tab.evaluate("mg.step.page.k")
    assert tab.get_attribute("#play", "aria-label") == "Play"
    tab.wait_for_timeout(400)
    assert tab.evaluate("mg.step.page.k") == k
    tab.locator("body").press("Space")
    tab.wait_for_selector("#now[data-phase=end]")
    assert tab.get_attribute("#play", "aria-label") == "Play"
    assert tab.is_disabled("#next")
    tab.click("#play")  # from the end it begins again
    tab.wait_for_selector("#now[data-step='1']")


def test_buttons_and_the_scrubber(browser_page):
    y, names = scalar()
    tab = browser_page(viz.step(y, names))
    assert tab.is_disabled("#start")
    assert tab.is_disabled("#back")
    tab.click("#next")
    tab.click("#next")
    tab.click("#back")
    assert tab.evaluate("mg.step.page.k") == 1
    assert tab.inner_text("#position") == "1 / 8"
    tab.click("#end")
    tab.click("#start")
    assert tab.evaluate("mg.step.page.k") == 0
    scrubber = tab.locator("#scrubber")
    scrubber.focus()
    scrubber.press("ArrowRight")
    assert tab.evaluate("mg.step.page.k") == 1
    tab.evaluate("const s = document.getElementById('scrubber'); s.value = 6; s.dispatchEvent(new Event('input'))")
    assert tab.evaluate("mg.step.page.k") == 6
    assert scrubber.get_attribute("aria-valuetext") == "Backward pass, step 6 of 8"
    tab.evaluate("mg.step.page.goTo(2)")
    direct = tab.evaluate(READ)["boxes"]
    tab.click("#start")
    press(tab, "ArrowRight", "ArrowRight")
    assert tab.evaluate(READ)["boxes"] == direct


def test_history_goes_back_in_time(browser_page):
    y, names = scalar()
    tab = browser_page(viz.step(y, names))
    tab.click("#end")
    tab.locator("#graph .box[data-key=n2]").click()  # w * x
    assert re.sub(r"\s+", " ", tab.inner_text("#node .history")).strip() == "step 1 value 1.0 step 6 from z: 0.6347"
    tab.click("#node .history li:nth-child(2) button")
    assert tab.evaluate("mg.step.page.k") == 6
    tab.evaluate("mg.step.page.goTo(0)")
    assert "Not computed yet" in tab.inner_text("#node .history")
    assert "Contributions still to come: 1" in tab.inner_text("#node .history")


def test_paths_are_counted_and_lit(browser_page):
    y, names = shared_leaf()
    tab = browser_page(viz.step(y, names))
    tab.locator("#graph .box[data-key=n1]").click()  # a = w * w, used by exp and by b
    assert "through this node: 4" in tab.inner_text("#node .paths")
    assert "to y: 2" in tab.inner_text("#node .paths")
    assert tab.locator("#graph .edge.route").count() == 7
    tab.locator("#node .routes button").first.click()
    assert tab.locator("#graph .edge.route").count() in (3, 4)
    tab.locator("#node .routes button").first.click()
    assert tab.locator("#graph .edge.route").count() == 0
    tab.click("#close-node")
    assert tab.locator("#node h2").count() == 0


def test_source_lines(browser_page):
    w = tensor(2.0)
    with viz.recording():
        y = w.exp() * 1.0
    tab = browser_page(viz.step(y, {"w": w}))
    tab.locator("#graph .box[data-key=n1]").click()
    assert tab.text_content("#node .code") == "y = w.exp() * 1.0"
    assert re.search(r"test_viz_step\.py:\d+$", tab.inner_text("#node .place"))
    y, names = scalar()
    tab = browser_page(viz.step(y, names))
    tab.locator("#graph .box[data-key=n2]").click()
    assert "with viz.recording():" in tab.inner_text("#node .facts")
