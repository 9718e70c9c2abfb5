"""Softmax regression on the irises: four measures of a flower in, probabilities of three species out.

One layer and no hidden one. It is judged by 5-fold cross-validation: each flower is predicted once, by a model that
has not seen it; and all of it again for other seeds, which deal the flowers out anew.
"""

from minigrad import manual_seed, nn, no_grad, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_iris
from minigrad.utils.data import StratifiedKFold


class Standardize(nn.Module):
    """Each feature less its mean, over its standard deviation: those of the part that is learned from."""

    def __init__(self, x):
        super().__init__()
        self.register_buffer("mean", x.mean(0))
        self.register_buffer("std", x.std(0))

    def forward(self, x):
        return (x - self.mean) / self.std


def fit(x, y, steps=200, lr=0.1):
    """A model of (N, features) that gives scores (N, classes), one for each class in `y`; all data in each step."""
    model = nn.Sequential(Standardize(x), nn.Linear(x.shape[1], int(y.max()) + 1))
    optimizer = optim.Adam(model.parameters(), lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    return model


def held_out_probabilities(x, y, seed, steps=200, folds=5):
    """(N, classes): for each example the probabilities by the one model of five that was not trained on it."""
    manual_seed(seed)
    probabilities = x.new_zeros(len(x), int(y.max()) + 1)
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        model = fit(x[train], y[train], steps)
        with no_grad():
            probabilities[test] = model(x[test]).softmax(1)
    return probabilities


def accuracy(probabilities, y):
    """The share of examples whose most probable class is the right one."""
    return (probabilities.argmax(1) == y).float().mean().item()


def main():
    chosen = options(
        __doc__,
        steps=(200, 40, "steps of Adam, each over all flowers of the training part"),
        seeds=(5, 1, "how often the flowers are dealt into folds anew"),
    )
    x, y = load_iris()
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    found = []
    for seed in progress(seeds, "seeds", quiet=chosen.quiet):
        found.append(accuracy(held_out_probabilities(x, y, seed, chosen.steps), y))
        print(f"seed {seed}: {found[-1]:.1%} of {len(x)} flowers, each held out once")
    spread = f"{len(found)} seeds: {min(found):.1%} to {max(found):.1%}"
    result(f"{sum(found) / len(found):.1%} of the irises by 5-fold cross-validation ({spread}); by chance 33.3%")


if __name__ == "__main__":
    main()
