"""`backward` and `grad`: derivatives of tensors by tensors, checked as PyTorch checks them.

Comes after `engine.py`, which walks.  Here the walk gets its beginning (the gradients of the roots) and its ends.
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from minigrad.autograd.engine import collect, walk_back
from minigrad.autograd.node import LEAF, PICK, Node, extra_of, node_of, record
from minigrad.errors import shape_text
from minigrad.registry import TENSORS
from minigrad.tensor import Tensor, wrap

__all__ = ["backward", "grad"]

CYCLE = (
    "Using backward() with create_graph=True will create a reference cycle between the parameter and its gradient "
    "which can cause a memory leak. We recommend using autograd.grad when creating the graph to avoid this. If you "
    "have to use this function, make sure to reset the .grad fields of your parameters to None after use to break the "
    "cycle and avoid the leak."
)


def _start(tensors, gradients, create_graph):
    """The roots' gradients, as pending work."""
    pending = {}
    for k, (tensor, g) in enumerate(zip(tensors, gradients, strict=True)):
        node, shape, dtype = _end_of(tensor)
        if node is None:
            raise RuntimeError(f"element {k} of tensors does not require grad and does not have a grad_fn")
        if g is None:
            if shape and math.prod(shape) != 1:
                raise RuntimeError(
                    "grad can be implicitly created only for scalar outputs, but this output has shape "
                    f"{shape_text(shape)}: reduce it (.sum(), .mean()), or pass gradient= of its shape"
                )
            g = wrap(np.array(1, dtype, ndmin=len(shape)))
        elif not isinstance(g, Tensor):
            raise TypeError(f"gradients can be either Tensors or None, but got {type(g).__name__}")
        elif g._shape != shape:
            raise RuntimeError(
                f"Mismatch in shape: grad_output[{k}] has a shape of {g.shape!r} and output[{k}] has a shape of "
                f"{type(g.shape)(shape)!r}."
            )
        elif g.array.dtype != dtype:
            g = TENSORS["to_dtype"](g, dtype)
        if not create_graph:
            g = g.array
        if node.op.multi:  # an edge made by hand: the output of a node with several
            node = record(PICK, (node,), (), shape, tensor.output_nr)
        pending[node] = g if node not in pending else pending[node] + g
    return pending


def _end_of(root):
    """(node, shape, dtype) of a tensor, or of the graph's edge given in its place."""
    if isinstance(root, Tensor):
        return node_of(root), root._shape, root.array.dtype
    node = _node_of_edge(root)
    # The graph notes no dtypes: the leaves have them.
    leaves = (n.tensor() for n in collect((node,))[0] if n.op is LEAF)
    dtype = next((leaf.array.dtype for leaf in leaves if leaf is not None), np.dtype("f4"))
    return node, node.shape[root.output_nr] if node.op.multi else node.shape, dtype


def _node_of_edge(edge):
    token = getattr(edge, "ownership_token", None)
    return token if isinstance(token, Node) else edge.node


def _listed(value):
    return [value] if isinstance(value, Tensor) or hasattr(value, "output_nr") else list(value)


def _gradients(value, count, name):
    if value is None:
        return [None] * count
    given = [value] if isinstance(value, Tensor) else list(value)
    if len(given) != count:
        raise RuntimeError(f"got {count} tensors and {len(given)} gradients in {name}: give one for each tensor")
    return given


def backward(tensors, grad_tensors=None, retain_graph=None, create_graph=False, inputs=None) -> None:
    """Compute the gradients of `tensors` and add them to the `.grad` of the leaves they depend on.

    tensors: a tensor or a sequence of them. grad_tensors: the gradient of each (same shape), None for one-element
    tensors. retain_graph: keep what was saved, so that backward can run again (default: `create_graph`).
    create_graph: record the backward too, for derivatives of derivatives. inputs: only these tensors get gradients.
    Raises RuntimeError as PyTorch does. (PyTorch: torch.autograd.backward)
    """
    roots, only = _listed(tensors), None
    if inputs is not None:
        inputs = _listed(inputs)
        if not inputs:
            raise RuntimeError("'inputs' argument to backward() cannot be empty.")
        only = {_node_wanted(t, k) for k, t in enumerate(inputs)}
        for node in only:
            if node.op is not LEAF:
                extra_of(node).retain = True
    if create_graph:
        warnings.warn(CYCLE, stacklevel=3)  # of Tensor.backward's caller
    pending = _start(roots, _gradients(grad_tensors, len(roots), "backward"), create_graph)
    walk_back(pending, retain_graph, create_graph, only=only)


def _node_wanted(tensor, k):
    if not isinstance(tensor, Tensor):
        return _node_of_edge(tensor)
    node = node_of(tensor)
    if node is None:
        raise RuntimeError(
            "One of the differentiated Tensors does not require grad: "
            f"inputs[{k}], of shape {shape_text(tensor._shape)}"
        )
    return node


def grad(
    outputs,
    inputs,
    grad_outputs=None,
    retain_graph=None,
    create_graph=False,
    only_inputs=True,
    allow_unused=None,
    is_grads_batched=False,
    materialize_grads=False,
) -> Any:
    """The gradients of `outputs` with respect to `inputs`, as a tuple; nobody's `.grad` changes.

    inputs: a tensor or a sequence of them; of a dict of tensors the result is a dict. allow_unused: give None for
    inputs that the outputs do not depend on, instead of raising RuntimeError; materialize_grads: give zeros for them.
    is_grads_batched: the first dimension of each of `grad_outputs` counts several gradients; the backward runs for
    each, and the results are stacked. (PyTorch: torch.autograd.grad)
    """
    if not only_inputs:
        warnings.warn(
            "only_inputs argument is deprecated and is ignored now (defaults to True). To accumulate gradient for "
            "other parts of the graph, please use torch.autograd.backward.",
            FutureWarning,
            stacklevel=2,
        )
    if type(inputs) is dict:
        options = retain_graph, create_graph, True, allow_unused, is_grads_batched, materialize_grads
        return dict(zip(inputs, grad(outputs, tuple(inputs.values()), grad_outputs, *options), strict=True))
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, but got: allow_unused=False."
        )
    roots, chosen = _listed(outputs), _listed(inputs)
    if not chosen:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    if is_grads_batched:
        from minigrad.autograd.functional import batched_grad  # it calls this function

        batch = _gradients(grad_outputs, len(roots), "grad")
        each = create_graph, True, allow_unused, False, materialize_grads
        return batched_grad(roots, chosen, batch, retain_graph, each)
    nodes = [_node_wanted(t, k) for k, t in enumerate(chosen)]
    wanted = dict.fromkeys(nodes)
    pending = _start(roots, _gradients(grad_outputs, len(roots), "grad"), create_graph)
    walk_back(pending, retain_graph, create_graph, wanted)
    found: list[Any] = [wanted[node] for node in nodes]
    for k, (g, end) in enumerate(zip(found, chosen, strict=True)):
        if g is None and materialize_grads:
            found[k] = wrap(np.zeros(*_end_of(end)[1:])).requires_grad_(create_graph)
        elif g is None and not allow_unused:
            raise RuntimeError(
                f"One of the differentiated Tensors appears to not have been used in the graph: inputs[{k}], of shape "
                f"{shape_text(_end_of(end)[1])}. Set allow_unused=True if this is the desired behavior."
            )
    return tuple(found)
