"""Normalisation within one example: LayerNorm."""

from __future__ import annotations

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["LayerNorm"]


class LayerNorm(Module):
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
        self.normalized_shape = (normalized_shape,) if isinstance(normalized_shape, int) else tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        factory = {"device": device, "dtype": dtype}
        for name, wanted in (("weight", elementwise_affine), ("bias", elementwise_affine and bias)):
            values = minigrad.empty(self.normalized_shape, **factory)
            self.register_parameter(name, Parameter(values) if wanted else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        if self.bias is not None:
            init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}, "
            f"bias={self.bias is not None}"
        )
