"""Backpropagation by hand, with the matrices of note 003, beside the engine's: the same numbers.

A network of sigmoids, `O = sigmoid(W I)` layer by layer, is trained on Iris one flower at a time. Two ways to hand the
error back are compared, both written out in NumPy:

    gradient   E_hidden = W' (E O (1 - O))     the chain rule of L = 1/2 sum (T - O)^2
    book       E_hidden = W' E                 "redistribution": the slope of the output's sigmoid is left out

The update of a layer is the same for both: `dW = lr * E O (1 - O) I'` (' is the transpose).
"""

import itertools

import numpy as np

import minigrad
from minigrad import nn
from minigrad.course import options, progress, result
from minigrad.datasets import load_iris


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def forward(weights, inputs):
    """The outputs of all layers, the inputs first. Columns are samples."""
    outputs = [inputs]
    for weight in weights:
        outputs.append(sigmoid(weight @ outputs[-1]))
    return outputs


def backward(weights, inputs, targets, book=False):
    """-dL/dW of each layer by the note's matrices, L = 1/2 sum (T - O)^2; with `book`, its redistribution instead."""
    outputs = forward(weights, inputs)
    error, changes = targets - outputs[-1], []
    for weight, output, before in zip(reversed(weights), reversed(outputs), reversed(outputs[:-1])):
        signal = error * output * (1 - output)
        changes.insert(0, signal @ before.T)
        error = weight.T @ (error if book else signal)
    return changes


def by_engine(weights, inputs, targets, loss=lambda o, t: 0.5 * ((t - o) ** 2).sum()):
    """-dL/dW of each layer by minigrad. `loss` takes outputs and targets."""
    tensors = [minigrad.tensor(weight, requires_grad=True) for weight in weights]
    x = minigrad.tensor(inputs)
    for weight in tensors:
        x = (weight @ x).sigmoid()
    loss(x, minigrad.tensor(targets)).backward()
    return [-weight.grad.numpy() for weight in tensors]


def largest_difference(seed, sizes=(4, 8, 3), samples=10):
    """Between the gradients by hand and those of the engine, on random numbers."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(rows, columns)) for columns, rows in itertools.pairwise(sizes)]
    inputs, targets = rng.uniform(size=(sizes[0], samples)), rng.uniform(size=(sizes[-1], samples))
    pairs = zip(backward(weights, inputs, targets), by_engine(weights, inputs, targets))
    return max(abs(hand - engine).max() for hand, engine in pairs)


def iris(seed):
    """(inputs, targets, classes) to train on, and the same held out (30 flowers). Inputs lie in [0.01, 1], targets are
    0.01 and 0.99: what a sigmoid takes and gives without saturating."""
    features, classes = load_iris()
    features, classes = features.numpy().astype(float), classes.numpy()
    order = np.random.default_rng(seed).permutation(len(features))
    train, test = order[30:], order[:30]
    low, high = features[train].min(0), features[train].max(0)
    inputs = (0.01 + 0.99 * (features - low) / (high - low)).T
    targets = np.where(np.arange(3)[:, None] == classes, 0.99, 0.01)
    return [(inputs[:, part], targets[:, part], classes[part]) for part in (train, test)]


def train(seed, epochs, lr=0.3, hidden=8, book=False):
    """The share of held-out flowers that is right after `epochs` passes, one flower at a time."""
    (inputs, targets, _), (test_inputs, _, test_classes) = iris(seed)
    rng = np.random.default_rng(seed)
    weights = [rng.normal(0, rows**-0.5, (columns, rows)) for rows, columns in ((4, hidden), (hidden, 3))]
    for _ in range(epochs):
        for k in rng.permutation(inputs.shape[1]):
            changes = backward(weights, inputs[:, [k]], targets[:, [k]], book)
            for weight, change in zip(weights, changes):
                weight += lr * change
    return (forward(weights, test_inputs)[-1].argmax(0) == test_classes).mean()


def losses(rate, seed=0, steps=60):
    """The loss of the same network, step by step, where each step is taken on all 120 training irises at once."""
    inputs, targets, _ = iris(seed)[0]
    rng, history = np.random.default_rng(seed), []
    weights = [rng.normal(0, rows**-0.5, (columns, rows)) for rows, columns in ((4, 8), (8, 3))]
    for _ in range(steps):
        history.append(0.5 * ((targets - forward(weights, inputs)[-1]) ** 2).sum(0).mean())
        for weight, change in zip(weights, backward(weights, inputs, targets)):
            weight += rate * change / inputs.shape[1]
    return history


def bce(outputs, targets):
    """The cross-entropy of yes or no for each output unit: its gradient in the hidden layers is the book's."""
    return nn.functional.binary_cross_entropy(outputs, targets, reduction="sum")


def main():
    chosen = options(__doc__, epochs=(60, 2, "passes over the flowers"), seeds=(5, 1, "how many seeds, from --seed on"))
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    difference = max(largest_difference(seed) for seed in seeds)
    words = []
    for lr in (0.1, 0.3):
        reached = {"gradient": [], "book": []}
        for seed in progress(seeds, f"rate {lr}", quiet=chosen.quiet):
            for way, shares in reached.items():
                shares.append(train(seed, chosen.epochs, lr, book=way == "book"))
                print(f"lr {lr}  seed {seed}  {way:8}  {shares[-1]:.1%} right")
        words.append(", ".join(f"{way} {np.mean(shares):.1%}" for way, shares in reached.items()) + f" (lr {lr})")
    result(
        f"by hand = by the engine to {difference:.0e}; right of 30 held-out irises, mean of {chosen.seeds} seeds: "
        + "; ".join(words)
    )


if __name__ == "__main__":
    main()
