"""Universal approximation: one hidden layer fits any curve, if it is wide enough; found it must be as well.

python notebooks/scripts/universal_approximation.py
python notebooks/scripts/universal_approximation.py --curve peak
"""

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result

CURVES = {
    "waves": lambda x: np.sin(3 * x) + 0.5 * np.sin(7 * x + 1),
    "peak": lambda x: np.exp(-8 * x**2) - 0.5 * np.abs(x - 1),
}
SPAN = (-2.0, 2.0)
WIDTHS = (1, 2, 4, 8, 16, 32, 64)


def points(curve, count=201):
    """x and y of a curve, float32 (count, 1)."""
    x = np.linspace(*SPAN, count)[:, None]
    return minigrad.tensor(x).float(), minigrad.tensor(CURVES[curve](x)).float()


def ramps(curve, width):
    """The theorem, constructed: a ReLU network that meets the curve at `width` + 1 places, without any training.

    Between two neighbours it is a straight line: each neuron bends the line by the change of slope.
    """
    knots = np.linspace(*SPAN, width + 1)
    heights = CURVES[curve](knots)
    slopes = np.diff(heights) / np.diff(knots)
    model = nn.Sequential(nn.Linear(1, width), nn.ReLU(), nn.Linear(width, 1))
    with minigrad.no_grad():
        model[0].weight.fill_(1.0)
        model[0].bias.copy_(minigrad.tensor(-knots[:-1]))
        model[2].weight.copy_(minigrad.tensor(np.diff(slopes, prepend=0.0))[None])
        model[2].bias.fill_(float(heights[0]))
    return model


def largest_error(model, curve, count=2001):
    """The largest distance from the curve, over its span."""
    x, y = points(curve, count)
    with minigrad.no_grad():
        return (model(x) - y).abs().max().item()


def rms_error(model, curve, count=2001):
    """The root of the mean squared distance from the curve."""
    x, y = points(curve, count)
    with minigrad.no_grad():
        return (model(x) - y).square().mean().sqrt().item()


def make_model(width, activation=nn.Tanh):
    return nn.Sequential(nn.Linear(1, width), activation(), nn.Linear(width, 1))


def train(seed, width, curve="waves", steps=1500, activation=nn.Tanh):
    """A network of one hidden layer after so many steps of Adam on all points at once."""
    minigrad.manual_seed(seed)
    model = make_model(width, activation)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    x, y = points(curve)
    for _ in range(steps):
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return model


def sweep(curve="waves", widths=WIDTHS, seeds=range(3), steps=1500, activation=nn.Tanh, quiet=True):
    """{width: the errors (root mean square) of its networks, one for each seed}."""
    return {
        width: [rms_error(train(seed, width, curve, steps, activation), curve) for seed in seeds]
        for width in progress(widths, "widths", quiet=quiet)
    }


def main():
    chosen = options(
        __doc__,
        curve=(tuple(CURVES), "waves", "what is fitted"),
        steps=(1500, 30, "steps of training"),
        seeds=(3, 1, "how many networks of each width"),
    )
    seeds = range(chosen.seed, chosen.seed + chosen.seeds)
    found = [
        sweep(chosen.curve, WIDTHS, seeds, chosen.steps, activation, chosen.quiet) for activation in (nn.Tanh, nn.ReLU)
    ]
    built = {width: rms_error(ramps(chosen.curve, width), chosen.curve) for width in WIDTHS}
    print("error (RMS)   trained, tanh     trained, ReLU     ReLU built by hand")
    for width in WIDTHS:
        tanh, relu = (f"{min(errors[width]):.4f} to {max(errors[width]):.4f}" for errors in found)
        print(f"{width:5} wide   {tanh}  {relu}  {built[width]:.4f}")
    trained = ", ".join(f"{width}: {np.mean(found[0][width]):.3f}" for width in (1, 4, 16, 64))
    relu = f"{min(found[1][64]):.3f} to {max(found[1][64]):.3f}"
    result(
        f"one hidden layer on {chosen.curve}, error (RMS) by width: {trained} (tanh, mean of {len(seeds)} seeds); "
        f"64 ReLUs trained: {relu}, built by hand: {built[64]:.3f}"
    )


if __name__ == "__main__":
    main()
