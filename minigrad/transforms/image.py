"""What an image is here, and how it becomes planes: the ground of `functional.py`.

An image is either

    a tensor    (..., channels, height, width), as networks take it; several images at once if there are more dimensions
    an ndarray  (height, width) or (height, width, channels), as files are read; a PIL image counts as one

uint8 from 0 to 255, or floating point from 0 to 1. Both give their own kind back, and the same numbers: those that
torchvision computes for tensors. All work is done on planes, ndarrays of the tensor's layout.
"""

from __future__ import annotations

import enum

import numpy as np

from minigrad import dtypes
from minigrad.tensor import Tensor, wrap

__all__ = ["InterpolationMode", "get_dimensions", "get_image_size", "greatest", "unpacked"]


class InterpolationMode(enum.Enum):
    """How values between pixels are made. (torchvision: torchvision.transforms.InterpolationMode)"""

    NEAREST = "nearest"
    NEAREST_EXACT = "nearest-exact"
    BILINEAR = "bilinear"
    BICUBIC = "bicubic"
    BOX = "box"  # torchvision has the last three for PIL images only; here they are not implemented
    HAMMING = "hamming"
    LANCZOS = "lanczos"


_OF_PILLOW = {0: InterpolationMode.NEAREST, 2: InterpolationMode.BILINEAR, 3: InterpolationMode.BICUBIC}


def from_pillow(mode):
    """The `InterpolationMode` of Pillow's number for one; anything else as it is."""
    return _OF_PILLOW.get(mode, mode) if isinstance(mode, int) else mode


def interpolation_mode(op, mode, known):
    """An `InterpolationMode` (or Pillow's number for one) that `op` knows."""
    mode = from_pillow(mode)
    if not isinstance(mode, InterpolationMode):
        raise TypeError(f"{op}(): Argument interpolation should be a InterpolationMode, but got {mode!r}")
    if mode not in known:
        names = ", ".join(m.name for m in known)
        raise ValueError(f"{op}(): interpolation {mode.name} is unsupported; expected one of {names}")
    return mode


def array_of(img, op):
    """The ndarray of what stands for an image, whatever its kind."""
    if isinstance(img, Tensor):
        if img.requires_grad:
            raise NotImplementedError(f"{op}(): transforms have no derivatives; detach() the image")
        return img.array
    if not isinstance(img, np.ndarray):
        if not hasattr(img, "__array_interface__"):
            raise TypeError(f"{op}(): img should be a tensor, an ndarray or a PIL image. Got {type(img)}")
        img = np.asarray(img)
        if img.dtype == bool:  # Pillow's mode "1"
            img = img.astype(np.uint8) * np.uint8(255)
    return img


def unpacked(img, op):
    """The planes of an image, and the function that makes an image of its kind of other planes."""
    array = array_of(img, op)
    if isinstance(img, Tensor):
        if array.ndim < 2:
            raise TypeError(f"{op}(): Tensor is not a torch image: expected (..., height, width), got {array.shape}")
        if array.ndim == 2:
            return array[None], lambda planes: wrap(np.ascontiguousarray(planes[0] if len(planes) == 1 else planes))
        return array, lambda planes: wrap(np.ascontiguousarray(planes))
    if array.ndim == 2:
        return array[None], lambda planes: planes[0] if len(planes) == 1 else _height_width_channels(planes)
    if array.ndim != 3:
        raise ValueError(
            f"{op}(): img should be 2/3 dimensional, (height, width[, channels]). Got {array.ndim} dimensions"
        )
    return np.moveaxis(array, -1, 0), _height_width_channels


def _height_width_channels(planes):
    return np.ascontiguousarray(np.moveaxis(planes, 0, -1))


def get_dimensions(img) -> list[int]:
    """``[channels, height, width]`` of an image."""
    planes, _ = unpacked(img, "get_dimensions")
    return list(planes.shape[-3:])


def get_image_size(img) -> list[int]:
    """``[width, height]`` of an image."""
    _, height, width = get_dimensions(img)
    return [width, height]


def greatest(dtype):
    """White: the greatest integer of an integral dtype; 1 of a floating point one."""
    return 1.0 if dtype.kind == "f" else dtypes.iinfo(dtypes.from_numpy_dtype(dtype)).max


def check_channels(op, planes, permitted):
    if planes.shape[-3] not in permitted:
        raise TypeError(
            f"{op}(): Input image tensor permitted channel values are {permitted}, but found {planes.shape[-3]}"
        )


def as_float(planes):
    """The planes as floating point numbers, of their own dtype if it is one, else float32."""
    return planes if planes.dtype.kind == "f" else planes.astype(np.float32)


def like(values, planes):
    """Floating point values in the dtype of planes, rounded where that is an integral one."""
    return values.astype(planes.dtype) if planes.dtype.kind == "f" else np.rint(values).astype(planes.dtype)
