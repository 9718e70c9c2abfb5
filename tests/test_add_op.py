"""CONTRIBUTING's walk-through, performed: its block is put into a module of its own, and everything derived appears."""

import pathlib
import re
import subprocess
import sys
import textwrap

ROOT = pathlib.Path(__file__).parent.parent

HEAD = """
import minigrad
from minigrad.registry import Activation
from minigrad.samples import unary

"""

CHECK = """
import inspect, sys
import numpy as np
import minigrad
from minigrad import nn
import squareplus_block
minigrad.link()

F = nn.functional
x = minigrad.tensor([-1.0, 0.0, 2.0], requires_grad=True)
y = F.squareplus(x, b=1.0)
np.testing.assert_allclose(y.tolist(), [0.20710678, 0.5, 2.1180340], rtol=1e-6)
assert "grad_fn=<SquareplusBackward0>" in repr(y), repr(y)
assert str(inspect.signature(F.squareplus)) == "(input, b=4.0)"
assert "Barron" in F.squareplus.__doc__

y.sum().backward()
np.testing.assert_allclose(x.grad.tolist(), [0.14644661, 0.5, 0.94721360], rtol=1e-6)

double = minigrad.tensor([-1.0, 0.0, 2.0], dtype=minigrad.float64, requires_grad=True)
assert minigrad.autograd.gradcheck(F.squareplus, (double,))
assert minigrad.autograd.gradgradcheck(F.squareplus, (double,))
with minigrad.backend("numpy"):
    np.testing.assert_allclose(F.squareplus(x, 1.0).tolist(), y.tolist(), rtol=1e-6)

from minigrad.registry import NUMBERS
assert abs(NUMBERS["squareplus"](2.0, 1.0) - 2.1180340) < 1e-7      # one number, for the scalar engine

from minigrad.autograd.link import FUNCTIONALS
from minigrad.stubs import place_stub
assert "def squareplus(input: Any, b: Any = 4.0) -> Tensor: ..." in place_stub(FUNCTIONALS)

from minigrad import viz
assert "squareplus" in viz.draw(F.squareplus(x)).source

from bench.rows import ops
assert {"op/squareplus small forward", "op/squareplus large forward+backward"} <= {row.name for row in ops.rows()}

sys.path.insert(0, "tests")
import op_cases
assert ("squareplus", 3) in op_cases.CASES                             # the generated tests have it, sample by sample
print("all derived")
"""


def test_one_block_makes_everything(tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text()
    (block,) = re.findall(r"```python\n(class squareplus.*?)```", text, re.S)
    (tmp_path / "squareplus_block.py").write_text(HEAD + block)
    (tmp_path / "check.py").write_text(
        f"import sys\nsys.path[:0] = [{str(tmp_path)!r}, '.']\n" + textwrap.dedent(CHECK)
    )
    run = subprocess.run(
        [sys.executable, "-W", "error", str(tmp_path / "check.py")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip().endswith("all derived")
