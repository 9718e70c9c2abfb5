"""The engine's promises: accumulation, versions, hooks, modes, views and writes, no cycles, any depth."""

import gc
import re
import threading
import tracemalloc
import weakref

import numpy as np
import pytest

import minigrad
from minigrad import autograd
from minigrad.autograd import gradcheck, gradgradcheck


def leaf(*values):
    return minigrad.tensor(values, dtype=minigrad.float64, requires_grad=True)


def test_gradients_accumulate_and_none_resets_them():
    x = leaf(3.0)
    for _ in range(2):
        (x * x).sum().backward()
    assert x.grad.tolist() == [12.0]
    x.grad = None
    (x * x).sum().backward()
    assert x.grad.tolist() == [6.0]


def test_intermediate_gradients_do_not_pile_up():
    """x⁴ at 3 twice over one retained graph is 108 + 108, not the 324 of engines that keep intermediate sums."""
    x = leaf(3.0)
    y = (x * x) * (x * x)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [216.0]


def test_two_leaves_never_share_a_gradient():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    (a + b).sum().backward()
    a.grad.mul_(10)
    assert b.grad.tolist() == [1.0, 1.0]


def test_a_gradient_is_not_the_array_that_was_passed_in():
    x = leaf(1.0, 2.0)
    g = minigrad.ones(2, dtype=minigrad.float64)
    (x + 0).backward(g)
    x.grad.zero_()
    assert g.tolist() == [1.0, 1.0]


def test_second_backward_needs_retain_graph():
    x = leaf(2.0)
    y = x.exp()
    y.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        y.backward()


def test_backward_of_many_elements_needs_a_gradient():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar outputs"):
        (x * 2).backward()
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(minigrad.ones(3, dtype=minigrad.float64))
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        minigrad.ones(1).backward()


def test_higher_derivatives():
    x = leaf(2.0)
    y = x**4
    derivatives = []
    for _ in range(4):
        (y,) = autograd.grad(y, x, create_graph=True)
        derivatives.append(y.item())
    assert derivatives == pytest.approx([32.0, 48.0, 48.0, 24.0])


@pytest.mark.filterwarnings("ignore:Using backward")
def test_create_graph_leaves_a_recorded_gradient():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    first = x.grad
    x.grad = None
    first.backward()
    assert x.grad.item() == pytest.approx(18.0)


def test_autograd_grad_touches_no_leaf():
    x, w = leaf(2.0), leaf(5.0)
    (g,) = autograd.grad(x * w, x)
    assert g.tolist() == [5.0]
    assert x.grad is None
    assert w.grad is None


def test_unused_inputs():
    x, unused = leaf(2.0), leaf(1.0)
    with pytest.raises(RuntimeError, match="allow_unused"):
        autograd.grad(x * 2, [x, unused])
    assert autograd.grad(x * 2, [x, unused], allow_unused=True)[1] is None
    assert autograd.grad(x * 2, [x, unused], materialize_grads=True)[1].tolist() == [0.0]
    with pytest.raises(RuntimeError, match="does not require grad"):
        autograd.grad(x * 2, minigrad.ones(1))


def test_backward_inputs_limits_who_gets_a_gradient():
    x, w = leaf(2.0), leaf(5.0)
    (x * w).backward(inputs=[w])
    assert x.grad is None
    assert w.grad.tolist() == [2.0]


def test_broadcasting_is_undone():
    x, b = minigrad.randn(4, 3, dtype=minigrad.float64, requires_grad=True), leaf(1.0, 2.0, 3.0)
    (x * b).sum().backward()
    np.testing.assert_allclose(b.grad.numpy(), x.detach().numpy().sum(0))


# ---- versions


def test_a_write_to_a_saved_tensor_is_caught_and_explained():
    x = leaf(1.0, 2.0)
    a = x * 1
    y = a * a
    a.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation") as caught:
        y.sum().backward()
    assert "saved by mul" in str(caught.value)
    assert "is at version 1; expected version 0 instead" in str(caught.value)
    assert re.search(r"written to by add_, at .*test_engine\.py:\d+\. Hint", str(caught.value))


def test_a_write_to_a_saved_output_is_caught():
    x = leaf(1.0, 2.0)
    y = x.exp()
    out = y.sum()
    y.mul_(2)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.backward() if out.requires_grad and y.sum().backward() is None else None


def test_a_write_through_a_view_or_a_detached_alias_is_caught():
    for alias in (lambda a: a[0], lambda a: a.detach(), lambda a: a.view(2, 1)):
        x = leaf(1.0, 2.0)
        a = x * 1
        y = a * a
        with minigrad.no_grad():
            alias(a).zero_()
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.sum().backward()


def test_a_write_that_no_rule_needs_is_allowed():
    x = leaf(1.0, 2.0)
    a = x * 1
    y = a + a
    a.zero_()
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_only_what_a_wanted_gradient_needs_is_saved():
    x, constant = leaf(1.0, 2.0), minigrad.ones(2, dtype=minigrad.float64)
    y = x * constant
    assert y.grad_fn.saved[1] is None  # x is needed for the constant's gradient only
    assert y.grad_fn.saved[0] is constant


def test_version_counter_is_shared_by_views():
    base = minigrad.zeros(4)
    view = base[1:]
    view.add_(1)
    base.mul_(2)
    assert base._version == view._version == 2
    assert view._base is base


# ---- writes


def test_in_place_on_leaves_and_on_their_views_is_refused():
    x = leaf(1.0, 2.0)
    with pytest.raises(RuntimeError, match="a leaf Variable that requires grad is being used in an in-place operation"):
        x.add_(1)
    with pytest.raises(RuntimeError, match="a view of a leaf Variable that requires grad"):
        x[0].add_(1)
    with minigrad.no_grad():
        x.add_(1)
    assert x.tolist() == [2.0, 3.0]


def test_writes_through_views_carry_gradient():
    x, y = leaf(1.0, 2.0, 3.0), leaf(10.0)
    a = x * 2
    view = a[1:]
    a[0] = y[0]
    view *= 3
    a.sum().backward()
    assert a.tolist() == [10.0, 12.0, 18.0]
    assert x.grad.tolist() == [0.0, 6.0, 6.0]
    assert y.grad.tolist() == [1.0]


def test_a_view_made_before_a_write_to_its_base_sees_it():
    x = leaf(1.0, 2.0)
    a = x * 1
    row = a[0]
    a.mul_(5)
    row.backward()
    assert x.grad.tolist() == [5.0, 0.0]


def test_masked_writes_and_residual_sums():
    x = minigrad.tensor([[1.0, -2.0], [3.0, -4.0]], requires_grad=True)
    out = x * 2
    out[x.detach() > 2] = 0
    out += x
    out.sum().backward()
    assert out.tolist() == [[3.0, -6.0], [3.0, -12.0]]
    assert x.grad.tolist() == [[3.0, 3.0], [1.0, 3.0]]


def test_second_derivatives_through_writes():
    def function(x):
        a = x * x
        a[0] = a[1].clone() * x[2]
        a[1:].mul_(x[0])
        return (a * a).sum()

    x = leaf(0.5, -1.5, 2.0)
    assert gradcheck(function, (x,))
    assert gradgradcheck(function, (x,))


def test_integers_cannot_take_float_results():
    with pytest.raises(RuntimeError, match="result type Float can't be cast to the desired output type Long"):
        minigrad.ones(2, dtype=minigrad.int64).mul_(1.5)


def test_outputs_of_split_may_not_be_written_to():
    pieces = (leaf(1.0, 2.0, 3.0) * 1).split(1)
    with pytest.raises(RuntimeError, match="output of a function that returns multiple views"):
        pieces[0].zero_()


def test_expanded_memory_may_not_be_written_to():
    with pytest.raises(RuntimeError, match="clone"):
        minigrad.zeros(1).expand(3).add_(1)


def test_data_and_detach():
    x = leaf(1.0, 2.0)
    x.data.mul_(3)
    assert x.tolist() == [3.0, 6.0]
    assert x._version == 0
    assert not x.detach().requires_grad
    x.data = minigrad.zeros(2, dtype=minigrad.float64)
    assert x.tolist() == [0.0, 0.0]


# ---- hooks


def test_tensor_hooks_see_and_change_gradients_in_order():
    x = leaf(1.0)
    seen = []
    a = x * 2
    a.register_hook(lambda g: seen.append(g.item()))
    handle = a.register_hook(lambda g: g * 10)
    (a * 3).backward()
    assert seen == [3.0]
    assert x.grad.tolist() == [60.0]
    handle.remove()
    x.grad = None
    b = x * 2
    b.backward()
    assert x.grad.tolist() == [2.0]


def test_a_hook_may_not_change_the_shape():
    x = leaf(1.0, 2.0)
    x.register_hook(lambda g: g.sum())
    with pytest.raises(RuntimeError, match="changed the size"):
        (x * 2).sum().backward()


def test_leaf_hooks_and_post_accumulate_hooks():
    x = leaf(1.0)
    order = []
    x.register_hook(lambda g: order.append(("hook", x.grad)))
    x.register_post_accumulate_grad_hook(lambda p: order.append(("after", p.grad.item())))
    (x * 2).backward()
    assert order == [("hook", None), ("after", 2.0)]


def test_retain_grad():
    x = leaf(2.0)
    a = x * 3
    a.retain_grad()
    (a * a).backward()
    assert a.grad.tolist() == [12.0]
    assert a.retains_grad
    b = minigrad.ones(1)
    with pytest.raises(RuntimeError, match="can't retain_grad"):
        b.retain_grad()


# ---- modes


def test_modes_nest_and_decorate():
    x = leaf(1.0)
    with minigrad.no_grad():
        assert not (x * 2).requires_grad
        with minigrad.enable_grad():
            assert (x * 2).requires_grad
        assert not minigrad.is_grad_enabled()
    assert minigrad.is_grad_enabled()

    @minigrad.no_grad()
    def function():
        return x * 2

    @minigrad.no_grad()
    def generator():
        yield (x * 2).requires_grad
        yield (x * 2).requires_grad

    assert not function().requires_grad
    steps = generator()
    assert next(steps) is False
    assert minigrad.is_grad_enabled()  # between yields the caller's mode holds
    assert next(steps) is False
    with minigrad.inference_mode():
        assert minigrad.is_inference_mode_enabled()
        assert not (x * 2).requires_grad
    minigrad.set_grad_enabled(False)
    try:
        assert not (x * 2).requires_grad
    finally:
        minigrad.set_grad_enabled(True)
    with minigrad.set_grad_enabled(False):
        assert not minigrad.is_grad_enabled()
    assert minigrad.is_grad_enabled()


def test_modes_belong_to_their_thread():
    seen = []
    with minigrad.no_grad():
        worker = threading.Thread(target=lambda: seen.append(minigrad.is_grad_enabled()))
        worker.start()
        worker.join()
    assert seen == [True]


def test_threads_may_compute_at_once():
    def work():
        for _ in range(200):
            x = minigrad.tensor([0.5, 1e38], requires_grad=True)
            (x * x).sigmoid().sum().backward()  # overflows: NumPy's warnings are switched off per thread
            results.append(x.grad[0].item())

    results, errors = [], []
    workers = [threading.Thread(target=lambda: work() if not errors else None) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(results) == 800
    assert len(set(results)) == 1


# ---- memory


@pytest.mark.filterwarnings("ignore:Using backward")
def test_dropped_graphs_are_freed_without_the_cycle_collector():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0, 2.0)
        a = x * 2
        view = a[0]
        a.mul_(3)
        a.register_hook(lambda g: None)
        y = (view + a.exp().sum()).tanh()
        watch = [weakref.ref(t) for t in (a, view, y)] + [weakref.ref(y.grad_fn)]
        y.backward(create_graph=True)
        x.grad = None
        del a, view, y
        assert [w() for w in watch] == [None] * 4
    finally:
        gc.enable()


def test_a_million_small_graphs_leave_memory_flat():
    gc.collect()
    gc.disable()
    try:
        x = leaf(1.0)

        def some(count):
            for _ in range(count):
                (x * 2).sum()

        some(1000)
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        some(100_000)  # the long test has the million
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
        gc.enable()


@pytest.mark.long
def test_a_million_small_graphs_leave_memory_flat_in_full():
    import resource

    gc.disable()
    try:
        x = leaf(1.0)
        for _ in range(1000):
            (x * 2).sum()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(1_000_000):
            (x * 2).sum()
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4_000  # kB
    finally:
        gc.enable()


def test_a_chain_of_200_000_ops_runs_back_and_is_freed():
    x = leaf(1.0)
    y = x
    for _ in range(200_000):
        y = y + x
    y.backward()
    assert x.grad.item() == 200_001
    watch = weakref.ref(y.grad_fn)
    del y
    assert watch() is None
