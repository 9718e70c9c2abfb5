"""Functions from generated source: compiled once, and their bytecode kept on disk as Python keeps that of files.

Comes before `door.py` and `rules.py`, which write the sources. There are some six hundred when minigrad is imported,
and Python's compiler would take half of the time of the import. So all bytecode is one entry of the cache of compiled
kernels: a dict from source to code object. A source that is not in it is compiled, and then the entry is written anew.

Equal sources share one code object: such functions differ only in their globals.
"""

from __future__ import annotations

import binascii
import functools
import importlib.util
import linecache
import marshal
import os
import sys

from minigrad.kernels.cache import read_entry, write_entry

_used: dict[str, object] = {}


def make(source, namespace, name):
    """The function that the source defines, under this name and with this namespace as its globals."""
    code = compiled(source)
    names = {"co_name": name} | ({"co_qualname": name} if hasattr(code, "co_qualname") else {})
    return type(make)(code.replace(**names), namespace, name)


def compiled(source):
    """The code object of a generated function; its text shows in tracebacks and in `inspect.getsource`."""
    code = _used.get(source)
    if code is None:
        filename = f"<minigrad door {binascii.crc32(source.encode()):08x}>"
        linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
        code = _kept().get(source)
        if code is None:
            module = compile(source, filename, "exec")
            code = next(const for const in module.co_consts if hasattr(const, "co_code"))
        _used[source] = code
    return code


def entry():
    """The name of the entry: of this Python and of this copy of minigrad."""
    copy = binascii.crc32(os.path.dirname(__file__).encode())
    return f"functions-{importlib.util.MAGIC_NUMBER.hex()}-{copy:08x}.code"


@functools.cache
def _kept():
    stored = read_entry(entry())
    return {} if stored is None else marshal.loads(stored)


def keep():
    """Write what has been compiled so far, if any of it is new; not where Python writes no bytecode either."""
    if not (sys.dont_write_bytecode or _used.keys() <= _kept().keys()):
        write_entry(entry(), marshal.dumps(_used))
