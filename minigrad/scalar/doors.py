"""How operations of Values come to be: two small functions for each op block, written at its first use.

After `engine.py`.  A block's `scalar` and its rules `grad_<input>` are formulas of numbers. What is generated is the
formula, with Values taken apart before it and put together behind it. For `mul` (read it: ``print(source("mul"))``):

    def mul(input, other):                         def run(node):
        ...                                            g = node.grad; input_, other_ = node.inputs
        y = input * other                              input = input_.data; other = other_.data
        made.data = y                                  d_input, d_other = g * other, g * input
        made.op, made.inputs = op, (input_, other_)    input_.grad += d_input
        return made                                    other_.grad += d_other

Where the gradient is itself to be differentiated the same rules run on Values (`recorded`), bound to the functions of
this file: so derivatives of derivatives are derivatives.
"""

from __future__ import annotations

import ast
import functools
import inspect
import math
import textwrap
import types

import numpy as np

from minigrad.autograd.general import quiet
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.sources import make
from minigrad.errors import describe
from minigrad.registry import ARRAYS, COMPOSITES, HELPERS, NUMBERS, OPS, Binding, arrays, numbers
from minigrad.scalar.engine import Leaf, Number, Value

__all__ = ["FUNCTIONS", "OPS_OF_VALUES", "POWER", "source"]

OPS_OF_VALUES: dict[str, ScalarOp] = {}
FUNCTIONS = dict(NUMBERS)  # what the names of a rule mean where it runs on Values; ops are put in below
values = Binding(FUNCTIONS)

SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "relu": "ReLU"}  # what micrograd calls them
INTEGERS_ONLY = {
    "bitwise_and", "bitwise_left_shift", "bitwise_not", "bitwise_or", "bitwise_right_shift", "bitwise_xor",
    "gcd", "lcm",
}  # fmt: skip
REFLECTED = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

# What Python's arithmetic raises where IEEE 754 has an answer (1/0, exp(1000), log(0)): NumPy gives it.
NO_NUMBER = (ArithmeticError, ValueError)


# What makes a result, here and in the names of every generated function: another function while a tape records.
maker = {"new": object.__new__}
spaces = [maker]
recorders: list = []  # those who want to be told of comparisons: called with (op's name, operands, outcome)


def told(name, *operands_and_outcome):
    """The outcome of a comparison, of which all recorders have been told."""
    *operands, outcome = operands_and_outcome
    for recorder in recorders:
        recorder(name, operands, bool(outcome))
    return bool(outcome)


class ScalarOp:
    """An op block as Values use it.

    sign   what `Value._op` says
    slots  the names of a node's `inputs`, and `attrs` those of its `attrs`: a power whose exponent is a number has only
           the base as input, and the exponent is an attribute
    """

    crosses = False

    def __init__(self, block, slots=None):
        self.block, self.name, self.label = block, block.name, block.label
        self.sign = SIGNS.get(block.name, block.name)
        self.slots = slots or block.inputs
        self.attrs = block.attrs if self.slots == block.inputs else block.inputs[1:]
        self.rules = {slot: rule for slot, rule in block.rules.items() if slot in self.slots}

    def __repr__(self):
        return f"<{self.name} of Values>"

    def run(self, node):
        """Add to the inputs' gradients what the node hands on. Writes itself at the first call."""
        names = dict(numbers(self.block.__dict__["scalar"]).__globals__)
        names |= {f"rule_{slot}": numbers(rule) for slot, rule in self.rules.items()}
        names |= {"NO_NUMBER": NO_NUMBER, "op": self, "quiet": quiet}
        self.run = make(run_source(self), names, self.name)
        self.run(node)

    def parts(self, node, g):
        """What the node hands to each input for the gradient `g` (None: nothing), as numbers."""
        try:
            return self._by_rules(numbers, node, g, lambda value: value.data)
        except NO_NUMBER:
            found = quiet.run(self._by_rules, arrays, node, np.float64(g), lambda value: np.float64(value.data))
            return [None if part is None else np.asarray(part).item() for part in found]

    def recorded(self, node, g):
        """The same as Values with a history; what has no rule counts as a constant."""
        flat = [slot for slot in self.slots if slot not in self.rules]
        constants = {id(v): v.detach() for slot, v in zip(self.slots, node.inputs, strict=True) if slot in flat}
        return self._by_rules(values, node, g, lambda value: constants.get(id(value), value))

    def _by_rules(self, binding, node, g, of):
        number = np.float64 if binding is arrays and self.slots != self.block.inputs else lambda given: given
        known = dict(zip(self.attrs, map(number, node.attrs), strict=True))
        known |= {slot: of(operand) for slot, operand in zip(self.slots, node.inputs, strict=True)}
        known["output"] = of(node)
        needs = self.block.needs
        return [
            binding(self.rules[slot])(g, *[known[name] for name in needs[slot]]) if slot in self.rules else None
            for slot in self.slots
        ]


def unusual(op, operands, attrs):
    """The result where Python's arithmetic raises: NumPy's, in float64."""
    return np.asarray(quiet.run(ARRAYS[op.name], *[np.float64(x) for x in operands], *attrs)).item()


def operand(given):
    """What stands beside a Value in an expression, as a Value; None if it is no number."""
    if isinstance(given, Value):
        return given
    try:
        value = Value(given)
    except TypeError:
        return None
    value.op = Number
    return value


def argument(op, position, given):
    """The same for an argument of a function; TypeError if it is no number."""
    value = operand(given)
    if value is None:
        name = op.block.inputs[position]
        raise TypeError(f"{op.name}(): argument '{name}' must be a Value or a real number, not {describe(given)}")
    return value


def formula_of(block):
    """The function that says what one number becomes."""
    return block.one or block.__dict__["scalar"]


def uses_numpy(function):
    """Whether a formula, or one that it calls, leaves the work to NumPy's or our kernels, which warn where Python
    raises."""
    waiting, seen = [numbers(function)], set()
    while waiting:
        found = waiting.pop()
        seen.add(found.__code__)
        named = [found.__globals__.get(name) for name in found.__code__.co_names]
        if any(isinstance(value, types.ModuleType) and value is not math for value in named):
            return True
        waiting += [f for f in named if isinstance(f, types.FunctionType) and f.__code__ not in seen]
    return False


def written_out(function, name, arguments):
    """Source of a formula's value: the formula itself if it is one expression, else a call of `name`."""
    body = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body
    if len(body) == 1 and isinstance(body[0], ast.Return):
        return ast.unparse(body[0].value)
    return f"{name}({', '.join(arguments)})"


def forward_source(op, operator):
    """The source of an op's function, or of its Python operator, which leaves to the other side what is no number."""
    block = op.block
    inputs, attrs = block.inputs, block.attrs
    optional = [f"{name}=default_{name}" if name in block.attr_defaults else name for name in attrs]
    lines = [f"def {block.name}({', '.join([*inputs, *optional])}):"]
    if block.name == "pow":
        lines += [
            "    if exponent.__class__ is float or exponent.__class__ is int:",
            "        return power(input, exponent)",
        ]
    for i, name in enumerate(inputs):
        lines.append(f"    if {name}.__class__ is not Value:")
        if operator:
            lines += [
                f"        {name} = operand({name})",
                f"        if {name} is None:",
                "            return NotImplemented",
            ]
        else:
            lines.append(f"        {name} = argument(op, {i}, {name})")
    lines.append("    " + "; ".join(f"{name}_ = {name}; {name} = {name}_.data" for name in inputs))
    given = f"({', '.join(inputs)},), ({''.join(name + ', ' for name in attrs)})"
    result = written_out(formula_of(block), "formula", [*inputs, *attrs])
    if uses_numpy(formula_of(block)):
        result = f"quiet.run(formula, {', '.join([*inputs, *attrs])})"
    lines += ["    try:", f"        y = {result}", "    except NO_NUMBER:", f"        y = unusual(op, {given})"]
    if block.boolean:
        told = f"told({block.name!r}, {', '.join(name + '_' for name in inputs)}, y)"
        return "\n".join([*lines, f"    return {told} if recorders else bool(y)"]) + "\n"
    lines += [
        "    made = new(Value); made.data = y; made.grad = 0; made.label = ''; made.attrs = ()",
        "    if is_grad_enabled():",
        f"        made.op = op; made.inputs = ({', '.join(name + '_' for name in inputs)},)",
        *([f"        made.attrs = ({''.join(name + ', ' for name in attrs)})"] if attrs else []),
        "    else:",
        "        made.op = Leaf; made.inputs = ()",
        "    return made",
    ]
    return "\n".join(lines) + "\n"


def run_source(op):
    """The source of `run`."""
    block, rules = op.block, op.rules
    if not rules:
        return "def run(node):\n    pass\n"
    needed = {name for slot in rules for name in block.needs[slot]}
    lines = ["def run(node):", f"    g = node.grad; {', '.join(slot + '_' for slot in op.slots)}, = node.inputs"]
    lines += [f"    {slot} = {slot}_.data" for slot in op.slots if slot in needed]
    if needed & {*op.attrs}:
        lines.append(f"    {', '.join(op.attrs)}, = node.attrs")
    if "output" in needed:
        lines.append("    output = node.data")
    results = ", ".join("d_" + slot for slot in rules)
    if any(uses_numpy(rule) for rule in rules.values()):
        lines.append(f"    {results}, = [part for part in quiet.run(op.parts, node, g) if part is not None]")
    else:
        formulas = [written_out(rule, f"rule_{slot}", ["g", *block.needs[slot]]) for slot, rule in rules.items()]
        lines += ["    try:", f"        {results}, = {', '.join(formulas)},", "    except NO_NUMBER:"]
        lines.append(f"        {results}, = [part for part in op.parts(node, g) if part is not None]")
    lines += [f"    {slot}_.grad += d_{slot}" for slot in rules]
    return "\n".join(lines) + "\n"


# A power whose exponent is a number, as micrograd has it: the exponent is no Value, and gets no gradient.
POWER = ScalarOp(OPS["pow"], slots=("input",))


def power(input, exponent):
    """``input ** exponent`` for a number `exponent`."""
    if not isinstance(input, Value):
        input = argument(POWER, 0, input)
    try:
        y = input.data**exponent
    except NO_NUMBER:
        y = unusual(POWER, (input.data, exponent), ())
    made = maker["new"](Value)
    made.data = math.nan if y.__class__ is complex else y
    made.grad, made.label, made.attrs, made.op, made.inputs = 0, "", (), Leaf, ()
    if is_grad_enabled():
        made.op, made.inputs, made.attrs = POWER, (input,), (exponent,)
    return made


@functools.cache
def written(block, operator):
    """The function of a block on Values, or its operator."""
    op, formula = OPS_OF_VALUES[block.name], numbers(formula_of(block))
    names = formula.__globals__ | {f"default_{name}": value for name, value in block.attr_defaults.items()}
    names |= {
        "Leaf": Leaf, "NO_NUMBER": NO_NUMBER, "Value": Value, "argument": argument, "formula": formula,
        "is_grad_enabled": is_grad_enabled, "new": maker["new"], "op": op, "operand": operand, "power": power,
        "quiet": quiet, "recorders": recorders, "told": told, "unusual": unusual,
    }  # fmt: skip
    spaces.append(names)
    function = make(forward_source(op, operator), names, block.name)
    function.__defaults__, function.__doc__ = tuple(block.attr_defaults.values()), block.__doc__
    return function


def source(name) -> str:
    """The generated source of an op's functions: forward, and backward."""
    op = OPS_OF_VALUES[name]
    return forward_source(op, operator=False) + "\n" + run_source(op)


def publish(block, known, operator=False):
    """Hang a function of `block` on Value, to be written when it is first called."""

    def first(*args, **kwargs):
        function = written(block, operator)
        if Value.__dict__[known] is first:  # not if a program has put its own there
            setattr(Value, known, function)
        return function(*args, **kwargs)

    first.__name__, first.__doc__ = known, block.__doc__
    setattr(Value, known, first)


def link():
    """Give Value every pointwise op. The names of rules that run on Values mean its methods."""
    for name, block in OPS.items():
        if not block.pointwise or name in INTEGERS_ONLY:
            continue
        OPS_OF_VALUES[name] = ScalarOp(block)
        publish(block, name)
        for alias in block.alias:
            if "." not in alias:
                publish(block, alias)
        dunders = [f"__{name}__"] if name in COMPARISONS else block.dunder
        for dunder in dunders:
            if dunder.strip("_").removeprefix("r") not in REFLECTED or not dunder.startswith("__r"):
                publish(block, dunder, operator=True)
        FUNCTIONS[name] = functools.partial(_call, name)
    for name in REFLECTED:
        setattr(Value, f"__r{name}__", _reflected(f"__{name}__"))
    for name, function in (*HELPERS.items(), *COMPOSITES.items()):
        FUNCTIONS[name] = values(function)
    values.refresh()


def _call(name, *args):
    return getattr(Value, name)(*args)


def _reflected(dunder):
    def reflected(self, other):
        other = operand(other)
        return NotImplemented if other is None else getattr(other, dunder)(self)

    return reflected


link()
