"""What the transforms of `func.py` share: the level that one run of a transform is, and arguments taken apart.

A transform differentiates by tensors that it makes itself, over the memory of the user's. What it returns must not know
them, but must keep the history that is the caller's: that of the user's own tensors that require grad, and that of the
variables of the transforms around it.
"""

from __future__ import annotations

import minigrad
from minigrad.autograd.derivatives import grad
from minigrad.autograd.modes import enable_grad, is_grad_enabled
from minigrad.autograd.node import LEAF, node_of
from minigrad.batched import Batched, batched, lift, size_now
from minigrad.registry import OPS
from minigrad.tensor import Tensor
from minigrad.trees import flatten, tree_map, unflatten


class Level:
    """One run of a transform: makes the tensors it differentiates by, and takes its results out of its graph.

    In a ``with`` block it is active and recording is on. The leaves it makes know it (in `attrs`), and are variables
    for the transforms inside it; once it is over they are constants. Inside a `vmap` that computes all examples at
    once, each example has variables of its own: differentiated are the tensors of all examples (`whole`), and the
    function sees one of them (`example`).
    """

    def __init__(self):
        self.recording = is_grad_enabled()  # the caller's mode
        self.active = False
        self.whole, self.example = (lift, batched) if size_now() is not None else (_same, _same)
        self._mode = enable_grad()

    def __enter__(self):
        self.active = True
        self._mode.__enter__()
        return self

    def __exit__(self, *exc):
        self._mode.__exit__(*exc)
        self.active = False

    def enter(self, tensor):
        """(variable, the tensor for the function): the same memory with a node of its own, not to be written to."""
        if not isinstance(tensor, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(tensor)}")
        tensor = self.whole(tensor)
        if self.recording and tensor.requires_grad:
            inside = OPS["view"].function(tensor, tensor.shape)
            inside._view.mode = "function"
        else:
            inside = self.leaf(tensor.detach())
        return inside, self.example(inside)

    def leaf(self, tensor):
        """A tensor that gradients are asked of."""
        tensor.requires_grad_().node.attrs = self
        return tensor

    def tracks(self, tensors):
        """Whether the history of one of the tensors leads to a leaf of the user's or of a transform around this one."""
        if not self.recording:
            return False
        nodes = [node_of(t.whole if isinstance(t, Batched) else t) for t in tensors]
        reached = [node for node in nodes if node is not None]
        seen = set(reached)
        for node in reached:
            if node.op is LEAF and (node.attrs is None or (node.attrs is not self and node.attrs.active)):
                return True
            new = [parent for parent in node.parents if parent is not None and parent not in seen]
            seen.update(new)
            reached += new
        return False

    def leave(self, tree):
        """Results for the caller: without their history, unless it is the caller's business."""
        return tree_map(self.outside, tree)

    def outside(self, tensor):
        if not isinstance(tensor, Tensor):
            raise RuntimeError(f"Expected tensors, got unsupported type {type(tensor)}")
        return tensor if not tensor.requires_grad or self.tracks([tensor]) else tensor.detach()


def _same(x):
    return x


def pull(level, outputs, variables, cotangents, create_graph, retain_graph=True):
    """The gradients of the variables, given those of the outputs; zeros where there is no dependence."""
    if level.whole is _same and any([isinstance(g, Batched) for g in cotangents]):
        create_graph = True  # only a recorded backward takes them
    pairs = [
        (level.whole(y), _cotangent(level, y, g)) for y, g in zip(outputs, cotangents, strict=True) if y.requires_grad
    ]
    found = [None] * len(variables)
    if pairs:
        ys, gs = zip(*pairs)
        found = grad(ys, variables, gs, retain_graph, create_graph, allow_unused=True)
    return [level.example(minigrad.zeros_like(x) if g is None else g) for x, g in zip(variables, found, strict=True)]


def _cotangent(level, output, g):
    """An output's gradient, of all examples where that is what is differentiated."""
    if g is None and level.whole is not _same and output.numel() == 1:
        return minigrad.ones_like(level.whole(output))
    return g if g is None else level.whole(g)


# ---- arguments and results -------------------------------------------------------------------------------------------


def _positions(argnums, count):
    """The positions that `argnums` names, as a tuple."""
    if not isinstance(argnums, int | tuple):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    chosen = argnums if isinstance(argnums, tuple) else (argnums,)
    if not chosen:
        raise RuntimeError("argnums must be non-empty")
    for k in chosen:
        if not isinstance(k, int):
            raise RuntimeError(f"argnum must be int, got: {type(k)}")
        if not -count <= k < count:
            raise RuntimeError(f"Got argnum={k}, but only {count} positional inputs")
    chosen = tuple([k % count for k in chosen])
    if len(set(chosen)) != len(chosen):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return chosen


def split(args, argnums):
    """(leaves to differentiate by, their spec, args with other leaves in these places)."""
    if argnums is None:
        leaves, spec = flatten(args)
        return leaves, spec, lambda inside: unflatten(inside, spec)
    chosen = _positions(argnums, len(args))
    leaves, spec = flatten(args[chosen[0]] if isinstance(argnums, int) else tuple([args[k] for k in chosen]))

    def replaced(inside):
        new = unflatten(inside, spec)
        at = dict(zip(chosen, (new,) if isinstance(argnums, int) else new, strict=True))
        return tuple([at.get(k, arg) for k, arg in enumerate(args)])

    return leaves, spec, replaced


def without_aux(result, has_aux, name):
    """(output, aux) of what a function returned."""
    if not has_aux:
        return result, None
    if not (isinstance(result, tuple) and len(result) == 2):
        raise RuntimeError(f"{name}: output of function f should be a tuple: (output, aux) if has_aux is True")
    return result


def tensors_of(output, name):
    """The leaves of a function's output, which must be tensors, and their spec."""
    leaves, spec = flatten(output)
    if not leaves or leaves == [None]:
        raise RuntimeError(f"{name}: Expected f to be a function that has non-empty output (got output = {leaves})")
    for leaf in leaves:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{name}: expected f(*primals) to return only tensors, got unsupported type {type(leaf)}"
            )
    return leaves, spec
