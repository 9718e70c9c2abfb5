"""Neurons, layers and perceptrons of Values: what micrograd's `nn` has, with its initial weights for a seed.

Weights are drawn by ``random.uniform(-1, 1)``, neuron after neuron, so that ``random.seed(1337)`` gives micrograd's.
Modules for arrays, of every kind, are in `minigrad.nn`.
"""

from __future__ import annotations

import random

from minigrad.scalar.engine import Value

__all__ = ["MLP", "Layer", "Module", "Neuron"]


class Module:
    """What has parameters."""

    def parameters(self) -> list[Value]:
        """The Values that are to be learnt."""
        return []

    def zero_grad(self) -> None:
        """Set every parameter's gradient to 0."""
        for parameter in self.parameters():
            parameter.grad = 0


class Neuron(Module):
    """Neuron(nin, nonlin=True): ``relu(w · x + b)``, or ``w · x + b`` with nonlin=False. `b` starts at 0."""

    def __init__(self, nin, nonlin=True):
        self.w = [Value(random.uniform(-1, 1)) for _ in range(nin)]
        self.b = Value(0)
        self.nonlin = nonlin

    def __call__(self, x) -> Value:
        """The activation for `nin` numbers or Values."""
        total = self.b
        for weight, number in zip(self.w, x, strict=False):
            total = total + weight * number
        return total.relu() if self.nonlin else total

    def parameters(self):
        return [*self.w, self.b]

    def __repr__(self):
        return f"{'ReLU' if self.nonlin else 'Linear'}Neuron({len(self.w)})"


class Layer(Module):
    """Layer(nin, nout, **kwargs): `nout` neurons of `nin` inputs each; kwargs go to every `Neuron`."""

    def __init__(self, nin, nout, **kwargs):
        self.neurons = [Neuron(nin, **kwargs) for _ in range(nout)]

    def __call__(self, x):
        """The list of activations; of a single neuron, the activation."""
        outputs = [neuron(x) for neuron in self.neurons]
        return outputs[0] if len(outputs) == 1 else outputs

    def parameters(self):
        return [parameter for neuron in self.neurons for parameter in neuron.parameters()]

    def __repr__(self):
        return f"Layer of [{', '.join(map(str, self.neurons))}]"


class MLP(Module):
    """MLP(nin, nouts): layers of `nouts` neurons one after the other, the last without ReLU."""

    def __init__(self, nin, nouts):
        sizes = [nin, *nouts]
        self.layers = [Layer(sizes[i], sizes[i + 1], nonlin=i != len(nouts) - 1) for i in range(len(nouts))]

    def __call__(self, x):
        """What the last layer gives."""
        for layer in self.layers:
            x = layer(x)
        return x

    def parameters(self):
        return [parameter for layer in self.layers for parameter in layer.parameters()]

    def __repr__(self):
        return f"MLP of [{', '.join(map(str, self.layers))}]"
