"""The only door: every op's function is made here, and every node of an op block is recorded by one of them.

Comes after `registry.py` and `node.py`; `engine.py` walks what the doors record.  A door is generated per op as Python
source, because one function that handles every case costs as much as PyTorch's own dispatch (0.92x of torch's time
against 0.45x, measured).

    minigrad.mul(x, y)      x * y      x.mul(y)                      all three are this function
          │
          ├─ a tensor and a number ─────────────────▶ with_number()  the same steps, not written out
          ├─ other dtypes, or the kernel refuses ───▶ general()      promotes first; has the error messages
          ▼
    out.array = kernel32(x.array, y.array)                           NumPy's ufunc, or a compiled loop
          │
          ├─ no input has a node, or no_grad() ─▶ return out
          ▼
    Node(op, parents=(x.node, y.node), saved=…, seq=tick())          saved: what the rules of the inputs with a node
          │                                                          name, and nothing else
          ▼
    out.node = that node; return out

Read one with `inspect.getsource(minigrad.mul)`.

Equal sources are compiled once and shared: such functions differ only in their globals.
"""

from __future__ import annotations

import functools
import linecache
import warnings

import numpy as np

from minigrad.autograd.general import F32, F64, general, not_a_tensor, quiet, with_number
from minigrad.autograd.modes import is_grad_enabled
from minigrad.autograd.node import PICK, Node, as_view, node_of, record, tick
from minigrad.tensor import Tensor, wrap

# What sends a call to the general path: shapes that do not broadcast, and NumPy's floating-point warnings where the
# user has made them errors (PyTorch has none: the general path computes with them off).
RECONSIDERED = (ValueError, TypeError, ArithmeticError, RuntimeWarning)
warnings.filterwarnings("ignore", category=RuntimeWarning, module=r"minigrad\.door$")

NAMES = {
    "__name__": "minigrad.door", "F32": F32, "F64": F64, "Node": Node, "RECONSIDERED": RECONSIDERED, "Tensor": Tensor,
    "as_view": as_view, "asarray": np.asarray, "general": general, "is_grad_enabled": is_grad_enabled,
    "ndarray": np.ndarray, "new": object.__new__, "node_of": node_of, "not_a_tensor": not_a_tensor, "quiet": quiet,
    "record": record, "tick": tick, "with_number": with_number, "wrap": wrap,
}  # fmt: skip


@functools.cache
def compiled(source):
    """The code object of a generated function; its text shows in tracebacks and in `inspect.getsource`."""
    filename = f"<minigrad door {len(linecache.cache)}>"
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = compile(source, filename, "exec")
    return next(const for const in module.co_consts if hasattr(const, "co_code"))


def make(source, namespace, name):
    """The function that the source defines, under this name and with this namespace as its globals."""
    code = compiled(source)
    names = {"co_name": name} | ({"co_qualname": name} if hasattr(code, "co_qualname") else {})
    return type(make)(code.replace(**names), namespace, name)


def signature_of(function):
    """A block function's parameters as source, as a call that passes them on, and the keyword-only names."""
    code = function.__code__
    plain = code.co_varnames[: code.co_argcount]
    at = code.co_argcount + code.co_kwonlyargcount
    keyword = code.co_varnames[code.co_argcount : at]
    star = [f"*{code.co_varnames[at]}"] if code.co_flags & 0x04 else []
    parameters = [*plain, *(star or (["*"] if keyword else [])), *keyword]
    return ", ".join(parameters), ", ".join([*plain, *star, *(f"{k}={k}" for k in keyword)]), keyword


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
    """`op.keep(nodes, tensors, y, aux)`: what to save, for the paths that are not generated."""
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
        yield "    out.node = None"
        return
    yield from node_lines(op)
    wanted = " or ".join(f"n_{i} is not None" for i in op.rules)
    parents = "".join(f"n_{i}, " if i in op.rules else "None, " for i in op.inputs)
    attrs = "(" + "".join(f"{a}, " for a in op.attrs) + ")" if op.attrs else "None"
    yield f"    if ({wanted}) and is_grad_enabled():"
    yield f"        n = Node(); n.op = op; n.parents = ({parents}); n.saved = {kept_tuple(op)}; n.attrs = {attrs}"
    yield f"        n.meta = {meta}; n.shape = out._shape; n.extra = None; n.seq = tick()"
    yield "        out.node = n"
    yield "    else:"
    yield "        out.node = None"


def pointwise_source(op):
    """The door of a pointwise op."""
    body = op.__dict__
    signature, call, keyword = signature_of(body.get("keywords") or body["scalar"])
    tensors, attrs = ", ".join(op.inputs), ", ".join(op.attrs)
    slow = f"return general(op, ({tensors},), ({attrs}{',' if attrs else ''}))"
    lines = [f"def door({signature}):"]
    for name in keyword:
        lines += [f"    if {name} is not default_{name}:", f"        return keywords({call})"]
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
            f"        {slow.replace(f'general(op, ({tensors},)', f'with_number(op, {tensors}')}",
            f"    x = {a}.array; z = {b}.array; dtype = x.dtype; shape = {a}._shape; other_shape = {b}._shape",
            "    if dtype is not z.dtype or (dtype is not F32 and dtype is not F64):",
            f"        {slow}",
        ]
    scalar_to_array = ["    if not shape:", "        out.array = y = asarray(y)"]  # NumPy makes 0-dim results scalars
    lines += [
        "    out = new(Tensor)",
        "    try:",
        f"        out.array = y = (kernel32 if dtype is F32 else kernel64)({operands}{', ' + attrs if attrs else ''})",
        "    except RECONSIDERED:",
        f"        {slow}",
    ]
    if len(op.inputs) == 1:
        lines += ["    out._shape = shape", *scalar_to_array]
    else:
        lines += [
            "    if shape == other_shape:",
            "        out._shape = shape; meta = None",
            *("    " + line for line in scalar_to_array),
            "    else:",
            "        out._shape = y.shape; meta = (shape, other_shape)",
        ]
    lines += ["    out.vc = out._view = out.leaf = None"]
    lines += record_lines(op, "None" if len(op.inputs) == 1 else "meta")
    return "\n".join([*lines, "    return out"]) + "\n"


def forward_source(op):
    """The door of an op that gives `forward`."""
    prepare = op.__dict__.get("prepare")
    signature, call, _ = signature_of(prepare or op.__dict__["forward"])
    lines = [f"def door({signature}):"]
    if prepare:
        lines.append(f"    {', '.join([*op.inputs, *op.attrs])}, = prepare({call})")
    for i in op.inputs:
        none = f"{i} is not None and " if i in op.optional else ""
        lines += [f"    if {none}not isinstance({i}, Tensor):", f"        raise not_a_tensor(op, {i!r}, {i})"]
    arrays = [f"None if {i} is None else {i}.array" if i in op.optional else f"{i}.array" for i in op.inputs]
    arguments = ", ".join([*arrays, *op.attrs])
    call = f"kernel({arguments})" if op.view else f"quiet.run(kernel, {arguments})"  # a view computes nothing
    if op.multi:
        return "\n".join([*lines, f"    return many(op, {op.inputs[0]}, {call}, ({', '.join(op.attrs)},))"]) + "\n"
    lines += [
        f"    {', '.join(['y', *op.aux])} = {call}",
        "    if y.__class__ is not ndarray:",
        "        y = asarray(y)",
        "    out = new(Tensor); out.array = y; out._shape = y.shape; out.vc = out._view = out.leaf = None",
    ]
    shapes = "".join(f"{i}._shape, " for i in op.inputs)
    lines += record_lines(op, f"({shapes})" if op.broadcasts else "None")
    if op.view:
        a, attrs = op.inputs[0], "".join(f"{n}, " for n in op.attrs)
        lines += [
            f"    x = {a}.array; owner = y.base",
            "    if y is x or (owner is not None and (owner is x or owner is x.base)):",
            f"        as_view(op, {a}, out, ({attrs}), {kept_tuple(op)})",
        ]
    outs = "".join(f", wrap(asarray({name}))" for name in op.aux[: op.nout - 1])
    lines.append(f"    return result(out{outs})" if op.result else f"    return out{outs}")
    return "\n".join(lines) + "\n"


def joining_source(op):
    """The door of an op that takes a list of tensors."""
    signature, call, _ = signature_of(op.__dict__["prepare"])
    (tensors,), attrs = op.inputs, "".join(f"{a}, " for a in op.attrs)
    saved = {f"{tensors}_shape": "tuple([t._shape for t in listed])"}
    lines = [
        f"def door({signature}):",
        f"    listed, {attrs} = prepare({call})",
        f"    y = quiet.run(kernel, [t.array for t in listed], {attrs})",
        "    out = wrap(y)",
        "    nodes = tuple([t.node if t._view is None else node_of(t) for t in listed])",
        "    if any_node(nodes) and is_grad_enabled():",
        f"        saved = ({''.join(saved[name] + ', ' for name in op.saved)})",
        f"        out.node = record(op, nodes, saved, out._shape, ({attrs}))",
        "    return out",
    ]
    return "\n".join(lines) + "\n"


def any_node(nodes):
    """Whether a gradient is wanted for one of several tensors."""
    return any([node is not None for node in nodes])


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
