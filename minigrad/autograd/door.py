"""The only door: every op's function is made here, and every node of an op block is recorded by one of them.

Comes after `registry.py` and `node.py`; `engine.py` walks what the doors record.  A door is generated per op as Python
source, because one function that handles every case costs as much as PyTorch's own dispatch (0.92x of torch's time
against 0.45x, measured).

    minigrad.mul(x, y)      x * y      x.mul(y)                      all three are this function
          │
          ├─ a tensor and a number ─────────────────▶ with_number()  the same steps, not written out
          ├─ other dtypes, or the kernel refuses ───▶ general()      promotes first; has the error messages
          ▼
    made.array = kernel32(x.array, y.array)                          NumPy's ufunc, or a compiled loop
          │
          ├─ no input has a node, or no_grad() ─▶ return made
          ▼
    Node(op, parents=(x.node, y.node), saved=…, seq=tick())          saved: what the rules of the inputs with a node
          │                                                          name, and nothing else
          ▼
    made.node = that node; return made

Read one with `inspect.getsource(minigrad.mul)`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from minigrad.autograd.general import F32, F64, OPERAND, Unseen, general, not_a_tensor, quiet, with_number
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import PICK, Node, as_view, new_version, node_of, record, tick
from minigrad.autograd.outputs import into
from minigrad.autograd.sources import make
from minigrad.registry import FUNCTION, LINALG, SPECIAL
from minigrad.tensor import Tensor, wrap

# What sends a call to the general path: shapes that do not broadcast, dtypes the kernel has no loop for, and a kernel
# that another thread is in (`fuse.without_warnings`).
RECONSIDERED = (ValueError, TypeError, RuntimeError)


class Opening(NamedTuple):
    """How a door begins: its first lines, the call that passes its parameters on, the block's keyword-only names, the
    defaults of all parameters, and the lines that end a `try:` around what reads the parameters."""

    lines: list
    call: str
    keyword: tuple
    defaults: tuple
    kwdefaults: dict
    guard: list


SPELLINGS = {"dim": "axis", "keepdim": "keepdims"}  # NumPy's names, which PyTorch takes too


class _Required:
    """The default of a parameter that may be given under another name, and must be given."""

    def __repr__(self):
        return "<required>"


REQUIRED = _Required()


def missing(name, argument):
    """The error of a parameter that was given under neither name."""
    return TypeError(f"{name}() missing 1 required positional argument: {argument!r}")


def blamed(name, error, parameters):
    """PyTorch's error for one that arose in reading the parameters: of an argument that is no tensor, if that is why an
    attribute was missing; of shapes that do not broadcast; else the error itself."""
    if isinstance(error, ValueError):
        return RuntimeError(f"{name}(): {error}") if "broadcast" in str(error) else error
    for parameter, value in parameters.items():
        if value is error.obj and not isinstance(value, Tensor):
            return not_a_tensor(name, parameter, value)
    return error


NAMES = {
    "__name__": "minigrad.door", "F32": F32, "F64": F64, "Node": Node, "OPERAND": OPERAND, "RECONSIDERED": RECONSIDERED,
    "REQUIRED": REQUIRED, "Tensor": Tensor, "Unseen": Unseen, "as_view": as_view, "asarray": np.asarray,
    "blamed": blamed, "general": general, "into": into, "is_grad_enabled": is_grad_enabled, "missing": missing,
    "ndarray": np.ndarray, "new": object.__new__, "node_of": node_of, "not_a_tensor": not_a_tensor, "quiet": quiet,
    "record": record, "tick": tick, "with_number": with_number, "wrap": wrap,
}  # fmt: skip


def opening(block, function, name, target):
    """The opening of a door to `function` (the block's public signature); `target` names the block, for `out=`."""
    code, prologue, further = function.__code__, [], {}
    plain = list(code.co_varnames[: code.co_argcount])
    at = code.co_argcount + code.co_kwonlyargcount
    keyword = code.co_varnames[code.co_argcount : at]
    star = [f"*{code.co_varnames[at]}"] if code.co_flags & 0x04 else []
    defaults = function.__defaults__ or ()
    required = plain[: len(plain) - len(defaults)]
    if "dim" in required[1:] and required[-1] == "dim":
        defaults = (REQUIRED, *defaults)
        required.pop()
        prologue += ["    if dim is REQUIRED and axis is None:", f"        raise missing({name!r}, 'dim')"]
    for known, other in SPELLINGS.items():
        if known in (*plain, *keyword) and known not in required:
            further[other] = None
            prologue += [f"    if {other} is not None:", f"        {known} = {other}"]
    call = ", ".join([*plain, *star, *(f"{k}={k}" for k in keyword)])
    if takes_out(block):
        further["out"] = None
        prologue += ["    if out is not None:", f"        return into(out, {target}, {call})"]
    blame = f"        raise blamed({name!r}, error, {{{', '.join(f'{p!r}: {p}' for p in plain)}}}) from None"
    guard = ["    except (AttributeError, ValueError) as error:", blame]
    parameters = [*plain, *(star or (["*"] if keyword or further else [])), *keyword, *further]
    kwdefaults = {**(function.__kwdefaults__ or {}), **further}
    return Opening([f"def door({', '.join(parameters)}):", *prologue], call, keyword, defaults, kwdefaults, guard)


def takes_out(block):
    """Whether the function takes `out=`: those of `minigrad`, `linalg` and `special` that compute something."""
    if not (FUNCTION in block.public or LINALG in block.public or SPECIAL in block.public):
        return False
    return not (block.view or (block.multi and not block.pieces)) if isinstance(block, type) else block.out


def kept(op, name):
    """Source for saving `name`: an input or the output only if an input whose rule names it needs a gradient."""
    if name in op.aux:
        return name
    if name not in op.inputs and name != "output":
        stem, _, what = name.rpartition("_")
        source = f"{stem}._shape" if what == "shape" else f"{stem}.array.dtype"
        return f"(None if {stem} is None else {source})" if stem in op.optional else source
    users = [i for i in op.rules if name in op.needs[i]]
    value = "y" if name == "output" else name
    if op.vjp or len(users) == len(op.inputs):
        return value
    return f"({value} if {' or '.join(f'n_{u} is not None' for u in users)} else None)"


def kept_tuple(op):
    """Source for the tuple of all that is saved."""
    return "(" + "".join(kept(op, name) + ", " for name in op.saved) + ")"


def make_keep(op):
    """`op.keep(nodes, tensors, y, aux)`: what to save, for the paths that are not generated. Written when called."""

    def first(nodes, tensors, y, aux=()):
        op.keep = staticmethod(written_keep(op))
        return op.keep(nodes, tensors, y, aux)

    return first


def written_keep(op):
    """The function that `make_keep` stands in for."""
    lines = ["def keep(nodes, tensors, y, aux=()):", f"    {', '.join(op.inputs)}, = tensors"]
    lines.append(f"    {', '.join('n_' + i for i in op.inputs)}, = nodes")
    if op.aux:
        lines.append(f"    {', '.join(op.aux)}, = aux")
    lines.append(f"    return {kept_tuple(op)}")
    keep = make("\n".join(lines) + "\n", {}, "keep")
    keep.__defaults__ = ((),)
    return keep


def node_lines(op):
    """Look up the nodes of the differentiable inputs."""
    for i in op.rules:
        none = f"None if {i} is None else " if i in op.optional else ""
        yield f"    n_{i} = {none}{i}.node if {i}._view is None else node_of({i})"


def record_lines(op, meta):
    """Record the node if one of the inputs wants a gradient."""
    if not op.rules:
        yield "    made.node = None"
        return
    yield from node_lines(op)
    wanted = " or ".join(f"n_{i} is not None" for i in op.rules)
    parents = "".join(f"n_{i}, " if i in op.rules else "None, " for i in op.inputs)
    attrs = "(" + "".join(f"{a}, " for a in op.attrs) + ")" if op.attrs else "None"
    yield f"    if ({wanted}) and is_grad_enabled():"
    yield f"        n = Node(); n.op = op; n.parents = ({parents}); n.saved = {kept_tuple(op)}; n.attrs = {attrs}"
    yield f"        n.meta = {meta}; n.shape = made._shape; n.extra = None; n.seq = tick()"
    yield "        made.node = n"
    yield "    else:"
    yield "        made.node = None"


def pointwise_source(op, opening=None):
    """The door of a pointwise op, with its own opening or another."""
    lines, call, keyword, *_ = opening or op.opening
    tensors, attrs = ", ".join(op.inputs), ", ".join(op.attrs)
    slow = f"return general(op, ({tensors},), ({attrs}{',' if attrs else ''}))"
    takes_number = op.number != "none" and "f" in op.kinds
    number = slow.replace(f"general(op, ({tensors},)", f"with_number(op, {tensors}") if takes_number else slow
    lines = list(lines)
    for name in keyword:
        lines += [f"    if {name} is not default_{name}:", f"        return keywords({call})"]
    if op.check_attributes:
        lines.append(f"    check_attributes({attrs})")
    if len(op.inputs) > 2:
        return "\n".join([*lines, f"    {slow}"]) + "\n"
    operands = "x" if len(op.inputs) == 1 else "x, z"
    a, b = op.inputs[0], op.inputs[-1]
    if len(op.inputs) == 1:
        lines += [
            f"    if not isinstance({a}, Tensor):",
            f"        {slow}",
            f"    x = {a}.array; dtype = x.dtype; shape = {a}._shape",
            "    if dtype is not F32 and dtype is not F64:",
            f"        {slow}",
        ]
    else:
        lines += [
            f"    if not (isinstance({a}, Tensor) and isinstance({b}, Tensor)):",
            f"        {number}",
            f"    x = {a}.array; z = {b}.array; dtype = x.dtype; shape = {a}._shape; other_shape = {b}._shape",
            "    if dtype is not z.dtype or (dtype is not F32 and dtype is not F64):",
            f"        {slow}",
        ]
    scalar_to_array = ["    if not shape:", "        made.array = y = asarray(y)"]  # NumPy makes 0-dim results scalars
    lines += [
        "    made = new(Tensor)",
        "    try:",
        f"        made.array = y = (kernel32 if dtype is F32 else kernel64)({operands}{', ' + attrs if attrs else ''})",
        "    except RECONSIDERED:",
        f"        {slow}",
    ]
    if len(op.inputs) == 1:
        lines += ["    made._shape = shape", *scalar_to_array]
    else:
        lines += [
            "    if shape == other_shape:",
            "        made._shape = shape; meta = None",
            *("    " + line for line in scalar_to_array),
            "    else:",
            "        made._shape = y.shape; meta = (shape, other_shape)",
        ]
    lines += ["    made.vc = made._view = made.leaf = None"]
    lines += record_lines(op, "None" if len(op.inputs) == 1 else "meta")
    return "\n".join([*lines, "    return made"]) + "\n"


def operator_source(op):
    """The same for the Python operator of a binary op, which has no keywords: what is no operand is left to the other
    side (``x * model`` may be ``model.__rmul__``)."""
    guarded = f"    if not (isinstance({op.inputs[0]}, Tensor) and isinstance({op.inputs[-1]}, Tensor)):\n"
    left_over = f"        if not isinstance({op.inputs[-1]}, OPERAND):\n            return NotImplemented\n"
    plain = op.opening if op.attrs else Opening([f"def door({', '.join(op.inputs)}):"], "", (), (), {}, [])
    return pointwise_source(op, plain).replace(guarded, guarded + left_over)


def forward_source(op):
    """The door of an op that gives `forward`."""
    lines, call, *_ = op.opening
    lines = list(lines)
    if "prepare" in op.__dict__:
        lines += ["    try:", f"        {', '.join([*op.inputs, *op.attrs])}, = prepare({call})", *op.opening.guard]
    return "\n".join([*lines, *forward_lines(op)]) + "\n"


def forward_lines(op):
    """From the inputs and attributes, as `forward` takes them, to the result."""
    lines = []
    for i in op.inputs:
        none = f"{i} is not None and " if i in op.optional else ""
        lines += [f"    if {none}not isinstance({i}, Tensor):", f"        raise not_a_tensor(op.name, {i!r}, {i})"]
    arrays = [f"None if {i} is None else {i}.array" if i in op.optional else f"{i}.array" for i in op.inputs]
    arguments = ", ".join([*arrays, *op.attrs])
    call = f"kernel({arguments})" if op.view else f"quiet.run(kernel, {arguments})"  # a view computes nothing
    if op.pieces:
        given = f"({', '.join(op.inputs)},), arrays, ({''.join(a + ', ' for a in op.attrs)})"
        lines += ["    try:", f"        arrays = {call}", *unseen_lines(op)]
        return [*lines, f"    return result(*several(op, {given}))"]
    if op.multi:
        lines += ["    try:", f"        arrays = {call}", *unseen_lines(op)]
        return [*lines, f"    return many(op, {op.inputs[0]}, arrays, ({', '.join(op.attrs)},))"]
    in_order = not (op.view or op.keeps_layout)  # results are C-ordered, as PyTorch's are
    lines += [
        "    try:",
        f"        {', '.join(['y', *op.aux])} = {call}",
        *unseen_lines(op),
        "    if y.__class__ is not ndarray" + (" or not y.flags.c_contiguous:" if in_order else ":"),
        "        y = asarray(y, order='C')" if in_order else "        y = asarray(y)",
        "    made = new(Tensor); made.array = y; made._shape = y.shape; made.vc = made._view = made.leaf = None",
    ]
    order = ", order='C'" if in_order else ""
    lines += [f"    {name} = wrap(asarray({name}{order}))" for name in op.returned_aux]
    shapes = "".join(f"{i}._shape, " for i in op.inputs)
    lines += record_lines(op, f"({shapes})" if op.broadcasts else "None")
    if op.view:
        a, attrs = op.inputs[0], "".join(f"{n}, " for n in op.attrs)
        shares = "y is x or (owner is not None and (owner is x or owner is x.base))"
        lines += [
            f"    x = {a}.array; owner = y.base",
            f"    if {True if op.view == 'always' else shares}:",
            f"        as_view(op, {a}, made, ({attrs}), {kept_tuple(op)})",
        ]
    outs = "".join(f", {name}" for name in op.returned_aux)
    return [*lines, f"    return result(made{outs})" if op.result else f"    return made{outs}"]


def unseen_lines(op):
    """Leave the op to tensors whose numbers its kernel could not see: vmap's (`minigrad/batched.py`)."""
    inputs = "listed, " if op.variadic else "".join(f"{i}, " for i in op.inputs)
    attrs = "".join(f"{a}, " for a in op.attrs)
    return ["    except Unseen as stranger:", f"        return stranger.apply(op, ({inputs}), ({attrs}))"]


def joining_source(op):
    """The door of an op that takes a list of tensors."""
    opened, call, *_ = op.opening
    attrs = "".join(f"{a}, " for a in op.attrs)
    lines = [*opened, "    try:", f"        listed, {attrs} = prepare({call})", *op.opening.guard]
    return "\n".join([*lines, *joining_lines(op)]) + "\n"


def joining_lines(op):
    """From the list and the attributes, as `forward` takes them, to the result."""
    (tensors,), attrs = op.inputs, "".join(f"{a}, " for a in op.attrs)
    saved = {f"{tensors}_shape": "tuple([t._shape for t in listed])"}
    return [
        "    try:",
        f"        y = quiet.run(kernel, [t.array for t in listed], {attrs})",
        *unseen_lines(op),
        "    made = wrap(y)",
        "    nodes = tuple([t.node if t._view is None else node_of(t) for t in listed])",
        "    if any_node(nodes) and is_grad_enabled():",
        f"        saved = ({''.join(saved[name] + ', ' for name in op.saved)})",
        f"        made.node = record(op, nodes, saved, made._shape, ({attrs}))",
        "    return made",
    ]


def direct(op):
    """The op without its `prepare`: a function of tensors and of attributes as `forward` takes them."""
    if "prepare" not in op.__dict__:
        return op.function
    if "direct" not in op.__dict__:
        inputs, lines = (["listed"], joining_lines(op)) if op.variadic else (op.inputs, forward_lines(op))
        source = "\n".join([f"def door({', '.join([*inputs, *op.attrs])}):", *lines]) + "\n"
        op.direct = staticmethod(make(source, op.namespace, op.name))
    return op.direct


def any_node(nodes):
    """Whether a gradient is wanted for one of several tensors."""
    return any([node is not None for node in nodes])


class Piece:
    """An output that was saved for the backward of an op with several: its array, and its version counter."""

    __slots__ = ("array", "vc")

    def __init__(self, out):
        self.array, self.vc = out.array, new_version(out)


def several(op, sources, arrays, attrs):
    """The outputs of an op whose outputs are all differentiable (svd): each is the k-th PICK of one node."""
    outs = [wrap(np.asarray(array)) for array in arrays]
    if op.rules and is_grad_enabled():
        nodes = tuple([None if source is None else node_of(source) for source in sources])
        if any_node(nodes):
            saved = op.keep(nodes, sources, None, tuple([Piece(out) for out in outs]))
            node = record(op, nodes, saved, tuple([out._shape for out in outs]), attrs)
            for k, out in enumerate(outs):
                if out.array.dtype.kind == "f":
                    out.node = record(PICK, (node,), (), out._shape, k)
    return outs


def many(op, source, arrays, attrs):
    """The outputs of an op that returns a list (split, unbind): each is the k-th PICK of one node, and a view."""
    outs = [wrap(array) for array in arrays]
    parent = node_of(source)
    if parent is not None and is_grad_enabled():
        shapes = tuple([array.shape for array in arrays])
        node = record(op, (parent,), op.keep((parent,), (source,), None), shapes, attrs)
        for k, out in enumerate(outs):
            out.node = record(PICK, (node,), (), out._shape, k)
    for k, out in enumerate(outs):
        view_op, view_attrs = op.nth(source._shape, k, *attrs)
        as_view(view_op, source, out, view_attrs, (source._shape,), "multi")
    return tuple(outs)
