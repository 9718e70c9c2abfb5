"""Convolution layers against torch: the cases of test_nn_layers, and what only convolutions have."""

import copy
import inspect
import pickle

import numpy as np
import pytest
from layer_run import (
    both,
    case,
    check_error_type,
    close,
    library,
    normal,
    one_step,
    same_description,
    same_start,
    steps,
)

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")
pytestmark = pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")  # PyTorch's own

SIZES = ((9,), (8, 7), (5, 6, 4))


def convolutions(dims):
    size = SIZES[dims - 1]
    plain, back = f"Conv{dims}d", f"ConvTranspose{dims}d"
    of, single = normal(2, 4, *size), normal(4, *size)
    small = normal(2, 4, *(n // 2 for n in size))
    each = lambda *numbers: numbers[:dims]  # noqa: E731  (as many settings as there are dimensions)
    return [
        case(plain, 4, 6, 3, inputs=of),
        case(plain, 4, 3, each(3, 2, 1), stride=each(2, 1, 3), padding=each(1, 2, 0), inputs=of),
        case(plain, 4, 6, 2, 1, 1, 2, 2, False, inputs=of),
        case(plain, 4, 8, 2, groups=4, dtype=None, inputs=single),
        case(plain, 4, 3, each(2, 3, 2), padding="same", dilation=each(3, 1, 2), inputs=of),
        case(plain, 4, 3, 2, padding="valid", stride=2, inputs=single),
        case(plain, 4, 2, 3, padding=1, padding_mode="reflect", inputs=of),
        case(plain, 4, 2, 3, padding=each(2, 1, 1), padding_mode="replicate", stride=2, inputs=single),
        case(plain, 4, 2, each(2, 3, 2), padding="same", padding_mode="circular", inputs=of),
        case(plain, 4, 2, 2, padding="valid", padding_mode="circular", inputs=of),
        case(back, 4, 6, 3, inputs=small),
        case(back, 4, 6, each(3, 2, 2), each(2, 3, 2), each(1, 0, 1), each(1, 2, 0), 2, False, inputs=small),
        case(back, 4, 2, 2, dilation=2, output_padding=1, inputs=normal(4, *(n // 2 for n in size))),
    ]


CASES = [each for dims in (1, 2, 3) for each in convolutions(dims)] + [
    case("Conv2d", 4, 2, [3, 2], inputs=normal(2, 4, 1, 1), padding=[1, 1]),
    case("Conv2d", 2, 2, 1, inputs=normal(0, 2, 3, 3)),
    case("ConvTranspose1d", 2, 3, 2, inputs=normal(0, 2, 3)),
]
every_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@every_case
def test_start_print_state_and_three_steps(case):
    same_start(case)
    same_description(case)
    steps(case, *both(case))


@pytest.mark.parametrize("dims", [1, 2, 3])
def test_attributes_and_signatures(dims):
    for name in (f"Conv{dims}d", f"ConvTranspose{dims}d", f"LazyConv{dims}d", f"LazyConvTranspose{dims}d"):
        theirs, mine = getattr(torch.nn, name), getattr(nn, name)
        expected = [(p.name, p.default) for p in inspect.signature(theirs).parameters.values()]
        assert [(p.name, p.default) for p in inspect.signature(mine).parameters.values()] == expected
        lazy = name.startswith("Lazy")
        args = (6, 3) if lazy else (4, 6, 3)
        theirs, mine = theirs(*args, padding=1, groups=2), mine(*args, padding=1, groups=2)
        for attribute in (
            "in_channels", "out_channels", "kernel_size", "stride", "padding", "dilation", "transposed",
            "output_padding", "groups", "padding_mode", "_reversed_padding_repeated_twice",
        ):  # fmt: skip
            assert getattr(mine, attribute) == getattr(theirs, attribute), (name, attribute)


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize("batched", [True, False])
def test_output_size_at_the_call(dims, batched):
    size = SIZES[dims - 1]
    settings = {"kernel_size": 3, "stride": 3, "padding": 1, "dilation": 2}
    torch.manual_seed(0)
    theirs = getattr(torch.nn, f"ConvTranspose{dims}d")(2, 3, **settings)
    minigrad.manual_seed(0)
    mine = getattr(nn, f"ConvTranspose{dims}d")(2, 3, **settings)
    x = np.random.default_rng(0).standard_normal((*([4] if batched else []), 2, *size)).astype(np.float32)
    least = [(n - 1) * 3 - 2 + 2 * 2 + 1 for n in size]
    lead = [4, 3] if batched else [3]
    for wanted in (least, [n + 2 for n in least], [*lead, *(n + 1 for n in least)]):
        close(mine(minigrad.from_numpy(x), wanted), theirs(torch.from_numpy(x), wanted), str(wanted))
        close(mine(minigrad.from_numpy(x), output_size=wanted), theirs(torch.from_numpy(x), wanted), str(wanted))
    for wrong in (least[1:], [n - 1 for n in least], [n + 3 for n in least]):
        with pytest.raises(ValueError, match="output"):
            theirs(torch.from_numpy(x), wrong)
        with pytest.raises(ValueError, match="output"):
            mine(minigrad.from_numpy(x), wrong)


ERRORS = [
    lambda lib: lib.Conv1d(3, 4, 3, groups=2),
    lambda lib: lib.Conv3d(3, 4, 3, 2, padding="same"),
    lambda lib: lib.ConvTranspose2d(3, 4, 3, padding_mode="reflect"),
    lambda lib: lib.ConvTranspose2d(3, 4, 3, groups=-1),
    lambda lib: lib.ConvTranspose2d(3, 4, 3, output_padding=1)(library(lib).zeros(1, 3, 4, 4)),
    lambda lib: lib.Conv1d(3, 4, 3)(library(lib).zeros(1, 3, 4, 4)),
    lambda lib: lib.Conv1d(3, 4, 3)(library(lib).zeros(2, 4)),
    lambda lib: lib.Conv2d(3, 4, 9)(library(lib).zeros(3, 4, 4)),
    lambda lib: lib.Conv2d(3, 4, 3, padding=3, padding_mode="reflect")(library(lib).zeros(1, 3, 3, 3)),
    lambda lib: lib.Conv2d(3, 4, 3)(library(lib).zeros(1, 3, 4, 4, dtype=library(lib).float64)),
    lambda lib: lib.LazyConv1d(4, 3)(library(lib).zeros(1, 3, 4, 4)),
    lambda lib: lib.LazyConv1d(4, 3, groups=2)(library(lib).zeros(1, 3, 4)),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_of_torchs_type(number):
    check_error_type(lambda: ERRORS[number](nn), lambda: ERRORS[number](torch.nn))


def test_the_padding_mode_may_be_changed_later():
    """The trick of programs that make tileable pictures."""
    rng = np.random.default_rng(0)
    wanted = case("Conv2d", 2, 3, 3, padding=1, inputs=normal(1, 2, 5, 5))
    theirs, mine = both(wanted)
    theirs.padding_mode = mine.padding_mode = "circular"
    one_step(wanted, theirs, mine, rng, 0)


def test_a_subclass_with_a_weight_of_its_own_making():
    """Weight standardisation as programs write it: `_conv_forward` with another weight."""

    def standardised(lib):
        class Standardised(lib.Conv2d):
            def forward(self, x):
                weight = self.weight
                mean = weight.mean(dim=(1, 2, 3), keepdim=True)
                return self._conv_forward(x, weight - mean, self.bias)

        return Standardised(3, 4, 3, padding=1, padding_mode="reflect")

    one = case("Conv2d", inputs=normal(2, 3, 5, 5))
    one.make = standardised
    theirs, mine = both(one)
    assert isinstance(mine, nn.modules.conv._ConvNd)
    one_step(one, theirs, mine, np.random.default_rng(0), 0)


def test_double_half_copies_and_pickles():
    layer = nn.ConvTranspose2d(2, 3, 3, stride=2, padding=1, dtype=minigrad.float64)
    x = minigrad.randn(1, 2, 4, 4, dtype=minigrad.float64)
    expected = layer(x, output_size=(8, 8)).tolist()
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other(x, output_size=(8, 8)).tolist() == expected
        assert repr(other) == repr(layer)
        assert other.weight is not layer.weight
    torch_layer = torch.nn.Conv1d(2, 3, 3).half()
    mine = nn.Conv1d(2, 3, 3).half()
    mine.load_state_dict({k: minigrad.from_numpy(v.numpy()) for k, v in torch_layer.state_dict().items()})
    x = np.random.default_rng(0).standard_normal((2, 2, 6)).astype(np.float16)
    expected = torch_layer(torch.from_numpy(x)).detach().numpy()
    # float16 has 11 bits: one rounding of a sum of seven numbers of size 1
    np.testing.assert_allclose(mine(minigrad.from_numpy(x)).detach().numpy(), expected, rtol=2e-3, atol=1e-3)
