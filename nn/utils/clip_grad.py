"""Clipping of gradients, against steps that are too large."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Iterator

import numpy as np

import minigrad
from minigrad.autograd import no_grad
from minigrad.autograd.general import quiet
from minigrad.autograd.node import bump
from minigrad.kernels.dispatch import FLOATS
from minigrad.tensor import Tensor, wrap

__all__ = ["clip_grad_norm", "clip_grad_norm_", "clip_grad_value_", "clip_grads_with_norm_", "get_total_norm"]


def listed(tensors):
    """One tensor or several as a list."""
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def grads_of(parameters):
    """The gradients of those that have one."""
    return [p.grad for p in parameters if p.grad is not None]


def _norm_of_all(arrays, norm_type):
    if norm_type == 2 and all([array.dtype in FLOATS for array in arrays]):
        flat = [array.reshape(-1) for array in arrays]
        norms = np.sqrt([np.dot(array, array) for array in flat])
        for k, array in enumerate(flat):
            if array.size == 1:  # its square may overflow, where it does not
                norms[k] = abs(array[0])
        total = norms[0] if len(norms) == 1 else math.sqrt(np.dot(norms, norms))
        return np.asarray(total, np.result_type(*arrays))
    wide = [array.astype(np.float32) if array.dtype == np.float16 else array for array in arrays]  # squares overflow
    norms = np.stack([_norm(array.reshape(-1), norm_type) for array in wide])
    return np.asarray(_norm(norms, norm_type), np.result_type(*arrays))


def _norm(array, norm_type):
    return np.linalg.norm(array, norm_type if array.size != 1 or norm_type == 0 else np.inf)


def get_total_norm(
    tensors: Iterable[Tensor] | Tensor, norm_type: float = 2.0, error_if_nonfinite: bool = False, foreach=None
) -> Tensor:
    """The norm of all tensors together, as if they were one vector: ``(Σ |x|^norm_type)^(1/norm_type)``, 0-dim.

    Args:
        tensors: tensors of any shapes.
        norm_type (float): 1, 2, ...; `inf` is the largest absolute value.
        error_if_nonfinite (bool): raise RuntimeError if the norm is nan or inf.
        foreach: ignored.

    PyTorch: torch.nn.utils.get_total_norm
    """
    arrays = [tensor.array for tensor in listed(tensors)]
    norm_type = float(norm_type)
    if not arrays:
        return minigrad.tensor(0.0)
    if (norm_type < 0 or norm_type == np.inf) and not all(array.size for array in arrays):
        raise RuntimeError(f"get_total_norm(): a tensor without elements has no norm of order {norm_type}")
    total = wrap(quiet.run(_norm_of_all, arrays, norm_type))
    if error_if_nonfinite and not np.isfinite(total.array):
        raise RuntimeError(
            f"The total norm of order {norm_type} for gradients from `parameters` is non-finite, so it cannot be "
            "clipped. To disable this error and scale the gradients by the non-finite norm anyway, set "
            "`error_if_nonfinite=False`"
        )
    return total


def clip_grads_with_norm_(
    parameters: Iterable[Tensor] | Tensor, max_norm: float, total_norm: Tensor, foreach=None
) -> None:
    """Scale all gradients, in place, by ``min(1, max_norm / (total_norm + 1e-6))``.

    PyTorch: torch.nn.utils.clip_grads_with_norm_
    """
    with no_grad():
        factor = (float(max_norm) / (total_norm + 1e-6)).clamp(max=1.0)
        for grad in grads_of(listed(parameters)):
            if type(grad.array) is np.ndarray and grad.array.dtype == factor.array.dtype in FLOATS:
                np.multiply(grad.array, factor.array, out=grad.array)
                bump(grad, "mul_")
            else:
                grad.mul_(factor)


def clip_grad_norm_(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach=None,
) -> Tensor:
    """Scale all gradients together, in place, so that their common norm is at most `max_norm`.

    Args:
        parameters: tensors whose `.grad` is clipped.
        max_norm (float): the bound.
        norm_type (float): 1, 2, ...; `inf` is the largest absolute value.
        error_if_nonfinite (bool): raise RuntimeError if the norm is nan or inf.
        foreach: ignored.

    Returns:
        the norm before clipping, 0-dim.

    Source: Pascanu et al., On the difficulty of training recurrent neural networks (2013).
    PyTorch: torch.nn.utils.clip_grad_norm_
    """
    lazy = isinstance(parameters, Iterator)
    parameters = listed(parameters)
    if lazy and not parameters:
        warnings.warn("`parameters` is an empty generator, no gradient clipping will occur.", stacklevel=2)
    total_norm = get_total_norm(grads_of(parameters), norm_type, error_if_nonfinite)
    clip_grads_with_norm_(parameters, max_norm, total_norm)
    return total_norm


def clip_grad_norm(
    parameters: Iterable[Tensor] | Tensor,
    max_norm: float,
    norm_type: float = 2.0,
    error_if_nonfinite: bool = False,
    foreach=None,
) -> Tensor:
    """`clip_grad_norm_` under its old name, with PyTorch's FutureWarning.

    PyTorch: torch.nn.utils.clip_grad_norm
    """
    warnings.warn(
        "`torch.nn.utils.clip_grad_norm` is now deprecated in favor of `torch.nn.utils.clip_grad_norm_`.",
        FutureWarning,
        stacklevel=2,
    )
    return clip_grad_norm_(parameters, max_norm, norm_type, error_if_nonfinite, foreach)


def clip_grad_value_(parameters: Iterable[Tensor] | Tensor, clip_value: float, foreach=None) -> None:
    """Clamp every element of every gradient, in place, to ``[-clip_value, clip_value]``.

    PyTorch: torch.nn.utils.clip_grad_value_
    """
    clip_value = float(clip_value)
    with no_grad():
        for grad in grads_of(listed(parameters)):
            grad.clamp_(-clip_value, clip_value)
