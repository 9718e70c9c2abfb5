"""How many multiply-adds an operation does, and how much memory a graph keeps; both for `summary`.

A multiply-add is one ``a * b + c``.  Counted are the operations that are products; a bias counts one for each number it
is added to.

    linear       outputs × features in                     convolution  outputs × channels in / groups × kernel
    matmul, einsum  outputs × the length that is summed     transposed   inputs × channels out / groups × kernel
    attention    queries × keys × (width of key + of value) recurrent    rows × numbers in the weights and biases
"""

from __future__ import annotations

import math

import numpy as np

from minigrad.autograd.node import node_of

__all__ = ["kept_bytes", "multiply_adds"]


def multiply_adds(step) -> int:
    """Of a `Step` of an `Observer`: 0 for what is no product, and for what is made of other steps."""
    count = PRODUCTS.get(step.op)
    if count is None or not step.outputs:
        return 0
    return count({name: shape for name, shape, _ in step.inputs} | step.settings, step.outputs[0][0])


def _linear(given, out):
    return math.prod(out) * given["weight"][-1] + _bias(given, out)


def _bias(given, out):
    return math.prod(out) if "bias" in given else 0


def _matmul(given, out):
    return math.prod(out) * given["input"][-1]


def _einsum(given, out):
    sizes = dict(zip(given["first"] + given["second"], given["input"] + given["other"], strict=True))
    return math.prod(sizes.values())


def _convolution(given, out):
    return math.prod(out) * math.prod(given["weight"][1:]) + _bias(given, out)


def _transposed(given, out):
    return math.prod(given["grad"]) * math.prod(given["weight"][1:]) + _bias(given, out)


def _attended(given, out):
    scores = math.prod(out[:-1]) * given["key"][-2]
    return scores * (given["query"][-1] + given["value"][-1])


def _recurrent(given, out):
    rows = math.prod(given["input"][:-1])
    return rows * sum(math.prod(shape) for name, shape in given.items() if name[:6] == "weight" or name[:4] == "bias")


PRODUCTS = {
    "linear": _linear, "matmul": _matmul, "einsum2": _einsum, "attended": _attended,
    "convolution": _convolution, "convolution_input": _transposed,
    "lstm_layer": _recurrent, "gru_layer": _recurrent, "rnn_layer": _recurrent,
}  # fmt: skip


def kept_bytes(outputs, known) -> int:
    """The bytes of memory that the graph of some tensors keeps, each once, that of the `known` tensors not counted."""
    seen = {id(_owner(tensor.array)) for tensor in known if isinstance(tensor.array, np.ndarray)}
    nodes = [node for node in (node_of(tensor) for tensor in outputs) if node is not None]
    found, total = set(nodes), 0
    while nodes:
        node = nodes.pop()
        for array in _arrays(node.saved or ()):
            owner = _owner(array)
            if id(owner) not in seen:
                seen.add(id(owner))
                total += owner.nbytes
        for parent in node.parents:
            if parent is not None and parent not in found:
                found.add(parent)
                nodes.append(parent)
    return total


def _arrays(saved):
    for item in saved:
        array = getattr(item, "array", item)
        if isinstance(array, np.ndarray):
            yield array


def _owner(array):
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
