"""Layers that only change the shape: Flatten, Unflatten."""

from __future__ import annotations

from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["Flatten", "Unflatten"]


class Flatten(Module):
    """Joins the dimensions `start_dim` to `end_dim` into one; by default all but the first, the batch.

    Input ``(*, S_start, ..., S_end, *)``, output ``(*, S_start · ... · S_end, *)``.

    Args:
        start_dim (int): the first dimension joined.
        end_dim (int): the last one.

    PyTorch: torch.nn.Flatten
    """

    def __init__(self, start_dim: int = 1, end_dim: int = -1) -> None:
        super().__init__()
        self.start_dim = start_dim
        self.end_dim = end_dim

    def forward(self, input: Tensor) -> Tensor:
        return input.flatten(self.start_dim, self.end_dim)

    def extra_repr(self) -> str:
        return f"start_dim={self.start_dim}, end_dim={self.end_dim}"


class Unflatten(Module):
    """Splits one dimension into several: the reverse of `Flatten`.

    Input ``(*, S_dim, *)``, output ``(*, *unflattened_size, *)``.

    Args:
        dim (int): the dimension to split.
        unflattened_size (tuple or list of ints): its new sizes; one may be -1.

    PyTorch: torch.nn.Unflatten
    """

    def __init__(self, dim: int, unflattened_size) -> None:
        super().__init__()
        if not isinstance(dim, int):
            raise TypeError(
                f"unflattened_size must be a tuple of ints with an int dim, but dim is {dim!r}: "
                "named dimensions are not supported"
            )
        if not isinstance(unflattened_size, tuple | list):
            raise TypeError(f"unflattened_size must be tuple of ints, but found type {type(unflattened_size).__name__}")
        for position, size in enumerate(unflattened_size):
            if not isinstance(size, int):
                raise TypeError(
                    f"unflattened_size must be tuple of ints, but found element of type {type(size).__name__} "
                    f"at pos {position}"
                )
        self.dim = dim
        self.unflattened_size = unflattened_size

    def forward(self, input: Tensor) -> Tensor:
        return input.unflatten(self.dim, self.unflattened_size)

    def extra_repr(self) -> str:
        return f"dim={self.dim}, unflattened_size={self.unflattened_size}"
