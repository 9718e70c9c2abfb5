"""Training steps of two networks of convolutions: LeNet, and a pair of networks that play against each other."""

from __future__ import annotations

from functools import partial

import numpy as np

from bench.row import Row
from bench.rows.make import classes
from bench.rows.training import shuffled, step

BATCH, NOISE = 64, 100


def lenet(nn):
    """Digits of 28x28 pixels; LeCun et al. 1998, with the units of today."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(6, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(16 * 5 * 5, 120), nn.ReLU(), nn.Linear(120, 84), nn.ReLU(), nn.Linear(84, 10),
    )  # fmt: skip


def generator(nn):
    """Noise (N, 100, 1, 1) to images (N, 1, 28, 28); Radford et al. 2015."""
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 128, 7, bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 4, 2, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 4, 2, 1, bias=False), nn.Tanh(),
    )  # fmt: skip


def discriminator(nn):
    """Images to the chance that they are real."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 4, 2, 1, bias=False), nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False), nn.BatchNorm2d(128), nn.LeakyReLU(0.2),
        nn.Conv2d(128, 1, 7, bias=False), nn.Flatten(0), nn.Sigmoid(),
    )  # fmt: skip


def dcgan(lib):
    """One step of both networks, as in PyTorch's examples."""
    lib.manual_seed(0)
    make, judge = generator(lib.nn), discriminator(lib.nn)
    loss = lib.nn.BCELoss()
    options = {"lr": 2e-4, "betas": (0.5, 0.999)}
    of_make, of_judge = (lib.optim.Adam(network.parameters(), **options) for network in (make, judge))
    batches = shuffled(lib, np.random.default_rng(0).uniform(-1, 1, (BATCH, 1, 28, 28)).astype(np.float32))
    real, fake = lib.ones(BATCH), lib.zeros(BATCH)
    luck = lib.Generator().manual_seed(0)  # of its own: two sides may be the same library

    def run():
        judge.zero_grad()
        error = loss(judge(next(batches)), real)
        error.backward()
        images = make(lib.randn(BATCH, NOISE, 1, 1, generator=luck))
        other_error = loss(judge(images.detach()), fake)
        other_error.backward()
        of_judge.step()
        make.zero_grad()
        loss(judge(images), real).backward()
        of_make.step()
        return error + other_error

    return run


def rows() -> list[Row]:
    digits = classes(10, BATCH)
    return [
        Row("step/LeNet 28x28 B64 Adam", partial(step, lenet, (BATCH, 1, 28, 28), digits, "cross_entropy", {})),
        Row("step/DCGAN 28x28 B64 Adam", dcgan),
    ]
