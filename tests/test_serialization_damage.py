"""load reads any bytes there are: one clear error that names the file, never a crash, and nothing is run."""

import contextlib
import io
import os
import pickle
import zipfile
import zlib

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import serialization
from minigrad.serialization import load, load_safetensors, save, save_safetensors
from minigrad.serialization.archive import pack

OLD = {"_use_new_zipfile_serialization": False}
FAULTS = (RuntimeError, pickle.UnpicklingError)


def checkpoint(options=None):
    buffer = io.BytesIO()
    whole = minigrad.arange(6.0)
    save(
        {"model": {"w": whole, "part": whole[1:3]}, "epoch": 3, "lr": [0.1, 2**70], "b": b"x"}, buffer, **options or {}
    )
    return buffer.getvalue()


def archive(data, records=(("data/0", bytes(16)),)):
    """A file whose pickle is `data`."""
    return b"".join([bytes(part) for part in pack("x", [("data.pkl", data), ("byteorder", b"little"), *records])])


def refused(file, match=None, kinds=FAULTS, **options):
    with pytest.raises(kinds, match=match) as info:
        load(io.BytesIO(file), **options)
    assert "the BytesIO" in str(info.value)
    assert "\n" not in str(info.value)


# ---- damage


def test_every_cut_gives_one_clear_error(tmp_path):
    path = tmp_path / "cut.pt"
    for data in (checkpoint(), checkpoint(OLD)):
        for length in range(1, len(data), 1 if len(data) < 800 else 7):
            path.write_bytes(data[:length])
            with pytest.raises(FAULTS, match=r"cut\.pt") as info:
                load(path)
            assert "\n" not in str(info.value)
        path.write_bytes(b"")
        with pytest.raises(EOFError, match=r"cut\.pt is empty"):
            load(path)


def test_flipped_bits_are_noticed():
    """In the pickle and in the memory, wherever they are."""
    data = checkpoint()
    with zipfile.ZipFile(io.BytesIO(data)) as zipped:
        for record in ("archive/data.pkl", "archive/data/0"):
            content = zipped.read(record)
            start = data.index(content)
            for at in range(0, len(content), 5):
                flipped = bytearray(data)
                flipped[start + at] ^= 1 << at % 8
                refused(bytes(flipped), r"is damaged.*checksum of the record")


@settings(max_examples=300)
@given(st.data())
def test_any_change_is_an_error_or_another_value(data):
    """Never another exception, never a crash."""
    file = bytearray(checkpoint(data.draw(st.sampled_from([None, OLD]))))
    for _ in range(data.draw(st.integers(1, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(*FAULTS, NotImplementedError):
        load(io.BytesIO(bytes(file)))


@settings(max_examples=300)
@given(st.data())
def test_any_change_of_the_pickle_is_an_error_or_another_value(data):
    """With a correct checksum."""
    with zipfile.ZipFile(io.BytesIO(checkpoint())) as zipped:
        content, memory = bytearray(zipped.read("archive/data.pkl")), zipped.read("archive/data/0")
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(*FAULTS, NotImplementedError):
        load(io.BytesIO(archive(bytes(content), [("data/0", memory)])))


@given(st.binary(min_size=1, max_size=200))
def test_any_bytes_are_an_error_or_a_value(file):
    refused(file)
    with pytest.raises(RuntimeError, match="the BytesIO"):
        load_safetensors(io.BytesIO(file))


def zipped(records, **options):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as file:
        for name, data in records:
            file.writestr(name, data)
    return buffer.getvalue()


def overlapping():
    """The list of records names one record twice as two."""
    file = archive(b"\x80\2N.", [("data/0", bytes(64)), ("data/1", bytes(64))])
    start = file.index(b"PK\1\2")
    second = file.index(b"x/data/1", start) - 46
    first = file.index(b"x/data/0", start) - 46
    return file[: second + 42] + file[first + 42 : first + 46] + file[second + 46 :]


GOOD = pickle.dumps([1], 2)
UTF = "é/data.pkl"


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"hello, world, how are you", "no file of save"),
        (b"\x89PNG\r\n\x1a\n0000", "no file of save"),
        (pickle.dumps([1], 2), "Invalid magic number"),
        (b"PK\3\4", "is damaged, or no file of save"),
        (zipped([]), "no file of save"),
        (zipped([("x/other", b"1")]), "is a zip archive, but none of save"),
        (zipped([("x/data.pkl", GOOD), ("x/constants.pkl", b"")]), "TorchScript"),
        (zipped([("x/data.pkl", GOOD * 1000)], compression=zipfile.ZIP_DEFLATED), "is compressed"),
        (b"x" + archive(GOOD), "no file of save"),
        (archive(GOOD) + archive(GOOD), "several archives"),
    ],
)
def test_foreign_files(file, says):
    refused(file, says)


def test_other_zip_files():
    assert load(io.BytesIO(zipped([("x/data.pkl", GOOD)]))) == [1]
    assert load(io.BytesIO(zipped([(UTF, GOOD)]))) == [1]
    with pytest.raises(ValueError, match="Unknown endianness"):
        load(io.BytesIO(zipped([("x/data.pkl", GOOD), ("x/byteorder", b"middle")])))
    two = archive(tensor_of(b"X\1\0\0\x001"), [("data/0", bytes(64)), ("data/1", bytes(64))])
    assert two.count(b"x/data/1") == 2
    refused(overlapping().replace(b"x/data/1", b"x/data/0"), "same name|not where")


def test_records_that_claim_too_much():
    file = bytearray(archive(GOOD, [("data/0", bytes(64))]))
    entry = file.index(b"x/data/0", file.index(b"PK\1\2")) - 46
    file[entry + 20 : entry + 28] = (10**8).to_bytes(4, "little") * 2
    refused(bytes(file), "claim more bytes than it has")


# ---- what the pickle says


def short(number):
    return b"K" + bytes([number])


def tensor_of(
    key=b"X\1\0\0\x000", kind=b"ctorch\nFloatStorage\n", count=b"K\4", offset=b"K\0", size=b"K\2", stride=b"K\1"
):
    """The pickle of a tensor, with parts of it changed."""
    reference = b"(X\7\0\0\0storage" + kind + key + b"X\3\0\0\0cpu" + count + b"tQ"
    return (
        b"\x80\2ctorch._utils\n_rebuild_tensor_v2\n(" + reference + offset + size + b"\x85" + stride + b"\x85\x89"
        b"ccollections\nOrderedDict\n)RtR."
    )  # fmt: skip


def test_the_pickle_of_these_tests_is_one():
    assert load(io.BytesIO(archive(tensor_of()))).tolist() == [0, 0]
    assert load(io.BytesIO(archive(tensor_of(size=b"K\4")))).tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "change",
    [
        {"key": b"X\1\0\0\x001"}, {"key": b"X\5\0\0\x00../..", }, {"key": b"N"}, {"kind": b"ctorch\nSize\n"},
        {"kind": b"ctorch\nDoubleStorage\n"}, {"kind": b"ctorch\nByteStorage\n"}, {"count": b"K\5"}, {"count": b"K\3"},
        {"count": b"J\xff\xff\xff\xff"}, {"count": b"\x8a\x09" + b"\xff" * 8 + b"\0"}, {"count": b"N"},
        {"count": b"G" + bytes(8)}, {"offset": b"K\3"}, {"offset": b"J\xff\xff\xff\xff"}, {"offset": b"\x88"},
        {"offset": b"\x8a\x09" + b"\xff" * 8 + b"\0"}, {"size": b"K\5"}, {"size": b"J\xff\xff\xff\xff"}, {"size": b"N"},
        {"size": b"\x8a\x09" + b"\xff" * 8 + b"\0"}, {"stride": b"K\4"}, {"stride": b"J\xff\xff\xff\xff"},
        {"stride": b"\x8a\x09" + b"\xff" * 8 + b"\0"}, {"stride": b"N"}, {"size": b"K\2K\1"},
        {"size": b"\x8a\5\0\0\0\0\1", "stride": b"K\1"},
    ],
    ids=str,
)  # fmt: skip
def test_tensors_cannot_reach_outside(change):
    refused(archive(tensor_of(**change)))


class Run:
    def __init__(self, function, *arguments):
        self.parts = function, arguments

    def __reduce__(self):
        return self.parts


class Trap:
    """Says so if anything is done to it."""

    def __setstate__(self, state):
        raise AssertionError("it was built")

    def __new__(cls, *arguments):
        RAN.append(cls)
        return object.__new__(cls)


RAN: list = []


def test_nothing_is_run(tmp_path):
    target = str(tmp_path / "ran")
    for function, arguments in (
        (os.mkdir, (target,)), (os.system, (f"touch {target}",)), (eval, (f"open({target!r}, 'w')",)),
        (open, (target, "w")), (getattr, ("os", "mkdir")), (Trap, ()), (np.load, (target,)), (load, (target,)),
    ):  # fmt: skip
        for protocol in (2, 3, 4, 5):
            data = pickle.dumps({"x": Run(function, *arguments)}, protocol)
            refused(archive(data), "not an allowed global|is blocked", pickle.UnpicklingError)
    with serialization.safe_globals([os.system, eval]):
        refused(archive(pickle.dumps(Run(os.system, f"touch {target}"), 2)), "whose module (posix|nt) is blocked")
    assert RAN == []
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "data",
    [
        b"\x80\2ctorch\nTensor\n)R.",  # a class that may only be named
        b"\x80\2ctorch\nTensor\n)\x81.",
        b"\x80\2ctorch\nTensor\n}X\5\0\0\0arrayK\1sb.",  # attributes of a class
        b"\x80\2ctorch\nTensor\nN}X\5\0\0\0arrayK\1s\x86b.",
        b"\x80\2ctorch._utils\n_rebuild_tensor_v2\n}X\4\0\0\0nameK\1sb.",  # of a function
        b"\x80\2ctorch\nTensor.backward\n.", b"\x80\4\x8c\5torch\x8c\x0fTensor.__init__\x93.",
        b"\x80\2ctorch\nfloat32\n)R.", b"\x80\2K\1)R.", b"\x80\2ctorch\nSize\nK\3R.",
        b"\x80\2K\1K\2a.", b"\x80\2ccollections\nOrderedDict\n)RK\1a.", b"\x80\2]K\1K\2s.", b"\x80\2(K\1K\2K\3d.",
        b"\x80\2}(K\1u.", b"\x80\2}]K\1s.", b"\x80\2h\0.", b"\x80\2.", b"\x80\2Q.", b"\x80\2t.", b"\x80\2a.", b"\x80\2",
        b"\x80\2r\xff\xff\xff\xff.", b"\x80\2X\xff\xff\xff\xffa.", b"\x80\5\x8d" + b"\xff" * 8 + b".",
        b"\x80\4\x95" + b"\xff" * 8 + b".", b"\x80\2\x8b\xff\xff\xff\xff.", b"\x80\5\x97.", b"\x80\2\x82\1.",
        b"\x80\2(cos\nsystem\no.", b"\x80\2(S'x'\nios\nsystem\n.", b"\x80\2N(\x93.", b"\x80\2cos\n",
        b"\x80\2c__builtin__\nset\nK\5\x85R.", b"\x80\2c__builtin__\nbytearray\nJ\xff\xff\xff\x7f\x85R.",
        b"\x80\2c__builtin__\nset\n]]a\x85R.", b"\x80\2c_codecs\nencode\nX\1\0\0\0aX\3\0\0\0hex\x86R.",
        b"\x80\2c_codecs\nencode\nX\1\0\0\0aX\6\0\0\0utf_32\x86R.", b"\x80\2K\1Q.",
        b"\x80\2(X\6\0\0\0moduleK\1tQ.", b"\x80\2ctorch\ndevice\nX\3\0\0\0xyz\x85R.",
        b"\x80\2ctorch._tensor\n_rebuild_from_type_v2\n(ccollections\nOrderedDict\nctorch\nTensor\n)}tR.",
        b"\x80\2ctorch._utils\n_rebuild_parameter\n(K\1\x88}tR.",
        b"\x80\2c__builtin__\ncomplex\nX\5\0\0\x00__x__K\1\x86R.",
    ],
    ids=repr,
)  # fmt: skip
def test_programs_that_are_refused(data):
    refused(archive(data))


def test_slots_of_plain_tensors_are_not_written():
    inner = tensor_of()[2:-1]
    state = b"}}X\5\0\0\0arrayK\1s\x86"
    refused(
        archive(b"\x80\2ctorch._utils\n_rebuild_parameter_with_state\n(" + inner + b"\x89N" + state + b"tR."), "slots"
    )


def test_nested_keys_take_no_time():
    """t = (t, t) fifty times has 2**50 parts to hash."""
    nested = b"N\x85" + b"q\0h\0\x86" * 50
    refused(archive(b"\x80\2}" + nested + b"K\1s."), "too many parts")
    refused(archive(b"\x80\4\x8f(" + nested + b"\x90."), "too many parts")


def test_deep_nesting_is_no_recursion():
    depth = 100_000
    out = load(io.BytesIO(archive(b"\x80\2" + b"]" * depth + b"a" * (depth - 1) + b".")))
    for _ in range(depth - 1):
        (out,) = out


def test_old_files_that_claim_too_much():
    parts = [pickle.dumps(part, 2) for part in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})]
    huge = tensor_of(count=b"\x8a\6\0\0\0\0\0\1").replace(b"tQ", b"NtQ")
    refused(b"".join([*parts, huge]), "more memory than the file has")
    good = tensor_of().replace(b"tQ", b"NtQ")
    for keys, count in ((["0"], 3), (["0"], -1), (["1"], 4), ([], 4), (3, 4)):
        rest = [pickle.dumps(keys, 2), count.to_bytes(8, "little", signed=True), bytes(16)]
        refused(b"".join([*parts, good, *rest]))
    fine = [pickle.dumps(["0"], 2), (4).to_bytes(8, "little"), bytes(16)]
    assert load(io.BytesIO(b"".join([*parts, good, *fine]))).tolist() == [0, 0]


def test_checksums_can_be_left_out():
    try:
        serialization.set_crc32_options(False)
        data = checkpoint()
        assert load(io.BytesIO(data))["epoch"] == 3
    finally:
        serialization.set_crc32_options(True)
    refused(data, r"set_crc32_options\(False\)")
    assert zlib.crc32(b"") == 0


# ---- safetensors


def raw(header, numbers=b""):
    text = header if isinstance(header, bytes) else repr(header).replace("'", '"').encode()
    return len(text).to_bytes(8, "little") + text + numbers


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "is empty"), (raw(b"{]"), "header cannot be read"), (raw([1]), "no safetensors"),
        (raw({"x": 1}), "header cannot be read"), (raw({"x": ONE}, bytes(9)), "damaged"),
        (raw({"x": {**ONE, "shape": [3]}}, bytes(8)), "damaged"), (raw({"x": ONE}, bytes(7)), "cut short"),
        (raw({"x": {**ONE, "shape": [-2]}}, bytes(8)), "damaged"), (raw({"__metadata__": 3}), "damaged"),
    ],
)  # fmt: skip
def test_foreign_safetensors(file, says):
    with pytest.raises(RuntimeError, match=says) as info:
        load_safetensors(io.BytesIO(file))
    assert "the BytesIO" in str(info.value)


def test_safetensors_both_ways(tmp_path):
    path = tmp_path / "flat.safetensors"
    state = {"b": minigrad.randn(2, 3).t(), "a": np.arange(3), "c": minigrad.ones(2, requires_grad=True)}
    save_safetensors(state, path, metadata={"who": "me"})
    with safetensors.safe_open(path, "np") as file:
        assert file.metadata() == {"who": "me"}
        assert all(file.get_tensor(name).tolist() == value.tolist() for name, value in state.items())
    for out in (load_safetensors(path), load(path), load(str(path), map_location="cpu")):
        assert {name: t.tolist() for name, t in out.items()} == {name: value.tolist() for name, value in state.items()}
    theirs = {f"x.{dtype}": np.ones((2, 2), dtype) for dtype in ("?", "u1", "i1", "i2", "i4", "i8", "f2", "f4", "f8")}
    safetensors.numpy.save_file(theirs, path)
    assert {name: t.array.dtype for name, t in load(path).items()} == {name: a.dtype for name, a in theirs.items()}
    with pytest.raises(RuntimeError, match="names no locations"):
        load(path, map_location={"cuda": "cpu"})
    with pytest.raises(RuntimeError, match="CUDA"):
        load(path, map_location="cuda")


def test_safetensors_take_tensors_only():
    for bad in ({1: minigrad.ones(1)}, {"a": 1}, {"__metadata__": minigrad.ones(1)}):
        with pytest.raises(TypeError, match="save_safetensors"):
            save_safetensors(bad, io.BytesIO())
    with pytest.raises(TypeError, match="metadata"):
        save_safetensors({}, io.BytesIO(), metadata={"a": 1})
    with pytest.raises(TypeError, match="uint16"):
        save_safetensors({"a": np.ones(1, "u2")}, io.BytesIO())


def test_safetensors_of_other_dtypes():
    values = np.float32([1, -2.5, 3e38, np.inf])
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    file = raw({"x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}, halves.tobytes())
    with pytest.raises(NotImplementedError, match=r"'x' of dtype BF16.*widen_bfloat16=True"):
        load_safetensors(io.BytesIO(file))
    out = load_safetensors(io.BytesIO(file), widen_bfloat16=True)["x"]
    assert out.dtype is minigrad.float32
    np.testing.assert_array_equal(out.numpy().view(np.uint32), halves.astype(np.uint32) << 16)
    for dtype, size in (("F8_E4M3", 1), ("U16", 2), ("C64", 8)):
        file = raw({"x": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}, bytes(size))
        with pytest.raises(NotImplementedError, match="'x' of dtype"):
            load_safetensors(io.BytesIO(file))
