"""Kernels: an operation on ndarrays, defined by NumPy and, where that is faster, repeated in numba.

    @kernel                        # the NumPy twin is the definition, and serves where numba would not be faster
    def log_softmax(x, axis): ...

    @log_softmax.numba             # same name, same signature, same result; compiled at the first call
    def log_softmax(x, axis): ...

    @jit                           # a loop that numba twins call
    def row_max(x, start, stop): ...

Which of the two answers is a matter of the backend: "numpy" always the twin, "numba" always the numba one if there is
one, "auto" (the default) numba unless the twin's author said when it does not pay (`when=`). The environment variable
MINIGRAD_BACKEND sets it for a whole program. Nothing here imports numba before something has to be compiled, and every
compilation is kept on disk (`cache.py`).

How a call stays cheap: `__call__` is a *slot* of the instance, not a method of the class. Python finds the slot on the
type and calls what this kernel has put there, so once a kernel knows its function, calling the kernel is calling that
function (40 ns more, against 100 for a method that forwards). Changing the backend puts the resolver back in the slot.

Before this: `cache.py`. After it: every module of kernels.
"""

import contextlib
import functools
import inspect
import os
import threading
import types

import numpy as np

from minigrad.kernels.cache import DiskCache, referenced_names
from minigrad.kernels.notice import compiling

BACKENDS = ("numpy", "numba", "auto")
FLOATS = frozenset({np.dtype(np.float32), np.dtype(np.float64)})  # what most numba twins compute in
FASTMATH = frozenset({"contract", "nsz", "arcp", "reassoc"})
KERNELS = {}

_lock = threading.RLock()
_state = {"backend": os.environ.get("MINIGRAD_BACKEND", "auto")}
if _state["backend"] not in BACKENDS:
    raise ValueError(f"MINIGRAD_BACKEND: expected 'numpy', 'numba' or 'auto', but got {_state['backend']!r}")
_watchers = []
_building = []  # the Jits whose names are being resolved, outermost first


def get_backend():
    """The name of the backend in use: "numpy", "numba" or "auto"."""
    return _state["backend"]


def set_backend(name):
    """Choose who computes, for the whole process and all its threads.

    Args:
        name (str): "numpy" (always the NumPy twin), "numba" (always the numba twin, where a kernel has one) or
            "auto" (numba where it is faster; the default).

    Raises:
        ValueError: `name` is none of the three.
    """
    if name not in BACKENDS:
        raise ValueError(f"set_backend(): expected name to be one of 'numpy', 'numba', 'auto', but got {name!r}")
    with _lock:
        if name == _state["backend"]:
            return  # what was chosen so far stays chosen
        _state["backend"] = name
        for known in KERNELS.values():
            known.reset()
        for callback in _watchers:
            callback()


@contextlib.contextmanager
def backend(name):
    """Context manager (and decorator): `set_backend(name)` inside, the former backend again afterwards."""
    former = get_backend()
    set_backend(name)
    try:
        yield
    finally:
        set_backend(former)


def on_change(callback):
    """Call `callback()` after every change of backend: for whoever keeps functions chosen for the one before.

    Returns `callback`, so this can be used as a decorator.
    """
    _watchers.append(callback)
    return callback


def same_signature(first, second):
    """Whether two functions take the same parameters: names, order, kinds and defaults (annotations apart)."""

    def parameters(function):  # `inspect.signature` would say it too, in ten times the time, at each import
        code = function.__code__
        count = code.co_argcount + code.co_kwonlyargcount + bool(code.co_flags & 4) + bool(code.co_flags & 8)
        kinds = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & 12
        return code.co_varnames[:count], kinds, repr(function.__defaults__), repr(function.__kwdefaults__)

    return parameters(first) == parameters(second)


def _checked_flags(fastmath):
    flags = FASTMATH if fastmath is True else frozenset(fastmath or ())
    if not flags <= FASTMATH:
        # nnan, ninf and "fast" would let the compiler assume NaN and inf away: NumPy's results must come out.
        raise ValueError(f"fastmath: expected a subset of {sorted(FASTMATH)}, but got {sorted(flags - FASTMATH)}")
    return flags


class Jit:
    """A function compiled by numba at its first call; made by `jit`.

    `dispatcher` is numba's own object. `py_func` is the function as written. Calling a `Jit` from Python is calling
    its dispatcher; from another `Jit` or a numba twin it is a direct call that LLVM can inline.
    `look_up(name, function)` gives the function's globals, or raises KeyError; by default they are its module's.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")

    def __init__(self, function, fastmath=(), inline=False, look_up=None, constants=True):
        functools.update_wrapper(self, function)
        self.py_func, self.inline, self.constants = function, inline, constants
        self._fastmath, self._look_up = _checked_flags(fastmath), look_up or _global
        self._made = {}  # numba's dispatchers, by `inner`
        self.__call__ = self._first_call

    def _first_call(self, *args, **kwargs):
        self.__call__ = self.dispatcher
        return self(*args, **kwargs)

    @property
    def dispatcher(self):
        """numba's dispatcher, to be called from Python: compiles for the types of the arguments, then calls."""
        return self._dispatcher(inner=False)

    @property
    def inner(self):
        """The same for calls from compiled code. Without an entry for Python it takes a sixth less time to compile."""
        return self._dispatcher(inner=True)

    def _dispatcher(self, inner):
        with _lock:  # always: while names are being resolved the unfinished one is there already
            if inner not in self._made:
                self._build(inner)
            return self._made[inner]

    def _build(self, inner):
        """Store a compile-on-call dispatcher: globals resolved, machine code cached on disk.

        Two functions that call one another in a circle are refused: numba's code for them does not survive the disk.
        """
        import numba

        _report_compilations()
        function, names = self.py_func, {"__name__": self.py_func.__module__, "__builtins__": __builtins__}
        cells = function.__closure__ and tuple(types.CellType() for _ in function.__closure__)
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
        copy.__qualname__, copy.__kwdefaults__ = function.__qualname__, function.__kwdefaults__
        options = {"fastmath": set(self._fastmath) or False, "forceinline": self.inline}
        options |= {"no_cpython_wrapper": inner, "no_cfunc_wrapper": True}  # an entry for C is never used
        made = numba.njit(error_model="numpy", nogil=True, **options)(copy)
        if not self.constants:
            _widen_constants(made)
        self._made[inner] = made  # before the names are resolved: the function may call itself
        _building.append(self)
        try:
            for name in referenced_names(function.__code__):
                with contextlib.suppress(KeyError):
                    names[name] = resolved(self._look_up(name, function))
            for cell, written in zip(cells or (), function.__closure__ or ()):
                cell.cell_contents = resolved(written.cell_contents)
        except BaseException:
            del self._made[inner]
            raise
        finally:
            _building.pop()
        made._cache = DiskCache(copy, (sorted(self._fastmath), self.inline, inner))

    def __reduce__(self):
        return self.__qualname__  # pickled as the global it is

    def __repr__(self):
        return f"<jit {self.__module__}.{self.__qualname__}>"


def _widen_constants(dispatcher):
    """Have numba compile calls with constants in the version for numbers of their type."""
    from numba.core.types import unliteral

    usual = dispatcher.get_call_template
    dispatcher.get_call_template = lambda args, kws: usual([unliteral(kind) for kind in args], kws)


@functools.cache
def _report_compilations():
    """Have numba tell `notice.py` whenever it compiles a function of ours."""
    from numba.core import event

    begun = []

    class Reporter(event.Listener):
        def on_start(self, report):
            begun.append(contextlib.ExitStack())
            if isinstance(report.data["dispatcher"]._cache, DiskCache):
                begun[-1].enter_context(compiling(report.data["dispatcher"].__name__))

        def on_end(self, report):
            begun.pop().close()

    event.register("numba:compile", Reporter())


def jit(function=None, *, fastmath=(), inline=False, constants=True):
    """Decorator: a helper for numba kernels, compiled when it is first needed.

    It may use `jit` helpers and kernels of any module, later ones of its own included, by their global names
    (`from module import helper`; `module.helper` is not seen). Compiled with NumPy's rules for division and without
    the interpreter lock.

    Args:
        function (Callable): what numba's nopython mode can compile.
        fastmath (Iterable[str] | bool): liberties LLVM may take, out of "contract", "nsz", "arcp" and "reassoc";
            True is all four. Never the ones that assume NaN or inf away.
        inline (bool): make it part of the code that calls it, however large: a loop that calls is no vector code.
        constants (bool): compile it apart for every constant integer that it is called with from compiled code, as
            numba does. That makes vector code of loops of known length; otherwise it only takes time.

    Raises:
        ValueError: `fastmath` asks for another flag.
    """
    if function is None:
        return functools.partial(jit, fastmath=fastmath, inline=inline, constants=constants)
    return Jit(function, fastmath, inline, constants=constants)


class Intrinsic:
    """A function that writes LLVM code where it is called; made by `intrinsic`. `made` is numba's own object."""

    def __init__(self, function):
        functools.update_wrapper(self, function)
        self.function = function

    @functools.cached_property
    def made(self):
        from numba.extending import intrinsic

        return intrinsic(self.function)

    def __reduce__(self):
        return self.__qualname__  # pickled as the global it is


def intrinsic(function):
    """numba's `extending.intrinsic`, without importing numba: for `jit` functions to call."""
    return Intrinsic(function)


@intrinsic
def widest(typing):
    """In a `jit` function: its loops may use the widest vectors that the processor has. (For processors of which some
    slow down with 512 bits, LLVM takes 256; a loop that computes much with each number is faster with 512.)"""
    from numba.core import types as numba_types

    def generate(context, builder, signature, values):
        prefer_wide_vectors(builder)
        return context.get_dummy_value()

    return numba_types.void(), generate


def prefer_wide_vectors(builder):
    """What `widest` says, of the function that `builder` is writing."""
    # llvmlite knows attributes without a value only, and writes any text as it is.
    set.add(builder.function.attributes, '"prefer-vector-width"="512"')


def resolved(value):
    """What numba has to see in place of `value`: the dispatcher of a `Jit` or `Kernel`, anything else as it is."""
    if isinstance(value, Intrinsic):
        return value.made
    if isinstance(value, Kernel):
        value = value.compiled
        if not isinstance(value, Jit):
            raise TypeError("a numba kernel can call another kernel only if that has a compiled numba twin")
    if isinstance(value, Jit):
        if value in _building and value is not _building[-1]:
            raise TypeError(f"numba kernels may not call one another in a circle: {_building[-1]} -> {value}")
        return value.inner
    return value


def _global(name, function):
    """The value of the global `name` of `function`; KeyError if it is a builtin, an attribute or nothing."""
    return function.__globals__[name]


class Kernel:
    """An operation on ndarrays: a NumPy twin and, possibly, a numba one. Made by `kernel`; call it like a function.

    Attributes:
        name (str): the function's name, its key in `KERNELS`.
        twin (Callable): the NumPy definition.
        compiled (Jit | Callable | None): the numba twin: a `Jit`, or a Python function that calls some.
        when (Callable | None): takes the kernel's arguments; False means that NumPy is faster for these.
        samples (Callable | None): takes a size (int), gives a tuple of arguments for the tests and the bench.
    """

    __slots__ = ("__call__", "__dict__", "__weakref__")

    def __init__(self, twin, samples=None):
        functools.update_wrapper(self, twin)
        self.name, self.twin, self.samples = twin.__name__, twin, samples
        self.compiled = self.when = None
        self.reset()

    def numba(self, function=None, *, when=None, python=False, half=False, fastmath=()):
        """Decorator: give the kernel its numba twin. Returns the kernel, which takes the same global name.

        Args:
            function (Callable): same name and signature as the NumPy twin.
            when (Callable | None): takes the kernel's arguments and says whether numba is faster for them; asked in
                the "auto" backend only.
            python (bool): `function` is left a Python function (one that prepares buffers and calls `jit` loops).
            half (bool): a Python `function` takes float16 arrays, too. Otherwise the NumPy twin answers for these, as
                numba has no half precision; the question costs a call.
            fastmath: as in `jit`.

        Raises:
            TypeError: another name or another signature than the NumPy twin's.
        """
        if function is None:
            options = {"when": when, "python": python, "half": half, "fastmath": fastmath}
            return functools.partial(self.numba, **options)
        if function.__name__ != self.name or not same_signature(function, self.twin):
            raise TypeError(
                f"{self.name}.numba: the numba twin must be declared as "
                f"{self.name}{inspect.signature(self.twin)}, but got {function.__name__}{inspect.signature(function)}"
            )
        self.compiled = function if python else Jit(function, fastmath)
        self.when, self._half = when, half
        self.reset()
        return self

    def reset(self):
        """Forget who answers, after the backend has changed."""
        if self.compiled is None or get_backend() == "numpy":
            self.__call__ = self.twin
        else:
            self.__call__ = self._first_call

    def _first_call(self, *args, **kwargs):
        with _lock:
            if get_backend() != "numpy":  # another thread may have changed it since the call began
                call = self.compiled
                if get_backend() == "auto" and self.when is not None:
                    self.__call__ = _chooser(self.when, call, self.twin)  # may never come to compile anything
                    return self(*args, **kwargs)
                if isinstance(call, Jit):
                    call = call.dispatcher
                self.__call__ = call if self._half else _without_half(call, self.twin)
        return self(*args, **kwargs)

    def __reduce__(self):
        return self.__qualname__  # pickled as the global it is

    def __repr__(self):
        return f"<kernel {self.__module__}.{self.__qualname__}>"


HALF = np.dtype(np.float16)


def _without_half(compiled, twin):
    """`compiled`, but the twin for float16 arrays: numba has no half precision."""
    return _answering("TWIN if getattr({first}, 'dtype', None) is HALF else COMPILED", twin, compiled)


def _chooser(when, compiled, twin):
    """`compiled` where `when` says so of the arguments, and they are not float16."""
    pays = "WHEN({names}) and getattr({first}, 'dtype', None) is not HALF"
    return _answering(f"COMPILED if {pays} else TWIN", twin, compiled, when)


def _answering(choice, twin, compiled, when=None):
    """A function of the twin's parameters that hands them to what `choice`, an expression, names. Written out, it costs
    half of what one with ``*args, **kwargs`` does."""
    code = twin.__code__
    if code.co_kwonlyargcount or code.co_flags & 12 or not code.co_argcount:
        raise TypeError(f"kernel {twin.__name__}: expected one parameter at least, and none with stars or after one")
    names = code.co_varnames[: code.co_argcount]
    source = f"lambda {{names}}: ({choice})({{names}})".format(names=", ".join(names), first=names[0])
    function = eval(source, {"TWIN": twin, "COMPILED": compiled, "WHEN": when, "HALF": HALF})
    function.__defaults__ = twin.__defaults__
    return function


def kernel(twin=None, *, samples=None):
    """Decorator: declare a kernel by its NumPy twin, and enter it in `KERNELS`.

    Args:
        twin (Callable): ndarrays in, ndarrays out, in plain NumPy.
        samples (Callable | None): takes a size (int), gives a tuple of arguments for the tests and the bench.

    Raises:
        ValueError: another module already has a kernel of that name.
    """
    if twin is None:
        return functools.partial(kernel, samples=samples)
    known = KERNELS.get(twin.__name__)
    if known is not None and (known.__module__, known.__qualname__) != (twin.__module__, twin.__qualname__):
        raise ValueError(
            f"kernel {twin.__name__!r} of {twin.__module__} is already defined in {known.__module__}; rename one"
        )
    KERNELS[twin.__name__] = made = Kernel(twin, samples)
    return made
