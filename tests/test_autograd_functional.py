"""`autograd.functional`, and the options of `autograd.grad`, against PyTorch's: values, structure, kinds of errors."""

import itertools
import warnings

import numpy as np
import pytest
from test_func import agree, described

import minigrad


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


def space(T):
    """What a line can use."""
    names = {name: getattr(T.autograd.functional, name) for name in ("vjp", "jvp", "jacobian", "hessian", "hvp", "vhp")}
    a, b = T.tensor([1.0, 2.0, 3.0], requires_grad=True), T.tensor([4.0, 5.0, 6.0], requires_grad=True)
    return names | {
        "T": T, "grad": T.autograd.grad, "a": a, "b": b,
        "x": T.tensor([0.5, -1.0, 2.0]), "y": T.tensor([1.5, 0.25]), "one": T.tensor(2.0), "single": T.tensor([2.0]),
        "r": T.tensor([0.5, -1.0, 2.0], requires_grad=True), "i": T.tensor([1, 2, 3]),
        "cube": lambda x: x**3,
        "total": lambda x: (x**3).sum(),
        "square": lambda x: (x * x).sum(),
        "linear": lambda x: x.sum(),
        "many": lambda x, y: (x.sum() * y, (x * x).sum()),
        "both": lambda x, y: (x**3).sum() * (y**2).sum(),
        "first": lambda x, y: (x**3).sum(),
        "constant": lambda x: T.ones(2),
        "listed": lambda x: [x],
        "number": lambda x: 1.0,
        "tupled": lambda x: ((x * x).sum(),),
        "boxed": lambda x: (x * x).sum().reshape(1, 1),
    }  # fmt: skip


def outcome(code, T):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return described(eval(code, space(T)), T)
        except Exception as error:
            return "raises", type(error).__name__


PRODUCTS = [
    "cube, x, x", "cube, r, x", "cube, r, r", "total, x, x", "total, r, r", "total, x", "total, single", "total, one",
    "many, (x, y), (x, y)", "many, (x, y), (y, one)", "both, (x, y), (x, y)", "both, (x, y), x", "both, (x, y), (x,)",
    "both, (x, y), (y, y)", "both, (x, y), one", "constant, x", "constant, x, x", "constant, x, y", "linear, x, x",
    "first, (x, y), (x, y)", "first, (x, y), one", "listed, x, x", "number, x, x", "cube, [x], x", "cube, i, i",
    "cube, x, 3", "tupled, x, x", "boxed, x, x",
]  # fmt: skip
MATRICES = [
    "cube, x", "cube, r", "total, x", "total, single", "total, one", "many, (x, y)", "both, (x, y)", "both, (r, y)",
    "first, (x, y)", "constant, x", "linear, x", "square, x", "tupled, x", "boxed, x", "listed, x", "cube, [x]",
]  # fmt: skip
FLAGS = [f"strict={s}, create_graph={c}" for s, c in itertools.product([False, True], repeat=2)]


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp"])
def test_products(name, flags, torch):
    for arguments in PRODUCTS:
        code = f"{name}({arguments}, {flags})"
        agree(outcome(code, minigrad), outcome(code, torch), code)


@pytest.mark.parametrize("flags", FLAGS)
@pytest.mark.parametrize("name", ["jacobian", "hessian"])
def test_matrices(name, flags, torch):
    for arguments, vectorize in itertools.product(MATRICES, [False, True]):
        code = f"{name}({arguments}, {flags}, vectorize={vectorize})"
        ours, theirs = outcome(code, minigrad), outcome(code, torch)
        if vectorize:  # PyTorch's vectorized zeros have a history
            ours, theirs = without_history(ours), without_history(theirs)
        agree(ours, theirs, code)


def without_history(value):
    if isinstance(value, tuple) and len(value) == 4:
        return value[:2] + value[3:]
    if isinstance(value, tuple | list):
        return [without_history(each) for each in value]
    return value


@pytest.mark.parametrize("arguments", ["cube, x", "total, x", "many, (x, y)", "constant, x", "cube, T.zeros(0)"])
def test_forward_mode_gives_what_reverse_mode_gives(arguments):
    names = space(minigrad)
    forward = outcome(f"jacobian({arguments}, strategy='forward-mode', vectorize=True)", minigrad)
    agree(forward, outcome(f"jacobian({arguments})", minigrad), arguments)
    forward = names["hessian"](names["both"], (names["x"], names["y"]), False, False, True, "forward-mode")
    reverse = names["hessian"](names["both"], (names["x"], names["y"]))
    agree(described(forward, minigrad), described(reverse, minigrad), "hessian")


GRAD = """
jacobian(cube, x, strategy='sideways')
jacobian(cube, x, strategy='forward-mode')
jacobian(cube, x, create_graph=True, strategy='forward-mode')
jacobian(cube, x, strict=True, strategy='forward-mode')
hessian(total, x, outer_jacobian_strategy='sideways')
grad(a * a * b, (a, b), T.eye(3), is_grads_batched=True)
grad(a * a * b, (a, b), T.eye(3), is_grads_batched=True, create_graph=True)
grad(a * a, (a, b), T.eye(3), is_grads_batched=True)
grad(a * a, (a, b), T.eye(3), is_grads_batched=True, allow_unused=True)
grad(a * a, a, T.ones(2, 2), is_grads_batched=True)
grad((a * a).sum(), a, one, is_grads_batched=True)
grad((a * a, b * b), (a, b), (T.eye(3), T.ones(3, 3)), is_grads_batched=True)
grad((a * a, b * b), (a, b), (T.eye(3), T.ones(2, 3)), is_grads_batched=True)
grad((a * a).sum(), a, is_grads_batched=True)
(lambda y: [grad(y, a, T.eye(3), is_grads_batched=True, retain_graph=True), grad(y, a, T.ones(3))])(a * a)
(lambda y: [grad(y, a, T.eye(3), is_grads_batched=True), grad(y, a, T.ones(3))])((a * a).exp())
grad((a * b).sum(), {'p': a, 'q': b})
grad((a * a).sum(), {'p': a, 'q': b}, allow_unused=True)
grad((a * a).sum(), (a, b))
grad((a * a).sum(), [a, b], allow_unused=True)
grad((a * a).sum(), [a, b], materialize_grads=True)
grad((a * a).sum(), [a, b], materialize_grads=True, create_graph=True)
grad((a * a).sum(), [a, b], materialize_grads=True, allow_unused=False)
grad((a * a).sum(), [])
grad(a * a, a)
grad(a * a, a, T.ones(2))
grad([a * a, b * b], [a, b], [x, x])
grad([a * a, b * b], [a, b], [x])
grad([(a * a).sum(), (b * b).sum()], [a, b])
grad([(a * a).sum(), b * b], [a, b], [None, x])
grad(x.sum(), a)
grad([(a * a).sum(), x.sum()], a)
grad((a * a).sum(), x)
grad(a * a, a, 3.0)
grad(a * a, a, [3.0])
grad((a * b).sum(), (t for t in (a, b)))
grad(a * b, a, i)
grad(a * b, a, x.double())
grad((a * b).sum(), (a, a))
grad(a, a, x)
grad((a * b).sum(), a, only_inputs=False)
"""


@pytest.mark.parametrize("code", [line for line in GRAD.splitlines() if line])
def test_as_in_pytorch(code, torch):
    agree(outcome(code, minigrad), outcome(code, torch), code)


def test_no_gradients_in_a_batch_of_none():
    a = minigrad.tensor([1.0, 2.0], requires_grad=True)
    (found,) = minigrad.autograd.grad(a * a, a, minigrad.zeros(0, 2), is_grads_batched=True)
    assert found.shape == (0, 2)


def test_an_empty_input_has_an_empty_jacobian():  # PyTorch: only with vectorize=True
    for vectorize in (False, True):
        found = minigrad.autograd.functional.jacobian(lambda a: a**3, minigrad.zeros(0), vectorize=vectorize)
        assert found.shape == (0, 0)


def test_only_inputs_is_deprecated():
    a = minigrad.tensor(1.0, requires_grad=True)
    with pytest.warns(FutureWarning, match="only_inputs"):
        minigrad.autograd.grad(a * a, a, only_inputs=False)


def test_results_can_be_differentiated_again():
    x = minigrad.tensor([1.0, 2.0], requires_grad=True)
    matrix = minigrad.autograd.functional.jacobian(lambda a: a**3, x, create_graph=True)
    (found,) = minigrad.autograd.grad(matrix.sum(), x)
    np.testing.assert_allclose(found.numpy(), [6.0, 12.0])
    _, product = minigrad.autograd.functional.jvp(lambda a: a**3, x, minigrad.ones(2), create_graph=True)
    (found,) = minigrad.autograd.grad(product.sum(), x)
    np.testing.assert_allclose(found.numpy(), [6.0, 12.0])
