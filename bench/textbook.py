"""The scalar engine as textbooks have it: a closure for each operation, a recursive sort. The rival of `scalar` rows.

Written as learners write it, after Karpathy's micrograd: no slots, no tricks, no handicap.
"""

from __future__ import annotations

import random
import sys

sys.setrecursionlimit(1_000_000)  # its sort recurses as deep as the graph


class Value:
    """A number that remembers how it was made."""

    def __init__(self, data, children=()):
        self.data = data
        self.grad = 0
        self._backward = lambda: None
        self._prev = set(children)

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def backward():
            self.grad += out.grad
            other.grad += out.grad

        out._backward = backward
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def backward():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out._backward = backward
        return out

    def relu(self):
        out = Value(self.data if self.data > 0 else 0, (self,))

        def backward():
            self.grad += (out.data > 0) * out.grad

        out._backward = backward
        return out

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for child in node._prev:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1
        for node in reversed(order):
            node._backward()

    __radd__, __rmul__ = __add__, __mul__


class MLP:
    """A perceptron with ReLU, weights drawn as micrograd draws them."""

    def __init__(self, nin, nouts):
        sizes = [nin, *nouts]
        self.layers = [
            [([Value(random.uniform(-1, 1)) for _ in range(n)], Value(0)) for _ in range(m)]
            for n, m in zip(sizes, nouts)
        ]

    def __call__(self, x):
        for k, layer in enumerate(self.layers):
            sums = [sum((w * v for w, v in zip(weights, x)), bias) for weights, bias in layer]
            x = [s.relu() for s in sums] if k < len(self.layers) - 1 else sums
        return x[0]

    def parameters(self):
        return [p for layer in self.layers for weights, bias in layer for p in [*weights, bias]]
