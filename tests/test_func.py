"""`minigrad.func` against torch.func: one line of code, run by both; and laws that hold without PyTorch."""

import importlib
import warnings

import numpy as np
import pytest
from both import array_of, lines

import minigrad
from minigrad import func, nn


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


# ---- one line, both libraries ----------------------------------------------------------------------------------------


def space(T):
    """What a line can use."""
    transforms = importlib.import_module(T.__name__ + ".func")
    names = {name: getattr(transforms, name) for name in func.__all__ if hasattr(transforms, name)}
    T.manual_seed(0)

    def written(x):  # in-place inside
        y = x.clone()
        y[0] = x[1] * 2
        y.mul_(x)
        return y

    def doubled(x):  # in place on the argument
        return x.mul_(2).sum()

    net = T.nn.Sequential(T.nn.Linear(3, 4), T.nn.Tanh(), T.nn.Linear(4, 2))
    with T.no_grad():
        for k, p in enumerate(net.parameters()):
            p.copy_(T.linspace(-1.0, 1.0, p.numel()).reshape(p.shape) * (k + 1) / 3)
    params = {name: p.detach() for name, p in net.named_parameters()}

    def loss(params, x, y):
        return T.nn.functional.cross_entropy(names["functional_call"](net, params, x.unsqueeze(0)), y.unsqueeze(0))

    class Tied(T.nn.Module):
        def __init__(self):
            super().__init__()
            self.a = T.nn.Parameter(T.ones(1))
            self.b = self.a
            self.register_buffer("c", T.zeros(1))

        def forward(self, x):
            self.c = self.c + 1
            return x + self.a + 10 * self.b

    return names | {
        "T": T, "F": T.nn.functional, "nn": T.nn, "net": net, "params": params, "loss": loss, "Tied": Tied,
        "written": written, "doubled": doubled,
        "f": lambda x: (x.sin() * x.exp()).sum(),
        "g": lambda x, y: {"p": x * y.sum(), "q": [(x * x).sum() * y]},
        "x": T.tensor([0.5, -1.0, 2.0]), "y": T.tensor([1.5, 0.25]), "s": T.tensor(2.0),
        "m": T.tensor([[0.5, -1.0, 2.0], [1.0, 0.3, -0.7]]), "w": T.tensor([1.0, 2.0, 3.0], requires_grad=True),
        "X": T.linspace(-1.0, 2.0, 15).reshape(5, 3), "Y": T.tensor([0, 1, 1, 0, 1]), "i": T.tensor([1, 2, 3]),
    }  # fmt: skip


def outcome(code, T):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return described(eval(code, space(T)), T)
        except Exception as error:
            return "raises", type(error).__name__


def described(value, T):
    if isinstance(value, T.Tensor):
        return str(value.dtype), tuple(value.shape), value.requires_grad, array_of(value)
    if isinstance(value, dict):
        return type(value).__name__, {key: described(each, T) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return type(value).__name__, [described(each, T) for each in value]
    return type(value).__name__, value


def agree(ours, theirs, code):
    if isinstance(theirs, np.ndarray):
        np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=1e-6, err_msg=code)
    elif isinstance(theirs, dict):
        assert list(ours) == list(theirs), code
        for key in theirs:
            agree(ours[key], theirs[key], code)
    elif isinstance(theirs, tuple | list):
        assert len(ours) == len(theirs), f"{code}: {ours} / {theirs}"
        for one, other in zip(ours, theirs, strict=True):
            agree(one, other, code)
    else:
        assert ours == theirs, f"{code}: {ours} / {theirs}"


GRADIENTS = """
grad(f)(x)
grad(grad(lambda a: a ** 4))(s)
grad(grad(grad(lambda a: a ** 4)))(s)
grad(lambda a: grad(f)(a).sum())(x)
grad(lambda a: grad(lambda b: (a * b * b).sum())(a).sum())(x)
grad(lambda a: a * grad(lambda b: a + b)(s))(s)
grad(lambda a, b: (a * b.sum()).sum(), argnums=1)(x, y)
grad(lambda a, b: (a * b.sum()).sum(), argnums=-1)(x, y)
grad(lambda a, b: (a * b.sum()).sum(), argnums=(1, 0))(x, y)
grad(lambda a, b: (a * b).sum(), argnums=(0, 1))(x, x)
grad(lambda d: (d['p'] * d['q'][0].sum()).sum())({'p': x, 'q': [y]})
grad(lambda a, k=1: (a * k).sum())(x, k=3)
grad(lambda a: (a.sum(), {'k': a * 2, 'l': [a.sum()]}), has_aux=True)(x)
grad_and_value(f)(x)
grad_and_value(lambda a: (f(a), a), has_aux=True)(x)
grad(lambda a: (a.detach() * a).sum())(x)
grad(lambda a: T.tensor(3.0))(x)
grad(lambda a: (written(a) * a).sum())(x)
grad(lambda a: (a * w).sum())(x)
grad(lambda a: (a * a).sum() + w.sum())(x)
grad_and_value(lambda a: (a * a).sum() + w.sum())(x)
grad(lambda a: (a * a).sum())(w)
grad(lambda a: a.sum() * a.sum().item())(x)
grad(lambda a: T.autograd.grad((a ** 3).sum(), a, create_graph=True)[0].sum())(x)
T.no_grad()(grad(lambda a: (a * a * w).sum()))(w)
grad(T.no_grad()(lambda a: (a * a).sum()))(x)
grad(lambda a: (a * T.no_grad()(lambda b: b * b)(a)).sum())(x)
vjp(lambda a: a ** 3, x)[1](x)
vjp(g, x, y)[0]
vjp(g, x, y)[1]({'p': x, 'q': [y]})
vjp(lambda a: (a.sum(), a * 2), x, has_aux=True)[2]
vjp(lambda a: a * 2, x)[1](i)
vjp(lambda d: d['k'] * 2, {'k': x})[1](x)
vjp(lambda a: vjp(lambda b: b ** 3, a)[1](x)[0], x)[1](x)
grad(lambda v: vjp(lambda b: b ** 3, x)[1](v)[0].sum())(x)
"""

JACOBIANS = """
jacrev(lambda a: a ** 2 * a.sum())(x)
jacfwd(lambda a: a ** 2 * a.sum())(x)
jacrev(g)(x, y)
jacfwd(g)(x, y)
jacrev(g, argnums=(0, 1))(x, y)
jacfwd(g, argnums=(1, 0))(x, y)
jacrev(lambda a: (a * 2, a.sum()), has_aux=True)(x)
jacfwd(lambda a: (a * 2, a.sum()), has_aux=True)(x)
jacrev(lambda d: {'o': d['k'] * 2})({'k': m})
jacrev(lambda a: a * 2, chunk_size=2)(m)
jacrev(lambda a: T.ones(2))(x)
jacfwd(lambda a: T.ones(2))(x)
jacfwd(lambda a: a.argmax())(x)
jacrev(lambda a: a * 2)(T.zeros(0))
jacfwd(lambda a: a * 2)(T.zeros(0))
jacrev(lambda a, k: a * k)(x, 3)
jacrev(written)(x)
jacfwd(written)(x)
jacrev(f)(s)
jacfwd(lambda a: a.sum(1))(m)
jacfwd(lambda a: (a * w).sum())(x)
hessian(f)(x)
hessian(lambda a, b: (a ** 3).sum() * (b ** 2).sum(), argnums=(0, 1))(x, y)
hessian(lambda a: a ** 3)(s)
hessian(lambda a: a ** 3)(y)
jacfwd(jacrev(f))(x)
jacrev(jacfwd(f))(x)
jacfwd(jacfwd(f))(x)
jacrev(jacrev(jacrev(f)))(x)
hessian(lambda p: F.mse_loss(functional_call(net, p, X), T.zeros(5, 2)))(params)
jvp(lambda a: a ** 3, (x,), (T.ones(3),))
jvp(g, (x, y), (T.ones(3), y))
jvp(lambda d: d['k'] ** 2, ({'k': x},), ({'k': T.ones(3)},))
jvp(lambda a: (a.sum(), a.argmax(), T.ones(2)), (x,), (T.ones(3),))
jvp(lambda a: (a * 2, a), (x,), (T.ones(3),), has_aux=True)
jvp(written, (x,), (T.ones(3),))
[jvp(doubled, (x,), (T.ones(3),)), x]
jvp(grad(f), (x,), (x,))
jvp(lambda a: a, (x,), (x,))
jvp(lambda a: (a, a), (x,), (x,))
jvp(lambda a: jvp(lambda b: a * b * b, (a,), (T.ones(3),))[1], (x,), (T.ones(3),))
vjp(lambda a: jvp(lambda b: b ** 3, (a,), (x,))[1], x)[1](T.ones(3))
grad(lambda t: jvp(lambda b: b ** 3, (x,), (t,))[1].sum())(x)
"""

VMAPS = """
vmap(T.dot)(m, m)
vmap(lambda a: a.sum())(m)
vmap(lambda a: a * 2, in_dims=1)(m)
vmap(lambda a: a * 2, in_dims=-1, out_dims=-1)(m)
vmap(lambda a: (a, a.sum()), out_dims=(1, 0))(m)
vmap(lambda a: {'k': [a, a.sum()]}, out_dims={'k': [-1, 0]})(m)
vmap(lambda a, b: a + b, in_dims=(0, None))(m, x)
vmap(lambda d: d['a'] + d['b'], in_dims=({'a': 0, 'b': None},))({'a': x, 'b': y})
vmap(lambda d: d['a'] + d['b'][0])({'a': m, 'b': [m]})
vmap(lambda a, k=1: a * k)(x, k=x)
vmap(lambda a: T.ones(2))(x)
vmap(lambda a: (a, 3.0), out_dims=(0, None))(x)
vmap(lambda a: a.sum(), chunk_size=2)(X)
vmap(lambda a: a.sum())(T.zeros(0, 3))
vmap(lambda a: a * 2, out_dims=1)(T.zeros(0, 3))
vmap(lambda a: a.max(0))(m)
vmap(lambda a: a.add_(1))(m)
[vmap(lambda a: a.add_(1))(m), m]
vmap(vmap(lambda a, b: a * b, (None, 0)), (0, None))(x, y)
vmap(lambda a: vmap(lambda b: a * b)(y))(x)
vmap(lambda a: a * 0 + T.rand(()), randomness='same')(x).std()
vmap(grad(f))(m)
vmap(grad(f), in_dims=1)(m)
vmap(grad(lambda a, b: (a * b).sum(), argnums=1), in_dims=(0, None))(m, x)
vmap(grad(loss), (None, 0, 0))(params, X, Y)
vmap(grad_and_value(loss), (None, 0, 0))(params, X, Y)
vmap(jacrev(lambda a: a.sin() * a.sum()))(m)
vmap(jacfwd(lambda a: a.sin() * a.sum()))(m)
vmap(hessian(f))(m)
jacrev(vmap(lambda a: a.sin() * a.sum()))(m)
grad(lambda a: vmap(f)(a).sum())(m)
grad(lambda a: vmap(lambda b: b * a.sum())(a).sum())(m)
vmap(vjp(lambda a: a ** 3, x)[1])(T.eye(3))
vmap(lambda a, t: jvp(f, (a,), (t,))[1])(m, m)
vmap(written)(m)
vmap(lambda a: a * w)(m)
vmap(lambda a: (a - a.mean()) / a.std())(m)
vmap(lambda a: F.softmax(a, 0) @ x)(m)
vmap(lambda a, b: F.linear(a, b))(m, m.unsqueeze(1))
vmap(lambda a: a[T.tensor([2, 0])])(m)
vmap(lambda a: T.where(a > 0, a, -a))(m)
vmap(lambda a: T.cat([a, a * 2]))(m)
vmap(lambda a: a.unsqueeze(0).expand(2, 3).t())(m)
vmap(lambda a: a[1:] - a[:-1])(m)
vmap(lambda a: a.to(T.float64) + 1)(m)
vmap(lambda a: a + T.ones((), dtype=T.float64))(x)
vmap(lambda a, b: a + b)(T.tensor([1.0, 2.0], dtype=T.float64), m)
vmap(lambda a: (a > 0).sum())(m)
vmap(lambda a: a.std())(m)
"""

CALLS = """
functional_call(net, params, X)
functional_call(net, params, (X,))
functional_call(net, {'2.bias': y}, kwargs={'input': X})
functional_call(net, [{'2.bias': y}, {'0.bias': T.ones(4)}], X)
functional_call(net, [{'2.bias': y}, {'2.bias': y}], X)
functional_call(net, {'2.bias': y}, X, strict=True)
functional_call(net, params | {'other': y}, X, strict=True)
functional_call(net, params | {'other': y}, X)
functional_call(net, params | {'other.bias': y}, X)
functional_call(net, params | {'2.bias': 3}, X)
functional_call(net, 3, X)
functional_call(net, [3], X)
functional_call(Tied(), {'a': T.zeros(1)}, T.ones(1))
functional_call(Tied(), {'b': T.zeros(1)}, T.ones(1))
functional_call(Tied(), {'a': T.zeros(1)}, T.ones(1), tie_weights=False)
functional_call(Tied(), {'a': T.zeros(1), 'b': T.ones(1)}, T.ones(1))
functional_call(Tied(), {'a': T.zeros(1), 'b': T.ones(1)}, T.ones(1), tie_weights=False)
functional_call(Tied(), {'a': T.zeros(1), 'c': T.ones(1)}, T.ones(1), strict=True)
(lambda t, d: [functional_call(t, d, T.ones(1)), d, t.c, t.a])(Tied(), {'c': T.ones(1)})
stack_module_state([Tied(), Tied()])
stack_module_state([])
stack_module_state([Tied(), Tied().eval()])
stack_module_state([Tied(), nn.Linear(1, 1)])
stack_module_state([nn.Linear(1, 1), nn.Linear(1, 1).requires_grad_(False)])
vmap(lambda p, b, a: functional_call(Tied(), (p, b), a), (0, 0, None))(*stack_module_state([Tied(), Tied()]), x)
grad(lambda p: functional_call(net, p, X).square().mean())(params)
"""

ERRORS = """
grad(lambda a: a * 2)(x)
grad(lambda a: a.sum().item())(x)
grad(lambda a: a.sum())(i)
grad(lambda a: a)(3.0)
grad(lambda a: a[0].sum())([x, None])
grad(f, argnums=5)(x)
grad(f, argnums=(0, 0))(x)
grad(f, argnums=())(x)
grad(f, argnums=[0])(x)
grad(f, has_aux=True)(x)
grad(lambda a: (a.sum(), 3), has_aux=True)(x)
grad(doubled)(x)
grad(lambda a: grad(doubled)(a).sum())(x)
vjp(lambda a: (a, a), x)[1](x)
vjp(lambda a: a, x)[1](y)
vjp(lambda a: a.argmax(), x)
vjp(lambda a: None, x)
vjp(lambda a: 3, x)
jacrev(lambda a: a.argmax())(x)
jacrev(f, chunk_size=0)
jvp(f, x, x)
jvp(f, (x,), (y,))
jvp(f, (x,), (x, x))
jvp(f, (x,), (3.0,))
jvp(f, (x,), (i,))
jvp(f, (), ())
jvp(lambda a: T.ones(2), (x,), (x,), strict=True)
vmap(lambda a: 3.0)(x)
vmap(lambda a: None)(x)
vmap(lambda a: (a, a), out_dims=(0, None))(x)
vmap(lambda a, b: a)(x, y)
vmap(lambda: 3)()
vmap(lambda a: a, in_dims=None)(x)
vmap(lambda a: a, in_dims=(None,))(x)
vmap(lambda a: a, in_dims=(0, 0))(x)
vmap(lambda a: a, in_dims=[0])(x)
vmap(lambda a: a, in_dims=('a',))(x)
vmap(lambda a: a, in_dims=1)(x)
vmap(lambda a: a['k'], in_dims=({'j': 0},))({'k': x})
vmap(lambda a, b: a * b)(x, 3)
vmap(lambda a: a)(s)
vmap(lambda a: a, out_dims='a')(x)
vmap(lambda a: a, out_dims=(0, 0))(x)
vmap(lambda a: a, out_dims=5)(x)
vmap(lambda a: a + T.rand(()))(x)
vmap(f, randomness='some')
vmap(f, chunk_size=0)
"""


@pytest.mark.parametrize("code", lines(GRADIENTS + JACOBIANS + VMAPS + CALLS + ERRORS))
def test_as_in_pytorch(code, torch):
    agree(outcome(code, minigrad), outcome(code, torch), code)


def test_linearize(torch):
    for T in (minigrad, torch):
        names = space(T)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            output, push = names["linearize"](names["g"], names["x"], names["y"])
            tangents = push(T.ones(3), names["y"])
            expected = names["jvp"](names["g"], (names["x"], names["y"]), (T.ones(3), names["y"]))
        agree(described((output, tangents), T), described(expected, T), "linearize")
        with pytest.raises(RuntimeError):
            push(T.ones(2), names["y"])
        with pytest.raises(RuntimeError):
            push(T.ones(3))


# ---- without PyTorch -------------------------------------------------------------------------------------------------


def test_value_and_grad_gives_the_value_first():
    x = minigrad.tensor([1.0, 2.0])
    value, gradient = func.value_and_grad(lambda a: (a * a).sum())(x)
    assert (value.item(), gradient.tolist()) == (5.0, [2.0, 4.0])
    (value, aux), gradient = func.value_and_grad(lambda a: ((a * a).sum(), a), has_aux=True)(x)
    assert (value.item(), aux.tolist(), gradient.tolist()) == (5.0, [1.0, 2.0], [2.0, 4.0])


def test_names_are_where_pytorch_has_them():
    assert minigrad.vmap is func.vmap
    assert nn.utils.stateless.functional_call is func.functional_call
    for name in func.__all__:
        assert getattr(func, name).__doc__.startswith(name)


def test_nothing_of_a_transform_is_left_behind():
    x, w = minigrad.tensor([1.0, 2.0]), minigrad.tensor([3.0, 4.0], requires_grad=True)
    func.hessian(lambda a: (a * a * w).sum())(x)
    func.vmap(func.grad(lambda a: (a * w).sum()))(minigrad.ones(2, 2))
    assert not x.requires_grad
    assert x.grad is None
    assert w.grad is None
    value, back = func.vjp(lambda a: a * 2, x)
    assert not value.requires_grad
    assert not back(x)[0].requires_grad
    assert back(x)[0].tolist() == back(x)[0].tolist() == [2.0, 4.0]


def test_gradients_of_single_examples_of_a_network():
    minigrad.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    x, y = minigrad.randn(6, 4), minigrad.tensor([0, 1, 2, 2, 1, 0])

    def loss(params, x, y):
        return nn.functional.cross_entropy(func.functional_call(net, params, x[None]), y[None])

    params = {name: p.detach() for name, p in net.named_parameters()}
    found = func.vmap(func.grad(loss), (None, 0, 0))(params, x, y)
    for i in range(6):
        net.zero_grad()
        nn.functional.cross_entropy(net(x[i : i + 1]), y[i : i + 1]).backward()
        for name, p in net.named_parameters():
            np.testing.assert_allclose(found[name][i].numpy(), p.grad.numpy(), rtol=1e-5, atol=1e-7)


def test_vmap_draws_its_random_numbers_as_asked():
    x = minigrad.zeros(5)
    minigrad.manual_seed(3)
    same = func.vmap(lambda a: a + minigrad.rand(()), randomness="same")(x)
    minigrad.manual_seed(3)
    different = func.vmap(lambda a: a + minigrad.rand(()), randomness="different")(x)
    assert len(set(same.tolist())) == 1
    assert len(set(different.tolist())) == 5
    assert same[0] == different[0]
    state = minigrad.default_generator.get_state()
    with pytest.raises(RuntimeError, match="randomness"):
        func.vmap(lambda a: a + minigrad.rand(()))(x)
    assert np.array_equal(state, minigrad.default_generator.get_state())
