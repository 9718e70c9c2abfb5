"""dtypes, promotion, limits, `Size` and `device`: PyTorch's names, prints, tables and errors."""

import copy
import operator
import pickle

import numpy as np
import pytest

from minigrad import dtypes
from minigrad.dtypes import Size, device, float16, float32, float64, int8, int16, int32, int64, uint8
from minigrad.errors import describe, message, shape_text

NAMES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


# ---- dtypes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_like_pytorchs(torch, name):
    ours, theirs = dtypes.PUBLIC[name], getattr(torch, name)
    assert repr(ours) == str(ours) == repr(theirs)
    for attribute in ("is_floating_point", "is_complex", "is_signed", "itemsize"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)
    assert ours.numpy == torch.zeros(1, dtype=theirs).numpy().dtype
    assert ours.to_real() is ours


def test_aliases(torch):
    for alias in ("short", "int", "long", "half", "float", "double"):
        assert repr(dtypes.PUBLIC[alias]) == repr(getattr(torch, alias))
    assert dtypes.PUBLIC["float"] is float32
    assert dtypes.PUBLIC["long"] is dtypes.long is int64


@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_one_object(name):
    d = dtypes.PUBLIC[name]
    assert pickle.loads(pickle.dumps(d)) is copy.copy(d) is copy.deepcopy(d) is d
    assert copy.deepcopy({"dtype": [d]})["dtype"][0] is d
    assert {d: 1}[d] == 1
    assert [e for e in dtypes.ALL if e == d] == [d]
    with pytest.raises(TypeError, match=r"cannot create 'torch\.dtype' instances"):
        dtypes.dtype()


def test_between_numpy_and_here():
    for d in dtypes.ALL:
        assert dtypes.from_numpy_dtype(d.numpy) is d
        assert dtypes.as_numpy(d) == dtypes.as_numpy(d.numpy) == dtypes.as_numpy(d.numpy.type) == d.numpy
    assert dtypes.from_numpy_dtype(np.dtype("longlong")) is int64
    assert dtypes.as_numpy(np.longlong) == np.int64
    assert [dtypes.as_numpy(t) for t in (bool, int, float)] == [np.bool_, np.int64, np.float64]
    assert dtypes.as_numpy(None) == np.float32


@pytest.mark.parametrize("name", ["uint16", "uint32", "uint64", "complex64", "longdouble", "U3", "O", "M8[s]"])
def test_dtypes_of_numpy_that_are_not_here(name):
    for convert in (dtypes.from_numpy_dtype, dtypes.as_numpy):
        with pytest.raises(TypeError, match=r"can't convert np.ndarray of type .* supported types are bool, uint8"):
            convert(np.dtype(name))


def test_foreign_byte_order():
    with pytest.raises(ValueError, match="byte order different"):
        dtypes.from_numpy_dtype(np.dtype(np.float32).newbyteorder())


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ("float32", r"zeros\(\): argument 'dtype': got str 'float32'; expected a minigrad.dtype .*minigrad.float32"),
        ([1], r"got list \[1\]"),
        (complex, r"got the type complex"),
        (3, r"got int 3"),
        (np.complex64, r"complex64.*size 2"),
    ],
)
def test_what_is_no_dtype(wrong, text):
    with pytest.raises(TypeError, match=text):
        dtypes.as_numpy(wrong, "zeros")


def test_default_dtype():
    assert dtypes.get_default_dtype() is float32
    try:
        dtypes.set_default_dtype(float64)
        assert dtypes.get_default_dtype() is float64
        assert dtypes.as_numpy(None) == np.float64
        assert dtypes.finfo().bits == 64
    finally:
        dtypes.set_default_dtype(float32)
    for wrong, text in [(int64, "only floating-point types.*int64"), ("float32", "invalid dtype object.*'float32'")]:
        with pytest.raises(TypeError, match=text):
            dtypes.set_default_dtype(wrong)
    assert dtypes.get_default_dtype() is float32


# ---- promotion and limits -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("a", NAMES)
def test_promotion_and_casting(torch, a):
    for b in NAMES:
        ours, theirs = (dtypes.PUBLIC[a], dtypes.PUBLIC[b]), (getattr(torch, a), getattr(torch, b))
        assert repr(dtypes.promote_types(*ours)) == repr(torch.promote_types(*theirs))
        assert dtypes.can_cast(*ours) == torch.can_cast(*theirs)


def test_promotion_without_pytorch():
    # https://docs.pytorch.org/docs/stable/tensor_attributes.html#torch.dtype : categories first, then sizes
    promote = dtypes.promote_types
    assert promote(uint8, int8) is promote(int8, uint8) is int16
    assert promote(int64, float16) is float16
    assert promote(float16, float32) is float32
    assert promote(dtypes.bool_, uint8) is uint8
    assert promote(int32, int64) is int64


@pytest.mark.parametrize("function", [dtypes.promote_types, dtypes.can_cast])
def test_promotion_of_something_else(function):
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\): argument '(type1|from_)': got int 3"):
        function(3, float32)
    with pytest.raises(TypeError, match=rf"{function.__name__}\(\): argument '(type2|to)': got list \[\]"):
        function(float32, [])


@pytest.mark.parametrize("name", NAMES[1:])
def test_limits(torch, name):
    kind = "finfo" if dtypes.PUBLIC[name].is_floating_point else "iinfo"
    ours, theirs = getattr(dtypes, kind)(dtypes.PUBLIC[name]), getattr(torch, kind)(getattr(torch, name))
    assert repr(ours) == repr(theirs)
    for attribute in [a for a in dir(theirs) if not a.startswith("_")]:
        assert getattr(ours, attribute) == getattr(theirs, attribute)
        assert type(getattr(ours, attribute)) is type(getattr(theirs, attribute))


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: dtypes.finfo(int8), "finfo.*torch.int8.*use minigrad.iinfo"),
        (lambda: dtypes.iinfo(float16), "iinfo.*torch.float16.*use minigrad.finfo"),
        (lambda: dtypes.iinfo(dtypes.bool_), "torch.bool is not supported"),
        (lambda: dtypes.finfo("x"), r"'type': got str 'x'"),
        (lambda: dtypes.iinfo(3), r"'type': got int 3"),
    ],
)
def test_limits_of_something_else(call, text):
    with pytest.raises(TypeError, match=text):
        call()


# ---- Size ---------------------------------------------------------------------------------------------------------


def test_size():
    size = Size([2, 3, 4])
    assert repr(size) == str(size) == f"{size}" == "torch.Size([2, 3, 4])"
    assert repr(Size()) == "torch.Size([])"
    assert size == (2, 3, 4)
    assert hash(size) == hash((2, 3, 4))
    assert size.numel() == 24
    assert Size().numel() == 1
    assert Size([3, 0]).numel() == 0
    assert size[1] == 3
    assert size.index(3) == 1


def test_size_stays_a_size():
    size = Size([2, 3, 4])
    results = [size[1:], size[:0], operator.add(size, (1,)), operator.add((1,), size), size * 2, 2 * size]
    results += [copy.deepcopy(size), pickle.loads(pickle.dumps(size))]
    assert [type(r) for r in results] == [Size] * len(results)
    assert results[:4] == [(3, 4), (), (2, 3, 4, 1), (1, 2, 3, 4)]
    assert [type(n) for n in Size([np.int64(2), np.array(3), True])] == [int] * 3


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: Size([1, 2.5]), r"takes an iterable of 'int' \(item 1 is 'float'\)"),
        (lambda: Size("ab"), r"item 0 is 'str'"),
        (lambda: Size(3), r"not iterable"),
        (lambda: operator.add(Size([1]), [2]), r'can only concatenate tuple \(not "list"\) to torch.Size'),
        (lambda: operator.add([2], Size([1])), r"can only concatenate list"),
    ],
)
def test_size_errors(call, text):
    with pytest.raises(TypeError, match=text):
        call()


# ---- device -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [("cpu",), ("cpu:0",), ("cpu", 0)])
def test_device_is_like_pytorchs(torch, arguments):
    ours, theirs = device(*arguments), torch.device(*arguments)
    assert (repr(ours), str(ours), ours.type, ours.index) == (repr(theirs), str(theirs), theirs.type, theirs.index)


def test_device():
    assert device("cpu") == device(device("cpu")) == device(type="cpu")
    assert device("cpu") != device("cpu:0")
    assert device("cpu:0") == device("cpu", 0)
    assert device("cpu") != "cpu"
    assert len({device("cpu"), device("cpu"), device("cpu:0")}) == 2
    for d in (device("cpu"), device("cpu:0")):
        assert copy.deepcopy(d) == pickle.loads(pickle.dumps(d)) == d
        with d as inside:
            assert inside is d


@pytest.mark.parametrize(
    ("arguments", "kind", "text"),
    [
        (("cuda",), RuntimeError, "'cuda' is not available: minigrad runs on the CPU only"),
        (("mps:1",), RuntimeError, "CPU only"),
        ((0,), RuntimeError, "'cuda:0' is not available"),
        (("cpu:x",), RuntimeError, "Invalid device string: 'cpu:x'"),
        (("cpu:-1",), RuntimeError, "Invalid device string"),
        (("",), RuntimeError, "must not be empty"),
        (("cpu:0", 0), RuntimeError, "must not include an index"),
        ((None,), TypeError, "'type': got None"),
    ],
)
def test_device_errors(arguments, kind, text):
    with pytest.raises(kind, match=text):
        device(*arguments)


# ---- the text of errors -------------------------------------------------------------------------------------------


def test_messages():
    assert shape_text((2, 3)) == "[2, 3]"
    assert shape_text(()) == "[]"
    assert message("eye", "n", "-1", "n >= 0") == "eye(): argument 'n': got -1; expected n >= 0"
    assert message("eye", "n", "-1", "n >= 0", "drop the sign").endswith("n >= 0 (drop the sign)")
    assert describe(None) == "None"
    assert describe(int) == "the type int"
    assert describe(type) == "the type type"
    assert describe(np.zeros((2, 3), np.float32)) == "ndarray of shape [2, 3] and dtype float32"
    assert describe("x" * 100) == "str '" + "x" * 56 + "..."


def test_promotion_with_a_dtype_that_is_only_a_name():
    with pytest.raises(NotImplementedError, match=r"promote_types\(\).*bfloat16"):
        dtypes.promote_types(float32, dtypes.bfloat16)
