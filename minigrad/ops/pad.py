"""Borders: constant ones, and those made of the tensor's own elements."""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import numpy as np

from minigrad.errors import shape_text
from minigrad.kernels.resample import padding_taps
from minigrad.ops.window import refuse_dtype
from minigrad.registry import FUNCTIONAL, Op, composite, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of


class pad_constant(Op):
    """The input with a border of one value; called by `pad`."""

    public, backward_name = (), "ConstantPadNdBackward0"

    def forward(input, /, width, value):
        return np.pad(input, width, constant_values=value) if width else input.copy()

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
        lambda make: S(make(2, 3, 4, 5), (1, -2, 0, 1), mode="replicate"),
        lambda make: S(make(2, 3, 4, 5), (1, 2, 0, -1), mode="circular"),
    ),
)
def pad(input, pad, mode="constant", value=None):
    """pad(input, pad, mode='constant', value=None) -> Tensor

    A border around the last dimensions: pad is (before, after) of the last, then of the last but one, ...; negative
    widths cut. mode: "constant" (value, default 0; any dimensions), or of the last one, two or three dimensions of
    (N, C, ...) or (C, ...): "reflect", "replicate" (the edge again), "circular". (PyTorch: F.pad)
    """
    widths, count = border_widths(pad, input)
    if mode != "constant":
        check_border(input, widths, count, mode, value)
        return resampled(input, border_tables(input.shape, widths, mode), BORDERS[mode] + f"Pad{count}D")
    for dim, (before, after) in enumerate(widths):
        if before < 0 or after < 0:
            size = input.shape[dim]
            start, stop = -before if before < 0 else 0, size + after if after < 0 else size
            input = narrow(input, dim, start, stop - start)
    kept = tuple([(before if before > 0 else 0, after if after > 0 else 0) for before, after in widths])
    if value is not None:
        check_fits(np_dtype(input), value)
    return pad_constant(input, kept, 0 if value is None else value)


BORDERS = {"reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}


@on_every_path("border_widths")
def border_widths(pad, input):
    """F.pad's argument as (before, after) per dimension of the input, and how many dimensions it names."""
    if not isinstance(pad, tuple | list):
        raise TypeError(f"pad(): argument 'pad' must be tuple of ints, not {type(pad).__name__}")
    pad = [index_of(n, "pad", "pad") for n in pad]
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, but pad() got {pad}")
    if len(pad) > 2 * input.ndim:
        raise RuntimeError(
            f"Padding length should be less than or equal to two times the input dimension but got padding length "
            f"{len(pad)} and input of dimension {input.ndim}"
        )
    given = list(zip(pad[::2], pad[1::2], strict=True))[::-1]
    return [(0, 0)] * (input.ndim - len(given)) + given, len(given)


@on_every_path("check_border")
def check_border(input, widths, count, mode, value):
    """What borders of the tensor's own elements ask for."""
    if mode not in BORDERS:
        raise NotImplementedError(
            f"Unrecognised padding mode {mode!r} in pad(): use 'constant', 'reflect', 'replicate' or 'circular'"
        )
    if value:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument, but pad() got value={value}')
    shape = input.shape
    if count not in (1, 2, 3) or input.ndim not in (count + 1, count + 2):
        raise NotImplementedError(
            f"pad(): {count} padded dimensions of a {input.ndim}-D input are not supported with mode {mode!r}; pad the "
            "last one, two or three dimensions of (N, C, ...) or (C, ...)"
        )
    if mode != "circular":
        refuse_dtype(BORDERS[mode].lower() + f"_pad{count}d", input, "b")
        if not all(shape[1:]) or (input.ndim == count + 1 and not shape[0]):
            raise RuntimeError(f"pad(): only the batch may be empty, but got input of shape {shape_text(shape)}")
    for dim, (n, (before, after)) in enumerate(zip(shape, widths, strict=True)):
        if n + before + after < (0 if mode == "circular" else 1) and dim >= input.ndim - count:
            raise RuntimeError(
                f"pad(): input of size {n} is too small for padding ({before}, {after}) at dimension {dim} of "
                f"{shape_text(shape)}"
            )
        if mode == "reflect" and max(before, after) >= n > 0 and (before or after):
            raise RuntimeError(
                f"Argument #4: Padding size should be less than the corresponding input dimension, but got: padding "
                f"({before}, {after}) at dimension {dim} of input {shape_text(shape)}"
            )
        if mode == "circular" and max(before, after) > n:
            raise RuntimeError(
                f"Padding value causes wrapping around more than once: pad() got ({before}, {after}) at dimension "
                f"{dim} of input {shape_text(shape)}"
            )


@on_every_path("border_tables")
def border_tables(shape, widths, mode):
    """The (axis, table) pairs of the padded axes."""
    return [
        (axis, padding_taps(n, before, after, mode))
        for axis, (n, (before, after)) in enumerate(zip(shape, widths, strict=True))
        if before or after
    ]
