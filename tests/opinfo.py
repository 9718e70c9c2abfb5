"""PyTorch's own samples for its operators (its OpInfo database), run in PyTorch and here, and compared.

    python tests/opinfo.py                      every operator of NAMES: one line each
    python tests/opinfo.py addcmul linalg.inv   some of them, with every disagreement

For each sample the two libraries must agree on:

    value     result, shape, dtype and requires_grad, for float64, float32, int64 and bool inputs; where PyTorch
              raises, the same kind of error
    forms     the same through the method, the in-place method, the operator and every alias
    grad      the gradients for random output gradients (float64), `None` included
    grad2     the gradients of those
    error     the calls that PyTorch's tests expect to fail: an error of the same type

A sample is left out only where it asks for what is out of scope (complex numbers, memory formats, sparse layouts), and
the count of those is shown. Tolerances are those of `torch.testing.assert_close`, or the wider ones that PyTorch's own
test of the operator has.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import operator
import sys
import types
import warnings
from collections import defaultdict

import numpy as np
import torch
from opinfo_names import NAMES
from torch.testing._internal.common_device_type import toleranceOverride
from torch.testing._internal.common_methods_invocations import op_db

import minigrad
import minigrad.autograd
import minigrad.nn.functional

DTYPES = (torch.float64, torch.float32, torch.int64, torch.bool)
COLUMNS = ("value", "forms", "grad", "grad2", "error")
TOLERANCE = {torch.float64: (1e-7, 1e-7), torch.float32: (1.3e-6, 1e-5)}
INFOS = {f"{info.name}/{info.variant_test_name}".removesuffix("/"): info for info in op_db}
SKIPPED = object()


class OutOfScope(Exception):
    """The sample asks for what minigrad does not have by decision."""


# ---- from PyTorch's objects to ours


def ours(value, made=None):
    """The same value for minigrad; tensors that require grad are noted in `made`."""
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.layout is not torch.strided or value.dtype in (torch.float16, torch.bfloat16):
            raise OutOfScope(str(value.dtype))
        if value.ndim > 64:
            raise OutOfScope("NumPy has at most 64 dimensions")
        tensor = minigrad.from_numpy(np.copy(value.detach().numpy(), order="K"))
        if value.requires_grad:
            tensor.requires_grad_()
            if made is not None:
                made.append(tensor)
        return tensor
    if isinstance(value, torch.dtype):
        if not hasattr(minigrad, str(value)[6:]) or value.is_complex:
            raise OutOfScope(str(value))
        return getattr(minigrad, str(value)[6:])
    if isinstance(value, torch.device):
        return minigrad.device(str(value))
    if isinstance(value, torch.layout):
        if value is not torch.strided:
            raise OutOfScope(str(value))
        return minigrad.strided
    if isinstance(value, torch.memory_format):
        raise OutOfScope(str(value))
    if isinstance(value, complex):
        raise OutOfScope("complex")
    if isinstance(value, torch.Size):
        return minigrad.Size(value)
    if isinstance(value, tuple | list):
        return type(value)(ours(each, made) for each in value)
    if isinstance(value, dict):
        return {ours(k, made): ours(each, made) for k, each in value.items()}
    if isinstance(value, slice):
        return slice(ours(value.start, made), ours(value.stop, made), ours(value.step, made))
    if isinstance(value, types.FunctionType | types.BuiltinFunctionType | functools.partial):
        return swapped(value)
    return value


def copied(value):
    """The sample's own tensors again, so that nothing is shared between runs."""
    if isinstance(value, torch.Tensor):
        return value.detach().clone(memory_format=torch.preserve_format).requires_grad_(value.requires_grad)
    if isinstance(value, tuple | list):
        return type(value)(copied(each) for each in value) if not isinstance(value, torch.Size) else value
    return {k: copied(each) for k, each in value.items()} if isinstance(value, dict) else value


def wrapper_set_seed(function, *args, **kwargs):
    minigrad.manual_seed(42)
    return function(*args, **kwargs)


def swapped(function):
    """PyTorch's function as ours: by its name, or, where it is a few lines of Python in the database, those lines with
    `torch` meaning minigrad."""
    if isinstance(function, functools.partial):
        return functools.partial(swapped(function.func), *function.args, **function.keywords)
    if getattr(function, "__module__", "").startswith("torch.testing"):
        names = {**function.__globals__, "torch": minigrad, "wrapper_set_seed": wrapper_set_seed}
        cells = tuple(types.CellType(ours_or_same(cell.cell_contents)) for cell in function.__closure__ or ())
        copy = types.FunctionType(function.__code__, names, function.__name__, function.__defaults__, cells)
        copy.__kwdefaults__ = function.__kwdefaults__
        return copy
    if getattr(function, "__module__", None) in ("_operator", "builtins"):
        return function
    for home, mine in HOMES:
        name = function.__name__
        if getattr(home, name, None) is function or getattr(home, name.lstrip("_"), None) is function:
            return getattr(mine(), name.lstrip("_") if not name.startswith("__") else name)
    for home, mine in HOMES:
        for name, value in vars(home).items():
            if value is function:
                return getattr(mine(), name)
    raise AttributeError(f"minigrad has nothing for {function!r}")


def ours_or_same(value):
    return swapped(value) if callable(value) and not isinstance(value, type) else value


HOMES = (
    (torch, lambda: minigrad),
    (torch.nn.functional, lambda: minigrad.nn.functional),
    (torch.linalg, lambda: minigrad.linalg),
    (torch.special, lambda: minigrad.special),
    (torch.Tensor, lambda: minigrad.Tensor),
)


def our_function(info):
    """minigrad's counterpart of the operator under test."""
    name = info.name
    if isinstance(info.op, types.FunctionType) and info.op.__module__.startswith("torch.testing"):
        return swapped(info.op)
    if name.startswith("__") or not hasattr(torch, name.split(".")[0]):
        return getattr(minigrad.Tensor, name)
    return operator.attrgetter(name)(minigrad)


def our_form(info, form, alias=None):
    """minigrad's counterpart of another way to call the operator."""
    if form == "method":
        return swapped_method(info.method_variant)
    if form == "inplace":
        return swapped_method(info.inplace_variant)
    if form == "alias":
        return operator.attrgetter(alias)(minigrad)
    return getattr(info, form)  # operator.add and the like serve both


def swapped_method(function):
    if isinstance(function, types.FunctionType | functools.partial):
        return swapped(function)
    return getattr(minigrad.Tensor, function.__name__)


# ---- one call


def call(function, sample, convert):
    """(outcome, leaves, result): what the call gives, as plain values, or the kind of error."""
    made = []
    arguments = convert((sample.input, *sample.args), made), convert(sample.kwargs, made)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            result = function(*arguments[0], **arguments[1])
        except Exception as error:
            return ("raises", error), made, None
    return ("gives", result), made, result


def theirs_converted(value, made):
    value = copied(value)
    collect(value, made)
    return value


def collect(value, made):
    if isinstance(value, torch.Tensor) and value.requires_grad:
        made.append(value)
    elif isinstance(value, dict):
        for each in value.values():
            collect(each, made)
    elif isinstance(value, tuple | list):
        for each in value:
            collect(each, made)


def tensors_in(result):
    """The tensors of a result, flat."""
    if isinstance(result, tuple | list):
        return [t for each in result for t in tensors_in(each)]
    return [result] if isinstance(result, torch.Tensor | minigrad.Tensor) else []


def same(a, b, tolerance):
    """None, or how two results differ."""
    if isinstance(b, torch.Tensor):
        if not isinstance(a, minigrad.Tensor):
            return f"a {type(a).__name__} for a tensor"
        if tuple(a.shape) != tuple(b.shape):
            return f"shape {tuple(a.shape)}, PyTorch {tuple(b.shape)}"
        if repr(a.dtype) != repr(b.dtype):
            return f"dtype {a.dtype!r}, PyTorch {b.dtype!r}"
        if a.requires_grad != b.requires_grad:
            return f"requires_grad {a.requires_grad}, PyTorch {b.requires_grad}"
        return same_array(a.detach().numpy(), b.detach().numpy(force=True), tolerance.get(b.dtype, (0, 0)))
    if isinstance(b, tuple | list):
        if not isinstance(a, tuple | list) or len(a) != len(b):
            return f"{type(a).__name__} for {type(b).__name__} of {len(b)}"
        if getattr(type(a), "_fields", None) and list(a._fields) != [f for f in dir(b) if f in a._fields]:
            fields = [f for f in a._fields if not hasattr(b, f)]
            if fields:
                return f"fields {fields} that PyTorch's result has not"
        if hasattr(b, "n_fields") and not hasattr(a, "_fields"):
            return "a plain tuple for a named one"
        return next((d for x, y in zip(a, b, strict=True) if (d := same(x, y, tolerance))), None)
    if isinstance(b, torch.dtype | torch.Size | torch.device):
        return None if repr(a) == repr(b) else f"{a!r}, PyTorch {b!r}"
    if type(a) is not type(b):
        return f"{type(a).__name__} {a!r}, PyTorch {type(b).__name__} {b!r}"
    if isinstance(b, float):
        return same_array(np.array(a), np.array(b), (1.3e-6, 1e-5))
    return None if a == b else f"{a!r}, PyTorch {b!r}"


def same_array(a, b, tolerance):
    rtol, atol = tolerance
    with np.errstate(all="ignore"):
        if a.dtype.kind == "f":
            good = np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=True)
        else:
            good = a == b
        if np.all(good):
            return None
        worst = np.nanmax(np.abs(a.astype(float) - b.astype(float))) if a.size else 0
    place = np.unravel_index(np.argmin(good), good.shape) if good.ndim else ()
    return f"{np.sum(~np.asarray(good))} of {a.size} values, by up to {worst:.2g}; at {tuple(map(int, place))}: {a[place]!r}, PyTorch {b[place]!r}"


def differ(mine, other, tolerance):
    """None, or how two outcomes differ."""
    (kind, value), (their_kind, their_value) = mine, other
    if kind != their_kind:
        shown = f"{type(value).__name__}: {value}" if kind == "raises" else "a result"
        theirs = f"{type(their_value).__name__}: {their_value}" if their_kind == "raises" else "a result"
        return f"{shown[:300]} | PyTorch: {theirs[:200]}"
    if kind == "raises":
        if isinstance(value, type(their_value)) or type(value).__name__ == type(their_value).__name__:
            return None
        return f"{type(value).__name__}: {str(value)[:200]} | PyTorch: {type(their_value).__name__}: {str(their_value)[:200]}"
    return same(value, their_value, tolerance)


# ---- one operator


class Tally:
    """Agreements and attempts per column, and the disagreements in words."""

    def __init__(self):
        self.agreed, self.tried, self.left_out = defaultdict(int), defaultdict(int), 0
        self.faults = []

    def add(self, column, difference, what):
        self.tried[column] += 1
        if difference is None:
            self.agreed[column] += 1
        else:
            self.faults.append((column, what, difference))


def tolerance_of(info):
    """assert_close's tolerances, widened to what PyTorch's own tests of the operator allow."""
    found = dict(TOLERANCE)
    for decorator in info.decorators:
        for part in getattr(decorator, "decorators", [decorator]):
            if isinstance(part, toleranceOverride):
                for dtype, given in part.d.items():
                    if dtype in found:
                        rtol, atol = found[dtype]
                        found[dtype] = builtins.max(rtol, given.rtol or 0), builtins.max(atol, given.atol or 0)
    return found


def describe(sample, dtype):
    def text(value):
        if isinstance(value, torch.Tensor):
            kind = str(value.dtype)[6:]
            small = f"={value.detach().tolist()}" if value.numel() <= 2 else ""
            layout = "" if value.is_contiguous() else f" strides {value.stride()}"
            return f"{kind}{list(value.shape)}{layout}{small}"
        if isinstance(value, tuple | list):
            return "(" + ", ".join(text(v) for v in value) + ")"
        if isinstance(value, dict):
            return "{" + ", ".join(f"{k}={text(v)}" for k, v in value.items()) + "}"
        return repr(value)

    return f"{str(dtype)[6:] if dtype else 'error'}: {text((sample.input, *sample.args))[:300]} {text(sample.kwargs) if sample.kwargs else ''}"


def check(name):
    """The tally of one operator."""
    info, tally = INFOS[name], Tally()
    try:
        function = our_function(info)
    except AttributeError as error:
        function = missing(error)
    tolerance = tolerance_of(info)
    for dtype in DTYPES:
        for sample in samples_of(info, dtype):
            check_sample(info, function, sample, dtype, tolerance, tally)
    if info.error_inputs_func is not None:
        for case in info.error_inputs("cpu"):
            with scope(tally):
                outcome, _, _ = call(function, case.sample_input, ours)
                kind, value = outcome
                good = kind == "raises" and isinstance(value, case.error_type)
                shown = f"{type(value).__name__}: {value}"[:300] if kind == "raises" else "a result"
                expected = f"{shown} | PyTorch: {case.error_type.__name__}: {case.error_regex}"
                tally.add("error", None if good else expected, describe(case.sample_input, None))
    return tally


def missing(error):
    def function(*args, **kwargs):
        raise LookupError(str(error))

    return function


@contextlib.contextmanager
def scope(tally):
    try:
        yield
    except OutOfScope:
        tally.left_out += 1


def samples_of(info, dtype):
    """The database's samples; none where it cannot make any of this dtype. The same ones in each run."""
    torch.manual_seed(0)
    np.random.seed(0)
    grad = dtype.is_floating_point and info.supports_autograd
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return list(info.sample_inputs("cpu", dtype, requires_grad=grad))
        except Exception:
            return []


def check_sample(info, function, sample, dtype, tolerance, tally):
    what = describe(sample, dtype)
    their_function = info.op
    try:
        mine, made, result = call(function, sample, ours)
    except OutOfScope:
        tally.left_out += 1
        return
    other, their_made, their_result = call(their_function, sample, theirs_converted)
    difference = differ(mine, other, tolerance)
    tally.add("value", difference, what)
    for form, alias, theirs in forms(info):
        check_form(info, form, alias, theirs, sample, tolerance, tally, what)
    if difference is None and other[0] == "gives" and dtype is torch.float64 and info.supports_autograd:
        check_gradients(info, sample, made, their_made, result, their_result, tolerance[dtype], tally, what)


def forms(info):
    """(form, alias, PyTorch's function) of the other ways to call the operator."""
    if info.method_variant is not None:
        yield "method", None, info.method_variant
    if info.inplace_variant is not None:
        yield "inplace", None, info.inplace_variant
    if info.operator_variant is not None:
        yield "operator_variant", None, info.operator_variant
    if info.inplace_operator_variant is not None:
        yield "inplace_operator_variant", None, info.inplace_operator_variant
    for alias in info.aliases:
        with contextlib.suppress(AttributeError):
            yield "alias", alias.name, operator.attrgetter(alias.name)(torch)


def check_form(info, form, alias, their_function, sample, tolerance, tally, what):
    """Another way to call it, without gradients (in-place forms write to leaves)."""
    if "operator" in form and (len(sample.args) != 1 or sample.kwargs):
        return
    writes = "inplace" in form

    def plain(value, made):
        return detached(theirs_converted(value, []))

    def mine(value, made):
        return ours(detached(copied(value)))

    name = f"{alias or form}, {what}"
    if writes and not sample.input.is_contiguous() and has_overlap(sample.input):
        return
    other, _, _ = call(their_function, sample, plain)
    try:
        function = our_form(info, form, alias)
    except AttributeError as error:
        function = missing(error)
    outcome, _, _ = call(function, sample, mine)
    tally.add("forms", differ(outcome, other, tolerance), name)


def has_overlap(tensor):
    return any(stride == 0 and size > 1 for stride, size in zip(tensor.stride(), tensor.shape))


def detached(value):
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, tuple | list) and not isinstance(value, torch.Size):
        return type(value)(detached(each) for each in value)
    return {k: detached(each) for k, each in value.items()} if isinstance(value, dict) else value


def seeds_for(outputs, draw):
    return [draw.uniform(-1, 1, tuple(o.shape)) for o in outputs]


def check_gradients(info, sample, made, their_made, result, their_result, tolerance, tally, what):
    if sample.output_process_fn_grad is not None:
        their_result = sample.output_process_fn_grad(their_result)
        result = swapped(sample.output_process_fn_grad)(result)
    outputs = [t for t in tensors_in(result) if t.requires_grad]
    their_outputs = [t for t in tensors_in(their_result) if t.requires_grad]
    if not their_outputs or not their_made:
        return
    seeds = seeds_for(their_outputs, np.random.default_rng(0))
    second = info.supports_gradgrad
    first, mine, starts = gradients(minigrad, outputs, made, seeds, second)
    their_first, theirs, their_starts = gradients(torch, their_outputs, their_made, seeds, second)
    tally.add("grad", differ(first, their_first, {torch.float64: tolerance}), what)
    if not second or first[0] == "raises" or their_first[0] == "raises":
        return
    kept = [(a, b) for a, b in zip(mine, theirs) if b is not None and b.requires_grad]
    if not kept:
        return
    mine, theirs = zip(*kept)
    more = seeds_for(theirs, np.random.default_rng(1))
    first, *_ = gradients(minigrad, mine, [*made, *starts], more, False)
    their_first, *_ = gradients(torch, theirs, [*their_made, *their_starts], more, False)
    tally.add("grad2", differ(first, their_first, {torch.float64: tolerance}), what)


def gradients(lib, outputs, inputs, seeds, create_graph):
    """The outcome of autograd.grad as numbers (no gradient counts as zeros), the gradients, and what they start from:
    second derivatives are taken by the inputs and by the output gradients."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            starts = [lib.tensor(s, dtype=o.dtype, requires_grad=create_graph) for s, o in zip(seeds, outputs)]
            found = lib.autograd.grad(outputs, inputs, starts, create_graph=create_graph, allow_unused=True)
    except Exception as error:
        return ("raises", error), [], []
    plain = [(lib.zeros_like(t) if g is None else g).detach() for g, t in zip(found, inputs)]
    return ("gives", plain), found, starts


def line(name, tally):
    cells = [f"{column} {tally.agreed[column]}/{tally.tried[column]}" for column in COLUMNS if tally.tried[column]]
    note = f", {tally.left_out} left out" if tally.left_out else ""
    return f"{'ok ' if not tally.faults else 'BAD'} {name}: {', '.join(cells)}{note}"


def main(names):
    bad = 0
    for name in names or NAMES:
        for full in [name] if name in INFOS else [known for known in NAMES if known.split("/")[0] == name]:
            tally = check(full)
            bad += bool(tally.faults)
            print(line(full, tally), flush=True)
            if names:
                for column, what, difference in tally.faults:
                    print(f"    {column:6} {what}\n           {difference}")
    return bad


if __name__ == "__main__":
    sys.exit(1 if main(sys.argv[1:]) else 0)
