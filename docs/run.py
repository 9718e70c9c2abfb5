"""Runs the programs of a page, as a reader would: `python docs/run.py docs/tour.md` says what prints something else.

The ```python blocks run in turn, in one namespace; a ```text block below one is what it prints, an ```error block what
it prints and then raises. Pictures that programs save go beside the page. `--write` writes what was printed into it.
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

# A program, and what it prints, if that stands below it.
PROGRAM = re.compile(
    r"```python\n(?P<program>.*?)```(?:(?P<gap>\s*)```(?P<kind>text|error)\n(?P<said>.*?)```)?", re.DOTALL
)
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
WIDTH = 110


def run(text):
    """[(program, what the page says it prints, what it printed)] of all programs of a page."""
    names: dict = {"__name__": "page"}
    return [
        (match["program"], match["said"] or "", printed(match["program"], names, fails=match["kind"] == "error"))
        for match in PROGRAM.finditer(text)
    ]


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

    def filled(match):
        _, said, found = next(results)
        if match["kind"] is None or same(said, found):
            return match[0]
        lines = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in found.rstrip().splitlines()]
        below = "\n".join([f"```{match['kind']}", *lines, "```"])
        return f"```python\n{match['program']}```{match['gap']}{below}"

    return PROGRAM.sub(filled, text)


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
