"""Sampling images at points given as numbers between -1 and 1: spatial transformers (Jaderberg et al. 2015).

Composites of gathers and polynomials, so that derivatives by the image and by the points come with them.
"""

# The names in the functions here are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import itertools
import math
import warnings

import numpy as np

from minigrad.errors import shape_text
from minigrad.ops.window import refuse_dtype
from minigrad.registry import FUNCTIONAL, composite, helper, np_dtype, on_every_path
from minigrad.samples import S, of


def grid_samples(make):
    """Points inside and outside, each mode and border."""
    yield S(make(2, 2, 3, 4), make(2, 2, 1, 2, low=-1.2, high=1.2), align_corners=False)
    yield S(make(1, 1, 3, 4), make(1, 3, 1, 2, low=-1.5, high=1.5), "bicubic", "border", align_corners=True)
    yield S(make(1, 1, 3, 4, 2), make(1, 1, 2, 1, 3, low=-1.4, high=1.4), "bilinear", "reflection", False)
    yield S(make(1, 2, 3, 4), make(1, 3, 1, 2, low=-1.5, high=1.5), "nearest", "zeros", True)


@composite(public=(FUNCTIONAL,), samples=grid_samples)
def grid_sample(input, grid, mode="bilinear", padding_mode="zeros", align_corners=None):
    """grid_sample(input, grid, mode='bilinear', padding_mode='zeros', align_corners=None) -> Tensor

    The images (N, C, H, W) at the points of grid (N, OH, OW, 2), whose (x, y) run from -1 to 1: (N, C, OH, OW). Volumes
    (N, C, D, H, W) with a grid (N, OD, OH, OW, 3) alike. mode: "bilinear", "nearest" or (4-D) "bicubic". padding_mode,
    for points outside: "zeros", "border" or "reflection". align_corners: -1 and 1 are the middles of the outermost
    pixels, not their outer edges. (PyTorch: F.grid_sample)
    """
    check_grid(input, grid, mode, padding_mode)
    align_corners = corners_aligned(align_corners)
    sizes = input.shape[2:]
    count, points = len(sizes), grid.shape[1:-1]
    at = []
    for d in range(count):  # the last coordinate of a point is that of the first dimension
        along = reshape(select(grid, -1, count - 1 - d), (grid.shape[0], math.prod(points)))
        n = sizes[d]
        at.append((along + 1) / 2 * (n - 1) if align_corners else ((along + 1) * n - 1) / 2)
    pixels = reshape(movedim(input, 1, -1), (input.shape[0] * math.prod(sizes), input.shape[1]))
    if mode == "bicubic":
        sampled = sample_cubic(pixels, sizes, at, padding_mode, align_corners)
    else:
        at = [into_image(x, n, padding_mode, align_corners) for x, n in zip(at, sizes, strict=True)]
        sampled = sample_nearest(pixels, sizes, at) if mode == "nearest" else sample_linear(pixels, sizes, at)
    return contiguous_copy(movedim(reshape(sampled, (input.shape[0], *points, input.shape[1])), -1, 1))


@helper
def sample_nearest(pixels, sizes, at):
    one = sign(abs(numbered(at[0])) + 1)  # its gradient is 0: the points get zeros, as in PyTorch, and not None
    return texels(pixels, sizes, [round(x.detach()) for x in at], one)


@helper
def sample_linear(pixels, sizes, at):
    """The weighted sum of the 2, 4 or 8 neighbours of each point."""
    first = [floor(x.detach()) for x in at]
    further = [x - low for x, low in zip(at, first, strict=True)]
    total = None
    for corner in itertools.product((0, 1), repeat=len(sizes)):
        weight = None
        for t, c in zip(further, corner, strict=True):
            factor = t if c else 1 - t
            weight = factor if weight is None else weight * factor
        part = texels(pixels, sizes, [low + c for low, c in zip(first, corner, strict=True)], weight)
        total = part if total is None else total + part
    return total


@helper
def sample_cubic(pixels, sizes, at, padding_mode, align_corners):
    """The sum of the 16 neighbours of each point, weighted by Keys's kernel with a = -0.75."""
    first = [floor(x.detach()) for x in at]
    further = [x - low for x, low in zip(at, first, strict=True)]
    weights = [[keys_far(t + 1), keys_near(t), keys_near(1 - t), keys_far(2 - t)] for t in further]
    total = None
    for i in range(4):
        for j in range(4):
            places = [
                into_image(low + (k - 1), n, padding_mode, align_corners)
                for low, k, n in ((first[0], i, sizes[0]), (first[1], j, sizes[1]))
            ]
            part = texels(pixels, sizes, places, weights[0][i] * weights[1][j])
            total = part if total is None else total + part
    return total


@helper
def keys_near(x):
    return (1.25 * x - 2.25) * x * x + 1


@helper
def keys_far(x):
    return ((-0.75 * x + 3.75) * x - 6) * x + 3


@helper
def texels(pixels, sizes, places, weight):
    """The rows of pixels (N * size, C) at whole places (a tensor (N, P) per dimension), 0 outside; weighted."""
    index, inside = flat_index(places, sizes)
    found = index_select(pixels, 0, reshape(index, (-1,)))
    return where(reshape(inside, (-1, 1)), found, 0.0) * reshape(weight, (-1, 1))


@helper
def flat_index(places, sizes):
    """The places as one int64 index into the pixels of all images, and whether they are in their image."""
    index, inside = to_dtype(tensor_like(places[0], column(places[0].shape[0])), INT64), None  # of the image
    for x, n in zip(places, sizes, strict=True):
        here = (x >= 0) & (x <= n - 1)
        inside = here if inside is None else inside & here
        index = index * n + to_dtype(where(here, x, 0.0), INT64)
    return index, inside


on_every_path("column")(lambda n: np.arange(n)[:, None])
INT64 = np.dtype(np.int64)


@helper
def into_image(x, n, padding_mode, align_corners):
    """Where a coordinate outside an axis of n pixels lies by the padding mode. At the edges the gradient is 0."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        x = reflected(x, 0.0, n - 1.0) if align_corners else reflected(x, -0.5, n - 0.5)
    return where((x > 0) & (x < n - 1), x, clamp(numbered(x.detach()), 0, n - 1))


@helper
def numbered(x):
    """0 for NaN."""
    return where(x == x, x, 0.0)


@helper
def reflected(x, low, high):
    """x folded into low..high."""
    span = high - low
    if span == 0:
        return x.detach() * 0
    away = where(x < low, low - x, x - low)
    times = floor(away.detach() / span)
    rest = away - times * span
    return where(times % 2 == 0, rest + low, (span + low) - rest)


@on_every_path("check_grid")
def check_grid(input, grid, mode, padding_mode):
    if mode not in ("bilinear", "nearest", "bicubic"):
        raise ValueError(f"grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', but got: {mode!r}")
    if padding_mode not in ("zeros", "border", "reflection"):
        raise ValueError(
            f"grid_sample(): expected padding_mode to be 'zeros', 'border', or 'reflection', but got: {padding_mode!r}"
        )
    shapes = f"input {shape_text(input.shape)} and grid {shape_text(grid.shape)}"
    if input.ndim not in (4, 5) or grid.ndim != input.ndim:
        raise RuntimeError(
            f"grid_sample(): expected 4D or 5D input and grid with same number of dimensions, but got {shapes}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(f"grid_sample(): expected grid and input to have same batch size, but got {shapes}")
    if grid.shape[-1] != input.ndim - 2:
        raise RuntimeError(f"grid_sample(): expected grid to have size {input.ndim - 2} in last dimension: {shapes}")
    if not all(input.shape[2:]):
        raise RuntimeError(f"grid_sample(): expected input to have non-empty spatial dimensions, but got {shapes}")
    if mode == "bicubic" and input.ndim != 4:
        raise RuntimeError(f"grid_sample(): bicubic interpolation only supports 4D input, but got {shapes}")
    refuse_dtype("grid_sampler", input, "biu")
    if input.dtype != grid.dtype:
        raise RuntimeError(
            f"grid_sample(): expected input and grid to have same dtype, but got {input.dtype} and {grid.dtype}"
        )


@on_every_path("corners_aligned")
def corners_aligned(align_corners):
    """The default of align_corners, with PyTorch's warning."""
    if align_corners is None:
        warnings.warn(
            "Default grid_sample and affine_grid behavior has changed to align_corners=False since 1.3.0. Please "
            "specify align_corners=True if the old behavior is desired. See the documentation of grid_sample for "
            "details.",
            stacklevel=4,
        )
    return bool(align_corners)


@composite(
    public=(FUNCTIONAL,),
    samples=of(
        lambda make: S(make(2, 2, 3), (2, 1, 3, 4), align_corners=False),
        lambda make: S(make(1, 3, 4), (1, 1, 2, 3, 1), align_corners=True),
    ),
)
def affine_grid(theta, size, align_corners=None):
    """affine_grid(theta, size, align_corners=None) -> Tensor

    The grid (N, H, W, 2) for `grid_sample` that the matrices theta (N, 2, 3) make of an image of size (N, C, H, W);
    (N, D, H, W, 3) of theta (N, 3, 4) and size (N, C, D, H, W). (PyTorch: F.affine_grid)
    """
    size = affine_size(theta, size)
    base = affine_base(size[2:], corners_aligned(align_corners), np_dtype(theta))
    points = matmul(tensor_like(theta, base), transpose(theta, 1, 2))
    return reshape(points, (size[0], *size[2:], len(size) - 2))


@helper
def tensor_like(theta, base):
    """A constant array as a tensor of theta's dtype."""
    return theta.detach().new_tensor(base)


@on_every_path("affine_size")
def affine_size(theta, size):
    if np_dtype(theta).kind != "f":
        raise ValueError(f"affine_grid(): Expected theta to have floating point type, but got {theta.dtype}")
    size = tuple(size)
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, respectively. Got size "
            f"{list(size)}"
        )
    count = len(size) - 2
    if theta.ndim != 3 or tuple(theta.shape[1:]) != (count, count + 1):
        raise ValueError(
            f"affine_grid(): Expected a batch of {count}D affine matrices of shape Nx{count}x{count + 1} for size "
            f"{list(size)}. Got {shape_text(theta.shape)}"
        )
    if min(size) <= 0:
        raise ValueError(f"affine_grid(): Expected non-zero, positive output size. Got {list(size)}")
    if theta.shape[0] != size[0]:
        raise RuntimeError(
            f"affine_grid(): Expected as many matrices as the size has images, but got theta {shape_text(theta.shape)} "
            f"and size {list(size)}"
        )
    return size


@on_every_path("affine_base")
def affine_base(image, align_corners, dtype):
    """The points of an image as (pixels, x, y, 1)."""
    axes = []
    for n in image:
        line = np.linspace(-1, 1, n, dtype=dtype) if n > 1 else np.zeros(n, dtype)
        axes.append(line if align_corners else line * dtype.type((n - 1) / n))
    grid = np.meshgrid(*axes, indexing="ij")[::-1]
    return np.stack([*[each.reshape(-1) for each in grid], np.ones(math.prod(image), dtype)], -1)
