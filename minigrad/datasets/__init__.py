"""Data sets: small real ones that come with minigrad, and readers of well-known ones.

x, y = load_digits()                        # x: float32 (1797, 8, 8), y: int64 (1797,); no network, no download
TensorDataset(*load_iris())                 # for a DataLoader
MNIST("data", transform=ToTensor(), download=True)

bundled.py   digits, irises and sunspots; sources and licences (CC BY 4.0, public domain) stand in ``data/README.md``
download.py  files from the network, checked
vision.py    what data sets of images have in common, under torchvision's names
mnist.py     MNIST, FashionMNIST, KMNIST
cifar.py     CIFAR10, CIFAR100
folder.py    pictures in folders
toy.py       points made by a formula
topics.py    a text: the help on the language that every Python carries
"""

from minigrad.datasets.bundled import Bundle, load_digits, load_iris, load_sunspots
from minigrad.datasets.cifar import CIFAR10, CIFAR100
from minigrad.datasets.folder import DatasetFolder, ImageFolder
from minigrad.datasets.mnist import KMNIST, MNIST, FashionMNIST
from minigrad.datasets.topics import load_topics
from minigrad.datasets.toy import make_moons
from minigrad.datasets.vision import VisionDataset

__all__ = [
    "CIFAR10", "CIFAR100", "KMNIST", "MNIST", "Bundle", "DatasetFolder", "FashionMNIST", "ImageFolder", "VisionDataset",
    "load_digits", "load_iris", "load_sunspots", "load_topics", "make_moons",
]  # fmt: skip
