"""Runs the programs of a page, as a reader would: `python docs/run.py docs/tour.md`.

The ```python blocks run in turn, in one namespace; a ```text block after one is what it has to print. Pictures that the
programs save go beside the page, into the files which the page shows.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import sys
from pathlib import Path

BLOCK = re.compile(r"```(?P<kind>python|text|error)\n(?P<body>.*?)```", re.DOTALL)


def programs(text):
    """[(program, what it prints or None, whether it ends with an error)] of a page."""
    blocks = [(match["kind"], match["body"]) for match in BLOCK.finditer(text)]
    for (kind, body), (after, said) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            yield body, said if after in ("text", "error") else None, after == "error"


def run(text):
    """[(program, what the page says it prints, what it printed)] of the programs that print something else than that."""
    names, wrong = {"__name__": "page"}, []
    for program, said, fails in programs(text):
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            try:
                exec(compile(program, "page", "exec"), names)
            except Exception as error:
                if not fails:
                    raise
                print(f"{type(error).__name__}: {error}")
        printed = out.getvalue()
        if (printed if said is None else " ".join(printed.split())) != ("" if said is None else " ".join(said.split())):
            wrong.append((program, said, printed))
    return wrong


if __name__ == "__main__":
    pages = [Path(page).resolve() for page in sys.argv[1:]]
    for page in pages:
        os.chdir(page.parent)
        for program, said, printed in run(page.read_text(encoding="utf-8")):
            print(f"--- {page.name}\n{program}\n--- says\n{said}\n--- prints\n{printed}")
