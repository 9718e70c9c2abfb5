"""Transfer learning: a network that knows the digits 0 to 4 learns 5 to 9 from 50 labelled pictures.

    python notebooks/scripts/transfer_learning.py
    python notebooks/scripts/transfer_learning.py --side 8      # digits that fill their picture: nothing to gain

The digits stand anywhere in pictures of 16×16 (`place`). From scratch, or with what was learnt from 0 to 4, at three
depths: a new head on frozen layers; the upper layer as well; everything.
"""

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits
from minigrad.utils.data import DataLoader, TensorDataset

FIRST_TRAINED = {"scratch": 0, "head": 3, "upper": 2, "full": 0}  # the stages of `make_model` before it are frozen
NAMES = {"scratch": "from scratch", "head": "head only", "upper": "upper layers", "full": "full fine-tuning"}


def place(images, side):
    """Puts each picture (8×8) somewhere into an empty one: (N, 1, side, side)."""
    placed = minigrad.zeros(len(images), 1, side, side)
    for k, (row, column) in enumerate(minigrad.randint(0, side - 7, (len(images), 2)).tolist()):
        placed[k, 0, row : row + 8, column : column + 8] = images[k]
    return placed


def digits(classes, side, copies=1):
    """Pictures and labels (from 0) of some of the digits, each `copies` times, at places of their own."""
    images, labels = load_digits()
    chosen = (labels >= classes[0]) & (labels <= classes[-1])
    images, labels = (minigrad.cat([part[chosen]] * copies) for part in (images / 16, labels - classes[0]))
    return place(images, side), labels


def split(labels, per_class):
    """(indices of `per_class` examples of each class, indices of all others)."""
    chosen = []
    for k in range(5):
        members = (labels == k).nonzero().flatten()
        chosen.append(members[minigrad.randperm(len(members))[:per_class]])
    chosen = minigrad.cat(chosen)
    others = minigrad.ones(len(labels)).bool()
    others[chosen] = False
    return chosen, others.nonzero().flatten()


def stage(channels, filters):
    return [nn.Conv2d(channels, filters, kernel_size=3, padding=1), nn.BatchNorm2d(filters), nn.ReLU()]


def make_model(side=16):
    """Four stages: strokes, parts, larger parts, and the head that decides among five classes."""
    return nn.Sequential(
        nn.Sequential(*stage(1, 16), nn.MaxPool2d(2)),
        nn.Sequential(*stage(16, 32), nn.MaxPool2d(2)),
        nn.Sequential(*stage(32, 32), nn.Flatten()),
        nn.Linear(32 * (side // 4) ** 2, 5),
    )


def pretrain(seed, side=16, epochs=4):
    """A network that tells 0 to 4 apart, wherever they stand."""
    minigrad.manual_seed(seed)
    model = make_model(side)
    optimizer = optim.Adam(model.parameters(), lr=0.003)
    loader = DataLoader(TensorDataset(*digits(range(5), side, copies=4)), batch_size=64, shuffle=True)
    for _ in range(epochs):
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return model


def transferred(source, how, side=16):
    """A model with a new head; but for "scratch" with the lower stages of `source`, those not to be trained frozen."""
    model = make_model(side)
    if how != "scratch":
        for k in range(3):
            model[k].load_state_dict(source[k].state_dict())
    for frozen in model[: FIRST_TRAINED[how]]:
        frozen.requires_grad_(False)
    return model


def fine_tune(model, how, x, y, x_test, y_test, steps=60, every=10):
    """Trains what is not frozen on (x, y), all at once in each step; the share of the test right, every some steps."""
    optimizer = optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    curve = []
    for step in range(steps):
        model.train()
        model[: FIRST_TRAINED[how]].eval()  # frozen batch norms keep their mean and spread
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % every == 0:
            model.eval()
            with minigrad.no_grad():
                curve.append((model(x_test).argmax(dim=1) == y_test).float().mean().item())
    return curve


def compare(seed, labels=50, side=16, steps=60, every=60, source=None, ways=tuple(FIRST_TRAINED)):
    """{way: shares of the test right}, all from the same labelled pictures, steps and learning rate."""
    source = pretrain(seed, side) if source is None else source
    minigrad.manual_seed(seed)
    x, y = digits(range(5, 10), side)
    known, test = split(y, labels // 5)
    found = {}
    for way in ways:
        minigrad.manual_seed(seed)
        model = transferred(source, way, side)
        found[way] = fine_tune(model, way, x[known], y[known], x[test], y[test], steps, every)
    return found


def main():
    chosen = options(
        __doc__,
        labels=(50, 50, "labelled pictures of 5 to 9, a fifth of each"),
        side=(16, 8, "width of the pictures; 8: the digits as they are"),
        steps=(60, 5, "steps of training on them"),
        seeds=(5, 1, "how many runs, with the seeds from --seed on"),
    )
    runs = []
    for seed in progress(range(chosen.seed, chosen.seed + chosen.seeds), "seeds", quiet=chosen.quiet):
        source = pretrain(seed, chosen.side, epochs=1 if chosen.short else 4)
        found = compare(seed, chosen.labels, chosen.side, chosen.steps, chosen.steps, source)
        runs.append({way: 100 * curve[-1] for way, curve in found.items()})
        print(f"seed {seed}: " + ", ".join(f"{NAMES[way]} {share:.1f}%" for way, share in runs[-1].items()))
    means = ", ".join(f"{NAMES[way]} {sum(run[way] for run in runs) / len(runs):.1f}%" for way in FIRST_TRAINED)
    gains = [run["full"] - run["scratch"] for run in runs]
    result(f"{chosen.labels} labels, {896 - chosen.labels} held-out digits: {means} "
           f"(seeds: {len(runs)}; full over scratch: {min(gains):+.1f} to {max(gains):+.1f})")  # fmt: skip


if __name__ == "__main__":
    main()
