"""Dropout and padding: layers' functions that are neither pointwise nor products."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite
from minigrad.samples import S, of


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
