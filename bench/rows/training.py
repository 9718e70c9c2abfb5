"""Whole training steps: zero_grad, forward, loss, backward, optimizer step.

The targets are reshuffled from step to step.  On one fixed batch a network memorises it, its gradients sink towards
zero, Adam's squares become denormal numbers, and each library slows down at a different moment: the same library
against itself then gives anything from 0.7 to 1.4.

The rows "in its own process" show what a user sees who has one library loaded and the C library's memory handling as
it comes: there each allocates and frees as it does, and pays for the pages.  In the others the heap is kept warm for
all (environment.keep_heap), which is kinder to whoever allocates more.
"""

from __future__ import annotations

import gc
import importlib
import os
import statistics
from functools import partial
from itertools import cycle

import numpy as np

from bench.environment import THREAD_VARIABLES, clock_for
from bench.row import TORCH, Row
from bench.rows.make import classes, normal
from bench.rows.startup import python
from bench.timing import Work

SHUFFLES = 32


def mlp(nn):
    return nn.Sequential(nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn(nn):
    """28x28 digits: two convolutions, each pooled, and a linear head."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 7 * 7, 10),
    )  # fmt: skip


def small_cnn(nn):
    """The demo's network for its 8x8 scans, without the dropout."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(32 * 2 * 2, 10),
    )  # fmt: skip


def moons(nn):
    return nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1), nn.Tanh())


def logistic_regression(nn):
    """150 irises, four measures of each, three species."""
    return nn.Linear(4, 3)


def vae(lib):
    """A variational autoencoder of 784 pixels, 400 hidden units and 20 latent numbers (Kingma & Welling 2013), as in
    PyTorch's examples: `vae(lib)(images)` is its loss."""
    nn, functional = lib.nn, lib.nn.functional

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.encode, self.mean, self.log_variance = nn.Linear(784, 400), nn.Linear(400, 20), nn.Linear(400, 20)
            self.decode, self.pixels = nn.Linear(20, 400), nn.Linear(400, 784)

        def forward(self, images):
            hidden = functional.relu(self.encode(images))
            mean, log_variance = self.mean(hidden), self.log_variance(hidden)
            spread = lib.exp(0.5 * log_variance)
            latent = mean + lib.randn_like(spread) * spread
            drawn = lib.sigmoid(self.pixels(functional.relu(self.decode(latent))))
            likelihood = functional.binary_cross_entropy(drawn, images, reduction="sum")
            divergence = -0.5 * lib.sum(1 + log_variance - mean.pow(2) - log_variance.exp())
            return likelihood + divergence

    return VAE()


def shuffled(lib, target):
    """An endless round of tensors: `target` in SHUFFLES orders."""
    rng = np.random.default_rng(0)
    return cycle([lib.tensor(rng.permutation(target)) for _ in range(SHUFFLES)])


def training(optimizer, batches, loss):
    """One step: `loss` is a function of a batch."""

    def run():
        optimizer.zero_grad()
        value = loss(next(batches))
        value.backward()
        optimizer.step()
        return value

    return run


def step(build, shape, target, loss, torch_options, lib, optimizer="Adam", lr=1e-3):
    """One step of `build`'s network; returns the loss, which must be the same everywhere: the seeds are the same."""
    lib.manual_seed(0)
    model = build(lib.nn)
    options = torch_options if lib.__name__ == TORCH else {}
    optimizer = getattr(lib.optim, optimizer)(model.parameters(), lr=lr, **options)
    x = lib.tensor(normal(*shape))
    function = getattr(lib.nn.functional, loss)
    return training(optimizer, shuffled(lib, target), lambda target: function(model(x), target))


def vae_step(lib):
    lib.manual_seed(0)
    model = vae(lib)
    optimizer = lib.optim.Adam(model.parameters(), lr=1e-3)
    rng = np.random.default_rng(0)
    batches = cycle([lib.tensor(rng.uniform(size=(64, 784)).astype(np.float32)) for _ in range(SHUFFLES)])
    return training(optimizer, batches, model)


ALONE = "import sys; from bench.rows.training import time_alone; time_alone(*sys.argv[1:])"
ALONE_TOO = ("MLP", "CNN")  # of these steps
AT_LEAST = 10  # steps, and as many to warm up


def time_alone(library, name, enough) -> None:
    """Print the median seconds of a step of row `name`, of those made in `enough` seconds after half as many to warm
    up; run in a process of its own."""
    lib = importlib.import_module(library)
    threads = int(os.environ[THREAD_VARIABLES[0]])  # the parent's choice
    if library == TORCH:
        lib.set_num_threads(threads)
    _, clock = clock_for(threads)
    (row,) = [row for row in steps() if row.name == name]
    run = row.work(lib).run
    gc.disable()
    seconds = []
    for least in (0.5 * float(enough), float(enough)):  # the second time counts
        seconds.clear()
        while len(seconds) < AT_LEAST or sum(seconds) < least:
            start = clock()
            run()
            seconds.append(clock() - start)
    print(statistics.median(seconds))


def alone(row, lib) -> Work:
    def run(enough="0.5"):
        return float(python(ALONE, lib.__name__, row.name, enough))

    return Work(run, self_timed=True, trial=lambda: run("0"))


def rows() -> list[Row]:
    found = steps()
    chosen = [row for row in found if any(name in row.name for name in ALONE_TOO) and not row.name.endswith(")")]
    return found + [
        Row(f"{row.name}, in its own process", partial(alone, row), (TORCH,), alike=False) for row in chosen
    ]


def steps() -> list[Row]:
    signs = np.sign(normal(100, 1, seed=5))
    digits = classes(10, 64)
    mlp_step = partial(step, mlp, (64, 784), digits, "cross_entropy")
    return [
        Row("step/MLP 784-256-128-10 B64 Adam", partial(mlp_step, {}), targets={TORCH: 0.6}),
        Row("step/MLP 784-256-128-10 B64 Adam (torch foreach)", partial(mlp_step, {"foreach": True}), (TORCH,)),
        Row("step/MLP 784-256-128-10 B64 Adam (torch fused)", partial(mlp_step, {"fused": True}), (TORCH,)),
        Row(
            "step/CNN 28x28 B64 Adam",
            partial(step, cnn, (64, 1, 28, 28), digits, "cross_entropy", {}),
            targets={TORCH: 1.0},
        ),
        Row(
            "step/CNN of the demo 8x8 B32 Adam",
            partial(step, small_cnn, (32, 1, 8, 8), digits[:32], "cross_entropy", {}),
        ),
        Row("step/VAE 784-400-20 B64 Adam", vae_step, targets={TORCH: 1.0}),
        Row(
            "step/logistic regression on Iris B150 SGD",
            partial(step, logistic_regression, (150, 4), classes(3, 150), "cross_entropy", {}, optimizer="SGD", lr=0.1),
            targets={TORCH: 1.0},
        ),
        Row(
            "step/moons 2-16-16-1 B100 Adam",
            partial(step, moons, (100, 2), signs, "mse_loss", {}),
            targets={TORCH: 1.0},
        ),
    ]
