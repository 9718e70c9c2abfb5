"""Recorded runs: replays equal runs, batches equal rows, guards hold, and the moons demo learns."""

import random
import threading
import tracemalloc
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad
from bench import textbook
from minigrad.datasets import make_moons
from minigrad.registry import OPS
from minigrad.scalar import Value, moons, nn, record

UNARY = ["tanh", "sigmoid", "exp", "relu", "neg"]  # of `interpreter.USUAL`: one compiled machine for all programs
BINARY = ["add", "sub", "mul", "div"]
programs = st.lists(
    st.tuples(st.sampled_from(UNARY + BINARY), st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=20
)


def run(steps, leaves):
    made = list(leaves)
    for name, i, j in steps:
        a, b = made[i % len(made)], made[j % len(made)]
        made.append(getattr(Value, name)(a, b) if len(OPS[name].inputs) == 2 else getattr(Value, name)(a))
    return made[-1]


@settings(deadline=None, max_examples=60)
@given(
    programs,
    st.lists(st.floats(0.1, 1.5), min_size=2, max_size=2),
    st.lists(st.floats(0.1, 1.5), min_size=4, max_size=4),
)
def test_a_replay_is_a_run(steps, first, rows):
    w = Value(0.7)
    tape = record(lambda x: run(steps, [w, *x]), first)
    batch = np.array(rows).reshape(2, 2)
    outputs = tape.forward(batch)
    w.grad = 0
    tape.backward()
    from_batch = w.grad
    w.grad = 0
    for row, output in zip(batch, outputs, strict=True):
        inputs = [Value(x) for x in row]
        expected = run(steps, [w, *inputs])
        assert np.isclose(output, expected.data, rtol=1e-9, atol=1e-300, equal_nan=True)
        expected.backward()
    assert np.isclose(from_batch, w.grad, rtol=1e-7, atol=1e-9, equal_nan=True)


def test_ops_of_all_kinds_replay():
    """Every third, in one tape: one machine of many instructions is compiled."""
    names = sorted(n for n, op in OPS.items() if op.pointwise and op.jit_rules and op.rules)[::3]
    leaves, results = [Value(0.4), Value(0.7), Value(0.2)], []
    with record() as tape:
        for name in names:
            attrs = [OPS[name].attr_defaults.get(attr, 2) for attr in OPS[name].attrs]
            results.append(getattr(Value, name)(*leaves[: len(OPS[name].inputs)], *attrs))
        total = sum(results)
    expected = [result.data for result in results]
    total.backward()
    grads = [leaf.grad for leaf in leaves]
    for leaf in leaves:
        leaf.grad = 0
    tape.forward()
    assert np.allclose([tape.value(result) for result in results], expected, rtol=1e-9, atol=1e-12)
    tape.backward()
    assert np.allclose([leaf.grad for leaf in leaves], grads, rtol=1e-9)
    assert len(names) >= 20


class TestTape:
    def test_the_values_stay_the_truth(self):
        w, b = Value(3.0), Value(1.0)
        with record() as tape:
            loss = (w * 2.0 + b) ** 2
        assert (len(tape), tape.outputs) == (3, (loss,))
        w.data = 1.0
        assert tape.forward() == 9.0 == loss.data
        tape.backward()
        assert (w.grad, b.grad) == (12.0, 6.0)
        tape.backward(0.5)
        assert (w.grad, b.grad) == (18.0, 9.0)
        assert tape.value(loss.inputs[0]) == 3.0
        assert tape.gradient(loss.inputs[0]) == 3.0

    def test_arguments_and_batches(self):
        w = [Value(1.0), Value(-2.0)]
        tape = record(lambda x, t: (sum(a * b for a, b in zip(w, x)) - t) ** 2, [0.0, 0.0], 0.0)
        assert tape.forward([3.0, 1.0], 0.5) == 0.25
        x, t = np.array([[3.0, 1.0], [1.0, 1.0], [0.0, 2.0]]), np.array([0.5, 0.0, 1.0])
        assert tape.forward(x, t).tolist() == [0.25, 1.0, 25.0]
        tape.backward(1 / 3)
        assert np.allclose([v.grad for v in w], (2 * ((x @ [1, -2]) - t)[:, None] * x).sum(0) / 3)
        assert tape.gradient(tape.inputs[2]).shape == (3,)
        with pytest.raises(ValueError, match="batches of different sizes"):
            tape.forward(x, t[:2])
        with pytest.raises(ValueError, match="argument 0 has shape"):
            tape.forward(np.zeros((3, 5)), t)
        with pytest.raises(TypeError, match="got 1 arguments"):
            tape.forward(x)

    def test_training_by_a_tape(self):
        w, b = Value(0.0), Value(0.0)
        tape = record(lambda x, t: (w * x + b - t) ** 2, 0.0, 0.0)
        x = np.linspace(-1, 1, 8)
        for _ in range(300):
            losses = tape.forward(x, 3 * x - 0.5)
            tape.backward(1 / 8)
            tape.update([w, b], lr=0.3)
        assert losses.max() < 1e-12
        assert (round(w, 6), round(b, 6), w.grad) == (3.0, -0.5, 0)

    def test_several_outputs(self):
        a = Value(2.0)
        tape = record(lambda x: [a * x, a + x], 1.0)
        assert tape.forward(5.0) == (10.0, 7.0)
        tape.backward()
        assert a.grad == 6.0

    def test_what_cannot_be_recorded(self):
        with pytest.raises(RuntimeError, match="no operation"), record():
            pass
        with pytest.raises(TypeError, match="must be a function"):
            record(3)
        with pytest.raises(TypeError, match="must return a Value"):
            record(lambda: 3 * Value(2.0) and None)
        with pytest.raises(RuntimeError, match="no_grad"), record(), minigrad.no_grad():
            Value(1.0) * 2
        with pytest.raises(RuntimeError, match="call forward"):
            record(lambda x: x * 2, 1.0).backward()

    def test_an_error_inside_leaves_nothing_behind(self):
        with pytest.raises(KeyError), record():
            raise KeyError
        v = Value(2.0)
        v.data = 3.0
        assert type(v.data) is float
        assert (v * 2).data == 6.0

    def test_other_threads_are_not_recorded(self):
        with record() as tape:
            v = Value(2.0) * 3
            thread = threading.Thread(target=lambda: [Value(1.0) * 2 for _ in range(10)])
            thread.start()
            thread.join()
        assert len(tape) == 1
        assert tape.outputs == (v,)

    def test_recordings_nest(self):
        with record() as outer:
            a = Value(2.0) * 3
            with record() as inner:
                b = a * a
            b + 1
        assert (len(outer), len(inner)) == (3, 1)
        assert inner.forward() == 36.0


class TestGuards:
    def test_a_branch(self):
        tape = record(lambda x: x * 2 if x > 0 else x * 3, 1.0)
        assert tape.forward(4.0) == 8.0
        with pytest.raises(
            RuntimeError, match=r"would take another branch: the comparison 'gt' at .*test_scalar_tape.py:\d+ was True"
        ):
            tape.forward(-1.0)
        with pytest.raises(RuntimeError, match="row 2 of the batch"):
            tape.forward([1.0, 2.0, -1.0])

    @pytest.mark.parametrize(
        "branch", [lambda x: x.data > 0, lambda x: x.item() > 0, lambda x: bool(x - 1), lambda x: max(x, 0.5) is x]
    )
    def test_other_ways_to_look(self, branch):
        tape = record(lambda x: x * 2 if branch(x) else x * 3, 2.0)
        assert tape.forward(3.0) == 6.0
        with pytest.raises(RuntimeError, match="another branch"):
            tape.forward(1.0 if branch(Value(-1.0)) else -1.0)

    def test_numbers_taken_out_are_told_of(self):
        with pytest.warns(UserWarning, match=r"test_scalar_tape.py:\d+ computes with a number read from v.data"):
            tape = record(lambda x: x * (x.data + 1), 2.0)
        assert tape.forward(3.0) == 9.0
        with pytest.warns(UserWarning, match="float"):
            record(lambda x: x * float(x), 2.0)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            record(lambda x: [x * 2, print(f"{x.data:.1f}")][0], 2.0)

    def test_assigning_inside_is_an_error(self):
        v = Value(1.0)
        with record():
            v * 2
            with pytest.raises(RuntimeError, match="assigned inside the recording"):
                v.data = 3.0


class TestMoons:
    def test_the_points_are_scikit_learns(self):
        datasets = pytest.importorskip("sklearn.datasets")
        for n, noise in ((100, 0.1), (7, None)):
            ours, theirs = (f(n_samples=n, noise=noise, random_state=3) for f in (make_moons, datasets.make_moons))
            assert np.array_equal(ours[0], theirs[0])
            assert np.array_equal(ours[1], theirs[1])
        with pytest.raises(ValueError, match="n_samples"):
            make_moons(0)

    def test_ten_steps_are_the_textbooks(self):
        ours, _ = moons.train(*moons.problem(), steps=10, tape=True)
        eager, _ = moons.train(*moons.problem(), steps=3, tape=False)
        theirs, _ = moons.train(*moons.problem(textbook.Value, textbook.MLP), steps=10, tape=False)
        assert np.allclose(ours, theirs, rtol=1e-10)
        assert np.allclose(eager, moons.train(*moons.problem(), steps=3)[0], rtol=1e-12)

    def test_it_learns(self, capsys):
        moons.main([])
        assert "accuracy 100%" in capsys.readouterr().out


def test_memory_of_a_node():
    x, a = Value(1.0), Value(0.5)
    (x * a + 1.0).backward()  # what is made at the first use
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(300):
            x = (x * a + a).tanh()
        x.backward()
        each = (tracemalloc.get_traced_memory()[0] - before) / 900
    finally:
        tracemalloc.stop()
    assert each <= 250


def test_the_network_of_micrograd_is_recorded():
    random.seed(0)
    model = nn.MLP(3, [4, 1])
    tape = record(model, [1.0, 2.0, 3.0])
    x = np.random.default_rng(0).normal(size=(5, 3))
    assert np.allclose(tape.forward(x), [model(row.tolist()).data for row in x])


class TestReplaysOfAllKinds:
    def test_results_that_no_output_uses_get_no_gradient(self):
        def fn(x):
            (x * 1000.0).exp().exp()  # infinite, and its rule 0 · inf
            return x * 2

        tape = record(fn, 0.0)
        assert tape.forward(1.0) == 2.0
        tape.backward()
        assert tape.gradient(tape.inputs[0]) == 2.0

    def test_batches_of_no_rows(self):
        w = Value(2.0)
        tape = record(lambda x, t: w * x[0][1] + t, [[1.0, 2.0]], 3.0)
        assert tape.forward(np.zeros((0, 1, 2)), 1.0).shape == (0,)
        tape.backward()
        assert w.grad == 0
        assert tape.gradient(tape.inputs[0]).shape == (0,)
        assert tape.forward(np.ones((1, 1, 2)), 1.0).tolist() == [3.0]

    def test_threads_replay_one_tape(self):
        w = Value(2.0)
        tape, wrong = record(lambda x: w * x, 1.0), []

        def work(k):
            for n in range(200):
                rows = np.full(1 + n % (k + 2), float(k))
                wrong.extend(y for y in tape.forward(rows) if y != 2.0 * k)

        threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong
        with pytest.raises(RuntimeError, match="in this thread"):
            tape.backward()

    def test_gradients_go_on_behind_what_was_computed_before(self):
        w, t = Value(2.0), minigrad.tensor([3.0], requires_grad=True)
        h, element = w * 3, Value(t[0])
        tape = record(lambda x: h * x * element, 1.0)
        assert tape.forward(2.0) == 36.0
        tape.backward()
        assert (h.grad, w.grad, t.grad.tolist()) == (6.0, 18.0, [12.0])

    def test_an_op_without_compiled_form_is_named(self):
        tape = record(lambda x: x.digamma() + 1, 2.0)
        with pytest.raises(NotImplementedError, match="the op 'digamma' has no compiled form"):
            tape.forward(3.0)

    @pytest.mark.parametrize("name", ["isnan", "isfinite", "logical_not", "signbit"])
    def test_every_question_is_a_guard(self, name):
        tape = record(lambda x: x * 2 if getattr(x, name)() else x * 3, 1.0)
        unusual = next(x for x in (0.0, -1.0, np.nan) if getattr(Value(x), name)() != getattr(Value(1.0), name)())
        with pytest.raises(RuntimeError, match=f"the comparison '{name}'"):
            tape.forward(unusual)

    @pytest.mark.parametrize(
        "use", [lambda x: round(x.data), lambda x: int(x.data), lambda x: x.data % 2, lambda x: x.detach(), round, int,
                lambda x: Value(x.data), lambda x: minigrad.scalar.stack([x]).item()],
    )  # fmt: skip
    def test_constants_are_told_of_at_their_line(self, use):
        with pytest.warns(UserWarning, match="is a constant in the replay") as caught:
            record(lambda x: x * use(x), 2.0)
        assert {warning.filename for warning in caught} == {__file__}

    def test_an_operation_of_ones_own_is_refused(self):
        def fn(x):
            return Value(8.0, (x,), "cube") * 2

        with pytest.raises(RuntimeError, match="operation of your own"):
            record(fn, 2.0)

    def test_bad_arguments(self):
        tape = record(lambda x: x * 2, Value(1.0))
        for bad in ("a", None, 1j, [1.0, [2.0]]):
            with pytest.raises(TypeError, match="argument 0 must be a number"):
                tape.forward(bad)
            with pytest.raises(TypeError, match="example 0 must be a number"):
                record(lambda x: x * 2, bad)
        tape.forward([1.0, 2.0])
        with pytest.raises(ValueError, match=r"argument 'grad' has shape \[3\]"):
            tape.backward([1.0, 2.0, 3.0])
        with record() as tape:
            Value(1.0) * 2
            with pytest.raises(RuntimeError, match="has not ended"):
                tape.forward()
