"""Two small machines that run a tape: one forward, one backward, made of the op blocks and compiled by numba.

After `doors.py`, before `tape.py`.  A tape is a list of instructions; node `i` is made by ``code[i]`` of the nodes
``operands[:, i]``. Each node has a row of `width` numbers, one for each input of a batch:

    values   node 0 │ w                      the same number in all columns
             node 1 │ x₀   x₁   x₂   x₃
             node 2 │ w·x₀ w·x₁ w·x₂ w·x₃    code[2] = mul, operands[:, 2] = 0, 1

What a number becomes is the block's `scalar`, and its gradient the block's rule: the machine only looks up which. One
interpreter with a switch, not code for each graph: a graph of 984 nodes took 66 s to compile as straight lines.
"""

from __future__ import annotations

import functools

import numpy as np

from minigrad.autograd.sources import make
from minigrad.kernels.dispatch import Jit
from minigrad.kernels.formula import typed
from minigrad.registry import OPS
from minigrad.scalar.doors import OPS_OF_VALUES, POWER

__all__ = ["USUAL", "machines", "not_compiled", "uncompilable"]

# What small networks are made of, in every machine, so that most programs share one compiled pair.
USUAL = ("add", "div", "exp", "log", "mul", "neg", "power", "relu", "sigmoid", "sub", "tanh")

SIGNATURE = "code, operands, extra, constants, first, width, values"


def one_less(exponent):
    """As in `ops/pointwise.py`, where it serves arrays as well: the exponent of a power's derivative."""
    return exponent - 1.0 if exponent != 0.0 else 0.0


def op_named(name):
    """The op of an instruction; `power` is a power whose exponent gets no gradient."""
    return POWER if name == "power" else OPS_OF_VALUES[name]


@functools.cache
def machines(names, alone):
    """(forward, backward) for the instructions of these names; an instruction's number is its position. alone: for a
    width of 1, without the loops over columns, which take a third of the time there. Raises NotImplementedError for an
    op that is not to be compiled."""
    for name in names:
        if calls_a_kernel(op_named(name).block.__dict__["scalar"]):
            raise not_compiled(name)
    table = {key: formula for name in names for key, formula in formulas_of(name).items()}

    def look_up(name, function):
        return table[name]

    return tuple(
        Jit(make(source(names, alone), {"__name__": __name__}, kind), look_up=look_up)
        for kind, source in (("forward", forward_source), ("backward", backward_source))
    )


def formulas_of(name):
    """{what the machine calls it: a formula to be compiled} of an instruction: its value, and a rule per operand."""
    op, known = op_named(name), {name: op.__dict__["scalar"] for name, op in OPS.items() if op.pointwise}
    known["one_less"] = one_less
    formulas = {f"value_of_{name}": op.block.__dict__["scalar"]}
    formulas |= {f"{name}_by_{slot}": rule for slot, rule in op.rules.items()}
    return {key: typed(formula, np.float64, known) for key, formula in formulas.items()}


def uncompilable(names):
    """The first of these instructions that numba has no code for; None if it can compile each."""
    return next((name for name in names if not all(map(compiles, formulas_of(name).values()))), None)


def calls_a_kernel(formula):
    """Whether a formula leaves its number to a kernel of arrays, which is not to be tried: it ends in a deep recursion,
    and a crash on Python 3.10."""
    return "number_of" in formula.__code__.co_names


def not_compiled(name):
    """The error of an op without a compiled form."""
    return NotImplementedError(
        f"Tape.forward(): the op {name!r} has no compiled form, so that a tape cannot replay it; run such programs "
        "without a tape"
    )


def compiles(formula):
    """Whether numba can compile a formula."""
    if calls_a_kernel(formula.py_func):
        return False
    try:
        formula(*[0.5] * formula.py_func.__code__.co_argcount)
    except Exception:  # numba has many kinds
        return False
    return True


def forward_source(names, alone):
    """def forward(...): fill the rows of `values` from `first` on."""
    lines = [f"def forward({SIGNATURE}):", "    for i in range(first, code.size):"]
    for name, op, branch, attrs in _branches(names, alone):
        call = ", ".join([*(f"values[{slot}_]" for slot in op.block.inputs), *attrs])
        lines += [*branch, f"values[at] = value_of_{name}({call})"]
    return _indented(lines, alone)


def backward_source(names, alone):
    """def backward(...): from the last row of `grads` to the first, add to the rows of the operands."""
    lines = [f"def backward({SIGNATURE}, grads):", "    for i in range(code.size - 1, first - 1, -1):"]
    for name, op, branch, attrs in _branches(names, alone):
        block = op.block
        known = {slot: f"values[{slot}_]" for slot in block.inputs} | {"output": "values[at]"}
        known |= dict(zip(block.attrs, attrs, strict=True))
        lines += [*branch, "g = grads[at]"]
        for slot in op.rules:
            call = ", ".join(["g", *(known[name] for name in block.needs[slot])])
            lines.append(f"grads[{slot}_] += {name}_by_{slot}({call})")
    return _indented(lines, alone)


def _branches(names, alone):
    """For each instruction: its name, its op, the lines that open its branch and find the numbers of its operands, and
    the source of its attributes."""
    for number, name in enumerate(names):
        op = op_named(name)
        lines = [f"        {'elif' if number else 'if'} code[i] == {number}:"]
        rows = [f"{slot}_ = operands[{k}, i]" for k, slot in enumerate(op.block.inputs)]
        if alone:
            lines += ["at = i", *rows]
        else:
            lines += [
                "            for k in range(width):",
                "at = i * width + k",
                *(f"{row} * width + k" for row in rows),
            ]
        yield name, op, lines, [f"constants[extra[i] + {k}]" for k in range(len(op.block.attrs))]


def _indented(lines, alone):
    """The source: lines that begin with a space stand where they do, the others inside the innermost block."""
    inner = " " * (12 if alone else 16)
    return "\n".join(line if line.startswith((" ", "def ")) else inner + line for line in lines) + "\n"
