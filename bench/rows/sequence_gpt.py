"""Attention alone, forward and with its backward, and a training step of a small GPT."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.row import NUMPY, TORCH, Row
from bench.rows.make import both_ways, classes, normal
from bench.rows.training import shuffled, training

CASES = {  # batch, heads, places, width of a head; is_causal; targets of forward, and of forward and backward
    "2x4 heads 16 tokens 16 dim": ((2, 4, 16, 16), False, 2.0, 1.0),
    "16x4 heads 64 tokens 32 dim causal": ((16, 4, 64, 32), True, 1.0, 0.8),
    "16x8 heads 128 tokens 64 dim": ((16, 8, 128, 64), False, 1.0, 0.8),
    "16x8 heads 128 tokens 64 dim causal": ((16, 8, 128, 64), True, 1.0, 0.8),
    "1x4 heads 1024 tokens 64 dim": ((1, 4, 1024, 64), False, 1.0, 1.0),
    "1x2 heads 2048 tokens 64 dim causal": ((1, 2, 2048, 64), True, 1.0, 1.0),
}
BATCH, PLACES, WIDTH, HEADS, LAYERS, SYMBOLS = 16, 64, 128, 4, 4, 65


def gpt(lib):
    """GPT-2's layers, small: pre-norm blocks of causal attention and an MLP, then as many logits as there are symbols.
    `gpt(lib)(tokens)`: (B, T) gives (B, T, SYMBOLS)."""
    nn, functional = lib.nn, lib.nn.functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
            self.project, self.join = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
            self.mlp = nn.Sequential(nn.Linear(WIDTH, 4 * WIDTH), nn.GELU(), nn.Linear(4 * WIDTH, WIDTH))

        def attend(self, x):
            batch, places, width = x.shape
            q, k, v = [
                part.view(batch, places, HEADS, width // HEADS).transpose(1, 2)
                for part in self.project(x).split(width, 2)
            ]
            heads = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
            return self.join(heads.transpose(1, 2).reshape(batch, places, width))

        def forward(self, x):
            x = x + self.attend(self.before_attention(x))
            return x + self.mlp(self.before_mlp(x))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.symbols, self.places = nn.Embedding(SYMBOLS, WIDTH), nn.Embedding(PLACES, WIDTH)
            self.blocks = nn.Sequential(*[Block() for _ in range(LAYERS)])
            self.last, self.logits = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, SYMBOLS, bias=False)

        def forward(self, tokens):
            x = self.symbols(tokens) + self.places(lib.arange(tokens.shape[1]))
            return self.logits(self.last(self.blocks(x)))

    return GPT()


def gpt_step(lib):
    """The loss of a batch of random text, whose targets come in another order at each step."""
    lib.manual_seed(0)
    model = gpt(lib)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3)
    tokens = lib.tensor(classes(SYMBOLS, BATCH * PLACES).reshape(BATCH, PLACES))
    targets = shuffled(lib, classes(SYMBOLS, BATCH * PLACES, seed=1))
    cross_entropy = lib.nn.functional.cross_entropy
    return training(optimizer, targets, lambda target: cross_entropy(model(tokens).flatten(0, 1), target))


def attention(shape, is_causal, backward, lib):
    """Scaled dot product attention of random queries, keys and values."""
    arrays = [normal(*shape, seed=seed) for seed in range(3)]
    attend = partial(lib.nn.functional.scaled_dot_product_attention, is_causal=is_causal)
    if backward:
        return both_ways(lib, attend, *arrays)
    return partial(attend, *[lib.tensor(array) for array in arrays])


def rows() -> list[Row]:
    found = []
    for name, (shape, is_causal, forward, both) in CASES.items():
        rivals = (NUMPY, TORCH) if np.prod(shape) < 1 << 22 else (TORCH,)
        for what, backward, target in (("forward", False, forward), ("forward+backward", True, both)):
            setup = partial(attention, shape, is_causal, backward)
            found.append(Row(f"attention/{name} {what}", setup, rivals, {TORCH: target}))
    name = f"step/GPT {LAYERS} layers {WIDTH} wide {PLACES} tokens B{BATCH} Adam"
    return [*found, Row(name, gpt_step, targets={TORCH: 1.0})]
