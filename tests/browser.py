"""Pages in headless Chromium: the fixture `browser_page` opens one as a user would, from disk, and is strict with it.

    def test_x(browser_page):
        tab = browser_page(viz.step(y), width=380, dark=True)
        tab.click("#play")

A console error or warning, an exception in a script or any request fails the test that opened the page. Wait for what
should be seen (`tab.wait_for_function`, `tab.wait_for_selector`), never for a time: the machine may be slow.
"""

import shutil
from collections import defaultdict
from pathlib import Path

import pytest

__all__ = ["browser_page", "chromium", "free_tabs"]

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE = 60_000  # ms until a condition that does not come true fails the test


@pytest.fixture(scope="session")
def chromium():
    """The one browser of the session."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (pip install playwright)")
    with sync_api.sync_playwright() as playwright:
        own = Path(playwright.chromium.executable_path)
        path = str(own) if own.exists() else next(filter(None, map(shutil.which, NAMES)), None)
        if path is None:
            pytest.skip("no Chromium here (playwright install chromium)")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def free_tabs(chromium):
    """Tabs that no test uses now, by what can't be changed in them: to open one takes longer than most tests do."""
    return defaultdict(list)


@pytest.fixture
def browser_page(chromium, free_tabs, tmp_path):
    """open(page, *, width=1280, height=800, dark=False, language="en", calm=True, **options) -> playwright's Page.

    `page` is a path, a text of HTML or anything with `save`. `calm` asks for reduced motion, so that what a click does
    is done at once.  `options` go to `Browser.new_context` (``has_touch=True``).
    """
    used, complaints = [], []

    def open_page(page, *, width=1280, height=800, dark=False, language="en", calm=True, **options):
        path = tmp_path / f"page{len(used)}.html"
        if isinstance(page, Path):
            path = page
        elif isinstance(page, str):
            path.write_text(page, encoding="utf-8")
        else:
            page.save(path)
        free = free_tabs[language, repr(options)]
        if not free:
            context = chromium.new_context(locale={"en": "en-US", "ko": "ko-KR"}[language], **options)
            context.set_default_timeout(PATIENCE)
            free.append(context.new_page())
        tab = free.pop()
        tab.set_viewport_size({"width": width, "height": height})
        scheme, motion = "dark" if dark else "light", "reduce" if calm else "no-preference"
        tab.emulate_media(color_scheme=scheme, reduced_motion=motion)
        own = path.resolve().as_uri()
        listeners = {
            "console": lambda m: m.type in ("error", "warning") and complaints.append(f"console {m.type}: {m.text}"),
            "pageerror": lambda error: complaints.append(f"exception: {error.stack or error}"),
            "request": lambda r: r.url.startswith((own, "blob:")) or complaints.append(f"request: {r.url[:200]}"),
        }
        for event, listener in listeners.items():
            tab.on(event, listener)
        used.append((tab, listeners, free))
        tab.goto(own)
        return tab

    yield open_page
    for tab, listeners, free in used:
        tab.evaluate("localStorage.clear()")  # what a page remembers is not for the next test
        for event, listener in listeners.items():
            tab.remove_listener(event, listener)
        tab.mouse.move(0, 0)
        tab.goto("about:blank")
        free.append(tab)
    assert not complaints, "\n".join(complaints)
