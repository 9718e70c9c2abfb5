"""onnx.export: what onnxruntime computes from the file is what the model computes, for other batches too."""

import io
import sys

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.onnx import export, export_onnx

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


def computed(proto, *arrays):
    """What onnxruntime makes of the inputs."""
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    inputs = {entry.name: array for entry, array in zip(session.get_inputs(), arrays, strict=True)}
    return session.run(None, inputs)


def agrees(model, proto, arrays):
    with minigrad.no_grad():
        outputs = model(*map(minigrad.from_numpy, arrays))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    for ours, theirs in zip(outputs, computed(proto, *arrays), strict=True):
        assert theirs.dtype == ours.numpy().dtype
        np.testing.assert_allclose(theirs, ours.numpy(), 1e-4, 1e-5)  # sums of other orders, in float32


def check(model, *shapes, dynamic=True, high=None):
    """Export with `shapes`, and run with these and with a larger batch."""
    rng = np.random.default_rng(0)
    arrays = [rng.integers(0, high, s) if high else rng.standard_normal(s).astype(np.float32) for s in shapes]
    proto = export_onnx(model, tuple(map(minigrad.from_numpy, arrays)))
    sizes = [entry.type.tensor_type.shape.dim[0].dim_param for entry in proto.graph.input]
    assert sizes == ["batch" if dynamic else ""] * len(shapes)
    if isinstance(model, nn.Module):
        model.eval()
    agrees(model, proto, arrays)
    if dynamic:
        agrees(model, proto, [np.concatenate([array, array[::-1]]) for array in arrays])
    return proto


class Block(nn.Module):
    """What real programs do: residuals, a mask, reshaping by the sizes of the input."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(7, 8)
        self.query, self.key, self.value = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)
        self.norm = nn.LayerNorm(8)
        self.body = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 8))
        self.register_buffer("mask", minigrad.tril(minigrad.ones(5, 5)))

    def heads(self, x):
        n, t, _ = x.shape
        return x.view(n, t, 2, 4).transpose(1, 2)

    def forward(self, tokens):
        x = self.embed(tokens)
        q, k, v = self.heads(self.query(x)), self.heads(self.key(x)), self.heads(self.value(x))
        scores = (q @ k.transpose(-2, -1) / 2).masked_fill(self.mask == 0, float("-inf"))
        x = x + (scores.softmax(-1) @ v).transpose(1, 2).contiguous().view(*x.shape)
        return (x + self.body(self.norm(x))).mean(1)


def convolutional():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Conv2d(4, 8, 3, groups=2, padding=1, padding_mode="reflect"), nn.LeakyReLU(0.2), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(8, 2), nn.LogSoftmax(1),
    )  # fmt: skip


def test_networks():
    minigrad.manual_seed(0)
    check(nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.Tanh(), nn.Linear(8, 3), nn.Softmax(-1)), (2, 3, 4))
    model = convolutional()
    for _ in range(3):
        model(minigrad.randn(4, 1, 8, 8))
    check(model, (2, 1, 8, 8))
    check(Block(), (2, 5), high=7)
    check(nn.Sequential(nn.PReLU(3), nn.Linear(4, 2, bias=False), nn.BatchNorm1d(3, affine=False)), (2, 3, 4))


class Recurrent(nn.Module):
    """The last state of a recurrent layer."""

    def __init__(self, layer, width):
        super().__init__()
        self.layer, self.out = layer, nn.Linear(width, 2)

    def forward(self, x):
        rows, last = self.layer(x)
        return self.out(rows[:, -1]), *(last if isinstance(last, tuple) else (last,))


def test_recurrent_layers():
    for layer, width in (
        (nn.LSTM(4, 3, 2, batch_first=True, bidirectional=True), 6), (nn.GRU(4, 3, batch_first=True), 3),
        (nn.RNN(4, 3, nonlinearity="relu", bias=False, batch_first=True), 3),
    ):  # fmt: skip
        check(Recurrent(layer, width), (2, 5, 4))
    check(nn.GRUCell(4, 3), (2, 4), (2, 3))
    with pytest.raises(NotImplementedError, match="an LSTM with proj_size has no counterpart"):
        export(nn.LSTM(4, 3, proj_size=2), minigrad.ones(2, 5, 4))


def test_attention():
    for options in ({}, {"norm_first": True, "activation": "gelu"}):
        check(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options), (2, 5, 8))
    mask = minigrad.ones(5, 5).tril().bool()
    check(lambda x: F.scaled_dot_product_attention(x, x, x, attn_mask=mask), (2, 3, 5, 4))


def norms(x):
    return F.normalize(x), F.group_norm(x, 1, minigrad.arange(3.0)), F.rms_norm(x, (4,)), F.layer_norm(x, (3, 4))


CALLS = {
    "activations": lambda x: (
        F.gelu(x), F.gelu(x, approximate="tanh"), F.silu(x), F.softplus(x), F.softplus(x, 2.0), F.logsigmoid(x),
        F.leaky_relu(x, 0.3), F.elu(x, 0.5), F.celu(x, 0.5), F.selu(x), F.hardsigmoid(x), F.hardswish(x), F.mish(x),
        F.hardtanh(x, -0.5, 0.4), F.relu6(x), F.threshold(x, 0.1, 3.0), F.hardshrink(x), F.softshrink(x), F.glu(x),
        F.tanhshrink(x), F.softsign(x), F.softmin(x, 1), F.relu(x), x.sigmoid(),
    ),
    "arithmetic": lambda x: (
        1 - x, x / 3, 2 / (x + 10), x**2, x // 0.5, x % 0.3, -x, x.abs().sqrt(), x.exp().log(), x.square(), x.round(),
        x.sign(), x.erf(), (x.abs() + 1).rsqrt(), x.sin(), minigrad.maximum(x, x * x), x.clamp(-0.5, 0.5),
        x.clamp(min=0), x + minigrad.arange(4.0), (x * 1).add_(1).mul_(2), x.double(), x.long(),
    ),
    "comparisons": lambda x: (
        x > 0, x <= 0, x == x.mean(), x != 0, minigrad.logical_and(x > 0, x < 1),
        minigrad.where(x > 0, x, 0.0), x.masked_fill(x > 0, -1.0), (x > 0).any(1), (x > 0).all(),
        minigrad.logical_not(x > 0), x.isnan(),
    ),
    "reductions": lambda x: (
        x.sum(), x.sum(1), x.mean((1, 2)), x.prod(2), x.amax((1, 2), keepdim=True), x.max(), *x.max(1), *x.min(-1),
        x.argmax(), x.argmin(1), x.var(1), x.std((1, 2), keepdim=True), x.logsumexp(1), x.norm(dim=1), x.cumsum(1),
        *x.topk(2), *x.sort(1, descending=True), x.norm(1),
    ),
    "norms": norms,
    "shapes": lambda x: (
        x.permute(0, 2, 1), x.transpose(1, 2), x.flatten(1), x.view(x.size(0), -1), x.reshape(-1, 4), x.unsqueeze(1),
        x[:, None].squeeze(1), x.repeat(1, 2, 1), minigrad.cat([x, x * 2], 1), minigrad.stack([x, x], 1), x.flip(1),
        *x.split(2, 2), *x.chunk(2, -1), *x.unbind(1), x[:, 1], x[:, 1:, ::2], x[:, None, ..., 0], x[:, [2, 0]],
        x.narrow(1, 1, 2), x.select(2, 1), x[:, :1].expand(-1, 5, -1), F.pad(x, (1, 2)), F.pad(x, (1, 1), "reflect"),
        F.pad(x, (1, 1), "circular"), x.tril(), x.triu(1), x.gather(1, x.argmax(1, keepdim=True)), x.detach().clone(),
        x.index_select(1, minigrad.tensor([2, 1])), F.one_hot(x.argmax(1), 3),
    ),
    "products": lambda x: (
        x @ x.transpose(1, 2), minigrad.einsum("bij,bkj->bik", x, x), minigrad.bmm(x, x.transpose(1, 2)),
        F.scaled_dot_product_attention(x, x, x, is_causal=True), F.linear(x, minigrad.ones(2, 4)),
        F.conv1d(x, minigrad.ones(2, 3, 2)), F.adaptive_avg_pool1d(x, 2), F.adaptive_max_pool1d(x, 4),
        F.lp_pool1d(x, 2.0, 2),
    ),
}  # fmt: skip
IMAGES = {
    "convolutions": lambda x: (
        F.conv2d(x, minigrad.ones(2, 4, 4, 4), padding="same"), F.conv2d(x, minigrad.ones(4, 1, 2, 2), groups=4),
        F.conv2d(x, minigrad.ones(2, 4, 2, 2), dilation=2, stride=2),
        F.conv_transpose2d(x, minigrad.arange(72.0).view(4, 2, 3, 3) / 72, minigrad.ones(2), 2, 1, 1),
        F.conv3d(x[:, None], minigrad.ones(1, 1, 2, 2, 2)), F.unfold(x, 3, padding=1, stride=2),
    ),
    "pools": lambda x: (
        F.max_pool2d(x, 3, 2, 1, ceil_mode=True), F.max_pool2d(x, 2, return_indices=True)[0], F.avg_pool2d(x, 2),
        F.avg_pool2d(x, 3, 2, 1, count_include_pad=False), F.adaptive_avg_pool2d(x, 3), F.adaptive_avg_pool2d(x, 4),
        F.adaptive_max_pool2d(x, 2), F.local_response_norm(x, 3), F.instance_norm(x),
    ),
    "sizes": lambda x: (
        F.interpolate(x, scale_factor=2), F.interpolate(x, size=(9, 7), mode="bilinear"), F.pixel_shuffle(x, 2),
        F.interpolate(x, size=(9, 7), mode="bicubic", align_corners=True), F.pad(x, (1, 2, 3, 0), "replicate"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_functions(name):
    check(CALLS[name], (2, 3, 4))


@pytest.mark.parametrize("name", IMAGES)
def test_functions_of_images(name):
    check(IMAGES[name], (2, 4, 6, 6))


def test_several_inputs_names_and_axes(tmp_path):
    model = nn.Bilinear(2, 3, 4)
    proto = export(
        model,
        (minigrad.ones(2, 2), minigrad.ones(2, 3)),
        tmp_path / "x.onnx",
        input_names=["left"],
        output_names=["joined"],
        dynamic_axes={"left": {0: "n"}, "input_1": [0], "joined": {0: "n"}},
        opset_version=20,
        verbose=False,
        do_constant_folding=True,
    )
    graph = onnx.load(tmp_path / "x.onnx").graph
    assert [entry.name for entry in (*graph.input, *graph.output)] == ["left", "input_1", "joined"]
    sizes = [[d.dim_param or d.dim_value for d in e.type.tensor_type.shape.dim] for e in graph.input]
    assert sizes == [["n", 2], ["input_1_dim_0", 3]]
    assert proto.opset_import[0].version == 20
    buffer = io.BytesIO()
    fixed = export(lambda x, scale: x * scale, minigrad.ones(2), buffer, kwargs={"scale": minigrad.ones(1)})
    assert buffer.getvalue() == fixed.SerializeToString()
    assert [entry.name for entry in fixed.graph.input] == ["input_0", "input_1"]
    assert fixed.graph.input[0].type.tensor_type.shape.dim[0].dim_value == 2


def test_parameters_keep_their_names_and_the_model_its_mode():
    model = convolutional()
    model[3].eval()
    proto = export_onnx(model, minigrad.ones(1, 1, 8, 8))
    names = {entry.name for entry in proto.graph.initializer}
    assert {name for name, _ in model.named_parameters()} <= names
    assert "1.running_mean" in names
    assert [node.name for node in proto.graph.node if node.op_type == "Conv"] == ["0/Conv_0", "4/Conv_6"]
    assert [module.training for module in model] == [True, True, True, False] + [True] * 7
    assert all(type(parameter) is nn.Parameter for parameter in model.parameters())


def test_what_depends_on_the_batch_keeps_it():
    check(lambda x: x * x.shape[0], (2, 3), dynamic=False)
    with pytest.raises(NotImplementedError, match="Mul depends on the size of a dynamic axis"):
        export(lambda x: x * x.shape[0], minigrad.ones(2, 3), dynamic_axes={"input": [0]})


class Odd(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


@pytest.mark.parametrize(
    ("function", "error", "says"),
    [
        (lambda x: x.cummax(0)[0], NotImplementedError, r"the op cummax\(\) has no counterpart.*layer '1'"),
        (lambda x: x if x.sum() > 0 else -x, RuntimeError, "looks at the numbers of a tensor in the layer '1'"),
        (lambda x: x * x.mean().item(), RuntimeError, "looks at the numbers"),
        (lambda x: minigrad.tensor(x.numpy()), RuntimeError, "looks at the numbers"),
        (lambda x: x[x > 0], RuntimeError, "looks at the numbers"),
        (lambda x: x.t().mul_(2), NotImplementedError, "writing in place to a tensor that shares memory"),
        (lambda x: F.max_pool1d(x[None], 2, return_indices=True)[1], NotImplementedError, "second output of the op"),
        (lambda x: "text", TypeError, "the model returns str"),
    ],
)
def test_what_cannot_be_written_is_named(function, error, says):
    model = nn.Sequential(nn.Linear(4, 4), Odd(function))
    for exporting in (export, export_onnx):
        with pytest.raises(error, match=says):
            exporting(model, minigrad.ones(3, 4))
    assert model.training
    assert not minigrad.nn.modules.hooks.EVERYWHERE.get("forward")


def test_wrong_arguments(monkeypatch):
    with pytest.warns(UserWarning, match="the file has opset 18, not 11"):
        assert export(F.relu, minigrad.ones(1), opset_version=11).opset_import[0].version == 18
    with pytest.raises(NotImplementedError, match="opset_version 99"):
        export(F.relu, minigrad.ones(1), opset_version=99)
    with pytest.raises(TypeError, match="colour"):
        export(F.relu, minigrad.ones(1), colour="red")
    with pytest.raises(ValueError, match="2 names for 1 inputs"):
        export(F.relu, minigrad.ones(1), input_names=["a", "b"])
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "minigrad\[onnx\]"'):
        export(F.relu, minigrad.ones(1))
