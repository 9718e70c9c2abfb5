"""The two backward programs of an op: `run` on arrays (the plain backward) and `rule` on tensors (a recorded one).

Both are generated around the same rules.  They unpack what was saved, refuse what was freed or written to since
(`stale`), and call the rule of each input that wants a gradient:

    def run(n, g):                               # for mul
        x = n.saved
        if x is None: raise freed()
        input, other = x
        p_input, p_other = n.parents
        ...                                      # a saved tensor must not be younger than the node
        return (grad_input(g, other) if p_input is not None else None, ...)
"""

from __future__ import annotations

import numpy as np

from minigrad.autograd import door
from minigrad.autograd.node import FREED, PICK, record
from minigrad.autograd.sources import make
from minigrad.registry import TENSORS, arrays, in_float32, tensors
from minigrad.tensor import wrap


def freed():
    """The error of a second backward through what was freed by the first."""
    return RuntimeError(FREED)


def stale(node, version, what):
    """A saved tensor was written to after it was saved: PyTorch's message, and what to do about it."""
    if getattr(node, "packed", False):  # kept by a hook, which saw it before the write
        return
    later = [entry for entry in version.log if entry[0] > node.seq]
    expected = version.count - len(later)
    raise RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace operation: "
        f"{what!r}, saved by {node.op.name} for its gradient, is at version {version.count}; expected version "
        f"{expected} instead. It was written to by {_told(later[0]) if later else 'an earlier write'}. Hint: use the "
        "out-of-place form of that write, or clone() the tensor before it."
    )


def _told(entry):
    _, writer, (file, line) = entry
    return f"{writer}, at {file}:{line}"


def as_saved(tensor, node):
    """A saved input as it was: the same memory, with the history it had when it was saved."""
    old = wrap(tensor.array)
    old.node, old.vc = node, tensor.vc
    return old


def output_of(node, array):
    """A saved output as a tensor again (the node holds only its array: a tensor would be a cycle)."""
    out = wrap(array)
    out.node = node
    out.vc = node.extra.vc if node.extra is not None else None
    return out


def piece_of(node, piece, k, recording):
    """The k-th of several outputs as it was saved: an array, or a tensor with its place in the graph."""
    if piece.vc.time > node.seq:
        stale(node, piece.vc, node.op.pieces[k])
    if not recording:
        return piece.array
    out = wrap(piece.array)
    if piece.array.dtype.kind == "f":
        out.node, out.vc = record(PICK, (node,), (), out._shape, k), piece.vc
    return out


NAMES = {
    "F32": door.F32, "F64": door.F64, "as_saved": as_saved, "freed": freed, "ndarray": np.ndarray,
    "output_of": output_of, "piece_of": piece_of, "stale": stale, "wrap": wrap,
}  # fmt: skip


def program_source(op, kind):
    """Source of a backward program: of kind "run" (on arrays) or "rule" (on tensors)."""
    lines = ["def program(n, g):"]
    if op.saved:
        lines += ["    x = n.saved", "    if x is None:", "        raise freed()", f"    {', '.join(op.saved)}, = x"]
    if not op.variadic and (len(op.inputs) > 1 or kind == "rule"):
        lines.append(f"    {', '.join('p_' + i for i in op.inputs)}, = n.parents")
    if op.attrs:
        lines.append(f"    {', '.join(op.attrs)}, = n.attrs")
    for name in op.saved:
        lines += list(_unpack_lines(op, name, kind))
    if op.vjp:
        call = f"joint(g, {', '.join(next(iter(op.needs.values())))})"
        return "\n".join([*lines, f"    return {call}"]) + "\n"
    by_dtype = kind == "run" and op.pointwise  # a fused rule is one ufunc per dtype
    if by_dtype:
        lines.append("    dtype = g.dtype")
    grads = []
    for i in op.inputs:
        rule = f"grad_{i}"
        if by_dtype:
            rule = f"({rule}32 if dtype is F32 else {rule}64 if dtype is F64 else {rule})"
        call = f"{rule}({', '.join(['g', *op.needs[i]])})" if i in op.rules else "None"
        if i in op.passed_on and kind == "run":
            call = "g"
        grads.append(call if len(op.inputs) == 1 or i not in op.rules else f"{call} if p_{i} is not None else None")
    return "\n".join([*lines, f"    return ({', '.join(grads)},)"]) + "\n"


def _unpack_lines(op, name, kind):
    if name in op.inputs:
        yield f"    if {name} is not None:"
        yield f"        v = {name}.vc"
        yield f"        if v is not None and v.time > n.seq: stale(n, v, {name!r})"
        if kind == "run":
            yield f"        {name} = {name}.array"
        else:
            yield f"        if {name}.node is not p_{name} or {name}._view is not None:"
            yield f"            {name} = as_saved({name}, p_{name})"
    elif name == "output":
        yield "    if output is not None:"
        yield "        x = n.extra"
        yield "        if x is not None and x.vc is not None and x.vc.time > n.seq: stale(n, x.vc, 'output')"
        if kind == "rule":
            yield "        output = output_of(n, output)"
    elif name in op.returned_aux:
        yield f"    v = {name}.vc"
        yield f"    if v is not None and v.time > n.seq: stale(n, v, {name!r})"
        if kind == "run":
            yield f"    {name} = {name}.array"
    elif name in op.pieces:
        yield f"    {name} = piece_of(n, {name}, {op.pieces.index(name)}, {kind == 'rule'})"
    elif name in op.aux and kind == "rule":
        yield f"    {name} = wrap({name}) if {name}.__class__ is ndarray else {name}"


def build(op):
    """Make `op.run` and `op.rule`; what the rules are bound to is chosen by `choose`."""
    if not op.rules:
        op.run = op.rule = None
        return
    body = op.__dict__
    op.run_names, op.rule_names = dict(NAMES), dict(NAMES)
    if op.vjp:
        op.rule_names["joint"] = tensors(op.vjp)
        op.run_names["joint"] = once_rounded(op, arrays(body.get("fused") or op.vjp))
    else:
        for name, rule in op.rules.items():
            op.rule_names["grad_" + name] = tensors(rule)
            op.run_names["grad_" + name] = once_rounded(op, arrays(rule))
    op.run, op.rule = at_first_call(op, "run", op.run_names), at_first_call(op, "rule", op.rule_names)


def once_rounded(op, rule):
    """A rule on arrays, in float32 for float16 if the op is computed so."""
    return in_float32(rule) if op.wide_half else rule


def at_first_call(op, kind, names):
    """A stand-in that writes and compiles its program at its first call and gives up its place to it: most programs
    use few of the ops, and compiling all their backwards made a tenth of the time of `import minigrad`."""

    def first(n, g):
        program = make(program_source(op, kind), names, op.name + "_backward")
        setattr(op, kind, staticmethod(program))
        return program(n, g)

    return staticmethod(first)


def gradients_through(function, inputs, attributes, gradients):
    """For the `vjp` of an op whose backward is a kernel: the gradients of its inputs, recorded, given that it computes
    what ``function(*inputs, *attributes)`` does, which is made of ops that can be differentiated again.

    gradients: those of the function's outputs. Inputs and gradients may be None.
    """
    from minigrad.autograd.derivatives import grad  # loaded by the first backward, not by `import minigrad`

    wanted = [x is not None and x.requires_grad for x in inputs]
    # Only the dependence through these views is found here. They depend on the inputs, for whoever differentiates next.
    inside = [x.view_as(x) if needed else x for x, needed in zip(inputs, wanted, strict=True)]
    pairs = [(y, g) for y, g in zip(function(*inside, *attributes), gradients, strict=True) if g is not None]
    ends = [x for x, needed in zip(inside, wanted, strict=True) if needed]
    found = iter(grad([y for y, _ in pairs], ends, [g for _, g in pairs], create_graph=True, allow_unused=True))
    return tuple([next(found) if needed else None for needed in wanted])


TENSORS["gradients_through"] = gradients_through
