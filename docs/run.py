"""Runs the programs of a page, as a reader would: `python docs/run.py docs/tour.md` says what prints something else.

The ```python blocks run in turn, in one namespace; a ```text block after one is what it prints, a ```error block what it
prints and then raises. Pictures that programs save go beside the page. `--write` writes what was printed into the page.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import sys
import textwrap
from pathlib import Path

BLOCK = re.compile(r"```(?P<kind>python|text|error)\n(?P<body>.*?)```", re.DOTALL)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
WIDTH = 110


def run(text):
    """[(program, what the page says it prints, what it printed)] of all programs of a page."""
    names, done = {"__name__": "page"}, []
    blocks = [(match["kind"], match["body"]) for match in BLOCK.finditer(text)]
    for (kind, program), (after, said) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if kind == "python":
            said = said if after in ("text", "error") else ""
            done.append((program, said, printed(program, names, fails=after == "error")))
    return done


def printed(program, names, fails):
    """What a program prints, and, if it is meant to fail, its error."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(program, "page", "exec"), names)
        except Exception as error:
            if not fails:
                raise
            print(f"{type(error).__name__}: {error}")
        else:
            assert not fails, f"the page says that this fails:\n{program}"
    return out.getvalue()


def same(said, printed):
    """Whether two texts agree, but for white space and the last digits of numbers, which differ between processors."""
    if NUMBER.sub("0", said).split() != NUMBER.sub("0", printed).split():
        return False
    pairs = zip(NUMBER.findall(said), NUMBER.findall(printed), strict=True)
    return all(math.isclose(float(a), float(b), rel_tol=0.02, abs_tol=1e-3) for a, b in pairs)


def written(text):
    """The page with what its programs print."""
    results = iter(run(text))
    made, last = [], None
    for piece in re.split(r"(```(?:python|text|error)\n.*?```)", text, flags=re.DOTALL):
        match = BLOCK.fullmatch(piece)
        if match and match["kind"] == "python":
            last = next(results)
        elif match and last:
            lines = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in last[2].rstrip().splitlines()]
            if not same(match["body"], last[2]):
                piece = "\n".join([f"```{match['kind']}", *lines, "```"])
            last = None
        made.append(piece)
    return "".join(made)


if __name__ == "__main__":
    for page in [Path(name).resolve() for name in sys.argv[1:] if name != "--write"]:
        os.chdir(page.parent)
        text = page.read_text(encoding="utf-8")
        if "--write" in sys.argv:
            page.write_text(written(text), encoding="utf-8")
            continue
        for program, said, found in run(text):
            if not same(said, found):
                print(f"--- {page.name}\n{program}\n--- says\n{said}\n--- prints\n{found}")
