"""Padding, folding, resampling and shuffling layers, and Bilinear, against torch."""

import pytest
from layer_run import both, case, check_error_type, normal, same_description, same_start, steps

import minigrad
from minigrad import nn

torch = pytest.importorskip("torch")

SIZES = ((6,), (5, 6), (4, 5, 6))
FILES = ("padding", "fold", "upsampling", "pixelshuffle", "channelshuffle")


def paddings(dims):
    size, sides = SIZES[dims - 1], tuple(range(1, 2 * dims + 1))
    of, single = normal(2, 3, *size), normal(3, *size)
    widths = tuple(min(n, 3) for n in sides)
    made = []
    for kind in ("Reflection", "Replication", "Circular", "Zero"):
        name = f"{kind}Pad{dims}d"
        made += [case(name, 2, inputs=of), case(name, widths, inputs=single), case(name, list(widths), inputs=of)]
    name = f"ConstantPad{dims}d"
    made += [case(name, 1, 0.5, inputs=of), case(name, padding=sides, value=-2, inputs=single)]
    made += [case(name, (-1, 2) * dims, 0.25, inputs=of), case(name, (1, 2), 1.0, inputs=of)]
    return made


CASES = [each for dims in (1, 2, 3) for each in paddings(dims)] + [
    case("Unfold", 2, inputs=normal(2, 3, 5, 6)),
    case("Unfold", (2, 3), dilation=2, padding=1, stride=(2, 1), inputs=normal(3, 5, 6)),
    case("Fold", (4, 5), 2, inputs=normal(2, 8, 12)),
    case("Fold", output_size=(5, 6), kernel_size=2, dilation=2, padding=1, stride=(2, 1), inputs=normal(8, 18)),
    case("Upsample", 7, inputs=normal(1, 2, 4)),
    case("Upsample", (7, 3), mode="bilinear", inputs=normal(1, 2, 4, 5)),
    case("Upsample", scale_factor=2, inputs=normal(1, 2, 4, 5)),
    case("Upsample", scale_factor=(1.5, 2), mode="bicubic", align_corners=True, inputs=normal(1, 2, 4, 5)),
    case("Upsample", scale_factor=1.7, mode="linear", recompute_scale_factor=True, inputs=normal(1, 2, 4)),
    case("Upsample", None, 2, "trilinear", inputs=normal(1, 2, 3, 2, 4)),
    case("UpsamplingNearest2d", (6, 7), inputs=normal(1, 2, 4, 5)),
    case("UpsamplingBilinear2d", scale_factor=2, inputs=normal(1, 2, 4, 5)),
    case("PixelShuffle", 2, inputs=normal(2, 8, 3, 4)),
    case("PixelUnshuffle", 2, inputs=normal(2, 2, 6, 4)),
    case("ChannelShuffle", 3, inputs=normal(2, 6, 4)),
    case("Bilinear", 3, 4, 5, inputs=lambda rng: [*normal(2, 6, 3)(rng), *normal(2, 6, 4)(rng)], differentiable=2),
    case("Bilinear", 2, 3, 4, False, inputs=lambda rng: [*normal(2)(rng), *normal(3)(rng)], differentiable=2),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_prints_and_steps(case):
    same_start(case)
    same_description(case)
    steps(case, *both(case), count=2)


ERRORS = [
    lambda lib, T: lib.ReflectionPad1d(6)(T.zeros(2, 3, 6)),
    lambda lib, T: lib.ReflectionPad2d(1)(T.zeros(6)),
    lambda lib, T: lib.ReplicationPad3d(1)(T.zeros(6, 6)),
    lambda lib, T: lib.CircularPad1d(1)(T.zeros(6)),
    lambda lib, T: lib.CircularPad2d(1)(T.zeros(6, 6)),
    lambda lib, T: lib.CircularPad3d(7)(T.zeros(1, 6, 6, 6)),
    lambda lib, T: lib.ConstantPad1d("a", 0)(T.zeros(6)),
    lambda lib, T: lib.Unfold(9)(T.zeros(1, 1, 4, 4)),
    lambda lib, T: lib.Fold(4, 2)(T.zeros(1, 4, 4)),
    lambda lib, T: lib.Upsample()(T.zeros(1, 1, 4)),
    lambda lib, T: lib.Upsample(2, mode="bilinear")(T.zeros(1, 1, 4)),
    lambda lib, T: lib.PixelShuffle(2)(T.zeros(1, 3, 4, 4)),
    lambda lib, T: lib.PixelUnshuffle(2)(T.zeros(1, 3, 3, 4)),
    lambda lib, T: lib.ChannelShuffle(2)(T.zeros(1, 3, 3, 4)),
    lambda lib, T: lib.Bilinear(0, 3, 4),
    lambda lib, T: lib.Bilinear(2, 3, 4)(T.zeros(2, 2), T.zeros(2, 2)),
]


@pytest.mark.parametrize("number", range(len(ERRORS)))
def test_errors_are_of_torchs_type(number):
    check_error_type(lambda: ERRORS[number](nn, minigrad), lambda: ERRORS[number](torch.nn, torch))


def test_a_zero_pad_is_a_constant_pad():
    for dims in (1, 2, 3):
        assert isinstance(getattr(nn, f"ZeroPad{dims}d")(1), getattr(nn, f"ConstantPad{dims}d"))


def test_prefixes_of_wrapped_models_are_taken_away():
    from minigrad.nn.modules.utils import consume_prefix_in_state_dict_if_present

    model = nn.Sequential(nn.Linear(2, 3))
    state = nn.ModuleDict({"module": model}).state_dict()
    consume_prefix_in_state_dict_if_present(state, "module.")
    assert list(state) == ["0.weight", "0.bias"]
    assert dict(state._metadata) == dict(model.state_dict()._metadata)
    model.load_state_dict(state)
