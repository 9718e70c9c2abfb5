"""`arange`, `linspace` and `logspace` against PyTorch: every bit, for random ends, steps and dtypes."""

import numpy as np
import pytest

import minigrad

DTYPES = ("float32", "float64", "float16", "int64", "int32", "int16", "int8", "uint8", None)
STEPS = (0, 1, 2, 3, 5, 7, 8, 9, 10, 16, 17, 33, 50, 100, 101, 1000)


def number(rng):
    match rng.integers(5):
        case 0:
            return int(rng.integers(-20, 21))
        case 1:
            return float(rng.uniform(-5, 5))
        case 2:
            return round(float(rng.uniform(-5, 5)), 1)
        case 3:
            return float(rng.uniform(-1000, 1000))
    return float(rng.choice([0.1, 0.2, 1 / 3, 1e-3, 1.0, -1.0, 0.0]))


def arange_arguments(rng):
    start, end = number(rng), number(rng)
    steps = (number(rng), 0.1, 0.01, 1, 2, -1, (end - start) / float(rng.choice([3, 7, 50, 100.5, 777])))
    step = steps[rng.integers(len(steps))]
    if step and abs((end - start) / step) > 20000:  # longer ones PyTorch divides between its threads
        step = (end - start) / 1000
    return start, end, step


def linspace_arguments(rng):
    return number(rng), number(rng), int(rng.choice(STEPS))


def logspace_arguments(rng):
    base = () if rng.random() < 0.5 else (float(rng.choice([2.0, 10.0, 3.0, 0.5])),)
    return float(rng.uniform(-3, 3)), float(rng.uniform(-3, 4)), int(rng.choice(STEPS)), *base


def outcome(lib, name, arguments, dtype):
    named = {} if dtype is None else {"dtype": getattr(lib, dtype)}
    try:
        made = getattr(lib, name)(*arguments, **named)
    except Exception as error:
        return type(error).__name__
    return repr(made.dtype), tuple(made.shape), made.numpy().tobytes()


@pytest.mark.parametrize("name", ["arange", "linspace", "logspace"])
def test_every_bit_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    draw, rng = globals()[name + "_arguments"], np.random.default_rng(0)
    for _ in range(400):
        arguments, dtype = draw(rng), DTYPES[rng.integers(len(DTYPES))]
        ours, theirs = outcome(minigrad, name, arguments, dtype), outcome(torch, name, arguments, dtype)
        assert ours == theirs, f"{name}{arguments}, {dtype}"


def test_the_last_digit_of_a_common_range():
    torch = pytest.importorskip("torch")
    assert outcome(minigrad, "arange", (0, 16, 0.01), None) == outcome(torch, "arange", (0, 16, 0.01), None)
    assert minigrad.arange(0, 16, 0.01)[9].item() != np.float32(0.09)  # PyTorch's is not the nearest one either


def test_ranges_take_tensors_and_make_leaves():
    x = minigrad.arange(minigrad.tensor(1.0), minigrad.tensor(2.0), 0.25, requires_grad=True)
    assert x.tolist() == [1.0, 1.25, 1.5, 1.75]
    assert x.requires_grad
    assert x.is_leaf
    with pytest.raises(RuntimeError, match="0-dimensional start and end tensors, but got start with 1"):
        minigrad.linspace(minigrad.zeros(1), 1, 3)
    with pytest.raises(TypeError, match="argument 'end' must be Number, not str"):
        minigrad.arange(0, "3")
