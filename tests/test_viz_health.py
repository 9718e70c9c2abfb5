"""viz.health: the right verdict on ill models, none on healthy ones, figures as counted by hand, nothing changed."""

import copy
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import minigrad
from minigrad import nn, optim, viz
from minigrad.datasets import load_digits
from minigrad.nn import functional as F
from minigrad.viz.vitals import measure, words

SEEDS = range(3)


def names(health):
    """The rules that spoke."""
    return [verdict.rule for verdict in health.verdicts]


def deep(kind, layers=20, width=32, init=None):
    """`layers` hidden layers and one more."""
    parts = [part for _ in range(layers) for part in (nn.Linear(width, width), kind())]
    model = nn.Sequential(*parts, nn.Linear(width, 10))
    for module in model:
        if init is not None and isinstance(module, nn.Linear):
            init(module.weight)
            nn.init.zeros_(module.bias)
    return model


def he(weight):
    nn.init.kaiming_normal_(weight, nonlinearity="relu")


def mlp(kind=nn.ReLU):
    return nn.Sequential(nn.Linear(64, 64), kind(), nn.Linear(64, 64), kind(), nn.Linear(64, 10))


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits()
    return x[:256].reshape(-1, 64) / 16, y[:256]


def data(width=32, count=256):
    return minigrad.randn(count, width), minigrad.randint(0, 10, (count,))


class Forward(nn.Module):
    """A hidden layer, a function of the user's, an output layer."""

    def __init__(self, function):
        super().__init__()
        self.hidden, self.out, self.function = nn.Linear(8, 8), nn.Linear(8, 10), function

    def forward(self, x):
        return self.out(self.function(self.hidden(x)))


# ---- verdicts


@pytest.mark.parametrize("seed", SEEDS)
def test_twenty_sigmoid_layers_vanish_and_relu_with_he_is_healthy(seed):
    minigrad.manual_seed(seed)
    x, y = data()
    ill = viz.health(deep(nn.Sigmoid), x, y, "cross_entropy")
    assert names(ill)[0] == "vanishing-gradient"
    assert ill.verdicts[0].severity == "error"
    assert not ill.ok
    assert ill.verdicts[0].names[0] == "0"
    assert "kaiming_normal_" in ill.verdicts[0].cure()
    assert "기울기 소실" in ill.verdicts[0].text("ko")
    healthy = viz.health(deep(nn.ReLU, init=he), x, y, "cross_entropy")
    assert names(healthy) == []
    assert healthy.ok
    xavier = viz.health(deep(nn.Tanh, init=nn.init.xavier_normal_), x, y, "cross_entropy")
    assert names(xavier) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_weights_far_too_large_explode(seed):
    minigrad.manual_seed(seed)
    x, y = data()
    health = viz.health(deep(nn.ReLU, init=lambda w: nn.init.normal_(w, std=1.0)), x, y, "cross_entropy")
    assert "exploding-gradient" in names(health)


@pytest.mark.parametrize("seed", SEEDS)
def test_strongly_negative_biases_are_dead(seed, digits):
    minigrad.manual_seed(seed)
    model = mlp()
    nn.init.constant_(model[0].bias, -20.0)
    health = viz.health(model, *digits, "cross_entropy")
    verdict = health.verdicts[0]
    assert (verdict.rule, verdict.severity) == ("dead-relu", "error")
    assert "1" in verdict.names
    assert health.rows[1]["dead"] == 1.0
    assert health.rows[1]["samples"] == 256
    assert "LeakyReLU" in verdict.cure()
    assert "zero-gradient" in names(health)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [nn.Tanh, nn.Sigmoid])
def test_huge_weights_saturate(seed, kind, digits):
    minigrad.manual_seed(seed)
    model = mlp(kind)
    with minigrad.no_grad():
        for weight in (model[0].weight, model[2].weight):
            weight.mul_(100)
    health = viz.health(model, *digits, "cross_entropy")
    assert "saturated" in names(health)
    (verdict,) = [v for v in health.verdicts if v.rule == "saturated"]
    assert {*verdict.names} & {"1", "3"}
    assert "xavier" in verdict.cure()


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", [nn.ReLU, nn.Tanh, nn.Sigmoid, nn.GELU, nn.LeakyReLU])
def test_a_fresh_network_raises_no_alarm(seed, kind, digits):
    minigrad.manual_seed(seed)
    model = mlp(kind)
    health = viz.health(model, *digits, nn.CrossEntropyLoss(), optimizer=optim.Adam(model.parameters(), lr=1e-3))
    assert names(health) == []
    assert health.unknown == ()
    assert 1e-3 < health.rows[0]["update_ratio"] < 0.1


def ratio(h):
    z = h - h
    return z / z


NANS = [
    ("log", "forward", lambda h: h.log()),
    ("div", "forward", ratio),
    ("exp", "forward", lambda h: (h.abs() * 1e4).exp()),
    ("sqrt", "forward", lambda h: h.sqrt()),
    ("pow", "forward", lambda h: h**0.5),
    ("reciprocal", "forward", lambda h: 1.0 / F.relu(h)),
    ("sqrt", "backward", lambda h: F.relu(h).sqrt()),
    ("pow", "backward", lambda h: F.relu(h) ** 0.5),
]


@pytest.mark.parametrize(("op", "when", "function"), NANS, ids=[f"{op}-{when}" for op, when, _ in NANS])
def test_nan_is_traced_to_the_operation_that_made_it(op, when, function):
    health = viz.health(Forward(function), *data(8), "cross_entropy")
    verdict = health.verdicts[0]
    assert verdict.rule == ("bad-operation" if when == "forward" else "bad-derivative")
    assert health.findings.origin.name in (op, "div" if op == "reciprocal" else op)
    assert health.findings.origin.when == when
    assert health.findings.origin.line[0].endswith("test_viz_health.py")
    assert f"`{health.findings.origin.name}`" in verdict.text()
    assert verdict.cure() == words.CURES_OF_OPS[health.findings.origin.name]["en"]


def test_the_numbers_of_the_first_nan_are_told():
    model = Forward(lambda h: (h * 0 - 0.25).log())
    text = viz.health(model, *data(8), "cross_entropy").verdicts[0].text()
    assert "log(-0.25) = nan" in text
    assert "test_viz_health.py" in text


def test_nan_of_inputs_weights_and_loss_is_told_apart():
    x, y = data(8)
    model = Forward(F.relu)
    hole = x.clone()
    hole[3, 2] = float("nan")
    assert names(viz.health(model, hole, y, "cross_entropy"))[0] == "bad-input"
    own = viz.health(model, x, y, lambda out, _: (out - out).sum().log())
    assert (names(own)[0], own.findings.origin.name) == ("bad-operation", "log")
    flat = viz.health(model, x, None, lambda out: (out - out).sum().sqrt())
    assert (names(flat)[0], flat.findings.origin.name) == ("bad-derivative", "sqrt")
    with minigrad.no_grad():
        model.out.weight[0, 0] = float("inf")
    broken = viz.health(model, x, y, "cross_entropy")
    assert names(broken) == ["bad-weights"]
    assert broken.verdicts[0].names == ("out.weight",)


def test_an_attention_mask_is_not_blamed_for_a_later_nan():
    def masked(h):
        scores = h.masked_fill(minigrad.ones(256, 8).tril(2) == 0, -math.inf)
        return scores.softmax(-1) + (h * 0 - 1).sqrt()

    assert viz.health(Forward(masked), *data(8), "cross_entropy").findings.origin.name == "sqrt"
    fine = Forward(lambda h: h.masked_fill(h > 1, -math.inf).softmax(-1))
    assert not any(name.startswith("bad") for name in names(viz.health(fine, *data(8), "cross_entropy")))


def test_frozen_unused_cut_off_and_alike():
    x, y = data(8)
    frozen = Forward(F.relu)
    frozen.hidden.requires_grad_(False)
    health = viz.health(frozen, x, y, "cross_entropy")
    assert [(v.rule, v.names) for v in health.verdicts] == [("frozen", ("hidden.weight", "hidden.bias"))]
    assert health.ok
    spare = Forward(F.relu)
    spare.spare = nn.Linear(3, 3)
    health = viz.health(spare, x, y, "cross_entropy")
    assert [(v.rule, v.names) for v in health.verdicts] == [("not-used", ("spare",))]
    assert health.rows[-1]["calls"] == 0
    cut = viz.health(Forward(lambda h: h.detach().relu()), x, y, "cross_entropy")
    assert [(v.rule, v.names) for v in cut.verdicts] == [("no-gradient", ("hidden.weight", "hidden.bias"))]
    same = Forward(minigrad.tanh)
    for tensor, value in zip(same.parameters(), (0.1, 0.0, 0.1, 0.0), strict=True):
        nn.init.constant_(tensor, value)
    assert "symmetric" in names(viz.health(same, x, y, "cross_entropy"))
    zero_head = Forward(minigrad.tanh)  # a usual start, and it learns
    nn.init.zeros_(zero_head.out.weight)
    assert "symmetric" not in names(viz.health(zero_head, x, y, "cross_entropy"))


def test_parameters_no_optimizer_has_and_a_model_in_evaluation_mode():
    x, y = data(8)
    model = Forward(F.relu)
    health = viz.health(model, x, y, "cross_entropy", optimizer=optim.SGD(model.out.parameters(), lr=0.1))
    assert [(v.rule, v.names) for v in health.verdicts] == [("not-optimized", ("hidden.weight", "hidden.bias"))]
    drop = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 10)).eval()
    health = viz.health(drop, x, y, "cross_entropy")
    assert [(v.rule, v.names) for v in health.verdicts] == [("evaluation-mode", ("1", "2"))]


def test_inputs_that_are_not_scaled_saturate_tanh(digits):
    assert "saturated" in names(viz.health(mlp(nn.Tanh), digits[0] * 16, digits[1], "cross_entropy"))


def test_a_loss_far_above_that_of_guessing(digits):
    model = mlp()
    with minigrad.no_grad():
        model[4].weight.mul_(1000)
    health = viz.health(model, *digits, "cross_entropy")
    assert "first-loss" in names(health)
    assert f"ln(10) = {math.log(10):.3g}" in next(v for v in health.verdicts if v.rule == "first-loss").text()


# ---- figures


finite = hnp.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]), hnp.array_shapes(min_dims=0, max_dims=3, min_side=0),
    elements=st.floats(-1000, 1000, width=16),
)  # fmt: skip


@given(finite)
def test_stats_are_those_of_numpy(array):
    stats, wide = measure.stats_of(array), array.astype(np.float64)
    assert stats.size == array.size
    assert stats.nonfinite == 0
    assert stats.norm == pytest.approx(np.linalg.norm(wide.ravel()), rel=1e-4, abs=1e-12)
    if array.size:
        assert stats.mean == pytest.approx(wide.mean(), rel=1e-3, abs=1e-4 * stats.norm + 1e-12)
        assert stats.std == pytest.approx(wide.std(), rel=1e-2, abs=1e-6 * abs(stats.mean) + 1e-12)
        assert stats.zeros == pytest.approx((array == 0).mean())


def test_stats_of_large_small_and_broken_numbers():
    assert measure.stats_of(np.full(9, 1e30, np.float32)).norm == pytest.approx(3e30)
    assert measure.stats_of(np.full(9, 1e-30, np.float32)).norm == pytest.approx(3e-30)
    assert measure.stats_of(np.full(100_000, 1.0, np.float32) + 1e-3).std < 1e-6
    bad = measure.stats_of(np.array([1.0, np.nan, np.inf, 0.0], np.float32))
    assert (bad.nonfinite, bad.zeros) == (2, 0.25)
    parts = [np.arange(5.0), np.arange(100.0)]
    pooled, whole = measure.Stats.pooled([measure.stats_of(p) for p in parts]), measure.stats_of(np.concatenate(parts))
    assert (pooled.size, pooled.mean, pooled.std) == pytest.approx((whole.size, whole.mean, whole.std))


def test_rows_say_what_is_counted_by_hand():
    x, y = data(8)
    model = Forward(F.relu)
    row = {row["layer"]: row for row in viz.health(model, x, y, "cross_entropy").rows}
    assert list(row) == ["hidden", "hidden → relu", "out"]
    hidden = model.hidden(x)
    hidden.retain_grad()
    active = hidden.relu()
    F.cross_entropy(model.out(active), y).backward()
    assert row["hidden"]["out_mean"] == pytest.approx(hidden.mean().item(), rel=1e-4)
    assert row["hidden"]["out_std"] == pytest.approx(hidden.std(correction=0).item(), rel=1e-4)
    assert row["hidden"]["grad_norm"] == pytest.approx(hidden.grad.norm().item(), rel=1e-4)
    both = math.hypot(model.hidden.weight.grad.norm().item(), model.hidden.bias.grad.norm().item())
    assert row["hidden"]["weight_grad_norm"] == pytest.approx(both, rel=1e-4)
    assert row["hidden → relu"]["dead"] == pytest.approx((active == 0).all(0).float().mean().item())
    assert row["out"]["parameters"] == 90


def test_update_ratio_of_sgd_is_lr_times_gradient_over_weight():
    model = nn.Linear(8, 10)
    x, y = data(8)
    health = viz.health(model, x, y, "cross_entropy", optimizer=optim.SGD(model.parameters(), lr=0.5))
    F.cross_entropy(model(x), y).backward()
    expected = 0.5 * model.weight.grad.norm() / model.weight.norm()
    assert health.rows[0]["update_ratio"] == pytest.approx(expected.item(), rel=1e-3)


def test_saturation_and_dead_channels():
    y = np.array([0.005, 0.02, 0.5, 0.98, 0.995], np.float32)
    assert measure.saturated_share(y, "sigmoid") == pytest.approx(2 / 5)
    assert measure.saturated_share(2 * y - 1, "tanh") == pytest.approx(2 / 5)
    conv = nn.Conv2d(1, 4, 3)
    nn.init.constant_(conv.bias, 5.0)
    with minigrad.no_grad():
        conv.bias[1] = -100.0
    for shape in ((6, 1, 9, 9), (1, 9, 9)):  # a batch, and a lone picture
        health = viz.health(nn.Sequential(conv, nn.ReLU()), minigrad.randn(*shape), loss_fn=lambda out: out.mean())
        assert health.rows[1]["dead"] == 0.25
        assert health.rows[1]["samples"] == math.prod(shape) * 49 / 81


# ---- nothing is changed


def test_health_leaves_everything_as_it_was(digits):
    x, y = digits
    model = nn.Sequential(nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Dropout(0.5), nn.Linear(32, 10))
    model[3].eval()
    optimizer = optim.Adam(model.parameters())
    F.cross_entropy(model(x), y).backward()
    x.requires_grad_(True)
    state = copy.deepcopy(model.state_dict())
    grads = [p.grad.array.copy() for p in model.parameters()]
    versions = [t._version for t in (*model.parameters(), *model.buffers(), x)]
    draws = minigrad.get_rng_state(), random.getstate(), repr(np.random.get_state())  # noqa: NPY002
    viz.health(model, x, y, "cross_entropy", optimizer=optimizer)
    viz.health(model)
    assert draws[1] == random.getstate()
    assert draws[2] == repr(np.random.get_state())  # noqa: NPY002
    assert bool((draws[0] == minigrad.get_rng_state()).all())
    assert all(bool((state[name] == value).all()) for name, value in model.state_dict().items())
    assert all((g == p.grad.array).all() for g, p in zip(grads, model.parameters(), strict=True))
    assert versions == [t._version for t in (*model.parameters(), *model.buffers(), x)]
    assert [m.training for m in model] == [True, True, True, False, True]
    assert all(not m._hooks for m in model.modules())
    assert not optimizer.state
    assert x.grad is None
    x.requires_grad_(False)


def test_an_error_of_the_model_comes_through_and_leaves_nothing():
    model = Forward(lambda h: h @ h)
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        viz.health(model, *data(8), "cross_entropy")
    assert all(not m._hooks for m in model.modules())


def test_after_a_step_it_uses_what_is_there():
    model = Forward(F.relu)
    fresh = viz.health(model)
    assert len(fresh.unknown) == 3
    assert "zero_grad" in fresh.unknown[1]
    x, y = data(8)
    F.cross_entropy(model(x), y).backward()
    health = viz.health(model, language="ko")
    assert health.rows[0]["weight_grad_norm"] > 0
    assert health.rows[0]["out_mean"] is None
    assert health.rows[0]["verdicts"] == []
    assert len(health.unknown) == 2
    assert viz.health(model, x).unknown[0].startswith("gradients: no loss_fn")
