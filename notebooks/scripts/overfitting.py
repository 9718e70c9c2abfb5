"""Overfitting and its cures: a network learns 100 digits by heart, and each cure is tried alone.

The digits are cut in three. The network learns from 100; early stopping looks at 200 others, and so do the curves; the
loss that counts is that on 600 more, which nothing has looked at. All runs of a seed have the same digits, the same
first weights and the same number of passes. The strengths of the cures were chosen with the seeds 100 to 109.
"""

import numpy as np

from minigrad import cat, manual_seed, nn, randint, stack, tensor, train, transforms
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits
from minigrad.utils.data import Dataset, TensorDataset, train_test_split

moved = transforms.RandomAffine(
    degrees=10,
    translate=(1 / 8, 1 / 8),
    scale=(0.9, 1.1),
    shear=15,
    interpolation=transforms.InterpolationMode.BILINEAR,
)
shake = transforms.RandomApply([moved], p=0.5)  # half of the digits stay where they are: the real ones are centred

CURES = {
    "none": {},
    "dropout": {"dropout": 0.5},
    "batch norm": {"batch_norm": True},
    "L1 penalty": {"l1": 2e-4},
    "L2 penalty": {"l2": 1e-3},
    "early stopping": {"patience": 5},
    "augmentation": {"augment": shake},
    "more data": {"labelled": 400},
}
METRICS = ["accuracy", nn.functional.cross_entropy]  # beside the loss, which has the penalties in it


class Shaken(Dataset):
    """Digits that look a little different each time: one of `copies` that are made beforehand, which saves time."""

    def __init__(self, x, y, transform, copies):
        self.x = stack([cat([transform(image[None]) for image in x]) for _ in range(copies)])
        self.y = y

    def __len__(self):
        return len(self.y)

    def __getitem__(self, index):
        return self.x[randint(len(self.x), ()), index], self.y[index]

    def __getitems__(self, indices):  # a batch at once: what a loader asks for where it is there
        x = self.x[randint(len(self.x), (len(indices),)), tensor(indices)]
        return list(zip(x, self.y[tensor(indices)]))


def network(dropout=0.0, batch_norm=False, width=128):
    """64 pixels, two hidden layers, ten scores; without cures 26,122 parameters."""
    layers = [nn.Flatten()]
    for size in (64, width):
        layers.append(nn.Linear(size, width))
        if batch_norm:
            layers.append(nn.BatchNorm1d(width))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(width, 10))


def deal(seed, labelled=100):
    """The digits to learn from, 200 to look at meanwhile, 600 to judge by; each ``(x, y)``, x (N, 8, 8) from 0 to 1."""
    x, y = load_digits()
    x, judge_x, y, judge_y = train_test_split(x / 16, y, test_size=600, random_state=seed, stratify=y)
    x, look_x, y, look_y = train_test_split(x, y, test_size=200, random_state=seed, stratify=y)
    first, more, first_y, more_y = train_test_split(x, y, train_size=100, random_state=seed, stratify=y)
    learn = cat([first, more])[:labelled], cat([first_y, more_y])[:labelled]
    return learn, (look_x, look_y), (judge_x, judge_y)


def run(
    seed,
    epochs=120,
    *,
    labelled=100,
    dropout=0.0,
    batch_norm=False,
    l1=0.0,
    l2=0.0,
    patience=0,
    augment=None,
    copies=20,
    batch_size=50,
):
    """Trains once; `augment` is a transform. Gives the trainer, with its history, and the figures of the 600 digits.

    Figures are "accuracy", "cross_entropy", and "loss", which is the same and the penalty.
    """
    learn, look, judge = deal(seed, labelled)
    manual_seed(seed)
    model = network(dropout, batch_norm)
    trainer = train.Trainer(model, "Adam", "cross_entropy", METRICS, lr=0.003, l1=l1, l2=l2)
    data = Shaken(*learn, augment, copies) if augment else TensorDataset(*learn)
    stop = [train.EarlyStopping(patience=patience, restore_best_weights=True)] if patience else []
    # what is only looked at is one batch: [(x, y)]
    trainer.fit(data, epochs=epochs, batch_size=batch_size, validation_data=[look], callbacks=stop, verbose=0)
    return trainer, trainer.evaluate([judge])


def main():
    chosen = options(
        __doc__,
        epochs=(120, 15, "passes over the training part"),
        seeds=(5, 1, "how many seeds, from --seed on"),
    )
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    losses = {name: [] for name in CURES}
    for name, seed in progress([(name, seed) for name in CURES for seed in seeds], "runs", quiet=chosen.quiet):
        losses[name].append(run(seed, chosen.epochs, **CURES[name])[1]["cross_entropy"])
    plain = np.array(losses.pop("none"))
    print(f"{'none':15} {plain.mean():.3f}  {plain.round(2)}")
    for name, found in losses.items():
        print(f"{name:15} {np.mean(found):.3f}  {np.round(found, 2)}  lower in {np.sum(found < plain)} of {len(seeds)}")
    told = ", ".join(f"{name} {np.mean(found):.2f}" for name, found in losses.items())
    result(f"loss of 600 held-out digits, {len(seeds)} seeds, 100 labelled: {plain.mean():.2f} without a cure; {told}")


if __name__ == "__main__":
    main()
