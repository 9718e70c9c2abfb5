"""The course: what every notebook and every program has, and how an exercise corrects itself."""

import ast
import asyncio
import concurrent.futures
import contextlib
import fcntl
import json
import os
import pathlib
import pty
import queue
import re
import subprocess
import sys
import termios

import numpy as np
import pytest

import minigrad
from minigrad.course import check, options, result
from notebooks.build import looking_again

ROOT = pathlib.Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
CHAPTERS = NOTEBOOKS[1:]  # the first is the index
PROGRAMS = sorted(path for path in (ROOT / "notebooks" / "scripts").glob("*.py"))
HANGUL = re.compile("[가-힣]")


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def source(cell):
    return "".join(cell["source"])


def tagged(book, tag):
    return [k for k, cell in enumerate(book["cells"]) if tag in cell["metadata"].get("tags", ())]


def test_the_numbers_leave_no_gap():
    assert [path.name[:2] for path in NOTEBOOKS] == [f"{number:02}" for number in range(21)]


def test_the_rows_of_the_notes_are_each_taught_once():
    rows = [read(path)["metadata"]["minigrad"].get("row") for path in CHAPTERS]
    assert sorted(row for row in rows if row) == list(range(1, 19))


def links(text):
    """What a markdown text links to; code such as `f[:3](x)` only looks like it."""
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.DOTALL)
    return set(re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", prose))


def test_links_are_not_code():
    assert links("[a `b[0](c)`](x.py) `f[:3](x)` [d](y.ipynb#z)\n```python\ng[1](h)\n```\n") == {"x.py", "y.ipynb"}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_chapter(path):
    book = read(path)
    cells = book["cells"]
    opening = source(cells[0])
    number = int(path.name[:2])
    assert re.match(rf"# {number}\. [^\n]+ · [^\n]*[가-힣]", opening), "a title in both languages"
    assert "| English | 한국어 |" in opening
    assert "| term | 용어 |" in opening
    texts = [source(cell) for cell in cells if cell["cell_type"] == "markdown"]
    assert sum(bool(HANGUL.search(text)) for text in texts) >= 0.8 * len(texts), "Korean beside English"
    exercises = tagged(book, "exercise")
    assert len(exercises) == 3
    assert tagged(book, "solution") == [k + 1 for k in exercises]
    for k in exercises:
        assert "..." in source(cells[k])
        assert re.search(r"^check\(", source(cells[k]), re.MULTILINE)
        assert re.search(r"<details>.*```python\n.*```.*</details>", source(cells[k + 1]), re.DOTALL)
    linked = set().union(*map(links, texts))
    for link in linked:
        if not link.startswith(("http", "attachment")):
            assert (path.parent / link).exists(), link
    if number < len(CHAPTERS):
        assert CHAPTERS[number].name in linked, "the way on"
    script = book["metadata"]["minigrad"].get("script")
    assert script is None or f"scripts/{script}.py" in linked


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_committed_as_it_ran(path):
    book = read(path)
    assert path.stat().st_size < 900_000
    ran = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in ran] == list(range(1, len(ran) + 1)), "run whole, from the top"
    for cell in ran:
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr"
    assert set(book["metadata"]) == {"kernelspec", "language_info", "minigrad"}


def test_scripts_belong_to_notebooks():
    named = {read(path)["metadata"]["minigrad"].get("script") for path in CHAPTERS} - {None}
    assert named == {path.stem for path in PROGRAMS}


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_program(path):
    """It says what it does, and a run in short form ends with its result."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    environment = dict(os.environ, PYTHONPATH=str(ROOT), PYTHONWARNINGS="error", MPLBACKEND="agg")
    helped = subprocess.run([sys.executable, path, "--help"], capture_output=True, text=True, env=environment)
    assert "--seed" in helped.stdout, helped.stderr
    ran = subprocess.run([sys.executable, path, "--short"], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines()[-1].startswith("result: "), ran.stdout


def test_an_answer_of_the_kernel_is_looked_for_again():
    """A waiting that is not woken (`client_of` in build.py says when) lasts as long as the pause, not for ever."""
    waits = []

    async def get_message(timeout):
        waits.append(timeout)
        if len(waits) < 3:
            raise queue.Empty
        return "reply"

    get = looking_again(get_message, pause=0.01)
    with concurrent.futures.ThreadPoolExecutor(1) as thread:  # in this one a browser of other tests may have its loop
        assert thread.submit(lambda: asyncio.run(get(timeout=60))).result() == "reply"
        assert waits == [0.01] * 3
        waits.clear()
        with pytest.raises(queue.Empty):
            thread.submit(lambda: asyncio.run(get(timeout=0))).result()


@pytest.mark.parametrize(
    ("answer", "expected", "mark"),
    [
        (np.bool_(True), True, "✓"),
        (minigrad.tensor(True), True, "✓"),
        (np.True_, False, "✗"),

        (3, 3, "✓"), (3.0, 3, "✓"), (3.1, 3, "✗"), (..., 3, "○"), (None, 3, "○"), ((..., 1), (1, 1), "○"),
        ([1, 2.00001], [1, 2], "✓"), ([1, 2, 3], [1, 2], "✗"),
        ([np.ones(2), 3], [[1, 1], 3], "✓"), (([1, 1], 2), [[1, 1], 3], "✗"), ([[1], [2, 3]], [[1], [2, 3]], "✓"),
        ("relu", "relu", "✓"), (True, True, "✓"),
        (1, True, "✗"), (["a", 1.0], ["a", 1], "✓"), (["a"], ["a", 1], "✗"),
        (minigrad.tensor([1.0, 2.0], requires_grad=True), [1, 2], "✓"), (lambda: 2 + 1, 3, "✓"),
        (lambda: 1 / 0, 3, "✗"), (lambda: None, 3, "○"), (4, lambda n: n % 2 == 0, "✓"), (5, lambda n: n % 2 == 0, "✗"),
        ([[0, 2], [1]], [[0, 2], [1]], "✓"), ([[0, 2], [1]], [[0], [2, 1]], "✗"), ([[1, 2]], [[1, 2], [3]], "✗"),
        ([(1, 2), (3.0, 4)], ((1, 2), [3, 4]), "✓"), ([[1, 2], 3], [[1, 2], 3], "✓"),
        ("three", 3, "✗"), (float("nan"), 3, "✗"),
    ],
)  # fmt: skip
def test_check(answer, expected, mark, capsys):
    check(answer, expected, "think")
    said = capsys.readouterr().out
    assert said[0] == mark
    assert ("think" in said) == (mark == "✗")


@pytest.mark.parametrize(
    ("answer", "expected", "said"),
    [
        (
            [1, 2, 3],
            [1, 2],
            "not right · 다릅니다: [1, 2, 3]\n  its shape is (3,), not (2,) · 모양이 (2,)이어야 하는데",
        ),
        ([np.float64(0.5), 2], [1, 2], "not right · 다릅니다: [0.5, 2]\n  hint"),
        (0, [[1], [2, 3]], "not right · 다릅니다: 0\n  a list or tuple of 2 is expected · 값 2개의"),
        (0, lambda made: made.shape == (2,), "not right · 다릅니다: 0\n  AttributeError: 'int' object has no"),
        (lambda: [][1], 3, "it raised IndexError · 오류가 났습니다: list index out of range"),
        ("three", 3, "not right · 다릅니다: 'three'\n  ValueError: could not convert"),
    ],
)
def test_check_says_what_is_wrong(answer, expected, said, capsys):
    check(answer, expected, "think")
    assert f"✗ {said}" in capsys.readouterr().out


def test_check_is_strict_where_solutions_are_tested(monkeypatch, capsys):
    monkeypatch.setenv("MINIGRAD_COURSE_STRICT", "1")
    check(1, 1)
    for answer in (2, ...):
        with pytest.raises(AssertionError):
            check(answer, 1)
    with pytest.raises(TypeError, match="hint"):
        check(1, 1, 1)


def test_options_and_result(capsys):
    chosen = options("What it does.", ["--hidden-size", "7"], hidden_size=(32, 4, "width"), epochs=(20, 2, "100 %"))
    assert (chosen.hidden_size, chosen.epochs, chosen.seed) == (7, 20, 0)
    first = minigrad.rand(1)
    short = options("What it does.", ["--short"], epochs=(20, 2, "passes"), data=(("digits", "mnist"), "digits", "set"))
    assert (short.epochs, short.data) == (2, "digits")
    assert minigrad.rand(1) == first
    result("done")
    assert capsys.readouterr().out == "result: done\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--seeds", "0"], "argument --seeds: expected a whole number from 1 to 4294967295, but got '0'"),
        (["--seeds", "two"], "argument --seeds: expected a whole number from 1"),
        (["--seed", "-1"], "argument --seed: expected a whole number from 0 to 4294967295, but got '-1'"),
        (["--rate", "fast"], "argument --rate: invalid float value: 'fast'"),
        (["--data", "cats"], "argument --data: invalid choice: 'cats'"),
        (["--quick"], "unrecognized arguments: --quick"),
    ],
)
def test_a_wrong_option_is_named(given, said, capsys):
    with pytest.raises(SystemExit) as end:
        options("What it does.", given, seeds=(5, 1, "how many"), rate=(0.1, 0.1, "step"), data=(("a", "b"), "a", "of"))
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def on_a_terminal(code, then=b""):
    """Runs code whose error stream is a terminal, and types `then` when a bar is there: (exit code, output, errors)."""
    ours, theirs = pty.openpty()
    environment = dict(os.environ, PYTHONPATH=str(ROOT), TERM="xterm")
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env=environment,
        preexec_fn=lambda: (os.setsid(), fcntl.ioctl(0, termios.TIOCSCTTY, 0)),  # it is its own terminal's program
    ) as ran:  # fmt: skip
        os.close(theirs)
        errors = b""
        with contextlib.suppress(OSError):  # at the end the terminal is gone
            while piece := os.read(ours, 4096):
                errors += piece
                if then and "━".encode() in errors:
                    os.write(ours, then)
                    then = b""
        os.close(ours)
        output = ran.stdout.read().decode()
    return ran.returncode, output, errors.decode()


PROGRAM = """
import time
from minigrad.course import options, progress, result
chosen = options("What it does.", steps=(3, 3, "how many"))
for k in progress(range(chosen.steps), "on the way"):
    print("step", k)
    time.sleep({})
result("done")
"""


def test_a_bar_leaves_the_output_alone():
    code, output, errors = on_a_terminal(PROGRAM.format(0))
    assert (code, output) == (0, "step 0\nstep 1\nstep 2\nresult: done\n")
    assert "on the way" in errors
    assert "━" in errors


def test_ctrl_c_ends_a_program_without_a_traceback():
    code, output, errors = on_a_terminal(PROGRAM.format(60), b"\x03")
    assert code == -2  # as a shell expects it of a program that was interrupted
    assert "result" not in output
    assert errors.rstrip().endswith("stopped · 멈췄습니다")
    assert "Traceback" not in errors
