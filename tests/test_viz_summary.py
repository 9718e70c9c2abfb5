"""viz.summary: shapes, parameters, multiply-adds and memory, against hand counts and against what torchinfo says.

The numbers in TORCHINFO are torchinfo 1.8.0's for the same layers of PyTorch 2.13 (parameters, multiply-adds, bytes of
the forward and backward pass, of the parameters). Where it is left out, it counts something else: the tests by hand
say what.
"""

import copy
import random

import pytest

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, viz
from minigrad.nn.modules.hooks import EVERYWHERE


class LeNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2)
        )
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(400, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10)
        )

    def forward(self, x):
        return self.classifier(self.features(x))


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8)
        self.c2, self.b2 = nn.Conv2d(8, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8)
        self.short = nn.Conv2d(3, 8, 1, 2)

    def forward(self, x):
        return F.relu(self.b2(self.c2(F.relu(self.b1(self.c1(x))))) + self.short(x))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.qkv, self.out = nn.Embedding(10, 16), nn.Linear(16, 48), nn.Linear(16, 16)

    def forward(self, index):
        x = self.embed(index)
        b, t, c = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, 4, 4).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) / 2).softmax(-1)
        return self.out((weights @ v).transpose(1, 2).reshape(b, t, c))


def mlp():
    return nn.Sequential(nn.Linear(20, 50), nn.ReLU(), nn.Linear(50, 10))


TORCHINFO = {
    "mlp": (mlp, (7, 20), (1560, 10920, 3360, 6240)),
    "lenet": (LeNet, (8, 1, 28, 28), (61706, 3384304, 417152, 246824)),
    "lstm": (lambda: nn.LSTM(10, 20, 2, bidirectional=True), (5, 3, 10), (15040, 225600, 4800, 60160)),
    "gru": (lambda: nn.GRU(10, 20), (5, 3, 10), (1920, 28800, 2400, 7680)),
    "rnn": (lambda: nn.RNN(10, 20), (5, 3, 10), (640, 9600, 2400, 2560)),
    "grouped": (lambda: nn.Conv2d(8, 16, 3, groups=4), (2, 8, 9, 9), (304, 29792, 12544, 1216)),
    "depthwise": (lambda: nn.Conv1d(8, 8, 3, groups=8), (2, 8, 9), (32, 448, 896, 128)),
    "conv3d": (lambda: nn.Conv3d(2, 4, 3), (2, 2, 5, 6, 7), (220, 26400, 3840, 880)),
    "pointwise transposed": (lambda: nn.ConvTranspose2d(4, 8, 1), (2, 4, 5, 5), (40, 2000, 3200, 160)),
}  # fmt: skip


@pytest.mark.parametrize("name", TORCHINFO)
def test_as_torchinfo_counts(name):
    make, size, expected = TORCHINFO[name]
    s = viz.summary(make(), size)
    assert (s.total_params, s.mult_adds, s.forward_backward_bytes, s.param_bytes) == expected
    assert s.trainable_params == s.total_params
    assert s.total_bytes == s.input_bytes + s.param_bytes + s.forward_backward_bytes


# ---- by hand, where torchinfo counts otherwise


def counts(model, *args, **kwargs):
    return {layer.path: layer.mult_adds for layer in viz.summary(model, *args, **kwargs).layers}


def test_a_residual_block_without_its_norms():
    s = counts(Residual(), (2, 3, 16, 16))
    assert s["c1"] == 2 * 64 * 8 * 3 * 9
    assert s["c2"] == 2 * 64 * 8 * 8 * 9
    assert s["short"] == 2 * 64 * 8 * (3 + 1)
    assert s["b1"] == s["b2"] == s[""] == 0  # torchinfo: 2 * 16, parameters once per example


def test_linear_layers_on_sequences():
    assert counts(nn.Linear(4, 5), (2, 3, 4))[""] == 2 * 3 * (4 * 5 + 5)  # torchinfo leaves out the 3
    assert counts(nn.Linear(4, 5, bias=False), (4,))[""] == 20


def test_transposed_convolutions_with_a_stride():
    got = counts(nn.ConvTranspose2d(4, 8, 4, stride=2), (2, 4, 5, 5))[""]
    assert got == 2 * 25 * 4 * 8 * 16 + 2 * 8 * 12 * 12  # torchinfo multiplies with the output's size
    got = counts(nn.ConvTranspose1d(4, 8, 3, groups=2, bias=False), (2, 4, 5))[""]
    assert got == 2 * 5 * 4 * 4 * 3


def test_products_without_parameters():
    s = counts(Attention(), (2, 6), dtypes=minigrad.int64)
    assert s["embed"] == 0
    assert s["qkv"] == 2 * 6 * (16 * 48 + 48)
    assert s[""] == 2 * (2 * 4 * 6 * 6 * 4)  # q kᵀ and weights v: in the model's own row
    assert sum(s.values()) == viz.summary(Attention(), (2, 6), dtypes=[minigrad.int64]).mult_adds


def test_multihead_attention():
    layer = nn.MultiheadAttention(16, 4, batch_first=True)
    x = minigrad.ones(2, 7, 16)
    rows, scores = 2 * 7, 2 * 4 * 7 * 7
    expected = rows * (16 * 48 + 48) + scores * (4 + 4) + rows * (16 * 16 + 16)
    assert viz.summary(layer, input_data=[x, x, x]).mult_adds == expected


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: minigrad.einsum("bij,bjk->bik", x, x), 2 * 3 * 3 * 3),
        (lambda x: minigrad.bmm(x, x), 2 * 3 * 3 * 3),
        (lambda x: x[0] @ x[0, 0], 9),
        (lambda x: F.conv2d(x[None], minigrad.ones(4, 2, 2, 2)), 4 * 4 * 8),
        (lambda x: F.scaled_dot_product_attention(x, x, x), 2 * 9 * 6),
        (lambda x: minigrad.addmm(x[0], x[0], x[1]), 27),
        (lambda x: x + x * x, 0),
    ],
)
def test_functions(function, expected):
    module = nn.Module()
    module.forward = function
    assert viz.summary(module, (2, 3, 3)).mult_adds == expected


def test_recurrent_cells_and_packed_sequences():
    cell = nn.GRUCell(4, 6)
    assert viz.summary(cell, (5, 4)).mult_adds == 5 * (18 * 4 + 18 * 6 + 18 + 18)

    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell = nn.RNNCell(4, 6)

        def forward(self, xs):
            h = None
            for x in xs:
                h = self.cell(x, h)
            return h

    s = viz.summary(Steps(), (3, 5, 4))
    assert s.mult_adds == 3 * viz.summary(nn.RNNCell(4, 6), (5, 4)).mult_adds
    assert s.layers[1].calls == 3
    assert "cell: RNNCell ×3" in str(s)
    packed = nn.utils.rnn.pack_padded_sequence(minigrad.ones(4, 2, 3), [4, 1])
    assert viz.summary(nn.LSTM(3, 2), input_data=(packed,)).mult_adds == 5 * (8 * 3 + 8 * 2 + 16)


# ---- parameters


def test_shared_parameters_and_modules_count_once():
    class Shared(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(4, 4), nn.Linear(4, 4)
            self.second.weight = self.first.weight
            self.again = self.first

        def forward(self, x):
            return self.again(self.second(self.first(x)))

    s = viz.summary(Shared(), (3, 4))
    assert s.total_params == 16 + 4 + 4  # torchinfo: 40
    assert s.param_bytes == 4 * 24
    assert [(layer.path, layer.params, layer.shared) for layer in s.layers[1:]] == [
        ("first", 20, False), ("second", 4, False), ("again", 0, True),
    ]  # fmt: skip
    assert [layer.calls for layer in s.layers[1:]] == [1, 1, 1]
    assert s.mult_adds == 3 * 3 * 20
    assert "again: Linear" in str(s)
    assert "(shared)" in str(s)


def test_frozen_parameters():
    model = mlp()
    model[0].requires_grad_(False)
    model[2].bias.requires_grad_(False)
    s = viz.summary(model, (1, 20), columns=("params", "trainable", "share"))
    assert (s.total_params, s.trainable_params, s.non_trainable_params) == (1560, 500, 1060)
    lines = str(s).splitlines()
    assert lines[3].split() == ["├─", "0:", "Linear", "(1,050)", "no", "67.3", "%"]
    assert lines[5].split() == ["└─", "2:", "Linear", "510", "partly", "32.7", "%"]


def test_own_parameters_of_a_module_with_modules():
    class Token(nn.Module):
        def __init__(self):
            super().__init__()
            self.token, self.layer = nn.Parameter(minigrad.zeros(3)), nn.Linear(3, 3)

        def forward(self, x):
            return self.layer(x + self.token)

    assert [layer.params for layer in viz.summary(Token(), (2, 3)).layers] == [3, 12]


def test_without_an_input_only_parameters():
    s = viz.summary(LeNet())
    assert (s.total_params, s.mult_adds, s.input_bytes, s.kept_bytes) == (61706, 0, 0, 0)
    assert "mult" not in str(s)
    assert "output" not in str(s)


def test_lazy_layers():
    model = nn.Sequential(nn.LazyLinear(3), nn.ReLU())
    assert viz.summary(model, (2, 4)).total_params == 15
    assert model[0].has_uninitialized_params()
    assert viz.summary(model).total_params == 0


# ---- memory


def test_what_the_graph_keeps():
    x = minigrad.ones(5, 20)
    s = viz.summary(nn.Sequential(nn.Linear(20, 50), nn.Tanh(), nn.Linear(50, 10)), input_data=x)
    assert s.kept_bytes == 5 * 50 * 4  # tanh's output, which the second layer keeps too; weights and input are known
    assert s.input_bytes == 400


def test_dtypes():
    s = viz.summary(nn.Linear(3, 4).double(), (2, 3), dtypes=minigrad.float64)
    assert (s.input_bytes, s.param_bytes, s.forward_backward_bytes) == (48, 128, 128)
    two = nn.Module()
    two.forward = lambda index, x: x[index]
    s = viz.summary(two, [(3,), (4, 5)], dtypes=[minigrad.int64, None])
    assert s.layers[0].inputs == [(3,), (4, 5)]
    assert s.layers[0].outputs == [(3, 5)]


# ---- the run


class Restless(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.drop, self.calls = nn.BatchNorm1d(4), nn.Dropout(), 0

    def forward(self, x, scale=1):
        self.calls += 1
        x *= scale
        random.random()
        return self.drop(self.norm(x)), {"all": [x, None]}


@pytest.mark.parametrize("mode", ["eval", "train", "same"])
def test_nothing_is_changed(mode):
    model, x = Restless(), minigrad.ones(3, 4)
    before = copy.deepcopy(model.state_dict())
    states = minigrad.get_rng_state(), random.getstate()
    s = viz.summary(model, input_data=x, mode=mode, scale=2)
    assert all(minigrad.equal(v, before[k]) for k, v in model.state_dict().items())
    assert (model.calls, model.training, model.drop.training) == (0, True, True)
    assert x.tolist() == [[1.0] * 4] * 3
    assert minigrad.equal(minigrad.get_rng_state(), states[0])
    assert random.getstate() == states[1]
    assert EVERYWHERE == {}
    assert s.layers[0].outputs == [(3, 4), (3, 4)]
    with minigrad.no_grad():
        viz.summary(model, (3, 4))
        assert not minigrad.is_grad_enabled()


def test_in_evaluation_unless_told():
    assert viz.summary(nn.BatchNorm1d(4), (1, 4)).total_params == 8
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        viz.summary(nn.BatchNorm1d(4), (1, 4), mode="train")


def test_an_error_of_the_model_goes_on():
    with pytest.raises(RuntimeError, match="cannot be multiplied") as caught:
        viz.summary(mlp(), (2, 3))
    if hasattr(caught.value, "__notes__"):
        assert "viz.summary ran Sequential with float32 [2, 3]" in caught.value.__notes__[0]


def test_named_inputs():
    assert viz.summary(Restless(), input_data={"x": minigrad.ones(2, 4), "scale": 3}).input_bytes == 32


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"input_size": "big"}, TypeError, "argument 'input_size' must be a shape"),
        ({"input_size": 3}, TypeError, "argument 'input_size' must be a shape"),
        ({"input_size": (2.5, 3)}, TypeError, "argument 'input_size' must be a shape"),
        ({"input_size": (1, 20), "input_data": minigrad.ones(1, 20)}, ValueError, "both input_size and input_data"),
        ({"input_data": 3}, TypeError, "argument 'input_data' must be"),
        ({"input_size": (1, 20), "depth": -1}, ValueError, "argument 'depth'"),
        ({"input_size": (1, 20), "columns": ("shape",)}, ValueError, "argument 'columns'"),
        ({"input_size": (1, 20), "columns": "params"}, ValueError, "argument 'columns'"),
        ({"input_size": (1, 20), "mode": "test"}, ValueError, "argument 'mode'"),
        ({"input_size": (1, 20), "dtypes": ["float32"]}, TypeError, "argument 'dtypes'"),
        ({"input_size": [(1, 20)], "dtypes": [None, None]}, ValueError, "argument 'dtypes': got 2 for 1"),
        ({"scale": 2}, TypeError, "neither input_size nor input_data"),
    ],
)
def test_arguments_that_make_no_sense(arguments, error, text):
    with pytest.raises(error, match=r"summary\(\): .*" + text.replace("(", r"\(") if "(" in text else text):
        viz.summary(mlp(), **arguments)
    with pytest.raises(TypeError, match=r"summary\(\): argument 'model' must be a Module, not the type LeNet"):
        viz.summary(LeNet, (1, 1, 28, 28))


# ---- the table

LENET = """
layer                      output        params  mult-adds
─────────────────────────  ────────────  ──────  ─────────
LeNet                      [8,10]             –          –
├─ features: Sequential    [8,16,5,5]         –          –
│  ├─ 0: Conv2d            [8,6,28,28]      156    978,432
│  ├─ 1: ReLU              [8,6,28,28]        –          –
│  ├─ 2: MaxPool2d         [8,6,14,14]        –          –
│  ├─ 3: Conv2d            [8,16,10,10]   2,416  1,932,800
│  ├─ 4: ReLU              [8,16,10,10]       –          –
│  └─ 5: MaxPool2d         [8,16,5,5]         –          –
└─ classifier: Sequential  [8,10]             –          –
   ├─ 0: Flatten           [8,400]            –          –
   ├─ 1: Linear            [8,120]       48,120    384,960
   ├─ 2: ReLU              [8,120]            –          –
   ├─ 3: Linear            [8,84]        10,164     81,312
   ├─ 4: ReLU              [8,84]             –          –
   └─ 5: Linear            [8,10]           850      6,800

parameters                      61,706
  trainable                     61,706
  not trainable                      0
multiply-adds                3,384,304
input                          25.1 KB
forward and backward pass       417 KB
parameters in memory            247 KB
together                        689 KB
""".strip()


def test_the_whole_table():
    assert str(viz.summary(LeNet(), (8, 1, 28, 28))).startswith(LENET)


def test_depth_closes_modules():
    model = LeNet()
    closed = str(viz.summary(model, (8, 1, 28, 28), depth=1)).splitlines()
    assert [line.split() for line in closed[2:5]] == [
        ["LeNet", "[8,10]", "–", "–"],
        ["├─", "features:", "Sequential", "[8,16,5,5]", "2,572", "2,911,232"],
        ["└─", "classifier:", "Sequential", "[8,10]", "59,134", "473,072"],
    ]
    assert str(viz.summary(model, (8, 1, 28, 28), depth=0)).splitlines()[2].split()[-2:] == ["61,706", "3,384,304"]
    assert len(viz.summary(model, (8, 1, 28, 28), depth=0).layers) == 15


def test_columns_and_widths():
    s = viz.summary(LeNet(), (8, 1, 28, 28), columns=("input", "output", "kernel", "params", "share", "mult_adds"))
    heads = s.table().text(120).splitlines()[0].split()
    assert heads == ["layer", "input", "output", "kernel", "params", "share", "mult-adds"]
    assert "5×5" in s.table().text(120)
    for width in (60, 80, 120):
        assert max(map(len, s.table().text(width).splitlines())) <= width


def test_names_of_any_kind():
    kind = type('<script>alert("1")</script>[red]', (nn.Tanh,), {})
    model = nn.Sequential()
    model.add_module("층 🙂\n<b>[/bold]", kind())
    s = viz.summary(model, (2,))
    page = s._repr_html_()
    assert "<script>" not in page
    assert "└─ 층 🙂 &lt;b&gt;[/bold]: &lt;script&gt;" in page
    assert "└─ 층 🙂 <b>[/bold]: <script>" in str(s)
    assert set(s._repr_mimebundle_()) == {"text/html", "text/plain"}


def test_modules_that_are_not_called():
    model = nn.Sequential(nn.Linear(2, 2))
    model[0].extra = nn.Linear(5, 5)
    s = viz.summary(model, (1, 2))
    assert s.layers[-1].calls == 0
    assert s.layers[-1].params == 30
    assert "–" in str(s).splitlines()[4]
    model[0].register_module("none", None)
    assert len(viz.summary(model, (1, 2)).layers) == 3


def test_a_module_inside_itself():
    model = nn.Linear(2, 2)
    model.__dict__["_module_names"]["me"] = True
    model.__dict__["me"] = model
    assert viz.summary(model).total_params == 6
