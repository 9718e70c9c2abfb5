"""nn.utils.parametrize and what is made with it, the old norms by hooks, fused layers: against PyTorch."""

import copy
import pickle

import numpy as np
import pytest
from both import check, lines

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")
LIBRARIES = (minigrad, torch)


def of(lib, path):
    """`nn.utils.<path>` of the library that `lib` is the nn of."""
    place = lib.utils
    for name in path.split("."):
        place = getattr(place, name)
    return place


def case(path, make, shape, *args, **kwargs):
    shown = ", ".join([*map(repr, args), *(f"{k}={v!r}" for k, v in kwargs.items())])
    return pytest.param(lambda lib: of(lib, path)(make(lib), *args, **kwargs), shape, id=f"{path}({shown}) of {shape}")


def linear(lib, n=20, m=7):
    return lib.Linear(n, m)


def conv(lib):
    return lib.Conv2d(3, 4, 3)


OF_LINEAR, OF_CONV = (linear, (5, 20)), (conv, (2, 3, 5, 4))
MODULES = [
    *[case(f"{place}weight_norm", *OF_LINEAR, dim=dim) for place in ("", "parametrizations.") for dim in (0, 1, None)],
    *[case(f"{place}spectral_norm", *OF_LINEAR, dim=dim) for place in ("", "parametrizations.") for dim in (None, 1)],
    *[case(f"parametrizations.{kind}_norm", *OF_CONV) for kind in ("weight", "spectral")],
    case("spectral_norm", *OF_CONV, n_power_iterations=3, eps=1e-3),
    case("parametrizations.spectral_norm", *OF_CONV, "weight", 2, dim=-1),
    case("parametrizations.spectral_norm", *OF_LINEAR, "bias"),
    case("weight_norm", *OF_LINEAR, "bias"),
    *[
        case("parametrizations.orthogonal", lambda lib, s=s: linear(lib, *s), (5, s[0]), orthogonal_map=kind, **given)
        for kind in ("matrix_exp", "cayley", "householder")
        for s in ((4, 4), (6, 4), (4, 6))
        for given in ({}, {"use_trivialization": False})
    ],
    case("parametrizations.orthogonal", linear, (5, 20)),
]  # fmt: skip
ignore_deprecation = pytest.mark.filterwarnings("ignore::FutureWarning")


def both_modules(make):
    torch.manual_seed(0)
    theirs = make(torch.nn)
    minigrad.manual_seed(0)
    return theirs, make(nn)


def assert_same_state(mine, theirs, rtol=1e-4, atol=1e-5):
    # float32: iterations of matrix products, solutions of systems
    mine, theirs = mine.state_dict(), theirs.state_dict()
    assert list(mine) == list(theirs)
    for name, expected in theirs.items():
        np.testing.assert_allclose(mine[name].numpy(), expected.numpy(), rtol=rtol, atol=atol, err_msg=name)


@ignore_deprecation
@pytest.mark.parametrize(("make", "shape"), MODULES)
def test_same_start_and_three_steps(make, shape):
    theirs, mine = both_modules(make)
    assert repr(mine) == repr(theirs)
    assert mine.state_dict()._metadata == theirs.state_dict()._metadata
    assert minigrad.rand(1).item() == torch.rand(1).item(), "another amount of random numbers was drawn"
    assert_same_state(mine, theirs)
    rng = np.random.default_rng(0)
    for step in range(3):
        x = rng.standard_normal(shape).astype(np.float32)
        outs = []
        for T, module in zip(LIBRARIES, (mine, theirs), strict=True):
            module.train(step < 2)
            outs.append(module(T.from_numpy(x)))
            module.zero_grad()
            outs[-1].sin().sum().backward()
            with T.no_grad():
                for p in module.parameters():
                    if p.grad is not None:
                        p -= 0.1 * p.grad
        np.testing.assert_allclose(outs[0].detach().numpy(), outs[1].detach().numpy(), rtol=1e-3, atol=1e-4)
        assert_same_state(mine, theirs, rtol=1e-3, atol=1e-4)


@ignore_deprecation
@pytest.mark.parametrize("kind", ["weight_norm", "spectral_norm"])
def test_old_norms_are_removed(kind):
    theirs, mine = both_modules(lambda lib: of(lib, f"remove_{kind}")(of(lib, kind)(lib.Linear(4, 3))))
    assert repr(mine) == repr(theirs)
    assert [n for n, _ in mine.named_parameters()] == ["bias", "weight"]
    assert_same_state(mine, theirs)
    assert not mine._forward_pre_hooks
    with pytest.raises(ValueError, match=f"{kind} of 'weight' not found"):
        of(nn, f"remove_{kind}")(mine)
    twice = of(nn, kind)(mine)
    with pytest.raises(RuntimeError, match="Cannot register two"):
        of(nn, kind)(twice)


@ignore_deprecation
def test_states_of_the_old_weight_norm_are_read():
    old, new = nn.utils.weight_norm(nn.Linear(4, 3)), nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    assert str(new.load_state_dict(old.state_dict())) == "<All keys matched successfully>"
    assert new.weight.tolist() == old.weight.tolist()


def test_deprecation():
    with pytest.warns(FutureWarning, match="weight_norm` is deprecated"):
        nn.utils.weight_norm(nn.Linear(4, 3))
    p = nn.Parameter(minigrad.ones(4))
    p.grad = minigrad.ones(4)
    with pytest.warns(FutureWarning, match="clip_grad_norm` is now deprecated"):
        assert nn.utils.clip_grad_norm(p, 1.0).item() == 2.0
    assert p.grad.norm().item() == pytest.approx(1.0, rel=1e-5)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (4, 4), (2, 5, 3)])
@pytest.mark.parametrize("kind", ["matrix_exp", "cayley", "householder"])
def test_orthogonal_stays_orthogonal(kind, shape):
    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(minigrad.randn(*shape, dtype=minigrad.float64))

    module = nn.utils.parametrizations.orthogonal(Holder(), orthogonal_map=kind)
    for _ in range(2):
        q = module.weight.mT if shape[-2] < shape[-1] else module.weight
        identity = np.broadcast_to(np.eye(q.shape[-1]), (*q.shape[:-2], q.shape[-1], q.shape[-1]))
        np.testing.assert_allclose((q.mT @ q).detach().numpy(), identity, atol=1e-12)
        (original,) = module.parameters()
        (module.weight**3).sum().backward()
        original.data -= original.grad
    wanted = minigrad.linalg.qr(minigrad.randn(6, 4, dtype=minigrad.float64))[0]
    if shape == (6, 4):
        module.weight = wanted
        np.testing.assert_allclose(module.weight.detach().numpy(), wanted.numpy(), atol=1e-12)


# ---- parametrizations of one's own -----------------------------------------------------------------------------------

SETUP = """
P = T.nn.utils.parametrize
class Symmetric(T.nn.Module):
    def forward(self, X): return X.triu() + X.triu(1).mT
    def right_inverse(self, A): return A.triu()
class Skew(T.nn.Module):
    def forward(self, X): return X - X.mT
class Twice(T.nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0
    def forward(self, X):
        self.calls += 1
        return X * 2
class Outer(T.nn.Module):
    def forward(self, x, y): return x.unsqueeze(-1) * y.unsqueeze(-2)
    def right_inverse(self, Z): return Z[:, 0].clone(), Z[0].clone()
class Wrong(T.nn.Module):
    def __init__(self, out, back=lambda x: x):
        super().__init__()
        self.out, self.back = out, back
    def forward(self, X): return self.out(X)
    def right_inverse(self, X): return self.back(X)
class NotInvertible(Twice):
    def right_inverse(self, X): raise NotImplementedError
def original(module): return module.parametrizations.weight.original
lin = T.nn.Linear(3, 3)
sym = P.register_parametrization(T.nn.Linear(3, 3), 'weight', Symmetric())
two = P.register_parametrization(T.nn.Linear(3, 3), 'weight', Symmetric())
P.register_parametrization(two, 'weight', Twice())
out = P.register_parametrization(T.nn.Linear(3, 2), 'weight', Outer())
bn = P.register_parametrization(T.nn.BatchNorm1d(3), 'running_mean', Twice())
m = T.ones(3, 3)
x = T.tensor([[1., 2., 3.]])
"""

LINES = """
[type(sym).__name__, repr(sym), repr(two), repr(out), repr(bn)]
[list(sym.state_dict()), list(two.state_dict()), list(out.state_dict()), list(bn.state_dict())]
[sym.weight.detach(), sym(x).detach(), two.weight.detach(), out.weight.detach(), out(x).detach(), bn.running_mean]
[sym.weight.requires_grad, sym.weight.is_leaf, isinstance(sym, T.nn.Linear), isinstance(sym.weight, T.nn.Parameter)]
[P.is_parametrized(sym), P.is_parametrized(sym, 'weight'), P.is_parametrized(sym, 'bias'), P.is_parametrized(lin)]
[P.type_before_parametrizations(sym) is T.nn.Linear, P.type_before_parametrizations(lin) is T.nn.Linear]
sym.weight.sum().backward(); original(sym).grad
sym.weight = m * 3; [sym.weight.detach(), original(sym).detach()]
out.weight = T.ones(2, 3) * 5; [out.weight.detach(), out.parametrizations.weight.original0.detach()]
two.weight = m; two.weight.detach()
sym.weight = T.nn.Parameter(m); 0
sym.weight = 3; 0
P.register_parametrization(lin, 'weight', Skew()).weight = m; 0
P.register_parametrization(lin, 'weight', NotInvertible()); [lin.weight.detach(), original(lin).detach()]
P.register_parametrization(lin, 'weight', NotInvertible()).weight = m; 0
P.register_parametrization(lin, 'nothing', Skew())
P.register_parametrization(lin, 'weight', Wrong(lambda x: x[:1]))
P.register_parametrization(lin, 'weight', Wrong(lambda x: x.double()))
P.register_parametrization(lin, 'weight', Wrong(lambda x: 3))
P.register_parametrization(lin, 'weight', Wrong(lambda x: x, lambda x: 3))
P.register_parametrization(lin, 'weight', Wrong(lambda x: x, lambda x: x.double()))
P.register_parametrization(lin, 'weight', Wrong(lambda x, y: x, lambda x: (x, 3)))
P.register_parametrization(lin, 'weight', Wrong(lambda x: x[:1]), unsafe=True).weight.shape
P.register_parametrization(lin, 'weight', Wrong(lambda x: x.double()), unsafe=True).weight.dtype
P.register_parametrization(sym, 'weight', Wrong(lambda x: x[:1]))
P.register_parametrization(sym, 'weight', Wrong(lambda x: x, lambda x: x[:1]))
P.register_parametrization(sym, 'weight', Wrong(lambda x: x, lambda x: 3))
P.register_parametrization(sym, 'weight', Wrong(lambda x: x[:1]), unsafe=True).parametrizations.weight.unsafe
P.ParametrizationList([], m)
[len(two.parametrizations.weight), two.parametrizations.weight.is_tensor, out.parametrizations.weight.ntensors]
P.remove_parametrizations(sym, 'weight'); [repr(sym), type(sym) is T.nn.Linear, list(sym.state_dict()), sym.weight.data]
P.remove_parametrizations(sym, 'weight', leave_parametrized=False).weight.detach()
o = original(sym); P.remove_parametrizations(sym, 'weight').weight is o
P.remove_parametrizations(out, 'weight'); [repr(out), out.weight.detach(), out.weight.is_leaf, out.weight.requires_grad]
P.remove_parametrizations(out, 'weight', leave_parametrized=False)
P.remove_parametrizations(bn, 'running_mean'); [list(bn._buffers), bn.running_mean, repr(bn)]
P.remove_parametrizations(lin, 'weight')
P.register_parametrization(sym, 'bias', Twice()); P.remove_parametrizations(sym, 'weight'); repr(sym)
two(x); two(x); two.weight; two.parametrizations.weight[1].calls
with P.cached(): two(x); two(x); z = two.weight is two.weight\nz, two.parametrizations.weight[1].calls
with P.cached(): two.weight; two(x)\nwith P.cached(): two.weight\ntwo.parametrizations.weight[1].calls
P.transfer_parametrizations_and_params(sym, lin); [repr(lin), lin.weight.detach(), original(lin) is original(sym)]
P.transfer_parametrizations_and_params(two, T.nn.Linear(3, 3), 'weight').weight.detach()
P.transfer_parametrizations_and_params(sym, T.nn.Identity()).weight.detach()
P.transfer_parametrizations_and_params(lin, sym) is sym
c = copy.deepcopy(sym); c.weight = m; [c.weight.detach(), sym.weight.detach(), type(c).__name__, repr(c)]
pickle.dumps(sym)
sym.eval().parametrizations.weight[0].training
P.register_parametrization(lin.eval(), 'weight', Skew()).parametrizations.weight[0].training
sym.double().weight.dtype
str(sym.load_state_dict(P.register_parametrization(lin, 'weight', Symmetric()).state_dict()))
lin.load_state_dict(sym.state_dict())
T.func.functional_call(sym, {'parametrizations.weight.original': m, 'bias': T.zeros(3)}, x)
T.nn.utils.parametrizations.orthogonal(lin, 'bias')
T.nn.utils.parametrizations.orthogonal(lin, 'nothing')
T.nn.utils.parametrizations.orthogonal(lin, orthogonal_map='other')
T.nn.utils.parametrizations.orthogonal(lin, orthogonal_map='cayley', use_trivialization=False).weight = m; 0
T.nn.utils.parametrizations.orthogonal(lin).weight = T.ones(2, 2); 0
T.nn.utils.parametrizations.spectral_norm(lin, 'nothing')
T.nn.utils.parametrizations.spectral_norm(lin, dim=2)
T.nn.utils.parametrizations.spectral_norm(lin, n_power_iterations=0)
T.nn.utils.parametrizations.weight_norm(lin, 'nothing')
T.nn.utils.spectral_norm(lin, n_power_iterations=0)
T.nn.utils.spectral_norm(T.nn.Linear(3, 3, bias=False), 'bias')
T.nn.utils.skip_init(T.nn.Linear, 3, out_features=2).weight.shape
T.nn.utils.skip_init(T.nn.Linear, 3, 2, device='cpu'); T.rand(2)
T.nn.utils.skip_init(T.nn.ReLU)
T.nn.utils.skip_init(dict)
T.nn.utils.convert_conv2d_weight_memory_format(lin, T.channels_last) is lin
"""


@pytest.mark.parametrize("code", lines(LINES))
def test_line(code):
    check(SETUP + code.replace("\\n", "\n"), torch)


def test_removing_from_a_copy_leaves_the_other_as_it_is():
    """In PyTorch the two share a class, and the other one loses its weight."""
    module = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    nn.utils.parametrize.remove_parametrizations(copy.deepcopy(module), "weight")
    assert module(minigrad.ones(1, 3)).shape == (1, 3)


def test_pickle_says_what_to_do():
    with pytest.raises(RuntimeError, match="only supported through state_dict"):
        pickle.dumps(nn.utils.parametrizations.weight_norm(nn.Linear(3, 3)))


# ---- fused layers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("affine", [True, False])
@pytest.mark.parametrize("kind", ["conv", "linear"])
def test_fused(kind, affine, bias):
    def make(lib):
        layer = lib.Conv2d(3, 4, 3, bias=bias) if kind == "conv" else lib.Linear(5, 4, bias=bias)
        norm = (lib.BatchNorm2d if kind == "conv" else lib.BatchNorm1d)(4, affine=affine or kind == "linear")
        norm.running_mean += 0.5
        norm.running_var *= 3
        return lib.Sequential(layer, norm).eval()

    theirs, mine = both_modules(make)
    x = np.random.default_rng(0).standard_normal((2, 3, 5, 5) if kind == "conv" else (2, 5)).astype(np.float32)
    fused = of(nn, f"fuse_{kind}_bn_eval")(*mine)
    assert_same_state(fused, of(torch.nn, f"fuse_{kind}_bn_eval")(*theirs))
    x = minigrad.from_numpy(x)
    np.testing.assert_allclose(fused(x).detach().numpy(), mine(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    assert fused is not mine[0]
    with pytest.raises(AssertionError, match="only for eval"):
        of(nn, f"fuse_{kind}_bn_eval")(*mine.train())


def test_fused_transposed_convolution():
    rng = np.random.default_rng(0)
    arrays = [rng.random(shape).astype(np.float32) for shape in ((3, 4, 2, 2), (4,), (4,), (4,), (4,), (4,))]
    for T in LIBRARIES:
        w, b, mean, var, scale, shift = map(T.from_numpy, arrays)
        fused = T.nn.utils.fuse_conv_bn_weights(w, b, mean, var, 1e-5, scale, shift, transpose=True)
        results = [p.detach().numpy() for p in fused]
        expected = arrays[0] * (arrays[4] / np.sqrt(arrays[3] + 1e-5))[:, None, None]
        np.testing.assert_allclose(results[0], expected, rtol=1e-5)
        assert not fused[0].requires_grad


def test_functional_call_names_the_originals():
    module = nn.utils.parametrizations.weight_norm(nn.Linear(3, 3))
    with pytest.raises(ValueError, match=r"give these instead, e\.g\. parametrizations\.weight\.original"):
        minigrad.func.functional_call(module, {"weight": minigrad.ones(3, 3)}, minigrad.ones(1, 3))
