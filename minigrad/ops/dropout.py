"""Dropout: elements or channels zeroed at random while training."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

from minigrad.registry import FUNCTION, FUNCTIONAL, composite


@composite(public=(FUNCTION, FUNCTIONAL))
def dropout(input, p=0.5, training=True, inplace=False):
    """dropout(input, p=0.5, training=True, inplace=False) -> Tensor

    While training, zeros each element with probability p and scales the others by ``1 / (1 - p)``. The mask is the one
    PyTorch draws from the same seed. (Srivastava et al. 2014; F.dropout)
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    if p == 1:
        mask = zeros_of(input.shape, np_dtype(input))
    else:
        mask = bernoulli_mask(input.shape, 1 - p, np_dtype(input)) / (1 - p)
    return input.mul_(mask) if inplace else input * mask


@composite(public=(FUNCTIONAL,))
def dropout2d(input, p=0.5, training=True, inplace=False):
    """dropout2d(input, p=0.5, training=True, inplace=False) -> Tensor

    Dropout of whole channels: of (N, C, ...), each of the N*C planes is kept or zeroed. (Tompson et al. 2015;
    F.dropout2d)
    """
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not training or p == 0:
        return input
    if input.ndim < 3:
        raise RuntimeError(f"dropout2d(): expected (N, C, H, W) or (N, C, L), but got {input.ndim}-D: use dropout")
    planes = (*input.shape[:2], *[1] * (input.ndim - 2))
    if p == 1:
        mask = zeros_of(planes, np_dtype(input))
    else:
        mask = bernoulli_mask(planes, 1 - p, np_dtype(input)) / (1 - p)
    return input.mul_(mask) if inplace else input * mask
