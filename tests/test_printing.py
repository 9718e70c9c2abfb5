"""Tensors print character for character as PyTorch's do: fixed examples, then thousands of random ones beside it."""

import numpy as np
import pytest

import minigrad
from minigrad.dtypes import float32, float64, set_default_dtype
from minigrad.printing import format_scalar, get_printoptions, printoptions, set_printoptions, tensor_repr

DTYPES = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]


@pytest.fixture(autouse=True)
def default_options():
    yield
    set_printoptions(profile="default")


def f32(*values):
    return np.array(values, np.float32)


# ---- examples -----------------------------------------------------------------------------------------------------

# Printed by PyTorch 2.13.0.
WRAPPED = """\
tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,
        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])"""
CORNERS = """\
tensor([[0., 0., 0.,  ..., 0., 0., 0.],
        [0., 0., 0.,  ..., 0., 0., 0.],
        [0., 0., 0.,  ..., 0., 0., 0.],
        ...,
        [0., 0., 0.,  ..., 0., 0., 0.],
        [0., 0., 0.,  ..., 0., 0., 0.],
        [0., 0., 0.,  ..., 0., 0., 0.]])"""
EXAMPLES = [
    (f32(1, 2, 3), "tensor([1., 2., 3.])"),
    (f32(0.5, -0.25, 2), "tensor([ 0.5000, -0.2500,  2.0000])"),
    (f32(1e-5, 1), "tensor([1.0000e-05, 1.0000e+00])"),
    (f32(1e9, 2e9), "tensor([1.0000e+09, 2.0000e+09])"),
    (f32(np.nan, np.inf, -np.inf, 1), "tensor([nan, inf, -inf, 1.])"),
    (f32(np.nan, 0.5), "tensor([   nan, 0.5000])"),
    (f32(-0.0), "tensor([-0.])"),
    (np.array(3, np.int64), "tensor(3)"),
    (np.array(0.1, np.float64), "tensor(0.1000, dtype=torch.float64)"),
    (np.array([True, False]), "tensor([ True, False])"),
    (np.array([1, -20], np.int32), "tensor([  1, -20], dtype=torch.int32)"),
    (np.array([0.1], np.float16), "tensor([0.1000], dtype=torch.float16)"),
    (np.zeros(0, np.float32), "tensor([])"),
    (np.zeros((0, 3), np.float32), "tensor([], size=(0, 3))"),
    (np.zeros(0, np.int64), "tensor([], dtype=torch.int64)"),
    (np.array([[1, 2], [3, 4]]), "tensor([[1, 2],\n        [3, 4]])"),
    (np.arange(8).reshape(2, 2, 2), "tensor([[[0, 1],\n         [2, 3]],\n\n        [[4, 5],\n         [6, 7]]])"),
    (np.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (np.arange(30), WRAPPED),
    (np.zeros((40, 40), np.float32), CORNERS),
]


@pytest.mark.parametrize(("array", "text"), EXAMPLES)
def test_examples(array, text):
    assert tensor_repr(array) == text


def test_suffixes():
    x = f32(1, 2)
    assert tensor_repr(x, requires_grad=True) == "tensor([1., 2.], requires_grad=True)"
    assert tensor_repr(x, grad_fn="<AddBackward0>") == "tensor([1., 2.], grad_fn=<AddBackward0>)"
    assert tensor_repr(x, requires_grad=True, grad_fn="<MulBackward0>") == "tensor([1., 2.], grad_fn=<MulBackward0>)"
    assert tensor_repr(x.astype(np.float64), grad_fn="<A>") == "tensor([1., 2.], dtype=torch.float64, grad_fn=<A>)"
    long = tensor_repr(np.ones(15, np.float32), requires_grad=True)
    assert long.endswith("1.],\n       requires_grad=True)")
    assert tensor_repr(np.ones((2, 1), np.float32), prefix="Weight(") == "Weight([[1.],\n        [1.]])"


def test_default_dtype_goes_without_saying():
    x = np.array([0.5])
    assert tensor_repr(x, default_dtype=float64) == "tensor([0.5000])"
    assert tensor_repr(f32(0.5), default_dtype=float64) == "tensor([0.5000], dtype=torch.float32)"
    set_default_dtype(float64)
    try:
        assert tensor_repr(x) == "tensor([0.5000])"
    finally:
        set_default_dtype(float32)


def test_dtypes_that_are_not_here():
    with pytest.raises(TypeError, match="complex64"):
        tensor_repr(np.zeros(2, np.complex64))


# ---- options ------------------------------------------------------------------------------------------------------


def test_set_printoptions():
    x = f32(1 / 3, 2 / 3)
    set_printoptions(precision=2)
    assert tensor_repr(x) == "tensor([0.33, 0.67])"
    set_printoptions(sci_mode=True)
    assert tensor_repr(x) == "tensor([3.33e-01, 6.67e-01])"
    set_printoptions()
    assert tensor_repr(x) == "tensor([0.33, 0.67])"  # sci_mode is the one that is not kept
    set_printoptions(profile="default")
    assert tensor_repr(x) == "tensor([0.3333, 0.6667])"
    set_printoptions(threshold=5, edgeitems=1)
    assert tensor_repr(np.arange(10)) == "tensor([0,  ..., 9])"
    set_printoptions(profile="full")
    assert "..." not in tensor_repr(np.arange(3000))
    set_printoptions(profile="short", precision=1)
    assert tensor_repr(x) == "tensor([0.3, 0.7])"
    assert get_printoptions() == {
        "precision": 1, "threshold": 1000, "edgeitems": 2, "linewidth": 80, "sci_mode": None,
    }  # fmt: skip


def test_an_unknown_profile_changes_nothing():
    with pytest.raises(ValueError, match=r"'profile': got 'tiny'; expected one of \['default', 'short', 'full'\]"):
        set_printoptions(precision=1, profile="tiny")
    assert get_printoptions()["precision"] == 4


def test_printoptions_are_given_back():
    before = get_printoptions()
    with printoptions(precision=1, sci_mode=True, linewidth=40):
        assert tensor_repr(f32(0.25)) == "tensor([2.5e-01])"
    assert get_printoptions() == before


# ---- format -------------------------------------------------------------------------------------------------------


def test_format_of_one_number():
    assert format_scalar(np.array(1.5, np.float32), ".3f") == "1.500"
    assert format_scalar(np.array(7), "04d") == "0007"
    assert format_scalar(np.array(0.1, np.float32), "") == "0.10000000149011612"
    assert format_scalar(np.array(True), "") == "True"


# ---- beside PyTorch -----------------------------------------------------------------------------------------------


def random_shape(rng):
    dims = rng.choice([0, 1, 1, 1, 2, 2, 3, 4, 5])
    longest = {0: [1], 1: [3, 20, 100, 1500], 2: [5, 12, 40, 60], 3: [4, 11, 14], 4: [3, 7], 5: [3]}[dims]
    least = 0 if rng.random() < 0.1 else 1
    return tuple(rng.integers(least, rng.choice(longest) + 1, dims))


def random_floats(rng, shape):
    values = rng.standard_normal(shape)
    match rng.integers(6):
        case 0:
            return values * 10.0 ** rng.integers(-9, 10)
        case 1:
            return values * 10.0 ** rng.integers(-6, 7, shape)
        case 2:
            return np.round(values * rng.choice([1, 10, 1000, 1e5, 1e9]))
        case 3:
            return rng.integers(0, 10, shape) / 10
        case 4:
            special = rng.choice([0.0, -0.0, np.nan, np.inf, -np.inf, 1.0])
            return np.where(rng.random(shape) < rng.choice([0.1, 0.9, 1.1]), special, values)
    return values


def random_array(rng):
    shape, kind = random_shape(rng), np.dtype(rng.choice([*DTYPES, *["float32"] * 5]))
    if kind.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return np.asarray(random_floats(rng, shape)).astype(kind)
    limits = np.iinfo(kind)
    bound = int(rng.choice([1, 9, 120, limits.max]))
    return rng.integers(max(limits.min, -bound), bound, shape, dtype=np.int64).astype(kind)


@pytest.mark.parametrize("seed", range(8))
def test_random_tensors_print_as_pytorchs(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(seed)
    for _ in range(250):
        array = np.asarray(random_array(rng))
        tensor, grad_fn = torch.from_numpy(array.copy()), None
        if array.dtype.kind == "f" and rng.random() < 0.4:
            tensor.requires_grad_(True)
            if rng.random() < 0.5:
                tensor = tensor.clone() if rng.random() < 0.5 else tensor.view(tensor.shape)
                grad_fn = f"<{type(tensor.grad_fn).__name__}>"
        assert tensor_repr(array, requires_grad=tensor.requires_grad, grad_fn=grad_fn) == repr(tensor)
        if array.ndim == 0:
            assert format_scalar(array, ">12") == format(tensor, ">12")


@pytest.mark.parametrize("seed", range(4))
def test_random_options_print_as_pytorchs(seed):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1000 + seed)
    choices = {
        "precision": [None, 0, 1, 2, 8],
        "threshold": [None, 0, 5, 50, 1e9],
        "edgeitems": [None, 0, 1, 2, 5],
        "linewidth": [None, 10, 40, 120],
        "profile": [None, None, "default", "short", "full"],
        "sci_mode": [None, True, False],
    }
    try:
        for _ in range(60):
            options = {name: values[rng.integers(len(values))] for name, values in choices.items()}
            torch.set_printoptions(**options)
            set_printoptions(**options)
            for _ in range(5):
                array = np.asarray(random_array(rng))
                assert tensor_repr(array) == repr(torch.from_numpy(array.copy()))
    finally:
        torch.set_printoptions(profile="default")


@pytest.mark.parametrize("seed", range(3))
def test_whole_tensors_print_as_pytorchs(seed):
    """Leaves, results and views, by `repr` and by `format`."""
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(2000 + seed)
    for _ in range(100):
        array, texts = np.asarray(random_array(rng)), []
        kind, recorded = rng.integers(4), bool(rng.random() < 0.5)
        for tensor in (minigrad.from_numpy(array.copy()), torch.from_numpy(array.copy())):
            if recorded and array.dtype.kind == "f":
                tensor.requires_grad_()
            if kind == 1:
                tensor = tensor * 1
            elif kind == 2 and array.ndim > 1:
                tensor = tensor.transpose(0, -1)
            elif kind == 3 and array.ndim and len(array) > 1:
                tensor = tensor[::2]
            specs = ("", ".3f", "10", ".2%") if tensor.ndim == 0 and array.dtype.kind == "f" else ("",)
            texts.append([repr(tensor), *(format(tensor, spec) for spec in specs)])
        assert texts[0] == texts[1]
