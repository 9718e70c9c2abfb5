"""Initial values for weights: PyTorch's torch.nn.init, drawing the same numbers for the same seed.

Each function fills its tensor in place, without recording, and returns it.  `generator` (a `minigrad.Generator`) says
from which stream the random ones draw; by default that of `minigrad.manual_seed`.

Signals keep their size through a layer when the variance of its weights is about 1/fan, fan being how many inputs
(``fan_in``) or outputs (``fan_out``) a unit is connected to; `calculate_gain` is the factor an activation asks for.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

import minigrad
from minigrad.autograd import no_grad
from minigrad.tensor import Tensor

__all__ = [
    "calculate_gain",
    "constant",
    "constant_",
    "dirac",
    "dirac_",
    "eye",
    "eye_",
    "kaiming_normal",
    "kaiming_normal_",
    "kaiming_uniform",
    "kaiming_uniform_",
    "normal",
    "normal_",
    "ones_",
    "orthogonal",
    "orthogonal_",
    "sparse",
    "sparse_",
    "trunc_normal_",
    "uniform",
    "uniform_",
    "xavier_normal",
    "xavier_normal_",
    "xavier_uniform",
    "xavier_uniform_",
    "zeros_",
]  # fmt: skip

GAIN_ONE = ("sigmoid", "linear", *(f"conv{t}{d}d" for t in ("", "_transpose") for d in (1, 2, 3)))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights should grow before an activation.

    1 for "linear", "conv…", "sigmoid"; 5/3 for "tanh"; √2 for "relu"; √(2 / (1 + slope²)) for "leaky_relu", whose slope
    is `param` (default 0.01); 3/4 for "selu". ValueError for other names.

    Source: He et al., Delving Deep into Rectifiers (2015). PyTorch: torch.nn.init.calculate_gain
    """
    if nonlinearity in GAIN_ONE:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, int | float):
            raise ValueError(f"negative_slope {slope} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity == "selu":
        return 3.0 / 4
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator=None) -> Tensor:
    """Fill with draws from the uniform distribution on [a, b). (PyTorch: torch.nn.init.uniform_)"""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator=None) -> Tensor:
    """Fill with draws from N(mean, std²). (PyTorch: torch.nn.init.normal_)"""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, a: float = -2.0, b: float = 2.0, generator=None
) -> Tensor:
    """Fill with draws from N(mean, std²) that fall into [a, b].

    Rejection sampling: from the normal distribution where [a, b] holds over 30 % of it, else from the uniform one on
    [a, b]. (PyTorch: torch.nn.init.trunc_normal_)
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )

    def below(x):
        return (1 + math.erf((x - mean) / (std * math.sqrt(2)))) / 2

    with no_grad():
        if below(b) - below(a) > 0.3:
            _reject_from_normal(tensor, mean, std, a, b, generator)
        else:
            _reject_from_uniform(tensor, mean, std, a, b, generator)
    return tensor


def _reject_from_normal(tensor, mean, std, a, b, generator):
    values = tensor.normal_(mean, std, generator=generator).array
    low, high = values.dtype.type(a), values.dtype.type(b)
    outside = (values < low) | (values > high)
    while outside.any():
        # All places draw again, as PyTorch does, so that the stream stays in step.
        drawn = minigrad.empty_like(tensor).normal_(mean, std, generator=generator).array
        values[outside] = drawn[outside]
        outside = (values < low) | (values > high)


@np.errstate(all="ignore")
def _reject_from_uniform(tensor, mean, std, a, b, generator):
    values = tensor.array
    number = values.dtype.type
    log_peak = number(-0.5 * ((max(a, min(mean, b)) - mean) / std) ** 2)
    pending = np.ones(values.shape, bool)
    while pending.any():
        drawn = minigrad.empty_like(tensor).uniform_(a, b, generator=generator).array
        values[pending] = drawn[pending]
        log_density = ((drawn - number(mean)) / number(std)) ** 2 * number(-0.5) - log_peak
        chance = np.log(minigrad.empty_like(tensor).uniform_(generator=generator).array)
        pending &= chance > log_density


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with one number. (PyTorch: torch.nn.init.constant_)"""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with ones. (PyTorch: torch.nn.init.ones_)"""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with zeros. (PyTorch: torch.nn.init.zeros_)"""
    with no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with the identity: a linear layer that passes its inputs on. (PyTorch: torch.nn.init.eye_)"""
    if tensor.dim() != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, but eye_ got {tensor.dim()}")
    with no_grad():
        return tensor.copy_(minigrad.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight ``(out, in, *kernel)`` so that each channel passes on unchanged, as far as there are
    as many in as out; within each of `groups` groups. (PyTorch: torch.nn.init.dirac_)"""
    if tensor.dim() not in (3, 4, 5):
        raise ValueError(f"Only tensors with 3, 4, or 5 dimensions are supported, but dirac_ got {tensor.dim()}")
    out, inner, *kernel = tensor.shape
    if out % groups != 0:
        raise ValueError(f"dim 0 must be divisible by groups, but is {out} for {groups} groups")
    centre = tuple(size // 2 for size in kernel)
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(out // groups, inner)):
                place = (group * (out // groups) + channel, channel, *centre)
                tensor[place] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor):
    if tensor.dim() < 2:
        raise ValueError("Fan in and fan out can not be computed for tensor with fewer than 2 dimensions")
    out, inner, *kernel = tensor.shape
    field = math.prod(kernel)
    return inner * field, out * field


def _fan(tensor, mode):
    if mode.lower() not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode.lower() == "fan_in" else fan_out


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Fill uniformly in ±gain · √(6 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010).
    PyTorch: torch.nn.init.xavier_uniform_
    """
    bound = math.sqrt(3.0) * (gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor)))))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator=None) -> Tensor:
    """Fill from N(0, std²), std = gain · √(2 / (fan_in + fan_out)).

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks (2010).
    PyTorch: torch.nn.init.xavier_normal_
    """
    std = gain * math.sqrt(2.0 / float(sum(_calculate_fan_in_and_fan_out(tensor))))
    return normal_(tensor, 0.0, std, generator)


def kaiming_uniform_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator=None
) -> Tensor:
    """Fill uniformly in ±gain · √(3 / fan).

    Args:
        a (float): the slope of "leaky_relu" below zero.
        mode (str): "fan_in" keeps the size of the signals, "fan_out" that of the gradients.
        nonlinearity (str): what follows the layer; its gain is used.

    Source: He et al., Delving Deep into Rectifiers (2015). PyTorch: torch.nn.init.kaiming_uniform_
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * (calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)))
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor, a: float = 0, mode: str = "fan_in", nonlinearity: str = "leaky_relu", generator=None
) -> Tensor:
    """Fill from N(0, std²), std = gain / √fan. Arguments and source are those of `kaiming_uniform_`.
    (PyTorch: torch.nn.init.kaiming_normal_)"""
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0, calculate_gain(nonlinearity, a) / math.sqrt(_fan(tensor, mode)), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator=None) -> Tensor:
    """Fill with a random matrix of orthonormal rows (or columns, if it is higher than wide), times `gain`.

    Dimensions after the first are taken as one. Works by the QR decomposition of normal draws.
    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear networks (2013).
    PyTorch: torch.nn.init.orthogonal_
    """
    if tensor.dim() < 2:
        raise ValueError(f"Only tensors with 2 or more dimensions are supported, but orthogonal_ got {tensor.dim()}")
    if tensor.numel() == 0:
        return tensor
    if tensor.dtype not in (minigrad.float32, minigrad.float64):
        raise NotImplementedError(
            f"orthogonal_(): not implemented for {tensor.dtype}; fill a float32 tensor and convert it"
        )
    rows = tensor.shape[0]
    drawn = minigrad.empty((rows, tensor.numel() // rows), dtype=tensor.dtype).normal_(0, 1, generator=generator).array
    wide = drawn.shape[0] < drawn.shape[1]
    q, r = np.linalg.qr(drawn.T if wide else drawn)
    q = q * np.sign(np.diag(r))  # makes the distribution uniform: Mezzadri, How to generate random matrices (2007)
    with no_grad():
        tensor.copy_(minigrad.from_numpy(np.ascontiguousarray(q.T if wide else q)).reshape(tensor.shape))
        return tensor.mul_(gain)


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator=None) -> Tensor:
    """Fill a matrix from N(0, std²) and set the fraction `sparsity` of each column to zero.

    Source: Martens, Deep learning via Hessian-free optimization (2010). PyTorch: torch.nn.init.sparse_
    """
    if tensor.dim() != 2:
        raise ValueError(f"Only tensors with 2 dimensions are supported, but sparse_ got {tensor.dim()}")
    rows, cols = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for col in range(cols):
            tensor[minigrad.randperm(rows)[:zeros], col] = 0  # PyTorch draws these from the default stream too
    return tensor


def _deprecated(function):
    """The function under its older name, without the underscore."""
    new, old = function.__name__, function.__name__[:-1]

    def deprecated(*args, **kwargs) -> Tensor:
        warnings.warn(f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.", FutureWarning, stacklevel=2)
        return function(*args, **kwargs)

    deprecated.__name__ = deprecated.__qualname__ = old
    deprecated.__doc__ = f"The deprecated name of `{new}`. (PyTorch: torch.nn.init.{old})"
    return deprecated


uniform, normal, constant = _deprecated(uniform_), _deprecated(normal_), _deprecated(constant_)
eye, dirac, orthogonal, sparse = _deprecated(eye_), _deprecated(dirac_), _deprecated(orthogonal_), _deprecated(sparse_)
xavier_uniform, xavier_normal = _deprecated(xavier_uniform_), _deprecated(xavier_normal_)
kaiming_uniform, kaiming_normal = _deprecated(kaiming_uniform_), _deprecated(kaiming_normal_)
