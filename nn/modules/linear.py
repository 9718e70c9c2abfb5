"""Layers of weighted sums: Identity, Linear, Bilinear, Maxout, LazyLinear."""

from __future__ import annotations

import math

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.lazy import LazyModuleMixin
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter, UninitializedParameter
from minigrad.tensor import Tensor

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear", "Maxout"]


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


class Bilinear(Module):
    """Products of two inputs, weighted: ``y_o = x₁ᵀ W_o x₂ + b_o``.

    Inputs ``(*, in1_features)`` and ``(*, in2_features)`` with the same ``*``, output ``(*, out_features)``.

    Args:
        in1_features (int), in2_features (int): sizes of the input vectors.
        out_features (int): size of an output vector.
        bias (bool): whether to add `b`.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    Attributes:
        weight: ``(out_features, in1_features, in2_features)``, initially uniform in ±√(1/in1_features).
        bias: ``(out_features,)``, initially uniform in the same bounds; None without bias.

    PyTorch: torch.nn.Bilinear
    """

    def __init__(
        self, in1_features: int, in2_features: int, out_features: int, bias: bool = True, device=None, dtype=None
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        factory = {"device": device, "dtype": dtype}
        self.weight = Parameter(minigrad.empty((out_features, in1_features, in2_features), **factory))
        self.register_parameter("bias", Parameter(minigrad.empty(out_features, **factory)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the parameters anew."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class LazyLinear(LazyModuleMixin, Linear):
    """A `Linear` that takes `in_features` from the last dimension of its first input and then is one.

    Args:
        out_features (int): size of an output vector.
        bias (bool): whether to add `b`.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the parameters.

    PyTorch: torch.nn.LazyLinear
    """

    cls_to_become = Linear

    def __init__(self, out_features: int, bias: bool = True, device=None, dtype=None) -> None:
        super().__init__(0, 0, False)
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        self.out_features = out_features
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw the parameters anew, once they have shapes."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input):
        """Give the parameters the shapes that the first input asks for, and draw them."""
        if self.has_uninitialized_params():
            self.in_features = input.shape[-1]
            self.weight.materialize((self.out_features, self.in_features))
            if self.bias is not None:
                self.bias.materialize((self.out_features,))
            self.reset_parameters()
        if self.in_features == 0:  # the weight came from a state
            if input.shape[-1] != self.weight.shape[-1]:
                raise AssertionError(
                    f"LazyLinear(): the input has {input.shape[-1]} features, the loaded weight takes "
                    f"{self.weight.shape[-1]}"
                )
            self.in_features = input.shape[-1]


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
