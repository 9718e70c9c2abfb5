"""The scalar engine: the graph of 65,000 Values of the moons net, built anew, and replayed by a tape.

Each sample is a process of its own, because the garbage collector is part of the matter: minigrad paces it, and the
textbook's engine is to meet it as it is.
"""

from __future__ import annotations

from functools import partial

from bench.row import TEXTBOOK, Row
from bench.rows.startup import python
from bench.timing import Work

NODES = 65_814  # of the moons graph, as the textbook's engine counts them: 100 points, 337 weights

STEPS = """
import gc, statistics, sys, time
{imports}
model, rows, targets = problem({arguments})
if "{gc}" == "off":
    gc.disable()
{prepare}

def step():
    for p in model.parameters():
        p.grad = 0
    {step}

times = []
step()
for _ in range({repeat}):
    start = time.thread_time()
    step()
    times.append(time.thread_time() - start)
print(statistics.median(times))
"""

OURS = {"imports": "from minigrad.scalar.moons import loss_of, problem", "arguments": ""}
# `problem` and `loss_of` are plain Python; what they import of minigrad is undone before the clock starts.
THEIRS = {
    "imports": "from bench.textbook import MLP, Value\nfrom minigrad.autograd.collector import unpace\nunpace()\n"
    "from minigrad.scalar.moons import loss_of, problem",
    "arguments": "Value, MLP",
}
EAGER = {"prepare": "", "step": "loss_of(model, rows, targets)[0].backward()", "repeat": 5}
TAPE = {
    "prepare": "from minigrad.scalar import record\nwith record() as tape:\n    loss_of(model, rows, targets)",
    "step": "tape.forward(); tape.backward()",
    "repeat": 100,
}


def moons(gc, way, lib) -> Work:
    """Thread CPU seconds of one step, forward and backward, in a process of its own."""
    ours = lib.__name__ == "minigrad"
    code = STEPS.format(gc=gc, **(OURS if ours else THEIRS), **(way if ours else EAGER))
    return Work(lambda: float(python(code, MINIGRAD_QUIET="1")), self_timed=True)


def rows() -> list[Row]:
    name = "scalar/moons 2-16-16-1, 100 points,"
    return [
        Row(f"{name} eager", partial(moons, "on", EAGER), (TEXTBOOK,), {TEXTBOOK: 0.25}, alike=False),
        Row(f"{name} eager, collector off", partial(moons, "off", EAGER), (TEXTBOOK,), {TEXTBOOK: 1.3}, alike=False),
        Row(
            f"{name} replayed tape, collector off",
            partial(moons, "off", TAPE), (TEXTBOOK,), {TEXTBOOK: 1 / 200, "seconds": 8e-9 * NODES}, alike=False,
        ),
    ]  # fmt: skip
