"""cache: compiled code is taken from disk while nothing it is made of has changed, and only then."""

import contextlib
import errno
import gc
import importlib
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
import types

import numpy as np
import pytest

import minigrad.kernels
from minigrad.kernels import cache, dispatch, notice
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
        return list((self.folder / "cache" / "minigrad").glob("*.nbc*"))


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(cache, "_folders", cache._find_folders)
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


@pytest.fixture
def _heard(monkeypatch):
    """Lines on stderr are said as in a new process."""
    monkeypatch.delenv("MINIGRAD_QUIET")
    monkeypatch.setattr(notice, "_said", set())


def flipped(data):
    """One bit of the machine code is another: unpickled it would run."""
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", [lambda data: data[:100], lambda data: b"", lambda data: data + b"x", flipped])
def test_damaged_entries_are_compiled_again(program, damage):
    program()
    assert len(program.entries()) == 2  # the kernel and its helper
    for entry in program.entries():
        entry.write_bytes(damage(entry.read_bytes()))
    assert program() == (40, 0)
    assert program() == (40, 1)


@pytest.mark.usefixtures("_heard")
def test_a_full_disk_costs_only_time_and_a_line(program, monkeypatch, capsys):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(cache.os, "replace", full)
    assert program() == (40, 0)
    assert program() == (40, 0)
    assert program.entries() == []  # no half-written file stays
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "cannot be kept" in line]
    assert line.startswith(
        f"minigrad: compiled kernels cannot be kept ({program.folder / 'cache' / 'minigrad'}: No space"
    )


def test_a_folder_that_vanishes_is_made_again(program):
    program()
    shutil.rmtree(program.folder / "cache")
    assert program() == (40, 0)
    assert program() == (40, 1)


@pytest.mark.usefixtures("_heard")
def test_a_folder_prepared_ahead_may_be_read_only(program, monkeypatch, capsys):
    """What is in it is used; what is not goes to the next folder, and a line says so."""
    program()
    folder = program.folder / "cache" / "minigrad"
    monkeypatch.setattr(cache.os, "access", lambda path, mode: path != str(folder))  # modes do not stop the superuser
    monkeypatch.setenv("XDG_CACHE_HOME", str(program.folder / "other"))
    assert program() == (40, 1)
    assert capsys.readouterr().err == ""
    before = len(program.entries())
    assert program(3.5) == (45, 0)
    other = program.folder / "other" / "minigrad"
    assert f"minigrad: {folder} cannot be written; compiled kernels are kept in {other}.\n" in capsys.readouterr().err
    assert program(3.5) == (45, 1)
    assert len(program.entries()) == before


def test_processes_that_write_at_once_do_not_mix_up_signatures(program):
    arguments = [3, 3.5, 3, 4.5]
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
    assert [process.communicate()[0] for process in processes] == ["40.0\n", "45.0\n", "40.0\n", "55.0\n"]
    assert [program(argument) for argument in arguments] == [(40, 1), (45, 1), (40, 1), (55, 1)]
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
        return cache.DiskCache(function, options).name(signature, Codegen(processor))

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


def nowhere(monkeypatch, tmp_path):
    """No folder but the system's temporary one can be made; that one is returned."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "file"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_a_folder_that_cannot_be_made_is_replaced_by_a_temporary_one(monkeypatch, tmp_path):
    temporary = nowhere(monkeypatch, tmp_path)
    assert cache.cache_root().parent == temporary
    assert cache.cache_root() == cache.cache_root()  # found again by the next process


def test_without_a_home(monkeypatch, tmp_path):
    for name in ("NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "relative")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert cache.cache_root().parent == tmp_path


def test_where_nothing_can_be_written(monkeypatch, tmp_path):
    """A container whose file system is read-only has no folder for temporary files either."""
    nowhere(monkeypatch, tmp_path)

    def none():
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    assert cache.cache_root() is None
    assert cache._find_folders() == ([], None)


def test_a_folder_of_another_user_is_not_read(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "theirs"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "theirs too"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    for folder in (tmp_path / "theirs", tmp_path / "theirs too", tmp_path / f"minigrad-{os.getuid()}"):
        folder.mkdir()
    someone = types.SimpleNamespace(st_uid=os.getuid() + 1, st_mode=0o40700)
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", lambda path, **options: someone)
        found = cache._find_folders()
    assert found == ([], None)


@pytest.mark.usefixtures("_heard")
def test_with_no_folder_at_all_nothing_is_kept(program, monkeypatch, capsys):
    monkeypatch.setattr(cache, "_folders", lambda: ([], None))
    assert program() == (40, 0)
    assert program() == (40, 0)
    assert "minigrad: compiled kernels cannot be kept (no folder for it can be written)" in capsys.readouterr().err


def test_entries_unused_for_a_month_are_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = cache.cache_root()
    old, recent, foreign = folder / "old.nbc", folder / "recent.nbc", folder / "other.txt"
    for path in (old, recent, foreign):
        path.write_text("")
    long_ago = time.time() - 40 * 24 * 3600
    os.utime(old, (long_ago, long_ago))
    os.utime(foreign, (long_ago, long_ago))
    mark = folder / "cleaned"
    assert cache._folders.__wrapped__() == ([str(folder)], str(folder))
    assert sorted(folder.iterdir()) == [mark, foreign, recent]
    os.utime(recent, (long_ago, long_ago))
    cache._folders.__wrapped__()  # looks once a day
    assert recent.exists()
    os.utime(mark, (long_ago, long_ago))
    cache._folders.__wrapped__()
    assert sorted(folder.iterdir()) == [mark, foreign]


# --------------------------------------------------------------------------------------------------------------------
# What a user sees of a compilation

SLOW = """
import os, time
from minigrad.kernels import notice
notice.PATIENCE = 0.2
for name, seconds in (("quick", 0.0), ("one", 0.15), ("two", 0.15), ("three", 0.15), ("four", 0.3)):
    with notice.compiling(name), notice.compiling("part of " + name):
        time.sleep(seconds)
"""


@pytest.mark.parametrize(("quiet", "lines"), [("", 1), ("1", 0)])
def test_who_waits_for_a_second_is_told_why_once(quiet, lines):
    environment = {**os.environ, "MINIGRAD_QUIET": quiet, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", SLOW], env=environment, capture_output=True, text=True)
    said = done.stderr.splitlines()
    assert len(said) == lines, done.stderr
    for line in said:
        assert line.startswith("minigrad: compiling kernels for their first use (at the moment two).")
        assert "minigrad warmup" in line


def test_a_compilation_that_fails_leaves_nothing_open():
    with pytest.raises(ZeroDivisionError), notice.compiling("bad"):
        1 / 0  # noqa: B018
    assert notice._waiting["depth"] == 0
    assert gc.isenabled()


def test_garbage_is_not_collected_while_compiling():
    seen = []
    with notice.compiling("outer"):
        with notice.compiling("inner"):
            pass
        seen.append(gc.isenabled())
    seen.append(gc.isenabled())
    gc.disable()
    try:
        with notice.compiling("by whoever collects nothing anyway"):
            pass
        seen.append(gc.isenabled())
    finally:
        gc.enable()
    assert seen == [False, True, False]


@pytest.mark.usefixtures("_heard")
def test_no_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    notice.say("nobody hears this")


def test_numba_reports_what_it_compiles(program, monkeypatch):
    names = []
    monkeypatch.setattr(dispatch, "compiling", lambda name: names.append(name) or contextlib.nullcontext())
    program()
    program()
    assert names == ["use", "shift"]
