"""save and load: what goes in comes out, shared memory stays shared, and files are whole or not there."""

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
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minigrad
from minigrad import nn, serialization
from minigrad.serialization import load, save
from minigrad.tensor import Tensor, wrap

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
OLD = {"_use_new_zipfile_serialization": False}


def again(obj, options=None, **loading):
    """What `obj` is after it was saved and loaded."""
    buffer = io.BytesIO()
    save(obj, buffer, **(options or {}))
    buffer.seek(0)
    return load(buffer, **loading)


def same(a, b):
    """Equal in type, structure and value, NaN equal to itself."""
    if type(a) is not type(b):
        return False
    if isinstance(a, Tensor):
        same_meta = a.requires_grad == b.requires_grad and a.stride() == b.stride()
        return same_meta and same(a.array, b.array) and same(a.__dict__, b.__dict__)
    if isinstance(a, np.ndarray | np.generic):
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
    value = wrap(np.random.default_rng(0).integers(0, 2, shape).astype(dtype))
    for options in ({}, OLD, {"pickle_protocol": 4}):
        out = again(value, options)
        assert same(value, out)
        assert out.array.flags.writeable


PLAIN = [
    None, True, 0, -(2**70), 2**40, 1.5, -0.0, 5e-324, 1e308, math.inf, -math.inf, math.nan, "", "é\n\"'\0", "\ud800",
    b"", b"\0\xff", bytearray(b"ab"), 1 + 2j, complex(math.nan, -math.inf), [], (), {}, set(), {1, 2},
    [1, [2, (3, {"a": None})]], {1: "int", "1": "str", 1.5: 0, (1, 2): 0, None: 0}, "x" * 70_000, list(range(3000)),
    collections.OrderedDict([("b", 1), ("a", 2)]), collections.Counter("aab"), (1, 2, 3, 4, 5),
]  # fmt: skip


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("value", PLAIN, ids=[type(v).__name__ for v in PLAIN])
def test_plain_values(value, protocol):
    assert same(again(value, {"pickle_protocol": protocol}), value)
    assert same(again({"in": [value]}, {**OLD, "pickle_protocol": protocol}), {"in": [value]})
    assert same(again(value, weights_only=False), value)


def test_dtypes_sizes_devices_layouts_storages():
    a = minigrad.ones(2, 3)
    for options in ({}, {"weights_only": False}):
        out = again([a.dtype, a.shape, a.device, minigrad.device("cpu:0"), a.layout], **options)
        assert out == [a.dtype, a.shape, a.device, minigrad.device("cpu:0"), a.layout]
        assert out[0] is a.dtype
        assert repr(out[1]) == "torch.Size([2, 3])"
        assert again(a.untyped_storage(), **options).tolist() == a.untyped_storage().tolist()


JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda part: st.lists(part) | st.dictionaries(st.text() | st.integers(), part) | st.tuples(part, part),
    max_leaves=20,
)


@given(JSON_LIKE, st.sampled_from([2, 3, 4, 5]))
def test_anything_of_plain_parts(value, protocol):
    assert same(again(value, {"pickle_protocol": protocol}), value)


def test_requires_grad_is_kept_and_history_is_not():
    a = minigrad.ones(2, requires_grad=True)
    out = again([a, a * 2, a.detach()])
    assert [t.requires_grad for t in out] == [True, True, False]
    assert all(t.is_leaf for t in out)
    assert out[1].tolist() == [2, 2]


def test_parameters_buffers_and_attributes():
    frozen, named = nn.Parameter(minigrad.ones(1), requires_grad=False), nn.Parameter(minigrad.ones(2))
    named.note = {"who": "me"}
    buffer, marked = nn.Buffer(minigrad.ones(1), persistent=False), minigrad.arange(2)
    marked.mark = [1]
    for options in ({}, {"weights_only": False}):
        out = again([frozen, named, buffer, marked], **options)
        assert all(map(same, out, [frozen, named, buffer, marked]))
        assert out[2].persistent is False


class Mine(Tensor):
    pass


def test_subclasses_of_tensors_have_to_be_allowed():
    value = Mine([1.0, 2.0])
    value.unit = "m"
    with pytest.raises(
        pickle.UnpicklingError, match=r"GLOBAL tests\.test_serialization\.Mine|test_serialization\.Mine"
    ):
        again(value)
    with serialization.safe_globals([Mine]):
        assert same(again(value), value)
    assert same(again(value, weights_only=False), value)


def test_generators_and_rng_states():
    generator = minigrad.Generator().manual_seed(5)
    minigrad.rand(3, generator=generator)
    out = again(generator, weights_only=False)
    assert minigrad.rand(4, generator=out).tolist() == minigrad.rand(4, generator=generator).tolist()
    assert same(again(minigrad.get_rng_state()), minigrad.get_rng_state())
    state = generator.get_state()  # a tensor, which weights_only=True admits
    expected = minigrad.rand(4, generator=generator).tolist()
    for form in (again(state), state.numpy()):
        assert minigrad.rand(4, generator=minigrad.Generator().set_state(form)).tolist() == expected


def test_modules_are_loaded_where_they_are_allowed():
    model = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    model.register_buffer("passing", minigrad.ones(1), persistent=False)
    with pytest.raises(pickle.UnpicklingError, match=r"nn\.modules\.container\.Sequential was not an allowed"):
        again(model)
    with serialization.safe_globals([nn.Sequential, nn.Linear, nn.BatchNorm1d]):
        copies = [again(model), again(model, weights_only=False)]
    for copy in copies:
        assert repr(copy) == repr(model)
        assert list(copy.state_dict()) == list(model.state_dict())
        assert copy[0].weight.tolist() == model[0].weight.tolist()
        assert copy.passing.tolist() == [1]


def hook(module, args, kwargs=None, output=None):
    CALLS.append(kwargs)


CALLS: list = []


def test_hooks_of_modules_are_kept():
    model = nn.Linear(2, 3)
    model.register_forward_pre_hook(hook)
    model.register_forward_hook(hook, with_kwargs=True, always_call=True)
    copy = again(model, weights_only=False)
    CALLS.clear()
    copy(input=minigrad.ones(1, 2))
    assert CALLS[0] is None
    assert list(CALLS[1]) == ["input"]


# ---- shared memory


def test_one_object_stays_one():
    a = minigrad.ones(2)
    tied = nn.Parameter(minigrad.ones(2))
    for options in ({}, OLD):
        out = again({"a": a, "b": a, "c": a.detach(), "d": a.clone(), "w": [tied, tied]}, options)
        assert out["a"] is out["b"]
        assert out["w"][0] is out["w"][1]
        out["a"].fill_(5)
        assert [out[key].tolist() for key in "abcd"] == [[5, 5], [5, 5], [5, 5], [1, 1]]


def test_views_stay_views():
    whole = minigrad.arange(12.0).reshape(3, 4)
    value = {"row": whole[1], "whole": whole, "turned": whole.t(), "column": whole[:, 2], "none": whole[3:]}
    value["spread"] = minigrad.ones(1).expand(3)
    for options in ({}, OLD):
        out = again(value, options)
        assert all(same(value[key], out[key]) for key in value)
        assert out["row"].storage_offset() == 4
        out["whole"].fill_(7)
        assert {key: set(out[key].flatten().tolist()) for key in ("row", "turned", "column")} == {
            "row": {7}, "turned": {7}, "column": {7}
        }  # fmt: skip


def test_memory_is_written_once_and_whole(tmp_path):
    whole = minigrad.zeros(1000)
    save([whole[3], whole.view(10, 100), whole[::2]], tmp_path / "x.pt")
    with zipfile.ZipFile(tmp_path / "x.pt") as archive:
        assert [info.file_size for info in archive.infolist() if "/data/" in info.filename] == [4000]


def test_memory_of_two_dtypes_is_refused():
    words = np.arange(4, dtype=np.int32)
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        save([wrap(words), wrap(words.view(np.uint8))], io.BytesIO())


def test_views_that_pytorch_has_not():
    value = [wrap(np.arange(4)[::-1]), wrap(np.arange(4, dtype="u1")[1:].view(np.int8)[::-2])]
    assert [t.tolist() for t in again(value)] == [[3, 2, 1, 0], [3, 1]]


# ---- what cannot be saved, or is not read


def test_what_cannot_be_pickled_is_named_and_nothing_is_written(tmp_path):
    for obj in (lambda: 0, {"x": [open]}.keys(), nn.functional.relu.__code__):
        with pytest.raises((pickle.PicklingError, TypeError, AttributeError)):
            save(obj, tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_weights_only_has_pytorchs_rules():
    for value in (np.ones(2), np.float64(1.5), collections.defaultdict(int), frozenset("a"), slice(1), range(3)):
        with pytest.raises(pickle.UnpicklingError, match="was not an allowed global by default"):
            again(value)
        assert same(again(value, weights_only=False), value)


def test_arrays_once_they_are_allowed():
    kinds = [np.ndarray, np.dtype, type(np.dtype("f8")), np._core.multiarray.scalar, np._core.multiarray._reconstruct]
    with serialization.safe_globals(kinds):
        assert same(again({"a": np.ones((2, 3)), "s": np.float64(2.5)}), {"a": np.ones((2, 3)), "s": np.float64(2.5)})


def test_defaultdicts_once_they_are_allowed():
    value = collections.defaultdict(list, a=[1])
    with serialization.safe_globals([collections.defaultdict, (list, "builtins.list")]):
        out = again(value)
    assert same(out, value)
    assert out.default_factory is list


def test_safe_globals():
    assert serialization.get_safe_globals() == []
    with serialization.safe_globals([Mine]):
        assert serialization.get_safe_globals() == [Mine]
    serialization.add_safe_globals([(Mine, "their.Mine"), Mine])
    assert serialization.get_safe_globals() == [(Mine, "their.Mine"), Mine]
    serialization.clear_safe_globals()
    assert serialization.get_safe_globals() == []
    with pytest.raises(ValueError, match="length 2"):
        serialization.add_safe_globals([(Mine, "a", "b")])
    with pytest.raises(TypeError, match="to be str"):
        serialization.add_safe_globals([(Mine, 3)])


def test_what_a_file_would_need():
    for protocol in (2, 4):
        buffer = io.BytesIO()
        save([Mine([1.0]), nn.ReLU(), {1}, minigrad.ones(1), np.ones(1)], buffer, pickle_protocol=protocol)
        buffer.seek(0)
        needed = serialization.get_unsafe_globals_in_checkpoint(buffer)
        assert {name.rpartition(".")[2] for name in needed} == {"_reconstruct", "dtype", "ndarray", "ReLU", "Mine"}
    with pytest.raises(ValueError, match="Expected input to be a checkpoint"):
        serialization.get_unsafe_globals_in_checkpoint(io.BytesIO(b"no"))


# ---- files


def test_paths_and_files(tmp_path):
    for path in (tmp_path / "a.pt", str(tmp_path / "b.pt"), os.fsencode(tmp_path / "é.pt").decode()):
        save([1], path)
        assert load(path) == [1]
    with open(tmp_path / "d", "wb") as file:
        save([2], file)
    with open(tmp_path / "d", "rb") as file:
        assert load(file) == [2]
        with pytest.raises(EOFError, match=r"d is empty, or has been read to its end before \(then seek"):
            load(file)


def test_wrong_arguments(tmp_path):
    with pytest.raises(AttributeError, match=r"save\(\): expected 'f' to be string, path.*got int"):
        save(1, 3)
    with pytest.raises(AttributeError, match="only load from a file that is seekable"):
        load(None)
    with open(tmp_path / "t", "w+") as text:
        with pytest.raises(TypeError, match="'wb'"):
            save(1, text)
        with pytest.raises(TypeError, match="'rb'"):
            load(text)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none")
    with pytest.raises(RuntimeError, match=r"Parent directory .*no does not exist"):
        save(1, tmp_path / "no" / "file")
    with pytest.raises(IsADirectoryError):
        save(1, tmp_path)
    with pytest.raises(RuntimeError, match="explicit pickle_module"):
        load(tmp_path / "t", pickle_module=pickle, weights_only=True)
    with pytest.warns(UserWarning, match="pickle_load_args"), pytest.raises(EOFError):
        load(tmp_path / "t", errors="strict")
    reader, writer = os.pipe()
    os.close(writer)
    with open(reader, "rb") as pipe, pytest.raises(io.UnsupportedOperation, match="pre-load the data"):
        load(pipe)


def test_several_objects_in_one_file():
    buffer = io.BytesIO()
    for i in range(3):
        save({"i": i, "t": minigrad.full((2,), i)}, buffer, **OLD)
    buffer.seek(0)
    assert [load(buffer)["t"].tolist() for _ in range(3)] == [[0, 0], [1, 1], [2, 2]]
    with pytest.raises(EOFError):
        load(buffer)
    buffer = io.BytesIO(b"before")
    buffer.seek(6)
    save([1], buffer)
    second = buffer.tell()
    buffer.seek(6)
    assert load(buffer) == [1]
    buffer.seek(second)
    save([2], buffer)
    buffer.seek(second)
    assert load(buffer) == [2]
    buffer.seek(6)
    with pytest.raises(RuntimeError, match="several archives"):
        load(buffer)


def test_a_mapped_file_is_not_changed(tmp_path):
    save({"x": minigrad.arange(1000.0), "none": minigrad.empty(0)}, tmp_path / "x.pt")
    out = load(tmp_path / "x.pt", mmap=True)
    assert out["x"].tolist() == list(range(1000))
    assert out["none"].shape == (0,)
    out["x"].fill_(3)
    assert load(str(tmp_path / "x.pt"))["x"].tolist() == list(range(1000))
    with open(tmp_path / "x.pt", "rb") as file, pytest.raises(ValueError, match="f must be a file path"):
        load(file, mmap=True)
    save(1, tmp_path / "old.pt", **OLD)
    with pytest.raises(RuntimeError, match="mmap can only be used with"):
        load(tmp_path / "old.pt", mmap=True)


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
