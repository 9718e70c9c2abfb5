"""Dropout and padding: layers' functions that are neither pointwise nor products."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import warnings

import numpy as np

from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, helper, on_every_path
from minigrad.samples import S, of


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
    is_tensor(op, "input", input)
    check_probability(p)
    if not training or p == 0 or not input_size(input):
        return input
    return dropped(op, input, lambda keep: bernoulli_like(input, keep), p, inplace, alpha)


@helper
def dropped_channels(op, input, p, training, inplace, alpha):
    """Dropout of whole channels of (N, C, ...)."""
    if not training or p == 0 or not input_size(input):
        return input
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    planes, dtype = (*input.shape[:2], *[1] * (input.ndim - 2)), np_dtype(input)
    return dropped(op, input, lambda keep: bernoulli_mask(planes, keep, dtype), p, inplace, alpha)


@composite(public=(FUNCTION, FUNCTIONAL))
def dropout(input, p=0.5, training=True, inplace=False):
    """dropout(input, p=0.5, training=True, inplace=False) -> Tensor

    While training, zeros each element with probability p and scales the others by ``1 / (1 - p)``. The mask is the one
    PyTorch draws from the same seed. (Srivastava et al. 2014; F.dropout)
    """
    return dropped_elements("dropout", input, p, training, inplace, False)


@composite(public=(FUNCTION, FUNCTIONAL))
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
    is_tensor("dropout1d", "input", input)
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
    is_tensor("dropout2d", "input", input)
    check_probability(p)
    if input.ndim != 4:
        warnings.warn(
            f"dropout2d: Received a {'3D' if input.ndim == 3 else f'{input.ndim}-D'} input to dropout2d, which is "
            "taken as (N, C, ...): each of its N*C planes is dropped as a whole. To silence this warning use dropout, "
            "or dropout1d for (N, C, L).",
            stacklevel=2,
        )
    return dropped_channels("dropout2d", input, p, training, inplace, False)


@composite(public=(FUNCTIONAL,))
def dropout3d(input, p=0.5, training=True, inplace=False):
    """dropout3d(input, p=0.5, training=True, inplace=False) -> Tensor

    Dropout of whole channels of (N, C, D, H, W) or (C, D, H, W). (Tompson et al. 2015; F.dropout3d)
    """
    is_tensor("dropout3d", "input", input)
    check_probability(p)
    if input.ndim not in (4, 5):
        warnings.warn(
            f"dropout3d: Received a {input.ndim}-D input to dropout3d, which is deprecated and will result in an error "
            "in a future release: expected (N, C, D, H, W) or (C, D, H, W).",
            stacklevel=2,
        )
    if input.ndim == 5:
        return dropped_channels("dropout3d", input, p, training, inplace, False)
    out = dropped_channels("dropout3d", unsqueeze(input, 0), p, training, inplace, False)
    return input if inplace else squeeze(out, 0)


@composite(public=(FUNCTION, FUNCTIONAL))
def feature_alpha_dropout(input, p=0.5, training=False, inplace=False):
    """feature_alpha_dropout(input, p=0.5, training=False, inplace=False) -> Tensor

    `alpha_dropout` of whole channels of (N, C, ...). (PyTorch: F.feature_alpha_dropout)
    """
    is_tensor("feature_alpha_dropout", "input", input)
    check_probability(p)
    return dropped_channels("feature_alpha_dropout", input, p, training, inplace, True)


class pad_constant(Op):
    """The input with a border of one value; called by `pad`."""

    public, backward_name = (), "ConstantPadNdBackward0"

    def forward(input, /, width, value):
        return np.pad(input, width, constant_values=value)

    def grad_input(g, input_shape, width):
        return unpad(g, input_shape, width)


class unpad(Op):
    """The inside of a border: the gradient of a constant padding."""

    public, view = (), True

    def forward(input, /, shape, width):
        return input[tuple([slice(before, before + n) for (before, _), n in zip(width, shape, strict=True)])]

    def grad_input(g, width):
        return pad_constant(g, width, 0)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(2, 3, 4), (1, 2)),
        lambda make: S(make(2, 3, 4, 5), (1, 0, 2, 1), value=0.5),
        lambda make: S(make(2, 3, 4, 5), (-1, 1, 0, -1)),
        lambda make: S(make(2, 3, 4, 5), (1, 2, 2, 1), mode="reflect"),
        lambda make: S(make(2, 3, 4, 5), (1, 2, 0, 1), mode="replicate"),
        lambda make: S(make(2, 3, 4, 5), (1, 2, 0, 1), mode="circular"),
    ),
)
def pad(input, pad, mode="constant", value=None):
    """pad(input, pad, mode='constant', value=None) -> Tensor

    A border around the last dimensions: pad is (before, after) of the last, then of the last but one, ...; negative
    widths cut. mode: "constant" (value, default 0), "reflect", "replicate", "circular". (PyTorch: F.pad)
    """
    if not isinstance(pad, tuple | list):
        raise TypeError(f"pad(): argument 'pad' must be tuple of ints, not {type(pad).__name__}")
    pad = tuple(pad)
    if len(pad) % 2:
        raise RuntimeError("Padding length must be divisible by 2")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.ndim}"
        )
    if mode != "constant":
        if value:
            raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
        return pad_by_index(input, pad, mode)
    for k in range(len(pad) // 2):
        dim, (before, after) = input.ndim - 1 - k, pad[2 * k : 2 * k + 2]
        if before < 0 or after < 0:
            size = input.shape[dim]
            start, stop = -before if before < 0 else 0, size + after if after < 0 else size
            if stop < start:
                raise RuntimeError(f"The input size {size}, plus negative padding {before} and {after}, is negative")
            input = narrow(input, dim, start, stop - start)
    widths = [(0, 0)] * input.ndim
    for k in range(len(pad) // 2):
        before, after = pad[2 * k : 2 * k + 2]
        widths[input.ndim - 1 - k] = (before if before > 0 else 0, after if after > 0 else 0)
    return pad_constant(input, tuple(widths), 0 if value is None else value)


@composite(public=())
def pad_by_index(input, pad, mode):
    """Borders made of the input's own elements: each padded dimension is an index into the old one."""
    for k in range(len(pad) // 2):
        dim, (before, after) = input.ndim - 1 - k, pad[2 * k : 2 * k + 2]
        size = input.shape[dim]
        places = np.arange(-before, size + after)
        if mode == "reflect":
            if before >= size or after >= size:
                raise RuntimeError(
                    f"Argument #4: Padding size should be less than the corresponding input dimension, but got: "
                    f"padding ({before}, {after}) at dimension {dim} of input {list(input.shape)}"
                )
            period = 2 * (size - 1) or 1
            places = np.abs((places + size - 1) % period - (size - 1)) if size > 1 else places * 0
        elif mode == "replicate":
            places = np.clip(places, 0, size - 1)
        elif mode == "circular":
            places = places % size
        else:
            raise NotImplementedError(f"Unrecognised padding mode {mode}")
        input = getitem(input, (*[slice(None)] * dim, places))
    return input
