"""nn.init draws torch's numbers for the same seed and refuses what torch refuses."""

import math

import numpy as np
import pytest

import minigrad
from minigrad.nn import init

torch = pytest.importorskip("torch")

SHAPES = [(3, 5), (5, 3), (16, 16), (4, 3, 3), (6, 2, 3, 5), (2, 2, 2, 2, 3)]

FILLS = {
    "uniform_": {}, "uniform_(a, b)": {"a": -2.0, "b": 3.0}, "normal_": {},
    "normal_(mean, std)": {"mean": 1.0, "std": 0.2},
    "trunc_normal_": {}, "trunc_normal_(narrow)": {"a": -0.4, "b": 0.1}, "trunc_normal_(tail)": {"a": 1.0, "b": 4.0},
    "trunc_normal_(wide)": {"mean": 0.5, "std": 2.0, "a": -1.0, "b": 3.0},
    "constant_": {"val": 0.3}, "ones_": {}, "zeros_": {}, "xavier_uniform_": {}, "xavier_uniform_(gain)": {"gain": 2.0},
    "xavier_normal_": {}, "kaiming_uniform_": {}, "kaiming_uniform_(a)": {"a": math.sqrt(5)},
    "kaiming_uniform_(fan_out)": {"mode": "fan_out", "nonlinearity": "relu"}, "kaiming_normal_": {},
    "kaiming_normal_(tanh)": {"mode": "fan_out", "nonlinearity": "tanh"},
    "orthogonal_": {}, "orthogonal_(gain)": {"gain": 0.5},
}  # fmt: skip


def fill(label, shape, dtype="float32", generator=False):
    """The filled tensors of both libraries from one seed, as arrays."""
    name = label.split("(")[0]
    results = []
    for library in (torch, minigrad):
        library.manual_seed(11)
        kwargs = dict(FILLS[label])
        if generator:
            kwargs["generator"] = library.Generator().manual_seed(5)
        tensor = library.empty(shape, dtype=getattr(library, dtype))
        assert getattr(library.nn.init, name)(tensor, **kwargs) is tensor
        results.append(tensor.numpy())
        results.append(library.rand(3).numpy())  # where the stream stands afterwards
    return results


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("label", FILLS)
def test_same_numbers(label, shape):
    theirs, their_next, mine, my_next = fill(label, shape)
    np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(my_next, their_next)


@pytest.mark.parametrize("label", FILLS)
def test_same_numbers_in_double(label):
    theirs, their_next, mine, my_next = fill(label, (4, 6), "float64")
    np.testing.assert_allclose(mine, theirs, rtol=1e-13, atol=1e-13)
    np.testing.assert_array_equal(my_next, their_next)


@pytest.mark.parametrize("label", [name for name in FILLS if name not in ("constant_", "ones_", "zeros_")])
def test_a_generator_is_drawn_from_instead(label):
    theirs, their_next, mine, my_next = fill(label, (4, 6), generator=True)
    np.testing.assert_allclose(mine, theirs, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(my_next, their_next)
    minigrad.manual_seed(11)
    np.testing.assert_array_equal(my_next, minigrad.rand(3).numpy())


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("shape", [(4, 2, 3), (4, 6, 3, 2), (2, 2, 3, 3, 3)], ids=str)
def test_dirac(shape, groups):
    theirs = torch.nn.init.dirac_(torch.empty(shape), groups)
    mine = init.dirac_(minigrad.empty(shape), groups)
    np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


@pytest.mark.parametrize("shape", [(3, 5), (5, 3), (2, 2)], ids=str)
def test_eye(shape):
    np.testing.assert_array_equal(init.eye_(minigrad.empty(shape)).numpy(), np.eye(*shape))


def test_sparse():
    results = []
    for library in (torch, minigrad):
        library.manual_seed(3)
        results.append(library.nn.init.sparse_(library.empty(10, 6), 0.35, std=0.5).numpy())
    np.testing.assert_allclose(results[1], results[0], rtol=2e-6, atol=1e-7)
    assert ((results[1] == 0).sum(0) == 4).all()


def test_orthogonal_rows():
    w = init.orthogonal_(minigrad.empty(3, 8)).numpy()
    np.testing.assert_allclose(w @ w.T, np.eye(3), atol=1e-6)
    empty = minigrad.empty(0, 3)
    assert init.orthogonal_(empty) is empty


@pytest.mark.parametrize(
    "args",
    [
        *[
            (name,)
            for name in ("linear", "conv2d", "conv_transpose3d", "sigmoid", "tanh", "relu", "leaky_relu", "selu")
        ],
        ("leaky_relu", 0.2),
        ("leaky_relu", 1),
    ],
)
def test_gain(args):
    assert init.calculate_gain(*args) == torch.nn.init.calculate_gain(*args)


ERRORS = (
    lambda i, m: i.calculate_gain("gelu"),
    lambda i, m: i.calculate_gain("leaky_relu", "steep"),
    lambda i, m: i.calculate_gain("leaky_relu", True),
    lambda i, m: i.xavier_uniform_(m.empty(3)),
    lambda i, m: i.kaiming_normal_(m.empty(3)),
    lambda i, m: i.kaiming_uniform_(m.empty(3, 2), mode="fan_up"),
    lambda i, m: i.eye_(m.empty(3)),
    lambda i, m: i.dirac_(m.empty(3, 3)),
    lambda i, m: i.dirac_(m.empty(3, 3, 3), groups=2),
    lambda i, m: i.orthogonal_(m.empty(3)),
    lambda i, m: i.sparse_(m.empty(3), 0.1),
)


@pytest.mark.parametrize("wrong", ERRORS)
def test_errors_begin_as_torchs(wrong):
    with pytest.raises(ValueError) as theirs:  # noqa: PT011
        wrong(torch.nn.init, torch)
    with pytest.raises(ValueError) as mine:  # noqa: PT011
        wrong(init, minigrad)
    assert str(mine.value).startswith(str(theirs.value))


def test_warnings():
    with pytest.warns(UserWarning, match="mean is more than 2 std"):
        init.trunc_normal_(minigrad.empty(3), mean=10.0)
    for fill_ in (init.kaiming_uniform_, init.kaiming_normal_):
        with pytest.warns(UserWarning, match="zero-element tensors is a no-op"):
            fill_(minigrad.empty(0, 3))


def test_nothing_is_recorded():
    weight = minigrad.nn.Parameter(minigrad.empty(3, 3))
    for name in ("uniform_", "normal_", "trunc_normal_", "eye_", "orthogonal_", "xavier_normal_", "ones_", "zeros_"):
        getattr(init, name)(weight)
        assert weight.is_leaf
        assert weight.requires_grad


def test_views_are_filled_in_place():
    table = minigrad.zeros(4, 6)
    for name in ("trunc_normal_", "orthogonal_", "uniform_", "eye_"):
        table.zero_()
        getattr(init, name)(table[:, 1:4])
        assert (table[:, 1:4] != 0).any()
        assert (table[:, 0] == 0).all()
        assert (table[:, 4:] == 0).all()


def test_truncated_stays_within_its_bounds():
    for a, b in ((-1.0, 1.0), (0.5, 0.7), (1.5, 9.0)):
        values = init.trunc_normal_(minigrad.empty(2000), a=a, b=b)
        assert a <= values.min().item() <= values.max().item() <= b


@pytest.mark.parametrize(
    ("name", "args"),
    [("uniform", (1.0, 2.0)), ("normal", ()), ("constant", (3.0,)), ("eye", ()), ("orthogonal", ()), ("sparse", (0.5,))]
    + [(f"{family}_{kind}", ()) for family in ("xavier", "kaiming") for kind in ("uniform", "normal")],
)
def test_deprecated_names(name, args):
    results = []
    for library in (torch, minigrad):
        library.manual_seed(0)
        text = f"`nn.init.{name}` is now deprecated in favor of `nn.init.{name}_`."
        with pytest.warns(FutureWarning, match=text):
            results.append(getattr(library.nn.init, name)(library.empty(4, 5), *args).numpy())
    np.testing.assert_allclose(results[1], results[0], rtol=2e-6, atol=2e-6)
    assert getattr(init, name).__name__ == name
