"""Pooling layers of one to three dimensions against torch: outputs, gradients, indices, prints, errors."""

import numpy as np
import pytest
from layer_run import both, case, check_error_type, library, normal, same_description, steps

import minigrad
from minigrad import nn
from minigrad.nn import functional as F

torch = pytest.importorskip("torch")

SIZES = ((9,), (8, 7), (6, 7, 5))


def pools(dims):
    size = SIZES[dims - 1]
    of, single = normal(2, 3, *size), normal(3, *size)
    each = lambda *numbers: numbers[:dims]  # noqa: E731  (as many settings as there are dimensions)
    made = [
        case(f"MaxPool{dims}d", 2, inputs=of),
        case(f"MaxPool{dims}d", each(3, 2, 2), each(2, 1, 2), each(1, 0, 1), inputs=of),
        case(f"MaxPool{dims}d", kernel_size=2, stride=2, dilation=2, ceil_mode=True, inputs=single),
        case(f"AvgPool{dims}d", 3, inputs=of),
        case(f"AvgPool{dims}d", each(3, 2, 2), each(2, 1, 2), each(1, 0, 1), True, False, inputs=of),
        case(f"AvgPool{dims}d", 2, padding=1, inputs=single),
        case(f"LPPool{dims}d", 2, 3, inputs=lambda rng: [np.abs(of(rng)[0])]),
        case(
            f"LPPool{dims}d",
            1.5,
            each(2, 3, 2) if dims > 1 else 2,
            2,
            True,
            inputs=lambda rng: [np.abs(single(rng)[0]) + 0.1],
        ),
        case(f"AdaptiveAvgPool{dims}d", 3, inputs=of),
        case(f"AdaptiveMaxPool{dims}d", each(2, 4, 3), inputs=of),
        case(f"AdaptiveAvgPool{dims}d", 1, inputs=single),
    ]
    if dims > 1:
        made += [
            case(f"AvgPool{dims}d", 2, divisor_override=3, inputs=of),
            case(f"AdaptiveAvgPool{dims}d", (None, 2, 3)[:dims], inputs=of),
            case(f"AdaptiveMaxPool{dims}d", (2, None, None)[:dims], inputs=single),
            case(f"FractionalMaxPool{dims}d", 2, 3, inputs=of),
            case(f"FractionalMaxPool{dims}d", each(3, 2, 2), output_ratio=(0.5, 0.6, 0.5)[:dims], inputs=single),
        ]
    return made


CASES = [each for dims in (1, 2, 3) for each in pools(dims)] + [
    case("MaxPool1d", 2, inputs=normal(0, 3, 6)),
    case("AvgPool3d", 2, inputs=normal(0, 3, 4, 4, 4)),
    case("AdaptiveMaxPool1d", 2, inputs=normal(0, 3, 4)),
    case("FractionalMaxPool2d", 2, (3, 0), inputs=normal(2, 1, 5, 5)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_prints_and_steps(case):
    same_description(case)
    steps(case, *both(case), count=2)


RETURN_INDICES = [
    *[(f"MaxPool{d}d", (2,), {"stride": 1, "padding": 1}, SIZES[d - 1]) for d in (1, 2, 3)],
    *[(f"AdaptiveMaxPool{d}d", (3,), {}, SIZES[d - 1]) for d in (1, 2, 3)],
    *[(f"FractionalMaxPool{d}d", (2, 3), {}, SIZES[d - 1]) for d in (2, 3)],
]


@pytest.mark.parametrize(("name", "args", "kwargs", "size"), RETURN_INDICES, ids=[row[0] for row in RETURN_INDICES])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_indices(name, args, kwargs, size, dtype):
    x = np.random.default_rng(0).standard_normal((2, 3, *size)).astype(dtype)
    torch.manual_seed(5)
    expected = getattr(torch.nn, name)(*args, return_indices=True, **kwargs)(torch.from_numpy(x))
    minigrad.manual_seed(5)
    actual = getattr(nn, name)(*args, return_indices=True, **kwargs)(minigrad.from_numpy(x))
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), e.numpy())
    function = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)[1:] + "_with_indices"
    torch.manual_seed(5)
    expected = getattr(torch.nn.functional, function)(torch.from_numpy(x), *args, **kwargs)
    minigrad.manual_seed(5)
    actual = getattr(F, function)(minigrad.from_numpy(x), *args, **kwargs)
    for a, e in zip(actual, expected, strict=True):
        np.testing.assert_array_equal(a.numpy(), e.numpy())


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("lead", [(2, 3), (3,)])
def test_unpooling(dims, lead):
    """Pooled, put back, pooled again: values and gradients."""
    size = SIZES[dims - 1]
    x = np.random.default_rng(0).standard_normal((*lead, *size)).astype(np.float32)
    results = []
    for lib, T in ((torch.nn, torch), (nn, minigrad)):
        y = T.from_numpy(x.copy()).requires_grad_()
        pool = getattr(lib, f"MaxPool{dims}d")(3, 2, return_indices=True)
        unpool = getattr(lib, f"MaxUnpool{dims}d")(3, 2)
        values, indices = pool(y)
        back = unpool(values * values, indices, output_size=size)
        (back * back).sum().backward()
        results.append((repr(unpool), back.detach().numpy(), y.grad.numpy()))
    (text, value, grad), (my_text, my_value, my_grad) = results
    assert my_text == text
    np.testing.assert_array_equal(my_value, value)
    np.testing.assert_allclose(my_grad, grad, rtol=1e-6)


def test_fractional_pooling_with_given_numbers():
    x = np.random.default_rng(0).standard_normal((2, 3, 9, 8)).astype(np.float32)
    numbers = np.random.default_rng(1).uniform(size=(2, 3, 2)).astype(np.float32)
    theirs = torch.nn.FractionalMaxPool2d(2, (4, 5), _random_samples=torch.from_numpy(numbers))
    mine = nn.FractionalMaxPool2d(2, (4, 5), _random_samples=minigrad.from_numpy(numbers))
    np.testing.assert_array_equal(mine(minigrad.from_numpy(x)).numpy(), theirs(torch.from_numpy(x)).numpy())
    assert list(mine.state_dict()) == list(theirs.state_dict())


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("name", ["MaxPool", "AvgPool", "LPPool", "AdaptiveMaxPool", "AdaptiveAvgPool", "Conv"])
def test_empty_batches(name, dims):
    args = {"LPPool": (2.0, 2), "Conv": (3, 4, 2, 2)}.get(name, (2,))
    shapes = []
    for lib in (torch, minigrad):
        layer, x = getattr(lib.nn, f"{name}{dims}d")(*args), lib.zeros(0, 3, *SIZES[dims - 1], requires_grad=True)
        y = layer(x)
        y.sum().backward()
        shapes.append((tuple(y.shape), tuple(x.grad.shape), [float(p.grad.abs().sum()) for p in layer.parameters()]))
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_min_pool_is_the_max_pool_of_the_negative(dims):
    x = minigrad.randn(2, 3, *SIZES[dims - 1], requires_grad=True)
    y = x.detach().clone().requires_grad_()
    low = getattr(nn, f"MinPool{dims}d")(3, 2, 1)(x)
    high = -getattr(nn, f"MaxPool{dims}d")(3, 2, 1)(-y)
    assert low.tolist() == high.tolist()
    low.sum().backward()
    high.sum().backward()
    assert x.grad.tolist() == y.grad.tolist()


ERRORS = [
    lambda lib, T: lib.FractionalMaxPool2d(2),
    lambda lib, T: lib.FractionalMaxPool3d(2, 3, 0.5),
    lambda lib, T: lib.FractionalMaxPool2d(2, output_ratio=1.5),
    lambda lib, T: lib.FractionalMaxPool3d(0, 3),
    lambda lib, T: lib.FractionalMaxPool2d(3, 4)(T.zeros(1, 2, 5, 5)),
    lambda lib, T: lib.FractionalMaxPool3d(3, 3)(T.zeros(1, 2, 5, 5, 5)),
    lambda lib, T: lib.FractionalMaxPool2d(3, 2)(T.zeros(1, 2, 5, 5, dtype=T.int64)),
    lambda lib, T: lib.FractionalMaxPool2d(2, 2, _random_samples=T.zeros(1, 2, 3))(T.zeros(1, 2, 5, 5)),
    lambda lib, T: lib.FractionalMaxPool2d(2, 2, _random_samples=T.zeros(1, 2, 2).double())(T.zeros(1, 2, 5, 5)),
    lambda lib, T: lib.MaxPool1d(3, padding=2)(T.zeros(1, 2, 5)),
    lambda lib, T: lib.MaxPool3d(3)(T.zeros(1, 2, 5)),
    lambda lib, T: lib.MaxPool1d(9)(T.zeros(1, 2, 5)),
    lambda lib, T: lib.AdaptiveAvgPool3d((1, 2))(T.zeros(1, 2, 5, 5, 5)),
    lambda lib, T: lib.AdaptiveMaxPool1d(2)(T.zeros(5)),
    lambda lib, T: lib.MaxUnpool2d(2)(T.zeros(1, 1, 2, 2), T.full((1, 1, 2, 2), 99)),
    lambda lib, T: lib.MaxUnpool1d(2)(T.zeros(1, 1, 2), T.zeros(1, 1, 2, dtype=T.int64), output_size=(9,)),
    lambda lib, T: lib.LPPool2d("p", 2)(T.zeros(1, 5, 5)),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_of_torchs_type(number):
    check_error_type(lambda: ERRORS[number](nn, minigrad), lambda: ERRORS[number](torch.nn, torch))


@pytest.mark.parametrize(("pool", "size"), [(F.fractional_max_pool2d, (7, 6)), (F.fractional_max_pool3d, (5, 5, 6))])
def test_fractional_pooling_can_be_differentiated_twice(pool, size):
    x = minigrad.randn(2, 2, *size, dtype=minigrad.float64, requires_grad=True)
    numbers = minigrad.rand(2, 2, len(size), dtype=minigrad.float64)
    assert minigrad.autograd.gradcheck(lambda x: pool(x, 2, 3, _random_samples=numbers), (x,))
    assert minigrad.autograd.gradgradcheck(lambda x: pool(x, 2, 3, _random_samples=numbers) ** 2, (x,))


def test_power_pooling_of_what_has_no_power():
    """Negative numbers to the power of 1.5 are NaN, and so are the gradients of their windows."""
    results = []
    for T in (torch, minigrad):
        x = T.tensor([[[-1.0, 2.0, 3.0, 4.0]]], requires_grad=True)
        y = T.nn.LPPool1d(1.5, 2)(x)
        y.sum().backward()
        results.append((y.detach().numpy(), x.grad.numpy()))
    for mine, theirs in zip(*results, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)
    assert np.isnan(results[1][1]).any()


EMPTY = [((0, 3, 6), 1), ((1, 0, 6), 1), ((0, 6), 1), ((0, 3, 6, 6), 2), ((1, 0, 6, 6), 2), ((0, 6, 6), 2),
         ((0, 3, 6, 6, 6), 3), ((1, 0, 6, 6, 6), 3), ((0, 6, 6, 6), 3), ((2, 3, 0, 6, 6), 3)]  # fmt: skip
POOLS = ["MaxPool", "AvgPool", "AdaptiveMaxPool", "AdaptiveAvgPool"]


@pytest.mark.parametrize("pool", POOLS)
@pytest.mark.parametrize(("size", "dims"), EMPTY)
def test_empty_inputs(pool, size, dims):
    def outcome(lib, T):
        x = T.ones(size, requires_grad=True)
        try:
            y = getattr(lib, f"{pool}{dims}d")(2)(x)
        except RuntimeError:
            return "RuntimeError"
        if not size[0]:  # PyTorch has no backward of its results without channels
            y.sum().backward()
        return tuple(y.shape)

    assert outcome(nn, minigrad) == outcome(torch.nn, library(torch.nn))
