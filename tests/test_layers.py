"""Imports point down only (CONTRIBUTING.md has the drawing); read off the source, so that nothing need be run."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PLACES = {"minigrad": ROOT / "minigrad", "minigrad.nn": ROOT / "nn", "minigrad.optim": ROOT / "optim"}

# The floors, lowest first. A module belongs to the longest name here that it starts with; what is not named here
# is upstairs, where everything below may be used.
FLOORS = (
    (
        "ground: arrays, no Tensor",
        ("kernels", "dtypes", "errors", "memory", "random", "random_rejection", "random_state", "shapes"),
    ),
    ("op blocks", ("registry", "ops", "samples")),
    (
        "the engine",
        (
            "autograd",
            "protocol",
            "tensor",
            "absent",
            "creation",
            "conversion",
            "exchange",
            "inspection",
            "ranges",
            "storage",
            "sampling",
            "printing",
            "typed",
            "windows",
        ),
    ),
)
UPSTAIRS = len(FLOORS)
MAY_REACH_UP_LATER = {"minigrad"}  # minigrad/__init__.py, through its module-level __getattr__


def modules():
    """{dotted name: path} of everything that is installed."""
    found = {}
    for package, folder in PLACES.items():
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def floor(module):
    """The floor a module stands on. The package `minigrad` itself is the roof: importing it is importing all."""
    parts = module.split(".")
    if parts[0] != "minigrad":
        return None
    if len(parts) == 1:
        return UPSTAIRS + 1
    return next((level for level, (_, names) in enumerate(FLOORS) if parts[1] in names), UPSTAIRS)


def imports(source, known):
    """(line, module, at the top level?) of everything a source imports, by `import_module("...")` too."""
    tree = ast.parse(source)
    for statement in tree.body:
        if _is_for_types_only(statement):
            continue
        inside = not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        for node in ast.walk(statement):
            for name in _named(node, known):
                yield node.lineno, name, inside


def _is_for_types_only(statement):
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)


def _named(node, known):
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        if node.level:
            raise SyntaxError(f"line {node.lineno}: relative import; write it from minigrad")
        deeper = [f"{node.module}.{alias.name}" for alias in node.names]
        return [name if name in known else node.module for name in deeper]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
        return [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
    return []


def upward(module, source, known):
    """The faults of one module, as lines of text."""
    own = floor(module)
    return [
        f"{module}, line {line}: imports {name} from above"
        for line, name, top in imports(source, known)
        if (level := floor(name)) is not None
        and level > own
        and not (own == UPSTAIRS and level == UPSTAIRS + 1)  # upstairs may use the public names
        and not (module in MAY_REACH_UP_LATER and not top)
    ]


MODULES = modules()


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_down(module):
    assert not upward(module, MODULES[module].read_text(encoding="utf-8"), MODULES)


@pytest.mark.parametrize("name", [name for _, names in FLOORS for name in names])
def test_every_named_floor_exists(name):
    assert f"minigrad.{name}" in MODULES, "tests/test_layers.py names a module that is gone"


@pytest.mark.parametrize("name", ["nn", "optim"])
def test_core_does_not_know_nn_and_optim(name):
    assert floor(f"minigrad.{name}") == UPSTAIRS


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("minigrad.kernels.conv", "from minigrad.tensor import Tensor"),
        ("minigrad.kernels.conv", "import minigrad.autograd.node"),
        ("minigrad.registry", "def f():\n    from minigrad.autograd import engine"),
        ("minigrad.tensor", "import minigrad.nn"),
        ("minigrad.tensor", "import minigrad"),
        ("minigrad.tensor", "from minigrad import viz"),
        ("minigrad.autograd.engine", "import importlib\nimportlib.import_module('minigrad.optim')"),
        ("minigrad.ops.reduce", "try:\n    import minigrad.cli\nexcept ImportError:\n    pass"),
    ],
)
def test_the_check_sees_an_upward_import(module, source):
    assert upward(module, source, {**MODULES, "minigrad.viz": None})


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("minigrad.kernels.conv", "import numpy\nfrom minigrad.kernels.dispatch import kernel"),
        ("minigrad.tensor", "from minigrad.registry import OPS"),
        ("minigrad.nn.linear", "import minigrad\nfrom minigrad.tensor import Tensor"),
        ("minigrad", "def __getattr__(name):\n    import minigrad.nn"),
        ("minigrad.ops.reduce", "if TYPE_CHECKING:\n    from minigrad.tensor import Tensor"),
    ],
)
def test_the_check_lets_pass_what_points_down(module, source):
    assert not upward(module, source, MODULES)
