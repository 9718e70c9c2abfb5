"""Recurrent networks: an LSTM forecasts the sunspots of the next year, and is measured against simple rules.

    python notebooks/scripts/recurrent.py
    python notebooks/scripts/recurrent.py --kind GRU --hidden 32

Learnt from 1700 to 1899, stopped by 1900 to 1948, measured on 1949 to 2008: the future is never seen.
"""

import copy

import numpy as np

import minigrad
from minigrad import nn, optim
from minigrad.course import options, progress, result
from minigrad.datasets import load_sunspots

YEARS, SUNSPOTS = (tensor.numpy() for tensor in load_sunspots())
TRAIN, VALIDATION, TEST = slice(0, 200), slice(200, 249), slice(249, 309)
MEAN, SPREAD = SUNSPOTS[TRAIN].mean(), SUNSPOTS[TRAIN].std()  # of the training years only
SERIES = minigrad.tensor((SUNSPOTS - MEAN) / SPREAD)


def rmse(forecast, part):
    """The root of the mean squared error over the years of a part, in sunspots; `forecast` has a number per year."""
    return float(np.sqrt(np.mean((forecast[part] - SUNSPOTS[part]) ** 2)))


def last_value(years_back=1):
    """The naive forecasts: as in the last year, or as 11 years ago, one solar cycle."""
    return np.r_[np.full(years_back, MEAN), SUNSPOTS[:-years_back]]


def autoregression(order, fitted):
    """A linear forecast from the last `order` years, by least squares over the first years, up to those of `fitted`."""
    windows = np.lib.stride_tricks.sliding_window_view(SUNSPOTS, order)[:-1]
    inputs = np.c_[windows, np.ones(len(windows))]
    known = fitted.stop - order
    weights = np.linalg.lstsq(inputs[:known], SUNSPOTS[order : fitted.stop], rcond=None)[0]
    return np.r_[np.full(order, MEAN), inputs @ weights]


def best_order(orders=range(1, 21)):
    """The order whose autoregression, fitted to the training years, does best on the validation years."""
    return min(orders, key=lambda order: rmse(autoregression(order, TRAIN), VALIDATION))


class Forecaster(nn.Module):
    """Reads a series (steps,) and says at each step what comes next: (steps,)."""

    def __init__(self, kind="LSTM", hidden=16):
        super().__init__()
        self.memory = getattr(nn, kind)(input_size=1, hidden_size=hidden)
        self.head = nn.Linear(hidden, 1)

    def forward(self, series):
        states, _ = self.memory(series.reshape(-1, 1, 1))
        return self.head(states).flatten()


def forecast(model):
    """What the model says of each year, in sunspots; it has seen the years before, no others."""
    with minigrad.no_grad():
        said = model(SERIES[:-1]).numpy()
    return np.r_[MEAN, said * SPREAD + MEAN]


def train(seed, kind="LSTM", hidden=16, epochs=200, quiet=True):
    """The model as it was in the epoch in which it did best on the validation years: (model, losses of each epoch)."""
    minigrad.manual_seed(seed)
    model = Forecaster(kind, hidden)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    past, future = SERIES[TRAIN][:-1], SERIES[TRAIN][1:]
    best, history = np.inf, []
    for _ in progress(range(epochs), f"{kind}, seed {seed}", quiet=quiet):
        loss = nn.functional.mse_loss(model(past), future)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        error = rmse(forecast(model), VALIDATION)
        history.append({"loss": loss.item(), "val_loss": (error / SPREAD) ** 2})
        if error < best:
            best, kept = error, copy.deepcopy(model.state_dict())
    model.load_state_dict(kept)
    return model, history


def open_forget_gate(lstm, bias=2.0):
    """Begins with forget gates at σ(bias), nearly open, instead of at one half. (Gers et al. 2000)"""
    hidden = lstm.hidden_size
    with minigrad.no_grad():
        lstm.bias_ih_l0[hidden : 2 * hidden] = bias
        lstm.bias_hh_l0[hidden : 2 * hidden] = 0.0
    return lstm


def gradient_over_time(layer, steps=60):
    """|∂(last state) / ∂(input)| for every input, the last first, as a share of the last: (steps,)."""
    x = minigrad.randn(steps, 1, layer.input_size, requires_grad=True)
    layer(x)[0][-1].sum().backward()
    sizes = x.grad.norm(dim=(1, 2)).numpy()[::-1]
    return sizes / sizes[0]


def remember(layer, length=40, steps=200):
    """Trains it to say, after `length` noisy numbers, whether the first was +1 or -1: the share it gets right then."""

    def sequences(count):
        first = (minigrad.rand(count) < 0.5).float()
        x = 0.3 * minigrad.randn(length, count, 1)
        x[0, :, 0] = 2 * first - 1
        return x, first

    head = nn.Linear(layer.hidden_size, 1)
    optimizer = optim.Adam([*layer.parameters(), *head.parameters()], lr=0.003)
    for _ in range(steps):
        x, first = sequences(64)
        loss = nn.functional.binary_cross_entropy_with_logits(head(layer(x)[0][-1])[:, 0], first)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
        optimizer.step()
    x, first = sequences(500)
    return ((head(layer(x)[0][-1])[:, 0] > 0) == first.bool()).float().mean().item()


def main():
    chosen = options(
        __doc__,
        kind=(("LSTM", "GRU", "RNN"), "LSTM", "the recurrent layer"),
        hidden=(16, 16, "units of that layer"),
        epochs=(200, 20, "passes over the training years"),
        seeds=(5, 1, "how many runs, with the seeds from --seed on"),
    )
    order = best_order()
    print(f"as last year           {rmse(last_value(1), TEST):5.1f}")
    print(f"as 11 years ago        {rmse(last_value(11), TEST):5.1f}")
    print(f"autoregression({order})      {rmse(autoregression(order, VALIDATION), TEST):5.1f}")
    errors, forecasts = [], []
    for seed in range(chosen.seed, chosen.seed + chosen.seeds):
        model, _ = train(seed, chosen.kind, chosen.hidden, chosen.epochs, chosen.quiet)
        forecasts.append(forecast(model))
        errors.append(rmse(forecasts[-1], TEST))
        print(f"{chosen.kind}, seed {seed}           {errors[-1]:5.1f}")
    print(f"the mean of the {chosen.kind}s  {rmse(np.mean(forecasts, axis=0), TEST):5.1f}")
    result(
        f"sunspots one year ahead, 1949 to 2008: error (RMSE) {np.mean(errors):.1f} (seeds: {chosen.seeds}, "
        f"{min(errors):.1f} to {max(errors):.1f}); as last year: {rmse(last_value(1), TEST):.1f}; as 11 years ago: "
        f"{rmse(last_value(11), TEST):.1f}; autoregression: {rmse(autoregression(order, VALIDATION), TEST):.1f}"
    )


if __name__ == "__main__":
    main()
