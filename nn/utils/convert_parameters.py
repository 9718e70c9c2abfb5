"""All parameters of a model as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import minigrad
from minigrad.tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All parameters, flattened and joined: ``(total number of elements,)``. Differentiable.

    PyTorch: torch.nn.utils.parameters_to_vector
    """
    return minigrad.cat([param.reshape(-1) for param in parameters])


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Make the parameters the successive pieces of `vec`, sharing its memory.

    Args:
        vec (Tensor): ``(total number of elements,)``.
        parameters: tensors whose values are replaced.

    Raises:
        TypeError: if `vec` is no tensor.
        RuntimeError: if it is too short.

    PyTorch: torch.nn.utils.vector_to_parameters
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    start = 0
    for param in parameters:
        count = param.numel()
        param.data = vec[start : start + count].view_as(param).data
        start += count
