"""Transforms of chance: the same picture, never twice the same. (torchvision: torchvision.transforms)

Before it: `functional.py` and `transforms.py`. After it: `augment_colour.py`, the rest of them.

All numbers are drawn from minigrad's default generator, as torchvision draws them from PyTorch's: the same seed gives
the same pictures. (`RandomOrder` and `RandomChoice` draw from Python's ``random``, as torchvision's do.) In a loader's
workers both are seeded.
"""

from __future__ import annotations

import math
import numbers
import random as python_random
import warnings
from collections.abc import Sequence

import numpy as np

from minigrad import random
from minigrad.nn.modules.container import ModuleList
from minigrad.nn.modules.module import Module
from minigrad.transforms import functional as F
from minigrad.transforms.image import InterpolationMode, from_pillow
from minigrad.transforms.transforms import listed, pair

__all__ = [
    "RandomAffine", "RandomApply", "RandomChoice", "RandomCrop", "RandomHorizontalFlip",
    "RandomOrder", "RandomPerspective", "RandomResizedCrop", "RandomRotation", "RandomVerticalFlip",
]  # fmt: skip


def uniform(low, high):
    """One float32 of [low, high), as a float."""
    return float(random.default_generator.uniform((1,), low, high)[0])


def whole(high):
    """One int of [0, high)."""
    return int(random.default_generator.randint(0, high, (1,))[0])


# ---- others, by chance


class RandomTransforms:
    """Base class of what chooses among transforms.

    Args:
        transforms (sequence of Callable): what there is to choose from.
    """

    def __init__(self, transforms) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError(f"Argument transforms should be a sequence, but got {type(transforms)}")
        self.transforms = transforms

    def __repr__(self):
        return listed(type(self).__name__, self.transforms)


class RandomOrder(RandomTransforms):
    """All transforms, in random order."""

    def __call__(self, img):
        order = list(range(len(self.transforms)))
        python_random.shuffle(order)
        for i in order:
            img = self.transforms[i](img)
        return img


class RandomChoice(RandomTransforms):
    """One of the transforms.

    Args:
        transforms (sequence of Callable): what there is to choose from.
        p (sequence of float, optional): weights; all are equally likely if None.
    """

    def __init__(self, transforms, p=None) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError(f"Argument p should be a sequence, but got {type(p)}")
        self.p = p

    def __call__(self, *args):
        return python_random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self):
        return f"{super().__repr__()}(p={self.p})"


class RandomApply(Module):
    """All transforms, or none.

    Args:
        transforms (sequence of Callable, or ModuleList): one after the other.
        p (float): the probability that they are applied.
    """

    def __init__(self, transforms, p=0.5) -> None:
        super().__init__()
        self.transforms = transforms if isinstance(transforms, ModuleList) else list(transforms)
        self.p = p

    def forward(self, img):
        if self.p < uniform(0, 1):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self):
        return listed(f"{type(self).__name__}", [f"p={self.p}", *self.transforms])


class Sometimes(Module):
    """Base class of what is done with probability `p`; subclasses define ``change(img)``."""

    def __init__(self, p=0.5) -> None:
        super().__init__()
        self.p = p

    def forward(self, img):
        return self.change(img) if uniform(0, 1) < self.p else img

    def change(self, img):
        """The picture as it is when chance has it so."""
        raise NotImplementedError(f"{type(self).__name__} has to define change(img)")

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"


# ---- where pixels go


class RandomHorizontalFlip(Sometimes):
    """Left and right exchanged.

    Args:
        p (float): the probability.
    """

    def change(self, img):
        return F.hflip(img)


class RandomVerticalFlip(Sometimes):
    """Top and bottom exchanged.

    Args:
        p (float): the probability.
    """

    def change(self, img):
        return F.vflip(img)


class RandomCrop(Module):
    """A window at a random place.

    Args:
        size (int | sequence): height and width, or one int for both.
        padding (int | sequence, optional): borders that are added before; see `functional.pad`.
        pad_if_needed (bool): add borders where the image is smaller than the window (ValueError without).
        fill, padding_mode: of the borders.
    """

    def __init__(self, size, padding=None, pad_if_needed=False, fill=0, padding_mode="constant") -> None:
        super().__init__()
        self.size = tuple(pair(size))
        self.padding = padding
        self.pad_if_needed = pad_if_needed
        self.fill = fill
        self.padding_mode = padding_mode

    @staticmethod
    def get_params(img, output_size) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random window."""
        _, h, w = F.get_dimensions(img)
        height, width = output_size
        if h < height or w < width:
            raise ValueError(f"Required crop size {(height, width)} is larger than input image size {(h, w)}")
        if (h, w) == (height, width):
            return 0, 0, h, w
        return whole(h - height + 1), whole(w - width + 1), height, width

    def forward(self, img):
        if self.padding is not None:
            img = F.pad(img, self.padding, self.fill, self.padding_mode)
        _, h, w = F.get_dimensions(img)
        if self.pad_if_needed:
            height, width = self.size
            for missing in ([max(width - w, 0), 0], [0, max(height - h, 0)]):
                if any(missing):
                    img = F.pad(img, missing, self.fill, self.padding_mode)
        return F.crop(img, *self.get_params(img, self.size))

    def __repr__(self):
        return f"{type(self).__name__}(size={self.size}, padding={self.padding})"


def random_area(height, width, scale, ratio):
    """Sizes of random area and proportion, in pixels, without end: the area between the shares `scale` of the whole,
    the square of (first side / second side) between the bounds `ratio`, on a logarithmic scale."""
    low, high = (float(bound) for bound in np.log(np.array(ratio, np.float32)))
    while True:
        area = height * width * uniform(*scale)
        aspect = float(np.exp(np.float32(uniform(low, high))))
        yield round(math.sqrt(area * aspect)), round(math.sqrt(area / aspect))


def check_bounds(scale, ratio):
    for name, bounds in (("Scale", scale), ("Ratio", ratio)):
        if not isinstance(bounds, Sequence):
            raise TypeError(f"{name} should be a sequence, but got {type(bounds)}")
    if scale[0] > scale[1] or ratio[0] > ratio[1]:
        warnings.warn("Scale and ratio should be of kind (min, max)", stacklevel=3)


class RandomResizedCrop(Module):
    """A window of random place, area and proportion, resized.

    Args:
        size (int | sequence): height and width of the result, or one int for both.
        scale (sequence): the area of the window, as shares of the image's: least and greatest.
        ratio (sequence): its width by its height: least and greatest.
        interpolation (InterpolationMode), antialias (bool): of the resizing.
    """

    def __init__(
        self, size, scale=(0.08, 1.0), ratio=(3.0 / 4.0, 4.0 / 3.0), interpolation=InterpolationMode.BILINEAR,
        antialias=True,
    ) -> None:  # fmt: skip
        super().__init__()
        check_bounds(scale, ratio)
        self.size = pair(size)
        self.interpolation = from_pillow(interpolation)
        self.antialias = antialias
        self.scale = scale
        self.ratio = ratio

    @staticmethod
    def get_params(img, scale, ratio) -> tuple[int, int, int, int]:
        """Top, left, height and width of a random window; after ten that do not fit, the greatest in the middle that
        has a proportion within `ratio`."""
        _, height, width = F.get_dimensions(img)
        for _, (w, h) in zip(range(10), random_area(height, width, scale, ratio)):
            if 0 < w <= width and 0 < h <= height:
                return whole(height - h + 1), whole(width - w + 1), h, w
        w, h = width, height
        if width / height < min(ratio):
            h = round(w / min(ratio))
        elif width / height > max(ratio):
            w = round(h * max(ratio))
        return (height - h) // 2, (width - w) // 2, h, w

    def forward(self, img):
        window = self.get_params(img, self.scale, self.ratio)
        return F.resized_crop(img, *window, self.size, self.interpolation, self.antialias)

    def __repr__(self):
        scale, ratio = (tuple(round(bound, 4) for bound in bounds) for bounds in (self.scale, self.ratio))
        return (
            f"{type(self).__name__}(size={self.size}, scale={scale}, ratio={ratio}, "
            f"interpolation={self.interpolation.value}, antialias={self.antialias})"
        )


def bounds_of(value, name, lengths=(2,)):
    """Least and greatest angle as floats; one number stands for from minus it to it."""
    if isinstance(value, numbers.Number):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be positive, but got {value}")
        value = [-value, value]
    check_length(value, name, lengths)
    return [float(bound) for bound in value]


def check_length(value, name, lengths=(2,)):
    says = f"{name} should be a sequence of length {' or '.join(map(str, lengths))}, but got {value!r}"
    if not isinstance(value, Sequence):
        raise TypeError(says)
    if len(value) not in lengths:
        raise ValueError(says)


def check_fill(fill):
    fill = 0 if fill is None else fill
    if not isinstance(fill, Sequence | numbers.Number):
        raise TypeError(f"Fill should be either a sequence or a number, but got {type(fill)}")
    return fill


class RandomRotation(Module):
    """Turned by a random angle.

    Args:
        degrees (float | sequence): least and greatest angle, counter-clockwise; one number: from minus it to it.
        interpolation, expand, center, fill: see `functional.rotate`.
    """

    def __init__(self, degrees, interpolation=InterpolationMode.NEAREST, expand=False, center=None, fill=0) -> None:
        super().__init__()
        self.degrees = bounds_of(degrees, "degrees")
        if center is not None:
            check_length(center, "center")
        self.center = center
        self.interpolation = from_pillow(interpolation)
        self.expand = expand
        self.fill = check_fill(fill)

    @staticmethod
    def get_params(degrees) -> float:
        """A random angle."""
        return uniform(*degrees)

    def forward(self, img):
        return F.rotate(img, self.get_params(self.degrees), self.interpolation, self.expand, self.center, self.fill)

    def __repr__(self):
        center = "" if self.center is None else f", center={self.center}"
        return (
            f"{type(self).__name__}(degrees={self.degrees}, interpolation={self.interpolation.value}, "
            f"expand={self.expand}{center}, fill={self.fill})"
        )


class RandomAffine(Module):
    """Turned, shifted, zoomed and sheared at random: ``RandomAffine(0, translate=(0.1, 0.1))`` only shifts,
    ``RandomAffine(0, scale=(0.8, 1.2))`` only zooms.

    Args:
        degrees (float | sequence): least and greatest angle; one number: from minus it to it.
        translate (sequence, optional): the greatest shift, as shares of width and height.
        scale (sequence, optional): least and greatest zoom.
        shear (float | sequence, optional): least and greatest angle along x (and along y, if there are four).
        interpolation, fill, center: see `functional.affine`.
    """

    def __init__(
        self, degrees, translate=None, scale=None, shear=None, interpolation=InterpolationMode.NEAREST, fill=0,
        center=None,
    ) -> None:  # fmt: skip
        super().__init__()
        self.degrees = bounds_of(degrees, "degrees")
        if translate is not None:
            check_length(translate, "translate")
            if not all(0 <= share <= 1 for share in translate):
                raise ValueError(f"translation values should be between 0 and 1, but got {translate}")
        if scale is not None:
            check_length(scale, "scale")
            if min(scale) <= 0:
                raise ValueError(f"scale values should be positive, but got {scale}")
        if center is not None:
            check_length(center, "center")
        self.translate = translate
        self.scale = scale
        self.shear = None if shear is None else bounds_of(shear, "shear", (2, 4))
        self.interpolation = from_pillow(interpolation)
        self.fill = check_fill(fill)
        self.center = center

    @staticmethod
    def get_params(degrees, translate, scale_ranges, shears, img_size):
        """A random angle, shift, zoom and shear, for an image of this width and height."""
        angle, shift, zoom, shear = uniform(*degrees), (0, 0), 1.0, [0.0, 0.0]
        if translate is not None:
            limits = [float(share * side) for share, side in zip(translate, img_size)]
            shift = tuple([round(uniform(-limit, limit)) for limit in limits])
        if scale_ranges is not None:
            zoom = uniform(*scale_ranges)
        if shears is not None:
            shear[0] = uniform(*shears[:2])
            if len(shears) == 4:
                shear[1] = uniform(*shears[2:])
        return angle, shift, zoom, tuple(shear)

    def forward(self, img):
        params = self.get_params(self.degrees, self.translate, self.scale, self.shear, F.get_image_size(img))
        return F.affine(img, *params, self.interpolation, self.fill, self.center)

    def __repr__(self):
        parts = [f"degrees={self.degrees}"]
        parts += [
            f"{name}={value}" for name in ("translate", "scale", "shear") if (value := getattr(self, name)) is not None
        ]
        if self.interpolation is not InterpolationMode.NEAREST:
            parts.append(f"interpolation={self.interpolation.value}")
        if self.fill != 0:
            parts.append(f"fill={self.fill}")
        if self.center is not None:
            parts.append(f"center={self.center}")
        return f"{type(self).__name__}({', '.join(parts)})"


class RandomPerspective(Module):
    """Seen from another side, by chance.

    Args:
        distortion_scale (float): how far corners may be moved inwards: 0 not at all, 1 to the middle.
        p (float): the probability.
        interpolation, fill: see `functional.perspective`.
    """

    def __init__(self, distortion_scale=0.5, p=0.5, interpolation=InterpolationMode.BILINEAR, fill=0) -> None:
        super().__init__()
        self.p = p
        self.interpolation = from_pillow(interpolation)
        self.distortion_scale = distortion_scale
        self.fill = check_fill(fill)

    @staticmethod
    def get_params(width, height, distortion_scale) -> tuple[list[list[int]], list[list[int]]]:
        """The corners of an image, and random places for them."""
        x, y = int(distortion_scale * (width // 2)), int(distortion_scale * (height // 2))
        left, top = (lambda: whole(x + 1)), (lambda: whole(y + 1))
        right, bottom = (lambda: width - x - 1 + whole(x + 1)), (lambda: height - y - 1 + whole(y + 1))
        corners = [[0, 0], [width - 1, 0], [width - 1, height - 1], [0, height - 1]]
        return corners, [[left(), top()], [right(), top()], [right(), bottom()], [left(), bottom()]]

    def forward(self, img):
        if uniform(0, 1) >= self.p:
            return img
        starts, ends = self.get_params(*F.get_image_size(img), self.distortion_scale)
        return F.perspective(img, starts, ends, self.interpolation, self.fill)

    def __repr__(self):
        return f"{type(self).__name__}(p={self.p})"
