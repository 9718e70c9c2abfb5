"""`autograd/sources.py`: generated functions, whose bytecode is kept on disk."""

import inspect
import linecache
import os
import subprocess
import sys
import traceback

import pytest

import minigrad
from minigrad.autograd import sources
from minigrad.kernels import cache

IMPORT = """
import builtins, sys
compiled, plain = [], compile
def counted(source, filename, *more, **options):
    compiled.append(filename)
    return plain(source, filename, *more, **options)
builtins.compile = counted
import minigrad
print(sum("minigrad door" in str(name) for name in compiled))
print(minigrad.mul(minigrad.ones(2), 3).tolist())
"""


def start(folder, code=IMPORT, **environment):
    """Lines that a new process prints; without kernels of numba, whose cache is in the same folder."""
    environ = {**os.environ, "NUMBA_CACHE_DIR": str(folder), "MINIGRAD_BACKEND": "numpy", **environment}
    environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    if "PYTHONDONTWRITEBYTECODE" not in environment:
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        environ["PYTHONPYCACHEPREFIX"] = str(folder / "pyc")  # this checkout stays as it is
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.splitlines()


def entries(folder):
    return list(folder.glob("minigrad/*.code"))


def test_only_the_first_start_compiles(tmp_path):
    count, result = start(tmp_path)
    assert int(count) > 100
    assert result == "[3.0, 3.0]"
    assert len(entries(tmp_path)) == 1
    assert start(tmp_path) == ["0", result]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-100], lambda data: b"", lambda data: data[:99] + b"?" + data[100:]]
)
def test_a_damaged_entry_is_written_anew(tmp_path, damage):
    (entry,) = entries(tmp_path) or [start(tmp_path) and entries(tmp_path)[0]]
    whole = entry.read_bytes()
    entry.write_bytes(damage(whole))
    assert int(start(tmp_path)[0]) > 100
    assert len(entry.read_bytes()) == len(whole)
    assert start(tmp_path)[0] == "0"


def test_where_python_writes_no_bytecode_neither_do_we(tmp_path):
    assert int(start(tmp_path, PYTHONDONTWRITEBYTECODE="1")[0]) > 100
    assert entries(tmp_path) == []


def test_nowhere_to_write_is_no_matter(tmp_path):
    (tmp_path / "file").write_text("")
    blocked = str(tmp_path / "file")
    found = start(tmp_path, NUMBA_CACHE_DIR=blocked, XDG_CACHE_HOME=blocked, TMPDIR=blocked)
    assert int(found[0]) > 100


def test_sources_show_wherever_the_bytecode_is_from(tmp_path):
    code = "import inspect, minigrad; print(inspect.getsource(minigrad.mul)); print(inspect.signature(minigrad.clamp))"
    first, second = start(tmp_path, code), start(tmp_path, code)
    assert (
        first == second == [*inspect.getsource(minigrad.mul).splitlines(), "", str(inspect.signature(minigrad.clamp))]
    )


def test_tracebacks_show_the_line():
    with pytest.raises(TypeError) as caught:
        minigrad.relu("no tensor")
    frames = traceback.extract_tb(caught.value.__traceback__)
    (door,) = [frame for frame in frames if frame.filename.startswith("<minigrad door ")]
    assert door.name == "relu"
    assert "general" in door.line or "not_a_tensor" in door.line


def test_equal_sources_are_one_code_and_two_functions(monkeypatch):
    monkeypatch.setattr(sources, "_used", {})
    one = sources.make("def door(x):\n    return x + y\n", {"y": 1}, "one")
    two = sources.make("def door(x):\n    return x + y\n", {"y": 2}, "two")
    assert (one(1), two(1)) == (2, 3)
    assert (one.__name__, two.__name__) == ("one", "two")
    assert one.__code__.co_filename == two.__code__.co_filename
    assert linecache.getlines(one.__code__.co_filename)[1] == "    return x + y\n"


def test_an_entry_belongs_to_one_python_and_one_place(monkeypatch):
    here = sources.entry()
    monkeypatch.setattr(sources, "__file__", "/elsewhere/minigrad/autograd/sources.py")
    elsewhere = sources.entry()
    monkeypatch.setattr(sources.importlib.util, "MAGIC_NUMBER", b"another")
    assert len({here, elsewhere, sources.entry()}) == 3


def test_old_entries_go_with_the_others(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = cache.cache_root()
    old = folder / "functions-00-11.code"
    old.write_bytes(b"")
    os.utime(old, (0, 0))
    cache._folders.__wrapped__()
    assert not old.exists()
