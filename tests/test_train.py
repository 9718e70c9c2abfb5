"""`minigrad.train`: the loop against one written out, metrics against scikit-learn, callbacks."""

import csv
import json
import math

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, train
from minigrad.utils.data import DataLoader, IterableDataset, TensorDataset


def blobs(n=60, seed=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    x = rng.normal(size=(n, 4)) + np.eye(4)[y] * 2
    return x, y


def classifier(dropout=0.0):
    minigrad.manual_seed(5)
    return nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(dropout), nn.Linear(16, 3))


def trainer(model=None, optimizer="Adam", loss="cross_entropy", metrics=("accuracy",), **options):
    return train.Trainer(model or classifier(), optimizer, loss, metrics, **options)


def weights(model):
    return [p.detach().numpy().copy() for p in model.parameters()]


def test_fit_does_what_the_loop_written_out_does():
    x, y = blobs()
    fitted = trainer(optimizer="SGD", lr=0.1, l1=1e-3, l2=1e-2, clip_norm=0.5)
    minigrad.manual_seed(1)
    history = fitted.fit(x, y, epochs=3, batch_size=16, verbose=0)

    model = classifier()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    data = TensorDataset(minigrad.tensor(x, dtype=minigrad.float32), minigrad.tensor(y))
    minigrad.manual_seed(1)
    losses = []
    for _ in range(3):
        total = right = 0
        for inputs, target in DataLoader(data, 16, shuffle=True):
            output = model(inputs)
            big = [model[0].weight, model[3].weight]
            penalty = 1e-3 * sum(w.abs().sum() for w in big) + 1e-2 * sum(w.square().sum() for w in big)
            loss = nn.functional.cross_entropy(output, target) + penalty
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            optimizer.step()
            total += loss.item() * len(target)
            right += (output.argmax(1) == target).sum().item()
        losses.append((total / 60, right / 60))
    assert history == {"loss": [pytest.approx(a) for a, _ in losses], "accuracy": [b for _, b in losses]}
    for a, b in zip(weights(fitted.model), weights(model), strict=True):
        np.testing.assert_array_equal(a, b)


def test_lbfgs_trains_too():
    x, y = blobs()
    fitted = trainer(optimizer="LBFGS")
    losses = fitted.fit(x, y, epochs=3, batch_size=60, verbose=0)["loss"]
    start = nn.functional.cross_entropy(classifier()(minigrad.tensor(x).float()), minigrad.tensor(y)).item()
    assert losses[0] == pytest.approx(start, rel=1e-6)  # that at which its first step began
    assert losses[2] < losses[1] < losses[0]


def test_evaluate_and_predict():
    x, y = blobs()
    fitted = trainer(classifier(dropout=0.5), lr=0.02)
    history = fitted.fit(x, y, epochs=15, validation_data=(x, y), verbose=0)
    assert list(history) == ["loss", "accuracy", "val_loss", "val_accuracy"]
    assert all(len(values) == 15 for values in history.values())
    scores = fitted.predict(x)
    assert scores.shape == (60, 3)
    assert not scores.requires_grad
    measured = fitted.evaluate(x, y)
    target = minigrad.tensor(y)
    assert measured["loss"] == pytest.approx(nn.functional.cross_entropy(scores, target).item(), rel=1e-6)
    assert measured["accuracy"] == (scores.argmax(1) == target).double().mean().item() > 0.8
    assert measured["accuracy"] == history["val_accuracy"][-1]
    assert fitted.model.training
    loader = DataLoader(TensorDataset(minigrad.tensor(x).float(), target), batch_size=7)
    assert fitted.evaluate(loader) == pytest.approx(measured)
    np.testing.assert_allclose(fitted.predict(loader).numpy(), scores.numpy(), rtol=1e-6)


def test_data_in_every_form():
    x, y = blobs()
    t = minigrad.tensor(x).float(), minigrad.tensor(y)
    forms = [
        {"x": t[0], "y": t[1]},
        {"x": t},
        {"x": TensorDataset(*t)},
        {"x": DataLoader(TensorDataset(*t), 32)},
        {"x": [(t[0][:32], t[1][:32]), (t[0][32:], t[1][32:])]},
    ]
    losses = [trainer().fit(**form, shuffle=False, verbose=0)["loss"] for form in forms]
    assert losses == [losses[0]] * len(forms)


def test_a_lone_tensor_is_its_own_target_and_inputs_may_be_several():
    x = minigrad.randn(20, 4)
    model = nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 4))
    history = train.Trainer(model, "Adam", nn.MSELoss(), lr=0.05).fit(x, epochs=20, verbose=0)
    assert history["loss"][-1] < 0.8 * history["loss"][0]

    two = train.Trainer(nn.Bilinear(4, 3, 1), "SGD", "mse_loss")
    a, b, y = minigrad.randn(8, 4), minigrad.randn(8, 3), minigrad.randn(8, 1)
    assert two.fit((a, b), y, verbose=0)["loss"][0] == pytest.approx(two.evaluate((a, b), y)["loss"], rel=0.2)
    assert two.predict([a, b]).shape == (8, 1)


def test_the_training_step_can_be_another():
    class Autoencoder(train.Trainer):
        def training_step(self, batch):
            (x,) = batch
            code = self.model[0](x)
            output = self.model[1](code)
            return ((output - x) ** 2).mean() + code.abs().mean(), output, x

    model = nn.ModuleList([nn.Linear(3, 2), nn.Linear(2, 3)])
    assert Autoencoder(model, "SGD", "mse_loss").fit(minigrad.randn(6, 3), verbose=0)["loss"][0] > 0


def test_metrics_agree_with_scikit_learn():
    sk = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(0)
    scores, classes = rng.normal(size=(50, 4)).astype("f4"), rng.integers(0, 3, 50)
    guess = scores.argmax(1)
    options = {"average": "macro", "zero_division": 0}
    expected = {
        "accuracy": sk.accuracy_score(classes, guess),
        "precision": sk.precision_score(classes, guess, **options),
        "recall": sk.recall_score(classes, guess, **options),
        "f1": sk.f1_score(classes, guess, **options),
    }
    assert figures(expected, scores, classes) == pytest.approx(expected)
    top = train.Accuracy(top_k=2)
    assert figures([top], scores, classes)["accuracy"] == sk.top_k_accuracy_score(classes, scores, k=2, labels=range(4))

    logits, truth = rng.normal(size=50).astype("f4"), rng.integers(0, 2, 50).astype("f4")
    guess = logits > 0
    expected = {
        "accuracy": sk.accuracy_score(truth, guess),
        "precision": sk.precision_score(truth, guess),
        "recall": sk.recall_score(truth, guess),
        "f1": sk.f1_score(truth, guess),
        "r2": sk.r2_score(truth, logits),
    }
    assert figures(expected, logits, truth) == pytest.approx(expected)
    probabilities = 1 / (1 + np.exp(-logits))
    assert figures([train.F1(threshold=0.5)], probabilities, truth)["f1"] == pytest.approx(expected["f1"])

    def mae(output, target):
        return (output - target).abs().mean()

    assert figures([mae], logits, truth)["mae"] == pytest.approx(sk.mean_absolute_error(truth, logits))


def figures(metrics, output, target):
    measuring = train.Trainer(
        nn.Identity(), optim.SGD([minigrad.zeros(1)]), lambda output, target: output.sum(), metrics
    )
    measured = measuring.evaluate(minigrad.as_tensor(output), minigrad.as_tensor(target), batch_size=16)
    return {name: value for name, value in measured.items() if name != "loss"}


def test_early_stopping_keeps_the_best_weights():
    class Figure(train.Callback):
        """Puts its values among the figures."""

        def __init__(self, values):
            self.values = iter(values)

        def on_epoch_end(self, trainer, logs):
            logs["figure"] = next(self.values)
            if logs["figure"] == 0.7:
                self.best = weights(trainer.model)

    x, y = blobs()
    figure = Figure([0.9, 0.7, 0.8, float("nan"), 0.6])
    stopping = train.EarlyStopping("figure", patience=2, restore_best_weights=True)
    fitted = trainer()
    history = fitted.fit(x, y, epochs=10, callbacks=[figure, stopping], verbose=0)
    assert history["figure"] == [0.9, 0.7, 0.8, pytest.approx(float("nan"), nan_ok=True)]
    assert (stopping.stopped_epoch, stopping.best) == (4, 0.7)
    for a, b in zip(weights(fitted.model), figure.best, strict=True):
        np.testing.assert_array_equal(a, b)

    rising = train.EarlyStopping("val_accuracy", min_delta=0.1)
    assert rising.is_better({"val_accuracy": 0.5})
    assert not rising.is_better({"val_accuracy": 0.55})
    assert rising.is_better({"val_accuracy": 0.65})
    with pytest.raises(ValueError, match="no figure 'val_loss'"):
        fitted.fit(x, y, callbacks=[train.EarlyStopping()], verbose=0)


def test_checkpoints_by_name_and_of_the_best(tmp_path):
    x, y = blobs()
    every = train.ModelCheckpoint(tmp_path / "all" / "{epoch:02d}-{loss:.2f}.pt", weights_only=True)
    best = train.ModelCheckpoint(tmp_path / "best.pt", save_best_only=True, monitor="loss")
    fitted = trainer()
    losses = fitted.fit(x, y, epochs=3, callbacks=[every, best], verbose=0)["loss"]
    names = sorted(path.name for path in (tmp_path / "all").iterdir())
    assert names == [f"{i + 1:02d}-{loss:.2f}.pt" for i, loss in enumerate(losses)]
    model = classifier()
    model.load_state_dict(minigrad.load(tmp_path / "all" / names[-1]))
    np.testing.assert_array_equal(weights(model)[0], weights(fitted.model)[0])
    assert minigrad.load(tmp_path / "best.pt")["epoch"] == 1 + losses.index(min(losses))


def test_schedules_step_and_are_told(tmp_path):
    x, y = blobs()
    fitted = trainer(optimizer="SGD", lr=1.0)
    by_epoch = train.LRSchedule(optim.lr_scheduler.ExponentialLR(fitted.optimizer, 0.5))
    assert fitted.fit(x, y, epochs=3, callbacks=[by_epoch], verbose=0)["lr"] == [1.0, 0.5, 0.25]
    fitted = trainer(optimizer="SGD", lr=1.0)
    by_batch = train.LRSchedule(optim.lr_scheduler.LinearLR(fitted.optimizer, 0.5, total_iters=4), every="batch")
    assert fitted.fit(x, y, epochs=2, batch_size=30, callbacks=[by_batch], verbose=0)["lr"] == [0.75, 1.0]
    fitted = trainer(optimizer="SGD", lr=0.0)
    plateau = optim.lr_scheduler.ReduceLROnPlateau(fitted.optimizer, patience=0)
    fitted.optimizer.param_groups[0]["lr"] = 1e-30
    logs = fitted.fit(x, y, epochs=3, validation_data=(x, y), callbacks=[train.LRSchedule(plateau)], verbose=0)
    assert logs["lr"][0] == 1e-30
    assert plateau.num_bad_epochs == 0
    assert plateau.last_epoch == 3


def test_logs_are_written_at_once_and_continued(tmp_path):
    x, y = blobs()
    table, lines, file = tmp_path / "logs" / "log.csv", tmp_path / "log.jsonl", tmp_path / "run.pt"
    callbacks = [train.CSVLogger(table), train.JSONLogger(lines), train.ModelCheckpoint(file)]
    first = trainer()
    history = first.fit(x, y, epochs=2, callbacks=callbacks, verbose=0)
    with table.open("a") as stray:
        stray.write("3,9.9,0.1\n")  # of an epoch whose checkpoint was never written
    history = trainer().fit(x, y, epochs=4, callbacks=callbacks, resume=file, verbose=0)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert [float(row["loss"]) for row in rows] == history["loss"]
    assert [json.loads(line)["accuracy"] for line in lines.read_text().splitlines()] == history["accuracy"]
    trainer().fit(x, y, callbacks=callbacks, verbose=0)
    assert len(table.read_text().splitlines()) == 2
    other = {"validation_data": (x, y), "callbacks": callbacks, "resume": file, "verbose": 0}
    trainer(metrics=["accuracy"]).fit(x, y, epochs=2, **other)
    assert table.read_text().splitlines()[0] == "epoch,loss,accuracy,val_loss,val_accuracy"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [bool(row["val_loss"]) for row in rows] == [False, True]


def test_figures_for_tensorboard(tmp_path):
    pytest.importorskip("tensorboardX")
    x, y = blobs()
    trainer().fit(x, y, epochs=2, validation_data=(x, y), callbacks=[train.TensorBoard(tmp_path / "runs")], verbose=0)
    (file,) = (tmp_path / "runs").iterdir()
    written = file.read_bytes()
    assert [written.count(name) for name in (b"val_accuracy", b"val_loss")] == [2, 2]


def test_a_second_fit_begins_anew():
    x, y = blobs()
    stopping, fitted = train.EarlyStopping("loss", min_delta=1e9), trainer()
    for _ in range(2):
        assert len(fitted.fit(x, y, epochs=5, callbacks=iter([stopping]), verbose=0)["loss"]) == 2
        assert stopping.stopped_epoch == 2


def test_every_callback_that_began_is_told_of_the_end(capsys):
    class Failing(train.Callback):
        def on_train_end(self, trainer):
            raise KeyError("first")

    class Unready(train.ModelCheckpoint):
        def on_train_begin(self, trainer):
            raise RuntimeError("not ready")

    told = []
    witness = train.Callback()
    witness.on_train_end = told.append
    fitted = trainer()
    with pytest.raises(KeyError, match="first"):
        fitted.fit(*blobs(), callbacks=[Failing(), witness], verbose=1)
    with pytest.raises(RuntimeError, match="not ready"):
        fitted.fit(*blobs(), callbacks=[witness, Unready("a")], verbose=1)
    assert told == [fitted, fitted]
    assert fitted.fit(*blobs(), verbose=1)  # no bar was left on the terminal: it would refuse a second one


def test_data_of_unknown_length_and_no_data():
    class Stream(IterableDataset):
        def __iter__(self):
            return iter([(minigrad.ones(4), 1)] * 5)

    fitted = trainer()
    assert len(fitted.fit(DataLoader(Stream(), 2), epochs=2, verbose=0)["loss"]) == 2
    assert fitted.step == 6
    assert all(math.isnan(value) for value in fitted.evaluate(minigrad.ones(0, 4), minigrad.zeros(0).long()).values())


def test_validation_leaves_the_training_as_it_was():
    """The mode of each part, and the figures of the epoch under way."""
    x, y = blobs()
    seen = []

    class Looks(train.Callback):
        def on_batch_end(self, trainer, logs):
            trainer.model[2].eval()
            trainer.evaluate(x[:8], y[:8])
            seen.append([module.training for module in trainer.model])

    plain, looked_at = trainer(), trainer()
    history = plain.fit(x, y, shuffle=False, validation_data=((x,), y), verbose=0)
    assert looked_at.fit(x, y, shuffle=False, validation_data=(x, y), callbacks=[Looks()], verbose=0) == history
    assert seen == [[True, True, False, True]] * 2


def test_lines_and_bar(capsys):
    x, y = blobs()
    trainer().fit(x, y, epochs=40, validation_data=(x, y))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("first training step done: loss ")
    assert 10 <= len(lines) <= 16
    assert lines[-1].startswith("epoch  40/40 loss 0.")
    assert "val_accuracy" in lines[-1]
    assert lines[-1].endswith("time left 0:00")
    trainer().fit(x, y, epochs=2, verbose=1)
    bar = capsys.readouterr().out
    for words in ("epoch 2/2", "100%", "loss ", "accuracy"):
        assert words in bar
    trainer().fit(x, y, verbose=0)
    assert not capsys.readouterr().out


PLATEAU = optim.lr_scheduler.ReduceLROnPlateau(optim.SGD([minigrad.zeros(1)]))


@pytest.mark.parametrize(
    ("wrong", "error", "words"),
    [
        (lambda: trainer(optimizer="Adamm"), ValueError, "no 'Adamm' in minigrad.optim"),
        (lambda: trainer(loss="cross"), ValueError, "no 'cross' in minigrad.nn.functional"),
        (lambda: trainer(metrics=["auc"]), ValueError, "expected a Metric, a function or one of"),
        (lambda: trainer(optimizer=optim.SGD(classifier().parameters()), lr=1.0), ValueError, "leave lr out"),
        (lambda: trainer().fit(minigrad.ones(3, 4), minigrad.ones(2)), ValueError, "of one length"),
        (lambda: trainer().fit(iter(())), ValueError, "no batches"),
        (lambda: trainer().fit(3), TypeError, "expected tensors, arrays, a Dataset"),
        (lambda: trainer().fit([1], minigrad.ones(2)), TypeError, "gives its targets itself"),
        (lambda: trainer().fit(*blobs(), verbose=7), ValueError, "argument 'verbose'"),
        (lambda: train.EarlyStopping(mode="up"), ValueError, "'auto', 'min' or 'max'"),
        (lambda: train.ModelCheckpoint("a", every=0), ValueError, "at least 1"),
        (lambda: trainer(metrics=["accuracy", train.Accuracy(2)]), ValueError, "a name of its own for each figure"),
        (lambda: trainer(metrics=["r2"]).evaluate(*blobs()), ValueError, "R2: expected outputs of the shape of the ta"),
        (
            lambda: train.Accuracy().update(minigrad.ones(5, 1), minigrad.ones(5)),
            ValueError,
            r"got \(5, 1\) and \(5,\)",
        ),
        (lambda: train.F1().update(minigrad.ones(5, 3, 5), minigrad.ones(5, 3)), ValueError, "at least two classes"),
        (lambda: train.LRSchedule(PLATEAU, every="batch"), ValueError, "the figures of an epoch"),
        (
            lambda: train.ModelCheckpoint("{val_loss}").save(trainer(), {}),
            ValueError,
            "no figure 'val_loss' for the path",
        ),
        (lambda: train.LRSchedule(None, every="step"), ValueError, "'epoch' or 'batch'"),
    ],
)
def test_what_is_wrong_is_said(wrong, error, words):
    with pytest.raises(error, match=words):
        wrong()


def test_figures_at_the_edges():
    assert all(math.isnan(metric().compute()) for metric in (train.Accuracy, train.F1, train.R2))
    no = minigrad.zeros(6)
    assert figures([train.Precision(), train.Recall()], no - 1, no) == {"precision": 0, "recall": 0}
    far = minigrad.tensor([1.0, 2.0, 3.0, 4.0], dtype=minigrad.float64) + 1e9
    assert figures(["r2"], far + 1, far)["r2"] == pytest.approx(1 - 4 / 5)
    scores, classes = minigrad.eye(4), minigrad.tensor([0, 1, 0, -100])  # the last one is padding
    expected = {"accuracy": 2 / 3, "recall": (1 / 2 + 1 + 0) / 3, "f1": (2 / 3 + 1 + 0) / 3}
    assert figures(list(expected), scores, classes) == pytest.approx(expected)
