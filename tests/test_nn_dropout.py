"""The dropout layers against torch: the same masks from the same seed."""

import numpy as np
import pytest
from layer_run import case, check_error, check_layers, images, library, normal

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")

test_layers = check_layers(
    [
        case("Dropout1d", 0.4, inputs=normal(5, 6, 4)),
        case("Dropout1d", inputs=normal(8, 4)),
        case("Dropout2d", 0.3, inplace=False, inputs=images(4, 8)),
        case("Dropout3d", 0.3, inputs=normal(3, 6, 2, 3, 4)),
        case("Dropout3d", inputs=normal(8, 2, 3, 4)),
        case("AlphaDropout", inputs=normal(20, 7)),
        case("AlphaDropout", 0.1, inplace=True, inputs=normal(20, 7)),
        case("FeatureAlphaDropout", 0.4, inputs=images(4, 8)),
        case("FeatureAlphaDropout", 0.4, inputs=normal(9, 5)),
        case("AlphaDropout", 1.0, inputs=normal(3, 4)),
        case("Dropout3d", 0.0, inputs=normal(2, 2, 1, 3, 1)),
    ]
)


@pytest.mark.parametrize("name", ["Dropout1d", "Dropout2d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout"])
@pytest.mark.parametrize("inplace", [False, True])
def test_what_is_written_to(name, inplace):
    shape = {"Dropout1d": (4, 5, 3), "Dropout3d": (4, 5, 2, 2, 2)}.get(name, (4, 5, 2, 2))
    left = []
    for lib in (torch, minigrad):
        lib.manual_seed(0)
        x = lib.ones(shape)
        result = getattr(lib.nn, name)(0.5, inplace)(x)
        left.append((np.array(x.numpy()), np.array(result.numpy()), result is x))
    np.testing.assert_allclose(left[1][0], left[0][0], rtol=1e-6)
    np.testing.assert_allclose(left[1][1], left[0][1], rtol=1e-6)
    assert left[0][2] == left[1][2]


@pytest.mark.parametrize("name", ["dropout", "alpha_dropout", "feature_dropout", "feature_alpha_dropout"])
def test_functions_of_the_library(name):
    left = []
    for lib in (torch, minigrad):
        lib.manual_seed(0)
        x = lib.ones(4, 6, 3)
        results = [getattr(lib, name)(x, 0.4, True), getattr(lib, name)(x, 0.4, False)]
        assert getattr(lib, name + "_")(x, 0.4, True) is x
        left.append([np.array(each.numpy()) for each in (*results, x)])
    for mine, theirs in zip(*left[::-1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


ERRORS = [
    *[
        (lambda lib, name=name: getattr(lib, name)(1.5), "dropout probability has to be between 0 and 1, but got 1.5")
        for name in ("Dropout1d", "Dropout3d", "AlphaDropout", "FeatureAlphaDropout")
    ],
    (lambda lib: lib.Dropout1d()(library(lib).zeros(2, 3, 4, 5)), "dropout1d: Expected 2D or 3D input"),
    (lambda lib: lib.FeatureAlphaDropout()(library(lib).zeros(3)), "at least 2 dimensions in the input"),
]


@pytest.mark.parametrize(("wrong", "text"), ERRORS)
def test_errors(wrong, text):
    check_error(wrong, text)


@pytest.mark.parametrize("name", ["Dropout2d", "Dropout3d"])
def test_other_numbers_of_dimensions_are_warned_of(name):
    for lib in (torch, minigrad):
        with pytest.warns(UserWarning, match=f"{name.lower()}: Received a 2-D input"):
            getattr(lib.nn, name)()(lib.ones(3, 4))


def test_evaluation_gives_the_input_itself():
    x = minigrad.ones(2, 3, 4)
    for name in ("Dropout", "Dropout1d", "AlphaDropout", "FeatureAlphaDropout"):
        assert getattr(nn, name)().eval()(x) is x
