"""Convolution: a small convolutional network reads handwritten digits.

python notebooks/scripts/convolution.py                                       # the digits that come with minigrad
python notebooks/scripts/convolution.py --data mnist --folder data --seeds 1  # MNIST, where it already lies in data/
"""

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import MNIST, load_digits
from minigrad.utils.data import DataLoader, TensorDataset, random_split


def out_size(n, kernel, padding=0, stride=1):
    """How many places a window has: floor((n + 2·padding - kernel) / stride) + 1."""
    return (n + 2 * padding - kernel) // stride + 1


def windows(image, size, padding=0, stride=1):
    """Every place of a window over an image (H, W), row by row: (rows, columns, size, size)."""
    image = np.pad(image, padding)
    rows, columns = (out_size(n, size, 0, stride) for n in image.shape)
    return np.array([
        [image[i * stride : i * stride + size, j * stride : j * stride + size] for j in range(columns)]
        for i in range(rows)
    ])  # fmt: skip


def convolve(image, kernel, padding=0, stride=1):
    """What nn.Conv2d does with one channel and one filter: at each place the sum of window × filter."""
    return (windows(image, len(kernel), padding, stride) * kernel).sum(axis=(2, 3))


def pool(image, size, how):
    """What is left of each size×size tile: `how` is np.max, np.mean or np.min."""
    return how(windows(image, size, stride=size), axis=(2, 3))


def receptive_field(layers):
    """How wide the square of pixels is that one output sees, through layers of (kernel, stride)."""
    field, step = 1, 1
    for kernel, stride in layers:
        field += (kernel - 1) * step
        step *= stride
    return field


def block(channels, filters):
    """A convolution that keeps the picture's size, batch normalisation, ReLU."""
    return [nn.Conv2d(channels, filters, kernel_size=3, padding=1), nn.BatchNorm2d(filters), nn.ReLU()]


def make_model(side=8):
    """Pictures (N, 1, side, side) to ten scores; two poolings halve the side twice."""
    return nn.Sequential(
        *block(1, 32), *block(32, 32), nn.MaxPool2d(2), *block(32, 64), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(64 * (side // 4) ** 2, 10),
    )  # fmt: skip


def load(data="digits", folder="data", images=10_000):
    """(training part, test part). The digits have no test part of their own: 360 of the 1,797 are held out, by the
    seed of the moment. Of MNIST: the first `images` for training, all 10,000 test images for the test."""
    if data == "mnist":
        parts = [MNIST(folder, train=train) for train in (True, False)]
        tensors = [((part.data / 255).unsqueeze(1), part.targets) for part in parts]
        (x, y), test = tensors
        return TensorDataset(x[:images], y[:images]), TensorDataset(*test)
    x, y = load_digits()
    whole = TensorDataset((x / 16).unsqueeze(1), y)
    held_out, train = random_split(whole, [360, len(y) - 360])
    return train, held_out


def fit(model, train, epochs, rate=0.006, quiet=True):
    """Trains in place, with Adam and one cycle of the learning rate; the loss of each epoch."""
    loader = DataLoader(train, batch_size=32, shuffle=True)
    optimizer = optim.Adam(model.parameters())
    schedule = optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=epochs * len(loader))
    history = []
    model.train()
    for _ in progress(range(epochs), "epochs", quiet=quiet):
        losses = []
        for x, y in loader:
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            losses.append(loss.item())
        history.append(sum(losses) / len(losses))
    return history


def predict(model, images, batch_size=500):
    """The class of each picture."""
    model.eval()
    with minigrad.no_grad():
        return minigrad.cat([model(part).argmax(dim=1) for part in images.split(batch_size)])


def accuracy(model, part):
    """The share of a part (a data set, or a piece of one) that is recognised."""
    x, y = next(iter(DataLoader(part, batch_size=len(part))))
    return (predict(model, x) == y).float().mean().item()


def run(seed, epochs=12, data="digits", folder="data", images=10_000, quiet=True):
    """Splits, builds and trains by one seed: (model, test part, its accuracy)."""
    minigrad.manual_seed(seed)
    train, test = load(data, folder, images)
    model = make_model(side=train[0][0].shape[-1])
    fit(model, train, epochs, quiet=quiet)
    return model, test, accuracy(model, test)


def main():
    chosen = options(
        __doc__,
        epochs=(12, 1, "passes over the training part"),
        seeds=(5, 1, "how many runs, each with its own split and weights"),
        data=(("digits", "mnist"), "digits", "what is read"),
        folder=("data", "data", "where MNIST lies"),
        images=(10_000, 10_000, "how many of MNIST's training images are used"),
    )
    scores = []
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        _, test, score = run(seed, chosen.epochs, chosen.data, chosen.folder, chosen.images, chosen.quiet)
        scores.append(score)
        print(f"seed {seed}: {100 * score:.1f}% of {len(test)} held-out images")
    mean, low, high = (100 * x for x in (sum(scores) / len(scores), min(scores), max(scores)))
    name = {"digits": "digits", "mnist": "MNIST images"}[chosen.data]
    result(f"{mean:.1f}% of {len(test)} held-out {name} (seeds: {chosen.seeds}, {low:.1f} to {high:.1f})")


if __name__ == "__main__":
    main()
