"""Interpolation: tensors made larger or smaller, one axis after the other, by tables of places and weights.

`resampled` is linear, and its transpose is itself with transposed tables: the family is closed under differentiation.
"""

# The names in prepare, forward's callers and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

from minigrad.errors import shape_text
from minigrad.kernels import resample as kernels
from minigrad.registry import FUNCTIONAL, Op, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, of
from minigrad.shapes import index_of


class resampled(Op):
    """Each output a weighted sum of a few inputs along every axis of `tables`; called by `interpolate` and `pad`."""

    public, fresh = (), True

    def symbol(node):
        return "pad" if "Pad" in node.attrs[1] else "interpolate"

    def backward_name(node):
        return f"{node.attrs[1]}Backward0"

    def forward(input, /, tables, kind):
        made = input
        for axis, taps in tables:
            made = kernels.resample(made, axis, taps)
        return made.copy() if made is input else made

    def grad_input(g, tables, kind):
        return resampled(g, transposed_tables(tables), kind)


on_every_path("transposed_tables")(lambda tables: [(axis, taps.transposed) for axis, taps in tables])

NAMES = {"linear": "Linear", "bilinear": "Bilinear", "trilinear": "Trilinear", "bicubic": "Bicubic"}
NEEDS = {"linear": 3, "bilinear": 4, "bicubic": 4, "trilinear": 5}


def interpolate_samples(make):
    """Each mode, up and down, by size and by scale."""
    yield S(make(2, 3, 5), 8)
    yield S(make(1, 2, 4, 5), scale_factor=(1.5, 0.7), mode="nearest-exact")
    yield S(make(2, 3, 5), 7, mode="linear", align_corners=True)
    yield S(make(1, 2, 4, 5), (7, 3), mode="bilinear")
    yield S(make(1, 2, 4, 5), scale_factor=1.7, mode="bicubic", align_corners=False)
    yield S(make(1, 2, 6, 7), (3, 9), mode="bilinear", antialias=True)
    yield S(make(1, 2, 3, 4, 2), (4, 3, 3), mode="trilinear", align_corners=False)
    yield S(make(1, 2, 6, 5), scale_factor=0.5, mode="area")


@composite(public=(FUNCTIONAL,), samples=interpolate_samples)
def interpolate(
    input,
    size=None,
    scale_factor=None,
    mode="nearest",
    align_corners=None,
    recompute_scale_factor=None,
    antialias=False,
):
    """interpolate(input, size=None, scale_factor=None, mode='nearest', align_corners=None,
    recompute_scale_factor=None, antialias=False) -> Tensor

    The last dimensions of (N, C, L), (N, C, H, W) or (N, C, D, H, W) resampled to `size`, or to
    ``floor(old size * scale_factor)``. mode: "nearest", "nearest-exact", "area" (means), "linear" (3-D), "bilinear" and
    "bicubic" (4-D), "trilinear" (5-D). align_corners: the outermost elements keep their places, instead of the outer
    edges. antialias (bilinear and bicubic): weights over a window that grows with the reduction, as Pillow's.
    (PyTorch: F.interpolate)
    """
    if mode in ("nearest", "area", "nearest-exact") and align_corners is not None:
        raise ValueError(
            "interpolate(): align_corners option can only be set with the interpolating modes: linear | bilinear | "
            f"bicubic | trilinear, but got mode {mode!r}"
        )
    out, scales = check_target(input, size, scale_factor, recompute_scale_factor, mode == "area")
    check_mode(mode, input.ndim, antialias)
    if mode == "area":
        return adaptive_average_of(input, out)
    refuse_dtype("upsample_" + mode, input, "bi" if mode.startswith("nearest") else "biu")
    if builtin_min(out) < 1 or not builtin_all(input.shape[1:]):
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input {shape_text(input.shape)} and output size "
            f"{list(out)} in interpolate()"
        )
    tables = interpolation(mode, input.shape[2:], out, scales, align_corners, antialias, np_dtype(input))
    return resampled(input, tables, upsample_name(mode, input.ndim - 2, antialias))


@helper
def adaptive_average_of(input, size):
    return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[input.ndim - 3](input, size)


@on_every_path("upsample_name")
def upsample_name(mode, count, antialias):
    """What PyTorch calls the node."""
    if mode in NAMES:
        return f"Upsample{NAMES[mode]}{count}D{'Aa' if antialias else ''}"
    return f"Upsample{'Nearest' if mode == 'nearest' else 'NearestExact'}{count}D"


@on_every_path("interpolation")
def interpolation(mode, image, out, scales, align_corners, antialias, dtype):
    """The (axis, table) pairs of the axes that change."""
    kind = "linear" if mode.endswith("linear") else "cubic" if mode == "bicubic" else mode
    make = kernels.antialiased_taps if antialias else kernels.interpolation_taps
    real = "f4" if dtype.itemsize < 8 else "f8"
    tables = [
        (axis, make(kind, n, m, s, bool(align_corners), real))
        for axis, (n, m, s) in enumerate(zip(image, out, scales, strict=True), 2)
    ]
    return [(axis, taps) for axis, taps in tables if len(taps.places) != taps.size or not is_identity(taps)]


def is_identity(taps):
    return taps.weights is None and all(taps.places[:, 0] == range(taps.size))


@on_every_path("check_target")
def check_target(input, size, scale_factor, recompute, by_sizes):
    """The size that is wanted and the scales to be used (None: by the sizes), one per dimension."""
    count = input.ndim - 2
    if size is not None and scale_factor is not None:
        raise ValueError("interpolate(): only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("interpolate(): either size or scale_factor should be defined")
    given = size if size is not None else scale_factor
    if isinstance(given, tuple | list) and len(given) != count:
        raise ValueError(
            "interpolate(): Input and output must have the same number of spatial dimensions, but got input with "
            f"spatial dimensions of {list(input.shape[2:])} and {list(given)}. Give the input as (N, C, d1, d2, ...) "
            "and one number for each d"
        )
    given = tuple(given) if isinstance(given, tuple | list) else (given,) * count
    if size is not None:
        if recompute:
            raise ValueError("interpolate(): recompute_scale_factor is not meaningful with an explicit size")
        return tuple([index_of(n, "interpolate", "size") for n in given]), (None,) * count
    if not all(isinstance(s, int | float) for s in given):
        raise TypeError(f"interpolate(): argument 'scale_factor' must be one or more numbers, not {scale_factor!r}")
    out = tuple([int(n * s) for n, s in zip(input.shape[2:], given, strict=True)])
    return out, (None,) * count if recompute or by_sizes else tuple([float(s) for s in given])


@on_every_path("check_mode")
def check_mode(mode, ndim, antialias):
    if antialias and not (mode in ("bilinear", "bicubic", "lanczos") and ndim == 4):
        raise ValueError(
            "interpolate(): Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D tensor as "
            f"input, but got mode {mode!r} and a {ndim}-D tensor"
        )
    if mode == "lanczos":
        raise NotImplementedError("interpolate(): mode 'lanczos' is not supported; use 'bicubic' with antialias=True")
    if not 3 <= ndim <= 5 or mode not in ("nearest", "nearest-exact", "area", *NEEDS):
        raise NotImplementedError(
            f"Input Error: Only 3D, 4D and 5D input Tensors supported (got {ndim}D) for the modes: nearest | linear | "
            f"bilinear | bicubic | trilinear | area | nearest-exact (got {mode}) in interpolate()"
        )
    if NEEDS.get(mode, ndim) != ndim:
        raise NotImplementedError(f"interpolate(): Got {ndim}D input, but {mode} mode needs {NEEDS[mode]}D input")


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(1, 2, 3, 4), scale_factor=2)))
def upsample(input, size=None, scale_factor=None, mode="nearest", align_corners=None):
    """upsample(input, size=None, scale_factor=None, mode='nearest', align_corners=None) -> Tensor

    `interpolate` by its old name. (PyTorch: F.upsample, deprecated there)
    """
    return interpolate(input, size, scale_factor, mode, align_corners)


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(1, 2, 3, 4), scale_factor=2)))
def upsample_nearest(input, size=None, scale_factor=None):
    """upsample_nearest(input, size=None, scale_factor=None) -> Tensor: `interpolate` with mode "nearest".
    (PyTorch: F.upsample_nearest, deprecated there)"""
    return interpolate(input, size, scale_factor)


@composite(public=(FUNCTIONAL,), samples=of(lambda make: S(make(1, 2, 3, 4), (5, 6))))
def upsample_bilinear(input, size=None, scale_factor=None):
    """upsample_bilinear(input, size=None, scale_factor=None) -> Tensor: `interpolate` with mode "bilinear" and
    align_corners. (PyTorch: F.upsample_bilinear, deprecated there)"""
    return interpolate(input, size, scale_factor, "bilinear", True)
