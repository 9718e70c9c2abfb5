"""Activations as layers: each calls the function of `minigrad.nn.functional` that bears its name.

All take and give tensors of any shape ``(*)``, elementwise, unless their docstring says otherwise.  ``inplace=True``
writes the result into the input.  PyTorch's page of the same name has plots of them.
"""

from __future__ import annotations

import math
import warnings

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.attention import MultiheadAttention
from minigrad.nn.modules.module import Module
from minigrad.nn.modules.softmax import GLU, LogSoftmax, Softmax, Softmax2d, Softmin
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = [
    "CELU",
    "ELU",
    "GELU",
    "GLU",
    "SELU",
    "Hardshrink",
    "Hardsigmoid",
    "Hardswish",
    "Hardtanh",
    "LeakyReLU",
    "LogSigmoid",
    "LogSoftmax",
    "Mish",
    "MultiheadAttention",
    "PReLU",
    "RReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmax2d",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
    "Step",
    "Tanh",
    "Tanhshrink",
    "Threshold",
]  # fmt: skip


class _InPlace(Module):
    """An activation whose only setting is `inplace`."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.inplace = inplace

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""

    def _and_inplace(self, text):
        return f"{text}, inplace=True" if self.inplace else text


class ReLU(_InPlace):
    """``max(0, x)``. Source: Nair and Hinton, Rectified Linear Units (2010). PyTorch: torch.nn.ReLU"""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu(input, self.inplace)


class SELU(_InPlace):
    """``s · (max(0, x) + min(0, a · (eˣ - 1)))`` with s = 1.0507…, a = 1.6733…, which keep mean 0 and variance 1.
    Source: Klambauer et al., Self-Normalizing Neural Networks (2017). PyTorch: torch.nn.SELU"""

    def forward(self, input: Tensor) -> Tensor:
        return F.selu(input, self.inplace)


class SiLU(_InPlace):
    """``x · sigmoid(x)``, also called swish. Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016).
    PyTorch: torch.nn.SiLU"""

    def forward(self, input: Tensor) -> Tensor:
        return F.silu(input, self.inplace)


class Mish(_InPlace):
    """``x · tanh(softplus(x))``. Source: Misra, Mish (2019). PyTorch: torch.nn.Mish"""

    def forward(self, input: Tensor) -> Tensor:
        return F.mish(input, self.inplace)


class Hardsigmoid(_InPlace):
    """``min(max(0, x / 6 + 1/2), 1)``: a sigmoid of straight pieces.
    Source: Courbariaux et al., BinaryConnect (2015). PyTorch: torch.nn.Hardsigmoid"""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardsigmoid(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class Hardswish(_InPlace):
    """``x · min(max(0, x / 6 + 1/2), 1)``. Source: Howard et al., Searching for MobileNetV3 (2019).
    PyTorch: torch.nn.Hardswish"""

    def forward(self, input: Tensor) -> Tensor:
        return F.hardswish(input, self.inplace)

    def extra_repr(self) -> str:
        return ""


class LeakyReLU(_InPlace):
    """``max(0, x) + negative_slope · min(0, x)``.

    Args:
        negative_slope (float): the slope below zero.

    Source: Maas et al., Rectifier Nonlinearities Improve Neural Network Acoustic Models (2013).
    PyTorch: torch.nn.LeakyReLU
    """

    def __init__(self, negative_slope: float = 1e-2, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.negative_slope = negative_slope

    def forward(self, input: Tensor) -> Tensor:
        return F.leaky_relu(input, self.negative_slope, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"negative_slope={self.negative_slope}")


class RReLU(_InPlace):
    """``max(0, x) + slope · min(0, x)``: in training each slope is drawn between `lower` and `upper`, else it is their
    mean.

    Args:
        lower (float): the least slope.
        upper (float): the greatest slope.

    Source: Xu et al., Empirical Evaluation of Rectified Activations in Convolutional Network (2015).
    PyTorch: torch.nn.RReLU
    """

    def __init__(self, lower: float = 1.0 / 8, upper: float = 1.0 / 3, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.lower = lower
        self.upper = upper

    def forward(self, input: Tensor) -> Tensor:
        return F.rrelu(input, self.lower, self.upper, self.training, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"lower={self.lower}, upper={self.upper}")


class ELU(_InPlace):
    """``x`` above zero, ``alpha · (eˣ - 1)`` below.

    Args:
        alpha (float): minus the limit at -∞.

    Source: Clevert et al., Exponential Linear Units (2015). PyTorch: torch.nn.ELU
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return F.elu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"alpha={self.alpha}")


class CELU(_InPlace):
    """``max(0, x) + min(0, alpha · (e^(x / alpha) - 1))``: an ELU whose slope is continuous for every alpha.

    Args:
        alpha (float): minus the limit at -∞.

    Source: Barron, Continuously Differentiable Exponential Linear Units (2017). PyTorch: torch.nn.CELU
    """

    def __init__(self, alpha: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.alpha = alpha

    def forward(self, input: Tensor) -> Tensor:
        return F.celu(input, self.alpha, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"alpha={self.alpha}")


class Hardtanh(_InPlace):
    """``min(max(min_val, x), max_val)``: a tanh of straight pieces.

    Args:
        min_val (float): the lower bound.
        max_val (float): the upper bound.
        min_value, max_value (float, optional): their deprecated names.

    PyTorch: torch.nn.Hardtanh
    """

    def __init__(
        self,
        min_val: float = -1.0,
        max_val: float = 1.0,
        inplace: bool = False,
        min_value: float | None = None,
        max_value: float | None = None,
    ) -> None:
        super().__init__(inplace)
        for name, new, value in (("min_value", "min_val", min_value), ("max_value", "max_val", max_value)):
            if value is not None:
                text = f"keyword argument `{name}` is deprecated and renamed to `{new}`"
                warnings.warn(text, FutureWarning, stacklevel=2)
        self.min_val = min_val if min_value is None else min_value
        self.max_val = max_val if max_value is None else max_value
        if not self.max_val > self.min_val:
            raise AssertionError(f"max_val ({self.max_val}) must be greater than min_val ({self.min_val})")

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"min_val={self.min_val}, max_val={self.max_val}")


class ReLU6(Hardtanh):
    """``min(max(0, x), 6)``. Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).
    PyTorch: torch.nn.ReLU6"""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__(0.0, 6.0, inplace)

    def extra_repr(self) -> str:
        return "inplace=True" if self.inplace else ""


class Threshold(_InPlace):
    """``x`` where it exceeds `threshold`, else `value`.

    Args:
        threshold (float): what x must exceed to stay.
        value (float): what replaces it otherwise.

    PyTorch: torch.nn.Threshold
    """

    def __init__(self, threshold: float, value: float, inplace: bool = False) -> None:
        super().__init__(inplace)
        self.threshold = threshold
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return F.threshold(input, self.threshold, self.value, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"threshold={self.threshold}, value={self.value}")


class PReLU(Module):
    """``max(0, x) + weight · min(0, x)``, where the slope `weight` is learned.

    Input and output ``(N, C, *)``, or any shape if there is one slope.

    Args:
        num_parameters (int): 1, or C for a slope per channel.
        init (float): the initial slope.
        device: the CPU, if given.
        dtype (minigrad.dtype, optional): of the slope.

    Attributes:
        weight: ``(num_parameters,)``.

    Source: He et al., Delving Deep into Rectifiers (2015). PyTorch: torch.nn.PReLU
    """

    def __init__(self, num_parameters: int = 1, init: float = 0.25, device=None, dtype=None) -> None:
        super().__init__()
        self.num_parameters = num_parameters
        self.init = init
        self.weight = Parameter(minigrad.empty(num_parameters, device=device, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set every slope to its initial value."""
        init.constant_(self.weight, self.init)

    def forward(self, input: Tensor) -> Tensor:
        return F.prelu(input, self.weight)

    def extra_repr(self) -> str:
        return f"num_parameters={self.num_parameters}"


class GELU(Module):
    """``x · Φ(x)``, Φ the distribution function of N(0, 1).

    Args:
        approximate (str): "none", or "tanh" for ``x/2 · (1 + tanh(√(2/π) · (x + 0.044715 x³)))``.

    Source: Hendrycks and Gimpel, Gaussian Error Linear Units (2016). PyTorch: torch.nn.GELU
    """

    def __init__(self, approximate: str = "none") -> None:
        super().__init__()
        self.approximate = approximate

    def forward(self, input: Tensor) -> Tensor:
        return F.gelu(input, approximate=self.approximate)

    def extra_repr(self) -> str:
        return f"approximate={self.approximate!r}"


class Softplus(Module):
    """``log(1 + e^(beta · x)) / beta``: a smooth ReLU.

    Args:
        beta (float): how sharp the bend is.
        threshold (float): above ``beta · x > threshold`` the result is x, to avoid overflow.

    PyTorch: torch.nn.Softplus
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        super().__init__()
        self.beta = beta
        self.threshold = threshold

    def forward(self, input: Tensor) -> Tensor:
        return F.softplus(input, self.beta, self.threshold)

    def extra_repr(self) -> str:
        return f"beta={self.beta}, threshold={self.threshold}"


class Hardshrink(Module):
    """``x`` where ``|x| > lambd``, else 0. PyTorch: torch.nn.Hardshrink

    Args:
        lambd (float): half the width of the dead zone.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.hardshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Softshrink(Module):
    """``x - lambd`` where ``x > lambd``, ``x + lambd`` where ``x < -lambd``, else 0. PyTorch: torch.nn.Softshrink

    Args:
        lambd (float): half the width of the dead zone, at least 0.
    """

    def __init__(self, lambd: float = 0.5) -> None:
        super().__init__()
        self.lambd = lambd

    def forward(self, input: Tensor) -> Tensor:
        return F.softshrink(input, self.lambd)

    def extra_repr(self) -> str:
        return f"{self.lambd}"


class Tanh(Module):
    """``(eˣ - e⁻ˣ) / (eˣ + e⁻ˣ)``, in (-1, 1). PyTorch: torch.nn.Tanh"""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanh(input)


class Sigmoid(Module):
    """``1 / (1 + e⁻ˣ)``, in (0, 1). PyTorch: torch.nn.Sigmoid"""

    def forward(self, input: Tensor) -> Tensor:
        return F.sigmoid(input)


class LogSigmoid(Module):
    """``log(1 / (1 + e⁻ˣ))``, without overflow. PyTorch: torch.nn.LogSigmoid"""

    def forward(self, input: Tensor) -> Tensor:
        return F.logsigmoid(input)


class Softsign(Module):
    """``x / (1 + |x|)``, in (-1, 1). PyTorch: torch.nn.Softsign"""

    def forward(self, input: Tensor) -> Tensor:
        return F.softsign(input)


class Step(Module):
    """1 where ``x > 0``, 0 elsewhere: the perceptron's activation, with a straight-through gradient.

    The derivative of a step is 0. So that layers before it can learn, the backward passes the gradient through as if
    the step were not there, where ``|x| <= width``: an estimate, not the derivative. Not in PyTorch.

    Args:
        width (float): how far from 0 the gradient still passes; inf (all passes): Bengio et al. 2013; 1: Hubara et al.
            2016, binarized networks.
    """

    def __init__(self, width: float = math.inf) -> None:
        super().__init__()
        if not width > 0:
            raise ValueError(f"Step(): argument 'width': got {width}; expected a positive number, or inf to pass all")
        self.width = width

    def forward(self, input: Tensor) -> Tensor:
        return F.step(input, self.width)

    def extra_repr(self) -> str:
        return f"width={self.width}"


class Tanhshrink(Module):
    """``x - tanh(x)``. PyTorch: torch.nn.Tanhshrink"""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)
