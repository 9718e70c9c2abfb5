"""cache: compiled code is taken from disk while nothing it is made of has changed, and only then."""

import importlib
import math
import os
import subprocess
import sys
import time

import numpy as np
import pytest

import minigrad.kernels
from minigrad.kernels import cache
from minigrad.kernels.formula import typed

USER = """
from minigrad.kernels.dispatch import jit
from helper import shift, SCALE

@jit
def use(x):
    return shift(x) * SCALE
"""
HELPER = """
from minigrad.kernels.dispatch import jit
SCALE = 10

@jit
def shift(x):
    return x + 1
"""


class Program:
    """Two modules on disk, `user` and `helper`, and a cache of their own."""

    def __init__(self, folder):
        self.folder, self.helper = folder, folder / "helper.py"
        (folder / "user.py").write_text(USER)
        self.helper.write_text(HELPER)

    def load(self):
        """The function `use` of modules read anew from disk, as a new process would."""
        for name in ("user", "helper"):
            sys.modules.pop(name, None)
        importlib.invalidate_caches()
        return importlib.import_module("user").use

    def __call__(self, argument=3):
        """The result of `use(argument)`, and how often its code was taken from disk."""
        use = self.load()
        return use(argument), sum(use.dispatcher.stats.cache_hits.values())

    def entries(self):
        return list((self.folder / "cache" / "minigrad").iterdir())


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_folder", cache._folder.__wrapped__)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)  # a second version within the same second must be read
    monkeypatch.syspath_prepend(tmp_path)
    yield Program(tmp_path)
    for name in ("user", "helper"):
        sys.modules.pop(name, None)


def test_code_is_taken_from_disk_until_anything_it_is_made_of_changes(program):
    assert program() == (40, 0)
    assert program() == (40, 1)
    program.helper.write_text("# moved, and nothing else\n\n" + HELPER)
    assert program() == (40, 1)
    program.helper.write_text(HELPER.replace("x + 1", "x + 2"))  # another file than the kernel's
    assert program() == (50, 0)
    program.helper.write_text(HELPER.replace("= 10", "= 100"))  # a constant of another file
    assert program() == (400, 0)
    program.helper.write_text(HELPER)
    assert program() == (40, 1)


def test_damaged_entries_are_compiled_again(program):
    program()
    assert len(program.entries()) == 2  # the kernel and its helper
    for entry in program.entries():
        entry.write_bytes(entry.read_bytes()[:100])
    assert program() == (40, 0)
    assert program() == (40, 1)


def test_a_cache_that_cannot_be_written_costs_only_time(program, monkeypatch):
    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(cache.os, "replace", full)
    assert program() == (40, 0)
    assert program.entries() == []  # no half-written file stays


def test_processes_that_write_at_once_do_not_mix_up_signatures(program):
    arguments = [3, 3.5, 3]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(program.folder), *sys.path])}
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", f"from user import use; print(float(use({argument})))"],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for argument in arguments
    ]
    assert [process.communicate()[0] for process in processes] == ["40.0\n", "45.0\n", "40.0\n"]
    assert [program(argument) for argument in arguments] == [(40, 1), (45, 1), (40, 1)]
    assert {entry.suffix for entry in program.entries()} == {".nbc"}


class Codegen:
    def __init__(self, processor):
        self.processor = processor

    def magic_tuple(self):
        return (self.processor,)


def test_an_entry_belongs_to_versions_options_signature_and_processor(monkeypatch):
    def function(x):
        return x

    def path(options=(), signature="int64", processor="one"):
        return cache.DiskCache(function, options).path(signature, Codegen(processor))

    first = path()
    assert path() == first
    assert len({first, path(("contract",)), path(signature="float64"), path(processor="another")}) == 4
    monkeypatch.setattr(cache, "_versions", lambda: "another numba")
    assert path() != first


def test_fingerprints():
    table = np.arange(3.0)

    def original(x):
        return helper(x) + table[0] if x in {"a", "b"} else np.floor(x)  # noqa: F821

    def bound(**names):
        return type(original)(original.__code__, {**globals(), **names}, "original", None, original.__closure__)

    first = cache.fingerprint(bound(helper=lambda x: x))
    assert cache.fingerprint(bound(helper=lambda x: x)) == first
    assert cache.fingerprint(bound(helper=lambda x: -x)) != first
    table[0] = 9
    assert cache.fingerprint(bound(helper=lambda x: x)) != first
    assert cache.fingerprint(lambda x: x + 1) != cache.fingerprint(lambda x: x + 1.0)
    assert cache.fingerprint(lambda x: x + 0.0) != cache.fingerprint(lambda x: x + -0.0)
    assert cache.fingerprint(lambda x: np.sin(x)) != cache.fingerprint(lambda x: np.cos(x))


def test_fingerprints_follow_modules_imported_inside(tmp_path, monkeypatch):
    def function(x):
        from minigrad.kernels import emitted

        return emitted.code(x)

    module = tmp_path / "emitted.py"
    monkeypatch.setattr(minigrad.kernels, "__path__", [*minigrad.kernels.__path__, str(tmp_path)])
    prints = []
    for text in ("a = 1", "a = 2", "a = 1"):
        module.write_text(text)
        cache._source_digest.cache_clear()
        prints.append(cache.fingerprint(function))
    assert prints[0] == prints[2] != prints[1]


def test_values_made_on_the_way_do_not_confuse_fingerprints():
    """The constants of a formula's `math` are made at each look; a freed one must not lend its place to the next."""
    first = typed(lambda x: math.pi * x + math.e * x + math.tau * x, np.float32)
    again = typed(lambda x: math.pi * x + math.e * x + math.tau * x, np.float32)
    other = typed(lambda x: math.pi * x + math.e * x + math.inf * x, np.float32)
    prints = [cache.fingerprint(formula.dispatcher.py_func) for formula in (first, again, other)]
    assert prints[0] == prints[1] != prints[2]


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert cache.cache_root() == tmp_path / "numba" / "minigrad"
    monkeypatch.delenv("NUMBA_CACHE_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.cache_root() == tmp_path / "xdg" / "minigrad"
    assert cache.cache_root().is_dir()


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path / "tmp"))
    assert cache.cache_root().parent == tmp_path / "tmp"


def test_a_folder_of_another_user_is_not_read(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "theirs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "theirs too"))
    monkeypatch.setattr(cache.tempfile, "tempdir", str(tmp_path))
    someone_else = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: someone_else)
    root = cache.cache_root()
    assert root.parent == tmp_path
    assert root.name.startswith("minigrad-")
    assert root.name != f"minigrad-{someone_else}"


def test_entries_unused_for_a_month_are_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = cache.cache_root()
    old, recent, foreign = folder / "old.nbc", folder / "recent.nbc", folder / "other.txt"
    for path in (old, recent, foreign):
        path.write_text("")
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    assert cache._folder.__wrapped__() == folder
    assert sorted(folder.iterdir()) == [foreign, recent]
