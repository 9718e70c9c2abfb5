"""Transforms of images as functions, under torchvision's names. (torchvision: torchvision.transforms.functional)

Before it: `image.py` says what an image is; `geometry.py` and `colour.py` do the work. After it: `transforms.py` and
`augment.py`, the same as objects.
"""

from __future__ import annotations

import functools
import numbers

import numpy as np

from minigrad import dtypes
from minigrad.tensor import Tensor, wrap
from minigrad.transforms import colour, geometry
from minigrad.transforms.image import (
    InterpolationMode,
    array_of,
    as_float,
    check_channels,
    get_dimensions,
    get_image_size,
    greatest,
    interpolation_mode,
    unpacked,
)

__all__ = [
    "InterpolationMode", "adjust_brightness", "adjust_contrast", "adjust_gamma", "adjust_hue", "adjust_saturation",
    "adjust_sharpness", "affine", "autocontrast", "center_crop", "convert_image_dtype", "crop", "equalize", "erase",
    "five_crop", "gaussian_blur", "get_dimensions", "get_image_size", "hflip", "invert", "normalize", "pad",
    "pil_to_tensor", "posterize", "resize", "resized_crop", "rgb_to_grayscale", "rotate", "solarize", "ten_crop",
    "to_grayscale", "to_pil_image", "to_tensor", "vflip",
]  # fmt: skip

NEAREST, BILINEAR = InterpolationMode.NEAREST, InterpolationMode.BILINEAR
_RESIZING = [NEAREST, InterpolationMode.NEAREST_EXACT, BILINEAR, InterpolationMode.BICUBIC]


def _on_planes(function):
    """A function of planes as one of images."""

    @functools.wraps(function)
    def of_image(img, *args, **kwargs):
        planes, back = unpacked(img, function.__name__)
        return back(function(planes, *args, **kwargs))

    return of_image


# ---- kinds of images


def to_tensor(pic):
    """An ndarray or PIL image (height, width[, channels]) as tensor (channels, height, width).

    uint8 becomes the default dtype, from 0 to 1; other dtypes stay what they are.
    """
    tensor = pil_to_tensor(pic)
    if tensor.array.dtype != np.uint8:
        return tensor
    dtype = np.dtype(dtypes.as_numpy(None))
    return wrap(tensor.array.astype(dtype) / dtype.type(255))


def pil_to_tensor(pic):
    """An ndarray or PIL image (height, width[, channels]) as tensor (channels, height, width) of the same numbers."""
    array = array_of(pic, "to_tensor")
    if isinstance(pic, Tensor):
        raise TypeError(f"pic should be PIL Image or ndarray. Got {type(pic)}")
    if array.ndim not in (2, 3):
        raise ValueError(f"pic should be 2/3 dimensional. Got {array.ndim} dimensions.")
    dtypes.from_numpy_dtype(array.dtype)  # raises where there is no such dtype
    return wrap(np.array(np.moveaxis(array, -1, 0) if array.ndim == 3 else array[None], order="C"))


def to_pil_image(pic, mode=None):
    """An image as PIL image; floating point numbers are taken to go from 0 to 1. Needs Pillow."""
    try:
        from PIL import Image
    except ImportError:
        raise ImportError('to_pil_image() needs Pillow: pip install "minigrad[images]"') from None
    planes, _ = unpacked(pic, "to_pil_image")
    if planes.ndim != 3 or planes.shape[0] > 4:
        raise ValueError(f"pic should be one image of 1 to 4 channels, but got {tuple(planes.shape)}")
    if planes.dtype.kind == "f":
        planes = (planes * 255).astype(np.uint8)
    image = Image.fromarray(planes[0] if len(planes) == 1 else np.ascontiguousarray(np.moveaxis(planes, 0, -1)))
    return image.convert(mode) if mode else image


def convert_image_dtype(image, dtype=dtypes.float32):
    """Another dtype, black and white staying what they are: a float 1.0 is 255 in uint8.

    Raises:
        RuntimeError: floating point numbers to integers that are too long for them.
    """
    planes, back = unpacked(image, "convert_image_dtype")
    return back(colour.convert(planes, colour.numpy_dtype(dtype)))


def normalize(tensor, mean, std, inplace=False):
    """``(tensor - mean) / std``, channel by channel.

    Args:
        tensor (Tensor): floating point, (..., channels, height, width).
        mean, std (sequence): one for each channel, or one for all.
        inplace (bool): write into `tensor`.

    Raises:
        TypeError: no tensor, or not of floating point. ValueError: fewer than three dimensions, or a `std` of 0.
    """
    if not isinstance(tensor, Tensor):
        raise TypeError(f"img should be Tensor Image. Got {type(tensor)}")
    array = array_of(tensor, "normalize")
    if array.dtype.kind != "f":
        raise TypeError(f"Input tensor should be a float tensor. Got {tensor.dtype}.")
    if array.ndim < 3:
        raise ValueError(
            f"Expected tensor to be a tensor image of size (..., C, H, W). Got tensor.size() = {tensor.size()}"
        )
    mean, std = (np.asarray(value, array.dtype).reshape(-1, 1, 1) for value in (mean, std))
    if (std == 0).any():
        raise ValueError(f"std evaluated to zero after conversion to {tensor.dtype}, leading to division by zero.")
    normal = wrap((array - mean) / std)
    return tensor.copy_(normal) if inplace else normal


# ---- where pixels go


@_on_planes
def hflip(img):
    """Left and right exchanged."""
    return img[..., ::-1]


@_on_planes
def vflip(img):
    """Top and bottom exchanged."""
    return img[..., ::-1, :]


@_on_planes
def crop(img, top, left, height, width):
    """The window of this size whose first row and column are `top` and `left`; black where it is outside."""
    return geometry.crop(img, top, left, height, width)


@_on_planes
def center_crop(img, output_size):
    """The middle, of size `output_size` (an int, or height and width); black where the image is smaller."""
    height, width = _pair(output_size)
    h, w = img.shape[-2:]
    up, left = max(height - h, 0) // 2, max(width - w, 0) // 2
    img = geometry.pad(img, left, up, max(width - w, 0) - left, max(height - h, 0) - up, 0, "constant")
    h, w = img.shape[-2:]
    return geometry.crop(img, round((h - height) / 2), round((w - width) / 2), height, width)


@_on_planes
def pad(img, padding, fill=0, padding_mode="constant"):
    """Borders around an image.

    Args:
        img (image): see `minigrad.transforms`.
        padding (int | sequence): for all sides; left and right, top and bottom; or left, top, right, bottom.
        fill (number | sequence): the colour of a constant border; one number, or one for each channel.
        padding_mode (str): "constant", "edge" (the outermost pixels repeated), "reflect" (mirrored at the outermost
            pixels) or "symmetric" (mirrored beside them).
    """
    if not isinstance(padding, numbers.Number | tuple | list):
        raise TypeError(f"Got inappropriate padding arg: {padding!r}")
    if not isinstance(fill, numbers.Number | tuple | list):
        raise TypeError(f"Got inappropriate fill arg: {fill!r}")
    sides = [padding] if isinstance(padding, numbers.Number) else list(padding)
    if len(sides) not in (1, 2, 4):
        raise ValueError(f"Padding must be an int or a 1, 2, or 4 element tuple, not a {len(sides)} element tuple")
    if padding_mode not in ("constant", "edge", "reflect", "symmetric"):
        raise ValueError(
            f"Padding mode should be either constant, edge, reflect or symmetric, but got {padding_mode!r}"
        )
    left, top, right, bottom = sides * (4 // len(sides))
    return geometry.pad(img, left, top, right, bottom, fill, padding_mode)


def resize(img, size, interpolation=BILINEAR, max_size=None, antialias=True):
    """Another size.

    Args:
        img (image): see `minigrad.transforms`.
        size (int | sequence): height and width; or one int, the length of the shorter side.
        interpolation (InterpolationMode): NEAREST, NEAREST_EXACT, BILINEAR or BICUBIC.
        max_size (int, optional): the longer side is made no longer than this; only where `size` is one int.
        antialias (bool): let each pixel of a smaller image be a mean of all that it stands for (BILINEAR, BICUBIC).
    """
    mode = interpolation_mode("resize", interpolation, _RESIZING)
    sides = list(size) if isinstance(size, tuple | list) else [size]
    if len(sides) not in (1, 2):
        raise ValueError(f"Size must be an int or a 1 or 2 element tuple/list, not a {len(sides)} element tuple/list")
    if max_size is not None and len(sides) != 1:
        raise ValueError("max_size should only be passed if size specifies the length of the smaller edge")
    planes, back = unpacked(img, "resize")
    h, w = planes.shape[-2:]
    if len(sides) == 1:
        (short,) = sides
        long = int(short * max(h, w) / min(h, w))
        if max_size is not None:
            if max_size <= short:
                raise ValueError(f"max_size = {max_size} must be strictly greater than the requested size {short}")
            if long > max_size:
                short, long = int(max_size * short / long), max_size
        sides = [long, short] if w <= h else [short, long]
    if sides == [h, w]:
        return img
    return back(geometry.resize(planes, *sides, mode.value, bool(antialias)))


def resized_crop(img, top, left, height, width, size, interpolation=BILINEAR, antialias=True):
    """`crop`, then `resize`."""
    return resize(crop(img, top, left, height, width), size, interpolation, antialias=antialias)


def five_crop(img, size):
    """The four corners (top left, top right, bottom left, bottom right) and the middle, each of this size."""
    height, width = _pair(size)
    _, h, w = get_dimensions(img)
    if width > w or height > h:
        raise ValueError(f"Requested crop size {(height, width)} is bigger than input size {(h, w)}")
    corners = [crop(img, top, left, height, width) for top in (0, h - height) for left in (0, w - width)]
    return (*corners, center_crop(img, [height, width]))


def ten_crop(img, size, vertical_flip=False):
    """`five_crop` of the image and of its mirror image (left and right, or top and bottom)."""
    return five_crop(img, size) + five_crop(vflip(img) if vertical_flip else hflip(img), size)


@_on_planes
def rotate(img, angle, interpolation=NEAREST, expand=False, center=None, fill=None):
    """Turned around a point.

    Args:
        img (image): see `minigrad.transforms`.
        angle (float): in degrees, counter-clockwise.
        interpolation (InterpolationMode): NEAREST or BILINEAR.
        expand (bool): make the result as large as it takes to hold all of the image.
        center (sequence, optional): x and y of the point, in pixels from the upper left corner; the middle if None.
        fill (number | sequence, optional): the colour of what was outside; black if None.
    """
    matrix = geometry.inverse_affine(_from_middle(center, img), -angle, (0, 0), 1.0, (0, 0))
    return _turned(img, matrix, "rotate", interpolation, expand, fill)


@_on_planes
def affine(img, angle, translate, scale, shear, interpolation=NEAREST, fill=None, center=None):
    """Turned, shifted, zoomed and sheared.

    Args:
        img (image): see `minigrad.transforms`.
        angle (float): in degrees, clockwise.
        translate (sequence): shift to the right and downwards, in pixels.
        scale (float): zoom; 2 makes everything twice as large.
        shear (float | sequence): angle along x, or along x and y, in degrees, clockwise.
        interpolation (InterpolationMode): NEAREST or BILINEAR.
        fill (number | sequence, optional): the colour of what was outside; black if None.
        center (sequence, optional): x and y of the point that stays, in pixels from the upper left corner; the middle
            if None.
    """
    if len(translate) != 2:
        raise ValueError(f"translate should be a sequence of length 2, but got {translate}")
    if scale <= 0.0:
        raise ValueError(f"Argument scale should be positive, but got {scale}")
    shear = [shear, 0.0] if isinstance(shear, numbers.Number) else list(shear)
    shear = [*shear, 0.0] if len(shear) == 1 else shear
    if len(shear) != 2:
        raise ValueError(f"Shear should be a sequence containing two values. Got {shear}")
    matrix = geometry.inverse_affine(_from_middle(center, img), angle, translate, scale, shear)
    return _turned(img, matrix, "affine", interpolation, False, fill)


def _from_middle(center, planes):
    if center is None:
        return 0.0, 0.0
    height, width = planes.shape[-2:]
    return center[0] - width * 0.5, center[1] - height * 0.5


def _turned(planes, matrix, op, interpolation, expand, fill):
    mode = interpolation_mode(op, interpolation, [NEAREST, BILINEAR])
    if fill is not None and np.size(fill) not in (1, planes.shape[-3]):
        raise ValueError(
            f"{op}(): The number of elements in 'fill' cannot broadcast to match the number of channels of the image "
            f"({np.size(fill)} != {planes.shape[-3]})"
        )
    height, width = planes.shape[-2:]
    new = geometry.turned_size(matrix, height, width) if expand else (height, width)
    xs, ys = geometry.affine_places(matrix, height, width, *new, as_float(planes[..., :0]).dtype)
    return geometry.sample(planes, xs, ys, mode.value, fill)


def erase(img, i, j, h, w, v, inplace=False):
    """A window of `h` rows and `w` columns from row `i` and column `j` on painted with `v`: a number, or what can be
    broadcast to (channels, h, w)."""
    planes, back = unpacked(img, "erase")
    if inplace and isinstance(img, Tensor):
        img[..., i : i + h, j : j + w] = v
        return img
    planes = planes.copy()
    planes[..., i : i + h, j : j + w] = v.array if isinstance(v, Tensor) else v
    return back(planes)


# ---- what pixels are


def rgb_to_grayscale(img, num_output_channels=1):
    """Grey: 0.2989 red + 0.587 green + 0.114 blue, in one channel or in three that are alike."""
    if num_output_channels not in (1, 3):
        raise ValueError(f"num_output_channels should be either 1 or 3, but got {num_output_channels}")
    planes, back = unpacked(img, "rgb_to_grayscale")
    check_channels("rgb_to_grayscale", planes, [1, 3])
    grey = colour.grey(planes)
    return back(np.repeat(grey, num_output_channels, -3) if num_output_channels == 3 else grey.copy())


to_grayscale = rgb_to_grayscale


@_on_planes
def adjust_brightness(img, brightness_factor):
    """Brightness times a factor: 0 is black, 1 as it was."""
    _check_factor("adjust_brightness", "brightness_factor", brightness_factor, img)
    return colour.blend(img, np.zeros_like(img), brightness_factor)


@_on_planes
def adjust_contrast(img, contrast_factor):
    """Difference from the mean grey times a factor: 0 is grey, 1 as it was."""
    _check_factor("adjust_contrast", "contrast_factor", contrast_factor, img)
    return colour.blend(img, as_float(colour.grey(img)).mean((-3, -2, -1), keepdims=True), contrast_factor)


@_on_planes
def adjust_saturation(img, saturation_factor):
    """Difference of each pixel from its grey times a factor: 0 is black and white, 1 as it was."""
    _check_factor("adjust_saturation", "saturation_factor", saturation_factor, img)
    return img if img.shape[-3] == 1 else colour.blend(img, colour.grey(img), saturation_factor)


@_on_planes
def adjust_hue(img, hue_factor):
    """Hue turned by a share of the colour circle, -0.5 to 0.5."""
    if not -0.5 <= hue_factor <= 0.5:
        raise ValueError(f"hue_factor ({hue_factor}) is not in [-0.5, 0.5].")
    check_channels("adjust_hue", img, [1, 3])
    return img if img.shape[-3] == 1 else colour.shift_hue(img, hue_factor)


@_on_planes
def adjust_gamma(img, gamma, gain=1):
    """``gain * value ** gamma`` of values from 0 to 1: above 1 makes shadows darker, below 1 lighter."""
    if gamma < 0:
        raise ValueError(f"Gamma should be a non-negative real number, but got {gamma}")
    values = img if img.dtype.kind == "f" else colour.convert(img, np.dtype(np.float32))
    return colour.convert((gain * values**gamma).clip(0, 1).astype(values.dtype), img.dtype)


@_on_planes
def adjust_sharpness(img, sharpness_factor):
    """Difference from a smoothed image times a factor: 0 is smoothed, 1 as it was."""
    _check_factor("adjust_sharpness", "sharpness_factor", sharpness_factor, img)
    return img if min(img.shape[-2:]) <= 2 else colour.blend(img, colour.smooth(img), sharpness_factor)


@_on_planes
def invert(img):
    """Black and white exchanged."""
    return img.dtype.type(greatest(img.dtype)) - img


@_on_planes
def posterize(img, bits):
    """Only the first `bits` bits of each value. uint8 only (TypeError)."""
    if img.dtype != np.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
    return img & np.uint8(256 - 2 ** (8 - bits))


@_on_planes
def solarize(img, threshold):
    """Values from `threshold` on inverted."""
    if threshold > greatest(img.dtype):
        raise TypeError(f"Threshold should be less than bound of img, but got {threshold}")
    return np.where(img >= threshold, img.dtype.type(greatest(img.dtype)) - img, img)


@_on_planes
def autocontrast(img):
    """Each channel stretched from black to white."""
    check_channels("autocontrast", img, [1, 3])
    return colour.stretch_contrast(img)


@_on_planes
def equalize(img):
    """Each channel with its brightnesses equally frequent. uint8 only (TypeError)."""
    if img.dtype != np.uint8:
        raise TypeError(f"Only torch.uint8 image tensors are supported, but found {img.dtype}")
    check_channels("equalize", img, [1, 3])
    channels = img.reshape(-1, *img.shape[-2:])
    return np.stack([colour.equalized(channel) for channel in channels]).reshape(img.shape)


@_on_planes
def gaussian_blur(img, kernel_size, sigma=None):
    """Convolved with a Gaussian; the image is mirrored at its border.

    Args:
        img (image): see `minigrad.transforms`.
        kernel_size (int | sequence): width and height of the kernel, odd.
        sigma (float | sequence, optional): its standard deviations; ``0.15 * kernel_size + 0.35`` if None.
    """
    sizes = _pair(kernel_size)
    if any(size % 2 == 0 or size < 1 for size in sizes):
        raise ValueError(f"kernel_size should have odd and positive integers. Got {kernel_size}")
    sigmas = [0.15 * size + 0.35 for size in sizes] if sigma is None else _pair(sigma, float)
    if min(sigmas) <= 0:
        raise ValueError(f"sigma should have positive values. Got {sigma}")
    kind = as_float(img[..., :0]).dtype
    across, down = (colour.gaussian_kernel(size, width, kind) for size, width in zip(sizes, sigmas))
    return colour.blur(img, across, down)


def _check_factor(op, name, factor, planes):
    if factor < 0:
        raise ValueError(f"{name} ({factor}) is not non-negative.")
    check_channels(op, planes, [1, 3])


def _pair(size, kind=int):
    """Height and width, where one number stands for both."""
    if isinstance(size, numbers.Number):
        return kind(size), kind(size)
    if len(size) == 1:
        return size[0], size[0]
    if len(size) != 2:
        raise ValueError(f"Please provide only two dimensions (h, w) for size, but got {size}")
    return tuple(size)
