"""From the formula of an op to a NumPy ufunc.

An op says what it does to one number, `1 / (1 + exp(-input))`, and its rules say the same of its gradients. Here such a
formula becomes machine code that runs over whole arrays:

1. `formula.typed` gives the formula's code other globals and other literals. `exp` and `math.exp` become those that
   can be vector code, names of other ops their formulas; and `0.5` becomes a number of the arrays' dtype. (In numba
   a float32 times the literal 0.5 is a float64: one such literal makes a whole float32 formula run in float64, tens of
   times slower.) So a ufunc is made for one dtype.
2. A loop of the shape NumPy wants is built around it, compiled, kept on disk, and handed to NumPy as a ufunc. With
   it come broadcasting, `out=`, every memory layout, and 0.2 us per call. (`numba.vectorize` makes ufuncs as well, but
   compiles that loop anew in every process, and its vector code serves contiguous operands only.)

Before this: `formula.py`, `vecmath.py`. After it: the registry, which compiles what an op's block declares.
"""

import dis
import math
import threading
import types

import numpy as np

from minigrad.kernels.cache import DiskCache, referenced_names
from minigrad.kernels.dispatch import prefer_wide_vectors
from minigrad.kernels.formula import SCALAR_CALLS, typed
from minigrad.kernels.notice import compiling
from minigrad.kernels.threads import get_num_threads, share
from minigrad.kernels.vecmath import BLOCKS, JIT

LEAST = 1 << 18  # numbers that are worth a thread of their own
BLOCK = 512  # numbers per pass where an operand must be gathered first; a few KB, well inside the first-level cache

# What a formula that only hands its argument to a function is made of, in all versions of Python.
SINGLE_CALL = {
    *("RESUME", "LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD", "LOAD_FAST", "LOAD_FAST_BORROW", "PUSH_NULL", "PRECALL"),
    *("CALL", "CALL_FUNCTION", "CALL_METHOD", "RETURN_VALUE", "CACHE", "NOT_TAKEN"),
}

# Before Python 3.11 an operator had an instruction of its own.
OPERATORS = {"BINARY_POWER": "**", "BINARY_MODULO": "%", "BINARY_FLOOR_DIVIDE": "//"}

_lock = threading.RLock()
_made = {}


def compile_ufunc(function, nin, dtype, names=None, nout_dtype=None):
    """A NumPy ufunc that applies a formula to every element.

    Args:
        function (FunctionType): `nin` numbers in, one number out: arithmetic, comparisons, `a if c else b`, calls.
        nin (int): how many arguments it takes, an op's scalar attributes (`alpha`, ...) included.
        dtype: np.float32 or np.float64, for all arguments; or a sequence of `nin` dtypes, which may also have np.bool_
            (a mask) and integer types. The literals take the first of these that is a float dtype.
        names (dict | None): functions the formula may call, by name, besides those in `vecmath.JIT`; plain Python ones
            are formulas again.
        nout_dtype: of the result; by default the dtype of the literals.

    Returns:
        numpy.ufunc: with the one loop `dtype, ... -> nout_dtype`.

    Raises:
        TypeError: no float32 or float64 among the dtypes.
        numba.core.errors.TypingError: the formula uses something numba cannot compile.
    """
    dtypes = [np.dtype(t) for t in dtype] if isinstance(dtype, (tuple, list)) else [np.dtype(dtype)] * nin
    literal = next((t.type for t in dtypes if t.type in JIT), None)
    if literal is None or len(dtypes) != nin:
        raise TypeError(
            f"compile_ufunc({function.__qualname__}): expected {nin} dtypes, at least one of them float32 or float64, "
            f"but got {[t.name for t in dtypes]}"
        )
    kinds = (*dtypes, np.dtype(literal if nout_dtype is None else nout_dtype))
    used = _used(function, names)
    key = (function, kinds, tuple((name, id(value)) for name, value in used.items()))
    with _lock:
        if key not in _made:
            _made[key] = _compile(function, literal, kinds, names), used  # `used` too: its ids stay taken
        return _made[key][0]


def lazy(function, nin, dtype, names=None, on_ready=None, nout_dtype=None):
    """A stand-in for `compile_ufunc(function, nin, dtype, names, nout_dtype)` that compiles at its first call.

    `on_ready(ufunc)` is then called once, so that whoever holds the stand-in can put the ufunc in its place; until
    that is done the stand-in passes calls on.
    """
    ufunc = None

    def first_call(*args, **kwargs):
        nonlocal ufunc
        if ufunc is None:
            made = compile_ufunc(function, nin, dtype, names, nout_dtype)
            with _lock:
                first, ufunc = ufunc is None, made
            if first and on_ready is not None:
                on_ready(made)
        return ufunc(*args, **kwargs)

    first_call.__name__, first_call.__doc__ = function.__name__, function.__doc__
    return first_call


def over_threads(program):
    """A program for arrays as several threads compute it: large contiguous operands of a ufunc are shared out.

    With one thread allowed, and if it is no ufunc, that is the program itself. Whoever keeps the result has to ask
    again when that changes (`threads.on_change`).
    """
    if get_num_threads() == 1 or not isinstance(program, np.ufunc):
        return program

    def call(*args, **kwargs):
        arrays = [a for a in args if isinstance(a, np.ndarray) and a.ndim]
        shape = arrays[0].shape if arrays else ()
        alike = all(a.shape == shape and a.flags.c_contiguous for a in arrays)
        if kwargs or not alike or math.prod(shape) < 2 * LEAST:
            return program(*args, **kwargs)
        kinds = [a.dtype if isinstance(a, np.ndarray | np.generic) else type(a) for a in args]
        out = np.empty(shape, program.resolve_dtypes((*kinds, None))[-1])
        flat = [a.reshape(-1) if isinstance(a, np.ndarray) and a.ndim else a for a in (*args, out)]

        def part(first, last):
            *given, target = [a[first:last] if isinstance(a, np.ndarray) and a.ndim else a for a in flat]
            program(*given, out=target)

        share(part, out.size, LEAST)
        return out

    return call


def scalar_calls(function, names=None):
    """The functions a formula uses, itself or in the formulas it calls, that have no vector code here.

    With such a function (`sin`, `pow`, `%`, ...) the ufunc computes one number at a time, and the formula on arrays,
    with NumPy's own `sin`, is the faster one for more than a few numbers.

    Returns:
        frozenset[str]: a part of `formula.SCALAR_CALLS`; empty if the ufunc will be vector code.
    """
    used = _used(function, names)
    formulas = [function, *(value for value in used.values() if isinstance(value, types.FunctionType))]
    found = {name for formula in formulas for name in formula.__code__.co_names} | set(used)
    for formula in formulas:
        former = None
        for instruction in dis.get_instructions(formula.__code__):
            sign = OPERATORS.get(instruction.opname, instruction.argrepr)
            if sign in ("%", "//") or (sign == "**" and former.opname != "LOAD_CONST"):
                found.add("pow" if sign == "**" else "fmod")
            former = instruction
    return frozenset(found & SCALAR_CALLS)


def _used(function, names):
    """What the names of a formula, and of the formulas it calls, stand for; those of `JIT` left out."""
    names, used, waiting = names or {}, {}, [function]
    while waiting:
        formula = waiting.pop()
        cells = zip(formula.__code__.co_freevars, formula.__closure__ or ())
        found = {name: cell.cell_contents for name, cell in cells}
        for name in referenced_names(formula.__code__):
            if name not in JIT[np.float64]:
                found[name] = names.get(name, formula.__globals__.get(name))
        waiting += [v for name, v in found.items() if name not in used and isinstance(v, types.FunctionType)]
        used = found | used
    return used


def _compile(function, literal, kinds, names):
    from numba.core import types as numba_types
    from numba.core.ccallback import CFunc
    from numba.np.numpy_support import from_dtype
    from numba.np.ufunc._internal import PyUFunc_None, fromfunc

    formula, alone = typed(function, literal, names).inner, BLOCKS[literal].get(only_call(function))
    *inputs, output = map(from_dtype, kinds)
    loop = _loop(formula, alone and alone.inner, tuple(inputs), output)
    signature = (numba_types.voidptr,) * 4, numba_types.void

    class Loop(CFunc):
        def _compile_uncached(self):
            with compiling(self.__name__):
                return super()._compile_uncached()

    compiled = Loop(loop, signature, locals={}, options={"error_model": "numpy"})
    compiled._cache = DiskCache(loop, "ufunc")
    compiled.compile()
    numbers = [kind.num for kind in kinds]
    return fromfunc(
        function.__name__, function.__doc__, [compiled.address], [numbers], len(inputs), 1, [None],
        [compiled],  # keeps the machine code as long as the ufunc lives
        PyUFunc_None,
    )  # fmt: skip


def only_call(function):
    """The name of the function that a formula hands its one argument to, if that is all it does; else None."""
    code = function.__code__
    calls = [i.argval for i in dis.get_instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_ATTR", "LOAD_METHOD")]
    others = {i.opname for i in dis.get_instructions(code)} - SINGLE_CALL
    return calls[-1] if calls and calls[:-1] in ([], ["math"]) and not others and code.co_argcount == 1 else None


def has_own_loop(function):
    """Whether a formula does nothing but call a function that `vecmath` has a loop of its own for."""
    return only_call(function) in BLOCKS[np.float32]


def _loop(formula, alone, inputs, output):
    """The function behind a ufunc: `void loop(char **args, npy_intp *dims, npy_intp *steps, void *data)`.

    `formula` is for a number, `alone` (or None) the same for a block of contiguous ones.
    """
    from numba.core import types as numba_types
    from numba.extending import intrinsic

    @intrinsic
    def run(typing, args, dims, steps):
        single = formula if alone is None else alone
        arguments = inputs
        if alone is not None:
            arguments = tuple(numba_types.Array(kind, 1, "C") for kind in (*inputs, output))
        single.compile(arguments)
        compiled = single.overloads[arguments]

        def generate(context, builder, signature, values):
            context.active_code_library.add_linking_library(compiled.library)
            _emit(context, builder, compiled, (*inputs, output), alone is not None, *values)
            return context.get_dummy_value()

        return numba_types.void(args, dims, steps), generate

    def loop(args, dims, steps, data):
        run(args, dims, steps)

    loop.__name__ = loop.__qualname__ = formula.__name__
    return loop


def _emit(context, builder, compiled, kinds, in_blocks, args, dims, steps):
    """Write the loop's LLVM code.

    The arithmetic is one loop over contiguous operands, which LLVM vectorises. An operand that is not contiguous, a
    broadcast number above all, is first copied to a buffer, `BLOCK` numbers at a time; so is the result on its way out:

        for start in range(0, count, block):              # block = count if nothing has to be copied
            for every input k that is not contiguous: gather it into buffer[k]
            for i in range(length): to[i] = formula(from_0[i], from_1[i], ...)
            if the output is not contiguous: scatter buffer[-1]

    An output that is one of the inputs (`x.tanh_()`) goes through its buffer too: LLVM's vector code first checks that
    reading and writing do not overlap, and would find that they do.
    """
    from llvmlite import ir
    from numba.core import cgutils
    from numba.core import types as numba_types
    from numba.np.arrayobj import populate_array

    prefer_wide_vectors(builder)
    word = context.get_value_type(numba_types.intp)
    zero, output = word(0), len(kinds) - 1
    elements = [context.get_data_type(kind) for kind in kinds]
    bytes_ = ir.IntType(8).as_pointer()

    def entry(table, k, of):
        return builder.load(builder.gep(builder.bitcast(table, of.as_pointer()), [word(k)]))

    def element(k, base, offset):
        return builder.bitcast(builder.gep(base, [offset]), elements[k].as_pointer())

    def array(kind, pointer, size):
        made, length_here = context.make_array(kind)(context, builder), cgutils.pack_array(builder, [length])
        step = cgutils.pack_array(builder, [size])
        populate_array(made, data=pointer, shape=length_here, strides=step, itemsize=size, meminfo=None)
        return made._getvalue()

    bases = [entry(args, k, bytes_) for k in range(len(kinds))]
    strides = [entry(steps, k, word) for k in range(len(kinds))]
    count = entry(dims, 0, word)
    buffers = [cgutils.alloca_once(builder, of, size=BLOCK) for of in elements]

    sizes = [word(context.get_abi_sizeof(of)) for of in elements]
    dense = [builder.icmp_signed("==", stride, size) for stride, size in zip(strides, sizes)]
    direct = dense.copy()
    for base in bases[:output]:
        direct[output] = builder.and_(direct[output], builder.icmp_unsigned("!=", bases[output], base))
    block = word(BLOCK) if in_blocks else count
    for is_direct in direct:
        block = builder.select(is_direct, block, word(BLOCK))

    with cgutils.for_range_slice(builder, zero, count, block, word) as (start, _):
        rest = builder.sub(count, start)
        length = builder.select(builder.icmp_signed("<", rest, block), rest, block)
        pointers = []
        for k in range(len(kinds)):
            here = builder.gep(bases[k], [builder.mul(start, strides[k])])
            if k < output:
                changes = builder.or_(
                    builder.icmp_signed("==", start, zero), builder.icmp_signed("!=", strides[k], zero)
                )
                with (
                    builder.if_then(builder.and_(builder.not_(direct[k]), changes)),
                    cgutils.for_range(builder, length) as loop,
                ):
                    value = builder.load(element(k, here, builder.mul(loop.index, strides[k])))
                    builder.store(value, builder.gep(buffers[k], [loop.index]))
            pointers.append(builder.select(direct[k], element(k, here, zero), buffers[k]))

        function = context.declare_function(builder.module, compiled.fndesc)
        signature = compiled.signature
        # A formula raises nothing (division follows NumPy), so the status of a call is not looked at.
        if in_blocks:
            blocks = [array(*each) for each in zip(signature.args, pointers, sizes)]
            context.call_conv.call_function(builder, function, signature.return_type, signature.args, blocks)
        else:
            with cgutils.for_range(builder, length) as loop:
                places = [builder.gep(pointer, [loop.index]) for pointer in pointers]
                numbers = [context.unpack_value(builder, kind, place) for kind, place in zip(kinds[:output], places)]
                _, value = context.call_conv.call_function(
                    builder, function, signature.return_type, kinds[:output], numbers
                )
                value = context.cast(builder, value, signature.return_type, kinds[output])
                context.pack_value(builder, kinds[output], value, places[output])

        with builder.if_then(builder.not_(direct[output])), builder.if_else(dense[output]) as (in_place, strided):
            with in_place:
                cgutils.raw_memcpy(builder, element(output, here, zero), buffers[output], length, sizes[output])
            with strided, cgutils.for_range(builder, length) as loop:
                value = builder.load(builder.gep(buffers[output], [loop.index]))
                builder.store(value, element(output, here, builder.mul(loop.index, strides[output])))
