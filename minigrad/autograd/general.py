"""The general path of a pointwise op: numbers, mixed dtypes, 0-dim tensors, and good errors.

The generated doors (`door.py`) handle the common case, tensors of one float type, and send all else here.
Type promotion is PyTorch's: tensors with dimensions decide over 0-dim tensors, those over Python numbers, and a lower
rank speaks only by raising the *kind* (bool < integer < float), never the width.
"""

from __future__ import annotations

import contextvars
import math
import threading

import numpy as np

from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import node_of, record
from minigrad.dtypes import from_numpy_dtype, get_default_dtype
from minigrad.errors import shape_text
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap

F16, F32, F64, I64, BOOL = (np.dtype(t) for t in ("f2", "f4", "f8", "i8", "?"))
_RANK = {"b": 0, "u": 1, "i": 1, "f": 2}
NUMBER = (bool, int, float, np.generic)
OPERAND = (Tensor, *NUMBER, np.ndarray)


class Unseen(Exception):
    """Something reached for the numbers of a tensor of `vmap`, which shows only its shape and dtype.
    ``apply(op, inputs, attributes)`` runs an op on such tensors. See `minigrad/batched.py`."""

    def __init__(self, apply):
        super().__init__("vmap: the examples are not at hand one by one")
        self.apply = apply


def silent_context():
    """A context in which NumPy's floating-point warnings are off."""
    context = contextvars.Context()
    context.run(np.seterr, all="ignore")
    return context


# NumPy keeps these settings in a context variable. Here it is, and its value in the silent context: setting it takes
# a sixth of the time of `np.errstate`.
((WARNINGS, SILENT),) = silent_context().items()


class _Quiet(threading.local):
    """`quiet.run(kernel, *arrays)` calls a kernel with NumPy's floating-point warnings off, as PyTorch has none.

    Running in a context of our own costs next to nothing and leaves the caller's `np.seterr` alone; `np.errstate`
    would cost more than the kernel of a small array.
    """

    def __init__(self):
        enter = silent_context().run

        def run(kernel, *arguments):
            try:
                return enter(kernel, *arguments)
            except RuntimeError as error:
                if "already entered" not in str(error):  # by a signal handler or finalizer that came in between
                    raise
                with np.errstate(all="ignore"):
                    return kernel(*arguments)

        self.run = run


quiet = _Quiet()


def promote_two(a, b):
    """The dtype in which two dtypes of equal standing meet (None: nothing there)."""
    if a is None or b is None:
        return b if a is None else a
    if (a.kind == "f") != (b.kind == "f"):
        return a if a.kind == "f" else b
    return np.promote_types(a, b)


def promote(args) -> np.dtype:
    """PyTorch's result_type of tensors and numbers, as a NumPy dtype."""
    with_dims = zero_dim = number = None
    for arg in args:
        if isinstance(arg, Tensor):
            if arg._shape:
                with_dims = promote_two(with_dims, arg.array.dtype)
            else:
                zero_dim = promote_two(zero_dim, arg.array.dtype)
        elif isinstance(arg, np.ndarray):
            with_dims = promote_two(with_dims, from_numpy_dtype(arg.dtype).numpy)
        elif isinstance(arg, bool | np.bool_):
            number = promote_two(number, BOOL)
        elif isinstance(arg, int | np.integer):
            number = promote_two(number, I64)
        else:
            number = promote_two(number, get_default_dtype().numpy)
    return _over(with_dims, _over(zero_dim, number))


def _over(high, low):
    if high is None or low is None:
        return low if high is None else high
    return high if _RANK[high.kind] >= _RANK[low.kind] else low


_constants: dict = {}


def constant(number, dtype):
    """A Python number as a read-only 0-dim tensor. Small ones are kept: making an array costs more than a lookup."""
    key = (number, number.__class__, dtype)
    tensor = _constants.get(key)
    negative_zero = not number and math.copysign(1, number) < 0  # the same key as 0.0
    if tensor is None or negative_zero:
        array = np.asarray(number)
        if array.dtype == object:
            raise OverflowError(f"int too big to convert: {number} does not fit into int64; write it as a float")
        tensor = wrap(np.asarray(quiet.run(array.astype, dtype)))
        tensor.array.flags.writeable = False
        if len(_constants) < 1000 and number == number and not negative_zero:
            _constants[key] = tensor
    return tensor


def as_tensor(arg, dtype, op, argument):
    """A tensor, number or array as a tensor of this dtype; TypeError, naming the op and its argument, for others."""
    if isinstance(arg, Tensor):
        if arg.array.dtype == dtype:
            return arg
        return TENSORS["to_dtype"](arg if dtype.kind == "f" else arg.detach(), dtype)  # integers have no gradient
    if isinstance(arg, NUMBER):
        return constant(arg, dtype)
    if isinstance(arg, np.ndarray):
        return wrap(arg.astype(dtype, copy=False))
    raise not_a_tensor(op.name, argument, arg)


def not_a_tensor(name, argument, value):
    """The error of an argument that is no tensor."""
    hint = "; use minigrad.from_numpy or minigrad.tensor" if isinstance(value, np.ndarray | list | tuple) else ""
    return TypeError(f"{name}(): argument '{argument}' must be Tensor, not {type(value).__name__}{hint}")


def operands(op, args, target=None):
    """The inputs of a pointwise op as tensors of one dtype; target: the tensor that the result is to be written to."""
    for name, arg in zip(op.inputs, args, strict=True):
        if not isinstance(arg, OPERAND):
            raise not_a_tensor(op.name, name, arg)
    if op.number != "any":
        check_numbers(op, args)
    if op.check is not None:
        op.check(args)
    dtype = promote(args)
    if op.no_bools and any(promote((arg,)).kind == "b" for arg in args):
        raise RuntimeError(op.no_bools)
    given = dtype
    if op.floats and dtype.kind != "f":
        dtype = get_default_dtype().numpy
    elif op.counts_bools and dtype.kind == "b":
        given = dtype = I64
    refused = given.kind not in op.kinds
    if target is not None and not (refused and given.kind == target.array.dtype.kind):
        check_castable(op.name, BOOL if op.boolean else dtype, target)
    if refused:
        raise not_implemented(op, given)
    tensors = [as_tensor(arg, dtype, op, name) for name, arg in zip(op.inputs, args, strict=True)]
    if op.wide_last and dtype == F16:
        tensors[-1] = widened(op, args[-1], tensors[-1])
    return tensors


def widened(op, given, tensor):
    """The last operand of a float16 op, in float32 if it was given as a number or a 0-dim tensor (see `wide_last`)."""
    if isinstance(given, NUMBER):
        return constant(given, F32)
    if op.wide_last != "scalar" or given is tensor or not isinstance(given, Tensor):
        return tensor
    if given._shape or not isinstance(given.array, np.ndarray):
        return tensor
    wide = wrap(quiet.run(given.array.astype, F32))
    wide.node = tensor.node  # its gradient comes in float16, and is converted as that of `tensor` is
    return wide


def python_numbers(attrs):
    """Attributes as Python numbers, which take the dtype of the arrays: NumPy's, of 0-dim tensors too, would not."""
    return tuple([a.item() if isinstance(a, np.generic | Tensor) else a for a in attrs])


def check_castable(name, dtype, target):
    """Refuse to write floats into integers, or either into bools."""
    if _RANK[dtype.kind] > _RANK[target.array.dtype.kind]:
        raise RuntimeError(
            f"{name}_: result type {TENSORS['type_name'](dtype)} can't be cast to the desired output type "
            f"{TENSORS['type_name'](target.array.dtype)}"
        )


def check_numbers(op, args):
    """Refuse Python numbers where the op wants tensors."""
    numbers = [isinstance(arg, NUMBER) for arg in args]
    wrong = any(numbers) if op.number == "none" else numbers[0] if op.number == "last" else all(numbers)
    if wrong:
        at = numbers.index(True)
        raise not_a_tensor(op.name, op.inputs[at], args[at])


def run_kernel(op, arrays, attrs=()):
    """Call the kernel for the arrays' dtype; NumPy's errors become PyTorch's, naming the op."""
    kernel = op.kernels.get(arrays[0].dtype, op.twin)
    if arrays[0].dtype == F16 and not op.own_half:  # computed in float32 and rounded once, as PyTorch does
        if op.numbers_fit:
            for number in attrs:
                TENSORS["check_fits"](F16, number)
        wide = run_kernel(op, [array.astype(F32) for array in arrays], attrs)
        return quiet.run(wide.astype, F16) if wide.dtype == F32 else wide
    try:
        y = quiet.run(kernel, *arrays, *attrs)
    except ValueError as error:
        if "broadcast" not in str(error):
            raise
        raise broadcast_error(op, [a.shape for a in arrays]) from None
    except np.exceptions.DTypePromotionError:
        raise TypeError(f"{op.name}(): not implemented for {from_numpy_dtype(arrays[0].dtype)}") from None
    except TypeError as error:
        if "not supported for the input types" not in str(error) and "ufunc" not in str(error):
            raise
        raise not_implemented(op, arrays[0].dtype) from None
    if y.dtype == np.int8 and arrays[0].dtype == BOOL:  # NumPy's answer where an op has no loop for bools
        raise not_implemented(op, BOOL)
    return y if y.__class__ is np.ndarray else np.asarray(y)


def not_implemented(op, dtype):
    """The error of an op that has no meaning for a dtype."""
    name = TENSORS["type_name"](dtype)
    return NotImplementedError(f"\"{op.name}_cpu\" not implemented for '{name}': convert the input with .to()")


def broadcast_error(op, shapes):
    """PyTorch's message, with the op and the whole shapes added."""
    text = f"{op.name}: shapes {' and '.join(shape_text(s) for s in shapes)} do not broadcast"
    a, b = shapes[0], shapes[-1]
    for back in range(1, min(len(a), len(b)) + 1):
        if a[-back] != b[-back] and 1 not in (a[-back], b[-back]):
            where = max(len(a), len(b)) - back
            text = (
                f"The size of tensor a ({a[-back]}) must match the size of tensor b ({b[-back]}) at non-singleton "
                f"dimension {where}. ({text})"
            )
            break
    return RuntimeError(text)


def with_number(op, a, b, attrs=()):
    """A binary op of a tensor and a Python number, which takes the tensor's dtype: `x * 2`, `1 - x`, `index + 1`."""
    first = isinstance(a, Tensor)
    tensor, number = (a, b) if first else (b, a)
    if not isinstance(tensor, Tensor) or (number.__class__ is not float and number.__class__ is not int):
        return general(op, (a, b), attrs)
    x = tensor.array
    dtype = x.dtype
    whole = dtype is I64 and number.__class__ is int and "i" in op.kinds and not op.floats and op.check is None
    if not (whole or dtype is F32 or dtype is F64) or (not first and op.number == "last"):
        if op.name == "div" and dtype == F16 and not first:  # PyTorch has no op for 1 / x: this is what it computes
            return TENSORS["mul"](TENSORS["reciprocal"](tensor), number)
        return general(op, (a, b), attrs)
    constant_ = constant(number, dtype)
    pair = (tensor, constant_) if first else (constant_, tensor)
    y = quiet.run(op.kernels.get(dtype, op.twin), pair[0].array, pair[1].array, *attrs)
    out = wrap(y if y.__class__ is np.ndarray else np.asarray(y))
    if op.rules:
        node = node_of(tensor)
        if node is not None and is_grad_enabled():
            nodes = (node, None) if first else (None, node)
            given = attrs or {int(first): number}
            out.node = record(op, nodes, op.keep(nodes, pair, out.array), out._shape, given)
    return out


def of_whole_numbers(op, args):
    """The common case of tensors without gradients, all int64 or all bool, where NumPy computes what PyTorch does; None
    in all other cases."""
    kind = args[0].array.dtype if isinstance(args[0], Tensor) else None
    if (
        not (kind is I64 or (kind is BOOL and not op.counts_bools))
        or op.floats
        or op.check
        or kind.kind not in op.kinds
    ):
        return None
    if op.no_bools or not all([isinstance(arg, Tensor) and arg.array.dtype is kind for arg in args]):
        return None
    arrays = [arg.array for arg in args]
    if not all([array.__class__ is np.ndarray for array in arrays]):
        return None
    try:
        y = quiet.run(op.twin, *arrays)
    except (TypeError, ValueError):
        return None
    return wrap(y if y.__class__ is np.ndarray else np.asarray(y)) if y.dtype in (I64, BOOL) else None


def general(op, args, attrs=()):
    """Any mix of tensors and numbers. Returns a tensor even where all inputs are numbers."""
    if not attrs:
        found = of_whole_numbers(op, args)
        if found is not None:
            return found
    tensors, attrs = operands(op, args), python_numbers(attrs)
    for t in tensors:
        if not isinstance(t.array, np.ndarray):
            return t.array.apply(op, tensors, attrs)
    out = wrap(run_kernel(op, [t.array for t in tensors], attrs))
    if op.rules and is_grad_enabled():
        nodes = tuple([node_of(t) for t in tensors])
        if any([node is not None for node in nodes]):
            shapes = tuple([t._shape for t in tensors])
            meta = shapes if any([s != out._shape for s in shapes]) else None
            given = attrs or numbers_given(args)
            out.node = record(op, nodes, op.keep(nodes, tensors, out.array), out._shape, given, meta)
    return out


def numbers_given(args):
    """{position: number} of the operands that were numbers, for the drawing; None if there were none."""
    return {i: arg for i, arg in enumerate(args) if not isinstance(arg, Tensor)} or None
