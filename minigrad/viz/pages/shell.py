"""The HTML shell of every page, and `Page`: one file that works offline, from disk, in a notebook and on a phone.

    page(title, body=..., scripts=(*GRAPH, "step.js"), styles=("graph.css", "step.css"), data={...}, words={...})

What a page is made of lies in `assets/`; what it shows is one JSON text, ``mg.data`` in the page. The page's policy
(Content-Security-Policy) forbids every request, so nothing can be loaded and nothing can leak.
"""

from __future__ import annotations

import functools
import html
import json
import os
import re
import tempfile
import webbrowser
from importlib.resources import files
from pathlib import Path

from minigrad.viz.files import checked_path, write_whole
from minigrad.viz.notebook import shown_in_notebook

__all__ = ["GRAPH", "Page", "page"]

GRAPH = (
    "dagre.min.js", "strength.js", "graphclose.js", "measure.js", "ranks.js", "straighten.js", "graphlevels.js",
    "graphlayout.js", "graphdraw.js", "panzoom.js", "graphkeys.js", "graphsight.js",
    "graphview.js",
)  # fmt: skip
"""The scripts that `mg.GraphView` needs; its style is ``graph.css``."""

POLICY = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:"
WORDS = {
    "en": {
        "theme": "Light or dark",
        "language": "한국어",
        "languageHint": "한국어로 보기",
        "zoomIn": "Closer",
        "zoomOut": "Further away",
        "zoomFit": "Show all",
        "kind-leaf": "leaf",
        "kind-constant": "constant",
        "kind-value": "value",
        "kind-output": "output",
        "kind-op": "operation",
        "kind-fold": "folded",
        "kind-module": "module",
        "kind-failed": "failed operation",
    },
    "ko": {
        "theme": "밝게 / 어둡게",
        "language": "English",
        "languageHint": "Show in English",
        "zoomIn": "크게",
        "zoomOut": "작게",
        "zoomFit": "전체 보기",
        "kind-leaf": "리프",
        "kind-constant": "상수",
        "kind-value": "값",
        "kind-output": "출력",
        "kind-op": "연산",
        "kind-fold": "접힌 부분",
        "kind-module": "모듈",
        "kind-failed": "실패한 연산",
    },
}
HEIGHT = 560  # of the frame in a notebook, in CSS pixels


def page(title, *, body, scripts=(), styles=(), data=None, words=None, program="") -> str:
    """One self-contained HTML file as text.

    title    what the browser's tab says; a user's text may stand in it
    body     HTML of the page's own making: a user's text must not stand in it, but come by `data`
    scripts  names of files in ``assets/``, run in this order after ``common.js``
    styles   names of files in ``assets/``, after ``common.css``
    program  a script made for this page, run after ``common.js`` and before `scripts`; no user's text may stand in it
    data     what the page shows, of dicts, lists, str, bool, None and finite numbers: ``mg.data`` in the page
    words    ``{"en": {key: text}, "ko": {key: text}}``: ``mg.t(key)`` in the page, and the text of elements with
             ``data-t="key"``; ``data-t-label`` and ``data-t-title`` do so for aria-label and title

    The same arguments give the same bytes. Raises ValueError for a NaN or infinity in `data`: write it as text.
    """
    words = {language: {**WORDS[language], **(words or {}).get(language, {})} for language in WORDS}
    head = "\n".join(f"<style>\n{_asset(name)}</style>" for name in ("common.css", *styles))
    programs = [_asset("common.js"), *([program] if program else []), *map(_asset, scripts)]
    foot = "\n".join(f"<script>\n{text}</script>" for text in programs)
    text = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="minigrad">
<title>{html.escape(title)}</title>
{head}
</head>
<body>
{body}
<script type="application/json" id="words">{json_text(words)}</script>
<script type="application/json" id="data">{json_text(data)}</script>
{foot}
</body>
</html>
"""
    return re.sub("[\ud800-\udfff]", "\ufffd", text)  # half of a surrogate pair has no UTF-8


def json_text(value) -> str:
    """JSON that may stand inside a script element: no ``<`` in it can close the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@functools.cache
def _asset(name) -> str:
    """The text of a file in ``assets/``; before another project's file stands its licence."""
    folder = files("minigrad.viz.pages") / "assets"
    text = (folder / name).read_text(encoding="utf-8")
    licence = folder / f"{name.partition('.')[0]}.LICENSE"
    if name.endswith(".min.js") and licence.is_file():
        text = re.sub(r"^//# sourceMappingURL=.*\n?", "", text, flags=re.M)
        text = f"/*\n{licence.read_text(encoding='utf-8').strip()}\n*/\n{text}"
    return text


class Page:
    """A page that stands for itself: it needs no network, no server and no Python.

    html  the whole file as text (str)

    In Jupyter, VS Code and marimo it shows itself in a frame of its own, so several pages in one notebook can't
    disturb each other. `save` writes a file that any browser opens.
    """

    def __init__(self, html: str, title: str, height: int = HEIGHT):
        self.html = html
        self.title = title
        self.height = height

    def save(self, path) -> Path:
        """Write the page to a file (.html or .htm) and return its path; the file appears whole or not at all.

        Raises ValueError for another ending, and OSError (FileNotFoundError, IsADirectoryError, PermissionError ...)
        where the file can't be written.
        """
        path = checked_path(path, ("html", "htm"), "Page.save()")
        write_whole(path, self.html.encode(), "Page.save()")
        return path

    def show(self) -> None:
        """Show the page: in the notebook if this is one, else in the web browser."""
        if shown_in_notebook(self):
            return
        handle, name = tempfile.mkstemp(prefix="minigrad-", suffix=".html")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self.html)
        if not webbrowser.open(Path(name).as_uri()):
            print(f"No browser here: the page is in {name}")

    def __repr__(self):
        return f"<Page: {self.title}>"

    def _repr_mimebundle_(self, include=None, exclude=None):
        frame = (
            f'<iframe title="{html.escape(self.title)}" sandbox="allow-scripts allow-downloads" srcdoc="'
            f'{html.escape(self.html)}" style="display:block;box-sizing:border-box;width:100%;height:{self.height}px;'
            'border:1px solid #87909c66;border-radius:8px;resize:vertical"></iframe>'
        )
        return {"text/html": frame, "text/plain": repr(self)}
