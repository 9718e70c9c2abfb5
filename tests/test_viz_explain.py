"""`viz.explain`: the sum over all paths is the gradient, and what is said of each path holds."""

import functools
import xml.etree.ElementTree as tree

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import programs, run

import minigrad
import minigrad.nn.functional as F
from minigrad import nn, viz

TORN = '가중치 <b>"&\n\U0001f600'


def leaf(*values, **kwargs):
    return minigrad.tensor(values[0] if len(values) == 1 else list(values), requires_grad=True, **kwargs)


def leads_to(y, x):
    return minigrad.autograd.grad(y, x, retain_graph=True, allow_unused=True)[0] is not None


def check(y, x, **options):
    """The explanation, whose sums are those of the engine."""
    found = viz.explain(y, x, **options)
    wanted = minigrad.autograd.grad(y.sum(), x, retain_graph=True, allow_unused=True)[0].numpy()
    total = found.total
    if y.numel() != 1:
        total = total.reshape(y.numel(), *x.shape).sum(0)
    np.testing.assert_allclose(total, wanted, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(sum(path.value for path in found.paths) + found.rest, found.total, rtol=1e-4, atol=1e-6)
    if not found.left_out:
        np.testing.assert_allclose(found.rest, 0, atol=1e-5 * max(1.0, float(np.abs(found.total).max())))
    for path in found.paths:
        matrices = [factor.jacobian for factor in path.factors]
        if matrices and all(matrix is not None for matrix in matrices):
            product = functools.reduce(np.matmul, matrices)
            np.testing.assert_allclose(product.ravel(), path.value.ravel(), rtol=1e-3, atol=1e-6)
    assert str(found)
    assert found.latex
    assert found._repr_html_()
    return found


@settings(max_examples=60)
@given(programs())
def test_sums_are_the_gradient_on_random_graphs_of_numbers(program):
    leaves, y = run(program)
    for x in leaves:
        if leads_to(y, x):
            check(y, x, max_paths=100)


@settings(max_examples=40)
@given(programs(arrays=True))
def test_sums_are_the_gradient_on_random_graphs_of_arrays(program):
    leaves, y = run(program, arrays=True)
    for x in leaves:
        if leads_to(y, x):
            check(y, x, max_paths=4)


def test_the_text_of_a_small_graph():
    w, x = leaf(2.0), minigrad.tensor(3.0)
    loss = (w * x).tanh() + w
    text = str(viz.explain(loss, w, {"w": w, "x": x, "loss": loss}))
    assert text.splitlines()[0] == "∂loss/∂w = 1.0, the sum over 2 paths"
    assert "loss ← v3 ← v2 ← w\n  ∂loss/∂v3 · ∂v3/∂v2 · ∂v2/∂w\n= 1 · (1 − v3²) · x\n" in text
    assert "  v2 = w · x = 6.0\n" in text


def test_all_paths_counted_and_the_best_shown():
    a = leaf(0.5)
    y = a
    for _ in range(200):
        y = y + y.sin() * 0.01
    found = check(y, a, max_paths=3)
    assert found.count == 2**200
    assert found.left_out == 2**200 - 3
    best = found.paths[0]
    assert len(best.nodes) == 201  # straight through every sum
    assert best.value == 1.0
    assert "(1.607e+60 more paths: " in str(found)


def test_importance_is_by_the_size_of_the_product():
    a = leaf(1.0)
    y = a * 0.001 + a * 100.0 + a * -5.0 + a * 0.5
    found = check(y, a, max_paths=2)
    assert [float(path.value) for path in found.paths] == [100.0, -5.0]
    np.testing.assert_allclose(found.rest, 0.501, rtol=1e-5)
    assert "2 more paths: 0.501" in str(found)


def test_the_same_tensor_twice_is_two_paths():
    a = leaf(3.0)
    found = check(a * a, a)
    assert found.count == 2
    assert [str(path) for path in found.paths] == ["y ← x (input)", "y ← x (other)"]


def test_arrays_by_jacobian_shapes():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))
    x = minigrad.randn(1, 4, requires_grad=True)
    found = check(model(x), x, params=model)
    assert [(f.rows, f.columns) for f in found.paths[0].factors] == [(1, 3), (3, 3), (3, 4)]
    assert "[1, 3] · [3, 3] · [3, 4] = [1, 4]" in str(found)
    assert "diag(1 − v4²)" in str(found)
    assert found.paths[0].factors[1].diagonal
    np.testing.assert_allclose(found.paths[0].factors[2].jacobian, model[0].weight.detach().numpy(), rtol=1e-6)


def test_a_jacobian_for_an_output_of_several_elements():
    x = minigrad.randn(3, requires_grad=True)
    found = check((x * x).cumsum(0), x)
    jacobian = minigrad.autograd.functional.jacobian(lambda x: (x * x).cumsum(0), x)
    assert found.total.shape == (3, 3)
    np.testing.assert_allclose(found.total, jacobian.numpy(), rtol=1e-5)


@pytest.mark.parametrize(
    "program",
    [
        lambda x: F.cross_entropy(x.reshape(2, 3), minigrad.tensor([0, 2])),
        lambda x: x.reshape(2, 3).max(1)[0].sum() * x[0],
        lambda x: sum(part.prod() for part in x.split(2)),
        lambda x: nn.LSTM(2, 2)(x.reshape(3, 1, 2))[0].sum(),
        lambda x: F.conv1d(x.reshape(1, 1, 6), minigrad.ones(1, 1, 3)).pow(2).mean(),
        lambda x: minigrad.linalg.svdvals(x.reshape(2, 3)).sum(),
        lambda x: minigrad.where(x > 0, x, x * x).sum(),
    ],
)
def test_operations_of_every_kind(program):
    check(program(x := minigrad.randn(6, requires_grad=True)), x)


def test_writes_in_place_and_views():
    x = leaf(1.0, 2.0, 3.0)
    y = x * 2
    y[0] = x[1] * 5
    y.mul_(y.detach().sum())
    check(y.sum(), x)
    view = x.reshape(3, 1)
    check((view * view).sum(), view)


def test_a_function_of_ones_own_says_that_no_formula_is_known():
    class Cube(minigrad.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        def backward(ctx, g):
            return g * 3 * ctx.saved_tensors[0] ** 2

    x = leaf(2.0)
    found = check(Cube.apply(x) * 2, x)
    assert "Cube.backward(G)" in str(found)
    assert found.total == 24.0


def test_an_intermediate_result_and_x_itself():
    x = leaf(2.0)
    h = x * 3
    assert check(h * h + h, h, params={"h": h}).total == 13.0
    assert check(h, h).total == 1.0
    assert str(viz.explain(x, x)) == "∂y/∂y = 1.0\n\ny\n  = 1.0"


def test_names_of_x_and_y_that_are_taken():
    w, t = leaf(2.0), minigrad.tensor(5.0)
    x = w * 3
    y = x + 1
    loss = (t - y) ** 2
    assert str(viz.explain(loss, w, {"w": w, "y": y})).startswith("∂output/∂w = 12.0\n")
    assert str(viz.explain(loss, w)).startswith("∂y/∂x = 12.0\n")
    assert str(viz.explain(loss, w, {"x": x})).startswith("∂y/∂v0 = 12.0\n")
    taken = str(viz.explain(loss, w, {"w": w, "y": y, "output": x, "t": t}))
    assert taken.startswith("∂v8/∂w = 12.0\n")
    assert "v6 = t − y = −2.0" in taken


def test_freed_graphs():
    x, data = leaf(2.0), minigrad.tensor(3.0)
    y = (x * 2.0).tanh() * 5.0  # numbers are noted in the graph: everything can be computed again
    y.backward()
    assert viz.explain(y, x).total == pytest.approx(x.grad.item())
    z = (x * data).tanh()
    z.backward()
    with pytest.raises(RuntimeError, match="call explain before backward"):
        viz.explain(z, x)


def test_nothing_is_changed():
    model = nn.Linear(3, 2)
    x = minigrad.randn(4, 3, requires_grad=True)
    seen = []
    x.register_hook(seen.append)
    loss = model(x).pow(2).mean()
    before = [p._version for p in (x, *model.parameters())], minigrad.get_rng_state().tolist()
    viz.explain(loss, x, model)
    assert seen == []
    assert x.grad is None
    assert model.weight.grad is None
    assert ([p._version for p in (x, *model.parameters())], minigrad.get_rng_state().tolist()) == before
    loss.backward()
    assert len(seen) == 1


def test_errors_say_what_to_do():
    x, other = leaf(1.0), leaf(1.0)
    y = x * 2
    with pytest.raises(TypeError, match=r"explain\(\): argument 'y' must be a Tensor, not float"):
        viz.explain(2.0, x)
    with pytest.raises(TypeError, match=r"explain\(\): argument 'params' must be"):
        viz.explain(y, x, 3)
    with pytest.raises(ValueError, match=r"x \[\] is not in the graph of y"):
        viz.explain(y, other)
    with pytest.raises(ValueError, match="x does not require grad"):
        viz.explain(y, minigrad.tensor(1.0))
    with pytest.raises(ValueError, match=r"is not in the graph"):
        viz.explain(minigrad.tensor(1.0), x)
    with pytest.raises(ValueError, match="expected at least 1"):
        viz.explain(y, x, max_paths=0)
    with pytest.raises(TypeError, match="must be int, not bool"):
        viz.explain(y, x, max_paths=True)
    large = minigrad.zeros(100, requires_grad=True)
    with pytest.raises(ValueError, match=r"has 10,000 numbers.*explain y.sum\(\)"):
        viz.explain(large * 2, large)
    assert check((large * 2).sum(), large).total.shape == (100,)


def test_names_are_text_never_markup():
    x = leaf(2.0)
    found = viz.explain(x * x, x, {TORN: x})
    page = found._repr_html_()
    assert '<b>"' not in page
    assert "가중치 &lt;b&gt;" in page
    assert '가중치 <b>"& \U0001f600' in str(found)
    bundle = found._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/latex", "text/plain"}
    assert bundle["text/latex"].startswith("$\\displaystyle \\begin{aligned}")


def test_html_is_well_formed():
    x = minigrad.randn(2, 3, requires_grad=True)
    y = F.cross_entropy(x.relu().abs() / 2 + minigrad.where(x > 0, x, x.exp()), minigrad.tensor([0, 1]))
    z = leaf(0.5)
    for found in (viz.explain(y, x), viz.explain(z.clamp(0, 1).sqrt().erf() ** 3 + F.elu(z), z)):
        tree.fromstring(found._repr_html_().replace("<details open>", '<details open="">'))


def test_values_at_the_edges():
    for value in (float("nan"), float("inf"), 0.0):
        x = leaf(value)
        y = x * x + x.relu()
        assert str(viz.explain(y, x))
    x = leaf(-1.0)
    found = viz.explain(x.relu() * 3, x)
    assert found.total == 0.0
    empty = minigrad.zeros(0, requires_grad=True)
    assert viz.explain(empty.sum(), empty).total.shape == (0,)


def test_a_long_chain_is_quick_and_short():
    x = leaf(1.0)
    y = x
    for _ in range(500):
        y = y * 0.9999
    text = str(check(y, x))
    assert "(490 more)" in text
    assert len(text.splitlines()[3]) < 400
