"""Layer by layer against torch: same seed, same weights, same numbers forward and backward, same state, same repr."""

import numpy as np
import pytest
from layer_run import (
    Case,
    case,
    check_error,
    check_layers,
    close_states,
    images,
    library,
    normal,
    pair_of,
    tokens,
    weights,
)

import minigrad
from minigrad import nn
from minigrad.scalar import Value

torch = pytest.importorskip("torch")


def logits(*shape, classes=5):
    """Scores of shape (N, C, *) and class numbers."""

    def make(rng):
        scores = rng.standard_normal((shape[0], classes, *shape[1:])).astype(np.float32)
        return [scores, rng.integers(0, classes, shape)]

    return make


def log_probabilities(*shape, classes=5):
    def make(rng):
        scores, target = logits(*shape, classes=classes)(rng)
        return [scores - np.log(np.exp(scores).sum(1, keepdims=True)), target]

    return make


def probabilities(*shape, target_only=False):
    def make(rng):
        x = rng.standard_normal(shape) if target_only else rng.uniform(0.05, 0.95, shape)
        return [x.astype(np.float32), rng.uniform(0, 1, shape).astype(np.float32)]

    return make


def log_and_probabilities(rng):
    x, y = rng.standard_normal((2, 4, 5))
    x = x - np.log(np.exp(x).sum(1, keepdims=True))
    y = np.exp(y) / np.exp(y).sum(1, keepdims=True)
    return [x.astype(np.float32), y.astype(np.float32)]


ACTIVATIONS = [
    case(name, *args, inputs=normal(3, 4), **kwargs)
    for name, args, kwargs in [
        ("ReLU", (), {}), ("ReLU6", (), {}), ("LeakyReLU", (), {}), ("LeakyReLU", (0.2,), {}), ("PReLU", (), {}),
        ("PReLU", (4, 0.1), {}), ("ELU", (), {}), ("ELU", (0.7,), {}), ("SELU", (), {}), ("CELU", (), {}),
        ("CELU", (0.5,), {}), ("GELU", (), {}), ("GELU", ("tanh",), {}), ("SiLU", (), {}), ("Mish", (), {}),
        ("Softplus", (), {}), ("Softplus", (2.0, 1.0), {}), ("Softsign", (), {}), ("Tanh", (), {}), ("Sigmoid", (), {}),
        ("LogSigmoid", (), {}), ("Hardtanh", (), {}), ("Hardtanh", (-0.5, 0.25), {}),
        ("Hardsigmoid", (), {"double": 1e-7}),  # PyTorch's derivative is 1/6 rounded to float32
        ("Hardswish", (), {}), ("Softshrink", (), {}), ("Softshrink", (0.1,), {}), ("Hardshrink", (), {}),
        ("Tanhshrink", (), {}), ("Threshold", (0.1, -3.0), {}), ("Softmax", (1,), {}), ("Softmax", (-2,), {}),
        ("LogSoftmax", (1,), {}), ("Softmin", (0,), {}), ("Identity", (), {}), ("GLU", (), {}), ("RReLU", (), {}),
        ("RReLU", (0.1, 0.9), {}), ("Hardtanh", (), {"max_val": 0.5}),
    ]
] + [
    case("GLU", 1, inputs=normal(2, 4, 3)),
    case("Softmax2d", inputs=images()),
    case("Softmax2d", inputs=normal(3, 4, 5)),
    case("CosineSimilarity", inputs=pair_of(4, 5), differentiable=2),
    case("CosineSimilarity", dim=0, eps=1.0, inputs=pair_of(4, 5), differentiable=2),
    case("PairwiseDistance", inputs=pair_of(4, 5), differentiable=2),
    case("PairwiseDistance", 1, 1e-2, True, inputs=pair_of(5), differentiable=2),
]  # fmt: skip

LAYERS = [
    case("Linear", 4, 3, inputs=normal(5, 4)),
    case("Linear", 4, 3, bias=False, inputs=normal(2, 3, 4)),
    case("Linear", 20, 17, inputs=normal(20)),
    case("Flatten", inputs=images()),
    case("Flatten", 2, 3, inputs=images()),
    case("Flatten", 0, inputs=images()),
    case("Unflatten", 1, (2, 3), inputs=normal(4, 6)),
    case("Unflatten", -1, [3, -1], inputs=normal(4, 6)),
    case("Conv2d", 3, 4, 3, inputs=images()),
    case("Conv2d", 3, 4, (3, 2), stride=(2, 1), padding=(1, 0), inputs=images()),
    case("Conv2d", 4, 6, 3, padding=1, dilation=2, groups=2, bias=False, inputs=images(c=4)),
    case("Conv2d", 3, 4, 3, padding="same", inputs=images()),
    case("Conv2d", 3, 4, (2, 3), padding="same", dilation=(2, 1), inputs=images()),
    case("Conv2d", 3, 4, 3, padding="valid", inputs=images()),
    case("Conv2d", 3, 4, 3, padding=1, padding_mode="reflect", inputs=images()),
    case("Conv2d", 3, 4, 3, padding=(2, 1), padding_mode="replicate", inputs=images()),
    case("Conv2d", 3, 4, 3, padding="same", padding_mode="circular", inputs=images()),
    case("Conv2d", 3, 4, 3, inputs=normal(3, 7, 6)),
    case("MaxPool2d", 2, inputs=images()),
    case("MaxPool2d", (3, 2), 2, 1, inputs=images()),
    case("MaxPool2d", 3, stride=2, ceil_mode=True, inputs=images()),
    case("MaxPool2d", 2, dilation=2, inputs=images()),
    case("AvgPool2d", 2, inputs=images()),
    case("AvgPool2d", 3, 2, 1, inputs=images()),
    case("AvgPool2d", 3, 2, 1, True, False, inputs=images()),
    case("AvgPool2d", 2, divisor_override=3, inputs=images()),
    case("AdaptiveAvgPool2d", 3, inputs=images()),
    case("AdaptiveAvgPool2d", (1, None), inputs=images()),
    case("AdaptiveMaxPool2d", (3, 4), inputs=images()),
    case("Dropout", inputs=normal(6, 7)),
    case("Dropout", 0.2, inputs=normal(50, 3)),
    case("Dropout", 0.0, inputs=normal(3, 3)),
    case("Dropout2d", 0.5, inputs=images(4, 8)),
    case("BatchNorm1d", 4, inputs=normal(6, 4)),
    case("BatchNorm1d", 4, momentum=None, inputs=normal(6, 4, 5)),
    case("BatchNorm1d", 4, eps=1e-3, momentum=0.3, bias=False, inputs=normal(6, 4)),
    case("BatchNorm1d", 4, affine=False, inputs=normal(6, 4)),
    case("BatchNorm1d", 4, track_running_stats=False, inputs=normal(6, 4)),
    case("BatchNorm2d", 3, inputs=images()),
    case("BatchNorm2d", 3, affine=False, track_running_stats=False, inputs=images()),
    case("LayerNorm", 4, inputs=normal(2, 3, 4)),
    case("LayerNorm", (3, 4), eps=1e-2, inputs=normal(2, 3, 4)),
    case("LayerNorm", [4], bias=False, inputs=normal(2, 3, 4)),
    case("LayerNorm", 4, elementwise_affine=False, inputs=normal(2, 3, 4)),
    case("Embedding", 10, 4, inputs=tokens(3, 5, high=10), differentiable=0),
    case("Embedding", 10, 4, padding_idx=2, inputs=tokens(20, high=10), differentiable=0),
    case("Embedding", 10, 4, padding_idx=-1, inputs=tokens(20, high=10), differentiable=0),
]

LOSSES = [
    *[
        case(name, reduction=reduction, inputs=pair_of(4, 3), differentiable=2)
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
        for reduction in ("mean", "sum", "none")
    ],
    case("SmoothL1Loss", beta=0.3, inputs=pair_of(4, 3), differentiable=2),
    case("HuberLoss", delta=0.4, inputs=pair_of(4, 3), differentiable=2),
    *[case("CrossEntropyLoss", reduction=reduction, inputs=logits(6)) for reduction in ("mean", "sum", "none")],
    case("CrossEntropyLoss", ignore_index=1, inputs=logits(6)),
    case("CrossEntropyLoss", label_smoothing=0.2, inputs=logits(6)),
    case("CrossEntropyLoss", inputs=logits(2, 3, 4)),
    case("CrossEntropyLoss", inputs=lambda rng: [logits(6)(rng)[0], np.full((6, 5), 0.2, np.float32)]),
    Case("CrossEntropyLoss(weight)", lambda lib: lib.CrossEntropyLoss(weights(5, lib), ignore_index=2), logits(6)),
    case("NLLLoss", inputs=log_probabilities(6)),
    case("NLLLoss", ignore_index=0, reduction="sum", inputs=log_probabilities(2, 3)),
    Case("NLLLoss(weight)", lambda lib: lib.NLLLoss(weights(5, lib)), log_probabilities(6)),
    *[case("BCELoss", reduction=reduction, inputs=probabilities(4, 3)) for reduction in ("mean", "sum", "none")],
    Case("BCELoss(weight)", lambda lib: lib.BCELoss(weights(3, lib)), probabilities(4, 3)),
    case("BCEWithLogitsLoss", inputs=probabilities(4, 3, target_only=True)),
    Case(
        "BCEWithLogitsLoss(weight, pos_weight)",
        lambda lib: lib.BCEWithLogitsLoss(weights(3, lib), pos_weight=weights(3, lib)),
        probabilities(4, 3, target_only=True),
    ),
    *[
        case("KLDivLoss", reduction=reduction, inputs=log_and_probabilities)
        for reduction in ("batchmean", "sum", "none")
    ],
    case("KLDivLoss", reduction="batchmean", log_target=True, inputs=pair_of(4, 5)),
]

NETWORKS = [
    Case(
        "Sequential CNN",
        lambda lib: lib.Sequential(
            lib.Conv2d(3, 4, 3, padding=1),
            lib.BatchNorm2d(4),
            lib.ReLU(inplace=True),
            lib.MaxPool2d(2),
            lib.Flatten(),
            lib.Dropout(0.3),
            lib.Linear(4 * 3 * 3, 5),
        ),
        images(),
    )
]

test_layers = check_layers(ACTIVATIONS + LAYERS + LOSSES + NETWORKS)


def test_return_indices():
    x = np.random.default_rng(0).standard_normal((2, 3, 6, 6)).astype(np.float32)
    for make in (
        lambda lib: lib.MaxPool2d(2, return_indices=True),
        lambda lib: lib.AdaptiveMaxPool2d(2, return_indices=True),
    ):
        expected = make(torch.nn)(torch.from_numpy(x))
        actual = make(nn)(minigrad.from_numpy(x))
        for a, e in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(a.numpy(), e.numpy())


def test_dropout_inplace_writes_into_its_input():
    x = minigrad.ones(100)
    assert nn.Dropout(0.5, inplace=True)(x) is x
    assert set(x.tolist()) == {0.0, 2.0}


def test_relu_inplace_writes_into_its_input():
    x = minigrad.tensor([-1.0, 2.0])
    nn.ReLU(inplace=True)(x)
    assert x.tolist() == [0.0, 2.0]


def test_repr_of_inplace_activations():
    for name in ("ReLU", "ReLU6", "LeakyReLU", "ELU", "CELU", "SELU", "SiLU", "Mish", "Hardtanh", "Hardsigmoid"):
        assert repr(getattr(nn, name)(inplace=True)) == repr(getattr(torch.nn, name)(inplace=True))
    assert repr(nn.Threshold(1, 2, True)) == repr(torch.nn.Threshold(1, 2, True))


def test_dtype_argument():
    for make in (
        lambda d: nn.Linear(2, 3, dtype=d),
        lambda d: nn.Conv2d(1, 2, 3, dtype=d),
        lambda d: nn.BatchNorm1d(2, dtype=d),
        lambda d: nn.LayerNorm(2, dtype=d),
        lambda d: nn.Embedding(2, 3, dtype=d),
        lambda d: nn.PReLU(dtype=d),
        lambda d: nn.Maxout(2, 3, dtype=d),
    ):
        assert {p.dtype for p in make(minigrad.float64).parameters()} == {minigrad.float64}
        assert {p.dtype for p in make(None).parameters()} == {minigrad.float32}


def test_double_weights_start_the_same():
    torch.manual_seed(3)
    theirs = torch.nn.Linear(20, 5, dtype=torch.float64)
    minigrad.manual_seed(3)
    mine = nn.Linear(20, 5, dtype=minigrad.float64)
    close_states(mine, theirs, "float64")


def test_embedding_from_pretrained():
    table = minigrad.tensor([[1.0, 2.0], [3.0, 4.0]])
    layer = nn.Embedding.from_pretrained(table)
    assert layer(minigrad.tensor([1])).tolist() == [[3.0, 4.0]]
    assert not layer.weight.requires_grad
    assert nn.Embedding.from_pretrained(table, freeze=False).weight.requires_grad
    with pytest.raises(AssertionError, match="2-dimensional"):
        nn.Embedding.from_pretrained(minigrad.zeros(2))


def test_embedding_settings():
    layer = nn.Embedding(3, 2, max_norm=1.0, norm_type=1.0, scale_grad_by_freq=True)
    with minigrad.no_grad():
        layer.weight.fill_(1.0)
    out = layer(minigrad.tensor([0, 2, 0]))
    out.sum().backward()
    np.testing.assert_allclose(out.detach().numpy(), 0.5, rtol=1e-6)
    np.testing.assert_allclose(layer.weight.detach().numpy(), [[0.5, 0.5], [1, 1], [0.5, 0.5]], rtol=1e-6)
    assert layer.weight.grad.tolist() == [[1, 1], [0, 0], [1, 1]]
    settings = {"max_norm": 1.0, "norm_type": 1.0, "scale_grad_by_freq": True, "sparse": True}
    assert repr(nn.Embedding(3, 2, **settings)) == repr(torch.nn.Embedding(3, 2, **settings))


def test_old_losses_arguments():
    with pytest.warns(UserWarning, match="please use reduction='sum'"):
        assert nn.MSELoss(size_average=False).reduction == "sum"
    with pytest.warns(UserWarning, match="please use reduction='none'"):
        assert nn.CrossEntropyLoss(reduce=False).reduction == "none"


def test_batch_norm_reads_states_without_counter():
    layer = nn.BatchNorm1d(2)
    state = {name: tensor for name, tensor in layer.state_dict().items() if name != "num_batches_tracked"}
    state["running_mean"] = minigrad.tensor([3.0, 4.0])
    assert repr(layer.load_state_dict(state)) == "<All keys matched successfully>"
    assert layer.running_mean.tolist() == [3.0, 4.0]


class TestOurOwn:
    """Layers that PyTorch does not have."""

    def test_min_pool_is_the_max_pool_of_the_negative(self):
        x = minigrad.randn(2, 3, 6, 5, requires_grad=True)
        y = x.detach().clone().requires_grad_()
        low, high = nn.MinPool2d(3, 2, 1)(x), nn.MaxPool2d(3, 2, 1)(-y)
        assert low.tolist() == (-high).tolist()
        low.sum().backward()
        (-high).sum().backward()
        assert x.grad.tolist() == y.grad.tolist()

    def test_min_pool_by_hand(self):
        x = minigrad.tensor([[[[1.0, 0, 2, 3], [2, 1, 0, 1], [1, 0, 1, 3], [0, 2, 3, 2]]]])
        assert nn.MinPool2d(2)(x).tolist() == [[[[0.0, 0.0], [0.0, 1.0]]]]
        assert repr(nn.MinPool2d(2)) == "MinPool2d(kernel_size=2, stride=2, padding=0, dilation=1, ceil_mode=False)"

    def test_maxout_takes_the_largest_of_its_pieces(self):
        layer = nn.Maxout(3, 2, pieces=4)
        x = minigrad.randn(5, 3)
        pieces = (x @ layer.weight.T + layer.bias).reshape(5, 2, 4)
        expected = pieces.detach().numpy().max(-1)
        np.testing.assert_allclose(layer(x).detach().numpy(), expected, rtol=1e-6, atol=1e-7)  # the bias is added first
        assert repr(layer) == "Maxout(in_features=3, out_features=2, pieces=4, bias=True)"

    def test_maxout_gradient_goes_to_the_chosen_piece(self):
        layer = nn.Maxout(1, 1, pieces=2, bias=False)
        layer.weight.data.copy_(minigrad.tensor([[1.0], [-1.0]]))
        layer(minigrad.tensor([[3.0], [-2.0]])).sum().backward()
        assert layer.weight.grad.tolist() == [[3.0], [-2.0]]

    def test_maxout_starts_as_linear(self):
        minigrad.manual_seed(0)
        a = nn.Maxout(5, 3, pieces=2)
        minigrad.manual_seed(0)
        b = nn.Linear(5, 6)
        assert a.weight.tolist() == b.weight.tolist()
        assert a.bias.tolist() == b.bias.tolist()

    def test_maxout_needs_a_piece(self):
        with pytest.raises(ValueError, match=r"Maxout\(\): argument 'pieces': got 0; expected at least 1"):
            nn.Maxout(2, 2, pieces=0)

    def test_step_is_one_where_positive(self):
        x = minigrad.tensor([-2.0, -0.0, 0.0, 1e-30, 3.0, float("nan")])
        assert repr(nn.Step()(x)) == "tensor([0., 0., 0., 1., 1., nan])"
        assert repr(nn.Step()) == "Step(width=inf)"
        assert Value(0.5).step().data == 1.0

    @pytest.mark.parametrize("size", [5, 5000])  # few numbers, and enough for the compiled loop
    def test_step_lets_the_gradient_straight_through(self, size):
        x = minigrad.linspace(-2, 2, size, requires_grad=True)
        g = minigrad.linspace(1, 3, size)
        (grad,) = minigrad.autograd.grad(nn.Step()(x), x, g)
        assert grad.tolist() == g.tolist()
        (grad,) = minigrad.autograd.grad(nn.Step(width=1.0)(x), x, g, create_graph=True)
        assert grad.tolist() == (g * (x.abs() <= 1)).tolist()
        assert minigrad.autograd.grad(grad.sum(), x)[0].count_nonzero() == 0

    def test_step_is_not_its_derivative(self):
        x = minigrad.tensor([0.3], dtype=minigrad.float64, requires_grad=True)
        assert not minigrad.autograd.gradcheck(nn.Step(), (x,), raise_exception=False)

    @pytest.mark.parametrize("width", [0, -1.0, float("nan")])
    def test_step_needs_a_width(self, width):
        for make in (lambda: nn.Step(width), lambda: nn.functional.step(minigrad.ones(1), width)):
            with pytest.raises(ValueError, match=r"[Ss]tep\(\): argument 'width': got .*; expected a positive number"):
                make()


ERRORS = [
    (lambda lib: lib.Conv2d(3, 4, 3, groups=0), "groups must be a positive integer"),
    (lambda lib: lib.Conv2d(3, 4, 3, groups=2), "in_channels must be divisible by groups"),
    (lambda lib: lib.Conv2d(4, 3, 3, groups=2), "out_channels must be divisible by groups"),
    (lambda lib: lib.Conv2d(3, 4, 3, padding="x"), "Invalid padding string 'x', should be one of"),
    (lambda lib: lib.Conv2d(3, 4, 3, 2, padding="same"), "padding='same' is not supported for strided convolutions"),
    (lambda lib: lib.Conv2d(3, 4, 3, padding_mode="x"), "but got padding_mode='x'"),
    (lambda lib: lib.Dropout(2), "dropout probability has to be between 0 and 1, but got 2"),
    (lambda lib: lib.Dropout2d(-0.1), "dropout probability has to be between 0 and 1, but got -0.1"),
    (lambda lib: lib.Unflatten(1, 3), "int"),
    (lambda lib: lib.Unflatten(1, (2, "a")), "found element of type str at pos 1"),
    (lambda lib: lib.Embedding(3, 4, padding_idx=3), "within num_embeddings"),
    (lambda lib: lib.Embedding(3, 4, padding_idx=-4), "within num_embeddings"),
    (lambda lib: lib.HuberLoss(delta="a"), "delta must be a float or int, got: <class 'str'>"),
    (lambda lib: lib.Hardtanh(2, 1), "max_val (1) must be greater than min_val (2)"),
    (lambda lib: lib.Softmax2d()(library(lib).zeros(2, 3)), "expected input to be 3D or 4D, got 2D"),
    (lambda lib: lib.GLU()(library(lib).zeros(2, 3)), "size 3"),
    (lambda lib: lib.Linear(3, 4, foo=1), "got an unexpected keyword argument 'foo'"),
    (lambda lib: lib.BatchNorm1d(3)(library(lib).zeros(3)), "expected 2D or 3D input (got 1D input)"),
    (lambda lib: lib.BatchNorm2d(3)(library(lib).zeros(3, 3)), "expected 4D input (got 2D input)"),
    (lambda lib: lib.Linear(3, 4)(library(lib).zeros(2, 5)), "2x5 and 3x4"),
    (lambda lib: lib.MSELoss(reduction="x")(library(lib).zeros(2), library(lib).zeros(2)), "x is not a valid value"),
]


@pytest.mark.parametrize(("wrong", "text"), ERRORS, ids=[text for _, text in ERRORS])
def test_errors_are_of_torchs_type_and_say_what_is_wrong(wrong, text):
    check_error(wrong, text)


def test_every_layer_says_what_it_is():
    for name in nn.modules.__all__:
        text = getattr(nn, name).__doc__
        assert text, name
        assert "PyTorch: torch.nn." in text or "Not in PyTorch" in text, f"{name} does not name its source"
