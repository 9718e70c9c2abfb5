"""Type promotion: every pair of dtypes, dimensions or none, and Python and NumPy numbers, in every class of binary op,
as PyTorch has it: the same value, dtype and shape, or the same kind of error."""

import itertools
import operator
import warnings

import numpy as np
import pytest

import minigrad

torch = pytest.importorskip("torch")

DTYPES = "bool uint8 int8 int16 int32 int64 float16 float32 float64".split()
# Not np.bool_: PyTorch takes it for a float, here it is a bool.
NUMBERS = (True, False, 3, -2, 2.5, np.float64(1.5), np.float32(1.5), np.int64(3), np.int8(3))
VALUES = [3, 1, 2, 5]

BINARY = {
    "arithmetic": "add sub mul rsub",
    "division": "div floor_divide remainder fmod true_divide",
    "powers": "pow float_power",
    "comparison": "eq ne lt le gt ge",
    "logic": "logical_and logical_or logical_xor",
    "bits": "bitwise_and bitwise_or bitwise_xor bitwise_left_shift bitwise_right_shift",
    "extremes": "maximum minimum fmax fmin clamp_min clamp_max",
    "float functions": "atan2 hypot logaddexp xlogy copysign ldexp heaviside special.xlog1py",
}
IN_PLACE = """add_ sub_ mul_ div_ floor_divide_ remainder_ fmod_ pow_ float_power_ eq_ lt_ logical_and_ bitwise_and_
bitwise_left_shift_ clamp_min_ clamp_max_ atan2_ hypot_ xlogy_ copysign_ ldexp_ heaviside_ copy_""".split()
OPERATORS = "add sub mul truediv floordiv mod pow eq ne lt ge and_ or_ xor lshift rshift".split()
IN_PLACE_OPERATORS = "iadd isub imul itruediv ifloordiv imod ipow iand ior ixor ilshift irshift".split()


def operands(T):
    """Functions that make the operands, each a new tensor of every dtype, with a dimension and without, or a number."""
    for name in DTYPES:
        dtype = getattr(T, name)
        yield f"{name}[4]", lambda dtype=dtype: T.tensor(VALUES).to(dtype)
        yield f"{name}[]", lambda dtype=dtype: T.tensor(2).to(dtype)
    for number in NUMBERS:
        yield f"{type(number).__name__} {number}", lambda number=number: number


def outcome(T, function, *makers):
    """(kind, values) of what the call gives, or the name of its error."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(*[make() for make in makers])
        except Exception as error:
            return type(error).__name__, None
    if not isinstance(result, T.Tensor):
        return repr(result), None
    return (str(result.dtype), tuple(result.shape)), result.numpy()


def assert_all_agree(name, mine, theirs, in_place=False):
    """Every pair of operands (in place: that fit into the left one); all disagreements in one message."""
    faults = []
    ours, others = list(operands(minigrad)), list(operands(torch))
    pairs = itertools.product(zip(ours, others), repeat=2)
    for ((a, make_a), (_, their_a)), ((b, make_b), (_, their_b)) in pairs:
        if in_place and (not is_tensor(a) or (a.endswith("[]") and b.endswith("[4]"))):
            continue
        mine_is, mine_values = outcome(minigrad, mine, make_a, make_b)
        is_, values = outcome(torch, theirs, their_a, their_b)
        if mine_is != is_:
            faults.append(f"{name}({a}, {b}): {mine_is}, PyTorch {is_}")
        elif values is not None:
            tolerance = 1e-3 if values.dtype == np.float16 else 1e-6
            if not np.allclose(mine_values, values, tolerance, tolerance, equal_nan=True):
                faults.append(f"{name}({a}, {b}): {mine_values}, PyTorch {values}")
    assert not faults, f"{len(faults)} disagreements, of them\n" + "\n".join(faults[:25])


def is_tensor(operand):
    return operand.endswith("]")


@pytest.mark.parametrize("name", [name for group in BINARY.values() for name in group.split()])
def test_every_pair_in_a_function(name):
    get = operator.attrgetter(name)
    assert_all_agree(name, get(minigrad), get(torch))


@pytest.mark.parametrize("name", IN_PLACE)
def test_every_pair_in_an_in_place_method(name):
    def write(a, b):
        return getattr(a, name)(b)

    assert_all_agree(name, write, write, in_place=True)


@pytest.mark.parametrize("name", [*OPERATORS, *IN_PLACE_OPERATORS])
def test_every_pair_in_an_operator(name):
    function = getattr(operator, name)

    def of_tensors(a, b):
        if not isinstance(a, minigrad.Tensor | torch.Tensor) and not isinstance(b, minigrad.Tensor | torch.Tensor):
            return None  # Python's or NumPy's own affair
        return function(a, b)

    assert_all_agree(name, of_tensors, of_tensors, in_place=name in IN_PLACE_OPERATORS)
