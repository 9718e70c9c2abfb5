"""save and load: what goes in comes out, other programs read it, and files are whole or not there."""

import collections
import io
import json
import math
import os
import pickle
import signal
import stat
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import serialization
from minigrad.serialization import load, load_safetensors, save, save_safetensors
from minigrad.tensor import Tensor, wrap

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


def again(obj, **options):
    """What `obj` is after it was saved and loaded."""
    buffer = io.BytesIO()
    save(obj, buffer, **options)
    buffer.seek(0)
    return load(buffer, **options)


def same(a, b):
    """Equal in type, structure and value, NaN equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor | np.ndarray | np.generic):
        if isinstance(a, Tensor):
            if a.requires_grad != b.requires_grad:
                return False
            a, b = a.array, b.array
        return a.dtype == b.dtype and a.shape == b.shape and np.asarray(a).tobytes() == np.asarray(b).tobytes()
    if isinstance(a, dict):
        return [*map(type, a)] == [*map(type, b)] and list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b or (a != a and b != b)


# ---- what goes in comes out


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 0, 3), (2, 3, 4)])
def test_tensors(dtype, shape):
    array = np.random.default_rng(0).integers(0, 2, shape).astype(dtype)
    for value in (wrap(array), array):
        out = again(value)
        assert same(value, out)
        if isinstance(out, Tensor):
            out = out.array
        assert out.flags.writeable


PLAIN = [
    None, True, 0, -(2**70), 1.5, -0.0, 5e-324, 1e308, math.inf, -math.inf, math.nan, "", "é\n\"'\0", "\ud800", b"",
    b"\0\xff", 1 + 2j, complex(math.nan, -math.inf), [], (), {}, set(), frozenset(), [1, [2, (3, {"a": None})]],
    {1: "int", "1": "str", 1.5: 0, (1, 2): 0, None: 0}, {1, 2}, frozenset("ab"), slice(1, None, 2),
    range(3, 0, -1), collections.OrderedDict([("b", 1), ("a", 2)]), collections.Counter("aab"),
    np.float64(1.5), np.float32(0.1), np.int8(-3), np.bool_(True), np.float16("nan"),
    np.uint16([1, 2]), np.complex64([1j]), np.arange(3, dtype=">i4").astype(np.int32),
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=[type(v).__name__ for v in PLAIN])
def test_plain_values(value):
    assert same(again(value), value)
    assert same(again({"in": [value]}), {"in": [value]})


def test_defaultdicts():
    for factory in (None, dict, list, set, int, float):
        value = collections.defaultdict(factory, {"a": 1})
        out = again(value)
        assert type(out) is collections.defaultdict
        assert out.default_factory is factory
        assert out == value


def test_dtypes_sizes_devices():
    value = [minigrad.ones(2, 3).dtype, minigrad.ones(2, 3).shape, minigrad.ones(1).device]
    out = again(value)
    assert out == value
    assert out[0] is value[0]
    assert repr(out[1]) == "torch.Size([2, 3])"


def test_foreign_byte_order_becomes_native():
    out = again(np.arange(3, dtype=">i4"))
    assert out.tolist() == [0, 1, 2]
    assert out.dtype == np.int32


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda part: st.lists(part) | st.dictionaries(st.text() | st.integers(), part) | st.tuples(part, part),
    max_leaves=20,
)


@given(JSON_LIKE)
def test_anything_of_plain_parts(value):
    assert same(again(value), value)


def test_requires_grad_is_kept_and_history_is_not():
    a = minigrad.ones(2, requires_grad=True)
    out = again([a, a * 2, a.detach()])
    assert [t.requires_grad for t in out] == [True, True, False]
    assert all(t.is_leaf for t in out)
    assert out[1].tolist() == [2, 2]


def test_parameters_stay_parameters():
    from minigrad import nn

    weight = nn.Parameter(minigrad.ones(2))
    frozen = nn.Parameter(minigrad.ones(1), requires_grad=False)
    out = again([weight, frozen])
    assert [type(p) for p in out] == [nn.Parameter, nn.Parameter]
    assert [p.requires_grad for p in out] == [True, False]


# ---- shared memory


def test_one_object_stays_one():
    a = minigrad.ones(2)
    out = again({"a": a, "b": a, "c": a.detach(), "d": a.clone()})
    assert out["a"] is out["b"]
    out["a"].fill_(5)
    assert [out[key].tolist() for key in "abcd"] == [[5, 5], [5, 5], [5, 5], [1, 1]]


def test_views_stay_views():
    whole = minigrad.arange(12.0).reshape(3, 4)
    array = np.arange(6)
    value = {"row": whole[1], "whole": whole, "turned": whole.t(), "column": whole[:, 2], "x": array, "y": array[::-2]}
    out = again(value)
    assert all(same(value[key], out[key]) for key in ("row", "whole", "turned", "column", "x", "y"))
    out["whole"].fill_(7)
    assert {key: set(out[key].flatten().tolist()) for key in ("row", "turned", "column")} == {
        "row": {7}, "turned": {7}, "column": {7}
    }  # fmt: skip
    out["x"][:] = 9
    assert out["y"].tolist() == [9, 9, 9]


def test_a_view_alone_takes_only_its_own_place():
    buffer = io.BytesIO()
    save(minigrad.zeros(1000, 1000)[3], buffer)
    assert len(buffer.getvalue()) < 5000
    buffer = io.BytesIO()
    save(minigrad.ones(1).expand(3), buffer)
    buffer.seek(0)
    assert load(buffer).tolist() == [1, 1, 1]


def test_interleaved_and_neighbouring_views():
    base = minigrad.arange(10.0)
    value = [base[::2], base[1::2], minigrad.zeros(0), base[2:2]]
    out = again(value)
    assert all(map(same, value, out))
    out[0].fill_(-1)
    assert out[1].tolist() == [1, 3, 5, 7, 9]


def test_views_of_other_dtypes_over_one_memory():
    words = np.arange(4, dtype=np.int32)
    out = again([words, words.view(np.uint8), words[1:].view(np.int16)])
    out[0][1] = 0x01020304
    assert out[1].tolist()[4:8] == np.array([0x01020304]).astype(np.int32).view(np.uint8).tolist()
    assert out[2].size == 6


# ---- other programs


def test_a_state_dict_is_plain_safetensors(tmp_path):
    state = {"0.weight": minigrad.randn(3, 2), "0.bias": minigrad.randn(3), "steps": minigrad.tensor(7)}
    save(state, tmp_path / "model.safetensors")
    theirs = safetensors.numpy.load_file(tmp_path / "model.safetensors")
    assert {name: array.tolist() for name, array in theirs.items()} == {name: t.tolist() for name, t in state.items()}


def test_names_of_entries(tmp_path):
    one = {"model": {"0.weight": minigrad.ones(1)}, "model.0.weight": minigrad.zeros(1), 3: [minigrad.ones(1)]}
    path = tmp_path / "x"
    save(one, path)
    assert set(safetensors.numpy.load_file(path)) == {"model.0.weight", "model.0.weight#2", "3.0"}
    for odd in ("__metadata__", "\ud800", "", "a" * 5000):
        assert again({odd: minigrad.ones(1)})[odd].item() == 1


def test_flat_files_both_ways(tmp_path):
    state = {"b": minigrad.randn(2, 3).t(), "a": np.arange(3), "c": minigrad.ones(2, requires_grad=True)}
    save_safetensors(state, tmp_path / "flat", metadata={"who": "me"})
    with safetensors.safe_open(tmp_path / "flat", "np") as file:
        assert file.metadata() == {"who": "me"}
        assert sorted(file.keys()) == ["a", "b", "c"]
        assert all(file.get_tensor(name).tolist() == value.tolist() for name, value in state.items())
    for reader in (load_safetensors, load):
        out = reader(tmp_path / "flat")
        assert {name: t.tolist() for name, t in out.items()} == {name: value.tolist() for name, value in state.items()}
        assert all(type(t) is Tensor for t in out.values())
    theirs = {f"x.{dtype}": np.ones((2, 2), dtype) for dtype in DTYPES}
    safetensors.numpy.save_file(theirs, tmp_path / "theirs")
    assert {name: t.array.dtype for name, t in load(tmp_path / "theirs").items()} == {
        name: array.dtype for name, array in theirs.items()
    }


def test_flat_files_take_tensors_only():
    for bad in ({1: minigrad.ones(1)}, {"a": 1}, {"__metadata__": minigrad.ones(1)}):
        with pytest.raises(TypeError, match="save_safetensors"):
            save_safetensors(bad, io.BytesIO())
    with pytest.raises(TypeError, match="metadata"):
        save_safetensors({}, io.BytesIO(), metadata={"a": 1})


def raw(header, numbers=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + numbers


def test_bfloat16_becomes_float32():
    values = np.float32([1, -2.5, 3e38, np.inf])
    halves = (values.view(np.uint32) >> 16).astype(np.uint16)
    file = raw({"x": {"dtype": "BF16", "shape": [4], "data_offsets": [0, 8]}}, halves.tobytes())
    out = load_safetensors(io.BytesIO(file))["x"]
    assert out.array.dtype == np.float32
    np.testing.assert_allclose(out.array, values, rtol=2**-7)


def test_dtypes_that_minigrad_has_not():
    for dtype, size in (("F8_E4M3", 1), ("U16", 2), ("C64", 8)):
        file = raw({"x": {"dtype": dtype, "shape": [1], "data_offsets": [0, size]}}, bytes(size))
        for reader in (load, load_safetensors):
            with pytest.raises(RuntimeError, match="'x'"):
                reader(io.BytesIO(file))


# ---- what cannot be saved


class Thing:
    pass


@pytest.mark.parametrize(
    ("obj", "where"),
    [
        ({"a": [1, Thing()]}, r"obj\['a'\]\[1\] is of type .*Thing"),
        ({Thing: 1}, r"obj\["),
        (lambda: 0, "function"),
        ({"x": np.array(["a"])}, r"obj\['x'\] is an array of dtype <U1"),
        (np.array([None]), "dtype object"),
        (np.datetime64("2020-01-01"), "datetime64"),
        (collections.namedtuple("P", "x")(1), "P"),
        (collections.defaultdict(lambda: 0), "defaultdict"),
        (type("Bag", (list,), {})(), "Bag"),
    ],
)
def test_unknown_objects_are_named_and_nothing_is_written(obj, where, tmp_path):
    with pytest.raises(TypeError, match=where):
        save(obj, tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_containers_that_contain_themselves():
    loop = [1]
    loop.append({"again": loop})
    with pytest.raises(ValueError, match=r"obj\[1\]\['again'\] contains itself"):
        save(loop, io.BytesIO())
    deep = []
    for _ in range(1000):
        deep = [deep]
    with pytest.raises(ValueError, match="200 containers"):
        save(deep, io.BytesIO())
    twice = [1]
    assert again([twice, twice]) == [[1], [1]]


def test_deep_enough():
    deep = "end"
    for _ in range(190):
        deep = {"in": (deep,)} if isinstance(deep, str) else [deep]
    assert same(again(deep), deep)


def test_too_much_text(monkeypatch):
    monkeypatch.setattr(serialization, "LONGEST_HEADER", 5000)
    with pytest.raises(ValueError, match="100 MB"):
        save(["x" * 5000], io.BytesIO())


# ---- pickles, only when asked for


def test_modules_are_pickled_when_asked(tmp_path):
    from minigrad import nn

    model = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"Linear.*state_dict.*weights_only=False"):
        save(model, tmp_path / "m")
    save(model, tmp_path / "m", weights_only=False)
    with pytest.raises(RuntimeError, match=r"m is a pickle, which can run any code.*weights_only=False"):
        load(tmp_path / "m")
    out = load(tmp_path / "m", weights_only=False)
    assert isinstance(out, nn.Linear)
    assert out.weight.tolist() == model.weight.tolist()


def test_a_pickle_is_not_run(tmp_path):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "ran"),)

    for protocol in (2, 3, 4, 5):
        (tmp_path / "evil").write_bytes(pickle.dumps(Evil(), protocol))
        with pytest.raises(RuntimeError, match="is a pickle"):
            load(tmp_path / "evil")
    assert os.listdir(tmp_path) == ["evil"]


def test_a_damaged_pickle():
    with pytest.raises(RuntimeError, match="damaged: the pickle cannot be read"):
        load(io.BytesIO(pickle.dumps([1, 2], 4)[:-2]), weights_only=False)


def test_weights_only_false_reads_the_rest_as_well():
    buffer = io.BytesIO()
    save({"a": 1}, buffer)
    buffer.seek(0)
    assert load(buffer, weights_only=False) == {"a": 1}


# ---- files


def test_paths_and_files(tmp_path):
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pt"), os.fsencode(tmp_path / "c.pt").decode()):
        save([1], path)
        assert load(path) == [1]
    with open(tmp_path / "d", "wb") as file:
        save([2], file)
    with open(tmp_path / "d", "rb") as file:
        assert load(file) == [2]
        with pytest.raises(RuntimeError, match=r"d is empty, or has been read to its end before \(then seek"):
            load(file)


def test_wrong_arguments(tmp_path):
    with pytest.raises(TypeError, match=r"save\(\): argument 'f': got int"):
        save(1, 3)
    with pytest.raises(TypeError, match=r"load\(\): argument 'f': got NoneType"):
        load(None)
    with open(tmp_path / "t", "w+") as text:
        with pytest.raises(TypeError, match="'wb'"):
            save(1, text)
        with pytest.raises(TypeError, match="'rb'"):
            load(text)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(FileNotFoundError, match="the folder does not exist"):
        save(1, tmp_path / "no" / "file")
    with pytest.raises(IsADirectoryError):
        save(1, tmp_path)


def test_map_location(tmp_path):
    save([1], tmp_path / "x")
    for place in (None, "cpu", minigrad.ones(1).device, {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert load(tmp_path / "x", place, mmap=True) == [1]
    with pytest.raises(RuntimeError, match="cuda"):
        load(tmp_path / "x", map_location="cuda")


def test_safe_globals_are_accepted():
    serialization.add_safe_globals([Thing])
    with serialization.safe_globals([Thing]):
        assert again(1) == 1


def test_replacing_keeps_mode_and_links(tmp_path):
    target, link = tmp_path / "real", tmp_path / "link"
    save(1, target)
    assert stat.S_IMODE(target.stat().st_mode) & 0o600 == 0o600
    target.chmod(0o640)
    link.symlink_to(target)
    save(2, link)
    assert link.is_symlink()
    assert load(target) == 2
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert sorted(os.listdir(tmp_path)) == ["link", "real"]


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "x"
    save("old", path)

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="cannot write: No space left"):
        save("new", path)
    assert load(path) == "old"
    assert os.listdir(tmp_path) == ["x"]


def test_a_device_is_not_replaced():
    save([1], os.devnull)
    assert not os.path.isfile(os.devnull)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="POSIX only")
def test_killed_at_any_moment_the_file_is_whole(tmp_path):
    path = tmp_path / "x"
    save({"round": -1, "x": minigrad.zeros(10)}, path)
    code = f"""
        import itertools, minigrad
        from minigrad.serialization import save
        print("go", flush=True)
        for i in itertools.count():
            save({{"round": i, "x": minigrad.zeros(300_000) + i}}, {str(path)!r})
    """
    for wait in (0.02, 0.05, 0.09):
        child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(wait)
        child.kill()
        child.wait()
        child.stdout.close()
        out = load(path)
        assert set(out["x"].tolist()) <= {float(max(out["round"], 0))}


def test_saving_does_not_change_anything():
    a = minigrad.arange(4.0)
    value = {"a": a, "b": a[1:], "l": [1]}
    before = json.dumps([a.tolist(), value["l"]])
    again(value)
    assert json.dumps([a.tolist(), value["l"]]) == before
    assert a._version == 0
