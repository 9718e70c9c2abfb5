"""Who owns a gradient's memory, what a write must not hide, where a walk ends: what a review of the engine found.

Expected values were computed by PyTorch 2.13, or by hand where PyTorch refuses.
"""

import sys
import threading

import numpy as np
import pytest
from leaves import f64, leaf, ones, vector

import minigrad
from minigrad import autograd
from minigrad.nn import functional as F
from minigrad.registry import OPS

# ---- whose memory a gradient is ------------------------------------------------------------------------------------


def arrays_in(value):
    if isinstance(value, np.ndarray):
        yield value
    elif isinstance(value, minigrad.Tensor):
        yield value.array
    elif isinstance(value, list | tuple):
        for part in value:
            yield from arrays_in(part)


@pytest.fixture
def borrowed(monkeypatch):
    """Names of the ops that say `fresh` and yet hand out memory that is not theirs alone."""
    found = set()

    def watched(op, run):
        def checked(node, g):
            held = [*arrays_in(g), *arrays_in(node.saved)]
            grads = run(node, g)
            for parent, grad in zip(node.parents, grads, strict=False):
                if parent is not None and isinstance(grad, np.ndarray):
                    repeats = any(step == 0 and n > 1 for step, n in zip(grad.strides, grad.shape, strict=True))
                    if repeats or not grad.flags.writeable or any(np.shares_memory(grad, h) for h in held):
                        found.add(op.name)
                    held.append(grad)
            return grads

        return staticmethod(checked)

    for op in OPS.values():
        if op.fresh and op.run is not None:
            monkeypatch.setattr(op, "run", watched(op, op.run))
    return found


OWNERSHIP = {
    "pad": (lambda x: F.pad(x, (1, 1)), [(3,)]),
    "narrow": (lambda x: x.narrow(0, 0, 2), [(3,)]),
    "slice": (lambda x: x[:2], [(3,)]),
    "select": (lambda x: x[0], [(2, 3)]),
    "diagonal": (lambda x: x.diagonal(), [(3, 3)]),
    "diag": (lambda x: minigrad.diag(x), [(3,)]),
    "linear of a vector": (F.linear, [(2,), (3, 2), (3,)]),
    "cumsum of a number": (lambda x: x.cumsum(0), [()]),
    "einsum, a letter of its own": (lambda a, b: minigrad.einsum("i,j->j", a, b), [(3,), (2,)]),
    "layer norm of a vector": (lambda a, w, b: F.layer_norm(a, (3,), w, b), [(3,), (3,), (3,)]),
    "masked write": (lambda x, v: written(x, v), [(2, 3), (3,)]),
    "matmul of ones": (lambda a, b: a @ b, [(1, 1), (1,)]),
    "conv of one pixel": (F.conv2d, [(1, 1, 1, 1), (1, 1, 1, 1), (1,)]),
    "softmax of a number": (lambda x: F.softmax(x, 0), [()]),
}


def written(x, value):
    out = x * 1
    out[minigrad.tensor([True, False])] = value
    return out


@pytest.mark.parametrize("name", OWNERSHIP)
def test_fresh_gradients_are_memory_of_their_own_in_first_and_second_order(name, borrowed):
    function, shapes = OWNERSHIP[name]
    inputs = [ones(*shape) for shape in shapes]
    y = function(*inputs)
    seed = ones(*y.shape)
    autograd.grad(y, inputs, seed, retain_graph=True)
    first = [g for g in autograd.grad(y, inputs, seed, create_graph=True) if g.requires_grad]
    autograd.grad(first, [*inputs, seed], [ones(*g.shape) for g in first], allow_unused=True)
    assert not borrowed


def test_a_padded_gradient_is_not_added_into_someone_elses():
    """The gradient of `pad` is a part of the gradient that `b` is still waiting for."""
    a, b = ones(2000), ones(2002)
    tripled = F.pad(a, (1, 1)) * 3.0
    (F.pad(a, (1, 1)) + b + tripled).backward(ones(2002, grad=False))
    assert b.grad.tolist() == [1.0] * 2002
    assert a.grad.tolist() == [4.0] * 2000


def test_a_bias_gradient_is_not_added_into_someone_elses():
    weight, bias, other = ones(1500, 1, grad=False), ones(1500), ones(1500)
    x = ones(1, grad=False)
    tripled = F.linear(x, weight, bias) * 3
    (F.linear(x, weight, bias) + other + tripled).backward(ones(1500, grad=False))
    assert other.grad.tolist() == [1.0] * 1500
    assert bias.grad.tolist() == [4.0] * 1500


def test_a_bias_gradient_is_not_the_array_that_was_passed_in():
    bias, g = leaf(0.0, 0.0), vector(1.0, 2.0)
    F.linear(leaf(1.0, 2.0), ones(2, 2), bias).backward(g)
    bias.grad.zero_()
    assert g.tolist() == [1.0, 2.0]


def test_einsum_gradients_can_be_added_up_and_written_to():
    a, b = leaf(1.0, 2.0, 3.0), leaf(1.0, 2.0)
    for _ in range(2):
        minigrad.einsum("i,j->j", a, b).sum().backward()
    a.grad[0] = 5.0
    assert a.grad.tolist() == [5.0, 6.0, 6.0]


def test_a_gradient_that_a_hook_keeps_does_not_change_later():
    x, kept = leaf(1.0, 2.0), []
    x.register_hook(kept.append)
    for _ in range(2):
        (x * 2).sum().backward()
    assert [g.tolist() for g in kept] == [[2.0, 2.0], [2.0, 2.0]]


def test_a_tensor_that_a_hook_returns_stays_the_hooks():
    x, own = leaf(1.0, 2.0), vector(5.0, 5.0)
    x.register_hook(lambda g: own)
    for _ in range(2):
        (x * 2).sum().backward()
    assert own.tolist() == [5.0, 5.0]
    assert x.grad.tolist() == [10.0, 10.0]


def test_a_hook_may_not_change_the_dtype():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.float())
    with pytest.raises(RuntimeError, match="has changed the type of value"):
        (x * 2).sum().backward()


def test_threads_lose_no_gradient_of_a_shared_leaf():
    """NumPy lets other threads run while it adds large arrays, so two additions to one `.grad` can overlap."""
    size, interval = 100_000, sys.getswitchinterval()
    x, together = ones(size), threading.Barrier(4)

    def work():
        together.wait()
        for _ in range(200):
            (x * 1.0).backward(ones(size, grad=False))

    threads = [threading.Thread(target=work) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert x.grad.array.min() == x.grad.array.max() == 800


# ---- layout --------------------------------------------------------------------------------------------------------


def test_gradients_and_clones_of_expanded_tensors_are_contiguous():
    x = ones(2, 3)
    x.sum(0).backward(vector(1.0, 2.0, 3.0))
    assert x.grad.is_contiguous()
    assert x.grad.view(-1).tolist() == [1.0, 2.0, 3.0, 1.0, 2.0, 3.0]
    assert minigrad.arange(3).expand(2, 3).clone().view(-1).tolist() == [0, 1, 2, 0, 1, 2]


def test_a_gradient_has_its_parameters_layout():
    w = ones(2, 3)
    (w.t() * minigrad.arange(6, dtype=f64).reshape(3, 2)).sum().backward()
    assert w.grad.view(-1).tolist() == [0.0, 2.0, 4.0, 1.0, 3.0, 5.0]


FLAT = {
    "view": lambda b: b.view(6),
    "reshape": lambda b: b.reshape(-1),
    "flatten": lambda b: b.flatten(),
}


@pytest.mark.parametrize("flat", FLAT)
def test_a_write_through_a_flat_view_counts_whatever_the_gradients_layout(flat):
    x = ones(6)
    b = x.reshape(2, 3) * 1
    FLAT[flat](b).mul_(2)
    (b.t() * minigrad.arange(6, dtype=f64).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [0.0, 4.0, 8.0, 2.0, 6.0, 10.0]


def test_a_write_through_a_flat_view_counts_in_second_derivatives():
    x = ones(6)
    b = x.reshape(2, 3) * 1
    b.reshape(-1).mul_(x)
    weights = minigrad.arange(6, dtype=f64).reshape(3, 2)
    (g,) = autograd.grad((b.t() * weights).sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x)
    assert h.tolist() == [0.0, 4.0, 8.0, 2.0, 6.0, 10.0]


def test_a_write_through_a_view_of_a_base_that_is_not_c_contiguous():
    x = ones(6)
    b = x.reshape(2, 3).t() * 1
    b.t().view(6).mul_(2)
    (b * minigrad.arange(6, dtype=f64).reshape(3, 2)).sum().backward()
    assert x.grad.tolist() == [0.0, 4.0, 8.0, 2.0, 6.0, 10.0]


# ---- writes --------------------------------------------------------------------------------------------------------


ALIASES = {
    "detach": lambda y: y.detach(),
    "view": lambda y: y.view(2),
    "slice": lambda y: y[:],
}


@pytest.mark.parametrize("alias", ALIASES)
def test_a_write_that_needs_an_alias_as_it_was_is_not_silently_wrong(alias):
    """y *= alias of y: PyTorch refuses at backward; right gradients are as good; those of the new values are not."""
    x = leaf(3.0, 5.0)
    y = x * 1
    y.div_(ALIASES[alias](y))
    refused = None
    try:
        y.sum().backward()
    except RuntimeError as error:
        refused = str(error)
    if refused is not None:
        assert "modified by an inplace operation" in refused
    else:
        right = [1 / 3.0, 1 / 5.0] if alias == "detach" else [0.0, 0.0]
        assert x.grad.tolist() == pytest.approx(right)


def test_an_overwritten_part_has_gradient_zero_even_where_it_is_infinite():
    x = leaf(1.0, 2.0)
    y = x * 1
    y[0] = 0.0
    y.log().sum().backward()
    assert x.grad.tolist() == [0.0, 0.5]


@pytest.mark.parametrize("name", ["floor", "ceil", "sign"])
def test_flat_functions_have_gradient_zero_even_where_it_is_infinite(name):
    x = leaf(0.0, 2.0)
    (1 / getattr(x, name)()).sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]


def test_accumulating_into_a_saved_gradient_is_noticed():
    x, w = leaf(1.0, 2.0), leaf(1.0, 1.0)
    (x * x).sum().backward()
    later = (x.grad * w).sum()
    (x * x).sum().backward()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        later.backward()


def test_a_view_made_under_no_grad_may_not_be_written_to_with_recording_on():
    x = leaf(1.0, 2.0)
    for base in (x, x * 1):
        with minigrad.no_grad():
            view = base[0]
        with pytest.raises(RuntimeError, match="created in no_grad mode"):
            view.mul_(7)
        with pytest.raises(RuntimeError, match="created in no_grad mode"):
            view[...] = 7


def test_a_view_that_is_itself_a_leaf_may_not_be_written_to():
    view = minigrad.ones(2).view(2).requires_grad_()
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        view.mul_(2)


def test_a_write_without_a_derivative_is_refused():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="leaf Variable that requires grad"):
        x.floor_divide_(2)
    with pytest.raises(RuntimeError, match=r"not (implemented|differentiable)"):  # PyTorch says so at backward
        (x * 1).floor_divide_(2).sum().backward()


def test_clamp_in_place_has_a_gradient():
    x = leaf(-1.0, 0.5, 2.0)
    y = x * 1
    y.clamp_(0, 1)
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0, 0.0]


def test_a_write_of_a_wider_dtype_gives_the_other_its_own_dtype_back():
    x, w = leaf(1.0, 2.0, dtype=minigrad.float32), leaf(3.0, 4.0)
    y = x * 1
    y.add_(w)
    (y * y).sum().backward()
    assert (x.grad.dtype, w.grad.dtype) == (minigrad.float32, f64)


@pytest.mark.parametrize("kind", [np.memmap, np.ndarray])
def test_views_of_arrays_of_a_subclass_are_views(kind, tmp_path):
    if kind is np.memmap:
        array = np.memmap(tmp_path / "numbers", np.float64, "w+", shape=(2,))
    else:
        array = np.ones(2).view(type("Mine", (np.ndarray,), {}))
    array[:] = 1
    t = minigrad.from_numpy(array)
    w = leaf(2.0, 3.0)
    t[:1].mul_(w[:1])
    t.sum().backward()
    assert w.grad.tolist() == [1.0, 0.0]


# ---- where a walk ends ---------------------------------------------------------------------------------------------


def test_grad_of_an_intermediate_leaves_what_is_below_it_alone():
    x = leaf(1.0, 2.0)
    y = x * x
    z = (y * y).sum()
    (gy,) = autograd.grad(z, y)
    (gx,) = autograd.grad(y, x, gy)
    assert gx.tolist() == [4.0, 32.0]


def test_grad_of_an_intermediate_does_not_run_what_is_below_it():
    x, ran = leaf(1.0, 2.0), []

    class Noticed(autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def backward(ctx, g):
            ran.append(g)
            return g * 2

    y = Noticed.apply(x)
    autograd.grad((y * y).sum(), y)
    assert not ran


def test_retained_gradients_accumulate():
    x = leaf(1.0, 2.0)
    y = x * 2
    y.retain_grad()
    z = (y * 3).sum()
    z.backward(retain_graph=True)
    z.backward()
    assert y.grad.tolist() == [6.0, 6.0]


def test_backward_may_be_asked_for_the_gradient_of_an_intermediate():
    x = leaf(1.0, 2.0)
    y = x * 2
    (y * y).sum().backward(inputs=[y])
    assert y.grad.tolist() == [4.0, 8.0]
    assert x.grad is None


def test_a_graph_that_saved_only_shapes_can_be_walked_twice():
    x = leaf(1.0, 2.0)
    z = minigrad.cat([x.view(1, 2), x.view(1, 2)]).t().sum(0).sum()
    z.backward()
    z.backward()
    assert x.grad.tolist() == [4.0, 4.0]
