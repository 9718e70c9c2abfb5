"""The disk cache of compiled kernels.

numba brings a cache of its own, but it stamps an entry with the one file that holds the function: edit a helper in
another file and yesterday's machine code is served for today's source. It also tells two functions apart by file and
line, so functions rebuilt from one code object (the same formula for float32 and float64) would share an entry, and
two processes writing at once can hand out the same file name for different signatures.

Here an entry is one file, and its name is a digest of everything the machine code depends on: the bytecode, constants
and names of the function and of everything it reaches (helpers in any module, intrinsics, global constants), the
signature, the options, the processor, and the versions of Python, numba, llvmlite and NumPy. A change anywhere gives
another name, hence a fresh compilation; files nobody has used for a month are removed. A file is written under
a temporary name and moved into place, so a reader never sees half of one, and it begins with a checksum: a damaged one
counts as missing.

Before this: `notice.py`. After it: `dispatch.py`, which attaches a `DiskCache` to every function it compiles;
`llvm.py` and `autograd/sources.py`, which keep machine code and bytecode here.
"""

import binascii
import contextlib
import dis
import functools
import importlib.util
import os
import pickle
import sys
import threading
import time
import types

import numpy as np

from minigrad.kernels.notice import compiling, say

FORMAT = 2  # raise when what is stored in an entry changes
UNUSED_SECONDS = 30 * 24 * 3600
DAY = 24 * 3600
_FOREIGN = frozenset({"numpy", "numba", "llvmlite", "builtins", "math", "operator", "ctypes", "functools"})


# --------------------------------------------------------------------------------------------------------------------
# The folder


def cache_root():
    """The folder this user's compiled kernels are written to, as a `Path`; None if none can be written.

    `$NUMBA_CACHE_DIR/minigrad` if that variable is set, else `minigrad` in the user's cache folder
    (`$XDG_CACHE_HOME`, `%LOCALAPPDATA%`, `~/.cache`), else, if that cannot be written, one in the system's folder for
    temporary files.
    """
    from pathlib import Path  # a good part of the time of `import minigrad`, which gets along without it

    folder = _find_folders()[1]
    return None if folder is None else Path(folder)


def _find_folders():
    """The folders entries may be read from (one prepared ahead may be read-only), and the one they are written to."""
    readable = []
    for folder in _candidates():
        with contextlib.suppress(OSError):
            os.makedirs(folder, mode=0o700, exist_ok=True)
        with contextlib.suppress(OSError):
            # Entries are run: never read them from a folder that another user could have prepared.
            if os.name == "nt" or os.stat(folder).st_uid in (os.getuid(), 0):
                readable.append(folder)
                if os.access(folder, os.W_OK | os.X_OK):
                    return readable, folder
    return readable, None


def _candidates():
    environment, home = os.environ, os.path.expanduser("~")
    if environment.get("NUMBA_CACHE_DIR"):
        yield os.path.join(os.path.abspath(environment["NUMBA_CACHE_DIR"]), "minigrad")
    if environment.get("XDG_CACHE_HOME"):
        yield os.path.join(os.path.abspath(environment["XDG_CACHE_HOME"]), "minigrad")
    elif os.name == "nt" and environment.get("LOCALAPPDATA"):
        yield os.path.join(environment["LOCALAPPDATA"], "minigrad", "cache")
    elif os.path.isabs(home):  # otherwise none is known
        yield os.path.join(home, ".cache", "minigrad")
    import tempfile

    name = f"minigrad-{os.getuid() if hasattr(os, 'getuid') else 'cache'}"
    with contextlib.suppress(OSError):  # nothing at all can be written
        yield os.path.join(tempfile.gettempdir(), name)


@functools.cache
def _folders():
    """This process's folders, as `_find_folders` gives them; old entries removed, once a day."""
    readable, folder = _find_folders()
    if folder is not None:
        with contextlib.suppress(OSError):
            _remove_old(folder)
    return readable, folder


def _remove_old(folder):
    now, mark = time.time(), os.path.join(folder, "cleaned")
    if os.path.exists(mark) and os.path.getmtime(mark) > now - DAY:
        return
    with open(mark, "w"):
        pass
    for entry in os.scandir(folder):
        with contextlib.suppress(OSError):  # another process may have removed it first
            is_ours = ".nbc" in entry.name or ".code" in entry.name
            if is_ours and entry.stat().st_mtime < now - UNUSED_SECONDS:
                os.unlink(entry)


def read_entry(name):
    """What `write_entry` stored under this name, as bytes; None if it is missing, damaged or cannot be read."""
    for folder in _folders()[0]:
        path = os.path.join(folder, name)
        with contextlib.suppress(OSError):
            with open(path, "rb") as file:
                checksum, data = file.read(4), file.read()
            with contextlib.suppress(OSError):  # a folder prepared ahead may be read-only
                os.utime(path)  # the date of the last use
            if _checksum(data) == checksum:
                return data
    return None


def write_entry(name, data):
    """Store the bytes under a name. Returns why that was impossible (no folder, a full disk), None if it went well."""
    folder = _folders()[1]
    if folder is None:
        return "no folder for it can be written"
    path = os.path.join(folder, name)
    temporary = f"{path}.{os.getpid()}.{threading.get_ident()}"
    try:
        os.makedirs(folder, mode=0o700, exist_ok=True)  # somebody may have emptied the cache meanwhile
        try:
            with open(temporary, "wb") as file:
                file.write(_checksum(data))
                file.write(data)
            os.replace(temporary, path)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        return f"{folder}: {error.strerror or error}"
    return None


def _checksum(data):
    return binascii.crc32(data).to_bytes(4, "little")


# --------------------------------------------------------------------------------------------------------------------
# What machine code depends on


def _digest(data):
    import hashlib  # loads OpenSSL; not needed where nothing is compiled

    return hashlib.sha256(data).hexdigest()


@functools.cache
def _versions():
    import llvmlite
    import numba

    return f"{FORMAT} {sys.version} {numba.__version__} {llvmlite.__version__} {np.__version__}"


@functools.cache
def referenced_names(code):
    """The global names that a code object and the functions nested in it read, in the order of first use."""
    names = {}
    for instruction in dis.get_instructions(code):
        if instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME"):
            names[instruction.argval] = None
        elif isinstance(instruction.argval, types.CodeType):
            names.update(dict.fromkeys(referenced_names(instruction.argval)))
    return tuple(names)


def fingerprint(function):
    """Hex digest of all that decides what `function` computes: its code and, transitively, what its names refer to.

    Line numbers, comments and file names do not enter, so moving a kernel does not recompile it.
    """
    parts, seen = [], {}
    _describe(function, parts.append, seen)
    return _digest("\n".join(parts).encode())


def _describe(value, write, seen):
    """Write a text for `value` that is equal in two processes exactly when the compiled meaning is."""
    if isinstance(value, (type(None), bool, int, float, complex, str, bytes, type(Ellipsis))):
        write(f"{type(value).__name__} {value!r}")
        return
    if id(value) in seen:  # recursion, or a helper used twice
        write(f"again {seen[id(value)][0]}")
        return
    seen[id(value)] = len(seen), value  # the value too, or its id could be given to another
    function = getattr(value, "py_func", None) or getattr(value, "_defn", None)  # a numba dispatcher, an intrinsic
    if function is not None:
        options = getattr(value, "targetoptions", {})
        write(f"compiled {sorted((name, sorted(v) if isinstance(v, set) else v) for name, v in options.items())}")
        _describe(function, write, seen)
    elif isinstance(value, types.FunctionType):
        _describe_function(value, write, seen)
    elif isinstance(value, types.CodeType):
        _describe_code(value, write, seen)
    elif isinstance(value, (tuple, list)):
        write(f"{type(value).__name__} {len(value)}")
        for item in value:
            _describe(item, write, seen)
    elif isinstance(value, frozenset):  # its order changes from process to process
        write("frozenset " + " ".join(sorted(repr(item) for item in value)))
    elif isinstance(value, types.ModuleType):
        write(f"module {value.__name__}")
    elif isinstance(value, (np.ndarray, np.generic)):  # NumPy scalars and arrays are compiled in
        write(f"{type(value).__name__} {value.dtype} {value.shape} {_digest(value.tobytes())}")
    else:  # a class, a numba type, a ufunc: known by its name and the file it comes from
        kind = value if isinstance(value, type) else type(value)
        name = getattr(value, "__qualname__", None) or getattr(value, "__name__", None) or str(value)
        write(f"{kind.__module__}.{kind.__qualname__} {name}")
        _describe_source(getattr(value, "__module__", None) or kind.__module__, write)


def _describe_function(function, write, seen):
    write(f"function {function.__module__} {function.__qualname__}")
    _describe(function.__code__, write, seen)
    _describe(function.__defaults__, write, seen)
    for cell in function.__closure__ or ():
        _describe(cell.cell_contents, write, seen)
    for name in referenced_names(function.__code__):
        if name in function.__globals__:
            write(f"global {name}")
            _describe(function.__globals__[name], write, seen)
            _describe_attributes(function.__globals__[name], function.__code__, write, seen)


def _describe_attributes(module, code, write, seen):
    """What the code may read from a module: `co_names` has the attributes' names among others."""
    if isinstance(module, types.ModuleType):
        for name in code.co_names:
            value = getattr(module, name, None)
            if value is not None:
                write(f"attribute {module.__name__}.{name}")
                _describe(value, write, seen)
                _describe_attributes(value, code, write, seen)


def _describe_code(code, write, seen):
    write(f"code {code.co_name} {code.co_argcount} {code.co_flags} {code.co_code.hex()}")
    write(f"names {code.co_names} {code.co_varnames} {code.co_freevars} {code.co_cellvars}")
    for name in code.co_names:
        if name.startswith("minigrad."):  # a module of ours imported inside the function: it, or a name in it
            for module in (name, *(f"{name}.{other}" for other in code.co_names)):
                _describe_source(module, write)
    for constant in code.co_consts:
        _describe(constant, write, seen)


def _describe_source(module, write):
    """Where meaning cannot be read off a value, the whole source file of its module stands for it."""
    if module.partition(".")[0] not in _FOREIGN:
        write(f"source {module} {_source_digest(module)}")


@functools.cache
def _source_digest(module):
    try:
        with open(importlib.util.find_spec(module).origin, "rb") as file:
            return _digest(file.read())
    except (ImportError, ValueError, AttributeError, OSError):  # no such module, or one without a file
        return ""


# --------------------------------------------------------------------------------------------------------------------
# Machine code


def stored(name, key, make):
    """The bytes that `make()` compiles, from disk if an entry of this name and this text `key` is there."""
    entry = f"{name}-{_digest(f'{_versions()} {key}'.encode())[:40]}.nbc"
    code = read_entry(entry)
    if code is None:
        with compiling(name):
            code = make()
        _keep(entry, code)
    return code


def _keep(name, code):
    """Store machine code. If that is impossible it costs only the next compilation, and a line on stderr."""
    reason = write_entry(name, code)
    if reason:
        say(
            f"compiled kernels cannot be kept ({reason}), so the next process compiles them again. Set the environment "
            "variable NUMBA_CACHE_DIR to a folder that can be written."
        )
    elif (folder := _folders()[1]) != (wanted := next(_candidates())):
        say(f"{wanted} cannot be written; compiled kernels are kept in {folder}.")


class DiskCache:
    """The cache of one function, in the form numba's dispatchers ask for (`load_overload`, `save_overload`)."""

    def __init__(self, function, options):
        self.function, self.options = function, options

    @functools.cached_property
    def _function_digest(self):
        return fingerprint(self.function)

    @property
    def cache_path(self):
        """The folder the entries are in."""
        return _folders()[1] or ""

    def name(self, signature, codegen):
        """The name of the file that holds, or would hold, the machine code of `signature`."""
        key = f"{_versions()}\n{self._function_digest}\n{self.options!r}\n{signature!r}\n{codegen.magic_tuple()!r}"
        return f"{self.function.__name__}-{_digest(key.encode())[:40]}.nbc"

    def load_overload(self, signature, target):
        """The stored result for `signature`, or None."""
        from numba.core.compiler import CompileResult

        target.refresh()
        stored = read_entry(self.name(signature, target.codegen()))
        if stored is None:
            return None
        try:
            parts = pickle.loads(stored)
        except Exception:  # whole, yet from another world: compile again and overwrite it
            return None
        return CompileResult._rebuild(target, *parts)

    def save_overload(self, signature, result):
        """Store a compiled result."""
        from numba.core.serialize import dumps

        if result.library.has_dynamic_globals or any(not lifted.can_cache for lifted in result.lifted):
            return
        _keep(self.name(signature, result.library.codegen), dumps(result._reduce()))

    def flush(self):
        """numba calls this from `recompile()`: forget what is on disk for this function."""
        folder = _folders()[1]
        for entry in os.scandir(folder) if folder else ():
            if entry.name.startswith(f"{self.function.__name__}-"):
                os.unlink(entry)
