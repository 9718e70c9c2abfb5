"""`CIFAR10` and `CIFAR100`: 32×32 colour images, in pickles that are read without trusting them.
(torchvision: torchvision.datasets.CIFAR10)

Comes after `download.py` and `vision.py`.
"""

from __future__ import annotations

import os
import pickle
from typing import ClassVar

import numpy as np
from numpy._core.multiarray import _reconstruct

from minigrad.datasets.download import check_integrity, download, extract_tar
from minigrad.datasets.vision import VisionDataset

__all__ = ["CIFAR10", "CIFAR100"]


def _numeric_dtype(name, align=False, copy=False):
    dtype = np.dtype(name)
    if dtype.kind not in "biuf":
        raise pickle.UnpicklingError(f"an array of dtype {name!r}")
    return dtype


def _latin1(text, encoding):
    """How Python 2's strings are written by Python 3."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"a string encoded as {encoding!r}")
    return text.encode("latin1")


class _ArraysOnly(pickle.Unpickler):
    """Reads dicts, lists, strings, numbers and arrays of numbers; whatever else a pickle names, it does not get."""

    ADMITTED: ClassVar = {
        ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): _numeric_dtype,
        ("_codecs", "encode"): _latin1,
    }

    def find_class(self, module, name):
        try:
            return self.ADMITTED[module, name]
        except KeyError:
            raise pickle.UnpicklingError(f"{module}.{name}, which no such data set needs") from None


def read_batch(path) -> dict:
    """The dict of one file of the data set.

    Raises:
        ValueError: the file is damaged, or holds something else than a dict of arrays, lists, strings and numbers.
    """
    try:
        with open(path, "rb") as file:
            entry = _ArraysOnly(file, encoding="latin1").load()
    except OSError:
        raise
    except Exception as error:  # a damaged pickle may raise anything
        raise ValueError(f"{path} is damaged or no CIFAR file: {error or type(error).__name__}") from error
    if not isinstance(entry, dict):
        raise ValueError(f"{path} is no CIFAR file: expected a dict, but it holds a {type(entry).__name__}")
    return entry


class CIFAR10(VisionDataset):
    """Small photographs of ten classes: 50,000 to learn from and 10,000 to test with, 32×32, red, green, blue.
    (A. Krizhevsky: Learning Multiple Layers of Features from Tiny Images, 2009)

    Example `i` is ``(image, target)``: a uint8 ndarray of shape (32, 32, 3) and an int. torchvision gives a PIL image;
    what `minigrad.transforms` makes of the one is what torchvision's transforms make of the other.

    Args:
        root (str | Path): the files are in ``root/cifar-10-batches-py``, as torchvision has them.
        train (bool): the part to learn from, or the one to test with.
        transform (Callable, optional): of the image, e.g. ``transforms.ToTensor()``.
        target_transform (Callable, optional): of the target.
        download (bool): fetch the archive and unpack it if the files are not there.

    Attributes:
        data (ndarray): all images, uint8 (n, 32, 32, 3).
        targets (list[int]): all classes.
        classes (list[str]): their names. class_to_idx (dict): the number of each name.

    Raises:
        RuntimeError: the files are not there, have the wrong checksum, or could not be downloaded.
        ValueError: one holds something else.
    """

    base_folder = "cifar-10-batches-py"
    mirrors: ClassVar = ["https://www.cs.toronto.edu/~kriz/"]
    filename = "cifar-10-python.tar.gz"
    tgz_md5 = "c58f30108f718f92721af3b95e74349a"
    train_list: ClassVar = [
        ["data_batch_1", "c99cafc152244af753f735de768cd75f"],
        ["data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"],
        ["data_batch_3", "54ebc095f3ab1f0389bbae665268c751"],
        ["data_batch_4", "634d18415352ddfa80567beed471001a"],
        ["data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"],
    ]
    test_list: ClassVar = [["test_batch", "40351d587109b95175f43aff81a1287e"]]
    meta: ClassVar = {"filename": "batches.meta", "key": "label_names", "md5": "5ff9c542aee3614f3951f8cda6e48888"}

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        missing = self._missing()
        if missing:
            raise RuntimeError(
                f"Dataset not found or corrupted: {', '.join(missing)} in {self._path('')}. "
                "You can use download=True to download it"
            )
        parts = [self._part(name) for name, _ in (self.train_list if train else self.test_list)]
        pixels = np.concatenate([data for data, _ in parts]).reshape(-1, 3, 32, 32)
        self.data = np.ascontiguousarray(pixels.transpose(0, 2, 3, 1))
        self.targets = [label for _, labels in parts for label in labels]
        self.classes = read_batch(self._path(self.meta["filename"]))[self.meta["key"]]
        self.class_to_idx = {name: i for i, name in enumerate(self.classes)}

    def _part(self, name):
        """The pixels, uint8 (n, 3072), and the labels of one file."""
        entry = read_batch(self._path(name))
        data, labels = entry.get("data"), entry.get("labels", entry.get("fine_labels"))
        whole = isinstance(data, np.ndarray) and data.dtype == np.uint8 and data.ndim == 2 and data.shape[1] == 3072
        if not whole or not isinstance(labels, list) or len(labels) != len(data):
            raise ValueError(
                f"{self._path(name)} is no CIFAR file: expected uint8 data of shape (n, 3072) and n labels"
            )
        return data, labels

    def _path(self, name):
        return os.path.join(self.root, self.base_folder, name)

    def _missing(self):
        files = [*self.train_list, *self.test_list, (self.meta["filename"], self.meta["md5"])]
        return [name for name, md5 in files if not check_integrity(self._path(name), md5)]

    def __getitem__(self, index):
        return self._transformed(self.data[index], self.targets[index])

    def __len__(self) -> int:
        return len(self.data)

    def download(self) -> None:
        """Fetch the archive and unpack it, if a file is not there or has the wrong checksum."""
        if self._missing():
            archive = os.path.join(self.root, self.filename)
            extract_tar(download([mirror + self.filename for mirror in self.mirrors], archive, self.tgz_md5), self.root)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class CIFAR100(CIFAR10):
    """As `CIFAR10`, with a hundred classes of 600 images each.

    Args, Attributes: as those of `CIFAR10`; the files are in ``root/cifar-100-python``.
    """

    base_folder = "cifar-100-python"
    filename = "cifar-100-python.tar.gz"
    tgz_md5 = "eb9058c3a382ffc7106e4002c42a8d85"
    train_list: ClassVar = [["train", "16019d7e3df5f24257cddd939b257f8d"]]
    test_list: ClassVar = [["test", "f0ef6b0ae62326f3e7ffdfab6717acfc"]]
    meta: ClassVar = {"filename": "meta", "key": "fine_label_names", "md5": "7973b15100ade9c7d40fb424638fde48"}
