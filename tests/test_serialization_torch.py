"""Files of one library in the other: every kind of object, state, whole modules, in the new format and the old."""

import collections
import importlib
import inspect
import io
import pickle
import zipfile

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, serialization
from minigrad.serialization.names import torch_name

torch = pytest.importorskip("torch")
LIBRARIES = (minigrad, torch)
OLD = {"_use_new_zipfile_serialization": False}


def passed(obj, source, target, options=None, **loading):
    """`obj` of the library `source`, saved there and loaded by `target`."""
    buffer = io.BytesIO()
    source.save(obj, buffer, **(options or {}))
    buffer.seek(0)
    return target.load(buffer, **loading)


def plain(value):
    """A value of either library as something that can be compared: types by name, tensors with all that is kept."""
    if isinstance(value, minigrad.Tensor | torch.Tensor):
        data = value.detach()
        state = {key: each for key, each in value.__dict__.items() if key != "_is_buffer"}
        kind = "Tensor" if "persistent" in state else type(value).__name__
        return kind, str(value.dtype), data.tolist(), value.stride(), value.storage_offset(), value.requires_grad, state
    if isinstance(value, dict):
        return type(value).__name__, [(plain(key), plain(each)) for key, each in value.items()]
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(each) for each in value]
    if isinstance(value, minigrad.dtype | minigrad.device | minigrad.layout):
        return repr(value)
    if isinstance(value, torch.dtype | torch.device | torch.layout):
        return repr(value)
    if isinstance(value, np.ndarray | np.generic):
        return str(value.dtype), value.tolist()
    return type(value).__name__, repr(value)


def tensors(T):
    whole = T.arange(12.0).reshape(3, 4)
    tied = T.nn.Parameter(T.ones(2))
    marked = T.arange(3)
    marked.note = [1]
    return {
        "kinds": [T.ones(2, dtype=getattr(T, name)) for name in "bool uint8 int8 int16 int32 int64 half".split()],
        "views": [whole, whole[1], whole.t(), whole[:, 1:3], T.ones(1).expand(3), T.empty(0), T.tensor(5)],
        "tied": [tied, tied, tied.data, T.nn.Parameter(T.ones(1), requires_grad=False)],
        "leaf": T.ones(2, requires_grad=True) * 2,
        "marked": [marked, T.nn.Buffer(T.ones(1), persistent=False)],
    }


def containers(T):
    return {
        "plain": [None, True, 1, -(2**70), 1.5, float("inf"), "é", b"\0\xff", bytearray(b"x"), 1 + 2j],
        "nested": {"a": [1, (2, {3: [4]})], ("k", 1): (), 2.5: {}},
        "sets": {1},
        "dicts": [collections.OrderedDict(b=1, a=2), collections.Counter("aab")],
        "meta": [T.float32, T.bool, T.Size([2, 3]), T.device("cpu"), T.device("cpu:0"), T.strided],
    }


def trusted(T):
    return [np.ones((2, 2)), np.float64(2.5), np.int8(3), collections.defaultdict(list, a=[1]), slice(1, 2), range(3)]


@pytest.mark.parametrize("options", [{}, OLD], ids=["zip", "old"])
@pytest.mark.parametrize("weights_only", [True, False])
@pytest.mark.parametrize("make", [tensors, containers, trusted])
def test_both_ways(make, weights_only, options):
    if make is trusted and weights_only:
        for source, target in (LIBRARIES, LIBRARIES[::-1]):
            for value in make(source):
                with pytest.raises(pickle.UnpicklingError, match="was not an allowed global by default"):
                    passed(value, source, target, options)
        return
    expected = plain(make(torch))
    assert plain(make(minigrad)) == expected
    for source, target in (LIBRARIES, LIBRARIES[::-1], (minigrad, minigrad)):
        assert plain(passed(make(source), source, target, options, weights_only=weights_only)) == expected


def test_what_shares_memory_there_shares_it_here():
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        out = passed(tensors(source), source, target)
        out["views"][0].fill_(7)
        assert out["views"][1].tolist() == [7] * 4
        assert out["tied"][0] is out["tied"][1]
        with target.no_grad():
            out["tied"][0].fill_(3)
        assert out["tied"][2].tolist() == [3, 3]


def test_the_file_is_pytorchs_to_the_byte(tmp_path):
    """Except for the number that tells one file from another."""
    for make in (tensors, containers, lambda T: T.zeros(1000), lambda T: {}):
        files = []
        for library in LIBRARIES:
            library.save(make(library), tmp_path / "x.pt")
            files.append((tmp_path / "x.pt").read_bytes())
        with zipfile.ZipFile(io.BytesIO(files[0])) as ours, zipfile.ZipFile(io.BytesIO(files[1])) as theirs:
            assert ours.testzip() is None
            assert ours.namelist() == theirs.namelist()
            for name in ours.namelist()[:-1]:
                assert ours.read(name) == theirs.read(name), name
            assert [i.header_offset for i in ours.infolist()] == [i.header_offset for i in theirs.infolist()]
        end = files[0].index(b"x/.data/serialization_id")
        assert files[0][:end] == files[1][:end]
        assert len(files[0]) == len(files[1])


def test_large_files_have_the_fields_they_need(monkeypatch, tmp_path):
    """With what counts as large set low."""
    monkeypatch.setattr(serialization.archive, "LARGE", 300)
    minigrad.save({"a": minigrad.arange(1000.0), "b": minigrad.ones(3)}, tmp_path / "x.pt")
    for library in LIBRARIES:
        out = library.load(tmp_path / "x.pt")
        assert (out["a"].tolist(), out["b"].tolist()) == (list(range(1000)), [1, 1, 1])
    assert torch.load(tmp_path / "x.pt", mmap=True)["a"].tolist() == list(range(1000))


def test_mapped(tmp_path):
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        source.save(tensors(source), tmp_path / "x.pt")
        assert plain(target.load(tmp_path / "x.pt", mmap=True)) == plain(tensors(target))


def test_another_byte_order():
    buffer, swapped = io.BytesIO(), io.BytesIO()
    torch.save({"x": torch.arange(4, dtype=torch.int16), "y": torch.ones(2, dtype=torch.float64)}, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(swapped, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name.endswith("data/0"):
                data = np.frombuffer(data, "<i2").astype(">i2").tobytes()
            elif name.endswith("data/1"):
                data = np.frombuffer(data, "<f8").astype(">f8").tobytes()
            if not name.endswith("byteorder"):
                new.writestr(name, data)
    try:
        serialization.set_default_load_endianness(serialization.LoadEndianness.BIG)
        swapped.seek(0)
        out = minigrad.load(swapped)
    finally:
        serialization.set_default_load_endianness(None)
    assert (out["x"].tolist(), out["y"].tolist()) == ([0, 1, 2, 3], [1, 1])
    assert torch.serialization.get_default_load_endianness() is serialization.get_default_load_endianness()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: torch.ones(2, dtype=torch.bfloat16), r"a bfloat16 tensor of shape \[2\] at obj\['m'\]\[0\].*widen_bf"),
        (lambda: torch.ones(2, dtype=torch.complex64), r"a complex64 tensor of shape \[2\] at obj\['m'\]\[0\]"),
        (lambda: torch.eye(2).to_sparse(), r"a sparse tensor .*obj\['m'\]\[0\].*to_dense"),
        (lambda: torch.eye(2).to_sparse_csr(), r"a sparse tensor .*obj\['m'\]\[0\].*to_dense"),
        (lambda: torch.ones(2, dtype=torch.uint16), r"a uint16 tensor of shape \[2\] at obj"),
        (lambda: torch.ones(2).to(torch.float8_e5m2), r"a float8_e5m2 tensor of shape \[2\] at obj"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8), "a quantized tensor at obj"),
        (lambda: torch.ones(2, device="meta"), "a meta tensor at obj"),
        (lambda: torch.nn.Parameter(torch.ones(2, dtype=torch.bfloat16)), r"a bfloat16 tensor of shape \[2\] at obj"),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_tensors_that_are_not_here_are_named(make, says):
    for weights_only in (True, False):
        with pytest.raises(NotImplementedError, match=says):
            passed({"m": [make()]}, torch, minigrad, weights_only=weights_only)


def test_bfloat16_becomes_float32_when_asked():
    value = torch.tensor([[1.5, -3e38], [float("inf"), 1e-40]], dtype=torch.bfloat16)
    out = passed([value, value[1], torch.nn.Parameter(value.t())], torch, minigrad, widen_bfloat16=True)
    assert [t.dtype for t in out] == [minigrad.float32] * 3
    assert [t.tolist() for t in out] == [value.tolist(), value[1].tolist(), value.t().tolist()]
    out[0].fill_(0)
    assert out[1].tolist() == [0, 0]


# ---- where tensors go


def keeps(storage, location):
    return storage


@pytest.mark.parametrize(
    "map_location",
    [
        None, "cpu", "cpu:0", {"cuda:0": "cpu"}, {"cpu": "cpu:0"}, {}, keeps, lambda s, where: None,
        lambda s, where: s.cpu(), "cuda", "cuda:1", "xyz", {"cpu": "cuda:0"}, 3, lambda s, where: 5,
    ],
    ids=lambda place: getattr(place, "__name__", repr(place)),
)  # fmt: skip
def test_map_location(map_location):
    def outcome(library):
        try:
            return passed(torch.ones(2), torch, library, map_location=map_location).tolist()
        except Exception as error:
            return type(error)

    assert outcome(minigrad) == outcome(torch)


def test_files_of_another_device():
    buffer, moved = io.BytesIO(), io.BytesIO()
    torch.save(torch.ones(2), buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(moved, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"X\3\0\0\0cpu", b"X\6\0\0\0cuda:0"))
    moved.seek(0)
    with pytest.raises(RuntimeError, match=r"CUDA device \(cuda:0\).*map_location='cpu'"):
        minigrad.load(moved)
    seen = []
    for place in (
        "cpu",
        minigrad.device("cpu"),
        {"cuda:0": "cpu"},
        lambda s, where: seen.append((s.nbytes(), where)) or s,
    ):
        moved.seek(0)
        assert minigrad.load(moved, map_location=place).tolist() == [1, 1]
    assert seen == [(8, "cuda:0")]
    storage = minigrad.ones(2).untyped_storage()
    assert serialization.default_restore_location(storage, serialization.location_tag(storage)) is storage


# ---- state


LAYERS = """
    Linear(3,2) Linear(3,2,bias=False) Bilinear(2,3,2) Conv1d(2,4,3) Conv2d(2,4,3,padding=1,groups=2) Conv3d(1,1,2)
    ConvTranspose2d(2,3,2) BatchNorm1d(3) BatchNorm2d(3,affine=False) BatchNorm3d(2,track_running_stats=False)
    LayerNorm((2,3)) GroupNorm(2,4) InstanceNorm2d(3,affine=True,track_running_stats=True) RMSNorm(3) Embedding(4,3,0)
    EmbeddingBag(4,3) PReLU(2) LSTM(2,3,2,bidirectional=True) GRU(2,3) RNN(2,3) LSTMCell(2,3) MultiheadAttention(4,2)
    TransformerEncoderLayer(4,2,8) Dropout(0.3) ReLU() GELU() Softmax(1) LeakyReLU(0.2) MaxPool2d(2) AvgPool2d(2)
    AdaptiveAvgPool2d(1) Flatten() CrossEntropyLoss() MSELoss() Identity() Upsample(scale_factor=2) ZeroPad2d(1)
    Conv2d(1,2,3,padding=1,padding_mode='reflect')
""".split()


def built(layer, library):
    library.manual_seed(0)
    return eval(f"nn.{layer}", {"nn": library.nn})


@pytest.mark.parametrize("layer", LAYERS)
def test_state_dicts(layer):
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        model = built(layer, source)
        state = passed(model.state_dict(), source, target)
        assert state._metadata == model.state_dict()._metadata
        other = built(layer, target)
        with target.no_grad():
            for parameter in other.parameters():
                parameter.zero_()
        assert str(other.load_state_dict(state)) == "<All keys matched successfully>"
        assert plain(dict(other.state_dict())) == plain(dict(model.state_dict()))


@pytest.mark.parametrize("layer", LAYERS)
def test_whole_modules(layer):
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        model = built(layer, source)
        other = passed(model, source, target, weights_only=False)
        assert type(other) is getattr(target.nn, layer.partition("(")[0])
        assert repr(other) == repr(model)
        assert plain(dict(other.state_dict())) == plain(dict(model.state_dict()))
        assert [name for name, _ in other.named_buffers()] == [name for name, _ in model.named_buffers()]


def test_modules_that_the_other_library_allows():
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        model = source.nn.Sequential(source.nn.Linear(2, 3), source.nn.Softmax(1))
        with pytest.raises(pickle.UnpicklingError, match=r"torch\.nn\.modules\.container\.Sequential"):
            passed(model, source, target)
        with target.serialization.safe_globals([target.nn.Sequential, target.nn.Linear, target.nn.Softmax]):
            assert repr(passed(model, source, target)) == repr(model)


@pytest.mark.parametrize("place", ["nn", "optim", "optim.lr_scheduler", "distributions", "utils.data"])
def test_every_class_is_written_under_pytorchs_name(place):
    ours, theirs = importlib.import_module(f"minigrad.{place}"), importlib.import_module(f"torch.{place}")
    for name, each in vars(ours).items():
        twin = getattr(theirs, name, None)
        if inspect.isclass(each) and inspect.isclass(twin) and name not in ("DataParallel", "_LRScheduler"):
            assert torch_name(each) == (twin.__module__, twin.__qualname__)


def network(library):
    class Net(library.nn.Module):
        def __init__(self):
            super().__init__()
            self.body = library.nn.Sequential(library.nn.Linear(3, 4), library.nn.BatchNorm1d(4), library.nn.ReLU())
            self.head = library.nn.Linear(4, 2)
            self.register_buffer("scale", library.ones(2), persistent=False)
            self.tied = self.head.weight
            self.note = {"made": "here"}

        def forward(self, x):
            return self.head(self.body(x)) * self.scale

    Net.__qualname__ = "Net"
    return Net


def test_a_program_loads_the_models_of_its_twin(monkeypatch):
    """The class is found under its own name, as it is in the same script that imports the other library."""
    x = np.random.default_rng(0).standard_normal((5, 3)).astype(np.float32)
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        monkeypatch.setitem(globals(), "Net", network(source))
        source.manual_seed(0)
        model = globals()["Net"]()
        model(source.from_numpy(x))
        buffer = io.BytesIO()
        source.save(model, buffer)
        monkeypatch.setitem(globals(), "Net", network(target))
        buffer.seek(0)
        other = target.load(buffer, weights_only=False)
        assert type(other) is globals()["Net"]
        assert other.tied is other.head.weight
        assert other.note == model.note
        assert list(other.state_dict()) == list(model.state_dict())
        np.testing.assert_allclose(
            other(target.from_numpy(x)).detach().numpy(), model(source.from_numpy(x)).detach().numpy(), 1e-6, 1e-6
        )


OPTIMIZERS = sorted(
    name
    for name, each in vars(optim).items()
    if inspect.isclass(each) and issubclass(each, optim.Optimizer) and hasattr(torch.optim, name)
    if name not in ("Optimizer", "SparseAdam")  # these two take no step here
)


def trained(library, name, state=None):
    """An optimizer of three parameters after three steps, or three more steps after `state`."""
    params = [library.nn.Parameter(library.full((2, 3), 0.5 + i)) for i in range(2)]
    optimizer = getattr(library.optim, name)(params, lr=0.1)
    schedule = library.optim.lr_scheduler.StepLR(optimizer, 2, 0.5)
    if state is not None:
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        with library.no_grad():
            for param, value in zip(params, state["params"], strict=True):
                param.copy_(value)
    for _ in range(3):

        def loss():
            optimizer.zero_grad()
            value = sum([(param * param * param).sum() for param in params])
            value.backward()
            return value

        optimizer.step(loss)
        schedule.step()
    return {"optimizer": optimizer.state_dict(), "schedule": schedule.state_dict(), "params": params}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.filterwarnings("ignore:.*lr_scheduler.step:UserWarning")
def test_a_training_goes_on_in_the_other_library(name):
    results = []
    for source, target in (LIBRARIES, LIBRARIES[::-1], (torch, torch)):
        middle = passed(trained(source, name), source, target)
        end = trained(target, name, middle)
        results.append([param.detach().numpy() for param in end["params"]])
        assert end["schedule"]["last_epoch"] == 6
    np.testing.assert_allclose(results[0], results[2], 1e-5, 1e-6)
    np.testing.assert_allclose(results[1], results[2], 1e-5, 1e-6)


def test_functions_and_generators():
    for source, target in (LIBRARIES, LIBRARIES[::-1]):
        functions = [source.nn.functional.relu, source.nn.functional.softmax, source.nn.init.xavier_uniform_]
        out = passed(functions, source, target, weights_only=False)
        assert [f.__name__ for f in out] == [
            target.nn.functional.relu.__name__,
            target.nn.functional.softmax.__name__,
            "xavier_uniform_",
        ]
        assert passed(source.sin, source, target, weights_only=False) is target.sin
        generator = source.Generator()
        generator.manual_seed(7)
        source.rand(3, generator=generator)
        other = passed(generator, source, target, weights_only=False)
        assert target.rand(5, generator=other).tolist() == source.rand(5, generator=generator).tolist()
        random = passed(source.get_rng_state(), source, target)
        assert random.tolist() == source.get_rng_state().tolist()


def test_what_is_not_here_is_named():
    with pytest.raises(AttributeError, match=r"asks for torch\.ao\.nn\.quantizable"):
        passed(torch.nn.quantizable.LSTMCell(2, 2), torch, minigrad, weights_only=False)
    with pytest.raises(AttributeError, match="Maxout"):
        passed(nn.Maxout(2, 2), minigrad, torch, weights_only=False)
