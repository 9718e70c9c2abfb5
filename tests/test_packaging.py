"""The wheel and the sdist hold what they should, and the three traps of the mapped packages are closed."""

import shutil
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from pathlib import Path

import pytest

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {"minigrad": ROOT / "minigrad", "minigrad.nn": ROOT / "nn", "minigrad.optim": ROOT / "optim"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def installed_files():
    """{path in the wheel: path in the checkout} of every file of the packages."""
    return {
        str(Path(*package.split("."), path.relative_to(folder))): path
        for package, folder in SOURCES.items()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """(wheel, sdist), built offline from a copy of the checkout, so that no old build can leak in."""
    copy, out = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    leftovers = (".git", ".venv", ".*_cache", ".hypothesis", "build", "dist", "*.egg-info", "__pycache__", "*-runs")
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*leftovers), dirs_exist_ok=True)
    build = [sys.executable, "-m", "build", "--no-isolation", "--outdir", out, copy]  # the sdist, and the wheel from it
    done = subprocess.run(build, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl")), next(out.glob("*.tar.gz"))


def python(code, folder, *options):
    """Run a program in `folder` that sees the libraries of this interpreter, but no installed minigrad."""
    program = f"""
        import sys
        sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
        {textwrap.indent(textwrap.dedent(code), " " * 8).strip()}
    """
    command = [sys.executable, "-W", "error", *options, "-c", textwrap.dedent(program)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


def test_every_package_is_listed():
    found = {
        ".".join((package, *path.parent.relative_to(folder).parts))
        for package, folder in SOURCES.items()
        for path in folder.rglob("__init__.py")
    }
    assert sorted(PROJECT["tool"]["setuptools"]["packages"]) == sorted(found)


def test_wheel_holds_every_file_of_the_packages_and_nothing_else(archives):
    names = zipfile.ZipFile(archives[0]).namelist()
    assert {name for name in names if ".dist-info/" not in name} == set(installed_files())


def test_wheel_metadata(archives):
    wheel = zipfile.ZipFile(archives[0])
    text = {Path(name).name: wheel.read(name).decode() for name in wheel.namelist() if ".dist-info/" in name}
    assert "minigrad = minigrad.cli:main" in text["entry_points.txt"]
    assert "Root-Is-Purelib: true" in text["WHEEL"]
    assert "MIT License" in text["LICENSE"]
    for line in ("License-Expression: MIT", "Requires-Python: <3.14,>=3.10", "Provides-Extra: plots"):
        assert line in text["METADATA"].splitlines()


def test_sdist_is_a_whole_checkout(archives):
    with tarfile.open(archives[1]) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    papers = {"README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml"}
    assert names.issuperset(papers | {"nn/__init__.py", "bench/__init__.py", "tests/conftest.py", "minigrad/py.typed"})
    assert not [name for name in names if "__pycache__" in name or name.startswith((".venv", "build"))]


def test_wheel_works_where_nothing_else_is(archives, tmp_path):
    zipfile.ZipFile(archives[0]).extractall(tmp_path)
    code = """
        import minigrad
        from minigrad import nn, optim
        from minigrad.datasets import load_digits, load_iris, load_sunspots
        load_digits(), load_iris(), load_sunspots()
        model = nn.Linear(4, 2)
        optimizer = optim.Adam(model.parameters())
        model(minigrad.randn(3, 4)).sum().backward()
        optimizer.step()
        print(minigrad.__file__, nn.__file__)
    """
    done = python(code, tmp_path)
    assert done.stdout.split() == [str(tmp_path / "minigrad/__init__.py"), str(tmp_path / "minigrad/nn/__init__.py")], (
        done.stderr
    )


def test_trap_1_a_checkout_works_without_an_install():
    code = """
        import minigrad.nn, minigrad.optim.lr_scheduler
        from minigrad.nn import functional
        print(minigrad.nn.__name__, minigrad.optim.__name__, minigrad.nn.Linear(1, 1).__class__.__module__)
    """
    done = python(code, ROOT)
    assert done.stdout.split()[:2] == ["minigrad.nn", "minigrad.optim"], done.stderr
    assert done.stdout.split()[2].startswith("minigrad.nn.")


@pytest.mark.parametrize("name", ["nn", "optim"])
def test_trap_2_a_second_copy_cannot_be_imported(name):
    done = python(f"import {name}", ROOT)
    assert done.returncode == 1
    assert f"minigrad.{name}" in done.stderr.splitlines()[-1], done.stderr
    assert done.stderr.splitlines()[-1].startswith("ImportError")


def test_trap_3_a_type_checker_follows_the_wheel(archives, tmp_path):
    """mypy finds nn and optim in the installed form; .ci/run checks the whole of it."""
    zipfile.ZipFile(archives[0]).extractall(tmp_path)
    program = tmp_path / "program.py"
    program.write_text("from minigrad import nn, optim\nreveal_type(nn.Linear)\nreveal_type(optim.Adam)\n")
    check = [sys.executable, "-m", "mypy", "--follow-imports=silent", "--cache-dir", tmp_path / "cache", program.name]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "-> minigrad.nn.modules.linear.Linear" in done.stdout
    assert "-> minigrad.optim.adam.Adam" in done.stdout


def test_import_brings_in_only_what_is_needed():
    heavy = ["numba", "matplotlib", "graphviz", "wasmtime", "rich", "safetensors", "minigrad.viz", "minigrad.demo"]
    done = python(f"import minigrad; print([name for name in {heavy} if name in sys.modules])", ROOT)
    assert done.stdout.strip() == "[]", done.stderr
