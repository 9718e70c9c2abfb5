"""Chapter 16: LSTM and GRU by hand, the gradient over time, the memory test, and the sunspots forecast honestly."""

import numpy as np
import pytest

import minigrad
from minigrad import nn, viz
from notebooks.scripts.recurrent import (
    SERIES,
    SUNSPOTS,
    TEST,
    TRAIN,
    VALIDATION,
    YEARS,
    autoregression,
    best_order,
    forecast,
    gradient_over_time,
    last_value,
    open_forget_gate,
    remember,
    rmse,
    train,
)

NAIVE = 32.9  # the error of "as last year", rounded


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_lstm_by_hand():
    minigrad.manual_seed(0)
    layer = nn.LSTM(1, 3)
    w, u, b, b2 = (p.detach().numpy() for p in layer.parameters())
    h = c = np.zeros(3)
    for x in SERIES[:7].numpy():
        i, f, g, o = np.split(w @ [x] + u @ h + b + b2, 4)
        c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
        h = sigmoid(o) * np.tanh(c)
    _, (last_h, last_c) = layer(SERIES[:7].reshape(7, 1, 1))
    np.testing.assert_allclose(last_h.detach().flatten(), h, rtol=1e-4)
    np.testing.assert_allclose(last_c.detach().flatten(), c, rtol=1e-4)
    drawn = viz.plots.gate_values(layer, SERIES[:7].reshape(7, 1, 1)).values
    np.testing.assert_allclose(drawn["forget"][-1], sigmoid(f), rtol=1e-4)


def test_the_split_is_by_time_and_the_scale_of_the_past():
    assert [YEARS[part].tolist() for part in (TRAIN, VALIDATION, TEST)] == [
        list(range(1700, 1900)), list(range(1900, 1949)), list(range(1949, 2009)),
    ]  # fmt: skip
    assert SERIES[TRAIN].mean().item() == pytest.approx(0, abs=1e-6)
    assert SERIES[TRAIN].std(correction=0).item() == pytest.approx(1, abs=1e-6)
    assert abs(SERIES.mean().item()) > 0.1


def test_a_forecast_does_not_know_its_year():
    """What is said of a year stays as it is when that year and all later ones are changed."""
    model, _ = train(0, epochs=2)
    before = forecast(model)
    kept = SERIES[260:].clone()
    try:
        SERIES[260:] = 5.0
        changed = forecast(model)
    finally:
        SERIES[260:] = kept
    np.testing.assert_array_equal(changed[:261], before[:261])
    assert not np.allclose(changed[262:], before[262:])


def test_the_simple_rules():
    assert rmse(last_value(1), TEST) == pytest.approx(NAIVE, abs=0.05)
    assert rmse(last_value(11), TEST) == pytest.approx(37.2, abs=0.05)
    assert last_value(1)[1:].tolist() == SUNSPOTS[:-1].tolist()
    assert best_order() == 10
    assert rmse(autoregression(10, VALIDATION), TEST) == pytest.approx(19.2, abs=0.05)


@pytest.mark.parametrize("seed", range(3))
def test_lstm_beats_the_naive_forecasts(seed):
    model, history = train(seed)
    assert rmse(forecast(model), TEST) < 0.75 * NAIVE
    validation = [row["val_loss"] for row in history]
    assert min(validation) < validation[-1]  # it turns up again: early stopping has something to do


@pytest.mark.long
@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_recurrent_layers_beat_the_naive_forecasts(kind):
    assert max(rmse(forecast(train(seed, kind)[0]), TEST) for seed in range(5)) < 0.75 * NAIVE


def test_the_gradient_vanishes_unless_the_forget_gate_is_open():
    def far_back(make):
        shares = []
        for seed in range(5):
            minigrad.manual_seed(seed)
            shares.append(gradient_over_time(make())[40])
        return max(shares), min(shares)

    assert far_back(lambda: nn.RNN(1, 32))[0] < 1e-6
    assert far_back(lambda: nn.LSTM(1, 32))[0] < 1e-6
    assert far_back(lambda: open_forget_gate(nn.LSTM(1, 32)))[1] > 1e-3


def remembered(make, seed):
    minigrad.manual_seed(seed)
    return remember(make())


@pytest.mark.parametrize("seed", range(2))
def test_an_open_forget_gate_remembers_forty_steps(seed):
    assert remembered(lambda: open_forget_gate(nn.LSTM(1, 32)), seed) > 0.95
    assert remembered(lambda: nn.RNN(1, 32), seed) < 0.6


@pytest.mark.long
def test_closed_ones_do_not():
    for make in (lambda: nn.RNN(1, 32), lambda: nn.LSTM(1, 32)):
        assert max(remembered(make, seed) for seed in range(5)) < 0.6
    assert min(remembered(lambda: open_forget_gate(nn.LSTM(1, 32)), seed) for seed in range(5)) > 0.95
