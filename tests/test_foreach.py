"""`_foreach_*`: one operation for each tensor of a list, as PyTorch has it."""

import numpy as np
import pytest

import minigrad
from minigrad import foreach

NAMES = sorted(name for name in vars(foreach) if name.startswith("_foreach_"))
TERNARY = ("addcmul", "addcdiv", "lerp")
UNARY = """abs acos asin atan ceil clone cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p log2 max neg norm
    reciprocal round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc zero""".split()


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


def lists(lib):
    first = [[0.5, 0.25, 0.75], [[0.3, 0.7], [0.1, 0.9]]]
    second = [[0.5, 2.0, -1.0], [[3.0, 0.7], [-0.1, 2.0]]]
    third = [[0.1, 0.2, 0.3], [[0.3, 0.7], [0.1, 0.9]]]
    return [[lib.tensor(part) for part in parts] for parts in (first, second, third)]


def ways(name, lib):
    """The arguments after the list, in the forms that PyTorch knows."""
    _, b, c = lists(lib)
    bare = name.removeprefix("_foreach_").rstrip("_")
    if bare == "lerp":
        return [(b, 0.3), (b, [0.3, 0.6]), (b, c)]
    if bare in TERNARY:
        return [(b, c), (b, c, 0.5), (b, c, [0.5, 2.0]), (b, c, lib.tensor([0.5, 2.0]))]
    if bare == "norm":
        return [(), (1,), (float("inf"),)]
    if bare in UNARY:
        return [()]
    if bare == "copy":
        return [(b,)]
    return [(b,), (2.0,), ([1.0, 3.0],)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "_foreach_mm"])
def test_they_are_pytorchs(torch, name):
    for i in range(len(ways(name, minigrad))):
        outcomes = []
        for lib in (minigrad, torch):
            tensors = lists(lib)[0]
            found = getattr(lib, name)(tensors, *ways(name, lib)[i])
            if name.endswith("_"):
                assert all(a is b for a, b in zip(found, tensors, strict=True))
            outcomes.append((type(found), [each.numpy() for each in found], [each.numpy() for each in tensors]))
        assert outcomes[0][0] is outcomes[1][0]
        for ours, theirs in zip(outcomes[0][1] + outcomes[0][2], outcomes[1][1] + outcomes[1][2], strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_what_is_missing_is_rare(torch):
    assert {name for name in dir(torch) if name.startswith("_foreach_")} - set(NAMES) <= {"_foreach_powsum"}


def test_a_number_to_powers_and_products_of_matrices(torch):
    for lib in (minigrad, torch):
        assert [each.tolist() for each in lib._foreach_pow(2.0, [lib.tensor([1.0, 3.0])])] == [[2.0, 8.0]]
    eye = minigrad.eye(2)
    assert minigrad._foreach_mm([eye], [eye * 3])[0].tolist() == [[3, 0], [0, 3]]


def test_keywords_and_errors(torch):
    for lib in (minigrad, torch):
        a, b, _ = lists(lib)
        lib._foreach_add_(a, b, alpha=2)
        np.testing.assert_allclose(a[0].numpy(), [1.5, 4.25, -1.25])
        with pytest.raises(RuntimeError, match=r"same number of tensors, got 2 and 1"):
            lib._foreach_mul(a, b[:1])
        with pytest.raises(AttributeError, match="_foreach_nothing"):
            lib._foreach_nothing  # noqa: B018
