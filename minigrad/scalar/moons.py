"""Two moons told apart by a perceptron of single numbers: micrograd's demo, and the same by a tape.

    python -m minigrad.scalar.moons             record the first step, replay the others
    python -m minigrad.scalar.moons --eager     build the graph of 65,000 Values anew in each step

A network 2-16-16-1, 100 points, the support vector machine's "max-margin" loss, 100 steps of gradient descent.
"""

from __future__ import annotations

import argparse
import random
import time

from minigrad.datasets import make_moons
from minigrad.scalar import nn, record
from minigrad.scalar.engine import Value

__all__ = ["loss_of", "problem", "train"]

STEPS = 100


def problem(value=Value, mlp=nn.MLP):
    """(network, rows of inputs, targets of -1 and 1), the same numbers for whatever class of Values."""
    random.seed(1337)
    x, y = make_moons(n_samples=100, noise=0.1, random_state=1337)
    return mlp(2, [16, 16, 1]), [list(map(value, row)) for row in x.tolist()], (2 * y - 1).tolist()


def loss_of(model, rows, targets):
    """(loss, scores): the mean hinge loss of all points, and a little of the weights' squares."""
    scores = list(map(model, rows))
    losses = [(1 + -target * score).relu() for target, score in zip(targets, scores, strict=True)]
    penalty = 1e-4 * sum(p * p for p in model.parameters())
    return sum(losses) * (1.0 / len(losses)) + penalty, scores


def train(model, rows, targets, steps=STEPS, tape=True):
    """Gradient descent with a rate that falls from 1 to 0.1. Gives (losses before each step, accuracy before the last).
    With tape=True the first step is recorded, and all are replayed."""
    parameters, losses = model.parameters(), []
    if tape:
        with record() as recorded:
            loss, scores = loss_of(model, rows, targets)
    for step in range(steps):
        for p in parameters:
            p.grad = 0
        if tape:
            losses.append(recorded.forward())
            recorded.backward()
            predicted = [recorded.value(score) for score in scores]
        else:
            loss, scores = loss_of(model, rows, targets)
            losses.append(loss.data)
            loss.backward()
            predicted = [score.data for score in scores]
        rate = 1.0 - 0.9 * step / steps
        for p in parameters:
            p.data -= rate * p.grad
    right = [(score > 0) == (target > 0) for score, target in zip(predicted, targets, strict=True)]
    return losses, sum(right) / len(right)


def main(arguments=None):
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m minigrad.scalar.moons", description=__doc__.split("\n")[0])
    parser.add_argument("--eager", action="store_true", help="build every step's graph anew")
    parser.add_argument("--steps", type=int, default=STEPS, help="default: %(default)s")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    losses, accuracy = train(*problem(), steps=options.steps, tape=not options.eager)
    seconds = time.perf_counter() - start
    print(f"loss {losses[0]:.4f} to {losses[-1]:.4f}, accuracy {accuracy:.0%}: {options.steps} steps, {seconds:.2f} s")


if __name__ == "__main__":
    main()
