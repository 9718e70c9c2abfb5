"""Pages in headless Chromium: the fixture `browser_page` opens one as a user would, from disk, and is strict with it.

    def test_x(browser_page):
        tab = browser_page(viz.step(y), width=380, dark=True)
        tab.click("#play")

A console error or warning, an exception in a script or any request fails the test that opened the page. Wait for what
should be seen (`tab.wait_for_function`, `tab.wait_for_selector`), never for a time: the machine may be slow.
"""

import shutil
from pathlib import Path

import pytest

__all__ = ["browser_page", "chromium"]

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


@pytest.fixture
def browser_page(chromium, tmp_path):
    """open(page, *, width=1280, height=800, dark=False, language="en", calm=True, **options) -> playwright's Page.

    `page` is a path, a text of HTML or anything with `save`. `calm` asks for reduced motion, so that what a click does
    is done at once.  `options` go to `Browser.new_context` (``has_touch=True``).
    """
    contexts, complaints = [], []

    def open_page(page, *, width=1280, height=800, dark=False, language="en", calm=True, **options):
        path = tmp_path / f"page{len(contexts)}.html"
        if isinstance(page, Path):
            path = page
        elif isinstance(page, str):
            path.write_text(page, encoding="utf-8")
        else:
            page.save(path)
        context = chromium.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            locale={"en": "en-US", "ko": "ko-KR"}[language],
            reduced_motion="reduce" if calm else "no-preference",
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(PATIENCE)
        tab = context.new_page()
        own = path.resolve().as_uri()
        tab.on("console", lambda m: m.type in ("error", "warning") and complaints.append(f"console {m.type}: {m.text}"))
        tab.on("pageerror", lambda error: complaints.append(f"exception: {error.stack or error}"))
        tab.on("request", lambda r: r.url.startswith((own, "blob:")) or complaints.append(f"request: {r.url[:200]}"))
        tab.goto(own)
        return tab

    yield open_page
    for context in contexts:
        context.close()
    assert not complaints, "\n".join(complaints)
