"""`GradBucket`: the gradients that a communication hook is given. (PyTorch: torch.distributed.GradBucket)"""

from __future__ import annotations

from minigrad.tensor import Tensor

__all__ = ["GradBucket"]


class GradBucket:
    """Gradients of some parameters in one flat tensor, not yet divided by the number of processes."""

    def __init__(
        self, index: int, buffer: Tensor, gradients: list[Tensor], parameters: list[Tensor], last: bool
    ) -> None:
        self._index, self._buffer, self._gradients, self._parameters, self._last = (
            index, buffer, gradients, parameters, last
        )  # fmt: skip

    def index(self) -> int:
        """Its number, in the order in which buckets are sent."""
        return self._index

    def buffer(self) -> Tensor:
        """All gradients, flat: ``(n,)``."""
        return self._buffer

    def gradients(self) -> list[Tensor]:
        """The parts of the buffer, each of the shape of its parameter."""
        return self._gradients

    def parameters(self) -> list[Tensor]:
        """The parameters, in the order of `gradients`."""
        return self._parameters

    def is_last(self) -> bool:
        """Whether it is the last one of this backward."""
        return self._last

    def set_buffer(self, buffer: Tensor) -> None:
        """Let the bucket hold other values, of the same shape."""
        self._buffer.copy_(buffer)
