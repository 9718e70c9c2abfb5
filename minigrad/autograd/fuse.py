"""Choosing the kernels of pointwise ops: NumPy's function, the formula on arrays, or the formula as one compiled loop.

Every formula and every rule starts as a stub.  At its first call, when the dtype is known, the stub looks at the
backend and at the code, puts the program it chose in its own place, and is not called again:

    numpy   NumPy's function, or the formula on arrays
    auto    a compiled loop for formulas that NumPy has no function for (or a slower one: exp, log), and for rules of
            more than one operation; not where the loop would call a C function per number (sin, pow): there NumPy's
            vector code is faster
    numba   a compiled loop wherever there can be one
"""

from __future__ import annotations

import dis
import functools

from minigrad.autograd.general import F32, F64, quiet, silent_context
from minigrad.kernels.dispatch import get_backend
from minigrad.kernels.pointwise import compile_ufunc, has_own_loop, over_threads, scalar_calls
from minigrad.registry import ARRAYS, OPS, arrays, in_float32

# What counts as an operation in a rule's bytecode (3.11 on: BINARY_OP and CALL; before: a name for each).
OPERATION = ("BINARY_", "CALL", "UNARY_", "COMPARE_OP")
NO_OPERATION = ("BINARY_SUBSCR", "CALL_INTRINSIC")


def formulas():
    """The formulas that a compiled formula may call, by name."""
    return {name: op.__dict__["scalar"] for name, op in OPS.items() if op.pointwise}


def operations(function):
    """How many operations a formula performs."""
    names = [instruction.opname for instruction in dis.get_instructions(function)]
    return sum(name.startswith(OPERATION) and not name.startswith(NO_OPERATION) for name in names)


def forward_is_compiled(op):
    """Whether the backend in force compiles the op's formula."""
    backend = get_backend()
    if backend == "numpy" or not op.jit_forward:
        return False
    return backend == "numba" or not (numpy_is_best(op) or scalar_calls(op.__dict__["scalar"], formulas()))


def numpy_is_best(op):
    """Whether NumPy has a function for the op, and no loop of our own is faster."""
    return op.numpy is not None and not has_own_loop(op.__dict__["scalar"])


def rule_is_compiled(op, rule):
    """Whether the backend in force compiles a rule of the op. One operation alone gains nothing."""
    backend = get_backend()
    if backend == "numpy" or not op.jit_rules or operations(rule) < 2:
        return False
    return backend == "numba" or not scalar_calls(rule, formulas())


def choose_forward(op):
    """Set the op's kernels for the backend in force: per dtype, and `twin` for dtypes that are never compiled."""
    op.twin, op.kernels = ARRAYS[op.name], {}
    if (get_backend() == "auto" and numpy_is_best(op)) or not op.jit_forward:
        op.namespace["kernel32"] = op.namespace["kernel64"] = without_warnings(over_threads(op.twin))
        return
    for dtype, name in ((F32, "kernel32"), (F64, "kernel64")):
        op.kernels[dtype] = op.namespace[name] = _forward_stub(op, dtype, name)


def without_warnings(kernel):
    """A kernel as the doors call it: in a context of its own, without NumPy's floating-point warnings.

    The caller's filters and `np.seterr` are neither heard nor changed. A context cannot be entered twice: where two
    threads call the kernel at once there is a RuntimeError, and the door takes the general path.
    """
    return functools.partial(silent_context().run, kernel)


def _forward_stub(op, dtype, name):
    def stub(*args):
        kernel = op.twin
        if forward_is_compiled(op):
            nin = len(op.inputs) + len(op.attrs)
            kernel = compile_ufunc(op.__dict__["scalar"], nin, dtype, formulas(), bool if op.boolean else None)
        op.kernels[dtype], op.namespace[name] = kernel, without_warnings(over_threads(kernel))
        return quiet.run(kernel, *args)

    return stub


def choose_rules(op):
    """Bind the op's rules for the plain backward: per dtype, and on arrays for dtypes that are never compiled."""
    for name, rule in op.rules.items():
        key, names = "grad_" + name, op.run_names
        plain = arrays(rule)
        names[key] = in_float32(plain)
        names[key + "32"] = _rule_stub(op, rule, F32, key + "32", plain)
        names[key + "64"] = _rule_stub(op, rule, F64, key + "64", plain)


def _rule_stub(op, rule, dtype, key, plain):
    def stub(*args):
        program = plain
        if rule_is_compiled(op, rule):
            program = compile_ufunc(rule, rule.__code__.co_argcount, dtype, formulas())
        op.run_names[key] = program = over_threads(program)
        return quiet.run(program, *args)

    return stub
