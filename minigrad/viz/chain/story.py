"""The run of a graph as data: the forward pass value by value, then the backward pass step by step.

Comes after `backward.py` (the numbers) and `telling.py` (the words).  The page of `viz.step` shows a `Story`; it holds
numbers and text only, no tensor, and is made of what JSON can say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from minigrad.autograd.node import LEAF
from minigrad.viz.chain.backward import walk_back
from minigrad.viz.chain.telling import Telling

__all__ = ["Story", "story"]


@dataclass(slots=True)
class Story:
    """`data` is the run:

    output    the id of the tensor that was asked for; `seed`: the gradient the walk starts with (ones)
    nodes     leaves, constants and operations in forward order, ``id`` is the position. Each: kind ("leaf", "constant",
              "op"), op, label, name, shape, dtype, requires_grad, inputs ([{"node", "slot"}]), value, formula
              ({"text", "latex"}; None of leaves and constants), numbers (the same text with numbers for operands, of
              pointwise operations of single numbers, else ""), line, group, attributes ([[name, text]])
    backward  operations in the engine's order. Each: node, upstream, problem ("" or why its parts are not known:
              "freed", "refused", "incomplete", see `backward.py`), and parts: input (position in the node's inputs),
              node, local, formula, numbers, product, total, first (of the parts to reach that operand)
    grads     {id: gradient} of all nodes that a gradient reached, complete, or None where a part is not known
    freed     whether a backward pass has freed some of it

    A value is a number, nested lists of at most `limit` numbers (NaN and infinities as "nan", "inf", "-inf"), of larger
    arrays {"shape", "norm", "mean", "min", "max"}, or None where it can't be told. An operation with several outputs
    has the value None, a list of shapes, and in `backward` as upstream the list of its outputs' gradients.
    """

    data: dict


def story(x, names=(), *, limit=64) -> Story:
    """The run that led to the tensor `x`, and its backward pass with ones for the gradient of `x`.

    names  (name, Tensor) pairs; limit  arrays of at most this many elements are given in full.
    Nothing is changed and no `.grad` is written: see `backward.walk_back`.
    """
    telling = Telling(x, names, limit)
    reading, root, backward, grads = telling.reading, telling.root, [], {}
    seed = None if root is None else np.ones(x.array.shape, x.array.dtype)
    output = 0 if root is None else telling.ids[root]
    shown = telling.nodes[output]["name"] or "L"
    for step in walk_back(reading, {} if root is None else {root: seed}, local=True):
        node = step.node
        upstream = telling.amount(step.upstream)
        if not reading.is_many(node):
            grads[str(telling.ids[node])] = upstream
        if node.op is not LEAF:
            parts = [_part(telling, node, part, shown) for part in step.parts]
            told = {"node": telling.ids[node], "upstream": upstream, "problem": step.problem, "parts": parts}
            backward.append(told)
    freed = any(reading.freed(node) for node in reading.order)
    data = {"output": output, "seed": telling.amount(seed), "nodes": telling.nodes, "backward": backward}
    return Story(data | {"grads": grads, "freed": freed})


def _part(telling, node, part, output):
    place = telling.place(node, part.position)
    return {
        "input": place,
        "node": telling.nodes[telling.ids[node]]["inputs"][place]["node"],
        "local": telling.amount(part.local),
        "formula": telling.gradient_text(node, part.position, output),
        "numbers": telling.numbers_text(node, part.position),
        "product": telling.amount(part.product),
        "total": telling.amount(part.total),
        "first": part.first,
    }
