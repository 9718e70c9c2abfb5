"""Layers of weighted sums: Identity, Linear, Maxout."""

from __future__ import annotations

import math

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = ["Identity", "Linear", "Maxout"]


class Identity(Module):
    """Returns its input. Takes any arguments and ignores them, so that it can stand in for any layer.

    Input and output: any shape ``(*)``.

    PyTorch: torch.nn.Identity
    """

    def __init__(self, *args, **kwargs) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        return input


class Linear(Module):
    """Weighted sums of the inputs: ``y = x Wᵀ + b``.

    Input ``(*, in_features)``, output ``(*, out_features)``, where ``*`` is any number of dimensions.

    Args:
        in_features (int): size of an input vector.
        out_features (int): size of an output vector.
        bias (bool): whether to add `b`.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight: ``(out_features, in_features)``, initially uniform in ±√(1/in_features).
        bias: ``(out_features,)``, initially uniform in the same bounds; None without bias.

    PyTorch: torch.nn.Linear
    """

    def __init__(self, in_features: int, out_features: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        factory = {"device": device, "dtype": dtype}
        self.weight = Parameter(minigrad.empty((out_features, in_features), **factory))
        self.register_parameter("bias", Parameter(minigrad.empty(out_features, **factory)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init_affine(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class NonDynamicallyQuantizableLinear(Linear):
    """`Linear` under the name that PyTorch gives to attention's last projection. PyTorch: torch.nn.modules.linear"""


class Maxout(Module):
    """The largest of several weighted sums: ``y_j = max_k (x W_jkᵀ + b_jk)``. A learned convex activation.

    Not in PyTorch. One unit with k pieces is a convex function of k straight pieces, so a few units fit what one
    ReLU cannot, e.g. x².

    Input ``(*, in_features)``, output ``(*, out_features)``.

    Args:
        in_features (int): size of an input vector.
        out_features (int): how many units.
        pieces (int): how many weighted sums each unit chooses from.
        bias (bool): whether the sums have a constant term.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight: ``(out_features * pieces, in_features)``; the pieces of one unit are consecutive rows.
            Initialised as in `Linear`.
        bias: ``(out_features * pieces,)``, or None.

    Source: Goodfellow et al., Maxout Networks (2013).
    """

    def __init__(
        self, in_features: int, out_features: int, pieces: int = 2, bias: bool = True, device=None, dtype=None
    ) -> None:
        super().__init__()
        if pieces < 1:
            raise ValueError(f"Maxout(): argument 'pieces': got {pieces}; expected at least 1")
        self.in_features = in_features
        self.out_features = out_features
        self.pieces = pieces
        rows = out_features * pieces
        factory = {"device": device, "dtype": dtype}
        self.weight = Parameter(minigrad.empty((rows, in_features), **factory))
        self.register_parameter("bias", Parameter(minigrad.empty(rows, **factory)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        init_affine(self.weight, self.bias)

    def forward(self, input: Tensor) -> Tensor:
        sums = F.linear(input, self.weight, self.bias)
        return sums.reshape(*input.shape[:-1], self.out_features, self.pieces).max(-1)[0]

    def extra_repr(self) -> str:
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, pieces={self.pieces}, "
            f"bias={self.bias is not None}"
        )


def init_affine(weight, bias):
    """PyTorch's start for linear and convolution layers: uniform in ±√(1/fan_in), weight first, then bias."""
    init.kaiming_uniform_(weight, a=math.sqrt(5))  # gain √(1/3), so the bound is √3 · √(1/3) / √fan_in
    if bias is not None:
        fan_in, _ = init._calculate_fan_in_and_fan_out(weight)
        bound = 1 / math.sqrt(fan_in) if fan_in else 0.0
        init.uniform_(bias, -bound, bound)
