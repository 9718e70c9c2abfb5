"""load reads any bytes there are: one clear error that names the file, never a crash, nothing is run."""

import contextlib
import io
import json
import math
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad.serialization import load, load_safetensors, save


def raw(header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def checkpoint():
    buffer = io.BytesIO()
    whole = minigrad.arange(6.0)
    save({"model": {"w": whole, "part": whole[1:3]}, "epoch": 3, "lr": [0.1, math.nan], "b": b"xyz"}, buffer)
    return buffer.getvalue()


def test_every_cut_gives_one_clear_error(tmp_path):
    data, path = checkpoint(), tmp_path / "cut.safetensors"
    for length in range(len(data)):
        path.write_bytes(data[:length])
        with pytest.raises(RuntimeError, match=r"cut\.safetensors") as info:
            load(path)
        assert "\n" not in str(info.value)


@given(st.data())
def test_any_change_is_an_error_or_another_value(data):
    """Never another exception, never a crash."""
    file = bytearray(checkpoint())
    for _ in range(data.draw(st.integers(1, 4))):
        file[data.draw(st.integers(0, len(file) - 1))] = data.draw(st.integers(0, 255))
    with contextlib.suppress(RuntimeError):
        load(io.BytesIO(bytes(file)))


@given(st.binary(max_size=200))
def test_any_bytes_are_an_error_or_a_value(file):
    for reader in (load, load_safetensors):
        with pytest.raises(RuntimeError, match="the BytesIO"):
            reader(io.BytesIO(file))


def described(tree, tensors=(), entries=True, version=1):
    header = {"__metadata__": {"minigrad": json.dumps({"version": version, "tree": tree, "tensors": tensors})}}
    if entries:
        header["x"] = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    return raw(header, bytes(8) if entries else b"")


VIEW = {"entry": "x", "dtype": "float32", "shape": [2], "strides": [4], "offset": 0}


@pytest.mark.parametrize(
    "tree",
    [
        {"tensor": 5}, {"tensor": -9}, {"tensor": "x"}, {"eval": "1"}, {}, {"a": 1, "b": 2}, {"dict": 3},
        {"dict": [[{"dict": []}, 1]]}, {"scalar": ["object", 1]}, {"scalar": ["float32", "x"]}, {"dtype": "ndarray"},
        {"device": "cuda"}, {"float": "x"}, {"defaultdict": ["eval", []]}, {"Size": ["x"]}, {"slice": []},
        {"set": [{"tuple": [[]]}]}, {"Counter": [[1]]},
    ],
    ids=str,
)  # fmt: skip
def test_descriptions_that_make_no_sense(tree):
    with pytest.raises(RuntimeError, match=r"the BytesIO is damaged: what it says about the saved object"):
        load(io.BytesIO(described(tree)))


@pytest.mark.parametrize(
    "change",
    [
        {"entry": "y"}, {"dtype": "object"}, {"dtype": "float64"}, {"dtype": "int32,int32"}, {"shape": [3]},
        {"shape": [-1]}, {"offset": -4}, {"offset": 8}, {"strides": [8]}, {"strides": [-4]}, {"strides": []},
        {"offset": 2**70},
    ],
    ids=str,
)  # fmt: skip
def test_views_cannot_reach_outside(change):
    assert load(io.BytesIO(described({"tensor": 0}, [VIEW]))).tolist() == [0, 0]
    with pytest.raises(RuntimeError, match="is damaged"):
        load(io.BytesIO(described({"tensor": 0}, [{**VIEW, **change}])))


def test_deep_descriptions():
    for depth in (1000, 100_000):
        text = "[" * depth + "]" * depth
        header = {"__metadata__": {"minigrad": f'{{"version": 1, "tree": {text}, "tensors": []}}'}}
        with pytest.raises(RuntimeError, match="is damaged"):
            load(io.BytesIO(raw(header)))


def test_newer_versions_say_so():
    with pytest.raises(RuntimeError, match="structure version 2; expected 1: it needs a newer minigrad"):
        load(io.BytesIO(described(1, version=2)))


def zipped():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data.pkl", b"x")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (b"", "is empty"),
        (b"hello, world, how are you", "nor any safetensors file"),
        (b"\x89PNG\r\n\x1a\n0000", "nor any safetensors file"),
        (zipped(), "zip archive, perhaps of PyTorch"),
        (raw(b"{]"), "its header cannot be read"),
        (raw([1]), "nor any safetensors"),
        (raw({"x": 1}), "its header cannot be read"),
        (raw({"x": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}, bytes(9)), "damaged"),
        (raw({"x": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}, bytes(8)), "damaged"),
        (raw({"x": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}, bytes(8)), "damaged"),
        (raw({"__metadata__": 3}), "its header cannot be read"),
    ],
)
def test_foreign_files(file, says):
    for reader in (load, load_safetensors):
        with pytest.raises(RuntimeError, match=says) as info:
            reader(io.BytesIO(file))
        assert "the BytesIO" in str(info.value)
