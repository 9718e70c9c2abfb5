"""Gradient descent: batch, mini-batch and stochastic; and a saddle point that it sticks on.

saddle   x² + (y² − 1)² from a start on the ridge y = 0: how many steps until it is left?
zeros    the same in a network: digits with all weights 0 at the start, or a little beside it
batches  digits, the same number of passes in batches of all, of 64 and of 1; each with the learning rate that was
         best on a validation part
"""

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits, load_iris
from minigrad.nn import functional as F

RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
BATCHES = (1077, 64, 1)
PART = 360  # digits in the validation part, and in the held-out part


def saddle(x, y):
    """A saddle at (0, 0), between two minima at (0, ±1)."""
    return x**2 + (y**2 - 1) ** 2


def descend(f, start, lr, steps, *, momentum=0.0, noise=0.0):
    """The places, (steps + 1, 2), that gradient descent goes through; normal noise of this size is added to each
    gradient, as a random mini-batch would."""
    p = minigrad.tensor(start, dtype=minigrad.float64, requires_grad=True)
    optimizer = optim.SGD([p], lr=lr, momentum=momentum)
    places = [p.tolist()]
    for _ in range(steps):
        optimizer.zero_grad()
        f(p[0], p[1]).backward()
        p.grad += noise * minigrad.randn(2)
        optimizer.step()
        places.append(p.tolist())
    return np.array(places)


def steps_to_leave(start, steps=1000, **how):
    """After how many steps the saddle is left (|y| > 0.5), or None."""
    left = np.abs(descend(saddle, start, lr=0.05, steps=steps, **how)[:, 1]) > 0.5
    return int(left.argmax()) if left.any() else None


def petals():
    """(petal length, petal width) of 150 irises; the length with mean 0 and standard deviation 1."""
    length, width = load_iris().data[:, 2], load_iris().data[:, 3]
    return (length - length.mean()) / length.std(), width


def walk(x, y, start, batch, lr, epochs):
    """The places (w, b) of a straight line ``w x + b`` that is fitted in batches of a size: (updates + 1, 2)."""
    p = minigrad.tensor(start, requires_grad=True)
    optimizer = optim.SGD([p], lr=lr)
    places = [p.tolist()]
    for _ in range(epochs):
        for part in minigrad.randperm(len(x)).split(batch):
            optimizer.zero_grad()
            F.mse_loss(p[0] * x[part] + p[1], y[part]).backward()
            optimizer.step()
            places.append(p.tolist())
    return np.array(places)


def digits(seed):
    """Three pairs of inputs and labels: 1,077 to train with, 360 to choose with, 360 held out."""
    images, labels = load_digits()
    order = minigrad.randperm(len(labels), generator=minigrad.Generator().manual_seed(seed))
    images, labels = images.flatten(1)[order] / 16, labels[order]
    parts = slice(2 * PART, None), slice(PART, 2 * PART), slice(0, PART)
    return [(images[part], labels[part]) for part in parts]


def network():
    return nn.Sequential(nn.Linear(64, 32), nn.Tanh(), nn.Linear(32, 10))


def train(model, inputs, labels, batch, lr, epochs):
    optimizer = optim.SGD(model.parameters(), lr=lr)
    for _ in range(epochs):
        for part in minigrad.randperm(len(labels)).split(batch):
            optimizer.zero_grad()
            F.cross_entropy(model(inputs[part]), labels[part]).backward()
            optimizer.step()


def accuracy(model, inputs, labels):
    with minigrad.no_grad():
        return (model(inputs).argmax(1) == labels).float().mean().item()


def from_zeros(seed, nudge, epochs=20):
    """Accuracy on held-out digits of a network whose weights began as normal numbers of size `nudge`; 0 is a saddle."""
    minigrad.manual_seed(seed)
    training, _, held_out = digits(seed)
    model = network()
    with minigrad.no_grad():
        for parameter in model.parameters():
            parameter.copy_(nudge * minigrad.randn(parameter.shape))
    train(model, *training, batch=64, lr=0.3, epochs=epochs)
    return accuracy(model, *held_out)


def in_batches(batch, seed, lr, epochs):
    """(loss on the validation part, accuracy on the held-out part) after some passes in batches of a size."""
    minigrad.manual_seed(seed)
    training, validation, held_out = digits(seed)
    model = network()
    train(model, *training, batch, lr, epochs)
    with minigrad.no_grad():
        loss = F.cross_entropy(model(validation[0]), validation[1]).item()
    return loss, accuracy(model, *held_out)


def main():
    chosen = options(__doc__, seeds=(5, 1, "how many seeds, from --seed on"), epochs=(10, 1, "passes over the digits"))
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    print("steps until the saddle is left")
    ridge, noisy = (1.5, 0.0), []
    for name, start in (("on the ridge", ridge), ("1e-6 beside it", (1.5, 1e-6))):
        print(f"  {name:14} {steps_to_leave(start)}, with momentum {steps_to_leave(start, momentum=0.9)}")
    for seed in seeds:
        minigrad.manual_seed(seed)
        noisy.append(steps_to_leave(ridge, noise=0.1))
    print("  on the ridge, with noise", *noisy)
    print("a network that starts at zero, and beside it: held-out accuracy")
    for nudge in (0.0, 1e-3):
        print(f"  nudge {nudge:5}", *(f"{from_zeros(seed, nudge, 2 * chosen.epochs):6.1%}" for seed in seeds))
    print(f"{chosen.epochs} passes over the digits: held-out accuracy")
    reached = {}
    for batch in progress(BATCHES, "batches", quiet=chosen.quiet):
        rate = min(RATES, key=lambda lr: in_batches(batch, chosen.seed, lr, chosen.epochs)[0])
        found = [in_batches(batch, seed, rate, chosen.epochs)[1] for seed in seeds]
        reached[batch] = sum(found) / len(found)
        print(f"  batches of {batch:4}, lr {rate:4}", *(f"{share:6.1%}" for share in found))
    result(
        f"on the ridge of a saddle plain descent is stuck (1,000 steps), noise leaves in {min(noisy)} to {max(noisy)} "
        f"steps; {chosen.epochs} passes, {PART} held-out digits, mean of {chosen.seeds} seeds: "
        + ", ".join(f"batches of {batch:,} {share:.1%}" for batch, share in reached.items())
    )


if __name__ == "__main__":
    main()
