"""One line of Python, run by minigrad and by PyTorch: the same value, dtype, shape, print, or the same kind of error.

`T` is the library, `F` its nn.functional; the small tensors below are at hand. The last expression of the line is its
outcome. Each line starts from manual_seed(0).
"""

import ast
import collections
import copy
import pickle
import warnings

import numpy as np

import minigrad
import minigrad.nn.functional


def names(T):
    """What a line can use."""
    T.manual_seed(0)
    a = [[1.5, -2.0, 3.0], [0.0, 5.0, -0.5]]
    return {
        "T": T, "F": T.nn.functional, "np": np, "copy": copy, "pickle": pickle, "deque": collections.deque,
        "a": T.tensor(a),
        "i": T.tensor([[1, 2, 3], [4, 5, 6]]),
        "b": T.tensor([[True, False, True], [False, True, True]]),
        "v": T.tensor([1.0, 2.0, 3.0]),
        "g": T.tensor([[1.5, -2.0, 3.0], [0.25, 5.0, -0.5]], requires_grad=True),
        "s": T.tensor(2.5),
        "si": T.tensor(3),
        "e": T.zeros(0),
        "e3": T.zeros(2, 0, 3),
        "u8": T.tensor([1, 0, 1], dtype=T.uint8),
        "x4": T.arange(24.0).reshape(2, 3, 4),
        "img": (T.arange(2 * 2 * 6 * 6.0) % 7).reshape(2, 2, 6, 6),
        "w": (T.arange(3 * 2 * 3 * 3.0) % 5).reshape(3, 2, 3, 3),
    }  # fmt: skip


def value_of(code, T):
    """The last expression of the line, after its other statements."""
    tree = ast.parse(code.strip())
    space = names(T)
    *before, last = tree.body
    exec(compile(ast.Module(before, []), code, "exec"), space)
    return eval(compile(ast.Expression(last.value), code, "eval"), space)


def described(value, T):
    if isinstance(value, T.Tensor):
        text = repr(value)
        return "Tensor", str(value.dtype), tuple(value.shape), value.requires_grad, array_of(value), text
    if isinstance(value, np.ndarray | np.generic):
        return "array", str(value.dtype), value.shape, np.array(value)
    if isinstance(value, tuple | list):
        return type(value).__name__, [described(each, T) for each in value]
    return type(value).__name__, repr(value)


def array_of(tensor):
    return np.array(tensor.detach().numpy())


def outcome(code, T):
    """What the line gives, or ("raises", the type of its error)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return described(value_of(code, T), T)
        except Exception as error:
            return "raises", type(error).__name__


def assert_same(ours, theirs, code):
    if isinstance(theirs, np.ndarray):
        assert ours.shape == theirs.shape, code
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6, err_msg=code)
    elif isinstance(theirs, tuple | list):
        assert isinstance(ours, tuple | list), f"{code}: {ours} / {theirs}"
        assert len(ours) == len(theirs), f"{code}: {ours} / {theirs}"
        for one, other in zip(ours, theirs, strict=True):
            assert_same(one, other, code)
    else:
        assert ours == theirs, f"{code}: {ours} / {theirs}"


def check(code, torch):
    ours, theirs = outcome(code, minigrad), outcome(code, torch)
    if theirs == ("raises", "AttributeError") and ours == ("raises", "TypeError"):
        return  # PyTorch's Python code trips over what is no tensor; here the argument is named
    if ours == ("raises", "NoDeviceError") and theirs in (("raises", "RuntimeError"), ("raises", "AssertionError")):
        return  # it is both
    assert_same(ours, theirs, code)


def lines(block):
    return [line.strip() for line in block.strip().splitlines() if line.strip()]
