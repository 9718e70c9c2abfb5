"""Recurrent layers and cells, and the training step of a character language model."""

from __future__ import annotations

from functools import partial

from bench.row import TORCH, Row
from bench.rows.make import both_ways, classes, leaf, normal
from bench.rows.training import shuffled, training

LAYERS = ("LSTM", "GRU", "RNN")
STEPS, BATCH, FEATURES, HIDDEN = 50, 32, 64, 128
LARGE = f"T{STEPS} B{BATCH} I{FEATURES} H{HIDDEN}"
SHAPE = STEPS, BATCH, FEATURES
SIZES_OF_LAYERS = (LARGE, SHAPE, HIDDEN), ("T20 B1 I16 H16", (20, 1, 16), 16), ("T20 B8 I16 H16", (20, 8, 16), 16)
SIZES_OF_CELLS = ("B1 I16 H16", (1, 16), 16), ("B32 I128 H128", (32, 128), 128)
MORE = {"bidirectional": {"bidirectional": True}, "of 2 layers": {"num_layers": 2}, "projected": {"proj_size": 64}}


def made(lib, name, features, hidden, **options):
    """The layer or cell of that name, with the same weights in every library."""
    lib.manual_seed(0)
    return getattr(lib.nn, name)(features, hidden, **options)


def forward(name, shape, hidden, options, lib):
    """What a layer gives, recorded for a backward."""
    layer, x = made(lib, name, shape[-1], hidden, **options), leaf(lib, normal(*shape))
    return lambda: layer(x)[0]


def both(name, shape, hidden, options, lib):
    """Forward, and back to the input and the weights."""
    layer = made(lib, name, shape[-1], hidden, **options)
    parameters = list(layer.parameters())

    def outputs(x, *_):
        for parameter in parameters:
            parameter.grad = None
        found = layer(x)
        return found[0] if isinstance(found, tuple) else found

    return both_ways(lib, outputs, normal(*shape))


def char_model(lib):
    """Embedding, LSTM, linear: `char_model(lib)(ids)` gives the scores of 65 characters for each step and sequence."""
    nn = lib.nn

    class CharModel(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding, self.lstm, self.linear = nn.Embedding(65, 64), nn.LSTM(64, 128), nn.Linear(128, 65)

        def forward(self, ids):
            return self.linear(self.lstm(self.embedding(ids))[0])

    return CharModel()


def char_step(lib):
    lib.manual_seed(0)
    model = char_model(lib)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3)
    ids = lib.tensor(classes(65, STEPS * BATCH).reshape(STEPS, BATCH))
    cross_entropy = lib.nn.functional.cross_entropy
    targets = shuffled(lib, classes(65, STEPS * BATCH, seed=1))
    return training(optimizer, targets, lambda target: cross_entropy(model(ids).reshape(-1, 65), target))


def rows() -> list[Row]:
    """Layers at a size where the products count and at one where Python does; what layers can do besides; cells."""
    found = []
    for name in LAYERS:
        for label, shape, hidden in SIZES_OF_LAYERS:
            work = name, shape, hidden, {}
            found += [
                Row(f"sequence/{name} {label} forward", partial(forward, *work)),
                Row(f"sequence/{name} {label} forward+backward", partial(both, *work), targets={TORCH: 1.0}),
            ]
        found += [
            Row(f"sequence/{name}Cell {label} forward+backward", partial(both, f"{name}Cell", shape, hidden, {}))
            for label, shape, hidden in SIZES_OF_CELLS
        ]
    found += [
        Row(f"sequence/LSTM {label} {LARGE} forward+backward", partial(both, "LSTM", SHAPE, HIDDEN, options))
        for label, options in MORE.items()
    ]
    return [*found, Row("step/char-LSTM T50 B32 Adam", char_step, targets={TORCH: 1.0})]
