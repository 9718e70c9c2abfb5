"""viz.watch: how often it measures, its view in a terminal and a notebook, in `fit`, wrong arguments."""

import io

import pytest
from rich.console import Console

import minigrad
from minigrad import nn, optim, train, viz
from minigrad.datasets import load_digits
from minigrad.nn import functional as F
from minigrad.viz.vitals import live, pace, passes
from minigrad.viz.vitals import watch as module


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits()
    return x[:320].reshape(-1, 64) / 16, y[:320]


def mlp():
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def bare(model):
    return all(not m._hooks for m in model.modules())


def step(model, optimizer, x, y):
    loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()


def run(model, data):
    """A usual loop of five steps, watched."""
    optimizer = optim.Adam(model.parameters())
    with viz.watch(model, budget=None) as w:
        for x, y in zip(*[part.split(64) for part in data], strict=True):
            step(model, optimizer, x, y)
    return w


class Clock:
    """Time that passes only where it is told to."""

    now = 0.0

    def perf_counter(self):
        self.now += 1e-6
        return self.now


@pytest.mark.parametrize("budget", [0.02, 0.2])
def test_the_time_spent_stays_in_the_budget(budget, monkeypatch):
    clock = Clock()
    for place in (module, pace, passes):
        monkeypatch.setattr(place, "time", clock)
    model, x = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), minigrad.randn(8, 4)
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    with viz.watch(model, live=False, budget=budget) as w:
        for _ in range(400):
            clock.now += 5e-4
            step(model, optimizer, x, minigrad.zeros(8, dtype=minigrad.int64))
    assert 3 < w.measured < 400
    assert w.spent / clock.now < 1.3 * budget
    assert list(w.rows[0]) == list(w.report().rows[0])


def test_the_terminal_shows_a_table_that_is_updated(digits, monkeypatch):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, height=30)
    monkeypatch.setattr(module, "view_for", lambda wanted: live.Terminal(console))
    monkeypatch.setattr(live.Terminal, "least", 0.0)
    model = mlp()
    run(model, digits)
    text = console.file.getvalue()
    assert "1 of 1 steps measured" in text
    assert "5 of 5 steps measured" in text
    assert "Nothing found" in text


def test_beside_another_live_display_it_is_shown_at_the_end():
    from rich.errors import LiveError

    console = Console(file=io.StringIO(), width=100)
    view = live.Terminal(console)

    def refuse():
        raise LiveError("Only one live display may be active at once")

    view._live.start = refuse
    w = viz.watch(nn.Linear(2, 2), live=False)
    w._view = view
    view.update(w.findings, "en")
    view.update(w.findings, "en")
    w.close()
    assert console.file.getvalue().count("Health") == 1


def test_the_notebook_shows_one_output_that_is_updated(digits, monkeypatch):
    display = pytest.importorskip("IPython.display")
    shown = []

    class Handle:
        def update(self, bundle, raw):
            shown.append(bundle)

    def show(bundle, raw, display_id):
        shown.append(bundle)
        return Handle()

    monkeypatch.setattr(display, "display", show)
    monkeypatch.setattr(module, "view_for", lambda wanted: live.Notebook())
    monkeypatch.setattr(live.Notebook, "least", 0.0)
    model = mlp()
    run(model, digits)
    assert len(shown) == 6
    assert all(set(bundle) == {"text/html", "text/plain"} for bundle in shown)


def test_in_fit(digits, capsys):
    model = mlp()
    monitor = viz.HealthMonitor(budget=None)
    with pytest.raises(RuntimeError, match="no training"):
        monitor.report()
    trainer = train.Trainer(model, "Adam", "cross_entropy", lr=1e-3)
    trainer.fit(*digits, epochs=2, callbacks=[monitor], verbose=0)
    assert monitor.report().ok
    assert monitor.watch.measured == 20
    assert monitor.report().rows[0]["update_ratio"] > 0
    assert "Nothing found" in capsys.readouterr().out
    assert bare(model)


def test_wrong_arguments_are_named():
    model = nn.Linear(2, 2)
    for wrong, error, text in [
        ({"model": 3}, TypeError, "'model' must be a Module"), ({"optimizer": 3}, TypeError, "'optimizer'"),
        ({"budget": "x"}, TypeError, "'budget'"), ({"budget": 3}, ValueError, "share between 0 and 1"),
        ({"live": "no"}, ValueError, "'live'"), ({"language": "fr"}, ValueError, "'language'"),
    ]:  # fmt: skip
        with pytest.raises(error, match=text):
            viz.watch(**{"model": model, **wrong})
    assert bare(model)


def test_nothing_watched_is_said():
    with viz.watch(nn.Sequential(), live=False) as w:
        assert len(w.report().unknown) == 3
        assert str(w)
