"""Transforms of images, under torchvision's names. (torchvision: torchvision.transforms)

    transform = Compose([RandomRotation(10), RandomHorizontalFlip(), ToTensor(), Normalize((0.5,), (0.5,))])
    data = MNIST("data", transform=transform)

    image.py        what an image is: an ndarray (height, width[, channels]), or a tensor (..., channels, height, width)
    geometry.py     where pixels go
    colour.py       what pixels are
    functional.py   both, as functions of images
    transforms.py   the same as objects
    augment.py      by chance: with the same seed, torchvision's choices; augment_colour.py: the rest of them

Images keep their kind. ndarrays stand where torchvision has PIL images; the numbers are those that torchvision computes
for tensors, which differ from Pillow's by how they are rounded. Transforms have no derivatives.
"""

from minigrad.transforms import functional
from minigrad.transforms.augment import (
    RandomAffine,
    RandomApply,
    RandomChoice,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomOrder,
    RandomResizedCrop,
    RandomRotation,
    RandomVerticalFlip,
)
from minigrad.transforms.augment_colour import (
    ColorJitter,
    GaussianBlur,
    RandomAdjustSharpness,
    RandomAutocontrast,
    RandomEqualize,
    RandomGrayscale,
    RandomInvert,
    RandomPosterize,
    RandomSolarize,
)
from minigrad.transforms.image import InterpolationMode
from minigrad.transforms.transforms import (
    CenterCrop,
    Compose,
    ConvertImageDtype,
    FiveCrop,
    Grayscale,
    Lambda,
    Normalize,
    Pad,
    PILToTensor,
    Resize,
    TenCrop,
    ToPILImage,
    ToTensor,
)

__all__ = [
    "CenterCrop", "ColorJitter", "Compose", "ConvertImageDtype", "FiveCrop", "GaussianBlur", "Grayscale",
    "InterpolationMode", "Lambda", "Normalize", "PILToTensor", "Pad", "RandomAdjustSharpness", "RandomAffine",
    "RandomApply", "RandomAutocontrast", "RandomChoice", "RandomCrop", "RandomEqualize", "RandomErasing",
    "RandomGrayscale", "RandomHorizontalFlip", "RandomInvert", "RandomOrder", "RandomPosterize",
    "RandomResizedCrop", "RandomRotation", "RandomSolarize", "RandomVerticalFlip", "Resize", "TenCrop",
    "ToPILImage", "ToTensor", "functional",
]  # fmt: skip
