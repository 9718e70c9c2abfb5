"""`train.Trainer(..., distributed=True)`: run by harness.py, with RANKS_FOLDER for the files.

With 2 ranks `check_runs` writes the checkpoints that 4 and 1 go on with (tests/test_ddp_trainer.py compares).
"""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from harness import assert_close, digest, same_everywhere

import minigrad
import minigrad.distributed as dist
from minigrad import nn, optim, train
from minigrad.distributed.optim import ZeroRedundancyOptimizer
from minigrad.utils.data import DataLoader, DistributedSampler, TensorDataset, WeightedRandomSampler

FOLDER = Path(os.environ["RANKS_FOLDER"])
WHOLE_BATCH = 16
EXAMPLES = 84  # the last 4 do not fill a batch


def data():
    minigrad.manual_seed(11)
    x = minigrad.randn(EXAMPLES, 4)
    return x, (x[:, 0] * x[:, 1] > 0).long()


def make_trainer(kind="Adam", **options):
    minigrad.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))
    optimizer = ZeroRedundancyOptimizer(model.parameters(), optim.Adam, lr=0.02) if kind == "zero" else kind
    lr = None if kind == "zero" else 0.02
    return train.Trainer(model, optimizer, "cross_entropy", ["accuracy", "f1"], lr=lr, distributed=True, **options)


class StopAt(train.Callback):
    """Only the last rank wants it."""

    def __init__(self, step):
        self.step = step

    def on_batch_end(self, trainer, logs):
        if trainer.step == self.step and trainer.rank == trainer.ranks.size - 1:
            trainer.stop_training = True


def run(trainer, *callbacks, resume=None, epochs=4):
    x, y = data()
    size = dist.get_world_size()
    return trainer.fit(
        x, y, epochs=epochs, batch_size=WHOLE_BATCH // size, validation_data=(x[:30], y[:30]), verbose=0,
        callbacks=callbacks, resume=resume,
    )  # fmt: skip


def check_runs(rank, size):
    """A whole run; one that stops in an epoch; and one that goes on with it."""
    for kind in ("Adam", "zero"):
        whole = make_trainer(kind)
        history = run(whole)
        assert same_everywhere((digest(whole.module), history))
        if size == 2:
            files = FOLDER / f"{kind}.pt", FOLDER / f"{kind}-epoch.pt"
            run(make_trainer(kind), train.ModelCheckpoint(files[0], every=1), StopAt(9))
            run(make_trainer(kind), train.ModelCheckpoint(files[1]), epochs=2)
        for name, callbacks in ((f"{kind}.pt", [StopAt(99)]), (f"{kind}-epoch.pt", [])):
            if (FOLDER / name).exists():
                resumed = make_trainer(kind)
                again = run(
                    resumed, train.ModelCheckpoint(FOLDER / f"other-{size}.pt"), *callbacks, resume=FOLDER / name
                )
                assert same_everywhere((digest(resumed.module), again))
                for figure, values in history.items():
                    assert_close(again[figure], values, rtol=1e-4)
                for p, q in zip(resumed.module.parameters(), whole.module.parameters()):
                    assert_close(p, q, rtol=1e-3, atol=1e-4)
                if size == 2:
                    assert digest(resumed.module) == digest(whole.module)  # the same number of ranks: to the last bit
                    assert again == history
        if rank == 0:
            (FOLDER / f"{kind}-{size}.json").write_text(json.dumps(history))


def check_figures_are_those_of_all(rank, size):
    trainer = make_trainer()
    x, y = data()
    found = trainer.evaluate(x, y, batch_size=7)
    alone = train.Trainer(trainer.module, "SGD", "cross_entropy", ["accuracy", "f1"]).evaluate(x, y, batch_size=7)
    for name, value in alone.items():
        assert_close(found[name], value, rtol=1e-5)
    assert same_everywhere(found)
    few = trainer.evaluate(x[:1], y[:1])  # all but one have no example
    assert same_everywhere(few)
    assert trainer.predict(x[:5]).shape == (5, 2)

    class Line(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(1, 1)

        def forward(self, x):
            return self.layer(x)

    x = minigrad.arange(37).float().unsqueeze(1)
    model = Line()
    y = 2 * x + minigrad.randn(37, 1)
    both = [train.Trainer(model, "SGD", "mse_loss", ["r2"], distributed=each).evaluate(x, y) for each in (True, False)]
    assert_close(both[0]["r2"], both[1]["r2"], rtol=1e-6)


def check_only_rank_0_shows_and_logs(rank, size):
    import contextlib
    import io

    files = [FOLDER / f"log-{size}-{rank}.{kind}" for kind in ("csv", "jsonl")]
    callbacks = [train.CSVLogger(files[0]), train.JSONLogger(files[1])]
    trainer = make_trainer()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        x, y = data()
        history = trainer.fit(x, y, epochs=2, batch_size=8, callbacks=callbacks, verbose=2)
    assert ("epoch   2/2" in printed.getvalue()) == (rank == 0)
    assert [file.exists() for file in files] == [rank == 0] * 2
    if rank == 0:
        rows = [json.loads(line) for line in files[1].read_text().splitlines()]
        assert [row["loss"] for row in rows] == history["loss"]


def check_early_stopping_and_schedules_agree(rank, size):
    trainer = make_trainer(kind="SGD")
    schedule = optim.lr_scheduler.ReduceLROnPlateau(trainer.optimizer, patience=0, threshold=0.5)
    stopping = train.EarlyStopping("val_loss", patience=2, min_delta=0.05, restore_best_weights=True)
    history = run(trainer, stopping, train.LRSchedule(schedule), epochs=30)
    assert len(history["loss"]) < 30
    assert same_everywhere((history, stopping.stopped_epoch, stopping.best, digest(trainer.module)))


def check_a_share_each(rank, size):
    """All examples are seen, by one rank each but for those that fill up."""

    class Seen(train.Trainer):
        def training_step(self, batch):
            seen.extend(batch[1].tolist())
            output = self.model(batch[0])
            return self.loss(output, batch[1]), output, batch[1]

    x, y = minigrad.randn(21, 4), minigrad.arange(21).float().unsqueeze(1)
    orders = []
    for source in ("arrays", "loader", "sampler"):
        seen = []
        trainer = Seen(nn.Linear(4, 1), "SGD", "mse_loss", lr=0.001, distributed={"gradient_as_bucket_view": True})
        assert trainer.model.gradient_as_bucket_view
        dataset = TensorDataset(x, y)
        loader = DataLoader(
            dataset, 4, shuffle=source == "loader", sampler=DistributedSampler(dataset) if source == "sampler" else None
        )
        trainer.fit(x, y, epochs=2, verbose=0, batch_size=4) if source == "arrays" else trainer.fit(
            loader, epochs=2, verbose=0
        )
        everyone = [None] * size
        dist.all_gather_object(everyone, [int(each[0]) for each in seen])
        share = len(seen) // 2
        for epoch in (slice(0, share), slice(share, None)):
            taken = [i for each in everyone for i in each[epoch]]
            assert set(taken) == set(range(21))
            assert len(taken) == -(-21 // size) * size
        orders.append(everyone[0])
        assert everyone[0][:share] != everyone[0][share:]
    weighted = DataLoader(dataset, 4, sampler=WeightedRandomSampler([1.0] * 21, 6))
    for source, kind in (([(x, y)], "list"), (weighted, "DataLoader")):
        with pytest.raises(TypeError, match=f"processes cannot share out what {kind} gives"):
            make_trainer().fit(source, verbose=0)


def check_models_with_buffers_and_lbfgs(rank, size):
    minigrad.manual_seed(rank)
    model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2))
    optimizer = optim.LBFGS(model.parameters(), lr=0.1, max_iter=4, line_search_fn="strong_wolfe")
    trainer = train.Trainer(model, optimizer, "cross_entropy", distributed=True, clip_value=1.0, l2=1e-3)
    x, y = data()
    trainer.fit(x, y, epochs=2, batch_size=7, validation_data=(x, y), verbose=0)
    assert same_everywhere(digest(model))
    assert np.isfinite(model[0].weight.detach().numpy()).all()


def check_errors(rank, size):
    with pytest.raises(FileNotFoundError):
        run(make_trainer(), resume=FOLDER / "there is none.pt")
    dist.barrier()
