"""Choosing the kernels of pointwise ops: NumPy's function, the formula on arrays, or the formula as one compiled loop.

The formula and the rules of a block are compiled at their first call, for the dtype of that call (`pointwise.py`), and
then take the place of the stub that stood for them.  Which ops are compiled is the backend's choice:

    numpy   none: NumPy's function, or the formula on arrays
    auto    formulas that NumPy has no function for, and rules of more than one operation (one alone gains nothing)
    numba   every formula and rule that can be
"""

from __future__ import annotations

import dis

from minigrad.autograd.general import F32, F64
from minigrad.kernels.dispatch import get_backend
from minigrad.kernels.pointwise import compile_ufunc
from minigrad.registry import ARRAYS, OPS, arrays

ARITHMETIC = ("BINARY_OP", "CALL", "CALL_FUNCTION", "UNARY_NEGATIVE", "UNARY_NOT", "COMPARE_OP")
OLD_ARITHMETIC = ("BINARY_ADD", "BINARY_SUBTRACT", "BINARY_MULTIPLY", "BINARY_TRUE_DIVIDE", "BINARY_POWER", "BINARY_AND",
                  "BINARY_OR")  # fmt: skip


def operations(function):
    """How many operations a formula performs."""
    names = [instruction.opname for instruction in dis.get_instructions(function)]
    return sum(name in ARITHMETIC or name in OLD_ARITHMETIC for name in names)


def formulas():
    """The formulas that a compiled formula may call, by name."""
    return {name: op.__dict__["scalar"] for name, op in OPS.items() if op.pointwise}


def compiled_later(function, nin, dtype, ready, out=None):
    """A stub that compiles the formula when it is first called, and hands the ufunc to `ready`."""

    def stub(*args):
        ufunc = compile_ufunc(function, nin, dtype, formulas(), out)
        ready(ufunc)
        return ufunc(*args)

    return stub


def choose_forward(op):
    """Set the op's kernels for the backend in force."""
    names, backend = op.namespace, get_backend()
    op.twin = ARRAYS[op.name]
    op.kernels = {}
    if op.jit_forward and (backend == "numba" or (backend == "auto" and op.numpy is None)):
        for dtype, name in ((F32, "kernel32"), (F64, "kernel64")):
            _forward_later(op, dtype, name)
    else:
        names["kernel32"] = names["kernel64"] = op.twin


def _forward_later(op, dtype, name):
    def ready(ufunc):
        op.kernels[dtype] = op.namespace[name] = ufunc

    nin = len(op.inputs) + len(op.attrs)
    stub = compiled_later(op.__dict__["scalar"], nin, dtype, ready, bool if op.boolean else None)
    op.kernels[dtype] = op.namespace[name] = stub


def choose_rules(op):
    """Bind the op's rules, for the plain backward, as the backend in force wants them: per dtype, and for the others."""
    for name, rule in op.rules.items():
        key, names = "grad_" + name, op.run_names
        names[key] = names[key + "32"] = names[key + "64"] = arrays(rule)
        if get_backend() != "numpy" and op.jit_rules and operations(rule) > 1:
            for dtype, bits in ((F32, "32"), (F64, "64")):
                names[key + bits] = compiled_later(rule, rule.__code__.co_argcount, dtype, _setter(names, key + bits))


def _setter(names, key):
    return lambda ufunc: names.__setitem__(key, ufunc)
