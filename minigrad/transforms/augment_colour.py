"""Transforms of chance that change colours. (torchvision: torchvision.transforms)

Before it: `augment.py`, which says where the random numbers are from.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from minigrad import random
from minigrad.nn.modules.module import Module
from minigrad.transforms import functional as F
from minigrad.transforms.augment import Sometimes, uniform
from minigrad.transforms.transforms import pair

__all__ = [
    "ColorJitter", "GaussianBlur", "RandomAdjustSharpness", "RandomAutocontrast", "RandomEqualize",
    "RandomGrayscale", "RandomInvert", "RandomPosterize", "RandomSolarize",
]  # fmt: skip


class ColorJitter(Module):
    """Brightness, contrast, saturation and hue changed at random, in random order.

    Args:
        brightness, contrast, saturation (float | sequence): a number `x` stands for factors from ``max(0, 1 - x)`` to
            ``1 + x``; a pair gives least and greatest.
        hue (float | sequence): a number `x` up to 0.5 stands for turns from ``-x`` to ``x``; or least and greatest.
    """

    def __init__(self, brightness=0, contrast=0, saturation=0, hue=0) -> None:
        super().__init__()
        self.brightness = _factors(brightness, "brightness")
        self.contrast = _factors(contrast, "contrast")
        self.saturation = _factors(saturation, "saturation")
        self.hue = _factors(hue, "hue", 0.0, (-0.5, 0.5))

    @staticmethod
    def get_params(brightness, contrast, saturation, hue):
        """A random order of the four (an array), and their random factors; None stays None."""
        order = random.default_generator.randperm(4)
        return order, *[None if b is None else uniform(*b) for b in (brightness, contrast, saturation, hue)]

    def forward(self, img):
        order, *factors = self.get_params(self.brightness, self.contrast, self.saturation, self.hue)
        adjust = (F.adjust_brightness, F.adjust_contrast, F.adjust_saturation, F.adjust_hue)
        for i in order.tolist():
            if factors[i] is not None:
                img = adjust[i](img, factors[i])
        return img

    def __repr__(self):
        return (
            f"{type(self).__name__}(brightness={self.brightness}, contrast={self.contrast}, "
            f"saturation={self.saturation}, hue={self.hue})"
        )


def _factors(value, name, centre=1.0, limits=(0.0, math.inf)):
    """Least and greatest factor; None where they change nothing."""
    if isinstance(value, int | float):
        if value < 0:
            raise ValueError(f"If {name} is a single number, it must be non negative, but got {value}")
        value = (max(centre - value, 0.0) if centre else -value, centre + value)
    elif not isinstance(value, tuple | list) or len(value) != 2:
        raise TypeError(f"{name} should be a single number or a list/tuple with length 2, but got {value!r}")
    low, high = map(float, value)
    if not limits[0] <= low <= high <= limits[1]:
        raise ValueError(f"{name} values should be between {limits}, but got {[low, high]}.")
    return None if low == high == centre else (low, high)


class RandomGrayscale(Sometimes):
    """Grey, in as many channels as before.

    Args:
        p (float): the probability.
    """

    def __init__(self, p=0.1) -> None:
        super().__init__(p)

    def change(self, img):
        return F.rgb_to_grayscale(img, F.get_dimensions(img)[0])


class GaussianBlur(Module):
    """Convolved with a Gaussian of random width.

    Args:
        kernel_size (int | sequence): width and height of the kernel, odd.
        sigma (float | sequence): its standard deviation, or the least and the greatest.
    """

    def __init__(self, kernel_size, sigma=(0.1, 2.0)) -> None:
        super().__init__()
        self.kernel_size = pair(kernel_size, "Kernel size should be a tuple/list of two integers.")
        if any(size <= 0 or size % 2 == 0 for size in self.kernel_size):
            raise ValueError(f"Kernel size value should be an odd and positive number, but got {kernel_size}")
        if isinstance(sigma, int | float):
            if sigma <= 0:
                raise ValueError(f"If sigma is a single number, it must be positive, but got {sigma}")
            sigma = (sigma, sigma)
        elif not isinstance(sigma, Sequence) or len(sigma) != 2:
            raise ValueError(f"sigma should be a single number or a list/tuple with length 2, but got {sigma!r}")
        if not 0 < sigma[0] <= sigma[1]:
            raise ValueError(f"sigma values should be positive and of the form (min, max), but got {sigma}")
        self.sigma = sigma

    @staticmethod
    def get_params(sigma_min, sigma_max) -> float:
        """A random standard deviation."""
        return uniform(sigma_min, sigma_max)

    def forward(self, img):
        sigma = self.get_params(*self.sigma)
        return F.gaussian_blur(img, self.kernel_size, [sigma, sigma])

    def __repr__(self):
        return f"{type(self).__name__}(kernel_size={self.kernel_size}, sigma={self.sigma})"


class RandomInvert(Sometimes):
    """Black and white exchanged.

    Args:
        p (float): the probability.
    """

    def change(self, img):
        return F.invert(img)


class RandomAutocontrast(Sometimes):
    """Each channel stretched from black to white.

    Args:
        p (float): the probability.
    """

    def change(self, img):
        return F.autocontrast(img)


class RandomEqualize(Sometimes):
    """Each channel with its brightnesses equally frequent. uint8 only.

    Args:
        p (float): the probability.
    """

    def change(self, img):
        return F.equalize(img)


class _SometimesBy(Sometimes):
    """Base class of what is done to an extent, with probability `p`."""

    def __init__(self, extent, p) -> None:
        super().__init__(p)
        setattr(self, self.extent, extent)

    def change(self, img):
        return self.by(img, getattr(self, self.extent))

    def __repr__(self):
        return f"{type(self).__name__}({self.extent}={getattr(self, self.extent)},p={self.p})"


class RandomPosterize(_SometimesBy):
    """Only the first bits of each value. uint8 only.

    Args:
        bits (int): how many.
        p (float): the probability.
    """

    extent = "bits"
    by = staticmethod(F.posterize)

    def __init__(self, bits, p=0.5) -> None:
        super().__init__(bits, p)


class RandomSolarize(_SometimesBy):
    """Bright values inverted.

    Args:
        threshold (float): from which value on.
        p (float): the probability.
    """

    extent = "threshold"
    by = staticmethod(F.solarize)

    def __init__(self, threshold, p=0.5) -> None:
        super().__init__(threshold, p)


class RandomAdjustSharpness(_SometimesBy):
    """Sharper or softer.

    Args:
        sharpness_factor (float): 0 is smoothed, 1 as it was, 2 sharper.
        p (float): the probability.
    """

    extent = "sharpness_factor"
    by = staticmethod(F.adjust_sharpness)

    def __init__(self, sharpness_factor, p=0.5) -> None:
        super().__init__(sharpness_factor, p)
