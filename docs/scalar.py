"""Makes docs/scalar.md, one op's two engines side by side: `python docs/scalar.py`."""

from __future__ import annotations

import inspect
from pathlib import Path

import minigrad
from minigrad.autograd.rules import program_source
from minigrad.registry import OPS
from minigrad.scalar.doors import OPS_OF_VALUES, forward_source, run_source

PAGE = """# One number, or an array of them

minigrad has two engines that are one: `Tensor` computes with arrays, `Value` (`minigrad.scalar`) with one number at a
time, as in [micrograd](https://github.com/karpathy/micrograd), whose programs run with `micrograd` replaced by
`minigrad.scalar`. What an operation *is* stands in one block, and nowhere else. This page puts what is made of the
block `{name}` side by side. It is made by `docs/scalar.py` from the sources; a test compares.

## The block

```python
{block}
```

## Forward

Both functions are generated from the block. `inspect.getsource(minigrad.{name})` shows the first,
`minigrad.scalar.doors.source("{name}")` the second.

**Tensor**

```python
{array_forward}
```

**Value**

```python
{scalar_forward}
```

The same: what is no operand goes a slower way; the result is a new object without a constructor call; a node is
recorded only while gradients are on. Different: a tensor's number lies in an array that a kernel fills, so there are
dtypes and shapes to look at, and the node is an object of its own (a `Node`: op, parents, what the rule will need).
A Value is its own node: it has the op, the inputs, and the number that the rule will need.

## Backward

**Tensor**

```python
{array_backward}
```

**Value**

```python
{scalar_backward}
```

The same: the rule, `{rule}`. For tensors it is compiled to one loop over the arrays
(`grad_input32`); for Values it stands there as it is. Different: the engine adds up a tensor's gradients outside (it
may have to undo broadcasting first), and looks whether what was saved has been written to since; a Value adds to its
inputs' `grad` at once.

## The walk

Both go from the result back, each operation after all that used its result, in a loop: a chain of 200,000 operations is
no deeper than one. Neither graph has a cycle, so what is dropped is freed at once, and the garbage collector finds
nothing (`minigrad/autograd/collector.py` keeps it from looking all the time).

## The same rules, three times more

- **Derivatives of derivatives.** `grad(y, x, create_graph=True)` runs the rules on Values instead of numbers, as
  `torch.autograd.grad` runs them on tensors.
- **Tapes.** `record` notes one run as flat arrays, and replays it by a compiled
  interpreter. Each of its instructions is a block's formula and rule.
- **Pictures.** `viz.draw`, `viz.step`, `viz.explain` and `viz.playground` take Values; the formulas they show are read
  from the block.

```python
from minigrad.scalar import Value, record

w, b = Value(0.5, label="w"), Value(0.0, label="b")
tape = record(lambda x, target: ((w * x + b).tanh() - target) ** 2, 1.0, 1.0)
for _ in range(100):
    loss = tape.forward([0.5, 1.0, 2.0], [0.3, 0.6, 0.9])    # a batch: float64 (3,)
    tape.backward(1 / 3)
    tape.update([w, b], lr=0.1)
```

A comparison inside the recorded run is a guard: a replay in which it would come out otherwise raises a RuntimeError
that names the line. Values made before the recording are leaves of the tape: their gradients arrive in `grad`, and go
no further.

## Measured

One step, forward and backward, of the moons network (2-16-16-1, 100 points: 65,814 Values), against the closures of a
textbook (`bench/textbook.py`); `python -m bench --filter scalar --threads 1`, an Intel Xeon, thread CPU time.

<!-- measured by hand from the command above; see docs/benchmarks.md for the machine -->
{measured}
"""

MEASURED = """| | minigrad | textbook | ratio |
|---|---|---|---|
| eager, garbage collector as it is | 70 ms | 771 ms | 0.09 |
| eager, collector off | 57 ms | 98 ms | 0.57 |
| replayed tape (6.2 ns for each Value) | 0.41 ms | 102 ms | 0.0040 |
"""


def page(name="tanh"):
    """The page's text."""
    block = OPS[name]
    return PAGE.format(
        name=name,
        block=inspect.getsource(block).strip(),
        array_forward=inspect.getsource(getattr(minigrad, name)).strip(),
        scalar_forward=forward_source(OPS_OF_VALUES[name], operator=False).strip(),
        array_backward=program_source(block, "run").strip(),
        scalar_backward=run_source(OPS_OF_VALUES[name]).strip(),
        rule=inspect.getsource(block.rules["input"]).strip().splitlines()[-1].strip(),
        measured=MEASURED.strip(),
    )


if __name__ == "__main__":
    Path(__file__).with_suffix(".md").write_text(page(), encoding="utf-8")
