"""The embeddings against torch: EmbeddingBag, and the rarer settings of both."""

import numpy as np
import pytest
from layer_run import both, case, check_error, check_layers, close, close_states, library, tokens

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")


def bags(*offsets, size=12, high=10):
    return lambda rng: [rng.integers(0, high, size), np.array(offsets)]


SETTINGS = [
    {"padding_idx": 3}, {"max_norm": 1.5}, {"max_norm": 2.0, "norm_type": 1.0}, {"padding_idx": -10, "max_norm": 1.0},
]  # fmt: skip
SINGLE = [
    case("Embedding", 10, 4, **settings, inputs=tokens(3, 7, high=10), differentiable=0)
    for settings in [*SETTINGS, {"scale_grad_by_freq": True, "padding_idx": 1}]
]
BAGS = [
    *[
        case("EmbeddingBag", 10, 4, mode=mode, inputs=inputs, differentiable=0)
        for mode in ("sum", "mean", "max")
        for inputs in (tokens(3, 5, high=10), bags(0, 3, 3, 10), bags(0), bags(0, 4, 12))
    ],
    *[
        case("EmbeddingBag", 10, 4, mode=mode, include_last_offset=True, inputs=bags(0, 5, 5, 12), differentiable=0)
        for mode in ("sum", "mean", "max")
    ],
    *[
        case("EmbeddingBag", 10, 4, mode=mode, **settings, inputs=tokens(3, 7, high=10), differentiable=0)
        for settings in SETTINGS
        for mode in ("sum", "mean")
    ],
    case("EmbeddingBag", 10, 4, mode="max", padding_idx=2, inputs=tokens(3, 7, high=4), differentiable=0),
    case("EmbeddingBag", 10, 4, mode="max", max_norm=1.0, inputs=tokens(3, 7, high=10), differentiable=0),
]
test_layers = check_layers(SINGLE + BAGS)


@pytest.mark.parametrize("shape", [(3, 5), (12,)])
@pytest.mark.parametrize("padding_idx", [None, 2])
def test_weights_of_samples(shape, padding_idx):
    theirs, mine = both(case("EmbeddingBag", 10, 4, mode="sum", padding_idx=padding_idx, inputs=None))
    rng = np.random.default_rng(0)
    input, scale = rng.integers(0, 5, shape), rng.standard_normal(shape).astype(np.float32)
    offsets = None if len(shape) == 2 else np.array([0, 3, 3, 11])
    scales = []
    for lib, layer in ((torch, theirs), (minigrad, mine)):
        scales.append(lib.from_numpy(scale.copy()).requires_grad_())
        starts = None if offsets is None else lib.from_numpy(offsets)
        result = layer(lib.from_numpy(input), starts, per_sample_weights=scales[-1])
        (result * lib.arange(4.0)).sum().backward()
    close(scales[1].grad, scales[0].grad, "gradient of the weights of samples")
    close(mine.weight.grad, theirs.weight.grad, "gradient of the table")


def test_bags_divide_gradients_by_frequency():
    """By how often the row is used. (PyTorch 2.13 on the CPU divides by the count of another row.)"""
    table = minigrad.zeros(4, 1)
    input = minigrad.tensor([[0, 1, 1], [1, 3, 3]])
    for mode, expected in (("sum", [1.0, 1.0, 0.0, 1.0]), ("mean", [1 / 3, 1 / 3, 0.0, 1 / 3])):
        layer = nn.EmbeddingBag.from_pretrained(table, freeze=False, mode=mode, scale_grad_by_freq=True)
        assert "scale_grad_by_freq=True" in repr(layer)
        layer(input).sum().backward()
        assert layer.weight.grad.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_from_pretrained(name):
    table = np.random.default_rng(0).standard_normal((6, 3)).astype(np.float32)
    for options in ({}, {"freeze": False, "padding_idx": 1}, {"max_norm": 0.5, "norm_type": 3.0, "sparse": True}):
        theirs = getattr(torch.nn, name).from_pretrained(torch.from_numpy(table.copy()), **options)
        values = minigrad.from_numpy(table.copy())
        mine = getattr(nn, name).from_pretrained(values, **options)
        assert repr(mine) == repr(theirs)
        assert mine.weight.requires_grad == theirs.weight.requires_grad
        assert mine.padding_idx == theirs.padding_idx
        assert mine.weight.data_ptr() == values.data_ptr(), "the memory is shared, as in PyTorch"
        close_states(mine, theirs, "state")
        input = np.array([[0, 2], [1, 5]])
        close(mine(minigrad.from_numpy(input)), theirs(torch.from_numpy(input)), "output")
        close_states(mine, theirs, "state afterwards")


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_sparse_is_accepted_and_dense(name):
    layer = getattr(nn, name)(5, 3, sparse=True)
    layer(minigrad.tensor([[0, 2]])).sum().backward()
    assert layer.weight.grad.shape == (5, 3)
    assert layer.weight.grad[1].tolist() == [0.0, 0.0, 0.0]


def test_renormalising_is_seen_by_the_graph():
    """The table is written to before it is looked up, so gradients of it from before are wrong and refused."""
    for lib in (torch, minigrad):
        layer = lib.nn.Embedding(5, 3, max_norm=0.1)
        before = (layer.weight**2).sum()
        layer(lib.tensor([1, 2]))
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            before.backward()


@pytest.mark.parametrize("name", ["Embedding", "EmbeddingBag"])
def test_empty_inputs(name):
    theirs, mine = both(case(name, 5, 3, inputs=None))
    x = np.zeros((0, 2), np.int64)
    expected, actual = theirs(torch.from_numpy(x)), mine(minigrad.from_numpy(x))
    close(actual, expected, "output")
    expected.sum().backward()
    actual.sum().backward()
    close(mine.weight.grad, theirs.weight.grad, "gradient")


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_nothing(mode):
    for sizes, offsets in (((4, 3), [0, 0]), ((0, 3), [0, 0]), ((4, 0), [0]), ((4, 3), [])):
        results = []
        for lib in (torch, minigrad):
            layer = lib.nn.EmbeddingBag(*sizes, mode=mode)
            out = layer(lib.tensor([], dtype=lib.int64), lib.tensor(offsets, dtype=lib.int64))
            out.sum().backward()
            results.append((out.tolist(), tuple(out.shape), layer.weight.grad.tolist()))
        assert results[1] == results[0]


@pytest.mark.parametrize("sizes", [(0, 0), (4, 0)])
def test_tables_without_columns(sizes):
    layer = nn.Embedding(*sizes)
    layer(minigrad.arange(sizes[0])).sum().backward()
    assert layer.weight.grad.shape == sizes


def call(lib, *arrays, **options):
    layer = lib.EmbeddingBag(5, 3, **options)
    return layer(*[None if array is None else library(lib).tensor(array) for array in arrays])


ERRORS = [
    (lambda lib: lib.EmbeddingBag(3, 4, padding_idx=3), "within num_embeddings"),
    (lambda lib: lib.EmbeddingBag(3, 4, padding_idx=-4), "within num_embeddings"),
    (lambda lib: lib.EmbeddingBag(3, 4, _weight=library(lib).ones(4, 3)), "does not match num_embeddings"),
    (lambda lib: lib.Embedding(3, 4, _weight=library(lib).ones(4, 3)), "does not match num_embeddings"),
    (lambda lib: lib.EmbeddingBag.from_pretrained(library(lib).ones(4)), "expected to be 2-dimensional"),
    (lambda lib: call(lib, [0, 1]), "offsets has to be a 1D Tensor"),
    (lambda lib: call(lib, [[0, 1]], [0]), "if input is 2D, then offsets has to be None"),
    (lambda lib: call(lib, [0, 1], [1]), "offsets"),
    (lambda lib: call(lib, [[0, -1]], mode="max"), "Expected idx >= 0 && idx < num_embeddings"),
    (lambda lib: call(lib, [[0, 5]]), ""),
    (lambda lib: lib.functional.embedding_bag(library(lib).tensor([[0]]), library(lib).ones(2, 2), padding_idx=2), ""),
    (lambda lib: call(lib, [[0, 1]], mode="x"), "mode has to be one of"),
    (lambda lib: call(lib, [[0, 1]], None, [[1.0, 2.0]]), "only supported for mode='sum'"),
    (lambda lib: call(lib, [[0, 1]], None, [1.0, 2.0], mode="sum"), "same shape as the input"),
    (lambda lib: call(lib, [[0, 1]], mode="max", sparse=True), "max mode does not support"),
]


@pytest.mark.parametrize(("wrong", "text"), ERRORS, ids=range(len(ERRORS)))
def test_errors(wrong, text):
    check_error(wrong, text)
