"""Formulas made to be compiled for one dtype: the names and the numbers in them translated.

A formula is a Python function of numbers: arithmetic, comparisons, `a if c else b`, calls. `typed` makes a `Jit` of it
whose literals are of the dtype (in numba a float32 times the literal 0.5 is a float64), and in which `exp`, `math.exp`,
... are those that `vecmath.py` has entered in `JIT` with `define`.

Before this: `dispatch.py`. After it: `vecmath.py`, `pointwise.py`.
"""

import dis
import functools
import math
import types

import numpy as np

from minigrad.kernels.dispatch import Jit, resolved, widest

# Functions of `math` that stay calls of the C library, one number at a time: where a formula needs one of these,
# NumPy's vector code is the faster choice for large arrays.
SCALAR_CALLS = frozenset(
    "acos acosh asin asinh atan atan2 atanh cos cosh erfc exp2 fmod gamma lgamma log10 log2 pow sin sinh tan".split()
)

# What numba itself compiles to one instruction. `float(c)` is the number 0 or 1 of the formula's own dtype.
_INSTRUCTIONS = {
    "abs": math.fabs,
    "fabs": math.fabs,
    "sqrt": math.sqrt,
    "copysign": math.copysign,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "round": np.rint,
}

JIT = {dtype: {**_INSTRUCTIONS, "float": dtype} for dtype in (np.float32, np.float64)}
BLOCKS = {np.float32: {}, np.float64: {}}  # loops over arrays (from, to) for a function that stands alone


def typed_code(code, dtype):
    """`code` with its int and float constants made numbers of `dtype`, so that arithmetic stays in that dtype.

    Whole exponents (`x ** 2`) stay ints, which numba compiles to products.

    Raises:
        ValueError: it has such an exponent and more than 255 constants.
    """
    constants, bytecode, former = list(code.co_consts), bytearray(code.co_code), None
    for index, constant in enumerate(code.co_consts):
        inner = isinstance(constant, types.CodeType)
        constants[index] = typed_code(constant, dtype) if inner else _as_number(constant, dtype)
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("BINARY_POWER", "INPLACE_POWER") or instruction.argrepr in ("**", "**="):
            power = former.argval
            if former.opname == "LOAD_CONST" and type(power) in (int, float) and float(power).is_integer():
                if len(constants) > 255:
                    raise ValueError(f"{code.co_name}: a formula of more than 255 constants cannot be compiled")
                bytecode[former.offset + 1] = len(constants)  # this one load gets a constant of its own
                constants.append(int(power))
        former = instruction
    return code.replace(co_consts=tuple(constants), co_code=bytes(bytecode))


def typed(function, dtype, names=None):
    """`function` as a `Jit` whose numbers are all of `dtype`.

    Its literals and the numbers its names stand for become `dtype`; `exp`, `math.exp`, ... become the functions of
    `vecmath.py`; a Python function it calls is treated the same way.

    Args:
        function (FunctionType): a formula: arithmetic, comparisons, `a if c else b`, calls of functions.
        dtype (type): np.float32 or np.float64.
        names (dict | None): further functions by name. `JIT` comes first, the function's own globals last.
    """
    defaults = function.__defaults__ and tuple(_as_number(value, dtype) for value in function.__defaults__)
    code = typed_code(function.__code__, dtype)
    cells = function.__closure__ and tuple(
        types.CellType(_translated(cell.cell_contents, dtype, names)) for cell in function.__closure__
    )
    copy = types.FunctionType(code, function.__globals__, function.__name__, defaults, cells)
    copy.__qualname__, copy.__module__ = function.__qualname__, function.__module__
    return Jit(copy, fastmath=("contract",), inline=True, look_up=functools.partial(_look_up, dtype, names or {}))


def _look_up(dtype, names, name, function):
    if name in JIT[dtype]:
        return JIT[dtype][name]
    return _translated(names[name] if name in names else function.__globals__[name], dtype, names)


def _translated(value, dtype, names):
    """What stands for `value` in a formula of this dtype."""
    if value is math:
        return _math_module(dtype)
    if isinstance(value, types.FunctionType):
        return typed(value, dtype, names)
    return _as_number(value, dtype)


def _as_number(value, dtype):
    return dtype(value) if type(value) in (int, float) else value


@functools.cache
def _math_module(dtype):
    """What the name `math` means in a formula: those of `JIT`, and `math`'s own where there is none."""

    def find(name):
        if name in JIT[dtype]:
            return resolved(JIT[dtype][name])
        return _as_number(getattr(math, name), dtype)

    module = types.ModuleType(f"math_{dtype.__name__}")
    module.__getattr__ = find
    return module


def define(name, *dtypes):
    """Decorator: enter a formula in `JIT` under `name`, for each of `dtypes`."""

    def enter(function):
        for dtype in dtypes:
            JIT[dtype][name] = typed(function, dtype)
        return function

    return enter


def define_usual(name, dtype, magnitude, bound):
    """Decorator: enter in `BLOCKS` a loop over a block of numbers that are all usual, mostly, for which `function` is
    enough: those where `magnitude(x)`, an unsigned integer, is below `bound`. If one is not, the block is left to
    what `define` has entered.

    That takes far less than selections in every number: two steps for `magnitude` in place of ten.
    """
    unsigned = np.dtype(f"u{dtype().itemsize}").type
    bound, least, careful = unsigned(bound), unsigned(0), JIT[dtype][name]

    def enter(function):
        usual = typed(function, dtype)

        def block(x, y):
            widest()
            worst = least
            for i in range(x.size):
                each = magnitude(x[i])
                worst = each if each > worst else worst
            if worst < bound:
                for i in range(x.size):
                    y[i] = usual(x[i])
            else:
                for i in range(x.size):
                    y[i] = careful(x[i])

        block.__name__ = block.__qualname__ = f"{name}_block"
        BLOCKS[dtype][name] = Jit(block)
        return function

    return enter


class ByType(Jit):
    """One of two functions, chosen by the type of the argument: for kernels that serve both dtypes."""

    def __init__(self, name):
        super().__init__(JIT[np.float64][name].py_func)
        self.name = name

    def _build(self, inner):
        import numba
        from numba.extending import overload

        single, double = JIT[np.float32][self.name].inner, JIT[np.float64][self.name].inner

        def choose(x):  # numba compiles what the overload returns; this body is what the cache's fingerprint reads
            return single(x) if isinstance(x, np.float32) else double(x)

        @overload(choose)
        def chosen(x):
            if x == numba.float32:
                return lambda x: single(x)
            return lambda x: double(np.float64(x))

        @numba.njit(error_model="numpy", nogil=True, forceinline=True)
        def call(x):
            return choose(x)

        self._made[inner] = call


class ByDtype(dict):
    """A loop compiled apart for each dtype: {"f": Jit, "d": Jit}, by the dtype's `char`."""


def by_dtype(function=None, *, fastmath=("contract",), **names):
    """Decorator: a `jit` helper in which `exp_falling` and `log` are `vecmath`'s for the dtype.

    It may call other such ones. `names` are put in the place of its globals: one text can so make several loops, of
    which a program compiles those it needs.
    """
    if function is None:
        return functools.partial(by_dtype, fastmath=fastmath, **names)

    def look_up(dtype, name, owner):
        if name in ("exp_falling", "log"):
            return JIT[dtype][name]
        value = names[name] if name in names else owner.__globals__[name]
        return value[np.dtype(dtype).char] if isinstance(value, ByDtype) else value

    return ByDtype(
        (np.dtype(dtype).char, Jit(function, fastmath, look_up=functools.partial(look_up, dtype)))
        for dtype in (np.float32, np.float64)
    )
