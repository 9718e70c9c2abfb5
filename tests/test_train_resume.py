"""`minigrad.train`: a run that was stopped or killed goes on from its checkpoint to the same end, or says why not."""

import copy
import random
import subprocess
import sys
import textwrap

import numpy as np
import pytest
from test_train import blobs, classifier, trainer, weights

import minigrad
from minigrad import optim, train
from minigrad.utils.data import DataLoader, RandomSampler, TensorDataset


def whole_run(folder, epochs, every=None, resume=None, stop_at=None, workers=0, sampler=False):
    """A run with all that has a state: dropout, shuffling, a schedule, a callback that counts, numbers from NumPy."""

    class Noise(train.Callback):
        """Draws from the generators of Python, NumPy and minigrad, and stops where it is told."""

        def on_epoch_begin(self, trainer):
            minigrad.rand(3)

        def on_batch_end(self, trainer, logs):
            with minigrad.no_grad():
                trainer.model[0].bias += 1e-3 * (random.random() + np.random.random())  # noqa: NPY002
            trainer.stop_training |= trainer.step == stop_at

    x, y = blobs()
    random.seed(0)
    np.random.seed(0)  # noqa: NPY002
    fitted = trainer(classifier(dropout=0.3), "AdamW", lr=0.01)
    data = TensorDataset(minigrad.tensor(x).float(), minigrad.tensor(y))
    drawn = {"generator": minigrad.Generator().manual_seed(9)}
    order = {"sampler": RandomSampler(data, **drawn)} if sampler else {"shuffle": True, **drawn}
    loader = DataLoader(data, 16, num_workers=workers, **order)
    callbacks = [
        train.ModelCheckpoint(folder / "run.pt", every=every),
        train.LRSchedule(optim.lr_scheduler.CosineAnnealingLR(fitted.optimizer, 12), every="batch"),
        train.EarlyStopping("loss", patience=50, restore_best_weights=True),
        Noise(),
    ]
    history = fitted.fit(
        loader, epochs=epochs, validation_data=data, callbacks=callbacks, verbose=0, resume=resume and folder / "run.pt"
    )
    return history, weights(fitted.model), minigrad.rand(1).item()


@pytest.mark.parametrize(("every", "stop_at"), [(1, 2), (1, 6), (3, 7), (4, 4), (None, 4), (5, 11)])
def test_a_run_that_was_stopped_goes_on_to_the_same_end(tmp_path, every, stop_at):
    """After two batches, in the second epoch, after a batch that was not saved, at the end of an epoch, ..."""
    (tmp_path / "whole").mkdir()
    whole = whole_run(tmp_path / "whole", 4)
    whole_run(tmp_path, 4, every=every, stop_at=stop_at)
    if every is None:  # the first epoch ends with batch 4, but that run stops before
        whole_run(tmp_path, 1)
    minigrad.rand(100)
    resumed = whole_run(tmp_path, 4, every=every, resume=True)
    assert resumed[0] == whole[0]
    assert resumed[2] == whole[2]
    for a, b in zip(resumed[1], whole[1], strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("kind", [{"sampler": True}, {"workers": 1}])
def test_the_order_of_any_loader_goes_on(tmp_path, kind):
    (tmp_path / "whole").mkdir()
    whole = whole_run(tmp_path / "whole", 2, **kind)
    whole_run(tmp_path, 2, every=1, stop_at=6, **kind)
    resumed = whole_run(tmp_path, 2, every=1, resume=True, **kind)
    assert resumed[0] == whole[0]
    np.testing.assert_array_equal(resumed[1][0], whole[1][0])


def test_a_run_that_was_killed_goes_on_to_the_same_end(tmp_path):
    """SIGKILL in the middle of a batch, and the program started again."""
    program = textwrap.dedent("""
        import os, signal, sys
        import minigrad
        from minigrad import nn, train

        class Kill(nn.Module):
            calls = 0

            def forward(self, x):
                Kill.calls += 1
                if Kill.calls == int(sys.argv[1]):
                    os.kill(os.getpid(), signal.SIGKILL)
                return x

        minigrad.manual_seed(2)
        x = minigrad.randn(40, 3)
        model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.4), Kill(), nn.Linear(8, 1))
        trainer = train.Trainer(model, "Adam", "mse_loss", lr=0.01)
        checkpoint = train.ModelCheckpoint("run.pt", every=2)
        resume = "run.pt" if os.path.exists("run.pt") else None
        options = {"epochs": 4, "batch_size": 8, "callbacks": [checkpoint], "resume": resume, "verbose": 0}
        history = trainer.fit(x, x[:, :1] ** 2, **options)
        print(history, [p.tolist() for p in model.parameters()])
    """)
    (tmp_path / "program.py").write_text(program)
    (tmp_path / "whole").mkdir()

    def run(folder, kill_at):
        command = [sys.executable, str(tmp_path / "program.py"), str(kill_at)]
        return subprocess.run(command, cwd=folder, capture_output=True, text=True)

    assert run(tmp_path, 13).returncode == -9
    after = run(tmp_path, 0)
    assert after.returncode == 0, after.stderr
    assert after.stdout == run(tmp_path / "whole", 0).stdout


def test_what_cannot_be_resumed_says_why(tmp_path):
    x, y = blobs()
    stopping = train.EarlyStopping("loss", patience=3)
    trainer().fit(x, y, callbacks=[stopping, train.ModelCheckpoint(tmp_path / "run.pt")], verbose=0)
    with pytest.raises(ValueError, match=r"callbacks \['EarlyStopping', 'ModelCheckpoint'\], but this one has \[\]"):
        trainer().fit(x, y, epochs=2, resume=tmp_path / "run.pt", verbose=0)
    minigrad.save({"a": 1}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match="not a checkpoint of a Trainer"):
        trainer().fit(x, y, resume=tmp_path / "other.pt", verbose=0)
    with pytest.raises(FileNotFoundError):
        trainer().fit(x, y, resume=tmp_path / "none.pt", verbose=0)
    early = train.ModelCheckpoint(tmp_path / "early.pt", every=4)
    trainer().fit(x, y, batch_size=15, epochs=1, callbacks=[early, Stop(4)], verbose=0)
    with pytest.raises(ValueError, match="after batch 4 of an epoch, but the data gave only 2 batches"):
        trainer().fit(x, y, batch_size=30, callbacks=[early], resume=tmp_path / "early.pt", verbose=0)
    loader = DataLoader(TensorDataset(minigrad.ones(8, 4), minigrad.zeros(8).long()), 4, generator=minigrad.Generator())
    with pytest.raises(ValueError, match="had 0 generators of their own, but this one has 1"):
        trainer().fit(loader, callbacks=[early], resume=tmp_path / "early.pt", verbose=0)


class Stop(train.Callback):
    """Ends the run after so many batches."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer, logs):
        trainer.stop_training = trainer.step == self.step


def test_a_state_that_is_resumed_from_is_not_changed():
    x, y = blobs()
    first = trainer()
    first.fit(x, y, verbose=0)
    state = copy.deepcopy(first.state_dict())
    for _ in range(2):
        assert len(trainer().fit(x, y, epochs=3, resume=state, verbose=0)["loss"]) == 3
    assert len(state["history"]["loss"]) == 1
