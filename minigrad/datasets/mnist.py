"""`MNIST` and its kin: 28×28 grey images of ten classes, in IDX files. (torchvision: torchvision.datasets.MNIST)

Comes after `download.py` and `vision.py`.
"""

from __future__ import annotations

import gzip
import math
import os
import zlib
from pathlib import Path
from typing import ClassVar

import numpy as np

from minigrad.datasets.download import check_integrity, download
from minigrad.datasets.vision import VisionDataset
from minigrad.tensor import wrap

__all__ = ["KMNIST", "MNIST", "FashionMNIST", "read_idx"]

_IDX_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path) -> np.ndarray:
    """The array of an IDX file, compressed by gzip (named ``.gz``) or not.

    The format: two zero bytes, a byte for the type, one for the number of dimensions, the dimensions as big-endian
    32-bit integers, then the elements, big-endian, last dimension fastest.

    Raises:
        ValueError: the file is damaged, or something else.
    """
    path = Path(path)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise ValueError(f"{path} is damaged: {error}. Delete it; download=True fetches it anew") from error
    dtype = _IDX_TYPES.get(data[2]) if len(data) >= 4 and data[:2] == b"\0\0" else None
    begin = 4 + 4 * data[3] if dtype else 0
    if dtype is None or len(data) < begin:
        raise ValueError(f"{path} is no IDX file: it begins with {data[:4]!r}")
    shape = np.frombuffer(data, ">u4", data[3], 4).tolist()
    expected = begin + math.prod(shape) * np.dtype(dtype).itemsize
    if len(data) != expected:
        raise ValueError(
            f"{path} is damaged: an IDX file of shape {tuple(shape)} has {expected} bytes, not {len(data)}"
        )
    array = np.frombuffer(data, dtype, offset=begin).reshape(shape)
    return array.astype(array.dtype.newbyteorder("="))


class MNIST(VisionDataset):
    """Handwritten digits: 60,000 to learn from and 10,000 to test with, 28×28, 0 (black) to 255 (white).
    (Y. LeCun, C. Cortes, C. Burges: The MNIST database of handwritten digits)

    Example `i` is ``(image, target)``: a uint8 ndarray of shape (28, 28) and an int. torchvision gives a PIL image;
    what `minigrad.transforms` makes of the one is what torchvision's transforms make of the other.

    Args:
        root (str | Path): the files are in ``root/MNIST/raw``, as torchvision has them, with or without ``.gz``.
        train (bool): the part to learn from, or the one to test with.
        transform (Callable, optional): of the image, e.g. ``transforms.ToTensor()``.
        target_transform (Callable, optional): of the target.
        download (bool): fetch the files if they are not there.

    Attributes:
        data (Tensor): all images, uint8 (n, 28, 28).
        targets (Tensor): all classes, int64 (n,).
        classes (list[str]): their names. class_to_idx (dict): the number of each name.

    Raises:
        RuntimeError: the files are not there, or could not be downloaded. ValueError: one is damaged.
    """

    mirrors: ClassVar = ["https://ossci-datasets.s3.amazonaws.com/mnist/", "http://yann.lecun.com/exdb/mnist/"]
    resources: ClassVar = [
        ("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
        ("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
        ("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
        ("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
    ]
    classes: ClassVar = [
        "0 - zero", "1 - one", "2 - two", "3 - three", "4 - four", "5 - five", "6 - six", "7 - seven", "8 - eight",
        "9 - nine",
    ]  # fmt: skip

    def __init__(self, root, train=True, transform=None, target_transform=None, download=False) -> None:
        super().__init__(root, transform=transform, target_transform=target_transform)
        self.train = train
        if download:
            self.download()
        missing = [name for name, _ in self.resources if self._path(name) is None]
        if missing:
            raise RuntimeError(
                f"Dataset not found: {', '.join(missing)} not in {self.raw_folder}. You can use download=True to "
                "download it"
            )
        self.data, self.targets = self._load()

    def _load(self):
        images, labels = (read_idx(self._path(name)) for name, _ in self.resources[0 if self.train else 2 :][:2])
        if images.dtype != np.uint8 or images.ndim != 3 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{self.raw_folder}: expected uint8 images of shape (n, height, width) and n labels, but got "
                f"{images.dtype} {images.shape} and {labels.shape}"
            )
        return wrap(images), wrap(labels.astype(np.int64))

    def _path(self, name):
        """The file of this name, or the one without ``.gz``; None if there is neither."""
        path = os.path.join(self.raw_folder, name)
        return next((p for p in (path.removesuffix(".gz"), path) if check_integrity(p)), None)

    def __getitem__(self, index):
        return self._transformed(self.data.array[index], int(self.targets.array[index]))

    def __len__(self) -> int:
        return len(self.data)

    @property
    def raw_folder(self) -> str:
        """Where the files are: ``root/NAME OF THE CLASS/raw``."""
        return os.path.join(self.root, type(self).__name__, "raw")

    @property
    def class_to_idx(self) -> dict[str, int]:
        """The number of each class by its name."""
        return {name: i for i, name in enumerate(self.classes)}

    def download(self) -> None:
        """Fetch the files that are not there."""
        for name, md5 in self.resources:
            if self._path(name) is None:
                download([mirror + name for mirror in self.mirrors], os.path.join(self.raw_folder, name), md5)

    def extra_repr(self) -> str:
        return f"Split: {'Train' if self.train else 'Test'}"


class FashionMNIST(MNIST):
    """Ten kinds of clothes, in the form of `MNIST`. (H. Xiao, K. Rasul, R. Vollgraf 2017, arXiv:1708.07747)

    Args, Attributes: as those of `MNIST`; the files are in ``root/FashionMNIST/raw``.
    """

    mirrors: ClassVar = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]
    resources: ClassVar = [
        ("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"),
        ("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"),
        ("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"),
        ("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"),
    ]
    classes: ClassVar = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]


class KMNIST(MNIST):
    """Ten cursive Japanese characters, in the form of `MNIST`. (T. Clanuwat et al. 2018, arXiv:1812.01718)

    Args, Attributes: as those of `MNIST`; the files are in ``root/KMNIST/raw``.
    """

    mirrors: ClassVar = ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"]
    resources: ClassVar = [
        ("train-images-idx3-ubyte.gz", "bdb82020997e1d708af4cf47b453dcf7"),
        ("train-labels-idx1-ubyte.gz", "e144d726b3acfaa3e44228e80efcd344"),
        ("t10k-images-idx3-ubyte.gz", "5c965bf0a639b31b8f53240b1b52f4d7"),
        ("t10k-labels-idx1-ubyte.gz", "7320c461ea6c1c855c0b718fb2a4b134"),
    ]
    classes: ClassVar = ["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]
