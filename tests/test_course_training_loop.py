"""Chapter 11, the training loop: `Trainer` is the loop by hand, and what it reaches on irises and digits."""

import numpy as np
import pytest

import minigrad
from minigrad import nn, optim, train
from minigrad.datasets import load_digits, load_iris
from minigrad.nn import functional as F
from minigrad.utils.data import DataLoader, TensorDataset
from notebooks.scripts.training_loop import digits_model, run, three_parts


def by_hand(model, optimizer, learn, validation, epochs):
    """Losses of the training and the validation part, epoch by epoch; the loop of the chapter."""
    loader = DataLoader(TensorDataset(*learn), batch_size=32, shuffle=True)
    watched = DataLoader(TensorDataset(*validation), batch_size=32)
    history = {"loss": [], "val_loss": []}
    for _ in range(epochs):
        losses = 0.0
        for inputs, targets in loader:
            loss = F.cross_entropy(model(inputs), targets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses += loss.item() * len(targets)
        history["loss"].append(losses / len(learn[1]))
        with minigrad.no_grad():
            losses = sum(F.cross_entropy(model(inputs), targets).item() * len(targets) for inputs, targets in watched)
        history["val_loss"].append(losses / len(validation[1]))
    return history


@pytest.mark.parametrize("seed", range(3))
def test_the_trainer_is_the_loop_by_hand_to_the_last_bit(seed):
    x, y = load_digits()
    learn, validation, _ = three_parts(x / 16, y, seed)
    minigrad.manual_seed(seed)
    model = digits_model(16)
    expected = by_hand(model, optim.Adam(model.parameters(), lr=0.005), learn, validation, 3)
    minigrad.manual_seed(seed)
    trainer = train.Trainer(digits_model(16), "Adam", "cross_entropy", lr=0.005)
    assert trainer.fit(*learn, epochs=3, validation_data=validation, verbose=0) == expected
    for a, b in zip(model.parameters(), trainer.model.parameters()):
        assert np.array_equal(a.detach().numpy(), b.detach().numpy())


def test_the_three_parts_share_no_example_and_have_the_classes_in_proportion():
    x, y = load_iris()
    numbered = minigrad.arange(len(x))
    parts = three_parts(numbered, y, seed=1)
    assert [len(rows) for rows, _ in parts] == [90, 30, 30]
    assert sorted(minigrad.cat([rows for rows, _ in parts]).tolist()) == list(range(150))
    for rows, classes in parts:
        assert (y[rows] == classes).all()
        assert len(set(np.bincount(classes.numpy()))) == 1


def test_irises_and_digits():
    """What the program tells, in short: five seeds of irises, three of digits."""
    irises = [run("iris", seed)[1]["accuracy"] for seed in range(5)]
    assert np.mean(irises) >= 0.94, irises
    digits = [run("digits", seed, 15)[1]["accuracy"] for seed in range(3)]
    assert min(digits) >= 0.95, digits


def test_stopping_goes_back_to_the_best_epoch():
    trainer, _ = run("iris", 3)
    _, validation, _ = three_parts(*load_iris(), 3)
    assert trainer.evaluate(*validation)["loss"] == pytest.approx(min(trainer.history["val_loss"]), rel=1e-5)


def test_resumed_is_as_never_stopped(tmp_path):
    x, y = load_iris()

    def train_for(epochs, resume=None):
        minigrad.manual_seed(0)
        trainer = train.Trainer(nn.Linear(4, 3), "Adam", "cross_entropy")
        save = train.ModelCheckpoint(tmp_path / "run.pt")
        trainer.fit(x, y, epochs=epochs, callbacks=[save], resume=resume, verbose=0)
        return trainer.history

    whole = train_for(6)
    train_for(2)
    assert train_for(6, resume=tmp_path / "run.pt") == whole


class Repairing(train.Trainer):
    """The chapter's: the target is the picture itself, the input has noise in it."""

    def training_step(self, batch):
        clean = batch[0]
        output = self.model(clean + 0.3 * minigrad.randn(clean.shape))
        return self.loss(output, clean), output, clean


@pytest.mark.parametrize("seed", range(3))
def test_another_step_learns_to_repair_digits(seed):
    x, y = load_digits()
    learn, _, test = three_parts(x / 16, y, seed)
    minigrad.manual_seed(seed)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 64), nn.Unflatten(1, (8, 8)))
    repairing = Repairing(model, "Adam", "mse_loss", lr=0.005)
    repairing.fit(TensorDataset(learn[0]), epochs=10, verbose=0)
    noisy = test[0] + 0.3 * minigrad.randn(test[0].shape)
    assert F.mse_loss(repairing.predict(noisy), test[0]) < 0.5 * F.mse_loss(noisy, test[0])
