"""Transformers against PyTorch's: same seed, same weights; forward and gradients in training and evaluation; masks."""

import copy
import inspect
import pickle
import warnings

import numpy as np
import pytest
from both import check, lines

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")

# d_model 8, 2 heads, N = 2 examples, S = 5 places in the source, T = 4 in the target.
SETTINGS = {
    "plain": {},
    "gelu, batch first": {"activation": "gelu", "batch_first": True, "dropout": 0.0},
    "norm first": {"norm_first": True, "layer_norm_eps": 1e-3},
    "no bias": {"bias": False, "batch_first": True},
}


def layer(kind):
    def make(lib, **settings):
        return getattr(lib, kind)(8, 2, 12, **settings)

    return make


def stack(kind, norm):
    def make(lib, **settings):
        return getattr(lib, kind)(layer(kind + "Layer")(lib, **settings), 2, lib.LayerNorm(8) if norm else None)

    return make


KINDS = {
    "encoder layer": layer("TransformerEncoderLayer"),
    "decoder layer": layer("TransformerDecoderLayer"),
    "encoder": stack("TransformerEncoder", True),
    "decoder": stack("TransformerDecoder", False),
    "transformer": lambda lib, **settings: lib.Transformer(8, 2, 2, 1, 12, **settings),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
every_setting = pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)


def both_modules(kind, **settings):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's advice about its nested tensors
        torch.manual_seed(0)
        theirs = KINDS[kind](torch.nn, **settings)
        minigrad.manual_seed(0)
        return theirs, KINDS[kind](nn, **settings)


def inputs(kind, rng, batch_first, batched=True):
    sizes = {"e": [5], "d": [4, 5], "t": [5, 4]}[kind[0]]
    shapes = [(n, 2, 8) if batched else (n, 8) for n in sizes]
    arrays = [rng.standard_normal(shape).astype(np.float32) for shape in shapes]
    return [x.swapaxes(0, 1).copy() for x in arrays] if batched and batch_first else arrays


def masks(kind, which, rng):
    """Masks for every argument of the kind: random ones, causal ones, or padding at the end."""
    sizes = {"src": (5, 5), "tgt": (4, 4), "memory": (4, 5)}
    names = {"e": ["src"], "d": ["tgt", "memory"], "t": ["src", "tgt", "memory"]}[kind[0]]
    made = {}
    for name in names:
        length, size = sizes[name]
        if "padding" in which:
            made[f"{name}_key_padding_mask"] = np.arange(size) >= np.array([[size - 2], [size]])
        elif "causal" in which:
            made["mask" if kind == "encoder" else f"{name}_mask"] = np.triu(np.ones((length, size), bool), 1)
        elif which != "none":
            made["mask" if kind == "encoder" else f"{name}_mask"] = rng.random((4, length, size)) < 0.3
            made[f"{name}_key_padding_mask"] = rng.random((2, size)) < 0.3
    for name, mask in made.items():
        mask[..., 0] = False
        made[name] = np.where(mask, -np.inf, 0).astype(np.float32) if "float" in which else mask
    return made


MASKS = ["none", "bool", "float", "causal", "float causal", "padding", "float padding"]


def run(T, module, arrays, masks, seed=1):
    xs = [T.from_numpy(x.copy()).requires_grad_() for x in arrays]
    T.manual_seed(seed)
    module.zero_grad()
    out = module(*xs, **{name: T.from_numpy(m.copy()) for name, m in masks.items()})
    out.sin().sum().backward()
    tensors = [out, *[x.grad for x in xs], *[p.grad for p in module.parameters()]]
    return [t.detach().numpy() for t in tensors], T.rand(1).item()


def assert_close(mine, theirs, rtol=1e-3, atol=2e-5):
    # several float32 normalisations and products in a row, in another order
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=rtol, atol=atol)


@every_setting
@every_kind
def test_same_seed_gives_the_same_module(kind, settings):
    theirs, mine = both_modules(kind, **settings)
    assert repr(mine) == repr(theirs)
    assert list(mine.state_dict()) == list(theirs.state_dict())
    for name, expected in theirs.state_dict().items():
        np.testing.assert_allclose(mine.state_dict()[name].numpy(), expected.numpy(), rtol=1e-6, err_msg=name)
    assert minigrad.rand(1).item() == torch.rand(1).item(), "another amount of random numbers was drawn"


@every_setting
@every_kind
def test_training_and_evaluation(kind, settings):
    theirs, mine = both_modules(kind, **settings)
    rng = np.random.default_rng(0)
    for mode in (True, False):
        arrays = inputs(kind, rng, settings.get("batch_first", False))
        expected = run(torch, theirs.train(mode), arrays, {})
        actual = run(minigrad, mine.train(mode), arrays, {})
        assert_close(actual[0], expected[0])
        assert actual[1] == expected[1], "the dropout masks have another size"


@pytest.mark.parametrize("which", MASKS)
@every_kind
def test_masks(kind, which):
    theirs, mine = both_modules(kind)
    rng = np.random.default_rng(1)
    arrays, given = inputs(kind, rng, False), masks(kind, which, rng)
    assert_close(run(minigrad, mine, arrays, given)[0], run(torch, theirs, arrays, given)[0])


@pytest.mark.parametrize("which", MASKS)
@every_kind
def test_without_gradients_as_the_fast_path_of_pytorch(kind, which):
    theirs, mine = both_modules(kind, batch_first=True)
    rng = np.random.default_rng(2)
    arrays, given = inputs(kind, rng, True), masks(kind, which, rng)
    outs = []
    for T, module in ((minigrad, mine), (torch, theirs)):
        with T.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of nested tensors
            module.eval()
            named = {name: T.from_numpy(m) for name, m in given.items()}
            outs.append(module(*[T.from_numpy(x) for x in arrays], **named).numpy())
    assert_close(outs[:1], outs[1:])


@every_kind
def test_one_example_without_a_batch(kind):
    theirs, mine = both_modules(kind, batch_first=True)
    arrays = inputs(kind, np.random.default_rng(3), True, batched=False)
    actual, expected = run(minigrad, mine, arrays, {}), run(torch, theirs, arrays, {})
    assert_close(actual[0], expected[0])
    assert actual[1] == expected[1]


def test_padding_comes_out_as_zeros_only_where_pytorch_uses_nested_tensors():
    padding = minigrad.tensor([[False, False, True], [False, True, True]])
    x = minigrad.randn(2, 3, 8)

    def zeros(padding=padding, **settings):
        options = {name: settings.pop(name) for name in ("enable_nested_tensor",) if name in settings}
        encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 12, **{"batch_first": True, **settings}), 1, **options
        )
        with minigrad.no_grad():
            return (encoder.eval()(x, src_key_padding_mask=padding) == 0).all(-1).tolist()

    nowhere = [[False] * 3] * 2
    assert zeros() == padding.tolist()
    assert zeros(activation=nn.GELU()) == padding.tolist()
    assert zeros(norm_first=True) == nowhere
    assert zeros(activation=minigrad.tanh) == nowhere
    assert zeros(bias=False) == nowhere
    assert zeros(enable_nested_tensor=False) == nowhere
    assert zeros(minigrad.tensor([[True, False, False], [False, True, False]])) == nowhere


def test_causal_masks_are_recognised():
    """With the hint, or without one by looking, the mask is not needed: its numbers are not read."""
    layer, x = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0), minigrad.randn(3, 2, 8)
    mask = nn.Transformer.generate_square_subsequent_mask(3)
    encoder = nn.TransformerEncoder(layer, 1)
    expected = encoder(x, mask).tolist()
    np.testing.assert_allclose(encoder(x, mask > -1, is_causal=True).tolist(), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(encoder(x, mask < 0).tolist(), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(RuntimeError, match="Need attn_mask"):
        layer(x, is_causal=True)


def test_the_causal_mask():
    for sz in (0, 1, 4):
        expected = torch.nn.Transformer.generate_square_subsequent_mask(sz, dtype=torch.float64)
        actual = nn.Transformer.generate_square_subsequent_mask(sz, dtype=minigrad.float64)
        assert repr(actual) == repr(expected)
    assert nn.Transformer(8, 2, 1, 1, 8).generate_square_subsequent_mask(2).dtype == minigrad.float32


def test_custom_parts_and_layers():
    class Doubled(nn.Module):
        def forward(self, src, mask=None, src_key_padding_mask=None, is_causal=None):
            return src * 2

    class Own(nn.TransformerEncoderLayer):
        def _sa_block(self, x, attn_mask, key_padding_mask, is_causal=False):
            return x * 0

    model = nn.Transformer(8, 2, 1, 1, 8, custom_encoder=Doubled())
    assert isinstance(model.encoder, Doubled)
    assert model(minigrad.randn(3, 2, 8), minigrad.randn(4, 2, 8)).shape == (4, 2, 8)
    own, x = Own(8, 2, 12).eval(), minigrad.randn(3, 2, 8)
    y = own.norm1(x)
    assert own(x).tolist() == own.norm2(y + own._ff_block(y)).tolist()


def test_copies_and_pickles():
    model = nn.Transformer(8, 2, 1, 1, 8, activation="gelu").eval()
    src, tgt = minigrad.randn(3, 2, 8), minigrad.randn(4, 2, 8)
    expected = model(src, tgt).tolist()
    assert copy.deepcopy(model)(src, tgt).tolist() == expected
    assert pickle.loads(pickle.dumps(model))(src, tgt).tolist() == expected


def test_layers_of_a_stack_begin_alike_and_are_trained_apart():
    encoder = nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 12), 2)
    first, second = encoder.layers
    assert first.linear1.weight.tolist() == second.linear1.weight.tolist()
    assert first.linear1.weight is not second.linear1.weight
    first, second = nn.Transformer(8, 2, 2, 1, 8).encoder.layers
    assert first.linear1.weight.tolist() != second.linear1.weight.tolist()


def test_signatures_are_pytorchs():
    names = ["Transformer", "TransformerEncoder", "TransformerDecoder"]
    for name in [*names, "TransformerEncoderLayer", "TransformerDecoderLayer"]:
        for method in ("__init__", "forward"):
            mine, theirs = (inspect.signature(getattr(getattr(n, name), method)).parameters for n in (nn, torch.nn))
            assert list(mine) == list(theirs), name
            for one, other in zip(mine.values(), theirs.values(), strict=True):
                assert callable(other.default) or one.default == other.default, f"{name}.{method}({one.name})"


MISTAKES = """
T.nn.TransformerEncoderLayer(8, 3)
T.nn.TransformerEncoderLayer(8, 2, activation='tanh')
m(x, x[:, :1])
m(x, x[..., :4])
m(x[..., :4], x)
m(x, x, src_mask=T.zeros(4, 4))
m(x, x, tgt_mask=T.zeros(3, 4))
m.encoder(x, src_key_padding_mask=T.zeros(2, 4, dtype=T.bool))
m.encoder(x, src_key_padding_mask=T.zeros(2, 3, dtype=T.int64))
m.decoder(x)
T.nn.TransformerEncoder(m.encoder.layers[0], 0)(x)
"""


@pytest.mark.parametrize("code", lines(MISTAKES))
def test_mistakes(code):
    check("m = T.nn.Transformer(8, 2, 1, 1, 8)\nx = T.sin(T.arange(48.0)).reshape(3, 2, 8)\n" + code, torch)
