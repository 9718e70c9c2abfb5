"""What the demo can learn: the data, split once into what is trained on and what is only tested on, and a network."""

from __future__ import annotations

from dataclasses import dataclass

from minigrad import Generator, Tensor, manual_seed, nn
from minigrad.datasets import load_digits, load_iris
from minigrad.utils.data import TensorDataset, random_split


@dataclass
class Task:
    name: str
    subject: str  # what one example is, in the plural
    source: str
    labels: list[str]
    train: TensorDataset
    test: TensorDataset
    model: nn.Module
    architecture: str
    epochs: int
    batch_size: int
    learning_rate: float
    is_image: bool


def digits(seed: int) -> Task:
    """1,797 real scans of handwritten digits, 8×8, and a CNN of two convolutions."""
    data = load_digits()
    train, test = split(data.data.unsqueeze(1) / 16, data.target, tests=360, seed=seed)
    manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 16, kernel_size=3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, kernel_size=3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.25),
        nn.Linear(32 * 2 * 2, 10),
    )
    return Task(
        name="digits",
        subject="handwritten digits",
        source="UCI, Optical Recognition of Handwritten Digits (Alpaydin and Kaynak, 1998), CC BY 4.0",
        labels=data.target_names,
        train=train,
        test=test,
        model=model,
        architecture="a small CNN",
        epochs=15,
        batch_size=32,
        learning_rate=2e-3,
        is_image=True,
    )


def iris(seed: int) -> Task:
    """150 flowers, four measures each, three species, and two linear layers."""
    data = load_iris()
    (known, species), (unseen, unseen_species) = (part.tensors for part in split(*data, tests=30, seed=seed))
    mean, std = known.mean(dim=0), known.std(dim=0)  # of the training rows only: the test set stays unseen
    manual_seed(seed)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 3))
    return Task(
        name="iris",
        subject="iris flowers",
        source="UCI, Iris (Fisher, 1936), CC BY 4.0",
        labels=data.target_names,
        train=TensorDataset((known - mean) / std, species),
        test=TensorDataset((unseen - mean) / std, unseen_species),
        model=model,
        architecture="a small MLP",
        epochs=60,
        batch_size=16,
        learning_rate=1e-2,
        is_image=False,
    )


TASKS = {"digits": digits, "iris": iris}


def split(x: Tensor, y: Tensor, *, tests: int, seed: int) -> tuple[TensorDataset, TensorDataset]:
    """A training set and a test set of `tests` examples, drawn by `seed` alone."""
    generator = Generator().manual_seed(seed)
    parts = random_split(TensorDataset(x, y), [len(y) - tests, tests], generator=generator)
    train, test = (TensorDataset(x[part.indices], y[part.indices]) for part in parts)
    return train, test
