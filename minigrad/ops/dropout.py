"""Dropout: elements or channels zeroed at random while training."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings

from minigrad.registry import FUNCTION, FUNCTIONAL, INPLACE, composite, helper, on_every_path


@helper
def dropped(op, input, mask, p, inplace, alpha):
    """The input with the part that `mask(keep)` gives 0 zeroed (or, for alpha, set to SELU's least value), and the rest
    scaled so that the mean (and for alpha the variance) stays."""
    if p == 1:
        nothing = zeros_of((), np_dtype(input))
        return input.mul_(nothing) if inplace else input * nothing
    if np_dtype(input).kind != "f":
        raise RuntimeError(f"{op}(): result type Float can't be cast to the desired output type {input.dtype}")
    kept = mask(1 - p)
    if not alpha:
        kept = kept / (1 - p)
        return input.mul_(kept) if inplace else input * kept
    least = 1.7580993408473766  # of SELU, with the sign changed: its alpha times its scale
    scale = 1 / ((least * least * p + 1) * (1 - p)) ** 0.5
    shift = (kept - 1) * (least * scale) + least * scale * p
    return input.mul_(kept * scale).add_(shift) if inplace else input * (kept * scale) + shift


@on_every_path("check_probability")
def check_probability(p):
    """PyTorch's check of the probability of a dropout."""
    if not 0 <= p <= 1:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")


@helper
def dropped_elements(op, input, p, training, inplace, alpha):
    """Dropout of single elements."""
    tensors_only(op, input=input)
    check_probability(p)
    if not training or p == 0 or not input_size(input):
        return input
    return dropped(op, input, lambda keep: bernoulli_like(input, keep), p, inplace, alpha)


@helper
def dropped_channels(op, input, p, training, inplace, alpha):
    """Dropout of whole channels of (N, C, ...)."""
    if not training or p == 0 or not input_size(input):
        return input
    if input.ndim < 2 and p != 1:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    planes, dtype = (*input.shape[:2], *[1] * (input.ndim - 2)), np_dtype(input)
    return dropped(op, input, lambda keep: bernoulli_mask(planes, keep, dtype), p, inplace, alpha)


@composite(public=(FUNCTION, FUNCTIONAL, INPLACE))
def dropout(input, p=0.5, training=True, inplace=False):
    """dropout(input, p=0.5, training=True, inplace=False) -> Tensor

    While training, zeros each element with probability p and scales the others by ``1 / (1 - p)``. The mask is the one
    PyTorch draws from the same seed. (Srivastava et al. 2014; F.dropout)
    """
    return dropped_elements("dropout", input, p, training, inplace, False)


@composite(public=(FUNCTION, FUNCTIONAL, INPLACE))
def alpha_dropout(input, p=0.5, training=False, inplace=False):
    """alpha_dropout(input, p=0.5, training=False, inplace=False) -> Tensor

    Dropout for SELU networks: elements are set to SELU's least value with probability p, and all scaled and shifted so
    that mean and variance stay. (Klambauer et al. 2017; F.alpha_dropout)
    """
    return dropped_elements("alpha_dropout", input, p, training, inplace, True)


@composite(public=(FUNCTIONAL,))
def dropout1d(input, p=0.5, training=True, inplace=False):
    """dropout1d(input, p=0.5, training=True, inplace=False) -> Tensor

    Dropout of whole channels of (N, C, L) or (C, L). (Tompson et al. 2015; F.dropout1d)
    """
    tensors_only("dropout1d", input=input)
    check_probability(p)
    if input.ndim not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.ndim}D input: use dropout for single elements"
        )
    if input.ndim == 3:
        return dropped_channels("dropout1d", input, p, training, inplace, False)
    out = dropped_channels("dropout1d", unsqueeze(input, 0), p, training, inplace, False)
    return input if inplace else squeeze(out, 0)


@composite(public=(FUNCTIONAL,))
def dropout2d(input, p=0.5, training=True, inplace=False):
    """dropout2d(input, p=0.5, training=True, inplace=False) -> Tensor

    Dropout of whole channels: of (N, C, ...), each of the N*C planes is kept or zeroed. (Tompson et al. 2015;
    F.dropout2d)
    """
    tensors_only("dropout2d", input=input)
    check_probability(p)
    if input.ndim != 4:
        warnings.warn(
            f"dropout2d: Received a {'3D' if input.ndim == 3 else f'{input.ndim}-D'} input to dropout2d, which is "
            "taken as (N, C, ...): each of its N*C planes is dropped as a whole. To silence this warning use dropout, "
            "or dropout1d for (N, C, L).",
            stacklevel=3,
        )
    return dropped_channels("dropout2d", input, p, training, inplace, False)


@composite(public=(FUNCTIONAL,))
def dropout3d(input, p=0.5, training=True, inplace=False):
    """dropout3d(input, p=0.5, training=True, inplace=False) -> Tensor

    Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W). (Tompson et al. 2015; F.dropout3d)
    """
    tensors_only("dropout3d", input=input)
    check_probability(p)
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated and will result in an error "
            "in a future release: expected (N, C, D, H, W) or (C, D, H, W).",
            stacklevel=3,
        )
    if input.ndim == 5:
        return dropped_channels("dropout3d", input, p, training, inplace, False)
    out = dropped_channels("dropout3d", unsqueeze(input, 0), p, training, inplace, False)
    return input if inplace else squeeze(out, 0)


@composite(public=(FUNCTION, FUNCTIONAL, INPLACE))
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """feature_alpha_dropout(input, p=0.5, training=False, inplace=False) -> Tensor

    `alpha_dropout` of whole channels of (N, C, ...). (PyTorch: F.feature_alpha_dropout)
    """
    tensors_only("feature_alpha_dropout", input=input)
    check_probability(p)
    return dropped_channels("feature_alpha_dropout", input, p, training, inplace, True)


@composite(public=(FUNCTION, INPLACE))
def feature_dropout(input, p, train):
    """feature_dropout(input, p, train) -> Tensor

    `dropout` of whole channels of (N, C, ...). (PyTorch: torch.feature_dropout)
    """
    tensors_only("feature_dropout", input=input)
    check_probability(p)
    return dropped_channels("feature_dropout", input, p, train, False, False)
