"""Putting the blocks to work: from each block its door, its two backward programs, its methods and its names.

Comes after `door.py` (source of the forward) and `rules.py` (source of the backward).  `link()` runs once when minigrad
is imported, and again whenever a block is added (a user's own op, see CONTRIBUTING).  It compiles no kernel.
"""

from __future__ import annotations

import functools
import sys

from minigrad.autograd import door, fuse, inplace, rules
from minigrad.autograd.general import OPERAND
from minigrad.autograd.node import show_saved
from minigrad.autograd.sources import keep, make
from minigrad.kernels import threads
from minigrad.kernels.dispatch import on_change
from minigrad.registry import (
    COMPOSITES,
    FUNCTION,
    FUNCTIONAL,
    HELPERS,
    INPLACE,
    LINALG,
    METHOD,
    OPS,
    SPECIAL,
    TENSORS,
    arrays,
    forward_on_arrays,
    link_arrays,
    named_tuple,
    numbers,
    tensors,
)
from minigrad.tensor import Tensor

FUNCTIONS: dict[str, object] = {}  # minigrad.X
FUNCTIONALS: dict[str, object] = {}  # minigrad.nn.functional.X
LINALGS: dict[str, object] = {}  # minigrad.linalg.X
SPECIALS: dict[str, object] = {}  # minigrad.special.X
PLACES = {FUNCTION: FUNCTIONS, FUNCTIONAL: FUNCTIONALS, LINALG: LINALGS, SPECIAL: SPECIALS}
_linked: set[str] = set()

REFLECTED = {
    "__rsub__": "sub", "__rtruediv__": "div", "__rpow__": "pow", "__rmatmul__": "matmul", "__rmod__": "remainder",
    "__rfloordiv__": "floor_divide", "__rlshift__": "bitwise_left_shift", "__rrshift__": "bitwise_right_shift",
}  # fmt: skip
IN_PLACE_OPERATORS = {
    "__iadd__": "add_", "__isub__": "sub_", "__imul__": "mul_", "__itruediv__": "div_", "__ipow__": "pow_",
    "__ifloordiv__": "floor_divide_", "__imod__": "remainder_", "__iand__": "bitwise_and_", "__ior__": "bitwise_or_",
    "__ixor__": "bitwise_xor_", "__ilshift__": "bitwise_left_shift_", "__irshift__": "bitwise_right_shift_",
}  # fmt: skip


def link() -> None:
    """Make all that is derived from the blocks read so far."""
    fresh = [op for name, op in OPS.items() if name not in _linked]
    link_arrays()
    for op in fresh:
        build(op)
    for name, function in (*HELPERS.items(), *COMPOSITES.items()):
        if name not in TENSORS:
            TENSORS[name] = tensors(function)
            if name in COMPOSITES:
                publish(function, name, door_of_composite(function, name, TENSORS[name]))
    for binding in (tensors, arrays, numbers):
        binding.refresh()
    for op in fresh:
        choose(op)
        _linked.add(op.name)
    for operator, name in REFLECTED.items():
        if name in TENSORS and operator not in Tensor.__dict__:
            setattr(Tensor, operator, reflected(TENSORS[name]))
    for operator, name in IN_PLACE_OPERATORS.items():
        if name in Tensor.__dict__ and operator not in Tensor.__dict__:
            setattr(Tensor, operator, Tensor.__dict__[name])
    if len(fresh) == len(OPS):  # minigrad's own; what a user adds is compiled in each process
        keep()


def offering(module, names):
    """``__getattr__`` and ``__dir__`` of the module of that name, which offers `names`, later ones too."""

    def __getattr__(name):
        try:
            return names[name]
        except KeyError:
            raise AttributeError(f"module {module!r} has no attribute {name!r}") from None

    def __dir__():
        return sorted([*vars(sys.modules[module]), *names])

    return __getattr__, __dir__


def reflected(function):
    """The operator of ``2 - x``: Python calls it as ``x.__rsub__(2)``."""

    def operator(self, other):
        return function(other, self) if isinstance(other, OPERAND) else NotImplemented

    return operator


def operator_of(op, function):
    """The Python operator of a block: its function, but where the right side is no operand, that side is asked."""
    if len(op.inputs) == 1:
        return function
    if op.pointwise:
        made = make(door.operator_source(op), op.namespace, op.name)
        if op.attrs:
            made.__defaults__, made.__kwdefaults__ = function.__defaults__, function.__kwdefaults__
        made.__doc__, made.__module__ = function.__doc__, "minigrad"
        return made

    def operator(self, other):
        return function(self, other) if isinstance(other, OPERAND) else NotImplemented

    operator.__doc__ = function.__doc__
    return operator


def build(op):
    """Make an op's door, with the signature and the docstring of its block, and its backward programs; publish it."""
    body = op.__dict__
    if not op.variadic:
        op.keep = staticmethod(door.make_keep(op))
    public = body.get("prepare") or body.get("keywords") or body.get("scalar") or body["forward"]
    op.opening = door.opening(op, public, op.name, "op")
    names = op.namespace = {
        **door.NAMES, "op": op, "many": door.many, "any_node": door.any_node, "several": door.several,
    }  # fmt: skip
    if "prepare" in body:
        names["prepare"] = tensors(body["prepare"])
    if body.get("keywords"):
        names["keywords"] = tensors(body["keywords"])
        names |= {f"default_{name}": value for name, value in public.__kwdefaults__.items()}
    if op.pointwise and op.check_attributes:
        names["check_attributes"] = body["check_attributes"]
    if op.result:
        names["result"] = named_tuple(op.result, op.pieces or (op.first, *op.returned_aux))
    writer = door.pointwise_source if op.pointwise else door.joining_source if op.variadic else door.forward_source
    source = writer(op)
    function = op.function = staticmethod(make(source, names, op.name)).__func__
    function.__defaults__, function.__kwdefaults__ = op.opening.defaults, op.opening.kwdefaults
    function.__doc__, function.__module__ = op.__doc__, "minigrad"
    rules.build(op)
    for saved in (*op.saved, *op.attrs):
        show_saved(saved)
    TENSORS[op.name] = function
    publish(op, op.name, function)


def door_of_composite(block, name, function):
    """The public function of a composite: with `out=` and NumPy's spellings, where it has them."""
    opened = door.opening(block, function, name, "function")
    call = f"function({opened.call})"
    if block.backward_name:
        call = f"named(tick(), {call}, backward_name)"
    source = "\n".join([*opened.lines, "    try:", f"        return {call}", *opened.guard]) + "\n"
    names = {**door.NAMES, "function": function, "named": named, "backward_name": block.backward_name}
    made = make(source, names, name)
    made.__defaults__, made.__kwdefaults__ = opened.defaults, opened.kwdefaults
    made.__doc__, made.__module__ = function.__doc__, "minigrad"
    made.__annotations__ = block.__annotations__  # what a default does not show, for the stubs
    return made


def named(since, result, name):
    """What a composite gives, its nodes shown under the name PyTorch has for them. (since: the time of the call; what
    is older is not the composite's.)"""
    for tensor in result if isinstance(result, tuple) else (result,):
        node = tensor.node
        if node is not None and node.seq > since and isinstance(node.op, type):
            node.op = _op_named(node.op, name)
    return result


@functools.cache
def _op_named(op, name):
    """The same op, but for its name in the graph."""
    return type(op.name, (op,), {"label_backward": name})


def publish(block, name, function):
    """Hang a function where its block says it is known."""
    for known in (name, *block.alias):
        place, dot, short = known.partition(".")
        if dot:
            PLACES[place][short] = function
            continue
        for place in (LINALG, SPECIAL):
            if place in block.public:
                PLACES[place][known.removeprefix(place + "_")] = function
        if FUNCTION in block.public:
            FUNCTIONS[known] = function
        if METHOD in block.public and known not in Tensor.__dict__:
            setattr(Tensor, known, function)
        if FUNCTIONAL in block.public:
            FUNCTIONALS[known] = with_inplace(block, function) if getattr(block, "inplace_keyword", False) else function
            if FUNCTION not in block.public:
                function.__module__ = "minigrad.nn.functional"  # where pickle looks for it
        if INPLACE in block.public:
            if getattr(block, "view", False):
                setattr(Tensor, known + "_", inplace.turning(block))
                continue
            pointwise = getattr(block, "pointwise", False)
            written = inplace.method(block) if pointwise else inplace.rewriting(name, function)
            if METHOD in block.public:
                setattr(Tensor, known + "_", written)
            if FUNCTION in block.public:
                FUNCTIONS[known + "_"] = written
            if getattr(block, "inplace_keyword", False):
                FUNCTIONALS[known + "_"] = written
    for operator in block.dunder:
        setattr(Tensor, operator, operator_of(block, function))


def with_inplace(op, function):
    """F.relu(input, inplace=False) and its kind."""
    written = inplace.method(op)
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    call = ", ".join(names)
    source = f"def {op.name}({call}, inplace=False):\n    return written({call}) if inplace else function({call})\n"
    made = make(source, {"written": written, "function": function}, op.name)
    made.__defaults__ = (*(function.__defaults__ or ()), False)
    made.__doc__, made.__module__ = op.__doc__, "minigrad.nn.functional"
    return made


def choose(op):
    """Bind the op to the kernels of the backend now in force; compiling waits for the first call."""
    if op.pointwise:
        fuse.choose_forward(op)
        fuse.choose_rules(op)
    else:
        op.namespace["kernel"] = forward_on_arrays(op)


@threads.on_change
@on_change
def choose_all():
    """Choose again, after `set_backend`, and when several threads may compute."""
    for name in _linked:
        choose(OPS[name])
