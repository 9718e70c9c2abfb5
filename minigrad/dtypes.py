"""dtypes, shapes and devices under PyTorch's names: `dtype`, `Size`, `device`, type promotion, `finfo`, `iinfo`.

Ground floor: it knows NumPy and nothing else of minigrad but the error texts.  Everything prints as PyTorch's does,
the ``torch.`` prefix included, because minigrad promises PyTorch's prints.

A `dtype` is one of nine objects, made once here.  Compare them with ``is`` or ``==``; `dtype.numpy` is the NumPy dtype
of the memory, `from_numpy_dtype` the way back, `as_numpy` reads what a caller gave as ``dtype=``.
"""

import builtins
import operator

import numpy as np

from minigrad.errors import NoDeviceError, describe, message


class dtype:
    """The type of a tensor's elements.  Instances: ``bool uint8 int8 int16 int32 int64 float16 float32 float64``.

    Attributes:
        numpy: the `numpy.dtype` of the elements in memory.
        is_floating_point, is_complex, is_signed: bool.
        itemsize: bytes per element.
    """

    __slots__ = ("_global", "_name", "is_complex", "is_floating_point", "is_signed", "itemsize", "numpy")
    numpy: np.dtype
    is_complex: builtins.bool
    is_floating_point: builtins.bool
    is_signed: builtins.bool
    itemsize: int
    _name: str
    _global: str

    def __new__(cls, *args, **kwargs):
        raise TypeError("cannot create 'torch.dtype' instances: use minigrad.float32, minigrad.int64, ...")

    def __repr__(self):
        return f"torch.{self._name}"

    def __reduce__(self):
        # A string tells pickle and copy that this is a module global: it comes back as the same object.
        return self._global

    def to_real(self) -> "dtype":
        """Itself: minigrad has no complex dtypes."""
        return self


def _make(name: str, global_name: str = "") -> dtype:
    made = object.__new__(dtype)
    made.numpy = np.dtype(name)
    made.is_floating_point = made.numpy.kind == "f"
    made.is_complex = False
    made.is_signed = made.numpy.kind in "fi"
    made.itemsize = made.numpy.itemsize
    made._name = name
    made._global = global_name or name
    return made


bool_ = _make("bool", "bool_")  # `minigrad.bool`; the underscore keeps the builtin usable in this file
uint8 = _make("uint8")
int8 = _make("int8")
int16 = short = _make("int16")
int32 = _make("int32")
int64 = long = _make("int64")
float16 = half = _make("float16")
float32 = _make("float32")
float64 = double = _make("float64")
int_ = int32  # `minigrad.int`
float_ = float32  # `minigrad.float`


def _name_only(name: str) -> dtype:
    """A dtype of PyTorch's that is not here: programs may name it (to choose another one), but not ask for it."""
    named = object.__new__(dtype)
    named.is_floating_point, named.is_signed, named._name, named._global = name == "bfloat16", True, name, name
    named.is_complex = not named.is_floating_point
    named.itemsize = {"bfloat16": 2, "complex64": 8, "complex128": 16}[name]
    return named


bfloat16 = _name_only("bfloat16")
complex64 = cfloat = _name_only("complex64")
complex128 = cdouble = _name_only("complex128")

ALL = (bool_, uint8, int8, int16, int32, int64, float16, float32, float64)
# What `minigrad/__init__.py` re-exports, by public name.
PUBLIC = {d._name: d for d in ALL} | {
    "short": short, "int": int_, "long": long, "half": half, "float": float_, "double": double, "bfloat16": bfloat16,
    "complex64": complex64, "cfloat": cfloat, "complex128": complex128, "cdouble": cdouble,
}  # fmt: skip

_FROM_NUMPY = {d.numpy: d for d in ALL}
_PYTHON = {builtins.bool: bool_, builtins.int: int64, builtins.float: float64}
_NUMPY = {key: d.numpy for d in ALL for key in (d, d.numpy, d.numpy.type)} | {p: d.numpy for p, d in _PYTHON.items()}
_SUPPORTED = "bool, uint8, int8, int16, int32, int64, float16, float32, float64"


def from_numpy_dtype(numpy_dtype: np.dtype) -> dtype:
    """The `dtype` of a NumPy dtype.

    Raises TypeError where minigrad has no such dtype (uint16, complex64, str, ...), ValueError for foreign byte order.
    """
    try:
        return _FROM_NUMPY[numpy_dtype]
    except KeyError:
        raise _unsupported(numpy_dtype) from None


def _unsupported(numpy_dtype: np.dtype) -> Exception:
    if not numpy_dtype.isnative:
        return ValueError(
            f"given numpy array has byte order different from the native byte order ({numpy_dtype.str}): convert it "
            "first with array.astype(array.dtype.newbyteorder('='))"
        )
    hint = {
        "u": "convert it first, e.g. to int64",
        "c": "minigrad has no complex numbers: keep real and imaginary parts in a last dimension of size 2",
        "O": "an object array is often a ragged list: pad it, or convert it with array.astype(float)",
        "f": "convert it first, e.g. to float64",
    }.get(numpy_dtype.kind, "only numbers and bools can be stored")
    return TypeError(f"can't convert np.ndarray of type {numpy_dtype}; the supported types are {_SUPPORTED} ({hint})")


def as_numpy(dtype, op: str = "as_numpy") -> np.dtype:
    """The NumPy dtype that an argument ``dtype=`` asks for.

    Takes a minigrad `dtype`, a supported `numpy.dtype` or NumPy scalar type (``np.float32``), a Python type (``bool``,
    ``int`` -> int64, ``float`` -> float64, as in PyTorch), or None for the default dtype (`get_default_dtype`).
    Anything else is a TypeError that names `op`.
    """
    if dtype is None:
        return _default.numpy
    try:
        return _NUMPY[dtype]
    except (KeyError, TypeError):  # TypeError: not hashable
        pass
    if dtype in (bfloat16, complex64, complex128):
        hint = "use float32 (or float16)" if dtype is bfloat16 else "keep real and imaginary parts in a last dimension"
        raise NotImplementedError(f"{op}(): there are no {dtype} tensors here; {hint}")
    if isinstance(dtype, type) and issubclass(dtype, np.generic):
        dtype = np.dtype(dtype)
    if isinstance(dtype, np.dtype):
        return from_numpy_dtype(dtype).numpy  # an equal dtype of another name (longlong), else the error
    hint = f"write minigrad.{dtype}" if isinstance(dtype, str) and dtype in PUBLIC else f"one of {_SUPPORTED}"
    raise TypeError(message(op, "dtype", describe(dtype), "a minigrad.dtype", hint))


_default = float32


def get_default_dtype() -> dtype:
    """The floating point dtype given to tensors made of Python floats (float32 unless set otherwise)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the dtype of tensors made of Python floats: float16, float32 or float64; anything else is a TypeError."""
    global _default
    if not isinstance(d, dtype):
        raise TypeError(f"invalid dtype object: only floating-point types are supported as the default type, got {d!r}")
    if not d.is_floating_point:
        raise TypeError(f"only floating-point types are supported as the default type, got {d}")
    _default = d


# ---- promotion ----------------------------------------------------------------------------------------------------


def _promote(a: dtype, b: dtype) -> dtype:
    if a.is_floating_point != b.is_floating_point:
        return a if a.is_floating_point else b  # int64 + float16 is float16: the kind decides, not the size
    return _FROM_NUMPY[np.promote_types(a.numpy, b.numpy)]


_PROMOTED = {(a, b): _promote(a, b) for a in ALL for b in ALL}


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype, in PyTorch's order of kinds (bool < integer < floating point), that holds both.

    uint8 with int8 is int16; any integer with a floating point dtype is that floating point dtype.
    """
    try:
        return _PROMOTED[type1, type2]
    except (KeyError, TypeError):
        for named in (type1, type2):
            if isinstance(named, dtype):
                as_numpy(named, "promote_types")  # its error, for a dtype that is only a name
        raise _not_dtype("promote_types", ("type1", type1), ("type2", type2)) from None


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether PyTorch's casting rules allow `from_` to be written into `to`: not down a kind (float, int, bool)."""
    if not (isinstance(from_, dtype) and isinstance(to, dtype)):
        raise _not_dtype("can_cast", ("from_", from_), ("to", to))
    if from_.is_floating_point and not to.is_floating_point:
        return False
    return to is not bool_ or from_ is bool_


def _not_dtype(op: str, *arguments) -> TypeError:
    name, value = next((n, v) for n, v in arguments if not isinstance(v, dtype))
    return TypeError(message(op, name, describe(value), "a minigrad.dtype"))


# ---- limits -------------------------------------------------------------------------------------------------------


class finfo:
    """Limits of a floating point dtype (the default dtype if none is given).

    Attributes: bits, eps, max, min, tiny, smallest_normal, resolution (floats), dtype (its name).
    """

    __slots__ = ("bits", "dtype", "eps", "max", "min", "resolution", "smallest_normal", "tiny")

    def __init__(self, type=None):
        if type is None:
            type = _default
        if not isinstance(type, dtype):
            raise TypeError(message("finfo", "type", describe(type), "a minigrad.dtype"))
        if not type.is_floating_point:
            raise TypeError(f"finfo() requires a floating point input type, got {type}: use minigrad.iinfo")
        limits = np.finfo(type.numpy)
        self.bits = type.itemsize * 8
        self.eps, self.max, self.min = float(limits.eps), float(limits.max), float(limits.min)
        self.tiny = self.smallest_normal = float(limits.smallest_normal)
        self.resolution = 10.0**-limits.precision
        self.dtype = type._name

    def __repr__(self):
        names = ("resolution", "min", "max", "eps", "smallest_normal", "tiny")
        return f"finfo({', '.join(f'{n}={getattr(self, n):g}' for n in names)}, dtype={self.dtype})"


class iinfo:
    """Limits of an integer dtype.  Attributes: bits, max, min (ints), dtype (its name)."""

    __slots__ = ("bits", "dtype", "max", "min")

    def __init__(self, type):
        if not isinstance(type, dtype):
            raise TypeError(message("iinfo", "type", describe(type), "a minigrad.dtype"))
        if type.is_floating_point:
            raise TypeError(f"iinfo() requires an integer input type, got {type}: use minigrad.finfo")
        if type is bool_:
            raise TypeError("torch.bool is not supported by iinfo(): its values are False and True")
        limits = np.iinfo(type.numpy)
        self.bits, self.max, self.min, self.dtype = limits.bits, limits.max, limits.min, type._name

    def __repr__(self):
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"


# ---- shapes and devices -------------------------------------------------------------------------------------------


class Size(tuple):
    """A tensor's shape: a tuple of ints that prints as ``torch.Size([2, 3])``, stays a `Size` when sliced or added to.

    ``Size([2.5])`` is a TypeError.  Equality and hash are the tuple's.
    """

    __slots__ = ()

    def __new__(cls, iterable=()):
        made = tuple.__new__(cls, iterable)
        for i, n in enumerate(made):
            if n.__class__ is not int:
                return tuple.__new__(cls, [_index(n, i) for i, n in enumerate(made)])
        return made

    def numel(self) -> int:
        """The number of elements of a tensor of this shape: the product of its entries (1 for a 0-dim shape)."""
        count = 1
        for n in self:
            count *= n
        return count

    def __repr__(self):
        return f"torch.Size([{', '.join(map(str, self))}])"

    def __getitem__(self, index):
        item = tuple.__getitem__(self, index)
        return tuple.__new__(Size, item) if index.__class__ is slice else item

    def __add__(self, other):
        if not isinstance(other, tuple):
            raise TypeError(f'can only concatenate tuple (not "{type(other).__name__}") to torch.Size')
        return Size(tuple.__add__(self, other))

    def __radd__(self, other):
        return Size(other) + self if isinstance(other, tuple) else NotImplemented

    def __mul__(self, times):
        return tuple.__new__(Size, tuple.__mul__(self, times))

    __rmul__ = __mul__

    def __reduce__(self):
        return Size, (tuple(self),)


def _index(n, position: int) -> int:
    try:
        return operator.index(n)
    except TypeError:
        text = f"torch.Size() takes an iterable of 'int' (item {position} is '{type(n).__name__}')"
        raise TypeError(text) from None


class device:
    """Where a tensor lives: always the CPU.  ``device("cpu")``, ``device("cpu:0")``, ``device("cpu", 0)``.

    Any other kind ("cuda", "mps", ...) is a RuntimeError, so that a program never believes it runs elsewhere.  As in
    PyTorch ``device("cpu")`` and ``device("cpu:0")`` are not equal, and ``with device("cpu"):`` is allowed.

    Attributes:
        type (str): "cpu".
        index (int | None): the number after the colon; None if there was none.
    """

    __slots__ = ("index", "type")

    def __init__(self, type, index=None):
        if isinstance(type, device):
            type, index = type.type, type.index
        elif isinstance(type, int):
            type = f"cuda:{type}"  # a bare number means an accelerator
        if not isinstance(type, str):
            raise TypeError(message("device", "type", describe(type), "a str such as 'cpu', or a device"))
        if not type:
            raise RuntimeError("Device string must not be empty: write 'cpu'")
        kind, colon, number = type.partition(":")
        if colon:
            if index is not None:
                raise RuntimeError(f"type (string) must not include an index because index was passed: {type}")
            if not number.isdecimal():
                raise RuntimeError(f"Invalid device string: '{type}' (expected 'cpu' or 'cpu:0')")
            index = int(number)
        if kind != "cpu":
            error = NoDeviceError if kind in ("cuda", "xpu") else RuntimeError
            raise error(
                f"device '{type}' is not available: minigrad runs on the CPU only "
                "(use device('cpu'), or choose by cuda.is_available(), which is False)"
            )
        self.type = kind
        self.index = index

    def __repr__(self):
        return f"device(type='{self.type}'{'' if self.index is None else f', index={self.index}'})"

    def __str__(self):
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other):
        return isinstance(other, device) and (self.type, self.index) == (other.type, other.index)

    def __hash__(self):
        return hash((self.type, self.index))

    def __reduce__(self):
        return device, (self.type, self.index)

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        return None


CPU = device("cpu")


# ---- layouts ------------------------------------------------------------------------------------------------------


class layout:
    """How the elements of a tensor are kept: always `strided`."""

    __slots__ = ("_name",)

    def __init__(self, name):
        self._name = name

    def __repr__(self):
        return f"torch.{self._name}"

    def __reduce__(self):
        return self._name


class memory_format(layout):
    """In which order new tensors are laid out. `contiguous_format` and `preserve_format` are taken where PyTorch takes
    them; `channels_last` and `channels_last_3d` are names only: an op that is asked for them raises."""


strided = layout("strided")
contiguous_format, preserve_format = memory_format("contiguous_format"), memory_format("preserve_format")
channels_last, channels_last_3d = memory_format("channels_last"), memory_format("channels_last_3d")
LAYOUTS = {each._name: each for each in (strided, contiguous_format, preserve_format, channels_last, channels_last_3d)}


def only_plain_format(given, op: str) -> None:
    """Raise where a `memory_format` is asked for that is not here."""
    if given in (channels_last, channels_last_3d):
        raise NotImplementedError(f"{op}(): {given!r} is not supported; leave memory_format out, or contiguous_format")
    if given is not None and not isinstance(given, memory_format):
        raise TypeError(f"{op}(): argument 'memory_format' must be torch.memory_format, not {type(given).__name__}")
