"""Convolution, pooling, padding, resampling, tables: each line gives in minigrad what it gives in PyTorch, or the same
kind of error; and what the generated tests do not reach, NaN and ties, volumes on both backends, derivatives of sums.
"""

import numpy as np
import pytest
from both import check, lines

import minigrad
import minigrad.nn.functional as F
from minigrad.kernels.dispatch import backend

CONVOLUTIONS = """
F.conv1d(x4, T.ones(2,3,2))
F.conv1d(x4[0], T.ones(2,3,2), stride=2)
F.conv1d(x4, T.ones(3,1,2), T.ones(3), 1, 1, 1, 3)
F.conv1d(x4, T.ones(2,3,3), padding='same', dilation=2)
F.conv1d(x4, T.ones(2,3,2), padding='same')
T.conv1d(x4, T.ones(2,3,2), padding='valid')
F.conv1d(x4, T.ones(2,3,2), stride=2, padding='same')
F.conv1d(x4, T.ones(2,3,2), padding='full')
F.conv1d(x4, T.ones(2,3,9))
F.conv1d(x4, T.ones(2,2,2))
F.conv1d(x4, T.ones(2,3,2), T.ones(3))
F.conv1d(x4, T.ones(2,3,2).double())
F.conv1d(x4, T.ones(2,3,2), T.ones(2).double())
F.conv1d(x4, T.ones(2,3,2), padding=-1)
F.conv1d(x4, T.ones(2,3,2), stride=0)
F.conv1d(x4, T.ones(2,3,2), dilation=0)
F.conv1d(x4, T.ones(2,3,2), groups=0)
F.conv1d(x4, T.ones(2,3,2), groups=2)
F.conv1d(x4, T.ones(2,3,2), stride=(1,1))
F.conv1d(x4[0,0], T.ones(2,3,2))
F.conv1d(T.zeros(0,3,4), T.ones(2,3,2)).shape
F.conv1d(i.reshape(1,1,6), i.reshape(1,2,3)[:,:1])
F.conv1d(b.reshape(1,1,6), b.reshape(1,2,3)[:,:1])
F.conv1d(x4.transpose(0,2), T.ones(2,3,2))
F.conv1d(x4.requires_grad_(), T.ones(2,3,2)).grad_fn.name()
F.conv2d(img, w)
F.conv2d(img.transpose(2,3), w, padding=(1,0), stride=2)
F.conv2d(T.zeros(0,2,6,6), w).shape
F.conv2d(img, w, padding='same', dilation=(1,2))
F.conv3d(img[None], w[None].expand(2,3,2,3,3)[:,:2])
F.conv3d(img[None], w[None][:,:2,:1])
F.conv3d(img, T.ones(1,2,1,3,3), padding='same')
F.conv3d(img, T.ones(1,2,2,3,3), T.ones(1), padding=1, stride=(1,2,3)).shape
F.conv_transpose1d(x4, T.ones(3,2,2), stride=2)
F.conv_transpose1d(x4, T.ones(3,2,2), T.ones(2), 2, 1, 1)
F.conv_transpose1d(x4[0], T.ones(3,2,2))
F.conv_transpose1d(x4, T.ones(3,2,3), padding=2, output_padding=2, dilation=3)
F.conv_transpose1d(x4, T.ones(3,2,2), output_padding=1)
F.conv_transpose1d(x4, T.ones(3,2,2), output_padding=-1)
F.conv_transpose1d(x4, T.ones(2,2,2))
F.conv_transpose1d(x4, T.ones(3,1,2), groups=3)
F.conv_transpose1d(x4, T.ones(3,1,2), T.ones(2), groups=3)
F.conv_transpose1d(x4, T.ones(3,1,2), padding=9)
F.conv_transpose1d(x4, T.ones(3,1,2), padding='same')
F.conv_transpose2d(img, w[:2], T.ones(2), 2, 1, 1)
F.conv_transpose2d(img[0], w[:2], groups=2, stride=(1,3), output_padding=(0,2))
F.conv_transpose2d(T.zeros(0,2,6,6), w[:2]).shape
F.conv_transpose3d(img[None], T.ones(2,1,1,2,2), stride=2).shape
F.conv_transpose2d(img.requires_grad_(), w[:2]).grad_fn.name()
"""

POOLS = """
F.max_pool1d(x4, 2)
F.max_pool1d(x4[0], 2, return_indices=True)
F.max_pool1d(x4, 2, (), padding=1)
F.max_pool1d(x4, 3, 2, 1, 1, True)
F.max_pool1d(x4, 2, dilation=2, return_indices=True)
T.max_pool1d(x4, (2,))
F.max_pool1d(x4, 5)
F.max_pool1d(x4, 2, padding=2)
F.max_pool1d(x4, 0)
F.max_pool1d(x4, 2, stride=0)
F.max_pool1d(x4, 2, dilation=0)
F.max_pool1d(x4, (2,2))
F.max_pool1d(v, 2)
F.max_pool1d(i, 2)
F.max_pool1d(i, 2, return_indices=True)
F.max_pool1d(T.zeros(0,3,4), 2).shape
F.max_pool1d(x4.requires_grad_(), 2).grad_fn.name()
F.max_pool1d(T.tensor([[1., float('nan'), 2., 3.]]), 2, return_indices=True)
F.max_pool2d(i[None], 2)
F.max_pool2d(b[None], 2)
F.max_pool2d(img.transpose(2,3), (2,3), stride=1, return_indices=True)
F.max_pool3d(img, 2, return_indices=True)
F.max_pool3d(img[None], (1,2,3), (2,1,2), (0,1,1), (1,2,1), True, True)
F.max_pool3d(T.where(img > 5, float('nan'), img), 2, 1, return_indices=True)
F.max_pool3d(T.full((1,2,2,2), -float('inf')), 2, return_indices=True)
F.max_pool3d(img[0], 2)
F.max_pool3d(img.requires_grad_(), 2).grad_fn.name()
F.avg_pool1d(x4, 2)
F.avg_pool1d(x4, 3, 2, 1, True, False)
F.avg_pool1d(i, 2)
F.avg_pool1d(v, 2)
F.avg_pool2d(img, (3,2), 2, (1,0), True)
F.avg_pool2d(img, 3, 2, 1, ceil_mode=True, count_include_pad=False)
F.avg_pool2d(img, 2, divisor_override=3)
F.avg_pool2d(img, 2, divisor_override=0)
F.avg_pool2d(img, 2, [])
F.avg_pool2d(b[None], 2)
F.avg_pool3d(img, 2)
F.avg_pool3d(img, (2,3,2), (1,2,3), (1,1,0), True, False)
F.avg_pool3d(img[None], 2, divisor_override=-3)
F.avg_pool3d(img.requires_grad_(), 2).grad_fn.name()
F.adaptive_avg_pool1d(x4, 3)
F.adaptive_avg_pool1d(x4, (3,))
F.adaptive_avg_pool1d(x4, 0).shape
F.adaptive_avg_pool1d(x4, -1)
F.adaptive_avg_pool1d(x4, (3,2))
F.adaptive_avg_pool1d(i, 2)
F.adaptive_avg_pool2d(img, (None, 4))
F.adaptive_avg_pool2d(img, 9)
F.adaptive_avg_pool2d(v, (1, 1))
F.adaptive_avg_pool3d(img, (1, None, 4))
F.adaptive_avg_pool3d(img[None], 2)
F.adaptive_max_pool1d(x4, 3, return_indices=True)
F.adaptive_max_pool1d(x4, 3)
F.adaptive_max_pool2d(img, (5, None), True)
F.adaptive_max_pool3d(img, (1, 4, 3), True)
F.adaptive_max_pool3d(T.where(img > 5, float('nan'), img), 2, True)
F.lp_pool1d(x4, 2, 2)
F.lp_pool2d(img, 3., (2,3), 2, True)
F.lp_pool2d(img, float('inf'), 2)
F.lp_pool2d(-img, -float('inf'), 2)
F.lp_pool3d(img, 1, 2)
F.max_unpool1d(*F.max_pool1d(x4, 2, return_indices=True), 2)
F.max_unpool2d(*F.max_pool2d(img, 2, return_indices=True), 2)
F.max_unpool2d(*F.max_pool2d(img, 3, 2, return_indices=True), 3, 2, output_size=img.size())
F.max_unpool2d(*F.max_pool2d(img, 2, return_indices=True), 2, output_size=(9,9))
F.max_unpool2d(*F.max_pool2d(img, 2, return_indices=True), 2, output_size=(9,))
F.max_unpool3d(*F.max_pool3d(img, 2, return_indices=True), 2)
F.max_unpool2d(img, T.full(img.shape, 999), 1)
F.max_unpool2d(img, T.zeros(2,2,6,5).long(), 1)
F.max_unpool2d(img, img, 1)
"""

PADS = """
F.pad(a, (1,2))
F.pad(a, [1,0,0,1], value=7)
F.pad(a, (-1,1), value=-1.5)
F.pad(i, (1,1), value=1.5)
F.pad(b, (1,0))
F.pad(s, ())
F.pad(a, ())
F.pad(a, (1,))
F.pad(a, (1,1)*3)
F.pad(a, 1)
F.pad(a, (1.,1))
F.pad(a, (-2,-2))
F.pad(a, (1,1), 'reflect')
F.pad(a, (2,-1), mode='replicate')
F.pad(a, (3,3), mode='circular')
F.pad(a, (4,0), mode='circular')
F.pad(a, (3,0), mode='reflect')
F.pad(a, (5,0), mode='replicate')
F.pad(a, (1,1), mode='reflect', value=1)
F.pad(a, (1,1), mode='reflect', value=0)
F.pad(a, (1,1), mode='mirror')
F.pad(img, (1,1), mode='reflect')
F.pad(img, (1,2,3,0), mode='reflect')
F.pad(img, (1,2,-3,0,0,1), mode='replicate')
F.pad(img, (-1,2,3,0), mode='circular')
F.pad(img[0], (1,2,3,0), mode='circular')
F.pad(img.transpose(2,3), (1,2,3,0), mode='replicate')
F.pad(i, (1,2), mode='circular')
F.pad(b, (1,2), mode='reflect')
F.pad(v, (1,2), mode='reflect')
F.pad(T.zeros(2,0), (1,1), mode='replicate')
F.pad(img.requires_grad_(), (1,1,1,1), mode='reflect').grad_fn.name()
"""

RESAMPLING = """
F.interpolate(x4, 7)
F.interpolate(x4, scale_factor=2)
F.interpolate(x4, scale_factor=0.6, mode='nearest-exact')
F.interpolate(x4, (7,), mode='linear')
F.interpolate(x4, 7, mode='linear', align_corners=True)
F.interpolate(x4, 1, mode='linear', align_corners=True)
F.interpolate(x4, scale_factor=1.7, mode='linear')
F.interpolate(x4, scale_factor=1.7, mode='linear', recompute_scale_factor=True)
F.interpolate(x4, scale_factor=1.7, mode='nearest', recompute_scale_factor=True)
F.interpolate(x4, 3, mode='area')
F.interpolate(x4, scale_factor=1.5, mode='area')
F.interpolate(x4, 4, mode='linear')
F.interpolate(img, scale_factor=(0.5, 1.5), mode='bilinear')
F.interpolate(img, (4, 9), mode='bilinear', align_corners=True)
F.interpolate(img, (4, 8), mode='bicubic')
F.interpolate(img, (4, 9), mode='bicubic', align_corners=True)
F.interpolate(img, (3, 9), mode='bilinear', antialias=True)
F.interpolate(img, (2, 4), mode='bicubic', antialias=True)
F.interpolate(img, (2, 4), mode='bilinear', antialias=True, align_corners=True)
F.interpolate(img, scale_factor=0.4, mode='bilinear', antialias=True)
F.interpolate(img[None], (1, 3, 8), mode='trilinear')
F.interpolate(img[None], (3, 3, 8), mode='nearest')
F.interpolate(img, 3, mode='bilinear', align_corners=False).dtype
F.interpolate(img.double(), 4, mode='bilinear')
F.interpolate(img.transpose(2,3), (3, 8))
F.interpolate(T.zeros(0,2,3), 5).shape
F.interpolate(T.tensor([[[1., float('inf'), 3., float('nan'), 5.]]]), 3)
F.interpolate(T.tensor([[[1., float('inf'), 3., float('nan'), 5.]]]), 9, mode='linear')
F.interpolate(u8[None,None], 6)
F.interpolate(i[None], 6)
F.interpolate(i[None], 6, mode='linear')
F.interpolate(b[None], 6)
F.interpolate(x4)
F.interpolate(x4, 3, 2)
F.interpolate(x4, (3,3))
F.interpolate(x4, scale_factor=(2,2))
F.interpolate(x4, 0)
F.interpolate(x4, 3., mode='nearest')
F.interpolate(x4, scale_factor=-1.)
F.interpolate(x4, 3, mode='bilinear')
F.interpolate(img, 3, mode='linear')
F.interpolate(a, 3)
F.interpolate(x4, 3, mode='sharp')
F.interpolate(x4, 3, align_corners=True)
F.interpolate(x4, 3, recompute_scale_factor=True)
F.interpolate(x4, 3, antialias=True)
F.interpolate(img.requires_grad_(), 3, mode='bilinear').grad_fn.name()
F.upsample(img, scale_factor=2, mode='bilinear')
F.upsample_nearest(img, scale_factor=2)
F.upsample_bilinear(img, (3,9))
F.grid_sample(img, T.tensor([[[[-1., 1.], [0., 0.3]]], [[[1.5, 0.], [-0.2, -3.]]]]))
F.grid_sample(img, T.tensor([[[[-1., 1.], [0., float('nan')]]]]).expand(2,1,2,2), align_corners=True)
F.grid_sample(img, T.tensor([[[[-1.7, 1.], [0., 2.4]]]]).expand(2,1,2,2), 'bicubic', 'reflection', False)
F.grid_sample(img, T.tensor([[[[-1.7, 1.], [0., 2.4]]]]).expand(2,1,2,2), 'nearest', 'border', True)
F.grid_sample(img[:1], T.zeros(2,1,1,2), align_corners=True)
F.grid_sample(img, T.zeros(2,1,1,3), align_corners=True)
F.grid_sample(img, T.zeros(2,1,2), align_corners=True)
F.grid_sample(img, T.zeros(2,1,1,2), mode='linear')
F.grid_sample(img, T.zeros(2,1,1,2), padding_mode='circular')
F.grid_sample(img[None], T.zeros(1,1,1,1,3), mode='bicubic', align_corners=True)
F.affine_grid(T.tensor([[[1., 0., 0.5], [0., 2., 0.]]]), (1,1,2,3))
F.affine_grid(T.eye(3,4)[None], (1,1,2,1,3), align_corners=True)
F.affine_grid(T.eye(3,4)[None], (1,1,2,3), align_corners=True)
F.affine_grid(T.eye(2,3)[None], (1,1,0,3), align_corners=True)
F.affine_grid(T.eye(2,3)[None], (1,1,3), align_corners=True)
F.affine_grid(T.ones(1,2,3).long(), (1,1,2,3), align_corners=True)
"""

WINDOWS = """
F.unfold(img, 3)
F.unfold(img[0], (2,3), 2, (1,0), (2,1))
F.unfold(b[None], 2)
F.unfold(i[None], 2)
F.unfold(img, 9)
F.unfold(img, 0)
F.unfold(a, 2)
F.fold(F.unfold(img, 3), 6, 3)
F.fold(F.unfold(img, 2, stride=2)[0], (6,6), 2, stride=2)
F.fold(F.unfold(img, 2), 6, 3)
F.fold(F.unfold(img, 2), 5, 2)
F.fold(T.zeros(1,5,4), 3, 2)
F.pixel_shuffle(T.arange(32.).reshape(1,8,2,2), 2)
T.pixel_shuffle(T.arange(16).reshape(4,2,2), 2)
F.pixel_shuffle(img, 2)
F.pixel_shuffle(a, 2)
F.pixel_shuffle(img, 0)
F.pixel_unshuffle(img, 3)
F.pixel_unshuffle(img, 4)
F.channel_shuffle(T.arange(12.).reshape(1,6,2), 3)
F.channel_shuffle(img, 3)
F.channel_shuffle(a, 1)
F.channel_shuffle(img, 0)
"""

TABLES = """
F.embedding(i, T.arange(14.).reshape(7,2))
F.embedding(i.int(), T.arange(14.).reshape(7,2), -1)
F.embedding(si, T.arange(14).reshape(7,2))
F.embedding(a, T.ones(7,2))
F.embedding(b, T.ones(7,2))
F.embedding(i, T.ones(5,2))
F.embedding(-i, T.ones(7,2))
F.embedding(i, T.ones(0,2))
F.embedding(i, T.ones(7))
F.embedding(i, T.ones(7,2), padding_idx=7)
F.embedding(i, T.ones(7,2), padding_idx=-8)
t = T.arange(14.).reshape(7,2); (F.embedding(i, t, None, 2.5), t, t._version)
t = T.arange(14.).reshape(7,2).requires_grad_(); (F.embedding(i, t, max_norm=2, norm_type=1.), t, t._version)
t = T.ones(7,2).requires_grad_(); F.embedding(i % 3, t, 2, scale_grad_by_freq=True).sum().backward(); t.grad
t = T.ones(7,2).requires_grad_(); F.embedding(i % 3, t).sum().backward(); t.grad
F.embedding_bag(i, T.arange(14.).reshape(7,2))
F.embedding_bag(i, T.arange(14.).reshape(7,2), mode='max', padding_idx=3)
F.embedding_bag(i[0], T.arange(14.).reshape(7,2), T.tensor([0,2,2]), mode='sum')
F.embedding_bag(i[0], T.ones(7,2), T.tensor([0,2,3]), None, 2, False, 'sum', False, v, True)
F.embedding_bag(i[0], T.ones(7,2), T.tensor([1,2]))
F.embedding_bag(i[0], T.ones(7,2), T.tensor([0,9]))
F.embedding_bag(i[0], T.ones(7,2))
F.embedding_bag(i, T.ones(7,2), mode='min')
F.embedding_bag(i, T.ones(7,2), per_sample_weights=T.ones(2,3))
F.one_hot(i)
F.one_hot(i, 9).shape
F.one_hot(si)
F.one_hot(i, 3)
F.one_hot(-i)
F.one_hot(i, -2)
F.one_hot(a)
F.one_hot(i.int())
F.one_hot(T.zeros(0).long())
F.one_hot(T.zeros(0,2).long(), 3).shape
F.linear(a, T.ones(2,3), T.ones(2,1))
F.linear(a, T.ones(2,3), T.ones(2,2))
F.linear(a, T.ones(2,3), s)
F.linear(a, T.ones(2,3), T.ones(3))
F.linear(a, T.ones(2,3), T.ones(2).double())
F.linear(a, T.ones(1,2,3))
F.linear(v, T.ones(3), s)
F.linear(i, i)
F.linear(b, b)
F.linear(b[:0], b)
t = T.ones(2,1).requires_grad_(); F.linear(a, T.ones(2,3), t).sum().backward(); t.grad
t = T.ones(1).requires_grad_(); F.linear(v, T.ones(2,3), t).sum().backward(); t.grad
F.layer_norm(a, [3])
F.layer_norm(a, (3,), T.ones(3).double())
F.layer_norm(i, (3,))
F.layer_norm(a, (2,))
F.layer_norm(a, ('3',))
F.layer_norm(e3, (3,))
T.layer_norm(a, (2,3))
F.batch_norm(a, None, None, training=True)
F.batch_norm(a, T.zeros(3), T.ones(3), v[None], T.ones(1,3))
F.batch_norm(a, T.zeros(3), None, training=True)
F.batch_norm(a, T.zeros(3), None)
F.batch_norm(a[:1], None, None, training=True)
F.batch_norm(a, None, None, training=True, eps=0.)
F.batch_norm(a, T.zeros(3), T.ones(3), eps=-1.)
F.batch_norm(i, None, None, training=True)
F.batch_norm(a, T.zeros(3).double(), T.ones(3).double())
F.batch_norm(T.zeros(0), T.zeros(0), T.zeros(0))
F.batch_norm(T.zeros(0,3,2), T.zeros(3), T.ones(3), training=True).shape
"""

ALL = [line for block in (CONVOLUTIONS, POOLS, PADS, RESAMPLING, WINDOWS, TABLES) for line in lines(block)]


@pytest.mark.parametrize("code", ALL)
def test_line(code):
    check(code, pytest.importorskip("torch"))


@pytest.mark.parametrize("border", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
def test_points_that_are_no_numbers(mode, border):
    points = "T.tensor([[[[float('nan'), 0.], [float('inf'), 0.], [0., 9.]]]])"
    check(f"F.grid_sample(img[:1], {points}, {mode!r}, {border!r}, True)", pytest.importorskip("torch"))


VOLUMES = [
    ("conv3d", ((2, 4, 5, 6, 4), (6, 2, 3, 2, 2)), {"stride": (2, 1, 3), "padding": (1, 0, 2), "groups": 2}),
    ("conv3d", ((1, 2, 6, 5, 7), (3, 2, 2, 3, 3)), {"dilation": (3, 1, 2), "padding": 2}),
    ("conv_transpose3d", ((2, 4, 2, 3, 3), (4, 3, 2, 3, 2)), {"stride": 2, "padding": 1, "groups": 2}),
    ("max_pool3d", ((2, 3, 7, 6, 5),), {"kernel_size": (3, 2, 2), "stride": 2, "padding": 1, "ceil_mode": True}),
    ("max_pool3d", ((3, 7, 6, 8),), {"kernel_size": 2, "dilation": (3, 1, 2), "stride": 1}),
    ("avg_pool3d", ((2, 3, 7, 6, 5),), {"kernel_size": (3, 2, 2), "stride": 2, "padding": 1, "ceil_mode": True}),
    ("avg_pool3d", ((0, 3, 4, 4, 4),), {"kernel_size": 2, "count_include_pad": False}),
    ("adaptive_avg_pool3d", ((2, 3, 5, 6, 7),), {"output_size": (2, 4, 3)}),
    ("adaptive_max_pool3d", ((2, 3, 5, 6, 7),), {"output_size": (2, 4, 3)}),
]


@pytest.mark.parametrize("who", ["numpy", "numba"])
@pytest.mark.parametrize(("name", "shapes", "settings"), VOLUMES)
def test_volumes_on_both_backends(who, name, shapes, settings):
    """The numba kernels take volumes slice by slice, the NumPy definition does not: both give PyTorch's numbers."""
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    arrays = [np.round(draw.normal(size=shape), 1) for shape in shapes]  # with ties
    theirs = [torch.tensor(x, requires_grad=True) for x in arrays]
    mine = [minigrad.tensor(x, requires_grad=True) for x in arrays]
    expected = getattr(torch.nn.functional, name)(*theirs, **settings)
    seed = draw.normal(size=tuple(expected.shape))
    expected.backward(torch.tensor(seed))
    with backend(who):
        out = getattr(F, name)(*mine, **settings)
        out.backward(minigrad.tensor(seed))
    np.testing.assert_allclose(out.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-12)
    for a, b in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(a.grad.numpy(), b.grad.numpy(), rtol=1e-12, atol=1e-12)


def test_gradient_of_unread_pixels_is_zero_though_others_are_not_finite():
    x = minigrad.zeros(1, 1, 5, requires_grad=True)
    F.interpolate(x, 2).backward(minigrad.tensor([[[np.inf, np.nan]]]))
    np.testing.assert_array_equal(x.grad.numpy(), [[[np.inf, 0, np.nan, 0, 0]]])


def test_scaling_a_gradient_by_frequency_is_transposed_for_the_second_derivative():
    table = minigrad.zeros(3, 2, dtype=minigrad.float64, requires_grad=True)
    g = minigrad.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], dtype=minigrad.float64, requires_grad=True)
    rows = F.embedding(minigrad.tensor([1, 0, 1]), table, scale_grad_by_freq=True)
    (first,) = minigrad.autograd.grad(rows, table, g, create_graph=True)
    (second,) = minigrad.autograd.grad(first, g, minigrad.ones_like(first))
    np.testing.assert_array_equal(second.numpy(), [[0.5, 0.5], [1.0, 1.0], [0.5, 0.5]])


def test_what_is_not_supported_names_the_alternative():
    with pytest.raises(NotImplementedError, match="bicubic"):
        F.interpolate(minigrad.zeros(1, 1, 4, 4), 2, mode="lanczos", antialias=True)
