"""The quiz of the step page: questions, right and wrong answers, hints, skipping, the score."""

import pytest
from test_viz_step import press, scalar, shared_leaf, tensor

import minigrad
from minigrad import viz


def quiz(browser_page, y, names, start=0, **options):
    tab = browser_page(viz.step(y, names), **options)
    tab.evaluate(f"mg.step.page.goTo({start})")
    tab.click("#quiz")
    return tab


def answer(tab, text):
    tab.fill("#answer", text)
    tab.press("#answer", "Enter")
    return tab.inner_text("#quiz-card .verdict")


def score(tab):
    return tab.inner_text("#quiz-card .score")


def test_forward_and_backward_to_the_end(browser_page):
    """Every question of a whole run is answered with the engine's number, old plus new where paths meet."""
    y, names = shared_leaf()
    tab = quiz(browser_page, y, names)
    asked = 0
    while not tab.is_disabled("#next"):
        tab.wait_for_selector("#answer")
        assert tab.evaluate("document.activeElement.id") == "answer"
        k = tab.evaluate("mg.step.page.k")
        hidden = tab.locator("#now .quantity .number", has_text="?")
        assert hidden.count() >= 1
        step = tab.evaluate(f"mg.step.page.plan.steps[{k}]")
        if step["kind"] == "value":
            answers = [tab.evaluate(f"mg.step.page.plan.nodes[{step['node']}].value")]
        elif step["kind"] == "seed":
            answers = [1]
        else:
            answers = [step["part"]["product"]] + [step["part"]["total"]] * (step["old"] is not None)
        assert tab.locator("#now .quantity.total").count() == 0
        for right in answers:
            assert answer(tab, str(right)).startswith("Right")
            asked += 1
        assert tab.evaluate("mg.step.page.k") == k + 1
        assert tab.evaluate("document.activeElement.id") in ("next", "")
        tab.locator("body").press("ArrowRight")
    total = tab.evaluate("mg.step.page.plan.total")
    assert asked == total + 4  # w gets four contributions, a two: four times the sum is asked for as well
    assert score(tab) == f"right {total} · with help 0 · skipped 0"
    assert "That was the last one" in tab.inner_text("#quiz-card")


def test_wrong_answers_say_what_is_wrong(browser_page):
    y, names = shared_leaf()
    tab = quiz(browser_page, y, names)
    assert answer(tab, "cat") == "That is no number. Try 0.5, −2 or 1/3."
    assert answer(tab, "-0.49") == "The size is right, the sign is not."
    assert answer(tab, "3") == "Not yet. Try again, or take a hint."
    assert tab.locator("#graph .box.asked").get_attribute("data-key") == "n1"
    assert tab.locator("#graph .box[data-key=n1] text.value").first.text_content() == "·"
    assert answer(tab, "0.49") == "Right, with help: 0.49"
    assert score(tab) == "right 0 · with help 1 · skipped 0"
    assert tab.locator("#graph .box[data-key=n1] text.value").first.text_content() == "0.49"


def test_answers_that_forget_a_factor_or_a_summand(browser_page):
    x, y = tensor(3.0), tensor(5.0)
    tab = quiz(browser_page, (x * y).exp() * 0.0 + x * y * 2.0 + x, {"x": x, "y": y})
    plan = tab.evaluate("mg.step.page.plan")
    edges = [(i, s) for i, s in enumerate(plan["steps"]) if s["kind"] == "edge"]
    at = next(i for i, s in edges if s["part"]["local"] not in (0, 1) and s["upstream"] not in (0, 1))
    part, upstream = plan["steps"][at]["part"], plan["steps"][at]["upstream"]
    tab.evaluate(f"mg.step.page.goTo({at})")
    press(tab, "ArrowRight")
    assert "Multiply it by the upstream gradient" in answer(tab, str(part["local"]))
    assert "Multiply it by the local derivative" in answer(tab, str(upstream))
    at = next(i for i, s in enumerate(plan["steps"]) if s.get("old") not in (None, 0))
    part = plan["steps"][at]["part"]
    tab.evaluate(f"mg.step.page.goTo({at})")
    press(tab, "ArrowRight")
    if part["product"]:
        assert "Now the total" in answer(tab, str(part["product"]))
        assert "Add what was there before" in answer(tab, str(part["product"]))
    assert tab.locator("#now .meeting .total .number").inner_text() == "?"


def test_hints_come_as_formula_then_as_numbers(browser_page):
    y, names = scalar()
    tab = quiz(browser_page, y, names, start=2)
    assert "tanh(" not in tab.inner_text("#now")
    assert tab.locator("#quiz-card .math").count() == 0
    tab.click("#hint")
    assert tab.locator("#quiz-card .math").all_inner_texts() == ["y = tanh(z)"]
    tab.click("#hint")
    assert tab.locator("#quiz-card .math").all_inner_texts() == ["y = tanh(z)", "y = tanh(0.7)"]
    assert tab.is_disabled("#hint")
    assert "0.6044" not in tab.inner_text("body")
    assert answer(tab, "0.604").startswith("Right, with help")
    press(tab, "ArrowRight")
    tab.click("#hint")
    assert answer(tab, "1").startswith("Right, with help")
    press(tab, "ArrowRight")  # back from y to z
    assert tab.inner_text("#now .quantity.local .number") == "?"
    tab.click("#hint")
    assert "1 − y²" in tab.inner_text("#quiz-card")
    assert tab.inner_text("#now .quantity.local .number") == "?"
    tab.click("#hint")
    assert "1 − 0.6044²" in tab.inner_text("#quiz-card")
    assert tab.inner_text("#now .quantity.local .number") == "0.6347"
    assert tab.inner_text("#now .quantity.product .number") == "?"
    assert score(tab) == "right 0 · with help 2 · skipped 0"


def test_skipping_tells_and_counts(browser_page):
    y, names = scalar()
    tab = quiz(browser_page, y, names)
    tab.click("#skip")
    assert tab.evaluate("mg.step.page.k") == 1
    assert tab.inner_text("#quiz-card .verdict") == "It was 1.0."
    assert score(tab) == "right 0 · with help 0 · skipped 1"
    press(tab, "Home", "ArrowRight")  # what was answered is not asked again
    assert tab.evaluate("mg.step.page.k") == 1
    assert tab.locator("#answer").count() == 0


def test_going_elsewhere_drops_the_question_and_switching_off_ends_it(browser_page):
    y, names = scalar()
    tab = quiz(browser_page, y, names)
    tab.locator("#answer").blur()
    press(tab, "End")
    assert tab.locator("#answer").count() == 0
    assert tab.evaluate("mg.step.page.k") == 8
    press(tab, "Home", "ArrowRight")
    assert tab.locator("#answer").is_visible()
    tab.locator("#answer").press("ArrowRight")  # the field has its keys
    assert tab.evaluate("mg.step.page.k") == 0
    tab.click("#quiz")
    assert not tab.locator("#quiz-card").is_visible()
    assert tab.get_attribute("#quiz", "aria-pressed") == "false"
    assert press(tab, "ArrowRight") == 1


def test_playing_stops_at_a_question(browser_page):
    y, names = scalar()
    tab = quiz(browser_page, y, names)
    tab.click("#play")
    tab.wait_for_selector("#answer")
    assert tab.get_attribute("#play", "aria-label") == "Play"
    assert tab.evaluate("mg.step.page.k") == 0


def test_one_number_of_an_array_is_asked_for(browser_page):
    m = tensor([[1.0, -2.0], [3.0, 4.0]])
    y = (m * 2.0).sum()
    tab = quiz(browser_page, y, {"m": m})
    assert tab.locator("#now td.covered").count() == 1
    assert "[0, 0]?" in tab.inner_text("#quiz-card label")
    assert answer(tab, "2").startswith("Right")
    press(tab, "ArrowRight")
    assert answer(tab, "12").startswith("Right")


def test_what_cannot_be_asked_is_passed(browser_page):
    big = minigrad.ones(10, 10, requires_grad=True)
    y = big.exp().sum() * float("nan")
    tab = quiz(browser_page, y, {"big": big})
    assert tab.evaluate("mg.step.page.k") == 1  # exp of 100 numbers is shown, the sum is asked for
    press(tab, "ArrowRight")
    assert "Σ" in tab.text_content("#graph .box.asked")


def test_the_learner_is_asked_in_korean(browser_page):
    y, names = scalar()
    tab = quiz(browser_page, y, names, language="ko")
    assert tab.inner_text("#quiz-card label") == "v2의 값은 얼마일까요?"
    assert answer(tab, "1") == "정답: 1.0"
    tab.click("#language")
    assert score(tab) == "right 1 · with help 0 · skipped 0"


@pytest.mark.parametrize(
    ("typed", "value"),
    [("0.5", 0.5), (" 0,5 ", 0.5), ("−.5", -0.5), ("–2", -2), ("+3", 3), ("1e-3", 1e-3), ("1/3", 1 / 3), ("1.", 1),
     ("-1/4", -0.25), ("", None), ("1/2/3", None), ("0x10", None), ("Infinity", None), ("1,000.5", None),
     ("--1", None)],
)  # fmt: skip
def test_how_numbers_may_be_typed(quiz_page, typed, value):
    found = quiz_page.evaluate("(text) => mg.step.typed(text)", typed)
    assert found == pytest.approx(value) if value is not None else found != found


@pytest.mark.parametrize(
    ("typed", "right", "verdict"),
    [("0.632", 0.6347, "right"), ("0.62", 0.6347, "other"), ("0", 0.0004, "right"), ("0", 0.0006, "other"),
     ("1/0", 1, "none"), ("1234", 1233.5, "right"), ("-1", 1, "sign"), ("1e-9", 0, "right")],
)  # fmt: skip
def test_how_near_is_right(quiz_page, typed, right, verdict):
    asked = {"what": "value", "answer": right, "position": 0}
    assert quiz_page.evaluate("([typed, asked]) => mg.step.judge(typed, asked, {})", [typed, asked]) == verdict


@pytest.fixture(scope="module")
def quiz_page(chromium, tmp_path_factory):
    """One tab for the questions that need only the page's functions."""
    y, names = scalar()
    tab = chromium.new_page()
    tab.goto(viz.step(y, names).save(tmp_path_factory.mktemp("quiz") / "page.html").as_uri())
    yield tab
    tab.close()
