"""One optimizer step over parameters whose gradients are there already.

torch's `Adam` has three ways to the same numbers: the default (on a CPU: a loop over the tensors), `foreach` and
`fused`.  A learner types the default, so that is the promise; the other two are shown so that nobody need wonder.
"""

from __future__ import annotations

from functools import partial

from bench.row import TORCH, Row
from bench.rows.make import normal

SIZES = {
    "100 x 10k": [(10_000,)] * 100,
    "100 x 100": [(100,)] * 100,
    "1 x 1M": [(1_000_000,)],
    "1 x 10M": [(10_000_000,)],
    "MLP 784-256-128-10": [(256, 784), (256,), (128, 256), (128,), (10, 128), (10,)],
}
OTHERS = ("Adadelta", "Adafactor", "Adagrad", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop")
PATHS = {"": {}, " (torch foreach)": {"foreach": True}, " (torch fused)": {"fused": True}}


def optimizer_step(name, options, torch_options, shapes, lib):
    parameters = [lib.nn.Parameter(lib.tensor(normal(*shape, seed=k))) for k, shape in enumerate(shapes)]
    for k, parameter in enumerate(parameters):
        parameter.grad = lib.tensor(normal(*parameter.shape, seed=1000 + k))
    if lib.__name__ == TORCH:
        options = {**options, **torch_options}
    optimizer = getattr(lib.optim, name)(parameters, **options)

    def run():
        optimizer.step()
        return parameters[0]

    return run


def rows() -> list[Row]:
    found = []
    for label, shapes in SIZES.items():
        for path, options in PATHS.items():
            rivals = (TORCH,) if path else ("numpy", TORCH)
            found.append(
                Row(
                    f"optimizer/Adam {label}{path}",
                    partial(optimizer_step, "Adam", {"lr": 1e-3}, options, shapes),
                    rivals,
                )
            )
    label = "MLP 784-256-128-10"
    others = {
        "SGD": {"lr": 1e-2},
        "SGD momentum": {"lr": 1e-2, "momentum": 0.9},
        "AdamW": {"lr": 1e-3, "weight_decay": 1e-2},
        **{name: {} for name in OTHERS},
        "RMSprop centered": {"centered": True, "momentum": 0.9},
    }
    for name, options in others.items():
        work = partial(optimizer_step, name.split()[0], options, {}, SIZES[label])
        found.append(Row(f"optimizer/{name} {label}", work))
    matrices = [shape for shape in SIZES[label] if len(shape) == 2]
    found.append(Row(f"optimizer/Muon {label}", partial(optimizer_step, "Muon", {}, {}, matrices)))
    return found
