"""A reader of pickles that makes tensors and plain containers, and nothing else that has not been allowed by name.

A pickle is a program for a small stack machine. Python's own machine imports what the program names and calls what it
says; made to refuse some names it would still write attributes of classes, reserve memory for claimed sizes, and call
methods of whatever lies on its stack. So this is a machine of its own: it knows the instructions that data need, calls
only functions of a table (and what the user allowed), changes only containers that it made itself, and takes no
attribute of anything.
"""

from __future__ import annotations

import pickle
import struct
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Callable

from minigrad import dtypes
from minigrad.serialization.names import torch_name
from minigrad.serialization.rebuild import VALUES, with_state

__all__ = ["Source", "Unpickler", "allowed_by_user", "is_allowed_by_default", "names_in"]

BLOCKED = ("sys", "os", "posix", "nt")  # modules of which nothing is taken, whoever allows it
TOO_MANY = 10_000  # parts of a dict's key: nested tuples can stand for more than all time would hash


# ---- what may be called --------------------------------------------------------------------------------------------


def encoded(text, encoding):
    """How protocol 2 writes bytes."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes in the encoding {encoding!r}")
    return text.encode("latin1")


def _of_list(make):
    """`make`, for a list that the pickle holds (a number would mean: so many zeros)."""

    def function(*arguments):
        if len(arguments) > 1 or not all([type(each) in (list, dict) for each in arguments]):
            raise pickle.UnpicklingError(f"{make.__name__}() of something that is no list")
        for key in arguments[0] if arguments else ():
            check_key(key[0] if make is OrderedDict else key)
        return make(*arguments)

    return function


def made_bytearray(data=b"", encoding=None):
    if type(data) not in (bytes, str):
        raise pickle.UnpicklingError("bytearray() of something that is no bytes")
    return bytearray(data if isinstance(data, bytes) else encoded(data, encoding))


def made_device(*arguments):
    try:
        return dtypes.device(*arguments)
    except RuntimeError as error:
        raise pickle.UnpicklingError(str(error)) from None


FUNCTIONS = {
    "collections.OrderedDict": _of_list(OrderedDict), "collections.Counter": _of_list(Counter),
    "builtins.set": _of_list(set), "builtins.complex": lambda real, imag: complex(float(real), float(imag)),
    "builtins.bytearray": made_bytearray, "builtins.bytes": lambda: b"", "_codecs.encode": encoded,
    "torch.Size": dtypes.Size, "torch.device": made_device,
}  # fmt: skip


def is_allowed_by_default(name, functions) -> bool:
    return name in FUNCTIONS or name in VALUES or name in functions


def allowed_by_user(safe_globals):
    """{full name: object} of what `add_safe_globals` was given: functions, classes, or (one of these, name) pairs."""
    named = {}
    for each in safe_globals:
        if isinstance(each, tuple):
            if len(each) != 2:
                raise ValueError(f"Expected tuple of length 2 (global, str of callable full path), but got {each}")
            if type(each[1]) is not str:
                raise TypeError(f"Expected second item in tuple to be str of callable full path, but got: {each[1]}")
            named[each[1]] = each[0]
        else:
            named[f"{each.__module__}.{each.__qualname__}"] = each
            torchs = torch_name(each)
            if torchs is not None:
                named[".".join(torchs)] = each
    return named


def check_key(key):
    """A dict's key, or a set's part: a plain value, or tuples of such."""
    waiting, seen = [key], 0
    while waiting:
        part = waiting.pop()
        seen += 1
        if seen > TOO_MANY:
            raise pickle.UnpicklingError("a key has too many parts")
        if isinstance(part, tuple | frozenset):
            waiting.extend(part)


# ---- where it reads from -------------------------------------------------------------------------------------------


class Source:
    """A stretch of a file, of which no more is asked than there is."""

    def __init__(self, file, size):
        self.file, self.left = file, size

    def read(self, count):
        if not 0 <= count <= self.left:
            raise EOFError("Ran out of input")
        self.left -= count
        return self.file.read(count)

    def line(self):
        line = self.file.readline(min(self.left, 1000))
        self.left -= len(line)
        if not line.endswith(b"\n"):
            raise pickle.UnpicklingError("a name does not end")
        return line[:-1].decode()

    def number(self, form):
        return struct.unpack(form, self.read(struct.calcsize(form)))[0]

    def counted(self, form):
        """Bytes after their number."""
        return self.read(self.number(form))


# ---- the machine ---------------------------------------------------------------------------------------------------

INSTRUCTIONS: dict[int, Callable] = {}


def on(*codes):
    """The method runs these instructions."""

    def register(method):
        INSTRUCTIONS.update({code[0]: method for code in codes})
        return method

    return register


def constant(code, make):
    INSTRUCTIONS[code[0]] = lambda self: self.stack.append(make())


for _code, _make in {
    pickle.NONE: lambda: None, pickle.NEWTRUE: lambda: True, pickle.NEWFALSE: lambda: False,
    pickle.EMPTY_TUPLE: tuple, pickle.EMPTY_LIST: list, pickle.EMPTY_DICT: dict, pickle.EMPTY_SET: set,
}.items():  # fmt: skip
    constant(_code, _make)


def value(code, read):
    INSTRUCTIONS[code[0]] = lambda self: self.stack.append(read(self.source))


for _code, _read in {
    pickle.BININT: lambda s: s.number("<i"), pickle.BININT1: lambda s: s.number("<B"),
    pickle.BININT2: lambda s: s.number("<H"), pickle.BINFLOAT: lambda s: s.number(">d"),
    pickle.LONG1: lambda s: pickle.decode_long(s.counted("<B")),
    pickle.LONG4: lambda s: pickle.decode_long(s.counted("<i")),
    pickle.BINUNICODE: lambda s: s.counted("<I").decode("utf-8", "surrogatepass"),
    pickle.SHORT_BINUNICODE: lambda s: s.counted("<B").decode("utf-8", "surrogatepass"),
    pickle.BINUNICODE8: lambda s: s.counted("<Q").decode("utf-8", "surrogatepass"),
    pickle.SHORT_BINBYTES: lambda s: s.counted("<B"), pickle.BINBYTES: lambda s: s.counted("<I"),
    pickle.BINBYTES8: lambda s: s.counted("<Q"), pickle.BYTEARRAY8: lambda s: bytearray(s.counted("<Q")),
    pickle.SHORT_BINSTRING: lambda s: s.counted("<B").decode("utf-8"),  # str of Python 2
}.items():  # fmt: skip
    value(_code, _read)


class Unpickler:
    """Reads one pickle. functions: those of a `Rebuilder`, by name; allowed: what the user allowed, by name."""

    def __init__(self, source, functions, allowed, persistent_load):
        self.source, self.persistent_load = source, persistent_load
        self.callables = {**FUNCTIONS, **functions, **{name: each for name, each in allowed.items() if callable(each)}}
        self.globals = {**VALUES, **self.callables, **allowed}
        self.ids_of_callables = {id(each) for each in self.callables.values()}
        self.ids_of_allowed = {id(each) for each in allowed.values()}

    def load(self):
        self.stack, self.below, self.memo = [], [], {}
        while True:
            code = self.source.read(1)[0]
            if code == pickle.STOP[0]:
                return self.stack.pop()
            instruction = INSTRUCTIONS.get(code)
            if instruction is None:
                raise pickle.UnpicklingError(f"Unsupported operand {code}")
            instruction(self)

    def is_own(self, thing):
        """Whether the user allowed it."""
        return id(thing) in self.ids_of_allowed

    @on(pickle.PROTO)
    def proto(self):
        self.source.read(1)

    @on(pickle.FRAME)
    def frame(self):
        self.source.read(8)

    # ---- the stack and the memo

    @on(pickle.MARK)
    def mark(self):
        self.below.append(self.stack)
        self.stack = []

    def since_mark(self):
        items, self.stack = self.stack, self.below.pop()
        return items

    @on(pickle.POP)
    def pop(self):
        self.stack.pop()

    @on(pickle.POP_MARK)
    def pop_mark(self):
        self.since_mark()

    @on(pickle.BINPUT)
    def binput(self):
        self.memo[self.source.number("<B")] = self.stack[-1]

    @on(pickle.LONG_BINPUT)
    def long_binput(self):
        self.memo[self.source.number("<I")] = self.stack[-1]

    @on(pickle.MEMOIZE)
    def memoize(self):
        self.memo[len(self.memo)] = self.stack[-1]

    @on(pickle.BINGET)
    def binget(self):
        self.stack.append(self.memo[self.source.number("<B")])

    @on(pickle.LONG_BINGET)
    def long_binget(self):
        self.stack.append(self.memo[self.source.number("<I")])

    # ---- containers

    @on(pickle.TUPLE)
    def tuple(self):
        items = self.since_mark()
        self.stack.append(tuple(items))

    @on(pickle.TUPLE1)
    def tuple1(self):
        self.stack[-1:] = [(self.stack[-1],)]

    @on(pickle.TUPLE2)
    def tuple2(self):
        self.stack[-2:] = [(self.stack[-2], self.stack[-1])]

    @on(pickle.TUPLE3)
    def tuple3(self):
        self.stack[-3:] = [(self.stack[-3], self.stack[-2], self.stack[-1])]

    @on(pickle.FROZENSET)
    def frozenset(self):
        items = self.since_mark()
        for item in items:
            check_key(item)
        self.stack.append(frozenset(items))

    @on(pickle.APPEND)
    def append(self):
        item = self.stack.pop()
        self.target("append to", list).append(item)

    @on(pickle.APPENDS)
    def appends(self):
        items = self.since_mark()
        self.target("append to", list).extend(items)

    @on(pickle.ADDITEMS)
    def additems(self):
        items = self.since_mark()
        for item in items:
            check_key(item)
        self.target("add to", set).update(items)

    @on(pickle.SETITEM)
    def setitem(self):
        item, key = self.stack.pop(), self.stack.pop()
        check_key(key)
        self.target("set items of", dict, OrderedDict, Counter)[key] = item

    @on(pickle.SETITEMS)
    def setitems(self):
        items = self.since_mark()
        target = self.target("set items of", dict, OrderedDict, Counter)
        for key, item in zip(items[::2], items[1::2], strict=True):
            check_key(key)
            target[key] = item

    def target(self, what, *kinds):
        """The container on top of the stack. One of a class that the user allowed may be of a kind derived from it."""
        top = self.stack[-1]
        if type(top) in kinds or (isinstance(top, kinds) and self.is_own(type(top))):
            return top
        raise pickle.UnpicklingError(f"Can only {what} {' or '.join([k.__name__ for k in kinds])}, got {type(top)}")

    # ---- what could do harm

    @on(pickle.GLOBAL)
    def global_(self):
        self.find(self.source.line(), self.source.line())

    @on(pickle.STACK_GLOBAL)
    def stack_global(self):
        name, module = self.stack.pop(), self.stack.pop()
        self.find(module, name)

    def find(self, module, name):
        full = full_name(module, name)
        if full.rpartition(".")[0] in BLOCKED:
            raise pickle.UnpicklingError(f"Trying to load unsupported GLOBAL {full} whose module {module} is blocked.")
        if full not in self.globals:
            short = full.removeprefix("builtins.")
            raise pickle.UnpicklingError(
                f"Unsupported global: GLOBAL {short} was not an allowed global by default. Please use "
                f"`minigrad.serialization.add_safe_globals([{short}])` or the "
                f"`minigrad.serialization.safe_globals([{short}])` context manager to allowlist this global if you "
                "trust this class/function."
            )
        self.stack.append(self.globals[full])

    @on(pickle.REDUCE)
    def reduce(self):
        arguments, function = self.stack.pop(), self.stack.pop()
        if id(function) not in self.ids_of_callables:
            raise pickle.UnpicklingError(f"Trying to call reduce for unrecognized function {function}")
        if type(arguments) is not tuple:
            raise pickle.UnpicklingError("a call without a tuple of arguments")
        self.stack.append(function(*arguments))

    @on(pickle.NEWOBJ)
    def newobj(self):
        arguments, cls = self.stack.pop(), self.stack.pop()
        if not (isinstance(cls, type) and self.is_own(cls)):
            raise pickle.UnpicklingError(
                f"Can only create new object for classes allowlisted via `add_safe_globals` but got {cls}"
            )
        self.stack.append(cls.__new__(cls, *arguments))

    @on(pickle.BUILD)
    def build(self):
        state, inst = self.stack.pop(), self.stack[-1]
        if type(inst) is OrderedDict:
            inst.__dict__.update(state)  # the versions in a state_dict
        elif self.is_own(type(inst)):
            with_state(inst, state)
        else:
            raise pickle.UnpicklingError(
                f"Can only build OrderedDict or types allowlisted via `add_safe_globals`, but got {type(inst)}"
            )

    @on(pickle.BINPERSID)
    def binpersid(self):
        self.stack.append(self.persistent_load(self.stack.pop()))


def full_name(module, name):
    """The name in Python 3 of what protocol 2 calls by its name in Python 2."""
    if (module, name) in NAME_MAPPING:
        module, name = NAME_MAPPING[module, name]
    return f"{IMPORT_MAPPING.get(module, module)}.{name}"


def names_in(data) -> set[str]:
    """All globals that a pickle names, read without running it."""
    import pickletools

    names, strings, memo = set(), [""], dict[int, str]()
    for code, argument, _ in pickletools.genops(data):
        if code.name == "GLOBAL":
            names.add(full_name(*str(argument).split(" ", 1)))
        elif code.name == "STACK_GLOBAL":
            names.add(full_name(*strings[-2:]))
        elif code.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT"):
            memo[len(memo) if argument is None else argument] = strings[-1]
        elif code.name in ("BINGET", "LONG_BINGET"):
            strings.append(memo.get(int(argument or 0), ""))
        elif isinstance(argument, str):
            strings.append(argument)
    return names
