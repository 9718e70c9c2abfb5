"""The softmax layers, and GLU: activations along a dimension. Part of `activation.py`, as which they are known."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["GLU", "LogSoftmax", "Softmax", "Softmax2d", "Softmin"]


class _AlongDim(Module):
    """An activation whose only setting is the dimension along which it works."""

    def __init__(self, dim: int | None = None) -> None:
        super().__init__()
        self.dim = dim

    def extra_repr(self) -> str:
        return f"dim={self.dim}"


class Softmax(_AlongDim):
    """``eˣⁱ / Σ_j eˣʲ`` along `dim`: positive, and they sum to 1.

    Args:
        dim (int): the dimension that sums to 1.

    PyTorch: torch.nn.Softmax
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmax(input, self.dim)


class LogSoftmax(_AlongDim):
    """``log(eˣⁱ / Σ_j eˣʲ)`` along `dim`, without overflow.

    Args:
        dim (int): the dimension whose exponentials sum to 1.

    PyTorch: torch.nn.LogSoftmax
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.log_softmax(input, self.dim)


class Softmin(_AlongDim):
    """``softmax(-x)`` along `dim`.

    Args:
        dim (int): the dimension that sums to 1.

    PyTorch: torch.nn.Softmin
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.softmin(input, self.dim)


class Softmax2d(Module):
    """`Softmax` over the channels of images, at each place.

    Input and output ``(N, C, H, W)`` or ``(C, H, W)``.

    Raises:
        ValueError: for inputs of other dimensions.

    PyTorch: torch.nn.Softmax2d
    """

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() not in (3, 4):
            raise ValueError(f"Softmax2d: expected input to be 3D or 4D, got {input.dim()}D instead")
        return F.softmax(input, -3)


class GLU(_AlongDim):
    """``a · sigmoid(b)``, where a and b are the halves of the input along `dim`: a gated linear unit.

    Input ``(*, 2 n, *)``, output ``(*, n, *)``.

    Args:
        dim (int): the dimension that is split.

    Source: Dauphin et al., Language Modeling with Gated Convolutional Networks (2016). PyTorch: torch.nn.GLU
    """

    def __init__(self, dim: int = -1) -> None:
        super().__init__(dim)

    def forward(self, input: Tensor) -> Tensor:
        return F.glu(input, self.dim)
