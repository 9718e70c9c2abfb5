"""Sphinx: the build fails if a page would load anything from elsewhere, or leads to a file that is not there."""

from __future__ import annotations

import re
from pathlib import Path

from sphinx.errors import ExtensionError

LOADS = re.compile(r"<(?:script|link|img|iframe|source|video|audio)\b[^>]*\b(?:src|href)=[\"']((?:https?:)?//[^\"']+)")
LEADS = re.compile(r"<(?:a|img|script|link)\b[^>]*\b(?:href|src)=\"([^\"#?]+)")


def setup(app):
    app.connect("build-finished", check, priority=900)  # after those who still write files
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def check(app, failure):
    if failure is not None or app.builder.format != "html":
        return
    wrong = []
    for path in sorted(Path(app.outdir).rglob("*.html")):
        text = path.read_text(encoding="utf-8")
        wrong += [f"{path}: loads {address} from elsewhere" for address in set(LOADS.findall(text))]
        for address in set(LEADS.findall(text)):
            if not re.match(r"[a-z]+:|//", address) and not (path.parent / address).exists():
                wrong.append(f"{path}: leads to {address}, which is not there")
    if wrong:
        raise ExtensionError("\n".join(wrong))
