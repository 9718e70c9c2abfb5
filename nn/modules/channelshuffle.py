"""Channels in another order: ChannelShuffle."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["ChannelShuffle"]


class ChannelShuffle(Module):
    """The channels taken in turn from each of the groups, so that the next grouped convolution sees all of them.

    Input and output ``(N, C, *)``; C is divisible by `groups`.

    Args:
        groups (int): how many groups the channels come in.

    Source: Zhang et al., ShuffleNet (2017). PyTorch: torch.nn.ChannelShuffle
    """

    def __init__(self, groups: int) -> None:
        super().__init__()
        self.groups = groups

    def forward(self, input: Tensor) -> Tensor:
        return F.channel_shuffle(input, self.groups)

    def extra_repr(self) -> str:
        return f"groups={self.groups}"
