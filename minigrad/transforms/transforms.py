"""Transforms that are no matter of chance, as objects. (torchvision: torchvision.transforms)

Before it: `functional.py`, the same as functions. After it: `augment.py`, those of chance.
"""

from __future__ import annotations

import numbers
from collections.abc import Sequence

from minigrad import dtypes
from minigrad.nn.modules.module import Module
from minigrad.transforms import functional as F
from minigrad.transforms.image import InterpolationMode, from_pillow

__all__ = [
    "CenterCrop", "Compose", "ConvertImageDtype", "FiveCrop", "Grayscale", "Lambda", "Normalize", "PILToTensor", "Pad",
    "Resize", "TenCrop", "ToPILImage", "ToTensor",
]  # fmt: skip


def listed(name, transforms, end=")"):
    """The repr of a transform that is made of others."""
    return f"{name}(" + "".join(f"\n    {transform}" for transform in transforms) + "\n" + end


class Compose:
    """Transforms one after the other.

    Args:
        transforms (list of Callable): each gets what the one before it gave.
    """

    def __init__(self, transforms) -> None:
        self.transforms = transforms

    def __call__(self, img):
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self):
        return listed(type(self).__name__, self.transforms)


class ToTensor:
    """An ndarray or PIL image (height, width[, channels]) to a tensor (channels, height, width); uint8 to floating
    point numbers from 0 to 1."""

    def __call__(self, pic):
        return F.to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class PILToTensor:
    """An ndarray or PIL image (height, width[, channels]) to a tensor (channels, height, width) of the same numbers."""

    def __call__(self, pic):
        return F.pil_to_tensor(pic)

    def __repr__(self):
        return f"{type(self).__name__}()"


class ToPILImage:
    """An image to a PIL image. Needs Pillow.

    Args:
        mode (str, optional): Pillow's name for the kind of pixels; None: what fits.
    """

    def __init__(self, mode=None) -> None:
        self.mode = mode

    def __call__(self, pic):
        return F.to_pil_image(pic, self.mode)

    def __repr__(self):
        return f"{type(self).__name__}({'' if self.mode is None else f'mode={self.mode}'})"


class Lambda:
    """Any function as a transform.

    Args:
        lambd (Callable): the function (TypeError if it is none).
    """

    def __init__(self, lambd) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img):
        return self.lambd(img)

    def __repr__(self):
        return f"{type(self).__name__}()"


class ConvertImageDtype(Module):
    """Another dtype, black and white staying what they are.

    Args:
        dtype (dtype): e.g. ``minigrad.float32``.
    """

    def __init__(self, dtype: dtypes.dtype) -> None:
        super().__init__()
        self.dtype = dtype

    def forward(self, image):
        return F.convert_image_dtype(image, self.dtype)


class Normalize(Module):
    """``(x - mean) / std``, channel by channel.

    Args:
        mean, std (sequence): one for each channel, or one for all.
        inplace (bool): write into the tensor that comes.
    """

    def __init__(self, mean, std, inplace=False) -> None:
        super().__init__()
        self.mean = mean
        self.std = std
        self.inplace = inplace

    def forward(self, tensor):
        return F.normalize(tensor, self.mean, self.std, self.inplace)

    def __repr__(self):
        return f"{type(self).__name__}(mean={self.mean}, std={self.std})"


class Resize(Module):
    """Another size; see `functional.resize`.

    Args:
        size (int | sequence): height and width; or one int, the length of the shorter side.
        interpolation (InterpolationMode): NEAREST, NEAREST_EXACT, BILINEAR or BICUBIC.
        max_size (int, optional): the longer side is made no longer than this.
        antialias (bool): let each pixel of a smaller image be a mean of all that it stands for.
    """

    def __init__(self, size, interpolation=InterpolationMode.BILINEAR, max_size=None, antialias=True) -> None:
        super().__init__()
        if not isinstance(size, int | Sequence):
            raise TypeError(f"Size should be int or sequence. Got {type(size)}")
        if isinstance(size, Sequence) and len(size) not in (1, 2):
            raise ValueError("If size is a sequence, it should have 1 or 2 values")
        self.size = size
        self.max_size = max_size
        self.interpolation = from_pillow(interpolation)
        self.antialias = antialias

    def forward(self, img):
        return F.resize(img, self.size, self.interpolation, self.max_size, self.antialias)

    def __repr__(self):
        detail = f"interpolation={self.interpolation.value}, max_size={self.max_size}, antialias={self.antialias}"
        return f"{type(self).__name__}(size={self.size}, {detail})"


class _Crop(Module):
    """What `CenterCrop` and `FiveCrop` share: the size of what they cut out."""

    def __init__(self, size) -> None:
        super().__init__()
        self.size = pair(size)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size})"


class CenterCrop(_Crop):
    """The middle; black where the image is smaller.

    Args:
        size (int | sequence): height and width, or one int for both.
    """

    def forward(self, img):
        return F.center_crop(img, self.size)


class FiveCrop(_Crop):
    """The four corners and the middle, as a tuple.

    Args:
        size (int | sequence): height and width, or one int for both.
    """

    def forward(self, img):
        return F.five_crop(img, self.size)


class TenCrop(FiveCrop):
    """`FiveCrop` of the image and of its mirror image.

    Args:
        size (int | sequence): height and width, or one int for both.
        vertical_flip (bool): exchange top and bottom instead of left and right.
    """

    def __init__(self, size, vertical_flip=False) -> None:
        super().__init__(size)
        self.vertical_flip = vertical_flip

    def forward(self, img):
        return F.ten_crop(img, self.size, self.vertical_flip)

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size}, vertical_flip={self.vertical_flip})"


class Pad(Module):
    """Borders around; see `functional.pad`.

    Args:
        padding (int | sequence): for all sides; left and right, top and bottom; or left, top, right, bottom.
        fill (number | sequence): the colour of a constant border.
        padding_mode (str): "constant", "edge", "reflect" or "symmetric".
    """

    def __init__(self, padding, fill=0, padding_mode="constant") -> None:
        super().__init__()
        if not isinstance(padding, numbers.Number | tuple | list):
            raise TypeError(f"Got inappropriate padding arg: {padding!r}")
        if not isinstance(fill, numbers.Number | tuple | list):
            raise TypeError(f"Got inappropriate fill arg: {fill!r}")
        if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
            raise ValueError(
                f"Padding mode should be either constant, edge, reflect or symmetric, but got {padding_mode!r}"
            )
        if isinstance(padding, Sequence) and len(padding) not in (1, 2, 4):
            raise ValueError(
                f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(padding)} element tuple"
            )
        self.padding = padding
        self.fill = fill
        self.padding_mode = padding_mode

    def forward(self, img):
        return F.pad(img, self.padding, self.fill, self.padding_mode)

    def __repr__(self):
        return f"{type(self).__name__}(padding={self.padding}, fill={self.fill}, padding_mode={self.padding_mode})"


class Grayscale(Module):
    """Grey.

    Args:
        num_output_channels (int): 1, or 3 that are alike.
    """

    def __init__(self, num_output_channels=1) -> None:
        super().__init__()
        self.num_output_channels = num_output_channels

    def forward(self, img):
        return F.rgb_to_grayscale(img, self.num_output_channels)

    def __repr__(self):
        return f"{type(self).__name__}(num_output_channels={self.num_output_channels})"


def pair(size, message="Please provide only two dimensions (h, w) for size."):
    """Height and width, where one number stands for both."""
    if isinstance(size, numbers.Number):
        return int(size), int(size)
    if isinstance(size, Sequence) and len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(f"{message} Got {size}")
    return size
