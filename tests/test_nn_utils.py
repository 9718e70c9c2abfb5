"""nn.utils: clipping of gradients, and all parameters as one vector."""

import math

import numpy as np
import pytest

import minigrad
from minigrad import nn
from minigrad.nn import utils

torch = pytest.importorskip("torch")


def parameters(m, dtype="float32"):
    """Three parameters, one without a gradient."""
    rng = np.random.default_rng(0)
    made = []
    for shape in ((2, 3), (4,), (1,)):
        p = m.nn.Parameter(m.zeros(*shape, dtype=getattr(m, dtype)))
        p.grad = m.from_numpy(rng.standard_normal(shape).astype(dtype))
        made.append(p)
    made[2].grad = None
    return made


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("norm_type", [1, 2, 2.5, math.inf])
@pytest.mark.parametrize("max_norm", [0.1, 1, 100.0])
def test_clip_grad_norm(max_norm, norm_type, dtype):
    mine, theirs = parameters(minigrad, dtype), parameters(torch, dtype)
    norm = utils.clip_grad_norm_(mine, max_norm, norm_type)
    expected = torch.nn.utils.clip_grad_norm_(theirs, max_norm, norm_type)
    assert str(norm.dtype) == str(expected.dtype)
    assert norm.shape == ()
    np.testing.assert_allclose(norm.item(), expected.item(), rtol=1e-6)
    for p, q in zip(mine[:2], theirs[:2], strict=True):
        np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=1e-6)
    assert mine[2].grad is None


@pytest.mark.parametrize("size", [300.0, 1e-5])
@pytest.mark.parametrize("norm_type", [1, 2, 3, math.inf])
def test_norms_of_half_gradients_neither_overflow_nor_vanish(norm_type, size):
    norms = []
    for m in (minigrad, torch):
        p = m.nn.Parameter(m.zeros(8, dtype=m.float16))
        p.grad = m.full((8,), size, dtype=m.float16)
        norms.append(m.nn.utils.clip_grad_norm_(p, 1.0, norm_type).item())
    assert norms[0] == pytest.approx(norms[1], rel=2e-3)  # float16 has 11 bits
    assert norms[0] >= size / 2


def test_clipping_is_in_place_and_takes_one_tensor_or_a_generator():
    p, *_ = parameters(minigrad)
    grad = p.grad
    utils.clip_grad_norm_(p, 0.5)
    assert p.grad is grad
    assert utils.get_total_norm(grad).item() == pytest.approx(0.5, rel=1e-4)
    utils.clip_grad_norm_((q for q in [p]), 0.25)
    assert utils.get_total_norm([grad]).item() == pytest.approx(0.25, rel=1e-4)


def test_nothing_to_clip():
    assert utils.clip_grad_norm_([], 1.0).item() == 0.0
    assert utils.clip_grad_norm_([nn.Parameter(minigrad.ones(1))], 1.0).item() == 0.0
    with pytest.warns(UserWarning, match="empty generator"):
        utils.clip_grad_norm_(iter(()), 1.0)


def test_non_finite_norms():
    p = nn.Parameter(minigrad.ones(2))
    p.grad = minigrad.tensor([1.0, math.nan])
    with pytest.raises(RuntimeError, match=r"total norm of order 2\.0 for gradients from `parameters` is non-finite"):
        utils.clip_grad_norm_(p, 1.0, error_if_nonfinite=True)
    assert p.grad[0].item() == 1.0
    assert math.isnan(utils.clip_grad_norm_(p, 1.0).item())


def test_norms_of_several_dtypes_and_of_nothing():
    for T in (minigrad, torch):
        single, double, empty = T.ones(2), T.ones(2, dtype=T.float64), T.ones(0)
        assert T.nn.utils.get_total_norm([single, double]).dtype == T.float64
        assert T.nn.utils.get_total_norm([single, empty], 1).item() == 2.0
        for order in (math.inf, -1.0):
            with pytest.raises(RuntimeError, match=r"without elements|empty tensor"):
                T.nn.utils.get_total_norm([single, empty], order)


def test_clip_grad_value():
    mine, theirs = parameters(minigrad), parameters(torch)
    utils.clip_grad_value_(mine, 0.3)
    torch.nn.utils.clip_grad_value_(theirs, 0.3)
    for p, q in zip(mine[:2], theirs[:2], strict=True):
        assert p.grad.tolist() == q.grad.tolist()
    utils.clip_grad_value_(mine[0], 0.1)
    assert mine[0].grad.abs().max().item() == pytest.approx(0.1)


def test_vector_and_back():
    net = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
    vector = utils.parameters_to_vector(net.parameters())
    assert vector.shape == (13,)
    (vector * vector).sum().backward()
    assert net[0].weight.grad.tolist() == (net[0].weight * 2).tolist()
    fresh = minigrad.arange(13, dtype=minigrad.float32)
    utils.vector_to_parameters(fresh, net.parameters())
    assert net[0].weight.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert net[1].bias.tolist() == [12.0]
    assert utils.parameters_to_vector(net.parameters()).tolist() == fresh.tolist()
    assert all(p.is_leaf and p.requires_grad for p in net.parameters())


def test_vector_errors():
    net = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"expected torch\.Tensor, but got: list"):
        utils.vector_to_parameters([1.0], net.parameters())
    with pytest.raises(RuntimeError):
        utils.vector_to_parameters(minigrad.zeros(1), net.parameters())
