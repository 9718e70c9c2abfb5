"""Digits by hand: the network of note 003, in NumPy alone and in minigrad, with the same numbers.

    python notebooks/scripts/digits_by_hand.py
    python notebooks/scripts/digits_by_hand.py --hidden 100 --epochs 20

Sigmoids, weights ~ N(0, 1/√fan_in), inputs scaled to 0.01 … 1, targets 0.01 and 0.99, squared error, one picture at a
time. No bias, as in the note.
"""

import itertools

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def load(seed, margin=0.01):
    """(x, labels, targets) to learn from, 1,437 digits, and the same of 360 held out; float64, a picture a row.

    Inputs go from `margin` to 1, targets are `margin` and 1 - `margin`.
    """
    images, labels = load_digits()
    x = (images.flatten(1) / 16 * (1 - margin) + margin).double()
    targets = margin + (1 - 2 * margin) * nn.functional.one_hot(labels, 10).double()
    order = minigrad.randperm(len(x), generator=minigrad.Generator().manual_seed(seed))
    held_out, train = order[:360], order[360:]
    return [tuple(part[which].numpy() for part in (x, labels, targets)) for which in (train, held_out)]


def initial(seed, sizes=(64, 100, 10), same=False, spread=None):
    """A weight matrix for each step between layers, (to, from): from N(0, 1/√fan_in), or all of one number (`same`).

    `spread` is another standard deviation in place of 1/√fan_in.
    """
    numbers = np.random.default_rng(seed)
    pairs = list(itertools.pairwise(sizes))
    if same:
        return [np.full((fan_out, fan_in), fan_in**-0.5) for fan_in, fan_out in pairs]
    return [numbers.normal(0.0, spread or fan_in**-0.5, (fan_out, fan_in)) for fan_in, fan_out in pairs]


def forward(weights, inputs):
    """The output of every layer, the inputs first: columns, a picture each."""
    outputs = [inputs]
    for w in weights:
        outputs.append(sigmoid(w @ outputs[-1]))
    return outputs


def step_by_hand(weights, inputs, targets, rate, exact=True):
    """One picture (columns): forward, the errors of all layers, ΔW = rate · E·O(1−O) · Oᵀ for each. In place.

    Exact, the error of a layer is the chain rule's, Wᵀ (E·O(1−O)): this descends ½ Σ (T − O)². The note shares
    the error out by the weights alone, Wᵀ E, without the slope of the layer above.
    """
    outputs = forward(weights, inputs)
    error = targets - outputs[-1]
    for k in reversed(range(len(weights))):
        slope = error * outputs[k + 1] * (1 - outputs[k + 1])
        error = weights[k].T @ (slope if exact else error)
        weights[k] += rate * slope @ outputs[k].T


def train_by_hand(
    seed, epochs=20, rate=0.2, hidden=100, *, same=False, spread=None, margin=0.01, exact=True, quiet=True
):
    """(weights, the share of held-out digits right after each epoch), picture by picture in the order of the data."""
    (x, _, targets), (x_test, labels, _) = load(seed, margin)
    weights, curve = initial(seed, (64, hidden, 10), same, spread), []
    for _ in progress(range(epochs), f"seed {seed}", quiet=quiet):
        for inputs, wanted in zip(x, targets):
            step_by_hand(weights, inputs[:, None], wanted[:, None], rate, exact)
        curve.append(float((forward(weights, x_test.T)[-1].argmax(axis=0) == labels).mean()))
    return weights, curve


def make_model(weights):
    """The same network in minigrad, from weights made by hand."""
    layers = []
    for w in weights:
        layers += [nn.Linear(w.shape[1], w.shape[0], bias=False, dtype=minigrad.float64), nn.Sigmoid()]
        with minigrad.no_grad():
            layers[-2].weight.copy_(minigrad.from_numpy(w))
    return nn.Sequential(*layers)


def train_by_engine(model, x, targets, rate=0.2):
    """One pass over the pictures, with autograd and SGD in place of the formulas."""
    optimizer = optim.SGD(model.parameters(), lr=rate)
    for inputs, wanted in zip(minigrad.from_numpy(x), minigrad.from_numpy(targets)):
        loss = 0.5 * nn.functional.mse_loss(model(inputs), wanted, reduction="sum")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model


def main():
    chosen = options(
        __doc__,
        epochs=(20, 1, "passes over the training part"),
        hidden=(100, 100, "hidden neurons"),
        rate=(0.2, 0.2, "the learning rate"),
        seeds=(5, 1, "how many runs, with the seeds from --seed on"),
    )
    shares = []
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        _, curve = train_by_hand(seed, chosen.epochs, chosen.rate, chosen.hidden, quiet=chosen.quiet)
        shares.append(100 * curve[-1])
        print(f"seed {seed}: {shares[-1]:.1f}% of 360 held-out digits")
    weights, model = initial(chosen.seed), make_model(initial(chosen.seed))
    (x, _, targets), _ = load(chosen.seed)
    for inputs, wanted in zip(x[:200], targets[:200]):
        step_by_hand(weights, inputs[:, None], wanted[:, None], chosen.rate)
    train_by_engine(model, x[:200], targets[:200], chosen.rate)
    apart = max(np.abs(layer.weight.detach().numpy() - w).max() for layer, w in zip(model[::2], weights))
    _, same = train_by_hand(chosen.seed, chosen.epochs, chosen.rate, chosen.hidden, same=True)
    spread = f"(seeds: {len(shares)}, {min(shares):.1f} to {max(shares):.1f})"
    result(
        f"{np.mean(shares):.1f}% of 360 held-out digits {spread}; all weights alike: {100 * same[-1]:.1f}%; "
        f"NumPy and minigrad apart by {apart:.0e} after 200 steps"
    )


if __name__ == "__main__":
    main()
