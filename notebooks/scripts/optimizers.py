"""Optimizers on equal terms: each with the learning rate that was best for it.

digits   a network of 64-32-10 units, ten passes over 1,077 digits in batches of 32. The rate is chosen on a
         validation part; accuracy on 360 held-out digits, over seeds
iris     softmax regression on all of 100 flowers at once, 50 looks at the data; the features scaled alike, or two
         of them in other units (a hundred times apart). The loss reached, over splits
saddle   x² + (y² − 1)²: how many steps until the saddle is left, from a millionth beside its ridge
"""

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits, load_iris
from minigrad.nn import functional as F


def muon(params, lr):
    """Muon is for matrices; the biases get AdamW."""
    matrices, others = [p for p in params if p.ndim == 2], [p for p in params if p.ndim != 2]
    return [optim.Muon(matrices, lr=lr), optim.AdamW(others, lr=lr)]


OPTIMIZERS = {  # (parameters, learning rate) -> optimizers
    "SGD": lambda p, lr: [optim.SGD(p, lr=lr)],
    "momentum": lambda p, lr: [optim.SGD(p, lr=lr, momentum=0.9)],
    "NAG": lambda p, lr: [optim.SGD(p, lr=lr, momentum=0.9, nesterov=True)],
    "AdaGrad": lambda p, lr: [optim.Adagrad(p, lr=lr)],
    "AdaDelta": lambda p, lr: [optim.Adadelta(p, lr=lr)],
    "RMSProp": lambda p, lr: [optim.RMSprop(p, lr=lr)],
    "Adam": lambda p, lr: [optim.Adam(p, lr=lr)],
    "AdamW": lambda p, lr: [optim.AdamW(p, lr=lr)],
    "Adamax": lambda p, lr: [optim.Adamax(p, lr=lr)],
    "NAdam": lambda p, lr: [optim.NAdam(p, lr=lr)],
    "RAdam": lambda p, lr: [optim.RAdam(p, lr=lr)],
    "Lion": lambda p, lr: [optim.Lion(p, lr=lr)],
    "Muon": muon,
    "ASGD": lambda p, lr: [optim.ASGD(p, lr=lr)],
    "Rprop": lambda p, lr: [optim.Rprop(p, lr=lr)],
    "LBFGS": lambda p, lr: [optim.LBFGS(p, lr=lr, max_iter=1000, max_eval=10**6, line_search_fn="strong_wolfe")],
}
OF_BATCHES = [name for name in OPTIMIZERS if name not in ("Rprop", "LBFGS")]  # these two need exact gradients
OF_ALL = ("SGD", "momentum", "AdaGrad", "RMSProp", "Adam", "Rprop", "LBFGS")
ALIKE, MIXED = (1.0, 1.0, 1.0, 1.0), (10.0, 1.0, 1.0, 0.1)  # units of the four measures of an iris
RATES = (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
PART = 360


def digits(seed):
    """Three pairs of inputs and labels: 1,077 to train with, 360 to choose with, 360 held out."""
    images, labels = load_digits()
    order = minigrad.randperm(len(labels), generator=minigrad.Generator().manual_seed(seed))
    images, labels = images.flatten(1)[order] / 16, labels[order]
    parts = slice(2 * PART, None), slice(PART, 2 * PART), slice(0, PART)
    return [(images[part], labels[part]) for part in parts]


def score(model, inputs, labels):
    """(loss, accuracy)"""
    with minigrad.no_grad():
        outputs = model(inputs)
        return F.cross_entropy(outputs, labels).item(), (outputs.argmax(1) == labels).float().mean().item()


def on_digits(name, lr, seed, epochs):
    """(loss on the validation part, accuracy on the held-out part) after some passes in batches of 32."""
    minigrad.manual_seed(seed)
    (inputs, labels), validation, held_out = digits(seed)
    model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizers = OPTIMIZERS[name](list(model.parameters()), lr)
    for _ in range(epochs):
        for part in minigrad.randperm(len(labels)).split(32):
            model.zero_grad()
            F.cross_entropy(model(inputs[part]), labels[part]).backward()
            for optimizer in optimizers:
                optimizer.step()
    return score(model, *validation)[0], score(model, *held_out)[1]


def iris(seed, units):
    """(inputs, labels) of 100 flowers and of 50 held out; the measures have mean 0 and these standard deviations."""
    measures, species = load_iris()
    measures = (measures - measures.mean(0)) / measures.std(0) * minigrad.tensor(units)
    order = minigrad.randperm(150, generator=minigrad.Generator().manual_seed(seed))
    return (measures[order][50:], species[order][50:]), (measures[order][:50], species[order][:50])


def on_iris(name, lr, seed, units=ALIKE, looks=50):
    """(loss on the training part, accuracy on the held-out part) after so many gradients of all 100 flowers. L-BFGS
    computes several of them in a step."""
    (inputs, labels), held_out = iris(seed, units)
    model = nn.Linear(4, 3)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    (optimizer,) = OPTIMIZERS[name](list(model.parameters()), lr)
    losses = []

    def look():
        if len(losses) == looks:
            raise StopIteration
        optimizer.zero_grad()
        loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
        losses.append(loss.item())
        return loss

    try:
        while True:
            optimizer.step(look)
    except StopIteration:
        return losses[-1], score(model, *held_out)[1]


def best_rate(run, name, rates=RATES, *settings):
    """The learning rate with the lowest loss: ``run(name, rate, *settings)`` gives (loss, ...)."""
    losses = [run(name, rate, *settings)[0] for rate in rates]
    return rates[min(range(len(rates)), key=lambda k: losses[k] if losses[k] == losses[k] else float("inf"))]


def steps_to_leave(name, beside, lr=0.05, steps=300):
    """After how many steps from (1.5, beside) the saddle is left (|y| > 0.5), or None."""
    p = minigrad.tensor([1.5, beside], dtype=minigrad.float64, requires_grad=True)
    (optimizer,) = OPTIMIZERS[name]([p], lr)
    for step in range(steps):
        if abs(p[1].item()) > 0.5:
            return step
        optimizer.zero_grad()
        (p[0] ** 2 + (p[1] ** 2 - 1) ** 2).backward()
        optimizer.step()
    return None


def main():
    chosen = options(__doc__, seeds=(5, 1, "how many seeds, from --seed on"), epochs=(10, 1, "passes over the digits"))
    rates = RATES[::5] if chosen.short else RATES
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    accuracies, losses = {}, {}
    print(f"accuracy on {PART} held-out digits after {chosen.epochs} passes")
    for name in progress(OF_BATCHES, "digits", quiet=chosen.quiet):
        rate = best_rate(on_digits, name, rates, chosen.seed, chosen.epochs)
        found = [on_digits(name, rate, seed, chosen.epochs)[1] for seed in seeds]
        accuracies[name] = sum(found) / len(found)
        print(f"  {name:9} lr {rate:6g}", *(f"{share:6.1%}" for share in found))
    for title, units in (("features alike", ALIKE), ("features in mixed units", MIXED)):
        print(f"loss on 100 irises after 50 looks, {title}")
        for name in progress(OF_ALL, title, quiet=chosen.quiet):
            rate = best_rate(on_iris, name, rates, chosen.seed, units)
            found = [on_iris(name, rate, seed, units)[0] for seed in seeds]
            losses[name, units] = sum(found) / len(found)
            print(f"  {name:9} lr {rate:6g}", *(f"{loss:7.4f}" for loss in found))
    print("steps until the saddle is left, from 1e-6 beside its ridge, lr 0.05")
    for name in ("SGD", "momentum", "NAG", "AdaGrad", "RMSProp", "Adam"):
        print(f"  {name:9} {steps_to_leave(name, 1e-6)}")
    best, of = max(accuracies, key=accuracies.get), len(accuracies)
    sgd, momentum, adam = (accuracies[name] for name in ("SGD", "momentum", "Adam"))
    result(
        f"{PART} held-out digits after {chosen.epochs} passes, mean of {chosen.seeds} seeds: SGD {sgd:.1%}, momentum "
        f"{momentum:.1%}, Adam {adam:.1%}, best of {of} {best} {accuracies[best]:.1%}; features in mixed units, loss "
        f"on Iris: SGD {losses['SGD', MIXED]:.2f}, Adam {losses['Adam', MIXED]:.2f}, LBFGS {losses['LBFGS', MIXED]:.2f}"
    )


if __name__ == "__main__":
    main()
