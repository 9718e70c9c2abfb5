"""Limits and mixtures: the smaller and the larger of numbers, clamp, nan_to_num, heaviside, addcmul, addcdiv, lerp."""

# The names in scalar and grad_* are the op language: bound by registry.Binding, not by this module.
# ruff: noqa: F821

import math

import numpy as np

from minigrad import dtypes
from minigrad.errors import shape_text
from minigrad.registry import (
    FUNCTION,
    INPLACE,
    METHOD,
    TENSORS,
    Op,
    Plain,
    Pointwise,
    composite,
    np_dtype,
    on_every_path,
)
from minigrad.samples import S, constant, of, tensors


class minimum(Pointwise):
    """minimum(input, other) -> Tensor

    The smaller of each pair; NaN wins. Where they are equal each gets half the gradient, where one is NaN each gets all
    of it. (PyTorch: torch.minimum)
    """

    numpy, number = np.minimum, "none"

    def scalar(input, other):
        return where((input < other) | (input != input), input, other)

    def grad_input(g, input, other):
        return where(input == other, 0.5 * g, where(input > other, 0.0, g))

    def grad_other(g, input, other):
        return where(input == other, 0.5 * g, where(input < other, 0.0, g))

    public = (FUNCTION, METHOD)
    samples = tensors()


class fmax(Plain):
    """fmax(input, other) -> Tensor

    The larger of each pair; a number wins over NaN. Where they are equal the gradient is input's.
    (PyTorch: torch.fmax)
    """

    numpy, number, public = np.fmax, "none", (FUNCTION, METHOD)

    def scalar(input, other):
        return where((input >= other) | (other != other), input, other)

    def grad_input(g, input, other):
        return where((input >= other) | (other != other), g, 0.0)

    def grad_other(g, input, other):
        return where((input >= other) | (other != other), 0.0, g)

    samples = tensors()


class fmin(Plain):
    """fmin(input, other) -> Tensor

    The smaller of each pair; a number wins over NaN. Where they are equal the gradient is input's.
    (PyTorch: torch.fmin)
    """

    numpy, number, public = np.fmin, "none", (FUNCTION, METHOD)

    def scalar(input, other):
        return where((input <= other) | (other != other), input, other)

    def grad_input(g, input, other):
        return where((input <= other) | (other != other), g, 0.0)

    def grad_other(g, input, other):
        return where((input <= other) | (other != other), 0.0, g)

    samples = tensors()


def check_limit(input, limit):
    """What `clamp` refuses of a limit that is a number."""
    if isinstance(limit, bool):
        refuse_bools(np_dtype(input))
    TENSORS["check_fits"](np_dtype(input), limit)


class clamp_min(Pointwise):
    """clamp_min(input, min) -> Tensor

    The larger of input and `min` (a number or a tensor); NaN wins. Where they are equal the gradient is input's.
    (PyTorch: torch.clamp_min)
    """

    numpy = np.maximum

    def check(args):
        check_limit(*args)

    def scalar(input, min):
        return where((input >= min) | (input != input), input, min)

    def grad_input(g, input, min):
        return where(input >= min, g, 0.0)

    def grad_min(g, input, min):
        return where(input < min, g, 0.0)

    samples = tensors()


class clamp_max(Pointwise):
    """clamp_max(input, max) -> Tensor

    The smaller of input and `max` (a number or a tensor); NaN wins. Where they are equal the gradient is input's.
    (PyTorch: torch.clamp_max)
    """

    numpy = np.minimum

    def check(args):
        check_limit(*args)

    def scalar(input, max):
        return where((input <= max) | (input != input), input, max)

    def grad_input(g, input, max):
        return where(input <= max, g, 0.0)

    def grad_max(g, input, max):
        return where(input > max, g, 0.0)

    samples = tensors()


NUMBER = (float, int, np.generic, type(None))  # bools are ints


@composite(
    public=(FUNCTION, METHOD, INPLACE),
    alias=("clip",),
    out="pointwise",
    samples=of(
        lambda make: S(make(3, 4), -0.9, 1.1),
        lambda make: S(make(3, 4), min=0.3),
        lambda make: S(make(5), max=0.3),
        lambda make: S(make(3, 4), make(4), make(3, 1)),
        lambda make: S(make(3, 4), None, make(3, 1)),
    ),
)
def clamp(input, min=None, max=None):
    """clamp(input, min=None, max=None) -> Tensor

    The input limited to [min, max] (numbers, or tensors that broadcast; None: no limit on that side). The gradient is 1
    within the limits, ends included, and 0 outside; integers with a float limit become floats. (PyTorch: torch.clamp)
    """
    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    if isinstance(min, NUMBER) and isinstance(max, NUMBER):
        return clamp_numbers(input, min, max)
    if max is None:
        return clamp_min(input, min)
    return clamp_max(input, max) if min is None else clamp_tensors(input, min, max)


class clamp_numbers(Op):
    """The input limited to [min, max], numbers; called by `clamp`."""

    fresh = keeps_layout = True
    public, symbol, backward_name = (), "clamp", "ClampBackward1"

    def prepare(input, min, max):
        if np_dtype(input).kind != "f":
            input = promoted(input, *[limit for limit in (min, max) if limit is not None])[0]
        elif min.__class__ is float and max.__class__ is float and -65504.0 <= min <= max <= 65504.0:
            return input, min, max
        dtype = np_dtype(input)
        return input, limit_in(dtype, min), limit_in(dtype, max)

    def forward(input, /, min, max):
        return input.clip(min, max)

    def grad_input(g, input, min, max):
        return where(in_range(input, min, max), g, 0.0)


@on_every_path("limit_in")
def limit_in(dtype, number):
    """A limit as a number that the dtype has; negative ones wrap around in unsigned dtypes, as PyTorch's do."""
    number = number.item() if isinstance(number, np.generic) else number
    if number is None:
        return None
    if dtype.kind == "f":
        TENSORS["check_fits"](dtype, number)
        return number
    refuse_bools(dtype)
    limits = np.iinfo(dtype)
    if not (limits.min or -limits.max) <= number <= limits.max:
        name = dtypes.from_numpy_dtype(dtype)
        raise RuntimeError(f"value cannot be converted to type {name} without overflow: clamp() got {number}")
    return dtype.type(int(number) % (limits.max + 1) if limits.min == 0 else int(number))


def refuse_bools(dtype):
    if dtype.kind == "b":
        raise NotImplementedError("\"clamp_cpu\" not implemented for 'Bool': convert the input with .to()")


class clamp_tensors(Op):
    """The input limited to [min, max], tensors; called by `clamp`. Where a limit holds, the gradient is the limit's."""

    fresh = broadcasts = keeps_layout = True
    public, symbol, backward_name = (), "clamp", "ClampBackward0"

    def prepare(input, min, max):
        return promoted(input, min, max)

    def forward(input, min, max, /):
        refuse_bools(input.dtype)
        try:
            return np.minimum(np.maximum(input, min), max)
        except ValueError:
            shapes = ", ".join([shape_text(a.shape) for a in (input, min, max)])
            raise RuntimeError(f"clamp(): the shapes {shapes} do not broadcast: each size must match or be 1") from None

    def grad_input(g, input, min, max):
        return where((input >= min) & (input <= max), g, 0.0)

    def grad_min(g, input, min, max):
        return where((input < min) & (min < max), g, 0.0)

    def grad_max(g, input, min, max):
        return where((max < input) | (max < min), g, 0.0)


@on_every_path("in_range")
def in_range(input, low, high):
    """A bool array (or tensor): where the input is within the limits."""
    if low is None:
        return input <= high
    return input >= low if high is None else (input >= low) & (input <= high)


@composite(
    public=(FUNCTION, METHOD, INPLACE),
    out=True,
    samples=of(
        lambda make: S(np.array([[1.5, np.nan, -2.0], [np.inf, -np.inf, 0.5]])),
        lambda make: S(np.array([1.5, np.nan, np.inf, -np.inf]), 0.25, 3.0, -2.0),
    ),
)
def nan_to_num(input, nan=None, posinf=None, neginf=None):
    """nan_to_num(input, nan=0.0, posinf=None, neginf=None) -> Tensor

    NaN replaced by `nan`, the infinities by `posinf` and `neginf` (None: the largest and the smallest number of the
    dtype); integers stay as they are. (PyTorch: torch.nan_to_num)
    """
    tensors_only("nan_to_num", input=input)
    limits = np.finfo(np_dtype(input)) if np_dtype(input).kind == "f" else np.finfo(float)
    high = float(limits.max) if posinf is None else posinf
    return finite(input, 0.0 if nan is None else nan, high, float(limits.min) if neginf is None else neginf)


class finite(Plain):
    """NaN and the infinities replaced by numbers; called by `nan_to_num`."""

    public, backward_name = (), "NanToNumBackward0"

    def numpy(input, nan, posinf, neginf):
        if input.dtype.kind != "f":
            return input.copy()
        return np.nan_to_num(input, nan=nan, posinf=posinf, neginf=neginf)

    def scalar(input, /, nan, posinf, neginf):
        return where(input != input, nan, where(input == math.inf, posinf, where(input == -math.inf, neginf, input)))

    def grad_input(g, input):
        return g * (input - input == 0)


class heaviside(Plain):
    """heaviside(input, values) -> Tensor

    0 where input is negative, 1 where it is positive, `values` where it is 0; elementwise with broadcasting. The two
    have one dtype; there is no gradient. (PyTorch: torch.heaviside)
    """

    number = "none"

    def check(args):
        if len({np_dtype(arg) for arg in args}) > 1:
            raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes: convert with .to()")

    def numpy(input, values):
        if input.dtype.kind == "f":
            return np.heaviside(input, values)
        return np.where(input == 0, values, (input > 0).astype(input.dtype))

    def scalar(input, values):
        return input if input != input else values if input == 0 else float(input > 0)

    samples = of(
        lambda make: S(np.array([[-1.5, 0.0, 2.0], [0.0, 1.0, 0.0]]), make(2, 1)),
        lambda make: S(make(3, kind="i"), make(3, kind="i")),
    )


class nextafter(Plain):
    """nextafter(input, other) -> Tensor

    The float next to input on the way to other; floats only. The gradient is input's, and 0 where the two
    are equal. (PyTorch: torch.nextafter)
    """

    kinds, number, own_half = "f", "none", True

    def numpy(input, other):
        after = np.nextafter(input, other)
        return np.where(input == other, other, after) if input.dtype == np.float16 else after  # -0.0 follows 0.0

    def scalar(input, other):
        return math.nextafter(input, other)

    def grad_input(g, input, other):
        return where(input == other, 0.0, g)

    def grad_other(g):
        return where(g == 0, 0.0 * g, 0.0)

    samples = of(lambda make: S(constant([[1.0, 0.0, -2.5]]), constant([3.0, -np.inf, 3.0])))


def three(low=-3.0, high=3.0):
    """Samples of three tensors, and with another factor."""
    return of(
        lambda make: S(make(3, 4), make(3, 4), make(3, 4, low=low, high=high)),
        lambda make: S(make(3, 4), make(4), make(3, 1, low=low, high=high), value=0.5),
    )


def whole(array, value):
    """A factor as integers take it: without its fraction."""
    return value if array.dtype.kind == "f" else int(value)


class addcmul(Pointwise):
    """addcmul(input, tensor1, tensor2, *, value=1) -> Tensor

    ``input + value * tensor1 * tensor2``, elementwise with broadcasting. (PyTorch: torch.addcmul)
    """

    kinds, number, jit_rules = "iuf", "none", False

    def array(input, tensor1, tensor2, value=1):
        return input + whole(input, value) * tensor1 * tensor2

    def scalar(input, tensor1, tensor2, /, value=1):
        return input + value * tensor1 * tensor2

    def grad_input(g):
        return g

    def grad_tensor1(g, tensor2, value):
        return g * (tensor2 * value)

    def grad_tensor2(g, tensor1, value):
        return g * (tensor1 * value)

    samples = three()


class addcdiv(Pointwise):
    """addcdiv(input, tensor1, tensor2, *, value=1) -> Tensor

    ``input + value * tensor1 / tensor2``, elementwise with broadcasting. tensor1 and tensor2 cannot both be integers.
    (PyTorch: torch.addcdiv)
    """

    kinds, number, jit_rules = "f", "none", False

    def check(args):
        if "f" not in [np_dtype(arg).kind for arg in args[1:]]:
            raise RuntimeError(
                "Integer division with addcdiv is no longer supported: addcdiv() got two integer tensors. Use "
                "(input + value * torch.trunc(tensor1 / tensor2)), or convert them with .float()"
            )

    def scalar(input, tensor1, tensor2, /, value=1):
        return input + value * tensor1 / tensor2

    def grad_input(g):
        return g

    def grad_tensor1(g, tensor2, value):
        return g * (value / tensor2)

    def grad_tensor2(g, tensor1, tensor2, value):
        return -g * (value * tensor1 / (tensor2 * tensor2))

    samples = three(0.5, 3.0)


class lerp(Pointwise):
    """lerp(input, end, weight) -> Tensor

    ``input + weight * (end - input)``, elementwise with broadcasting; weight is a number or a tensor. Floats of one
    dtype. (PyTorch: torch.lerp)
    """

    kinds, jit_rules, wide_last = "f", False, "number"

    def check(args):
        same_dtypes(*args)

    def scalar(input, end, weight):
        return where(math.fabs(weight) < 0.5, input + weight * (end - input), end - (end - input) * (1.0 - weight))

    def array(input, end, weight):
        return np.where(np.abs(weight) < 0.5, input + weight * (end - input), end - (end - input) * (1.0 - weight))

    def grad_input(g, weight):
        return g * (1.0 - weight)

    def grad_end(g, weight):
        return g * weight

    def grad_weight(g, input, end):
        return g * (end - input)

    samples = of(
        lambda make: S(make(3, 4), make(3, 4), 0.25),
        lambda make: S(make(3, 4), make(4), 0.75),
        lambda make: S(make(3, 4), make(3, 1), make(4, low=0.0, high=1.0)),
    )


def same_dtypes(input, end, weight):
    """RuntimeError where the operands of `lerp` are not of one dtype (a weight that is a number or 0-dim takes it)."""
    if not hasattr(end, "ndim") or isinstance(end, np.generic):
        raise TypeError(f"lerp(): argument 'end' must be Tensor, not {type(end).__name__}")
    if np_dtype(input).kind != "f":
        raise NotImplementedError(f"\"lerp_cpu\" not implemented for '{np_dtype(input)}': convert the input with .to()")
    for name, value in (("end", end), ("weight", weight)):
        if (name == "end" or getattr(value, "ndim", 0)) and np_dtype(value) != np_dtype(input):
            raise RuntimeError(
                f"expected dtype {np_dtype(input)} for `{name}` but got dtype {np_dtype(value)}: lerp() does not "
                "promote, convert with .to()"
            )
