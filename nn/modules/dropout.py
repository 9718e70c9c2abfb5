"""Dropout layers: in training, parts of the input are zeroed at random; in evaluation, nothing happens."""

from __future__ import annotations

from minigrad.nn import functional as F
from minigrad.nn.modules.module import Module
from minigrad.tensor import Tensor

__all__ = ["AlphaDropout", "Dropout", "Dropout1d", "Dropout2d", "Dropout3d", "FeatureAlphaDropout"]


class _Dropout(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_Dropout):
    """Zeroes each element with probability `p` and scales the others by ``1 / (1 - p)``, so that the mean stays.

    Only in training mode; after `eval` it is the identity. Input and output: any shape ``(*)``.

    Args:
        p (float): the probability of an element to be zeroed, 0 to 1.
        inplace (bool): write into the input.

    Source: Hinton et al., Improving neural networks by preventing co-adaptation of feature detectors (2012).
    PyTorch: torch.nn.Dropout
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_Dropout):
    """Zeroes whole channels of signals with probability `p` and scales the others by ``1 / (1 - p)``.

    Only in training mode. Input and output ``(N, C, L)`` or ``(C, L)``.

    Args:
        p (float): the probability of a channel to be zeroed, 0 to 1.
        inplace (bool): write into the input.

    Source: Tompson et al., Efficient Object Localization Using Convolutional Networks (2015).
    PyTorch: torch.nn.Dropout1d
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_Dropout):
    """Zeroes whole planes with probability `p` and scales the others by ``1 / (1 - p)``.

    Neighbouring pixels are alike, so zeroing single ones would take away little. Only in training mode.
    Input and output ``(N, C, H, W)`` or ``(N, C, L)``.

    Args:
        p (float): the probability of a plane to be zeroed, 0 to 1.
        inplace (bool): write into the input.

    Source: Tompson et al., Efficient Object Localization Using Convolutional Networks (2015).
    PyTorch: torch.nn.Dropout2d
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_Dropout):
    """Zeroes whole volumes with probability `p` and scales the others by ``1 / (1 - p)``.

    Only in training mode. Input and output ``(N, C, D, H, W)`` or ``(C, D, H, W)``.

    Args:
        p (float): the probability of a volume to be zeroed, 0 to 1.
        inplace (bool): write into the input.

    Source: Tompson et al., Efficient Object Localization Using Convolutional Networks (2015).
    PyTorch: torch.nn.Dropout3d
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_Dropout):
    """Dropout for networks of `SELU`: sets elements to SELU's least value, then scales and shifts all.

    Mean and variance stay as they are, which zeroing would not do. Only in training mode.
    Input and output: any shape ``(*)``.

    Args:
        p (float): the probability of an element to be dropped, 0 to 1.
        inplace (bool): accepted; as in PyTorch, the input is not written to.

    Source: Klambauer et al., Self-Normalizing Neural Networks (2017). PyTorch: torch.nn.AlphaDropout
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_Dropout):
    """`AlphaDropout` of whole channels.

    Only in training mode. Input and output ``(N, C, *)``.

    Args:
        p (float): the probability of a channel to be dropped, 0 to 1.
        inplace (bool): accepted; as in PyTorch, the input is not written to.

    Source: Klambauer et al., Self-Normalizing Neural Networks (2017). PyTorch: torch.nn.FeatureAlphaDropout
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
