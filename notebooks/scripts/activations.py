"""What activations do to training: deep stacks, dead units, a learned slope, and maxout.

Four runs, each over several seeds:
    deep     20 hidden layers on the digits, with one activation or another: which of them learn?
    dead     a network all of whose ReLUs are off at the start: which activations come back from there?
    slope    PReLU learns the slope that it is shown
    maxout   one unit of 2, 3 or 5 straight pieces fitted to x²
"""

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_digits
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset

ACTIVATIONS = {
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "ReLU": nn.ReLU, "LeakyReLU": nn.LeakyReLU, "PReLU": nn.PReLU,
    "ELU": nn.ELU,
}  # fmt: skip
HELD_OUT = 360


def digits(seed):
    """(training inputs, training labels, held-out inputs, held-out labels): 1,437 and 360 digits, split by the seed."""
    images, labels = load_digits()
    order = minigrad.randperm(len(labels), generator=minigrad.Generator().manual_seed(seed))
    images, labels = images.flatten(1)[order] / 16, labels[order]
    return images[HELD_OUT:], labels[HELD_OUT:], images[:HELD_OUT], labels[:HELD_OUT]


def deep(activation, depth=20, width=32):
    """`depth` hidden layers. Weights start as suits the activation: He's for ReLU and its kin, else Xavier's."""
    layers = []
    for k in range(depth):
        linear = nn.Linear(64 if k == 0 else width, width)
        if activation in (nn.Sigmoid, nn.Tanh):
            nn.init.xavier_normal_(linear.weight)
        else:
            nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        nn.init.zeros_(linear.bias)
        layers += [linear, activation()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


def asleep(activation, width=32, bias=-3.0):
    """One hidden layer whose weighted sums are below zero for every digit: all its ReLUs are off."""
    model = nn.Sequential(nn.Linear(64, width), activation(), nn.Linear(width, 10))
    nn.init.constant_(model[0].bias, bias)
    return model


def train(model, optimizer, inputs, labels, epochs):
    for _ in range(epochs):
        for x, y in DataLoader(TensorDataset(inputs, labels), batch_size=64, shuffle=True):
            optimizer.zero_grad()
            F.cross_entropy(model(x), y).backward()
            optimizer.step()


def accuracy(model, inputs, labels):
    with minigrad.no_grad():
        return (model(inputs).argmax(1) == labels).float().mean().item()


def dead(model, inputs):
    """The share of units of the first layer whose weighted sum is at most 0 for every input."""
    with minigrad.no_grad():
        return (model[0](inputs) <= 0).all(0).float().mean().item()


def gradient_by_layer(model, inputs, labels):
    """The norm of the loss's gradient with respect to each layer's weights, from the input to the output."""
    model.zero_grad()
    F.cross_entropy(model(inputs), labels).backward()
    return [layer.weight.grad.norm().item() for layer in model if isinstance(layer, nn.Linear)]


def trained(build, activation, seed, epochs, lr):
    """Accuracy on the held-out digits of a network that `build` made of an activation."""
    minigrad.manual_seed(seed)
    inputs, labels, new_inputs, new_labels = digits(seed)
    model = build(activation)
    train(model, optim.Adam(model.parameters(), lr=lr), inputs, labels, epochs)
    return accuracy(model, new_inputs, new_labels)


def fit(model, x, y, steps, lr):
    """Full-batch Adam on the squared error, with a rate that falls to 0; the error at the end."""
    optimizer = optim.Adam(model.parameters(), lr=lr)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(steps):
        optimizer.zero_grad()
        F.mse_loss(model(x), y).backward()
        optimizer.step()
        schedule.step()
    with minigrad.no_grad():
        return F.mse_loss(model(x), y).item()


def learned_slope(target, steps=300):
    """The slope of a PReLU that was fitted to `target`, a function of tensors, between -2 and 2."""
    x = minigrad.linspace(-2, 2, 81)
    model = nn.PReLU()
    fit(model, x, target(x), steps, lr=0.05)
    return model.weight.item()


def maxout(pieces, seed, steps=400):
    """(a unit of so many pieces fitted to x² on [-1, 1], its mean squared error, pieces that are the largest
    somewhere). Each piece begins as a line of random slope through a random point of the curve."""
    minigrad.manual_seed(seed)
    x = minigrad.linspace(-1, 1, 201)[:, None]
    y = x**2
    model = nn.Maxout(1, 1, pieces)
    with minigrad.no_grad():
        at = minigrad.randint(0, len(x), (pieces,))
        model.weight.uniform_(-2, 2)
        model.bias.copy_(y[at, 0] - model.weight[:, 0] * x[at, 0])
    error = fit(model, x, y, steps, lr=0.02)
    with minigrad.no_grad():
        used = F.linear(x, model.weight, model.bias).argmax(1).unique()
    return model, error, len(used)


def main():
    chosen = options(
        __doc__,
        seeds=(5, 1, "how many seeds, from --seed on"),
        epochs=(30, 1, "passes over the training part"),
        starts=(8, 2, "how many starts of maxout"),
    )
    reached = {}
    for title, build, lr in (("20 hidden layers", deep, 1e-3), ("all ReLUs off at the start", asleep, 1e-2)):
        print(f"{title}: accuracy on {HELD_OUT} held-out digits")
        for name, activation in progress(ACTIVATIONS.items(), title, quiet=chosen.quiet):
            found = [trained(build, activation, chosen.seed + k, chosen.epochs, lr) for k in range(chosen.seeds)]
            reached[build, name] = sum(found) / len(found)
            print(f"  {name:10}", *(f"{share:7.1%}" for share in found))
    slopes = [learned_slope(lambda x, a=a: F.leaky_relu(x, a)) for a in (0.0, 0.3, 1.0, -1.0)]
    print("PReLU, shown slopes 0, 0.3, 1, -1, learned", *(f"{slope:.3f}" for slope in slopes))
    best = {}
    for pieces in (2, 3, 5):
        found = [maxout(pieces, chosen.seed + k)[1] for k in range(chosen.starts)]
        best[pieces] = min(found)
        print(f"maxout, {pieces} pieces: errors", *(f"{error:.5f}" for error in sorted(found)))
    result(
        f"20 layers, {HELD_OUT} held-out digits, mean of {chosen.seeds} seeds: ReLU {reached[deep, 'ReLU']:.1%}, "
        f"sigmoid {reached[deep, 'sigmoid']:.1%}; all units off at the start: ReLU {reached[asleep, 'ReLU']:.1%}, "
        f"LeakyReLU {reached[asleep, 'LeakyReLU']:.1%}; maxout on x², 2, 3, 5 pieces, best of {chosen.starts}: error "
        f"{best[2]:.4f}, {best[3]:.4f}, {best[5]:.5f}"
    )


if __name__ == "__main__":
    main()
