"""Chapter 19 of the course: the engine grown in ten steps, against minigrad and by itself."""

import gc
import weakref

import numpy as np
import pytest

import minigrad
from notebooks.scripts import grow_the_engine as grown
from notebooks.scripts.grow_the_engine import OPS, Op, Tensor


@pytest.mark.parametrize("seed", range(20))
def test_random_expressions_equal_minigrads(seed):
    """Values, first and second derivatives."""
    assert max(grown.differences(seed)) < 1e-12


def test_training_equals_minigrads():
    ours = grown.train(lambda a: Tensor(a, requires_grad=True), Tensor, grown.step, 60)
    theirs = grown.train(lambda a: minigrad.tensor(a, requires_grad=True), minigrad.tensor, grown.minigrads_step, 60)
    np.testing.assert_allclose(ours[0], theirs[0], rtol=0, atol=1e-13)
    assert (ours[1] == theirs[1]).all()
    assert (ours[1] == ours[2]).sum() >= 27  # of 30 held-out flowers
    assert ours[0][-1] < 0.3 * ours[0][0]


OF_ARRAYS = {"matmul", "transpose", "sum", "expand", "sum_to"}
SHAPES = [((3,), (5, 3)), ((5, 1), (2, 5, 3)), ((), (2, 3)), ((1, 1), (4, 2)), ((2, 3), (2, 3))]


@pytest.mark.parametrize("name", sorted({*OPS} - OF_ARRAYS))
def test_each_rule_agrees_with_differences(name):
    op = OPS[name]
    attrs = {"n": 3} if name == "pow" else {}
    numbers = dict(zip(op.inputs, (0.7, 1.9)))
    known = {**numbers, **attrs, "out": op.forward(*numbers.values(), **attrs)}
    for key, rule in op.rules.items():
        up, down = (op.forward(*{**numbers, key: numbers[key] + h}.values(), **attrs) for h in (1e-6, -1e-6))
        assert rule(1.0, *[known[need] for need in op.needs[key]]) == pytest.approx((up - down) / 2e-6, rel=1e-7)


@pytest.mark.parametrize(("shape", "of"), SHAPES)
def test_broadcasting_is_undone(shape, of):
    x = Tensor(np.ones(shape), requires_grad=True)
    (x + np.zeros(of)).sum().backward()
    assert x.grad.shape == shape
    assert (x.grad == np.prod(of) / max(np.prod(shape), 1)).all()


def test_depth_is_no_limit():
    x = y = Tensor(0.0, requires_grad=True)
    for _ in range(20_000):
        y = y + y * y
    y.backward()
    assert x.grad == 1.0


def test_a_dropped_graph_is_freed_at_once():
    gc.collect()
    gc.disable()
    try:
        x = Tensor(2.0, requires_grad=True)
        node = weakref.ref(((x * x).tanh() * x).node)
        assert node() is None
    finally:
        gc.enable()


def test_a_backward_frees_what_was_saved():
    x = Tensor(2.0, requires_grad=True)
    y = x * x
    y.backward()
    with pytest.raises(RuntimeError, match="mul a second time"):
        y.backward()


def test_a_write_is_noticed_where_the_old_value_is_needed():
    x, w = Tensor(3.0, requires_grad=True), Tensor(2.0)
    product, total = x * w, x + w
    w.write_(100.0)
    total.backward()  # an addition needs no values
    with pytest.raises(RuntimeError, match="mul needs 'b', which was written to"):
        product.backward()
    later = x * w
    later.backward()
    assert x.grad == 101.0


def test_compiled_rules_give_the_same():
    fast = {name: OPS[name].fast for name in ("tanh", "mul")}
    try:
        grown.compile_rules(*fast)
        assert max(grown.differences(3)) < 1e-12
        g, out = np.random.default_rng(0).normal(size=(2, 100))
        np.testing.assert_allclose(OPS["tanh"].fast["a"](g, out), OPS["tanh"].rules["a"](g, out), rtol=1e-14)
    finally:
        for name, rules in fast.items():
            OPS[name].fast = rules


def test_a_new_operation_is_one_line():
    OPS["sin"] = Op("sin", np.sin, a=lambda g, a: g * np.cos(a))
    try:
        x = Tensor([0.0, 1.0], requires_grad=True)
        (x * x).sin().sum().backward()
        np.testing.assert_allclose(x.grad, [0.0, 2 * np.cos(1)])
    finally:
        del OPS["sin"]
    with pytest.raises(AttributeError, match="sin"):
        Tensor(1.0).sin()
