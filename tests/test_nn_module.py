"""Module mechanics: what is registered, found, converted, printed, copied, and what goes wrong how."""

import copy
import gc
import pickle
import subprocess
import sys
import weakref
from pathlib import Path

import pytest

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.act = nn.ReLU()
        self.second = nn.Linear(3, 2)
        self.scale = nn.Parameter(minigrad.ones(1))
        self.register_buffer("offset", minigrad.zeros(2))
        self.register_buffer("cache", minigrad.zeros(1), persistent=False)

    def forward(self, x):
        return self.second(self.act(self.first(x))) * self.scale + self.offset


class TorchNet(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Linear(2, 3)
        self.act = torch.nn.ReLU()
        self.second = torch.nn.Linear(3, 2)
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.register_buffer("offset", torch.zeros(2))
        self.register_buffer("cache", torch.zeros(1), persistent=False)


def tied(lib):
    """Two layers share one weight, and one module stands in two places."""
    net = lib.Module()
    net.a = lib.Linear(2, 2)
    net.b = lib.Linear(2, 2)
    net.b.weight = net.a.weight
    net.c = net.a
    return net


def same_in_both(ask):
    """`ask(lib)` gives the same plain value in both libraries; returns it."""
    mine, theirs = ask(nn), ask(torch.nn)
    assert mine == theirs
    return mine


class TestListings:
    @pytest.mark.parametrize("listing", ["parameters", "buffers", "modules"])
    def test_names_are_torchs(self, listing):
        names = [name for name, _ in getattr(Net(), f"named_{listing}")()]
        assert names == [name for name, _ in getattr(TorchNet(), f"named_{listing}")()]
        assert len(list(getattr(Net(), listing)())) == len(names)

    def test_a_prefix_and_no_recursion(self):
        net, theirs = Net(), TorchNet()
        for kwargs in ({"prefix": "net"}, {"recurse": False}, {"prefix": "net", "recurse": False}):
            for listing in ("named_parameters", "named_buffers"):
                mine = [name for name, _ in getattr(net, listing)(**kwargs)]
                assert mine == [name for name, _ in getattr(theirs, listing)(**kwargs)]
        assert [n for n, _ in net.named_modules(prefix="net")] == [n for n, _ in theirs.named_modules(prefix="net")]

    def test_shared_parameters_and_modules_appear_once(self):
        assert same_in_both(lambda lib: [n for n, _ in tied(lib).named_parameters()]) == [
            "a.weight",
            "a.bias",
            "b.bias",
        ]
        same_in_both(lambda lib: [n for n, _ in tied(lib).named_parameters(remove_duplicate=False)])
        same_in_both(lambda lib: [n for n, _ in tied(lib).named_modules()])
        same_in_both(lambda lib: [n for n, _ in tied(lib).named_modules(remove_duplicate=False)])
        same_in_both(lambda lib: [n for n, _ in tied(lib).named_children()])
        same_in_both(lambda lib: list(tied(lib).state_dict()))

    def test_named_modules_leaves_out_what_is_in_memo(self):
        net = Net()
        assert [name for name, _ in net.named_modules({net.act})] == ["", "first", "second"]

    def test_order_is_that_of_registration_and_survives_replacement(self):
        net = Net()
        net.first = nn.Linear(2, 3)
        net.scale = nn.Parameter(minigrad.ones(1))
        assert [name for name, _ in net.named_children()] == ["first", "act", "second"]

    def test_plain_lists_are_not_registered(self):
        net = nn.Module()
        net.layers = [nn.Linear(2, 2)]
        assert list(net.parameters()) == []
        assert len(net.state_dict()) == 0

    def test_dicts_of_members_read_and_write(self):
        net = Net()
        assert list(net._modules) == ["first", "act", "second"]
        assert net._parameters == {"scale": net.scale}
        assert repr(net._parameters) == repr({"scale": net.scale})
        net._modules["third"] = nn.ReLU()
        assert net.third is net._modules["third"]
        del net._modules["third"]
        assert not hasattr(net, "third")
        with pytest.raises(KeyError, match="nothing"):
            net._buffers["nothing"]
        assert len(net._buffers) == 2

    def test_get_by_path(self):
        net = Net()
        net.block = nn.Sequential(nn.Linear(2, 2))
        assert net.get_submodule("block.0") is net.block[0]
        assert net.get_submodule("") is net
        assert net.get_parameter("block.0.weight") is net.block[0].weight
        assert net.get_buffer("offset") is net.offset
        net.set_submodule("block.0", nn.ReLU())
        assert isinstance(net.block[0], nn.ReLU)

    @pytest.mark.parametrize(
        "wrong",
        [
            lambda net: net.get_submodule("first.nothing"),
            lambda net: net.get_submodule("first.weight"),
            lambda net: net.get_submodule("nothing"),
            lambda net: net.get_parameter("nothing.weight"),
            lambda net: net.get_parameter("first.nothing"),
            lambda net: net.get_parameter("first"),
            lambda net: net.get_buffer("scale"),
            lambda net: net.get_buffer("first.nothing"),
            lambda net: net.set_submodule("", net),
            lambda net: net.set_submodule("first", 3),
            lambda net: net.set_submodule("scale", net.act),
            lambda net: net.set_submodule("nothing", net.act, strict=True),
        ],
    )
    def test_errors_of_paths_are_torchs(self, wrong):
        with pytest.raises((AttributeError, ValueError)) as theirs:
            wrong(TorchNet())
        with pytest.raises(theirs.type) as mine:
            wrong(Net())
        assert str(mine.value) == str(theirs.value).replace("TorchNet", "Net")


class TestModes:
    def test_train_and_eval_reach_everything(self):
        net = Net()
        assert net.training
        assert net.eval() is net
        assert not any(module.training for module in net.modules())
        assert net.train() is net
        assert all(module.training for module in net.modules())

    def test_train_may_be_overridden_with_another_signature(self):
        class Odd(nn.Module):
            def train(self, mode=True, loud=False):
                self.loud = loud
                return super().train(mode)

        assert nn.Sequential(Odd()).eval()[0].loud is False

    def test_requires_grad_(self):
        net = Net()
        assert net.first.requires_grad_(False) is net.first
        assert [p.requires_grad for p in net.parameters()] == [True, False, False, True, True]

    def test_zero_grad(self):
        net = Net()
        net(minigrad.ones(1, 2)).sum().backward()
        grad = net.scale.grad
        net.zero_grad(set_to_none=False)
        assert net.scale.grad is grad
        assert all((p.grad == 0).all() for p in net.parameters())
        net.zero_grad()
        assert all(p.grad is None for p in net.parameters())

    @pytest.mark.filterwarnings("ignore:Using backward")
    def test_zero_grad_of_a_recorded_gradient(self):
        net = nn.Linear(1, 1)
        (net(minigrad.ones(1, 1)) ** 2).sum().backward(create_graph=True)
        assert net.weight.grad.requires_grad
        net.zero_grad(set_to_none=False)
        assert not net.weight.grad.requires_grad
        assert net.weight.grad.tolist() == [[0.0]]

    def test_apply_goes_children_first(self):
        seen = []
        net = Net()
        assert net.apply(lambda module: seen.append(type(module).__name__)) is net
        assert seen == ["Linear", "ReLU", "Linear", "Net"]


class TestConversion:
    @pytest.mark.parametrize("convert", [lambda n: n.double(), lambda n: n.to(minigrad.float64)])
    def test_dtype_changes_in_place(self, convert):
        net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
        weight = net[0].weight
        net(minigrad.ones(3, 2)).sum().backward()
        assert convert(net) is net
        assert net[0].weight is weight
        assert {t.dtype for t in net.state_dict().values()} == {minigrad.float64, minigrad.int64}
        assert weight.grad.dtype == minigrad.float64
        net.zero_grad()
        net(minigrad.ones(3, 2, dtype=minigrad.float64)).sum().backward()
        assert weight.grad.dtype == minigrad.float64

    def test_ways_to_say_it(self):
        for convert in (
            lambda n: n.to("cpu", minigrad.float64),
            lambda n: n.to(device="cpu", dtype=minigrad.float64, non_blocking=True),
            lambda n: n.to(minigrad.zeros(1, dtype=minigrad.float64)),
            lambda n: n.type(minigrad.float64),
        ):
            assert convert(nn.Linear(1, 1)).weight.dtype == minigrad.float64
        net = nn.Linear(1, 1)
        assert net.half().weight.dtype == minigrad.float16
        assert net.float().weight.dtype == minigrad.float32

    def test_devices_change_nothing(self):
        net = nn.Linear(1, 1)
        weight = net.weight
        assert net.to("cpu") is net
        assert net.cpu() is net
        assert net.share_memory() is net
        assert net.compile() is None
        assert net.weight is weight
        with pytest.raises(TypeError, match="unexpected keyword argument 'devise'"):
            net.to(devise="cpu")

    def test_other_devices_are_errors(self):
        for wrong in (
            lambda: nn.ReLU().to("cuda"),
            lambda: nn.ReLU().cuda(),
            lambda: nn.Linear(1, 1, device="cuda"),
            lambda: nn.BatchNorm1d(1, affine=False, device="mps"),
        ):
            with pytest.raises(RuntimeError, match="runs on the CPU only"):
                wrong()
        assert nn.Linear(1, 1, device="cpu").weight.device == minigrad.device("cpu")


class TestRepr:
    def test_nested(self):
        def make(lib):
            net = type("Shown", (lib.Module,), {"extra_repr": lambda self: "x=1\ny=2"})()
            net.a = lib.Sequential(lib.Linear(1, 2), lib.Sequential(lib.ReLU()))
            net.b = lib.ModuleList([lib.Linear(1, 2), lib.Linear(1, 2), lib.ReLU()])
            return repr(net)

        same_in_both(make)

    def test_extra_lines_without_children_and_none_children(self):
        def make(lib):
            kind = type("Kind", (lib.Module,), {"extra_repr": lambda self: "x=1\ny=2"})
            alone, parent = kind(), kind()
            parent.register_module("child", None)
            return repr(alone) + repr(parent)

        same_in_both(make)

    def test_parameter(self):
        assert repr(nn.Parameter(minigrad.ones(2))) == repr(torch.nn.Parameter(torch.ones(2)))
        frozen = nn.Parameter(minigrad.ones(2), requires_grad=False)
        assert repr(frozen) == repr(torch.nn.Parameter(torch.ones(2), requires_grad=False))


class TestCopies:
    def test_deepcopy_is_independent(self):
        net = tied(nn)
        twin = copy.deepcopy(net)
        assert twin.a.weight is twin.b.weight
        assert twin.a is twin.c
        assert twin.a.weight is not net.a.weight
        twin.a.weight.data.fill_(7)
        assert (net.a.weight != 7).all()
        twin.extra = nn.ReLU()
        assert not hasattr(net, "extra")

    def test_deepcopy_of_a_parameter(self):
        p = nn.Parameter(minigrad.ones(2))
        p.grad = minigrad.ones(2)
        p.note = "kept"
        q = copy.deepcopy(p)
        assert isinstance(q, nn.Parameter)
        assert (q.requires_grad, q.is_leaf, q.grad, q.note) == (True, True, None, "kept")
        q.data.fill_(3)
        assert p.tolist() == [1.0, 1.0]

    def test_shallow_copy_shares_values_but_not_the_tables(self):
        net = Net()
        twin = copy.copy(net)
        assert twin.first is net.first
        twin.extra = nn.ReLU()
        assert [name for name, _ in net.named_children()] == ["first", "act", "second"]

    def test_pickle(self):
        net = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Dropout(0.2)).eval()
        twin = pickle.loads(pickle.dumps(net))
        assert repr(twin) == repr(net)
        assert not twin.training
        assert isinstance(twin[0].weight, nn.Parameter)
        for name, tensor in net.state_dict().items():
            assert twin.state_dict()[name].tolist() == tensor.tolist()

    def test_parameter_shares_memory(self):
        data = minigrad.zeros(2)
        p = nn.Parameter(data)
        data.fill_(5)
        assert p.tolist() == [5.0, 5.0]
        assert p.requires_grad
        with minigrad.no_grad():
            assert nn.Parameter(data).requires_grad
        assert nn.Parameter().shape == (0,)

    def test_a_write_through_the_source_is_noticed(self):
        data = minigrad.ones(2)
        p = nn.Parameter(data)
        y = (p * p).sum()
        data.add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()

    def test_parameter_errors(self):
        with pytest.raises(TypeError, match="argument 'data' must be Tensor, not list"):
            nn.Parameter([1.0])
        with pytest.raises(TypeError, match="argument 'data' must be Tensor, not list"):
            nn.Buffer([1.0])
        with pytest.raises(RuntimeError, match=r"(?i)only tensors of floating point"):
            nn.Parameter(minigrad.tensor([1, 2]))


def test_modules_are_freed_without_the_collector():
    gc.disable()
    try:
        net = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
        net.register_forward_hook(lambda *args: None)
        watch = weakref.ref(net), weakref.ref(net[0].weight)
        net(minigrad.ones(1, 2)).sum().backward()
        del net
        assert [w() for w in watch] == [None, None]
    finally:
        gc.enable()


def test_importing_the_folder_by_its_name_is_refused():
    root = Path(__file__).resolve().parents[1]
    code = f"import sys; sys.path.insert(0, {str(root)!r}); import nn"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: import minigrad.nn, not nn" in done.stderr


def test_import_paths_are_torchs():
    for path in (
        "activation.ReLU", "batchnorm.BatchNorm2d", "container.Sequential", "container.ModuleList", "conv.Conv2d",
        "dropout.Dropout", "flatten.Flatten", "linear.Linear", "loss.MSELoss", "module.Module",
        "normalization.LayerNorm", "pooling.MaxPool2d", "sparse.Embedding",
    ):  # fmt: skip
        file, name = path.split(".")
        assert getattr(sys.modules[f"minigrad.nn.modules.{file}"], name) is getattr(nn, name)
        assert hasattr(sys.modules[f"torch.nn.modules.{file}"], name)
