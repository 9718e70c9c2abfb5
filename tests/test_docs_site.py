"""The site of docs/: every public name is documented, pages are reachable and linked rightly, and what they say runs.

`make docs` builds the site, with warnings as errors; what is here needs no Sphinx.
"""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

import minigrad

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
WRITTEN = sorted([*DOCS.glob("*.md"), DOCS / "ko" / "index.md"])
PAGES = [path for path in WRITTEN if path.name not in ("contributing.md", "changelog.md")]  # those are copies
RUNNING = ["tour.md", "engine.md", "coming-from.md"]


def loaded(path):
    """A module of docs/, by its file."""
    spec = importlib.util.spec_from_file_location(f"docs_{path.stem}", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


sys.path.append(str(DOCS / "_ext"))
catalogue, docstrings = importlib.import_module("catalogue"), importlib.import_module("docstrings")
pages = loaded(DOCS / "run.py")


def read(path):
    return path.read_text(encoding="utf-8")


def program_of(path):
    """The first program of a page."""
    return re.search(r"```python\n(.*?)```", read(path), re.DOTALL)[1]


# ---- the reference


def test_every_public_name_has_a_docstring_of_its_own():
    assert catalogue.undocumented() == []


def test_the_reference_has_every_name():
    """Also those that a module offers without being a module of its own: what `dir` and `__all__` say is there."""
    paths = catalogue.every_path()
    for place in ("", "nn.", "optim.", "nn.functional.", "linalg.", "viz.", "scalar.", "train."):
        module = importlib.import_module(f"minigrad.{place}".rstrip("."))
        names = catalogue.public_names(module)
        assert len(names) > 4
        things = {name: getattr(module, name) for name in names}
        missing = [name for name in things if f"minigrad.{place}{name}" not in paths]
        assert [name for name in missing if not isinstance(things[name], type(sys))] == []
    assert len(paths) > 1700


def test_a_name_without_a_docstring_is_found(monkeypatch):
    def silent(x):
        return x

    silent.__module__ = "minigrad.func"
    monkeypatch.setattr(minigrad.func, "silent", silent, raising=False)
    monkeypatch.setattr(minigrad.func, "__all__", [*minigrad.func.__all__, "silent"])
    monkeypatch.setattr(minigrad.optim.SGD, "__doc__", "")
    for made in (catalogue.pages, catalogue.every_path):
        made.cache_clear()
    try:
        assert catalogue.undocumented() == ["minigrad.optim.SGD", "minigrad.func.silent"]
    finally:
        for made in (catalogue.pages, catalogue.every_path):
            made.cache_clear()


@pytest.mark.parametrize(
    ("text", "short", "expected"),
    [
        ("max(input) -> Tensor;  max(input, dim) -> (values, indices)\n\n    The largest.", "max",
         ([("input", "Tensor"), ("input, dim", "(values, indices)")], "The largest.")),
        ("einsum(equation,\n    *operands) -> Tensor: sums", "einsum", ([("equation, *operands", "Tensor")], "sums")),
        ("stack(*items): one after the other.", "stack", ([("*items", "")], "one after the other.")),
        ("softmax(x) of the rows is taken.", "softmax", ([], "softmax(x) of the rows is taken.")),
        ("What it does.", "what", ([], "What it does.")),
    ],
)  # fmt: skip
def test_signatures_at_the_head_of_docstrings(text, short, expected):
    given, rest = docstrings.head(text, short)
    assert (given, rest[:1].lower() + rest[1:]) == (expected[0], expected[1][:1].lower() + expected[1][1:])


def test_docstrings_become_rest():
    text = """\
What `add` does to ``x*``, and |y|.

    y = x + 1

Args:
    x, y (int | None): the *first*
        of them.

Returns:
    Tensor: the sum of n_items.

name     what it is called,
         and why
other    the rest

One sentence.  Another one
begins here.

0.

>>> 1 + 1
2"""
    lines = docstrings.to_rst(text, {"add": ":py:obj:`add`"}.get)
    assert [line for line in lines if line] == [
        r"What :py:obj:`add` does to ``x*``, and \|y\|.",
        ".. code-block:: python",
        "   y = x + 1",
        ".. rubric:: Args",
        "``x``, ``y`` *int \\| None*",
        r"   the \*first\* of them.",
        ".. rubric:: Returns",
        r"Tensor: the sum of n\_items.",
        "``name``",
        "   what it is called, and why",
        "``other``",
        "   the rest",
        "One sentence.  Another one begins here.",
        r"\0.",
        ".. code-block:: pycon",
        "   >>> 1 + 1",
        "   2",
    ]


# ---- pages


def entries(text):
    """The pages that the toctrees of a page name."""
    for tree in re.findall(r"```{toctree}\n(.*?)```", text, re.DOTALL):
        for line in tree.splitlines():
            if line and not line.startswith(":"):
                yield re.sub(r".*<(.*)>", r"\1", line)


def test_every_page_is_reached_from_the_start():
    reached = {"index", *entries(read(DOCS / "index.md"))}
    written = {path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES}
    made = {"contributing", "changelog", "course/00_index", "reference/index"}
    assert reached == written | made


@pytest.mark.parametrize("path", [*PAGES, ROOT / "README.ko.md"], ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    """In a checkout; docs/_ext/brought.py turns them for the site, and the build fails where one leads nowhere."""
    coming = re.compile(r".*/notebooks/\d\d_\w+\.ipynb")  # a chapter may be written later; those there are lead to it
    links = [link for link in re.findall(r"\]\(([^)\s]+)\)", read(path)) if "://" not in link and link[0] != "#"]
    missing = [link for link in links if not (path.parent / link.partition("#")[0]).is_file()]
    assert [link for link in missing if not coming.fullmatch(link)] == []


def test_links_of_pages_to_their_own_headings():
    for path in PAGES:
        anchors = {
            re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in re.findall("^#+ (.*)$", read(path), re.M)
        }
        assert set(re.findall(r"\]\(#([^)]+)\)", read(path))) <= anchors


@pytest.mark.parametrize("name", ["tour", "engine"])
def test_every_picture_is_shown(name):
    shown = set(re.findall(rf"\({name}/([\w.-]+)\)", read(DOCS / f"{name}.md")))
    assert shown == {path.name for path in (DOCS / name).iterdir()}


@pytest.mark.parametrize("name", RUNNING)
def test_the_programs_of_a_page_print_what_it_says(name, tmp_path):
    text = read(DOCS / name)
    results = pages.run_in(tmp_path, text)
    assert len(results) >= text.count("```python") > 5
    wrong = [(program, said, found) for program, said, found in results if not pages.same(said, found)]
    assert wrong == [], f"`python docs/run.py --write docs/{name}` writes what is printed now"


def test_the_programs_are_compared_by_their_numbers():
    assert pages.same("loss 0.123\n  [1, 2]", "loss 0.1231 [1, 2]")
    assert not pages.same("loss 0.12", "loss 0.13")
    assert not pages.same("loss 0.12", "Loss 0.12")
    assert not pages.same("1 2", "1")


def test_the_program_for_pytorchs_users_prints_the_same_in_torch():
    pytest.importorskip("torch", reason="compares with PyTorch")
    program = program_of(DOCS / "coming-from.md")
    in_torch = program.replace("import minigrad as torch", "import torch").replace("from minigrad", "from torch")
    assert program != in_torch
    assert pages.same(pages.printed(program, {}), pages.printed(in_torch, {}))


# ---- in Korean, and the start


@pytest.mark.parametrize(
    "path", [DOCS / "index.md", DOCS / "ko" / "index.md", ROOT / "README.ko.md"], ids=["start", "ko", "README.ko"]
)
def test_the_first_program_is_that_of_the_readme(path):
    """Which tests/test_docs.py runs."""
    assert program_of(path) == program_of(ROOT / "README.md")


@pytest.mark.parametrize(
    "path", [DOCS / "index.md", DOCS / "ko" / "index.md", ROOT / "README.ko.md"], ids=["start", "ko", "README.ko"]
)
def test_commands_and_lines_are_those_of_the_readme(path):
    """What stands in a block stands in README.md, and so do the commands in running text."""
    readme, text = read(ROOT / "README.md"), read(path)
    for block in re.findall(r"```(?:sh|python|py)\n(.*?)```", text, re.DOTALL):
        assert [line for line in block.splitlines() if line.strip() not in readme] == []
    makefile = read(ROOT / "Makefile")
    for target in re.findall(r"`make ([a-z-]+)`", text):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
    for name in re.findall(r"`((?:minigrad|viz|nn|optim)\.[\w.]+)", text):
        place, _, short = f"minigrad.{name.removeprefix('minigrad.')}".rpartition(".")
        if name.endswith(".py") or importlib.util.find_spec(f"{place}.{short}"):
            continue
        assert hasattr(importlib.import_module(place), short), name


def test_the_readme_in_korean_has_the_parts_of_the_readme():
    english, korean = read(ROOT / "README.md"), read(ROOT / "README.ko.md")
    parts = [len(re.findall(r"^## ", text, re.MULTILINE)) for text in (english, korean)]
    assert parts[0] == parts[1] + 1  # the map and the reading path are one there
    for block in re.findall(r"```(?:sh|python|py)\n.*?```", english, re.DOTALL):
        assert block in korean
    # a figure that is measured anew is to be written in both
    for number in ("328", "340", "33,896", "7,448", "7,080", "15,477", "0.67", "1,797"):
        assert (number in english) == (number in korean), number
