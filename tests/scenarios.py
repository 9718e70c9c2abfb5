"""Whole programs run here and in PyTorch: the autograd surface, as PyTorch has it.

A scenario is a function of the library. What it returns (nested lists of numbers, texts, tensors) must be the same in
both, or it must raise the same type of error in both. `raises` gives an error's type as a value.
"""

import inspect
import warnings

import numpy as np

import minigrad
import minigrad.utils.checkpoint


def raises(function, *args, **kwargs):
    try:
        function(*args, **kwargs)
    except Exception as error:
        return type(error).__name__
    return "fine"


def warned(function, *args, **kwargs):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        function(*args, **kwargs)
    return [type(w.message).__name__ for w in caught]


def leaf(T, *values):
    return T.tensor(values, dtype=T.float64, requires_grad=True)


def plain(value, T):
    if isinstance(value, T.Tensor):
        return [str(value.dtype).replace("torch", "").replace("minigrad", ""), tuple(value.shape), value.requires_grad,
                value.detach().numpy().copy()]  # fmt: skip
    if isinstance(value, dict):
        return {k: plain(v, T) for k, v in value.items()}
    if isinstance(value, tuple | list):
        return [plain(each, T) for each in value]
    return value


def agree(ours, theirs, where):
    if isinstance(theirs, np.ndarray):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-9, err_msg=where)
    elif isinstance(theirs, list):
        assert len(ours) == len(theirs), f"{where}: {ours} / {theirs}"
        for k, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            agree(a, b, f"{where}[{k}]")
    else:
        assert ours == theirs, f"{where}: {ours!r} / {theirs!r}"


def outcome(scenario, T):
    T.manual_seed(0)
    try:
        return plain(scenario(T), T)
    except Exception as error:
        return ["raises", type(error).__name__]


def of(module):
    """{name: function} of the scenarios in a module's globals: functions of one argument, T."""
    return {
        name: function
        for name, function in module.items()
        if inspect.isfunction(function)
        and function.__module__ == module["__name__"]
        and tuple(inspect.signature(function).parameters) == ("T",)
        and not name.startswith("_")
    }


def check(scenario, torch):
    agree(outcome(scenario, minigrad), outcome(scenario, torch), scenario.__name__)
