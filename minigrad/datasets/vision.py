"""`VisionDataset`: what data sets of images have in common. (torchvision: torchvision.datasets.VisionDataset)"""

from __future__ import annotations

import os

from minigrad.utils.data.dataset import Dataset

__all__ = ["StandardTransform", "VisionDataset"]


class StandardTransform:
    """A transform of the image and one of the target, either of which may be None."""

    def __init__(self, transform=None, target_transform=None) -> None:
        self.transform = transform
        self.target_transform = target_transform

    def __call__(self, input, target):
        if self.transform is not None:
            input = self.transform(input)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return input, target

    def __repr__(self):
        parts = [type(self).__name__]
        for head, transform in (("Transform: ", self.transform), ("Target transform: ", self.target_transform)):
            if transform is not None:
                parts.append(head + repr(transform).replace("\n", "\n" + " " * len(head)))
        return "\n".join(parts)


class VisionDataset(Dataset):
    """Base class of data sets of images with targets. Subclasses define ``__getitem__`` and ``__len__``.

    Args:
        root (str | Path): the folder of the files.
        transforms (Callable, optional): makes ``(image, target)`` of an image and a target; instead of the next two.
        transform (Callable, optional): of the image.
        target_transform (Callable, optional): of the target.

    Raises:
        ValueError: `transforms` beside one of the others.
    """

    def __init__(self, root=None, transforms=None, transform=None, target_transform=None) -> None:
        separate = transform is not None or target_transform is not None
        if transforms is not None and separate:
            raise ValueError("Only transforms or transform/target_transform can be passed as argument")
        self.root = os.path.expanduser(root) if isinstance(root, str) else root
        self.transform = transform
        self.target_transform = target_transform
        self.transforms = StandardTransform(transform, target_transform) if separate else transforms

    def _transformed(self, image, target):
        if self.transform is not None:
            image = self.transform(image)
        if self.target_transform is not None:
            target = self.target_transform(target)
        return image, target

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__, as all subclasses of VisionDataset.")

    def __repr__(self):
        lines = [f"Number of datapoints: {len(self)}"]
        if self.root is not None:
            lines.append(f"Root location: {self.root}")
        lines += self.extra_repr().splitlines()
        if self.transforms is not None:
            lines.append(repr(self.transforms))
        return f"Dataset {type(self).__name__}\n" + "\n".join("    " + line for line in lines)

    def extra_repr(self) -> str:
        """Further lines for the repr."""
        return ""
