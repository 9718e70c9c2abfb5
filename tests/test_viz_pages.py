"""The HTML shell: what stands in it, and that no text of a user's becomes markup."""

import json

import pytest

from minigrad.viz.pages.shell import GRAPH, Page, page

HOSTILE = [
    "</script><script>window.hacked=1</script>",
    "<!--<script>",
    '"><img src=x onerror=hacked=1>',
    "a'b&amp;c\n\u2028",
    "한글 🙂 \ud800",
]


def test_a_page_is_one_document_and_the_same_each_time():
    make = lambda: page("t", body="<p>hi</p>", scripts=GRAPH, styles=("graph.css",), data={"a": [1, 2.5, None]})  # noqa: E731
    text = make()
    assert text == make()
    assert text.count("</html>") == 1
    assert "connect-src" not in text
    assert "default-src 'none'" in text
    assert "sourceMappingURL" not in text
    assert "Permission is hereby granted" in text  # dagre's licence goes where dagre goes


@pytest.mark.parametrize("text", HOSTILE)
def test_data_and_titles_never_become_markup(text):
    words = {"en": {"x": text}}
    made = page(text, body="", data={text: [text]}, words=words)
    assert made.count("<script") == page("t", body="").count("<script")
    assert "onerror=hacked" not in made.split("<style>")[0].split("<title>")[0]
    inside = made.partition('id="data">')[2].partition("</script>")[0]
    known = text.replace("\ud800", "\ufffd")
    assert json.loads(inside) == {known: [known]}
    made.encode()


def test_infinity_is_not_data():
    with pytest.raises(ValueError, match="JSON"):
        page("t", body="", data=float("inf"))


def test_a_page_saves_itself_and_shows_itself_in_a_frame(tmp_path):
    made = Page(page('a "title"', body="<p>'x' & y</p>"), 'a "title"')
    path = made.save(tmp_path / "x.html")
    assert path.read_text(encoding="utf-8") == made.html
    with pytest.raises(ValueError, match=r"Page\.save\(\)"):
        made.save(tmp_path / "x.pdf")
    frame = made._repr_mimebundle_()["text/html"]
    assert frame.startswith("<iframe ")
    assert frame.endswith("></iframe>")
    assert frame.count("<") == 2


def test_scripts_can_stand_inside_a_script_element():
    from importlib.resources import files

    for asset in (files("minigrad.viz.pages") / "assets").iterdir():
        text = asset.read_text(encoding="utf-8").lower()
        assert "</script" not in text
        assert "<!--" not in text
        if not asset.name.startswith("dagre"):
            assert len(text.splitlines()) < 480
            assert "innerhtml" not in text
            assert "eval(" not in text


def test_numbers_read_as_in_drawings(browser_page):
    from minigrad.viz.graph.text import number

    values = [0.0, -0.0, 2.0, 0.70710678, 12345.678, 1.2e-7, 1e6, -3.5e12, 0.0001, 99999.96, 1 / 3, 123.456]
    tab = browser_page(page("numbers", body="", data=values))
    assert tab.evaluate("mg.data.map(mg.number)") == [number(v) for v in values]
    assert tab.evaluate("[NaN, Infinity, -Infinity].map(mg.number)") == ["nan", "inf", "-inf"]


def test_language_and_theme(browser_page):
    words = {"en": {"hello": "hello {name}"}, "ko": {"hello": "안녕 {name}"}}
    made = page("t", body='<p id="p" data-t="hello"></p><span data-switches></span>', words=words)
    tab = browser_page(made, language="ko", dark=True)
    assert tab.inner_text("#p") == "안녕 {name}"
    assert tab.get_attribute("html", "data-theme") == "dark"
    tab.click("#language")
    assert tab.evaluate("mg.t('hello', {name: 'x'})") == "hello x"
    assert tab.get_attribute("html", "lang") == "en"
    tab.click("#theme")
    assert tab.get_attribute("html", "data-theme") == "light"
    tab.reload()
    assert tab.get_attribute("html", "data-theme") == "light"  # remembered


def test_pages_in_a_notebook_do_not_disturb_each_other(browser_page):
    import minigrad
    from minigrad import viz

    w = minigrad.tensor(2.0, requires_grad=True)
    frames = [viz.draw(y, {"w": w}).page._repr_mimebundle_()["text/html"] for y in (w * 3.0, (w * w).tanh())]
    cells = "".join(f'<div style="width:700px;margin:40px">{frame}</div>' for frame in frames)
    tab = browser_page(f"<!DOCTYPE html><meta charset='utf-8'>{cells}<div style='height:3000px'></div>")
    tab.wait_for_function("() => document.querySelectorAll('iframe').length === 2")
    first, second = tab.frames[1:]
    for frame in (first, second):
        frame.wait_for_function("() => window.mg !== undefined || typeof mg !== 'undefined' && mg.view")
        assert frame.evaluate("innerWidth") == 698
        assert 300 <= frame.evaluate("innerHeight") <= 700
        assert frame.evaluate("document.documentElement.scrollHeight <= innerHeight")
    assert first.evaluate("mg.view.seen.boxes.length") != second.evaluate("mg.view.seen.boxes.length")

    spot = tab.locator("iframe").first.bounding_box()
    tab.mouse.move(spot["x"] + 350, spot["y"] + 200)
    scale = first.evaluate("mg.view.camera.k")
    tab.mouse.wheel(0, 120)
    tab.wait_for_function("() => scrollY > 60")  # the wheel is the notebook's
    assert first.evaluate("mg.view.camera.k") == scale
    tab.evaluate("scrollTo(0, 0)")
    first.click(".box >> nth=0")
    assert first.evaluate("mg.view.selected") == "n0"
    assert second.evaluate("mg.view.selected") is None
    tab.mouse.wheel(0, 120)
    first.wait_for_function(f"() => mg.view.camera.k < {scale}")  # until the graph has been clicked
    assert first.evaluate("document.querySelector('#panel').hidden") is False
