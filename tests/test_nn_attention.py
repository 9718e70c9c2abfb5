"""nn.MultiheadAttention against PyTorch's: weights, masks of every kind, dropout, gradients, state, mistakes."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from both import check, lines

import minigrad
from minigrad import nn
from minigrad.nn.modules.activation import MultiheadAttention

torch = pytest.importorskip("torch")

# N = 2, L = 4 queries, S = 5 keys, or self-attention of 4; embed_dim 8, 2 heads.
SETTINGS = {
    "plain": {},
    "no bias": {"bias": False},
    "batch first": {"batch_first": True},
    "added": {"add_bias_kv": True, "add_zero_attn": True},
    "zero": {"add_zero_attn": True, "batch_first": True},
    "sizes": {"kdim": 3, "vdim": 5},
    "sizes, no bias": {"kdim": 8, "vdim": 5, "bias": False, "add_bias_kv": True, "batch_first": True},
    "dropout": {"dropout": 0.4},
    "one head": {"num_heads": 1},
    "heads": {"num_heads": 8, "dropout": 0.2, "batch_first": True},
}
CALLS = {
    "weights": {},
    "each head's weights": {"average_attn_weights": False},
    "no weights": {"need_weights": False},
}
MASKS = ["none", "bool", "float", "3-D bool", "padding", "float padding", "both", "both float"]


def both_layers(dtype="float32", **settings):
    settings = {"embed_dim": 8, "num_heads": 2, **settings}
    torch.manual_seed(0)
    theirs = torch.nn.MultiheadAttention(**settings, dtype=getattr(torch, dtype))
    minigrad.manual_seed(0)
    return theirs, nn.MultiheadAttention(**settings, dtype=getattr(minigrad, dtype))


def masks(kind, heads, length, size, rng):
    """The masks as arrays, by argument. Every query may look at the first key."""
    made = {}
    if kind in ("bool", "float", "3-D bool", "both", "both float"):
        shape = (2 * heads, length, size) if kind in ("3-D bool", "both") else (length, size)
        made["attn_mask"] = rng.random(shape) < 0.4
    if kind in ("padding", "float padding", "both", "both float"):
        made["key_padding_mask"] = rng.random((2, size)) < 0.4
    for name, mask in made.items():
        mask[..., 0] = False
        if "float" in kind:
            added = rng.standard_normal(mask.shape) * (name == "attn_mask")
            made[name] = np.where(mask, -np.inf, added).astype(np.float32)
    return made


def inputs(layer, rng, self_attention=False, dtype=np.float32):
    shapes = [(4, 2, 8)] if self_attention else [(4, 2, 8), (5, 2, layer.kdim), (5, 2, layer.vdim)]
    made = [rng.standard_normal(shape).astype(dtype) for shape in shapes]
    return [x.swapaxes(0, 1).copy() for x in made] if layer.batch_first else made


def run(T, layer, arrays, masks, seed=1, **call):
    """The outputs, and the gradients of inputs and parameters, as arrays; and the next random number."""
    xs = [T.from_numpy(x.copy()).requires_grad_() for x in arrays]
    T.manual_seed(seed)
    out, weights = layer(*(xs * 3)[:3], **{name: T.from_numpy(m.copy()) for name, m in masks.items()}, **call)
    loss = out.sin().sum() if weights is None else out.sin().sum() + (weights**2).sum()
    layer.zero_grad()
    loss.backward()
    tensors = [out, weights, *[x.grad for x in xs], *[p.grad for p in layer.parameters()]]
    return [None if t is None else t.detach().numpy() for t in tensors], T.rand(1).item()


def assert_close(mine, theirs, rtol=1e-4, atol=1e-5):
    # float32 sums of four products in a row, in another order
    for one, other in zip(mine, theirs, strict=True):
        assert (one is None) == (other is None)
        if one is not None:
            assert one.dtype == other.dtype
            np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_same_seed_gives_the_same_layer(settings):
    theirs, mine = both_layers(**settings)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for name, expected in theirs.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[name].numpy(), expected.numpy(), rtol=1e-6, err_msg=name)
    assert [n for n, _ in mine.named_parameters()] == [n for n, _ in theirs.named_parameters()]
    for name in ("embed_dim", "kdim", "vdim", "num_heads", "head_dim", "dropout", "batch_first", "add_zero_attn"):
        assert getattr(mine, name) == getattr(theirs, name)
    assert minigrad.rand(1).item() == torch.rand(1).item(), "another amount of random numbers was drawn"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_attention_in_both_modes(settings, call):
    theirs, mine = both_layers(**settings)
    rng = np.random.default_rng(0)
    for mode in (True, False):
        arrays = inputs(mine, rng)
        expected = run(torch, theirs.train(mode), arrays, {}, **call)
        actual = run(minigrad, mine.train(mode), arrays, {}, **call)
        assert_close(actual[0], expected[0])
        assert actual[1] == expected[1], "the dropout masks have another size"


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("kind", MASKS)
@pytest.mark.parametrize("settings", ["plain", "added", "heads", "sizes, no bias"])
def test_masks(settings, kind, call):
    theirs, mine = both_layers(**SETTINGS[settings])
    rng = np.random.default_rng(1)
    arrays, given = inputs(mine, rng), masks(kind, mine.num_heads, 4, 5, rng)
    assert_close(run(minigrad, mine, arrays, given, **call)[0], run(torch, theirs, arrays, given, **call)[0])


@pytest.mark.parametrize("is_causal", [True, False])
@pytest.mark.parametrize("need_weights", [True, False])
def test_self_attention_with_a_causal_mask(need_weights, is_causal):
    theirs, mine = both_layers(batch_first=True)
    arrays = inputs(mine, np.random.default_rng(2), self_attention=True)
    future = {"attn_mask": np.triu(np.full((4, 4), -np.inf, np.float32), 1)}
    call = {"need_weights": need_weights, "is_causal": is_causal}
    assert_close(run(minigrad, mine, arrays, future, **call)[0], run(torch, theirs, arrays, future, **call)[0])


@pytest.mark.parametrize("kind", MASKS)
def test_evaluation_without_gradients_agrees_with_the_fast_path_of_pytorch(kind):
    theirs, mine = both_layers(batch_first=True)
    rng = np.random.default_rng(3)
    (x,), given = inputs(mine, rng, self_attention=True), masks(kind, 2, 4, 4, rng)
    for call in CALLS.values():
        outs = []
        for T, layer in ((minigrad, mine.eval()), (torch, theirs.eval())):
            with T.no_grad():
                t = T.from_numpy(x)
                outs.append(layer(t, t, t, **{n: T.from_numpy(m) for n, m in given.items()}, **call))
        assert_close(*[[t if t is None else t.numpy() for t in out] for out in outs])


def test_one_example_without_a_batch():
    theirs, mine = both_layers(batch_first=True, dropout=0.3)
    rng = np.random.default_rng(4)
    arrays = [rng.standard_normal((n, 8)).astype(np.float32) for n in (4, 5, 5)]
    for given in ({}, {"key_padding_mask": np.array([0, 0, 1, 0, 1]) > 0}, {"attn_mask": rng.random((2, 4, 5)) > 0.8}):
        for call in CALLS.values():
            actual = run(minigrad, mine, arrays, given, **call)
            expected = run(torch, theirs, arrays, given, **call)
            assert_close(actual[0], expected[0])
            assert actual[1] == expected[1]


def test_float64_and_empty_batches():
    theirs, mine = both_layers("float64", add_bias_kv=True)
    arrays = inputs(mine, np.random.default_rng(5), dtype=np.float64)
    assert_close(run(minigrad, mine, arrays, {})[0], run(torch, theirs, arrays, {})[0], rtol=1e-10, atol=1e-12)
    out, weights = nn.MultiheadAttention(8, 2)(
        minigrad.zeros(4, 0, 8), minigrad.zeros(5, 0, 8), minigrad.zeros(5, 0, 8)
    )
    assert out.shape == (4, 0, 8)
    assert weights.shape == (0, 4, 5)


def test_half_weights_compute():
    layer = nn.MultiheadAttention(8, 2).half()
    out, weights = layer(*[minigrad.ones(3, 2, 8, dtype=minigrad.float16)] * 3)
    assert out.dtype == weights.dtype == minigrad.float16
    np.testing.assert_allclose(weights.detach().numpy(), 1 / 3, rtol=1e-3)  # float16 has three digits


def test_merged_masks():
    theirs, mine = both_layers()
    attention, padding = np.triu(np.ones((3, 3)), 1), np.array([[0.0, 0, 1], [0, 1, 1]])
    query = np.zeros((2, 3, 8))
    for a, p in ((None, None), (attention, None), (None, padding), (attention, padding), (np.ones((4, 3, 3)), padding)):
        given = [[x if x is None else T.from_numpy(x) for x in (a, p, query)] for T in (minigrad, torch)]
        (actual, kind), (expected, wanted) = mine.merge_masks(*given[0]), theirs.merge_masks(*given[1])
        assert kind == wanted
        assert (actual is None) == (expected is None)
        if actual is not None:
            np.testing.assert_array_equal(actual.numpy(), expected.numpy())


@pytest.mark.parametrize("settings", ["plain", "sizes", "added"])
def test_state_crosses_both_ways(settings):
    theirs, mine = both_layers(**SETTINGS[settings])
    for tensor in mine.parameters():
        tensor.data.add_(0.5)
    theirs.load_state_dict({k: torch.from_numpy(v.numpy().copy()) for k, v in mine.state_dict().items()})
    fresh = nn.MultiheadAttention(8, 2, **SETTINGS[settings])
    fresh.load_state_dict({k: minigrad.from_numpy(v.numpy().copy()) for k, v in theirs.state_dict().items()})
    for name, expected in mine.state_dict().items():
        assert fresh.state_dict()[name].tolist() == expected.tolist()
    assert mine.state_dict()._metadata == theirs.state_dict()._metadata


def test_copies_pickles_and_subclasses():
    class Own(MultiheadAttention):
        def forward(self, x):
            return super().forward(x, x, x, need_weights=False)[0]

    layer, x = Own(8, 2), minigrad.randn(3, 2, 8)
    expected = layer(x).tolist()
    assert copy.deepcopy(layer)(x).tolist() == expected
    plain = nn.MultiheadAttention(8, 2)
    again = pickle.loads(pickle.dumps(plain))
    assert again(x, x, x)[0].tolist() == plain(x, x, x)[0].tolist()
    assert nn.MultiheadAttention is MultiheadAttention


def test_signatures_are_pytorchs():
    for name in ("__init__", "forward", "merge_masks"):
        mine, theirs = (inspect.signature(getattr(n.MultiheadAttention, name)) for n in (nn, torch.nn))
        assert [(p.name, p.default, p.kind) for p in mine.parameters.values()] == [
            (p.name, p.default, p.kind) for p in theirs.parameters.values()
        ]


MISTAKES = """
T.nn.MultiheadAttention(8, 3)
T.nn.MultiheadAttention(0, 1)
T.nn.MultiheadAttention(8, 0)
m(x, x, x[:2])
m(x, x, x[..., :4])
m(x[..., :4], x, x)
m(x, x[0], x[0])
m(x[0, 0], x, x)
m(x, x, x, key_padding_mask=T.zeros(3, dtype=T.bool))
m(x, x, x, key_padding_mask=T.zeros(2, 4, dtype=T.bool))
m(x, x, x, key_padding_mask=T.zeros(2, 3, dtype=T.int64))
m(x, x, x, attn_mask=T.zeros(3, 3, dtype=T.int64))
m(x, x, x, attn_mask=T.zeros(3, 4))
m(x, x, x, attn_mask=T.zeros(3))
m(x, x, x, attn_mask=T.zeros(1, 1, 3, 3))
m(x, x, x, attn_mask=T.zeros(2, 3, 3))
m(x[:, 0], x[:, 0], x[:, 0], attn_mask=T.zeros(4, 3, 3))
m(x, x, x, is_causal=True)
m(x, x, x, T.zeros(2, 3, dtype=T.bool), True, T.zeros(3, 3), False)[1].shape
"""


@pytest.mark.parametrize("code", lines(MISTAKES))
def test_mistakes(code):
    check("m = T.nn.MultiheadAttention(8, 2)\nx = T.sin(T.arange(48.0)).reshape(3, 2, 8)\n" + code, torch)


def test_masks_of_two_types_are_warned_of():
    layer, x = nn.MultiheadAttention(8, 2), minigrad.zeros(3, 2, 8)
    with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
        layer(x, x, x, minigrad.zeros(2, 3, dtype=minigrad.bool), True, minigrad.zeros(3, 3))


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # PyTorch, of its loop over the examples
def test_an_ensemble_in_one_vmap():
    def outputs(T):
        T.manual_seed(0)
        models = [T.nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True) for _ in range(3)]
        params, _ = T.func.stack_module_state(models)
        x = T.sin(T.arange(48.0)).reshape(2, 3, 8)

        def loss(params, x):
            return T.func.functional_call(models[0], params, (x,)).sin().sum()

        return T.func.vmap(T.func.grad(loss), in_dims=(0, None))({n: p.detach() for n, p in params.items()}, x)

    mine, theirs = outputs(minigrad), outputs(torch)
    assert list(mine) == list(theirs)
    assert_close([p.numpy() for p in mine.values()], [p.numpy() for p in theirs.values()], atol=5e-5)
