"""viz.watch: verdicts on training that goes well and ill; the loop stays as it was, whatever happens in it."""

import contextlib
import copy
import threading

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, viz
from minigrad.datasets import load_digits
from minigrad.nn import functional as F
from minigrad.optim.hooks import _after_all

SEEDS = range(3)


@pytest.fixture(autouse=True)
def _no_hook_is_left():
    yield
    assert not _after_all


@pytest.fixture(scope="module")
def digits():
    x, y = load_digits()
    return x.reshape(-1, 64) / 16, y


def mlp(kind=nn.ReLU, dropout=0.0):
    return nn.Sequential(
        nn.Linear(64, 64), kind(), nn.Dropout(dropout), nn.Linear(64, 64), kind(), nn.Linear(64, 10)
    )  # fmt: skip


def names(watched):
    return [verdict.rule for verdict in watched.verdicts]


def bare(model):
    return all(not m._hooks for m in model.modules())


def step(model, optimizer, x, y, w=None):
    loss = F.cross_entropy(model(x), y)
    if w is not None:
        w.log(loss)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def run(model, optimizer, data, epochs=1, budget=None):
    """A usual loop, watched."""
    x, y = data
    with viz.watch(model, budget=budget, live=False) as w:
        for _ in range(epochs):
            order = minigrad.randperm(len(x))
            for i in range(0, len(x), 64):
                step(model, optimizer, x[order[i : i + 64]], y[order[i : i + 64]], w)
    assert bare(model)
    return w


# ---- verdicts


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("kind", "lr"), [("Adam", 1e-3), ("Adam", 5e-3), ("SGD", 0.1), ("SGD", 0.01), ("RMSprop", 1e-3)]
)
def test_healthy_training_raises_no_alarm(seed, kind, lr, digits):
    minigrad.manual_seed(seed)
    model = mlp(dropout=0.1)
    w = run(model, getattr(optim, kind)(model.parameters(), lr=lr), digits, epochs=3)
    assert names(w) == [], w
    assert w.steps == w.measured == 87
    assert w.report().unknown == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_learning_rate_far_too_large(seed, digits):
    minigrad.manual_seed(seed)
    model = mlp()
    w = run(model, optim.SGD(model.parameters(), lr=10), digits)
    first = w.verdicts[0]
    assert (first.rule, first.severity) == ("steps-too-large", "error")
    assert "(lr 10)" in first.text()
    assert "dead-relu" in names(w)
    model = mlp(nn.Tanh)
    assert "steps-too-large" in names(run(model, optim.Adam(model.parameters(), lr=1), digits))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("kind", ["SGD", "Adam"])
def test_a_learning_rate_far_too_small(seed, kind, digits):
    minigrad.manual_seed(seed)
    model = mlp()
    w = run(model, getattr(optim, kind)(model.parameters(), lr=1e-8), digits)
    assert names(w) == ["steps-too-small"]
    assert "lr 1e-08" in w.verdicts[0].text()


def test_a_loss_that_rises():
    model, x = nn.Linear(4, 1), minigrad.randn(64, 4)
    y = x.sum(1, keepdim=True)
    optimizer = optim.SGD(model.parameters(), lr=1.5)
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(12):
            loss = F.mse_loss(model(x), y)
            w.log(loss)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    assert "diverging" in names(w)
    assert w.report().findings.losses.values[0] == pytest.approx(w.report().findings.first_loss)


def test_the_step_in_which_nan_appears_and_the_operation(digits):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.shift = nn.Linear(64, 10), 1e3

        def forward(self, x):
            self.shift -= 250
            return (self.body(x) * 0.01 + self.shift).log()

    model, x, y = Net(), *digits
    optimizer = optim.SGD(model.parameters(), lr=1e-3)
    for logs in (True, False):
        model = Net()
        optimizer = optim.SGD(model.parameters(), lr=1e-3)
        with viz.watch(model, live=False, budget=None if not logs else 1e-6) as w:
            for _ in range(8):
                step(model, optimizer, x[:64], y[:64], w if logs else None)
        found = w.report().findings
        assert (found.origin.name, found.origin.when) == ("log", "forward")
        assert found.origin_step in (4, 5)
        assert w.verdicts[0].rule == "bad-operation"


def test_a_derivative_that_is_infinite(digits):
    model = nn.Sequential(
        nn.Linear(64, 10), nn.ReLU(), type("Root", (nn.Module,), {"forward": lambda s, x: x.sqrt()})()
    )
    w = run(model, optim.SGD(model.parameters(), lr=0.1), [part[:64] for part in digits])
    assert (w.report().findings.origin.name, w.report().findings.origin.when) == ("sqrt", "backward")
    assert names(w)[0] == "bad-derivative"


def test_gradients_that_nobody_clears(digits):
    model, (x, y) = mlp(), digits
    optimizer = optim.SGD(model.parameters(), lr=0.01)
    with viz.watch(model, live=False) as w:
        for _ in range(4):
            F.cross_entropy(model(x[:64]), y[:64]).backward()
            optimizer.step()
    assert "gradients-not-cleared" in names(w)


def test_parameters_that_no_optimizer_has(digits):
    model = mlp()
    w = run(model, optim.SGD(model[0].parameters(), lr=0.1), digits)
    assert names(w) == ["not-optimized"]
    assert "3.weight" in w.verdicts[0].names


# ---- the loop stays as it was


def test_weights_and_random_numbers_are_the_same_with_and_without(digits):
    results = []
    for watched in (False, True):
        minigrad.manual_seed(1)
        model = nn.Sequential(
            nn.Linear(64, 32), nn.BatchNorm1d(32), nn.ReLU(inplace=True), nn.Dropout(), nn.Linear(32, 10)
        )
        optimizer = optim.Adam(model.parameters())
        with viz.watch(model, live=False, budget=None) if watched else contextlib.nullcontext():
            for i in range(6):
                step(model, optimizer, digits[0][64 * i : 64 * i + 64], digits[1][64 * i : 64 * i + 64])
        results.append([*[t.array for t in model.state_dict().values()], minigrad.rand(3).array])
    assert all(np.array_equal(a, b) for a, b in zip(*results, strict=True))


def test_an_exception_in_the_loop_or_the_model_leaves_nothing_behind(digits):
    model, x = mlp(), digits[0]

    def broken_loop():
        with viz.watch(model, live=False):
            model(x[:8]).sum().backward()
            raise KeyError

    with pytest.raises(KeyError):
        broken_loop()
    assert bare(model)
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(3):
            with pytest.raises(RuntimeError):
                model(x[:8, :5])
        assert list(model._hooks) == ["forward_pre", "forward"]
        assert all(not m._hooks for m in model)
        step(model, optim.SGD(model.parameters(), lr=0.1), x[:64], digits[1][:64])
        assert w.measured == 1
    w.close()
    assert bare(model)
    assert "closed, 1 of 4 steps" in repr(w)


def test_a_model_that_always_raises_is_not_tried_each_time():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    with viz.watch(model, live=False, budget=1e-3) as w:
        for _ in range(30):
            with pytest.raises(RuntimeError):
                model(minigrad.randn(4, 5))
        assert w.steps == 30
        assert w._begun < 10
        assert list(model._hooks) == ["forward_pre"]
        assert all(not m._hooks for m in model)


def test_an_interrupt_in_the_model_is_cleared_away():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 2))
    stop = model[1].register_forward_hook(lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    w = viz.watch(model, live=False, budget=None)
    with pytest.raises(KeyboardInterrupt):
        model(minigrad.randn(4, 3))
    stop.remove()
    model(minigrad.randn(4, 3)).sum().backward()
    w.close()
    assert (w.measured, bare(model)) == (1, True)


def test_evaluation_in_between_is_passed_over(digits):
    model, (x, y) = mlp(), digits
    optimizer = optim.Adam(model.parameters())
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(3):
            step(model, optimizer, x[:64], y[:64])
            model.eval()
            with minigrad.no_grad():
                model(x[:7])
            model.train()
    assert w.steps == w.measured == 3
    assert w.rows[1]["samples"] == 192


def test_gradients_that_are_accumulated(digits):
    model, (x, y) = mlp(), digits
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(3):
            optimizer.zero_grad()
            for i in range(4):
                (F.cross_entropy(model(x[16 * i : 16 * i + 16]), y[16 * i : 16 * i + 16]) / 4).backward()
            optimizer.step()
    assert (w.steps, w.measured) == (12, 3)
    assert names(w) == []
    assert all(row["update_ratio"] > 0 for row in w.rows if row["kind"] == "Linear")


def test_several_backwards_and_a_kept_graph(digits):
    model, (x, y) = mlp(), digits
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(3):
            out = model(x[:64])
            optimizer.zero_grad()
            F.cross_entropy(out, y[:64]).backward(retain_graph=True)
            out.square().mean().backward(retain_graph=True)
            penalty = minigrad.autograd.grad(out.sum(), model[0].weight, create_graph=True)[0].square().mean() * 1e-3
            penalty.backward()
            optimizer.step()
    assert (w.measured, names(w)) == (3, [])
    assert not out.grad_fn.extra.hooks


def test_two_models_that_play_against_each_other():
    maker = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 8))
    judge = nn.Sequential(nn.Linear(8, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    of_maker, of_judge = optim.Adam(maker.parameters(), 1e-3), optim.Adam(judge.parameters(), 1e-3)
    loss, ones, zeros = nn.BCEWithLogitsLoss(), minigrad.ones(32, 1), minigrad.zeros(32, 1)
    with viz.watch(maker, live=False, budget=None) as a, viz.watch(judge, live=False, budget=None) as b:
        for _ in range(5):
            fake = maker(minigrad.randn(32, 4))
            of_judge.zero_grad()
            (loss(judge(minigrad.randn(32, 8)), ones) + loss(judge(fake.detach()), zeros)).backward()
            of_judge.step()
            of_maker.zero_grad()
            loss(judge(fake), ones).backward()
            of_maker.step()
    assert (a.steps, a.measured, b.steps) == (5, 5, 15)
    assert b.measured >= 5
    assert (names(a), names(b)) == ([], [])
    assert bare(maker)
    assert bare(judge)


@pytest.mark.parametrize("clear", ["none", "zero", "before"])
def test_updates_by_hand(clear, digits):
    model, (x, y) = mlp(), digits
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(5):
            if clear == "before":
                model.zero_grad()
            F.cross_entropy(model(x[:64]), y[:64]).backward()
            with minigrad.no_grad():
                for p in model.parameters():
                    p -= 0.05 * p.grad
            if clear != "before":
                model.zero_grad(set_to_none=clear == "none")
    assert names(w) == []
    assert w.rows[0]["update_ratio"] == pytest.approx(2e-3, rel=0.9)


def test_two_optimizers_and_one_with_a_closure(digits):
    model, (x, y) = mlp(), digits
    both = (
        optim.SGD([p for p in model.parameters() if p.ndim > 1], lr=0.1),
        optim.Adam([p for p in model.parameters() if p.ndim == 1]),
    )
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(4):
            model.zero_grad()
            F.cross_entropy(model(x[:64]), y[:64]).backward()
            for optimizer in both:
                optimizer.step()
    assert (w.measured, names(w)) == (4, [])
    assert all(p.ratio is not None for p in w.findings.parameters)
    model = mlp()
    lbfgs = optim.LBFGS(model.parameters(), max_iter=3)

    def closure():
        lbfgs.zero_grad()
        loss = F.cross_entropy(model(x[:64]), y[:64])
        loss.backward()
        return loss

    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(3):
            lbfgs.step(closure)
    assert w.measured >= 3  # each time that it has moved
    assert all(p.ratio is not None for p in w.findings.parameters)


def test_copies_and_saves_of_the_model_do_not_report(digits, tmp_path):
    model, x = mlp(), digits[0]
    with viz.watch(model, live=False, budget=None) as w:
        twin = copy.deepcopy(model)
        twin(x[:4]).sum().backward()
        minigrad.save(model, tmp_path / "model.pt")
        model(x[:4])
        loaded = minigrad.load(tmp_path / "model.pt", weights_only=False)
        loaded(x[:4]).sum().backward()
        inner = viz.health(model, x[:64], digits[1][:64], "cross_entropy")
        assert inner.ok
    assert w.steps == 1


def test_threads_train_their_own_models_and_share_one(digits):
    x, y = digits
    shared, failures = mlp(), []

    def work(model):
        try:
            optimizer = optim.SGD(model.parameters(), lr=0.01)
            for i in range(8):
                step(model, optimizer, x[64 * i : 64 * i + 64], y[64 * i : 64 * i + 64])
        except Exception as error:
            failures.append(error)

    own = [mlp(), mlp()]
    watches = [viz.watch(model, live=False, budget=None) for model in (*own, shared)]
    threads = [threading.Thread(target=work, args=(model,)) for model in (*own, shared, shared)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for w in watches:
        w.close()
    assert not failures
    assert [w.measured for w in watches[:2]] == [8, 8]
    assert watches[2].steps == 16
    assert bare(shared)


def test_layers_that_come_and_go(digits):
    class Sometimes(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c, self.turn = nn.Linear(64, 16), nn.Linear(16, 16), nn.Linear(16, 10), 0

        def forward(self, x):
            self.turn += 1
            h = self.a(x).relu()
            return self.c(self.b(h) if self.turn % 2 else h)

    model, (x, y) = Sometimes(), digits
    with viz.watch(model, live=False, budget=None) as w:
        for _ in range(5):
            step(model, optim.SGD(model.parameters(), lr=0.1), x[:64], y[:64])
        model.d = nn.Linear(2, 2)
        step(model, optim.SGD(model.parameters(), lr=0.1), x[:64], y[:64])
    assert {row["layer"] for row in w.rows} >= {"a", "a → relu", "b", "c", "d"}
