"""What README and CONTRIBUTING say is so: the program runs, the paths exist, the counts hold."""

import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
PROGRAM = re.search(r"```python\n(.*?)```", README, re.DOTALL)[1]


def printed_by(program, folder, monkeypatch, capsys):
    """The losses that a program printed, run in `folder`."""
    monkeypatch.chdir(folder)
    (folder / "program.py").write_text(program, encoding="utf-8")
    runpy.run_path("program.py")
    return [float(line.split()[1]) for line in capsys.readouterr().out.splitlines()]


def test_the_program_of_the_readme(tmp_path, monkeypatch, capsys):
    losses = printed_by(PROGRAM, tmp_path, monkeypatch, capsys)
    assert len(losses) == 5
    assert losses[-1] < 0.3 < losses[0]
    assert (tmp_path / "graph.svg").stat().st_size > 1000
    assert 15 <= len([line for line in PROGRAM.splitlines() if line.strip()]) <= 20


def test_the_program_of_the_readme_prints_the_same_in_torch(tmp_path, monkeypatch, capsys):
    pytest.importorskip("torch", reason="compares with PyTorch")
    in_torch = PROGRAM[: PROGRAM.index("viz.draw")].replace("minigrad", "torch").replace(", viz", "")
    in_torch = in_torch.replace("from torch.datasets", "from minigrad.datasets").replace(
        "= load_digits()", "= (torch.from_numpy(part.numpy()) for part in load_digits())"
    )
    expected = printed_by(in_torch, tmp_path, monkeypatch, capsys)
    assert printed_by(PROGRAM, tmp_path, monkeypatch, capsys) == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_links_lead_somewhere(text):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link]
    assert [link for link in links if not (ROOT / link).is_file()] == []


def test_the_map_is_the_territory():
    block = re.search(r"## The map\n\n```\n(.*?)```", README, re.DOTALL)[1]
    missing, above = [], ""
    for line in block.splitlines():
        for name in re.split(r",\s+", re.split(r"\s{2,}", line.strip())[0]):
            folder = above if line.startswith(" ") else ""
            if not (ROOT / folder / name).exists():
                missing.append(folder + name)
        above = above if line.startswith(" ") else line.split()[0]
    assert missing == []


def test_the_reading_path_is_as_long_as_it_says():
    rows = re.findall(r"^\| \d \| `([^`]+)` \| (\d+) \|", README, re.MULTILINE)
    assert len(rows) >= 5
    counts = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name, _ in rows}
    said = {name: int(count) for name, count in rows}
    assert said == pytest.approx(counts, rel=0.1), f"README.md, the reading path: it is now {counts}"
    assert sum(counts.values()) <= 1500


@pytest.mark.parametrize("text", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_every_make_target_named_exists(text):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert "test" in named
    assert named <= targets


def test_the_page_of_the_two_engines_is_the_derived_one():
    made = runpy.run_path(str(ROOT / "docs" / "scalar.py"))["page"]()
    assert (ROOT / "docs" / "scalar.md").read_text(encoding="utf-8") == made, "run `python docs/scalar.py`"
    program = made.rsplit("```python\n", 1)[1].split("```")[0]
    names: dict = {}
    exec(program, names)  # the lines a reader would try
    assert names["loss"].max() < 0.05


def test_the_gallery_shows_what_is_there():
    """Each picture and page that docs/gallery.md names exists, and none is left over."""
    text = (ROOT / "docs" / "gallery.md").read_text(encoding="utf-8")
    named = set(re.findall(r"gallery/([\w.-]+)", text))
    assert named == {path.name for path in (ROOT / "docs" / "gallery").iterdir()}
    pieces = runpy.run_path(str(ROOT / "docs" / "gallery.py"))["PIECES"]
    assert text.count("```python") == len(pieces)


def test_the_lines_of_the_gallery_run():
    """All of them, in turn, as docs/gallery.py does; what they show is not written."""
    gallery = runpy.run_path(str(ROOT / "docs" / "gallery.py"))
    names: dict = {}
    for _, _, lines, *_ in gallery["PIECES"]:
        assert gallery["run"](gallery["textwrap"].dedent(lines).strip(), names) is not None
