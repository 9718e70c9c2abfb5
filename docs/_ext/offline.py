"""Sphinx: the build fails if a page would load anything from elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.errors import ExtensionError

LOADS = re.compile(r"<(?:script|link|img|iframe|source|video|audio)\b[^>]*\b(?:src|href)=[\"'](?:https?:)?//[^\"']+")


def setup(app):
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check(app, failure):
    if failure is None and app.builder.format == "html":
        pages = {path: LOADS.findall(path.read_text(encoding="utf-8")) for path in Path(app.outdir).rglob("*.html")}
        asking = {path.relative_to(app.outdir).as_posix(): found[:3] for path, found in pages.items() if found}
        if asking:
            raise ExtensionError(f"pages that load something from elsewhere: {asking}")
