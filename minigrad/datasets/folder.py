"""`ImageFolder`: pictures in folders named for their classes. (torchvision: torchvision.datasets.ImageFolder)"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from minigrad.datasets.vision import VisionDataset

__all__ = ["IMG_EXTENSIONS", "DatasetFolder", "ImageFolder", "default_loader"]

IMG_EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")


def default_loader(path) -> np.ndarray:
    """The picture of a file: uint8 (height, width, 3). Needs Pillow: ``pip install "minigrad[images]"``."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('reading picture files needs Pillow: pip install "minigrad[images]"') from None
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


class DatasetFolder(VisionDataset):
    """Files in folders that are named for their classes: ``root/CLASS/.../FILE``.

    Args:
        root (str | Path): the folder of the classes' folders.
        loader (Callable): makes an example of a path.
        extensions (tuple[str], optional): which files count, by the ends of their names, whatever their case.
        transform (Callable, optional): of what the loader gives.
        target_transform (Callable, optional): of the number of the class.
        is_valid_file (Callable, optional): says of a path whether it counts; instead of `extensions`.
        allow_empty (bool): whether a class may have no files.

    Attributes:
        classes (list[str]): the folders' names, sorted. class_to_idx (dict): the number of each name.
        samples (list[tuple[str, int]]): path and class of each example, sorted. targets (list[int]): the classes alone.

    Raises:
        FileNotFoundError: there are no folders, or one without files. ValueError: not exactly one way to choose files.
    """

    def __init__(
        self, root, loader, extensions=None, transform=None, target_transform=None, is_valid_file=None,
        allow_empty=False,
    ) -> None:  # fmt: skip
        super().__init__(root, transform=transform, target_transform=target_transform)
        if (extensions is None) == (is_valid_file is None):
            raise ValueError("Both extensions and is_valid_file cannot be None or not None at the same time")
        self.classes, self.class_to_idx = self.find_classes(self.root)
        self.loader = loader
        self.extensions = extensions
        counts = is_valid_file or (lambda path: path.lower().endswith(tuple(extensions)))
        self.samples = [
            (str(path), label)
            for name, label in sorted(self.class_to_idx.items())
            for folder, _, files in sorted(os.walk(Path(self.root, name), followlinks=True))
            for path in [os.path.join(folder, file) for file in sorted(files)]
            if counts(path)
        ]
        self.targets = [label for _, label in self.samples]
        empty = sorted(name for name, label in self.class_to_idx.items() if label not in set(self.targets))
        if empty and not allow_empty:
            what = f" Supported extensions are: {', '.join(extensions)}" if extensions else ""
            raise FileNotFoundError(f"Found no valid file for the classes {', '.join(empty)}.{what}")

    def find_classes(self, directory) -> tuple[list[str], dict[str, int]]:
        """The classes of a folder: names, and number by name. To be overridden for other orders."""
        names = sorted(entry.name for entry in os.scandir(directory) if entry.is_dir())
        if not names:
            raise FileNotFoundError(f"Couldn't find any class folder in {directory}.")
        return names, {name: i for i, name in enumerate(names)}

    def __getitem__(self, index):
        path, target = self.samples[index]
        return self._transformed(self.loader(path), target)

    def __len__(self) -> int:
        return len(self.samples)


class ImageFolder(DatasetFolder):
    """Pictures in folders that are named for their classes: ``root/cat/1.png``, ``root/dog/2.jpg``.

    Example `i` is ``(image, target)``: a uint8 ndarray (height, width, 3) and the number of the class. Reading needs
    Pillow.

    Args:
        root, transform, target_transform, is_valid_file, allow_empty: see `DatasetFolder`.
        loader (Callable): makes an example of a path.

    Attributes:
        imgs (list[tuple[str, int]]): `samples`; the others as those of `DatasetFolder`.
    """

    def __init__(
        self, root, transform=None, target_transform=None, loader=default_loader, is_valid_file=None, allow_empty=False
    ) -> None:
        extensions = IMG_EXTENSIONS if is_valid_file is None else None
        super().__init__(root, loader, extensions, transform, target_transform, is_valid_file, allow_empty)
        self.imgs = self.samples
