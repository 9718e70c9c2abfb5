"""The scalar engine: every op against the array engine, micrograd's behaviour, second derivatives, crossings."""

import copy
import gc
import math
import pickle
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from minigrad import scalar
from minigrad.registry import OPS
from minigrad.scalar import Value, grad, stack
from minigrad.scalar.doors import INTEGERS_ONLY, OPS_OF_VALUES, source

POINTS = (-2.5, -1.0, -0.3, 0.0, 0.2, 0.75, 1.0, 3.0, 1000.0)
THIRD = 0.4
POINTWISE = sorted(name for name, op in OPS.items() if op.pointwise and name not in INTEGERS_ONLY)


def operands(count):
    """Operands to try an op on: all pairs of POINTS for two."""
    if count == 1:
        return [(x,) for x in POINTS]
    return [(x, z, THIRD)[:count] for x in POINTS for z in POINTS]


def same(ours, theirs, what):
    """To a relative 1e-9; NaN and infinities alike."""
    assert np.allclose(ours, theirs, rtol=1e-9, atol=1e-12, equal_nan=True), f"{what}: Value {ours}, tensor {theirs}"


def attributes(op):
    return [op.attr_defaults.get(name, 2) for name in op.attrs]


@pytest.mark.parametrize("name", POINTWISE)
def test_every_op_gives_the_tensors_number_and_gradients(name):
    op = OPS[name]
    function = op.function
    for given_ in operands(len(op.inputs)):
        values = [Value(x) for x in given_]
        tensors = [minigrad.tensor(x, dtype=minigrad.float64, requires_grad=True) for x in given_]
        try:
            theirs = function(*tensors, *attributes(op))
        except (RuntimeError, NotImplementedError, TypeError):
            continue  # a value or dtype that tensors refuse
        ours = getattr(Value, name)(*values, *attributes(op))
        if op.boolean:
            assert ours is bool(theirs), (name, given_)
            continue
        same(ours.data, theirs.item(), (name, given_))
        if not theirs.requires_grad:
            continue
        try:
            theirs.backward()
        except NotImplementedError:
            with pytest.raises(NotImplementedError):
                ours.backward()
            return
        ours.backward()
        for k, (value, tensor) in enumerate(zip(values, tensors, strict=True)):
            same(value.grad, 0.0 if tensor.grad is None else tensor.grad.item(), (name, given_, f"gradient {k}"))


@pytest.mark.parametrize("name", [name for name in POINTWISE if OPS[name].rules])
def test_second_derivatives_are_the_tensors(name):
    op = OPS[name]
    for given_ in ((0.3, 0.7, THIRD)[: len(op.inputs)], (1.7, 0.2, THIRD)[: len(op.inputs)]):
        tensors = [minigrad.tensor(x, dtype=minigrad.float64, requires_grad=True) for x in given_]
        result = op.function(*tensors, *attributes(op))
        if not result.requires_grad:
            return
        values = [Value(x) for x in given_]
        if name in ("igamma", "igammac"):
            pytest.skip("no derivative with respect to the first input")
        ours = grad(getattr(Value, name)(*values, *attributes(op)), values, create_graph=True)
        theirs = minigrad.autograd.grad(result, tensors, create_graph=True, allow_unused=True)
        for v, t in zip(ours, theirs, strict=True):
            same(getattr(v, "data", v), 0.0 if t is None else t.item(), (name, given_))
            if t is None or not t.requires_grad:
                continue
            second = minigrad.autograd.grad(t, tensors, allow_unused=True, retain_graph=True)
            mine = grad(v, values, allow_unused=True)
            for a, b in zip(mine, second, strict=True):
                same(a or 0.0, 0.0 if b is None else b.item(), (name, given_, "second"))


class TestMicrograd:
    """What programs for micrograd do: its README's example, its attributes, its network."""

    def test_the_example(self):
        a, b = Value(-4.0), Value(2.0)
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + (b + a).relu()
        d += 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0
        g += 10.0 / f
        assert f"{g.data:.4f}" == "24.7041"
        g.backward()
        assert f"{a.grad:.4f}" == "138.8338"
        assert f"{b.grad:.4f}" == "645.5773"

    def test_what_it_shows(self):
        a, b = Value(2.0, label="a"), Value(-3.0)
        product = a * b
        assert repr(a) == "Value(data=2.0, grad=0)"
        assert product._prev == {a, b}
        assert (a.label, a._op, product._op, (a + 1)._op, (a**2)._op, a.relu()._op, a.tanh()._op) == (
            "a", "", "*", "+", "**2", "ReLU", "tanh",
        )  # fmt: skip
        assert (a**2)._prev == {a}
        assert Value(3, (a, b), "+")._prev == {a, b}

    def test_its_backward_by_hand(self):
        a, b = Value(2.0), Value(-3.0)
        o = (a * b).tanh()
        o.grad = 1.0
        o._backward()
        (o.inputs[0])._backward()
        assert a.grad == -3.0 * (1 - o.data**2)

    def test_an_operation_of_ones_own(self):
        a = Value(0.5)
        out = Value(math.sinh(a.data), (a,), "sinh")

        def backward():
            a.grad += math.cosh(a.data) * out.grad

        out._backward = backward
        (out * out).backward()
        assert a.grad == pytest.approx(2 * math.sinh(0.5) * math.cosh(0.5))
        with pytest.raises(RuntimeError, match="_backward of its own"):
            grad(out * 2, a, create_graph=True)
        assert grad(out * 2, a)[0] == pytest.approx(2 * math.cosh(0.5))

    def test_its_network(self):
        from minigrad.scalar import nn

        random.seed(1337)
        expected = [random.uniform(-1, 1) for _ in range(2 * 4 + 4 * 1)]
        random.seed(1337)
        model = nn.MLP(2, [4, 1])
        weights = [p.data for p in model.parameters() if p.data != 0]
        assert weights == expected
        assert repr(model) == (
            "MLP of [Layer of [ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2), ReLUNeuron(2)], Layer of [LinearNeuron(4)]]"
        )
        assert len(model.parameters()) == 17
        out = model([1.0, -2.0])
        assert isinstance(out, Value)
        out.backward()
        model.zero_grad()
        assert all(p.grad == 0 for p in model.parameters())


class TestNumbers:
    @pytest.mark.parametrize("number", [2, 2.0, np.float32(2), np.int64(2), np.array(2.0), True], ids=repr)
    def test_numbers_on_either_side(self, number):
        v = Value(3.0)
        for result, expected in (
            (v + number, 3 + number), (number + v, 3 + number), (v - number, 3 - number), (number - v, number - 3),
            (v * number, 3 * number), (number * v, 3 * number), (v / number, 3 / number), (number / v, number / 3),
            (v**number, 3.0 ** float(number)), (number**v, number**3.0),
        ):  # fmt: skip
            assert type(result) is Value
            assert result.data == pytest.approx(float(expected), rel=1e-6)

    def test_comparisons_are_of_numbers_and_identity_is_the_hash(self):
        a, b = Value(1.0), Value(1.0)
        assert a == b
        assert a <= 1
        assert a < 2
        assert len({a, b}) == 2
        assert not (a != 1.0)  # noqa: SIM202
        assert (a == None) is False  # noqa: E711
        assert max(a, Value(5.0), 3).data == 5.0

    @pytest.mark.parametrize(
        ("function", "expected"),
        [
            (lambda v: v / 0.0, math.inf), (lambda v: 1 / (v * 0), math.inf), (lambda v: (v * 0).log(), -math.inf),
            (lambda v: (v * 1000).exp(), math.inf), (lambda v: (-v).log(), math.nan), (lambda v: (-v) ** 0.5, math.nan),
            (lambda v: (v * 0) ** -1, math.inf), (lambda v: (v * 1e200) ** 3, math.inf),
        ],
    )  # fmt: skip
    def test_what_python_raises_is_ieee(self, function, expected):
        v = Value(1.0)
        result = function(v)
        assert result.data == expected or (math.isnan(result.data) and math.isnan(expected))
        result.backward()  # no error

    @pytest.mark.parametrize("thing", ["2", None, [1.0], 2j, np.ones(2), minigrad.ones(2)])
    def test_what_is_no_number_is_an_error(self, thing):
        with pytest.raises(TypeError):
            Value(thing)
        with pytest.raises(TypeError):
            Value(1.0) + thing
        with pytest.raises(TypeError, match="argument 'other'"):
            Value(1.0).atan2(thing)

    def test_sum_and_builtins(self):
        values = [Value(x) for x in (1.0, 2.0, 3.0)]
        total = sum(values)
        total.backward()
        assert total.data == 6.0
        assert [v.grad for v in values] == [1, 1, 1]
        assert (float(total), int(total), round(Value(2.567), 1), f"{total:.2f}") == (6.0, 6, 2.6, "6.00")
        assert abs(Value(-2.0)).data == 2.0

    def test_copies(self):
        v = Value(2.0, label="w")
        v.grad = 3.0
        for again in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
            assert (again.data, again.grad, again.label) == (2.0, 3.0, "w")
        with pytest.raises(TypeError, match="detach"):
            copy.deepcopy(v * 2)


class TestBackward:
    def test_passes_add_up(self):
        a = Value(2.0)
        b = a * a
        c = b * 3
        c.backward()
        c.backward()
        assert (a.grad, b.grad, c.grad) == (24.0, 6, 2)

    def test_no_grad(self):
        a = Value(2.0)
        with minigrad.no_grad():
            b = a * a
        assert not b.inputs
        assert b.data == 4.0

    def test_deep_chains(self):
        x = first = Value(0.5)
        for _ in range(200_000):
            x = x + 1e-6
        x.backward()
        assert first.grad == 1

    def test_a_dropped_graph_is_freed_without_the_collector(self):
        import weakref

        gc.disable()
        try:
            a = Value(2.0)
            b = a * a
            alive = weakref.ref(b)
            c = b.tanh()
            c.backward()
            del b, c
            assert alive() is None
        finally:
            gc.enable()

    def test_grad_leaves_grads_alone(self):
        a, b = Value(2.0), Value(3.0)
        c = a * b + a
        assert grad(c, (a, b)) == (4.0, 2.0)
        assert (a.grad, b.grad, c.grad) == (0, 0, 0)
        with pytest.raises(RuntimeError, match="was not used"):
            grad(c, Value(1.0))
        assert grad(c, [Value(1.0)], allow_unused=True) == (None,)

    def test_generated_sources_can_be_read(self):
        assert "y = input * other" in source("mul")
        assert "d_input, d_other, = g * other, g * input," in source("mul")


steps = st.lists(
    st.tuples(st.sampled_from(["add", "sub", "mul", "tanh", "relu", "sigmoid", "exp", "neg", "maximum"]),
              st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=25,
)  # fmt: skip


def program(steps, leaves, call):
    made = list(leaves)
    for name, i, j in steps:
        a, b = made[i % len(made)], made[j % len(made)]
        made.append(call(name, a, b) if len(OPS[name].inputs) == 2 else call(name, a))
    return made[-1]


@settings(deadline=None, max_examples=60)
@given(steps, st.lists(st.floats(-1.5, 1.5, allow_subnormal=False), min_size=3, max_size=3))
def test_random_programs_agree_with_tensors(steps, numbers):
    values = [Value(x) for x in numbers]
    tensors = [minigrad.tensor(x, dtype=minigrad.float64, requires_grad=True) for x in numbers]
    ours = program(steps, values, lambda name, *a: getattr(Value, name)(*a))
    with np.errstate(all="ignore"):
        theirs = program(steps, tensors, lambda name, *a: getattr(minigrad, name)(*a))
        same(ours.data, theirs.item(), "result")
        ours.backward()
        theirs.backward()
    for value, tensor in zip(values, tensors, strict=True):
        same(value.grad, 0.0 if tensor.grad is None else tensor.grad.item(), "gradient")


class TestCrossing:
    def test_through_values_and_back(self):
        def f(u, exp_like):
            z = u[0] * u[1] + u[2].tanh()
            return z + z * u[0] + 1.0 if exp_like is None else exp_like([z, z * u[0], 1.0]).sum()

        direct = minigrad.tensor([1.0, 2.0, 3.0], dtype=minigrad.float64, requires_grad=True)
        u = direct * 2
        (f(u, None) + u.sum()).backward()
        crossing = minigrad.tensor([1.0, 2.0, 3.0], dtype=minigrad.float64, requires_grad=True)
        u = crossing * 2
        (f([Value(x) for x in u], lambda v: stack(v, dtype=minigrad.float64)) + u.sum()).backward()
        same(crossing.grad.numpy(), direct.grad.numpy(), "gradient")

    def test_backward_from_values(self):
        t = minigrad.tensor([1.0, 2.0], requires_grad=True)
        a, b = (Value(x) for x in t * 3)
        (a * b).backward()
        assert t.grad.tolist() == [18.0, 9.0]

    def test_stack_of_nested_lists(self):
        rows = [[Value(1.0), 2.0], [Value(3.0), Value(4.0)]]
        t = stack(rows)
        assert t.shape == (2, 2)
        (t * minigrad.tensor([[1.0, 10.0], [100.0, 1000.0]])).sum().backward()
        assert [rows[0][0].grad, rows[1][0].grad, rows[1][1].grad] == [1.0, 100.0, 1000.0]
        with pytest.raises(ValueError, match="unlike lengths"):
            stack([[Value(1.0)], [Value(1.0), Value(2.0)]])
        with pytest.raises(TypeError, match="must hold Values"):
            stack([Value(1.0), "x"])


def test_functions_of_the_module():
    assert scalar.tanh(0.5).data == math.tanh(0.5)
    assert set(OPS_OF_VALUES) <= set(dir(scalar))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = scalar.nothing


class Named(Value):
    """A subclass with an `__init__` of its own."""

    def __init__(self, number, name):
        super().__init__(number)
        self.name = name


class TestWhatProgramsDo:
    def test_subclasses_are_copied_as_they_are(self):
        v = Named(2.0, "speed")
        v.grad = 1.5
        for again in (copy.copy(v), copy.deepcopy(v), pickle.loads(pickle.dumps(v))):
            assert (type(again), again.data, again.grad, again.name) == (Named, 2.0, 1.5, "speed")

    def test_methods_have_their_docstrings_before_and_after_the_first_call(self):
        first = Value.tanh
        assert first(Value(0.0)).data == 0.0
        assert "hyperbolic tangent" in first.__doc__ == Value.tanh.__doc__
        again = Value.tanh
        first(Value(0.0))
        assert Value.tanh is again

    def test_a_failed_backward_keeps_the_gradients(self):
        a = Value(2.0)
        b = a * 3
        b.backward()
        c = b.igamma(1.0)
        with pytest.raises(NotImplementedError):
            c.backward()
        assert (b.grad, a.grad) == (1, 3)

    def test_arguments_of_grad(self):
        v = Value(3.0)
        with pytest.raises(TypeError, match="argument 'inputs' must be a Value or a sequence"):
            grad(v * v, 3)
        with pytest.raises(TypeError, match="must be a real number"):
            grad(v * v, v, "a")
        (d,) = grad(v * v, v, np.float64(2))
        assert (d, type(d)) == (12.0, float)
        u = Value(1.0)
        (d,) = grad(v * v, v, u, create_graph=True)
        assert grad(d, u) == (6.0,)
        assert grad(v * v, v, u) == (6.0,)

    def test_a_leaf_has_no_backward_to_set(self):
        with pytest.raises(AttributeError, match="_children"):
            Value(1.0)._backward = lambda: None

    def test_tensors_of_one_element(self):
        assert type(Value(minigrad.tensor(True)).data) is int
        assert not stack([1.0, 2.0]).requires_grad
        assert stack([1.0, Value(2.0)]).requires_grad


@pytest.mark.parametrize("derive", ["scalar", "tensor"])
def test_derivatives_of_mish_at_zero(derive):
    x = Value(0.0) if derive == "scalar" else minigrad.tensor(0.0, dtype=minigrad.float64, requires_grad=True)
    y, derivatives = x.mish() if derive == "scalar" else minigrad.nn.functional.mish(x), []
    for _ in range(3):
        (y,) = grad(y, x, create_graph=True) if derive == "scalar" else minigrad.autograd.grad(y, x, create_graph=True)
        derivatives.append(y.item())
    assert np.allclose(derivatives, [0.6, 0.64, -0.096])  # PyTorch's, and those of exact arithmetic
