"""Runs the programs of a page, as a reader would: `python docs/run.py docs/tour.md` says what prints something else.

The ```python blocks run in turn, in one namespace; a ```text block below one is what it prints, an ```error block what
it prints and then raises. Of tables whose second column is called "here", the code that begins a cell runs, too.
Pictures that the page shows are put beside it. `--write` writes what was printed into the page.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import re
import shutil
import sys
import tempfile
import textwrap
from pathlib import Path

PROGRAM = r"```python\n(?P<program>.*?)```(?:(?P<gap>\s*)```(?P<kind>text|error)\n(?P<said>.*?)```)?"
TABLE = r"^\| [^|\n]+ \| here \|\n\|---\|---\|\n(?P<rows>(?:\|[^\n]*\|\n)+)"
PIECE = re.compile(f"{PROGRAM}|{TABLE}", re.DOTALL | re.MULTILINE)
CELL = re.compile(r"^\| .* \| `([^`]+)`.*\|$", re.MULTILINE)
PICTURE = re.compile(r"!\[[^\]]*\]\(([^)]+)\)")
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
WIDTH = 100


def run(text):
    """[(program, what the page says it prints, what it printed)] of all programs of a page."""
    names: dict = {"__name__": "page"}
    done = []
    for match in PIECE.finditer(text):
        if match["rows"]:
            for line in CELL.findall(match["rows"]):
                printed(line, names)
        else:
            found = printed(match["program"], names, fails=match["kind"] == "error")
            done.append((match["program"], match["said"] or "", found))
    return done


def printed(program, names, fails=False):
    """What a program prints, and, if it is meant to fail, its error."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            exec(compile(program, "page", "exec"), names)
        except Exception as error:
            if not fails:
                raise RuntimeError(f"this fails:\n{program}") from error
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


def written(text, results):
    """The page with what its programs printed."""
    left = iter(results)

    def filled(match):
        if match["rows"]:
            return match[0]
        _, said, found = next(left)
        if match["kind"] is None or same(said, found):
            return match[0]
        lines = [textwrap.fill(line, WIDTH, subsequent_indent="  ") for line in found.rstrip().splitlines()]
        below = "\n".join([f"```{match['kind']}", *lines, "```"])
        return f"```python\n{match['program']}```{match['gap']}{below}"

    return PIECE.sub(filled, text)


def run_in(folder, text):
    """`run`, in a folder that has room for the pictures."""
    for picture in PICTURE.findall(text):
        (Path(folder) / picture).parent.mkdir(parents=True, exist_ok=True)
    before = os.getcwd()
    os.chdir(folder)
    try:
        return run(text)
    finally:
        os.chdir(before)


if __name__ == "__main__":
    for page in [Path(name).resolve() for name in sys.argv[1:] if name != "--write"]:
        text = page.read_text(encoding="utf-8")
        with tempfile.TemporaryDirectory() as folder:
            results = run_in(folder, text)
            for picture in PICTURE.findall(text):
                made = Path(folder) / picture
                if made.is_file():
                    shutil.copyfile(made, page.parent / picture)
        if "--write" in sys.argv:
            page.write_text(written(text, results), encoding="utf-8")
            continue
        for program, said, found in results:
            if not same(said, found):
                print(f"--- {page.name}\n{program}\n--- says\n{said}\n--- prints\n{found}")
