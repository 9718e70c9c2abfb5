"""Which loss for what: typing errors in the targets, and a classifier that starts out sure and wrong.

typos   petal width from petal length (Iris). In some training targets the decimal point slipped by one place.
        Fitted with one loss or another, and judged on flowers without such errors
sure    digits, from a start that gives class 0 nearly all probability: cross-entropy against squared error
"""

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits, load_iris
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset

DISTANCES = {"MSE": nn.MSELoss, "MAE": nn.L1Loss, "Huber": lambda: nn.HuberLoss(delta=0.2)}
HELD_OUT_FLOWERS, HELD_OUT_DIGITS = 50, 360


def flowers(seed, share):
    """(petal lengths, petal widths, those held out): 100 flowers, a share of whose widths is ten times too large, and
    50 without errors; (N, 1) each, in cm."""
    order = minigrad.randperm(150, generator=minigrad.Generator().manual_seed(seed))
    length, width = load_iris().data[order][:, 2:].split(1, dim=1)
    x, y = length[HELD_OUT_FLOWERS:], width[HELD_OUT_FLOWERS:].clone()
    y[: round(share * len(y))] *= 10
    return x, y, length[:HELD_OUT_FLOWERS], width[:HELD_OUT_FLOWERS]


def line(loss, x, y, steps=400):
    """A straight line fitted with a loss: full-batch Adam, with a rate that falls to 0."""
    model = nn.Linear(1, 1)
    optimizer = optim.Adam(model.parameters(), lr=0.1)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()
        schedule.step()
    return model


def error_after_typos(loss, seed, share=0.1):
    """How far, in cm, predictions are off on held-out flowers on average, after a fit to targets with typing errors."""
    minigrad.manual_seed(seed)
    x, y, new_x, new_y = flowers(seed, share)
    model = line(loss, x, y)
    with minigrad.no_grad():
        return F.l1_loss(model(new_x), new_y).item()


def squared_error(logits, labels):
    """The squared distance of softmax's probabilities from the one-hot vectors, per example."""
    return (logits.softmax(1) - F.one_hot(labels, 10)).square().sum(1).mean()


CLASSIFIERS = {"cross-entropy": F.cross_entropy, "squared error": squared_error}


def digits_after(loss, seed, epochs, sure=10.0, lr=0.1):
    """Accuracy on 360 held-out digits of a network whose output for class 0 began with a bias of `sure`."""
    minigrad.manual_seed(seed)
    images, labels = load_digits()
    order = minigrad.randperm(len(labels), generator=minigrad.Generator().manual_seed(seed))
    images, labels = images.flatten(1)[order] / 16, labels[order]
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    with minigrad.no_grad():
        model[2].bias[0] = sure
    optimizer = optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    data = TensorDataset(images[HELD_OUT_DIGITS:], labels[HELD_OUT_DIGITS:])
    for _ in range(epochs):
        for x, y in DataLoader(data, batch_size=64, shuffle=True):
            optimizer.zero_grad()
            loss(model(x), y).backward()
            optimizer.step()
    with minigrad.no_grad():
        return (model(images[:HELD_OUT_DIGITS]).argmax(1) == labels[:HELD_OUT_DIGITS]).float().mean().item()


def main():
    chosen = options(__doc__, seeds=(5, 1, "how many seeds, from --seed on"), epochs=(10, 1, "passes over the digits"),
                     share=(0.1, 0.1, "share of the targets with a typing error, 0 to 1"))  # fmt: skip
    errors, shares = {}, {}
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    print(f"mean error on {HELD_OUT_FLOWERS} held-out flowers, in cm; {chosen.share:.0%} of the training targets wrong")
    for name, loss in progress(DISTANCES.items(), "flowers", quiet=chosen.quiet):
        found = [error_after_typos(loss(), seed, chosen.share) for seed in seeds]
        errors[name] = sum(found) / len(found)
        print(f"  {name:13}", *(f"{error:6.3f}" for error in found))
    print(f"accuracy on {HELD_OUT_DIGITS} held-out digits, from a fair start and from one that was sure of class 0")
    for name, loss in progress(CLASSIFIERS.items(), "digits", quiet=chosen.quiet):
        for start, sure in (("fair", 0.0), ("sure", 10.0)):
            found = [digits_after(loss, seed, chosen.epochs, sure) for seed in seeds]
            shares[name] = sum(found) / len(found)
            print(f"  {name:13} {start}", *(f"{share:6.1%}" for share in found))
    result(
        f"{chosen.share:.0%} wrong targets, mean error on {HELD_OUT_FLOWERS} held-out flowers, {chosen.seeds} seeds: "
        + ", ".join(f"{name} {error:.2f} cm" for name, error in errors.items())
        + f"; from a sure and wrong start, {HELD_OUT_DIGITS} held-out digits: "
        + ", ".join(f"{name} {share:.1%}" for name, share in shares.items())
    )


if __name__ == "__main__":
    main()
