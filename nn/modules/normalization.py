"""Normalisation within one example: LayerNorm, GroupNorm, RMSNorm, and over neighbouring channels."""

from __future__ import annotations

import operator

import minigrad
from minigrad.nn import functional as F
from minigrad.nn.modules.batchnorm import _Affine
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


def shape_of(normalized_shape):
    """A size or several as a tuple."""
    return tuple(normalized_shape) if hasattr(normalized_shape, "__iter__") else (operator.index(normalized_shape),)


class LayerNorm(_Affine):
    """Normalises over the last dimensions: ``y = (x - mean) / √(var + eps) · weight + bias``, with the biased variance.

    Input and output ``(*, *normalized_shape)``; mean and variance are taken over `normalized_shape`, for each place of
    the dimensions before it.

    Args:
        normalized_shape (int or sequence of ints): sizes of the last dimensions.
        eps (float): added to the variance.
        elementwise_affine (bool): whether there are a learned `weight` and `bias`.
        bias (bool): whether there is a `bias` (if `elementwise_affine`).
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight, bias: of shape `normalized_shape`, initially 1 and 0, or None.

    Source: Ba, Kiros and Hinton, Layer Normalization (2016). PyTorch: torch.nn.LayerNorm
    """

    def __init__(
        self,
        normalized_shape,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        self.normalized_shape = shape_of(normalized_shape)
        self.eps = eps
        self.elementwise_affine = affine = elementwise_affine
        self._register_affine(self.normalized_shape, device, dtype, weight=affine, bias=affine and bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(_Affine):
    """Divides by the root mean square of the last dimensions: ``y = x / √(mean(x²) + eps) · weight``.

    A LayerNorm that does not centre. Input and output ``(*, *normalized_shape)``.

    Args:
        normalized_shape (int or sequence of ints): sizes of the last dimensions.
        eps (float, optional): added to the mean of the squares; by default the machine epsilon of the input's dtype
            (of float32 for float16).
        elementwise_affine (bool): whether there is a learned `weight`.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the weight.

    Attributes:
        weight: of shape `normalized_shape`, initially 1, or None.

    Source: Zhang and Sennrich, Root Mean Square Layer Normalization (2019). PyTorch: torch.nn.RMSNorm
    """

    def __init__(
        self,
        normalized_shape,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device=None,
        dtype=None,
    ) -> None:
        super().__init__()
        self.normalized_shape = shape_of(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        self._register_affine(self.normalized_shape, device, dtype, weight=elementwise_affine)
        self.reset_parameters()

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"


class GroupNorm(_Affine):
    """Normalises groups of channels of each example: ``y = (x - mean) / √(var + eps) · weight + bias``.

    Mean and (biased) variance are those of a group: all places of its ``num_channels / num_groups`` channels. One group
    is a LayerNorm over the example, as many groups as channels are an InstanceNorm.

    Input and output ``(N, C, *)``; C is `num_channels`.

    Args:
        num_groups (int): how many groups.
        num_channels (int): how many channels, a multiple of `num_groups`.
        eps (float): added to the variance.
        affine (bool): whether there are a learned `weight` and `bias`.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.
        bias (bool): whether there is a `bias` (if `affine`).

    Attributes:
        weight, bias: ``(num_channels,)``, initially 1 and 0, or None.

    Raises:
        ValueError: if `num_channels` is not a multiple of `num_groups`.

    Source: Wu and He, Group Normalization (2018). PyTorch: torch.nn.GroupNorm
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device=None,
        dtype=None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})")
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        self._register_affine(num_channels, device, dtype, weight=affine, bias=affine and bias)
        self.reset_parameters()

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """Divides by the size of the neighbouring channels: ``y_c = x_c / (k + alpha · mean(x²))^beta``.

    The mean is over the `size` channels around c, ``c - size // 2`` to ``c + (size - 1) // 2``, with zeros beyond the
    first and the last. Input and output ``(N, C, *)``.

    Args:
        size (int): how many channels.
        alpha (float): a factor.
        beta (float): an exponent.
        k (float): added to the mean.

    Source: Krizhevsky et al., ImageNet Classification with Deep Convolutional Neural Networks (2012).
    PyTorch: torch.nn.LocalResponseNorm
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """PyTorch's older `LocalResponseNorm`: ``y_c = x_c / (k + alpha / size · Σ x²)^beta``, for images ``(N, C, H, W)``.

    The sum is over the channels less than ``(size + 1) // 2`` away, and over the first one, which PyTorch's running sum
    never lets go of. PyTorch's gradient is not that of its output; here it is.

    Args:
        size (int): about how many channels.
        alpha (float): a factor.
        beta (float): an exponent.
        k (float): added to the mean.

    PyTorch: torch.nn.CrossMapLRN2d
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        channel = minigrad.arange(input.size(1))
        near = ((channel[:, None] - channel).abs() < (self.size + 1) // 2) | (channel == 0)
        sums = minigrad.einsum("cd,ndhw->nchw", near.to(input.dtype), input * input)
        return input / (self.k + self.alpha / self.size * sums) ** self.beta
