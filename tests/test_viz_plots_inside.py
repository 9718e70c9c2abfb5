"""What plots show of a model's inside: the numbers behind the pictures."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import nn
from minigrad.nn import functional as F
from minigrad.viz import plots

pytest.importorskip("matplotlib", reason="plots need matplotlib (extra 'plots')", exc_type=ModuleNotFoundError)


def pictures_of(figure):
    return [np.asarray(axes.images[0].get_array()) for axes in figure.axes if axes.images]


# ---- activations

X = np.linspace(-3, 3, 61)
SIGMOID = 1 / (1 + np.exp(-X))
DERIVATIVES = {
    "sigmoid": (SIGMOID, SIGMOID * (1 - SIGMOID)),
    "tanh": (np.tanh(X), 1 - np.tanh(X) ** 2),
    "relu": (np.maximum(X, 0), (X > 0) * 1.0),
    "softplus": (np.log1p(np.exp(X)), SIGMOID),
    "silu": (X * SIGMOID, SIGMOID * (1 + X * (1 - SIGMOID))),
    "sin": (np.sin(X), np.cos(X)),
    "ELU": (np.where(X > 0, X, np.expm1(X)), np.where(X > 0, 1.0, np.exp(X))),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_curves_and_their_derivatives(name):
    x, value, slope = plots.activation_curve(name, X)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_allclose(value, DERIVATIVES[name][0], atol=1e-12)
    np.testing.assert_allclose(slope, DERIVATIVES[name][1], atol=1e-12)


def test_modules_functions_and_their_parameters():
    layer = nn.PReLU(init=0.3)
    _, value, slope = plots.activation_curve(layer, [-2.0, 3.0])
    np.testing.assert_allclose((value, slope), ([-0.6, 3.0], [0.3, 1.0]), rtol=1e-6)
    assert layer.weight.grad is None
    assert layer.weight.dtype == minigrad.float32
    assert plots.activation_curve(lambda x: x * 0 + 2, [1.0, 2.0])[2].tolist() == [0.0, 0.0]
    assert plots.activation_curve(minigrad.sign, [1.0, 2.0])[2].tolist() == [0.0, 0.0]
    assert plots.activation_curve(nn.RReLU(), [-1.0, 1.0])[2].tolist() == pytest.approx([(1 / 8 + 1 / 3) / 2, 1.0])


def test_functions_of_one_name_are_numbered():
    titles = [axes.get_title(loc="left") for axes in plots.activations([nn.ReLU(), nn.ReLU(), "relu", nn.ReLU()]).axes]
    assert titles == ["ReLU()", "ReLU() #2", "relu", "ReLU() #3"]


def shaded(axes):
    from matplotlib.collections import FillBetweenPolyCollection

    return [
        (path.vertices[:, 0].min(), path.vertices[:, 0].max())
        for collection in axes.collections
        if isinstance(collection, FillBetweenPolyCollection)
        for path in collection.get_paths()
    ]


def test_saturation_is_shaded_and_the_top_of_a_hill_is_not():
    figure = plots.activations(["tanh", "relu", "sin", "hardshrink", lambda x: x**2], span=(-4, 4))
    tanh, relu, sin, shrink, square = map(shaded, figure.axes)
    edge = np.arctanh(np.sqrt(0.95))
    np.testing.assert_allclose(tanh, [(-4, -edge), (edge, 4)], atol=0.02)
    np.testing.assert_allclose(relu, [(-4, 0)], atol=0.02)
    np.testing.assert_allclose(shrink, [(-0.5, 0.5)], atol=0.02)
    assert sin == square == []
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["tanh", "relu", "sin", "hardshrink", "f"]


def test_no_line_stands_upright_where_a_slope_jumps():
    (axes,) = plots.activations("relu").axes
    slope = axes.get_lines()[3].get_ydata()
    assert np.isnan(slope).sum() == 1
    assert set(slope[~np.isnan(slope)]) == {0.0, 1.0}


@pytest.mark.parametrize(
    ("names", "error", "text"),
    [
        ("reluu", ValueError, "got 'reluu'; expected the name of an operation"),
        (["softmax"], ValueError, "softmax is not pointwise"),
        ([lambda x: x.sum()], ValueError, r"f gave \[\] for"),
        ([nn.Linear(1, 1)], ValueError, "does not take a row of numbers"),
        ([nn.ReLU], TypeError, "got the type ReLU; .*an instance"),
        ([3], TypeError, "got int 3"),
        ([], ValueError, "got none"),
        ({"a": None}, TypeError, "got None"),
    ],
)
def test_functions_that_are_refused(names, error, text):
    with pytest.raises(error, match=rf"^activations\(\).*{text}"):
        plots.activations(names)


# ---- fits


def test_fits_draws_what_the_models_give():
    line = nn.Linear(1, 1)
    figure = plots.fits({"line": line, "square": lambda x: x**2}, [[0.0], [1.0]], [[0.0], [2.0]])
    drawn = {curve.get_label(): curve.get_data() for curve in figure.axes[0].get_lines()}
    x, y = drawn["line"]
    np.testing.assert_allclose(y, x * line.weight.item() + line.bias.item(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(drawn["square"][1], x**2, rtol=1e-5, atol=1e-6)
    with pytest.raises(ValueError, match=r"fits\(\): argument 'x, y'"):
        plots.fits(line, [1.0, 2.0], [1.0])
    with pytest.raises(ValueError, match=r"fits\(\): model gave shape \[600, 2\] for 600 inputs"):
        plots.fits(nn.Linear(1, 2), [1.0], [1.0])


# ---- gates

LAYERS = {
    "LSTM": lambda: nn.LSTM(3, 4),
    "deep LSTM": lambda: nn.LSTM(3, 4, num_layers=3, bias=False),
    "both ways": lambda: nn.LSTM(3, 4, num_layers=2, bidirectional=True),
    "projected": lambda: nn.LSTM(3, 4, num_layers=2, proj_size=2),
    "GRU": lambda: nn.GRU(3, 4, num_layers=2, bidirectional=True),
    "RNN": lambda: nn.RNN(3, 4),
    "relu RNN": lambda: nn.RNN(3, 4, nonlinearity="relu"),
}


@pytest.mark.parametrize("name", LAYERS)
def test_gates_put_together_are_the_layers_output(name):
    layer, x = LAYERS[name](), minigrad.randn(6, 3)
    output, last = layer(x)
    directions = 2 if layer.bidirectional else 1
    found = [plots.gate_values(layer, x, number=layer.num_layers - 1, reverse=bool(d)) for d in range(directions)]
    hidden = np.concatenate([each.values["hidden"] for each in found], axis=1)
    np.testing.assert_allclose(hidden, output.detach().numpy(), atol=1e-6)
    if found[0].kind == "LSTM":
        for d, each in enumerate(found):
            ends = each.values["cell"][0 if d else -1]
            np.testing.assert_allclose(ends, last[1].detach().numpy()[d - directions], atol=1e-6)
            values = each.values
            before = np.roll(values["cell"], -1 if d else 1, axis=0)
            before[-1 if d else 0] = 0.0
            np.testing.assert_allclose(
                values["cell"], values["forget"] * before + values["input"] * values["cell_input"]
            )
        shapes = {name: values.shape for name, values in found[0].values.items()}
        assert shapes.pop("hidden") == (6, layer.proj_size or 4)
        assert set(shapes.values()) == {(6, 4)}


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_gates_of_cells_with_states(kind):
    cell, x = kind(3, 4), minigrad.randn(5, 3)
    begin = (minigrad.randn(4), minigrad.randn(4)) if kind is nn.LSTMCell else minigrad.randn(4)
    state, outputs = begin, []
    for step in x:
        state = cell(step, state)
        outputs.append(state[0] if isinstance(state, tuple) else state)
    found = plots.gate_values(cell, x, state=begin)
    np.testing.assert_allclose(found.values["hidden"], minigrad.stack(outputs).detach().numpy(), atol=1e-6)


@pytest.mark.parametrize("first", [False, True])
def test_one_of_a_batch(first):
    layer = nn.GRU(3, 4, num_layers=2, batch_first=first)
    x, begin = minigrad.randn(2, 5, 3) if first else minigrad.randn(5, 2, 3), minigrad.randn(2, 2, 4)
    output, _ = layer(x, begin)
    expected = output[1] if first else output[:, 1]
    found = plots.gate_values(layer, x, state=begin, number=1, sequence=1).values["hidden"]
    np.testing.assert_allclose(found, expected.detach().numpy(), atol=1e-6)


def test_the_picture_of_gates():
    layer, x = nn.LSTM(2, 5), minigrad.randn(7, 2)
    figure = plots.gates(layer, x, units=[4, 1], labels=list("안녕하세요 !"))
    values = plots.gate_values(layer, x).values
    for picture, name in zip(pictures_of(figure), values, strict=True):
        np.testing.assert_allclose(picture, values[name][:, [4, 1]].T)
    assert figure.get_suptitle() == "LSTM over time  ·  2 of 5 units"


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: plots.gates(nn.Linear(2, 2), np.ones((3, 2))), TypeError, "got Linear"),
        (lambda: plots.gates(nn.LSTM(2, 3), np.ones((3, 4))), ValueError, r"got shape \[3, 4\]; expected \(steps, 2\)"),
        (lambda: plots.gates(nn.LSTM(2, 3), np.ones((0, 2))), ValueError, "argument 'x'"),
        (lambda: plots.gates(nn.LSTM(2, 3), np.ones((3, 2)), number=1), ValueError, "a layer, 0 to 0"),
        (lambda: plots.gates(nn.LSTM(2, 3), np.ones((3, 2)), reverse=True), ValueError, "one direction"),
        (lambda: plots.gates(nn.LSTM(2, 3), np.ones((3, 1, 2)), sequence=1), ValueError, "one of the 1"),
        (lambda: plots.gates(nn.LSTM(2, 3), np.ones((3, 2)), state=np.ones((1, 3))), ValueError, r"\(h_0, c_0\)"),
        (lambda: plots.gates(nn.GRU(2, 3), np.ones((3, 2)), state=np.ones(4)), ValueError, "argument 'state'"),
        (lambda: plots.gates(nn.GRU(2, 3), np.ones((3, 2)), units=[3]), ValueError, "numbers of units, 0 to 2"),
        (lambda: plots.gates(nn.GRU(2, 3), np.ones((3, 2)), labels="ab"), ValueError, "got 2 names; expected 3"),
    ],
)
def test_gates_that_are_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


# ---- pictures, filters, maps


def test_filters_are_the_weights():
    layer = nn.Conv2d(1, 5, 3)
    tiles = pictures_of(plots.filters(layer))[:5]
    np.testing.assert_allclose(tiles, layer.weight.detach().numpy()[:, 0])
    layer = nn.Conv2d(2, 3, 3)
    tiles = np.reshape(pictures_of(plots.filters(layer))[:6], (3, 2, 3, 3))
    np.testing.assert_allclose(tiles, layer.weight.detach().numpy())
    assert plots.filters(layer, most=2).get_suptitle() == "Filters of Conv2d  ·  2 of 3 × 2 channels"
    colours = pictures_of(plots.filters(nn.Conv2d(3, 2, 5)))
    assert [tile.shape for tile in colours] == [(5, 5, 3)] * 2
    linear = nn.Linear(12, 2)
    tiles = pictures_of(plots.filters(linear, shape=(3, 4)))[:2]
    np.testing.assert_allclose(tiles, linear.weight.detach().numpy().reshape(2, 3, 4))
    transposed = nn.ConvTranspose2d(1, 4, 3)
    np.testing.assert_allclose(pictures_of(plots.filters(transposed))[:4], transposed.weight.detach().numpy()[0])
    plots.filters(nn.Conv1d(2, 3, 5))
    plots.filters(np.zeros((2, 3, 3)))


def test_feature_maps_are_the_layers_outputs():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(12, 2))
    x = minigrad.rand(1, 6, 6)
    figure = plots.feature_maps(model, x, ["0", model[2]])
    pictures = pictures_of(figure)
    np.testing.assert_allclose(pictures[0], x.numpy()[0], rtol=1e-6)
    np.testing.assert_allclose(pictures[1:4], model[0](x[None])[0].detach().numpy(), rtol=1e-5)
    np.testing.assert_allclose(pictures[4:7], model[:3](x[None])[0].detach().numpy(), rtol=1e-5)
    assert len(pictures_of(plots.feature_maps(model, x[0]))) == 4
    assert len(pictures_of(plots.feature_maps(model, x[None], most=2))) == 3
    assert not any(module._forward_hooks for module in model.modules())


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: plots.filters(nn.ReLU()), TypeError, "got ReLU; expected nn.Conv2d"),
        (lambda: plots.filters(nn.Linear(4, 2)), TypeError, "got Linear"),
        (lambda: plots.filters(nn.Linear(4, 2), shape=(3, 3)), ValueError, "argument 'shape'"),
        (lambda: plots.filters(np.ones(3)), ValueError, "argument 'layer'"),
        (lambda: plots.feature_maps(nn.Linear(2, 2), np.ones((2, 2))), ValueError, "no convolution"),
        (
            lambda: plots.feature_maps(nn.Sequential(nn.ReLU()), np.ones((2, 2)), "1"),
            ValueError,
            "modules of this model: 0",
        ),
        (lambda: plots.feature_maps(nn.Conv2d(1, 1, 1), np.ones((2, 1, 2, 2))), ValueError, "one picture"),
        (lambda: plots.feature_maps(nn.Flatten(), np.ones((2, 2)), ""), ValueError, r"gave shape \[1, 4\]"),
        (lambda: plots.images(np.ones(3)), ValueError, "argument 'pictures'"),
        (lambda: plots.images(np.ones((2, 5, 4, 4))), ValueError, "one channel or three"),
        (lambda: plots.images(np.ones((2, 0, 4))), ValueError, "at least one pixel"),
        (lambda: plots.images(np.ones((2, 4, 4)), ["a"]), ValueError, "got 1 names; expected 2"),
        (lambda: plots.attention(np.ones(3)), ValueError, "argument 'weights'"),
        (lambda: plots.attention(-np.ones((2, 2))), ValueError, "after the softmax"),
        (lambda: plots.attention(np.ones((2, 3, 4, 4))), ValueError, "of a batch, give one"),
        (lambda: plots.attention(np.ones((2, 3)), "abc"), ValueError, "argument 'tokens': got 3 names; expected 2"),
        (lambda: plots.embedding(np.ones((1, 3))), ValueError, "at least two vectors"),
        (lambda: plots.embedding([[1.0, np.nan], [1, 2]]), ValueError, "NaN or infinite"),
        (lambda: plots.embedding(np.eye(3), method="umap"), ValueError, "expected 'pca' or 'tsne'"),
        (lambda: plots.embedding(np.eye(3), "ab"), ValueError, "argument 'labels'"),
        (lambda: plots.embedding(np.eye(3), groups=[1]), ValueError, "argument 'groups'"),
        (lambda: plots.pca(np.eye(3), 0), ValueError, "argument 'components'"),
    ],
)
def test_what_is_refused(call, error, text):
    with pytest.raises(error, match=text):
        call()


@pytest.mark.parametrize(
    ("shape", "values"),
    [((4, 4), "bytes"), ((3, 4, 4), "shares"), ((3, 1, 4, 4), "any"), ((3, 3, 4, 5), "bool"), ((3, 4, 5, 3), "flat")],
)
def test_images_of_every_form(shape, values):
    draw = np.random.default_rng(0)
    array = {
        "bytes": draw.integers(0, 256, shape).astype(np.uint8),
        "shares": draw.random(shape),
        "any": draw.normal(size=shape),
        "bool": draw.random(shape) > 0.5,
        "flat": np.full(shape, 7.0),
    }[values]
    shown = pictures_of(plots.images(array))
    assert len(shown) == (1 if len(shape) == 2 else 3)
    assert all(picture.min() >= 0 and picture.max() <= 1 for picture in shown)
    assert plots.images(np.ones((70, 2, 2))).get_suptitle() == "64 of 70"


# ---- attention


def test_attention_shows_the_weights_of_each_head():
    layer, x = nn.MultiheadAttention(8, 2, batch_first=True), minigrad.randn(1, 5, 8)
    weights = layer(x, x, x, average_attn_weights=False)[1]
    tokens = ["나는", "밥을", "<b>", "$x$", "."]
    figure = plots.attention(weights, tokens)
    np.testing.assert_allclose(pictures_of(figure)[:2], weights[0].detach().numpy())
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == tokens
    assert figure.get_suptitle() == "Attention  ·  2 heads"
    assert len(pictures_of(plots.attention(weights[0, 0], heads=["only"]))) == 1
    plots.attention(np.ones((2, 3)), "ab", "xyz")
    plots.attention(np.zeros((1, 1)))


# ---- embeddings


@settings(max_examples=20)
@given(st.integers(2, 30), st.integers(1, 8), st.integers(0, 1000))
def test_pca_is_that_of_the_covariance(count, width, seed):
    vectors = np.random.default_rng(seed).normal(size=(count, width)) * np.arange(1, width + 1)
    points, shares = plots.pca(vectors, 2)
    variances = np.sort(np.linalg.eigvalsh(np.cov(vectors.T, ddof=0).reshape(width, width)))[::-1]
    top = min(2, width, count)
    np.testing.assert_allclose(points.var(axis=0)[:top], variances[:top], rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(shares[:top], variances[:top] / variances.sum(), rtol=1e-6, atol=1e-9)
    assert points.shape == (count, 2)
    assert abs(points[:, 0] @ points[:, 1]) < 1e-6 * (1 + variances[0] * count)


def test_pca_against_scikit_learn():
    decomposition = pytest.importorskip("sklearn.decomposition", reason="scikit-learn is not installed")
    vectors = np.random.default_rng(0).normal(size=(40, 6)) @ np.diag([5, 3, 2, 1, 1, 1])
    theirs = decomposition.PCA(2)
    expected = theirs.fit_transform(vectors)
    points, shares = plots.pca(vectors)
    np.testing.assert_allclose(np.abs(points), np.abs(expected), atol=1e-9)
    np.testing.assert_allclose(shares, theirs.explained_variance_ratio_)


def test_points_that_are_all_alike():
    points, shares = plots.pca(np.ones((4, 3)))
    assert not points.any()
    assert not shares.any()
    plots.embedding(np.ones((4, 3)), list("abcd"))


def boxes(figure):
    renderer = figure.canvas.get_renderer()
    return [text.get_window_extent(renderer) for text in figure.axes[0].texts]


def test_labels_do_not_cover_each_other():
    vectors = np.random.default_rng(0).normal(size=(60, 4))
    figure = plots.embedding(vectors, [f"{'단어' if k % 2 else 'word'} {k}" for k in range(60)])
    figure.canvas.draw()
    found = boxes(figure)
    assert len(found) >= 45
    overlapping = [(a, b) for k, a in enumerate(found) for b in found[:k] if a.overlaps(b)]
    assert len(overlapping) <= 1
    frame = figure.axes[0].get_window_extent()
    assert all(frame.x0 - 2 <= box.x0 and box.x1 <= frame.x1 + 2 for box in found)


def test_an_embedding_layer_and_groups():
    layer = nn.Embedding(6, 4)
    figure = plots.embedding(layer, groups=["a", "b", "a", "c", "b", "a"])
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b", "c"]
    offsets = np.concatenate([c.get_offsets() for c in figure.axes[0].collections])
    expected = plots.pca(layer.weight)[0][[0, 2, 5, 1, 4, 3]]
    np.testing.assert_allclose(offsets, expected)
    assert F.normalize(layer.weight).requires_grad


def test_tsne_is_scikit_learns_and_says_so_where_it_is_missing(monkeypatch):
    vectors = np.random.default_rng(0).normal(size=(12, 4))
    import sys

    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "sklearn.manifold", None)
        with pytest.raises(ModuleNotFoundError, match=r"needs scikit-learn.*or method='pca'"):
            plots.embedding(vectors, method="tsne")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    first, second = (plots.embedding(vectors, method="tsne").axes[0].collections[0].get_offsets() for _ in "ab")
    np.testing.assert_array_equal(first, second)
