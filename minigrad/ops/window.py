"""Windows of images laid out as columns and added back, and channels rearranged into pixels: views of one image as
another, without arithmetic.

`windows_as_columns` and `overlapped` are each other's transposes, so the family is closed under differentiation.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

from minigrad.errors import shape_text
from minigrad.kernels import conv as kernels
from minigrad.registry import FUNCTION, FUNCTIONAL, Op, composite, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of, pair


@on_every_path("refuse_dtype")
def refuse_dtype(op, input, kinds):
    """PyTorch's error where an op has no meaning for a kind of dtype ("b", "i", "u")."""
    if np_dtype(input).kind in kinds:
        raise NotImplementedError(f"\"{op}_cpu\" not implemented for '{input.dtype}': convert the input with .to()")


class windows_as_columns(Op):
    """The windows of images (N, C, H, W) as columns (N, C * KH * KW, positions); called by `unfold`."""

    public, fresh, symbol, backward_name = (), True, "unfold", "Im2ColBackward0"

    def forward(input, /, window, stride, padding, dilation):
        columns = kernels.numpy_columns(input, window, stride, padding, dilation)
        positions = math.prod(columns.shape[4:])
        return columns.reshape(len(input), input.shape[1] * math.prod(window), positions)

    def grad_input(g, input_shape, window, stride, padding, dilation):
        return overlapped(g, input_shape[2:], window, stride, padding, dilation)


class overlapped(Op):
    """Columns (N, C * KH * KW, positions) added up in images (N, C, H, W); called by `fold`."""

    public, fresh, symbol, backward_name = (), True, "fold", "Col2ImBackward0"

    def forward(input, /, image, window, stride, padding, dilation):
        positions = window_positions(image, window, stride, padding, dilation)
        columns = input.reshape(len(input), input.shape[1] // math.prod(window), *window, *positions)
        return kernels.numpy_fold(columns, image, stride, padding, dilation)

    def grad_input(g, window, stride, padding, dilation):
        return windows_as_columns(g, window, stride, padding, dilation)


def window_positions(image, window, stride, padding, dilation):
    """How many positions a window has along each axis."""
    settings = zip(image, window, stride, padding, dilation, strict=True)
    return [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in settings]


@on_every_path("two")
def two(value, op, argument):
    """An int or two as a pair: a tuple of one is not taken for two here, as it is elsewhere."""
    made = pair(value, op, argument)
    if isinstance(value, tuple | list) and len(value) == 1:
        raise RuntimeError(f"{op}(): It is expected {argument} equals to 2, but got size 1: give one int or two")
    return made


@on_every_path("window_settings")
def window_settings(op, kernel_size, dilation, padding, stride):
    """(window, stride, padding, dilation) as pairs, checked."""
    given = {"kernel_size": kernel_size, "stride": stride, "padding": padding, "dilation": dilation}
    made = {name: two(value, op, name) for name, value in given.items()}
    for name, values in made.items():
        if min(values) < (0 if name == "padding" else 1):
            raise RuntimeError(f"{op}(): {name} should be greater than zero, but got {list(values)}")
    return tuple(made.values())


# Tensor.unfold is another function, so this block has another name than the one it is known by.
@composite(
    public=(),
    alias=("functional.unfold",),
    samples=of(
        lambda make: S(make(2, 3, 5, 6), (2, 3)),
        lambda make: S(make(3, 5, 6), 2, dilation=2, padding=1, stride=(2, 1)),
    ),
)
def im2col(input, kernel_size, dilation=1, padding=0, stride=1):
    """unfold(input, kernel_size, dilation=1, padding=0, stride=1) -> Tensor

    The windows of (N, C, H, W) or (C, H, W) as columns (N, C * KH * KW, L), L being the number of positions of the
    window. (PyTorch: F.unfold)
    """
    window, stride, padding, dilation = window_settings("unfold", kernel_size, dilation, padding, stride)
    if input.ndim not in (3, 4) or not builtin_all(input.shape[-3:]):
        error = IndexError if input.ndim < 3 else RuntimeError
        raise error(
            "unfold(): Expected 3D or 4D (batch mode) tensor with possibly 0 batch size and other non-zero dimensions "
            f"for input, but got: {shape_text(input.shape)}"
        )
    if builtin_min(positions_of(input.shape[-2:], window, stride, padding, dilation)) < 1:
        raise RuntimeError(
            f"unfold(): Given input with spatial size {shape_text(input.shape[-2:])}, kernel_size={window}, dilation="
            f"{dilation}, padding={padding}, stride={stride}: the window does not fit"
        )
    refuse_dtype("im2col", input, "iu")
    if input.ndim == 3:
        return squeeze(windows_as_columns(unsqueeze(input, 0), window, stride, padding, dilation), 0)
    return windows_as_columns(input, window, stride, padding, dilation)


on_every_path("positions_of")(window_positions)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(2, 12, 9), (4, 5), (2, 3)),
        lambda make: S(make(2, 8, 4), (3, 3), 2),
        lambda make: S(make(8, 18), (5, 6), 2, dilation=2, padding=1, stride=(2, 1)),
    ),
)
def fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1):
    """fold(input, output_size, kernel_size, dilation=1, padding=0, stride=1) -> Tensor

    Columns (N, C * KH * KW, L) or (C * KH * KW, L) added up in images (N, C, *output_size): the transpose of `unfold`.
    (PyTorch: F.fold)
    """
    window, stride, padding, dilation = window_settings("fold", kernel_size, dilation, padding, stride)
    image = two(output_size, "fold", "output_size")
    if builtin_min(image) < 1:
        raise RuntimeError(f"fold(): Expected output spatial size to be positive, but got {list(image)}")
    if input.ndim not in (2, 3) or not builtin_all(input.shape[-2:]):
        raise RuntimeError(
            "fold(): Expected 2D or 3D (batch mode) tensor for input with possibly 0 batch size and non-zero "
            f"dimensions for input, but got: {shape_text(input.shape)}"
        )
    entries = window[0] * window[1]
    if input.shape[-2] % entries:
        raise RuntimeError(
            f"fold(): Expected size of input's dimension 1 to be divisible by the product of kernel_size, but got "
            f"input.size(1)={input.shape[-2]} and kernel_size={window}"
        )
    rows, columns = positions_of(image, window, stride, padding, dilation)
    if rows < 1 or columns < 1 or rows * columns != input.shape[-1]:
        raise RuntimeError(
            f"fold(): Given output_size={image}, kernel_size={window}, dilation={dilation}, padding={padding}, stride="
            f"{stride}, expected size of input's dimension 2 to match the calculated number of sliding blocks "
            f"{rows} * {columns} = {rows * columns}, but got input.size(2)={input.shape[-1]}"
        )
    refuse_dtype("col2im", input, "iu")
    if input.ndim == 2:
        return squeeze(overlapped(unsqueeze(input, 0), image, window, stride, padding, dilation), 0)
    return overlapped(input, image, window, stride, padding, dilation)


@composite(
    backward_name="PixelShuffleBackward0",
    public=(FUNCTION, FUNCTIONAL),
    samples=of(lambda make: S(make(2, 8, 2, 3), 2)),
)
def pixel_shuffle(input, upscale_factor):
    """pixel_shuffle(input, upscale_factor) -> Tensor

    Channels (..., C r², H, W) laid out as pixels (..., C, H r, W r). (Shi et al. 2016; PyTorch: F.pixel_shuffle)
    """
    r = index_of(upscale_factor, "pixel_shuffle", "upscale_factor")
    if input.ndim < 3:
        raise RuntimeError(
            f"pixel_shuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r < 1:
        raise RuntimeError(f"pixel_shuffle expects a positive upscale_factor, but got {r}")
    *lead, channels, height, width = input.shape
    if channels % (r * r):
        raise RuntimeError(
            "pixel_shuffle expects its input's 'channel' dimension to be divisible by the square of upscale_factor, "
            f"but input.size(-3)={channels} is not divisible by {r * r}"
        )
    parts = reshape(input, (*lead, channels // (r * r), r, r, height, width))
    n = len(lead)
    return reshape(
        permute(parts, (*range(n), n, n + 3, n + 1, n + 4, n + 2)),
        (*lead, channels // (r * r), height * r, width * r),
    )


@composite(
    backward_name="PixelUnshuffleBackward0",
    public=(FUNCTION, FUNCTIONAL),
    samples=of(lambda make: S(make(2, 2, 4, 6), 2)),
)
def pixel_unshuffle(input, downscale_factor):
    """pixel_unshuffle(input, downscale_factor) -> Tensor

    The inverse of `pixel_shuffle`: (..., C, H r, W r) to (..., C r², H, W). (PyTorch: F.pixel_unshuffle)
    """
    r = index_of(downscale_factor, "pixel_unshuffle", "downscale_factor")
    if input.ndim < 3:
        raise RuntimeError(
            f"pixel_unshuffle expects input to have at least 3 dimensions, but got input with {input.ndim} dimension(s)"
        )
    if r < 1:
        raise RuntimeError(f"pixel_unshuffle expects a positive downscale_factor, but got {r}")
    *lead, channels, height, width = input.shape
    if height % r or width % r:
        raise RuntimeError(
            f"pixel_unshuffle expects height and width to be divisible by downscale_factor, but {height} x {width} is "
            f"not divisible by {r}"
        )
    parts = reshape(input, (*lead, channels, height // r, r, width // r, r))
    n = len(lead)
    return reshape(
        permute(parts, (*range(n), n, n + 2, n + 4, n + 1, n + 3)),
        (*lead, channels * r * r, height // r, width // r),
    )


@composite(
    public=(FUNCTION, FUNCTIONAL), samples=of(lambda make: S(make(2, 6, 2, 3), 3), lambda make: S(make(1, 4, 3), 2))
)
def channel_shuffle(input, groups):
    """channel_shuffle(input, groups) -> Tensor

    The channels of (N, C, ...) taken in turn from each of `groups` groups. (Zhang et al. 2017; F.channel_shuffle)
    """
    groups = index_of(groups, "channel_shuffle", "groups")
    if input.ndim < 3:
        raise RuntimeError(
            f"channel_shuffle expects input with > 2 dims, but got input with sizes {shape_text(input.shape)}"
        )
    if groups < 1:
        raise RuntimeError(
            f"Number of groups to divide channels in must be positive, but channel_shuffle() got {groups}"
        )
    images, channels, *rest = input.shape
    if channels % groups:
        raise RuntimeError(
            f"Number of channels must be divisible by groups. Got {channels} channels and {groups} groups in "
            "channel_shuffle()"
        )
    parts = reshape(input, (images, groups, channels // groups, *rest))
    return reshape(transpose(parts, 1, 2), (images, channels, *rest))
