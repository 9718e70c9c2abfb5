"""Activations as layers: each calls the function of `minigrad.nn.functional` that bears its name.

All take and give tensors of any shape ``(*)``, elementwise, unless their docstring says otherwise.  ``inplace=True``
writes the result into the input.  The formulas' plots are in the course; PyTorch's page of the same name has them too.
"""

from __future__ import annotations

import minigrad
from minigrad.nn import functional as F
from minigrad.nn import init
from minigrad.nn.modules.attention import MultiheadAttention
from minigrad.nn.modules.module import Module
from minigrad.nn.parameter import Parameter
from minigrad.tensor import Tensor

__all__ = [
    "CELU",
    "ELU",
    "GELU",
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
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Softmax",
    "Softmin",
    "Softplus",
    "Softshrink",
    "Softsign",
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


class ReLU6(_InPlace):
    """``min(max(0, x), 6)``. Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10 (2010).
    PyTorch: torch.nn.ReLU6"""

    def forward(self, input: Tensor) -> Tensor:
        return F.relu6(input, self.inplace)


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

    PyTorch: torch.nn.Hardtanh
    """

    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False) -> None:
        super().__init__(inplace)
        if not max_val > min_val:
            raise AssertionError(f"max_val ({max_val}) must be greater than min_val ({min_val})")
        self.min_val = min_val
        self.max_val = max_val

    def forward(self, input: Tensor) -> Tensor:
        return F.hardtanh(input, self.min_val, self.max_val, self.inplace)

    def extra_repr(self) -> str:
        return self._and_inplace(f"min_val={self.min_val}, max_val={self.max_val}")


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


class Tanhshrink(Module):
    """``x - tanh(x)``. PyTorch: torch.nn.Tanhshrink"""

    def forward(self, input: Tensor) -> Tensor:
        return F.tanhshrink(input)


class _AlongDim(Module):
    """A softmax: its setting is the dimension along which the results sum to 1."""

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
