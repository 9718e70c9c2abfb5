"""Windows, views by strides, shapes changed in place: memory shared, gradients of both orders, what is refused."""

import numpy as np
import pytest

import minigrad
from minigrad.autograd import gradcheck, gradgradcheck


def tensor(*shape):
    values = np.random.default_rng(0).uniform(-1, 1, shape)
    return minigrad.tensor(values, requires_grad=True)


@pytest.mark.parametrize(("shape", "arguments"), [((7,), (0, 3, 2)), ((2, 5, 3), (1, 2, 1)), ((6,), (-1, 2, 3))])
def test_gradient_of_windows(shape, arguments):
    def windows(x):
        return x.unfold(*arguments)

    assert gradcheck(windows, (tensor(*shape),))
    assert gradgradcheck(windows, (tensor(*shape),))


@pytest.mark.parametrize(
    ("shape", "arguments"),
    [
        ((3, 4), ((2, 2), (4, 1))),
        ((6,), ((4, 3), (1, 1), 0)),  # overlapping windows
        ((6,), ((2, 2), (0, 3), 1)),  # one element in several places
        ((2, 3), ((3, 2), (1, 3))),  # a transpose
    ],
)
def test_gradient_of_strided_views(shape, arguments):
    torch = pytest.importorskip("torch")
    assert gradcheck(lambda x: x.as_strided(*arguments), (tensor(*shape),))
    assert gradgradcheck(lambda x: x.as_strided(*arguments), (tensor(*shape),))
    ours, theirs = tensor(*shape), torch.tensor(tensor(*shape).detach().numpy(), requires_grad=True)
    for x in (ours, theirs):
        (x.as_strided(*arguments) ** 2).sum().backward()
    np.testing.assert_allclose(ours.grad.numpy(), theirs.grad.numpy())


def test_gradient_of_a_strided_view_of_repeated_elements():
    torch = pytest.importorskip("torch")
    grads = []
    for lib in (minigrad, torch):
        x = lib.arange(3.0, requires_grad=True)
        y = x.expand(2, 3).as_strided((2, 2), (1, 1))
        (y * lib.tensor([[1.0, 2.0], [3.0, 4.0]])).sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]


def test_windows_share_memory():
    x = minigrad.arange(6.0)
    windows = x.unfold(0, 2, 2)
    windows[1].fill_(9.0)
    assert x.tolist() == [0, 1, 9, 9, 4, 5]
    assert windows._base is x
    x[0] = 7.0
    assert windows[0, 0].item() == 7.0
    with pytest.raises(RuntimeError, match="shared by several elements"):
        x.unfold(0, 2, 1).zero_()


def test_a_write_through_windows_reaches_the_gradient():
    torch = pytest.importorskip("torch")
    grads = []
    for lib in (minigrad, torch):
        x = lib.arange(6.0, requires_grad=True)
        y = x * 2
        y.unfold(0, 2, 2)[1].mul_(5)
        y.as_strided((2,), (3,)).mul_(7)
        y.sum().backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1] == [14, 2, 10, 70, 2, 2]


def test_strided_views_stay_in_their_memory():
    x = minigrad.arange(6.0)
    assert x[2:].as_strided((2,), (1,)).tolist() == [2, 3]
    assert x[2:].as_strided((2,), (1,), 0).tolist() == [0, 1]
    assert x[2:].storage_offset() == 2
    assert x[2:].untyped_storage().data_ptr() == x.untyped_storage().data_ptr()
    for size, stride, offset in (((7,), (1,), 0), ((2,), (1,), 5), ((3, 3), (2, 2), 0)):
        with pytest.raises(RuntimeError, match="out of bounds for storage of size 24"):
            x.as_strided(size, stride, offset)


def test_turning_in_place_keeps_the_graph_right():
    """Views made before go on as views of the same memory, with the history they had."""
    torch = pytest.importorskip("torch")
    grads = []
    for lib in (minigrad, torch):
        x = lib.arange(6.0).reshape(2, 3).requires_grad_()
        y = x * 2
        row = y[0]
        y.t_()
        assert tuple(y.shape) == (3, 2)
        y[0, 1] = 0.0
        y.mul_(lib.tensor([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]))
        row.add_(1)
        (y.sum() + (row * row).sum()).backward()
        grads.append(x.grad.tolist())
    assert grads[0] == grads[1]


def test_what_was_saved_notices_a_turn_in_place():
    x = minigrad.ones(2, 3, requires_grad=True) * 1
    y = x * x
    x.t_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()
    leaf = minigrad.ones(2, 3, requires_grad=True)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
        leaf.unsqueeze_(0)
    with minigrad.no_grad():
        leaf.unsqueeze_(0)
    (leaf * 2).sum().backward()
    assert leaf.grad.shape == (1, 2, 3)


def test_view_as_another_dtype_shares_memory():
    x = minigrad.tensor([1.0, -2.0], requires_grad=True)
    bits = x.view(minigrad.int32)
    assert bits.tolist() == [0x3F800000, -0x40000000]
    assert not bits.requires_grad
    x = minigrad.zeros(2)
    x.view(minigrad.int32)[1] = 0x3F800000
    assert x.tolist() == [0.0, 1.0]
    y = x * 1
    y.view(minigrad.uint8).zero_()
    assert y._version > 0


def test_resize_keeps_what_the_memory_holds():
    x = minigrad.arange(6.0)
    assert x[2:4].resize_(3).tolist() == [2, 3, 4]
    assert x.resize_(2, 2).tolist() == [[0, 1], [2, 3]]
    assert x.resize_(6).tolist() == [0, 1, 2, 3, 4, 5]
    assert x.resize_(9).shape == (9,)
    assert x[:6].tolist() == [0, 1, 2, 3, 4, 5]
    with pytest.raises(RuntimeError, match="cannot resize variables that require grad"):
        tensor(2).resize_(3)
