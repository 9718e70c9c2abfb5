"""The `.pyi` files are what `python -m minigrad.stubs` writes, and a user's program type-checks against them."""

import inspect
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import minigrad
from minigrad import stubs

ROOT = Path(__file__).resolve().parents[1]
FILES = (
    "minigrad/__init__.pyi", "minigrad/tensor.pyi", "minigrad/linalg.pyi", "minigrad/special.pyi", "nn/functional.pyi",
)  # fmt: skip


@pytest.fixture(scope="module")
def derived():
    """{path: text} from a fresh process: other tests add ops of their own."""
    program = (
        "import json; from minigrad.stubs import stubs; print(json.dumps({str(k): v for k, v in stubs().items()}))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    return {Path(path).relative_to(ROOT).as_posix(): text for path, text in json.loads(done.stdout).items()}


def test_these_files_are_derived(derived):
    assert sorted(derived) == sorted(FILES)


@pytest.mark.parametrize("name", FILES)
def test_the_committed_stub_is_the_derived_one(name, derived):
    assert (ROOT / name).read_text(encoding="utf-8") == derived[name], "run `python -m minigrad.stubs`"


@pytest.mark.parametrize("name", FILES)
def test_the_stub_is_python(name):
    compile((ROOT / name).read_text(encoding="utf-8"), name, "exec")


def test_every_function_of_an_op_says_what_it_returns(derived):
    assert "-> Any" not in derived["nn/functional.pyi"]
    unknown = [line for line in derived["minigrad/tensor.pyi"].splitlines() if "-> Any" in line]
    known = (
        "__array_ufunc__",
        "_only",
        "tolist",
        "unique",
        "unique_consecutive",
    )  # these return what depends on the values
    assert [line for line in unknown if line.split("(")[0].split()[-1] not in known] == []


@pytest.mark.parametrize(
    ("doc", "results"),
    [
        ("f(input) -> Tensor: text", ["Tensor"]),
        ("f(input, k=(1, 2)) -> LongTensor\n\nbody -> int", ["Tensor"]),
        ("f(input) -> tuple of Tensors", ["tuple[Tensor, ...]"]),
        ("f(input) -> Tensor;  f(input, dim) -> (values, indices)", ["Tensor", "ValuesAndIndices"]),
        ("f(input) -> Tensor or tuple", ["Any"]),
        ("nothing said", ["Any"]),
    ],
)
def test_results_are_read_off_the_docstring(doc, results):
    def f(input):
        pass

    f.__doc__ = doc
    assert [result for _, result in stubs.results_of("f", f)] == results


def test_an_annotation_comes_before_the_docstring():
    def f(input) -> int:
        """f(input) -> Tensor"""

    assert stubs.function_stub("f", f) == "def f(input: Any) -> builtins.int: ...\n"


def test_overloads_take_their_parameters_from_the_docstring():
    def f(input, *args):
        """f(input) -> Tensor;  f(input, dim, keepdim=False) -> (values, indices)"""

    assert stubs.function_stub("f", f, method=True) == (
        "@overload\ndef f(self) -> Tensor: ...\n"
        "@overload\ndef f(self, dim: builtins.int, keepdim: builtins.bool = False) -> ValuesAndIndices: ...\n"
    )


def test_methods_in_place_have_the_signature_of_the_op():
    for name in ("add", "clamp", "relu", "pow"):
        method, function = getattr(minigrad.Tensor, name + "_"), getattr(minigrad.Tensor, name, None)
        plain = inspect.signature(function or getattr(minigrad.nn.functional, name))
        assert list(inspect.signature(method).parameters)[1:] == list(plain.parameters)[1:]
    assert stubs.function_stub("add_", minigrad.Tensor.add_, method=True) == (
        "def add_(self, other: Any, *, alpha: Any = 1) -> Tensor: ...\n"
    )


def checked(program, packages):
    """What mypy says of a program, with minigrad as a wheel lays it out."""
    config = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(packages / "cache")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", *config, str(program)],
        env=os.environ | {"MYPYPATH": str(packages)}, cwd=packages, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


@pytest.mark.long
def test_a_typed_program_passes_the_type_checker(tmp_path):
    for folder, place in (("minigrad", "minigrad"), ("nn", "minigrad/nn"), ("optim", "minigrad/optim")):
        shutil.copytree(ROOT / folder, tmp_path / place, ignore=shutil.ignore_patterns("__pycache__", "data"))
    shutil.copytree(ROOT / "minigrad/utils/data", tmp_path / "minigrad/utils/data")
    code, said = checked(ROOT / "tests/typing_user.py", tmp_path)
    assert code == 0, said
    wrong = tmp_path / "wrong.py"
    wrong.write_text("import minigrad\n\nn: int = minigrad.randn(3).sum()\nminigrad.randn(3).sum().nothing()\n")
    code, said = checked(wrong, tmp_path)
    assert code == 1
    assert "incompatible" in said.lower()
    assert '"Tensor" has no attribute "nothing"' in said
