"""One honest evaluation and one that leaks, side by side, twice: time that runs backwards, and copies on both sides.

Time: the sunspot number from the date alone. Dealt at random, the years before and after a test year were learned from;
in order of time, the test years are the last fifth, and only the past was. Beside them a model that deserves its
number: it forecasts a year from the eleven before it, and is judged against the forecast "as last year".

Copies: 200 digits, each five times, a little turned. Dealt at random, copies of a test digit were learned from; dealt
by digit (GroupKFold), none was.
"""

import numpy as np

from minigrad import arange, cat, exp, linspace, manual_seed, nn, no_grad, optim, stack, transforms
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits, load_sunspots
from minigrad.nn import functional as F
from minigrad.utils.data import GroupKFold, KFold

WINDOW = 11  # years, about one cycle of the sun
TEST = 61  # years
turned = transforms.RandomRotation(8, interpolation=transforms.InterpolationMode.BILINEAR)


def in_order(count):
    """(train, test) in order of time: the test part are the last 61 years, a fifth of all."""
    return np.arange(count - TEST), np.arange(count - TEST, count)


def at_random(count, seed):
    """(train, test) dealt at random, parts of the same sizes."""
    order = np.random.RandomState(seed).permutation(count)
    return np.sort(order[TEST:]), np.sort(order[:TEST])


def of_dates():
    """The date as 62 bumps, one each five years, (309, 62), and the sunspot numbers, (309,), in hundreds."""
    years, numbers = load_sunspots()
    centres = linspace(1700, 2008, 62)
    return exp(-(((years.unsqueeze(1) - centres) / 5) ** 2) / 2), numbers / 100


def of_windows():
    """The eleven years before, (298, 11), and the sunspot number of the year after, (298,), in hundreds."""
    numbers = load_sunspots().target / 100
    return stack([numbers[k : k + WINDOW] for k in range(len(numbers) - WINDOW)]), numbers[WINDOW:]


def fit(x, y, seed, loss=F.mse_loss, outputs=1, steps=400):
    """A network with one hidden layer, trained on all of ``(x, y)`` in each step."""
    manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(x[0].numel(), 64), nn.ReLU(), nn.Linear(64, outputs))
    optimizer = optim.Adam(model.parameters(), lr=0.005)
    for _ in range(steps):
        optimizer.zero_grad()
        loss(model(x).squeeze(1), y).backward()
        optimizer.step()
    return model


def forecast_error(x, y, train, test, seed, steps=400):
    """The mean absolute error on the test part, in sunspots."""
    model = fit(x[train], y[train], seed, steps=steps)
    with no_grad():
        return 100 * (model(x[test]).squeeze(1) - y[test]).abs().mean().item()


def copied_digits(seed, count=200, copies=5):
    """(x, y, which): digits, each some times, a little turned; `which` says of which digit each is a copy."""
    manual_seed(seed)
    images, labels = load_digits()
    chosen = np.random.RandomState(seed).permutation(len(images))[:count]
    x = cat([turned(image[None] / 16) for image in images[chosen] for _ in range(copies)])
    return x, labels[chosen].repeat_interleave(copies), arange(count).repeat_interleave(copies)


def digit_accuracy(x, y, train, test, seed, steps=400):
    """The share of the test part that is read rightly."""
    model = fit(x[train], y[train], seed, F.cross_entropy, 10, steps)
    with no_grad():
        return (model(x[test]).argmax(1) == y[test]).float().mean().item()


def of_copies(seed, honest, steps=400):
    """The accuracy on a fifth of the copied digits: a fifth of the digits if `honest`, else of the copies."""
    x, y, which = copied_digits(seed)
    folds = GroupKFold(5).split(x, groups=which) if honest else KFold(5, shuffle=True, random_state=seed).split(x)
    train, test = next(iter(folds))
    return digit_accuracy(x, y, train, test, seed, steps)


def main():
    chosen = options(__doc__, steps=(400, 40, "steps of Adam"), seeds=(5, 1, "how many seeds, from --seed on"))
    (dates, numbers), (windows, next_numbers) = of_dates(), of_windows()
    names = ("date, random", "date, in order", "window, in order", "copies, random", "copies, by digit")
    table = {name: [] for name in names}
    for seed in progress(range(chosen.seed, chosen.seed + chosen.seeds), "seeds", quiet=chosen.quiet):
        ways = [(dates, numbers, at_random(309, seed)), (dates, numbers, in_order(309))]
        ways.append((windows, next_numbers, in_order(298)))
        found = [forecast_error(x, y, *parts, seed, chosen.steps) for x, y, parts in ways]
        found += [100 * of_copies(seed, honest, chosen.steps) for honest in (False, True)]
        for name, value in zip(table, found):
            table[name].append(value)
    for name, values in table.items():
        print(f"{name:17} {np.mean(values):6.1f}   by seed {np.round(values, 1)}")
    _, test = in_order(298)
    naive = 100 * (next_numbers[test] - next_numbers[test - 1]).abs().mean().item()
    mean = {name: np.mean(values) for name, values in table.items()}
    result(
        f"sunspots by date: mean error {mean['date, random']:.0f} if dealt at random, {mean['date, in order']:.0f} in "
        f"order of time (as last year: {naive:.0f}, an honest network: {mean['window, in order']:.0f}); digits with "
        f"copies: {mean['copies, random']:.1f}% right at random, {mean['copies, by digit']:.1f}% by digit; "
        f"{chosen.seeds} seeds"
    )


if __name__ == "__main__":
    main()
